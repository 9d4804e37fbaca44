//! The aggregates and their tables: what each keeps beside its body, and the lists and look-ups
//! that its indexes serve.

use perennial::catalog::{Price, Product};
use perennial::credit_note::CreditNote;
use perennial::customer::Customer;
use perennial::discount::{Coupon, PromotionCode};
use perennial::invoice::{Invoice, InvoiceItem};
use perennial::payment::{PaymentIntent, PaymentMethod, PaymentStatus, SetupIntent};
use perennial::payment_record::PaymentRecord;
use perennial::portal::{PortalConfiguration, PortalSession};
use perennial::quote::Quote;
use perennial::refund::Refund;
use perennial::schedule::Schedule;
use perennial::subscription::Subscription;
use perennial::tax::TaxRate;
use perennial::test_clock::TestClock;
use perennial::usage::{Alert, AlertStatus, Meter, MeterStatus, Span};

use super::document::{Column, Document, ListSql};
use super::narrowing;
use crate::list_sql;
use crate::service::balance::BalanceTransaction;
use crate::service::due;
use crate::service::invoices::numbering::Sequence;
use crate::service::payment_records::Paying;
use crate::service::tax_ids::OwnTaxId;

/// Writes the three statements of a table whose own columns are given in order.
macro_rules! document {
    ($noun:ty, $kind:literal, $table:literal, $columns:literal, $values:literal, $set:literal, |$value:ident| $cells:expr) => {
        impl Document for $noun {
            const KIND: &'static str = $kind;
            const SELECT: &'static str = concat!(
                "select body, revision, sort from ",
                $table,
                " where merchant = $1 and livemode = $2 and id = $3"
            );
            const INSERT: &'static str = concat!(
                "insert into ",
                $table,
                " (merchant, livemode, id, revision, sort, body",
                $columns,
                ") values ($1, $2, $3, 1, $4, $5",
                $values,
                ")"
            );
            const UPDATE: &'static str = concat!(
                "update ",
                $table,
                " set revision = revision + 1, body = $5",
                $set,
                " where merchant = $1 and livemode = $2 and id = $3 and revision = $4"
            );
            fn key(&self) -> &str {
                self.id.as_str()
            }
            fn columns(&self) -> Vec<Column> {
                let $value = self;
                $cells
            }
        }
    };
}

