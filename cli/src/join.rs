//! `touchstone join`: everything that a new member must prepare, as one signed file.

use crate::{Failure, Result, keys, output};
use clap::{Args, Subcommand, ValueEnum};
use codec::Encode;
use serde::{Deserialize, Serialize};
use sp_core::{Bytes, H256, Pair, sr25519};
use std::path::PathBuf;
use touchstone_client::{
    Chain, calls, peer,
    submit::account,
    verify::{Check, Outcome},
};
use touchstone_primitives::{
    AccountId32, NodeId,
    consortium::{HardwareTier, MemberStatus, NodeRole},
    provenance::is_jurisdiction,
    tagged_hash,
    worker::{self, WorkerSignature},
};

/// Domain of the member's signature.
const DOMAIN: &str = "touchstone/join/1";

/// Prepare the file with which a new member applies, or check one.
///
/// Run it beside the new node, which must be running and in sync. Hand the file to any member; the council votes on it. It holds
/// no secrets.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:
  touchstone join --legal-name 'Example Research gGmbH' --jurisdiction DE --key-file member.key \\
      --node 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty --keystore DIR \\
      --address /dns/node.example.org/tcp/30333 > join.json
  touchstone join check join.json"
)]
pub struct Join {
    #[command(subcommand)]
    check: Option<Sub>,
    #[command(flatten)]
    prepare: Option<Prepare>,
}

#[derive(Subcommand)]
enum Sub {
    Check(CheckFile),
}

// Without this the group has no members, because some of the arguments are nested, and clap takes it for absent.
#[derive(Args)]
#[group(args = ["legal_name"])]
struct Prepare {
    /// Registered legal name of the organisation, exactly as in its register. Only its hash goes into the file.
    #[arg(long, value_name = "NAME")]
    legal_name: String,
    /// ISO 3166-1 alpha-2 code of the country it is registered in.
    #[arg(long, value_name = "CODE")]
    jurisdiction: String,
    /// Key of the member's account.
    #[command(flatten)]
    member: keys::Secret,
    /// Account of the node (its stash).
    #[arg(long, value_name = "ACCOUNT")]
    node: NodeId,
    /// Keystore of the node; a worker key is made in it.
    #[command(flatten)]
    keystore: keys::KeystoreDir,
    /// Where other nodes reach this one, without /p2p; what the node listens on if none is given. Repeatable.
    #[arg(long = "address", value_name = "MULTIADDR")]
    addresses: Vec<String>,
    /// What the node is to do. Repeatable.
    #[arg(long = "role", value_name = "ROLE", default_values = ["validator", "gateway"])]
    roles: Vec<RoleName>,
    /// What the machine can sustain.
    #[arg(long, value_name = "TIER", default_value = "light")]
    tier: TierName,
}

/// Check a file that somebody prepared: signatures, proofs, and whether its accounts and keys are free on chain.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone join check join.json
  touchstone join check join.json --legal-name 'Example Research gGmbH'")]
struct CheckFile {
    /// The file.
    file: PathBuf,
    /// The name that the file's hash is to be of.
    #[arg(long, value_name = "NAME")]
    legal_name: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleName {
    Validator,
    Producer,
    Teacher,
    Auditor,
    Gateway,
    Expert,
}

#[derive(Clone, Copy, ValueEnum)]
enum TierName {
    Light,
    Mid,
    Heavy,
}

/// What a new member states.
#[derive(Clone, Debug, PartialEq, Encode, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Application {
    genesis: H256,
    member: AccountId32,
    legal_name_hash: H256,
    jurisdiction: String,
    node: NodeId,
    roles: Vec<NodeRole>,
    tier: HardwareTier,
    peer_id: String,
    addresses: Vec<String>,
    worker_key: H256,
    worker_proof: Bytes,
    session_keys: Bytes,
    session_proof: Bytes,
}

/// The file: an application and the member's signature over it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JoinFile {
    application: Application,
    signature: Bytes,
}

