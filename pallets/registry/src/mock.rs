//! A chain with the registry and a consortium of two members.

use crate::{self as pallet_registry, types::TopicRecord};
use frame_support::{derive_impl, parameter_types, traits::ConstU32};
use frame_system::{EnsureRoot, mocking::MockBlock};
use sp_core::Pair;
use sp_runtime::{AccountId32, BuildStorage, traits::IdentityLookup};
use std::collections::BTreeMap;
use touchstone_primitives::{
    H256, Moment, NodeId,
    apis::{ModelFormat, TopicId},
    consortium::{NodeRole, NodeStatus, Roles},
    model::{ModelKind, ModelRecord},
    provenance::{Class, Openness, Policy, Provenance, Text, Tier},
    traits::{MembershipOf, NodeView},
    worker::{WorkerId, WorkerPair, WorkerSignature},
};

#[frame_support::runtime]
mod runtime {
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
    pub struct Test;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(1)]
    pub type Registry = pallet_registry;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type AccountId = AccountId32;
    type Block = MockBlock<Test>;
    type Lookup = IdentityLookup<AccountId32>;
}

impl pallet_registry::Config for Test {
    type GovernOrigin = EnsureRoot<AccountId32>;
    type MaxCandidates = ConstU32<3>;
    type MaxCapacity = ConstU32<100>;
    type MaxChampions = ConstU32<2>;
    type MaxModels = ConstU32<8>;
    type MaxServing = ConstU32<3>;
    type MaxTopics = ConstU32<3>;
    type Membership = Consortium;
    type WeightInfo = ();
}

#[derive(Clone)]
pub struct MockNode {
    pub member: AccountId32,
    pub roles: Roles,
    pub status: NodeStatus,
    pub worker: WorkerId,
}

parameter_types! {
    pub static Nodes: BTreeMap<NodeId, MockNode> = BTreeMap::new();
}

pub struct Consortium;
impl MembershipOf<AccountId32> for Consortium {
    fn is_active_member(who: &AccountId32) -> bool {
        Nodes::get().values().any(|node| node.member == *who)
    }
    fn node(node: &NodeId) -> Option<NodeView<AccountId32>> {
        let MockNode {
            member,
            roles,
            status,
            ..
        } = Nodes::get().get(node)?.clone();
        Some(NodeView {
            member,
            roles,
            status,
        })
    }
    fn worker_key(node: &NodeId) -> Option<WorkerId> {
        Some(Nodes::get().get(node)?.worker.clone())
    }
    fn was_worker_key(node: &NodeId, key: &WorkerId, _: Moment) -> bool {
        Self::worker_key(node).as_ref() == Some(key)
    }
    #[cfg(feature = "runtime-benchmarks")]
    fn create_for_benchmark(member: &AccountId32, node: &NodeId, worker: WorkerId) {
        let roles = Roles((1 << 6) - 1);
        let view = MockNode {
            member: member.clone(),
            roles,
            status: NodeStatus::Active,
            worker,
        };
        change_nodes(|nodes| nodes.insert(node.clone(), view));
    }
}

pub fn change_nodes<R>(change: impl FnOnce(&mut BTreeMap<NodeId, MockNode>) -> R) -> R {
    let mut nodes = Nodes::get();
    let result = change(&mut nodes);
    Nodes::set(nodes);
    result
}

pub fn account(n: u8) -> AccountId32 {
    AccountId32::new([n; 32])
}
/// A member with a producing node.
pub fn member() -> AccountId32 {
    account(1)
}
pub fn producer() -> NodeId {
    account(11)
}
/// Another member with a node that may only validate.
pub fn other_member() -> AccountId32 {
    account(2)
}
pub fn validator() -> NodeId {
    account(12)
}
/// Nobody.
pub fn stranger() -> AccountId32 {
    account(99)
}

pub fn worker(node: &NodeId) -> WorkerPair {
    WorkerPair::from_seed(node.as_ref())
}

pub fn text(s: &str) -> Text {
    s.as_bytes().to_vec().try_into().unwrap()
}
pub fn hash(n: u8) -> H256 {
    H256::repeat_byte(n)
}

