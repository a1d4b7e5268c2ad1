//! A year of a consortium in seconds: some two hundred nodes, honest and not, under the chain's own rules.
//!
//! Every rule is a function of `touchstone_primitives`, the one that the runtime calls: which families a round draws, what a duty is
//! worth, how evidence is folded and fades, who is eligible, how votes are clipped, who gets exploration slots. Simulated is only what is outside
//! the chain: how often a node's model is right. An epoch takes a day here; on a chain it is much shorter, and numbers settle sooner.

mod figures;
mod mind;
mod scenarios;
mod statistics;
mod world;

use clap::Parser;
use scenarios::{Row, coalition, drift, farmers, honest, leaver, newcomer, sybil, whale};
use std::{error::Error, path::PathBuf};
use world::Rules;

/// Run a simulated year of each scenario and print who held what, against its fair share.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Options {
    /// Seed of everything that is drawn; the same one gives the same year.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder in which to write the figures (four SVG files); it must exist.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  touchstone-simulation                          print the table for seed 1
  touchstone-simulation --seed 7                 the same scenarios with other luck
  touchstone-simulation --seed 1 --out docs/figures
                                                 print the table and draw the figures of docs/evidence.md";

fn main() -> Result<(), Box<dyn Error>> {
    let Options { seed, out } = Options::parse();
    println!("| who | fair share | held | gained | lost |\n|---|---:|---:|---|---|");
    let print = |rows: &[Row]| rows.iter().for_each(|row| println!("{row}"));
    let honest = honest::run(seed, 3, Rules::default());
    print(&honest.rows());
    let newcomer = newcomer::run(seed, true);
    print(&newcomer.rows());
    print(&leaver::run(seed).rows());
    print(&sybil::run(seed).rows());
    print(&whale::run(seed).rows());
    let coalition = coalition::run(seed);
    print(&coalition.rows());
    print(&farmers::run(seed).rows());
    let drift = drift::run(seed);
    print(&drift.rows());
    println!(
        "\nRank correlation of skill and votes, by topic: {}",
        honest.correlations()
    );
    println!("Newcomer: {newcomer}");
    if let Some(folder) = out {
        figures::skill(&folder.join("skill.svg"), &honest)?;
        figures::newcomer(&folder.join("newcomer.svg"), &newcomer)?;
        figures::coalition(&folder.join("coalition.svg"), &coalition::sizes(seed))?;
        figures::drift(&folder.join("drift.svg"), &drift)?;
        println!("\nFigures are in {}.", folder.display());
    }
    Ok(())
}
