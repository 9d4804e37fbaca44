//! The steps of an audit: a hundred documents at a time, with all that stands about them.

use std::collections::{BTreeMap, HashMap};

use perennial::calendar::Timestamp;
use perennial::coverage::{self, Billing, Fault, Problem};
use perennial::credit_note::{CreditNote, Status};
use perennial::currency::Currency;
use perennial::customer::Customer;
use perennial::invoice::{Invoice, InvoiceItem, InvoiceStatus, Line};
use perennial::ledger::{Account, Around, Standing, expected};
use perennial::payment::{PaymentIntent, PaymentStatus};
use perennial::refund::{Refund, RefundStatus};
use perennial::subscription::Subscription;
use sqlx::AnyConnection;

use super::metered::Metered;
use super::order::{Leap, in_order};
use super::{Audit, ExceptionKind};
use crate::service::Refused;
use crate::service::balance::BalanceTransaction;
use crate::store::Scope;
use crate::store::document::{self, Column, Document, Stored};
use crate::store::ledger::{self, Flow, STEP_ROWS};

impl Leap for &BalanceTransaction {
    fn amount_minor(&self) -> i128 {
        i128::from(self.amount_minor)
    }

    fn ending_minor(&self) -> i128 {
        i128::from(self.ending_balance_minor)
    }
}

/// Reads everything of one merchant's mode, as of one moment.
pub(super) struct Auditor<'a> {
    pub(super) connection: &'a mut AnyConnection,
    pub(super) scope: &'a Scope,
    pub(super) now: Timestamp,
    pub(super) audit: Audit,
}

/// What the ledger has about one document in one currency.
#[derive(Default)]
struct Written {
    standing: Standing,
    moved_minor: i128,
}

/// Flows by document and currency.
fn written(flows: &[Flow]) -> Result<HashMap<(&str, Currency), Written>, Refused> {
    let mut all: HashMap<(&str, Currency), Written> = HashMap::new();
    for flow in flows {
        let key = (flow.document.as_str(), currency(&flow.currency)?);
        let own = all.entry(key).or_default();
        let amount = i128::from(flow.amount_minor);
        own.standing.transfer(flow.debit, flow.credit, amount);
        own.moved_minor += amount;
    }
    Ok(all)
}

fn currency(code: &str) -> Result<Currency, Refused> {
    Currency::parse(code).map_err(|error| Refused::Defect(error.to_string()))
}

/// The accounts of two standings that differ, for people.
fn difference(ledger: &Standing, documents: &Standing) -> String {
    let differ = Account::ALL
        .into_iter()
        .filter(|account| ledger.of(*account) != documents.of(*account));
    let parts = differ.map(|account| {
        let (own, theirs) = (ledger.of(account), documents.of(account));
        format!("{} {own} instead of {theirs}", account.name())
    });
    parts.collect::<Vec<_>>().join(", ")
}

