//! A small business to test with.

use std::collections::BTreeMap;
use std::sync::Arc;

use perennial::calendar::{Cadence, Civil, Timestamp};
use perennial::catalog::{Price, Product, Recurring, TaxBehavior, UsageType};
use perennial::currency::Currency;
use perennial::customer::Customer;
use perennial::decimal::Decimal12;
use perennial::id::{
    CustomerId, InvoiceId, PaymentIntentId, PaymentMethodId, PriceId, ProductId, SubscriptionId,
};
use perennial::invoice::Invoice;
use perennial::metadata::Metadata;
use perennial::payment::{BillingDetails, PaymentMethod};
use perennial::pricing::Pricing;
use perennial::subscription::{Status, Subscription};

use crate::clock::{Ids, MovingClock, SeededEntropy};
use crate::gateway::sandbox::{Sandbox, from_test_name};
use crate::gateway::{ChallengeAnswer, Gateway};
use crate::service::balance::BalanceTransaction;
use crate::service::payments::PaymentResult;
use crate::service::subscriptions::{NewItem, NewSubscription};
use crate::service::{Engine, Refused};
use crate::store::document::{self, Column, PageRequest, Stored};
use crate::store::{Scope, Store, event, nouns, tests};

/// 2026-01-31 10:00:00 UTC: the last day of a long month.
pub(crate) const START: Timestamp = Timestamp(1_769_853_600);

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<MovingClock>,
    pub(crate) bank: Sandbox,
    pub(crate) scope: Scope,
    product: ProductId,
}

pub(crate) fn at(year: i64, month: u8, day: u8) -> Timestamp {
    Civil {
        year,
        month,
        day,
        hour: 10,
        minute: 0,
        second: 0,
    }
    .timestamp()
    .unwrap()
}

/// So many seconds later.
pub(crate) fn after(moment: Timestamp, seconds: i64) -> Timestamp {
    moment.add_seconds(seconds).unwrap()
}

impl World {
    pub(crate) async fn new(store: Store) -> Self {
        Self::seeded(store, 7).await
    }

    pub(crate) async fn seeded(store: Store, seed: u128) -> Self {
        let scope = tests::scope(&store).await;
        let clock = MovingClock::new(START);
        let entropy = SeededEntropy::new(seed);
        let bank = Sandbox::new(store.clone(), clock.clone(), entropy.clone(), [7; 32]);
        let gateway: Arc<dyn Gateway> = Arc::new(bank.clone());
        let engine = Engine::new(store, gateway, clock.clone(), entropy);
        let product = Product {
            id: ProductId::new(&mut engine.ids()),
            name: "Pro".to_owned(),
            description: None,
            active: true,
            unit_label: Some("seat".to_owned()),
            marketing_features: Vec::new(),
            default_price: None,
            tax_code: None,
            url: None,
            metadata: Metadata::default(),
            created: START,
            updated: START,
        };
        let world = Self {
            engine,
            clock,
            bank,
            scope,
            product: product.id.clone(),
        };
        world.insert(product).await;
        world
    }

    /// A world with one customer, who pays 2,000 a month with one of Stripe's test cards.
    pub(crate) async fn with_one(store: Store, card: &str) -> (Self, CustomerId, SubscriptionId) {
        let world = Self::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.customer_with(card).await;
        let id = world.subscribe(&customer, &price).await;
        (world, customer, id)
    }

