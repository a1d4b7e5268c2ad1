//! Puts canaries to the engine the way a user's question is put: same checks, same template, same receipt.

use crate::{Answerer, Ask, Client, Refusal};
use std::{sync::Arc, time::Duration};
use touchstone_primitives::{H256, tagged_hash};
use touchstone_rpc::{AskRequest, errors};
use touchstone_workers::{Answers, NoAnswer, OpenRound};

/// How long an answer may take, the wait for the engine included. Answers of other rounds have to be revealed meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// The node's own engine, as the runner asks it.
pub struct Canaries {
    answerer: Arc<Answerer>,
}

impl Canaries {
    /// Over the answerer that users ask.
    pub fn new(answerer: Arc<Answerer>) -> Self {
        Self { answerer }
    }

    /// Name of the model with this base and adapter.
    fn model(&self, base: &H256, adapter: &Option<H256>) -> Option<String> {
        let models = self.answerer.models();
        let is_meant = |model: &&touchstone_inference::ModelInfo| {
            model.manifest.base == *base && model.manifest.adapter == *adapter
        };
        models.iter().find(is_meant).map(|model| model.name.clone())
    }
}

/// Chosen from the round's seed, so that whoever knows the round can make the request, and with it the sampler's key, again.
fn nonce(round: &OpenRound, slot: u32) -> H256 {
    tagged_hash(
        "touchstone/canary/nonce/1",
        &[
            round.seed.as_bytes(),
            &round.round.to_le_bytes(),
            &slot.to_le_bytes(),
        ],
    )
}

impl Answers for Canaries {
    async fn answer(&self, round: &OpenRound, slot: u32, urgent: bool) -> Result<String, NoAnswer> {
        let Some(duty) = round.duties.get(slot as usize) else {
            return Err(NoAnswer::Never("there is no such slot".into()));
        };
        let Some(prompt) = duty.prompt.clone() else {
            return Err(NoAnswer::Later("the task is sealed".into()));
        };
        if !urgent && self.answerer.load().queued > 0 {
            return Err(NoAnswer::Later("users are waiting for the engine".into()));
        }
        let model = self.model(&round.base, &round.adapter).ok_or_else(|| {
            let adapter = round.adapter.map(|hash| format!(" with adapter {hash:?}"));
            NoAnswer::Later(format!(
                "the node is enrolled on \"{}\" with base {:?}{}, and this engine has no such model; start the node with it, or \
                 enrol with what it has (`touchstone canary enrol`)",
                round.topic_name,
                round.base,
                adapter.unwrap_or_default(),
            ))
        })?;
        let request = AskRequest {
            prompt: Some(prompt),
            topic: Some(round.topic_name.clone()),
            model: Some(model),
            max_tokens: Some(duty.max_tokens),
            client_nonce: Some(nonce(round, slot)),
            ..AskRequest::default()
        };
        let ask = Ask {
            request,
            stop: Vec::new(),
        };
        let running = self.answerer.start(ask, Client::Canaries).await;
        let answer = tokio::time::timeout(PATIENCE, running.map_err(refused)?.finish()).await;
        let too_long = |_| NoAnswer::Later("the engine took too long".into());
        Ok(answer.map_err(too_long)?.map_err(refused)?.text)
    }
}

fn refused(Refusal { code, message }: Refusal) -> NoAnswer {
    match code {
        errors::INVALID_REQUEST | errors::REQUEST_TOO_LARGE | errors::CONTEXT_EXCEEDED => {
            NoAnswer::Never(message)
        }
        _ => NoAnswer::Later(message),
    }
}
