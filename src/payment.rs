//! Payment methods, intents and their outcomes. Card numbers never appear here: a card is its
//! brand, last four digits, expiry and fingerprint.

mod particulars;

use serde::{Deserialize, Serialize};

use crate::calendar::Timestamp;
use crate::currency::Currency;
use crate::customer::{Address, Shipping};
use crate::id::{
    CustomerId, InvoiceId, PaymentIntentId, PaymentMethodId, SetupIntentId, SubscriptionId,
    TestClockId,
};
use crate::metadata::Metadata;
use crate::money::Money;

pub use particulars::{
    Particulars, STATEMENT_CHARS_MAX, StatementFault, card_statement, check_statement,
};

/// A way to pay that a customer has saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentMethod {
    /// `pm_…`
    pub id: PaymentMethodId,
    /// Whose; `None` until attached and after it was detached.
    pub customer: Option<CustomerId>,
    /// What may be known of the card.
    pub card: Card,
    /// Who it bills.
    pub billing_details: BillingDetails,
    /// The gateway's name for it.
    pub gateway_token: String,
    /// What its bank said when it refused it for good, until it works again: nobody charges it by
    /// themselves meanwhile.
    #[serde(default)]
    pub refused: Option<Decline>,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// When it was made.
    pub created: Timestamp,
}

/// What may be known of a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The scheme.
    pub brand: CardBrand,
    /// The last four digits.
    pub last4: String,
    /// 1 to 12.
    pub exp_month: u8,
    /// Four digits.
    pub exp_year: u16,
    /// The same card number has the same fingerprint within one merchant.
    pub fingerprint: String,
    /// Credit, debit, prepaid.
    pub funding: Funding,
    /// ISO 3166-1 alpha-2 of the bank.
    pub country: Option<String>,
}

/// Card schemes, in Stripe's spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardBrand {
    /// American Express.
    Amex,
    /// Diners Club.
    Diners,
    /// Discover.
    Discover,
    /// JCB.
    Jcb,
    /// Mastercard.
    Mastercard,
    /// UnionPay.
    Unionpay,
    /// Visa.
    Visa,
    /// Any other.
    Unknown,
}

/// How a card is funded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Funding {
    /// Credit.
    Credit,
    /// Debit.
    Debit,
    /// Prepaid.
    Prepaid,
    /// Not known.
    Unknown,
}

/// Whom a payment method bills.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingDetails {
    /// The name on the card.
    pub name: Option<String>,
    /// E-mail.
    pub email: Option<String>,
    /// Phone.
    pub phone: Option<String>,
    /// Address.
    pub address: Option<Address>,
}

/// Why a bank said no, as far as the customer may know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decline {
    /// Stripe's error code, such as `card_declined` or `expired_card`.
    pub code: String,
    /// Stripe's decline code, such as `insufficient_funds`.
    pub decline_code: Option<String>,
}

/// Saving a payment method for later charges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupIntent {
    /// `seti_…`
    pub id: SetupIntentId,
    /// For whom.
    pub customer: Option<CustomerId>,
    /// What is being saved.
    pub payment_method: Option<PaymentMethodId>,
    /// Where it stands.
    pub status: SetupStatus,
    /// The key that a browser may use to finish it.
    pub client_secret: String,
    /// Counts attempts; each has its own idempotency key, `{id}:{attempt}`.
    #[serde(default)]
    pub attempt: u32,
    /// What the newest try said.
    pub last_error: Option<Decline>,
    /// Where the customer proves who they are, while `requires_action`.
    pub challenge: Option<String>,
    /// Whether it is to pay by default once it is saved.
    #[serde(default)]
    pub make_default: bool,
    /// The invoice that the customer is about to pay with it, if any.
    #[serde(default)]
    pub invoice: Option<InvoiceId>,
    /// The subscription whose trial waits for it, if any: what it saves pays that by default.
    #[serde(default)]
    pub subscription: Option<SubscriptionId>,
    /// When its newest attempt was sent.
    #[serde(default)]
    pub attempted_at: Option<Timestamp>,
    /// When a worker asks the gateway next what became of it, while `requires_action`: the customer
    /// may have answered and not come back.
    #[serde(default)]
    pub ask_at: Option<Timestamp>,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// When it was made.
    pub created: Timestamp,
    /// The test clock that its time follows.
    #[serde(default)]
    pub test_clock: Option<TestClockId>,
}

impl SetupIntent {
    /// The key under which the gateway knows the newest attempt.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("{}:{}", self.id, self.attempt)
    }
}

/// Stripe's setup intent statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetupStatus {
    /// Needs a payment method.
    RequiresPaymentMethod,
    /// Needs to be confirmed.
    RequiresConfirmation,
    /// The customer must prove who they are.
    RequiresAction,
    /// The gateway has not answered yet.
    Processing,
    /// Given up.
    Canceled,
    /// Saved.
    Succeeded,
}

