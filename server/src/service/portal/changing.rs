//! Changing a plan: compare, quote, confirm, take back.

use std::collections::HashMap;

use app::port::{ChangePage, Plan, QuotePage, Settled, Wish};
use app::refusal::{Field, Refusal, Rule};
use perennial::catalog::{Price, Product};
use perennial::currency::Currency;
use perennial::id::{ProductId, QuoteId, SubscriptionId, SubscriptionItemId};
use perennial::invoice::InvoiceItem;
use perennial::money::Money;
use perennial::portal::{AdjustableQuantity, UpdateRules};
use perennial::quote::Quote;
use perennial::subscription::{
    ITEMS_MAX, Item, ItemChange, ItemExtras, Subscription, apply_changes,
};

use super::discretion::Discreet;
use super::refusing::{No, fault, reason};
use super::{Visitor, rows};
use crate::service::payments::PaymentResult;
use crate::store::document::{self, Column, Stored};
use crate::store::nouns;

/// A product with this key set to `true` in its metadata is sold beside others. Stripe's portal
/// configuration has no word for it.
pub const ADD_ON_KEY: &str = "perennial_add_on";
/// How many products a configuration lists (Stripe: 10), and `PRICES_OF_PRODUCTS` names.
const PRODUCTS_MAX: usize = 10;

impl Visitor {
    fn update_rules(&self) -> Result<&UpdateRules, No> {
        let rules = self.features().subscription_update.as_ref();
        Ok(rules.ok_or(Refusal::NotAllowed)?)
    }

    /// One of the customer's subscriptions that may be changed now.
    async fn changeable(&self, id: &SubscriptionId) -> Result<Stored<Subscription>, No> {
        self.update_rules()?;
        let own = self.subscription(id).await?;
        if rows::may(&own, self.features()).change {
            Ok(own)
        } else {
            Err(Refusal::WrongState.into())
        }
    }

    pub(super) async fn change_page(
        &self,
        id: &SubscriptionId,
        code: Option<String>,
    ) -> Result<ChangePage, No> {
        let own = self.changeable(id).await?;
        let rules = self.update_rules()?;
        let (plans, _) = self.plans(&own, rules).await?;
        let pending = self.pending().await?;
        let methods = self.payment_method_cards().await?;
        let paying = rows::paying(&own, self.customer(), &methods).cloned();
        let code = self.entered(rules, &own, code).await?;
        Ok(ChangePage {
            now: self.now,
            code,
            customer: self.customer().clone().hidden(),
            pending: pending.hidden(),
            rules: rules.clone(),
            plans: plans.into_iter().map(discreet).collect(),
            payment_method: paying,
            terms_of_service_url: self.visit.configuration.terms_of_service_url.clone(),
            subscription: own.value.hidden(),
        })
    }

    pub(super) async fn pending(&self) -> Result<Vec<InvoiceItem>, No> {
        let mut read = self.read().await?;
        let filter = [Column::text(&self.customer().id)];
        let sql = nouns::INVOICE_ITEMS_PENDING;
        let rows: Vec<Stored<InvoiceItem>> =
            document::select(&mut read, self.scope(), sql, &filter).await?;
        Ok(rows.into_iter().map(|row| row.value).collect())
    }

    /// What can be switched to, in the merchant's order; then what the customer has that is not on
    /// the list. With all the products, for their names.
    async fn plans(
        &self,
        own: &Subscription,
        rules: &UpdateRules,
    ) -> Result<(Vec<Plan>, HashMap<ProductId, Product>), No> {
        let listed = rules.products.iter().take(PRODUCTS_MAX);
        let mut ids: Vec<&ProductId> = listed.map(|listed| &listed.product).collect();
        let mut filter: Vec<Column> = ids.iter().map(Column::text).collect();
        filter.resize(PRODUCTS_MAX, Column::text(""));
        for item in &own.items {
            if !ids.contains(&&item.price.product) {
                ids.push(&item.price.product);
            }
        }
        let mut read = self.read().await?;
        let products = self.products_by_id(&mut read, &ids).await?;
        let sql = nouns::PRICES_OF_PRODUCTS;
        let prices: Vec<Stored<Price>> =
            document::select(&mut read, self.scope(), sql, &filter).await?;
        drop(read);
        let prices: Vec<Price> = prices.into_iter().map(|row| row.value).collect();
        let plans = plans(own, rules, &products, &prices);
        Ok((plans, products))
    }

