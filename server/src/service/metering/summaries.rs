//! What was used by hour, by day, or in all.

use perennial::calendar::{Period, Timestamp};
use perennial::decimal::Decimal12;
use perennial::id::{CustomerId, MeterId};
use perennial::usage::{Meter, TimeWindow};

use crate::service::usage::Asked;
use crate::service::{Engine, Refused};
use crate::store::usage::{self, Stretches};
use crate::store::{Scope, document};

/// What is to be summed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryRequest {
    /// Which meter.
    pub meter: MeterId,
    /// Whose.
    pub customer: CustomerId,
    /// From when until when; whole minutes, or whole windows.
    pub period: Period,
    /// By hour or day, or all in one.
    pub window: Option<TimeWindow>,
    /// How many, 1 to 100.
    pub limit: u32,
    /// Only windows before the one of this id.
    pub starting_after: Option<String>,
    /// Only windows after the one of this id.
    pub ending_before: Option<String>,
}

/// What a customer used of a meter in a stretch of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Which meter.
    pub meter: MeterId,
    /// The stretch.
    pub period: Period,
    /// What it came to.
    pub value: Decimal12,
    account: i64,
}

impl Summary {
    /// An id that says where the stretch lies, so that lists can go on from it.
    #[must_use]
    pub fn id(&self) -> String {
        let (start, end) = (self.period.start.0, self.period.end.0);
        format!("mtrsum_{:x}_{start}_{end}", self.account)
    }
}

/// The start that a summary's id names.
fn start_of(id: &str) -> Option<i64> {
    let mut parts = id.strip_prefix("mtrsum_")?.split('_');
    parts.nth(1)?.parse().ok()
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryPage {
    /// Newest first.
    pub summaries: Vec<Summary>,
    /// Whether there is more in the direction of paging.
    pub has_more: bool,
}

impl Engine {
    /// Sums up a customer's usage, newest window first. Windows in which nothing was reported are
    /// left out; without windows there is always exactly one summary.
    ///
    /// # Errors
    /// When the meter is not there, or bounds do not fit.
    pub async fn usage_summaries(
        &self,
        scope: &Scope,
        request: SummaryRequest,
    ) -> Result<SummaryPage, Refused> {
        let meter = self
            .find::<Meter>(scope, request.meter.as_str())
            .await?
            .value;
        let Period { start, end } = request.period;
        let step = request.window.map_or(60, TimeWindow::seconds);
        for (param, at) in [("start_time", start), ("end_time", end)] {
            if at.0.rem_euclid(step) != 0 {
                let unit = match request.window {
                    None => "minute",
                    Some(TimeWindow::Hour) => "hour",
                    Some(TimeWindow::Day) => "UTC day",
                };
                let message = format!("{param} must be aligned with {unit} boundaries.");
                return Err(Refused::invalid(param, message));
            }
        }
        if end <= start {
            return Err(Refused::invalid(
                "end_time",
                "end_time must be after start_time.",
            ));
        }
        let mut read = self.store.read().await?;
        let customer = request.customer.as_str();
        let known = document::load::<perennial::customer::Customer>(&mut read, scope, customer);
        if known.await?.is_none() {
            return Err(Refused::NotFound {
                kind: "customer",
                id: customer.to_owned(),
                param: Some("customer".to_owned()),
            });
        }
        let names = [customer.to_owned()];
        let accounts = usage::accounts(&mut read, scope, meter.id.as_str(), &names).await?;
        let account = accounts.first().map_or(0, |(_, account)| *account);
        drop(read);
        if request.window.is_some() {
            return self
                .summaries_by_window(scope, &meter, account, &request, step)
                .await;
        }
        let asked = Asked {
            meter: request.meter.clone(),
            customer: request.customer.clone(),
            period: request.period,
        };
        let counted = self.usage_of(scope, asked).await?;
        let value = counted
            .total
            .value(meter.formula)
            .map_err(|_| Refused::TooLarge)?;
        let one = Summary {
            meter: meter.id,
            period: request.period,
            value,
            account,
        };
        let cursor = request.starting_after.or(request.ending_before);
        Ok(SummaryPage {
            summaries: if cursor.is_some() {
                Vec::new()
            } else {
                vec![one]
            },
            has_more: false,
        })
    }

    async fn summaries_by_window(
        &self,
        scope: &Scope,
        meter: &Meter,
        account: i64,
        request: &SummaryRequest,
        step: i64,
    ) -> Result<SummaryPage, Refused> {
        let (mut from, mut until) = (request.period.start.0, request.period.end.0);
        let cursor = |param: &str, id: &str| {
            start_of(id).ok_or_else(|| Refused::NotFound {
                kind: "billing.meter_event_summary",
                id: id.to_owned(),
                param: Some(param.to_owned()),
            })
        };
        if let Some(id) = &request.starting_after {
            until = until.min(cursor("starting_after", id)?);
        }
        if let Some(id) = &request.ending_before {
            from = from.max(cursor("ending_before", id)?.saturating_add(step));
        }
        let rising = request.ending_before.is_some();
        let limit = request.limit as usize;
        let wanted = Stretches {
            step,
            from,
            until,
            rising,
            limit: i64::from(request.limit) + 1,
        };
        let mut read = self.store.read().await?;
        let mut rows = usage::stretches(&mut read, scope, account, meter.formula, wanted).await?;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        if rising {
            rows.reverse();
        }
        let summaries = rows.into_iter().map(|(start, total)| {
            let value = total.value(meter.formula).map_err(|_| Refused::TooLarge)?;
            Ok(Summary {
                meter: meter.id.clone(),
                period: Period {
                    start: Timestamp(start),
                    end: Timestamp(start.saturating_add(step)),
                },
                value,
                account,
            })
        });
        Ok(SummaryPage {
            summaries: summaries.collect::<Result<_, Refused>>()?,
            has_more,
        })
    }
}
