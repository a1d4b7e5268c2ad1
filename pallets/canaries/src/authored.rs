//! Canaries that members write: registered sealed, drawn by lot, opened in two steps, and judged before they score anybody.

use crate::{
    Authored, Authors, CheckersOpened, Config, Error, Event, HoldReason, NextCanary, Pallet, Pools,
    Registrations, Results, Rounds, TasksOpened,
    types::{BalanceOf, Canary, Refusal, Round},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use frame_support::{
    ensure,
    pallet_prelude::*,
    traits::{
        Get, Time,
        fungible::MutateHold,
        tokens::{Fortitude, Precision, Restriction},
    },
};
use sp_runtime::{
    Saturating,
    transaction_validity::{TransactionSource, TransactionValidityWithRefund},
};
use touchstone_primitives::{
    AccountId32, H256, Moment, NodeId,
    apis::TopicId,
    authored::{
        CheckerBytes, MAX_OF_AUTHOR, Part, TaskText, Waiting, counts, draw, fit_checker, seal,
        strangers, unfit_task,
    },
    canary::{Duty, Outcome, Phase, Posed, RoundFacts, duties},
    fixed::Fixed,
    traits::MembershipOf,
};

/// Most canaries that are discarded when a round is opened; the others wait for the next one.
const DISCARDED_AT_ONCE: usize = 16;

impl<T: Config> Pallet<T> {
    pub(crate) fn do_register(
        author: NodeId,
        topic: TopicId,
        canaries: Registrations,
    ) -> DispatchResult {
        ensure!(
            T::Membership::is_active_member(&author),
            Error::<T>::NotMember
        );
        ensure!(
            crate::Rules::<T>::contains_key(topic),
            Error::<T>::TopicNotExamined
        );
        let now = T::Time::now();
        ensure!(
            !Authors::<T>::get(&author).failures.bar(now),
            Error::<T>::IsBarred
        );
        let count = canaries.len() as u32;
        Authors::<T>::try_mutate(&author, |record| {
            record.waiting = record.waiting.saturating_add(count);
            ensure!(record.waiting <= MAX_OF_AUTHOR, Error::<T>::TooManyCanaries);
            Ok::<_, Error<T>>(())
        })?;
        let deposit = T::CanaryDeposit::get();
        T::Currency::hold(
            &HoldReason::Canary.into(),
            &author,
            deposit.saturating_mul(count.into()),
        )?;
        Pools::<T>::try_mutate(topic, |pool| {
            for sealed in canaries {
                ensure!(
                    sealed.expires > now
                        && !sealed.difficulty.is_zero()
                        && sealed.difficulty <= Fixed::ONE,
                    Error::<T>::BadCanary
                );
                let id = NextCanary::<T>::mutate(|next| {
                    let id = *next;
                    *next = next.saturating_add(1);
                    id
                });
                pool.try_push(Waiting {
                    id,
                    author: author.clone(),
                    epoch: T::Epoch::get(),
                    expires: sealed.expires,
                })
                .map_err(|_| Error::<T>::TooManyCanaries)?;
                Self::deposit_event(Event::CanaryRegistered {
                    canary: id,
                    topic,
                    author: author.clone(),
                });
                Authored::<T>::insert(
                    id,
                    Canary {
                        author: author.clone(),
                        topic,
                        sealed,
                        deposit,
                        round: None,
                    },
                );
            }
            Ok(())
        })
    }

    pub(crate) fn do_withdraw(author: NodeId, id: u32) -> DispatchResult {
        let canary = Authored::<T>::get(id).ok_or(Error::<T>::CanaryNotFound)?;
        ensure!(canary.author == author, Error::<T>::NotAuthor);
        ensure!(canary.round.is_none(), Error::<T>::IsDrawn);
        // Nobody takes a canary back that the next seed would draw.
        ensure!(
            canary.sealed.expires <= T::Time::now(),
            Error::<T>::NotExpired
        );
        Pools::<T>::mutate(canary.topic, |pool| pool.retain(|one| one.id != id));
        Self::discard(id, &canary);
        Ok(())
    }

    /// Takes a canary that waits out of state and returns its deposit.
    fn discard(id: u32, canary: &Canary<BalanceOf<T>>) {
        Self::stop_waiting(&canary.author);
        Self::return_deposit(canary);
        Authored::<T>::remove(id);
        Self::deposit_event(Event::CanaryDiscarded { canary: id });
    }

    fn stop_waiting(author: &AccountId32) {
        Authors::<T>::mutate(author, |record| {
            record.waiting = record.waiting.saturating_sub(1)
        });
    }

    fn return_deposit(canary: &Canary<BalanceOf<T>>) {
        let _ = T::Currency::release(
            &HoldReason::Canary.into(),
            &canary.author,
            canary.deposit,
            Precision::BestEffort,
        );
    }

    /// Draws canaries of members for a round and takes expired ones out of the pool.
    pub(crate) fn draw_authored(
        topic: TopicId,
        count: u8,
        round: u32,
        seed: &H256,
        now: Moment,
    ) -> Vec<(u32, AccountId32)> {
        let mut pool = Pools::<T>::get(topic);
        if pool.is_empty() {
            return Vec::new();
        }
        let authors: BTreeSet<&AccountId32> = pool.iter().map(|one| &one.author).collect();
        let barred: BTreeSet<AccountId32> = authors
            .into_iter()
            .filter(|author| Authors::<T>::get(author).failures.bar(now))
            .cloned()
            .collect();
        let is_gone = |one: &Waiting| one.expires <= now || barred.contains(&one.author);
        let gone: Vec<u32> = pool
            .iter()
            .filter(|one| is_gone(one))
            .map(|one| one.id)
            .take(DISCARDED_AT_ONCE)
            .collect();
        let open: Vec<Waiting> = pool.iter().filter(|one| !is_gone(one)).cloned().collect();
        let drawn = draw(&open, count, seed, T::Epoch::get(), now);
        for id in &gone {
            if let Some(canary) = Authored::<T>::get(id) {
                Self::discard(*id, &canary);
            }
        }
        for one in &drawn {
            Self::stop_waiting(&one.author);
            Authored::<T>::mutate(one.id, |canary| {
                if let Some(canary) = canary {
                    canary.round = Some(round);
                }
            });
        }
        pool.retain(|one| !gone.contains(&one.id) && drawn.iter().all(|drawn| drawn.id != one.id));
        Pools::<T>::insert(topic, pool);
        drawn.into_iter().map(|one| (one.id, one.author)).collect()
    }

    /// The canary, if this part of it may be opened with this now.
    fn ensure_opening_due(
        id: u32,
        part: Part,
        salt: &[u8; 32],
        content: &[u8],
    ) -> Result<Canary<BalanceOf<T>>, Refusal> {
        let canary = Authored::<T>::get(id).ok_or(Refusal::NotDrawn)?;
        let round = canary.round.and_then(Rounds::<T>::get);
        let facts = round.ok_or(Refusal::NotDrawn)?.facts;
        let (due, hash, is_open) = match part {
            Part::Task => (
                Phase::OpeningTasks,
                canary.sealed.task,
                TasksOpened::<T>::contains_key(id),
            ),
            Part::Checker => (
                Phase::OpeningCheckers,
                canary.sealed.checker,
                CheckersOpened::<T>::contains_key(id),
            ),
        };
        ensure!(facts.phase(Self::height()) == due, Refusal::OpeningNotDue);
        ensure!(!is_open, Refusal::AlreadyOpened);
        ensure!(
            seal(part, &Self::genesis(), &canary.author, salt, content) == hash,
            Refusal::Mismatch
        );
        let is_fit = match part {
            Part::Task => unfit_task(content).is_none(),
            Part::Checker => {
                let task = TasksOpened::<T>::get(id).ok_or(Refusal::OpeningNotDue)?;
                fit_checker(&task, content).is_ok()
            }
        };
        ensure!(is_fit, Refusal::Unfit);
        Ok(canary)
    }

    /// Decides whether the transaction pool and blocks take an opening. There is no signature: only the author knows the salt.
    pub(crate) fn authorize_open_canary(
        _: TransactionSource,
        id: &u32,
        part: &Part,
        salt: &[u8; 32],
        content: &TaskText,
    ) -> TransactionValidityWithRefund {
        Self::ensure_opening_due(*id, *part, salt, content).map_err(InvalidTransaction::from)?;
        let validity = ValidTransaction::with_tag_prefix("canaries-open")
            .priority(crate::answers::PRIORITY)
            .and_provides((id, part))
            .longevity(16)
            .propagate(true)
            .build()?;
        Ok((validity, Weight::zero()))
    }

    pub(crate) fn do_open(
        id: u32,
        part: Part,
        salt: [u8; 32],
        content: TaskText,
    ) -> DispatchResult {
        Self::ensure_opening_due(id, part, &salt, &content).map_err(Error::<T>::from)?;
        match part {
            Part::Task => TasksOpened::<T>::insert(id, content),
            Part::Checker => {
                // A checker that fits is within its bound.
                let checker = CheckerBytes::try_from(content.into_inner());
                CheckersOpened::<T>::insert(id, checker.map_err(|_| Error::<T>::Unfit)?);
            }
        }
        Self::deposit_event(Event::CanaryOpened { canary: id, part });
        Ok(())
    }

    /// What is posed in a duty: task and checker as far as they are open.
    pub(crate) fn posed(duty: &Duty) -> Option<Posed> {
        match &duty.authored {
            None => Posed::procedural(duty),
            Some((id, _)) => {
                let sealed = Authored::<T>::get(id)?.sealed;
                let (task, checker) = (TasksOpened::<T>::get(id)?, CheckersOpened::<T>::get(id)?);
                Posed::authored(&task, &checker, sealed.difficulty)
            }
        }
    }

    /// Judges the canaries of a round whose windows are closed: which of them count. Returns the slots of those that do not, which cost
    /// their authors the deposit and score nobody.
    pub(crate) fn judge(round: &Round) -> Vec<u8> {
        let facts = &round.facts;
        if facts.authored.is_empty() {
            return Vec::new();
        }
        let mut passers = BTreeMap::<u8, Vec<AccountId32>>::new();
        for node in &round.nodes {
            let Some(group) = Self::group_of(node) else {
                continue;
            };
            for (slot, result) in (0u8..).zip(&Results::<T>::get(facts.id, node)) {
                if slot >= facts.rules.slots && *result == Some(Outcome::Right) {
                    passers.entry(slot).or_default().push(group.clone());
                }
            }
        }
        let mut void = Vec::new();
        for (slot, (id, author)) in (facts.rules.slots..).zip(&facts.authored) {
            let is_open = CheckersOpened::<T>::contains_key(id);
            let passers = passers.remove(&slot).unwrap_or_default();
            let counts = counts(is_open, author, &passers);
            if !counts {
                void.push(slot);
            }
            if let Some(canary) = Authored::<T>::get(id) {
                match counts {
                    true => Self::return_deposit(&canary),
                    false => Self::take_deposit(&canary),
                }
            }
            Self::deposit_event(Event::CanaryJudged {
                canary: *id,
                counts,
                passers: strangers(author, &passers) as u32,
            });
            if !is_open {
                Authors::<T>::mutate(author, |record| record.failures.add(T::Time::now()));
            }
        }
        void
    }

    fn take_deposit(canary: &Canary<BalanceOf<T>>) {
        let _ = T::Currency::transfer_on_hold(
            &HoldReason::Canary.into(),
            &canary.author,
            &T::Commons::get(),
            canary.deposit,
            Precision::BestEffort,
            Restriction::Free,
            Fortitude::Force,
        );
    }

    /// Removes what a forgotten round opened.
    pub(crate) fn forget_authored(facts: &RoundFacts) {
        for (id, _) in &facts.authored {
            Authored::<T>::remove(id);
            TasksOpened::<T>::remove(id);
            CheckersOpened::<T>::remove(id);
        }
    }

    /// The duties of a group in a round with what is posed in each, by slot.
    pub(crate) fn posed_duties(
        facts: &RoundFacts,
        group: &AccountId32,
    ) -> Vec<(Duty, Option<Posed>)> {
        duties(facts, group)
            .into_iter()
            .map(|duty| {
                let posed = Self::posed(&duty);
                (duty, posed)
            })
            .collect()
    }

    /// Whether nobody of this group is scored in the slot: its canary does not count, or the group wrote it.
    pub(crate) fn is_void(round: &Round, duty: &Duty, group: &AccountId32) -> bool {
        duty.authored
            .as_ref()
            .is_some_and(|(_, author)| author == group || round.void.contains(&duty.slot))
    }
}
