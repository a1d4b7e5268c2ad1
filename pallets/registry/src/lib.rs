//! # Registry
//!
//! Topics, base models, adapters, where they come from, and who serves them (whitepaper: 'Substrate & trust tiers',
//! 'The specialist production line', 10.1).
//!
//! ## Overview
//!
//! The network answers questions on **topics**. Each topic has a trust tier: T1 answers are checked by an algorithm, T2 are of low
//! risk, T3 are strategic. A topic also says which **provenance** it admits: models of a jurisdiction that the topic does not
//! name, or of a lineage that it denies, cannot be registered for it. A T3 topic that names no jurisdiction admits nothing.
//!
//! A **base** is a frozen model that everybody shares. An **adapter** is a small addition to one base for one topic. Both are named
//! by the blake2-256 hash of their file, and registered with a **provenance manifest** ([`ModelRecord`]) that the producing node signs
//! with its worker key; the signature stays in state, so that anybody can check later who vouched for what.
//!
//! A newly registered model is a *candidate*. The governing origin (the council, later a DIIP) makes it *champion*: the one adapter
//! that serves a topic on its base. The champion that it replaces becomes *warm* and can be brought back at once. *Retired* models
//! are not served. A producer may retire a candidate of its own.
//!
//! Nodes declare which base and adapter they **serve** and how many requests at a time. A declaration counts only while the node is
//! active and the models are registered, not retired and admitted: see [`Pallet::serving`].
//!
//! ## The gate
//!
//! * An adapter is admitted to its topic only if the topic admits both the adapter's and its base's provenance.
//! * A base has no topic. It is judged wherever an adapter uses it, and by [`Pallet::eligible`] for queries without an adapter.
//! * A change of a topic's tier or policy that its champion would not pass is refused ([`Error::ChampionNotAdmitted`]): the governing
//!   origin first moves the champion away. Nothing is ever retired behind its producer's back.
//! * An adapter declares the lineage of its base; anything else is refused, since its weights do descend from there.
//!
//! ## Example
#![doc = docify::embed!("src/tests/models.rs", a_producer_registers_an_adapter_and_the_council_makes_it_champion)]
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

extern crate alloc;

mod gate;
mod models;
mod serving;
mod topics;
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
pub use touchstone_primitives::model::ModelRecord;
pub use weights::WeightInfo;

#[frame_support::pallet]
// The macros expand to `expect` and to functions with as many arguments as the call has.
#[allow(clippy::expect_used, clippy::too_many_arguments)]
pub mod pallet {
    use super::{WeightInfo, types::*};
    use alloc::{boxed::Box, vec::Vec};
    use frame_support::pallet_prelude::*;
    use frame_system::pallet_prelude::*;
    use touchstone_primitives::{
        H256, NodeId,
        apis::{ModelStatus, TopicId},
        model::{ModelKind, ModelRecord},
        provenance::{Class, Policy, Text, Tier},
        traits::MembershipOf,
        worker::WorkerSignature,
    };

    /// Version of the storage layout.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config<AccountId = NodeId, Hash = H256> {
        /// Who governs topics and statuses: the council, or Root.
        type GovernOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Gives members and nodes.
        type Membership: MembershipOf<NodeId>;

        /// Most topics.
        #[pallet::constant]
        type MaxTopics: Get<u32>;

        /// Most models, retired ones included.
        #[pallet::constant]
        type MaxModels: Get<u32>;

        /// Most candidates of one producing node at a time.
        #[pallet::constant]
        type MaxCandidates: Get<u32>;

        /// Most champions of one topic; there is one per base.
        #[pallet::constant]
        type MaxChampions: Get<u32>;

        /// Most bases and adapters that one node declares to serve.
        #[pallet::constant]
        type MaxServing: Get<u32>;

