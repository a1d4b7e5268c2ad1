use super::*;
use frame_support::{assert_noop, assert_ok};

fn apply(n: u8) -> DispatchResult {
    Consortium::apply(signed(n), account(n), H256::repeat_byte(n), *b"DE")
}

#[test]
fn organisation_applies_and_the_council_admits_it_with_credit() {
    with_members(4, || {
        assert_ok!(apply(5));
        assert_eq!(last_event(), Event::Applied { member: account(5) });
        assert_eq!(member_status(5), MemberStatus::Candidate);
        let before = Balances::free_balance(account(5));
        assert_ok!(Consortium::admit_member(council(3, 4), account(5)));
        assert_eq!(
            Balances::free_balance(account(5)),
            before + AdmissionCredit::get()
        );
        assert_eq!(member_status(5), MemberStatus::Active);
        assert!(Seats::<Test>::get().contains(&account(5)));
        let credit = AdmissionCredit::get();
        assert_eq!(
            last_event(),
            Event::MemberAdmitted {
                member: account(5),
                credit
            }
        );
    });
}

#[test]
fn active_member_may_sponsor_an_application_and_nobody_else() {
    with_members(4, || {
        let application = |from| Consortium::apply(signed(from), account(5), H256::zero(), *b"DE");
        assert_noop!(application(6), E::NotSponsor);
        assert_ok!(application(1));
    });
}

#[test]
fn application_needs_a_country_and_is_made_once() {
    with_members(4, || {
        assert_noop!(
            Consortium::apply(signed(5), account(5), H256::zero(), *b"de"),
            E::InvalidJurisdiction
        );
        assert_noop!(apply(1), E::AlreadyMember);
        assert_ok!(apply(5));
        assert_noop!(apply(5), E::AlreadyMember);
    });
}

#[test]
fn candidates_are_bounded() {
    with_members(4, || {
        for n in 0..MAX_CANDIDATES as u8 {
            let candidate = account(150 + n);
            assert_ok!(Consortium::apply(
                signed(1),
                candidate,
                H256::zero(),
                *b"DE"
            ));
        }
        assert_noop!(apply(5), E::TooManyCandidates);
    });
}

#[test]
fn candidate_may_withdraw_and_the_council_may_decline() {
    with_members(4, || {
        assert_noop!(Consortium::withdraw_application(signed(5)), E::NotCandidate);
        assert_ok!(apply(5));
        assert_ok!(Consortium::withdraw_application(signed(5)));
        assert_eq!(
            last_event(),
            Event::ApplicationWithdrawn { member: account(5) }
        );
        assert_ok!(apply(5));
        assert_noop!(
            Consortium::decline_candidate(council(2, 4), account(5)),
            DispatchError::BadOrigin
        );
        assert_ok!(Consortium::decline_candidate(council(3, 4), account(5)));
        assert_eq!(
            last_event(),
            Event::CandidateDeclined { member: account(5) }
        );
        assert_noop!(
            Consortium::decline_candidate(council(3, 4), account(5)),
            E::NotCandidate
        );
        assert!(!Members::<Test>::contains_key(account(5)));
    });
}

#[test]
fn admission_needs_votes_a_candidate_a_seat_and_credit() {
    with_members(4, || {
        assert_noop!(
            Consortium::admit_member(council(3, 4), account(5)),
            E::NotCandidate
        );
        assert_ok!(apply(5));
        assert_noop!(
            Consortium::admit_member(council(2, 4), account(5)),
            DispatchError::BadOrigin
        );
        assert_noop!(
            Consortium::admit_member(signed(1), account(5)),
            DispatchError::BadOrigin
        );
        AdmissionCredit::set(1_000_000 * UNIT);
        assert_noop!(
            Consortium::admit_member(council(3, 4), account(5)),
            E::CommonsTooPoor
        );
        AdmissionCredit::set(150 * UNIT);
        (5..=10).for_each(|n| {
            let _ = apply(n);
            assert_ok!(Consortium::admit_member(council(3, 4), account(n)));
        });
        assert_ok!(apply(11));
        assert_noop!(
            Consortium::admit_member(council(3, 4), account(11)),
            E::TooManyMembers
        );
    });
}

#[test]
fn member_leaves_with_its_nodes_and_is_gone_after_the_delay() {
    with_members(4, || {
        assert_noop!(Consortium::leave(signed(5)), E::UnknownMember);
        assert_ok!(Consortium::leave(signed(4)));
        assert_eq!(member_status(4), MemberStatus::Leaving);
        assert_eq!(node_status(4), NodeStatus::Leaving);
        assert!(!Seats::<Test>::get().contains(&account(4)));
        assert_noop!(Consortium::leave(signed(4)), E::AlreadyLeaving);
        assert_eq!(register(4, 9), Err(E::MemberNotActive.into()));
        (0..2).for_each(|_| next_session());
        advance(UnbondingDelay::get());
        assert_ok!(Consortium::withdraw_bond(signed(4), stash(4)));
        assert_eq!(last_event(), Event::MemberLeft { member: account(4) });
        assert!(!Members::<Test>::contains_key(account(4)));
        assert_eq!(Balances::free_balance(account(4)), 1_000 * UNIT);
    });
}

#[test]
fn candidate_without_seat_cannot_leave_or_be_revoked() {
    with_members(4, || {
        assert_ok!(apply(5));
        assert_noop!(Consortium::leave(signed(5)), E::NoSeat);
        assert_noop!(
            Consortium::revoke_member(council(3, 4), account(5)),
            E::NoSeat
        );
    });
}

#[test]
fn last_seat_stays() {
    with_genesis(consortium(1, 1), || {
        assert_noop!(Consortium::leave(signed(1)), E::LastSeat);
        assert_noop!(
            Consortium::revoke_member(council(1, 1), account(1)),
            E::LastSeat
        );
    });
}

#[test]
fn two_thirds_revoke_a_member_and_it_may_apply_again_later() {
    with_members(4, || {
        assert_noop!(
            Consortium::revoke_member(council(2, 4), account(4)),
            DispatchError::BadOrigin
        );
        assert_noop!(
            Consortium::revoke_member(council(3, 4), account(9)),
            E::UnknownMember
        );
        assert_ok!(Consortium::revoke_member(council(3, 4), account(4)));
        assert_eq!(member_status(4), MemberStatus::Revoked);
        assert_eq!(node_status(4), NodeStatus::Leaving);
        assert_eq!(
            disabled(),
            [4],
            "a revoked member's validator stops at once"
        );
        assert_noop!(apply(4), E::AlreadyMember);
        (0..2).for_each(|_| next_session());
        assert_eq!(validators(), [1, 2, 3]);
        advance(UnbondingDelay::get());
        assert_ok!(Consortium::withdraw_bond(signed(4), stash(4)));
        assert_eq!(member_status(4), MemberStatus::Revoked);
        assert_ok!(apply(4));
        assert_eq!(member_status(4), MemberStatus::Candidate);
    });
}

#[test]
fn api_shows_members_that_are_not_revoked() {
    with_members(4, || {
        assert_ok!(Consortium::revoke_member(council(3, 4), account(4)));
        let infos = Consortium::member_infos();
        assert_eq!(infos.len(), 3);
        let first = infos.iter().find(|info| info.member == account(1)).unwrap();
        assert_eq!(first.nodes, [stash(1)]);
        assert_eq!(first.legal_name_hash, H256::repeat_byte(1));
    });
}
