//! What merchants allow in the portal. Each merchant and mode has one default configuration; it is
//! made when it is first needed.

use std::collections::BTreeMap;

use perennial::catalog::Price;
use perennial::id::{PortalConfigurationId, PriceId};
use perennial::metadata::{Metadata, MetadataChange};
use perennial::portal::{
    CancelMode, CancelRules, CustomerField, Features, PortalConfiguration, UpdateProduct,
    UpdateRules,
};
use perennial::subscription::{Feedback, ProrationBehavior};

use super::portal_sessions::check_url;
use super::saving::{edit_metadata, set};
use super::{Engine, Refused};
use crate::rendering;
use crate::store::document::{self, Stored};
use crate::store::{Scope, StoreError, nouns};

/// The most products that customers may switch to (Stripe: 10).
const PRODUCTS_MAX: usize = 10;
/// The longest headline, in characters (Stripe: 60).
const HEADLINE_CHARS_MAX: usize = 60;
/// The most prices of one product.
const PRICES_MAX: usize = 40;

/// The part of a refusal's parameter that leads to the features.
const UPDATE: &str = "features[subscription_update]";

/// What changes on a configuration; `None` keeps, `Some(None)` takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortalConfigurationUpdate {
    /// For the merchant's eyes.
    pub name: Option<Option<String>>,
    /// Whether sessions may use it.
    pub active: Option<bool>,
    /// Where "Back to …" leads.
    pub default_return_url: Option<Option<String>>,
    /// A line of welcome.
    pub headline: Option<Option<String>>,
    /// Linked in the footer.
    pub privacy_policy_url: Option<Option<String>>,
    /// Linked where something is confirmed.
    pub terms_of_service_url: Option<Option<String>>,
    /// What is allowed.
    pub features: FeaturesUpdate,
    /// Free keys.
    pub metadata: Option<MetadataChange>,
}

/// What changes in what is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeaturesUpdate {
    /// Details that may be edited.
    pub customer_update: CustomerUpdateChange,
    /// Whether invoices are shown.
    pub invoice_history: Option<bool>,
    /// Whether payment methods are managed.
    pub payment_method_update: Option<bool>,
    /// Cancelling.
    pub subscription_cancel: CancelChange,
    /// Changing.
    pub subscription_update: UpdateChange,
}

/// What changes in which details may be edited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerUpdateChange {
    /// On or off.
    pub enabled: Option<bool>,
    /// Which.
    pub allowed_updates: Option<Vec<CustomerField>>,
}

/// What changes in how customers cancel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CancelChange {
    /// On or off.
    pub enabled: Option<bool>,
    /// When it ends.
    pub mode: Option<CancelMode>,
    /// Credits for unused time.
    pub proration_behavior: Option<ProrationBehavior>,
    /// Whether a reason is asked.
    pub reason_enabled: Option<bool>,
    /// Which reasons.
    pub reasons: Option<Vec<Feedback>>,
}

/// What changes in how customers change their subscriptions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateChange {
    /// On or off.
    pub enabled: Option<bool>,
    /// What may be changed.
    pub allowed: Option<Allowed>,
    /// The catalogue.
    pub products: Option<Vec<UpdateProduct>>,
    /// How the difference is billed.
    pub proration_behavior: Option<ProrationBehavior>,
    /// Changes that wait for the period's end.
    pub conditions: Option<Vec<perennial::portal::ScheduleCondition>>,
}

/// What may be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// The price.
    pub price: bool,
    /// The quantity.
    pub quantity: bool,
    /// Promotion codes.
    pub promotion_code: bool,
}

/// All of Stripe's reasons, in its order.
const REASONS: [Feedback; 8] = [
    Feedback::TooExpensive,
    Feedback::MissingFeatures,
    Feedback::SwitchedService,
    Feedback::Unused,
    Feedback::CustomerService,
    Feedback::TooComplex,
    Feedback::LowQuality,
    Feedback::Other,
];

