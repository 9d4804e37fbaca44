//! From what happened to the mails that it causes: decided from the event alone.

use perennial::calendar::{Civil, Timestamp};
use perennial::id::{CustomerId, InvoiceId, RefundId, TestClockId};
use perennial::invoice::{BillingReason, Invoice, InvoiceStatus};
use perennial::money::Money;
use perennial::payment::{PaymentIntent, PaymentMethod, PaymentStatus};
use perennial::subscription::{CollectionMethod, Item, Status, Subscription};
use serde_json::{Value, json};

use super::{Kind, MailSettings};

/// A day, in seconds.
const DAY_SECONDS: i64 = 86_400;
/// A sent invoice with at least so many days to pay is reminded of before its due date.
pub const REMINDED_DAYS_MIN: i64 = 7;
/// How many days before its due date.
pub const REMINDED_DAYS_BEFORE: i64 = 3;
/// How many days after its due date a sent invoice is reminded of a second time.
const REMINDED_DAYS_AFTER: i64 = 7;
/// A card that is added later than so many days before its last month is not announced to expire: the
/// customer has just looked at it.
const CARD_DAYS_MIN: i64 = 14;

/// An event that is being told.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    /// Such as `invoice.paid`.
    pub kind: &'a str,
    /// The event's place in lists, which no other event of this merchant has.
    pub place: i64,
    /// When.
    pub at: Timestamp,
    /// The merchant's rules.
    pub settings: &'a MailSettings,
}

/// A mail to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which kind.
    pub kind: Kind,
    /// What causes it; there is at most one mail for each cause.
    pub cause: String,
    /// To whom.
    pub customer: String,
    /// Whether the customer is known to have an address.
    pub reachable: bool,
    /// The test clock that it follows, where that is known; the customer's is, where it is not.
    pub clock: Option<TestClockId>,
    /// What about.
    pub object: String,
    /// What its text needs beyond what is kept of the object.
    pub facts: Value,
    /// When; `None` at once.
    pub due_at: Option<Timestamp>,
}

impl Wanted {
    /// At a moment, which may be over.
    fn later(mut self, telling: &Telling<'_>, at: Timestamp) -> Self {
        self.due_at = Some(at).filter(|at| *at > telling.at);
        self
    }
}

/// So many days from a moment.
fn days_from(at: Timestamp, days: i64) -> Timestamp {
    Timestamp(at.0.saturating_add(days.saturating_mul(DAY_SECONDS)))
}

fn sent(telling: &Telling<'_>, mut wanted: Vec<Wanted>) -> Vec<Wanted> {
    wanted.retain(|mail| telling.settings.sends(mail.kind));
    wanted
}

/// The mails of an event about an invoice. Whoever has no address on it gets none.
#[must_use]
pub fn of_invoice(telling: &Telling<'_>, invoice: &Invoice) -> Vec<Wanted> {
    let wanted = match telling.kind {
        "invoice.paid" => receipt(invoice),
        "invoice.payment_failed" => collection(invoice, Kind::PaymentFailed),
        "invoice.payment_action_required" => collection(invoice, Kind::ActionRequired),
        "invoice.finalized" => to_pay(telling, invoice),
        "invoice.sent" => by_hand(telling, invoice),
        "invoice.overdue" => overdue(telling, invoice),
        _ => return Vec::new(),
    };
    if invoice.bill_to.email.is_none() {
        return Vec::new();
    }
    sent(telling, wanted)
}

fn about(invoice: &Invoice, kind: Kind, cause: String) -> Wanted {
    Wanted {
        kind,
        cause,
        customer: invoice.customer.to_string(),
        reachable: true,
        clock: invoice.test_clock.clone(),
        object: invoice.id.to_string(),
        facts: json!({}),
        due_at: None,
    }
}

