//! A chain with the canaries pallet, whose transactions are the real thing. Node `n` is run by member `100 + n` unless said otherwise.

use crate as pallet_canaries;
use crate::types::{Refusal, Served};
use codec::Encode;
use frame_support::{
    derive_impl,
    dispatch::GetDispatchInfo,
    parameter_types,
    traits::{ConstU32, Get, Hooks, Randomness, Time},
};
use frame_system::{AuthorizeCall, EnsureRoot};
use sp_core::Pair;
use sp_runtime::{
    AccountId32, BuildStorage, MultiSignature, generic,
    traits::{Applyable, BlakeTwo256, Checkable, IdentityLookup},
    transaction_validity::{
        InvalidTransaction, TransactionSource, TransactionValidityError, ValidTransaction,
    },
};
use std::collections::BTreeMap;
use touchstone_primitives::{
    H256, Moment, NodeId,
    apis::TopicId,
    canary::{Answer, Commitments, Revealed, TopicRules, Windows, commitment, duties},
    checkers::Checker,
    consortium::{NodeRole, NodeStatus, Roles},
    evidence::{ModelsOf, Offence, RecordEvidence, Scored},
    fixed::Fixed,
    generators,
    traits::{MembershipOf, NodeView},
    worker::{WorkerId, WorkerPair},
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
    pub type Canaries = pallet_canaries;
    #[runtime::pallet_index(2)]
    pub type Balances = pallet_balances;
}

pub type TxExtension = (AuthorizeCall<Test>,);
pub type Extrinsic =
    generic::UncheckedExtrinsic<AccountId32, RuntimeCall, MultiSignature, TxExtension>;
pub type Block = generic::Block<generic::Header<u32, BlakeTwo256>, Extrinsic>;

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type AccountId = AccountId32;
    type Block = Block;
    type Lookup = IdentityLookup<AccountId32>;
    type AccountData = pallet_balances::AccountData<u64>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type AccountStore = System;
}

parameter_types! {
    pub static Nodes: BTreeMap<NodeId, (NodeId, NodeStatus)> = BTreeMap::new();
    /// Worker keys other than [`worker`].
    pub static Workers: BTreeMap<NodeId, WorkerId> = BTreeMap::new();
    /// Everything that was handed to the reputation pallet.
    pub static Recorded: Vec<(NodeId, TopicId, Vec<Scored>)> = Vec::new();
    /// Nodes, their outcomes at shared instances, and those of their peers.
    pub static Compared: Vec<(NodeId, Fixed, Fixed)> = Vec::new();
    /// What blind audits handed to it: node, topic, the auditor's member, evidence.
    pub static Secret: Vec<(NodeId, TopicId, NodeId, Vec<Scored>)> = Vec::new();
    /// Worker keys that nodes had before.
    pub static Former: Vec<(NodeId, WorkerId)> = Vec::new();
    pub static Changed: Vec<(NodeId, TopicId)> = Vec::new();
    pub static SettledPerBlock: u32 = 16;
    pub static KeptRounds: u32 = 100;
}

pub const DAY: Moment = 86_400_000;
pub const HALF_LIFE: Moment = 30 * DAY;
pub const EPOCH: u32 = 20;
/// Deposit of a canary; members have [`CREDIT`].
pub const DEPOSIT: u64 = 10;
pub const CREDIT: u64 = 1_000;
pub const WINDOWS: Windows = Windows {
    open: 5,
    commit: 8,
    reveal: 6,
};
pub const TOPICS: u32 = 30;
pub const SLOTS: u8 = 8;
pub const MODEL: Served = Served {
    base: H256::repeat_byte(1),
    adapter: None,
};

parameter_types! {
    pub Commons: NodeId = NodeId::new([250; 32]);
}

impl pallet_canaries::Config for Test {
    type CanaryDeposit = frame_support::traits::ConstU64<DEPOSIT>;
    type Commons = Commons;
    type Currency = Balances;
    type Epoch = Epoch;
    type Evidence = Recorder;
    type GovernOrigin = EnsureRoot<AccountId32>;
    type HalfLife = frame_support::traits::ConstU64<HALF_LIFE>;
    type KeptRounds = KeptRounds;
    type MaxValidity = ConstU32<50>;
    type Membership = Consortium;
    type Models = Models;
    type Randomness = Beacon;
    type RuntimeHoldReason = RuntimeHoldReason;
    type SettledPerBlock = SettledPerBlock;
    type Time = Clock;
    type WeightInfo = ();
}

