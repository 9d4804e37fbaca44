//! When a failed invoice is tried again: the merchant's policy, what retries have taught, and what
//! the card's scheme allows.

use perennial::calendar::Timestamp;
use perennial::dunning::smart::{Knowledge, Payee};
use perennial::dunning::{
    Collected, DeclineClass, Failed, Next, RetryMode, RetryPolicy, Retrying, meaning, schemes,
};
use perennial::id::PaymentMethodId;
use perennial::invoice::Invoice;
use perennial::payment::{Card, Decline, Outcome, PaymentIntent, PaymentMethod};
use perennial::subscription::Status;

use crate::service::booking::Booking;
use crate::service::{Engine, Refused};
use crate::store::retries::{self, CARD_DECLINE, RETRY_OUTCOME};
use crate::store::{Scope, StoreError};

/// All that decides when an invoice is tried again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scheduling {
    policy: RetryPolicy,
    knowledge: Knowledge,
    method: Option<PaymentMethodId>,
    card: Option<Card>,
}

impl Scheduling {
    /// What follows a failed attempt, and notes it on the invoice. `status` is the subscription's.
    pub(super) fn next(
        &self,
        invoice: &mut Invoice,
        status: Option<Status>,
        decline: Option<&Decline>,
        now: Timestamp,
    ) -> Result<Next, Refused> {
        let collected = match (&invoice.subscription, status) {
            (None, _) => Collected::OneOff,
            (_, Some(Status::Incomplete)) => Collected::First,
            _ => Collected::Renewal,
        };
        let attempts = invoice.attempt_count.max(1);
        let before = invoice.retrying.take();
        let since = before.as_ref().map_or(now, |before| before.since);
        let failed = Failed {
            collected,
            attempts,
            since,
            failed_at: now,
            decline,
            card: self.card.as_ref(),
            knowledge: &self.knowledge,
            seed: seed(invoice, attempts),
        };
        let next = self.policy.next(&failed);
        let next = next.map_err(crate::service::invoices::defect)?;
        let idle = matches!(
            next,
            Next::Retry {
                needs_new_method: true,
                ..
            }
        );
        let write_off_at = match collected {
            Collected::OneOff => self.write_off_at(invoice, since),
            Collected::First | Collected::Renewal => None,
        };
        invoice.retrying = Some(Retrying {
            since,
            tried_at: now,
            retries: attempts.saturating_sub(1),
            method: self.method.clone(),
            decline: decline.cloned(),
            idle,
            write_off_at,
            last_chance: before.is_some_and(|before| before.last_chance),
        });
        Ok(next)
    }

    fn write_off_at(&self, invoice: &Invoice, since: Timestamp) -> Option<Timestamp> {
        let from = invoice.due_date.or(invoice.finalized_at).unwrap_or(since);
        from.add_days(i64::from(self.policy.write_off_days?)).ok()
    }

    /// Notes on a sent one-off invoice, which is overdue from `now` on, when it is written off.
    pub(crate) fn write_off_later(&self, invoice: &mut Invoice, now: Timestamp) {
        let Some(at) = self.write_off_at(invoice, now) else {
            return;
        };
        invoice.retrying = Some(Retrying {
            since: now,
            tried_at: now,
            retries: 0,
            method: None,
            decline: None,
            idle: false,
            write_off_at: Some(at),
            last_chance: false,
        });
    }
}

/// The same for the same attempt on the same invoice (FNV-1a of its id).
fn seed(invoice: &Invoice, attempts: u32) -> u64 {
    let bytes = invoice.id.as_str().bytes().chain(attempts.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Whether a card may be charged without its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Yes.
    Given,
    /// Its scheme forbids it until then.
    NotBefore(Timestamp),
    /// Its bank has said never.
    Never,
}

impl Engine {
    /// Gathers what decides about the next attempt. What retries have taught is read only where the
    /// merchant lets it decide.
    pub(crate) async fn scheduling(
        &self,
        scope: &Scope,
        method: Option<&PaymentMethod>,
    ) -> Result<Scheduling, Refused> {
        let policy = self.merchant(scope).await?.retries;
        let mut knowledge = Knowledge::default();
        if matches!(policy.mode, RetryMode::Smart { .. }) {
            let mut connection = self.store.read().await?;
            knowledge = retries::knowledge(&mut connection, scope).await?;
        }
        Ok(Scheduling {
            policy,
            knowledge,
            method: method.map(|method| method.id.clone()),
            card: method.map(|method| method.card.clone()),
        })
    }

    /// Whether a method may be charged by a worker: what its scheme says, over all invoices.
    pub(super) async fn leave(
        &self,
        scope: &Scope,
        method: &PaymentMethod,
    ) -> Result<Leave, Refused> {
        let (card, now) = (&method.card, self.now());
        let mut connection = self.store.read().await?;
        let found = retries::declines(&mut connection, scope, &card.fingerprint, now).await?;
        drop(connection);
        // Who brings a card again has been told by their bank that it works again.
        if found.never.is_some_and(|never| never >= method.created) {
            return Ok(Leave::Never);
        }
        let barred = schemes::barred_until(card.brand, &found.recent, now);
        Ok(barred.map_or(Leave::Given, Leave::NotBefore))
    }

    /// Counts what has become of outcomes of retries, for a worker; see [`retries::count`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_retries(&self) -> Result<usize, StoreError> {
        retries::count(&self.store, self.now()).await
    }
}

/// What an outcome teaches, to be written with it.
#[derive(Debug, Default)]
pub(super) struct Lesson {
    decline: Option<(String, bool)>,
    retry: Option<(perennial::dunning::smart::Traits, bool)>,
}

impl Lesson {
    /// Of an outcome of `intent` with `method`, before it is noted on `invoice`. Only automatic
    /// retries of the method that failed teach when to retry.
    pub(super) fn of(
        outcome: &Outcome,
        intent: &PaymentIntent,
        invoice: &Invoice,
        method: &PaymentMethod,
    ) -> Self {
        let mut lesson = Self::default();
        if let Outcome::Declined(decline) = outcome {
            let hard = meaning(decline).0 == DeclineClass::Hard;
            lesson.decline = Some((method.card.fingerprint.clone(), hard));
        }
        let automatic = invoice.next_payment_attempt.is_none() && !intent.on_session;
        let recovered = match outcome {
            Outcome::Succeeded { .. } => true,
            Outcome::Declined(_) => false,
            Outcome::RequiresAction { .. } => return lesson,
        };
        if let (true, Some(retrying), Some(at)) =
            (automatic, &invoice.retrying, intent.attempted_at)
            && let Some(decline) = &retrying.decline
            && retrying.method.as_ref() == Some(&method.id)
        {
            let payee = Payee {
                decline,
                funding: method.card.funding,
                country: method.card.country.as_deref(),
            };
            let traits = payee.traits(retrying.tried_at, at, retrying.retries);
            lesson.retry = Some((traits, recovered));
        }
        lesson
    }

    /// Writes it.
    pub(super) fn write(&self, booking: &mut Booking<'_>, intent: &PaymentIntent, engine: &Engine) {
        let now = engine.now();
        if let Some((fingerprint, hard)) = &self.decline {
            let attempt = intent.idempotency_key();
            let cells = retries::decline_cells(fingerprint, now, &attempt, *hard);
            booking.add(&CARD_DECLINE, cells);
        }
        if let Some((traits, recovered)) = &self.retry {
            let cells = retries::outcome_cells(&engine.store, traits, *recovered, now);
            booking.add(&RETRY_OUTCOME, cells);
        }
    }
}
