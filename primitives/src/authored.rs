//! Canaries that members write: sealed until they are drawn, drawn by lot, and worth nothing that only friends can pass (whitepaper
//! 'Canary lifecycle').
//!
//! A member registers two salted hashes, one of the task and one of the checker, and keeps what is behind them to itself. When
//! a round draws the canary, the task is opened before nodes commit and the checker after they have. An opened canary
//! is public and never drawn again.

use crate::{
    AccountId32, H256, Moment,
    checkers::{self, Checker, Verdict, check},
    evidence::Scored,
    fixed::Fixed,
    tagged_hash,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use codec::{Decode, DecodeAll, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{ConstU32, bounded::BoundedVec};

/// Most canaries of members in a round.
pub const MAX_AUTHORED: u32 = 4;
/// Most canaries of a topic that wait to be drawn.
pub const MAX_WAITING: u32 = 256;
/// Most canaries of one member that wait to be drawn, on all topics together.
pub const MAX_OF_AUTHOR: u32 = 64;
/// Most canaries in one registration.
pub const MAX_REGISTERED: u32 = 16;
/// Groups other than the author's that must pass a canary before it counts for anybody.
pub const PASSERS: usize = 2;
/// Canaries that were drawn and not opened, within [`FAILURE_MEMORY`], that cost a member its other canaries.
pub const MAX_FAILURES: u32 = 2;
/// Milliseconds for which a canary that was not opened is held against its author.
pub const FAILURE_MEMORY: Moment = 30 * 86_400_000;

/// A task's text, UTF-8.
pub type TaskText = BoundedVec<u8, ConstU32<{ checkers::MAX_TASK }>>;
/// An encoded [`Checker`].
pub type CheckerBytes = BoundedVec<u8, ConstU32<{ checkers::MAX_CHECKER }>>;

/// What a member registers of a canary.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Sealed {
    /// [`seal`] of the task.
    pub task: H256,
    /// [`seal`] of the checker.
    pub checker: H256,
    /// The author's difficulty, in (0, 1].
    pub difficulty: Fixed,
    /// Time after which it is not drawn any more, in milliseconds.
    pub expires: Moment,
}

/// One of the two parts of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Part {
    /// What the model is asked.
    Task,
    /// What decides about the answer.
    Checker,
}

/// Salted hash of a part, bound to chain and author: nobody can register what somebody else has sealed.
pub fn seal(
    part: Part,
    genesis: &H256,
    author: &AccountId32,
    salt: &[u8; 32],
    content: &[u8],
) -> H256 {
    let domain = match part {
        Part::Task => "touchstone/canary/task/1",
        Part::Checker => "touchstone/canary/checker/1",
    };
    tagged_hash(
        domain,
        &[genesis.as_bytes(), author.as_ref(), salt, content],
    )
}

/// A canary that waits to be drawn.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Waiting {
    /// Its number.
    pub id: u32,
    /// The member that wrote it.
    pub author: AccountId32,
    /// Epoch in which it was registered.
    pub epoch: u32,
    /// Time after which it is not drawn any more.
    pub expires: Moment,
}

/// Draws up to `count` canaries for a round: those registered before the previous epoch began and not expired, in the order of a hash of
/// the round's seed, at most a third (rounded up) of `count` of each author.
///
/// The seed was not known when they were registered, so nobody can register one that is sure to be drawn.
pub fn draw(pool: &[Waiting], count: u8, seed: &H256, epoch: u32, now: Moment) -> Vec<Waiting> {
    let quota = count.div_ceil(3);
    let mut order: Vec<(H256, &Waiting)> = pool
        .iter()
        .filter(|one| one.epoch.saturating_add(2) <= epoch && now < one.expires)
        .map(|one| {
            let place = tagged_hash(
                "touchstone/sample/1",
                &[seed.as_bytes(), &one.id.to_le_bytes()],
            );
            (place, one)
        })
        .collect();
    order.sort_by_key(|(place, one)| (*place, one.id));
    let mut drawn = Vec::new();
    let mut of_author = BTreeMap::<&AccountId32, u8>::new();
    for (_, one) in order {
        if drawn.len() >= usize::from(count) {
            break;
        }
        let taken = of_author.entry(&one.author).or_default();
        if *taken < quota {
            *taken = taken.saturating_add(1);
            drawn.push(one.clone());
        }
    }
    drawn
}

