//! # Receipts
//!
//! Anchored Merkle roots of batches of signed inference receipts (whitepaper 7, 9.4).
//!
//! ## Overview
//!
//! Every answer of the network comes with a **receipt** that the answering node and the gateway sign. Receipts stay with the
//! gateway and the client; the chain keeps only the Merkle root of each **batch**. Once a root is final, nobody, the
//! gateway included, can change, remove or insert a receipt of that batch, and whoever holds a receipt can prove that it is in it.
//!
//! ## Terminology
//!
//! * **Stream and sequence**: a gateway numbers its receipts 0, 1, 2, .. within a stream. Each batch starts where the last one
//!   ended, so a stream has no gaps and no receipt is anchored twice.
//! * **Opening a stream**: a gateway that lost its store cannot know what it had signed. It goes on with sequence 0 of the next
//!   stream; the event [`Event::StreamOpened`] publishes where the old one ended, for good.
//! * **Submission**: gateways send batches as authorised transactions, signed by their worker key. They cost no fee; what bounds them
//!   is that only active gateways can send them, one sequence after the other, and a number of batches per block.
//! * **Retention**: roots are kept for a governed number of blocks, then removed, a bounded number per block.
//!
//! Heads of gateways that leave the consortium stay, so that a gateway that returns cannot start again at 0.
//!
//! ## The offchain hook
//!
//! The gateway's worker puts the next batch into a slot of the node's offchain storage ([`touchstone_primitives::mailbox`]). At every
//! best block the hook of this pallet looks whether that batch is still due, signs it with the worker key of the keystore, and
//! sends it; it sends again when the batch is still missing after [`RESEND_AFTER`] blocks.
//!
//! ## Example
#![doc = docify::embed!("src/tests/anchoring.rs", a_gateway_anchors_batches_one_after_the_other)]
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

extern crate alloc;

mod anchoring;
mod hook;
mod pruning;
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

pub use hook::{RESEND_AFTER, SENT_SLOT};
pub use pallet::*;
pub use weights::WeightInfo;

#[frame_support::pallet]
// The macros expand to `expect` and to functions with as many arguments as the call has.
#[allow(clippy::expect_used, clippy::too_many_arguments)]
pub mod pallet {
    use super::{WeightInfo, types};
    use frame_support::pallet_prelude::*;
    use frame_system::{offchain::CreateAuthorizedTransaction, pallet_prelude::*};
    use touchstone_primitives::{
        H256, NodeId, evidence::NoteActivity, mailbox::AnchorTask, traits::MembershipOf,
        worker::WorkerSignature,
    };

    /// Version of the storage layout.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    /// An anchored batch.
    pub type BatchOf<T> = types::Batch<BlockNumberFor<T>>;
    /// Where a gateway stands.
    pub type HeadOf<T> = types::Head<BlockNumberFor<T>>;

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config:
        frame_system::Config<AccountId = NodeId, Hash = H256>
        + CreateAuthorizedTransaction<Call<Self>>
    {
        /// Gives nodes and their worker keys.
        type Membership: MembershipOf<NodeId>;

        /// Is told that a gateway works.
        type Activity: NoteActivity;

        /// Blocks for which a root is kept.
        type Retention: Get<BlockNumberFor<Self>>;

        /// Most receipts in a batch.
        #[pallet::constant]
        type MaxBatch: Get<u32>;

        /// Most batches of one gateway in a block.
        #[pallet::constant]
        type MaxBatchesPerBlock: Get<u32>;

        /// Most expired batches that are removed in a block. At least what all gateways together anchor per block in the long run.
        #[pallet::constant]
        type MaxPruned: Get<u32>;

        /// Most blocks ahead that a submission may be valid for.
        #[pallet::constant]
        type MaxValidity: Get<BlockNumberFor<Self>>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// Where each gateway stands.
    #[pallet::storage]
    pub type Heads<T: Config> = StorageMap<_, Twox64Concat, NodeId, HeadOf<T>, ValueQuery>;

    /// Retained batches by gateway and number. Numbers run through all streams of the gateway, in order of stream and sequence.
    #[pallet::storage]
    pub type Batches<T: Config> =
        StorageDoubleMap<_, Twox64Concat, NodeId, Twox64Concat, u64, BatchOf<T>>;

    /// Gateways of the retained batches, oldest batch first.
    #[pallet::storage]
    pub type Expiring<T: Config> = StorageMap<_, Twox64Concat, u64, NodeId>;

    /// Ends of the queue in `Expiring`.
    #[pallet::storage]
    pub type ExpiringEnds<T: Config> = StorageValue<_, types::Queue, ValueQuery>;

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A batch of receipts was anchored.
        BatchAnchored {
            /// The gateway.
            gateway: NodeId,
            /// Its stream.
            stream: u32,
            /// First sequence of the batch.
            first: u64,
            /// Last sequence of the batch.
            last: u64,
            /// Merkle root over the receipt ids.
            root: H256,
            /// Version of the routing policy.
            policy_version: u32,
            /// Number of the batch: its key in `Receipts.Batches`.
            batch: u64,
        },
        /// A gateway gave up a stream and opened the next one.
        StreamOpened {
            /// The gateway.
            gateway: NodeId,
            /// The new stream.
            stream: u32,
            /// Where the old stream ended for good: its first sequence that is not anchored.
            previous_next: u64,
        },
    }

