//! Billing details, tax registrations, mail preferences, language.

use app::locale::Locale;
use app::port::{Details, DetailsInput};
use app::refusal::{Field, Refusal, Rule};
use perennial::address::{self, Fault, Layout, PART_CHARACTERS_MAX, Part};
use perennial::country::{Country, Need};
use perennial::customer::{Address, Customer, MailPreferences, TaxId};
use perennial::id::TaxIdId;
use perennial::portal::{CustomerField, PortalSession};
use perennial::tax_id::{self, TaxIdError};

use super::refusing::{No, fault};
use super::{Refused, Visitor};
use crate::rendering;
use crate::store::customer_tax_id;
use crate::store::document::{self, Stored};

/// The longest name (Stripe: 256 characters).
const NAME_CHARS_MAX: u32 = 256;
/// The longest e-mail address (RFC 5321 allows 254 bytes; Stripe 512 characters).
const EMAIL_CHARS_MAX: u32 = 254;
/// The longest phone number (Stripe: 20 characters; room for spaces and an extension).
const PHONE_CHARS_MAX: u32 = 32;
/// Digits of a phone number (E.164: at most 15).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 4..=15;

/// What was typed, in the form in which it is kept; a field that may not be edited is left out.
struct Typed {
    name: Option<Option<String>>,
    email: Option<Option<String>>,
    phone: Option<Option<String>>,
    address: Option<Option<Address>>,
}

impl Visitor {
    pub(super) async fn details(&self) -> Result<Details, No> {
        if self.features().customer_update.is_empty() {
            return Err(Refusal::NotAllowed.into());
        }
        Ok(self.details_of(self.customer()))
    }

    /// A customer's details with what may be edited.
    pub(super) fn details_of(&self, customer: &Customer) -> Details {
        Details {
            name: customer.name.clone(),
            email: customer.email.clone(),
            phone: customer.phone.clone(),
            address: customer.address.clone(),
            tax_ids: customer.tax_ids.clone(),
            editable: self.features().customer_update.clone(),
        }
    }

    fn editable(&self, field: CustomerField) -> bool {
        self.features().customer_update.contains(&field)
    }

    pub(super) async fn save_details(&self, input: DetailsInput) -> Result<Details, No> {
        if self.features().customer_update.is_empty() {
            return Err(Refusal::NotAllowed.into());
        }
        let typed = self.typed(&input)?;
        let customer = self
            .edit_customer(|customer| {
                if let Some(name) = &typed.name {
                    customer.name.clone_from(name);
                }
                if let Some(email) = &typed.email {
                    customer.email.clone_from(email);
                }
                if let Some(phone) = &typed.phone {
                    customer.phone.clone_from(phone);
                }
                if let Some(address) = &typed.address {
                    customer.address.clone_from(address);
                }
                Ok(())
            })
            .await?;
        Ok(self.details_of(&customer))
    }

    /// Reads the form, and finds every fault in it.
    fn typed(&self, input: &DetailsInput) -> Result<Typed, No> {
        let mut faults = Vec::new();
        let mut text = |field, typed: &str, chars_max| match tidy(typed, chars_max) {
            Ok(text) => text,
            Err(rule) => {
                faults.push((field, rule));
                None
            }
        };
        let name = text(Field::Name, &input.name, NAME_CHARS_MAX);
        let email = text(Field::Email, &input.email, EMAIL_CHARS_MAX);
        let phone = text(Field::Phone, &input.phone, PHONE_CHARS_MAX);
        let address = Address {
            line1: text(Field::Line1, &input.line1, u32::MAX),
            line2: text(Field::Line2, &input.line2, u32::MAX),
            city: text(Field::City, &input.city, u32::MAX),
            state: text(Field::State, &input.state, u32::MAX),
            postal_code: text(Field::PostalCode, &input.postal_code, u32::MAX),
            country: text(Field::Country, &input.country, u32::MAX),
        };
        // Mail that the contract needs has to reach somebody.
        if email.is_none() && self.customer().email.is_some() {
            faults.push((Field::Email, Rule::Required));
        }
        if email.as_deref().is_some_and(|email| !is_email(email)) {
            faults.push((Field::Email, Rule::Malformed));
        }
        if phone.as_deref().is_some_and(|phone| !is_phone(phone)) {
            faults.push((Field::Phone, Rule::Malformed));
        }
        let address = check_address(address, &mut faults);
        let refused: Vec<_> = faults
            .into_iter()
            .filter(|(field, _)| self.editable(part_of(*field)))
            .collect();
        if !refused.is_empty() {
            return Err(Refusal::Invalid(refused).into());
        }
        let editable = |field| self.editable(field);
        Ok(Typed {
            name: editable(CustomerField::Name).then_some(name),
            email: editable(CustomerField::Email).then_some(email),
            phone: editable(CustomerField::Phone).then_some(phone),
            address: editable(CustomerField::Address).then_some(address),
        })
    }

