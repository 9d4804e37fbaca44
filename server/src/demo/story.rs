//! What happened to Halden's customers, day by day.

use std::collections::HashMap;

use perennial::calendar::{Cadence, Timestamp};
use perennial::customer::Address;
use perennial::id::{CouponId, CustomerId, SubscriptionId, TaxRateId};
use perennial::metadata::Metadata;
use perennial::payment::BillingDetails;
use perennial::portal::ScheduleCondition;
use perennial::subscription::{Feedback, ItemChange, ProrationBehavior, Subscription};

use super::catalogue::{self, Catalogue, Plan, RUNS_EVENT};
use super::people::{
    self, ANA, ARCWELL, CAMILLE, GRACE, JONAS, KESSLER, LIN, MAYA, NOOR, PRIYA, Person, SATO, TOM,
};
use super::rules::{self, OFFER, OPEN_DOORS};
use crate::clock::MovingClock;
use crate::gateway::CardDetails;
use crate::gateway::sandbox::from_test_name;
use crate::service::customers::{CustomerUpdate, NewTaxId};
use crate::service::metering::{Naming, NewEvent};
use crate::service::subscriptions::{NewItem, NewSubscription};
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document;

const HOUR_SECONDS: i64 = 3_600;
const DAY_SECONDS: i64 = 86_400;
/// Pieces of work of one kind in one sweep.
const SWEEP_MAX: u32 = 256;
/// Sweeps in one moment; more would mean that something is due for ever.
const SWEEPS_MAX: usize = 64;

