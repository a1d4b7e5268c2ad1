//! Commitments and answers: who may submit what, and when.

use crate::{
    Answers, Committed, Config, Error, Event, Pallet, Results, Rounds,
    types::{Outcomes, Refusal, Round, Settlement},
};
use alloc::{collections::BTreeSet, vec};
use frame_support::{ensure, pallet_prelude::*};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::{
    SaturatedConversion, Saturating,
    transaction_validity::{TransactionSource, TransactionValidityWithRefund},
};
use touchstone_primitives::{
    H256, NodeId,
    canary::{Commitments, Duty, Outcome, Phase, commit_message, commitment, duties, outcome},
    evidence::NoteActivity,
    traits::MembershipOf,
    worker::{self, WorkerSignature},
};

/// Duties have deadlines: before transactions that pay, after receipts.
pub(crate) const PRIORITY: TransactionPriority = TransactionPriority::MAX / 4;

impl<T> From<Refusal> for Error<T> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::RoundNotFound => Self::RoundNotFound,
            Refusal::NoDuty => Self::NoDuty,
            Refusal::NodeNotActive => Self::NodeNotActive,
            Refusal::WrongNumber => Self::WrongNumber,
            Refusal::Expired => Self::Expired,
            Refusal::ValidTooLong => Self::ValidTooLong,
            Refusal::CommitNotOpen => Self::CommitNotOpen,
            Refusal::CommitClosed => Self::CommitClosed,
            Refusal::RevealNotOpen => Self::RevealNotOpen,
            Refusal::RevealClosed => Self::RevealClosed,
            Refusal::AlreadyCommitted => Self::AlreadyCommitted,
            Refusal::NotCommitted => Self::NotCommitted,
            Refusal::AlreadyRevealed => Self::AlreadyRevealed,
            Refusal::Mismatch => Self::Mismatch,
            Refusal::BadAnswers => Self::BadAnswers,
            Refusal::NotDrawn => Self::NotDrawn,
            Refusal::OpeningNotDue => Self::OpeningNotDue,
            Refusal::AlreadyOpened => Self::AlreadyOpened,
            Refusal::Unfit => Self::Unfit,
            Refusal::NotAuditor => Self::NotAuditor,
            Refusal::AuditsBarred => Self::AuditsBarred,
            Refusal::AlreadyDeclared => Self::AlreadyDeclared,
            Refusal::TooManyAudits => Self::TooManyAudits,
            Refusal::NothingExamined => Self::NothingExamined,
            Refusal::AuditNotFound => Self::AuditNotFound,
            Refusal::AuditNotDue => Self::AuditNotDue,
            Refusal::AuditClosed => Self::AuditClosed,
            Refusal::AlreadyAudited => Self::AlreadyAudited,
            Refusal::BadEntries => Self::BadEntries,
            Refusal::BadVrf => Self::BadVrf,
            Refusal::BadReceipt => Self::BadReceipt,
        }
    }
}

