//! Benchmarks of every call, of the offence handler and of the hook.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs
)]

use crate::*;
use codec::Encode;
use frame_benchmarking::v2::*;
use frame_support::traits::fungible::{Inspect, Mutate};
use frame_system::RawOrigin;
use sp_core::crypto::KeyTypeId;
use sp_runtime::traits::{One, Saturating, Zero};
use sp_staking::offence::{OffenceDetails, OnOffenceHandler};
use touchstone_primitives::{
    consortium::{MemberStatus, NodeRole, NodeStatus},
    worker,
};

/// Key type of keys that exist only while benchmarks run.
const BENCHMARK: KeyTypeId = worker::KEY_TYPE;

fn fund<T: Config>(who: &T::AccountId) {
    let amount = T::MinBond::get()
        .max(T::AdmissionCredit::get())
        .max(T::Currency::minimum_balance())
        .saturating_mul(100u32.into());
    T::Currency::set_balance(who, amount);
}

fn all_roles() -> Roles {
    Roles::of(&[
        NodeRole::Validator,
        NodeRole::Producer,
        NodeRole::Teacher,
        NodeRole::Auditor,
        NodeRole::Gateway,
        NodeRole::Expert,
    ])
}

/// Puts an active member into state.
pub(crate) fn create_member<T: Config>(member: &T::AccountId) {
    fund::<T>(member);
    if Members::<T>::contains_key(member) {
        return;
    }
    Candidates::<T>::mutate(|candidates| {
        candidates
            .try_push(member.clone())
            .expect("there is room for a candidate");
    });
    let record = Member {
        legal_name_hash: H256::zero(),
        jurisdiction: *b"FR",
        status: MemberStatus::Candidate,
        nodes: BoundedVec::new(),
    };
    Members::<T>::insert(member, record);
    fund::<T>(&T::Commons::get());
    Pallet::<T>::do_admit_member(member.clone()).expect("there is a seat");
}

fn peer_id_of(node: &impl Encode) -> PeerId {
    let digest = sp_io::hashing::blake2_256(&node.encode());
    [&[0, 0x24, 8, 1, 0x12, 0x20][..], &digest]
        .concat()
        .try_into()
        .expect("38 bytes fit")
}

fn addresses() -> Addresses {
    let mut longest = alloc::vec![b'a'; 128];
    longest[0] = b'/';
    alloc::vec![Address::truncate_from(longest); 8]
        .try_into()
        .expect("8 addresses fit")
}

/// Puts an active node with all roles into state.
pub(crate) fn create_node<T: Config>(member: &T::AccountId, node: &T::AccountId, worker: WorkerId) {
    T::Sessions::set_keys_for_benchmark(node);
    Pallet::<T>::do_register_node(
        member.clone(),
        node.clone(),
        all_roles(),
        HardwareTier::Light,
        peer_id_of(node),
        addresses(),
        worker,
        T::MinBond::get(),
    )
    .expect("the node is new");
    Nodes::<T>::mutate(node, |record| {
        record.as_mut().expect("it was just registered").status = NodeStatus::Active;
    });
}

fn new_worker() -> WorkerId {
    sp_io::crypto::sr25519_generate(BENCHMARK, None).into()
}

fn proof<T: Config>(node: &T::AccountId, worker: &WorkerId) -> WorkerSignature {
    let genesis = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero());
    let message = worker::possession(&genesis, node);
    sp_io::crypto::sr25519_sign(BENCHMARK, worker.as_ref(), message.as_bytes())
        .expect("the key was generated here")
        .into()
}

/// Forgets the members and nodes of genesis, so that the bounds can be reached.
fn reset<T: Config>() {
    let _ = Members::<T>::clear(u32::MAX, None);
    let _ = Nodes::<T>::clear(u32::MAX, None);
    Seats::<T>::kill();
    Validators::<T>::kill();
    T::Sessions::set_validators_for_benchmark(&[]);
    MemberCapExempt::<T>::put(true);
}