/// Something that somebody did.
enum Act {
    Join {
        items: Vec<(Plan, u64)>,
        cadence: Cadence,
        trial_days: Option<i64>,
        coupon: Option<&'static str>,
    },
    /// A new default card, by Stripe's test name.
    Card(&'static str),
    /// A new default card that expires next month.
    ExpiringCard,
    /// Other terms for the first item, as the portal does it.
    Change {
        plan: Plan,
        cadence: Cadence,
        quantity: u64,
    },
    /// Credit from the merchant, in minor units.
    Goodwill(i64),
    Leave {
        feedback: Feedback,
        comment: &'static str,
    },
}

struct Happening {
    at: Timestamp,
    who: &'static str,
    act: Act,
}

/// Lives from `start` to `now`.
pub(super) async fn live(
    engine: &Engine,
    clock: &MovingClock,
    scope: &Scope,
    start: Timestamp,
    now: Timestamp,
) -> Result<(), Refused> {
    let catalogue = catalogue::make(engine, scope).await?;
    let rates = rules::tax_rates(engine, scope).await?;
    rules::coupons(engine, scope).await?;
    let mut life = Life {
        engine,
        clock,
        scope,
        catalogue,
        rates,
        people: HashMap::new(),
        running: Vec::new(),
    };
    let mut happenings = happenings(start, now)?;
    happenings.sort_by_key(|happening| happening.at);
    for happening in happenings {
        life.until(happening.at).await?;
        life.happen(&happening).await?;
    }
    life.until(now).await?;
    rules::portal(engine, scope, &life.catalogue).await
}

/// What happens, in any order.
fn happenings(start: Timestamp, now: Timestamp) -> Result<Vec<Happening>, Refused> {
    use Plan::{Business, Runs, Starter, Support, Team};
    let (monthly, yearly) = (Cadence::MONTHLY, Cadence::YEARLY);
    let ago = |days: i64, hour: i64| {
        let day = now.0.saturating_sub(days.saturating_mul(86_400));
        Timestamp(
            day.saturating_sub(hour.saturating_mul(HOUR_SECONDS))
                .max(start.0 + HOUR_SECONDS),
        )
    };
    // A whole number of periods before a moment, so that a boundary falls there.
    let periods = |cadence: Cadence, before: Timestamp, count: i64| {
        cadence
            .boundary(before, -count)
            .map_err(|error| Refused::Defect(error.to_string()))
    };
    let join = |items: &[(Plan, u64)], cadence| Act::Join {
        items: items.to_vec(),
        cadence,
        trial_days: None,
        coupon: None,
    };
    let offered = |items: &[(Plan, u64)], coupon| Act::Join {
        items: items.to_vec(),
        cadence: monthly,
        trial_days: None,
        coupon: Some(coupon),
    };
    let change = |plan, cadence, quantity| Act::Change {
        plan,
        cadence,
        quantity,
    };
    let visa = || Act::Card("pm_card_visa");
    let (maya, kessler) = (ago(393, 2), ago(392, 5));
    let tom = periods(monthly, ago(3, 4), 12)?;
    let lin = ago(380, 7);
    let list = vec![
        (maya, MAYA, visa()),
        (maya, MAYA, join(&[(Starter, 2)], monthly)),
        (ago(301, 3), MAYA, change(Starter, monthly, 3)),
        (ago(212, 6), MAYA, change(Team, monthly, 3)),
        (ago(87, 1), MAYA, change(Team, monthly, 5)),
        (kessler, KESSLER, Act::Card("pm_card_mastercard")),
        (kessler, KESSLER, join(&[(Business, 10)], yearly)),
        (ago(160, 4), KESSLER, change(Business, yearly, 12)),
        (ago(371, 8), CAMILLE, Act::Card("pm_card_fr")),
        (ago(371, 8), CAMILLE, offered(&[(Team, 3)], OFFER)),
        (ago(355, 9), SATO, Act::Card("pm_card_jp")),
        (ago(355, 9), SATO, join(&[(Team, 6)], monthly)),
        (ago(143, 2), SATO, change(Team, monthly, 8)),
        (lin, LIN, Act::Card("pm_card_cn")),
        (lin, LIN, join(&[(Business, 4)], monthly)),
        (ago(2, 3), LIN, change(Team, monthly, 4)),
        (ago(340, 11), NOOR, visa()),
        (ago(340, 11), NOOR, join(&[(Team, 4)], monthly)),
        (tom, TOM, Act::Card("pm_card_gb")),
        (tom, TOM, join(&[(Team, 4)], monthly)),
        (ago(9, 2), TOM, Act::Card("pm_card_chargeCustomerFail")),
        (
            ago(12, 0),
            PRIYA,
            Act::Join {
                items: vec![(Business, 6)],
                cadence: monthly,
                trial_days: Some(14),
                coupon: None,
            },
        ),
        (ago(310, 5), ANA, visa()),
        (ago(310, 5), ANA, join(&[(Starter, 3)], monthly)),
        (
            ago(1, 6),
            ANA,
            Act::Leave {
                feedback: Feedback::TooExpensive,
                comment: "We are closing the second workshop.",
            },
        ),
        (ago(356, 6), ARCWELL, Act::Card("pm_card_amex")),
        (
            ago(356, 6),
            ARCWELL,
            join(&[(Business, 18), (Support, 1), (Runs, 0)], monthly),
        ),
        (ago(240, 3), ARCWELL, change(Business, monthly, 22)),
        (ago(52, 8), ARCWELL, change(Business, monthly, 25)),
        (ago(388, 4), JONAS, Act::Card("pm_card_se")),
        (ago(388, 4), JONAS, join(&[(Team, 5)], monthly)),
        (ago(205, 7), JONAS, change(Team, yearly, 5)),
        (ago(20, 2), JONAS, Act::ExpiringCard),
        (ago(17, 5), JONAS, Act::Goodwill(2_500)),
        (ago(330, 10), GRACE, Act::Card("pm_card_ca")),
        (ago(330, 10), GRACE, offered(&[(Team, 6)], OPEN_DOORS)),
    ];
    Ok(list
        .into_iter()
        .map(|(at, who, act)| Happening { at, who, act })
        .collect())
}

/// Who has come so far.
struct Known {
    customer: CustomerId,
    subscription: Option<SubscriptionId>,
}

struct Life<'a> {
    engine: &'a Engine,
    clock: &'a MovingClock,
    scope: &'a Scope,
    catalogue: Catalogue,
    rates: HashMap<&'static str, TaxRateId>,
    people: HashMap<&'static str, Known>,
    /// Who pays by run, and since when.
    running: Vec<(CustomerId, Timestamp)>,
}

