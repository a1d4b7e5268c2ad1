//! Weights of the calls of `pallet_canaries`, measured by `scripts/bench/weights`.
//!
//! 2026-11-28, AMD EPYC, 2 cores; 6 steps, 8 measurements each.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{constants::ParityDbWeight, Weight}};

/// Weights that the calls of `pallet_canaries` need.
pub trait WeightInfo {
	/// `enrol`: at least 70835 ns.
	fn enrol() -> Weight;
	/// `leave`: at least 32148 ns.
	fn leave() -> Weight;
	/// `set_topic`: at least 425250 ns.
	fn set_topic() -> Weight;
	/// `set_windows`: at least 5098 ns.
	fn set_windows() -> Weight;
	/// `commit`: at least 50324 ns.
	fn commit() -> Weight;
	/// `authorize_commit`: at least 103864 ns.
	fn authorize_commit() -> Weight;
	/// `reveal`: at least 1303641 ns, `n` in 1..=16.
	fn reveal(n: u32, ) -> Weight;
	/// `authorize_reveal`: at least 259985 ns.
	fn authorize_reveal() -> Weight;
	/// `declare_audit`: at least 97434 ns.
	fn declare_audit() -> Weight;
	/// `authorize_declare_audit`: at least 138295 ns.
	fn authorize_declare_audit() -> Weight;
	/// `open_audit`: at least 434684 ns, `n` in 0..=10.
	fn open_audit(n: u32, ) -> Weight;
	/// `authorize_open_audit`: at least 2556628 ns.
	fn authorize_open_audit() -> Weight;
	/// `close_audits`: at least 23505 ns, `n` in 0..=32.
	fn close_audits(n: u32, ) -> Weight;
	/// `idle`: at least 17276 ns.
	fn idle() -> Weight;
	/// `open`: at least 42422 ns, `n` in 0..=90.
	fn open(n: u32, ) -> Weight;
	/// `judge`: at least 1618097 ns.
	fn judge() -> Weight;
	/// `register`: at least 106788 ns, `n` in 1..=16.
	fn register(n: u32, ) -> Weight;
	/// `withdraw`: at least 103062 ns.
	fn withdraw() -> Weight;
	/// `open_canary`: at least 1216502 ns.
	fn open_canary() -> Weight;
	/// `authorize_open_canary`: at least 1205056 ns.
	fn authorize_open_canary() -> Weight;
	/// `fold`: at least 246194 ns, `n` in 0..=16.
	fn fold(n: u32, ) -> Weight;
	/// `rate`: at least 1653300 ns, `n` in 0..=16.
	fn rate(n: u32, ) -> Weight;
	/// `forget`: at least 319203 ns.
	fn forget() -> Weight;
}

