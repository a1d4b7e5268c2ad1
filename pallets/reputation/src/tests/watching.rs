//! Drift and gaps: attacks with what they gained and lost, and what honest nodes have to fear.

use crate::{Error, Event, mock::*, *};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError::BadOrigin;
use touchstone_primitives::{
    H256, NodeId,
    consortium::NodeStatus,
    evidence::{Offence, RecordEvidence, Scored},
    fixed::Fixed,
    generators::Draw,
    watch::{LAPSE, MAX_WAITING},
};

const FAMILIES: u64 = 3;

/// Right with this chance in 100.
fn dice(seed: u64) -> impl FnMut(u64) -> bool {
    let mut draw = Draw::new(&H256::zero(), 5, &H256::from_low_u64_le(seed));
    move |chance| u64::from(draw.below(100)) < chance
}

fn of_family(n: u64, epoch: u32, is_right: bool) -> Scored {
    Scored {
        family: H256::repeat_byte((n % FAMILIES) as u8),
        ..duty(epoch, 50, is_right)
    }
}

/// In each of `epochs`, six hours long, the node answers six public duties, and three secret ones of the next auditor.
fn audit(
    n: u8,
    epochs: core::ops::Range<u32>,
    auditors: &[u8],
    (public, secret): (u64, u64),
) -> Option<u32> {
    let mut is_right = dice(u64::from(n) * 1_000 + u64::from(epochs.start));
    let before = events().len();
    for epoch in epochs {
        advance(DAY / 4);
        let auditor = auditors[epoch as usize % auditors.len()];
        let shown: Vec<_> = (0..6)
            .map(|i| of_family(i, epoch, is_right(public)))
            .collect();
        let hidden: Vec<_> = (0..3)
            .map(|i| of_family(i, epoch, is_right(secret)))
            .collect();
        // Audits are settled before or after the round, as it happens.
        if epoch % 2 == 0 {
            Reputation::record(&node(n), 0, &shown);
            Reputation::record_secret(&node(n), 0, &id(auditor), &hidden);
        } else {
            Reputation::record_secret(&node(n), 0, &id(auditor), &hidden);
            Reputation::record(&node(n), 0, &shown);
        }
        if events()[before..].iter().any(|event| is_flag(event)) {
            return Some(epoch);
        }
    }
    None
}

fn is_flag(event: &Event<Test>) -> bool {
    matches!(
        event,
        Event::FlagRaised { .. } | Event::FlagConfirmed { .. } | Event::FlagCleared { .. }
    )
}

fn safety(n: u8) -> Fixed {
    Reputation::safety_of(&id(n))
}

fn accusers(n: u8) -> Vec<NodeId> {
    Gaps::<Test>::get(0, node(n)).one.auditors.into_inner()
}

/// Member 1's node compared on so many shared instances, four a day, until there is a flag.
fn compare(count: u32, seed: u64, (own, peers): (u64, u64)) -> Option<u32> {
    let mut is_right = dice(seed);
    (0..count).find(|_| {
        advance(DAY / 4);
        let three = (0..3).filter(|_| is_right(peers)).count() as u128;
        let own = Fixed::from_int(is_right(own).into());
        Reputation::compare(&node(1), 0, own, Fixed::ratio(three, 3));
        Drifts::<Test>::get(0, node(1)).flag.is_some()
    })
}

#[test]
fn who_learnt_the_public_canaries_by_heart_is_flagged_and_confirmed_by_others() {
    run(|| {
        let epoch = audit(1, 0..400, &[2, 3, 4, 5], (100, 40)).expect("flagged");
        let Some(Event::FlagRaised { flag, offence, .. }) = events().last().cloned() else {
            panic!("{:?}", events().last());
        };
        assert_eq!((offence, safety(1)), (Offence::Goodhart, Fixed::ONE));
        let saw = accusers(1);
        assert_eq!(saw.len(), 2, "half of the auditors: {saw:?}");
        let confirmed =
            audit(1, epoch + 1..epoch + 400, &[2, 3, 4, 5], (100, 40)).expect("confirmed");
        let [
            ..,
            Event::FlagConfirmed {
                by_others: Some(others),
                ..
            },
            Event::OffencePunished { safety, .. },
        ] = &events()[..]
        else {
            panic!("{:?}", events().last());
        };
        println!(
            "public perfect, secret 40 of 100: gained the reputation of the public ones for {} epochs; flagged after {} pairs (gap {:.2}), \
             confirmed by others after {} more (gap {:.2}); lost: S is {safety:.2}",
            confirmed + 1,
            flag.pairs,
            flag.gap,
            others.pairs,
            others.gap,
        );
        assert_eq!(*safety, Fixed::HALF);
        assert!(flag.pairs < 100 && others.pairs < 100);
        // It is watched on, with the same sides.
        let gap = Gaps::<Test>::get(0, node(1));
        assert_eq!((gap.flag, gap.exonerations), (None, 0));
    });
}

