//! Encrypted values: what is at rest, what is refused, rotation, key files.
//!
//! | file | role |
//! |---|---|
//! | `at_rest` | what the store behind holds |
//! | `damage` | values that do not decrypt |
//! | `rotation` | several keys |
//! | `key_file` | keys from a file |

mod at_rest;
mod damage;
mod key_file;
mod rotation;

use std::sync::Arc;

use abide::wrappers::{Encrypted, EncryptionKey, KeyRing};
use abide_memory::MemoryStore;

use crate::stage::{Requests as _, clock, memory_on, setting};

fn key(n: u8) -> EncryptionKey {
    EncryptionKey::from_bytes([n; 32])
}

/// A ring whose first key encrypts.
fn ring<const N: usize>(keys: [u8; N]) -> KeyRing {
    let mut keys = keys.map(key).into_iter();
    let first = KeyRing::new(keys.next().unwrap());
    keys.fold(first, KeyRing::and_decrypt_with)
}

/// Values encrypted under one key, and the store that holds them.
fn encrypted() -> (Encrypted, MemoryStore) {
    let memory = memory_on(&clock());
    (over(&memory, ring([1])), memory)
}

fn over(memory: &MemoryStore, keys: KeyRing) -> Encrypted {
    Encrypted::new(Arc::new(memory.clone()), keys)
}

/// What the store behind holds under a name.
async fn at_rest(memory: &MemoryStore, n: u8, name: &str) -> Vec<u8> {
    memory.held(n).await.record.value(name).unwrap().to_vec()
}

/// Puts bytes under a name, past the encryption.
async fn put(memory: &MemoryStore, n: u8, name: &str, bytes: &[u8]) {
    let held = memory.held(n).await;
    memory.merge(n, &setting(&held.record, name, bytes)).await.unwrap();
}
