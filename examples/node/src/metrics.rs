//! Counters of abide's events.

use std::fmt;

use abide::Event;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    event: &'static str,
}

pub(crate) struct Metrics {
    registry: Registry,
    events: Family<Labels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("abide");
        let events = Family::default();
        registry.register("session_events", "What happened to sessions", events.clone());
        Self { registry, events }
    }
}

impl Metrics {
    pub(crate) fn count(&self, event: &Event) {
        self.events.get_or_create(&Labels { event: event.name() }).inc();
    }

    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
