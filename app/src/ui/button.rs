//! Buttons, and links that look like them.

use leptos::prelude::*;
use stylers_macro::style_sheet;

const CLASS: &str = concat!("button ", style_sheet!("app/src/ui/button.css"));

/// How much a button asks for attention. One primary a view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ButtonKind {
    /// The one thing to do here.
    Primary,
    /// Something that may be done here.
    #[default]
    Secondary,
    /// Something beside it, as a word.
    Text,
    /// Something that takes away; stands last.
    Danger,
}

impl ButtonKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::Text => "text",
            Self::Danger => "danger",
        }
    }
}

/// A button. With `submit` it sends its form; events such as `on:click` go on the component itself.
#[component]
pub fn Button(
    /// How much it asks for attention.
    #[prop(optional)]
    kind: ButtonKind,
    /// Whether it sends the form it stands in.
    #[prop(optional)]
    submit: bool,
    /// Whether what it started is still under way: it then shows so and takes no second press.
    #[prop(optional, into)]
    busy: Signal<bool>,
    /// Its words.
    children: Children,
) -> impl IntoView {
    view! {
        <button
            class=CLASS
            data-kind=kind.name()
            r#type=if submit { "submit" } else { "button" }
            aria-busy=move || busy.get().then_some("true")
            on:click=move |event| {
                if busy.get_untracked() {
                    event.prevent_default();
                    event.stop_immediate_propagation();
                }
            }
        >
            {children()}
        </button>
    }
}

/// A link that looks like a button: it goes somewhere, and changes nothing.
#[component]
pub fn LinkButton(
    /// Where it goes.
    #[prop(into)]
    href: String,
    /// How much it asks for attention.
    #[prop(optional)]
    kind: ButtonKind,
    /// Its words.
    children: Children,
) -> impl IntoView {
    view! {
        <a class=CLASS data-kind=kind.name() href=href>
            {children()}
        </a>
    }
}
