//! Credit notes: a final invoice taken back, in part or whole.
//!
//! What is still to be paid is taken off first; what was paid is given back by a refund, to the
//! customer's balance or by other ways. All notes on a line together are never more than the line,
//! and the last one takes the rest, so that discounts and taxes come out to the minor unit. A note
//! by amount only says nothing about lines and takes no tax back (Stripe leaves it open).

mod giving;

pub use giving::{LinkWish, left_to_give_back_minor};

use serde::{Deserialize, Serialize};

use crate::calendar::Timestamp;
use crate::currency::Currency;
use crate::customer::TaxExempt;
use crate::decimal::Decimal12;
use crate::id::{
    CreditNoteId, CreditNoteLineId, CustomerBalanceTransactionId, CustomerId, InvoiceId,
    InvoiceLineId, Randomness, RefundId,
};
use crate::invoice::{DiscountAmount, Invoice, InvoiceStatus, Line, TaxAmount, charge_step_minor};
use crate::ledger::Credited;
use crate::metadata::Metadata;
use crate::money::MoneyError;
use crate::ratio::Ratio;
use crate::refund::Refund;
use crate::tax::{self, TaxRate};

/// The most lines of one note (as of an invoice).
pub const LINES_MAX: usize = 250;

/// A credit note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditNote {
    /// `cn_…`
    pub id: CreditNoteId,
    /// What it takes back.
    pub invoice: InvoiceId,
    /// Whose.
    pub customer: CustomerId,
    /// `{invoice number}-CN-{01…}`.
    pub number: String,
    /// Of all amounts.
    pub currency: Currency,
    /// Where it stands.
    pub status: Status,
    /// Why.
    pub reason: Option<Reason>,
    /// Printed on it.
    pub memo: Option<String>,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// What is taken back.
    pub lines: Vec<NoteLine>,
    /// Lines before discounts and exclusive tax, in minor units.
    pub subtotal_minor: i64,
    /// Discounts that are taken back with them; positive.
    pub discount_minor: i64,
    /// Tax inside the lines' amounts.
    pub tax_inclusive_minor: i64,
    /// Tax on top of them.
    pub tax_exclusive_minor: i64,
    /// All of it.
    pub total_minor: i64,
    /// Where it goes.
    pub credited: Credited,
    /// The refunds that it made or stands for, with their amounts in minor units.
    pub refunds: Vec<(RefundId, i64)>,
    /// The change of the customer's balance.
    pub balance_transaction: Option<CustomerBalanceTransactionId>,
    /// The date that is printed on it.
    pub effective_at: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was voided.
    pub voided_at: Option<Timestamp>,
}

/// Where a credit note stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It counts.
    Issued,
    /// It does not count any more. Final.
    Void,
}

/// Why an invoice is taken back, in Stripe's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It was billed twice.
    Duplicate,
    /// Somebody else used the card.
    Fraudulent,
    /// The customer ordered something else.
    OrderChange,
    /// The customer was not satisfied.
    ProductUnsatisfactory,
}

/// A line of a credit note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteLine {
    /// `cnli_…`
    pub id: CreditNoteLineId,
    /// The line of the invoice that is taken back; `None` on a line of the merchant's own.
    pub invoice_line: Option<InvoiceLineId>,
    /// What for.
    pub description: String,
    /// Before discounts and exclusive tax, in minor units; positive takes back.
    pub amount_minor: i64,
    /// Units, where it is by quantity.
    pub quantity: Option<u64>,
    /// Minor units for one unit, where it is by quantity.
    pub unit_amount: Option<Decimal12>,
    /// Discounts that are taken back; positive amounts.
    pub discount_amounts: Vec<DiscountAmount>,
    /// The rates of its tax.
    pub tax_rates: Vec<TaxRate>,
    /// Its tax.
    pub taxes: Vec<TaxAmount>,
}

impl NoteLine {
    fn discount_minor(&self) -> i64 {
        let amounts = self.discount_amounts.iter().map(|own| own.amount_minor);
        amounts.fold(0, i64::saturating_add)
    }
}

/// What is wished for a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineWish {
    /// A line of the invoice.
    Invoice {
        /// Which.
        line: InvoiceLineId,
        /// How much of it.
        part: Part,
    },
    /// A line of the merchant's own.
    Own {
        /// What for.
        description: String,
        /// Minor units for one unit.
        unit_amount: Decimal12,
        /// Units.
        quantity: u64,
        /// Rates on top, or inside, as they say.
        tax_rates: Vec<TaxRate>,
    },
}

