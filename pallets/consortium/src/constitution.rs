//! The interim constitution: calls that the council has executed as Root after a time-lock.

use crate::*;
use codec::Encode;
use frame_support::traits::schedule::{DispatchTime, HARD_DEADLINE, v3::Named, v3::TaskName};
use sp_runtime::{
    SaturatedConversion,
    traits::{Hash, One, Saturating},
};

impl<T: Config> Pallet<T> {
    pub(crate) fn do_propose_root(call: Box<<T as Config>::RuntimeCall>) -> DispatchResult {
        let id = NextRootProposal::<T>::get();
        let delay = RootDelay::<T>::get().max(One::one());
        let at = frame_system::Pallet::<T>::block_number().saturating_add(delay);
        let shown = Self::shown(&call);
        let bounded = Self::schedule(id, at, *call)?;
        RootProposals::<T>::try_append(RootProposal {
            id,
            at,
            call: bounded,
        })
        .map_err(|_| Error::<T>::TooManyRootProposals)?;
        NextRootProposal::<T>::put(id.saturating_add(1));
        Self::deposit_event(Event::RootProposed {
            id,
            at,
            call: shown,
        });
        Ok(())
    }

    pub(crate) fn do_cancel_root(id: u32) -> DispatchResult {
        RootProposals::<T>::try_mutate(|proposals| {
            let place = proposals.iter().position(|proposal| proposal.id == id);
            let proposal = proposals.remove(place.ok_or(Error::<T>::UnknownRootProposal)?);
            T::Scheduler::cancel_named(Self::task(id))
                .map_err(|_| Error::<T>::UnknownRootProposal)?;
            // The scheduler drops the preimage of a cancelled task only when an origin is given, which the trait does not.
            T::Preimages::drop(&proposal.call);
            Self::deposit_event(Event::RootCancelled { id });
            Ok(())
        })
    }

    /// Forgets proposals that the scheduler has executed. It may execute one late, when a block had no room.
    pub(crate) fn forget_executed_root_proposals(now: BlockNumberFor<T>) -> Weight {
        let proposals = RootProposals::<T>::get();
        let is_executed = |proposal: &RootProposalOf<T>| {
            proposal.at < now && T::Scheduler::next_dispatch_time(Self::task(proposal.id)).is_err()
        };
        if proposals.iter().any(is_executed) {
            let mut proposals = proposals;
            proposals.retain(|proposal| !is_executed(proposal));
            RootProposals::<T>::put(proposals);
            T::WeightInfo::forget_executed_root_proposals(MAX_ROOT_PROPOSALS)
        } else {
            T::WeightInfo::forget_executed_root_proposals(proposals.len() as u32)
        }
    }

    /// Name of the scheduler's task for a proposal.
    pub fn task(id: u32) -> TaskName {
        sp_io::hashing::blake2_256(&(b"touchstone/root", id).encode())
    }

    fn schedule(
        id: u32,
        at: BlockNumberFor<T>,
        call: <T as Config>::RuntimeCall,
    ) -> Result<BoundedCallOf<T>, DispatchError> {
        let is_requested = T::Preimages::is_requested(&T::Hashing::hash_of(&call));
        let bounded = T::Preimages::bound(call)?;
        T::Scheduler::schedule_named(
            Self::task(id),
            DispatchTime::At(at),
            None,
            HARD_DEADLINE,
            T::RuntimeOrigin::root().into_caller(),
            bounded.clone(),
        )?;
        // The scheduler has requested the preimage too, so that a request of ours would keep it for ever.
        if !is_requested {
            T::Preimages::drop(&bounded);
        }
        Ok(bounded)
    }

    /// The call as people should see it: whole if it is not too long.
    fn shown(call: &<T as Config>::RuntimeCall) -> ShownCall<<T as Config>::RuntimeCall> {
        let length = call.encoded_size();
        if length <= SHOWN_CALL_LENGTH {
            return ShownCall::Whole(Box::new(call.clone()));
        }
        let names = call.get_call_metadata();
        ShownCall::Long {
            hash: T::Hashing::hash_of(call),
            length: length.saturated_into(),
            pallet: names.pallet_name.as_bytes().to_vec(),
            function: names.function_name.as_bytes().to_vec(),
        }
    }
}