    /// What can be wrong with a batch. A submission is refused for the same reasons before it reaches a block ([`types::Refusal`]).
    #[pallet::error]
    #[derive(PartialEq, Eq)]
    pub enum Error<T> {
        /// The node is not an active gateway. Activate or reinstate it, or have the role added.
        NotGateway,
        /// The last sequence is below the first. Submit at least one receipt.
        EmptyBatch,
        /// The batch has more than `MaxBatch` receipts. Split it.
        BatchTooBig,
        /// The block that the submission was valid until has passed. Sign it again with a later one.
        Expired,
        /// The submission would be valid for more than `MaxValidity` blocks. Sign it again with an earlier end.
        ValidTooLong,
        /// The stream is neither the gateway's current one nor the next. Read `Receipts.Heads`.
        WrongStream,
        /// The sequence is anchored already. Nothing is to be done; go on with the next batch.
        AlreadyAnchored,
        /// The batch does not start where the last one ended. Read `Receipts.Heads` and submit what is missing first.
        Gap,
        /// The gateway has anchored `MaxBatchesPerBlock` batches in this block. Submit the batch in the next one.
        TooManyInBlock,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(now: BlockNumberFor<T>) -> Weight {
            T::WeightInfo::prune(Self::prune(now, T::MaxPruned::get()))
        }

        fn offchain_worker(now: BlockNumberFor<T>) {
            Self::run_hook(now)
        }

        fn integrity_test() {
            assert!(
                T::MaxBatch::get() > 0,
                "MaxBatch 0 would let nothing be anchored"
            );
            assert!(
                T::MaxBatchesPerBlock::get() > 0,
                "MaxBatchesPerBlock 0 would let nothing be anchored"
            );
            assert!(
                T::MaxPruned::get() > 0,
                "MaxPruned 0 would keep every root forever"
            );
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call(weight(<T as Config>::WeightInfo))]
    impl<T: Config> Pallet<T> {
        /// Anchor the batch of the gateway's receipts `first..=last`. Origin: an authorised transaction, no account.
        ///
        /// `signature` is by the node's current worker key over `touchstone_primitives::worker::submission`: duty `(stream, first)`,
        /// arguments `(last, root, policy_version)`. The batch continues the gateway's stream, or opens the next stream at 0.
        #[pallet::call_index(0)]
        #[pallet::authorize(Self::authorize_anchor_batch)]
        #[allow(clippy::too_many_arguments)]
        pub fn anchor_batch(
            origin: OriginFor<T>,
            node: NodeId,
            stream: u32,
            first: u64,
            last: u64,
            root: H256,
            policy_version: u32,
            valid_until: BlockNumberFor<T>,
            signature: WorkerSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            // Checked when the transaction was authorised, just before.
            let _ = signature;
            let task = AnchorTask {
                node,
                stream,
                first,
                last,
                root,
                policy_version,
            };
            Self::do_anchor_batch(task, valid_until)
        }
    }
}
