//! Measures the memory store beside stores, trees and indexes of others, in one run and on the same data.
//!
//! usage: memory-peers [--no-graphs] COUNT...

mod data;
mod stores;
mod trees;
mod vectors;

use std::time::Duration;

/// What may go wrong is shown and ends the run.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Writes of a batch.
pub const BATCH: usize = 1000;

/// Median and 99th percentile of times.
pub fn show(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("  {what:<58} p50 {:>9.1?}  p99 {:>9.1?}", at(50), at(99));
}

/// Something per second.
pub fn rate(what: &str, count: usize, times: &[Duration]) {
    let seconds = times.iter().sum::<Duration>().as_secs_f64();
    println!("  {what:<58} {:.0} /s", count as f64 / seconds);
}

fn main() -> Outcome {
    let (flags, counts): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .partition(|arg| arg.starts_with("--"));
    for count in counts {
        let count = count.parse()?;
        println!("== {count} fragments");
        let corpus = data::Corpus::new(count);
        stores::measure(&corpus)?;
        trees::measure(count)?;
        vectors::measure(&corpus, !flags.iter().any(|flag| flag == "--no-graphs"))?;
    }
    Ok(())
}
