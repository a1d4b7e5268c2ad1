//! What an upgrade does to storage. Empty once every chain has run it.

/// Migrations of this version.
#[cfg(not(feature = "upgrade-rehearsal"))]
pub type Migrations = ();

/// Migrations of the rehearsed version.
#[cfg(feature = "upgrade-rehearsal")]
pub type Migrations = rehearsal::Mark;

#[cfg(feature = "upgrade-rehearsal")]
mod rehearsal {
    use frame_support::{
        migrations::VersionedMigration, traits::UncheckedOnRuntimeUpgrade, weights::Weight,
    };

    /// Moves the facts' storage from version 1 to 2, changing the layout of nothing but a mark that tests look for.
    pub type Mark = VersionedMigration<
        1,
        2,
        WriteMark,
        crate::facts::Pallet<crate::Runtime>,
        frame_support::weights::constants::ParityDbWeight,
    >;

    /// Writes the mark.
    pub struct WriteMark;
    impl UncheckedOnRuntimeUpgrade for WriteMark {
        fn on_runtime_upgrade() -> Weight {
            frame_support::storage::unhashed::put(
                b"touchstone/rehearsal",
                &crate::VERSION.spec_version,
            );
            frame_support::weights::constants::ParityDbWeight::get().writes(1)
        }
    }
}
