//! Real nodes on the loopback interface, looked at from outside.

mod cli;
mod engine;
mod finality;
mod inputs;
mod membership;
mod upgrade;
