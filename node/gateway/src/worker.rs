//! Which node this machine works for, and with which key it signs.

use crate::{ChainState, StateError};
use sp_core::{H256, sr25519};
use sp_keystore::KeystorePtr;
use touchstone_primitives::{
    apis::NodeInfo,
    consortium::{NodeRole, NodeStatus},
    worker::{KEY_TYPE, WorkerId, WorkerSignature},
};

/// A worker key of the keystore that the chain knows, and the node that it serves.
#[derive(Clone, Debug, PartialEq)]
pub struct Worker {
    /// The key.
    pub key: WorkerId,
    /// The node.
    pub node: NodeInfo,
}

/// The first worker key in the keystore that the chain knows at this block.
pub fn find(
    chain: &dyn ChainState,
    keystore: &KeystorePtr,
    at: H256,
) -> Result<Option<Worker>, StateError> {
    for key in keys(keystore) {
        if let Some(node) = chain.node_of_worker(at, &key)?
            && let Some(node) = chain.node(at, &node)?
        {
            return Ok(Some(Worker { key, node }));
        }
    }
    Ok(None)
}

/// All worker keys in the keystore.
pub fn keys(keystore: &KeystorePtr) -> Vec<WorkerId> {
    keystore
        .sr25519_public_keys(KEY_TYPE)
        .into_iter()
        .map(WorkerId::from)
        .collect()
}

impl Worker {
    /// Whether its receipts can be anchored; if not, why, and what to do.
    pub fn may_serve(&self) -> Result<(), String> {
        if self.node.status != NodeStatus::Active {
            return Err(format!(
                "node {} is {:?}; `touchstone members` shows why, and a council vote reinstates it",
                self.node.node, self.node.status
            ));
        }
        if !self.node.roles.contains(NodeRole::Gateway) {
            return Err(format!(
                "node {} does not have the role of a gateway; its member can ask the council for it",
                self.node.node
            ));
        }
        Ok(())
    }

    /// The key's signature over a hash; `None` if the key has left the keystore.
    pub fn sign(&self, keystore: &KeystorePtr, hash: &H256) -> Option<WorkerSignature> {
        let key: sr25519::Public = self.key.clone().into();
        keystore
            .sr25519_sign(KEY_TYPE, &key, hash.as_bytes())
            .ok()?
            .map(Into::into)
    }
}
