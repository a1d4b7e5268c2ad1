//! Blind audits: an auditor asks nodes like any client, and shows on chain what they answered (whitepaper 9.5, 'secret canaries').
//!
//! An auditor obliges itself to a batch before anybody can know its [`TARGETS`] targets: they follow from the output of its VRF over the
//! seed of a round that is opened an epoch later. So their number and their content are fixed before the first question is put, the
//! auditor chooses nothing, and nobody else can tell an audit from another question. Later it proves the output and shows the receipts
//! that the nodes signed. What is left out is counted, because who may leave out answers may report failures only.

use crate::{
    H256, Moment, NodeId,
    canary::{ANSWER_TOKENS, Duty, RoundFacts},
    checkers::MAX_ANSWER,
    receipt::{Receipt, answer_hash},
    request::{DEFAULT_TOP_K, Message, Options, Request, Role},
    tagged_hash,
    worker::{self, WorkerId},
};
use alloc::{string::String, vec, vec::Vec};
use codec::{Decode, DecodeAll, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{
    ConstU32,
    bounded::BoundedVec,
    crypto::VrfPublic,
    sr25519::{
        self,
        vrf::{VrfInput, VrfPreOutput, VrfSignData, VrfSignature, VrfTranscript},
    },
};

/// Questions of a batch.
pub const TARGETS: u32 = 10;
/// How many of them may be missing, those of nodes that were away not counted. One more voids the batch.
pub const MAX_MISSING: u32 = 1;
/// Most batches in an epoch.
pub const MAX_AUDITS: u32 = 32;
/// Epochs for which a member that gave no valid batch may declare none, the current one included.
pub const BAR_EPOCHS: u32 = 8;
/// Most bytes of an encoded receipt.
pub const MAX_RECEIPT: u32 = 2_048;
/// Most bytes of a text that a node answered. The first [`MAX_ANSWER`] of them are read, as in rounds.
pub const MAX_TEXT: u32 = 4_096;

/// A VRF signature (sr25519): 32 bytes of output, 64 of proof.
pub type VrfProof = [u8; 96];
/// What the targets of a batch are drawn from. Secret until the batch is opened.
pub type VrfOutput = [u8; 32];

/// What a batch's output is made of: nobody knows the seed of the round when the batch is declared.
pub fn vrf_input(genesis: &H256, epoch: u32, round_seed: &H256) -> VrfInput {
    VrfTranscript::new(
        b"touchstone/audit/1",
        &[
            (b"genesis", genesis.as_bytes()),
            (b"epoch", &epoch.to_le_bytes()),
            (b"round", round_seed.as_bytes()),
        ],
    )
}

/// What the auditor signs to open its batch: the proof holds for exactly these entries, so nobody can pass on fewer.
pub fn sign_data(input: VrfInput, entries: &[Entry]) -> VrfSignData {
    let hash = tagged_hash("touchstone/audit/entries/1", &[&entries.encode()]);
    VrfSignData::new(input).with_extra(VrfTranscript::new(
        b"touchstone/audit/open/1",
        &[(b"entries", hash.as_bytes())],
    ))
}

/// The output that belongs to a pre-output of this key; `None` if the key is no point of the curve.
pub fn output_of(
    auditor: &WorkerId,
    input: &VrfInput,
    pre_output: &VrfPreOutput,
) -> Option<VrfOutput> {
    let key: &sr25519::Public = auditor.as_ref();
    key.make_bytes(b"touchstone/audit/output/1", input, pre_output)
        .ok()
}

/// The output of the batch, if `proof` is `auditor`'s over `input` and these entries.
pub fn proven_output(
    auditor: &WorkerId,
    input: VrfInput,
    entries: &[Entry],
    proof: &VrfProof,
) -> Option<VrfOutput> {
    let signature = VrfSignature::decode_all(&mut &proof[..]).ok()?;
    let key: &sr25519::Public = auditor.as_ref();
    let data = sign_data(input.clone(), entries);
    match key.vrf_verify(&data, &signature) {
        true => output_of(auditor, &input, &signature.pre_output),
        false => None,
    }
}

/// Which topic the auditor's batch is about; `None` without topics. `randomness` is that of the epoch in which it is declared.
pub fn topic(randomness: &H256, auditor: &NodeId, topics: &[u32]) -> Option<u32> {
    let place = tagged_hash(
        "touchstone/audit/topic/1",
        &[randomness.as_bytes(), auditor.as_ref()],
    );
    let draw = u64::from_le_bytes(*place.as_bytes().first_chunk()?);
    let index = draw.checked_rem(topics.len() as u64)?;
    topics.get(index as usize).copied()
}

/// One question of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct Target {
    /// The node that is asked.
    pub node: NodeId,
    /// What it is asked; [`Duty::slot`] is the place in the batch.
    pub duty: Duty,
    /// Nonce of the request.
    pub nonce: H256,
}

