//! Rounds of canaries: who owes which answers, what a commitment is, and what each duty is worth (whitepaper 'Canary lifecycle', 9.1).
//!
//! A round of a topic is opened by the chain with randomness of the previous epoch, after everybody who serves the topic has said so.
//! What a node must answer is a pure function of the round, the node's operator group and nothing else: [`duties`]. Nodes first
//! commit to their answers and then reveal them, so nobody can copy. Nodes of one group get the same instances, so answering under
//! many names is answering once.

use crate::{
    AccountId32, H256, Moment, NodeId,
    authored::{self, MAX_AUTHORED},
    checkers::{Checker, MAX_ANSWER, form_hash},
    evidence::Scored,
    fixed::Fixed,
    generators::{self, Family, Task},
    reputation::Tally,
    tagged_hash, worker,
};
use alloc::{string::String, vec::Vec};
use codec::{Decode, DecodeAll, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{ConstU32, bounded::BoundedVec};

/// Most duties of a node in a round.
pub const MAX_SLOTS: u32 = 16;
/// Most families and levels of a topic.
pub const MAX_FAMILIES: u32 = 32;
/// Most groups whose pass rates are kept apart.
pub const MAX_GROUPS: u32 = 100;
/// Of how many duties one is an instance that every group gets. The others are instances of the group's own.
pub const SHARED_EVERY: u8 = 4;
/// Tokens that a model may spend on one duty.
pub const ANSWER_TOKENS: u32 = 64;

/// Commitments of a node in a round, one per slot. Zero says that there is no answer.
pub type Commitments = BoundedVec<H256, ConstU32<MAX_SLOTS>>;
/// An answer: the model's text, UTF-8, cut at the end where it is longer.
pub type Answer = BoundedVec<u8, ConstU32<MAX_ANSWER>>;

/// Lengths of a round's windows, in blocks.
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
pub struct Windows {
    /// In which the tasks, and after the commitments the checkers, of members' canaries are opened. A round without any skips both.
    pub open: u32,
    /// In which commitments are taken.
    pub commit: u32,
    /// In which answers are revealed, right after it.
    pub reveal: u32,
}

impl Windows {
    /// Whether a node that is not at fault can keep them: a few blocks each, and an end.
    pub fn is_valid(&self) -> bool {
        // Openings are not sent for the first two blocks.
        (5..=100_000).contains(&self.open)
            && (3..=100_000).contains(&self.commit)
            && (3..=100_000).contains(&self.reveal)
    }
}

/// Where a round stands at a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum Phase {
    /// Authors open the tasks of their canaries.
    OpeningTasks,
    /// Commitments are taken.
    Committing,
    /// Authors open the checkers of their canaries.
    OpeningCheckers,
    /// Answers are revealed.
    Revealing,
    /// Nothing is taken any more.
    Closed,
}

/// What a topic is examined in.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TopicRules {
    /// Families and their levels, each drawn with the same chance. One that stands twice is drawn twice as often.
    pub families: BoundedVec<(H256, u8), ConstU32<MAX_FAMILIES>>,
    /// Procedural duties of a node in a round, 1..=[`MAX_SLOTS`].
    pub slots: u8,
    /// Most canaries of members in a round, 0..=[`MAX_AUTHORED`]; at most half as many as there are procedural duties.
    pub authored: u8,
}

impl TopicRules {
    /// Whether all families and levels exist and there is something to do.
    pub fn is_valid(&self) -> bool {
        let (slots, authored) = (u32::from(self.slots), u32::from(self.authored));
        (1..=MAX_SLOTS).contains(&slots)
            && authored <= MAX_AUTHORED.min(slots / 2)
            && slots.saturating_add(authored) <= MAX_SLOTS
            && !self.families.is_empty()
            && self.families.iter().all(|(id, level)| {
                generators::family(id).is_some() && (1..=generators::LEVELS).contains(level)
            })
    }

