use crate::{mock::*, types::*, *};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError::BadOrigin;
use touchstone_primitives::{
    H256,
    canary::Windows,
    consortium::NodeStatus,
    evidence::{NullRateOf, ServingOf},
    fixed::Fixed,
};

type E = Error<Test>;

fn enrol(n: u8, topic: u32) -> frame_support::dispatch::DispatchResult {
    Canaries::enrol(RuntimeOrigin::signed(node(n)), topic, MODEL.base, None)
}

fn leave(n: u8, topic: u32) -> frame_support::dispatch::DispatchResult {
    Canaries::leave(RuntimeOrigin::signed(node(n)), topic)
}

const ADAPTER: Option<H256> = Some(H256::repeat_byte(2));

#[test]
fn an_enrolment_counts_from_the_second_epoch_on() {
    run(|| {
        set_status(5, NodeStatus::Active);
        assert_ok!(enrol(5, 0));
        let serves = |epoch| Canaries::serving(0, epoch).contains(&node(5));
        assert_eq!((serves(1), serves(2), serves(3)), (false, true, true));
        run_to_epoch(3);
        let with: Vec<_> = (0..NextRound::<Test>::get())
            .map(|id| Canaries::round(id).unwrap())
            .filter(|round| round.nodes.contains(&node(5)))
            .map(|round| round.facts.epoch)
            .collect();
        assert_eq!(with, [2]);
    });
}

#[test]
fn nobody_enrols_whom_the_rules_do_not_admit() {
    run(|| {
        set_status(5, NodeStatus::Suspended);
        assert_noop!(enrol(5, 0), E::NodeNotActive);
        assert_noop!(enrol(9, 0), E::NodeNotActive);
        assert_noop!(enrol(1, 1), E::TopicNotExamined);
        assert_noop!(enrol(1, 0), E::AlreadyEnrolled);
        let with =
            |base, adapter| Canaries::enrol(RuntimeOrigin::signed(node(1)), 0, base, adapter);
        assert_noop!(with(H256::zero(), None), E::ModelNotAdmitted);
        assert_noop!(
            with(MODEL.base, Some(H256::repeat_byte(9))),
            E::ModelNotAdmitted
        );
        assert_noop!(
            Canaries::enrol(RuntimeOrigin::none(), 0, MODEL.base, None),
            BadOrigin
        );
        for n in 0..MAX_NODES - 4 {
            let other = touchstone_primitives::NodeId::new([(n / 100) as u8 + 150; 32]);
            let mut bytes: [u8; 32] = *other.as_ref();
            bytes[0] = n as u8;
            let other = touchstone_primitives::NodeId::new(bytes);
            set_node(other.clone(), other.clone(), NodeStatus::Active);
            assert_ok!(Canaries::enrol(
                RuntimeOrigin::signed(other),
                0,
                MODEL.base,
                None
            ));
        }
        set_status(6, NodeStatus::Active);
        assert_noop!(enrol(6, 0), E::TooManyEnrolled);
    });
}

#[test]
fn leaving_takes_effect_with_the_second_epoch_and_only_once_in_a_while() {
    run(|| {
        assert_noop!(leave(5, 0), E::NotEnrolled);
        assert_ok!(leave(1, 0));
        assert_noop!(leave(1, 0), E::IsLeaving);
        assert_noop!(enrol(1, 0), E::IsLeaving);
        let serves = |epoch| Canaries::serves(&node(1), 0, epoch).is_some();
        assert_eq!((serves(1), serves(2)), (true, false));
        run_to_epoch(2);
        assert_ok!(enrol(1, 0));
        assert_noop!(leave(1, 0), E::LeftTooRecently);
        // A quarter of the half-life, in blocks of three seconds.
        System::set_block_number((HALF_LIFE / 4 / 3_000) as u32 + 1);
        assert_ok!(leave(1, 0));
    });
}

#[test]
fn who_has_left_frees_its_place() {
    run(|| {
        assert_ok!(leave(1, 0));
        run_to_epoch(3);
        assert_eq!(Enrolled::<Test>::get(0), 3);
        assert!(
            !Canaries::rounds()
                .iter()
                .any(|round| round.nodes.contains(&node(1)) && round.facts.epoch > 1)
        );
    });
}

#[test]
fn another_model_costs_evidence_when_it_takes_effect() {
    run(|| {
        assert_ok!(Canaries::enrol(
            RuntimeOrigin::signed(node(1)),
            0,
            MODEL.base,
            ADAPTER
        ));
        assert_noop!(
            Canaries::enrol(RuntimeOrigin::signed(node(1)), 0, MODEL.base, ADAPTER),
            E::AlreadyEnrolled
        );
        run_to_epoch(2);
        assert!(Changed::get().is_empty());
        run_to(2 * EPOCH + 5);
        assert_eq!(Changed::get(), [(node(1), 0)]);
        let served = Enrolments::<Test>::get(0, node(1)).unwrap().served;
        assert_eq!(served.adapter, ADAPTER);
        run_to_epoch(4);
        assert_eq!(Changed::get().len(), 1);
    });
}

