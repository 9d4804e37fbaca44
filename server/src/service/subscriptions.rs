//! Subscriptions: starting them, and (in rooms of their own) ending, pausing and resuming them.

mod ending;
mod invoicing;
mod pausing;
mod settings;

use perennial::calendar::{AnchorConfig, CalendarError, Timestamp};
use perennial::currency::Currency;
use perennial::customer::Customer;
use perennial::id::{CustomerId, PaymentMethodId, SubscriptionId, TaxRateId};
use perennial::invoice::{Invoice, minimum_charge_minor};
use perennial::metadata::Metadata;
use perennial::payment::Decline;
use perennial::schedule::MinimumCommitment;
use perennial::subscription::{
    Anchor, BillingMode, BillingThresholds, CollectionMethod, Creation, ITEMS_MAX,
    MissingPaymentMethod, NewItem as DomainItem, ProrationBehavior, Subscription,
    SubscriptionError,
};

pub use ending::Cancel;
pub use invoicing::SettingsChange;
pub use pausing::{Pause, Resume, ResumePayment};

use super::added::NewAdded;
use super::booking::{Booking, Edit};
use super::choices::{Asked, Choices, DiscountChoice, PriceChoice, Recipient};
use super::find::{missing, values};
use super::invoices::{Collect, Issued, book_issued, book_taken, defect};
use super::payments::{Claim, PaymentResult};
use super::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// How long before a trial's end it is told, in seconds (Stripe: 3 days).
pub const TRIAL_NOTICE_SECONDS: i64 = 3 * 86_400;
const DAY_SECONDS: i64 = 86_400;

/// What happens when the first payment of something does not succeed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PaymentBehavior {
    /// It is made all the same and waits for the payment.
    #[default]
    AllowIncomplete,
    /// It is made, and nobody is charged until somebody pays the invoice.
    DefaultIncomplete,
    /// It is refused with the decline.
    ErrorIfIncomplete,
    /// A change waits for its payment, and is forgotten without it. For updates only.
    PendingIfIncomplete,
}

/// A new subscription, by ids, as the API names things.
#[derive(Clone, Debug)]
pub struct NewSubscription {
    /// Whose.
    pub customer: CustomerId,
    /// 1 to 20.
    pub items: Vec<NewItem>,
    /// When it started, in the past: what has run since then is billed now.
    pub backdate_start: Option<Timestamp>,
    /// Until when nothing is owed.
    pub trial_end: Option<Timestamp>,
    /// Whether the end of the trial leaves the anchor where it is.
    pub trial_keeps_anchor: bool,
    /// Take the trial days of the prices.
    pub trial_from_plan: bool,
    /// Where periods are counted from: a moment in the future.
    pub billing_cycle_anchor: Option<Timestamp>,
    /// The same by a day of the month.
    pub anchor_config: Option<AnchorConfig>,
    /// How the stub before the anchor is billed.
    pub proration_behavior: ProrationBehavior,
    /// What happens when the first payment fails.
    pub payment_behavior: PaymentBehavior,
    /// Charge by ourselves, or send an invoice.
    pub collection_method: CollectionMethod,
    /// Only with `send_invoice`.
    pub days_until_due: Option<u16>,
    /// Pays before the customer's default.
    pub default_payment_method: Option<PaymentMethodId>,
    /// For lines without rates of their own.
    pub default_tax_rates: Vec<TaxRateId>,
    /// Coupons, in order of application.
    pub discounts: Vec<DiscountChoice>,
    /// One-off amounts on the first invoice.
    pub added: Vec<NewAdded>,
    /// When to bill before the period ends.
    pub billing_thresholds: Option<BillingThresholds>,
    /// What is to be spent at least: an extension of ours.
    pub minimum_commitment: Option<MinimumCommitment>,
    /// How credits are computed.
    pub billing_mode: BillingMode,
    /// Ends at this moment.
    pub cancel_at: Option<Timestamp>,
    /// Ends with the first period.
    pub cancel_at_period_end: bool,
    /// Ends with the longest of the first periods.
    pub cancel_at_last_period_end: bool,
    /// Ends with the longest of the first periods that are billed in advance; with the longest of all
    /// where none is.
    pub cancel_at_last_billed: bool,
    /// What a trial's end does without a payment method.
    pub trial_missing_payment_method: MissingPaymentMethod,
    /// What is settled about its invoices.
    pub settings: SettingsChange,
    /// The currency that its prices must be in, where it is said.
    pub currency: Option<Currency>,
    /// Whether the customer is here to answer a challenge.
    pub on_session: bool,
    /// For the customer's eyes.
    pub description: Option<String>,
    /// The merchant's own keys.
    pub metadata: Metadata,
}

