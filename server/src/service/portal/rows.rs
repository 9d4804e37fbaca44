//! How the domain's objects become the rows and cards that pages show.

use std::collections::HashMap;

use app::port::{
    CommitmentRow, DiscountRow, EarlyBilling, InvoiceRow, ItemRow, May, NextPayment,
    PaymentMethodCard, ScheduledRow, SubscriptionCard, UsagePrice, UsageRow,
};
use perennial::calendar::{Cadence, Period, Timestamp};
use perennial::catalog::Product;
use perennial::customer::Customer;
use perennial::decimal::Decimal12;
use perennial::id::{PaymentMethodId, ProductId};
use perennial::invoice::{BillingReason, Invoice, InvoiceItem, InvoiceStatus};
use perennial::money::Money;
use perennial::payment::PaymentMethod;
use perennial::portal::Features;
use perennial::pricing::{Pricing, TiersMode};
use perennial::quote::{recurring, upcoming_with};
use perennial::schedule::Schedule;
use perennial::subscription::{
    Item, PauseReason, ScheduledChange, Status, Subscription, SubscriptionError, Usage, items_after,
};

use super::Refused;
use super::discretion::Discreet;
use crate::store::document::Stored;

/// What cards are made of: everything was read before.
pub(super) struct Facts<'a> {
    /// The moment.
    pub now: Timestamp,
    /// Whose.
    pub customer: &'a Customer,
    /// What is allowed.
    pub features: &'a Features,
    /// Products by id, for what one is called.
    pub products: &'a HashMap<ProductId, Product>,
    /// Saved payment methods.
    pub methods: &'a [PaymentMethodCard],
    /// What waits for the customer's next invoice.
    pub pending: &'a [InvoiceItem],
    /// The customer's open invoices, newest first.
    pub open: &'a [Invoice],
    /// What was used of metered items so far.
    pub usage: &'a [Usage],
    /// What was agreed with the merchant for a time.
    pub contracts: &'a [Schedule],
}

/// What lets its usage be billed before the period ends, while it is going to be billed at all.
fn bills_early(own: &Subscription) -> Vec<EarlyBilling> {
    if own.status.is_final() {
        return Vec::new();
    }
    let sum = own.billing_thresholds.and_then(|marks| marks.amount_gte);
    let sum = sum.map(|minor| EarlyBilling::Amount(Money::new(minor, own.currency)));
    let units = own.items.iter().filter_map(|item| {
        Some(EarlyBilling::Units {
            units: item.usage_gte?,
            product_name: item.price.product_name.clone(),
        })
    });
    sum.into_iter().chain(units).collect()
}

/// The items of a subscription, for one period each.
pub(super) fn items(
    items: &[Item],
    products: &HashMap<ProductId, Product>,
) -> Result<Vec<ItemRow>, Refused> {
    items
        .iter()
        .map(|item| {
            let metered = item.price.is_metered();
            let product = products.get(&item.price.product);
            let amount = if metered {
                None
            } else {
                let minor = item.price.pricing.amount_minor(item.quantity);
                let minor = minor.map_err(|_| Refused::TooLarge)?;
                Some(Money::new(minor, item.price.currency))
            };
            Ok(ItemRow {
                product_name: product.map_or_else(
                    || item.price.product_name.clone(),
                    |product| product.name.clone(),
                ),
                unit_label: product.and_then(|product| product.unit_label.clone()),
                quantity: (!metered).then_some(item.quantity),
                amount,
                cadence: item.price.cadence(),
            })
        })
        .collect()
}

