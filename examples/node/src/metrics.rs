//! Counters of abide's events, and what its store counts.

use std::fmt;

use abide::core::MetricKind;
use abide::{Event, Sessions};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    event: &'static str,
}

/// The counters of this process.
#[derive(Default)]
pub(crate) struct Metrics {
    events: Family<Labels, Counter>,
}

impl Metrics {
    pub(crate) fn count(&self, event: &Event) {
        self.events.get_or_create(&Labels { event: event.name() }).inc();
    }

    /// The whole page.
    pub(crate) fn text(&self, sessions: &Sessions) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("abide");
        registry.register("session_events", "What happened to sessions", self.events.clone());
        registry.sub_registry_with_prefix("store").register_collector(Box::new(Store(sessions.clone())));
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// What the store counts, read when somebody looks.
#[derive(Debug)]
struct Store(Sessions);

impl Collector for Store {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for metric in self.0.metrics() {
            let counter = ConstCounter::new(metric.value());
            let gauge = ConstGauge::new(i64::try_from(metric.value()).unwrap_or(i64::MAX));
            let figure: &dyn EncodeMetric =
                if metric.kind() == MetricKind::Counter { &counter } else { &gauge };
            figure.encode(encoder.encode_descriptor(
                metric.name(),
                metric.help(),
                None,
                figure.metric_type(),
            )?)?;
        }
        Ok(())
    }
}
