//! `touchstone receipt`.

use crate::{Failure, Result, output};
use clap::{Args, Subcommand};
use std::{path::Path, time::Duration};
use touchstone_client::{
    Chain, Error,
    verify::{Evidence, Outcome, Report, verify},
};
use touchstone_primitives::H256;
use touchstone_rpc::{ReceiptsClient, StoredReceipt};

/// Fetch and check receipts.
#[derive(Subcommand)]
pub enum Receipt {
    Get(Get),
    Verify(Verify),
}

/// Fetch a receipt and the proof of its anchor from the node that signed it, as JSON.
#[derive(Args)]
#[command(after_help = "Example:
  touchstone receipt get 0x6c0f…  > receipt.json")]
pub struct Get {
    /// Id of the receipt.
    id: H256,
}

/// Check a receipt on this machine: signatures, hashes of text and tokens, and the anchor in finalised state.
///
/// The connected node is trusted for one thing only: what the finalised state is. Connect to your own.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone receipt verify --wait answer.json     (of `touchstone ask --save answer.json`)
  touchstone receipt verify receipt.json           (of `touchstone receipt get`)
  touchstone receipt verify 0x6c0f…                (fetched from the node)

Exit status: 0 everything holds, anchor included; 1 something does not hold; 2 it holds but is not anchored yet.")]
pub struct Verify {
    /// File with an answer or a receipt, or the id of a receipt that the node keeps.
    #[arg(value_name = "FILE|ID")]
    subject: String,
    /// Wait until the anchor is final.
    #[arg(long)]
    wait: bool,
    /// How long to wait, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 180, requires = "wait")]
    timeout: u64,
    /// Print the checks as JSON.
    #[arg(long)]
    json: bool,
}

impl Receipt {
    pub async fn run(self, chain: &Chain) -> Result<()> {
        match self {
            Self::Get(get) => output::json(&stored(chain, get.id).await?),
            Self::Verify(verify) => verify.run(chain).await,
        }
    }
}

async fn stored(chain: &Chain, id: H256) -> Result<StoredReceipt> {
    Ok(chain
        .client()
        .get(id)
        .await
        .map_err(|e| Error::of("receipts_get", e))?)
}

impl Verify {
    async fn run(self, chain: &Chain) -> Result<()> {
        let evidence = self.evidence(chain).await?;
        let report = if self.wait {
            let waiting = wait_for_anchor(chain, &evidence);
            match tokio::time::timeout(Duration::from_secs(self.timeout), waiting).await {
                Ok(report) => report?,
                Err(_) => verify(chain, &evidence).await?,
            }
        } else {
            verify(chain, &evidence).await?
        };
        if self.json {
            output::json(&as_json(&report))?;
        } else {
            show(&report);
        }
        match (report.failure(), report.pending()) {
            (Some(_), _) => Err(Failure::Shown(1)),
            (None, Some(_)) => Err(Failure::Shown(2)),
            (None, None) => Ok(()),
        }
    }

    async fn evidence(&self, chain: &Chain) -> Result<Evidence> {
        if Path::new(&self.subject).exists() {
            let text = std::fs::read_to_string(&self.subject)
                .map_err(|e| format!("cannot read {}: {e}", self.subject))?;
            return Ok(Evidence::from_json(&text)
                .map_err(|reason| format!("{} does not hold: {reason}", self.subject))?);
        }
        let id: H256 = self.subject.parse().map_err(|_| {
            format!(
                "there is no file `{}`, and it is not the id of a receipt (0x and 64 hex digits)",
                self.subject
            )
        })?;
        let stored = stored(chain, id).await?;
        if stored.receipt.id != id {
            return Err(format!(
                "{} answers with receipt {:?} instead of {id:?}; ask another node",
                chain.url(),
                stored.receipt.id
            )
            .into());
        }
        // The anchor is not taken over: it may not be final yet, and the chain says more than the node.
        Ok(Evidence::of(stored.receipt))
    }
}

/// Verifies after every finalised block until nothing is open.
async fn wait_for_anchor(chain: &Chain, evidence: &Evidence) -> Result<Report> {
    let mut heads = chain.finalized_heads().await?;
    loop {
        let report = verify(chain, evidence).await?;
        if report.failure().is_some() || report.pending().is_none() {
            return Ok(report);
        }
        match heads.next().await {
            Some(Ok(head)) => eprintln!("waiting for the anchor, block {} is final", head.number),
            _ => return Err(format!("{} ended the connection; try again", chain.url()).into()),
        }
    }
}

fn show(report: &Report) {
    for check in &report.checks {
        println!(
            "{} {:10} {}",
            output::mark(check.outcome),
            check.name,
            check.detail
        );
    }
    match (report.failure(), report.pending()) {
        (Some(check), _) => println!("The receipt does not hold: {}.", check.name),
        (None, Some(_)) => println!("Everything holds so far; wait for the anchor with --wait."),
        (None, None) => println!("The receipt holds and is anchored in finalised state."),
    }
}

fn as_json(report: &Report) -> serde_json::Value {
    let checks: Vec<_> = report
        .checks
        .iter()
        .map(|check| {
            let outcome = match check.outcome {
                Outcome::Holds => "holds",
                Outcome::Fails => "fails",
                Outcome::Open => "open",
            };
            serde_json::json!({"name": check.name, "outcome": outcome, "detail": check.detail})
        })
        .collect();
    serde_json::json!({
        "valid": report.failure().is_none(),
        "anchored": report.is_proven(),
        "checks": checks,
    })
}
