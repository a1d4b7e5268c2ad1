//! Namespaces on chain: what there is, who may do what, snapshots.

use crate::{Result, keys::Secret, output};
use clap::{Args, ValueEnum};
use sp_core::H256;
use touchstone_client::{
    Chain, Error, calls,
    submit::{Until, account, submit},
};
use touchstone_primitives::{
    AccountId32,
    memory::{self, Rights, namespace_id},
};
use touchstone_rpc::{MemoryClient, MemoryHistory, MemoryNamespace};

/// Show all namespaces, and what the node of --url holds of them.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone memory namespaces
  touchstone memory namespaces --json | jq '.[].chain.root'")]
pub struct Namespaces {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// Knowledge about a topic, shared.
    Topic,
    /// What a person or an application has told.
    User,
    /// What a node has learnt.
    Node,
}

#[derive(Clone, Copy, ValueEnum)]
enum Writers {
    /// The owner only.
    Owner,
    /// The owner and those whom it lists.
    Listed,
    /// Every active node as well.
    Nodes,
    /// As `listed`, but roots get on chain by motion of the council only.
    Council,
}

#[derive(Clone, Copy, ValueEnum)]
enum Visibility {
    /// Every active node holds it, anybody may read it.
    Public,
    /// Only nodes that the owner lists hold it, sealed with a key of the owner's.
    Granted,
}

/// Create a namespace. Signed by a member, who pays the deposit; the owner can be anybody.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone memory create --namespace topic/manuals --writers nodes --key-file member.key
  touchstone memory create --namespace user/ada --kind user --visibility granted --writers owner --owner 5Grw… --key-file member.key")]
pub struct Create {
    /// Its name, at most 64 bytes; it is public, and never used again.
    #[arg(long, value_name = "NAME")]
    namespace: String,
    /// Whose knowledge it holds.
    #[arg(long, value_enum, default_value = "topic")]
    kind: Kind,
    /// Who decides about it; default: the member.
    #[arg(long, value_name = "ACCOUNT")]
    owner: Option<AccountId32>,
    /// Who may change it.
    #[arg(long, value_enum, default_value = "listed")]
    writers: Writers,
    /// Who may hold and read it.
    #[arg(long, value_enum, default_value = "public")]
    visibility: Visibility,
    /// Key of the member.
    #[command(flatten)]
    signer: Secret,
}

/// List an account with what it may do in a namespace, or take it off the list with neither --write nor --hold. Signed by the owner.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone memory grant --namespace user/ada --account 5FHn… --hold --key-file ada.key
  touchstone memory grant --namespace topic/law --account 5DAA… --write --key-file member.key
  touchstone memory grant --namespace topic/law --account 5DAA… --key-file member.key")]
pub struct Grant {
    /// Name of the namespace.
    #[arg(long, value_name = "NAME")]
    namespace: String,
    /// An account, or the stash of a node.
    #[arg(long, value_name = "ACCOUNT")]
    account: AccountId32,
    /// It may write.
    #[arg(long)]
    write: bool,
    /// It is a node and may hold the namespace.
    #[arg(long)]
    hold: bool,
    /// Key of the owner.
    #[command(flatten)]
    signer: Secret,
}

/// Hand a namespace over to another account. Signed by the owner; the deposit stays with the member who paid it.
#[derive(Args)]
#[command(after_help = "Example:
  touchstone memory transfer --namespace user/ada --to 5FHn… --key-file member.key")]
pub struct Transfer {
    /// Name of the namespace.
    #[arg(long, value_name = "NAME")]
    namespace: String,
    /// The new owner.
    #[arg(long, value_name = "ACCOUNT")]
    to: AccountId32,
    /// Key of the owner.
    #[command(flatten)]
    signer: Secret,
}

/// Freeze the newest root under a name: it can be proven against for as long as the namespace is there. Signed by the owner.
#[derive(Args)]
#[command(after_help = "Example:
  touchstone memory snapshot --namespace topic/law --name 2026-11 --key-file member.key")]
pub struct Snapshot {
    /// Name of the namespace.
    #[arg(long, value_name = "NAME")]
    namespace: String,
    /// Name of the snapshot.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Key of the owner.
    #[command(flatten)]
    signer: Secret,
}

/// Delete a namespace for ever: its roots on chain, and what nodes hold of it. Signed by the owner.
#[derive(Args)]
#[command(after_help = "Example:
  touchstone memory drop --namespace user/ada --key-file ada.key --yes")]
pub struct Drop {
    /// Name of the namespace.
    #[arg(long, value_name = "NAME")]
    namespace: String,
    /// It cannot be undone.
    #[arg(long, required = true)]
    yes: bool,
    /// Key of the owner.
    #[command(flatten)]
    signer: Secret,
}

/// Show the roots of a namespace that the chain keeps, the versions that the node of --url can prove, and writes that lost a race.
#[derive(Args)]
#[command(after_help = "Example:
  touchstone memory history topic/manuals")]
