//! How pallets meet: small traits, wired in the runtime. Pallets never import each other.

use crate::{
    Moment,
    consortium::{NodeRole, NodeStatus, Roles},
    worker::WorkerId,
};
use alloc::vec::Vec;

/// What other pallets may know of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView<AccountId> {
    /// The member that runs it.
    pub member: AccountId,
    /// What it may do.
    pub roles: Roles,
    /// Where it stands. `Active` only when its member is active too.
    pub status: NodeStatus,
}

/// Gives members and nodes. Implemented by the consortium pallet.
pub trait MembershipOf<AccountId> {
    /// Whether this account is an active member.
    fn is_active_member(who: &AccountId) -> bool;

    /// The node of this stash account.
    fn node(node: &AccountId) -> Option<NodeView<AccountId>>;

    /// The key with which the node's worker signs now.
    fn worker_key(node: &AccountId) -> Option<WorkerId>;

    /// Whether `key` was the node's worker key at `at` (old keys are kept as long as receipts are).
    fn was_worker_key(node: &AccountId, key: &WorkerId, at: Moment) -> bool;

    /// Whether the node is active and has the role.
    fn is_active(node: &AccountId, role: NodeRole) -> bool {
        Self::node(node)
            .is_some_and(|view| view.status == NodeStatus::Active && view.roles.contains(role))
    }

    /// Puts an active member with one active node of all roles into state.
    #[cfg(feature = "runtime-benchmarks")]
    fn create_for_benchmark(member: &AccountId, node: &AccountId, worker: WorkerId);
}

/// Gives the votes on open council motions, which the origin of an executed motion no longer tells.
pub trait Motions<AccountId, Call> {
    /// Who has voted aye on the open motion of exactly this call; `None` when there is no such motion.
    fn ayes(call: &Call) -> Option<Vec<AccountId>>;
}

impl<AccountId, Call> Motions<AccountId, Call> for () {
    fn ayes(_: &Call) -> Option<Vec<AccountId>> {
        None
    }
}

/// Gives the validators at work and their session keys, and stops one of them at once.
pub trait ValidatorSessions<AccountId> {
    /// Whether the node has set its session keys.
    fn has_keys(node: &AccountId) -> bool;

    /// Validators of the running session.
    fn validators() -> Vec<AccountId>;

    /// Whether a validator of the running session has changed its keys since they were queued.
    fn keys_changed() -> bool;

    /// Stops a validator of the running session from authoring, from the next block on.
    fn disable(node: &AccountId);

    /// Lets a disabled validator author again.
    fn enable(node: &AccountId);

    /// Forgets the session keys of a node that is gone and frees its key deposit.
    fn purge_keys(node: &AccountId);

    /// Gives the node session keys.
    #[cfg(feature = "runtime-benchmarks")]
    fn set_keys_for_benchmark(node: &AccountId);

    /// Makes these nodes the validators of the running session.
    #[cfg(feature = "runtime-benchmarks")]
    fn set_validators_for_benchmark(nodes: &[AccountId]);
}
