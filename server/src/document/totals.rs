//! The sums below the lines, as texts.

use std::collections::BTreeMap;

use app::locale::Words;
use perennial::currency::Currency;
use perennial::decimal::Decimal12;
use perennial::id::{DiscountId, TaxRateId};
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::money::Money;
use perennial::tax::TaxRate;

/// A sum and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) label: String,
    pub(crate) amount: String,
    /// One of the sums that matter most.
    pub(crate) heavy: bool,
    /// A line is drawn above it.
    pub(super) ruled: bool,
}

/// Subtotal, discounts, taxes by rate, total, balance, paid, due.
pub(crate) fn rows(invoice: &Invoice, words: Words) -> Vec<Row> {
    let mut rows = sums(invoice, words);
    settled(invoice, words, &mut rows);
    rows
}

/// Subtotal, discounts, taxes by rate, total.
pub(crate) fn sums(invoice: &Invoice, words: Words) -> Vec<Row> {
    let money = |minor: i64| words.money(Money::new(minor, invoice.currency));
    let row = |label: &str, minor: i64| Row {
        label: label.to_owned(),
        amount: money(minor),
        heavy: false,
        ruled: false,
    };
    let totals = &invoice.totals;
    // Not Stripe's subtotal: all discounts follow, and the sums must add up for who reads them.
    let lines = match invoice.lines.is_empty() {
        // A credit note by amount only.
        true => totals.subtotal_minor,
        false => invoice.lines_minor(),
    };
    let mut rows = vec![row(words.document_subtotal(), lines)];
    for (name, minor) in discounts(invoice) {
        rows.push(row(&words.document_discount(&name), minor.saturating_neg()));
    }
    let taxes = taxes(invoice);
    if !taxes.is_empty() {
        rows.push(row(
            words.document_excluding_tax(),
            totals.total_excluding_tax_minor(),
        ));
    }
    for tax in taxes {
        let on = money(tax.taxable_minor);
        let share = percent(words, tax.rate.percentage);
        let name = match &tax.rate.jurisdiction {
            Some(jurisdiction) => format!("{} {jurisdiction}", tax.rate.display_name),
            None => tax.rate.display_name.clone(),
        };
        let label = if tax.rate.inclusive {
            words.document_tax_within(&on, &name, &share)
        } else {
            words.document_tax_on(&on, &name, &share)
        };
        rows.push(row(&label, tax.amount_minor));
    }
    let total = row(words.document_total(), totals.total_minor);
    rows.push(Row {
        ruled: true,
        heavy: true,
        ..total
    });
    rows
}

/// What the balance took over, what was paid, and what is left.
fn settled(invoice: &Invoice, words: Words, rows: &mut Vec<Row>) {
    let money = |minor: i64| words.money(Money::new(minor, invoice.currency));
    let mut push = |label: &str, minor: i64, heavy: bool| {
        rows.push(Row {
            label: label.to_owned(),
            amount: money(minor),
            heavy,
            ruled: heavy,
        });
    };
    // What is due is the total after the balance; a credit goes to the balance.
    let applied = invoice
        .amount_due_minor
        .saturating_add(invoice.pre_payment_credit_minor)
        .saturating_sub(invoice.totals.total_minor);
    if invoice.totals.total_minor < 0 {
        push(
            words.document_to_balance(),
            invoice.totals.total_minor.saturating_neg(),
            false,
        );
    } else if applied != 0 {
        push(words.document_balance(), applied, false);
    }
    if invoice.pre_payment_credit_minor != 0 {
        let credited = invoice.pre_payment_credit_minor.saturating_neg();
        push(words.document_credited(), credited, false);
    }
    if invoice.amount_paid_minor != 0 {
        let label = words.document_amount_paid();
        push(label, invoice.amount_paid_minor.saturating_neg(), false);
    }
    if invoice.status != InvoiceStatus::Draft {
        let remaining = match invoice.status {
            InvoiceStatus::Void => 0,
            _ => invoice.amount_remaining_minor(),
        };
        push(words.document_amount_due(), remaining, true);
    }
    if invoice.post_payment_credit_minor != 0 {
        let given = invoice.post_payment_credit_minor;
        push(words.document_given_back(), given, false);
    }
}

