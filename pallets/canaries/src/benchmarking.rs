//! Benchmarks, each in its worst case.

#![allow(clippy::arithmetic_side_effects)]

use crate::{
    Answers, AuditEpochs, Audits, Authored, Call, CheckersOpened, Committed, Config, Ended,
    Enrolments, Latest, Live, NextCanary, NextRound, OldestRound, Pallet, Pools, Queue,
    QueuedEpoch, Rates, Results, RoundWindows, Rounds, Rules, TasksOpened, types::*,
};
use alloc::{collections::BTreeMap, format, string::String, vec, vec::Vec};
use codec::Encode;
use frame_benchmarking::v2::*;
use frame_support::{
    BoundedVec,
    traits::{Authorize, EnsureOrigin, Get, Time, UnfilteredDispatchable, fungible::Mutate},
};
use frame_system::{RawOrigin, pallet_prelude::BlockNumberFor};
use sp_runtime::{RuntimeAppPublic, Saturating, transaction_validity::TransactionSource};
use touchstone_primitives::{
    H256, Moment, NodeId,
    audit::{
        Audit, AuditState, Entries, Entry, MAX_AUDITS, MAX_TEXT, TARGETS, Target, VrfProof,
        proven_output, targets, vrf_input,
    },
    authored::{MAX_AUTHORED, MAX_OF_AUTHOR, MAX_WAITING, Part, Sealed, TaskText, seal},
    canary::{
        Answer, MAX_FAMILIES, MAX_GROUPS, MAX_SLOTS, Outcome, Presence, Revealed, RoundFacts,
        TopicRules, Windows, commitment, duties,
    },
    checkers::{Checker, MAX_TASK},
    evidence::ModelsOf,
    fixed::Fixed,
    generators,
    provenance::Tier,
    receipt::{Beacon, Body, Receipt, ReceiptV1, Sampler, Wrapper, answer_hash},
    traits::MembershipOf,
    worker::WorkerId,
};

const TOPIC: u32 = 0;
const WINDOWS: Windows = Windows {
    open: 100,
    commit: 100,
    reveal: 100,
};

fn rules() -> TopicRules {
    // The families whose answers cost most to check, at their largest.
    let dear = generators::ids(&["record", "retrieval", "sorting", "equation"]);
    let families: Vec<_> = (0..MAX_FAMILIES as usize)
        .map(|n| (dear[n % dear.len()], 4))
        .collect();
    TopicRules {
        families: families.try_into().unwrap_or_default(),
        slots: (MAX_SLOTS - MAX_AUTHORED) as u8,
        authored: MAX_AUTHORED as u8,
    }
}

fn expensive_checker() -> Vec<u8> {
    let schema = format!(
        "{{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{{{}}}}}",
        (0..60)
            .map(|n| format!("\"key{n}\":{{\"type\":\"integer\"}}"))
            .collect::<Vec<_>>()
            .join(",")
    );
    let schema = schema.into_bytes();
    Checker::JsonSchema { schema }.encode()
}

/// What a part of a benchmark's canary holds, at its longest.
fn content(part: Part) -> Vec<u8> {
    match part {
        Part::Task => vec![b'x'; MAX_TASK as usize],
        Part::Checker => expensive_checker(),
    }
}

fn sealed<T: Config>(author: &NodeId) -> Sealed {
    let hash = |part| {
        seal(
            part,
            &Pallet::<T>::genesis(),
            author,
            &[1; 32],
            &content(part),
        )
    };
    Sealed {
        task: hash(Part::Task),
        checker: hash(Part::Checker),
        difficulty: Fixed::ONE,
        expires: Moment::MAX,
    }
}

/// A member with credit.
fn author<T: Config>(n: u32) -> NodeId {
    // Nodes of the rounds are added after the authors; four places are left for these.
    let (node, _) = add_node::<T>(n.saturating_add(1_000));
    let member = Pallet::<T>::group_of(&node).unwrap_or(node);
    let credit = T::CanaryDeposit::get().saturating_mul(1_000u32.into());
    let _ = T::Currency::mint_into(&member, credit);
    let _ = T::Currency::mint_into(&T::Commons::get(), credit);
    member
}

