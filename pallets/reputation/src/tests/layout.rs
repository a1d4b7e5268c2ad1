//! The encodings of stored values, pinned: who changes one writes a migration.

use crate::{
    mock::*,
    types::{Group, NodeAccount},
};
use codec::{Encode, MaxEncodedLen};
use frame_support::{
    BoundedVec,
    traits::{GetStorageVersion, StorageVersion},
};
use touchstone_primitives::{
    apis::OffenceRecord,
    evidence::{Offence, RingEntry},
    fixed::{Fixed, Signed},
    reputation::{Account, Fold, Knobs, Penalty, Safety, Tally},
    significance::Stream,
    watch::{Drift, Flag, Gap, Queues, Recent, Side, Sums, Waiting},
};

fn hex(value: impl Encode) -> String {
    sp_core::hexdisplay::HexDisplay::from(&value.encode()).to_string()
}

fn bits(n: u128) -> Fixed {
    Fixed::from_bits(n)
}

/// A number as the chain stores it: 16 bytes, little endian.
fn fixed(n: u8) -> String {
    format!("{n:02x}{}", "00".repeat(15))
}

fn long(n: u8) -> String {
    format!("{n:02x}{}", "00".repeat(7))
}

#[test]
fn accounts_have_their_layout() {
    let tally = |n: u128| Tally {
        evidence: bits(n),
        passed: bits(n + 1),
        updated_at: n as u64 + 2,
    };
    let account = NodeAccount {
        member: id(1),
        account: Account {
            tally: tally(2),
            secret: tally(5),
            epochs: 8,
            epoch: Some(9),
            epoch_mass: bits(10),
            epoch_passed: bits(11),
        },
    };
    let expected = [
        "01".repeat(32),
        fixed(2),
        fixed(3),
        long(4),
        fixed(5),
        fixed(6),
        long(7),
        "08000000".into(),
        "0109000000".into(),
        fixed(10),
        fixed(11),
    ];
    assert_eq!(hex(&account), expected.concat());
    assert_eq!(NodeAccount::max_encoded_len(), account.encoded_size());
}

#[test]
fn rings_and_history_have_their_layout() {
    let entry = RingEntry {
        duty: [1; 8],
        at: 2,
        right: false,
        wrong: Some([3; 8]),
        options: 4,
    };
    let expected = [
        "01".repeat(8),
        long(2),
        "00".into(),
        format!("01{}", "03".repeat(8)),
        "04000000".into(),
    ];
    assert_eq!(hex(entry), expected.concat());
    let fold = Fold {
        at: 1,
        epoch: 2,
        secret: true,
        duties: 3,
        factor: bits(4),
        mass: bits(5),
        passed: bits(6),
        gain: bits(7),
        passed_gain: Signed::from_bits(8),
        evidence: bits(9),
        passed_total: bits(10),
    };
    let numbers: Vec<_> = (4..=10).map(fixed).collect();
    let expected = [
        &long(1)[..],
        "02000000",
        "01",
        "03000000",
        &numbers.concat(),
    ];
    assert_eq!(hex(fold), expected.concat());
}

#[test]
fn groups_have_their_layout() {
    let group = Group {
        safety: Safety {
            value: bits(1),
            at: 2,
        },
        offences: BoundedVec::truncate_from(vec![OffenceRecord {
            at: 3,
            node: id(4),
            topic: 5,
            offence: Offence::Collusion,
            safety: bits(6),
            slashed: 7,
        }]),
    };
    let expected = [
        fixed(1),
        long(2),
        "04".into(),
        long(3),
        "04".repeat(32),
        "05000000".into(),
        "02".into(),
        fixed(6),
        fixed(7),
    ];
    assert_eq!(hex(group), expected.concat());
    let codes = Offence::ALL.map(|offence| offence.encode());
    assert_eq!(codes, [[0], [1], [2], [3]]);
}

