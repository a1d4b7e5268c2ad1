//! Signed writes with the content that the log has only hashes of.

use crate::MemoryError;
use rand::RngCore;
use schnorrkel::{PublicKey, Signature, context::signing_context};
use sp_core::{Pair, sr25519};
use std::collections::BTreeMap;
use touchstone_primitives::{
    H256,
    memory::{Fragment, Key, MAX_BATCH, NamespaceId, Value, Write, answer::Opened, key, value},
};

/// Under which sr25519 signatures of Substrate are made.
const SIGNING_CONTEXT: &[u8] = b"substrate";
/// Signatures that are checked together by one thread.
const GROUP: usize = 128;

/// A signed write, with the content that the log has only the hash of.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The line of the log.
    pub write: Write,
    /// What a put puts.
    pub content: Option<Opened>,
    /// Embedding of the text, of length 1; may come later ([`crate::Store::set_vectors`]).
    pub vector: Option<Vec<f32>>,
}

impl Change {
    /// A put under a new random id and salt, signed by `contributor`.
    pub fn put(
        namespace: &NamespaceId,
        fragment: Fragment,
        vector: Option<Vec<f32>>,
        contributor: &sr25519::Pair,
    ) -> Self {
        Self::put_as(namespace, random(), None, fragment, vector, contributor)
    }

    /// A put under a given id, which replaces `previous`.
    pub fn put_as(
        namespace: &NamespaceId,
        id: H256,
        previous: Option<Value>,
        fragment: Fragment,
        vector: Option<Vec<f32>>,
        contributor: &sr25519::Pair,
    ) -> Self {
        let salt = random();
        let new = value(&salt, &fragment);
        Self {
            write: sign(namespace, &id, previous, Some(new), contributor),
            content: Some(Opened { id, salt, fragment }),
            vector,
        }
    }

    /// A deletion of what fragment `id` is now.
    pub fn delete(
        namespace: &NamespaceId,
        id: &H256,
        previous: Value,
        contributor: &sr25519::Pair,
    ) -> Self {
        Self {
            write: sign(namespace, id, Some(previous), None, contributor),
            content: None,
            vector: None,
        }
    }

    /// Whether the content is what the write is about.
    fn is_consistent(&self) -> bool {
        match (&self.content, &self.write.value) {
            (None, None) => true,
            (Some(Opened { id, salt, fragment }), Some(signed)) => {
                key(&self.write.namespace, id) == self.write.key && value(salt, fragment) == *signed
            }
            _ => false,
        }
    }
}

fn sign(
    namespace: &NamespaceId,
    id: &H256,
    previous: Option<Value>,
    value: Option<Value>,
    contributor: &sr25519::Pair,
) -> Write {
    let key = key(namespace, id);
    let message = Write::message(namespace, &key, previous.as_ref(), value.as_ref());
    Write {
        namespace: *namespace,
        key,
        previous,
        value,
        contributor: contributor.public().0.into(),
        signature: contributor.sign(message.as_bytes()),
    }
}

fn random() -> H256 {
    let mut bytes = [0; 32];
    rand::thread_rng().fill_bytes(&mut bytes);
    H256(bytes)
}

pub(crate) fn ensure(what: &'static str, found: usize, limit: usize) -> Result<(), MemoryError> {
    if found > limit {
        return Err(MemoryError::TooLarge { what, found, limit });
    }
    Ok(())
}

/// What can be said about a batch without looking at what is there.
pub(crate) fn validate(namespace: &NamespaceId, changes: &[Change]) -> Result<(), MemoryError> {
    ensure("a batch", changes.len(), MAX_BATCH)?;
    for (at, change) in changes.iter().enumerate() {
        if let Some(content) = &change.content
            && let Some((what, found, limit)) = content.fragment.oversized()
        {
            return Err(MemoryError::TooLarge { what, found, limit });
        }
        if !change.is_consistent() {
            return Err(MemoryError::OtherFragment(at));
        }
    }
    let writes: Vec<&Write> = changes.iter().map(|change| &change.write).collect();
    signed(namespace, &writes)
}

