//! Kills a real process at every step and looks at what is left.
//!
//! The child is this very test binary, started on the ignored test `child_process`. It works as a gateway does: it appends
//! receipts, notes each one that it would now give to a client, and lets the anchorer publish batches that a pretended chain includes.

use sp_core::Pair;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};
use touchstone_primitives::{
    H256, Moment, NodeId,
    apis::StreamHead,
    mailbox::{ANCHOR_SLOT, AnchorTask, decode_task},
    merkle,
    receipt::{Receipt, example},
    worker::WorkerPair,
};
use touchstone_workers::{
    AnchorLimits, Anchorer, ChainView, Journal, JournalError, Mailbox, inspect, journal::Probe,
};

const GENESIS: H256 = H256::repeat_byte(9);
const NODE: NodeId = NodeId::new([8; 32]);
const STEPS: &[&str] = &[
    "append: begun",
    "append: signed",
    "append: stored",
    "append: durable",
    "anchor: planned",
    "anchor: published",
    "open stream: stored",
    "open stream: durable",
    "prune: stored",
    "prune: durable",
    "given",
    "included",
];

/// What the child leaves on disk beside the journal: a line for each receipt given out, one for each batch included.
struct World(PathBuf);

impl World {
    fn note(&self, file: &str, line: String) {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.0.join(file))
            .unwrap();
        // One write: a line is there or not.
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn give(&self, receipt: &Receipt) {
        let wrapper = receipt.wrapper();
        self.note(
            "given",
            format!("{} {} {:?}", wrapper.stream, wrapper.sequence, receipt.id()),
        );
    }

    fn lines(&self, file: &str) -> Vec<Vec<String>> {
        let text = fs::read_to_string(self.0.join(file)).unwrap_or_default();
        text.lines()
            .map(|line| line.split(' ').map(Into::into).collect())
            .collect()
    }

    fn head(&self) -> StreamHead {
        match self.lines("chain").last() {
            Some(line) => StreamHead {
                stream: line[0].parse().unwrap(),
                next: line[2].parse::<u64>().unwrap() + 1,
            },
            None => StreamHead::default(),
        }
    }

    /// What the pallet and its hook do.
    fn include(&self) {
        let Some(task) = self.get(ANCHOR_SLOT).and_then(|r| decode_task(&r).ok()) else {
            return;
        };
        let AnchorTask {
            stream,
            first,
            last,
            root,
            ..
        } = task;
        let head = self.head();
        let follows =
            (stream, first) == (head.stream, head.next) || (stream, first) == (head.stream + 1, 0);
        if follows {
            self.note("chain", format!("{stream} {first} {last} {root:?}"));
        }
    }

    fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }
}

impl ChainView for World {
    fn gateway(&self) -> Result<Option<NodeId>, String> {
        Ok(Some(NODE))
    }
    fn head(&self, _: &NodeId) -> Result<StreamHead, String> {
        Ok(World::head(self))
    }
    fn finalized_head(&self, _: &NodeId) -> Result<StreamHead, String> {
        Ok(World::head(self))
    }
    fn now(&self) -> Result<Moment, String> {
        // A clock that runs fast, so that pruning has its turn.
        Ok(1_800_000_000_000 + 4_000_000 * self.lines("given").len() as u64)
    }
}

impl Mailbox for World {
    fn get(&self, _: &[u8]) -> Option<Vec<u8>> {
        fs::read(self.0.join("slot")).ok()
    }
    fn set(&mut self, _: &[u8], value: &[u8]) {
        // Not durable and not atomic on purpose: the mailbox may be torn.
        fs::write(self.0.join("slot"), value).unwrap();
    }
}

fn limits(keep: Moment) -> AnchorLimits {
    AnchorLimits {
        batch: 2,
        max_wait: 0,
        max_batch: 3,
        keep,
    }
}

fn build(pair: WorkerPair) -> impl FnOnce(u32, u64) -> Result<Receipt, String> + Send {
    move |stream, sequence| Ok(example::receipt(GENESIS, NODE, &pair, stream, sequence))
}

