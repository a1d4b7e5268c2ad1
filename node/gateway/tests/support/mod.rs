//! A gateway without a chain: fake state, keys in memory, a journal in a temporary folder.

#![allow(dead_code)]

use parking_lot::Mutex;
use sp_keystore::{Keystore, KeystorePtr, testing::MemoryKeystore};
use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use touchstone_gateway::{Answerer, Ask, BlockRef, ChainState, Limits, Network, StateError};
use touchstone_inference::{
    DummyEngine, Engine, EngineError, Finish, Generated, Job, Load, ModelInfo, ModelState, Piece,
    Progress, ScoreQuery, ScoredPosition,
};
use touchstone_primitives::{
    AccountId32, H256, Moment, NodeId,
    apis::{
        self, BatchInfo, MemberInfo, ModelFormat, ModelStatus, NamespaceInfo, NodeInfo, RootInfo,
        StreamHead, TopicInfo,
    },
    consortium::{HardwareTier, MemberStatus, NodeRole, NodeStatus, Roles},
    memory::{NamespaceId, Rights, rights},
    provenance::{Class, Openness, Policy, Provenance, Tier},
    receipt::Beacon,
    worker::{KEY_TYPE, WorkerId},
};
use touchstone_rpc::AskRequest;
use touchstone_workers::Journal;

pub const GENESIS: H256 = H256::repeat_byte(9);
pub const NODE: NodeId = NodeId::new([8; 32]);
pub const MEMBER: AccountId32 = AccountId32::new([7; 32]);

/// What the pretended chain says; tests change it at will.
pub struct State {
    pub genesis: H256,
    pub best: u32,
    pub finalized: u32,
    pub now: Moment,
    pub syncing: bool,
    pub unreadable: bool,
    pub node: Option<NodeInfo>,
    pub topics: Vec<TopicInfo>,
    pub models: Vec<apis::ModelInfo>,
    pub batches: Vec<BatchInfo>,
    pub head: StreamHead,
    pub namespaces: Vec<NamespaceInfo>,
    pub roots: Vec<RootInfo>,
    pub writers: Vec<AccountId32>,
}

pub struct FakeChain(pub Mutex<State>);

pub fn block_hash(number: u32) -> H256 {
    H256::from_low_u64_be(u64::from(number) + 1)
}

impl FakeChain {
    fn read<T>(&self, f: impl FnOnce(&State) -> T) -> Result<T, StateError> {
        let state = self.0.lock();
        match state.unreadable {
            true => Err(StateError("state is pruned".into())),
            false => Ok(f(&state)),
        }
    }
}