    pub(super) async fn quote(
        &self,
        id: &SubscriptionId,
        wishes: Vec<Wish>,
        code: Option<String>,
    ) -> Result<QuotePage, No> {
        let own = self.changeable(id).await?;
        let rules = self.update_rules()?;
        let (plans, products) = self.plans(&own, rules).await?;
        let mut mint = || SubscriptionItemId::new(&mut self.engine.ids());
        let changes = item_changes(&own, &plans, rules, &wishes, &mut mint)?;
        let promotion = self.promotion(rules, &own, &changes, code).await?;
        if changes.is_empty() && promotion.is_none() {
            return Err(fault(Field::Price, Rule::Duplicate));
        }
        let behavior = rules.proration_behavior;
        let conditions = &rules.schedule_at_period_end;
        let quote = self
            .engine
            .quote_change_with(self.scope(), id, changes, behavior, conditions, promotion)
            .await?;
        self.page_of(quote.value, &own, &products).await
    }

    pub(super) async fn quote_page(&self, id: &QuoteId) -> Result<QuotePage, No> {
        let quote = self.own_quote(id).await?;
        let own = self.subscription(&quote.subscription).await?;
        if quote.expires_at <= self.now || quote.subscription_revision != own.revision {
            return Err(Refusal::Stale.into());
        }
        let new = quote.changes.iter().filter_map(new_price);
        let new = new.map(|price| &price.product);
        let old = own.items.iter().map(|item| &item.price.product);
        let ids: Vec<&ProductId> = old.chain(new).take(nouns::PRODUCTS_BY_IDS_MAX).collect();
        let mut read = self.read().await?;
        let products = self.products_by_id(&mut read, &ids).await?;
        drop(read);
        self.page_of(quote.value, &own, &products).await
    }

    /// A quote of the customer's.
    async fn own_quote(&self, id: &QuoteId) -> Result<Stored<Quote>, No> {
        self.update_rules()?;
        let mut read = self.read().await?;
        let found: Option<Stored<Quote>> =
            document::load(&mut read, self.scope(), id.as_str()).await?;
        let own = found.filter(|quote| quote.customer == self.customer().id);
        Ok(own.ok_or(Refusal::NotFound)?)
    }

    async fn page_of(
        &self,
        quote: Quote,
        own: &Subscription,
        products: &HashMap<ProductId, Product>,
    ) -> Result<QuotePage, No> {
        let after = apply_changes(own, &quote.changes, quote.created);
        let after = after.map_err(|_| Refusal::Stale)?;
        let methods = self.payment_method_cards().await?;
        Ok(QuotePage {
            now: self.now,
            before: rows::items(&own.items, products)?,
            after: rows::items(&after.items, products)?,
            payment_method: rows::paying(own, self.customer(), &methods).cloned(),
            terms_of_service_url: self.visit.configuration.terms_of_service_url.clone(),
            quote: quote.hidden(),
        })
    }

    pub(super) async fn confirm(&self, id: &QuoteId) -> Result<Settled, No> {
        let quote = self.own_quote(id).await?;
        // Confirming again, as a double click does, answers with what came of the first time.
        if quote.confirmed.is_none() {
            self.changeable(&quote.subscription).await?;
        }
        let confirmed = self.engine.confirm_quote(self.scope(), id, true).await?;
        if let Some(result) = confirmed.payment {
            return Ok(settled(result));
        }
        if quote.terms.scheduled {
            let at = quote.terms.effective_at;
            return Ok(Settled::Scheduled { at });
        }
        Ok(Settled::Done {
            charged: Money::new(0, quote.terms.currency),
            invoice: confirmed.invoice.map(|invoice| invoice.value.id),
        })
    }

    pub(super) async fn undo_change(&self, id: &SubscriptionId) -> Result<(), No> {
        self.update_rules()?;
        self.subscription(id).await?;
        self.engine.undo_scheduled_change(self.scope(), id).await?;
        Ok(())
    }
}

