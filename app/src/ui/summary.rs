//! What will be paid, as it adds up. It stays in sight on phones while the choices above it scroll.

use leptos::prelude::*;
use stylers_macro::style_sheet;

/// The lines and, below them, the act they lead to.
#[component]
pub fn Summary(
    /// Whether it stays at the foot of the window on phones.
    #[prop(optional)]
    sticky: bool,
    /// [`SummaryLine`]s and a button.
    children: Children,
) -> impl IntoView {
    view! {
        <div class=concat!("summary ", style_sheet!("app/src/ui/summary.css")) data-sticky=sticky.then_some("")>
            {children()}
        </div>
    }
}

/// A name and its amount.
#[component]
pub fn SummaryLine(
    /// What it is.
    #[prop(into)]
    name: Signal<String>,
    /// When, or how it comes about; more quietly below the name.
    #[prop(optional, into)]
    detail: Signal<Option<String>>,
    /// Whether it is the one that counts.
    #[prop(optional)]
    total: bool,
    /// The amount.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="line" data-total=total.then_some("")>
            <span class="name">
                {move || name.get()}
                {move || detail.get().map(|detail| view! { <span class="detail">{detail}</span> })}
            </span>
            <span class="figure">{children()}</span>
        </div>
    }
}
