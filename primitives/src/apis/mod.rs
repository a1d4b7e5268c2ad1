//! Runtime APIs: how people and programs read the chain's state without knowing its storage layout. Polkadot.js Apps lists
//! them under Developer > Runtime calls.

mod canaries;
mod consortium;
mod memory;
mod receipts;
mod registry;
mod reputation;

pub use canaries::*;
pub use consortium::*;
pub use memory::*;
pub use receipts::*;
pub use registry::*;
pub use reputation::*;