impl Facts<'_> {
    /// A subscription as the first page shows it.
    pub(super) fn card(&self, subscription: &Subscription) -> Result<SubscriptionCard, Refused> {
        let money = |minor| Money::new(minor, subscription.currency);
        let live = !subscription.status.is_final();
        let next = if live {
            // Usage takes up what is short of a commitment instead of coming on top of it.
            let promised = !subscription.commitments.is_empty();
            let usage = promised.then_some(self.usage);
            upcoming_with(subscription, self.customer, self.pending, usage).map_err(unshowable)?
        } else {
            None
        };
        let each = recurring(subscription, self.customer, self.now).map_err(unshowable)?;
        let method = self.paying(subscription);
        let rests = subscription.pause_collection.filter(|_| live);
        // What falls due while collection rests is not charged.
        let charged = |next: &perennial::quote::Upcoming| {
            rests.is_none_or(|pause| pause.resumes_at.is_some_and(|end| end <= next.at))
        };
        // Before its first payment is through it is the open invoice that is to be paid.
        let begun = subscription.status != Status::Incomplete;
        let next = next.filter(charged).filter(|_| begun);
        let commitments = self.commitments(subscription)?;
        let short = commitments.iter().any(|own| own.missing.minor > 0);
        let owed = self.open.iter().find(|invoice| {
            invoice.subscription.as_ref() == Some(&subscription.id)
                && invoice.last_payment_error.is_some()
        });
        Ok(SubscriptionCard {
            id: subscription.id.clone(),
            status: subscription.status,
            items: items(&subscription.items, self.products)?,
            recurring: money(each),
            cadence: cadence(subscription),
            current_period: running(subscription),
            trial_end: subscription
                .trial_end
                .filter(|_| subscription.status == Status::Trialing),
            cancel_at: subscription.cancel_at,
            ended_at: subscription.ended_at,
            resumes_at: super::pausing::resumes_at(subscription),
            collection_rests: rests.map(|pause| pause.resumes_at),
            retry_at: owed.and_then(|invoice| invoice.next_payment_attempt),
            next_payment: next.map(|next| NextPayment {
                at: next.at,
                amount: money(next.due_minor()),
                plus_usage: next.plus_usage && !short,
            }),
            commitments,
            usage: self.used(subscription)?,
            bills_early: bills_early(subscription),
            payment_method: method.cloned(),
            discounts: self.discounts(subscription),
            scheduled: self.scheduled(subscription)?,
            unpaid: self.unpaid(subscription)?,
            contract: self.contract(subscription),
            may: may(subscription, self.features),
        })
    }

    /// What was used of its metered items in the running periods.
    fn used(&self, subscription: &Subscription) -> Result<Vec<UsageRow>, Refused> {
        let mut rows = Vec::new();
        for item in &subscription.items {
            let found = self.usage.iter().find(|usage| usage.item == item.id);
            let Some(usage) = found.filter(|_| subscription.status.is_billing()) else {
                continue;
            };
            let minor = item.usage_amount_minor(usage.quantity);
            let minor = minor.map_err(|_| Refused::TooLarge)?;
            let product = self.products.get(&item.price.product);
            rows.push(UsageRow {
                product_name: product
                    .map_or_else(|| item.price.product_name.clone(), |own| own.name.clone()),
                used: usage.quantity,
                included: included(&item.price.pricing),
                price: usage_price(&item.price.pricing, usage.quantity),
                amount: Money::new(minor, item.price.currency),
                since: item.usage_start(),
            });
        }
        Ok(rows)
    }

    /// What was promised to be spent at least, and how far that is: what was billed for the time that is running, and
    /// usage that will be.
    fn commitments(&self, subscription: &Subscription) -> Result<Vec<CommitmentRow>, Refused> {
        let running = subscription.commitments.iter();
        let running = running.filter(|_| !subscription.status.is_final());
        let used = self.used(subscription)?;
        running
            .map(|own| {
                let money = |minor| Money::new(minor, subscription.currency);
                let whole = own.whole_minor().map_err(|_| Refused::TooLarge)?;
                let counts = used.iter().filter(|row| row.since >= own.period.start);
                let sum = counts.fold(own.counted_minor, |sum, row| {
                    sum.saturating_add(row.amount.minor)
                });
                Ok(CommitmentRow {
                    committed: money(whole),
                    counted: money(sum),
                    missing: money(whole.saturating_sub(sum).max(0)),
                    until: own.period.end,
                })
            })
            .collect()
    }

    /// What pays a subscription.
    pub(super) fn paying(&self, subscription: &Subscription) -> Option<&PaymentMethodCard> {
        paying(subscription, self.customer, self.methods)
    }

    fn discounts(&self, subscription: &Subscription) -> Vec<DiscountRow> {
        let of_items = subscription.items.iter().flat_map(|item| &item.discounts);
        let shared = subscription.effective_discounts(self.customer);
        let mut rows: Vec<DiscountRow> = Vec::new();
        for discount in of_items.chain(shared) {
            if !discount.active_at(self.now) {
                continue;
            }
            let coupon = &discount.coupon;
            let name = coupon.name.clone();
            let row = DiscountRow {
                name: name.unwrap_or_else(|| coupon.id.to_string()),
                off: coupon.off,
                until: discount.end,
            };
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        rows
    }

    fn scheduled(&self, subscription: &Subscription) -> Result<Option<ScheduledRow>, Refused> {
        let Some(change) = &subscription.scheduled_change else {
            return Ok(None);
        };
        let mut after = subscription.clone();
        after.items = items_after(subscription, change).map_err(unshowable)?;
        let each = recurring(&after, self.customer, change.at).map_err(unshowable)?;
        Ok(Some(ScheduledRow {
            at: happens_at(subscription, change),
            items: items(&after.items, self.products)?,
            recurring: Money::new(each, subscription.currency),
        }))
    }
}

