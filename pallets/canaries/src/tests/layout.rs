use crate::{mock::*, types::*};
use codec::{Encode, MaxEncodedLen};
use sp_core::Pair;
use touchstone_primitives::{
    H256,
    audit::{Audit, AuditState},
    authored::Sealed,
    canary::{End, FamilyRate, Outcome, Presence},
    fixed::Fixed,
};

fn hex(value: impl Encode) -> String {
    hex::encode(value.encode())
}

#[test]
fn stored_types_are_pinned() {
    let enrolment = Enrolment {
        served: MODEL,
        from: 2,
        until: Some(3),
        next: None,
    };
    assert_eq!(
        hex(enrolment),
        format!("{}00020000000103000000{}", "01".repeat(32), "00")
    );
    let departure = Departure {
        at: 5,
        served: Served {
            base: H256::zero(),
            adapter: Some(H256::repeat_byte(2)),
        },
    };
    assert_eq!(
        hex(departure),
        format!("0500000000000000{}01{}", "00".repeat(32), "02".repeat(32))
    );
    assert_eq!(hex(Settlement::Folding(1)), "0001000000");
    assert_eq!(hex(Settlement::Rating(2)), "0102000000");
    assert_eq!(hex(Settlement::Settled), "02");
    assert_eq!(hex(End::Scored(Outcome::Right)), "0000");
    assert_eq!(
        hex(End::Scored(Outcome::Wrong(Some([7; 8])))),
        "0001010707070707070707"
    );
    assert_eq!(hex(End::Scored(Outcome::Void)), "0002");
    let others = [End::NotCommitted, End::NotRevealed, End::Void, End::Absent];
    assert_eq!(others.map(hex), ["01", "02", "03", "04"]);
    assert_eq!(hex(Author::default()), "0000000000");
    let sealed = Sealed {
        task: H256::repeat_byte(1),
        checker: H256::repeat_byte(2),
        difficulty: Fixed::ONE,
        expires: 3,
    };
    let canary = Canary::<u64> {
        author: member(1),
        topic: 4,
        sealed,
        deposit: 5,
        round: Some(6),
    };
    assert_eq!(
        hex(canary),
        format!(
            "{}04000000{}{}{}0300000000000000050000000000000001{}",
            "65".repeat(32),
            "01".repeat(32),
            "02".repeat(32),
            "00000000000000000100000000000000",
            "06000000"
        )
    );
    let audit = Audit {
        worker: worker(&node(1)).public(),
        member: member(1),
        topic: 2,
        since: 3,
        round: Some(4),
        state: AuditState::Declared,
    };
    assert_eq!(
        hex(audit),
        format!(
            "{}{}02000000030000000000000001{}00",
            hex(worker(&node(1)).public()),
            "65".repeat(32),
            "04000000",
        )
    );
    let opened = AuditState::Opened {
        counted: 1,
        right: 2,
        missing: 3,
        away: 4,
    };
    assert_eq!(hex(opened), "0101000000020000000300000004000000");
    assert_eq!(hex(AuditState::Voided { missing: 5 }), "0205000000");
    assert_eq!(hex(AuditState::Excused), "03");
    let epoch = AuditEpoch {
        epoch: 1,
        batches: 2,
        closed: true,
    };
    assert_eq!(hex(epoch), "010000000200000001");
    assert_eq!(hex(Presence::default()), "000000000000000000");
    assert_eq!(hex(FamilyRate::default()), "00".repeat(41));
}

#[test]
fn stored_values_have_bounds_that_fit_a_proof() {
    assert!(
        Round::max_encoded_len() < 5_000,
        "{}",
        Round::max_encoded_len()
    );
    assert!(FamilyRate::max_encoded_len() < 8_000);
    assert!(Ends::max_encoded_len() < 300);
}
