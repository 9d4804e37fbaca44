//! A payment card, drawn small.

use super::{Glyph, Icon};
use leptos::prelude::*;
use stylers_macro::style_sheet;

/// The network of a card, as Stripe names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the network's name")]
pub enum CardBrand {
    Amex,
    CartesBancaires,
    Diners,
    Discover,
    Jcb,
    Mastercard,
    UnionPay,
    Visa,
    /// Another one, or not known yet.
    #[default]
    Unknown,
}

impl CardBrand {
    /// Reads Stripe's name of the network.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "amex" => Self::Amex,
            "cartes_bancaires" => Self::CartesBancaires,
            "diners" => Self::Diners,
            "discover" => Self::Discover,
            "jcb" => Self::Jcb,
            "mastercard" => Self::Mastercard,
            "unionpay" => Self::UnionPay,
            "visa" => Self::Visa,
            _ => Self::Unknown,
        }
    }

    /// The network of a number that is being typed, from its first digits (ISO/IEC 7812 ranges).
    #[must_use]
    pub fn from_number(number: &str) -> Self {
        let digits: String = number
            .chars()
            .filter(char::is_ascii_digit)
            .take(4)
            .collect();
        let lead = |count: usize| {
            digits
                .get(..count)
                .and_then(|lead| lead.parse::<u16>().ok())
        };
        match (lead(1), lead(2), lead(3), lead(4)) {
            (Some(4), ..) => Self::Visa,
            (_, Some(34 | 37), ..) => Self::Amex,
            (_, Some(51..=55), ..) | (.., Some(2221..=2720)) => Self::Mastercard,
            (_, Some(36 | 38 | 39), ..) | (_, _, Some(300..=305), _) => Self::Diners,
            (.., Some(3528..=3589)) => Self::Jcb,
            (_, Some(65), ..) | (_, _, Some(644..=649), _) | (.., Some(6011)) => Self::Discover,
            (_, Some(62 | 81), ..) => Self::UnionPay,
            _ => Self::Unknown,
        }
    }

    /// The name people know it by; `None` for an unknown network.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Amex => "American Express",
            Self::CartesBancaires => "Cartes Bancaires",
            Self::Diners => "Diners Club",
            Self::Discover => "Discover",
            Self::Jcb => "JCB",
            Self::Mastercard => "Mastercard",
            Self::UnionPay => "UnionPay",
            Self::Visa => "Visa",
            Self::Unknown => return None,
        })
    }
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
        CardBrand::CartesBancaires => word("CB", "#1b5e83", "13", Some("italic")),
        CardBrand::Diners => word("Diners", "#34536b", "9.5", None),
        CardBrand::Discover => word("DISC", "#b8560f", "11", None),
        CardBrand::Jcb => word("JCB", "#15703c", "12", None),
        CardBrand::UnionPay => word("Union", "#a3182c", "10", None),
        CardBrand::Mastercard => view! {
            <svg viewBox="0 0 40 26">
                <circle cx="16" cy="13" r="7.5" fill="#d9222a" />
                <circle cx="24" cy="13" r="7.5" fill="#ee9f2d" />
                <path d="M20 6.650a7.500 7.500 0 0 1 0 12.700 7.500 7.500 0 0 1 0-12.700z" fill="#f16c1f" />
            </svg>
        }
        .into_any(),
        CardBrand::Unknown => view! { <Icon glyph=Glyph::Card /> }.into_any(),
    }
}
