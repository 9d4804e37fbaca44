//! Amounts that wait for an invoice.

use perennial::invoice::InvoiceItem;
use serde_json::Value;

use super::catalog::tax_rate;
use super::invoice::pricing;
use super::{id, metadata, object};

/// A waiting amount.
#[must_use]
pub fn invoice_item(item: &InvoiceItem, livemode: bool) -> Value {
    let line = &item.line;
    let parent = line.subscription.as_ref().map(|subscription| {
        object! {
            subscription_details: object! {
                subscription: subscription.as_str(),
                subscription_item: id(line.subscription_item.as_ref()),
            },
            type: "subscription_details",
        }
    });
    let details = item.proration.then(|| {
        object! { credited_items: (), discount_amounts: Vec::<Value>::new() }
    });
    let quantity = line.quantity.unwrap_or(1);
    object! {
        id: item.id.as_str(),
        object: "invoiceitem",
        amount: line.amount_minor,
        currency: item.currency.lower(),
        customer: item.customer.as_str(),
        customer_account: (),
        date: item.date.0,
        description: line.description.as_str(),
        discountable: line.discountable,
        discounts: line.discounts.iter().map(|own| own.id.as_str()).collect::<Vec<_>>(),
        invoice: id(item.invoice.as_ref()),
        livemode: livemode,
        metadata: metadata(&line.metadata),
        net_amount: line.amount_minor,
        parent: parent,
        period: object! { end: line.period.end.0, start: line.period.start.0 },
        pricing: pricing(line),
        proration: item.proration,
        proration_details: details,
        quantity: quantity,
        quantity_decimal: quantity.to_string(),
        tax_rates: line.tax_rates.iter().map(|rate| tax_rate(rate, livemode)).collect::<Vec<_>>(),
        test_clock: id(item.test_clock.as_ref()),
    }
}
