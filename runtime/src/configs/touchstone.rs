//! The consortium's own pallets and the parameters that the constitution governs.

use super::{
    Commons, CouncilInstance, HalfOrRoot, MAX_AUTHORITIES, MAX_MEMBERS, MoreThanAThird,
    ThreeQuarters, TwoThirdsOrRoot,
};
use crate::{
    AccountId, Balance, Balances, BlockNumber, Canaries, Consortium, Council, DAYS, Preimage,
    Registry, Reputation, Runtime, RuntimeCall, RuntimeEvent, RuntimeHoldReason, Scheduler,
    Session, Timestamp, TxExtension, UNIT, UncheckedExtrinsic,
};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use frame_support::{
    dynamic_params::{dynamic_pallet_params, dynamic_params},
    traits::{ConstU32, Get},
};
use frame_system::{EnsureRoot, offchain};
use sp_runtime::{
    Perbill,
    generic::Era,
    traits::{BlakeTwo256, Hash},
};
use touchstone_primitives::{
    NodeId,
    apis::TopicId,
    evidence::OriginOf,
    fixed::Fixed,
    independence::Origin,
    reputation::Knobs,
    traits::{MembershipOf, Motions},
};

/// Milliseconds of a day.
const DAY: u64 = 24 * 60 * 60 * 1000;

/// Knobs that `parameters.setParameter` changes, through the constitution only.
#[dynamic_params(RuntimeParameters, pallet_parameters::Parameters::<Runtime>)]
pub mod dynamic_params {
    use super::*;

    /// Members and nodes.
    #[dynamic_pallet_params]
    #[codec(index = 0)]
    pub mod consortium {
        use super::*;

        /// Smallest bond of a node.
        #[codec(index = 0)]
        pub static MinBond: Balance = 1_000 * UNIT;
        /// Credit that an admitted member gets from the common pot.
        #[codec(index = 1)]
        pub static AdmissionCredit: Balance = 3_000 * UNIT;
        /// Milliseconds between leaving and getting the bond back; longer than equivocations can be reported.
        #[codec(index = 2)]
        pub static UnbondingDelay: u64 = 35 * DAY;
        /// Milliseconds after which a suspension lapses unless a revocation is pending.
        #[codec(index = 3)]
        pub static SuspensionPeriod: u64 = 7 * DAY;
        /// Milliseconds for which old worker keys are kept; at least as long as receipts.
        #[codec(index = 4)]
        pub static KeyRetention: u64 = 120 * DAY;
        /// Share of the bond that an equivocation costs.
        #[codec(index = 5)]
        pub static SlashFraction: Perbill = Perbill::from_percent(50);
        /// Most nodes of one member.
        #[codec(index = 6)]
        pub static MaxNodesPerMember: u32 = 8;
        /// From this many active validators on, one member runs at most a third of them.
        #[codec(index = 7)]
        pub static MemberCapFrom: u32 = 6;
    }

    /// Receipts.
    #[dynamic_pallet_params]
    #[codec(index = 1)]
    pub mod receipts {
        use super::*;

        /// Blocks for which the roots of batches are kept.
        #[codec(index = 0)]
        pub static Retention: BlockNumber = 90 * DAYS;
    }

    /// Canaries.
    #[dynamic_pallet_params]
    #[codec(index = 2)]
    pub mod canaries {
        use super::*;

        /// Milliseconds after which a pass rate counts half, and in which being away for an epoch is excused twice.
        #[codec(index = 0)]
        pub static HalfLife: u64 = 30 * DAY;
        /// Deposit of a member's canary.
        #[codec(index = 1)]
        pub static Deposit: Balance = 10 * UNIT;
    }

    /// Reputation.
    #[dynamic_pallet_params]
    #[codec(index = 3)]
    pub mod reputation {
        use super::*;

        /// Half-life, prior, cap and the rest, for topics without their own.
        #[codec(index = 0)]
        pub static Network: Knobs = Knobs::default();
        /// Chance that a watch ever flags a node that did nothing: 1/100 over 1,000 of them.
        #[codec(index = 1)]
        pub static FalseAlarms: Fixed = Fixed::ratio(1, 100_000);
    }

