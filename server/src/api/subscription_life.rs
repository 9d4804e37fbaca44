//! What is done to a subscription beside updating it: `/pause`, `/resume`, `/migrate`, and
//! `DELETE /discount`.

use perennial::id::SubscriptionId;
use perennial::subscription::{ProrationBehavior, ResumeTerms, UnusedTimeFrom};
use serde_json::Value;

use super::exchange::{Call, Routes, delete, post};
use super::params::Params;
use super::portal_configurations::PRORATIONS;
use super::problem::Problem;
use super::subscription_updates::anchor_choice;
use crate::rendering::{deleted_discount, whole};
use crate::service::subscriptions::{Pause, Resume, ResumePayment};

/// The routes.
pub fn routes() -> Routes {
    let kind = "subscription";
    Routes::new()
        .route("/v1/subscriptions/{id}/pause", post(kind, pause))
        .route("/v1/subscriptions/{id}/resume", post(kind, resume))
        .route("/v1/subscriptions/{id}/migrate", post(kind, migrate))
        .route(
            "/v1/subscriptions/{id}/discount",
            delete("discount", delete_discount),
        )
}

/// `name[type]`, one of `names`.
fn kind(params: &mut Params, name: &str, names: &[&str]) -> Option<String> {
    let given = params.object(name, |p| {
        let kind: Option<String> = p.choice("type", names);
        p.required("type", kind)
    });
    given.flatten()
}

/// How a pause is asked for, but for its end.
pub(super) fn pause_terms(params: &mut Params) -> Pause {
    let _: Option<String> = params.choice("type", &["subscription"]);
    let bill = params.object("bill_for", |p| {
        let usage = kind(p, "outstanding_usage_through", &["now", "none"]);
        let time = kind(
            p,
            "unused_time_from",
            &["now", "item_current_period_start", "none"],
        );
        (usage, time)
    });
    let (usage, time) = bill.unwrap_or_default();
    let invoicing: Option<String> =
        params.choice("invoicing_behavior", &["invoice", "pending_invoice_item"]);
    Pause {
        unused_time_from: match time.as_deref() {
            Some("none") => UnusedTimeFrom::None,
            Some("item_current_period_start") => UnusedTimeFrom::ItemCurrentPeriodStart,
            _ => UnusedTimeFrom::Now,
        },
        forgives_usage: usage.as_deref() == Some("none"),
        invoice_now: invoicing.as_deref() == Some("invoice"),
        resumes_at: None,
    }
}

async fn pause(mut call: Call) -> Result<Value, Problem> {
    let id: SubscriptionId = call.id("subscription")?;
    let pause = call.read(|p| Pause {
        resumes_at: p.moment("resumes_at"),
        ..pause_terms(p)
    })?;
    let engine = &call.api.engine;
    let paused = engine.pause_subscription(&call.scope, &id, pause).await?;
    Ok(whole::subscription(&paused, call.scope.livemode))
}

fn resume_terms(params: &mut Params) -> Resume {
    let anchor = anchor_choice(params);
    let proration: Option<ProrationBehavior> = params.choice("proration_behavior", &PRORATIONS);
    let names = ["resume_on_payment_attempt", "resume_on_payment_success"];
    let payment: Option<String> = params.choice("payment_behavior", &names);
    Resume {
        terms: ResumeTerms {
            keeps_anchor: anchor.as_deref() == Some("unchanged"),
            proration_behavior: proration.unwrap_or_default(),
        },
        proration_date: params.moment("proration_date"),
        payment: match payment.as_deref() {
            Some("resume_on_payment_success") => ResumePayment::OnSuccess,
            _ => ResumePayment::OnAttempt,
        },
        on_session: true,
    }
}

async fn resume(mut call: Call) -> Result<Value, Problem> {
    let id: SubscriptionId = call.id("subscription")?;
    let resume = call.read(resume_terms)?;
    let engine = &call.api.engine;
    let resumed = engine.resume_subscription(&call.scope, &id, resume).await?;
    Ok(whole::subscription(&resumed, call.scope.livemode))
}

async fn migrate(mut call: Call) -> Result<Value, Problem> {
    let id: SubscriptionId = call.id("subscription")?;
    call.read(|p| {
        let mode = p.object("billing_mode", |mode| {
            mode.object("flexible", |flexible| {
                let _: Option<String> = flexible.choice("proration_discounts", &["included"]);
            });
            let kind: Option<String> = mode.choice("type", &["flexible"]);
            mode.required("type", kind)
        });
        p.required("billing_mode", mode.flatten())
    })?;
    let engine = &call.api.engine;
    let migrated = engine.migrate_subscription(&call.scope, &id).await?;
    Ok(whole::subscription(&migrated, call.scope.livemode))
}

/// Answers with the discount that went. Where several applied, all go, and the first is the answer.
async fn delete_discount(mut call: Call) -> Result<Value, Problem> {
    let id: SubscriptionId = call.id("subscription")?;
    call.no_params()?;
    let engine = &call.api.engine;
    let (before, gone) = engine.delete_discount(&call.scope, &id).await?;
    Ok(deleted_discount(&gone, &before))
}
