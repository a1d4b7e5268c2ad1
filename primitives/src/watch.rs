//! Watching nodes for years: who became worse, and who is good only where it is seen (whitepaper 9.5, 'Goodhart and drift').
//!
//! Both watches bet on pairs of outcomes ([`crate::significance`]). The chance that a node that did nothing is *ever* flagged is at most
//! `alpha` for each watch, however long it is watched; an exonerated one is flagged again only by twice the evidence.
//!
//! **Drift** compares a node with peers of other groups on the same instance. Peers may simply be better, so the first [`BASELINE`] pairs
//! measure by how much. From then on the doubt is that the node fails behind them on average by no more than
//!
//! ```text
//! m = mean of the baseline + tolerance/2 + sqrt(2·v·L/n),   v = its variance + L/(8n),   n = 128,   L = ln(2/alpha)
//! ```
//!
//! where observations are `x = (peers − own + 1)/2`. The root is what the baseline may be off by chance: half of `alpha` is for that, half for the bet.
//! The second part of `v` stands for failures so rare that the baseline saw none. It is a bound for sums that are about normal, checked by
//! simulation, not a theorem. A task that became harder for all says nothing, since peers face the same one.
//!
//! **Gap** compares outcomes at public canaries with those at secret ones of the same family and epoch, matched in order of arrival before
//! anybody looks at them ([`Queues`]). Auditors are split into two [`Side`]s as they come, each with its stream. A side that reaches its
//! threshold flags the node; the other one begins anew, and only if that reaches its threshold as well is the flag confirmed. So no auditor
//! alone, whatever it reports, brings a penalty. A flag that is not confirmed within [`LAPSE`] lapses like an exoneration; evidence of innocence
//! is not asked for, since a flag by itself costs nothing.

use crate::{
    Moment, NodeId,
    evidence::Scored,
    fixed::{Fixed, Signed},
    significance::{Question, Stream, paired, restarted_threshold},
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{ConstU32, bounded::BoundedVec};

/// Pairs that a baseline is made of.
pub const BASELINE: u32 = 128;
/// About how many pairs a recent mean is over.
pub const RECENT: u32 = 64;
/// Difference of pass rates that is nobody's fault.
pub const TOLERANCE: Fixed = Fixed::percent(5);
/// Milliseconds after which a gap that other auditors have not confirmed is forgotten: 90 days.
pub const LAPSE: u64 = 90 * DAY;
/// Most auditors of a side. More are not heard.
pub const MAX_AUDITORS: u32 = 32;
/// Most outcomes that wait for a partner, public ones and secret ones each. The oldest is dropped for a new one.
pub const MAX_WAITING: u32 = 128;

const DAY: u64 = 86_400_000;

fn day(now: Moment) -> u32 {
    (now / DAY) as u32
}

fn half(x: Fixed) -> Fixed {
    x.over(Fixed::from_int(2))
}

/// A difference of pass rates, in [-1, 1], from the mean of its observations.
pub fn difference(mean: Fixed) -> Signed {
    Signed::from_fixed(mean.plus(mean)).minus(Signed::from_fixed(Fixed::ONE))
}

/// Observations, summed up.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Sums {
    /// How many.
    pub pairs: u32,
    /// Their sum; each is in [0, 1].
    pub sum: Fixed,
    /// Sum of their squares.
    pub squares: Fixed,
}

impl Sums {
    fn add(&mut self, x: Fixed) {
        self.pairs = self.pairs.saturating_add(1);
        self.sum = self.sum.plus(x);
        self.squares = self.squares.plus(x.times(x));
    }

    fn mean_of(&self, sum: Fixed) -> Fixed {
        sum.over(Fixed::from_int(u64::from(self.pairs).max(1)))
    }

    /// Their mean, in [0, 1]; 0 without any.
    pub fn mean(&self) -> Fixed {
        self.mean_of(self.sum)
    }

