//! Usage that is billed on terms of its own, and what has been billed of it.
//!
//! Events may come 35 days late, and they may be cancelled, so what a period used is not known when
//! it is invoiced. A span remembers how much was billed. Whenever it is looked at again, the
//! difference between what it comes to now and what was billed for it is billed (or given back) on
//! the span's own terms: so each event is billed once, whenever it came, and the customer owes
//! exactly what they would owe had all events come in time, tiers and packages included.

use serde::{Deserialize, Serialize};

use super::EVENT_AGE_SECONDS_MAX;
use crate::calendar::{Period, Timestamp};
use crate::catalog::Price;
use crate::decimal::Decimal12;
use crate::id::{
    CustomerId, InvoiceId, InvoiceItemId, InvoiceLineId, Randomness, SubscriptionId,
    SubscriptionItemId, TestClockId, UsageSpanId,
};
use crate::invoice::{InvoiceItem, Line, LineKind};
use crate::metadata::Metadata;
use crate::money::MoneyError;
use crate::pricing::PricingError;
use crate::proration;
use crate::subscription::{BillingMode, Item, Subscription};
use crate::tax::TaxRate;

/// How long after its end a span is settled for good, in seconds: no event of it can come any more,
/// and the day in which the last one can be cancelled is over too.
pub const SETTLE_SECONDS: i64 = EVENT_AGE_SECONDS_MAX + super::CANCEL_SECONDS_MAX + 3_600;

/// A stretch of usage of one item at one price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Ours; Stripe has no such object.
    pub id: UsageSpanId,
    /// Who used it.
    pub customer: CustomerId,
    /// The subscription that bills it.
    pub subscription: SubscriptionId,
    /// The item that bills it; it may be gone since.
    pub item: SubscriptionItemId,
    /// The terms, as they were.
    pub price: Price,
    /// The rates of its lines.
    pub tax_rates: Vec<TaxRate>,
    /// When it was used.
    pub period: Period,
    /// What was used, and billed, before it in the same period of billing: tiers go on from there.
    #[serde(default)]
    pub before: Option<Decimal12>,
    /// How much of it stands on invoices or waits for one.
    pub billed: Decimal12,
    /// The draft whose line bills it; the line is brought up to date when the draft is finalised.
    /// `None` when no draft does.
    pub draft: Option<InvoiceId>,
    /// Whether a line of its own told of it already: what comes after that is late.
    pub told: bool,
    /// When it is settled for good; `None` when that is done.
    pub settles_at: Option<Timestamp>,
    /// The test clock that its customer follows.
    pub test_clock: Option<TestClockId>,
    /// When it was made.
    pub created: Timestamp,
}

/// What is owed of a span beyond what was billed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanCharge {
    /// How much more was used; negative when events were cancelled.
    pub quantity: Decimal12,
    /// Minor units, negative when it is given back.
    pub amount_minor: i64,
}

impl Span {
    /// Of an item in a period, of which nothing is billed yet.
    #[must_use]
    pub fn of(
        subscription: &Subscription,
        item: &Item,
        period: Period,
        now: Timestamp,
        ids: &mut dyn Randomness,
    ) -> Self {
        Self {
            id: UsageSpanId::new(ids),
            customer: subscription.customer.clone(),
            subscription: subscription.id.clone(),
            item: item.id.clone(),
            price: item.price.clone(),
            tax_rates: proration::rates_of(subscription, item),
            period,
            before: item.usage_before,
            billed: Decimal12::ZERO,
            draft: None,
            told: false,
            settles_at: Some(Self::settlement_of(period)),
            test_clock: subscription.test_clock.clone(),
            created: now,
        }
    }

    /// When it is settled for good.
    #[must_use]
    pub const fn settlement_of(period: Period) -> Timestamp {
        Timestamp(period.end.0.saturating_add(SETTLE_SECONDS))
    }

