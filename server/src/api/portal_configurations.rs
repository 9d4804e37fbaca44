//! `/v1/billing_portal/configurations`

use perennial::calendar::{Cadence, Interval};
use perennial::id::{PortalConfigurationId, ProductId};
use perennial::portal::{
    AdjustableQuantity, PortalConfiguration, ScheduleCondition, UpdateProduct,
};
use serde_json::Value;

use super::exchange::{Call, Routes, get, post};
use super::paging;
use super::params::Params;
use super::problem::Problem;
use crate::rendering::whole;
use crate::service::portal_configurations::{
    Allowed, CancelChange, CustomerUpdateChange, FeaturesUpdate, PauseChange,
    PortalConfigurationUpdate, UpdateChange,
};
use crate::store::document::Column;
use crate::store::listing;

const URL: &str = "/v1/billing_portal/configurations";
/// Stripe's ways to bill a difference.
pub(super) const PRORATIONS: [&str; 3] = ["none", "create_prorations", "always_invoice"];
/// Stripe's reasons to cancel.
pub(super) const FEEDBACKS: [&str; 8] = [
    "customer_service",
    "low_quality",
    "missing_features",
    "other",
    "switched_service",
    "too_complex",
    "too_expensive",
    "unused",
];

/// The most lengths of a pause to choose from.
const PAUSES_MAX: usize = 10;
/// The longest pause, in days (Stripe: three years).
const PAUSE_DAYS_MAX: i64 = 3 * 365;

/// The routes.
pub fn routes() -> Routes {
    let kind = "billing_portal.configuration";
    Routes::new()
        .route(
            URL,
            get("billing_portal.configuration list", list).merge(post(kind, create)),
        )
        .route(
            "/v1/billing_portal/configurations/{id}",
            get(kind, retrieve).merge(post(kind, update)),
        )
}

fn changes(params: &mut Params) -> PortalConfigurationUpdate {
    let mut update = PortalConfigurationUpdate {
        name: params.change_text("name"),
        default_return_url: params.change_text("default_return_url"),
        features: params.object("features", features).unwrap_or_default(),
        metadata: params.metadata("metadata"),
        ..PortalConfigurationUpdate::default()
    };
    params.object("business_profile", |profile| {
        update.headline = profile.change_text("headline");
        update.privacy_policy_url = profile.change_text("privacy_policy_url");
        update.terms_of_service_url = profile.change_text("terms_of_service_url");
    });
    update
}

fn features(params: &mut Params) -> FeaturesUpdate {
    let details = ["address", "email", "name", "phone", "shipping", "tax_id"];
    FeaturesUpdate {
        customer_update: params
            .object("customer_update", |p| CustomerUpdateChange {
                enabled: p.boolean("enabled"),
                allowed_updates: p.choices("allowed_updates", &details),
            })
            .unwrap_or_default(),
        invoice_history: params.object("invoice_history", enabled).flatten(),
        payment_method_update: params.object("payment_method_update", enabled).flatten(),
        subscription_cancel: params
            .object("subscription_cancel", cancel)
            .unwrap_or_default(),
        subscription_update: params
            .object("subscription_update", update_rules)
            .unwrap_or_default(),
        subscription_pause: params
            .object("subscription_pause", pause)
            .unwrap_or_default(),
    }
}

fn enabled(params: &mut Params) -> Option<bool> {
    let enabled = params.boolean("enabled");
    params.required("enabled", enabled)
}

fn cancel(params: &mut Params) -> CancelChange {
    let mut change = CancelChange {
        enabled: params.boolean("enabled"),
        mode: params.choice("mode", &["at_period_end", "immediately"]),
        proration_behavior: params.choice("proration_behavior", &PRORATIONS),
        ..CancelChange::default()
    };
    params.object("cancellation_reason", |reason| {
        change.reason_enabled = reason.boolean("enabled");
        change.reasons = reason.choices("options", &FEEDBACKS);
    });
    change
}