        /// Highest capacity that can be declared, in requests at the same time.
        #[pallet::constant]
        type MaxCapacity: Get<u32>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// Topics by number. Numbers are given in order from 0 and never reused.
    #[pallet::storage]
    pub type Topics<T: Config> = CountedStorageMap<_, Twox64Concat, TopicId, TopicRecord>;

    /// Number of the topic of this name.
    #[pallet::storage]
    pub type TopicByName<T: Config> = StorageMap<_, Blake2_128Concat, Text, TopicId>;

    /// Bases and adapters by the hash of their file.
    #[pallet::storage]
    pub type Models<T: Config> = CountedStorageMap<_, Blake2_128Concat, H256, Model>;

    /// How many adapters are built on a base.
    #[pallet::storage]
    pub type BaseUses<T: Config> = StorageMap<_, Blake2_128Concat, H256, BaseUse, ValueQuery>;

    /// Champions of a topic, at most one per base.
    #[pallet::storage]
    pub type Champions<T: Config> =
        StorageMap<_, Twox64Concat, TopicId, BoundedVec<Champion, T::MaxChampions>, ValueQuery>;

    /// How many candidates a producing node has.
    #[pallet::storage]
    pub type Candidates<T: Config> = StorageMap<_, Twox64Concat, NodeId, u32, ValueQuery>;

    /// What a node declared to serve. Read it through the runtime API, which leaves out what does not count any more.
    #[pallet::storage]
    pub type Serving<T: Config> =
        StorageMap<_, Twox64Concat, NodeId, BoundedVec<Served, T::MaxServing>, ValueQuery>;

