//! A chain with the memory pallet, two members and two nodes, whose transactions are the real thing.

use crate as pallet_memory;
use crate::types::{Name, Refusal};
use codec::Encode;
use frame_support::{
    derive_impl,
    dispatch::{DispatchResult, GetDispatchInfo},
    parameter_types,
    traits::{ConstU32, ConstU64, fungible::InspectHold},
};
use frame_system::{AuthorizeCall, EnsureRoot};
use sp_core::{Pair, sr25519};
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
    consortium::{NodeStatus, Roles},
    memory::{
        Commit, Kind, NamespaceId, Rights, State, Visibility, Writer, Writers, namespace_id, tree,
    },
    traits::{MembershipOf, NodeView},
    worker::WorkerId,
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
    pub type Balances = pallet_balances;
    #[runtime::pallet_index(2)]
    pub type Memory = pallet_memory;
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
    pub static Nodes: BTreeMap<NodeId, (NodeStatus, WorkerId)> = BTreeMap::new();
    pub static Members: Vec<AccountId32> = Vec::new();
    pub static Price: u64 = DEPOSIT;
}

pub const DEPOSIT: u64 = 10;
pub const CREDIT: u64 = 1_000;
pub const MAX_BYTES: u64 = 1_000_000;
pub const MAX_COMMITS: u32 = 3;
pub const MAX_VALIDITY: u32 = 10;

impl pallet_memory::Config for Test {
    type CouncilOrigin = EnsureRoot<AccountId32>;
    type Currency = Balances;
    type Deposit = Price;
    type MaxBytes = ConstU64<MAX_BYTES>;
    type MaxCommitsPerBlock = ConstU32<MAX_COMMITS>;
    type MaxProofSteps = ConstU32<4096>;
    type MaxValidity = ConstU32<MAX_VALIDITY>;
    type Membership = Consortium;
    type RuntimeHoldReason = RuntimeHoldReason;
    type WeightInfo = ();
}

impl frame_system::offchain::CreateTransactionBase<pallet_memory::Call<Test>> for Test {
    type Extrinsic = Extrinsic;
    type RuntimeCall = RuntimeCall;
}
impl frame_system::offchain::CreateTransaction<pallet_memory::Call<Test>> for Test {
    type Extension = TxExtension;
    fn create_transaction(call: RuntimeCall, extension: TxExtension) -> Extrinsic {
        Extrinsic::new_transaction(call, extension)
    }
}
impl frame_system::offchain::CreateAuthorizedTransaction<pallet_memory::Call<Test>> for Test {
    fn create_extension() -> TxExtension {
        (AuthorizeCall::new(),)
    }
}

pub struct Consortium;
impl MembershipOf<AccountId32> for Consortium {
    fn is_active_member(who: &AccountId32) -> bool {
        Members::get().contains(who)
    }
    fn node(node: &NodeId) -> Option<NodeView<AccountId32>> {
        let (status, _) = Nodes::get().get(node)?.clone();
        Some(NodeView {
            member: member(),
            roles: Roles::default(),
            status,
        })
    }
    fn worker_key(node: &NodeId) -> Option<WorkerId> {
        Some(Nodes::get().get(node)?.1.clone())
    }
    fn was_worker_key(node: &NodeId, key: &WorkerId, _: Moment) -> bool {
        Self::worker_key(node).as_ref() == Some(key)
    }
    #[cfg(feature = "runtime-benchmarks")]
    fn create_for_benchmark(member: &AccountId32, node: &NodeId, worker: WorkerId) {
        Members::mutate(|members| members.push(member.clone()));
        change_nodes(|nodes| nodes.insert(node.clone(), (NodeStatus::Active, worker)));
    }
}

pub fn change_nodes<R>(
    change: impl FnOnce(&mut BTreeMap<NodeId, (NodeStatus, WorkerId)>) -> R,
) -> R {
    let mut nodes = Nodes::get();
    let result = change(&mut nodes);
    Nodes::set(nodes);
    result
}

pub fn set_status(node: &NodeId, status: NodeStatus) {
    change_nodes(|nodes| nodes.get_mut(node).unwrap().0 = status)
}

/// The key of somebody; their account is its public half.
pub fn pair(seed: u8) -> sr25519::Pair {
    sr25519::Pair::from_seed(&[seed; 32])
}
fn account(seed: u8) -> AccountId32 {
    pair(seed).public().into()
}
/// A member, who owns what [`create`] makes.
pub fn member() -> AccountId32 {
    account(1)
}
/// Another member.
pub fn other_member() -> AccountId32 {
    account(2)
}
/// Somebody with an account.
pub fn stranger() -> AccountId32 {
    account(3)
}
/// An active node, and another one. Their accounts' keys are those of seeds 11 and 12.
pub fn node() -> NodeId {
    account(11)
}
pub fn other_node() -> NodeId {
    account(12)
}
/// Key that the worker of a node signs with.
pub fn worker(node: &NodeId) -> sr25519::Pair {
    sr25519::Pair::from_seed(&sp_io::hashing::blake2_256(node.as_ref()))
}
pub fn by_node() -> Writer {
    Writer::Node(node())
}
pub fn by(account: AccountId32) -> Writer {
    Writer::Account(account)
}

/// The key that a writer of these tests signs with.
pub fn key_of(writer: &Writer) -> sr25519::Pair {
    match writer {
        Writer::Node(node) => worker(node),
        Writer::Account(of) => (0..=255)
            .map(pair)
            .find(|pair| AccountId32::from(pair.public()) == *of)
            .unwrap(),
    }
}

