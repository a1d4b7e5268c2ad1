//! One node process.

use crate::{binary, clock, wait::until};
use sp_core::{Pair, ed25519};
use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU16, Ordering},
};
use touchstone_client::{Chain, peer};

/// Lines of a log that a failed test prints.
const TAIL: usize = 60;

/// Seconds within which a node answers. It first compiles the runtime: ten seconds of a processor, and tests share it.
const STARTED: u64 = 240;

/// How to start a node.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Name, also of its folder.
    pub name: String,
    /// Number in the last byte of its node key: 1 is Alice's, as the genesis of `local` has it.
    pub number: u8,
    /// What `--chain` says.
    pub chain: String,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// Seconds by which its clock is ahead (or behind, if negative); 0 is this machine's clock.
    pub clock: i64,
}

impl Setup {
    /// A node of a chain.
    pub fn new(name: &str, number: u8, chain: &str) -> Self {
        Self {
            name: name.into(),
            number,
            chain: chain.into(),
            arguments: Vec::new(),
            clock: 0,
        }
    }

    /// Adds arguments, separated by spaces.
    pub fn with(mut self, arguments: &str) -> Self {
        self.arguments
            .extend(arguments.split_whitespace().map(Into::into));
        self
    }

    fn node_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        key[31] = self.number;
        key
    }

    /// Peer id of the node.
    pub fn peer_id(&self) -> String {
        peer::peer_id(&ed25519::Pair::from_seed(&self.node_key()).public())
    }
}

/// A node with its data. The process is killed when this is dropped.
pub struct Node {
    setup: Setup,
    base: PathBuf,
    log: PathBuf,
    p2p: u16,
    rpc: u16,
    bootnodes: Vec<String>,
    child: Option<Child>,
}

/// `touchstone`, the command line program.
pub struct Program {
    url: String,
    clock: i64,
    base: PathBuf,
}

impl Program {
    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary("TOUCHSTONE_CLI", "touchstone"));
        clock::set(&mut command, self.clock, &self.base);
        command
            .args(["--url", &self.url])
            .args(arguments)
            .output()
            .expect("the program can be started")
    }
}

/// A port that nobody listens on, below those that the system gives to outgoing connections.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = (std::process::id() % 900) as u16 * 12;
    for _ in 0..10_000 {
        let port = 20_000 + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between 20000 and 32000");
}

impl Node {
    /// Starts a node under `root`, knowing the nodes of `bootnodes`.
    pub fn start(setup: Setup, root: &Path, bootnodes: &[&Node]) -> Self {
        let base = root.join(&setup.name);
        fs::create_dir_all(&base).expect("the test's folder is writable");
        let mut node = Self {
            log: root.join(format!("{}.log", setup.name)),
            p2p: free_port(),
            rpc: free_port(),
            bootnodes: bootnodes.iter().map(|other| other.address()).collect(),
            setup,
            base,
            child: None,
        };
        node.spawn();
        node
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.setup.name
    }

    /// Multiaddress with peer id.
    pub fn address(&self) -> String {
        format!(
            "/ip4/127.0.0.1/tcp/{}/p2p/{}",
            self.p2p,
            self.setup.peer_id()
        )
    }

    /// Multiaddress without peer id.
    pub fn listen_address(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/{}", self.p2p)
    }

    /// Address of the JSON-RPC.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.rpc)
    }

    /// Folder of the node's data.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Keystore of the node, whatever its chain is called.
    pub fn keystore(&self) -> PathBuf {
        let chains = fs::read_dir(self.base.join("chains")).expect("the node has started once");
        let chain = chains.flatten().next().expect("the node has a chain");
        chain.path().join("keystore")
    }

    /// What the node has logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Whether the process runs.
    pub fn is_running(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Puts the node's clock wrong by so many seconds, from its next start on.
    pub fn set_clock(&mut self, seconds: i64) {
        self.setup.clock = seconds;
    }

    /// The command line program, beside this node and with its clock.
    pub fn program(&self) -> Program {
        Program {
            url: self.url(),
            clock: self.setup.clock,
            base: self.base.clone(),
        }
    }

    /// Runs the command line program to its end.
    pub fn touchstone(&self, arguments: &[&str]) -> Output {
        self.program().run(arguments)
    }

    /// Ends the process with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; either way it is gone after `wait`.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts the process again on the same data; `bootnodes` are multiaddresses.
    pub fn restart(&mut self, bootnodes: Vec<String>) {
        self.kill();
        self.bootnodes = bootnodes;
        self.spawn();
    }

    fn spawn(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .expect("the test's folder is writable");
        let hex: String = self
            .setup
            .node_key()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        // The node dies with the test even if that is killed and drops nothing. Linux shares processors among sessions: with one of its
        // own the node is not slowed down by whatever else was started with the test.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", "setsid"])
            .arg(binary("TOUCHSTONE_NODE", "touchstone-node"))
            .args([
                "--chain",
                &self.setup.chain,
                "--name",
                &self.setup.name,
                "--node-key",
                &hex,
            ])
            .arg("--base-path")
            .arg(&self.base)
            .arg("--listen-addr")
            .arg(self.listen_address())
            .args(["--rpc-port", &self.rpc.to_string()])
            .args(["--no-prometheus", "--no-telemetry", "--no-mdns"])
            .args(&self.setup.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("an open file can be shared"))
            .stderr(log);
        if !self.bootnodes.is_empty() {
            command.arg("--bootnodes").args(&self.bootnodes);
        }
        clock::set(&mut command, self.setup.clock, &self.base);
        self.child = Some(command.spawn().expect("the node's binary can be started"));
    }

    /// A connection, as soon as the node answers; fails if the process ends.
    pub async fn chain(&mut self) -> Chain {
        let (url, name) = (self.url(), self.setup.name.clone());
        until(&format!("{name} answers"), STARTED, async || {
            assert!(
                self.is_running(),
                "{name} has ended; its log: {}",
                self.log.display()
            );
            Chain::connect(&url).await.ok()
        })
        .await
    }

    fn print_tail(&self) {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        eprintln!("--- the end of {}", self.log.display());
        for line in lines.iter().skip(lines.len().saturating_sub(TAIL)) {
            eprintln!("{line}");
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            self.print_tail();
        }
    }
}
