//! A new subscription and its first invoice.

use super::change::{check_items, check_new_price, new_item};
use super::phases::added_items;
use super::{
    BillingMode, BillingThresholds, CollectionMethod, Item, MissingPaymentMethod,
    ProrationBehavior, Settings, Status, Subscription, SubscriptionError,
};
use crate::calendar::{AnchorConfig, Cadence, Period, Timestamp};
use crate::catalog::Price;
use crate::currency::Currency;
use crate::customer::Customer;
use crate::discount::{self, Discount};
use crate::id::{InvoiceLineId, PaymentMethodId, Randomness, SubscriptionId, SubscriptionItemId};
use crate::invoice::{
    BillingReason, Draft, Invoice, InvoiceItem, LINES_MAX, LineDraft, LineKind, draft,
};
use crate::metadata::Metadata;
use crate::proration;
use crate::schedule::{AddedItem, Commitment, MinimumCommitment};
use crate::tax::{self, TaxRate};

/// The longest trial, in seconds (Stripe: two years).
pub const TRIAL_SECONDS_MAX: i64 = 731 * 86_400;

/// Where periods are counted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anchor {
    /// The start, or the end of the trial.
    #[default]
    Start,
    /// A moment in the future, at most one period away. What lies before it is a stub.
    At(Timestamp),
    /// The day of the month that the merchant bills everyone on.
    Config(AnchorConfig),
}

/// An item of a new subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewItem {
    /// Its terms.
    pub price: Price,
    /// Its units; `None` means 1 (0 for a metered price).
    pub quantity: Option<u64>,
    /// Applied before the subscription's own.
    pub discounts: Vec<Discount>,
    /// Instead of the subscription's default rates.
    pub tax_rates: Vec<TaxRate>,
    /// Bill once this much was used.
    pub usage_gte: Option<u64>,
    /// The merchant's own keys.
    pub metadata: Metadata,
}

impl NewItem {
    /// `quantity` of `price`, with nothing of its own.
    #[must_use]
    pub fn new(price: Price, quantity: u64) -> Self {
        Self {
            price,
            quantity: Some(quantity),
            discounts: Vec::new(),
            tax_rates: Vec::new(),
            usage_gte: None,
            metadata: Metadata::default(),
        }
    }
}

/// What a new subscription is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    /// At least one, at most [`super::ITEMS_MAX`].
    pub items: Vec<NewItem>,
    /// When it is made, and starts unless that is backdated.
    pub at: Timestamp,
    /// When it started, in the past. What has run since then is billed now, period by period
    /// (nothing with [`ProrationBehavior::None`], or in a trial); without an anchor of its own,
    /// periods are counted from there.
    pub backdate_start: Option<Timestamp>,
    /// Whether the end of the trial leaves the anchor where it is.
    pub trial_keeps_anchor: bool,
    /// Until when nothing is owed.
    pub trial_end: Option<Timestamp>,
    /// What happens when the trial ends and there is no payment method.
    pub trial_missing_payment_method: MissingPaymentMethod,
    /// Where periods are counted from.
    pub anchor: Anchor,
    /// Whether a stub before the first full period is billed
    /// ([`ProrationBehavior::None`]: it is free).
    pub proration_behavior: ProrationBehavior,
    /// How credits are computed.
    pub billing_mode: BillingMode,
    /// Charge by ourselves, or send an invoice.
    pub collection_method: CollectionMethod,
    /// With [`CollectionMethod::SendInvoice`] only.
    pub days_until_due: Option<u16>,
    /// Pays before the customer's default does.
    pub default_payment_method: Option<PaymentMethodId>,
    /// For lines without rates of their own.
    pub default_tax_rates: Vec<TaxRate>,
    /// In order of application.
    pub discounts: Vec<Discount>,
    /// One-off amounts on the first invoice.
    pub added: Vec<AddedItem>,
    /// When to bill before the period ends.
    pub billing_thresholds: Option<BillingThresholds>,
    /// What is to be spent at least, and until when that holds.
    pub minimum_commitment: Option<(MinimumCommitment, Timestamp)>,
    /// Ends at this moment.
    pub cancel_at: Option<Timestamp>,
    /// Ends with the first period.
    pub cancel_at_period_end: bool,
    /// Ends with the longest of the first periods, where items differ: Stripe's `max_period_end`.
    pub cancel_at_last_period_end: bool,
    /// Ends with the longest of the first periods that are billed in advance; with the longest of all
    /// where none is.
    pub cancel_at_last_billed: bool,
    /// What is settled about its invoices.
    pub settings: Option<Box<Settings>>,
    /// How often waiting amounts are billed between its periods.
    pub pending_items: Option<Cadence>,
    /// For the customer's eyes.
    pub description: Option<String>,
    /// The merchant's own keys.
    pub metadata: Metadata,
}

