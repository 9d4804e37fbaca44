//! `expand[]`: which ids may be replaced by what they name, and replacing them, all ids of a kind
//! and level together.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Api;
use super::params::Params;
use super::problem::Problem;
use crate::rendering::{Wanted, fold, state_charge, whole};
use crate::store::document::{self, Document};
use crate::store::{Scope, StoreError, key};
use crate::web::style::name_of;

/// How deep an expansion may go, `data` of a list not counted (Stripe: 4).
pub const LEVELS_MAX: usize = 4;
/// The most paths of one call.
pub const PATHS_MAX: usize = 50;

/// What stands at a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// An id that is looked up; what it names is of this kind.
    Named(&'static str),
    /// A value that is there already; its fields are of this kind.
    Inline(&'static str),
    /// Always null here, though it may be asked for.
    Nothing,
}

use Field::{Inline, Named, Nothing};

/// What stands at a field of an object of a kind; `None` if it can't be expanded.
fn field(kind: &str, field: &str) -> Option<Field> {
    if let (Some(of), "data") = (kind.strip_suffix(" list"), field) {
        return known(of).map(Inline);
    }
    let found = match (kind, field) {
        ("customer", "discount") => Inline("discount"),
        ("customer", "invoice_settings") => Inline("customer.invoice_settings"),
        ("customer.invoice_settings", "default_payment_method") => Named("payment_method"),
        ("customer", "tax_ids") => Inline("tax_id list"),
        ("customer", "test_clock") => Named("test_helpers.test_clock"),
        ("customer", "default_source" | "sources" | "tax") => Nothing,
        ("tax_id", "customer") => Named("customer"),
        ("customer_balance_transaction", "customer") => Named("customer"),
        ("customer_balance_transaction", "invoice") => Named("invoice"),
        ("customer_balance_transaction", "credit_note") => Named("credit_note"),
        ("customer_balance_transaction", "checkout_session") => Nothing,
        ("product", "default_price") => Named("price"),
        ("product", "tax_code") => Nothing,
        ("price" | "plan", "product") => Named("product"),
        ("price" | "plan", "tiers") => Inline("tier"),
        ("price", "currency_options") => Nothing,
        ("coupon", "applies_to") => Inline("coupon.applies_to"),
        ("coupon", "currency_options") => Inline("currency_options"),
        ("discount", "source") => Inline("discount.source"),
        ("discount.source", "coupon") => Named("coupon"),
        ("discount", "customer") => Named("customer"),
        ("discount", "promotion_code") => Named("promotion_code"),
        ("subscription", name) => return subscription_field(name),
        ("subscription_schedule", name) => return schedule_field(name),
        ("schedule.phase", "items" | "add_invoice_items") => Inline("schedule.item"),
        ("schedule.phase", "default_payment_method") => Named("payment_method"),
        ("schedule.phase" | "schedule.item", "discounts") => Inline("schedule.discount"),
        ("schedule.item", "price" | "plan") => Named("price"),
        ("schedule.discount", "coupon") => Named("coupon"),
        ("schedule.discount", "promotion_code") => Named("promotion_code"),
        ("schedule.defaults", "default_payment_method") => Named("payment_method"),
        ("promotion_code", "customer") => Named("customer"),
        ("promotion_code", "promotion") => Inline("promotion_code.promotion"),
        ("promotion_code.promotion", "coupon") => Named("coupon"),
        ("promotion_code", "restrictions") => Inline("promotion_code.restrictions"),
        ("promotion_code.restrictions", "currency_options") => Inline("currency_options"),
        ("subscription_item", "price") => Inline("price"),
        ("subscription_item", "plan") => Inline("plan"),
        ("subscription_item", "discounts") => Inline("discount"),
        ("subscription_item", "tax_rates") => Inline("tax_rate"),
        ("invoice", name) => return invoice_field(name),
        ("invoice.from_invoice", "invoice") => Named("invoice"),
        ("invoice.parent", "subscription_details") => Inline("invoice.subscription_details"),
        ("invoice.subscription_details", "subscription") => Named("subscription"),
        ("line_item", "discounts") => Inline("discount"),
        ("line_item", "subscription") => Named("subscription"),
        ("line_item", "pricing") => Inline("line_item.pricing"),
        ("line_item.pricing", "price_details") => Inline("line_item.price_details"),
        ("line_item.price_details", "price") => Named("price"),
        ("invoiceitem", "customer") => Named("customer"),
        ("invoiceitem", "invoice") => Named("invoice"),
        ("invoiceitem", "tax_rates") => Inline("tax_rate"),
        ("invoiceitem", "discounts") => Inline("discount"),
        ("invoice_payment", "invoice") => Named("invoice"),
        ("invoice_payment", "payment") => Inline("invoice_payment.payment"),
        ("invoice_payment.payment", "payment_intent") => Named("payment_intent"),
        ("invoice_payment.payment", "payment_record") => Named("payment_record"),
        ("payment_method", "customer") => Named("customer"),
        ("setup_intent" | "payment_intent", "customer") => Named("customer"),
        ("setup_intent" | "payment_intent", "payment_method") => Named("payment_method"),
        ("setup_intent", "latest_attempt" | "mandate" | "single_use_mandate") => Nothing,
        ("setup_intent" | "payment_intent", "application" | "on_behalf_of") => Nothing,
        ("payment_intent", "latest_charge") => Named("charge"),
        ("payment_intent", "review" | "source") => Nothing,
        ("credit_note" | "refund" | "charge", "customer") => Named("customer"),
        ("credit_note", "invoice") => Named("invoice"),
        ("credit_note", "lines") => Inline("credit_note_line_item list"),
        ("credit_note", "refunds") => Inline("credit_note.refund"),
        ("credit_note.refund", "refund") => Named("refund"),
        ("credit_note", "customer_balance_transaction") => Named("customer_balance_transaction"),
        ("credit_note_line_item", "tax_rates") => Inline("tax_rate"),
        ("refund" | "charge", "payment_intent") => Named("payment_intent"),
        ("refund", "charge") => Named("charge"),
        ("refund" | "charge", "balance_transaction") => Nothing,
        ("charge", "review" | "application" | "on_behalf_of") => Nothing,
        ("billing_portal.configuration", "features") => Inline("configuration.features"),
        ("configuration.features", "subscription_update") => Inline("configuration.update"),
        ("configuration.update", "products") => Inline("configuration.product"),
        ("billing_portal.configuration", "application") => Nothing,
        ("billing_portal.session", "configuration") => Named("billing_portal.configuration"),
        _ => return None,
    };
    Some(found)
}

fn subscription_field(field: &str) -> Option<Field> {
    Some(match field {
        "customer" => Named("customer"),
        "default_payment_method" => Named("payment_method"),
        "latest_invoice" => Named("invoice"),
        "items" => Inline("subscription_item list"),
        "discounts" => Inline("discount"),
        "default_tax_rates" => Inline("tax_rate"),
        "test_clock" => Named("test_helpers.test_clock"),
        "schedule" => Named("subscription_schedule"),
        "pending_setup_intent" => Named("setup_intent"),
        "default_source" | "application" | "on_behalf_of" => Nothing,
        _ => return None,
    })
}

fn schedule_field(field: &str) -> Option<Field> {
    Some(match field {
        "customer" => Named("customer"),
        "subscription" => Named("subscription"),
        "phases" => Inline("schedule.phase"),
        "default_settings" => Inline("schedule.defaults"),
        "test_clock" => Named("test_helpers.test_clock"),
        "application" => Nothing,
        _ => return None,
    })
}

fn invoice_field(field: &str) -> Option<Field> {
    Some(match field {
        "customer" => Named("customer"),
        "default_payment_method" => Named("payment_method"),
        "discounts" => Inline("discount"),
        "lines" => Inline("line_item list"),
        "payments" => Inline("invoice_payment list"),
        "test_clock" => Named("test_helpers.test_clock"),
        "parent" => Inline("invoice.parent"),
        "from_invoice" => Inline("invoice.from_invoice"),
        "latest_revision" => Named("invoice"),
        "account_tax_ids" => Named("tax_id"),
        "confirmation_secret"
        | "default_source"
        | "application"
        | "on_behalf_of"
        | "threshold_reason" => Nothing,
        _ => return None,
    })
}

/// The kind with a lifetime of its own, for lists of it.
fn known(kind: &str) -> Option<&'static str> {
    const LISTED: [&str; 27] = [
        "billing_portal.configuration",
        "charge",
        "coupon",
        "credit_note",
        "credit_note_line_item",
        "customer",
        "customer_balance_transaction",
        "event",
        "invoice",
        "invoice_payment",
        "invoiceitem",
        "line_item",
        "payment_intent",
        "payment_method",
        "payment_record",
        "price",
        "product",
        "promotion_code",
        "refund",
        "setup_intent",
        "subscription",
        "subscription_item",
        "subscription_schedule",
        "tax_id",
        "tax_rate",
        "test_helpers.test_clock",
        "discount",
    ];
    LISTED.into_iter().find(|listed| *listed == kind)
}

