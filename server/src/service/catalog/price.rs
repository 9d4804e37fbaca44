//! Prices.

use perennial::catalog::{Price, Product, Recurring, TaxBehavior, UsageType};
use perennial::currency::Currency;
use perennial::id::{PriceId, ProductId};
use perennial::metadata::MetadataChange;
use perennial::pricing::Pricing;
use perennial::usage::{Meter, MeterStatus};
use sqlx::AnyConnection;

use super::at_most;
use super::product::NewProduct;
use crate::rendering;
use crate::service::saving::{edit_metadata, new_metadata, set};
use crate::service::{Engine, Refused};
use crate::store::document::{self, Column, Stored};
use crate::store::{Scope, nouns};

/// The longest lookup key, in characters (Stripe: 200).
const LOOKUP_KEY_CHARS_MAX: usize = 200;
/// The longest trial of a price, in days: two years, as for subscriptions.
const TRIAL_DAYS_MAX: u32 = 730;

/// A price to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPrice {
    /// What is sold.
    pub product: PriceProduct,
    /// Of its amounts.
    pub currency: Currency,
    /// How a quantity becomes an amount.
    pub pricing: Pricing,
    /// How often; `None` for once.
    pub recurring: Option<Recurring>,
    /// Whether it is on sale; yes, if not said.
    pub active: Option<bool>,
    /// For the merchant's eyes.
    pub nickname: Option<String>,
    /// A handle for the merchant's code.
    pub lookup_key: Option<String>,
    /// Takes the handle from the price that has it.
    pub transfer_lookup_key: bool,
    /// Whether amounts contain tax.
    pub tax_behavior: TaxBehavior,
    /// Free keys.
    pub metadata: Option<MetadataChange>,
}

/// What a new price is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriceProduct {
    /// A product that is there.
    Existing(ProductId),
    /// One made with it.
    New(Box<NewProduct>),
}

/// What changes on a price; `None` keeps, `Some(None)` takes away. Amounts never change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceUpdate {
    /// On sale or not.
    pub active: Option<bool>,
    /// For the merchant's eyes.
    pub nickname: Option<Option<String>>,
    /// A handle for the merchant's code.
    pub lookup_key: Option<Option<String>>,
    /// Takes the handle from the price that has it.
    pub transfer_lookup_key: bool,
    /// Can be said once, where it was not.
    pub tax_behavior: Option<TaxBehavior>,
    /// Free keys.
    pub metadata: Option<MetadataChange>,
}

impl Engine {
    /// Makes a price, with its product if that is new.
    ///
    /// # Errors
    /// Names the first field that can't stand.
    pub async fn create_price(
        &self,
        scope: &Scope,
        new: NewPrice,
    ) -> Result<Stored<Price>, Refused> {
        let new = &new;
        self.retrying(|| async move {
            let mut tx = self.store.begin().await?;
            let connection = tx.connection();
            let product = self
                .product_of_price(&mut *connection, scope, &new.product)
                .await?;
            let price = self.new_price(new, &product, "")?;
            check_meter(&mut *connection, scope, &price).await?;
            if let Some(key) = &price.lookup_key {
                let transfer = new.transfer_lookup_key;
                self.free_lookup_key(&mut *connection, scope, key, &price.id, transfer)
                    .await?;
            }
            let stored = self.insert_price(connection, scope, price).await?;
            tx.commit().await?;
            Ok(stored)
        })
        .await
    }

    /// A price as it will be, not saved. `under` is the parameter that it was given in, if any.
    pub(crate) fn new_price(
        &self,
        new: &NewPrice,
        product: &Product,
        under: &str,
    ) -> Result<Price, Refused> {
        let price = Price {
            id: PriceId::new(&mut self.ids()),
            product: product.id.clone(),
            product_name: product.name.clone(),
            active: new.active.unwrap_or(true),
            currency: new.currency,
            nickname: new.nickname.clone(),
            lookup_key: new.lookup_key.clone(),
            recurring: new.recurring.clone(),
            pricing: new.pricing.clone(),
            tax_behavior: new.tax_behavior,
            inline: false,
            metadata: new_metadata(new.metadata.as_ref())?,
            created: self.now(),
        };
        check(&price).map_err(|refused| within(refused, under))?;
        Ok(price)
    }

    /// Saves a new price in a transaction, with its event.
    pub(super) async fn insert_price(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        price: Price,
    ) -> Result<Stored<Price>, Refused> {
        let now = self.now();
        let stored = document::insert(&self.store, &mut *connection, scope, price, now).await?;
        let shown = rendering::price(&stored.value, scope.livemode);
        self.emit(connection, scope, "price.created", shown, None)
            .await?;
        Ok(stored)
    }