impl NewSubscription {
    /// These items for a customer, and Stripe's defaults for the rest.
    #[must_use]
    pub fn new(customer: CustomerId, items: Vec<NewItem>) -> Self {
        Self {
            customer,
            items,
            backdate_start: None,
            trial_end: None,
            trial_keeps_anchor: false,
            trial_from_plan: false,
            billing_cycle_anchor: None,
            anchor_config: None,
            proration_behavior: ProrationBehavior::default(),
            payment_behavior: PaymentBehavior::default(),
            collection_method: CollectionMethod::default(),
            days_until_due: None,
            default_payment_method: None,
            default_tax_rates: Vec::new(),
            discounts: Vec::new(),
            added: Vec::new(),
            billing_thresholds: None,
            minimum_commitment: None,
            billing_mode: BillingMode::default(),
            cancel_at: None,
            cancel_at_period_end: false,
            cancel_at_last_period_end: false,
            cancel_at_last_billed: false,
            trial_missing_payment_method: MissingPaymentMethod::default(),
            settings: SettingsChange::default(),
            currency: None,
            on_session: true,
            description: None,
            metadata: Metadata::default(),
        }
    }
}

/// An item of a new subscription.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// Its terms.
    pub price: PriceChoice,
    /// Its units; `None` means 1, and none for a metered price.
    pub quantity: Option<u64>,
    /// Instead of the subscription's default rates.
    pub tax_rates: Vec<TaxRateId>,
    /// Discounts of its own.
    pub discounts: Vec<DiscountChoice>,
    /// Bill once this much was used.
    pub usage_gte: Option<u64>,
    /// The merchant's own keys.
    pub metadata: Metadata,
}

impl NewItem {
    /// So many of a price.
    #[must_use]
    pub fn new(price: impl Into<PriceChoice>, quantity: u64) -> Self {
        Self {
            quantity: Some(quantity),
            ..Self::metered(price)
        }
    }

    /// A metered price, which has no quantity.
    #[must_use]
    pub fn metered(price: impl Into<PriceChoice>) -> Self {
        Self {
            price: price.into(),
            quantity: None,
            tax_rates: Vec::new(),
            discounts: Vec::new(),
            usage_gte: None,
            metadata: Metadata::default(),
        }
    }
}

/// A new subscription that is committed.
struct Started {
    id: SubscriptionId,
    claim: Option<Claim>,
}

impl Engine {
    /// Starts a subscription, finalises its first invoice and charges it.
    ///
    /// # Errors
    /// Names the parameter that can't be used. [`Refused::State`] with `resource_missing` when money
    /// is due and there is nothing to pay with: nothing is written then. [`Refused::Card`] with
    /// [`PaymentBehavior::ErrorIfIncomplete`]: the subscription is kept as `incomplete_expired`, its
    /// invoice as void. Stripe keeps neither. We do, because the claim must be on disk before the bank
    /// hears of it (a crash in between would otherwise leave a charge that nobody knows), and events
    /// that were told can't be taken back; both are over, owe nothing, and are in no list of live ones.
    pub async fn create_subscription(
        &self,
        scope: &Scope,
        new: NewSubscription,
    ) -> Result<Stored<Subscription>, Refused> {
        let started = self.retrying(|| self.create_once(scope, &new)).await?;
        if let Some(claim) = started.claim {
            let result = self.send(scope, claim).await?;
            if new.payment_behavior == PaymentBehavior::ErrorIfIncomplete {
                let refused = self.refuse_unpaid(scope, result).await;
                if refused.is_err() {
                    let (scope, id) = (scope, &started.id);
                    self.retrying(|| self.take_back(scope, id)).await?;
                }
                refused?;
            }
        }
        self.find(scope, started.id.as_str()).await
    }

