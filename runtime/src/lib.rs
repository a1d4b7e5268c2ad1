//! The Touchstone runtime: composition only. Rules live in `touchstone-primitives`, state in the pallets.
//!
//! | file | what it composes |
//! |---|---|
//! | `configs/system.rs` | accounts, fees, scheduling |
//! | `configs/consensus.rs` | BABE, GRANDPA, sessions, offences |
//! | `configs/governance.rs` | the council and the interim constitution |
//! | `configs/touchstone.rs` | the consortium's own pallets and their parameters |
//! | `apis.rs` | runtime APIs |
//! | `facts.rs` | what the genesis block fixes for ever |
//! | `migrations.rs` | what an upgrade does to storage |
//! | `genesis.rs` | the presets `development`, `local` and `consortium` |

#![cfg_attr(not(feature = "std"), no_std)]
// The runtime's macros make items that nobody can document, and more of them than the default limit.
#![allow(missing_docs)]
#![recursion_limit = "512"]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

#[cfg(feature = "std")]
include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));

extern crate alloc;

use alloc::vec::Vec;

pub mod apis;
#[cfg(feature = "runtime-benchmarks")]
mod benches {
    frame_benchmarking::define_benchmarks!(
        [pallet_canaries, Canaries]
        [pallet_consortium, Consortium]
        [pallet_memory, Memory]
        [pallet_receipts, Receipts]
        [pallet_registry, Registry]
        [pallet_reputation, Reputation]
    );
}
pub mod configs;
pub mod facts;
pub mod genesis;
mod migrations;

pub use apis::RuntimeApi;

use sp_runtime::{
    MultiAddress, MultiSignature, generic, impl_opaque_keys,
    traits::{BlakeTwo256, IdentifyAccount, Verify},
};
use sp_version::RuntimeVersion;

/// Signature of a transaction.
pub type Signature = MultiSignature;
/// Account, as transactions name their signer.
pub type AccountId = <<Signature as Verify>::Signer as IdentifyAccount>::AccountId;
/// Amount of internal credit, in the smallest unit.
pub type Balance = u128;
/// Number of transactions an account has signed.
pub type Nonce = u32;
/// Hash of blocks and state.
pub type Hash = sp_core::H256;
/// Number of a block.
pub type BlockNumber = u32;
/// How transactions name accounts.
pub type Address = MultiAddress<AccountId, ()>;
/// Block header.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// Block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// Extrinsic.
pub type UncheckedExtrinsic =
    generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;
/// What is signed of a transaction.
pub type SignedPayload = generic::SignedPayload<RuntimeCall, TxExtension>;

/// What a transaction carries beside its call. All of it is known to Polkadot.js or takes no bytes.
pub type TxExtension = (
    frame_system::AuthorizeCall<Runtime>,
    frame_system::CheckNonZeroSender<Runtime>,
    frame_system::CheckSpecVersion<Runtime>,
    frame_system::CheckTxVersion<Runtime>,
    frame_system::CheckGenesis<Runtime>,
    frame_system::CheckEra<Runtime>,
    frame_system::CheckNonce<Runtime>,
    frame_system::CheckWeight<Runtime>,
    pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
    frame_metadata_hash_extension::CheckMetadataHash<Runtime>,
    frame_system::WeightReclaim<Runtime>,
);

/// A transaction without account for a call that its pallet authorises, valid in the `lifetime` blocks after `best`. It has another
/// hash at every block, which matters to pools that refuse for a while what they have refused once.
pub fn authorized(call: RuntimeCall, best: BlockNumber, lifetime: u32) -> UncheckedExtrinsic {
    let era = generic::Era::mortal(lifetime.into(), best.into());
    UncheckedExtrinsic::new_transaction(call, extension(0, era, 0))
}

/// The extension of a transaction with this nonce, lifetime and tip.
pub fn extension(nonce: Nonce, era: generic::Era, tip: Balance) -> TxExtension {
    (
        frame_system::AuthorizeCall::new(),
        frame_system::CheckNonZeroSender::new(),
        frame_system::CheckSpecVersion::new(),
        frame_system::CheckTxVersion::new(),
        frame_system::CheckGenesis::new(),
        frame_system::CheckEra::from(era),
        frame_system::CheckNonce::from(nonce),
        frame_system::CheckWeight::new(),
        pallet_transaction_payment::ChargeTransactionPayment::from(tip),
        frame_metadata_hash_extension::CheckMetadataHash::new(false),
        frame_system::WeightReclaim::new(),
    )
}

/// Dispatches blocks.
pub type Executive = frame_executive::Executive<
    Runtime,
    Block,
    frame_system::ChainContext<Runtime>,
    Runtime,
    AllPalletsWithSystem,
>;

/// Types that the client needs without knowing the runtime's calls.
pub mod opaque {
    use super::*;
    pub use sp_runtime::OpaqueExtrinsic as UncheckedExtrinsic;

    /// Block whose extrinsics are bytes.
    pub type Block = generic::Block<Header, UncheckedExtrinsic>;

