//! Whether all is there that was acknowledged.

use http::Method;
use serde_json::{Map, Value};

use super::Journey;
use super::ledger::Ledger;

impl Journey {
    /// The values first, the session after: where a server is killed between the two, the view tells that the values were
    /// those of nobody.
    pub(super) async fn look(&mut self) {
        if let Some(values) = self.values().await {
            if self.view().await {
                self.settle(&values, false);
            }
        }
    }

    /// After a login that had to be made again: what became of the old session's values, and what the new one starts with.
    pub(super) async fn begin_again(&mut self, excused: bool) {
        if let Some(values) = self.values().await {
            self.settle(&values, excused);
            self.ledger = Ledger::from_values(values);
        }
    }

    async fn values(&mut self) -> Option<Map<String, Value>> {
        match self.ask_again(Method::GET, "/values", None).await.json()? {
            Value::Object(values) => Some(values),
            _ => None,
        }
    }

    fn settle(&mut self, values: &Map<String, Value>, excused: bool) {
        let balance = self.ledger.settle(values);
        if excused {
            self.tally.updates_killed += balance.missing;
            return;
        }
        self.tally.updates_lost += balance.missing;
        // A user who was thrown from server to server meets counters of earlier sessions again, which counted once.
        if self.tally.sessions_lost == self.tally.sessions_killed {
            self.tally.updates_twice += balance.surplus;
        }
    }
}