    /// Takes a subscription back that was not to be there without its payment. Its invoice is void and
    /// stays, because its number does.
    async fn take_back(&self, scope: &Scope, id: &SubscriptionId) -> Result<(), Refused> {
        let row: Stored<Subscription> = self.find(scope, id.as_str()).await?;
        if row.status != perennial::subscription::Status::IncompleteExpired {
            return Ok(());
        }
        let mut booking = Booking::begin(self, scope).await?;
        let rows = std::slice::from_ref(&row);
        booking
            .delete_all("customer.subscription.deleted", rows)
            .await?;
        booking.commit().await
    }

    async fn create_once(&self, scope: &Scope, new: &NewSubscription) -> Result<Started, Refused> {
        let now = self.now();
        let param = "customer";
        let customer = self.find_named(scope, new.customer.as_str(), param).await?;
        let mut customer: Edit<Customer> = Edit::of(customer);
        if customer.deleted {
            return Err(missing::<Customer>(customer.id.as_str()));
        }
        let (creation, mut choices) = self.creation(scope, new, now).await?;
        let pending = self.pending(scope, &customer.id).await?;
        let waiting = values(&pending);
        let created = Subscription::create(creation, &customer, &waiting, &mut self.ids())?;
        let (mut subscription, mut invoice) = (created.subscription, created.invoice);
        customer.currency = Some(subscription.currency);
        let mut issued = None;
        if let Some(invoice) = &mut invoice {
            invoice.created = now;
            issued = self
                .first_issue(scope, new, invoice, &mut customer, &mut subscription)
                .await?;
        }
        let notice = subscription
            .trial_end
            .is_some_and(|end| end.0 - now.0 <= TRIAL_NOTICE_SECONDS);
        if notice {
            subscription.trial_end_told = subscription.trial_end;
        }
        subscription.upcoming_days = self.merchant(scope).await?.upcoming_days;
        let setup = self.waiting_setup(new, &mut subscription, &customer, invoice.as_ref());
        let mut booking = Booking::begin(self, scope).await?;
        // Even where nothing about the customer changed: it must not have been deleted meanwhile.
        // First of all, so that of two that take the same invoice number one decides again.
        booking.hold(&mut customer).await?;
        let id = subscription.id.clone();
        if let Some(setup) = setup {
            booking.insert(setup).await?;
        }
        booking.insert(subscription.clone()).await?;
        if notice {
            booking
                .tell("customer.subscription.trial_will_end", &subscription)
                .await?;
        }
        let mut claim = None;
        if let Some(invoice) = invoice {
            let taken: Vec<_> = invoice
                .lines
                .iter()
                .filter_map(|line| line.invoice_item.clone())
                .collect();
            let invoice = booking.insert(invoice).await?;
            book_taken(&mut booking, pending, &taken, &invoice.id).await?;
            booking.insert_all(created.added).await?;
            if let Some(issued) = issued {
                book_issued(&mut booking, &invoice, &issued).await?;
                claim = Claim::of(issued, &invoice);
            }
        }
        choices.write(&mut booking).await?;
        booking.save(&mut customer).await?;
        booking.commit().await?;
        Ok(Started { id, claim })
    }

    /// Finalises the first invoice, unless it is one to send: that waits as a draft.
    async fn first_issue(
        &self,
        scope: &Scope,
        new: &NewSubscription,
        invoice: &mut Invoice,
        customer: &mut Customer,
        subscription: &mut Subscription,
    ) -> Result<Option<Issued>, Refused> {
        if subscription.collection_method == CollectionMethod::SendInvoice {
            let draft_seconds = self.merchant(scope).await?.draft_seconds;
            let finalizes = self.now().add_seconds(draft_seconds).map_err(defect)?;
            invoice.automatically_finalizes_at = Some(finalizes);
            return Ok(None);
        }
        let method = self
            .paying_method(scope, invoice, Some(subscription), customer, None)
            .await?;
        let later = new.payment_behavior == PaymentBehavior::DefaultIncomplete;
        if method.is_none() && !later && is_chargeable(invoice) {
            return Err(nothing_to_pay_with());
        }
        let collect = if later {
            Collect::Later
        } else {
            Collect::Now {
                on_session: new.on_session,
            }
        };
        let method = method.as_deref();
        let own = Some(subscription);
        let issued = self.issue(scope, invoice, customer, own, method, collect);
        issued.await.map(Some)
    }

