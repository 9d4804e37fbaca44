//! The browser's own dialog. Whatever stands in one must also have a page of its own, for those without scripts.

use super::{Glyph, Icon};
use crate::locale::words;
use leptos::{html, prelude::*};
use stylers_macro::style_sheet;

/// A modal dialog: the browser keeps the focus in it, and Escape closes it.
#[component]
pub fn Dialog(
    /// Whether it is open; becomes false when the reader closes it.
    open: RwSignal<bool>,
    /// What it asks.
    #[prop(into)]
    title: String,
    /// What is in it. It is built once and stays.
    children: Children,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let Some(dialog) = dialog.get() else { return };
        match (open.get(), dialog.open()) {
            // It throws only when the dialog is open or out of the document, and then there is nothing to open.
            (true, false) => drop(dialog.show_modal()),
            (false, true) => dialog.close(),
            _ => {}
        }
    });
    view! {
        <dialog class=concat!("dialog ", style_sheet!("app/src/ui/dialog.css")) node_ref=dialog on:close=move |_| open.set(false)>
            <div class="head">
                <h2>{title}</h2>
                <button r#type="button" aria-label=words().action_close() on:click=move |_| open.set(false)>
                    <Icon glyph=Glyph::Cross />
                </button>
            </div>
            {children()}
        </dialog>
    }
}