    /// The family and level that a hash draws, each with the same chance.
    pub fn draw(&self, place: &H256) -> Option<(H256, u8)> {
        let draw = u64::from_le_bytes(*place.as_bytes().first_chunk()?);
        let index = draw.checked_rem(self.families.len() as u64)?;
        self.families.get(index as usize).copied()
    }

    /// `b_t`: what an answer that does not read the task passes, on average over the families.
    pub fn null_rate(&self) -> Fixed {
        let sum = self.families.iter().fold(Fixed::ZERO, |sum, (id, _)| {
            sum.plus(generators::null_rate(id))
        });
        sum.over(Fixed::from_int(self.families.len() as u64))
            .min(Fixed::ONE)
    }
}

/// What fixes a round.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct RoundFacts {
    /// Its number; numbers run through all topics.
    pub id: u32,
    /// Number of the topic.
    pub topic: u32,
    /// Epoch in which it was opened.
    pub epoch: u32,
    /// What all instances are drawn from. Nobody knew it before the epoch began.
    pub seed: H256,
    /// Block in which it was opened.
    pub start: u32,
    /// Its windows.
    pub windows: Windows,
    /// The topic's rules when it was opened.
    pub rules: TopicRules,
    /// Canaries of members that were drawn: number and author.
    pub authored: BoundedVec<(u32, AccountId32), ConstU32<MAX_AUTHORED>>,
}

impl RoundFacts {
    /// Duties of a node.
    pub fn duties(&self) -> usize {
        usize::from(self.rules.slots).saturating_add(self.authored.len())
    }

    /// Blocks for each of the two openings.
    fn opening(&self) -> u32 {
        if self.authored.is_empty() {
            0
        } else {
            self.windows.open
        }
    }

    /// First block in which commitments are taken.
    pub fn commit_from(&self) -> u32 {
        self.start.saturating_add(self.opening())
    }

    /// First block in which commitments are not taken any more and checkers are opened.
    pub fn committed_from(&self) -> u32 {
        self.commit_from().saturating_add(self.windows.commit)
    }

    /// First block in which answers are revealed.
    pub fn reveal_from(&self) -> u32 {
        self.committed_from().saturating_add(self.opening())
    }

    /// First block in which answers are not taken any more.
    pub fn closed_from(&self) -> u32 {
        self.reveal_from().saturating_add(self.windows.reveal)
    }

    /// Where the round stands in block `at`.
    pub fn phase(&self, at: u32) -> Phase {
        if at < self.commit_from() {
            Phase::OpeningTasks
        } else if at < self.committed_from() {
            Phase::Committing
        } else if at < self.reveal_from() {
            Phase::OpeningCheckers
        } else if at < self.closed_from() {
            Phase::Revealing
        } else {
            Phase::Closed
        }
    }
}

/// The seed of a round.
pub fn round_seed(randomness: &H256, topic: u32, round: u32) -> H256 {
    tagged_hash(
        "touchstone/round/1",
        &[
            randomness.as_bytes(),
            &topic.to_le_bytes(),
            &round.to_le_bytes(),
        ],
    )
}

/// One answer that a node owes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct Duty {
    /// Its place in the node's commitments.
    pub slot: u8,
    /// Hash that names the instance. Equal for every node that gets the same one.
    pub instance: H256,
    /// Whether every group gets this instance.
    pub shared: bool,
    /// Family that the task is drawn from; zero for a canary of a member, whose family is known when its checker is opened.
    pub family: H256,
    /// Its level; 0 for a canary of a member.
    pub level: u8,
    /// Number and author of a canary of a member.
    pub authored: Option<(u32, AccountId32)>,
}

impl Duty {
    /// The procedural task; `None` for a canary of a member, and if the runtime does not know the family any more.
    pub fn task(&self) -> Option<Task> {
        generators::generate(&self.family, self.level, &self.instance)
    }

