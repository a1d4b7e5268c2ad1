//! Worker keys: what a node signs its off-chain work with.

use crate::{H256, tagged_hash};
use codec::Encode;
use sp_runtime::RuntimeAppPublic;

/// Key type of worker keys in the keystore.
pub const KEY_TYPE: sp_core::crypto::KeyTypeId = sp_core::crypto::KeyTypeId(*b"tswk");

mod app {
    use sp_application_crypto::{app_crypto, sr25519};
    app_crypto!(sr25519, super::KEY_TYPE);
}

/// Public half of a worker key (sr25519).
pub type WorkerId = app::Public;
/// Signature by a worker key.
pub type WorkerSignature = app::Signature;
#[cfg(feature = "std")]
/// A worker key pair, for clients and tests; nodes keep theirs in the keystore.
pub type WorkerPair = app::Pair;

/// Domain of signatures over work that is submitted as an authorised transaction.
pub const SUBMISSION_DOMAIN: &str = "touchstone/worker/1";
/// Domain of the proof that whoever registers a worker key holds it.
pub const POSSESSION_DOMAIN: &str = "touchstone/worker-possession/1";

/// What a worker signs when it submits a call.
///
/// `call` names pallet and function, `arguments` is the SCALE encoding of all arguments but the signature; `duty` is what the
/// submission is for and what its replay protection is keyed by. Nothing of another chain, call, node, duty or time verifies.
pub fn submission(
    genesis: &H256,
    call: (&str, &str),
    node: &impl Encode,
    duty: &impl Encode,
    valid_until: u64,
    arguments: &impl Encode,
) -> H256 {
    tagged_hash(
        SUBMISSION_DOMAIN,
        &[
            genesis.as_bytes(),
            call.0.as_bytes(),
            call.1.as_bytes(),
            &node.encode(),
            &duty.encode(),
            &valid_until.encode(),
            &arguments.encode(),
        ],
    )
}

/// What a worker key signs to show that its holder wants it to serve `node`.
pub fn possession(genesis: &H256, node: &impl Encode) -> H256 {
    tagged_hash(POSSESSION_DOMAIN, &[genesis.as_bytes(), &node.encode()])
}

/// Whether `signature` is `worker`'s over `message`.
pub fn verify(worker: &WorkerId, message: &H256, signature: &WorkerSignature) -> bool {
    worker.verify(&message.as_bytes(), signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sp_core::Pair;

    #[test]
    fn a_submission_binds_all_its_parts() {
        let pair = WorkerPair::from_seed(&[1; 32]);
        let (g, call) = (H256::repeat_byte(7), ("Receipts", "anchor_batch"));
        let good = submission(&g, call, &1u8, &2u8, 3, &4u8);
        let signature = pair.sign(good.as_bytes());
        assert!(verify(&pair.public(), &good, &signature));
        for other in [
            submission(&H256::zero(), call, &1u8, &2u8, 3, &4u8),
            submission(&g, ("Receipts", "other"), &1u8, &2u8, 3, &4u8),
            submission(&g, ("Receiptsa", "nchor_batch"), &1u8, &2u8, 3, &4u8),
            submission(&g, call, &9u8, &2u8, 3, &4u8),
            submission(&g, call, &1u8, &9u8, 3, &4u8),
            submission(&g, call, &1u8, &2u8, 9, &4u8),
            submission(&g, call, &1u8, &2u8, 3, &9u8),
            possession(&g, &1u8),
        ] {
            assert!(!verify(&pair.public(), &other, &signature));
        }
    }
}
