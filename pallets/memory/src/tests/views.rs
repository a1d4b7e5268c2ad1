use crate::mock::*;
use frame_support::assert_ok;
use touchstone_primitives::memory::{Rights, Visibility, Writers, namespace_id};

#[test]
fn a_namespace_is_shown_with_whom_it_lists() {
    run(|| {
        let id = create("notes", Writers::Listed);
        for who in [stranger(), other_member()] {
            assert_ok!(Memory::grant(signed(member()), id, who, WRITE));
        }
        commit_versions(id, [7]);
        let shown = Memory::namespace(id).unwrap();
        assert_eq!((shown.name.as_str(), shown.owner), ("notes", member()));
        assert_eq!((shown.id, shown.state, shown.block), (id, state(id, 7), 2));
        assert_eq!((shown.root, shown.bytes), (state(id, 7).root(), 700));
        let mut granted = vec![(stranger(), WRITE), (other_member(), WRITE)];
        granted.sort_by(|(one, _), (other, _)| one.cmp(other));
        assert_eq!(shown.granted, granted);
        assert_eq!(Memory::namespace(namespace_id("nothing")), None);
    })
}

#[test]
fn namespaces_are_listed_in_order_and_in_pages() {
    run(|| {
        let mut ids: Vec<_> = (0..CREDIT / DEPOSIT - 1)
            .map(|n| create(&format!("n{n}"), Writers::Owner))
            .chain((0..5).map(|n| {
                let name = format!("m{n}");
                assert_ok!(create_by(other_member(), &name, Writers::Owner));
                namespace_id(&name)
            }))
            .collect();
        ids.sort();
        let page = |after, limit| -> Vec<_> {
            Memory::namespaces(after, limit)
                .into_iter()
                .map(|one| one.id)
                .collect()
        };
        assert_eq!(page(None, 7), ids[..7]);
        assert_eq!(page(Some(ids[6]), 7), ids[7..14]);
        assert_eq!(page(None, u32::MAX), ids[..100]);
        assert_eq!(page(Some(ids[99]), 100), ids[100..]);
        assert_eq!(page(ids.last().copied(), 100), []);
    })
}

#[test]
fn the_history_is_shown_oldest_first() {
    run(|| {
        let id = create("notes", Writers::Owner);
        commit_versions(id, [3, 300, 700]);
        assert_ok!(Memory::snapshot(signed(member()), id, name("now")));
        let history = Memory::memory_history(id);
        let versions: Vec<_> = history.iter().map(|root| root.state.version).collect();
        assert_eq!(versions, [0, 3, 300, 700]);
        assert_eq!(history[3].snapshot.as_deref(), Some("now"));
        assert_eq!(history[1].root, state(id, 3).root());
        assert_eq!(
            (
                history[0].block,
                history[1].block,
                history[1].writer.clone()
            ),
            (1, 2, Some(by(member())))
        );
        assert_eq!(Memory::memory_root(id, 300).as_ref(), history.get(2));
        assert_eq!(Memory::memory_root(id, 4), None);
        assert_eq!(Memory::memory_history(namespace_id("nothing")), []);
    })
}

#[test]
fn rights_are_shown_for_accounts_and_nodes() {
    run(|| {
        let id = create("notes", Writers::Nodes);
        let both = Rights {
            write: true,
            hold: true,
        };
        let rights = |who| Memory::memory_rights(id, who);
        assert_eq!(rights(member()), WRITE);
        assert_eq!(rights(node()), both);
        assert_eq!(rights(stranger()), NOTHING);
        assert_ok!(Memory::set_policy(
            signed(member()),
            id,
            Writers::Listed,
            Visibility::Granted
        ));
        assert_eq!(rights(node()), NOTHING);
        assert_ok!(Memory::grant(signed(member()), id, node(), both));
        assert_eq!((rights(node()), rights(other_node())), (both, NOTHING));
        assert_eq!(
            Memory::memory_rights(namespace_id("nothing"), member()),
            NOTHING
        );
    })
}
