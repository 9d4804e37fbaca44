//! Invoices, their lines and the payments for them.

use std::collections::BTreeMap;

use perennial::id::{DiscountId, TaxRateId};
use perennial::invoice::{
    AttachedPayment, AttachedStatus, Invoice, InvoiceStatus, Line, LineKind, PaymentSource,
    TaxAmount, TaxabilityReason,
};
use perennial::payment::{PaymentIntent, PaymentStatus};
use perennial::subscription::CollectionMethod;
use serde_json::Value;

use super::catalog::{Owner, discount, tax_rate};
use super::customer::{address, shipping};
use super::{decimal, id, list, metadata, moment, name, object, text};

/// An invoice with its lines, whole discounts and the payment for it.
#[must_use]
pub fn invoice(invoice: &Invoice, livemode: bool) -> Value {
    let mut value = head(invoice, livemode);
    let amounts = amounts(invoice);
    let body = body(invoice, livemode);
    if let (Value::Object(value), Value::Object(amounts), Value::Object(body)) =
        (&mut value, amounts, body)
    {
        value.extend(amounts);
        value.extend(body);
    }
    value
}

/// What it is, whose it is and where it stands.
fn head(invoice: &Invoice, livemode: bool) -> Value {
    // A sent invoice is charged by nobody.
    let charges = invoice.collection_method == CollectionMethod::ChargeAutomatically;
    object! {
        id: invoice.id.as_str(),
        object: "invoice",
        account_country: (),
        account_name: (),
        account_tax_ids: (!invoice.seller_tax_ids.is_empty()).then(|| {
            let ids = invoice.seller_tax_ids.iter();
            ids.map(|own| Value::from(own.id.as_str())).collect::<Vec<_>>()
        }),
        application: (),
        attempt_count: invoice.attempt_count,
        attempted: invoice.attempt_count > 0,
        auto_advance: invoice.auto_advance,
        automatic_tax: object! {
            disabled_reason: (),
            enabled: false,
            liability: (),
            provider: (),
            status: (),
        },
        automatically_finalizes_at: moment(invoice.automatically_finalizes_at),
        billing_reason: name(invoice.billing_reason),
        collection_method: name(invoice.collection_method),
        created: invoice.created.0,
        currency: invoice.currency.lower(),
        custom_fields: (!invoice.custom_fields.is_empty()).then(|| {
            let fields = invoice.custom_fields.iter();
            fields
                .map(|field| object! { name: field.name.as_str(), value: field.value.as_str() })
                .collect::<Vec<_>>()
        }),
        customer: invoice.customer.as_str(),
        customer_account: (),
        customer_address: invoice.bill_to.address.as_ref().map(address),
        customer_email: text(invoice.bill_to.email.as_ref()),
        customer_name: text(invoice.bill_to.name.as_ref()),
        customer_phone: text(invoice.bill_to.phone.as_ref()),
        customer_shipping: (),
        customer_tax_exempt: name(invoice.bill_to.tax_exempt),
        customer_tax_ids: invoice.bill_to.tax_ids.iter()
            .map(|tax| object! { type: tax.kind.as_str(), value: tax.value.as_str() })
            .collect::<Vec<_>>(),
        default_payment_method: id(invoice.default_payment_method.as_ref()),
        default_source: (),
        default_tax_rates: invoice.default_tax_rates.iter()
            .map(|rate| tax_rate(rate, livemode))
            .collect::<Vec<_>>(),
        description: text(invoice.description.as_ref()),
        due_date: moment(invoice.due_date),
        effective_at: moment(invoice.effective_at.or(invoice.finalized_at)),
        footer: text(invoice.footer.as_ref()),
        from_invoice: invoice.from_invoice.as_ref()
            .map(|from| object! { action: "revision", invoice: from.as_str() }),
        hosted_invoice_url: (),
        invoice_pdf: (),
        issuer: object! { type: "self" },
        last_finalization_error: (),
        latest_revision: id(invoice.latest_revision.as_ref()),
        livemode: livemode,
        metadata: metadata(&invoice.metadata),
        next_payment_attempt: moment(invoice.next_payment_attempt.filter(|_| charges)),
        number: text(invoice.number.as_ref()),
        on_behalf_of: (),
        period_end: invoice.period.end.0,
        period_start: invoice.period.start.0,
        receipt_number: (),
        rendering: printed(invoice),
        shipping_cost: (),
        shipping_details: invoice.presentation.as_ref()
            .and_then(|own| own.shipping.as_ref().map(shipping)),
        statement_descriptor: text(invoice.statement_descriptor.as_ref()),
        status: name(invoice.status),
        test_clock: id(invoice.test_clock.as_ref()),
        webhooks_delivered_at: (),
    }
}

