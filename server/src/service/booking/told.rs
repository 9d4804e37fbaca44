//! What is told of each noun: its events, as the API shows them.

use perennial::calendar::Timestamp;
use perennial::credit_note::CreditNote;
use perennial::invoice::{Invoice, InvoiceItem};
use perennial::money::Money;
use perennial::payment::{PaymentIntent, PaymentMethod};
use perennial::quote::Quote;
use perennial::refund::{Refund, RefundStatus};
use perennial::subscription::Subscription;
use perennial::{customer::Customer, discount::Coupon};
use serde_json::Value;

use crate::mail::cause::{self as mail, Telling, Wanted};
use crate::rendering;
use crate::service::balance::BalanceTransaction;
use crate::service::discounting;
use crate::service::invoices::numbering::Sequence;
use crate::service::tax_ids::OwnTaxId;
use crate::store::document::{Column, Document};
use crate::store::writes::Table;
use crate::store::{customer_tax_id, narrowing, subscription_item, threshold};

/// A noun whose changes are told to whoever listens to events.
pub trait Told: Document + PartialEq {
    /// Stripe's event for a new one.
    const CREATED: Option<&'static str>;
    /// Stripe's event for a change.
    const UPDATED: Option<&'static str>;
    /// Whether events keep the aggregate itself, which is shorter, and show it when they are read.
    /// `rendering::event` knows each of these nouns.
    const KEPT: bool = false;
    /// As the API shows it at `now`.
    fn render(&self, livemode: bool, now: Timestamp) -> Value;
    /// Gives `before` what is bookkeeping of ours in `after`, so that its change is not told.
    fn hush(_before: &mut Self, _after: &Self) {}
    /// The mails that telling of it causes; `before` is what it was, where a change is told.
    fn mails(&self, _telling: &Telling<'_>, _before: Option<&Self>) -> Vec<Wanted> {
        Vec::new()
    }
    /// Rows of tables beside its own that it brings, where `before` had not brought them.
    fn beside(&self, _before: Option<&Self>) -> Vec<(&'static Table, Vec<Column>)> {
        Vec::new()
    }
    /// What else its change is told as: objects in the API's shape that live on it. `before` is what it
    /// was, unless it is new.
    fn side_events(&self, _before: Option<&Self>) -> discounting::Told {
        Vec::new()
    }
    /// Whether it is plain that the API shows the difference, without rendering both.
    fn plainly_differs(_before: &Self, _after: &Self) -> bool {
        false
    }
}

macro_rules! told {
    ($noun:ty, $kept:literal, $created:expr, $updated:expr, $render:path $(, $more:item)*) => {
        impl Told for $noun {
            const CREATED: Option<&'static str> = $created;
            const UPDATED: Option<&'static str> = $updated;
            const KEPT: bool = $kept;
            fn render(&self, livemode: bool, _now: Timestamp) -> Value {
                $render(self, livemode)
            }
            $($more)*
        }
    };
}

told!(
    Customer,
    true,
    Some("customer.created"),
    Some("customer.updated"),
    rendering::customer,
    fn hush(before: &mut Self, after: &Self) {
        before.next_invoice_sequence = after.next_invoice_sequence;
    },
    fn side_events(&self, before: Option<&Self>) -> discounting::Told {
        discounting::of_customer(self, before)
    },
    fn beside(&self, before: Option<&Self>) -> Vec<(&'static Table, Vec<Column>)> {
        let rows = customer_tax_id::cells(before, self).into_iter();
        rows.map(|cells| (&customer_tax_id::TABLE, cells)).collect()
    }
);
told!(
    Subscription,
    true,
    Some("customer.subscription.created"),
    Some("customer.subscription.updated"),
    rendering::subscription,
    fn plainly_differs(before: &Self, after: &Self) -> bool {
        before.status != after.status || before.latest_invoice != after.latest_invoice
    },
    fn mails(&self, telling: &Telling<'_>, before: Option<&Self>) -> Vec<Wanted> {
        mail::of_subscription(telling, self, before)
    },
    fn side_events(&self, before: Option<&Self>) -> discounting::Told {
        discounting::of_subscription(self, before)
    },
    fn beside(&self, before: Option<&Self>) -> Vec<(&'static Table, Vec<Column>)> {
        let rows = subscription_item::cells(before, self).into_iter();
        let items = rows.map(|cells| (&subscription_item::TABLE, cells));
        let mark = threshold::cells(before, self).map(|cells| (&threshold::TABLE, cells));
        let prices = narrowing::cells(before, self).into_iter();
        let prices = prices.map(|cells| (&narrowing::TABLE, cells));
        items.chain(mark).chain(prices).collect()
    }
);
told!(
    Invoice,
    true,
    Some("invoice.created"),
    Some("invoice.updated"),
    rendering::invoice,
    fn plainly_differs(before: &Self, after: &Self) -> bool {
        before.status != after.status
    },
    fn mails(&self, telling: &Telling<'_>, _before: Option<&Self>) -> Vec<Wanted> {
        mail::of_invoice(telling, self)
    }
);
told!(
    InvoiceItem,
    true,
    Some("invoiceitem.created"),
    None,
    rendering::invoice_item
);
told!(
    PaymentIntent,
    true,
    Some("payment_intent.created"),
    None,
    rendering::payment_intent,
    fn mails(&self, telling: &Telling<'_>, before: Option<&Self>) -> Vec<Wanted> {
        mail::of_payment(telling, self, before)
    }
);
told!(
    PaymentMethod,
    false,
    None,
    Some("payment_method.updated"),
    rendering::payment_method,
    fn mails(&self, telling: &Telling<'_>, _before: Option<&Self>) -> Vec<Wanted> {
        mail::of_payment_method(telling, self)
    }
);
told!(
    BalanceTransaction,
    false,
    None,
    None,
    rendering::balance_transaction
);

