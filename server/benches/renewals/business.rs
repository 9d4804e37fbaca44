//! A business whose subscriptions are all due.

use std::sync::Arc;

use perennial::calendar::{Cadence, Timestamp};
use perennial::catalog::{Recurring, TaxBehavior, UsageType};
use perennial::currency::Currency;
use perennial::customer::Customer;
use perennial::decimal::Decimal12;
use perennial::id::{CustomerId, PaymentMethodId, SubscriptionId, SubscriptionItemId};
use perennial::payment::PaymentMethod;
use perennial::pricing::Pricing;
use perennial::subscription::Subscription;
use server::clock::{MovingClock, SystemEntropy};
use server::gateway::sandbox::{Sandbox, from_test_name};
use server::service::Engine;
use server::service::catalog::{NewPrice, NewProduct, PriceProduct};
use server::service::customers::CustomerUpdate;
use server::service::subscriptions::{NewItem, NewSubscription};
use server::store::document::Stored;
use server::store::writes::Writes;
use server::store::{Scope, Store};
use sqlx::Row;

/// 2026-01-15 10:00:00 UTC.
const START: Timestamp = Timestamp(1_768_471_200);
/// 2026-02-15 10:00:00 UTC, when all are due.
const DUE: Timestamp = Timestamp(1_771_149_600);
/// Rows in one transaction while the business is made.
const SEED_ROWS: usize = 1_000;

pub struct Business {
    pub engine: Engine,
    pub scope: Scope,
}

impl Business {
    /// Makes one with so many subscriptions, shared evenly by so many customers.
    pub async fn open(url: &str, subscriptions: usize, customers: usize) -> Self {
        let store = Store::open(url).await.unwrap();
        let clock = MovingClock::new(START);
        let entropy = Arc::new(SystemEntropy);
        let gateway = Sandbox::new(store.clone(), clock.clone(), entropy.clone(), [7; 32]);
        let engine = Engine::new(store, Arc::new(gateway), clock.clone(), entropy);
        let (merchant, _) = engine.create_merchant("Bench").await.unwrap();
        let update = engine.update_merchant(&merchant.id, |own| own.draft_seconds = 0);
        update.await.unwrap();
        let scope = Scope {
            merchant: merchant.id,
            livemode: false,
        };
        let business = Self { engine, scope };
        business.seed(subscriptions, customers).await;
        // What Postgres does by itself within a minute.
        business.engine.store.refresh_statistics().await.unwrap();
        clock.advance_to(DUE);
        business
    }

    /// One is made as any is; the others are copies of it with ids of their own.
    async fn seed(&self, subscriptions: usize, customers: usize) {
        let (engine, scope) = (&self.engine, &self.scope);
        let price = NewPrice {
            product: PriceProduct::New(Box::new(NewProduct {
                name: "Pro".to_owned(),
                ..NewProduct::default()
            })),
            currency: Currency::USD,
            pricing: Pricing::per_unit(Decimal12::from_integer(2_000)),
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
            name: Some(Some("Ada Lovelace".to_owned())),
            email: Some(Some("ada@example.com".to_owned())),
            ..CustomerUpdate::default()
        };
        let customer = engine
            .create_customer(scope, new, Vec::new())
            .await
            .unwrap();
        let details = from_test_name("pm_card_visa", engine.now()).unwrap();
        let billing = perennial::payment::BillingDetails::default();
        let method = engine
            .create_payment_method(scope, details, billing)
            .await
            .unwrap();
        let (id, method_id) = (customer.id.clone(), method.id.clone());
        engine
            .attach_payment_method(scope, &method_id, &id)
            .await
            .unwrap();
        engine
            .set_default_payment_method(scope, &id, &method_id)
            .await
            .unwrap();
        let items = vec![NewItem::new(price.id.clone(), 1)];
        let new = NewSubscription::new(id.clone(), items);
        let subscription = engine.create_subscription(scope, new).await.unwrap();
        let customer: Stored<Customer> = engine.find(scope, id.as_str()).await.unwrap();
        let method: Stored<PaymentMethod> = engine.find(scope, method_id.as_str()).await.unwrap();
        let each = subscriptions.div_ceil(customers);
        let mut writes = Writes::new(scope);
        let mut left = subscriptions.saturating_sub(1);
        let mut own = customer.value.clone();
        let mut with_own = 1;
        while left > 0 {
            if with_own == each {
                own.id = CustomerId::new(&mut engine.ids());
                own.invoice_prefix = own.id.as_str()[16..].to_uppercase();
                let mut card = method.value.clone();
                card.id = PaymentMethodId::new(&mut engine.ids());
                card.customer = Some(own.id.clone());
                own.default_payment_method = Some(card.id.clone());
                writes.insert(&engine.store, own.clone(), START).unwrap();
                writes.insert(&engine.store, card, START).unwrap();
                with_own = 0;
            }
            let mut copy: Subscription = subscription.value.clone();
            copy.id = SubscriptionId::new(&mut engine.ids());
            copy.customer = own.id.clone();
            for item in &mut copy.items {
                item.id = SubscriptionItemId::new(&mut engine.ids());
            }
            writes.insert(&engine.store, copy, START).unwrap();
            with_own += 1;
            left -= 1;
            if left == 0 || writes.len() >= SEED_ROWS {
                let full = std::mem::replace(&mut writes, Writes::new(scope));
                let mut tx = engine.store.begin().await.unwrap();
                full.write(&engine.store, tx.connection()).await.unwrap();
                tx.commit().await.unwrap();
            }
        }
    }

    /// Renews what is due; answers with how many pieces of work that were.
    pub async fn renew(&self) -> usize {
        let mut all = 0;
        loop {
            let done = self.engine.run_due(DUE, u32::MAX).await.unwrap();
            if done == 0 {
                return all;
            }
            all += done;
        }
    }

    /// All were invoiced once more, and all of it was paid.
    pub async fn check(&self, subscriptions: usize) {
        let subscriptions = i64::try_from(subscriptions).unwrap();
        let paid = self.count("invoice where status = 'paid'").await;
        assert_eq!(paid, subscriptions + 1, "invoices paid");
        let charged = self.count("sandbox_attempt where kind = 'charge' and status = 'succeeded'");
        assert_eq!(charged.await, subscriptions + 1, "charges");
        assert_eq!(self.count("work_failure where id <> ''").await, 0);
    }

    async fn count(&self, what: &str) -> i64 {
        let sql = format!("select count(*) as n from {what}");
        let mut read = self.engine.store.read().await.unwrap();
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&mut *read);
        row.await.unwrap().get("n")
    }

    /// The size of the database.
    pub async fn bytes(&self) -> u128 {
        let sql = match self.engine.store.is_sqlite() {
            true => {
                "select page_count * page_size as n from pragma_page_count(), pragma_page_size()"
            }
            false => "select pg_database_size(current_database()) as n",
        };
        let mut read = self.engine.store.read().await.unwrap();
        let n: i64 = sqlx::query(sql)
            .fetch_one(&mut *read)
            .await
            .unwrap()
            .get("n");
        n.try_into().unwrap()
    }

    pub async fn close(&self) {
        self.engine.store.close().await;
    }
}
