//! The engine's own threads. They compute only while a forward pass runs, at a lower priority than the rest of the node, so
//! that authoring blocks never waits for an answer.

use parking_lot::{Mutex, MutexGuard};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering::*},
    },
    thread::{JoinHandle, Thread},
};

/// How often a thread without work looks for some before it sleeps: about 30 microseconds.
const SPINS: u32 = 2_000;

type Task<'a> = &'a (dyn Fn(usize) + Sync);

/// A fixed number of threads that share the tasks of one job at a time.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    busy: Mutex<()>,
}

struct Shared {
    /// Job number in the upper half, next task of that job in the lower. Odd job numbers mean that no job is open.
    ticket: AtomicU64,
    /// Points to a `Task` that lives as long as its job is open.
    task: AtomicPtr<Task<'static>>,
    tasks: AtomicUsize,
    done: AtomicUsize,
    panicked: AtomicBool,
    closing: AtomicBool,
    sleeping: AtomicUsize,
}

/// The right to use the pool; the calling thread works along.
pub(crate) struct Workers<'a> {
    pool: &'a Pool,
    _busy: MutexGuard<'a, ()>,
}

impl Pool {
    /// A pool in which `threads` threads compute, the caller among them.
    pub(crate) fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            ticket: AtomicU64::new(1 << 32),
            task: AtomicPtr::new(std::ptr::null_mut()),
            tasks: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            sleeping: AtomicUsize::new(0),
        });
        let helpers = (1..threads)
            .filter_map(|n| {
                let shared = shared.clone();
                let builder = std::thread::Builder::new().name(format!("engine-{n}"));
                // Without a helper the caller does its tasks too.
                builder.spawn(move || shared.help()).ok()
            })
            .collect();
        Self {
            shared,
            helpers,
            busy: Mutex::new(()),
        }
    }

    /// Waits until no other model computes.
    pub(crate) fn enter(&self) -> Workers<'_> {
        Workers {
            pool: self,
            _busy: self.busy.lock(),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.closing.store(true, SeqCst);
        for helper in self.helpers.drain(..) {
            helper.thread().unpark();
            let _ = helper.join();
        }
    }
}

impl Workers<'_> {
    /// How many threads compute.
    pub(crate) fn threads(&self) -> usize {
        self.pool.helpers.len() + 1
    }

    /// Calls `task` with every number below `tasks`, each once, and returns when all calls have.
    pub(crate) fn run(&self, tasks: usize, task: Task<'_>) {
        if tasks <= 1 || self.pool.helpers.is_empty() {
            (0..tasks).for_each(task);
            return;
        }
        let shared = &*self.pool.shared;
        // The pointer is used only by a thread that holds a ticket of this job, and this function returns only after
        // every ticket's task is done, so the borrow outlives each use.
        let mut task: Task<'static> =
            unsafe { std::mem::transmute::<Task<'_>, Task<'static>>(task) };
        let job = (shared.ticket.load(Relaxed) >> 32) + 1;
        shared.task.store(&mut task, SeqCst);
        shared.tasks.store(tasks, SeqCst);
        shared.done.store(0, SeqCst);
        shared.ticket.store(job << 32, SeqCst);
        if shared.sleeping.load(SeqCst) > 0 {
            self.pool
                .helpers
                .iter()
                .map(JoinHandle::thread)
                .for_each(Thread::unpark);
        }
        while shared.work() {}
        let mut spins = 0u32;
        while shared.done.load(Acquire) < tasks {
            spins += 1;
            if spins.is_multiple_of(SPINS) {
                std::thread::yield_now();
            }
            std::hint::spin_loop();
        }
        shared.ticket.store((job + 1) << 32, SeqCst);
        assert!(
            !shared.panicked.swap(false, SeqCst),
            "a task of the engine panicked"
        );
    }
}

impl Shared {
    /// Does one task of the open job; false if there is none.
    fn work(&self) -> bool {
        let ticket = self.ticket.load(SeqCst);
        let task = self.task.load(SeqCst);
        let tasks = self.tasks.load(SeqCst);
        let number = (ticket & u64::from(u32::MAX)) as usize;
        if (ticket >> 32) % 2 == 1 || number >= tasks {
            return false;
        }
        // Success proves that the job is still the one whose task and count were read: they change only between jobs.
        if self
            .ticket
            .compare_exchange(ticket, ticket + 1, SeqCst, Relaxed)
            .is_err()
        {
            return true;
        }
        let done = Done(self);
        (unsafe { *task })(number);
        drop(done);
        true
    }

    fn help(&self) {
        lower_priority();
        let mut idle = 0;
        while !self.closing.load(Relaxed) {
            if self.work() {
                idle = 0;
                continue;
            }
            idle += 1;
            if idle < SPINS {
                std::hint::spin_loop();
                continue;
            }
            self.sleeping.fetch_add(1, SeqCst);
            let ticket = self.ticket.load(SeqCst);
            let open = (ticket >> 32).is_multiple_of(2)
                && (ticket as u32 as usize) < self.tasks.load(SeqCst);
            if !open && !self.closing.load(SeqCst) {
                std::thread::park();
            }
            self.sleeping.fetch_sub(1, SeqCst);
            idle = 0;
        }
    }
}

/// Counts a task as done even when it panics, so that nobody waits for ever.
struct Done<'a>(&'a Shared);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.panicked.store(true, SeqCst);
        }
        self.0.done.fetch_add(1, Release);
    }
}

/// Makes the calling thread give way to the node's other threads. Only Linux knows priorities of single threads.
pub(crate) fn lower_priority() {
    #[cfg(target_os = "linux")]
    // Thread 0 is the calling one. Failure leaves the priority as it was, which is safe.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 5);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once_however_many_threads() {
        for threads in [1, 2, 5] {
            let pool = Pool::new(threads);
            for round in 0..2_000usize {
                let workers = pool.enter();
                let tasks = round % 37;
                let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                workers.run(tasks, &|n| {
                    counts[n].fetch_add(1, Relaxed);
                });
                assert!(counts.iter().all(|c| c.load(Relaxed) == 1), "round {round}");
            }
        }
    }
}
