use super::*;
use alloc::collections::BTreeSet;
use proptest::prelude::*;

const DAY: Moment = 86_400_000;

fn id(n: u8) -> AccountId32 {
    AccountId32::new([n; 32])
}

fn facts(slots: u8) -> RoundFacts {
    let families = ["addition", "larger", "field"]
        .map(|name| (generators::named(name).unwrap().id(), 1))
        .to_vec();
    RoundFacts {
        id: 7,
        topic: 1,
        epoch: 5,
        seed: H256::repeat_byte(9),
        start: 100,
        windows: Windows {
            open: 3,
            commit: 8,
            reveal: 6,
        },
        rules: TopicRules {
            families: families.try_into().unwrap(),
            slots,
            authored: 0,
        },
        authored: Default::default(),
    }
}

#[test]
fn windows_follow_each_other_at_fixed_heights() {
    let round = facts(8);
    let phases =
        |range: core::ops::Range<u32>, phase| range.clone().all(|n| round.phase(n) == phase);
    assert!(phases(100..108, Phase::Committing));
    assert!(phases(108..114, Phase::Revealing));
    assert!(phases(114..120, Phase::Closed));
    assert_eq!(round.phase(u32::MAX), Phase::Closed);
}

#[test]
fn canaries_of_members_are_opened_before_and_after_the_commitments() {
    let round = RoundFacts {
        authored: alloc::vec![(4, id(8)), (9, id(9))].try_into().unwrap(),
        ..facts(8)
    };
    let phases =
        |range: core::ops::Range<u32>, phase| range.clone().all(|n| round.phase(n) == phase);
    assert!(phases(100..103, Phase::OpeningTasks));
    assert!(phases(103..111, Phase::Committing));
    assert!(phases(111..114, Phase::OpeningCheckers));
    assert!(phases(114..120, Phase::Revealing));
    assert!(phases(120..130, Phase::Closed));
    let all = duties(&round, &id(1));
    assert_eq!(all.len(), round.duties());
    assert_eq!(all[8..], duties(&round, &id(2))[8..]);
    assert_eq!(all[9].authored, Some((9, id(9))));
    assert!(all[8].shared && all[8].instance != all[9].instance);
}

#[test]
fn rules_name_families_and_levels_that_exist() {
    let rules = facts(8).rules;
    assert!(rules.is_valid());
    // 10 %, 51 %, 5 %
    assert_eq!(
        rules.null_rate(),
        Fixed::percent(10)
            .plus(Fixed::percent(51))
            .plus(Fixed::percent(5))
            .over(Fixed::from_int(3))
    );
    for bad in [
        TopicRules {
            slots: 0,
            ..rules.clone()
        },
        TopicRules {
            slots: 17,
            ..rules.clone()
        },
        TopicRules {
            families: Default::default(),
            ..rules.clone()
        },
        TopicRules {
            families: alloc::vec![(H256::zero(), 1)].try_into().unwrap(),
            ..rules.clone()
        },
        TopicRules {
            families: alloc::vec![(generators::families()[0].id(), 6)]
                .try_into()
                .unwrap(),
            ..rules.clone()
        },
        TopicRules {
            authored: 5,
            slots: 12,
            ..rules.clone()
        },
        TopicRules {
            authored: 3,
            slots: 5,
            ..rules.clone()
        },
        TopicRules {
            authored: 4,
            slots: 13,
            ..rules.clone()
        },
    ] {
        assert!(!bad.is_valid(), "{bad:?}");
    }
}

#[test]
fn a_quarter_of_the_duties_is_shared_and_the_rest_is_the_groups_own() {
    let round = facts(16);
    let (a, b) = (duties(&round, &id(1)), duties(&round, &id(2)));
    assert_eq!(a.len(), 16);
    assert_eq!(a.iter().filter(|d| d.shared).count(), 4);
    for (a, b) in a.iter().zip(&b) {
        assert_eq!(
            (a.slot, a.shared, a.family, a.level),
            (b.slot, b.shared, b.family, b.level)
        );
        assert_eq!(a.instance == b.instance, a.shared);
        assert!(a.task().is_some());
    }
    let all: BTreeSet<_> = a.iter().map(|d| d.instance).collect();
    assert_eq!(all.len(), 16, "every slot is another instance");
}