/// How much of an invoice's line is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Minor units, before discounts and exclusive tax.
    Amount(i64),
    /// Units.
    Quantity(u64),
    /// All that is left.
    Rest,
}

/// A credit note as it is wished for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Minor units in all, where there are no lines; where there are, it must be their total.
    pub amount_minor: Option<i64>,
    /// The lines.
    pub lines: Vec<LineWish>,
    /// Of what was paid: by a refund.
    pub refund_minor: Option<i64>,
    /// Of what was paid: given back by these refunds already.
    pub links: Vec<LinkWish>,
    /// Of what was paid: to the balance.
    pub balance_minor: Option<i64>,
    /// Of what was paid: by other ways.
    pub out_of_band_minor: Option<i64>,
    /// Why.
    pub reason: Option<Reason>,
    /// Printed on it.
    pub memo: Option<String>,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// The date to print.
    pub effective_at: Option<Timestamp>,
}

/// Why a credit note can't be issued. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreditNoteError {
    /// The invoice is a draft or void.
    #[error("credit notes can only be issued on open, paid or uncollectible invoices")]
    InvoiceStatus,
    /// Neither lines nor an amount.
    #[error("one of amount or lines must be given")]
    Nothing,
    /// A line that is not the invoice's.
    #[error("no such line on the invoice: {0}")]
    NoSuchLine(InvoiceLineId),
    /// More of a line than is left.
    #[error("only {left} of this line can still be credited")]
    LineTooMuch {
        /// Which wish.
        index: usize,
        /// What is left of it, in minor units or units.
        left: i64,
    },
    /// A line without units, by quantity; or no part at all.
    #[error("this line must be credited by an amount above zero")]
    LinePart {
        /// Which wish.
        index: usize,
    },
    /// Not above zero, or more than is left of the invoice.
    #[error("the amount must be positive and at most {left}, what is left of the invoice")]
    Amount {
        /// Minor units.
        left: i64,
    },
    /// The total of the lines is another.
    #[error("the lines come to {total}")]
    AmountMismatch {
        /// Minor units.
        total: i64,
    },
    /// The three ways don't come to what was paid of it.
    #[error(
        "the sum of refund_amount, credit_amount, out_of_band_amount and linked refunds must be \
         {post}, what has been paid of it"
    )]
    Split {
        /// Minor units.
        post: i64,
    },
    /// A part that no card could move.
    #[error(
        "in currencies of three decimals, what is taken off an invoice and what is refunded must be \
         a multiple of {step}"
    )]
    Step {
        /// Minor units.
        step: i64,
        /// The parameter that does not fit.
        param: &'static str,
    },
    /// More than is left of what was paid.
    #[error(
        "only {left} of what was paid can still be given back; refunds that were made before are \
         credited by linking them with refunds"
    )]
    GivenBack {
        /// Minor units.
        left: i64,
        /// The parameter that gives too much.
        param: &'static str,
    },
    /// A refund that is not of this invoice.
    #[error("no such refund of the invoice: {refund}")]
    NoSuchRefund {
        /// Which wish.
        index: usize,
        /// Which refund.
        refund: RefundId,
    },
    /// More of a refund than it gave back, or than other notes leave.
    #[error("only {left} of this refund can still be linked to a credit note")]
    LinkTooMuch {
        /// Which wish.
        index: usize,
        /// Minor units.
        left: i64,
    },
    /// An amount does not fit.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// Makes a credit note, beside those that were issued before and the refunds that were made. New
