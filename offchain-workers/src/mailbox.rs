//! The slot through which the anchorer reaches the receipts pallet's offchain hook.

use sp_core::offchain::{OffchainStorage, STORAGE_PREFIX};

/// A place for small records that the chain's offchain hook reads.
pub trait Mailbox: Send {
    /// What stands under `key`.
    fn get(&self, key: &[u8]) -> Option<Vec<u8>>;
    /// Puts `value` under `key`.
    fn set(&mut self, key: &[u8], value: &[u8]);
}

/// The persistent offchain storage of the node's database.
pub struct OffchainMailbox<S>(S);

impl<S: OffchainStorage> OffchainMailbox<S> {
    /// Over the storage that the backend gives.
    pub fn new(storage: S) -> Self {
        Self(storage)
    }
}

impl<S: OffchainStorage> Mailbox for OffchainMailbox<S> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(STORAGE_PREFIX, key)
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.set(STORAGE_PREFIX, key, value);
    }
}
