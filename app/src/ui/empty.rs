//! A place with nothing in it yet: it says so kindly, and what can be done.

use super::{Glyph, Icon};
use leptos::prelude::*;
use stylers_macro::style_sheet;

/// One sentence, one explanation, one action.
#[component]
pub fn EmptyState(
    /// What is missing here.
    glyph: Glyph,
    /// What there is (not), in one sentence.
    #[prop(into)]
    title: String,
    /// What will stand here, or what to do.
    #[prop(optional, into)]
    detail: Option<String>,
    /// The action.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class=concat!("empty ", style_sheet!("app/src/ui/empty.css"))>
            <Icon glyph=glyph />
            <p class="title">{title}</p>
            {detail.map(|detail| view! { <p>{detail}</p> })}
            {children.map(|children| view! { <div class="acts">{children()}</div> })}
        </div>
    }
}
