//! Accounts, fees, scheduling.

use crate::{
    AccountId, Balance, Balances, Block, BlockNumber, MILLI, Nonce, OriginCaller, PalletInfo,
    Preimage, Runtime, RuntimeCall, RuntimeEvent, RuntimeFreezeReason, RuntimeHoldReason,
    RuntimeOrigin, RuntimeTask, SLOT_DURATION, SS58_PREFIX, UNIT, VERSION,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
    PalletId, derive_impl,
    dispatch::DispatchClass,
    parameter_types,
    traits::{
        ConstU32, ConstU64, ConstU128, Contains, EqualPrivilegeOnly, InstanceFilter,
        LinearStoragePrice, OnUnbalanced, VariantCountOf,
        fungible::{Credit, HoldConsideration},
        tokens::imbalance::ResolveTo,
    },
    weights::{
        ConstantMultiplier, IdentityFee, Weight,
        constants::{ParityDbWeight, WEIGHT_REF_TIME_PER_SECOND},
    },
};
use frame_system::{EnsureRoot, limits};
use scale_info::TypeInfo;
use sp_runtime::{
    Perbill,
    traits::{AccountIdConversion, AccountIdLookup, BlakeTwo256},
};
use sp_version::RuntimeVersion;

/// Share of a block that ordinary transactions may fill.
const NORMAL_RATIO: Perbill = Perbill::from_percent(75);
/// Time that a block may take, of the three seconds of its slot.
const BLOCK_WEIGHT: Weight = Weight::from_parts(WEIGHT_REF_TIME_PER_SECOND, u64::MAX);
/// That many per cent of a weight.
pub(super) const fn share(percent: u64, of: Weight) -> Weight {
    of.saturating_div(100).saturating_mul(percent)
}

/// Bytes of a block.
const BLOCK_LENGTH: u32 = 5 * 1024 * 1024;

parameter_types! {
    pub const BlockHashCount: BlockNumber = 2400;
    pub const Version: RuntimeVersion = VERSION;
    pub BlockWeights: limits::BlockWeights =
        limits::BlockWeights::with_sensible_defaults(BLOCK_WEIGHT, NORMAL_RATIO);
    pub BlockLength: limits::BlockLength = limits::BlockLength::builder()
        .max_length(BLOCK_LENGTH)
        .modify_max_length_for_class(DispatchClass::Normal, |m| *m = NORMAL_RATIO.mul_floor(BLOCK_LENGTH))
        .build();
    pub const Ss58Prefix: u16 = SS58_PREFIX;
}

/// What anybody may call. A validator that purged its session keys would leave the set behind the consortium's back.
pub struct CallFilter;
impl Contains<RuntimeCall> for CallFilter {
    fn contains(call: &RuntimeCall) -> bool {
        !matches!(
            call,
            RuntimeCall::Session(pallet_session::Call::purge_keys {})
        )
    }
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
    type AccountData = pallet_balances::AccountData<Balance>;
    type AccountId = AccountId;
    type BaseCallFilter = CallFilter;
    type Block = Block;
    type BlockHashCount = BlockHashCount;
    type BlockLength = BlockLength;
    type BlockWeights = BlockWeights;
    type DbWeight = ParityDbWeight;
    type Lookup = AccountIdLookup<AccountId, ()>;
    type MultiBlockMigrator = crate::MultiBlockMigrations;
    type Nonce = Nonce;
    type SS58Prefix = Ss58Prefix;
    type SingleBlockMigrations = crate::migrations::Migrations;
    type Version = Version;
}

impl pallet_timestamp::Config for Runtime {
    type MinimumPeriod = ConstU64<{ SLOT_DURATION / 2 }>;
    type Moment = u64;
    type OnTimestampSet = crate::Babe;
    type WeightInfo = pallet_timestamp::weights::SubstrateWeight<Runtime>;
}

parameter_types! {
    /// Account of the pot that fees, tips and slashed bonds go to, and that admission credit comes from.
    pub Commons: AccountId = PalletId(*b"ts/commn").into_account_truncating();
}

/// Puts what somebody loses into the common pot.
pub type ToCommons = ResolveTo<Commons, Balances>;

impl pallet_balances::Config for Runtime {
    type AccountStore = frame_system::Pallet<Runtime>;
    type Balance = Balance;
    type DoneSlashHandler = ();
    type DustRemoval = ToCommons;
    type ExistentialDeposit = ConstU128<MILLI>;
    type FreezeIdentifier = RuntimeFreezeReason;
    type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
    type MaxLocks = ConstU32<50>;
    type MaxReserves = ConstU32<50>;
    type ReserveIdentifier = [u8; 8];
    type RuntimeEvent = RuntimeEvent;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type RuntimeHoldReason = RuntimeHoldReason;
    type WeightInfo = pallet_balances::weights::SubstrateWeight<Runtime>;
}

/// Fees and tips go to the common pot.
pub struct FeesToCommons;
impl OnUnbalanced<Credit<AccountId, Balances>> for FeesToCommons {
    fn on_nonzero_unbalanced(fee: Credit<AccountId, Balances>) {
        ToCommons::on_unbalanced(fee)
    }
}

parameter_types! {
    /// A byte of a transaction costs as much as a thousand picoseconds.
    pub const TransactionByteFee: Balance = 1_000;
    pub FeeMultiplier: sp_runtime::FixedU128 = sp_runtime::FixedU128::from_u32(1);
}

