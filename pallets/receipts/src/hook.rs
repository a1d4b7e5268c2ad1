//! The offchain hook: takes the worker's next batch from the mailbox and sends it until the chain has it.

use crate::{Call, Config, Pallet};
use codec::{Decode, Encode};
use frame_support::traits::Get;
use frame_system::{offchain::SubmitTransaction, pallet_prelude::BlockNumberFor};
use sp_core::offchain::StorageKind;
use sp_runtime::{
    RuntimeAppPublic, SaturatedConversion, Saturating, offchain::storage::StorageValueRef,
    traits::One,
};
use touchstone_primitives::{
    H256,
    mailbox::{ANCHOR_SLOT, AnchorTask, decode_task},
    traits::MembershipOf,
};

const LOG_TARGET: &str = "touchstone::receipts";

/// Blocks after which a batch that the best state still lacks is sent again.
pub const RESEND_AFTER: u32 = 5;

/// Key of the slot in the persistent offchain storage where the hook remembers what it sent.
pub const SENT_SLOT: &[u8] = b"touchstone/mailbox/anchor/sent";

/// What the hook sent last.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Sent {
    /// The task ([`AnchorTask::id`]).
    pub task: H256,
    /// Best block when it was sent.
    pub at: u32,
}

impl<T: Config> Pallet<T> {
    /// Runs after every best block, in a thread that other hooks wait for: reads two slots and a head, signs, submits.
    pub(crate) fn run_hook(now: BlockNumberFor<T>) {
        // Raw bytes: whatever the slot holds, decoding it is `decode_task`'s job.
        let Some(record) = sp_io::offchain::local_storage_get(StorageKind::PERSISTENT, ANCHOR_SLOT)
        else {
            return;
        };
        let task = match decode_task(&record) {
            Ok(task) => task,
            Err(why) => {
                log::warn!(
                    target: LOG_TARGET,
                    "ignoring the anchor slot of the mailbox: bad record ({why:?}); the worker overwrites it with its next batch",
                );
                return;
            }
        };
        if let Err(why) = Self::ensure_due(&task, now.saturating_add(One::one())) {
            // Usually anchored, and the worker waits for finality before it goes on.
            log::trace!(
                target: LOG_TARGET,
                "batch {}/{} is not due: {why:?}", task.stream, task.first,
            );
            return;
        }
        let block = now.saturated_into::<u32>();
        let slot = StorageValueRef::persistent(SENT_SLOT);
        let sent = slot.get::<Sent>().ok().flatten();
        // A block number below the one of the sending means that the chain was reverted.
        let fresh = sent.is_some_and(|sent| {
            sent.task == task.id()
                && block
                    .checked_sub(sent.at)
                    .is_some_and(|age| age < RESEND_AFTER)
        });
        if fresh {
            return;
        }
        if Self::send(&task, now.saturating_add(T::MaxValidity::get())) {
            slot.set(&Sent {
                task: task.id(),
                at: block,
            });
        }
    }

    /// Signs and submits; whether it got as far as the transaction pool.
    fn send(task: &AnchorTask, valid_until: BlockNumberFor<T>) -> bool {
        let Some(key) = T::Membership::worker_key(&task.node) else {
            return false;
        };
        let message = Self::submission(task, valid_until);
        let Some(signature) = key.sign(&message.as_bytes()) else {
            log::warn!(
                target: LOG_TARGET,
                "cannot anchor receipts: the keystore does not hold the worker key that is registered for {:?}", task.node,
            );
            return false;
        };
        let AnchorTask {
            node,
            stream,
            first,
            last,
            root,
            policy_version,
        } = task.clone();
        let call = Call::<T>::anchor_batch {
            node,
            stream,
            first,
            last,
            root,
            policy_version,
            valid_until,
            signature,
        };
        let transaction = T::create_authorized_transaction(call.into());
        match SubmitTransaction::<T, Call<T>>::submit_transaction(transaction) {
            Ok(()) => log::debug!(target: LOG_TARGET, "sent batch {stream}/{first}..={last}"),
            // The pool has an earlier sending of the same batch, or is full.
            Err(()) => log::debug!(target: LOG_TARGET, "the pool refused batch {stream}/{first}"),
        }
        true
    }
}
