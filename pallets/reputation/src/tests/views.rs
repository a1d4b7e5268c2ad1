use crate::mock::*;
use touchstone_primitives::{
    evidence::{CompetenceOf, Offence, RecordEvidence},
    fixed::Fixed,
    influence::Eligibility,
};

/// Six members of falling skill on topic 0, one of them with an offence; member 6 is fresh.
fn network() {
    (1..=5).for_each(|n| teach(&node(n), 0, n as usize - 1));
    Reputation::record(&node(6), 0, &[duty(1, 50, true)]);
    teach(&node(1), 4, 0);
    advance(DAY);
    Reputation::offence(&node(2), 0, Offence::FailedAudit);
    advance(DAY);
}

#[test]
fn a_ranking_can_be_redone_from_its_rows() {
    run(|| {
        network();
        let ranking = Reputation::ranking(0);
        assert_eq!(ranking.redo(), ranking.electorate);
        assert_eq!(ranking.electorate.weights, Reputation::weights(0));
        assert_eq!(ranking.rows.len(), 6);
        let reputations: Vec<_> = ranking
            .rows
            .iter()
            .map(|row| row.standing.reputation)
            .collect();
        assert!(reputations.is_sorted_by(|a, b| a >= b));
        assert_eq!(ranking.rows[0].node, node(1));
        assert_eq!(ranking.rows[5].eligibility, Eligibility::TooLittleEvidence);
        assert_eq!(ranking.rows[5].weight, Fixed::ZERO);
        let by_rows = ranking
            .rows
            .iter()
            .fold(Fixed::ZERO, |sum, row| sum.plus(row.weight));
        let weights = &ranking.electorate.weights;
        let by_groups = weights
            .iter()
            .fold(Fixed::ZERO, |sum, group| sum.plus(group.weight));
        assert_eq!(by_rows, by_groups);
    });
}

#[test]
fn an_explanation_can_be_redone_to_the_last_digit() {
    run(|| {
        network();
        for n in 1..=6 {
            let explained = Reputation::explain(&node(n), 0).unwrap();
            assert_eq!(explained.redo(), explained.standing);
            assert_eq!(explained.standing, Reputation::standing(&node(n), 0));
            let tally = explained.account.tally;
            assert_eq!(
                tally.evidence.times(explained.factor),
                explained.standing.evidence
            );
            assert_eq!(
                explained.weight.is_some(),
                explained.eligibility == Eligibility::Eligible
            );
        }
        assert!(Reputation::explain(&id(77), 0).is_none());
    });
}

#[test]
fn a_vector_has_the_topics_with_evidence() {
    run(|| {
        network();
        let topics: Vec<_> = Reputation::vector(&node(1))
            .into_iter()
            .map(|entry| entry.topic)
            .collect();
        assert_eq!(topics, [0, 4]);
        let [six] = Reputation::vector(&node(6)).try_into().unwrap();
        assert_eq!(six.eligibility, Eligibility::TooLittleEvidence);
        assert_eq!(six.standing, Reputation::standing(&node(6), 0));
        assert!(Reputation::vector(&node(9)).is_empty());
    });
}

#[test]
fn the_leaderboard_has_the_first_places_of_every_topic() {
    run(|| {
        network();
        let board: Vec<_> = Reputation::leaderboard(2)
            .into_iter()
            .map(|leader| (leader.topic, leader.place, leader.node))
            .collect();
        let expected = [(0, 1, node(1)), (0, 2, node(3)), (4, 1, node(1))];
        assert_eq!(board, expected);
    });
}
