//! BABE, GRANDPA, sessions, offences.

use crate::{
    AccountId, Babe, Balances, Consortium, Historical, Offences, Runtime, RuntimeEvent,
    SLOT_DURATION, Session, SessionKeys, UNIT, facts,
};
use frame_support::{
    parameter_types,
    traits::{ConstU32, ConstU64, ConstU128},
};
use sp_runtime::traits::OpaqueKeys;

/// Most validators.
pub const MAX_AUTHORITIES: u32 = 100;

parameter_types! {
    /// Equivocations can be reported as long as a bond is locked: 28 days of the longest sessions.
    pub const ReportLongevity: u64 = 28 * 24 * 60 * 60 * 1000 / SLOT_DURATION;
    /// Sessions for which GRANDPA remembers its set, so that old equivocations can be proven.
    pub const MaxSetIdSessionEntries: u64 = 28 * 24 * 60 * 60 * 1000 / SLOT_DURATION / 20;
}

impl pallet_babe::Config for Runtime {
    type DisabledValidators = Session;
    type EpochChangeTrigger = pallet_babe::ExternalTrigger;
    type EpochDuration = facts::EpochDuration<Runtime>;
    type EquivocationReportSystem =
        pallet_babe::EquivocationReportSystem<Self, Offences, Historical, ReportLongevity>;
    type ExpectedBlockTime = ConstU64<SLOT_DURATION>;
    type KeyOwnerProof = sp_session::MembershipProof;
    type MaxAuthorities = ConstU32<MAX_AUTHORITIES>;
    type MaxNominators = ConstU32<0>;
    type WeightInfo = ();
}

impl pallet_grandpa::Config for Runtime {
    type EquivocationReportSystem =
        pallet_grandpa::EquivocationReportSystem<Self, Offences, Historical, ReportLongevity>;
    type KeyOwnerProof = sp_session::MembershipProof;
    type MaxAuthorities = ConstU32<MAX_AUTHORITIES>;
    type MaxNominators = ConstU32<0>;
    type MaxSetIdSessionEntries = MaxSetIdSessionEntries;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
}

impl pallet_authorship::Config for Runtime {
    type EventHandler = ();
    type FindAuthor = pallet_session::FindAccountFromAuthorIndex<Self, Babe>;
}

impl pallet_session::Config for Runtime {
    type Currency = Balances;
    type DisablingStrategy = pallet_session::disabling::UpToLimitWithReEnablingDisablingStrategy;
    type KeyDeposit = ConstU128<UNIT>;
    type Keys = SessionKeys;
    type NextSessionRotation = Babe;
    type RuntimeEvent = RuntimeEvent;
    type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
    type SessionManager = pallet_session::historical::NoteHistoricalRoot<Self, Consortium>;
    type ShouldEndSession = Babe;
    type ValidatorId = AccountId;
    type ValidatorIdOf = pallet_consortium::RegisteredNode<Self>;
    type WeightInfo = pallet_session::weights::SubstrateWeight<Runtime>;
}

impl pallet_session::historical::Config for Runtime {
    type FullIdentification = ();
    type FullIdentificationOf = pallet_consortium::UnitIdentification;
    type RuntimeEvent = RuntimeEvent;
}

impl pallet_offences::Config for Runtime {
    type IdentificationTuple = pallet_session::historical::IdentificationTuple<Self>;
    type OnOffenceHandler = Consortium;
    type RuntimeEvent = RuntimeEvent;
}
