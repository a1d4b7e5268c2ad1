//! Weights of the calls of `pallet_registry`.
//!
//! NOT MEASURED YET: generous estimates in the shape that the benchmark tool writes, until `scripts/bench/weights` replaces this file.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{constants::ParityDbWeight, Weight}};

/// Weights that the calls of `pallet_registry` need.
pub trait WeightInfo {
	/// Worst case: full policy.
	fn register_topic() -> Weight;
	/// Worst case: a champion on each of `MaxChampions` bases.
	fn update_topic() -> Weight;
	/// Worst case: an adapter with a full record; one signature.
	fn register_model() -> Weight;
	/// A candidate.
	fn retire_model() -> Weight;
	/// Worst case: a new champion replaces the former one.
	fn set_status() -> Weight;
	/// An adapter.
	fn remove_model() -> Weight;
	/// Worst case: an adapter; `MaxServing` entries.
	fn serve() -> Weight;
	/// Worst case: `MaxServing` entries.
	fn stop_serving() -> Weight;
}

/// Weights on the reference machine, with the runtime's database weights.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// Worst case: full policy.
	fn register_topic() -> Weight {
		Weight::from_parts(20000000, 3000)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Worst case: a champion on each of `MaxChampions` bases.
	fn update_topic() -> Weight {
		Weight::from_parts(120000000, 40000)
			.saturating_add(T::DbWeight::get().reads(20))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Worst case: an adapter with a full record; one signature.
	fn register_model() -> Weight {
		Weight::from_parts(120000000, 10000)
			.saturating_add(T::DbWeight::get().reads(10))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// A candidate.
	fn retire_model() -> Weight {
		Weight::from_parts(25000000, 6000)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// Worst case: a new champion replaces the former one.
	fn set_status() -> Weight {
		Weight::from_parts(60000000, 16000)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	/// An adapter.
	fn remove_model() -> Weight {
		Weight::from_parts(25000000, 6000)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// Worst case: an adapter; `MaxServing` entries.
	fn serve() -> Weight {
		Weight::from_parts(60000000, 16000)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// Worst case: `MaxServing` entries.
	fn stop_serving() -> Weight {
		Weight::from_parts(30000000, 8000)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}

// For tests.
impl WeightInfo for () {
	/// Worst case: full policy.
	fn register_topic() -> Weight {
		Weight::from_parts(20000000, 3000)
			.saturating_add(ParityDbWeight::get().reads(3))
			.saturating_add(ParityDbWeight::get().writes(3))
	}
	/// Worst case: a champion on each of `MaxChampions` bases.
	fn update_topic() -> Weight {
		Weight::from_parts(120000000, 40000)
			.saturating_add(ParityDbWeight::get().reads(20))
			.saturating_add(ParityDbWeight::get().writes(1))
	}
	/// Worst case: an adapter with a full record; one signature.
	fn register_model() -> Weight {
		Weight::from_parts(120000000, 10000)
			.saturating_add(ParityDbWeight::get().reads(10))
			.saturating_add(ParityDbWeight::get().writes(4))
	}
	/// A candidate.
	fn retire_model() -> Weight {
		Weight::from_parts(25000000, 6000)
			.saturating_add(ParityDbWeight::get().reads(3))
			.saturating_add(ParityDbWeight::get().writes(2))
	}
	/// Worst case: a new champion replaces the former one.
	fn set_status() -> Weight {
		Weight::from_parts(60000000, 16000)
			.saturating_add(ParityDbWeight::get().reads(7))
			.saturating_add(ParityDbWeight::get().writes(6))
	}
	/// An adapter.
	fn remove_model() -> Weight {
		Weight::from_parts(25000000, 6000)
			.saturating_add(ParityDbWeight::get().reads(3))
			.saturating_add(ParityDbWeight::get().writes(3))
	}
	/// Worst case: an adapter; `MaxServing` entries.
	fn serve() -> Weight {
		Weight::from_parts(60000000, 16000)
			.saturating_add(ParityDbWeight::get().reads(6))
			.saturating_add(ParityDbWeight::get().writes(1))
	}
	/// Worst case: `MaxServing` entries.
	fn stop_serving() -> Weight {
		Weight::from_parts(30000000, 8000)
			.saturating_add(ParityDbWeight::get().reads(2))
			.saturating_add(ParityDbWeight::get().writes(1))
	}
}
