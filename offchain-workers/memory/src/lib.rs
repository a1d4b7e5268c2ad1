//! A node's memory: fragments of knowledge in namespaces, whose whole state one root commits to.
//!
//! | module | what it does |
//! |---|---|
//! | [`rules`] | keys, values, the tree and its proofs |
//! | [`store`] | the file, and how a batch of signed writes gets into it |
//! | [`search`] | finds fragments by words and by meaning, each with its proof |
//! | [`ingest`] | turns documents and folders of them into fragments |
//!
//! The root on disk is the root of the content at any time: both change in one transaction, and opening the file checks it.

mod check;
mod error;
pub mod ingest;
pub mod rules;
mod seal;
pub mod search;
pub mod store;
mod text;
mod vectors;

pub use error::MemoryError;
pub use ingest::{Ingest, Progress};
pub use search::{Found, Hit, Query, Tampered};
pub use store::{Change, Held, Pending, Probe, Proven, Store, Version, namespace_id};
