//! `touchstone canary`: who is examined in what, rounds, and why a duty was scored as it was.

mod audits;
mod create;
mod sample;
mod tasks;

use crate::{
    Failure, Result,
    keys::Secret,
    output,
    reputation::{short, topic},
};
use clap::{Args, Subcommand};
use sp_core::H256;
use std::{collections::BTreeMap, path::PathBuf, time::Duration};
use tasks::ImportedTask;
use touchstone_checkers::Judge;
use touchstone_client::{
    Chain, Error, calls,
    submit::{Until, calls_in, submit},
    verify::Outcome as Mark,
};
use touchstone_primitives::{
    AccountId32, NodeId,
    apis::{CanaryInfo, DutyInfo, RoundInfo, TopicInfo},
    authored::{Part, seal},
    canary::{self, End, Outcome, Phase, Posed, Revealed},
    checkers::Verdict,
    generators,
};
use touchstone_rpc::{AskAnswer, AskRequest, InferenceClient, errors};

/// Look at canary rounds, redo their scores, and enrol nodes.
#[derive(Subcommand)]
pub enum Canary {
    List(List),
    Show(Show),
    Explain(Explain),
    Audits(audits::Audits),
    #[command(alias = "import")]
    Create(create::Create),
    Try(Try),
    Sample(sample::Sample),
    Enrol(Enrol),
    Leave(Leave),
}

/// Show what topics are examined in, who serves them, and the rounds that are not settled.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone canary list
  touchstone canary list --json | jq '.enrolments'")]
