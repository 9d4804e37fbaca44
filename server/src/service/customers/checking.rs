//! What may be said of a customer.

use perennial::country::Country;
use perennial::customer::{Address, Customer};

use super::CustomerUpdate;
use crate::service::Refused;
use crate::service::saving::{edit_metadata, set};

/// The longest name, in characters (Stripe: 256).
const NAME_CHARS_MAX: usize = 256;
/// The longest name of a business or a person beside that on invoices, in characters (Stripe: 150).
const OTHER_NAME_CHARS_MAX: usize = 150;
/// The longest e-mail address, in characters (Stripe: 512).
const EMAIL_CHARS_MAX: usize = 512;
/// The longest phone number, in characters (Stripe: 20; 30 leaves room for spaces).
const PHONE_CHARS_MAX: usize = 30;
/// The most languages.
const LOCALES_MAX: usize = 10;
/// Sets what an update says, and refuses what can't stand.
pub(crate) fn edit(customer: &mut Customer, update: &CustomerUpdate) -> Result<(), Refused> {
    set(&mut customer.name, update.name.as_ref());
    set(&mut customer.business_name, update.business_name.as_ref());
    let individual = update.individual_name.as_ref();
    set(&mut customer.individual_name, individual);
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
        (
            "business_name",
            &customer.business_name,
            OTHER_NAME_CHARS_MAX,
        ),
        (
            "individual_name",
            &customer.individual_name,
            OTHER_NAME_CHARS_MAX,
        ),
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
pub(crate) fn is_email(email: &str) -> bool {
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
