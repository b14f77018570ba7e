//! The laws of `abide-core`, held by random records that sequences of ordinary operations make.
//!
//! A failing case prints its smallest input and its seed, and runs first from then on. `PROPTEST_CASES=100000` looks
//! longer.
//!
//! | file | role |
//! |---|---|
//! | `script` | random histories of one session on several copies |
//! | `bytes` | encoded records taken apart and put together by hand |
//! | `laws` | the merge: associative, commutative, idempotent, and what a commit may do to it |
//! | `repeats` | the same changes committed again, later |
//! | `round_trip` | the codec on records, on damaged ones and on noise |
//! | `changes` | changes on the wire, whole, damaged and from a newer writer |
//! | `unknown_fields` | an old reader keeps what a new writer wrote |

mod bytes;
mod changes;
mod laws;
mod repeats;
mod round_trip;
mod script;
mod unknown_fields;
