//! Takes each defence of the layer and of the stores out, one at a time, and sees the test fail that names it.
//!
//! ```sh
//! cargo run -p abide-defences                  # all of them; about half a minute each
//! cargo run -p abide-defences -- cookie grace  # those whose names contain one of these words
//! ```
//!
//! The list is `defences.toml`. Nothing is changed in place: each is taken out of a copy of the checkout. A defence
//! whose test passes without it, or without which the code does not even compile, ends the run with an error. That
//! the list is true of the code (every text stands where it is said to, every test exists) is tested with all the rest.
//!
//! | file | role |
//! |---|---|
//! | `list` | the defences, and which test names each |
//! | `tree` | the copy that is broken and mended |

mod list;
mod tree;

use std::process::ExitCode;

use list::Defence;
use tree::{Outcome, Tree};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let chosen: Vec<Defence> =
        list::all().into_iter().filter(|defence| defence.is_meant_by(&words)).collect();
    if chosen.is_empty() {
        eprintln!("no defence has one of these words in its name: {}", words.join(", "));
        return ExitCode::FAILURE;
    }
    match take_out(&chosen) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(missed) => {
            eprintln!("{missed} of {} defences may be taken out unnoticed", chosen.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers how many were not noticed.
fn take_out(defences: &[Defence]) -> std::io::Result<usize> {
    let tree = Tree::copy()?;
    let mut missed = 0;
    println!("| taken out | what failed |\n|---|---|");
    for defence in defences {
        let outcome = tree.without(defence)?;
        missed += usize::from(!matches!(outcome, Outcome::Noticed));
        println!("| {} | {} |", defence.name, outcome.shown(defence));
    }
    println!("\n{} of {} noticed", defences.len() - missed, defences.len());
    Ok(missed)
}
