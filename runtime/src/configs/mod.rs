//! What each pallet is told.

mod consensus;
mod governance;
mod system;
mod touchstone;

pub use consensus::*;
pub use governance::*;
pub use system::*;
pub use touchstone::*;
