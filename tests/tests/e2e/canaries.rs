//! Canary rounds on real engines, and what reputations come of them.

use codec::Encode;
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie};
use std::collections::{BTreeMap, BTreeSet};
use touchstone_client::{Chain, calls, calls::CanaryCall, submit::calls_in};
use touchstone_primitives::{
    NodeId,
    apis::RoundInfo,
    canary::{End, Phase, Windows},
};
use touchstone_tests::{
    council::motion,
    network::{FOUNDERS, Network},
    node::Setup,
    smollm2, specialist,
    wait::until,
};

/// The nodes of [`FOUNDERS`].
const STASHES: [Sr25519Keyring; 4] = [
    Sr25519Keyring::AliceStash,
    Sr25519Keyring::BobStash,
    Sr25519Keyring::CharlieStash,
    Sr25519Keyring::DaveStash,
];
/// Their members.
const FOUNDER_MEMBERS: [Sr25519Keyring; 4] = [Alice, Bob, Charlie, Sr25519Keyring::Dave];
/// Rounds of every topic that are waited for.
const ROUNDS: u32 = 2;
/// Long enough for a node to start again within them.
const WINDOWS: Windows = Windows {
    open: 8,
    commit: 12,
    reveal: 14,
};
/// A benchmark in the shape of GSM8K.
const BENCHMARK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/sums.jsonl");
/// Its answers end after one token.
const CRIPPLED: usize = 3;

/// Four validators with the real model; one of them cannot say more than a word.
async fn network(test: &str) -> Network {
    let mut network = Network::alone(test).await;
    let (model, adapter) = (smollm2(), specialist());
    for (number, name) in (1..).zip(FOUNDERS) {
        let arguments = format!(
            "--{name} --engine embedded --engine-threads 1 --engine-slots 1 --model smollm2={} --adapter arithmetic={}",
            model.display(),
            adapter.display()
        );
        let setup = Setup::new(name, number, "local").with(&arguments);
        network.add(match usize::from(number) == CRIPPLED + 1 {
            true => setup.with("--canary-tokens 1"),
            false => setup,
        });
    }
    for index in 0..FOUNDERS.len() {
        network.follow(index).await;
    }
    network.wait_for_finalized(0, 1, 240).await;
    network
}

fn node(index: usize) -> NodeId {
    STASHES[index].to_account_id()
}

/// Rounds of the best state that are in this phase in the next block.
async fn in_phase(chain: &Chain, phase: Phase) -> Option<Vec<RoundInfo>> {
    let at = chain.best().await.ok()?;
    let number = chain.header(at).await.ok()?.number;
    let rounds = chain.rounds(at).await.ok()?;
    Some(
        rounds
            .into_iter()
            .filter(|round| !round.settled && round.facts.phase(number + 1) == phase)
            .collect(),
    )
}

/// A round of [`WINDOWS`] that takes commitments, to which the node has committed.
async fn committed(chain: &Chain, node: &NodeId) -> u32 {
    until("the node commits", 240, async || {
        let at = chain.best().await.ok()?;
        let rounds = in_phase(chain, Phase::Committing).await?.into_iter();
        for round in rounds.filter(|round| round.facts.windows == WINDOWS) {
            if chain
                .commitments(round.facts.id, node, at)
                .await
                .ok()?
                .is_some()
            {
                return Some(round.facts.id);
            }
        }
        None
    })
    .await
}

/// Settled rounds in finalised state, oldest first, from `first` on.
async fn settled(chain: &Chain, first: u32) -> Option<Vec<RoundInfo>> {
    let at = chain.finalized().await.ok()?;
    let mut settled = Vec::new();
    for id in first.. {
        match chain.round(id, at).await.ok()? {
            Some(round) if round.settled => settled.push(round),
            Some(_) => {}
            None => break,
        }
    }
    Some(settled)
}

/// How a node's duties in a round ended.
async fn ends(chain: &Chain, round: u32, node: &NodeId) -> Vec<Option<End>> {
    let at = chain.finalized().await.expect("the node answers");
    let duties = chain
        .duties(round, node, at)
        .await
        .expect("the node answers");
    duties.into_iter().map(|duty| duty.end).collect()
}

/// Whether a duty was done, rightly or wrongly.
fn is_done(end: &Option<End>) -> bool {
    matches!(end, Some(End::Scored(_)))
}

/// That no final block holds two commitments of a node to a round, or two reveals of a slot.
async fn check_nothing_is_doubled(chain: &Chain) {
    let last = chain.finalized_number().await.expect("the node answers");
    let (mut commits, mut reveals, mut opened) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for number in 1..=last {
        let hash = chain.block_hash(number).await.expect("the node answers");
        let hash = hash.expect("final blocks are known");
        for call in calls_in(chain, hash).await.expect("blocks are readable") {
            match calls::canary(call) {
                Some(CanaryCall::Commit(node, round, _)) => {
                    assert!(
                        commits.insert((node.clone(), round)),
                        "{node} commits twice to {round}"
                    );
                }
                Some(CanaryCall::Reveal(node, round, answers)) => {
                    for answer in answers {
                        let place = (node.clone(), round, answer.slot);
                        assert!(
                            reveals.insert(place),
                            "{node} reveals {round}/{} twice",
                            answer.slot
                        );
                    }
                }
                Some(CanaryCall::Open(canary, part, ..)) => {
                    assert!(
                        opened.insert((canary, part.encode())),
                        "canary {canary} is opened twice"
                    );
                }
                None => {}
            }
        }
    }
}

