//! What can be said of a merchant on the command line: its brand, its imprint, who may frame it.

use std::fs::File;
use std::io::Read as _;

use clap::{Args, ValueEnum};
use perennial::currency::Currency;
use perennial::customer::Address;
use perennial::id::MerchantId;
use perennial::theme::{Appearance, Font, Rgb, Theme};

use crate::document::logo::{BYTES_MAX, Logo};
use crate::mail::{Kind, MailSettings};
use crate::merchant::{InvoiceNumbering, Merchant};
use perennial::dunning::{RetryMode, RetryPolicy};
use perennial::subscription::WhenExhausted;

/// The changes of `perennial merchant update`. What is not named stays.
#[derive(Args, Clone, Debug, Default)]
pub struct MerchantUpdate {
    /// The legal name, as it stands on invoices
    #[arg(long, value_name = "NAME", value_parser = super::merchant_name)]
    pub name: Option<String>,

    /// The name in the portal
    #[arg(long, value_name = "NAME", value_parser = super::merchant_name)]
    pub display_name: Option<String>,

    /// Buttons, links and focus, as #rrggbb; shades for light and dark are derived and kept readable
    #[arg(long, value_name = "COLOUR")]
    pub brand: Option<Rgb>,

    /// The page's ground on light, as #rrggbb
    #[arg(long, value_name = "COLOUR")]
    pub background: Option<Rgb>,

    /// The portal's logo: an https:// address or a path of this server; empty removes it. Mail programs show no
    /// SVG: where it is one, mails have the document logo
    #[arg(long, value_name = "URL", value_parser = logo)]
    pub logo: Option<String>,

    /// The same for dark ground; empty uses the other
    #[arg(long, value_name = "URL", value_parser = logo)]
    pub logo_dark: Option<String>,

    /// A PNG or JPEG file that is printed on invoices and credit notes in place of the name, and shown in mails
    /// where the portal's logo is an SVG; best twice as large as it is shown, 64 pixels high. Empty removes it
    #[arg(long, value_name = "FILE")]
    pub document_logo: Option<String>,

    /// The typeface
    #[arg(long, value_enum)]
    pub font: Option<FontChoice>,

    /// How round corners are, in pixels
    #[arg(long, value_name = "PX", value_parser = clap::value_parser!(u8).range(0..=16))]
    pub radius: Option<u8>,

    /// Light, dark, or as the reader's system says
    #[arg(long, value_enum)]
    pub appearance: Option<AppearanceChoice>,

    /// An origin that may show the portal in a frame, such as `https://app.example.com`; give it once
    /// for each, or once empty to allow none
    #[arg(long = "frame-ancestor", value_name = "ORIGIN", value_parser = origin)]
    pub frame_ancestors: Vec<String>,

    /// Where customers ask; empty removes it
    #[arg(long, value_name = "ADDRESS")]
    pub support_email: Option<String>,

    /// The tax registration on invoices, such as "VAT DE123456789"; empty removes it
    #[arg(long, value_name = "TEXT")]
    pub tax_id: Option<String>,

    /// Printed at the foot of invoices; empty removes it
    #[arg(long, value_name = "TEXT")]
    pub invoice_footer: Option<String>,

    /// Whether customers get mail from this server
    #[arg(long, value_name = "BOOL")]
    pub mail: Option<bool>,

    /// The sender's name in mails; empty uses the name in the portal
    #[arg(long, value_name = "NAME")]
    pub mail_sender_name: Option<String>,

    /// The sender's address in mails; empty uses no-reply@ the server's host
    #[arg(long, value_name = "ADDRESS", value_parser = sender)]
    pub mail_sender: Option<String>,

    /// A kind of mail that is not sent, such as receipt; give it once for each, or once empty to send
    /// all
    #[arg(long = "mail-without", value_name = "KIND", value_parser = mail_kind)]
    pub mail_without: Vec<Option<Kind>>,

    /// Whether the mails of test mode leave the machine, instead of going to the folder
    #[arg(long, value_name = "BOOL")]
    pub mail_test_mode: Option<bool>,

