//! # Canaries
//!
//! Tasks that an algorithm checks, posed to every node in rounds of commit and reveal (whitepaper 'Canary lifecycle', 9.1, 9.5).
//!
//! ## Overview
//!
//! A node that wants influence on a topic says so: it **enrols** with the model that it answers with. From the second epoch after that it
//! gets **duties**: in every epoch the chain opens a **round** of each topic and draws tasks from randomness that nobody knew when the
//! nodes enrolled. Nobody wrote these tasks ([`touchstone_primitives::generators`]), so nobody can sell, leak or tailor them. Three of
//! four are a group's own; every fourth is the same for all, which shows whose errors are alike.
//!
//! First the nodes **commit** to hashes of their answers, then they **reveal** the answers, and the runtime checks each one by itself,
//! without trusting anybody ([`touchstone_primitives::checkers`]). When the epoch is over the round is **settled**: every duty
//! ends in exactly one way, and what came of it is folded into the node's reputation.
//!
//! ## Terminology
//!
//! * **Duty**: one answer that a node owes. It ends as *scored* (right or wrong), *not committed* or *not revealed* (both count as wrong),
//!   *void* (the node was suspended meanwhile; who leaves the consortium keeps its duties) or *absent*.
//! * **Absent**: the node did nothing at all during the whole epoch. Twice within a half-life that is excused and gives no
//!   evidence; after that it counts as wrong. Skipping only the hard tasks is never excused.
//! * **Leaving** takes effect with the second epoch after it was declared, so duties cannot be dodged, and can be declared once in a
//!   quarter of a half-life for each topic.
//! * **Worth** of a duty: its level, less what all *other* groups pass of its kind, less what an answer passes that does not read the task.
//! * **Canary of a member**: a task that a member wrote. Its text and its checker are registered as two salted hashes and opened only when a
//!   round draws it. It scores nobody of its author's group, and nobody at all unless two other groups pass it; together such canaries give at
//!   most a third of what a node earns in a round.
//! * **Blind audit**: an auditor asks ten questions that chance draws, of nodes that chance draws, like any client, and shows the signed
//!   answers an epoch later. Nodes cannot tell these questions from others; the auditor can neither choose them nor leave answers out.
//! * **Another model**: whoever changes base or adapter keeps only a part of the evidence, since it was earned with the old one.
//!
//! ## Submissions
//!
//! `commit` is an authorised transaction signed by the node's worker key; `reveal` proves itself and may be sent by anybody. Both cost no
//! fee, and both are possible once for each duty. A copied commitment is worth nothing, since it is bound to its node. `declare_audit` and
//! `open_audit` are the same for auditors.
//!
//! ## Example
#![doc = docify::embed!("src/tests/rounds.rs", a_round_scores_who_answers)]
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

extern crate alloc;

mod answers;
mod audits;
mod authored;
mod enrolments;
mod rounds;
mod settlement;
mod try_state;
pub mod types;
mod views;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

pub use pallet::*;
pub use weights::WeightInfo;

#[frame_support::pallet]
// The macros expand to `expect` and to functions with as many arguments as the call has.
#[allow(clippy::expect_used, clippy::too_many_arguments)]
pub mod pallet {
    use super::{WeightInfo, types::*};
    use alloc::vec::Vec;
    use frame_support::{
        pallet_prelude::*,
        traits::{
            Randomness, Time,
            fungible::{Inspect, InspectHold, Mutate, MutateHold},
        },
    };
    use frame_system::{offchain::CreateAuthorizedTransaction, pallet_prelude::*};
    use touchstone_primitives::{
        H256, Moment, NodeId,
        apis::TopicId,
        audit::{Audit, Entries, VrfProof},
        authored::{CheckerBytes, MAX_REGISTERED, MAX_WAITING, Part, Sealed, TaskText, Waiting},
        canary::{Commitments, FamilyRate, Presence, Revealed, TopicRules, Windows},
        evidence::{ModelsOf, RecordEvidence},
        traits::MembershipOf,
        worker::WorkerSignature,
    };

