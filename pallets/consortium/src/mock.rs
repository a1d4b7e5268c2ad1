//! A runtime with a real council, session, scheduler and preimage pallet around the consortium.

use crate as pallet_consortium;
use crate::{GenesisMember, GenesisNode, PeerId, SessionPallet, UnitIdentification};
use codec::{Decode, Encode};
use frame_support::{
    derive_impl, parameter_types,
    traits::{ConstU32, ConstU64, ConstU128, EqualPrivilegeOnly, Time, VariantCountOf},
    weights::Weight,
};
use frame_system::EnsureRoot;
use pallet_collective::{EnsureProportionAtLeast, EnsureProportionMoreThan};
use sp_core::{H256, Pair};
use sp_runtime::{
    BuildStorage, Perbill,
    testing::UintAuthorityId,
    traits::{BlakeTwo256, Hash, IdentityLookup},
};
use touchstone_primitives::{
    AccountId32,
    consortium::{HardwareTier, NodeRole, Roles},
    traits::Motions,
    worker::{self, WorkerPair, WorkerSignature},
};

pub type AccountId = AccountId32;
pub type Balance = u128;
pub const UNIT: Balance = 1_000_000_000_000;
pub const BOND: Balance = 100 * UNIT;
pub const DAY: u64 = 24 * 60 * 60 * 1000;

#[frame_support::runtime]
mod runtime {
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeHoldReason,
        RuntimeFreezeReason,
        RuntimeSlashReason,
        RuntimeLockId,
        RuntimeTask
    )]
    pub struct Test;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(1)]
    pub type Balances = pallet_balances;
    #[runtime::pallet_index(2)]
    pub type Council = pallet_collective;
    #[runtime::pallet_index(3)]
    pub type Consortium = pallet_consortium;
    #[runtime::pallet_index(4)]
    pub type Session = pallet_session;
    #[runtime::pallet_index(5)]
    pub type Historical = pallet_session::historical;
    #[runtime::pallet_index(6)]
    pub type Preimage = pallet_preimage;
    #[runtime::pallet_index(7)]
    pub type Scheduler = pallet_scheduler;
}

type Block = frame_system::mocking::MockBlock<Test>;

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type AccountData = pallet_balances::AccountData<Balance>;
    type AccountId = AccountId;
    type Block = Block;
    type Lookup = IdentityLookup<AccountId>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type AccountStore = System;
    type Balance = Balance;
    type ExistentialDeposit = ConstU128<{ UNIT / 100 }>;
    type FreezeIdentifier = RuntimeFreezeReason;
    type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type RuntimeHoldReason = RuntimeHoldReason;
}

parameter_types! {
    pub MaxProposalWeight: Weight = Weight::MAX;
}

impl pallet_collective::Config for Test {
    type Consideration = ();
    type DefaultVote = pallet_collective::PrimeDefaultVote;
    type DisapproveOrigin = EnsureRoot<AccountId>;
    type KillOrigin = EnsureRoot<AccountId>;
    type MaxMembers = ConstU32<10>;
    type MaxProposalWeight = MaxProposalWeight;
    type MaxProposals = ConstU32<10>;
    type MotionDuration = ConstU64<1000>;
    type Proposal = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type RuntimeOrigin = RuntimeOrigin;
    type SetMembersOrigin = EnsureRoot<AccountId>;
    type WeightInfo = ();
}

sp_runtime::impl_opaque_keys! {
    pub struct SessionKeys {
        pub dummy: UintAuthorityId,
    }
}

impl pallet_session::Config for Test {
    type Currency = Balances;
    type DisablingStrategy = ();
    type KeyDeposit = ConstU128<UNIT>;
    type Keys = SessionKeys;
    type NextSessionRotation = Never;
    type RuntimeEvent = RuntimeEvent;
    type SessionHandler = pallet_session::TestSessionHandler;
    type SessionManager = pallet_session::historical::NoteHistoricalRoot<Test, Consortium>;
    type ShouldEndSession = Never;
    type ValidatorId = AccountId;
    type ValidatorIdOf = crate::RegisteredNode<Test>;
    type WeightInfo = ();
}
/// Tests end sessions themselves.
type Never = pallet_session::PeriodicSessions<ConstU64<1_000_000>, ConstU64<1_000_000>>;

