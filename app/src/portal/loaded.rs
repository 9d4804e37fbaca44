//! Waits for what a page shows, and says why when it cannot be had.

use super::{act::Act, refused::Refused};
use crate::{
    call::Arguments,
    refusal::Refusal,
    ui::{Page, Skeleton},
    wire::{Wire, unpack},
};
use leptos::{prelude::*, server_fn::ServerFn};
use serde::{Serialize, de::DeserializeOwned};
use std::{future::Future, marker::PhantomData, pin::Pin, sync::Arc};

/// What a page shows, on its way. It stays packed until it is read, so that all pages share one piece of code.
pub struct Loading<T> {
    packed: Resource<Answer, Wire>,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Loading<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Loading<T> {}

impl<T: DeserializeOwned> Loading<T> {
    /// Waits for it.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub async fn arrived(self) -> Result<T, Refusal> {
        Arrived::new(self.packed.await?).read()
    }
}

/// What a page shows, as it came.
pub struct Arrived<T> {
    packed: Vec<u8>,
    of: PhantomData<fn() -> T>,
}

impl<T> Arrived<T> {
    fn new(packed: Vec<u8>) -> Self {
        let of = PhantomData;
        Self { packed, of }
    }
}

impl<T: DeserializeOwned> Arrived<T> {
    /// Reads it.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] for a message of another version of the product.
    pub fn read(self) -> Result<T, Refusal> {
        unpack(&self.packed).map_err(|_| Refusal::Unavailable)
    }
}

type Answer = Result<Vec<u8>, Refusal>;
type Coming = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What a page asks a server function, and when it asks again: whenever this differs from before.
#[derive(Clone, PartialEq)]
pub struct Question {
    arguments: Arguments,
    done: usize,
    mark: String,
}

impl Question {
    /// Asks with these arguments.
    #[must_use]
    pub fn new(arguments: Arguments) -> Self {
        Self {
            arguments,
            done: 0,
            mark: String::new(),
        }
    }

    /// Asks a function that takes nothing.
    #[must_use]
    pub fn plain() -> Self {
        Self::new(Vec::new())
    }

    /// Asks with one argument.
    #[must_use]
    pub fn of(name: &'static str, value: impl Into<String>) -> Self {
        Self::new(vec![(name, value.into())])
    }

    /// Asks again after each of these acts.
    #[must_use]
    pub fn after(mut self, acts: &[Act]) -> Self {
        self.done = acts.iter().map(|act| act.times()).sum();
        self
    }

    /// Asks again when `mark` differs.
    #[must_use]
    pub fn marked(mut self, mark: String) -> Self {
        self.mark = mark;
        self
    }
}

/// Brings what the server function `S` answers to a question.
pub fn load<S>(question: impl Fn() -> Question + Send + Sync + 'static) -> Loading<S::Output>
where
    S: ServerFn<Error = Refusal> + DeserializeOwned + 'static,
    S::Output: Serialize,
{
    Loading {
        packed: bring(Box::new(question), asking::<S>()),
        of: PhantomData,
    }
}

type Ask = Box<dyn Fn(Arguments) -> Coming + Send + Sync>;

/// On the server the function is at hand.
#[cfg(feature = "ssr")]
fn asking<S>() -> Ask
where
    S: ServerFn<Error = Refusal> + DeserializeOwned + 'static,
    S::Output: Serialize,
{
    Box::new(|arguments| Box::pin(crate::call::run::<S>(arguments)))
}

/// In the browser only its path is known.
#[cfg(not(feature = "ssr"))]
fn asking<S: ServerFn>() -> Ask {
    asking_at(S::PATH)
}

#[cfg(all(feature = "hydrate", not(feature = "ssr")))]
fn asking_at(path: &'static str) -> Ask {
    Box::new(move |arguments| {
        let form = crate::call::encode(&arguments);
        Box::pin(async move {
            // An address that can't be read leads nowhere, as it does when the server finds out by itself.
            crate::call::call(path, form)
                .await
                .map_err(|refusal| match refusal {
                    Refusal::Invalid(_) => Refusal::NotFound,
                    other => other,
                })
        })
    })
}

/// Without a server and without a browser there is nobody to ask.
#[cfg(not(any(feature = "hydrate", feature = "ssr")))]
fn asking_at(_: &'static str) -> Ask {
    Box::new(|_| Box::pin(async { Err(Refusal::Offline) }))
}

fn bring(question: Box<dyn Fn() -> Question + Send + Sync>, ask: Ask) -> Resource<Answer, Wire> {
    let fetch = move |question: Question| ask(question.arguments);
    Resource::new_with_options(question, fetch, true)
}

/// Shows `view` of what `resource` brings; the page's skeleton before, the refusal instead. While it is brought anew, the
/// page stays as it was.
///
/// The view may itself have to come first, with its part of the download.
#[component]
pub fn Loaded<T, F>(
    /// What the page shows.
    resource: Loading<T>,
    /// How it shows it.
    view: impl Fn(Arrived<T>) -> F + Send + Sync + 'static,
) -> impl IntoView
where
    T: 'static,
    F: Future<Output = Shown> + Send + 'static,
{
    let show = move |packed| -> Showing { Box::pin(view(Arrived::new(packed))) };
    waiting(resource.packed, Arc::new(show))
}

/// A page, or why it can't be shown.
pub type Shown = Result<AnyView, Refusal>;

type Showing = Pin<Box<dyn Future<Output = Shown> + Send>>;
type Show = Arc<dyn Fn(Vec<u8>) -> Showing + Send + Sync>;

fn waiting(packed: Resource<Answer, Wire>, show: Show) -> AnyView {
    let fallback = || view! { <Page><Skeleton lines=5 /></Page> };
    view! {
        <Transition fallback=fallback>
            {move || {
                let show = show.clone();
                Suspend::new(async move {
                    let shown = match packed.await {
                        Ok(packed) => show(packed).await,
                        Err(refusal) => Err(refusal),
                    };
                    shown.unwrap_or_else(|refusal| view! { <Refused refusal=refusal /> }.into_any())
                })
            }}
        </Transition>
    }
    .into_any()
}
