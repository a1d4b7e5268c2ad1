//! The file from which a consortium's first block is made.

use codec::Encode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sp_core::{H256, crypto::Ss58Codec, ed25519, sr25519};
use sp_crypto_hashing::blake2_256;
use std::{collections::BTreeSet, str::FromStr};
use touchstone_primitives::{
    AccountId32,
    consortium::{HardwareTier, NodeRole, Roles, is_peer_id},
    provenance::is_jurisdiction,
};
use touchstone_runtime::{SUPPLY, UNIT, configs::Commons, genesis};

/// A founding file (TOML or JSON).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Founding {
    /// Name of the network for people.
    pub name: String,
    /// Id of the network: folder name of the database and id of its protocols.
    pub id: String,
    /// Multiaddresses with PeerId at which new nodes find the network.
    #[serde(default)]
    pub boot_nodes: Vec<String>,
    /// The founding members, each with at least one node.
    #[serde(rename = "member")]
    pub members: Vec<Member>,
}

/// A founding member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Member {
    /// Registered legal name; only its hash goes on chain.
    pub legal_name: String,
    /// ISO 3166-1 alpha-2 code.
    pub jurisdiction: String,
    /// Account of the organisation, SS58.
    pub account: String,
    /// Credit of the account, in units, the bonds of its nodes included.
    pub credit: u64,
    /// Its nodes.
    #[serde(rename = "node")]
    pub nodes: Vec<Node>,
}

/// A node of a founding member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Node {
    /// Stash account and validator id, SS58.
    pub stash: String,
    /// What it does.
    pub roles: Vec<NodeRole>,
    /// What its machine can sustain.
    pub tier: HardwareTier,
    /// Libp2p PeerId, base58.
    pub peer_id: String,
    /// Multiaddresses at which it can be reached.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Worker key (sr25519), SS58 or 0x hex.
    pub worker_key: String,
    /// BABE key (sr25519), SS58 or 0x hex; validators only.
    pub babe: Option<String>,
    /// GRANDPA key (ed25519), SS58 or 0x hex; validators only.
    pub grandpa: Option<String>,
    /// Bond in units.
    pub bond: u64,
}

/// Why a founding file makes no chain.
#[derive(Debug, thiserror::Error)]
pub enum FoundingError {
    /// The file is no founding file.
    #[error("{0}")]
    Syntax(String),
    /// A value does not parse.
    #[error("{whose}: `{field}` is \"{found}\", expected {expected}")]
    Value {
        /// Member or node.
        whose: String,
        /// Name of the field.
        field: &'static str,
        /// What stands there.
        found: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// The same account, key or PeerId twice.
    #[error("{0} occurs twice; every account, key and PeerId belongs to one member or node")]
    Twice(String),
    /// A validator without session keys.
    #[error("node {0} is a validator, so it needs `babe` and `grandpa`")]
    NoSessionKeys(String),
    /// The credit does not cover the bonds.
    #[error(
        "{0}: a credit of {1} units does not cover bonds of {2} units and a remainder for fees"
    )]
    Credit(String, u64, u64),
    /// Fewer validators than finality with one failure needs.
    #[error(
        "{0} validators; a consortium starts with at least {1}, and tolerates one failure from 4 on"
    )]
    TooFewValidators(usize, usize),
    /// More credit than exists.
    #[error("members get more credit than exists")]
    Supply,
    /// A boot node's address does not parse.
    #[error("boot node \"{0}\": expected a multiaddress that ends in /p2p/PEERID")]
    BootNode(String),
    /// The program holds no runtime.
    #[error("{0}")]
    NoRuntime(String),
}

/// What a node's stash account starts with: its session key deposit and fees.
const STASH_CREDIT: u128 = 10 * UNIT;
/// Fewest validators of a founding file.
const MIN_VALIDATORS: usize = 3;

fn sr25519_key(text: &str) -> Option<sr25519::Public> {
    match text.strip_prefix("0x") {
        Some(hex) => Some(sr25519::Public::from_raw(
            hex::decode(hex).ok()?.try_into().ok()?,
        )),
        None => sr25519::Public::from_ss58check(text).ok(),
    }
}

