//! Influence: what an operator group weighs in votes and panels of a topic (whitepaper 9.9; docs/adr/0011 and 0012).
//!
//! The unit is the **operator group**, all nodes of one member: more identities give no more influence. A group counts with the
//! base `B` of its best eligible node. Shares are clipped, then multiplied by the group's safety factor:
//!
//! ```text
//! eligible  N >= N_min, evidence from at least two epochs, C_hat >= (b + top)/2 with b the pass rate of the null battery
//!           and top the best C_hat among nodes with enough evidence; B > 0
//! c         = max(w_max, 3/(2n)) for n >= 3 eligible groups; fewer: there is no electorate
//! theta     the threshold at which a clipped group holds exactly c:  theta = c·T/(1 - k·c), T = sum of the n - k unclipped
//! u         = min(B, theta) / sum of min(B, theta)
//! w         = S·u, not renormalised: nobody gains by a rival's loss of S
//! ```
//!
//! With S = 1, one node per operator and everybody eligible this is the whitepaper's `min(R, theta) / sum of min(R, theta)`.
//! All comparisons are exact, in 256 bits without division.

use crate::{
    NodeId,
    evidence::{GroupWeight, Standing},
    fixed::Fixed,
    reputation::Knobs,
};
use alloc::{collections::BTreeMap, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::U256;

/// Fewest eligible groups that can decide by weight.
pub const MIN_GROUPS: usize = 3;

/// Fewest epochs that an eligible node has evidence from.
pub const MIN_EPOCHS: u32 = 2;

/// A node that may have influence on a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its operator group.
    pub group: NodeId,
    /// The node.
    pub node: NodeId,
    /// What it has shown.
    pub standing: Standing,
}

/// The competence that a topic asks for.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bar {
    /// `b`: what answers that need no thought reach, in [0, 1].
    pub null_rate: Fixed,
    /// Best `C_hat` among nodes with enough evidence; 0 without any.
    pub top: Fixed,
    /// Least `C_hat` of an eligible node: half-way from `b` to the top, rounded up.
    pub bar: Fixed,
}

/// Whether a node has influence, and if not, why.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Eligibility {
    /// It has.
    Eligible,
    /// `N` is below `N_min`.
    TooLittleEvidence,
    /// All evidence is from one epoch.
    TooFewEpochs,
    /// `C_hat` is below the topic's bar.
    BelowBar,
}

/// How the votes of a topic are shared out, with every intermediate.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Electorate {
    /// The competence asked for.
    pub bar: Bar,
    /// `n`: eligible groups.
    pub eligible: u32,
    /// `c`: most that one group can hold, rounded down; 0 without electorate.
    pub cap: Fixed,
    /// `k`: groups that are clipped.
    pub clipped: u32,
    /// `theta`: base at which a group is clipped, rounded down.
    pub threshold: Fixed,
    /// Sum of `min(B, theta)`, rounded down.
    pub total: Fixed,
    /// Weights by group. Empty when fewer than [`MIN_GROUPS`] are eligible: there is no electorate.
    pub weights: Vec<GroupWeight>,
}

/// The bar of a topic with these nodes.
pub fn bar<'a>(
    standings: impl IntoIterator<Item = &'a Standing>,
    null_rate: Fixed,
    knobs: &Knobs,
) -> Bar {
    let top = standings
        .into_iter()
        .filter(|standing| lacks_evidence(standing, knobs).is_none())
        .map(|standing| standing.competence)
        .max()
        .unwrap_or_default();
    Bar {
        null_rate,
        top,
        bar: null_rate.plus(top).times_up(Fixed::HALF),
    }
}

/// Whether a node with this standing has influence.
pub fn eligibility(standing: &Standing, bar: &Bar, knobs: &Knobs) -> Eligibility {
    match lacks_evidence(standing, knobs) {
        Some(lack) => lack,
        None if standing.competence < bar.bar => Eligibility::BelowBar,
        None => Eligibility::Eligible,
    }
}

/// Whether a node has too little evidence to be judged.
pub fn is_newcomer(standing: &Standing, knobs: &Knobs) -> bool {
    lacks_evidence(standing, knobs).is_some()
}

fn lacks_evidence(standing: &Standing, knobs: &Knobs) -> Option<Eligibility> {
    if standing.evidence < knobs.evidence_min {
        Some(Eligibility::TooLittleEvidence)
    } else if standing.epochs < MIN_EPOCHS {
        Some(Eligibility::TooFewEpochs)
    } else {
        None
    }
}

