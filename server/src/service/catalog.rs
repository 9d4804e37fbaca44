//! The catalogue: what a merchant sells, on what terms, with which reductions and taxes.

mod coupon;
mod price;
mod product;
mod promotion_code;
mod tax_rate;

pub use coupon::NewCoupon;
pub use price::{NewPrice, PriceProduct, PriceUpdate};
pub use product::{NewProduct, ProductUpdate};
pub use promotion_code::{NewPromotionCode, PromotionCodeUpdate};
pub use tax_rate::{NewTaxRate, TaxRateUpdate};

use super::Refused;

/// Refuses a text that is too long to be shown.
fn at_most(param: &str, text: Option<&str>, chars: usize) -> Result<(), Refused> {
    if text.is_some_and(|text| text.chars().count() > chars) {
        let message = format!("Invalid string: must be at most {chars} characters");
        return Err(Refused::invalid(param, message));
    }
    Ok(())
}
