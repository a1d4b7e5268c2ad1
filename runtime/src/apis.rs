//! Runtime APIs.

use crate::{
    AccountId, BABE_GENESIS_EPOCH_CONFIG, Babe, Balance, Block, Canaries, Consortium, Executive,
    Grandpa, Historical, InherentDataExt, Memory, Nonce, Receipts, Registry, Reputation, Runtime,
    RuntimeCall, RuntimeGenesisConfig, SLOT_DURATION, SessionKeys, System, TransactionPayment,
    VERSION, genesis,
};
use alloc::vec::Vec;
use frame_support::{
    genesis_builder_helper::{build_state, get_preset},
    traits::Get,
    weights::Weight,
};
use pallet_grandpa::AuthorityId as GrandpaId;
use sp_api::impl_runtime_apis;
use sp_core::{H256, OpaqueMetadata, crypto::KeyTypeId};
use sp_runtime::{
    ApplyExtrinsicResult,
    traits::{Block as BlockT, NumberFor},
    transaction_validity::{TransactionSource, TransactionValidity},
};
use sp_session::OpaqueGeneratedSessionKeys;
use sp_version::RuntimeVersion;
use touchstone_primitives::{
    NodeId,
    apis::{
        BatchInfo, CanaryTopicInfo, Correlations, DutyInfo, EnrolmentInfo, Explanation, FamilyInfo,
        GroupInfo, Leader, MemberInfo, ModelInfo, NamespaceInfo, NodeInfo, NotProven, Ranking,
        RootInfo, RoundInfo, ServingInfo, StreamHead, TopicId, TopicInfo, TopicStanding, Watched,
    },
    canary::Commitments,
    evidence::{Offence, RingEntry},
    memory::{self, NamespaceId, Rights, tree},
    merkle::Proof,
    reputation::{Fold, Knobs, Penalty},
    worker::WorkerId,
};