/// Two members, so that one can go, and `nodes` validators of the first.
fn network<T: Config>(nodes: u32) -> (T::AccountId, Vec<T::AccountId>) {
    reset::<T>();
    create_member::<T>(&account("other", 0, 0));
    let member: T::AccountId = account("member", 0, 0);
    create_member::<T>(&member);
    let nodes: Vec<T::AccountId> = (0..nodes)
        .map(|index| {
            let node = account("node", index, 0);
            create_node::<T>(&member, &node, new_worker());
            node
        })
        .collect();
    (member, nodes)
}

/// Fills the network with `nodes` nodes of as many members as that needs; they validate.
fn full_network<T: Config>(nodes: u32) -> (T::AccountId, Vec<T::AccountId>) {
    reset::<T>();
    let per_member = T::MaxNodesPerMember::get().clamp(1, NODES_LIMIT);
    let all: Vec<T::AccountId> = (0..nodes)
        .map(|index| {
            let member = account("member", index / per_member, 0);
            create_member::<T>(&member);
            let node = account("node", index, 0);
            create_node::<T>(&member, &node, new_worker());
            node
        })
        .collect();
    let mut validators = all.clone();
    validators.sort();
    T::Sessions::set_validators_for_benchmark(&validators);
    Validators::<T>::put(BoundedVec::truncate_from(validators));
    create_member::<T>(&account("other", 0, 0));
    (account("member", 0, 0), all)
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn apply() {
        let sponsor: T::AccountId = account("sponsor", 0, 0);
        create_member::<T>(&sponsor);
        let member: T::AccountId = account("member", 0, 0);
        #[extrinsic_call]
        _(
            RawOrigin::Signed(sponsor),
            member.clone(),
            H256::zero(),
            *b"FR",
        );
        assert!(Members::<T>::contains_key(member));
    }

    #[benchmark]
    fn withdraw_application() -> Result<(), BenchmarkError> {
        let member: T::AccountId = account("member", 0, 0);
        Pallet::<T>::do_apply(member.clone(), member.clone(), H256::zero(), *b"FR")?;
        #[extrinsic_call]
        _(RawOrigin::Signed(member.clone()));
        assert!(!Members::<T>::contains_key(member));
        Ok(())
    }

    #[benchmark]
    fn admit_member() -> Result<(), BenchmarkError> {
        let origin =
            T::AdmitOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        fund::<T>(&T::Commons::get());
        let member: T::AccountId = account("member", 0, 0);
        Pallet::<T>::do_apply(member.clone(), member.clone(), H256::zero(), *b"FR")?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, member.clone());
        assert!(Seats::<T>::get().contains(&member));
        Ok(())
    }

    #[benchmark]
    fn decline_candidate() -> Result<(), BenchmarkError> {
        let origin =
            T::AdmitOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let member: T::AccountId = account("member", 0, 0);
        Pallet::<T>::do_apply(member.clone(), member.clone(), H256::zero(), *b"FR")?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, member.clone());
        assert!(!Members::<T>::contains_key(member));
        Ok(())
    }

    #[benchmark]
    fn leave(n: Linear<1, { T::MaxNodesPerMember::get().min(NODES_LIMIT) }>) {
        let (member, _) = network::<T>(n);
        #[extrinsic_call]
        _(RawOrigin::Signed(member.clone()));
        assert!(!Seats::<T>::get().contains(&member));
    }

    #[benchmark]
    fn register_node() {
        let (member, _) = network::<T>(0);
        let node: T::AccountId = account("node", 0, 0);
        let worker = new_worker();
        let proof = proof::<T>(&node, &worker);
        #[extrinsic_call]
        _(
            RawOrigin::Signed(member),
            node.clone(),
            all_roles(),
            HardwareTier::Light,
            peer_id_of(&node),
            addresses(),
            worker,
            proof,
            T::MinBond::get(),
        );
        assert!(Nodes::<T>::contains_key(node));
    }

    #[benchmark]
    fn activate_node(n: Linear<1, { T::MaxNodes::get() }>) {
        let (member, nodes) = full_network::<T>(n);
        MemberCapExempt::<T>::put(false);
        let node = nodes[0].clone();
        // All nodes are read, and only the first one validates, so that the cap lets it.
        Nodes::<T>::mutate(&node, |record| {
            record.as_mut().expect("it exists").status = NodeStatus::Registered;
        });
        for other in nodes.iter().skip(1) {
            Nodes::<T>::mutate(other, |record| {
                record.as_mut().expect("it exists").roles = Roles::of(&[NodeRole::Gateway]);
            });
        }
        #[extrinsic_call]
        _(RawOrigin::Signed(member), node.clone());
        assert_eq!(
            Nodes::<T>::get(node).map(|node| node.status),
            Some(NodeStatus::Active)
        );
    }

    #[benchmark]
    fn leave_node() {
        let (member, nodes) = network::<T>(1);
        #[extrinsic_call]
        _(RawOrigin::Signed(member), nodes[0].clone());
        assert!(Nodes::<T>::get(&nodes[0]).is_some_and(|node| node.unlocks_at.is_some()));
    }

    #[benchmark]
    fn withdraw_bond() -> Result<(), BenchmarkError> {
        let (member, nodes) = network::<T>(1);
        let node = nodes[0].clone();
        for _ in 1..MAX_WORKER_KEYS {
            Pallet::<T>::set_worker_key(&node, new_worker())?;
        }
        Pallet::<T>::do_leave(member.clone())?;
        Nodes::<T>::mutate(&node, |record| {
            record.as_mut().expect("it exists").unlocks_at = Some(0);
        });
        #[extrinsic_call]
        _(RawOrigin::Signed(member.clone()), node.clone());
        assert!(!Members::<T>::contains_key(member));
        Ok(())
    }

    #[benchmark]
    fn add_bond() {
        let (member, nodes) = network::<T>(1);
        #[extrinsic_call]
        _(
            RawOrigin::Signed(member),
            nodes[0].clone(),
            T::MinBond::get(),
        );
        assert!(Nodes::<T>::get(&nodes[0]).is_some_and(|node| node.bond > T::MinBond::get()));
    }

    #[benchmark]
    fn update_node(n: Linear<1, { T::MaxNodes::get() }>) {
        let (member, nodes) = full_network::<T>(n);
        MemberCapExempt::<T>::put(false);
        for node in &nodes {
            Nodes::<T>::mutate(node, |record| {
                record.as_mut().expect("it exists").roles = Roles::of(&[NodeRole::Gateway]);
            });
        }
        #[extrinsic_call]
        _(
            RawOrigin::Signed(member),
            nodes[0].clone(),
            all_roles(),
            HardwareTier::Heavy,
        );
        assert!(Nodes::<T>::get(&nodes[0]).is_some_and(|node| node.roles == all_roles()));
    }

    #[benchmark]
    fn rotate_worker_key() -> Result<(), BenchmarkError> {
        let (member, nodes) = network::<T>(1);
        let node = nodes[0].clone();
        for _ in 2..MAX_WORKER_KEYS {
            Pallet::<T>::set_worker_key(&node, new_worker())?;
        }
        let worker = new_worker();
        let proof = proof::<T>(&node, &worker);
        #[extrinsic_call]
        _(
            RawOrigin::Signed(member),
            node.clone(),
            worker.clone(),
            proof,
        );
        assert_eq!(NodeOfWorkerKey::<T>::get(worker), Some(node));
        Ok(())
    }

    #[benchmark]
    fn rotate_peer_id() {
        let (member, nodes) = network::<T>(1);
        let peer_id = peer_id_of(&b"another");
        #[extrinsic_call]
        _(RawOrigin::Signed(member), nodes[0].clone(), peer_id.clone());
        assert!(NodeOfPeerId::<T>::contains_key(peer_id));
    }

    #[benchmark]
    fn set_addresses() {
        let (member, nodes) = network::<T>(1);
        #[extrinsic_call]
        _(RawOrigin::Signed(member), nodes[0].clone(), addresses());
        assert!(Nodes::<T>::get(&nodes[0]).is_some_and(|node| node.addresses == addresses()));
    }

    #[benchmark]
    fn suspend_member(n: Linear<4, { T::MaxNodes::get() }>) -> Result<(), BenchmarkError> {
        let origin =
            T::SuspendOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        full_network::<T>(n);
        // It is its vote that is looked up, and all nodes are read, whoever runs them.
        let member: T::AccountId = account("accused", 0, 0);
        create_member::<T>(&member);
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, member.clone());
        assert!(Suspensions::<T>::contains_key(Subject::Member(member)));
        Ok(())
    }

    #[benchmark]
    fn suspend_node(n: Linear<4, { T::MaxNodes::get() }>) -> Result<(), BenchmarkError> {
        let origin =
            T::SuspendOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let (_, nodes) = full_network::<T>(n);
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, nodes[0].clone());
        assert!(Suspensions::<T>::contains_key(Subject::Node(
            nodes[0].clone()
        )));
        Ok(())
    }

    #[benchmark]
    fn reinstate_member(
        n: Linear<1, { T::MaxNodesPerMember::get().min(NODES_LIMIT) }>,
    ) -> Result<(), BenchmarkError> {
        let origin =
            T::SuspendOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let (member, _) = network::<T>(n);
        Pallet::<T>::do_suspend_member(member.clone())?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, member.clone());
        assert!(!Suspensions::<T>::contains_key(Subject::Member(member)));
        Ok(())
    }

    #[benchmark]
    fn reinstate_node() -> Result<(), BenchmarkError> {
        let origin =
            T::SuspendOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let (_, nodes) = network::<T>(1);
        Pallet::<T>::do_suspend_node(nodes[0].clone())?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, nodes[0].clone());
        assert!(!Suspensions::<T>::contains_key(Subject::Node(
            nodes[0].clone()
        )));
        Ok(())
    }

    #[benchmark]
    fn revoke_member(
        n: Linear<1, { T::MaxNodesPerMember::get().min(NODES_LIMIT) }>,
    ) -> Result<(), BenchmarkError> {
        let origin =
            T::RevokeOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let (member, _) = network::<T>(n);
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, member.clone());
        assert!(!Seats::<T>::get().contains(&member));
        Ok(())
    }

    #[benchmark]
    fn propose_root(l: Linear<0, 1_000_000>) -> Result<(), BenchmarkError> {
        let origin = T::ProposeRootOrigin::try_successful_origin()
            .map_err(|_| BenchmarkError::Weightless)?;
        let remark = alloc::vec![0; l as usize];
        let call: Box<<T as Config>::RuntimeCall> =
            Box::new(frame_system::Call::<T>::remark { remark }.into());
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, call);
        assert_eq!(RootProposals::<T>::get().len(), 1);
        Ok(())
    }

    #[benchmark]
    fn cancel_root() -> Result<(), BenchmarkError> {
        let origin =
            T::CancelRootOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let remark = alloc::vec![0; 5_000];
        let call: Box<<T as Config>::RuntimeCall> =
            Box::new(frame_system::Call::<T>::remark { remark }.into());
        Pallet::<T>::do_propose_root(call)?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, 0u32);
        assert!(RootProposals::<T>::get().is_empty());
        Ok(())
    }

    #[benchmark]
    fn on_offence(n: Linear<4, { T::MaxNodes::get() }>) {
        let (_, nodes) = full_network::<T>(n);
        fund::<T>(&T::Commons::get());
        let details = [OffenceDetails {
            offender: (nodes[0].clone(), ()),
            reporters: Vec::new(),
        }];
        #[block]
        {
            let _ = Pallet::<T>::on_offence(&details, &[Perbill::one()], 0);
        }
        assert!(Suspensions::<T>::contains_key(Subject::Node(
            nodes[0].clone()
        )));
    }

    #[benchmark]
    fn forget_executed_root_proposals(
        p: Linear<0, MAX_ROOT_PROPOSALS>,
    ) -> Result<(), BenchmarkError> {
        for _ in 0..p {
            let call: Box<<T as Config>::RuntimeCall> =
                Box::new(frame_system::Call::<T>::remark { remark: Vec::new() }.into());
            Pallet::<T>::do_propose_root(call)?;
        }
        let proposals = RootProposals::<T>::get();
        let due = frame_system::Pallet::<T>::block_number()
            .saturating_add(RootDelay::<T>::get().max(One::one()))
            .saturating_add(One::one());
        for proposal in &proposals {
            Pallet::<T>::do_cancel_root(proposal.id)?;
        }
        RootProposals::<T>::put(proposals);
        #[block]
        {
            let _ = Pallet::<T>::forget_executed_root_proposals(due);
        }
        assert!(RootProposals::<T>::get().is_empty());
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
