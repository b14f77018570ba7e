//! How often a server ran each command, by its own count.

use std::collections::BTreeMap;
use std::ops::Sub;

/// How often a server ran each command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls(BTreeMap<String, u64>);

impl Calls {
    /// Reads the section `commandstats` of `INFO`. Subcommands are named `client|info`.
    pub(super) fn of(info: &str) -> Self {
        Self(info.lines().filter_map(line).collect())
    }

    /// How often a command ran, named in lower case.
    #[must_use]
    pub fn of_command(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// How often any of these commands ran.
    #[must_use]
    pub fn of_commands(&self, names: &[&str]) -> u64 {
        names.iter().map(|name| self.of_command(name)).sum()
    }

    /// Each command that ran, with its count. Commands inside scripts count as well.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, calls)| (name.as_str(), *calls))
    }
}

/// What ran since an earlier count.
impl Sub<&Self> for Calls {
    type Output = Self;

    fn sub(self, earlier: &Self) -> Self {
        let since = self.0.into_iter().map(|(name, calls)| {
            let before = earlier.of_command(&name);
            (name, calls.saturating_sub(before))
        });
        Self(since.filter(|(_, calls)| *calls > 0).collect())
    }
}

/// `cmdstat_get:calls=21,usec=175,…`
fn line(line: &str) -> Option<(String, u64)> {
    let (name, figures) = line.trim_end().strip_prefix("cmdstat_")?.split_once(':')?;
    let calls = figures.split(',').find_map(|figure| figure.strip_prefix("calls="))?;
    Some((name.to_owned(), calls.parse().ok()?))
}