#[test]
fn leaving_and_coming_back_with_another_model_costs_the_same() {
    run(|| {
        assert_ok!(leave(1, 0));
        run_to_epoch(3);
        assert_ok!(Canaries::enrol(
            RuntimeOrigin::signed(node(1)),
            0,
            MODEL.base,
            ADAPTER
        ));
        run_to_epoch(6);
        assert_eq!(Changed::get(), [(node(1), 0)]);
        assert_ok!(leave(2, 0));
        run_to(System::block_number() + 2 * EPOCH + 5);
        assert_ok!(enrol(2, 0));
        run_to(System::block_number() + 3 * EPOCH);
        assert_eq!(Changed::get().len(), 1, "the same model costs nothing");
    });
}

#[test]
fn another_model_is_not_smuggled_in_by_leaving_before_it_takes_effect() {
    run(|| {
        // The change and the leave take effect with the same epoch, so the change never does.
        let change = || Canaries::enrol(RuntimeOrigin::signed(node(1)), 0, MODEL.base, ADAPTER);
        assert_ok!(change());
        assert_ok!(leave(1, 0));
        run_to_epoch(3);
        assert!(Changed::get().is_empty());
        assert_ok!(change());
        run_to_epoch(6);
        assert_eq!(Changed::get(), [(node(1), 0)], "it costs on the way back");
    });
}

#[test]
fn a_model_that_was_paid_for_costs_nothing_on_the_way_back() {
    run(|| {
        let change = || Canaries::enrol(RuntimeOrigin::signed(node(1)), 0, MODEL.base, ADAPTER);
        assert_ok!(change());
        run_to(EPOCH + 2);
        // The change takes effect while the node is leaving.
        assert_ok!(leave(1, 0));
        run_to(4 * EPOCH + 5);
        assert_eq!(Changed::get().len(), 1);
        assert_ok!(change());
        run_to_epoch(8);
        assert_eq!(Changed::get().len(), 1);
    });
}

#[test]
fn a_suspended_node_gets_no_duties() {
    run(|| {
        set_status(1, NodeStatus::Suspended);
        run_to_epoch(2);
        assert!(
            Canaries::round(1)
                .unwrap()
                .nodes
                .iter()
                .all(|n| *n != node(1))
        );
    });
}

#[test]
fn topics_and_windows_are_set_by_who_governs() {
    run(|| {
        let good = rules(&[("larger", 1)]);
        let root = RuntimeOrigin::root;
        assert_noop!(
            Canaries::set_topic(RuntimeOrigin::signed(node(1)), 1, Some(good.clone())),
            BadOrigin
        );
        assert_noop!(
            Canaries::set_topic(root(), TOPICS, Some(good.clone())),
            E::TopicNotExamined
        );
        let mut bad = good.clone();
        bad.slots = 0;
        assert_noop!(Canaries::set_topic(root(), 1, Some(bad)), E::BadRules);
        assert_ok!(Canaries::set_topic(root(), 1, Some(good.clone())));
        assert_eq!(<Canaries as ServingOf>::topics(), [0, 1]);
        assert_eq!(Canaries::null_rate(1), Fixed::percent(51));
        assert_ok!(Canaries::set_topic(root(), 1, None));
        assert_eq!(Canaries::null_rate(1), Fixed::ZERO);
        let full: Vec<u32> = (1_000..1_000 + MAX_TOPICS).collect();
        frame_support::hypothetically!({
            Examined::<Test>::put(frame_support::BoundedVec::try_from(full).unwrap());
            assert_noop!(Canaries::set_topic(root(), 2, Some(good)), E::TooManyTopics);
        });

        let windows = Windows {
            open: 5,
            commit: 5,
            reveal: 5,
        };
        assert_noop!(
            Canaries::set_windows(RuntimeOrigin::signed(node(1)), windows),
            BadOrigin
        );
        let short = Windows {
            commit: 2,
            ..windows
        };
        assert_noop!(Canaries::set_windows(root(), short), E::BadWindows);
        assert_ok!(Canaries::set_windows(root(), windows));
        run_to_epoch(1);
        run_to(EPOCH + 3);
        let round = NextRound::<Test>::get() - 1;
        assert_eq!(Canaries::round(round).unwrap().facts.windows, windows);
    });
}
