//! What is said of a refused card: to the merchant's program, in English, as at Stripe.

use perennial::payment::Decline;

/// A sentence about a decline, without secrets: a stolen card is only "declined".
#[must_use]
pub fn message(decline: &Decline) -> &'static str {
    match (decline.code.as_str(), decline.decline_code.as_deref()) {
        ("expired_card", _) => "Your card has expired.",
        ("incorrect_cvc", _) => "Your card's security code is incorrect.",
        ("incorrect_number", _) => "Your card number is incorrect.",
        ("invalid_number", _) => "The card number is not a valid credit card number.",
        ("invalid_expiry_month", _) => "Your card's expiration month is invalid.",
        ("invalid_expiry_year", _) => "Your card's expiration year is invalid.",
        ("invalid_cvc", _) => "Your card's security code is invalid.",
        ("processing_error", _) => {
            "An error occurred while processing your card. Try again in a little bit."
        }
        ("authentication_required", _) => {
            "Your card was declined. This transaction requires authentication."
        }
        ("card_declined", Some("insufficient_funds")) => "Your card has insufficient funds.",
        ("card_declined", Some("card_velocity_exceeded")) => {
            "Your card was declined for making repeated attempts too frequently or exceeding its \
             amount limit."
        }
        ("setup_intent_authentication_failure", _)
        | ("payment_intent_authentication_failure", _) => {
            "We are unable to authenticate your payment method. Please choose a different payment \
             method and try again."
        }
        _ => "Your card was declined.",
    }
}
