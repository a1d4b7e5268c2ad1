//! The Touchstone node: a validator, gateway or observer of a consortium's chain, with an inference engine beside it.

// The SDK's errors are large, and they are what a service returns.
#![allow(clippy::result_large_err)]

mod chain;
mod cli;
mod command;
mod rpc;
mod service;

fn main() -> sc_cli::Result<()> {
    command::run()
}
