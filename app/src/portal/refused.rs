//! Pages that stand for a page that cannot be shown: signed out, not found, offline, broken. One sentence, one action.

use crate::{
    locale::{Words, words},
    refusal::{DeclineReason, Refusal},
    ui::{Glyph, Icon, LinkButton, Page, PageHeader},
};
use leptos::prelude::*;
use stylers_macro::style_sheet;

/// What a refusal means: what happened, then that nothing was lost and what to do.
#[must_use]
pub fn explain(words: Words, refusal: &Refusal) -> (String, String) {
    let (title, detail) = match refusal {
        Refusal::SignedOut => (
            words.refused_signed_out(),
            words.refused_signed_out_detail(),
        ),
        Refusal::NotFound => (words.refused_not_found(), words.refused_not_found_detail()),
        Refusal::NotAllowed => (
            words.refused_not_allowed(),
            words.refused_not_allowed_detail(),
        ),
        Refusal::Stale => (words.refused_stale(), words.refused_stale_detail()),
        Refusal::Busy => (words.refused_busy(), words.refused_busy_detail()),
        Refusal::WrongState => (
            words.refused_wrong_state(),
            words.refused_wrong_state_detail(),
        ),
        Refusal::Declined(reason) => (words.refused_declined(), advice(words, *reason)),
        Refusal::NeedsPaymentMethod => (
            words.refused_needs_payment_method(),
            words.refused_needs_payment_method_detail(),
        ),
        Refusal::LastPaymentMethod => (
            words.refused_last_payment_method(),
            words.refused_last_payment_method_detail(),
        ),
        Refusal::Invalid(_) => (words.refused_invalid(), words.refused_invalid_detail()),
        Refusal::TooMany => (words.refused_too_many(), words.refused_too_many_detail()),
        Refusal::TooLarge(_) => (words.refused_too_large(), words.refused_too_large_detail()),
        Refusal::Offline => (words.refused_offline(), words.refused_offline_detail()),
        Refusal::Unavailable => (
            words.refused_unavailable(),
            words.refused_unavailable_detail(),
        ),
    };
    (title.to_owned(), detail.to_owned())
}

/// What a customer can do about a bank's refusal.
#[must_use]
pub fn advice(words: Words, reason: DeclineReason) -> &'static str {
    match reason {
        DeclineReason::Generic | DeclineReason::DoNotHonor => words.decline_generic(),
        DeclineReason::InsufficientFunds => words.decline_insufficient_funds(),
        DeclineReason::ExpiredCard => words.decline_expired_card(),
        DeclineReason::IncorrectCvc => words.decline_incorrect_cvc(),
        DeclineReason::IncorrectNumber => words.decline_incorrect_number(),
        DeclineReason::ProcessingError => words.decline_processing_error(),
        DeclineReason::VelocityExceeded => words.decline_velocity_exceeded(),
        DeclineReason::AuthenticationFailed => words.decline_authentication_failed(),
    }
}

/// The drawing that goes with a refusal.
#[must_use]
pub const fn glyph(refusal: &Refusal) -> Glyph {
    match refusal {
        Refusal::SignedOut | Refusal::NotAllowed => Glyph::Lock,
        Refusal::NotFound => Glyph::Document,
        Refusal::Busy | Refusal::TooMany => Glyph::Clock,
        _ => Glyph::Alert,
    }
}

/// A whole page that says one thing.
#[component]
pub fn Statement(
    /// The drawing over it.
    glyph: Glyph,
    /// What there is to say.
    #[prop(into)]
    title: String,
    /// What to do about it.
    #[prop(into)]
    detail: String,
    /// The way on, if there is one.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <Page>
            <div class=concat!("statement ", style_sheet!("app/src/portal/refused.css"))>
                <span class="sign"><Icon glyph=glyph /></span>
                <PageHeader title=title lead=detail />
                {children.map(|children| children())}
            </div>
        </Page>
    }
}

/// A whole page that says why another is not shown.
#[component]
pub fn Refused(
    /// Why.
    refusal: Refusal,
) -> impl IntoView {
    answer_with(refusal.status());
    let words = words();
    let (title, detail) = explain(words, &refusal);
    let action = match &refusal {
        Refusal::SignedOut => None,
        Refusal::Offline | Refusal::Unavailable | Refusal::Busy | Refusal::TooMany => {
            Some(("", words.action_try_again()))
        }
        _ => Some(("/portal", words.action_to_overview())),
    };
    view! {
        <Statement glyph=glyph(&refusal) title=title detail=detail>
            {action.map(|(href, text)| view! { <LinkButton href=href>{text}</LinkButton> })}
        </Statement>
    }
}

/// For paths that lead nowhere.
#[component]
pub fn NotFound() -> impl IntoView {
    view! { <Refused refusal=Refusal::NotFound /> }
}

/// After signing out.
#[component]
pub fn SignedOut() -> impl IntoView {
    let words = words();
    view! {
        <Statement glyph=Glyph::SignOut title=words.refused_left() detail=words.refused_left_detail() />
    }
}

/// Sets the status of the page that is being rendered; the browser has none.
fn answer_with(status: u16) {
    #[cfg(feature = "ssr")]
    if let (Some(response), Ok(status)) = (
        use_context::<leptos_axum::ResponseOptions>(),
        http::StatusCode::from_u16(status),
    ) {
        response.set_status(status);
    }
    #[cfg(not(feature = "ssr"))]
    let _ = status;
}