pub struct History {
    /// Name of the namespace.
    namespace: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn lower(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").to_lowercase()
}

async fn send(chain: &Chain, call: calls::RuntimeCall, signer: &Secret) -> Result<H256> {
    let included = submit(chain, call, &signer.pair()?, Until::Finalized).await?;
    Ok(included.block)
}

impl Namespaces {
    pub async fn run(self, chain: &Chain) -> Result<()> {
        let all = MemoryClient::namespaces(chain.client()).await;
        let all = all.map_err(|e| Error::of("memory_namespaces", e))?;
        if self.json {
            return output::json(&all);
        }
        let heading = [
            "namespace",
            "kind",
            "writers",
            "visible to",
            "version",
            "fragments",
            "bytes",
            "here",
        ];
        let mut rows = vec![heading.map(String::from).to_vec()];
        rows.extend(all.iter().map(|namespace| {
            let chain = &namespace.chain;
            vec![
                chain.name.clone(),
                lower(&chain.kind),
                lower(&chain.writers),
                lower(&chain.visibility),
                chain.state.version.to_string(),
                chain.state.count.to_string(),
                output::bytes(chain.bytes),
                here(namespace),
            ]
        }));
        output::table(&rows);
        Ok(())
    }
}

fn here(namespace: &MemoryNamespace) -> String {
    let Some(held) = &namespace.held else {
        return "no".into();
    };
    let mut words = vec![
        match (held.state == namespace.chain.state, held.state.version) {
            (true, _) => "yes".to_owned(),
            (false, version) => format!("version {version}"),
        },
    ];
    if held.sealed {
        words.push(if held.readable { "unsealed" } else { "sealed" }.into());
    }
    let percent = (held.embedded * 100).checked_div(held.state.count);
    if let Some(percent) = percent.filter(|percent| *percent < 100) {
        words.push(format!("{percent} % embedded"));
    }
    if held.conflicts > 0 {
        words.push(format!("{} conflicts", held.conflicts));
    }
    words.join(", ")
}

impl Create {
    pub async fn run(self, chain: &Chain) -> Result<()> {
        let kind = match self.kind {
            Kind::Topic => memory::Kind::Topic,
            Kind::User => memory::Kind::User,
            Kind::Node => memory::Kind::Node,
        };
        let writers = match self.writers {
            Writers::Owner => memory::Writers::Owner,
            Writers::Listed => memory::Writers::Listed,
            Writers::Nodes => memory::Writers::Nodes,
            Writers::Council => memory::Writers::Council,
        };
        let visibility = match self.visibility {
            Visibility::Public => memory::Visibility::Public,
            Visibility::Granted => memory::Visibility::Granted,
        };
        let owner = match self.owner {
            Some(owner) => owner,
            None => account(&self.signer.pair()?),
        };
        let call = calls::create_namespace(&self.namespace, kind, owner, writers, visibility);
        let call = call.ok_or("a name has at most 64 bytes".to_owned())?;
        let block = send(chain, call, &self.signer).await?;
        output::json(&serde_json::json!({
            "namespace": self.namespace, "id": namespace_id(&self.namespace), "block": block,
        }))
    }
}

impl Grant {
    pub async fn run(self, chain: &Chain) -> Result<()> {
        let rights = Rights {
            write: self.write,
            hold: self.hold,
        };
        let call = calls::grant(namespace_id(&self.namespace), self.account, rights);
        let block = send(chain, call, &self.signer).await?;
        output::json(&serde_json::json!({ "namespace": self.namespace, "block": block }))
    }
}

impl Transfer {
    pub async fn run(self, chain: &Chain) -> Result<()> {
        let call = calls::transfer_namespace(namespace_id(&self.namespace), self.to.clone());
        let block = send(chain, call, &self.signer).await?;
        output::json(&serde_json::json!({
            "namespace": self.namespace, "owner": self.to, "block": block,
        }))
    }
}

impl Snapshot {
    pub async fn run(self, chain: &Chain) -> Result<()> {
        let call = calls::snapshot(namespace_id(&self.namespace), &self.name);
        let call = call.ok_or("a name has at most 64 bytes".to_owned())?;
        let block = send(chain, call, &self.signer).await?;
        output::json(&serde_json::json!({
            "namespace": self.namespace, "snapshot": self.name, "block": block,
        }))
    }
}

impl Drop {
    pub async fn run(self, chain: &Chain) -> Result<()> {
        let call = calls::delete_namespace(namespace_id(&self.namespace));
        let block = send(chain, call, &self.signer).await?;
        output::json(&serde_json::json!({ "deleted": self.namespace, "block": block }))
    }
}

impl History {
    pub async fn run(self, chain: &Chain) -> Result<()> {
        let history = chain.client().history(self.namespace).await;
        let history = history.map_err(|e| Error::of("memory_history", e))?;
        if self.json {
            return output::json(&history);
        }
        let MemoryHistory {
            roots,
            held,
            conflicts,
        } = history;
        let heading = ["version", "fragments", "block", "root", "here", "snapshot"];
        let mut rows = vec![heading.map(String::from).to_vec()];
        rows.extend(roots.iter().map(|root| {
            let here = held.contains(&root.state.version) || root.state.version == 0;
            vec![
                root.state.version.to_string(),
                root.state.count.to_string(),
                root.block.to_string(),
                format!("{:?}", root.root),
                if here { "yes" } else { "no" }.into(),
                root.snapshot.clone().unwrap_or_default(),
            ]
        }));
        output::table(&rows);
        for write in &conflicts {
            println!("lost: {} wrote {:?}", write.contributor, write.key);
        }
        Ok(())
    }
}
