//! What brings failed money back beside the schedule: a new card, other cards that the customer
//! allowed, and news of cards from the gateway.

use perennial::customer::Customer;
use perennial::id::{CustomerId, InvoiceId, PaymentIntentId, PaymentMethodId};
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::payment::{PaymentIntent, PaymentMethod};
use perennial::subscription::{CollectionMethod, Subscription};

use super::booking::{Booking, Edit};
use super::payments::{PaymentResult, Starter};
use super::{Engine, Refused};
use crate::gateway::CardUpdate;
use crate::store::document::{self, Column, PageRequest, Stored};
use crate::store::failure::{self, Place};
use crate::store::retries;
use crate::store::{Scope, nouns};

/// Invoices of one customer that a new card pays at once.
const OPEN_MAX: u32 = 100;
/// News of cards that one sweep takes.
const UPDATES_MAX: u32 = 100;
/// News of cards that were set aside and that one sweep tries again.
const ASIDE_MAX: i64 = 20;
/// What news of cards are called where they are set aside.
pub(super) const CARD_NEWS: &str = "card_news";

impl Engine {
    /// Lets the worker charge at once what is open and has failed, now that a customer's default
    /// method is another one or (`renewed`) works again. Only what that method pays, and only what
    /// is collected by itself (`auto_advance`). At Stripe a new default waits for the next retry; the
    /// customer who has just brought a card expects to be done.
    ///
    /// It is a decision of its own, after the method was saved: should the process die in between,
    /// the schedule goes on as it was.
    pub(crate) async fn collect_open(
        &self,
        scope: &Scope,
        customer: &CustomerId,
        method: &PaymentMethodId,
        renewed: bool,
    ) -> Result<usize, Refused> {
        self.retrying(|| self.collect_open_once(scope, customer, method, renewed))
            .await
    }

    async fn collect_open_once(
        &self,
        scope: &Scope,
        customer: &CustomerId,
        method: &PaymentMethodId,
        renewed: bool,
    ) -> Result<usize, Refused> {
        let mut connection = self.store.read().await?;
        let owner: Option<Stored<Customer>> =
            document::load(&mut connection, scope, customer.as_str()).await?;
        let page = PageRequest::first(OPEN_MAX);
        let filter = [Column::text(customer), Column::text("open")];
        let sql = nouns::INVOICES_BY_CUSTOMER_STATUS;
        let found: document::Page<Invoice> =
            document::list(&mut connection, scope, sql, &page, &filter).await?;
        let mut rows = found.rows;
        rows.retain(|row| may_collect(row));
        let ids = rows.iter().filter_map(|row| row.subscription.as_ref());
        let ids: Vec<String> = ids.map(ToString::to_string).collect();
        let subscriptions: Vec<Stored<Subscription>> =
            document::load_many(&mut connection, scope, &ids).await?;
        drop(connection);
        let Some(owner) = owner else {
            return Ok(0);
        };
        let pays = |invoice: &Invoice| {
            let id = invoice.subscription.as_ref();
            let own = subscriptions.iter().find(|own| Some(&own.id) == id);
            let own = own.and_then(|own| own.default_payment_method.as_ref());
            let default = owner.default_payment_method.as_ref();
            let paying = invoice.default_payment_method.as_ref().or(own).or(default);
            paying == Some(method)
        };
        rows.retain(|row| pays(row));
        let now = self.now();
        let mut booking = Booking::begin(self, scope).await?;
        let mut brought = 0;
        for row in rows {
            let mut invoice = Edit::of(row);
            let Some(retrying) = &mut invoice.retrying else {
                continue;
            };
            if retrying.method.as_ref() == Some(method) && !renewed {
                continue;
            }
            retrying.idle = false;
            // News of cards come by the world's time, which the customer of a test clock does not
            // share: the moment of the last attempt is past for everybody.
            let at = if renewed { retrying.tried_at } else { now };
            invoice.next_payment_attempt = Some(at);
            booking.save(&mut invoice).await?;
            brought += 1;
        }
        if brought > 0 {
            booking.commit().await?;
        }
        Ok(brought)
    }

    /// After the schedule's own attempt was declined: tries the methods that the customer allowed, in
    /// their order, until one pays. They belong to the same attempt, so they are not counted, and the
    /// schedule goes on as the first decline left it. Each is a charge of its own with a key of its
    /// own, begun only when the one before was refused for good.
    pub(crate) async fn fall_back(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        result: PaymentResult,
    ) -> Result<PaymentResult, Refused> {
        let PaymentResult::Declined { invoice, .. } = &result else {
            return Ok(result);
        };
        if invoice.status != InvoiceStatus::Open || !invoice.auto_advance {
            return Ok(result);
        }
        let tried = invoice.retrying.as_ref();
        let tried = tried.and_then(|retrying| retrying.method.clone());
        let owner: Stored<Customer> = self.find(scope, invoice.customer.as_str()).await?;
        let Some(consent) = owner.value.backup.filter(|_| !owner.value.deleted) else {
            return Ok(result);
        };
        let last = invoice.retrying.as_ref().is_some_and(|own| own.last_chance);
        let mut result = result;
        for method in consent.methods {
            if Some(&method) == tried.as_ref() {
                continue;
            }
            let next = self.pay(scope, id, Some(&method), Starter::Backup).await;
            result = match next {
                // It was removed meanwhile.
                Err(Refused::NotFound { .. }) => continue,
                next => next?,
            };
            if !matches!(result, PaymentResult::Declined { .. }) {
                break;
            }
        }
        if last && matches!(result, PaymentResult::Declined { .. }) {
            Box::pin(self.give_up_at_last(scope, id)).await?;
        }
        Ok(result)
    }

