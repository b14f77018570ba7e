//! Candidates for the hash of a verifier: 48 bytes in (label, key and secret), 16 bytes out.
//!
//! Each request with a session computes one, so its price is part of every read. What counts is the price without SHA
//! instructions too, for the library cannot choose its processor.

use std::hint::black_box;
use std::time::Instant;

use abide_core::Token;
use sha2::Digest as _;
use sha2_portable::Digest as _;

use crate::options::Hash;
use crate::report::median;

type Input = [u8; 48];
type Output = [u8; 16];

/// A candidate and how it is called.
struct Candidate {
    name: &'static str,
    hash: fn(&Input) -> Output,
}

static CANDIDATES: [Candidate; 5] = [
    Candidate { name: "BLAKE3, as abide-core has it (`pure`)", hash: blake3 },
    Candidate { name: "BLAKE2s", hash: blake2s },
    Candidate { name: "SHA-256, best of this processor", hash: sha256 },
    Candidate { name: "SHA-256, without SHA instructions", hash: sha256_portable },
    Candidate { name: "`Token::verifier` of abide-core", hash: verifier },
];

/// The time of one candidate.
pub(crate) struct Time {
    /// Its name.
    pub(crate) name: &'static str,
    /// Nanoseconds of one hash, the median of the rounds.
    pub(crate) nanos: f64,
}

/// Measures the candidates in interleaved rounds.
pub(crate) fn measure(options: &Hash) -> Vec<Time> {
    let mut rounds = vec![Vec::new(); CANDIDATES.len()];
    for _ in 0..options.rounds {
        for (times, candidate) in rounds.iter_mut().zip(&CANDIDATES) {
            times.push(nanos(candidate, options.hashes));
        }
    }
    let times = CANDIDATES.iter().zip(rounds);
    times.map(|(candidate, nanos)| Time { name: candidate.name, nanos: median(&nanos) }).collect()
}

fn nanos(candidate: &Candidate, hashes: u32) -> f64 {
    let mut input = [0xA5; 48];
    let started = Instant::now();
    for number in 0..hashes {
        input[44..].copy_from_slice(&number.to_le_bytes());
        black_box((candidate.hash)(black_box(&input)));
    }
    started.elapsed().as_secs_f64() * 1e9 / f64::from(hashes)
}

fn blake3(input: &Input) -> Output {
    first_half(blake3::hash(input).as_bytes())
}

fn blake2s(input: &Input) -> Output {
    use blake2::Digest as _;
    first_half(&blake2::Blake2s256::digest(input))
}

fn sha256(input: &Input) -> Output {
    first_half(&sha2::Sha256::digest(input))
}

fn sha256_portable(input: &Input) -> Output {
    first_half(&sha2_portable::Sha256::digest(input))
}

/// The whole step as the library takes it: label, key and secret into one block, then the hash.
fn verifier(input: &Input) -> Output {
    let (_, token) = input.split_at(16);
    let token = Token::from_bytes(token.try_into().expect("32 bytes are left"));
    *token.verifier().as_bytes()
}

fn first_half(hash: &[u8]) -> Output {
    hash[..16].try_into().expect("every candidate gives 32 bytes")
}