/// When a change happens that waits: in a pause with the period that starts after it, unless there is
/// trial left then.
fn happens_at(own: &Subscription, change: &ScheduledChange) -> Option<Timestamp> {
    if own.status != Status::Paused {
        return Some(change.at);
    }
    let goes_on = super::pausing::resumes_at(own)?;
    Some(match own.trial_end {
        Some(end) if end > goes_on => change.at,
        _ => goes_on,
    })
}

/// What pays a subscription: its own method, else the customer's default.
pub(super) fn paying<'a>(
    subscription: &Subscription,
    customer: &Customer,
    methods: &'a [PaymentMethodCard],
) -> Option<&'a PaymentMethodCard> {
    let find = |id: &PaymentMethodId| methods.iter().find(|card| card.method.id == *id);
    let own = subscription.default_payment_method.as_ref().and_then(find);
    own.or_else(|| customer.default_payment_method.as_ref().and_then(find))
}

/// What can be done with a subscription now.
pub(super) fn may(subscription: &Subscription, features: &Features) -> May {
    let status = subscription.status;
    let ending = subscription.cancel_at.is_some();
    let update = features.subscription_update.as_ref();
    let changes = update.is_some_and(|rules| {
        let listed = |item: &Item| {
            let product = &item.price.product;
            rules
                .products
                .iter()
                .any(|listed| listed.product == *product)
        };
        (rules.price && !rules.products.is_empty())
            || (rules.quantity && subscription.items.iter().any(listed))
    });
    let live = !status.is_final();
    // A contract is changed and ended by those who made it.
    let free = !subscription.is_under_contract();
    May {
        change: free && changes && status.is_changeable() && status != Status::Paused && !ending,
        cancel: free && features.subscription_cancel.is_some() && live && !ending,
        pause: free
            && features.subscription_pause.is_some()
            && matches!(status, Status::Active | Status::Trialing)
            && !ending,
        resume: free && status == Status::Paused && may_resume(subscription, features),
        keep: free && features.subscription_cancel.is_some() && live && ending,
        undo_change: free && update.is_some() && live && subscription.scheduled_change.is_some(),
    }
}

/// Whether a pause may be ended: where customers may pause at all, and where it only wants something to pay with.
fn may_resume(subscription: &Subscription, features: &Features) -> bool {
    let Some(pause) = &subscription.paused else {
        return false;
    };
    let wants_card = pause.reason == PauseReason::TrialEndWithoutPaymentMethod;
    pause.resuming.is_none()
        && (features.subscription_pause.is_some() || (wants_card && features.payment_method_update))
}

/// How often all items bill, if it is the same.
fn cadence(subscription: &Subscription) -> Option<Cadence> {
    let mut all = subscription.items.iter().map(|item| item.price.cadence());
    let first = all.next()??;
    all.all(|other| other == Some(first)).then_some(first)
}