#[test]
fn parameters_have_their_layout() {
    let knobs = Knobs {
        half_life: 1,
        kappa: bits(2),
        prior: bits(3),
        gamma: bits(4),
        beta: bits(5),
        bond_unit: 6,
        stake_max: bits(7),
        share_max: bits(8),
        recovery: 9,
        evidence_min: bits(10),
        new_model: bits(11),
        epoch_mass_max: bits(12),
        exploration: bits(13),
    };
    let expected = [
        long(1),
        (2..=8).map(fixed).collect(),
        long(9),
        (10..=13).map(fixed).collect(),
    ];
    assert_eq!(hex(knobs), expected.concat());
    let penalty = Penalty {
        safety: bits(1),
        bond: bits(2),
    };
    assert_eq!(hex(penalty), [fixed(1), fixed(2)].concat());
}

#[test]
fn watches_have_their_layout() {
    let sums = |n: u8| Sums {
        pairs: n.into(),
        sum: bits(u128::from(n) + 1),
        squares: bits(u128::from(n) + 2),
    };
    let recent = |n: u8| Recent {
        pairs: n.into(),
        mean: bits(u128::from(n) + 1),
    };
    let recent_hex = |n: u8| format!("{n:02x}000000{}", fixed(n + 1));
    let sums_hex = |n: u8| format!("{n:02x}000000{}{}", fixed(n + 1), fixed(n + 2));
    let stream = format!(
        "{}{}",
        "00".repeat(8),
        format!("{}80", "00".repeat(7)).repeat(4)
    );
    let flag = Flag {
        at: 1,
        pairs: 2,
        gap: Signed::from_bits(3),
        admitted: Signed::from_bits(4),
        evidence: Signed::from_bits(5),
        bits: 6,
    };
    let flag_hex = [
        "01".into(),
        long(1),
        "02000000".into(),
        (3..=5).map(fixed).collect(),
        "06000000".into(),
    ]
    .concat();
    let drift = Drift {
        baseline: sums(1),
        admitted: Some(bits(9)),
        since: recent(4),
        stream: Stream::default(),
        exonerations: 7,
        flag: Some(flag),
    };
    let expected = [
        sums_hex(1),
        format!("01{}", fixed(9)),
        recent_hex(4),
        stream.clone(),
        "07000000".into(),
        flag_hex.clone(),
    ];
    assert_eq!(hex(drift), expected.concat());
    assert_eq!(Drift::max_encoded_len(), drift.encoded_size());
    let side = |n: u8| Side {
        auditors: vec![id(n)].try_into().unwrap(),
        recent: recent(n),
        stream: Stream::default(),
    };
    let gap = Gap {
        one: side(1),
        other: side(2),
        exonerations: 3,
        flag: None,
    };
    let side_hex = |n: u8| {
        let auditors = format!("04{}", format!("{n:02x}").repeat(32));
        [auditors, recent_hex(n), stream.clone()].concat()
    };
    let expected = [side_hex(1), side_hex(2), "0300000000".into()];
    assert_eq!(hex(gap), expected.concat());
    let waiting = |auditor| Waiting {
        family: [5; 8],
        epoch: 6,
        outcome: bits(7),
        auditor,
    };
    let queues = Queues {
        public: vec![waiting(None)].try_into().unwrap(),
        secret: vec![waiting(Some(id(8)))].try_into().unwrap(),
    };
    let outcome = format!("04{}06000000{}", "05".repeat(8), fixed(7));
    let expected = [&outcome, "00", &outcome, "01", &"08".repeat(32)];
    assert_eq!(hex(queues), expected.concat());
}

#[test]
fn the_storage_version_is_written() {
    run(|| {
        assert_eq!(
            Reputation::in_code_storage_version(),
            StorageVersion::new(1)
        );
        assert_eq!(
            Reputation::on_chain_storage_version(),
            StorageVersion::new(1)
        );
    })
}
