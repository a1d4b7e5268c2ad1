//! Kills a real process at every step and looks at what is left. The child is this very test binary, started on an ignored test.

mod common;

use common::*;
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};
use touchstone_memory::{Body, Content, MemoryError, Store};
use touchstone_primitives::{
    H256,
    memory::{State, answer::Opened, namespace_id, tree},
};

const STEPS: &[&str] = &[
    "commit: begun",
    "commit: content",
    "commit: tree",
    "commit: durable",
    "commit: wiped",
    "anchor: seen",
    "anchor: noted",
    "anchor: pruned",
    "anchor: durable",
    "stage: log",
    "stage: content",
    "adopt: begun",
    "adopt: theirs",
    "adopt: ours",
    "adopt: content",
    "adopt: durable",
    "adopt: wiped",
];
const BLOCK: H256 = H256::repeat_byte(3);

fn note(folder: &Path, line: String) {
    let file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("told"));
    // One write: a line is there or not.
    file.unwrap()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
}

fn told(folder: &Path) -> Vec<(u64, String)> {
    let text = fs::read_to_string(folder.join("told")).unwrap_or_default();
    let lines = text.lines().map(|line| line.split_once(' ').unwrap());
    lines
        .map(|(version, text)| (version.parse().unwrap(), text.into()))
        .collect()
}

/// Commits `count` batches, noting each one after it was said to be stored; deletes, anchors and loses races along the way.
fn work(folder: &Path, count: u64, probe: touchstone_memory::Probe) {
    let store = Store::open_probed(&folder.join("memory.db"), Some(probe)).unwrap();
    let ns = namespace_id("topic");
    match store.create("topic", None) {
        Ok(_) | Err(MemoryError::NamespaceExists(_)) => {}
        Err(error) => panic!("{error}"),
    }
    for round in 0..count {
        let text = format!("text {} {round}", std::process::id());
        let (kept, gone) = (put(&ns, &text), put(&ns, "gone"));
        let removal = delete(&ns, &gone);
        let state = store.commit(&ns, &[kept, gone]).unwrap();
        note(folder, format!("{} {text}", state.version));
        let state = store.commit(&ns, &[removal]).unwrap();
        if round % 2 == 0 {
            store.set_anchored(&ns, state.version, BLOCK).unwrap();
        } else {
            lose_race(folder, &store, &ns);
        }
    }
}

/// Another contributor's write was anchored first.
fn lose_race(folder: &Path, store: &Store, ns: &H256) {
    // What an earlier process has staged may be for a race that is over.
    store.unstage(ns).unwrap();
    let base = store.namespace(ns).unwrap().anchored.map_or(0, |(v, _)| v);
    let text = format!("theirs {} {base}", std::process::id());
    let theirs = put(ns, &text);
    let key = theirs.write.key;
    let (state, proof) = store.prove(ns, &[key], Some(base)).unwrap();
    let nodes = Shown::of(&proof);
    let update = tree::update(&nodes, state.tree, &[(key, theirs.write.value)]).unwrap();
    let onto = State {
        version: base + 1,
        count: state.count + 1,
        tree: update.root,
        ..state
    };
    store
        .stage_log(ns, &[(onto.version, theirs.write.clone())])
        .unwrap();
    assert_eq!(store.missing(ns, 9).unwrap(), [key]);
    let Opened { id, salt, fragment } = theirs.content.unwrap();
    let content = Content {
        id,
        body: Body::Open { salt, fragment },
        vector: None,
    };
    assert_eq!(store.stage(ns, vec![content]).unwrap(), 1);
    let adopted = store.adopt(ns, &onto, BLOCK, None).unwrap();
    assert!(adopted.conflicts.is_empty());
    note(folder, format!("{} {text}", adopted.state.version));
}

/// The nodes that a proof shows: enough to add the leaf that it shows to be absent.
struct Shown(std::collections::BTreeMap<H256, tree::Node>);

impl Shown {
    fn of(proof: &tree::Proof) -> std::collections::BTreeMap<H256, tree::Node> {
        let mut shown = Self(Default::default());
        shown.read(&mut proof.0.iter());
        shown.0
    }

    fn read(&mut self, steps: &mut std::slice::Iter<'_, tree::Step>) -> H256 {
        let node = match *steps.next().unwrap() {
            tree::Step::Empty => return tree::EMPTY,
            tree::Step::Hash(hash) => return hash,
            tree::Step::Leaf(key, value) => tree::Node::Leaf(key, value),
            tree::Step::Branch => tree::Node::Branch(self.read(steps), self.read(steps)),
        };
        self.0.insert(node.hash(), node);
        node.hash()
    }
}

