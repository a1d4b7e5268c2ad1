use crate::{Error, Event, TopicByName, Topics, mock::*, types::TopicRecord};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError::BadOrigin;
use touchstone_primitives::provenance::{Class, Policy, Tier};

fn register(name: &str, policy: Policy) -> frame_support::dispatch::DispatchResult {
    Registry::register_topic(
        RuntimeOrigin::root(),
        text(name),
        Tier::T2,
        Class::C,
        policy,
    )
}

#[test]
fn a_topic_is_registered_by_the_governing_origin_alone() {
    run(|| {
        assert_ok!(register("drafts", Policy::default()));
        assert_eq!(
            last_event(),
            Event::TopicRegistered {
                topic: 2,
                name: text("drafts"),
                tier: Tier::T2,
                class: Class::C
            }
        );
        assert_eq!(TopicByName::<Test>::get(text("drafts")), Some(2));
        let by_member = RuntimeOrigin::signed(member());
        let (tier, class) = (Tier::T1, Class::A);
        assert_noop!(
            Registry::register_topic(by_member.clone(), text("x"), tier, class, Policy::default()),
            BadOrigin
        );
        assert_noop!(
            Registry::update_topic(by_member, 0, tier, class, Policy::default()),
            BadOrigin
        );
    })
}

#[test]
fn names_are_unique_and_readable() {
    run(|| {
        assert_noop!(
            register("code", Policy::default()),
            Error::<Test>::NameTaken
        );
        for bad in ["", " code", "co\nde"] {
            assert_noop!(register(bad, Policy::default()), Error::<Test>::BadName);
        }
    })
}

#[test]
fn policies_are_well_formed() {
    run(|| {
        let jurisdictions = Policy {
            jurisdictions: vec![*b"us"].try_into().unwrap(),
            ..Policy::default()
        };
        let lineages = Policy {
            denied_lineages: vec![text("")].try_into().unwrap(),
            ..Policy::default()
        };
        for bad in [jurisdictions, lineages] {
            assert_noop!(register("drafts", bad.clone()), Error::<Test>::BadPolicy);
            assert_noop!(
                Registry::update_topic(RuntimeOrigin::root(), 0, Tier::T1, Class::A, bad),
                Error::<Test>::BadPolicy
            );
        }
    })
}

#[test]
fn topics_are_bounded() {
    run(|| {
        assert_ok!(register("drafts", Policy::default()));
        assert_noop!(
            register("more", Policy::default()),
            Error::<Test>::TooManyTopics
        );
    })
}

#[test]
fn an_update_keeps_the_name() {
    run(|| {
        let TopicRecord { tier, policy, .. } = topic("", Tier::T3, &[*b"FR"]);
        assert_ok!(Registry::update_topic(
            RuntimeOrigin::root(),
            0,
            tier,
            Class::B,
            policy.clone()
        ));
        assert_eq!(
            last_event(),
            Event::TopicUpdated {
                topic: 0,
                tier,
                class: Class::B
            }
        );
        let expected = TopicRecord {
            name: text("code"),
            tier,
            class: Class::B,
            policy,
        };
        assert_eq!(Topics::<Test>::get(0), Some(expected));
        assert_noop!(
            Registry::update_topic(RuntimeOrigin::root(), 7, tier, Class::B, Policy::default()),
            Error::<Test>::TopicNotFound
        );
    })
}
