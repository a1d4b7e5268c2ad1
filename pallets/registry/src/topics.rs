//! Topics.

use crate::{Champions, Config, Error, Event, Models, Pallet, TopicByName, Topics, types::*};
use frame_support::{ensure, pallet_prelude::*};
use touchstone_primitives::{
    apis::TopicId,
    model::is_name,
    provenance::{Class, Policy, Tier, is_jurisdiction},
};

impl<T: Config> Pallet<T> {
    pub(crate) fn do_register_topic(record: TopicRecord) -> DispatchResult {
        ensure!(is_name(&record.name), Error::<T>::BadName);
        Self::ensure_policy(&record.policy)?;
        ensure!(
            !TopicByName::<T>::contains_key(&record.name),
            Error::<T>::NameTaken
        );
        // Topics are never removed, so their number is also the next free one.
        let topic = Topics::<T>::count();
        ensure!(topic < T::MaxTopics::get(), Error::<T>::TooManyTopics);

        TopicByName::<T>::insert(&record.name, topic);
        Topics::<T>::insert(topic, &record);
        let TopicRecord {
            name, tier, class, ..
        } = record;
        Self::deposit_event(Event::TopicRegistered {
            topic,
            name,
            tier,
            class,
        });
        Ok(())
    }

    pub(crate) fn do_update_topic(
        topic: TopicId,
        tier: Tier,
        class: Class,
        policy: Policy,
    ) -> DispatchResult {
        let old = Topics::<T>::get(topic).ok_or(Error::<T>::TopicNotFound)?;
        Self::ensure_policy(&policy)?;
        let record = TopicRecord {
            name: old.name,
            tier,
            class,
            policy,
        };
        for champion in Champions::<T>::get(topic) {
            let [base, adapter] = [champion.base, champion.adapter].map(Models::<T>::get);
            let (base, adapter) = base.zip(adapter).ok_or(Error::<T>::ModelNotFound)?;
            Self::ensure_admitted(
                &record,
                &[&base.record.provenance, &adapter.record.provenance],
            )
            .map_err(|_| Error::<T>::ChampionNotAdmitted)?;
        }
        Topics::<T>::insert(topic, record);
        Self::deposit_event(Event::TopicUpdated { topic, tier, class });
        Ok(())
    }

    fn ensure_policy(policy: &Policy) -> Result<(), Error<T>> {
        let well_formed = policy.jurisdictions.iter().all(is_jurisdiction)
            && policy
                .denied_lineages
                .iter()
                .all(|lineage| is_name(lineage));
        ensure!(well_formed, Error::<T>::BadPolicy);
        Ok(())
    }
}