    /// Finds everything that a new subscription names.
    pub(super) async fn creation(
        &self,
        scope: &Scope,
        new: &NewSubscription,
        now: Timestamp,
    ) -> Result<(Creation, Choices), Refused> {
        if new.items.len() > ITEMS_MAX {
            return Err(SubscriptionError::TooManyItems.into());
        }
        let own_prices = new.items.iter().map(|item| &item.price);
        let own_rates = new.items.iter().flat_map(|item| &item.tax_rates);
        let own_discounts = new.items.iter().flat_map(|item| &item.discounts);
        let added = &new.added;
        let asked = Asked {
            prices: own_prices
                .chain(added.iter().map(|one| &one.price))
                .collect(),
            rates: own_rates
                .chain(&new.default_tax_rates)
                .chain(added.iter().flat_map(|one| &one.tax_rates))
                .collect(),
            discounts: own_discounts
                .chain(&new.discounts)
                .chain(added.iter().flat_map(|one| &one.discounts))
                .collect(),
        };
        let mut choices = self.choices(scope, &new.customer, &asked).await?;
        let mut to = Recipient {
            customer: new.customer.clone(),
            purchase: None,
        };
        let mut items = Vec::with_capacity(new.items.len());
        for (index, item) in new.items.iter().enumerate() {
            let param = format!("items[{index}]");
            let price = choices.price(self, &item.price, &param)?;
            let own = format!("{param}[discounts]");
            let discounts = choices.discounts(self, &[], &item.discounts, &to, now, &own)?;
            items.push(DomainItem {
                price,
                quantity: item.quantity,
                discounts,
                tax_rates: choices.rates(&item.tax_rates, &format!("{param}[tax_rates]"))?,
                usage_gte: item.usage_gte,
                metadata: item.metadata.clone(),
            });
        }
        to.purchase = purchase(&items)?;
        let discounts = choices.discounts(self, &[], &new.discounts, &to, now, "discounts")?;
        if let Some(method) = &new.default_payment_method {
            self.own_method(scope, method, &new.customer).await?;
        }
        let theirs = items.first().map(|item| item.price.currency);
        if let (Some(wanted), Some(theirs)) = (new.currency, theirs)
            && wanted != theirs
        {
            let message = format!("The prices are in {theirs}, not in {wanted}.");
            return Err(Refused::invalid("currency", message));
        }
        let anchor = match (new.billing_cycle_anchor, new.anchor_config) {
            (Some(moment), _) => Anchor::At(moment),
            (None, Some(config)) => Anchor::Config(config),
            (None, None) => Anchor::Start,
        };
        let creation = Creation {
            trial_end: trial_end(new, &items, now)?,
            items,
            at: now,
            backdate_start: new.backdate_start,
            trial_keeps_anchor: new.trial_keeps_anchor,
            trial_missing_payment_method: new.trial_missing_payment_method,
            anchor,
            proration_behavior: new.proration_behavior,
            billing_mode: new.billing_mode,
            collection_method: new.collection_method,
            days_until_due: new.days_until_due,
            default_payment_method: new.default_payment_method.clone(),
            default_tax_rates: choices.rates(&new.default_tax_rates, "default_tax_rates")?,
            discounts,
            added: choices.added_with_discounts(self, &new.added, &to, "add_invoice_items")?,
            billing_thresholds: new.billing_thresholds,
            minimum_commitment: new.minimum_commitment.map(|own| (own, Timestamp::MAX)),
            cancel_at: new.cancel_at,
            cancel_at_period_end: new.cancel_at_period_end,
            cancel_at_last_period_end: new.cancel_at_last_period_end,
            cancel_at_last_billed: new.cancel_at_last_billed,
            settings: self.new_settings(scope, &new.settings).await?,
            pending_items: new.settings.pending_items.flatten(),
            description: new.description.clone(),
            metadata: new.metadata.clone(),
        };
        Ok((creation, choices))
    }

