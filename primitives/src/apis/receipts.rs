//! Which receipts are anchored.

use crate::{H256, NodeId, merkle::Proof};
use codec::{Decode, Encode};
use scale_info::TypeInfo;

/// An anchored batch, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct BatchInfo {
	/// Gateway that anchored it.
	pub gateway: NodeId,
	/// Its stream.
	pub stream: u32,
	/// First sequence of the batch.
	pub first: u64,
	/// Last sequence of the batch.
	pub last: u64,
	/// Number of receipts: last - first + 1.
	pub count: u32,
	/// Merkle root over receipt ids, in order of sequence.
	pub root: H256,
	/// Version of the routing policy.
	pub policy_version: u32,
	/// Block that anchored it.
	pub block: u32,
}

/// Where a gateway's next batch must start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct StreamHead {
	/// Current stream.
	pub stream: u32,
	/// First sequence that is not anchored.
	pub next: u64,
}

sp_api::decl_runtime_apis! {
	/// Anchored receipt batches.
	pub trait ReceiptsApi {
		/// The batch that holds this sequence, while its root is retained.
		fn batch_of(gateway: NodeId, stream: u32, sequence: u64) -> Option<BatchInfo>;
		/// Where the gateway's next batch must start.
		fn head(gateway: NodeId) -> StreamHead;
		/// Whether the receipt id is anchored at this place.
		fn is_anchored(gateway: NodeId, stream: u32, sequence: u64, id: H256, proof: Proof) -> bool;
	}
}
