//! Prints what a failover costs: `failovers [--only WORDS]`, where WORDS is a part of a row's name, such as `Sentinel, master`.
//!
//! Needs `redis-server` and takes about half a minute for each row.

use std::process::ExitCode;

use abide_failovers::{Outcome, Scenario, run};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let only = match arguments.as_slice() {
        [] => "",
        [name, words] if name == "--only" => words,
        _ => {
            eprintln!("usage: failovers [--only WORDS]");
            return ExitCode::FAILURE;
        }
    };
    println!("{}", Outcome::HEAD);
    for scenario in Scenario::all().filter(|scenario| scenario.to_string().contains(only)) {
        println!("{}", run(scenario).await);
    }
    ExitCode::SUCCESS
}
