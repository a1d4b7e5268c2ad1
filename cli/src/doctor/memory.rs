//! Whether the node holds what it may hold of memory.

use super::Findings;
use crate::Result;
use touchstone_client::{Chain, Error};
use touchstone_primitives::NodeId;
use touchstone_rpc::MemoryClient;

/// Compares what the node holds with what finalised state has.
pub(super) async fn check(findings: &mut Findings, chain: &Chain, node: &NodeId) -> Result<()> {
    let (part, at) = ("memory", chain.finalized().await?);
    let all = chain.client().namespaces().await;
    let all = all.map_err(|e| Error::of("memory_namespaces", e))?;
    let (mut held, mut behind, mut lost) = (0, Vec::new(), Vec::new());
    for namespace in all {
        let id = namespace.chain.id;
        let Some(info) = chain.namespace(id, at).await? else {
            continue;
        };
        if info.state.version == 0 || !chain.memory_rights(id, node, at).await?.hold {
            continue;
        }
        let anchored = namespace.held.as_ref().and_then(|held| held.anchored);
        match anchored.is_some_and(|version| version >= info.state.version) {
            true => held += 1,
            false => behind.push(info.name.clone()),
        }
        if namespace.held.is_some_and(|held| held.conflicts > 0) {
            lost.push(info.name);
        }
    }
    let detail = match behind.is_empty() {
        true => format!("{held} namespaces, as finalised"),
        false => format!("behind or missing: {}", behind.join(", ")),
    };
    findings.should(
        part,
        "in step",
        behind.is_empty(),
        detail,
        "wait a minute; if it stays, the log says why they cannot be fetched (`--log memory=debug`): other nodes must be connected and hold them",
    );
    if !lost.is_empty() {
        findings.should(
            part,
            "conflicts",
            false,
            format!("writes lost against others in {}", lost.join(", ")),
            "`touchstone memory history NAMESPACE` lists them; their writers sign them again on what is there now",
        );
    }
    Ok(())
}
