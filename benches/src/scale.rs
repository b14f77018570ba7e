//! The same comparison with fewer and more sessions, on one core and on all.

use crate::options::{Scale, Speed};
use crate::report;
use crate::routes::Path;
use crate::speed::Bench;

/// Measures and prints, row by row.
pub(crate) fn compare(options: &Scale) -> anyhow::Result<()> {
    println!("{options}\n\n{}", report::SCALE_HEAD);
    for sessions in &options.sessions {
        for threads in threads() {
            let speed = Speed::of(options, *sessions);
            let bench = Bench::open(&speed, Some(threads))?;
            for path in Path::ALL {
                print!("{}", report::scale(*sessions, threads, path, &bench.measure(path)));
            }
        }
    }
    Ok(())
}

/// One, and as many as the machine has cores.
fn threads() -> Vec<usize> {
    let all = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if all == 1 {
        vec![1]
    } else {
        vec![1, all]
    }
}
