//! Products.

use perennial::catalog::{Price, Product};
use perennial::id::{PriceId, ProductId};
use perennial::metadata::MetadataChange;
use sqlx::AnyConnection;

use super::at_most;
use super::price::{NewPrice, PriceProduct};
use crate::rendering;
use crate::service::portal_sessions::check_url;
use crate::service::saving::{edit_metadata, new_metadata, set};
use crate::service::{Engine, Refused};
use crate::store::document::{self, Column, PageRequest, Stored};
use crate::store::{Scope, nouns};

/// The longest name, in characters (Stripe: 250).
const NAME_CHARS_MAX: usize = 250;
/// The most selling points (Stripe: 15).
const FEATURES_MAX: usize = 15;
/// The longest selling point, in characters (Stripe: 80).
const FEATURE_CHARS_MAX: usize = 80;
/// The longest name of a unit, in characters (Stripe: 12; 24 leaves room for other languages).
const UNIT_LABEL_CHARS_MAX: usize = 24;

/// A product to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewProduct {
    /// The name.
    pub name: String,
    /// Whether it is on sale; yes, if not said.
    pub active: Option<bool>,
    /// For customers.
    pub description: Option<String>,
    /// What one unit is called.
    pub unit_label: Option<String>,
    /// Selling points.
    pub marketing_features: Vec<String>,
    /// In the form of Stripe's catalogue.
    pub tax_code: Option<String>,
    /// The merchant's page about it.
    pub url: Option<String>,
    /// Free keys.
    pub metadata: Option<MetadataChange>,
    /// A price made with it, which becomes its default. Its `product` is this one.
    pub default_price: Option<Box<NewPrice>>,
}

/// What changes on a product; `None` keeps, `Some(None)` takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductUpdate {
    /// Another name.
    pub name: Option<String>,
    /// On sale or not.
    pub active: Option<bool>,
    /// For customers.
    pub description: Option<Option<String>>,
    /// What one unit is called.
    pub unit_label: Option<Option<String>>,
    /// Selling points.
    pub marketing_features: Option<Vec<String>>,
    /// In the form of Stripe's catalogue.
    pub tax_code: Option<Option<String>>,
    /// The merchant's page about it.
    pub url: Option<Option<String>>,
    /// Must be one of its active prices.
    pub default_price: Option<PriceId>,
    /// Free keys.
    pub metadata: Option<MetadataChange>,
}

impl Engine {
    /// Makes a product, with its default price if one is given.
    ///
    /// # Errors
    /// Names the first field that can't stand.
    pub async fn create_product(
        &self,
        scope: &Scope,
        new: NewProduct,
    ) -> Result<Stored<Product>, Refused> {
        let mut product = self.new_product(&new)?;
        let Some(price) = new.default_price else {
            let show = rendering::product;
            return self.create(scope, &product, "product.created", show).await;
        };
        let price = self.new_price(&price, &product, "default_price_data")?;
        product.default_price = Some(price.id.clone());
        let (product, price) = (&product, &price);
        self.retrying(|| async move {
            let mut tx = self.store.begin().await?;
            let connection = tx.connection();
            let stored = self
                .insert_product(connection, scope, product.clone())
                .await?;
            self.insert_price(connection, scope, price.clone()).await?;
            tx.commit().await?;
            Ok(stored)
        })
        .await
    }

    /// A product as it will be, not saved.
    pub(super) fn new_product(&self, new: &NewProduct) -> Result<Product, Refused> {
        let now = self.now();
        let product = Product {
            id: ProductId::new(&mut self.ids()),
            name: new.name.clone(),
            description: new.description.clone(),
            active: new.active.unwrap_or(true),
            unit_label: new.unit_label.clone(),
            marketing_features: new.marketing_features.clone(),
            default_price: None,
            tax_code: new.tax_code.clone(),
            url: new.url.clone(),
            metadata: new_metadata(new.metadata.as_ref())?,
            created: now,
            updated: now,
        };
        check(&product)?;
        Ok(product)
    }

    /// Saves a new product in a transaction, with its event.
    pub(super) async fn insert_product(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        product: Product,
    ) -> Result<Stored<Product>, Refused> {
        let now = self.now();
        let stored = document::insert(&self.store, &mut *connection, scope, product, now).await?;
        let shown = rendering::product(&stored.value, scope.livemode);
        self.emit(connection, scope, "product.created", shown, None)
            .await?;
        Ok(stored)
    }

    /// Changes a product. Another name goes to its prices too, since lines are described by it.
    ///
    /// # Errors
    /// When it is not there, or names the first field that can't stand.
    pub async fn update_product(
        &self,
        scope: &Scope,
        id: &ProductId,
        update: ProductUpdate,
    ) -> Result<Stored<Product>, Refused> {
        if let Some(price) = &update.default_price {
            self.check_default_price(scope, id, price).await?;
        }
        let edit = |product: &mut Product| {
            let before = product.clone();
            set(&mut product.name, update.name.as_ref());
            set(&mut product.active, update.active.as_ref());
            set(&mut product.description, update.description.as_ref());
            set(&mut product.unit_label, update.unit_label.as_ref());
            set(
                &mut product.marketing_features,
                update.marketing_features.as_ref(),
            );
            set(&mut product.tax_code, update.tax_code.as_ref());
            set(&mut product.url, update.url.as_ref());
            if let Some(price) = &update.default_price {
                product.default_price = Some(price.clone());
            }
            edit_metadata(&mut product.metadata, update.metadata.as_ref())?;
            if *product != before {
                product.updated = self.now();
            }
            check(product)
        };
        let show = rendering::product;
        let stored = self
            .change(scope, id.as_str(), "product.updated", show, edit)
            .await?;
        if update.name.is_some() {
            self.rename_prices(scope, &stored.value).await?;
        }
        Ok(stored)
    }

