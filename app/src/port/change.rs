//! What is shown before something changes (another plan, a pause, an end), and what came of it.

use perennial::calendar::Timestamp;
use perennial::catalog::{Price, Product};
use perennial::customer::Customer;
use perennial::discount::Discount;
use perennial::id::{InvoiceId, PriceId, SubscriptionItemId};
use perennial::invoice::InvoiceItem;
use perennial::money::Money;
use perennial::portal::{AdjustableQuantity, CancelMode, UpdateRules};
use perennial::quote::Quote;
use perennial::subscription::{Feedback, Subscription};
use serde::{Deserialize, Serialize};

use super::{ItemRow, PaymentMethodCard, SubscriptionCard};
use crate::refusal::{CodeFault, DeclineReason};

/// All that the change page needs to compute a preview by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangePage {
    /// The server's moment.
    pub now: Timestamp,
    /// As it is.
    pub subscription: Subscription,
    /// Balance, tax status, discount.
    pub customer: Customer,
    /// Amounts that wait for the next invoice.
    pub pending: Vec<InvoiceItem>,
    /// The merchant's rules.
    pub rules: UpdateRules,
    /// What can be switched to, in the merchant's order; includes the current plan.
    pub plans: Vec<Plan>,
    /// What pays.
    pub payment_method: Option<PaymentMethodCard>,
    /// Linked where the change is confirmed.
    pub terms_of_service_url: Option<String>,
    /// The promotion code that was entered, if one was.
    pub code: Option<EnteredCode>,
}

/// A promotion code as the customer typed it, and what comes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnteredCode {
    /// As typed.
    pub typed: String,
    /// What it gives.
    pub gives: Result<GivenByCode, CodeFault>,
}

/// What a promotion code gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenByCode {
    /// The discount, as it is going to be.
    pub discount: Discount,
    /// The least that has to be bought with it.
    pub minimum: Option<Money>,
}

/// A product that can be switched to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What.
    pub product: Product,
    /// On which terms.
    pub prices: Vec<Price>,
    /// Bounds of the quantity; `None` when it may not change.
    pub adjustable_quantity: Option<AdjustableQuantity>,
    /// Whether it can be added beside others instead of replacing them.
    pub add_on: bool,
}

/// What a customer wishes for one subscription. Plain values, so that a form without JavaScript can
/// send it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Whose price or quantity changes; `None` adds an item.
    pub item: Option<SubscriptionItemId>,
    /// The price afterwards; `None` removes the item.
    pub price: Option<PriceId>,
    /// Units afterwards.
    pub quantity: u64,
}

/// A binding quote, to confirm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotePage {
    /// The moment all of it holds for.
    pub now: Timestamp,
    /// What binds.
    pub quote: Quote,
    /// The items before.
    pub before: Vec<ItemRow>,
    /// The items after.
    pub after: Vec<ItemRow>,
    /// What pays.
    pub payment_method: Option<PaymentMethodCard>,
    /// Linked where it is confirmed.
    pub terms_of_service_url: Option<String>,
}

/// What came of a payment or of something that needs one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Settled {
    /// All is done; so much was charged now.
    Done {
        /// Charged now; zero when nothing was.
        charged: Money,
        /// The invoice, if there is one.
        invoice: Option<InvoiceId>,
    },
    /// It waits for the period's end.
    Scheduled {
        /// When it happens.
        at: Timestamp,
    },
    /// The change is made or the invoice stays open, and the customer must prove who they are.
    Challenge {
        /// Where.
        url: String,
    },
    /// The change is made or the invoice stays open; the bank has not answered yet. We find out by ourselves, and nothing
    /// is charged twice.
    Processing {
        /// What is being paid.
        invoice: InvoiceId,
    },
    /// The change is made; its charge failed and the invoice is open.
    Unpaid {
        /// What to pay.
        invoice: InvoiceId,
        /// What the bank said.
        reason: DeclineReason,
    },
}

/// Before cancelling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelPage {
    /// The moment all of it holds for.
    pub now: Timestamp,
    /// Which.
    pub subscription: SubscriptionCard,
    /// When it would end.
    pub mode: CancelMode,
    /// The moment it would end.
    pub ends_at: Timestamp,
    /// What the customer would get as credit, if anything.
    pub credit: Option<Money>,
    /// To pick from; empty means it isn't asked.
    pub reasons: Vec<Feedback>,
}

/// Before a pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausePage {
    /// The moment all of it holds for.
    pub now: Timestamp,
    /// Which.
    pub subscription: SubscriptionCard,
    /// What is given back for time that was paid, if anything.
    pub credit: Option<Money>,
    /// How long it may last.
    pub options: Vec<PauseOption>,
}

/// How long a pause may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseOption {
    /// Its place in the merchant's rules.
    pub place: u32,
    /// When it goes on by itself; `None` when somebody must let it go on.
    pub resumes_at: Option<Timestamp>,
}

/// Before going on after a pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumePage {
    /// The moment all of it holds for.
    pub now: Timestamp,
    /// Which.
    pub subscription: SubscriptionCard,
    /// What is charged at once, with what a code gives.
    pub due: Money,
    /// Whether promotion codes can be entered.
    pub codes: bool,
    /// The promotion code that was entered, if one was.
    pub code: Option<EnteredCode>,
}
