//! Parts of lines, splits, and sums that never go beyond the invoice.

use super::{CreditNote, CreditNoteError, LineWish, Part, Wish, draft};
use crate::calendar::{Period, Timestamp};
use crate::currency::Currency;
use crate::discount::Duration;
use crate::fixture::{customer, discount, line, percent, rate};
use crate::invoice::{BillingReason, Draft, Invoice, LineDraft, draft as draft_invoice};
use crate::quote::Counter;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(1_000);

/// 3 × 333.33 at 10 % off and 19 % tax on top: 999.99 − 100.00 + 171.00 = 1070.99.
fn invoice(paid: bool) -> Invoice {
    let mut owner = customer();
    owner.discount = Some(discount("ten", percent("10"), Duration::Forever));
    let mut own = line("x", 99_999);
    own.quantity = Some(3);
    own.tax_rates = vec![rate("vat", "19", false)];
    let input = Draft {
        customer: &owner,
        subscription: None,
        currency: Currency::USD,
        billing_reason: BillingReason::Manual,
        lines: vec![LineDraft {
            line: own,
            discounts: Vec::new(),
        }],
        pending: &[],
        period: Period {
            start: NOW,
            end: NOW,
        },
        at: NOW,
    };
    let mut invoice = draft_invoice(input, &mut Counter(0)).unwrap();
    invoice.finalize(&mut owner, NOW).unwrap();
    if paid {
        invoice.settle(invoice.amount_due_minor, NOW).unwrap();
    }
    invoice
}

fn of_line(invoice: &Invoice, part: Part) -> Wish {
    Wish {
        lines: vec![LineWish::Invoice {
            line: invoice.lines[0].id.clone(),
            part,
        }],
        ..Wish::default()
    }
}

fn issue(
    invoice: &mut Invoice,
    before: &mut Vec<CreditNote>,
    wish: Wish,
) -> Result<CreditNote, CreditNoteError> {
    let note = draft(
        invoice,
        before,
        &[],
        wish,
        NOW,
        &mut Counter(before.len() as u128 * 100),
    )?;
    invoice.take_credit(&note.credited, NOW)?;
    before.push(note.clone());
    Ok(note)
}

#[test]
fn parts_by_quantity_come_to_the_whole() {
    let mut invoice = invoice(false);
    assert_eq!(invoice.totals.total_minor, 107_099);
    let mut notes = Vec::new();
    // A unit is 333.33 − 33.33 + 57.00; the last one takes the rest of the discount: − 33.34.
    for left in [71_399, 35_699, 0] {
        let wish = of_line(&invoice, Part::Quantity(1));
        let note = issue(&mut invoice, &mut notes, wish).unwrap();
        assert_eq!(note.subtotal_minor, 33_333);
        assert_eq!(invoice.amount_remaining_minor(), left);
    }
    assert_eq!(invoice.status, crate::invoice::InvoiceStatus::Paid);
    let tax: i64 = notes.iter().map(|note| note.tax_exclusive_minor).sum();
    assert_eq!(tax, invoice.totals.tax_exclusive_minor);
    assert_eq!(
        notes[2].number,
        "TEST0001-0001-CN-03".replace("TEST0001", &prefix(&invoice))
    );
    let wish = of_line(&invoice, Part::Quantity(1));
    assert_eq!(
        issue(&mut invoice, &mut notes, wish),
        Err(CreditNoteError::LineTooMuch { index: 0, left: 0 })
    );
}

fn prefix(invoice: &Invoice) -> String {
    let number = invoice.number.clone().unwrap();
    number.rsplit_once('-').unwrap().0.to_owned()
}

#[test]
fn what_was_paid_must_go_somewhere() {
    let mut invoice = invoice(true);
    let wish = Wish {
        amount_minor: Some(500),
        ..Wish::default()
    };
    let split = Err(CreditNoteError::Split { post: 500 });
    assert_eq!(issue(&mut invoice, &mut Vec::new(), wish.clone()), split);
    let wish = Wish {
        refund_minor: Some(100),
        balance_minor: Some(200),
        out_of_band_minor: Some(200),
        ..wish
    };
    let note = issue(&mut invoice, &mut Vec::new(), wish).unwrap();
    assert_eq!(note.total_minor, 500);
    assert_eq!(note.credited.post_payment_minor(), 500);
    assert_eq!(invoice.post_payment_credit_minor, 500);
    let negative = Wish {
        amount_minor: Some(500),
        refund_minor: Some(-100),
        balance_minor: Some(600),
        ..Wish::default()
    };
    assert_eq!(issue(&mut invoice, &mut Vec::new(), negative), split);
}

#[test]
fn more_than_the_invoice_is_refused() {
    let mut invoice = invoice(false);
    for amount in [0, -5, 107_100] {
        let wish = Wish {
            amount_minor: Some(amount),
            ..Wish::default()
        };
        let refused = Err(CreditNoteError::Amount { left: 107_099 });
        assert_eq!(issue(&mut invoice, &mut Vec::new(), wish), refused);
    }
    let nothing = Err(CreditNoteError::Nothing);
    assert_eq!(
        issue(&mut invoice, &mut Vec::new(), Wish::default()),
        nothing
    );
}

proptest! {
    /// However a line is cut, its parts come to it: amounts, discounts and taxes.
    #[test]
    fn parts_by_amount_come_to_the_whole(cuts in prop::collection::vec(1..30_000_i64, 1..12)) {
        let mut invoice = invoice(false);
        let mut notes = Vec::new();
        for cut in cuts {
            let wish = of_line(&invoice, Part::Amount(cut));
            match issue(&mut invoice, &mut notes, wish) {
                Ok(note) => prop_assert!(note.total_minor > 0),
                Err(CreditNoteError::LineTooMuch { .. } | CreditNoteError::Amount { .. }) => {}
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
        let credited: i64 = notes.iter().map(|note: &CreditNote| note.subtotal_minor).sum();
        if credited < 99_999 {
            let wish = of_line(&invoice, Part::Rest);
            issue(&mut invoice, &mut notes, wish).unwrap();
        }
        let sum = |of: fn(&CreditNote) -> i64| notes.iter().map(of).sum::<i64>();
        prop_assert_eq!(sum(|note| note.subtotal_minor), 99_999);
        prop_assert_eq!(sum(|note| note.discount_minor), invoice.totals.discount_minor);
        prop_assert_eq!(sum(|note| note.tax_exclusive_minor), invoice.totals.tax_exclusive_minor);
        prop_assert_eq!(sum(|note| note.total_minor), invoice.totals.total_minor);
        prop_assert_eq!(invoice.amount_remaining_minor(), 0);
    }
}