#[test]
fn one_auditor_alone_never_brings_the_penalty() {
    run(|| {
        // Member 2 lies about an honest node for half a year, with many names for the same owner; the others see nothing.
        for n in [6, 7, 8] {
            assert_ok!(Reputation::merge_groups(
                RuntimeOrigin::root(),
                id(n),
                id(2)
            ));
        }
        let mut flags = 0;
        for start in (0..720).step_by(2) {
            flags += u32::from(
                audit(
                    1,
                    start..start + 1,
                    &[[2, 6, 7, 8][start as usize % 4]],
                    (100, 0),
                )
                .is_some(),
            );
            let honest = audit(1, start + 1..start + 2, &[3 + start as u8 % 3], (90, 90));
            flags += u32::from(honest.is_some());
        }
        let (raised, lapsed) =
            events()
                .iter()
                .fold((0, 0), |(raised, lapsed), event| match event {
                    Event::FlagRaised { .. } => (raised + 1, lapsed),
                    Event::FlagCleared { .. } => (raised, lapsed + 1),
                    _ => (raised, lapsed),
                });
        println!(
            "1,080 false reports under four names: {raised} flags, {lapsed} lapsed; gained: 0 of S, {} left",
            safety(1)
        );
        assert!(flags > 0 && raised > 0, "a flag costs nothing");
        assert_eq!(safety(1), Fixed::ONE);
        assert_eq!(
            accusers(1).iter().filter(|group| **group == id(2)).count(),
            1
        );
    });
}

#[test]
fn auditors_of_the_own_group_are_not_heard() {
    run(|| {
        // The attack: pose secret canaries to oneself and pass them.
        assert_eq!(audit(1, 0..40, &[1], (100, 100)), None);
        let gap = Gaps::<Test>::get(0, node(1));
        println!("own audits: gained 0 pairs of {}", gap.one.recent.pairs);
        assert!(gap.one.auditors.is_empty() && gap.one.recent.pairs == 0);
    });
}

#[test]
fn honest_nodes_are_not_flagged_for_gaps() {
    run(|| {
        // Two years for each, by four auditors.
        for n in 1..=2 {
            let auditors: Vec<_> = (1..=5).filter(|other| *other != n).collect();
            assert_eq!(audit(n, 0..1_000, &auditors, (80, 80)), None);
        }
        println!("3,000 pairs of each of two honest nodes: no flag");
    });
}

#[test]
fn a_node_that_drifts_is_flagged_and_one_that_was_always_weaker_is_not() {
    run(|| {
        Reputation::record(&node(1), 0, &[duty(1, 50, true)]);
        assert_eq!(compare(600, 1, (50, 90)), None, "always weaker");
        assert_eq!(
            compare(900, 2, (20, 36)),
            None,
            "the topic got harder for all"
        );
        Reputation::manifest_changed(&node(1), 0);
        assert_eq!(compare(300, 3, (90, 90)), None);
        let pairs = compare(900, 4, (30, 90)).expect("flagged");
        let Some(Event::FlagRaised { offence, flag, .. }) = events().last().cloned() else {
            panic!("{:?}", events().last());
        };
        println!(
            "from 90 to 30 of 100 right: gained {pairs} shared instances with bad answers, then a flag (gap {:.2}, admitted {:.2}); \
             always 50 against 90, or harder for all: no flag in 600 and 900",
            flag.gap, flag.admitted
        );
        assert_eq!((offence, safety(1)), (Offence::Drift, Fixed::ONE));
        // The attack: another model sheds the flag.
        Reputation::manifest_changed(&node(1), 0);
        assert_eq!(Drifts::<Test>::get(0, node(1)).flag, Some(flag));
        assert_ok!(Reputation::confirm_drift(RuntimeOrigin::root(), node(1), 0));
        assert_eq!(safety(1), Fixed::percent(80));
        assert_eq!(Drifts::<Test>::get(0, node(1)), Default::default());
    });
}

#[test]
fn flags_are_confirmed_and_cleared_by_the_governing_origin_only() {
    run(|| {
        let root = RuntimeOrigin::root;
        let member = || RuntimeOrigin::signed(id(1));
        let clear = |origin, offence| Reputation::clear_flag(origin, node(1), 0, offence);
        assert_noop!(clear(member(), Offence::Drift), BadOrigin);
        assert_noop!(Reputation::confirm_drift(member(), node(1), 0), BadOrigin);
        for offence in Offence::ALL {
            assert_noop!(clear(root(), offence), Error::<Test>::NotFlagged);
        }
        assert_noop!(
            Reputation::confirm_drift(root(), node(1), 0),
            Error::<Test>::NotFlagged
        );
        Reputation::record(&node(1), 0, &[duty(1, 50, true)]);
        compare(200, 1, (90, 90));
        let first = compare(900, 2, (10, 90)).expect("flagged");
        assert_ok!(clear(root(), Offence::Drift));
        let cleared = Event::FlagCleared {
            node: node(1),
            topic: 0,
            offence: Offence::Drift,
            exonerations: 1,
        };
        assert_eq!(events().last(), Some(&cleared));
        let drift = Drifts::<Test>::get(0, node(1));
        assert_eq!((drift.baseline.pairs, drift.exonerations), (0, 1));
        audit(2, 0..400, &[1, 3], (100, 20)).expect("flagged");
        assert_ok!(Reputation::clear_flag(
            root(),
            node(2),
            0,
            Offence::Goodhart
        ));
        assert_eq!(Gaps::<Test>::get(0, node(2)).exonerations, 1);
        println!(
            "flagged after {first} pairs, cleared, S is still {}",
            safety(1)
        );
        assert_eq!(safety(1), Fixed::ONE);
    });
}

