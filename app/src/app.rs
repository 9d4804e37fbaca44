//! The app: what surrounds every page, and which page stands at which path.

use crate::{
    locale::{Locale, words},
    portal::{
        self,
        frame::LoadFrame,
        loaded::{Question, load},
    },
    ui::{Arrival, Merchant},
};
use leptos::prelude::*;
use leptos_meta::provide_meta_context;
use leptos_router::{
    SsrMode,
    components::{FlatRoutes, Route, Router},
    path,
};

// The gallery is for those who build the pages; in a release there is none.
#[cfg(debug_assertions)]
use portal::gallery::Gallery;
#[cfg(not(debug_assertions))]
use portal::refused::NotFound as Gallery;

/// Everything there is to see.
///
/// The server gives [`crate::locale::Words`] in context; the browser takes the language from the document. Changing the language
/// draws everything anew in the other one, without loading a page.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let locale = RwSignal::new(first_locale());
    provide_context(locale);
    provide_context(Arrival::default());
    provide_context(Merchant::default());
    let frame = load::<LoadFrame>(Question::plain);
    Effect::new(move |_| tell_document(locale.get()));
    view! {
        <Router>
            {move || {
                provide_context(locale.get().words());
                view! {
                    <portal::frame::Surroundings frame=frame>
                        <Pages />
                    </portal::frame::Surroundings>
                }
            }}
        </Router>
    }
}

/// The pages by path. Every one is sent complete ([`SsrMode::Async`]), so that it needs no script.
#[component]
fn Pages() -> impl IntoView {
    view! {
        <FlatRoutes transition=true fallback=portal::refused::NotFound>
            <Route path=path!("/portal") view=portal::home::Home ssr=SsrMode::Async />
            <Route path=path!("/portal/details") view=portal::details::DetailsPage ssr=SsrMode::Async />
            <Route path=path!("/portal/invoices") view=portal::invoices::InvoicesPage ssr=SsrMode::Async />
            <Route path=path!("/portal/invoices/:id") view=portal::invoice::InvoiceView ssr=SsrMode::Async />
            <Route path=path!("/portal/mail") view=portal::mail::MailPage ssr=SsrMode::Async />
            <Route path=path!("/portal/payment-methods") view=portal::payment_methods::PaymentMethodsPage ssr=SsrMode::Async />
            <Route path=path!("/portal/payment-methods/new") view=portal::card_form::AddCardPage ssr=SsrMode::Async />
            <Route path=path!("/portal/payment-methods/:id/remove") view=portal::payment_methods::RemovePaymentMethodPage ssr=SsrMode::Async />
            <Route path=path!("/portal/subscriptions/:id/cancel") view=portal::cancel::Cancel ssr=SsrMode::Async />
            <Route path=path!("/portal/subscriptions/:id/change") view=portal::change::Change ssr=SsrMode::Async />
            <Route path=path!("/portal/subscriptions/:id/change/:quote") view=portal::change::Review ssr=SsrMode::Async />
            <Route path=path!("/portal/subscriptions/:id/pause") view=portal::pause::PauseView ssr=SsrMode::Async />
            <Route path=path!("/portal/subscriptions/:id/resume") view=portal::pause::ResumeView ssr=SsrMode::Async />
            <Route path=path!("/portal/signed-out") view=portal::refused::SignedOut ssr=SsrMode::Async />
            <Route path=path!("/portal/gallery") view=Gallery ssr=SsrMode::Async />
        </FlatRoutes>
    }
}

/// The language to begin with: the server's choice, which the document carries to the browser.
pub fn first_locale() -> Locale {
    if cfg!(feature = "ssr") {
        return words().locale();
    }
    let tag = document()
        .document_element()
        .and_then(|root| root.get_attribute("lang"));
    tag.and_then(|tag| Locale::from_tag(&tag))
        .unwrap_or(Locale::En)
}

/// Writes the language and its direction on the document, for hyphenation, fonts and screen readers.
fn tell_document(locale: Locale) {
    if let Some(root) = document().document_element() {
        for (name, value) in [("lang", locale.tag()), ("dir", locale.dir())] {
            // An element takes any attribute with a well-formed name.
            let _ = root.set_attribute(name, value);
        }
    }
}

/// Shows everything in another language, as soon as its texts are there. Without them it stays in this one. The focus
/// stays with whoever had it, though all is drawn anew.
pub fn change_language(locale: RwSignal<Locale>, chosen: Locale) {
    #[cfg(target_family = "wasm")]
    leptos::task::spawn_local(async move {
        if crate::locale::loading::bring(chosen).await.is_ok() {
            let focused = document().active_element().map(|element| element.id());
            locale.set(chosen);
            if let Some(id) = focused.filter(|id| !id.is_empty()) {
                request_animation_frame(move || portal::outcome::focus(&id));
            }
        }
    });
    #[cfg(not(target_family = "wasm"))]
    locale.set(chosen);
}

/// The language of the page, to change it.
#[must_use]
pub fn use_locale() -> Option<RwSignal<Locale>> {
    use_context()
}
