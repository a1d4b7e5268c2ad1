use super::*;
use futures::executor::block_on;
use parking_lot::Mutex;
use touchstone_primitives::tagged_hash;

const NODE: NodeId = NodeId::new([8; 32]);
const COMMIT: Window = Window {
    first: 10,
    last: 20,
};
const REVEAL: Window = Window {
    first: 22,
    last: 30,
};

fn id() -> RoundId {
    RoundId {
        node: NODE,
        round: 7,
    }
}

fn commitment(posed: &H256, opening: &Opening) -> H256 {
    tagged_hash("test", &[posed.as_bytes(), &opening.salt, &opening.answer])
}

fn posed(slot: u8) -> H256 {
    H256::repeat_byte(slot + 1)
}

fn round(duties: u8) -> OpenRound {
    OpenRound {
        topic: 3,
        topic_name: "dates".into(),
        base: H256::zero(),
        adapter: None,
        round: 7,
        seed: H256::zero(),
        commit: COMMIT,
        reveal: REVEAL,
        duties: (0..duties)
            .map(|slot| Duty {
                posed: posed(slot),
                prompt: Some(format!("question {slot}")),
                max_tokens: 8,
            })
            .collect(),
        committed: None,
        revealed: Vec::new(),
    }
}

/// A record with answers in the first `answered` of `duties` slots.
fn record(duties: u8, answered: u8, stage: Stage) -> RoundRecord {
    let mut record = RoundRecord::new((0..duties).map(posed), REVEAL.last + 1);
    for (slot, (_, opening)) in record.duties.iter_mut().enumerate().take(answered.into()) {
        *opening = Some(Opening {
            salt: [slot as u8; 32],
            answer: vec![b'a'],
        });
    }
    record.stage = stage;
    record
}

fn decide(round: &OpenRound, record: &RoundRecord, now: u32) -> Action {
    next(round, record, &all(record), now)
}

fn all(record: &RoundRecord) -> Vec<H256> {
    let of = |(posed, opening): &(H256, Option<Opening>)| {
        opening
            .as_ref()
            .map_or(H256::zero(), |opening| commitment(posed, opening))
    };
    record.duties.iter().map(of).collect()
}

#[test]
fn a_sealed_duty_is_waited_for_until_commitments_begin() {
    let mut round = round(3);
    round.duties[2].prompt = None;
    let some = record(3, 2, Stage::Answering);
    assert_eq!(
        decide(&round, &record(3, 0, Stage::Answering), 8),
        Action::Answer(0)
    );
    assert_eq!(decide(&round, &some, COMMIT.first), Action::Wait);
    assert_eq!(decide(&round, &some, COMMIT.first + 1), Action::Seal);
    round.duties[2].prompt = Some("question 2".into());
    assert_eq!(decide(&round, &some, COMMIT.first), Action::Answer(2));
    // Nothing but sealed duties: there is nothing to commit to.
    round.duties.iter_mut().for_each(|duty| duty.prompt = None);
    assert_eq!(
        decide(&round, &record(3, 0, Stage::Answering), COMMIT.last),
        Action::Wait
    );
}

#[test]
fn answers_come_first_then_the_seal_then_the_commitment() {
    let open = round(2);
    assert_eq!(
        decide(&open, &record(2, 0, Stage::Answering), 5),
        Action::Answer(0)
    );
    assert_eq!(
        decide(&open, &record(2, 1, Stage::Answering), 5),
        Action::Answer(1)
    );
    assert_eq!(
        decide(&open, &record(2, 2, Stage::Answering), 5),
        Action::Seal
    );
    let sealed = record(2, 2, Stage::Sealed);
    assert_eq!(decide(&open, &sealed, 10), Action::Wait);
    assert_eq!(decide(&open, &sealed, 11), Action::Commit);
    assert_eq!(decide(&open, &sealed, 20), Action::Commit);
    assert_eq!(decide(&open, &sealed, 21), Action::Wait);
}

#[test]
fn what_is_answered_is_committed_to_before_the_window_closes() {
    let some = record(3, 1, Stage::Answering);
    assert_eq!(decide(&round(3), &some, 18), Action::Answer(1));
    assert_eq!(decide(&round(3), &some, 19), Action::Seal);
    // Without any answer there is nothing to commit to.
    assert_eq!(
        decide(&round(3), &record(3, 0, Stage::Answering), 20),
        Action::Answer(0)
    );
    assert_eq!(
        decide(&round(3), &record(3, 0, Stage::Answering), 21),
        Action::Wait
    );
}

#[test]
fn answers_are_revealed_only_in_their_window_and_only_those_that_are_open() {
    let sealed = record(3, 3, Stage::Sealed);
    let mut open = round(3);
    open.committed = Some(all(&sealed));
    assert_eq!(decide(&open, &sealed, 22), Action::Wait);
    assert_eq!(decide(&open, &sealed, 23), Action::Reveal(vec![0, 1, 2]));
    open.revealed = vec![0, 2];
    assert_eq!(decide(&open, &sealed, 30), Action::Reveal(vec![1]));
    assert_eq!(decide(&open, &sealed, 31), Action::Wait);
    open.revealed = vec![0, 1, 2];
    assert_eq!(decide(&open, &sealed, 25), Action::Wait);
}

