//! Whether the node does the duties that its enrolments oblige it to.

use super::Findings;
use crate::Result;
use std::collections::BTreeMap;
use touchstone_client::{Chain, Error, chain::storage_key};
use touchstone_primitives::{NodeId, canary::End};
use touchstone_rpc::InferenceClient;

/// How many of the newest settled rounds are looked at.
const ROUNDS: u32 = 12;

/// Checks enrolments against the engine, and the ends of the node's last duties.
pub(super) async fn check(findings: &mut Findings, chain: &Chain, node: &NodeId) -> Result<()> {
    let (part, at) = ("canaries", chain.finalized().await?);
    let enrolments = match chain.enrolments(at).await {
        Ok(enrolments) => enrolments,
        Err(e) => {
            findings.should(
                part,
                "enrolled",
                false,
                e.to_string(),
                "update the runtime, or this program",
            );
            return Ok(());
        }
    };
    let topics = chain.topics(at).await?;
    let name = |id: u32| {
        let topic = topics.iter().find(|topic| topic.id == id);
        topic.map_or(id.to_string(), |topic| {
            String::from_utf8_lossy(&topic.name).into_owned()
        })
    };
    let own: Vec<_> = enrolments
        .iter()
        .filter(|enrolment| enrolment.node == *node)
        .collect();
    let served: Vec<String> = own.iter().map(|enrolment| name(enrolment.topic)).collect();
    findings.should(
        part,
        "enrolled",
        !own.is_empty(),
        if own.is_empty() { "on no topic".into() } else { served.join(", ") },
        "a node earns reputation on topics that it serves: `touchstone canary enrol TOPIC --key-file node.key`",
    );
    let models = chain
        .client()
        .models()
        .await
        .map_err(|e| Error::of("inference_models", e))?;
    for enrolment in &own {
        let has = models.iter().any(|model| {
            let manifest = &model.manifest;
            manifest.base == enrolment.base
                && manifest.adapter == enrolment.adapter
                && model.state == "ready"
        });
        if !has {
            let detail = format!(
                "{}: base {:?}, adapter {:?} is not ready in this engine",
                name(enrolment.topic),
                enrolment.base,
                enrolment.adapter
            );
            findings.must(
                part,
                "enrolled model",
                false,
                detail,
                "start the node with what it is enrolled with (--model, --adapter), or enrol with what it has; until then every duty is missed",
            );
        }
    }
    if own.is_empty() {
        return Ok(());
    }
    let (rounds, ends) = last_ends(chain, node).await?;
    let count = |words: &[&str]| words.iter().filter_map(|word| ends.get(word)).sum::<u32>();
    let (missed, all) = (count(&["missed"]), ends.values().sum::<u32>());
    let detail = format!(
        "{} right, {} wrong, {missed} missed, {} without evidence in the last {rounds} rounds",
        count(&["right"]),
        count(&["wrong"]),
        count(&["void"]),
    );
    let fix = "the log says why (target `canaries`): no time (give the engine more threads, or leave a topic), no model, or the node was \
               away; a missed duty counts as a wrong answer";
    if missed > all / 4 {
        findings.must(part, "duties", false, detail, fix);
    } else {
        findings.should(part, "duties", missed == 0, detail, fix);
    }
    Ok(())
}

/// How the node's duties ended in the newest settled rounds, and how many rounds that are.
async fn last_ends(chain: &Chain, node: &NodeId) -> Result<(u32, BTreeMap<&'static str, u32>)> {
    let at = chain.finalized().await?;
    let next: u32 = chain
        .storage(&storage_key("Canaries", "NextRound"), at)
        .await?
        .unwrap_or_default();
    let (mut rounds, mut ends) = (0u32, BTreeMap::new());
    for id in (0..next).rev().take(64) {
        match chain.round(id, at).await? {
            None => break,
            Some(round) if !round.settled || !round.nodes.contains(node) => continue,
            Some(_) => {}
        }
        for duty in chain.duties(id, node, at).await? {
            let word = match duty.end {
                Some(End::NotCommitted | End::NotRevealed) => "missed",
                Some(end) => match end.passed() {
                    Some(true) => "right",
                    Some(false) => "wrong",
                    None => "void",
                },
                None => "void",
            };
            *ends.entry(word).or_insert(0) += 1;
        }
        rounds += 1;
        if rounds == ROUNDS {
            break;
        }
    }
    Ok((rounds, ends))
}
