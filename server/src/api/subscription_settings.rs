//! What a subscription's creation and update say about its invoices: `payment_settings`,
//! `invoice_settings`, `pending_invoice_item_interval`, and terms that we have no other value of.

use perennial::calendar::Cadence;

use super::invoice_writing::{TAX_IDS_MAX, custom_fields, issuer};
use super::params::Params;
use super::phases::cadence;
use crate::service::subscriptions::SettingsChange;

/// The most payment method types of a list; there are not that many.
const TYPES_MAX: usize = 50;

/// Reads all of it.
pub(super) fn settings(params: &mut Params) -> SettingsChange {
    if params
        .object("automatic_tax", automatic_tax)
        .is_some_and(|wanted| wanted)
    {
        let message = "Taxes are not computed automatically here: give default_tax_rates, or \
                       items[][tax_rates].";
        params.refuse("automatic_tax[enabled]", message);
    }
    let mut change = SettingsChange {
        pending_items: pending_items(params),
        ..SettingsChange::default()
    };
    params.object("payment_settings", |p| payment(p, &mut change));
    params.object("invoice_settings", |p| invoice(p, &mut change));
    change
}

/// Whether taxes are to be computed.
fn automatic_tax(params: &mut Params) -> bool {
    params.object("liability", |p| {
        let _: Option<String> = p.choice("type", &["self"]);
    });
    let enabled = params.boolean("enabled");
    params.required("enabled", enabled).unwrap_or(false)
}

/// `pending_invoice_item_interval`, or its removal.
fn pending_items(params: &mut Params) -> Option<Option<Cadence>> {
    match params.change_object("pending_invoice_item_interval", cadence)? {
        Some(every) => every.map(Some),
        None => Some(None),
    }
}

/// `payment_settings`. Only cards pay here, and whether the customer must prove who they are is left to
/// the bank: other wishes are refused by name.
fn payment(params: &mut Params, change: &mut SettingsChange) {
    let saves: Option<String> =
        params.choice("save_default_payment_method", &["off", "on_subscription"]);
    change.saves_payment_method = saves.map(|name| name == "on_subscription");
    if let Some(types) = params.texts("payment_method_types", TYPES_MAX) {
        for (index, kind) in types.iter().enumerate() {
            if kind != "card" {
                let shown: String = kind.chars().take(40).collect();
                let message = format!(
                    "The payment method type \"{shown}\" is invalid: only card is accepted here."
                );
                params.refuse(&format!("payment_method_types[{index}]"), message);
            }
        }
        change.cards_only = Some(!types.is_empty());
    }
    params.object("payment_method_options", |options| {
        if options.unset("card") {
            change.bank_asks_for_proof = Some(false);
            return;
        }
        let asks = options.object("card", |card| {
            let asks: Option<String> = card.choice("request_three_d_secure", &["automatic"]);
            asks.is_some()
        });
        change.bank_asks_for_proof = asks;
    });
}

/// `invoice_settings`.
fn invoice(params: &mut Params, change: &mut SettingsChange) {
    issuer(params);
    change.account_tax_ids = match params.unset("account_tax_ids") {
        true => Some(Vec::new()),
        false => params.ids("account_tax_ids", "tax_id", TAX_IDS_MAX),
    };
    change.custom_fields = custom_fields(params);
    change.description = params.change_text("description");
    change.footer = params.change_text("footer");
}
