//! # Consortium
//!
//! Who runs the network: member organisations, their nodes, and the validator set that follows from them.
//!
//! ## Overview
//!
//! A **member** is an organisation with one council seat. It applies, is admitted by a vote of the council, and then runs
//! **nodes**. A node is a machine, named by its stash account, with a bond, a worker key and a libp2p PeerId. Active nodes
//! with the role `validator` author blocks and vote on finality; a change takes effect two sessions later.
//!
//! The council can **suspend** a member or a node with more than half of all seats. Whom it concerns has no say: its own aye is
//! not counted, its seat is. A suspended node no longer authors from the next block on, and its worker's submissions are
//! refused from the next block on; its votes on finality end when the validator set changes. A suspension lapses by itself
//! after the suspension period unless the council has a revocation on the table, which prolongs it once. With
//! two thirds of the seats the council **revokes** a member. Never more than `floor((n - 1) / 3)` of n validators are
//! suspended at once, and the set never falls below a minimum: a removal that would is queued and reported.
//!
//! A validator that **equivocates** (signs two blocks or votes where it may sign one) is suspended until the council
//! reinstates it, and a fraction of its bond goes to the commons. One incident is punished once, however many reports it causes.
//!
//! Until the network has its own way of deciding, this pallet holds the **interim constitution**: with three quarters
//! of the seats the council can have a call executed as Root, after a time-lock in which more than a third can stop it. There is
//! no other way to Root.
//!
//! ## Terminology
//!
//! * **Seat**: the vote of an active or suspended member in the council.
//! * **Stash**: the account that names a node. The bond is held on the member's account; the stash pays the node's own fees.
//! * **Operator of a node**: its member's account or its stash.
//! * **Worker key**: the key that signs a node's receipts and other work off the chain.
//! * **Commons**: the account that collects fees and slashes and grants credit to new members.
//!
//! Whitepaper: sections 9.1 and 9.6.
//!
//! ## Upgrades
//!
//! A runtime is too large for a motion. Let the council propose `system.authorize_upgrade(code_hash)` as Root; after the time-lock
//! anybody can send the code with `system.apply_authorized_upgrade`.

#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

extern crate alloc;

mod api;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod constitution;
mod genesis;
mod members;
#[cfg(test)]
mod mock;
mod nodes;
mod offences;
mod stake;
mod suspensions;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
mod types;
mod validators;
pub mod weights;

use alloc::{boxed::Box, vec::Vec};
use frame_support::{
    pallet_prelude::*,
    traits::{
        Bounded, ChangeMembers, GetCallMetadata, InitializeMembers, OriginTrait, QueryPreimage,
        StorePreimage, Time, fungible, schedule,
    },
};
use frame_system::pallet_prelude::*;
use sp_core::H256;
use sp_runtime::{Perbill, traits::Dispatchable};
use sp_staking::offence::Kind;
use touchstone_primitives::{
    Moment,
    consortium::{HardwareTier, Roles},
    provenance::Jurisdiction,
    traits::{Motions, ValidatorSessions},
    worker::{WorkerId, WorkerSignature},
};

pub use pallet::*;
pub use types::{Member, *};
pub use validators::{RegisteredNode, SessionPallet, UnitIdentification};
pub use weights::WeightInfo;

/// Balance of the pallet's currency.
pub type BalanceOf<T> =
    <<T as Config>::Currency as fungible::Inspect<<T as frame_system::Config>::AccountId>>::Balance;
/// Origin that the scheduler dispatches with.
pub type PalletsOriginOf<T> =
    <<T as frame_system::Config>::RuntimeOrigin as OriginTrait>::PalletsOrigin;
/// A call or the hash of its preimage.
pub type BoundedCallOf<T> =
    Bounded<<T as Config>::RuntimeCall, <T as frame_system::Config>::Hashing>;
/// A member, as it is stored.
pub type MemberOf<T> = Member<<T as frame_system::Config>::AccountId>;
/// A node, as it is stored.
pub type NodeOf<T> = Node<<T as frame_system::Config>::AccountId, BalanceOf<T>>;
/// A pending Root proposal, as it is stored.
pub type RootProposalOf<T> = RootProposal<BlockNumberFor<T>, BoundedCallOf<T>>;

const LOG_TARGET: &str = "runtime::consortium";