    pub(crate) async fn insert<T: document::Document>(&self, value: T) -> Stored<T> {
        let mut tx = self.engine.store.begin().await.unwrap();
        let store = &self.engine.store;
        let now = self.engine.now();
        let row = document::insert(store, tx.connection(), &self.scope, value, now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        row
    }

    pub(crate) async fn update<T: document::Document>(&self, row: &mut Stored<T>) {
        let mut tx = self.engine.store.begin().await.unwrap();
        document::update(tx.connection(), &self.scope, row)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn price(&self, minor: i64, cadence: Cadence) -> Price {
        self.price_in(minor, cadence, Currency::USD, UsageType::Licensed)
            .await
    }

    pub(crate) async fn price_in(
        &self,
        minor: i64,
        cadence: Cadence,
        currency: Currency,
        usage_type: UsageType,
    ) -> Price {
        let price = Price {
            id: PriceId::new(&mut self.engine.ids()),
            product: self.product.clone(),
            product_name: "Pro".to_owned(),
            active: true,
            currency,
            nickname: None,
            lookup_key: None,
            recurring: Some(Recurring {
                cadence,
                usage_type,
                meter: None,
                trial_period_days: None,
            }),
            pricing: Pricing::per_unit(Decimal12::from_integer(minor)),
            tax_behavior: TaxBehavior::Exclusive,
            inline: false,
            metadata: Metadata::default(),
            created: self.engine.now(),
        };
        self.insert(price).await.value
    }

    /// A customer without anything to pay with.
    pub(crate) async fn customer(&self) -> CustomerId {
        let mut customer = tests::customer("Ada");
        customer.id = CustomerId::new(&mut self.engine.ids());
        customer.invoice_prefix = customer.id.as_str()[18..].to_uppercase();
        customer.created = self.engine.now();
        self.insert(customer).await.value.id
    }

    /// A customer who pays with one of Stripe's test cards.
    pub(crate) async fn customer_with(&self, card: &str) -> CustomerId {
        let customer = self.customer().await;
        self.card(&customer, card).await;
        customer
    }

    /// Gives a customer a new default card.
    pub(crate) async fn card(&self, customer: &CustomerId, card: &str) -> PaymentMethodId {
        let details = from_test_name(card, self.engine.now()).unwrap();
        let kept = self.bank.tokenize(&self.scope, details).await.unwrap();
        let method = PaymentMethod {
            id: PaymentMethodId::new(&mut Ids(&*self.engine.entropy)),
            customer: Some(customer.clone()),
            card: kept.card,
            billing_details: BillingDetails::default(),
            gateway_token: kept.token,
            refused: None,
            metadata: Metadata::default(),
            created: self.engine.now(),
        };
        let id = self.insert(method).await.value.id;
        let mut row = self.find_customer(customer).await;
        row.default_payment_method = Some(id.clone());
        self.update(&mut row).await;
        id
    }

    pub(crate) async fn find_customer(&self, id: &CustomerId) -> Stored<Customer> {
        self.engine.find(&self.scope, id.as_str()).await.unwrap()
    }

    pub(crate) async fn find_subscription(&self, id: &SubscriptionId) -> Stored<Subscription> {
        self.engine.find(&self.scope, id.as_str()).await.unwrap()
    }

    pub(crate) async fn find_invoice(&self, id: &InvoiceId) -> Stored<Invoice> {
        self.engine.find(&self.scope, id.as_str()).await.unwrap()
    }

    /// The newest invoice of a subscription.
    pub(crate) async fn latest(&self, id: &SubscriptionId) -> Stored<Invoice> {
        let subscription = self.find_subscription(id).await;
        self.find_invoice(subscription.latest_invoice.as_ref().unwrap())
            .await
    }

    pub(crate) async fn status(&self, id: &SubscriptionId) -> Status {
        self.find_subscription(id).await.status
    }

    /// Starts a subscription.
    pub(crate) async fn create(
        &self,
        new: NewSubscription,
    ) -> Result<Stored<Subscription>, Refused> {
        self.engine.create_subscription(&self.scope, new).await
    }

    /// Pays an invoice for a customer who is here.
    pub(crate) async fn pay(
        &self,
        invoice: &InvoiceId,
        method: Option<PaymentMethodId>,
    ) -> Result<PaymentResult, Refused> {
        let (engine, scope) = (&self.engine, &self.scope);
        engine.pay_invoice(scope, invoice, method, true).await
    }

    /// The customer proves to the bank who they are.
    pub(crate) async fn approve(&self, challenge_url: &str) {
        let (gateway, approved) = (&self.engine.gateway, ChallengeAnswer::Approved);
        let answered = gateway.answer_challenge(&self.scope, challenge_url, approved);
        answered.await.unwrap();
    }

    /// The customer comes back from the bank.
    pub(crate) async fn finish(&self, id: &PaymentIntentId) -> Result<PaymentResult, Refused> {
        self.engine.finish_payment(&self.scope, id).await
    }

    /// One of a price, for a customer.
    pub(crate) async fn subscribe(&self, customer: &CustomerId, price: &Price) -> SubscriptionId {
        let items = vec![NewItem::new(price.id.clone(), 1)];
        let made = self.create(NewSubscription::new(customer.clone(), items));
        made.await.unwrap().value.id
    }

    /// One of a price for a customer, free until `end`.
    pub(crate) async fn trial(
        &self,
        customer: &CustomerId,
        price: &Price,
        end: Timestamp,
    ) -> SubscriptionId {
        let new = NewSubscription {
            trial_end: Some(end),
            ..NewSubscription::new(customer.clone(), vec![NewItem::new(price.id.clone(), 1)])
        };
        self.create(new).await.unwrap().value.id
    }

    /// All invoices of a customer, oldest first.
    pub(crate) async fn invoices(&self, customer: &CustomerId) -> Vec<Stored<Invoice>> {
        let mut rows = self.all(nouns::INVOICES_BY_CUSTOMER, customer).await;
        rows.reverse();
        rows
    }

    /// The ledger of a customer's balance, oldest first.
    pub(crate) async fn ledger(&self, customer: &CustomerId) -> Vec<BalanceTransaction> {
        let rows: Vec<Stored<BalanceTransaction>> =
            self.all(nouns::BALANCE_TRANSACTIONS, customer).await;
        rows.into_iter().rev().map(|row| row.value).collect()
    }

    async fn all<T: document::Document>(
        &self,
        sql: document::ListSql,
        customer: &CustomerId,
    ) -> Vec<Stored<T>> {
        let mut connection = self.engine.store.read().await.unwrap();
        let mut page = PageRequest::first(100);
        let mut rows = Vec::new();
        loop {
            let filter = [Column::text(customer)];
            let part: document::Page<T> =
                document::list(&mut connection, &self.scope, sql, &page, &filter)
                    .await
                    .unwrap();
            page.starting_after = part.rows.last().map(|row| row.key().to_owned());
            rows.extend(part.rows);
            if !part.has_more {
                return rows;
            }
        }
    }

    /// The kinds of the events so far, oldest first.
    pub(crate) async fn events(&self) -> Vec<String> {
        let mut connection = self.engine.store.read().await.unwrap();
        let page = PageRequest::first(100);
        let all = event::Filter {
            kinds: Vec::new(),
            from: 0,
            until: i64::MAX,
        };
        let (events, _) = event::search(&mut connection, &self.scope, &page, &all)
            .await
            .unwrap();
        events.into_iter().rev().map(|event| event.kind).collect()
    }

    /// Does what is due now, until nothing is.
    pub(crate) async fn sweep(&self) {
        while self.engine.run_due(self.engine.now(), 100).await.unwrap() > 0 {}
    }

    /// Lives on until `end`, doing everything in its moment.
    pub(crate) async fn live_until(&self, end: Timestamp) {
        loop {
            self.sweep().await;
            match self.engine.next_due_at().await.unwrap() {
                Some(next) if next <= end && next > self.engine.now() => {
                    self.clock.advance_to(next);
                }
                _ => break,
            }
        }
        self.clock.advance_to(end);
        self.sweep().await;
    }

    /// How often the bank was asked for money, whatever it said.
    pub(crate) async fn asked(&self) -> i64 {
        self.attempts("").await
    }

    /// How often the bank has taken money.
    pub(crate) async fn charges(&self) -> i64 {
        self.attempts(" and status = 'succeeded'").await
    }

    async fn attempts(&self, which: &str) -> i64 {
        let sql = format!(
            "select count(*) as n from sandbox_attempt where merchant = $1 and kind = 'charge'{which}"
        );
        let mut connection = self.engine.store.read().await.unwrap();
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(self.scope.merchant.as_str())
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        sqlx::Row::get(&row, "n")
    }

    /// What the bank has taken, by the invoice that it was told.
    pub(crate) async fn charged(&self) -> BTreeMap<String, Vec<i64>> {
        let sql = "select amount_minor, metadata from sandbox_attempt where merchant = $1 \
                   and kind = 'charge' and status = 'succeeded'";
        let mut connection = self.engine.store.read().await.unwrap();
        let rows = sqlx::query(sql)
            .bind(self.scope.merchant.as_str())
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        let mut charged: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for row in &rows {
            let metadata: String = sqlx::Row::get(row, "metadata");
            let metadata: BTreeMap<String, String> = serde_json::from_str(&metadata).unwrap();
            let invoice = metadata.get("invoice").unwrap().clone();
            charged
                .entry(invoice)
                .or_default()
                .push(sqlx::Row::get(row, "amount_minor"));
        }
        charged
    }
}
