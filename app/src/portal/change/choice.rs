//! What a customer may choose, what they chose, and what that would cost.

use crate::{
    port::{ChangePage, Plan},
    refusal::CodeFault,
};
use perennial::{
    calendar::{Cadence, Interval},
    catalog::Price,
    discount::Discount,
    quote::{ChangeContext, Terms, price_change, purchase, with_promotion},
    subscription::{Item, ItemChange, SubscriptionError},
};

/// A product, a rhythm and a quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The id of the product.
    pub plan: String,
    /// How often it bills.
    pub every: Cadence,
    /// Units.
    pub quantity: u64,
}

/// The item that changes: the one named, else the first that has a quantity.
#[must_use]
pub fn item<'a>(page: &'a ChangePage, named: Option<&str>) -> Option<&'a Item> {
    let items = &page.subscription.items;
    match named {
        Some(id) => items.iter().find(|item| item.id.as_str() == id),
        None => items
            .iter()
            .find(|item| !item.price.is_metered())
            .or(items.first()),
    }
}

/// A rhythm as it stands in a form: `month-1`.
#[must_use]
pub fn code(every: Cadence) -> String {
    let interval = match every.interval {
        Interval::Day => "day",
        Interval::Week => "week",
        Interval::Month => "month",
        Interval::Year => "year",
    };
    format!("{interval}-{}", every.interval_count)
}

/// The products that may replace the item's, in the merchant's order.
pub fn plans(page: &ChangePage) -> impl Iterator<Item = &Plan> {
    // What only usage is billed for stands beside a plan, never in its place.
    let billed_ahead = |plan: &&Plan| plan.prices.iter().any(|price| !price.is_metered());
    page.plans
        .iter()
        .filter(|plan| !plan.add_on)
        .filter(billed_ahead)
}

/// The rhythms there are, shortest first.
#[must_use]
pub fn rhythms(page: &ChangePage) -> Vec<Cadence> {
    let mut found: Vec<Cadence> = Vec::new();
    for every in plans(page)
        .flat_map(|plan| &plan.prices)
        .filter_map(Price::cadence)
    {
        if !found.contains(&every) {
            found.push(every);
        }
    }
    found.sort_by_key(|every| (every.interval, every.interval_count));
    found
}

impl Choice {
    /// Reads a choice from a form or an address; whatever is missing or unknown stays as the item has it.
    #[must_use]
    pub fn read(
        page: &ChangePage,
        base: &Item,
        plan: Option<&str>,
        every: Option<&str>,
        quantity: Option<u64>,
    ) -> Self {
        let known = plan.filter(|plan| plans(page).any(|known| known.product.id.as_str() == *plan));
        let now = base.price.cadence().unwrap_or(Cadence::MONTHLY);
        let every = rhythms(page)
            .into_iter()
            .find(|known| every == Some(code(*known).as_str()));
        let mut choice = Self {
            plan: known.unwrap_or(base.price.product.as_str()).to_owned(),
            every: every.unwrap_or(now),
            quantity: quantity
                .filter(|units| *units > 0)
                .unwrap_or(base.quantity.max(1)),
        };
        choice.quantity = choice.within_bounds(page, base);
        choice
    }

    /// The quantity, as near to the wish as the plan allows.
    #[must_use]
    pub fn within_bounds(&self, page: &ChangePage, base: &Item) -> u64 {
        match self.bounds(page) {
            Some((least, most)) => self
                .quantity
                .clamp(least, most.unwrap_or(u64::MAX).max(least)),
            None => base.quantity.max(1),
        }
    }

    /// The least and the most units, if the quantity may be chosen.
    #[must_use]
    pub fn bounds(&self, page: &ChangePage) -> Option<(u64, Option<u64>)> {
        if !page.rules.quantity {
            return None;
        }
        let bounds = self.plan(page)?.adjustable_quantity?;
        Some((bounds.minimum.max(1), bounds.maximum))
    }

