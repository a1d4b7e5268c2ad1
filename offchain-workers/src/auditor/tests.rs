use super::*;
use crate::journal::Probe;
use futures::executor::block_on;
use parking_lot::Mutex;
use sp_core::Pair;
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicU32, Ordering::SeqCst},
};
use touchstone_primitives::{
    canary::Duty,
    request::{Message, Options, Role},
    worker::WorkerPair,
};

const GENESIS: H256 = H256::repeat_byte(7);
const AUDITOR: NodeId = NodeId::new([8; 32]);
/// Blocks of an epoch.
const EPOCH: u32 = 100;
const QUESTIONS: u8 = 10;

/// A chain that includes what is sent in the next block, and nodes that answer.
#[derive(Default)]
struct World {
    block: u32,
    /// Drawn on this fork.
    fork: u8,
    declared: BTreeMap<u32, AuditState>,
    opened: BTreeMap<u32, Vec<Entry>>,
    pool: Vec<(u32, Option<Vec<Entry>>)>,
    /// Block and place of every question that reached a node.
    asked: Vec<(u32, u8)>,
    /// Places whose node does not answer.
    silent: Vec<u8>,
    /// Places whose receipt proves nothing from this block on.
    spoilt: Vec<(u8, u32)>,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<World>>);

fn opened() -> AuditState {
    AuditState::Opened {
        counted: 0,
        right: 0,
        missing: 0,
        away: 0,
    }
}

impl World {
    fn epoch(&self) -> u32 {
        self.block / EPOCH
    }

    fn next_block(&mut self) {
        self.block += 1;
        for (epoch, entries) in std::mem::take(&mut self.pool) {
            match entries {
                None if epoch == self.epoch() + 1 => {
                    self.declared.entry(epoch).or_insert(AuditState::Declared);
                }
                Some(entries) if self.declared.get(&epoch) == Some(&AuditState::Declared) => {
                    self.declared.insert(epoch, opened());
                    self.opened.insert(epoch, entries);
                }
                _ => {}
            }
        }
    }
}

fn asked(epoch: u32, place: u8, fork: u8) -> Asked {
    // Even places are the same on every fork.
    let nonce = H256::repeat_byte(place * 20 + if place % 2 == 1 { fork } else { 0 });
    Asked {
        target: Target {
            node: NodeId::new([place % 3; 32]),
            duty: Duty {
                slot: place,
                instance: H256::zero(),
                shared: false,
                family: H256::zero(),
                level: 1,
                authored: None,
            },
            nonce,
        },
        request: Request {
            messages: vec![Message {
                role: Role::User,
                content: format!("question {place} of epoch {epoch}"),
            }],
            topic: Some("dates".into()),
            options: Options {
                max_tokens: 64,
                temperature_milli: 0,
                top_k: 40,
            },
            client_nonce: nonce,
        },
        since: 0,
    }
}

impl AuditsView for Shared {
    fn auditor(&self) -> Result<Option<NodeId>, String> {
        Ok(Some(AUDITOR))
    }
    fn best(&self) -> u32 {
        self.0.lock().block
    }
    fn clock(&self) -> Result<EpochClock, String> {
        let block = self.best();
        Ok(EpochClock {
            epoch: block / EPOCH,
            permille: block % EPOCH * 1_000 / EPOCH,
        })
    }
    fn may_declare(&self, _: &NodeId) -> Result<bool, String> {
        let world = self.0.lock();
        Ok(world.epoch() == 0 && !world.declared.contains_key(&1))
    }
    fn state(&self, _: &NodeId, epoch: u32) -> Result<Option<AuditState>, String> {
        Ok(self.0.lock().declared.get(&epoch).copied())
    }
    fn questions(&self, _: &NodeId, epoch: u32) -> Result<Vec<Asked>, String> {
        let world = self.0.lock();
        // The round opens in the third block.
        Ok(match world.block < epoch * EPOCH + 3 {
            true => Vec::new(),
            false => (0..QUESTIONS)
                .map(|place| asked(epoch, place, world.fork))
                .collect(),
        })
    }

    fn proves(&self, question: &Asked, _: &Entry) -> Result<bool, String> {
        let (world, place) = (self.0.lock(), question.target.duty.slot);
        let is_spoilt = |(of, from): &(u8, u32)| *of == place && *from <= world.block;
        Ok(!world.spoilt.iter().any(is_spoilt))
    }
}