    /// Their variance, in [0, 1/4].
    pub fn variance(&self) -> Fixed {
        let mean = self.mean();
        self.mean_of(self.squares).minus(mean.times(mean))
    }
}

/// What was observed lately.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Recent {
    /// Observations so far.
    pub pairs: u32,
    /// Their mean, in [0, 1], in which each one beyond [`RECENT`] takes the place of a part of the earlier ones. For people: nothing is
    /// decided by it.
    pub mean: Fixed,
}

impl Recent {
    fn add(&mut self, x: Fixed) {
        self.pairs = self.pairs.saturating_add(1);
        let count = self.pairs.min(RECENT);
        let before = self
            .mean
            .times(Fixed::from_int(count.saturating_sub(1).into()));
        self.mean = before.plus(x).over(Fixed::from_int(count.into()));
    }

    /// By how much the first of each pair did better lately, in [-1, 1]; `None` without pairs.
    pub fn gap(&self) -> Option<Signed> {
        (self.pairs > 0).then(|| difference(self.mean))
    }
}

/// That a watch reached its threshold, with its numbers.
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
pub struct Flag {
    /// When.
    pub at: Moment,
    /// Pairs that were bet on.
    pub pairs: u32,
    /// Difference of their outcomes lately, in [-1, 1].
    pub gap: Signed,
    /// Largest mean difference that was admitted, in [-1, 1].
    pub admitted: Signed,
    /// `log2(E)`, rounded down.
    pub evidence: Signed,
    /// The threshold that it reached, in bits.
    pub bits: u32,
}

/// `log2(E)` of a stream, rounded down, from −128 on.
pub fn evidence(stream: &Stream) -> Signed {
    Signed::from_bits(i128::from(stream.evidence()) << 32)
}

/// Bets on `x`, and flags when the threshold is reached.
fn bet(
    (recent, stream): (&mut Recent, &mut Stream),
    (question, admitted): (Option<Question>, Fixed),
    x: Fixed,
    now: Moment,
    bits: u32,
) -> Option<Flag> {
    recent.add(x);
    stream.observe(&question?, x, day(now), bits);
    stream.is_flagged(bits).then(|| Flag {
        at: now,
        pairs: recent.pairs,
        gap: difference(recent.mean),
        admitted: difference(admitted),
        evidence: evidence(stream),
        bits,
    })
}

/// Bits at which one of two halves of a watch decides.
fn threshold(alpha: Fixed, exonerations: u32) -> u32 {
    restarted_threshold(alpha, exonerations).saturating_add(1)
}

/// Whether a node became worse than its peers on a topic.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Drift {
    /// The first pairs, at most [`BASELINE`].
    pub baseline: Sums,
    /// `m`: largest mean of later observations that is nobody's fault; known once the baseline is complete. From 1 on nothing can be proven.
    pub admitted: Option<Fixed>,
    /// Later pairs.
    pub since: Recent,
    /// What is bet on them.
    pub stream: Stream,
    /// How often it was exonerated.
    pub exonerations: u32,
    /// While there is one, nothing is observed.
    pub flag: Option<Flag>,
}

impl Drift {
    /// Bits at which the node is flagged.
    pub fn bits(&self, alpha: Fixed) -> u32 {
        threshold(alpha, self.exonerations)
    }

    /// `m` from a complete baseline, for the error that this many bits leave.
    fn admit(baseline: &Sums, bits: u32) -> Fixed {
        let pairs = Fixed::from_int(u64::from(baseline.pairs).max(1));
        let log = Fixed::from_int(bits.into()).times(Fixed::ONE.ln_1p());
        let rare = log.over(pairs).over(Fixed::from_int(8));
        let spread = baseline.variance().plus(rare);
        let square = spread.times(log).times(Fixed::from_int(2)).over(pairs);
        let error = square.pow(Fixed::HALF);
        baseline.mean().plus(half(TOLERANCE)).plus(error)
    }

