//! Motions of the council, from proposal to execution.

use codec::Encode;
use frame_support::weights::Weight;
use futures::future::try_join_all;
use sp_keyring::Sr25519Keyring;
use touchstone_client::{
    Chain, Result,
    submit::{Included, RuntimeCall, RuntimeEvent, Until, error_name, submit},
};

/// More than any motion of these tests needs.
const WEIGHT: Weight = Weight::from_parts(300_000_000_000, 1_000_000);

/// The founders' council seats.
pub const FOUNDERS: [Sr25519Keyring; 4] = [
    Sr25519Keyring::Alice,
    Sr25519Keyring::Bob,
    Sr25519Keyring::Charlie,
    Sr25519Keyring::Dave,
];

/// Proposes `call`, lets `voters` say aye, and executes it. `Err` names the error that the call itself ended with.
///
/// Every step waits for finality, so that no fork can order a vote before its motion.
pub async fn motion(
    chain: &Chain,
    call: RuntimeCall,
    voters: &[Sr25519Keyring],
) -> Result<std::result::Result<Included, String>> {
    let proposer = voters.first().expect("a motion has voters").pair();
    let length_bound = call.encoded_size() as u32;
    let propose = pallet_collective::Call::propose {
        threshold: voters.len() as u32,
        proposal: Box::new(call),
        length_bound,
    };
    let proposed = submit(
        chain,
        RuntimeCall::Council(propose),
        &proposer,
        Until::Finalized,
    )
    .await?;
    let (index, proposal) = proposed
        .events
        .iter()
        .find_map(|event| match event {
            RuntimeEvent::Council(pallet_collective::Event::Proposed {
                proposal_index,
                proposal_hash,
                ..
            }) => Some((*proposal_index, *proposal_hash)),
            _ => None,
        })
        .expect("a proposal that was included deposits its event");
    try_join_all(voters.iter().map(|voter| async {
        let vote = pallet_collective::Call::vote {
            proposal,
            index,
            approve: true,
        };
        submit(
            chain,
            RuntimeCall::Council(vote),
            &voter.pair(),
            Until::Finalized,
        )
        .await
    }))
    .await?;
    let close = pallet_collective::Call::close {
        proposal_hash: proposal,
        index,
        proposal_weight_bound: WEIGHT,
        length_bound,
    };
    let closed = submit(
        chain,
        RuntimeCall::Council(close),
        &proposer,
        Until::Finalized,
    )
    .await?;
    let result = closed.events.iter().find_map(|event| match event {
        RuntimeEvent::Council(pallet_collective::Event::Executed { result, .. }) => Some(*result),
        _ => None,
    });
    Ok(
        match result.expect("a motion with enough votes is executed") {
            Ok(()) => Ok(closed),
            Err(error) => Err(error_name(error)),
        },
    )
}
