//! # Reputation
//!
//! What every node has shown on every topic, as numbers that fade, and what its operator weighs in votes (whitepaper 9.9).
//!
//! ## Overview
//!
//! Nodes answer tasks that an algorithm checks. Every scored answer adds to the node's **evidence** on that topic: the mass `N`, by
//! the difficulty of the task, and the part of it that was right, `P`. Both halve every half-life (30 days to begin with), so
//! what counts is what a node has shown lately. Nothing else moves them: they cannot be bought, transferred or voted on.
//!
//! People see the **reputation** `R = C_hat · N^gamma · g · S` of a node on a topic: how often it is right (drawn towards one half while
//! there is little evidence), times how much it has shown (growing slower and slower), times a factor between 1 and 2 for the bond at stake, times
//! the safety factor, which confirmed cheating lowers and time restores.
//!
//! Votes and panels use the **influence** of operators, not of nodes: all nodes of one member count as their best one; who has little
//! evidence or is not clearly better than guessing has none; nobody holds more than the cap of a topic; and what an operator loses by
//! cheating goes to nobody, so framing a rival gains nothing. With fewer than three eligible operators a topic has no electorate.
//!
//! ## Terminology
//!
//! * **Group**: the member that runs a node; members whose common ownership is confirmed are merged into one group by the governing origin.
//!   Its safety factor and its offences stay when it leaves and returns.
//! * **Fold**: a batch of scored duties added to an account. Events and the history carry its numbers.
//! * **Secret tally**: what blind audits alone gave, kept apart so that it can be compared with the rest.
//! * **Ring**: the last answers to tasks that every node got, from which the correlation of two nodes' errors is computed.
//! * **Knobs**: half-life, prior, cap and the rest; one set for the network, with exceptions by topic that the governing origin sets.
//!   A new half-life also applies to the time since an account's last fold. How fast `S` recovers is the same everywhere.
//! * **Drift**: a node became worse than peers of other groups on the same tasks, compared with how it stood to them at first.
//! * **Gap**: a node is better at public canaries than at secret ones like them.
//! * **Flag**: drift or a gap beyond what chance explains. It costs nothing by itself: drift is confirmed or cleared by the governing origin, a gap is
//!   confirmed by other auditors than those that saw it first, or lapses.
//! * **Mass cap**: most evidence that a node can gain on a topic in one epoch. Beyond it all answers of the epoch count in proportion.
//!
//! The rules are in [`touchstone_primitives::reputation`], [`touchstone_primitives::influence`], [`touchstone_primitives::independence`] and
//! [`touchstone_primitives::watch`]; this pallet keeps the state.
//!
//! ## Example
#![doc = docify::embed!("src/tests/recording.rs", evidence_adds_up_and_fades)]
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

extern crate alloc;

mod groups;
mod recording;
mod try_state;
pub mod types;
mod views;
mod watching;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

pub use pallet::*;
pub use weights::WeightInfo;

const LOG_TARGET: &str = "runtime::reputation";

#[frame_support::pallet]
// The macros expand to `expect`.
#[allow(clippy::expect_used)]
pub mod pallet {
    use super::{WeightInfo, types::*};
    use frame_support::{pallet_prelude::*, traits::Time};
    use frame_system::pallet_prelude::*;
    use touchstone_primitives::{
        H256, Moment, NodeId,
        apis::TopicId,
        evidence::{BondOf, NullRateOf, Offence, OriginOf},
        fixed::Fixed,
        reputation::{Fold, Knobs, Penalty},
        traits::MembershipOf,
        watch::{Drift, Flag, Gap, Queues},
    };

    /// Version of the storage layout.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config<AccountId = NodeId, Hash = H256> {
        /// Who sets parameters and merges groups.
        type GovernOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Gives members and nodes.
        type Membership: MembershipOf<NodeId>;

        /// Gives and takes bonds.
        type Bonds: BondOf;

        /// Gives what answers that need no thought reach.
        type NullRates: NullRateOf;

        /// Gives operators and models of nodes.
        type Origins: OriginOf;

