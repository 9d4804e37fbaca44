//! Customers, as merchants make and change them.

mod balance;
mod checking;
mod paying;
mod prefixes;
mod tax_ids;

use perennial::calendar::Timestamp;
use perennial::customer::{
    Address, BackupConsent, ConsentThrough, Customer, MailPreferences, Shipping, TaxExempt,
};
use perennial::id::{CustomerId, PaymentMethodId, TestClockId};
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::metadata::MetadataChange;
use perennial::payment::PaymentMethod;
use perennial::subscription::Subscription;
use perennial::test_clock::TestClock;
use sqlx::AnyConnection;

use super::booking::{Booking, Edit};
use super::books::stop;
use super::due::invoice_status_name;
use super::find::found;
use super::subscriptions::Cancel;
use super::{Engine, Refused};
use crate::rendering;
use crate::store::document::{self, Column, PageRequest, Stored};
use crate::store::{Scope, nouns};

use super::payment_methods::live_subscriptions;
use checking::edit;
pub(crate) use checking::edit as suppose;
pub(crate) use checking::is_email;
pub use paying::Bringing;
pub use tax_ids::NewTaxId;

/// How often a deletion ends what was subscribed in its midst before it gives up.
const DELETIONS_MAX: usize = 16;

/// What is said of a customer, new or changed; `None` keeps, `Some(None)` takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerUpdate {
    /// On invoices.
    pub name: Option<Option<String>>,
    /// The business's name.
    pub business_name: Option<Option<String>>,
    /// The person's name.
    pub individual_name: Option<Option<String>>,
    /// Where mail goes.
    pub email: Option<Option<String>>,
    /// Phone.
    pub phone: Option<Option<String>>,
    /// The merchant's note.
    pub description: Option<Option<String>>,
    /// The billing address, whole.
    pub address: Option<Option<Address>>,
    /// Where goods go, whole.
    pub shipping: Option<Option<Shipping>>,
    /// Whether tax applies.
    pub tax_exempt: Option<TaxExempt>,
    /// IETF tags, most wanted first.
    pub preferred_locales: Option<Vec<String>>,
    /// Starts the invoice numbers.
    pub invoice_prefix: Option<String>,
    /// The number of the next invoice.
    pub next_invoice_sequence: Option<u32>,
    /// Pays whatever names no method; must be attached to the customer.
    pub default_payment_method: Option<Option<PaymentMethodId>>,
    /// The customer's leave to charge these, in this order, when the first is declined; none of them
    /// takes it back.
    pub backup_payment_methods: Option<Vec<PaymentMethodId>>,
    /// What is owed beside invoices, in minor units; negative is credit. It is kept as an entry of the
    /// balance's ledger: the first of a new customer, or the difference.
    pub balance_minor: Option<i64>,
    /// Free keys.
    pub metadata: Option<MetadataChange>,
}

impl Engine {
    /// Makes a customer.
    ///
    /// # Errors
    /// Names the first field that can't stand.
    pub async fn create_customer(
        &self,
        scope: &Scope,
        new: CustomerUpdate,
        tax_ids: Vec<NewTaxId>,
    ) -> Result<Stored<Customer>, Refused> {
        self.create_customer_following(scope, new, tax_ids, None)
            .await
    }

    /// Makes a customer whose time is a test clock's.
    ///
    /// # Errors
    /// Names the first field that can't stand; the clock when it is not there.
    pub async fn create_customer_following(
        &self,
        scope: &Scope,
        new: CustomerUpdate,
        tax_ids: Vec<NewTaxId>,
        test_clock: Option<TestClockId>,
    ) -> Result<Stored<Customer>, Refused> {
        let now = match &test_clock {
            None => self.now(),
            Some(id) => {
                let clock: Stored<TestClock> =
                    self.find_named(scope, id.as_str(), "test_clock").await?;
                clock.frozen_time
            }
        };
        let mut customer = Customer {
            test_clock,
            ..self.blank_customer(now)
        };
        edit(&mut customer, &new)?;
        for (index, tax) in tax_ids.iter().enumerate() {
            self.add_to(&mut customer, tax)
                .map_err(|refused| match refused {
                    Refused::Invalid {
                        param,
                        code,
                        message,
                    } => Refused::Invalid {
                        param: format!("tax_id_data[{index}][{param}]"),
                        code,
                        message,
                    },
                    other => other,
                })?;
        }
        let (engine, balance) = (&self.at(now), new.balance_minor.unwrap_or_default());
        let (customer, chosen) = (&customer, new.invoice_prefix.is_some());
        engine
            .retrying(|| async move {
                let mut customer = customer.clone();
                match chosen {
                    true => engine.check_prefix_free(scope, &customer).await?,
                    // Another one each time: the one before may have been somebody's.
                    false => customer.invoice_prefix = engine.invoice_prefix(),
                }
                engine.insert_customer(scope, customer, balance).await
            })
            .await
    }

