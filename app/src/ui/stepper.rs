//! A quantity: typed, or stepped by buttons. Without scripts it is the browser's own number input.

use super::{FieldFrame, Glyph, Icon, described_by};
use crate::locale::words;
use leptos::{ev, prelude::*};
use stylers_macro::style_sheet;

/// A whole number with a button on either side.
#[component]
pub fn Stepper(
    /// The name it is sent under, and its id.
    name: &'static str,
    /// What is counted.
    #[prop(into)]
    label: String,
    /// Its bounds in words.
    #[prop(optional, into)]
    hint: Option<String>,
    /// What is wrong with it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// The number; follows what is typed while it is within the bounds.
    value: RwSignal<u64>,
    /// The least.
    #[prop(default = 1)]
    minimum: u64,
    /// The most.
    #[prop(optional)]
    maximum: Option<u64>,
) -> impl IntoView {
    let words = words();
    let most = maximum.unwrap_or(999_999);
    let step = move |by: i64| {
        value.update(|value| *value = value.saturating_add_signed(by).clamp(minimum, most))
    };
    let at_least = move || value.get() <= minimum;
    let at_most = move || value.get() >= most;
    let first = value.get_untracked().to_string();
    view! {
        <FieldFrame id=name label=label nostrip:hint=hint error=error>
            <div class=concat!("stepper ", style_sheet!("app/src/ui/stepper.css"))>
                <button r#type="button" aria-label=words.action_fewer() aria-controls=name disabled=at_least on:click=move |_| step(-1)>
                    <Icon glyph=Glyph::Minus />
                </button>
                <input
                    id=name
                    name=name
                    r#type="number"
                    inputmode="numeric"
                    step="1"
                    min=minimum.to_string()
                    max=most.to_string()
                    required=true
                    autocomplete="off"
                    value=first
                    prop:value=move || value.get().to_string()
                    aria-describedby=described_by(name)
                    on:input:target=move |event| {
                        if let Some(typed) = event.target().value().parse().ok().filter(|typed| (minimum..=most).contains(typed)) {
                            value.set(typed);
                        }
                    }
                    on:blur=move |_: ev::FocusEvent| value.notify()
                />
                <button r#type="button" aria-label=words.action_more() aria-controls=name disabled=at_most on:click=move |_| step(1)>
                    <Icon glyph=Glyph::Plus />
                </button>
            </div>
        </FieldFrame>
    }
}
