//! Checks a receipt against the chain, without trusting whoever handed it over.
//!
//! The only thing that is taken on trust is the finalised state as the connected node shows it: connect to your own node.

use crate::{Chain, Error, Result};
use sp_core::H256;
use touchstone_primitives::{
    memory::answer::cite,
    merkle,
    receipt::{Body, Wrapper, answer_hash},
    worker,
};
use touchstone_rpc::{
    Anchor, AskAnswer, AskRequest, ReceiptView, ReceiptsClient, StoredReceipt, errors,
};

/// What is to be checked: a receipt and whatever came with it.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The receipt.
    pub receipt: ReceiptView,
    /// The answer that it vouches for.
    pub answer: Option<AskAnswer>,
    /// The question, with the nonce that the client chose.
    pub request: Option<AskRequest>,
    /// Where it is said to be anchored.
    pub anchor: Option<Anchor>,
}

/// A question and its answer, as `touchstone ask --save` writes them.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SavedAnswer {
    /// The question, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<AskRequest>,
    /// The answer with its receipt.
    #[serde(flatten)]
    pub answer: AskAnswer,
}

impl Evidence {
    /// A receipt alone.
    pub fn of(receipt: ReceiptView) -> Self {
        Self {
            receipt,
            answer: None,
            request: None,
            anchor: None,
        }
    }

    /// Reads an answer (of `inference_ask` or `touchstone ask --save`), an answer of `receipts_get`, or a bare receipt.
    pub fn from_json(json: &str) -> std::result::Result<Self, String> {
        let value: serde_json::Value =
            serde_json::from_str(json).map_err(|e| format!("this is not JSON: {e}"))?;
        let has = |field| value.get(field).is_some();
        if has("encoded") {
            return serde_json::from_value(value)
                .map(Self::of)
                .map_err(|e| e.to_string());
        }
        if has("tokenIds") {
            // Not as one flattened type: serde cannot read fractions there when `serde_json` keeps arbitrary precision, which the
            // SDK turns on.
            let request = value.get("request").cloned().map(serde_json::from_value);
            let request = request.transpose().map_err(|e| e.to_string())?;
            let answer: AskAnswer = serde_json::from_value(value).map_err(|e| e.to_string())?;
            return Ok(Self {
                receipt: answer.receipt.clone(),
                answer: Some(answer),
                request,
                anchor: None,
            });
        }
        if has("receipt") {
            let stored: StoredReceipt = serde_json::from_value(value).map_err(|e| e.to_string())?;
            return Ok(Self {
                anchor: stored.anchor,
                ..Self::of(stored.receipt)
            });
        }
        Err("this is neither an answer nor a receipt: there is no field `tokenIds`, `receipt` or `encoded`"
			.into())
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Holds,
    /// It does not hold: the receipt proves nothing.
    Fails,
    /// It cannot be decided yet.
    Open,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What was found.
    pub detail: String,
}

/// All checks of a receipt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order in which they were made.
    pub checks: Vec<Check>,
}

impl Report {
    fn add(&mut self, name: &'static str, holds: bool, detail: impl Into<String>) {
        let outcome = if holds {
            Outcome::Holds
        } else {
            Outcome::Fails
        };
        self.checks.push(Check {
            name,
            outcome,
            detail: detail.into(),
        });
    }

    fn open(&mut self, name: &'static str, detail: impl Into<String>) {
        self.checks.push(Check {
            name,
            outcome: Outcome::Open,
            detail: detail.into(),
        });
    }

    /// The first check that fails.
    pub fn failure(&self) -> Option<&Check> {
        self.checks
            .iter()
            .find(|check| check.outcome == Outcome::Fails)
    }

    /// What cannot be decided yet.
    pub fn pending(&self) -> Option<&Check> {
        self.checks
            .iter()
            .find(|check| check.outcome == Outcome::Open)
    }

    /// Whether everything holds, the anchor in finalised state included.
    pub fn is_proven(&self) -> bool {
        self.failure().is_none() && self.pending().is_none()
    }
}

