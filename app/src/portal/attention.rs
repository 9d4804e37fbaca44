//! The most urgent thing, and what to do about it.

use super::refused::advice;
use crate::{
    locale::words,
    port::Attention,
    ui::{Banner, ButtonKind, LinkButton, Tone},
};
use leptos::prelude::*;
use perennial::calendar::Timestamp;

/// What a banner says, and the paths it offers: the first is the one to take.
struct Said {
    tone: Tone,
    title: String,
    detail: Option<String>,
    ways: Vec<(String, String)>,
}

/// The banner of the most urgent thing.
#[component]
pub fn AttentionBanner(
    /// What it is.
    attention: Attention,
    /// The moment that the page holds for.
    now: Timestamp,
) -> impl IntoView {
    let said = say(&attention, now);
    let ways: Vec<_> = said
        .ways
        .into_iter()
        .enumerate()
        .map(|(at, (href, text))| {
            let kind = if at == 0 {
                ButtonKind::Primary
            } else {
                ButtonKind::Text
            };
            view! { <LinkButton href=href kind=kind>{text}</LinkButton> }
        })
        .collect();
    view! {
        <Banner tone=said.tone title=said.title nostrip:detail=said.detail>
            {ways}
        </Banner>
    }
}

fn say(attention: &Attention, now: Timestamp) -> Said {
    let words = words();
    let date = |at| words.date_near(at, now);
    let pay = |invoice: &perennial::id::InvoiceId, amount| {
        (
            format!("/portal/invoices/{invoice}"),
            words.attention_pay(&words.money(amount)),
        )
    };
    let add_card = || {
        (
            "/portal/payment-methods/new".to_owned(),
            words.attention_add_card().to_owned(),
        )
    };
    match attention {
        Attention::PaymentFailed {
            invoice,
            amount,
            reason,
            retry_at,
        } => {
            let advice = advice(words, *reason);
            let detail = retry_at.map_or_else(
                || advice.to_owned(),
                |at| words.format_join(advice, &words.attention_retry(&date(at))),
            );
            Said {
                tone: Tone::Danger,
                title: words.attention_payment_failed(&words.money(*amount)),
                detail: Some(detail),
                ways: vec![pay(invoice, *amount)],
            }
        }
        Attention::NeedsAuthentication { invoice, amount } => Said {
            tone: Tone::Caution,
            title: words.attention_authenticate(&words.money(*amount)),
            detail: Some(words.attention_authenticate_detail().to_owned()),
            ways: vec![(
                format!("/portal/invoices/{invoice}"),
                words.attention_confirm().to_owned(),
            )],
        },
        Attention::InvoiceOpen {
            invoice,
            amount,
            due_at,
        } => Said {
            tone: Tone::Caution,
            title: words.attention_invoice_open(&words.money(*amount)),
            detail: due_at.map(|at| words.attention_invoice_due(&date(at))),
            ways: vec![pay(invoice, *amount)],
        },
        Attention::TrialEndsWithoutPaymentMethod { at, .. } => Said {
            tone: Tone::Caution,
            title: words.attention_trial_ends(&date(*at)),
            detail: Some(words.attention_trial_no_card().to_owned()),
            ways: vec![add_card()],
        },
        Attention::CardExpires {
            payment_method,
            expired,
        } => {
            let last = &payment_method.method.card.last4;
            Said {
                tone: if *expired {
                    Tone::Danger
                } else {
                    Tone::Caution
                },
                title: if *expired {
                    words.attention_card_expired(last)
                } else {
                    words.attention_card_expires(last)
                },
                detail: Some(words.attention_card_detail().to_owned()),
                ways: vec![add_card()],
            }
        }
        Attention::TrialEnds { at, amount, .. } => Said {
            tone: Tone::Info,
            title: words.attention_trial_ends(&date(*at)),
            detail: Some(words.attention_trial_then(&words.money(*amount))),
            ways: Vec::new(),
        },
    }
}