/// The targets of a batch in the round, by place; fewer than [`TARGETS`], and then none, if no node may be audited.
///
/// `is_own` says whether a node belongs to the auditor's group. Places are drawn one by one, so that a node that goes away
/// changes nobody else's.
pub fn targets(
    output: &VrfOutput,
    round: &RoundFacts,
    nodes: &[NodeId],
    is_own: impl Fn(&NodeId) -> bool,
) -> Vec<Target> {
    let others: Vec<&NodeId> = nodes.iter().filter(|node| !is_own(node)).collect();
    (0..TARGETS as u8)
        .filter_map(|place| {
            let node = others.iter().min_by_key(|node| {
                tagged_hash(
                    "touchstone/audit/node/1",
                    &[output, &[place], node.as_ref()],
                )
            })?;
            let family = tagged_hash("touchstone/audit/family/1", &[output, &[place]]);
            let (family, level) = round.rules.draw(&family)?;
            let duty = Duty {
                slot: place,
                instance: tagged_hash(
                    "touchstone/audit/instance/1",
                    &[output, &[place, level], family.as_bytes()],
                ),
                shared: false,
                family,
                level,
                authored: None,
            };
            Some(Target {
                node: (*node).clone(),
                duty,
                nonce: tagged_hash("touchstone/audit/nonce/1", &[output, &[place]]),
            })
        })
        .collect()
}

impl Target {
    /// The question as any client would put it: the topic named, everything else left as it is by default. `None` if the runtime
    /// does not know the family any more.
    pub fn request(&self, topic: String) -> Option<Request> {
        Some(Request {
            messages: vec![Message {
                role: Role::User,
                content: self.duty.task()?.prompt,
            }],
            topic: Some(topic),
            options: Options {
                max_tokens: ANSWER_TOKENS,
                temperature_milli: 0,
                top_k: DEFAULT_TOP_K,
            },
            client_nonce: self.nonce,
        })
    }
}

/// What a node answered to a question of a batch.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Entry {
    /// Place of the question in the batch.
    pub place: u8,
    /// Worker key that the node had then.
    pub worker: WorkerId,
    /// The encoded [`Receipt`] that it gave out.
    pub receipt: BoundedVec<u8, ConstU32<MAX_RECEIPT>>,
    /// The text, UTF-8.
    pub answer: BoundedVec<u8, ConstU32<MAX_TEXT>>,
}

/// Entries of a batch, by ascending place.
pub type Entries = BoundedVec<Entry, ConstU32<TARGETS>>;

/// Why an entry proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// The receipt does not decode, or is not signed with this key for this chain.
    Receipt,
    /// Another node gave it, or passed it on.
    OtherNode,
    /// It is about another question.
    OtherQuestion,
    /// The text is not what was answered.
    OtherAnswer,
    /// It is said to be older than the batch, so that an old key could have signed it.
    OtherTime,
}

impl Entry {
    /// Checks that the node answered this to the target's question, and not before the batch was declared; returns when, in
    /// milliseconds. Whether [`worker`](Self::worker) was its key then is left to the chain.
    ///
    /// An answer of an earlier batch has another nonce, which nobody could know before the round of this one.
    pub fn verify(
        &self,
        genesis: &H256,
        target: &Target,
        topic: String,
        since: Moment,
    ) -> Result<Moment, Unproven> {
        let receipt = Receipt::decode_all(&mut &self.receipt[..]).map_err(|_| Unproven::Receipt)?;
        let wrapper = receipt.wrapper();
        if wrapper.specialist != target.node || wrapper.gateway != target.node {
            return Err(Unproven::OtherNode);
        }
        let question = target.request(topic).map(|request| request.hash());
        if question != Some(wrapper.body.query_hash) {
            return Err(Unproven::OtherQuestion);
        }
        let text = core::str::from_utf8(&self.answer).map_err(|_| Unproven::OtherAnswer)?;
        if answer_hash(text) != wrapper.body.answer_hash {
            return Err(Unproven::OtherAnswer);
        }
        if wrapper.answered_at < since {
            return Err(Unproven::OtherTime);
        }
        receipt
            .verify(genesis, &self.worker, &self.worker)
            .map_err(|_| Unproven::Receipt)?;
        Ok(wrapper.answered_at)
    }

    /// What a checker reads of the answer: at most [`MAX_ANSWER`] bytes, whole characters.
    pub fn read(&self) -> &[u8] {
        let text = core::str::from_utf8(&self.answer).unwrap_or_default();
        let end = text.floor_char_boundary(MAX_ANSWER as usize);
        text.as_bytes().get(..end).unwrap_or_default()
    }
}

