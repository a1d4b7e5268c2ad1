//! Kills a real process at every step of a canary round and looks at what is left.
//!
//! The child is this very test binary, started on the ignored test `child_process`. It runs the canary runner against a pretended
//! chain in files: every block is a line, what is sent stands in a pool until the next block.

use sp_core::Pair;
use std::{
    collections::{BTreeMap, BTreeSet},
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
use touchstone_primitives::{H256, NodeId, tagged_hash, worker::WorkerPair};
use touchstone_workers::{
    Answers, Duty, Ended, Journal, NoAnswer, OpenRound, Opening, RoundId, RoundsSender, RoundsView,
    Runner, Window, inspect, journal::Probe,
};

const GENESIS: H256 = H256::repeat_byte(9);
/// Blocks from one round to the next.
const PERIOD: u32 = 12;
const SLOTS: u32 = 3;
const STEPS: &[&str] = &[
    "seen: stored",
    "seen: durable",
    "answer: begun",
    "answer: made",
    "answer: stored",
    "answer: durable",
    "seal: stored",
    "seal: durable",
    "commit: planned",
    "commit: sent",
    "committed: stored",
    "committed: durable",
    "reveal: planned",
    "reveal: sent",
    "close: stored",
    "close: durable",
    "block",
];

fn node() -> NodeId {
    NodeId::new(WorkerPair::from_seed(&[7; 32]).public().into_inner().0)
}

/// What the child leaves on disk beside the journal.
#[derive(Clone)]
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

    fn lines(&self, file: &str) -> Vec<Vec<String>> {
        let text = fs::read_to_string(self.0.join(file)).unwrap_or_default();
        text.lines()
            .map(|line| line.split(' ').map(Into::into).collect())
            .collect()
    }

    fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }

    /// Includes what was sent until now: the first commitment of a round, and answers that open it.
    fn block(&self) {
        self.note("blocks", self.lines("pool").len().to_string());
    }

    /// What the blocks hold: commitments by round, answers by round and slot.
    fn chain(&self) -> (BTreeMap<u32, String>, BTreeMap<(u32, u32), String>) {
        let included = self
            .lines("blocks")
            .last()
            .map_or(0, |line| line[0].parse().unwrap());
        let (mut commits, mut reveals) = (BTreeMap::new(), BTreeMap::new());
        for line in self.lines("pool").into_iter().take(included) {
            let round: u32 = line[1].parse().unwrap();
            if line[0] == "commit" {
                commits.entry(round).or_insert_with(|| line[2].clone());
            } else {
                let slot: u32 = line[2].parse().unwrap();
                let commitments: Vec<&str> = commits
                    .get(&round)
                    .map(|c: &String| c.split(',').collect())
                    .unwrap_or_default();
                assert_eq!(
                    commitments.get(slot as usize),
                    Some(&&*line[3]),
                    "an answer that nobody committed to"
                );
                reveals.insert((round, slot), line[3].clone());
            }
        }
        (commits, reveals)
    }
}

fn posed(round: u32, slot: u32) -> H256 {
    tagged_hash("test/posed", &[&round.to_le_bytes(), &slot.to_le_bytes()])
}

fn hash(posed: &H256, opening: &Opening) -> H256 {
    tagged_hash(
        "test/commit",
        &[posed.as_bytes(), &opening.salt, &opening.answer],
    )
}

impl RoundsView for World {
    fn node(&self) -> Result<Option<NodeId>, String> {
        Ok(Some(node()))
    }

    fn best(&self) -> u32 {
        self.lines("blocks").len() as u32
    }

    fn finalized(&self) -> u32 {
        self.best().saturating_sub(2)
    }

    fn open(&self, _: &NodeId) -> Result<Vec<OpenRound>, String> {
        let (commits, reveals) = self.chain();
        let round = self.best() / PERIOD;
        let start = round * PERIOD;
        Ok(vec![OpenRound {
            topic: 0,
            topic_name: String::new(),
            base: H256::zero(),
            adapter: None,
            round,
            seed: H256::zero(),
            commit: Window {
                first: start + 2,
                last: start + 6,
            },
            reveal: Window {
                first: start + 7,
                last: start + 11,
            },
            duties: (0..SLOTS)
                .map(|slot| Duty {
                    posed: posed(round, slot),
                    prompt: Some(String::new()),
                    max_tokens: 1,
                })
                .collect(),
            committed: commits.get(&round).map(|hashes| {
                hashes
                    .split(',')
                    .map(|hash| hash.parse().unwrap())
                    .collect()
            }),
            revealed: (0..SLOTS)
                .filter(|slot| reveals.contains_key(&(round, *slot)))
                .collect(),
        }])
    }

    fn ended(&self, id: &RoundId, _: u32) -> Result<Option<Ended>, String> {
        if self.finalized() < (id.round + 1) * PERIOD {
            return Ok(None);
        }
        let (commits, reveals) = self.chain();
        let all = (0..SLOTS).all(|slot| reveals.contains_key(&(id.round, slot)));
        assert!(all && commits.contains_key(&id.round));
        Ok(Some(Ended {
            right: SLOTS,
            ..Ended::default()
        }))
    }

