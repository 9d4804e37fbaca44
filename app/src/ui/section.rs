//! Parts of a page: a section under its heading, and a card for a thing that stands for itself.

use leptos::prelude::*;
use stylers_macro::style_sheet;

/// A part of a page under its own heading.
#[component]
pub fn Section(
    /// What it is about.
    #[prop(into)]
    title: String,
    /// A link at the end of the heading's line: path and words.
    #[prop(optional)]
    link: Option<(String, String)>,
    /// What is in it.
    children: Children,
) -> impl IntoView {
    view! {
        <section class=concat!("section ", style_sheet!("app/src/ui/section.css"))>
            <div class="line">
                <h2>{title}</h2>
                {link.map(|(href, text)| view! { <a href=href>{text}</a> })}
            </div>
            {children()}
        </section>
    }
}

/// A bordered surface for one thing that has its own actions. Never a card in a card.
#[component]
pub fn Card(
    /// What is in it.
    children: Children,
) -> impl IntoView {
    view! { <div class=concat!("card ", style_sheet!("app/src/ui/card.css"))>{children()}</div> }
}
