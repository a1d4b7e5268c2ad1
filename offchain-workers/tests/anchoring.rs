//! The anchorer against a chain that forks: whatever happens, each receipt ends up anchored once.

use parking_lot::Mutex;
use proptest::prelude::*;
use sp_core::Pair;
use std::{collections::HashMap, sync::Arc};
use touchstone_primitives::{
    H256, Moment, NodeId,
    apis::StreamHead,
    mailbox::{ANCHOR_SLOT, AnchorTask, decode_task},
    merkle,
    receipt::example,
    worker::WorkerPair,
};
use touchstone_workers::{
    AnchorLimits, Anchorer, ChainView, Journal, Mailbox, Plan, anchorer::Range,
};

const GENESIS: H256 = H256::repeat_byte(9);
const NODE: NodeId = NodeId::new([8; 32]);
const LIMITS: AnchorLimits = AnchorLimits {
    batch: 3,
    max_wait: 10,
    max_batch: 4,
    keep: Moment::MAX,
};

/// The best chain as the batches that it holds; the first `finalized` of them cannot be taken back.
#[derive(Default)]
struct Shared {
    batches: Vec<AnchorTask>,
    finalized: usize,
    now: Moment,
    slot: HashMap<Vec<u8>, Vec<u8>>,
}

#[derive(Clone, Default)]
struct World(Arc<Mutex<Shared>>);

fn head_of(batches: &[AnchorTask]) -> StreamHead {
    let next = |task: &AnchorTask| StreamHead {
        stream: task.stream,
        next: task.last + 1,
    };
    batches.last().map(next).unwrap_or_default()
}

impl World {
    fn best_head(&self) -> StreamHead {
        head_of(&self.0.lock().batches)
    }

    /// What the hook and the pallet do at a block: take what the mailbox asks for, if it follows.
    fn include(&self) -> bool {
        let mut shared = self.0.lock();
        let Some(task) = shared
            .slot
            .get(ANCHOR_SLOT)
            .and_then(|r| decode_task(r).ok())
        else {
            return false;
        };
        let head = head_of(&shared.batches);
        let place = (task.stream, task.first);
        let follows = place == (head.stream, head.next) || place == (head.stream + 1, 0);
        if follows {
            shared.batches.push(task);
        }
        follows
    }
}

impl ChainView for World {
    fn gateway(&self) -> Result<Option<NodeId>, String> {
        Ok(Some(NODE))
    }
    fn head(&self, _: &NodeId) -> Result<StreamHead, String> {
        Ok(self.best_head())
    }
    fn finalized_head(&self, _: &NodeId) -> Result<StreamHead, String> {
        let shared = self.0.lock();
        Ok(head_of(&shared.batches[..shared.finalized]))
    }
    fn now(&self) -> Result<Moment, String> {
        Ok(self.0.lock().now)
    }
}

impl Mailbox for World {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.lock().slot.get(key).cloned()
    }
    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.lock().slot.insert(key.into(), value.into());
    }
}

struct Gateway {
    _folder: tempfile::TempDir,
    world: World,
    journal: Arc<Journal>,
    anchorer: Anchorer<World, World>,
    pair: WorkerPair,
}

impl Gateway {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = Arc::new(Journal::open(&folder.path().join("journal"), GENESIS).unwrap());
        let world = World::default();
        let anchorer = Anchorer::new(journal.clone(), world.clone(), world.clone(), LIMITS);
        let pair = WorkerPair::from_seed(&[7; 32]);
        Self {
            _folder: folder,
            world,
            journal,
            anchorer,
            pair,
        }
    }

    fn answer(&self) -> H256 {
        let (pair, now) = (self.pair.clone(), self.world.0.lock().now);
        let build = move |stream, sequence| {
            let touchstone_primitives::receipt::Receipt::V1(mut receipt) =
                example::receipt(GENESIS, NODE, &pair, stream, sequence);
            receipt.wrapper.answered_at = now;
            Ok(touchstone_primitives::receipt::Receipt::V1(receipt))
        };
        self.journal
            .append(&NODE, self.world.best_head(), build)
            .unwrap()
            .id()
    }

    fn wait(&self, time: Moment) {
        self.world.0.lock().now += time;
    }

    fn batches(&self) -> Vec<(u32, u64, u64)> {
        let shared = self.world.0.lock();
        shared
            .batches
            .iter()
            .map(|b| (b.stream, b.first, b.last))
            .collect()
    }
}

