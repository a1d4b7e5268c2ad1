//! Canary rounds as the runner sees them, and the way its transactions go.

use crate::service::{Client, Pool};
use codec::Encode;
use sc_transaction_pool_api::{
    TransactionPool, TransactionSource,
    error::{Error as PoolError, IntoPoolError},
};
use sp_api::{ApiExt, ProvideRuntimeApi};
use sp_keystore::KeystorePtr;
use std::sync::Arc;
use touchstone_gateway::{BlockRef, ChainState, worker};
use touchstone_primitives::{
    H256, NodeId,
    apis::{CanariesApi, DutyInfo, EnrolmentInfo, RoundInfo},
    canary::{self, Commitments, End, Outcome, Phase, Revealed},
};
use touchstone_runtime::{
    Runtime, RuntimeCall,
    opaque::{Block, UncheckedExtrinsic},
};
use touchstone_workers::{
    Duty, Ended, OpenRound, Opening, RoundId, RoundsSender, RoundsView, Window,
};

/// Blocks for which a commitment stays valid.
const LIFETIME: u32 = 16;

/// The chain, its pool and the worker key.
#[derive(Clone)]
pub struct Rounds {
    /// Runtime APIs.
    pub client: Arc<Client>,
    /// Takes the node's own transactions.
    pub pool: Arc<Pool>,
    /// Who the node is.
    pub chain: Arc<dyn ChainState>,
    /// Worker key.
    pub keystore: KeystorePtr,
    /// Most tokens of an answer.
    pub max_tokens: u32,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Rounds {
    fn worker(&self) -> Result<Option<worker::Worker>, String> {
        worker::find(&*self.chain, &self.keystore, self.chain.best().hash)
            .map_err(|e| e.to_string())
    }

    /// A round in which the node has duties; `None` if they cannot be done here.
    fn open_round(
        &self,
        at: H256,
        node: &NodeId,
        round: RoundInfo,
        enrolments: &[EnrolmentInfo],
        topic_name: String,
    ) -> Result<Option<OpenRound>, sp_api::ApiError> {
        let facts = round.facts;
        let own =
            |enrolment: &&EnrolmentInfo| enrolment.node == *node && enrolment.topic == facts.topic;
        let Some(enrolment) = enrolments.iter().find(own) else {
            return Ok(None);
        };
        let api = self.client.runtime_api();
        let duties = api.duties(at, facts.id, node.clone())?;
        let committed = api.commitments(at, facts.id, node.clone())?;
        let revealed = api.revealed(at, facts.id, node.clone())?;
        Ok(Some(OpenRound {
            topic: facts.topic,
            topic_name,
            base: enrolment.base,
            adapter: enrolment.adapter,
            round: facts.id,
            seed: facts.seed,
            commit: Window {
                first: facts.commit_from().saturating_add(1),
                last: facts.committed_from().saturating_sub(1),
            },
            reveal: Window {
                first: facts.reveal_from(),
                last: facts.closed_from().saturating_sub(1),
            },
            duties: duties.into_iter().map(|duty| self.duty(duty)).collect(),
            committed: committed.map(Commitments::into_inner),
            revealed: revealed.into_iter().map(Into::into).collect(),
        }))
    }

    fn duty(&self, duty: DutyInfo) -> Duty {
        Duty {
            posed: duty.instance,
            prompt: (!duty.prompt.is_empty()).then(|| text(&duty.prompt)),
            max_tokens: self.max_tokens.clamp(1, canary::ANSWER_TOKENS),
        }
    }

    async fn submit(&self, call: pallet_canaries::Call<Runtime>) -> Result<(), String> {
        submit(&self.pool, self.chain.best(), call).await
    }
}

/// Puts a call that its pallet authorises into the pool, for the blocks after `best`.
///
/// It has another hash at every block, so that a pool that has refused it once takes it later.
pub async fn submit(
    pool: &Pool,
    best: BlockRef,
    call: pallet_canaries::Call<Runtime>,
) -> Result<(), String> {
    let transaction =
        touchstone_runtime::authorized(RuntimeCall::Canaries(call), best.number, LIFETIME);
    let transaction = UncheckedExtrinsic::try_from_encoded_extrinsic(&transaction.encode())
        .map_err(|e| e.to_string())?;
    let submitted = pool
        .submit_one(best.hash, TransactionSource::Local, transaction)
        .await;
    match submitted.map_err(IntoPoolError::into_pool_error) {
        Ok(_) | Err(Ok(PoolError::AlreadyImported(_))) => Ok(()),
        Err(Ok(error)) => Err(error.to_string()),
        Err(Err(error)) => Err(error.to_string()),
    }
}

impl RoundsView for Rounds {
    fn node(&self) -> Result<Option<NodeId>, String> {
        // A node that is far behind would see old rounds.
        if self.chain.network().is_syncing {
            return Ok(None);
        }
        let at = self.chain.best().hash;
        let has_canaries = self
            .client
            .runtime_api()
            .has_api::<dyn CanariesApi<Block>>(at)
            .map_err(|e| e.to_string())?;
        Ok(match has_canaries {
            true => self.worker()?.map(|worker| worker.node.node),
            false => None,
        })
    }

