//! What a user was told that it has, compared with what is there.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Since the login, on top of the values that the session had then.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    puts: BTreeMap<String, Value>,
    counters: BTreeMap<&'static str, Counter>,
    before: Map<String, Value>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counter {
    acknowledged: i64,
    /// Asked for, and not answered: it may have counted.
    unanswered: i64,
}

/// What a look found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Balance {
    /// Acknowledged updates that are not there.
    pub(crate) missing: u64,
    /// How far counters are above all that was asked for.
    pub(crate) surplus: u64,
}

impl Ledger {
    pub(crate) fn from_values(before: Map<String, Value>) -> Self {
        Self { before, ..Self::default() }
    }

    pub(crate) fn put(&mut self, key: String, value: Value) {
        self.puts.insert(key, value);
    }

    pub(crate) fn incremented(&mut self, counter: &'static str) {
        self.counters.entry(counter).or_default().acknowledged += 1;
    }

    pub(crate) fn perhaps_incremented(&mut self, counter: &'static str) {
        self.counters.entry(counter).or_default().unanswered += 1;
    }

    /// What a counter shows at least.
    pub(crate) fn least(&self, name: &str) -> i64 {
        let acknowledged = self.counters.get(name).map_or(0, |counter| counter.acknowledged);
        number(&self.before, name) + acknowledged
    }

    pub(crate) fn settle(&self, values: &Map<String, Value>) -> Balance {
        let puts = self.puts.iter().filter(|(key, value)| values.get(key.as_str()) != Some(value)).count();
        let mut balance = Balance { missing: puts as u64, surplus: 0 };
        for (name, counter) in &self.counters {
            let above = number(values, name) - self.least(name);
            // What was there before the login is not this ledger's to miss.
            balance.missing += above.min(0).unsigned_abs().min(counter.acknowledged.unsigned_abs());
            balance.surplus += (above - counter.unanswered).max(0).unsigned_abs();
        }
        balance
    }
}

fn number(values: &Map<String, Value>, key: &str) -> i64 {
    values.get(key).and_then(Value::as_i64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn balance(ledger: &Ledger, found: Value) -> (u64, u64) {
        let Balance { missing, surplus } = ledger.settle(&values(found));
        (missing, surplus)
    }

    #[test]
    fn a_put_that_is_gone_or_another_is_missing() {
        let mut ledger = Ledger::default();
        ledger.put("a".into(), json!(1));
        ledger.put("b".into(), json!(2));
        assert_eq!(balance(&ledger, json!({ "a": 1, "b": 2, "c": 3 })), (0, 0));
        assert_eq!(balance(&ledger, json!({ "a": 1, "b": 7 })), (1, 0));
        assert_eq!(balance(&ledger, json!({})), (2, 0));
    }

    #[test]
    fn each_acknowledged_increment_counts_once() {
        let mut ledger = Ledger::default();
        ledger.incremented("n");
        ledger.incremented("n");
        assert_eq!(balance(&ledger, json!({ "n": 2 })), (0, 0));
        assert_eq!(balance(&ledger, json!({ "n": 1 })), (1, 0));
        assert_eq!(balance(&ledger, json!({ "n": 3 })), (0, 1));
    }

    #[test]
    fn an_unanswered_increment_may_have_counted_or_not() {
        let mut ledger = Ledger::default();
        ledger.incremented("n");
        ledger.perhaps_incremented("n");
        assert_eq!(balance(&ledger, json!({ "n": 1 })), (0, 0));
        assert_eq!(balance(&ledger, json!({ "n": 2 })), (0, 0));
        assert_eq!(balance(&ledger, json!({ "n": 3 })), (0, 1));
    }

    #[test]
    fn a_new_login_starts_from_what_is_there() {
        let mut ledger = Ledger::from_values(values(json!({ "n": 5 })));
        ledger.incremented("n");
        assert_eq!(ledger.least("n"), 6);
        assert_eq!(balance(&ledger, json!({ "n": 6 })), (0, 0));
        assert_eq!(balance(&ledger, json!({})), (1, 0));
    }
}