/// Whether the entries are in ascending order of places that exist: none twice.
pub fn are_in_order(entries: &[Entry]) -> bool {
    entries.is_sorted_by(|a, b| a.place < b.place)
        && entries.iter().all(|entry| u32::from(entry.place) < TARGETS)
}

/// Questions that no entry answers: those that count against the auditor, and those whose node `was_seen` nowhere in the epoch.
pub fn missing(
    targets: &[Target],
    entries: &[Entry],
    was_seen: impl Fn(&NodeId) -> bool,
) -> (u32, u32) {
    targets
        .iter()
        .filter(|target| entries.iter().all(|entry| entry.place != target.duty.slot))
        .fold((0, 0), |(counted, away), target| {
            match was_seen(&target.node) {
                true => (counted.saturating_add(1), away),
                false => (counted, away.saturating_add(1)),
            }
        })
}

/// A batch that an auditor obliged itself to.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Audit {
    /// Worker key that the auditor had when it declared the batch; its VRF draws the targets.
    pub worker: WorkerId,
    /// The auditor's member then. Its own nodes are not asked.
    pub member: NodeId,
    /// Number of the topic.
    pub topic: u32,
    /// When it was declared, milliseconds.
    pub since: Moment,
    /// The topic's round in the audited epoch, once it is open.
    pub round: Option<u32>,
    /// What came of it.
    pub state: AuditState,
}

/// What came of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum AuditState {
    /// It is not opened yet.
    Declared,
    /// It was opened and gave evidence.
    Opened {
        /// Answers that were scored.
        counted: u32,
        /// Those that were right.
        right: u32,
        /// Questions without an answer, at most [`MAX_MISSING`].
        missing: u32,
        /// Questions without an answer whose node was away.
        away: u32,
    },
    /// More than [`MAX_MISSING`] answers were missing, or it was not opened in time: no evidence.
    Voided {
        /// Questions without an answer.
        missing: u32,
    },
    /// There was nobody to ask.
    Excused,
}

/// Pallet and call that a worker names when it declares a batch.
pub const DECLARE_CALL: (&str, &str) = ("Canaries", "declare_audit");

/// What the auditor's worker key signs to oblige itself to a batch in `epoch`.
pub fn declare_message(genesis: &H256, auditor: &NodeId, epoch: u32, valid_until: u32) -> H256 {
    worker::submission(
        genesis,
        DECLARE_CALL,
        auditor,
        &epoch,
        valid_until.into(),
        &(),
    )
}

/// What auditors and audited nodes do, for tests of this and other crates.
#[cfg(feature = "std")]
pub mod example {
    use super::*;
    use crate::{
        receipt::{self, ReceiptV1},
        worker::WorkerPair,
    };
    use sp_core::{Pair, crypto::VrfSecret};

    /// The output of the auditor's batch.
    pub fn output(auditor: &WorkerPair, input: &VrfInput) -> VrfOutput {
        let pair: &sr25519::Pair = auditor.as_ref();
        pair.make_bytes(b"touchstone/audit/output/1", input)
    }

    /// The auditor's proof of its output, for these entries.
    pub fn proof(auditor: &WorkerPair, input: VrfInput, entries: &[Entry]) -> VrfProof {
        let pair: &sr25519::Pair = auditor.as_ref();
        let signature = pair.vrf_sign(&sign_data(input, entries)).encode();
        signature.try_into().unwrap_or([0; 96])
    }

    /// What the target answers with its worker key.
    pub fn entry(
        genesis: H256,
        target: &Target,
        topic: &str,
        worker: &WorkerPair,
        answered_at: Moment,
        answer: &str,
    ) -> Entry {
        let made = receipt::example::receipt(genesis, target.node.clone(), worker, 0, 0);
        let mut wrapper = made.wrapper().clone();
        let request = target.request(topic.into());
        wrapper.body.query_hash = request.map(|request| request.hash()).unwrap_or_default();
        wrapper.body.answer_hash = answer_hash(answer);
        wrapper.answered_at = answered_at;
        wrapper.specialist_signature =
            worker.sign(wrapper.body.hash(&genesis, &target.node).as_bytes());
        let gateway_signature = worker.sign(wrapper.id().as_bytes());
        let receipt = Receipt::V1(ReceiptV1 {
            wrapper,
            gateway_signature,
        });
        Entry {
            place: target.duty.slot,
            worker: worker.public(),
            receipt: BoundedVec::truncate_from(receipt.encode()),
            answer: BoundedVec::truncate_from(answer.as_bytes().to_vec()),
        }
    }
}

#[cfg(test)]
mod tests;
