//! From the engine's refusals to the few that people meet. What is our own fault is logged in full
//! and shown as one.

use app::port::Answer;
use app::portal::card_form::rule_of;
use app::refusal::{DeclineReason, Field, Refusal, Rule};
use perennial::card::CardFault;
use perennial::payment::Decline;

use super::Refused;
use crate::store::StoreError;

/// Either kind of no.
#[derive(Debug)]
pub(super) enum No {
    /// Said by the portal.
    Refusal(Refusal),
    /// Said by the engine.
    Refused(Refused),
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl From<Refused> for No {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<StoreError> for No {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

impl No {
    /// What the customer reads.
    pub(super) fn shown(self) -> Refusal {
        let refused = match self {
            Self::Refusal(refusal) => return refusal,
            Self::Refused(refused) => refused,
        };
        match refused {
            Refused::NotFound { .. } => Refusal::NotFound,
            Refused::Invalid { param, code, .. } => invalid(&param, code),
            Refused::State {
                code: Some("resource_missing"),
                ..
            } => Refusal::NeedsPaymentMethod,
            Refused::State { .. } => Refusal::WrongState,
            Refused::Card { decline, .. } => Refusal::Declined(reason(&decline)),
            Refused::NotAllowed(_) => Refusal::NotAllowed,
            Refused::Stale => Refusal::Stale,
            Refused::Busy => Refusal::Busy,
            Refused::Store(error) if error.is_conflict() => Refusal::Busy,
            Refused::TooLarge | Refused::Gateway(_) | Refused::Store(_) | Refused::Defect(_) => {
                tracing::error!(error = %refused, "a customer could not be served");
                Refusal::Unavailable
            }
        }
    }
}

/// Hands a use case's future to the app.
pub(super) fn answer<'a, T: 'a>(
    act: impl Future<Output = Result<T, No>> + Send + 'a,
) -> Answer<'a, T> {
    Box::pin(async move { act.await.map_err(No::shown) })
}

/// A field that breaks a rule.
pub(super) fn fault(field: Field, rule: Rule) -> No {
    Refusal::Invalid(vec![(field, rule)]).into()
}

fn invalid(param: &str, code: Option<&str>) -> Refusal {
    if code == Some("amount_too_large") {
        return Refusal::Invalid(vec![(Field::Quantity, Rule::Malformed)]);
    }
    let last = param.rsplit('[').next().unwrap_or(param);
    let field = match last.trim_end_matches(']') {
        "price" => Field::Price,
        // A change in the portal has one item, of which only the quantity can be beyond all measure.
        "quantity" | "items" => Field::Quantity,
        "payment_method" | "default_payment_method" => Field::PaymentMethod,
        "number" => Field::CardNumber,
        "exp_month" | "exp_year" => Field::CardExpiry,
        "cvc" => Field::CardCvc,
        "comment" => Field::Comment,
        "feedback" => Field::Reason,
        _ => return Refusal::Invalid(Vec::new()),
    };
    Refusal::Invalid(vec![(field, Rule::Unknown)])
}

/// What a decline means for the customer. A card that was reported lost or stolen looks like any
/// other refusal, as Stripe asks for.
pub(super) fn reason(decline: &Decline) -> DeclineReason {
    let code = decline.decline_code.as_deref().unwrap_or(&decline.code);
    match code {
        "insufficient_funds" => DeclineReason::InsufficientFunds,
        "expired_card" => DeclineReason::ExpiredCard,
        "incorrect_cvc" | "invalid_cvc" => DeclineReason::IncorrectCvc,
        "incorrect_number" | "invalid_number" => DeclineReason::IncorrectNumber,
        "do_not_honor" | "lost_card" | "stolen_card" | "pickup_card" | "fraudulent" => {
            DeclineReason::DoNotHonor
        }
        "processing_error" | "try_again_later" | "issuer_not_available" => {
            DeclineReason::ProcessingError
        }
        "card_velocity_exceeded" | "withdrawal_count_limit_exceeded" => {
            DeclineReason::VelocityExceeded
        }
        "authentication_required"
        | "payment_intent_authentication_failure"
        | "setup_intent_authentication_failure" => DeclineReason::AuthenticationFailed,
        _ => DeclineReason::Generic,
    }
}

/// Faults of a card, beside its fields, as the form itself says them.
pub(super) fn card_faults(faults: &[CardFault]) -> Refusal {
    let shown = faults.iter().map(|fault| rule_of(*fault));
    Refusal::Invalid(shown.collect())
}