    /// How long the draft of a renewal may be changed before it becomes final, in seconds; 0 for not
    /// at all
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(0..=2_592_000))]
    pub draft_seconds: Option<i64>,

    /// Tell of a subscription's next invoice so many days before (the event invoice.upcoming); 0 for
    /// not at all
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(0..=60))]
    pub upcoming_days: Option<u16>,

    /// Where invoice numbers run without a gap: for each customer, or over the whole account
    #[arg(long, value_enum)]
    pub invoice_numbering: Option<NumberingChoice>,

    /// What invoice numbers of the account begin with: 3 to 12 letters and digits; empty uses the end of
    /// the merchant's id
    #[arg(long, value_name = "PREFIX", value_parser = invoice_prefix)]
    pub invoice_prefix: Option<String>,

    /// What a customer's balance is in where it comes before anything was billed, such as eur; without
    /// one it is the newest price's
    #[arg(long, value_name = "CODE")]
    pub currency: Option<Currency>,

    /// Street and number, on invoices
    #[arg(long, value_name = "TEXT")]
    pub line1: Option<String>,

    /// Town
    #[arg(long, value_name = "TEXT")]
    pub city: Option<String>,

    /// Postal code
    #[arg(long, value_name = "TEXT")]
    pub postal_code: Option<String>,

    /// Retry failed payments so many days after each attempt, such as 1,2,2,3; empty never retries
    #[arg(long, value_name = "DAYS", value_parser = retry_days, conflicts_with = "smart_retries")]
    pub retry_days: Option<RetryMode>,

    /// Retry when it is likeliest to go through: the window in days and the most retries, such as 14:8
    #[arg(long, value_name = "DAYS:MOST", value_parser = smart_retries)]
    pub smart_retries: Option<RetryMode>,

    /// What becomes of a subscription when all retries failed
    #[arg(long, value_enum)]
    pub after_retries: Option<AfterRetries>,

    /// Retry first payments so many hours after each attempt, such as 1,6; empty never does
    #[arg(long, value_name = "HOURS", value_parser = first_retry_hours)]
    pub first_retry_hours: Option<Hours>,

    /// Mark one-off invoices uncollectible so many days after they were due; 0 never does
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(0..=365))]
    pub write_off_days: Option<u16>,

    /// Country, two letters
    #[arg(long, value_name = "CODE", value_parser = country)]
    pub country: Option<String>,
}

impl MerchantUpdate {
    /// Makes the changes.
    pub fn apply(&self, merchant: &mut Merchant) {
        set(&mut merchant.name, self.name.as_ref());
        set_or_clear(&mut merchant.support_email, self.support_email.as_ref());
        set_or_clear(&mut merchant.tax_id, self.tax_id.as_ref());
        set_or_clear(&mut merchant.invoice_footer, self.invoice_footer.as_ref());
        set(&mut merchant.draft_seconds, self.draft_seconds.as_ref());
        set(&mut merchant.upcoming_days, self.upcoming_days.as_ref());
        if let Some(numbering) = self.invoice_numbering {
            merchant.numbering = numbering.into();
        }
        set_or_clear(&mut merchant.invoice_prefix, self.invoice_prefix.as_ref());
        merchant.currency = self.currency.or(merchant.currency);
        self.apply_theme(&mut merchant.theme);
        self.apply_retries(&mut merchant.retries);
        self.apply_mail(&mut merchant.mail);
        if !self.frame_ancestors.is_empty() {
            let origins = self.frame_ancestors.iter().filter(|o| !o.is_empty());
            merchant.frame_ancestors = origins.cloned().collect();
        }
        let mut address = merchant.address.clone().unwrap_or_default();
        set_or_clear(&mut address.line1, self.line1.as_ref());
        set_or_clear(&mut address.city, self.city.as_ref());
        set_or_clear(&mut address.postal_code, self.postal_code.as_ref());
        set_or_clear(&mut address.country, self.country.as_ref());
        merchant.address = (address != Address::default()).then_some(address);
    }