#[frame_support::pallet]
// The macros expand to `expect` and to functions with as many arguments as the call has.
#[allow(clippy::expect_used, clippy::too_many_arguments)]
pub mod pallet {
    use super::*;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config<Hash = H256> {
        /// The runtime's calls.
        type RuntimeCall: Parameter
            + Dispatchable<RuntimeOrigin = Self::RuntimeOrigin>
            + GetCallMetadata
            + From<Call<Self>>
            + From<frame_system::Call<Self>>;

        /// The runtime's reasons for holds.
        type RuntimeHoldReason: From<HoldReason>;

        /// Holds bonds and moves credit.
        type Currency: fungible::MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>
            + fungible::Mutate<Self::AccountId>;

        /// The collective that votes; its members are set by this pallet alone.
        type Council: ChangeMembers<Self::AccountId> + InitializeMembers<Self::AccountId>;

        /// Votes on the council's open motions.
        type Motions: Motions<Self::AccountId, <Self as Config>::RuntimeCall>;

        /// Session keys and the validators at work.
        type Sessions: ValidatorSessions<Self::AccountId>;

        /// The chain's clock, in milliseconds.
        type Time: Time<Moment = Moment>;

        /// Keeps long calls.
        type Preimages: QueryPreimage<H = Self::Hashing> + StorePreimage;

        /// Executes Root proposals after the time-lock.
        type Scheduler: schedule::v3::Named<
                BlockNumberFor<Self>,
                <Self as Config>::RuntimeCall,
                PalletsOriginOf<Self>,
                Hasher = Self::Hashing,
            >;

        /// Who admits and declines candidates.
        type AdmitOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Who suspends and reinstates: more than half of the seats.
        type SuspendOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Who revokes: two thirds of the seats.
        type RevokeOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Who proposes a call as Root: three quarters of the seats.
        type ProposeRootOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Who cancels a Root proposal in its time-lock: more than a third of the seats.
        type CancelRootOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Account of the commons.
        type Commons: Get<Self::AccountId>;

        /// Least bond of a node.
        type MinBond: Get<BalanceOf<Self>>;

        /// What the commons grant a member on admission, for bond, key deposit and fees.
        type AdmissionCredit: Get<BalanceOf<Self>>;

        /// How long a bond stays locked after a node leaves, in milliseconds. Longer than equivocations can be reported and
        /// than receipts are kept.
        type UnbondingDelay: Get<Moment>;

        /// How long a suspension by the council lasts, in milliseconds.
        type SuspensionPeriod: Get<Moment>;

        /// How long a worker key is kept after it was replaced, in milliseconds. As long as receipts are.
        type KeyRetention: Get<Moment>;

        /// Part of the bond that an equivocation costs.
        type SlashFraction: Get<Perbill>;

        /// Most nodes of one member, at most [`NODES_LIMIT`].
        type MaxNodesPerMember: Get<u32>;

        /// From this many validators on, one member runs at most a third of them.
        type MemberCapFrom: Get<u32>;

        /// Most council seats.
        #[pallet::constant]
        type MaxMembers: Get<u32>;

        /// Most nodes of all members together, and so most validators.
        #[pallet::constant]
        type MaxNodes: Get<u32>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// Why this pallet holds balance.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// Bonds of a member's nodes.
        #[codec(index = 0)]
        NodeBond,
    }

    /// Organisations by account: candidates, members, and those that leave or were revoked.
    #[pallet::storage]
    pub type Members<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, MemberOf<T>, OptionQuery>;

    /// Accounts with a council seat, sorted: active and suspended members.
    #[pallet::storage]
    pub type Seats<T: Config> =
        StorageValue<_, BoundedVec<T::AccountId, T::MaxMembers>, ValueQuery>;

    /// Accounts that wait for the council's decision, in the order of application.
    #[pallet::storage]
    pub type Candidates<T: Config> =
        StorageValue<_, BoundedVec<T::AccountId, ConstU32<MAX_CANDIDATES>>, ValueQuery>;

    /// Nodes by stash account.
    #[pallet::storage]
    pub type Nodes<T: Config> =
        CountedStorageMap<_, Blake2_128Concat, T::AccountId, NodeOf<T>, OptionQuery>;

    /// What was added to bonds within the unbonding delay, by node. It does not count as stake yet.
    #[pallet::storage]
    pub type AddedBonds<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, AddedBond<BalanceOf<T>>, ValueQuery>;

