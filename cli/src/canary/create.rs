//! `touchstone canary create`: canaries that a member writes, from a file or from a generator.

use super::{draw, tasks, text};
use crate::{Result, keys::Secret, output, reputation::topic};
use clap::Args;
use codec::Encode;
use sp_core::H256;
use std::path::PathBuf;
use touchstone_client::{
    Chain, Error, calls,
    submit::{Until, account, submit},
};
use touchstone_primitives::{
    Moment,
    authored::{Sealed, fit_checker, unfit_task},
    fixed::Fixed,
    generators::Task,
};
use touchstone_rpc::{CanaryClient, MAX_KEPT, PlainCanary};

const DAY: Moment = 86_400_000;

/// Register canaries: seal tasks and checkers in the node of --url, which opens them when a round draws them, and register the seals,
/// signed by the member.
///
/// The node must be one that the member trusts, accept unsafe methods from here (it does on loopback) and stay up: canaries that are
/// drawn and not opened cost their deposit.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone canary create --topic arithmetic --file gsm8k.jsonl --key-file member.key
  touchstone canary import --topic arithmetic --file gsm8k.jsonl --count 20 --difficulty 0.8 --key-file member.key
  touchstone canary create --topic arithmetic --family addition --level 3 --count 5 --key-file member.key

A file has a JSON object on each line; `touchstone canary try --help` describes it. Try it first: a canary that nobody else passes \
costs its deposit.")]
pub struct Create {
    /// Name or number of the topic.
    #[arg(long)]
    topic: String,
    /// Take the tasks from this file.
    #[arg(long, value_name = "FILE.jsonl", required_unless_present = "family")]
    file: Option<PathBuf>,
    /// Draw the tasks from this family.
    #[arg(long, conflicts_with = "file")]
    family: Option<String>,
    /// Level of the family, 1 to 5.
    #[arg(long, default_value_t = 1, conflicts_with = "file")]
    level: u8,
    /// At most so many tasks.
    #[arg(long)]
    count: Option<usize>,
    /// Difficulty of all of them, a decimal of more than 0 and at most 1, instead of their own.
    #[arg(long, value_parser = tasks::difficulty)]
    difficulty: Option<Fixed>,
    /// Days after which they are not drawn any more.
    #[arg(long, default_value_t = 90)]
    days: u64,
    /// Key of the member.
    #[command(flatten)]
    signer: Secret,
}

impl Create {
    pub async fn run(self, chain: &Chain) -> Result<()> {
        let (signer, at) = (self.signer.pair()?, chain.best().await?);
        let topic = topic(chain, &self.topic, at).await?;
        let tasks = self.tasks()?;
        let now = chain.timestamp(at).await?;
        let expires = now.saturating_add(self.days.saturating_mul(DAY));
        let (mut ids, mut block) = (Vec::new(), H256::zero());
        for some in tasks.chunks(MAX_KEPT) {
            let plain = some.iter().map(|task| PlainCanary {
                task: task.prompt.clone(),
                checker: task.checker.encode().into(),
            });
            let seals = chain
                .client()
                .keep(account(&signer), plain.collect())
                .await
                .map_err(|e| Error::of("canary_keep", e))?;
            let sealed = seals.iter().zip(some).map(|(seals, task)| Sealed {
                task: seals.task,
                checker: seals.checker,
                difficulty: task.difficulty,
                expires,
            });
            let call = calls::register(topic.id, sealed.collect());
            let call = call.ok_or("the chain takes fewer canaries at once".to_owned())?;
            let included = submit(chain, call, &signer, Until::Finalized).await?;
            ids.extend(calls::registered(&included.events));
            block = included.block;
            eprintln!("registered {} of {}", ids.len(), tasks.len());
        }
        output::json(&serde_json::json!({
            "topic": text(&topic.name), "canaries": ids, "expires": expires, "block": block,
        }))
    }

    fn tasks(&self) -> Result<Vec<Task>> {
        let mut tasks: Vec<Task> = match (&self.file, &self.family) {
            (Some(path), _) => {
                let read = tasks::read(path)?;
                read.into_iter().map(|read| read.task).collect()
            }
            (None, name) => {
                let name = name.as_deref().unwrap_or_default();
                draw(name, self.level, self.count.unwrap_or(MAX_KEPT))?
            }
        };
        tasks.truncate(self.count.unwrap_or(usize::MAX));
        if tasks.is_empty() {
            return Err("there are no tasks".to_owned().into());
        }
        for (task, number) in tasks.iter_mut().zip(1u32..) {
            task.difficulty = self.difficulty.unwrap_or(task.difficulty);
            let prompt = task.prompt.as_bytes();
            let reason =
                unfit_task(prompt).or_else(|| fit_checker(prompt, &task.checker.encode()).err());
            if let Some(reason) = reason {
                return Err(format!("task {number}: {reason}; leave it out").into());
            }
        }
        Ok(tasks)
    }
}