    /// Version of the storage layout.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    /// Answers of one reveal, at most one for each slot.
    pub type Answers = BoundedVec<Revealed, ConstU32<{ touchstone_primitives::canary::MAX_SLOTS }>>;

    /// Canaries of one registration.
    pub type Registrations = BoundedVec<Sealed, ConstU32<MAX_REGISTERED>>;

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config:
        frame_system::Config<AccountId = NodeId, Hash = H256>
        + CreateAuthorizedTransaction<Call<Self>>
    {
        /// Who says what topics are examined in.
        type GovernOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Gives members, nodes and worker keys.
        type Membership: MembershipOf<NodeId>;

        /// Gives topics and the models that they admit.
        type Models: ModelsOf;

        /// Takes what came of the duties.
        type Evidence: RecordEvidence;

        /// Randomness of one epoch ago.
        type Randomness: Randomness<H256, BlockNumberFor<Self>>;

        /// The running epoch: the session's number.
        type Epoch: Get<u32>;

        /// The chain's clock.
        type Time: Time<Moment = Moment>;

        /// Milliseconds after which a pass rate counts half; also the time in which being away is excused twice.
        type HalfLife: Get<Moment>;

        /// Rounds that are kept for inspection after they are settled.
        #[pallet::constant]
        type KeptRounds: Get<u32>;

        /// Most nodes whose duties are settled in a block.
        #[pallet::constant]
        type SettledPerBlock: Get<u32>;

        /// Most blocks ahead that a submission may be valid for.
        #[pallet::constant]
        type MaxValidity: Get<BlockNumberFor<Self>>;

        /// Holds the deposits of canaries.
        type Currency: Inspect<NodeId>
            + Mutate<NodeId>
            + InspectHold<NodeId, Reason = Self::RuntimeHoldReason>
            + MutateHold<NodeId, Reason = Self::RuntimeHoldReason>;

        /// The runtime's reasons for holds.
        type RuntimeHoldReason: From<HoldReason>;

        /// Deposit of a member's canary. It comes back when the canary has scored, and is lost to the commons when it was not opened
        /// or only friends could pass it.
        type CanaryDeposit: Get<BalanceOf<Self>>;

        /// Takes lost deposits.
        type Commons: Get<NodeId>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// Why this pallet holds balance.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// Deposit of a canary.
        Canary,
    }

    /// Lengths of the windows of rounds that are opened from now on.
    #[pallet::storage]
    pub type RoundWindows<T: Config> = StorageValue<_, Windows, OptionQuery>;

    /// What topics are examined in.
    #[pallet::storage]
    pub type Rules<T: Config> = StorageMap<_, Twox64Concat, TopicId, TopicRules>;

    /// Topics with rules, by number.
    #[pallet::storage]
    pub type Examined<T: Config> =
        StorageValue<_, BoundedVec<TopicId, ConstU32<MAX_TOPICS>>, ValueQuery>;

    /// Who serves which topic.
    #[pallet::storage]
    pub type Enrolments<T: Config> =
        StorageDoubleMap<_, Twox64Concat, TopicId, Blake2_128Concat, NodeId, Enrolment>;

    /// How many nodes are enrolled on a topic.
    #[pallet::storage]
    pub type Enrolled<T: Config> = StorageMap<_, Twox64Concat, TopicId, u32, ValueQuery>;

    /// When a node last declared to leave a topic, and with what model.
    #[pallet::storage]
    pub type Departures<T: Config> =
        StorageDoubleMap<_, Twox64Concat, TopicId, Blake2_128Concat, NodeId, Departure>;

    /// Number of the next round.
    #[pallet::storage]
    pub type NextRound<T: Config> = StorageValue<_, u32, ValueQuery>;

