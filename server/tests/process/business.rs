//! Subscriptions that all fall due: made before a process starts, so that it finds them.

use perennial::calendar::{Cadence, Timestamp};
use perennial::catalog::{Recurring, TaxBehavior, UsageType};
use perennial::currency::Currency;
use perennial::customer::Customer;
use perennial::decimal::Decimal12;
use perennial::id::{CustomerId, MerchantId, PaymentMethodId, SubscriptionId, SubscriptionItemId};
use perennial::payment::{BillingDetails, PaymentMethod};
use perennial::pricing::Pricing;
use perennial::subscription::Subscription;
use server::gateway::sandbox::from_test_name;
use server::service::Engine;
use server::service::catalog::{NewPrice, NewProduct, PriceProduct};
use server::service::customers::CustomerUpdate;
use server::service::subscriptions::{NewItem, NewSubscription};
use server::serving;
use server::store::document::Stored;
use server::store::writes::Writes;
use server::store::{Scope, Store};
use sqlx::Row as _;

use crate::site::Site;

/// What each pays for a month, in cents.
pub const PRICE_MINOR: i64 = 1_900;
/// So long ago they started, in seconds: 31 days and an hour, so that the first month is over and the
/// second is not.
const AGE_SECONDS: i64 = 31 * 86_400 + 3_600;
/// Rows in one transaction.
const SEED_ROWS: usize = 1_000;

/// Makes so many subscriptions, each of a customer with a good card, whose second month has begun and
/// is not billed. One is made as any is, and paid; the others are copies of it, without its invoice.
pub async fn fall_due(site: &Site, subscriptions: usize) {
    let store = Store::open(&site.database).await.unwrap();
    let (engine, _) = serving::engine(store.clone()).await.unwrap();
    let merchant: String = site.row("select id from merchant").await.get("id");
    let scope = Scope {
        merchant: MerchantId::parse(&merchant).unwrap(),
        livemode: false,
    };
    let update = engine.update_merchant(&scope.merchant, |own| own.draft_seconds = 0);
    update.await.unwrap();
    let began = Timestamp(engine.now().0 - AGE_SECONDS);
    let engine = engine.at(began);
    let first = one(&engine, &scope).await;
    copy(&engine, &scope, first, subscriptions - 1).await;
    store.close().await;
}

async fn one(engine: &Engine, scope: &Scope) -> SubscriptionId {
    let price = NewPrice {
        product: PriceProduct::New(Box::new(NewProduct {
            name: "Pro".to_owned(),
            ..NewProduct::default()
        })),
        currency: Currency::USD,
        pricing: Pricing::per_unit(Decimal12::from_integer(PRICE_MINOR)),
        recurring: Some(Recurring {
            cadence: Cadence::MONTHLY,
            usage_type: UsageType::Licensed,
            meter: None,
            trial_period_days: None,
        }),
        active: None,
        nickname: None,
        lookup_key: None,
        transfer_lookup_key: false,
        tax_behavior: TaxBehavior::Exclusive,
        metadata: None,
    };
    let price = engine.create_price(scope, price).await.unwrap();
    let new = CustomerUpdate {
        email: Some(Some("ada@example.com".to_owned())),
        ..CustomerUpdate::default()
    };
    let customer = engine.create_customer(scope, new, Vec::new()).await;
    let customer = customer.unwrap().id.clone();
    let details = from_test_name("pm_card_visa", engine.now()).unwrap();
    let method = engine
        .create_payment_method(scope, details, BillingDetails::default())
        .await
        .unwrap();
    let method = method.id.clone();
    engine
        .attach_payment_method(scope, &method, &customer)
        .await
        .unwrap();
    engine
        .set_default_payment_method(scope, &customer, &method)
        .await
        .unwrap();
    let items = vec![NewItem::new(price.id.clone(), 1)];
    let new = NewSubscription::new(customer, items);
    let made = engine.create_subscription(scope, new).await.unwrap();
    made.id.clone()
}

