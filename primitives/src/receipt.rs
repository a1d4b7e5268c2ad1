//! The signed record of one answer.
//!
//! A specialist signs the [`Body`] with its worker key; the gateway that took the query wraps it with its own stream and
//! sequence and signs the wrapper. The [id](Receipt::id) of a receipt is the hash of the wrapper without the gateway's
//! signature; batches of ids are anchored on chain as Merkle roots ([`crate::merkle`]).
//!
//! Within a `(gateway, stream)` sequences have no gaps: every batch starts where the last one ended. A gateway that lost its
//! store opens the next stream, which publishes where the old one stopped.

use crate::{
    H256, NodeId,
    provenance::Tier,
    tagged_hash,
    worker::{self, WorkerId, WorkerSignature},
};
use alloc::{string::String, vec::Vec};
use codec::{Decode, Encode};

/// A receipt, complete with both signatures.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Receipt {
    /// First version.
    #[codec(index = 1)]
    V1(ReceiptV1),
}

/// Version 1.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ReceiptV1 {
    /// What both signatures cover.
    pub wrapper: Wrapper,
    /// Signature of the gateway's worker key over the receipt's id.
    pub gateway_signature: WorkerSignature,
}

/// The gateway's envelope.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Wrapper {
    /// The chain that both nodes belong to.
    pub genesis: H256,
    /// The specialist's record.
    pub body: Body,
    /// The node that produced the answer.
    pub specialist: NodeId,
    /// Signature of its worker key over the body's hash.
    pub specialist_signature: WorkerSignature,
    /// The node that took the query.
    pub gateway: NodeId,
    /// Stream of the gateway, from 0.
    pub stream: u32,
    /// Number of the receipt within the stream, from 0, without gaps.
    pub sequence: u64,
    /// Chain time when the answer was complete, milliseconds; decides which worker keys had to sign.
    pub answered_at: u64,
}

/// What the specialist vouches for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Body {
    /// Hash of the canonical request.
    pub query_hash: H256,
    /// Topic that the query was answered under.
    pub topic: Option<String>,
    /// Trust tier that the query was answered under.
    pub tier: Tier,
    /// Version of the routing policy.
    pub policy_version: u32,
    /// Root of the epoch's routing table, once the network routes.
    pub table_root: Option<H256>,
    /// Hash of the options of the request.
    pub options_hash: H256,
    /// Nonce of the request.
    pub client_nonce: H256,
    /// Signature of the client over the request, if it signs.
    pub request_signature: Option<Vec<u8>>,
    /// Which randomness the sampler's key was made of.
    pub beacon: Beacon,
    /// How tokens were drawn.
    pub sampler: Sampler,
    /// Root over logit gaps, for audits at temperature 0.
    pub gap_root: Option<H256>,
    /// Hash of the manifest that produced the answer.
    pub manifest_hash: H256,
    /// Merkle root over the token ids of the prompt.
    pub prompt_token_root: H256,
    /// Merkle root over the token ids of the answer.
    pub token_root: H256,
    /// Number of tokens of the answer.
    pub token_count: u32,
    /// Hash of the answer's text.
    pub answer_hash: H256,
    /// Root of the memory that was read, if any was.
    pub memory_root: Option<H256>,
    /// Hashes of signed declines that let the query pass to this specialist.
    pub declines: Vec<H256>,
    /// Result of the check that the class of the query asks for.
    pub verdict: Option<Verdict>,
}

/// Epoch randomness that was current.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Beacon {
    /// Session index.
    pub session: u32,
    /// Its randomness.
    pub randomness: H256,
}

/// How tokens were drawn.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Sampler {
    /// Temperature in thousandths.
    pub temperature_milli: u32,
    /// Among how many of the likeliest tokens.
    pub top_k: u8,
    /// Most tokens allowed.
    pub max_tokens: u32,
    /// Proof of the draw, once keys are bound to a VRF.
    pub vrf_proof: Option<Vec<u8>>,
}

/// Result of verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Verdict {
    /// The check passed.
    Passed,
    /// The check failed.
    Failed,
    /// There was nothing to decide on.
    Inconclusive,
}

/// Key of the sampler's noise: whoever holds the receipt can draw the same tokens again.
///
/// It is bound to everything that may decide the answer, so that neither client nor node can try keys at will.
pub fn sampler_key(
    genesis: &H256,
    query_hash: &H256,
    node: &NodeId,
    manifest_hash: &H256,
    beacon: &Beacon,
) -> H256 {
    tagged_hash(
        "touchstone/sampler/2",
        &[
            genesis.as_bytes(),
            query_hash.as_bytes(),
            &node.encode(),
            manifest_hash.as_bytes(),
            &beacon.encode(),
        ],
    )
}

/// Hash of an answer's text, as receipts carry it.
pub fn answer_hash(text: &str) -> H256 {
    tagged_hash("touchstone/answer/1", &[text.as_bytes()])
}

impl Body {
    /// What the specialist signs.
    pub fn hash(&self, genesis: &H256, specialist: &NodeId) -> H256 {
        tagged_hash(
            "touchstone/receipt-body/1",
            &[genesis.as_bytes(), &specialist.encode(), &self.encode()],
        )
    }
}

impl Wrapper {
    /// Id of the receipt, and what the gateway signs.
    pub fn id(&self) -> H256 {
        tagged_hash("touchstone/receipt/1", &[&self.encode()])
    }
}

/// Why a receipt does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It was made for another chain.
    OtherChain,
    /// The specialist's signature is not over this body by this key.
    SpecialistSignature,
    /// The gateway's signature is not over this receipt by this key.
    GatewaySignature,
}