pub fn name(name: &str) -> Name {
    name.as_bytes().to_vec().try_into().unwrap()
}
pub fn signed(who: AccountId32) -> RuntimeOrigin {
    RuntimeOrigin::signed(who)
}
pub const WRITE: Rights = Rights {
    write: true,
    hold: false,
};
pub const NOTHING: Rights = Rights {
    write: false,
    hold: false,
};

/// Creates a public namespace of the member's.
pub fn create(name: &str, writers: Writers) -> NamespaceId {
    create_by(member(), name, writers).unwrap();
    namespace_id(name)
}

pub fn create_by(who: AccountId32, of: &str, writers: Writers) -> DispatchResult {
    Memory::create_namespace(
        signed(who.clone()),
        name(of),
        Kind::Topic,
        who,
        writers,
        Visibility::Public,
    )
}

/// Leaves of the tree of version `version`: as many as its number, at other keys and with other values in each version.
pub fn leaves(version: u64) -> Vec<(H256, H256)> {
    let hash = |what: &str, n: u64| H256(sp_io::hashing::blake2_256(&(what, version, n).encode()));
    (0..version)
        .map(|n| (hash("key", n), hash("value", n)))
        .collect()
}

/// The state of a namespace at this version.
pub fn state(namespace: NamespaceId, version: u64) -> State {
    State {
        namespace,
        version,
        count: version,
        tree: tree::root(&leaves(version)),
    }
}

/// A proof of what this version holds at these keys.
pub fn prove(version: u64, keys: &[H256]) -> tree::Proof {
    let changes: Vec<_> = leaves(version)
        .into_iter()
        .map(|(key, value)| (key, Some(value)))
        .collect();
    let tree = tree::update(&BTreeMap::new(), tree::EMPTY, &changes).unwrap();
    tree::prove(&tree.written, tree.root, keys).unwrap()
}

/// The commit that goes on from the newest root of a namespace to this version.
pub fn commit(namespace: NamespaceId, version: u64) -> Commit {
    let previous = Memory::namespace(namespace).map_or_else(
        || State::empty(namespace).root(),
        |namespace| namespace.root,
    );
    Commit {
        previous,
        state: state(namespace, version),
        batch: H256(sp_io::hashing::blake2_256(&version.encode())),
        bytes: version * 100,
    }
}

pub fn call(
    writer: Writer,
    commit: Commit,
    valid_until: u32,
    signature: sr25519::Signature,
) -> RuntimeCall {
    RuntimeCall::Memory(pallet_memory::Call::commit_root {
        writer,
        commit,
        valid_until,
        signature,
    })
}

/// The submission of this commit, signed by this key.
pub fn signed_by(
    key: &sr25519::Pair,
    writer: Writer,
    commit: Commit,
    valid_until: u32,
) -> RuntimeCall {
    let message = commit.message(&Memory::genesis(), &writer, valid_until.into());
    call(writer, commit, valid_until, key.sign(message.as_bytes()))
}

/// The submission of this commit as the writer makes it.
pub fn submission(writer: Writer, commit: Commit) -> RuntimeCall {
    signed_by(&key_of(&writer), writer, commit, System::block_number() + 5)
}

/// The writer commits; the next version of the namespace if nothing else is said.
pub fn submit(writer: Writer, commit: Commit) -> Applied {
    apply(submission(writer, commit))
}

/// The member commits these versions, each in a block of its own.
pub fn commit_versions(namespace: NamespaceId, versions: impl IntoIterator<Item = u64>) {
    for version in versions {
        next_block();
        submit(by(member()), commit(namespace, version)).unwrap();
    }
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

/// Puts the call into the block as the pool's transaction would be.
pub fn apply(call: RuntimeCall) -> Applied {
    let transaction = Extrinsic::new_transaction(call, (AuthorizeCall::new(),));
    let (info, len) = (transaction.get_dispatch_info(), transaction.encoded_size());
    let checked = Checkable::check(transaction, &frame_system::ChainContext::<Test>::default())?;
    let result = checked.apply::<Test>(&info, len)?;
    result
        .map(|_| ())
        .map_err(|error| Failure::Dispatched(error.error))
}

pub fn next_block() {
    go_to(System::block_number() + 1)
}

pub fn go_to(block: u32) {
    System::set_block_number(block);
    System::reset_events();
}

pub fn held(who: &AccountId32) -> u64 {
    Balances::balance_on_hold(&pallet_memory::HoldReason::Namespace.into(), who)
}

pub fn last_event() -> pallet_memory::Event<Test> {
    let found = System::events()
        .into_iter()
        .rev()
        .find_map(|record| match record.event {
            RuntimeEvent::Memory(event) => Some(event),
            _ => None,
        });
    found.unwrap()
}

pub fn new_test_ext() -> sp_io::TestExternalities {
    Price::set(DEPOSIT);
    Members::set(vec![member(), other_member()]);
    let nodes = [node(), other_node()].map(|node| {
        let worker = worker(&node).public().into();
        (node, (NodeStatus::Active, worker))
    });
    Nodes::set(BTreeMap::from(nodes));
    let config = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: [member(), other_member(), stranger()]
                .map(|who| (who, CREDIT))
                .to_vec(),
            ..Default::default()
        },
        ..Default::default()
    };
    let mut ext = sp_io::TestExternalities::new(config.build_storage().unwrap());
    ext.register_extension(sp_keystore::KeystoreExt::new(
        sp_keystore::testing::MemoryKeystore::new(),
    ));
    ext.execute_with(|| System::set_block_number(1));
    ext
}

/// Runs the test at block 1, then checks the state.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        Memory::do_try_state().unwrap();
    })
}