/// How its document is printed, where anything is said of that.
fn printed(invoice: &Invoice) -> Value {
    let Some(own) = &invoice.presentation else {
        return Value::Null;
    };
    if own.amount_tax_display.is_none() && own.page_size.is_none() {
        return Value::Null;
    }
    object! {
        amount_tax_display: own.amount_tax_display.map(name),
        pdf: own.page_size.map(|size| object! { page_size: name(size) }),
        template: (),
        template_version: (),
    }
}

/// What it comes to.
fn amounts(invoice: &Invoice) -> Value {
    let totals = &invoice.totals;
    let inclusive = totals.tax_inclusive_minor;
    object! {
        amount_due: invoice.amount_due_minor,
        amount_overpaid: invoice.amount_overpaid_minor,
        amount_paid: invoice.amount_paid_minor,
        amount_remaining: invoice.amount_remaining_minor(),
        amount_shipping: 0,
        ending_balance: invoice.ending_balance_minor,
        post_payment_credit_notes_amount: invoice.post_payment_credit_minor,
        pre_payment_credit_notes_amount: invoice.pre_payment_credit_minor,
        starting_balance: invoice.starting_balance_minor,
        subtotal: totals.subtotal_minor,
        subtotal_excluding_tax: totals.subtotal_minor.saturating_sub(inclusive),
        total: totals.total_minor,
        total_excluding_tax: totals.total_excluding_tax_minor(),
        total_discount_amounts: total_discounts(invoice),
        total_pretax_credit_amounts: Vec::<Value>::new(),
        total_taxes: total_taxes(invoice),
    }
}

/// What it is made of and what became of it.
fn body(invoice: &Invoice, livemode: bool) -> Value {
    let owner = Owner {
        customer: Some(&invoice.customer),
        subscription: invoice.subscription.as_ref(),
        invoice: Some(&invoice.id),
        ..Owner::default()
    };
    let discounts = invoice.discounts.iter().map(|d| discount(d, &owner));
    let lines = invoice
        .lines
        .iter()
        .map(|l| line(l, Some(invoice), livemode));
    object! {
        discounts: discounts.collect::<Vec<_>>(),
        lines: list(
            lines.collect(),
            false,
            &format!("/v1/invoices/{}/lines", invoice.id),
        ),
        parent: invoice.subscription.as_ref().map(|subscription| object! {
            quote_details: (),
            subscription_details: object! {
                metadata: (),
                subscription: subscription.as_str(),
            },
            type: "subscription_details",
        }),
        payment_settings: object! {
            default_mandate: (),
            payment_method_options: (),
            payment_method_types: invoice.presentation.as_ref()
                .and_then(|own| own.payment_method_types.as_ref())
                .map(|types| types.iter().map(|own| name(*own)).collect::<Vec<_>>()),
        },
        confirmation_secret: confirmation_secret(invoice),
        payments: list(
            payments(invoice, livemode),
            false,
            &format!("/v1/invoice_payments?invoice={}", invoice.id),
        ),
        status_transitions: object! {
            finalized_at: moment(invoice.finalized_at),
            marked_uncollectible_at: moment(invoice.marked_uncollectible_at),
            paid_at: moment(invoice.paid_at),
            voided_at: moment(invoice.voided_at),
        },
    }
}

/// What a browser needs to pay it, while there is something to pay. The secret itself is made by the
/// installation's keys, which stand behind the API: here it is the payment intent's id.
fn confirmation_secret(invoice: &Invoice) -> Value {
    let payable = invoice.status == InvoiceStatus::Open;
    match invoice.payment_intent.as_ref().filter(|_| payable) {
        Some(intent) => object! { client_secret: intent.as_str(), type: "payment_intent" },
        None => Value::Null,
    }
}

/// What pays it: its own payment intent, then what was attached to it.
fn payments(invoice: &Invoice, livemode: bool) -> Vec<Value> {
    let attached = invoice.attached.iter();
    let attached = attached.map(|own| attached_payment(invoice, own, livemode));
    own_payment(invoice, livemode)
        .into_iter()
        .chain(attached)
        .collect()
}