#[test]
fn a_reorganisation_makes_the_same_batch_due_again() {
    let mut gateway = Gateway::new();
    (0..3).for_each(|_| _ = gateway.answer());
    let range = Range {
        stream: 0,
        first: 0,
        last: 2,
    };
    assert_eq!(gateway.anchorer.step().unwrap(), Plan::Anchor(range));
    assert!(gateway.world.include());
    gateway.answer();
    assert_eq!(gateway.anchorer.step().unwrap(), Plan::Idle);
    // The block is taken back.
    let taken = gateway.world.0.lock().batches.pop();
    assert_eq!(gateway.anchorer.step().unwrap(), Plan::Anchor(range));
    assert!(gateway.world.include());
    assert_eq!(gateway.world.0.lock().batches.pop(), taken);
}

#[test]
fn a_batch_under_way_does_not_change_when_receipts_arrive_or_the_mailbox_is_lost() {
    let mut gateway = Gateway::new();
    gateway.answer();
    assert_eq!(gateway.anchorer.step().unwrap(), Plan::Idle);
    gateway.wait(10);
    let range = Range {
        stream: 0,
        first: 0,
        last: 0,
    };
    assert_eq!(gateway.anchorer.step().unwrap(), Plan::Anchor(range));
    gateway.answer();
    assert_eq!(gateway.anchorer.step().unwrap(), Plan::Anchor(range));
    let published = &gateway.anchorer.counters().published;
    assert_eq!(published.load(std::sync::atomic::Ordering::Relaxed), 1);
    gateway.world.0.lock().slot.clear();
    assert!(matches!(
        gateway.anchorer.step().unwrap(),
        Plan::Anchor(Range { first: 0, .. })
    ));
    assert!(gateway.world.include());
}

#[test]
fn nothing_is_asked_for_in_the_name_of_another_gateway() {
    let mut gateway = Gateway::new();
    gateway.world.set(ANCHOR_SLOT, b"torn");
    assert_eq!(gateway.anchorer.step().unwrap(), Plan::Idle);
    (0..3).for_each(|_| _ = gateway.answer());
    gateway.anchorer.step().unwrap();
    let slot = gateway.world.get(ANCHOR_SLOT).unwrap();
    assert_eq!(decode_task(&slot).unwrap().node, NODE);
}

#[derive(Clone, Debug)]
enum Event {
    Answer,
    Wait(Moment),
    Step,
    Include,
    /// Takes back as many batches as are not final, at most this many.
    Fork(usize),
    Finalize,
    LoseMailbox,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Answer),
        1 => (0u64..20).prop_map(Event::Wait),
        4 => Just(Event::Step),
        3 => Just(Event::Include),
        1 => (1usize..3).prop_map(Event::Fork),
        1 => Just(Event::Finalize),
        1 => Just(Event::LoseMailbox),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn each_receipt_is_anchored_once_in_the_end(events in proptest::collection::vec(event(), 1..60)) {
        let mut gateway = Gateway::new();
        let mut given = Vec::new();
        for event in events {
            match event {
                Event::Answer => given.push(gateway.answer()),
                Event::Wait(time) => gateway.wait(time),
                Event::Step => _ = gateway.anchorer.step().unwrap(),
                Event::Include => _ = gateway.world.include(),
                Event::Fork(depth) => {
                    let mut shared = gateway.world.0.lock();
                    let left = shared.batches.len().saturating_sub(depth).max(shared.finalized);
                    shared.batches.truncate(left);
                }
                Event::Finalize => {
                    let mut shared = gateway.world.0.lock();
                    shared.finalized = shared.batches.len();
                }
                Event::LoseMailbox => gateway.world.0.lock().slot.clear(),
            }
        }
        gateway.wait(LIMITS.max_wait);
        while gateway.anchorer.step().unwrap() != Plan::Idle {
            prop_assert!(gateway.world.include(), "stuck after {:?}", gateway.batches());
        }
        // Batches follow each other without gaps, and their roots are over exactly what was given out.
        let mut next = 0;
        for task in &gateway.world.0.lock().batches {
            prop_assert_eq!((task.stream, task.first), (0, next));
            let (first, last) = (task.first as usize, task.last as usize);
            prop_assert_eq!(task.root, merkle::root(&given[first..=last]));
            next = task.last + 1;
        }
        prop_assert_eq!(next, given.len() as u64);
    }
}
