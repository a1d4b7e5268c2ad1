//! Measures the store beside plain SQLite and plain redb, which hold the same records without tree, proofs, log and full text.
//! `cargo run --release -p touchstone-memory --example bench -- COUNT...`; `scripts/bench/memory` runs it.

use rand::{Rng, SeedableRng, rngs::StdRng};
use redb::{ReadableDatabase, TableDefinition};
use sp_core::{Pair, sr25519};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use touchstone_memory::{Change, Query, Store, rules};
use touchstone_primitives::H256;

type Error = Box<dyn std::error::Error>;

/// Length of MiniLM's vectors.
const DIMENSIONS: usize = 384;
const BATCH: usize = 1000;
const SEARCHES: usize = 200;
const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("fragments");

/// Words by a law like Zipf's, so that lists of the full-text index are as uneven as those of real texts.
fn word(random: &mut StdRng) -> String {
    let rank = (random.r#gen::<f64>() * 11.0).exp() as u64;
    format!("w{rank}")
}

fn text(random: &mut StdRng) -> String {
    let words: Vec<_> = (0..80).map(|_| word(random)).collect();
    words.join(" ")
}

fn vector(random: &mut StdRng) -> Vec<f32> {
    let vector: Vec<f32> = (0..DIMENSIONS)
        .map(|_| random.r#gen::<f32>() - 0.5)
        .collect();
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter().map(|x| x / length).collect()
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() - 1) * percent / 100]
}

fn show(what: &str, times: &mut [Duration]) {
    println!(
        "  {what:<44} p50 {:>10.1?}  p99 {:>10.1?}",
        percentile(times, 50),
        percentile(times, 99)
    );
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |known| known.len()) >> 20
}

