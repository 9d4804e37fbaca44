//! The least that can be charged.

use crate::currency::Currency;

/// The least that Stripe charges in a currency, in minor units; 0 where it names none. What an
/// invoice asks below it waits on the customer's balance.
#[must_use]
pub fn minimum_charge_minor(currency: Currency) -> i64 {
    match currency {
        Currency::GBP => 30,
        Currency::USD
        | Currency::AUD
        | Currency::BRL
        | Currency::CAD
        | Currency::CHF
        | Currency::EUR
        | Currency::INR
        | Currency::JPY
        | Currency::NZD
        | Currency::SGD => 50,
        Currency::AED | Currency::MYR | Currency::PLN | Currency::RON => 200,
        Currency::DKK => 250,
        Currency::NOK | Currency::SEK => 300,
        Currency::HKD => 400,
        Currency::MXN | Currency::THB => 1_000,
        Currency::CZK => 1_500,
        Currency::HUF => 17_500,
        _ => 0,
    }
}
