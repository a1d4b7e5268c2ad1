//! What a node does with a question: from the request to the signed, durable receipt, and the doors through which questions come.
//!
//! | module | what it does |
//! |---|---|
//! | [`answer`] | the way of a question: limits, engine, signatures, journal, answer |
//! | [`memory`] | who may write and read what of memory, and answers whose root is the one on chain |
//! | [`limits`] | how much one client may ask |
//! | [`worker`] | which node this machine works for, and with which key it signs |
//! | [`chain`] | what all of this wants to know of the chain |
//! | [`anchor`] | the same for the anchorer |
//! | [`canaries`] | puts canaries to the engine as users put questions |
//! | [`rpc`] | the JSON-RPC door |
//! | [`openai`] | the OpenAI-compatible HTTP door |
//!
//! Nothing here knows the client of the chain; the node connects the two through [`ChainState`].

pub mod anchor;
pub mod answer;
pub mod canaries;
pub mod chain;
pub mod limits;
pub mod memory;
mod models;
pub mod openai;
pub mod rpc;
pub mod worker;

pub use answer::{Answerer, Ask, Counters, Refusal, Running, Update};
pub use chain::{BlockRef, ChainState, Network, StateError};
pub use limits::{Client, Limits};
pub use memory::{Memory, SendCommit};
