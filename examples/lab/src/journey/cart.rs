//! Two tabs that write to one session at once.

use http::Method;
use serde_json::json;

use super::{Journey, wait_if_refused};
use crate::browser::Reply;

const ITEMS: &str = "items";
const INCREMENT: &str = "/values/items/increment";

impl Journey {
    /// Each tab puts an item of its own, and both then count it.
    pub(super) async fn fill_cart(&mut self, round: usize) {
        let [left, right] = ["left", "right"].map(|tab| format!("cart-{round}-{tab}"));
        let item = json!({ "article": self.dice.u32(1000..10_000), "pieces": self.dice.u8(1..10) });
        let [left_path, right_path] = [&left, &right].map(|key| format!("/values/{key}"));
        let (one, other) = tokio::join!(
            self.browser.send(Method::PUT, &left_path, Some(&item)),
            self.browser.send(Method::PUT, &right_path, Some(&item)),
        );
        wait_if_refused(&[&one, &other]).await;
        for (key, reply) in [(left, one), (right, other)] {
            self.note_put(key, &item, &reply);
        }
        self.count_items().await;
    }

    async fn count_items(&mut self) {
        let (one, other) = tokio::join!(
            self.browser.send(Method::POST, INCREMENT, None),
            self.browser.send(Method::POST, INCREMENT, None),
        );
        wait_if_refused(&[&one, &other]).await;
        for reply in [one, other] {
            self.note(&reply);
            self.note_increment(ITEMS, &reply);
        }
    }

    fn note_put(&mut self, key: String, item: &serde_json::Value, reply: &Reply) {
        self.note(reply);
        if reply.is_success() {
            self.tally.updates += 1;
            self.ledger.put(key, item.clone());
        }
    }
}
