//! What only the composition can get wrong.

use codec::Encode;
use frame_support::{
    assert_noop, assert_ok,
    dispatch::GetDispatchInfo,
    traits::{
        Get, OnFinalize, OnInitialize, PalletInfoAccess,
        fungible::{Inspect, InspectHold},
    },
};
use pallet_consortium::HoldReason;
use sp_core::Pair;
use sp_keyring::Sr25519Keyring::{self, Alice, AliceStash, Bob, Charlie, Dave};
use sp_runtime::{BuildStorage, MultiSignature, generic::Era, traits::Hash as _};
use touchstone_primitives::memory::{
    Commit, Kind, State, Visibility, Writer, Writers, namespace_id,
};
use touchstone_runtime::{
    configs::{Commons, CouncilInstance},
    *,
};

/// Default genesis with the preset's values over it, as chain specifications do it.
fn merge(base: &mut serde_json::Value, patch: serde_json::Value) {
    match (base, patch) {
        (serde_json::Value::Object(base), serde_json::Value::Object(patch)) => {
            for (key, value) in patch {
                merge(base.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (base, patch) => *base = patch,
    }
}

fn chain(preset: &str) -> sp_io::TestExternalities {
    let mut config = serde_json::to_value(RuntimeGenesisConfig::default()).unwrap();
    let patch = genesis::preset(&preset.into()).expect("the preset exists");
    merge(&mut config, serde_json::from_slice(&patch).unwrap());
    let config: RuntimeGenesisConfig = serde_json::from_value(config).unwrap();
    let mut ext = sp_io::TestExternalities::new(config.build_storage().unwrap());
    ext.execute_with(|| {
        System::set_block_number(1);
        pallet_babe::CurrentSlot::<Runtime>::put(sp_consensus_babe::Slot::from(1));
        Timestamp::set_timestamp(SLOT_DURATION);
    });
    ext
}

fn try_state() {
    Facts::do_try_state().unwrap();
    Consortium::do_try_state().unwrap();
    Registry::do_try_state().unwrap();
    Receipts::do_try_state().unwrap();
    Memory::do_try_state().unwrap();
}

fn pass_blocks(n: BlockNumber) {
    for _ in 0..n {
        let next = System::block_number() + 1;
        System::set_block_number(next);
        Scheduler::on_initialize(next);
        Scheduler::on_finalize(next);
    }
}

fn motion(ayes: &[Sr25519Keyring], call: RuntimeCall) {
    let threshold = ayes.len() as u32;
    let hash = <Runtime as frame_system::Config>::Hashing::hash_of(&call);
    let length = call.encoded_size() as u32;
    let weight = call.get_dispatch_info().call_weight;
    let index = pallet_collective::ProposalCount::<Runtime, CouncilInstance>::get();
    let origin = |who: Sr25519Keyring| RuntimeOrigin::signed(who.to_account_id());
    assert_ok!(Council::propose(
        origin(ayes[0]),
        threshold,
        Box::new(call),
        length
    ));
    for who in ayes {
        assert_ok!(Council::vote(origin(*who), hash, index, true));
    }
    assert_ok!(Council::close(origin(ayes[0]), hash, index, weight, length));
}

fn signed(who: Sr25519Keyring, nonce: Nonce, call: RuntimeCall) -> UncheckedExtrinsic {
    let extension = extension(nonce, Era::Immortal, 0);
    let payload = SignedPayload::new(call.clone(), extension.clone()).unwrap();
    let signature = payload.using_encoded(|bytes| who.pair().sign(bytes));
    UncheckedExtrinsic::new_signed(
        call,
        who.to_account_id().into(),
        MultiSignature::Sr25519(signature),
        extension,
    )
}

#[test]
fn presets_with_members_start_in_a_valid_state() {
    for (preset, validators) in [("development", 1), ("local_testnet", 4)] {
        chain(preset).execute_with(|| {
            try_state();
            assert_eq!(Session::validators().len(), validators);
            assert_eq!(Consortium::node_infos().len(), validators);
            assert_eq!(Balances::total_issuance(), SUPPLY);
            let council = pallet_collective::Members::<Runtime, CouncilInstance>::get();
            assert_eq!(council.len(), validators);
            assert!(Babe::authorities().len() == validators);
            let mut models: Vec<_> = Registry::models().iter().map(|model| model.hash).collect();
            models.sort();
            assert_eq!(models, [genesis::SPECIALIST, genesis::SMOLLM2]);
            assert_eq!(Canaries::canary_topics().len(), 3);
            assert_eq!(Canaries::enrolments().len(), 3 * validators);
        });
    }
}

#[test]
fn epochs_have_the_length_of_the_preset() {
    for (preset, length) in [("development", 10), ("local_testnet", 20)] {
        chain(preset).execute_with(|| {
            assert_eq!(
                <Runtime as pallet_babe::Config>::EpochDuration::get(),
                length
            );
        });
    }
}

#[test]
fn metadata_is_served_in_versions_14_to_16() {
    chain("development").execute_with(|| {
        assert_eq!(Runtime::metadata_versions(), vec![14, 15, 16]);
        for version in [14, 15, 16] {
            assert!(Runtime::metadata_at_version(version).is_some());
        }
    });
}

#[test]
fn pallets_keep_their_names_and_indices() {
    fn of<P: PalletInfoAccess>() -> (usize, &'static str) {
        (P::index(), P::name())
    }
    assert_eq!(of::<System>(), (0, "System"));
    assert_eq!(of::<Council>(), (9, "Council"));
    assert_eq!(of::<Consortium>(), (10, "Consortium"));
    assert_eq!(of::<Session>(), (11, "Session"));
    assert_eq!(of::<Preimage>(), (16, "Preimage"));
    assert_eq!(of::<Registry>(), (30, "Registry"));
    assert_eq!(of::<Receipts>(), (31, "Receipts"));
    assert_eq!(of::<Memory>(), (34, "Memory"));
}

#[test]
fn transaction_extensions_are_those_that_browsers_can_sign() {
    use sp_runtime::traits::TransactionExtension;
    let ids: Vec<_> = <TxExtension as TransactionExtension<RuntimeCall>>::metadata()
        .into_iter()
        .map(|extension| extension.identifier)
        .collect();
    assert_eq!(
        ids,
        [
            "AuthorizeCall",
            "CheckNonZeroSender",
            "CheckSpecVersion",
            "CheckTxVersion",
            "CheckGenesis",
            "CheckMortality",
            "CheckNonce",
            "CheckWeight",
            "ChargeTransactionPayment",
            "CheckMetadataHash",
            "WeightReclaim",
        ]
    );
    // Era, nonce, tip and the mode of the metadata hash; everything else takes no bytes.
    assert_eq!(extension(0, Era::Immortal, 0).encode(), [0, 0, 0, 0]);
}

#[test]
fn fees_go_to_the_common_pot_and_issuance_stays() {
    chain("local_testnet").execute_with(|| {
        let (pot, payer) = (Commons::get(), Alice.to_account_id());
        let (pot_before, payer_before) = (Balances::balance(&pot), Balances::balance(&payer));
        let call = RuntimeCall::System(frame_system::Call::remark {
            remark: vec![1; 100],
        });
        assert_ok!(Executive::apply_extrinsic(signed(Alice, 0, call)).unwrap());
        let fee = payer_before - Balances::balance(&payer);
        assert!(fee > 0);
        assert_eq!(Balances::balance(&pot), pot_before + fee);
        assert_eq!(Balances::total_issuance(), SUPPLY);
        try_state();
    });
}

#[test]
fn three_quarters_of_the_council_reach_root_after_the_delay() {
    chain("local_testnet").execute_with(|| {
        let remark = RuntimeCall::System(frame_system::Call::set_storage {
            items: vec![(b"key".to_vec(), b"value".to_vec())],
        });
        let propose = RuntimeCall::Consortium(pallet_consortium::Call::propose_root {
            call: Box::new(remark),
        });
        // Half is not enough.
        motion(&[Alice, Bob], propose.clone());
        pass_blocks(12);
        assert_eq!(sp_io::storage::get(b"key"), None);

        motion(&[Alice, Bob, Charlie], propose);
        pass_blocks(9);
        assert_eq!(sp_io::storage::get(b"key"), None);
        pass_blocks(2);
        assert_eq!(
            sp_io::storage::get(b"key").map(|v| v.to_vec()),
            Some(b"value".to_vec())
        );
        try_state();
    });
}

#[test]
fn no_account_is_root() {
    chain("local_testnet").execute_with(|| {
        for who in [Alice, AliceStash, Dave] {
            let origin = RuntimeOrigin::signed(who.to_account_id());
            assert_noop!(
                System::set_storage(origin.clone(), vec![]),
                sp_runtime::DispatchError::BadOrigin
            );
            assert_noop!(
                Council::set_members(origin, vec![who.to_account_id()], None, 4),
                sp_runtime::DispatchError::BadOrigin
            );
        }
        assert_noop!(
            Council::set_members(RuntimeOrigin::root(), vec![], None, 4),
            sp_runtime::DispatchError::BadOrigin
        );
    });
}

#[test]
fn session_keys_cannot_be_purged_behind_the_consortiums_back() {
    chain("local_testnet").execute_with(|| {
        let purge = RuntimeCall::Session(pallet_session::Call::purge_keys {});
        let outcome = Executive::apply_extrinsic(signed(AliceStash, 0, purge)).unwrap();
        assert_eq!(
            outcome,
            Err(frame_system::Error::<Runtime>::CallFiltered.into())
        );
    });
}

#[test]
fn founders_bonds_are_held() {
    chain("local_testnet").execute_with(|| {
        let reason = RuntimeHoldReason::Consortium(HoldReason::NodeBond);
        for who in [Alice, Bob, Charlie, Dave] {
            let who = who.to_account_id();
            assert!(Balances::balance_on_hold(&reason, &who) > 0);
            assert!(Balances::free_balance(&who) > 0);
        }
    });
}

/// What goes on from the empty namespace of this name.
fn first_commit(name: &str) -> Commit {
    let empty = State::empty(namespace_id(name));
    let (version, count, tree) = (1, 1, Hash::repeat_byte(1));
    Commit {
        previous: empty.root(),
        state: State {
            version,
            count,
            tree,
            ..empty
        },
        batch: Hash::repeat_byte(2),
        bytes: 100,
    }
}

fn create_namespace(name: &str, writers: Writers) {
    assert_ok!(Memory::create_namespace(
        RuntimeOrigin::signed(Alice.to_account_id()),
        name.as_bytes().to_vec().try_into().unwrap(),
        Kind::Topic,
        Alice.to_account_id(),
        writers,
        Visibility::Public,
    ));
}

#[test]
fn a_founders_node_commits_memory_and_pays_no_fee() {
    chain("local_testnet").execute_with(|| {
        create_namespace("notes", Writers::Nodes);
        let held = RuntimeHoldReason::Memory(pallet_memory::HoldReason::Namespace);
        assert!(Balances::balance_on_hold(&held, &Alice.to_account_id()) > 0);
        pass_blocks(1);
        let (commit, writer) = (
            first_commit("notes"),
            Writer::Node(AliceStash.to_account_id()),
        );
        let valid_until = System::block_number() + 5;
        let message = commit.message(&System::block_hash(0), &writer, valid_until.into());
        let state = commit.state;
        // A founder's worker key is that of its member.
        let submission = |signer: Sr25519Keyring| {
            let call = RuntimeCall::Memory(pallet_memory::Call::commit_root {
                writer: writer.clone(),
                commit: commit.clone(),
                valid_until,
                signature: signer.pair().sign(message.as_bytes()),
            });
            UncheckedExtrinsic::new_transaction(call, extension(0, Era::Immortal, 0))
        };
        let before = Balances::balance(&AliceStash.to_account_id());
        assert!(Executive::apply_extrinsic(submission(Bob)).is_err());
        assert_ok!(Executive::apply_extrinsic(submission(Alice)).unwrap());
        assert_eq!(Memory::namespace(state.namespace).unwrap().state, state);
        assert_eq!(Balances::balance(&AliceStash.to_account_id()), before);
        try_state();
    });
}

#[test]
fn a_motion_commits_what_only_the_council_may_change() {
    chain("local_testnet").execute_with(|| {
        create_namespace("canon", Writers::Council);
        pass_blocks(1);
        let commit = first_commit("canon");
        let namespace = commit.state.namespace;
        let call = RuntimeCall::Memory(pallet_memory::Call::commit_root_by_council { commit });
        // Half is not enough.
        motion(&[Alice, Bob], call.clone());
        assert_eq!(Memory::namespace(namespace).unwrap().state.version, 0);
        motion(&[Alice, Bob, Charlie], call);
        assert_eq!(Memory::namespace(namespace).unwrap().state.version, 1);
        try_state();
    });
}
