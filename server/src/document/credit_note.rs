//! Credit notes on paper: laid out like the invoice that they take back.

use perennial::calendar::Period;
use perennial::credit_note::{CreditNote, NoteLine, Status};
use perennial::id::InvoiceLineId;
use perennial::invoice::{Invoice, InvoiceStatus, Line, LineKind, Totals};
use perennial::metadata::Metadata;

use super::{DocumentError, InvoiceDocument, invoice_pdf};

/// The credit note as a PDF file; `document` is that of the invoice that it takes back.
///
/// # Errors
/// As [`invoice_pdf`].
pub fn credit_note_pdf(
    note: &CreditNote,
    document: &InvoiceDocument<'_>,
) -> Result<Vec<u8>, DocumentError> {
    let mut shaped = shaped(note, document.invoice);
    let of = document.invoice.number.clone().unwrap_or_default();
    // A note by amount says of no line what it was.
    let words = document.words;
    let unsaid = shaped.lines.iter_mut();
    for line in unsaid.filter(|line| line.description.trim().is_empty()) {
        line.description = words.format_join(words.document_credit_note_of(), &of);
    }
    invoice_pdf(&InvoiceDocument {
        invoice: &shaped,
        takes_back: Some(&of),
        ..document.clone()
    })
}

/// A credit note in the shape of an invoice: its lines and sums, with the invoice's parties.
fn shaped(note: &CreditNote, invoice: &Invoice) -> Invoice {
    let mut own = invoice.clone();
    own.number = Some(note.number.clone());
    own.status = match note.status {
        Status::Issued => InvoiceStatus::Open,
        Status::Void => InvoiceStatus::Void,
    };
    own.lines = note
        .lines
        .iter()
        .map(|line| shaped_line(line, note))
        .collect();
    own.totals = Totals {
        subtotal_minor: note.subtotal_minor,
        discount_minor: note.discount_minor,
        tax_inclusive_minor: note.tax_inclusive_minor,
        tax_exclusive_minor: note.tax_exclusive_minor,
        total_minor: note.total_minor,
    };
    if own.lines.is_empty() {
        // A note by amount only: its one line is its total.
        own.totals.subtotal_minor = note.total_minor;
    }
    own.description.clone_from(&note.memo);
    own.finalized_at = Some(note.effective_at.unwrap_or(note.created));
    own.created = note.created;
    (own.due_date, own.paid_at, own.effective_at) = (None, None, None);
    own
}

fn shaped_line(line: &NoteLine, note: &CreditNote) -> Line {
    Line {
        id: InvoiceLineId::from_random(0),
        description: line.description.clone(),
        kind: LineKind::OneTime,
        amount_minor: line.amount_minor,
        quantity: line.quantity,
        quantity_decimal: None,
        price: None,
        product: None,
        product_name: None,
        unit_amount: line.unit_amount,
        period: Period {
            start: note.created,
            end: note.created,
        },
        discountable: false,
        discount_amounts: line.discount_amounts.clone(),
        tax_rates: line.tax_rates.clone(),
        default_taxed: false,
        discounts: Vec::new(),
        taxes: line.taxes.clone(),
        subscription: None,
        subscription_item: None,
        invoice_item: None,
        metadata: Metadata::default(),
    }
}
