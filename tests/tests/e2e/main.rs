//! Real nodes on the loopback interface, looked at from outside.

mod audits;
mod canaries;
mod cli;
mod clock;
mod disk;
mod engine;
mod finality;
mod hostile;
mod inputs;
mod membership;
mod memory;
mod upgrade;