    /// Oldest round that is kept.
    #[pallet::storage]
    pub type OldestRound<T: Config> = StorageValue<_, u32, ValueQuery>;

    /// Rounds by number.
    #[pallet::storage]
    pub type Rounds<T: Config> = StorageMap<_, Twox64Concat, u32, Round>;

    /// Rounds that are not settled, oldest first.
    #[pallet::storage]
    pub type Live<T: Config> = StorageValue<_, BoundedVec<u32, ConstU32<MAX_LIVE>>, ValueQuery>;

    /// The last round of each topic.
    #[pallet::storage]
    pub type Latest<T: Config> = StorageMap<_, Twox64Concat, TopicId, u32>;

    /// Epoch whose rounds were queued last.
    #[pallet::storage]
    pub type QueuedEpoch<T: Config> = StorageValue<_, Option<u32>, ValueQuery>;

    /// Topics whose round of this epoch is still to be opened, last one first.
    #[pallet::storage]
    pub type Queue<T: Config> =
        StorageValue<_, BoundedVec<TopicId, ConstU32<MAX_TOPICS>>, ValueQuery>;

    /// What nodes committed to, by round and node.
    #[pallet::storage]
    pub type Committed<T: Config> =
        StorageDoubleMap<_, Twox64Concat, u32, Blake2_128Concat, NodeId, Commitments>;

    /// What the checkers said of revealed answers, by round and node.
    #[pallet::storage]
    pub type Results<T: Config> =
        StorageDoubleMap<_, Twox64Concat, u32, Blake2_128Concat, NodeId, Outcomes, ValueQuery>;

    /// How duties ended, by round and node.
    #[pallet::storage]
    pub type Ended<T: Config> =
        StorageDoubleMap<_, Twox64Concat, u32, Blake2_128Concat, NodeId, Ends>;

    /// Pass rates by topic and family at a level; of all families of the topic together under the zero hash.
    #[pallet::storage]
    pub type Rates<T: Config> =
        StorageDoubleMap<_, Twox64Concat, TopicId, Twox64Concat, H256, FamilyRate, ValueQuery>;

    /// When nodes were seen at work.
    #[pallet::storage]
    pub type Presences<T: Config> = StorageMap<_, Blake2_128Concat, NodeId, Presence, ValueQuery>;

    /// Number of the next canary of a member.
    #[pallet::storage]
    pub type NextCanary<T: Config> = StorageValue<_, u32, ValueQuery>;

    /// Canaries of members: those that wait, and those of rounds that are kept.
    #[pallet::storage]
    pub type Authored<T: Config> = StorageMap<_, Twox64Concat, u32, Canary<BalanceOf<T>>>;

    /// Canaries of a topic that wait to be drawn.
    #[pallet::storage]
    pub type Pools<T: Config> = StorageMap<
        _,
        Twox64Concat,
        TopicId,
        BoundedVec<Waiting, ConstU32<MAX_WAITING>>,
        ValueQuery,
    >;

    /// Members with canaries, or that failed to open some.
    #[pallet::storage]
    pub type Authors<T: Config> = StorageMap<_, Blake2_128Concat, NodeId, Author, ValueQuery>;

    /// Opened tasks of canaries.
    #[pallet::storage]
    pub type TasksOpened<T: Config> = StorageMap<_, Twox64Concat, u32, TaskText>;

    /// Opened checkers of canaries, encoded.
    #[pallet::storage]
    pub type CheckersOpened<T: Config> = StorageMap<_, Twox64Concat, u32, CheckerBytes>;

    /// Blind audits, by the epoch in which the questions are put and by auditor.
    #[pallet::storage]
    pub type Audits<T: Config> =
        StorageDoubleMap<_, Twox64Concat, u32, Blake2_128Concat, NodeId, Audit>;

