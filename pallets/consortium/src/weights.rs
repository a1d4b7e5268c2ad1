//! Weights of `pallet_consortium`.
//!
//! Not measured yet: the figures below are estimates from the number of storage accesses. `scripts/bench/weights` replaces
//! this file by measured ones.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]
#![allow(missing_docs)]

use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{Weight, constants::ParityDbWeight},
};

/// Weight functions needed for `pallet_consortium`.
pub trait WeightInfo {
	fn apply() -> Weight;
	fn withdraw_application() -> Weight;
	fn admit_member() -> Weight;
	fn decline_candidate() -> Weight;
	fn leave(n: u32) -> Weight;
	fn register_node() -> Weight;
	fn activate_node(n: u32) -> Weight;
	fn leave_node() -> Weight;
	fn withdraw_bond() -> Weight;
	fn add_bond() -> Weight;
	fn update_node(n: u32) -> Weight;
	fn rotate_worker_key() -> Weight;
	fn rotate_peer_id() -> Weight;
	fn set_addresses() -> Weight;
	fn suspend_member(n: u32) -> Weight;
	fn suspend_node(n: u32) -> Weight;
	fn reinstate_member(n: u32) -> Weight;
	fn reinstate_node() -> Weight;
	fn revoke_member(n: u32) -> Weight;
	fn propose_root(l: u32) -> Weight;
	fn cancel_root() -> Weight;
	fn on_offence(n: u32) -> Weight;
	fn forget_executed_root_proposals(p: u32) -> Weight;
}

