//! Measures what the calls of our pallets cost, in the compiled runtime, and writes each pallet's `weights.rs`.
//!
//! The SDK's own tool does the same for any chain and links half of the parachain world for it; this one knows one runtime.

mod measure;
mod write;

use clap::Parser;
use measure::Bench;
use std::{error::Error, path::PathBuf, process::ExitCode};

/// Measure pallets and write their `weights.rs`.
#[derive(Parser)]
#[command(after_help = "Example:
  scripts/bench/weights pallet_receipts --steps 20 --repeat 20")]
struct Args {
    /// Pallets by crate name, for example `pallet_receipts`; ours, if none is named.
    pallets: Vec<String>,
    /// Values tried between the least and the most of each component.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(3..))]
    steps: u32,
    /// Measurements of each value.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Run every benchmark once and check that it does what it is to measure; write nothing.
    #[arg(long)]
    check: bool,
    /// Root of the repository.
    #[arg(long, default_value = ".")]
    repository: PathBuf,
}

/// The pallets whose weights are ours to measure.
const OURS: [&str; 6] = [
    "pallet_canaries",
    "pallet_consortium",
    "pallet_memory",
    "pallet_receipts",
    "pallet_registry",
    "pallet_reputation",
];

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let bench = Bench::new()?;
    let wanted: Vec<&str> = match args.pallets.is_empty() {
        true => OURS.to_vec(),
        false => args.pallets.iter().map(String::as_str).collect(),
    };
    for pallet in wanted {
        let calls = bench.calls(pallet)?;
        let mut measured = Vec::new();
        for (n, call) in calls.iter().enumerate() {
            eprintln!("{pallet} {}/{}: {}", n + 1, calls.len(), call.name);
            bench.check(pallet, call)?;
            if !args.check {
                measured.push(bench.measure(pallet, call, args.steps, args.repeat)?);
            }
        }
        if !args.check {
            let folder = pallet.trim_start_matches("pallet_");
            let file = args
                .repository
                .join("pallets")
                .join(folder)
                .join("src/weights.rs");
            std::fs::write(
                &file,
                write::file(pallet, &measured, args.steps, args.repeat),
            )
            .map_err(|e| format!("{}: {e}", file.display()))?;
            eprintln!("wrote {}", file.display());
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
