//! A forkless upgrade with a storage migration, while finality runs.

use sp_core::H256;
use sp_keyring::Sr25519Keyring::{Alice, Bob, Charlie};
use std::path::PathBuf;
use touchstone_client::{
    chain::storage_key,
    submit::{RuntimeCall, RuntimeEvent, Until, error_name, submit},
};
use touchstone_tests::{
    answers::{ask, wait_for_proof},
    council::{locked_until, motion},
    network::Network,
    wait::until_true,
};

/// Where the rehearsed migration leaves the version that it brought.
const MARK: &[u8] = b"touchstone/rehearsal";

/// The blob with a higher version and a migration: what `TOUCHSTONE_UPGRADE_WASM` says, or what `scripts/test` builds.
fn rehearsal() -> Vec<u8> {
    let path = std::env::var_os("TOUCHSTONE_UPGRADE_WASM").map_or_else(
		|| {
			let test = std::env::current_exe().expect("a running test has a path");
			let target = test.ancestors().nth(3).expect("tests are in target/PROFILE/deps");
			target.join("upgrade-rehearsal/release/wbuild/touchstone-runtime/touchstone_runtime.compact.compressed.wasm")
		},
		PathBuf::from,
	);
    std::fs::read(&path).unwrap_or_else(|e| {
		panic!(
			"{}: {e}; `CARGO_TARGET_DIR=$CARGO_TARGET_DIR/upgrade-rehearsal cargo build --release -p touchstone-runtime --features upgrade-rehearsal` makes it",
			path.display()
		)
	})
}

#[tokio::test]
async fn the_council_upgrades_the_runtime_while_finality_runs() {
    let code = rehearsal();
    let mut network = Network::local("upgrade").await;
    let alice = network.chain(0).await;
    let head = alice.finalized().await.unwrap();
    let before = alice.runtime_version(head).await.unwrap();
    let (members, nodes) = (
        alice.members(head).await.unwrap(),
        alice.nodes(head).await.unwrap(),
    );
    let answer = ask(&alice, "Before the upgrade?").await;

    // Three quarters of the council, then the time-lock.
    let code_hash = H256(sp_crypto_hashing::blake2_256(&code));
    let authorize = RuntimeCall::System(frame_system::Call::authorize_upgrade { code_hash });
    let propose = pallet_consortium::Call::propose_root {
        call: Box::new(authorize),
    };
    let proposed = motion(
        &alice,
        RuntimeCall::Consortium(propose),
        &[Alice, Bob, Charlie],
    )
    .await
    .unwrap()
    .unwrap();
    let at = locked_until(&proposed);
    let number = alice.header(proposed.block).await.unwrap().number;
    assert!(at >= number + 10, "the time-lock of `local` is ten blocks");

    // Before it is over the code is refused.
    let apply =
        || RuntimeCall::System(frame_system::Call::apply_authorized_upgrade { code: code.clone() });
    let early = submit(&alice, apply(), &Alice.pair(), Until::Finalized)
        .await
        .unwrap_err();
    assert!(early.to_string().contains("NothingAuthorized"), "{early}");

    let authorized = storage_key("System", "AuthorizedUpgrade");
    until_true("the upgrade is authorised", 120, async || {
        let Ok(head) = alice.finalized().await else {
            return false;
        };
        alice
            .storage::<(H256, bool)>(&authorized, head)
            .await
            .is_ok_and(|found| found == Some((code_hash, true)))
    })
    .await;
    let applied = submit(&alice, apply(), &Alice.pair(), Until::Finalized)
        .await
        .unwrap();
    for event in applied.events {
        if let RuntimeEvent::System(frame_system::Event::RejectedInvalidAuthorizedUpgrade {
            error,
            ..
        }) = event
        {
            panic!("the blob is refused: {}", error_name(error));
        }
    }

    until_true(
        "the new runtime is in force in finalised state",
        60,
        async || {
            let Ok(head) = alice.finalized().await else {
                return false;
            };
            alice
                .runtime_version(head)
                .await
                .is_ok_and(|version| version.spec_version > before.spec_version)
        },
    )
    .await;
    let last = alice.finalized_number().await.unwrap();
    for index in 0..4 {
        network.wait_for_finalized(index, last + 3, 60).await;
    }

    // The migration ran once, what was there is still there, and old and new receipts are anchored.
    let head = alice.finalized().await.unwrap();
    let after = alice.runtime_version(head).await.unwrap();
    assert_eq!(
        alice.storage::<u32>(MARK, head).await.unwrap(),
        Some(after.spec_version)
    );
    let version = storage_key("Facts", ":__STORAGE_VERSION__:");
    assert_eq!(alice.storage::<u16>(&version, head).await.unwrap(), Some(2));
    assert_eq!(alice.members(head).await.unwrap(), members);
    assert_eq!(alice.nodes(head).await.unwrap(), nodes);
    let later = ask(&alice, "After the upgrade?").await;
    for answer in [&answer, &later] {
        wait_for_proof(&alice, answer).await;
    }
    network.check_finality().await;
}
