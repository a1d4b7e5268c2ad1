//! Weights of the calls of `pallet_consortium`, measured by `scripts/bench/weights`.
//!
//! 2026-11-22, AMD EPYC, 2 cores; 20 steps, 20 measurements each. Accesses to `AddedBonds` (`add_bond`, `withdraw_bond`) were added
//! by hand on 2026-11-27, not measured.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{constants::ParityDbWeight, Weight}};

/// Weights that the calls of `pallet_consortium` need.
pub trait WeightInfo {
	/// `apply`: at least 18848 ns.
	fn apply() -> Weight;
	/// `withdraw_application`: at least 11477 ns.
	fn withdraw_application() -> Weight;
	/// `admit_member`: at least 74130 ns.
	fn admit_member() -> Weight;
	/// `decline_candidate`: at least 11206 ns.
	fn decline_candidate() -> Weight;
	/// `leave`: at least 42573 ns, `n` in 1..=8.
	fn leave(n: u32, ) -> Weight;
	/// `register_node`: at least 160469 ns.
	fn register_node() -> Weight;
	/// `activate_node`: at least 50485 ns, `n` in 1..=100.
	fn activate_node(n: u32, ) -> Weight;
	/// `leave_node`: at least 28542 ns.
	fn leave_node() -> Weight;
	/// `withdraw_bond`: at least 251614 ns.
	fn withdraw_bond() -> Weight;
	/// `add_bond`: at least 71566 ns.
	fn add_bond() -> Weight;
	/// `update_node`: at least 46779 ns, `n` in 1..=100.
	fn update_node(n: u32, ) -> Weight;
	/// `rotate_worker_key`: at least 171405 ns.
	fn rotate_worker_key() -> Weight;
	/// `rotate_peer_id`: at least 39259 ns.
	fn rotate_peer_id() -> Weight;
	/// `set_addresses`: at least 33941 ns.
	fn set_addresses() -> Weight;
	/// `suspend_member`: at least 143593 ns, `n` in 4..=100.
	fn suspend_member(n: u32, ) -> Weight;
	/// `suspend_node`: at least 158535 ns, `n` in 4..=100.
	fn suspend_node(n: u32, ) -> Weight;
	/// `reinstate_member`: at least 40891 ns, `n` in 1..=8.
	fn reinstate_member(n: u32, ) -> Weight;
	/// `reinstate_node`: at least 50054 ns.
	fn reinstate_node() -> Weight;
	/// `revoke_member`: at least 47060 ns, `n` in 1..=8.
	fn revoke_member(n: u32, ) -> Weight;
	/// `propose_root`: at least 29003 ns, `l` in 0..=1000000.
	fn propose_root(l: u32, ) -> Weight;
	/// `cancel_root`: at least 36183 ns.
	fn cancel_root() -> Weight;
	/// `on_offence`: at least 209812 ns, `n` in 4..=100.
	fn on_offence(n: u32, ) -> Weight;
	/// `forget_executed_root_proposals`: at least 4076 ns, `p` in 0..=16.
	fn forget_executed_root_proposals(p: u32, ) -> Weight;
}

