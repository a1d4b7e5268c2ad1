use crate::{
    BaseUses, Candidates, Champions, Error, Event, Models,
    mock::*,
    types::{BaseUse, Champion},
};
use frame_support::{assert_noop, assert_ok};
use sp_core::Pair;
use sp_runtime::DispatchError::BadOrigin;
use touchstone_primitives::{
    H256,
    apis::ModelStatus::{self, *},
    consortium::NodeStatus,
    model::{ModelKind, ModelRecord, declaration},
    worker::{self, WorkerSignature},
};

fn set(n: u8, status: ModelStatus) -> frame_support::dispatch::DispatchResult {
    Registry::set_status(RuntimeOrigin::root(), hash(n), status)
}

fn status(n: u8) -> ModelStatus {
    Models::<Test>::get(hash(n)).unwrap().status
}

#[docify::export]
#[test]
fn a_producer_registers_an_adapter_and_the_council_makes_it_champion() {
    run(|| {
        // The producer registers a base, then an adapter of it for topic 0, each signed with its worker key.
        assert_ok!(register(base(1)));
        assert_ok!(register(adapter(2, hash(1), 0)));
        assert_eq!(status(2), Candidate);

        // The governing origin makes the adapter champion.
        assert_ok!(Registry::set_status(
            RuntimeOrigin::root(),
            hash(2),
            Champion
        ));
        let champion = Champion {
            base: hash(1),
            adapter: hash(2),
        };
        assert_eq!(Champions::<Test>::get(0).into_inner(), [champion]);

        // A better adapter replaces it; the former champion stays warm.
        assert_ok!(register(adapter(3, hash(1), 0)));
        assert_ok!(Registry::set_status(
            RuntimeOrigin::root(),
            hash(3),
            Champion
        ));
        assert_eq!((status(2), status(3)), (Warm, Champion));
    })
}

#[test]
fn the_seal_of_a_model_can_be_checked_by_anybody() {
    run(|| {
        assert_ok!(register(base(1)));
        let kind = ModelKind::Base;
        let event = Event::ModelRegistered {
            model: hash(1),
            kind,
            producer: producer(),
        };
        assert_eq!(last_event(), event);
        let model = Models::<Test>::get(hash(1)).unwrap();
        let seal = model.seal.unwrap();
        let genesis = System::block_hash(0);
        let message = declaration(&genesis, &model.producer, &model.record);
        let signature = WorkerSignature::try_from(&seal.signature.0[..]).unwrap();
        assert!(worker::verify(&seal.key, &message, &signature));
    })
}

#[test]
fn the_member_may_register_for_its_node() {
    run(|| {
        let signature = sign(&producer(), &base(1));
        let submit = |who| {
            let record = Box::new(base(1));
            let origin = RuntimeOrigin::signed(who);
            Registry::register_model(origin, producer(), record, signature.clone())
        };
        assert_noop!(submit(other_member()), Error::<Test>::NotYourNode);
        assert_noop!(submit(stranger()), Error::<Test>::NotYourNode);
        assert_ok!(submit(member()));
        assert_eq!(Models::<Test>::get(hash(1)).unwrap().producer, producer());
    })
}

#[test]
fn only_active_producers_register() {
    run(|| {
        let signature = sign(&validator(), &base(1));
        let origin = RuntimeOrigin::signed(validator());
        assert_noop!(
            Registry::register_model(origin, validator(), Box::new(base(1)), signature.clone()),
            Error::<Test>::NotProducer
        );
        for status in [
            NodeStatus::Registered,
            NodeStatus::Suspended,
            NodeStatus::Leaving,
        ] {
            change_nodes(|nodes| nodes.get_mut(&producer()).unwrap().status = status);
            assert_noop!(register(base(1)), Error::<Test>::NodeNotActive);
        }
        let origin = RuntimeOrigin::signed(stranger());
        assert_noop!(
            Registry::register_model(origin, stranger(), Box::new(base(1)), signature),
            Error::<Test>::NodeNotActive
        );
    })
}

