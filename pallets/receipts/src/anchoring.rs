//! Which batch a gateway may anchor next, and who vouches for it.

use crate::{
    Batches, Config, Error, Event, Expiring, ExpiringEnds, HeadOf, Heads, Pallet,
    types::{Batch, Refusal},
};
use frame_support::{ensure, pallet_prelude::*};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::{
    SaturatedConversion, Saturating,
    transaction_validity::{TransactionSource, TransactionValidityWithRefund},
};
use touchstone_primitives::{
    H256, NodeId,
    consortium::NodeRole,
    evidence::NoteActivity,
    mailbox::AnchorTask,
    traits::MembershipOf,
    worker::{self, WorkerSignature},
};

/// Pallet and call that a submission names.
const CALL: (&str, &str) = ("Receipts", "anchor_batch");

/// Receipts are what keeps gateways accountable, and only gateways can send them: before transactions that pay.
const PRIORITY: TransactionPriority = TransactionPriority::MAX / 2;

impl<T> From<Refusal> for Error<T> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotGateway => Self::NotGateway,
            Refusal::EmptyBatch => Self::EmptyBatch,
            Refusal::BatchTooBig => Self::BatchTooBig,
            Refusal::Expired => Self::Expired,
            Refusal::ValidTooLong => Self::ValidTooLong,
            Refusal::WrongStream => Self::WrongStream,
            Refusal::AlreadyAnchored => Self::AlreadyAnchored,
            Refusal::Gap => Self::Gap,
            Refusal::TooManyInBlock => Self::TooManyInBlock,
        }
    }
}

/// A batch that passed all checks of the state: what the gateway's head is before it and after it.
pub(crate) struct Due<Head> {
    pub before: Head,
    pub after: Head,
    pub count: u32,
}

impl<T: Config> Pallet<T> {
    /// What the worker of `task.node` signs to submit this batch.
    pub fn submission(task: &AnchorTask, valid_until: BlockNumberFor<T>) -> H256 {
        // frame-system never prunes the hash of block 0.
        let genesis = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::default());
        worker::submission(
            &genesis,
            CALL,
            &task.node,
            &(task.stream, task.first),
            valid_until.saturated_into(),
            &(task.last, task.root, task.policy_version),
        )
    }

    /// That the batch is the gateway's next one in block `now`.
    pub(crate) fn ensure_due(
        task: &AnchorTask,
        now: BlockNumberFor<T>,
    ) -> Result<Due<HeadOf<T>>, Refusal> {
        let AnchorTask {
            stream,
            first,
            last,
            ..
        } = *task;
        let node = &task.node;
        ensure!(
            T::Membership::is_active(node, NodeRole::Gateway),
            Refusal::NotGateway
        );

        let before = Heads::<T>::get(node);
        if stream == before.stream {
            ensure!(first >= before.next, Refusal::AlreadyAnchored);
            ensure!(first == before.next, Refusal::Gap);
        } else {
            ensure!(
                before.stream.checked_add(1) == Some(stream),
                Refusal::WrongStream
            );
            ensure!(first == 0, Refusal::Gap);
        }

        let next = last.checked_add(1).ok_or(Refusal::BatchTooBig)?;
        let count = next
            .checked_sub(first)
            .filter(|n| *n > 0)
            .ok_or(Refusal::EmptyBatch)?;
        let count = u32::try_from(count)
            .ok()
            .filter(|n| *n <= T::MaxBatch::get())
            .ok_or(Refusal::BatchTooBig)?;

        let in_block = if before.block == now {
            before.in_block
        } else {
            0
        };
        ensure!(
            in_block < T::MaxBatchesPerBlock::get(),
            Refusal::TooManyInBlock
        );

        let after = HeadOf::<T> {
            stream,
            next,
            oldest: before.oldest,
            next_batch: before.next_batch.saturating_add(1),
            block: now,
            in_block: in_block.saturating_add(1),
        };
        Ok(Due {
            before,
            after,
            count,
        })
    }

    /// That a submission with this end may be in block `now`.
    fn ensure_valid(valid_until: BlockNumberFor<T>, now: BlockNumberFor<T>) -> Result<(), Refusal> {
        ensure!(now <= valid_until, Refusal::Expired);
        ensure!(
            valid_until <= now.saturating_add(T::MaxValidity::get()),
            Refusal::ValidTooLong
        );
        Ok(())
    }

    /// Decides whether the transaction pool and blocks take a submission: cheap checks first, the signature last.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn authorize_anchor_batch(
        _: TransactionSource,
        node: &NodeId,
        stream: &u32,
        first: &u64,
        last: &u64,
        root: &H256,
        policy_version: &u32,
        valid_until: &BlockNumberFor<T>,
        signature: &WorkerSignature,
    ) -> TransactionValidityWithRefund {
        let task = AnchorTask {
            node: node.clone(),
            stream: *stream,
            first: *first,
            last: *last,
            root: *root,
            policy_version: *policy_version,
        };
        let now = frame_system::Pallet::<T>::block_number();
        Self::ensure_valid(*valid_until, now).map_err(InvalidTransaction::from)?;
        Self::ensure_due(&task, now).map_err(InvalidTransaction::from)?;
        let message = Self::submission(&task, *valid_until);
        let key = T::Membership::worker_key(node).ok_or(InvalidTransaction::BadProof)?;
        ensure!(
            worker::verify(&key, &message, signature),
            InvalidTransaction::BadProof
        );

        let longevity = valid_until.saturating_sub(now).saturated_into::<u64>();
        let validity = ValidTransaction::with_tag_prefix("receipts")
            .priority(PRIORITY)
            .and_provides((node, stream, first))
            .longevity(longevity.saturating_add(1))
            .propagate(true)
            .build()?;
        Ok((validity, Weight::zero()))
    }

    /// Anchors the batch if it is due, whoever vouched for it.
    pub(crate) fn do_anchor_batch(
        task: AnchorTask,
        valid_until: BlockNumberFor<T>,
    ) -> DispatchResult {
        let now = frame_system::Pallet::<T>::block_number();
        Self::ensure_valid(valid_until, now).map_err(Error::<T>::from)?;
        let due = Self::ensure_due(&task, now).map_err(Error::<T>::from)?;
        let AnchorTask {
            node: gateway,
            stream,
            first,
            last,
            root,
            policy_version,
        } = task;

        if stream != due.before.stream {
            let (gateway, previous_next) = (gateway.clone(), due.before.next);
            Self::deposit_event(Event::StreamOpened {
                gateway,
                stream,
                previous_next,
            });
        }
        let batch = due.before.next_batch;
        let record = Batch {
            stream,
            first,
            count: due.count,
            root,
            policy_version,
            block: now,
        };
        Batches::<T>::insert(&gateway, batch, record);
        Heads::<T>::insert(&gateway, due.after);
        T::Activity::active(&gateway);
        ExpiringEnds::<T>::mutate(|ends| {
            Expiring::<T>::insert(ends.next, &gateway);
            ends.next = ends.next.saturating_add(1);
        });
        Self::deposit_event(Event::BatchAnchored {
            gateway,
            stream,
            first,
            last,
            root,
            policy_version,
            batch,
        });
        Ok(())
    }
}