    /// With `error_if_incomplete`: undoes what could not be paid, and says why.
    pub(super) async fn refuse_unpaid(
        &self,
        scope: &Scope,
        result: PaymentResult,
    ) -> Result<(), Refused> {
        let (invoice, decline) = match result {
            PaymentResult::Paid { .. } | PaymentResult::Unknown { .. } => return Ok(()),
            PaymentResult::Declined { invoice, decline } => (invoice, decline),
            PaymentResult::RequiresAction { invoice, .. } => {
                let code = "authentication_required".to_owned();
                let decline = Decline {
                    code: code.clone(),
                    decline_code: Some(code),
                };
                (invoice, decline)
            }
        };
        self.void_invoice(scope, &invoice.id).await?;
        Err(Refused::Card {
            decline,
            param: None,
        })
    }
}

/// Whether finalising it would leave something to charge.
pub(crate) fn is_chargeable(invoice: &Invoice) -> bool {
    invoice.amount_due_minor >= minimum_charge_minor(invoice.currency).max(1)
}

/// Stripe's refusal where money is due and nothing can pay it.
pub(crate) fn nothing_to_pay_with() -> Refused {
    Refused::State {
        code: Some("resource_missing"),
        message: "This customer has no attached payment source or default payment method. Please \
                  consider adding a default payment method."
            .to_owned(),
    }
}

/// What items cost for a period before any discount: what a promotion code's minimum is held against.
/// Usage, which nobody knows yet, counts as nothing.
pub(super) fn purchase(items: &[DomainItem]) -> Result<Option<(Currency, i64)>, Refused> {
    let Some(first) = items.first() else {
        return Ok(None);
    };
    let mut sum = 0_i64;
    for item in items.iter().filter(|item| !item.price.is_metered()) {
        let amount = item.price.pricing.amount_minor(item.quantity.unwrap_or(1));
        let amount = amount.map_err(|_| Refused::TooLarge)?;
        sum = sum.checked_add(amount).ok_or(Refused::TooLarge)?;
    }
    Ok(Some((first.price.currency, sum)))
}

/// Until when a new subscription is free: what is asked for, or the longest trial of its prices.
fn trial_end(
    new: &NewSubscription,
    items: &[DomainItem],
    now: Timestamp,
) -> Result<Option<Timestamp>, Refused> {
    if new.trial_end.is_some() || !new.trial_from_plan {
        return Ok(new.trial_end);
    }
    let recurring = items
        .iter()
        .filter_map(|item| item.price.recurring.as_ref());
    let days = recurring
        .filter_map(|own| own.trial_period_days)
        .max()
        .filter(|days| *days > 0);
    let end = days.map(|days| now.add_seconds(i64::from(days) * DAY_SECONDS));
    end.transpose()
        .map_err(|error| Refused::invalid("trial_from_plan", error.to_string()))
}

impl From<SubscriptionError> for Refused {
    fn from(error: SubscriptionError) -> Self {
        match (&error, error.param()) {
            (SubscriptionError::Money(_), _) => Self::TooLarge,
            (SubscriptionError::Invoice(inner), _) => (*inner).into(),
            (_, Some(param)) => Self::invalid(param, error.to_string()),
            (SubscriptionError::Calendar(CalendarError::AnchorNeedsMonths), _) => {
                Self::invalid("billing_cycle_anchor_config", error.to_string())
            }
            // A trial, an anchor or a period beyond the last year.
            (SubscriptionError::Calendar(CalendarError::OutOfRange), _) => Self::TooLarge,
            (SubscriptionError::Calendar(_), _) => Self::Defect(error.to_string()),
            _ => Self::State {
                code: None,
                message: error.to_string(),
            },
        }
    }
}
