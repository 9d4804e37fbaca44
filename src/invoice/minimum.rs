//! The least that can be charged, and in which steps.

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

/// What amounts that are charged or refunded must be a multiple of, in minor units. Card networks move
/// currencies of three decimals in steps of ten: Stripe wants their last digit to be 0. (Prices and
/// lines may have any digit; what an invoice asks beyond a multiple waits on the customer's balance.)
#[must_use]
pub fn charge_step_minor(currency: Currency) -> i64 {
    match currency.exponent() {
        3 => 10,
        _ => 1,
    }
}
