//! What a merchant allows in the portal, and a customer's visit to it.

use perennial::portal::{
    CancelMode, CancelRules, Features, Flow, PauseRules, PortalConfiguration, PortalSession,
    UpdateProduct, UpdateRules,
};
use perennial::subscription::ProrationBehavior;
use serde_json::Value;

use super::{metadata, name, object, text};

/// A portal configuration, with the products that customers may switch to.
#[must_use]
pub fn portal_configuration(configuration: &PortalConfiguration, livemode: bool) -> Value {
    object! {
        id: configuration.id.as_str(),
        object: "billing_portal.configuration",
        active: configuration.active,
        application: (),
        business_profile: object! {
            headline: text(configuration.headline.as_ref()),
            privacy_policy_url: text(configuration.privacy_policy_url.as_ref()),
            terms_of_service_url: text(configuration.terms_of_service_url.as_ref()),
        },
        created: configuration.created.0,
        default_return_url: text(configuration.default_return_url.as_ref()),
        features: features(&configuration.features),
        is_default: configuration.is_default,
        livemode: livemode,
        login_page: object! { enabled: false, url: () },
        metadata: metadata(&configuration.metadata),
        name: text(configuration.name.as_ref()),
        updated: configuration.updated.0,
    }
}

fn features(features: &Features) -> Value {
    let fields = features.customer_update.iter();
    object! {
        customer_update: object! {
            allowed_updates: fields.map(name).collect::<Vec<_>>(),
            enabled: !features.customer_update.is_empty(),
        },
        invoice_history: object! { enabled: features.invoice_history },
        payment_method_update: object! {
            enabled: features.payment_method_update,
            payment_method_configuration: (),
        },
        subscription_cancel: cancel(features.subscription_cancel.as_ref()),
        subscription_pause: pause(features.subscription_pause.as_ref()),
        subscription_update: update(features.subscription_update.as_ref()),
    }
}

fn cancel(rules: Option<&CancelRules>) -> Value {
    let reasons = rules.map_or(&[][..], |rules| &rules.reasons[..]);
    object! {
        cancellation_reason: object! {
            enabled: !reasons.is_empty(),
            feedback_options: (),
            options: reasons.iter().map(name).collect::<Vec<_>>(),
        },
        enabled: rules.is_some(),
        mode: name(rules.map_or(CancelMode::AtPeriodEnd, |rules| rules.mode)),
        proration_behavior: name(
            rules.map_or(ProrationBehavior::None, |rules| rules.proration_behavior),
        ),
    }
}

fn pause(rules: Option<&PauseRules>) -> Value {
    let options = rules.map_or(&[][..], |rules| &rules.options[..]);
    let kind = if options.is_empty() {
        "indefinite"
    } else {
        "interval_options"
    };
    let options: Vec<Value> = options
        .iter()
        .map(|length| {
            object! {
                interval: name(length.interval),
                interval_count: length.interval_count,
            }
        })
        .collect();
    object! {
        duration: object! { interval_options: options, type: kind },
        enabled: rules.is_some(),
    }
}

fn update(rules: Option<&UpdateRules>) -> Value {
    let allowed = rules.map_or_else(Vec::new, |rules| {
        [
            (rules.price, "price"),
            (rules.promotion_code, "promotion_code"),
            (rules.quantity, "quantity"),
        ]
        .into_iter()
        .filter_map(|(allowed, name)| allowed.then_some(name))
        .collect()
    });
    let products = rules.map_or(&[][..], |rules| &rules.products[..]).iter();
    let conditions = rules
        .map_or(&[][..], |rules| &rules.schedule_at_period_end[..])
        .iter();
    object! {
        billing_cycle_anchor: "unchanged",
        default_allowed_updates: allowed,
        enabled: rules.is_some(),
        products: products.map(update_product).collect::<Vec<_>>(),
        proration_behavior: name(
            rules.map_or(ProrationBehavior::None, |rules| rules.proration_behavior),
        ),
        schedule_at_period_end: object! {
            conditions: conditions
                .map(|condition| object! { type: name(condition) })
                .collect::<Vec<_>>(),
        },
        trial_update_behavior: "end_trial",
    }
}

fn update_product(product: &UpdateProduct) -> Value {
    let prices: Vec<_> = product.prices.iter().map(|id| id.as_str()).collect();
    object! {
        adjustable_quantity: object! {
            enabled: product.adjustable_quantity.is_some(),
            maximum: product.adjustable_quantity.and_then(|q| q.maximum),
            minimum: product.adjustable_quantity.map_or(1, |q| q.minimum),
        },
        prices: prices,
        product: product.product.as_str(),
    }
}

/// A portal session. `url` holds its key and is shown only once, when it is made.
#[must_use]
pub fn portal_session(session: &PortalSession, url: &str, livemode: bool) -> Value {
    object! {
        id: session.id.as_str(),
        object: "billing_portal.session",
        configuration: session.configuration.as_str(),
        created: session.created.0,
        customer: session.customer.as_str(),
        customer_account: (),
        flow: session.flow.as_ref().map(flow),
        livemode: livemode,
        locale: text(session.locale.as_ref()),
        on_behalf_of: (),
        return_url: text(session.return_url.as_ref()),
        url: url,
    }
}

fn flow(flow: &Flow) -> Value {
    let (kind, cancel, update) = match flow {
        Flow::PaymentMethodUpdate => ("payment_method_update", Value::Null, Value::Null),
        Flow::SubscriptionCancel {
            subscription,
            coupon,
        } => (
            "subscription_cancel",
            object! {
                retention: coupon.as_ref().map(|coupon| object! {
                    coupon_offer: object! { coupon: coupon.as_str() },
                    type: "coupon_offer",
                }),
                subscription: subscription.as_str(),
            },
            Value::Null,
        ),
        Flow::SubscriptionUpdate { subscription } => (
            "subscription_update",
            Value::Null,
            object! { subscription: subscription.as_str() },
        ),
    };
    object! {
        after_completion: object! {
            hosted_confirmation: (),
            redirect: (),
            type: "portal_homepage",
        },
        customer_update: (),
        subscription_cancel: cancel,
        subscription_pause: (),
        subscription_update: update,
        subscription_update_confirm: (),
        type: kind,
    }
}
