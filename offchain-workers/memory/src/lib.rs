//! A node's memory: fragments of knowledge in namespaces, whose whole state one root commits to (`touchstone_primitives::memory`).
//!
//! | module | what it does |
//! |---|---|
//! | [`store`] | the file: its namespaces, and how a batch of signed writes gets into it |
//! | [`change`] | signed writes with their content, and what is wrong with them |
//! | [`proven`] | what is read, with what shows that it belongs to a state |
//! | [`page`] | all fragments, page by page |
//! | [`search`] | finds fragments by words and by meaning |
//! | [`replicate`] | gives log and content to other nodes, and takes theirs |
//! | [`ingest`] | turns documents and folders of them into fragments |
//!
//! The root on disk is the root of the content at any time: both change in one transaction, and opening the file checks it.

pub mod change;
mod check;
mod error;
pub mod ingest;
pub mod page;
pub mod proven;
pub mod replicate;
mod seal;
pub mod search;
pub mod store;
mod text;
mod tree;
mod vectors;

pub use change::Change;
pub use error::MemoryError;
pub use ingest::{Ingest, Progress, Sink};
pub use proven::Answer;
pub use replicate::{Adopted, Body, Conflict, Content, Staged};
pub use search::Query;
pub use store::{Held, Probe, Store, Version, digest};