    /// The file of the logo for documents, where one is named; nothing in it takes the logo away.
    ///
    /// # Errors
    /// When it can't be read, or no document can have such a file.
    pub fn document_logo(&self) -> Result<Option<Vec<u8>>, String> {
        let path = match &self.document_logo {
            None => return Ok(None),
            Some(path) if path.is_empty() => return Ok(Some(Vec::new())),
            Some(path) => path,
        };
        let said = |error: String| format!("--document-logo {path}: {error}");
        // One byte more than may be shows that there are too many, however large the file is.
        let most = u64::try_from(BYTES_MAX)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        let mut file = Vec::new();
        File::open(path)
            .and_then(|opened| opened.take(most).read_to_end(&mut file))
            .map_err(|error| said(error.to_string()))?;
        let judged = Logo::read(file.clone());
        judged.map_err(|error| said(error.to_string()))?;
        Ok(Some(file))
    }

    fn apply_mail(&self, mail: &mut MailSettings) {
        set(&mut mail.enabled, self.mail.as_ref());
        set(&mut mail.test_mode_leaves, self.mail_test_mode.as_ref());
        set_or_clear(&mut mail.sender_name, self.mail_sender_name.as_ref());
        set_or_clear(&mut mail.sender_address, self.mail_sender.as_ref());
        if !self.mail_without.is_empty() {
            mail.without = self.mail_without.iter().copied().flatten().collect();
        }
    }

    fn apply_retries(&self, retries: &mut RetryPolicy) {
        let mode = self.retry_days.as_ref().or(self.smart_retries.as_ref());
        set(&mut retries.mode, mode);
        if let Some(then) = self.after_retries {
            retries.then = then.into();
        }
        if let Some(hours) = &self.first_retry_hours {
            retries.first_wait_hours.clone_from(&hours.0);
        }
        if let Some(days) = self.write_off_days {
            retries.write_off_days = (days > 0).then_some(days);
        }
    }

    fn apply_theme(&self, theme: &mut Theme) {
        set(&mut theme.display_name, self.display_name.as_ref());
        set(&mut theme.brand, self.brand.as_ref());
        set(&mut theme.background, self.background.as_ref());
        set(&mut theme.radius_px, self.radius.as_ref());
        set_or_clear(&mut theme.logo, self.logo.as_ref());
        set_or_clear(&mut theme.logo_dark, self.logo_dark.as_ref());
        if let Some(font) = self.font {
            theme.font = font.into();
        }
        if let Some(appearance) = self.appearance {
            theme.appearance = appearance.into();
        }
    }
}

fn set<T: Clone>(place: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        place.clone_from(value);
    }
}

fn set_or_clear(place: &mut Option<String>, value: Option<&String>) {
    if let Some(value) = value {
        *place = Some(value.trim().to_owned()).filter(|text| !text.is_empty());
    }
}

/// The typefaces, for the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FontChoice {
    /// The bundled sans
    Sans,
    /// The reader's system font
    System,
    /// The reader's serif
    Serif,
    /// A rounded sans where the reader has one
    Rounded,
    /// The reader's monospace
    Mono,
}

impl From<FontChoice> for Font {
    fn from(choice: FontChoice) -> Self {
        match choice {
            FontChoice::Sans => Self::Sans,
            FontChoice::System => Self::System,
            FontChoice::Serif => Self::Serif,
            FontChoice::Rounded => Self::Rounded,
            FontChoice::Mono => Self::Mono,
        }
    }
}

/// Light or dark, for the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AppearanceChoice {
    /// As the reader's system says
    Auto,
    /// Always light
    Light,
    /// Always dark
    Dark,
}

impl From<AppearanceChoice> for Appearance {
    fn from(choice: AppearanceChoice) -> Self {
        match choice {
            AppearanceChoice::Auto => Self::Auto,
            AppearanceChoice::Light => Self::Light,
            AppearanceChoice::Dark => Self::Dark,
        }
    }
}

/// Where invoice numbers run, for the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NumberingChoice {
    /// Each customer has a sequence
    Customer,
    /// All customers share one
    Account,
}

impl From<NumberingChoice> for InvoiceNumbering {
    fn from(choice: NumberingChoice) -> Self {
        match choice {
            NumberingChoice::Customer => Self::Customer,
            NumberingChoice::Account => Self::Account,
        }
    }
}

