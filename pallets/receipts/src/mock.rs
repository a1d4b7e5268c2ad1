//! A chain with the receipts pallet and one gateway, whose transactions are the real thing.

use crate as pallet_receipts;
use crate::types::Refusal;
use codec::{Decode, Encode};
use frame_support::{
    derive_impl,
    dispatch::GetDispatchInfo,
    parameter_types,
    traits::{ConstU32, Hooks},
};
use frame_system::AuthorizeCall;
use sp_core::{
    Pair,
    offchain::{
        OffchainDbExt, OffchainWorkerExt, TransactionPoolExt,
        testing::{PoolState, TestOffchainExt, TestTransactionPoolExt},
    },
};
use sp_keystore::{Keystore, KeystoreExt, testing::MemoryKeystore};
use sp_runtime::{
    AccountId32, BuildStorage, MultiSignature, generic,
    traits::{Applyable, BlakeTwo256, Checkable, IdentityLookup},
    transaction_validity::{
        InvalidTransaction, TransactionSource, TransactionValidityError, ValidTransaction,
    },
};
use std::{collections::BTreeMap, sync::Arc};
use touchstone_primitives::{
    H256, Moment, NodeId,
    consortium::{NodeRole, NodeStatus, Roles},
    mailbox::AnchorTask,
    traits::{MembershipOf, NodeView},
    worker::{KEY_TYPE, WorkerId, WorkerPair},
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
    pub type Receipts = pallet_receipts;
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
}

parameter_types! {
    pub static Retention: u32 = 20;
    pub static Nodes: BTreeMap<NodeId, MockNode> = BTreeMap::new();
}

pub const MAX_BATCH: u32 = 8;
pub const MAX_VALIDITY: u32 = 10;

impl pallet_receipts::Config for Test {
    type Activity = ();
    type MaxBatch = ConstU32<MAX_BATCH>;
    type MaxBatchesPerBlock = ConstU32<2>;
    type MaxPruned = ConstU32<3>;
    type MaxValidity = ConstU32<MAX_VALIDITY>;
    type Membership = Consortium;
    type Retention = Retention;
    type WeightInfo = ();
}

impl frame_system::offchain::CreateTransactionBase<pallet_receipts::Call<Test>> for Test {
    type Extrinsic = Extrinsic;
    type RuntimeCall = RuntimeCall;
}
impl frame_system::offchain::CreateTransaction<pallet_receipts::Call<Test>> for Test {
    type Extension = TxExtension;
    fn create_transaction(call: RuntimeCall, extension: TxExtension) -> Extrinsic {
        Extrinsic::new_transaction(call, extension)
    }
}
impl frame_system::offchain::CreateAuthorizedTransaction<pallet_receipts::Call<Test>> for Test {
    fn create_extension() -> TxExtension {
        (AuthorizeCall::new(),)
    }
}

#[derive(Clone)]
pub struct MockNode {
    pub roles: Roles,
    pub status: NodeStatus,
    pub worker: WorkerId,
}