impl frame_system::offchain::CreateTransactionBase<pallet_canaries::Call<Test>> for Test {
    type Extrinsic = Extrinsic;
    type RuntimeCall = RuntimeCall;
}
impl frame_system::offchain::CreateTransaction<pallet_canaries::Call<Test>> for Test {
    type Extension = TxExtension;
    fn create_transaction(call: RuntimeCall, extension: TxExtension) -> Extrinsic {
        Extrinsic::new_transaction(call, extension)
    }
}
impl frame_system::offchain::CreateAuthorizedTransaction<pallet_canaries::Call<Test>> for Test {
    fn create_extension() -> TxExtension {
        (AuthorizeCall::new(),)
    }
}

/// Epochs of [`EPOCH`] blocks.
pub struct Epoch;
impl Get<u32> for Epoch {
    fn get() -> u32 {
        System::block_number() / EPOCH
    }
}

/// Three seconds a block, and it moves once an epoch: so nothing depends on the block in which something is settled.
pub struct Clock;
impl Time for Clock {
    type Moment = Moment;
    fn now() -> Moment {
        u64::from(Epoch::get() * EPOCH) * 3_000
    }
}

pub struct Beacon;
impl Randomness<H256, u32> for Beacon {
    fn random(subject: &[u8]) -> (H256, u32) {
        let epoch = Epoch::get();
        (
            H256(sp_io::hashing::blake2_256(&(subject, epoch).encode())),
            epoch * EPOCH,
        )
    }
}

pub struct Recorder;
impl RecordEvidence for Recorder {
    fn record(node: &NodeId, topic: TopicId, scored: &[Scored]) {
        let mut all = Recorded::get();
        all.push((node.clone(), topic, scored.to_vec()));
        Recorded::set(all);
    }
    fn compare(node: &NodeId, _: TopicId, own: Fixed, peers: Fixed) {
        let mut all = Compared::get();
        all.push((node.clone(), own, peers));
        Compared::set(all);
    }
    fn record_secret(node: &NodeId, topic: TopicId, auditor: &NodeId, scored: &[Scored]) {
        let mut all = Secret::get();
        all.push((node.clone(), topic, auditor.clone(), scored.to_vec()));
        Secret::set(all);
    }
    fn manifest_changed(node: &NodeId, topic: TopicId) {
        let mut all = Changed::get();
        all.push((node.clone(), topic));
        Changed::set(all);
    }
    fn offence(_: &NodeId, _: TopicId, _: Offence) {
        panic!("rounds punish nobody")
    }
}

/// Topics 0 to 29; base 1 serves them all, adapter 2 serves topic 0 only.
pub struct Models;
impl ModelsOf for Models {
    fn is_topic(topic: TopicId) -> bool {
        topic < TOPICS
    }
    fn topic_name(topic: TopicId) -> Option<Vec<u8>> {
        Self::is_topic(topic).then(|| format!("topic {topic}").into())
    }
    fn may_serve(topic: TopicId, base: &H256, adapter: Option<&H256>) -> bool {
        *base == MODEL.base
            && adapter.is_none_or(|adapter| *adapter == H256::repeat_byte(2) && topic == 0)
    }
    #[cfg(feature = "runtime-benchmarks")]
    fn create_for_benchmark(_: TopicId) -> H256 {
        MODEL.base
    }
}

pub struct Consortium;
impl MembershipOf<AccountId32> for Consortium {
    fn is_active_member(_: &AccountId32) -> bool {
        true
    }
    fn node(node: &NodeId) -> Option<NodeView<AccountId32>> {
        let (member, status) = Nodes::get().get(node)?.clone();
        Some(NodeView {
            member,
            roles: match *node >= self::node(250) {
                true => Roles::of(&[NodeRole::Validator]),
                false => Roles::of(&[NodeRole::Validator, NodeRole::Auditor]),
            },
            status,
        })
    }
    fn worker_key(node: &NodeId) -> Option<WorkerId> {
        Nodes::get().get(node)?;
        let registered = Workers::get().get(node).cloned();
        Some(registered.unwrap_or_else(|| worker(node).public()))
    }
    fn was_worker_key(node: &NodeId, key: &WorkerId, _: Moment) -> bool {
        Self::worker_key(node).as_ref() == Some(key)
            || Former::get().contains(&(node.clone(), key.clone()))
    }
    #[cfg(feature = "runtime-benchmarks")]
    fn create_for_benchmark(member: &AccountId32, node: &NodeId, worker: WorkerId) {
        set_node(node.clone(), member.clone(), NodeStatus::Active);
        let mut workers = Workers::get();
        workers.insert(node.clone(), worker);
        Workers::set(workers);
    }
}

