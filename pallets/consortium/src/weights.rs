//! Weights of the calls of `pallet_consortium`, measured by `scripts/bench/weights`.
//!
//! 2026-11-28, AMD EPYC, 2 cores; 6 steps, 8 measurements each.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{constants::ParityDbWeight, Weight}};

/// Weights that the calls of `pallet_consortium` need.
pub trait WeightInfo {
	/// `apply`: at least 18868 ns.
	fn apply() -> Weight;
	/// `withdraw_application`: at least 12068 ns.
	fn withdraw_application() -> Weight;
	/// `admit_member`: at least 72958 ns.
	fn admit_member() -> Weight;
	/// `decline_candidate`: at least 11898 ns.
	fn decline_candidate() -> Weight;
	/// `leave`: at least 42213 ns, `n` in 1..=8.
	fn leave(n: u32, ) -> Weight;
	/// `register_node`: at least 159907 ns.
	fn register_node() -> Weight;
	/// `activate_node`: at least 50766 ns, `n` in 1..=100.
	fn activate_node(n: u32, ) -> Weight;
	/// `leave_node`: at least 28492 ns.
	fn leave_node() -> Weight;
	/// `withdraw_bond`: at least 252704 ns.
	fn withdraw_bond() -> Weight;
	/// `add_bond`: at least 83874 ns.
	fn add_bond() -> Weight;
	/// `update_node`: at least 44486 ns, `n` in 1..=100.
	fn update_node(n: u32, ) -> Weight;
	/// `rotate_worker_key`: at least 172957 ns.
	fn rotate_worker_key() -> Weight;
	/// `rotate_peer_id`: at least 34952 ns.
	fn rotate_peer_id() -> Weight;
	/// `set_addresses`: at least 27260 ns.
	fn set_addresses() -> Weight;
	/// `suspend_member`: at least 141520 ns, `n` in 4..=100.
	fn suspend_member(n: u32, ) -> Weight;
	/// `suspend_node`: at least 156933 ns, `n` in 4..=100.
	fn suspend_node(n: u32, ) -> Weight;
	/// `reinstate_member`: at least 41291 ns, `n` in 1..=8.
	fn reinstate_member(n: u32, ) -> Weight;
	/// `reinstate_node`: at least 49703 ns.
	fn reinstate_node() -> Weight;
	/// `revoke_member`: at least 47690 ns, `n` in 1..=8.
	fn revoke_member(n: u32, ) -> Weight;
	/// `propose_root`: at least 29694 ns, `l` in 0..=1000000.
	fn propose_root(l: u32, ) -> Weight;
	/// `cancel_root`: at least 37535 ns.
	fn cancel_root() -> Weight;
	/// `on_offence`: at least 207087 ns, `n` in 4..=100.
	fn on_offence(n: u32, ) -> Weight;
	/// `forget_executed_root_proposals`: at least 4587 ns, `p` in 0..=16.
	fn forget_executed_root_proposals(p: u32, ) -> Weight;
}

