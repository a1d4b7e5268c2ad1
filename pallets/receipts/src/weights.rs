//! Weights of the calls of `pallet_receipts`.
//!
//! NOT MEASURED YET: generous estimates in the shape that the benchmark tool writes, until `scripts/bench/weights` replaces this file.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{constants::ParityDbWeight, Weight}};

/// Weights that the calls of `pallet_receipts` need.
pub trait WeightInfo {
	/// One batch.
	fn anchor_batch() -> Weight;
	/// State checks and one signature.
	fn authorize_anchor_batch() -> Weight;
	/// `n` expired batches.
	fn prune(n: u32, ) -> Weight;
}

/// Weights on the reference machine, with the runtime's database weights.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// One batch.
	fn anchor_batch() -> Weight {
		Weight::from_parts(30000000, 6000)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// State checks and one signature.
	fn authorize_anchor_batch() -> Weight {
		Weight::from_parts(100000000, 6000)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(0))
	}
	/// `n` expired batches.
	fn prune(n: u32, ) -> Weight {
		Weight::from_parts(5000000, 1500)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(Weight::from_parts(15000000, 3000).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(3_u64.saturating_mul(n.into())))
	}
}

// For tests.
impl WeightInfo for () {
	/// One batch.
	fn anchor_batch() -> Weight {
		Weight::from_parts(30000000, 6000)
			.saturating_add(ParityDbWeight::get().reads(5))
			.saturating_add(ParityDbWeight::get().writes(4))
	}
	/// State checks and one signature.
	fn authorize_anchor_batch() -> Weight {
		Weight::from_parts(100000000, 6000)
			.saturating_add(ParityDbWeight::get().reads(5))
			.saturating_add(ParityDbWeight::get().writes(0))
	}
	/// `n` expired batches.
	fn prune(n: u32, ) -> Weight {
		Weight::from_parts(5000000, 1500)
			.saturating_add(ParityDbWeight::get().reads(2))
			.saturating_add(ParityDbWeight::get().writes(1))
			.saturating_add(Weight::from_parts(15000000, 3000).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(3_u64.saturating_mul(n.into())))
			.saturating_add(ParityDbWeight::get().writes(3_u64.saturating_mul(n.into())))
	}
}
