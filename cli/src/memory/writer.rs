//! Who writes: signing of writes and commits, and the key that seals a namespace.

use crate::{Result, keys::Secret};
use clap::Args;
use codec::DecodeAll;
use rand::RngCore;
use sp_core::{H256, Pair, sr25519};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use touchstone_client::{Chain, Error, submit::account};
use touchstone_primitives::{
    AccountId32,
    memory::{
        Commit, Fragment, NamespaceId, Value, Write, Writer as By, answer::Opened, key as place,
        namespace_id, value,
    },
    tagged_hash,
};
use touchstone_rpc::{MemoryChange, MemoryClient, MemoryState, NamespaceKey, SignedCommit};

/// Blocks for which a commit stays valid.
const LIFETIME: u32 = 16;
/// How long a commit may take until it is final.
const PATIENCE: Duration = Duration::from_secs(180);

/// How to read a sealed namespace.
#[derive(Args)]
pub struct Seal {
    /// File with the secret key of a sealed namespace's owner; the key that it is sealed with is derived from it.
    #[arg(long, value_name = "FILE")]
    seal_key_file: Option<PathBuf>,
}

impl Seal {
    /// The key of a namespace, if one is given.
    pub fn key(&self, namespace: &str) -> Result<Option<NamespaceKey>> {
        key(self.seal_key_file.as_deref(), namespace)
    }
}

/// The key of a namespace, if the file of its owner's secret is given.
pub fn key(file: Option<&Path>, namespace: &str) -> Result<Option<NamespaceKey>> {
    match file {
        Some(file) => Ok(Some(derived(&secret_of(file)?, namespace))),
        None => Ok(None),
    }
}

/// The secret key in a file.
pub fn secret_of(file: &Path) -> Result<sr25519::Pair> {
    Secret::of_file(file).pair()
}

/// The key that an owner seals a namespace with: nobody without the owner's secret can make it, and it is always the same.
fn derived(owner: &sr25519::Pair, namespace: &str) -> NamespaceKey {
    tagged_hash(
        "touchstone/memory/seal/1",
        &[&owner.to_raw_vec(), namespace_id(namespace).as_bytes()],
    )
}

/// What is written to, and by whom.
#[derive(Args)]
pub struct Target {
    /// Name of the namespace.
    #[arg(long, value_name = "NAME")]
    pub namespace: String,
    /// The namespace is sealed, with the key that is derived from the writer's.
    #[arg(long)]
    pub sealed: bool,
    /// Wait until a finalised block anchors it.
    #[arg(long)]
    pub wait_finalized: bool,
    /// Key of the writer.
    #[command(flatten)]
    pub signer: Secret,
}

impl Target {
    /// The writer.
    pub fn writer(&self, chain: &Chain) -> Result<Writer> {
        let pair = self.signer.pair()?;
        let key = self.sealed.then(|| derived(&pair, &self.namespace));
        Ok(Writer::new(chain, &self.namespace, pair, key))
    }
}

/// Signs writes to one namespace.
#[derive(Clone)]
pub struct Writer {
    /// The namespace.
    pub id: NamespaceId,
    /// Its name.
    pub name: String,
    /// Key that it is sealed with, if it is.
    pub key: Option<NamespaceKey>,
    genesis: H256,
    account: AccountId32,
    pair: sr25519::Pair,
}

impl Writer {
    /// Whoever has this key writes to the namespace of this name.
    pub fn new(
        chain: &Chain,
        namespace: &str,
        pair: sr25519::Pair,
        key: Option<NamespaceKey>,
    ) -> Self {
        Self {
            id: namespace_id(namespace),
            name: namespace.into(),
            key,
            genesis: chain.genesis(),
            account: account(&pair),
            pair,
        }
    }

    /// A line of the log.
    pub fn write(&self, id: &H256, previous: Option<Value>, value: Option<Value>) -> Write {
        let key = place(&self.id, id);
        let message = Write::message(&self.id, &key, previous.as_ref(), value.as_ref());
        Write {
            namespace: self.id,
            key,
            previous,
            value,
            contributor: self.account.clone(),
            signature: self.pair.sign(message.as_bytes()),
        }
    }

    /// A new fragment.
    pub fn put(&self, fragment: Fragment) -> MemoryChange {
        let [mut id, mut salt] = [[0; 32]; 2];
        rand::thread_rng().fill_bytes(&mut id);
        rand::thread_rng().fill_bytes(&mut salt);
        let (id, salt) = (H256(id), H256(salt));
        let value = value(&salt, &fragment);
        MemoryChange {
            write: self.write(&id, None, Some(value)),
            content: Some(Opened { id, salt, fragment }),
        }
    }

    /// Sees to it that what was written gets on chain: signs the commit unless the node does, and waits if asked to.
    pub async fn settle(&self, chain: &Chain, state: MemoryState, wait: bool) -> Result<()> {
        if let Some(pending) = &state.pending {
            let commit = Commit::decode_all(&mut &pending.commit.0[..])
                .map_err(|e| format!("the node's commit cannot be read: {e}"))?;
            if commit.state != state.state {
                return Err("the node wants another state signed than it has"
                    .to_owned()
                    .into());
            }
            let writer = By::Account(self.account.clone());
            let valid_until = chain.best_number().await?.saturating_add(LIFETIME);
            let message = commit.message(&self.genesis, &writer, valid_until.into());
            let signed = SignedCommit {
                commit: pending.commit.clone(),
                writer,
                valid_until,
                signature: self.pair.sign(message.as_bytes()),
            };
            let sent = chain.client().commit(signed).await;
            sent.map_err(|e| Error::of("memory_commit", e))?;
        }
        match wait {
            true => self.wait(chain, &state).await,
            false => Ok(()),
        }
    }

    async fn wait(&self, chain: &Chain, state: &MemoryState) -> Result<()> {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let head = chain.finalized().await?;
                let now = chain.namespace(self.id, head).await?;
                if let Some(now) = now.filter(|now| now.state.version >= state.state.version) {
                    eprintln!(
                        "anchored: version {}, root {:?}, block {}",
                        now.state.version, now.root, now.block
                    );
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        match waited.await {
            Ok(anchored) => anchored,
            Err(_) => Err(format!(
                "not final after {} s; it is durable on the node, which goes on trying. `touchstone memory history {}` shows the chain's roots",
                PATIENCE.as_secs(),
                self.name
            )
            .into()),
        }
    }
}
