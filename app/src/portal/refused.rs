//! Pages that stand for a page that cannot be shown: signed out, not found, offline, broken. One sentence, one action.

use crate::{
    locale::{Words, words},
    refusal::{DeclineReason, Refusal},
    ui::{LinkButton, Page, PageHeader},
};
use leptos::prelude::*;

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

/// A whole page that says why another is not shown.
#[component]
pub fn Refused(
    /// Why.
    refusal: Refusal,
) -> impl IntoView {
    answer_with(refusal.status());
    let words = words();
    let (title, detail) = explain(words, &refusal);
    let action = match refusal {
        Refusal::SignedOut => None,
        Refusal::Offline | Refusal::Unavailable | Refusal::Busy | Refusal::TooMany => {
            Some(("", words.action_try_again()))
        }
        _ => Some(("/portal", words.action_to_overview())),
    };
    view! {
        <Page>
            <PageHeader title=title lead=detail />
            {action.map(|(href, text)| view! { <div><LinkButton href=href>{text}</LinkButton></div> })}
        </Page>
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
        <Page>
            <PageHeader title=words.refused_left() lead=words.refused_left_detail() />
        </Page>
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
