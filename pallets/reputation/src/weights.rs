//! Weights of the calls of `pallet_reputation` and of what other pallets call. ESTIMATES, not measured yet: run `scripts/bench/weights`.
//!
//! Estimated from reads, writes and the sizes of the values (ring 8 KiB, history 4 KiB, waiting outcomes 16 KiB at most) and
//! of the logarithms that a bet takes, well above what a call can take.

#![cfg_attr(rustfmt, rustfmt_skip)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{constants::ParityDbWeight, Weight}};

/// Weights that the calls of `pallet_reputation` need.
pub trait WeightInfo {
	/// `set_knobs`.
	fn set_knobs() -> Weight;
	/// `set_penalty`.
	fn set_penalty() -> Weight;
	/// `merge_groups`.
	fn merge_groups() -> Weight;
	/// `split_group`.
	fn split_group() -> Weight;
	/// `clear_flag`.
	fn clear_flag() -> Weight;
	/// `confirm_drift`.
	fn confirm_drift() -> Weight;
	/// `record` of `n` duties, `n` in 1..=64, each of which finds a partner.
	fn record(n: u32, ) -> Weight;
	/// `record_secret` of `n` duties, `n` in 1..=64, each of which finds a partner.
	fn record_secret(n: u32, ) -> Weight;
	/// `compare`.
	fn compare() -> Weight;
	/// `manifest_changed`.
	fn manifest_changed() -> Weight;
	/// `offence`.
	fn offence() -> Weight;
	/// `weights` of a topic with `n` nodes, `n` in 1..=100.
	fn weights(n: u32, ) -> Weight;
}

/// Weights as estimated, with the runtime's database weights.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn set_knobs() -> Weight {
		Weight::from_parts(30000000, 1000)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn set_penalty() -> Weight {
		Weight::from_parts(30000000, 1000)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn merge_groups() -> Weight {
		Weight::from_parts(200000000, 20000)
			.saturating_add(T::DbWeight::get().reads(110_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn split_group() -> Weight {
		Weight::from_parts(60000000, 10000)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn clear_flag() -> Weight {
		Weight::from_parts(60000000, 10000)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn confirm_drift() -> Weight {
		Weight::from_parts(200000000, 20000)
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().writes(6_u64))
	}
	fn record(n: u32, ) -> Weight {
		Weight::from_parts(250000000, 50000)
			.saturating_add(Weight::from_parts(150000000, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(18_u64))
			.saturating_add(T::DbWeight::get().writes(10_u64))
	}
	fn record_secret(n: u32, ) -> Weight {
		Self::record(n)
	}
	fn compare() -> Weight {
		Weight::from_parts(200000000, 10000)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn manifest_changed() -> Weight {
		Weight::from_parts(60000000, 10000)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	fn offence() -> Weight {
		Weight::from_parts(150000000, 20000)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	fn weights(n: u32, ) -> Weight {
		Weight::from_parts(50000000, 10000)
			.saturating_add(Weight::from_parts(200000000, 10000).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().reads(12_u64.saturating_mul(n.into())))
	}
}

// For tests.
impl WeightInfo for () {
	fn set_knobs() -> Weight {
		Weight::from_parts(30000000, 1000)
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn set_penalty() -> Weight {
		Weight::from_parts(30000000, 1000)
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn merge_groups() -> Weight {
		Weight::from_parts(200000000, 20000)
			.saturating_add(ParityDbWeight::get().reads(110_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn split_group() -> Weight {
		Weight::from_parts(60000000, 10000)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn clear_flag() -> Weight {
		Weight::from_parts(60000000, 10000)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn confirm_drift() -> Weight {
		Weight::from_parts(200000000, 20000)
			.saturating_add(ParityDbWeight::get().reads(9_u64))
			.saturating_add(ParityDbWeight::get().writes(6_u64))
	}
	fn record(n: u32, ) -> Weight {
		Weight::from_parts(250000000, 50000)
			.saturating_add(Weight::from_parts(150000000, 0).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(18_u64))
			.saturating_add(ParityDbWeight::get().writes(10_u64))
	}
	fn record_secret(n: u32, ) -> Weight {
		Self::record(n)
	}
	fn compare() -> Weight {
		Weight::from_parts(200000000, 10000)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn manifest_changed() -> Weight {
		Weight::from_parts(60000000, 10000)
			.saturating_add(ParityDbWeight::get().reads(5_u64))
			.saturating_add(ParityDbWeight::get().writes(4_u64))
	}
	fn offence() -> Weight {
		Weight::from_parts(150000000, 20000)
			.saturating_add(ParityDbWeight::get().reads(8_u64))
			.saturating_add(ParityDbWeight::get().writes(5_u64))
	}
	fn weights(n: u32, ) -> Weight {
		Weight::from_parts(50000000, 10000)
			.saturating_add(Weight::from_parts(200000000, 10000).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().reads(12_u64.saturating_mul(n.into())))
	}
}
