//! How much a block has to do when there is much to do.

use crate::{mock::*, types::*, *};
use frame_support::traits::Hooks;
use touchstone_primitives::consortium::NodeStatus;

/// Block weight on the mock's scale: one second of computation.
const BLOCK: u64 = 1_000_000_000_000;

#[test]
fn a_hundred_nodes_on_twenty_topics_never_fill_a_block() {
    new_test_ext().execute_with(|| {
        SettledPerBlock::set(50);
        let id = |n: u32| touchstone_primitives::NodeId::new([(n % 200) as u8 + 30; 32]);
        for topic in 0..20 {
            Canaries::set_topic(RuntimeOrigin::root(), topic, Some(rules(&[("addition", 1), ("larger", 2)]))).unwrap();
        }
        for n in 0..96 {
            set_node(id(n), id(n), NodeStatus::Active);
        }
        for topic in 0..20 {
            for n in 0..96 {
                Canaries::enrol(RuntimeOrigin::signed(id(n)), topic, MODEL.base, None).unwrap();
            }
        }
        let (mut heaviest, mut settled) = (0, 0);
        for block in 2..12 * EPOCH {
            System::set_block_number(block);
            System::reset_events();
            let weight = Canaries::on_initialize(block);
            heaviest = heaviest.max(weight.ref_time());
            settled += events().iter().filter(|e| matches!(e, Event::RoundSettled { .. })).count();
            assert!(Live::<Test>::get().len() <= 60, "settlement falls behind");
        }
        println!(
            "100 nodes x 20 topics: heaviest block {:.1} % of a second, {settled} rounds settled in {} epochs, {} rounds live",
            heaviest as f64 * 100.0 / BLOCK as f64,
            12,
            Live::<Test>::get().len(),
        );
        assert!(heaviest < BLOCK / 2, "{heaviest}");
        assert!(settled > 30, "{settled}");
        Canaries::do_try_state().unwrap();
        assert_eq!(Enrolled::<Test>::get(1), 96);
        assert!(MAX_NODES >= 100);
    });
}
