//! Proration: whatever changes in the midst of a period, nobody is given back more than they paid.

use perennial::calendar::{Period, Timestamp};
use perennial::catalog::Price;
use perennial::customer::Customer;
use perennial::id::Randomness;
use perennial::invoice::{Line, LineKind};
use perennial::quote::{ChangeContext, apply};
use perennial::subscription::{
    BillingMode, Creation, ItemChange, NewItem, ProrationBehavior, Status, Subscription,
};
use serde_json::json;

use crate::bytes::Bytes;

/// The most changes of one subscription.
const CHANGES_MAX: u64 = 6;
/// From 2020 to 2030.
const MOMENTS: (i64, i64) = (1_577_836_800, 1_893_456_000);

struct Ids(u128);

impl Randomness for Ids {
    fn bits(&mut self) -> u128 {
        self.0 += 1;
        self.0
    }
}

/// A price as it is kept, per unit or in tiers.
fn price(bytes: &mut Bytes<'_>, name: u64) -> Option<Price> {
    let unit = bytes.between(0, 5_000_000);
    let interval = ["month", "year", "week", "day"][usize::from(bytes.byte() % 4)];
    let decimal = format!("{unit}.{}", bytes.byte() % 100);
    let pricing =
        perennial::pricing::Pricing::per_unit(perennial::decimal::Decimal12::parse(&decimal).ok()?);
    serde_json::from_value(json!({
        "id": format!("price_{name}"), "product": format!("prod_{name}"), "product_name": "Pro",
        "active": true, "currency": "USD", "nickname": null, "lookup_key": null,
        "recurring": {
            "cadence": { "interval": interval, "interval_count": 1 },
            "usage_type": "licensed", "meter": null, "trial_period_days": null,
        },
        "pricing": pricing, "tax_behavior": "unspecified", "metadata": {}, "created": 0,
    }))
    .ok()
}

fn customer() -> Option<Customer> {
    let mail = serde_json::to_value(perennial::customer::MailPreferences::default()).ok()?;
    serde_json::from_value(json!({
        "id": "cus_fuzz", "name": null, "email": null, "phone": null, "description": null,
        "address": null, "shipping": null, "tax_ids": [], "tax_exempt": "none",
        "preferred_locales": [], "currency": null, "balance_minor": 0, "invoice_prefix": "FUZZ",
        "next_invoice_sequence": 1, "default_payment_method": null, "discount": null,
        "delinquent": false, "mail": mail, "metadata": {}, "created": 0, "deleted": false,
    }))
    .ok()
}

/// Creates a subscription and changes it, several times within its first period.
pub fn proration(data: &[u8]) {
    run(&mut Bytes::new(data));
}

/// Answers with the number of changes that were made; nothing where there is no subscription.
fn run(bytes: &mut Bytes<'_>) -> Option<u32> {
    let mut ids = Ids(0);
    let customer = customer()?;
    let prices: Vec<Price> = (0..3).filter_map(|name| price(bytes, name)).collect();
    let at = Timestamp(bytes.between(MOMENTS.0, MOMENTS.1));
    let quantity = bytes.below(100);
    let first = prices.first()?.clone();
    let mut creation = Creation::new(vec![NewItem::new(first, quantity)], at);
    if bytes.byte().is_multiple_of(2) {
        creation.billing_mode = BillingMode::Classic;
    }
    let made = Subscription::create(creation, &customer, &[], &mut ids).ok()?;
    let mut subscription = made.subscription;
    subscription.status = Status::Active;
    let mut billed: i128 = made.invoice.map_or(0, |invoice| sum(&invoice.lines));
    let mut now = at;
    let mut changed = 0;
    let count = bytes.below(CHANGES_MAX);
    for _ in 0..count {
        let period: Period = subscription.items.first()?.current_period;
        now = Timestamp(bytes.between(now.0, period.end.0.saturating_sub(1)));
        let change = ItemChange::Set {
            item: subscription.items.first()?.id.clone(),
            price: prices.get(usize::from(bytes.byte() % 4)).cloned(),
            quantity: Some(bytes.below(100)),
        };
        let behavior = match bytes.byte() % 3 {
            0 => ProrationBehavior::CreateProrations,
            1 => ProrationBehavior::AlwaysInvoice,
            _ => ProrationBehavior::None,
        };
        let context = ChangeContext {
            subscription: &subscription,
            customer: &customer,
            pending: &[],
        };
        let flexible = subscription.billing_mode == BillingMode::Flexible;
        let Ok(applied) = apply(&context, &[change], behavior, &[], now, &mut ids) else {
            continue;
        };
        let pending = applied.pending.iter().map(|item| &item.line);
        let invoiced = applied.invoice.iter().flat_map(|invoice| &invoice.lines);
        let lines: Vec<Line> = pending.chain(invoiced).cloned().collect();
        assert!(lines.iter().all(signed), "{lines:?}");
        billed += sum(&lines);
        // A credit comes from what was billed: in sum nobody is ever owed for what they never had.
        assert!(!flexible || billed >= 0, "{billed} after {lines:?}");
        subscription = applied.subscription;
        changed += 1;
    }
    Some(changed)
}

/// Credits are never positive, debits never negative.
fn signed(line: &Line) -> bool {
    match line.kind {
        LineKind::UnusedTime => line.amount_minor <= 0,
        _ => line.amount_minor >= 0,
    }
}

fn sum(lines: &[Line]) -> i128 {
    lines.iter().map(|line| i128::from(line.amount_minor)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_changes() {
        let data: Vec<u8> = (0..=255).map(|byte: u8| byte.wrapping_mul(37)).collect();
        let changes = (0..64).filter_map(|start| run(&mut Bytes::new(data.get(start..)?)));
        let changes: Vec<u32> = changes.collect();
        assert_eq!(changes.len(), 64, "every input makes a subscription");
        assert!(
            changes.iter().filter(|count| **count > 1).count() > 20,
            "{changes:?}"
        );
    }
}
