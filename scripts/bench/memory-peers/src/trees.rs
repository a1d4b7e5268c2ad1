//! The tree in memory beside those of others in memory. `rs_merkle` is a list without keys: it cannot be changed in place nor show absence.

use crate::{BATCH, Outcome, rate, show};
use codec::Encode;
use jmt::{KeyHash, Sha256Jmt, mock::MockTreeStore};
use rs_merkle::{MerkleTree, algorithms::Sha256};
use sp_core::H256;
use sparse_merkle_tree::{
    CompiledMerkleProof, SparseMerkleTree, blake2b::Blake2bHasher, default_store::DefaultStore,
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use touchstone_primitives::{memory::tree, tagged_hash};

const PROOFS: usize = 1000;

struct Proofs {
    proving: Vec<Duration>,
    verifying: Vec<Duration>,
    largest: usize,
}

impl Proofs {
    /// Makes and checks proofs of keys all over the tree.
    fn measure<P>(
        count: usize,
        mut prove: impl FnMut(usize) -> Outcome<P>,
        size: impl Fn(&P) -> usize,
        verify: impl Fn(usize, P) -> Outcome<bool>,
    ) -> Outcome<Self> {
        let (mut proving, mut verifying, mut largest) = (vec![], vec![], 0);
        for n in 0..PROOFS {
            let at = n * 7919 % count;
            let start = Instant::now();
            let proof = prove(at)?;
            proving.push(start.elapsed());
            largest = largest.max(size(&proof));
            let start = Instant::now();
            let is_shown = verify(at, proof)?;
            verifying.push(start.elapsed());
            assert!(is_shown);
        }
        Ok(Self {
            proving,
            verifying,
            largest,
        })
    }

    fn show(mut self, name: &str) {
        show(&format!("{name}: proof"), &mut self.proving);
        show(&format!("{name}: verification"), &mut self.verifying);
        println!("  {name}: largest proof {} bytes", self.largest);
    }
}

pub fn measure(count: usize) -> Outcome {
    let leaf = |at: usize| {
        let at = at.to_le_bytes();
        (tagged_hash("key", &[&at]), tagged_hash("value", &[&at]))
    };
    let leaves: Vec<(H256, H256)> = (0..count).map(leaf).collect();

    let (mut nodes, mut root, mut times) = (BTreeMap::new(), tree::EMPTY, vec![]);
    for batch in leaves.chunks(BATCH) {
        let start = Instant::now();
        let changes: Vec<_> = batch
            .iter()
            .map(|(key, value)| (*key, Some(*value)))
            .collect();
        let update = tree::update(&nodes, root, &changes)?;
        for hash in &update.dropped {
            nodes.remove(hash);
        }
        nodes.extend(update.written);
        root = update.root;
        times.push(start.elapsed());
    }
    rate("tree in memory: puts", count, &times);
    Proofs::measure(
        count,
        |at| Ok(tree::prove(&nodes, root, &[leaves[at].0])?),
        Encode::encoded_size,
        |at, proof| Ok(tree::verify(&root, &proof, &[leaves[at].0])? == [Some(leaves[at].1)]),
    )?
    .show("tree in memory");
    drop(nodes);

    let (store, mut times) = (MockTreeStore::default(), vec![]);
    for (version, batch) in leaves.chunks(BATCH).enumerate() {
        let start = Instant::now();
        let values = batch
            .iter()
            .map(|(key, value)| (KeyHash(key.0), Some(value.0.to_vec())));
        let (_, update) = Sha256Jmt::new(&store).put_value_set(values, version as u64)?;
        store.write_tree_update_batch(update)?;
        times.push(start.elapsed());
    }
    rate("jmt in memory: puts", count, &times);
    let (jmt, version) = (Sha256Jmt::new(&store), (count.div_ceil(BATCH) - 1) as u64);
    let jmt_root = jmt.get_root_hash(version)?;
    Proofs::measure(
        count,
        |at| Ok(jmt.get_with_proof(KeyHash(leaves[at].0.0), version)?.1),
        |proof| borsh::to_vec(proof).map_or(0, |bytes| bytes.len()),
        |at, proof| {
            let (key, value) = leaves[at];
            proof.verify(jmt_root, KeyHash(key.0), Some(value.0.to_vec()))?;
            Ok(true)
        },
    )?
    .show("jmt in memory");
    drop(store);

    type Smt = SparseMerkleTree<
        Blake2bHasher,
        sparse_merkle_tree::H256,
        DefaultStore<sparse_merkle_tree::H256>,
    >;
    let (mut smt, mut times) = (Smt::default(), vec![]);
    for batch in leaves.chunks(BATCH) {
        let start = Instant::now();
        smt.update_all(
            batch
                .iter()
                .map(|(k, v)| (k.0.into(), v.0.into()))
                .collect(),
        )?;
        times.push(start.elapsed());
    }
    rate("sparse-merkle-tree in memory: puts", count, &times);
    Proofs::measure(
        count,
        |at| {
            let key: sparse_merkle_tree::H256 = leaves[at].0.0.into();
            Ok(smt.merkle_proof(vec![key])?.compile(vec![key])?)
        },
        |proof: &CompiledMerkleProof| proof.0.len(),
        |at, proof| {
            let (key, value) = leaves[at];
            let leaf = vec![(key.0.into(), value.0.into())];
            Ok(proof.verify::<Blake2bHasher>(smt.root(), leaf)?)
        },
    )?
    .show("sparse-merkle-tree in memory");
    drop(smt);

    let list: Vec<[u8; 32]> = leaves.iter().map(|(_, value)| value.0).collect();
    let start = Instant::now();
    let merkle = MerkleTree::<Sha256>::from_leaves(&list);
    let list_root = merkle.root().ok_or("no root")?;
    rate(
        "rs_merkle in memory: built at once",
        count,
        &[start.elapsed()],
    );
    Proofs::measure(
        count,
        |at| Ok(merkle.proof(&[at])),
        |proof| proof.to_bytes().len(),
        |at, proof| Ok(proof.verify(list_root, &[at], &[list[at]], count)),
    )?
    .show("rs_merkle in memory");
    Ok(())
}