impl Creation {
    /// These items from `at` on, and Stripe's defaults for the rest.
    #[must_use]
    pub fn new(items: Vec<NewItem>, at: Timestamp) -> Self {
        Self {
            items,
            at,
            backdate_start: None,
            trial_keeps_anchor: false,
            trial_end: None,
            trial_missing_payment_method: MissingPaymentMethod::default(),
            anchor: Anchor::default(),
            proration_behavior: ProrationBehavior::default(),
            billing_mode: BillingMode::default(),
            collection_method: CollectionMethod::default(),
            days_until_due: None,
            default_payment_method: None,
            default_tax_rates: Vec::new(),
            discounts: Vec::new(),
            added: Vec::new(),
            billing_thresholds: None,
            minimum_commitment: None,
            cancel_at: None,
            cancel_at_period_end: false,
            cancel_at_last_period_end: false,
            cancel_at_last_billed: false,
            settings: None,
            pending_items: None,
            description: None,
            metadata: Metadata::default(),
        }
    }
}

/// A new subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// `trialing`, `active`, or `incomplete` while its first invoice waits for a charge.
    pub subscription: Subscription,
    /// The draft of its first invoice; `None` when there is nothing on it (only metered prices, or a
    /// free stub).
    pub invoice: Option<Invoice>,
    /// The one-off amounts as items; those that the invoice took up name it.
    pub added: Vec<InvoiceItem>,
}

impl Subscription {
    /// Starts a subscription for `customer`, and drafts its first invoice: licensed prices in
    /// advance, a stub before an anchor, or the free line of a trial. `pending` are the customer's
    /// waiting items, which that invoice takes up.
    ///
    /// # Errors
    /// Names the first thing that can't stand.
    pub fn create(
        creation: Creation,
        customer: &Customer,
        pending: &[InvoiceItem],
        ids: &mut dyn Randomness,
    ) -> Result<Created, SubscriptionError> {
        let currency = check(&creation, customer)?;
        let (at, prorates) = (
            creation.at,
            creation.proration_behavior != ProrationBehavior::None,
        );
        let (one_off, committed) = (creation.added.clone(), creation.minimum_commitment);
        let mut own = standing(creation, customer, currency, ids)?;
        let mut added = added_items(&own, &one_off, at, ids)?;
        let pending: Vec<InvoiceItem> = pending.iter().chain(&added).cloned().collect();
        let discounts = own.effective_discounts(customer).to_vec();
        let mut lines = Vec::new();
        let mut items = core::mem::take(&mut own.items);
        for item in items.iter_mut().filter(|item| !item.price.is_metered()) {
            if own.status == Status::Trialing {
                lines.push(trial_line(&own, item, ids));
                continue;
            }
            if prorates {
                lines.extend(elapsed(&own, item, &discounts, at, ids)?);
            }
            let from = item.current_period.start;
            let whole = proration::whole_around(&own, item, from)?;
            if whole == item.current_period {
                // Backdated without prorations: the first full period is the next one.
                if prorates || from == at {
                    lines.push(proration::whole_period(&own, item, ids)?);
                }
            } else if prorates {
                lines.push(proration::stub(&own, item, &discounts, whole, ids)?);
            } else if whole.start == at {
                // It ends before its period does, and the merchant asked not to prorate.
                lines.push(proration::whole_period(&own, item, ids)?);
            }
        }
        own.items = items;
        let invoice = if lines.is_empty() && added.is_empty() {
            None
        } else {
            let input = Draft {
                customer,
                subscription: Some(&own),
                currency,
                billing_reason: BillingReason::SubscriptionCreate,
                lines,
                pending: &pending,
                period: Period { start: at, end: at },
                at,
            };
            Some(draft(input, ids)?)
        };
        if let Some(invoice) = &invoice {
            proration::note_billed(&mut own.items, &invoice.lines)?;
            own.latest_invoice = Some(invoice.id.clone());
            let charges = own.collection_method == CollectionMethod::ChargeAutomatically;
            let least = crate::invoice::minimum_charge_minor(currency).max(1);
            if own.status == Status::Active && charges && invoice.amount_due_minor >= least {
                own.status = Status::Incomplete;
            }
        }
        if let Some((terms, until)) = committed {
            let mut begun = Commitment::begin(terms, at, until, &own)?;
            begun.count(invoice.as_ref().map_or(&[], |invoice| &invoice.lines))?;
            own.commitments.push(begun);
        }
        for item in &mut added {
            item.invoice = invoice.as_ref().map(|invoice| invoice.id.clone());
        }
        Ok(Created {
            subscription: own,
            invoice,
            added,
        })
    }
}

