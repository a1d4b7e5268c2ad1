//! Keeps what members' canaries hide until a round draws them, sealed on disk, and opens it when it is due.
//!
//! What is kept is encrypted with a key that only the node's keystore can make ([`Key`]), so that a copy of the journal gives no
//! canary away. Nothing is registered before it is durable here. The custodian keeps no state of its own: at every block it asks the
//! chain what is due and sends what the chain still lacks, so it may be killed at any moment.

use crate::{Journal, JournalError};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use codec::{Decode, DecodeAll, Encode};
use futures::{Stream as Wakeups, StreamExt};
use std::{collections::BTreeMap, future::Future, sync::Arc};
use touchstone_primitives::{
    H256, NodeId,
    authored::{Part, seal},
    tagged_hash,
};

/// Blocks after which an opening that the best state still lacks is sent again.
const RESEND_AFTER: u32 = 4;
/// Bytes of a nonce.
const NONCE: usize = 24;

/// Encrypts and decrypts what is kept.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// From a secret of the keystore: something that nobody else can compute and that is always the same.
    pub fn new(secret: &[u8]) -> Self {
        Self(tagged_hash("touchstone/custody/1", &[secret]).0)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }
}

/// One part of a canary, and the salt of its seal.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Hidden {
    /// Salt.
    pub salt: [u8; 32],
    /// The task's text or the encoded checker.
    pub content: Vec<u8>,
}

/// What a canary hides.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Kept {
    /// The member that wrote it.
    pub author: NodeId,
    /// The task.
    pub task: Hidden,
    /// The checker.
    pub checker: Hidden,
}

impl Kept {
    /// With new salts.
    pub fn new(author: NodeId, task: Vec<u8>, checker: Vec<u8>) -> Self {
        let hidden = |content| Hidden {
            salt: rand::random(),
            content,
        };
        Self {
            author,
            task: hidden(task),
            checker: hidden(checker),
        }
    }

    /// A part.
    pub fn part(&self, part: Part) -> &Hidden {
        match part {
            Part::Task => &self.task,
            Part::Checker => &self.checker,
        }
    }

    /// What is registered for a part.
    pub fn seal(&self, part: Part, genesis: &H256) -> H256 {
        let hidden = self.part(part);
        seal(part, genesis, &self.author, &hidden.salt, &hidden.content)
    }
}

/// Why something that is kept cannot be had.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CustodyError {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The record does not decrypt.
    #[error(
        "the canary {0:?} was sealed with another worker key; put that key back into the keystore"
    )]
    OtherKey(H256),
}

/// What is kept, in the journal.
#[derive(Clone)]
pub struct Vault {
    journal: Arc<Journal>,
}

impl Vault {
    /// In this journal.
    pub fn new(journal: Arc<Journal>) -> Self {
        Self { journal }
    }

    /// Keeps canaries; durable when it returns. They are found again by the seal of their task.
    pub fn keep(&self, key: &Key, genesis: &H256, all: &[Kept]) -> Result<(), CustodyError> {
        let sealed = all.iter().map(|kept| {
            let id = kept.seal(Part::Task, genesis);
            let nonce: [u8; NONCE] = rand::random();
            let payload = Payload {
                msg: &kept.encode(),
                aad: id.as_bytes(),
            };
            let text = key.cipher().encrypt(&XNonce::from(nonce), payload);
            // The cipher fails only over messages of many gigabytes.
            (id, [nonce.to_vec(), text.unwrap_or_default()].concat())
        });
        Ok(self.journal.put_kept(&sealed.collect::<Vec<_>>())?)
    }

