//! Genesis presets.
//!
//! `development` is one node, `local` four validators on one machine, both with well-known keys. `consortium` holds the
//! constants of a real one and no members: `touchstone-chain-spec` fills them in from a file.

use crate::{
    BABE_GENESIS_EPOCH_CONFIG, BabeConfig, Balance, BalancesConfig, BlockNumber, CanariesConfig,
    ConsortiumConfig, DAYS, FactsConfig, RegistryConfig, RuntimeGenesisConfig, SUPPLY,
    SessionConfig, SessionKeys, UNIT, configs::Commons,
};
use alloc::{vec, vec::Vec};
use frame_support::build_struct_json_patch;
use hex_literal::hex;
use pallet_consortium::{GenesisMember, GenesisNode};
use pallet_registry::types::TopicRecord;
use sp_core::H256;
use sp_genesis_builder::PresetId;
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};
use touchstone_primitives::{
    apis::{ModelFormat, ModelStatus, TopicId},
    canary::{TopicRules, Windows},
    consortium::{HardwareTier, NodeRole, Roles},
    generators,
    model::{ModelKind, ModelRecord},
    provenance::{Class, Openness, Policy, Provenance, Text, Tier},
};

/// Name of the preset that generated chains start from.
pub const CONSORTIUM_PRESET: &str = "consortium";

/// Bond of a node in presets with well-known keys.
const BOND: Balance = 10_000 * UNIT;
/// What each well-known account has.
const ENDOWMENT: Balance = 1_000_000 * UNIT;

/// Constants that differ between presets.
struct Constants {
    epoch_length: u64,
    min_validators: u32,
    root_delay: BlockNumber,
    member_cap_exempt: bool,
    windows: Windows,
}

const DEVELOPMENT: Constants = Constants {
    epoch_length: 10,
    min_validators: 1,
    root_delay: 5,
    member_cap_exempt: true,
    windows: Windows {
        open: 5,
        commit: 4,
        reveal: 3,
    },
};
const LOCAL: Constants = Constants {
    epoch_length: 20,
    min_validators: 3,
    root_delay: 10,
    member_cap_exempt: true,
    // A round of each topic fits into an epoch of 20 blocks; one with canaries of members takes five blocks more.
    windows: Windows {
        open: 5,
        commit: 10,
        reveal: 5,
    },
};
const CONSORTIUM: Constants = Constants {
    epoch_length: 200,
    min_validators: 3,
    root_delay: DAYS,
    member_cap_exempt: false,
    windows: Windows {
        open: 20,
        commit: 60,
        reveal: 40,
    },
};

/// A member that exists from the first block, with one node.
struct Founder {
    member: Sr25519Keyring,
    node: Sr25519Keyring,
    grandpa: Ed25519Keyring,
    jurisdiction: [u8; 2],
    /// Ed25519 public key of the node key 0x00..01, 0x00..02, ...: development chains use these on the loopback only.
    network: [u8; 32],
}

const FOUNDERS: [Founder; 4] = [
    Founder {
        member: Sr25519Keyring::Alice,
        node: Sr25519Keyring::AliceStash,
        grandpa: Ed25519Keyring::Alice,
        jurisdiction: *b"KR",
        network: hex!("4cb5abf6ad79fbf5abbccafcc269d85cd2651ed4b885b5869f241aedf0a5ba29"),
    },
    Founder {
        member: Sr25519Keyring::Bob,
        node: Sr25519Keyring::BobStash,
        grandpa: Ed25519Keyring::Bob,
        jurisdiction: *b"UA",
        network: hex!("7422b9887598068e32c4448a949adb290d0f4e35b9e01b0ee5f1a1e600fe2674"),
    },
    Founder {
        member: Sr25519Keyring::Charlie,
        node: Sr25519Keyring::CharlieStash,
        grandpa: Ed25519Keyring::Charlie,
        jurisdiction: *b"DE",
        network: hex!("f381626e41e7027ea431bfe3009e94bdd25a746beec468948d6c3c7c5dc9a54b"),
    },
    Founder {
        member: Sr25519Keyring::Dave,
        node: Sr25519Keyring::DaveStash,
        grandpa: Ed25519Keyring::Dave,
        jurisdiction: *b"FR",
        network: hex!("fd50b8e3b144ea244fbf7737f550bc8dd0c2650bbc1aada833ca17ff8dbf329b"),
    },
];