document!(
    Customer,
    "customer",
    "customer",
    ", email, deleted, test_clock",
    ", $6, $7, $8",
    ", email = $6, deleted = $7, test_clock = $8",
    |c| vec![
        Column::text_or_null(c.email.as_ref()),
        Column::Number(Some(i64::from(c.deleted))),
        Column::text_or_null(c.test_clock.as_ref()),
    ]
);
document!(
    Product,
    "product",
    "product",
    ", active",
    ", $6",
    ", active = $6",
    |p| vec![Column::Number(Some(i64::from(p.active))),]
);
document!(
    Price,
    "price",
    "price",
    ", product, active, currency, lookup_key",
    ", $6, $7, $8, $9",
    ", product = $6, active = $7, currency = $8, lookup_key = $9",
    |p| vec![
        Column::text(&p.product),
        Column::Number(Some(i64::from(p.active))),
        Column::text(p.currency.lower()),
        Column::text_or_null(p.lookup_key.as_ref()),
    ]
);
document!(
    Meter,
    "billing.meter",
    "meter",
    ", event_name, status",
    ", $6, $7",
    ", event_name = $6, status = $7",
    |m| vec![
        Column::text(&m.event_name),
        Column::text(match m.status {
            MeterStatus::Active => "active",
            MeterStatus::Inactive => "inactive",
        }),
    ]
);
document!(
    Span,
    "usage_span",
    "usage_span",
    ", subscription, draft, open, settles_at, test_clock, clock_due_at, shard",
    ", $6, $7, $8, $9, $10, $11, $12",
    ", subscription = $6, draft = $7, open = $8, settles_at = $9, test_clock = $10, \
     clock_due_at = $11, shard = $12",
    |s| {
        let [real, clock, clocked] = due::moments(s.test_clock.as_ref(), s.settles_at);
        vec![
            Column::text(&s.subscription),
            Column::text_or_null(s.draft.as_ref()),
            Column::Number(Some(i64::from(s.settles_at.is_some()))),
            real,
            clock,
            clocked,
            Column::shard(Some(&s.customer)),
        ]
    }
);
document!(
    Alert,
    "billing.alert",
    "billing_alert",
    ", meter, status",
    ", $6, $7",
    ", meter = $6, status = $7",
    |a| vec![
        Column::text(&a.meter),
        Column::text(match a.status {
            AlertStatus::Active => "active",
            AlertStatus::Inactive => "inactive",
            AlertStatus::Archived => "archived",
        }),
    ]
);
document!(Coupon, "coupon", "coupon", "", "", "", |_c| Vec::new());
document!(
    PromotionCode,
    "promotion_code",
    "promotion_code",
    ", code, coupon, owner, active",
    ", $6, $7, $8, $9",
    ", code = $6, coupon = $7, owner = $8, active = $9",
    |p| vec![
        Column::text(p.folded()),
        Column::text(&p.coupon),
        Column::text(p.customer.as_ref().map_or("", |own| own.as_str())),
        Column::Number(Some(i64::from(p.active))),
    ]
);
document!(
    Schedule,
    "subscription_schedule",
    "subscription_schedule",
    ", customer, subscription, status, due_at, canceled_at, completed_at, released_at, test_clock, \
     clock_due_at, shard",
    ", $6, $7, $8, $9, $10, $11, $12, $13, $14, $15",
    ", customer = $6, subscription = $7, status = $8, due_at = $9, canceled_at = $10, \
     completed_at = $11, released_at = $12, test_clock = $13, clock_due_at = $14, shard = $15",
    |s| {
        let [real, clock, clocked] = due::moments(s.test_clock.as_ref(), s.due_at());
        vec![
            Column::text(&s.customer),
            Column::text_or_null(s.subscription.as_ref()),
            Column::text(due::schedule_status_name(s.status)),
            real,
            Column::moment(s.canceled_at),
            Column::moment(s.completed_at),
            Column::moment(s.released_at),
            clock,
            clocked,
            Column::shard(Some(&s.customer)),
        ]
    }
);
document!(
    TaxRate,
    "tax_rate",
    "tax_rate",
    ", active, inclusive",
    ", $6, $7",
    ", active = $6, inclusive = $7",
    |t| vec![
        Column::Number(Some(i64::from(t.active))),
        Column::Number(Some(i64::from(t.inclusive))),
    ]
);
document!(
    Subscription,
    "subscription",
    "subscription",
    ", customer, status, due_at, test_clock, clock_due_at, shard, collection_method, period_start, \
     period_end",
    ", $6, $7, $8, $9, $10, $11, $12, $13, $14",
    ", customer = $6, status = $7, due_at = $8, test_clock = $9, clock_due_at = $10, shard = $11, \
     collection_method = $12, period_start = $13, period_end = $14",
    |s| {
        let [real, clock, clocked] =
            due::moments(s.test_clock.as_ref(), due::subscription_due_at(s));
        let [collection, starts, ends] = narrowing::subscription_columns(s);
        vec![
            Column::text(&s.customer),
            Column::text(due::status_name(s.status)),
            real,
            clock,
            clocked,
            Column::shard(Some(&s.customer)),
            collection,
            starts,
            ends,
        ]
    }
);
document!(
    Invoice,
    "invoice",
    "invoice",
    ", customer, subscription, status, number, due_at, test_clock, clock_due_at, shard, \
     collection_method, due_date",
    ", $6, $7, $8, $9, $10, $11, $12, $13, $14, $15",
    ", customer = $6, subscription = $7, status = $8, number = $9, due_at = $10, test_clock = $11, \
     clock_due_at = $12, shard = $13, collection_method = $14, due_date = $15",
    |i| {
        let [real, clock, clocked] = due::moments(i.test_clock.as_ref(), due::invoice_due_at(i));
        let [collection, due_date] = narrowing::invoice_columns(i);
        vec![
            Column::text(&i.customer),
            Column::text_or_null(i.subscription.as_ref()),
            Column::text(due::invoice_status_name(i.status)),
            Column::text_or_null(i.number.as_ref()),
            real,
            clock,
            clocked,
            Column::shard(Some(&i.customer)),
            collection,
            due_date,
        ]
    }
);
document!(
    InvoiceItem,
    "invoiceitem",
    "invoice_item",
    ", customer, subscription, invoice",
    ", $6, $7, $8",
    ", customer = $6, subscription = $7, invoice = $8",
    |i| vec![
        Column::text(&i.customer),
        Column::text_or_null(i.line.subscription.as_ref()),
        Column::text_or_null(i.invoice.as_ref()),
    ]
);
document!(
    BalanceTransaction,
    "customer_balance_transaction",
    "balance_transaction",
    ", customer",
    ", $6",
    ", customer = $6",
    |t| vec![Column::text(&t.customer)]
);
document!(
    PaymentMethod,
    "payment_method",
    "payment_method",
    ", customer, gateway_token",
    ", $6, $7",
    ", customer = $6, gateway_token = $7",
    |p| vec![
        Column::text_or_null(p.customer.as_ref()),
        Column::text(&p.gateway_token),
    ]
);
document!(
    SetupIntent,
    "setup_intent",
    "setup_intent",
    ", customer, asked_at, test_clock, clock_due_at, shard",
    ", $6, $7, $8, $9, $10",
    ", customer = $6, asked_at = $7, test_clock = $8, clock_due_at = $9, shard = $10",
    |s| {
        let [real, clock, clocked] =
            due::moments(s.test_clock.as_ref(), due::setup_intent_due_at(s));
        vec![
            Column::text_or_null(s.customer.as_ref()),
            real,
            clock,
            clocked,
            Column::shard(s.customer.as_ref()),
        ]
    }
);
document!(
    PaymentIntent,
    "payment_intent",
    "payment_intent",
    ", customer, invoice, asked_at, test_clock, clock_due_at, shard, standing, unapplied",
    ", $6, $7, $8, $9, $10, $11, $12, $13",
    ", customer = $6, invoice = $7, asked_at = $8, test_clock = $9, clock_due_at = $10, shard = $11, \
     standing = $12, unapplied = $13",
    |p| {
        let [real, clock, clocked] =
            due::moments(p.test_clock.as_ref(), due::payment_intent_due_at(p));
        vec![
            Column::text(&p.customer),
            Column::text_or_null(p.invoice.as_ref()),
            real,
            clock,
            clocked,
            Column::shard(Some(&p.customer)),
            Column::text(standing(p.status)),
            Column::Number(Some(p.unapplied_minor).filter(|held| *held != 0)),
        ]
    }
);
impl Document for OwnTaxId {
    const KIND: &'static str = "tax_id";
    const SELECT: &'static str = "select body, revision, sort from tax_id \
        where merchant = $1 and livemode = $2 and id = $3";
    const INSERT: &'static str = "insert into tax_id (merchant, livemode, id, revision, sort, body) \
        values ($1, $2, $3, 1, $4, $5)";
    const UPDATE: &'static str = "update tax_id set revision = revision + 1, body = $5 \
        where merchant = $1 and livemode = $2 and id = $3 and revision = $4";
    fn key(&self) -> &str {
        self.tax.id.as_str()
    }
    fn columns(&self) -> Vec<Column> {
        Vec::new()
    }
}
// Its kind stands before "invoice": rows are saved in this order, so that of two that take the same
// number one finds this row changed and decides again.
document!(
    Sequence,
    "account_numbering",
    "invoice_numbering",
    "",
    "",
    "",
    |_s| Vec::new()
);
document!(
    PaymentRecord,
    "payment_record",
    "payment_record",
    ", customer, invoice",
    ", $6, $7",
    ", customer = $6, invoice = $7",
    |r| vec![
        Column::text_or_null(r.customer.customer.as_ref()),
        Column::text_or_null(r.invoice.as_ref()),
    ]
);