    pub(super) async fn add_tax_id(&self, kind: String, value: String) -> Result<Details, No> {
        if !self.editable(CustomerField::TaxId) {
            return Err(Refusal::NotAllowed.into());
        }
        if value.trim().is_empty() {
            return Err(fault(Field::TaxIdValue, Rule::Required));
        }
        let parsed = tax_id::parse(&kind, &value).map_err(tax_fault)?;
        // The API takes what has the right form; a person at a form is better told of a slip.
        if parsed.checksum == tax_id::Checksum::Invalid {
            return Err(fault(Field::TaxIdValue, Rule::Malformed));
        }
        let (now, engine) = (self.now, &self.engine);
        let added = TaxId {
            id: TaxIdId::new(&mut engine.ids()),
            kind,
            value: parsed.value,
            country: Some(parsed.country.to_owned()),
            created: now,
        };
        let livemode = self.scope().livemode;
        let rendered = rendering::tax_id(&added, &self.customer().id, livemode);
        let told = Some(("customer.tax_id.created", rendered));
        let customer = self
            .edit_customer_telling(told, |customer| {
                tax_id::check_addition(&customer.tax_ids, &added.kind, &added.value)
                    .map_err(tax_fault)?;
                customer.tax_ids.push(added.clone());
                Ok(())
            })
            .await?;
        Ok(self.details_of(&customer))
    }

    pub(super) async fn remove_tax_id(&self, id: String) -> Result<Details, No> {
        if !self.editable(CustomerField::TaxId) {
            return Err(Refusal::NotAllowed.into());
        }
        let own = self
            .customer()
            .tax_ids
            .iter()
            .find(|own| own.id.as_str() == id);
        let own = own.ok_or(Refusal::NotFound)?;
        let rendered = rendering::tax_id(own, &self.customer().id, self.scope().livemode);
        let told = Some(("customer.tax_id.deleted", rendered));
        let customer = self
            .edit_customer_telling(told, |customer| {
                let before = customer.tax_ids.len();
                customer.tax_ids.retain(|own| own.id.as_str() != id);
                if customer.tax_ids.len() == before {
                    return Err(Refusal::NotFound.into());
                }
                Ok(())
            })
            .await?;
        Ok(self.details_of(&customer))
    }

    pub(super) async fn mail(&self) -> Result<MailPreferences, No> {
        Ok(self.customer().mail)
    }

    pub(super) async fn save_mail(&self, mail: MailPreferences) -> Result<MailPreferences, No> {
        let customer = self
            .edit_customer(|customer| {
                customer.mail = mail;
                Ok(())
            })
            .await?;
        Ok(customer.mail)
    }

    /// The customer's wish counts more than the language that the session came with.
    pub(super) async fn choose_language(&self, tag: String) -> Result<(), No> {
        let locale = Locale::from_tag(&tag);
        let locale = locale.ok_or_else(|| fault(Field::Language, Rule::Unknown))?;
        let tag = locale.tag().to_owned();
        self.edit_customer(|customer| {
            customer.preferred_locales.retain(|known| *known != tag);
            customer.preferred_locales.insert(0, tag.clone());
            Ok(())
        })
        .await?;
        if self.visit.session.locale.is_some() {
            let session = self.visit.session.id.as_str();
            self.engine
                .retrying(|| async {
                    let mut tx = self.engine.store.begin().await?;
                    let found: Option<Stored<PortalSession>> =
                        document::load(tx.connection(), self.scope(), session).await?;
                    if let Some(mut session) = found {
                        session.locale = Some(tag.clone());
                        document::update(tx.connection(), self.scope(), &mut session).await?;
                    }
                    Ok(tx.commit().await?)
                })
                .await?;
        }
        Ok(())
    }

    pub(super) async fn sign_out(&self) -> Result<(), No> {
        let session = &self.visit.session.id;
        Ok(self
            .engine
            .end_portal_session(self.scope(), session)
            .await?)
    }

    async fn edit_customer(
        &self,
        edit: impl Fn(&mut Customer) -> Result<(), No> + Sync,
    ) -> Result<Customer, No> {
        self.edit_customer_telling(None, edit).await
    }