/// What `touchstone reputation ranking --json` says, by topic and node: evidence and competence.
fn ranking(network: &Network) -> BTreeMap<(String, String), (f64, f64)> {
    let output = network.nodes[0].touchstone(&["reputation", "ranking", "--json"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let rows: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("the program writes JSON");
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse::<f64>().unwrap();
    rows.as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            (
                (text("topic"), text("node")),
                (number(&row["evidence"]), number(&row["competence"])),
            )
        })
        .collect()
}

/// The program with these arguments ends well; what it says.
fn succeeds(network: &Network, arguments: &[&str]) -> String {
    let output = network.nodes[0].touchstone(arguments);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{arguments:?}: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

/// Everything that rounds have left must fit together: a person can redo every number, and the crippled node is told apart.
async fn check_reputations(network: &Network, chain: &Chain, round: u32) {
    let at = chain.finalized().await.unwrap();
    let topics = chain.topics(at).await.unwrap();
    let examined = chain.canary_topics(at).await.unwrap();
    assert!(examined.len() >= 3, "three topics are examined");
    let ranking = ranking(network);
    let (mut healthy_sum, mut crippled_sum) = (0.0, 0.0);
    for examined in &examined {
        let topic = topics
            .iter()
            .find(|topic| topic.id == examined.topic)
            .unwrap();
        let topic = String::from_utf8(topic.name.clone()).unwrap();
        let of = |index: usize| {
            let row = ranking.get(&(topic.clone(), node(index).to_string()));
            *row.unwrap_or_else(|| panic!("no evidence of {} on {topic}", FOUNDERS[index]))
        };
        let healthy: Vec<(f64, f64)> = (0..CRIPPLED).map(of).collect();
        let (evidence, crippled) = of(CRIPPLED);
        println!(
            "{topic}: evidence {evidence:.3}, competences {healthy:.4?}, crippled {crippled:.4}"
        );
        assert!(evidence > 0.0 && healthy.iter().all(|(evidence, _)| *evidence > 0.0));
        healthy_sum += healthy
            .iter()
            .map(|(_, competence)| competence)
            .sum::<f64>();
        crippled_sum += crippled * healthy.len() as f64;
        for index in [0, CRIPPLED] {
            let node = node(index).to_string();
            let said = succeeds(
                network,
                &["reputation", "explain", "--check", &node, &topic],
            );
            assert!(said.contains("to the last digit"), "{said}");
        }
    }
    assert!(
        crippled_sum < healthy_sum,
        "{crippled_sum} is not below {healthy_sum}"
    );
    for index in [0, CRIPPLED] {
        let node = node(index).to_string();
        let said = succeeds(network, &["canary", "explain", &round.to_string(), &node]);
        assert!(said.contains("as the chain says"), "{said}");
        assert!(!succeeds(network, &["reputation", "vector", &node]).is_empty());
    }
    succeeds(network, &["canary", "list"]);
    succeeds(network, &["canary", "show", &round.to_string()]);
}

/// Registers tasks of the benchmark as canaries of a member; their numbers.
fn import(network: &Network, index: usize, member: &str, count: usize) -> Vec<u32> {
    let count = count.to_string();
    let output = network.nodes[index].touchstone(&[
        "canary",
        "import",
        "--topic",
        "arithmetic",
        "--file",
        BENCHMARK,
        "--count",
        &count,
        "--suri",
        member,
    ]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said: serde_json::Value = serde_json::from_str(&said).expect("the program writes JSON");
    let ids = said["canaries"].as_array().expect("a list").iter();
    ids.map(|id| id.as_u64().expect("a number") as u32)
        .collect()
}

/// Settled rounds with canaries of members.
fn with_authored(rounds: &[RoundInfo]) -> impl Iterator<Item = &RoundInfo> {
    rounds
        .iter()
        .filter(|round| !round.facts.authored.is_empty())
}

/// That every canary that was drawn was opened by the node that keeps it, one of which was killed meanwhile, and scored by the rules.
async fn check_authored(network: &Network, chain: &Chain, rounds: &[RoundInfo]) {
    let at = chain.finalized().await.unwrap();
    let (mut drawn, mut counted) = (0, 0);
    for round in with_authored(rounds) {
        let facts = &round.facts;
        for (place, (id, author)) in facts.authored.iter().enumerate() {
            let canary = chain.canary(*id, at).await.unwrap().expect("it is kept");
            let is_open = canary.task.is_some() && canary.checker.is_some();
            assert!(is_open, "canary {id} stayed sealed");
            let slot = usize::from(facts.rules.slots) + place;
            drawn += 1;
            let mut scored = 0;
            for index in 0..FOUNDERS.len() {
                let end = ends(chain, facts.id, &node(index)).await[slot];
                let is_own = FOUNDER_MEMBERS[index].to_account_id() == *author;
                assert!(!is_own || end == Some(End::Void), "{id}: {end:?}");
                scored += u32::from(is_done(&end));
            }
            counted += u32::from(scored > 0);
            println!("canary {id} of {author}: {scored} nodes scored");
        }
        for index in [0, CRIPPLED] {
            let node = node(index).to_string();
            let said = succeeds(
                network,
                &["canary", "explain", &facts.id.to_string(), &node],
            );
            assert!(said.contains("as the chain says"), "{said}");
        }
    }
    println!("{drawn} tasks of the benchmark were drawn and opened, {counted} of them counted");
    assert!(drawn > 0);
}

#[tokio::test]
async fn rounds_run_by_themselves_through_kills_and_reputations_tell_nodes_apart() {
    let mut network = network("canaries").await;
    let alice = network.chain(0).await;
    let windows = pallet_canaries::Call::set_windows { windows: WINDOWS };
    let set = motion(&alice, windows.into(), &[Alice, Bob, Charlie]).await;
    set.expect("the motion passes")
        .expect("the council may set windows");
    // Two members leave tasks of a benchmark with their nodes.
    let mine = import(&network, 0, "//Alice", 8);
    let theirs = import(&network, 1, "//Bob", 8);
    assert_eq!((mine.len(), theirs.len()), (8, 8));

    // One node is killed after it has committed, another one while it answers and again while it reveals: the journal has what
    // they need, and the first one's keeps the canaries that it has to open later.
    let round = committed(&alice, &node(1)).await;
    network.nodes[1].kill();
    network.restart(1).await;
    let while_answering = until("charlie takes on duties", 240, async || {
        let log = network.nodes[2].log();
        let rounds = in_phase(&alice, Phase::Committing).await?;
        let newest = rounds.last()?.facts.id;
        log.contains(&format!("round {newest} on "))
            .then_some(newest)
    })
    .await;
    network.nodes[2].kill();
    network.restart(2).await;
    let revealing = until("charlie reveals", 240, async || {
        let log = network.nodes[2].log();
        let mut rounds = while_answering..while_answering + 100;
        rounds.find(|round| log.contains(&format!("round {round}: sent answers")))
    })
    .await;
    network.nodes[2].kill();
    network.restart(2).await;

    let examined = {
        let at = alice.best().await.unwrap();
        alice.canary_topics(at).await.unwrap().len()
    };
    let rounds = until("every topic has settled rounds", 600, async || {
        let rounds = settled(&alice, 0).await?;
        let mut topics = BTreeMap::new();
        for round in &rounds {
            *topics.entry(round.facts.topic).or_insert(0) += 1;
        }
        let enough = topics.values().filter(|count| **count >= ROUNDS).count();
        let killed = rounds.iter().any(|round| round.facts.id >= revealing);
        let authored = with_authored(&rounds).next().is_some();
        (enough == examined && killed && authored).then_some(rounds)
    })
    .await;
    // Whoever was killed has revealed what it had committed to.
    for (round, index) in [(round, 1), (revealing, 2)] {
        let ends = ends(&alice, round, &node(index)).await;
        assert!(ends.iter().any(is_done), "round {round}: {ends:?}");
        assert!(
            !ends.contains(&Some(End::NotRevealed)),
            "round {round}: {ends:?}"
        );
    }
    check_nothing_is_doubled(&alice).await;
    check_authored(&network, &alice, &rounds).await;
    check_reputations(&network, &alice, rounds.last().unwrap().facts.id).await;
    network.check_finality().await;
}

#[tokio::test]
#[ignore = "thirty minutes of rounds"]
async fn rounds_run_by_themselves_for_half_an_hour() {
    let mut network = network("canaries-long").await;
    let alice = network.chain(0).await;
    let end = alice.best_number().await.unwrap() + 600;
    until("half an hour of blocks is final", 2_400, async || {
        (alice.finalized_number().await.ok()? >= end).then_some(())
    })
    .await;
    let at = alice.finalized().await.unwrap();
    // The newest settled round; old ones are forgotten.
    let next: u32 = alice
        .storage(
            &touchstone_client::chain::storage_key("Canaries", "NextRound"),
            at,
        )
        .await
        .unwrap()
        .unwrap();
    let mut newest = None;
    let (mut done, mut all) = (0, 0);
    for id in (0..next).rev() {
        match alice.round(id, at).await.unwrap() {
            None => break,
            Some(round) if !round.settled => continue,
            Some(_) => {}
        }
        newest.get_or_insert(id);
        for index in 0..CRIPPLED {
            let ends = ends(&alice, id, &node(index)).await;
            done += ends.iter().filter(|end| is_done(end)).count();
            all += ends.len();
        }
    }
    println!(
        "{next} rounds; healthy nodes have done {done} of {all} duties of those that are kept"
    );
    assert!(done * 10 > all * 9, "{done} of {all}");
    check_nothing_is_doubled(&alice).await;
    check_reputations(&network, &alice, newest.unwrap()).await;
    network.check_finality().await;
}
