//! Phases as a request gives them, found and dated.

use perennial::calendar::{Cadence, Timestamp};
use perennial::discount::{self, Discount, Duration as CouponDuration};
use perennial::id::{CustomerId, PaymentMethodId, TaxRateId};
use perennial::metadata::Metadata;
use perennial::schedule::{
    Duration, MinimumCommitment, Phase, PhaseAnchor, PhaseDraft, PhaseItem, lay_out,
};
use perennial::subscription::{
    BillingMode, BillingThresholds, CollectionMethod, ITEMS_MAX, ProrationBehavior, QUANTITY_MAX,
    SubscriptionError,
};

use crate::service::added::NewAdded;
use crate::service::choices::{Asked, Choices, DiscountChoice, Recipient};
use crate::service::subscriptions::NewItem;
use crate::service::{Engine, Refused};
use crate::store::Scope;

/// A phase, by ids.
#[derive(Clone, Debug, Default)]
pub struct NewPhase {
    /// Where it is to start: where the one before ends.
    pub start: Option<PhaseMoment>,
    /// Where it ends.
    pub end: Option<PhaseMoment>,
    /// Or how long it lasts.
    pub duration: Option<Cadence>,
    /// 1 to 20.
    pub items: Vec<NewItem>,
    /// One-off amounts with its first invoice.
    pub added: Vec<NewAdded>,
    /// How the step into it is billed.
    pub proration_behavior: ProrationBehavior,
    /// Where periods are counted from.
    pub anchor: Option<PhaseAnchor>,
    /// Charge by ourselves, or send an invoice.
    pub collection_method: Option<CollectionMethod>,
    /// Days to pay a sent invoice.
    pub days_until_due: Option<u16>,
    /// Pays before the customer's default.
    pub default_payment_method: Option<PaymentMethodId>,
    /// For lines without rates of their own.
    pub default_tax_rates: Vec<TaxRateId>,
    /// On the whole subscription.
    pub discounts: Vec<DiscountChoice>,
    /// For the customer's eyes.
    pub description: Option<String>,
    /// Until when nothing is owed.
    pub trial_end: Option<PhaseMoment>,
    /// All of it is a trial.
    pub trial: bool,
    /// When to bill before the period ends.
    pub billing_thresholds: Option<BillingThresholds>,
    /// What is to be spent at least.
    pub minimum_commitment: Option<MinimumCommitment>,
    /// Set on the subscription.
    pub metadata: Metadata,
}

/// A moment that may be said as `now`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseMoment {
    /// The moment of the call.
    Now,
    /// Then.
    At(Timestamp),
}

impl PhaseMoment {
    /// The moment, if now is `now`.
    #[must_use]
    pub const fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Now => now,
            Self::At(at) => at,
        }
    }
}

impl Engine {
    /// Finds what phases name and gives them dates from `start` on. Discounts whose coupon is among
    /// `present`, or goes on from the phase before, go on as they are: they are not counted again.
    /// What a subscription of this mode could not have is refused now: the phase would fail when it
    /// begins, and nothing could be billed any more.
    pub(super) async fn phases(
        &self,
        scope: &Scope,
        to: (&CustomerId, BillingMode),
        start: Timestamp,
        wanted: &[NewPhase],
        present: &[Discount],
    ) -> Result<(Vec<Phase>, Choices), Refused> {
        let (customer, mode) = to;
        let mut choices = self.choices(scope, customer, &asked(wanted)).await?;
        let mut drafts: Vec<PhaseDraft> = Vec::with_capacity(wanted.len());
        for (place, new) in wanted.iter().enumerate() {
            if let Some(method) = &new.default_payment_method {
                self.own_method(scope, method, customer).await?;
            }
            let draft = self.draft(&mut choices, new, place)?;
            let param = format!("phases[{place}]");
            check_together(&draft.phase.items, mode, &param)?;
            let first = drafts.first().unwrap_or(&draft).phase.currency;
            if draft.phase.currency != first {
                let message = "All phases must be in one currency.";
                return Err(Refused::invalid(format!("{param}[items]"), message));
            }
            drafts.push(draft);
        }
        let mut phases = lay_out(start, drafts)?;
        let to = Recipient {
            customer: customer.clone(),
            purchase: None,
        };
        let mut known: Vec<Discount> = present.to_vec();
        for (place, (phase, new)) in phases.iter_mut().zip(wanted).enumerate() {
            let param = format!("phases[{place}]");
            let at = phase.start;
            let own = format!("{param}[discounts]");
            phase.discounts = choices.discounts(self, &known, &new.discounts, &to, at, &own)?;
            discount::validate_list(&phase.discounts, phase.currency)
                .map_err(|error| Refused::invalid(own, error.to_string()))?;
            for (index, (item, wish)) in phase.items.iter_mut().zip(&new.items).enumerate() {
                let own = format!("{param}[items][{index}][discounts]");
                item.discounts = choices.discounts(self, &known, &wish.discounts, &to, at, &own)?;
            }
            for (index, (one, wish)) in phase.added.iter_mut().zip(&new.added).enumerate() {
                let own = format!("{param}[add_invoice_items][{index}][discounts]");
                one.discounts = choices.discounts(self, &known, &wish.discounts, &to, at, &own)?;
            }
            // What lasts goes on into the next phase; what is for once is given anew there.
            let lasting = |one: &&Discount| one.coupon.duration != CouponDuration::Once;
            let items = phase.items.iter().flat_map(|item| &item.discounts);
            known.extend(phase.discounts.iter().chain(items).filter(lasting).cloned());
        }
        Ok((phases, choices))
    }

