//! Nodes that join a running chain, in the steps of docs/operate.md.

use crate::{network::Network, node::Setup, wait::until_true};
use serde_json::Value;
use sp_core::{Bytes, H256, Pair, sr25519};
use touchstone_client::{
    Chain, calls, peer,
    submit::{RuntimeCall, Until, account, submit},
};
use touchstone_primitives::{
    consortium::{HardwareTier, NodeRole, Roles},
    worker::WorkerSignature,
};
use touchstone_runtime::UNIT;

/// A key from its secret URI.
pub fn key(suri: &str) -> sr25519::Pair {
    sr25519::Pair::from_string(suri, None).expect("the tests' secret URIs are well-formed")
}

/// Whom a node belongs to, and what was prepared for it.
pub struct Joining {
    /// Its place in the network.
    pub index: usize,
    /// The organisation.
    pub member: sr25519::Pair,
    /// The node's stash account.
    pub stash: sr25519::Pair,
    /// What `touchstone join` has written.
    pub file: String,
}

impl Joining {
    /// Starts a validator of the organisation with this secret URI, waits until it is in sync, and prepares the application.
    pub async fn prepare(network: &mut Network, name: &str, number: u8, member: &str) -> Self {
        let setup = Setup::new(name, number, "local").with("--validator --engine dummy");
        let index = network.add(setup);
        network.follow(index).await;
        let chain = network.chain(index).await;
        until_true(&format!("{name} is in sync"), 120, async || {
            chain
                .health()
                .await
                .is_ok_and(|health| !health.is_syncing && health.best > 0)
        })
        .await;
        let stash = key(&format!("{member}//{name}"));
        let node = &network.nodes[index];
        let join = node.touchstone(&[
            "join",
            "--legal-name",
            name,
            "--jurisdiction",
            "NO",
            "--suri",
            member,
            "--node",
            &account(&stash).to_string(),
            "--keystore",
            node.keystore().to_str().expect("paths of tests are text"),
            "--address",
            &node.listen_address(),
        ]);
        assert!(
            join.status.success(),
            "{}",
            String::from_utf8_lossy(&join.stderr)
        );
        Self {
            index,
            member: key(member),
            stash,
            file: String::from_utf8_lossy(&join.stdout).into_owned(),
        }
    }

    fn text(&self, name: &str) -> String {
        let file: Value = serde_json::from_str(&self.file).expect("the program writes JSON");
        let field = file["application"][name].as_str();
        field
            .unwrap_or_else(|| panic!("{name} is missing in {file:#}"))
            .to_owned()
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        let bytes: Result<Bytes, _> = self.text(name).parse();
        bytes.expect("the program writes hexadecimal digits").0
    }

    /// Hash of the organisation's name.
    pub fn legal_name_hash(&self) -> H256 {
        H256::from_slice(&self.bytes("legalNameHash"))
    }

    /// BABE key of the node.
    pub fn babe(&self) -> sr25519::Public {
        let keys = self.bytes("sessionKeys");
        sr25519::Public::from_raw(keys[..32].try_into().expect("it is 32 bytes"))
    }

    /// Registers the node, funds its stash, sets its session keys and activates it.
    pub async fn register(&self, chain: &Chain, until: Until) {
        let proof: Result<[u8; 64], _> = self.bytes("workerProof").try_into();
        let proof = sr25519::Signature::from_raw(proof.expect("a signature is 64 bytes"));
        let node = account(&self.stash);
        let register = pallet_consortium::Call::register_node {
            node: node.clone(),
            roles: Roles::of(&[NodeRole::Validator, NodeRole::Gateway]),
            tier: HardwareTier::Light,
            peer_id: peer::decode(&self.text("peerId"))
                .and_then(|bytes| bytes.try_into().map_err(|_| "too long".into()))
                .expect("the program writes a peer id"),
            addresses: Default::default(),
            worker_key: calls::worker_id(H256::from_slice(&self.bytes("workerKey"))),
            proof: WorkerSignature::from(proof),
            bond: 1_000 * UNIT,
        };
        let fund = pallet_balances::Call::transfer_keep_alive {
            dest: node.clone().into(),
            value: 200 * UNIT,
        };
        let set_keys =
            calls::set_session_keys(&self.bytes("sessionKeys"), self.bytes("sessionProof"))
                .expect("the program writes session keys");
        let activate = pallet_consortium::Call::activate_node { node };
        for (call, signer) in [
            (register.into(), &self.member),
            (RuntimeCall::Balances(fund), &self.member),
            (set_keys, &self.stash),
            (activate.into(), &self.member),
        ] {
            submit(chain, call, signer, until)
                .await
                .expect("the chain takes what the program has prepared");
        }
    }
}
