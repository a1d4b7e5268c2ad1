use crate::{Error, Event, Serving, mock::*};
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult};
use touchstone_primitives::{
    NodeId,
    apis::{ModelStatus::*, ServingInfo},
    consortium::NodeStatus,
    provenance::{Class, Policy, Tier},
};

fn serve(who: NodeId, base: u8, adapter: Option<u8>, capacity: u32) -> DispatchResult {
    let origin = RuntimeOrigin::signed(who);
    Registry::serve(origin, validator(), hash(base), adapter.map(hash), capacity)
}

fn stop(who: NodeId, base: u8, adapter: Option<u8>) -> DispatchResult {
    let origin = RuntimeOrigin::signed(who);
    Registry::stop_serving(origin, validator(), hash(base), adapter.map(hash))
}

/// Base 1 with adapter 2 for topic 0, base 3.
fn with_models(test: impl FnOnce()) {
    run(|| {
        assert_ok!(register(base(1)));
        assert_ok!(register(adapter(2, hash(1), 0)));
        assert_ok!(register(base(3)));
        test()
    })
}

#[test]
fn a_node_or_its_member_declares_what_the_node_serves() {
    with_models(|| {
        assert_ok!(serve(validator(), 1, None, 4));
        assert_ok!(serve(other_member(), 1, Some(2), 2));
        let (base, adapter) = (hash(1), Some(hash(2)));
        assert_eq!(
            last_event(),
            Event::ServingDeclared {
                node: validator(),
                base,
                adapter,
                capacity: 2
            }
        );
        let info = |adapter, capacity| ServingInfo {
            node: validator(),
            base,
            adapter,
            capacity,
        };
        assert_eq!(Registry::serving(), [info(None, 4), info(adapter, 2)]);

        // Declaring it again changes the capacity.
        assert_ok!(serve(validator(), 1, Some(2), 9));
        assert_eq!(Registry::serving(), [info(None, 4), info(adapter, 9)]);
        assert_noop!(serve(member(), 1, None, 1), Error::<Test>::NotYourNode);
    })
}

#[test]
fn only_active_nodes_serve() {
    with_models(|| {
        assert_ok!(serve(validator(), 1, None, 4));
        change_nodes(|nodes| nodes.get_mut(&validator()).unwrap().status = NodeStatus::Suspended);
        assert_noop!(serve(validator(), 3, None, 4), Error::<Test>::NodeNotActive);
        assert_eq!(Registry::serving(), []);
        assert_ok!(stop(validator(), 1, None));
    })
}

#[test]
fn an_adapter_is_served_on_its_own_base() {
    with_models(|| {
        assert_noop!(serve(validator(), 3, Some(2), 1), Error::<Test>::WrongBase);
        assert_noop!(serve(validator(), 2, None, 1), Error::<Test>::NotBase);
        assert_noop!(serve(validator(), 1, Some(3), 1), Error::<Test>::NotAdapter);
        assert_noop!(serve(validator(), 9, None, 1), Error::<Test>::ModelNotFound);
        assert_noop!(
            serve(validator(), 1, Some(9), 1),
            Error::<Test>::ModelNotFound
        );
    })
}

#[test]
fn retired_models_are_not_served() {
    with_models(|| {
        assert_ok!(serve(validator(), 1, None, 1));
        assert_ok!(serve(validator(), 1, Some(2), 1));
        assert_ok!(Registry::set_status(
            RuntimeOrigin::root(),
            hash(2),
            Retired
        ));
        assert_noop!(
            serve(validator(), 1, Some(2), 1),
            Error::<Test>::ModelRetired
        );
        assert_eq!(Registry::serving().len(), 1);
        assert_ok!(Registry::set_status(
            RuntimeOrigin::root(),
            hash(1),
            Retired
        ));
        assert_noop!(serve(validator(), 1, None, 1), Error::<Test>::ModelRetired);
        assert_eq!(Registry::serving(), []);
    })
}

#[test]
fn a_model_that_its_topic_does_not_admit_any_more_is_not_served() {
    with_models(|| {
        assert_ok!(serve(validator(), 1, Some(2), 1));
        let policy = Policy::default();
        assert_ok!(Registry::update_topic(
            RuntimeOrigin::root(),
            0,
            Tier::T3,
            Class::A,
            policy
        ));
        assert_eq!(Registry::serving(), []);
        assert_noop!(
            serve(validator(), 1, Some(2), 2),
            Error::<Test>::PolicyMissing
        );
    })
}

#[test]
fn capacity_and_number_are_bounded() {
    with_models(|| {
        for bad in [0, 101] {
            assert_noop!(serve(validator(), 1, None, bad), Error::<Test>::BadCapacity);
        }
        assert_ok!(Registry::set_status(
            RuntimeOrigin::root(),
            hash(1),
            Champion
        ));
        assert_ok!(register(base(4)));
        assert_ok!(serve(validator(), 1, None, 100));
        assert_ok!(serve(validator(), 1, Some(2), 1));
        assert_ok!(serve(validator(), 3, None, 1));
        assert_noop!(serve(validator(), 4, None, 1), Error::<Test>::TooManyServed);
        assert_ok!(stop(validator(), 3, None));
        assert_ok!(serve(validator(), 4, None, 1));
    })
}

#[test]
fn what_is_not_served_cannot_be_stopped() {
    with_models(|| {
        assert_noop!(stop(validator(), 1, None), Error::<Test>::NotServed);
        assert_ok!(serve(validator(), 1, Some(2), 1));
        assert_noop!(stop(validator(), 1, None), Error::<Test>::NotServed);
        assert_noop!(stop(member(), 1, Some(2)), Error::<Test>::NotYourNode);
        assert_ok!(stop(other_member(), 1, Some(2)));
        let (base, adapter) = (hash(1), Some(hash(2)));
        assert_eq!(
            last_event(),
            Event::ServingStopped {
                node: validator(),
                base,
                adapter
            }
        );
        assert_eq!(Serving::<Test>::iter().count(), 0);
    })
}