/// Weights as measured, with the runtime's database weights.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn enrol() -> Weight {
		Weight::from_parts(73198000, 3927)
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn leave() -> Weight {
		Weight::from_parts(34361000, 661)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn set_topic() -> Weight {
		Weight::from_parts(452421000, 622)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn set_windows() -> Weight {
		Weight::from_parts(5218000, 0)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn commit() -> Weight {
		Weight::from_parts(53009000, 3865)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn authorize_commit() -> Weight {
		Weight::from_parts(148070000, 3809)
			.saturating_add(T::DbWeight::get().reads(6_u64))
	}
	fn reveal(n: u32, ) -> Weight {
		Weight::from_parts(1015777052, 2483)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
			.saturating_add(Weight::from_parts(404244959, 497).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64.saturating_mul(n.into())))
	}
	fn authorize_reveal() -> Weight {
		Weight::from_parts(265814000, 4260)
			.saturating_add(T::DbWeight::get().reads(6_u64))
	}
	fn declare_audit() -> Weight {
		Weight::from_parts(98937000, 4662)
			.saturating_add(T::DbWeight::get().reads(12_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	fn authorize_declare_audit() -> Weight {
		Weight::from_parts(144494000, 4710)
			.saturating_add(T::DbWeight::get().reads(11_u64))
	}
	fn open_audit(n: u32, ) -> Weight {
		Weight::from_parts(768609083, 1732)
			.saturating_add(T::DbWeight::get().reads(17_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(Weight::from_parts(750621700, 1873).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(8_u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(3_u64.saturating_mul(n.into())))
	}
	fn authorize_open_audit() -> Weight {
		Weight::from_parts(2877563000, 3323)
			.saturating_add(T::DbWeight::get().reads(12_u64))
	}
	fn close_audits(n: u32, ) -> Weight {
		Weight::from_parts(62038618, 3940)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(Weight::from_parts(20420042, 245).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1_u64.saturating_mul(n.into())))
	}
	fn idle() -> Weight {
		Weight::from_parts(17957000, 4896)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn open(n: u32, ) -> Weight {
		Weight::from_parts(466266166, 10737)
			.saturating_add(T::DbWeight::get().reads(25_u64))
			.saturating_add(T::DbWeight::get().writes(17_u64))
			.saturating_add(Weight::from_parts(29314713, 1562).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(4_u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(2_u64.saturating_mul(n.into())))
	}
	fn judge() -> Weight {
		Weight::from_parts(1659839000, 130728)
			.saturating_add(T::DbWeight::get().reads(292_u64))
			.saturating_add(T::DbWeight::get().writes(13_u64))
	}
	fn register(n: u32, ) -> Weight {
		Weight::from_parts(112625704, 3729)
			.saturating_add(T::DbWeight::get().reads(10_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
			.saturating_add(Weight::from_parts(6736152, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().writes(1_u64.saturating_mul(n.into())))
	}
	fn withdraw() -> Weight {
		Weight::from_parts(105897000, 14074)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	fn open_canary() -> Weight {
		Weight::from_parts(1242621000, 9579)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn authorize_open_canary() -> Weight {
		Weight::from_parts(1211635000, 9579)
			.saturating_add(T::DbWeight::get().reads(5_u64))
	}
	fn fold(n: u32, ) -> Weight {
		Weight::from_parts(160928007, 21460)
			.saturating_add(T::DbWeight::get().reads(25_u64))
			.saturating_add(T::DbWeight::get().writes(10_u64))
			.saturating_add(Weight::from_parts(1284643444, 3159).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(11_u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(5_u64.saturating_mul(n.into())))
	}
	fn rate(n: u32, ) -> Weight {
		Weight::from_parts(1745416775, 149109)
			.saturating_add(T::DbWeight::get().reads(282_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
			.saturating_add(Weight::from_parts(1472373600, 1600).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn forget() -> Weight {
		Weight::from_parts(327205000, 26801)
			.saturating_add(T::DbWeight::get().reads(278_u64))
			.saturating_add(T::DbWeight::get().writes(285_u64))
	}
}

// For tests.
impl WeightInfo for () {
	fn enrol() -> Weight {
		Weight::from_parts(73198000, 3927)
			.saturating_add(ParityDbWeight::get().reads(9_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn leave() -> Weight {
		Weight::from_parts(34361000, 661)
			.saturating_add(ParityDbWeight::get().reads(5_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn set_topic() -> Weight {
		Weight::from_parts(452421000, 622)
			.saturating_add(ParityDbWeight::get().reads(2_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn set_windows() -> Weight {
		Weight::from_parts(5218000, 0)
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn commit() -> Weight {
		Weight::from_parts(53009000, 3865)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn authorize_commit() -> Weight {
		Weight::from_parts(148070000, 3809)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
	}
	fn reveal(n: u32, ) -> Weight {
		Weight::from_parts(1015777052, 2483)
			.saturating_add(ParityDbWeight::get().reads(5_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
			.saturating_add(Weight::from_parts(404244959, 497).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(1_u64.saturating_mul(n.into())))
	}
	fn authorize_reveal() -> Weight {
		Weight::from_parts(265814000, 4260)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
	}
	fn declare_audit() -> Weight {
		Weight::from_parts(98937000, 4662)
			.saturating_add(ParityDbWeight::get().reads(12_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
	}
	fn authorize_declare_audit() -> Weight {
		Weight::from_parts(144494000, 4710)
			.saturating_add(ParityDbWeight::get().reads(11_u64))
	}
	fn open_audit(n: u32, ) -> Weight {
		Weight::from_parts(768609083, 1732)
			.saturating_add(ParityDbWeight::get().reads(17_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
			.saturating_add(Weight::from_parts(750621700, 1873).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(8_u64.saturating_mul(n.into())))
			.saturating_add(ParityDbWeight::get().writes(3_u64.saturating_mul(n.into())))
	}
	fn authorize_open_audit() -> Weight {
		Weight::from_parts(2877563000, 3323)
			.saturating_add(ParityDbWeight::get().reads(12_u64))
	}
	fn close_audits(n: u32, ) -> Weight {
		Weight::from_parts(62038618, 3940)
			.saturating_add(ParityDbWeight::get().reads(4_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
			.saturating_add(Weight::from_parts(20420042, 245).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(1_u64.saturating_mul(n.into())))
			.saturating_add(ParityDbWeight::get().writes(1_u64.saturating_mul(n.into())))
	}
	fn idle() -> Weight {
		Weight::from_parts(17957000, 4896)
			.saturating_add(ParityDbWeight::get().reads(8_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn open(n: u32, ) -> Weight {
		Weight::from_parts(466266166, 10737)
			.saturating_add(ParityDbWeight::get().reads(25_u64))
			.saturating_add(ParityDbWeight::get().writes(17_u64))
			.saturating_add(Weight::from_parts(29314713, 1562).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(4_u64.saturating_mul(n.into())))
			.saturating_add(ParityDbWeight::get().writes(2_u64.saturating_mul(n.into())))
	}
	fn judge() -> Weight {
		Weight::from_parts(1659839000, 130728)
			.saturating_add(ParityDbWeight::get().reads(292_u64))
			.saturating_add(ParityDbWeight::get().writes(13_u64))
	}
	fn register(n: u32, ) -> Weight {
		Weight::from_parts(112625704, 3729)
			.saturating_add(ParityDbWeight::get().reads(10_u64))
			.saturating_add(ParityDbWeight::get().writes(5_u64))
			.saturating_add(Weight::from_parts(6736152, 0).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().writes(1_u64.saturating_mul(n.into())))
	}
	fn withdraw() -> Weight {
		Weight::from_parts(105897000, 14074)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
			.saturating_add(ParityDbWeight::get().writes(5_u64))
	}
	fn open_canary() -> Weight {
		Weight::from_parts(1242621000, 9579)
			.saturating_add(ParityDbWeight::get().reads(5_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn authorize_open_canary() -> Weight {
		Weight::from_parts(1211635000, 9579)
			.saturating_add(ParityDbWeight::get().reads(5_u64))
	}
	fn fold(n: u32, ) -> Weight {
		Weight::from_parts(160928007, 21460)
			.saturating_add(ParityDbWeight::get().reads(25_u64))
			.saturating_add(ParityDbWeight::get().writes(10_u64))
			.saturating_add(Weight::from_parts(1284643444, 3159).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(11_u64.saturating_mul(n.into())))
			.saturating_add(ParityDbWeight::get().writes(5_u64.saturating_mul(n.into())))
	}
	fn rate(n: u32, ) -> Weight {
		Weight::from_parts(1745416775, 149109)
			.saturating_add(ParityDbWeight::get().reads(282_u64))
			.saturating_add(ParityDbWeight::get().writes(5_u64))
			.saturating_add(Weight::from_parts(1472373600, 1600).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn forget() -> Weight {
		Weight::from_parts(327205000, 26801)
			.saturating_add(ParityDbWeight::get().reads(278_u64))
			.saturating_add(ParityDbWeight::get().writes(285_u64))
	}
}
