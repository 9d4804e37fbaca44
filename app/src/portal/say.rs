//! States in words of life: what a subscription or an invoice is to its owner.

use crate::{
    locale::Words,
    port::{InvoiceRow, ItemRow, SubscriptionCard, UnpaidRow},
    ui::Tone,
};
use perennial::{calendar::Timestamp, discount::Off, invoice::InvoiceStatus, subscription::Status};

/// Where a subscription stands, and what that means to the reader.
#[must_use]
pub fn subscription_status(
    words: Words,
    subscription: &SubscriptionCard,
    now: Timestamp,
) -> (Tone, String) {
    let date = |at| words.date_near(at, now);
    if let (Some(at), Status::Active | Status::Trialing) =
        (subscription.cancel_at, subscription.status)
    {
        return (Tone::Caution, words.status_ends(&date(at)));
    }
    if let (Some(rests), Status::Active) = (subscription.collection_rests, subscription.status) {
        let text = match rests {
            Some(at) => words.status_rests_until(&date(at)),
            None => words.status_rests().to_owned(),
        };
        return (Tone::Info, text);
    }
    match subscription.status {
        Status::Active => match &subscription.next_payment {
            Some(next) => (Tone::Positive, words.status_active_renews(&date(next.at))),
            None => (Tone::Positive, words.status_active().to_owned()),
        },
        Status::Trialing => {
            let end = subscription
                .trial_end
                .unwrap_or(subscription.current_period.end);
            (Tone::Info, words.status_trial(&date(end)))
        }
        Status::PastDue => match subscription.retry_at {
            Some(at) => (Tone::Danger, words.status_past_due_retry(&date(at))),
            None => (Tone::Danger, words.status_past_due().to_owned()),
        },
        Status::Incomplete => (Tone::Caution, words.status_incomplete().to_owned()),
        Status::IncompleteExpired => (Tone::Neutral, words.status_incomplete_expired().to_owned()),
        Status::Unpaid => (Tone::Danger, words.status_unpaid().to_owned()),
        Status::Canceled => match subscription.ended_at {
            Some(at) => (Tone::Neutral, words.status_ended(&date(at))),
            None => (Tone::Neutral, words.status_canceled().to_owned()),
        },
        Status::Paused => match subscription.resumes_at {
            Some(at) => (Tone::Caution, words.status_paused_until(&date(at))),
            None => (Tone::Caution, words.status_paused().to_owned()),
        },
    }
}

/// Where an invoice stands, and what that means to the reader.
#[must_use]
pub fn invoice_status(words: Words, invoice: &InvoiceRow) -> (Tone, &'static str) {
    match invoice.status {
        InvoiceStatus::Draft => (Tone::Neutral, words.invoice_status_draft()),
        InvoiceStatus::Open if invoice.failed => (Tone::Danger, words.invoice_status_failed()),
        InvoiceStatus::Open => (Tone::Caution, words.invoice_status_open()),
        InvoiceStatus::Paid => (Tone::Positive, words.invoice_status_paid()),
        InvoiceStatus::Uncollectible => (Tone::Neutral, words.invoice_status_uncollectible()),
        InvoiceStatus::Void => (Tone::Neutral, words.invoice_status_void()),
    }
}

/// An item in a line: `Team`, `3 × Team`.
#[must_use]
pub fn item(words: Words, item: &ItemRow) -> String {
    match item.quantity {
        Some(quantity) if quantity != 1 => {
            words.home_items(&item.product_name, &words.integer(quantity))
        }
        _ => item.product_name.clone(),
    }
}

/// All items in a line.
#[must_use]
pub fn items(words: Words, rows: &[ItemRow]) -> String {
    let rows: Vec<_> = rows.iter().map(|row| item(words, row)).collect();
    rows.join(" + ")
}

/// How often the items are billed: `a month`; empty where they never are.
#[must_use]
pub fn rhythm(words: Words, rows: &[ItemRow]) -> String {
    let first = rows.first().and_then(|row| row.cadence);
    first
        .map(|cadence| words.every(cadence))
        .unwrap_or_default()
}

/// A change that is made once it is paid: what it is and until when.
#[must_use]
pub fn unpaid(words: Words, change: &UnpaidRow, now: Timestamp) -> String {
    words.home_unpaid_text(
        &words.money(change.recurring),
        &words.date_near(change.until, now),
        &words.money(change.amount),
        &items(words, &change.items),
        &rhythm(words, &change.items),
    )
}

/// How much a discount takes off: `20%`, `€5.00`.
#[must_use]
pub fn off(words: Words, off: Off) -> String {
    match off {
        Off::Percent(percent) => words.format_percent(&words.decimal(&percent.to_string())),
        Off::Amount {
            amount_minor,
            currency,
        } => words.money(perennial::money::Money::new(amount_minor, currency)),
    }
}
