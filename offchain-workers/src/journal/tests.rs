use super::{file::META, *};
use proptest::prelude::*;
use touchstone_primitives::{receipt::example, worker::WorkerPair};

const GENESIS: H256 = H256::repeat_byte(9);

fn gateway() -> NodeId {
    NodeId::new([8; 32])
}

fn head(stream: u32, next: u64) -> StreamHead {
    StreamHead { stream, next }
}

fn made(stream: u32, sequence: u64) -> Receipt {
    let pair = <WorkerPair as sp_core::Pair>::from_seed(&[7; 32]);
    example::receipt(GENESIS, gateway(), &pair, stream, sequence)
}

fn append(journal: &Journal, head: StreamHead) -> Receipt {
    journal
        .append(&gateway(), head, |stream, sequence| {
            Ok(made(stream, sequence))
        })
        .unwrap()
}

fn fresh() -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("new/journal"), GENESIS).unwrap();
    (folder, journal)
}

fn place(receipt: &Receipt) -> (u32, u64) {
    (receipt.wrapper().stream, receipt.wrapper().sequence)
}

#[test]
fn receipts_are_numbered_without_gaps_and_found_again() {
    let (folder, journal) = fresh();
    let receipts: Vec<_> = (0..5).map(|_| append(&journal, head(0, 0))).collect();
    let path = journal.path().to_path_buf();
    drop(journal);
    let journal = Journal::open(&path, GENESIS).unwrap();
    let ids: Vec<_> = receipts.iter().map(Receipt::id).collect();
    for (sequence, receipt) in receipts.iter().enumerate() {
        assert_eq!(place(receipt), (0, sequence as u64));
        assert_eq!(
            journal.receipt(&receipt.id()).unwrap().as_ref(),
            Some(receipt)
        );
        let proof = journal
            .proof(&gateway(), 0, 0, 4, sequence as u64)
            .unwrap()
            .unwrap();
        assert!(merkle::verify(&merkle::root(&ids), &receipt.id(), &proof));
    }
    assert_eq!(journal.receipt(&GENESIS).unwrap(), None);
    assert_eq!(
        journal.ids(&gateway(), 0, 1, 3).unwrap().unwrap(),
        ids[1..=3]
    );
    assert_eq!(journal.ids(&gateway(), 0, 1, 5).unwrap(), None);
    assert_eq!(journal.ids(&gateway(), 0, 3, 1).unwrap(), None);
    assert_eq!(journal.unanchored(&gateway(), head(0, 2)).unwrap(), 3);
    let summary = Summary {
        receipts: 5,
        rounds: 0,
        streams: vec![(
            gateway(),
            Stream {
                stream: 0,
                oldest: 0,
                next: 5,
            },
        )],
    };
    assert_eq!(journal.check().unwrap(), summary);
    // Also from outside, while it is open.
    assert_eq!(inspect(&path).unwrap(), summary);
    drop(folder);
}

#[test]
fn threads_share_the_numbers_and_the_flush() {
    let (_folder, journal) = fresh();
    let mut sequences: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..10)
                        .map(|_| place(&append(&journal, head(0, 0))).1)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    sequences.sort();
    assert_eq!(sequences, (0..80).collect::<Vec<u64>>());
    assert_eq!(journal.check().unwrap().receipts, 80);
}

#[test]
fn a_receipt_that_is_not_made_takes_no_number() {
    let (_folder, journal) = fresh();
    append(&journal, head(0, 0));
    let not_built = |build: fn(u32, u64) -> Result<Receipt, String>| {
        journal.append(&gateway(), head(0, 0), build).unwrap_err()
    };
    assert_eq!(
        not_built(|_, _| Err("no key".into())),
        JournalError::NotBuilt("no key".into())
    );
    assert!(matches!(
        not_built(|_, _| panic!("boom")),
        JournalError::NotBuilt(_)
    ));
    let wrong = not_built(|stream, sequence| Ok(made(stream, sequence + 1)));
    assert!(matches!(wrong, JournalError::NotBuilt(_)));
    assert_eq!(place(&append(&journal, head(0, 0))), (0, 1));
}