impl Life<'_> {
    /// Does everything in its moment until `end`.
    async fn until(&self, end: Timestamp) -> Result<(), Refused> {
        loop {
            for _ in 0..SWEEPS_MAX {
                if self.engine.run_due(self.engine.now(), SWEEP_MAX).await? == 0 {
                    break;
                }
            }
            match self.engine.next_due_at().await? {
                Some(next) if next <= end && next > self.engine.now() => {
                    self.work_until(next).await?;
                }
                _ if self.engine.now() < end => self.work_until(end).await?,
                _ => return Ok(()),
            }
        }
    }

    /// Goes to a moment, and reports what ran until then while it still belongs to the periods before it.
    async fn work_until(&self, moment: Timestamp) -> Result<(), Refused> {
        let before = self.engine.now();
        self.clock.advance_to(Timestamp(moment.0 - 1));
        let mut events = Vec::new();
        for (customer, since) in &self.running {
            // Each day is counted at 17:00 UTC.
            let counted = |at: i64| at.saturating_sub(17 * HOUR_SECONDS).div_euclid(DAY_SECONDS);
            let first = counted(before.0.max(since.0) - 1) + 1;
            for day in first..=counted(moment.0 - 1) {
                let runs = runs_of(day, counted(since.0));
                events.push(NewEvent {
                    event_name: RUNS_EVENT.to_owned(),
                    identifier: Some(format!("{customer}-{day}")),
                    at: Some(Timestamp(day * DAY_SECONDS + 17 * HOUR_SECONDS)),
                    payload: vec![
                        ("stripe_customer_id".to_owned(), customer.to_string()),
                        ("value".to_owned(), runs.to_string()),
                    ],
                    now: None,
                });
            }
        }
        if !events.is_empty() {
            let naming = Naming::Listed;
            self.engine.report_usage(self.scope, events, naming).await?;
        }
        self.clock.advance_to(moment);
        Ok(())
    }

    async fn happen(&mut self, happening: &Happening) -> Result<(), Refused> {
        let person = people::ALL
            .iter()
            .find(|person| person.email == happening.who);
        let person = person.ok_or_else(|| Refused::Defect("nobody of that name".to_owned()))?;
        let customer = self.meet(person).await?;
        let (engine, scope) = (self.engine, self.scope);
        match &happening.act {
            Act::Join {
                items,
                cadence,
                trial_days,
                coupon,
            } => {
                let id = self
                    .join(person, items, *cadence, *trial_days, *coupon)
                    .await?;
                if items.iter().any(|(plan, _)| *plan == Plan::Runs) {
                    self.running.push((customer, engine.now()));
                }
                if let Some(known) = self.people.get_mut(person.email) {
                    known.subscription = Some(id);
                }
            }
            Act::Card(name) => {
                let mut card = from_test_name(name, engine.now())
                    .ok_or_else(|| Refused::Defect(format!("the bank knows no {name}")))?;
                // Still good after the year that the story takes.
                card.exp_year += 3;
                self.take_card(person, &customer, card).await?;
            }
            Act::ExpiringCard => {
                let next_month = engine.now().add_days(45).unwrap_or(engine.now()).civil();
                let card = CardDetails {
                    number: "5555555555554444".to_owned(),
                    exp_month: i64::from(next_month.month),
                    exp_year: next_month.year,
                    cvc: Some("123".to_owned()),
                    name: Some(person.name.to_owned()),
                };
                self.take_card(person, &customer, card).await?;
            }
            Act::Change {
                plan,
                cadence,
                quantity,
            } => {
                let id = self.subscription(person)?;
                let price = self
                    .catalogue
                    .price(*plan, person.currency, *cadence)?
                    .clone();
                let own: document::Stored<Subscription> = engine.find(scope, id.as_str()).await?;
                let item = own.items.first().map(|item| item.id.clone());
                let item = item.ok_or_else(|| Refused::Defect("no items".to_owned()))?;
                let change = ItemChange::Set {
                    item,
                    price: Some(price),
                    quantity: Some(*quantity),
                };
                let (now, waits) = (
                    ProrationBehavior::AlwaysInvoice,
                    ScheduleCondition::DecreasingItemAmount,
                );
                let quote = engine
                    .quote_change(scope, &id, vec![change], now, &[waits])
                    .await?;
                engine.confirm_quote(scope, &quote.id, true).await?;
            }
            Act::Goodwill(minor) => {
                let note = Some("Sorry for the outage on the calendar page.".to_owned());
                let credit = (-minor, person.currency);
                engine
                    .adjust_balance(scope, &customer, credit, note, Metadata::default())
                    .await?;
            }
            Act::Leave { feedback, comment } => {
                let (id, comment) = (self.subscription(person)?, Some((*comment).to_owned()));
                engine
                    .cancel_at_period_end(scope, &id, Some(*feedback), comment)
                    .await?;
            }
        }
        Ok(())
    }

    fn subscription(&self, person: &Person) -> Result<SubscriptionId, Refused> {
        let known = self
            .people
            .get(person.email)
            .and_then(|known| known.subscription.clone());
        known.ok_or_else(|| Refused::Defect(format!("{} has not joined", person.name)))
    }

    /// The customer, made the first time.
    async fn meet(&mut self, person: &'static Person) -> Result<CustomerId, Refused> {
        if let Some(known) = self.people.get(person.email) {
            return Ok(known.customer.clone());
        }
        let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let [line1, city, state, postal_code, country] = person.address;
        let address = Address {
            line1: said(line1),
            line2: None,
            city: said(city),
            state: said(state),
            postal_code: said(postal_code),
            country: said(country),
        };
        let new = CustomerUpdate {
            name: Some(said(person.name)),
            email: Some(said(person.email)),
            phone: Some(said(person.phone)),
            address: Some(Some(address)),
            tax_exempt: Some(person.tax_exempt),
            preferred_locales: Some(vec![person.locale.to_owned()]),
            ..CustomerUpdate::default()
        };
        let tax_ids = person.tax_id.map(|(kind, value)| NewTaxId {
            kind: kind.to_owned(),
            value: value.to_owned(),
        });
        let tax_ids = tax_ids.into_iter().collect();
        let customer = self
            .engine
            .create_customer(self.scope, new, tax_ids)
            .await?
            .value
            .id;
        let known = Known {
            customer: customer.clone(),
            subscription: None,
        };
        self.people.insert(person.email, known);
        Ok(customer)
    }

    async fn take_card(
        &self,
        person: &Person,
        customer: &CustomerId,
        card: CardDetails,
    ) -> Result<(), Refused> {
        let (engine, scope) = (self.engine, self.scope);
        let details = BillingDetails {
            name: Some(person.name.to_owned()),
            email: Some(person.email.to_owned()),
            ..BillingDetails::default()
        };
        let method = engine.create_payment_method(scope, card, details).await?;
        engine
            .attach_payment_method(scope, &method.id, customer)
            .await?;
        engine
            .set_default_payment_method(scope, customer, &method.id)
            .await?;
        Ok(())
    }

    async fn join(
        &self,
        person: &Person,
        items: &[(Plan, u64)],
        cadence: Cadence,
        trial_days: Option<i64>,
        coupon: Option<&str>,
    ) -> Result<SubscriptionId, Refused> {
        let defect = |error: String| Refused::Defect(error);
        let mut wanted = Vec::with_capacity(items.len());
        for (plan, quantity) in items {
            let price = self.catalogue.price(*plan, person.currency, cadence)?;
            wanted.push(match plan {
                Plan::Runs => NewItem::metered(price.id.clone()),
                _ => NewItem::new(price.id.clone(), *quantity),
            });
        }
        let customer = self
            .people
            .get(person.email)
            .map(|known| known.customer.clone());
        let customer = customer.ok_or_else(|| defect("nobody of that name".to_owned()))?;
        let trial_end = match trial_days {
            Some(days) => Some(
                self.engine
                    .now()
                    .add_days(days)
                    .map_err(|e| defect(e.to_string()))?,
            ),
            None => None,
        };
        let discounts = match coupon {
            Some(id) => vec![
                CouponId::parse(id)
                    .map_err(|e| defect(e.to_string()))?
                    .into(),
            ],
            None => Vec::new(),
        };
        let country = person.address.last().copied().unwrap_or_default();
        let new = NewSubscription {
            trial_end,
            discounts,
            default_tax_rates: self.rates.get(country).cloned().into_iter().collect(),
            ..NewSubscription::new(customer, wanted)
        };
        Ok(self
            .engine
            .create_subscription(self.scope, new)
            .await?
            .value
            .id)
    }
}

/// Automation runs of a day, as they might have been counted: more each month, fewer at weekends, never the same.
fn runs_of(day: i64, since: i64) -> i64 {
    let months = day.saturating_sub(since) / 30;
    let workday = !matches!(day.rem_euclid(7), 2 | 3);
    let usual = if workday { 96 + months * 12 } else { 21 };
    usual + (day * 7_919).rem_euclid(43)
}