#[test]
fn ten_identities_of_one_group_get_one_set_of_instances() {
    let round = facts(16);
    let sets: BTreeSet<_> = (0..10)
        .map(|_| {
            duties(&round, &id(1))
                .iter()
                .map(|d| d.instance)
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(sets.len(), 1);
}

#[test]
fn another_seed_makes_other_duties() {
    let round = facts(16);
    let other = RoundFacts {
        seed: H256::repeat_byte(8),
        ..round.clone()
    };
    let instances = |round: &RoundFacts| -> BTreeSet<_> {
        duties(round, &id(1)).iter().map(|d| d.instance).collect()
    };
    assert!(instances(&round).is_disjoint(&instances(&other)));
}

#[test]
fn all_families_of_a_topic_are_drawn() {
    let mut counts = alloc::collections::BTreeMap::<H256, u32>::new();
    for n in 0..100 {
        let round = RoundFacts {
            seed: H256::repeat_byte(n),
            ..facts(16)
        };
        for duty in duties(&round, &id(1)) {
            *counts.entry(duty.family).or_default() += 1;
        }
    }
    assert_eq!(counts.len(), 3);
    assert!(
        counts.values().all(|n| (450..620).contains(n)),
        "{counts:?}"
    );
}

#[test]
fn a_commitment_binds_all_its_parts() {
    let (g, i) = (H256::repeat_byte(1), H256::repeat_byte(2));
    let good = commitment(&g, 3, &i, &id(4), &[5; 32], b"answer");
    let others = [
        commitment(&H256::zero(), 3, &i, &id(4), &[5; 32], b"answer"),
        commitment(&g, 4, &i, &id(4), &[5; 32], b"answer"),
        commitment(&g, 3, &g, &id(4), &[5; 32], b"answer"),
        commitment(&g, 3, &i, &id(5), &[5; 32], b"answer"),
        commitment(&g, 3, &i, &id(4), &[6; 32], b"answer"),
        commitment(&g, 3, &i, &id(4), &[5; 32], b"answe"),
    ];
    assert!(others.iter().all(|other| *other != good));
}

#[test]
fn every_duty_of_a_present_node_ends_in_one_way() {
    let hash = H256::repeat_byte(1);
    let right = Outcome::Right;
    assert_eq!(End::of(Some(&hash), Some(right)), End::Scored(right));
    assert_eq!(End::of(Some(&hash), Some(Outcome::Void)), End::Void);
    assert_eq!(End::of(Some(&hash), None), End::NotRevealed);
    assert_eq!(End::of(Some(&H256::zero()), None), End::NotCommitted);
    assert_eq!(End::of(None, None), End::NotCommitted);
    assert_eq!(End::Scored(right).passed(), Some(true));
    assert_eq!(End::NotRevealed.passed(), Some(false));
    assert_eq!(End::NotCommitted.passed(), Some(false));
    assert_eq!((End::Void.passed(), End::Absent.passed()), (None, None));
}

#[test]
fn wrong_answers_have_the_hash_of_what_was_answered() {
    let task = generators::named("addition")
        .unwrap()
        .generate(1, &H256::zero())
        .unwrap();
    let wrong = |text: &str| outcome(&task, text.as_bytes());
    assert_eq!(wrong("Answer: 1000"), wrong("I think it is 1000."));
    assert_ne!(wrong("1000"), wrong("1001"));
    assert_eq!(wrong("no idea"), Outcome::Wrong(None));
}

#[test]
fn what_everybody_passes_stops_paying() {
    let one = Fixed::ONE;
    assert_eq!(effective_difficulty(one, Fixed::ZERO, Fixed::ZERO), one);
    assert_eq!(
        effective_difficulty(one, Fixed::HALF, Fixed::ZERO),
        Fixed::HALF
    );
    assert_eq!(
        effective_difficulty(one, one, Fixed::ZERO),
        DIFFICULTY_FLOOR
    );
    assert_eq!(effective_difficulty(one, Fixed::ZERO, one), Fixed::ZERO);
    assert_eq!(
        effective_difficulty(Fixed::HALF, Fixed::HALF, Fixed::HALF),
        Fixed::ratio(1, 8)
    );
}

#[test]
fn failing_on_purpose_does_not_raise_ones_own_difficulty() {
    let mut rate = FamilyRate::default();
    for _ in 0..10 {
        rate.add(&id(1), true, Fixed::ONE, 0, DAY);
    }
    assert_eq!(
        rate.leaving_out(&id(1), 0, DAY),
        None,
        "nobody else has answered"
    );
    for _ in 0..10 {
        rate.add(&id(2), true, Fixed::ONE, 0, DAY);
        rate.add(&id(3), false, Fixed::ONE, 0, DAY);
    }
    let before = rate.leaving_out(&id(3), 0, DAY).unwrap();
    for _ in 0..100 {
        rate.add(&id(3), false, Fixed::ONE, 0, DAY);
    }
    assert_eq!(rate.leaving_out(&id(3), 0, DAY).unwrap(), before);
    assert!(rate.leaving_out(&id(1), 0, DAY).unwrap() < Fixed::HALF);
}

#[test]
fn old_pass_rates_fade() {
    let mut rate = FamilyRate::default();
    rate.add(&id(1), true, Fixed::ONE, 0, DAY);
    for _ in 0..2 {
        rate.add(&id(1), false, Fixed::ONE, 10 * DAY, DAY);
    }
    assert!(rate.leaving_out(&id(2), 10 * DAY, DAY).unwrap() < Fixed::ratio(1, 1_000));
}

#[test]
fn being_away_is_excused_twice_in_a_half_life() {
    let mut presence = Presence::default();
    presence.see(10);
    assert!(presence.was_seen(10) && !presence.was_seen(9) && !presence.was_seen(11));
    presence.see(12);
    assert!(presence.was_seen(10) && !presence.was_seen(11));
    presence.see(11);
    assert!(presence.was_seen(11) && presence.was_seen(12));
    presence.see(80);
    assert!(presence.was_seen(12), "what is forgotten counts as seen");
    assert!(!presence.was_seen(79));

    assert!(presence.excuse(81, 0, DAY));
    assert!(
        presence.excuse(81, 0, DAY),
        "the same epoch on another topic"
    );
    assert!(presence.excuse(82, 0, DAY));
    assert!(!presence.excuse(83, 0, DAY));
    assert!(presence.excuse(84, DAY, DAY), "the first two have aged");
}

proptest! {
    #[test]
    fn pass_rates_stay_shares(steps in proptest::collection::vec((1u8..6, any::<bool>(), 0u64..40), 1..80)) {
        let (mut rate, mut now) = (FamilyRate::default(), 0);
        for (group, passed, days) in steps {
            now += days * DAY;
            rate.add(&id(group), passed, Fixed::ONE, now, 30 * DAY);
            for group in 0..7 {
                if let Some(share) = rate.leaving_out(&id(group), now, 30 * DAY) {
                    prop_assert!(share <= Fixed::ONE);
                }
            }
        }
        let ids: Vec<_> = rate.groups.iter().map(|(id, _)| id.clone()).collect();
        prop_assert!(ids.is_sorted());
    }

    #[test]
    fn any_bytes_are_an_outcome(answer in proptest::collection::vec(any::<u8>(), 0..200), seed in any::<[u8; 32]>()) {
        for family in generators::families() {
            outcome(&family.generate(1, &H256(seed)).unwrap(), &answer);
        }
    }
}