    /// Worker keys by node, oldest first; the last one is the current one.
    #[pallet::storage]
    pub type WorkerKeysOf<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, WorkerKeys, ValueQuery>;

    /// The node to which a worker key belongs or belonged.
    #[pallet::storage]
    pub type NodeOfWorkerKey<T: Config> =
        StorageMap<_, Blake2_128Concat, WorkerId, T::AccountId, OptionQuery>;

    /// The node that has a PeerId.
    #[pallet::storage]
    pub type NodeOfPeerId<T: Config> =
        StorageMap<_, Blake2_128Concat, PeerId, T::AccountId, OptionQuery>;

    /// Suspensions in force.
    #[pallet::storage]
    pub type Suspensions<T: Config> =
        StorageMap<_, Blake2_128Concat, Subject<T::AccountId>, Suspension, OptionQuery>;

    /// Offenders whose suspension waits because too many validators are suspended already, with the kind of offence.
    #[pallet::storage]
    pub type QueuedSuspensions<T: Config> =
        StorageValue<_, BoundedVec<(T::AccountId, Kind), T::MaxNodes>, ValueQuery>;

    /// The validators last given to the session pallet, sorted. They work from the session after the next.
    #[pallet::storage]
    pub type Validators<T: Config> =
        StorageValue<_, BoundedVec<T::AccountId, T::MaxNodes>, ValueQuery>;

    /// Validators that should be out of the set and stay because it would fall below its minimum.
    #[pallet::storage]
    pub type QueuedRemovals<T: Config> =
        StorageValue<_, BoundedVec<T::AccountId, T::MaxNodes>, ValueQuery>;

    /// Least number of validators; set at genesis.
    #[pallet::storage]
    pub type MinValidators<T: Config> = StorageValue<_, u32, ValueQuery>;

    /// Whether one member may run any number of validators; set at genesis, for networks on one machine.
    #[pallet::storage]
    pub type MemberCapExempt<T: Config> = StorageValue<_, bool, ValueQuery>;

    /// Time-lock of Root proposals in blocks; set at genesis.
    #[pallet::storage]
    pub type RootDelay<T: Config> = StorageValue<_, BlockNumberFor<T>, ValueQuery>;

    /// Calls that wait to be executed as Root, in the order of proposal.
    #[pallet::storage]
    pub type RootProposals<T: Config> =
        StorageValue<_, BoundedVec<RootProposalOf<T>, ConstU32<MAX_ROOT_PROPOSALS>>, ValueQuery>;

    /// Number of the next Root proposal.
    #[pallet::storage]
    pub type NextRootProposal<T: Config> = StorageValue<_, u32, ValueQuery>;

