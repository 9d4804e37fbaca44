//! Waits for what a page shows, and says why when it cannot be had.

use super::refused::Refused;
use crate::{
    refusal::Refusal,
    ui::{Page, Skeleton},
};
use leptos::{
    prelude::*,
    serde_json,
    server::codee::{Decoder, Encoder},
};
use serde::{Serialize, de::DeserializeOwned};
use std::future::Future;

/// What a page shows, on its way.
pub type Loading<T> = Resource<Result<T, Refusal>, Wire>;

/// How it travels inside the page's HTML: as JSON that is read from bytes, as the answers of server functions are.
/// So the browser carries one reader for each shape, and not two.
#[derive(Clone, Copy, Debug)]
pub struct Wire;

impl<T: Serialize> Encoder<T> for Wire {
    type Error = serde_json::Error;
    type Encoded = String;

    fn encode(value: &T) -> Result<String, Self::Error> {
        serde_json::to_string(value)
    }
}

impl<T: DeserializeOwned> Decoder<T> for Wire {
    type Error = serde_json::Error;
    type Encoded = str;

    fn decode(text: &str) -> Result<T, Self::Error> {
        serde_json::from_slice(text.as_bytes())
    }
}

/// Brings what a page shows with `fetch`, anew whenever `source` changes.
pub fn load<S, T, F>(
    source: impl Fn() -> S + Send + Sync + 'static,
    fetch: impl Fn(S) -> F + Send + Sync + 'static,
) -> Loading<T>
where
    S: PartialEq + Clone + Send + Sync + 'static,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Future<Output = Result<T, Refusal>> + Send + 'static,
{
    Resource::new_with_options(source, fetch, true)
}

/// Shows `view` of what `resource` brings; the page's skeleton before, the refusal instead. While it is brought anew, the
/// page stays as it was.
#[component]
pub fn Loaded<T, V>(
    /// What the page shows.
    resource: Loading<T>,
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
