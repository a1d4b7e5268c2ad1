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
	let record = "PIN";
	assert_eq!(hex(topic("code", Tier::T3, &[*b"US"])), "10636f64650200045553".to_owned() + "0000");
	assert_eq!(
		hex(Champion { base: hash(1), adapter: hash(2) }),
		"01".repeat(32) + &"02".repeat(32)
	);
	assert_eq!(hex(BaseUse { adapters: 1, champions: 2 }), "0100000002000000");
	assert_eq!(
		hex(Served { base: hash(1), adapter: Some(hash(2)), capacity: 3 }),
		"01".repeat(32) + "01" + &"02".repeat(32) + "03000000"
	);
	let signature = worker(&producer()).sign(b"");
	let seal = Seal { key: worker(&producer()).public(), signature: signature.clone() };
	let sealed = Model {
		record: adapter(2, hash(1), 5),
		producer: producer(),
		seal: Some(seal.clone()),
		status: ModelStatus::Warm,
	};
	let expected =
		format!("{record}{}01{}{}02", "0b".repeat(32), hex(&seal.key), hex(&signature));
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
