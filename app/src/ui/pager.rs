//! Back and forth through a long list.

use super::LinkButton;
use crate::locale::words;
use leptos::prelude::*;
use stylers_macro::style_sheet;

/// Links to the part before and the part after. Nothing at all where the list is short.
#[component]
pub fn Pager(
    /// The path of the part before.
    #[prop(optional_no_strip)]
    previous: Option<String>,
    /// The path of the part after.
    #[prop(optional_no_strip)]
    next: Option<String>,
) -> impl IntoView {
    let words = words();
    (previous.is_some() || next.is_some()).then(|| {
        view! {
            <nav class=concat!("pager ", style_sheet!("app/src/ui/pager.css"))>
                {previous.map(|href| view! { <LinkButton href=href>{words.action_previous()}</LinkButton> })}
                {next.map(|href| view! { <LinkButton href=href>{words.action_next()}</LinkButton> })}
            </nav>
        }
    })
}
