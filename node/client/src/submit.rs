//! Signs and submits transactions, and follows them until they are final. With [`crate::calls`], all that needs the runtime's types.

use crate::{Chain, Error, Result, chain::storage_key};
use codec::{Decode, Encode};
use jsonrpsee::{
    core::client::{Subscription, SubscriptionClientT},
    rpc_params,
};
use sp_core::{Bytes, H256, Pair, sr25519};
use sp_runtime::{AccountId32, DispatchError, MultiAddress, MultiSignature, generic::Era};
use touchstone_runtime::{Runtime, RuntimeError, SignedPayload, UncheckedExtrinsic};

pub use touchstone_runtime::{RuntimeCall, RuntimeEvent};

/// Blocks during which a signed transaction may be included.
const LIFETIME: u64 = 64;

/// How long to follow a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until a block of the best chain includes it.
    Included,
    /// Until that block is final.
    Finalized,
}

/// A transaction that was included and succeeded.
#[derive(Debug)]
pub struct Included {
    /// Block that includes it.
    pub block: H256,
    /// Events that it deposited.
    pub events: Vec<RuntimeEvent>,
}

/// Account of a key.
pub fn account(pair: &sr25519::Pair) -> AccountId32 {
    AccountId32::new(pair.public().0)
}

/// Signs a call with the signer's next nonce.
pub async fn sign(
    chain: &Chain,
    call: RuntimeCall,
    signer: &sr25519::Pair,
) -> Result<UncheckedExtrinsic> {
    let nonce = chain.next_nonce(&account(signer)).await?;
    sign_with_nonce(chain, call, signer, nonce).await
}

/// The block from which a transaction's lifetime counts. A final one, which no fork can take away; but while finality stalls the last
/// final one is soon too old.
async fn birth(chain: &Chain) -> Result<(H256, u32)> {
    let (finalized, best) = (chain.finalized().await?, chain.best().await?);
    let (final_number, best_number) = (
        chain.header(finalized).await?.number,
        chain.header(best).await?.number,
    );
    Ok(
        if u64::from(best_number.saturating_sub(final_number)) < LIFETIME / 4 {
            (finalized, final_number)
        } else {
            (best, best_number)
        },
    )
}

/// Signs a call with a given nonce, in the format that wallets sign (version 4).
pub async fn sign_with_nonce(
    chain: &Chain,
    call: RuntimeCall,
    signer: &sr25519::Pair,
    nonce: u32,
) -> Result<UncheckedExtrinsic> {
    let (head, number) = birth(chain).await?;
    let version = chain.runtime_version(head).await?;
    let era = Era::mortal(LIFETIME, number.into());
    let extension = touchstone_runtime::extension(nonce, era, 0);
    let implicit = (
        (),
        (),
        version.spec_version,
        version.transaction_version,
        chain.genesis(),
        head,
        (),
        (),
        (),
        None,
        (),
    );
    let payload = SignedPayload::from_raw(call, extension, implicit);
    let signature = payload.using_encoded(|bytes| signer.sign(bytes));
    let (call, extension, _) = payload.deconstruct();
    Ok(UncheckedExtrinsic::new_signed(
        call,
        MultiAddress::Id(account(signer)),
        MultiSignature::Sr25519(signature),
        extension,
    ))
}

/// A call without signer that its pallet authorises, as the offchain hooks submit them.
pub fn authorized(call: RuntimeCall) -> UncheckedExtrinsic {
    <Runtime as frame_system::offchain::CreateAuthorizedTransaction<RuntimeCall>>::create_authorized_transaction(call)
}

/// Signs and submits a call and follows it.
pub async fn submit(
    chain: &Chain,
    call: RuntimeCall,
    signer: &sr25519::Pair,
    until: Until,
) -> Result<Included> {
    let extrinsic = sign(chain, call, signer).await?;
    follow(chain, &extrinsic, until).await
}

/// Submits a transaction and follows it.
pub async fn follow(
    chain: &Chain,
    extrinsic: &UncheckedExtrinsic,
    until: Until,
) -> Result<Included> {
    let (bytes, method) = (extrinsic.encode(), "author_submitAndWatchExtrinsic");
    let mut updates: Subscription<serde_json::Value> = chain
        .client()
        .subscribe(
            method,
            rpc_params![Bytes(bytes.clone())],
            "author_unwatchExtrinsic",
        )
        .await
        .map_err(|e| Error::of(method, e))?;
    while let Some(update) = updates.next().await {
        let update = update.map_err(|e| Error::of(method, e.into()))?;
        let block = match (until, update.get("inBlock"), update.get("finalized")) {
            (Until::Included, Some(hash), _) | (_, _, Some(hash)) => hash,
            _ if ["invalid", "dropped", "usurped", "finalityTimeout"]
                .iter()
                .any(|end| update.as_str() == Some(*end) || update.get(end).is_some()) =>
            {
                return Err(Error::NotIncluded(update.to_string()));
            }
            _ => continue,
        };
        let block: H256 = serde_json::from_value(block.clone()).map_err(|e| Error::Unreadable {
            what: method.into(),
            reason: e.to_string(),
        })?;
        return outcome(chain, block, &bytes).await;
    }
    Err(Error::NotIncluded(
        "the node closed the subscription".into(),
    ))
}

async fn outcome(chain: &Chain, block: H256, extrinsic: &[u8]) -> Result<Included> {
    let index = chain
        .block(block)
        .await?
        .extrinsics
        .iter()
        .position(|other| other.0 == extrinsic);
    let mut mine = Vec::new();
    for (at, event) in events(chain, block).await? {
        if at.is_some() && at == index {
            mine.push(event);
        }
    }
    for event in &mine {
        if let RuntimeEvent::System(frame_system::Event::ExtrinsicFailed {
            dispatch_error, ..
        }) = event
        {
            return Err(Error::Failed {
                block,
                error: error_name(*dispatch_error),
            });
        }
    }
    Ok(Included {
        block,
        events: mine,
    })
}

/// Calls of a block's transactions, in order. Those that this program does not know are left out.
pub async fn calls_in(chain: &Chain, block: H256) -> Result<Vec<RuntimeCall>> {
    let extrinsics = chain.block(block).await?.extrinsics;
    let call = |bytes: Bytes| UncheckedExtrinsic::decode(&mut &bytes.0[..]).ok();
    Ok(extrinsics
        .into_iter()
        .filter_map(call)
        .map(|extrinsic| extrinsic.function)
        .collect())
}

/// Events of a block, each with the index of the transaction that deposited it (`None`: the block itself did).
pub async fn events(chain: &Chain, block: H256) -> Result<Vec<(Option<usize>, RuntimeEvent)>> {
    type Record = frame_system::EventRecord<RuntimeEvent, H256>;
    let records: Vec<Record> = chain
        .storage(&storage_key("System", "Events"), block)
        .await?
        .unwrap_or_default();
    Ok(records
        .into_iter()
        .map(|record| match record.phase {
            frame_system::Phase::ApplyExtrinsic(index) => {
                (usize::try_from(index).ok(), record.event)
            }
            _ => (None, record.event),
        })
        .collect())
}

/// Name of a dispatch error, for example `Consortium(NotMember)`.
pub fn error_name(error: DispatchError) -> String {
    match RuntimeError::from_dispatch_error(error) {
        Some(named) => format!("{named:?}"),
        None => format!("{error:?}"),
    }
}