pub struct Consortium;
impl MembershipOf<AccountId32> for Consortium {
    fn is_active_member(_: &AccountId32) -> bool {
        false
    }
    fn node(node: &NodeId) -> Option<NodeView<AccountId32>> {
        let MockNode { roles, status, .. } = Nodes::get().get(node)?.clone();
        Some(NodeView {
            member: AccountId32::new([0; 32]),
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
    fn create_for_benchmark(_: &AccountId32, node: &NodeId, worker: WorkerId) {
        let roles = Roles((1 << 6) - 1);
        change_nodes(|nodes| {
            nodes.insert(
                node.clone(),
                MockNode {
                    roles,
                    status: NodeStatus::Active,
                    worker,
                },
            )
        });
    }
}

pub fn change_nodes<R>(change: impl FnOnce(&mut BTreeMap<NodeId, MockNode>) -> R) -> R {
    let mut nodes = Nodes::get();
    let result = change(&mut nodes);
    Nodes::set(nodes);
    result
}

pub fn change_gateway(change: impl FnOnce(&mut MockNode)) {
    change_nodes(|nodes| change(nodes.get_mut(&gateway()).unwrap()))
}

/// An active gateway.
pub fn gateway() -> NodeId {
    NodeId::new([11; 32])
}
/// Another one.
pub fn other_gateway() -> NodeId {
    NodeId::new([12; 32])
}
/// A node that is active and no gateway.
pub fn validator() -> NodeId {
    NodeId::new([13; 32])
}

pub fn worker(node: &NodeId) -> WorkerPair {
    WorkerPair::from_seed(node.as_ref())
}

/// A batch of the gateway; its root says which one it is.
pub fn batch(stream: u32, first: u64, last: u64) -> AnchorTask {
    batch_of(gateway(), stream, first, last)
}

pub fn batch_of(node: NodeId, stream: u32, first: u64, last: u64) -> AnchorTask {
    let root = H256(sp_io::hashing::blake2_256(
        &(&node, stream, first, last).encode(),
    ));
    AnchorTask {
        node,
        stream,
        first,
        last,
        root,
        policy_version: 1,
    }
}

pub fn call(
    task: AnchorTask,
    valid_until: u32,
    signature: touchstone_primitives::worker::WorkerSignature,
) -> RuntimeCall {
    let AnchorTask {
        node,
        stream,
        first,
        last,
        root,
        policy_version,
    } = task;
    RuntimeCall::Receipts(pallet_receipts::Call::anchor_batch {
        node,
        stream,
        first,
        last,
        root,
        policy_version,
        valid_until,
        signature,
    })
}

/// The submission of this batch, signed by this key.
pub fn signed_by(pair: &WorkerPair, task: &AnchorTask, valid_until: u32) -> RuntimeCall {
    let signature = pair.sign(Receipts::submission(task, valid_until).as_bytes());
    call(task.clone(), valid_until, signature)
}

/// The submission of this batch as the node's worker makes it.
pub fn submission(task: &AnchorTask) -> RuntimeCall {
    signed_by(&worker(&task.node), task, System::block_number() + 5)
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
    apply_transaction(Extrinsic::new_transaction(call, (AuthorizeCall::new(),)))
}

pub fn apply_transaction(transaction: Extrinsic) -> Applied {
    let (info, len) = (transaction.get_dispatch_info(), transaction.encoded_size());
    let checked = Checkable::check(transaction, &frame_system::ChainContext::<Test>::default())?;
    let result = checked.apply::<Test>(&info, len)?;
    result
        .map(|_| ())
        .map_err(|error| Failure::Dispatched(error.error))
}

pub fn anchor(task: &AnchorTask) -> Applied {
    apply(submission(task))
}

pub fn go_to(block: u32) {
    while System::block_number() < block {
        let now = System::block_number() + 1;
        System::set_block_number(now);
        System::reset_events();
        Receipts::on_initialize(now);
    }
}

pub fn events() -> Vec<pallet_receipts::Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Receipts(event) => Some(event),
            _ => None,
        })
        .collect()
}

pub fn new_test_ext() -> sp_io::TestExternalities {
    let node = |node: NodeId, role| {
        let (roles, worker) = (Roles::of(&[role]), worker(&node).public());
        (
            node,
            MockNode {
                roles,
                status: NodeStatus::Active,
                worker,
            },
        )
    };
    Retention::set(20);
    Nodes::set(BTreeMap::from([
        node(gateway(), NodeRole::Gateway),
        node(other_gateway(), NodeRole::Gateway),
        node(validator(), NodeRole::Validator),
    ]));
    let mut ext =
        sp_io::TestExternalities::new(RuntimeGenesisConfig::default().build_storage().unwrap());
    ext.register_extension(KeystoreExt::new(MemoryKeystore::new()));
    ext.execute_with(|| System::set_block_number(1));
    ext
}

/// Runs the test at block 1, then checks the state.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        Receipts::do_try_state().unwrap();
    })
}

/// The node's side of the offchain hook.
pub struct Node {
    pub pool: Arc<parking_lot::RwLock<PoolState>>,
}

impl Node {
    /// What the hook has sent since the last call.
    pub fn sent(&self) -> Vec<Extrinsic> {
        let sent = std::mem::take(&mut self.pool.write().transactions);
        sent.iter()
            .map(|bytes| Extrinsic::decode(&mut &bytes[..]).unwrap())
            .collect()
    }
}

/// Runs the test on a node whose keystore holds the worker keys of these nodes.
pub fn run_node(keys: &[NodeId], test: impl FnOnce(Node)) {
    let mut ext = new_test_ext();
    let (offchain, _) = TestOffchainExt::with_offchain_db(ext.offchain_db());
    let (pool, state) = TestTransactionPoolExt::new();
    let keystore = MemoryKeystore::new();
    for node in keys {
        let seed = format!(
            "0x{}",
            sp_core::hexdisplay::HexDisplay::from(AsRef::<[u8; 32]>::as_ref(node))
        );
        let public = keystore
            .sr25519_generate_new(KEY_TYPE, Some(&seed))
            .unwrap();
        assert_eq!(
            public.0.to_vec(),
            AsRef::<[u8]>::as_ref(&worker(node).public())
        );
    }
    ext.register_extension(OffchainDbExt::new(offchain.clone()));
    ext.register_extension(OffchainWorkerExt::new(offchain));
    ext.register_extension(TransactionPoolExt::new(pool));
    ext.register_extension(KeystoreExt::new(keystore));
    ext.execute_with(|| {
        test(Node { pool: state });
        Receipts::do_try_state().unwrap();
    })
}