impl Receipt {
    /// The wrapper, whatever the version.
    pub fn wrapper(&self) -> &Wrapper {
        match self {
            Receipt::V1(receipt) => &receipt.wrapper,
        }
    }

    /// Id: the leaf under which the receipt is anchored.
    pub fn id(&self) -> H256 {
        self.wrapper().id()
    }

    /// Checks both signatures against the worker keys that the chain names for [`Wrapper::answered_at`].
    pub fn verify(
        &self,
        genesis: &H256,
        specialist_key: &WorkerId,
        gateway_key: &WorkerId,
    ) -> Result<(), Invalid> {
        let Receipt::V1(receipt) = self;
        let wrapper = &receipt.wrapper;
        if wrapper.genesis != *genesis {
            return Err(Invalid::OtherChain);
        }
        let body = wrapper.body.hash(genesis, &wrapper.specialist);
        if !worker::verify(specialist_key, &body, &wrapper.specialist_signature) {
            return Err(Invalid::SpecialistSignature);
        }
        if !worker::verify(gateway_key, &wrapper.id(), &receipt.gateway_signature) {
            return Err(Invalid::GatewaySignature);
        }
        Ok(())
    }
}

/// Examples for tests of this and other crates.
#[cfg(feature = "std")]
pub mod example {
    use super::*;
    use crate::worker::WorkerPair;
    use sp_core::Pair;

    /// A receipt that `node` made as both specialist and gateway, signed with `pair`.
    pub fn receipt(
        genesis: H256,
        node: NodeId,
        pair: &WorkerPair,
        stream: u32,
        sequence: u64,
    ) -> Receipt {
        let body = Body {
            query_hash: H256::repeat_byte(1),
            topic: Some("general".into()),
            tier: Tier::T2,
            policy_version: 0,
            table_root: None,
            options_hash: H256::repeat_byte(2),
            client_nonce: H256::repeat_byte(3),
            request_signature: None,
            beacon: Beacon {
                session: 4,
                randomness: H256::repeat_byte(5),
            },
            sampler: Sampler {
                temperature_milli: 0,
                top_k: 1,
                max_tokens: 8,
                vrf_proof: None,
            },
            gap_root: None,
            manifest_hash: H256::repeat_byte(6),
            prompt_token_root: crate::merkle::token_root(&[1, 2]),
            token_root: crate::merkle::token_root(&[3, 4, 5]),
            token_count: 3,
            answer_hash: answer_hash("hello"),
            memory_root: None,
            declines: Vec::new(),
            verdict: None,
        };
        let specialist_signature = pair.sign(body.hash(&genesis, &node).as_bytes());
        let wrapper = Wrapper {
            genesis,
            body,
            specialist: node.clone(),
            specialist_signature,
            gateway: node,
            stream,
            sequence,
            answered_at: 1_700_000_000_000,
        };
        let gateway_signature = pair.sign(wrapper.id().as_bytes());
        Receipt::V1(ReceiptV1 {
            wrapper,
            gateway_signature,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::WorkerPair;
    use sp_core::Pair;

    const GENESIS: H256 = H256::repeat_byte(9);

    fn made() -> (Receipt, WorkerPair) {
        let pair = WorkerPair::from_seed(&[7; 32]);
        (
            example::receipt(GENESIS, NodeId::new([8; 32]), &pair, 0, 42),
            pair,
        )
    }

    #[test]
    fn a_receipt_verifies_under_its_keys_and_chain_only() {
        let (receipt, pair) = made();
        let (key, other) = (pair.public(), WorkerPair::from_seed(&[6; 32]).public());
        assert_eq!(receipt.verify(&GENESIS, &key, &key), Ok(()));
        assert_eq!(
            receipt.verify(&H256::zero(), &key, &key),
            Err(Invalid::OtherChain)
        );
        assert_eq!(
            receipt.verify(&GENESIS, &other, &key),
            Err(Invalid::SpecialistSignature)
        );
        assert_eq!(
            receipt.verify(&GENESIS, &key, &other),
            Err(Invalid::GatewaySignature)
        );
    }

    #[test]
    fn the_sampler_key_is_bound_to_all_its_parts() {
        let (query, node, manifest) = (H256::zero(), NodeId::new([1; 32]), H256::zero());
        let beacon = Beacon {
            session: 0,
            randomness: H256::zero(),
        };
        let keys = [
            sampler_key(&GENESIS, &query, &node, &manifest, &beacon),
            sampler_key(&query, &query, &node, &manifest, &beacon),
            sampler_key(&GENESIS, &GENESIS, &node, &manifest, &beacon),
            sampler_key(&GENESIS, &query, &NodeId::new([2; 32]), &manifest, &beacon),
            sampler_key(&GENESIS, &query, &node, &GENESIS, &beacon),
            sampler_key(
                &GENESIS,
                &query,
                &node,
                &manifest,
                &Beacon {
                    session: 1,
                    ..beacon
                },
            ),
        ];
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn every_altered_byte_is_caught() {
        let (receipt, pair) = made();
        let (key, bytes) = (pair.public(), receipt.encode());
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            if let Ok(altered) = Receipt::decode(&mut altered.as_slice()) {
                assert!(altered.verify(&GENESIS, &key, &key).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn the_encoding_is_pinned() {
        let (receipt, _) = made();
        // Signatures are randomised; what they cover is not.
        let body = &receipt.wrapper().body;
        let expected = "ddd492852606e43f7b5bcd7b559338f6dc0edb0fd9385db965ec8e579e0b6a82";
        assert_eq!(hex::encode(tagged_hash("pin", &[&body.encode()])), expected);
        assert_eq!(receipt.encode()[0], 1);
        assert_eq!(
            Receipt::decode(&mut receipt.encode().as_slice()).unwrap(),
            receipt
        );
    }
}
