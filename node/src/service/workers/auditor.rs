//! Blind audits as the auditor sees them, the way of its transactions, and the other nodes that it asks.

use super::link::{LIFETIME, Link};
use codec::Encode;
use jsonrpsee::ws_client::WsClientBuilder;
use sp_consensus_babe::BabeApi;
use sp_core::sr25519;
use std::{collections::BTreeMap, str::FromStr, time::Duration};
use touchstone_primitives::{
    H256, NodeId,
    apis::CanariesApi,
    audit::{self, Audit, AuditState, Entries, Entry, declare_message, sign_data, vrf_input},
    consortium::NodeRole,
    worker::KEY_TYPE,
};
use touchstone_rpc::{AskAnswer, AskRequest, InferenceClient};
use touchstone_workers::{Asked, AuditsSender, AuditsView, EpochClock, Peers};

/// How long a node may take for an answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where another node answers: `NODE=ws://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRpc {
    /// The node's stash account.
    pub node: NodeId,
    /// Address of its public RPC.
    pub url: String,
}

impl FromStr for PeerRpc {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let explain = || format!("\"{text}\" is not NODE=ws://HOST:PORT, NODE being an account");
        let (node, url) = text.split_once('=').ok_or_else(explain)?;
        if !url.starts_with("ws://") && !url.starts_with("wss://") {
            return Err(explain());
        }
        Ok(Self {
            node: node.parse().map_err(|_| explain())?,
            url: url.into(),
        })
    }
}

/// The chain, as the auditor needs it, and the other nodes.
#[derive(Clone)]
pub struct Audits {
    /// Reads and sends.
    pub link: Link,
    /// Where other nodes answer.
    pub peers: BTreeMap<NodeId, String>,
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Audits {
    fn audit(&self, at: H256, auditor: &NodeId, epoch: u32) -> Result<Option<Audit>, String> {
        let all = self.link.api().audits(at, epoch).map_err(text)?;
        let own = all.into_iter().find(|(node, _)| node == auditor);
        Ok(own.map(|(_, audit)| audit))
    }

    /// The auditor's batch with the seed of its round, once that is open.
    fn batch(
        &self,
        at: H256,
        auditor: &NodeId,
        epoch: u32,
    ) -> Result<Option<(Audit, H256)>, String> {
        let Some(audit) = self.audit(at, auditor, epoch)? else {
            return Ok(None);
        };
        let Some(round) = audit.round else {
            return Ok(None);
        };
        let round = self.link.api().round(at, round).map_err(text)?;
        Ok(round.map(|round| (audit, round.facts.seed)))
    }
}

impl AuditsView for Audits {
    fn auditor(&self) -> Result<Option<NodeId>, String> {
        let worker = match self.link.best_with_canaries()? {
            Some(_) => self.link.worker()?,
            None => None,
        };
        let auditor = worker.filter(|worker| worker.node.roles.contains(NodeRole::Auditor));
        Ok(auditor.map(|worker| worker.node.node))
    }

    fn best(&self) -> u32 {
        self.link.chain.best().number
    }

    fn clock(&self) -> Result<EpochClock, String> {
        let (at, api) = (self.link.chain.best().hash, self.link.api());
        let babe = api.current_epoch(at).map_err(text)?;
        let slot = api
            .configuration(at)
            .map_err(text)?
            .slot_duration()
            .as_millis();
        let now = self.link.chain.now(at).map_err(text)? / slot.max(1);
        let passed = now.saturating_sub(*babe.start_slot).saturating_mul(1_000);
        Ok(EpochClock {
            epoch: api.epoch(at).map_err(text)?,
            permille: (passed / babe.duration.max(1)).min(1_000) as u32,
        })
    }

    fn may_declare(&self, auditor: &NodeId) -> Result<bool, String> {
        let (at, api) = (self.link.chain.best().hash, self.link.api());
        api.may_declare_audit(at, auditor.clone()).map_err(text)
    }

    fn state(&self, auditor: &NodeId, epoch: u32) -> Result<Option<AuditState>, String> {
        let audit = self.audit(self.link.chain.best().hash, auditor, epoch)?;
        Ok(audit.map(|audit| audit.state))
    }

    fn questions(&self, auditor: &NodeId, epoch: u32) -> Result<Vec<Asked>, String> {
        let at = self.link.chain.best().hash;
        let Some((batch, seed)) = self.batch(at, auditor, epoch)? else {
            return Ok(Vec::new());
        };
        let input = vrf_input(&self.link.chain.genesis(), epoch, &seed);
        let key: sr25519::Public = batch.worker.clone().into();
        let secret = self
            .link
            .keystore
            .sr25519_vrf_pre_output(KEY_TYPE, &key, &input);
        let secret = secret
            .map_err(text)?
            .ok_or("the worker key that declared the batch is no longer in the keystore")?;
        let output = audit::output_of(&batch.worker, &input, &secret).ok_or("a key of no use")?;
        let api = self.link.api();
        let targets = api
            .audit_targets(at, auditor.clone(), epoch, output)
            .map_err(text)?;
        let topics = self.link.chain.topics(at).map_err(text)?;
        let topic = topics.into_iter().find(|topic| topic.id == batch.topic);
        let name = topic.and_then(|topic| String::from_utf8(topic.name).ok());
        let name = name.ok_or("the topic has no name")?;
        let asked = targets.into_iter().filter_map(|target| {
            let request = target.request(name.clone())?;
            let since = batch.since;
            Some(Asked {
                target,
                request,
                since,
            })
        });
        Ok(asked.collect())
    }

