//! `touchstone memory`: namespaces, what is in them, and whether it is what the chain vouches for.

mod ingest;
mod manage;
mod rebuild;
mod writer;

use crate::{Failure, Result, output};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use sp_core::H256;
use std::{
    io::IsTerminal,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};
use touchstone_client::{Chain, Error, verify::Outcome};
use touchstone_primitives::memory::{Fragment, MAX_NAME, answer::Opened, value};
use touchstone_rpc::{MemoryAnswer, MemoryClient, MemorySearch, NamespaceKey};
use writer::{Seal, Writer};

/// Label of dialogues whose writer lets them be trained on.
const CONSENTED: &str = "consented";

/// Keep knowledge in namespaces, find it again, and prove that it is what the chain vouches for.
#[derive(Subcommand)]
pub enum Memory {
    Namespaces(manage::Namespaces),
    Create(manage::Create),
    Grant(manage::Grant),
    Transfer(manage::Transfer),
    Snapshot(manage::Snapshot),
    Drop(manage::Drop),
    Ingest(ingest::Ingest),
    Search(Search),
    Get(Get),
    Verify(Verify),
    Delete(Delete),
    Export(Export),
    History(manage::History),
    Rebuild(rebuild::Rebuild),
}

/// Find passages by words and by meaning. Each one is checked here against the root, and the root against the chain.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone memory search --namespace topic/manuals 'how do I list open files?'
  touchstone memory search --namespace topic/manuals -k 3 --save found.json 'sort by column'
  touchstone memory search --namespace user/ada --seal-key-file ada.key 'what did I say about bread?'

Exit status: 1 when a proof does not hold, 2 when the root is not on chain yet.")]
pub struct Search {
    /// Name of the namespace.
    #[arg(long, value_name = "NAME")]
    namespace: String,
    /// Most passages, 1 to 100.
    #[arg(short, default_value_t = 5)]
    k: usize,
    /// Only of these kinds.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Only with all of these labels.
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// Look also at what is not anchored yet.
    #[arg(long)]
    latest: bool,
    #[command(flatten)]
    seal: Seal,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Write the result to a file that `touchstone memory verify` takes.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Words or a question.
    #[arg(required = true, value_name = "QUERY")]
    query: Vec<String>,
}

/// Fragments by id; those that are not there are proven absent.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone memory get --namespace topic/manuals 0x4f7c…
  touchstone memory get --namespace topic/manuals --save gone.json 0x4f7c…")]
pub struct Get {
    /// Name of the namespace.
    #[arg(long, value_name = "NAME")]
    namespace: String,
    #[command(flatten)]
    seal: Seal,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Write the result to a file that `touchstone memory verify` takes.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Ids of fragments.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<H256>,
}

/// Check a saved result: every fragment, every absence, the proof and the root. Needs no node; with --online the root is compared with
/// the one in finalised state as well.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone memory verify found.json
  touchstone memory verify --online found.json

Exit status: 1 when anything was altered, 2 when the root is not on chain (--online).")]
pub struct Verify {
    /// Ask the node of --url whether finalised state has the root.
    #[arg(long)]
    online: bool,
    /// A result that `search` or `get` saved.
    file: PathBuf,
}

/// Delete fragments: their texts and salts are overwritten on every node that holds them.
#[derive(Args)]
#[command(after_help = "Example:
  touchstone memory delete --namespace user/ada --key-file ada.key 0x4f7c…")]
pub struct Delete {
    #[command(flatten)]
    target: writer::Target,
    /// Ids of fragments, as `search --json` shows them.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<H256>,
}

/// Write all fragments as lines of JSON; with --consented the dialogues whose writer has consented, as a training set.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone memory export --namespace topic/manuals > manuals.jsonl
  touchstone memory export --namespace user/ada --seal-key-file ada.key --consented > train.jsonl && touchstone train …

Nothing else turns a dialogue into training data: the network never trains on what it is told.")]
pub struct Export {
    /// Name of the namespace.
    #[arg(long, value_name = "NAME")]
    namespace: String,
    #[command(flatten)]
    seal: Seal,
    /// Only dialogues with the label `consented`, as `{\"prompt\", \"completion\"}`.
    #[arg(long)]
    consented: bool,
    /// Only fragments with this label.
    #[arg(long, value_name = "LABEL", conflicts_with = "consented")]
    label: Option<String>,
}