    /// What is owed when it comes to `used`; `None` when nothing more is: no other quantity.
    ///
    /// # Errors
    /// When an amount can't be computed.
    pub fn owed(&self, used: Decimal12) -> Result<Option<SpanCharge>, PricingError> {
        if used == self.billed {
            return Ok(None);
        }
        let (now, before) = (self.amount_minor(used)?, self.amount_minor(self.billed)?);
        let amount_minor = now.checked_sub(before).ok_or(MoneyError::Overflow)?;
        let quantity = Decimal12::from_scaled(used.scaled() - self.billed.scaled());
        Ok(Some(SpanCharge {
            quantity: quantity.map_err(|_| MoneyError::Overflow)?,
            amount_minor,
        }))
    }

    /// What so much of it costs, in minor units.
    ///
    /// # Errors
    /// When the amount can't be computed.
    pub fn amount_minor(&self, used: Decimal12) -> Result<i64, PricingError> {
        let before = self.before.unwrap_or(Decimal12::ZERO);
        self.price.pricing.amount_minor_after(before, used)
    }

    /// Takes up what is owed as an item that waits for the customer's next invoice, and remembers
    /// that it is billed. `None` when nothing is owed.
    ///
    /// # Errors
    /// When an amount can't be computed; nothing has changed then.
    pub fn bill(
        &mut self,
        used: Decimal12,
        now: Timestamp,
        ids: &mut dyn Randomness,
    ) -> Result<Option<InvoiceItem>, PricingError> {
        let Some(charge) = self.owed(used)? else {
            return Ok(None);
        };
        let item = self.waiting_item(&charge, now, ids);
        self.billed = used;
        self.told = true;
        Ok(Some(item))
    }

    fn waiting_item(
        &self,
        charge: &SpanCharge,
        now: Timestamp,
        ids: &mut dyn Randomness,
    ) -> InvoiceItem {
        let name = &self.price.product_name;
        // A span's first line is its usage; what follows came late, or was taken back.
        let (kind, description) = match self.told {
            false => (LineKind::Usage, format!("{} × {name}", charge.quantity)),
            true => {
                let (from, until) = (self.period.start.civil(), self.period.end.civil());
                let text = format!(
                    "Late usage: {} × {name} ({:04}-{:02}-{:02} – {:04}-{:02}-{:02})",
                    charge.quantity,
                    from.year,
                    from.month,
                    from.day,
                    until.year,
                    until.month,
                    until.day
                );
                (LineKind::OneTime, text)
            }
        };
        let units = whole_units(charge.quantity);
        InvoiceItem {
            id: InvoiceItemId::new(ids),
            customer: self.customer.clone(),
            currency: self.price.currency,
            line: Line {
                id: InvoiceLineId::new(ids),
                description,
                kind,
                amount_minor: charge.amount_minor,
                quantity: Some(units),
                quantity_decimal: fraction_of(charge.quantity),
                price: Some(self.price.id.clone()),
                product: Some(self.price.product.clone()),
                product_name: Some(name.clone()),
                unit_amount: self.price.pricing.unit_amount(),
                period: self.period,
                discountable: charge.amount_minor > 0,
                discount_amounts: Vec::new(),
                tax_rates: self.tax_rates.clone(),
                default_taxed: false,
                discounts: Vec::new(),
                taxes: Vec::new(),
                // What ended has no next invoice of its own: the customer's next one takes it.
                subscription: Some(self.subscription.clone()),
                subscription_item: Some(self.item.clone()),
                invoice_item: None,
                metadata: Metadata::default(),
            },
            proration: false,
            date: now,
            invoice: None,
            made_for_invoice: false,
            test_clock: self.test_clock.clone(),
        }
    }
}

/// The spans that a change of items ends: what was used of a metered item until it went or got
/// another price. They are billed with the next invoice, each at its own price. In classic mode such
/// usage is not billed at all, as at Stripe; in a trial it is free.
#[must_use]
pub fn ended_spans(
    before: &Subscription,
    after: &Subscription,
    now: Timestamp,
    ids: &mut dyn Randomness,
) -> Vec<Span> {
    let bills = before.status.is_billing() && before.billing_mode == BillingMode::Flexible;
    if !bills || after.status.is_final() {
        return Vec::new();
    }
    let counted = |item: &&Item| {
        let recurring = item.price.recurring.as_ref();
        item.price.is_metered() && recurring.is_some_and(|own| own.meter.is_some())
    };
    let mut spans = Vec::new();
    for item in before.items.iter().filter(counted) {
        let kept = after.items.iter().find(|other| other.id == item.id);
        if kept.is_some_and(|kept| kept.price.id == item.price.id) {
            continue;
        }
        let end = kept.and_then(|kept| kept.usage_from).unwrap_or(now);
        let period = Period {
            start: item.usage_start(),
            end,
        };
        if period.start < period.end {
            spans.push(Span::of(before, item, period, now, ids));
        }
    }
    spans
}

