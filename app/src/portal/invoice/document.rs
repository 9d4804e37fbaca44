//! The invoice as a document: who claims what from whom, line by line, to the last cent.

use super::{InvoiceShown, title};
use crate::{
    locale::{Words, words},
    portal::say,
    ui::{Amount, Date, Summary, SummaryLine},
};
use leptos::prelude::*;
use perennial::{
    customer::TaxExempt,
    discount::Off,
    id::{DiscountId, TaxRateId},
    invoice::{Invoice, InvoiceStatus, Line, LineKind, TaxabilityReason},
    money::Money,
};

/// The document.
#[component]
pub fn Document(shown: InvoiceShown) -> impl IntoView {
    let words = words();
    let invoice = &shown.page.invoice;
    let (seller, customer) = (&shown.page.seller, &invoice.bill_to);
    let seller_more = [seller.email.clone(), seller.tax_id.clone()];
    let customer_more = customer.tax_ids.iter().map(|id| Some(id.value.clone()));
    let customer_more: Vec<_> = [customer.email.clone()]
        .into_iter()
        .chain(customer_more)
        .collect();
    let rows: Vec<_> = invoice
        .lines
        .iter()
        .map(|line| row(words, invoice, line))
        .collect();
    let gone = invoice.status == InvoiceStatus::Void;
    view! {
        <article class="paper" data-gone=gone.then_some("") aria-label=title(words, invoice.number.as_deref())>
            <div class="top">
                <div>
                    <p class="seller">{seller.name.clone()}</p>
                    {lines(&shown.seller_lines, &seller_more)}
                </div>
                <div class="which">
                    <p class="kind">{words.document_invoice()}</p>
                    <Keys invoice=invoice.clone() />
                </div>
            </div>
            <div class="to">
                <p class="label">{words.document_bill_to()}</p>
                <p class="name">{customer.name.clone()}</p>
                {lines(&shown.customer_lines, &customer_more)}
            </div>
            {invoice.description.clone().map(|text| view! { <p class="note">{text}</p> })}
            <table role="table">
                <caption class="unseen">{words.invoice_lines()}</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        <th scope="col">{words.document_description()}</th>
                        <th scope="col" class="figure each">{words.document_quantity()}</th>
                        <th scope="col" class="figure each">{words.document_unit_price()}</th>
                        <th scope="col" class="figure">{words.home_amount()}</th>
                    </tr>
                </thead>
                <tbody role="rowgroup">{rows}</tbody>
            </table>
            <div class="sums"><Sums invoice=invoice.clone() /></div>
            {reverse_charge(invoice).then(|| view! { <p class="note">{words.document_reverse_charge()}</p> })}
            {invoice.footer.clone().map(|text| view! { <p class="foot">{text}</p> })}
        </article>
    }
    .into_any()
}

/// Lines of an address and what stands below it.
fn lines(address: &[String], more: &[Option<String>]) -> AnyView {
    let all = address.iter().chain(more.iter().flatten());
    let all: Vec<_> = all
        .cloned()
        .map(|line| view! { <span>{line}</span> })
        .collect();
    view! { <p class="lines">{all}</p> }.into_any()
}

/// Number and dates.
#[component]
fn Keys(invoice: Invoice) -> impl IntoView {
    let words = words();
    let date = |name: &'static str, at| {
        view! { <div><dt>{name}</dt><dd><Date at=at /></dd></div> }
    };
    let at = invoice.issued_at();
    view! {
        <dl>
            {invoice.number.clone().map(|number| view! { <div><dt>{words.document_number()}</dt><dd>{number}</dd></div> })}
            {date(words.document_issued(), at)}
            {invoice.due_date.map(|at| date(words.document_due(), at))}
            {invoice.paid_at.map(|at| date(words.document_paid(), at))}
            {invoice.voided_at.map(|at| date(words.invoice_voided(), at))}
        </dl>
    }
    .into_any()
}

