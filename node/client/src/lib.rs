//! What clients of a Touchstone node share.
//!
//! | module | what it does |
//! |---|---|
//! | [`calls`] | the calls that members and nodes sign |
//! | [`chain`] | one connection to one node: blocks, state, runtime APIs |
//! | [`submit`] | signs and submits transactions, and follows them until they are final |
//! | [`verify`] | checks a receipt against the chain, without trusting whoever handed it over |
//! | [`peer`] | libp2p peer ids |

pub mod calls;
pub mod chain;
mod error;
pub mod peer;
pub mod submit;
pub mod verify;

pub use chain::Chain;
pub use error::{Error, Result};
