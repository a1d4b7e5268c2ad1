//! Gives a failing server a rest.

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// Refuses calls for a while after several failures in a row; then lets one through to see.
pub(super) struct Breaker {
    failures: u32,
    rest: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    until: Option<Instant>,
    probing: bool,
}

/// The server rests.
#[derive(Debug)]
pub(super) struct Open {
    /// Failures in a row.
    pub failures: u32,
    /// When it is tried again, at the earliest.
    pub retry_in: Duration,
}

/// Permission for a call. Dropping it without a verdict leaves things as they were.
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    probe: bool,
}

impl Breaker {
    pub(super) fn new(failures: u32, rest: Duration) -> Self {
        Self {
            failures: failures.max(1),
            rest,
            state: Mutex::default(),
        }
    }

    pub(super) fn admit(&self) -> Result<Pass<'_>, Open> {
        let mut state = self.state.lock();
        let probe = state.until.is_some();
        if let Some(until) = state.until {
            let retry_in = until.saturating_duration_since(Instant::now());
            if state.probing || !retry_in.is_zero() {
                return Err(Open {
                    failures: state.failures,
                    retry_in,
                });
            }
            state.probing = true;
        }
        Ok(Pass {
            breaker: self,
            probe,
        })
    }
}

impl Pass<'_> {
    pub(super) fn succeeded(self) {
        let mut state = self.breaker.state.lock();
        // A call from before the rest says nothing about the server now.
        if self.probe || state.until.is_none() {
            (state.failures, state.until) = (0, None);
        }
    }

    pub(super) fn failed(self) {
        let mut state = self.breaker.state.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= self.breaker.failures {
            state.until = Some(Instant::now() + self.breaker.rest);
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.state.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_open_it_and_one_probe_decides() {
        let breaker = Breaker::new(2, Duration::from_millis(20));
        breaker.admit().unwrap().failed();
        breaker.admit().unwrap().succeeded();
        breaker.admit().unwrap().failed();
        let late = breaker.admit().unwrap();
        breaker.admit().unwrap().failed();
        late.succeeded();
        assert_eq!(breaker.admit().err().unwrap().failures, 2);

        std::thread::sleep(Duration::from_millis(25));
        let probe = breaker.admit().unwrap();
        assert!(breaker.admit().is_err());
        probe.failed();
        assert_eq!(breaker.admit().err().unwrap().failures, 3);

        std::thread::sleep(Duration::from_millis(25));
        drop(breaker.admit().unwrap());
        breaker.admit().unwrap().succeeded();
        let _both = (breaker.admit().unwrap(), breaker.admit().unwrap());
    }
}