/// What came of a payment, as pages tell it.
pub(super) fn settled(result: PaymentResult) -> Settled {
    match result {
        PaymentResult::Paid { invoice } => Settled::Done {
            charged: Money::new(invoice.amount_paid_minor, invoice.currency),
            invoice: Some(invoice.value.id),
        },
        PaymentResult::Declined { invoice, decline } => Settled::Unpaid {
            invoice: invoice.value.id,
            reason: reason(&decline),
        },
        PaymentResult::RequiresAction { challenge_url, .. } => {
            Settled::Challenge { url: challenge_url }
        }
        PaymentResult::Unknown { invoice } => Settled::Processing {
            invoice: invoice.value.id,
        },
    }
}

/// The price that a change brings in.
pub(super) fn new_price(change: &ItemChange) -> Option<&Price> {
    match change {
        ItemChange::Add { price, .. } => Some(price),
        ItemChange::Set { price, .. } => price.as_ref(),
        ItemChange::Remove { .. } => None,
    }
}

/// A plan without what the merchant keeps for itself.
fn discreet(plan: Plan) -> Plan {
    Plan {
        product: plan.product.hidden(),
        prices: plan.prices.hidden(),
        ..plan
    }
}

fn is_add_on(product: &Product) -> bool {
    product
        .metadata
        .0
        .get(ADD_ON_KEY)
        .is_some_and(|value| value == "true")
}

/// The plans that the rules offer to this subscription.
fn plans(
    own: &Subscription,
    rules: &UpdateRules,
    products: &HashMap<ProductId, Product>,
    prices: &[Price],
) -> Vec<Plan> {
    let has = |id: &ProductId| own.items.iter().any(|item| item.price.product == *id);
    let mut plans = Vec::new();
    for listed in rules.products.iter().take(PRODUCTS_MAX) {
        let Some(product) = products.get(&listed.product) else {
            continue;
        };
        let named = listed.prices.iter();
        let mut offered: Vec<Price> = named
            .filter_map(|id| prices.iter().find(|price| price.id == *id))
            .filter(|price| rules.price && offerable(price, product, own.currency))
            .cloned()
            .collect();
        keep_current(&mut offered, own, &listed.product);
        if offered.is_empty() || !(product.active || has(&product.id)) {
            continue;
        }
        plans.push(Plan {
            product: product.clone(),
            prices: offered,
            adjustable_quantity: listed.adjustable_quantity.filter(|_| rules.quantity),
            add_on: is_add_on(product),
        });
    }
    for item in &own.items {
        let id = &item.price.product;
        let known = plans.iter().any(|plan| plan.product.id == *id);
        if let (Some(product), false) = (products.get(id), known) {
            let mut offered = Vec::new();
            keep_current(&mut offered, own, id);
            plans.push(Plan {
                product: product.clone(),
                prices: offered,
                adjustable_quantity: None,
                add_on: is_add_on(product),
            });
        }
    }
    plans
}

/// Whether a price can be taken up: recurring, for sale, in the subscription's currency.
fn offerable(price: &Price, product: &Product, currency: Currency) -> bool {
    price.active && product.active && price.currency == currency && price.recurring.is_some()
}

/// What the customer has is always among the choices, even when it is no longer sold.
fn keep_current(offered: &mut Vec<Price>, own: &Subscription, product: &ProductId) {
    for item in own
        .items
        .iter()
        .filter(|item| item.price.product == *product)
    {
        if !offered.iter().any(|price| price.id == item.price.id) {
            offered.insert(0, item.price.clone());
        }
    }
}

/// What is wished for, as changes that the rules allow; none where all stays as it is.
fn item_changes(
    own: &Subscription,
    plans: &[Plan],
    rules: &UpdateRules,
    wishes: &[Wish],
    mint: &mut dyn FnMut() -> SubscriptionItemId,
) -> Result<Vec<ItemChange>, No> {
    let most = u32::try_from(ITEMS_MAX).unwrap_or(u32::MAX);
    if wishes.len() > ITEMS_MAX {
        return Err(fault(Field::Price, Rule::TooMany(most)));
    }
    let mut changes = Vec::new();
    for (place, wish) in wishes.iter().enumerate() {
        let again = |earlier: &Wish| wish.item.is_some() && earlier.item == wish.item;
        if wishes.iter().take(place).any(again) {
            return Err(fault(Field::Price, Rule::Duplicate));
        }
        let item = match &wish.item {
            Some(id) => Some(own.item(id).map_err(|_| Refusal::NotFound)?),
            None => None,
        };
        match (item, &wish.price) {
            (Some(item), None) => changes.push(removal(item, plans, rules)?),
            (Some(item), Some(_)) => changes.extend(replacement(item, wish, plans, rules)?),
            (None, Some(_)) => changes.push(addition(wish, plans, rules, mint)?),
            (None, None) => return Err(fault(Field::Price, Rule::Required)),
        }
    }
    Ok(changes)
}