    /// Memory.
    #[dynamic_pallet_params]
    #[codec(index = 4)]
    pub mod memory {
        use super::*;

        /// Deposit of a namespace.
        #[codec(index = 0)]
        pub static Deposit: Balance = 100 * UNIT;
        /// Most bytes of a namespace's fragments, which every node that holds it keeps: 64 GiB.
        #[codec(index = 1)]
        pub static MaxBytes: u64 = 64 << 30;
    }
}

#[cfg(feature = "runtime-benchmarks")]
impl Default for RuntimeParameters {
    fn default() -> Self {
        RuntimeParameters::Consortium(dynamic_params::consortium::Parameters::MinBond(
            dynamic_params::consortium::MinBond,
            Some(UNIT),
        ))
    }
}

impl pallet_parameters::Config for Runtime {
    // Root, which only the constitution gives.
    type AdminOrigin = EnsureRoot<AccountId>;
    type RuntimeEvent = RuntimeEvent;
    type RuntimeParameters = RuntimeParameters;
    type WeightInfo = ();
}

/// Who voted for the motion that is being executed. A motion is removed only after its call ran, so votes are visible then.
pub struct CouncilMotions;
impl Motions<AccountId, RuntimeCall> for CouncilMotions {
    fn ayes(call: &RuntimeCall) -> Option<Vec<AccountId>> {
        let votes =
            pallet_collective::Voting::<Runtime, CouncilInstance>::get(BlakeTwo256::hash_of(call))?;
        // The fields of `Votes` are private: index, threshold, ayes, nays, end.
        type Votes = (u32, u32, Vec<AccountId>, Vec<AccountId>, BlockNumber);
        Votes::decode(&mut &votes.encode()[..])
            .ok()
            .map(|votes| votes.2)
    }
}

impl pallet_consortium::Config for Runtime {
    type AdmissionCredit = dynamic_params::consortium::AdmissionCredit;
    type AdmitOrigin = HalfOrRoot;
    type CancelRootOrigin = MoreThanAThird;
    type Commons = Commons;
    type Council = Council;
    type Currency = Balances;
    type KeyRetention = dynamic_params::consortium::KeyRetention;
    type MaxMembers = ConstU32<MAX_MEMBERS>;
    type MaxNodes = ConstU32<MAX_AUTHORITIES>;
    type MaxNodesPerMember = dynamic_params::consortium::MaxNodesPerMember;
    type MemberCapFrom = dynamic_params::consortium::MemberCapFrom;
    type MinBond = dynamic_params::consortium::MinBond;
    type Motions = CouncilMotions;
    type Preimages = Preimage;
    type ProposeRootOrigin = ThreeQuarters;
    type RevokeOrigin = TwoThirdsOrRoot;
    type RuntimeCall = RuntimeCall;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Scheduler = Scheduler;
    type Sessions = pallet_consortium::SessionPallet<Runtime>;
    type SlashFraction = dynamic_params::consortium::SlashFraction;
    type SuspendOrigin = HalfOrRoot;
    type SuspensionPeriod = dynamic_params::consortium::SuspensionPeriod;
    type Time = Timestamp;
    type UnbondingDelay = dynamic_params::consortium::UnbondingDelay;
    type WeightInfo = pallet_consortium::weights::SubstrateWeight<Runtime>;
}

impl pallet_registry::Config for Runtime {
    type GovernOrigin = HalfOrRoot;
    type MaxCandidates = ConstU32<16>;
    type MaxCapacity = ConstU32<1024>;
    type MaxChampions = ConstU32<8>;
    type MaxModels = ConstU32<1024>;
    type MaxServing = ConstU32<64>;
    type MaxTopics = ConstU32<256>;
    type Membership = Consortium;
    type WeightInfo = pallet_registry::weights::SubstrateWeight<Runtime>;
}

/// The running session, which is what epochs are called here.
pub struct CurrentSession;
impl Get<u32> for CurrentSession {
    fn get() -> u32 {
        Session::current_index()
    }
}

