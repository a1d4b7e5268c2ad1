//! What must hold after every block.

#![cfg(any(feature = "std", feature = "try-runtime"))]

use crate::{
    AuditEpochs, Audits, Authored, Authors, CheckersOpened, Committed, Config, Ended, Enrolled,
    Enrolments, Examined, Live, NextRound, OldestRound, Pallet, Pools, Results, Rounds, Rules,
    TasksOpened,
    types::{MAX_NODES, Settlement},
};
use alloc::collections::BTreeMap;
use frame_support::ensure;
use sp_runtime::TryRuntimeError;
use touchstone_primitives::{
    NodeId,
    audit::{AuditState, MAX_AUDITS},
};

impl<T: Config> Pallet<T> {
    /// Checks that counters, lists and maps say the same, and that every duty of a settled round has exactly one end.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        let topics = Examined::<T>::get();
        ensure!(topics.is_sorted(), "examined topics out of order");
        ensure!(
            topics.len() == Rules::<T>::iter_keys().count()
                && topics.iter().all(Rules::<T>::contains_key),
            "examined topics and rules differ"
        );
        for (topic, count) in Enrolled::<T>::iter() {
            ensure!(
                count as usize == Enrolments::<T>::iter_prefix(topic).count() && count <= MAX_NODES,
                "wrong number of enrolments"
            );
        }
        let (oldest, next) = (OldestRound::<T>::get(), NextRound::<T>::get());
        let live = Live::<T>::get();
        ensure!(
            live.is_sorted_by(|a, b| a < b),
            "rounds that are not settled are out of order"
        );
        ensure!(
            Rounds::<T>::iter_keys().count() as u64 == u64::from(next.saturating_sub(oldest)),
            "rounds outside of what is kept"
        );
        for (id, round) in Rounds::<T>::iter() {
            ensure!((oldest..next).contains(&id), "round out of range");
            ensure!(round.facts.id == id, "round under another's number");
            ensure!(
                round.nodes.is_sorted_by(|a, b| a < b),
                "nodes of a round out of order"
            );
            let is_settled = round.settlement == Settlement::Settled;
            ensure!(
                live.contains(&id) != is_settled,
                "a round is either live or settled"
            );
            let slots = round.facts.duties();
            for (canary, author) in &round.facts.authored {
                let canary = Authored::<T>::get(canary).ok_or("a drawn canary is missing")?;
                ensure!(
                    canary.round == Some(id) && canary.author == *author,
                    "a canary was drawn by two rounds"
                );
            }
            for (node, hashes) in Committed::<T>::iter_prefix(id) {
                ensure!(
                    round.nodes.binary_search(&node).is_ok() && hashes.len() == slots,
                    "commitments without duties"
                );
            }
            for (node, results) in Results::<T>::iter_prefix(id) {
                let hashes = Committed::<T>::get(id, &node).ok_or("answers without commitments")?;
                ensure!(
                    results
                        .iter()
                        .zip(&hashes)
                        .all(|(result, hash)| result.is_none() || !hash.is_zero()),
                    "an answer without commitment"
                );
            }
            for (_, ends) in Ended::<T>::iter_prefix(id) {
                ensure!(ends.len() == slots, "a duty without end");
            }
            if is_settled {
                ensure!(
                    Ended::<T>::iter_prefix(id).count() <= round.nodes.len(),
                    "ends without duties"
                );
            }
        }
        for id in Committed::<T>::iter_keys()
            .map(|(id, _)| id)
            .chain(Results::<T>::iter_keys().map(|(id, _)| id))
            .chain(Ended::<T>::iter_keys().map(|(id, _)| id))
        {
            ensure!(
                Rounds::<T>::contains_key(id),
                "leftovers of a forgotten round"
            );
        }
        let epochs = AuditEpochs::<T>::get();
        ensure!(
            epochs.is_sorted_by(|a, b| a.epoch < b.epoch),
            "epochs with audits out of order"
        );
        for known in &epochs {
            let audits = || Audits::<T>::iter_prefix_values(known.epoch);
            ensure!(
                audits().count() == known.batches as usize && known.batches <= MAX_AUDITS,
                "wrong number of audits"
            );
            ensure!(
                !known.closed || audits().all(|audit| audit.state != AuditState::Declared),
                "an audit is neither opened nor void"
            );
        }
        ensure!(
            Audits::<T>::iter_keys()
                .all(|(epoch, _)| epochs.iter().any(|known| known.epoch == epoch)),
            "leftovers of forgotten audits"
        );
        let mut waiting = BTreeMap::<NodeId, u32>::new();
        for (topic, pool) in Pools::<T>::iter() {
            for one in pool {
                let canary = Authored::<T>::get(one.id).ok_or("a canary that waits is missing")?;
                ensure!(
                    canary.topic == topic && canary.round.is_none() && canary.author == one.author,
                    "a canary waits that was drawn, or in the wrong pool"
                );
                let count = waiting.entry(one.author).or_default();
                *count = count.saturating_add(1);
            }
        }
        let total: u32 = waiting.values().sum();
        ensure!(
            Authored::<T>::iter_values()
                .filter(|canary| canary.round.is_none())
                .count()
                == total as usize,
            "a canary that nobody can draw"
        );
        for (author, record) in Authors::<T>::iter() {
            ensure!(
                record.waiting == waiting.remove(&author).unwrap_or(0),
                "an author's canaries are counted wrong"
            );
        }
        ensure!(waiting.is_empty(), "canaries without author");
        for id in TasksOpened::<T>::iter_keys().chain(CheckersOpened::<T>::iter_keys()) {
            ensure!(
                Authored::<T>::get(id).is_some_and(|canary| canary.round.is_some()),
                "an opened canary that was never drawn"
            );
        }
        Ok(())
    }
}
