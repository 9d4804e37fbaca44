//! From lines to an invoice with discounts, taxes and totals.

use super::{
    BillTo, BillingReason, Invoice, InvoiceError, InvoiceItem, InvoiceStatus, LINES_MAX, Line,
    Totals,
};
use crate::calendar::{Period, Timestamp};
use crate::credit;
use crate::currency::Currency;
use crate::customer::{Customer, TaxExempt};
use crate::discount::{self, Discount};
use crate::id::{DiscountId, InvoiceId, Randomness};
use crate::metadata::Metadata;
use crate::money::MoneyError;
use crate::subscription::{CollectionMethod, Subscription};
use crate::tax;

/// A line before discounts and tax, with the discounts of the item it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineDraft {
    /// The line.
    pub line: Line,
    /// The item's own discounts, in order; they apply before the invoice's.
    pub discounts: Vec<Discount>,
}

/// All that an invoice is made of.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// Who owes.
    pub customer: &'a Customer,
    /// The subscription that causes it: gives discounts, collection method and payment method.
    pub subscription: Option<&'a Subscription>,
    /// Of all amounts.
    pub currency: Currency,
    /// Why it is made.
    pub billing_reason: BillingReason,
    /// The lines of its own.
    pub lines: Vec<LineDraft>,
    /// Items that wait. Those in this currency, of this subscription or of none, come after the own
    /// lines, up to [`LINES_MAX`] in all; each names itself in its line's `invoice_item`.
    pub pending: &'a [InvoiceItem],
    /// The period before the invoice for cycles, or the moment of the change.
    pub period: Period,
    /// The moment it is priced for: discounts that run then apply.
    pub at: Timestamp,
}

/// Makes a draft: lines, then discounts, then taxes, then totals.
///
/// Its `discounts` are those that took part. Its `amount_due_minor` meets the balance as it is
/// today; finalising decides.
///
/// # Errors
/// When there are too many lines, or an amount does not fit.
pub fn draft(input: Draft<'_>, ids: &mut dyn Randomness) -> Result<Invoice, InvoiceError> {
    let Draft {
        customer,
        subscription,
        currency,
        at,
        ..
    } = input;
    if customer.currency.is_some_and(|own| own != currency) {
        return Err(InvoiceError::CurrencyMismatch);
    }
    let mut drafts = input.lines;
    let taken = waiting(input.pending, subscription, currency);
    let room = LINES_MAX
        .checked_sub(drafts.len())
        .ok_or(InvoiceError::TooManyLines)?;
    drafts.extend(taken.take(room).map(|item| {
        let mut line = item.line.clone();
        line.invoice_item = Some(item.id.clone());
        let discounts = line.discounts.clone();
        LineDraft { line, discounts }
    }));
    let shared = match subscription {
        Some(subscription) => subscription.effective_discounts(customer),
        None => customer.discount.as_slice(),
    };
    let (lines, used, totals) = draft_lines(drafts, shared, customer.tax_exempt, at, currency)?;
    let settled = credit::settle(totals.total_minor, customer.balance_minor)?;
    let collection_method =
        subscription.map_or(CollectionMethod::default(), |own| own.collection_method);
    let days = subscription.and_then(|own| own.days_until_due);
    let due_date = match (collection_method, days) {
        (CollectionMethod::SendInvoice, Some(days)) => at.add_days(i64::from(days)).ok(),
        _ => None,
    };
    let mut invoice = Invoice {
        id: InvoiceId::new(ids),
        customer: customer.id.clone(),
        subscription: subscription.map(|own| own.id.clone()),
        number: None,
        status: InvoiceStatus::Draft,
        billing_reason: input.billing_reason,
        currency,
        lines,
        discounts: used,
        totals,
        starting_balance_minor: customer.balance_minor,
        ending_balance_minor: None,
        amount_due_minor: settled.due_minor,
        amount_paid_minor: 0,
        out_of_band_minor: 0,
        out_of_band_refunded_minor: 0,
        amount_overpaid_minor: 0,
        pre_payment_credit_minor: 0,
        pre_payment_credit_tax_minor: 0,
        post_payment_credit_minor: 0,
        period: input.period,
        collection_method,
        auto_advance: true,
        automatically_finalizes_at: None,
        next_payment_attempt: None,
        attempt_count: 0,
        due_date,
        will_be_due_told: None,
        default_payment_method: None,
        from_invoice: None,
        latest_revision: None,
        seller_tax_ids: Vec::new(),
        payment_intent: None,
        attached: Vec::new(),
        last_payment_error: None,
        retrying: None,
        bill_to: BillTo::of(customer),
        default_tax_rates: Vec::new(),
        own_discounts: None,
        custom_fields: Vec::new(),
        statement_descriptor: None,
        presentation: None,
        effective_at: None,
        footer: None,
        description: None,
        metadata: Metadata::default(),
        created: at,
        finalized_at: None,
        paid_at: None,
        voided_at: None,
        marked_uncollectible_at: None,
        test_clock: customer.test_clock.clone(),
    };
    if let Some(settings) = subscription.and_then(|own| own.settings.as_deref()) {
        settings.write_on(&mut invoice);
    }
    Ok(invoice)
}