impl pallet_canaries::Config for Runtime {
    type CanaryDeposit = dynamic_params::canaries::Deposit;
    type Commons = Commons;
    type Currency = Balances;
    type Epoch = CurrentSession;
    type Evidence = Reputation;
    type GovernOrigin = HalfOrRoot;
    type HalfLife = dynamic_params::canaries::HalfLife;
    type KeptRounds = ConstU32<512>;
    type MaxValidity = ConstU32<100>;
    type Membership = Consortium;
    type Models = Registry;
    type Randomness = pallet_babe::RandomnessFromOneEpochAgo<Runtime>;
    type RuntimeHoldReason = RuntimeHoldReason;
    type SettledPerBlock = ConstU32<16>;
    type Time = Timestamp;
    type WeightInfo = pallet_canaries::weights::SubstrateWeight<Runtime>;
}

/// Who runs a node and with which model: the member's group, the base and adapter that it is enrolled with, and the family of that base.
pub struct Origins;
impl OriginOf for Origins {
    fn origin(node: &NodeId, topic: TopicId) -> Option<Origin> {
        let member = <Consortium as MembershipOf<AccountId>>::node(node)?.member;
        let enrolment = pallet_canaries::Enrolments::<Runtime>::get(topic, node)?;
        let served = enrolment.served_in(CurrentSession::get());
        let family = pallet_registry::Models::<Runtime>::get(served.base)
            .map(|model| BlakeTwo256::hash(&model.record.provenance.base_lineage));
        Some(Origin {
            operator: Reputation::group_of(&member),
            base: served.base,
            adapter: served.adapter,
            family,
        })
    }
}

impl pallet_reputation::Config for Runtime {
    type Bonds = Consortium;
    type FalseAlarms = dynamic_params::reputation::FalseAlarms;
    type GovernOrigin = TwoThirdsOrRoot;
    type Knobs = dynamic_params::reputation::Network;
    type Membership = Consortium;
    type NullRates = Canaries;
    type Origins = Origins;
    type Time = Timestamp;
    type WeightInfo = pallet_reputation::weights::SubstrateWeight<Runtime>;
}

impl pallet_receipts::Config for Runtime {
    type Activity = Canaries;
    type MaxBatch = ConstU32<4096>;
    type MaxBatchesPerBlock = ConstU32<4>;
    type MaxPruned = ConstU32<64>;
    type MaxValidity = ConstU32<100>;
    type Membership = Consortium;
    type Retention = dynamic_params::receipts::Retention;
    type WeightInfo = pallet_receipts::weights::SubstrateWeight<Runtime>;
}

impl pallet_memory::Config for Runtime {
    type CouncilOrigin = HalfOrRoot;
    type Currency = Balances;
    type Deposit = dynamic_params::memory::Deposit;
    type MaxBytes = dynamic_params::memory::MaxBytes;
    type MaxCommitsPerBlock = ConstU32<32>;
    type MaxProofSteps = ConstU32<4096>;
    type MaxValidity = ConstU32<100>;
    type Membership = Consortium;
    type RuntimeHoldReason = RuntimeHoldReason;
    type WeightInfo = pallet_memory::weights::SubstrateWeight<Runtime>;
}

impl<C> offchain::CreateTransactionBase<C> for Runtime
where
    RuntimeCall: From<C>,
{
    type Extrinsic = UncheckedExtrinsic;
    type RuntimeCall = RuntimeCall;
}

impl<C> offchain::CreateTransaction<C> for Runtime
where
    RuntimeCall: From<C>,
{
    type Extension = TxExtension;

    fn create_transaction(call: RuntimeCall, extension: TxExtension) -> UncheckedExtrinsic {
        UncheckedExtrinsic::new_transaction(call, extension)
    }
}

impl<C> offchain::CreateAuthorizedTransaction<C> for Runtime
where
    RuntimeCall: From<C>,
{
    fn create_extension() -> TxExtension {
        crate::extension(0, Era::Immortal, 0)
    }
}

// Equivocation reports are bare.
impl<C> offchain::CreateBare<C> for Runtime
where
    RuntimeCall: From<C>,
{
    fn create_bare(call: RuntimeCall) -> UncheckedExtrinsic {
        UncheckedExtrinsic::new_bare(call)
    }
}
