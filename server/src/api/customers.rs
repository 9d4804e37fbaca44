//! `/v1/customers`, with their tax ids, payment methods and balance.

use perennial::customer::{Address, BackupConsent, Customer, Shipping, TaxExempt};
use perennial::id::{
    CustomerBalanceTransactionId, CustomerId, PaymentMethodId, TaxIdId, TestClockId,
};
use perennial::payment::PaymentMethod;
use serde_json::Value;

use super::exchange::{Call, Routes, delete, get, post};
use super::paging;
use super::params::Params;
use super::problem::Problem;
use super::setup_intents;
use crate::rendering::{self, whole};
use crate::service::balance::BalanceTransaction;
use crate::service::customers::{Bringing, CustomerUpdate, NewTaxId};
use crate::store::document::Column;
use crate::store::listing;

const URL: &str = "/v1/customers";
/// The most languages that are read.
const LOCALES_MAX: usize = 10;
/// The most tax ids of a new customer (Stripe: 5).
const TAX_IDS_MAX: usize = Customer::TAX_IDS_MAX;

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(
            URL,
            get("customer list", list).merge(post("customer", create)),
        )
        .route(
            "/v1/customers/{id}",
            get("customer", retrieve)
                .merge(post("customer", update))
                .merge(delete("", remove)),
        )
        .route(
            "/v1/customers/{id}/tax_ids",
            get("tax_id list", list_tax_ids).merge(post("tax_id", create_tax_id)),
        )
        .route(
            "/v1/customers/{id}/tax_ids/{tax_id}",
            get("tax_id", retrieve_tax_id).merge(delete("", remove_tax_id)),
        )
        .route(
            "/v1/customers/{id}/balance_transactions",
            get("customer_balance_transaction list", list_balance)
                .merge(post("customer_balance_transaction", create_balance)),
        )
        .route(
            "/v1/customers/{id}/balance_transactions/{entry}",
            get("customer_balance_transaction", retrieve_balance)
                .merge(post("customer_balance_transaction", update_balance)),
        )
        .route(
            "/v1/customers/{id}/payment_methods",
            get("payment_method list", list_payment_methods),
        )
        .route(
            "/v1/customers/{id}/payment_methods/{method}",
            get("payment_method", retrieve_payment_method),
        )
}

/// A postal address.
pub(super) fn address(params: &mut Params) -> Address {
    Address {
        line1: params.text("line1"),
        line2: params.text("line2"),
        city: params.text("city"),
        state: params.text("state"),
        postal_code: params.text("postal_code"),
        country: params.text("country"),
    }
}

pub(super) fn shipping(params: &mut Params) -> Shipping {
    let address = params.object("address", address);
    Shipping {
        address: params.required("address", address).unwrap_or_default(),
        name: Some(params.required_text("name")),
        phone: params.text("phone"),
    }
}

/// The methods that the customer allowed for when the first is declined, in order; our addition to
/// Stripe's `invoice_settings`. Empty takes the leave back.
fn backups(settings: &mut Params) -> Option<Vec<PaymentMethodId>> {
    let most = BackupConsent::METHODS_MAX;
    settings.ids("backup_payment_methods", "payment_method", most)
}

/// What is owed beside invoices. Nothing is no amount: whoever means none says 0.
fn balance(params: &mut Params) -> Option<i64> {
    if params.unset("balance") {
        params.refuse("balance", "Invalid integer: an empty string.");
        return None;
    }
    let most = CustomerUpdate::BALANCE_MINOR_MAX;
    params.integer_in("balance", -most..=most)
}

/// What we have to say about where a customer is taxed: nothing is looked up, neither now nor from an
/// address of the internet.
fn tax(params: &mut Params) {
    params.object("tax", |tax| {
        let _: Option<String> = tax.choice("validate_location", &["deferred"]);
    });
}

fn changes(params: &mut Params) -> CustomerUpdate {
    changes_with(params, None).0
}