#[test]
fn a_signature_by_another_key_or_over_another_record_is_refused() {
    run(|| {
        let submit = |record: ModelRecord, signature| {
            let origin = RuntimeOrigin::signed(producer());
            Registry::register_model(origin, producer(), Box::new(record), signature)
        };
        let other_key = sign(&validator(), &base(1));
        assert_noop!(submit(base(1), other_key), Error::<Test>::BadSignature);
        let other_record = sign(&producer(), &ModelRecord { size: 7, ..base(1) });
        assert_noop!(submit(base(1), other_record), Error::<Test>::BadSignature);
        let other_chain = declaration(&H256::zero(), &producer(), &base(1));
        let other_chain = crate::mock::worker(&producer()).sign(other_chain.as_bytes());
        assert_noop!(submit(base(1), other_chain), Error::<Test>::BadSignature);

        // After a rotation the old key does not count any more.
        let old = sign(&producer(), &base(1));
        change_nodes(|nodes| {
            nodes.get_mut(&producer()).unwrap().worker = crate::mock::worker(&stranger()).public()
        });
        assert_noop!(submit(base(1), old), Error::<Test>::BadSignature);
    })
}

#[test]
fn malformed_records_are_refused() {
    run(|| {
        let cases: [(fn(&mut ModelRecord), Error<Test>); 5] = [
            (|r| r.name = text(""), Error::BadName),
            (|r| r.licence = text("MIT; or so"), Error::BadLicence),
            (|r| r.size = 0, Error::BadSize),
            (|r| r.hash = H256::zero(), Error::BadHash),
            (
                |r| r.provenance.data_sources = Default::default(),
                Error::BadProvenance,
            ),
        ];
        for (change, error) in cases {
            let mut record = base(1);
            change(&mut record);
            assert_noop!(register(record), error);
        }
    })
}

#[test]
fn a_file_is_registered_once() {
    run(|| {
        assert_ok!(register(base(1)));
        assert_noop!(register(base(1)), Error::<Test>::AlreadyRegistered);
        assert_noop!(
            register(adapter(1, hash(9), 0)),
            Error::<Test>::AlreadyRegistered
        );
    })
}

#[test]
fn an_adapter_needs_a_live_base_and_a_topic() {
    run(|| {
        assert_noop!(
            register(adapter(2, hash(1), 0)),
            Error::<Test>::ModelNotFound
        );
        assert_ok!(register(base(1)));
        assert_noop!(
            register(adapter(2, hash(1), 7)),
            Error::<Test>::TopicNotFound
        );
        assert_ok!(register(adapter(2, hash(1), 0)));
        assert_noop!(register(adapter(3, hash(2), 0)), Error::<Test>::NotBase);
        assert_ok!(set(1, Retired));
        assert_noop!(
            register(adapter(3, hash(1), 0)),
            Error::<Test>::ModelRetired
        );
    })
}

#[test]
fn one_producer_cannot_fill_the_registry() {
    run(|| {
        for n in 1..=3 {
            assert_ok!(register(base(n)));
        }
        assert_noop!(register(base(4)), Error::<Test>::TooManyCandidates);
        assert_ok!(set(1, Champion));
        assert_ok!(register(base(4)));
        assert_eq!(Candidates::<Test>::get(producer()), 3);
    })
}

#[test]
fn models_are_bounded_and_retired_ones_make_room() {
    run(|| {
        for n in 1..=8 {
            assert_ok!(register(base(n)));
            assert_ok!(set(n, Retired));
        }
        assert_noop!(register(base(9)), Error::<Test>::TooManyModels);
        assert_ok!(Registry::remove_model(RuntimeOrigin::root(), hash(1)));
        assert_eq!(last_event(), Event::ModelRemoved { model: hash(1) });
        assert_ok!(register(base(9)));
    })
}

#[test]
fn a_producer_retires_its_own_candidates_only() {
    run(|| {
        let retire = |who, n| Registry::retire_model(RuntimeOrigin::signed(who), hash(n));
        assert_ok!(register(base(1)));
        assert_ok!(register(base(2)));
        assert_noop!(retire(other_member(), 1), Error::<Test>::NotYourNode);
        assert_noop!(retire(producer(), 9), Error::<Test>::ModelNotFound);
        assert_ok!(retire(producer(), 1));
        assert_eq!(
            last_event(),
            Event::StatusChanged {
                model: hash(1),
                from: Candidate,
                to: Retired
            }
        );
        assert_ok!(retire(member(), 2));
        assert_noop!(retire(producer(), 1), Error::<Test>::NotCandidate);
        assert_ok!(register(base(3)));
        assert_ok!(set(3, Champion));
        assert_noop!(retire(producer(), 3), Error::<Test>::NotCandidate);
    })
}

