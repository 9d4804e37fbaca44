//! The first page: where the customer stands, and what they can do.

use crate::{
    locale::words,
    ui::{Page, PageHeader},
};
use leptos::prelude::*;

/// The first page.
#[component]
pub fn Home() -> impl IntoView {
    view! { <Page><PageHeader title=words().shell_home() /></Page> }
}