/// What is said of a customer, and whether the payment method that comes with it, by this name, is to pay
/// by default.
fn changes_with(params: &mut Params, method: Option<&str>) -> (CustomerUpdate, bool) {
    tax(params);
    let exempt = ["none", "exempt", "reverse"];
    let tax_exempt = match params.unset("tax_exempt") {
        true => Some(TaxExempt::None),
        false => params.choice("tax_exempt", &exempt),
    };
    let mut default_payment_method = None;
    let mut backup_payment_methods = None;
    let mut pays = false;
    params.object("invoice_settings", |settings| {
        pays = method.is_some_and(|name| settings.text_is("default_payment_method", name));
        default_payment_method = settings.change_id("default_payment_method", "payment_method");
        backup_payment_methods = backups(settings);
    });
    let update = CustomerUpdate {
        backup_payment_methods,
        balance_minor: balance(params),
        name: params.change_text("name"),
        business_name: params.change_text("business_name"),
        individual_name: params.change_text("individual_name"),
        email: params.change_text("email"),
        phone: params.change_text("phone"),
        description: params.change_text("description"),
        address: params.change_object("address", address),
        shipping: params.change_object("shipping", shipping),
        tax_exempt,
        preferred_locales: params.texts("preferred_locales", LOCALES_MAX),
        invoice_prefix: params.text("invoice_prefix"),
        next_invoice_sequence: params
            .integer_in("next_invoice_sequence", 1..=i64::from(u32::MAX))
            .and_then(|n| u32::try_from(n).ok()),
        default_payment_method,
        metadata: params.metadata("metadata"),
    };
    (update, pays)
}

pub(super) fn tax_id(params: &mut Params) -> NewTaxId {
    NewTaxId {
        kind: params.required_text("type"),
        value: params.required_text("value"),
    }
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let (new, pays, method, tax_ids, clock) = call.read(|p| {
        let tax_ids = p.objects("tax_id_data", TAX_IDS_MAX, tax_id);
        let clock: Option<TestClockId> = p.id("test_clock", "test_helpers.test_clock");
        let method = p.text("payment_method");
        let (new, pays) = changes_with(p, method.as_deref());
        (new, pays, method, tax_ids.unwrap_or_default(), clock)
    })?;
    if new.backup_payment_methods.is_some() {
        let message = "A new customer has no payment methods yet. Attach one first.";
        return Err(Problem::invalid(message).about("invoice_settings[backup_payment_methods]"));
    }
    if new
        .default_payment_method
        .as_ref()
        .is_some_and(Option::is_some)
    {
        let message = "A new customer has no payment methods yet. Attach one first.";
        return Err(Problem::invalid(message).about("invoice_settings[default_payment_method]"));
    }
    let engine = &call.api.engine;
    let customer = match method {
        Some(name) => {
            let method = engine.resolve_payment_method(&call.scope, &name).await?;
            let method = Bringing {
                method: method.value.id,
                pays,
            };
            engine
                .create_customer_bringing(&call.scope, new, tax_ids, clock, method)
                .await?
        }
        None => {
            engine
                .create_customer_following(&call.scope, new, tax_ids, clock)
                .await?
        }
    };
    Ok(whole::customer(&customer, call.scope.livemode))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let customer = call.find::<Customer>().await?;
    Ok(whole::customer(&customer, call.scope.livemode))
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: CustomerId = call.id("customer")?;
    let update = call.read(changes)?;
    let engine = &call.api.engine;
    let customer = engine.update_customer(&call.scope, &id, update).await?;
    Ok(whole::customer(&customer, call.scope.livemode))
}

async fn remove(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let id: CustomerId = call.id("customer")?;
    call.api.engine.delete_customer(&call.scope, &id).await?;
    Ok(rendering::deleted("customer", id.as_str()))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, created, email, clock) = call.read(|p| {
        let (email, clock) = (p.text("email"), p.text("test_clock"));
        if email.is_some() && clock.is_some() {
            let message = "You may only specify one of these parameters: email, test_clock.";
            p.refuse("test_clock", message);
        }
        (paging::page(p), paging::created(p), email, clock)
    })?;
    let mut filter = created.columns().to_vec();
    let sql = match (email, clock) {
        (Some(email), _) => {
            filter.push(Column::text(email));
            listing::CUSTOMERS_BY_EMAIL
        }
        (None, Some(clock)) => {
            filter.push(Column::text(clock));
            listing::CUSTOMERS_BY_TEST_CLOCK
        }
        (None, None) => listing::CUSTOMERS,
    };
    paging::answer(&call, sql, &page, &filter, URL, whole::customer).await
}

/// The customer in the path, if there is one.
async fn owner(call: &Call) -> Result<Customer, Problem> {
    let id: CustomerId = call.id("customer")?;
    let customer = call.api.engine.living_customer(&call.scope, &id).await?;
    Ok(customer.value)
}

async fn create_tax_id(mut call: Call) -> Result<Value, Problem> {
    let id: CustomerId = call.id("customer")?;
    let new = call.read(tax_id)?;
    let tax = call.api.engine.add_tax_id(&call.scope, &id, new).await?;
    Ok(whole::tax_id(&tax, &id, call.scope.livemode))
}