/// How a payment stands, as lists of invoice payments ask for it.
fn standing(status: PaymentStatus) -> &'static str {
    match status {
        PaymentStatus::Succeeded => "paid",
        PaymentStatus::Canceled => "canceled",
        _ => "open",
    }
}

/// Only read, through a view of what pays invoices.
impl Document for Paying {
    const KIND: &'static str = "invoice_payment";
    const SELECT: &'static str = "select body, revision, sort from invoice_payment \
        where merchant = $1 and livemode = $2 and id = $3";
    const INSERT: &'static str = "";
    const UPDATE: &'static str = "";
    fn key(&self) -> &str {
        match self {
            Self::Intent(own) => own.id.as_str(),
            Self::Record(own) => own.id.as_str(),
        }
    }
    fn columns(&self) -> Vec<Column> {
        Vec::new()
    }
}
document!(
    CreditNote,
    "credit_note",
    "credit_note",
    ", customer, invoice, number",
    ", $6, $7, $8",
    ", customer = $6, invoice = $7, number = $8",
    |n| vec![
        Column::text(&n.customer),
        Column::text(&n.invoice),
        Column::text(&n.number),
    ]
);
document!(
    Refund,
    "refund",
    "refund",
    ", customer, payment_intent, invoice, asked_at, test_clock, clock_due_at, shard",
    ", $6, $7, $8, $9, $10, $11, $12",
    ", customer = $6, payment_intent = $7, invoice = $8, asked_at = $9, test_clock = $10, \
     clock_due_at = $11, shard = $12",
    |r| {
        let [real, clock, clocked] = due::moments(r.test_clock.as_ref(), r.ask_at);
        vec![
            Column::text(&r.customer),
            Column::text(&r.payment_intent),
            Column::text_or_null(r.invoice.as_ref()),
            real,
            clock,
            clocked,
            Column::shard(Some(&r.customer)),
        ]
    }
);
document!(
    PortalConfiguration,
    "billing_portal.configuration",
    "portal_configuration",
    ", active, is_default",
    ", $6, $7",
    ", active = $6, is_default = $7",
    |p| vec![
        Column::Number(Some(i64::from(p.active))),
        Column::Number(Some(i64::from(p.is_default)))
    ]
);
document!(
    PortalSession,
    "billing_portal.session",
    "portal_session",
    ", customer, configuration",
    ", $6, $7",
    ", customer = $6, configuration = $7",
    |p| vec![Column::text(&p.customer), Column::text(&p.configuration)]
);
document!(
    Quote,
    "quote",
    "quote",
    ", subscription, expires_at",
    ", $6, $7",
    ", subscription = $6, expires_at = $7",
    |q| vec![
        Column::text(&q.subscription),
        Column::Number(Some(q.expires_at.0))
    ]
);

