//! Customers, as merchants make and change them.

use perennial::country::Country;
use perennial::currency::Currency;
use perennial::customer::{Address, Customer, MailPreferences, Shipping, TaxExempt, TaxId};
use perennial::id::{CustomerBalanceTransactionId, CustomerId, PaymentMethodId, TaxIdId};
use perennial::metadata::MetadataChange;
use perennial::payment::PaymentMethod;
use perennial::subscription::Subscription;
use perennial::tax_id;

use super::balance::{BalanceTransaction, BalanceTransactionKind};
use super::saving::{edit_metadata, set};
use super::subscriptions::Cancel;
use super::{Engine, Refused};
use crate::rendering;
use crate::store::document::{self, Column, PageRequest, Stored};
use crate::store::{Scope, nouns};

/// The longest name, in characters (Stripe: 256).
const NAME_CHARS_MAX: usize = 256;
/// The longest e-mail address, in characters (Stripe: 512).
const EMAIL_CHARS_MAX: usize = 512;
/// The longest phone number, in characters (Stripe: 20; 30 leaves room for spaces).
const PHONE_CHARS_MAX: usize = 30;
/// The most languages.
const LOCALES_MAX: usize = 10;
/// The largest amount of one change of a balance, in minor units (Stripe: 12 digits).
const BALANCE_CHANGE_MAX: i64 = 999_999_999_999;

/// What is said of a customer, new or changed; `None` keeps, `Some(None)` takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerUpdate {
    /// On invoices.
    pub name: Option<Option<String>>,
    /// Where mail goes.
    pub email: Option<Option<String>>,
    /// Phone.
    pub phone: Option<Option<String>>,
    /// The merchant's note.
    pub description: Option<Option<String>>,
    /// The billing address, whole.
    pub address: Option<Option<Address>>,
    /// Where goods go, whole.
    pub shipping: Option<Option<Shipping>>,
    /// Whether tax applies.
    pub tax_exempt: Option<TaxExempt>,
    /// IETF tags, most wanted first.
    pub preferred_locales: Option<Vec<String>>,
    /// Starts the invoice numbers.
    pub invoice_prefix: Option<String>,
    /// The number of the next invoice.
    pub next_invoice_sequence: Option<u32>,
    /// Pays whatever names no method; must be attached to the customer.
    pub default_payment_method: Option<Option<PaymentMethodId>>,
    /// Free keys.
    pub metadata: Option<MetadataChange>,
}

/// A tax id as somebody wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTaxId {
    /// Stripe's type.
    pub kind: String,
    /// As written.
    pub value: String,
}

impl Engine {
    /// Makes a customer.
    ///
    /// # Errors
    /// Names the first field that can't stand.
    pub async fn create_customer(
        &self,
        scope: &Scope,
        new: CustomerUpdate,
        tax_ids: Vec<NewTaxId>,
    ) -> Result<Stored<Customer>, Refused> {
        let now = self.now();
        let mut customer = Customer {
            id: CustomerId::new(&mut self.ids()),
            name: None,
            email: None,
            phone: None,
            description: None,
            address: None,
            shipping: None,
            tax_ids: Vec::new(),
            tax_exempt: TaxExempt::None,
            preferred_locales: Vec::new(),
            currency: None,
            balance_minor: 0,
            invoice_prefix: self.invoice_prefix(),
            next_invoice_sequence: 1,
            default_payment_method: None,
            discount: None,
            delinquent: false,
            mail: MailPreferences::default(),
            metadata: perennial::metadata::Metadata::default(),
            created: now,
            deleted: false,
        };
        edit(&mut customer, &new)?;
        for (index, tax) in tax_ids.iter().enumerate() {
            self.add_to(&mut customer, tax)
                .map_err(|refused| match refused {
                    Refused::Invalid {
                        param,
                        code,
                        message,
                    } => Refused::Invalid {
                        param: format!("tax_id_data[{index}][{param}]"),
                        code,
                        message,
                    },
                    other => other,
                })?;
        }
        let show = rendering::customer;
        self.create(scope, &customer, "customer.created", show)
            .await
    }

    /// Eight letters and digits that no other customer has, as good as certainly.
    fn invoice_prefix(&self) -> String {
        const SIGNS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
        let bits = self.entropy.bits();
        (0..8)
            .map(|place| {
                let index = (bits >> (place * 5)) & 31;
                SIGNS
                    .get(index as usize)
                    .map_or('0', |sign| char::from(*sign))
            })
            .collect()
    }

