//! Waits for what a page shows, and says why when it cannot be had.

use super::refused::Refused;
use crate::{
    refusal::Refusal,
    ui::{Page, Skeleton},
};
use leptos::prelude::*;

/// Shows `view` of what `resource` brings; the page's skeleton before, the refusal instead. While it is brought anew, the
/// page stays as it was.
#[component]
pub fn Loaded<T, V>(
    /// What the page shows.
    resource: Resource<Result<T, Refusal>>,
    /// How it shows it.
    view: V,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    V: Fn(T) -> AnyView + Clone + Send + Sync + 'static,
{
    let fallback = || view! { <Page><Skeleton lines=5 /></Page> };
    view! {
        <Transition fallback=fallback>
            {move || {
                let view = view.clone();
                Suspend::new(async move {
                    match resource.await {
                        Ok(loaded) => view(loaded),
                        Err(refusal) => view! { <Refused refusal=refusal /> }.into_any(),
                    }
                })
            }}
        </Transition>
    }
}
