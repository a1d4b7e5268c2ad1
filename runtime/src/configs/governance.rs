//! The council, and the constitution until upgrades are governed by evidence: there is no sudo.

use super::BlockWeights;
use crate::{AccountId, BlockNumber, DAYS, Runtime, RuntimeCall, RuntimeEvent, RuntimeOrigin};
use frame_support::{
    parameter_types,
    traits::{ConstU32, EitherOfDiverse, NeverEnsureOrigin},
    weights::Weight,
};
use frame_system::EnsureRoot;
use pallet_collective::{
    EnsureProportionAtLeast, EnsureProportionMoreThan, Instance1, PrimeDefaultVote,
};

/// The council: one seat for each member that is not revoked, kept in step by the consortium pallet.
pub type CouncilInstance = Instance1;
/// Most seats.
pub const MAX_MEMBERS: u32 = 100;

parameter_types! {
    pub const MotionDuration: BlockNumber = 7 * DAYS;
    pub MaxMotionWeight: Weight = super::share(50, BlockWeights::get().max_block);
}

impl pallet_collective::Config<CouncilInstance> for Runtime {
    type Consideration = ();
    // Nobody is made prime, so whoever does not vote counts as against. A default that follows the majority would let
    // half of the seats reach any threshold.
    type DefaultVote = PrimeDefaultVote;
    type DisapproveOrigin = EnsureRoot<AccountId>;
    type KillOrigin = EnsureRoot<AccountId>;
    type MaxMembers = ConstU32<MAX_MEMBERS>;
    type MaxProposalWeight = MaxMotionWeight;
    type MaxProposals = ConstU32<100>;
    type MotionDuration = MotionDuration;
    type Proposal = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type RuntimeOrigin = RuntimeOrigin;
    // The consortium pallet sets members itself; a call would let council and consortium drift apart.
    type SetMembersOrigin = NeverEnsureOrigin<()>;
    type WeightInfo = pallet_collective::weights::SubstrateWeight<Runtime>;
}

/// More than half of all seats, or Root.
pub type HalfOrRoot = EitherOfDiverse<
    EnsureProportionMoreThan<AccountId, CouncilInstance, 1, 2>,
    EnsureRoot<AccountId>,
>;
/// Two thirds of all seats, or Root.
pub type TwoThirdsOrRoot = EitherOfDiverse<
    EnsureProportionAtLeast<AccountId, CouncilInstance, 2, 3>,
    EnsureRoot<AccountId>,
>;
/// Three quarters of all seats.
pub type ThreeQuarters = EnsureProportionAtLeast<AccountId, CouncilInstance, 3, 4>;
/// More than a third of all seats.
pub type MoreThanAThird = EnsureProportionMoreThan<AccountId, CouncilInstance, 1, 3>;