/// Checks everything that does not need dates, and answers with the currency.
fn check(creation: &Creation, customer: &Customer) -> Result<Currency, SubscriptionError> {
    if customer.deleted {
        return Err(SubscriptionError::CustomerDeleted);
    }
    let first = creation.items.first().ok_or(SubscriptionError::NoItems)?;
    let currency = first.price.currency;
    if let Some(own) = customer.currency.filter(|own| *own != currency) {
        return Err(SubscriptionError::CurrencyMismatch {
            price: currency,
            subscription: own,
        });
    }
    for item in &creation.items {
        check_new_price(&item.price, currency)?;
        discount::validate_list(&item.discounts, currency)?;
        tax::validate_list(&item.tax_rates)?;
    }
    discount::validate_list(&creation.discounts, currency)?;
    tax::validate_list(&creation.default_tax_rates)?;
    if creation
        .backdate_start
        .is_some_and(|start| start > creation.at)
    {
        return Err(SubscriptionError::Backdate);
    }
    let sends = creation.collection_method == CollectionMethod::SendInvoice;
    if sends != creation.days_until_due.is_some() {
        return Err(SubscriptionError::DaysUntilDue);
    }
    if let Some(end) = creation.trial_end {
        let latest = creation.at.0.saturating_add(TRIAL_SECONDS_MAX);
        if end <= creation.at || end.0 > latest {
            return Err(SubscriptionError::TrialEnd);
        }
    }
    if creation.cancel_at.is_some_and(|end| end <= creation.at) {
        return Err(SubscriptionError::CancelAtPassed);
    }
    Ok(currency)
}

/// The subscription with its items and their first periods.
fn standing(
    creation: Creation,
    customer: &Customer,
    currency: Currency,
    ids: &mut dyn Randomness,
) -> Result<Subscription, SubscriptionError> {
    let at = creation.at;
    let mut items = Vec::with_capacity(creation.items.len());
    for wanted in creation.items {
        let quantity = wanted
            .quantity
            .unwrap_or(u64::from(!wanted.price.is_metered()));
        let id = SubscriptionItemId::new(ids);
        let mut item = new_item(id, wanted.price, quantity, wanted.tax_rates, at);
        item.discounts = wanted.discounts;
        item.usage_gte = wanted.usage_gte;
        item.metadata = wanted.metadata;
        items.push(item);
    }
    check_items(&items, currency, creation.billing_mode)?;
    let began = creation.backdate_start.unwrap_or(at);
    let trial = creation.trial_end.filter(|_| !creation.trial_keeps_anchor);
    let anchor = match creation.anchor {
        Anchor::Start if trial.is_none() => began,
        wanted => anchor_of(wanted, &items, at, trial)?,
    };
    for item in &mut items {
        item.current_period = match creation.trial_end {
            Some(end) => Period { start: at, end },
            None => {
                let whole = item.cadence()?.period_containing(anchor, at)?;
                // Usage counts from the start on.
                let start = match item.price.is_metered() {
                    true => began,
                    false => whole.start.max(began),
                };
                Period {
                    start,
                    end: whole.end,
                }
            }
        };
        if let (None, Some(end)) = (creation.trial_end, creation.cancel_at) {
            item.current_period.end = item.current_period.end.min(end);
        }
    }
    let trialing = creation.trial_end.is_some();
    let period_end = items.iter().map(|item| item.current_period.end).min();
    let ends_with_period = creation.cancel_at_period_end;
    let cancel_at = if ends_with_period {
        period_end
    } else if creation.cancel_at_last_period_end || creation.cancel_at_last_billed {
        let ahead = |item: &&Item| creation.cancel_at_last_billed && !item.price.is_metered();
        let any = items.iter().any(|item| ahead(&item));
        let ends = items.iter().filter(|item| !any || ahead(item));
        ends.map(|item| item.current_period.end).max()
    } else {
        creation.cancel_at
    };
    let mut settings = creation.settings;
    if let Some(every) = creation.pending_items {
        let own = settings.get_or_insert_default();
        own.bill_pending_items(every, anchor, at)?;
    }
    Ok(Subscription {
        id: SubscriptionId::new(ids),
        customer: customer.id.clone(),
        status: if trialing {
            Status::Trialing
        } else {
            Status::Active
        },
        currency,
        items,
        billing_cycle_anchor: anchor,
        billing_mode: creation.billing_mode,
        billing_mode_since: None,
        collection_method: creation.collection_method,
        days_until_due: creation.days_until_due,
        default_payment_method: creation.default_payment_method,
        default_tax_rates: creation.default_tax_rates,
        discounts: creation.discounts,
        description: creation.description,
        start_date: began,
        trial_start: trialing.then_some(at),
        trial_end: creation.trial_end,
        trial_end_told: None,
        upcoming_days: 0,
        upcoming_told: None,
        trial_missing_payment_method: creation.trial_missing_payment_method,
        cancel_at,
        cancel_at_period_end: ends_with_period && creation.billing_mode == BillingMode::Classic,
        canceled_at: cancel_at.map(|_| at),
        ended_at: None,
        cancellation: None,
        pause_collection: None,
        paused: None,
        stood_still: Vec::new(),
        anchor_config: match creation.anchor {
            Anchor::Config(config) => Some(config),
            Anchor::Start | Anchor::At(_) => None,
        },
        trial_keeps_anchor: creation.trial_keeps_anchor,
        scheduled_change: None,
        owes_usage: false,
        schedule: None,
        pending_update: None,
        billing_thresholds: creation.billing_thresholds,
        commitments: Vec::new(),
        settings,
        latest_invoice: None,
        metadata: creation.metadata,
        created: at,
        test_clock: customer.test_clock.clone(),
    })
}