    /// Topics, models and servers that the chain starts with.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Topics; the first one gets number 0.
        pub topics: Vec<TopicRecord>,
        /// Producer, record and status; bases before the adapters that use them.
        pub models: Vec<(NodeId, ModelRecord, ModelStatus)>,
        /// Node, base, adapter, capacity.
        pub serving: Vec<(NodeId, H256, Option<H256>, u32)>,
        /// Unused.
        #[serde(skip)]
        pub _config: core::marker::PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            for topic in &self.topics {
                if let Err(error) = Pallet::<T>::do_register_topic(topic.clone()) {
                    panic!(
                        "genesis topic {:?}: {error:?}",
                        core::str::from_utf8(&topic.name)
                    );
                }
            }
            for (producer, record, status) in &self.models {
                if let Err(error) = Pallet::<T>::insert_genesis_model(producer, record, *status) {
                    panic!("genesis model {:?}: {error:?}", record.hash);
                }
            }
            for (node, base, adapter, capacity) in &self.serving {
                let served = Served {
                    base: *base,
                    adapter: *adapter,
                    capacity: *capacity,
                };
                if let Err(error) = Pallet::<T>::do_serve(node, served) {
                    panic!("genesis serving of {base:?} by {node:?}: {error:?}");
                }
            }
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A topic was registered.
        TopicRegistered {
            /// Its number.
            topic: TopicId,
            /// Its name.
            name: Text,
            /// Its trust tier.
            tier: Tier,
            /// Its verification class.
            class: Class,
        },
        /// A topic's tier, class or policy was changed.
        TopicUpdated {
            /// Its number.
            topic: TopicId,
            /// Its trust tier now.
            tier: Tier,
            /// Its verification class now.
            class: Class,
        },
        /// A base or an adapter was registered as a candidate.
        ModelRegistered {
            /// Hash of its file.
            model: H256,
            /// Base, or adapter of which base and for which topic.
            kind: ModelKind,
            /// Node that produced and signed it.
            producer: NodeId,
        },
        /// A model's status changed.
        StatusChanged {
            /// Hash of its file.
            model: H256,
            /// Status before.
            from: ModelStatus,
            /// Status now.
            to: ModelStatus,
        },
        /// A retired model was removed from the registry.
        ModelRemoved {
            /// Hash of its file.
            model: H256,
        },
        /// A node declared that it serves a base, with or without an adapter.
        ServingDeclared {
            /// The node.
            node: NodeId,
            /// The base.
            base: H256,
            /// The adapter, if any.
            adapter: Option<H256>,
            /// Requests at the same time.
            capacity: u32,
        },
        /// A node took a declaration back.
        ServingStopped {
            /// The node.
            node: NodeId,
            /// The base.
            base: H256,
            /// The adapter, if any.
            adapter: Option<H256>,
        },
    }

    #[pallet::error]
    #[derive(PartialEq, Eq)]
    pub enum Error<T> {
        /// There is no topic of this number. Read `Registry.Topics` for those that exist.
        TopicNotFound,
        /// There are `MaxTopics` topics. A runtime upgrade has to raise the bound.
        TooManyTopics,
        /// Another topic has this name. Choose another one, or update that topic.
        NameTaken,
        /// The name is empty, is not UTF-8, or has control characters or white space around it. Correct it.
        BadName,
        /// A jurisdiction of the policy is not two upper-case letters, or a lineage is malformed. Correct the policy.
        BadPolicy,
        /// The topic's champion would not be admitted any more. First give the topic another champion or none (`set_status`).
        ChampionNotAdmitted,
        /// No model of this hash is registered. Check the hash of the file, or register the model.
        ModelNotFound,
        /// A model of this hash is registered already. Use that entry; one file is registered once.
        AlreadyRegistered,
        /// There are `MaxModels` models. The governing origin can remove retired ones (`remove_model`).
        TooManyModels,
        /// The producer has `MaxCandidates` candidates. Retire one (`retire_model`) or wait for a decision.
        TooManyCandidates,
        /// The topic has champions on `MaxChampions` bases. First move one of them to another status.
        TooManyChampions,
        /// The licence is not a licence expression of SPDX identifiers. Write for example `Apache-2.0`.
        BadLicence,
        /// The file is declared to be empty. Declare its size in bytes.
        BadSize,
        /// The model's or its recipe's hash is zero, or an adapter names itself as its base. Correct the record.
        BadHash,
        /// An axis of the provenance is empty or malformed. Fill every axis; write `undisclosed` for unknown data.
        BadProvenance,
        /// The signature is not by the node's current worker key over this record. Sign again with `touchstone keys`.
        BadSignature,
        /// The signer is neither the node nor its member. Sign with the node's stash account or its member's account.
        NotYourNode,
        /// The node is not active, or its member is not. Activate or reinstate it first.
        NodeNotActive,
        /// The node does not have the producer role. Have the role added, or register through a node that has it.
        NotProducer,
        /// The hash is an adapter's where a base is needed. Name the base.
        NotBase,
        /// The hash is a base's where an adapter is needed. Name the adapter.
        NotAdapter,
        /// The adapter was trained on another base. Serve it with its own base.
        WrongBase,
        /// The adapter was trained for another topic. Name its own topic.
        WrongTopic,
        /// The adapter declares another lineage than its base. Declare the base's lineage.
        WrongLineage,
        /// The model, or the adapter's base, is retired. Use another one, or have it brought back (`set_status`).
        ModelRetired,
        /// The topic denies the lineage of the model or of its base. Use a model of another lineage.
        LineageNotAdmitted,
        /// The topic does not admit the jurisdiction of the model or of its base. Use a model of an admitted one.
        JurisdictionNotAdmitted,
        /// The T3 topic names no admitted jurisdiction and so admits nothing. Have its policy written (`update_topic`).
        PolicyMissing,
        /// The model has this status already. Nothing is to be done.
        SameStatus,
        /// Only candidates can be retired by their producer. Ask the governing origin (`set_status`).
        NotCandidate,
        /// Champion adapters use this base. First move them to another status.
        BaseInUse,
        /// Adapters of this base are registered. First remove them.
        BaseHasAdapters,
        /// Only retired models can be removed. First retire it (`set_status`).
        NotRetired,
        /// The capacity is zero or above `MaxCapacity`. Declare how many requests the node answers at the same time.
        BadCapacity,
        /// The node declares `MaxServing` bases and adapters. First stop serving one.
        TooManyServed,
        /// The node does not declare to serve this. Read `Registry.Serving` for what it declares.
        NotServed,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(
                T::MaxCapacity::get() > 0,
                "MaxCapacity 0 would let nobody serve"
            );
            assert!(
                T::MaxChampions::get() > 0,
                "MaxChampions 0 would let nothing be champion"
            );
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call(weight(<T as Config>::WeightInfo))]
    impl<T: Config> Pallet<T> {
        /// Register a topic. Origin: governing.
        #[pallet::call_index(0)]
        pub fn register_topic(
            origin: OriginFor<T>,
            name: Text,
            tier: Tier,
            class: Class,
            policy: Policy,
        ) -> DispatchResult {
            T::GovernOrigin::ensure_origin(origin)?;
            Self::do_register_topic(TopicRecord {
                name,
                tier,
                class,
                policy,
            })
        }

        /// Change a topic's tier, class and policy; its name stays. Origin: governing.
        ///
        /// Refused while a champion of the topic would not be admitted any more.
        #[pallet::call_index(1)]
        pub fn update_topic(
            origin: OriginFor<T>,
            topic: TopicId,
            tier: Tier,
            class: Class,
            policy: Policy,
        ) -> DispatchResult {
            T::GovernOrigin::ensure_origin(origin)?;
            Self::do_update_topic(topic, tier, class, policy)
        }

        /// Register a base or an adapter as a candidate. Origin: the producing node or its member.
        ///
        /// `node` is an active node with the producer role; `signature` is its worker key's over the record.
        #[pallet::call_index(2)]
        pub fn register_model(
            origin: OriginFor<T>,
            node: NodeId,
            record: Box<ModelRecord>,
            signature: WorkerSignature,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::ensure_acts_for(&who, &node)?;
            Self::do_register_model(node, *record, signature)
        }

        /// Retire a candidate. Origin: the node that produced it, or its member.
        #[pallet::call_index(3)]
        pub fn retire_model(origin: OriginFor<T>, model: H256) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_retire_model(&who, &model)
        }

        /// Give a model another status. Origin: governing.
        ///
        /// A new champion replaces the topic's champion on the same base, which becomes warm.
        #[pallet::call_index(4)]
        pub fn set_status(
            origin: OriginFor<T>,
            model: H256,
            status: ModelStatus,
        ) -> DispatchResult {
            T::GovernOrigin::ensure_origin(origin)?;
            Self::do_set_status(&model, status)
        }

        /// Remove a retired model, to make room. Origin: governing. It can be registered again.
        #[pallet::call_index(5)]
        pub fn remove_model(origin: OriginFor<T>, model: H256) -> DispatchResult {
            T::GovernOrigin::ensure_origin(origin)?;
            Self::do_remove_model(&model)
        }

        /// Declare that a node serves a base, with or without an adapter. Origin: the node or its member.
        ///
        /// `capacity` is the number of requests that it answers at the same time. Declaring the same again changes the capacity.
        #[pallet::call_index(6)]
        pub fn serve(
            origin: OriginFor<T>,
            node: NodeId,
            base: H256,
            adapter: Option<H256>,
            capacity: u32,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::ensure_acts_for(&who, &node)?;
            Self::ensure_active(&node)?;
            Self::do_serve(
                &node,
                Served {
                    base,
                    adapter,
                    capacity,
                },
            )
        }

        /// Take a declaration back. Origin: the node or its member, whatever their status.
        #[pallet::call_index(7)]
        pub fn stop_serving(
            origin: OriginFor<T>,
            node: NodeId,
            base: H256,
            adapter: Option<H256>,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::ensure_acts_for(&who, &node)?;
            Self::do_stop_serving(node, base, adapter)
        }
    }
}