/// Nothing is received for an invoice of nothing.
fn receipt(invoice: &Invoice) -> Vec<Wanted> {
    if invoice.amount_paid_minor <= 0 {
        return Vec::new();
    }
    vec![about(
        invoice,
        Kind::Receipt,
        format!("receipt:{}", invoice.id),
    )]
}

/// The receipt of a payment that names an address for it: whatever the customer's address is, and whatever
/// else the merchant sends. An invoice's own payment is received with the invoice, so there is one of
/// both; one that was made by itself has a receipt of its own. Another address gets one more.
#[must_use]
pub fn of_payment(
    telling: &Telling<'_>,
    intent: &PaymentIntent,
    before: Option<&PaymentIntent>,
) -> Vec<Wanted> {
    let Some(email) = intent.receipt_email() else {
        return Vec::new();
    };
    if intent.status != PaymentStatus::Succeeded || !telling.settings.enabled {
        return Vec::new();
    }
    let own = intent.invoice.as_ref().filter(|_| !intent.by_itself);
    let object = own.map_or_else(|| intent.id.to_string(), ToString::to_string);
    let moved = before.is_some_and(|was| was.receipt_email() != Some(email));
    let cause = match telling.kind {
        "payment_intent.succeeded" => format!("receipt:{object}"),
        "charge.updated" if moved => format!("receipt:{object}:{}", telling.place),
        _ => return Vec::new(),
    };
    vec![Wanted {
        kind: Kind::Receipt,
        cause,
        customer: intent.customer.to_string(),
        reachable: true,
        clock: intent.test_clock.clone(),
        object,
        facts: json!({ "email": email }),
        due_at: None,
    }]
}

/// A failed attempt, and an attempt that needs the customer, are told by both events; the first one
/// causes the mail. At a first payment the customer is at the merchant's own check-out and sees it.
fn collection(invoice: &Invoice, kind: Kind) -> Vec<Wanted> {
    let first = invoice.billing_reason == BillingReason::SubscriptionCreate;
    if first || invoice.amount_remaining_minor() == 0 {
        return Vec::new();
    }
    let attempt = invoice.attempt_count;
    let mut mail = about(invoice, kind, format!("collect:{}:{attempt}", invoice.id));
    mail.facts = json!({ "attempt": attempt });
    vec![mail]
}

/// An invoice that the customer pays by themselves, and a reminder before it is due.
fn to_pay(telling: &Telling<'_>, invoice: &Invoice) -> Vec<Wanted> {
    let by_hand = invoice.collection_method == CollectionMethod::SendInvoice;
    let open = invoice.status == InvoiceStatus::Open && invoice.amount_remaining_minor() > 0;
    if !by_hand || !open {
        return Vec::new();
    }
    let id = &invoice.id;
    let mut wanted = vec![about(invoice, Kind::InvoiceToPay, format!("to_pay:{id}"))];
    if let Some(due) = invoice.due_date
        && days_from(due, -REMINDED_DAYS_MIN) >= telling.at
    {
        let reminder = about(
            invoice,
            Kind::InvoiceReminder,
            format!("remind:{id}:before"),
        );
        wanted.push(reminder.later(telling, days_from(due, -REMINDED_DAYS_BEFORE)));
    }
    wanted
}

/// An invoice that the merchant sends, perhaps once more. Where it became final for that, its mail is on its way already.
fn by_hand(telling: &Telling<'_>, invoice: &Invoice) -> Vec<Wanted> {
    if invoice.status != InvoiceStatus::Open || invoice.amount_remaining_minor() <= 0 {
        return Vec::new();
    }
    let id = &invoice.id;
    let just_now = invoice.finalized_at == Some(telling.at);
    let told = just_now && invoice.collection_method == CollectionMethod::SendInvoice;
    let cause = match told {
        true => format!("to_pay:{id}"),
        false => format!("sent:{id}:{}", telling.place),
    };
    vec![about(invoice, Kind::InvoiceToPay, cause)]
}

