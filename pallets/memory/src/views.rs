//! What the runtime API shows.

use crate::{Config, Grants, NamespaceOf, Namespaces, Pallet, RootOf, Roots};
use alloc::{string::String, vec::Vec};
use sp_runtime::SaturatedConversion;
use touchstone_primitives::{
    AccountId32,
    apis::{NamespaceInfo, RootInfo},
    memory::{NamespaceId, Rights},
};

/// Most namespaces that are shown at once.
const MAX_SHOWN: u32 = 100;

impl<T: Config> Pallet<T> {
    /// A namespace.
    pub fn namespace(id: NamespaceId) -> Option<NamespaceInfo> {
        Namespaces::<T>::get(id).map(|namespace| Self::namespace_info(id, namespace))
    }

    /// Namespaces in the order of their ids, at most 100 at once, after the one given.
    pub fn namespaces(after: Option<NamespaceId>, limit: u32) -> Vec<NamespaceInfo> {
        let all = match after {
            Some(id) => Namespaces::<T>::iter_from(Namespaces::<T>::hashed_key_for(id)),
            None => Namespaces::<T>::iter(),
        };
        all.take(limit.min(MAX_SHOWN) as usize)
            .map(|(id, namespace)| Self::namespace_info(id, namespace))
            .collect()
    }

    /// The root of a version that is kept.
    pub fn memory_root(id: NamespaceId, version: u64) -> Option<RootInfo> {
        Roots::<T>::get(id, version).map(Self::root_info)
    }

    /// All roots that are kept, oldest first.
    pub fn memory_history(id: NamespaceId) -> Vec<RootInfo> {
        let mut all: Vec<_> = Roots::<T>::iter_prefix_values(id)
            .map(Self::root_info)
            .collect();
        all.sort_by_key(|root| root.state.version);
        all
    }

    /// What an account, or the node of that stash account, may do.
    pub fn memory_rights(id: NamespaceId, who: AccountId32) -> Rights {
        Namespaces::<T>::get(id).map_or_else(Rights::default, |namespace| {
            Self::rights_in(&id, &namespace, &who, Self::is_active_node(&who))
        })
    }

    fn namespace_info(id: NamespaceId, namespace: NamespaceOf<T>) -> NamespaceInfo {
        let mut granted: Vec<_> = Grants::<T>::iter_prefix(id).collect();
        granted.sort_by(|(one, _), (other, _)| one.cmp(other));
        NamespaceInfo {
            id,
            name: text(&namespace.name),
            kind: namespace.kind,
            owner: namespace.owner,
            writers: namespace.writers,
            visibility: namespace.visibility,
            granted,
            state: namespace.state,
            root: namespace.state.root(),
            bytes: namespace.bytes,
            block: namespace.committed_at.saturated_into(),
        }
    }

    fn root_info(root: RootOf<T>) -> RootInfo {
        RootInfo {
            state: root.state,
            root: root.state.root(),
            batch: root.batch,
            writer: root.writer,
            block: root.block.saturated_into(),
            snapshot: root.snapshot.map(|name| text(&name)),
        }
    }
}

/// A name, which was checked to be UTF-8 when it was stored.
fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
