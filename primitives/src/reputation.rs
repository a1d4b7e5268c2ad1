//! Reputation: what a node has shown on a topic, as one number that fades (whitepaper 9.9).
//!
//! Evidence is kept as two decayed sums, the mass `N` and the part of it that was right, `P`. A duty of difficulty `d` with
//! outcome `o` adds `d` to `N` and `d·o` to `P`; both halve every half-life. From them
//!
//! ```text
//! C_hat = (P + kappa·C0) / (N + kappa)         competence: the prior C0 weighs like a mass of kappa
//! g     = min(1 + beta·ln(1 + bond/bond0), g_max)
//! B     = C_hat · N^gamma · g                  what influence is computed from
//! R     = B · S                                what people see
//! S(t)  = 1 - (1 - S_at)·2^(-(t - at)/T_recover), multiplied by a factor at every confirmed offence
//! ```
//!
//! Everything that enters is in [`Account`], [`Safety`], the bond and the [`Knobs`], so anybody can redo the arithmetic.

use crate::{
    Moment,
    evidence::{Offence, Scored, Standing},
    fixed::{Fixed, Signed, decay},
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

const DAY: u64 = 86_400_000;

/// Parameters of a topic's reputation. The defaults are starting values, to be calibrated.
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
pub struct Knobs {
    /// `T_half`: milliseconds after which evidence counts half.
    pub half_life: u64,
    /// `kappa`: mass that the prior weighs.
    pub kappa: Fixed,
    /// `C0`: competence of a node without evidence, in [0, 1].
    pub prior: Fixed,
    /// `gamma`: exponent of the mass, in (0, 1].
    pub gamma: Fixed,
    /// `beta`: how much the logarithm of the bond counts.
    pub beta: Fixed,
    /// `stake0`: bond at which the logarithm begins to grow, in the chain's smallest unit.
    pub bond_unit: u128,
    /// `g_max`: most that a bond multiplies by, at least 1.
    pub stake_max: Fixed,
    /// `w_max`: most of a topic's votes that one group may hold when there are enough groups, in (0, 1].
    pub share_max: Fixed,
    /// `T_recover`: milliseconds after which half of what `S` lost is back.
    pub recovery: u64,
    /// `N_min`: mass below which a node has no influence and counts as a newcomer.
    pub evidence_min: Fixed,
    /// `psi`: what is left of `N` and `P` when the node serves another model, in [0, 1].
    pub new_model: Fixed,
    /// `M_max`: most mass that counts per node, topic and epoch.
    pub epoch_mass_max: Fixed,
    /// `epsilon`: share of selection slots reserved for newcomers, in [0, 1].
    pub exploration: Fixed,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            half_life: DAY.saturating_mul(30),
            kappa: Fixed::from_int(10),
            prior: Fixed::HALF,
            gamma: Fixed::HALF,
            beta: Fixed::percent(25),
            // 1,000 units of 12 decimals: the bond of a validator.
            bond_unit: 1_000_000_000_000_000,
            stake_max: Fixed::from_int(2),
            share_max: Fixed::percent(20),
            recovery: DAY.saturating_mul(90),
            evidence_min: Fixed::from_int(5),
            new_model: Fixed::percent(25),
            epoch_mass_max: Fixed::from_int(20),
            exploration: Fixed::percent(10),
        }
    }
}

impl Knobs {
    /// Whether every value is in its range.
    pub fn is_valid(&self) -> bool {
        let share = |x: Fixed| x <= Fixed::ONE;
        self.half_life > 0
            && self.recovery > 0
            && self.bond_unit > 0
            && !self.kappa.is_zero()
            && !self.gamma.is_zero()
            && !self.share_max.is_zero()
            && self.stake_max >= Fixed::ONE
            && [
                self.prior,
                self.gamma,
                self.share_max,
                self.new_model,
                self.exploration,
            ]
            .into_iter()
            .all(share)
    }
}

/// A decayed sum of evidence.
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
pub struct Tally {
    /// Mass as of `updated_at`.
    pub evidence: Fixed,
    /// Part of the mass that was right, at most `evidence`.
    pub passed: Fixed,
    /// When the sums were last brought up to date.
    pub updated_at: Moment,
}

impl Tally {
    /// The sums as of `now`; a clock that went back changes nothing.
    pub fn at(&self, now: Moment, half_life: u64) -> Self {
        let factor = decay(now.saturating_sub(self.updated_at), half_life);
        Self {
            evidence: self.evidence.times(factor),
            passed: self.passed.times(factor),
            updated_at: now.max(self.updated_at),
        }
    }