impl ChainState for FakeChain {
    fn genesis(&self) -> H256 {
        self.0.lock().genesis
    }
    fn best(&self) -> BlockRef {
        let number = self.0.lock().best;
        BlockRef {
            number,
            hash: block_hash(number),
        }
    }
    fn finalized(&self) -> BlockRef {
        let number = self.0.lock().finalized;
        BlockRef {
            number,
            hash: block_hash(number),
        }
    }
    fn hash_of(&self, number: u32) -> Result<Option<H256>, StateError> {
        self.read(|state| (number <= state.best).then(|| block_hash(number)))
    }
    fn network(&self) -> Network {
        Network {
            peers: 3,
            is_syncing: self.0.lock().syncing,
        }
    }
    fn now(&self, _: H256) -> Result<Moment, StateError> {
        self.read(|state| state.now)
    }
    fn beacon(&self, _: H256) -> Result<Beacon, StateError> {
        self.read(|_| Beacon {
            session: 4,
            randomness: H256::repeat_byte(5),
        })
    }
    fn topics(&self, _: H256) -> Result<Vec<TopicInfo>, StateError> {
        self.read(|state| state.topics.clone())
    }
    fn models(&self, _: H256) -> Result<Vec<apis::ModelInfo>, StateError> {
        self.read(|state| state.models.clone())
    }
    fn members(&self, _: H256) -> Result<Vec<MemberInfo>, StateError> {
        self.read(|_| {
            vec![MemberInfo {
                member: MEMBER,
                legal_name_hash: H256::zero(),
                jurisdiction: *b"DE",
                status: MemberStatus::Active,
                nodes: vec![NODE],
            }]
        })
    }
    fn node(&self, _: H256, node: &NodeId) -> Result<Option<NodeInfo>, StateError> {
        self.read(|state| state.node.clone().filter(|known| known.node == *node))
    }
    fn node_of_worker(&self, _: H256, key: &WorkerId) -> Result<Option<NodeId>, StateError> {
        self.read(|state| {
            state
                .node
                .as_ref()
                .filter(|node| node.worker_key == *key)
                .map(|node| node.node.clone())
        })
    }
    fn worker_key_at(
        &self,
        at: H256,
        node: &NodeId,
        _: Moment,
    ) -> Result<Option<WorkerId>, StateError> {
        Ok(self.node(at, node)?.map(|node| node.worker_key))
    }
    fn batch_of(
        &self,
        at: H256,
        _: &NodeId,
        stream: u32,
        sequence: u64,
    ) -> Result<Option<BatchInfo>, StateError> {
        self.read(|state| {
            let holds = |b: &&BatchInfo| {
                b.stream == stream
                    && (b.first..=b.last).contains(&sequence)
                    && (0..=b.block)
                        .map(block_hash)
                        .all(|older| older != at || older == block_hash(b.block))
            };
            state.batches.iter().find(holds).cloned()
        })
    }
    fn head(&self, _: H256, _: &NodeId) -> Result<StreamHead, StateError> {
        self.read(|state| state.head)
    }
    fn namespace(&self, _: H256, id: &NamespaceId) -> Result<Option<NamespaceInfo>, StateError> {
        self.read(|state| state.namespaces.iter().find(|n| n.id == *id).cloned())
    }
    fn namespaces(&self, _: H256) -> Result<Vec<NamespaceInfo>, StateError> {
        self.read(|state| state.namespaces.clone())
    }
    fn memory_root(
        &self,
        at: H256,
        id: &NamespaceId,
        version: u64,
    ) -> Result<Option<RootInfo>, StateError> {
        let kept = self.memory_history(at, id)?;
        Ok(kept.into_iter().find(|root| root.state.version == version))
    }
    fn memory_history(&self, _: H256, id: &NamespaceId) -> Result<Vec<RootInfo>, StateError> {
        self.read(|state| {
            let of = |root: &&RootInfo| root.state.namespace == *id;
            state.roots.iter().filter(of).cloned().collect()
        })
    }
    fn memory_rights(
        &self,
        _: H256,
        id: &NamespaceId,
        who: &AccountId32,
    ) -> Result<Rights, StateError> {
        self.read(|state| {
            let Some(info) = state.namespaces.iter().find(|n| n.id == *id) else {
                return Rights::default();
            };
            let granted = Rights {
                write: state.writers.contains(who),
                hold: true,
            };
            let is_node = *who == NODE;
            rights(
                info.writers,
                info.visibility,
                info.owner == *who,
                is_node,
                granted,
            )
        })
    }
}

/// Writes until it is told to stop.
pub struct Endless {
    pub delay: Duration,
    /// Answers that have begun.
    pub begun: Arc<AtomicUsize>,
    inner: DummyEngine,
}

impl Endless {
    pub fn new(delay: Duration) -> Self {
        Self {
            delay,
            begun: Arc::default(),
            inner: DummyEngine::new(),
        }
    }
}

impl Engine for Endless {
    fn models(&self) -> Vec<ModelInfo> {
        self.inner.models()
    }
    fn generate(
        &self,
        _: &Job,
        sink: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Generated, EngineError> {
        self.begun.fetch_add(1, Relaxed);
        loop {
            std::thread::sleep(self.delay);
            let piece = Piece {
                text: "on ".into(),
                token_ids: vec![1],
                logprobs: vec![-1.0],
            };
            if sink(piece).is_break() {
                break;
            }
        }
        Ok(Generated {
            text: String::new(),
            token_ids: vec![],
            prompt_token_ids: vec![],
            finish: Finish::Cancelled,
            manifest: self.models().remove(0).manifest,
            queued: Duration::ZERO,
            prefill: Duration::ZERO,
            decode: Duration::ZERO,
        })
    }
    fn score(&self, _: &ScoreQuery) -> Result<Vec<ScoredPosition>, EngineError> {
        Err(EngineError::Unsupported("score"))
    }
    fn embed(&self, _: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        Err(EngineError::Unsupported("embed"))
    }
    fn load(&self) -> Load {
        Load::default()
    }
}

/// The dummy engine with one adapter, both in the state that the test wants.
pub struct Loads {
    pub state: Mutex<ModelState>,
    inner: DummyEngine,
}

impl Loads {
    /// It has read 43 of 100 bytes.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(ModelState::Loading(Progress {
                read: 43,
                size: 100,
            })),
            inner: DummyEngine::new().adapter("law"),
        })
    }
}