    fn commitment(&self, _: &RoundId, posed: &H256, opening: &Opening) -> H256 {
        hash(posed, opening)
    }
}

impl RoundsSender for World {
    async fn commit(&self, id: &RoundId, commitments: Vec<H256>) -> Result<(), String> {
        let hashes: Vec<String> = commitments.iter().map(|hash| format!("{hash:?}")).collect();
        self.note("pool", format!("commit {} {}", id.round, hashes.join(",")));
        Ok(())
    }

    async fn reveal(&self, id: &RoundId, openings: Vec<(u32, Opening)>) -> Result<(), String> {
        for (slot, opening) in openings {
            let commitment = hash(&posed(id.round, slot), &opening);
            self.note("pool", format!("reveal {} {slot} {commitment:?}", id.round));
        }
        Ok(())
    }
}

impl Answers for World {
    async fn answer(&self, round: &OpenRound, slot: u32, _: bool) -> Result<String, NoAnswer> {
        let asked = self.lines("asked").len();
        self.note("asked", format!("{} {slot}", round.round));
        // Never the same twice: whoever asks again has another answer.
        Ok(format!("answer {asked} of {}", std::process::id()))
    }
}

fn work(folder: &Path, blocks: u64, probe: Probe) {
    let world = World(folder.into());
    let journal = Journal::open_probed(&world.journal(), GENESIS, Some(probe.clone())).unwrap();
    let mut runner = Runner::new(
        Arc::new(journal),
        world.clone(),
        world.clone(),
        world.clone(),
    );
    for _ in 0..blocks {
        while futures::executor::block_on(runner.step()).unwrap() {}
        world.block();
        probe("block");
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
            let probe = move |at: &'static str| {
                if at == step && seen.fetch_add(1, SeqCst) + 1 == nth {
                    std::process::abort();
                }
            };
            work(&folder, u64::from(PERIOD) * 3, Arc::new(probe));
        }
        None => work(&folder, mode.parse().unwrap(), Arc::new(|_| ())),
    }
}

/// What must hold after `crashes` kills, however they came: no two commitments to one round were ever sent, and every round that is
/// over is revealed.
fn check(folder: &Path, crashes: usize, what: &str) {
    let world = World(folder.into());
    inspect(&world.journal()).unwrap_or_else(|e| panic!("{what}: {e}"));
    let mut sent = BTreeMap::new();
    for line in world.lines("pool") {
        if line[0] == "commit" {
            let first = sent.entry(line[1].clone()).or_insert(line[2].clone());
            assert_eq!(
                *first, line[2],
                "{what}: round {} has two commitments",
                line[1]
            );
        }
    }
    let (commits, reveals) = world.chain();
    for round in 0..world.best() / PERIOD {
        assert!(
            commits.contains_key(&round),
            "{what}: round {round} is not committed"
        );
        for slot in 0..SLOTS {
            assert!(
                reveals.contains_key(&(round, slot)),
                "{what}: {round}/{slot} is not revealed"
            );
        }
    }
    let asked = world.lines("asked");
    let questions: BTreeSet<_> = asked.iter().collect();
    assert!(
        asked.len() - questions.len() <= crashes,
        "{what}: an answer that was kept is asked for again"
    );
}

#[test]
fn a_crash_at_any_step_neither_loses_a_reveal_nor_answers_twice() {
    for step in STEPS {
        for nth in [1, 2, 4] {
            let folder = tempfile::tempdir().unwrap();
            let what = format!("{step}#{nth}");
            let crashed = !child(folder.path(), &what).status().unwrap().success();
            // Some are reached once in a round, and there are three rounds.
            assert!(crashed || nth == 4, "{what} is never reached");
            let on = (PERIOD * 2).to_string();
            assert!(
                child(folder.path(), &on).status().unwrap().success(),
                "{what}"
            );
            check(folder.path(), usize::from(crashed), &what);
        }
    }
}

#[test]
fn kill_9_at_any_time_neither_loses_a_reveal_nor_answers_twice() {
    let folder = tempfile::tempdir().unwrap();
    let seed = std::process::id();
    println!("seed {seed}");
    let kills = 12u32;
    for kill in 0..kills {
        let mut running = child(folder.path(), "1000000").spawn().unwrap();
        let wait = seed.wrapping_mul(2_654_435_761).wrapping_add(kill * 7919) % 120;
        std::thread::sleep(Duration::from_millis(40 + u64::from(wait)));
        running.kill().unwrap();
        running.wait().unwrap();
        if World(folder.path().into()).journal().exists() {
            check(
                folder.path(),
                kills as usize,
                &format!("seed {seed}, kill {kill}"),
            );
        }
    }
    let on = (PERIOD * 2).to_string();
    assert!(child(folder.path(), &on).status().unwrap().success());
    check(
        folder.path(),
        kills as usize,
        &format!("seed {seed}, in the end"),
    );
}