/// The newest payment intent's part in paying it. Its id is the intent's with another prefix.
fn own_payment(invoice: &Invoice, livemode: bool) -> Option<Value> {
    let intent = invoice.payment_intent.as_ref()?;
    let attached = invoice.attached_paid_minor();
    let own = invoice.amount_paid_minor.saturating_sub(attached);
    let (status, paid) = match invoice.status {
        // Others paid it: its own was given up.
        InvoiceStatus::Paid if own == 0 && attached > 0 => ("canceled", None),
        InvoiceStatus::Paid => ("paid", Some(own)),
        InvoiceStatus::Void => ("canceled", None),
        InvoiceStatus::Draft | InvoiceStatus::Open | InvoiceStatus::Uncollectible => ("open", None),
    };
    let canceled_at = match invoice.status {
        InvoiceStatus::Paid => invoice.paid_at,
        _ => invoice.voided_at,
    };
    let rest = intent.as_str().trim_start_matches("pi_");
    Some(object! {
        id: format!("inpay_{rest}"),
        object: "invoice_payment",
        amount_paid: paid,
        amount_requested: invoice.amount_due_minor.saturating_sub(attached),
        created: invoice.finalized_at.unwrap_or(invoice.created).0,
        currency: invoice.currency.lower(),
        invoice: invoice.id.as_str(),
        is_default: true,
        livemode: livemode,
        payment: object! { payment_intent: intent.as_str(), type: "payment_intent" },
        status: status,
        status_transitions: object! {
            canceled_at: moment(canceled_at.filter(|_| status == "canceled")),
            paid_at: moment(invoice.paid_at.filter(|_| status == "paid")),
        },
    })
}

/// An attached payment's part in paying it.
fn attached_payment(invoice: &Invoice, own: &AttachedPayment, livemode: bool) -> Value {
    let (rest, payment) = match &own.source {
        PaymentSource::PaymentIntent(id) => (
            id.as_str().trim_start_matches("pi_"),
            object! { payment_intent: id.as_str(), type: "payment_intent" },
        ),
        PaymentSource::PaymentRecord(id) => (
            id.as_str().trim_start_matches("pr_"),
            object! { payment_record: id.as_str(), type: "payment_record" },
        ),
    };
    let paid = own.status == AttachedStatus::Paid;
    object! {
        id: format!("inpay_{rest}"),
        object: "invoice_payment",
        amount_paid: paid.then_some(own.amount_paid_minor),
        amount_requested: own.amount_requested_minor,
        created: own.attached_at.0,
        currency: invoice.currency.lower(),
        invoice: invoice.id.as_str(),
        is_default: false,
        livemode: livemode,
        payment: payment,
        status: name(own.status),
        status_transitions: object! {
            canceled_at: moment(own.canceled_at),
            paid_at: moment(own.paid_at),
        },
    }
}

/// A payment intent's part in paying its invoice. Its id is the intent's with another prefix.
#[must_use]
pub fn invoice_payment(intent: &PaymentIntent, livemode: bool) -> Value {
    let (status, paid) = match intent.status {
        PaymentStatus::Succeeded => {
            let applied = intent.applied_minor.unwrap_or(intent.amount_minor);
            ("paid", Some(applied))
        }
        PaymentStatus::Canceled => ("canceled", None),
        _ => ("open", None),
    };
    let rest = intent.id.as_str().trim_start_matches("pi_");
    object! {
        id: format!("inpay_{rest}"),
        object: "invoice_payment",
        amount_paid: paid,
        amount_requested: intent.amount_minor,
        created: intent.created.0,
        currency: intent.currency.lower(),
        invoice: id(intent.invoice.as_ref()),
        is_default: !intent.by_itself,
        livemode: livemode,
        payment: object! { payment_intent: intent.id.as_str(), type: "payment_intent" },
        status: status,
        status_transitions: object! {
            canceled_at: moment(intent.canceled_at),
            paid_at: moment(intent.attempted_at.filter(|_| status == "paid")),
        },
    }
}

fn total_discounts(invoice: &Invoice) -> Value {
    let mut sums: BTreeMap<&DiscountId, i64> = BTreeMap::new();
    for amount in invoice.lines.iter().flat_map(|line| &line.discount_amounts) {
        let sum = sums.entry(&amount.discount).or_default();
        *sum = sum.saturating_add(amount.amount_minor);
    }
    let amounts = sums.into_iter();
    amounts
        .map(|(discount, amount)| object! { amount: amount, discount: discount.as_str() })
        .collect::<Vec<_>>()
        .into()
}