impl AuditsSender for Shared {
    async fn declare(&self, _: &NodeId) -> Result<(), String> {
        let mut world = self.0.lock();
        let epoch = world.epoch() + 1;
        world.pool.push((epoch, None));
        Ok(())
    }
    async fn open(&self, _: &NodeId, epoch: u32, entries: Vec<Entry>) -> Result<(), String> {
        self.0.lock().pool.push((epoch, Some(entries)));
        Ok(())
    }
}

impl Peers for Shared {
    async fn ask(&self, question: &Asked) -> Result<Entry, String> {
        let mut world = self.0.lock();
        let block = world.block;
        world.asked.push((block, question.target.duty.slot));
        if world.silent.contains(&question.target.duty.slot) {
            return Err("busy".into());
        }
        Ok(Entry {
            place: question.target.duty.slot,
            worker: WorkerPair::from_seed(&[1; 32]).public(),
            receipt: question.request.hash().0.to_vec().try_into().unwrap(),
            answer: question.request.messages[0]
                .content
                .clone()
                .into_bytes()
                .try_into()
                .unwrap(),
        })
    }
}

fn auditor(journal: &Arc<Journal>, world: &Shared) -> Auditor<Shared, Shared, Shared> {
    Auditor::new(journal.clone(), world.clone(), world.clone(), world.clone())
}

fn work(auditor: &mut Auditor<Shared, Shared, Shared>) {
    while block_on(auditor.step()).unwrap() {}
}

fn journal(folder: &tempfile::TempDir, probe: Option<Probe>) -> Arc<Journal> {
    let path = folder.path().join("journal");
    Arc::new(Journal::open_probed(&path, GENESIS, probe).unwrap())
}

/// Runs to this block without interruption.
fn run_to(auditor: &mut Auditor<Shared, Shared, Shared>, world: &Shared, block: u32) {
    while world.0.lock().block < block {
        work(auditor);
        world.0.lock().next_block();
    }
    work(auditor);
}

#[test]
fn a_batch_is_declared_asked_all_over_the_epoch_and_opened() {
    let (folder, world) = (tempfile::tempdir().unwrap(), Shared::default());
    let journal = journal(&folder, None);
    run_to(&mut auditor(&journal, &world), &world, 2 * EPOCH + 10);
    let world = world.0.lock();
    let blocks: Vec<u32> = world.asked.iter().map(|(block, _)| block % EPOCH).collect();
    println!("ten questions in blocks {blocks:?} of an epoch of {EPOCH}");
    assert_eq!(blocks.len(), usize::from(QUESTIONS));
    assert!(blocks[0] >= 5 && blocks[9] >= 75 && blocks.windows(2).all(|two| two[1] - two[0] < 20));
    let places: Vec<u8> = world.opened[&1].iter().map(|entry| entry.place).collect();
    assert_eq!(places, (0..QUESTIONS).collect::<Vec<_>>());
    assert_eq!(world.declared.len(), 1);
}

#[test]
fn a_node_that_does_not_answer_is_asked_a_few_times_and_left_out() {
    let (folder, world) = (tempfile::tempdir().unwrap(), Shared::default());
    world.0.lock().silent = vec![4];
    let journal = journal(&folder, None);
    run_to(&mut auditor(&journal, &world), &world, 2 * EPOCH + 10);
    let world = world.0.lock();
    let tries = world.asked.iter().filter(|(_, place)| *place == 4).count();
    assert_eq!(tries, MAX_TRIES as usize);
    assert_eq!(world.asked.len(), 9 + MAX_TRIES as usize);
    let places: Vec<u8> = world.opened[&1].iter().map(|entry| entry.place).collect();
    assert_eq!(places, [0, 1, 2, 3, 5, 6, 7, 8, 9]);
}