    /// Adds mass now.
    pub fn add(&mut self, mass: Fixed, passed: Fixed, now: Moment, half_life: u64) {
        let decayed = self.at(now, half_life);
        *self = Self {
            evidence: decayed.evidence.plus(mass),
            passed: decayed.passed.plus(passed.min(mass)),
            ..decayed
        };
    }

    fn scale(&mut self, factor: Fixed) {
        self.evidence = self.evidence.times(factor);
        self.passed = self.passed.times(factor);
    }
}

/// What the chain keeps of a node on a topic.
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
pub struct Account {
    /// `N` and `P`, from public rounds and blind audits.
    pub tally: Tally,
    /// What blind audits alone gave, without the cap by epoch.
    pub secret: Tally,
    /// Epochs that gave evidence, counted anew after a gap of more than a half-life.
    pub epochs: u32,
    /// The last of them.
    pub epoch: Option<u32>,
    /// Mass posed in that epoch.
    pub epoch_mass: Fixed,
    /// Part of it that was right.
    pub epoch_passed: Fixed,
}

/// What one batch of duties did to an account: `N' = N·factor + gain`, and `P' = P·factor + passed_gain`, kept between 0 and `N'`.
///
/// Up to the epoch's cap the gains are the batch's sums. Beyond it everything posed in the epoch counts in proportion, so that each
/// answer of the epoch matters equally, first or last.
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
pub struct Fold {
    /// When.
    pub at: Moment,
    /// Epoch to which the duties were counted.
    pub epoch: u32,
    /// Whether the duties were blind audits.
    pub secret: bool,
    /// Number of duties.
    pub duties: u32,
    /// What was left of the sums since they were last brought up to date.
    pub factor: Fixed,
    /// Sum of the batch's difficulties.
    pub mass: Fixed,
    /// Sum of difficulty times outcome.
    pub passed: Fixed,
    /// What `N` gained by the batch.
    pub gain: Fixed,
    /// What `P` gained by the batch; negative when the epoch's cap is reached and the batch was worse than the rest of the epoch.
    pub passed_gain: Signed,
    /// `N` afterwards.
    pub evidence: Fixed,
    /// `P` afterwards.
    pub passed_total: Fixed,
}

impl Account {
    /// Folds a batch of duties, all counted to its latest epoch, or to the account's last one if that is later. `None` when there
    /// are none.
    pub fn fold(
        &mut self,
        scored: &[Scored],
        secret: bool,
        now: Moment,
        knobs: &Knobs,
    ) -> Option<Fold> {
        let epoch = scored.iter().map(|duty| duty.epoch).max()?;
        let (mut mass, mut passed) = (Fixed::ZERO, Fixed::ZERO);
        for duty in scored {
            let difficulty = duty.difficulty.min(Fixed::ONE);
            mass = mass.plus(difficulty);
            passed = passed.plus(difficulty.times(duty.outcome.min(Fixed::ONE)));
        }
        let factor = decay(now.saturating_sub(self.tally.updated_at), knobs.half_life);
        if !mass.is_zero() {
            self.count_epoch(epoch, factor);
        }
        let (mass_before, passed_before) = self.counted(knobs);
        self.epoch_mass = self.epoch_mass.plus(mass);
        self.epoch_passed = self.epoch_passed.plus(passed);
        let (mass_after, passed_after) = self.counted(knobs);
        let gain = mass_after.minus(mass_before);
        let passed_gain = Signed::from_fixed(passed_after).minus(Signed::from_fixed(passed_before));
        let decayed = self.tally.at(now, knobs.half_life);
        let evidence = decayed.evidence.plus(gain);
        let passed_total = Signed::from_fixed(decayed.passed)
            .plus(passed_gain)
            .positive_part()
            .min(evidence);
        self.tally = Tally {
            evidence,
            passed: passed_total,
            ..decayed
        };
        if secret {
            self.secret.add(mass, passed, now, knobs.half_life);
        }
        Some(Fold {
            at: now,
            epoch: self.epoch.unwrap_or(epoch),
            secret,
            duties: scored.len() as u32,
            factor,
            mass,
            passed,
            gain,
            passed_gain,
            evidence,
            passed_total,
        })
    }