fn total_taxes(invoice: &Invoice) -> Value {
    let mut sums: Vec<TaxAmount> = Vec::new();
    for tax in invoice.lines.iter().flat_map(|line| &line.taxes) {
        let same = |sum: &&mut TaxAmount| key(sum) == key(tax);
        match sums.iter_mut().find(same) {
            Some(sum) => {
                sum.amount_minor = sum.amount_minor.saturating_add(tax.amount_minor);
                sum.taxable_minor = sum.taxable_minor.saturating_add(tax.taxable_minor);
            }
            None => sums.push(tax.clone()),
        }
    }
    sums.iter().map(tax_amount).collect::<Vec<_>>().into()
}

fn key(tax: &TaxAmount) -> (&TaxRateId, bool, TaxabilityReason) {
    (&tax.rate, tax.inclusive, tax.reason)
}

pub(super) fn tax_amount(tax: &TaxAmount) -> Value {
    object! {
        amount: tax.amount_minor,
        tax_behavior: if tax.inclusive { "inclusive" } else { "exclusive" },
        tax_rate_details: object! { tax_rate: tax.rate.as_str() },
        taxability_reason: name(tax.reason),
        taxable_amount: tax.taxable_minor,
        type: "tax_rate_details",
    }
}

/// A line, of `invoice` or still without one.
#[must_use]
pub fn line(line: &Line, invoice: Option<&Invoice>, livemode: bool) -> Value {
    let owner = Owner {
        customer: invoice.map(|i| &i.customer),
        subscription: line.subscription.as_ref(),
        subscription_item: line.subscription_item.as_ref(),
        invoice: invoice.map(|i| &i.id),
    };
    let known = invoice.map_or(&[][..], |i| &i.discounts[..]).iter();
    let applied = known.filter(|d| line.discount_amounts.iter().any(|a| a.discount == d.id));
    let amounts = line.discount_amounts.iter();
    object! {
        id: line.id.as_str(),
        object: "line_item",
        amount: line.amount_minor,
        currency: invoice.map(|i| i.currency.lower()),
        description: line.description.as_str(),
        discount_amounts: amounts
            .map(|a| object! { amount: a.amount_minor, discount: a.discount.as_str() })
            .collect::<Vec<_>>(),
        discountable: line.discountable,
        discounts: applied.map(|d| discount(d, &owner)).collect::<Vec<_>>(),
        invoice: id(invoice.map(|i| &i.id)),
        livemode: livemode,
        metadata: metadata(&line.metadata),
        parent: parent(line),
        period: object! { end: line.period.end.0, start: line.period.start.0 },
        pretax_credit_amounts: Vec::<Value>::new(),
        pricing: pricing(line),
        quantity: line.quantity,
        quantity_decimal: line.quantity_decimal
            .map(|q| q.to_string())
            .or(line.quantity.map(|q| q.to_string())),
        subscription: id(line.subscription.as_ref()),
        subtotal: line.amount_minor,
        taxes: line.taxes.iter().map(tax_amount).collect::<Vec<_>>(),
    }
}

pub(super) fn pricing(line: &Line) -> Value {
    let (Some(price), Some(product)) = (&line.price, &line.product) else {
        return Value::Null;
    };
    object! {
        price_details: object! { price: price.as_str(), product: product.as_str() },
        type: "price_details",
        unit_amount_decimal: decimal(line.unit_amount),
    }
}

fn parent(line: &Line) -> Value {
    let proration = matches!(line.kind, LineKind::UnusedTime | LineKind::RemainingTime);
    let details = proration.then(|| object! { credited_items: () });
    match (&line.subscription_item, &line.invoice_item) {
        (Some(item), invoice_item) => object! {
            invoice_item_details: (),
            subscription_item_details: object! {
                invoice_item: id(invoice_item.as_ref()),
                proration: proration,
                proration_details: details,
                subscription: id(line.subscription.as_ref()),
                subscription_item: item.as_str(),
            },
            type: "subscription_item_details",
        },
        (None, Some(item)) => object! {
            invoice_item_details: object! {
                invoice_item: item.as_str(),
                proration: proration,
                proration_details: details,
                subscription: id(line.subscription.as_ref()),
            },
            subscription_item_details: (),
            type: "invoice_item_details",
        },
        (None, None) => Value::Null,
    }
}
