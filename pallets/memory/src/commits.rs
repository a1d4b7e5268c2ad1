//! Which commit a namespace takes next, and who vouches for it.

use crate::{
    Config, Error, Event, Grants, InBlockOf, NamespaceOf, Namespaces, Pallet, Roots, Submitted,
    types::{MAX_ADVANCE, Refusal, Root},
};
use frame_support::{ensure, pallet_prelude::*};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_core::sr25519;
use sp_runtime::{
    SaturatedConversion, Saturating,
    transaction_validity::{TransactionSource, TransactionValidityWithRefund},
};
use touchstone_primitives::{
    AccountId32, H256,
    consortium::NodeStatus,
    memory::{Commit, NamespaceId, Rights, Writer, Writers, may_commit, rights, tree},
    traits::MembershipOf,
};

/// After what keeps nodes accountable, receipts and canaries, and before transactions that pay.
const PRIORITY: TransactionPriority = TransactionPriority::MAX / 8;

impl<T> From<Refusal> for Error<T> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownNamespace => Self::UnknownNamespace,
            Refusal::Expired => Self::Expired,
            Refusal::ValidTooLong => Self::ValidTooLong,
            Refusal::StaleRoot => Self::StaleRoot,
            Refusal::BadVersion => Self::BadVersion,
            Refusal::BadState => Self::BadState,
            Refusal::TooLarge => Self::TooLarge,
            Refusal::NodeNotActive => Self::NodeNotActive,
            Refusal::NotPermitted => Self::NotPermitted,
            Refusal::TooManyInBlock => Self::TooManyInBlock,
        }
    }
}

