//! What must hold after every block.

#![cfg(any(feature = "std", feature = "try-runtime"))]

use crate::{
    BalanceOf, Config, Deleted, Grants, HoldReason, Namespaces, Pallet, Roots,
    types::{MAX_GRANTS, MAX_SNAPSHOTS},
};
use alloc::collections::BTreeMap;
use frame_support::{ensure, traits::fungible::InspectHold};
use sp_runtime::{Saturating, TryRuntimeError};
use touchstone_primitives::memory::{Rights, namespace_id, tree};

impl<T: Config> Pallet<T> {
    /// Checks that names, counts, roots and deposits of every namespace agree.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        let mut deposits = BTreeMap::<_, BalanceOf<T>>::new();
        let (mut all_roots, mut all_grants) = (0usize, 0usize);
        for (id, namespace) in Namespaces::<T>::iter() {
            let name = core::str::from_utf8(&namespace.name).map_err(|_| "name is not UTF-8")?;
            ensure!(namespace_id(name) == id, "id is not the hash of the name");
            ensure!(!Deleted::<T>::contains_key(id), "a deleted name is in use");
            ensure!(
                namespace.since <= namespace.committed_at,
                "commit before the creation"
            );
            ensure!(
                namespace.retained.last() == Some(&namespace.state.version),
                "the newest version is not retained"
            );
            ensure!(
                namespace.retained.is_sorted_by(|one, next| one < next),
                "retained versions are not in order"
            );
            let (mut snapshots, mut retained) = (0u32, 0usize);
            for (version, root) in Roots::<T>::iter_prefix(id) {
                let is_retained = namespace.retained.contains(&version);
                ensure!(
                    is_retained || root.snapshot.is_some(),
                    "a root is kept that is neither recent nor a snapshot"
                );
                let state = root.state;
                ensure!(
                    (state.namespace, state.version) == (id, version),
                    "a root is not of its namespace and version"
                );
                ensure!(
                    (state.count == 0) == (state.tree == tree::EMPTY),
                    "a root's count does not fit its tree"
                );
                ensure!(
                    root.block >= namespace.since && root.block <= namespace.committed_at,
                    "a root is older or newer than its namespace"
                );
                ensure!(
                    version != namespace.state.version || state == namespace.state,
                    "the newest root is not the namespace's state"
                );
                retained = retained.saturating_add(usize::from(is_retained));
                snapshots = snapshots.saturating_add(u32::from(root.snapshot.is_some()));
                all_roots = all_roots.saturating_add(1);
            }
            ensure!(
                retained == namespace.retained.len(),
                "a retained version has no root"
            );
            ensure!(
                snapshots == namespace.snapshots && snapshots <= MAX_SNAPSHOTS,
                "wrong number of snapshots"
            );
            let mut grants = 0u32;
            for (_, rights) in Grants::<T>::iter_prefix(id) {
                ensure!(rights != Rights::default(), "nothing is granted");
                grants = grants.saturating_add(1);
                all_grants = all_grants.saturating_add(1);
            }
            ensure!(
                grants == namespace.grants && grants <= MAX_GRANTS,
                "wrong number of grants"
            );
            let total = deposits.entry(namespace.sponsor).or_default();
            *total = total.saturating_add(namespace.deposit);
        }
        ensure!(
            Roots::<T>::iter_keys().count() == all_roots,
            "roots without namespace"
        );
        ensure!(
            Grants::<T>::iter_keys().count() == all_grants,
            "grants without namespace"
        );
        for (sponsor, total) in deposits {
            let held = T::Currency::balance_on_hold(&HoldReason::Namespace.into(), &sponsor);
            ensure!(held == total, "deposits are not held");
        }
        Ok(())
    }
}
