//! Items of subscriptions by themselves. Each act on one is an update of its subscription.

use perennial::id::{SubscriptionId, SubscriptionItemId};
use perennial::subscription::{Item, ProrationBehavior, Subscription};

use super::subscriptions::PaymentBehavior;
use super::updates::{SubscriptionUpdate, UpdateItem};
use super::{Engine, Refused};
use crate::store::document::{self, Column, Stored};
use crate::store::ledger::{STEP_ROWS, SUBSCRIPTIONS_AFTER};
use crate::store::writes::Writes;
use crate::store::{Scope, narrowing, subscription_item};

const KIND: &str = "subscription_item";

/// How an act on an item is billed.
#[derive(Clone, Debug, Default)]
pub struct ItemTerms {
    /// How the difference is billed.
    pub proration_behavior: ProrationBehavior,
    /// The moment to prorate to; now if absent.
    pub proration_date: Option<perennial::calendar::Timestamp>,
    /// What happens when a payment is needed and does not succeed.
    pub payment_behavior: PaymentBehavior,
    /// Whether the customer is here to answer a challenge.
    pub on_session: bool,
}

impl ItemTerms {
    fn update(self, item: UpdateItem) -> SubscriptionUpdate {
        SubscriptionUpdate {
            items: vec![item],
            proration_behavior: self.proration_behavior,
            proration_date: self.proration_date,
            payment_behavior: self.payment_behavior,
            on_session: self.on_session,
            ..SubscriptionUpdate::default()
        }
    }
}

impl Engine {
    /// An item with its subscription. A change that waits for its payment is not there yet.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is none, or it has been taken away.
    pub async fn subscription_item(
        &self,
        scope: &Scope,
        id: &SubscriptionItemId,
    ) -> Result<(Stored<Subscription>, Item), Refused> {
        let owner = self.subscription_of(scope, id).await?;
        let subscription: Stored<Subscription> = self.find(scope, owner.as_str()).await?;
        let item = subscription.items.iter().find(|item| item.id == *id);
        let item = item.cloned();
        let item = item.ok_or_else(|| Refused::not_found(KIND, id.as_str()))?;
        Ok((subscription, item))
    }

    async fn subscription_of(
        &self,
        scope: &Scope,
        id: &SubscriptionItemId,
    ) -> Result<SubscriptionId, Refused> {
        let found = {
            let mut read = self.store.read().await?;
            subscription_item::OWNERS
                .owner_of(&mut read, scope, id.as_str())
                .await?
        };
        let owner = found.and_then(|text| SubscriptionId::parse(&text).ok());
        owner.ok_or_else(|| Refused::not_found(KIND, id.as_str()))
    }

    /// Adds an item. Where that waits for its payment, the item that will be is answered.
    ///
    /// # Errors
    /// As [`Engine::update_subscription`].
    pub async fn add_subscription_item(
        &self,
        scope: &Scope,
        subscription: &SubscriptionId,
        item: UpdateItem,
        terms: ItemTerms,
    ) -> Result<(Stored<Subscription>, Item), Refused> {
        let id = SubscriptionItemId::new(&mut self.ids());
        let item = UpdateItem {
            new_id: Some(id.clone()),
            ..item
        };
        self.update_item(scope, subscription, &id, terms.update(item))
            .await
    }

    /// Changes an item.
    ///
    /// # Errors
    /// As [`Engine::update_subscription`]; [`Refused::NotFound`] when there is no such item.
    pub async fn change_subscription_item(
        &self,
        scope: &Scope,
        id: &SubscriptionItemId,
        item: UpdateItem,
        terms: ItemTerms,
    ) -> Result<(Stored<Subscription>, Item), Refused> {
        let (subscription, _) = self.subscription_item(scope, id).await?;
        let item = UpdateItem {
            id: Some(id.clone()),
            ..item
        };
        self.update_item(scope, &subscription.id, id, terms.update(item))
            .await
    }