fn ed25519_key(text: &str) -> Option<ed25519::Public> {
    match text.strip_prefix("0x") {
        Some(hex) => Some(ed25519::Public::from_raw(
            hex::decode(hex).ok()?.try_into().ok()?,
        )),
        None => ed25519::Public::from_ss58check(text).ok(),
    }
}

impl FromStr for Founding {
    type Err = FoundingError;

    fn from_str(text: &str) -> Result<Self, FoundingError> {
        if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|e| FoundingError::Syntax(e.to_string()))
        } else {
            toml::from_str(text).map_err(|e| FoundingError::Syntax(e.to_string()))
        }
    }
}

impl Founding {
    /// The whole genesis configuration: the preset `consortium` with these members.
    pub fn genesis(&self) -> Result<Value, FoundingError> {
        let mut seen = BTreeSet::new();
        let mut once = |what: String| {
            if seen.insert(what.clone()) {
                Ok(())
            } else {
                Err(FoundingError::Twice(what))
            }
        };
        let (mut balances, mut members, mut nodes, mut keys) = (
            Vec::<(AccountId32, u128)>::new(),
            Vec::new(),
            Vec::new(),
            Vec::new(),
        );
        for member in &self.members {
            let whose = || format!("member {}", member.legal_name);
            let bad = |field, found: &str, expected| FoundingError::Value {
                whose: whose(),
                field,
                found: found.into(),
                expected,
            };
            let account = AccountId32::from_ss58check(&member.account)
                .map_err(|_| bad("account", &member.account, "an SS58 address"))?;
            once(format!("account {}", member.account))?;
            let jurisdiction: [u8; 2] = member
                .jurisdiction
                .as_bytes()
                .try_into()
                .ok()
                .filter(is_jurisdiction)
                .ok_or_else(|| bad("jurisdiction", &member.jurisdiction, "two capital letters"))?;
            let bonds: u64 = member
                .nodes
                .iter()
                .fold(0, |sum, node| sum.saturating_add(node.bond));
            if member.credit <= bonds {
                return Err(FoundingError::Credit(whose(), member.credit, bonds));
            }
            balances.push((account.clone(), u128::from(member.credit) * UNIT));
            members.push(json!({
                "account": account,
                "legalNameHash": H256(blake2_256(member.legal_name.as_bytes())),
                "jurisdiction": jurisdiction,
            }));
            for node in &member.nodes {
                let bad = |field, found: &str, expected| FoundingError::Value {
                    whose: format!("node {}", node.stash),
                    field,
                    found: found.into(),
                    expected,
                };
                let stash = AccountId32::from_ss58check(&node.stash)
                    .map_err(|_| bad("stash", &node.stash, "an SS58 address"))?;
                once(format!("account {}", node.stash))?;
                let worker = sr25519_key(&node.worker_key)
                    .ok_or_else(|| bad("worker-key", &node.worker_key, "an sr25519 public key"))?;
                once(format!("key {}", hex::encode(worker)))?;
                let peer_id = sc_network_types::PeerId::from_str(&node.peer_id)
                    .map(|peer| peer.to_bytes())
                    .ok()
                    .filter(|bytes| is_peer_id(bytes))
                    .ok_or_else(|| bad("peer-id", &node.peer_id, "a PeerId in base58"))?;
                once(format!("PeerId {}", node.peer_id))?;
                let roles = Roles::of(&node.roles);
                if !roles.is_valid() {
                    return Err(bad("roles", "[]", "at least one role"));
                }
                if roles.contains(NodeRole::Validator) {
                    let (Some(babe), Some(grandpa)) = (&node.babe, &node.grandpa) else {
                        return Err(FoundingError::NoSessionKeys(node.stash.clone()));
                    };
                    let babe = sr25519_key(babe)
                        .ok_or_else(|| bad("babe", babe, "an sr25519 public key"))?;
                    let grandpa = ed25519_key(grandpa)
                        .ok_or_else(|| bad("grandpa", grandpa, "an ed25519 public key"))?;
                    once(format!("BABE key {}", hex::encode(babe)))?;
                    once(format!("GRANDPA key {}", hex::encode(grandpa)))?;
                    keys.push(json!([stash, stash, { "babe": babe, "grandpa": grandpa }]));
                }
                balances.push((stash.clone(), STASH_CREDIT));
                nodes.push(json!({
                    "node": stash,
                    "member": account,
                    "roles": roles,
                    "tier": node.tier,
                    "peerId": peer_id,
                    "addresses": node.addresses.iter().map(|a| a.as_bytes()).collect::<Vec<_>>(),
                    "workerKey": worker,
                    "bond": u128::from(node.bond) * UNIT,
                }));
            }
        }
        if keys.len() < MIN_VALIDATORS {
            return Err(FoundingError::TooFewValidators(keys.len(), MIN_VALIDATORS));
        }
        let granted = balances
            .iter()
            .fold(0u128, |sum, (_, amount)| sum.saturating_add(*amount));
        let commons = SUPPLY.checked_sub(granted).ok_or(FoundingError::Supply)?;
        balances.push((Commons::get(), commons));

        let preset = genesis::preset(&genesis::CONSORTIUM_PRESET.into())
            .ok_or_else(|| FoundingError::NoRuntime("the runtime has no preset".into()))?;
        let mut patch: Value =
            serde_json::from_slice(&preset).map_err(|e| FoundingError::Syntax(e.to_string()))?;
        patch["balances"]["balances"] = json!(balances);
        patch["consortium"]["members"] = json!(members);
        patch["consortium"]["nodes"] = json!(nodes);
        patch["session"]["keys"] = json!(keys);
        Ok(patch)
    }