pub fn provenance(lineage: &str, jurisdiction: &[u8; 2]) -> Provenance {
    Provenance {
        base_lineage: text(lineage),
        data_sources: vec![text("web")].try_into().unwrap(),
        architecture: text("llama"),
        operator: text("somebody"),
        jurisdiction: *jurisdiction,
        method: text("pretrain"),
        openness: Openness::Weights,
    }
}

/// A base of lineage `olmo` from the US.
pub fn base(n: u8) -> ModelRecord {
    ModelRecord {
        hash: hash(n),
        name: text("base"),
        size: 1_000,
        format: ModelFormat::Gguf,
        kind: ModelKind::Base,
        licence: text("Apache-2.0"),
        recipe: None,
        provenance: provenance("olmo", b"US"),
    }
}

/// An adapter of `base` for `topic`, from the US.
pub fn adapter(n: u8, base: H256, topic: TopicId) -> ModelRecord {
    ModelRecord {
        hash: hash(n),
        name: text("adapter"),
        size: 10,
        format: ModelFormat::Safetensors,
        kind: ModelKind::Adapter { base, topic },
        licence: text("Apache-2.0"),
        recipe: Some(hash(200)),
        provenance: Provenance {
            method: text("qlora"),
            ..provenance("olmo", b"US")
        },
    }
}

pub fn topic(name: &str, tier: Tier, jurisdictions: &[[u8; 2]]) -> TopicRecord {
    let jurisdictions = jurisdictions.to_vec().try_into().unwrap();
    let policy = Policy {
        jurisdictions,
        ..Policy::default()
    };
    TopicRecord {
        name: text(name),
        tier,
        class: Class::A,
        policy,
    }
}

pub fn sign(node: &NodeId, record: &ModelRecord) -> WorkerSignature {
    worker(node).sign(Registry::declaration(node, record).as_bytes())
}

pub fn register(record: ModelRecord) -> frame_support::dispatch::DispatchResult {
    let signature = sign(&producer(), &record);
    let origin = RuntimeOrigin::signed(producer());
    Registry::register_model(origin, producer(), Box::new(record), signature)
}

pub fn genesis(config: pallet_registry::GenesisConfig<Test>) -> sp_io::TestExternalities {
    let node = |member: AccountId32, node: NodeId, roles: &[NodeRole]| {
        let worker = worker(&node).public();
        let status = NodeStatus::Active;
        (
            node,
            MockNode {
                member,
                roles: Roles::of(roles),
                status,
                worker,
            },
        )
    };
    Nodes::set(BTreeMap::from([
        node(member(), producer(), &[NodeRole::Producer]),
        node(other_member(), validator(), &[NodeRole::Validator]),
    ]));
    let config = RuntimeGenesisConfig {
        registry: config,
        ..Default::default()
    };
    let mut ext = sp_io::TestExternalities::new(config.build_storage().unwrap());
    ext.register_extension(sp_keystore::KeystoreExt::new(
        sp_keystore::testing::MemoryKeystore::new(),
    ));
    ext.execute_with(|| System::set_block_number(1));
    ext
}

/// For the benchmarks' tests.
#[cfg(feature = "runtime-benchmarks")]
pub fn empty() -> sp_io::TestExternalities {
    genesis(Default::default())
}

/// Runs the test on a chain without models and with two topics, 0 of T1 and 1 of T3 for the US, then checks the state.
pub fn run(test: impl FnOnce()) {
    run_with(Default::default(), || {
        for topic in [
            topic("code", Tier::T1, &[]),
            topic("strategy", Tier::T3, &[*b"US"]),
        ] {
            let TopicRecord {
                name,
                tier,
                class,
                policy,
            } = topic;
            Registry::register_topic(RuntimeOrigin::root(), name, tier, class, policy).unwrap();
        }
        test()
    })
}

pub fn run_with(config: pallet_registry::GenesisConfig<Test>, test: impl FnOnce()) {
    genesis(config).execute_with(|| {
        test();
        Registry::do_try_state().unwrap();
    })
}

pub fn last_event() -> pallet_registry::Event<Test> {
    match System::events().pop().unwrap().event {
        RuntimeEvent::Registry(event) => event,
        other => panic!("{other:?}"),
    }
}