document!(
    TestClock,
    "test_helpers.test_clock",
    "test_clock",
    ", due_at",
    ", $6",
    ", due_at = $6",
    |t| vec![Column::Number(Some(t.due_at().0))]
);

/// Test clocks.
pub const TEST_CLOCKS: ListSql = list_sql!("test_clock", "");
/// Test clocks of all merchants that a worker has to look after (`$1` now, `$2` limit): scope and
/// id only.
pub const TEST_CLOCKS_DUE: &str = "select merchant, livemode, id, due_at from test_clock \
    where due_at <= $1 order by due_at limit $2";
/// How many test clocks need a worker by `$1` (counting to `$2`), since when the first does, and when the
/// next one will.
pub const TEST_CLOCKS_LAG: &str = "select count(*) as n, min(due_at) as due_at, \
    (select min(due_at) from test_clock where due_at > $1) as next_at from (select due_at from test_clock \
    where due_at <= $1 order by due_at limit cast($2 as bigint)) as due";
/// The next moment at which a worker has to look after a test clock.
pub const TEST_CLOCKS_NEXT_DUE: &str = "select min(due_at) as due_at from test_clock";
/// Customers of a test clock (`$5`), not deleted.
pub const CUSTOMERS_BY_TEST_CLOCK: ListSql =
    list_sql!("customer", " and test_clock = $5 and deleted = 0");