fn overdue(telling: &Telling<'_>, invoice: &Invoice) -> Vec<Wanted> {
    let (kind, id) = (Kind::InvoiceReminder, &invoice.id);
    let again = about(invoice, kind, format!("remind:{id}:overdue_again"));
    vec![
        about(invoice, kind, format!("remind:{id}:overdue")),
        again.later(telling, days_from(telling.at, REMINDED_DAYS_AFTER)),
    ]
}

/// Money that has gone back.
#[derive(Clone, Copy, Debug)]
pub struct GoneBack<'a> {
    /// `re_…`
    pub id: &'a RefundId,
    /// To whom.
    pub customer: &'a CustomerId,
    /// What it had paid.
    pub invoice: Option<&'a InvoiceId>,
    /// How much.
    pub amount: Money,
}

/// The mail of a refund that the bank has carried out.
#[must_use]
pub fn of_refund(telling: &Telling<'_>, refund: &GoneBack<'_>) -> Vec<Wanted> {
    let mail = Wanted {
        kind: Kind::Refunded,
        cause: format!("refund:{}", refund.id),
        customer: refund.customer.to_string(),
        reachable: false,
        clock: None,
        object: refund.id.to_string(),
        facts: json!({
            "amount": refund.amount.minor,
            "currency": refund.amount.currency.lower(),
            "invoice": refund.invoice.map(InvoiceId::as_str),
        }),
        due_at: None,
    };
    sent(telling, vec![mail])
}

/// The mail that a payment method causes once it is kept or its card is another one: on the first day
/// of the card's last month.
#[must_use]
pub fn of_payment_method(telling: &Telling<'_>, method: &PaymentMethod) -> Vec<Wanted> {
    let known = [
        "payment_method.attached",
        "payment_method.updated",
        "payment_method.automatically_updated",
    ];
    let (Some(customer), true) = (&method.customer, known.contains(&telling.kind)) else {
        return Vec::new();
    };
    let (year, month) = (i64::from(method.card.exp_year), method.card.exp_month);
    let first = Civil {
        year,
        month,
        day: 1,
        hour: 9,
        minute: 0,
        second: 0,
    };
    let first = first.timestamp().ok();
    let Some(first) = first.filter(|first| days_from(*first, -CARD_DAYS_MIN) >= telling.at) else {
        return Vec::new();
    };
    let mail = Wanted {
        kind: Kind::CardExpiring,
        cause: format!("card:{}:{year}-{month:02}", method.id),
        customer: customer.to_string(),
        reachable: false,
        clock: None,
        object: method.id.to_string(),
        facts: json!({}),
        due_at: None,
    };
    sent(telling, vec![mail.later(telling, first)])
}

/// The mails of an event about a subscription; `before` is what it was, where the event is of a change.
#[must_use]
pub fn of_subscription(
    telling: &Telling<'_>,
    own: &Subscription,
    before: Option<&Subscription>,
) -> Vec<Wanted> {
    let note = Note { telling, own };
    let wanted = match telling.kind {
        "customer.subscription.created" => {
            let ahead = note.trial().into_iter();
            ahead.chain(note.renewal()).collect()
        }
        "customer.subscription.updated" => before.map_or_else(Vec::new, |was| note.updated(was)),
        "customer.subscription.deleted" => note.ended(),
        "customer.subscription.paused" => vec![note.once(Kind::SubscriptionPaused)],
        "customer.subscription.resumed" => {
            let now = note.once(Kind::SubscriptionResumed);
            std::iter::once(now).chain(note.renewal()).collect()
        }
        _ => return Vec::new(),
    };
    sent(telling, wanted)
}

struct Note<'a> {
    telling: &'a Telling<'a>,
    own: &'a Subscription,
}

