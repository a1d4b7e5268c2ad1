//! Watches every node's finalised blocks for two that contradict each other.

use sp_core::H256;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::task::JoinHandle;
use touchstone_client::Chain;

#[derive(Default)]
struct Seen {
    finalized: BTreeMap<u32, (H256, String)>,
    conflicts: Vec<String>,
}

impl Seen {
    fn note(&mut self, number: u32, hash: H256, node: &str) {
        let (known, by) = self
            .finalized
            .entry(number)
            .or_insert_with(|| (hash, node.to_owned()))
            .clone();
        if known != hash {
            self.conflicts.push(format!(
                "block {number}: {known:?} ({by}), {hash:?} ({node})"
            ));
        }
    }
}

/// What all nodes have finalised so far.
#[derive(Default)]
pub struct Watch {
    seen: Arc<Mutex<Seen>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Watch {
    /// Follows a node until its connection ends. To be called again after a restart.
    pub async fn follow(&mut self, name: &str, chain: &Chain) {
        let mut heads = chain
            .finalized_heads()
            .await
            .expect("the node accepts subscriptions");
        let (seen, name) = (self.seen.clone(), name.to_owned());
        self.tasks.push(tokio::spawn(async move {
            while let Some(Ok(head)) = heads.next().await {
                let hash = H256(sp_crypto_hashing::blake2_256(&codec::Encode::encode(&head)));
                seen.lock()
                    .expect("nobody panics with it")
                    .note(head.number, hash, &name);
            }
        }));
    }

    /// Compares every finalised block of a node with what was seen, and fails if any two contradict each other.
    pub async fn check(&self, name: &str, chain: &Chain) {
        let last = chain.finalized_number().await.expect("the node answers");
        for number in 1..=last {
            let hash = chain.block_hash(number).await.expect("the node answers");
            let hash = hash.unwrap_or_else(|| panic!("{name} lacks the final block {number}"));
            self.seen
                .lock()
                .expect("nobody panics with it")
                .note(number, hash, name);
        }
        let seen = self.seen.lock().expect("nobody panics with it");
        assert!(
            seen.conflicts.is_empty(),
            "conflicting final blocks: {:#?}",
            seen.conflicts
        );
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