/// Appends `count` receipts and anchors along the way.
fn work(folder: &Path, count: u64, keep: Moment, probe: Probe) {
    let world = || World(folder.into());
    let journal =
        Arc::new(Journal::open_probed(&world().journal(), GENESIS, Some(probe.clone())).unwrap());
    let mut anchorer = Anchorer::new(journal.clone(), world(), world(), limits(keep));
    let pair = WorkerPair::from_seed(&[7; 32]);
    anchorer.step().unwrap();
    for _ in 0..count {
        let receipt = journal
            .append(&NODE, World::head(&world()), build(pair.clone()))
            .unwrap();
        world().give(&receipt);
        probe("given");
        anchorer.step().unwrap();
        world().include();
        probe("included");
    }
}

fn child(folder: &Path, mode: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "child_process",
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("TOUCHSTONE_FOLDER", folder)
        .env("TOUCHSTONE_MODE", mode)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

#[test]
#[ignore = "the process that the other tests kill"]
fn child_process() {
    let Ok(mode) = std::env::var("TOUCHSTONE_MODE") else {
        return;
    };
    let folder = PathBuf::from(std::env::var("TOUCHSTONE_FOLDER").unwrap());
    match mode.split_once('#') {
        Some((step, nth)) => {
            let (step, nth) = (step.to_string(), nth.parse::<u64>().unwrap());
            let seen = AtomicU64::new(0);
            let keep = if step.starts_with("prune") {
                0
            } else {
                Moment::MAX
            };
            let probe = move |at: &'static str| {
                if at == step && seen.fetch_add(1, SeqCst) + 1 == nth {
                    std::process::abort();
                }
            };
            work(&folder, 12, keep, Arc::new(probe));
        }
        None => work(
            &folder,
            mode.parse().unwrap(),
            Moment::MAX,
            Arc::new(|_| ()),
        ),
    }
}

/// Nothing lost, nothing doubled: what every crash must leave.
fn check(folder: &Path, pruned: bool, what: &str) {
    let world = World(folder.into());
    if !world.journal().exists() {
        assert!(world.lines("given").is_empty(), "{what}");
        return;
    }
    let seen = inspect(&world.journal()).unwrap_or_else(|e| panic!("{what}: {e}"));
    let journal = Journal::open(&world.journal(), GENESIS).unwrap();
    assert_eq!(journal.check().unwrap(), seen, "{what}");
    let mut places = std::collections::BTreeSet::new();
    for line in world.lines("given") {
        let (stream, sequence) = (line[0].parse().unwrap(), line[1].parse().unwrap());
        assert!(
            places.insert((stream, sequence)),
            "{what}: {line:?} was given out twice"
        );
        match journal.receipt_at(&NODE, stream, sequence).unwrap() {
            Some(kept) => assert_eq!(format!("{:?}", kept.id()), line[2], "{what}"),
            None => assert!(pruned, "{what}: {line:?} is lost"),
        }
    }
    let mut next = (0, 0);
    for line in world.lines("chain") {
        let number = |at: usize| line[at].parse::<u64>().unwrap();
        let start = (number(0), number(1));
        assert!(
            start == next || start == (next.0 + 1, 0),
            "{what}: {line:?} after {next:?}"
        );
        next = (number(0), number(2) + 1);
        if let Some(ids) = journal
            .ids(&NODE, number(0) as u32, number(1), number(2))
            .unwrap()
        {
            assert_eq!(format!("{:?}", merkle::root(&ids)), line[3], "{what}");
        }
    }
}

/// Lets the gateway come back and finish: afterwards everything that was given out is anchored, once.
fn recover(folder: &Path, pruned: bool, what: &str) {
    let status = child(folder, "3").status().unwrap();
    assert!(status.success(), "{what}: it does not come back");
    let world = || World(folder.into());
    let journal = Arc::new(Journal::open(&world().journal(), GENESIS).unwrap());
    let mut anchorer = Anchorer::new(journal.clone(), world(), world(), limits(Moment::MAX));
    while journal.unanchored(&NODE, World::head(&world())).unwrap() > 0 {
        let head = World::head(&world());
        anchorer.step().unwrap();
        world().include();
        assert_ne!(World::head(&world()), head, "{what}: it is stuck");
    }
    drop((anchorer, journal));
    check(folder, pruned, what);
}

