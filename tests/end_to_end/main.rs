//! The black box: real `node` processes, driven over HTTP as its users would.

mod races;
mod settings;
mod tokens;
