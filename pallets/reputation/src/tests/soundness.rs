//! Whatever happens in whatever order, the state stays sound and every view can be redone.

use crate::mock::*;
use proptest::prelude::*;
use touchstone_primitives::{
    consortium::NodeStatus,
    evidence::{CompetenceOf, Offence, RecordEvidence, Scored},
    fixed::Fixed,
};

#[derive(Clone, Debug)]
enum Step {
    Record(u8, Vec<(u32, u32, bool)>, bool),
    Wait(u64),
    Offend(u8, usize),
    Change(u8),
    Merge(u8, u8),
    Split(u8),
    Sell(u8, u8),
    Leave(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 1_u8..=6;
    let duties = prop::collection::vec((0_u32..8, 0_u32..=120, any::<bool>()), 0..12);
    prop_oneof![
        8 => (who(), duties, any::<bool>()).prop_map(|(n, duties, secret)| Step::Record(n, duties, secret)),
        4 => (0_u64..60 * DAY).prop_map(Step::Wait),
        1 => (who(), 0_usize..4).prop_map(|(n, offence)| Step::Offend(n, offence)),
        1 => who().prop_map(Step::Change),
        1 => (who(), who()).prop_map(|(a, b)| Step::Merge(a, b)),
        1 => who().prop_map(Step::Split),
        1 => (who(), who()).prop_map(|(n, to)| Step::Sell(n, to)),
        1 => who().prop_map(Step::Leave),
    ]
}

fn take(step: Step) {
    match step {
        Step::Record(n, duties, secret) => {
            let duties: Vec<_> = duties
                .into_iter()
                .map(|(epoch, difficulty, is_right)| Scored {
                    shared: difficulty % 2 == 0,
                    ..duty(epoch, difficulty, is_right)
                })
                .collect();
            if secret {
                Reputation::record_secret(&node(n), 0, &node(9), &duties);
            } else {
                Reputation::record(&node(n), 0, &duties);
            }
        }
        Step::Wait(milliseconds) => advance(milliseconds),
        Step::Offend(n, offence) => Reputation::offence(&node(n), 0, Offence::ALL[offence]),
        Step::Change(n) => Reputation::manifest_changed(&node(n), 0),
        Step::Merge(a, b) => {
            let _ = Reputation::merge_groups(RuntimeOrigin::root(), id(a), id(b));
        }
        Step::Split(n) => {
            let _ = Reputation::split_group(RuntimeOrigin::root(), id(n));
        }
        Step::Sell(n, to) => set_node(node(n), id(to), NodeStatus::Active),
        Step::Leave(n) => remove_node(&node(n)),
    }
}

proptest! {
    #[test]
    fn the_state_stays_sound_in_every_order(steps in prop::collection::vec(step(), 1..60)) {
        new_test_ext().execute_with(|| {
            for step in steps {
                take(step);
                Reputation::do_try_state().unwrap();
            }
            let ranking = Reputation::ranking(0);
            assert_eq!(ranking.redo(), ranking.electorate);
            let weights = Reputation::weights(0);
            let sum = weights.iter().fold(Fixed::ZERO, |sum, group| sum.plus(group.weight));
            assert!(sum <= Fixed::ONE);
            for n in 1..=6 {
                if let Some(explained) = Reputation::explain(&node(n), 0) {
                    assert_eq!(explained.redo(), explained.standing);
                }
            }
        });
    }
}
