use super::*;
use frame_support::traits::fungible::InspectHold;

#[test]
fn founders_have_seats_and_bonds_are_held() {
    with_members(4, || {
        assert_eq!(Seats::<Test>::get().len(), 4);
        assert_eq!(
            (member_status(1), node_status(1)),
            (MemberStatus::Active, NodeStatus::Active)
        );
        let held = Balances::balance_on_hold(&HoldReason::NodeBond.into(), &account(1));
        assert_eq!(held, BOND);
        assert_eq!(
            (MinValidators::<Test>::get(), RootDelay::<Test>::get()),
            (3, 10)
        );
    });
}

#[test]
fn genesis_is_readable_as_json() {
    let json = r#"{"account":"5C62Ck4UrFPiBtoCmeSrgF7x9yv9mn38446dhCpsi2mLHiFT",
		"legalNameHash":"0x0101010101010101010101010101010101010101010101010101010101010101",
		"jurisdiction":[70,82]}"#;
    let member: GenesisMember<AccountId> = serde_json::from_str(json).unwrap();
    assert_eq!(member.legal_name_hash, H256::repeat_byte(1));
    let node = serde_json::to_value(genesis_node(1)).unwrap();
    let keys: Vec<_> = node.as_object().unwrap().keys().cloned().collect();
    let expected = [
        "addresses",
        "bond",
        "member",
        "node",
        "peerId",
        "roles",
        "tier",
        "workerKey",
    ];
    assert_eq!(keys, expected);
}

fn refuse(change: impl FnOnce(&mut GenesisConfig<Test>)) {
    let mut genesis = consortium(2, 1);
    change(&mut genesis);
    let built = std::panic::catch_unwind(|| {
        externalities(genesis);
    });
    assert!(built.is_err());
}

#[test]
fn genesis_that_the_calls_would_refuse_is_refused() {
    refuse(|genesis| genesis.min_validators = 0);
    refuse(|genesis| genesis.root_delay = 0);
    refuse(|genesis| genesis.members[1].account = account(1));
    refuse(|genesis| genesis.members[1].jurisdiction = *b"??");
    refuse(|genesis| genesis.nodes[1].member = account(9));
    refuse(|genesis| genesis.nodes[1].node = stash(1));
    refuse(|genesis| genesis.nodes[1].peer_id = vec![1]);
    refuse(|genesis| genesis.nodes[1].addresses = vec![vec![b'/'; 200]]);
    refuse(|genesis| genesis.nodes[1].worker_key = sp_core::Pair::public(&worker(1)));
    refuse(|genesis| genesis.nodes[1].bond = 1_000_000 * UNIT);
    refuse(|genesis| genesis.members.clear());
}