    fn best(&self) -> u32 {
        self.chain.best().number
    }

    fn finalized(&self) -> u32 {
        self.chain.finalized().number
    }

    fn open(&self, node: &NodeId) -> Result<Vec<OpenRound>, String> {
        let best = self.chain.best();
        let (at, now) = (best.hash, best.number.saturating_add(1));
        let api = self.client.runtime_api();
        let rounds = api.rounds(at).map_err(|e| e.to_string())?;
        let mine: Vec<RoundInfo> = rounds
            .into_iter()
            .filter(|round| round.nodes.contains(node) && round.facts.phase(now) != Phase::Closed)
            .collect();
        if mine.is_empty() {
            return Ok(Vec::new());
        }
        let enrolments = api.enrolments(at).map_err(|e| e.to_string())?;
        let topics = self.chain.topics(at).map_err(|e| e.to_string())?;
        let mut open = Vec::new();
        for round in mine {
            let topic = topics.iter().find(|topic| topic.id == round.facts.topic);
            let name = topic.map(|topic| text(&topic.name)).unwrap_or_default();
            let round = self
                .open_round(at, node, round, &enrolments, name)
                .map_err(|e| e.to_string())?;
            open.extend(round);
        }
        Ok(open)
    }

    fn ended(&self, id: &RoundId, until: u32) -> Result<Option<Ended>, String> {
        let finalized = self.chain.finalized();
        if finalized.number < until {
            return Ok(None);
        }
        let (at, api) = (finalized.hash, self.client.runtime_api());
        let mut ended = Ended::default();
        match api.round(at, id.round).map_err(|e| e.to_string())? {
            // Never was on this chain, or is forgotten.
            None => return Ok(Some(ended)),
            Some(round) if !round.settled => return Ok(None),
            Some(_) => {}
        }
        let duties = api
            .duties(at, id.round, id.node.clone())
            .map_err(|e| e.to_string())?;
        for duty in duties {
            let place = match duty.end {
                Some(End::Scored(Outcome::Right)) => &mut ended.right,
                Some(End::Scored(Outcome::Wrong(_))) => &mut ended.wrong,
                Some(End::NotCommitted | End::NotRevealed) => &mut ended.missed,
                Some(End::Scored(Outcome::Void) | End::Void | End::Absent) | None => {
                    &mut ended.void
                }
            };
            *place = place.saturating_add(1);
        }
        Ok(Some(ended))
    }

    fn commitment(&self, id: &RoundId, posed: &H256, opening: &Opening) -> H256 {
        let genesis = self.chain.genesis();
        canary::commitment(
            &genesis,
            id.round,
            posed,
            &id.node,
            &opening.salt,
            &opening.answer,
        )
    }
}

impl RoundsSender for Rounds {
    async fn commit(&self, id: &RoundId, commitments: Vec<H256>) -> Result<(), String> {
        let worker = self.worker()?.filter(|worker| worker.node.node == id.node);
        let worker = worker.ok_or("the worker key no longer serves the node")?;
        let valid_until = self.chain.best().number.saturating_add(LIFETIME);
        let message = canary::commit_message(
            &self.chain.genesis(),
            &id.node,
            id.round,
            &commitments,
            valid_until,
        );
        let signature = worker
            .sign(&self.keystore, &message)
            .ok_or("the worker key is no longer in the keystore")?;
        let hashes = Commitments::try_from(commitments).map_err(|_| "too many duties")?;
        self.submit(pallet_canaries::Call::commit {
            node: id.node.clone(),
            round: id.round,
            hashes,
            valid_until,
            signature,
        })
        .await
    }

    async fn reveal(&self, id: &RoundId, openings: Vec<(u32, Opening)>) -> Result<(), String> {
        let revealed = |(slot, opening): (u32, Opening)| {
            let slot = u8::try_from(slot).map_err(|_| "too many duties")?;
            let answer = opening
                .answer
                .try_into()
                .map_err(|_| "too long an answer")?;
            Ok(Revealed {
                slot,
                salt: opening.salt,
                answer,
            })
        };
        let answers: Result<Vec<_>, String> = openings.into_iter().map(revealed).collect();
        let answers = answers?.try_into().map_err(|_| "too many duties")?;
        self.submit(pallet_canaries::Call::reveal {
            node: id.node.clone(),
            round: id.round,
            answers,
        })
        .await
    }
}
