//! The Touchstone node: a validator, gateway or observer of a consortium's chain, with an inference engine beside it.

mod chain;
mod cli;
mod command;
mod rpc;
mod service;

fn main() -> sc_cli::Result<()> {
	command::run()
}
