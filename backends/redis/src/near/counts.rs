//! What the near-cache did.

use std::sync::atomic::{AtomicU64, Ordering};

use abide_core::Metric;

macro_rules! counts {
    ($($name:ident: $metric:literal, $help:literal;)+) => {
        /// Since the store was opened.
        #[derive(Debug, Default)]
        pub(super) struct Counts {$(pub(super) $name: AtomicU64,)+}

        impl Counts {
            pub(super) fn metrics(&self) -> Vec<Metric> {
                vec![$(Metric::counter($metric, $help, self.$name.load(Ordering::Relaxed)),)+]
            }
        }
    };
}

counts! {
    hits: "near_hits", "Reads that needed no trip";
    misses: "near_misses", "Reads of sessions that were not at hand";
    unbelieved: "near_unbelieved", "Reads of sessions at hand that no heartbeat vouched for";
    invalidations: "near_invalidations", "Sessions that Redis said had changed";
    passed_over: "near_passed_over", "Answers not kept, for something changed while they were under way";
    flushes: "near_flushes", "Times that everything was forgotten";
}

pub(super) fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
