//! Blind audits: who obliges itself to one, what it opens, and what comes of it.

use crate::{
    AuditEpochs, Audits, Barred, Config, Error, Event, Examined, Pallet, Presences, Rounds,
    WeightInfo,
    types::{AuditEpoch, KEPT_AUDITS, Refusal, Round},
};
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use frame_support::{
    ensure,
    pallet_prelude::*,
    traits::{Get, Randomness, Time},
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::{
    SaturatedConversion, Saturating,
    transaction_validity::{TransactionSource, TransactionValidityWithRefund},
};
use touchstone_primitives::{
    H256, NodeId,
    apis::TopicId,
    audit::{
        self, Audit, AuditState, BAR_EPOCHS, Entries, MAX_AUDITS, MAX_MISSING, TARGETS, Target,
        VrfOutput, VrfProof, are_in_order, declare_message, missing, proven_output, targets,
        vrf_input,
    },
    canary::{End, Outcome, Posed, outcome, scored},
    consortium::NodeRole,
    evidence::{ModelsOf, NoteActivity, RecordEvidence, Scored},
    traits::MembershipOf,
    worker::{self, WorkerSignature},
};

/// Blocks for which an opening waits in the pool.
const OPENING_LONGEVITY: TransactionLongevity = 64;

/// A batch that may be opened now, and what its output draws.
struct Due {
    audit: Audit,
    round: Round,
    targets: Vec<Target>,
}

impl<T: Config> Pallet<T> {
    /// What the worker of `auditor` signs to declare a batch in the current epoch.
    pub fn declare_submission(auditor: &NodeId, valid_until: BlockNumberFor<T>) -> H256 {
        let until = valid_until.saturated_into();
        declare_message(&Self::genesis(), auditor, Self::next_epoch(), until)
    }

    fn next_epoch() -> u32 {
        T::Epoch::get().saturating_add(1)
    }

    /// The auditor's member and its topic, if it may declare a batch now.
    pub(crate) fn ensure_declarable(auditor: &NodeId) -> Result<(NodeId, TopicId), Refusal> {
        ensure!(
            T::Membership::is_active(auditor, NodeRole::Auditor),
            Refusal::NotAuditor
        );
        let member = Self::group_of(auditor).ok_or(Refusal::NotAuditor)?;
        let (epoch, next) = (T::Epoch::get(), Self::next_epoch());
        ensure!(
            Barred::<T>::get(&member).is_none_or(|until| until <= epoch),
            Refusal::AuditsBarred
        );
        ensure!(
            !Audits::<T>::contains_key(next, auditor),
            Refusal::AlreadyDeclared
        );
        let full = AuditEpochs::<T>::get()
            .iter()
            .any(|known| known.epoch == next && known.batches >= MAX_AUDITS);
        ensure!(!full, Refusal::TooManyAudits);
        let (randomness, _) = T::Randomness::random(b"touchstone/audit/topic");
        let topic = audit::topic(&randomness, auditor, &Examined::<T>::get());
        Ok((member, topic.ok_or(Refusal::NothingExamined)?))
    }

    /// Decides whether the transaction pool and blocks take a declaration: cheap checks first, the signature last.
    pub(crate) fn authorize_declare_audit(
        _: TransactionSource,
        auditor: &NodeId,
        valid_until: &BlockNumberFor<T>,
        signature: &WorkerSignature,
    ) -> TransactionValidityWithRefund {
        Self::ensure_valid(*valid_until).map_err(InvalidTransaction::from)?;
        Self::ensure_declarable(auditor).map_err(InvalidTransaction::from)?;
        let message = Self::declare_submission(auditor, *valid_until);
        let key = T::Membership::worker_key(auditor).ok_or(InvalidTransaction::BadProof)?;
        ensure!(
            worker::verify(&key, &message, signature),
            InvalidTransaction::BadProof
        );
        let now = frame_system::Pallet::<T>::block_number();
        let longevity = valid_until.saturating_sub(now).saturated_into::<u64>();
        let validity = ValidTransaction::with_tag_prefix("canaries-declare-audit")
            .priority(crate::answers::PRIORITY)
            .and_provides((auditor, Self::next_epoch()))
            .longevity(longevity.saturating_add(1))
            .propagate(true)
            .build()?;
        Ok((validity, Weight::zero()))
    }

    pub(crate) fn do_declare_audit(
        auditor: NodeId,
        valid_until: BlockNumberFor<T>,
    ) -> DispatchResult {
        Self::ensure_valid(valid_until).map_err(Error::<T>::from)?;
        let (member, topic) = Self::ensure_declarable(&auditor).map_err(Error::<T>::from)?;
        let worker = T::Membership::worker_key(&auditor).ok_or(Error::<T>::NotAuditor)?;
        let epoch = Self::next_epoch();
        AuditEpochs::<T>::try_mutate(|epochs| {
            if let Some(known) = epochs.iter_mut().find(|known| known.epoch == epoch) {
                known.batches = known.batches.saturating_add(1);
                return Ok(());
            }
            let new = AuditEpoch {
                epoch,
                batches: 1,
                closed: false,
            };
            epochs.try_push(new).map_err(|_| Error::<T>::TooManyAudits)
        })?;
        let audit = Audit {
            worker,
            member,
            topic,
            since: T::Time::now(),
            round: None,
            state: AuditState::Declared,
        };
        Audits::<T>::insert(epoch, &auditor, audit);
        Self::active(&auditor);
        Self::deposit_event(Event::AuditDeclared {
            auditor,
            epoch,
            topic,
        });
        Ok(())
    }

    /// Gives the batches of the topic in this epoch the round that was opened just now.
    pub(crate) fn join_round(topic: TopicId, epoch: u32, round: u32) {
        if !AuditEpochs::<T>::get()
            .iter()
            .any(|known| known.epoch == epoch)
        {
            return;
        }
        let mine: Vec<(NodeId, Audit)> = Audits::<T>::iter_prefix(epoch)
            .filter(|(_, audit)| audit.topic == topic)
            .collect();
        for (auditor, mut audit) in mine {
            audit.round = Some(round);
            Audits::<T>::insert(epoch, auditor, audit);
        }
    }

    fn targets_of(audit: &Audit, round: &Round, output: &VrfOutput) -> Vec<Target> {
        targets(output, &round.facts, &round.nodes, |node| {
            Self::group_of(node).as_ref() == Some(&audit.member)
        })
    }

    fn topic_name(topic: TopicId) -> Option<String> {
        String::from_utf8(T::Models::topic_name(topic)?).ok()
    }

    /// The batch, if it may be opened with these entries now. Cheap checks first, signatures last.
    fn ensure_audit_due(
        auditor: &NodeId,
        epoch: u32,
        proof: &VrfProof,
        entries: &Entries,
    ) -> Result<Due, Refusal> {
        let audit = Audits::<T>::get(epoch, auditor).ok_or(Refusal::AuditNotFound)?;
        let now = T::Epoch::get();
        ensure!(now > epoch, Refusal::AuditNotDue);
        ensure!(now == epoch.saturating_add(1), Refusal::AuditClosed);
        ensure!(audit.state == AuditState::Declared, Refusal::AlreadyAudited);
        let round = audit.round.and_then(Rounds::<T>::get);
        let round = round.ok_or(Refusal::AuditNotFound)?;
        ensure!(are_in_order(entries), Refusal::BadEntries);
        let input = vrf_input(&Self::genesis(), epoch, &round.facts.seed);
        let output = proven_output(&audit.worker, input, entries, proof);
        let targets = Self::targets_of(&audit, &round, &output.ok_or(Refusal::BadVrf)?);
        Self::ensure_answered(&audit, &targets, entries)?;
        Ok(Due {
            audit,
            round,
            targets,
        })
    }

    /// That the nodes gave these answers to the questions of the batch.
    pub(crate) fn ensure_answered(
        audit: &Audit,
        targets: &[Target],
        entries: &Entries,
    ) -> Result<(), Refusal> {
        let genesis = Self::genesis();
        let name = Self::topic_name(audit.topic).ok_or(Refusal::AuditNotFound)?;
        for entry in entries {
            let target = targets
                .get(usize::from(entry.place))
                .ok_or(Refusal::BadEntries)?;
            let at = entry
                .verify(&genesis, target, name.clone(), audit.since)
                .map_err(|_| Refusal::BadReceipt)?;
            ensure!(
                T::Membership::was_worker_key(&target.node, &entry.worker, at),
                Refusal::BadReceipt
            );
        }
        Ok(())
    }

    /// Decides whether the transaction pool and blocks take an opening. It proves itself, so anybody may pass it on, but only whole.
    pub(crate) fn authorize_open_audit(
        _: TransactionSource,
        auditor: &NodeId,
        epoch: &u32,
        proof: &VrfProof,
        entries: &Entries,
    ) -> TransactionValidityWithRefund {
        Self::ensure_audit_due(auditor, *epoch, proof, entries)
            .map_err(InvalidTransaction::from)?;
        let validity = ValidTransaction::with_tag_prefix("canaries-open-audit")
            .priority(crate::answers::PRIORITY)
            .and_provides((auditor, epoch))
            .longevity(OPENING_LONGEVITY)
            .propagate(true)
            .build()?;
        Ok((validity, Weight::zero()))
    }

    pub(crate) fn do_open_audit(
        auditor: NodeId,
        epoch: u32,
        proof: VrfProof,
        entries: Entries,
    ) -> DispatchResult {
        let due =
            Self::ensure_audit_due(&auditor, epoch, &proof, &entries).map_err(Error::<T>::from)?;
        Self::active(&auditor);
        Self::judge_audit(
            auditor,
            epoch,
            due.audit,
            &due.round,
            &due.targets,
            &entries,
        );
        Ok(())
    }

    /// Scores the answers of a batch, or voids it when too many are missing.
    pub(crate) fn judge_audit(
        auditor: NodeId,
        epoch: u32,
        audit: Audit,
        round: &Round,
        targets: &[Target],
        entries: &Entries,
    ) {
        let (missing, away) = missing(targets, entries, |node| {
            Presences::<T>::get(node).was_seen(epoch)
        });
        if missing > MAX_MISSING {
            return Self::void(auditor, epoch, audit, missing);
        }
        let now = T::Time::now();
        let (mut counted, mut right) = (0u32, 0u32);
        let mut of_node = BTreeMap::<&NodeId, Vec<Scored>>::new();
        for entry in entries {
            let Some(target) = targets.get(usize::from(entry.place)) else {
                continue;
            };
            let (Some(group), Some(posed)) = (
                Self::group_of(&target.node),
                Posed::procedural(&target.duty),
            ) else {
                continue;
            };
            let found = outcome(&posed.task, entry.read());
            let rate = Self::pass_rate(audit.topic, posed.stratum, &group, now);
            let end = match found {
                Outcome::Void => End::Void,
                found => End::Scored(found),
            };
            let Some(scored) = scored(&target.duty, &posed, end, round.facts.epoch, rate) else {
                continue;
            };
            counted = counted.saturating_add(1);
            right = right.saturating_add(u32::from(found == Outcome::Right));
            of_node.entry(&target.node).or_default().push(scored);
        }
        for (node, scored) in of_node {
            T::Evidence::record_secret(node, audit.topic, &audit.member, &scored);
        }
        let state = AuditState::Opened {
            counted,
            right,
            missing,
            away,
        };
        Audits::<T>::insert(epoch, &auditor, Audit { state, ..audit });
        Self::deposit_event(Event::AuditOpened {
            auditor,
            epoch,
            counted,
            right,
            missing,
            away,
        });
    }

    /// A batch that gives no evidence, and bars its auditor's member.
    fn void(auditor: NodeId, epoch: u32, audit: Audit, missing: u32) {
        let until = T::Epoch::get().saturating_add(BAR_EPOCHS);
        Barred::<T>::insert(&audit.member, until);
        let state = AuditState::Voided { missing };
        Audits::<T>::insert(epoch, &auditor, Audit { state, ..audit });
        Self::deposit_event(Event::AuditVoided {
            auditor,
            epoch,
            missing,
            until,
        });
    }

    /// Voids the batches that nobody opened in time, and forgets old ones: one epoch a block. Returns the weight if there was something
    /// to do.
    pub(crate) fn work_on_audits(now: u32) -> Option<Weight> {
        let epochs = AuditEpochs::<T>::get();
        let is_late = |known: &&AuditEpoch| !known.closed && known.epoch.saturating_add(1) < now;
        let is_old = |known: &&AuditEpoch| known.epoch.saturating_add(KEPT_AUDITS) < now;
        if let Some(late) = epochs.iter().find(is_late).copied() {
            Self::close(late.epoch);
            AuditEpochs::<T>::mutate(|epochs| {
                if let Some(known) = epochs.iter_mut().find(|known| known.epoch == late.epoch) {
                    known.closed = true;
                }
            });
            return Some(T::WeightInfo::close_audits(late.batches));
        }
        let old = epochs.iter().find(is_old).copied()?;
        // Not more than were declared.
        let _ = Audits::<T>::clear_prefix(old.epoch, MAX_AUDITS, None);
        AuditEpochs::<T>::mutate(|epochs| epochs.retain(|known| known.epoch != old.epoch));
        Some(T::WeightInfo::close_audits(old.batches))
    }

    fn close(epoch: u32) {
        let waiting: Vec<(NodeId, Audit)> = Audits::<T>::iter_prefix(epoch)
            .filter(|(_, audit)| audit.state == AuditState::Declared)
            .collect();
        for (auditor, audit) in waiting {
            let others = audit.round.and_then(Rounds::<T>::get).is_some_and(|round| {
                let own = Some(audit.member.clone());
                round.nodes.iter().any(|node| Self::group_of(node) != own)
            });
            if others {
                Self::void(auditor, epoch, audit, TARGETS);
            } else {
                // There was nobody to ask: no round, or one of the auditor's own nodes only.
                let state = AuditState::Excused;
                Audits::<T>::insert(epoch, &auditor, Audit { state, ..audit });
                Self::deposit_event(Event::AuditExcused { auditor, epoch });
            }
        }
    }

    /// Batches of this epoch, by auditor.
    pub fn audits(epoch: u32) -> Vec<(NodeId, Audit)> {
        let mut all: Vec<_> = Audits::<T>::iter_prefix(epoch).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    /// Whether the node may declare a batch now.
    pub fn may_declare_audit(auditor: &NodeId) -> bool {
        Self::ensure_declarable(auditor).is_ok()
    }

    /// What the auditor asks in this epoch if this is the output of its batch; nothing before its round is open.
    pub fn audit_targets(auditor: &NodeId, epoch: u32, output: &VrfOutput) -> Vec<Target> {
        let due = Audits::<T>::get(epoch, auditor).and_then(|audit| {
            let round = audit.round.and_then(Rounds::<T>::get)?;
            Some(Self::targets_of(&audit, &round, output))
        });
        due.unwrap_or_default()
    }
}
