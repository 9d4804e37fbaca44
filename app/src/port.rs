//! All that the pages may ask of the server, and the shapes in which it answers. The server
//! implements [`Portal`]; context carries it.

#[cfg(feature = "ssr")]
mod asking;
mod balance;
mod change;
mod invoice;
mod subscription;

#[cfg(feature = "ssr")]
pub use asking::{Answer, Portal};
pub use balance::{BalanceReason, BalanceRow};
pub use change::{
    CancelPage, ChangePage, EnteredCode, GivenByCode, PauseOption, PausePage, Plan, QuotePage,
    ResumePage, Settled, Wish,
};
pub use invoice::{
    Adjustment, AdjustmentKind, INVOICES_A_PAGE, InvoiceList, InvoicePage, InvoiceRow, Seller,
};
pub use subscription::{
    CommitmentRow, ContractRow, DiscountRow, EarlyBilling, ItemRow, May, NextPayment, ScheduledRow,
    SubscriptionCard, UnpaidRow, UsagePrice, UsageRow,
};

use perennial::calendar::Timestamp;
use perennial::customer::{Address, TaxId};
use perennial::id::{InvoiceId, PaymentMethodId, SubscriptionId};
use perennial::money::Money;
use perennial::payment::PaymentMethod;
use perennial::portal::CustomerField;
use serde::{Deserialize, Serialize};

use crate::refusal::DeclineReason;

/// What surrounds every page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The merchant's name.
    pub merchant_name: String,
    /// The merchant's logo on light ground.
    pub logo: Option<String>,
    /// The merchant's logo on dark ground.
    pub logo_dark: Option<String>,
    /// The merchant's line of welcome.
    pub headline: Option<String>,
    /// Where "Back to …" leads.
    pub return_url: Option<String>,
    /// The merchant's privacy policy.
    pub privacy_policy_url: Option<String>,
    /// The merchant's terms.
    pub terms_of_service_url: Option<String>,
    /// What the customer is called: name, else e-mail.
    pub customer_name: String,
    /// The customer's e-mail.
    pub customer_email: Option<String>,
    /// The customer's own language, if they chose one.
    pub customer_locale: Option<String>,
    /// Test data: said on every page.
    pub livemode: bool,
    /// The moment that the customer lives at, where that is a test clock's.
    pub simulated: Option<Timestamp>,
    /// Which sections there are.
    pub sections: Sections,
}

/// Which sections a merchant shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sections {
    /// Payment methods.
    pub payment_methods: bool,
    /// Billing history.
    pub invoices: bool,
    /// Billing details (any editable field).
    pub details: bool,
}

/// The first page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// The moment all of it holds for.
    pub now: Timestamp,
    /// The most urgent thing, if any.
    pub attention: Option<Attention>,
    /// Live subscriptions first, newest first; ended ones of the last 90 days after them.
    pub subscriptions: Vec<SubscriptionCard>,
    /// The newest three.
    pub invoices: Vec<InvoiceRow>,
    /// The default first.
    pub payment_methods: Vec<PaymentMethodCard>,
    /// Name, address and so on, to show in short.
    pub details: Details,
    /// The customer's credit (negative) or debt (positive) that the next invoice takes up.
    pub balance: Option<Money>,
    /// What the merchant is called.
    pub merchant_name: String,
    /// What made that balance, newest first, where there is one.
    pub balance_rows: Vec<BalanceRow>,
}

/// What needs the customer first, most urgent variant first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attention {
    /// A charge failed and money is owed.
    PaymentFailed {
        /// What to pay.
        invoice: InvoiceId,
        /// How much is open.
        amount: Money,
        /// What the bank said.
        reason: DeclineReason,
        /// When we try again by ourselves.
        retry_at: Option<Timestamp>,
    },
    /// The bank wants the customer to prove who they are.
    NeedsAuthentication {
        /// What to pay.
        invoice: InvoiceId,
        /// How much.
        amount: Money,
    },
    /// An invoice waits to be paid by hand.
    InvoiceOpen {
        /// What to pay.
        invoice: InvoiceId,
        /// How much.
        amount: Money,
        /// By when.
        due_at: Option<Timestamp>,
    },
    /// A trial ends soon and there is nothing to pay with.
    TrialEndsWithoutPaymentMethod {
        /// Which.
        subscription: SubscriptionId,
        /// When.
        at: Timestamp,
    },
    /// The card that pays next expires before it has to.
    CardExpires {
        /// Which. Boxed, because it is far larger than all the others.
        payment_method: Box<PaymentMethodCard>,
        /// Whether it has expired already.
        expired: bool,
    },
    /// A trial ends soon.
    TrialEnds {
        /// Which.
        subscription: SubscriptionId,
        /// When.
        at: Timestamp,
        /// What is charged then.
        amount: Money,
    },
}

/// A saved payment method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentMethodCard {
    /// The method (without the gateway's token).
    pub method: PaymentMethod,
    /// Whether the customer's invoices are paid with it.
    pub is_default: bool,
    /// Whether it may be removed now.
    pub removable: bool,
    /// In which place it is tried when another fails, from 1; none where the customer did not allow it.
    pub backup: Option<u32>,
}

/// A card as typed. It lives for one request and is never logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardInput {
    /// Digits, spaces allowed.
    pub number: String,
    /// `MM/YY` or `MM / YYYY`.
    pub expiry: String,
    /// 3 or 4 digits.
    pub cvc: String,
    /// The name on it.
    pub name: String,
}

impl core::fmt::Debug for CardInput {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("CardInput(…)")
    }
}

/// What a customer wishes for a card as a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupWish {
    /// It may be charged when another fails.
    Allow,
    /// It may not any more.
    Withdraw,
    /// It is tried before the one before it.
    Earlier,
}

/// What came of adding a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Added {
    /// It is saved.
    Saved {
        /// As what.
        id: PaymentMethodId,
        /// Whether what is open is being charged with it.
        charging: bool,
    },
    /// The customer must prove who they are first.
    Challenge {
        /// Where.
        url: String,
    },
}

/// Billing details, to read and edit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Name or company.
    pub name: Option<String>,
    /// Where mail goes.
    pub email: Option<String>,
    /// Phone.
    pub phone: Option<String>,
    /// Billing address.
    pub address: Option<Address>,
    /// Tax registrations.
    pub tax_ids: Vec<TaxId>,
    /// What may be edited.
    pub editable: Vec<CustomerField>,
}

/// Billing details as typed; fields that may not be edited are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each is named after the input it stands for")]
pub struct DetailsInput {
    pub name: String,
    pub email: String,
    pub phone: String,
    pub line1: String,
    pub line2: String,
    pub city: String,
    pub state: String,
    pub postal_code: String,
    pub country: String,
}

impl DetailsInput {
    /// What is kept, as somebody would type it.
    #[must_use]
    pub fn of(details: &Details) -> Self {
        let own = |text: &Option<String>| text.clone().unwrap_or_default();
        let address = details.address.clone().unwrap_or_default();
        Self {
            name: own(&details.name),
            email: own(&details.email),
            phone: own(&details.phone),
            line1: own(&address.line1),
            line2: own(&address.line2),
            city: own(&address.city),
            state: own(&address.state),
            postal_code: own(&address.postal_code),
            country: own(&address.country),
        }
    }
}