impl pallet_session::historical::Config for Test {
    type FullIdentification = ();
    type FullIdentificationOf = UnitIdentification;
    type RuntimeEvent = RuntimeEvent;
}

impl pallet_preimage::Config for Test {
    type Consideration = ();
    type Currency = ();
    type ManagerOrigin = EnsureRoot<AccountId>;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
}

parameter_types! {
    pub MaximumSchedulerWeight: Weight = Weight::MAX;
}

impl pallet_scheduler::Config for Test {
    type BlockNumberProvider = System;
    type MaxScheduledPerBlock = ConstU32<50>;
    type MaximumWeight = MaximumSchedulerWeight;
    type OriginPrivilegeCmp = EqualPrivilegeOnly;
    type PalletsOrigin = OriginCaller;
    type Preimages = Preimage;
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type RuntimeOrigin = RuntimeOrigin;
    type ScheduleOrigin = EnsureRoot<AccountId>;
    type WeightInfo = ();
}

pub struct CouncilMotions;
impl Motions<AccountId, RuntimeCall> for CouncilMotions {
    fn ayes(call: &RuntimeCall) -> Option<Vec<AccountId>> {
        let votes = pallet_collective::Voting::<Test>::get(BlakeTwo256::hash_of(call))?;
        // The fields are private: index, threshold, ayes, nays, end.
        <(u32, u32, Vec<AccountId>, Vec<AccountId>, u64)>::decode(&mut &votes.encode()[..])
            .ok()
            .map(|votes| votes.2)
    }
}

pub struct Clock;
impl Time for Clock {
    type Moment = u64;
    fn now() -> u64 {
        Now::get()
    }
}

parameter_types! {
    pub static Now: u64 = 1_000;
    pub static MinBond: Balance = BOND;
    pub static AdmissionCredit: Balance = 150 * UNIT;
    pub static MaxNodesPerMember: u32 = 3;
    pub static MemberCapFrom: u32 = 4;
    pub static UnbondingDelay: u64 = 28 * DAY;
    pub static SuspensionPeriod: u64 = 7 * DAY;
    pub static KeyRetention: u64 = 20 * DAY;
    pub static SlashFraction: Perbill = Perbill::from_percent(10);
    pub Commons: AccountId = account(250);
}

impl pallet_consortium::Config for Test {
    type AdmissionCredit = AdmissionCredit;
    type AdmitOrigin = EnsureProportionMoreThan<AccountId, (), 1, 2>;
    type CancelRootOrigin = EnsureProportionMoreThan<AccountId, (), 1, 3>;
    type Commons = Commons;
    type Council = Council;
    type Currency = Balances;
    type KeyRetention = KeyRetention;
    type MaxMembers = ConstU32<10>;
    type MaxNodes = ConstU32<12>;
    type MaxNodesPerMember = MaxNodesPerMember;
    type MemberCapFrom = MemberCapFrom;
    type MinBond = MinBond;
    type Motions = CouncilMotions;
    type Preimages = Preimage;
    type ProposeRootOrigin = EnsureProportionAtLeast<AccountId, (), 3, 4>;
    type RevokeOrigin = EnsureProportionAtLeast<AccountId, (), 2, 3>;
    type RuntimeCall = RuntimeCall;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Scheduler = Scheduler;
    type Sessions = SessionPallet<Test>;
    type SlashFraction = SlashFraction;
    type SuspendOrigin = EnsureProportionMoreThan<AccountId, (), 1, 2>;
    type SuspensionPeriod = SuspensionPeriod;
    type Time = Clock;
    type UnbondingDelay = UnbondingDelay;
    type WeightInfo = ();
}

/// Account number `n`. Members are 1 to 99, the stash of member `n` is 100 + `n`.
pub fn account(n: u8) -> AccountId {
    AccountId::new([n; 32])
}

pub fn stash(member: u8) -> AccountId {
    account(100 + member)
}

pub fn signed(n: u8) -> RuntimeOrigin {
    RuntimeOrigin::signed(account(n))
}

/// Origin of a motion with this many ayes of this many seats.
pub fn council(ayes: u32, seats: u32) -> RuntimeOrigin {
    pallet_collective::RawOrigin::Members(ayes, seats).into()
}

pub fn worker(n: u8) -> WorkerPair {
    WorkerPair::from_seed(&[n; 32])
}

