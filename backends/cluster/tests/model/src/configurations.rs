//! The configurations that are checked: the smallest in which something can go wrong, and larger ones for the command.

use crate::config::{Config, Kind};
use Kind::{Create, End, Read, Update, Write};

/// A configuration and what happens in it.
pub type Named = (&'static str, Config);

/// Those that are checked by every `make test`.
#[must_use]
pub fn small() -> Vec<Named> {
    vec![
        ("a write and an update", Config::one_view(&[Write, Update])),
        ("a write and a read", Config::one_view(&[Write, Read])),
        ("two updates", Config::one_view(&[Update, Update])),
        ("a write, an update and a read", Config::one_view(&[Write, Update, Read])),
        ("a creation and an end", Config::one_view(&[Create, End]).from_nothing()),
        ("a write while an owner is replaced", Config::two_views(&[Write])),
        ("an end while an owner is replaced", Config::two_views(&[End])),
        ("a write and an update while an owner is replaced", Config::two_views(&[Write, Update])),
        ("two updates while an owner is replaced", Config::two_views(&[Update, Update])),
        ("a write and an update while a third owner comes", Config::of(&[0b0011, 0b0111], &[Write, Update])),
    ]
}

/// Those that take minutes.
#[must_use]
pub fn larger() -> Vec<Named> {
    let back = [0b0111, 0b1110, 0b1101];
    let stay = [0b0111, 0b1110, 0b1110];
    vec![
        ("a write and a read, each twice", Config::one_view(&[Write, Read]).attempts(2)),
        ("a write and an update, each twice", Config::one_view(&[Write, Update]).attempts(2)),
        ("two updates, each twice", Config::one_view(&[Update, Update]).attempts(2)),
        ("two writes and a read", Config::one_view(&[Write, Write, Read])),
        ("a write and an end", Config::one_view(&[Write, End])),
        ("an update and an end", Config::one_view(&[Update, End])),
        ("a write and a read while an owner is replaced", Config::two_views(&[Write, Read])),
        ("an update and a read while an owner is replaced", Config::two_views(&[Update, Read])),
        ("a write while an owner goes and comes back", Config::of(&back, &[Write])),
        ("an update while an owner goes and comes back", Config::of(&back, &[Update])),
        ("an update in two views and one more", Config::of(&stay, &[Update])),
        (
            "a write and an update while a view changes nobody",
            Config::of(&[0b0111, 0b0111], &[Write, Update]),
        ),
        ("two updates while a view changes nobody", Config::of(&[0b0111, 0b0111], &[Update, Update])),
        (
            "two updates and a read while a view changes nobody",
            Config::of(&[0b0111, 0b0111], &[Update, Update, Read]),
        ),
        ("an end while an owner goes and comes back", Config::of(&back, &[End])),
        ("a write and an end while an owner is replaced", Config::two_views(&[Write, End])),
        (
            "a creation and an end while an owner is replaced",
            Config::two_views(&[Create, End]).from_nothing(),
        ),
    ]
}