    /// Epochs with blind audits, oldest first.
    #[pallet::storage]
    pub type AuditEpochs<T: Config> =
        StorageValue<_, BoundedVec<AuditEpoch, ConstU32<MAX_AUDIT_EPOCHS>>, ValueQuery>;

    /// Members whose last blind audit was void, and the first epoch in which their nodes may declare one again.
    #[pallet::storage]
    pub type Barred<T: Config> = StorageMap<_, Blake2_128Concat, NodeId, u32>;

    /// What the chain starts with.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Lengths of the windows. Without them no round is opened.
        pub windows: Option<Windows>,
        /// What topics are examined in.
        pub topics: Vec<(TopicId, TopicRules)>,
        /// Topic, node, base and adapter of enrolments that count from the first epoch on.
        pub enrolments: Vec<(TopicId, NodeId, H256, Option<H256>)>,
        /// Unused.
        #[serde(skip)]
        pub _config: core::marker::PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            if let Some(windows) = self.windows {
                assert!(windows.is_valid(), "windows of canary rounds: {windows:?}");
                RoundWindows::<T>::put(windows);
            }
            for (topic, rules) in &self.topics {
                if let Err(error) = Pallet::<T>::do_set_topic(*topic, Some(rules.clone())) {
                    panic!("canaries of topic {topic}: {error:?}");
                }
            }
            for (topic, node, base, adapter) in &self.enrolments {
                let served = Served {
                    base: *base,
                    adapter: *adapter,
                };
                if let Err(error) = Pallet::<T>::do_enrol(node.clone(), *topic, served, 0) {
                    panic!("enrolment of {node:?} on topic {topic}: {error:?}");
                }
            }
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    #[allow(missing_docs)] // Each event's line speaks about its fields too.
    pub enum Event<T: Config> {
        /// A node has duties on a topic from this epoch on, and answers with this base and adapter.
        Enrolled {
            node: NodeId,
            topic: TopicId,
            base: H256,
            adapter: Option<H256>,
            from: u32,
        },
        /// A node has no duties on a topic any more from this epoch on.
        Leaving {
            node: NodeId,
            topic: TopicId,
            until: u32,
        },
        /// A topic is examined like this from the next round on; `None` ends its rounds.
        TopicSet {
            topic: TopicId,
            rules: Option<TopicRules>,
        },
        /// Rounds have these windows from the next one on.
        WindowsSet { windows: Windows },
        /// A round was opened: so many nodes commit before block `reveal_from` and reveal before block `closed_from`.
        RoundOpened {
            round: u32,
            topic: TopicId,
            epoch: u32,
            seed: H256,
            nodes: u32,
            reveal_from: u32,
            closed_from: u32,
        },
        /// A node committed to its answers.
        Committed { round: u32, node: NodeId },
        /// So many answers of a node were revealed and checked, and so many of them are right.
        Revealed {
            round: u32,
            node: NodeId,
            answers: u32,
            right: u32,
        },
        /// The duties of a node in a round ended: so many gave evidence, and so many of these were right.
        NodeSettled {
            round: u32,
            node: NodeId,
            counted: u32,
            right: u32,
        },
        /// All duties of a round have ended.
        RoundSettled { round: u32, topic: TopicId },
        /// A member registered a sealed canary.
        CanaryRegistered {
            canary: u32,
            topic: TopicId,
            author: NodeId,
        },
        /// A part of a canary that was drawn was opened.
        CanaryOpened { canary: u32, part: Part },
        /// A canary was judged: it counts if it was opened and at least two groups other than its author's passed it.
        CanaryJudged {
            canary: u32,
            counts: bool,
            passers: u32,
        },
        /// A canary was taken back without being drawn: it expired, or its author failed to open others. Its deposit was returned.
        CanaryDiscarded { canary: u32 },
        /// An auditor obliged itself to a blind audit of nodes that serve this topic in this epoch.
        AuditDeclared {
            auditor: NodeId,
            epoch: u32,
            topic: TopicId,
        },
        /// A blind audit of this epoch gave evidence: so many answers, so many of them right. So many more are missing, or their nodes
        /// were away.
        AuditOpened {
            auditor: NodeId,
            epoch: u32,
            counted: u32,
            right: u32,
            missing: u32,
            away: u32,
        },
        /// A blind audit gave no evidence, because so many answers were missing. Nodes of the auditor's member declare none before epoch
        /// `until`.
        AuditVoided {
            auditor: NodeId,
            epoch: u32,
            missing: u32,
            until: u32,
        },
        /// A blind audit came to nothing, because there was no round or nobody else in it.
        AuditExcused { auditor: NodeId, epoch: u32 },
    }

