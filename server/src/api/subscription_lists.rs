//! `GET /v1/subscriptions`

use serde_json::Value;

use super::exchange::Call;
use super::paging::{self, Created};
use super::params::Params;
use super::problem::Problem;
use crate::rendering::whole;
use crate::store::document::{Column, ListSql, PageRequest};
use crate::store::listing;
use crate::store::narrowing::Choosy;

const URL: &str = "/v1/subscriptions";
const LIVE: [&str; 6] = [
    "trialing",
    "active",
    "incomplete",
    "past_due",
    "unpaid",
    "paused",
];
const ENDED: [&str; 2] = ["canceled", "incomplete_expired"];

/// What a list is narrowed by; '' and [`Created::EVER`] narrow nothing.
struct Narrowed {
    created: Created,
    statuses: Vec<&'static str>,
    customer: String,
    collection_method: String,
    period_start: Created,
    period_end: Created,
    price: String,
    test_clock: String,
}

/// The statuses that a name means. Without one, ended subscriptions are left out.
fn statuses(name: Option<&str>) -> Vec<&'static str> {
    let all = || LIVE.iter().chain(&ENDED).copied();
    match name {
        None => LIVE.to_vec(),
        Some("all") => all().collect(),
        Some("ended") => ENDED.to_vec(),
        Some(one) => all().filter(|known| *known == one).collect(),
    }
}

fn narrowed(params: &mut Params) -> Narrowed {
    let mut names = vec!["all", "ended"];
    names.extend(LIVE.iter().chain(&ENDED));
    let status: Option<String> = params.choice("status", &names);
    let method: Option<String> = params.choice(
        "collection_method",
        &["charge_automatically", "send_invoice"],
    );
    let automatic_tax = params.object("automatic_tax", |p| {
        let enabled = p.boolean("enabled");
        p.required("enabled", enabled)
    });
    let (price, plan) = (params.text("price"), params.text("plan"));
    if price.is_some() && plan.is_some() {
        let message = "You may only specify one of these parameters: price, plan.";
        params.refuse("plan", message);
    }
    Narrowed {
        created: paging::created(params),
        statuses: match automatic_tax.flatten() {
            // Taxes are computed automatically for none.
            Some(true) => Vec::new(),
            Some(false) | None => statuses(status.as_deref()),
        },
        customer: params.text("customer").unwrap_or_default(),
        collection_method: method.unwrap_or_default(),
        period_start: paging::range(params, "current_period_start"),
        period_end: paging::range(params, "current_period_end"),
        price: price.or(plan).unwrap_or_default(),
        test_clock: params.text("test_clock").unwrap_or_default(),
    }
}

impl Narrowed {
    /// The statement that begins with what narrows most.
    async fn sql(&self, call: &Call) -> Result<ListSql, Problem> {
        let (start, end) = (self.period_start, self.period_end);
        let (choosy, [few, many]) = if !self.customer.is_empty() {
            return Ok(listing::SUBSCRIPTIONS_BY_CUSTOMER);
        } else if !self.test_clock.is_empty() {
            return Ok(listing::SUBSCRIPTIONS_BY_TEST_CLOCK);
        } else if !self.price.is_empty() {
            (Choosy::Price(&self.price), listing::SUBSCRIPTIONS_BY_PRICE)
        } else if end != Created::EVER {
            let own = Choosy::PeriodEnd(end.from, end.until);
            (own, listing::SUBSCRIPTIONS_BY_PERIOD_END)
        } else if start != Created::EVER {
            let own = Choosy::PeriodStart(start.from, start.until);
            (own, listing::SUBSCRIPTIONS_BY_PERIOD_START)
        } else if !self.collection_method.is_empty() {
            return Ok(listing::SUBSCRIPTIONS_BY_COLLECTION);
        } else {
            return Ok(listing::SUBSCRIPTIONS);
        };
        let mut read = call.api.engine.store.read().await?;
        let is_few = choosy.is_few(&mut read, &call.scope).await?;
        Ok(if is_few { few } else { many })
    }

    /// As the statements bind them. Subscriptions of test clocks are shown where one is named, or a
    /// customer, as at Stripe.
    fn columns(self) -> Vec<Column> {
        let clocks = !self.test_clock.is_empty() || !self.customer.is_empty();
        let mut filter = self.created.columns().to_vec();
        let places = self.statuses.into_iter().chain(std::iter::repeat(""));
        filter.extend(places.take(LIVE.len() + ENDED.len()).map(Column::text));
        filter.push(Column::text(self.customer));
        filter.push(Column::text(self.collection_method));
        filter.extend(self.period_start.bounds());
        filter.extend(self.period_end.bounds());
        filter.push(Column::text(self.price));
        filter.push(Column::text(self.test_clock));
        filter.push(Column::Number(Some(i64::from(clocks))));
        filter
    }
}

pub(super) async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, narrowed): (PageRequest, Narrowed) =
        call.read(|p| (paging::page(p), narrowed(p)))?;
    let sql = narrowed.sql(&call).await?;
    let filter = narrowed.columns();
    paging::answer(&call, sql, &page, &filter, URL, whole::subscription).await
}
