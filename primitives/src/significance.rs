//! Evidence that may be looked at after every observation: when is a difference real? (whitepaper 9.5, 'Goodhart and drift')
//!
//! Each process is a bet against what is doubted. While that is true, the bettor's capital `E` does not grow on average, so the chance
//! that it *ever* reaches `1/α` is at most `α`, however often somebody looks and whenever they stop. Nobody can wait for a lucky moment.
//!
//! | process | asks whether |
//! |---|---|
//! | [`Question::above`], [`Question::below`] | a proportion is above, or below, a value |
//! | [`Question::superior`] | a candidate beats a champion on the same tasks |
//! | [`Question::not_inferior`] | it is worse by less than a margin |
//! | [`Question::gap`] | one pass rate exceeds another by more than what is tolerated |
//! | [`Stream`] | the last one, of a node that is watched for years |
//!
//! An observation is `x` in [0, 1] and one bet multiplies the capital by `x·θ/m + (1−x)(1−θ)/(1−m)`, where `m` is the largest mean that the doubt
//! admits and `θ > m` a guess. Capital is the mean over a fixed grid of guesses. Logarithms to base 2 are kept as integers with 32 bits
//! after the point; every operation rounds
//! down, against the flag.

use crate::fixed::{Fixed, exp2_neg};
use alloc::{vec, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Base-2 logarithm with 32 bits after the point.
type Log = i64;

/// Logarithm of 0.
const NOTHING: Log = Log::MIN;
/// Capital below `2^-128` is 0.
const LEAST: Log = -(128 << 32);
/// Bits above the threshold that capital may gain; what is above says nothing more and would only be a credit.
const HEADROOM: u32 = 64;
/// Largest threshold in bits.
const MAX_BITS: u32 = 1 << 10;

/// Guesses of a [`Stream`].
pub const STREAM_GUESSES: usize = 4;

fn log2(x: Fixed) -> Log {
    x.log2()
        .and_then(|log| Log::try_from(log.to_bits() >> 32).ok())
        .unwrap_or(NOTHING)
}

/// `log2(2^a + 2^b)`, rounded down.
fn log_add(a: Log, b: Log) -> Log {
    let (low, high) = (a.min(b), a.max(b));
    if low == NOTHING {
        return high;
    }
    let distance = Fixed::from_bits(u128::from(high.abs_diff(low)) << 32);
    // The last bit covers the error of the power.
    let more = log2(Fixed::ONE.plus(exp2_neg(distance))).saturating_sub(1);
    high.saturating_add(more.max(0))
}

/// `log2` of the mean of powers, rounded down.
fn log_mean(logs: &[Log]) -> Log {
    let sum = logs.iter().fold(NOTHING, |sum, log| log_add(sum, *log));
    // Rounded up, to be taken away.
    let exact = logs.len().is_power_of_two();
    let count = log2(Fixed::from_int(logs.len() as u64)).saturating_add(i64::from(!exact));
    sum.saturating_sub(count)
}

/// `log` after a bet, within its bounds.
fn grown(log: Log, by: Log, bits: u32) -> Log {
    if log == NOTHING || by == NOTHING {
        return NOTHING;
    }
    let most = i64::from(bits.min(MAX_BITS).saturating_add(HEADROOM)) << 32;
    match log.saturating_add(by) {
        log if log < LEAST => NOTHING,
        log => log.min(most),
    }
}

/// The threshold for `alpha` in (0, 1]: capital of `2^threshold` is at least `1/α`. 1,024 for 0.
pub fn threshold(alpha: Fixed) -> u32 {
    let log = alpha.min(Fixed::ONE).log2();
    log.and_then(|log| u32::try_from((log.to_bits() >> 64).unsigned_abs()).ok())
        .unwrap_or(MAX_BITS)
        .min(MAX_BITS)
}

/// The part of `alpha` for the `j`-th proposal of a group on a topic, `j` from 1: `α/(j(j+1))`. The parts sum to `α`, so nobody gains by trying often.
pub fn proposal_alpha(alpha: Fixed, j: u32) -> Fixed {
    let j = Fixed::from_int(u64::from(j).max(1));
    alpha.over(j).over(j.plus(Fixed::ONE))
}

/// The threshold after the `j`-th exoneration: `2^j/α`.
pub fn restarted_threshold(alpha: Fixed, j: u32) -> u32 {
    threshold(alpha).saturating_add(j).min(MAX_BITS)
}

/// The observation of a pair: `(a − b + 1)/2`, a half for a tie.
pub fn paired(a: Fixed, b: Fixed) -> Fixed {
    let (a, b) = (a.min(Fixed::ONE), b.min(Fixed::ONE));
    a.plus(b.complement()).over(Fixed::from_int(2))
}

/// What is doubted, and the guesses that are bet on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// `m`: the largest mean that the doubt admits, in (0, 1).
    mean: Fixed,
    /// `θ`, each in (m, 1).
    guesses: Vec<Fixed>,
    /// Whether observations are turned around.
    flipped: bool,
}

impl Question {
    fn new(mean: Fixed, guesses: impl IntoIterator<Item = Fixed>, flipped: bool) -> Option<Self> {
        if mean.is_zero() || mean >= Fixed::ONE {
            return None;
        }
        let usable = |guess: &Fixed| *guess > mean && *guess < Fixed::ONE;
        let guesses: Vec<_> = guesses.into_iter().filter(usable).collect();
        (!guesses.is_empty()).then_some(Self {
            mean,
            guesses,
            flipped,
        })
    }

    /// Whether a proportion is above `p0`, in (0, 1); `None` out of it.
    pub fn above(p0: Fixed) -> Option<Self> {
        let part = |percent| p0.plus(p0.complement().times(Fixed::percent(percent)));
        Self::new(p0, [10, 25, 50, 75].map(part), false)
    }

