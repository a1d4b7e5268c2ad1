//! Weights of the calls of `pallet_memory`. ESTIMATES, not measured yet: run `scripts/bench/weights`.
//!
//! Estimated from reads, writes, the sizes of the values and the cost of a hash for each step of a proof, well above what a call can take.

#![cfg_attr(rustfmt, rustfmt_skip)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{constants::ParityDbWeight, RuntimeDbWeight, Weight}};

/// Weights that the calls of `pallet_memory` need.
pub trait WeightInfo {
	/// `create_namespace`.
	fn create_namespace() -> Weight;
	/// `set_policy`.
	fn set_policy() -> Weight;
	/// `transfer`.
	fn transfer() -> Weight;
	/// `grant`.
	fn grant() -> Weight;
	/// `delete_namespace` with 128 roots and 64 grants.
	fn delete_namespace() -> Weight;
	/// `commit_root`.
	fn commit_root() -> Weight;
	/// `authorize_commit_root`.
	fn authorize_commit_root() -> Weight;
	/// `commit_root_by_council`.
	fn commit_root_by_council() -> Weight;
	/// `snapshot`.
	fn snapshot() -> Weight;
	/// `drop_snapshot`.
	fn drop_snapshot() -> Weight;
	/// `verify_fragments` with a proof of `n` steps, `n` in 1..=4096.
	fn verify_fragments(n: u32, ) -> Weight;
}

fn estimate(db: RuntimeDbWeight, micros: u64, size: u64, reads: u64, writes: u64) -> Weight {
	Weight::from_parts(micros.saturating_mul(1_000_000), size)
		.saturating_add(db.reads(reads))
		.saturating_add(db.writes(writes))
}

macro_rules! estimates {
	($db:expr) => {
		fn create_namespace() -> Weight { estimate($db, 100, 8_000, 5, 4) }
		fn set_policy() -> Weight { estimate($db, 40, 4_000, 1, 1) }
		fn transfer() -> Weight { estimate($db, 40, 4_000, 1, 1) }
		fn grant() -> Weight { estimate($db, 50, 6_000, 2, 2) }
		fn delete_namespace() -> Weight { estimate($db, 1_500, 120_000, 200, 200) }
		fn commit_root() -> Weight { estimate($db, 100, 12_000, 7, 4) }
		fn authorize_commit_root() -> Weight { estimate($db, 140, 12_000, 6, 0) }
		fn commit_root_by_council() -> Weight { estimate($db, 80, 8_000, 2, 3) }
		fn snapshot() -> Weight { estimate($db, 60, 6_000, 2, 2) }
		fn drop_snapshot() -> Weight { estimate($db, 60, 6_000, 2, 2) }
		fn verify_fragments(n: u32) -> Weight { estimate($db, u64::from(n).saturating_mul(5).saturating_add(100), 6_000, 2, 0) }
	};
}

/// Weights as estimated, with the runtime's database weights.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	estimates!(T::DbWeight::get());
}

// For tests.
impl WeightInfo for () {
	estimates!(ParityDbWeight::get());
}
