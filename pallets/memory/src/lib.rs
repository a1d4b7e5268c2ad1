//! # Memory
//!
//! Namespaces of memory: who may change them, and the roots that their content is proven against (whitepaper, Plane H).
//!
//! ## Overview
//!
//! What a node or a person knows is kept as **fragments** of text in **namespaces**. Fragments are with nodes; the chain keeps one hash for
//! the whole content of a namespace, its **root**. Whoever gets fragments from a node gets a **proof** with them, and sees with the
//! chain's root alone that they are what was committed: not altered, not out of date, not of another namespace. The absence of a
//! fragment is proven in the same way, so that a deletion can be shown.
//!
//! An active member creates a namespace (`memory.createNamespace`) and puts a **deposit** on hold, which comes back when it is deleted.
//! The **owner**, any account, decides who may change it and who may hold it (`memory.setPolicy`, `memory.grant`), hands it over
//! (`memory.transfer`) and deletes it (`memory.deleteNamespace`). The council decides about namespaces that only it may change, beside their owner.
//! In Polkadot.js Apps these calls are under Developer > Extrinsics > memory, what came of them under Developer > Runtime calls > memoryApi.
//!
//! ## Terminology
//!
//! * **Version**: grows with every batch of writes to a namespace; 0 is empty. Its root commits to namespace, version, number of fragments and
//!   [tree](touchstone_primitives::memory::tree).
//! * **Commit**: replaces the newest root by that of a newer version. It names the root that it replaces: of two writers that go on from the same
//!   root one wins, and the other repeats its writes on the new root ([`Error::StaleRoot`]). A root never comes back, so no commit can be played back.
//! * **Batch**: Merkle root over the signed writes of a commit. Each write can be shown to be in it, and so who wrote what.
//! * **Submission**: commits are authorised transactions, signed by the writer: a node with its worker key, anybody else with the account's own key.
//!   They cost no fee; what bounds them is that only permitted writers can send them, one for each namespace and a number for all in a block.
//! * **Retained version**: one of the last 64 that were committed. Proofs can be checked against them and against snapshots.
//! * **Snapshot**: a root that the owner named; it is kept until it is dropped or the namespace deleted.
//!
//! ## What votes decide
//!
//! For namespaces of [`Writers::Council`](touchstone_primitives::memory::Writers) a motion with `memory.commitRootByCouncil` is what changes the content: members
//! look at the fragments, check that they lead to the root that the motion names, and vote. `parameters.setParameter` has the deposit
//! and the size of namespaces, through the constitution.
//!
//! A deleted namespace's name is never used again: nodes would otherwise take an old root for that of the new namespace.
//!
//! ## Disputes
//!
//! [`Pallet::verify_fragments`] checks a proof on chain and leaves an event that says what was proven, for whoever has to be shown that a node has lied.
//!
//! ## Example
#![doc = docify::embed!("src/tests/commits.rs", a_writer_commits_and_what_it_wrote_is_proven)]
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

extern crate alloc;