    /// What can be wrong with a call. A submission is refused for the same reasons before it reaches a block ([`Refusal`]).
    #[pallet::error]
    #[derive(PartialEq, Eq)]
    pub enum Error<T> {
        /// There is no such topic, or it has no canaries. Register the topic and set what it is examined in.
        TopicNotExamined,
        /// A family or level does not exist, or the number of duties is out of range. See `TopicRules`.
        BadRules,
        /// A window is shorter than 3 blocks (5 for openings) or longer than 100,000.
        BadWindows,
        /// `MAX_TOPICS` topics have canaries already. End another one's first.
        TooManyTopics,
        /// The node is not active. Activate or reinstate it.
        NodeNotActive,
        /// The topic does not admit this base or adapter. See the registry.
        ModelNotAdmitted,
        /// The node serves the topic with exactly this already. Nothing is to be done.
        AlreadyEnrolled,
        /// The node is leaving the topic. Enrol again when that has taken effect.
        IsLeaving,
        /// `MAX_NODES` nodes are enrolled on the topic.
        TooManyEnrolled,
        /// The node is not enrolled on the topic.
        NotEnrolled,
        /// The node left the topic less than a quarter of a half-life ago. Wait until that time has passed.
        LeftTooRecently,
        /// There is no such round, or it is settled. Read `Canaries.Live`.
        RoundNotFound,
        /// The node has no duties in the round. Read `Canaries.Rounds`.
        NoDuty,
        /// There must be one commitment for each duty; zero for a duty without answer.
        WrongNumber,
        /// The block that the submission was valid until has passed. Sign it again with a later one.
        Expired,
        /// The submission would be valid for more than `MaxValidity` blocks. Sign it again with an earlier end.
        ValidTooLong,
        /// Commitments of the round are not taken yet. Commit when the tasks of members' canaries are opened.
        CommitNotOpen,
        /// Commitments of the round are not taken any more.
        CommitClosed,
        /// Answers of the round are not taken yet. Reveal when commitments are closed.
        RevealNotOpen,
        /// Answers of the round are not taken any more.
        RevealClosed,
        /// The node has committed already; its first commitment counts. Nothing is to be done.
        AlreadyCommitted,
        /// The node has not committed to an answer in this slot.
        NotCommitted,
        /// The answer is revealed already. Nothing is to be done.
        AlreadyRevealed,
        /// The answer does not match its commitment: another salt, text, round, node or chain.
        Mismatch,
        /// There is no answer, or two for one slot.
        BadAnswers,
        /// The account is not an active member. Sign with the member's account.
        NotMember,
        /// 64 canaries of the member, or 256 of the topic, wait already. Wait until some are drawn or expire.
        TooManyCanaries,
        /// Two canaries of the member were drawn and not opened within 30 days. Wait until one of them is older.
        IsBarred,
        /// The difficulty is not in (0, 1], or the canary expires before now.
        BadCanary,
        /// There is no such canary, or its round is forgotten.
        CanaryNotFound,
        /// The canary is another member's.
        NotAuthor,
        /// The canary was drawn. It ends with its round.
        IsDrawn,
        /// The canary has not expired, so a round may still draw it.
        NotExpired,
        /// No round has drawn the canary. Keep it sealed.
        NotDrawn,
        /// This part is not opened in this block: tasks before the commitments, checkers after them, and only where the task was.
        OpeningNotDue,
        /// The part is open already. Nothing is to be done.
        AlreadyOpened,
        /// The task is no text, or the checker cannot decide in the runtime, or it lets an answer pass that needs no thought.
        Unfit,
        /// The node is not active, or has not the role of an auditor. Give it the role.
        NotAuditor,
        /// The last batch of the auditor's member was void. Wait until the epoch that `Canaries.Barred` names.
        AuditsBarred,
        /// The auditor has declared a batch in this epoch already. Nothing is to be done.
        AlreadyDeclared,
        /// 32 batches are declared in this epoch. Declare one in the next.
        TooManyAudits,
        /// No topic is examined, so there is nothing to audit.
        NothingExamined,
        /// The auditor has declared no batch for this epoch, or no round was opened to audit. Read `Canaries.Audits`.
        AuditNotFound,
        /// The audited epoch is not over. Open the batch in the next one.
        AuditNotDue,
        /// The epoch in which the batch had to be opened is over.
        AuditClosed,
        /// The batch is opened already. Nothing is to be done.
        AlreadyAudited,
        /// The entries are not in ascending order of their places, or there is no such place.
        BadEntries,
        /// The VRF signature is not by the worker key that declared the batch, or over another round or other entries.
        BadVrf,
        /// A receipt is not signed by the node, or is about another question, answer or time. Leave the entry out.
        BadReceipt,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_: BlockNumberFor<T>) -> Weight {
            Self::work()
        }