/// Hash of a legal name, as the chain keeps it.
fn legal_name_hash(name: &str) -> H256 {
    H256(sp_crypto_hashing::blake2_256(name.trim().as_bytes()))
}

impl Application {
    fn digest(&self) -> H256 {
        tagged_hash(DOMAIN, &[&self.encode()])
    }

    fn sign(self, member: &sr25519::Pair) -> JoinFile {
        let signature = Bytes(member.sign(self.digest().as_bytes()).0.to_vec());
        JoinFile {
            application: self,
            signature,
        }
    }
}

impl Join {
    pub async fn run(self, url: &str) -> Result<()> {
        match (self.check, self.prepare) {
            (Some(Sub::Check(check)), _) => check.run(url).await,
            (None, Some(prepare)) => prepare.run(&Chain::connect(url).await?).await,
            (None, None) => Err("see `touchstone join --help`".to_owned().into()),
        }
    }
}

impl Prepare {
    async fn run(self, chain: &Chain) -> Result<()> {
        let member = self.member.pair()?;
        let keystore = self.keystore.open()?;
        if chain.health().await?.is_syncing {
            return Err(format!(
                "the node at {} is still syncing; wait until `touchstone status` says it is not",
                chain.url()
            )
            .into());
        }
        let peer_id: String = chain
            .request("system_localPeerId", jsonrpsee::rpc_params![])
            .await?;
        let addresses = match self.addresses.is_empty() {
            false => self.addresses,
            true => listening(chain, &peer_id).await?,
        };
        let worker_key = keys::generate(&keystore)?;
        let proof = keys::prove(&keystore, &worker_key, &chain.genesis(), &self.node)?;
        let session = keys::new_session_keys(chain, &self.node).await?;
        let application = Application {
            genesis: chain.genesis(),
            member: account(&member),
            legal_name_hash: legal_name_hash(&self.legal_name),
            jurisdiction: self.jurisdiction.to_uppercase(),
            node: self.node,
            roles: self.roles.into_iter().map(Into::into).collect(),
            tier: self.tier.into(),
            peer_id,
            addresses,
            worker_key: keys::hex(&worker_key),
            worker_proof: Bytes(AsRef::<[u8]>::as_ref(&proof).to_vec()),
            session_keys: session.keys,
            session_proof: session.proof,
        };
        let file = application.sign(&member);
        if let Some(bad) = checks(&file)
            .iter()
            .find(|check| check.outcome == Outcome::Fails)
        {
            return Err(format!("{}: {}", bad.name, bad.detail).into());
        }
        output::json(&file)?;
        eprintln!(
            "Hand the file to a member of the consortium; `touchstone join check FILE` shows what they will see."
        );
        Ok(())
    }
}

/// Addresses that the node listens on and that others may reach.
async fn listening(chain: &Chain, peer_id: &str) -> Result<Vec<String>> {
    let all: Vec<String> = chain
        .request("system_localListenAddresses", jsonrpsee::rpc_params![])
        .await?;
    let suffix = format!("/p2p/{peer_id}");
    let mut reachable: Vec<String> = all
        .iter()
        .map(|address| address.trim_end_matches(&suffix).to_owned())
        .filter(|address| !address.contains("/127.0.0.1/") && !address.contains("/ip6/::1/"))
        .collect();
    reachable.dedup();
    reachable.truncate(8);
    if reachable.is_empty() {
        return Err("the node listens on loopback only; give its public address with --address /dns/HOST/tcp/PORT"
			.to_owned()
			.into());
    }
    Ok(reachable)
}