impl<T: Config> Pallet<T> {
    /// Genesis hash, which writers sign for.
    pub fn genesis() -> H256 {
        // frame-system never prunes the hash of block 0.
        frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::default())
    }

    pub(crate) fn is_active_node(node: &AccountId32) -> bool {
        T::Membership::node(node).is_some_and(|view| view.status == NodeStatus::Active)
    }

    /// What an account may do with a namespace, as an active node or not.
    pub(crate) fn rights_in(
        id: &NamespaceId,
        namespace: &NamespaceOf<T>,
        who: &AccountId32,
        is_node: bool,
    ) -> Rights {
        let granted = Grants::<T>::get(id, who);
        let is_owner = namespace.owner == *who;
        rights(
            namespace.writers,
            namespace.visibility,
            is_owner,
            is_node,
            granted,
        )
    }

    /// That a commit with this end may be in block `now`.
    fn ensure_valid(valid_until: BlockNumberFor<T>, now: BlockNumberFor<T>) -> Result<(), Refusal> {
        ensure!(now <= valid_until, Refusal::Expired);
        ensure!(
            valid_until <= now.saturating_add(T::MaxValidity::get()),
            Refusal::ValidTooLong
        );
        Ok(())
    }

    /// The namespace, if the commit can be its next one in block `now`, whoever makes it.
    fn ensure_next(commit: &Commit, now: BlockNumberFor<T>) -> Result<NamespaceOf<T>, Refusal> {
        let state = &commit.state;
        ensure!(
            (state.count == 0) == (state.tree == tree::EMPTY),
            Refusal::BadState
        );
        ensure!(commit.bytes <= T::MaxBytes::get(), Refusal::TooLarge);
        let namespace = Namespaces::<T>::get(state.namespace).ok_or(Refusal::UnknownNamespace)?;
        let current = &namespace.state;
        ensure!(commit.previous == current.root(), Refusal::StaleRoot);
        let advance = state.version.checked_sub(current.version);
        ensure!(
            advance.is_some_and(|by| by > 0 && by <= MAX_ADVANCE),
            Refusal::BadVersion
        );
        ensure!(namespace.committed_at != now, Refusal::TooManyInBlock);
        Ok(namespace)
    }

    /// The namespace and the commits of the block, if the writer may make the commit in block `now`.
    ///
    /// What nodes may do they may with their worker key: an account that is a node's stash has the rights of an account only.
    fn ensure_may_commit(
        writer: &Writer,
        commit: &Commit,
        valid_until: BlockNumberFor<T>,
        now: BlockNumberFor<T>,
    ) -> Result<(NamespaceOf<T>, InBlockOf<T>), Refusal> {
        Self::ensure_valid(valid_until, now)?;
        let namespace = Self::ensure_next(commit, now)?;
        let mut submitted = Submitted::<T>::get();
        if submitted.block != now {
            submitted = InBlockOf::<T> {
                block: now,
                count: 0,
            };
        }
        ensure!(
            submitted.count < T::MaxCommitsPerBlock::get(),
            Refusal::TooManyInBlock
        );
        submitted.count = submitted.count.saturating_add(1);

        let is_node = match writer {
            Writer::Node(node) => {
                ensure!(Self::is_active_node(node), Refusal::NodeNotActive);
                true
            }
            Writer::Account(_) => false,
        };
        let id = &commit.state.namespace;
        let rights = Self::rights_in(id, &namespace, writer.account(), is_node);
        ensure!(may_commit(namespace.writers, rights), Refusal::NotPermitted);
        Ok((namespace, submitted))
    }

    /// Decides whether the transaction pool and blocks take a commit: cheap checks first, the signature last.
    pub(crate) fn authorize_commit_root(
        _: TransactionSource,
        writer: &Writer,
        commit: &Commit,
        valid_until: &BlockNumberFor<T>,
        signature: &sr25519::Signature,
    ) -> TransactionValidityWithRefund {
        let now = frame_system::Pallet::<T>::block_number();
        Self::ensure_may_commit(writer, commit, *valid_until, now)
            .map_err(InvalidTransaction::from)?;
        let worker = match writer {
            Writer::Node(node) => T::Membership::worker_key(node),
            Writer::Account(_) => None,
        };
        let until = (*valid_until).saturated_into();
        ensure!(
            commit.is_signed(&Self::genesis(), writer, until, worker.as_ref(), signature),
            InvalidTransaction::BadProof
        );

        let longevity = valid_until.saturating_sub(now).saturated_into::<u64>();
        let validity = ValidTransaction::with_tag_prefix("memory")
            .priority(PRIORITY)
            .and_provides((commit.state.namespace, commit.previous))
            .longevity(longevity.saturating_add(1))
            .propagate(true)
            .build()?;
        Ok((validity, Weight::zero()))
    }

    /// Commits if the writer may, whoever vouched for the commit.
    pub(crate) fn do_commit_root(
        writer: Writer,
        commit: Commit,
        valid_until: BlockNumberFor<T>,
    ) -> DispatchResult {
        let now = frame_system::Pallet::<T>::block_number();
        let (namespace, submitted) = Self::ensure_may_commit(&writer, &commit, valid_until, now)
            .map_err(Error::<T>::from)?;
        Submitted::<T>::put(submitted);
        Self::put_root(namespace, Some(writer), commit, now)
    }

    pub(crate) fn do_commit_root_by_council(commit: Commit) -> DispatchResult {
        let now = frame_system::Pallet::<T>::block_number();
        let namespace = Self::ensure_next(&commit, now).map_err(Error::<T>::from)?;
        ensure!(
            namespace.writers == Writers::Council,
            Error::<T>::NotForCouncil
        );
        Self::put_root(namespace, None, commit, now)
    }

    fn put_root(
        mut namespace: NamespaceOf<T>,
        writer: Option<Writer>,
        commit: Commit,
        now: BlockNumberFor<T>,
    ) -> DispatchResult {
        let Commit {
            state,
            batch,
            bytes,
            ..
        } = commit;
        let id = state.namespace;
        if namespace.retained.is_full() {
            let oldest = namespace.retained.remove(0);
            let is_snapshot =
                Roots::<T>::get(id, oldest).is_some_and(|root| root.snapshot.is_some());
            if !is_snapshot {
                Roots::<T>::remove(id, oldest);
            }
        }
        namespace
            .retained
            .try_push(state.version)
            .map_err(|_| "there was made room; qed")?;
        namespace.state = state;
        namespace.bytes = bytes;
        namespace.committed_at = now;
        Namespaces::<T>::insert(id, namespace);
        Roots::<T>::insert(
            id,
            state.version,
            Root {
                state,
                batch,
                writer: writer.clone(),
                block: now,
                snapshot: None,
            },
        );
        Self::deposit_event(Event::RootCommitted {
            namespace: id,
            version: state.version,
            root: state.root(),
            count: state.count,
            batch,
            writer,
        });
        Ok(())
    }
}
