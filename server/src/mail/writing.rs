//! The words of each mail: from what is true to a letter.

use app::locale::{Day, Words};
use app::ui::brand_name;
use perennial::calendar::Timestamp;
use perennial::customer::Customer;
use perennial::invoice::{Invoice, LineKind};
use perennial::money::Money;
use perennial::payment::{Card, Decline, PaymentIntent};
use perennial::quote::Upcoming;
use perennial::subscription::{Item, PauseCollection, Status, Subscription};

use super::letter::{Bill, BillLine, Letter, Mark, Sum, Tone};
use crate::document::table::describe;
use crate::document::totals;

mod subscription;

/// The most lines of an invoice that a mail repeats; the rest stands in the document.
const LINES_MAX: usize = 8;

/// What a mail is about, as it is now.
#[derive(Clone, Debug)]
pub enum Occasion<'a> {
    /// It was paid, with this card if by card.
    Receipt(&'a Invoice, Option<&'a Card>),
    /// A charge was declined.
    PaymentFailed {
        /// Of this invoice.
        invoice: &'a Invoice,
        /// This card.
        card: Option<&'a Card>,
    },
    /// The bank wants the customer's approval.
    ActionRequired(&'a Invoice),
    /// To be paid by the customer.
    InvoiceToPay(&'a Invoice),
    /// Still to be paid by the customer.
    InvoiceReminder(&'a Invoice),
    /// A card that pays for these subscriptions expires.
    CardExpiring(&'a Card, &'a [&'a Subscription]),
    /// A trial ends.
    TrialEnding {
        /// Of this subscription.
        subscription: &'a Subscription,
        /// The payment that follows, if one does.
        next: Option<&'a Upcoming>,
        /// Whether there is something to pay it with.
        payable: bool,
    },
    /// A period ends and is renewed.
    RenewalReminder(&'a Subscription, &'a Upcoming),
    /// Other items or quantities.
    SubscriptionChanged(&'a Subscription, Option<&'a Upcoming>),
    /// It ends at a moment to come.
    CancellationPlanned(&'a Subscription, Timestamp),
    /// It goes on after all.
    CancellationUndone(&'a Subscription, Option<&'a Upcoming>),
    /// It ended.
    SubscriptionEnded(&'a Subscription),
    /// A payment that was made by itself.
    Payment(&'a PaymentIntent, Option<&'a Card>),
    /// It rests.
    SubscriptionPaused(&'a Subscription),
    /// It goes on.
    SubscriptionResumed(&'a Subscription, Option<&'a Upcoming>),
    /// Payments rest, and in which way.
    CollectionPaused(&'a Subscription, PauseCollection),
    /// Payments go on.
    CollectionResumed(&'a Subscription, Option<&'a Upcoming>),
    /// Money went back.
    Refunded(Money, Option<&'a Invoice>),
}

/// Who writes to whom.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// The customer's language.
    pub words: Words,
    /// What customers know the merchant as.
    pub merchant: &'a str,
    /// The reader.
    pub customer: &'a Customer,
    /// Whether somebody else reads it, at an address that was named for this mail.
    pub other: bool,
    /// Whether the merchant can be answered.
    pub answerable: bool,
}

impl Writer<'_> {
    /// Writes the letter for an occasion.
    #[must_use]
    pub fn write(&self, occasion: &Occasion<'_>) -> Letter {
        match occasion {
            Occasion::Receipt(invoice, card) => self.receipt(invoice, *card),
            Occasion::Payment(intent, card) => self.payment(intent, *card),
            Occasion::PaymentFailed { invoice, card } => self.failed(invoice, *card),
            Occasion::ActionRequired(invoice) => self.action(invoice),
            Occasion::InvoiceToPay(invoice) => self.to_pay(invoice),
            Occasion::InvoiceReminder(invoice) => self.reminder(invoice),
            Occasion::CardExpiring(card, pays) => self.card_expiring(card, pays),
            Occasion::TrialEnding {
                subscription,
                next,
                payable,
            } => self.trial(subscription, *next, *payable),
            Occasion::RenewalReminder(subscription, next) => self.renewal(subscription, next),
            Occasion::SubscriptionChanged(subscription, next) => self.changed(subscription, *next),
            Occasion::CancellationPlanned(subscription, at) => self.ending(subscription, *at),
            Occasion::CancellationUndone(subscription, next) => self.kept(subscription, *next),
            Occasion::SubscriptionEnded(subscription) => self.ended(subscription),
            Occasion::SubscriptionPaused(subscription) => self.paused(subscription),
            Occasion::SubscriptionResumed(subscription, next) => self.resumed(subscription, *next),
            Occasion::CollectionPaused(own, pause) => self.rests(own, *pause),
            Occasion::CollectionResumed(own, next) => self.collects(own, *next),
            Occasion::Refunded(amount, invoice) => self.refunded(*amount, *invoice),
        }
    }

    fn letter(
        &self,
        mark: Mark,
        subject: String,
        title: impl Into<String>,
        text: String,
    ) -> Letter {
        let words = self.words;
        let name = self.customer.name.as_deref().map(str::trim);
        Letter {
            words,
            subject: one_line(&subject),
            preview: text.clone(),
            mark,
            title: title.into(),
            sum: None,
            greeting: match name.filter(|name| !name.is_empty() && !self.other) {
                Some(name) => words.letter_hello(name),
                None => words.letter_hello_nobody().to_owned(),
            },
            paragraphs: vec![text],
            action: None,
            facts: Vec::new(),
            bill: None,
            closing: Vec::new(),
        }
    }

    fn receipt(&self, invoice: &Invoice, card: Option<&Card>) -> Letter {
        let words = self.words;
        let amount = words.money(Money::new(invoice.amount_paid_minor, invoice.currency));
        let mut letter = self.letter(
            mark(Tone::Good, words.letter_mark_paid()),
            words.letter_receipt_subject(&amount, self.merchant),
            words.letter_receipt_title(),
            words.letter_receipt_text(&amount),
        );
        let note = invoice
            .paid_at
            .map(|at| words.letter_sum_on(&words.date(at)));
        letter.sum = Some(Sum { amount, note });
        letter.action = Some(words.letter_see_invoice().to_owned());
        letter.facts.extend(numbered(words, invoice));
        if let Some(card) = card {
            let label = words.letter_fact_paid_with();
            letter.facts.push((label, card_name(words, card)));
        }
        letter.bill = Some(bill(words, invoice));
        letter
    }

    fn payment(&self, intent: &PaymentIntent, card: Option<&Card>) -> Letter {
        let words = self.words;
        let amount = words.money(Money::new(intent.amount_minor, intent.currency));
        let mut letter = self.letter(
            mark(Tone::Good, words.letter_mark_paid()),
            words.letter_receipt_subject(&amount, self.merchant),
            words.letter_receipt_title(),
            words.letter_receipt_alone(&amount),
        );
        let note = intent
            .attempted_at
            .map(|at| words.letter_sum_on(&words.date(at)));
        letter.sum = Some(Sum { amount, note });
        if let Some(what) = &intent.description {
            letter.facts.push((words.letter_fact_for(), what.clone()));
        }
        if let Some(card) = card {
            let label = words.letter_fact_paid_with();
            letter.facts.push((label, card_name(words, card)));
        }
        letter
    }

    fn failed(&self, invoice: &Invoice, card: Option<&Card>) -> Letter {
        let words = self.words;
        let (amount, number) = (open_amount(words, invoice), number(invoice));
        let text = match card {
            Some(card) => words.letter_failed_card(&amount, &card_name(words, card), number),
            None => words.letter_failed_text(&amount, number),
        };
        let subject = words.letter_failed_subject(&amount, self.merchant);
        let urgent = mark(Tone::Urgent, words.letter_mark_failed());
        let mut letter = self.letter(urgent, subject, words.letter_failed_title(), text);
        let reason = invoice.last_payment_error.as_ref();
        letter
            .paragraphs
            .push(reason_text(words, reason).to_owned());
        let retry = invoice
            .next_payment_attempt
            .filter(|_| invoice.auto_advance);
        letter.paragraphs.push(match retry {
            Some(at) => words.letter_failed_retry(&words.date(at)),
            None => words.letter_failed_last().to_owned(),
        });
        letter.action = Some(words.letter_pay(&amount));
        letter.sum = Some(about(words, amount, invoice));
        if let Some(card) = card {
            let label = words.letter_fact_card();
            letter.facts.push((label, card_name(words, card)));
        }
        if let Some(at) = retry {
            letter
                .facts
                .push((words.letter_fact_next_try(), words.date(at)));
        }
        letter
    }

    fn action(&self, invoice: &Invoice) -> Letter {
        let words = self.words;
        let (amount, number) = (open_amount(words, invoice), number(invoice));
        let mut letter = self.letter(
            mark(Tone::Urgent, words.letter_mark_action()),
            words.letter_action_subject(&amount, self.merchant),
            words.letter_action_title(),
            words.letter_action_text(&amount, number),
        );
        let last = words.letter_action_last().to_owned();
        letter.paragraphs.push(last);
        letter.action = Some(words.letter_confirm().to_owned());
        letter.sum = Some(about(words, amount, invoice));
        letter
    }

    fn to_pay(self, invoice: &Invoice) -> Letter {
        let words = self.words;
        let (amount, number) = (open_amount(words, invoice), number(invoice));
        let calm = mark(Tone::Calm, words.letter_mark_invoice());
        let title = words.letter_topay_title(self.merchant);
        let mut letter = match invoice.due_date.map(|due| words.date(due)) {
            Some(due) => self.letter(
                calm,
                words.letter_topay_subject(&amount, &due, self.merchant, number),
                title,
                words.letter_topay_text(&due),
            ),
            None => self.letter(
                calm,
                words.letter_topay_subject_now(&amount, self.merchant, number),
                title,
                words.letter_topay_text_now().to_owned(),
            ),
        };
        self.payable(&mut letter, invoice, amount);
        letter.bill = Some(bill(words, invoice));
        letter
    }

    fn reminder(&self, invoice: &Invoice) -> Letter {
        let words = self.words;
        let (amount, number) = (open_amount(words, invoice), number(invoice));
        let due = invoice.due_date.map(|due| words.date(due));
        let overdue = invoice.next_payment_attempt.is_none();
        let late = mark(Tone::Urgent, words.letter_mark_overdue());
        let mut letter = match (due, overdue) {
            (Some(due), true) => self.letter(
                late,
                words.letter_overdue_subject(self.merchant, number),
                words.letter_overdue_title(),
                words.letter_overdue_text(&due, number),
            ),
            (Some(due), false) => self.letter(
                mark(Tone::Careful, words.letter_mark_reminder()),
                words.letter_due_subject(&due, self.merchant, number),
                words.letter_due_title(),
                words.letter_due_text(number),
            ),
            (None, _) => self.letter(
                late,
                words.letter_overdue_subject(self.merchant, number),
                words.letter_overdue_title(),
                words.letter_due_text(number),
            ),
        };
        self.payable(&mut letter, invoice, amount);
        letter
    }

    /// What every mail about an invoice to pay has.
    fn payable(&self, letter: &mut Letter, invoice: &Invoice, amount: String) {
        let words = self.words;
        letter.action = Some(words.letter_pay(&amount));
        let due = invoice.due_date;
        let note = due.map(|due| words.letter_sum_due(&words.date(due)));
        letter.sum = Some(Sum { amount, note });
        letter.facts.extend(numbered(words, invoice));
    }

    fn card_expiring(&self, card: &Card, pays: &[&Subscription]) -> Letter {
        let words = self.words;
        let (name, month) = (card_name(words, card), month_of(words, card));
        let items: Vec<String> = pays.iter().map(|own| held(words, own)).collect();
        let mut letter = self.letter(
            mark(Tone::Careful, words.letter_mark_card()),
            words.letter_card_subject(self.merchant, &month),
            words.letter_card_title(),
            words.letter_card_text(&name, &items.join(" + "), &month),
        );
        letter.action = Some(words.letter_card_new().to_owned());
        letter.facts.push((words.letter_fact_card(), name));
        letter.facts.push((words.letter_fact_expires(), month));
        letter
    }

    fn refunded(&self, amount: Money, invoice: Option<&Invoice>) -> Letter {
        let words = self.words;
        let amount = words.money(amount);
        let mut letter = self.letter(
            mark(Tone::Good, words.letter_mark_refund()),
            words.letter_refund_subject(&amount, self.merchant),
            words.letter_refund_title(),
            words.letter_refund_text().to_owned(),
        );
        letter.sum = Some(match invoice {
            Some(invoice) => about(words, amount, invoice),
            None => Sum { amount, note: None },
        });
        letter.action = invoice.map(|_| words.letter_see_invoice().to_owned());
        letter
    }
}

fn mark(tone: Tone, text: &'static str) -> Mark {
    Mark { tone, text }
}

/// An amount of an invoice.
fn about(words: Words, amount: String, invoice: &Invoice) -> Sum {
    let number = invoice.number.as_deref();
    let note = number.map(|number| words.letter_sum_invoice(number));
    Sum { amount, note }
}

fn open_amount(words: Words, invoice: &Invoice) -> String {
    let remaining = invoice.amount_remaining_minor();
    words.money(Money::new(remaining, invoice.currency))
}

fn number(invoice: &Invoice) -> &str {
    invoice.number.as_deref().unwrap_or(invoice.id.as_str())
}

fn numbered(words: Words, invoice: &Invoice) -> Option<(&'static str, String)> {
    let number = invoice.number.clone()?;
    Some((words.letter_fact_invoice(), number))
}

/// The lines that fit, and the sums of the document.
fn bill(words: Words, invoice: &Invoice) -> Bill {
    let money = |minor| words.money(Money::new(minor, invoice.currency));
    // One line more than fits takes no more room than the note about it.
    let shown = match invoice.lines.len() {
        all if all <= LINES_MAX + 1 => all,
        _ => LINES_MAX,
    };
    let lines = invoice.lines.iter().take(shown).map(|line| {
        let what = describe(words, line);
        let what = match line.quantity {
            Some(quantity) if quantity > 1 => words.home_items(&what, &words.integer(quantity)),
            _ => what,
        };
        let (start, end) = (line.period.start, line.period.end);
        let lasts = line.kind != LineKind::OneTime && start < end;
        BillLine {
            what,
            period: lasts
                .then(|| words.document_period(&words.date_short(end), &words.date_short(start))),
            amount: money(line.amount_minor),
        }
    });
    let left = u64::try_from(invoice.lines.len() - shown).unwrap_or(u64::MAX);
    // What says nothing new is left to the document.
    let total = money(invoice.totals.total_minor);
    let subtotal = words.document_subtotal();
    let settled = invoice.amount_remaining_minor() == 0;
    let rows = totals::rows(invoice, words);
    let untaxed = words.document_excluding_tax();
    let untaxed = rows.iter().find(|row| row.label == untaxed);
    let untaxed = untaxed.map(|row| row.amount.clone());
    let sums = rows.into_iter().filter(|row| {
        let same = row.amount == total || Some(&row.amount) == untaxed.as_ref();
        let repeats = row.label == subtotal && same;
        let nothing = row.label == words.document_amount_due() && settled;
        !repeats && !nothing
    });
    Bill {
        lines: lines.collect(),
        more: (left > 0).then(|| words.letter_more_lines(left)),
        sums: sums.map(|row| (row.label, row.amount, row.heavy)).collect(),
    }
}

/// `Visa ending in 4242`
fn card_name(words: Words, card: &Card) -> String {
    let brand = brand_name(card.brand).unwrap_or(words.method_card());
    words.method_spoken(brand, &card.last4)
}

/// The last month in which a card works.
fn month_of(words: Words, card: &Card) -> String {
    let day = Day {
        year: i64::from(card.exp_year),
        month: card.exp_month,
        day: 1,
    };
    words.month_of(day)
}

/// What a subscription is of: `3 × Team + Support`.
fn held(words: Words, own: &Subscription) -> String {
    let item = |item: &Item| {
        let name = &item.price.product_name;
        match item.quantity {
            0 | 1 => name.clone(),
            quantity => words.home_items(name, &words.integer(quantity)),
        }
    };
    own.items.iter().map(item).collect::<Vec<_>>().join(" + ")
}

/// What a bank's refusal means to the reader.
fn reason_text(words: Words, decline: Option<&Decline>) -> &'static str {
    let code = decline.map(|decline| {
        let code = decline.decline_code.as_deref();
        code.unwrap_or(&decline.code)
    });
    match code {
        Some(
            "insufficient_funds" | "card_velocity_exceeded" | "withdrawal_count_limit_exceeded",
        ) => words.letter_reason_funds(),
        Some("expired_card") => words.letter_reason_expired(),
        Some(
            "incorrect_cvc"
            | "invalid_cvc"
            | "incorrect_number"
            | "invalid_number"
            | "invalid_expiry_month"
            | "invalid_expiry_year"
            | "invalid_account",
        ) => words.letter_reason_details(),
        Some(
            "processing_error" | "issuer_not_available" | "try_again_later" | "reenter_transaction",
        ) => words.letter_reason_again(),
        _ => words.letter_reason_unsaid(),
    }
}

/// A subject is one line, whatever a product is called.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_control() || c.is_whitespace() && c != '\u{a0}');
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Whether a card has had its last month at `now`.
#[must_use]
pub fn is_expired(card: &Card, now: Timestamp) -> bool {
    let then = now.civil();
    (i64::from(card.exp_year), card.exp_month) < (then.year, then.month)
}

/// Whether a subscription still lives.
#[must_use]
pub fn is_alive(own: &Subscription) -> bool {
    !matches!(own.status, Status::Canceled | Status::IncompleteExpired)
}
