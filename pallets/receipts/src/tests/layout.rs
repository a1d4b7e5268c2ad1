//! The encodings of stored values, pinned: who changes one writes a migration.

use crate::{
    mock::*,
    types::{Batch, Head, Queue},
};
use codec::Encode;
use frame_support::traits::{GetStorageVersion, StorageVersion};
use touchstone_primitives::H256;

fn hex(value: impl Encode) -> String {
    sp_core::hexdisplay::HexDisplay::from(&value.encode()).to_string()
}

#[test]
fn stored_values_have_their_layout() {
    let batch = Batch {
        stream: 1,
        first: 2,
        count: 3,
        root: H256::repeat_byte(4),
        policy_version: 5,
        block: 6u32,
    };
    let expected = [
        "01000000",
        "0200000000000000",
        "03000000",
        &"04".repeat(32),
        "05000000",
        "06000000",
    ];
    assert_eq!(hex(batch), expected.concat());

    let head = Head {
        stream: 1,
        next: 2,
        oldest: 3,
        next_batch: 4,
        block: 5u32,
        in_block: 6,
    };
    let expected = [
        "01000000",
        "0200000000000000",
        "0300000000000000",
        "0400000000000000",
        "05000000",
        "06000000",
    ];
    assert_eq!(hex(head), expected.concat());

    assert_eq!(
        hex(Queue { first: 1, next: 2 }),
        "01000000000000000200000000000000"
    );
}

#[test]
fn the_storage_version_is_written() {
    run(|| {
        assert_eq!(Receipts::in_code_storage_version(), StorageVersion::new(1));
        assert_eq!(Receipts::on_chain_storage_version(), StorageVersion::new(1));
    })
}