    /// As [`Engine::fall_back`], where finalising found nothing worth charging.
    pub(crate) async fn fall_back_from_nothing(
        &self,
        scope: &Scope,
        id: &InvoiceId,
    ) -> Result<(), Refused> {
        let invoice: Stored<Invoice> = self.find(scope, id.as_str()).await?;
        let Some(decline) = invoice.last_payment_error.clone() else {
            return Ok(());
        };
        let declined = PaymentResult::Declined { invoice, decline };
        self.fall_back(scope, id, declined).await.map(|_| ())
    }

    /// As [`Engine::fall_back`], after an outcome that was committed with others.
    pub(crate) async fn fall_back_after(
        &self,
        scope: &Scope,
        intent: &PaymentIntentId,
    ) -> Result<(), Refused> {
        let intent: Stored<PaymentIntent> = self.find(scope, intent.as_str()).await?;
        let Some(id) = &intent.invoice else {
            return Ok(());
        };
        let invoice: Stored<Invoice> = self.find(scope, id.as_str()).await?;
        let Some(decline) = intent.last_error.clone() else {
            return Ok(());
        };
        let declined = PaymentResult::Declined { invoice, decline };
        self.fall_back(scope, id, declined).await.map(|_| ())
    }

    /// Takes over what the gateway says of cards, for a worker. Applying the same news twice changes
    /// nothing; how far it was read is kept with what it changed. News that can't be applied is set
    /// aside under its number and does not stop what comes after. Answers with how many were taken.
    ///
    /// # Errors
    /// When the database or the gateway is out of reach.
    pub async fn update_cards(&self) -> Result<usize, Refused> {
        let mut connection = self.store.read().await?;
        let name = self.gateway.capabilities().name;
        let read = retries::card_news_read(&mut connection, name).await?;
        let now = self.real_now();
        let aside = failure::ripe(&mut connection, CARD_NEWS, now, ASIDE_MAX).await?;
        drop(connection);
        let mut news = Vec::new();
        for place in aside {
            let Ok(cursor) = place.id.parse::<i64>() else {
                continue;
            };
            news.extend(self.card_news(cursor.saturating_sub(1), 1).await?);
        }
        news.extend(self.card_news(read, UPDATES_MAX).await?);
        if news.is_empty() {
            return Ok(0);
        }
        let (mut looking, mut taken) = (self.looking(CARD_NEWS).await?, 0);
        for (scope, update) in &news {
            let applied = self.retrying(|| self.update_card_once(scope, update)).await;
            let place = Place::new(scope, &update.cursor.to_string());
            match looking.note(place, applied) {
                Ok(done) => taken += usize::from(done),
                Err(error) => {
                    looking.write().await?;
                    return Err(error);
                }
            }
            let mut tx = self.store.begin().await?;
            retries::read_card_news(tx.connection(), name, update.cursor).await?;
            tx.commit().await?;
        }
        looking.write().await?;
        Ok(taken)
    }

    async fn card_news(&self, after: i64, limit: u32) -> Result<Vec<(Scope, CardUpdate)>, Refused> {
        let news = self.gateway.card_updates(after, limit).await;
        news.map_err(|error| Refused::Gateway(error.to_string()))
    }

    async fn update_card_once(&self, scope: &Scope, update: &CardUpdate) -> Result<(), Refused> {
        let mut connection = self.store.read().await?;
        let page = PageRequest::first(PageRequest::LIMIT_MAX);
        let filter = [Column::text(&update.token)];
        let sql = nouns::PAYMENT_METHODS_BY_TOKEN;
        let found: document::Page<PaymentMethod> =
            document::list(&mut connection, scope, sql, &page, &filter).await?;
        drop(connection);
        for row in found.rows {
            let mut method = Edit::of(row);
            if method.card == update.card {
                continue;
            }
            method.card = update.card.clone();
            method.refused = None;
            let mut booking = Booking::begin(self, scope).await?;
            booking.save_quietly(&mut method).await?;
            booking
                .tell("payment_method.automatically_updated", &*method)
                .await?;
            booking.commit().await?;
            if let Some(customer) = &method.customer {
                self.collect_open(scope, customer, &method.id, true).await?;
            }
        }
        Ok(())
    }
}

/// Whether an open invoice has failed and is collected by itself.
fn may_collect(invoice: &Invoice) -> bool {
    invoice.status == InvoiceStatus::Open
        && invoice.auto_advance
        && invoice.collection_method == CollectionMethod::ChargeAutomatically
        && invoice.attempt_count > 0
        && invoice.retrying.is_some()
}
