//! Conditions with a time limit. No test waits for a fixed time.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(200);

/// Waits until `probe` gives something; fails after `limit` seconds.
pub async fn until<T>(what: &str, limit: u64, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(
            started.elapsed().as_secs() < limit,
            "waited {limit} s in vain until {what}"
        );
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Waits until `probe` holds; fails after `limit` seconds.
pub async fn until_true(what: &str, limit: u64, mut probe: impl AsyncFnMut() -> bool) {
    until(what, limit, async || probe().await.then_some(())).await;
}