    /// Takes the node's outcome and the mean of its peers' on the same instance, both in [0, 1]. The flag, if this raised it.
    pub fn observe(&mut self, own: Fixed, peers: Fixed, now: Moment, alpha: Fixed) -> Option<Flag> {
        if self.flag.is_some() {
            return None;
        }
        let (x, bits) = (paired(peers, own), self.bits(alpha));
        let Some(admitted) = self.admitted else {
            self.baseline.add(x);
            if self.baseline.pairs >= BASELINE {
                self.admitted = Some(Self::admit(&self.baseline, bits));
            }
            return None;
        };
        let doubt = (Question::above(admitted), admitted);
        self.flag = bet((&mut self.since, &mut self.stream), doubt, x, now, bits);
        self.flag
    }

    /// Begins with a new baseline. After an exoneration twice the evidence is asked for.
    pub fn restart(&mut self, is_exonerated: bool) {
        *self = Self {
            exonerations: self.exonerations.saturating_add(is_exonerated.into()),
            ..Self::default()
        };
    }
}

/// Some of the auditors, and what they found.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Side {
    /// Groups of the auditors, in order of arrival.
    pub auditors: BoundedVec<NodeId, ConstU32<MAX_AUDITORS>>,
    /// Pairs of theirs.
    pub recent: Recent,
    /// What is bet on them.
    pub stream: Stream,
}

impl Side {
    fn restarted(self) -> Self {
        Self {
            auditors: self.auditors,
            ..Self::default()
        }
    }
}

/// What a pair brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The node is flagged.
    Raised(Flag),
    /// The flag was confirmed by other auditors.
    Confirmed {
        /// The flag.
        flag: Flag,
        /// What the others found.
        by_others: Flag,
    },
}

/// Whether a node is better at public canaries of a topic than at secret ones.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Gap {
    /// One side of the auditors; while there is a flag, the side that raised it.
    pub one: Side,
    /// The other side; while there is a flag, all other auditors, with what they found since.
    pub other: Side,
    /// Whether it was exonerated, or a flag lapsed, and how often.
    pub exonerations: u32,
    /// A flag that others have not confirmed yet.
    pub flag: Option<Flag>,
}

impl Gap {
    /// Bits at which a side flags the node, and the other one confirms it.
    pub fn bits(&self, alpha: Fixed) -> u32 {
        threshold(alpha, self.exonerations)
    }

    /// Takes an outcome at a public canary and one at a secret canary like it, both in [0, 1], with the auditor's group.
    pub fn observe(&mut self, pair: &Pair, now: Moment, alpha: Fixed) -> Option<Finding> {
        let (bits, flag, auditor) = (self.bits(alpha), self.flag, &pair.auditor);
        let is_first = self.one.auditors.contains(auditor);
        if is_first && flag.is_some() {
            return None;
        }
        let is_second = self.other.auditors.contains(auditor);
        let to_one = is_first
            || (!is_second
                && flag.is_none()
                && self.one.auditors.len() <= self.other.auditors.len());
        let side = if to_one {
            &mut self.one
        } else {
            &mut self.other
        };
        if !is_first && !is_second {
            side.auditors.try_push(auditor.clone()).ok()?;
        }
        let doubt = (Question::gap(TOLERANCE), half(Fixed::ONE.plus(TOLERANCE)));
        let x = paired(pair.public, pair.secret);
        let found = bet((&mut side.recent, &mut side.stream), doubt, x, now, bits)?;
        if let Some(flag) = flag {
            self.restart(false);
            return Some(Finding::Confirmed {
                flag,
                by_others: found,
            });
        }
        if !to_one {
            core::mem::swap(&mut self.one, &mut self.other);
        }
        self.other = core::mem::take(&mut self.other).restarted();
        self.flag = Some(found);
        Some(Finding::Raised(found))
    }

