use crate::{Event, mock::*, types::MAX_FOLDS, *};
use touchstone_primitives::{
    H256,
    consortium::NodeStatus,
    evidence::{CompetenceOf, RING_LENGTH, RecordEvidence, Scored, Standing},
    fixed::Fixed,
};

fn standing(n: u8) -> Standing {
    Reputation::standing(&node(n), 0)
}

#[docify::export]
#[test]
fn evidence_adds_up_and_fades() {
    run(|| {
        // Two right answers and a wrong one, to tasks of difficulty 0.5.
        let duties = [duty(1, 50, true), duty(1, 50, true), duty(1, 50, false)];
        Reputation::record(&node(1), 0, &duties);
        let standing = Reputation::standing(&node(1), 0);
        assert_eq!(standing.evidence, "1.5".parse().unwrap());
        assert_eq!(standing.passed, "1".parse().unwrap());

        // A half-life later, half of it is left.
        advance(30 * DAY);
        let later = Reputation::standing(&node(1), 0);
        assert_eq!(later.evidence, "0.75".parse().unwrap());
        assert_eq!(later.passed, "0.5".parse().unwrap());
        assert!(later.reputation < standing.reputation);

        // Other topics know nothing of it.
        assert_eq!(Reputation::standing(&node(1), 1).evidence, Fixed::ZERO);
    });
}

#[test]
fn a_fold_tells_its_numbers() {
    run(|| {
        Reputation::record(&node(1), 0, &[duty(1, 50, true)]);
        advance(30 * DAY);
        Reputation::record_secret(&node(1), 0, &node(9), &[duty(2, 40, false), duty(2, 10, true)]);
        let [first, second] = Reputation::history(&node(1), 0).try_into().unwrap();
        assert!(!first.secret && second.secret);
        assert_eq!((second.factor, second.duties), (Fixed::HALF, 2));
        let (n, p) = (first.evidence, first.passed_total);
        assert_eq!(n.times(second.factor).plus(second.gain), second.evidence);
        assert_eq!(
            p.times(second.factor)
                .plus(second.passed_gain.positive_part()),
            second.passed_total
        );
        let event = Event::EvidenceFolded {
            node: node(1),
            topic: 0,
            fold: second,
        };
        assert_eq!(events().last(), Some(&event));
    });
}

#[test]
fn blind_audits_are_tallied_apart_and_stay_out_of_the_ring() {
    run(|| {
        let shared = Scored {
            shared: true,
            ..duty(1, 50, true)
        };
        Reputation::record(&node(1), 0, &[shared.clone()]);
        Reputation::record_secret(&node(1), 0, &node(9), &[shared]);
        let account = Accounts::<Test>::get(0, node(1)).unwrap().account;
        assert_eq!(account.tally.evidence, Fixed::ONE);
        assert_eq!(account.secret.evidence, Fixed::percent(50));
        assert_eq!(Rings::<Test>::get(0, node(1)).len(), 1);
    });
}

#[test]
fn rings_and_history_keep_the_last_entries() {
    run(|| {
        let shared = |n: u32| Scored {
            shared: n % 2 == 0,
            duty: H256(core::array::from_fn(|place| {
                n.to_le_bytes().get(place).copied().unwrap_or(0)
            })),
            ..duty(1, 1, n % 4 == 0)
        };
        for n in 0..2 * RING_LENGTH + 10 {
            Reputation::record(&node(1), 0, &[shared(n)]);
        }
        let ring = Reputation::ring(&node(1), 0);
        assert_eq!(ring.len() as u32, RING_LENGTH);
        assert_eq!(ring[0].duty, 10_u64.to_le_bytes());
        assert!(
            ring.iter()
                .all(|entry| entry.right == entry.wrong.is_none())
        );
        assert_eq!(Reputation::history(&node(1), 0).len() as u32, MAX_FOLDS);
    });
}

#[test]
fn nothing_recorded_changes_nothing() {
    run(|| {
        Reputation::record(&node(1), 0, &[]);
        Reputation::record(&id(77), 0, &[duty(1, 50, true)]);
        Reputation::manifest_changed(&node(1), 0);
        assert!(events().is_empty());
        assert!(Accounts::<Test>::iter().next().is_none());
        assert_eq!(Reputation::standing(&id(77), 0), Standing::default());
    });
}

#[test]
fn another_model_keeps_a_quarter() {
    run(|| {
        teach(&node(1), 0, 1);
        let before = standing(1);
        Reputation::manifest_changed(&node(1), 0);
        let after = standing(1);
        assert_eq!(after.evidence, before.evidence.times(Fixed::percent(25)));
        assert_eq!(after.passed, before.passed.times(Fixed::percent(25)));
        assert!(matches!(events().last(), Some(Event::ModelChanged { .. })));
    });
}

#[test]
fn evidence_of_a_node_that_has_left_still_counts_for_its_member() {
    run(|| {
        teach(&node(1), 0, 0);
        remove_node(&node(1));
        Reputation::record(&node(1), 0, &[duty(11, 50, true)]);
        let stored = Accounts::<Test>::get(0, node(1)).unwrap();
        assert_eq!((stored.member, stored.account.epoch), (id(1), Some(11)));
    });
}

#[test]
fn newcomers_are_those_below_the_evidence_threshold() {
    run(|| {
        assert!(Reputation::is_newcomer(&node(1), 0));
        teach(&node(1), 0, 0);
        assert!(!Reputation::is_newcomer(&node(1), 0));
        advance(30 * 6 * DAY);
        assert!(Reputation::is_newcomer(&node(1), 0));
    });
}

#[test]
fn a_stash_that_another_member_registers_starts_from_nothing() {
    // The attack: sell the account that earned the reputation.
    run(|| {
        let shared = Scored {
            shared: true,
            ..duty(1, 50, true)
        };
        Reputation::record(&node(1), 0, &[shared]);
        teach(&node(1), 0, 0);
        set_node(node(1), id(9), NodeStatus::Active);
        assert_eq!(standing(1).evidence, Fixed::ZERO);
        assert!(Reputation::ranking(0).rows.is_empty());
        Reputation::record(&node(1), 0, &[duty(20, 50, true)]);
        assert_eq!(standing(1).evidence, Fixed::percent(50));
        assert!(Rings::<Test>::get(0, node(1)).is_empty());
        assert_eq!(Reputation::history(&node(1), 0).len(), 1);
    });
}