fn register_many<T: Config>(author: &NodeId, count: u32) -> Result<(), BenchmarkError> {
    for _ in 0..count {
        let one = vec![sealed::<T>(author)];
        Pallet::<T>::do_register(author.clone(), TOPIC, BoundedVec::truncate_from(one))?;
    }
    Ok(())
}

/// Canaries of as many authors as a round takes, drawn by round 0; open if asked for.
fn drawn<T: Config>(is_open: bool) -> Result<Vec<(u32, NodeId)>, BenchmarkError> {
    let mut all = Vec::new();
    for n in 0..MAX_AUTHORED {
        let author = author::<T>(n);
        register_many::<T>(&author, 1)?;
        let id = NextCanary::<T>::get().saturating_sub(1);
        Authored::<T>::mutate(id, |canary| {
            if let Some(canary) = canary {
                canary.round = Some(0);
            }
        });
        if is_open {
            TasksOpened::<T>::insert(id, BoundedVec::truncate_from(content(Part::Task)));
            CheckersOpened::<T>::insert(id, BoundedVec::truncate_from(content(Part::Checker)));
        }
        all.push((id, author));
    }
    Pools::<T>::remove(TOPIC);
    Ok(all)
}

/// Round 0 takes these canaries of members.
fn with_authored<T: Config>(all: Vec<(u32, NodeId)>) -> Result<RoundFacts, BenchmarkError> {
    Rounds::<T>::try_mutate(0, |round| {
        let round = round
            .as_mut()
            .ok_or(BenchmarkError::Stop("round 0 is open"))?;
        round.facts.authored = BoundedVec::truncate_from(all);
        Ok(round.facts.clone())
    })
}

/// Nodes that are really registered: the chain that is measured has some of its own.
const NODES: u32 = MAX_NODES - 10;

/// Node `n` of member `n`.
fn add_node<T: Config>(n: u32) -> (NodeId, WorkerId) {
    let (node, worker): (NodeId, _) = (account("node", n, 0), WorkerId::generate_pair(None));
    T::Membership::create_for_benchmark(&account("member", n, 0), &node, worker.clone());
    (node, worker)
}

/// An examined topic and a model that serves it.
fn topic<T: Config>() -> Served {
    let base = T::Models::create_for_benchmark(TOPIC);
    RoundWindows::<T>::put(WINDOWS);
    Rules::<T>::insert(TOPIC, rules());
    Served {
        base,
        adapter: None,
    }
}

/// Round 0 with these nodes, opened in the current block.
fn round<T: Config>(mut nodes: Vec<NodeId>) -> RoundFacts {
    nodes.sort();
    let facts = RoundFacts {
        id: 0,
        topic: TOPIC,
        epoch: T::Epoch::get(),
        seed: H256::repeat_byte(7),
        start: Pallet::<T>::height(),
        windows: WINDOWS,
        rules: rules(),
        authored: BoundedVec::new(),
    };
    let round = Round {
        facts: facts.clone(),
        nodes: BoundedVec::truncate_from(nodes),
        settlement: Settlement::Folding(0),
        void: BoundedVec::new(),
    };
    Rounds::<T>::insert(0, round);
    Live::<T>::put(BoundedVec::truncate_from(vec![0]));
    Latest::<T>::insert(TOPIC, 0);
    NextRound::<T>::put(1);
    facts
}

fn member_of<T: Config>(node: &NodeId) -> Result<NodeId, BenchmarkError> {
    Pallet::<T>::group_of(node).ok_or(BenchmarkError::Stop("the node has a member"))
}

/// A node that has committed to the longest answers, and those answers.
fn committed<T: Config>(n: u32) -> Result<(NodeId, Vec<Revealed>), BenchmarkError> {
    topic::<T>();
    let (node, _) = add_node::<T>(0);
    round::<T>(vec![node.clone()]);
    let facts = with_authored::<T>(drawn::<T>(true)?)?;
    let genesis = Pallet::<T>::genesis();
    let (mut hashes, mut answers) = (Vec::new(), Vec::new());
    for duty in duties(&facts, &member_of::<T>(&node)?) {
        // Braces make the search for JSON start over and over.
        let answer = Answer::truncate_from(b"{\"a\":[1,2,3], ".repeat(80));
        let salt = [duty.slot; 32];
        hashes.push(commitment(
            &genesis,
            0,
            &duty.instance,
            &node,
            &salt,
            &answer,
        ));
        if u32::from(duty.slot) < n {
            answers.push(Revealed {
                slot: duty.slot,
                salt,
                answer,
            });
        }
    }
    Committed::<T>::insert(0, &node, BoundedVec::truncate_from(hashes));
    let later: BlockNumberFor<T> = facts.reveal_from().into();
    frame_system::Pallet::<T>::set_block_number(later);
    Ok((node, answers))
}