    /// A customer of whom nothing is known.
    pub(super) fn blank_customer(&self, now: Timestamp) -> Customer {
        Customer {
            id: CustomerId::new(&mut self.ids()),
            name: None,
            email: None,
            business_name: None,
            individual_name: None,
            phone: None,
            description: None,
            address: None,
            shipping: None,
            tax_ids: Vec::new(),
            tax_exempt: TaxExempt::None,
            preferred_locales: Vec::new(),
            currency: None,
            balance_minor: 0,
            invoice_prefix: self.invoice_prefix(),
            next_invoice_sequence: 1,
            default_payment_method: None,
            backup: None,
            discount: None,
            delinquent: false,
            mail: MailPreferences::default(),
            metadata: perennial::metadata::Metadata::default(),
            created: now,
            deleted: false,
            test_clock: None,
        }
    }

    /// Changes a customer.
    ///
    /// # Errors
    /// When it is not there or deleted, or names the first field that can't stand.
    pub async fn update_customer(
        &self,
        scope: &Scope,
        id: &CustomerId,
        update: CustomerUpdate,
    ) -> Result<Stored<Customer>, Refused> {
        if let Some(Some(method)) = &update.default_payment_method {
            let param = "invoice_settings[default_payment_method]";
            self.check_attached(scope, id, method, param).await?;
        }
        for method in update.backup_payment_methods.iter().flatten() {
            let param = "invoice_settings[backup_payment_methods]";
            self.check_attached(scope, id, method, param).await?;
        }
        let (show, now) = (rendering::customer, self.now());
        let change = |customer: &mut Customer| {
            not_deleted(customer)?;
            if let Some(methods) = &update.backup_payment_methods {
                customer.backup = (!methods.is_empty()).then(|| BackupConsent {
                    methods: methods.clone(),
                    given_at: now,
                    through: ConsentThrough::Api,
                });
            }
            edit(customer, &update)
        };
        let changed = match (update.balance_minor, &update.invoice_prefix) {
            (balance, prefix) if balance.is_some() || prefix.is_some() => {
                let once = || self.change_with_balance(scope, id, balance, &change);
                self.retrying(once).await?
            }
            _ => {
                self.change(scope, id.as_str(), "customer.updated", show, change)
                    .await?
            }
        };
        if let Some(Some(method)) = &update.default_payment_method {
            self.collect_open(scope, id, method, false).await?;
        }
        Ok(changed)
    }

    async fn check_attached(
        &self,
        scope: &Scope,
        customer: &CustomerId,
        method: &PaymentMethodId,
        param: &'static str,
    ) -> Result<(), Refused> {
        let mut connection = self.store.read().await?;
        let found =
            document::load::<PaymentMethod>(&mut connection, scope, method.as_str()).await?;
        match found {
            Some(found) if found.customer.as_ref() == Some(customer) => Ok(()),
            Some(_) => Err(Refused::invalid(
                param,
                format!(
                    "The customer does not have a payment method with the ID {method}. The \
                     payment method must be attached to the customer."
                ),
            )),
            None => Err(Refused::NotFound {
                kind: "payment_method",
                id: method.to_string(),
                param: Some(param.to_owned()),
            }),
        }
    }

    /// Ends a customer's subscriptions, gives up payments that wait for the customer's proof, and
    /// marks it as deleted: its invoices stay, and it can't be billed or found in lists. If it stops
    /// halfway, deleting again goes on.
    ///
    /// # Errors
    /// When it is not there or was deleted before; [`Refused::Gateway`] when a payment could not be
    /// given up.
    pub async fn delete_customer(&self, scope: &Scope, id: &CustomerId) -> Result<(), Refused> {
        self.living_customer(scope, id).await?;
        // What is subscribed meanwhile is ended as well.
        for _ in 0..DELETIONS_MAX {
            self.end_all(scope, id).await?;
            if self.mark_deleted(scope, id).await? {
                return Ok(());
            }
        }
        Err(Refused::Busy)
    }