/// What each discount took off the whole invoice, in the order of application.
fn discounts(invoice: &Invoice) -> Vec<(String, i64)> {
    let mut sums: BTreeMap<&DiscountId, i64> = BTreeMap::new();
    for amount in invoice.lines.iter().flat_map(|line| &line.discount_amounts) {
        let sum = sums.entry(&amount.discount).or_default();
        *sum = sum.saturating_add(amount.amount_minor);
    }
    let named = invoice.discounts.iter().filter_map(|discount| {
        let coupon = &discount.coupon;
        let name = coupon.name.clone().unwrap_or_else(|| coupon.id.to_string());
        sums.get(&discount.id).map(|sum| (name, *sum))
    });
    named.filter(|(_, sum)| *sum != 0).collect()
}

/// One rate's tax on the whole invoice.
struct TaxSum<'a> {
    rate: &'a TaxRate,
    amount_minor: i64,
    taxable_minor: i64,
}

fn taxes(invoice: &Invoice) -> Vec<TaxSum<'_>> {
    let mut order: Vec<&TaxRateId> = Vec::new();
    let mut sums: BTreeMap<&TaxRateId, TaxSum<'_>> = BTreeMap::new();
    for line in &invoice.lines {
        for tax in &line.taxes {
            let Some(rate) = line.tax_rates.iter().find(|rate| rate.id == tax.rate) else {
                continue;
            };
            let sum = sums.entry(&tax.rate).or_insert_with(|| {
                order.push(&tax.rate);
                TaxSum {
                    rate,
                    amount_minor: 0,
                    taxable_minor: 0,
                }
            });
            sum.amount_minor = sum.amount_minor.saturating_add(tax.amount_minor);
            sum.taxable_minor = sum.taxable_minor.saturating_add(tax.taxable_minor);
        }
    }
    order.into_iter().filter_map(|id| sums.remove(id)).collect()
}

/// A percentage with all its places: `20%`, `8.875%`.
pub(super) fn percent(words: Words, percentage: Decimal12) -> String {
    words.format_percent(&words.decimal(&percentage.to_string()))
}

/// A unit price, which may have more places than the currency: `$0.0015`.
pub(super) fn decimal_amount(words: Words, minor: Decimal12, currency: Currency) -> String {
    let mut digits = minor.scaled();
    let mut places = 12_u32;
    while places > 0 && digits % 10 == 0 {
        digits /= 10;
        places -= 1;
    }
    let exponent = u32::from(currency.exponent()).saturating_add(places);
    match i64::try_from(digits) {
        Ok(digits) => words.amount(digits, currency.code(), exponent),
        // Too many digits for exact text: the whole minor units say enough.
        Err(_) => {
            let whole = i64::try_from(minor.scaled() / 1_000_000_000_000).unwrap_or(i64::MAX);
            words.money(Money::new(whole, currency))
        }
    }
}

#[cfg(test)]
mod tests {
    //! Sums as they are printed.
    use super::*;
    use crate::document::tests::paid_with_discount;
    use app::locale::Locale;

    #[test]
    fn printed_sums_add_up_with_an_item_discount() {
        let mut invoice = paid_with_discount().invoice;
        // As the domain has it when the discount is the item's own.
        invoice.totals.subtotal_minor = 96_000;
        let rows = rows(&invoice, Locale::En.words());
        let seen: Vec<_> = rows
            .iter()
            .map(|row| (row.label.as_str(), row.amount.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                ("Subtotal", "€1,200.00"),
                ("Discount: Bienvenue", "\u{2212}€240.00"),
                ("Total", "€960.00"),
                ("Applied balance", "\u{2212}€10.00"),
                ("Amount paid", "\u{2212}€950.00"),
                ("Amount due", "€0.00"),
            ]
        );
    }

    #[test]
    fn unit_prices_keep_all_their_places() {
        let check = |minor: &str, currency: Currency, expected: &str| {
            let minor = Decimal12::parse(minor).unwrap();
            assert_eq!(
                decimal_amount(Locale::En.words(), minor, currency),
                expected
            );
        };
        check("1250", Currency::USD, "$12.50");
        check("12.5", Currency::USD, "$0.125");
        check("0.000000000001", Currency::USD, "$0.00000000000001");
        check("12.5", Currency::JPY, "¥12.5");
        check("-3", Currency::USD, "\u{2212}$0.03");
        check("0", Currency::USD, "$0.00");
    }
}