    /// Changes a customer.
    ///
    /// # Errors
    /// When it is not there or deleted, or names the first field that can't stand.
    pub async fn update_customer(
        &self,
        scope: &Scope,
        id: &CustomerId,
        update: CustomerUpdate,
    ) -> Result<Stored<Customer>, Refused> {
        if let Some(Some(method)) = &update.default_payment_method {
            self.check_attached(scope, id, method).await?;
        }
        let show = rendering::customer;
        self.change(scope, id.as_str(), "customer.updated", show, |customer| {
            not_deleted(customer)?;
            edit(customer, &update)
        })
        .await
    }

    async fn check_attached(
        &self,
        scope: &Scope,
        customer: &CustomerId,
        method: &PaymentMethodId,
    ) -> Result<(), Refused> {
        let mut connection = self.store.read().await?;
        let found =
            document::load::<PaymentMethod>(&mut connection, scope, method.as_str()).await?;
        let param = "invoice_settings[default_payment_method]";
        match found {
            Some(found) if found.customer.as_ref() == Some(customer) => Ok(()),
            Some(_) => Err(Refused::invalid(
                param,
                format!(
                    "The customer does not have a payment method with the ID {method}. The \
                     payment method must be attached to the customer."
                ),
            )),
            None => Err(Refused::NotFound {
                kind: "payment_method",
                id: method.to_string(),
                param: Some(param.to_owned()),
            }),
        }
    }

    /// Ends a customer's subscriptions and marks it as deleted: its invoices stay, and it can't be
    /// billed or found in lists. If it stops halfway, deleting again goes on.
    ///
    /// # Errors
    /// When it is not there or was deleted before.
    pub async fn delete_customer(&self, scope: &Scope, id: &CustomerId) -> Result<(), Refused> {
        self.living_customer(scope, id).await?;
        loop {
            let own = self.live_subscriptions(scope, id).await?;
            for subscription in &own {
                let cancelled = self
                    .cancel_subscription(scope, &subscription.value.id, Cancel::default())
                    .await;
                match cancelled {
                    // Somebody else ended it meanwhile.
                    Err(Refused::NotFound { .. }) | Ok(_) => {}
                    Err(refused) => return Err(refused),
                }
            }
            if own.is_empty() {
                break;
            }
        }
        self.mark_deleted(scope, id).await
    }

    async fn live_subscriptions(
        &self,
        scope: &Scope,
        id: &CustomerId,
    ) -> Result<Vec<Stored<Subscription>>, Refused> {
        let mut connection = self.store.read().await?;
        let page = PageRequest::first(PageRequest::LIMIT_MAX);
        let sql = nouns::SUBSCRIPTIONS_LIVE_BY_CUSTOMER;
        let filter = [Column::text(id)];
        let own = document::list(&mut connection, scope, sql, &page, &filter).await?;
        Ok(own.rows)
    }