#[test]
fn a_journal_behind_the_chain_goes_on_in_the_next_stream() {
    let (_folder, journal) = fresh();
    assert_eq!(place(&append(&journal, head(2, 7))), (3, 0));
    assert_eq!(place(&append(&journal, head(2, 7))), (3, 1));
    // Anchored by somebody else.
    assert_eq!(place(&append(&journal, head(3, 5))), (4, 0));
    journal.open_stream(&gateway(), 3).unwrap();
    assert_eq!(place(&append(&journal, head(3, 5))), (4, 1));
    journal.open_stream(&gateway(), 6).unwrap();
    assert_eq!(place(&append(&journal, head(4, 0))), (6, 0));
    assert_eq!(
        journal.unanchored(&gateway(), head(3, 1)).unwrap(),
        1 + 2 + 1
    );
}

#[test]
fn a_batch_ends_where_the_policy_changes() {
    let (_folder, journal) = fresh();
    let pair = <WorkerPair as sp_core::Pair>::from_seed(&[7; 32]);
    for policy in [1, 1, 2] {
        let pair = pair.clone();
        let build = move |stream, sequence| {
            let Receipt::V1(mut receipt) =
                example::receipt(GENESIS, gateway(), &pair, stream, sequence);
            receipt.wrapper.body.policy_version = policy;
            Ok(Receipt::V1(receipt))
        };
        journal.append(&gateway(), head(0, 0), build).unwrap();
    }
    let batch = |first| journal.batch(&gateway(), 0, first, 2).unwrap().unwrap();
    assert_eq!(
        (batch(0).ids.len(), batch(0).last, batch(0).policy_version),
        (2, 1, 1)
    );
    assert_eq!(
        (batch(2).ids.len(), batch(2).last, batch(2).policy_version),
        (1, 2, 2)
    );
    assert_eq!(journal.batch(&gateway(), 0, 0, 3).unwrap(), None);
}

#[test]
fn only_what_is_anchored_and_old_is_pruned() {
    let (_folder, journal) = fresh();
    let at = |time| {
        move |stream, sequence| {
            let Receipt::V1(mut receipt) = made(stream, sequence);
            receipt.wrapper.answered_at = time;
            Ok(Receipt::V1(receipt))
        }
    };
    for time in [10, 20, 30, 40] {
        journal.append(&gateway(), head(0, 0), at(time)).unwrap();
    }
    assert_eq!(journal.prune(&gateway(), head(0, 0), 100).unwrap(), 0);
    assert_eq!(journal.prune(&gateway(), head(0, 3), 20).unwrap(), 1);
    assert_eq!(journal.prune(&gateway(), head(0, 3), 100).unwrap(), 2);
    let left = Stream {
        stream: 0,
        oldest: 3,
        next: 4,
    };
    assert_eq!(journal.streams(&gateway()).unwrap(), vec![left]);
    assert_eq!(journal.ids(&gateway(), 0, 0, 3).unwrap(), None);
    assert_eq!(journal.check().unwrap().receipts, 1);
    assert_eq!(place(&append(&journal, head(0, 3))), (0, 4));
}

#[test]
fn a_copy_is_made_while_in_use_and_goes_on_in_a_new_stream() {
    let (folder, journal) = fresh();
    let receipt = append(&journal, head(0, 0));
    let (inside, outside) = (folder.path().join("a"), folder.path().join("b"));
    journal.backup(&inside).unwrap();
    backup(journal.path(), &outside).unwrap();
    assert_eq!(
        journal.backup(&inside),
        Err(JournalError::TargetExists {
            path: inside.clone()
        })
    );
    append(&journal, head(0, 0));
    for copy in [inside, outside] {
        assert_eq!(inspect(&copy).unwrap().receipts, 1);
        let copy = Journal::open(&copy, GENESIS).unwrap();
        assert_eq!(
            copy.receipt(&receipt.id()).unwrap().as_ref(),
            Some(&receipt)
        );
        assert_eq!(place(&append(&copy, head(0, 0))), (1, 0));
        assert_eq!(copy.check().unwrap().receipts, 2);
    }
}

