//! Something folded under a word: the browser's own `<details>`.

use super::{Glyph, Icon};
use leptos::prelude::*;
use stylers_macro::style_sheet;

/// A summary that unfolds what is under it.
#[component]
pub fn Disclosure(
    /// What is folded.
    #[prop(into)]
    summary: String,
    /// Whether it is unfolded at first.
    #[prop(optional)]
    open: bool,
    /// What is under it.
    children: Children,
) -> impl IntoView {
    view! {
        <details class=concat!("disclosure ", style_sheet!("app/src/ui/disclosure.css")) open=open>
            <summary>
                {summary}
                <Icon glyph=Glyph::Chevron />
            </summary>
            <div class="under">{children()}</div>
        </details>
    }
}