#[test]
fn a_slot_without_an_answer_is_not_revealed() {
    let sealed = record(3, 2, Stage::Sealed);
    let mut open = round(3);
    open.committed = Some(all(&sealed));
    assert_eq!(decide(&open, &sealed, 23), Action::Reveal(vec![0, 1]));
}

#[test]
fn commitments_that_the_journal_cannot_open_are_lost() {
    let mut open = round(2);
    open.committed = Some(vec![H256::zero(); 2]);
    assert_eq!(
        decide(&open, &record(2, 0, Stage::Answering), 12),
        Action::Lost
    );
    assert_eq!(
        decide(&open, &record(2, 2, Stage::Sealed), 24),
        Action::Lost
    );
    let closed = Stage::Closed {
        ended: Ended::default(),
        at: 40,
    };
    assert_eq!(decide(&open, &record(2, 2, closed), 24), Action::Wait);
}

#[test]
fn what_another_fork_poses_is_answered_anew_and_the_rest_is_kept() {
    let sealed = record(2, 2, Stage::Sealed);
    let mut open = round(2);
    assert_eq!(aligned(Some(sealed.clone()), &open), sealed);
    open.duties[1].posed = posed(9);
    let new = aligned(Some(sealed.clone()), &open);
    assert_eq!(new.duties[0], sealed.duties[0]);
    assert_eq!(new.duties[1], (posed(9), None));
    assert_eq!(new.stage, Stage::Answering);
}

#[test]
fn a_long_answer_is_cut_between_characters() {
    assert_eq!(bounded("short".into()), "short");
    let long = format!("{}ü{}", "x".repeat(MAX_ANSWER - 1), "y".repeat(10));
    assert_eq!(bounded(long), "x".repeat(MAX_ANSWER - 1));
}

/// A chain with one round, a pool that includes at once, an engine that can be busy.
#[derive(Default)]
struct World {
    best: u32,
    round: Option<OpenRound>,
    ended: Option<Ended>,
    busy: bool,
    /// A second round, later than the first one, and whether the model of the first one is missing.
    other: Option<OpenRound>,
    lacks_model: bool,
    asked: Vec<(u32, bool)>,
    refuse: bool,
    sent: u32,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<World>>);

impl Shared {
    /// Questions that were asked, transactions that were sent.
    fn counts(&self) -> (usize, u32) {
        let world = self.0.lock();
        (world.asked.len(), world.sent)
    }
}

impl RoundsView for Shared {
    fn node(&self) -> Result<Option<NodeId>, String> {
        Ok(Some(NODE))
    }
    fn best(&self) -> u32 {
        self.0.lock().best
    }
    fn finalized(&self) -> u32 {
        self.best().saturating_sub(2)
    }
    fn open(&self, _: &NodeId) -> Result<Vec<OpenRound>, String> {
        let world = self.0.lock();
        Ok(world.round.iter().chain(&world.other).cloned().collect())
    }
    fn ended(&self, _: &RoundId, _: u32) -> Result<Option<Ended>, String> {
        Ok(self.0.lock().ended)
    }
    fn commitment(&self, _: &RoundId, posed: &H256, opening: &Opening) -> H256 {
        commitment(posed, opening)
    }
}

impl RoundsSender for Shared {
    async fn commit(&self, _: &RoundId, commitments: Vec<H256>) -> Result<(), String> {
        let mut world = self.0.lock();
        world.sent += 1;
        if world.refuse {
            return Err("full".into());
        }
        if let Some(round) = &mut world.round {
            round.committed = Some(commitments);
        }
        Ok(())
    }
    async fn reveal(&self, _: &RoundId, openings: Vec<(u32, Opening)>) -> Result<(), String> {
        let mut world = self.0.lock();
        world.sent += 1;
        if world.refuse {
            return Err("full".into());
        }
        if let Some(round) = &mut world.round {
            round
                .revealed
                .extend(openings.into_iter().map(|(slot, _)| slot));
        }
        Ok(())
    }
}

impl Answers for Shared {
    async fn answer(&self, round: &OpenRound, slot: u32, urgent: bool) -> Result<String, NoAnswer> {
        let mut world = self.0.lock();
        if world.lacks_model && round.round == id().round {
            return Err(NoAnswer::Later("no such model".into()));
        }
        if world.busy {
            return Err(NoAnswer::Later("users first".into()));
        }
        world.asked.push((slot, urgent));
        Ok(format!("answer {slot}"))
    }
}

fn runner(world: &Shared) -> (tempfile::TempDir, Runner<Shared, Shared, Shared>) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal"), H256::zero()).unwrap();
    let runner = Runner::new(
        Arc::new(journal),
        world.clone(),
        world.clone(),
        world.clone(),
    );
    (folder, runner)
}

fn at(world: &Shared, runner: &mut Runner<Shared, Shared, Shared>, best: u32) {
    world.0.lock().best = best;
    while block_on(runner.step()).unwrap() {}
}

