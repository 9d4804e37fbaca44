//! A saved payment method in a line: its mark, its name, until when it can be used.

use crate::{
    locale::Words,
    locale::words,
    ui::{CardArt, brand_name},
};
use leptos::prelude::*;
use perennial::{calendar::Timestamp, payment::Card};
use stylers_macro::style_sheet;

/// How long before its end a card is said to end soon.
const SOON_MONTHS: i64 = 1;

/// How far a card is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It can be used for longer.
    Valid,
    /// It can be used for the last time this month or next.
    EndsSoon,
    /// It can't be used any more.
    Expired,
}

/// How far a card is from its end at `now`. It can be used through the end of its month.
#[must_use]
pub fn life(card: &Card, now: Timestamp) -> Life {
    let months = |year: i64, month: u8| year * 12 + i64::from(month);
    let today = now.civil();
    let left = months(i64::from(card.exp_year), card.exp_month) - months(today.year, today.month);
    match left {
        ..0 => Life::Expired,
        0..=SOON_MONTHS => Life::EndsSoon,
        _ => Life::Valid,
    }
}

/// A card's name to read aloud or to put on a button: `Visa ending in 4242`.
#[must_use]
pub fn spoken(words: Words, card: &Card) -> String {
    let brand = brand_name(card.brand).unwrap_or(words.method_card());
    words.method_spoken(brand, &card.last4)
}

/// A card's end, as it stands on the card: `12/2026`.
#[must_use]
pub fn expiry(card: &Card) -> String {
    format!("{:02}/{}", card.exp_month, card.exp_year)
}

/// The line. What stands after the name, such as its end, is its children.
#[component]
pub fn Method(
    /// The card.
    card: Card,
    /// More about it, below its name.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let words = words();
    let brand = card.brand;
    let name = brand_name(brand).unwrap_or(words.method_card());
    view! {
        <span class=concat!("method ", style_sheet!("app/src/portal/method.css"))>
            <CardArt brand=brand />
            <span class="words">
                <span class="name">
                    <span aria-hidden="true">{name}" •••• "{card.last4.clone()}</span>
                    <span class="unseen">{spoken(words, &card)}</span>
                </span>
                {children.map(|children| view! { <span class="more">{children()}</span> })}
            </span>
        </span>
    }
}