    async fn check_default_price(
        &self,
        scope: &Scope,
        product: &ProductId,
        price: &PriceId,
    ) -> Result<(), Refused> {
        let mut connection = self.store.read().await?;
        let found = document::load::<Price>(&mut connection, scope, price.as_str()).await?;
        let found = found.filter(|found| found.product == *product);
        let Some(found) = found else {
            return Err(Refused::NotFound {
                kind: "price",
                id: price.to_string(),
                param: Some("default_price".to_owned()),
            });
        };
        if found.active {
            return Ok(());
        }
        let message = "The default price must be active.";
        Err(Refused::invalid("default_price", message))
    }

    /// Gives a product's prices its name. Renaming is rare and the prices of a product are few; it
    /// can be repeated, so each page commits on its own.
    async fn rename_prices(&self, scope: &Scope, product: &Product) -> Result<(), Refused> {
        let filter = [Column::text(&product.id), Column::Number(Some(-1))];
        let mut page = PageRequest::first(PageRequest::LIMIT_MAX);
        loop {
            let page_now = &page;
            let filter = &filter;
            let found = self
                .retrying(|| async move {
                    let mut tx = self.store.begin().await?;
                    let connection = tx.connection();
                    let found = document::list::<Price>(
                        &mut *connection,
                        scope,
                        nouns::PRICES,
                        page_now,
                        filter,
                    )
                    .await?;
                    let named = |price: &Stored<Price>| price.product_name == product.name;
                    let mut other = found.rows.clone();
                    other.retain(|price| !named(price));
                    for price in &mut other {
                        price.product_name.clone_from(&product.name);
                    }
                    document::update_many(&self.store, &mut *connection, scope, &mut other).await?;
                    tx.commit().await?;
                    Ok(found)
                })
                .await?;
            match found.rows.last() {
                Some(last) if found.has_more => {
                    page.starting_after = Some(last.value.id.to_string());
                }
                _ => return Ok(()),
            }
        }
    }

    /// Deletes a product that has no prices, as Stripe does.
    ///
    /// # Errors
    /// When it is not there or has prices.
    pub async fn delete_product(&self, scope: &Scope, id: &ProductId) -> Result<(), Refused> {
        self.retrying(|| async move {
            let mut tx = self.store.begin().await?;
            let connection = tx.connection();
            let found = document::load::<Product>(&mut *connection, scope, id.as_str()).await?;
            let product = found.ok_or_else(|| Refused::not_found("product", id.as_str()))?;
            let filter = [Column::text(id), Column::Number(Some(-1))];
            let page = PageRequest::first(1);
            let prices =
                document::list::<Price>(&mut *connection, scope, nouns::PRICES, &page, &filter)
                    .await?;
            if !prices.rows.is_empty() {
                let message = "This product cannot be deleted because it has one or more prices. \
                               Archive it by setting active to false instead.";
                return Err(Refused::State {
                    code: None,
                    message: message.to_owned(),
                });
            }
            document::delete(&mut *connection, scope, &product).await?;
            let shown = rendering::product(&product.value, scope.livemode);
            self.emit(connection, scope, "product.deleted", shown, None)
                .await?;
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// The product that a new price is for: an existing one, or one made with it.
    pub(super) async fn product_of_price(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        of: &PriceProduct,
    ) -> Result<Product, Refused> {
        match of {
            PriceProduct::Existing(id) => {
                let found = document::load::<Product>(connection, scope, id.as_str()).await?;
                let found = found.map(|stored| stored.value);
                found.ok_or_else(|| Refused::NotFound {
                    kind: "product",
                    id: id.to_string(),
                    param: Some("product".to_owned()),
                })
            }
            PriceProduct::New(new) => {
                let product = self.new_product(new)?;
                let stored = self.insert_product(connection, scope, product).await?;
                Ok(stored.value)
            }
        }
    }
}

fn check(product: &Product) -> Result<(), Refused> {
    if product.name.trim().is_empty() {
        return Err(Refused::invalid("name", "A product needs a name."));
    }
    at_most("name", Some(&product.name), NAME_CHARS_MAX)?;
    let unit_label = product.unit_label.as_deref();
    at_most("unit_label", unit_label, UNIT_LABEL_CHARS_MAX)?;
    check_url("url", product.url.as_deref())?;
    if product.marketing_features.len() > FEATURES_MAX {
        let message = format!("Array can have at most {FEATURES_MAX} elements.");
        return Err(Refused::invalid("marketing_features", message));
    }
    for (index, feature) in product.marketing_features.iter().enumerate() {
        let param = format!("marketing_features[{index}][name]");
        at_most(&param, Some(feature), FEATURE_CHARS_MAX)?;
    }
    Ok(())
}
