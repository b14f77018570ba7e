//! Writes the inputs from which a fuzzer starts: `seeds <directory>`, each target's into one of its own.

#![allow(clippy::unwrap_used, reason = "whoever runs this reads the panic")]

use std::path::Path;
use std::{env, fs};

use abide_fuzzing::TARGETS;

fn main() {
    let directory = env::args_os().nth(1).expect("a directory to write into");
    for target in TARGETS {
        let directory = Path::new(&directory).join(target.name);
        fs::create_dir_all(&directory).unwrap();
        for (n, seed) in (target.seeds)().iter().enumerate() {
            fs::write(directory.join(format!("seed-{n}")), seed).unwrap();
        }
    }
}
