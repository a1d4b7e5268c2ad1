//! Puts the RPC modules together: Substrate's own and Touchstone's.

use crate::service::{Backend, Client, Pool, workers::Workers};
use jsonrpsee::RpcModule;
use sc_consensus_babe::BabeWorkerHandle;
use sc_consensus_grandpa::{
    FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState,
};
use sc_rpc::SubscriptionTaskExecutor;
use sp_keystore::KeystorePtr;
use std::sync::Arc;
use touchstone_runtime::{BlockNumber, Hash, opaque::Block};

/// What the modules need.
pub struct Deps {
    /// The chain.
    pub client: Arc<Client>,
    /// Its transaction pool.
    pub pool: Arc<Pool>,
    /// Finds the best block.
    pub select_chain: sc_consensus::LongestChain<Backend, Block>,
    /// Keys.
    pub keystore: KeystorePtr,
    /// BABE's epochs.
    pub babe: BabeWorkerHandle<Block>,
    /// GRANDPA's voters.
    pub authority_set: SharedAuthoritySet<Hash, BlockNumber>,
    /// GRANDPA's round.
    pub voter_state: SharedVoterState,
    /// GRANDPA's justifications.
    pub justifications: GrandpaJustificationStream<Block>,
    /// Proofs of finality.
    pub finality_proofs: Arc<FinalityProofProvider<Backend, Block>>,
    /// Engine and workers.
    pub workers: Workers,
}

/// All methods of the node.
pub fn create(
    deps: &Deps,
    executor: SubscriptionTaskExecutor,
) -> Result<RpcModule<()>, Box<dyn std::error::Error + Send + Sync>> {
    use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
    use sc_consensus_babe_rpc::{Babe, BabeApiServer};
    use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
    use substrate_frame_rpc_system::{System, SystemApiServer};

    let mut module = RpcModule::new(());
    module.merge(System::new(deps.client.clone(), deps.pool.clone()).into_rpc())?;
    module.merge(TransactionPayment::new(deps.client.clone()).into_rpc())?;
    module.merge(
        Babe::new(
            deps.client.clone(),
            deps.babe.clone(),
            deps.keystore.clone(),
            deps.select_chain.clone(),
        )
        .into_rpc(),
    )?;
    module.merge(
        Grandpa::new(
            executor,
            deps.authority_set.clone(),
            deps.voter_state.clone(),
            deps.justifications.clone(),
            deps.finality_proofs.clone(),
        )
        .into_rpc(),
    )?;
    deps.workers.merge_into(&mut module)?;
    Ok(module)
}
