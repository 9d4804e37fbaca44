//! The merchant: who sells, how it looks, what its rules are beyond the portal's.

use perennial::calendar::Timestamp;
use perennial::currency::Currency;
use perennial::customer::Address;
use perennial::dunning::RetryPolicy;
use perennial::id::MerchantId;
use perennial::theme::Theme;
use serde::{Deserialize, Serialize};

use crate::mail::MailSettings;

/// How long the draft of a renewal may still be changed where the merchant does not say otherwise, in
/// seconds (Stripe: about an hour).
pub const DRAFT_SECONDS: i64 = 3_600;

/// A business that uses this installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merchant {
    /// `acct_…`
    pub id: MerchantId,
    /// What it is called.
    pub name: String,
    /// Printed on invoices.
    pub address: Option<Address>,
    /// For customers' questions.
    pub support_email: Option<String>,
    /// Printed on invoices, such as `VAT DE123456789`.
    pub tax_id: Option<String>,
    /// Printed at the foot of invoices.
    pub invoice_footer: Option<String>,
    /// How the portal looks.
    pub theme: Theme,
    /// Origins that may frame the portal, such as `https://app.example.com`.
    pub frame_ancestors: Vec<String>,
    /// When failed payments are tried again, and what follows the last one.
    #[serde(default)]
    pub retries: RetryPolicy,
    /// What mail customers get, and from whom.
    #[serde(default)]
    pub mail: MailSettings,
    /// How long the draft of a renewal may still be changed before it becomes final, in seconds.
    #[serde(default = "draft_seconds")]
    pub draft_seconds: i64,
    /// How many days before a subscription's next invoice it is told (`invoice.upcoming`); 0 for not
    /// at all.
    #[serde(default)]
    pub upcoming_days: u16,
    /// Where invoice numbers run.
    #[serde(default)]
    pub numbering: InvoiceNumbering,
    /// What invoice numbers begin with where they run over all customers; `None` takes the end of the
    /// merchant's id.
    #[serde(default)]
    pub invoice_prefix: Option<String>,
    /// What a customer's balance is in where it comes before anything was billed; `None` takes the
    /// newest price's.
    #[serde(default)]
    pub currency: Option<Currency>,
    /// When it was made.
    pub created: Timestamp,
}

/// Where invoice numbers run without a gap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceNumbering {
    /// Each customer has a sequence, with their prefix (Stripe's default).
    #[default]
    Customer,
    /// All customers of the account share one.
    Account,
}

/// How many characters of its id a merchant's own prefix has.
const PREFIX_CHARS: usize = 8;

impl Merchant {
    /// What invoice numbers begin with where they run over all customers.
    #[must_use]
    pub fn number_prefix(&self) -> String {
        if let Some(own) = &self.invoice_prefix {
            return own.clone();
        }
        let id = self.id.as_str();
        let end = id.get(id.len().saturating_sub(PREFIX_CHARS)..);
        end.unwrap_or(id)
            .to_uppercase()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect()
    }
}

/// An hour, about as at Stripe.
fn draft_seconds() -> i64 {
    DRAFT_SECONDS
}
