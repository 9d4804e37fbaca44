//! A change of a subscription, priced to the minor unit before it is made. What is confirmed is
//! what is charged.

mod price;
mod promotion;
mod restart;
mod schedule;
mod upcoming;

pub(crate) use price::waiting_items;
pub use price::{Applied, ChangeContext, ChangeError, apply, price_change};
pub use promotion::{missed_minimum, purchase, with_promotion};
pub use restart::{fit_to_end, give_trial, restart};
pub use schedule::waits;
pub use upcoming::{Counter, Upcoming, recurring, upcoming, upcoming_with};

use serde::{Deserialize, Serialize};

use crate::calendar::Timestamp;
use crate::currency::Currency;
use crate::discount::Discount;
use crate::id::{CustomerId, InvoiceId, QuoteId, SubscriptionId};
use crate::invoice::{Line, Totals};
use crate::subscription::{ItemChange, ProrationBehavior};

/// How long a quote binds, in seconds.
pub const QUOTE_SECONDS: i64 = 30 * 60;

/// A priced change. The same function makes it in the browser (without an id, as a preview) and on
/// the server, where it is stored and binds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// `chq_…`
    pub id: QuoteId,
    /// For whom.
    pub customer: CustomerId,
    /// Of what.
    pub subscription: SubscriptionId,
    /// The subscription's revision that was priced; another one makes the quote stale.
    pub subscription_revision: i64,
    /// The customer's revision that was priced (balance, default tax).
    pub customer_revision: i64,
    /// What is asked for.
    pub changes: Vec<ItemChange>,
    /// What a promotion code gives that was entered with it.
    #[serde(default)]
    pub promotion: Option<Discount>,
    /// How the difference is billed.
    pub proration_behavior: ProrationBehavior,
    /// The price of it.
    pub terms: Terms,
    /// When it was made: the moment that everything is prorated to.
    pub created: Timestamp,
    /// Until when it binds.
    pub expires_at: Timestamp,
    /// Set when it was confirmed: confirming again changes nothing.
    #[serde(default)]
    pub confirmed: Option<ConfirmedQuote>,
}

/// What came of a quote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmedQuote {
    /// When it was confirmed.
    pub at: Timestamp,
    /// The invoice of the change, if there was something to invoice at once.
    pub invoice: Option<InvoiceId>,
}

/// What a change costs, now and later. Amounts are minor units of `currency`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Of all amounts.
    pub currency: Currency,
    /// When the new terms start: now, or the period's end.
    pub effective_at: Timestamp,
    /// Whether the change waits for the period's end.
    pub scheduled: bool,
    /// Whether new periods start now (the interval changes).
    pub anchor_reset: bool,
    /// What is billed because of the change: credits first, then debits. Empty when it waits.
    pub lines: Vec<Line>,
    /// Their sums, with discounts and tax.
    pub totals: Totals,
    /// What of the customer's balance is used (negative) or collected (positive).
    pub balance_applied_minor: i64,
    /// What is charged now; 0 when the lines wait for the next invoice.
    pub due_now_minor: i64,
    /// What goes to the customer's balance when the total is negative; positive.
    pub credited_minor: i64,
    /// When the next ordinary invoice comes.
    pub next_invoice_at: Timestamp,
    /// What it will be on the new terms, with tax and discounts, and with these lines where they
    /// wait for it; before the balance, without usage.
    pub next_invoice_minor: i64,
    /// What each later period costs on the new terms, with tax and lasting discounts.
    pub recurring_minor: i64,
}

#[cfg(test)]
mod tests;