        fn integrity_test() {
            assert!(
                T::SettledPerBlock::get() > 0,
                "SettledPerBlock 0 would settle no round"
            );
            assert!(T::HalfLife::get() > 0, "HalfLife 0 would forget everything");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call(weight(<T as Config>::WeightInfo))]
    impl<T: Config> Pallet<T> {
        /// Serve a topic with this base and adapter, from the second epoch after this one. Origin: the node's stash account.
        ///
        /// A node that is enrolled already changes its model: from then on it keeps only a part of its evidence on the topic.
        #[pallet::call_index(0)]
        pub fn enrol(
            origin: OriginFor<T>,
            topic: TopicId,
            base: H256,
            adapter: Option<H256>,
        ) -> DispatchResult {
            let node = ensure_signed(origin)?;
            let from = T::Epoch::get().saturating_add(2);
            Self::do_enrol(node, topic, Served { base, adapter }, from)
        }

        /// Have no duties on a topic any more, from the second epoch after this one. Origin: the node's stash account.
        #[pallet::call_index(1)]
        pub fn leave(origin: OriginFor<T>, topic: TopicId) -> DispatchResult {
            let node = ensure_signed(origin)?;
            Self::do_leave(node, topic)
        }

        /// Say what a topic is examined in from the next round on; `None` ends its rounds. Origin: `GovernOrigin`.
        #[pallet::call_index(2)]
        pub fn set_topic(
            origin: OriginFor<T>,
            topic: TopicId,
            rules: Option<TopicRules>,
        ) -> DispatchResult {
            T::GovernOrigin::ensure_origin(origin)?;
            Self::do_set_topic(topic, rules)
        }

        /// Set the windows of rounds, from the next one on. Origin: `GovernOrigin`.
        #[pallet::call_index(3)]
        pub fn set_windows(origin: OriginFor<T>, windows: Windows) -> DispatchResult {
            T::GovernOrigin::ensure_origin(origin)?;
            ensure!(windows.is_valid(), Error::<T>::BadWindows);
            RoundWindows::<T>::put(windows);
            Self::deposit_event(Event::WindowsSet { windows });
            Ok(())
        }