fn pause(params: &mut Params) -> PauseChange {
    let enabled = params.boolean("enabled");
    let options = params.object("duration", |duration| {
        let kinds = ["indefinite", "interval_options"];
        let kind: Option<String> = duration.choice("type", &kinds);
        let lengths = duration.objects("interval_options", PAUSES_MAX, |option| {
            let names = ["day", "week", "month", "year"];
            let interval: Option<Interval> = option.choice("interval", &names);
            let interval = option.required("interval", interval);
            let count = option.integer_in("interval_count", 1..=PAUSE_DAYS_MAX);
            Some((interval?, count.unwrap_or(1)))
        });
        let kind = duration.required("type", kind)?;
        if kind == "indefinite" {
            return Some(Vec::new());
        }
        let lengths = duration.required("interval_options", lengths)?;
        let lengths = lengths.into_iter().flatten().map(|(interval, count)| {
            let days = match interval {
                Interval::Day => 1,
                Interval::Week => 7,
                Interval::Month => 30,
                Interval::Year => 365,
            };
            if days * count > PAUSE_DAYS_MAX {
                return None;
            }
            let interval_count = u16::try_from(count).ok()?;
            Some(Cadence {
                interval,
                interval_count,
            })
        });
        let lengths: Option<Vec<Cadence>> = lengths.collect();
        match lengths {
            Some(lengths) if !lengths.is_empty() => Some(lengths),
            _ => {
                let message =
                    "A pause can last three years at most, and needs at least one length.";
                duration.refuse("interval_options", message);
                None
            }
        }
    });
    PauseChange {
        enabled,
        options: options.flatten(),
    }
}

fn update_rules(params: &mut Params) -> UpdateChange {
    let allowed = ["price", "promotion_code", "quantity"];
    let allowed: Option<Vec<String>> = params.choices("default_allowed_updates", &allowed);
    let conditions = params.object("schedule_at_period_end", |p| {
        p.objects("conditions", 2, |condition| {
            let names = ["decreasing_item_amount", "shortening_interval"];
            let kind: Option<ScheduleCondition> = condition.choice("type", &names);
            condition.required("type", kind)
        })
    });
    UpdateChange {
        enabled: params.boolean("enabled"),
        allowed: allowed.map(|names| Allowed {
            price: names.iter().any(|name| name == "price"),
            quantity: names.iter().any(|name| name == "quantity"),
            promotion_code: names.iter().any(|name| name == "promotion_code"),
        }),
        products: params
            .objects("products", 10, product)
            .map(|products| products.into_iter().flatten().collect()),
        proration_behavior: params.choice("proration_behavior", &PRORATIONS),
        conditions: conditions
            .flatten()
            .map(|conditions| conditions.into_iter().flatten().collect()),
    }
}

fn product(params: &mut Params) -> Option<UpdateProduct> {
    let product: Option<ProductId> = params.id("product", "product");
    let prices = params.ids("prices", "price", 40);
    let adjustable_quantity = params
        .object("adjustable_quantity", |p| {
            let (minimum, maximum) = (p.count("minimum"), p.count("maximum"));
            let bounds = AdjustableQuantity {
                minimum: minimum.unwrap_or(1),
                maximum,
            };
            enabled(p).unwrap_or(false).then_some(bounds)
        })
        .flatten();
    Some(UpdateProduct {
        product: params.required("product", product)?,
        prices: params.required("prices", prices)?,
        adjustable_quantity,
    })
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let new = call.read(|p| {
        if !p.has("features") {
            let _: Option<()> = p.required("features", None);
        }
        changes(p)
    })?;
    let engine = &call.api.engine;
    let made = engine.create_portal_configuration(&call.scope, new).await?;
    Ok(whole::portal_configuration(&made, call.scope.livemode))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let found = call.find::<PortalConfiguration>().await?;
    Ok(whole::portal_configuration(&found, call.scope.livemode))
}

async fn update(mut call: Call) -> Result<Value, Problem> {
    let id: PortalConfigurationId = call.id("billing_portal.configuration")?;
    let update = call.read(|p| PortalConfigurationUpdate {
        active: p.boolean("active"),
        ..changes(p)
    })?;
    let engine = &call.api.engine;
    let changed = engine
        .update_portal_configuration(&call.scope, &id, update)
        .await?;
    Ok(whole::portal_configuration(&changed, call.scope.livemode))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, filter) = call.read(|p| {
        let created = paging::created(p);
        let mut filter = created.columns().to_vec();
        for name in ["active", "is_default"] {
            let wanted = p.boolean(name).map_or(-1, i64::from);
            filter.push(Column::Number(Some(wanted)));
        }
        (paging::page(p), filter)
    })?;
    // The default one is there for everybody, so a list shows it.
    call.api
        .engine
        .default_portal_configuration(&call.scope)
        .await?;
    let (sql, show) = (listing::PORTAL_CONFIGURATIONS, whole::portal_configuration);
    paging::answer(&call, sql, &page, &filter, URL, show).await
}