/// What can be checked without the chain.
fn checks(file: &JoinFile) -> Vec<Check> {
    let application = &file.application;
    let mut checks = Vec::new();
    let mut check = |name, holds: bool, detail: String| {
        let outcome = if holds {
            Outcome::Holds
        } else {
            Outcome::Fails
        };
        checks.push(Check {
            name,
            outcome,
            detail,
        });
    };
    let member = sr25519::Public::from_raw(*AsRef::<[u8; 32]>::as_ref(&application.member));
    let signed = <[u8; 64]>::try_from(&file.signature[..]).is_ok_and(|signature| {
        sr25519::Pair::verify(
            &sr25519::Signature::from_raw(signature),
            application.digest().as_bytes(),
            &member,
        )
    });
    check(
        "signature",
        signed,
        format!("by the member's account {}", application.member),
    );
    let code = &application.jurisdiction;
    check(
        "jurisdiction",
        <[u8; 2]>::try_from(code.as_bytes()).is_ok_and(|code| is_jurisdiction(&code)),
        format!("`{code}`, ISO 3166-1 alpha-2"),
    );
    check(
        "accounts",
        application.member != application.node,
        "member and node have different accounts".into(),
    );
    let peer = peer::decode(&application.peer_id);
    check(
        "peer id",
        peer.is_ok(),
        peer.err().unwrap_or_else(|| application.peer_id.clone()),
    );
    let addresses = &application.addresses;
    check(
        "addresses",
        (1..=8).contains(&addresses.len())
            && addresses
                .iter()
                .all(|a| a.starts_with('/') && a.len() <= 128 && !a.contains("/p2p/")),
        format!(
            "{} (1 to 8 multiaddresses without /p2p)",
            addresses.join(", ")
        ),
    );
    check(
        "roles",
        !application.roles.is_empty(),
        format!("{:?}", application.roles).to_lowercase(),
    );
    let proof = <[u8; 64]>::try_from(&application.worker_proof[..])
        .map(|raw| WorkerSignature::from(sr25519::Signature::from_raw(raw)));
    check(
        "worker key",
        proof.is_ok_and(|proof| {
            worker::verify(
                &calls::worker_id(application.worker_key),
                &worker::possession(&application.genesis, &application.node),
                &proof,
            )
        }),
        format!(
            "{:?}, proof of possession for this node",
            application.worker_key
        ),
    );
    check(
        "session keys",
        calls::session_keys_are_proven(
            &application.session_keys,
            &application.node,
            &application.session_proof,
        ),
        "ownership proof for this node".into(),
    );
    checks
}

impl CheckFile {
    async fn run(self, url: &str) -> Result<()> {
        let text = std::fs::read_to_string(&self.file)
            .map_err(|e| format!("cannot read {}: {e}", self.file.display()))?;
        let file: JoinFile = serde_json::from_str(&text)
            .map_err(|e| format!("{} is not a join file: {e}", self.file.display()))?;
        let mut checks = checks(&file);
        let hash = file.application.legal_name_hash;
        checks.push(match &self.legal_name {
            Some(name) => Check {
                name: "legal name",
                outcome: if legal_name_hash(name) == hash {
                    Outcome::Holds
                } else {
                    Outcome::Fails
                },
                detail: format!("hash of `{}`", name.trim()),
            },
            None => Check {
                name: "legal name",
                outcome: Outcome::Open,
                detail: "ask for the name and check it with --legal-name".into(),
            },
        });
        checks.extend(on_chain(&Chain::connect(url).await?, &file.application).await?);
        for check in &checks {
            println!(
                "{} {:13} {}",
                output::mark(check.outcome),
                check.name,
                check.detail
            );
        }
        if checks.iter().any(|check| check.outcome == Outcome::Fails) {
            println!("The file cannot be used as it is.");
            return Err(Failure::Shown(1));
        }
        println!("The file can be voted on.");
        Ok(())
    }
}

/// What only the chain knows.
async fn on_chain(chain: &Chain, application: &Application) -> Result<Vec<Check>> {
    let head = chain.finalized().await?;
    let (members, nodes) = (chain.members(head).await?, chain.nodes(head).await?);
    let mut checks = Vec::new();
    let mut check = |name, holds: bool, detail: &str| {
        let outcome = if holds {
            Outcome::Holds
        } else {
            Outcome::Fails
        };
        checks.push(Check {
            name,
            outcome,
            detail: detail.into(),
        });
    };
    check(
        "chain",
        application.genesis == chain.genesis(),
        "made for this chain",
    );
    check(
        "member",
        members
            .iter()
            .all(|m| m.member != application.member || m.status == MemberStatus::Candidate),
        "the account is not a member yet",
    );
    check(
        "node",
        nodes.iter().all(|n| n.node != application.node),
        "the node's account is free",
    );
    let peer = peer::decode(&application.peer_id).unwrap_or_default();
    check(
        "peer id",
        nodes.iter().all(|n| n.peer_id != peer),
        "no other node has it",
    );
    check(
        "worker key",
        chain
            .node_of_worker(&calls::worker_id(application.worker_key), head)
            .await?
            .is_none(),
        "no other node has it",
    );
    Ok(checks)
}