    /// What pass rates are kept by: the family at this level.
    pub fn stratum(&self) -> H256 {
        generators::family(&self.family).map_or(H256::zero(), |family| family.stratum(self.level))
    }
}

/// What the nodes of a group owe in a round, by slot: procedural duties, of which every fourth instance is shared by all groups, then
/// canaries of members, which all are.
pub fn duties(round: &RoundFacts, group: &AccountId32) -> Vec<Duty> {
    let authored = (round.rules.slots..)
        .zip(&round.authored)
        .map(|(slot, (id, author))| Duty {
            slot,
            instance: tagged_hash(
                "touchstone/duty/authored/1",
                &[round.seed.as_bytes(), &id.to_le_bytes()],
            ),
            shared: true,
            family: H256::zero(),
            level: 0,
            authored: Some((*id, author.clone())),
        });
    (0..round.rules.slots)
        .filter_map(|slot| {
            let shared = slot.checked_rem(SHARED_EVERY) == Some(0);
            // What is drawn for a slot is the same for all groups, so that they are compared on equal work; only the
            // instance differs.
            let place = tagged_hash(
                "touchstone/duty/family/1",
                &[round.seed.as_bytes(), &[slot]],
            );
            let (family, level) = round.rules.draw(&place)?;
            let whose: &[u8] = if shared { &[] } else { group.as_ref() };
            let instance = tagged_hash(
                "touchstone/duty/1",
                &[
                    round.seed.as_bytes(),
                    family.as_bytes(),
                    &[level, slot],
                    whose,
                ],
            );
            Some(Duty {
                slot,
                instance,
                shared,
                family,
                level,
                authored: None,
            })
        })
        .chain(authored)
        .collect()
}

/// What a node commits to: bound to chain, round, instance and node, so that a copy of somebody else's is worth nothing.
pub fn commitment(
    genesis: &H256,
    round: u32,
    instance: &H256,
    node: &NodeId,
    salt: &[u8; 32],
    answer: &[u8],
) -> H256 {
    tagged_hash(
        "touchstone/commit/1",
        &[
            genesis.as_bytes(),
            &round.to_le_bytes(),
            instance.as_bytes(),
            node.as_ref(),
            salt,
            answer,
        ],
    )
}

/// Pallet and call that a worker names when it commits.
pub const COMMIT_CALL: (&str, &str) = ("Canaries", "commit");

/// What the node's worker key signs to commit.
pub fn commit_message(
    genesis: &H256,
    node: &NodeId,
    round: u32,
    hashes: &[H256],
    valid_until: u32,
) -> H256 {
    worker::submission(
        genesis,
        COMMIT_CALL,
        node,
        &round,
        valid_until.into(),
        &hashes,
    )
}

/// A revealed answer. It proves itself: only whoever made the commitment knows the salt.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Revealed {
    /// Its place in the commitments.
    pub slot: u8,
    /// Salt of the commitment.
    pub salt: [u8; 32],
    /// The answer.
    pub answer: Answer,
}

/// What the checker said of a revealed answer.
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
pub enum Outcome {
    /// Right.
    Right,
    /// Wrong, with the first 8 bytes of the hash of the canonical answer (`None` where nothing could be taken out of the text).
    Wrong(Option<[u8; 8]>),
    /// The checker could not decide.
    Void,
}

/// The outcome of an answer to a task.
pub fn outcome(task: &Task, answer: &[u8]) -> Outcome {
    use crate::checkers::{Verdict, canonical, check};
    match check(&task.checker, answer) {
        Verdict::Right => Outcome::Right,
        Verdict::Void => Outcome::Void,
        Verdict::Wrong => {
            let found = canonical(&task.checker, answer);
            let hash = tagged_hash("touchstone/wrong/1", &[&found]);
            Outcome::Wrong(
                hash.as_bytes()
                    .first_chunk()
                    .copied()
                    .filter(|_| !found.is_empty()),
            )
        }
    }
}

