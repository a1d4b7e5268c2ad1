//! Documents of all kinds, hostile ones among them.

mod common;

use common::*;
use std::{
    fs::{self, File},
    io::Write,
    ops::ControlFlow,
    path::Path,
};
use touchstone_memory::{Ingest, MemoryError, Progress, Sink, Store};
use touchstone_primitives::{H256, memory::Fragment};

fn ingest(store: &Store, ns: H256, path: &Path, stop_after: u64) -> Progress {
    let mut ingest = Ingest {
        sink: &mut Direct(store, ns),
        labels: vec!["corpus".into()],
    };
    let mut calls = 0;
    let progress = ingest.run(&[path.into()], &mut |_| {
        calls += 1;
        if calls == stop_after {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    progress.unwrap()
}

fn gz(path: &Path, bytes: &[u8]) {
    let mut packer =
        flate2::write::GzEncoder::new(File::create(path).unwrap(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap();
}

fn corpus(folder: &Path) {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "a/readme.md",
        "# Granite\n\nIt is igneous.\n\n## Use\n\nIn kitchens.",
    );
    write(
        "a/page.html",
        "<title>Marble</title><script>evil()</script><p>It is metamorphic.",
    );
    write("b/plain.txt", "Basalt comes from lava.");
    write("b/copy-of-plain", "Basalt comes from lava.");
    write(
        "b/lines.jsonl",
        "{\"text\": \"Slate splits.\", \"kind\": \"fact\", \"labels\": [\"consented\"]}\n\n{\"content\": \"Chalk is soft.\", \"other\": 1}\n",
    );
    write(
        "bad.jsonl",
        &format!("{{\"text\": \"x\", \"other\": {}", "[".repeat(100_000)),
    );
    fs::write(folder.join("picture.png"), [0x89, b'P', 0, 0]).unwrap();
    fs::create_dir_all(folder.join("man1")).unwrap();
    gz(
        &folder.join("man1/ls.1.gz"),
        b".TH LS 1\n.SH NAME\nls \\- list directory contents\n",
    );
    std::os::unix::fs::symlink("/etc", folder.join("link")).unwrap();
}

#[test]
fn a_folder_becomes_fragments_once() {
    let folder = tempfile::tempdir().unwrap();
    corpus(folder.path());
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(&place.path().join("m")).unwrap();
    let ns = store.create("stones", None).unwrap();
    let seen = ingest(&store, ns, folder.path(), 0);
    assert_eq!(
        (seen.documents, seen.fragments, seen.binary, seen.known),
        (5, 7, 1, 1),
        "{seen:?}"
    );
    assert_eq!(seen.refused.len(), 1);
    assert!(
        seen.refused[0].1.starts_with("line 1: "),
        "{:?}",
        seen.refused
    );
    let found = search(&store, &ns, "metamorphic");
    assert_eq!(
        (
            found[0].fragment.title.as_str(),
            found[0].fragment.text.trim()
        ),
        ("Marble", "It is metamorphic.")
    );
    assert!(search(&store, &ns, "evil").is_empty());
    assert_eq!(
        search(&store, &ns, "kitchens")[0].fragment.title,
        "readme.md: Use"
    );
    assert_eq!(
        search(&store, &ns, "list directory")[0].fragment.title,
        "LS(1)"
    );
    let (consented, next) = store.page(&ns, Some("consented"), 0, 1000).unwrap();
    assert_eq!((consented.len(), next), (1, None));
    assert_eq!(consented[0].1.text, "Slate splits.");
    let again = ingest(&store, ns, folder.path(), 0);
    assert_eq!((again.fragments, again.documents, again.known), (0, 0, 6));
    assert_eq!(store.state(&ns, None).unwrap().0.version, 1);
}

#[test]
fn an_interrupted_ingest_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..6 {
        let text: Vec<String> = (0..300)
            .map(|p| format!("{}{n}-{p}", "paragraph ".repeat(35)))
            .collect();
        fs::write(folder.path().join(format!("{n}.txt")), text.join("\n\n")).unwrap();
    }
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(&place.path().join("m")).unwrap();
    let ns = store.create("long", None).unwrap();
    // The disk is full at the second batch: what the first one stored stays, three documents and part of a fourth.
    struct Failing<'a>(Direct<'a>, u32);
    impl Sink for Failing<'_> {
        fn known(&mut self, texts: &[&str]) -> Result<Vec<bool>, MemoryError> {
            self.0.known(texts)
        }
        fn put(&mut self, fragments: Vec<Fragment>) -> Result<(), MemoryError> {
            self.1 += 1;
            match self.1 {
                1 => self.0.put(fragments),
                _ => Err(MemoryError::Sink("the node went away".into())),
            }
        }
    }
    let mut run = Ingest {
        sink: &mut Failing(Direct(&store, ns), 0),
        labels: vec![],
    };
    let failed = run.run(&[folder.path().into()], &mut |_| ControlFlow::Continue(()));
    assert!(matches!(failed, Err(MemoryError::Sink(_))));
    assert_eq!(store.state(&ns, None).unwrap().0.count, 1000);
    let stopped = ingest(&store, ns, folder.path(), 4);
    assert_eq!(
        (
            stopped.known,
            stopped.documents,
            stopped.duplicates,
            stopped.fragments
        ),
        (3, 1, 1000, 200)
    );
    let rest = ingest(&store, ns, folder.path(), 0);
    assert_eq!(
        (rest.known, rest.documents, rest.duplicates, rest.fragments),
        (4, 2, 1200, 600)
    );
    assert_eq!(store.state(&ns, None).unwrap().0.count, 1800);
}

#[test]
fn huge_documents_bombs_and_deep_folders_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    gz(&folder.path().join("bomb.txt.gz"), &vec![b'a'; 17 << 20]);
    fs::write(folder.path().join("torn.gz"), [0x1f, 0x8b, 8, 0]).unwrap();
    fs::write(
        folder.path().join("line.jsonl"),
        format!("{{\"text\": \"{}\"}}", "x".repeat(20_000)),
    )
    .unwrap();
    let mut deep = folder.path().to_path_buf();
    (0..70).for_each(|_| deep.push("d"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("text"), "never reached").unwrap();
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(&place.path().join("m")).unwrap();
    let ns = store.create("hostile", None).unwrap();
    let seen = ingest(&store, ns, folder.path(), 0);
    let reasons: Vec<&str> = seen
        .refused
        .iter()
        .map(|(_, reason)| reason.as_str())
        .collect();
    assert_eq!((seen.fragments, reasons.len()), (0, 4), "{reasons:?}");
    for part in [
        "larger than 16 MiB",
        "64 folders deep",
        "at most 16384 is taken",
    ] {
        assert!(
            reasons.iter().any(|reason| reason.contains(part)),
            "{part}: {reasons:?}"
        );
    }
}
