//! `touchstone`: the network from a terminal. Asks questions, checks receipts, shows how nodes do, prepares members.

mod ask;
mod canary;
mod doctor;
mod join;
mod journal;
mod keys;
mod memory;
mod network;
mod output;
mod receipt;
mod reputation;
mod train;
mod watched;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use touchstone_checkers::judge;
use touchstone_client::Chain;

/// Ask the network, check its receipts, look after a node, join the consortium.
#[derive(Parser)]
#[command(
    name = "touchstone",
    version,
    max_term_width = 100,
    after_help = "Examples:
  touchstone ask 'What is a touchstone?'
  touchstone ask --save answer.json 'What is 6 times 7?' && touchstone receipt verify --wait answer.json
  touchstone status ws://127.0.0.1:9944 ws://127.0.0.1:9945
  touchstone doctor

Exit status: 0 all is well; 1 something failed or does not hold; 2 a receipt holds but is not anchored yet, or wrong usage."
)]
struct Cli {
    /// Node to connect to.
    #[arg(
        long,
        global = true,
        default_value = "ws://127.0.0.1:9944",
        env = "TOUCHSTONE_URL",
        value_name = "URL"
    )]
    url: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Ask(ask::Ask),
    #[command(subcommand)]
    Receipt(receipt::Receipt),
    #[command(subcommand)]
    Canary(canary::Canary),
    #[command(subcommand)]
    Reputation(reputation::Reputation),
    #[command(subcommand)]
    Memory(memory::Memory),
    Models(network::Models),
    Members(network::Members),
    Status(network::Status),
    Doctor(doctor::Doctor),
    #[command(subcommand)]
    Keys(keys::Keys),
    Join(join::Join),
    #[command(subcommand)]
    Journal(journal::Journal),
    Train(train::Train),
}

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The node or the chain.
    #[error(transparent)]
    Client(#[from] touchstone_client::Error),
    /// Anything else, in words that say what to do.
    #[error("{0}")]
    Told(String),
    /// The command has shown what is wrong already.
    #[error("")]
    Shown(u8),
}

impl From<String> for Failure {
    fn from(told: String) -> Self {
        Self::Told(told)
    }
}

type Result<T, E = Failure> = std::result::Result<T, E>;

fn main() -> ExitCode {
    if judge::is_asked() {
        return judge::serve();
    }
    start()
}

#[tokio::main]
async fn start() -> ExitCode {
    let cli = Cli::parse();
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Shown(code)) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<()> {
    let connect = || Chain::connect(&cli.url);
    match cli.command {
        Command::Ask(command) => command.run(&connect().await?).await,
        Command::Receipt(command) => command.run(&connect().await?).await,
        Command::Canary(canary::Canary::Sample(sample)) => sample.run(),
        Command::Canary(command) => command.run(&connect().await?).await,
        Command::Reputation(command) => command.run(&connect().await?).await,
        Command::Memory(command) => command.run(&cli.url).await,
        Command::Models(command) => command.run(&connect().await?).await,
        Command::Members(command) => command.run(&connect().await?).await,
        Command::Status(command) => command.run(&cli.url).await,
        Command::Doctor(command) => command.run(&cli.url).await,
        Command::Keys(command) => command.run(&cli.url).await,
        Command::Join(command) => command.run(&cli.url).await,
        Command::Journal(command) => command.run(),
        Command::Train(command) => command.run(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn check(command: &clap::Command, path: String) {
            if command.get_subcommands().next().is_none() {
                let help = command
                    .get_after_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(
                    help.contains(&path),
                    "`{path} --help` has no example that calls it"
                );
            }
            for sub in command.get_subcommands() {
                check(sub, format!("{path} {}", sub.get_name()));
            }
        }
        check(&Cli::command(), "touchstone".into());
    }
}
