//! A case, how it passes and fails.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use abide_core::{Error, ErrorKind};

use crate::stage::Stage;
use crate::subject::Subject;

/// Why a case did not pass.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The store does not do what the case claims.
    Broken(String),
    /// The subject cannot be asked.
    Skipped(String),
}

impl Failure {
    pub(crate) fn broken(detail: impl Into<String>) -> Self {
        Self::Broken(detail.into())
    }
}

/// An operation that the case takes for granted failed.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Broken(format!("an operation that must succeed failed: {error}"))
    }
}

pub(crate) type Verdict = Result<(), Failure>;
pub(crate) type Running = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The store does what the case claims.
    Passed,
    /// It does not; what was found instead.
    Failed(String),
    /// The subject cannot be asked; why.
    Skipped(String),
}

/// One claim about every session store.
pub struct Case {
    pub(crate) name: &'static str,
    pub(crate) holds: &'static [&'static str],
    pub(crate) body: fn(Stage) -> Running,
}

impl Case {
    /// The claim.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The sentences of the contract that it holds: of the documentation of
    /// [`SessionStore`](abide_core::SessionStore) and its answers, or a row of the table of races.
    #[must_use]
    pub fn holds(&self) -> &'static [&'static str] {
        self.holds
    }

    /// Tries it on a fresh, empty store.
    pub async fn run(&self, subject: Subject) -> Outcome {
        match (self.body)(Stage::new(subject, self.name)).await {
            Ok(()) => Outcome::Passed,
            Err(Failure::Broken(detail)) => Outcome::Failed(detail),
            Err(Failure::Skipped(reason)) => Outcome::Skipped(reason),
        }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("holds", &self.holds).finish_non_exhaustive()
    }
}

/// A list of cases: a function each, with the sentences that it holds.
macro_rules! cases {
    ($($name:ident: $($sentence:literal),+;)+) => {
        pub(crate) const CASES: &[$crate::case::Case] = &[$($crate::case::Case {
            name: stringify!($name),
            holds: &[$($sentence),+],
            body: |stage| Box::pin($name(stage)),
        }),+];
    };
}

/// Fails the case unless the condition holds.
macro_rules! claim {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err($crate::case::Failure::broken(format!($($what)+)));
        }
    };
}

/// Fails the case unless both are equal.
macro_rules! claim_eq {
    ($found:expr, $expected:expr, $($what:tt)+) => {
        match (&$found, &$expected) {
            (found, expected) => {
                if *found != *expected {
                    let what = format!($($what)+);
                    let found = format!("{what}: found {found:?}, expected {expected:?}");
                    return Err($crate::case::Failure::broken(found));
                }
            }
        }
    };
}

pub(crate) use {cases, claim, claim_eq};

/// Fails the case unless the operation was refused as one of `kinds`.
pub(crate) fn refused<T>(answer: Result<T, Error>, kinds: &[ErrorKind], what: &str) -> Verdict {
    match answer {
        Err(error) if kinds.contains(&error.kind()) => Ok(()),
        Err(error) => Err(Failure::broken(format!("{what}: refused as {error:?}, expected {kinds:?}"))),
        Ok(_) => Err(Failure::broken(format!("{what}: accepted, expected {kinds:?}"))),
    }
}
