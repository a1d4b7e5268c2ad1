//! How far nodes err alike, and so for how many a group of them speaks (whitepaper 'Independence of specialists', 9.1).
//!
//! Ten copies of one model are one voice. Two nodes that know little are not copies: they are wrong at the same tasks, but in different ways. So
//! what counts is giving *the same wrong answer* where many are plausible, beyond what chance gives. What is known about models and
//! operators sets a floor that no behaviour lowers: copies that add noise on purpose stay copies.

use crate::{
    H256, Moment, NodeId,
    evidence::RingEntry,
    fixed::{Fixed, decay},
};
use alloc::{collections::BTreeMap, vec::Vec};
use codec::{Decode, Encode};
use scale_info::TypeInfo;

/// Fewest plausible wrong answers of a task that says something about copying.
pub const MIN_OPTIONS: u32 = 10;
/// `kappa`: how many canaries that both got wrong the floor weighs as much as.
pub const FLOOR_MASS: Fixed = Fixed::from_int(10);
/// Largest panel of which every part is looked at.
pub const MAX_PANEL: usize = 9;

/// Who runs a node, and with which model.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Origin {
    /// The operator group.
    pub operator: NodeId,
    /// Base model.
    pub base: H256,
    /// Adapter, if any.
    pub adapter: Option<H256>,
    /// Family of the base, if it is known.
    pub family: Option<H256>,
}

/// The least correlation of two nodes: 1 for the same model, 0.8 for the same base, 0.6 for the same operator, 0.5 for the same family
/// of models, else 0.2.
pub fn floor(a: &Origin, b: &Origin) -> Fixed {
    if a.base == b.base {
        Fixed::percent(if a.adapter == b.adapter { 100 } else { 80 })
    } else if a.operator == b.operator {
        Fixed::percent(60)
    } else if a.family.is_some() && a.family == b.family {
        Fixed::percent(50)
    } else {
        Fixed::percent(20)
    }
}

/// The correlation of two nodes, with everything it is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Correlation {
    /// `b`: decayed number of shared canaries that both got wrong.
    pub both: Fixed,
    /// `s`: of these, with the same answer.
    pub same: Fixed,
    /// `a`: of these, with the same answer by chance.
    pub chance: Fixed,
    /// `ev = (s − a)/(b − a)`: agreement beyond chance, in [0, 1]; 0 where there is none.
    pub excess: Fixed,
    /// What their origins alone say, in [0.2, 1].
    pub floor: Fixed,
    /// `rho`, in [floor, 1].
    pub rho: Fixed,
}

impl Correlation {
    /// The correlation of two nodes from what was counted and the floor of their origins.
    pub fn of(both: Fixed, same: Fixed, chance: Fixed, floor: Fixed) -> Self {
        let free = both.minus(chance);
        let excess = if free.is_zero() {
            Fixed::ZERO
        } else {
            same.minus(chance).over(free).min(Fixed::ONE)
        };
        let drawn = both
            .times(excess)
            .plus(FLOOR_MASS.times(floor))
            .over(both.plus(FLOOR_MASS));
        Self {
            both,
            same,
            chance,
            excess,
            floor,
            rho: drawn.max(floor).min(Fixed::ONE),
        }
    }
}

/// The correlation of two nodes from their outcome rings and the floor of their origins.
pub fn correlation(
    a: &[RingEntry],
    b: &[RingEntry],
    floor: Fixed,
    now: Moment,
    half_life: u64,
) -> Correlation {
    let known: BTreeMap<_, _> = b.iter().map(|entry| (entry.duty, entry)).collect();
    let (mut both, mut same, mut chance) = (Fixed::ZERO, Fixed::ZERO, Fixed::ZERO);
    for entry in a {
        let Some(other) = known.get(&entry.duty) else {
            continue;
        };
        // Silence is no answer, so nobody agrees in it.
        let (Some(one), Some(two)) = (entry.wrong, other.wrong) else {
            continue;
        };
        if entry.options < MIN_OPTIONS {
            continue;
        }
        let age = now.saturating_sub(entry.at.min(other.at));
        let mass = decay(age, half_life);
        both = both.plus(mass);
        chance = chance.plus(mass.over(Fixed::from_int(entry.options.into())));
        if one == two {
            same = same.plus(mass);
        }
    }
    Correlation::of(both, same, chance, floor)
}

