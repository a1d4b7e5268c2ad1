use crate::{Error, mock::*};
use frame_support::{assert_noop, assert_ok};
use touchstone_primitives::{
    apis::ModelStatus::*,
    model::ModelRecord,
    provenance::{Class, Policy, Tier},
};

const OPEN: u32 = 0;
const STRATEGY: u32 = 1;

fn from(jurisdiction: &[u8; 2], mut record: ModelRecord) -> ModelRecord {
    record.provenance.jurisdiction = *jurisdiction;
    record
}

fn update(topic: u32, tier: Tier, policy: Policy) -> frame_support::dispatch::DispatchResult {
    Registry::update_topic(RuntimeOrigin::root(), topic, tier, Class::A, policy)
}

fn only(jurisdiction: &[u8; 2]) -> Policy {
    Policy {
        jurisdictions: vec![*jurisdiction].try_into().unwrap(),
        ..Policy::default()
    }
}

#[test]
fn a_model_of_a_disallowed_provenance_cannot_be_registered_for_a_t3_topic() {
    run(|| {
        assert_ok!(register(base(1)));
        let foreign = from(b"CN", adapter(2, hash(1), STRATEGY));
        assert_noop!(register(foreign), Error::<Test>::JurisdictionNotAdmitted);
        assert_ok!(register(from(b"CN", adapter(2, hash(1), OPEN))));
        assert_ok!(register(adapter(3, hash(1), STRATEGY)));
    })
}

#[test]
fn an_adapter_does_not_launder_its_base() {
    run(|| {
        assert_ok!(register(from(b"CN", base(1))));
        let laundered = adapter(2, hash(1), STRATEGY);
        assert_noop!(register(laundered), Error::<Test>::JurisdictionNotAdmitted);
        let mut renamed = adapter(2, hash(1), OPEN);
        renamed.provenance.base_lineage = text("own");
        assert_noop!(register(renamed), Error::<Test>::WrongLineage);
    })
}

#[test]
fn a_t3_topic_without_policy_admits_nothing() {
    run(|| {
        assert_ok!(register(base(1)));
        assert_ok!(update(STRATEGY, Tier::T3, Policy::default()));
        assert_noop!(
            register(adapter(2, hash(1), STRATEGY)),
            Error::<Test>::PolicyMissing
        );
        assert!(!Registry::eligible(STRATEGY, &hash(1), None));
    })
}

#[test]
fn a_denied_lineage_is_refused_in_every_tier() {
    run(|| {
        let denied_lineages = vec![text("olmo")].try_into().unwrap();
        assert_ok!(update(
            OPEN,
            Tier::T1,
            Policy {
                denied_lineages,
                ..Policy::default()
            }
        ));
        assert_ok!(register(base(1)));
        assert_noop!(
            register(adapter(2, hash(1), OPEN)),
            Error::<Test>::LineageNotAdmitted
        );
    })
}

#[test]
fn a_change_that_the_champion_would_not_pass_is_refused() {
    run(|| {
        assert_ok!(register(base(1)));
        assert_ok!(register(adapter(2, hash(1), OPEN)));
        assert_ok!(Registry::set_status(
            RuntimeOrigin::root(),
            hash(2),
            Champion
        ));
        assert_noop!(
            update(OPEN, Tier::T3, only(b"FR")),
            Error::<Test>::ChampionNotAdmitted
        );
        assert_noop!(
            update(OPEN, Tier::T3, Policy::default()),
            Error::<Test>::ChampionNotAdmitted
        );
        assert_ok!(update(OPEN, Tier::T3, only(b"US")));
        assert_ok!(Registry::set_status(RuntimeOrigin::root(), hash(2), Warm));
        assert_ok!(update(OPEN, Tier::T3, only(b"FR")));
        // Warm it stays, and cannot come back as long as the topic does not admit it.
        assert_noop!(
            Registry::set_status(RuntimeOrigin::root(), hash(2), Champion),
            Error::<Test>::JurisdictionNotAdmitted
        );
    })
}

#[test]
fn eligible_judges_bases_adapters_and_their_topic() {
    run(|| {
        assert_ok!(register(base(1)));
        assert_ok!(register(from(b"CN", base(2))));
        assert_ok!(register(adapter(3, hash(1), STRATEGY)));
        let check = |topic, base, adapter: Option<u8>| {
            let adapter = adapter.map(hash);
            Registry::ensure_eligible(topic, &hash(base), adapter.as_ref())
        };
        assert_eq!(check(STRATEGY, 1, None), Ok(()));
        assert_eq!(check(STRATEGY, 1, Some(3)), Ok(()));
        assert_eq!(
            check(STRATEGY, 2, None),
            Err(Error::JurisdictionNotAdmitted)
        );
        assert_eq!(check(OPEN, 2, None), Ok(()));
        assert_eq!(check(OPEN, 1, Some(3)), Err(Error::WrongTopic));
        assert_eq!(check(STRATEGY, 2, Some(3)), Err(Error::WrongBase));
        assert_eq!(check(STRATEGY, 1, Some(2)), Err(Error::NotAdapter));
        assert_eq!(check(7, 1, None), Err(Error::TopicNotFound));
        assert!(Registry::eligible(STRATEGY, &hash(1), Some(&hash(3))));
    })
}