/// Blake2b-256 of the model file that scripts/setup installs.
pub const SMOLLM2: H256 = H256(hex!(
    "d63af87b96e2fd6551e9e7320602f3934f34c41a91004117dd24981571d02f79"
));

fn text(words: &str) -> Text {
    Text::truncate_from(words.as_bytes().to_vec())
}

fn topics() -> Vec<TopicRecord> {
    vec![
        TopicRecord {
            name: text("general"),
            tier: Tier::T2,
            class: Class::C,
            policy: Policy::default(),
        },
        TopicRecord {
            name: text("arithmetic"),
            tier: Tier::T1,
            class: Class::A,
            policy: Policy::default(),
        },
        TopicRecord {
            name: text("reading"),
            tier: Tier::T1,
            class: Class::A,
            policy: Policy::default(),
        },
        TopicRecord {
            name: text("quantities"),
            tier: Tier::T1,
            class: Class::A,
            policy: Policy::default(),
        },
    ]
}

/// What topics are examined in: families and levels of which the default model passes between a third and two thirds
/// (docs/measured/families.md), so that what nodes know can differ.
fn examined() -> Vec<(TopicId, TopicRules)> {
    let rules = |families: &[(&str, u8)]| {
        let known = |(name, level): &(&str, u8)| Some((generators::named(name)?.id(), *level));
        TopicRules {
            families: families
                .iter()
                .filter_map(known)
                .collect::<Vec<_>>()
                .try_into()
                .unwrap_or_default(),
            slots: 4,
            authored: 2,
        }
    };
    vec![
        (
            ARITHMETIC,
            rules(&[("addition", 1), ("subtraction", 1), ("addition", 2)]),
        ),
        (2, rules(&[("field", 1), ("field", 2), ("field", 3)])),
        (
            3,
            rules(&[
                ("larger", 1),
                ("larger", 3),
                ("multiplication", 1),
                ("multiplication", 3),
            ]),
        ),
    ]
}

/// Number of the topic that the shipped specialist is for.
const ARITHMETIC: TopicId = 1;

/// Content hash of inference/specialists/arithmetic.
pub const SPECIALIST: H256 = H256(hex!(
    "c8580b400c01d9959869a192f2eab0f710692ee445067a9df1a1390f48b6e426"
));

/// The arithmetic specialist, as its README describes it.
fn specialist() -> ModelRecord {
    ModelRecord {
        hash: SPECIALIST,
        name: text("arithmetic"),
        size: 2_496_600,
        format: ModelFormat::Safetensors,
        kind: ModelKind::Adapter {
            base: SMOLLM2,
            topic: ARITHMETIC,
        },
        licence: text("Apache-2.0"),
        recipe: Some(H256(hex!(
            "21f2dac635829f79311ca2e7b150ad07b5f8c3bbe8e269b520040e90d9d0ea52"
        ))),
        provenance: Provenance {
            base_lineage: text("smollm2"),
            data_sources: vec![text("generated arithmetic")]
                .try_into()
                .unwrap_or_default(),
            architecture: text("llama"),
            operator: text("Touchstone"),
            jurisdiction: *b"KR",
            method: text("lora"),
            openness: Openness::Full,
        },
    }
}

/// SmolLM2-135M-Instruct, as its makers describe it.
fn smollm2() -> ModelRecord {
    ModelRecord {
        hash: SMOLLM2,
        name: text("smollm2-135m-instruct"),
        size: 98_362_432,
        format: ModelFormat::Gguf,
        kind: ModelKind::Base,
        licence: text("Apache-2.0"),
        recipe: None,
        provenance: Provenance {
            base_lineage: text("smollm2"),
            data_sources: vec![
                text("FineWeb-Edu"),
                text("DCLM"),
                text("The Stack"),
                text("SmolTalk"),
            ]
            .try_into()
            .unwrap_or_default(),
            architecture: text("llama"),
            operator: text("Hugging Face"),
            jurisdiction: *b"US",
            method: text("pretrain+sft+dpo"),
            openness: Openness::Full,
        },
    }
}

