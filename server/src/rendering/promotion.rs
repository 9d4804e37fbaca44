//! Promotion codes.

use perennial::calendar::Timestamp;
use perennial::discount::PromotionCode;
use serde_json::{Map, Value};

use super::{id, metadata, moment, object};

/// A promotion code; `now` decides whether it is still active. (Its coupon may refuse all the same.)
#[must_use]
pub fn promotion_code(code: &PromotionCode, livemode: bool, now: Timestamp) -> Value {
    let in_time = code.expires_at.is_none_or(|end| now < end);
    let minimum = code
        .minimum_amount_currency
        .and_then(|currency| code.minimum_amounts.get(&currency));
    let mut restrictions = object! {
        first_time_transaction: code.first_time_transaction,
        minimum_amount: minimum.copied(),
        minimum_amount_currency: code.minimum_amount_currency.map(|currency| currency.lower()),
    };
    let others = code
        .minimum_amounts
        .iter()
        .map(|(currency, amount)| {
            let option = object! { minimum_amount: *amount };
            (currency.lower().to_owned(), option)
        })
        .collect::<Map<_, _>>();
    if let (false, Some(map)) = (others.is_empty(), restrictions.as_object_mut()) {
        map.insert("currency_options".to_owned(), Value::Object(others));
    }
    object! {
        id: code.id.as_str(),
        object: "promotion_code",
        active: code.active && in_time,
        code: code.code.as_str(),
        created: code.created.0,
        customer: id(code.customer.as_ref()),
        customer_account: (),
        expires_at: moment(code.expires_at),
        livemode: livemode,
        max_redemptions: code.max_redemptions,
        metadata: metadata(&code.metadata),
        promotion: object! { coupon: code.coupon.as_str(), type: "coupon" },
        restrictions: restrictions,
        times_redeemed: code.times_redeemed,
    }
}
