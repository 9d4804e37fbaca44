//! A state in a word, with an icon, so that it never rests on colour alone.

use super::{Glyph, Icon};
use leptos::prelude::*;
use stylers_macro::style_sheet;

/// What a state means to the reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Neither good nor bad.
    #[default]
    Neutral,
    /// All is well.
    Positive,
    /// Something is coming.
    Caution,
    /// Something is wrong.
    Danger,
    /// Something to know.
    Info,
}

impl Tone {
    /// Its name in the stylesheets.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Positive => "positive",
            Self::Caution => "caution",
            Self::Danger => "danger",
            Self::Info => "info",
        }
    }

    /// The icon that goes with it.
    #[must_use]
    pub const fn glyph(self) -> Glyph {
        match self {
            Self::Neutral => Glyph::Minus,
            Self::Positive => Glyph::Check,
            Self::Caution => Glyph::Clock,
            Self::Danger => Glyph::Alert,
            Self::Info => Glyph::Info,
        }
    }
}

/// An icon and a word in the colour of their meaning.
#[component]
pub fn Badge(
    /// What it means.
    #[prop(optional)]
    tone: Tone,
    /// Another icon than the tone's own.
    #[prop(optional)]
    glyph: Option<Glyph>,
    /// The word.
    children: Children,
) -> impl IntoView {
    view! {
        <span class=concat!("badge ", style_sheet!("app/src/ui/badge.css")) data-tone=tone.name()>
            <Icon glyph=glyph.unwrap_or(tone.glyph()) />
            <span>{children()}</span>
        </span>
    }
}
