//! What may be said of a portal configuration.

use perennial::calendar::Cadence;
use perennial::portal::{
    CancelMode, CancelRules, Features, PauseRules, PortalConfiguration, UpdateRules,
};
use perennial::subscription::ProrationBehavior;

use super::{
    CancelChange, FeaturesUpdate, PauseChange, PortalConfigurationUpdate, REASONS, UPDATE,
    UpdateChange,
};
use crate::service::Refused;
use crate::service::portal_sessions::check_url;
use crate::service::saving::{edit_metadata, set};

/// The most products that customers may switch to (Stripe: 10).
const PRODUCTS_MAX: usize = 10;
/// The longest headline, in characters (Stripe: 60).
const HEADLINE_CHARS_MAX: usize = 60;
/// The most prices of one product.
const PRICES_MAX: usize = 40;

/// Sets what an update says, and refuses what can't stand.
pub(super) fn edit(
    configuration: &mut PortalConfiguration,
    update: &PortalConfigurationUpdate,
) -> Result<(), Refused> {
    set(&mut configuration.name, update.name.as_ref());
    set(&mut configuration.headline, update.headline.as_ref());
    set(
        &mut configuration.default_return_url,
        update.default_return_url.as_ref(),
    );
    set(
        &mut configuration.privacy_policy_url,
        update.privacy_policy_url.as_ref(),
    );
    set(
        &mut configuration.terms_of_service_url,
        update.terms_of_service_url.as_ref(),
    );
    if update.active == Some(false) && configuration.is_default {
        let message = "The default configuration can't be deactivated.";
        return Err(Refused::invalid("active", message));
    }
    set(&mut configuration.active, update.active.as_ref());
    edit_metadata(&mut configuration.metadata, update.metadata.as_ref())?;
    edit_features(&mut configuration.features, &update.features)?;
    for (param, url) in [
        ("default_return_url", &configuration.default_return_url),
        (
            "business_profile[privacy_policy_url]",
            &configuration.privacy_policy_url,
        ),
        (
            "business_profile[terms_of_service_url]",
            &configuration.terms_of_service_url,
        ),
    ] {
        check_url(param, url.as_deref())?;
    }
    let headline = configuration.headline.as_deref().unwrap_or_default();
    if headline.chars().count() > HEADLINE_CHARS_MAX {
        let message = format!("Invalid string: must be at most {HEADLINE_CHARS_MAX} characters");
        return Err(Refused::invalid("business_profile[headline]", message));
    }
    Ok(())
}

fn edit_features(features: &mut Features, update: &FeaturesUpdate) -> Result<(), Refused> {
    set(
        &mut features.invoice_history,
        update.invoice_history.as_ref(),
    );
    set(
        &mut features.payment_method_update,
        update.payment_method_update.as_ref(),
    );
    let details = &update.customer_update;
    set(
        &mut features.customer_update,
        details.allowed_updates.as_ref(),
    );
    match details.enabled {
        Some(false) => features.customer_update.clear(),
        Some(true) if features.customer_update.is_empty() => {
            let message = "Missing required param: features[customer_update][allowed_updates].";
            return Err(missing(
                "features[customer_update][allowed_updates]",
                message,
            ));
        }
        _ => {}
    }
    edit_cancel(
        &mut features.subscription_cancel,
        &update.subscription_cancel,
    )?;
    edit_pause(&mut features.subscription_pause, &update.subscription_pause);
    edit_update(
        &mut features.subscription_update,
        &update.subscription_update,
    )
}

fn missing(param: &str, message: &str) -> Refused {
    Refused::Invalid {
        param: param.to_owned(),
        code: Some("parameter_missing"),
        message: message.to_owned(),
    }
}