impl From<RoleName> for NodeRole {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Validator => Self::Validator,
            RoleName::Producer => Self::Producer,
            RoleName::Teacher => Self::Teacher,
            RoleName::Auditor => Self::Auditor,
            RoleName::Gateway => Self::Gateway,
            RoleName::Expert => Self::Expert,
        }
    }
}

impl From<TierName> for HardwareTier {
    fn from(name: TierName) -> Self {
        match name {
            TierName::Light => Self::Light,
            TierName::Mid => Self::Mid,
            TierName::Heavy => Self::Heavy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        join: Join,
    }

    #[test]
    fn a_file_is_prepared_or_checked() {
        let node = AccountId32::new([1; 32]).to_string();
        let prepare = [
            "join",
            "--legal-name",
            "X",
            "--jurisdiction",
            "NO",
            "--suri",
            "//Eve",
            "--node",
            &node,
            "--keystore",
            "/tmp",
        ];
        let line = Line::try_parse_from(prepare).unwrap();
        assert!(line.join.prepare.is_some() && line.join.check.is_none());
        let line = Line::try_parse_from(["join", "check", "join.json"]).unwrap();
        assert!(line.join.prepare.is_none() && line.join.check.is_some());
        assert!(Line::try_parse_from(["join"]).is_err());
    }

    /// An application in order but for its session keys, which only a node can make.
    fn file() -> JoinFile {
        let (member, worker) = (
            sr25519::Pair::from_seed(&[1; 32]),
            worker::WorkerPair::from_seed(&[2; 32]),
        );
        let (genesis, node) = (H256::repeat_byte(3), AccountId32::new([4; 32]));
        let proof = worker.sign(worker::possession(&genesis, &node).as_bytes());
        let application = Application {
            genesis,
            member: account(&member),
            legal_name_hash: legal_name_hash("Example"),
            jurisdiction: "NO".into(),
            node,
            roles: vec![NodeRole::Validator],
            tier: HardwareTier::Light,
            peer_id: "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp".into(),
            addresses: vec!["/dns/node.example.org/tcp/30333".into()],
            worker_key: keys::hex(&worker.public()),
            worker_proof: Bytes(AsRef::<[u8]>::as_ref(&proof).to_vec()),
            session_keys: Bytes(vec![]),
            session_proof: Bytes(vec![]),
        };
        application.sign(&member)
    }

    fn failing(file: &JoinFile) -> Vec<&'static str> {
        checks(file)
            .iter()
            .filter(|check| check.outcome == Outcome::Fails)
            .map(|check| check.name)
            .collect()
    }

    #[test]
    fn every_wrong_part_of_an_application_is_named() {
        assert_eq!(failing(&file()), ["session keys"]);
        type Alteration = (&'static str, fn(&mut Application));
        let alterations: [Alteration; 6] = [
            ("jurisdiction", |a| a.jurisdiction = "Norway".into()),
            ("accounts", |a| a.node = a.member.clone()),
            ("peer id", |a| a.peer_id = "QmUnknown".into()),
            ("addresses", |a| a.addresses.clear()),
            ("roles", |a| a.roles.clear()),
            ("worker key", |a| a.genesis = H256::zero()),
        ];
        for (name, alter) in alterations {
            let mut altered = file();
            alter(&mut altered.application);
            let names = failing(&altered);
            assert!(
                names.contains(&name) && names.contains(&"signature"),
                "{name}: {names:?}"
            );
        }
    }
}
