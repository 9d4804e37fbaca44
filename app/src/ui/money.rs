//! Amounts and dates, as the reader's language writes them.

use crate::locale::words;
use leptos::prelude::*;
use perennial::{calendar::Timestamp, money::Money};
use stylers_macro::style_sheet;

/// How large an amount stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Figure {
    /// As large as the text around it.
    #[default]
    Text,
    /// The amount of a card or a row of its own.
    Large,
    /// The amount that the page is about.
    Hero,
}

/// An amount of money: figures of one width, never broken over lines.
#[component]
pub fn Amount(
    /// How much.
    #[prop(into)]
    money: Signal<Money>,
    /// How large.
    #[prop(optional)]
    figure: Figure,
    /// How often, said more quietly after it: `a month`.
    #[prop(optional, into)]
    rhythm: Option<String>,
) -> impl IntoView {
    let words = words();
    let size = match figure {
        Figure::Text => "text",
        Figure::Large => "large",
        Figure::Hero => "hero",
    };
    view! {
        <span class=concat!("amount ", style_sheet!("app/src/ui/money.css")) data-size=size>
            <bdi>{move || words.money(money.get())}</bdi>
            {rhythm.map(|rhythm| view! { <span class="rhythm">" "{rhythm}</span> })}
        </span>
    }
}

/// A day, with the exact second in its title, and how far away it is where `now` is given.
#[component]
pub fn Date(
    /// When.
    at: Timestamp,
    /// The moment that the page holds for: then `in 12 days` follows.
    #[prop(optional)]
    now: Option<Timestamp>,
    /// Whether to write it short, for tables.
    #[prop(optional)]
    short: bool,
) -> impl IntoView {
    let words = words();
    let text = if short {
        words.date_short(at)
    } else {
        words.date(at)
    };
    view! {
        <time dir="auto" datetime=machine_readable(at) title=words.exactly(at)>
            {text}
        </time>
        {now.map(|now| view! { <small class="quiet">" · "{words.away(at, now)}</small> })}
    }
}

/// A moment as HTML's `datetime` wants it: `2026-12-01T09:05:07Z`.
#[must_use]
pub fn machine_readable(at: Timestamp) -> String {
    let c = at.civil();
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        c.year, c.month, c.day, c.hour, c.minute, c.second
    )
}