told!(
    perennial::payment::SetupIntent,
    false,
    Some("setup_intent.created"),
    None,
    rendering::setup_intent
);
told!(
    perennial::schedule::Schedule,
    false,
    Some("subscription_schedule.created"),
    Some("subscription_schedule.updated"),
    rendering::subscription_schedule
);
told!(
    perennial::catalog::Price,
    false,
    Some("price.created"),
    Some("price.updated"),
    rendering::price
);

impl Told for perennial::discount::PromotionCode {
    const CREATED: Option<&'static str> = Some("promotion_code.created");
    const UPDATED: Option<&'static str> = Some("promotion_code.updated");
    fn render(&self, livemode: bool, now: Timestamp) -> Value {
        rendering::promotion_code(self, livemode, now)
    }
}

told!(
    CreditNote,
    false,
    Some("credit_note.created"),
    Some("credit_note.updated"),
    rendering::credit_note
);
told!(
    perennial::payment_record::PaymentRecord,
    false,
    None,
    None,
    rendering::payment_record
);
told!(
    Refund,
    false,
    Some("refund.created"),
    Some("refund.updated"),
    rendering::refund,
    fn mails(&self, telling: &Telling<'_>, _before: Option<&Self>) -> Vec<Wanted> {
        if self.status != RefundStatus::Succeeded {
            return Vec::new();
        }
        let refund = mail::GoneBack {
            id: &self.id,
            customer: &self.customer,
            invoice: self.invoice.as_ref(),
            amount: Money::new(self.amount_minor, self.currency),
        };
        mail::of_refund(telling, &refund)
    }
);

impl Told for Coupon {
    const CREATED: Option<&'static str> = Some("coupon.created");
    const UPDATED: Option<&'static str> = Some("coupon.updated");
    fn render(&self, livemode: bool, now: Timestamp) -> Value {
        rendering::coupon(self, livemode, now)
    }
}

// Spans of usage are ours; Stripe has no events for them.
impl Told for perennial::usage::Span {
    const CREATED: Option<&'static str> = None;
    const UPDATED: Option<&'static str> = None;
    fn render(&self, _livemode: bool, _now: Timestamp) -> Value {
        Value::Null
    }
}

// The sequence of invoice numbers is ours as well.
impl Told for Sequence {
    const CREATED: Option<&'static str> = None;
    const UPDATED: Option<&'static str> = None;
    fn render(&self, _livemode: bool, _now: Timestamp) -> Value {
        Value::Null
    }
}

// Stripe tells of customers' tax ids only.
impl Told for OwnTaxId {
    const CREATED: Option<&'static str> = None;
    const UPDATED: Option<&'static str> = None;
    fn render(&self, livemode: bool, _now: Timestamp) -> Value {
        rendering::own_tax_id(self, livemode)
    }
}

// Quotes are ours; Stripe has no events for them.
impl Told for Quote {
    const CREATED: Option<&'static str> = None;
    const UPDATED: Option<&'static str> = None;
    fn render(&self, _livemode: bool, _now: Timestamp) -> Value {
        Value::Null
    }
}