    /// What is behind the seal of a task; `None` if it is not kept here.
    pub fn find(&self, keys: &[Key], task: &H256) -> Result<Option<Kept>, CustodyError> {
        let Some(record) = self.journal.kept(task)? else {
            return Ok(None);
        };
        let opened = record.split_at_checked(NONCE).and_then(|(nonce, text)| {
            let nonce = <[u8; NONCE]>::try_from(nonce).ok()?;
            keys.iter().find_map(|key| {
                let payload = Payload {
                    msg: text,
                    aad: task.as_bytes(),
                };
                let plain = key.cipher().decrypt(&XNonce::from(nonce), payload).ok()?;
                Kept::decode_all(&mut &plain[..]).ok()
            })
        });
        opened.map(Some).ok_or(CustodyError::OtherKey(*task))
    }
}

/// A part of a canary that is to be opened now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueOpening {
    /// Number of the canary.
    pub canary: u32,
    /// The part.
    pub part: Part,
    /// Seal of the canary's task.
    pub task: H256,
}

/// What the custodian wants to know of the chain.
pub trait OpeningsView: Send {
    /// Number of the best block.
    fn best(&self) -> u32;
    /// Parts that authors have to open in the block after the best one and that its state lacks.
    fn due(&self) -> Result<Vec<DueOpening>, String>;
    /// Keys with which this node may have sealed.
    fn keys(&self) -> Vec<Key>;
}

/// Sends the custodian's transactions. Sending again what was included already does no harm.
pub trait OpeningsSender: Send {
    /// Opens a part.
    fn open(
        &self,
        opening: &DueOpening,
        hidden: Hidden,
    ) -> impl Future<Output = Result<(), String>> + Send;
}

/// Opens canaries that are due.
pub struct Custodian<V, S> {
    vault: Vault,
    view: V,
    sender: S,
    /// When each part was sent last.
    sent: BTreeMap<(u32, bool), u32>,
}

impl<V: OpeningsView, S: OpeningsSender> Custodian<V, S> {
    /// Over what is kept, the chain and the transaction pool.
    pub fn new(vault: Vault, view: V, sender: S) -> Self {
        Self {
            vault,
            view,
            sender,
            sent: BTreeMap::new(),
        }
    }

    /// Works at the start and at every wakeup: one for each new best and each finalised block.
    pub async fn run(mut self, mut wakeups: impl Wakeups<Item = ()> + Unpin) {
        loop {
            if let Err(error) = self.step().await {
                log::error!(target: "custodian", "canaries are not opened: {error}");
            }
            if wakeups.next().await.is_none() {
                return;
            }
        }
    }