fn plan_of<'a>(plans: &'a [Plan], wish: &Wish) -> Result<(&'a Plan, &'a Price), No> {
    let wanted = |price: &&Price| Some(&price.id) == wish.price.as_ref();
    let found = plans
        .iter()
        .find_map(|plan| Some((plan, plan.prices.iter().find(wanted)?)));
    found.ok_or_else(|| fault(Field::Price, Rule::Unknown))
}

/// Add-ons can go; a plan is cancelled or replaced instead.
fn removal(item: &Item, plans: &[Plan], rules: &UpdateRules) -> Result<ItemChange, No> {
    let product = &item.price.product;
    let add_on = plans
        .iter()
        .any(|plan| plan.product.id == *product && plan.add_on);
    if !(add_on && rules.price) {
        return Err(Refusal::NotAllowed.into());
    }
    Ok(ItemChange::Remove {
        item: item.id.clone(),
    })
}

fn addition(
    wish: &Wish,
    plans: &[Plan],
    rules: &UpdateRules,
    mint: &mut dyn FnMut() -> SubscriptionItemId,
) -> Result<ItemChange, No> {
    let (plan, price) = plan_of(plans, wish)?;
    if !(plan.add_on && rules.price) {
        return Err(Refusal::NotAllowed.into());
    }
    let quantity = quantity_of(price, wish, plan.adjustable_quantity, 1)?;
    Ok(ItemChange::Add {
        id: mint(),
        price: price.clone(),
        quantity,
        tax_rates: Vec::new(),
        with: ItemExtras::default(),
    })
}

/// Another price or quantity for an item; `None` when it stays as it is.
fn replacement(
    item: &Item,
    wish: &Wish,
    plans: &[Plan],
    rules: &UpdateRules,
) -> Result<Option<ItemChange>, No> {
    let (plan, price) = plan_of(plans, wish)?;
    let switches = price.id != item.price.id;
    let was = plans
        .iter()
        .find(|own| own.product.id == item.price.product);
    let kin = was.is_none_or(|was| was.add_on == plan.add_on);
    if switches && !(rules.price && kin) {
        return Err(Refusal::NotAllowed.into());
    }
    let kept = if item.price.is_metered() {
        1
    } else {
        item.quantity
    };
    let quantity = quantity_of(price, wish, plan.adjustable_quantity, kept)?;
    if !switches && (quantity == item.quantity || price.is_metered()) {
        return Ok(None);
    }
    Ok(Some(ItemChange::Set {
        item: item.id.clone(),
        price: switches.then(|| price.clone()),
        quantity: (!price.is_metered()).then_some(quantity),
    }))
}

/// The wished quantity, within its bounds; where it may not change, what it was.
fn quantity_of(
    price: &Price,
    wish: &Wish,
    bounds: Option<AdjustableQuantity>,
    kept: u64,
) -> Result<u64, No> {
    if price.is_metered() {
        return Ok(0);
    }
    let quantity = if wish.quantity == 0 {
        kept
    } else {
        wish.quantity
    };
    let Some(bounds) = bounds else {
        return if quantity == kept {
            Ok(kept)
        } else {
            Err(Refusal::NotAllowed.into())
        };
    };
    if quantity == kept {
        return Ok(kept);
    }
    if quantity < bounds.minimum {
        return Err(fault(Field::Quantity, Rule::TooSmall(bounds.minimum)));
    }
    match bounds.maximum {
        Some(most) if quantity > most => Err(fault(Field::Quantity, Rule::TooLarge(most))),
        _ => Ok(quantity),
    }
}
