//! The store beside plain SQLite and plain redb, which hold the same records without tree, proofs, signatures, log and full text.

use crate::{
    BATCH, Outcome,
    data::{Corpus, DIMENSIONS, word},
    rate, show,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use redb::{ReadableDatabase, TableDefinition};
use sp_core::{H256, Pair, sr25519};
use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use touchstone_memory::{Change, Query, Store};
use touchstone_primitives::memory::{Fragment, MAX_BATCH, answer::Opened, tree};

const SEARCHES: usize = 200;
const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("fragments");

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |known| known.len()) >> 20
}

pub fn measure(corpus: &Corpus) -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    let pair = sr25519::Pair::from_seed(&[7; 32]);
    let moments: Arc<Mutex<Vec<(&'static str, Instant)>>> = Arc::default();
    let noted = moments.clone();
    let probe = move |step| {
        if let Ok(mut moments) = noted.lock() {
            moments.push((step, Instant::now()));
        }
    };
    let store = Store::open_probed(&file("store"), Some(Arc::new(probe)))?;
    let ns = store.create("bench", None)?;
    let mut sqlite = rusqlite::Connection::open(file("sqlite"))?;
    sqlite.pragma_update(None, "journal_mode", "WAL")?;
    sqlite.pragma_update(None, "synchronous", "FULL")?;
    sqlite
        .execute_batch("CREATE TABLE fragments (key BLOB PRIMARY KEY, body BLOB) WITHOUT ROWID")?;
    let redb = redb::Database::create(file("redb"))?;
    let (mut ours, mut in_sqlite, mut in_redb, mut signing) = (vec![], vec![], vec![], vec![]);
    let (mut keys, mut records) = (Vec::new(), Vec::new());
    for at in (0..corpus.count).step_by(BATCH) {
        let contents: Vec<_> = (at..corpus.count.min(at + BATCH))
            .map(|at| corpus.fragment(at))
            .collect();
        let start = Instant::now();
        let changes: Vec<Change> = contents
            .into_iter()
            .map(|(text, vector)| {
                let fragment = Fragment {
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
            let Opened { salt, fragment, .. } = change.content.as_ref().ok_or("no content")?;
            keys.push(change.write.key);
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
        in_sqlite.push(start.elapsed());
        let start = Instant::now();
        let tx = redb.begin_write()?;
        {
            let mut table = tx.open_table(TABLE)?;
            for (key, body) in &records {
                table.insert(key.as_bytes(), body.as_slice())?;
            }
        }
        tx.commit()?;
        in_redb.push(start.elapsed());
    }
    let phases = phases(&moments);
    rate("puts: store", corpus.count, &ours);
    rate("puts: plain SQLite", corpus.count, &in_sqlite);
    rate("puts: plain redb", corpus.count, &in_redb);
    show("making and signing a batch of 1000", &mut signing);
    show("store: commit of 1000", &mut ours);
    for (name, mut times) in phases {
        show(&format!("  of which until {name}"), &mut times);
    }
    show("plain SQLite: commit of 1000", &mut in_sqlite);
    show("plain redb: commit of 1000", &mut in_redb);
    println!(
        "  MiB: store {}, plain SQLite {}, plain redb {}",
        size(&file("store")),
        size(&file("sqlite")),
        size(&file("redb"))
    );

    let start = Instant::now();
    rebuild(&store, &Store::open(&file("replica"))?, &ns)?;
    rate(
        "rebuilding another node, fragments",
        corpus.count,
        &[start.elapsed()],
    );

    let mut random = StdRng::seed_from_u64(2);
    let mut query = |with_vector: bool| Query {
        text: (0..4).map(|_| word(&mut random) + " ").collect(),
        vector: with_vector.then(|| corpus.vector(&mut random)),
        k: 8,
        ..Query::default()
    };
    let start = Instant::now();
    store.search(&ns, &query(true))?;
    let first = start.elapsed();
    println!("  first search, which reads the vectors: {first:.1?}");
    let (mut words, mut both, mut all_hits) = (vec![], vec![], vec![]);
    let (mut proving, mut searching, mut bytes) = (Duration::ZERO, Duration::ZERO, 0);
    for _ in 0..SEARCHES {
        for (with_vector, times) in [(false, &mut words), (true, &mut both)] {
            let query = query(with_vector);
            if let Ok(mut moments) = moments.lock() {
                moments.clear();
            }
            let start = Instant::now();
            let found = store.search(&ns, &query)?;
            let whole = start.elapsed();
            times.push(whole);
            if let Ok(moments) = moments.lock() {
                let at = |step| moments.iter().find(|(s, _)| *s == step).map(|(_, at)| *at);
                let between = at("search: proven").zip(at("search: found"));
                proving += between.map_or(Duration::ZERO, |(to, from)| to - from);
                searching += whole;
            }
            bytes += codec::Encode::encoded_size(&found.proof);
            let start = Instant::now();
            found.verify()?;
            all_hits.push(start.elapsed());
        }
    }
    show("search by words, 8 hits with one proof", &mut words);
    show(
        "search by words and vector, 8 hits with one proof",
        &mut both,
    );
    println!(
        "  share of the proofs in search time: {:.2} %; {} bytes each on average",
        100.0 * proving.as_secs_f64() / searching.as_secs_f64(),
        bytes / (2 * SEARCHES)
    );
    show("checking a result of 8 hits", &mut all_hits);

    let (mut cold, mut verifying, mut largest) = (vec![], vec![], 0);
    for _ in 0..SEARCHES * 5 {
        let key: H256 = keys[random.gen_range(0..keys.len())];
        let start = Instant::now();
        let (state, proof) = store.prove(&ns, &[key], None)?;
        cold.push(start.elapsed());
        let start = Instant::now();
        let held = tree::verify(&state.tree, &proof, &[key])?;
        verifying.push(start.elapsed());
        assert!(held[0].is_some());
        largest = largest.max(codec::Encode::encoded_size(&proof));
    }
    show("store: proof of one key", &mut cold);
    show("store: verifying it", &mut verifying);
    println!(
        "  largest of {} proofs of one key: {largest} bytes",
        cold.len()
    );

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
    Store::open(&file("store"))?;
    println!(
        "  opening with the check of everything: {:.1?}",
        start.elapsed()
    );
    Ok(())
}

/// Moves everything to another node, without the network in between.
fn rebuild(from: &Store, to: &Store, ns: &H256) -> Outcome {
    to.create_replica("bench", None)?;
    loop {
        let page = from.log(ns, to.staged(ns)?.version, MAX_BATCH)?;
        if page.is_empty() {
            break;
        }
        to.stage_log(ns, &page)?;
    }
    loop {
        let missing = to.missing(ns, BATCH)?;
        if missing.is_empty() {
            break;
        }
        to.stage(ns, from.contents(ns, &missing)?)?;
    }
    let (onto, _) = from.state(ns, None)?;
    to.adopt(ns, &onto, H256::zero(), None)?;
    Ok(())
}

/// Time until each step of the commits from the one before it.
fn phases(moments: &Mutex<Vec<(&'static str, Instant)>>) -> Vec<(&'static str, Vec<Duration>)> {
    let Ok(moments) = moments.lock() else {
        return Vec::new();
    };
    let steps = ["content", "tree", "pruned", "durable"];
    let names = steps.map(|step| ["commit: ", step].concat());
    let of = |name: &String| {
        let pairs = moments.windows(2).filter(|pair| pair[1].0 == name);
        pairs.map(|pair| pair[1].1 - pair[0].1).collect()
    };
    let phases = names.iter().zip(steps).map(|(name, step)| (step, of(name)));
    phases
        .filter(|(_, times): &(_, Vec<_>)| !times.is_empty())
        .collect()
}
