//! Several nodes of one chain on the loopback interface.

use crate::{
    finality::Watch,
    node::{Node, Setup},
    wait::until_true,
};
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};
use touchstone_client::Chain;

/// The founders of the chains with well-known keys, in the order of their node keys.
pub const FOUNDERS: [&str; 4] = ["alice", "bob", "charlie", "dave"];

/// Networks that run at the same time; more would starve each other of processors.
static PLACES: Semaphore = Semaphore::const_new(MAX_NETWORKS as usize);
const MAX_NETWORKS: u32 = 2;

/// Nodes, connections to them, and a watch on their finality.
pub struct Network {
    // Dropped in this order: processes end before their folder goes.
    /// The nodes, in the order of their start.
    pub nodes: Vec<Node>,
    /// Their finalised blocks.
    pub watch: Watch,
    dir: TempDir,
    _places: SemaphorePermit<'static>,
}

impl Network {
    /// A network without nodes.
    pub async fn empty(test: &str) -> Self {
        Self::with_places(test, 1).await
    }

    /// A network without nodes that has the machine for itself: for nodes that do much.
    pub async fn alone(test: &str) -> Self {
        Self::with_places(test, MAX_NETWORKS).await
    }

    async fn with_places(test: &str, places: u32) -> Self {
        let dir = tempfile::Builder::new()
            .prefix(&format!("touchstone-{test}-"))
            .tempdir()
            .expect("the folder for temporary files is writable");
        Self {
            nodes: Vec::new(),
            watch: Watch::default(),
            dir,
            _places: PLACES
                .acquire_many(places)
                .await
                .expect("it is never closed"),
        }
    }

    /// The four founders of `local`, with the dummy engine, as soon as finality has begun.
    pub async fn local(test: &str) -> Self {
        let mut network = Self::empty(test).await;
        for (number, name) in (1..).zip(FOUNDERS) {
            let setup = Setup::new(name, number, "local")
                .with(&format!("--{name} --engine dummy --canaries off"));
            network.add(setup);
        }
        for index in 0..FOUNDERS.len() {
            network.follow(index).await;
        }
        network.wait_for_finalized(0, 1, 240).await;
        network
    }

    /// One node of the development chain.
    pub async fn development(test: &str, arguments: &str) -> Self {
        let mut network = Self::empty(test).await;
        network.add(
            Setup::new("alice", 1, "dev")
                .with("--alice --force-authoring")
                .with(arguments),
        );
        network
    }

    /// Starts a further node that knows the others.
    pub fn add(&mut self, setup: Setup) -> usize {
        let others: Vec<&Node> = self.nodes.iter().collect();
        let node = Node::start(setup, self.dir.path(), &others);
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Folder of the test.
    pub fn dir(&self) -> PathBuf {
        self.dir.path().into()
    }

    /// A connection to a node.
    pub async fn chain(&mut self, index: usize) -> Chain {
        self.nodes[index].chain().await
    }

    /// Watches a node's finality from now on.
    pub async fn follow(&mut self, index: usize) {
        let chain = self.chain(index).await;
        self.watch.follow(self.nodes[index].name(), &chain).await;
    }

    /// Starts a killed node again and watches it.
    pub async fn restart(&mut self, index: usize) -> Chain {
        let others: Vec<String> = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index)
            .map(|(_, node)| node.address())
            .collect();
        self.nodes[index].restart(others);
        self.follow(index).await;
        self.chain(index).await
    }

    /// Waits until a node has finalised block `number`.
    pub async fn wait_for_finalized(&mut self, index: usize, number: u32, limit: u64) {
        let chain = self.chain(index).await;
        let what = format!("{} finalises block {number}", self.nodes[index].name());
        until_true(&what, limit, async || {
            chain
                .finalized_number()
                .await
                .is_ok_and(|last| last >= number)
        })
        .await;
    }

    /// Fails if any two running nodes have ever finalised blocks that contradict each other.
    pub async fn check_finality(&mut self) {
        for index in 0..self.nodes.len() {
            if self.nodes[index].is_running() {
                let chain = self.chain(index).await;
                self.watch.check(self.nodes[index].name(), &chain).await;
            }
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.dir.disable_cleanup(true);
            eprintln!("data and logs are kept in {}", self.dir.path().display());
        }
    }
}
