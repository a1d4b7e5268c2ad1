//! What the anchorer wants to know of the chain.

use crate::{ChainState, worker};
use sp_keystore::KeystorePtr;
use std::sync::Arc;
use touchstone_primitives::{Moment, NodeId, apis::StreamHead};
use touchstone_workers::ChainView;

/// The chain and the keystore, as the anchorer sees them.
pub struct View {
    chain: Arc<dyn ChainState>,
    keystore: KeystorePtr,
}

impl View {
    /// Over the chain and the keystore.
    pub fn new(chain: Arc<dyn ChainState>, keystore: KeystorePtr) -> Self {
        Self { chain, keystore }
    }
}

impl ChainView for View {
    fn gateway(&self) -> Result<Option<NodeId>, String> {
        // A node that is far behind would see an old head.
        if self.chain.network().is_syncing {
            return Ok(None);
        }
        let worker = worker::find(&*self.chain, &self.keystore, self.chain.best().hash)
            .map_err(|e| e.to_string())?;
        Ok(worker
            .filter(|worker| worker.may_serve().is_ok())
            .map(|worker| worker.node.node))
    }

    fn head(&self, gateway: &NodeId) -> Result<StreamHead, String> {
        self.chain
            .head(self.chain.best().hash, gateway)
            .map_err(|e| e.to_string())
    }

    fn finalized_head(&self, gateway: &NodeId) -> Result<StreamHead, String> {
        self.chain
            .head(self.chain.finalized().hash, gateway)
            .map_err(|e| e.to_string())
    }

    fn now(&self) -> Result<Moment, String> {
        self.chain
            .now(self.chain.best().hash)
            .map_err(|e| e.to_string())
    }
}
