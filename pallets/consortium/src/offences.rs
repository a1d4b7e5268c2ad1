//! What an equivocation costs.

use crate::*;
use frame_support::traits::{
    fungible::MutateHold,
    tokens::{Fortitude, Precision, Restriction},
};
use sp_runtime::traits::{Saturating, Zero};
use sp_staking::{
    SessionIndex,
    offence::{OffenceDetails, OnOffenceHandler},
};
use touchstone_primitives::consortium::NodeStatus;

/// Kind under which offences are recorded: the handler is not told which one it was, only equivocations are reported.
pub const EQUIVOCATION: Kind = *b"equivocation\0\0\0\0";

impl<T: Config> OnOffenceHandler<T::AccountId, (T::AccountId, ()), Weight> for Pallet<T> {
    /// Suspends and slashes the offenders. The fraction that is proposed is ignored: in a small set it would take nearly everything.
    fn on_offence(
        offenders: &[OffenceDetails<T::AccountId, (T::AccountId, ())>],
        _slash_fraction: &[Perbill],
        session: SessionIndex,
    ) -> Weight {
        for details in offenders {
            Self::punish(&details.offender.0, session);
        }
        T::WeightInfo::on_offence(T::MaxNodes::get()).saturating_mul(offenders.len() as u64)
    }
}

impl<T: Config> Pallet<T> {
    /// Punishes one incident once: reports of sessions that were punished already, or of an offender that is suspended
    /// or waits for it, belong to the same incident.
    fn punish(node: &T::AccountId, session: SessionIndex) {
        let Some(record) = Nodes::<T>::get(node) else {
            return;
        };
        // Has not validated since it was registered: a report about an earlier node of the same name.
        if record.status == NodeStatus::Registered {
            return;
        }
        let is_old = record
            .punished_through
            .is_some_and(|punished| session <= punished);
        let is_queued = QueuedSuspensions::<T>::get()
            .iter()
            .any(|(queued, _)| queued == node);
        let is_suspended = Suspensions::<T>::get(Subject::Node(node.clone()))
            .is_some_and(|suspension| suspension.cause != Cause::Council);
        if !is_old {
            Nodes::<T>::mutate(node, |record| {
                if let Some(record) = record {
                    record.punished_through = Some(session);
                }
            });
        }
        if is_old || is_queued || is_suspended {
            return;
        }
        let amount = T::SlashFraction::get().mul_floor(record.bond);
        Self::slash_bond(node, &record, amount);
        if !Self::suspend_offender(node, EQUIVOCATION) {
            let queued = QueuedSuspensions::<T>::try_append((node.clone(), EQUIVOCATION));
            if queued.is_err() {
                log::error!(target: LOG_TARGET, "no room to queue the suspension of {node:?}");
            }
            Self::deposit_event(Event::SuspensionQueued { node: node.clone() });
        }
    }

    /// Moves this much of the node's bond to the commons; how much it was.
    pub(crate) fn slash_bond(
        node: &T::AccountId,
        record: &NodeOf<T>,
        amount: BalanceOf<T>,
    ) -> BalanceOf<T> {
        let slashed = T::Currency::transfer_on_hold(
            &HoldReason::NodeBond.into(),
            &record.member,
            &T::Commons::get(),
            amount,
            Precision::BestEffort,
            Restriction::Free,
            Fortitude::Force,
        )
        .unwrap_or_else(|error| {
            log::error!(target: LOG_TARGET, "cannot slash {node:?}: {error:?}");
            Zero::zero()
        });
        Nodes::<T>::mutate(node, |record| {
            if let Some(record) = record {
                record.bond = record.bond.saturating_sub(slashed);
            }
        });
        Self::deposit_event(Event::Slashed {
            node: node.clone(),
            amount: slashed,
        });
        slashed
    }
}