#[test]
fn a_second_process_is_refused() {
    let (_folder, journal) = fresh();
    let second = Journal::open(journal.path(), GENESIS).err().unwrap();
    assert_eq!(
        second,
        JournalError::InUse {
            path: journal.path().into()
        }
    );
}

#[test]
fn a_file_of_another_chain_or_a_newer_program_is_refused() {
    let (_folder, journal) = fresh();
    let path = journal.path().to_path_buf();
    drop(journal);
    let other = Journal::open(&path, H256::zero()).err().unwrap();
    assert!(matches!(other, JournalError::OtherChain { .. }), "{other}");
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction
        .open_table(META)
        .unwrap()
        .insert("format", (FORMAT + 1).to_le_bytes().as_slice())
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    let newer = Journal::open(&path, GENESIS).err().unwrap();
    assert_eq!(
        newer,
        JournalError::NewerFormat {
            path,
            found: "2".into()
        }
    );
}

#[test]
fn a_damaged_file_is_refused_and_left_alone() {
    let (folder, journal) = fresh();
    for _ in 0..50 {
        append(&journal, head(0, 0));
    }
    let path = journal.path().to_path_buf();
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    let refused = |content: &[u8], what: &str| {
        let path = folder.path().join("damaged");
        std::fs::write(&path, content).unwrap();
        let error = Journal::open(&path, GENESIS)
            .err()
            .unwrap_or_else(|| panic!("{what}"));
        assert!(
            matches!(error, JournalError::Damaged { .. }),
            "{what}: {error:?}"
        );
        assert!(inspect(&path).is_err(), "{what}");
        assert_eq!(std::fs::read(&path).unwrap().len(), content.len(), "{what}");
    };
    refused(&[], "empty");
    refused(b"not a journal at all", "text");
    refused(&vec![0; whole.len()], "zeros");
    refused(&whole[..whole.len() / 2], "half");
}

#[test]
fn a_flipped_byte_is_noticed_or_harmless() {
    let (folder, journal) = fresh();
    let receipts: Vec<_> = (0..50).map(|_| append(&journal, head(0, 0))).collect();
    let path = journal.path().to_path_buf();
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    let damaged = folder.path().join("damaged");
    // Every 997th byte: pages of all kinds are hit. Free pages may change without any effect.
    for at in (0..whole.len()).step_by(whole.len() / 60 + 1) {
        let mut content = whole.clone();
        content[at] ^= 0x55;
        std::fs::write(&damaged, content).unwrap();
        let Ok(journal) = Journal::open(&damaged, GENESIS) else {
            continue;
        };
        for receipt in &receipts {
            assert_eq!(
                journal.receipt(&receipt.id()).unwrap().as_ref(),
                Some(receipt),
                "byte {at}"
            );
        }
    }
}

proptest! {
    #[test]
    fn garbage_is_no_record(bytes in proptest::collection::vec(any::<u8>(), 0..900)) {
        prop_assert!(decode_record(&bytes).is_err());
    }

    #[test]
    fn an_altered_record_is_noticed(at in any::<prop::sample::Index>(), bit in 0u8..8, cut in any::<prop::sample::Index>()) {
        let receipt = made(0, 3);
        let record = encode_record(&receipt.id(), &receipt);
        prop_assert_eq!(decode_record(&record).unwrap().1, receipt);
        // The last 64 bytes are the gateway's signature, which the id does not cover.
        let mut altered = record.clone();
        altered[at.index(record.len() - 64)] ^= 1 << bit;
        prop_assert!(decode_record(&altered).is_err());
        prop_assert!(decode_record(&record[..cut.index(record.len())]).is_err());
    }
}