    impl_opaque_keys! {
        /// What a validator signs with: blocks and finality.
        pub struct SessionKeys {
            /// Authors blocks.
            pub babe: crate::Babe,
            /// Votes on finality.
            pub grandpa: crate::Grandpa,
        }
    }
}
pub use opaque::SessionKeys;

/// Version of this runtime.
#[cfg(not(feature = "upgrade-rehearsal"))]
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
    spec_name: alloc::borrow::Cow::Borrowed("touchstone"),
    impl_name: alloc::borrow::Cow::Borrowed("touchstone"),
    authoring_version: 1,
    spec_version: 100,
    impl_version: 1,
    apis: apis::RUNTIME_API_VERSIONS,
    transaction_version: 1,
    system_version: 1,
};

/// Version of the runtime that tests of forkless upgrades upgrade to. The macro reads literals only.
#[cfg(feature = "upgrade-rehearsal")]
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
    spec_name: alloc::borrow::Cow::Borrowed("touchstone"),
    impl_name: alloc::borrow::Cow::Borrowed("touchstone"),
    authoring_version: 1,
    spec_version: 101,
    impl_version: 1,
    apis: apis::RUNTIME_API_VERSIONS,
    transaction_version: 1,
    system_version: 1,
};

/// Length of a slot, milliseconds.
pub const SLOT_DURATION: u64 = 3_000;
/// Blocks of a minute.
pub const MINUTES: BlockNumber = 20;
/// Blocks of an hour.
pub const HOURS: BlockNumber = 60 * MINUTES;
/// Blocks of a day.
pub const DAYS: BlockNumber = 24 * HOURS;
/// One unit of credit: 12 decimals.
pub const UNIT: Balance = 1_000_000_000_000;
/// A thousandth of a unit.
pub const MILLI: Balance = UNIT / 1_000;
/// Credit in existence.
pub const SUPPLY: Balance = 1_000_000_000 * UNIT;
/// Prefix of addresses: generic Substrate.
pub const SS58_PREFIX: u16 = 42;

/// How BABE starts.
pub const BABE_GENESIS_EPOCH_CONFIG: sp_consensus_babe::BabeEpochConfiguration =
    sp_consensus_babe::BabeEpochConfiguration {
        c: (1, 4),
        allowed_slots: sp_consensus_babe::AllowedSlots::PrimaryAndSecondaryVRFSlots,
    };

#[frame_support::runtime]
mod runtime {
    /// The Touchstone runtime.
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeSlashReason,
        RuntimeLockId,
        RuntimeTask,
        RuntimeViewFunction
    )]
    pub struct Runtime;

    // The SDK's pallets. Indices are part of the format of transactions and never move.
    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(1)]
    pub type Timestamp = pallet_timestamp;
    #[runtime::pallet_index(2)]
    pub type Facts = crate::facts;
    #[runtime::pallet_index(3)]
    pub type Babe = pallet_babe;
    #[runtime::pallet_index(4)]
    pub type Authorship = pallet_authorship;
    #[runtime::pallet_index(5)]
    pub type Balances = pallet_balances;
    #[runtime::pallet_index(6)]
    pub type TransactionPayment = pallet_transaction_payment;
    #[runtime::pallet_index(7)]
    pub type Offences = pallet_offences;
    #[runtime::pallet_index(8)]
    pub type Historical = pallet_session::historical;
    #[runtime::pallet_index(9)]
    pub type Council = pallet_collective<Instance1>;
    // Before Session, whose genesis asks it for the validators.
    #[runtime::pallet_index(10)]
    pub type Consortium = pallet_consortium;
    #[runtime::pallet_index(11)]
    pub type Session = pallet_session;
    #[runtime::pallet_index(12)]
    pub type Grandpa = pallet_grandpa;
    #[runtime::pallet_index(13)]
    pub type Utility = pallet_utility;
    #[runtime::pallet_index(14)]
    pub type Multisig = pallet_multisig;
    #[runtime::pallet_index(15)]
    pub type Proxy = pallet_proxy;
    #[runtime::pallet_index(16)]
    pub type Preimage = pallet_preimage;
    #[runtime::pallet_index(17)]
    pub type Scheduler = pallet_scheduler;
    #[runtime::pallet_index(18)]
    pub type Parameters = pallet_parameters;
    #[runtime::pallet_index(19)]
    pub type MultiBlockMigrations = pallet_migrations;

    // Touchstone's own. Reserved: 35 Routing, 36 Disputes, 37 Attestation, 38 Diip, 39 RankedPolls,
    // 40 RankedCollective.
    #[runtime::pallet_index(30)]
    pub type Registry = pallet_registry;
    #[runtime::pallet_index(31)]
    pub type Receipts = pallet_receipts;
    #[runtime::pallet_index(32)]
    pub type Canaries = pallet_canaries;
    #[runtime::pallet_index(33)]
    pub type Reputation = pallet_reputation;
    #[runtime::pallet_index(34)]
    pub type Memory = pallet_memory;
}
