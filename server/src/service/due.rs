//! When a row needs a worker next, and the names under which its state is filtered.

use perennial::calendar::Timestamp;
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::subscription::{Status, Subscription};

use super::subscriptions::TRIAL_NOTICE_SECONDS;

/// Stripe's name of a status.
#[must_use]
pub fn status_name(status: Status) -> &'static str {
    match status {
        Status::Trialing => "trialing",
        Status::Active => "active",
        Status::Incomplete => "incomplete",
        Status::IncompleteExpired => "incomplete_expired",
        Status::PastDue => "past_due",
        Status::Unpaid => "unpaid",
        Status::Canceled => "canceled",
        Status::Paused => "paused",
    }
}

/// Stripe's name of a status.
#[must_use]
pub fn invoice_status_name(status: InvoiceStatus) -> &'static str {
    match status {
        InvoiceStatus::Draft => "draft",
        InvoiceStatus::Open => "open",
        InvoiceStatus::Paid => "paid",
        InvoiceStatus::Uncollectible => "uncollectible",
        InvoiceStatus::Void => "void",
    }
}

/// The next moment at which something must happen to it by itself.
#[must_use]
pub fn subscription_due_at(subscription: &Subscription) -> Option<Timestamp> {
    let due = subscription.next_due_at();
    match (due, trial_notice_at(subscription)) {
        (Some(due), Some(notice)) => Some(due.min(notice)),
        (due, notice) => due.or(notice),
    }
}

/// When the end of a trial is to be told, unless it has been.
#[must_use]
pub fn trial_notice_at(subscription: &Subscription) -> Option<Timestamp> {
    let end = subscription.trial_end?;
    if subscription.status != Status::Trialing || subscription.trial_end_told == Some(end) {
        return None;
    }
    Some(Timestamp(end.0.saturating_sub(TRIAL_NOTICE_SECONDS)))
}

/// The next moment at which it is finalised, charged or found to be past due.
#[must_use]
pub fn invoice_due_at(invoice: &Invoice) -> Option<Timestamp> {
    if !invoice.auto_advance {
        return None;
    }
    match invoice.status {
        InvoiceStatus::Draft => invoice.automatically_finalizes_at,
        InvoiceStatus::Open => invoice.next_payment_attempt,
        InvoiceStatus::Paid | InvoiceStatus::Uncollectible | InvoiceStatus::Void => None,
    }
}