    /// Takes an item away. What a metered one used until now is billed with the next invoice, unless
    /// `clear_usage` says that it is not to be.
    ///
    /// # Errors
    /// As [`Engine::update_subscription`]; [`Refused::NotFound`] when there is no such item.
    pub async fn remove_subscription_item(
        &self,
        scope: &Scope,
        id: &SubscriptionItemId,
        clear_usage: bool,
        terms: ItemTerms,
    ) -> Result<(), Refused> {
        let (subscription, item) = self.subscription_item(scope, id).await?;
        if clear_usage && !item.price.is_metered() {
            return Err(Refused::invalid(
                "clear_usage",
                "clear_usage can only be passed for items whose price is metered.",
            ));
        }
        let item = UpdateItem {
            id: Some(id.clone()),
            deleted: true,
            clear_usage,
            ..UpdateItem::default()
        };
        self.update_subscription(scope, &subscription.id, terms.update(item))
            .await?;
        Ok(())
    }

    async fn update_item(
        &self,
        scope: &Scope,
        subscription: &SubscriptionId,
        id: &SubscriptionItemId,
        update: SubscriptionUpdate,
    ) -> Result<(Stored<Subscription>, Item), Refused> {
        let updated = self.update_subscription(scope, subscription, update).await;
        let (own, _) = updated.map_err(about_the_item)?;
        let waiting = own.pending_update.as_ref();
        let coming = waiting.map_or(&[][..], |update| &update.items);
        let item = own.items.iter().chain(coming).find(|item| item.id == *id);
        let item = item.cloned();
        let item = item.ok_or_else(|| Refused::not_found(KIND, id.as_str()))?;
        Ok((own, item))
    }

    /// Notes the items and prices of subscriptions that are older than their tables, and what else
    /// lists are narrowed by; nothing on an installation that began with them. Called before a process
    /// serves. Several processes may do it at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_subscription_items(&self) -> Result<(), Refused> {
        let older = {
            let mut read = self.store.read().await?;
            subscription_item::OWNERS
                .opening(&mut read)
                .await?
                .is_some()
        };
        if older {
            while self.retrying(|| self.open_days_part()).await? {}
        }
        while self.retrying(|| self.open_items_part()).await? {}
        Ok(())
    }

    /// Notes the days on which some sent invoices are due; answers whether there may be more.
    async fn open_days_part(&self) -> Result<bool, Refused> {
        let mut tx = self.store.begin().await?;
        let found = narrowing::invoices_without_day(tx.connection(), STEP_ROWS).await?;
        for (scope, row) in &found {
            narrowing::note_invoice(tx.connection(), scope, row).await?;
        }
        tx.commit().await?;
        Ok(!found.is_empty())
    }

    /// Notes the items of some subscriptions; answers whether there may be more.
    async fn open_items_part(&self) -> Result<bool, Refused> {
        let mut tx = self.store.begin().await?;
        let connection = tx.connection();
        let Some((scope, before)) = subscription_item::OWNERS.opening(connection).await? else {
            return Ok(false);
        };
        let filter = [Column::text(&before), Column::Number(Some(STEP_ROWS))];
        let found: Vec<Stored<Subscription>> =
            document::select(connection, &scope, SUBSCRIPTIONS_AFTER, &filter).await?;
        let mut writes = Writes::new(&scope);
        for row in &found {
            for cells in subscription_item::cells(None, row) {
                writes.add(&subscription_item::TABLE, cells);
            }
            for cells in narrowing::cells(None, row) {
                writes.add(&narrowing::TABLE, cells);
            }
            // Once in an installation's life, and not while anybody is served.
            narrowing::note_subscription(connection, &scope, row).await?;
        }
        writes.write(&self.store, connection).await?;
        let last = found.last().map(|row| row.id.as_str());
        subscription_item::OWNERS
            .opened(connection, &scope, &before, last)
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// What is wrong with the only item of an update is wrong with the call's own parameters.
fn about_the_item(refused: Refused) -> Refused {
    let own = |param: String| match param.strip_prefix("items[0][") {
        Some(inner) => inner.replacen(']', "", 1),
        None => param,
    };
    match refused {
        Refused::Invalid {
            param,
            code,
            message,
        } => Refused::Invalid {
            param: own(param),
            code,
            message,
        },
        Refused::NotFound { kind, id, param } => Refused::NotFound {
            kind,
            id,
            param: param.map(own),
        },
        other => other,
    }
}
