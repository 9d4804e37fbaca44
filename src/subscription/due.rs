//! When something must happen to a subscription next.

use super::{INCOMPLETE_SECONDS, Status, Subscription};
use crate::calendar::Timestamp;

/// What must happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Due {
    /// The first invoice is too old: [`super::Event::FirstPaymentExpired`].
    FirstPaymentExpiry,
    /// A change was not paid in time: it is forgotten.
    PendingUpdateExpiry,
    /// It ends: [`Subscription::finish`].
    End,
    /// A phase of its schedule begins in mid-period: [`Subscription::turn`].
    Phase,
    /// Periods end, and with them perhaps a trial, and a change that waited is made:
    /// [`Subscription::renew`].
    Renewal,
    /// What waits is billed between periods: [`Subscription::bill_pending_items`].
    PendingItems,
    /// Collection goes on: [`Subscription::resume_collection`].
    ResumeCollection,
    /// A resumption was not paid in time: its invoice is voided.
    ResumptionExpiry,
    /// A pause ends: [`Subscription::resume`].
    Resume,
}

impl Subscription {
    /// The next moment at which something must happen, and what. At one moment an end comes before a
    /// renewal, so that nobody is billed for a period they never have.
    #[must_use]
    pub fn next_due(&self) -> Option<(Timestamp, Due)> {
        let mut due = Vec::new();
        match self.status {
            Status::Canceled | Status::IncompleteExpired => return None,
            Status::Incomplete => {
                let expiry = self.created.0.saturating_add(INCOMPLETE_SECONDS);
                due.push((Timestamp(expiry), Due::FirstPaymentExpiry));
            }
            Status::Paused => {
                due.extend(self.cancel_at.map(|at| (at, Due::End)));
                let paused = self.paused.as_ref();
                match paused.and_then(|own| own.resuming.as_ref()) {
                    Some(resuming) => due.push((resuming.until, Due::ResumptionExpiry)),
                    None => {
                        let resumes_at = paused.and_then(|own| own.resumes_at);
                        due.extend(resumes_at.map(|at| (at, Due::Resume)));
                    }
                }
            }
            Status::Trialing | Status::Active | Status::PastDue | Status::Unpaid => {
                due.extend(self.cancel_at.map(|at| (at, Due::End)));
                due.extend(self.phase_due().map(|at| (at, Due::Phase)));
                due.extend(self.period_end().map(|at| (at, Due::Renewal)));
                due.extend(self.pending_items_at().map(|at| (at, Due::PendingItems)));
            }
        }
        let resumes_at = self.pause_collection.and_then(|pause| pause.resumes_at);
        due.extend(resumes_at.map(|at| (at, Due::ResumeCollection)));
        let pending = self.pending_update.as_ref().map(|update| update.expires_at);
        due.extend(pending.map(|at| (at, Due::PendingUpdateExpiry)));
        due.into_iter().min()
    }

    /// The moment of [`Subscription::next_due`].
    #[must_use]
    pub fn next_due_at(&self) -> Option<Timestamp> {
        self.next_due().map(|(at, _)| at)
    }

    /// When the earliest running period of an item ends.
    #[must_use]
    pub fn period_end(&self) -> Option<Timestamp> {
        self.items.iter().map(|item| item.current_period.end).min()
    }

    /// When the latest running period of an item ends.
    #[must_use]
    pub fn last_period_end(&self) -> Option<Timestamp> {
        self.items.iter().map(|item| item.current_period.end).max()
    }

    /// Lets collection go on.
    pub fn resume_collection(&mut self) {
        self.pause_collection = None;
    }
}