impl Note<'_> {
    fn mail(&self, kind: Kind, cause: String) -> Wanted {
        Wanted {
            kind,
            cause,
            customer: self.own.customer.to_string(),
            reachable: false,
            clock: None,
            object: self.own.id.to_string(),
            facts: json!({}),
            due_at: None,
        }
    }

    /// A mail for this very event.
    fn once(&self, kind: Kind) -> Wanted {
        let cause = format!("{}:{}:{}", kind.name(), self.own.id, self.telling.place);
        self.mail(kind, cause)
    }

    /// Some days before the end of a trial; of a short one, when a third of it is left.
    fn trial(&self) -> Option<Wanted> {
        let end = self.own.trial_end?;
        let left = end.0.saturating_sub(self.telling.at.0);
        if self.own.status != Status::Trialing || left <= 0 {
            return None;
        }
        let days = i64::from(self.telling.settings.trial_days);
        let notice = (days * DAY_SECONDS).min(left / 3);
        let mail = self.mail(
            Kind::TrialEnding,
            format!("trial:{}:{}", self.own.id, end.0),
        );
        Some(mail.later(self.telling, Timestamp(end.0.saturating_sub(notice))))
    }

    /// Some days before a long period ends.
    fn renewal(&self) -> Option<Wanted> {
        let (own, settings) = (self.own, self.telling.settings);
        let going_on = matches!(own.status, Status::Active | Status::PastDue);
        let periods = own.items.iter().map(|item| item.current_period);
        let period = periods.min_by_key(|period| period.end)?;
        let days = period.end.0.saturating_sub(period.start.0) / DAY_SECONDS;
        let long = days >= i64::from(settings.renewal_period_days_min);
        if !going_on || ends(own) || !long || settings.renewal_days == 0 {
            return None;
        }
        let at = days_from(period.end, -i64::from(settings.renewal_days));
        let cause = format!("renewal:{}:{}", own.id, period.end.0);
        let mail = self.mail(Kind::RenewalReminder, cause);
        (at > self.telling.at).then(|| mail.later(self.telling, at))
    }

    fn updated(&self, was: &Subscription) -> Vec<Wanted> {
        let own = self.own;
        let mut wanted = Vec::new();
        if was.trial_end != own.trial_end || was.status != own.status {
            wanted.extend(self.trial());
        }
        let alive = !matches!(own.status, Status::Canceled | Status::IncompleteExpired);
        let periods = |own: &Subscription| -> Vec<Timestamp> {
            own.items
                .iter()
                .map(|item| item.current_period.end)
                .collect()
        };
        if periods(was) != periods(own) || was.status != own.status {
            wanted.extend(self.renewal());
        }
        if alive && holdings(&was.items) != holdings(&own.items) {
            wanted.push(self.once(Kind::SubscriptionChanged));
        }
        match (ends(was), ends(own)) {
            (false, true) if alive => wanted.push(self.once(Kind::CancellationPlanned)),
            (true, false) if alive => wanted.push(self.once(Kind::CancellationUndone)),
            _ => {}
        }
        let rests = |own: &Subscription| own.pause_collection.is_some();
        match (rests(was), rests(own)) {
            (false, true) if alive => wanted.push(self.once(Kind::CollectionPaused)),
            (true, false) if alive => wanted.push(self.once(Kind::CollectionResumed)),
            _ => {}
        }
        wanted
    }

    /// A subscription that never began has nothing to end.
    fn ended(&self) -> Vec<Wanted> {
        if self.own.status == Status::IncompleteExpired {
            return Vec::new();
        }
        let cause = format!("ended:{}", self.own.id);
        vec![self.mail(Kind::SubscriptionEnded, cause)]
    }
}

/// Whether its end is planned.
fn ends(own: &Subscription) -> bool {
    own.cancel_at.is_some() || own.cancel_at_period_end
}

/// What somebody has: prices with their quantities, in any order.
fn holdings(items: &[Item]) -> Vec<(&str, u64)> {
    let held = items.iter();
    let mut held: Vec<_> = held
        .map(|own| (own.price.id.as_str(), own.quantity))
        .collect();
    held.sort_unstable();
    held
}
