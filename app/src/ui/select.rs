//! A choice out of a list that is too long for rows.

use super::{FieldFrame, described_by};
use leptos::prelude::*;

/// The browser's own list, labelled as a field.
#[component]
pub fn Select(
    /// The name it is sent under, and its id.
    name: &'static str,
    /// What is asked.
    #[prop(into)]
    label: String,
    /// What helps to answer.
    #[prop(optional, into)]
    hint: Option<String>,
    /// What is wrong with the answer.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// What may be chosen: the value that is sent, and the words.
    options: Vec<(String, String)>,
    /// The value that is chosen at first.
    #[prop(optional, into)]
    selected: String,
    /// What the browser may fill in.
    #[prop(optional)]
    autocomplete: Option<&'static str>,
    /// Whether it must be answered.
    #[prop(optional)]
    required: bool,
) -> impl IntoView {
    let options: Vec<_> = options
        .into_iter()
        .map(|(value, text)| {
            let chosen = value == selected;
            view! { <option value=value selected=chosen>{text}</option> }
        })
        .collect();
    view! {
        <FieldFrame id=name label=label nostrip:hint=hint error=error>
            <select
                class="input"
                id=name
                name=name
                autocomplete=autocomplete
                required=required
                aria-describedby=described_by(name)
                aria-invalid=move || error.with(Option::is_some).then_some("true")
            >
                {options}
            </select>
        </FieldFrame>
    }
}
