//! What metered items bill, and what has been billed of it.
//!
//! Nothing depends on catching an event at the right moment. Each stretch of usage that is billed is
//! remembered with its quantity (see the domain's `Span`). Renewing, finalising a draft and, 36 days
//! later, settling for good each look at what it comes to now, and bill the difference in the very
//! transaction that remembers it. So an event is billed once: on the draft while it is one, on the
//! next invoice as a line of its own after that. Where there is no next invoice, because the
//! subscription has ended, the line waits for the customer's next invoice of any kind; nobody is
//! charged by surprise for what is over.

use perennial::calendar::{Period, Timestamp};
use perennial::customer::Customer;
use perennial::decimal::Decimal12;
use perennial::id::InvoiceItemId;
use perennial::invoice::{Invoice, InvoiceItem, InvoiceStatus, LineKind};
use perennial::subscription::{Item, Subscription, Usage};
use perennial::usage::{Span, fraction_of, whole_units};

mod ahead;

pub(crate) use ahead::Drafted;

use std::collections::HashMap;

use super::booking::{Booking, Edit};
use super::usage::{Asked, count_many};
use super::{Engine, Refused};
use crate::store::document::Stored;
use crate::store::{Scope, StoreError, usage};
use sqlx::AnyConnection;

/// What a step of a subscription bills of metered items.
#[derive(Debug, Default)]
pub(crate) struct Metered {
    /// What was used in the running periods, for the domain's use cases.
    pub(crate) usage: Vec<Usage>,
    /// What is owed of earlier stretches; it goes onto the invoice with the items that wait.
    pub(crate) owed: Vec<InvoiceItem>,
    /// Those stretches, with what is owed noted as billed.
    spans: Vec<Edit<Span>>,
}

/// Whether a subscription has, or has had, anything to do with meters.
fn meter_of(item: &Item) -> Option<&perennial::id::MeterId> {
    item.price
        .recurring
        .as_ref()?
        .meter
        .as_ref()
        .filter(|_| item.price.is_metered())
}

pub(crate) fn asked_of(span: &Span) -> Option<Asked> {
    Some(Asked {
        meter: span.price.recurring.as_ref()?.meter.clone()?,
        customer: span.customer.clone(),
        period: span.period,
    })
}

impl Engine {
    /// What a subscription bills of metered items in a step at `at`: a renewal, an end, or a look
    /// ahead at one of them.
    pub(crate) async fn metered(
        &self,
        scope: &Scope,
        subscription: &Subscription,
        at: Timestamp,
    ) -> Result<Metered, Refused> {
        let laid = self.shared(scope);
        if let Some(own) = laid.and_then(|own| own.take_metered(subscription.id.as_str(), at)) {
            return Ok(own);
        }
        let mut metered = self.metered_many(scope, &[(subscription, at)]).await?;
        Ok(metered.pop().unwrap_or_default())
    }

    /// Answers for many subscriptions, in their order, with few statements; with none where nothing
    /// is metered.
    pub(crate) async fn metered_many(
        &self,
        scope: &Scope,
        steps: &[(&Subscription, Timestamp)],
    ) -> Result<Vec<Metered>, Refused> {
        let mut metered: Vec<Metered> = steps.iter().map(|_| Metered::default()).collect();
        let (mut asked, mut askers) = (Vec::new(), Vec::new());
        for (index, (subscription, at)) in steps.iter().enumerate() {
            for item in &subscription.items {
                if let Some(meter) = meter_of(item) {
                    let period = Period {
                        start: item.usage_start(),
                        end: *at,
                    };
                    asked.push(Asked {
                        meter: meter.clone(),
                        customer: subscription.customer.clone(),
                        period,
                    });
                    askers.push((index, item));
                }
            }
        }
        // What decisions on a ground have billed and not committed is not counted there.
        if !asked.is_empty() {
            self.alone()?;
        }
        let counted = self.usage_of_many(scope, &asked).await?;
        for ((index, item), counted) in askers.into_iter().zip(counted) {
            if let Some(one) = metered.get_mut(index) {
                one.usage.push(Usage {
                    item: item.id.clone(),
                    quantity: counted.billable()?,
                });
            }
        }
        self.add_owed(scope, steps, &mut metered).await?;
        Ok(metered)
    }

