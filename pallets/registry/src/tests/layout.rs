//! The encodings of stored values, pinned: who changes one writes a migration.

use crate::{
    mock::*,
    types::{BaseUse, Champion, Model, Seal, Served},
};
use codec::{Encode, MaxEncodedLen};
use frame_support::traits::{GetStorageVersion, StorageVersion};
use sp_core::Pair;
use touchstone_primitives::{apis::ModelStatus, provenance::Tier};

fn hex(value: impl Encode) -> String {
    sp_core::hexdisplay::HexDisplay::from(&value.encode()).to_string()
}

#[test]
fn stored_values_have_their_layout() {
    let record = [
        &"02".repeat(32),
        "1c61646170746572",
        "0a00000000000000",
        "01",
        "01",
        &"01".repeat(32),
        "05000000",
        "284170616368652d322e30",
        "01",
        &"c8".repeat(32),
        "106f6c6d6f",
        "040c776562",
        "146c6c616d61",
        "20736f6d65626f6479",
        "5553",
        "14716c6f7261",
        "00",
    ]
    .concat();
    assert_eq!(
        hex(topic("code", Tier::T3, &[*b"US"])),
        "10636f64650200045553".to_owned() + "0000"
    );
    assert_eq!(
        hex(Champion {
            base: hash(1),
            adapter: hash(2)
        }),
        "01".repeat(32) + &"02".repeat(32)
    );
    assert_eq!(
        hex(BaseUse {
            adapters: 1,
            champions: 2
        }),
        "0100000002000000"
    );
    assert_eq!(
        hex(Served {
            base: hash(1),
            adapter: Some(hash(2)),
            capacity: 3
        }),
        "01".repeat(32) + "01" + &"02".repeat(32) + "03000000"
    );
    let signature = worker(&producer()).sign(b"");
    let seal = Seal {
        key: worker(&producer()).public(),
        signature: signature.clone().into_inner(),
    };
    let sealed = Model {
        record: adapter(2, hash(1), 5),
        producer: producer(),
        seal: Some(seal.clone()),
        status: ModelStatus::Warm,
    };
    let expected = format!(
        "{record}{}01{}{}02",
        "0b".repeat(32),
        hex(&seal.key),
        hex(&signature)
    );
    assert_eq!(hex(&sealed), expected);
    assert!(Model::max_encoded_len() < 1_500);
}

#[test]
fn the_storage_version_is_written() {
    run(|| {
        assert_eq!(Registry::in_code_storage_version(), StorageVersion::new(1));
        assert_eq!(Registry::on_chain_storage_version(), StorageVersion::new(1));
    })
}