fn measure(count: usize, folder: &Path) -> Result<(), Error> {
    println!("{count} fragments");
    let (mut random, pair) = (StdRng::seed_from_u64(1), sr25519::Pair::from_seed(&[7; 32]));
    let (file, sql_file, redb_file) = (
        folder.join("store"),
        folder.join("sqlite"),
        folder.join("redb"),
    );
    let store = Store::open(&file)?;
    let ns = store.create("bench", None)?;
    let mut sqlite = rusqlite::Connection::open(&sql_file)?;
    sqlite.pragma_update(None, "journal_mode", "WAL")?;
    sqlite.pragma_update(None, "synchronous", "FULL")?;
    sqlite
        .execute_batch("CREATE TABLE fragments (key BLOB PRIMARY KEY, body BLOB) WITHOUT ROWID")?;
    let redb = redb::Database::create(&redb_file)?;
    let (mut ours, mut plain_sqlite, mut plain_redb, mut signing) =
        (vec![], vec![], vec![], vec![]);
    let (mut ids, mut records) = (Vec::new(), Vec::new());
    for at in (0..count).step_by(BATCH) {
        let contents: Vec<_> = (at..count.min(at + BATCH))
            .map(|_| (text(&mut random), vector(&mut random)))
            .collect();
        let start = Instant::now();
        let changes: Vec<Change> = contents
            .into_iter()
            .map(|(text, vector)| {
                let fragment = rules::Fragment {
                    text,
                    ..Default::default()
                };
                Change::put(&ns, fragment, Some(vector), &pair)
            })
            .collect();
        signing.push(start.elapsed());
        let start = Instant::now();
        store.commit(&ns, &changes)?;
        ours.push(start.elapsed());
        records.clear();
        for change in &changes {
            let (id, salt, fragment) = change.content.as_ref().ok_or("no content")?;
            ids.push(*id);
            let mut body = codec::Encode::encode(&(salt, fragment));
            body.resize(body.len() + DIMENSIONS + 4, 1);
            records.push((change.write.key, body));
        }
        let start = Instant::now();
        let tx = sqlite.transaction()?;
        for (key, body) in &records {
            tx.prepare_cached("INSERT INTO fragments VALUES (?, ?)")?
                .execute((key.as_bytes(), body))?;
        }
        tx.commit()?;
        plain_sqlite.push(start.elapsed());
        let start = Instant::now();
        let tx = redb.begin_write()?;
        {
            let mut table = tx.open_table(TABLE)?;
            for (key, body) in &records {
                table.insert(key.as_bytes(), body.as_slice())?;
            }
        }
        tx.commit()?;
        plain_redb.push(start.elapsed());
    }
    let rate = |times: &[Duration]| count as f64 / times.iter().sum::<Duration>().as_secs_f64();
    println!(
        "  puts per second: store {:.0} (checks of signatures, tree, full text, log), plain SQLite {:.0}, plain redb {:.0}",
        rate(&ours),
        rate(&plain_sqlite),
        rate(&plain_redb)
    );
    show("making and signing 1000 writes", &mut signing);
    show("store: commit of 1000", &mut ours);
    show("plain SQLite: commit of 1000", &mut plain_sqlite);
    show("plain redb: commit of 1000", &mut plain_redb);
    println!(
        "  MiB: store {}, plain SQLite {}, plain redb {}",
        size(&file),
        size(&sql_file),
        size(&redb_file)
    );
    let query = |random: &mut StdRng, with_vector: bool| Query {
        text: (0..4).map(|_| word(random) + " ").collect(),
        vector: with_vector.then(|| vector(random)),
        k: 8,
        ..Query::default()
    };
    let start = Instant::now();
    store.search(&ns, &query(&mut random, true))?;
    println!(
        "  first search, which reads the vectors: {:.1?}",
        start.elapsed()
    );
    let (mut words, mut both, mut proving, mut verifying, mut bytes) =
        (vec![], vec![], vec![], vec![], 0);
    for _ in 0..SEARCHES {
        for (with_vector, times) in [(false, &mut words), (true, &mut both)] {
            let query = query(&mut random, with_vector);
            let start = Instant::now();
            store.search(&ns, &query)?;
            times.push(start.elapsed());
        }
    }
    for _ in 0..SEARCHES * 5 {
        let id: H256 = ids[random.gen_range(0..ids.len())];
        let start = Instant::now();
        let (anchor, proof) = store.prove(&ns, &id, None)?;
        proving.push(start.elapsed());
        let key = rules::key(&ns, &id);
        let start = Instant::now();
        let held = rules::verify(&anchor.tree, &proof, &key)?;
        verifying.push(start.elapsed());
        assert!(held.is_some());
        bytes = bytes.max(codec::Encode::encoded_size(&proof));
    }
    show("search by words, 8 hits with proofs", &mut words);
    show("search by words and vector, 8 hits with proofs", &mut both);
    show("one proof", &mut proving);
    show("verifying one proof", &mut verifying);
    println!("  largest of {} proofs: {bytes} bytes", proving.len());
    let (mut from_sqlite, mut from_redb) = (vec![], vec![]);
    for (key, _) in &records {
        let start = Instant::now();
        let _: Vec<u8> = sqlite
            .prepare_cached("SELECT body FROM fragments WHERE key = ?")?
            .query_row([key.as_bytes()], |row| row.get(0))?;
        from_sqlite.push(start.elapsed());
        let start = Instant::now();
        let tx = redb.begin_read()?;
        tx.open_table(TABLE)?
            .get(key.as_bytes())?
            .ok_or("lost")?
            .value()
            .to_vec();
        from_redb.push(start.elapsed());
    }
    show("plain SQLite: get", &mut from_sqlite);
    show("plain redb: get", &mut from_redb);
    drop(store);
    let start = Instant::now();
    Store::open(&file)?;
    println!(
        "  opening with the check of everything: {:.1?}",
        start.elapsed()
    );
    Ok(())
}

fn main() -> Result<(), Error> {
    for count in std::env::args().skip(1) {
        let folder = tempfile::tempdir()?;
        measure(count.parse()?, folder.path())?;
    }
    Ok(())
}