    /// Notes an epoch with evidence. `factor` is what was left of the evidence before it.
    fn count_epoch(&mut self, epoch: u32, factor: Fixed) {
        let is_new = self.epoch.is_none_or(|last| epoch > last);
        if factor < Fixed::HALF {
            self.epochs = 0;
        }
        if is_new || self.epochs == 0 {
            self.epochs = self.epochs.saturating_add(1);
        }
        if is_new {
            self.epoch = Some(epoch);
            self.epoch_mass = Fixed::ZERO;
            self.epoch_passed = Fixed::ZERO;
        }
    }

    /// What the epoch counts for: all of it up to the cap, beyond it the cap and the same proportion of right answers.
    fn counted(&self, knobs: &Knobs) -> (Fixed, Fixed) {
        let cap = knobs.epoch_mass_max;
        if self.epoch_mass <= cap {
            (self.epoch_mass, self.epoch_passed)
        } else {
            let passed = self.epoch_passed.times(cap).over(self.epoch_mass);
            (cap, passed)
        }
    }

    /// The node serves another model: evidence of the old one counts for little.
    pub fn change_model(&mut self, now: Moment, knobs: &Knobs) {
        self.tally = self.tally.at(now, knobs.half_life);
        self.secret = self.secret.at(now, knobs.half_life);
        self.tally.scale(knobs.new_model);
        self.secret.scale(knobs.new_model);
    }
}

/// The safety factor `S` of an operator group: 1 without offences.
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
pub struct Safety {
    /// `S_at`, in [0, 1].
    pub value: Fixed,
    /// When it had that value.
    pub at: Moment,
}

impl Default for Safety {
    fn default() -> Self {
        Self {
            value: Fixed::ONE,
            at: 0,
        }
    }
}

impl Safety {
    /// `S` now.
    pub fn now(&self, now: Moment, recovery: u64) -> Fixed {
        let lost = self.value.complement();
        lost.times_up(decay(now.saturating_sub(self.at), recovery))
            .complement()
    }

    /// Multiplies `S` by the factor of an offence.
    pub fn punish(&mut self, factor: Fixed, now: Moment, recovery: u64) {
        *self = Self {
            value: self.now(now, recovery).times(factor.min(Fixed::ONE)),
            at: now.max(self.at),
        };
    }
}

/// What an offence costs.
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
pub struct Penalty {
    /// Factor on `S`, in [0, 1].
    pub safety: Fixed,
    /// Part of the offending node's bond that is lost, in [0, 1].
    pub bond: Fixed,
}

impl Penalty {
    /// Starting values. Getting worse costs trust but no bond: it is no fraud.
    pub fn starting(offence: Offence) -> Self {
        let (safety, bond) = match offence {
            Offence::Drift => (80, 0),
            Offence::Goodhart => (50, 0),
            Offence::FailedAudit => (30, 10),
            Offence::Collusion => (10, 50),
        };
        Self {
            safety: Fixed::percent(safety),
            bond: Fixed::percent(bond),
        }
    }

    /// Whether both are at most 1.
    pub fn is_valid(&self) -> bool {
        self.safety <= Fixed::ONE && self.bond <= Fixed::ONE
    }
}

/// `C_hat`: competence with the prior mixed in, in [0, 1].
pub fn competence(evidence: Fixed, passed: Fixed, knobs: &Knobs) -> Fixed {
    let right = passed.plus(knobs.kappa.times(knobs.prior));
    right.over(evidence.plus(knobs.kappa)).min(Fixed::ONE)
}

/// `g`: what a bond multiplies by, in [1, g_max].
pub fn stake_factor(bond: u128, knobs: &Knobs) -> Fixed {
    let logarithm = Fixed::ratio(bond, knobs.bond_unit).ln_1p();
    Fixed::ONE
        .plus(knobs.beta.times(logarithm))
        .min(knobs.stake_max)
}

/// Everything about a node on a topic now. `safety` is its group's `S`, `bond` its group's smallest locked bond.
pub fn standing(
    account: &Account,
    safety: Fixed,
    bond: u128,
    now: Moment,
    knobs: &Knobs,
) -> Standing {
    let tally = account.tally.at(now, knobs.half_life);
    let competence = competence(tally.evidence, tally.passed, knobs);
    let volume = tally.evidence.pow(knobs.gamma);
    let stake = stake_factor(bond, knobs);
    let base = competence.times(volume).times(stake);
    Standing {
        evidence: tally.evidence,
        passed: tally.passed,
        epochs: account.epochs,
        competence,
        volume,
        stake,
        base,
        safety,
        reputation: base.times(safety),
    }
}

#[cfg(test)]
mod tests;
