//! What must hold after every block.

#![cfg(any(feature = "std", feature = "try-runtime"))]

use crate::{
    Accounts, Config, Drifts, Gaps, Groups, History, MergedInto, Pallet, Penalties, Rings,
    TopicKnobs, Waiting,
};
use frame_support::ensure;
use sp_runtime::TryRuntimeError;
use touchstone_primitives::{
    fixed::Fixed,
    reputation::Tally,
    watch::{BASELINE, Flag, Sums},
};

impl<T: Config> Pallet<T> {
    /// Checks that sums are consistent and not from the future, that rings and watches belong to accounts and are in order, that groups are
    /// merged one level deep, and that parameters are in range.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        let now = Self::now();
        let is_sound = |tally: &Tally| tally.passed <= tally.evidence && tally.updated_at <= now;
        for stored in Accounts::<T>::iter_values() {
            let account = &stored.account;
            ensure!(
                is_sound(&account.tally) && is_sound(&account.secret),
                "more passed than posed, or evidence from the future"
            );
            ensure!(
                account.epoch_passed <= account.epoch_mass,
                "more passed than posed in an epoch"
            );
            ensure!(
                account.epoch.is_some() == (account.epochs > 0),
                "epochs without a last one"
            );
        }
        for (topic, node, ring) in Rings::<T>::iter() {
            ensure!(
                Accounts::<T>::contains_key(topic, &node),
                "ring without account"
            );
            ensure!(
                ring.iter().is_sorted_by_key(|entry| entry.at),
                "ring out of order"
            );
            ensure!(
                ring.iter()
                    .all(|entry| entry.at <= now && !(entry.right && entry.wrong.is_some())),
                "ring entry from the future, or right with a wrong answer"
            );
        }
        for (topic, node, folds) in History::<T>::iter() {
            ensure!(
                Accounts::<T>::contains_key(topic, &node),
                "history without account"
            );
            ensure!(
                folds.iter().is_sorted_by_key(|fold| fold.at),
                "history out of order"
            );
        }
        let is_count = |sums: &Sums| {
            sums.squares <= sums.sum && sums.sum <= Fixed::from_int(sums.pairs.into())
        };
        let is_past = |flag: &Option<Flag>| flag.is_none_or(|flag| flag.at <= now);
        for (topic, node, drift) in Drifts::<T>::iter() {
            ensure!(
                Accounts::<T>::contains_key(topic, &node),
                "drift without account"
            );
            ensure!(
                drift.baseline.pairs <= BASELINE
                    && drift.admitted.is_some() == (drift.baseline.pairs == BASELINE),
                "a baseline that is complete and is not"
            );
            ensure!(
                is_count(&drift.baseline) && drift.since.mean <= Fixed::ONE && is_past(&drift.flag),
                "sums out of range, or a flag from the future"
            );
        }
        for (topic, node, gap) in Gaps::<T>::iter() {
            ensure!(
                Accounts::<T>::contains_key(topic, &node),
                "gap without account"
            );
            ensure!(
                gap.one.recent.mean <= Fixed::ONE
                    && gap.other.recent.mean <= Fixed::ONE
                    && is_past(&gap.flag),
                "a mean out of range, or a flag from the future"
            );
            let others = &gap.other.auditors;
            ensure!(
                !gap.one.auditors.iter().any(|group| others.contains(group)),
                "an auditor on both sides"
            );
        }
        for (topic, node, queues) in Waiting::<T>::iter() {
            ensure!(
                Accounts::<T>::contains_key(topic, &node),
                "waiting outcomes without account"
            );
            let is_alone = |public| !queues.secret.iter().any(|secret| secret.is_like(public));
            ensure!(
                queues.public.iter().all(is_alone),
                "partners that were not matched"
            );
        }
        for group in Groups::<T>::iter_values() {
            ensure!(group.safety.value <= Fixed::ONE, "S above 1");
        }
        for (member, into) in MergedInto::<T>::iter() {
            ensure!(member != into, "merged with itself");
            ensure!(
                !MergedInto::<T>::contains_key(&into),
                "merged into a part of another group"
            );
        }
        ensure!(
            TopicKnobs::<T>::iter_values().all(|knobs| knobs.is_valid())
                && Penalties::<T>::iter_values().all(|penalty| penalty.is_valid()),
            "parameters out of range"
        );
        Ok(())
    }
}
