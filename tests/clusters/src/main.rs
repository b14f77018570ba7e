//! Puts clusters of real processes through a lot, and prints what came of it: `clusters [--anyhow] [kills [TIMES]] …`. It fails
//! where a promise broke; with `--anyhow` only where one did that a machine of any speed owes.

use std::process::ExitCode;

use abide_clusters::{Row, enter, run};
use options::Options;

mod options;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n{}", Options::USAGE);
            return ExitCode::FAILURE;
        }
    };
    if !options.needs_network() {
        return all(&options);
    }
    // All of it runs inside, where it can.
    match enter() {
        Ok(None) => all(&options),
        Ok(Some(status)) if status.success() => ExitCode::SUCCESS,
        Ok(Some(_)) => ExitCode::FAILURE,
        Err(why) => {
            let (there, left) = options.without_network();
            println!("{why}: {left} scenarios did not run");
            all(&there)
        }
    }
}

#[tokio::main]
async fn all(options: &Options) -> ExitCode {
    println!("{}", Row::HEAD);
    let mut code = ExitCode::SUCCESS;
    for scenario in &options.scenarios {
        let row = run(*scenario).await;
        println!("{row}");
        let is_good = if options.anyhow { row.is_sound() } else { row.holds() };
        if !is_good {
            code = ExitCode::FAILURE;
        }
    }
    code
}
