//! A labelled input with its hint and its error beside it.

use super::{Glyph, Icon};
use leptos::prelude::*;
use stylers_macro::style_sheet;

const CLASS: &str = concat!("field ", style_sheet!("app/src/ui/field.css"));

/// The value of `aria-describedby` for a control in a [`FieldFrame`]: its hint and its error.
#[must_use]
pub fn described_by(id: &str) -> String {
    format!("{id}-hint {id}-error")
}

/// The label, hint and error around any control. Give the control the same `id` and `aria-describedby` from
/// [`described_by`].
#[component]
pub fn FieldFrame(
    /// The id of the control.
    #[prop(into)]
    id: String,
    /// What is asked; another word may fit another answer of the form.
    #[prop(into)]
    label: Signal<String>,
    /// What helps to answer; stands before the control, so that a keyboard on a phone doesn't cover it.
    #[prop(optional, into)]
    hint: Option<String>,
    /// What is wrong with the answer, and how to mend it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// The control.
    children: Children,
) -> impl IntoView {
    let hint_id = format!("{id}-hint");
    let error_id = format!("{id}-error");
    view! {
        <div class=CLASS data-invalid=move || error.with(Option::is_some).then_some("")>
            <label r#for=id>{move || label.get()}</label>
            {hint.map(|hint| view! { <p class="hint" id=hint_id>{hint}</p> })}
            {children()}
            <p class="error" id=error_id aria-live="polite">
                {move || error.get().map(|error| view! { <Icon glyph=Glyph::Alert /> <span>{error}</span> })}
            </p>
        </div>
    }
}

/// A line of text to type. The id is `name`, so one of each a page.
#[component]
pub fn Field(
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
    /// What stands in it at first.
    #[prop(optional, into)]
    value: String,
    /// The input's type, `text` if not given.
    #[prop(default = "text")]
    kind: &'static str,
    /// What the browser may fill in (the HTML standard's autofill tokens).
    #[prop(optional)]
    autocomplete: Option<&'static str>,
    /// The keyboard a phone shows.
    #[prop(optional)]
    inputmode: Option<&'static str>,
    /// The most characters.
    #[prop(optional)]
    maxlength: Option<u32>,
    /// Whether it must be filled in.
    #[prop(optional)]
    required: bool,
    /// Characters that fit in its width, where a short answer is expected.
    #[prop(optional)]
    size: Option<u32>,
) -> impl IntoView {
    let described = described_by(name);
    view! {
        <FieldFrame id=name label=label nostrip:hint=hint error=error>
            <input
                class="input"
                id=name
                name=name
                r#type=kind
                value=value
                autocomplete=autocomplete
                inputmode=inputmode
                maxlength=maxlength
                size=size
                required=required
                aria-describedby=described
                aria-invalid=move || error.with(Option::is_some).then_some("true")
            />
        </FieldFrame>
    }
}

/// Several lines of text to type. The id is `name`, so one of each a page.
#[component]
pub fn TextArea(
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
    /// The most characters.
    maxlength: u32,
    /// What stands in it at first.
    #[prop(optional, into)]
    value: String,
) -> impl IntoView {
    let invalid = move || error.with(Option::is_some).then_some("true");
    // A text that is empty would be written as a space, which a reader would find in front of theirs.
    let area = if value.is_empty() {
        view! {
            <textarea class="input" id=name name=name rows="3" maxlength=maxlength aria-describedby=described_by(name) aria-invalid=invalid></textarea>
        }
        .into_any()
    } else {
        view! {
            <textarea class="input" id=name name=name rows="3" maxlength=maxlength aria-describedby=described_by(name) aria-invalid=invalid>
                {value}
            </textarea>
        }
        .into_any()
    };
    view! { <FieldFrame id=name label=label nostrip:hint=hint error=error>{area}</FieldFrame> }
}
