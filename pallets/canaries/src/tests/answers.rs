use crate::{mock::*, types::Refusal, *};
use frame_support::{assert_noop, assert_ok, pallet_prelude::InvalidTransaction};
use sp_core::Pair;
use touchstone_primitives::{H256, consortium::NodeStatus, worker::WorkerPair};

type E = Error<Test>;

fn refused(why: Refusal) -> Failure {
    why.into()
}

#[test]
fn commitments_are_taken_once_in_their_window_from_their_node() {
    run(|| {
        let written = right_answers(0, &node(1));
        let good = || commit_call(0, &node(1), &written);
        let with = |hashes: Vec<H256>| {
            signed_by(
                &worker(&node(1)),
                &node(1),
                0,
                hashes.try_into().unwrap(),
                System::block_number() + 5,
            )
        };
        assert_eq!(validate(with(vec![])), Err(refused(Refusal::WrongNumber)));
        assert_eq!(
            validate(with(vec![H256::zero(); 9])),
            Err(refused(Refusal::WrongNumber))
        );
        let hashes = hashes(0, &node(1), &written);
        let until = |block| signed_by(&worker(&node(1)), &node(1), 0, hashes.clone(), block);
        assert_eq!(validate(until(0)), Err(refused(Refusal::Expired)));
        assert_eq!(validate(until(52)), Err(refused(Refusal::ValidTooLong)));
        let in_round = |round| signed_by(&worker(&node(1)), &node(1), round, hashes.clone(), 5);
        assert_eq!(validate(in_round(1)), Err(refused(Refusal::RoundNotFound)));
        let stranger = signed_by(&worker(&node(9)), &node(9), 0, hashes.clone(), 5);
        assert_eq!(validate(stranger), Err(refused(Refusal::NoDuty)));
        let thief = signed_by(
            &WorkerPair::from_seed(&[77; 32]),
            &node(1),
            0,
            hashes.clone(),
            5,
        );
        assert_eq!(
            validate(thief),
            Err(Failure::Refused(InvalidTransaction::BadProof))
        );
        set_status(1, NodeStatus::Suspended);
        assert_eq!(validate(good()), Err(refused(Refusal::NodeNotActive)));
        set_status(1, NodeStatus::Active);

        assert!(validate(good()).is_ok());
        assert_ok!(apply(good()));
        assert_eq!(
            events().last().unwrap(),
            &Event::Committed {
                round: 0,
                node: node(1)
            }
        );
        assert_eq!(validate(good()), Err(refused(Refusal::AlreadyCommitted)));
        run_to(9);
        let late = commit_call(0, &node(2), &right_answers(0, &node(2)));
        assert_eq!(validate(late), Err(refused(Refusal::CommitClosed)));
    });
}

#[test]
fn answers_are_taken_once_in_their_window_and_only_as_committed() {
    run(|| {
        let mut written = right_answers(0, &node(1));
        written[7] = None;
        let all = revealed(0, &written);
        let with = |answers| reveal_call(0, &node(1), answers);
        assert_eq!(
            validate(with(all.clone())),
            Err(refused(Refusal::RevealNotOpen))
        );
        apply(commit_call(0, &node(1), &written)).unwrap();
        run_to(9);
        assert_eq!(validate(with(vec![])), Err(refused(Refusal::BadAnswers)));
        assert_eq!(
            validate(with(vec![all[0].clone(), all[0].clone()])),
            Err(refused(Refusal::BadAnswers))
        );
        let change = |change: &dyn Fn(&mut touchstone_primitives::canary::Revealed)| {
            let mut one = all[1].clone();
            change(&mut one);
            validate(with(vec![one]))
        };
        let mismatch = Err(refused(Refusal::Mismatch));
        assert_eq!(change(&|one| one.salt[0] ^= 1), mismatch);
        assert_eq!(change(&|one| one.answer[0] ^= 1), mismatch);
        assert_eq!(change(&|one| one.slot = 2), mismatch);
        assert_eq!(
            change(&|one| one.slot = 7),
            Err(refused(Refusal::NotCommitted))
        );
        assert_eq!(
            change(&|one| one.slot = 200),
            Err(refused(Refusal::NotCommitted))
        );
        assert_eq!(
            validate(reveal_call(0, &node(2), all.clone())),
            Err(refused(Refusal::NotCommitted))
        );
        assert_eq!(
            validate(reveal_call(3, &node(1), all.clone())),
            Err(refused(Refusal::RoundNotFound))
        );

        // In two parts, sent by anybody.
        assert_ok!(apply(with(all[..2].to_vec())));
        assert_eq!(
            validate(with(all[1..3].to_vec())),
            Err(refused(Refusal::AlreadyRevealed))
        );
        assert_ok!(apply(with(all[2..].to_vec())));
        let right = Event::Revealed {
            round: 0,
            node: node(1),
            answers: 5,
            right: 5,
        };
        assert_eq!(events().last().unwrap(), &right);
        apply(commit_call(0, &node(3), &right_answers(0, &node(3)))).unwrap_err();
        run_to(15);
        assert_eq!(validate(with(all)), Err(refused(Refusal::RevealClosed)));
    });
}