/// Weights as measured, with the runtime's database weights.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn apply() -> Weight {
		Weight::from_parts(20420000, 510)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn withdraw_application() -> Weight {
		Weight::from_parts(12839000, 433)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn admit_member() -> Weight {
		Weight::from_parts(74631000, 716)
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	fn decline_candidate() -> Weight {
		Weight::from_parts(12418000, 433)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn leave(n: u32, ) -> Weight {
		Weight::from_parts(31205271, 604)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
			.saturating_add(Weight::from_parts(14785114, 1221).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1_u64.saturating_mul(n.into())))
	}
	fn register_node() -> Weight {
		Weight::from_parts(166617000, 911)
			.saturating_add(T::DbWeight::get().reads(12_u64))
			.saturating_add(T::DbWeight::get().writes(8_u64))
	}
	fn activate_node(n: u32, ) -> Weight {
		Weight::from_parts(59436922, 1071)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(Weight::from_parts(6994809, 1200).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64.saturating_mul(n.into())))
	}
	fn leave_node() -> Weight {
		Weight::from_parts(30365000, 1580)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn withdraw_bond() -> Weight {
		Weight::from_parts(262889000, 3909)
			.saturating_add(T::DbWeight::get().reads(14_u64))
			.saturating_add(T::DbWeight::get().writes(48_u64))
	}
	fn add_bond() -> Weight {
		Weight::from_parts(85838000, 1776)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	fn update_node(n: u32, ) -> Weight {
		Weight::from_parts(46807620, 817)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(Weight::from_parts(7254145, 1196).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64.saturating_mul(n.into())))
	}
	fn rotate_worker_key() -> Weight {
		Weight::from_parts(191774000, 3871)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn rotate_peer_id() -> Weight {
		Weight::from_parts(38227000, 1626)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	fn set_addresses() -> Weight {
		Weight::from_parts(28803000, 1571)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn suspend_member(n: u32, ) -> Weight {
		Weight::from_parts(53305964, 788)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
			.saturating_add(Weight::from_parts(23906374, 1265).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn suspend_node(n: u32, ) -> Weight {
		Weight::from_parts(113534547, 698)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
			.saturating_add(Weight::from_parts(23825353, 1265).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn reinstate_member(n: u32, ) -> Weight {
		Weight::from_parts(29031962, 739)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
			.saturating_add(Weight::from_parts(14180968, 1221).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn reinstate_node() -> Weight {
		Weight::from_parts(51877000, 1962)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn revoke_member(n: u32, ) -> Weight {
		Weight::from_parts(36642247, 711)
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
			.saturating_add(Weight::from_parts(14031570, 1221).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1_u64.saturating_mul(n.into())))
	}
	fn propose_root(l: u32, ) -> Weight {
		Weight::from_parts(50468738, 444)
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
			.saturating_add(Weight::from_parts(3767, 0).saturating_mul(l.into()))
	}
	fn cancel_root() -> Weight {
		Weight::from_parts(38467000, 745)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	fn on_offence(n: u32, ) -> Weight {
		Weight::from_parts(118294142, 944)
			.saturating_add(T::DbWeight::get().reads(11_u64))
			.saturating_add(T::DbWeight::get().writes(6_u64))
			.saturating_add(Weight::from_parts(23889939, 1268).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn forget_executed_root_proposals(p: u32, ) -> Weight {
		Weight::from_parts(6836586, 406)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(Weight::from_parts(2890836, 13).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64.saturating_mul(p.into())))
	}
}

// For tests.
impl WeightInfo for () {
	fn apply() -> Weight {
		Weight::from_parts(20420000, 510)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn withdraw_application() -> Weight {
		Weight::from_parts(12839000, 433)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn admit_member() -> Weight {
		Weight::from_parts(74631000, 716)
			.saturating_add(ParityDbWeight::get().reads(7_u64))
			.saturating_add(ParityDbWeight::get().writes(7_u64))
	}
	fn decline_candidate() -> Weight {
		Weight::from_parts(12418000, 433)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn leave(n: u32, ) -> Weight {
		Weight::from_parts(31205271, 604)
			.saturating_add(ParityDbWeight::get().reads(5_u64))
			.saturating_add(ParityDbWeight::get().writes(4_u64))
			.saturating_add(Weight::from_parts(14785114, 1221).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(1_u64.saturating_mul(n.into())))
			.saturating_add(ParityDbWeight::get().writes(1_u64.saturating_mul(n.into())))
	}
	fn register_node() -> Weight {
		Weight::from_parts(166617000, 911)
			.saturating_add(ParityDbWeight::get().reads(12_u64))
			.saturating_add(ParityDbWeight::get().writes(8_u64))
	}
	fn activate_node(n: u32, ) -> Weight {
		Weight::from_parts(59436922, 1071)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
			.saturating_add(Weight::from_parts(6994809, 1200).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(1_u64.saturating_mul(n.into())))
	}
	fn leave_node() -> Weight {
		Weight::from_parts(30365000, 1580)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn withdraw_bond() -> Weight {
		Weight::from_parts(262889000, 3909)
			.saturating_add(ParityDbWeight::get().reads(14_u64))
			.saturating_add(ParityDbWeight::get().writes(48_u64))
	}
	fn add_bond() -> Weight {
		Weight::from_parts(85838000, 1776)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
			.saturating_add(ParityDbWeight::get().writes(4_u64))
	}
	fn update_node(n: u32, ) -> Weight {
		Weight::from_parts(46807620, 817)
			.saturating_add(ParityDbWeight::get().reads(4_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
			.saturating_add(Weight::from_parts(7254145, 1196).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(1_u64.saturating_mul(n.into())))
	}
	fn rotate_worker_key() -> Weight {
		Weight::from_parts(191774000, 3871)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn rotate_peer_id() -> Weight {
		Weight::from_parts(38227000, 1626)
			.saturating_add(ParityDbWeight::get().reads(2_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
	}
	fn set_addresses() -> Weight {
		Weight::from_parts(28803000, 1571)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn suspend_member(n: u32, ) -> Weight {
		Weight::from_parts(53305964, 788)
			.saturating_add(ParityDbWeight::get().reads(8_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
			.saturating_add(Weight::from_parts(23906374, 1265).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn suspend_node(n: u32, ) -> Weight {
		Weight::from_parts(113534547, 698)
			.saturating_add(ParityDbWeight::get().reads(8_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
			.saturating_add(Weight::from_parts(23825353, 1265).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn reinstate_member(n: u32, ) -> Weight {
		Weight::from_parts(29031962, 739)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
			.saturating_add(Weight::from_parts(14180968, 1221).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn reinstate_node() -> Weight {
		Weight::from_parts(51877000, 1962)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn revoke_member(n: u32, ) -> Weight {
		Weight::from_parts(36642247, 711)
			.saturating_add(ParityDbWeight::get().reads(7_u64))
			.saturating_add(ParityDbWeight::get().writes(5_u64))
			.saturating_add(Weight::from_parts(14031570, 1221).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(1_u64.saturating_mul(n.into())))
			.saturating_add(ParityDbWeight::get().writes(1_u64.saturating_mul(n.into())))
	}
	fn propose_root(l: u32, ) -> Weight {
		Weight::from_parts(50468738, 444)
			.saturating_add(ParityDbWeight::get().reads(7_u64))
			.saturating_add(ParityDbWeight::get().writes(5_u64))
			.saturating_add(Weight::from_parts(3767, 0).saturating_mul(l.into()))
	}
	fn cancel_root() -> Weight {
		Weight::from_parts(38467000, 745)
			.saturating_add(ParityDbWeight::get().reads(5_u64))
			.saturating_add(ParityDbWeight::get().writes(5_u64))
	}
	fn on_offence(n: u32, ) -> Weight {
		Weight::from_parts(118294142, 944)
			.saturating_add(ParityDbWeight::get().reads(11_u64))
			.saturating_add(ParityDbWeight::get().writes(6_u64))
			.saturating_add(Weight::from_parts(23889939, 1268).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn forget_executed_root_proposals(p: u32, ) -> Weight {
		Weight::from_parts(6836586, 406)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(Weight::from_parts(2890836, 13).saturating_mul(p.into()))
			.saturating_add(ParityDbWeight::get().reads(1_u64.saturating_mul(p.into())))
	}
}