/// How a duty ended. Every duty ends in exactly one of these.
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
pub enum End {
    /// It was revealed in time and checked.
    Scored(Outcome),
    /// The node committed to no answer: counts as wrong.
    NotCommitted,
    /// The node committed and did not reveal: counts as wrong.
    NotRevealed,
    /// Nobody is to blame, or the checker could not decide: no evidence.
    Void,
    /// The node was away for the whole epoch, on all topics: no evidence.
    Absent,
}

impl End {
    /// How a duty ends whose node was present.
    pub fn of(commitment: Option<&H256>, outcome: Option<Outcome>) -> Self {
        match (commitment, outcome) {
            (_, Some(Outcome::Void)) => Self::Void,
            (_, Some(outcome)) => Self::Scored(outcome),
            (Some(hash), None) if !hash.is_zero() => Self::NotRevealed,
            _ => Self::NotCommitted,
        }
    }

    /// Whether the duty counts as evidence, and as passed.
    pub fn passed(&self) -> Option<bool> {
        match self {
            Self::Scored(outcome) => Some(*outcome == Outcome::Right),
            Self::NotCommitted | Self::NotRevealed => Some(false),
            Self::Void | Self::Absent => None,
        }
    }
}

/// Pass rates of one family and level on a topic: all groups together, and each group alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct FamilyRate {
    /// Of all groups.
    pub all: Tally,
    /// Of each group, by account.
    pub groups: BoundedVec<(AccountId32, Tally), ConstU32<MAX_GROUPS>>,
}

impl FamilyRate {
    /// Adds an answer of a group that counts `share`, in (0, 1]. A group beyond the bound counts only in the sum.
    pub fn add(
        &mut self,
        group: &AccountId32,
        passed: bool,
        share: Fixed,
        now: Moment,
        half_life: u64,
    ) {
        let passed = if passed { share } else { Fixed::ZERO };
        self.all.add(share, passed, now, half_life);
        match self.groups.binary_search_by(|(id, _)| id.cmp(group)) {
            Ok(place) => {
                if let Some((_, tally)) = self.groups.get_mut(place) {
                    tally.add(share, passed, now, half_life);
                }
            }
            Err(place) => {
                let mut tally = Tally::default();
                tally.add(share, passed, now, half_life);
                let _ = self.groups.try_insert(place, (group.clone(), tally));
            }
        }
    }

    /// `p_hat`: pass rate of all other groups, in [0, 1]; `None` while nobody else has answered.
    ///
    /// The group's own answers are left out: nobody raises the difficulty of what it is good at by failing on purpose, nor lowers a
    /// rival's by passing.
    pub fn leaving_out(&self, group: &AccountId32, now: Moment, half_life: u64) -> Option<Fixed> {
        let all = self.all.at(now, half_life);
        let own = self
            .groups
            .iter()
            .find(|(id, _)| id == group)
            .map(|(_, tally)| tally.at(now, half_life))
            .unwrap_or_default();
        let mass = all.evidence.minus(own.evidence);
        // Rounding may leave a trace of mass where there is none.
        if mass < Fixed::ratio(1, 1_000_000) {
            return None;
        }
        Some(all.passed.minus(own.passed).over(mass).min(Fixed::ONE))
    }
}

/// What is never taken from a difficulty, however often a family is passed: `d_min`.
pub const DIFFICULTY_FLOOR: Fixed = Fixed::ratio(1, 20);

/// `d_eff = d_author · max(d_min, 1 − p_hat) · (1 − b_c)`: what everybody passes stops paying, and so does what can be passed
/// without reading.
pub fn effective_difficulty(author: Fixed, pass_rate: Fixed, null_rate: Fixed) -> Fixed {
    author
        .times(pass_rate.complement().max(DIFFICULTY_FLOOR))
        .times(null_rate.complement())
}