/// Checks that each write is signed and for this namespace.
pub(crate) fn signed(namespace: &NamespaceId, writes: &[&Write]) -> Result<(), MemoryError> {
    if let Some(at) = writes.iter().position(|w| w.namespace != *namespace) {
        return Err(MemoryError::BadSignature(at));
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = writes.len().div_ceil(threads).max(GROUP);
    let sound = std::thread::scope(|scope| {
        let shares: Vec<_> = writes
            .chunks(share)
            .map(|share| scope.spawn(|| share.chunks(GROUP).all(all_signed)))
            .collect();
        shares
            .into_iter()
            .all(|share| share.join().unwrap_or(false))
    });
    // Which one it is, only a look at each can tell.
    match writes.iter().position(|write| !sound && !write.is_signed()) {
        Some(at) => Err(MemoryError::BadSignature(at)),
        None => Ok(()),
    }
}

/// Checks signatures together, at half the cost of one at a time; what is refused may still be sound one at a time.
fn all_signed(writes: &[&Write]) -> bool {
    let context = signing_context(SIGNING_CONTEXT);
    let transcripts = writes
        .iter()
        .map(|write| context.bytes(write.hash().as_bytes()));
    let signatures = writes
        .iter()
        .map(|write| Signature::from_bytes(&write.signature.0));
    let keys = writes
        .iter()
        .map(|write| PublicKey::from_bytes(write.contributor.as_ref()));
    let (Ok(signatures), Ok(keys)) = (
        signatures.collect::<Result<Vec<_>, _>>(),
        keys.collect::<Result<Vec<_>, _>>(),
    ) else {
        return false;
    };
    schnorrkel::verify_batch(transcripts, &signatures, &keys, true).is_ok()
}

/// Why a line of the log does not follow from those before it.
pub(crate) enum Break {
    /// It replaces another value than the one that is there.
    Conflict(usize, Key),
    /// It replaces a value by the same one.
    Unchanged(usize),
    /// It was applied before.
    Replayed(usize),
}

impl From<Break> for MemoryError {
    fn from(reason: Break) -> Self {
        match reason {
            Break::Conflict(at, key) => MemoryError::Conflict { at, key },
            Break::Unchanged(at) => MemoryError::Unchanged(at),
            Break::Replayed(at) => MemoryError::Replayed(at),
        }
    }
}

/// Follows writes from what the tree holds, each of which fits only where it was signed for.
pub(crate) struct Chain<F> {
    /// What each key that was written to holds now.
    pub(crate) now: BTreeMap<Key, Option<Value>>,
    /// What it held at first.
    pub(crate) first: BTreeMap<Key, Option<Value>>,
    /// Hashes of all writes so far.
    seen: std::collections::HashSet<H256>,
    /// Whether the log has the write with this hash.
    logged: F,
}

impl<F: Fn(&H256) -> Result<bool, MemoryError>> Chain<F> {
    pub(crate) fn new(first: BTreeMap<Key, Option<Value>>, logged: F) -> Self {
        Self {
            now: BTreeMap::new(),
            first,
            seen: Default::default(),
            logged,
        }
    }

    /// Whether the write is in the log already or came before.
    pub(crate) fn knows(&self, write: &Write) -> Result<bool, MemoryError> {
        let hash = write.hash();
        Ok(self.seen.contains(&hash) || (self.logged)(&hash)?)
    }

    /// Takes the write with this number if it follows.
    pub(crate) fn follow(
        &mut self,
        at: usize,
        write: &Write,
    ) -> Result<Result<(), Break>, MemoryError> {
        let there = self.now.get(&write.key).or(self.first.get(&write.key));
        let there = there.copied().flatten();
        if self.knows(write)? {
            return Ok(Err(Break::Replayed(at)));
        }
        if there != write.previous {
            return Ok(Err(Break::Conflict(at, write.key)));
        }
        if write.value == write.previous {
            return Ok(Err(Break::Unchanged(at)));
        }
        self.now.insert(write.key, write.value);
        self.seen.insert(write.hash());
        Ok(Ok(()))
    }
}
