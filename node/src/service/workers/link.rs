//! What every worker of a node has to do with the chain: reading it, knowing whom it works for, and sending transactions.

use crate::service::{Client, Pool};
use codec::Encode;
use sc_transaction_pool_api::{
    TransactionPool, TransactionSource,
    error::{Error as PoolError, IntoPoolError},
};
use sp_api::{ApiExt, ApiRef, ProvideRuntimeApi};
use sp_keystore::KeystorePtr;
use std::sync::Arc;
use touchstone_gateway::{ChainState, worker};
use touchstone_primitives::{H256, apis::CanariesApi};
use touchstone_runtime::{
    RuntimeCall,
    opaque::{Block, UncheckedExtrinsic},
};

/// Blocks for which a transaction stays valid.
pub const LIFETIME: u32 = 16;

/// The chain, its pool and the worker keys.
#[derive(Clone)]
pub struct Link {
    /// Runtime APIs.
    pub client: Arc<Client>,
    /// Takes the node's own transactions.
    pub pool: Arc<Pool>,
    /// Who the node is.
    pub chain: Arc<dyn ChainState>,
    /// Worker keys.
    pub keystore: KeystorePtr,
}

impl Link {
    /// The runtime's functions.
    pub fn api(&self) -> ApiRef<'_, <Client as ProvideRuntimeApi<Block>>::Api> {
        self.client.runtime_api()
    }

    /// The best block's hash, if there are canaries on this chain and the node is not far behind: then it would see old rounds.
    pub fn best_with_canaries(&self) -> Result<Option<H256>, String> {
        if self.chain.network().is_syncing {
            return Ok(None);
        }
        let at = self.chain.best().hash;
        let has_canaries = self.api().has_api::<dyn CanariesApi<Block>>(at);
        Ok(has_canaries.map_err(|e| e.to_string())?.then_some(at))
    }

    /// The worker key of this machine, and the node that it serves in the best state.
    pub fn worker(&self) -> Result<Option<worker::Worker>, String> {
        worker::find(&*self.chain, &self.keystore, self.chain.best().hash)
            .map_err(|e| e.to_string())
    }

    /// Puts a call that its pallet authorises into the pool, for the next blocks.
    ///
    /// It has another hash at every block, so that a pool that has refused it once takes it later.
    pub async fn submit(&self, call: impl Into<RuntimeCall>) -> Result<(), String> {
        let best = self.chain.best();
        let transaction = touchstone_runtime::authorized(call.into(), best.number, LIFETIME);
        let transaction = UncheckedExtrinsic::try_from_encoded_extrinsic(&transaction.encode())
            .map_err(|e| e.to_string())?;
        let submitted = self
            .pool
            .submit_one(best.hash, TransactionSource::Local, transaction)
            .await;
        match submitted.map_err(IntoPoolError::into_pool_error) {
            Ok(_) | Err(Ok(PoolError::AlreadyImported(_))) => Ok(()),
            Err(Ok(error)) => Err(error.to_string()),
            Err(Err(error)) => Err(error.to_string()),
        }
    }
}