/// Reads `expand` and checks every path against what a call shows, before anything is done.
///
/// # Errors
/// Names the first path that can't be expanded.
pub fn wanted(params: &mut Params, shows: &str) -> Result<Wanted, Problem> {
    let mut wanted = Wanted::default();
    let paths = params.texts("expand", PATHS_MAX).unwrap_or_default();
    for path in &paths {
        check_path(shows, path)?;
        wanted.add(path.split('.'));
    }
    Ok(wanted)
}

fn check_path(shows: &str, path: &str) -> Result<(), Problem> {
    let shown: String = path.chars().take(120).collect();
    let mut levels = 0;
    let mut kind = shows;
    for name in path.split('.') {
        if !(name == "data" && kind.ends_with(" list")) {
            levels += 1;
        }
        if levels > LEVELS_MAX {
            let message = format!(
                "You cannot expand more than {LEVELS_MAX} levels of a property. Property: {shown}"
            );
            return Err(Problem::invalid(message).about("expand"));
        }
        kind = match field(kind, name) {
            Some(Named(next) | Inline(next)) => next,
            Some(Nothing) => "",
            None => {
                let hint = match shows.ends_with(" list") && !path.starts_with("data") {
                    true => format!(" You may want to try expanding 'data.{shown}'."),
                    false => String::new(),
                };
                let message = format!("This property cannot be expanded ({shown}).{hint}");
                return Err(Problem::invalid(message).about("expand"));
            }
        };
    }
    Ok(())
}

