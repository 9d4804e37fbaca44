//! What the reader can do: a form that a server function takes. Without scripts the browser sends it; with them we do,
//! and the page stays.

use super::outcome::Away;
use crate::refusal::Refusal;
use leptos::{
    ev::SubmitEvent,
    prelude::*,
    server_fn::{ServerFn, error::ServerFnUrlError},
};

/// What every server function that does something answers: where to go on outside the app, or nothing.
pub type Done = Result<Away, Refusal>;

/// Something that the reader can do, and what came of it.
#[derive(Clone, Copy)]
pub struct Act {
    path: &'static str,
    pending: RwSignal<bool>,
    times: RwSignal<usize>,
    answer: RwSignal<Option<Done>>,
}

impl Act {
    /// The act that the server function `S` does.
    #[must_use]
    pub fn of<S>() -> Self
    where
        S: ServerFn<Output = Away, Error = Refusal>,
    {
        Self::at(S::PATH)
    }

    /// Begins with the refusal that the page's address carries, if it is of this act: so it comes back without scripts.
    fn at(path: &'static str) -> Self {
        let refused = use_context::<ServerActionError>()
            .filter(|error| error.path() == path)
            .map(|error| Err(ServerFnUrlError::<Refusal>::decode_err(error.err())));
        Self {
            path,
            pending: RwSignal::new(false),
            times: RwSignal::new(0),
            answer: RwSignal::new(refused),
        }
    }

    /// Whether it is under way.
    #[must_use]
    pub fn pending(self) -> Signal<bool> {
        self.pending.into()
    }

    /// How many times it came to an end on this page, well or not.
    #[must_use]
    pub fn times(self) -> usize {
        self.times.get()
    }

    /// Why it was refused the last time, if it was.
    #[must_use]
    pub fn refusal(self) -> Signal<Option<Refusal>> {
        let answer = self.answer;
        Signal::derive(move || answer.with(|answer| answer.clone()?.err()))
    }

    /// Whether it was done the last time.
    #[must_use]
    pub fn done(self) -> bool {
        self.answer.with(|answer| matches!(answer, Some(Ok(_))))
    }

    /// Does it with these answers of a form, encoded; leaves for the page outside the app that the server names.
    pub fn send(self, form: String) {
        self.pending.set(true);
        leptos::task::spawn_local(async move {
            let answer = ask(self.path, form).await;
            if let Ok(Some(url)) = &answer {
                // A browser refuses only addresses that are none; the reader then stays, and nothing is lost.
                let _ = window().location().set_href(url);
            }
            // The page may be gone by now, and its signals with it.
            let _ = self.answer.try_set(Some(answer));
            let _ = self.times.try_update(|times| *times += 1);
            let _ = self.pending.try_set(false);
        });
    }
}

#[cfg(feature = "hydrate")]
async fn ask(path: &'static str, form: String) -> Done {
    let packed = crate::call::call(path, form).await?;
    crate::wire::unpack(&packed).map_err(|_| Refusal::Unavailable)
}

/// Only a browser sends forms.
#[cfg(not(feature = "hydrate"))]
#[expect(clippy::unused_async, reason = "the shape of the browser's")]
async fn ask(_: &'static str, _: String) -> Done {
    Err(Refusal::Unavailable)
}

/// A form that does `act`.
#[component]
pub fn ActForm(
    /// What it does.
    act: Act,
    /// Its class.
    #[prop(optional)]
    class: Option<&'static str>,
    /// Its inputs and buttons.
    children: Children,
) -> impl IntoView {
    let send = move |event: SubmitEvent| {
        if event.default_prevented() {
            return;
        }
        if let Some(form) = filled_in(&event) {
            event.prevent_default();
            act.send(form);
        }
    };
    view! { <form class=class action=act.path method="post" on:submit=send>{children()}</form> }
}

/// What stands in a form, as the browser would send it; nothing where it must do that itself.
fn filled_in(event: &SubmitEvent) -> Option<String> {
    use leptos::{form::form_data_from_event, wasm_bindgen::JsCast, web_sys::UrlSearchParams};
    let data = form_data_from_event(event).ok()?;
    let data = UrlSearchParams::new_with_str_sequence_sequence(data.unchecked_ref()).ok()?;
    Some(String::from(data.to_string()))
}