    /// The founding members, their nodes, and what can never be changed by a call.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Founding members, with one seat each.
        pub members: Vec<GenesisMember<T::AccountId>>,
        /// Their nodes, active from the first block.
        pub nodes: Vec<GenesisNode<T::AccountId, BalanceOf<T>>>,
        /// Least number of validators, at least one.
        pub min_validators: u32,
        /// Time-lock of Root proposals in blocks, at least one.
        pub root_delay: BlockNumberFor<T>,
        /// Whether one member may run any number of validators.
        pub member_cap_exempt: bool,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            Pallet::<T>::build_genesis(self);
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    #[allow(missing_docs)] // Each event's line speaks about its fields too.
    pub enum Event<T: Config> {
        /// An organisation has applied and waits for the council's vote.
        Applied { member: T::AccountId },
        /// An application was taken back.
        ApplicationWithdrawn { member: T::AccountId },
        /// The council did not admit a candidate.
        CandidateDeclined { member: T::AccountId },
        /// The council admitted a member; the commons granted it this credit.
        MemberAdmitted {
            member: T::AccountId,
            credit: BalanceOf<T>,
        },
        /// A member has given up its seat; its nodes leave.
        MemberLeaving { member: T::AccountId },
        /// A member has withdrawn its last bond and is gone.
        MemberLeft { member: T::AccountId },
        /// The council suspended a member and so all its nodes, until this moment (milliseconds).
        MemberSuspended { member: T::AccountId, until: Moment },
        /// A node was suspended until this moment (milliseconds), or until the council reinstates it.
        NodeSuspended {
            node: T::AccountId,
            cause: Cause,
            until: Option<Moment>,
        },
        /// An offender is not suspended yet, because too many validators are suspended already.
        SuspensionQueued { node: T::AccountId },
        /// A suspension was prolonged because a revocation is on the council's table.
        SuspensionProlonged {
            subject: Subject<T::AccountId>,
            until: Moment,
        },
        /// A suspension has ended by itself.
        SuspensionLapsed { subject: Subject<T::AccountId> },
        /// The council ended a member's suspension.
        MemberReinstated { member: T::AccountId },
        /// The council ended a node's suspension.
        NodeReinstated { node: T::AccountId },
        /// The council put a member out; its nodes leave.
        MemberRevoked { member: T::AccountId },
        /// A member has registered a node and bonded this much for it.
        NodeRegistered {
            node: T::AccountId,
            member: T::AccountId,
            bond: BalanceOf<T>,
        },
        /// A node works in its roles from now on; as a validator from the session after the next.
        NodeActivated { node: T::AccountId },
        /// A node has other roles or another hardware tier.
        NodeUpdated {
            node: T::AccountId,
            roles: Roles,
            tier: HardwareTier,
        },
        /// A node leaves; its bond can be withdrawn from this moment (milliseconds) on.
        NodeLeaving {
            node: T::AccountId,
            unlocks_at: Moment,
        },
        /// A node's bond was increased.
        BondAdded {
            node: T::AccountId,
            amount: BalanceOf<T>,
        },
        /// A node is gone and its bond is free.
        BondWithdrawn {
            node: T::AccountId,
            amount: BalanceOf<T>,
        },
        /// A node's bond was slashed for an offence; the amount went to the commons.
        Slashed {
            node: T::AccountId,
            amount: BalanceOf<T>,
        },
        /// A node's worker signs with another key from now on.
        WorkerKeyRotated { node: T::AccountId, key: WorkerId },
        /// A node has another PeerId.
        PeerIdRotated { node: T::AccountId, peer_id: PeerId },
        /// A node has other addresses.
        AddressesSet { node: T::AccountId },
        /// A validator that should be out stays in the set, because it would fall below its minimum.
        RemovalQueued { node: T::AccountId },
        /// The council wants this call executed as Root in this block; more than a third of the seats can cancel it.
        RootProposed {
            id: u32,
            at: BlockNumberFor<T>,
            call: ShownCall<<T as Config>::RuntimeCall>,
        },
        /// The council cancelled a Root proposal.
        RootCancelled { id: u32 },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The organisation is a candidate or member already. Nothing to do.
        AlreadyMember,
        /// There is no member with this account. Check the account.
        UnknownMember,
        /// The organisation has not applied. Let it call `apply` first.
        NotCandidate,
        /// Only the organisation itself or an active member may send its application. Ask a member to send it.
        NotSponsor,
        /// Too many candidates wait for a vote. Apply again when the council has decided on some.
        TooManyCandidates,
        /// All council seats are taken.
        TooManyMembers,
        /// The country code is not two upper-case letters. Use ISO 3166-1 alpha-2, for example `FR`.
        InvalidJurisdiction,
        /// The commons cannot pay the admission credit. Lower the credit or let members refill the commons.
        CommonsTooPoor,
        /// The member is not active: it is a candidate, suspended, leaving or revoked.
        MemberNotActive,
        /// The member has no council seat, because it is a candidate, leaving or revoked already.
        NoSeat,
        /// The consortium would be left without a council. Admit another member first.
        LastSeat,
        /// There is no node with this stash account. Check the account.
        UnknownNode,
        /// The stash account names a node already. Use another stash account.
        NodeExists,
        /// All places for nodes are taken.
        TooManyNodes,
        /// The member has as many nodes as it may have. Let one leave first.
        TooManyNodesOfMember,
        /// No role or an unknown role. Give at least one of the six roles.
        InvalidRoles,
        /// The PeerId is not a known multihash. Give the bytes that `touchstone-node key inspect-node-key` names.
        InvalidPeerId,
        /// Another node has this PeerId. Generate a node key for each node.
        PeerIdInUse,
        /// There are more than 8 addresses, or one of them is no multiaddress of at most 128 bytes.
        InvalidAddress,
        /// The worker key belongs or belonged to a node. Generate a new one.
        WorkerKeyInUse,
        /// The proof was not signed by the worker key for this node and this chain. Create it with `touchstone keys`.
        InvalidProof,
        /// Too many replaced worker keys are still kept. Wait until the oldest expires.
        TooManyWorkerKeys,
        /// The bond is below the minimum. Bond more.
        BondTooLow,
        /// The member's account does not have the bond as free balance.
        BondNotCovered,
        /// Neither the node's member nor its stash account sent the call.
        NotOperator,
        /// The node is not in the state `registered`: it is active, suspended or leaving.
        NotRegistered,
        /// The node is not active: it is registered, suspended or leaving.
        NodeNotActive,
        /// The node has no session keys. Call `session.setKeys` from its stash account first.
        KeysNotSet,
        /// The member would run more than a third of the validators. Wait until others run more.
        MemberCapReached,
        /// The node or member leaves already.
        AlreadyLeaving,
        /// The node does not leave. Call `leave_node` first.
        NotLeaving,
        /// The bond is still locked. See the node's `unlocks_at`.
        BondLocked,
        /// The node is still in the validator set. Wait until it is out; too few validators may keep it in.
        StillValidator,
        /// The node or member is not suspended.
        NotSuspended,
        /// More validators would be suspended than finality can bear. Reinstate or revoke somebody first.
        TooManySuspended,
        /// Without the vote of the member that it concerns there is no majority.
        OwnVoteNeeded,
        /// Too many Root proposals wait already. Cancel one or wait.
        TooManyRootProposals,
        /// There is no pending Root proposal with this number; it may have been executed or cancelled.
        UnknownRootProposal,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(now: BlockNumberFor<T>) -> Weight {
            Self::forget_executed_root_proposals(now)
        }

