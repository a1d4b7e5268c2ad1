//! How much one client may ask: a bucket of requests for each, refilled steadily.

use crate::Refusal;
use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};
use touchstone_rpc::errors;

/// Who asks, as far as the door can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// Somebody at this address.
    Address(IpAddr),
    /// Somebody on this connection of the JSON-RPC server.
    Connection(usize),
    /// This node itself, for its duties in canary rounds.
    Canaries,
    /// All who cannot be told apart.
    Unknown,
}

/// Limits of the answering pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Questions that are answered at the same time.
    pub slots: usize,
    /// Questions that may wait; further ones are refused as busy.
    pub queue: usize,
    /// Questions that one client may ask in a minute, on average.
    pub per_minute: u32,
    /// Questions that one client may ask at once.
    pub burst: u32,
    /// Requests to memory that one client may make in a minute, on average; a quarter of that at once.
    pub memory_per_minute: u32,
    /// Most bytes of a namespace on this node.
    pub memory_bytes: u64,
    /// How long a client may leave an answer unread before it is cancelled.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            slots: 4,
            queue: 32,
            per_minute: 120,
            burst: 30,
            memory_per_minute: 12_000,
            memory_bytes: 16 << 30,
            patience: Duration::from_secs(10),
        }
    }
}

/// Most clients that are remembered; beyond that, those that asked for nothing lately are forgotten.
const MAX_CLIENTS: usize = 10_000;

/// A bucket for each client.
pub(crate) struct Rates {
    per_second: f64,
    burst: f64,
    clients: HashMap<Client, (f64, Instant)>,
}

impl Rates {
    pub(crate) fn per_minute(requests: u32, burst: u32) -> Self {
        Self {
            per_second: f64::from(requests.max(1)) / 60.0,
            burst: f64::from(burst.max(1)),
            clients: HashMap::new(),
        }
    }

    /// Takes one request from the client's bucket, or refuses it.
    pub(crate) fn admit(&mut self, what: &str, client: Client) -> Result<(), Refusal> {
        let allowed = self.take(client, Instant::now());
        allowed.map_err(|wait| {
            let message = format!(
                "at most {:.0} {what} a minute from one client; try again in {} s",
                self.per_second * 60.0,
                wait.as_secs().saturating_add(1)
            );
            Refusal::new(errors::RATE_LIMITED, message)
        })
    }

    /// Takes one request from the client's bucket; if it is empty, says how long to wait.
    pub(crate) fn take(&mut self, client: Client, now: Instant) -> Result<(), Duration> {
        if self.clients.len() >= MAX_CLIENTS && !self.clients.contains_key(&client) {
            self.forget_full(now);
            if self.clients.len() >= MAX_CLIENTS {
                return Err(Duration::from_secs(1));
            }
        }
        let (burst, per_second) = (self.burst, self.per_second);
        let (left, since) = self.clients.entry(client).or_insert((burst, now));
        let passed = now.saturating_duration_since(*since).as_secs_f64();
        *left = (*left + passed * per_second).min(burst);
        *since = now;
        if *left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - *left) / per_second));
        }
        *left -= 1.0;
        Ok(())
    }

    /// A full bucket is worth as much as none.
    fn forget_full(&mut self, now: Instant) {
        let (burst, per_second) = (self.burst, self.per_second);
        self.clients.retain(|_, (left, since)| {
            *left + now.saturating_duration_since(*since).as_secs_f64() * per_second < burst
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates() -> Rates {
        Rates::per_minute(60, 2)
    }

    #[test]
    fn a_client_may_ask_its_burst_and_then_at_its_rate() {
        let (mut rates, now) = (rates(), Instant::now());
        assert_eq!(rates.take(Client::Unknown, now), Ok(()));
        assert_eq!(rates.take(Client::Unknown, now), Ok(()));
        assert_eq!(
            rates.take(Client::Unknown, now),
            Err(Duration::from_secs(1))
        );
        assert_eq!(rates.take(Client::Connection(1), now), Ok(()));
        assert_eq!(
            rates.take(Client::Unknown, now + Duration::from_secs(1)),
            Ok(())
        );
        assert!(
            rates
                .take(Client::Unknown, now + Duration::from_secs(1))
                .is_err()
        );
    }

    #[test]
    fn memory_is_bounded_and_the_quiet_are_forgotten_first() {
        let (mut rates, now) = (rates(), Instant::now());
        for n in 0..MAX_CLIENTS {
            assert_eq!(rates.take(Client::Connection(n), now), Ok(()));
        }
        assert!(rates.take(Client::Unknown, now).is_err());
        assert_eq!(
            rates.take(Client::Unknown, now + Duration::from_secs(9)),
            Ok(())
        );
        assert!(rates.clients.len() < MAX_CLIENTS);
    }
}
