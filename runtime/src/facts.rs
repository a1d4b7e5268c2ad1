//! Facts that are set once, in the genesis block, and that nothing can change afterwards.
//!
//! BABE cannot change the length of its epochs while it runs, and the supply of credit is fixed. Both differ between a
//! development chain and a consortium, and both come from one and the same runtime blob, so they live in storage without a
//! call that writes it.

#[frame_support::pallet]
// The macros expand to `expect` and to functions with as many arguments as the call has.
#[allow(clippy::expect_used, clippy::too_many_arguments)]
pub mod pallet {
    use frame_support::{pallet_prelude::*, traits::Get};
    use frame_system::pallet_prelude::*;

    /// Version of the storage layout.
    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config {
        /// Credit in existence now.
        type Issuance: Get<u128>;
    }

    /// Slots of a BABE epoch. A session is as long.
    #[pallet::storage]
    pub type EpochLength<T> = StorageValue<_, u64, ValueQuery, DefaultEpochLength>;

    /// Credit in existence, in the smallest unit. Constant: fees, tips and slashed bonds go to the common pot.
    #[pallet::storage]
    pub type Supply<T> = StorageValue<_, u128, ValueQuery>;

    #[pallet::type_value]
    pub fn DefaultEpochLength() -> u64 {
        20
    }

    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Slots of a BABE epoch: 200 for a consortium, 20 on one machine, 10 for development.
        pub epoch_length: u64,
        /// Credit in existence: what the balances of the genesis block add up to.
        pub supply: u128,
        #[serde(skip)]
        #[doc(hidden)]
        pub _config: core::marker::PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            if self.epoch_length > 0 {
                EpochLength::<T>::put(self.epoch_length);
            }
            Supply::<T>::put(self.supply);
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    impl<T: Config> Pallet<T> {
        /// Credit is neither made nor destroyed.
        #[cfg(any(feature = "std", feature = "try-runtime"))]
        pub fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
            ensure!(
                Supply::<T>::get() == T::Issuance::get(),
                "the supply of credit has changed"
            );
            Ok(())
        }
    }

    /// [`EpochLength`], for BABE's configuration.
    pub struct EpochDuration<T>(core::marker::PhantomData<T>);
    impl<T: Config> Get<u64> for EpochDuration<T> {
        fn get() -> u64 {
            EpochLength::<T>::get()
        }
    }
}

pub use pallet::*;