    fn draft(
        &self,
        choices: &mut Choices,
        new: &NewPhase,
        place: usize,
    ) -> Result<PhaseDraft, Refused> {
        let now = self.now();
        let param = format!("phases[{place}]");
        let items = self.phase_items(choices, new, &param)?;
        let currency = items.first().map(|item| item.price.currency);
        let currency = currency.ok_or_else(|| {
            Refused::invalid(
                format!("{param}[items]"),
                "A phase needs at least one item.",
            )
        })?;
        let added = choices.added(self, &new.added, &format!("{param}[add_invoice_items]"))?;
        if new
            .minimum_commitment
            .is_some_and(|own| own.amount_minor <= 0)
        {
            let param = format!("{param}[minimum_commitment][amount]");
            return Err(Refused::invalid(param, "The amount must be positive."));
        }
        let at = |moment: PhaseMoment| moment.at(now);
        Ok(PhaseDraft {
            phase: Phase {
                start: now,
                end: now,
                currency,
                items,
                added,
                proration_behavior: new.proration_behavior,
                anchor: new.anchor,
                collection_method: new.collection_method,
                days_until_due: new.days_until_due,
                default_payment_method: new.default_payment_method.clone(),
                default_tax_rates: choices.rates(
                    &new.default_tax_rates,
                    &format!("{param}[default_tax_rates]"),
                )?,
                discounts: Vec::new(),
                description: new.description.clone(),
                trial_end: new.trial_end.map(at),
                billing_thresholds: new.billing_thresholds,
                minimum_commitment: new.minimum_commitment,
                metadata: new.metadata.clone(),
            },
            start: new.start.map(at),
            end: new.end.map(at),
            duration: new.duration.map(Duration),
            trial: new.trial,
        })
    }

    fn phase_items(
        &self,
        choices: &mut Choices,
        new: &NewPhase,
        param: &str,
    ) -> Result<Vec<PhaseItem>, Refused> {
        let mut items: Vec<PhaseItem> = Vec::with_capacity(new.items.len());
        if new.items.len() > ITEMS_MAX {
            let message = format!("A phase can have at most {ITEMS_MAX} items.");
            return Err(Refused::invalid(format!("{param}[items]"), message));
        }
        for (index, wish) in new.items.iter().enumerate() {
            let param = format!("{param}[items][{index}]");
            let price = choices.price(self, &wish.price, &param)?;
            let refuse = |field: &str, message: String| {
                Err(Refused::invalid(format!("{param}[{field}]"), message))
            };
            if price.recurring.is_none() {
                return refuse("price", format!("The price {} is not recurring.", price.id));
            }
            if !(price.active || price.inline) {
                return refuse("price", format!("The price {} is not active.", price.id));
            }
            if items.iter().any(|other| other.price.id == price.id) {
                return refuse("price", format!("The price {} is named twice.", price.id));
            }
            if items
                .first()
                .is_some_and(|first| first.price.currency != price.currency)
            {
                return refuse("price", "All prices must be in one currency.".to_owned());
            }
            let quantity = wish.quantity.unwrap_or(u64::from(!price.is_metered()));
            if quantity > QUANTITY_MAX || (price.is_metered() && quantity != 0) {
                return refuse("quantity", "This quantity can't be used.".to_owned());
            }
            items.push(PhaseItem {
                quantity,
                tax_rates: choices.rates(&wish.tax_rates, &format!("{param}[tax_rates]"))?,
                discounts: Vec::new(),
                usage_gte: wish.usage_gte,
                metadata: wish.metadata.clone(),
                price,
            });
        }
        Ok(items)
    }
}

/// Items may stand on one subscription: in classic mode, those of one interval; and what they cost
/// is an amount.
fn check_together(items: &[PhaseItem], mode: BillingMode, param: &str) -> Result<(), Refused> {
    let first = items.first().and_then(|item| item.price.cadence());
    for (index, item) in items.iter().enumerate() {
        let param = format!("{param}[items][{index}]");
        if mode == BillingMode::Classic && item.price.cadence() != first {
            let message = SubscriptionError::MixedIntervals.to_string();
            return Err(Refused::invalid(format!("{param}[price]"), message));
        }
        let amount = item.price.pricing.amount_minor(item.quantity);
        amount
            .map_err(|error| Refused::invalid(format!("{param}[quantity]"), error.to_string()))?;
    }
    Ok(())
}

/// All that phases name.
fn asked(phases: &[NewPhase]) -> Asked<'_> {
    let mut asked = Asked::default();
    for phase in phases {
        asked.rates.extend(&phase.default_tax_rates);
        asked.discounts.extend(&phase.discounts);
        for item in &phase.items {
            asked.prices.push(&item.price);
            asked.rates.extend(&item.tax_rates);
            asked.discounts.extend(&item.discounts);
        }
        for one in &phase.added {
            asked.prices.push(&one.price);
            asked.rates.extend(&one.tax_rates);
            asked.discounts.extend(&one.discounts);
        }
    }
    asked
}
