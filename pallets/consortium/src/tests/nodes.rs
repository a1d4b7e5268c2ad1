use super::*;
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};
use sp_core::Pair;
use touchstone_primitives::{consortium::NodeRole, traits::MembershipOf};

fn held(n: u8) -> Balance {
    Balances::balance_on_hold(&HoldReason::NodeBond.into(), &account(n))
}

/// Registers a gateway `stash(node)` for member 1 with these parts.
fn register_with(
    node: u8,
    roles: Roles,
    peer: PeerId,
    addresses: Addresses,
    worker_key: u8,
    bond: Balance,
) -> DispatchResult {
    let pair = worker(worker_key);
    let proof = proof(&pair, &stash(node));
    Consortium::register_node(
        signed(1),
        stash(node),
        roles,
        HardwareTier::Mid,
        peer,
        addresses,
        pair.public(),
        proof,
        bond,
    )
}

#[test]
fn member_registers_a_node_and_its_bond_is_held() {
    with_members(4, || {
        assert_ok!(register(1, 9));
        assert_eq!(held(1), 2 * BOND);
        assert_eq!(node_status(9), NodeStatus::Registered);
        assert_eq!(member(1).nodes.to_vec(), [stash(1), stash(9)]);
        let (node, member) = (stash(9), account(1));
        assert_eq!(
            last_event(),
            Event::NodeRegistered {
                node,
                member,
                bond: BOND
            }
        );
    });
}

#[test]
fn registration_refuses_what_is_wrong() {
    with_members(4, || {
        let gateway = Roles::of(&[NodeRole::Gateway]);
        let none = Addresses::default();
        let bad: Addresses = vec![b"127.0.0.1".to_vec().try_into().unwrap()]
            .try_into()
            .unwrap();
        assert_noop!(register(5, 9), E::UnknownMember);
        assert_noop!(register(1, 1), E::NodeExists);
        assert_noop!(
            register_with(9, Roles(0), peer_id(9), none.clone(), 9, BOND),
            E::InvalidRoles
        );
        assert_noop!(
            register_with(9, gateway, PeerId::default(), none.clone(), 9, BOND),
            E::InvalidPeerId
        );
        assert_noop!(
            register_with(9, gateway, peer_id(2), none.clone(), 9, BOND),
            E::PeerIdInUse
        );
        assert_noop!(
            register_with(9, gateway, peer_id(9), bad, 9, BOND),
            E::InvalidAddress
        );
        assert_noop!(
            register_with(9, gateway, peer_id(9), none.clone(), 2, BOND),
            E::WorkerKeyInUse
        );
        assert_noop!(
            register_with(9, gateway, peer_id(9), none.clone(), 9, BOND - 1),
            E::BondTooLow
        );
        assert_noop!(
            register_with(9, gateway, peer_id(9), none.clone(), 9, 901 * UNIT),
            E::BondNotCovered
        );
        let another = proof(&worker(9), &stash(8));
        assert_noop!(
            Consortium::register_node(
                signed(1),
                stash(9),
                gateway,
                HardwareTier::Light,
                peer_id(9),
                none,
                worker(9).public(),
                another,
                BOND
            ),
            E::InvalidProof
        );
    });
}

#[test]
fn nodes_are_bounded_per_member_and_altogether() {
    with_members(4, || {
        assert_ok!(register(1, 21));
        assert_ok!(register(1, 22));
        assert_noop!(register(1, 23), E::TooManyNodesOfMember);
        MaxNodesPerMember::set(12);
        (23..=28).for_each(|node| register(2, node).unwrap());
        assert_noop!(register(2, 29), E::TooManyNodes);
        MaxNodesPerMember::set(3);
    });
}

#[test]
fn validator_is_activated_once_it_has_session_keys() {
    with_members(4, || {
        admit(5);
        assert_ok!(register(5, 5));
        assert_noop!(
            Consortium::activate_node(signed(1), stash(5)),
            E::NotOperator
        );
        assert_noop!(
            Consortium::activate_node(signed(5), stash(9)),
            E::UnknownNode
        );
        assert_noop!(
            Consortium::activate_node(signed(5), stash(5)),
            E::KeysNotSet
        );
        set_keys(5);
        MinBond::set(BOND + 1);
        assert_noop!(
            Consortium::activate_node(signed(5), stash(5)),
            E::BondTooLow
        );
        assert_noop!(Consortium::add_bond(signed(4), stash(5), 1), E::NotOperator);
        assert_ok!(Consortium::add_bond(signed(5), stash(5), 1));
        assert_eq!(
            last_event(),
            Event::BondAdded {
                node: stash(5),
                amount: 1
            }
        );
        MinBond::set(BOND);
        assert_ok!(Consortium::activate_node(
            RuntimeOrigin::signed(stash(5)),
            stash(5)
        ));
        assert_eq!(last_event(), Event::NodeActivated { node: stash(5) });
        assert_noop!(
            Consortium::activate_node(signed(5), stash(5)),
            E::NotRegistered
        );
    });
}

