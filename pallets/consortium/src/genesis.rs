//! The founding members and their nodes.

use crate::*;
use touchstone_primitives::{
    consortium::{MemberStatus, NodeStatus},
    provenance::is_jurisdiction,
};

impl<T: Config> Pallet<T> {
    /// Panics on a genesis that the calls would refuse: a chain must not start from it.
    pub(crate) fn build_genesis(config: &GenesisConfig<T>) {
        MinValidators::<T>::put(config.min_validators);
        RootDelay::<T>::put(config.root_delay);
        MemberCapExempt::<T>::put(config.member_cap_exempt);
        if config.members.is_empty() {
            assert!(config.nodes.is_empty(), "nodes need members");
            return;
        }
        assert!(
            config.min_validators > 0,
            "minValidators must be at least 1"
        );
        assert!(
            config.root_delay > Default::default(),
            "rootDelay must be at least 1"
        );

        let mut seats = Vec::new();
        for founder in &config.members {
            let account = &founder.account;
            assert!(
                is_jurisdiction(&founder.jurisdiction),
                "jurisdiction of {account:?}"
            );
            assert!(
                !Members::<T>::contains_key(account),
                "member {account:?} given twice"
            );
            let member = Member {
                legal_name_hash: founder.legal_name_hash,
                jurisdiction: founder.jurisdiction,
                status: MemberStatus::Active,
                nodes: BoundedVec::new(),
            };
            Members::<T>::insert(account, member);
            seats.push(account.clone());
        }
        seats.sort();
        T::Council::initialize_members(&seats);
        match BoundedVec::try_from(seats) {
            Ok(seats) => Seats::<T>::put(seats),
            Err(_) => panic!("more members than seats"),
        }
        config.nodes.iter().for_each(Self::build_node);
    }

    fn build_node(founding: &GenesisNode<T::AccountId, BalanceOf<T>>) {
        let addresses: Option<Vec<Address>> = founding
            .addresses
            .iter()
            .map(|address| address.clone().try_into().ok())
            .collect();
        let addresses: Option<Addresses> = addresses.and_then(|list| list.try_into().ok());
        assert!(
            addresses.is_some(),
            "addresses of node {:?} are too many or too long",
            founding.node
        );
        let registered = Self::do_register_node(
            founding.member.clone(),
            founding.node.clone(),
            founding.roles,
            founding.tier,
            founding.peer_id.clone().try_into().unwrap_or_default(),
            addresses.unwrap_or_default(),
            founding.worker_key.clone(),
            founding.bond,
        );
        if let Err(error) = registered {
            panic!(
                "node {:?} of member {:?}: {error:?}",
                founding.node, founding.member
            );
        }
        // Session keys are set by the session pallet, after this one.
        Nodes::<T>::mutate(&founding.node, |record| {
            if let Some(record) = record {
                record.status = NodeStatus::Active;
            }
        });
    }
}