        /// Chance that a watch ever flags a node that did nothing, in (0, 1).
        type FalseAlarms: Get<Fixed>;

        /// The chain's clock.
        type Time: Time<Moment = Moment>;

        /// Parameters of topics without their own.
        type Knobs: Get<Knobs>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// What each node has shown on a topic.
    #[pallet::storage]
    pub type Accounts<T: Config> =
        StorageDoubleMap<_, Twox64Concat, TopicId, Blake2_128Concat, NodeId, NodeAccount>;

    /// Each node's last answers to shared instances on a topic, oldest first.
    #[pallet::storage]
    pub type Rings<T: Config> =
        StorageDoubleMap<_, Twox64Concat, TopicId, Blake2_128Concat, NodeId, Ring, ValueQuery>;

    /// The last folds into each account, oldest first.
    #[pallet::storage]
    pub type History<T: Config> =
        StorageDoubleMap<_, Twox64Concat, TopicId, Blake2_128Concat, NodeId, Folds, ValueQuery>;

    /// Whether each node became worse than its peers on a topic.
    #[pallet::storage]
    pub type Drifts<T: Config> =
        StorageDoubleMap<_, Twox64Concat, TopicId, Blake2_128Concat, NodeId, Drift, ValueQuery>;

    /// Whether each node is better at public canaries of a topic than at secret ones.
    #[pallet::storage]
    pub type Gaps<T: Config> =
        StorageDoubleMap<_, Twox64Concat, TopicId, Blake2_128Concat, NodeId, Gap, ValueQuery>;

    /// Outcomes of each node on a topic that wait for one to be compared with.
    #[pallet::storage]
    pub type Waiting<T: Config> =
        StorageDoubleMap<_, Twox64Concat, TopicId, Blake2_128Concat, NodeId, Queues, ValueQuery>;

    /// Groups with offences. Never removed.
    #[pallet::storage]
    pub type Groups<T: Config> = StorageMap<_, Blake2_128Concat, NodeId, Group, ValueQuery>;

    /// Members that count as part of another member's group.
    #[pallet::storage]
    pub type MergedInto<T: Config> = StorageMap<_, Blake2_128Concat, NodeId, NodeId>;

    /// Parameters of topics that have their own.
    #[pallet::storage]
    pub type TopicKnobs<T: Config> = StorageMap<_, Twox64Concat, TopicId, Knobs>;

