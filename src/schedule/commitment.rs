//! Minimum commitments: an amount that a contract brings in at least. An extension of ours.
//!
//! What is counted are the lines of the subscription's invoices that cover the commitment's time: fees
//! and usage, net of discounts, before exclusive tax. What is short at its end is billed as one line
//! with the first invoice from then on. Where the subscription ends before the commitment's time is
//! over, the share of the elapsed time (to the second, rounded down) is what it had to bring in.

use serde::{Deserialize, Serialize};

use crate::calendar::{Cadence, Period, Timestamp};
use crate::invoice::{Line, LineKind};
use crate::money::MoneyError;
use crate::ratio::Ratio;
use crate::subscription::{Subscription, SubscriptionError};

/// What invoices call the line that makes up for the difference.
pub const TRUE_UP: &str = "Minimum commitment";

/// What a phase or a subscription is to bring in at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinimumCommitment {
    /// Minor units of the subscription's currency, before tax; positive.
    pub amount_minor: i64,
    /// In which time.
    pub period: CommitmentPeriod,
}

/// The time in which a commitment is to be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitmentPeriod {
    /// The whole phase.
    Phase,
    /// Each period that the subscription bills.
    BillingPeriod,
    /// Each year from its start; the last may be shorter, and then counts by its length.
    Year,
}

/// A commitment that is running, with what has come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    /// What was agreed.
    pub terms: MinimumCommitment,
    /// The time that is running.
    pub period: Period,
    /// Where all of it ends.
    pub until: Timestamp,
    /// Billed so far for that time, in minor units, net of discounts, before tax.
    pub counted_minor: i64,
    /// Billed for the time after it (in advance), which counts then.
    pub ahead_minor: i64,
}

impl Commitment {
    /// Begins at `start` and holds until `until`.
    ///
    /// # Errors
    /// When a date is beyond the calendar.
    pub fn begin(
        terms: MinimumCommitment,
        start: Timestamp,
        until: Timestamp,
        subscription: &Subscription,
    ) -> Result<Self, SubscriptionError> {
        Ok(Self {
            terms,
            period: stretch(terms, start, until, subscription)?,
            until,
            counted_minor: 0,
            ahead_minor: 0,
        })
    }

    /// Counts the lines of an invoice of the subscription.
    ///
    /// # Errors
    /// When a sum does not fit.
    pub fn count(&mut self, lines: &[Line]) -> Result<(), MoneyError> {
        for line in lines.iter().filter(|line| counts(line)) {
            let net = line.amount_minor.checked_sub(line.discount_minor());
            let net = net.ok_or(MoneyError::Overflow)?;
            let starts = line.period.start;
            if starts < self.period.start {
                continue;
            }
            let sum = if starts < self.period.end {
                &mut self.counted_minor
            } else {
                &mut self.ahead_minor
            };
            *sum = sum.checked_add(net).ok_or(MoneyError::Overflow)?;
        }
        Ok(())
    }

    /// What is short for the time until `at`, with `lines` that are about to be billed for it.
    ///
    /// # Errors
    /// When a sum does not fit.
    pub fn short_minor(&self, at: Timestamp, lines: &[Line]) -> Result<i64, MoneyError> {
        let mut with = *self;
        with.count(lines)?;
        let due = if at >= self.period.end {
            self.whole_minor()?
        } else {
            let elapsed = Ratio::ONE.checked_sub(self.period.fraction_remaining(at))?;
            let whole = Ratio::from_integer(self.whole_minor()?);
            whole.checked_mul(elapsed)?.floor()?
        };
        let short = due.checked_sub(with.counted_minor);
        Ok(short.ok_or(MoneyError::Overflow)?.max(0))
    }

    /// What the running time is to bring in: a last year that is shorter counts by its length.
    ///
    /// # Errors
    /// When an amount does not fit.
    pub fn whole_minor(&self) -> Result<i64, MoneyError> {
        if self.terms.period != CommitmentPeriod::Year {
            return Ok(self.terms.amount_minor);
        }
        let Ok(year) = Cadence::YEARLY.boundary(self.period.start, 1) else {
            return Ok(self.terms.amount_minor);
        };
        let (is, whole) = (
            i128::from(self.period.seconds()),
            i128::from(year.0.saturating_sub(self.period.start.0)),
        );
        let share = Ratio::new(is.min(whole), whole)?;
        Ratio::from_integer(self.terms.amount_minor)
            .checked_mul(share)?
            .floor()
    }

    /// The next stretch of time after one that ended; `None` when all of it is over.
    ///
    /// # Errors
    /// When a date is beyond the calendar.
    pub fn next(&self, subscription: &Subscription) -> Result<Option<Self>, SubscriptionError> {
        let start = self.period.end;
        if start >= self.until || self.terms.period == CommitmentPeriod::Phase {
            return Ok(None);
        }
        let mut next = Self::begin(self.terms, start, self.until, subscription)?;
        next.counted_minor = self.ahead_minor;
        Ok(Some(next))
    }
}

/// Whether a line counts: what the subscription itself bills.
fn counts(line: &Line) -> bool {
    line.subscription_item.is_some() && line.kind != LineKind::TrueUp
}

fn stretch(
    terms: MinimumCommitment,
    start: Timestamp,
    until: Timestamp,
    subscription: &Subscription,
) -> Result<Period, SubscriptionError> {
    let end = match terms.period {
        CommitmentPeriod::Phase => until,
        CommitmentPeriod::Year => Cadence::YEARLY.boundary(start, 1)?.min(until),
        CommitmentPeriod::BillingPeriod => {
            let first = subscription.items.first();
            let cadence = first.ok_or(SubscriptionError::NoItems)?.cadence()?;
            cadence
                .period_containing(subscription.billing_cycle_anchor, start)?
                .end
                .min(until)
        }
    };
    Ok(Period { start, end })
}