impl<T: Config> Pallet<T> {
    pub(crate) fn genesis() -> H256 {
        // frame-system never prunes the hash of block 0.
        frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::default())
    }

    /// What the worker of `node` signs to commit.
    pub fn commit_submission(
        node: &NodeId,
        round: u32,
        hashes: &[H256],
        valid_until: BlockNumberFor<T>,
    ) -> H256 {
        let until = valid_until.saturated_into();
        commit_message(&Self::genesis(), node, round, hashes, until)
    }

    fn live_round(id: u32, node: &NodeId) -> Result<Round, Refusal> {
        let round = Rounds::<T>::get(id)
            .filter(|round| round.settlement == Settlement::Folding(0))
            .ok_or(Refusal::RoundNotFound)?;
        ensure!(round.nodes.binary_search(node).is_ok(), Refusal::NoDuty);
        ensure!(Self::owes_duties(node), Refusal::NodeNotActive);
        Ok(round)
    }

    fn ensure_commit_due(node: &NodeId, id: u32, hashes: &Commitments) -> Result<(), Refusal> {
        let round = Self::live_round(id, node)?;
        match round.facts.phase(Self::height()) {
            Phase::OpeningTasks => return Err(Refusal::CommitNotOpen),
            Phase::Committing => {}
            _ => return Err(Refusal::CommitClosed),
        }
        ensure!(hashes.len() == round.facts.duties(), Refusal::WrongNumber);
        ensure!(
            !Committed::<T>::contains_key(id, node),
            Refusal::AlreadyCommitted
        );
        Ok(())
    }

    /// That a submission with this end may be in the current block.
    pub(crate) fn ensure_valid(valid_until: BlockNumberFor<T>) -> Result<(), Refusal> {
        let now = frame_system::Pallet::<T>::block_number();
        ensure!(now <= valid_until, Refusal::Expired);
        ensure!(
            valid_until <= now.saturating_add(T::MaxValidity::get()),
            Refusal::ValidTooLong
        );
        Ok(())
    }

    /// Decides whether the transaction pool and blocks take commitments: cheap checks first, the signature last.
    pub(crate) fn authorize_commit(
        _: TransactionSource,
        node: &NodeId,
        round: &u32,
        hashes: &Commitments,
        valid_until: &BlockNumberFor<T>,
        signature: &WorkerSignature,
    ) -> TransactionValidityWithRefund {
        Self::ensure_valid(*valid_until).map_err(InvalidTransaction::from)?;
        Self::ensure_commit_due(node, *round, hashes).map_err(InvalidTransaction::from)?;
        let message = Self::commit_submission(node, *round, hashes, *valid_until);
        let key = T::Membership::worker_key(node).ok_or(InvalidTransaction::BadProof)?;
        ensure!(
            worker::verify(&key, &message, signature),
            InvalidTransaction::BadProof
        );
        let now = frame_system::Pallet::<T>::block_number();
        let longevity = valid_until.saturating_sub(now).saturated_into::<u64>();
        let validity = ValidTransaction::with_tag_prefix("canaries-commit")
            .priority(PRIORITY)
            .and_provides((node, round))
            .longevity(longevity.saturating_add(1))
            .propagate(true)
            .build()?;
        Ok((validity, Weight::zero()))
    }

    pub(crate) fn do_commit(
        node: NodeId,
        round: u32,
        hashes: Commitments,
        valid_until: BlockNumberFor<T>,
    ) -> DispatchResult {
        Self::ensure_valid(valid_until).map_err(Error::<T>::from)?;
        Self::ensure_commit_due(&node, round, &hashes).map_err(Error::<T>::from)?;
        Committed::<T>::insert(round, &node, hashes);
        Self::active(&node);
        Self::deposit_event(Event::Committed { round, node });
        Ok(())
    }

    /// The node's duties, if all answers may be revealed now. Bounded by the number of slots.
    fn ensure_reveal_due(
        node: &NodeId,
        id: u32,
        answers: &Answers,
    ) -> Result<(Round, vec::Vec<Duty>), Refusal> {
        let round = Self::live_round(id, node)?;
        match round.facts.phase(Self::height()) {
            Phase::Revealing => {}
            Phase::Closed => return Err(Refusal::RevealClosed),
            _ => return Err(Refusal::RevealNotOpen),
        }
        let slots: BTreeSet<u8> = answers.iter().map(|answer| answer.slot).collect();
        ensure!(
            !slots.is_empty() && slots.len() == answers.len(),
            Refusal::BadAnswers
        );
        let committed = Committed::<T>::get(id, node).ok_or(Refusal::NotCommitted)?;
        let results = Results::<T>::get(id, node);
        let group = Self::group_of(node).ok_or(Refusal::NodeNotActive)?;
        let duties = duties(&round.facts, &group);
        let genesis = Self::genesis();
        for answer in answers {
            let slot = usize::from(answer.slot);
            let hash = committed
                .get(slot)
                .filter(|hash| !hash.is_zero())
                .ok_or(Refusal::NotCommitted)?;
            ensure!(
                results.get(slot).copied().flatten().is_none(),
                Refusal::AlreadyRevealed
            );
            let duty = duties.get(slot).ok_or(Refusal::NotCommitted)?;
            let expected = commitment(
                &genesis,
                id,
                &duty.instance,
                node,
                &answer.salt,
                &answer.answer,
            );
            ensure!(*hash == expected, Refusal::Mismatch);
        }
        Ok((round, duties))
    }

    /// Decides whether the transaction pool and blocks take answers. There is no signature: the answers prove themselves.
    pub(crate) fn authorize_reveal(
        _: TransactionSource,
        node: &NodeId,
        round: &u32,
        answers: &Answers,
    ) -> TransactionValidityWithRefund {
        let (facts, _) = Self::ensure_reveal_due(node, *round, answers)
            .map(|(round, duties)| (round.facts, duties))
            .map_err(InvalidTransaction::from)?;
        let left = facts.closed_from().saturating_sub(Self::height());
        let validity = ValidTransaction::with_tag_prefix("canaries-reveal")
            .priority(PRIORITY)
            .longevity(left.into())
            .propagate(true);
        // One tag for each answer, so that two submissions never reveal the same one.
        let validity = answers.iter().fold(validity, |validity, answer| {
            validity.and_provides((node, round, answer.slot))
        });
        Ok((validity.build()?, Weight::zero()))
    }

    pub(crate) fn do_reveal(node: NodeId, round: u32, answers: Answers) -> DispatchResult {
        let (facts, duties) = Self::ensure_reveal_due(&node, round, &answers)
            .map(|(round, duties)| (round.facts, duties))
            .map_err(Error::<T>::from)?;
        let mut results = Results::<T>::get(round, &node);
        if results.is_empty() {
            results = Outcomes::truncate_from(vec![None; facts.duties()]);
        }
        let mut right = 0u32;
        for answer in &answers {
            let slot = usize::from(answer.slot);
            let found = match duties.get(slot).and_then(Self::posed) {
                Some(posed) => outcome(&posed.task, &answer.answer),
                None => Outcome::Void,
            };
            right = right.saturating_add(u32::from(found == Outcome::Right));
            if let Some(result) = results.get_mut(slot) {
                *result = Some(found);
            }
        }
        Results::<T>::insert(round, &node, results);
        Self::active(&node);
        Self::deposit_event(Event::Revealed {
            round,
            node,
            answers: answers.len() as u32,
            right,
        });
        Ok(())
    }
}