    /// Hash of what the chain is made of, for members to compare by voice before they start.
    pub fn fingerprint(&self) -> Result<H256, FoundingError> {
        Ok(H256(blake2_256(&self.genesis()?.to_string().encode())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Founding {
        include_str!("../consortium.example.toml").parse().unwrap()
    }

    #[test]
    fn the_example_makes_a_genesis() {
        let genesis = example().genesis().unwrap();
        assert_eq!(
            genesis["consortium"]["members"].as_array().unwrap().len(),
            4
        );
        assert_eq!(genesis["facts"]["epochLength"], 200);
        let total: u128 = genesis["balances"]["balances"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry[1].to_string().parse::<u128>().unwrap())
            .sum();
        assert_eq!(total, SUPPLY);
    }

    #[test]
    fn each_mistake_is_named() {
        let expect = |change: &dyn Fn(&mut Founding), words: &str| {
            let mut founding = example();
            change(&mut founding);
            let error = founding.genesis().unwrap_err().to_string();
            assert!(error.contains(words), "{error} does not say {words}");
        };
        expect(
            &|f| f.members[0].account = "nobody".into(),
            "`account` is \"nobody\"",
        );
        expect(
            &|f| f.members[0].jurisdiction = "Korea".into(),
            "two capital letters",
        );
        expect(&|f| f.members[0].credit = 1, "does not cover");
        expect(
            &|f| f.members[1].account = f.members[0].account.clone(),
            "occurs twice",
        );
        expect(
            &|f| f.members[0].nodes[0].babe = None,
            "needs `babe` and `grandpa`",
        );
        expect(
            &|f| f.members[0].nodes[0].peer_id = "x".into(),
            "a PeerId in base58",
        );
        expect(
            &|f| f.members[0].nodes[0].worker_key = "0x12".into(),
            "`worker-key`",
        );
        expect(
            &|f| f.members[0].nodes[0].roles.clear(),
            "at least one role",
        );
        expect(&|f| f.members.truncate(2), "2 validators");
        expect(
            &|f| f.members[0].credit = 2_000_000_000,
            "more credit than exists",
        );
    }

    #[test]
    fn json_says_the_same_as_toml() {
        let founding = example();
        let json = serde_json::to_string(&founding).unwrap();
        assert_eq!(json.parse::<Founding>().unwrap(), founding);
        assert!("name = 3".parse::<Founding>().is_err());
    }
}