async fn copy(engine: &Engine, scope: &Scope, first: SubscriptionId, copies: usize) {
    let own: Stored<Subscription> = engine.find(scope, first.as_str()).await.unwrap();
    let payer: Stored<Customer> = engine.find(scope, own.customer.as_str()).await.unwrap();
    let card = payer.default_payment_method.clone().unwrap();
    let card: Stored<PaymentMethod> = engine.find(scope, card.as_str()).await.unwrap();
    let mut writes = Writes::new(scope);
    for left in (0..copies).rev() {
        let mut customer = payer.value.clone();
        customer.id = scattered(&CustomerId::new(&mut engine.ids()));
        customer.invoice_prefix = customer.id.as_str()[4..16].to_uppercase();
        customer.next_invoice_sequence = 1;
        customer.email = Some(format!("payer{left}@example.com"));
        let mut method = card.value.clone();
        method.id = PaymentMethodId::new(&mut engine.ids());
        method.customer = Some(customer.id.clone());
        customer.default_payment_method = Some(method.id.clone());
        let mut subscription = own.value.clone();
        subscription.id = SubscriptionId::new(&mut engine.ids());
        subscription.customer = customer.id.clone();
        subscription.latest_invoice = None;
        for item in &mut subscription.items {
            item.id = SubscriptionItemId::new(&mut engine.ids());
        }
        let at = engine.now();
        writes.insert(&engine.store, customer, at).unwrap();
        writes.insert(&engine.store, method, at).unwrap();
        writes.insert(&engine.store, subscription, at).unwrap();
        if left == 0 || writes.len() >= SEED_ROWS {
            let full = std::mem::replace(&mut writes, Writes::new(scope));
            let mut tx = engine.store.begin().await.unwrap();
            full.write(&engine.store, tx.connection()).await.unwrap();
            tx.commit().await.unwrap();
        }
    }
}

/// An id that begins with chance: customers of one moment share a shard, those of a year do not.
fn scattered(id: &CustomerId) -> CustomerId {
    let digits = id.as_str().strip_prefix("cus_").unwrap();
    let turned: String = digits.chars().rev().collect();
    CustomerId::parse(&format!("cus_{turned}")).unwrap()
}

/// Each of so many subscriptions was billed for its second month, once: in the invoices, in the bank's
/// book, and by the audit.
pub async fn assert_all_billed_once(site: &Site, subscriptions: i64) {
    // The first one's first month was billed when it was made.
    assert_eq!(site.count(PAID).await, subscriptions + 1);
    assert_eq!(site.count(CHARGED).await, subscriptions + 1);
    let taken = "select cast(sum(amount_minor) as bigint) as n from sandbox_attempt \
                 where kind = 'charge' and status = 'succeeded'";
    assert_eq!(site.count(taken).await, (subscriptions + 1) * PRICE_MINOR);
    let other = "select count(*) as n from invoice where status <> 'paid'";
    assert_eq!(site.count(other).await, 0);
    let twice = "select count(*) as n from (select subscription from invoice \
                 group by subscription having count(*) > 2) as more";
    assert_eq!(site.count(twice).await, 0);
    let (holds, said) = site.command(&["audit"]);
    assert!(holds, "{said}");
    assert!(said.contains("Money explained: 100 %"), "{said}");
    let aside = "select count(*) as n from work_failure where id <> ''";
    assert_eq!(site.count(aside).await, 0);
}

/// Invoices that are paid.
pub const PAID: &str = "select count(*) as n from invoice where status = 'paid'";
/// Charges that the bank has made.
pub const CHARGED: &str =
    "select count(*) as n from sandbox_attempt where kind = 'charge' and status = 'succeeded'";
/// Attempts of which nobody knows yet what became of them.
pub const OUT: &str = "select count(*) as n from payment_intent where asked_at is not null";