    /// Adds what is owed of earlier stretches that no draft is about to bring up to date.
    async fn add_owed(
        &self,
        scope: &Scope,
        steps: &[(&Subscription, Timestamp)],
        metered: &mut [Metered],
    ) -> Result<(), Refused> {
        let ids: Vec<String> = steps
            .iter()
            .filter(|(subscription, _)| {
                subscription.owes_usage
                    || subscription
                        .items
                        .iter()
                        .any(|item| meter_of(item).is_some())
            })
            .map(|(subscription, _)| subscription.id.to_string())
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        self.alone()?;
        let spans = {
            let mut read = self.store.read().await?;
            usage::open_spans(&mut read, scope, &ids).await?
        };
        let spans: Vec<Stored<Span>> = spans
            .into_iter()
            .filter(|span| span.draft.is_none())
            .collect();
        let places: HashMap<&str, usize> = steps
            .iter()
            .enumerate()
            .map(|(place, (own, _))| (own.id.as_str(), place))
            .collect();
        let now = self.now();
        for (span, used) in self.used_of(scope, spans).await? {
            let place = places.get(span.subscription.as_str());
            let Some(one) = place.and_then(|place| metered.get_mut(*place)) else {
                continue;
            };
            let mut span = Edit::of(span);
            let item = span.bill(used, now, &mut self.ids());
            if let Some(item) = item.map_err(|_| Refused::TooLarge)? {
                one.owed.push(item);
                one.spans.push(span);
            }
        }
        Ok(())
    }

    /// Brings a draft's lines of usage up to date, just before it becomes final. Answers with the
    /// spans to be saved with it.
    pub(crate) async fn refresh_usage(
        &self,
        scope: &Scope,
        invoice: &mut Invoice,
        customer: &Customer,
        subscription: Option<&Subscription>,
    ) -> Result<Vec<Edit<Span>>, Refused> {
        let metered = |line: &perennial::invoice::Line| line.kind == LineKind::Usage;
        if invoice.status != InvoiceStatus::Draft || !invoice.lines.iter().any(metered) {
            return Ok(Vec::new());
        }
        let laid = self.shared(scope);
        let spans = match laid.and_then(|own| own.take_drafted(invoice.id.as_str())) {
            Some(spans) => spans,
            None => {
                self.alone()?;
                let draft = [invoice.id.to_string()];
                let spans = {
                    let mut read = self.store.read().await?;
                    usage::drafted_spans(&mut read, scope, &draft).await?
                };
                self.used_of(scope, spans).await?
            }
        };
        let mut edits = Vec::with_capacity(spans.len());
        let mut changed = false;
        for (span, used) in spans {
            let mut span = Edit::of(span);
            let line = invoice.lines.iter_mut().find(|line| {
                metered(line)
                    && line.invoice_item.is_none()
                    && line.subscription_item.as_ref() == Some(&span.item)
                    && line.period == span.period
            });
            if let Some(line) = line
                && used != span.billed
            {
                let amount = span.amount_minor(used);
                line.amount_minor = amount.map_err(|_| Refused::TooLarge)?;
                line.quantity = Some(whole_units(used));
                line.quantity_decimal = fraction_of(used);
                line.description = format!("{used} × {}", span.price.product_name);
                span.billed = used;
                changed = true;
            }
            span.draft = None;
            edits.push(span);
        }
        if changed {
            invoice.reprice(customer, subscription, self.now())?;
        }
        Ok(edits)
    }

    /// Settles a span for which nothing can come any more: what is still owed waits for the customer's
    /// next invoice.
    pub(crate) async fn settle_span(&self, scope: &Scope, id: &str) -> Result<(), Refused> {
        let mut span: Edit<Span> = Edit::of(self.find(scope, id).await?);
        let now = self.now();
        if span.settles_at.is_none_or(|at| at > now) {
            return Ok(());
        }
        let subscription: Stored<Subscription> =
            self.find(scope, span.subscription.as_str()).await?;
        let mut owed = None;
        if let Some(asked) = asked_of(&span) {
            let used = self.usage_of(scope, asked).await?.billable()?;
            let item = span.bill(used, now, &mut self.ids());
            owed = item.map_err(|_| Refused::TooLarge)?;
        }
        if let Some(item) = &mut owed
            && subscription.status.is_final()
        {
            // It has no next invoice of its own.
            item.line.subscription = None;
            item.line.subscription_item = None;
        }
        span.draft = None;
        span.settles_at = None;
        let mut booking = Booking::begin(self, scope).await?;
        booking.save_quietly(&mut span).await?;
        if let Some(item) = owed {
            booking.insert(item).await?;
        }
        booking.commit().await
    }

