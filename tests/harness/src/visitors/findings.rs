//! What should not have been seen.

use std::fmt;

/// How many of each are told in words.
const TOLD: usize = 20;

/// Broken promises, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Reads that showed less than was answered before they began.
    pub stale: usize,
    /// Sessions, and answered writes, that are not there.
    pub lost: usize,
    /// Sessions that are there though their end was answered.
    pub revived: usize,
    /// Writes that count though nobody sent them, or that count twice; answers that no server should give.
    pub odd: usize,
    words: Vec<String>,
}

/// One kind of them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Finding {
    Stale,
    Lost,
    Revived,
    Odd,
}

impl Findings {
    pub(super) fn add(&mut self, finding: Finding, words: String) {
        *match finding {
            Finding::Stale => &mut self.stale,
            Finding::Lost => &mut self.lost,
            Finding::Revived => &mut self.revived,
            Finding::Odd => &mut self.odd,
        } += 1;
        if self.words.len() < TOLD {
            self.words.push(format!("{finding:?}: {words}"));
        }
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.stale + self.lost + self.revived + self.odd == 0
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stale, lost, revived, odd, .. } = self;
        write!(f, "{stale} stale, {lost} lost, {revived} revived, {odd} odd")?;
        self.words.iter().try_for_each(|words| write!(f, "\n  {words}"))
    }
}