    fn proves(&self, question: &Asked, entry: &Entry) -> Result<bool, String> {
        let Asked {
            target,
            request,
            since,
        } = question;
        let (genesis, topic) = (self.link.chain.genesis(), request.topic.clone());
        let Ok(answered) = entry.verify(&genesis, target, topic.unwrap_or_default(), *since) else {
            return Ok(false);
        };
        let at = self.link.chain.best().hash;
        let key = self
            .link
            .chain
            .worker_key_at(at, &target.node, answered)
            .map_err(text)?;
        Ok(key.as_ref() == Some(&entry.worker))
    }
}

impl AuditsSender for Audits {
    async fn declare(&self, auditor: &NodeId) -> Result<(), String> {
        let best = self.link.chain.best();
        let worker = self
            .link
            .worker()?
            .filter(|worker| worker.node.node == *auditor);
        let worker = worker.ok_or("the worker key no longer serves the node")?;
        let next = self.link.api().epoch(best.hash).map_err(text)? + 1;
        let valid_until = best.number.saturating_add(LIFETIME);
        let message = declare_message(&self.link.chain.genesis(), auditor, next, valid_until);
        let signature = worker
            .sign(&self.link.keystore, &message)
            .ok_or("the worker key is no longer in the keystore")?;
        let call = pallet_canaries::Call::declare_audit {
            auditor: auditor.clone(),
            valid_until,
            signature,
        };
        self.link.submit(call).await
    }

    async fn open(&self, auditor: &NodeId, epoch: u32, entries: Vec<Entry>) -> Result<(), String> {
        let at = self.link.chain.best().hash;
        let (batch, seed) = self
            .batch(at, auditor, epoch)?
            .ok_or("there is no such batch")?;
        let data = sign_data(
            vrf_input(&self.link.chain.genesis(), epoch, &seed),
            &entries,
        );
        let key: sr25519::Public = batch.worker.into();
        let signature = self.link.keystore.sr25519_vrf_sign(KEY_TYPE, &key, &data);
        let signature = signature
            .map_err(text)?
            .ok_or("the worker key that declared the batch is no longer in the keystore")?;
        let call = pallet_canaries::Call::open_audit {
            auditor: auditor.clone(),
            epoch,
            proof: signature
                .encode()
                .try_into()
                .map_err(|_| "an odd signature")?,
            entries: Entries::try_from(entries).map_err(|_| "too many entries")?,
        };
        self.link.submit(call).await
    }
}

impl Peers for Audits {
    async fn ask(&self, question: &Asked) -> Result<Entry, String> {
        let Asked {
            target, request, ..
        } = question;
        let url = self.peers.get(&target.node).ok_or_else(|| {
            format!(
                "its address is not known; give it with `--peer-rpc {}=ws://…`",
                target.node
            )
        })?;
        let client = WsClientBuilder::default()
            .request_timeout(PATIENCE)
            .build(url)
            .await
            .map_err(text)?;
        let prompt = request
            .messages
            .first()
            .map(|message| message.content.clone());
        let ask = AskRequest {
            prompt,
            topic: request.topic.clone(),
            max_tokens: Some(request.options.max_tokens),
            client_nonce: Some(request.client_nonce),
            ..AskRequest::default()
        };
        let AskAnswer {
            text: answer,
            receipt,
            ..
        } = client.ask(ask).await.map_err(text)?;
        let key = self.link.chain.worker_key_at(
            self.link.chain.best().hash,
            &target.node,
            receipt.answered_at,
        );
        Ok(Entry {
            place: target.duty.slot,
            worker: key
                .map_err(text)?
                .ok_or("the chain knows no key of the node")?,
            receipt: receipt
                .encoded
                .0
                .try_into()
                .map_err(|_| "too long a receipt")?,
            answer: answer
                .into_bytes()
                .try_into()
                .map_err(|_| "too long an answer")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_an_account_and_a_websocket() {
        let node = NodeId::new([7; 32]);
        let peer: PeerRpc = format!("{node}=ws://127.0.0.1:9944").parse().unwrap();
        assert_eq!(
            (peer.node, &*peer.url),
            (node.clone(), "ws://127.0.0.1:9944")
        );
        for bad in [
            "ws://host:1",
            &format!("{node}=http://host:1"),
            "x=ws://host:1",
        ] {
            assert!(bad.parse::<PeerRpc>().is_err(), "{bad}");
        }
    }
}
