use crate::{Error, Event, Namespaces, Roots, mock::*, types::MAX_SNAPSHOTS};
use frame_support::{assert_noop, assert_ok};
use touchstone_primitives::memory::{NamespaceId, Writers};

fn snapshot(id: NamespaceId, of: &str) -> frame_support::dispatch::DispatchResult {
    Memory::snapshot(signed(member()), id, name(of))
}

#[test]
fn a_snapshot_outlives_newer_versions() {
    run(|| {
        let id = create("notes", Writers::Owner);
        commit_versions(id, [1]);
        assert_ok!(snapshot(id, "first"));
        let event = Event::SnapshotTaken {
            namespace: id,
            version: 1,
            root: state(id, 1).root(),
            name: name("first"),
        };
        assert_eq!(last_event(), event);
        commit_versions(id, 2..=70);
        assert!(!Roots::<Test>::contains_key(id, 2));
        let (key, value) = leaves(1)[0];
        let found = Memory::memory_verify(id, 1, &[key], &prove(1, &[key]));
        assert_eq!(found, Ok(vec![Some(value)]));
    })
}

#[test]
fn a_dropped_snapshot_is_kept_only_while_it_is_recent() {
    run(|| {
        let id = create("notes", Writers::Owner);
        let drop = |version| Memory::drop_snapshot(signed(member()), id, version);
        commit_versions(id, [1]);
        assert_ok!(snapshot(id, "first"));
        commit_versions(id, 2..=70);
        assert_ok!(snapshot(id, "last"));
        assert_ok!(drop(70));
        assert_eq!(Roots::<Test>::get(id, 70).unwrap().snapshot, None);
        assert_ok!(drop(1));
        assert_eq!(
            last_event(),
            Event::SnapshotDropped {
                namespace: id,
                version: 1
            }
        );
        assert!(!Roots::<Test>::contains_key(id, 1));
        assert_eq!(Namespaces::<Test>::get(id).unwrap().snapshots, 0);
        assert_noop!(drop(70), Error::<Test>::NotSnapshot);
        assert_noop!(drop(1), Error::<Test>::UnknownVersion);
    })
}

#[test]
fn a_root_is_one_snapshot_with_a_proper_name() {
    run(|| {
        let id = create("notes", Writers::Owner);
        assert_noop!(snapshot(id, ""), Error::<Test>::BadName);
        assert_noop!(snapshot(id, "a\tb"), Error::<Test>::BadName);
        assert_ok!(snapshot(id, "empty"));
        assert_noop!(snapshot(id, "again"), Error::<Test>::AlreadySnapshot);
    })
}

#[test]
fn snapshots_are_bounded() {
    run(|| {
        let id = create("notes", Writers::Owner);
        for n in 0..u64::from(MAX_SNAPSHOTS) {
            commit_versions(id, [n + 1]);
            assert_ok!(snapshot(id, &n.to_string()));
        }
        commit_versions(id, [65]);
        assert_noop!(snapshot(id, "one more"), Error::<Test>::TooManySnapshots);
        assert_ok!(Memory::drop_snapshot(signed(member()), id, 1));
        assert_ok!(snapshot(id, "one more"));
        // As many roots as there can be, and all of them go.
        commit_versions(id, 66..=130);
        assert_eq!(Roots::<Test>::iter_prefix(id).count(), 128);
        Memory::do_try_state().unwrap();
        assert_ok!(Memory::delete_namespace(signed(member()), id));
        assert_eq!(Roots::<Test>::iter().count(), 0);
    })
}