pub struct List {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Show a round: its windows, and how far every node is with its duties.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone canary show 12
  touchstone canary show 12 --json")]
pub struct Show {
    /// Number of the round.
    round: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Replay the score of a node's duties in a round: draw the tasks again from the round's seed, fetch the revealed answers from
/// the blocks, check them against the commitments and with the checkers, and compare with what the chain says.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone canary explain 12 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty
  touchstone canary explain 12 5FHn… --slot 3

Exit status: 1 when something differs.")]
pub struct Explain {
    /// Number of the round.
    round: u32,
    /// Account of the node.
    node: NodeId,
    /// Only the duty in this slot.
    #[arg(long)]
    slot: Option<u8>,
}

/// Ask the node of --url tasks that are drawn like canaries, or those of a JSONL file, and count how many answers are right.
/// Nothing of it reaches the chain.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone canary try addition 2
  touchstone canary try dates 1 --count 30 --model small+law
  touchstone canary try --file gsm8k.jsonl --count 50 --tokens 256

A file has a JSON object on each line, with `task` and `checker`; docs/canaries.md has the format. Lines of GSM8K can be used as they are. \
Queries and programs among the answers are run on this machine, in a process with little memory and time.")]
pub struct Try {
    /// Name of the family of tasks.
    #[arg(required_unless_present = "file")]
    family: Option<String>,
    /// Level, 1 to 5.
    #[arg(default_value_t = 1)]
    level: u8,
    /// Take the tasks from this file.
    #[arg(long, value_name = "FILE.jsonl", conflicts_with_all = ["family", "level"])]
    file: Option<PathBuf>,
    /// How many tasks.
    #[arg(long, default_value_t = 10)]
    count: usize,
    /// Most tokens of an answer.
    #[arg(long, default_value_t = canary::ANSWER_TOKENS)]
    tokens: u32,
    /// Model that answers; the node's first one if absent.
    #[arg(long)]
    model: Option<String>,
    /// Show every task and answer.
    #[arg(long)]
    verbose: bool,
}

/// Have a node serve a topic, from the second epoch after this one. Signed by the node's stash account.
///
/// A node that is enrolled already changes its model, which leaves it a part of its evidence.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone canary enrol arithmetic --key-file node.key
  touchstone canary enrol arithmetic --base 0x6c0f… --adapter 0x17ab… --key-file node.key")]
pub struct Enrol {
    /// Name or number of the topic.
    topic: String,
    /// Hash of the base model; default: that of the first model of the node of --url.
    #[arg(long, value_name = "HASH")]
    base: Option<H256>,
    /// Hash of the adapter; default: none.
    #[arg(long, value_name = "HASH")]
    adapter: Option<H256>,
    /// Key of the node's stash account.
    #[command(flatten)]
    signer: Secret,
}

/// Have a node serve a topic no longer, from the second epoch after this one. Until then it has its duties.
#[derive(Args)]
#[command(after_help = "Example:
  touchstone canary leave arithmetic --key-file node.key")]
pub struct Leave {
    /// Name or number of the topic.
    topic: String,
    /// Key of the node's stash account.
    #[command(flatten)]
    signer: Secret,
}

impl Canary {
    pub async fn run(self, chain: &Chain) -> Result<()> {
        match self {
            Self::List(list) => list.run(chain).await,
            Self::Show(show) => show.run(chain).await,
            Self::Explain(explain) => explain.run(chain).await,
            Self::Audits(audits) => audits.run(chain).await,
            Self::Create(create) => create.run(chain).await,
            Self::Try(tasks) => tasks.run(chain).await,
            Self::Sample(sample) => sample.run(),
            Self::Enrol(enrol) => enrol.run(chain).await,
            Self::Leave(leave) => leave.run(chain).await,
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn heading(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

fn name_of(topics: &[TopicInfo], id: u32) -> String {
    let topic = topics.iter().find(|topic| topic.id == id);
    topic.map_or(id.to_string(), |topic| text(&topic.name))
}

/// Where a round stands in the next block.
fn phase(round: &RoundInfo, best: u32) -> &'static str {
    match round.facts.phase(best.saturating_add(1)) {
        _ if round.settled => "settled",
        Phase::OpeningTasks => "opening tasks",
        Phase::Committing => "committing",
        Phase::OpeningCheckers => "opening checkers",
        Phase::Revealing => "revealing",
        Phase::Closed => "closed",
    }
}

impl List {
    async fn run(self, chain: &Chain) -> Result<()> {
        let at = chain.best().await?;
        let best = chain.header(at).await?.number;
        let names = chain.topics(at).await?;
        let topics = chain.canary_topics(at).await?;
        let enrolments = chain.enrolments(at).await?;
        let rounds = chain.rounds(at).await?;
        if self.json {
            let topics: Vec<_> = topics
                .iter()
                .map(|t| {
                    let families: Vec<_> = t
                        .families
                        .iter()
                        .map(|(name, level)| (text(name), level))
                        .collect();
                    serde_json::json!({
                        "topic": name_of(&names, t.topic), "families": families, "slots": t.slots,
                        "authored": t.authored, "waiting": t.waiting,
                        "nullRate": t.null_rate.to_string(),
                    })
                })
                .collect();
            let enrolments: Vec<_> = enrolments
                .iter()
                .map(|e| {
                    serde_json::json!({
                        "node": e.node, "topic": name_of(&names, e.topic), "base": e.base, "adapter": e.adapter,
                        "from": e.from, "until": e.until,
                    })
                })
                .collect();
            let rounds: Vec<_> = rounds
                .iter()
                .map(|r| {
                    serde_json::json!({
                        "round": r.facts.id, "topic": name_of(&names, r.facts.topic), "epoch": r.facts.epoch,
                        "phase": phase(r, best), "start": r.facts.start, "revealFrom": r.facts.reveal_from(),
                        "closedFrom": r.facts.closed_from(), "nodes": r.nodes,
                    })
                })
                .collect();
            return output::json(&serde_json::json!({
                "topics": topics, "enrolments": enrolments, "rounds": rounds,
            }));
        }
        println!("Topics that are examined");
        let mut rows = vec![heading(&[
            "  TOPIC",
            "DUTIES",
            "MEMBERS' CANARIES",
            "FAMILIES AND LEVELS",
        ])];
        for topic in &topics {
            let families: Vec<String> = topic
                .families
                .iter()
                .map(|(name, level)| format!("{} {level}", text(name)))
                .collect();
            rows.push(vec![
                format!("  {}", name_of(&names, topic.topic)),
                topic.slots.to_string(),
                format!("up to {}, {} wait", topic.authored, topic.waiting),
                families.join(", "),
            ]);
        }
        output::table(&rows);
        println!("\nWho serves them");
        let mut rows = vec![heading(&[
            "  TOPIC",
            "NODE",
            "SINCE EPOCH",
            "UNTIL",
            "BASE",
            "ADAPTER",
        ])];
        for enrolment in &enrolments {
            rows.push(vec![
                format!("  {}", name_of(&names, enrolment.topic)),
                enrolment.node.to_string(),
                enrolment.from.to_string(),
                enrolment
                    .until
                    .map(|epoch| epoch.to_string())
                    .unwrap_or_default(),
                format!("{:?}", enrolment.base),
                enrolment
                    .adapter
                    .map(|hash| format!("{hash:?}"))
                    .unwrap_or_default(),
            ]);
        }
        output::table(&rows);
        println!("\nRounds, at block {best}");
        let mut rows = vec![heading(&[
            "  ROUND",
            "TOPIC",
            "EPOCH",
            "PHASE",
            "REVEAL FROM",
            "CLOSED FROM",
            "NODES",
        ])];
        for round in &rounds {
            rows.push(vec![
                format!("  {}", round.facts.id),
                name_of(&names, round.facts.topic),
                round.facts.epoch.to_string(),
                phase(round, best).into(),
                round.facts.reveal_from().to_string(),
                round.facts.closed_from().to_string(),
                round.nodes.len().to_string(),
            ]);
        }
        output::table(&rows);
        Ok(())
    }
}

async fn round(chain: &Chain, id: u32, at: H256) -> Result<RoundInfo> {
    Ok(chain.round(id, at).await?.ok_or_else(|| {
        format!(
            "the chain has no round {id} any more; `touchstone canary list` shows the newest ones"
        )
    })?)
}

/// How a duty ended, in a word.
fn word(end: Option<End>) -> &'static str {
    match end {
        None => "open",
        Some(End::Scored(Outcome::Right)) => "right",
        Some(End::Scored(Outcome::Wrong(_))) => "wrong",
        Some(End::Scored(Outcome::Void) | End::Void) => "void",
        Some(End::NotCommitted) => "not committed",
        Some(End::NotRevealed) => "not revealed",
        Some(End::Absent) => "absent",
    }
}

impl Show {
    async fn run(self, chain: &Chain) -> Result<()> {
        let at = chain.best().await?;
        let best = chain.header(at).await?.number;
        let round = round(chain, self.round, at).await?;
        let names = chain.topics(at).await?;
        let mut nodes = Vec::new();
        for node in &round.nodes {
            let duties = chain.duties(self.round, node, at).await?;
            let committed = chain.commitments(self.round, node, at).await?.is_some();
            let revealed = chain.revealed(self.round, node, at).await?;
            nodes.push((node, duties, committed, revealed));
        }
        let facts = &round.facts;
        if self.json {
            let nodes: Vec<_> = nodes
                .iter()
                .map(|(node, duties, committed, revealed)| {
                    let duties: Vec<_> = duties
                        .iter()
                        .map(|duty| {
                            serde_json::json!({
                                "slot": duty.slot, "instance": duty.instance, "shared": duty.shared,
                                "canary": duty.canary,
                                "family": text(&duty.family), "level": duty.level, "prompt": text(&duty.prompt),
                                "worth": duty.worth.to_string(), "end": duty.end.map(|end| word(Some(end))),
                            })
                        })
                        .collect();
                    serde_json::json!({
                        "node": node, "committed": committed, "revealed": revealed, "duties": duties,
                    })
                })
                .collect();
            return output::json(&serde_json::json!({
                "round": facts.id, "topic": name_of(&names, facts.topic), "epoch": facts.epoch, "seed": facts.seed,
                "phase": phase(&round, best), "start": facts.start, "revealFrom": facts.reveal_from(),
                "closedFrom": facts.closed_from(), "settled": round.settled, "nodes": nodes,
            }));
        }
        println!(
            "Round {} on {}, epoch {}, {}: opened in block {}, answers are revealed from block {}, closed from block {}",
            facts.id,
            name_of(&names, facts.topic),
            facts.epoch,
            phase(&round, best),
            facts.start,
            facts.reveal_from(),
            facts.closed_from(),
        );
        let mut rows = vec![heading(&[
            "NODE",
            "COMMITTED",
            "REVEALED",
            "RIGHT",
            "WRONG",
            "MISSED",
            "VOID",
        ])];
        for (node, duties, committed, revealed) in &nodes {
            let count = |is: fn(&End) -> bool| {
                duties
                    .iter()
                    .filter_map(|duty| duty.end.as_ref())
                    .filter(|end| is(end))
                    .count()
                    .to_string()
            };
            rows.push(vec![
                node.to_string(),
                if *committed { "yes" } else { "no" }.into(),
                format!("{} of {}", revealed.len(), duties.len()),
                count(|end| *end == End::Scored(Outcome::Right)),
                count(|end| matches!(end, End::Scored(Outcome::Wrong(_)))),
                count(|end| matches!(end, End::NotCommitted | End::NotRevealed)),
                count(|end| matches!(end, End::Scored(Outcome::Void) | End::Void | End::Absent)),
            ]);
        }
        output::table(&rows);
        Ok(())
    }
}

/// What the blocks of a round hold of a node.
#[derive(Default)]
struct Sent {
    commitments: Option<Vec<H256>>,
    answers: BTreeMap<u8, Revealed>,
    /// Salt and content of the parts of members' canaries, by number and whether it is the checker.
    opened: BTreeMap<(u32, bool), ([u8; 32], Vec<u8>)>,
}

/// Reads the blocks of the round's windows.
async fn sent(chain: &Chain, round: &RoundInfo, node: &NodeId) -> Result<Sent> {
    let best = chain.best_number().await?;
    let facts = &round.facts;
    let mut sent = Sent::default();
    for number in facts.start..facts.closed_from().min(best.saturating_add(1)) {
        let Some(hash) = chain.block_hash(number).await? else {
            continue;
        };
        for call in calls_in(chain, hash).await? {
            match calls::canary(call) {
                Some(calls::CanaryCall::Commit(of, id, hashes))
                    if of == *node && id == facts.id =>
                {
                    // The first one counts.
                    sent.commitments.get_or_insert(hashes);
                }
                Some(calls::CanaryCall::Reveal(of, id, answers))
                    if of == *node && id == facts.id =>
                {
                    for answer in answers {
                        sent.answers.entry(answer.slot).or_insert(answer);
                    }
                }
                Some(calls::CanaryCall::Open(canary, part, salt, content)) => {
                    let place = (canary, part == Part::Checker);
                    sent.opened.entry(place).or_insert((salt, content));
                }
                _ => {}
            }
        }
    }
    Ok(sent)
}

impl Explain {
    async fn run(self, chain: &Chain) -> Result<()> {
        let at = chain.best().await?;
        let round = round(chain, self.round, at).await?;
        let node = &self.node;
        let info = chain.node(node, at).await?;
        let info = info.ok_or_else(|| {
            format!("there is no node {node}; `touchstone members` lists those there are")
        })?;
        let theirs = chain.duties(self.round, node, at).await?;
        if theirs.is_empty() {
            return Err(format!("{node} has no duties in round {}", self.round).into());
        }
        let sent = sent(chain, &round, node).await?;
        let mut wrong = 0u32;
        for duty in canary::duties(&round.facts, &info.member) {
            if self.slot.is_some_and(|slot| slot != duty.slot) {
                continue;
            }
            let their = theirs.iter().find(|their| their.slot == duty.slot);
            let canary = match &duty.authored {
                Some((id, _)) => chain.canary(*id, at).await?,
                None => None,
            };
            let replay = Replay {
                genesis: chain.genesis(),
                round: &round,
                node,
                group: &info.member,
                sent: &sent,
                differs: 0,
            };
            wrong = wrong.saturating_add(replay.run(&duty, canary.as_ref(), their));
        }
        if wrong > 0 {
            println!("{wrong} things differ from what the chain says.");
            return Err(Failure::Shown(1));
        }
        println!("Everything is as the chain says.");
        Ok(())
    }
}

/// Does a duty again, in front of the reader.
struct Replay<'a> {
    genesis: H256,
    round: &'a RoundInfo,
    node: &'a NodeId,
    group: &'a AccountId32,
    sent: &'a Sent,
    differs: u32,
}

impl Replay<'_> {
    fn line(&mut self, holds: bool, words: &str) {
        let mark = output::mark(if holds { Mark::Holds } else { Mark::Fails });
        println!("  {mark} {words}");
        self.differs = self.differs.saturating_add(u32::from(!holds));
    }

