//! Checks the larger configurations: minutes each, and a few gigabytes for the last ones.
//!
//! `abide-model [PART OF A NAME]...`

use std::process::ExitCode;
use std::time::Instant;

use abide_model::{check, larger, small};

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    for (name, config) in small().into_iter().chain(larger()).filter(|(name, _)| is_wanted(name)) {
        let began = Instant::now();
        let outcome = check(&config);
        println!("{name}: {outcome}; {:.1} s", began.elapsed().as_secs_f64());
        if outcome.broken.is_some() || !outcome.unreached.is_empty() {
            eprintln!("never reached: {:?}", outcome.unreached);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