    /// Changes a price.
    ///
    /// # Errors
    /// When it is not there, or names the first field that can't stand.
    pub async fn update_price(
        &self,
        scope: &Scope,
        id: &PriceId,
        update: PriceUpdate,
    ) -> Result<Stored<Price>, Refused> {
        let update = &update;
        self.retrying(|| async move {
            let mut tx = self.store.begin().await?;
            let connection = tx.connection();
            let found = document::load::<Price>(&mut *connection, scope, id.as_str()).await?;
            let mut stored = found.ok_or_else(|| Refused::not_found("price", id.as_str()))?;
            let before = stored.value.clone();
            edit(&mut stored.value, update)?;
            if stored.value == before {
                return Ok(stored);
            }
            if let (true, Some(key)) = (
                stored.value.lookup_key != before.lookup_key,
                stored.value.lookup_key.clone(),
            ) {
                let transfer = update.transfer_lookup_key;
                self.free_lookup_key(&mut *connection, scope, &key, id, transfer)
                    .await?;
            }
            document::update(&mut *connection, scope, &mut stored).await?;
            self.tell_of_price(connection, scope, &before, &stored.value)
                .await?;
            tx.commit().await?;
            Ok(stored)
        })
        .await
    }

    async fn tell_of_price(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        before: &Price,
        after: &Price,
    ) -> Result<(), Refused> {
        let before = rendering::price(before, scope.livemode);
        let shown = rendering::price(after, scope.livemode);
        let previous = rendering::previous_attributes(&before, &shown);
        self.emit(connection, scope, "price.updated", shown, previous)
            .await
    }

    /// Makes a lookup key free for `taker`: takes it from its price if that is wanted.
    async fn free_lookup_key(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        key: &str,
        taker: &PriceId,
        transfer: bool,
    ) -> Result<(), Refused> {
        let filter = [Column::text(key)];
        let sql = nouns::PRICE_BY_LOOKUP_KEY;
        let found = document::select::<Price>(&mut *connection, scope, sql, &filter).await?;
        let Some(mut holder) = found.into_iter().find(|price| price.id != *taker) else {
            return Ok(());
        };
        if !transfer {
            let message = format!("A price (`{}`) already uses that lookup key.", holder.id);
            return Err(Refused::Invalid {
                param: "lookup_key".to_owned(),
                code: Some("resource_already_exists"),
                message,
            });
        }
        let before = holder.value.clone();
        holder.value.lookup_key = None;
        document::update(&mut *connection, scope, &mut holder).await?;
        self.tell_of_price(connection, scope, &before, &holder.value)
            .await
    }
}

fn edit(price: &mut Price, update: &PriceUpdate) -> Result<(), Refused> {
    set(&mut price.active, update.active.as_ref());
    set(&mut price.nickname, update.nickname.as_ref());
    set(&mut price.lookup_key, update.lookup_key.as_ref());
    if let Some(behavior) = update.tax_behavior {
        let said = price.tax_behavior != TaxBehavior::Unspecified;
        if said && price.tax_behavior != behavior {
            let message = "The tax_behavior of a price can't be changed once it is inclusive or \
                           exclusive. Make a new price instead.";
            return Err(Refused::invalid("tax_behavior", message));
        }
        price.tax_behavior = behavior;
    }
    edit_metadata(&mut price.metadata, update.metadata.as_ref())?;
    check(price)
}

fn check(price: &Price) -> Result<(), Refused> {
    let key = price.lookup_key.as_deref();
    at_most("lookup_key", key, LOOKUP_KEY_CHARS_MAX)?;
    if let Err(error) = price.pricing.validate() {
        let text = error.to_string();
        let param = match text.starts_with("tiers") {
            true => "tiers",
            false if text.starts_with("transform") => "transform_quantity[divide_by]",
            false => "unit_amount",
        };
        return Err(Refused::invalid(param, format!("{text}.")));
    }
    let Some(recurring) = &price.recurring else {
        return Ok(());
    };
    if recurring
        .trial_period_days
        .is_some_and(|days| days > TRIAL_DAYS_MAX)
    {
        let message = format!("A trial can last at most {TRIAL_DAYS_MAX} days.");
        return Err(Refused::invalid("recurring[trial_period_days]", message));
    }
    if recurring.meter.is_some() && recurring.usage_type == UsageType::Licensed {
        let message = "A meter can only be used with usage_type metered.";
        return Err(Refused::invalid("recurring[meter]", message));
    }
    Ok(())
}

/// A price that reads a meter needs one that is there and takes events.
async fn check_meter(
    connection: &mut AnyConnection,
    scope: &Scope,
    price: &Price,
) -> Result<(), Refused> {
    let meter = price.recurring.as_ref().and_then(|own| own.meter.as_ref());
    let Some(id) = meter else { return Ok(()) };
    let found = document::load::<Meter>(connection, scope, id.as_str()).await?;
    match found {
        None => Err(Refused::NotFound {
            kind: "billing.meter",
            id: id.to_string(),
            param: Some("recurring[meter]".to_owned()),
        }),
        Some(meter) if meter.status == MeterStatus::Inactive => Err(Refused::invalid(
            "recurring[meter]",
            "The meter is inactive. Reactivate it before you make prices that read it.",
        )),
        Some(_) => Ok(()),
    }
}

/// Puts the parameter of a refusal under another one.
fn within(refused: Refused, under: &str) -> Refused {
    match refused {
        Refused::Invalid {
            param,
            code,
            message,
        } if !under.is_empty() => {
            let (first, rest) = match param.find('[') {
                Some(at) => param.split_at(at),
                None => (param.as_str(), ""),
            };
            Refused::Invalid {
                param: format!("{under}[{first}]{rest}"),
                code,
                message,
            }
        }
        other => other,
    }
}
