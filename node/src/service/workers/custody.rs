//! Canaries that members leave with this node: taken over RPC, opened when a round has drawn them.

use super::link::Link;
use codec::Encode;
use jsonrpsee::{
    Extensions,
    core::{RpcResult, async_trait},
};
use sc_rpc::DenyUnsafe;
use sp_core::sr25519::{self, vrf::VrfInput};
use sp_keystore::KeystorePtr;
use touchstone_primitives::{
    AccountId32, H256,
    apis::CanariesApi,
    authored::{Part, TaskText, fit_checker, unfit_task},
    canary::Phase,
    checkers::MAX_TASK,
    worker::KEY_TYPE,
};
use touchstone_rpc::{CanarySeals, CanaryServer, MAX_KEPT, PlainCanary, errors};
use touchstone_workers::{DueOpening, Hidden, Kept, Key, OpeningsSender, OpeningsView, Vault};

/// What a worker key seals with: nobody without the worker key can make it, and it is always the same.
fn key(keystore: &KeystorePtr, worker: &sr25519::Public) -> Option<Key> {
    let input = VrfInput::new(b"touchstone/custody/1", &[]);
    let secret = keystore.sr25519_vrf_pre_output(KEY_TYPE, worker, &input);
    Some(Key::new(&secret.ok()??.encode()))
}

/// `canary_keep`.
pub struct Custody {
    link: Link,
    vault: Vault,
}

impl Custody {
    /// Over the chain and what is kept.
    pub fn new(link: Link, vault: Vault) -> Self {
        Self { link, vault }
    }

    /// What the node's current worker key seals with.
    fn key(&self) -> Option<Key> {
        let worker = self.link.worker().ok()??.key;
        key(&self.link.keystore, worker.as_ref())
    }
}

fn unfit(canary: &PlainCanary) -> Option<String> {
    if canary.task.len() > MAX_TASK as usize {
        return Some(format!("a task has at most {MAX_TASK} bytes"));
    }
    let reason = unfit_task(canary.task.as_bytes());
    let checker = || fit_checker(canary.task.as_bytes(), &canary.checker).err();
    reason.or_else(checker).map(Into::into)
}

#[async_trait]
impl CanaryServer for Custody {
    async fn keep(
        &self,
        extensions: &Extensions,
        author: AccountId32,
        canaries: Vec<PlainCanary>,
    ) -> RpcResult<Vec<CanarySeals>> {
        // Without the server's word on it nothing is safe.
        let policy = extensions.get::<DenyUnsafe>().copied();
        policy.unwrap_or(DenyUnsafe::Yes).check_if_safe()?;
        let refuse = |reason: String| errors::error(errors::INVALID_REQUEST, reason);
        if canaries.is_empty() || canaries.len() > MAX_KEPT {
            return Err(refuse(format!("give 1 to {MAX_KEPT} canaries at once")));
        }
        for (canary, number) in canaries.iter().zip(1u32..) {
            if let Some(reason) = unfit(canary) {
                return Err(refuse(format!("canary {number}: {reason}")));
            }
        }
        let key = self.key().ok_or_else(|| {
            errors::error(
                errors::NOT_A_WORKER,
                "this node has no worker key that the chain knows, so nothing can be sealed",
            )
        })?;
        let genesis = self.link.chain.genesis();
        let kept: Vec<Kept> = canaries
            .into_iter()
            .map(|canary| Kept::new(author.clone(), canary.task.into_bytes(), canary.checker.0))
            .collect();
        let seals = kept.iter().map(|kept| CanarySeals {
            task: kept.seal(Part::Task, &genesis),
            checker: kept.seal(Part::Checker, &genesis),
        });
        let seals = seals.collect();
        let vault = self.vault.clone();
        let stored = tokio::task::spawn_blocking(move || vault.keep(&key, &genesis, &kept)).await;
        match stored.map_err(|e| e.to_string()) {
            Ok(Ok(())) => Ok(seals),
            Ok(Err(error)) => Err(errors::error(errors::JOURNAL_FAILED, error.to_string())),
            Err(error) => Err(errors::error(errors::JOURNAL_FAILED, error)),
        }
    }
}

/// What is due on chain, and the way there.
#[derive(Clone)]
pub struct Openings(pub Link);

impl Openings {
    fn due_at(&self, at: H256, next: u32) -> Result<Vec<DueOpening>, sp_api::ApiError> {
        let api = self.0.api();
        let mut due = Vec::new();
        for round in api.rounds(at)? {
            let phase = round.facts.phase(next);
            // Not for the first two blocks of a window: pools that do not know the block before it yet would refuse the transaction as
            // too early.
            if round.facts.phase(next.saturating_sub(2)) != phase {
                continue;
            }
            let part = match phase {
                Phase::OpeningTasks => Part::Task,
                Phase::OpeningCheckers => Part::Checker,
                _ => continue,
            };
            for (canary, _) in round.facts.authored {
                let Some(info) = api.canary(at, canary)? else {
                    continue;
                };
                let is_open = match part {
                    Part::Task => info.task.is_some(),
                    Part::Checker => info.checker.is_some(),
                };
                if !is_open {
                    let task = info.sealed.task;
                    due.push(DueOpening { canary, part, task });
                }
            }
        }
        Ok(due)
    }
}

impl OpeningsView for Openings {
    fn best(&self) -> u32 {
        self.0.chain.best().number
    }

    fn due(&self) -> Result<Vec<DueOpening>, String> {
        let Some(at) = self.0.best_with_canaries()? else {
            return Ok(Vec::new());
        };
        self.due_at(at, self.best().saturating_add(1))
            .map_err(|e| e.to_string())
    }

    fn keys(&self) -> Vec<Key> {
        let workers = self.0.keystore.sr25519_public_keys(KEY_TYPE);
        let of = |worker| key(&self.0.keystore, worker);
        workers.iter().filter_map(of).collect()
    }
}

impl OpeningsSender for Openings {
    async fn open(&self, opening: &DueOpening, hidden: Hidden) -> Result<(), String> {
        let call = pallet_canaries::Call::open_canary {
            canary: opening.canary,
            part: opening.part,
            salt: hidden.salt,
            content: TaskText::try_from(hidden.content).map_err(|_| "too long a text")?,
        };
        self.0.submit(call).await
    }
}
