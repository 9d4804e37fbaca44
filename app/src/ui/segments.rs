//! One choice out of two or three short ones, side by side: a switch with both its sides written out.

use leptos::prelude::*;
use stylers_macro::style_sheet;

/// The group of [`Segment`]s.
#[component]
pub fn Segments(
    /// What is chosen; only for ears.
    #[prop(into)]
    legend: String,
    /// The sides.
    children: Children,
) -> impl IntoView {
    view! {
        <fieldset class=concat!("segments ", style_sheet!("app/src/ui/segments.css"))>
            <legend class="unseen">{legend}</legend>
            <div class="track">{children()}</div>
        </fieldset>
    }
}

/// One side.
#[component]
pub fn Segment(
    /// The name of the group.
    name: &'static str,
    /// What is sent when this side is chosen.
    #[prop(into)]
    value: String,
    /// Whether it is chosen at first.
    #[prop(optional)]
    checked: bool,
    /// Its words.
    children: Children,
) -> impl IntoView {
    view! {
        <label class="side">
            <input class="unseen" r#type="radio" name=name value=value checked=checked autocomplete="off" />
            {children()}
        </label>
    }
}
