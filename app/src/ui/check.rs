//! Yes or no: a box to tick where a form is sent, a switch where it takes effect at once.

use leptos::prelude::*;
use stylers_macro::style_sheet;

const CLASS: &str = concat!("check ", style_sheet!("app/src/ui/check.css"));

/// A box to tick. Sends `name=true` when ticked, nothing otherwise (take it with `#[server(default)]`).
#[component]
pub fn Checkbox(
    /// The name it is sent under.
    name: &'static str,
    /// What is agreed to.
    #[prop(into)]
    label: String,
    /// What follows from it.
    #[prop(optional, into)]
    hint: Option<String>,
    /// Whether it is ticked at first.
    #[prop(optional)]
    checked: bool,
) -> impl IntoView {
    check(name, label, hint, checked, None)
}

/// A switch: the same as a [`Checkbox`] to a form, but shown and spoken as on or off.
#[component]
pub fn Switch(
    /// The name it is sent under.
    name: &'static str,
    /// What is on or off.
    #[prop(into)]
    label: String,
    /// What follows from it.
    #[prop(optional, into)]
    hint: Option<String>,
    /// Whether it is on at first.
    #[prop(optional)]
    checked: bool,
) -> impl IntoView {
    check(name, label, hint, checked, Some("switch"))
}

fn check(
    name: &'static str,
    label: String,
    hint: Option<String>,
    checked: bool,
    role: Option<&'static str>,
) -> impl IntoView {
    let hint_id = format!("{name}-hint");
    let described = hint.is_some().then(|| hint_id.clone());
    view! {
        <div class=CLASS>
            <input id=name name=name r#type="checkbox" value="true" role=role checked=checked aria-describedby=described />
            <label r#for=name>{label}</label>
            {hint.map(|hint| view! { <p id=hint_id>{hint}</p> })}
        </div>
    }
}