impl Auditor<'_> {
    async fn after<T: Document>(
        &mut self,
        sql: &'static str,
        after: &str,
    ) -> Result<Vec<Stored<T>>, Refused> {
        let filter = [Column::text(after), Column::Number(Some(STEP_ROWS))];
        Ok(document::select(self.connection, self.scope, sql, &filter).await?)
    }

    pub(super) async fn between<T: Document>(
        &mut self,
        sql: &'static str,
        (first, last): (&str, &str),
    ) -> Result<Vec<Stored<T>>, Refused> {
        let filter = [Column::text(first), Column::text(last)];
        Ok(document::select(self.connection, self.scope, sql, &filter).await?)
    }

    /// What the ledger's accounts come to.
    pub(super) async fn accounts(&mut self) -> Result<(), Refused> {
        for flow in ledger::accounts(self.connection, self.scope).await? {
            let book = self.audit.book(currency(&flow.currency)?);
            let amount = i128::from(flow.amount_minor);
            book.ledger.transfer(flow.debit, flow.credit, amount);
            book.moved_minor += amount;
        }
        Ok(())
    }

    /// Compares each invoice with its transfers and its payments.
    pub(super) async fn invoices(&mut self) -> Result<(), Refused> {
        let mut after = String::new();
        loop {
            let rows: Vec<Stored<Invoice>> = self.after(ledger::INVOICES_AFTER, &after).await?;
            let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
                return Ok(());
            };
            let range = (first.id.as_str(), last.id.as_str());
            let flows = ledger::between(self.connection, self.scope, range).await?;
            let mut written = written(&flows)?;
            let mut around = self.around(range).await?;
            for invoice in &rows {
                let id = invoice.id.as_str();
                let around = around.remove(id).unwrap_or_default();
                let own = written.remove(&(id, invoice.currency)).unwrap_or_default();
                self.invoice(invoice, &around, &own);
            }
            self.audit.invoices += rows.len() as u64;
            last.id.as_str().clone_into(&mut after);
        }
    }

    /// What other documents say about the invoices of a range.
    async fn around(&mut self, range: (&str, &str)) -> Result<HashMap<String, Around>, Refused> {
        let mut all: HashMap<String, Around> = HashMap::new();
        let intents: Vec<Stored<PaymentIntent>> =
            self.between(ledger::INTENTS_BETWEEN, range).await?;
        for intent in intents {
            if let (Some(invoice), PaymentStatus::Succeeded) = (&intent.invoice, intent.status) {
                let own = all.entry(invoice.to_string()).or_default();
                own.taken_minor += i128::from(intent.brought_minor());
            }
        }
        let notes: Vec<Stored<CreditNote>> =
            self.between(ledger::CREDIT_NOTES_BETWEEN, range).await?;
        for note in notes.iter().filter(|note| note.status == Status::Issued) {
            let own = all.entry(note.invoice.to_string()).or_default();
            own.credited.add(&note.credited);
        }
        let refunds: Vec<Stored<Refund>> = self.between(ledger::REFUNDS_BETWEEN, range).await?;
        for refund in refunds {
            let Some(invoice) = &refund.invoice else {
                continue;
            };
            if refund.status != RefundStatus::Succeeded {
                continue;
            }
            let own = all.entry(invoice.to_string()).or_default();
            let (all, noted) = (refund.amount_minor, refund.noted_minor());
            own.promised_refunded_minor += i128::from(noted);
            own.refunded_minor += i128::from(all) - i128::from(noted);
        }
        Ok(all)
    }

    fn invoice(&mut self, invoice: &Invoice, around: &Around, own: &Written) {
        let documents = expected(invoice, around);
        let fits = own.standing == documents;
        let book = self.audit.book(invoice.currency);
        book.documents.merge(&documents);
        if !fits {
            let message = difference(&own.standing, &documents);
            self.audit
                .except(ExceptionKind::Ledger, &invoice.id, message);
        }
        let mut faults = arithmetic(invoice).map(|fault| (ExceptionKind::Invoice, fault));
        if faults.is_none() {
            faults = payments(invoice, around).map(|fault| (ExceptionKind::Payment, fault));
        }
        let explained = fits && faults.is_none();
        if let Some((kind, fault)) = faults {
            self.audit.except(kind, &invoice.id, fault);
        }
        if explained {
            self.audit.book(invoice.currency).explained_minor += own.moved_minor;
        }
    }

    /// Compares each customer's balance with its changes and with the ledger.
    pub(super) async fn customers(&mut self) -> Result<(), Refused> {
        let mut after = String::new();
        loop {
            let rows: Vec<Stored<Customer>> = self.after(ledger::CUSTOMERS_AFTER, &after).await?;
            let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
                return Ok(());
            };
            let range = (first.id.as_str(), last.id.as_str());
            let changes: Vec<Stored<BalanceTransaction>> =
                self.between(ledger::BALANCES_BETWEEN, range).await?;
            let mut theirs: HashMap<&str, Vec<&BalanceTransaction>> = HashMap::new();
            for change in &changes {
                let own = theirs.entry(change.customer.as_str()).or_default();
                own.push(&change.value);
            }
            let held: Vec<Stored<PaymentIntent>> =
                self.between(ledger::UNAPPLIED_BETWEEN, range).await?;
            let mut unapplied: HashMap<&str, Vec<&PaymentIntent>> = HashMap::new();
            for intent in &held {
                let own = unapplied.entry(intent.customer.as_str()).or_default();
                own.push(&intent.value);
            }
            let moved = ledger::balances(self.connection, self.scope, range).await?;
            let moved: HashMap<String, i64> = moved.into_iter().collect();
            let flows = ledger::between(self.connection, self.scope, range).await?;
            let mut written = written(&flows)?;
            for customer in &rows {
                let id = customer.id.as_str();
                let changes = theirs.remove(id).unwrap_or_default();
                let moved = moved.get(id).copied().unwrap_or_default();
                let own: Vec<(Currency, Written)> = Currency::all()
                    .filter_map(|code| Some((code, written.remove(&(id, code))?)))
                    .collect();
                let held = unapplied.remove(id).unwrap_or_default();
                self.customer(customer, &changes, &held, moved, own);
            }
            self.audit.customers += rows.len() as u64;
            last.id.as_str().clone_into(&mut after);
        }
    }

    fn customer(
        &mut self,
        customer: &Customer,
        changes: &[&BalanceTransaction],
        held: &[&PaymentIntent],
        moved_minor: i64,
        written: Vec<(Currency, Written)>,
    ) {
        let balance = i128::from(customer.balance_minor);
        let mut sum = 0_i128;
        let mut by_hand: BTreeMap<Currency, Standing> = BTreeMap::new();
        let seconds = changes.chunk_by(|one, other| one.created == other.created);
        for second in seconds {
            for change in in_order(second, sum) {
                let amount = i128::from(change.amount_minor);
                sum += amount;
                if sum != i128::from(change.ending_balance_minor) {
                    let message = format!(
                        "after it the balance is {sum}, not {}",
                        change.ending_balance_minor
                    );
                    self.audit
                        .except(ExceptionKind::Balance, &change.id, message);
                }
                if !change.is_of_invoice() {
                    let own = by_hand.entry(change.currency).or_default();
                    own.transfer(Account::CustomerBalance, Account::Adjustments, amount);
                }
            }
        }
        for intent in held {
            let own = by_hand.entry(intent.currency).or_default();
            let amount = i128::from(intent.unapplied_minor);
            own.transfer(Account::Cash, Account::Unapplied, amount);
        }
        if sum != balance || i128::from(moved_minor) != balance {
            let message = format!(
                "the balance is {balance}; its changes come to {sum}, the ledger to {moved_minor}"
            );
            self.audit
                .except(ExceptionKind::Balance, &customer.id, message);
        }
        for (code, own) in written {
            let documents = by_hand.remove(&code).unwrap_or_default();
            let fits = own.standing == documents;
            let book = self.audit.book(code);
            book.documents.merge(&documents);
            match fits {
                true => book.explained_minor += own.moved_minor,
                false => {
                    let message = difference(&own.standing, &documents);
                    self.audit
                        .except(ExceptionKind::Ledger, &customer.id, message);
                }
            }
        }
        for (code, documents) in by_hand {
            if documents != Standing::default() {
                self.audit.book(code).documents.merge(&documents);
                let message = difference(&Standing::default(), &documents);
                self.audit
                    .except(ExceptionKind::Ledger, &customer.id, message);
            }
        }
    }

    /// Looks whether each period of each subscription was invoiced once.
    pub(super) async fn subscriptions(&mut self) -> Result<(), Refused> {
        let mut after = String::new();
        loop {
            let rows: Vec<Stored<Subscription>> =
                self.after(ledger::SUBSCRIPTIONS_AFTER, &after).await?;
            let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
                return Ok(());
            };
            let range = (first.id.as_str(), last.id.as_str());
            let invoices: Vec<Stored<Invoice>> =
                self.between(ledger::INVOICES_BETWEEN, range).await?;
            let items: Vec<Stored<InvoiceItem>> =
                self.between(ledger::ITEMS_BETWEEN, range).await?;
            let mut theirs: HashMap<&str, Vec<Billing<'_>>> = HashMap::new();
            for billing in billings(&invoices, &items) {
                if let Some(subscription) = &billing.line.subscription {
                    let own = theirs.entry(subscription.as_str()).or_default();
                    own.push(billing);
                }
            }
            let mut metered = Metered::read(self, range).await?;
            for subscription in &rows {
                let billings = theirs.remove(subscription.id.as_str()).unwrap_or_default();
                self.subscription(subscription, &billings);
                for problem in metered.look(subscription, &billings) {
                    self.period(subscription, problem);
                }
            }
            metered.compare(self).await?;
            self.audit.subscriptions += rows.len() as u64;
            last.id.as_str().clone_into(&mut after);
        }
    }

    fn subscription(&mut self, subscription: &Subscription, billings: &[Billing<'_>]) {
        let found = coverage::check(subscription, billings);
        self.audit.periods += found.periods;
        for problem in found.problems {
            self.period(subscription, problem);
        }
    }

    fn period(&mut self, subscription: &Subscription, problem: Problem) {
        let (start, end) = (problem.period.start.0, problem.period.end.0);
        let what = match problem.fault {
            Fault::Never => "was never invoiced".to_owned(),
            Fault::Twice(invoices) => {
                let names: Vec<String> = invoices.iter().map(ToString::to_string).collect();
                format!("was invoiced more than once: {}", names.join(", "))
            }
        };
        let message = format!("{}: the time from {start} to {end} {what}", problem.item);
        self.audit
            .except(ExceptionKind::Period, &subscription.id, message);
    }

    /// Names transfers about things that are not there.
    pub(super) async fn orphans(&mut self) -> Result<(), Refused> {
        for name in ledger::orphans(self.connection, self.scope).await? {
            let message = "there are transfers about it, but it is not there".to_owned();
            self.audit.except(ExceptionKind::Orphan, name, message);
        }
        Ok(())
    }
}

