//! `/v1/subscription_schedules`

use perennial::id::{CustomerId, SubscriptionId, SubscriptionScheduleId};
use perennial::schedule::{EndBehavior, PHASES_MAX, Schedule};
use perennial::subscription::{BillingMode, ProrationBehavior};
use serde_json::Value;

use super::exchange::{Call, Routes, get, post};
use super::paging;
use super::params::Params;
use super::payment_methods::customer_param;
use super::phases::{defaults, new_defaults, phase, start_date};
use super::portal_configurations::PRORATIONS;
use super::problem::Problem;
use super::setup_intents;
use crate::rendering::whole;
use crate::service::schedules::{NewSchedule, ScheduleUpdate};
use crate::service::subscriptions::Cancel;
use crate::store::document::Column;
use crate::store::listing;

const URL: &str = "/v1/subscription_schedules";
/// Current and future phases, and past ones sent again.
pub(super) const SENT_PHASES_MAX: usize = PHASES_MAX * 2;

/// The routes.
pub fn routes() -> Routes {
    let kind = "subscription_schedule";
    Routes::new()
        .route(
            URL,
            get("subscription_schedule list", list).merge(post(kind, create)),
        )
        .route(
            "/v1/subscription_schedules/{id}",
            get(kind, retrieve).merge(post(kind, update)),
        )
        .route("/v1/subscription_schedules/{id}/cancel", post(kind, cancel))
        .route(
            "/v1/subscription_schedules/{id}/release",
            post(kind, release),
        )
}

pub(super) fn end_behavior(params: &mut Params) -> Option<EndBehavior> {
    params.choice("end_behavior", &["cancel", "release"])
}

/// A new schedule: of a running subscription, or from phases.
enum Asked {
    From(SubscriptionId, perennial::metadata::Metadata),
    New(Box<NewSchedule>),
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let now = call.now;
    let asked = call.read(|p| {
        let from: Option<SubscriptionId> = p.id("from_subscription", "subscription");
        let metadata = setup_intents::metadata(p);
        if let Some(from) = from {
            for name in [
                "phases",
                "customer",
                "start_date",
                "end_behavior",
                "default_settings",
            ] {
                if p.has(name) {
                    let message =
                        format!("You may not specify `{name}` when `from_subscription` is passed.");
                    p.refuse(name, message);
                }
            }
            return Some(Asked::From(from, metadata));
        }
        let customer: Option<CustomerId> = p.id("customer", "customer");
        let phases = p.objects("phases", SENT_PHASES_MAX, phase);
        let mode = p.object("billing_mode", |mode| {
            let kind: Option<BillingMode> = mode.choice("type", &["classic", "flexible"]);
            mode.required("type", kind)
        });
        let new = NewSchedule {
            start: start_date(p, now),
            end_behavior: end_behavior(p).unwrap_or_default(),
            defaults: new_defaults(p),
            billing_mode: mode.flatten().unwrap_or_default(),
            metadata,
            phases: p.required("phases", phases).unwrap_or_default(),
            customer: p.required("customer", customer)?,
        };
        Some(Asked::New(Box::new(new)))
    })?;
    let engine = &call.api.engine;
    let made = match asked.ok_or_else(Problem::internal)? {
        Asked::From(id, metadata) => {
            engine
                .schedule_from_subscription(&call.scope, &id, &metadata)
                .await?
        }
        Asked::New(new) => {
            let living = engine.living_customer(&call.scope, &new.customer).await;
            living.map_err(|refused| customer_param(refused, "customer"))?;
            let made = engine.create_schedule(&call.scope, *new).await;
            made.map_err(|refused| under_phase(refused.into()))?
        }
    };
    Ok(whole::subscription_schedule(&made, call.scope.livemode))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let found = call.find::<Schedule>().await?;
    Ok(whole::subscription_schedule(&found, call.scope.livemode))
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: SubscriptionScheduleId = call.id("subscription_schedule")?;
    let update = call.read(|p| {
        let proration: Option<ProrationBehavior> = p.choice("proration_behavior", &PRORATIONS);
        ScheduleUpdate {
            phases: p.objects("phases", SENT_PHASES_MAX, phase),
            end_behavior: end_behavior(p),
            defaults: defaults(p),
            proration_behavior: proration.unwrap_or_default(),
            metadata: p.metadata("metadata"),
        }
    })?;
    let engine = &call.api.engine;
    let changed = engine.update_schedule(&call.scope, &id, update).await;
    let changed = changed.map_err(|refused| under_phase(refused.into()))?;
    Ok(whole::subscription_schedule(&changed, call.scope.livemode))
}

async fn cancel(mut call: Call) -> Result<Value, Problem> {
    let id: SubscriptionScheduleId = call.id("subscription_schedule")?;
    let how = call.read(|p| Cancel {
        prorate: p.boolean("prorate").unwrap_or(true),
        invoice_now: p.boolean("invoice_now").unwrap_or(true),
        feedback: None,
        comment: None,
    })?;
    let engine = &call.api.engine;
    let ended = engine.cancel_schedule(&call.scope, &id, how).await?;
    Ok(whole::subscription_schedule(&ended, call.scope.livemode))
}

async fn release(mut call: Call) -> Result<Value, Problem> {
    let id: SubscriptionScheduleId = call.id("subscription_schedule")?;
    let keep = call.read(|p| p.boolean("preserve_cancel_date").unwrap_or(false))?;
    let engine = &call.api.engine;
    let released = engine.release_schedule(&call.scope, &id, keep).await?;
    Ok(whole::subscription_schedule(&released, call.scope.livemode))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, filter) = call.read(|p| {
        let mut filter = paging::created(p).columns().to_vec();
        filter.push(Column::text(p.text("customer").unwrap_or_default()));
        let scheduled = p.boolean("scheduled").unwrap_or(false);
        filter.push(Column::text(if scheduled { "not_started" } else { "" }));
        for name in ["canceled_at", "completed_at", "released_at"] {
            let sent = p.has(name);
            let range = paging::range(p, name);
            let from = if sent { range.from } else { -1 };
            filter.extend([from, range.until].map(|at| Column::Number(Some(at))));
        }
        (paging::page(p), filter)
    })?;
    let sql = listing::SCHEDULES;
    paging::answer(
        &call,
        sql,
        &page,
        &filter,
        URL,
        whole::subscription_schedule,
    )
    .await
}

/// What the subscription of the first phase refuses is a fault of that phase.
pub(super) fn under_phase(mut problem: Problem) -> Problem {
    const OWN: [&str; 4] = ["phases", "customer", "default_settings", "metadata"];
    if let Some(param) = &mut problem.param {
        let (first, rest) = match param.find('[') {
            Some(at) => param.split_at(at),
            None => (param.as_str(), ""),
        };
        if !OWN.contains(&first) {
            *param = format!("phases[0][{first}]{rest}");
        }
    }
    problem
}
