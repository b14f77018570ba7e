//! Sessions in Redis: requests beside the peers that keep sessions there, operations beside the raw commands.

mod cpu;
mod raw;

use abide_harness::Redis as Server;
use tokio::runtime::Runtime;

use self::cpu::{Meter, Spent};
use crate::kinds::abide::{Abide, IN_PROCESS};
use crate::kinds::axum_session::InRedis;
use crate::kinds::tower_sessions::WithRedisStore;
use crate::kinds::{AnyKind, Kind};
use crate::options::{Redis, Speed};
use crate::report;
use crate::routes::Path;
use crate::speed::{Bench, Rates};

/// Measures and prints, row by row.
pub(crate) fn compare(options: &Redis) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let server = options.url.is_none().then(|| runtime.block_on(Server::single()));
    let url = server.as_ref().map(Server::url).or_else(|| options.url.clone()).unwrap_or_default();
    println!("{}\n\n{}", options.speed, report::REDIS_HEAD);
    for (operation, rates) in runtime.block_on(raw::measure(&url, &options.speed))? {
        rates.iter().for_each(|rates| print!("{}", rates.row(operation)));
    }
    requests(&url, &options.speed, runtime, kinds(&url))
}

/// Measures and prints requests to these kinds, and the processor time that they cost here and in the server.
pub(crate) fn requests(
    url: &str,
    options: &Speed,
    runtime: Runtime,
    kinds: Vec<AnyKind>,
) -> anyhow::Result<()> {
    let mut meter = Meter::open(url)?;
    let bench = Bench::of(options, runtime, kinds)?;
    for path in Path::ALL {
        let mut spent = vec![Spent::default(); bench.kinds().count()];
        let mut failed = None;
        let measured =
            bench.measure_around(path, &mut |index, run| match meter.around(&mut spent[index], run) {
                Ok(rate) => rate,
                Err(error) => {
                    failed = Some(error);
                    0.0
                }
            });
        failed.map_or(Ok(()), Err)?;
        for (Rates { kind, rates, ratios }, spent) in measured.iter().zip(&spent) {
            print!("{}", report::redis(path.name(), kind.name(), rates, ratios, spent.each()));
        }
    }
    Ok(())
}

/// The peer that most use comes first: every ratio is taken to it.
fn kinds(url: &str) -> Vec<AnyKind> {
    let url = url.to_owned();
    vec![
        kept(WithRedisStore { url: url.clone() }),
        kept(InRedis { url: url.clone() }),
        kept(Abide::redis(&url)),
        kept(Abide::near(&url)),
        &IN_PROCESS,
    ]
}

/// For as long as the program runs, which is as long as it is measured.
pub(crate) fn kept(kind: impl Kind + 'static) -> AnyKind {
    Box::leak(Box::new(kind))
}
