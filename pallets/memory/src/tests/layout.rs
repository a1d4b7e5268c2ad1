//! The encodings of stored values, pinned: who changes one writes a migration.

use crate::{
    HoldReason,
    mock::*,
    types::{InBlock, Namespace, Root},
};
use codec::Encode;
use frame_support::traits::{GetStorageVersion, StorageVersion};
use sp_runtime::AccountId32;
use touchstone_primitives::{
    H256,
    memory::{Kind, State, Visibility, Writer, Writers},
};

fn hex(value: impl Encode) -> String {
    sp_core::hexdisplay::HexDisplay::from(&value.encode()).to_string()
}

fn some_state() -> State {
    State {
        namespace: H256::repeat_byte(1),
        version: 2,
        count: 3,
        tree: H256::repeat_byte(4),
    }
}

fn state_hex() -> String {
    [
        &"01".repeat(32),
        "0200000000000000",
        "0300000000000000",
        &"04".repeat(32),
    ]
    .concat()
}

/// Light clients read the state as the first 80 bytes of a root.
#[test]
fn a_root_starts_with_its_state() {
    let root = Root {
        state: some_state(),
        batch: H256::repeat_byte(5),
        writer: Some(Writer::Node(AccountId32::new([6; 32]))),
        block: 7u32,
        snapshot: Some(name("now")),
    };
    assert_eq!(root.encode()[..80], some_state().encode());
    let expected = [
        &state_hex(),
        &"05".repeat(32),
        "0100",
        &"06".repeat(32),
        "07000000",
        "010c6e6f77",
    ];
    assert_eq!(hex(root), expected.concat());
}

#[test]
fn stored_values_have_their_layout() {
    let namespace = Namespace {
        name: name("a b"),
        kind: Kind::User,
        owner: AccountId32::new([1; 32]),
        sponsor: AccountId32::new([2; 32]),
        deposit: 3u64,
        writers: Writers::Nodes,
        visibility: Visibility::Granted,
        state: some_state(),
        bytes: 4,
        committed_at: 5u32,
        since: 6u32,
        retained: vec![1, 2].try_into().unwrap(),
        snapshots: 7,
        grants: 8,
    };
    let expected = [
        "0c612062",
        "01",
        &"01".repeat(32),
        &"02".repeat(32),
        "0300000000000000",
        "02",
        "01",
        &state_hex(),
        "0400000000000000",
        "05000000",
        "06000000",
        "0801000000000000000200000000000000",
        "07000000",
        "08000000",
    ];
    assert_eq!(hex(namespace), expected.concat());
    assert_eq!(
        hex(InBlock {
            block: 1u32,
            count: 2
        }),
        "0100000002000000"
    );
    assert_eq!(hex(WRITE), "0100");
    assert_eq!(hex(HoldReason::Namespace), "00");
}

#[test]
fn policies_and_kinds_keep_their_numbers() {
    assert_eq!(hex([Kind::Topic, Kind::User, Kind::Node]), "000102");
    assert_eq!(
        hex([
            Writers::Owner,
            Writers::Listed,
            Writers::Nodes,
            Writers::Council
        ]),
        "00010203"
    );
    assert_eq!(hex([Visibility::Public, Visibility::Granted]), "0001");
}

#[test]
fn the_storage_version_is_written() {
    run(|| {
        assert_eq!(Memory::in_code_storage_version(), StorageVersion::new(1));
        assert_eq!(Memory::on_chain_storage_version(), StorageVersion::new(1));
    })
}
