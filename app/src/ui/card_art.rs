//! A payment card, drawn small.

use super::{Glyph, Icon};
use leptos::prelude::*;
use perennial::payment::CardBrand;
use stylers_macro::style_sheet;

/// The name people know a network by; `None` for an unknown one.
#[must_use]
pub const fn brand_name(brand: CardBrand) -> Option<&'static str> {
    Some(match brand {
        CardBrand::Amex => "American Express",
        CardBrand::Diners => "Diners Club",
        CardBrand::Discover => "Discover",
        CardBrand::Jcb => "JCB",
        CardBrand::Mastercard => "Mastercard",
        CardBrand::Unionpay => "UnionPay",
        CardBrand::Visa => "Visa",
        CardBrand::Unknown => return None,
    })
}

/// A small card with the mark of its network. Decorative: the words beside it say the same.
#[component]
pub fn CardArt(
    /// The network; follows what is typed.
    #[prop(into)]
    brand: Signal<CardBrand>,
) -> impl IntoView {
    view! {
        <span class=concat!("card-art ", style_sheet!("app/src/ui/card_art.css")) aria-hidden="true">
            {move || mark(brand.get())}
        </span>
    }
}

/// The mark of a network: circles or a word, in its own colours.
fn mark(brand: CardBrand) -> AnyView {
    let word = |text: &'static str,
                ink: &'static str,
                size: &'static str,
                slant: Option<&'static str>| {
        view! {
            <svg viewBox="0 0 40 26">
                <text x="20" y="17" text-anchor="middle" font-size=size font-weight="700" font-style=slant fill=ink font-family="Arial, sans-serif">
                    {text}
                </text>
            </svg>
        }
        .into_any()
    };
    match brand {
        CardBrand::Visa => word("VISA", "#1a3a8f", "12", Some("italic")),
        CardBrand::Amex => word("AMEX", "#1668b3", "10", None),
        CardBrand::Diners => word("Diners", "#34536b", "9.5", None),
        CardBrand::Discover => word("DISC", "#b8560f", "11", None),
        CardBrand::Jcb => word("JCB", "#15703c", "12", None),
        CardBrand::Unionpay => word("Union", "#a3182c", "10", None),
        CardBrand::Mastercard => view! {
            <svg viewBox="0 0 40 26">
                <circle cx="16" cy="13" r="7.5" fill="#d9222a" />
                <circle cx="24" cy="13" r="7.5" fill="#ee9f2d" />
                <path d="M20 6.65a7.5 7.5 0 0 1 0 12.7 7.5 7.5 0 0 1 0-12.7z" fill="#f16c1f" />
            </svg>
        }
        .into_any(),
        CardBrand::Unknown => view! { <Icon glyph=Glyph::Card /> }.into_any(),
    }
}
