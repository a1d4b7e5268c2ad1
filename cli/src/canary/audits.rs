//! `touchstone canary audits`: blind audits and what came of them.

use super::{heading, name_of};
use crate::{Result, output};
use clap::Args;
use touchstone_client::Chain;
use touchstone_primitives::{
    NodeId,
    audit::{Audit, AuditState},
};

/// Epochs that are shown when none is named.
const SHOWN: u32 = 4;

/// Show blind audits: who declared one, on which topic, and what came of it.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone canary audits
  touchstone canary audits 12 --json")]
pub struct Audits {
    /// Epoch in which the questions are put; default: the last four, and the next one.
    epoch: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn result(state: &AuditState) -> String {
    match state {
        AuditState::Declared => "not opened yet".into(),
        AuditState::Opened {
            counted,
            right,
            missing,
            away,
        } => format!("{right} of {counted} right, {missing} missing, {away} away"),
        AuditState::Voided { missing } => format!("void: {missing} missing"),
        AuditState::Excused => "nobody to ask".into(),
    }
}

impl Audits {
    pub async fn run(self, chain: &Chain) -> Result<()> {
        let at = chain.best().await?;
        let names = chain.topics(at).await?;
        let epochs = match self.epoch {
            Some(epoch) => epoch..=epoch,
            None => {
                let now = chain.epoch(at).await?;
                now.saturating_sub(SHOWN - 1)..=now.saturating_add(1)
            }
        };
        let mut all: Vec<(u32, NodeId, Audit)> = Vec::new();
        for epoch in epochs {
            let audits = chain.audits(epoch, at).await?;
            all.extend(
                audits
                    .into_iter()
                    .map(|(auditor, audit)| (epoch, auditor, audit)),
            );
        }
        if self.json {
            let audits: Vec<_> = all
                .iter()
                .map(|(epoch, auditor, audit)| {
                    let (counted, right, missing, away) = match audit.state {
                        AuditState::Opened {
                            counted,
                            right,
                            missing,
                            away,
                        } => (Some(counted), Some(right), Some(missing), Some(away)),
                        AuditState::Voided { missing } => (None, None, Some(missing), None),
                        AuditState::Declared | AuditState::Excused => (None, None, None, None),
                    };
                    serde_json::json!({
                        "epoch": epoch, "auditor": auditor, "member": audit.member,
                        "topic": name_of(&names, audit.topic), "round": audit.round,
                        "result": result(&audit.state), "counted": counted, "right": right,
                        "missing": missing, "away": away,
                    })
                })
                .collect();
            return output::json(&serde_json::json!(audits));
        }
        let mut rows = vec![heading(&["EPOCH", "TOPIC", "AUDITOR", "ROUND", "RESULT"])];
        for (epoch, auditor, audit) in &all {
            rows.push(vec![
                epoch.to_string(),
                name_of(&names, audit.topic),
                auditor.to_string(),
                audit
                    .round
                    .map(|round| round.to_string())
                    .unwrap_or_default(),
                result(&audit.state),
            ]);
        }
        output::table(&rows);
        Ok(())
    }
}
