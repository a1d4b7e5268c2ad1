use crate::{Deleted, Error, Event, Grants, Namespaces, Roots, mock::*, types::MAX_GRANTS};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{AccountId32, DispatchError::BadOrigin, TokenError, traits::Zero};
use touchstone_primitives::memory::{Kind, Rights, State, Visibility, Writers, namespace_id};

fn create_named(bytes: &[u8]) -> frame_support::dispatch::DispatchResult {
    let name = bytes.to_vec().try_into().unwrap();
    Memory::create_namespace(
        signed(member()),
        name,
        Kind::User,
        stranger(),
        Writers::Owner,
        Visibility::Granted,
    )
}

#[test]
fn a_member_creates_a_namespace_for_anybody_and_pays_its_deposit() {
    run(|| {
        assert_ok!(create_named(b"what I told"));
        let id = namespace_id("what I told");
        let event = Event::NamespaceCreated {
            namespace: id,
            name: name("what I told"),
            kind: Kind::User,
            owner: stranger(),
            sponsor: member(),
        };
        assert_eq!(last_event(), event);
        assert_eq!((held(&member()), held(&stranger())), (DEPOSIT, 0));
        let found = Namespaces::<Test>::get(id).unwrap();
        assert_eq!(found.state, State::empty(id));
        assert_eq!((found.since, found.committed_at), (1, 1));
        // Absence can be proven from the start.
        assert_eq!(Roots::<Test>::get(id, 0).unwrap().state, State::empty(id));
    })
}

#[test]
fn only_an_active_member_with_credit_creates() {
    run(|| {
        assert_noop!(
            create_by(stranger(), "a", Writers::Owner),
            Error::<Test>::NotMember
        );
        assert_noop!(
            create_by(node(), "a", Writers::Owner),
            Error::<Test>::NotMember
        );
        Price::set(CREDIT + 1);
        assert_noop!(
            create_by(member(), "a", Writers::Owner),
            TokenError::FundsUnavailable
        );
    })
}

#[test]
fn a_name_is_printable_and_used_once() {
    run(|| {
        for bad in [&b""[..], b" a", b"a\n", b"a\0b", &[0xff]] {
            assert_noop!(create_named(bad), Error::<Test>::BadName);
        }
        assert_ok!(create_named("Köln".as_bytes()));
        assert_noop!(create_named("Köln".as_bytes()), Error::<Test>::NameTaken);
        assert_ok!(create_named(&[b'a'; 64]));
    })
}

#[test]
fn a_deleted_namespace_leaves_nothing_but_its_tombstone() {
    run(|| {
        let (other, id) = (
            create("other", Writers::Listed),
            create("notes", Writers::Listed),
        );
        for id in [other, id] {
            assert_ok!(Memory::grant(signed(member()), id, stranger(), WRITE));
        }
        for version in 1..=70 {
            commit_versions(id, [version]);
            if version == 3 {
                assert_ok!(Memory::snapshot(signed(member()), id, name("early")));
            }
        }
        // Whatever the deposit is now, what was paid comes back.
        Price::set(3);
        assert_ok!(Memory::delete_namespace(signed(member()), id));
        assert_eq!(last_event(), Event::NamespaceDeleted { namespace: id });
        assert_eq!(held(&member()), DEPOSIT);
        assert!(Roots::<Test>::iter_prefix(id).count().is_zero());
        assert!(Grants::<Test>::iter_prefix(id).count().is_zero());
        assert!(Deleted::<Test>::contains_key(id));
        // The other one is whole.
        assert_eq!(Roots::<Test>::iter_prefix(other).count(), 1);
        assert_eq!(Grants::<Test>::iter_prefix(other).count(), 1);

        assert_noop!(
            create_by(member(), "notes", Writers::Owner),
            Error::<Test>::NameUsed
        );
        assert_noop!(
            Memory::delete_namespace(signed(member()), id),
            Error::<Test>::UnknownNamespace
        );
    })
}

#[test]
fn the_owner_hands_the_namespace_over_with_all_it_may() {
    run(|| {
        let id = create("notes", Writers::Owner);
        assert_ok!(Memory::transfer(signed(member()), id, stranger()));
        let event = Event::NamespaceTransferred {
            namespace: id,
            from: member(),
            to: stranger(),
        };
        assert_eq!(last_event(), event);
        assert_noop!(
            Memory::transfer(signed(member()), id, member()),
            Error::<Test>::NotOwner
        );
        // The deposit goes back to who paid it.
        assert_ok!(Memory::delete_namespace(signed(stranger()), id));
        assert_eq!(held(&member()), 0);
    })
}

