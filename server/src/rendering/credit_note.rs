//! Credit notes.

use perennial::credit_note::{CreditNote, NoteLine};
use perennial::id::DiscountId;
use perennial::invoice::TaxAmount;
use serde_json::Value;
use std::collections::BTreeMap;

use super::catalog::tax_rate;
use super::invoice::tax_amount;
use super::{decimal, id, list, metadata, moment, name, object, text, whole_number};

/// A credit note with its lines.
#[must_use]
pub fn credit_note(note: &CreditNote, livemode: bool) -> Value {
    let (pre, post) = (
        note.credited.pre_payment_minor,
        note.credited.post_payment_minor(),
    );
    let kind = match (pre, post) {
        (_, 0) => "pre_payment",
        (0, _) => "post_payment",
        _ => "mixed",
    };
    let lines = note.lines.iter().map(|own| credit_note_line(own, livemode));
    let tax = note
        .tax_inclusive_minor
        .saturating_add(note.tax_exclusive_minor);
    let subtotal = note.subtotal_minor.saturating_sub(note.discount_minor);
    let refunds = note.refunds.iter().map(|(refund, amount)| {
        object! {
            amount_refunded: *amount,
            payment_record_refund: (),
            refund: refund.as_str(),
            type: "refund",
        }
    });
    object! {
        id: note.id.as_str(),
        object: "credit_note",
        amount: note.total_minor,
        amount_shipping: 0,
        created: note.created.0,
        currency: note.currency.lower(),
        customer: note.customer.as_str(),
        customer_account: (),
        customer_balance_transaction: id(note.balance_transaction.as_ref()),
        discount_amount: note.discount_minor,
        discount_amounts: discounts(note),
        effective_at: note.effective_at.unwrap_or(note.created).0,
        invoice: note.invoice.as_str(),
        lines: list(
            lines.collect(),
            false,
            &format!("/v1/credit_notes/{}/lines", note.id),
        ),
        livemode: livemode,
        memo: text(note.memo.as_ref()),
        metadata: metadata(&note.metadata),
        number: note.number.as_str(),
        out_of_band_amount: match note.credited.out_of_band_minor {
            0 => None,
            amount => Some(amount),
        },
        pdf: "",
        post_payment_amount: post,
        pre_payment_amount: pre,
        pretax_credit_amounts: Vec::<Value>::new(),
        reason: note.reason.map(name),
        refunds: refunds.collect::<Vec<_>>(),
        shipping_cost: (),
        status: name(note.status),
        subtotal: subtotal,
        subtotal_excluding_tax: subtotal.saturating_sub(note.tax_inclusive_minor),
        total: note.total_minor,
        total_excluding_tax: note.total_minor.saturating_sub(tax),
        total_taxes: total_taxes(note),
        type: kind,
        voided_at: moment(note.voided_at),
    }
}

fn discounts(note: &CreditNote) -> Vec<Value> {
    let mut sums: BTreeMap<&DiscountId, i64> = BTreeMap::new();
    for own in note.lines.iter().flat_map(|line| &line.discount_amounts) {
        let sum = sums.entry(&own.discount).or_default();
        *sum = sum.saturating_add(own.amount_minor);
    }
    sums.into_iter()
        .map(|(discount, amount)| object! { amount: amount, discount: discount.as_str() })
        .collect()
}

fn total_taxes(note: &CreditNote) -> Vec<Value> {
    let mut sums: Vec<TaxAmount> = Vec::new();
    for tax in note.lines.iter().flat_map(|line| &line.taxes) {
        let same = |sum: &&mut TaxAmount| sum.rate == tax.rate && sum.inclusive == tax.inclusive;
        match sums.iter_mut().find(same) {
            Some(sum) => {
                sum.amount_minor = sum.amount_minor.saturating_add(tax.amount_minor);
                sum.taxable_minor = sum.taxable_minor.saturating_add(tax.taxable_minor);
            }
            None => sums.push(tax.clone()),
        }
    }
    sums.iter().map(tax_amount).collect()
}

/// A line of a credit note.
#[must_use]
pub fn credit_note_line(line: &NoteLine, livemode: bool) -> Value {
    let amounts = line.discount_amounts.iter();
    let off: i64 = amounts
        .clone()
        .fold(0, |sum, own| sum.saturating_add(own.amount_minor));
    let mut value = object! {
        id: line.id.as_str(),
        object: "credit_note_line_item",
        amount: line.amount_minor,
        description: line.description.as_str(),
        discount_amount: off,
        discount_amounts: amounts
            .map(|own| object! { amount: own.amount_minor, discount: own.discount.as_str() })
            .collect::<Vec<_>>(),
        livemode: livemode,
        metadata: object! {},
        pretax_credit_amounts: Vec::<Value>::new(),
        quantity: line.quantity,
        tax_rates: line.tax_rates.iter().map(|rate| tax_rate(rate, livemode)).collect::<Vec<_>>(),
        taxes: line.taxes.iter().map(tax_amount).collect::<Vec<_>>(),
        type: match line.invoice_line {
            Some(_) => "invoice_line_item",
            None => "custom_line_item",
        },
        unit_amount: whole_number(line.unit_amount),
        unit_amount_decimal: decimal(line.unit_amount),
    };
    if let (Some(own), Some(map)) = (&line.invoice_line, value.as_object_mut()) {
        map.insert("invoice_line_item".to_owned(), own.as_str().into());
    }
    value
}