    /// What offences cost, where it differs from [`Penalty::starting`].
    #[pallet::storage]
    pub type Penalties<T: Config> = StorageMap<_, Twox64Concat, Offence, Penalty>;

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    #[allow(missing_docs)] // Each event's line speaks about its fields too.
    pub enum Event<T: Config> {
        /// Scored duties of a node were folded into its evidence on a topic.
        EvidenceFolded {
            node: NodeId,
            topic: TopicId,
            fold: Fold,
        },
        /// A node serves another model on a topic; its evidence was reduced to these `N` and `P`.
        ModelChanged {
            node: NodeId,
            topic: TopicId,
            evidence: Fixed,
            passed: Fixed,
        },
        /// A node of a group committed a confirmed offence: `S` of the group was multiplied by the factor and is now `safety`, and this
        /// much of the node's bond was lost.
        OffencePunished {
            group: NodeId,
            node: NodeId,
            topic: TopicId,
            offence: Offence,
            factor: Fixed,
            safety: Fixed,
            slashed: u128,
        },
        /// A node became worse, or is better at public canaries than at secret ones, beyond what chance explains. Costs nothing by itself.
        FlagRaised {
            node: NodeId,
            topic: TopicId,
            offence: Offence,
            flag: Flag,
        },
        /// A flag was confirmed: a gap by other auditors, whose numbers stand beside it, drift by the governing origin.
        FlagConfirmed {
            node: NodeId,
            topic: TopicId,
            offence: Offence,
            flag: Flag,
            by_others: Option<Flag>,
        },
        /// A flag lapsed or was cleared, after which the node has been exonerated so often.
        FlagCleared {
            node: NodeId,
            topic: TopicId,
            offence: Offence,
            exonerations: u32,
        },
        /// A topic got its own parameters, or gave them up.
        KnobsSet {
            topic: TopicId,
            knobs: Option<Knobs>,
        },
        /// An offence costs this from now on.
        PenaltySet { offence: Offence, penalty: Penalty },
        /// A member counts as part of another member's group from now on, whose `S` is the lower of the two.
        GroupsMerged {
            member: NodeId,
            into: NodeId,
            safety: Fixed,
        },
        /// A member counts as a group of its own again, with the `S` of the group that it was in.
        GroupSplit { member: NodeId, from: NodeId },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// A parameter is out of its range. See the documentation of `Knobs` for the ranges.
        BadKnobs,
        /// A factor is above 1. Give a part between 0 and 1.
        BadPenalty,
        /// A member cannot be merged with itself. Name two members.
        SameMember,
        /// The account is not an active member. Name the member that the group goes by.
        NotMember,
        /// One of the members is part of another group already. Merge into that group's member, or split first.
        AlreadyMerged,
        /// The member is a group of its own already. Nothing is to be done.
        NotMerged,
        /// The node has no such flag on the topic. See `touchstone reputation flags`.
        NotFlagged,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(T::Knobs::get().is_valid(), "parameters out of range");
            let alarms = T::FalseAlarms::get();
            assert!(
                !alarms.is_zero() && alarms < Fixed::ONE,
                "false alarms out of range"
            );
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call(weight(<T as Config>::WeightInfo))]
    impl<T: Config> Pallet<T> {
        /// Give a topic its own parameters, or with `None` those of the network. Origin: governing.
        #[pallet::call_index(0)]
        pub fn set_knobs(
            origin: OriginFor<T>,
            topic: TopicId,
            knobs: Option<Knobs>,
        ) -> DispatchResult {
            T::GovernOrigin::ensure_origin(origin)?;
            if let Some(knobs) = &knobs {
                ensure!(knobs.is_valid(), Error::<T>::BadKnobs);
            }
            TopicKnobs::<T>::set(topic, knobs);
            Self::deposit_event(Event::KnobsSet { topic, knobs });
            Ok(())
        }

        /// Set what an offence costs from now on. Origin: governing.
        #[pallet::call_index(1)]
        pub fn set_penalty(
            origin: OriginFor<T>,
            offence: Offence,
            penalty: Penalty,
        ) -> DispatchResult {
            T::GovernOrigin::ensure_origin(origin)?;
            ensure!(penalty.is_valid(), Error::<T>::BadPenalty);
            Penalties::<T>::insert(offence, penalty);
            Self::deposit_event(Event::PenaltySet { offence, penalty });
            Ok(())
        }

        /// Count a member as part of another member's group, once it is confirmed that one owner or one mind is behind both.
        /// Origin: governing.
        #[pallet::call_index(2)]
        pub fn merge_groups(origin: OriginFor<T>, member: NodeId, into: NodeId) -> DispatchResult {
            T::GovernOrigin::ensure_origin(origin)?;
            Self::do_merge_groups(member, into)
        }

        /// Count a merged member as a group of its own again. Origin: governing.
        #[pallet::call_index(3)]
        pub fn split_group(origin: OriginFor<T>, member: NodeId) -> DispatchResult {
            T::GovernOrigin::ensure_origin(origin)?;
            Self::do_split_group(member)
        }

        /// Clear a node's flag for drift or a gap. To be flagged again takes twice the evidence. Origin: governing.
        #[pallet::call_index(4)]
        pub fn clear_flag(
            origin: OriginFor<T>,
            node: NodeId,
            topic: TopicId,
            offence: Offence,
        ) -> DispatchResult {
            T::GovernOrigin::ensure_origin(origin)?;
            Self::do_clear_flag(node, topic, offence)
        }

        /// Confirm that a node that is flagged for drift became worse, which costs what the offence costs. Origin: governing.
        #[pallet::call_index(5)]
        pub fn confirm_drift(origin: OriginFor<T>, node: NodeId, topic: TopicId) -> DispatchResult {
            T::GovernOrigin::ensure_origin(origin)?;
            Self::do_confirm_drift(node, topic)
        }
    }
}