fn edit_cancel(rules: &mut Option<CancelRules>, change: &CancelChange) -> Result<(), Refused> {
    match change.enabled {
        Some(false) => {
            *rules = None;
            return Ok(());
        }
        Some(true) if rules.is_none() => {
            *rules = Some(CancelRules {
                mode: CancelMode::AtPeriodEnd,
                proration_behavior: ProrationBehavior::None,
                reasons: Vec::new(),
            });
        }
        _ => {}
    }
    let Some(rules) = rules else { return Ok(()) };
    set(&mut rules.mode, change.mode.as_ref());
    set(
        &mut rules.proration_behavior,
        change.proration_behavior.as_ref(),
    );
    set(&mut rules.reasons, change.reasons.as_ref());
    match change.reason_enabled {
        Some(false) => rules.reasons.clear(),
        Some(true) if rules.reasons.is_empty() => rules.reasons = REASONS.to_vec(),
        _ => {}
    }
    let param = "features[subscription_cancel][proration_behavior]";
    match (rules.mode, rules.proration_behavior) {
        (_, ProrationBehavior::AlwaysInvoice) => Err(Refused::invalid(
            param,
            "always_invoice is not possible when customers cancel; use create_prorations or none.",
        )),
        (CancelMode::AtPeriodEnd, ProrationBehavior::CreateProrations) => Err(Refused::invalid(
            param,
            "create_prorations is only possible with mode=immediately: at the period's end nothing \
             is unused.",
        )),
        _ => Ok(()),
    }
}

/// Stripe's default is one length of a month.
fn edit_pause(rules: &mut Option<PauseRules>, change: &PauseChange) {
    match change.enabled {
        Some(false) => *rules = None,
        Some(true) if rules.is_none() => {
            *rules = Some(PauseRules {
                options: vec![Cadence::MONTHLY],
            });
        }
        _ => {}
    }
    if let Some(rules) = rules {
        set(&mut rules.options, change.options.as_ref());
    }
}

fn edit_update(rules: &mut Option<UpdateRules>, change: &UpdateChange) -> Result<(), Refused> {
    match change.enabled {
        Some(false) => {
            *rules = None;
            return Ok(());
        }
        Some(true) if rules.is_none() => {
            *rules = Some(UpdateRules {
                price: false,
                quantity: false,
                promotion_code: false,
                products: Vec::new(),
                proration_behavior: ProrationBehavior::None,
                schedule_at_period_end: Vec::new(),
            });
        }
        _ => {}
    }
    let Some(rules) = rules else { return Ok(()) };
    if let Some(allowed) = change.allowed {
        rules.price = allowed.price;
        rules.quantity = allowed.quantity;
        rules.promotion_code = allowed.promotion_code;
    }
    set(&mut rules.products, change.products.as_ref());
    set(
        &mut rules.proration_behavior,
        change.proration_behavior.as_ref(),
    );
    set(
        &mut rules.schedule_at_period_end,
        change.conditions.as_ref(),
    );
    if !(rules.price || rules.quantity || rules.promotion_code) {
        let param = format!("{UPDATE}[default_allowed_updates]");
        return Err(missing(
            &param,
            &format!("Missing required param: {param}."),
        ));
    }
    if rules.products.is_empty() {
        let param = format!("{UPDATE}[products]");
        return Err(missing(
            &param,
            &format!("Missing required param: {param}."),
        ));
    }
    if rules.products.len() > PRODUCTS_MAX {
        let message = format!("Array can have at most {PRODUCTS_MAX} elements.");
        return Err(Refused::invalid(format!("{UPDATE}[products]"), message));
    }
    for (index, product) in rules.products.iter().enumerate() {
        let under = format!("{UPDATE}[products][{index}]");
        if product.prices.is_empty() || product.prices.len() > PRICES_MAX {
            let message = format!("A product needs 1 to {PRICES_MAX} prices to switch to.");
            return Err(Refused::invalid(format!("{under}[prices]"), message));
        }
        let bounds = product.adjustable_quantity;
        if bounds.is_some_and(|b| b.maximum.is_some_and(|most| most < b.minimum)) {
            let param = format!("{under}[adjustable_quantity][maximum]");
            return Err(Refused::invalid(param, "The maximum is below the minimum."));
        }
    }
    Ok(())
}
