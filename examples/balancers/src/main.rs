//! Load balancers in front of abide.
//!
//! ```text
//! balancers alias FILE NODE...    the alias of each node, under the secret in FILE
//! balancers evenness [SEED]       how evenly three nodes are used, with clients pinned and not
//! ```
//!
//! | file | role |
//! |---|---|
//! | `main` | the commands |
//! | `evenness` | 3 000 clients, of which some come often and most seldom, behind a real HAProxy |

mod evenness;

use std::error::Error;
use std::process::ExitCode;

use abide::route::RouteKey;

const USAGE: &str = "usage: balancers alias FILE NODE... | balancers evenness [SEED]";

#[tokio::main]
async fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("balancers: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["alias", file, ref nodes @ ..] if !nodes.is_empty() => {
            let key = RouteKey::from_file(file)?;
            for node in nodes {
                println!("{node} {}", key.alias(node));
            }
        }
        ["evenness"] => evenness::print(fastrand::u64(..)).await,
        ["evenness", seed] => evenness::print(seed.parse()?).await,
        _ => return Err(USAGE.into()),
    }
    Ok(())
}
