//! Stored types as bytes. A change here needs a migration.

use super::*;
use codec::Encode;
use sp_core::Pair;
use sp_runtime::traits::BlakeTwo256;

fn hex(value: impl Encode) -> String {
    value
        .encode()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn member_is_encoded_as_ever() {
    let member = Member {
        legal_name_hash: H256::repeat_byte(1),
        jurisdiction: *b"FR",
        status: MemberStatus::Suspended,
        nodes: BoundedVec::truncate_from(vec![account(2)]),
    };
    let expected = [
        "01".repeat(32),
        "4652".into(),
        "02".into(),
        "04".into(),
        "02".repeat(32),
    ];
    assert_eq!(hex(member), expected.concat());
}

#[test]
fn node_is_encoded_as_ever() {
    let node = Node {
        member: account(1),
        roles: Roles(17),
        tier: HardwareTier::Mid,
        status: NodeStatus::Leaving,
        peer_id: BoundedVec::truncate_from(vec![5, 6]),
        addresses: BoundedVec::truncate_from(vec![BoundedVec::truncate_from(vec![b'/'])]),
        bond: 2u128,
        unlocks_at: Some(3),
        punished_through: Some(4),
    };
    let expected = [
        &"01".repeat(32),
        "11",
        "01",
        "03",
        "080506",
        "04042f",
        "02000000000000000000000000000000",
        "010300000000000000",
        "0104000000",
    ];
    assert_eq!(hex(node), expected.concat());
}

#[test]
fn worker_key_is_encoded_as_ever() {
    let key = worker(1).public();
    let expected = format!("{}0200000000000000010300000000000000", hex(&key));
    assert_eq!(
        hex(WorkerKey {
            key,
            from: 2,
            until: Some(3)
        }),
        expected
    );
}

#[test]
fn suspension_is_encoded_as_ever() {
    let suspension = Suspension {
        cause: Cause::Offence([7; 16]),
        since: 1,
        until: Some(2),
        prolonged: true,
    };
    let expected = [
        "01",
        &"07".repeat(16),
        "0100000000000000",
        "010200000000000000",
        "01",
    ];
    assert_eq!(hex(suspension), expected.concat());
    assert_eq!(
        hex(Subject::Member(account(1))),
        format!("00{}", "01".repeat(32))
    );
    assert_eq!(
        hex(Subject::Node(account(1))),
        format!("01{}", "01".repeat(32))
    );
}

#[test]
fn root_proposal_is_encoded_as_ever() {
    let proposal = RootProposal {
        id: 1,
        at: 2u32,
        call: Bounded::<RuntimeCall, BlakeTwo256>::unrequested(H256::repeat_byte(3), 4),
    };
    let expected = ["01000000", "02000000", "02", &"03".repeat(32), "04000000"];
    assert_eq!(hex(proposal), expected.concat());
}

#[test]
fn enums_are_encoded_as_ever() {
    use MemberStatus::*;
    assert_eq!(
        hex([Candidate, Active, Suspended, Leaving, Revoked]),
        "0001020304"
    );
    let node = [
        NodeStatus::Registered,
        NodeStatus::Active,
        NodeStatus::Suspended,
        NodeStatus::Leaving,
    ];
    assert_eq!(hex(node), "00010203");
    assert_eq!(hex(HoldReason::NodeBond), "00");
}
