//! Exploration: who is selected for slots, so that newcomers are sure to get some (whitepaper 9.9, 'Against reputation ossification').
//!
//! Of `slots`, `epsilon·slots` are reserved for newcomers on average over draws, and at least its whole part in every draw. They are
//! shared equally among operator groups, not nodes, so ten identities of one operator get one operator's share, and no group gets more
//! than its budget. The other slots are drawn by weight, without replacement. Everything follows from the seed.

use crate::{H256, NodeId, fixed::Fixed, tagged_hash};
use alloc::{collections::BTreeSet, vec::Vec};

const TAG: &str = "touchstone/selection/1";

/// A node that can be selected by its weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Established {
    /// Its operator group.
    pub group: NodeId,
    /// The node.
    pub node: NodeId,
    /// Its chance is in proportion to this; 0 is never drawn.
    pub weight: Fixed,
}

/// Nodes of one operator group that have too little evidence to be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomers {
    /// The operator group.
    pub group: NodeId,
    /// Exploration slots that the group may still get.
    pub budget: u32,
    /// Its nodes.
    pub nodes: Vec<NodeId>,
}

/// A selected node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Its operator group.
    pub group: NodeId,
    /// The node.
    pub node: NodeId,
    /// Whether it is a newcomer; counts against its group's budget.
    pub is_exploration: bool,
}

/// How many of `slots` are reserved for newcomers in this draw: `epsilon·slots`, rounded down or up at random so that the mean
/// over seeds is exact. `epsilon` in [0, 1].
pub fn reserved(seed: &H256, slots: u32, epsilon: Fixed) -> u32 {
    let share = epsilon.min(Fixed::ONE).times(Fixed::from_int(slots.into()));
    share
        .plus(Fixed::from_bits(draw(seed, b"share", &[]).into()))
        .floor() as u32
}

/// Selects up to `slots` different nodes. Reserved slots that no newcomer can take go to established nodes, and the other way round.
pub fn select(
    seed: &H256,
    slots: u32,
    epsilon: Fixed,
    established: &[Established],
    newcomers: &[Newcomers],
) -> Vec<Pick> {
    let reserved = reserved(seed, slots, epsilon) as usize;
    let newcomers = queue(seed, newcomers);
    let mut by_weight: Vec<_> = established
        .iter()
        .filter(|candidate| !candidate.weight.is_zero())
        .map(|candidate| (clock(seed, candidate), candidate))
        .collect();
    by_weight.sort_by(|(a, x), (b, y)| (a, &x.node).cmp(&(b, &y.node)));
    let by_weight = by_weight.into_iter().map(|(_, candidate)| Pick {
        group: candidate.group.clone(),
        node: candidate.node.clone(),
        is_exploration: false,
    });
    let (first, late) = newcomers.split_at(reserved.min(newcomers.len()));
    let mut taken = BTreeSet::new();
    let candidates = first
        .iter()
        .cloned()
        .chain(by_weight)
        .chain(late.iter().cloned());
    candidates
        .filter(|pick| taken.insert(pick.node.clone()))
        .take(slots as usize)
        .collect()
}

/// Newcomers in the order in which they get slots: one node of every group, in random order, then a second one of each, and so on.
fn queue(seed: &H256, groups: &[Newcomers]) -> Vec<Pick> {
    let mut queue = Vec::new();
    for newcomers in groups {
        let place = draw(seed, b"group", newcomers.group.as_ref());
        let nodes: BTreeSet<_> = newcomers
            .nodes
            .iter()
            .map(|node| (draw(seed, b"node", node.as_ref()), node))
            .collect();
        let turns = nodes
            .into_iter()
            .take(newcomers.budget as usize)
            .enumerate();
        queue.extend(turns.map(|(turn, (_, node))| (turn, place, &newcomers.group, node)));
    }
    queue.sort();
    queue
        .into_iter()
        .map(|(_, _, group, node)| Pick {
            group: group.clone(),
            node: node.clone(),
            is_exploration: true,
        })
        .collect()
}

/// When the node's clock rings: an exponential waiting time with its weight as rate. The order of ringing is that of drawing
/// by weight without replacement (Efraimidis and Spirakis 2006).
fn clock(seed: &H256, candidate: &Established) -> Fixed {
    let uniform = u128::from(draw(seed, b"clock", candidate.node.as_ref())).saturating_add(1);
    let wait = Fixed::from_bits(uniform).log2().unwrap_or_default();
    wait.magnitude().over(candidate.weight)
}

/// 64 random bits.
fn draw(seed: &H256, what: &[u8], who: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = tagged_hash(TAG, &[seed.as_bytes(), what, who]).0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests;
