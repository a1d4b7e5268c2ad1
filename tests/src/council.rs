//! Motions of the council, from proposal to execution.

use crate::wait::until_true;
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
    motion_until(chain, call, voters, Until::Finalized).await
}

/// The same, following each step only as far as `until`: nothing becomes final while finality stalls.
pub async fn motion_until(
    chain: &Chain,
    call: RuntimeCall,
    voters: &[Sr25519Keyring],
    until: Until,
) -> Result<std::result::Result<Included, String>> {
    let proposer = voters.first().expect("a motion has voters").pair();
    let length_bound = call.encoded_size() as u32;
    let propose = pallet_collective::Call::propose {
        threshold: voters.len() as u32,
        proposal: Box::new(call),
        length_bound,
    };
    let proposed = submit(chain, RuntimeCall::Council(propose), &proposer, until).await?;
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
        submit(chain, RuntimeCall::Council(vote), &voter.pair(), until).await
    }))
    .await?;
    let close = pallet_collective::Call::close {
        proposal_hash: proposal,
        index,
        proposal_weight_bound: WEIGHT,
        length_bound,
    };
    let closed = submit(chain, RuntimeCall::Council(close), &proposer, until).await?;
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

/// Has the council's `voters` execute `call` as Root, and waits until the time-lock is over and the call has run.
pub async fn root(chain: &Chain, call: RuntimeCall, voters: &[Sr25519Keyring], until: Until) {
    let propose = pallet_consortium::Call::propose_root {
        call: Box::new(call),
    };
    let proposed = motion_until(chain, propose.into(), voters, until)
        .await
        .expect("the motion passes")
        .expect("the council may propose it");
    let at = locked_until(&proposed);
    until_true("the time-lock is over", 600, async || {
        let number = match until {
            Until::Included => chain.best_number().await,
            Until::Finalized => chain.finalized_number().await,
        };
        number.is_ok_and(|number| number >= at)
    })
    .await;
}

/// The block in which what was proposed runs as Root.
pub fn locked_until(proposed: &Included) -> u32 {
    proposed
        .events
        .iter()
        .find_map(|event| match event {
            RuntimeEvent::Consortium(pallet_consortium::Event::RootProposed { at, .. }) => {
                Some(*at)
            }
            _ => None,
        })
        .expect("a Root proposal is announced")
}