#[test]
fn the_owner_sets_the_policy() {
    run(|| {
        let id = create("notes", Writers::Owner);
        let (writers, visibility) = (Writers::Nodes, Visibility::Granted);
        assert_ok!(Memory::set_policy(
            signed(member()),
            id,
            writers,
            visibility
        ));
        let event = Event::PolicySet {
            namespace: id,
            writers,
            visibility,
        };
        assert_eq!(last_event(), event);
        let found = Namespaces::<Test>::get(id).unwrap();
        assert_eq!((found.writers, found.visibility), (writers, visibility));
    })
}

#[test]
fn who_may_hold_a_namespace_is_fixed_once_somebody_does() {
    run(|| {
        let id = create("notes", Writers::Nodes);
        commit_versions(id, [1]);
        let set =
            |writers, visibility| Memory::set_policy(signed(member()), id, writers, visibility);
        assert_noop!(
            set(Writers::Nodes, Visibility::Granted),
            Error::<Test>::NotEmpty
        );
        assert_ok!(set(Writers::Owner, Visibility::Public));
    })
}

#[test]
fn the_owner_lists_a_bounded_number_of_accounts() {
    run(|| {
        let id = create("notes", Writers::Listed);
        let grant = |n: u32, rights| {
            Memory::grant(
                signed(member()),
                id,
                AccountId32::new([n as u8; 32]),
                rights,
            )
        };
        for n in 0..MAX_GRANTS {
            assert_ok!(grant(n, WRITE));
        }
        assert_noop!(grant(MAX_GRANTS, WRITE), Error::<Test>::TooManyGrants);
        let both = Rights {
            write: true,
            hold: true,
        };
        // Who is listed can be listed for something else.
        assert_ok!(grant(0, both));
        assert_eq!(Namespaces::<Test>::get(id).unwrap().grants, MAX_GRANTS);
        assert_ok!(grant(1, NOTHING));
        let event = Event::RightsGranted {
            namespace: id,
            who: AccountId32::new([1; 32]),
            rights: NOTHING,
        };
        assert_eq!(last_event(), event);
        assert_noop!(grant(1, NOTHING), Error::<Test>::NotListed);
        assert_ok!(grant(MAX_GRANTS, WRITE));
    })
}

#[test]
fn nobody_else_decides() {
    run(|| {
        let id = create("notes", Writers::Listed);
        assert_ok!(Memory::grant(signed(member()), id, stranger(), WRITE));
        let unknown = namespace_id("nothing");
        let calls = |origin: RuntimeOrigin, id| {
            [
                Memory::set_policy(origin.clone(), id, Writers::Owner, Visibility::Public),
                Memory::transfer(origin.clone(), id, stranger()),
                Memory::grant(origin.clone(), id, stranger(), WRITE),
                Memory::delete_namespace(origin.clone(), id),
                Memory::snapshot(origin.clone(), id, name("mine")),
                Memory::drop_snapshot(origin, id, 0),
            ]
        };
        for who in [stranger(), other_member(), node()] {
            for result in calls(signed(who), id) {
                assert_eq!(result, Err(Error::<Test>::NotOwner.into()));
            }
        }
        // Nor the council, unless it alone may change the namespace.
        for origin in [RuntimeOrigin::root(), RuntimeOrigin::none()] {
            for result in calls(origin, id) {
                assert_eq!(result, Err(BadOrigin));
            }
        }
        for result in calls(signed(member()), unknown) {
            assert_eq!(result, Err(Error::<Test>::UnknownNamespace.into()));
        }
        assert_eq!(
            create_by_nobody(),
            Err(BadOrigin),
            "creating takes an account"
        );
    })
}

fn create_by_nobody() -> frame_support::dispatch::DispatchResult {
    Memory::create_namespace(
        RuntimeOrigin::root(),
        name("a"),
        Kind::Topic,
        member(),
        Writers::Council,
        Visibility::Public,
    )
}

#[test]
fn the_council_decides_about_what_only_it_may_change() {
    run(|| {
        let id = create("canon", Writers::Council);
        let council = RuntimeOrigin::root;
        assert_ok!(Memory::grant(council(), id, stranger(), WRITE));
        assert_ok!(Memory::snapshot(council(), id, name("empty")));
        assert_ok!(Memory::drop_snapshot(council(), id, 0));
        assert_ok!(Memory::transfer(council(), id, other_member()));
        assert_ok!(Memory::set_policy(
            council(),
            id,
            Writers::Owner,
            Visibility::Public
        ));
        assert_noop!(Memory::delete_namespace(council(), id), BadOrigin);
        assert_ok!(Memory::set_policy(
            signed(other_member()),
            id,
            Writers::Council,
            Visibility::Public
        ));
        assert_ok!(Memory::delete_namespace(council(), id));
    })
}
