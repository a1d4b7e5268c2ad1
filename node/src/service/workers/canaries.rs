//! Canary rounds as the runner sees them, and the way its transactions go.

use super::link::{LIFETIME, Link};
use touchstone_primitives::{
    H256, NodeId,
    apis::{CanariesApi, DutyInfo, EnrolmentInfo, RoundInfo},
    canary::{self, Commitments, End, Outcome, Phase, Revealed},
};
use touchstone_workers::{
    Duty, Ended, OpenRound, Opening, RoundId, RoundsSender, RoundsView, Window,
};

/// The chain, as the runner needs it.
#[derive(Clone)]
pub struct Rounds {
    /// Reads and sends.
    pub link: Link,
    /// Most tokens of an answer.
    pub max_tokens: u32,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Rounds {
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
        let api = self.link.api();
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
}

impl RoundsView for Rounds {
    fn node(&self) -> Result<Option<NodeId>, String> {
        Ok(match self.link.best_with_canaries()? {
            Some(_) => self.link.worker()?.map(|worker| worker.node.node),
            None => None,
        })
    }

    fn best(&self) -> u32 {
        self.link.chain.best().number
    }

    fn finalized(&self) -> u32 {
        self.link.chain.finalized().number
    }

    fn open(&self, node: &NodeId) -> Result<Vec<OpenRound>, String> {
        let best = self.link.chain.best();
        let (at, now) = (best.hash, best.number.saturating_add(1));
        let api = self.link.api();
        let rounds = api.rounds(at).map_err(|e| e.to_string())?;
        let mine: Vec<RoundInfo> = rounds
            .into_iter()
            .filter(|round| round.nodes.contains(node) && round.facts.phase(now) != Phase::Closed)
            .collect();
        if mine.is_empty() {
            return Ok(Vec::new());
        }
        let enrolments = api.enrolments(at).map_err(|e| e.to_string())?;
        let topics = self.link.chain.topics(at).map_err(|e| e.to_string())?;
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
        let finalized = self.link.chain.finalized();
        if finalized.number < until {
            return Ok(None);
        }
        let (at, api) = (finalized.hash, self.link.api());
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
        let genesis = self.link.chain.genesis();
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
        let worker = self
            .link
            .worker()?
            .filter(|worker| worker.node.node == id.node);
        let worker = worker.ok_or("the worker key no longer serves the node")?;
        let valid_until = self.link.chain.best().number.saturating_add(LIFETIME);
        let message = canary::commit_message(
            &self.link.chain.genesis(),
            &id.node,
            id.round,
            &commitments,
            valid_until,
        );
        let signature = worker
            .sign(&self.link.keystore, &message)
            .ok_or("the worker key is no longer in the keystore")?;
        let hashes = Commitments::try_from(commitments).map_err(|_| "too many duties")?;
        self.link
            .submit(pallet_canaries::Call::commit {
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
        self.link
            .submit(pallet_canaries::Call::reveal {
                node: id.node.clone(),
                round: id.round,
                answers,
            })
            .await
    }
}