    /// What a subscription's metered items come to so far, in minor units, before discounts and tax:
    /// for amounts that trigger an invoice.
    ///
    /// # Errors
    /// When an amount can't be computed.
    pub async fn usage_amount_minor(
        &self,
        scope: &Scope,
        subscription: &Subscription,
    ) -> Result<i64, Refused> {
        let metered = self.metered(scope, subscription, self.now()).await?;
        let mut sum = 0_i64;
        for own in &metered.usage {
            let item = subscription.items.iter().find(|item| item.id == own.item);
            let Some(item) = item else { continue };
            let amount = item.usage_amount_minor(own.quantity);
            sum = sum
                .checked_add(amount.map_err(|_| Refused::TooLarge)?)
                .ok_or(Refused::TooLarge)?;
        }
        Ok(sum)
    }
}

impl Metered {
    /// Writes what an invoice billed: a span for each line of usage, and what was owed as items that
    /// it took up. `None` when there was no invoice: what is owed waits then.
    pub(crate) async fn book(
        self,
        booking: &mut Booking<'_>,
        subscription: &Subscription,
        before: &Subscription,
        invoice: Option<&Invoice>,
        taken: &[InvoiceItemId],
        now: Timestamp,
    ) -> Result<(), Refused> {
        let mut owed = self.owed;
        for item in &mut owed {
            if taken.contains(&item.id) {
                item.invoice = invoice.map(|own| own.id.clone());
            }
        }
        booking.insert_all(owed).await?;
        for mut span in self.spans {
            booking.save_quietly(&mut span).await?;
        }
        let Some(invoice) = invoice else {
            return Ok(());
        };
        let lines = invoice
            .lines
            .iter()
            .filter(|line| line.kind == LineKind::Usage && line.invoice_item.is_none());
        let mut spans = Vec::new();
        for line in lines {
            let item = before
                .items
                .iter()
                .find(|item| Some(&item.id) == line.subscription_item.as_ref());
            let Some(item) = item.filter(|item| meter_of(item).is_some()) else {
                continue;
            };
            let mut span = Span::of(subscription, item, line.period, now, &mut booking.ids());
            let units = i64::try_from(line.quantity.unwrap_or(0)).unwrap_or(i64::MAX);
            span.billed = line
                .quantity_decimal
                .unwrap_or(Decimal12::from_integer(units));
            span.told = true;
            span.draft = (invoice.status == InvoiceStatus::Draft).then(|| invoice.id.clone());
            spans.push(span);
        }
        booking.insert_all(spans).await
    }

    /// Forgets what was owed of stretches that no invoice has told of: their subscription ends, and
    /// nothing more is to be billed, as at Stripe.
    pub(crate) async fn discard(self, booking: &mut Booking<'_>) -> Result<(), Refused> {
        for mut span in self.spans {
            if !span.before().told {
                span.settles_at = None;
                booking.save_quietly(&mut span).await?;
            }
        }
        Ok(())
    }
}

/// What was used of metered items in the running periods of subscriptions; no statement where nothing
/// is metered.
pub(crate) async fn running_usage(
    connection: &mut AnyConnection,
    scope: &Scope,
    subscriptions: &[Stored<Subscription>],
) -> Result<Vec<Usage>, StoreError> {
    let (mut asked, mut items) = (Vec::new(), Vec::new());
    for subscription in subscriptions {
        for item in subscription
            .items
            .iter()
            .filter(|_| subscription.status.is_billing())
        {
            let Some(meter) = meter_of(item) else {
                continue;
            };
            asked.push(Asked {
                meter: meter.clone(),
                customer: subscription.customer.clone(),
                period: Period {
                    start: item.usage_start(),
                    end: item.current_period.end,
                },
            });
            items.push(item.id.clone());
        }
    }
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let counted = count_many(connection, scope, &asked).await?;
    let used = items.into_iter().zip(counted).map(|(item, counted)| Usage {
        item,
        quantity: counted.billable().unwrap_or(Decimal12::MAX),
    });
    Ok(used.collect())
}
