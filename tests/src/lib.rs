//! Starts real node processes and looks at them from outside.
//!
//! | module | what it gives |
//! |---|---|
//! | [`node`] | one process: start, kill, start again on the same data |
//! | [`network`] | several nodes of one chain on the loopback interface |
//! | [`finality`] | watches every node's finalised blocks for two that contradict each other |
//! | [`answers`] | questions, and what becomes of their receipts |
//! | [`authors`] | who made which blocks |
//! | [`clock`] | a wrong clock for one process |
//! | [`council`] | motions, from proposal to execution |
//! | [`joining`] | nodes that join a running chain |
//! | [`wait`] | conditions with a time limit |
//!
//! Binaries are taken from the folder that the test was built into (`scripts/test` builds them before); `TOUCHSTONE_NODE` and
//! `TOUCHSTONE_CLI` name others. Logs of failed tests are kept and their ends printed.

pub mod answers;
pub mod authors;
pub mod clock;
pub mod council;
pub mod finality;
pub mod joining;
pub mod network;
pub mod node;
pub mod wait;

use std::path::PathBuf;

/// Path of a binary of this workspace: what the variable says, or beside the test.
pub fn binary(variable: &str, name: &str) -> PathBuf {
    let path = std::env::var_os(variable).map_or_else(
        || {
            let test = std::env::current_exe().expect("a running test has a path");
            test.ancestors()
                .nth(2)
                .expect("tests are in target/PROFILE/deps")
                .join(name)
        },
        PathBuf::from,
    );
    assert!(
        path.exists(),
        "{} is missing; `cargo build --release --bins` makes it",
        path.display()
    );
    path
}

/// The shipped specialist in arithmetic, an adapter on that model.
pub fn specialist() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../inference/specialists/arithmetic")
}

/// The real model that `scripts/setup` installs.
pub fn smollm2() -> PathBuf {
    let data = std::env::var_os("XDG_DATA_HOME").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".local/share"),
        PathBuf::from,
    );
    let path = data.join("touchstone/models/smollm2-135m-instruct.q4_1.gguf");
    assert!(
        path.exists(),
        "{} is missing; `scripts/setup` installs it",
        path.display()
    );
    path
}
