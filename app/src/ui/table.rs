//! A table that becomes a list of rows on a phone.

use leptos::prelude::*;
use stylers_macro::style_sheet;

/// A table. Its rows are `<tr>` of [`Cell`]s.
#[component]
pub fn Table(
    /// What it lists; only for ears, for a heading says it to eyes.
    #[prop(into)]
    caption: String,
    /// The columns' names, and whether figures stand in them.
    heads: Vec<(&'static str, bool)>,
    /// The rows.
    children: Children,
) -> impl IntoView {
    let heads: Vec<_> = heads
        .into_iter()
        .map(|(name, figures)| view! { <th scope="col" data-figures=figures.then_some("")>{name}</th> })
        .collect();
    view! {
        // Roles are said again because `display` takes them away from a table in some browsers.
        <table class=concat!("table ", style_sheet!("app/src/ui/table.css")) role="table">
            <caption class="unseen">{caption}</caption>
            <thead role="rowgroup"><tr role="row">{heads}</tr></thead>
            <tbody role="rowgroup">{children()}</tbody>
        </table>
    }
}

/// A cell of a [`Table`].
#[component]
pub fn Cell(
    /// The column's name, shown beside the value on a phone; without it the value stands alone.
    #[prop(optional)]
    label: Option<&'static str>,
    /// Whether figures stand in it: they line up at the end.
    #[prop(optional)]
    figures: bool,
    /// The value.
    children: Children,
) -> impl IntoView {
    view! {
        <td role="cell" data-label=label data-figures=figures.then_some("")>
            {children()}
        </td>
    }
}