impl_runtime_apis! {
    impl sp_api::Core<Block> for Runtime {
        fn version() -> RuntimeVersion {
            VERSION
        }

        fn execute_block(block: <Block as BlockT>::LazyBlock) {
            Executive::execute_block(block)
        }

        fn initialize_block(header: &<Block as BlockT>::Header) -> sp_runtime::ExtrinsicInclusionMode {
            Executive::initialize_block(header)
        }
    }

    impl sp_api::Metadata<Block> for Runtime {
        fn metadata() -> OpaqueMetadata {
            OpaqueMetadata::new(Runtime::metadata().into())
        }

        fn metadata_at_version(version: u32) -> Option<OpaqueMetadata> {
            Runtime::metadata_at_version(version)
        }

        fn metadata_versions() -> Vec<u32> {
            Runtime::metadata_versions()
        }
    }

    impl frame_support::view_functions::runtime_api::RuntimeViewFunction<Block> for Runtime {
        fn execute_view_function(
            id: frame_support::view_functions::ViewFunctionId,
            input: Vec<u8>,
        ) -> Result<Vec<u8>, frame_support::view_functions::ViewFunctionDispatchError> {
            Runtime::execute_view_function(id, input)
        }
    }

    impl sp_block_builder::BlockBuilder<Block> for Runtime {
        fn apply_extrinsic(extrinsic: <Block as BlockT>::Extrinsic) -> ApplyExtrinsicResult {
            Executive::apply_extrinsic(extrinsic)
        }

        fn finalize_block() -> <Block as BlockT>::Header {
            Executive::finalize_block()
        }

        fn inherent_extrinsics(data: sp_inherents::InherentData) -> Vec<<Block as BlockT>::Extrinsic> {
            data.create_extrinsics()
        }

        fn check_inherents(
            block: <Block as BlockT>::LazyBlock,
            data: sp_inherents::InherentData,
        ) -> sp_inherents::CheckInherentsResult {
            data.check_extrinsics(&block)
        }
    }

    impl sp_transaction_pool::runtime_api::TaggedTransactionQueue<Block> for Runtime {
        fn validate_transaction(
            source: TransactionSource,
            tx: <Block as BlockT>::Extrinsic,
            block_hash: <Block as BlockT>::Hash,
        ) -> TransactionValidity {
            Executive::validate_transaction(source, tx, block_hash)
        }
    }

    impl sp_offchain::OffchainWorkerApi<Block> for Runtime {
        fn offchain_worker(header: &<Block as BlockT>::Header) {
            Executive::offchain_worker(header)
        }
    }

    impl sp_consensus_babe::BabeApi<Block> for Runtime {
        fn configuration() -> sp_consensus_babe::BabeConfiguration {
            let epoch_config = Babe::epoch_config().unwrap_or(BABE_GENESIS_EPOCH_CONFIG);
            sp_consensus_babe::BabeConfiguration {
                slot_duration: SLOT_DURATION,
                epoch_length: <Runtime as pallet_babe::Config>::EpochDuration::get(),
                c: epoch_config.c,
                authorities: Babe::authorities().to_vec(),
                randomness: Babe::randomness(),
                allowed_slots: epoch_config.allowed_slots,
            }
        }

        fn current_epoch_start() -> sp_consensus_babe::Slot {
            Babe::current_epoch_start()
        }

        fn current_epoch() -> sp_consensus_babe::Epoch {
            Babe::current_epoch()
        }

        fn next_epoch() -> sp_consensus_babe::Epoch {
            Babe::next_epoch()
        }

        fn generate_key_ownership_proof(
            _slot: sp_consensus_babe::Slot,
            authority_id: sp_consensus_babe::AuthorityId,
        ) -> Option<sp_consensus_babe::OpaqueKeyOwnershipProof> {
            use codec::Encode;
            use frame_support::traits::KeyOwnerProofSystem;
            Historical::prove((sp_consensus_babe::KEY_TYPE, authority_id))
                .map(|p| p.encode())
                .map(sp_consensus_babe::OpaqueKeyOwnershipProof::new)
        }

        fn submit_report_equivocation_unsigned_extrinsic(
            equivocation_proof: sp_consensus_babe::EquivocationProof<<Block as BlockT>::Header>,
            key_owner_proof: sp_consensus_babe::OpaqueKeyOwnershipProof,
        ) -> Option<()> {
            Babe::submit_unsigned_equivocation_report(equivocation_proof, key_owner_proof.decode()?)
        }
    }

    impl sp_consensus_grandpa::GrandpaApi<Block> for Runtime {
        fn grandpa_authorities() -> sp_consensus_grandpa::AuthorityList {
            Grandpa::grandpa_authorities()
        }

        fn current_set_id() -> sp_consensus_grandpa::SetId {
            pallet_grandpa::CurrentSetId::<Runtime>::get()
        }

        fn submit_report_equivocation_unsigned_extrinsic(
            equivocation_proof: sp_consensus_grandpa::EquivocationProof<
                <Block as BlockT>::Hash,
                NumberFor<Block>,
            >,
            key_owner_proof: sp_consensus_grandpa::OpaqueKeyOwnershipProof,
        ) -> Option<()> {
            Grandpa::submit_unsigned_equivocation_report(
                equivocation_proof,
                key_owner_proof.decode()?,
            )
        }

        fn generate_key_ownership_proof(
            _set_id: sp_consensus_grandpa::SetId,
            authority_id: GrandpaId,
        ) -> Option<sp_consensus_grandpa::OpaqueKeyOwnershipProof> {
            use codec::Encode;
            use frame_support::traits::KeyOwnerProofSystem;
            Historical::prove((sp_consensus_grandpa::KEY_TYPE, authority_id))
                .map(|p| p.encode())
                .map(sp_consensus_grandpa::OpaqueKeyOwnershipProof::new)
        }
    }

    impl sp_session::SessionKeys<Block> for Runtime {
        fn generate_session_keys(owner: Vec<u8>, seed: Option<Vec<u8>>) -> OpaqueGeneratedSessionKeys {
            SessionKeys::generate(&owner, seed).into()
        }

        fn decode_session_keys(encoded: Vec<u8>) -> Option<Vec<(Vec<u8>, KeyTypeId)>> {
            SessionKeys::decode_into_raw_public_keys(&encoded)
        }
    }

    impl frame_system_rpc_runtime_api::AccountNonceApi<Block, AccountId, Nonce> for Runtime {
        fn account_nonce(account: AccountId) -> Nonce {
            System::account_nonce(account)
        }
    }

    impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentApi<Block, Balance> for Runtime {
        fn query_info(
            uxt: <Block as BlockT>::Extrinsic,
            len: u32,
        ) -> pallet_transaction_payment_rpc_runtime_api::RuntimeDispatchInfo<Balance> {
            TransactionPayment::query_info(uxt, len)
        }

        fn query_fee_details(
            uxt: <Block as BlockT>::Extrinsic,
            len: u32,
        ) -> pallet_transaction_payment::FeeDetails<Balance> {
            TransactionPayment::query_fee_details(uxt, len)
        }

        fn query_weight_to_fee(weight: Weight) -> Balance {
            TransactionPayment::weight_to_fee(weight)
        }

        fn query_length_to_fee(length: u32) -> Balance {
            TransactionPayment::length_to_fee(length)
        }
    }

    impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentCallApi<Block, Balance, RuntimeCall>
        for Runtime
    {
        fn query_call_info(
            call: RuntimeCall,
            len: u32,
        ) -> pallet_transaction_payment::RuntimeDispatchInfo<Balance> {
            TransactionPayment::query_call_info(call, len)
        }

        fn query_call_fee_details(
            call: RuntimeCall,
            len: u32,
        ) -> pallet_transaction_payment::FeeDetails<Balance> {
            TransactionPayment::query_call_fee_details(call, len)
        }

        fn query_weight_to_fee(weight: Weight) -> Balance {
            TransactionPayment::weight_to_fee(weight)
        }

        fn query_length_to_fee(length: u32) -> Balance {
            TransactionPayment::length_to_fee(length)
        }
    }

    impl sp_genesis_builder::GenesisBuilder<Block> for Runtime {
        fn build_state(config: Vec<u8>) -> sp_genesis_builder::Result {
            build_state::<RuntimeGenesisConfig>(config)
        }

        fn get_preset(id: &Option<sp_genesis_builder::PresetId>) -> Option<Vec<u8>> {
            get_preset::<RuntimeGenesisConfig>(id, genesis::preset)
        }

        fn preset_names() -> Vec<sp_genesis_builder::PresetId> {
            genesis::preset_names()
        }
    }

    impl touchstone_primitives::apis::ConsortiumApi<Block> for Runtime {
        fn members() -> Vec<MemberInfo> {
            Consortium::member_infos()
        }

        fn nodes() -> Vec<NodeInfo> {
            Consortium::node_infos()
        }

        fn node(node: NodeId) -> Option<NodeInfo> {
            Consortium::node_info(&node)
        }

        fn node_of_worker(worker: WorkerId) -> Option<NodeId> {
            Consortium::node_of_worker(&worker)
        }

        fn worker_key_at(node: NodeId, at: u64) -> Option<WorkerId> {
            Consortium::worker_key_at(&node, at)
        }
    }

    impl touchstone_primitives::apis::RegistryApi<Block> for Runtime {
        fn topics() -> Vec<TopicInfo> {
            Registry::topics()
        }

        fn models() -> Vec<ModelInfo> {
            Registry::models()
        }

        fn serving() -> Vec<ServingInfo> {
            Registry::serving()
        }
    }

    impl touchstone_primitives::apis::CanariesApi<Block> for Runtime {
        fn epoch() -> u32 {
            Canaries::epoch()
        }

        fn canary_topics() -> Vec<CanaryTopicInfo> {
            Canaries::canary_topics()
        }

        fn enrolments() -> Vec<EnrolmentInfo> {
            Canaries::enrolments()
        }

        fn rounds() -> Vec<RoundInfo> {
            Canaries::rounds()
        }

        fn round(id: u32) -> Option<RoundInfo> {
            Canaries::round(id)
        }

        fn duties(round: u32, node: NodeId) -> Vec<DutyInfo> {
            Canaries::duties(round, node)
        }

        fn canary(id: u32) -> Option<touchstone_primitives::apis::CanaryInfo> {
            Canaries::canary(id)
        }

        fn canaries(topic: TopicId) -> Vec<touchstone_primitives::apis::CanaryInfo> {
            Canaries::canaries(topic)
        }

        fn commitments(round: u32, node: NodeId) -> Option<Commitments> {
            Canaries::commitments(round, node)
        }

        fn revealed(round: u32, node: NodeId) -> Vec<u8> {
            Canaries::revealed(round, node)
        }

        fn family_rates(topic: TopicId) -> Vec<FamilyInfo> {
            Canaries::family_rates(topic)
        }

        fn audits(epoch: u32) -> Vec<(NodeId, touchstone_primitives::audit::Audit)> {
            Canaries::audits(epoch)
        }

        fn may_declare_audit(auditor: NodeId) -> bool {
            Canaries::may_declare_audit(&auditor)
        }

        fn audit_targets(
            auditor: NodeId,
            epoch: u32,
            output: touchstone_primitives::audit::VrfOutput,
        ) -> Vec<touchstone_primitives::audit::Target> {
            Canaries::audit_targets(&auditor, epoch, &output)
        }
    }

    impl touchstone_primitives::apis::ReputationApi<Block> for Runtime {
        fn vector(node: NodeId) -> Vec<TopicStanding> {
            Reputation::vector(&node)
        }

        fn ranking(topic: TopicId) -> Ranking {
            Reputation::ranking(topic)
        }

        fn explain(node: NodeId, topic: TopicId) -> Option<Explanation> {
            Reputation::explain(&node, topic)
        }

        fn history(node: NodeId, topic: TopicId) -> Vec<Fold> {
            Reputation::history(&node, topic)
        }

        fn ring(node: NodeId, topic: TopicId) -> Vec<RingEntry> {
            Reputation::ring(&node, topic)
        }

        fn correlations(topic: TopicId) -> Correlations {
            Reputation::correlations(topic)
        }

        fn watched(topic: TopicId) -> Vec<Watched> {
            Reputation::watched(topic)
        }

        fn leaderboard(places: u32) -> Vec<Leader> {
            Reputation::leaderboard(places)
        }

        fn group(member: NodeId) -> GroupInfo {
            Reputation::group_info(&member)
        }

        fn knobs(topic: TopicId) -> Knobs {
            Reputation::knobs_of(topic)
        }

        fn penalties() -> Vec<(Offence, Penalty)> {
            Reputation::penalties()
        }
    }

    impl touchstone_primitives::apis::ReceiptsApi<Block> for Runtime {
        fn batch_of(gateway: NodeId, stream: u32, sequence: u64) -> Option<BatchInfo> {
            Receipts::batch_of(gateway, stream, sequence)
        }

        fn head(gateway: NodeId) -> StreamHead {
            Receipts::head(gateway)
        }

        fn is_anchored(gateway: NodeId, stream: u32, sequence: u64, id: H256, proof: Proof) -> bool {
            Receipts::is_anchored(gateway, stream, sequence, id, proof)
        }
    }

    impl touchstone_primitives::apis::MemoryApi<Block> for Runtime {
        fn namespace(id: NamespaceId) -> Option<NamespaceInfo> {
            Memory::namespace(id)
        }

        fn namespaces(after: Option<NamespaceId>, limit: u32) -> Vec<NamespaceInfo> {
            Memory::namespaces(after, limit)
        }

        fn memory_root(id: NamespaceId, version: u64) -> Option<RootInfo> {
            Memory::memory_root(id, version)
        }

        fn memory_history(id: NamespaceId) -> Vec<RootInfo> {
            Memory::memory_history(id)
        }

        fn memory_rights(id: NamespaceId, who: AccountId) -> Rights {
            Memory::memory_rights(id, who)
        }

        fn memory_verify(
            id: NamespaceId,
            version: u64,
            keys: Vec<memory::Key>,
            proof: tree::Proof,
        ) -> Result<Vec<Option<memory::Value>>, NotProven> {
            Memory::memory_verify(id, version, &keys, &proof)
        }
    }

    #[cfg(feature = "runtime-benchmarks")]
    impl frame_benchmarking::Benchmark<Block> for Runtime {
        fn benchmark_metadata(extra: bool) -> (
            Vec<frame_benchmarking::BenchmarkList>,
            Vec<frame_support::traits::StorageInfo>,
        ) {
            use crate::*;
            use frame_benchmarking::BenchmarkList;
            use frame_support::traits::StorageInfoTrait;
            let mut list = Vec::<BenchmarkList>::new();
            list_benchmarks!(list, extra);
            (list, AllPalletsWithSystem::storage_info())
        }

        fn dispatch_benchmark(
            config: frame_benchmarking::BenchmarkConfig,
        ) -> Result<Vec<frame_benchmarking::BenchmarkBatch>, alloc::string::String> {
            use crate::*;
            use frame_benchmarking::BenchmarkBatch;
            use frame_support::traits::WhitelistedStorageKeys;
            let whitelist = AllPalletsWithSystem::whitelisted_storage_keys();
            let mut batches = Vec::<BenchmarkBatch>::new();
            let params = (&config, &whitelist);
            add_benchmarks!(params, batches);
            Ok(batches)
        }
    }

    #[cfg(feature = "try-runtime")]
    impl frame_try_runtime::TryRuntime<Block> for Runtime {
        fn on_runtime_upgrade(checks: frame_try_runtime::UpgradeCheckSelect) -> (Weight, Weight) {
            let weight = Executive::try_runtime_upgrade(checks).unwrap_or_else(|e| panic!("{e:?}"));
            (weight, crate::configs::BlockWeights::get().max_block)
        }

        fn execute_block(
            block: <Block as BlockT>::LazyBlock,
            state_root_check: bool,
            signature_check: bool,
            select: frame_try_runtime::TryStateSelect,
        ) -> Weight {
            Executive::try_execute_block(block, state_root_check, signature_check, select)
                .unwrap_or_else(|e| panic!("{e:?}"))
        }
    }
}