/// What a line is for, in the reader's language where it isn't the merchant's own text.
fn name(words: Words, line: &Line) -> String {
    let product = line.product_name.as_ref().unwrap_or(&line.description);
    match line.kind {
        LineKind::UnusedTime => words.change_unused(product),
        LineKind::RemainingTime => words.change_remaining(product),
        LineKind::Usage => words.document_usage(product),
        LineKind::Trial => words.document_trial(product),
        LineKind::Recurring => product.clone(),
        LineKind::OneTime => line.description.clone(),
        LineKind::TrueUp => words.document_commitment().to_owned(),
    }
}

/// Why a line is there, where a change in the middle of a period caused it.
fn why(words: Words, line: &Line) -> Option<String> {
    let (start, end) = (
        words.exactly(line.period.start),
        words.date(line.period.end),
    );
    match line.kind {
        LineKind::UnusedTime => Some(words.invoice_why_unused(&end, &start)),
        LineKind::RemainingTime => Some(words.invoice_why_remaining(&end, &start)),
        LineKind::Recurring
        | LineKind::Usage
        | LineKind::Trial
        | LineKind::OneTime
        | LineKind::TrueUp => None,
    }
}

fn row(words: Words, invoice: &Invoice, line: &Line) -> AnyView {
    let why = why(words, line);
    let quantity = line.quantity.map(|quantity| words.integer(quantity));
    // A part of a period costs a part of the price: beside the amount the whole price would only confuse.
    let price = line
        .unit_amount
        .filter(|_| why.is_none())
        .map(|price| words.unit_price(price, invoice.currency));
    let each = match (&price, &quantity) {
        (Some(price), Some(quantity)) => Some(words.home_items(price, quantity)),
        (None, Some(quantity)) => Some(words.invoice_units(quantity)),
        _ => None,
    };
    let lasts = line.period.end > line.period.start && why.is_none();
    let span = lasts.then(|| {
        let (start, end) = (
            words.date_short(line.period.start),
            words.date_short(line.period.end),
        );
        words.change_span(&end, &start)
    });
    view! {
        <tr role="row">
            <td role="cell">
                <span class="name">{name(words, line)}</span>
                {span.map(|span| view! { <span class="more">{span}</span> })}
                {each.map(|each| view! { <span class="more phone">{each}</span> })}
                {why.map(|why| view! { <span class="more">{why}</span> })}
            </td>
            <td role="cell" class="figure each">{quantity}</td>
            <td role="cell" class="figure each">{price}</td>
            <td role="cell" class="figure"><Amount money=Money::new(line.amount_minor, invoice.currency) /></td>
        </tr>
    }
    .into_any()
}

/// What a rate's tax comes to over all lines.
struct Tax {
    rate: TaxRateId,
    name: String,
    minor: i64,
    taxable_minor: i64,
    inclusive: bool,
}

/// The taxes by rate, in the order in which they come up.
fn taxes(words: Words, invoice: &Invoice) -> Vec<Tax> {
    let mut found: Vec<Tax> = Vec::new();
    for line in &invoice.lines {
        for tax in &line.taxes {
            if let Some(known) = found.iter_mut().find(|known| known.rate == tax.rate) {
                known.minor = known.minor.saturating_add(tax.amount_minor);
                known.taxable_minor = known.taxable_minor.saturating_add(tax.taxable_minor);
                continue;
            }
            let rate = line.tax_rates.iter().find(|rate| rate.id == tax.rate);
            let name = rate.map_or(String::new(), |rate| {
                let share = words.format_percent(&words.decimal(&rate.percentage.to_string()));
                words.change_tax(&rate.display_name, &share)
            });
            found.push(Tax {
                rate: tax.rate.clone(),
                name,
                minor: tax.amount_minor,
                taxable_minor: tax.taxable_minor,
                inclusive: tax.inclusive,
            });
        }
    }
    found
}