#[test]
fn a_receipt_that_the_chain_would_refuse_spoils_no_batch() {
    let (folder, world) = (tempfile::tempdir().unwrap(), Shared::default());
    // The one of place 2 is worthless at once, the one of place 6 loses its force after it was given.
    world.0.lock().spoilt = vec![(2, 0), (6, 2 * EPOCH)];
    let journal = journal(&folder, None);
    run_to(&mut auditor(&journal, &world), &world, 2 * EPOCH + 10);
    let world = world.0.lock();
    let places: Vec<u8> = world.opened[&1].iter().map(|entry| entry.place).collect();
    println!("spoilt receipts at places 2 and 6: the batch is opened with {places:?}");
    assert_eq!(places, [0, 1, 3, 4, 5, 7, 8, 9]);
}

#[test]
fn nothing_is_asked_without_a_batch() {
    let (folder, world) = (tempfile::tempdir().unwrap(), Shared::default());
    world.0.lock().block = EPOCH;
    let journal = journal(&folder, None);
    run_to(&mut auditor(&journal, &world), &world, 3 * EPOCH);
    assert!(world.0.lock().asked.is_empty());
    assert!(world.0.lock().opened.is_empty());
}

#[test]
fn another_fork_asks_only_what_the_first_did_not() {
    let (folder, world) = (tempfile::tempdir().unwrap(), Shared::default());
    let journal = journal(&folder, None);
    let mut auditor = auditor(&journal, &world);
    run_to(&mut auditor, &world, 2 * EPOCH - 1);
    world.0.lock().block -= 10;
    world.0.lock().fork = 1;
    run_to(&mut auditor, &world, 2 * EPOCH + 10);
    let world = world.0.lock();
    let again: Vec<u8> = world.asked[10..].iter().map(|(_, place)| *place).collect();
    assert_eq!(again, [1, 3, 5, 7, 9]);
    let queries: Vec<Vec<u8>> = world.opened[&1]
        .iter()
        .map(|entry| entry.receipt.to_vec())
        .collect();
    let expected = (0..QUESTIONS).map(|place| asked(1, place, 1).request.hash().0.to_vec());
    assert_eq!(queries, expected.collect::<Vec<_>>());
}

#[test]
fn old_batches_leave_the_journal() {
    let (folder, world) = (tempfile::tempdir().unwrap(), Shared::default());
    let journal = journal(&folder, None);
    let mut auditor = auditor(&journal, &world);
    run_to(&mut auditor, &world, 5 * EPOCH + 1);
    assert!(journal.audit(&AUDITOR, 1).unwrap().is_some());
    run_to(&mut auditor, &world, 6 * EPOCH + 1);
    assert_eq!(journal.audit(&AUDITOR, 1).unwrap(), None);
}

/// Ends the process at the `at`-th step; where that was.
fn killed_at(at: u32) -> (Shared, Option<&'static str>) {
    let (folder, world) = (tempfile::tempdir().unwrap(), Shared::default());
    let (count, place) = (Arc::new(AtomicU32::new(0)), Arc::new(Mutex::new(None)));
    let probe: Probe = {
        let place = place.clone();
        Arc::new(move |step| {
            if count.fetch_add(1, SeqCst) == at {
                *place.lock() = Some(step);
                resume_unwind(Box::new(()));
            }
        })
    };
    loop {
        let journal = journal(&folder, Some(probe.clone()));
        let mut process = auditor(&journal, &world);
        let work = || run_to(&mut process, &world, 2 * EPOCH + 10);
        if catch_unwind(AssertUnwindSafe(work)).is_ok() {
            break;
        }
    }
    let place = *place.lock();
    (world, place)
}

#[test]
fn a_process_that_is_killed_at_any_step_loses_no_answer_and_asks_nothing_twice() {
    let (mut steps, mut at) = (BTreeMap::new(), 0);
    loop {
        let (world, place) = killed_at(at);
        let world = world.0.lock();
        let entries = &world.opened[&1];
        assert_eq!(entries.len(), usize::from(QUESTIONS), "killed at {place:?}");
        // Only a question that was on its way is put once more.
        let on_its_way = matches!(place, Some("pose: answered" | "answer kept: stored"));
        let expected = usize::from(QUESTIONS) + usize::from(on_its_way);
        assert_eq!(world.asked.len(), expected, "killed at {place:?}");
        let Some(place) = place else {
            break;
        };
        *steps.entry(place).or_insert(0) += 1;
        at += 1;
    }
    println!("killed {at} times: {steps:?}");
    assert!(steps.len() >= 9, "{steps:?}");
}
