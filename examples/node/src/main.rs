//! One application server, configured by the environment alone. `README.md` has its requests.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    node::main().await
}