impl Engine for Loads {
    fn models(&self) -> Vec<ModelInfo> {
        let mut models = self.inner.models();
        for model in &mut models {
            model.state = self.state.lock().clone();
        }
        models
    }
    fn generate(
        &self,
        job: &Job,
        sink: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Generated, EngineError> {
        self.inner.generate(job, sink)
    }
    fn score(&self, query: &ScoreQuery) -> Result<Vec<ScoredPosition>, EngineError> {
        self.inner.score(query)
    }
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        self.inner.embed(texts)
    }
    fn load(&self) -> Load {
        self.inner.load()
    }
}

/// An engine whose model could not be loaded, or that panics.
pub struct Broken(pub Option<ModelState>);

impl Engine for Broken {
    fn models(&self) -> Vec<ModelInfo> {
        let mut model = DummyEngine::new().models().remove(0);
        model.state = self.0.clone().unwrap_or(ModelState::Ready);
        vec![model]
    }
    fn generate(
        &self,
        _: &Job,
        _: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Generated, EngineError> {
        panic!("a bug in the engine")
    }
    fn score(&self, _: &ScoreQuery) -> Result<Vec<ScoredPosition>, EngineError> {
        Err(EngineError::Unsupported("score"))
    }
    fn embed(&self, _: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        Err(EngineError::Unsupported("embed"))
    }
    fn load(&self) -> Load {
        Load::default()
    }
}

pub struct Gateway {
    pub answerer: Arc<Answerer>,
    pub chain: Arc<FakeChain>,
    pub journal: Arc<Journal>,
    pub key: WorkerId,
    _folder: tempfile::TempDir,
}

pub fn wall_clock() -> Moment {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis() as u64
}

/// No limit on the rate.
pub fn generous() -> Limits {
    Limits {
        per_minute: 6_000_000,
        burst: 1_000_000,
        ..Limits::default()
    }
}

/// A gateway with the dummy engine.
pub fn gateway() -> Gateway {
    gateway_with(Some(Arc::new(DummyEngine::new())), generous())
}

pub fn gateway_with(engine: Option<Arc<dyn Engine>>, limits: Limits) -> Gateway {
    let keystore = MemoryKeystore::new();
    let key: WorkerId = keystore
        .sr25519_generate_new(KEY_TYPE, None)
        .unwrap()
        .into();
    let keystore: KeystorePtr = Arc::new(keystore);
    let node = NodeInfo {
        node: NODE,
        member: MEMBER,
        roles: Roles::of(&[NodeRole::Validator, NodeRole::Gateway]),
        tier: HardwareTier::Light,
        status: NodeStatus::Active,
        peer_id: vec![],
        addresses: vec![],
        worker_key: key.clone(),
        bond: 0,
    };
    let chain = Arc::new(FakeChain(Mutex::new(State {
        genesis: GENESIS,
        best: 12,
        finalized: 10,
        now: wall_clock(),
        syncing: false,
        unreadable: false,
        node: Some(node),
        topics: vec![topic("general", Tier::T2), topic("health", Tier::T3)],
        models: vec![],
        batches: vec![],
        head: StreamHead::default(),
        namespaces: Vec::new(),
        roots: Vec::new(),
        writers: Vec::new(),
    })));
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(Journal::open(&folder.path().join("journal"), GENESIS).unwrap());
    let answerer = Answerer::new(engine, chain.clone(), keystore, journal.clone(), limits);
    Gateway {
        answerer,
        chain,
        journal,
        key,
        _folder: folder,
    }
}

fn topic(name: &str, tier: Tier) -> TopicInfo {
    TopicInfo {
        id: 0,
        name: name.as_bytes().to_vec(),
        tier,
        class: Class::C,
        policy: Policy::default(),
    }
}

/// The dummy engine's model, as the registry would hold it.
pub fn registered() -> apis::ModelInfo {
    let text = |s: &str| s.as_bytes().to_vec().try_into().unwrap();
    apis::ModelInfo {
        hash: DummyEngine::new().models()[0].manifest.base,
        name: b"dummy".to_vec(),
        size: 1,
        format: ModelFormat::Gguf,
        base: None,
        topic: None,
        licence: b"Apache-2.0".to_vec(),
        recipe: None,
        provenance: Provenance {
            base_lineage: text("dummy"),
            data_sources: vec![text("none")].try_into().unwrap(),
            architecture: text("none"),
            operator: text("us"),
            jurisdiction: *b"DE",
            method: text("none"),
            openness: Openness::Full,
        },
        producer: NODE,
        status: ModelStatus::Champion,
    }
}

pub fn ask(prompt: &str) -> Ask {
    let request = AskRequest {
        prompt: Some(prompt.into()),
        ..AskRequest::default()
    };
    Ask {
        request,
        ..Ask::default()
    }
}

/// Waits for a condition.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never happens that {what}");
}