/// The whole units of a quantity, as lines have them beside the exact one; none below zero.
#[must_use]
pub fn whole_units(quantity: Decimal12) -> u64 {
    let units = quantity.to_ratio().floor().unwrap_or(0);
    u64::try_from(units).unwrap_or(0)
}

/// The exact quantity, where whole units don't say it.
#[must_use]
pub fn fraction_of(quantity: Decimal12) -> Option<Decimal12> {
    let whole = quantity.to_integer().is_some() && !quantity.is_negative();
    (!whole).then_some(quantity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{day, metered};
    use crate::pricing::{Pricing, Tier, TiersMode};
    use crate::quote::Counter;
    use proptest::prelude::*;

    fn span(pricing: Pricing) -> Span {
        let mut price = metered("calls", 1);
        price.pricing = pricing;
        let period = Period {
            start: day(2026, 1, 1),
            end: day(2026, 2, 1),
        };
        Span {
            id: UsageSpanId::from_random(1),
            customer: CustomerId::from_random(1),
            subscription: SubscriptionId::from_random(1),
            item: SubscriptionItemId::from_random(1),
            price,
            tax_rates: Vec::new(),
            period,
            before: None,
            billed: Decimal12::ZERO,
            draft: None,
            told: false,
            settles_at: Some(Span::settlement_of(period)),
            test_clock: None,
            created: day(2026, 2, 1),
        }
    }

    fn tiers(mode: TiersMode) -> Pricing {
        let tier = |up_to, unit: i64, flat: i64| Tier {
            up_to,
            unit_amount: Some(Decimal12::from_integer(unit)),
            flat_amount: Some(Decimal12::from_integer(flat)),
        };
        let tiers = vec![tier(Some(100), 5, 0), tier(None, 3, 50)];
        Pricing::Tiered { mode, tiers }
    }

    proptest! {
        /// However events trickle in and are taken back, all lines together are what the final usage
        /// costs at once.
        #[test]
        fn lines_add_up_to_what_all_of_it_costs(
            seen in prop::collection::vec(0_i64..300_000_000_000_000, 1..8), volume in any::<bool>(),
        ) {
            let mode = if volume { TiersMode::Volume } else { TiersMode::Graduated };
            let mut own = span(tiers(mode));
            let (mut ids, mut billed) = (Counter(0), 0);
            let mut last = Decimal12::ZERO;
            for used in seen {
                last = Decimal12::from_scaled(i128::from(used)).unwrap();
                let item = own.bill(last, day(2026, 2, 3), &mut ids).unwrap();
                billed += item.map_or(0, |item| item.line.amount_minor);
                prop_assert_eq!(own.bill(last, day(2026, 2, 3), &mut ids), Ok(None));
            }
            prop_assert_eq!(billed, own.price.pricing.amount_minor_of(last).unwrap());
        }
    }

    #[test]
    fn the_first_line_is_usage_and_the_others_are_late() {
        let mut own = span(Pricing::per_unit(Decimal12::from_integer(2)));
        let mut bill = |used: &str| {
            let used = Decimal12::parse(used).unwrap();
            own.bill(used, day(2026, 2, 3), &mut Counter(0))
                .unwrap()
                .unwrap()
                .line
        };
        let first = bill("10.5");
        assert_eq!((first.kind, first.amount_minor), (LineKind::Usage, 21));
        assert_eq!(
            first.quantity_decimal,
            Some(Decimal12::parse("10.5").unwrap())
        );
        let second = bill("12");
        assert_eq!((second.kind, second.amount_minor), (LineKind::OneTime, 3));
        assert_eq!(
            second.description,
            "Late usage: 1.5 × calls (2026-01-01 – 2026-02-01)"
        );
        let back = bill("11");
        assert_eq!((back.amount_minor, back.discountable), (-2, false));
    }
}