mod commits;
mod namespaces;
mod proofs;
mod snapshots;
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
    use super::{
        WeightInfo,
        types::{self, Keys, Name},
    };
    use alloc::vec::Vec;
    use frame_support::{
        pallet_prelude::*,
        traits::fungible::{Inspect, InspectHold, MutateHold},
    };
    use frame_system::{offchain::CreateAuthorizedTransaction, pallet_prelude::*};
    use sp_core::sr25519;
    use touchstone_primitives::{
        AccountId32, H256, NodeId,
        memory::{
            Commit, Kind, NamespaceId, Rights, Value, Visibility, Writer, Writers, tree::Proof,
        },
        traits::MembershipOf,
    };

    /// Version of the storage layout.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    /// Amount of internal credit.
    pub type BalanceOf<T> = <<T as Config>::Currency as Inspect<NodeId>>::Balance;
    /// A namespace.
    pub type NamespaceOf<T> = types::Namespace<BalanceOf<T>, BlockNumberFor<T>>;
    /// A committed state of a namespace.
    pub type RootOf<T> = types::Root<BlockNumberFor<T>>;
    /// How many commits of writers are in a block.
    pub type InBlockOf<T> = types::InBlock<BlockNumberFor<T>>;

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config:
        frame_system::Config<AccountId = NodeId, Hash = H256>
        + CreateAuthorizedTransaction<Call<Self>>
    {
        /// Commits to, and decides about, namespaces that only the council may change.
        type CouncilOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Gives members, nodes and their worker keys.
        type Membership: MembershipOf<NodeId>;

        /// Holds the deposits of namespaces.
        type Currency: Inspect<NodeId>
            + InspectHold<NodeId, Reason = Self::RuntimeHoldReason>
            + MutateHold<NodeId, Reason = Self::RuntimeHoldReason>;

        /// The runtime's reasons for holds.
        type RuntimeHoldReason: From<HoldReason>;

        /// Deposit of a namespace.
        type Deposit: Get<BalanceOf<Self>>;

        /// Most bytes of a namespace's fragments.
        type MaxBytes: Get<u64>;

        /// Most commits of writers in a block.
        #[pallet::constant]
        type MaxCommitsPerBlock: Get<u32>;

        /// Most steps of a proof that is verified on chain.
        #[pallet::constant]
        type MaxProofSteps: Get<u32>;

        /// Most blocks ahead that a submission may be valid for.
        #[pallet::constant]
        type MaxValidity: Get<BlockNumberFor<Self>>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// Why this pallet holds balance.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// Deposit of a namespace.
        Namespace,
    }

    /// Namespaces by the hash of their name.
    #[pallet::storage]
    pub type Namespaces<T: Config> = StorageMap<_, Identity, NamespaceId, NamespaceOf<T>>;

    /// What the owner of a namespace lets accounts do.
    #[pallet::storage]
    pub type Grants<T: Config> = StorageDoubleMap<
        _,
        Identity,
        NamespaceId,
        Blake2_128Concat,
        AccountId32,
        Rights,
        ValueQuery,
    >;

    /// Roots of the last versions of a namespace and of its snapshots.
    #[pallet::storage]
    pub type Roots<T: Config> =
        StorageDoubleMap<_, Identity, NamespaceId, Twox64Concat, u64, RootOf<T>>;

    /// Namespaces that were deleted. Their names are never used again.
    #[pallet::storage]
    pub type Deleted<T: Config> = StorageMap<_, Identity, NamespaceId, ()>;

    /// Commits of writers in the last block that had some.
    #[pallet::storage]
    pub type Submitted<T: Config> = StorageValue<_, InBlockOf<T>, ValueQuery>;

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A namespace was created.
        NamespaceCreated {
            /// Its id.
            namespace: NamespaceId,
            /// Its name.
            name: Name,
            /// Whose knowledge it holds.
            kind: Kind,
            /// Who decides about it.
            owner: AccountId32,
            /// The member who paid the deposit.
            sponsor: AccountId32,
        },
        /// A namespace got another policy.
        PolicySet {
            /// The namespace.
            namespace: NamespaceId,
            /// Who may change it now.
            writers: Writers,
            /// Who may hold and read it now.
            visibility: Visibility,
        },
        /// A namespace was handed over.
        NamespaceTransferred {
            /// The namespace.
            namespace: NamespaceId,
            /// Its owner before.
            from: AccountId32,
            /// Its owner now.
            to: AccountId32,
        },
        /// What an account may do with a namespace was set.
        RightsGranted {
            /// The namespace.
            namespace: NamespaceId,
            /// The account.
            who: AccountId32,
            /// What it may do now; nothing takes it off the list.
            rights: Rights,
        },
        /// A namespace was deleted, and its deposit freed.
        NamespaceDeleted {
            /// The namespace.
            namespace: NamespaceId,
        },
        /// A namespace has a new root.
        RootCommitted {
            /// The namespace.
            namespace: NamespaceId,
            /// Its version now.
            version: u64,
            /// Its root now.
            root: H256,
            /// Fragments in it.
            count: u64,
            /// Merkle root over the signed writes that led to it.
            batch: H256,
            /// Who committed it; absent for the council.
            writer: Option<Writer>,
        },
        /// The newest root of a namespace was made a snapshot.
        SnapshotTaken {
            /// The namespace.
            namespace: NamespaceId,
            /// The version.
            version: u64,
            /// Its root.
            root: H256,
            /// Name of the snapshot.
            name: Name,
        },
        /// A root is not a snapshot any more.
        SnapshotDropped {
            /// The namespace.
            namespace: NamespaceId,
            /// The version.
            version: u64,
        },
        /// A proof was verified.
        FragmentsVerified {
            /// The namespace.
            namespace: NamespaceId,
            /// The version whose root the proof leads to.
            version: u64,
            /// The keys.
            keys: Keys,
            /// What that version holds at each key; nothing where there is no fragment.
            values: Vec<Option<Value>>,
            /// Who had it verified.
            by: AccountId32,
        },
    }

    /// What can be wrong. A submission is refused for the same reasons before it reaches a block ([`types::Refusal`]).
    #[pallet::error]
    #[derive(PartialEq, Eq)]
    pub enum Error<T> {
        /// There is no such namespace. Check the name; read `Memory.Namespaces` for those that exist.
        UnknownNamespace,
        /// The signer is not an active member. Have a member create the namespace for you; the owner can be anybody.
        NotMember,
        /// The name is empty, is not UTF-8, or has control characters or white space around it. Correct it.
        BadName,
        /// A namespace has this name. Choose another one.
        NameTaken,
        /// A namespace of this name was deleted, and its name cannot be used again. Choose another one.
        NameUsed,
        /// The signer does not own the namespace. Sign with the owner's account, or propose a motion if only the council may change it.
        NotOwner,
        /// Nodes hold the namespace already, sealed or readable, and that cannot be changed. Create another namespace and write to that.
        NotEmpty,
        /// The account is not listed. Nothing is to be done.
        NotListed,
        /// The owner lists `MAX_GRANTS` (64) accounts. First take one off the list.
        TooManyGrants,
        /// The block that the submission was valid until has passed. Sign it again with a later one.
        Expired,
        /// The submission would be valid for more than `MaxValidity` blocks. Sign it again with an earlier end.
        ValidTooLong,
        /// The namespace has another root than the commit goes on from: somebody else was first. Read the new root and repeat the writes on it.
        StaleRoot,
        /// The version is not above the newest one, or more than `MAX_ADVANCE` (2^32) above it. Count on from the newest one.
        BadVersion,
        /// The number of fragments does not fit the tree: one is empty and the other is not. Compute the state again.
        BadState,
        /// The fragments have more than `MaxBytes` bytes together. Delete some, or use another namespace.
        TooLarge,
        /// The writer is a node that is not active. Activate or reinstate it first.
        NodeNotActive,
        /// The writer may not change the namespace. Ask its owner (`grant`, `set_policy`).
        NotPermitted,
        /// The namespace was created or changed in this block, or the block has `MaxCommitsPerBlock` commits. Commit in the next one.
        TooManyInBlock,
        /// Others than the council may change the namespace. Commit as one of them.
        NotForCouncil,
        /// The version was never committed, or is not kept any more. Read `Memory.Roots` for those that are kept.
        UnknownVersion,
        /// The newest root is a snapshot already. Nothing is to be done.
        AlreadySnapshot,
        /// The version is not a snapshot. Read `Memory.Roots` for those that are.
        NotSnapshot,
        /// The namespace has `MAX_SNAPSHOTS` (64) snapshots. First drop one.
        TooManySnapshots,
        /// The proof has more than `MaxProofSteps` steps. Prove fewer keys at once.
        ProofTooLong,
        /// The proof does not show what this version holds at these keys. Ask a node for a proof of this version.
        BadProof,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(
                T::MaxCommitsPerBlock::get() > 0,
                "MaxCommitsPerBlock 0 would let nobody commit"
            );
            assert!(
                T::MaxProofSteps::get() > 0,
                "MaxProofSteps 0 would let nothing be verified"
            );
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call(weight(<T as Config>::WeightInfo))]
    impl<T: Config> Pallet<T> {
        /// Create a namespace, and put a deposit on hold for it. Origin: an active member.
        ///
        /// `owner` is any account. The namespace is empty, which is its version 0.
        #[pallet::call_index(0)]
        pub fn create_namespace(
            origin: OriginFor<T>,
            name: Name,
            kind: Kind,
            owner: AccountId32,
            writers: Writers,
            visibility: Visibility,
        ) -> DispatchResult {
            let sponsor = ensure_signed(origin)?;
            Self::do_create_namespace(sponsor, name, kind, owner, writers, visibility)
        }

        /// Say who may change a namespace, and who may hold and read it. Origin: the owner.
        ///
        /// Who may hold it can be changed until something is written.
        ///
        /// For this call and the other ones of the owner the council is as good, if only it may change the namespace.
        #[pallet::call_index(1)]
        pub fn set_policy(
            origin: OriginFor<T>,
            namespace: NamespaceId,
            writers: Writers,
            visibility: Visibility,
        ) -> DispatchResult {
            let record = Self::ensure_decides(origin, &namespace)?;
            Self::do_set_policy(namespace, record, writers, visibility)
        }

        /// Hand a namespace over to another account. Origin: the owner. Its deposit stays with the member who paid it.
        #[pallet::call_index(2)]
        pub fn transfer(
            origin: OriginFor<T>,
            namespace: NamespaceId,
            new_owner: AccountId32,
        ) -> DispatchResult {
            let record = Self::ensure_decides(origin, &namespace)?;
            Self::do_transfer(namespace, record, new_owner);
            Ok(())
        }

        /// List an account with what it may do, or with nothing to take it off the list. Origin: the owner.
        #[pallet::call_index(3)]
        pub fn grant(
            origin: OriginFor<T>,
            namespace: NamespaceId,
            who: AccountId32,
            rights: Rights,
        ) -> DispatchResult {
            let record = Self::ensure_decides(origin, &namespace)?;
            Self::do_grant(namespace, record, who, rights)
        }

        /// Delete a namespace with all its roots, for ever, and free its deposit. Origin: the owner.
        #[pallet::call_index(4)]
        pub fn delete_namespace(origin: OriginFor<T>, namespace: NamespaceId) -> DispatchResult {
            let record = Self::ensure_decides(origin, &namespace)?;
            Self::do_delete_namespace(namespace, record);
            Ok(())
        }

        /// Replace the root of a namespace. Origin: an authorised transaction, no account.
        ///
        /// `signature` is by the writer over `touchstone_primitives::memory::Commit::message`: by the worker key of a node, by the key of
        /// an account.
        #[pallet::call_index(5)]
        #[pallet::authorize(Self::authorize_commit_root)]
        pub fn commit_root(
            origin: OriginFor<T>,
            writer: Writer,
            commit: Commit,
            valid_until: BlockNumberFor<T>,
            signature: sr25519::Signature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            // Checked when the transaction was authorised, just before.
            let _ = signature;
            Self::do_commit_root(writer, commit, valid_until)
        }

        /// Replace the root of a namespace that only the council may change. Origin: the council.
        #[pallet::call_index(6)]
        pub fn commit_root_by_council(origin: OriginFor<T>, commit: Commit) -> DispatchResult {
            T::CouncilOrigin::ensure_origin(origin)?;
            Self::do_commit_root_by_council(commit)
        }

        /// Make the newest root a snapshot, which is kept when newer ones come. Origin: the owner.
        #[pallet::call_index(7)]
        pub fn snapshot(
            origin: OriginFor<T>,
            namespace: NamespaceId,
            name: Name,
        ) -> DispatchResult {
            let record = Self::ensure_decides(origin, &namespace)?;
            Self::do_snapshot(namespace, record, name)
        }

        /// Make a snapshot an ordinary root again, which is removed unless it is one of the last. Origin: the owner.
        #[pallet::call_index(8)]
        pub fn drop_snapshot(
            origin: OriginFor<T>,
            namespace: NamespaceId,
            version: u64,
        ) -> DispatchResult {
            let record = Self::ensure_decides(origin, &namespace)?;
            Self::do_drop_snapshot(namespace, record, version)
        }

        /// Verify on chain what a version that is kept holds at these keys. Origin: anybody.
        #[pallet::call_index(9)]
        #[pallet::weight(T::WeightInfo::verify_fragments(u32::try_from(proof.0.len()).unwrap_or(u32::MAX)))]
        pub fn verify_fragments(
            origin: OriginFor<T>,
            namespace: NamespaceId,
            version: u64,
            keys: Keys,
            proof: Proof,
        ) -> DispatchResult {
            let by = ensure_signed(origin)?;
            Self::do_verify_fragments(by, namespace, version, keys, &proof)
        }
    }
}