#[test]
fn a_crash_at_any_step_neither_loses_nor_doubles_anything() {
    for step in STEPS {
        for nth in [1, 2, 4] {
            let folder = tempfile::tempdir().unwrap();
            let what = format!("{step}#{nth}");
            let lost_journal = step.starts_with("open");
            if lost_journal {
                World(folder.path().into()).note("chain", format!("0 0 4 {:?}", H256::zero()));
            }
            let crashed = !child(folder.path(), &what).status().unwrap().success();
            // A stream is opened once in a run.
            assert!(
                crashed || (lost_journal && nth > 1),
                "{what} is never reached"
            );
            let pruned = step.starts_with("prune");
            check(folder.path(), pruned, &what);
            recover(folder.path(), pruned, &what);
            let given = World(folder.path().into()).lines("given");
            let stream = if lost_journal { "1" } else { "0" };
            assert!(
                given.iter().all(|line| line[0] == stream),
                "{what}: {given:?}"
            );
        }
    }
}

#[test]
fn kill_9_at_any_time_neither_loses_nor_doubles_anything() {
    let folder = tempfile::tempdir().unwrap();
    let seed = std::process::id();
    println!("seed {seed}");
    for round in 0..12u32 {
        let mut running = child(folder.path(), "1000000").spawn().unwrap();
        let wait = seed.wrapping_mul(2_654_435_761).wrapping_add(round * 7919) % 120;
        std::thread::sleep(Duration::from_millis(40 + u64::from(wait)));
        running.kill().unwrap();
        running.wait().unwrap();
        check(folder.path(), false, &format!("seed {seed}, round {round}"));
    }
    assert!(World(folder.path().into()).lines("given").len() > 10);
    recover(folder.path(), false, "in the end");
}

#[test]
fn a_full_disk_is_a_clear_error_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // A journal of some size first; then the shell lets the child make no file larger than that by much, and ignores the signal
    // that comes with it.
    let status = Command::new("bash")
        .args(["-c", "trap '' XFSZ; ulimit -S -f 2048; exec \"$@\"", "bash"])
        .arg(std::env::current_exe().unwrap())
        .args(["full_disk_process", "--exact", "--ignored", "--nocapture"])
        .env("TOUCHSTONE_FOLDER", folder.path())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(
        status.success(),
        "the child did not see the error that it should"
    );
    check(folder.path(), false, "full disk");
    assert!(!World(folder.path().into()).lines("given").is_empty());
    recover(folder.path(), false, "full disk");
}

#[test]
#[ignore = "the process of a_full_disk_is_a_clear_error_and_loses_nothing"]
fn full_disk_process() {
    let Ok(folder) = std::env::var("TOUCHSTONE_FOLDER") else {
        return;
    };
    let world = World(folder.into());
    let journal = Journal::open(&world.journal(), GENESIS).unwrap();
    let pair = WorkerPair::from_seed(&[7; 32]);
    let append = || journal.append(&NODE, StreamHead::default(), build(pair.clone()));
    for _ in 0..10_000 {
        match append() {
            Ok(receipt) => world.give(&receipt),
            Err(error) => {
                assert!(matches!(error, JournalError::NoSpace { .. }), "{error:?}");
                // And again, since nobody made space: never a panic, never a silent new file.
                // Opening the file again may free a page or two for some more receipts.
                let again = (0..100).find_map(|_| match append() {
                    Ok(receipt) => {
                        world.give(&receipt);
                        None
                    }
                    Err(again) => Some(again),
                });
                let again = again.expect("nobody made space");
                assert!(matches!(again, JournalError::NoSpace { .. }), "{again:?}");
                // Somebody makes space: it goes on without a restart.
                let pid = std::process::id().to_string();
                let raised = Command::new("prlimit")
                    .args(["--pid", &pid, "--fsize=unlimited"])
                    .status()
                    .unwrap();
                assert!(raised.success());
                world.give(&append().unwrap());
                return;
            }
        }
    }
    panic!("the disk is never full");
}