/// A canary whose checker is to be opened, and that checker.
fn to_open<T: Config>() -> Result<(u32, TaskText), BenchmarkError> {
    topic::<T>();
    round::<T>((0..MAX_NODES).map(|n| account("node", n, 0)).collect());
    let all = drawn::<T>(true)?;
    let id = all.first().ok_or(BenchmarkError::Stop("some are drawn"))?.0;
    let facts = with_authored::<T>(all)?;
    CheckersOpened::<T>::remove(id);
    frame_system::Pallet::<T>::set_block_number(facts.committed_from().into());
    Ok((id, BoundedVec::truncate_from(content(Part::Checker))))
}

/// A round in which `n` nodes answered everything, with pass rates of as many groups as are kept.
fn answered<T: Config>(n: u32) -> Result<(), BenchmarkError> {
    topic::<T>();
    let nodes: Vec<_> = (0..n).map(|n| add_node::<T>(n).0).collect();
    round::<T>(nodes.clone());
    let facts = with_authored::<T>(drawn::<T>(true)?)?;
    let all = BoundedVec::truncate_from(vec![H256::repeat_byte(1); MAX_SLOTS as usize]);
    for node in &nodes {
        Committed::<T>::insert(0, node, all.clone());
        let wrong = Some(Outcome::Wrong(Some([1; 8])));
        Results::<T>::insert(
            0,
            node,
            Outcomes::truncate_from(vec![wrong; MAX_SLOTS as usize]),
        );
    }
    for duty in duties(&facts, &account("member", 0, 0)) {
        for stratum in [duty.stratum(), H256::zero()] {
            Rates::<T>::mutate(TOPIC, stratum, |rate| {
                for group in 0..MAX_GROUPS {
                    rate.add(
                        &account("member", group, 0),
                        true,
                        Fixed::ONE,
                        0,
                        T::HalfLife::get(),
                    );
                }
            });
        }
    }
    Ok(())
}

/// A question and the worker key of the node that is asked.
type Question = (Target, WorkerId);

/// A full epoch of batches about round 0, all of one member, and the questions of the first.
fn audits<T: Config>() -> Result<(NodeId, WorkerId, Vec<Question>), BenchmarkError> {
    topic::<T>();
    let (auditor, worker) = add_node::<T>(0);
    let member = member_of::<T>(&auditor)?;
    let keys: BTreeMap<_, _> = (1..NODES).map(add_node::<T>).collect();
    let nodes: Vec<_> = keys.keys().cloned().collect();
    let facts = round::<T>(nodes.clone());
    crate::Examined::<T>::put(BoundedVec::truncate_from(vec![TOPIC]));
    let audit = Audit {
        worker: worker.clone(),
        member,
        topic: TOPIC,
        since: 0,
        round: Some(0),
        state: AuditState::Declared,
    };
    for n in 0..MAX_AUDITS {
        let auditor = if n == 0 {
            auditor.clone()
        } else {
            account("auditor", n, 0)
        };
        Audits::<T>::insert(0, auditor, audit.clone());
    }
    AuditEpochs::<T>::put(BoundedVec::truncate_from(vec![AuditEpoch {
        epoch: 0,
        batches: MAX_AUDITS,
        closed: false,
    }]));
    let questions = targets(&[7; 32], &facts, &nodes, |_| false)
        .into_iter()
        .filter_map(|target| keys.get(&target.node).cloned().map(|key| (target, key)));
    Ok((auditor, worker, questions.collect()))
}

