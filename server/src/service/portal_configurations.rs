//! What merchants allow in the portal. Each merchant and mode has one default configuration; it is
//! made when it is first needed.

mod editing;

use std::collections::BTreeMap;

use perennial::catalog::Price;
use perennial::id::{PortalConfigurationId, PriceId};
use perennial::metadata::{Metadata, MetadataChange};
use perennial::portal::{
    CancelMode, CancelRules, CustomerField, Features, PortalConfiguration, UpdateProduct,
};
use perennial::subscription::{Feedback, ProrationBehavior};
use sqlx::AnyConnection;

use super::{Engine, Refused};
use crate::rendering;
use crate::store::document::{self, Stored};
use crate::store::{Scope, StoreError, nouns};

use editing::edit;

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
    /// Standing still.
    pub subscription_pause: PauseChange,
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

/// What changes in how customers let their subscriptions stand still.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PauseChange {
    /// On or off.
    pub enabled: Option<bool>,
    /// For how long, to choose from; empty means until somebody lets it go on.
    pub options: Option<Vec<perennial::calendar::Cadence>>,
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
        let mut connection = self.store.read().await?;
        let found = find_default(&mut connection, scope).await?;
        drop(connection);
        if let Some(found) = found {
            return Ok(found);
        }
        self.retrying(|| async {
            match self.make_default_configuration(scope).await {
                // Another process made it at the same moment: it is there to be read now.
                Err(Refused::Store(StoreError::Exists { kind, id })) => {
                    Err(StoreError::Conflict { kind, id }.into())
                }
                answer => answer,
            }
        })
        .await
    }

    /// Makes the default configuration if it is not there, in one transaction: what others have
    /// written on the shared writer is seen only within it until it reaches the disk.
    async fn make_default_configuration(
        &self,
        scope: &Scope,
    ) -> Result<Stored<PortalConfiguration>, Refused> {
        let mut tx = self.store.begin().await?;
        let connection = tx.connection();
        let made = match find_default(connection, scope).await? {
            Some(found) => found,
            None => {
                let mut new = self.new_configuration();
                new.is_default = true;
                new.features = default_features();
                let now = self.now();
                let made = document::insert(&self.store, connection, scope, new, now).await?;
                let object = rendering::portal_configuration(&made, scope.livemode);
                let kind = "billing_portal.configuration.created";
                self.emit(connection, scope, kind, object, None).await?;
                made
            }
        };
        // Also when it was found: whoever wrote it may not have reached the disk yet.
        tx.commit().await?;
        Ok(made)
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
                subscription_pause: None,
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

async fn find_default(
    connection: &mut AnyConnection,
    scope: &Scope,
) -> Result<Option<Stored<PortalConfiguration>>, Refused> {
    let sql = nouns::PORTAL_CONFIGURATION_DEFAULT;
    let found = document::select(connection, scope, sql, &[]).await?;
    Ok(found.into_iter().next())
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
        subscription_pause: None,
    }
}
