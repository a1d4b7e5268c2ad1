//! What must hold after every block.

#![cfg(any(feature = "std", feature = "try-runtime"))]

use crate::{Accounts, Config, Groups, History, MergedInto, Pallet, Penalties, Rings, TopicKnobs};
use frame_support::ensure;
use sp_runtime::TryRuntimeError;
use touchstone_primitives::{fixed::Fixed, reputation::Tally};

impl<T: Config> Pallet<T> {
    /// Checks that sums are consistent and not from the future, that rings belong to accounts and are in order, that groups are
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