    /// Changes the customer as they are now, tells of it (and of `told`), and answers with the
    /// customer as they are then. Nothing is saved or told where nothing changed.
    async fn edit_customer_telling(
        &self,
        told: Option<(&'static str, serde_json::Value)>,
        edit: impl Fn(&mut Customer) -> Result<(), No> + Sync,
    ) -> Result<Customer, No> {
        let (scope, id) = (self.scope(), self.customer().id.as_str());
        let told = &told;
        let edit = &edit;
        let engine = &self.engine;
        // A refusal of the edit's is an answer to the retries, not a reason for another.
        let outcome: Result<Customer, No> = engine
            .retrying(|| async move {
                let mut tx = engine.store.begin().await?;
                let found: Option<Stored<Customer>> =
                    document::load(tx.connection(), scope, id).await?;
                let mut customer = found.ok_or_else(|| Refused::not_found("customer", id))?;
                let before = customer.value.clone();
                match edit(&mut customer.value) {
                    Ok(()) => {}
                    Err(No::Refused(refused)) => return Err(refused),
                    Err(refusal) => return Ok(Err(refusal)),
                }
                if customer.value == before {
                    return Ok(Ok(before));
                }
                document::update(tx.connection(), scope, &mut customer).await?;
                let both = (&before, &*customer);
                customer_tax_id::note(&engine.store, tx.connection(), scope, both).await?;
                if let Some((kind, object)) = told {
                    engine
                        .emit(tx.connection(), scope, kind, object.clone(), None)
                        .await?;
                }
                let object = rendering::customer(&customer.value, scope.livemode);
                let before = rendering::customer(&before, scope.livemode);
                let previous = rendering::previous_attributes(&before, &object);
                // What the API doesn't show has not changed for those outside.
                if previous.is_some() {
                    let kind = "customer.updated";
                    engine
                        .emit(tx.connection(), scope, kind, object, previous)
                        .await?;
                }
                tx.commit().await?;
                Ok(Ok(customer.value))
            })
            .await?;
        outcome
    }
}

/// Trims, and makes nothing of nothing.
fn tidy(typed: &str, chars_max: u32) -> Result<Option<String>, Rule> {
    let text = typed.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.chars().count() > chars_max as usize {
        return Err(Rule::TooLong(chars_max));
    }
    if text.chars().any(char::is_control) {
        return Err(Rule::Malformed);
    }
    Ok(Some(text.to_owned()))
}

/// Something before and after one @, and a dot in the domain: more would refuse good addresses.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let labels = || domain.split('.');
    !local.is_empty()
        && !text.chars().any(char::is_whitespace)
        && !local.contains('@')
        && labels().count() >= 2
        && labels().all(|label| !label.is_empty())
}

/// Digits, with what people put between them.
fn is_phone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let between = |c: char| c.is_ascii_digit() || " +-./()x#".contains(c);
    PHONE_DIGITS.contains(&digits) && text.chars().all(between)
}

/// An address in normal form. What it must have and how long it may be says the domain, so that the page
/// and we refuse the same.
fn check_address(mut address: Address, faults: &mut Vec<(Field, Rule)>) -> Option<Address> {
    if address == Address::default() {
        return None;
    }
    let Some(code) = address.country.as_deref() else {
        faults.push((Field::Country, Rule::Required));
        return Some(address);
    };
    let Some(country) = Country::find(&code.to_ascii_uppercase()) else {
        faults.push((Field::Country, Rule::Unknown));
        return Some(address);
    };
    address.country = Some(country.code.to_owned());
    // What a country does not write stood in a field that it does not show.
    if country.state == Need::Unused {
        address.state = None;
    }
    if country.postal_code == Need::Unused {
        address.postal_code = None;
    }
    let layout = Layout::of(country.code);
    let written = address
        .postal_code
        .as_deref()
        .map(|typed| layout.postal_code(typed));
    if let Some(Some(code)) = written {
        address.postal_code = Some(code);
    }
    faults.extend(address::check(&address).into_iter().map(|(part, fault)| {
        let field = match part {
            Part::Street => Field::Line1,
            Part::City => Field::City,
            Part::State => Field::State,
            Part::PostalCode => Field::PostalCode,
        };
        let most = u32::try_from(PART_CHARACTERS_MAX).unwrap_or(u32::MAX);
        let rule = match fault {
            Fault::Required => Rule::Required,
            Fault::TooLong => Rule::TooLong(most),
            Fault::PostalCode => Rule::Malformed,
        };
        (field, rule)
    }));
    Some(address)
}

/// Which permission covers a field.
fn part_of(field: Field) -> CustomerField {
    match field {
        Field::Name => CustomerField::Name,
        Field::Email => CustomerField::Email,
        Field::Phone => CustomerField::Phone,
        _ => CustomerField::Address,
    }
}

fn tax_fault(error: TaxIdError) -> No {
    let most = u32::try_from(Customer::TAX_IDS_MAX).unwrap_or(u32::MAX);
    match error {
        TaxIdError::UnknownType => fault(Field::TaxIdType, Rule::Unknown),
        TaxIdError::Format { .. } => fault(Field::TaxIdValue, Rule::Malformed),
        TaxIdError::Duplicate => fault(Field::TaxIdValue, Rule::Duplicate),
        TaxIdError::TooMany => fault(Field::TaxIdValue, Rule::TooMany(most)),
    }
}