#[test]
fn a_round_goes_from_duty_to_finality_and_leaves_the_journal() {
    let world = Shared::default();
    world.0.lock().round = Some(round(3));
    let (_folder, mut runner) = runner(&world);
    at(&world, &mut runner, 5);
    assert_eq!(world.0.lock().asked, [(0, false), (1, false), (2, false)]);
    assert_eq!(
        runner.journal.round(&id()).unwrap().unwrap().stage,
        Stage::Sealed
    );
    at(&world, &mut runner, 9);
    at(&world, &mut runner, 10);
    at(&world, &mut runner, 22);
    assert_eq!(world.0.lock().round.as_ref().unwrap().revealed, [0, 1, 2]);
    at(&world, &mut runner, 23);
    assert_eq!(world.0.lock().sent, 2);
    world.0.lock().round = None;
    at(&world, &mut runner, 40);
    assert!(!runner.journal.round(&id()).unwrap().unwrap().is_closed());
    let ended = Ended {
        right: 2,
        wrong: 1,
        ..Ended::default()
    };
    world.0.lock().ended = Some(ended);
    at(&world, &mut runner, 41);
    let closed = runner.journal.round(&id()).unwrap().unwrap();
    assert_eq!(closed.stage, Stage::Closed { ended, at: 39 });
    let counters = runner.counters();
    let counts = [
        &counters.duties,
        &counters.answered,
        &counters.committed,
        &counters.right,
        &counters.wrong,
        &counters.missed,
    ]
    .map(|count| count.load(Relaxed));
    assert_eq!(counts, [3, 3, 3, 2, 1, 0]);
    at(&world, &mut runner, 42 + KEEP_BLOCKS);
    assert_eq!(runner.journal.rounds().unwrap(), []);
}

#[test]
fn users_go_first_and_a_round_that_nobody_could_answer_counts_as_missed() {
    let world = Shared::default();
    *world.0.lock() = World {
        round: Some(round(2)),
        busy: true,
        ..World::default()
    };
    let (_folder, mut runner) = runner(&world);
    for best in [5, 12, 20, 25] {
        at(&world, &mut runner, best);
    }
    assert_eq!(world.counts(), (0, 0));
    world.0.lock().round = None;
    world.0.lock().ended = Some(Ended {
        missed: 2,
        ..Ended::default()
    });
    at(&world, &mut runner, 40);
    assert_eq!(runner.counters().missed.load(Relaxed), 2);
}

#[test]
fn a_round_that_cannot_be_answered_does_not_hold_up_another() {
    let world = Shared::default();
    let mut later = round(2);
    later.round = 8;
    later.commit.last += 1;
    *world.0.lock() = World {
        round: Some(round(2)),
        other: Some(later),
        lacks_model: true,
        ..World::default()
    };
    let (_folder, mut runner) = runner(&world);
    at(&world, &mut runner, 5);
    assert_eq!(world.0.lock().asked, [(0, false), (1, false)]);
    let other = RoundId { round: 8, ..id() };
    assert_eq!(
        runner.journal.round(&other).unwrap().unwrap().stage,
        Stage::Sealed
    );
    // It is answered as soon as the model is there.
    world.0.lock().lacks_model = false;
    at(&world, &mut runner, 6);
    assert_eq!(world.0.lock().asked.len(), 4);
}

#[test]
fn late_in_the_window_an_answer_is_urgent() {
    let world = Shared::default();
    world.0.lock().round = Some(round(1));
    let (_folder, mut runner) = runner(&world);
    at(&world, &mut runner, 16);
    assert_eq!(world.0.lock().asked, [(0, true)]);
}

#[test]
fn what_the_pool_refuses_is_sent_again_and_what_it_took_is_not_sent_at_every_block() {
    let world = Shared::default();
    world.0.lock().round = Some(round(1));
    world.0.lock().refuse = true;
    let (_folder, mut runner) = runner(&world);
    at(&world, &mut runner, 10);
    at(&world, &mut runner, 11);
    assert_eq!(world.0.lock().sent, 2);
    world.0.lock().refuse = false;
    at(&world, &mut runner, 12);
    // The block that held it is gone.
    world.0.lock().round.as_mut().unwrap().committed = None;
    for best in 13..12 + RESEND_AFTER {
        at(&world, &mut runner, best);
        assert_eq!(world.0.lock().sent, 3);
    }
    at(&world, &mut runner, 12 + RESEND_AFTER);
    assert_eq!(world.0.lock().sent, 4);
}

#[test]
fn with_a_lost_journal_nothing_is_committed_twice() {
    let world = Shared::default();
    let mut committed = round(2);
    committed.committed = Some(vec![H256::repeat_byte(1); 2]);
    world.0.lock().round = Some(committed);
    let (_folder, mut runner) = runner(&world);
    for best in [12, 13, 24] {
        at(&world, &mut runner, best);
    }
    assert_eq!(world.counts(), (0, 0));
    assert_eq!(runner.lost, [id()]);
}