#[test]
fn a_gap_that_nobody_confirms_lapses() {
    run(|| {
        let epoch = audit(1, 0..400, &[2], (100, 0)).expect("flagged");
        advance(LAPSE);
        assert_eq!(
            audit(1, epoch + 1..epoch + 2, &[3], (100, 100)),
            Some(epoch + 1)
        );
        let lapsed = |event: &Event<Test>| {
            matches!(
                event,
                Event::FlagCleared {
                    exonerations: 1,
                    ..
                }
            )
        };
        assert!(events().iter().any(lapsed));
        assert_eq!(Gaps::<Test>::get(0, node(1)).flag, None);
    });
}

#[test]
fn nothing_is_watched_for_another_owner_or_model() {
    run(|| {
        audit(1, 0..10, &[2, 3], (100, 50));
        Reputation::record(&node(1), 0, &[of_family(1, 77, true)]);
        compare(10, 1, (50, 50));
        assert!(!Waiting::<Test>::get(0, node(1)).public.is_empty());
        Reputation::manifest_changed(&node(1), 0);
        assert_eq!(Waiting::<Test>::get(0, node(1)), Default::default());
        assert_eq!(Drifts::<Test>::get(0, node(1)), Default::default());
        assert_eq!(Gaps::<Test>::get(0, node(1)).one.recent.pairs, 0);
        assert_eq!(
            Gaps::<Test>::get(0, node(1)).one.auditors.len(),
            1,
            "sides stay"
        );
        set_node(node(1), id(9), NodeStatus::Active);
        Reputation::record(&node(1), 0, &[duty(80, 50, true)]);
        assert_eq!(Gaps::<Test>::get(0, node(1)), Default::default());
        // Of nodes without evidence nothing is kept.
        Reputation::compare(&node(7), 0, Fixed::ONE, Fixed::ZERO);
        assert!(!Drifts::<Test>::contains_key(0, node(7)));
    });
}

#[test]
fn what_waits_is_bounded() {
    run(|| {
        let many: Vec<_> = (0..3 * u64::from(MAX_WAITING))
            .map(|n| of_family(n, 1, true))
            .collect();
        Reputation::record(&node(1), 0, &many);
        assert_eq!(
            Waiting::<Test>::get(0, node(1)).public.len() as u32,
            MAX_WAITING
        );
    });
}

#[test]
fn correlations_can_be_redone_from_what_is_shown() {
    run(|| {
        // Nodes 1 and 2 give the same wrong answers, 3 others; 4 declares the base of 3.
        for n in 0..60u8 {
            for who in 1..=4 {
                let shared = Scored {
                    duty: H256::repeat_byte(n),
                    shared: true,
                    wrong: Some([if who < 3 { n } else { 100 + who }; 8]),
                    ..duty(1, 50, false)
                };
                Reputation::record(&node(who), 0, &[shared]);
            }
        }
        Bases::set(
            [
                (node(3), H256::repeat_byte(1)),
                (node(4), H256::repeat_byte(1)),
            ]
            .into(),
        );
        remove_node(&node(9));
        let all = Reputation::correlations(0);
        assert_eq!((all.nodes.len(), all.pairs.len()), (4, 6));
        for pair in &all.pairs {
            let (one, other) = (
                &all.nodes[pair.one as usize],
                &all.nodes[pair.other as usize],
            );
            let floor = touchstone_primitives::independence::floor(&one.1, &other.1);
            let ring = |node| Reputation::ring(node, 0);
            let redone = touchstone_primitives::independence::correlation(
                &ring(&one.0),
                &ring(&other.0),
                floor,
                all.now,
                all.half_life,
            );
            assert_eq!(pair.correlation, redone);
        }
        let known = all.rho(0, 1);
        println!(
            "copies {known:.3}, declared {:.3}, strangers {:.3}; n_eff of 4: {:.3}",
            all.rho(2, 3),
            all.rho(0, 2),
            all.effective()
        );
        assert!(known > Fixed::percent(80));
        assert_eq!(
            (all.rho(3, 2), all.rho(2, 0), all.rho(1, 1)),
            (Fixed::ONE, Fixed::percent(20), Fixed::ONE)
        );
        assert!(all.effective() < Fixed::percent(300));
    });
}

#[test]
fn what_is_watched_can_be_read() {
    run(|| {
        audit(2, 0..4, &[1, 3], (100, 100));
        Reputation::record(&node(1), 0, &[duty(1, 50, true)]);
        compare(3, 1, (50, 50));
        let [one, two] = Reputation::watched(0).try_into().unwrap();
        assert_eq!((one.node, one.drift.baseline.pairs), (node(1), 3));
        assert_eq!((two.node, two.gap.one.recent.pairs), (node(2), 6));
        assert!(Reputation::watched(1).is_empty());
    });
}
