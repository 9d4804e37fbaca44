//! Icons: drawn with lines in the colour of the text around them, on a grid of 20.

use leptos::prelude::*;
use stylers_macro::style_sheet;

/// A drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after what it shows")]
pub enum Glyph {
    Alert,
    ArrowBack,
    ArrowOut,
    Card,
    Check,
    CheckCircle,
    Chevron,
    Clock,
    Cross,
    Document,
    Download,
    Globe,
    Home,
    Info,
    Lock,
    Mail,
    Minus,
    Pause,
    Person,
    Plus,
    SignOut,
}

impl Glyph {
    /// The path of the drawing.
    const fn path(self) -> &'static str {
        match self {
            Self::Alert => "M10 3.2 17.6 16.4H2.4zM10 8v3.6M10 13.9v.1",
            Self::ArrowBack => "M16 10H4.5M9 5l-5 5 5 5",
            Self::ArrowOut => "M7 4.5h8.5V13M15.2 4.8 5 15",
            Self::Card => {
                "M4 4.5h12a1.5 1.5 0 0 1 1.5 1.5v8a1.5 1.5 0 0 1-1.5 1.5H4A1.5 1.5 0 0 1 2.5 14V6A1.5 1.5 0 0 1 4 4.5zM2.5 8.2h15M5.5 12.5h3"
            }
            Self::Check => "m4.5 10.6 3.6 3.7 7.4-8.4",
            Self::CheckCircle => {
                "M17.5 10a7.5 7.5 0 1 1-15 0 7.5 7.5 0 0 1 15 0zM6.8 10.2l2.2 2.3 4.2-4.8"
            }
            Self::Chevron => "m5.5 8 4.5 4.5L14.5 8",
            Self::Clock => "M17.5 10a7.5 7.5 0 1 1-15 0 7.5 7.5 0 0 1 15 0zM10 5.8V10l2.8 1.8",
            Self::Cross => "m5.2 5.2 9.6 9.6M14.8 5.2l-9.6 9.6",
            Self::Document => "M5.5 2.5h6l4 4v11h-10zM11.2 2.8v4h4M8 10.5h5M8 13.5h5",
            Self::Download => "M10 3.5v9M6.2 9 10 12.8 13.8 9M3.5 16.5h13",
            Self::Globe => {
                "M17.5 10a7.5 7.5 0 1 1-15 0 7.5 7.5 0 0 1 15 0zM2.7 10h14.6M10 2.5c2.3 2 3.3 4.5 3.3 7.5s-1 5.5-3.3 7.5c-2.3-2-3.3-4.5-3.3-7.5s1-5.5 3.3-7.5z"
            }
            Self::Home => "m3 9 7-6 7 6v8h-4.8v-5H7.8v5H3z",
            Self::Info => "M17.5 10a7.5 7.5 0 1 1-15 0 7.5 7.5 0 0 1 15 0zM10 9.3v4.3M10 6.5v.1",
            Self::Lock => "M4.5 9h11v8h-11zM6.8 9V6.5a3.2 3.2 0 0 1 6.4 0V9",
            Self::Mail => "M2.5 4.8h15v10.4h-15zM2.8 5.2l7.2 6 7.2-6",
            Self::Minus => "M4.5 10h11",
            Self::Pause => "M17.5 10a7.5 7.5 0 1 1-15 0 7.5 7.5 0 0 1 15 0zM8.2 7.5v5M11.8 7.5v5",
            Self::Person => {
                "M13.2 6.5a3.2 3.2 0 1 1-6.4 0 3.2 3.2 0 0 1 6.4 0zM3.5 17c.6-3.6 3.2-5.3 6.5-5.3s5.9 1.7 6.5 5.3"
            }
            Self::Plus => "M10 4.5v11M4.5 10h11",
            Self::SignOut => "M8 3.5H3.5v13H8M12.5 6l4 4-4 4M16.2 10H7.5",
        }
    }
}

impl Glyph {
    /// Whether it points along the line of reading, and so turns where that goes from right to left.
    const fn turns(self) -> bool {
        matches!(self, Self::ArrowBack | Self::ArrowOut | Self::SignOut)
    }
}

/// An icon beside words that say the same: it is hidden from screen readers.
#[component]
pub fn Icon(
    /// What it shows.
    glyph: Glyph,
) -> impl IntoView {
    view! {
        <svg class=concat!("icon ", style_sheet!("app/src/ui/icon.css")) viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" data-turns=glyph.turns().then_some("")>
            <path d=glyph.path() />
        </svg>
    }
}