#[test]
fn a_block_refuses_what_became_wrong_on_the_way() {
    run(|| {
        let written = right_answers(0, &node(1));
        let commit = |hashes: Vec<H256>, until| {
            Canaries::do_commit(node(1), 0, hashes.try_into().unwrap(), until)
        };
        let good = hashes(0, &node(1), &written).into_inner();
        assert_noop!(commit(good.clone(), 0), E::Expired);
        assert_noop!(commit(good.clone(), 100), E::ValidTooLong);
        assert_noop!(commit(vec![], 5), E::WrongNumber);
        assert_noop!(
            Canaries::do_commit(node(9), 0, Default::default(), 5),
            E::NoDuty
        );
        assert_noop!(
            Canaries::do_commit(node(1), 9, Default::default(), 5),
            E::RoundNotFound
        );
        let reveal = |answers: Vec<_>| Canaries::do_reveal(node(1), 0, answers.try_into().unwrap());
        assert_noop!(reveal(vec![]), E::RevealNotOpen);
        assert_ok!(commit(good.clone(), 5));
        assert_noop!(commit(good.clone(), 5), E::AlreadyCommitted);
        run_to(9);
        assert_noop!(
            Canaries::do_commit(node(2), 0, Default::default(), 10),
            E::CommitClosed
        );
        assert_noop!(reveal(vec![]), E::BadAnswers);
        let all = revealed(0, &written);
        let mut other = all[0].clone();
        other.salt = [0; 32];
        assert_noop!(reveal(vec![other]), E::Mismatch);
        assert_noop!(
            Canaries::do_reveal(node(2), 0, all.clone().try_into().unwrap()),
            E::NotCommitted
        );
        assert_ok!(reveal(all.clone()));
        assert_noop!(reveal(all.clone()), E::AlreadyRevealed);
        set_status(1, NodeStatus::Suspended);
        assert_noop!(reveal(all.clone()), E::NodeNotActive);
        set_status(1, NodeStatus::Active);
        run_to(15);
        assert_noop!(reveal(all), E::RevealClosed);
        assert_noop!(
            Canaries::commit(
                RuntimeOrigin::signed(node(1)),
                node(1),
                0,
                Default::default(),
                5,
                worker(&node(1)).sign(b"")
            ),
            sp_runtime::DispatchError::BadOrigin
        );
        assert_noop!(
            Canaries::reveal(
                RuntimeOrigin::signed(node(1)),
                node(1),
                0,
                Default::default()
            ),
            sp_runtime::DispatchError::BadOrigin
        );
    });
}

#[test]
fn refusals_have_codes_of_their_own() {
    let all = [
        Refusal::RoundNotFound,
        Refusal::NoDuty,
        Refusal::NodeNotActive,
        Refusal::WrongNumber,
        Refusal::Expired,
        Refusal::ValidTooLong,
        Refusal::CommitClosed,
        Refusal::RevealClosed,
        Refusal::NotCommitted,
        Refusal::BadAnswers,
        Refusal::NotDrawn,
        Refusal::OpeningNotDue,
        Refusal::Unfit,
        Refusal::NotAuditor,
        Refusal::AuditsBarred,
        Refusal::TooManyAudits,
        Refusal::NothingExamined,
        Refusal::AuditNotFound,
        Refusal::AuditClosed,
        Refusal::BadEntries,
    ];
    let codes: Vec<_> = all.into_iter().map(InvalidTransaction::from).collect();
    let expected: Vec<_> = (1..=20).map(InvalidTransaction::Custom).collect();
    assert_eq!(codes, expected);
    for (refusal, expected) in [
        (Refusal::RevealNotOpen, InvalidTransaction::Future),
        (Refusal::AlreadyCommitted, InvalidTransaction::Stale),
        (Refusal::AlreadyRevealed, InvalidTransaction::Stale),
        (Refusal::Mismatch, InvalidTransaction::BadProof),
        (Refusal::AlreadyDeclared, InvalidTransaction::Stale),
        (Refusal::AlreadyAudited, InvalidTransaction::Stale),
        (Refusal::AuditNotDue, InvalidTransaction::Future),
        (Refusal::BadVrf, InvalidTransaction::BadProof),
        (Refusal::BadReceipt, InvalidTransaction::BadProof),
    ] {
        assert_eq!(InvalidTransaction::from(refusal), expected);
    }
}
