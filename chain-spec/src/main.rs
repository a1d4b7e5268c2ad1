//! Makes the chain specification of a consortium from its founding file.

use clap::Parser;
use std::{error::Error, fs, path::PathBuf, process::ExitCode};
use touchstone_chain_spec::Founding;

/// Make the chain specification of a consortium from a file that lists its founding members.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:
  touchstone-chain-spec chain-spec/consortium.example.toml --raw --out consortium.json
Every member runs this on the same file with the same release and compares the fingerprint before starting a node."
)]
struct Args {
    /// Founding file, TOML or JSON.
    founding: PathBuf,
    /// Where to write the specification; standard output if absent.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the raw form, which later releases read too.
    #[arg(long)]
    raw: bool,
}

fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let path = args.founding.display();
    let text = fs::read_to_string(&args.founding).map_err(|e| format!("{path}: {e}"))?;
    let founding: Founding = text.parse().map_err(|e| format!("{path}: {e}"))?;
    let spec = touchstone_chain_spec::generate(&founding).map_err(|e| format!("{path}: {e}"))?;
    let json = sc_service::ChainSpec::as_json(&spec, args.raw)?;
    match args.out {
        Some(out) => fs::write(&out, json).map_err(|e| format!("{}: {e}", out.display()))?,
        None => println!("{json}"),
    }
    eprintln!(
        "fingerprint of the genesis configuration: {:?}",
        founding.fingerprint()?
    );
    Ok(())
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
