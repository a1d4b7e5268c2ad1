//! A full disk under the worker journal.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use touchstone_rpc::InferenceClient;
use touchstone_tests::{
    answers::{ask, question, wait_for_proof},
    network::Network,
    wait::until,
};

/// A small disk of its own. Unmounted when this is dropped.
struct Disk(PathBuf);

impl Disk {
    /// `None` where this user may not mount.
    fn mount(folder: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"])
            .arg(folder)
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then(|| Self(folder.into()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a failed test drops it before its node.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_stops_answers_and_nothing_else_until_there_is_space() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(&folder.path().join("small"), "8m") else {
        println!("not run: this user may not mount a small disk (root may)");
        return;
    };
    let journal = disk.0.join("journal");
    let arguments = format!("--engine dummy --journal {}", journal.display());
    let mut network = Network::development("disk", &arguments).await;
    let chain = network.chain(0).await;
    let answer = ask(&chain, "Is there space?").await;

    // Everything that is left is filled, and then the journal wants to grow.
    let filler = disk.0.join("filler");
    let full = Command::new("dd")
        .args(["if=/dev/zero", "bs=4k", "status=none"])
        .arg(format!("of={}", filler.display()))
        .status();
    assert!(!full.unwrap().success(), "dd ends when the disk is full");
    let refusal = until("the node refuses to answer", 120, async || {
        chain.client().ask(question("And now?")).await.err()
    })
    .await;
    let refusal = refusal.to_string();
    assert!(
        refusal.contains("no space for the worker journal"),
        "{refusal}"
    );
    let last = chain.finalized_number().await.unwrap();
    network.wait_for_finalized(0, last + 3, 60).await;

    // No restart is needed.
    fs::remove_file(filler).unwrap();
    let later = ask(&chain, "Again?").await;
    for answer in [&answer, &later] {
        wait_for_proof(&chain, answer).await;
    }
}
