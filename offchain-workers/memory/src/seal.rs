//! Encryption at rest of namespaces that belong to a person. The key is the client's; a node holds it in memory while it is granted.

use crate::MemoryError;
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use rand::RngCore;
use touchstone_primitives::{H256, tagged_hash};

const NONCE: usize = 24;
/// Bytes that sealing adds: nonce and tag.
pub(crate) const OVERHEAD: usize = NONCE + 16;

/// Seals and opens what one namespace stores. The key is wiped from memory when this is dropped.
pub(crate) struct Seal {
    cipher: XChaCha20Poly1305,
    digest_key: H256,
}

impl Seal {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self {
            cipher: XChaCha20Poly1305::new(key.into()),
            digest_key: tagged_hash("touchstone/memory/digest-key/1", &[key]),
        }
    }

    /// What tells this key from others, for the namespace that it seals.
    pub(crate) fn token(&self, namespace: &H256) -> Result<Vec<u8>, MemoryError> {
        self.seal(namespace.as_bytes(), b"touchstone")
    }

    /// Secret under which texts are hashed to find duplicates.
    pub(crate) fn digest_key(&self) -> H256 {
        self.digest_key
    }

    /// Random nonce, then the sealed bytes. `place` is authenticated, so that a sealed record only opens where it was put.
    pub(crate) fn seal(&self, place: &[u8], message: &[u8]) -> Result<Vec<u8>, MemoryError> {
        let mut nonce = [0; NONCE];
        rand::thread_rng().fill_bytes(&mut nonce);
        let payload = Payload {
            msg: message,
            aad: place,
        };
        let sealed = self.cipher.encrypt(XNonce::from_slice(&nonce), payload);
        let sealed = sealed.map_err(|_| MemoryError::Corrupt("cannot seal a record".into()))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub(crate) fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, MemoryError> {
        let (nonce, message) = sealed
            .split_at_checked(NONCE)
            .ok_or(MemoryError::WrongKey)?;
        let payload = Payload {
            msg: message,
            aad: place,
        };
        let opened = self.cipher.decrypt(XNonce::from_slice(nonce), payload);
        opened.map_err(|_| MemoryError::WrongKey)
    }
}

/// Place of a record: its namespace, its fragment and which of the fragment's records it is.
pub(crate) fn place(namespace: &H256, key: &H256, record: &str) -> Vec<u8> {
    [namespace.as_bytes(), key.as_bytes(), record.as_bytes()].concat()
}
