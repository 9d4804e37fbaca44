//! Subscriptions with several items: add-ons come and go, seats go up and down, each alone.

use serde_json::Value;

use crate::acts::{Made, id, said};
use crate::chance::Chance;
use crate::life::Inside;

/// How a difference is billed.
const WAYS: [&str; 3] = ["create_prorations", "always_invoice", "none"];

/// An item is added, changed, or goes.
pub async fn change(inside: &Inside, made: &Made, subscription: &str, own: &mut Chance) -> String {
    let (what, units) = (own.below(5), own.between(1, 6));
    let price = own.pick(&made.prices).cloned().unwrap_or_default();
    let way = own.pick(&WAYS).copied().unwrap_or_default();
    let which = own.number();
    let path = format!("/v1/subscription_items?subscription={subscription}&limit=100");
    let (_, found) = inside.call("GET", &path, "").await;
    let mut items: Vec<&Value> = found["data"].as_array().into_iter().flatten().collect();
    // In one order in a world and in its twin: a subscription has no price twice.
    items.sort_by_key(|item| {
        made.prices
            .iter()
            .position(|own| item["price"]["id"] == **own)
    });
    let quantity = match made.is_metered(&price) {
        true => String::new(),
        false => format!("&quantity={units}"),
    };
    if what < 2 || items.is_empty() {
        let form =
            format!("subscription={subscription}&price={price}{quantity}&proration_behavior={way}");
        let added = inside.call("POST", "/v1/subscription_items", &form).await;
        return said("add-on", added);
    }
    let place = usize::try_from(which % items.len() as u64).unwrap_or(0);
    let item = items.get(place).copied().unwrap_or(&Value::Null);
    let path = format!("/v1/subscription_items/{}", id(item));
    let metered = made.is_metered(item["price"]["id"].as_str().unwrap_or_default());
    match what {
        2 if metered && units < 3 => said(
            "forgive",
            inside.call("DELETE", &path, "clear_usage=true").await,
        ),
        2 => {
            let form = format!("proration_behavior={way}");
            said("take off", inside.call("DELETE", &path, &form).await)
        }
        3 => {
            let form = format!("price={price}{quantity}&proration_behavior={way}");
            said("swap", inside.call("POST", &path, &form).await)
        }
        _ => {
            let form = format!("quantity={units}&proration_behavior={way}");
            said("seats", inside.call("POST", &path, &form).await)
        }
    }
}

/// Usage is to be billed early, once it costs enough, or not any more.
pub async fn threshold(inside: &Inside, subscription: &str, own: &mut Chance) -> String {
    let amount = own.between(50, 600);
    let form = match own.below(4) {
        0 => "billing_thresholds=".to_owned(),
        1 => format!(
            "billing_thresholds[amount_gte]={amount}&billing_thresholds[reset_billing_cycle_anchor]=true"
        ),
        _ => format!("billing_thresholds[amount_gte]={amount}"),
    };
    let path = format!("/v1/subscriptions/{subscription}");
    said("threshold", inside.call("POST", &path, &form).await)
}