/// A result in a file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Saved {
    /// Genesis hash of the chain.
    genesis: H256,
    /// Name of the namespace.
    namespace: String,
    /// The result.
    result: MemoryAnswer,
}

impl Memory {
    pub async fn run(self, url: &str) -> Result<()> {
        let connect = || Chain::connect(url);
        match self {
            Memory::Namespaces(command) => command.run(&connect().await?).await,
            Memory::Create(command) => command.run(&connect().await?).await,
            Memory::Grant(command) => command.run(&connect().await?).await,
            Memory::Transfer(command) => command.run(&connect().await?).await,
            Memory::Snapshot(command) => command.run(&connect().await?).await,
            Memory::Drop(command) => command.run(&connect().await?).await,
            Memory::Ingest(command) => command.run(connect().await?).await,
            Memory::Search(command) => command.run(&connect().await?).await,
            Memory::Get(command) => command.run(&connect().await?).await,
            Memory::Verify(command) => command.run(url).await,
            Memory::Delete(command) => command.run(&connect().await?).await,
            Memory::Export(command) => command.run(&connect().await?).await,
            Memory::History(command) => command.run(&connect().await?).await,
            Memory::Rebuild(command) => command.run(url).await,
        }
    }
}

impl Search {
    async fn run(self, chain: &Chain) -> Result<()> {
        let query = self.query.join(" ");
        let search = MemorySearch {
            namespace: self.namespace.clone(),
            query: query.clone(),
            k: Some(self.k),
            kinds: self.kind,
            labels: self.label,
            latest: self.latest,
            key: self.seal.key(&self.namespace)?,
            ..MemorySearch::default()
        };
        let found = chain.client().search(search).await;
        let found = found.map_err(|e| Error::of("memory_search", e))?;
        show(chain, self.namespace, found, &query, self.json, self.save).await
    }
}

impl Get {
    async fn run(self, chain: &Chain) -> Result<()> {
        let key = self.seal.key(&self.namespace)?;
        let got = chain
            .client()
            .get(self.namespace.clone(), self.ids, key)
            .await
            .map_err(|e| Error::of("memory_get", e))?;
        show(chain, self.namespace, got, "", self.json, self.save).await
    }
}

/// Checks a result, shows it, and saves it.
async fn show(
    chain: &Chain,
    namespace: String,
    result: MemoryAnswer,
    query: &str,
    as_json: bool,
    save: Option<PathBuf>,
) -> Result<()> {
    let saved = Saved {
        genesis: chain.genesis(),
        namespace,
        result,
    };
    let verdict = verdict(&saved, Some(chain)).await?;
    if as_json {
        output::json(&saved)?;
    } else {
        print(&saved.result, query, verdict.fragments);
    }
    if let Some(file) = save {
        let text = serde_json::to_string_pretty(&saved).map_err(|e| e.to_string())?;
        std::fs::write(&file, text).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    }
    verdict.tell(&saved.result)
}

impl Verify {
    async fn run(self, url: &str) -> Result<()> {
        let name = self.file.display();
        let text =
            std::fs::read_to_string(&self.file).map_err(|e| format!("cannot read {name}: {e}"))?;
        let saved: Saved = serde_json::from_str(&text)
            .map_err(|e| format!("{name} is no result of `touchstone memory search`: {e}"))?;
        let chain = match self.online {
            true => Some(Chain::connect(url).await?),
            false => None,
        };
        let verdict = verdict(&saved, chain.as_ref()).await?;
        print(&saved.result, "", verdict.fragments);
        verdict.tell(&saved.result)
    }
}

/// What was found out about a result.
struct Verdict {
    /// Fragments, absences and proof.
    fragments: Outcome,
    /// The root on chain; absent if nobody was asked.
    root: Option<Outcome>,
    /// What is wrong or missing.
    reason: Option<String>,
}