        /// Commit to the answers of all duties of a node in a round, in order of their slots; zero where there is no answer. Origin:
        /// an authorised transaction, no account.
        ///
        /// Each hash is `touchstone_primitives::canary::commitment`; `signature` is by the node's current worker key over
        /// `touchstone_primitives::canary::commit_message`.
        #[pallet::call_index(4)]
        #[pallet::authorize(Self::authorize_commit)]
        pub fn commit(
            origin: OriginFor<T>,
            node: NodeId,
            round: u32,
            hashes: Commitments,
            valid_until: BlockNumberFor<T>,
            signature: WorkerSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            // Checked when the transaction was authorised, just before.
            let _ = signature;
            Self::do_commit(node, round, hashes, valid_until)
        }

        /// Reveal answers of a node in a round. They are checked at once. Origin: an authorised transaction, no account; anybody may
        /// send it, since only who made the commitments knows what is in them.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::reveal(answers.len() as u32))]
        #[pallet::authorize(Self::authorize_reveal)]
        pub fn reveal(
            origin: OriginFor<T>,
            node: NodeId,
            round: u32,
            answers: Answers,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_reveal(node, round, answers)
        }

        /// Register sealed canaries for a topic, and put a deposit on hold for each. Origin: an active member.
        ///
        /// They are drawn from the second epoch after this one on. Keep tasks, checkers and salts: whoever does not open a canary that is
        /// drawn loses its deposit, and with the second one within 30 days all its other canaries.
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::register(canaries.len() as u32))]
        pub fn register(
            origin: OriginFor<T>,
            topic: TopicId,
            canaries: Registrations,
        ) -> DispatchResult {
            let author = ensure_signed(origin)?;
            Self::do_register(author, topic, canaries)
        }

        /// Take back an expired canary and its deposit. Origin: the member that registered it.
        #[pallet::call_index(7)]
        pub fn withdraw(origin: OriginFor<T>, canary: u32) -> DispatchResult {
            let author = ensure_signed(origin)?;
            Self::do_withdraw(author, canary)
        }

        /// Open a part of a canary that was drawn: the task's text, or the encoded checker. Origin: an authorised transaction, no
        /// account; it proves itself, since only the author knows the salt.
        #[pallet::call_index(8)]
        #[pallet::authorize(Self::authorize_open_canary)]
        pub fn open_canary(
            origin: OriginFor<T>,
            canary: u32,
            part: Part,
            salt: [u8; 32],
            content: TaskText,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_open(canary, part, salt, content)
        }

        /// Oblige an auditor to a blind audit in the next epoch. Origin: an authorised transaction, no account.
        ///
        /// The chain draws the topic now and the questions when the next epoch has begun. `signature` is by the node's current worker key
        /// over `touchstone_primitives::audit::declare_message`. A batch that is not opened in the epoch after the next, or with more
        /// than one answer missing, is void and bars the auditor's member for 8 epochs.
        #[pallet::call_index(9)]
        #[pallet::authorize(Self::authorize_declare_audit)]
        pub fn declare_audit(
            origin: OriginFor<T>,
            auditor: NodeId,
            valid_until: BlockNumberFor<T>,
            signature: WorkerSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            // Checked when the transaction was authorised, just before.
            let _ = signature;
            Self::do_declare_audit(auditor, valid_until)
        }

        /// Open a blind audit of the last epoch: all answers that were given to its questions, and the VRF signature that proves the
        /// questions. The answers are checked at once. Origin: an authorised transaction, no account; it proves itself.
        ///
        /// `proof` is by the worker key that declared the batch over `touchstone_primitives::audit::sign_data`.
        #[pallet::call_index(10)]
        #[pallet::weight(T::WeightInfo::open_audit(entries.len() as u32))]
        #[pallet::authorize(Self::authorize_open_audit)]
        pub fn open_audit(
            origin: OriginFor<T>,
            auditor: NodeId,
            epoch: u32,
            proof: VrfProof,
            entries: Entries,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::do_open_audit(auditor, epoch, proof, entries)
        }
    }
}
