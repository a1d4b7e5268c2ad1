//! What each pallet is told.

mod consensus;
mod governance;
mod system;
mod touchstone;

pub use consensus::*;
pub use governance::*;
pub use system::*;
pub use touchstone::*;

/// Version of the runtime's behaviour. `upgrade-rehearsal` builds the next one, with a migration, for tests of upgrades.
pub const SPEC_VERSION: u32 = if cfg!(feature = "upgrade-rehearsal") { 101 } else { 100 };