/// The period that is running: the earliest to end.
fn running(subscription: &Subscription) -> Period {
    let start = subscription.start_date;
    let periods = subscription.items.iter().map(|item| item.current_period);
    periods
        .min_by_key(|period| period.end)
        .unwrap_or(Period { start, end: start })
}

/// The saved payment methods as cards, the default first, then the newest.
pub(super) fn methods(
    rows: Vec<Stored<PaymentMethod>>,
    customer: &Customer,
    needed: bool,
) -> Vec<PaymentMethodCard> {
    let only = rows.len() == 1;
    let default = customer.default_payment_method.as_ref();
    let saved: Vec<PaymentMethodId> = rows.iter().map(|row| row.id.clone()).collect();
    let mut cards: Vec<PaymentMethodCard> = rows
        .into_iter()
        .map(|row| {
            let mut method = row.value;
            method.hide();
            let backups = customer.backup.iter().flat_map(|own| &own.methods);
            let backups = backups.filter(|own| saved.contains(own));
            let place = (1..).zip(backups).find(|(_, own)| **own == method.id);
            PaymentMethodCard {
                backup: place.map(|(place, _)| place),
                is_default: Some(&method.id) == default,
                removable: !(only && needed),
                method,
            }
        })
        .collect();
    cards.sort_by_key(|card| !card.is_default);
    cards
}

/// An invoice in a list.
pub(super) fn invoice(invoice: &Invoice) -> InvoiceRow {
    let money = |minor| Money::new(minor, invoice.currency);
    let open = invoice.status == InvoiceStatus::Open;
    let mut products: Vec<String> = Vec::new();
    for line in &invoice.lines {
        let name = line.product_name.as_ref().unwrap_or(&line.description);
        if !products.contains(name) {
            products.push(name.clone());
        }
    }
    InvoiceRow {
        id: invoice.id.clone(),
        number: invoice.number.clone(),
        date: invoice.issued_at(),
        status: invoice.status,
        failed: open && invoice.last_payment_error.is_some(),
        total: money(invoice.totals.total_minor),
        remaining: money(if open {
            invoice.amount_remaining_minor()
        } else {
            0
        }),
        products,
        of_change: invoice.billing_reason == BillingReason::SubscriptionUpdate,
    }
}

/// What was billed can be computed again; where it can't, a rule of ours is broken.
pub(super) fn unshowable(error: SubscriptionError) -> Refused {
    Refused::Defect(format!("a subscription can't be shown: {error}"))
}

/// How many units cost nothing, where the first tier is free.
fn included(pricing: &Pricing) -> Option<u64> {
    let Pricing::Tiered { tiers, .. } = pricing else {
        return None;
    };
    let first = tiers.first()?;
    let free = [first.unit_amount, first.flat_amount]
        .into_iter()
        .flatten()
        .all(Decimal12::is_zero);
    first.up_to.filter(|_| free)
}

/// What a unit costs at the level that was reached.
fn usage_price(pricing: &Pricing, used: Decimal12) -> UsagePrice {
    match pricing {
        Pricing::PerUnit {
            unit_amount,
            transform_quantity: None,
        } => UsagePrice::Each(*unit_amount),
        Pricing::PerUnit {
            unit_amount,
            transform_quantity: Some(package),
        } => UsagePrice::Package {
            amount: *unit_amount,
            units: package.divide_by,
        },
        Pricing::Tiered { mode, tiers } => {
            let whole = perennial::usage::whole_units(used);
            let reached =
                |tier: &&perennial::pricing::Tier| tier.up_to.is_none_or(|last| whole <= last);
            let tier = tiers.iter().find(reached);
            UsagePrice::Tier {
                each: tier
                    .and_then(|tier| tier.unit_amount)
                    .unwrap_or(Decimal12::ZERO),
                up_to: tier.and_then(|tier| tier.up_to),
                of_all: *mode == TiersMode::Volume,
            }
        }
    }
}
