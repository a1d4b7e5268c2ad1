//! Weights of the calls of `pallet_receipts`, measured by `scripts/bench/weights`.
//!
//! 2026-11-22, AMD EPYC, 2 cores; 20 steps, 20 measurements each.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{constants::ParityDbWeight, Weight}};

/// Weights that the calls of `pallet_receipts` need.
pub trait WeightInfo {
	/// `anchor_batch`: at least 40320 ns.
	fn anchor_batch() -> Weight;
	/// `authorize_anchor_batch`: at least 75122 ns.
	fn authorize_anchor_batch() -> Weight;
	/// `prune`: at least 5107 ns, `n` in 0..=64.
	fn prune(n: u32, ) -> Weight;
}

/// Weights as measured, with the runtime's database weights.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn anchor_batch() -> Weight {
		Weight::from_parts(49133000, 1929)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	fn authorize_anchor_batch() -> Weight {
		Weight::from_parts(78026000, 2098)
			.saturating_add(T::DbWeight::get().reads(5_u64))
	}
	fn prune(n: u32, ) -> Weight {
		Weight::from_parts(997105, 192)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(Weight::from_parts(16554957, 225).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(3_u64.saturating_mul(n.into())))
	}
}

// For tests.
impl WeightInfo for () {
	fn anchor_batch() -> Weight {
		Weight::from_parts(49133000, 1929)
			.saturating_add(ParityDbWeight::get().reads(4_u64))
			.saturating_add(ParityDbWeight::get().writes(4_u64))
	}
	fn authorize_anchor_batch() -> Weight {
		Weight::from_parts(78026000, 2098)
			.saturating_add(ParityDbWeight::get().reads(5_u64))
	}
	fn prune(n: u32, ) -> Weight {
		Weight::from_parts(997105, 192)
			.saturating_add(ParityDbWeight::get().reads(2_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
			.saturating_add(Weight::from_parts(16554957, 225).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(3_u64.saturating_mul(n.into())))
			.saturating_add(ParityDbWeight::get().writes(3_u64.saturating_mul(n.into())))
	}
}
