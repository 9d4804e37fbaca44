//! `/v1/billing_portal/sessions`

use perennial::id::{CouponId, CustomerId, PortalConfigurationId, SubscriptionId};
use perennial::portal::Flow;
use serde_json::Value;

use super::exchange::{Call, Routes, post};
use super::params::Params;
use super::payment_methods::customer_param;
use super::problem::Problem;
use crate::rendering;
use crate::service::portal_sessions::NewPortalSession;

/// The routes.
pub fn routes() -> Routes {
    Routes::new().route(
        "/v1/billing_portal/sessions",
        post("billing_portal.session", create),
    )
}

fn subscription(params: &mut Params) -> Option<SubscriptionId> {
    let id = params.id("subscription", "subscription");
    params.required("subscription", id)
}

fn retention(params: &mut Params) -> Option<CouponId> {
    let kind: Option<String> = params.choice("type", &["coupon_offer"]);
    params.required("type", kind);
    let coupon = params.object("coupon_offer", |offer| {
        let coupon = offer.id("coupon", "coupon");
        offer.required("coupon", coupon)
    });
    params.required("coupon_offer", coupon).flatten()
}

fn flow(params: &mut Params) -> Option<Flow> {
    let kinds = [
        "payment_method_update",
        "subscription_cancel",
        "subscription_update",
    ];
    let kind: Option<String> = params.choice("type", &kinds);
    let cancel = params.object("subscription_cancel", |p| {
        let coupon = p.object("retention", retention).flatten();
        subscription(p).map(|subscription| Flow::SubscriptionCancel {
            subscription,
            coupon,
        })
    });
    let update = params.object("subscription_update", |p| {
        subscription(p).map(|subscription| Flow::SubscriptionUpdate { subscription })
    });
    match params.required("type", kind)?.as_str() {
        "subscription_cancel" => params.required("subscription_cancel", cancel).flatten(),
        "subscription_update" => params.required("subscription_update", update).flatten(),
        _ => Some(Flow::PaymentMethodUpdate),
    }
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let new = call.read(|p| {
        let customer: Option<CustomerId> = p.id("customer", "customer");
        let configuration: Option<PortalConfigurationId> =
            p.id("configuration", "billing_portal.configuration");
        let new = NewPortalSession {
            customer: p.required("customer", customer)?,
            configuration,
            return_url: p.text("return_url"),
            locale: p.text("locale"),
            flow: p.object("flow_data", flow).flatten(),
        };
        Some(new)
    })?;
    let new = new.ok_or_else(Problem::internal)?;
    let engine = &call.api.engine;
    let living = engine.living_customer(&call.scope, &new.customer).await;
    living.map_err(|refused| customer_param(refused, "customer"))?;
    if new.configuration.is_none() {
        engine.default_portal_configuration(&call.scope).await?;
    }
    let (session, secret) = engine.create_portal_session(&call.scope, new).await?;
    let url = format!("{}/p/{secret}", call.api.public_url);
    Ok(rendering::portal_session(
        &session,
        &url,
        call.scope.livemode,
    ))
}