#[test]
fn only_registered_nodes_may_set_session_keys() {
    use sp_runtime::traits::Convert;
    with_members(4, || {
        assert_eq!(RegisteredNode::<Test>::convert(stash(1)), Some(stash(1)));
        assert_eq!(RegisteredNode::<Test>::convert(stash(9)), None);
    });
}

#[test]
fn suspended_member_activates_nothing() {
    with_members(4, || {
        assert_ok!(register(4, 9));
        set_keys(9);
        assert_ok!(Consortium::suspend_member(council(3, 4), account(4)));
        assert_noop!(
            Consortium::activate_node(signed(4), stash(9)),
            E::MemberNotActive
        );
        assert_noop!(register(4, 10), E::MemberNotActive);
    });
}

#[test]
fn one_member_runs_at_most_a_third_of_the_validators() {
    with_members(4, || {
        assert_ok!(register(1, 9));
        set_keys(9);
        assert_noop!(
            Consortium::activate_node(signed(1), stash(9)),
            E::MemberCapReached
        );
        MemberCapFrom::set(6);
        assert_ok!(Consortium::activate_node(signed(1), stash(9)));
        MemberCapFrom::set(4);
    });
}

#[test]
fn exempt_network_has_no_member_cap() {
    let exempt = GenesisConfig {
        member_cap_exempt: true,
        ..consortium(4, 3)
    };
    with_genesis(exempt, || {
        assert_ok!(register(1, 9));
        set_keys(9);
        assert_ok!(Consortium::activate_node(signed(1), stash(9)));
    });
}

#[test]
fn becoming_a_validator_by_update_meets_the_same_conditions() {
    with_members(4, || {
        let gateway = Roles::of(&[NodeRole::Gateway]);
        let update =
            |roles| Consortium::update_node(signed(1), stash(9), roles, HardwareTier::Heavy);
        assert_noop!(update(gateway), E::UnknownNode);
        assert_ok!(register(1, 9));
        assert_ok!(update(gateway));
        assert_ok!(Consortium::activate_node(signed(1), stash(9)));
        assert_noop!(update(Roles(64)), E::InvalidRoles);
        assert_noop!(update(all_roles()), E::KeysNotSet);
        set_keys(9);
        assert_noop!(update(all_roles()), E::MemberCapReached);
        assert_ok!(update(Roles::of(&[NodeRole::Auditor])));
        assert_eq!(node(9).tier, HardwareTier::Heavy);
        assert_ok!(Consortium::leave_node(signed(1), stash(9)));
        assert_noop!(update(gateway), E::AlreadyLeaving);
    });
}

#[test]
fn suspended_node_cannot_change_whether_it_validates() {
    with_members(4, || {
        assert_ok!(Consortium::suspend_node(council(3, 4), stash(4)));
        let update =
            |roles| Consortium::update_node(signed(4), stash(4), roles, HardwareTier::Light);
        assert_noop!(update(Roles::of(&[NodeRole::Gateway])), E::NodeNotActive);
        assert_ok!(update(Roles::of(&[NodeRole::Validator])));
    });
}

#[test]
fn bond_is_free_after_the_delay_that_begins_when_the_validator_is_out() {
    with_members(4, || {
        assert_noop!(
            Consortium::withdraw_bond(signed(4), stash(4)),
            E::NotLeaving
        );
        assert_ok!(Consortium::leave_node(signed(4), stash(4)));
        assert_noop!(
            Consortium::leave_node(signed(4), stash(4)),
            E::AlreadyLeaving
        );
        assert_noop!(
            Consortium::add_bond(signed(4), stash(4), 1),
            E::AlreadyLeaving
        );
        assert_noop!(
            Consortium::withdraw_bond(signed(4), stash(4)),
            E::StillValidator
        );
        advance(UnbondingDelay::get());
        (0..2).for_each(|_| next_session());
        assert_noop!(
            Consortium::withdraw_bond(signed(4), stash(4)),
            E::BondLocked
        );
        advance(UnbondingDelay::get());
        assert_ok!(Consortium::withdraw_bond(signed(4), stash(4)));
        assert_eq!(
            last_event(),
            Event::BondWithdrawn {
                node: stash(4),
                amount: BOND
            }
        );
        assert_eq!((held(4), Nodes::<Test>::count()), (0, 3));
        assert!(Consortium::node_of_worker(&worker(4).public()).is_none());
        assert!(!pallet_session::NextKeys::<Test>::contains_key(stash(4)));
        assert_eq!(member_status(4), MemberStatus::Active, "the member stays");
    });
}