    /// Whether a proportion is below `p0`, in (0, 1); `None` out of it.
    pub fn below(p0: Fixed) -> Option<Self> {
        let question = Self::above(p0.complement())?;
        Some(Self {
            flipped: true,
            ..question
        })
    }

    /// Whether a candidate is better than a champion. Observations are [`paired`]; ties change nothing.
    pub fn superior() -> Self {
        let guesses = [525, 550, 600, 650, 700, 800, 900].map(|n| Fixed::ratio(n, 1000));
        Self {
            mean: Fixed::ratio(1, 2),
            guesses: guesses.into(),
            flipped: false,
        }
    }

    /// Whether a candidate is worse by less than `margin`, in (0, 1); `None` out of it. Observations are [`paired`].
    pub fn not_inferior(margin: Fixed) -> Option<Self> {
        let half = |x: Fixed| x.over(Fixed::from_int(2));
        let mean = half(margin.complement());
        let guess = |halves| mean.plus(half(half(margin)).times(Fixed::from_int(halves)));
        Self::new(mean, [1, 2, 4, 8].map(guess), false)
    }

    /// Whether the first of two pass rates exceeds the second one by more than `tolerance`, in [0, 0.4). Observations are [`paired`].
    pub fn gap(tolerance: Fixed) -> Option<Self> {
        let mean = Fixed::ONE.plus(tolerance).over(Fixed::from_int(2));
        let guesses = [5, 10, 20, 30].map(|more| mean.plus(Fixed::percent(more)));
        Self::new(mean, guesses, false).filter(|it| it.guesses.len() == STREAM_GUESSES)
    }

    /// What an observation does to each guess's capital.
    fn bets(&self, x: Fixed) -> Vec<Log> {
        let x = x.min(Fixed::ONE);
        let x = if self.flipped { x.complement() } else { x };
        let bet = |guess: &Fixed| {
            let hit = x.times(*guess).over(self.mean);
            let miss = x.complement().times(guess.complement());
            log2(hit.plus(miss.over(self.mean.complement())))
        };
        self.guesses.iter().map(bet).collect()
    }
}

/// Capital that is bet on a [`Question`] from the beginning: for decisions that come once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    question: Question,
    bits: u32,
    logs: Vec<Log>,
}

impl Process {
    /// One that decides at `1/alpha`.
    pub fn new(question: Question, alpha: Fixed) -> Self {
        Self {
            bits: threshold(alpha),
            logs: vec![0; question.guesses.len()],
            question,
        }
    }

    /// Takes an observation in [0, 1].
    pub fn observe(&mut self, x: Fixed) {
        let bets = self.question.bets(x);
        self.add(&bets);
    }

    fn add(&mut self, bets: &[Log]) {
        for (log, bet) in self.logs.iter_mut().zip(bets) {
            *log = grown(*log, *bet, self.bits);
        }
    }

    /// `log2(E)` with 32 bits after the point, rounded down.
    pub fn evidence(&self) -> i64 {
        log_mean(&self.logs)
    }

    /// Whether the doubt is refuted.
    pub fn is_decided(&self) -> bool {
        let needed = i64::from(self.bits) << 32;
        // The mean is at most the largest.
        self.logs.iter().any(|log| *log >= needed) && self.evidence() >= needed
    }
}

/// Capital on a [`Question::gap`] of a node that is watched for years: a part of it is put to work on each new day, so that good
/// years earn no credit to cheat on.
///
/// `1/(k(k+1))` of the capital starts on the `k`-th day with observations; `1/(k+1)` is still unused after it.
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
pub struct Stream {
    /// Days with observations.
    days: u32,
    /// The last one.
    day: u32,
    /// `log2(A)` for each guess, with 32 bits after the point.
    logs: [i64; STREAM_GUESSES],
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            days: 0,
            day: 0,
            logs: [NOTHING; STREAM_GUESSES],
        }
    }
}

impl Stream {
    /// Takes an observation in [0, 1] on this day; a day before the last one counts as the last one. `bits` is the [`threshold`] that
    /// [`Self::is_flagged`] is asked with. Of a question with more than [`STREAM_GUESSES`] guesses the first ones are bet on.
    pub fn observe(&mut self, question: &Question, x: Fixed, day: u32, bits: u32) {
        let bets = question.bets(x);
        self.add(&bets, day, bits);
    }

    fn add(&mut self, bets: &[Log], day: u32, bits: u32) {
        if self.days == 0 || day > self.day {
            self.days = self.days.saturating_add(1);
            self.day = day;
            let k = Fixed::from_int(self.days.into());
            let share = Fixed::ONE.over(k).over(k.plus(Fixed::ONE));
            for log in &mut self.logs {
                *log = log_add(*log, log2(share));
            }
        }
        for (log, bet) in self.logs.iter_mut().zip(bets) {
            *log = grown(*log, *bet, bits);
        }
    }

    /// `log2(E)` with 32 bits after the point, rounded down.
    pub fn evidence(&self) -> i64 {
        let unused = Fixed::ONE.over(Fixed::from_int(u64::from(self.days).saturating_add(1)));
        log_add(log_mean(&self.logs), log2(unused))
    }

    /// Whether the capital reached `2^bits`.
    pub fn is_flagged(&self, bits: u32) -> bool {
        let needed = i64::from(bits) << 32;
        // The capital is at most the largest part and 1.
        let near = needed.saturating_sub(1 << 32);
        self.logs.iter().any(|log| *log >= near) && self.evidence() >= needed
    }
}

#[cfg(test)]
mod tests;