/// Customers, not deleted.
pub const CUSTOMERS: ListSql = list_sql!("customer", " and deleted = 0");
/// Customers by e-mail (`$5`), not deleted.
pub const CUSTOMERS_BY_EMAIL: ListSql = list_sql!("customer", " and email = $5 and deleted = 0");
/// Products.
pub const PRODUCTS: ListSql = list_sql!("product", "");
/// Products by `active` (`$5`).
pub const PRODUCTS_BY_ACTIVE: ListSql = list_sql!("product", " and active = $5");
/// Prices by product (`$5`, or '' for all) and `active` (`$6`, or -1 for both).
pub const PRICES: ListSql = list_sql!(
    "price",
    " and ($5 = '' or product = $5) and ($6 = -1 or active = $6)"
);
/// Coupons.
pub const COUPONS: ListSql = list_sql!("coupon", "");
/// Tax rates.
pub const TAX_RATES: ListSql = list_sql!("tax_rate", "");
/// Subscriptions of a customer (`$5`), ended ones too.
pub const SUBSCRIPTIONS_BY_CUSTOMER: ListSql = list_sql!("subscription", " and customer = $5");
/// Subscriptions that have not ended.
pub const SUBSCRIPTIONS_LIVE: ListSql = list_sql!(
    "subscription",
    " and status not in ('canceled', 'incomplete_expired')"
);
/// Subscriptions of a customer (`$5`) that have not ended.
pub const SUBSCRIPTIONS_LIVE_BY_CUSTOMER: ListSql = list_sql!(
    "subscription",
    " and customer = $5 and status not in ('canceled', 'incomplete_expired')"
);
/// All subscriptions.
pub const SUBSCRIPTIONS: ListSql = list_sql!("subscription", "");
/// Subscriptions by status (`$5`).
pub const SUBSCRIPTIONS_BY_STATUS: ListSql = list_sql!("subscription", " and status = $5");
/// Subscriptions of a customer (`$5`) by status (`$6`).
pub const SUBSCRIPTIONS_BY_CUSTOMER_STATUS: ListSql =
    list_sql!("subscription", " and customer = $5 and status = $6");
/// All invoices.
pub const INVOICES: ListSql = list_sql!("invoice", "");
/// Invoices of a customer (`$5`).
pub const PAYMENT_METHODS_BY_TOKEN: ListSql =
    list_sql!("payment_method", " and gateway_token = $5");
/// Of a customer.
pub const INVOICES_BY_CUSTOMER: ListSql = list_sql!("invoice", " and customer = $5");
/// Invoices of a customer (`$5`) that are no drafts: what the customer sees.
pub const INVOICES_BY_CUSTOMER_FINAL: ListSql =
    list_sql!("invoice", " and customer = $5 and status <> 'draft'");
/// Invoices of a subscription (`$5`).
pub const INVOICES_BY_SUBSCRIPTION: ListSql = list_sql!("invoice", " and subscription = $5");
/// Invoices by status (`$5`).
pub const INVOICES_BY_STATUS: ListSql = list_sql!("invoice", " and status = $5");
/// Invoices of a customer (`$5`) by status (`$6`).
pub const INVOICES_BY_CUSTOMER_STATUS: ListSql =
    list_sql!("invoice", " and customer = $5 and status = $6");
/// Payment methods of a customer (`$5`).
pub const PAYMENT_METHODS_BY_CUSTOMER: ListSql = list_sql!("payment_method", " and customer = $5");
/// Setup intents.
pub const SETUP_INTENTS: ListSql = list_sql!("setup_intent", "");
/// Setup intents of a customer (`$5`).
pub const SETUP_INTENTS_BY_CUSTOMER: ListSql = list_sql!("setup_intent", " and customer = $5");
/// Payment intents of an invoice (`$5`).
pub const PAYMENT_INTENTS_BY_INVOICE: ListSql = list_sql!("payment_intent", " and invoice = $5");
/// Balance transactions of a customer (`$5`).
pub const BALANCE_TRANSACTIONS: ListSql = list_sql!("balance_transaction", " and customer = $5");
/// Portal configurations.
pub const PORTAL_CONFIGURATIONS: ListSql = list_sql!("portal_configuration", "");

/// A customer's amounts that wait for the next invoice (`$3` customer), oldest first.
pub const INVOICE_ITEMS_PENDING: &str = "select body, revision, sort from invoice_item \
    where merchant = $1 and livemode = $2 and customer = $3 and invoice is null order by sort limit 250";
/// The credit notes of an invoice (`$3`), oldest first.
pub const CREDIT_NOTES_OF_INVOICE: &str = "select body, revision, sort from credit_note \
    where merchant = $1 and livemode = $2 and invoice = $3 order by sort limit 250";
/// Refunds of an invoice's payments (`$3`), oldest first.
pub const REFUNDS_OF_INVOICE: &str = "select body, revision, sort from refund \
    where merchant = $1 and livemode = $2 and invoice = $3 order by sort limit 250";
/// Refunds of a payment (`$3`) that are of no invoice, newest first.
pub const REFUNDS_BESIDE: &str = "select body, revision, sort from refund \
    where merchant = $1 and livemode = $2 and payment_intent = $3 and invoice is null \
    order by sort desc limit 250";
