//! `touchstone doctor`: what is wrong with machine and node, and how to fix it.

mod canaries;
mod memory;

use crate::{Failure, Result, output};
use clap::Args;
use serde::Serialize;
use sp_core::Bytes;
use std::{
    net::{IpAddr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use sysinfo::{Disks, System};
use touchstone_client::{Chain, Error, calls, chain::storage_key, peer, verify::Outcome};
use touchstone_primitives::{NodeId, consortium::NodeStatus};
use touchstone_rpc::{Health, InferenceClient};

const GIB: u64 = 1 << 30;
/// How long models may take to load while the doctor waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// Check machine, node, engine and keys, and say how to fix what is wrong.
#[derive(Args)]
#[command(after_help = "Examples:
  touchstone doctor
  touchstone doctor --base-path /var/lib/touchstone --url ws://127.0.0.1:9944

Exit status: 1 when something is wrong (✗); remarks (?) do not count.")]
pub struct Doctor {
    /// Where the node keeps its data; the disk that holds it is checked.
    #[arg(long, value_name = "DIR", default_value = ".")]
    base_path: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Finding {
    part: &'static str,
    name: &'static str,
    outcome: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
    #[serde(skip)]
    mark: Outcome,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(
        &mut self,
        part: &'static str,
        name: &'static str,
        mark: Outcome,
        detail: String,
        fix: &str,
    ) {
        let outcome = match mark {
            Outcome::Holds => "fine",
            Outcome::Fails => "wrong",
            Outcome::Open => "remark",
        };
        let fix = (mark != Outcome::Holds).then(|| fix.to_owned());
        self.0.push(Finding {
            part,
            name,
            outcome,
            detail,
            fix,
            mark,
        });
    }

    /// Wrong unless `fine`.
    fn must(
        &mut self,
        part: &'static str,
        name: &'static str,
        fine: bool,
        detail: String,
        fix: &str,
    ) {
        let mark = if fine { Outcome::Holds } else { Outcome::Fails };
        self.add(part, name, mark, detail, fix);
    }

    /// A remark unless `fine`.
    fn should(
        &mut self,
        part: &'static str,
        name: &'static str,
        fine: bool,
        detail: String,
        fix: &str,
    ) {
        let mark = if fine { Outcome::Holds } else { Outcome::Open };
        self.add(part, name, mark, detail, fix);
    }
}

impl Doctor {
    pub async fn run(self, url: &str) -> Result<()> {
        let mut findings = Findings::default();
        machine(&mut findings, &self.base_path);
        match Chain::connect(url).await {
			Err(e) => findings.must(
				"node",
				"reachable",
				false,
				e.to_string(),
				"start the node; if it runs elsewhere, give --url; if it ends at once, read the last lines of its log",
			),
			Ok(chain) => node(&mut findings, &chain).await?,
		}
        if self.json {
            output::json(&findings.0)?;
        } else {
            for finding in &findings.0 {
                println!(
                    "{} {:8} {:15} {}",
                    output::mark(finding.mark),
                    finding.part,
                    finding.name,
                    finding.detail
                );
                if let Some(fix) = &finding.fix {
                    println!("  {:8} {:15} → {fix}", "", "");
                }
            }
        }
        let wrong = findings
            .0
            .iter()
            .filter(|f| f.mark == Outcome::Fails)
            .count();
        if wrong > 0 {
            if !self.json {
                println!(
                    "{wrong} of {} checks found something wrong.",
                    findings.0.len()
                );
            }
            return Err(Failure::Shown(1));
        }
        Ok(())
    }
}

fn machine(findings: &mut Findings, base_path: &Path) {
    let part = "machine";
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    findings.should(
		part,
		"cores",
		cores >= 4,
		format!("{cores}"),
		"four or more keep block production and engine out of each other's way; else give the engine fewer (--engine-threads)",
	);
    let mut system = System::new();
    system.refresh_memory();
    let (total, free) = (system.total_memory(), system.available_memory());
    findings.must(
        part,
        "memory",
        total >= 2 * GIB && free >= GIB / 4,
        format!(
            "{} of {} available",
            output::bytes(free),
            output::bytes(total)
        ),
        "a node with a small model needs 2 GiB; add memory or choose a smaller model (--model)",
    );
    let disks = Disks::new_with_refreshed_list();
    let path = base_path
        .canonicalize()
        .unwrap_or_else(|_| base_path.to_owned());
    let disk = disks
        .list()
        .iter()
        .filter(|disk| path.starts_with(disk.mount_point()))
        .max_by_key(|disk| disk.mount_point().as_os_str().len());
    match disk {
        Some(disk) => findings.must(
            part,
            "disk",
            disk.available_space() >= 2 * GIB,
            format!(
                "{} free for {}",
                output::bytes(disk.available_space()),
                path.display()
            ),
            "free space or move the base path to a larger disk; a node that cannot write stops",
        ),
        None => findings.should(
            part,
            "disk",
            false,
            format!("no disk known for {}", path.display()),
            "give the directory of the node's data with --base-path",
        ),
    }
}

async fn node(findings: &mut Findings, chain: &Chain) -> Result<()> {
    let health = match settled(chain).await {
        Ok(health) => health,
        Err(e) => {
            findings.must(
				"node",
				"api",
				false,
				e.to_string(),
				"the address answers but is no Touchstone node of this version; update node and program together",
			);
            return Ok(());
        }
    };
    consensus(findings, chain, &health).await?;
    ports(findings, chain, &health).await;
    engine(findings, chain, &health).await;
    registration(findings, chain, &health).await
}

/// The health of the node once no model is being loaded any more, or when the patience is over.
async fn settled(chain: &Chain) -> Result<Health, Error> {
    let (started, mut shown) = (Instant::now(), String::new());
    loop {
        let models = chain.client().models().await.unwrap_or_default();
        let health = chain.health().await?;
        let loading: Vec<String> = models
            .iter()
            .filter_map(|model| Some(format!("{} {} %", model.name, model.progress?.percent)))
            .collect();
        if loading.is_empty() || started.elapsed() > PATIENCE {
            return Ok(health);
        }
        let waiting = format!("waiting for models: {}", loading.join(", "));
        if waiting != shown {
            eprintln!("{waiting}");
            shown = waiting;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn consensus(findings: &mut Findings, chain: &Chain, health: &Health) -> Result<()> {
    let part = "node";
    findings.must(
        part,
        "reachable",
        true,
        format!("{}, version {}", chain.url(), health.version),
        "",
    );
    findings.must(
		part,
		"peers",
		health.peers > 0,
		health.peers.to_string(),
		"give the node --bootnodes, open its p2p port in the firewall, and check that its chain spec is the network's",
	);
    findings.must(
        part,
        "in sync",
        !health.is_syncing,
        format!("best block {}", health.best),
        "wait; if the best block does not move, see peers, and set this machine's clock (chrony, systemd-timesyncd): where it is behind, the \
         blocks of the others lie in the future and are refused",
    );
    findings.must(
		part,
		"finality",
		health.finality_lag <= 10,
		format!("block {} is final, {} behind the best", health.finalized, health.finality_lag),
		"more than a third of the validators is away: bring them back (`touchstone status URL...`); docs/operate.md has 'When finality stalls'",
	);
    // Not by the best block: a node whose clock is ahead takes the early ones that it makes itself for the best.
    let time = chain.timestamp(chain.finalized().await?).await?;
    let here = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let age = i128::try_from(here).unwrap_or(i128::MAX) - i128::from(time);
    findings.must(
        "machine",
        "clock",
        (-2_000..20_000).contains(&age),
        format!("{:.1} s after the last final block's time", age as f64 / 1000.0),
        if age < 0 {
            "this clock is behind: run an NTP client (chrony, systemd-timesyncd)"
        } else {
            "either this clock is wrong (run an NTP client: chrony, systemd-timesyncd) or no blocks become final (see in sync, finality, peers)"
        },
    );
    Ok(())
}

/// Host of `ws://HOST:PORT`, if it is an address of this machine.
fn local_host(url: &str) -> Option<IpAddr> {
    let host = url.split_once("://")?.1.split('/').next()?;
    let host = host
        .rsplit_once(':')
        .map_or(host, |(host, _)| host)
        .trim_matches(['[', ']']);
    let ip = if host == "localhost" {
        [127, 0, 0, 1].into()
    } else {
        host.parse::<IpAddr>().ok()?
    };
    ip.is_loopback().then_some(ip)
}

fn opens(ip: IpAddr, port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::new(ip, port), Duration::from_secs(2)).is_ok()
}

/// Port of a TCP multiaddress.
fn tcp_port(address: &str) -> Option<u16> {
    let mut parts = address.split('/');
    parts.find(|part| *part == "tcp")?;
    parts.next()?.parse().ok()
}

async fn ports(findings: &mut Findings, chain: &Chain, health: &Health) {
    let Some(ip) = local_host(chain.url()) else {
        findings.should(
            "node",
            "ports",
            false,
            "the node is not on this machine".into(),
            "run doctor beside the node to check its ports and keys",
        );
        return;
    };
    let addresses: Vec<String> = chain
        .request("system_localListenAddresses", jsonrpsee::rpc_params![])
        .await
        .unwrap_or_default();
    let port = addresses.iter().find_map(|address| tcp_port(address));
    findings.must(
		"node",
		"p2p port",
		port.is_some_and(|port| opens(ip, port)),
		port.map_or("none".into(), |port| port.to_string()),
		"the node does not listen: look for `--port` in its command and for another program on that port (`ss -ltnp`)",
	);
    if let Some(port) = health.openai_port {
        findings.must(
			"node",
			"OpenAI port",
			opens(ip, port),
			port.to_string(),
			"nobody listens there: another program may hold the port (`ss -ltnp`); choose one with --openai-port",
		);
    }
}

async fn engine(findings: &mut Findings, chain: &Chain, health: &Health) {
    let (part, engine) = ("engine", &health.engine);
    let work = format!(
        "{}; {} answering, {} waiting",
        engine.state, engine.active, engine.queued
    );
    // What is wrong with single models is said below.
    let detail = match &engine.detail {
        Some(detail) if engine.state != "ready" => detail.clone(),
        _ => work,
    };
    match engine.state.as_str() {
		"none" => findings.should(
			part,
			"state",
			false,
			"this node runs none".into(),
			"start the node with --engine embedded --model NAME=FILE, or --engine remote:URL, if it is to answer",
		),
		"loading" => findings.should(part, "state", false, detail, "wait, and run doctor again"),
		state => findings.must(
			part,
			"state",
			state == "ready",
			detail,
			"read the engine's lines in the node's log; `scripts/setup` fetches the default model anew",
		),
	}
    match chain
        .client()
        .models()
        .await
        .map_err(|e| Error::of("inference_models", e))
    {
        Ok(models) => {
            for model in models {
                if let Some(progress) = model.progress {
                    let detail = format!("{}: loading, {} %", model.name, progress.percent);
                    findings.should(part, "model", false, detail, "wait, and run doctor again");
                    continue;
                }
                let is_ready = model.state == "ready";
                findings.must(
                    part,
                    "model",
                    is_ready,
                    format!("{}: {}", model.name, model.state),
                    "put the right file there (`touchstone models` has the registered hashes) and restart the node",
                );
                if is_ready {
                    findings.should(
                        part,
                        "registered",
                        model.registered,
                        format!("{} in the registry", model.name),
                        "clients cannot know where the model comes from: register it (registry.registerModel)",
                    );
                }
            }
        }
        Err(e) => findings.must(part, "models", false, e.to_string(), "see engine state"),
    }
}

async fn registration(findings: &mut Findings, chain: &Chain, health: &Health) -> Result<()> {
    let (part, head) = ("keys", chain.finalized().await?);
    let Some(key) = health.worker_key else {
        findings.must(
			part,
			"worker key",
			false,
			"none in the node's keystore".into(),
			"`touchstone keys generate --keystore DIR` makes one, `touchstone keys rotate worker` registers it",
		);
        return Ok(());
    };
    let node = chain.node_of_worker(&calls::worker_id(key), head).await?;
    findings.must(
		part,
		"worker key",
		node.is_some(),
		match &node {
			Some(node) => format!("{key:?} serves {node}"),
			None => format!("{key:?} is not known to the chain"),
		},
		"register it with `touchstone keys rotate worker`, or insert the registered one with `touchstone keys insert`",
	);
    findings.should(
		part,
		"journal",
		health.mailbox_depth < 1_000,
		format!("{} receipts wait for their anchor", health.mailbox_depth),
		"they are anchored when the node is active, in sync and finality advances: fix those first; keep the journal's file",
	);
    let Some(node) = node else { return Ok(()) };
    let Some(info) = chain.node(&node, head).await? else {
        return Ok(());
    };
    findings.must(
		"node",
		"status",
		info.status == NodeStatus::Active && health.member_status.as_deref().is_none_or(is_active),
		format!(
			"node {}, member {}",
			health.node_status.as_deref().unwrap_or("unknown"),
			health.member_status.as_deref().unwrap_or("unknown")
		),
		"ask the council: a suspension lapses or is reinstated by vote; a registered node becomes active once it is admitted and bonded",
	);
    if let Ok(own) = chain
        .request::<String>("system_localPeerId", jsonrpsee::rpc_params![])
        .await
    {
        let known = peer::encode(&info.peer_id);
        findings.must(
			part,
			"peer id",
			own == known,
			if own == known { own } else { format!("{own}, but the chain says {known}") },
			"start the node with the registered key (--node-key-file), or register the new one (consortium.rotatePeerId)",
		);
    }
    canaries::check(findings, chain, &node).await?;
    memory::check(findings, chain, &node).await?;
    session_keys(findings, chain, &node).await
}

fn is_active(status: &str) -> bool {
    status.eq_ignore_ascii_case("active")
}

async fn session_keys(findings: &mut Findings, chain: &Chain, node: &NodeId) -> Result<()> {
    let account: &[u8] = node.as_ref();
    let mut key = storage_key("Session", "NextKeys");
    key.extend(sp_crypto_hashing::twox_64(account));
    key.extend(account);
    let keys: Option<Bytes> = chain
        .request(
            "state_getStorage",
            jsonrpsee::rpc_params![Bytes(key), chain.finalized().await?],
        )
        .await?;
    let fix = "`touchstone keys rotate session --key-file node.key` makes and registers new ones";
    let Some(keys) = keys else {
        findings.should("keys", "session keys", false, "none registered".into(), fix);
        return Ok(());
    };
    match chain
        .request::<bool>("author_hasSessionKeys", jsonrpsee::rpc_params![keys])
        .await
    {
        Ok(held) => findings.must(
            "keys",
            "session keys",
            held,
            if held {
                "registered and in the node"
            } else {
                "registered ones are not in the node"
            }
            .into(),
            fix,
        ),
        Err(e) => findings.should(
            "keys",
            "session keys",
            false,
            e.to_string(),
            "run doctor on the node's own machine, so that it accepts unsafe methods",
        ),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_local() {
        assert_eq!(
            local_host("ws://127.0.0.1:9944"),
            Some([127, 0, 0, 1].into())
        );
        assert_eq!(
            local_host("ws://localhost:9944/"),
            Some([127, 0, 0, 1].into())
        );
        assert!(local_host("ws://[::1]:9944").is_some());
        assert_eq!(local_host("wss://node.example.org"), None);
        assert_eq!(local_host("ws://10.0.0.1:9944"), None);
    }

    #[test]
    fn the_port_of_a_multiaddress() {
        assert_eq!(tcp_port("/ip4/10.0.0.1/tcp/30333/p2p/12D3"), Some(30333));
        assert_eq!(tcp_port("/ip4/10.0.0.1/udp/30333/quic"), None);
    }

    #[test]
    fn a_fix_is_shown_only_where_something_is_wrong() {
        let mut findings = Findings::default();
        findings.must("node", "a", true, String::new(), "fix");
        findings.should("node", "b", false, String::new(), "fix");
        assert!(findings.0[0].fix.is_none() && findings.0[1].fix.is_some());
        assert_eq!(findings.0[1].mark, Outcome::Open);
    }
}