fn patch(constants: Constants, founders: &[Founder]) -> serde_json::Value {
    let accounts: Vec<_> = founders
        .iter()
        .flat_map(|f| [f.member.to_account_id(), f.node.to_account_id()])
        .collect();
    let endowed = ENDOWMENT.saturating_mul(accounts.len() as Balance);
    let balances: Vec<_> = accounts
        .into_iter()
        .map(|account| (account, ENDOWMENT))
        .chain([(Commons::get(), SUPPLY.saturating_sub(endowed))])
        .collect();
    let members = founders.iter().map(|f| GenesisMember {
        account: f.member.to_account_id(),
        legal_name_hash: H256(sp_crypto_hashing::blake2_256(f.member.to_seed().as_bytes())),
        jurisdiction: f.jurisdiction,
    });
    let nodes = founders.iter().map(|f| GenesisNode {
        node: f.node.to_account_id(),
        member: f.member.to_account_id(),
        roles: Roles::of(&[
            NodeRole::Validator,
            NodeRole::Producer,
            NodeRole::Auditor,
            NodeRole::Gateway,
        ]),
        tier: HardwareTier::Light,
        // Multihash "identity" of the protobuf of an Ed25519 key: what libp2p makes of such a key.
        peer_id: [&[0x00, 0x24, 0x08, 0x01, 0x12, 0x20], &f.network[..]].concat(),
        addresses: Vec::new(),
        worker_key: f.member.public().into(),
        bond: BOND,
    });
    let keys = founders.iter().map(|f| {
        let keys = SessionKeys {
            babe: f.member.public().into(),
            grandpa: f.grandpa.public().into(),
        };
        (f.node.to_account_id(), f.node.to_account_id(), keys)
    });
    build_struct_json_patch!(RuntimeGenesisConfig {
        facts: FactsConfig {
            epoch_length: constants.epoch_length,
            supply: SUPPLY
        },
        babe: BabeConfig {
            epoch_config: BABE_GENESIS_EPOCH_CONFIG
        },
        balances: BalancesConfig { balances },
        consortium: ConsortiumConfig {
            members: members.collect(),
            nodes: nodes.collect(),
            min_validators: constants.min_validators,
            root_delay: constants.root_delay,
            member_cap_exempt: constants.member_cap_exempt,
        },
        session: SessionConfig {
            keys: keys.collect::<Vec<_>>()
        },
        registry: RegistryConfig {
            topics: topics(),
            models: founders
                .iter()
                .take(1)
                .flat_map(|f| {
                    let with_status =
                        |record| (f.node.to_account_id(), record, ModelStatus::Champion);
                    [smollm2(), specialist()].map(with_status)
                })
                .collect::<Vec<_>>(),
            serving: founders
                .iter()
                .flat_map(|f| {
                    [None, Some(SPECIALIST)]
                        .map(|adapter| (f.node.to_account_id(), SMOLLM2, adapter, 4))
                })
                .collect::<Vec<_>>(),
        },
        canaries: CanariesConfig {
            windows: Some(constants.windows),
            topics: examined(),
            enrolments: founders
                .iter()
                .flat_map(|f| {
                    [(ARITHMETIC, Some(SPECIALIST)), (2, None), (3, None)]
                        .map(|(topic, adapter)| (topic, f.node.to_account_id(), SMOLLM2, adapter))
                })
                .collect::<Vec<_>>(),
        },
    })
}

/// The preset of this name, as JSON.
pub fn preset(id: &PresetId) -> Option<Vec<u8>> {
    let patch = match id.as_ref() {
        sp_genesis_builder::DEV_RUNTIME_PRESET => {
            patch(DEVELOPMENT, FOUNDERS.get(..1).unwrap_or_default())
        }
        sp_genesis_builder::LOCAL_TESTNET_RUNTIME_PRESET => patch(LOCAL, &FOUNDERS),
        CONSORTIUM_PRESET => patch(CONSORTIUM, &[]),
        _ => return None,
    };
    serde_json::to_vec(&patch).ok()
}

/// The names of all presets.
pub fn preset_names() -> Vec<PresetId> {
    [
        sp_genesis_builder::DEV_RUNTIME_PRESET,
        sp_genesis_builder::LOCAL_TESTNET_RUNTIME_PRESET,
        CONSORTIUM_PRESET,
    ]
    .map(PresetId::from)
    .to_vec()
}