async fn retrieve_tax_id(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let customer = owner(&call).await?;
    let id: TaxIdId = call.id_at(1, "tax_id")?;
    let tax = customer.tax_ids.iter().find(|tax| tax.id == id);
    let tax = tax.ok_or_else(|| Problem::no_such("tax_id", id.as_str(), None))?;
    Ok(whole::tax_id(tax, &customer.id, call.scope.livemode))
}

async fn remove_tax_id(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let customer: CustomerId = call.id("customer")?;
    let id: TaxIdId = call.id_at(1, "tax_id")?;
    let engine = &call.api.engine;
    engine.remove_tax_id(&call.scope, &customer, &id).await?;
    Ok(rendering::deleted("tax_id", id.as_str()))
}

/// A customer has at most five tax ids, so they are paged in memory, newest first.
async fn list_tax_ids(mut call: Call) -> Result<Value, Problem> {
    let page = call.read(paging::page)?;
    let customer = owner(&call).await?;
    let url = format!("/v1/customers/{}/tax_ids", customer.id);
    let newest_first = customer.tax_ids.iter().rev();
    let show = |tax| whole::tax_id(tax, &customer.id, call.scope.livemode);
    paging::part("tax_id", newest_first.map(show).collect(), &page, &url)
}

async fn create_balance(mut call: Call) -> Result<Value, Problem> {
    let id: CustomerId = call.id("customer")?;
    let new = call.read(|p| {
        let (amount, currency) = (p.integer("amount"), p.currency("currency"));
        let amount = p.required("amount", amount);
        let currency = p.required("currency", currency);
        let metadata = setup_intents::metadata(p);
        (amount.zip(currency), p.text("description"), metadata)
    })?;
    let (Some(money), description, metadata) = new else {
        return Err(Problem::internal());
    };
    let engine = &call.api.engine;
    let entry = engine
        .adjust_balance(&call.scope, &id, money, description, metadata)
        .await?;
    Ok(whole::balance_transaction(&entry, call.scope.livemode))
}

async fn retrieve_balance(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let customer = owner(&call).await?;
    let id: CustomerBalanceTransactionId = call.id_at(1, "customer_balance_transaction")?;
    let entry = call.load::<BalanceTransaction>(id.as_str()).await?;
    if entry.customer != customer.id {
        let kind = "customer_balance_transaction";
        return Err(Problem::no_such(kind, id.as_str(), None));
    }
    Ok(whole::balance_transaction(&entry, call.scope.livemode))
}

async fn update_balance(mut call: Call) -> Result<Value, Problem> {
    let id: CustomerId = call.id("customer")?;
    let entry: CustomerBalanceTransactionId = call.id_at(1, "customer_balance_transaction")?;
    let changes = call.read(|p| (p.change_text("description"), p.metadata("metadata")))?;
    let engine = &call.api.engine;
    let entry = engine
        .update_balance_entry(&call.scope, &id, &entry, changes)
        .await?;
    Ok(whole::balance_transaction(&entry, call.scope.livemode))
}

async fn list_balance(mut call: Call) -> Result<Value, Problem> {
    let (page, created) = call.read(|p| (paging::page(p), paging::created(p)))?;
    let customer = owner(&call).await?;
    let url = format!("/v1/customers/{}/balance_transactions", customer.id);
    let mut filter = created.columns().to_vec();
    filter.push(Column::text(&customer.id));
    let (sql, show) = (listing::BALANCE_TRANSACTIONS, whole::balance_transaction);
    paging::answer(&call, sql, &page, &filter, &url, show).await
}

async fn list_payment_methods(mut call: Call) -> Result<Value, Problem> {
    let (page, created) = call.read(|p| {
        let _: Option<String> = p.choice("type", &["card"]);
        let _: Option<String> = p.choice("allow_redisplay", &["always", "limited", "unspecified"]);
        (paging::page(p), paging::created(p))
    })?;
    let customer = owner(&call).await?;
    let url = format!("/v1/customers/{}/payment_methods", customer.id);
    let mut filter = created.columns().to_vec();
    filter.push(Column::text(&customer.id));
    let sql = listing::PAYMENT_METHODS_BY_CUSTOMER;
    paging::answer(&call, sql, &page, &filter, &url, whole::payment_method).await
}

async fn retrieve_payment_method(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let customer = owner(&call).await?;
    let id = call.path.get(1).cloned().unwrap_or_default();
    let method = call.load::<PaymentMethod>(&id).await?;
    if method.customer.as_ref() != Some(&customer.id) {
        return Err(Problem::no_such("payment_method", &id, None));
    }
    Ok(whole::payment_method(&method, call.scope.livemode))
}