/// A prefix of invoice numbers, as Stripe has them.
fn invoice_prefix(text: &str) -> Result<String, &'static str> {
    let prefix = text.trim().to_ascii_uppercase();
    let plain = prefix.bytes().all(|b| b.is_ascii_alphanumeric());
    if prefix.is_empty() || (plain && (3..=12).contains(&prefix.len())) {
        Ok(prefix)
    } else {
        Err("it must be 3 to 12 letters and digits, such as HALDEN")
    }
}

/// What follows the last retry, for the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AfterRetries {
    /// It ends
    Cancel,
    /// It goes on unpaid; its invoices stay drafts
    MarkUnpaid,
    /// It stays past due
    LeavePastDue,
}

impl From<AfterRetries> for WhenExhausted {
    fn from(choice: AfterRetries) -> Self {
        match choice {
            AfterRetries::Cancel => Self::Cancel,
            AfterRetries::MarkUnpaid => Self::MarkUnpaid,
            AfterRetries::LeavePastDue => Self::LeavePastDue,
        }
    }
}

/// Hours, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours(pub Vec<u16>);

fn numbers(text: &str) -> Result<Vec<u16>, String> {
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let read = |part: &str| {
        part.parse()
            .map_err(|_| format!("{part} is not a whole number"))
    };
    parts.map(read).collect()
}

/// A policy's part, if the whole would stand with it.
fn checked(policy: RetryPolicy) -> Result<RetryPolicy, String> {
    policy.validate().map_err(|error| error.to_string())?;
    Ok(policy)
}

fn retry_days(text: &str) -> Result<RetryMode, String> {
    let wait_days = numbers(text)?;
    let mode = RetryMode::Schedule { wait_days };
    let policy = RetryPolicy {
        mode,
        ..RetryPolicy::default()
    };
    checked(policy).map(|policy| policy.mode)
}

fn smart_retries(text: &str) -> Result<RetryMode, String> {
    const FORM: &str = "it must be days and a number, such as 14:8";
    let (days, most) = text.split_once(':').ok_or(FORM)?;
    let mode = RetryMode::Smart {
        window_days: days.trim().parse().map_err(|_| FORM)?,
        retries_max: most.trim().parse().map_err(|_| FORM)?,
    };
    let policy = RetryPolicy {
        mode,
        ..RetryPolicy::default()
    };
    checked(policy).map(|policy| policy.mode)
}

fn first_retry_hours(text: &str) -> Result<Hours, String> {
    let policy = RetryPolicy {
        first_wait_hours: numbers(text)?,
        ..RetryPolicy::default()
    };
    checked(policy).map(|policy| Hours(policy.first_wait_hours))
}

/// A merchant's id, as an argument.
pub(super) fn merchant_id(text: &str) -> Result<MerchantId, String> {
    MerchantId::parse(text).map_err(|error| error.to_string())
}

/// The longest address of a logo, in bytes.
const LOGO_BYTES_MAX: usize = 500;

fn logo(text: &str) -> Result<String, &'static str> {
    let plain = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\'')
    };
    let path = text.starts_with('/') && !text.starts_with("//");
    let known = text.is_empty() || path || text.starts_with("https://");
    if known && plain(text) && text.len() <= LOGO_BYTES_MAX {
        Ok(text.to_owned())
    } else {
        Err(
            "it must be an https:// address or a path that starts with /, of at most 500 characters",
        )
    }
}

/// An origin goes into a header, so nothing but a scheme, a host and a port may be in it.
fn origin(text: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let origin = text.parse::<super::PublicUrl>()?;
    Ok(origin.origin().to_owned())
}

/// An address that mail can come from.
fn sender(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() || text.parse::<lettre::Address>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err("it must be an address such as billing@example.com")
    }
}

fn mail_kind(text: &str) -> Result<Option<Kind>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let names = || Kind::ALL.map(Kind::name).join(", ");
    let kind = Kind::named(text);
    kind.map(Some)
        .ok_or_else(|| format!("it must be one of {}", names()))
}

fn country(text: &str) -> Result<String, &'static str> {
    let code = text.trim().to_ascii_uppercase();
    if code.is_empty() || (code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase())) {
        Ok(code)
    } else {
        Err("it must be a code of two letters, such as DE")
    }
}

#[cfg(test)]
mod tests;