/// What is posed in a duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posed {
    /// Task and checker.
    pub task: Task,
    /// What pass rates are kept by: the family at its level, or the form of a member's checker, which no author chooses.
    pub stratum: H256,
    /// `b_c`: part of the answers without thought that pass.
    pub null_rate: Fixed,
}

impl Posed {
    /// What a procedural duty poses.
    pub fn procedural(duty: &Duty) -> Option<Self> {
        Some(Self {
            task: duty.task()?,
            stratum: duty.stratum(),
            null_rate: generators::family(&duty.family).map_or(Fixed::ONE, Family::null_rate),
        })
    }

    /// What a member's canary poses, of parts that were fit when they were opened ([`authored::fit_checker`]); `None` if they do not
    /// decode.
    pub fn authored(text: &[u8], checker: &[u8], difficulty: Fixed) -> Option<Self> {
        let checker = Checker::decode_all(&mut &*checker).ok()?;
        Some(Self {
            stratum: form_hash(&checker),
            null_rate: authored::null_rate(&checker),
            task: Task {
                prompt: String::from_utf8(text.to_vec()).ok()?,
                options: authored::options(&checker),
                checker,
                difficulty,
            },
        })
    }

    /// Difficulty after what others pass of its kind, in (0, 1].
    pub fn worth(&self, pass_rate: Fixed) -> Fixed {
        effective_difficulty(self.task.difficulty, pass_rate, self.null_rate)
    }
}

/// The evidence of a duty that ended; `None` where it gives none.
pub fn scored(
    duty: &Duty,
    posed: &Posed,
    end: End,
    epoch: u32,
    pass_rate: Fixed,
) -> Option<Scored> {
    let passed = end.passed()?;
    let difficulty = posed.worth(pass_rate);
    let wrong = match end {
        End::Scored(Outcome::Wrong(wrong)) => wrong,
        _ => None,
    };
    Some(Scored {
        duty: duty.instance,
        family: posed.stratum,
        epoch,
        difficulty,
        outcome: if passed { Fixed::ONE } else { Fixed::ZERO },
        wrong,
        options: posed.task.options,
        shared: duty.shared,
    })
}

/// Epochs that a node may be away within a half-life of evidence before being away counts as failing.
pub const FREE_ABSENCES: u32 = 2;

/// When a node was last seen doing its duty, and when it was away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Presence {
    /// Latest epoch in which it was seen.
    pub epoch: u32,
    /// Bit `n`: it was seen `n` epochs before that.
    pub seen: u32,
    /// Excused epochs and when they were judged, oldest first.
    pub excused: BoundedVec<(u32, Moment), ConstU32<FREE_ABSENCES>>,
}

impl Presence {
    /// The node was seen in this epoch.
    pub fn see(&mut self, epoch: u32) {
        let later = epoch.saturating_sub(self.epoch);
        if epoch >= self.epoch {
            self.seen = self.seen.checked_shl(later).unwrap_or(0) | 1;
            self.epoch = epoch;
        } else {
            let earlier = self.epoch.saturating_sub(epoch);
            self.seen |= 1u32.checked_shl(earlier).unwrap_or(0);
        }
    }

    /// Whether it was seen in this epoch. Epochs more than 31 before the latest are forgotten and count as seen.
    pub fn was_seen(&self, epoch: u32) -> bool {
        if epoch > self.epoch {
            return false;
        }
        let earlier = self.epoch.saturating_sub(epoch);
        match 1u32.checked_shl(earlier) {
            Some(bit) => self.seen & bit != 0,
            None => true,
        }
    }

    /// Whether being away in this epoch is excused. Records the excuse; each epoch takes at most one.
    pub fn excuse(&mut self, epoch: u32, now: Moment, half_life: u64) -> bool {
        if self.excused.iter().any(|(excused, _)| *excused == epoch) {
            return true;
        }
        self.excused
            .retain(|(_, at)| now.saturating_sub(*at) < half_life);
        self.excused.try_push((epoch, now)).is_ok()
    }
}

#[cfg(test)]
mod tests;