/// What the first `n` targets answered, at its longest.
fn entries<T: Config>(all: &[Question], n: u32) -> Result<Entries, BenchmarkError> {
    let genesis = Pallet::<T>::genesis();
    let name = T::Models::topic_name(TOPIC).ok_or("the topic has a name")?;
    let name = String::from_utf8(name).map_err(|_| "the name is text")?;
    let answer = "{\"a\":[1,2,3], ".repeat(MAX_TEXT as usize / 15);
    let mut entries = Vec::new();
    for (target, key) in all.iter().take(n as usize) {
        let request = target.request(name.clone()).ok_or("the family exists")?;
        let body = Body {
            query_hash: request.hash(),
            topic: Some(name.clone()),
            tier: Tier::T2,
            policy_version: 0,
            table_root: None,
            options_hash: request.options.hash(),
            client_nonce: target.nonce,
            request_signature: None,
            beacon: Beacon {
                session: 0,
                randomness: H256::zero(),
            },
            sampler: Sampler {
                temperature_milli: 0,
                top_k: 1,
                max_tokens: 64,
                vrf_proof: None,
            },
            gap_root: None,
            manifest_hash: H256::zero(),
            prompt_token_root: H256::zero(),
            token_root: H256::zero(),
            token_count: 64,
            answer_hash: answer_hash(&answer),
            memory_root: None,
            declines: Vec::new(),
            verdict: None,
        };
        let sign = |hash: H256| {
            key.sign(&hash.as_bytes())
                .ok_or("the keystore holds the key")
        };
        let wrapper = Wrapper {
            genesis,
            specialist_signature: sign(body.hash(&genesis, &target.node))?,
            body,
            specialist: target.node.clone(),
            gateway: target.node.clone(),
            stream: 0,
            sequence: 0,
            answered_at: T::Time::now(),
        };
        let gateway_signature = sign(wrapper.id())?;
        let receipt = Receipt::V1(ReceiptV1 {
            wrapper,
            gateway_signature,
        });
        entries.push(Entry {
            place: target.duty.slot,
            worker: key.clone(),
            receipt: BoundedVec::truncate_from(receipt.encode()),
            answer: BoundedVec::truncate_from(answer.clone().into_bytes()),
        });
    }
    Ok(BoundedVec::truncate_from(entries))
}

/// A proof that is well-formed and of nothing: checking it costs what checking a good one does. A VRF cannot be signed in the runtime.
fn proof(auditor: &WorkerId) -> VrfProof {
    let mut proof = [0; 96];
    let point: &[u8] = auditor.as_ref();
    proof
        .iter_mut()
        .zip(point)
        .for_each(|(to, from)| *to = *from);
    proof
}

