//! Search by meaning: the store's comparison with all vectors beside approximate indexes, with how much of the truth they find.

use crate::{Outcome, data::Corpus, rate, show};
use hnsw_rs::prelude::{DistDot, Hnsw};
use rand::{SeedableRng, rngs::StdRng};
use sp_core::{Pair, sr25519};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use touchstone_memory::{Change, Query, Store};
use touchstone_primitives::memory::{Fragment, MAX_BATCH};

const QUERIES: usize = 100;
const K: usize = 10;

fn nearest(vectors: &[Vec<f32>], query: &[f32]) -> Vec<usize> {
    let dot = |v: &Vec<f32>| v.iter().zip(query).map(|(a, b)| a * b).sum::<f32>();
    let mut scores: Vec<(f32, usize)> = vectors.iter().map(dot).zip(0..).collect();
    scores.select_nth_unstable_by(K, |a, b| b.0.total_cmp(&a.0));
    scores[..K].iter().map(|(_, at)| *at).collect()
}

fn compare(
    name: &str,
    queries: &[Vec<f32>],
    truth: &[Vec<usize>],
    mut search: impl FnMut(&[f32]) -> Outcome<Vec<usize>>,
) -> Outcome {
    let (mut times, mut right): (Vec<Duration>, _) = (vec![], 0);
    for (query, truth) in queries.iter().zip(truth) {
        let start = Instant::now();
        let found = search(query)?;
        times.push(start.elapsed());
        right += found.iter().filter(|at| truth.contains(at)).count();
    }
    show(&format!("{name}: nearest {K}"), &mut times);
    let recall = right as f64 / (QUERIES * K) as f64;
    println!("  {name}: recall@{K} {recall:.3}");
    Ok(())
}

pub fn measure(corpus: &Corpus, with_graphs: bool) -> Outcome {
    let vectors: Vec<Vec<f32>> = (0..corpus.count).map(|at| corpus.fragment(at).1).collect();
    let mut random = StdRng::seed_from_u64(3);
    let queries: Vec<Vec<f32>> = (0..QUERIES).map(|_| corpus.vector(&mut random)).collect();
    let truth: Vec<Vec<usize>> = queries.iter().map(|q| nearest(&vectors, q)).collect();

    let folder = tempfile::tempdir()?;
    let store = Store::open(&folder.path().join("store"))?;
    let ns = store.create("bench", None)?;
    let pair = sr25519::Pair::from_seed(&[7; 32]);
    let mut places = HashMap::new();
    for (batch, vectors) in vectors.chunks(MAX_BATCH).enumerate() {
        let changes: Vec<Change> = vectors
            .iter()
            .map(|v| Change::put(&ns, Fragment::default(), Some(v.clone()), &pair))
            .collect();
        for (at, change) in changes.iter().enumerate() {
            let id = change.content.as_ref().ok_or("no content")?.id;
            places.insert(id, batch * MAX_BATCH + at);
        }
        store.commit(&ns, &changes)?;
    }
    let search = |query: &[f32]| -> Outcome<Vec<usize>> {
        let query = Query {
            vector: Some(query.to_vec()),
            k: K,
            ..Query::default()
        };
        let found = store.search(&ns, &query)?;
        Ok(found.hits.iter().map(|hit| places[&hit.id]).collect())
    };
    search(&queries[0])?;
    compare("store, all compared, with proof", &queries, &truth, search)?;
    if !with_graphs {
        return Ok(());
    }

    let graph = Hnsw::<f32, DistDot>::new(16, corpus.count, 16, 128, DistDot {});
    let start = Instant::now();
    let numbered: Vec<(&Vec<f32>, usize)> = vectors.iter().zip(0..).collect();
    graph.parallel_insert(&numbered);
    rate(
        "hnsw_rs (floats): puts, all threads",
        corpus.count,
        &[start.elapsed()],
    );
    compare("hnsw_rs", &queries, &truth, |query| {
        let found = graph.search(query, K, 64);
        Ok(found.iter().map(|neighbour| neighbour.d_id).collect())
    })
}