        fn integrity_test() {
            assert!(
                T::MaxMembers::get() > 0 && T::MaxNodes::get() > 0,
                "the consortium needs room"
            );
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Applies for membership on behalf of an organisation.
        ///
        /// Sent by the organisation's account itself or by an active member that sponsors it. `legal_name_hash` is the
        /// Blake2b-256 hash of its registered legal name in UTF-8, `jurisdiction` the ISO 3166-1 alpha-2 code of
        /// its country of registration.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::apply())]
        pub fn apply(
            origin: OriginFor<T>,
            member: T::AccountId,
            legal_name_hash: H256,
            jurisdiction: Jurisdiction,
        ) -> DispatchResult {
            let sender = ensure_signed(origin)?;
            Self::do_apply(sender, member, legal_name_hash, jurisdiction)
        }

        /// Takes back the sender's own application.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::withdraw_application())]
        pub fn withdraw_application(origin: OriginFor<T>) -> DispatchResult {
            let member = ensure_signed(origin)?;
            Self::remove_candidate(&member)?;
            Self::deposit_event(Event::ApplicationWithdrawn { member });
            Ok(())
        }

        /// Admits a candidate: it gets a council seat and a credit from the commons.
        ///
        /// The credit covers the bond of a first node, its key deposit and fees. Needs a vote of the council.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::admit_member())]
        pub fn admit_member(origin: OriginFor<T>, member: T::AccountId) -> DispatchResult {
            T::AdmitOrigin::ensure_origin(origin)?;
            Self::do_admit_member(member)
        }

        /// Declines a candidate. It may apply again. Needs a vote of the council.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::decline_candidate())]
        pub fn decline_candidate(origin: OriginFor<T>, member: T::AccountId) -> DispatchResult {
            T::AdmitOrigin::ensure_origin(origin)?;
            Self::remove_candidate(&member)?;
            Self::deposit_event(Event::CandidateDeclined { member });
            Ok(())
        }

        /// Leaves the consortium: the sender gives up its seat at once and all its nodes leave.
        ///
        /// Bonds can be withdrawn after the unbonding delay.
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::leave(T::MaxNodesPerMember::get()))]
        pub fn leave(origin: OriginFor<T>) -> DispatchResult {
            let member = ensure_signed(origin)?;
            Self::do_leave(member)
        }

