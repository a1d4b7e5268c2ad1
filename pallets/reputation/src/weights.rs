//! Weights of the calls of `pallet_reputation`, measured by `scripts/bench/weights`.
//!
//! 2026-11-28, AMD EPYC, 2 cores; 6 steps, 8 measurements each.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{constants::ParityDbWeight, Weight}};

/// Weights that the calls of `pallet_reputation` need.
pub trait WeightInfo {
	/// `set_knobs`: at least 7241 ns.
	fn set_knobs() -> Weight;
	/// `set_penalty`: at least 6830 ns.
	fn set_penalty() -> Weight;
	/// `merge_groups`: at least 372302 ns.
	fn merge_groups() -> Weight;
	/// `split_group`: at least 14371 ns.
	fn split_group() -> Weight;
	/// `clear_flag`: at least 21882 ns.
	fn clear_flag() -> Weight;
	/// `confirm_drift`: at least 63834 ns.
	fn confirm_drift() -> Weight;
	/// `compare`: at least 27791 ns.
	fn compare() -> Weight;
	/// `record`: at least 114470 ns, `n` in 1..=64.
	fn record(n: u32, ) -> Weight;
	/// `record_secret`: at least 107659 ns, `n` in 1..=64.
	fn record_secret(n: u32, ) -> Weight;
	/// `manifest_changed`: at least 34811 ns.
	fn manifest_changed() -> Weight;
	/// `offence`: at least 112938 ns.
	fn offence() -> Weight;
	/// `weights`: at least 70685 ns, `n` in 1..=90.
	fn weights(n: u32, ) -> Weight;
}

/// Weights as measured, with the runtime's database weights.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn set_knobs() -> Weight {
		Weight::from_parts(7702000, 0)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn set_penalty() -> Weight {
		Weight::from_parts(7341000, 0)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn merge_groups() -> Weight {
		Weight::from_parts(376428000, 8658)
			.saturating_add(T::DbWeight::get().reads(98_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn split_group() -> Weight {
		Weight::from_parts(15974000, 182)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn clear_flag() -> Weight {
		Weight::from_parts(28762000, 484)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn confirm_drift() -> Weight {
		Weight::from_parts(69883000, 4808)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn compare() -> Weight {
		Weight::from_parts(30855000, 509)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn record(n: u32, ) -> Weight {
		Weight::from_parts(101624540, 27898)
			.saturating_add(T::DbWeight::get().reads(12_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
			.saturating_add(Weight::from_parts(15373257, 0).saturating_mul(n.into()))
	}
	fn record_secret(n: u32, ) -> Weight {
		Weight::from_parts(103515955, 20165)
			.saturating_add(T::DbWeight::get().reads(12_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
			.saturating_add(Weight::from_parts(14297541, 0).saturating_mul(n.into()))
	}
	fn manifest_changed() -> Weight {
		Weight::from_parts(38507000, 507)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	fn offence() -> Weight {
		Weight::from_parts(120689000, 4916)
			.saturating_add(T::DbWeight::get().reads(10_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	fn weights(n: u32, ) -> Weight {
		Weight::from_parts(32880365, 1146)
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(Weight::from_parts(44786359, 1531).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(6_u64.saturating_mul(n.into())))
	}
}

// For tests.
impl WeightInfo for () {
	fn set_knobs() -> Weight {
		Weight::from_parts(7702000, 0)
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn set_penalty() -> Weight {
		Weight::from_parts(7341000, 0)
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn merge_groups() -> Weight {
		Weight::from_parts(376428000, 8658)
			.saturating_add(ParityDbWeight::get().reads(98_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn split_group() -> Weight {
		Weight::from_parts(15974000, 182)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn clear_flag() -> Weight {
		Weight::from_parts(28762000, 484)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn confirm_drift() -> Weight {
		Weight::from_parts(69883000, 4808)
			.saturating_add(ParityDbWeight::get().reads(8_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn compare() -> Weight {
		Weight::from_parts(30855000, 509)
			.saturating_add(ParityDbWeight::get().reads(4_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn record(n: u32, ) -> Weight {
		Weight::from_parts(101624540, 27898)
			.saturating_add(ParityDbWeight::get().reads(12_u64))
			.saturating_add(ParityDbWeight::get().writes(5_u64))
			.saturating_add(Weight::from_parts(15373257, 0).saturating_mul(n.into()))
	}
	fn record_secret(n: u32, ) -> Weight {
		Weight::from_parts(103515955, 20165)
			.saturating_add(ParityDbWeight::get().reads(12_u64))
			.saturating_add(ParityDbWeight::get().writes(4_u64))
			.saturating_add(Weight::from_parts(14297541, 0).saturating_mul(n.into()))
	}
	fn manifest_changed() -> Weight {
		Weight::from_parts(38507000, 507)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
			.saturating_add(ParityDbWeight::get().writes(4_u64))
	}
	fn offence() -> Weight {
		Weight::from_parts(120689000, 4916)
			.saturating_add(ParityDbWeight::get().reads(10_u64))
			.saturating_add(ParityDbWeight::get().writes(5_u64))
	}
	fn weights(n: u32, ) -> Weight {
		Weight::from_parts(32880365, 1146)
			.saturating_add(ParityDbWeight::get().reads(7_u64))
			.saturating_add(Weight::from_parts(44786359, 1531).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(6_u64.saturating_mul(n.into())))
	}
}