    fn plan<'a>(&self, page: &'a ChangePage) -> Option<&'a Plan> {
        plans(page).find(|plan| plan.product.id.as_str() == self.plan)
    }

    /// The price that is meant. The item's own wins over another of the same product and rhythm.
    #[must_use]
    pub fn price<'a>(&self, page: &'a ChangePage) -> Option<&'a Price> {
        let fits = |price: &&Price| {
            price.cadence() == Some(self.every) && price.currency == page.subscription.currency
        };
        let mut offered = self.plan(page)?.prices.iter().filter(fits);
        let own = offered.clone().find(|price| {
            page.subscription
                .items
                .iter()
                .any(|item| item.price.id == price.id)
        });
        own.or_else(|| offered.next())
    }

    /// What it costs for one period, before tax and discounts, in minor units; `None` where it is not offered or
    /// follows usage.
    #[must_use]
    pub fn amount_minor(&self, page: &ChangePage) -> Option<i64> {
        let price = self.price(page).filter(|price| !price.is_metered())?;
        price.pricing.amount_minor(self.quantity).ok()
    }

    /// What it saves in a year against paying by the month, in minor units.
    #[must_use]
    pub fn yearly_saving_minor(&self, page: &ChangePage) -> Option<i64> {
        let by = |every| {
            Self {
                every,
                ..self.clone()
            }
            .amount_minor(page)
        };
        let saving = by(Cadence::MONTHLY)?
            .checked_mul(12)?
            .checked_sub(by(Cadence::YEARLY)?)?;
        (saving > 0).then_some(saving)
    }

    /// Why the code that was entered gives nothing with this choice; also where it never would.
    #[must_use]
    pub fn code_fault(&self, page: &ChangePage, base: &Item) -> Option<CodeFault> {
        let given = match &page.code.as_ref()?.gives {
            Ok(given) => given,
            Err(why) => return Some(*why),
        };
        let mut items = page.subscription.items.clone();
        let price = self.price(page)?;
        if let Some(own) = items.iter_mut().find(|item| item.id == base.id) {
            own.price = price.clone();
            own.quantity = self.quantity;
        }
        let coupon = &given.discount.coupon;
        let covered = |item: &Item| coupon.covers(Some(&item.price.product));
        if !items.iter().any(covered) {
            return Some(CodeFault::NotCovered);
        }
        let minimum = given.minimum?;
        let bought = purchase(&items, page.subscription.currency)?;
        (bought.minor < minimum.minor).then_some(CodeFault::BelowMinimum(minimum))
    }

    /// What the code gives that was entered, if it gives something with this choice.
    #[must_use]
    pub fn given<'a>(&self, page: &'a ChangePage, base: &Item) -> Option<&'a Discount> {
        let given = page.code.as_ref()?.gives.as_ref().ok()?;
        let fits = self.code_fault(page, base).is_none();
        fits.then_some(&given.discount)
    }

    /// What the change would cost at the moment of the page; `None` when nothing would change.
    #[must_use]
    pub fn preview(
        &self,
        page: &ChangePage,
        base: &Item,
    ) -> Option<Result<Terms, SubscriptionError>> {
        let price = self.price(page)?;
        let quantity = (!price.is_metered()).then_some(self.quantity);
        let same_price = price.id == base.price.id;
        let same = same_price && quantity.is_none_or(|units| units == base.quantity);
        let given = self.given(page, base);
        if same && given.is_none() {
            return None;
        }
        let change = (!same).then(|| ItemChange::Set {
            item: base.id.clone(),
            price: (!same_price).then(|| price.clone()),
            quantity,
        });
        // The server found that it can be given; where it can't, the quote says so.
        let promoted = given.and_then(|given| with_promotion(&page.subscription, given).ok());
        let context = ChangeContext {
            subscription: promoted.as_ref().unwrap_or(&page.subscription),
            customer: &page.customer,
            pending: &page.pending,
        };
        let rules = &page.rules;
        Some(price_change(
            &context,
            change.as_slice(),
            rules.proration_behavior,
            &rules.schedule_at_period_end,
            page.now,
        ))
    }
}