/// Makes all checks against the finalised head of `chain`.
pub async fn verify(chain: &Chain, evidence: &Evidence) -> Result<Report> {
    let mut report = Report::default();
    let head = chain.finalized().await?;
    let receipt = match evidence.receipt.receipt() {
        Ok(receipt) => receipt,
        Err(reason) => {
            report.add("receipt", false, reason);
            return Ok(report);
        }
    };
    let (wrapper, id) = (receipt.wrapper(), receipt.id());
    report.add("receipt", evidence.receipt.id == id, format!("id {id:?}"));
    report.add(
        "chain",
        wrapper.genesis == chain.genesis(),
        format!(
            "genesis {:?}, this chain's is {:?}",
            wrapper.genesis,
            chain.genesis()
        ),
    );
    check_content(&mut report, evidence, &wrapper.body);
    if report.failure().is_some() {
        return Ok(report);
    }
    let touchstone_primitives::receipt::Receipt::V1(signed) = &receipt;
    for (name, node, message, signature) in [
        (
            "specialist",
            &wrapper.specialist,
            wrapper.body.hash(&wrapper.genesis, &wrapper.specialist),
            &wrapper.specialist_signature,
        ),
        ("gateway", &wrapper.gateway, id, &signed.gateway_signature),
    ] {
        match chain.worker_key_at(node, wrapper.answered_at, head).await? {
            Some(key) => report.add(
                name,
                worker::verify(&key, &message, signature),
                format!("{node}, signature by its worker key of that time"),
            ),
            None => report.add(
                name,
                false,
                format!("the chain names no worker key of {node} for that time"),
            ),
        }
    }
    if report.failure().is_none() {
        check_anchor(
            chain,
            &mut report,
            evidence.anchor.as_ref(),
            wrapper,
            id,
            head,
        )
        .await?;
    }
    Ok(report)
}

fn check_content(report: &mut Report, evidence: &Evidence, body: &Body) {
    if let Some(answer) = &evidence.answer {
        report.add(
            "text",
            answer_hash(&answer.text) == body.answer_hash,
            "hash of the answer's text",
        );
        let count = u32::try_from(answer.token_ids.len()).unwrap_or(u32::MAX);
        report.add(
            "tokens",
            merkle::token_root(&answer.token_ids) == body.token_root && count == body.token_count,
            format!("root over {count} token ids"),
        );
        report.add(
            "manifest",
            answer.manifest.hash() == body.manifest_hash,
            format!("made with {}", answer.manifest.engine),
        );
    }
    if let Some(request) = &evidence.request {
        let recalled = evidence.answer.as_ref().and_then(|a| a.memory.as_ref());
        let holds = request
            .clone()
            .canonical(body.client_nonce)
            .is_ok_and(|mut request| {
                if let Some(recalled) = recalled {
                    let messages = std::mem::take(&mut request.messages);
                    request.messages = cite(messages, &recalled.hits).0;
                }
                request.hash() == body.query_hash
                    && request.options.hash() == body.options_hash
                    && request.client_nonce == body.client_nonce
            });
        report.add("question", holds, "hash of question, options and nonce");
    }
    if let Some(recalled) = evidence.answer.as_ref().and_then(|a| a.memory.as_ref()) {
        let holds = match recalled.verify() {
            Ok(()) if body.memory_root == Some(recalled.root) => Ok(()),
            Ok(()) => Err("the receipt names another root".into()),
            Err(reason) => Err(reason),
        };
        let cited = format!("{} passages and their proof", recalled.hits.len());
        report.add("memory", holds.is_ok(), holds.err().unwrap_or(cited));
    }
}

