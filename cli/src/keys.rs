//! `touchstone keys`: worker keys and session keys.

use crate::{Result, output};
use clap::{Args, Subcommand};
use sc_keystore::LocalKeystore;
use serde::{Deserialize, Serialize};
use sp_core::{Bytes, H256, Pair, sr25519};
use sp_keystore::Keystore;
use std::path::{Path, PathBuf};
use touchstone_client::{
    Chain, calls,
    submit::{Until, account, submit},
};
use touchstone_primitives::{
    NodeId,
    worker::{self, WorkerId, WorkerSignature},
};

/// Make, insert and rotate the keys of a node.
#[derive(Subcommand)]
pub enum Keys {
    Generate(Generate),
    Insert(Insert),
    #[command(subcommand)]
    Rotate(Rotate),
}

/// Make a new worker key in a keystore. The node picks it up without a restart.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone keys generate --keystore /var/lib/touchstone/chains/consortium/keystore
  touchstone keys generate --keystore DIR --node 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty")]
pub struct Generate {
    #[command(flatten)]
    keystore: KeystoreDir,
    /// Also print the proof of possession for this node (asks --url for the chain).
    #[arg(long, value_name = "ACCOUNT")]
    node: Option<NodeId>,
}

/// Put an existing worker key into a keystore.
#[derive(Args)]
#[command(after_help = "Example:
  touchstone keys insert --keystore DIR --key-file worker.key")]
pub struct Insert {
    #[command(flatten)]
    keystore: KeystoreDir,
    #[command(flatten)]
    secret: Secret,
}

/// Replace a key on chain and in the node.
#[derive(Subcommand)]
pub enum Rotate {
    Worker(RotateWorker),
    Session(RotateSession),
}

/// Make a new worker key and register it. The old one stays valid for what it signed before.
#[derive(Args)]
#[command(after_help = "Example:
  touchstone keys rotate worker --keystore DIR --node 5FHn… --key-file member.key")]
pub struct RotateWorker {
    #[command(flatten)]
    keystore: KeystoreDir,
    /// The node.
    #[arg(long, value_name = "ACCOUNT")]
    node: NodeId,
    /// Key of the node or of its member.
    #[command(flatten)]
    signer: Secret,
}

/// Make new session keys in the node of --url and register them; they work two sessions later.
///
/// The node must accept unsafe methods from here: it does on loopback.
#[derive(Args)]
#[command(after_help = "Example:
  touchstone keys rotate session --key-file node.key")]
pub struct RotateSession {
    /// Key of the node's account.
    #[command(flatten)]
    signer: Secret,
}

/// Where a node keeps its keys.
#[derive(Args)]
pub struct KeystoreDir {
    /// Keystore of the node: BASE/chains/CHAIN/keystore, or what its --keystore-path says.
    #[arg(long, value_name = "DIR")]
    keystore: PathBuf,
}

/// A secret key.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Secret {
    /// File that holds the secret phrase or seed.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Secret phrase, seed or derivation (`//Alice`). Other users of the machine can see it: use it for tests only.
    #[arg(long, value_name = "SURI")]
    suri: Option<String>,
}

impl Secret {
    /// The secret in a file.
    pub fn of_file(file: &Path) -> Self {
        Self {
            key_file: Some(file.into()),
            suri: None,
        }
    }

    /// The secret as text.
    fn text(&self) -> Result<String> {
        match (&self.key_file, &self.suri) {
            (Some(file), _) => {
                let text = std::fs::read_to_string(file)
                    .map_err(|e| format!("cannot read the key file {}: {e}", file.display()))?;
                Ok(text.trim().to_owned())
            }
            (None, Some(suri)) => Ok(suri.clone()),
            (None, None) => Err("give --key-file or --suri".to_owned().into()),
        }
    }

    /// The key pair.
    pub fn pair(&self) -> Result<sr25519::Pair> {
        sr25519::Pair::from_string(&self.text()?, None).map_err(|_| {
			"this is not a secret phrase (12 to 24 words), seed (0x and 64 hex digits) or derivation (//Name)"
				.to_owned()
				.into()
		})
    }
}

impl KeystoreDir {
    /// Opens the keystore, which must exist: a mistyped directory would swallow the key.
    pub fn open(&self) -> Result<LocalKeystore> {
        let dir = &self.keystore;
        if !dir.is_dir() {
            return Err(format!(
				"there is no directory {}; start the node once, or create it with `mkdir -p -m 700 {0}`",
				dir.display()
			)
			.into());
        }
        Ok(LocalKeystore::open(dir, None)
            .map_err(|e| format!("cannot open the keystore {}: {e}", dir.display()))?)
    }
}

/// Makes a new worker key.
pub fn generate(keystore: &LocalKeystore) -> Result<WorkerId> {
    let key = keystore
        .sr25519_generate_new(worker::KEY_TYPE, None)
        .map_err(|e| format!("cannot write the key: {e}; check owner and mode of the keystore"))?;
    Ok(key.into())
}

/// Proves that this worker key is here and is to serve `node`.
pub fn prove(
    keystore: &LocalKeystore,
    key: &WorkerId,
    genesis: &H256,
    node: &NodeId,
) -> Result<WorkerSignature> {
    let message = worker::possession(genesis, node);
    let signature = keystore
        .sr25519_sign(worker::KEY_TYPE, key.as_ref(), message.as_bytes())
        .ok()
        .flatten()
        .ok_or_else(|| format!("the keystore does not hold the worker key {key}"))?;
    Ok(signature.into())
}