    /// Ends a customer's subscriptions and gives up payments that wait.
    async fn end_all(&self, scope: &Scope, id: &CustomerId) -> Result<(), Refused> {
        loop {
            let own = self.live_subscriptions(scope, id).await?;
            for subscription in &own {
                let cancelled = self
                    .cancel_subscription(scope, &subscription.value.id, Cancel::default())
                    .await;
                match cancelled {
                    // Somebody else ended it meanwhile.
                    Err(Refused::NotFound { .. }) | Ok(_) => {}
                    Err(refused) => return Err(refused),
                }
            }
            if own.is_empty() {
                break;
            }
        }
        let unpaid = [
            InvoiceStatus::Draft,
            InvoiceStatus::Open,
            InvoiceStatus::Uncollectible,
        ];
        for status in unpaid {
            self.let_rest(scope, id, status).await?;
        }
        Ok(())
    }

    /// Stops invoices from moving by themselves.
    async fn stop_all(&self, scope: &Scope, rows: &[Stored<Invoice>]) -> Result<(), Refused> {
        let moving = rows.iter().filter(|row| row.auto_advance);
        let ids: Vec<String> = moving.map(|row| row.id.to_string()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        self.retrying(|| async {
            let mut connection = self.store.read().await?;
            let rows: Vec<Stored<Invoice>> =
                document::load_many(&mut connection, scope, &ids).await?;
            drop(connection);
            let mut booking = Booking::begin(self, scope).await?;
            for row in rows {
                let mut invoice = Edit::of(row);
                if matches!(invoice.status, InvoiceStatus::Draft | InvoiceStatus::Open) {
                    stop(&mut invoice);
                    booking.save(&mut invoice).await?;
                }
            }
            booking.commit().await
        })
        .await
    }

    /// Whoever has left is charged nothing any more, not for a draft that waits nor by a retry: stops
    /// the customer's invoices in a status and gives up what is out on them, page by page.
    async fn let_rest(
        &self,
        scope: &Scope,
        id: &CustomerId,
        status: InvoiceStatus,
    ) -> Result<(), Refused> {
        let sql = nouns::INVOICES_BY_CUSTOMER_STATUS;
        let filter = [Column::text(id), Column::text(invoice_status_name(status))];
        let mut page = PageRequest::first(PageRequest::LIMIT_MAX);
        loop {
            let mut connection = self.store.read().await?;
            let found: document::Page<Invoice> =
                document::list(&mut connection, scope, sql, &page, &filter).await?;
            drop(connection);
            self.stop_all(scope, &found.rows).await?;
            self.give_up_payments(scope, &found.rows).await?;
            let last = found.rows.last().map(|row| row.id.to_string());
            match last.filter(|_| found.has_more) {
                Some(last) => page.starting_after = Some(last),
                None => return Ok(()),
            }
        }
    }

    async fn live_subscriptions(
        &self,
        scope: &Scope,
        id: &CustomerId,
    ) -> Result<Vec<Stored<Subscription>>, Refused> {
        let mut connection = self.store.read().await?;
        live_subscriptions(&mut connection, scope, id).await
    }

    /// Marks a customer as deleted, unless it has a live subscription (`false`). Whoever starts one
    /// writes the customer too, so that of the two at the same moment one decides again.
    async fn mark_deleted(&self, scope: &Scope, id: &CustomerId) -> Result<bool, Refused> {
        self.retrying(|| async move {
            let mut tx = self.store.begin().await?;
            let connection = tx.connection();
            let mut stored = living(connection, scope, id).await?;
            if !live_subscriptions(connection, scope, id).await?.is_empty() {
                return Ok(false);
            }
            let shown = rendering::customer(&stored.value, scope.livemode);
            stored.value.deleted = true;
            document::update(connection, scope, &mut stored).await?;
            self.emit(connection, scope, "customer.deleted", shown, None)
                .await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// A customer that is there and not deleted.
    ///
    /// # Errors
    /// When it is not.
    pub async fn living_customer(
        &self,
        scope: &Scope,
        id: &CustomerId,
    ) -> Result<Stored<Customer>, Refused> {
        let stored = self.find::<Customer>(scope, id.as_str()).await?;
        not_deleted(&stored.value)?;
        Ok(stored)
    }
}

/// A customer that is there and not deleted, within a transaction.
async fn living(
    connection: &mut AnyConnection,
    scope: &Scope,
    id: &CustomerId,
) -> Result<Stored<Customer>, Refused> {
    let stored: Stored<Customer> = found(connection, scope, id.as_str()).await?;
    not_deleted(&stored.value)?;
    Ok(stored)
}

fn not_deleted(customer: &Customer) -> Result<(), Refused> {
    if customer.deleted {
        return Err(Refused::not_found("customer", customer.id.as_str()));
    }
    Ok(())
}