/// What each discount took off over all lines, in their order.
fn discounts(words: Words, invoice: &Invoice) -> Vec<(String, i64)> {
    let taken = |id: &DiscountId| {
        let lines = invoice.lines.iter().flat_map(|line| &line.discount_amounts);
        lines
            .filter(|taken| taken.discount == *id)
            .fold(0_i64, |sum, taken| sum.saturating_add(taken.amount_minor))
    };
    let each = invoice.discounts.iter().map(|discount| {
        let coupon = &discount.coupon;
        let name = coupon.name.clone().unwrap_or_else(|| coupon.id.to_string());
        let name = match coupon.off {
            Off::Percent(_) => words.change_tax(&name, &say::off(words, coupon.off)),
            Off::Amount { .. } => name,
        };
        (name, taken(&discount.id).saturating_neg())
    });
    each.filter(|(_, minor)| *minor != 0).collect()
}

fn reverse_charge(invoice: &Invoice) -> bool {
    let by_line = invoice
        .lines
        .iter()
        .flat_map(|line| &line.taxes)
        .any(|tax| tax.reason == TaxabilityReason::ReverseCharge);
    by_line || invoice.bill_to.tax_exempt == TaxExempt::Reverse
}

/// From the subtotal to what is due.
#[component]
fn Sums(invoice: Invoice) -> impl IntoView {
    let words = words();
    let money = move |minor| Money::new(minor, invoice.currency);
    let line = move |name: String, detail: Option<String>, minor: i64, total: bool| {
        view! { <SummaryLine name=name detail=Signal::stored(detail) total=total><Amount money=money(minor) /></SummaryLine> }
    };
    let totals = invoice.totals;
    // Not Stripe's subtotal: all discounts follow, and the sums must add up for who reads them.
    let all_lines_minor = invoice.lines_minor();
    let (discounts, taxes) = (discounts(words, &invoice), taxes(words, &invoice));
    let plain = discounts.is_empty() && taxes.is_empty();
    let off: Vec<_> = discounts
        .into_iter()
        .map(|(name, minor)| line(name, None, minor, false))
        .collect();
    let base = |tax: &Tax| Some(words.invoice_taxable(&words.money(money(tax.taxable_minor))));
    let (inside, on_top): (Vec<_>, Vec<_>) = taxes.into_iter().partition(|tax| tax.inclusive);
    let on_top: Vec<_> = on_top
        .iter()
        .map(|tax| line(tax.name.clone(), base(tax), tax.minor, false))
        .collect();
    let inside: Vec<_> = inside
        .iter()
        .map(|tax| {
            line(
                words.invoice_tax_inside(&tax.name),
                base(tax),
                tax.minor,
                false,
            )
        })
        .collect();
    let credited = invoice.pre_payment_credit_minor;
    let given_back = invoice.post_payment_credit_minor;
    let balance = invoice
        .amount_due_minor
        .saturating_add(credited)
        .saturating_sub(totals.total_minor);
    let to_credit = totals.total_minor < 0;
    let balance = match balance {
        0 => None,
        _ if to_credit => Some((
            words.change_to_credit(),
            totals.total_minor.saturating_neg(),
        )),
        ..0 => Some((words.change_credit_used(), balance)),
        _ => Some((words.home_owed(), balance)),
    };
    let owed = matches!(
        invoice.status,
        InvoiceStatus::Open | InvoiceStatus::Uncollectible
    );
    let paid = invoice.amount_paid_minor;
    let remaining = invoice.amount_remaining_minor();
    let due = owed || paid != 0;
    view! {
        <Summary>
            {(!plain).then(|| line(words.document_subtotal().to_owned(), None, all_lines_minor, false))}
            {off}
            {on_top}
            {line(words.change_total().to_owned(), None, totals.total_minor, !due)}
            {inside}
            {balance.map(|(name, minor)| line(name.to_owned(), None, minor, false))}
            {(credited != 0).then(|| line(words.document_credited().to_owned(), None, credited.saturating_neg(), false))}
            {(paid != 0).then(|| line(words.document_amount_paid().to_owned(), None, paid.saturating_neg(), false))}
            {due.then(|| line(words.document_amount_due().to_owned(), None, remaining, true))}
            {(given_back != 0).then(|| line(words.document_given_back().to_owned(), None, given_back, false))}
        </Summary>
    }
    .into_any()
}
