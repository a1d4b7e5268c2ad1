//! Weights of the calls of `pallet_memory`, measured by `scripts/bench/weights`.
//!
//! 2026-11-28, AMD EPYC, 2 cores; 6 steps, 8 measurements each.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{constants::ParityDbWeight, Weight}};

/// Weights that the calls of `pallet_memory` need.
pub trait WeightInfo {
	/// `create_namespace`: at least 83013 ns.
	fn create_namespace() -> Weight;
	/// `set_policy`: at least 20470 ns.
	fn set_policy() -> Weight;
	/// `transfer`: at least 20480 ns.
	fn transfer() -> Weight;
	/// `grant`: at least 30375 ns.
	fn grant() -> Weight;
	/// `delete_namespace`: at least 291903 ns.
	fn delete_namespace() -> Weight;
	/// `commit_root`: at least 67510 ns.
	fn commit_root() -> Weight;
	/// `authorize_commit_root`: at least 96553 ns.
	fn authorize_commit_root() -> Weight;
	/// `commit_root_by_council`: at least 43725 ns.
	fn commit_root_by_council() -> Weight;
	/// `snapshot`: at least 33019 ns.
	fn snapshot() -> Weight;
	/// `drop_snapshot`: at least 35703 ns.
	fn drop_snapshot() -> Weight;
	/// `verify_fragments`: at least 26138 ns, `n` in 1..=4096.
	fn verify_fragments(n: u32, ) -> Weight;
}

/// Weights as measured, with the runtime's database weights.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn create_namespace() -> Weight {
		Weight::from_parts(86609000, 779)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	fn set_policy() -> Weight {
		Weight::from_parts(21732000, 1034)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn transfer() -> Weight {
		Weight::from_parts(20821000, 1034)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn grant() -> Weight {
		Weight::from_parts(31197000, 1689)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn delete_namespace() -> Weight {
		Weight::from_parts(303008000, 11510)
			.saturating_add(T::DbWeight::get().reads(195_u64))
			.saturating_add(T::DbWeight::get().writes(196_u64))
	}
	fn commit_root() -> Weight {
		Weight::from_parts(70043000, 3654)
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	fn authorize_commit_root() -> Weight {
		Weight::from_parts(101250000, 2961)
			.saturating_add(T::DbWeight::get().reads(8_u64))
	}
	fn commit_root_by_council() -> Weight {
		Weight::from_parts(44847000, 1902)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	fn snapshot() -> Weight {
		Weight::from_parts(35853000, 1728)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn drop_snapshot() -> Weight {
		Weight::from_parts(38587000, 1993)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn verify_fragments(n: u32, ) -> Weight {
		Weight::from_parts(43330318, 473)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(Weight::from_parts(1643074, 0).saturating_mul(n.into()))
	}
}

// For tests.
impl WeightInfo for () {
	fn create_namespace() -> Weight {
		Weight::from_parts(86609000, 779)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
			.saturating_add(ParityDbWeight::get().writes(4_u64))
	}
	fn set_policy() -> Weight {
		Weight::from_parts(21732000, 1034)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn transfer() -> Weight {
		Weight::from_parts(20821000, 1034)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn grant() -> Weight {
		Weight::from_parts(31197000, 1689)
			.saturating_add(ParityDbWeight::get().reads(2_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn delete_namespace() -> Weight {
		Weight::from_parts(303008000, 11510)
			.saturating_add(ParityDbWeight::get().reads(195_u64))
			.saturating_add(ParityDbWeight::get().writes(196_u64))
	}
	fn commit_root() -> Weight {
		Weight::from_parts(70043000, 3654)
			.saturating_add(ParityDbWeight::get().reads(7_u64))
			.saturating_add(ParityDbWeight::get().writes(4_u64))
	}
	fn authorize_commit_root() -> Weight {
		Weight::from_parts(101250000, 2961)
			.saturating_add(ParityDbWeight::get().reads(8_u64))
	}
	fn commit_root_by_council() -> Weight {
		Weight::from_parts(44847000, 1902)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
	}
	fn snapshot() -> Weight {
		Weight::from_parts(35853000, 1728)
			.saturating_add(ParityDbWeight::get().reads(2_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn drop_snapshot() -> Weight {
		Weight::from_parts(38587000, 1993)
			.saturating_add(ParityDbWeight::get().reads(2_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn verify_fragments(n: u32, ) -> Weight {
		Weight::from_parts(43330318, 473)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(Weight::from_parts(1643074, 0).saturating_mul(n.into()))
	}
}