/// Weights for `pallet_consortium` with the runtime's database weights.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn apply() -> Weight {
		Weight::from_parts(40000000, 20_000)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	fn withdraw_application() -> Weight {
		Weight::from_parts(25000000, 20_000)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	fn admit_member() -> Weight {
		Weight::from_parts(90000000, 20_000)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	fn decline_candidate() -> Weight {
		Weight::from_parts(25000000, 20_000)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	fn leave(n: u32) -> Weight {
		Weight::from_parts(60000000, 20_000)
			.saturating_add(Weight::from_parts(12000000, 3000).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(6))
			.saturating_add(T::DbWeight::get().reads((1u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes((1u64).saturating_mul(n.into())))
	}
	fn register_node() -> Weight {
		Weight::from_parts(160000000, 20_000)
			.saturating_add(T::DbWeight::get().reads(10))
			.saturating_add(T::DbWeight::get().writes(9))
	}
	fn activate_node(n: u32) -> Weight {
		Weight::from_parts(40000000, 20_000)
			.saturating_add(Weight::from_parts(6000000, 3000).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().reads((1u64).saturating_mul(n.into())))
	}
	fn leave_node() -> Weight {
		Weight::from_parts(30000000, 20_000)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn withdraw_bond() -> Weight {
		Weight::from_parts(140000000, 20_000)
			.saturating_add(T::DbWeight::get().reads(12))
			.saturating_add(T::DbWeight::get().writes(14))
	}
	fn add_bond() -> Weight {
		Weight::from_parts(60000000, 20_000)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn update_node(n: u32) -> Weight {
		Weight::from_parts(40000000, 20_000)
			.saturating_add(Weight::from_parts(6000000, 3000).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().reads((1u64).saturating_mul(n.into())))
	}
	fn rotate_worker_key() -> Weight {
		Weight::from_parts(110000000, 20_000)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn rotate_peer_id() -> Weight {
		Weight::from_parts(35000000, 20_000)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn set_addresses() -> Weight {
		Weight::from_parts(30000000, 20_000)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn suspend_member(n: u32) -> Weight {
		Weight::from_parts(60000000, 20_000)
			.saturating_add(Weight::from_parts(10000000, 3000).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(4))
			.saturating_add(T::DbWeight::get().reads((5u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes((1u64).saturating_mul(n.into())))
	}
	fn suspend_node(n: u32) -> Weight {
		Weight::from_parts(60000000, 20_000)
			.saturating_add(Weight::from_parts(10000000, 3000).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(4))
			.saturating_add(T::DbWeight::get().reads((5u64).saturating_mul(n.into())))
	}
	fn reinstate_member(n: u32) -> Weight {
		Weight::from_parts(45000000, 20_000)
			.saturating_add(Weight::from_parts(8000000, 3000).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(3))
			.saturating_add(T::DbWeight::get().reads((4u64).saturating_mul(n.into())))
	}
	fn reinstate_node() -> Weight {
		Weight::from_parts(45000000, 20_000)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn revoke_member(n: u32) -> Weight {
		Weight::from_parts(80000000, 20_000)
			.saturating_add(Weight::from_parts(14000000, 3000).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(6))
			.saturating_add(T::DbWeight::get().reads((3u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes((1u64).saturating_mul(n.into())))
	}
	fn propose_root(l: u32) -> Weight {
		Weight::from_parts(70000000, 20_000)
			.saturating_add(Weight::from_parts(2000, 0).saturating_mul(l.into()))
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(8))
	}
	fn cancel_root() -> Weight {
		Weight::from_parts(50000000, 20_000)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	fn on_offence(n: u32) -> Weight {
		Weight::from_parts(90000000, 20_000)
			.saturating_add(Weight::from_parts(10000000, 3000).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(10))
			.saturating_add(T::DbWeight::get().writes(7))
			.saturating_add(T::DbWeight::get().reads((5u64).saturating_mul(n.into())))
	}
	fn forget_executed_root_proposals(p: u32) -> Weight {
		Weight::from_parts(15000000, 20_000)
			.saturating_add(Weight::from_parts(4000000, 3000).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().reads((1u64).saturating_mul(p.into())))
	}
}

// For tests.
impl WeightInfo for () {
	fn apply() -> Weight {
		Weight::from_parts(40000000, 20_000)
			.saturating_add(ParityDbWeight::get().reads(3))
			.saturating_add(ParityDbWeight::get().writes(2))
	}
	fn withdraw_application() -> Weight {
		Weight::from_parts(25000000, 20_000)
			.saturating_add(ParityDbWeight::get().reads(2))
			.saturating_add(ParityDbWeight::get().writes(2))
	}
	fn admit_member() -> Weight {
		Weight::from_parts(90000000, 20_000)
			.saturating_add(ParityDbWeight::get().reads(7))
			.saturating_add(ParityDbWeight::get().writes(6))
	}
	fn decline_candidate() -> Weight {
		Weight::from_parts(25000000, 20_000)
			.saturating_add(ParityDbWeight::get().reads(2))
			.saturating_add(ParityDbWeight::get().writes(2))
	}
	fn leave(n: u32) -> Weight {
		Weight::from_parts(60000000, 20_000)
			.saturating_add(Weight::from_parts(12000000, 3000).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(6))
			.saturating_add(ParityDbWeight::get().writes(6))
			.saturating_add(ParityDbWeight::get().reads((1u64).saturating_mul(n.into())))
			.saturating_add(ParityDbWeight::get().writes((1u64).saturating_mul(n.into())))
	}
	fn register_node() -> Weight {
		Weight::from_parts(160000000, 20_000)
			.saturating_add(ParityDbWeight::get().reads(10))
			.saturating_add(ParityDbWeight::get().writes(9))
	}
	fn activate_node(n: u32) -> Weight {
		Weight::from_parts(40000000, 20_000)
			.saturating_add(Weight::from_parts(6000000, 3000).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(6))
			.saturating_add(ParityDbWeight::get().writes(1))
			.saturating_add(ParityDbWeight::get().reads((1u64).saturating_mul(n.into())))
	}
	fn leave_node() -> Weight {
		Weight::from_parts(30000000, 20_000)
			.saturating_add(ParityDbWeight::get().reads(1))
			.saturating_add(ParityDbWeight::get().writes(1))
	}
	fn withdraw_bond() -> Weight {
		Weight::from_parts(140000000, 20_000)
			.saturating_add(ParityDbWeight::get().reads(12))
			.saturating_add(ParityDbWeight::get().writes(14))
	}
	fn add_bond() -> Weight {
		Weight::from_parts(60000000, 20_000)
			.saturating_add(ParityDbWeight::get().reads(3))
			.saturating_add(ParityDbWeight::get().writes(3))
	}
	fn update_node(n: u32) -> Weight {
		Weight::from_parts(40000000, 20_000)
			.saturating_add(Weight::from_parts(6000000, 3000).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(6))
			.saturating_add(ParityDbWeight::get().writes(1))
			.saturating_add(ParityDbWeight::get().reads((1u64).saturating_mul(n.into())))
	}
	fn rotate_worker_key() -> Weight {
		Weight::from_parts(110000000, 20_000)
			.saturating_add(ParityDbWeight::get().reads(4))
			.saturating_add(ParityDbWeight::get().writes(3))
	}
	fn rotate_peer_id() -> Weight {
		Weight::from_parts(35000000, 20_000)
			.saturating_add(ParityDbWeight::get().reads(2))
			.saturating_add(ParityDbWeight::get().writes(3))
	}
	fn set_addresses() -> Weight {
		Weight::from_parts(30000000, 20_000)
			.saturating_add(ParityDbWeight::get().reads(2))
			.saturating_add(ParityDbWeight::get().writes(1))
	}
	fn suspend_member(n: u32) -> Weight {
		Weight::from_parts(60000000, 20_000)
			.saturating_add(Weight::from_parts(10000000, 3000).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(8))
			.saturating_add(ParityDbWeight::get().writes(4))
			.saturating_add(ParityDbWeight::get().reads((5u64).saturating_mul(n.into())))
			.saturating_add(ParityDbWeight::get().writes((1u64).saturating_mul(n.into())))
	}
	fn suspend_node(n: u32) -> Weight {
		Weight::from_parts(60000000, 20_000)
			.saturating_add(Weight::from_parts(10000000, 3000).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(8))
			.saturating_add(ParityDbWeight::get().writes(4))
			.saturating_add(ParityDbWeight::get().reads((5u64).saturating_mul(n.into())))
	}
	fn reinstate_member(n: u32) -> Weight {
		Weight::from_parts(45000000, 20_000)
			.saturating_add(Weight::from_parts(8000000, 3000).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(6))
			.saturating_add(ParityDbWeight::get().writes(3))
			.saturating_add(ParityDbWeight::get().reads((4u64).saturating_mul(n.into())))
	}
	fn reinstate_node() -> Weight {
		Weight::from_parts(45000000, 20_000)
			.saturating_add(ParityDbWeight::get().reads(6))
			.saturating_add(ParityDbWeight::get().writes(3))
	}
	fn revoke_member(n: u32) -> Weight {
		Weight::from_parts(80000000, 20_000)
			.saturating_add(Weight::from_parts(14000000, 3000).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(8))
			.saturating_add(ParityDbWeight::get().writes(6))
			.saturating_add(ParityDbWeight::get().reads((3u64).saturating_mul(n.into())))
			.saturating_add(ParityDbWeight::get().writes((1u64).saturating_mul(n.into())))
	}
	fn propose_root(l: u32) -> Weight {
		Weight::from_parts(70000000, 20_000)
			.saturating_add(Weight::from_parts(2000, 0).saturating_mul(l.into()))
			.saturating_add(ParityDbWeight::get().reads(8))
			.saturating_add(ParityDbWeight::get().writes(8))
	}
	fn cancel_root() -> Weight {
		Weight::from_parts(50000000, 20_000)
			.saturating_add(ParityDbWeight::get().reads(5))
			.saturating_add(ParityDbWeight::get().writes(5))
	}
	fn on_offence(n: u32) -> Weight {
		Weight::from_parts(90000000, 20_000)
			.saturating_add(Weight::from_parts(10000000, 3000).saturating_mul(n.into()))
			.saturating_add(ParityDbWeight::get().reads(10))
			.saturating_add(ParityDbWeight::get().writes(7))
			.saturating_add(ParityDbWeight::get().reads((5u64).saturating_mul(n.into())))
	}
	fn forget_executed_root_proposals(p: u32) -> Weight {
		Weight::from_parts(15000000, 20_000)
			.saturating_add(Weight::from_parts(4000000, 3000).saturating_mul(p.into()))
			.saturating_add(ParityDbWeight::get().reads(1))
			.saturating_add(ParityDbWeight::get().writes(1))
			.saturating_add(ParityDbWeight::get().reads((1u64).saturating_mul(p.into())))
	}
}