pub fn proof(worker: &WorkerPair, node: &AccountId) -> WorkerSignature {
    worker.sign(worker::possession(&System::block_hash(0), node).as_bytes())
}

pub fn peer_id(n: u8) -> PeerId {
    [&[0, 0x24, 8, 1, 0x12, 0x20][..], &[n; 32]]
        .concat()
        .try_into()
        .unwrap()
}

pub fn session_keys(n: u8) -> SessionKeys {
    SessionKeys {
        dummy: UintAuthorityId(n.into()),
    }
}

pub fn all_roles() -> Roles {
    Roles::of(&[NodeRole::Validator, NodeRole::Gateway])
}

/// Ends the session. Changes of the validator set show after two.
pub fn next_session() {
    Session::rotate_session();
}

pub fn run_to_block(n: u64) {
    System::run_to_block::<AllPalletsWithSystem>(n);
}

pub fn advance(milliseconds: u64) {
    Now::set(Now::get() + milliseconds);
}

pub fn genesis_node(n: u8) -> GenesisNode<AccountId, Balance> {
    GenesisNode {
        node: stash(n),
        member: account(n),
        roles: all_roles(),
        tier: HardwareTier::Light,
        peer_id: peer_id(n).into_inner(),
        addresses: vec![b"/ip4/127.0.0.1/tcp/30333".to_vec()],
        worker_key: worker(n).public(),
        bond: BOND,
    }
}

pub fn genesis_member(n: u8) -> GenesisMember<AccountId> {
    GenesisMember {
        account: account(n),
        legal_name_hash: H256::repeat_byte(n),
        jurisdiction: *b"FR",
    }
}

/// A consortium of `members` members with one active validator each.
pub fn consortium(members: u8, min_validators: u32) -> pallet_consortium::GenesisConfig<Test> {
    pallet_consortium::GenesisConfig {
        members: (1..=members).map(genesis_member).collect(),
        nodes: (1..=members).map(genesis_node).collect(),
        min_validators,
        root_delay: 10,
        member_cap_exempt: false,
    }
}

pub fn externalities(
    consortium: pallet_consortium::GenesisConfig<Test>,
) -> sp_io::TestExternalities {
    let keys = consortium
        .nodes
        .iter()
        .map(|node| {
            let bytes: &[u8; 32] = node.node.as_ref();
            (node.node.clone(), node.node.clone(), session_keys(bytes[0]))
        })
        .collect();
    let mut balances: Vec<_> = (1..=20)
        .flat_map(|n| [(account(n), 1_000 * UNIT), (stash(n), 10 * UNIT)])
        .collect();
    balances.push((Commons::get(), 100_000 * UNIT));
    let storage = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances,
            ..Default::default()
        },
        consortium,
        session: pallet_session::GenesisConfig {
            keys,
            ..Default::default()
        },
        ..Default::default()
    }
    .build_storage()
    .unwrap();
    let mut externalities = sp_io::TestExternalities::new(storage);
    externalities.execute_with(|| System::set_block_number(1));
    externalities
}

/// Runs a test in a consortium of so many members and checks the stored state afterwards.
pub fn with_members(members: u8, test: impl FnOnce()) {
    with_genesis(consortium(members, 3), test)
}

pub fn with_genesis(genesis: pallet_consortium::GenesisConfig<Test>, test: impl FnOnce()) {
    Now::set(1_000);
    externalities(genesis).execute_with(|| {
        test();
        Consortium::do_try_state().unwrap();
        let seats = crate::Seats::<Test>::get().into_inner();
        assert_eq!(
            pallet_collective::Members::<Test>::get(),
            seats,
            "the council is in sync"
        );
        let issued = Balances::total_issuance();
        assert_eq!(
            issued,
            20 * 1_010 * UNIT + 100_000 * UNIT,
            "issuance is constant"
        );
    });
}

/// An empty consortium and a keystore, for benchmarks.
#[cfg(feature = "runtime-benchmarks")]
pub fn new_test_ext() -> sp_io::TestExternalities {
    use sp_keystore::{KeystoreExt, testing::MemoryKeystore};
    let mut externalities = externalities(Default::default());
    externalities.register_extension(KeystoreExt::new(MemoryKeystore::new()));
    externalities
}