#[test]
fn statuses_are_set_by_the_governing_origin_alone() {
    run(|| {
        assert_ok!(register(base(1)));
        let by_producer = RuntimeOrigin::signed(producer());
        assert_noop!(
            Registry::set_status(by_producer.clone(), hash(1), Champion),
            BadOrigin
        );
        assert_noop!(Registry::remove_model(by_producer, hash(1)), BadOrigin);
        assert_noop!(set(9, Champion), Error::<Test>::ModelNotFound);
        assert_noop!(set(1, Candidate), Error::<Test>::SameStatus);
    })
}

#[test]
fn a_topic_has_one_champion_per_base() {
    run(|| {
        for n in 1..=3 {
            assert_ok!(register(base(n)));
            assert_ok!(set(n, Champion));
        }
        for n in 1..=3 {
            assert_ok!(register(adapter(10 + n, hash(n), 0)));
        }
        assert_ok!(set(11, Champion));
        assert_ok!(set(12, Champion));
        assert_eq!(status(11), Champion);
        assert_noop!(set(13, Champion), Error::<Test>::TooManyChampions);
        assert_ok!(set(11, Warm));
        assert_ok!(set(13, Champion));
        assert_eq!(
            BaseUses::<Test>::get(hash(1)),
            BaseUse {
                adapters: 1,
                champions: 0
            }
        );
        assert_eq!(
            BaseUses::<Test>::get(hash(3)),
            BaseUse {
                adapters: 1,
                champions: 1
            }
        );
    })
}

#[test]
fn a_base_with_champions_cannot_be_retired() {
    run(|| {
        assert_ok!(register(base(1)));
        assert_ok!(register(adapter(2, hash(1), 0)));
        assert_ok!(set(2, Champion));
        assert_noop!(set(1, Retired), Error::<Test>::BaseInUse);
        assert_ok!(set(2, Warm));
        assert_ok!(set(1, Retired));
        assert_noop!(set(2, Champion), Error::<Test>::ModelRetired);
    })
}

#[test]
fn only_retired_models_without_adapters_are_removed() {
    run(|| {
        let remove = |n| Registry::remove_model(RuntimeOrigin::root(), hash(n));
        assert_noop!(remove(1), Error::<Test>::ModelNotFound);
        assert_ok!(register(base(1)));
        assert_ok!(register(adapter(2, hash(1), 0)));
        assert_noop!(remove(1), Error::<Test>::NotRetired);
        assert_ok!(set(1, Retired));
        assert_noop!(remove(1), Error::<Test>::BaseHasAdapters);
        assert_ok!(set(2, Retired));
        assert_ok!(remove(2));
        assert_ok!(remove(1));
        assert_eq!(BaseUses::<Test>::iter().count(), 0);
        assert_eq!(Candidates::<Test>::iter().count(), 0);
    })
}

#[test]
fn governance_can_bring_a_retired_model_back() {
    run(|| {
        assert_ok!(register(base(1)));
        assert_ok!(set(1, Retired));
        assert_ok!(set(1, Candidate));
        assert_eq!(Candidates::<Test>::get(producer()), 1);
    })
}

#[test]
fn the_api_shows_bases_and_adapters() {
    run(|| {
        assert_ok!(register(base(1)));
        assert_ok!(register(adapter(2, hash(1), 1)));
        let mut models = Registry::models();
        models.sort_by_key(|model| model.hash);
        assert_eq!((models[0].base, models[0].topic), (None, None));
        assert_eq!((models[1].base, models[1].topic), (Some(hash(1)), Some(1)));
        assert_eq!(models[1].producer, producer());
        let names: Vec<_> = Registry::topics()
            .into_iter()
            .map(|topic| topic.name)
            .collect();
        assert_eq!(names, [b"code".to_vec(), b"strategy".to_vec()]);
    })
}
