use crate::{Error, Event, mock::*, types::Keys};
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult};
use proptest::prelude::*;
use sp_runtime::DispatchError::BadOrigin;
use touchstone_primitives::{
    H256,
    apis::NotProven,
    memory::{
        NamespaceId, Writers, namespace_id,
        tree::{BadProof, Proof, Step},
    },
};

fn verify(id: NamespaceId, version: u64, keys: &[H256], proof: Proof) -> DispatchResult {
    let keys: Keys = keys.to_vec().try_into().unwrap();
    Memory::verify_fragments(signed(stranger()), id, version, keys, proof)
}

#[test]
fn what_is_there_and_what_is_not_is_verified_on_chain() {
    run(|| {
        let id = create("notes", Writers::Owner);
        commit_versions(id, [9, 20]);
        let (key, value) = leaves(9)[4];
        let keys = [key, H256::repeat_byte(1)];
        assert_ok!(verify(id, 9, &keys, prove(9, &keys)));
        let event = Event::FragmentsVerified {
            namespace: id,
            version: 9,
            keys: keys.to_vec().try_into().unwrap(),
            values: vec![Some(value), None],
            by: stranger(),
        };
        assert_eq!(last_event(), event);
        // Nothing was there before.
        assert_ok!(verify(id, 0, &keys, prove(0, &keys)));
    })
}

#[test]
fn a_proof_of_another_version_is_refused() {
    run(|| {
        let id = create("notes", Writers::Owner);
        commit_versions(id, [9, 20]);
        let key = leaves(9)[4].0;
        let proof = prove(9, &[key]);
        assert_noop!(
            verify(id, 20, &[key], proof.clone()),
            Error::<Test>::BadProof
        );
        assert_noop!(verify(id, 0, &[key], proof), Error::<Test>::BadProof);
    })
}

#[test]
fn a_proof_of_another_namespace_is_refused() {
    run(|| {
        let (id, other) = (
            create("notes", Writers::Owner),
            create("other", Writers::Owner),
        );
        commit_versions(id, [9]);
        commit_versions(other, [8]);
        let key = leaves(9)[4].0;
        let proof = prove(9, &[key]);
        assert_noop!(
            verify(other, 8, &[key], proof.clone()),
            Error::<Test>::BadProof
        );
        assert_noop!(
            verify(other, 9, &[key], proof.clone()),
            Error::<Test>::UnknownVersion
        );
        assert_noop!(
            verify(namespace_id("nothing"), 9, &[key], proof),
            Error::<Test>::UnknownNamespace
        );
    })
}

#[test]
fn a_version_that_is_not_kept_proves_nothing() {
    run(|| {
        let id = create("notes", Writers::Owner);
        commit_versions(id, 1..=65);
        let key = leaves(1)[0].0;
        assert_noop!(
            verify(id, 1, &[key], prove(1, &[key])),
            Error::<Test>::UnknownVersion
        );
        let found = Memory::memory_verify(id, 1, &[key], &prove(1, &[key]));
        assert_eq!(found, Err(NotProven::UnknownVersion));
        assert_ok!(verify(id, 2, &[key], prove(2, &[key])));
    })
}

#[test]
fn a_deleted_namespace_proves_nothing() {
    run(|| {
        let id = create("notes", Writers::Owner);
        commit_versions(id, [1]);
        assert_ok!(Memory::delete_namespace(signed(member()), id));
        let key = leaves(1)[0].0;
        assert_noop!(
            verify(id, 1, &[key], prove(1, &[key])),
            Error::<Test>::UnknownNamespace
        );
    })
}

#[test]
fn a_proof_that_hides_the_key_or_is_too_long_is_refused() {
    run(|| {
        let id = create("notes", Writers::Owner);
        commit_versions(id, [9]);
        let (key, other) = (leaves(9)[4].0, leaves(9)[5].0);
        assert_noop!(
            verify(id, 9, &[other], prove(9, &[key])),
            Error::<Test>::BadProof
        );
        let found = Memory::memory_verify(id, 9, &[other], &prove(9, &[key]));
        assert_eq!(found, Err(NotProven::BadProof(BadProof::Incomplete)));
        assert_noop!(
            verify(id, 9, &[key], Proof(vec![Step::Branch; 4096])),
            Error::<Test>::BadProof
        );
        assert_noop!(
            verify(id, 9, &[key], Proof(vec![Step::Branch; 4097])),
            Error::<Test>::ProofTooLong
        );
        let keys = Keys::try_from(vec![key]).unwrap();
        let unsigned =
            Memory::verify_fragments(RuntimeOrigin::none(), id, 9, keys, Proof::default());
        assert_eq!(unsigned, Err(BadOrigin));
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// Whoever changes a step of a proof shows nothing by it.
    #[test]
    fn a_forged_proof_is_refused(at in any::<usize>(), byte in 0usize..32, bit in 0u8..8) {
        run(|| {
            let id = create("notes", Writers::Owner);
            commit_versions(id, [9]);
            let key = leaves(9)[4].0;
            let mut proof = prove(9, &[key]);
            let at = at % proof.0.len();
            let flip = |mut hash: H256| {
                hash.0[byte] ^= 1 << bit;
                hash
            };
            proof.0[at] = match proof.0[at] {
                Step::Empty => Step::Leaf(key, key),
                Step::Leaf(key, value) => Step::Leaf(key, flip(value)),
                Step::Hash(hash) => Step::Hash(flip(hash)),
                Step::Branch => Step::Empty,
            };
            assert_noop!(verify(id, 9, &[key], proof), Error::<Test>::BadProof);
        })
    }
}