/// For how much several nodes speak together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct Voice {
    /// `W`: the weight of the most telling part of them.
    pub weight: Fixed,
    /// That part, as places in what was given, ascending.
    pub members: Vec<u32>,
    /// `n_eff`: for how many independent nodes that part counts.
    pub effective: Fixed,
}

/// A node by its place, with its weight.
type Weighed = (usize, Fixed);

fn symmetric(i: usize, j: usize, rho: &impl Fn(usize, usize) -> Fixed) -> Fixed {
    if i == j {
        Fixed::ONE
    } else {
        rho(i.min(j), i.max(j))
    }
}

/// `Σ w_i / Σ_j rho_ij` over a part.
fn part_weight(part: &[Weighed], rho: &impl Fn(usize, usize) -> Fixed) -> Fixed {
    part.iter().fold(Fixed::ZERO, |sum, (i, weight)| {
        let like = part
            .iter()
            .fold(Fixed::ZERO, |sum, (j, _)| sum.plus(symmetric(*i, *j, rho)));
        sum.plus(weight.over(like))
    })
}

/// `(Σ w_i)² / Σ w_i w_j rho_ij` over a part, 0 of nothing.
fn effective(part: &[Weighed], rho: &impl Fn(usize, usize) -> Fixed) -> Fixed {
    let (mut sum, mut alike) = (Fixed::ZERO, Fixed::ZERO);
    for (i, one) in part {
        sum = sum.plus(*one);
        for (j, two) in part {
            alike = alike.plus(one.times(*two).times(symmetric(*i, *j, rho)));
        }
    }
    if alike.is_zero() {
        return Fixed::ZERO;
    }
    sum.times(sum).over(alike)
}

/// For how many independent ones `nodes` nodes of equal weight count, all of them together; 0 of none. `rho(i, j)` is asked with `i < j`.
pub fn effective_number(nodes: usize, rho: impl Fn(usize, usize) -> Fixed) -> Fixed {
    let all: Vec<Weighed> = (0..nodes).map(|i| (i, Fixed::ONE)).collect();
    effective(&all, &rho)
}

/// `W(V)`: the largest weight of any part of the nodes with these weights, given best first. `rho(i, j)` is asked with `i < j`.
///
/// It is the largest over parts so that nobody lowers a rival's weight by agreeing with it, and dust changes nothing. Up to
/// [`MAX_PANEL`] nodes all parts are looked at; of more, each node in turn is added if that raises the weight, so one that is a copy of
/// a better one is passed over and does not keep out those after it.
pub fn voice(weights: &[Fixed], rho: impl Fn(usize, usize) -> Fixed) -> Voice {
    let nodes: Vec<Weighed> = weights.iter().copied().enumerate().collect();
    let (mut weight, mut best) = (Fixed::ZERO, Vec::new());
    let mut try_part = |part: Vec<Weighed>, best: &mut Vec<Weighed>| {
        let of_part = part_weight(&part, &rho);
        if of_part > weight {
            (weight, *best) = (of_part, part);
        }
    };
    if nodes.len() <= MAX_PANEL {
        for set in 1u32..1u32.wrapping_shl(nodes.len() as u32) {
            let is_in = |(i, _): &&Weighed| set.wrapping_shr(*i as u32) & 1 == 1;
            try_part(nodes.iter().filter(is_in).copied().collect(), &mut best);
        }
    } else {
        for node in nodes {
            let part = best.iter().copied().chain([node]).collect();
            try_part(part, &mut best);
        }
    }
    Voice {
        weight,
        effective: effective(&best, &rho),
        members: best.into_iter().map(|(i, _)| i as u32).collect(),
    }
}

#[cfg(test)]
mod tests;
