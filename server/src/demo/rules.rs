//! The taxes and coupons of Halden, and what its customers may do in the portal.

use std::collections::{BTreeMap, HashMap};

use perennial::calendar::Cadence;
use perennial::decimal::Decimal12;
use perennial::discount::{Duration, Off};
use perennial::id::{CouponId, PortalConfigurationId, TaxRateId};
use perennial::metadata::Metadata;
use perennial::portal::{
    AdjustableQuantity, CancelMode, CancelRules, CustomerField, Features, PauseRules,
    PortalConfiguration, ScheduleCondition, UpdateProduct, UpdateRules,
};
use perennial::subscription::{Feedback, ProrationBehavior};

use super::catalogue::{Catalogue, Plan};
use crate::service::catalog::{NewCoupon, NewPromotionCode, NewTaxRate, TaxRateUpdate};
use crate::service::{Engine, Refused};
use crate::store::{Scope, document};

/// A coupon for those who come early.
pub(super) const OFFER: &str = "FIRSTYEAR20";
/// A coupon for libraries.
pub(super) const OPEN_DOORS: &str = "OPENDOORS50";

/// The tax that Halden charges, by country.
pub(super) async fn tax_rates(
    engine: &Engine,
    scope: &Scope,
) -> Result<HashMap<&'static str, TaxRateId>, Refused> {
    let known = [
        ("DE", "VAT", "19", false),
        ("FR", "TVA", "20", false),
        ("GB", "VAT", "20", false),
        ("SE", "VAT", "25", false),
        ("AE", "VAT", "5", false),
        ("JP", "消費税", "10", true),
        ("CA", "HST", "13", false),
    ];
    let mut rates = HashMap::new();
    for (country, name, percent, inclusive) in known {
        let percentage =
            Decimal12::parse(percent).map_err(|error| Refused::Defect(error.to_string()))?;
        let rest = TaxRateUpdate {
            country: Some(Some(country.to_owned())),
            jurisdiction: Some(Some(country.to_owned())),
            ..TaxRateUpdate::default()
        };
        let new = NewTaxRate {
            display_name: name.to_owned(),
            percentage,
            inclusive,
            rest,
        };
        rates.insert(country, engine.create_tax_rate(scope, new).await?.value.id);
    }
    Ok(rates)
}

/// The coupons that Halden has given.
pub(super) async fn coupons(engine: &Engine, scope: &Scope) -> Result<(), Refused> {
    let known = [
        (
            OFFER,
            "Welcome to Halden",
            20,
            Duration::Repeating { months: 15 },
        ),
        (
            OPEN_DOORS,
            "Open doors: half price for libraries",
            50,
            Duration::Forever,
        ),
    ];
    for (id, name, percent, duration) in known {
        let new = NewCoupon {
            id: Some(CouponId::parse(id).map_err(|error| Refused::Defect(error.to_string()))?),
            name: Some(name.to_owned()),
            off: Off::Percent(Decimal12::from_integer(percent)),
            currency_options: BTreeMap::new(),
            duration,
            applies_to: Vec::new(),
            max_redemptions: None,
            redeem_by: None,
            metadata: None,
        };
        engine.create_coupon(scope, new).await?;
    }
    autumn(engine, scope).await
}

/// A code that every customer may try in the portal: 15 % off for three months.
async fn autumn(engine: &Engine, scope: &Scope) -> Result<(), Refused> {
    let coupon = NewCoupon {
        id: None,
        name: Some("Autumn offer".to_owned()),
        off: Off::Percent(Decimal12::from_integer(15)),
        currency_options: BTreeMap::new(),
        duration: Duration::Repeating { months: 3 },
        applies_to: Vec::new(),
        max_redemptions: None,
        redeem_by: None,
        metadata: None,
    };
    let coupon = engine.create_coupon(scope, coupon).await?;
    let code = NewPromotionCode {
        code: Some("AUTUMN15".to_owned()),
        coupon: coupon.value.id,
        active: true,
        customer: None,
        expires_at: None,
        max_redemptions: None,
        first_time_transaction: false,
        minimum_amounts: BTreeMap::new(),
        minimum_amount_currency: None,
        metadata: None,
    };
    engine.create_promotion_code(scope, code).await.map(|_| ())
}

/// What Halden's customers may do in the portal. Made last: it says that the demo is complete.
pub(super) async fn portal(
    engine: &Engine,
    scope: &Scope,
    catalogue: &Catalogue,
) -> Result<(), Refused> {
    let now = engine.now();
    let offered = catalogue.0.iter().filter(|entry| entry.plan != Plan::Runs);
    let products = offered.map(|entry| UpdateProduct {
        product: entry.product.clone(),
        prices: entry.prices.iter().map(|price| price.id.clone()).collect(),
        adjustable_quantity: match entry.plan {
            Plan::Support => None,
            _ => Some(AdjustableQuantity {
                minimum: 1,
                maximum: Some(500),
            }),
        },
    });
    let configuration = PortalConfiguration {
        id: PortalConfigurationId::new(&mut engine.ids()),
        name: Some("Halden".to_owned()),
        active: true,
        is_default: true,
        default_return_url: Some("https://halden.example/app".to_owned()),
        headline: Some("Your plan, your invoices, your details: all here.".to_owned()),
        privacy_policy_url: Some("https://halden.example/privacy".to_owned()),
        terms_of_service_url: Some("https://halden.example/terms".to_owned()),
        features: Features {
            customer_update: vec![
                CustomerField::Address,
                CustomerField::Email,
                CustomerField::Name,
                CustomerField::Phone,
                CustomerField::TaxId,
            ],
            invoice_history: true,
            payment_method_update: true,
            subscription_cancel: Some(CancelRules {
                mode: CancelMode::AtPeriodEnd,
                proration_behavior: ProrationBehavior::None,
                reasons: vec![
                    Feedback::TooExpensive,
                    Feedback::MissingFeatures,
                    Feedback::SwitchedService,
                    Feedback::Unused,
                    Feedback::TooComplex,
                    Feedback::Other,
                ],
            }),
            subscription_pause: Some(PauseRules {
                options: vec![
                    Cadence::MONTHLY,
                    Cadence {
                        interval_count: 3,
                        ..Cadence::MONTHLY
                    },
                ],
            }),
            subscription_update: Some(UpdateRules {
                price: true,
                quantity: true,
                promotion_code: true,
                products: products.collect(),
                proration_behavior: ProrationBehavior::AlwaysInvoice,
                schedule_at_period_end: vec![
                    ScheduleCondition::DecreasingItemAmount,
                    ScheduleCondition::ShorteningInterval,
                ],
            }),
        },
        metadata: Metadata::default(),
        created: now,
        updated: now,
    };
    let mut tx = engine.store.begin().await?;
    document::insert(&engine.store, tx.connection(), scope, configuration, now).await?;
    tx.commit().await?;
    Ok(())
}
