//! What a bank's "no" means for the next attempt.
//!
//! The codes and what to do about them are Stripe's (docs.stripe.com/declines/codes). Hard are those
//! after which Stripe's own retries never charge the same card again
//! (docs.stripe.com/billing/revenue-recovery/smart-retries) and those that the schemes forbid to
//! repeat: Visa's decline category 1, "issuer will never approve", and Mastercard's advice 03 and 21,
//! "do not try again" and "payment cancellation".

use crate::payment::Decline;

/// What another attempt on the same payment method, without its holder, can bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeclineClass {
    /// It may go through another time.
    Soft,
    /// Never: the method is gone, or its bank or holder has forbidden it.
    Hard,
    /// Nothing until its holder proves who they are.
    NeedsAction,
}

/// What kind of obstacle it is: declines of one family pass in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Obstacle {
    /// There is no money just now.
    Funds,
    /// A limit of the card is used up, or it was asked too often.
    Limit,
    /// A fault on the way to the bank.
    Technical,
    /// The card has expired, or its details have changed.
    Outdated,
    /// The bank does not say why.
    Unexplained,
}

use DeclineClass::{Hard, NeedsAction, Soft};
use Obstacle::{Funds, Limit, Outdated, Technical, Unexplained};

/// Stripe's decline codes and the error codes that come without one.
const CODES: &[(&str, DeclineClass, Obstacle)] = &[
    ("approve_with_id", Soft, Unexplained),
    ("authentication_not_handled", NeedsAction, Unexplained),
    ("authentication_required", NeedsAction, Unexplained),
    ("call_issuer", Soft, Unexplained),
    ("card_not_supported", Soft, Unexplained),
    ("card_velocity_exceeded", Soft, Limit),
    ("currency_not_supported", Soft, Unexplained),
    ("do_not_honor", Soft, Unexplained),
    // Advice of the bank rather than a reason; Visa category 1, Mastercard 03.
    ("do_not_try_again", Hard, Unexplained),
    ("duplicate_transaction", Soft, Limit),
    ("expired_card", Soft, Outdated),
    ("fraudulent", Soft, Unexplained),
    ("generic_decline", Soft, Unexplained),
    ("highest_risk_level", Hard, Unexplained),
    ("incorrect_address", Soft, Outdated),
    ("incorrect_cvc", Soft, Outdated),
    ("incorrect_number", Hard, Outdated),
    ("incorrect_pin", Soft, Unexplained),
    ("incorrect_zip", Soft, Outdated),
    ("insufficient_funds", Soft, Funds),
    // Response code 46, closed account: Visa category 1.
    ("invalid_account", Hard, Outdated),
    ("invalid_amount", Soft, Limit),
    ("invalid_cvc", Soft, Outdated),
    ("invalid_expiry_month", Soft, Outdated),
    ("invalid_expiry_year", Soft, Outdated),
    // Response code 14: Visa category 1.
    ("invalid_number", Hard, Outdated),
    ("invalid_pin", Soft, Unexplained),
    ("issuer_not_available", Soft, Technical),
    ("lost_card", Hard, Outdated),
    ("merchant_blacklist", Hard, Unexplained),
    (
        "mobile_device_authentication_required",
        NeedsAction,
        Unexplained,
    ),
    ("new_account_information_available", Soft, Outdated),
    ("no_action_taken", Soft, Unexplained),
    ("not_permitted", Soft, Unexplained),
    ("offline_pin_required", NeedsAction, Unexplained),
    ("online_or_offline_pin_required", NeedsAction, Unexplained),
    (
        "payment_intent_authentication_failure",
        NeedsAction,
        Unexplained,
    ),
    ("pickup_card", Hard, Outdated),
    ("pin_try_exceeded", Soft, Limit),
    ("processing_error", Soft, Technical),
    ("reenter_transaction", Soft, Technical),
    // Nothing to charge, or a token that the gateway does not know: nothing changes by itself.
    ("resource_missing", Hard, Outdated),
    ("restricted_card", Soft, Unexplained),
    ("revocation_of_all_authorizations", Hard, Unexplained),
    ("revocation_of_authorization", Hard, Unexplained),
    ("security_violation", Soft, Unexplained),
    ("service_not_allowed", Soft, Unexplained),
    (
        "setup_intent_authentication_failure",
        NeedsAction,
        Unexplained,
    ),
    ("stolen_card", Hard, Outdated),
    // Response code R0: Visa category 1, Mastercard 21.
    ("stop_payment_order", Hard, Unexplained),
    ("testmode_decline", Soft, Unexplained),
    ("transaction_not_allowed", Hard, Unexplained),
    ("try_again_later", Soft, Technical),
    ("withdrawal_count_limit_exceeded", Soft, Limit),
];

/// What a decline means. The error code counts where it is the graver one: `authentication_required`
/// comes as either. Codes that nobody has described are soft and unexplained: they are tried again,
/// as Stripe does, within all limits.
#[must_use]
pub fn meaning(decline: &Decline) -> (DeclineClass, Obstacle) {
    let find = |code: &str| {
        let found = CODES.iter().find(|(known, ..)| *known == code);
        found.map(|(_, class, obstacle)| (*class, *obstacle))
    };
    let by_code = find(&decline.code);
    let by_decline = decline.decline_code.as_deref().and_then(find);
    match (by_decline, by_code) {
        (Some((Soft, _)), Some(graver @ (Hard | NeedsAction, _))) => graver,
        (Some(found), _) | (None, Some(found)) => found,
        (None, None) => (Soft, Unexplained),
    }
}

/// Whether charging the same method again without its holder is pointless: a hard decline, or one
/// that needs the holder's action.
#[must_use]
pub fn is_hard(decline: &Decline) -> bool {
    meaning(decline).0 != Soft
}