impl pallet_transaction_payment::Config for Runtime {
    type FeeMultiplierUpdate = pallet_transaction_payment::ConstFeeMultiplier<FeeMultiplier>;
    type LengthToFee = ConstantMultiplier<Balance, TransactionByteFee>;
    type OnChargeTransaction = pallet_transaction_payment::FungibleAdapter<Balances, FeesToCommons>;
    type OperationalFeeMultiplier = frame_support::traits::ConstU8<5>;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_transaction_payment::weights::SubstrateWeight<Runtime>;
    type WeightToFee = IdentityFee<Balance>;
}

impl pallet_utility::Config for Runtime {
    type PalletsOrigin = OriginCaller;
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_utility::weights::SubstrateWeight<Runtime>;
}

/// Deposit for storing `items` entries of `bytes` bytes together.
const fn deposit(items: u32, bytes: u32) -> Balance {
    // Far from overflow: both factors are below 2^32.
    #[allow(clippy::arithmetic_side_effects)]
    {
        items as Balance * UNIT + bytes as Balance * MILLI
    }
}

impl pallet_multisig::Config for Runtime {
    type BlockNumberProvider = frame_system::Pallet<Runtime>;
    type Currency = Balances;
    type DepositBase = ConstU128<{ deposit(1, 88) }>;
    type DepositFactor = ConstU128<{ deposit(0, 32) }>;
    type MaxSignatories = ConstU32<100>;
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_multisig::weights::SubstrateWeight<Runtime>;
}

/// What a proxy may do for an account.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum ProxyType {
    /// Everything.
    #[default]
    Any,
    /// Council motions and votes.
    Governance,
    /// Registering and running nodes, what they serve and their memory.
    Operation,
}

impl InstanceFilter<RuntimeCall> for ProxyType {
    fn filter(&self, call: &RuntimeCall) -> bool {
        match self {
            ProxyType::Any => true,
            ProxyType::Governance => matches!(call, RuntimeCall::Council(..)),
            ProxyType::Operation => matches!(
                call,
                RuntimeCall::Consortium(..)
                    | RuntimeCall::Memory(..)
                    | RuntimeCall::Registry(..)
                    | RuntimeCall::Session(..)
            ),
        }
    }

    fn is_superset(&self, other: &Self) -> bool {
        self == other || *self == ProxyType::Any
    }
}

impl pallet_proxy::Config for Runtime {
    type AnnouncementDepositBase = ConstU128<{ deposit(1, 48) }>;
    type AnnouncementDepositFactor = ConstU128<{ deposit(0, 66) }>;
    type BlockNumberProvider = frame_system::Pallet<Runtime>;
    type CallHasher = BlakeTwo256;
    type Currency = Balances;
    type MaxPending = ConstU32<32>;
    type MaxProxies = ConstU32<32>;
    type ProxyDepositBase = ConstU128<{ deposit(1, 8) }>;
    type ProxyDepositFactor = ConstU128<{ deposit(0, 33) }>;
    type ProxyType = ProxyType;
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_proxy::weights::SubstrateWeight<Runtime>;
}

parameter_types! {
    pub const PreimageHoldReason: RuntimeHoldReason =
        RuntimeHoldReason::Preimage(pallet_preimage::HoldReason::Preimage);
    pub const PreimageBaseDeposit: Balance = deposit(1, 0);
    pub const PreimageByteDeposit: Balance = MILLI;
    pub MaximumSchedulerWeight: Weight = share(60, BLOCK_WEIGHT);
    pub MbmServiceWeight: Weight = share(60, BLOCK_WEIGHT);
}

impl pallet_preimage::Config for Runtime {
    type Consideration = HoldConsideration<
        AccountId,
        Balances,
        PreimageHoldReason,
        LinearStoragePrice<PreimageBaseDeposit, PreimageByteDeposit, Balance>,
    >;
    type Currency = Balances;
    type ManagerOrigin = EnsureRoot<AccountId>;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_preimage::weights::SubstrateWeight<Runtime>;
}

impl pallet_scheduler::Config for Runtime {
    type BlockNumberProvider = frame_system::Pallet<Runtime>;
    type MaxScheduledPerBlock = ConstU32<50>;
    type MaximumWeight = MaximumSchedulerWeight;
    type OriginPrivilegeCmp = EqualPrivilegeOnly;
    type PalletsOrigin = OriginCaller;
    type Preimages = Preimage;
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type RuntimeOrigin = RuntimeOrigin;
    type ScheduleOrigin = EnsureRoot<AccountId>;
    type WeightInfo = pallet_scheduler::weights::SubstrateWeight<Runtime>;
}

impl pallet_migrations::Config for Runtime {
    type CursorMaxLen = ConstU32<65_536>;
    type FailedMigrationHandler = frame_support::migrations::FreezeChainOnFailedMigration;
    type IdentifierMaxLen = ConstU32<256>;
    type MaxServiceWeight = MbmServiceWeight;
    type MigrationStatusHandler = ();
    #[cfg(not(feature = "runtime-benchmarks"))]
    type Migrations = ();
    #[cfg(feature = "runtime-benchmarks")]
    type Migrations = pallet_migrations::mock_helpers::MockedMigrations;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_migrations::weights::SubstrateWeight<Runtime>;
}

impl crate::facts::Config for Runtime {
    type Issuance = Issuance;
}

/// Credit in existence.
pub struct Issuance;
impl frame_support::traits::Get<u128> for Issuance {
    fn get() -> u128 {
        Balances::total_issuance()
    }
}
