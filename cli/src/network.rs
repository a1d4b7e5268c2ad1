//! `touchstone models`, `members` and `status`: what there is and how it does.

use crate::{Failure, Result, output};
use clap::Args;
use std::time::Duration;
use touchstone_client::{Chain, Error, peer};
use touchstone_primitives::consortium::{NodeRole, Roles};
use touchstone_rpc::{Health, InferenceClient, Model};

/// Show what the node answers with, and which models and topics the registry holds.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone models
  touchstone models --json | jq '.serving[] | [.name, .state, .adapter.residency]'")]
pub struct Models {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Show members and their nodes, as finalised state has them.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone members
  touchstone members --json")]
pub struct Members {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Show how one or several nodes do.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone status
  touchstone status ws://127.0.0.1:9944 ws://127.0.0.1:9945 ws://127.0.0.1:9946

Exit status: 1 when a node does not answer.")]
pub struct Status {
    /// Nodes to ask; the one of --url if none is named.
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

impl Models {
    pub async fn run(self, chain: &Chain) -> Result<()> {
        let serving = chain
            .client()
            .models()
            .await
            .map_err(|e| Error::of("inference_models", e))?;
        let head = chain.finalized().await?;
        let registered = chain.registered_models(head).await?;
        let topics = chain.topics(head).await?;
        if self.json {
            let registered: Vec<_> = registered
				.iter()
				.map(|m| {
					serde_json::json!({
						"hash": m.hash, "name": text(&m.name), "size": m.size, "format": m.format, "base": m.base,
						"topic": m.topic, "licence": text(&m.licence), "recipe": m.recipe, "producer": m.producer,
						"status": m.status, "jurisdiction": text(&m.provenance.jurisdiction),
						"lineage": text(&m.provenance.base_lineage),
					})
				})
				.collect();
            let topics: Vec<_> = topics
				.iter()
				.map(
					|t| serde_json::json!({"id": t.id, "name": text(&t.name), "tier": t.tier, "class": t.class}),
				)
				.collect();
            return output::json(&serde_json::json!({
                "serving": serving, "registered": registered, "topics": topics,
            }));
        }
        println!("This node answers with");
        let mut rows = vec![row(&[
            "  MODEL",
            "STATE",
            "REGISTERED",
            "ENGINE",
            "PRECISION",
            "CONTEXT",
            "BASE",
        ])];
        for model in &serving {
            let manifest = &model.manifest;
            rows.push(row(&[
                &format!("  {}", model.name),
                &state(model),
                if model.registered { "yes" } else { "no" },
                &manifest.engine,
                &manifest.weight_dtype,
                &manifest.context.to_string(),
                &manifest.base.to_string(),
            ]));
        }
        output::table(&rows);
        for model in serving.iter().filter(|model| has_failed(model)) {
            println!("  {} is not served: {}", model.name, model.state);
        }
        println!("\nThe registry holds");
        let mut rows = vec![row(&[
            "  MODEL", "KIND", "STATUS", "FORMAT", "SIZE", "LICENCE", "HASH",
        ])];
        for model in &registered {
            rows.push(row(&[
                &format!("  {}", text(&model.name)),
                if model.base.is_some() {
                    "adapter"
                } else {
                    "base"
                },
                &format!("{:?}", model.status).to_lowercase(),
                &format!("{:?}", model.format).to_lowercase(),
                &output::bytes(model.size),
                &text(&model.licence),
                &model.hash.to_string(),
            ]));
        }
        output::table(&rows);
        println!("\nTopics");
        let mut rows = vec![row(&["  TOPIC", "TIER", "CLASS"])];
        for topic in &topics {
            rows.push(row(&[
                &format!("  {}", text(&topic.name)),
                &format!("{:?}", topic.tier),
                &format!("{:?}", topic.class),
            ]));
        }
        output::table(&rows);
        Ok(())
    }
}

/// What stands in the column of a model's state.
fn state(model: &Model) -> String {
    match (&model.progress, &model.adapter) {
        (Some(progress), _) => format!("{}, {} %", model.state, progress.percent),
        (None, Some(adapter)) if model.state == "ready" => {
            format!("{}, {}", model.state, adapter.residency)
        }
        _ if has_failed(model) => "failed".into(),
        _ => model.state.clone(),
    }
}

/// A model that is neither ready nor loading says what is wrong instead.
fn has_failed(model: &Model) -> bool {
    !["ready", "loading"].contains(&model.state.as_str())
}

fn role_names(roles: Roles) -> Vec<String> {
    use NodeRole::*;
    [Validator, Producer, Teacher, Auditor, Gateway, Expert]
        .into_iter()
        .filter(|role| roles.contains(*role))
        .map(|role| format!("{role:?}").to_lowercase())
        .collect()
}

impl Members {
    pub async fn run(self, chain: &Chain) -> Result<()> {
        let head = chain.finalized().await?;
        let (members, nodes) = (chain.members(head).await?, chain.nodes(head).await?);
        if self.json {
            let members: Vec<_> = members
                .iter()
                .map(|m| {
                    serde_json::json!({
                        "member": m.member, "legalNameHash": m.legal_name_hash,
                        "jurisdiction": text(&m.jurisdiction), "status": m.status, "nodes": m.nodes,
                    })
                })
                .collect();
            let nodes: Vec<_> = nodes
				.iter()
				.map(|n| {
					serde_json::json!({
						"node": n.node, "member": n.member, "roles": role_names(n.roles), "tier": n.tier,
						"status": n.status, "peerId": peer::encode(&n.peer_id),
						"addresses": n.addresses.iter().map(|a| text(a)).collect::<Vec<_>>(),
						"workerKey": n.worker_key.to_string(), "bond": n.bond.to_string(),
					})
				})
				.collect();
            return output::json(&serde_json::json!({"members": members, "nodes": nodes}));
        }
        for member in &members {
            println!(
                "{}  {}  {}",
                member.member,
                text(&member.jurisdiction),
                format!("{:?}", member.status).to_lowercase()
            );
            for node in nodes.iter().filter(|node| node.member == member.member) {
                println!(
                    "    node {}  {}  {}  {}",
                    node.node,
                    format!("{:?}", node.status).to_lowercase(),
                    role_names(node.roles).join("+"),
                    format!("{:?}", node.tier).to_lowercase(),
                );
                println!(
                    "         peer {}, worker {}",
                    peer::encode(&node.peer_id),
                    node.worker_key
                );
            }
        }
        Ok(())
    }
}

impl Status {
    pub async fn run(self, default: &str) -> Result<()> {
        let urls = if self.urls.is_empty() {
            vec![default.to_owned()]
        } else {
            self.urls
        };
        let mut all: Vec<(String, Result<Health>)> = Vec::new();
        for url in urls {
            let health = health(&url).await;
            all.push((url, health));
        }
        if self.json {
            let nodes: Vec<_> = all
                .iter()
                .map(|(url, health)| match health {
                    Ok(health) => serde_json::json!({"url": url, "health": health}),
                    Err(e) => serde_json::json!({"url": url, "error": e.to_string()}),
                })
                .collect();
            output::json(&nodes)?;
        } else {
            let mut rows = vec![row(&[
                "NODE",
                "PEERS",
                "BEST",
                "FINAL",
                "AGE",
                "ENGINE",
                "UNANCHORED",
                "STATUS",
            ])];
            for (url, health) in &all {
                rows.push(match health {
                    Ok(h) => row(&[
                        url,
                        &h.peers.to_string(),
                        &format!("{}{}", h.best, if h.is_syncing { " (syncing)" } else { "" }),
                        &h.finalized.to_string(),
                        &output::duration(Duration::from_millis(
                            h.best_age_ms.max(0).unsigned_abs(),
                        )),
                        &h.engine.state,
                        &h.mailbox_depth.to_string(),
                        h.node_status.as_deref().unwrap_or("not registered"),
                    ]),
                    Err(e) => row(&[url, &e.to_string()]),
                });
            }
            let (reached, silent): (Vec<_>, Vec<_>) =
                rows.into_iter().partition(|row| row.len() > 2);
            output::table(&reached);
            for row in silent {
                eprintln!("{}", row.join(": "));
            }
        }
        if all.iter().any(|(_, health)| health.is_err()) {
            return Err(Failure::Shown(1));
        }
        Ok(())
    }
}

async fn health(url: &str) -> Result<Health> {
    Ok(Chain::connect(url).await?.health().await?)
}