pub fn node(n: u8) -> NodeId {
    NodeId::new([n; 32])
}

pub fn member(n: u8) -> NodeId {
    NodeId::new([100 + n; 32])
}

pub fn worker(node: &NodeId) -> WorkerPair {
    WorkerPair::from_seed(node.as_ref())
}

pub fn set_node(node: NodeId, member: NodeId, status: NodeStatus) {
    let mut nodes = Nodes::get();
    nodes.insert(node, (member, status));
    Nodes::set(nodes);
}

pub fn set_status(n: u8, status: NodeStatus) {
    set_node(node(n), member(n), status);
}

pub fn rules(families: &[(&str, u8)]) -> TopicRules {
    let families: Vec<_> = families
        .iter()
        .map(|(name, level)| (generators::named(name).unwrap().id(), *level))
        .collect();
    TopicRules {
        families: families.try_into().unwrap(),
        slots: SLOTS,
        authored: 4,
    }
}

/// Answers of a node to a round: what it writes for each slot, `None` for nothing.
pub type Written = Vec<Option<String>>;

/// The right answers of a node's duties.
pub fn right_answers(round: u32, node: &NodeId) -> Written {
    Canaries::duties(round, node.clone())
        .into_iter()
        .map(|duty| match duty.checker? {
            Checker::Number { value, .. } => Some(String::from_utf8(value).unwrap()),
            Checker::Exact { accept, .. } => Some(String::from_utf8(accept[0].clone()).unwrap()),
            other => panic!("{other:?}"),
        })
        .collect()
}

pub fn salt(round: u32, slot: u8) -> [u8; 32] {
    sp_io::hashing::blake2_256(&(round, slot).encode())
}

pub fn hashes(round: u32, node: &NodeId, written: &Written) -> Commitments {
    let facts = Canaries::round(round).unwrap().facts;
    let group = Consortium::node(node).unwrap().member;
    let genesis = System::block_hash(0);
    let hashes: Vec<H256> = duties(&facts, &group)
        .iter()
        .zip(written)
        .map(|(duty, text)| match text {
            Some(text) => commitment(
                &genesis,
                round,
                &duty.instance,
                node,
                &salt(round, duty.slot),
                text.as_bytes(),
            ),
            None => H256::zero(),
        })
        .collect();
    hashes.try_into().unwrap()
}

/// A commitment signed by this key.
pub fn signed_by(
    pair: &WorkerPair,
    node: &NodeId,
    round: u32,
    hashes: Commitments,
    valid_until: u32,
) -> RuntimeCall {
    let message = Canaries::commit_submission(node, round, &hashes, valid_until);
    RuntimeCall::Canaries(pallet_canaries::Call::commit {
        node: node.clone(),
        round,
        hashes,
        valid_until,
        signature: pair.sign(message.as_bytes()),
    })
}

/// The commitment that the node's worker sends.
pub fn commit_call(round: u32, node: &NodeId, written: &Written) -> RuntimeCall {
    let hashes = hashes(round, node, written);
    signed_by(
        &worker(node),
        node,
        round,
        hashes,
        System::block_number() + 5,
    )
}

pub fn revealed(round: u32, written: &Written) -> Vec<Revealed> {
    (0u8..)
        .zip(written)
        .filter_map(|(slot, text)| {
            Some(Revealed {
                slot,
                salt: salt(round, slot),
                answer: Answer::try_from(text.clone()?.into_bytes()).unwrap(),
            })
        })
        .collect()
}

pub fn reveal_call(round: u32, node: &NodeId, answers: Vec<Revealed>) -> RuntimeCall {
    RuntimeCall::Canaries(pallet_canaries::Call::reveal {
        node: node.clone(),
        round,
        answers: answers.try_into().unwrap(),
    })
}

pub type Applied = Result<(), Failure>;

