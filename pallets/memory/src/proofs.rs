//! What a proof shows against a root that is kept.

use crate::{Config, Error, Event, Namespaces, Pallet, Roots, types::Keys};
use alloc::vec::Vec;
use frame_support::{ensure, pallet_prelude::*};
use touchstone_primitives::{
    AccountId32,
    apis::NotProven,
    memory::{
        Key, NamespaceId, Value,
        tree::{self, Proof},
    },
};

impl<T> From<NotProven> for Error<T> {
    fn from(why: NotProven) -> Self {
        match why {
            NotProven::UnknownNamespace => Self::UnknownNamespace,
            NotProven::UnknownVersion => Self::UnknownVersion,
            NotProven::BadProof(_) => Self::BadProof,
        }
    }
}

impl<T: Config> Pallet<T> {
    /// What a version holds at these keys, as the proof shows.
    pub fn memory_verify(
        id: NamespaceId,
        version: u64,
        keys: &[Key],
        proof: &Proof,
    ) -> Result<Vec<Option<Value>>, NotProven> {
        let Some(root) = Roots::<T>::get(id, version) else {
            return Err(match Namespaces::<T>::contains_key(id) {
                true => NotProven::UnknownVersion,
                false => NotProven::UnknownNamespace,
            });
        };
        tree::verify(&root.state.tree, proof, keys).map_err(NotProven::BadProof)
    }

    pub(crate) fn do_verify_fragments(
        by: AccountId32,
        namespace: NamespaceId,
        version: u64,
        keys: Keys,
        proof: &Proof,
    ) -> DispatchResult {
        ensure!(
            proof.0.len() <= T::MaxProofSteps::get() as usize,
            Error::<T>::ProofTooLong
        );
        let values =
            Self::memory_verify(namespace, version, &keys, proof).map_err(Error::<T>::from)?;
        Self::deposit_event(Event::FragmentsVerified {
            namespace,
            version,
            keys,
            values,
            by,
        });
        Ok(())
    }
}