/// The default portal configuration.
pub const PORTAL_CONFIGURATION_DEFAULT: &str = "select body, revision, sort from portal_configuration \
    where merchant = $1 and livemode = $2 and is_default = 1";
/// Prices of up to ten products (`$3` to `$12`), oldest first; unused places are ''.
pub const PRICES_OF_PRODUCTS: &str = "select body, revision, sort from price \
    where merchant = $1 and livemode = $2 and product in ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
    and active = 1 order by sort limit 400";
/// How many products [`PRODUCTS_BY_IDS`] names.
pub const FEW_PRODUCTS_MAX: usize = 10;
/// Up to ten products (`$3` to `$12`); unused places are ''.
pub const PRODUCTS_BY_IDS: &str = "select body, revision, sort from product \
    where merchant = $1 and livemode = $2 and id in ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
/// How many products [`MANY_PRODUCTS_BY_IDS`] names.
pub const PRODUCTS_BY_IDS_MAX: usize = 40;
/// Up to forty products (`$3` to `$42`); unused places are ''.
pub const MANY_PRODUCTS_BY_IDS: &str = "select body, revision, sort from product \
    where merchant = $1 and livemode = $2 and id in ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
    $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, \
    $35, $36, $37, $38, $39, $40, $41, $42)";
/// A price by its lookup key (`$3`).
pub const PRICE_BY_LOOKUP_KEY: &str = "select body, revision, sort from price \
    where merchant = $1 and livemode = $2 and lookup_key = $3";
/// Customers' amounts that wait for an invoice, of up to [`FEW_CUSTOMERS_MAX`] customers (`$3` …);
/// `{}` stands for their places, and unused ones are ''. At most [`MANY_ITEMS_MAX`] rows.
pub const INVOICE_ITEMS_PENDING_MANY: &str = "select body, revision, sort from invoice_item \
    where merchant = $1 and livemode = $2 and customer in ({}) and invoice is null \
    order by customer, sort limit 2000";
/// How many customers [`INVOICE_ITEMS_PENDING_MANY`] names.
pub const FEW_CUSTOMERS_MAX: usize = 64;
/// The most rows of [`INVOICE_ITEMS_PENDING_MANY`].
pub const MANY_ITEMS_MAX: usize = 2_000;
/// Active alerts of a meter (`$3`), at most a hundred.
pub const ALERTS_OF_METER: &str = "select body, revision, sort from billing_alert \
    where merchant = $1 and livemode = $2 and meter = $3 and status = 'active' order by sort limit 100";
/// Up to twenty prices (`$3` to `$22`); unused places are ''.
pub const PRICES_BY_IDS: &str = "select body, revision, sort from price \
    where merchant = $1 and livemode = $2 and id in ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
    $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";
/// Up to twenty tax rates (`$3` to `$22`); unused places are ''.
pub const TAX_RATES_BY_IDS: &str = "select body, revision, sort from tax_rate \
    where merchant = $1 and livemode = $2 and id in ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
    $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";
/// Up to twenty coupons (`$3` to `$22`); unused places are ''.
pub const COUPONS_BY_IDS: &str = "select body, revision, sort from coupon \
    where merchant = $1 and livemode = $2 and id in ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
    $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";
/// Up to twenty promotion codes (`$3` to `$22`); unused places are ''.
pub const PROMOTION_CODES_BY_IDS: &str = "select body, revision, sort from promotion_code \
    where merchant = $1 and livemode = $2 and id in ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
    $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";
/// The active promotion codes that read `$3` (folded): for a customer (`$4`) or for everybody.
pub const PROMOTION_CODES_BY_CODE: &str = "select body, revision, sort from promotion_code \
    where merchant = $1 and livemode = $2 and code = $3 and active = 1 and owner in ('', $4) \
    order by owner desc limit 2";
/// Whether a customer (`$3`) has ever paid: any invoice with money on it.
pub const INVOICES_PAID_BY_CUSTOMER: &str = "select body, revision, sort from invoice \
    where merchant = $1 and livemode = $2 and customer = $3 and status = 'paid' \
    order by sort limit 20";
/// Forgets quotes that ended before `$1`, of all merchants.
pub const QUOTES_PRUNE: &str = "delete from quote where expires_at < $1";
