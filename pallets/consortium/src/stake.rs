//! What a member has at stake, as reputation counts it.

use crate::*;
use sp_runtime::{
    SaturatedConversion,
    traits::{Saturating, Zero},
};
use touchstone_primitives::{NodeId, evidence::BondOf, fixed::Fixed};

impl<T: Config> Pallet<T> {
    /// Remembers an addition, together with earlier ones that do not count yet.
    pub(crate) fn note_added_bond(node: &T::AccountId, amount: BalanceOf<T>) {
        let waiting = Self::waiting_bond(node);
        let added = AddedBond {
            amount: waiting.saturating_add(amount),
            at: Self::now(),
        };
        AddedBonds::<T>::insert(node, added);
    }

    /// What was added to the bond within the unbonding delay.
    fn waiting_bond(node: &T::AccountId) -> BalanceOf<T> {
        let added = AddedBonds::<T>::get(node);
        let counts_from = added.at.saturating_add(T::UnbondingDelay::get());
        if Self::now() < counts_from {
            added.amount
        } else {
            Zero::zero()
        }
    }
}

impl<T: Config + frame_system::Config<AccountId = NodeId>> BondOf for Pallet<T> {
    fn bond(member: &NodeId) -> u128 {
        let nodes = Members::<T>::get(member)
            .map(|member| member.nodes)
            .unwrap_or_default();
        let bonds = nodes.iter().filter_map(|node| {
            let bond = Nodes::<T>::get(node)?.bond;
            Some(
                bond.saturating_sub(Self::waiting_bond(node))
                    .saturated_into(),
            )
        });
        bonds.min().unwrap_or(0)
    }

    fn slash(node: &NodeId, part: Fixed) -> u128 {
        let Some(record) = Nodes::<T>::get(node) else {
            return 0;
        };
        let amount = part.min(Fixed::ONE).of(record.bond.saturated_into());
        if amount == 0 {
            return 0;
        }
        Self::slash_bond(node, &record, amount.saturated_into()).saturated_into()
    }
}