    /// What a member's canary poses, from what its author has opened in the blocks of the round.
    fn opened(&mut self, canary: &CanaryInfo) -> Option<Posed> {
        let mut part = |part: Part, sealed: H256| {
            let place = (canary.id, part == Part::Checker);
            let (salt, content) = self.sent.opened.get(&place)?.clone();
            let seal = seal(part, &self.genesis, &canary.author, &salt, &content);
            self.line(
                seal == sealed,
                &format!("the {part:?} is the one that was registered"),
            );
            Some(content)
        };
        let task = part(Part::Task, canary.sealed.task)?;
        let checker = part(Part::Checker, canary.sealed.checker);
        if checker.is_none() {
            println!("    {}", text(&task).replace('\n', "\n    "));
        }
        Posed::authored(&task, &checker?, canary.sealed.difficulty)
    }

    /// Prints a duty and its score; how many things differ from the chain.
    fn run(
        mut self,
        duty: &canary::Duty,
        canary: Option<&CanaryInfo>,
        their: Option<&DutyInfo>,
    ) -> u32 {
        let slot = duty.slot;
        match &duty.authored {
            Some((id, author)) => println!("Slot {slot}: canary {id} of member {author}"),
            None => println!(
                "Slot {slot}: {}, level {}{}",
                generators::family(&duty.family).map_or("unknown", |family| family.name),
                duty.level,
                if duty.shared {
                    ", the same for all groups"
                } else {
                    ""
                }
            ),
        }
        self.line(
            their.is_some_and(|their| their.instance == duty.instance),
            &format!("instance {:?}, drawn from the round's seed", duty.instance),
        );
        let posed = match canary {
            Some(canary) => self.opened(canary),
            None => Posed::procedural(duty),
        };
        if posed.is_none() && duty.authored.is_none() {
            self.line(false, "this program does not know the family; update it");
            return self.differs;
        }
        if let Some(posed) = &posed {
            println!("    {}", posed.task.prompt.replace('\n', "\n    "));
        }
        let commitment = self
            .sent
            .commitments
            .as_ref()
            .and_then(|hashes| hashes.get(usize::from(slot)))
            .copied();
        let mut outcome = None;
        if let Some(revealed) = self.sent.answers.get(&slot) {
            let opened = canary::commitment(
                &self.genesis,
                self.round.facts.id,
                &duty.instance,
                self.node,
                &revealed.salt,
                &revealed.answer,
            );
            let answer = text(&revealed.answer).replace('\n', "\n    > ");
            outcome = Some(match &posed {
                Some(posed) => canary::outcome(&posed.task, &revealed.answer),
                None => Outcome::Void,
            });
            self.line(
                commitment == Some(opened),
                "the answer is the one that was committed to",
            );
            println!("    > {answer}");
        }
        let end = End::of(commitment.as_ref(), outcome);
        let worth = their.map(|their| their.worth).unwrap_or_default();
        let is_own = duty
            .authored
            .as_ref()
            .is_some_and(|(_, author)| author == self.group);
        match their.and_then(|their| their.end) {
            Some(End::Void) if is_own => self.line(true, "its own group wrote it: no evidence"),
            // How many other groups passed it is in their reveals, not in this node's.
            Some(End::Void) if duty.authored.is_some() => self.line(
                true,
                "the chain judged that it does not count: not opened, or fewer than two other groups passed it",
            ),
            // The node was suspended or away: that is not in the blocks of the round.
            Some(given @ (End::Void | End::Absent)) if outcome.is_none() => {
                self.line(true, &format!("the chain excuses it: {}", word(Some(given))));
            }
            Some(given) => self.line(
                given == end,
                &format!("{}, worth {} now", word(Some(end)), short(worth)),
            ),
            None if outcome.is_some() => self.line(
                true,
                &format!("{}; the round is not settled", word(Some(end))),
            ),
            None => println!("    not revealed yet; the round is not settled"),
        }
        self.differs
    }
}

/// Asks, and waits where the node takes no more questions from one client for now.
async fn ask(chain: &Chain, request: &AskRequest) -> Result<AskAnswer> {
    loop {
        let asked = chain.client().ask(request.clone()).await;
        match asked.map_err(|e| Error::of("inference_ask", e)) {
            Err(error) if error.code() == Some(errors::RATE_LIMITED) => {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            other => return Ok(other?),
        }
    }
}

impl Try {
    async fn run(self, chain: &Chain) -> Result<()> {
        let (mut right, mut asked) = (0u32, 0u32);
        let judge =
            Judge::of_this_program().map_err(|e| format!("cannot find this program: {e}"))?;
        for ImportedTask { id, task } in self.tasks()? {
            let request = AskRequest {
                prompt: Some(task.prompt.clone()),
                model: self.model.clone(),
                max_tokens: Some(self.tokens),
                ..AskRequest::default()
            };
            let answer = ask(chain, &request).await?;
            let (verdict, reason) = judge
                .explain(&task.checker, answer.text.as_bytes())
                .map_err(|fault| format!("task {id}: {fault}"))?;
            asked = asked.saturating_add(1);
            right = right.saturating_add(u32::from(verdict == Verdict::Right));
            if self.verbose {
                let (prompt, answer) = (task.prompt, answer.text.trim());
                println!("{id}: {prompt}\n> {answer}\n  {verdict:?} {reason}");
            }
        }
        println!("{right} of {asked} right");
        Ok(())
    }

    fn tasks(&self) -> Result<Vec<ImportedTask>> {
        if let Some(path) = &self.file {
            let mut tasks = tasks::read(path)?;
            tasks.truncate(self.count);
            return Ok(tasks);
        }
        let name = self.family.as_deref().unwrap_or_default();
        let drawn = draw(name, self.level, self.count)?.into_iter().enumerate();
        let imported = |(number, task)| ImportedTask {
            id: format!("{name}-{}-{number}", self.level),
            task,
        };
        Ok(drawn.map(imported).collect())
    }
}

/// Tasks of a family that nobody has seen.
fn draw(name: &str, level: u8, count: usize) -> Result<Vec<generators::Task>> {
    let family = generators::named(name).ok_or_else(|| {
        let names: Vec<&str> = generators::families()
            .iter()
            .map(|family| family.name)
            .collect();
        format!(
            "there is no family \"{name}\"; there is {}",
            names.join(", ")
        )
    })?;
    let tasks: Option<Vec<_>> = (0..count)
        .map(|_| family.generate(level, &H256(rand::random())))
        .collect();
    Ok(tasks.ok_or("levels are 1 to 5".to_owned())?)
}

impl Enrol {
    async fn run(self, chain: &Chain) -> Result<()> {
        let (signer, at) = (self.signer.pair()?, chain.best().await?);
        let topic = topic(chain, &self.topic, at).await?;
        let base = match self.base {
            Some(base) => base,
            None => {
                let models = chain
                    .client()
                    .models()
                    .await
                    .map_err(|e| Error::of("inference_models", e))?;
                let first = models.first().map(|model| model.manifest.base);
                first.ok_or("this node serves no model; name one with --base".to_owned())?
            }
        };
        let call = calls::enrol(topic.id, base, self.adapter);
        let included = submit(chain, call, &signer, Until::Finalized).await?;
        output::json(&serde_json::json!({
            "topic": text(&topic.name), "base": base, "adapter": self.adapter, "block": included.block,
        }))
    }
}

impl Leave {
    async fn run(self, chain: &Chain) -> Result<()> {
        let (signer, at) = (self.signer.pair()?, chain.best().await?);
        let topic = topic(chain, &self.topic, at).await?;
        let included = submit(chain, calls::leave(topic.id), &signer, Until::Finalized).await?;
        output::json(&serde_json::json!({"topic": text(&topic.name), "block": included.block}))
    }
}
