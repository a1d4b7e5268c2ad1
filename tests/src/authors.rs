//! Who made which blocks.

use codec::Decode;
use sp_consensus_babe::{BABE_ENGINE_ID, digests::PreDigest};
use sp_core::sr25519;
use touchstone_client::{Chain, chain::storage_key};

/// BABE keys of those that made the blocks after `from` up to the last final one, in order.
pub async fn authors(chain: &Chain, from: u32) -> Vec<sr25519::Public> {
    let last = chain.finalized_number().await.expect("the node answers");
    let mut authors = Vec::new();
    for number in from + 1..=last {
        authors.push(author(chain, number).await);
    }
    authors
}

async fn author(chain: &Chain, number: u32) -> sr25519::Public {
    let hash = chain.block_hash(number).await.expect("the node answers");
    let hash = hash.expect("final blocks are known");
    let header = chain.header(hash).await.expect("the node answers");
    let digest = header
        .digest
        .logs
        .iter()
        .find_map(|item| {
            let (engine, data) = item.as_pre_runtime()?;
            (engine == BABE_ENGINE_ID).then(|| PreDigest::decode(&mut &data[..]).ok())?
        })
        .expect("every block says who made it");
    // The first block of an epoch is made under the new set already, which its own state holds and its parent's does not.
    let key = storage_key("Babe", "Authorities");
    let set: Vec<(sr25519::Public, u64)> = chain
        .storage(&key, hash)
        .await
        .expect("the node answers")
        .expect("there are authorities");
    set[digest.authority_index() as usize].0
}
