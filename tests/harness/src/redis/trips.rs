//! How many trips something takes, by the server's own count of what it read from its connections.

use super::Redis;

/// A heartbeat or another connection's end may fall into one attempt; hardly into all of them.
const ATTEMPTS: usize = 10;

impl Redis {
    /// How often the server read from a connection while something was done, beyond what the question itself takes: the
    /// least of ten attempts. A trip is one read, for requests that are small come whole.
    ///
    /// # Panics
    ///
    /// As [`cli`](Self::cli).
    pub async fn trips(&self, work: impl AsyncFn()) -> u64 {
        let (mut nothing, mut least) = (u64::MAX, u64::MAX);
        for _ in 0..ATTEMPTS {
            let before = self.reads().await;
            let between = self.reads().await;
            work().await;
            let after = self.reads().await;
            nothing = nothing.min(between - before);
            least = least.min(after - between);
        }
        least.saturating_sub(nothing)
    }

    async fn reads(&self) -> u64 {
        self.info("total_reads_processed").await.parse().expect("the server counts its reads")
    }
}