/// Whether a canary counts: both parts were opened, and at least [`PASSERS`] groups other than its author's passed it, whoever stands among
/// `passers` more than once. What only the author's friends can know counts for nobody.
pub fn counts<'a>(
    is_open: bool,
    author: &AccountId32,
    passers: impl IntoIterator<Item = &'a AccountId32>,
) -> bool {
    is_open && strangers(author, passers) >= PASSERS
}

/// How many groups other than the author's are among these.
pub fn strangers<'a>(
    author: &AccountId32,
    groups: impl IntoIterator<Item = &'a AccountId32>,
) -> usize {
    let others: BTreeSet<_> = groups
        .into_iter()
        .filter(|group| *group != author)
        .collect();
    others.len()
}

/// When canaries of an author that were drawn stayed sealed, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Failures(BoundedVec<Moment, ConstU32<MAX_FAILURES>>);

impl Failures {
    /// One more, now.
    pub fn add(&mut self, now: Moment) {
        self.0.retain(|at| now.saturating_sub(*at) < FAILURE_MEMORY);
        if self.0.is_full() {
            self.0.remove(0);
        }
        // There is room now.
        let _ = self.0.try_push(now);
    }

    /// Whether there were [`MAX_FAILURES`] within [`FAILURE_MEMORY`]: the author's canaries are not drawn then.
    pub fn bar(&self, now: Moment) -> bool {
        let recent = |at: &&Moment| now.saturating_sub(**at) < FAILURE_MEMORY;
        self.0.iter().filter(recent).count() >= MAX_FAILURES as usize
    }
}

/// What is wrong with an opened part, for people; `None` when it can be used.
pub fn unfit_task(text: &[u8]) -> Option<&'static str> {
    match core::str::from_utf8(text) {
        Ok(text) if text.trim().is_empty() => Some("the task is empty"),
        Ok(_) => None,
        Err(_) => Some("the task is not UTF-8"),
    }
}

/// The checker, if it can be used for this task: sound, decided by the runtime itself, and not passed by an answer that needs no thought.
///
/// The battery: the empty answer, the task itself, and what people guess first. An author's friends could always give one of these.
pub fn fit_checker(task: &[u8], checker: &[u8]) -> Result<Checker, &'static str> {
    let checker = Checker::decode_all(&mut &*checker).map_err(|_| "the checker does not decode")?;
    if checkers::needs_panel(&checker) {
        return Err("the checker needs a panel (CheckerNeedsPanel): the runtime cannot run it");
    }
    if !checkers::is_sound(&checker) {
        return Err("the checker cannot decide anything");
    }
    let battery: [&[u8]; 9] = [
        b"", task, b"0", b"1", b"yes", b"no", b"true", b"A", b"unknown",
    ];
    // One of several options is always guessed by somebody: that is what its null rate says.
    let is_choice = matches!(checker, Checker::Choice { .. });
    if !is_choice
        && battery
            .iter()
            .any(|answer| check(&checker, answer) == Verdict::Right)
    {
        return Err("the checker lets an answer pass that needs no thought");
    }
    Ok(checker)
}

/// `b_c`: part of the answers without thought that pass, in [0, 1].
pub fn null_rate(checker: &Checker) -> Fixed {
    match checker {
        Checker::Choice { options, .. } => {
            Fixed::ONE.over(Fixed::from_int(options.len().max(1) as u64))
        }
        _ => Fixed::ZERO,
    }
}

/// How many wrong answers are plausible.
pub fn options(checker: &Checker) -> u32 {
    match checker {
        Checker::Choice { options, .. } => (options.len() as u32).saturating_sub(1),
        _ => 100,
    }
}

/// Reduces what canaries of members give a node in a round to half of what procedural ones give it, so that these carry at
/// least two thirds of the evidence, and one author at most a third.
pub fn cap(evidence: &mut [(bool, Scored)]) {
    let (authored, own): (Fixed, Fixed) = evidence.iter().fold(
        (Fixed::ZERO, Fixed::ZERO),
        |(authored, own), (is_authored, scored)| match is_authored {
            true => (authored.plus(scored.difficulty), own),
            false => (authored, own.plus(scored.difficulty)),
        },
    );
    let most = own.times(Fixed::ratio(1, 2));
    if authored <= most {
        return;
    }
    let factor = most.over(authored);
    for (is_authored, scored) in evidence {
        if *is_authored {
            scored.difficulty = scored.difficulty.times(factor);
        }
    }
}

#[cfg(test)]
mod tests;