/// Lines for the periods of a backdated item that are over already, oldest first.
fn elapsed(
    own: &Subscription,
    item: &Item,
    discounts: &[Discount],
    at: Timestamp,
    ids: &mut dyn Randomness,
) -> Result<Vec<LineDraft>, SubscriptionError> {
    let mut lines = Vec::new();
    let mut past = item.clone();
    let cadence = item.cadence()?;
    let mut from = own.start_date;
    while from < item.current_period.start && from < at {
        let whole = cadence.period_containing(own.billing_cycle_anchor, from)?;
        past.current_period = Period {
            start: from,
            end: whole.end.min(item.current_period.start),
        };
        lines.push(if past.current_period == whole {
            proration::whole_period(own, &past, ids)?
        } else {
            proration::stub(own, &mut past, discounts, whole, ids)?
        });
        if lines.len() > LINES_MAX {
            return Err(crate::invoice::InvoiceError::TooManyLines.into());
        }
        from = past.current_period.end;
    }
    Ok(lines)
}

/// Where periods are counted from. An anchor given as a moment may lie one period of the first item
/// ahead of the start (or of the trial's end).
fn anchor_of(
    anchor: Anchor,
    items: &[Item],
    at: Timestamp,
    trial_end: Option<Timestamp>,
) -> Result<Timestamp, SubscriptionError> {
    let start = trial_end.unwrap_or(at);
    let first = items.first().ok_or(SubscriptionError::NoItems)?.cadence()?;
    match anchor {
        Anchor::Start => Ok(start),
        Anchor::At(moment) => {
            if moment < at || moment > first.boundary(start, 1)? {
                return Err(SubscriptionError::AnchorOutOfRange);
            }
            Ok(moment)
        }
        Anchor::Config(config) => Ok(config.anchor(first, at)?),
    }
}

/// The free line of a trial, in Stripe's words for each billing mode.
pub(crate) fn trial_line(own: &Subscription, item: &Item, ids: &mut dyn Randomness) -> LineDraft {
    let name = &item.price.product_name;
    let text = match own.billing_mode {
        BillingMode::Flexible => format!("Free trial for {} × {name}", item.quantity),
        BillingMode::Classic => format!("Trial period for {name}"),
    };
    let rates = proration::rates_of(own, item);
    let mut line = proration::line_of(own, item, LineKind::Trial, text, rates);
    line.id = InvoiceLineId::new(ids);
    LineDraft {
        line,
        discounts: Vec::new(),
    }
}