impl Engine {
    /// The configuration that sessions get when they name none; made if there is none yet. It
    /// allows what Stripe's dashboard allows by default: details, payment methods, invoices, and
    /// cancelling at the period's end.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn default_portal_configuration(
        &self,
        scope: &Scope,
    ) -> Result<Stored<PortalConfiguration>, Refused> {
        if let Some(found) = self.find_default(scope).await? {
            return Ok(found);
        }
        let mut configuration = self.new_configuration();
        configuration.is_default = true;
        configuration.features = default_features();
        let show = rendering::portal_configuration;
        let made = self
            .create(
                scope,
                &configuration,
                "billing_portal.configuration.created",
                show,
            )
            .await;
        match made {
            // Somebody else made it at the same moment.
            Err(Refused::Store(StoreError::Exists { .. })) => {
                let found = self.find_default(scope).await?;
                found.ok_or_else(|| Refused::Defect("no default configuration".to_owned()))
            }
            answer => answer,
        }
    }

    async fn find_default(
        &self,
        scope: &Scope,
    ) -> Result<Option<Stored<PortalConfiguration>>, Refused> {
        let mut connection = self.store.read().await?;
        let sql = nouns::PORTAL_CONFIGURATION_DEFAULT;
        let found = document::select(&mut connection, scope, sql, &[]).await?;
        Ok(found.into_iter().next())
    }

    fn new_configuration(&self) -> PortalConfiguration {
        let now = self.now();
        PortalConfiguration {
            id: PortalConfigurationId::new(&mut self.ids()),
            name: None,
            active: true,
            is_default: false,
            default_return_url: None,
            headline: None,
            privacy_policy_url: None,
            terms_of_service_url: None,
            features: Features {
                customer_update: Vec::new(),
                invoice_history: false,
                payment_method_update: false,
                subscription_cancel: None,
                subscription_update: None,
            },
            metadata: Metadata::default(),
            created: now,
            updated: now,
        }
    }

    /// Makes a configuration that is not the default.
    ///
    /// # Errors
    /// Names the first field that can't stand.
    pub async fn create_portal_configuration(
        &self,
        scope: &Scope,
        new: PortalConfigurationUpdate,
    ) -> Result<Stored<PortalConfiguration>, Refused> {
        let mut configuration = self.new_configuration();
        edit(&mut configuration, &new)?;
        self.check_catalogue(scope, &configuration).await?;
        let show = rendering::portal_configuration;
        let event = "billing_portal.configuration.created";
        self.create(scope, &configuration, event, show).await
    }

    /// Changes a configuration.
    ///
    /// # Errors
    /// When it is not there, or names the first field that can't stand.
    pub async fn update_portal_configuration(
        &self,
        scope: &Scope,
        id: &PortalConfigurationId,
        update: PortalConfigurationUpdate,
    ) -> Result<Stored<PortalConfiguration>, Refused> {
        // The catalogue is checked on what the change would make of today's configuration.
        let mut wanted = self.find::<PortalConfiguration>(scope, id.as_str()).await?;
        edit(&mut wanted.value, &update)?;
        if update.features.subscription_update.products.is_some() {
            self.check_catalogue(scope, &wanted.value).await?;
        }
        let now = self.now();
        let show = rendering::portal_configuration;
        let event = "billing_portal.configuration.updated";
        self.change(scope, id.as_str(), event, show, |configuration| {
            let before = configuration.clone();
            edit(configuration, &update)?;
            if *configuration != before {
                configuration.updated = now;
            }
            Ok(())
        })
        .await
    }

    /// Every price of the catalogue must be there, recur, and belong to the product it stands under;
    /// no product has two prices of one currency and interval, since a customer could not tell them
    /// apart.
    async fn check_catalogue(
        &self,
        scope: &Scope,
        configuration: &PortalConfiguration,
    ) -> Result<(), Refused> {
        let Some(rules) = &configuration.features.subscription_update else {
            return Ok(());
        };
        let ids = rules.products.iter().flat_map(|product| &product.prices);
        let ids: Vec<String> = ids.map(ToString::to_string).collect();
        let mut connection = self.store.read().await?;
        let found = document::load_many::<Price>(&mut connection, scope, &ids).await?;
        let found: BTreeMap<PriceId, Price> = found
            .into_iter()
            .map(|stored| (stored.value.id.clone(), stored.value))
            .collect();
        for (index, product) in rules.products.iter().enumerate() {
            check_product(index, product, &found)?;
        }
        Ok(())
    }
}

fn check_product(
    index: usize,
    product: &UpdateProduct,
    found: &BTreeMap<PriceId, Price>,
) -> Result<(), Refused> {
    let under = format!("{UPDATE}[products][{index}]");
    let mut seen = Vec::new();
    for (place, id) in product.prices.iter().enumerate() {
        let param = format!("{under}[prices][{place}]");
        let price = found
            .get(id)
            .filter(|price| price.product == product.product);
        let Some(price) = price else {
            return Err(Refused::NotFound {
                kind: "price",
                id: id.to_string(),
                param: Some(param),
            });
        };
        let Some(cadence) = price.cadence() else {
            let message = format!("The price {id} is not recurring; customers can't switch to it.");
            return Err(Refused::invalid(param, message));
        };
        if seen.contains(&(price.currency, cadence)) {
            let message = "Two prices of one product have the same currency and interval.";
            return Err(Refused::invalid(param, message));
        }
        seen.push((price.currency, cadence));
    }
    Ok(())
}

fn default_features() -> Features {
    Features {
        customer_update: vec![
            CustomerField::Address,
            CustomerField::Email,
            CustomerField::Name,
            CustomerField::Phone,
        ],
        invoice_history: true,
        payment_method_update: true,
        subscription_cancel: Some(CancelRules {
            mode: CancelMode::AtPeriodEnd,
            proration_behavior: ProrationBehavior::None,
            reasons: REASONS.to_vec(),
        }),
        subscription_update: None,
    }
}

fn edit(
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
