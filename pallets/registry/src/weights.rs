//! Weights of the calls of `pallet_registry`, measured by `scripts/bench/weights`.
//!
//! 2026-11-22, AMD EPYC, 2 cores; 20 steps, 20 measurements each.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{constants::ParityDbWeight, Weight}};

/// Weights that the calls of `pallet_registry` need.
pub trait WeightInfo {
	/// `register_topic`: at least 23174 ns.
	fn register_topic() -> Weight;
	/// `update_topic`: at least 159256 ns.
	fn update_topic() -> Weight;
	/// `register_model`: at least 139717 ns.
	fn register_model() -> Weight;
	/// `retire_model`: at least 40881 ns.
	fn retire_model() -> Weight;
	/// `set_status`: at least 64896 ns.
	fn set_status() -> Weight;
	/// `remove_model`: at least 22634 ns.
	fn remove_model() -> Weight;
	/// `serve`: at least 72998 ns.
	fn serve() -> Weight;
	/// `stop_serving`: at least 41772 ns.
	fn stop_serving() -> Weight;
}

/// Weights as measured, with the runtime's database weights.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn register_topic() -> Weight {
		Weight::from_parts(24076000, 292)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	fn update_topic() -> Weight {
		Weight::from_parts(164635000, 19287)
			.saturating_add(T::DbWeight::get().reads(18_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn register_model() -> Weight {
		Weight::from_parts(144825000, 3901)
			.saturating_add(T::DbWeight::get().reads(10_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	fn retire_model() -> Weight {
		Weight::from_parts(43605000, 3064)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn set_status() -> Weight {
		Weight::from_parts(67380000, 5181)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	fn remove_model() -> Weight {
		Weight::from_parts(24226000, 1427)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	fn serve() -> Weight {
		Weight::from_parts(76664000, 7325)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn stop_serving() -> Weight {
		Weight::from_parts(44115000, 4324)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
}

// For tests.
impl WeightInfo for () {
	fn register_topic() -> Weight {
		Weight::from_parts(24076000, 292)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
	}
	fn update_topic() -> Weight {
		Weight::from_parts(164635000, 19287)
			.saturating_add(ParityDbWeight::get().reads(18_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn register_model() -> Weight {
		Weight::from_parts(144825000, 3901)
			.saturating_add(ParityDbWeight::get().reads(10_u64))
			.saturating_add(ParityDbWeight::get().writes(4_u64))
	}
	fn retire_model() -> Weight {
		Weight::from_parts(43605000, 3064)
			.saturating_add(ParityDbWeight::get().reads(4_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn set_status() -> Weight {
		Weight::from_parts(67380000, 5181)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
			.saturating_add(ParityDbWeight::get().writes(4_u64))
	}
	fn remove_model() -> Weight {
		Weight::from_parts(24226000, 1427)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
	}
	fn serve() -> Weight {
		Weight::from_parts(76664000, 7325)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn stop_serving() -> Weight {
		Weight::from_parts(44115000, 4324)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
}
