//! Customers: who pays, where they are, and what mail they want.

use serde::{Deserialize, Serialize};

use crate::calendar::Timestamp;
use crate::currency::Currency;
use crate::discount::Discount;
use crate::id::{CustomerId, PaymentMethodId, TaxIdId, TestClockId};
use crate::metadata::Metadata;

/// A person or company that pays a merchant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// `cus_…`
    pub id: CustomerId,
    /// The name on invoices.
    pub name: Option<String>,
    /// The business's name, for the merchant's eyes.
    #[serde(default)]
    pub business_name: Option<String>,
    /// The person's name, for the merchant's eyes.
    #[serde(default)]
    pub individual_name: Option<String>,
    /// Where mail goes. Never a login.
    pub email: Option<String>,
    /// In international form where known.
    pub phone: Option<String>,
    /// The merchant's note.
    pub description: Option<String>,
    /// The billing address.
    pub address: Option<Address>,
    /// Where goods go.
    pub shipping: Option<Shipping>,
    /// Tax registrations, shown on invoices; at most [`Customer::TAX_IDS_MAX`].
    pub tax_ids: Vec<TaxId>,
    /// Whether tax applies to this customer.
    pub tax_exempt: TaxExempt,
    /// IETF tags, most wanted first.
    pub preferred_locales: Vec<String>,
    /// Fixed by the first thing billed; a customer pays in one currency.
    pub currency: Option<Currency>,
    /// Minor units of `currency`: negative is the customer's credit, positive is owed. It is
    /// applied to the next invoice when that is finalised.
    pub balance_minor: i64,
    /// Starts the customer's invoice numbers: 3 to 12 upper-case letters or digits.
    pub invoice_prefix: String,
    /// The number that the next invoice gets, from 1.
    pub next_invoice_sequence: u32,
    /// Pays whatever names no method of its own.
    pub default_payment_method: Option<PaymentMethodId>,
    /// The customer's leave to charge other methods when the first is declined; none by default.
    #[serde(default)]
    pub backup: Option<BackupConsent>,
    /// Applies to every invoice of subscriptions without discounts of their own.
    pub discount: Option<Discount>,
    /// What came last of any of the customer's invoices (Stripe): true when a charge failed or the due
    /// date passed, false when one was paid or its merchant wrote it off, whichever invoice it was.
    pub delinquent: bool,
    /// What mail the customer wants.
    pub mail: MailPreferences,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// When it was made.
    pub created: Timestamp,
    /// A deleted customer keeps its invoices and can't be billed.
    pub deleted: bool,
    /// The test clock that its time follows.
    #[serde(default)]
    pub test_clock: Option<TestClockId>,
}

impl Customer {
    /// The most tax ids a customer may have (Stripe: 5 on a new customer, enforced for all here).
    pub const TAX_IDS_MAX: usize = 5;
}

/// A customer's leave to charge more than one payment method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupConsent {
    /// Which, in the order in which they are tried; none is charged that is not named.
    pub methods: Vec<PaymentMethodId>,
    /// When it was given, in this form.
    pub given_at: Timestamp,
    /// Who says so.
    pub through: ConsentThrough,
}

/// Who told of a consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentThrough {
    /// The customer, in the portal.
    Portal,
    /// The merchant's program.
    Api,
}

impl BackupConsent {
    /// The most methods that may be named.
    pub const METHODS_MAX: usize = 5;
}

/// A postal address, in Stripe's fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Street and number.
    pub line1: Option<String>,
    /// Flat, suite, building.
    pub line2: Option<String>,
    /// City, town or village.
    pub city: Option<String>,
    /// State, county, province or prefecture.
    pub state: Option<String>,
    /// ZIP or postal code.
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-2, upper case.
    pub country: Option<String>,
}

/// Where and to whom goods go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipping {
    /// The recipient.
    pub name: Option<String>,
    /// The recipient's phone.
    pub phone: Option<String>,
    /// Where.
    pub address: Address,
}

/// Whether tax applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxExempt {
    /// Tax applies.
    #[default]
    None,
    /// No tax.
    Exempt,
    /// The customer accounts for it; invoices say "Reverse charge".
    Reverse,
}

/// A tax registration of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxId {
    /// `txi_…`
    pub id: TaxIdId,
    /// Stripe's type, such as `eu_vat`.
    pub kind: String,
    /// In normal form: upper case, no spaces.
    pub value: String,
    /// ISO 3166-1 alpha-2, from the type or the value.
    pub country: Option<String>,
    /// When it was added.
    pub created: Timestamp,
}

/// Which mail a customer gets. Mail that the contract or the law needs (receipts, failed payments,
/// ended subscriptions) has no switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches that a person sets"
)]
pub struct MailPreferences {
    /// Each paid invoice, as a receipt.
    pub receipts: bool,
    /// Some days before a renewal.
    pub renewal_reminders: bool,
    /// Some days before a trial ends.
    pub trial_reminders: bool,
    /// Before a card expires.
    pub card_expiry: bool,
    /// News of the product.
    pub product_updates: bool,
    /// Offers. Off until the customer asks for them.
    pub promotions: bool,
}

impl Default for MailPreferences {
    fn default() -> Self {
        Self {
            receipts: true,
            renewal_reminders: true,
            trial_reminders: true,
            card_expiry: true,
            product_updates: false,
            promotions: false,
        }
    }
}