/// How a transaction fails.
#[derive(Debug, PartialEq)]
pub enum Failure {
    /// In the pool, and the block that includes it is invalid.
    Refused(InvalidTransaction),
    /// In the block.
    Dispatched(sp_runtime::DispatchError),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<TransactionValidityError> for Failure {
    fn from(error: TransactionValidityError) -> Self {
        match error {
            TransactionValidityError::Invalid(invalid) => Self::Refused(invalid),
            TransactionValidityError::Unknown(unknown) => panic!("{unknown:?}"),
        }
    }
}

/// What the transaction pool says of the call.
pub fn validate(call: RuntimeCall) -> Result<ValidTransaction, Failure> {
    let transaction = Extrinsic::new_transaction(call, (AuthorizeCall::new(),));
    let (info, len) = (transaction.get_dispatch_info(), transaction.encoded_size());
    let checked = Checkable::check(transaction, &frame_system::ChainContext::<Test>::default())?;
    Ok(checked.validate::<Test>(TransactionSource::External, &info, len)?)
}

/// Includes the call in the current block.
pub fn apply(call: RuntimeCall) -> Applied {
    let transaction = Extrinsic::new_transaction(call, (AuthorizeCall::new(),));
    let (info, len) = (transaction.get_dispatch_info(), transaction.encoded_size());
    let checked = Checkable::check(transaction, &frame_system::ChainContext::<Test>::default())?;
    checked
        .apply::<Test>(&info, len)?
        .map(|_| ())
        .map_err(|failed| Failure::Dispatched(failed.error))
}

pub fn events() -> Vec<pallet_canaries::Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Canaries(event) => Some(event),
            _ => None,
        })
        .collect()
}

/// Runs to this block.
pub fn run_to(block: u32) {
    while System::block_number() < block {
        let next = System::block_number() + 1;
        System::set_block_number(next);
        Canaries::on_initialize(next);
    }
}

pub fn run_to_epoch(epoch: u32) {
    run_to(epoch * EPOCH);
}

/// Commits and reveals everything that the nodes write, then runs to the block in which the round is settled.
pub fn play(round: u32, answers: &[(NodeId, Written)]) {
    for (node, written) in answers {
        apply(commit_call(round, node, written)).unwrap();
    }
    run_to(Canaries::round(round).unwrap().facts.reveal_from());
    for (node, written) in answers {
        let answers = revealed(round, written);
        if !answers.is_empty() {
            apply(reveal_call(round, node, answers)).unwrap();
        }
    }
    finish(round);
}

/// Runs until the round is settled.
pub fn finish(round: u32) {
    let epoch = Canaries::round(round).unwrap().facts.epoch;
    run_to_epoch(epoch + 1);
    for _ in 0..1000 {
        if Canaries::round(round).is_none_or(|round| round.settled) {
            return;
        }
        run_to(System::block_number() + 1);
    }
    panic!("round {round} is never settled");
}

/// What was recorded for a node on topic 0.
pub fn recorded(node: &NodeId) -> Vec<Scored> {
    Recorded::get()
        .into_iter()
        .filter(|(of, topic, _)| of == node && *topic == 0)
        .flat_map(|(_, _, scored)| scored)
        .collect()
}

/// Four nodes of four members serve topic 0 from the first epoch on. Block 1 has begun, and with it round 0.
pub fn new_test_ext() -> sp_io::TestExternalities {
    Nodes::set(BTreeMap::new());
    Recorded::set(Vec::new());
    Compared::set(Vec::new());
    Changed::set(Vec::new());
    Secret::set(Vec::new());
    Former::set(Vec::new());
    Workers::set(BTreeMap::new());
    SettledPerBlock::set(16);
    KeptRounds::set(100);
    for n in 1..=4 {
        set_status(n, NodeStatus::Active);
    }
    let config = RuntimeGenesisConfig {
        system: Default::default(),
        balances: pallet_balances::GenesisConfig {
            balances: (1..=9)
                .map(|n| (member(n), CREDIT))
                .chain([(Commons::get(), 1)])
                .collect(),
            ..Default::default()
        },
        canaries: pallet_canaries::GenesisConfig {
            windows: Some(WINDOWS),
            topics: vec![(0, rules(&[("addition", 2), ("multiplication", 3)]))],
            enrolments: (1..=4).map(|n| (0, node(n), MODEL.base, None)).collect(),
            ..Default::default()
        },
    };
    let mut ext = sp_io::TestExternalities::new(config.build_storage().unwrap());
    ext.execute_with(|| run_to(1));
    ext
}

/// Runs a test and checks the state after it.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        Canaries::do_try_state().unwrap();
    });
}

/// An empty chain with a keystore, for benchmarks.
#[cfg(feature = "runtime-benchmarks")]
pub fn bench_ext() -> sp_io::TestExternalities {
    Nodes::set(BTreeMap::new());
    let storage = frame_system::GenesisConfig::<Test>::default().build_storage();
    let mut ext = sp_io::TestExternalities::new(storage.unwrap());
    let keystore = sp_keystore::testing::MemoryKeystore::new();
    ext.register_extension(sp_keystore::KeystoreExt::new(keystore));
    ext
}