    async fn mark_deleted(&self, scope: &Scope, id: &CustomerId) -> Result<(), Refused> {
        self.retrying(|| async move {
            let mut tx = self.store.begin().await?;
            let connection = tx.connection();
            let found = document::load::<Customer>(&mut *connection, scope, id.as_str()).await?;
            let mut stored = found.ok_or_else(|| Refused::not_found("customer", id.as_str()))?;
            not_deleted(&stored.value)?;
            let shown = rendering::customer(&stored.value, scope.livemode);
            stored.value.deleted = true;
            document::update(&mut *connection, scope, &mut stored).await?;
            self.emit(connection, scope, "customer.deleted", shown, None)
                .await?;
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// Adds a tax id to a customer.
    ///
    /// # Errors
    /// When the customer is not there, or names the field that can't stand.
    pub async fn add_tax_id(
        &self,
        scope: &Scope,
        customer: &CustomerId,
        new: NewTaxId,
    ) -> Result<TaxId, Refused> {
        let new = &new;
        self.retrying(|| async move {
            let mut tx = self.store.begin().await?;
            let connection = tx.connection();
            let id = customer.as_str();
            let found = document::load::<Customer>(&mut *connection, scope, id).await?;
            let mut stored = found.ok_or_else(|| Refused::not_found("customer", id))?;
            not_deleted(&stored.value)?;
            let tax = self.add_to(&mut stored.value, new)?;
            document::update(&mut *connection, scope, &mut stored).await?;
            let shown = rendering::tax_id(&tax, customer, scope.livemode);
            self.emit(connection, scope, "customer.tax_id.created", shown, None)
                .await?;
            tx.commit().await?;
            Ok(tax)
        })
        .await
    }

    fn add_to(&self, customer: &mut Customer, new: &NewTaxId) -> Result<TaxId, Refused> {
        let refuse = |error: tax_id::TaxIdError| Refused::Invalid {
            param: error.param().to_owned(),
            code: Some("tax_id_invalid"),
            message: format!("Invalid value for {}: {error}.", new.kind),
        };
        let parsed = tax_id::parse(&new.kind, &new.value).map_err(refuse)?;
        tax_id::check_addition(&customer.tax_ids, &new.kind, &parsed.value).map_err(refuse)?;
        let tax = TaxId {
            id: TaxIdId::new(&mut self.ids()),
            kind: new.kind.clone(),
            value: parsed.value,
            country: Some(parsed.country.to_owned()),
            created: self.now(),
        };
        customer.tax_ids.push(tax.clone());
        Ok(tax)
    }

    /// Removes a tax id from a customer.
    ///
    /// # Errors
    /// When the customer or the tax id is not there.
    pub async fn remove_tax_id(
        &self,
        scope: &Scope,
        customer: &CustomerId,
        tax: &TaxIdId,
    ) -> Result<(), Refused> {
        self.retrying(|| async move {
            let mut tx = self.store.begin().await?;
            let connection = tx.connection();
            let id = customer.as_str();
            let found = document::load::<Customer>(&mut *connection, scope, id).await?;
            let mut stored = found.ok_or_else(|| Refused::not_found("customer", id))?;
            let place = stored.tax_ids.iter().position(|own| own.id == *tax);
            let place = place.ok_or_else(|| Refused::not_found("tax_id", tax.as_str()))?;
            let gone = stored.value.tax_ids.remove(place);
            document::update(&mut *connection, scope, &mut stored).await?;
            let shown = rendering::tax_id(&gone, customer, scope.livemode);
            self.emit(connection, scope, "customer.tax_id.deleted", shown, None)
                .await?;
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// Changes a customer's balance by hand, with an entry in its ledger. A first change fixes the
    /// customer's currency.
    ///
    /// # Errors
    /// When the customer is not there, the currency is another one, or the sum is too large.
    pub async fn adjust_balance(
        &self,
        scope: &Scope,
        customer: &CustomerId,
        (amount_minor, currency): (i64, Currency),
        description: Option<String>,
    ) -> Result<Stored<BalanceTransaction>, Refused> {
        let description = &description;
        self.retrying(|| async move {
            let mut tx = self.store.begin().await?;
            let connection = tx.connection();
            let id = customer.as_str();
            let found = document::load::<Customer>(&mut *connection, scope, id).await?;
            let mut stored = found.ok_or_else(|| Refused::not_found("customer", id))?;
            not_deleted(&stored.value)?;
            let before = rendering::customer(&stored.value, scope.livemode);
            let mut entry = self.entry(&mut stored.value, amount_minor, currency)?;
            entry.description.clone_from(description);
            document::update(&mut *connection, scope, &mut stored).await?;
            let now = self.now();
            let entry = document::insert(&self.store, &mut *connection, scope, entry, now).await?;
            let shown = rendering::customer(&stored.value, scope.livemode);
            let previous = rendering::previous_attributes(&before, &shown);
            self.emit(connection, scope, "customer.updated", shown, previous)
                .await?;
            tx.commit().await?;
            Ok(entry)
        })
        .await
    }

    fn entry(
        &self,
        customer: &mut Customer,
        amount_minor: i64,
        currency: Currency,
    ) -> Result<BalanceTransaction, Refused> {
        if amount_minor == 0 || !(-BALANCE_CHANGE_MAX..=BALANCE_CHANGE_MAX).contains(&amount_minor)
        {
            let message = "The amount must not be zero and must have at most 12 digits.";
            return Err(Refused::invalid("amount", message));
        }
        if let Some(own) = customer.currency
            && own != currency
        {
            let message = format!("This customer is billed in {own}; its balance is too.");
            return Err(Refused::invalid("currency", message));
        }
        let balance = customer.balance_minor.checked_add(amount_minor);
        let balance = balance.ok_or(Refused::TooLarge)?;
        customer.currency = Some(currency);
        customer.balance_minor = balance;
        Ok(BalanceTransaction {
            id: CustomerBalanceTransactionId::new(&mut self.ids()),
            customer: customer.id.clone(),
            amount_minor,
            currency,
            ending_balance_minor: balance,
            kind: BalanceTransactionKind::Adjustment,
            invoice: None,
            description: None,
            created: self.now(),
        })
    }

    /// A customer that is there and not deleted.
    ///
    /// # Errors
    /// When it is not.
    pub async fn living_customer(
        &self,
        scope: &Scope,
        id: &CustomerId,
    ) -> Result<Stored<Customer>, Refused> {
        let stored = self.find::<Customer>(scope, id.as_str()).await?;
        not_deleted(&stored.value)?;
        Ok(stored)
    }
}

fn not_deleted(customer: &Customer) -> Result<(), Refused> {
    if customer.deleted {
        return Err(Refused::not_found("customer", customer.id.as_str()));
    }
    Ok(())
}

fn edit(customer: &mut Customer, update: &CustomerUpdate) -> Result<(), Refused> {
    set(&mut customer.name, update.name.as_ref());
    set(&mut customer.email, update.email.as_ref());
    set(&mut customer.phone, update.phone.as_ref());
    set(&mut customer.description, update.description.as_ref());
    set(&mut customer.address, update.address.as_ref());
    set(&mut customer.shipping, update.shipping.as_ref());
    set(&mut customer.tax_exempt, update.tax_exempt.as_ref());
    set(
        &mut customer.preferred_locales,
        update.preferred_locales.as_ref(),
    );
    set(
        &mut customer.default_payment_method,
        update.default_payment_method.as_ref(),
    );
    if let Some(prefix) = &update.invoice_prefix {
        check_prefix(prefix)?;
        customer.invoice_prefix.clone_from(prefix);
    }
    if let Some(next) = update.next_invoice_sequence {
        if next < customer.next_invoice_sequence {
            let message = "next_invoice_sequence can't go back: the numbers were given already.";
            return Err(Refused::invalid("next_invoice_sequence", message));
        }
        customer.next_invoice_sequence = next;
    }
    edit_metadata(&mut customer.metadata, update.metadata.as_ref())?;
    check(customer)
}

fn check_prefix(prefix: &str) -> Result<(), Refused> {
    let signs = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    if (3..=12).contains(&prefix.len()) && prefix.chars().all(signs) {
        return Ok(());
    }
    let message = "invoice_prefix must be 3 to 12 upper-case letters or digits.";
    Err(Refused::invalid("invoice_prefix", message))
}

fn check(customer: &mut Customer) -> Result<(), Refused> {
    for (param, text, most) in [
        ("name", &customer.name, NAME_CHARS_MAX),
        ("email", &customer.email, EMAIL_CHARS_MAX),
        ("phone", &customer.phone, PHONE_CHARS_MAX),
    ] {
        if text.as_ref().is_some_and(|t| t.chars().count() > most) {
            let message = format!("Invalid string: must be at most {most} characters");
            return Err(Refused::invalid(param, message));
        }
    }
    if let Some(email) = customer.email.as_deref()
        && !is_email(email)
    {
        return Err(Refused::Invalid {
            param: "email".to_owned(),
            code: Some("email_invalid"),
            message: format!("Invalid email address: {email}"),
        });
    }
    if let Some(address) = &mut customer.address {
        check_country("address[country]", address)?;
    }
    if let Some(shipping) = &mut customer.shipping {
        check_country("shipping[address][country]", &mut shipping.address)?;
    }
    if customer.preferred_locales.len() > LOCALES_MAX {
        let message = format!("Array can have at most {LOCALES_MAX} elements.");
        return Err(Refused::invalid("preferred_locales", message));
    }
    let tag = |c: char| c.is_ascii_alphanumeric() || c == '-';
    for (index, locale) in customer.preferred_locales.iter().enumerate() {
        if !(2..=35).contains(&locale.len()) || !locale.chars().all(tag) {
            let message = "A locale is an IETF tag, such as fr or zh-TW.";
            let param = format!("preferred_locales[{index}]");
            return Err(Refused::invalid(param, message));
        }
    }
    Ok(())
}

/// Whether mail could reach it: one `@` with something on both sides, and nothing that a header
/// could trip over.
fn is_email(email: &str) -> bool {
    let Some((name, host)) = email.rsplit_once('@') else {
        return false;
    };
    let sound = |c: char| !c.is_whitespace() && !c.is_control() && !"<>,;:\\\"()[]".contains(c);
    !name.is_empty()
        && !name.contains('@')
        && host.len() > 2
        && host.contains('.')
        && !host.starts_with('.')
        && !host.ends_with('.')
        && !host.contains("..")
        && email.chars().all(sound)
}

fn check_country(param: &str, address: &mut Address) -> Result<(), Refused> {
    let Some(code) = &address.country else {
        return Ok(());
    };
    match Country::find(code) {
        Some(country) => {
            address.country = Some(country.code.to_owned());
            Ok(())
        }
        None => Err(Refused::Invalid {
            param: param.to_owned(),
            code: Some("country_code_invalid"),
            message: format!(
                "Country '{}' is unknown. Try using a 2-character alphanumeric country code \
                 instead, such as 'US', 'FR', or 'CN'.",
                code.chars().take(40).collect::<String>()
            ),
        }),
    }
}
