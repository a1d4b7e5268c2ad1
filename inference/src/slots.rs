//! How many jobs may run and wait at a time, first come first served.

use crate::{EngineError, Load};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::{collections::VecDeque, time::Duration};

/// How often somebody who waits is asked whether to go on.
pub(crate) const ASK: Duration = Duration::from_millis(50);

/// A bounded number of places with a bounded queue in front of them.
pub(crate) struct Slots {
    slots: u32,
    queue: u32,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    active: u32,
    waiting: VecDeque<u64>,
    next_ticket: u64,
}

/// A place; dropping it gives it back.
pub(crate) struct Slot<'a>(&'a Slots);

impl Slots {
    /// At least one slot, whatever is asked for.
    pub(crate) fn new(slots: u32, queue: u32) -> Self {
        Self {
            slots: slots.max(1),
            queue,
            state: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Waits for a place, or fails at once when the queue is full.
    pub(crate) fn acquire(&self) -> Result<Slot<'_>, EngineError> {
        loop {
            if let Some(slot) = self.acquire_while(&mut || true)? {
                return Ok(slot);
            }
        }
    }

    /// Waits for a place as long as `go_on` says so, which is asked again and again; `None` if it says no. Fails at once when the
    /// queue is full.
    pub(crate) fn acquire_while(
        &self,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Slot<'_>>, EngineError> {
        let mut state = self.state.lock();
        if state.active < self.slots && state.waiting.is_empty() {
            state.active += 1;
            return Ok(Some(Slot(self)));
        }
        if state.waiting.len() >= self.queue as usize {
            let queued = state.waiting.len() as u32;
            return Err(EngineError::Busy {
                active: state.active,
                queued,
            });
        }
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push_back(ticket);
        while state.active >= self.slots || state.waiting.front() != Some(&ticket) {
            if !self.freed.wait_for(&mut state, ASK).timed_out() {
                continue;
            }
            // Not under the lock: whoever is asked may look at the load.
            let goes_on = MutexGuard::unlocked(&mut state, &mut *go_on);
            if !goes_on {
                state.waiting.retain(|t| *t != ticket);
                self.freed.notify_all();
                return Ok(None);
            }
        }
        state.waiting.pop_front();
        state.active += 1;
        self.freed.notify_all();
        Ok(Some(Slot(self)))
    }

    /// How many run and wait.
    pub(crate) fn load(&self) -> Load {
        let state = self.state.lock();
        Load {
            active: state.active,
            queued: state.waiting.len() as u32,
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.state.lock().active -= 1;
        self.0.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, mpsc};

    #[test]
    fn whoever_stops_waiting_leaves_the_queue_to_the_next() {
        let slots = Slots::new(1, 2);
        let first = slots.acquire().unwrap();
        std::thread::scope(|scope| {
            let gone = scope.spawn(|| slots.acquire_while(&mut || slots.load().queued < 2));
            while slots.load().queued == 0 {
                std::thread::yield_now();
            }
            let next = scope.spawn(|| slots.acquire());
            assert!(matches!(gone.join().unwrap(), Ok(None)));
            assert_eq!(
                slots.load(),
                Load {
                    active: 1,
                    queued: 1
                }
            );
            drop(first);
            assert!(next.join().unwrap().is_ok());
        });
        assert_eq!(slots.load(), Load::default());
    }

    #[test]
    fn places_are_given_in_order_of_arrival() {
        let slots = Arc::new(Slots::new(1, 3));
        let first = slots.acquire().unwrap();
        let (order, seen) = mpsc::channel();
        let threads: Vec<_> = (0..3)
            .map(|n| {
                let (slots, order) = (slots.clone(), order.clone());
                let waiting = slots.load().queued;
                let handle = std::thread::spawn({
                    let slots = slots.clone();
                    move || {
                        let _slot = slots.acquire().unwrap();
                        order.send(n).unwrap();
                    }
                });
                while slots.load().queued == waiting {
                    std::thread::yield_now();
                }
                handle
            })
            .collect();
        assert!(matches!(
            slots.acquire(),
            Err(EngineError::Busy {
                active: 1,
                queued: 3
            })
        ));
        drop(first);
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(slots.load(), Load::default());
    }
}
