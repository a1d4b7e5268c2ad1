//! The gateway.
mod chain;
pub use chain::*;
