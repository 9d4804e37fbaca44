//! Customers and what hangs on them.

use perennial::customer::{Address, Customer, Shipping, TaxId};
use perennial::id::CustomerId;
use serde_json::Value;

use super::catalog::{Owner, discount};
use super::{id, list, metadata, moment, name, object, text};
use crate::service::balance::BalanceTransaction;
use crate::service::tax_ids::OwnTaxId;

/// Stripe's settings, and beside them the methods that the customer allowed for when the first is
/// declined, where there are any: an addition of ours.
fn invoice_settings(customer: &Customer) -> Value {
    let mut settings = object! {
        custom_fields: (),
        default_payment_method: id(customer.default_payment_method.as_ref()),
        footer: (),
        rendering_options: (),
    };
    if let (Some(consent), Some(settings)) = (&customer.backup, settings.as_object_mut()) {
        let methods: Vec<&str> = consent.methods.iter().map(|own| own.as_str()).collect();
        let backups = object! {
            consented_at: consent.given_at.0,
            consented_through: name(consent.through),
            payment_methods: methods,
        };
        settings.insert("backup_payment_methods".to_owned(), backups);
    }
    settings
}

/// A customer, with its tax ids.
#[must_use]
pub fn customer(customer: &Customer, livemode: bool) -> Value {
    if customer.deleted {
        return super::deleted("customer", customer.id.as_str());
    }
    let tax_ids = customer
        .tax_ids
        .iter()
        .map(|tax| tax_id(tax, &customer.id, livemode));
    let mut shown = object! {
        id: customer.id.as_str(),
        object: "customer",
        address: customer.address.as_ref().map(address),
        balance: customer.balance_minor,
        created: customer.created.0,
        currency: customer.currency.map(|c| c.lower()),
        customer_account: (),
        default_source: (),
        delinquent: customer.delinquent,
        description: text(customer.description.as_ref()),
        discount: customer.discount.as_ref().map(|d| {
            discount(d, &Owner { customer: Some(&customer.id), ..Owner::default() })
        }),
        email: text(customer.email.as_ref()),
        invoice_prefix: customer.invoice_prefix.as_str(),
        invoice_settings: invoice_settings(customer),
        livemode: livemode,
        metadata: metadata(&customer.metadata),
        name: text(customer.name.as_ref()),
        next_invoice_sequence: customer.next_invoice_sequence,
        phone: text(customer.phone.as_ref()),
        preferred_locales: customer.preferred_locales.clone(),
        shipping: customer.shipping.as_ref().map(shipping),
        tax_exempt: name(customer.tax_exempt),
        tax_ids: list(
            tax_ids.collect(),
            false,
            &format!("/v1/customers/{}/tax_ids", customer.id),
        ),
        test_clock: id(customer.test_clock.as_ref()),
    };
    // Stripe leaves them out where nothing was said.
    let names = [
        ("business_name", &customer.business_name),
        ("individual_name", &customer.individual_name),
    ];
    for (field, name) in names {
        if let (Some(name), Some(fields)) = (name, shown.as_object_mut()) {
            fields.insert(field.to_owned(), name.as_str().into());
        }
    }
    shown
}

/// A postal address.
pub(super) fn address(address: &Address) -> Value {
    object! {
        city: text(address.city.as_ref()),
        country: text(address.country.as_ref()),
        line1: text(address.line1.as_ref()),
        line2: text(address.line2.as_ref()),
        postal_code: text(address.postal_code.as_ref()),
        state: text(address.state.as_ref()),
    }
}

pub(super) fn shipping(shipping: &Shipping) -> Value {
    object! {
        address: address(&shipping.address),
        name: shipping.name.as_deref().unwrap_or_default(),
        phone: text(shipping.phone.as_ref()),
    }
}

/// A tax registration of a customer.
#[must_use]
pub fn tax_id(tax_id: &TaxId, customer: &CustomerId, livemode: bool) -> Value {
    owned_tax_id(tax_id, Some(customer), livemode)
}

/// A tax registration of the merchant.
#[must_use]
pub fn own_tax_id(own: &OwnTaxId, livemode: bool) -> Value {
    owned_tax_id(&own.tax, None, livemode)
}

/// A tax registration. Nobody has asked an authority about it, and it says so.
fn owned_tax_id(tax_id: &TaxId, customer: Option<&CustomerId>, livemode: bool) -> Value {
    let owner = match customer {
        Some(id) => object! { type: "customer", customer: id.as_str(), customer_account: () },
        None => object! { type: "self", customer_account: () },
    };
    object! {
        id: tax_id.id.as_str(),
        object: "tax_id",
        country: text(tax_id.country.as_ref()),
        created: tax_id.created.0,
        customer: id(customer),
        customer_account: (),
        livemode: livemode,
        owner: owner,
        type: tax_id.kind.as_str(),
        value: tax_id.value.as_str(),
        verification: object! {
            status: "unavailable",
            verified_address: (),
            verified_name: (),
        },
    }
}

/// A change of a customer's balance.
#[must_use]
pub fn balance_transaction(entry: &BalanceTransaction, livemode: bool) -> Value {
    object! {
        id: entry.id.as_str(),
        object: "customer_balance_transaction",
        amount: entry.amount_minor,
        checkout_session: (),
        created: moment(Some(entry.created)),
        credit_note: id(entry.credit_note.as_ref()),
        currency: entry.currency.lower(),
        customer: entry.customer.as_str(),
        customer_account: (),
        description: text(entry.description.as_ref()),
        ending_balance: entry.ending_balance_minor,
        invoice: id(entry.invoice.as_ref()),
        livemode: livemode,
        metadata: metadata(&entry.metadata),
        type: name(entry.kind),
    }
}
