//! A chain with the reputation pallet. Members are 1 to 99; node `n` is run by the member that [`Nodes`] says.

use crate as pallet_reputation;
use frame_support::{derive_impl, parameter_types, traits::Time};
use frame_system::EnsureRoot;
use sp_runtime::{AccountId32, BuildStorage, traits::IdentityLookup};
use std::collections::BTreeMap;
use touchstone_primitives::{
    H256, Moment, NodeId,
    apis::TopicId,
    consortium::{NodeStatus, Roles},
    evidence::{BondOf, NullRateOf, OriginOf, RecordEvidence, Scored},
    fixed::Fixed,
    independence::Origin,
    reputation::Knobs,
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
    pub type Reputation = pallet_reputation;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type AccountId = AccountId32;
    type Block = frame_system::mocking::MockBlock<Test>;
    type Lookup = IdentityLookup<AccountId32>;
}

parameter_types! {
    pub static Now: Moment = START;
    pub static Network: Knobs = Knobs::default();
    pub static Nodes: BTreeMap<NodeId, (NodeId, NodeStatus)> = BTreeMap::new();
    pub static Bonds: BTreeMap<NodeId, u128> = BTreeMap::new();
    pub static NullRate: Fixed = Fixed::percent(10);
    pub static FalseAlarms: Fixed = Fixed::ratio(1, 100_000);
    /// Bases of nodes; the others have one of their own.
    pub static Bases: BTreeMap<NodeId, H256> = BTreeMap::new();
}

pub const START: Moment = 1_000_000;
pub const DAY: Moment = 86_400_000;
pub const BOND: u128 = 1_000_000_000_000_000;

impl pallet_reputation::Config for Test {
    type Bonds = Consortium;
    type FalseAlarms = FalseAlarms;
    type GovernOrigin = EnsureRoot<AccountId32>;
    type Knobs = Network;
    type Membership = Consortium;
    type NullRates = Canaries;
    type Origins = Consortium;
    type Time = Clock;
    type WeightInfo = ();
}

pub struct Clock;
impl Time for Clock {
    type Moment = Moment;
    fn now() -> Moment {
        Now::get()
    }
}

pub struct Canaries;
impl NullRateOf for Canaries {
    fn null_rate(_: TopicId) -> Fixed {
        NullRate::get()
    }
}

pub struct Consortium;
impl MembershipOf<AccountId32> for Consortium {
    fn is_active_member(who: &AccountId32) -> bool {
        Nodes::get().values().any(|(member, _)| member == who)
    }
    fn node(node: &NodeId) -> Option<NodeView<AccountId32>> {
        let (member, status) = Nodes::get().get(node)?.clone();
        Some(NodeView {
            member,
            roles: Roles(1),
            status,
        })
    }
    fn worker_key(_: &NodeId) -> Option<WorkerId> {
        None
    }
    fn was_worker_key(_: &NodeId, _: &WorkerId, _: Moment) -> bool {
        false
    }
    #[cfg(feature = "runtime-benchmarks")]
    fn create_for_benchmark(member: &AccountId32, node: &NodeId, _: WorkerId) {
        set_node(node.clone(), member.clone(), NodeStatus::Active);
    }
}

impl BondOf for Consortium {
    fn bond(member: &NodeId) -> u128 {
        Bonds::get().get(member).copied().unwrap_or(0)
    }
    fn slash(node: &NodeId, part: Fixed) -> u128 {
        let Some((member, _)) = Nodes::get().get(node).cloned() else {
            return 0;
        };
        let amount = part.of(Self::bond(&member));
        set_bond(member.clone(), Self::bond(&member) - amount);
        amount
    }
}

impl OriginOf for Consortium {
    fn origin(node: &NodeId, _: TopicId) -> Option<Origin> {
        let (operator, _) = Nodes::get().get(node)?.clone();
        let own = <[u8; 32]>::from(node.clone());
        Some(Origin {
            operator,
            base: Bases::get().get(node).copied().unwrap_or(H256(own)),
            adapter: None,
            family: None,
        })
    }
}

/// Member or node number `n`.
pub fn id(n: u8) -> NodeId {
    NodeId::new([n; 32])
}

/// The first node of member `n`.
pub fn node(n: u8) -> NodeId {
    id(100 + n)
}

pub fn set_node(node: NodeId, member: NodeId, status: NodeStatus) {
    let mut nodes = Nodes::get();
    nodes.insert(node, (member, status));
    Nodes::set(nodes);
}

pub fn remove_node(node: &NodeId) {
    let mut nodes = Nodes::get();
    nodes.remove(node);
    Nodes::set(nodes);
}

pub fn set_bond(member: NodeId, bond: u128) {
    let mut bonds = Bonds::get();
    bonds.insert(member, bond);
    Bonds::set(bonds);
}

pub fn advance(milliseconds: Moment) {
    Now::set(Now::get() + milliseconds);
}

/// A duty of this epoch and difficulty in hundredths, right or wrong.
pub fn duty(epoch: u32, difficulty: u32, is_right: bool) -> Scored {
    Scored {
        duty: H256::repeat_byte(epoch as u8),
        family: H256::zero(),
        epoch,
        difficulty: Fixed::percent(difficulty),
        outcome: Fixed::from_int(is_right.into()),
        wrong: (!is_right).then_some([9; 8]),
        options: 20,
        shared: false,
    }
}

/// Ten epochs of ten hard duties each, of which `wrong` per epoch are wrong.
pub fn teach(node: &NodeId, topic: TopicId, wrong: usize) {
    for epoch in 0..10 {
        let duties: Vec<_> = (0..10).map(|n| duty(epoch, 90, n >= wrong)).collect();
        Reputation::record(node, topic, &duties);
    }
}

pub fn events() -> Vec<pallet_reputation::Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Reputation(event) => Some(event),
            _ => None,
        })
        .collect()
}

/// Ten members with a node each.
pub fn new_test_ext() -> sp_io::TestExternalities {
    Now::set(START);
    Network::set(Knobs::default());
    NullRate::set(Fixed::percent(10));
    Bases::set(BTreeMap::new());
    Nodes::set(
        (1..=10)
            .map(|n| (node(n), (id(n), NodeStatus::Active)))
            .collect(),
    );
    Bonds::set((1..=10).map(|n| (id(n), BOND)).collect());
    let mut ext =
        sp_io::TestExternalities::new(RuntimeGenesisConfig::default().build_storage().unwrap());
    ext.execute_with(|| System::set_block_number(1));
    ext
}

/// Runs the test at block 1, then checks the state.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        Reputation::do_try_state().unwrap();
    })
}