async fn verdict(saved: &Saved, chain: Option<&Chain>) -> Result<Verdict> {
    let refuted = |reason: String| Verdict {
        fragments: Outcome::Fails,
        root: None,
        reason: Some(reason),
    };
    let state = &saved.result.state;
    if let Err(reason) = saved.result.verify() {
        return Ok(refuted(reason));
    }
    if state.namespace != touchstone_primitives::memory::namespace_id(&saved.namespace) {
        return Ok(refuted("the result is of another namespace".into()));
    }
    let mut verdict = Verdict {
        fragments: Outcome::Holds,
        root: None,
        reason: None,
    };
    let Some(chain) = chain else {
        return Ok(verdict);
    };
    if chain.genesis() != saved.genesis {
        return Ok(refuted("the result is from another chain".into()));
    }
    let head = chain.finalized().await?;
    let root = chain
        .memory_root(state.namespace, state.version, head)
        .await?;
    (verdict.root, verdict.reason) = match root {
        Some(root) if root.root == saved.result.root => (Some(Outcome::Holds), None),
        Some(_) => (
            Some(Outcome::Fails),
            Some("finalised state has another root for this version".into()),
        ),
        None => {
            let version = state.version;
            let reason =
                format!("finalised state has no root of version {version}: not yet, or no longer");
            (Some(Outcome::Open), Some(reason))
        }
    };
    Ok(verdict)
}

impl Verdict {
    /// Says the verdict, on standard error, and gives the exit status.
    fn tell(self, result: &MemoryAnswer) -> Result<()> {
        let (state, root) = (&result.state, result.root);
        let anchored = match (self.root, &result.block) {
            (None, _) => "not compared with the chain (--online does)".into(),
            (_, Some(block)) => format!("block {}", block.number),
            (_, None) => "no block yet".into(),
        };
        eprintln!();
        eprintln!(
            "{} {} fragments, {} absences and their proof",
            output::mark(self.fragments),
            result.hits.len(),
            result.absent.len()
        );
        eprintln!(
            "{} root {root:?} of version {}, {} fragments; {anchored}",
            output::mark(self.root.unwrap_or(Outcome::Open)),
            state.version,
            state.count
        );
        if let Some(reason) = &self.reason {
            eprintln!("  {reason}");
        }
        match (self.fragments, self.root) {
            (Outcome::Holds, None | Some(Outcome::Holds)) => Ok(()),
            (Outcome::Holds, Some(Outcome::Open)) => Err(Failure::Shown(2)),
            _ => Err(Failure::Shown(1)),
        }
    }
}

fn print(result: &MemoryAnswer, query: &str, outcome: Outcome) {
    for (number, Opened { id, fragment, .. }) in (1..).zip(&result.hits) {
        println!(
            "{} [{number}] {}  ({})",
            output::mark(outcome),
            fragment.title,
            fragment.source
        );
        println!("{}", highlighted(&fragment.text, query));
        println!("  id {id:?}\n");
    }
    for id in &result.absent {
        println!("{} {id:?} is not there", output::mark(outcome));
    }
}

/// A text, indented, with the words of the query in bold on a terminal.
fn highlighted(text: &str, query: &str) -> String {
    let is_terminal = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let words: Vec<String> = query
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() > 2)
        .map(str::to_lowercase)
        .collect();
    let is_word = |word: &str| words.contains(&word.to_lowercase());
    let mut out = String::new();
    for line in text.lines() {
        out.push_str("  ");
        for part in line.split_inclusive(|c: char| !c.is_alphanumeric()) {
            let word = part.trim_end_matches(|c: char| !c.is_alphanumeric());
            let rest = part.get(word.len()..).unwrap_or_default();
            match is_terminal && is_word(word) {
                true => out.push_str(&format!("\x1b[1m{word}\x1b[0m{rest}")),
                false => out.push_str(part),
            }
        }
        out.push('\n');
    }
    out.trim_end().to_owned()
}

impl Delete {
    async fn run(self, chain: &Chain) -> Result<()> {
        let writer = self.target.writer(chain)?;
        let got = chain
            .client()
            .get(writer.name.clone(), self.ids, writer.key)
            .await
            .map_err(|e| Error::of("memory_get", e))?;
        got.verify()
            .map_err(|e| format!("the node's answer does not hold: {e}"))?;
        for id in &got.absent {
            eprintln!("{id:?} is not there");
        }
        let writes = got.hits.iter().map(|hit| {
            let previous = value(&hit.salt, &hit.fragment);
            writer.write(&hit.id, Some(previous), None)
        });
        let writes: Vec<_> = writes.collect();
        let count = writes.len();
        let state = chain
            .client()
            .delete(writer.name.clone(), writes, writer.key)
            .await
            .map_err(|e| Error::of("memory_delete", e))?;
        writer
            .settle(chain, state, self.target.wait_finalized)
            .await?;
        eprintln!("{count} fragments deleted");
        Ok(())
    }
}