fn child(test: &str, folder: &Path, mode: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            test,
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
    let folder = std::env::var("TOUCHSTONE_FOLDER").unwrap();
    let folder = Path::new(&folder);
    match mode.split_once('#') {
        Some((step, nth)) => {
            let (step, nth) = (step.to_string(), nth.parse::<u64>().unwrap());
            let seen = AtomicU64::new(0);
            let probe = move |at: &'static str| {
                if at == step && seen.fetch_add(1, SeqCst) + 1 == nth {
                    // As kill -9 does it: nothing runs any more.
                    std::process::abort();
                }
            };
            work(folder, 10, Arc::new(probe));
        }
        None => work(folder, mode.parse().unwrap(), Arc::new(|_| ())),
    }
}

/// Opening checks that root and content agree; beyond that, everything that was said to be stored is there.
fn check(folder: &Path, what: &str) {
    let store = Store::open(&folder.join("memory.db")).unwrap_or_else(|e| panic!("{what}: {e}"));
    let ns = namespace_id("topic");
    let Ok((state, _)) = store.state(&ns, None) else {
        assert!(told(folder).is_empty(), "{what}");
        return;
    };
    let all = texts(&store, &ns);
    for (_, text) in told(folder) {
        assert!(all.contains(&text), "{what}: {text} is lost");
    }
    let mut unique = all.clone();
    unique.dedup_by(|a, b| a == b && a != "gone");
    assert_eq!(unique, all, "{what}: something is there twice");
    assert_eq!(state.count, all.len() as u64, "{what}");
    for entry in search(&store, &ns, "text theirs") {
        let proven = store.get(&ns, &[entry.id], None).unwrap();
        assert_eq!(proven.hits, [entry], "{what}");
    }
}

#[test]
fn a_crash_at_any_step_leaves_the_version_before_or_the_one_after() {
    for step in STEPS {
        for nth in [1, 3] {
            let folder = tempfile::tempdir().unwrap();
            let what = format!("{step}#{nth}");
            let crashed = !child("child_process", folder.path(), &what)
                .status()
                .unwrap()
                .success();
            assert!(crashed, "{what} is never reached");
            check(folder.path(), &what);
            let back = child("child_process", folder.path(), "3").status().unwrap();
            assert!(back.success(), "{what}: it does not come back");
            check(folder.path(), &what);
        }
    }
}

#[test]
fn kill_9_at_any_time_loses_nothing_that_was_said_to_be_stored() {
    let folder = tempfile::tempdir().unwrap();
    let seed = std::process::id();
    println!("seed {seed}");
    for round in 0..10u32 {
        let mut running = child("child_process", folder.path(), "1000000")
            .spawn()
            .unwrap();
        // At work first; then the moment at which it dies is what the test varies.
        let before = told(folder.path()).len();
        while told(folder.path()).len() <= before {
            assert!(
                running.try_wait().unwrap().is_none(),
                "it does not come back"
            );
            std::thread::yield_now();
        }
        let wait = seed.wrapping_mul(2_654_435_761).wrapping_add(round * 7919) % 150;
        std::thread::sleep(Duration::from_millis(u64::from(wait)));
        running.kill().unwrap();
        running.wait().unwrap();
        check(folder.path(), &format!("seed {seed}, round {round}"));
    }
    assert!(told(folder.path()).len() >= 10);
}

#[test]
fn a_full_disk_is_a_clear_error_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // The shell lets the child make no file larger than 1 MiB, and ignores the signal that comes with that.
    let mut command = Command::new("bash");
    command
        .args(["-c", "trap '' XFSZ; ulimit -S -f 1024; exec \"$@\"", "bash"])
        .arg(std::env::current_exe().unwrap())
        .args(["full_disk_process", "--exact", "--ignored", "--nocapture"])
        .env("TOUCHSTONE_FOLDER", folder.path());
    assert!(
        command.status().unwrap().success(),
        "the child did not see the error"
    );
    check(folder.path(), "full disk");
    assert!(!told(folder.path()).is_empty());
}

#[test]
#[ignore = "the process of a_full_disk_is_a_clear_error_and_loses_nothing"]
fn full_disk_process() {
    let Ok(folder) = std::env::var("TOUCHSTONE_FOLDER") else {
        return;
    };
    let folder = Path::new(&folder);
    let store = Store::open(&folder.join("memory.db")).unwrap();
    let ns = store.create("topic", None).unwrap();
    for round in 0..10_000 {
        let text = format!("text {round} {}", "x".repeat(8000));
        let batch = [put(&ns, &text)];
        match store.commit(&ns, &batch) {
            Ok(state) => note(folder, format!("{} {text}", state.version)),
            Err(error) => {
                assert!(matches!(error, MemoryError::NoSpace(_)), "{error:?}");
                // And again, since nobody made space.
                let again = store.commit(&ns, &batch).unwrap_err();
                assert!(matches!(again, MemoryError::NoSpace(_)), "{again:?}");
                // Somebody makes space: it goes on without a restart.
                let pid = std::process::id().to_string();
                let raised = Command::new("prlimit")
                    .args(["--pid", &pid, "--fsize=unlimited"])
                    .status();
                assert!(raised.unwrap().success());
                let state = store.commit(&ns, &batch).unwrap();
                note(folder, format!("{} {text}", state.version));
                return;
            }
        }
    }
    panic!("the disk is never full");
}