#[test]
fn rotated_worker_key_takes_over_and_the_old_one_stays_known() {
    with_members(4, || {
        let (old, new) = (worker(1).public(), worker(51).public());
        advance(DAY);
        let at = Now::get();
        let rotate = |key: u8| {
            let pair = worker(key);
            let proof = proof(&pair, &stash(1));
            Consortium::rotate_worker_key(signed(1), stash(1), pair.public(), proof)
        };
        let foreign = proof(&worker(51), &stash(2));
        assert_noop!(
            Consortium::rotate_worker_key(signed(1), stash(1), new.clone(), foreign),
            E::InvalidProof
        );
        assert_noop!(rotate(1), E::WorkerKeyInUse);
        assert_noop!(rotate(2), E::WorkerKeyInUse);
        assert_ok!(rotate(51));
        assert_eq!(
            last_event(),
            Event::WorkerKeyRotated {
                node: stash(1),
                key: new.clone()
            }
        );
        assert_eq!(Consortium::worker_key(&stash(1)), Some(new.clone()));
        assert!(Consortium::was_worker_key(&stash(1), &old, at - 1));
        assert!(!Consortium::was_worker_key(&stash(1), &old, at));
        assert!(Consortium::was_worker_key(&stash(1), &new, at));
        assert_eq!(Consortium::node_of_worker(&new), Some(stash(1)));
        assert_eq!(Consortium::node_of_worker(&old), None);

        advance(KeyRetention::get());
        assert_eq!(
            Consortium::worker_key_at(&stash(1), at - 1),
            Some(old.clone())
        );
        assert_ok!(rotate(52));
        assert_eq!(
            Consortium::worker_key_at(&stash(1), at - 1),
            None,
            "pruned by the next one"
        );
        assert!(!NodeOfWorkerKey::<Test>::contains_key(&old));
    });
}

#[test]
fn worker_keys_are_bounded() {
    with_members(4, || {
        let rotate = |key: u8| {
            let pair = worker(key);
            let proof = proof(&pair, &stash(1));
            Consortium::rotate_worker_key(signed(1), stash(1), pair.public(), proof)
        };
        (1..MAX_WORKER_KEYS as u8).for_each(|n| rotate(100 + n).unwrap());
        assert_noop!(rotate(200), E::TooManyWorkerKeys);
    });
}

#[test]
fn peer_id_and_addresses_are_replaced() {
    with_members(4, || {
        let rotate = |n, peer| Consortium::rotate_peer_id(signed(n), stash(1), peer);
        assert_noop!(rotate(2, peer_id(9)), E::NotOperator);
        assert_noop!(rotate(1, peer_id(2)), E::PeerIdInUse);
        assert_noop!(rotate(1, vec![1; 38].try_into().unwrap()), E::InvalidPeerId);
        assert_ok!(rotate(1, peer_id(9)));
        assert_eq!(NodeOfPeerId::<Test>::get(peer_id(9)), Some(stash(1)));
        assert_eq!(NodeOfPeerId::<Test>::get(peer_id(1)), None);

        let addresses = |text: &[u8]| -> Addresses {
            vec![text.to_vec().try_into().unwrap()].try_into().unwrap()
        };
        assert_noop!(
            Consortium::set_addresses(signed(1), stash(1), addresses(b"nowhere")),
            E::InvalidAddress
        );
        assert_ok!(Consortium::set_addresses(
            signed(1),
            stash(1),
            addresses(b"/dns/a/tcp/1")
        ));
        assert_eq!(last_event(), Event::AddressesSet { node: stash(1) });
        let info = Consortium::node_info(&stash(1)).unwrap();
        assert_eq!(info.addresses, [b"/dns/a/tcp/1".to_vec()]);
        assert_eq!(info.peer_id, peer_id(9).into_inner());
        assert_eq!((info.bond, Consortium::node_infos().len()), (BOND, 4));
    });
}
