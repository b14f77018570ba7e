//! The suite is worth what it catches: stores that are broken on purpose, each with the cases that must fail on it.
//!
//! A mutant is the [simple store](simple) with one [flaw](flaw). Without a flaw it passes, and every case fails on at
//! least one mutant, so that no case is there for nothing.
//!
//! | file | role |
//! |---|---|
//! | `simple` | the smallest store that conforms: one map behind one lock |
//! | `flaw` | what may be wrong with it |
//! | `surgery` | records changed behind the contract's back |
//! | `caught` | each flaw, and the cases that catch it |
//! | `interleaved` | each flaw that a race can show, and within how many seeds the interleavings find it |
//! | `sentences` | each sentence of the contract, and the cases that hold it |

mod caught;
mod flaw;
mod interleaved;
mod sentences;
mod simple;
mod surgery;