    /// Opens what is due and kept here; how much it sent.
    pub async fn step(&mut self) -> Result<u32, String> {
        let now = self.view.best().saturating_add(1);
        let due = self.view.due()?;
        let place = |opening: &DueOpening| (opening.canary, opening.part == Part::Checker);
        self.sent
            .retain(|known, _| due.iter().any(|opening| place(opening) == *known));
        let mut sent = 0u32;
        for opening in due {
            // A number below the one of the sending means that the chain was reverted.
            let last = self.sent.get(&place(&opening)).copied();
            if last.is_some_and(|at| now.checked_sub(at).is_some_and(|age| age < RESEND_AFTER)) {
                continue;
            }
            let kept = match self.vault.find(&self.view.keys(), &opening.task) {
                Ok(Some(kept)) => kept,
                // Another node keeps it.
                Ok(None) => continue,
                Err(error) => {
                    log::error!(target: "custodian", "canary {}: {error}", opening.canary);
                    continue;
                }
            };
            let hidden = kept.part(opening.part).clone();
            match self.sender.open(&opening, hidden).await {
                Ok(()) => {
                    log::info!(
                        target: "custodian",
                        "canary {}: sent its {:?}", opening.canary, opening.part,
                    );
                    self.sent.insert(place(&opening), now);
                    sent = sent.saturating_add(1);
                }
                // It is full, say: the next block tries again.
                Err(reason) => log::warn!(
                    target: "custodian",
                    "canary {}: the pool refused its {:?}: {reason}", opening.canary, opening.part,
                ),
            }
        }
        Ok(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use parking_lot::Mutex;

    const GENESIS: H256 = H256::repeat_byte(7);

    fn journal(folder: &tempfile::TempDir) -> Arc<Journal> {
        Arc::new(Journal::open(&folder.path().join("journal"), GENESIS).unwrap())
    }

    fn kept(n: u8) -> Kept {
        Kept::new(NodeId::new([n; 32]), vec![n; 100], vec![n; 40])
    }

    #[test]
    fn what_is_kept_is_found_again_and_cannot_be_read_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (key, one) = (Key::new(b"secret"), kept(1));
        let task = one.seal(Part::Task, &GENESIS);
        let vault = Vault::new(journal(&folder));
        vault.keep(&key, &GENESIS, &[one.clone(), kept(2)]).unwrap();
        drop(vault);
        let vault = Vault::new(journal(&folder));
        let other = Key::new(b"other");
        let both = [other.clone(), key];
        assert_eq!(vault.find(&both, &task).unwrap(), Some(one));
        assert_eq!(vault.find(&both, &H256::zero()).unwrap(), None);
        let error = vault.find(&[other], &task).unwrap_err();
        assert!(error.to_string().contains("another worker key"), "{error}");
        let file = std::fs::read(folder.path().join("journal")).unwrap();
        let holds = |text: &[u8]| file.windows(text.len()).any(|window| window == text);
        assert!(holds(task.as_bytes()) && !holds(&[1; 40]) && !holds(&[2; 40]));
        // A copy holds it too.
        let copy = folder.path().join("copy");
        vault.journal.backup(&copy).unwrap();
        let copy = Vault::new(Arc::new(Journal::open(&copy, GENESIS).unwrap()));
        assert!(copy.find(&both, &task).unwrap().is_some());
    }

    #[derive(Default)]
    struct World {
        best: u32,
        due: Vec<DueOpening>,
        sent: Vec<(u32, Part, Hidden)>,
        is_full: bool,
    }

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<World>>);

    impl OpeningsView for Shared {
        fn best(&self) -> u32 {
            self.0.lock().best
        }
        fn due(&self) -> Result<Vec<DueOpening>, String> {
            Ok(self.0.lock().due.clone())
        }
        fn keys(&self) -> Vec<Key> {
            vec![Key::new(b"secret")]
        }
    }

    impl OpeningsSender for Shared {
        async fn open(&self, opening: &DueOpening, hidden: Hidden) -> Result<(), String> {
            let mut world = self.0.lock();
            if world.is_full {
                return Err("full".into());
            }
            world.sent.push((opening.canary, opening.part, hidden));
            Ok(())
        }
    }

    #[test]
    fn what_is_due_is_sent_until_the_chain_has_it_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::new(journal(&folder));
        let one = kept(1);
        let task = one.seal(Part::Task, &GENESIS);
        vault
            .keep(&Key::new(b"secret"), &GENESIS, &[one.clone()])
            .unwrap();
        let due = |canary, task| DueOpening {
            canary,
            part: Part::Checker,
            task,
        };
        let world = Shared::default();
        // Canary 6 is kept by somebody else.
        world.0.lock().due = vec![due(5, task), due(6, H256::zero())];
        let start = || Custodian::new(vault.clone(), world.clone(), world.clone());
        let mut custodian = start();
        world.0.lock().is_full = true;
        assert_eq!(block_on(custodian.step()), Ok(0));
        world.0.lock().is_full = false;
        assert_eq!(block_on(custodian.step()), Ok(1));
        assert_eq!(block_on(custodian.step()), Ok(0), "not in every block");
        world.0.lock().best = RESEND_AFTER;
        assert_eq!(
            block_on(custodian.step()),
            Ok(1),
            "the chain still lacks it"
        );
        assert_eq!(
            block_on(start().step()),
            Ok(1),
            "a new process sends it again"
        );
        let expected = (5, Part::Checker, one.checker.clone());
        assert!(world.0.lock().sent.iter().all(|sent| *sent == expected));
        world.0.lock().due.clear();
        assert_eq!(block_on(start().step()), Ok(0));
    }
}
