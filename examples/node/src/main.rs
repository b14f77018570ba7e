//! One application server, configured by the environment alone. `README.md` has its requests.

use std::process::ExitCode;

const USAGE: &str = "usage: node, configured by the environment; or: node recover --others-are-gone, which has the node that \
                     listens at ADMIN_SOCKET go on without servers of its cluster that are gone for good, and only then";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => node::main().await,
        ["recover", "--others-are-gone"] => node::recover().await,
        _ => {
            eprintln!("{USAGE}");
            ExitCode::FAILURE
        }
    }
}