/// refunds and its `balance_transaction` are for the caller to add, its effect on the invoice
/// ([`Invoice::take_credit`]), and that it stands for the refunds that it names
/// ([`Refund::noted_minor`]).
///
/// # Errors
/// Why it can't be issued.
pub fn draft(
    invoice: &Invoice,
    before: &[CreditNote],
    refunds: &[Refund],
    wish: Wish,
    now: Timestamp,
    ids: &mut dyn Randomness,
) -> Result<CreditNote, CreditNoteError> {
    use InvoiceStatus::{Draft, Open, Paid, Uncollectible, Void};
    let unpaid = match invoice.status {
        Open | Uncollectible => invoice.amount_remaining_minor(),
        Paid => 0,
        Draft | Void => return Err(CreditNoteError::InvoiceStatus),
    };
    let counts = |note: &&CreditNote| note.status == Status::Issued;
    let issued: Vec<&CreditNote> = before.iter().filter(counts).collect();
    let lines = lines(invoice, &issued, &wish, ids)?;
    let wish_parts = [
        wish.refund_minor,
        wish.balance_minor,
        wish.out_of_band_minor,
    ];
    let mut note = CreditNote {
        id: CreditNoteId::new(ids),
        invoice: invoice.id.clone(),
        customer: invoice.customer.clone(),
        number: format!(
            "{}-CN-{:02}",
            invoice.number.as_deref().unwrap_or_default(),
            before.len() + 1
        ),
        currency: invoice.currency,
        status: Status::Issued,
        reason: wish.reason,
        memo: wish.memo,
        metadata: wish.metadata,
        lines,
        subtotal_minor: 0,
        discount_minor: 0,
        tax_inclusive_minor: 0,
        tax_exclusive_minor: 0,
        total_minor: 0,
        credited: Credited::default(),
        refunds: giving::linked(&wish.links, refunds)?,
        balance_transaction: None,
        effective_at: wish.effective_at,
        created: now,
        voided_at: None,
    };
    note.sum()?;
    if let Some(amount) = wish.amount_minor
        && amount != note.total_minor
    {
        let total = note.total_minor;
        return Err(CreditNoteError::AmountMismatch { total });
    }
    let credited = issued
        .iter()
        .try_fold(0_i64, |sum, own| sum.checked_add(own.total_minor));
    let left = invoice
        .totals
        .total_minor
        .max(0)
        .checked_sub(credited.ok_or(MoneyError::Overflow)?)
        .ok_or(MoneyError::Overflow)?;
    if note.total_minor <= 0 || note.total_minor > left {
        return Err(CreditNoteError::Amount { left });
    }
    note.credited = parts_of(&note, &wish_parts, unpaid)?;
    let left = left_to_give_back_minor(invoice, before, refunds)?;
    giving::within(&note.credited, note.linked_minor(), left)?;
    Ok(note)
}

/// Where a note's total goes: off what is `unpaid` first, and then as is wished (to a refund, to the
/// balance, by other ways).
fn parts_of(
    note: &CreditNote,
    parts: &[Option<i64>; 3],
    unpaid: i64,
) -> Result<Credited, CreditNoteError> {
    let pre = note.total_minor.min(unpaid);
    let post = note
        .total_minor
        .checked_sub(pre)
        .ok_or(MoneyError::Overflow)?;
    let linked = note.linked_minor();
    let split = parts
        .iter()
        .try_fold(linked, |sum, own| sum.checked_add(own.unwrap_or(0)));
    if split != Some(post) || parts.iter().flatten().any(|own| *own < 0) {
        return Err(CreditNoteError::Split { post });
    }
    let [refund, balance, out_of_band] = parts.map(|own| own.unwrap_or(0));
    let step = charge_step_minor(note.currency);
    for (amount, param) in [(pre, "amount"), (refund, "refund_amount")] {
        if amount % step != 0 {
            return Err(CreditNoteError::Step { step, param });
        }
    }
    Ok(Credited {
        pre_payment_minor: pre,
        balance_minor: balance,
        refund_minor: refund.checked_add(linked).ok_or(MoneyError::Overflow)?,
        out_of_band_minor: out_of_band,
        tax_minor: note
            .tax_inclusive_minor
            .checked_add(note.tax_exclusive_minor)
            .ok_or(MoneyError::Overflow)?,
    })
}

