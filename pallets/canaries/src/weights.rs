//! Weights of the calls of `pallet_canaries` and of its work in a block. ESTIMATES, not measured yet: run `scripts/bench/weights`.
//!
//! Estimated from reads, writes, the sizes of the values and the cost of checking an answer, well above what a call can take.

#![cfg_attr(rustfmt, rustfmt_skip)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{constants::ParityDbWeight, RuntimeDbWeight, Weight}};

/// Weights that the calls of `pallet_canaries` need.
pub trait WeightInfo {
	/// `enrol`.
	fn enrol() -> Weight;
	/// `leave`.
	fn leave() -> Weight;
	/// `set_topic`.
	fn set_topic() -> Weight;
	/// `set_windows`.
	fn set_windows() -> Weight;
	/// `commit`.
	fn commit() -> Weight;
	/// `authorize_commit`.
	fn authorize_commit() -> Weight;
	/// `reveal` of `n` answers, `n` in 1..=16.
	fn reveal(n: u32, ) -> Weight;
	/// `authorize_reveal` of 16 answers.
	fn authorize_reveal() -> Weight;
	/// `register` of `n` canaries, `n` in 1..=16.
	fn register(n: u32, ) -> Weight;
	/// `withdraw`.
	fn withdraw() -> Weight;
	/// `open_canary`.
	fn open_canary() -> Weight;
	/// `authorize_open_canary`.
	fn authorize_open_canary() -> Weight;
	/// `declare_audit`.
	fn declare_audit() -> Weight;
	/// `authorize_declare_audit`.
	fn authorize_declare_audit() -> Weight;
	/// `open_audit` with `n` entries, `n` in 0..=10.
	fn open_audit(n: u32, ) -> Weight;
	/// `authorize_open_audit` with 10 entries.
	fn authorize_open_audit() -> Weight;
	/// Closing or forgetting the `n` blind audits of an epoch, `n` in 0..=32.
	fn close_audits(n: u32, ) -> Weight;
	/// A block in which nothing is due.
	fn idle() -> Weight;
	/// Opening a round of a topic with `n` enrolments, `n` in 0..=100.
	fn open(n: u32, ) -> Weight;
	/// Judging the four canaries of members in a round of 100 nodes.
	fn judge() -> Weight;
	/// Folding the duties of `n` nodes, `n` in 0..=16.
	fn fold(n: u32, ) -> Weight;
	/// Bringing pass rates up to date with the answers of `n` nodes, `n` in 0..=16.
	fn rate(n: u32, ) -> Weight;
	/// Removing a round with 100 nodes.
	fn forget() -> Weight;
}

fn estimate(db: RuntimeDbWeight, micros: u64, size: u64, reads: u64, writes: u64) -> Weight {
	Weight::from_parts(micros.saturating_mul(1_000_000), size)
		.saturating_add(db.reads(reads))
		.saturating_add(db.writes(writes))
}

macro_rules! estimates {
	($db:expr) => {
		fn enrol() -> Weight { estimate($db, 60, 12_000, 10, 3) }
		fn leave() -> Weight { estimate($db, 40, 4_000, 4, 2) }
		fn set_topic() -> Weight { estimate($db, 60, 6_000, 4, 2) }
		fn set_windows() -> Weight { estimate($db, 20, 500, 0, 1) }
		fn commit() -> Weight { estimate($db, 60, 16_000, 6, 2) }
		fn authorize_commit() -> Weight { estimate($db, 110, 16_000, 6, 0) }
		fn reveal(n: u32) -> Weight { estimate($db, 120_u64.saturating_add(u64::from(n).saturating_mul(150)), 20_000, 7, 2) }
		fn authorize_reveal() -> Weight { estimate($db, 260, 20_000, 6, 0) }
		fn register(n: u32) -> Weight { estimate($db, 100_u64.saturating_add(u64::from(n).saturating_mul(20)), 20_000, 8, u64::from(n).saturating_add(5)) }
		fn withdraw() -> Weight { estimate($db, 100, 20_000, 5, 5) }
		fn open_canary() -> Weight { estimate($db, 400, 20_000, 6, 1) }
		fn authorize_open_canary() -> Weight { estimate($db, 400, 20_000, 6, 0) }
		fn declare_audit() -> Weight { estimate($db, 60, 8_000, 9, 3) }
		fn authorize_declare_audit() -> Weight { estimate($db, 110, 8_000, 8, 0) }
		fn open_audit(n: u32) -> Weight { estimate($db, 4_000_u64.saturating_add(u64::from(n).saturating_mul(700)), 200_000, u64::from(n).saturating_mul(10).saturating_add(110), u64::from(n).saturating_mul(6).saturating_add(3)) }
		fn authorize_open_audit() -> Weight { estimate($db, 9_000, 60_000, 160, 0) }
		fn close_audits(n: u32) -> Weight { estimate($db, 50_u64.saturating_add(u64::from(n).saturating_mul(200)), 60_000, u64::from(n).saturating_mul(103).saturating_add(2), u64::from(n).saturating_mul(2).saturating_add(1)) }
		fn idle() -> Weight { estimate($db, 30, 20_000, 25, 1) }
		fn open(n: u32) -> Weight { estimate($db, 500_u64.saturating_add(u64::from(n).saturating_mul(20)), 20_000, u64::from(n).saturating_mul(5).saturating_add(60), u64::from(n).saturating_mul(3).saturating_add(35)) }
		fn judge() -> Weight { estimate($db, 3_000, 200_000, 220, 16) }
		fn fold(n: u32) -> Weight { estimate($db, 100_u64.saturating_add(u64::from(n).saturating_mul(1_500)), 200_000, u64::from(n).saturating_mul(44).saturating_add(3), u64::from(n).saturating_mul(6).saturating_add(2)) }
		fn rate(n: u32) -> Weight { estimate($db, 1_000_u64.saturating_add(u64::from(n).saturating_mul(800)), 300_000, u64::from(n).saturating_mul(36).saturating_add(303), u64::from(n).saturating_mul(34).saturating_add(2)) }
		fn forget() -> Weight { estimate($db, 2_000, 400_000, 310, 310) }
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
