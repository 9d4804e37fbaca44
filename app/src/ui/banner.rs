//! The most urgent thing on a page, with what to do about it; or what has just happened.

use super::{Icon, Tone};
use leptos::prelude::*;
use stylers_macro::style_sheet;

/// A message across the page. A danger is announced at once, anything else when the reader pauses.
#[component]
pub fn Banner(
    /// What it means.
    tone: Tone,
    /// What it is about, in one sentence.
    #[prop(into)]
    title: String,
    /// What it means for the reader, and what they can do.
    #[prop(optional, into)]
    detail: Option<String>,
    /// Buttons or links.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let role = if tone == Tone::Danger {
        "alert"
    } else {
        "status"
    };
    view! {
        <div class=concat!("banner ", style_sheet!("app/src/ui/banner.css")) data-tone=tone.name() role=role>
            <Icon glyph=tone.glyph() />
            <div class="words">
                <p class="title">{title}</p>
                {detail.map(|detail| view! { <p>{detail}</p> })}
            </div>
            {children.map(|children| view! { <div class="acts">{children()}</div> })}
        </div>
    }
}
