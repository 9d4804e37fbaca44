//! How much of what was paid can still be given back, and refunds that a note stands for.
//!
//! Refunds can be made without a credit note, and notes can give money to the balance or by other
//! ways. All of them together are never more than was paid. What an earlier refund gave back is
//! credited by linking that refund to the note: then the note gives no new money for it. (Stripe
//! checks only the charge; the stricter rule keeps a customer from getting the same money twice.)

use super::{CreditNote, CreditNoteError, Status};
use crate::id::RefundId;
use crate::invoice::Invoice;
use crate::ledger::Credited;
use crate::money::MoneyError;
use crate::refund::Refund;

/// An earlier refund that a note is to stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkWish {
    /// Which.
    pub refund: RefundId,
    /// Minor units of it; without, all that no note stands for yet.
    pub amount_minor: Option<i64>,
}

/// What can still be given back of an invoice, in minor units: what was paid, by money or from the
/// customer's balance, less refunds that arrived or may still, and less what its credit notes gave to
/// the balance and by other ways.
///
/// # Errors
/// When an amount does not fit.
pub fn left_to_give_back_minor(
    invoice: &Invoice,
    notes: &[CreditNote],
    refunds: &[Refund],
) -> Result<i64, MoneyError> {
    let wide = i128::from;
    let ending = invoice.ending_balance_minor;
    let ending = wide(ending.unwrap_or(invoice.starting_balance_minor));
    let from_balance = (ending - wide(invoice.starting_balance_minor)).max(0);
    let paid = wide(invoice.amount_paid_minor) + wide(invoice.amount_overpaid_minor) + from_balance;
    let issued = notes.iter().filter(|note| note.status == Status::Issued);
    let noted = issued
        .map(|note| wide(note.credited.balance_minor) + wide(note.credited.out_of_band_minor));
    let back = refunds.iter().filter(|own| own.status.holds());
    let back: i128 = back.map(|own| wide(own.amount_minor)).sum();
    let elsewhere = wide(invoice.out_of_band_refunded_minor);
    let left = paid - back - elsewhere - noted.sum::<i128>();
    i64::try_from(left.max(0)).map_err(|_| MoneyError::Overflow)
}

/// The refunds that a note stands for, with their amounts in minor units.
pub(super) fn linked(
    wishes: &[LinkWish],
    refunds: &[Refund],
) -> Result<Vec<(RefundId, i64)>, CreditNoteError> {
    let mut linked: Vec<(RefundId, i64)> = Vec::with_capacity(wishes.len());
    for (index, wish) in wishes.iter().enumerate() {
        let refund = refunds.iter().find(|own| own.id == wish.refund);
        let Some(refund) = refund else {
            let refund = wish.refund.clone();
            return Err(CreditNoteError::NoSuchRefund { index, refund });
        };
        let here = linked.iter().filter(|(id, _)| *id == wish.refund);
        let here = here.fold(0_i64, |sum, (_, amount)| sum.saturating_add(*amount));
        let left = refund.unnoted_minor().saturating_sub(here);
        let amount = wish.amount_minor.unwrap_or(left);
        if amount <= 0 || amount > left {
            return Err(CreditNoteError::LinkTooMuch { index, left });
        }
        linked.push((wish.refund.clone(), amount));
    }
    Ok(linked)
}

/// Refuses a note that gives new money beyond what is left to give back.
pub(super) fn within(
    credited: &Credited,
    linked_minor: i64,
    left: i64,
) -> Result<(), CreditNoteError> {
    let new = credited.post_payment_minor().saturating_sub(linked_minor);
    if new <= left {
        return Ok(());
    }
    let param = match credited {
        own if own.balance_minor > 0 => "credit_amount",
        own if own.out_of_band_minor > 0 => "out_of_band_amount",
        _ => "refund_amount",
    };
    Err(CreditNoteError::GivenBack { left, param })
}
