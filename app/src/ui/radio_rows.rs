//! One choice out of a few, a row each, with room to say what each means and costs.

use leptos::prelude::*;
use stylers_macro::style_sheet;

/// The group: what is asked, and its rows. `on:change` on it hears every row.
#[component]
pub fn RadioRows(
    /// What is asked.
    #[prop(into)]
    legend: String,
    /// Whether the legend is only for ears, because the page asks it already.
    #[prop(optional)]
    quiet_legend: bool,
    /// The rows.
    children: Children,
) -> impl IntoView {
    view! {
        <fieldset class=concat!("radio-rows ", style_sheet!("app/src/ui/radio_rows.css"))>
            <legend class:unseen=quiet_legend>{legend}</legend>
            <div class="rows">{children()}</div>
        </fieldset>
    }
}

/// One row of [`RadioRows`]. The whole row is its label.
#[component]
pub fn RadioRow(
    /// The name of the group.
    name: &'static str,
    /// What is sent when this row is chosen.
    #[prop(into)]
    value: String,
    /// Whether it is chosen at first.
    #[prop(optional)]
    checked: bool,
    /// Whether it can't be chosen; say why in `detail`.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// What it is.
    #[prop(into)]
    title: String,
    /// What it means.
    #[prop(optional, into)]
    detail: Option<String>,
    /// What it costs, at the end of the row.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <label class="row">
            <input r#type="radio" name=name value=value checked=checked disabled=move || disabled.get() autocomplete="off" />
            <span class="words">
                <span class="title">{title}</span>
                {detail.map(|detail| view! { <span class="detail">{detail}</span> })}
            </span>
            {children.map(|children| view! { <span class="aside">{children()}</span> })}
        </label>
    }
}
