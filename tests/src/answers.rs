//! Questions, and what becomes of their receipts.

use crate::wait::until;
use std::collections::BTreeMap;
use touchstone_client::{
    Chain,
    submit::{RuntimeEvent, events},
    verify::{Evidence, verify},
};
use touchstone_primitives::NodeId;
use touchstone_rpc::{AskAnswer, AskRequest, InferenceClient, ReceiptsClient};

/// A question with few tokens of answer.
pub fn question(prompt: &str) -> AskRequest {
    AskRequest {
        prompt: Some(prompt.into()),
        max_tokens: Some(16),
        ..Default::default()
    }
}

/// Asks as soon as the node can answer (it may still be finding its place on the chain).
pub async fn ask(chain: &Chain, prompt: &str) -> AskAnswer {
    until(
        &format!("{} answers a question", chain.url()),
        60,
        async || chain.client().ask(question(prompt)).await.ok(),
    )
    .await
}

/// Waits until the receipt is proven against finalised state; fails at once if it does not hold.
pub async fn wait_for_proof(chain: &Chain, answer: &AskAnswer) {
    until(
        "the receipt is anchored in finalised state",
        120,
        async || {
            let stored = chain.client().get(answer.receipt.id).await.ok()?;
            let mut evidence = Evidence::of(stored.receipt);
            evidence.answer = Some(answer.clone());
            let report = verify(chain, &evidence).await.ok()?;
            assert_eq!(report.failure(), None);
            report.is_proven().then_some(())
        },
    )
    .await;
}

/// How often each sequence of a gateway's first stream is anchored in final blocks, by sequence. Later streams are a failure:
/// they are opened only when a journal is lost.
pub async fn anchored(chain: &Chain, gateway: &NodeId) -> BTreeMap<u64, u32> {
    let last = chain.finalized_number().await.expect("the node answers");
    let mut times = BTreeMap::new();
    for number in 1..=last {
        let hash = chain.block_hash(number).await.expect("the node answers");
        let hash = hash.expect("final blocks are known");
        for (_, event) in events(chain, hash).await.expect("events are readable") {
            if let RuntimeEvent::Receipts(pallet_receipts::Event::BatchAnchored {
                gateway: by,
                stream,
                first,
                last,
                ..
            }) = event
                && by == *gateway
            {
                assert_eq!(stream, 0, "{gateway} has lost its journal");
                for sequence in first..=last {
                    *times.entry(sequence).or_insert(0) += 1;
                }
            }
        }
    }
    times
}