/// What is done before a batch is judged.
fn prove<T: Config>(
    audit: &Audit,
    seed: &H256,
    all: &[Target],
    entries: &Entries,
) -> Result<(), BenchmarkError> {
    let input = vrf_input(&Pallet::<T>::genesis(), 0, seed);
    let proven = proven_output(&audit.worker, input, entries, &proof(&audit.worker));
    assert_eq!(proven, None);
    let answered = Pallet::<T>::ensure_answered(audit, all, entries);
    assert_eq!(answered, Ok(()));
    Ok(())
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn enrol() -> Result<(), BenchmarkError> {
        let Served { base, adapter } = topic::<T>();
        let (node, _) = add_node::<T>(0);
        #[extrinsic_call]
        _(RawOrigin::Signed(node.clone()), TOPIC, base, adapter);
        assert!(Enrolments::<T>::contains_key(TOPIC, node));
        Ok(())
    }

    #[benchmark]
    fn leave() -> Result<(), BenchmarkError> {
        let served = topic::<T>();
        let (node, _) = add_node::<T>(0);
        Pallet::<T>::do_enrol(node.clone(), TOPIC, served, 0)?;
        #[extrinsic_call]
        _(RawOrigin::Signed(node.clone()), TOPIC);
        assert!(Enrolments::<T>::get(TOPIC, node).is_some_and(|e| e.until.is_some()));
        Ok(())
    }

    #[benchmark]
    fn set_topic() -> Result<(), BenchmarkError> {
        topic::<T>();
        let origin =
            T::GovernOrigin::try_successful_origin().map_err(|()| BenchmarkError::Weightless)?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, TOPIC, Some(rules()));
        Ok(())
    }

    #[benchmark]
    fn set_windows() -> Result<(), BenchmarkError> {
        let origin =
            T::GovernOrigin::try_successful_origin().map_err(|()| BenchmarkError::Weightless)?;
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, WINDOWS);
        assert_eq!(RoundWindows::<T>::get(), Some(WINDOWS));
        Ok(())
    }

    #[benchmark]
    fn commit() -> Result<(), BenchmarkError> {
        topic::<T>();
        let (node, _) = add_node::<T>(0);
        round::<T>(vec![node.clone()]);
        let facts = with_authored::<T>(drawn::<T>(true)?)?;
        frame_system::Pallet::<T>::set_block_number(facts.commit_from().into());
        let hashes = BoundedVec::truncate_from(vec![H256::repeat_byte(1); MAX_SLOTS as usize]);
        let until = frame_system::Pallet::<T>::block_number().saturating_add(T::MaxValidity::get());
        #[block]
        {
            Pallet::<T>::do_commit(node.clone(), 0, hashes, until)?;
        }
        assert!(Committed::<T>::contains_key(0, node));
        Ok(())
    }

    #[benchmark]
    fn authorize_commit() -> Result<(), BenchmarkError> {
        topic::<T>();
        let (node, worker) = add_node::<T>(0);
        round::<T>(vec![node.clone()]);
        let facts = with_authored::<T>(drawn::<T>(true)?)?;
        frame_system::Pallet::<T>::set_block_number(facts.commit_from().into());
        let hashes = BoundedVec::truncate_from(vec![H256::repeat_byte(1); MAX_SLOTS as usize]);
        let valid_until =
            frame_system::Pallet::<T>::block_number().saturating_add(T::MaxValidity::get());
        let message = Pallet::<T>::commit_submission(&node, 0, &hashes, valid_until);
        let signature = worker
            .sign(&message.as_bytes())
            .ok_or("the keystore holds the key")?;
        let call = Call::<T>::commit {
            node,
            round: 0,
            hashes,
            valid_until,
            signature,
        };
        #[block]
        {
            call.authorize(TransactionSource::External)
                .ok_or("the call is authorised")??;
        }
        Ok(())
    }

    #[benchmark]
    fn reveal(n: Linear<1, 16>) -> Result<(), BenchmarkError> {
        let (node, answers) = committed::<T>(n)?;
        let call = Call::<T>::reveal {
            node: node.clone(),
            round: 0,
            answers: Answers::truncate_from(answers),
        };
        #[block]
        {
            call.dispatch_bypass_filter(RawOrigin::<NodeId>::Authorized.into())
                .map_err(|e| e.error)?;
        }
        assert!(Results::<T>::contains_key(0, node));
        Ok(())
    }

    #[benchmark]
    fn authorize_reveal() -> Result<(), BenchmarkError> {
        let (node, answers) = committed::<T>(MAX_SLOTS)?;
        let call = Call::<T>::reveal {
            node,
            round: 0,
            answers: Answers::truncate_from(answers),
        };
        #[block]
        {
            call.authorize(TransactionSource::External)
                .ok_or("the call is authorised")??;
        }
        Ok(())
    }

    #[benchmark]
    fn declare_audit() -> Result<(), BenchmarkError> {
        let (auditor, ..) = audits::<T>()?;
        let until = frame_system::Pallet::<T>::block_number().saturating_add(T::MaxValidity::get());
        #[block]
        {
            Pallet::<T>::do_declare_audit(auditor.clone(), until)?;
        }
        assert!(Audits::<T>::contains_key(T::Epoch::get() + 1, auditor));
        Ok(())
    }

    #[benchmark]
    fn authorize_declare_audit() -> Result<(), BenchmarkError> {
        let (auditor, worker, _) = audits::<T>()?;
        let valid_until =
            frame_system::Pallet::<T>::block_number().saturating_add(T::MaxValidity::get());
        let message = Pallet::<T>::declare_submission(&auditor, valid_until);
        let signature = worker
            .sign(&message.as_bytes())
            .ok_or("the keystore holds the key")?;
        let call = Call::<T>::declare_audit {
            auditor,
            valid_until,
            signature,
        };
        #[block]
        {
            call.authorize(TransactionSource::External)
                .ok_or("the call is authorised")??;
        }
        Ok(())
    }

    #[benchmark]
    fn open_audit(n: Linear<0, 10>) -> Result<(), BenchmarkError> {
        let (auditor, _, all) = audits::<T>()?;
        let entries = entries::<T>(&all, n)?;
        let all: Vec<Target> = all.into_iter().map(|(target, _)| target).collect();
        let audit = Audits::<T>::get(0, &auditor).ok_or("it was declared")?;
        let round = Rounds::<T>::get(0).ok_or("it was opened")?;
        #[block]
        {
            prove::<T>(&audit, &round.facts.seed, &all, &entries)?;
            Pallet::<T>::judge_audit(auditor.clone(), 0, audit, &round, &all, &entries);
        }
        let state = Audits::<T>::get(0, &auditor).map(|audit| audit.state);
        assert!(matches!(state, Some(AuditState::Opened { counted, .. }) if counted == n));
        Ok(())
    }

    #[benchmark]
    fn authorize_open_audit() -> Result<(), BenchmarkError> {
        let (auditor, _, all) = audits::<T>()?;
        let entries = entries::<T>(&all, TARGETS)?;
        let all: Vec<Target> = all.into_iter().map(|(target, _)| target).collect();
        let audit = Audits::<T>::get(0, &auditor).ok_or("it was declared")?;
        let round = Rounds::<T>::get(0).ok_or("it was opened")?;
        #[block]
        {
            prove::<T>(&audit, &round.facts.seed, &all, &entries)?;
        }
        Ok(())
    }

    #[benchmark]
    fn close_audits(n: Linear<0, 32>) -> Result<(), BenchmarkError> {
        let (auditor, ..) = audits::<T>()?;
        let kept = Audits::<T>::get(0, &auditor).ok_or("it was declared")?;
        let _ = Audits::<T>::clear_prefix(0, MAX_AUDITS, None);
        for n in 0..n {
            Audits::<T>::insert(0, account::<NodeId>("auditor", n, 0), kept.clone());
        }
        AuditEpochs::<T>::mutate(|epochs| epochs.iter_mut().for_each(|epoch| epoch.batches = n));
        #[block]
        {
            Pallet::<T>::work_on_audits(2);
        }
        assert!(AuditEpochs::<T>::get().iter().all(|epoch| epoch.closed));
        Ok(())
    }

    #[benchmark]
    fn idle() -> Result<(), BenchmarkError> {
        topic::<T>();
        round::<T>((0..MAX_NODES).map(|n| account("node", n, 0)).collect());
        QueuedEpoch::<T>::put(Some(T::Epoch::get()));
        #[block]
        {
            Pallet::<T>::work();
        }
        Ok(())
    }

    #[benchmark]
    fn open(n: Linear<0, 90>) -> Result<(), BenchmarkError> {
        let served = topic::<T>();
        let other = Served {
            base: H256::repeat_byte(3),
            ..served
        };
        for n in 0..n {
            let (node, _) = add_node::<T>(n);
            Pallet::<T>::do_enrol(node.clone(), TOPIC, served, 0)?;
            Enrolments::<T>::mutate(TOPIC, node, |enrolment| {
                if let Some(enrolment) = enrolment {
                    enrolment.next = Some((other, 0));
                }
            });
        }
        // A full pool of four authors, as many of them expired as are discarded at once.
        for n in 0..4 {
            register_many::<T>(&author::<T>(n), MAX_WAITING / 4)?;
        }
        Pools::<T>::mutate(TOPIC, |pool| {
            for (place, one) in pool.iter_mut().enumerate() {
                one.epoch = 0;
                if place % 16 == 0 {
                    one.expires = 0;
                }
            }
        });
        QueuedEpoch::<T>::put(Some(T::Epoch::get()));
        Queue::<T>::put(BoundedVec::truncate_from(vec![TOPIC]));
        #[block]
        {
            Pallet::<T>::work();
        }
        assert_eq!(Rounds::<T>::contains_key(0), n > 0);
        Ok(())
    }

    #[benchmark]
    fn judge() -> Result<(), BenchmarkError> {
        answered::<T>(NODES)?;
        let ids: Vec<_> = CheckersOpened::<T>::iter_keys().collect();
        for id in ids {
            CheckersOpened::<T>::remove(id);
        }
        let round = Rounds::<T>::get(0).ok_or(BenchmarkError::Stop("round 0 is open"))?;
        let void;
        #[block]
        {
            void = Pallet::<T>::judge(&round);
        }
        assert_eq!(void.len(), MAX_AUTHORED as usize);
        Ok(())
    }

    #[benchmark]
    fn register(n: Linear<1, 16>) -> Result<(), BenchmarkError> {
        topic::<T>();
        let author = author::<T>(0);
        register_many::<T>(&author, MAX_OF_AUTHOR - 16)?;
        let canaries = vec![sealed::<T>(&author); n as usize];
        #[extrinsic_call]
        _(
            RawOrigin::Signed(author),
            TOPIC,
            BoundedVec::truncate_from(canaries),
        );
        Ok(())
    }

    #[benchmark]
    fn withdraw() -> Result<(), BenchmarkError> {
        topic::<T>();
        for n in 0..4 {
            register_many::<T>(&author::<T>(n), MAX_WAITING / 4)?;
        }
        let id = NextCanary::<T>::get().saturating_sub(1);
        let canary = Authored::<T>::mutate(id, |canary| {
            let canary = canary.as_mut()?;
            canary.sealed.expires = 0;
            Some(canary.clone())
        });
        let author = canary
            .ok_or(BenchmarkError::Stop("it was registered"))?
            .author;
        #[extrinsic_call]
        _(RawOrigin::Signed(author), id);
        assert!(!Authored::<T>::contains_key(id));
        Ok(())
    }

    #[benchmark]
    fn open_canary() -> Result<(), BenchmarkError> {
        let (id, content) = to_open::<T>()?;
        #[block]
        {
            Pallet::<T>::do_open(id, Part::Checker, [1; 32], content)?;
        }
        assert!(CheckersOpened::<T>::contains_key(id));
        Ok(())
    }

    #[benchmark]
    fn authorize_open_canary() -> Result<(), BenchmarkError> {
        let (canary, content) = to_open::<T>()?;
        let call = Call::<T>::open_canary {
            canary,
            part: Part::Checker,
            salt: [1; 32],
            content,
        };
        #[block]
        {
            call.authorize(TransactionSource::External)
                .ok_or("the call is authorised")??;
        }
        Ok(())
    }

    #[benchmark]
    fn fold(n: Linear<0, 16>) -> Result<(), BenchmarkError> {
        answered::<T>(n)?;
        #[block]
        {
            Pallet::<T>::settle(0);
        }
        assert_eq!(
            Ended::<T>::iter_prefix(0).count(),
            n.min(T::SettledPerBlock::get()) as usize
        );
        Ok(())
    }

    #[benchmark]
    fn rate(n: Linear<0, 16>) -> Result<(), BenchmarkError> {
        // The last `n` nodes of a full round: the answers of all its nodes are looked at each time.
        answered::<T>(NODES)?;
        Rounds::<T>::mutate(0, |round| {
            if let Some(round) = round {
                let right = touchstone_primitives::canary::End::Scored(Outcome::Right);
                for node in &round.nodes {
                    let ends = Ends::truncate_from(vec![right; MAX_SLOTS as usize]);
                    Ended::<T>::insert(0, node, ends);
                }
                round.settlement = Settlement::Rating(NODES.saturating_sub(n));
            }
        });
        #[block]
        {
            Pallet::<T>::settle(0);
        }
        Ok(())
    }

    #[benchmark]
    fn forget() -> Result<(), BenchmarkError> {
        answered::<T>(NODES)?;
        for n in 0..NODES {
            let node: NodeId = account("node", n, 0);
            let ends = Ends::truncate_from(vec![
                touchstone_primitives::canary::End::Absent;
                MAX_SLOTS as usize
            ]);
            Ended::<T>::insert(0, &node, ends);
            crate::Presences::<T>::insert(&node, Presence::default());
        }
        Rounds::<T>::mutate(0, |round| {
            if let Some(round) = round {
                round.settlement = Settlement::Settled;
            }
        });
        Live::<T>::kill();
        NextRound::<T>::put(T::KeptRounds::get() + 1);
        QueuedEpoch::<T>::put(Some(T::Epoch::get()));
        #[block]
        {
            Pallet::<T>::work();
        }
        assert_eq!(OldestRound::<T>::get(), 1);
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::bench_ext(), crate::mock::Test);
}