/// Ids to look up, by kind.
type Missing = BTreeMap<&'static str, BTreeSet<String>>;
/// What was found, by kind and id.
type Found = BTreeMap<(&'static str, String), Value>;

/// Replaces the wanted ids in `value`, level by level, and folds what was not wanted. An id that
/// names nothing any more stays an id.
///
/// # Errors
/// When the store fails.
pub async fn expand(
    api: &Api,
    scope: &Scope,
    shows: &str,
    value: &mut Value,
    wanted: &Wanted,
) -> Result<(), StoreError> {
    let mut found = Found::new();
    for _ in 0..LEVELS_MAX {
        let mut missing = Missing::new();
        walk(shows, value, wanted, &mut found, &mut missing);
        if missing.is_empty() {
            break;
        }
        load(api, scope, missing, &mut found).await?;
    }
    walk(shows, value, wanted, &mut found, &mut Missing::new());
    fold(value, wanted);
    Ok(())
}

/// Replaces what is known and notes what is missing.
fn walk(kind: &str, value: &mut Value, wanted: &Wanted, found: &mut Found, missing: &mut Missing) {
    if let Value::Array(values) = value {
        for value in values {
            walk(kind, value, wanted, found, missing);
        }
        return;
    }
    let Value::Object(map) = value else { return };
    for (name, below) in &wanted.0 {
        let Some(place) = map.get_mut(name) else {
            continue;
        };
        match field(kind, name) {
            Some(Inline(next)) => walk(next, place, below, found, missing),
            Some(Named(next)) => {
                // An id, or a list of them.
                let ids = match &mut *place {
                    Value::Array(ids) => ids.as_mut_slice(),
                    place => std::slice::from_mut(place),
                };
                for place in ids {
                    if let Value::String(id) = place {
                        match found.get(&(next, id.clone())) {
                            Some(known) => *place = known.clone(),
                            None => {
                                missing.entry(next).or_default().insert(id.clone());
                            }
                        }
                    }
                }
                walk(next, place, below, found, missing);
            }
            Some(Nothing) | None => {}
        }
    }
}

async fn load(
    api: &Api,
    scope: &Scope,
    missing: Missing,
    found: &mut Found,
) -> Result<(), StoreError> {
    let live = scope.livemode;
    let now = api.engine.now();
    // A handful of kinds, each looked up once a level.
    for (kind, ids) in missing {
        let ids: Vec<String> = ids.into_iter().collect();
        let values = match kind {
            "customer" => look_up(api, scope, &ids, |v| whole::customer(v, live)).await?,
            "product" => look_up(api, scope, &ids, |v| whole::product(v, live)).await?,
            "price" => look_up(api, scope, &ids, |v| whole::price(v, live)).await?,
            "coupon" => look_up(api, scope, &ids, |v| whole::coupon(v, live, now)).await?,
            "subscription" => look_up(api, scope, &ids, |v| whole::subscription(v, live)).await?,
            "invoice" => look_up(api, scope, &ids, |v| whole::invoice(v, live)).await?,
            "test_helpers.test_clock" => {
                look_up(api, scope, &ids, |v| whole::test_clock(v, live)).await?
            }
            "subscription_schedule" => {
                look_up(api, scope, &ids, |v| whole::subscription_schedule(v, live)).await?
            }
            "promotion_code" => {
                look_up(api, scope, &ids, |v| whole::promotion_code(v, live, now)).await?
            }
            "payment_method" => {
                look_up(api, scope, &ids, |v| whole::payment_method(v, live)).await?
            }
            "payment_intent" => {
                look_up(api, scope, &ids, |v| whole::payment_intent(v, live)).await?
            }
            "setup_intent" => look_up(api, scope, &ids, |v| whole::setup_intent(v, live)).await?,
            "tax_id" => look_up(api, scope, &ids, |v| whole::own_tax_id(v, live)).await?,
            "payment_record" => {
                look_up(api, scope, &ids, |v| whole::payment_record(v, live)).await?
            }
            "refund" => look_up(api, scope, &ids, |v| whole::refund(v, live)).await?,
            "credit_note" => look_up(api, scope, &ids, |v| whole::credit_note(v, live)).await?,
            "customer_balance_transaction" => {
                look_up(api, scope, &ids, |v| whole::balance_transaction(v, live)).await?
            }
            "charge" => charges(api, scope, &ids).await?,
            "billing_portal.configuration" => {
                look_up(api, scope, &ids, |v| whole::portal_configuration(v, live)).await?
            }
            _ => Vec::new(),
        };
        found.extend(values.into_iter().map(|(id, value)| ((kind, id), value)));
    }
    Ok(())
}

/// Charges by their ids, which are their payment intents' with another prefix.
async fn charges(
    api: &Api,
    scope: &Scope,
    ids: &[String],
) -> Result<Vec<(String, Value)>, StoreError> {
    let intents: Vec<String> = ids
        .iter()
        .map(|id| format!("pi_{}", id.trim_start_matches("ch_")))
        .collect();
    let live = scope.livemode;
    let found = look_up(api, scope, &intents, |v| whole::charge(v, live)).await?;
    let mut connection = api.engine.store.read().await?;
    let merchant = key::load_merchant(&mut connection, &scope.merchant).await?;
    let payee = merchant.as_ref().map_or("", name_of);
    let named = found.into_iter().map(|(id, mut value)| {
        state_charge(&mut value, payee);
        (format!("ch_{}", id.trim_start_matches("pi_")), value)
    });
    Ok(named.collect())
}

async fn look_up<T: Document>(
    api: &Api,
    scope: &Scope,
    ids: &[String],
    render: impl Fn(&T) -> Value,
) -> Result<Vec<(String, Value)>, StoreError> {
    let mut connection = api.engine.store.read().await?;
    let rows = document::load_many::<T>(&mut connection, scope, ids).await?;
    let rows = rows.iter();
    Ok(rows
        .map(|row| (row.value.key().to_owned(), render(&row.value)))
        .collect())
}