fn lines(
    invoice: &Invoice,
    issued: &[&CreditNote],
    wish: &Wish,
    ids: &mut dyn Randomness,
) -> Result<Vec<NoteLine>, CreditNoteError> {
    if wish.lines.is_empty() {
        let amount_minor = wish.amount_minor.ok_or(CreditNoteError::Nothing)?;
        return Ok(vec![NoteLine {
            id: CreditNoteLineId::new(ids),
            invoice_line: None,
            description: String::new(),
            amount_minor,
            quantity: None,
            unit_amount: None,
            discount_amounts: Vec::new(),
            tax_rates: Vec::new(),
            taxes: Vec::new(),
        }]);
    }
    let mut lines: Vec<NoteLine> = Vec::with_capacity(wish.lines.len());
    for (index, own) in wish.lines.iter().enumerate() {
        let line = match own {
            LineWish::Invoice { line, part } => {
                let source = invoice.lines.iter().find(|own| own.id == *line);
                let source = source.ok_or_else(|| CreditNoteError::NoSuchLine(line.clone()))?;
                let earlier = issued.iter().flat_map(|note| &note.lines).chain(&lines);
                let taken = Taken::of(source, earlier);
                of_invoice(
                    source,
                    &taken,
                    *part,
                    invoice.bill_to.tax_exempt,
                    index,
                    ids,
                )?
            }
            LineWish::Own {
                description,
                unit_amount,
                quantity,
                tax_rates,
            } => {
                let units = i64::try_from(*quantity).map_err(|_| MoneyError::Overflow)?;
                let exact = unit_amount
                    .to_ratio()
                    .checked_mul(Ratio::from_integer(units))?;
                let amount_minor = exact.half_up()?;
                NoteLine {
                    id: CreditNoteLineId::new(ids),
                    invoice_line: None,
                    description: description.clone(),
                    amount_minor,
                    quantity: Some(*quantity),
                    unit_amount: Some(*unit_amount),
                    discount_amounts: Vec::new(),
                    taxes: tax::line_taxes(amount_minor, tax_rates, TaxExempt::None)?,
                    tax_rates: tax_rates.clone(),
                }
            }
        };
        lines.push(line);
    }
    Ok(lines)
}

/// What earlier notes took of a line.
#[derive(Default)]
struct Taken {
    amount_minor: i64,
    quantity: u64,
    discounts: Vec<DiscountAmount>,
    taxes: Vec<TaxAmount>,
}

impl Taken {
    fn of<'a>(source: &Line, lines: impl Iterator<Item = &'a NoteLine>) -> Self {
        let mut taken = Self::default();
        for line in lines.filter(|own| own.invoice_line.as_ref() == Some(&source.id)) {
            taken.amount_minor = taken.amount_minor.saturating_add(line.amount_minor);
            taken.quantity = taken.quantity.saturating_add(line.quantity.unwrap_or(0));
            taken
                .discounts
                .extend(line.discount_amounts.iter().cloned());
            taken.taxes.extend(line.taxes.iter().cloned());
        }
        taken
    }

    fn discount_minor(&self, own: &DiscountAmount) -> i64 {
        let same = self.discounts.iter().filter(|d| d.discount == own.discount);
        same.fold(0, |sum, d| sum.saturating_add(d.amount_minor))
    }

    fn tax_minor(&self, own: &TaxAmount) -> (i64, i64) {
        let same = self.taxes.iter().filter(|t| t.rate == own.rate);
        same.fold((0, 0), |(amount, taxable), t| {
            (
                amount.saturating_add(t.amount_minor),
                taxable.saturating_add(t.taxable_minor),
            )
        })
    }
}

