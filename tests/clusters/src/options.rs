//! What the command is told.

use std::time::Duration;

use abide_clusters::Scenario;

/// Which scenarios to run, and how long they are.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) scenarios: Vec<Scenario>,
    /// How long things take does not count: the machine does something else as well.
    pub(crate) anyhow: bool,
}

impl Options {
    pub(crate) const USAGE: &'static str = "usage: clusters [--anyhow] [kills [TIMES]] [rolling [ROUNDS]] [pauses [SECONDS]] \
                                            [cuts [SECONDS]] [soak [MINUTES]]; without any: all but the soak";

    /// Reads the arguments: names of scenarios, each with how long it is where it is not as long as usual.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments.peekable();
        let mut scenarios = Vec::new();
        let anyhow = arguments.next_if_eq("--anyhow").is_some();
        while let Some(name) = arguments.next() {
            let length = arguments.next_if(|next| next.bytes().all(|byte| byte.is_ascii_digit()));
            let length = length.map(|number| number.parse().map_err(|error| format!("{number}: {error}")));
            scenarios.extend(named(&name, length.transpose()?)?);
        }
        if scenarios.is_empty() {
            let all = ["kills", "rolling", "pauses", "cuts"].map(|name| named(name, None));
            scenarios = all.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
        }
        Ok(Self { scenarios, anyhow })
    }

    pub(crate) fn needs_network(&self) -> bool {
        self.scenarios.iter().any(Scenario::needs_network)
    }

    /// Those that need no network, and how many do.
    pub(crate) fn without_network(self) -> (Self, usize) {
        let anyhow = self.anyhow;
        let (left, scenarios): (Vec<_>, Vec<_>) =
            self.scenarios.into_iter().partition(Scenario::needs_network);
        (Self { scenarios, anyhow }, left.len())
    }
}

/// The scenarios of a name. With a length of their own the pauses and the cuts are one each, shorter than an eviction or
/// longer.
fn named(name: &str, length: Option<u32>) -> Result<Vec<Scenario>, String> {
    let seconds = |usual: u64| Duration::from_secs(length.map_or(usual, u64::from));
    let times = |usual: usize| length.map_or(usual, |length| length as usize);
    Ok(match name {
        "kills" => vec![Scenario::Kills(times(50))],
        "rolling" => vec![Scenario::Rolling(times(3))],
        "pauses" if length.is_some() => vec![Scenario::Pause(seconds(5))],
        "pauses" => [5, 20].map(|pause| Scenario::Pause(Duration::from_secs(pause))).to_vec(),
        "cuts" => vec![
            Scenario::TwoAgainstOne(seconds(5)),
            Scenario::TwoAgainstOne(seconds(20)),
            Scenario::OneWay(seconds(20)),
            Scenario::OneLink(seconds(20)),
            Scenario::Flapping(seconds(60)),
        ],
        "soak" => vec![Scenario::Soak(Duration::from_secs(length.map_or(60, u64::from) * 60))],
        _ => return Err(format!("no scenario is called {name}")),
    })
}