    /// Forgets a flag that has waited for [`LAPSE`]. Whether it did.
    pub fn lapse(&mut self, now: Moment) -> bool {
        let is_old = |flag: Flag| now.saturating_sub(flag.at) >= LAPSE;
        let lapses = self.flag.is_some_and(is_old);
        if lapses {
            self.restart(true);
        }
        lapses
    }

    /// Begins anew, with the same sides. After an exoneration twice the evidence is asked for.
    pub fn restart(&mut self, is_exonerated: bool) {
        let it = core::mem::take(self);
        *self = Self {
            one: it.one.restarted(),
            other: it.other.restarted(),
            exonerations: it.exonerations.saturating_add(is_exonerated.into()),
            flag: None,
        };
    }
}

/// Outcomes at a public and a secret canary of the same family and epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// At the public one, in [0, 1].
    pub public: Fixed,
    /// At the secret one, in [0, 1].
    pub secret: Fixed,
    /// Group of the auditor that posed the secret one.
    pub auditor: NodeId,
}

/// An outcome that waits for a partner.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Waiting {
    /// First 8 bytes of [`Scored::family`].
    pub family: [u8; 8],
    /// [`Scored::epoch`].
    pub epoch: u32,
    /// [`Scored::outcome`].
    pub outcome: Fixed,
    /// Group of the auditor; `None` of public ones.
    pub auditor: Option<NodeId>,
}

impl Waiting {
    fn of(duty: &Scored, auditor: Option<NodeId>) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = duty.family.0;
        Self {
            family: [a, b, c, d, e, f, g, h],
            epoch: duty.epoch,
            outcome: duty.outcome.min(Fixed::ONE),
            auditor,
        }
    }

    /// Whether the two are outcomes at like canaries.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.family, self.epoch) == (other.family, other.epoch)
    }
}

/// Outcomes in order of arrival.
pub type Queue = BoundedVec<Waiting, ConstU32<MAX_WAITING>>;

/// Outcomes of a node on a topic that wait for a partner. No two in different queues are alike.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Queues {
    /// At public canaries.
    pub public: Queue,
    /// At secret ones.
    pub secret: Queue,
}

impl Queues {
    /// Takes the outcome of a duty, secret if there is an auditor, and gives it the partner that has waited longest, or lets it wait.
    pub fn arrive(&mut self, duty: &Scored, auditor: Option<&NodeId>) -> Option<Pair> {
        let arrived = Waiting::of(duty, auditor.cloned());
        let (own, others) = match auditor {
            Some(_) => (&mut self.secret, &mut self.public),
            None => (&mut self.public, &mut self.secret),
        };
        let Some(place) = others.iter().position(|waiting| waiting.is_like(&arrived)) else {
            if own.is_full() {
                own.remove(0);
            }
            // There is room now.
            let _ = own.try_push(arrived);
            return None;
        };
        let partner = others.remove(place);
        let (public, secret) = match auditor {
            Some(_) => (partner, arrived),
            None => (arrived, partner),
        };
        Some(Pair {
            public: public.outcome,
            secret: secret.outcome,
            auditor: secret.auditor?,
        })
    }
}

/// What peers of other groups reached on an instance: the mean of their groups' means; `None` of fewer than two other groups. Missing
/// answers are among the outcomes, as not passed.
pub fn peers<'a, G: Ord + 'a>(
    group: &G,
    outcomes: impl IntoIterator<Item = (&'a G, bool)>,
) -> Option<Fixed> {
    let mut groups = alloc::collections::BTreeMap::<_, Sums>::new();
    for (of, passed) in outcomes.into_iter().filter(|(of, _)| *of != group) {
        let outcome = Fixed::from_int(passed.into());
        groups.entry(of).or_default().add(outcome);
    }
    let mut means = Sums::default();
    groups.values().for_each(|sums| means.add(sums.mean()));
    (means.pairs >= 2).then(|| means.mean())
}

#[cfg(test)]
mod tests;