async fn check_anchor(
    chain: &Chain,
    report: &mut Report,
    given: Option<&Anchor>,
    wrapper: &Wrapper,
    id: H256,
    head: H256,
) -> Result<()> {
    let name = "anchor";
    let Some(batch) = chain
        .batch_of(&wrapper.gateway, wrapper.stream, wrapper.sequence, head)
        .await?
    else {
        report.open(
            name,
            "not in finalised state yet; gateways anchor every few blocks",
        );
        return Ok(());
    };
    let proof = match given {
        Some(anchor) => Some(anchor.proof.clone()),
        None => match chain.client().get(id).await {
            Ok(stored) => stored.anchor.map(|anchor| anchor.proof),
            Err(e) => match Error::of("receipts_get", e) {
                refused if refused.code() == Some(errors::UNKNOWN_RECEIPT) => None,
                other => return Err(other),
            },
        },
    };
    let Some(proof) = proof else {
        report.open(
			name,
			"its batch is anchored, but the proof is with the gateway: connect to it, or verify the file of `touchstone receipt get`",
		);
        return Ok(());
    };
    let place = wrapper.sequence.checked_sub(batch.first);
    let holds = place == Some(proof.index.into())
        && proof.count == batch.count
        && merkle::verify(&batch.root, &id, &proof);
    report.add(
        name,
        holds,
        format!(
            "receipt {} of {} in the batch of block {}, root {:?}",
            proof.index.saturating_add(1),
            batch.count,
            batch.block,
            batch.root
        ),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sp_core::Pair;
    use touchstone_primitives::{NodeId, manifest::Manifest, receipt::example, worker::WorkerPair};
    use touchstone_rpc::{FinishReason, Timings, Usage};

    /// The answer to `example::receipt`, but for the manifest.
    fn saved() -> SavedAnswer {
        let pair = WorkerPair::from_seed(&[1; 32]);
        let receipt = example::receipt(H256::zero(), NodeId::new([2; 32]), &pair, 0, 7);
        let manifest = Manifest {
            base: H256::zero(),
            adapter: None,
            engine: "dummy/1".into(),
            weight_dtype: "none".into(),
            cache_dtype: "none".into(),
            tokenizer: H256::zero(),
            chat_template: H256::zero(),
            sampler: "argmax/1".into(),
            context: 64,
        };
        let answer = AskAnswer {
            text: "hello".into(),
            token_ids: vec![3, 4, 5],
            finish_reason: FinishReason::Stop,
            manifest,
            usage: Usage::default(),
            timings: Timings {
                decode_ms: 0.25,
                ..Default::default()
            },
            receipt: ReceiptView::of(&receipt),
            memory: None,
            remembered: None,
        };
        let request = AskRequest {
            prompt: Some("Hi?".into()),
            temperature: Some(0.7),
            ..Default::default()
        };
        SavedAnswer {
            request: Some(request),
            answer,
        }
    }

    #[test]
    fn a_saved_answer_survives_its_file() {
        let saved = saved();
        let read = Evidence::from_json(&serde_json::to_string(&saved).unwrap()).unwrap();
        assert_eq!(
            (read.answer, read.request),
            (Some(saved.answer), saved.request)
        );
    }

    #[test]
    fn whatever_is_not_the_receipts_own_is_named() {
        let saved = saved();
        let mut evidence = Evidence::of(saved.answer.receipt.clone());
        (evidence.answer, evidence.request) = (Some(saved.answer.clone()), saved.request);
        let receipt = evidence.receipt.receipt().unwrap();
        let mut report = Report::default();
        check_content(&mut report, &evidence, &receipt.wrapper().body);
        let outcomes: Vec<_> = report.checks.iter().map(|c| (c.name, c.outcome)).collect();
        let (holds, fails) = (Outcome::Holds, Outcome::Fails);
        let expected = [
            ("text", holds),
            ("tokens", holds),
            ("manifest", fails),
            ("question", fails),
        ];
        assert_eq!(outcomes, expected);
    }

    #[test]
    fn other_files_are_refused_in_words() {
        assert!(Evidence::from_json("no").unwrap_err().contains("not JSON"));
        assert!(
            Evidence::from_json("{\"a\": 1}")
                .unwrap_err()
                .contains("neither")
        );
    }
}
