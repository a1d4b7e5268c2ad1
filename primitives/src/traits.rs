//! How pallets meet: small traits, wired in the runtime. Pallets never import each other.

use crate::{
	Moment,
	consortium::{NodeRole, NodeStatus, Roles},
	worker::WorkerId,
};

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
