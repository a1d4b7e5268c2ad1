//! One file per behaviour. Every test ends with `do_try_state` and a comparison of seats and council.

mod constitution;
mod genesis;
mod layout;
mod members;
mod nodes;
mod offences;
mod stake;
mod suspensions;
mod validators;

use crate::{mock::*, *};
use touchstone_primitives::consortium::{MemberStatus, NodeStatus};

type E = Error<Test>;

fn member(n: u8) -> MemberOf<Test> {
    Members::<Test>::get(account(n)).unwrap()
}

fn node(n: u8) -> NodeOf<Test> {
    Nodes::<Test>::get(stash(n)).unwrap()
}

fn member_status(n: u8) -> MemberStatus {
    member(n).status
}

fn node_status(n: u8) -> NodeStatus {
    node(n).status
}

fn last_event() -> Event<Test> {
    events().pop().unwrap()
}

fn events() -> Vec<Event<Test>> {
    frame_system::Pallet::<Test>::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Consortium(event) => Some(event),
            _ => None,
        })
        .collect()
}

/// Applies for member `n` and admits it.
fn admit(n: u8) {
    Consortium::apply(signed(n), account(n), H256::repeat_byte(n), *b"DE").unwrap();
    Consortium::admit_member(council(3, 4), account(n)).unwrap();
}

/// Registers node `stash(node)` for member `n`.
fn register(n: u8, node: u8) -> DispatchResult {
    let node_account = stash(node);
    Consortium::register_node(
        signed(n),
        node_account.clone(),
        all_roles(),
        HardwareTier::Light,
        peer_id(node),
        Default::default(),
        sp_core::Pair::public(&worker(node)),
        proof(&worker(node), &node_account),
        BOND,
    )
}

/// Gives node `stash(node)` session keys.
fn set_keys(node: u8) {
    pallet_session::NextKeys::<Test>::insert(stash(node), session_keys(node));
}

/// Numbers of the members whose stashes validate now.
fn validators() -> Vec<u8> {
    numbers(pallet_session::Validators::<Test>::get())
}

fn numbers(stashes: Vec<AccountId>) -> Vec<u8> {
    stashes
        .iter()
        .map(|stash| AsRef::<[u8; 32]>::as_ref(stash)[0] - 100)
        .collect()
}

/// Numbers of the members whose stashes are in the set and stopped.
fn disabled() -> Vec<u8> {
    let all = validators();
    Session::disabled_validators()
        .into_iter()
        .map(|index| all[index as usize])
        .collect()
}