/// One claim on a payment method, from the decision to charge to the outcome. It is committed, with
/// its idempotency key, before the gateway is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentIntent {
    /// `pi_…`; also the seed of the gateway's idempotency key.
    pub id: PaymentIntentId,
    /// Who pays.
    pub customer: CustomerId,
    /// What for.
    pub invoice: Option<InvoiceId>,
    /// Minor units.
    pub amount_minor: i64,
    /// Of the amount.
    pub currency: Currency,
    /// With what.
    pub payment_method: Option<PaymentMethodId>,
    /// Where it stands.
    pub status: PaymentStatus,
    /// Counts attempts; each has its own idempotency key, `{id}:{attempt}`.
    pub attempt: u32,
    /// Whether the customer is here to answer a challenge.
    pub on_session: bool,
    /// What the newest attempt said.
    pub last_error: Option<Decline>,
    /// Where the customer proves who they are, while `requires_action`.
    pub challenge: Option<String>,
    /// The gateway's name for the charge that succeeded.
    pub gateway_charge: Option<String>,
    /// What was given back of it, or is promised to be, in minor units.
    #[serde(default)]
    pub refunded_minor: i64,
    /// The merchant's own keys.
    #[serde(default)]
    pub metadata: Metadata,
    /// The merchant's own keys of its charge.
    #[serde(default)]
    pub charge_metadata: Metadata,
    /// The merchant's note.
    #[serde(default)]
    pub description: Option<String>,
    /// Where the goods that it pays for go, where there are any.
    #[serde(default)]
    pub shipping: Option<Box<Delivery>>,
    /// What the payer is to read of it, where something is said.
    #[serde(default)]
    pub particulars: Option<Box<Particulars>>,
    /// Whether it was made by itself, to be attached to an invoice; an invoice's own is not.
    #[serde(default)]
    pub by_itself: bool,
    /// What of it went to its invoice, in minor units: less than was charged when less was owed by
    /// then. `None` before it succeeded, and on old ones, where all of it did.
    #[serde(default)]
    pub applied_minor: Option<i64>,
    /// What of its money is held for the customer, in minor units: it was taken without an invoice,
    /// and not given back.
    #[serde(default)]
    pub unapplied_minor: i64,
    /// What had been given back of it when it was attached to its invoice, in minor units.
    #[serde(default)]
    pub refunded_before_minor: i64,
    /// When it was given up.
    #[serde(default)]
    pub canceled_at: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When its newest attempt was sent.
    pub attempted_at: Option<Timestamp>,
    /// When a worker asks the gateway next what became of it, while `requires_action`: the customer
    /// may have answered and not come back.
    #[serde(default)]
    pub ask_at: Option<Timestamp>,
    /// The test clock that its time follows.
    #[serde(default)]
    pub test_clock: Option<TestClockId>,
}

/// Where goods go, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// To whom.
    pub to: Shipping,
    /// Who brings them.
    pub carrier: Option<String>,
    /// By which the carrier finds them.
    pub tracking_number: Option<String>,
}

impl PaymentIntent {
    /// What can still be given back, in minor units.
    #[must_use]
    pub fn refundable_minor(&self) -> i64 {
        match self.status {
            PaymentStatus::Succeeded => {
                self.amount_minor.saturating_sub(self.refunded_minor).max(0)
            }
            _ => 0,
        }
    }

    /// What it brought to its invoice once it has succeeded, in minor units: all of it, but for what
    /// was given back before it was attached.
    #[must_use]
    pub const fn brought_minor(&self) -> i64 {
        self.amount_minor.saturating_sub(self.refunded_before_minor)
    }

    /// Where its receipt goes, where it says so.
    #[must_use]
    pub fn receipt_email(&self) -> Option<&str> {
        self.particulars.as_ref()?.receipt_email.as_deref()
    }

    /// The key under which the gateway knows the newest attempt.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("{}:{}", self.id, self.attempt)
    }
}

/// Stripe's payment intent statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Needs a (new) payment method.
    RequiresPaymentMethod,
    /// Needs to be confirmed.
    RequiresConfirmation,
    /// The customer must prove who they are.
    RequiresAction,
    /// Sent; the outcome is not known yet.
    Processing,
    /// Given up.
    Canceled,
    /// Paid.
    Succeeded,
}

impl PaymentStatus {
    /// Whether an attempt is out: with the gateway, or with the customer and their bank.
    #[must_use]
    pub const fn is_out(self) -> bool {
        matches!(self, Self::Processing | Self::RequiresAction)
    }
}

/// What a gateway answered to a charge. A refusal is final for the attempt; an unknown outcome is
/// an error of the port and never appears here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The money is ours.
    Succeeded {
        /// The gateway's name for the charge.
        charge: String,
        /// What it took; `None` where a card was only saved.
        charged: Option<Money>,
    },
    /// The bank said no.
    Declined(Decline),
    /// The customer must prove who they are at this path or URL.
    RequiresAction {
        /// Where.
        challenge: String,
    },
}