/// A part of a line of the invoice. What is left after it keeps its share of discounts and taxes, so
/// that the last part takes exactly the rest.
fn of_invoice(
    source: &Line,
    taken: &Taken,
    part: Part,
    exempt: TaxExempt,
    index: usize,
    ids: &mut dyn Randomness,
) -> Result<NoteLine, CreditNoteError> {
    let left = source
        .amount_minor
        .checked_sub(taken.amount_minor)
        .ok_or(MoneyError::Overflow)?;
    let (amount_minor, quantity) = match part {
        Part::Rest => (left, None),
        Part::Amount(amount) => (amount, None),
        Part::Quantity(quantity) => {
            let all = source.quantity.unwrap_or(0);
            let units_left = all.saturating_sub(taken.quantity);
            if all == 0 || quantity == 0 {
                return Err(CreditNoteError::LinePart { index });
            }
            if quantity > units_left {
                let left = i64::try_from(units_left).unwrap_or(i64::MAX);
                return Err(CreditNoteError::LineTooMuch { index, left });
            }
            let share = Ratio::new(i128::from(quantity), i128::from(all))?;
            let exact = Ratio::from_integer(source.amount_minor).checked_mul(share)?;
            let whole = quantity == units_left && taken.quantity + units_left == all;
            let amount = match whole {
                true => left,
                false => exact.half_up()?.min(left),
            };
            (amount, Some(quantity))
        }
    };
    if amount_minor <= 0 || source.amount_minor <= 0 {
        return Err(CreditNoteError::LinePart { index });
    }
    if amount_minor > left {
        return Err(CreditNoteError::LineTooMuch { index, left });
    }
    let last = amount_minor == left;
    let share = Ratio::new(i128::from(amount_minor), i128::from(source.amount_minor))?;
    let mut discount_amounts = Vec::with_capacity(source.discount_amounts.len());
    for own in &source.discount_amounts {
        let left = own.amount_minor.saturating_sub(taken.discount_minor(own));
        let exact = Ratio::from_integer(own.amount_minor).checked_mul(share)?;
        discount_amounts.push(DiscountAmount {
            discount: own.discount.clone(),
            amount_minor: match last {
                true => left,
                false => exact.half_up()?.min(left),
            },
        });
    }
    let mut line = NoteLine {
        id: CreditNoteLineId::new(ids),
        invoice_line: Some(source.id.clone()),
        description: source.description.clone(),
        amount_minor,
        quantity,
        unit_amount: source.unit_amount.filter(|_| quantity.is_some()),
        discount_amounts,
        tax_rates: source.tax_rates.clone(),
        taxes: Vec::new(),
    };
    let net = amount_minor
        .checked_sub(line.discount_minor())
        .ok_or(MoneyError::Overflow)?;
    line.taxes = match last {
        true => rest_of_taxes(source, taken),
        false => within(
            tax::line_taxes(net, &source.tax_rates, exempt)?,
            source,
            taken,
        ),
    };
    Ok(line)
}

fn rest_of_taxes(source: &Line, taken: &Taken) -> Vec<TaxAmount> {
    let rest = source.taxes.iter().map(|own| {
        let (amount, taxable) = taken.tax_minor(own);
        TaxAmount {
            amount_minor: own.amount_minor.saturating_sub(amount),
            taxable_minor: own.taxable_minor.saturating_sub(taxable),
            ..own.clone()
        }
    });
    rest.collect()
}

/// Rounding never takes more tax back than there was.
fn within(taxes: Vec<TaxAmount>, source: &Line, taken: &Taken) -> Vec<TaxAmount> {
    let most = |own: &TaxAmount| {
        let there = source.taxes.iter().find(|tax| tax.rate == own.rate);
        there.map_or(0, |tax| {
            tax.amount_minor.saturating_sub(taken.tax_minor(tax).0)
        })
    };
    taxes
        .into_iter()
        .map(|own| TaxAmount {
            amount_minor: own.amount_minor.min(most(&own)),
            ..own
        })
        .collect()
}

impl CreditNote {
    /// Sets the sums from the lines.
    fn sum(&mut self) -> Result<(), MoneyError> {
        let (mut subtotal, mut off, mut inside, mut top) = (0_i128, 0_i128, 0_i128, 0_i128);
        for line in &self.lines {
            subtotal += i128::from(line.amount_minor);
            off += i128::from(line.discount_minor());
            for tax in &line.taxes {
                let sum = if tax.inclusive { &mut inside } else { &mut top };
                *sum += i128::from(tax.amount_minor);
            }
        }
        let fit = |sum: i128| i64::try_from(sum).map_err(|_| MoneyError::Overflow);
        self.subtotal_minor = fit(subtotal)?;
        self.discount_minor = fit(off)?;
        self.tax_inclusive_minor = fit(inside)?;
        self.tax_exclusive_minor = fit(top)?;
        self.total_minor = fit(subtotal - off + top)?;
        Ok(())
    }

    /// What the refunds that it names come to, in minor units.
    #[must_use]
    pub fn linked_minor(&self) -> i64 {
        let amounts = self.refunds.iter().map(|(_, amount)| *amount);
        amounts.fold(0, i64::saturating_add)
    }

    /// Whether it may be voided: its invoice is still to be paid, and it gave nothing back.
    #[must_use]
    pub fn is_voidable(&self, invoice: &Invoice) -> bool {
        self.status == Status::Issued
            && invoice.status == InvoiceStatus::Open
            && self.credited.post_payment_minor() == 0
    }
}

#[cfg(test)]
mod tests;
