//! Roots that are kept for as long as their namespace.

use crate::{
    Config, Error, Event, NamespaceOf, Namespaces, Pallet, Roots,
    types::{MAX_SNAPSHOTS, Name},
};
use frame_support::{ensure, pallet_prelude::*};
use touchstone_primitives::{memory::NamespaceId, model::is_name};

impl<T: Config> Pallet<T> {
    pub(crate) fn do_snapshot(
        id: NamespaceId,
        mut namespace: NamespaceOf<T>,
        name: Name,
    ) -> DispatchResult {
        ensure!(is_name(&name), Error::<T>::BadName);
        ensure!(
            namespace.snapshots < MAX_SNAPSHOTS,
            Error::<T>::TooManySnapshots
        );
        let state = namespace.state;
        Roots::<T>::try_mutate(id, state.version, |root| {
            let root = root.as_mut().ok_or(Error::<T>::UnknownVersion)?;
            ensure!(root.snapshot.is_none(), Error::<T>::AlreadySnapshot);
            root.snapshot = Some(name.clone());
            Ok::<_, Error<T>>(())
        })?;
        namespace.snapshots = namespace.snapshots.saturating_add(1);
        Namespaces::<T>::insert(id, namespace);
        Self::deposit_event(Event::SnapshotTaken {
            namespace: id,
            version: state.version,
            root: state.root(),
            name,
        });
        Ok(())
    }

    pub(crate) fn do_drop_snapshot(
        id: NamespaceId,
        mut namespace: NamespaceOf<T>,
        version: u64,
    ) -> DispatchResult {
        Roots::<T>::try_mutate_exists(id, version, |entry| {
            let root = entry.as_mut().ok_or(Error::<T>::UnknownVersion)?;
            root.snapshot.take().ok_or(Error::<T>::NotSnapshot)?;
            if !namespace.retained.contains(&version) {
                *entry = None;
            }
            Ok::<_, Error<T>>(())
        })?;
        namespace.snapshots = namespace.snapshots.saturating_sub(1);
        Namespaces::<T>::insert(id, namespace);
        Self::deposit_event(Event::SnapshotDropped {
            namespace: id,
            version,
        });
        Ok(())
    }
}