/// Session keys that a node made, and the proof that it holds them.
#[derive(Debug, Serialize, Deserialize)]
pub struct NewSessionKeys {
    /// The public keys, SCALE-encoded.
    pub keys: Bytes,
    /// Signature of each key over the owner.
    pub proof: Bytes,
}

/// Has the node make new session keys for `owner`.
pub async fn new_session_keys(chain: &Chain, owner: &NodeId) -> Result<NewSessionKeys> {
    let owner = Bytes(AsRef::<[u8]>::as_ref(owner).to_vec());
    Ok(chain
        .request("author_rotateKeysWithOwner", jsonrpsee::rpc_params![owner])
        .await
        .map_err(|e| {
            format!("{e}; run this on the node's own machine, so that it accepts unsafe methods")
        })?)
}

/// Bytes of a public key.
pub fn hex(key: &WorkerId) -> H256 {
    H256(AsRef::<sr25519::Public>::as_ref(key).0)
}

impl Keys {
    pub async fn run(self, url: &str) -> Result<()> {
        match self {
            Self::Generate(generate) => generate.run(url).await,
            Self::Insert(insert) => insert.run(),
            Self::Rotate(Rotate::Worker(rotate)) => rotate.run(&Chain::connect(url).await?).await,
            Self::Rotate(Rotate::Session(rotate)) => rotate.run(&Chain::connect(url).await?).await,
        }
    }
}

impl Generate {
    async fn run(self, url: &str) -> Result<()> {
        let keystore = self.keystore.open()?;
        let chain = match &self.node {
            Some(node) => Some((Chain::connect(url).await?, node)),
            None => None,
        };
        let key = generate(&keystore)?;
        let proof = match chain {
            Some((chain, node)) => Some(prove(&keystore, &key, &chain.genesis(), node)?),
            None => None,
        };
        output::json(&serde_json::json!({
            "workerKey": hex(&key),
            "proof": proof.map(|proof| Bytes(AsRef::<[u8]>::as_ref(&proof).to_vec())),
        }))
    }
}

impl Insert {
    fn run(self) -> Result<()> {
        let (keystore, pair) = (self.keystore.open()?, self.secret.pair()?);
        let public = pair.public();
        keystore
            .insert(worker::KEY_TYPE, &self.secret.text()?, &public.0)
            .map_err(|()| {
                "cannot write the key; check owner and mode of the keystore".to_owned()
            })?;
        output::json(&serde_json::json!({"workerKey": H256(public.0)}))
    }
}

impl RotateWorker {
    async fn run(self, chain: &Chain) -> Result<()> {
        let (keystore, signer) = (self.keystore.open()?, self.signer.pair()?);
        let key = generate(&keystore)?;
        let proof = prove(&keystore, &key, &chain.genesis(), &self.node)?;
        eprintln!(
            "registering the worker key {:?} for {}",
            hex(&key),
            self.node
        );
        let call = calls::rotate_worker_key(self.node, key.clone(), proof);
        let included = submit(chain, call, &signer, Until::Finalized).await?;
        output::json(&serde_json::json!({"workerKey": hex(&key), "block": included.block}))
    }
}

impl RotateSession {
    async fn run(self, chain: &Chain) -> Result<()> {
        let signer = self.signer.pair()?;
        let new = new_session_keys(chain, &account(&signer)).await?;
        let call = calls::set_session_keys(&new.keys, new.proof.0).ok_or(
			"the node's session keys are not those that this program knows; update the older of the two"
				.to_owned(),
		)?;
        eprintln!("registering session keys for {}", account(&signer));
        let included = submit(chain, call, &signer, Until::Finalized).await?;
        output::json(&serde_json::json!({"sessionKeys": new.keys, "block": included.block}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_proves_possession_for_its_node_only() {
        let dir = tempfile::tempdir().unwrap();
        let keystore = KeystoreDir {
            keystore: dir.path().into(),
        }
        .open()
        .unwrap();
        let (genesis, node) = (H256::repeat_byte(1), NodeId::new([2; 32]));
        let key = generate(&keystore).unwrap();
        let proof = prove(&keystore, &key, &genesis, &node).unwrap();
        assert!(worker::verify(
            &key,
            &worker::possession(&genesis, &node),
            &proof
        ));
        let other = worker::possession(&genesis, &NodeId::new([3; 32]));
        assert!(!worker::verify(&key, &other, &proof));
    }

    #[test]
    fn an_inserted_key_is_found_by_its_public_half() {
        let dir = tempfile::tempdir().unwrap();
        let keystore = KeystoreDir {
            keystore: dir.path().into(),
        };
        let secret = Secret {
            key_file: None,
            suri: Some("//Alice//worker".into()),
        };
        let public = secret.pair().unwrap().public();
        Insert {
            keystore: KeystoreDir {
                keystore: dir.path().into(),
            },
            secret,
        }
        .run()
        .unwrap();
        let keystore = keystore.open().unwrap();
        assert_eq!(keystore.sr25519_public_keys(worker::KEY_TYPE), vec![public]);
    }

    #[test]
    fn a_keystore_that_does_not_exist_is_not_made() {
        let missing = KeystoreDir {
            keystore: "/nonexistent/keystore".into(),
        };
        assert!(missing.open().err().unwrap().to_string().contains("mkdir"));
    }
}