fn billings<'a>(
    invoices: &'a [Stored<Invoice>],
    items: &'a [Stored<InvoiceItem>],
) -> impl Iterator<Item = Billing<'a>> {
    let on = |invoice: &'a Stored<Invoice>| {
        let billing = move |line: &'a Line| Billing {
            invoice: Some(&invoice.id),
            reason: Some(invoice.billing_reason),
            void: invoice.status == InvoiceStatus::Void,
            line,
        };
        invoice.lines.iter().map(billing)
    };
    let waiting = items.iter().map(|item| Billing {
        invoice: None,
        reason: None,
        void: false,
        line: &item.line,
    });
    invoices.iter().flat_map(on).chain(waiting)
}

/// What is wrong with the sums of an invoice, if anything.
fn arithmetic(invoice: &Invoice) -> Option<String> {
    let wide = i128::from;
    let mut lines = 0_i128;
    for line in &invoice.lines {
        lines += wide(line.amount_minor) - wide(line.discount_minor());
        let on_top = line.taxes.iter().filter(|tax| !tax.inclusive);
        lines += on_top.map(|tax| wide(tax.amount_minor)).sum::<i128>();
    }
    let total = wide(invoice.totals.total_minor);
    if lines != total {
        return Some(format!("its lines come to {lines}, its total is {total}"));
    }
    if invoice.status == InvoiceStatus::Draft {
        return None;
    }
    let Some(ending) = invoice.ending_balance_minor else {
        return Some("it is final and has no ending balance".to_owned());
    };
    let moved = wide(ending) - wide(invoice.starting_balance_minor);
    let due = total - moved - wide(invoice.pre_payment_credit_minor);
    if due != wide(invoice.amount_due_minor) {
        let stated = invoice.amount_due_minor;
        return Some(format!(
            "{stated} is due, where {due} follows from its parts"
        ));
    }
    invoice
        .number
        .is_none()
        .then(|| "it is final and has no number".to_owned())
}