        /// Registers a node of the sender, which must be an active member, and holds its bond on the sender's account.
        ///
        /// `node` is the node's stash account. `roles` is a set of bits: 1 validator, 2 producer, 4 teacher, 8 auditor,
        /// 16 gateway, 32 expert. `proof` is the worker key's signature that it serves this node on this chain
        /// (`touchstone join` creates it). The node works once it is activated.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::register_node())]
        #[allow(clippy::too_many_arguments)]
        pub fn register_node(
            origin: OriginFor<T>,
            node: T::AccountId,
            roles: Roles,
            tier: HardwareTier,
            peer_id: PeerId,
            addresses: Addresses,
            worker_key: WorkerId,
            proof: WorkerSignature,
            #[pallet::compact] bond: BalanceOf<T>,
        ) -> DispatchResult {
            let member = ensure_signed(origin)?;
            Self::ensure_active_member(&member)?;
            Self::ensure_possession(&node, &worker_key, &proof)?;
            ensure!(bond >= T::MinBond::get(), Error::<T>::BondTooLow);
            Self::do_register_node(
                member, node, roles, tier, peer_id, addresses, worker_key, bond,
            )
        }

        /// Puts a registered node to work. A validator must have set its session keys before.
        ///
        /// Sent by the node's member or its stash account. A validator works from the session after the next.
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::activate_node(T::MaxNodes::get()))]
        pub fn activate_node(origin: OriginFor<T>, node: T::AccountId) -> DispatchResult {
            Self::ensure_operator(origin, &node)?;
            Self::do_activate_node(node)
        }

        /// Takes a node out of work for good. A validator keeps running until it is out of the validator set.
        ///
        /// Sent by the node's member or its stash account. The bond can be withdrawn after the unbonding delay.
        #[pallet::call_index(7)]
        #[pallet::weight(T::WeightInfo::leave_node())]
        pub fn leave_node(origin: OriginFor<T>, node: T::AccountId) -> DispatchResult {
            Self::ensure_operator(origin, &node)?;
            Self::do_leave_node(&node)
        }

        /// Frees the bond of a node that has left, and forgets the node and its session keys.
        ///
        /// Sent by the node's member or its stash account. A member that leaves is gone with its last node.
        #[pallet::call_index(8)]
        #[pallet::weight(T::WeightInfo::withdraw_bond())]
        pub fn withdraw_bond(origin: OriginFor<T>, node: T::AccountId) -> DispatchResult {
            Self::ensure_operator(origin, &node)?;
            Self::do_withdraw_bond(node)
        }

        /// Holds more of the member's balance as the node's bond, for example after a slash.
        ///
        /// Sent by the node's member.
        #[pallet::call_index(9)]
        #[pallet::weight(T::WeightInfo::add_bond())]
        pub fn add_bond(
            origin: OriginFor<T>,
            node: T::AccountId,
            #[pallet::compact] amount: BalanceOf<T>,
        ) -> DispatchResult {
            let sender = ensure_signed(origin)?;
            Self::do_add_bond(sender, node, amount)
        }

        /// Changes what a node does and what its machine can sustain.
        ///
        /// Sent by the node's member or its stash account. See `register_node` for the bits of `roles`.
        #[pallet::call_index(10)]
        #[pallet::weight(T::WeightInfo::update_node(T::MaxNodes::get()))]
        pub fn update_node(
            origin: OriginFor<T>,
            node: T::AccountId,
            roles: Roles,
            tier: HardwareTier,
        ) -> DispatchResult {
            Self::ensure_operator(origin, &node)?;
            Self::do_update_node(node, roles, tier)
        }

        /// Replaces a node's worker key, from this block on. What the old key has signed stays valid.
        ///
        /// Sent by the node's member or its stash account. `proof` is the new key's signature that it serves this node
        /// (`touchstone keys rotate` creates it).
        #[pallet::call_index(11)]
        #[pallet::weight(T::WeightInfo::rotate_worker_key())]
        pub fn rotate_worker_key(
            origin: OriginFor<T>,
            node: T::AccountId,
            worker_key: WorkerId,
            proof: WorkerSignature,
        ) -> DispatchResult {
            Self::ensure_operator(origin, &node)?;
            Self::ensure_possession(&node, &worker_key, &proof)?;
            Self::set_worker_key(&node, worker_key.clone())?;
            Self::deposit_event(Event::WorkerKeyRotated {
                node,
                key: worker_key,
            });
            Ok(())
        }

        /// Replaces the libp2p PeerId of a node. Peers answer only registered PeerIds.
        ///
        /// Sent by the node's member or its stash account.
        #[pallet::call_index(12)]
        #[pallet::weight(T::WeightInfo::rotate_peer_id())]
        pub fn rotate_peer_id(
            origin: OriginFor<T>,
            node: T::AccountId,
            peer_id: PeerId,
        ) -> DispatchResult {
            Self::ensure_operator(origin, &node)?;
            Self::do_rotate_peer_id(node, peer_id)
        }

        /// Replaces the addresses of a node, at most 8 multiaddresses of at most 128 bytes.
        ///
        /// Sent by the node's member or its stash account.
        #[pallet::call_index(13)]
        #[pallet::weight(T::WeightInfo::set_addresses())]
        pub fn set_addresses(
            origin: OriginFor<T>,
            node: T::AccountId,
            addresses: Addresses,
        ) -> DispatchResult {
            Self::ensure_operator(origin, &node)?;
            Self::do_set_addresses(node, addresses)
        }

        /// Suspends a member and so all its nodes. Lapses after the suspension period.
        ///
        /// Needs more than half of the council's seats; the member's own aye is not counted.
        #[pallet::call_index(14)]
        #[pallet::weight(T::WeightInfo::suspend_member(T::MaxNodes::get()))]
        pub fn suspend_member(origin: OriginFor<T>, member: T::AccountId) -> DispatchResult {
            T::SuspendOrigin::ensure_origin(origin)?;
            Self::do_suspend_member(member)
        }

        /// Suspends an active node. Lapses after the suspension period.
        ///
        /// Needs more than half of the council's seats; the aye of the node's member is not counted.
        #[pallet::call_index(15)]
        #[pallet::weight(T::WeightInfo::suspend_node(T::MaxNodes::get()))]
        pub fn suspend_node(origin: OriginFor<T>, node: T::AccountId) -> DispatchResult {
            T::SuspendOrigin::ensure_origin(origin)?;
            Self::do_suspend_node(node)
        }

        /// Ends the suspension of a member. Nodes that are suspended themselves stay suspended.
        ///
        /// Needs more than half of the council's seats; the member's own aye is not counted.
        #[pallet::call_index(16)]
        #[pallet::weight(T::WeightInfo::reinstate_member(T::MaxNodesPerMember::get()))]
        pub fn reinstate_member(origin: OriginFor<T>, member: T::AccountId) -> DispatchResult {
            T::SuspendOrigin::ensure_origin(origin)?;
            Self::do_reinstate_member(member)
        }

        /// Ends the suspension of a node, whose bond must be at least the minimum again.
        ///
        /// Needs more than half of the council's seats; the aye of the node's member is not counted.
        #[pallet::call_index(17)]
        #[pallet::weight(T::WeightInfo::reinstate_node())]
        pub fn reinstate_node(origin: OriginFor<T>, node: T::AccountId) -> DispatchResult {
            T::SuspendOrigin::ensure_origin(origin)?;
            Self::do_reinstate_node(node)
        }

        /// Puts a member out: its seat is gone at once and its nodes leave.
        ///
        /// Needs two thirds of the council's seats; the member's own aye is not counted.
        #[pallet::call_index(18)]
        #[pallet::weight(T::WeightInfo::revoke_member(T::MaxNodesPerMember::get()))]
        pub fn revoke_member(origin: OriginFor<T>, member: T::AccountId) -> DispatchResult {
            T::RevokeOrigin::ensure_origin(origin)?;
            Self::do_revoke_member(member)
        }

        /// Has a call executed as Root after the time-lock. This is the only way to upgrades and parameters.
        ///
        /// Needs three quarters of the council's seats. More than a third can cancel it with `cancel_root` meanwhile.
        #[pallet::call_index(19)]
        #[pallet::weight(T::WeightInfo::propose_root(call.encoded_size() as u32))]
        pub fn propose_root(
            origin: OriginFor<T>,
            call: Box<<T as Config>::RuntimeCall>,
        ) -> DispatchResult {
            T::ProposeRootOrigin::ensure_origin(origin)?;
            Self::do_propose_root(call)
        }

        /// Cancels a Root proposal that still waits. Needs more than a third of the council's seats.
        #[pallet::call_index(20)]
        #[pallet::weight(T::WeightInfo::cancel_root())]
        pub fn cancel_root(origin: OriginFor<T>, id: u32) -> DispatchResult {
            T::CancelRootOrigin::ensure_origin(origin)?;
            Self::do_cancel_root(id)
        }
    }
}

impl<T: Config> Pallet<T> {
    /// The chain's time in milliseconds.
    pub(crate) fn now() -> Moment {
        T::Time::now()
    }
}