/// Which of `pending` an invoice for `subscription` takes up.
fn waiting<'a>(
    pending: &'a [InvoiceItem],
    subscription: Option<&'a Subscription>,
    currency: Currency,
) -> impl Iterator<Item = &'a InvoiceItem> {
    pending.iter().filter(move |item| {
        let theirs = item.line.subscription.as_ref();
        let fits = theirs.is_none() || theirs == subscription.map(|own| &own.id);
        item.invoice.is_none() && item.currency == currency && fits
    })
}

/// Prices lines: discounts, taxes, sums. Answers with the lines, the discounts that took part in
/// order of application, and the totals.
///
/// # Errors
/// When an amount does not fit.
pub fn draft_lines(
    drafts: Vec<LineDraft>,
    shared: &[Discount],
    exempt: TaxExempt,
    at: Timestamp,
    currency: Currency,
) -> Result<(Vec<Line>, Vec<Discount>, Totals), InvoiceError> {
    let (mut lines, own): (Vec<Line>, Vec<Vec<Discount>>) = drafts
        .into_iter()
        .map(|draft| (draft.line, draft.discounts))
        .unzip();
    for (line, own) in lines.iter_mut().zip(&own) {
        line.discount_amounts.clear();
        line.discounts.clone_from(own);
    }
    let slices: Vec<&[Discount]> = own.iter().map(Vec::as_slice).collect();
    let used = discount::apply(&mut lines, &slices, shared, at, currency)?;
    let own_ids: Vec<&DiscountId> = own.iter().flatten().map(|discount| &discount.id).collect();
    for line in &mut lines {
        let net = line.amount_minor.checked_sub(line.discount_minor());
        line.taxes = tax::line_taxes(net.ok_or(MoneyError::Overflow)?, &line.tax_rates, exempt)?;
    }
    let totals = Totals::of(&lines, &own_ids)?;
    let all = own.iter().flatten().chain(shared);
    let mut discounts: Vec<Discount> = Vec::with_capacity(used.len());
    for id in &used {
        discounts.extend(all.clone().find(|discount| discount.id == *id).cloned());
    }
    Ok((lines, discounts, totals))
}

impl Totals {
    /// The sums of `lines`; `own` names the discounts that belong to items.
    fn of(lines: &[Line], own: &[&DiscountId]) -> Result<Self, MoneyError> {
        let (mut subtotal, mut off, mut inside, mut top, mut amounts) = (0, 0, 0, 0, 0_i128);
        for line in lines {
            amounts += i128::from(line.amount_minor);
            subtotal += i128::from(line.amount_minor);
            for part in &line.discount_amounts {
                off += i128::from(part.amount_minor);
                if own.contains(&&part.discount) {
                    subtotal -= i128::from(part.amount_minor);
                }
            }
            for tax in &line.taxes {
                let sum = if tax.inclusive { &mut inside } else { &mut top };
                *sum += i128::from(tax.amount_minor);
            }
        }
        let fit = |sum: i128| i64::try_from(sum).map_err(|_| MoneyError::Overflow);
        Ok(Self {
            subtotal_minor: fit(subtotal)?,
            discount_minor: fit(off)?,
            tax_inclusive_minor: fit(inside)?,
            tax_exclusive_minor: fit(top)?,
            total_minor: fit(amounts - off + top)?,
        })
    }
}

impl BillTo {
    /// The customer as they are now.
    #[must_use]
    pub fn of(customer: &Customer) -> Self {
        Self {
            name: customer.name.clone(),
            email: customer.email.clone(),
            phone: customer.phone.clone(),
            address: customer.address.clone(),
            tax_ids: customer.tax_ids.clone(),
            tax_exempt: customer.tax_exempt,
        }
    }
}

impl Subscription {
    /// The discounts on the whole subscription: its own, or else the customer's.
    #[must_use]
    pub fn effective_discounts<'a>(&'a self, customer: &'a Customer) -> &'a [Discount] {
        if self.discounts.is_empty() {
            customer.discount.as_slice()
        } else {
            &self.discounts
        }
    }

    /// Removes the `once` discounts that a finalised invoice used up, from the subscription and its
    /// items. ([`Invoice::finalize`] does the same for the customer.)
    pub fn spend_discounts(&mut self, invoice: &Invoice) {
        let used: Vec<DiscountId> = invoice
            .discounts
            .iter()
            .map(|discount| discount.id.clone())
            .collect();
        discount::consume_once(&mut self.discounts, &used);
        for item in &mut self.items {
            discount::consume_once(&mut item.discounts, &used);
        }
    }
}