/// Weights as measured, with the runtime's database weights.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn apply() -> Weight {
		Weight::from_parts(19529000, 477)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn withdraw_application() -> Weight {
		Weight::from_parts(12138000, 400)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn admit_member() -> Weight {
		Weight::from_parts(84065000, 683)
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	fn decline_candidate() -> Weight {
		Weight::from_parts(12438000, 400)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn leave(n: u32, ) -> Weight {
		Weight::from_parts(39729840, 571)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
			.saturating_add(Weight::from_parts(15348433, 1221).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1_u64.saturating_mul(n.into())))
	}
	fn register_node() -> Weight {
		Weight::from_parts(169161000, 878)
			.saturating_add(T::DbWeight::get().reads(12_u64))
			.saturating_add(T::DbWeight::get().writes(8_u64))
	}
	fn activate_node(n: u32, ) -> Weight {
		Weight::from_parts(68990765, 1134)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(Weight::from_parts(7276295, 1199).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64.saturating_mul(n.into())))
	}
	fn leave_node() -> Weight {
		Weight::from_parts(59168000, 1547)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn withdraw_bond() -> Weight {
		Weight::from_parts(258985000, 3876)
			.saturating_add(T::DbWeight::get().reads(14_u64))
			.saturating_add(T::DbWeight::get().writes(48_u64))
	}
	fn add_bond() -> Weight {
		Weight::from_parts(76183000, 1734)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	fn update_node(n: u32, ) -> Weight {
		Weight::from_parts(78707183, 817)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(Weight::from_parts(6988583, 1196).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64.saturating_mul(n.into())))
	}
	fn rotate_worker_key() -> Weight {
		Weight::from_parts(187138000, 3634)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn rotate_peer_id() -> Weight {
		Weight::from_parts(53159000, 1593)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	fn set_addresses() -> Weight {
		Weight::from_parts(44045000, 1538)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn suspend_member(n: u32, ) -> Weight {
		Weight::from_parts(151525000, 761)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
			.saturating_add(Weight::from_parts(25964711, 1265).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn suspend_node(n: u32, ) -> Weight {
		Weight::from_parts(166958000, 671)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
			.saturating_add(Weight::from_parts(26886482, 1265).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn reinstate_member(n: u32, ) -> Weight {
		Weight::from_parts(40934770, 706)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
			.saturating_add(Weight::from_parts(13917681, 1221).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn reinstate_node() -> Weight {
		Weight::from_parts(54812000, 1929)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	fn revoke_member(n: u32, ) -> Weight {
		Weight::from_parts(44462508, 678)
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
			.saturating_add(Weight::from_parts(15038439, 1221).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64.saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1_u64.saturating_mul(n.into())))
	}
	fn propose_root(l: u32, ) -> Weight {
		Weight::from_parts(29794000, 411)
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().writes(6_u64))
			.saturating_add(Weight::from_parts(4458, 0).saturating_mul(l.into()))
	}
	fn cancel_root() -> Weight {
		Weight::from_parts(37476000, 712)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	fn on_offence(n: u32, ) -> Weight {
		Weight::from_parts(31335363, 919)
			.saturating_add(T::DbWeight::get().reads(11_u64))
			.saturating_add(T::DbWeight::get().writes(6_u64))
			.saturating_add(Weight::from_parts(27778380, 1268).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn forget_executed_root_proposals(p: u32, ) -> Weight {
		Weight::from_parts(7145186, 373)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(Weight::from_parts(2860601, 13).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64.saturating_mul(p.into())))
	}
}

// For tests.
impl WeightInfo for () {
	fn apply() -> Weight {
		Weight::from_parts(19529000, 477)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn withdraw_application() -> Weight {
		Weight::from_parts(12138000, 400)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn admit_member() -> Weight {
		Weight::from_parts(84065000, 683)
			.saturating_add(ParityDbWeight::get().reads(7_u64))
			.saturating_add(ParityDbWeight::get().writes(7_u64))
	}
	fn decline_candidate() -> Weight {
		Weight::from_parts(12438000, 400)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn leave(n: u32, ) -> Weight {
		Weight::from_parts(39729840, 571)
			.saturating_add(ParityDbWeight::get().reads(5_u64))
			.saturating_add(ParityDbWeight::get().writes(4_u64))
			.saturating_add(Weight::from_parts(15348433, 1221).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(1_u64.saturating_mul(n.into())))
			.saturating_add(ParityDbWeight::get().writes(1_u64.saturating_mul(n.into())))
	}
	fn register_node() -> Weight {
		Weight::from_parts(169161000, 878)
			.saturating_add(ParityDbWeight::get().reads(12_u64))
			.saturating_add(ParityDbWeight::get().writes(8_u64))
	}
	fn activate_node(n: u32, ) -> Weight {
		Weight::from_parts(68990765, 1134)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
			.saturating_add(Weight::from_parts(7276295, 1199).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(1_u64.saturating_mul(n.into())))
	}
	fn leave_node() -> Weight {
		Weight::from_parts(59168000, 1547)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn withdraw_bond() -> Weight {
		Weight::from_parts(258985000, 3876)
			.saturating_add(ParityDbWeight::get().reads(14_u64))
			.saturating_add(ParityDbWeight::get().writes(48_u64))
	}
	fn add_bond() -> Weight {
		Weight::from_parts(76183000, 1734)
			.saturating_add(ParityDbWeight::get().reads(4_u64))
			.saturating_add(ParityDbWeight::get().writes(4_u64))
	}
	fn update_node(n: u32, ) -> Weight {
		Weight::from_parts(78707183, 817)
			.saturating_add(ParityDbWeight::get().reads(4_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
			.saturating_add(Weight::from_parts(6988583, 1196).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(1_u64.saturating_mul(n.into())))
	}
	fn rotate_worker_key() -> Weight {
		Weight::from_parts(187138000, 3634)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn rotate_peer_id() -> Weight {
		Weight::from_parts(53159000, 1593)
			.saturating_add(ParityDbWeight::get().reads(2_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
	}
	fn set_addresses() -> Weight {
		Weight::from_parts(44045000, 1538)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn suspend_member(n: u32, ) -> Weight {
		Weight::from_parts(151525000, 761)
			.saturating_add(ParityDbWeight::get().reads(8_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
			.saturating_add(Weight::from_parts(25964711, 1265).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn suspend_node(n: u32, ) -> Weight {
		Weight::from_parts(166958000, 671)
			.saturating_add(ParityDbWeight::get().reads(8_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
			.saturating_add(Weight::from_parts(26886482, 1265).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn reinstate_member(n: u32, ) -> Weight {
		Weight::from_parts(40934770, 706)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
			.saturating_add(Weight::from_parts(13917681, 1221).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn reinstate_node() -> Weight {
		Weight::from_parts(54812000, 1929)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn revoke_member(n: u32, ) -> Weight {
		Weight::from_parts(44462508, 678)
			.saturating_add(ParityDbWeight::get().reads(7_u64))
			.saturating_add(ParityDbWeight::get().writes(5_u64))
			.saturating_add(Weight::from_parts(15038439, 1221).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(1_u64.saturating_mul(n.into())))
			.saturating_add(ParityDbWeight::get().writes(1_u64.saturating_mul(n.into())))
	}
	fn propose_root(l: u32, ) -> Weight {
		Weight::from_parts(29794000, 411)
			.saturating_add(ParityDbWeight::get().reads(7_u64))
			.saturating_add(ParityDbWeight::get().writes(6_u64))
			.saturating_add(Weight::from_parts(4458, 0).saturating_mul(l.into()))
	}
	fn cancel_root() -> Weight {
		Weight::from_parts(37476000, 712)
			.saturating_add(ParityDbWeight::get().reads(5_u64))
			.saturating_add(ParityDbWeight::get().writes(5_u64))
	}
	fn on_offence(n: u32, ) -> Weight {
		Weight::from_parts(31335363, 919)
			.saturating_add(ParityDbWeight::get().reads(11_u64))
			.saturating_add(ParityDbWeight::get().writes(6_u64))
			.saturating_add(Weight::from_parts(27778380, 1268).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(2_u64.saturating_mul(n.into())))
	}
	fn forget_executed_root_proposals(p: u32, ) -> Weight {
		Weight::from_parts(7145186, 373)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
			.saturating_add(Weight::from_parts(2860601, 13).saturating_mul(p.into()))
			.saturating_add(ParityDbWeight::get().reads(1_u64.saturating_mul(p.into())))
	}
}
