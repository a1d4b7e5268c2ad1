//! What must hold after every block.

#![cfg(any(feature = "std", feature = "try-runtime"))]

use crate::{
    Committed, Config, Ended, Enrolled, Enrolments, Examined, Live, NextRound, OldestRound, Pallet,
    Results, Rounds, Rules,
    types::{MAX_NODES, Settlement},
};
use frame_support::ensure;
use sp_runtime::TryRuntimeError;

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
            let slots = usize::from(round.facts.rules.slots);
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
        Ok(())
    }
}