/// Shares out the votes of a topic among these nodes' groups.
pub fn electorate(candidates: &[Candidate], null_rate: Fixed, knobs: &Knobs) -> Electorate {
    let bar = bar(candidates.iter().map(|c| &c.standing), null_rate, knobs);
    let mut best = BTreeMap::<&NodeId, &Candidate>::new();
    for candidate in candidates {
        let is_eligible = eligibility(&candidate.standing, &bar, knobs) == Eligibility::Eligible;
        if !is_eligible || candidate.standing.base.is_zero() {
            continue;
        }
        best.entry(&candidate.group)
            .and_modify(|held| {
                let (new, old) = (&candidate.standing.base, &held.standing.base);
                if new > old || (new == old && candidate.node < held.node) {
                    *held = candidate;
                }
            })
            .or_insert(candidate);
    }
    let mut groups: Vec<_> = best.into_values().collect();
    // Stable: ties stay in the order of ids.
    groups.sort_by_key(|group| core::cmp::Reverse(group.standing.base));
    let bases: Vec<_> = groups.iter().map(|group| group.standing.base).collect();
    let Some(clip) = clip(&bases, knobs.share_max) else {
        return Electorate {
            bar,
            eligible: groups.len() as u32,
            cap: Fixed::ZERO,
            clipped: 0,
            threshold: Fixed::ZERO,
            total: Fixed::ZERO,
            weights: Vec::new(),
        };
    };
    let mut weights: Vec<_> = groups
        .into_iter()
        .zip(&clip.shares)
        .map(|(candidate, share)| GroupWeight {
            group: candidate.group.clone(),
            node: candidate.node.clone(),
            base: candidate.standing.base,
            share: *share,
            safety: candidate.standing.safety,
            weight: share.times(candidate.standing.safety),
        })
        .collect();
    weights.sort_by(|a, b| a.group.cmp(&b.group));
    Electorate {
        bar,
        eligible: bases.len() as u32,
        cap: clip.cap,
        clipped: clip.clipped,
        threshold: clip.threshold,
        total: clip.total,
        weights,
    }
}

/// A clipped distribution.
struct Clip {
    cap: Fixed,
    clipped: u32,
    threshold: Fixed,
    total: Fixed,
    shares: Vec<Fixed>,
}

/// Clips positive bases, in descending order, at the cap of their number. `None` below [`MIN_GROUPS`].
fn clip(bases: &[Fixed], share_max: Fixed) -> Option<Clip> {
    let n = bases.len();
    if n < MIN_GROUPS {
        return None;
    }
    let wide = |x: Fixed| U256::from(x.to_bits());
    // Values below: bases 128 bits, p and q 33 bits, the sum T of at most 2^32 bases 160 bits. The largest product has
    // 128 + 33 + 64 bits, so nothing saturates; qed
    let (p, q) = cap(n as u32, share_max);
    let mut rest_sum = bases
        .iter()
        .fold(U256::zero(), |sum, base| sum.saturating_add(wide(*base)));
    let mut clipped = 0_u32;
    // B(1 - kc) <= cT, times q. It holds before all are clipped, since n·c >= 1.
    for base in bases {
        let room = q.saturating_sub(p.saturating_mul(clipped.into()));
        if wide(*base).saturating_mul(room.into()) <= rest_sum.saturating_mul(p.into()) {
            break;
        }
        rest_sum = rest_sum.saturating_sub(wide(*base));
        clipped = clipped.saturating_add(1);
    }
    let room = U256::from(q.saturating_sub(p.saturating_mul(clipped.into())));
    let divide = |n: U256, d: U256| {
        let quotient = n.checked_div(d).unwrap_or_default();
        Fixed::from_bits(u128::try_from(quotient).unwrap_or(u128::MAX))
    };
    let one = wide(Fixed::ONE);
    let cap = Fixed::ratio(p.into(), q.into());
    // The sum of min(B, theta) is T·q/(q - kp), so a clipped share is p/q and another one B(q - kp)/(Tq).
    let whole = rest_sum.saturating_mul(q.into());
    let shares = bases.iter().enumerate().map(|(place, base)| {
        if place < clipped as usize {
            cap
        } else {
            divide(wide(*base).saturating_mul(room).saturating_mul(one), whole)
        }
    });
    let threshold = match clipped {
        0 => bases.first().copied().unwrap_or_default(),
        _ => divide(rest_sum.saturating_mul(p.into()), room),
    };
    Some(Clip {
        cap,
        clipped,
        threshold,
        total: divide(whole, room),
        shares: shares.collect(),
    })
}

/// `c = max(w_max, 3/(2n))` as numerator and denominator, both at most 2^33. `w_max` counts with 32 bits after the point.
fn cap(n: u32, share_max: Fixed) -> (u64, u64) {
    let max = (share_max.min(Fixed::ONE).to_bits() >> 32) as u64;
    let (one, twice) = (1_u64 << 32, u64::from(n).saturating_mul(2));
    // max/2^32 >= 3/(2n), both sides below 2^66
    if u128::from(max).saturating_mul(twice.into()) >= u128::from(one).saturating_mul(3) {
        (max, one)
    } else {
        (3, twice)
    }
}

#[cfg(test)]
mod tests;