impl Export {
    async fn run(self, chain: &Chain) -> Result<()> {
        let key = self.seal.key(&self.namespace)?;
        let label = match self.consented {
            true => Some(CONSENTED.to_owned()),
            false => self.label.clone(),
        };
        let mut from = None;
        loop {
            let page = chain
                .client()
                .export(self.namespace.clone(), label.clone(), from, key)
                .await
                .map_err(|e| Error::of("memory_export", e))?;
            for (_, fragment) in &page.fragments {
                if let Some(line) = line(fragment, self.consented)? {
                    println!("{line}");
                }
            }
            from = page.next;
            if from.is_none() {
                return Ok(());
            }
        }
    }
}

/// A fragment as a line of JSON; `None` for what is no dialogue if only those count.
fn line(fragment: &Fragment, as_training: bool) -> Result<Option<String>> {
    let json = match as_training {
        false => serde_json::to_string(fragment),
        true if fragment.kind != "dialogue" => return Ok(None),
        true => serde_json::to_string(&serde_json::json!({
            "prompt": fragment.title, "completion": fragment.text,
        })),
    };
    Ok(Some(json.map_err(|e| e.to_string())?))
}

/// Passages that stand behind an answer, for `touchstone ask`.
pub fn sources(result: &MemoryAnswer) {
    let outcome = match result.verify() {
        Ok(()) => Outcome::Holds,
        Err(_) => Outcome::Fails,
    };
    for (number, hit) in (1..).zip(&result.hits) {
        let (title, source) = (&hit.fragment.title, &hit.fragment.source);
        eprintln!("{} [{number}] {title}  ({source})", output::mark(outcome));
    }
}

/// Options of `touchstone ask` about memory.
#[derive(Args)]
pub struct WithMemory {
    /// Answer with what this namespace has on the question.
    #[arg(long, value_name = "NAMESPACE")]
    pub memory: Option<String>,
    /// How many passages, 1 to 16.
    #[arg(long, value_name = "N", requires = "memory", default_value_t = 3)]
    pub passages: usize,
    /// File with the secret key of a sealed namespace's owner.
    #[arg(long, value_name = "FILE", requires = "memory")]
    pub seal_key_file: Option<PathBuf>,
    /// Write question and answer to the namespace, signed with the key in this file.
    #[arg(long, value_name = "FILE", requires = "memory")]
    pub remember: Option<PathBuf>,
    /// Consent that the dialogue is used to train an adapter (`touchstone memory export --consented`).
    #[arg(long, requires = "remember")]
    pub consent: bool,
}

impl WithMemory {
    /// As the node takes it.
    pub fn asked(&self) -> Result<Option<touchstone_rpc::AskMemory>> {
        let Some(namespace) = &self.memory else {
            return Ok(None);
        };
        let key: Option<NamespaceKey> = writer::key(self.seal_key_file.as_deref(), namespace)?;
        Ok(Some(touchstone_rpc::AskMemory {
            namespace: namespace.clone(),
            k: Some(self.passages),
            key,
            remember: Vec::new(),
        }))
    }

    /// Writes a dialogue to memory, if that was asked for.
    pub async fn remember(&self, chain: &Chain, question: &str, answer: &str) -> Result<()> {
        let (Some(namespace), Some(file)) = (&self.memory, &self.remember) else {
            return Ok(());
        };
        let key = writer::key(self.seal_key_file.as_deref(), namespace)?;
        let writer = Writer::new(chain, namespace, writer::secret_of(file)?, key);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let dialogue = Fragment {
            text: answer.into(),
            title: question.chars().take(MAX_NAME / 4).collect(),
            kind: "dialogue".into(),
            created: now.map_or(0, |since| since.as_millis() as u64),
            labels: self
                .consent
                .then(|| CONSENTED.to_owned())
                .into_iter()
                .collect(),
            ..Fragment::default()
        };
        let put = chain
            .client()
            .put(namespace.clone(), vec![writer.put(dialogue)], key)
            .await
            .map_err(|e| Error::of("memory_put", e))?;
        writer.settle(chain, put, false).await
    }
}
