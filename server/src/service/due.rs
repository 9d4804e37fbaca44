//! When a row needs a worker next, and the names under which its state is filtered.

use perennial::calendar::Timestamp;
use perennial::id::TestClockId;
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::payment::{PaymentIntent, PaymentStatus, SetupIntent, SetupStatus};
use perennial::schedule::ScheduleStatus;
use perennial::subscription::{CollectionMethod, Status, Subscription};

use super::noticing::upcoming_notice_at;
use super::subscriptions::TRIAL_NOTICE_SECONDS;
use crate::mail::cause::{REMINDED_DAYS_BEFORE, REMINDED_DAYS_MIN};
use crate::store::document::Column;

/// How long a charge may be out before a worker asks what became of it, in seconds. Asking early
/// does no harm: the key is the same.
const ASK_AFTER_SECONDS: i64 = 15;
/// The first look after a challenge whose customer did not come back, in seconds.
const CHALLENGE_SECONDS_MIN: i64 = 20;
/// The longest pause between two looks in the first week, in seconds.
const CHALLENGE_SECONDS_MAX: i64 = 3_600;
/// From this age on, in seconds, a challenge is looked after once a day: hardly anybody answers then.
const CHALLENGE_OLD_SECONDS: i64 = 7 * 86_400;
const DAY_SECONDS: i64 = 86_400;

/// The columns of a moment: `due_at` (real time), `test_clock` and `clock_due_at` (that clock's time).
/// What follows a test clock is due by its time only, so that no sweep of real time finds it.
#[must_use]
pub fn moments(clock: Option<&TestClockId>, due: Option<Timestamp>) -> [Column; 3] {
    let (real, clocked) = match clock {
        None => (due, None),
        Some(_) => (None, due),
    };
    [
        Column::moment(real),
        Column::text_or_null(clock),
        Column::moment(clocked),
    ]
}

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
pub fn schedule_status_name(status: ScheduleStatus) -> &'static str {
    match status {
        ScheduleStatus::NotStarted => "not_started",
        ScheduleStatus::Active => "active",
        ScheduleStatus::Completed => "completed",
        ScheduleStatus::Released => "released",
        ScheduleStatus::Canceled => "canceled",
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
    let moments = [
        subscription.next_due_at(),
        trial_notice_at(subscription),
        upcoming_notice_at(subscription),
    ];
    moments.into_iter().flatten().min()
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
        InvoiceStatus::Open => {
            let notice = due_notice_at(invoice);
            let retrying = invoice.retrying.as_ref();
            let write_off = retrying.and_then(|retrying| retrying.write_off_at);
            let moments = [notice, invoice.next_payment_attempt, write_off];
            moments.into_iter().flatten().min()
        }
        InvoiceStatus::Paid | InvoiceStatus::Uncollectible | InvoiceStatus::Void => None,
    }
}

/// When it is told that a sent invoice will be due, unless it has been: three days before (Stripe leaves
/// the number to the merchant), as its reminder goes out. Of an invoice that is to be paid within a week
/// its own arrival is notice enough.
#[must_use]
pub fn due_notice_at(invoice: &Invoice) -> Option<Timestamp> {
    let days_before =
        |at: Timestamp, days: i64| Timestamp(at.0.saturating_sub(days.saturating_mul(DAY_SECONDS)));
    let due = invoice.due_date?;
    let waits = invoice.status == InvoiceStatus::Open
        && invoice.collection_method == CollectionMethod::SendInvoice
        && invoice.next_payment_attempt == Some(due)
        && invoice.will_be_due_told != Some(due);
    let early = days_before(due, REMINDED_DAYS_MIN) >= invoice.finalized_at?;
    (waits && early).then(|| days_before(due, REMINDED_DAYS_BEFORE))
}

/// When the gateway is asked next what became of a charge: it may have no answer yet, or wait for
/// the customer.
#[must_use]
pub fn payment_intent_due_at(intent: &PaymentIntent) -> Option<Timestamp> {
    match intent.status {
        PaymentStatus::Processing => intent.ask_at.or(intent.attempted_at.map(answer_due_at)),
        PaymentStatus::RequiresAction => intent.ask_at.or(intent.attempted_at),
        _ => None,
    }
}

/// When the gateway is asked next what became of a set-up.
#[must_use]
pub fn setup_intent_due_at(intent: &SetupIntent) -> Option<Timestamp> {
    match intent.status {
        SetupStatus::Processing => intent.ask_at.or(intent.attempted_at.map(answer_due_at)),
        SetupStatus::RequiresAction => intent.ask_at.or(intent.attempted_at),
        _ => None,
    }
}

fn answer_due_at(attempted_at: Timestamp) -> Timestamp {
    Timestamp(attempted_at.0.saturating_add(ASK_AFTER_SECONDS))
}

/// The next look after an attempt that was sent at `attempted_at` and is still out, because its
/// challenge is not answered or the gateway says nothing of it: soon at first, then each pause is as
/// long as all before it, up to an hour in the first week and a day afterwards.
#[must_use]
pub fn challenge_due_at(attempted_at: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let since = attempted_at.unwrap_or(now);
    let age = now.0.saturating_sub(since.0);
    let pause = if age >= CHALLENGE_OLD_SECONDS {
        DAY_SECONDS
    } else {
        age.clamp(CHALLENGE_SECONDS_MIN, CHALLENGE_SECONDS_MAX)
    };
    Timestamp(now.0.saturating_add(pause))
}