/// What payments don't explain about an invoice, if anything.
fn payments(invoice: &Invoice, around: &Around) -> Option<String> {
    let wide = i128::from;
    let (due, paid) = (
        wide(invoice.amount_due_minor),
        wide(invoice.amount_paid_minor),
    );
    let outside = wide(invoice.out_of_band_minor);
    if invoice.status == InvoiceStatus::Paid && due != paid {
        return Some(format!("it is paid with {paid}, but {due} was due"));
    }
    let taken = around.taken_minor;
    if taken < paid - outside {
        let through = paid - outside;
        return Some(format!(
            "{through} is said to be paid, payments took {taken}"
        ));
    }
    let noted = &around.credited;
    let stated = wide(invoice.pre_payment_credit_minor);
    if noted.pre_payment_minor != stated {
        let sum = noted.pre_payment_minor;
        return Some(format!(
            "{stated} is credited before payment, notes say {sum}"
        ));
    }
    let used = wide(invoice.ending_balance_minor.unwrap_or_default())
        - wide(invoice.starting_balance_minor);
    let came = taken + outside + used.max(0);
    let gone = around.refunded_minor
        + around.promised_refunded_minor
        + wide(invoice.out_of_band_refunded_minor)
        + noted.balance_minor
        + noted.out_of_band_minor;
    if gone > came {
        return Some(format!("{gone} was given back of it, where {came} came"));
    }
    let back = noted.balance_minor + noted.refund_minor + noted.out_of_band_minor;
    let stated = wide(invoice.post_payment_credit_minor);
    (back != stated).then(|| format!("{stated} is credited after payment, notes say {back}"))
}
