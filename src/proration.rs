//! A change in mid-period, to the second: credit for the time that is not used, debit for the rest
//! of the period on the new terms.
//!
//! Whole items are prorated again, never a difference. Each line is the exact amount times the exact
//! share of the period that is left, rounded on its own toward negative infinity (recorded from
//! Stripe: 1000 to 1800 with 1/400 left is -3 and +4). Credits come first, then debits; lines of 0
//! are kept.
//!
//! In flexible billing mode a credit is taken from what was really debited ([`Billed`]), each debit
//! at most once, with the debit's own tax rates; what was never billed is never credited. Where the
//! new terms are those of a debit that is given back at this same second, the new debit is exactly
//! that credit: going there and back costs nothing. In classic mode credits come from today's price
//! and discounts.
//!
//! Amounts are net of discounts, and no later discount touches them. A discount of duration `once`
//! is not spread over parts of a period; it waits for the next whole one.

use crate::calendar::{Period, Timestamp};
use crate::discount::{self, Discount};
use crate::id::{InvoiceLineId, Randomness};
use crate::invoice::{Line, LineDraft, LineKind};
use crate::metadata::Metadata;
use crate::money::MoneyError;
use crate::ratio::Ratio;
use crate::subscription::{
    Billed, BillingMode, Changed, Credited, Item, ProrationBehavior, Subscription,
    SubscriptionError,
};
use crate::tax::{self, TaxRate};

/// What a change in mid-period bills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proration {
    /// Credits, then debits, then whole periods that start now.
    pub lines: Vec<LineDraft>,
    /// The items after the change, with what was billed and credited noted on them. Whole periods
    /// are noted when their invoice is drafted, because discounts decide their net amounts.
    pub items: Vec<Item>,
}

/// Prices the step from the items of `subscription` to `changed`, at `at`.
///
/// `discounts` are those that apply to the whole subscription: its own, or the customer's
/// ([`Subscription::effective_discounts`]). In a trial or a pause nothing is billed.
///
/// # Errors
/// When an amount or a date can't be computed.
pub fn prorate(
    subscription: &Subscription,
    changed: Changed,
    discounts: &[Discount],
    behavior: ProrationBehavior,
    at: Timestamp,
    ids: &mut dyn Randomness,
) -> Result<Proration, SubscriptionError> {
    let Changed {
        mut items, resets, ..
    } = changed;
    if !subscription.status.is_billing() {
        return Ok(Proration {
            lines: Vec::new(),
            items,
        });
    }
    let mut lines = Vec::new();
    if behavior != ProrationBehavior::None {
        credits(
            subscription,
            &mut items,
            resets,
            discounts,
            at,
            ids,
            &mut lines,
        )?;
    }
    if resets {
        for item in &mut items {
            // A new period starts; what is left of the old one has been given back above.
            item.billed.clear();
            if item.price.is_metered() {
                continue;
            }
            let whole = item.cadence()?.period_containing(at, at)?;
            lines.push(if whole == item.current_period {
                whole_period(subscription, item, ids)?
            } else {
                // It ends before its period does.
                stub(subscription, item, discounts, whole, ids)?
            });
        }
    } else if behavior != ProrationBehavior::None {
        debits(subscription, &mut items, discounts, at, ids, &mut lines)?;
    }
    Ok(Proration { lines, items })
}

/// Credits for all items that go or change, in the order of the old items.
fn credits(
    subscription: &Subscription,
    after: &mut [Item],
    resets: bool,
    discounts: &[Discount],
    at: Timestamp,
    ids: &mut dyn Randomness,
    lines: &mut Vec<LineDraft>,
) -> Result<(), SubscriptionError> {
    let leaving: Vec<&Item> = subscription
        .items
        .iter()
        .filter(|item| !item.price.is_metered() && (resets || !stays(item, after)))
        .collect();
    let nets = match subscription.billing_mode {
        BillingMode::Flexible => Vec::new(),
        BillingMode::Classic => net_amounts(&leaving, discounts, at, subscription)?,
    };
    for (index, item) in leaving.iter().enumerate() {
        let mut billed = item.billed.clone();
        match nets.get(index) {
            Some(net) => {
                let whole = whole_around(subscription, item, at)?;
                let left = share(whole, at, item.current_period.end);
                if !left.is_zero() {
                    let amount = net.checked_mul(left)?.checked_neg()?.floor()?;
                    let rates = rates_of(subscription, item);
                    let line = part_line(subscription, item, -1, amount, at, rates, ids);
                    lines.push(line);
                }
                give_back(&mut billed, at)?;
            }
            None => {
                for (entry, minor) in give_back(&mut billed, at)? {
                    lines.push(credit_line(subscription, item, &entry, minor, at, ids));
                }
            }
        }
        if let Some(kept) = after.iter_mut().find(|other| other.id == item.id) {
            kept.billed = billed;
        }
    }
    Ok(())
}

/// Notes a credit on each debit that is still outstanding and has time left, and answers with the
/// debits and the positive amounts to give back.
fn give_back(billed: &mut [Billed], at: Timestamp) -> Result<Vec<(Billed, i64)>, MoneyError> {
    let mut given = Vec::new();
    for entry in billed.iter_mut().filter(|entry| entry.credited.is_none()) {
        let left = entry.period.fraction_remaining(at);
        if left.is_zero() {
            continue;
        }
        let exact = Ratio::from_integer(entry.net_minor).checked_mul(left)?;
        let net_minor = exact.ceil()?;
        entry.credited = Some(Credited { at, net_minor });
        given.push((entry.clone(), net_minor));
    }
    Ok(given)
}

/// Debits for all items that are new or changed, in the order of the new items.
fn debits(
    subscription: &Subscription,
    after: &mut [Item],
    discounts: &[Discount],
    at: Timestamp,
    ids: &mut dyn Randomness,
    lines: &mut Vec<LineDraft>,
) -> Result<(), SubscriptionError> {
    let licensed = |item: &&Item| !item.price.is_metered();
    let arrives = |item: &Item| !stays(item, &subscription.items);
    let among: Vec<&Item> = match subscription.billing_mode {
        // A discount is shared out as a whole invoice would share it.
        BillingMode::Flexible => after.iter().filter(licensed).collect(),
        // Only what changes shares it: Stripe's classic example credits it in full.
        BillingMode::Classic => after
            .iter()
            .filter(licensed)
            .filter(|i| arrives(i))
            .collect(),
    };
    let nets = net_amounts(&among, discounts, at, subscription)?;
    let among: Vec<_> = among.iter().map(|item| item.id.clone()).zip(nets).collect();
    for item in after
        .iter_mut()
        .filter(|item| !item.price.is_metered() && arrives(item))
    {
        let whole = whole_around(subscription, item, at)?;
        let left = share(whole, at, item.current_period.end);
        let Some((_, net)) = among.iter().find(|(id, _)| *id == item.id) else {
            continue;
        };
        if left.is_zero() {
            continue;
        }
        let rates = rates_of(subscription, item);
        let reversed = match subscription.billing_mode {
            BillingMode::Flexible => take_back_credit(item, &rates, at),
            BillingMode::Classic => None,
        };
        let amount = match reversed {
            Some(minor) => minor,
            None => {
                let minor = net.checked_mul(left)?.floor()?;
                let rest = Period {
                    start: at,
                    end: item.current_period.end,
                };
                item.billed
                    .push(billed_entry(item, rest, minor, rates.clone()));
                minor
            }
        };
        lines.push(part_line(subscription, item, 1, amount, at, rates, ids));
    }
    Ok(())
}

/// Finds a debit for exactly these terms that was credited at this very second, makes it
/// outstanding again, and answers with the amount that undoes its credit.
fn take_back_credit(item: &mut Item, rates: &[TaxRate], at: Timestamp) -> Option<i64> {
    let (price, quantity, end) = (
        item.price.id.clone(),
        item.quantity,
        item.current_period.end,
    );
    let entry = item.billed.iter_mut().rev().find(|entry| {
        entry.credited.is_some_and(|credited| credited.at == at)
            && entry.price == price
            && entry.quantity == quantity
            && entry.period.end == end
            && entry.tax_rates == rates
    })?;
    entry.credited.take().map(|credited| credited.net_minor)
}

/// Whether an item stands among `others` with the same price and quantity, until the same moment.
fn stays(item: &Item, others: &[Item]) -> bool {
    let found = others.iter().find(|other| other.id == item.id);
    found.is_some_and(|other| {
        other.price.id == item.price.id
            && other.quantity == item.quantity
            && other.current_period.end == item.current_period.end
    })
}

/// The exact share of a whole period that lies from `start` to `end`.
fn share(whole: Period, start: Timestamp, end: Timestamp) -> Ratio {
    let left = whole.fraction_remaining(start);
    let unused = whole.fraction_remaining(end);
    // Both lie between 0 and 1 and have the same denominator.
    left.checked_sub(unused)
        .map_or(Ratio::ZERO, |share| share.max(Ratio::ZERO))
}

/// What each item costs for a whole period, net of its own and the subscription's discounts, which
/// these items share among them.
fn net_amounts(
    items: &[&Item],
    discounts: &[Discount],
    at: Timestamp,
    subscription: &Subscription,
) -> Result<Vec<Ratio>, SubscriptionError> {
    let lasting = |discount: &&Discount| !discount.is_once();
    let own: Vec<Vec<Discount>> = items
        .iter()
        .map(|item| item.discounts.iter().filter(lasting).cloned().collect())
        .collect();
    let own: Vec<&[Discount]> = own.iter().map(Vec::as_slice).collect();
    let shared: Vec<Discount> = discounts.iter().filter(lasting).cloned().collect();
    let mut lines = Vec::with_capacity(items.len());
    for item in items {
        let mut line = line_of(
            subscription,
            item,
            LineKind::Recurring,
            String::new(),
            Vec::new(),
        );
        line.amount_minor = item.price.pricing.amount_minor(item.quantity)?;
        lines.push(line);
    }
    discount::apply(&mut lines, &own, &shared, at, subscription.currency)?;
    let mut nets = Vec::with_capacity(items.len());
    for (item, line) in items.iter().zip(&lines) {
        let exact = item.price.pricing.exact_amount(item.quantity)?;
        let net = exact.checked_sub(Ratio::from_integer(line.discount_minor()))?;
        nets.push(net.max(Ratio::ZERO));
    }
    Ok(nets)
}

/// The whole period around `at` that the item's price pays for. The item's own period may be a
/// shorter part of it: a stub before the anchor, or one that ends early with the subscription.
pub(crate) fn whole_around(
    subscription: &Subscription,
    item: &Item,
    at: Timestamp,
) -> Result<Period, SubscriptionError> {
    let whole = item
        .cadence()?
        .period_containing(subscription.billing_cycle_anchor, at)?;
    let inside = whole.end >= item.current_period.end;
    Ok(if inside { whole } else { item.current_period })
}

/// The rates of an item's lines.
pub(crate) fn rates_of(subscription: &Subscription, item: &Item) -> Vec<TaxRate> {
    tax::line_rates(
        item.price.tax_behavior,
        &item.tax_rates,
        &subscription.default_tax_rates,
    )
}

/// A stub: the item's own period, where that is a part of the whole one. Answers with the line; the
/// debit is noted on the item.
pub(crate) fn stub(
    subscription: &Subscription,
    item: &mut Item,
    discounts: &[Discount],
    whole: Period,
    ids: &mut dyn Randomness,
) -> Result<LineDraft, SubscriptionError> {
    let at = item.current_period.start;
    let net = net_amounts(&[item], discounts, at, subscription)?
        .pop()
        .unwrap_or(Ratio::ZERO);
    let part = share(whole, at, item.current_period.end);
    let minor = net.checked_mul(part)?.floor()?;
    let rates = rates_of(subscription, item);
    item.billed.push(billed_entry(
        item,
        item.current_period,
        minor,
        rates.clone(),
    ));
    Ok(part_line(subscription, item, 1, minor, at, rates, ids))
}

/// A line for the whole of the item's current period, before discounts.
pub(crate) fn whole_period(
    subscription: &Subscription,
    item: &Item,
    ids: &mut dyn Randomness,
) -> Result<LineDraft, SubscriptionError> {
    let description = format!("{} × {}", item.quantity, item.price.product_name);
    let rates = rates_of(subscription, item);
    let mut line = line_of(subscription, item, LineKind::Recurring, description, rates);
    line.id = InvoiceLineId::new(ids);
    line.amount_minor = item.price.pricing.amount_minor(item.quantity)?;
    Ok(LineDraft {
        line,
        discounts: item.discounts.clone(),
    })
}

/// A debit as it is noted on an item.
fn billed_entry(item: &Item, period: Period, net_minor: i64, tax_rates: Vec<TaxRate>) -> Billed {
    Billed {
        price: item.price.id.clone(),
        product: item.price.product.clone(),
        product_name: item.price.product_name.clone(),
        quantity: item.quantity,
        period,
        net_minor,
        tax_rates,
        credited: None,
    }
}

/// Notes whole periods that an invoice bills on their items, so that they can be credited.
pub(crate) fn note_billed(items: &mut [Item], lines: &[Line]) -> Result<(), SubscriptionError> {
    for line in lines.iter().filter(|line| line.kind == LineKind::Recurring) {
        let item = items
            .iter_mut()
            .find(|item| Some(&item.id) == line.subscription_item.as_ref());
        let Some(item) = item else { continue };
        let net = line.amount_minor.checked_sub(line.discount_minor());
        let net = net.ok_or(MoneyError::Overflow)?.max(0);
        let entry = billed_entry(item, line.period, net, line.tax_rates.clone());
        item.billed.push(entry);
    }
    Ok(())
}

/// A credit or debit for a part of a period, from an item's present terms.
fn part_line(
    subscription: &Subscription,
    item: &Item,
    sign: i8,
    amount_minor: i64,
    at: Timestamp,
    rates: Vec<TaxRate>,
    ids: &mut dyn Randomness,
) -> LineDraft {
    let kind = if sign < 0 {
        LineKind::UnusedTime
    } else {
        LineKind::RemainingTime
    };
    let text = description(kind, item.quantity, &item.price.product_name, at);
    let mut line = line_of(subscription, item, kind, text, rates);
    line.id = InvoiceLineId::new(ids);
    line.amount_minor = amount_minor;
    line.period = Period {
        start: at,
        end: item.current_period.end,
    };
    line.discountable = false;
    LineDraft {
        line,
        discounts: Vec::new(),
    }
}

/// A credit from a debit, in the debit's terms.
fn credit_line(
    subscription: &Subscription,
    item: &Item,
    entry: &Billed,
    net_minor: i64,
    at: Timestamp,
    ids: &mut dyn Randomness,
) -> LineDraft {
    let rates = entry.tax_rates.clone();
    let mut draft = part_line(subscription, item, -1, -net_minor, at, rates, ids);
    let line = &mut draft.line;
    line.description = description(line.kind, entry.quantity, &entry.product_name, at);
    line.quantity = Some(entry.quantity);
    if entry.price != item.price.id {
        line.unit_amount = None;
    }
    line.price = Some(entry.price.clone());
    line.product = Some(entry.product.clone());
    line.product_name = Some(entry.product_name.clone());
    line.period = Period {
        start: at,
        end: entry.period.end,
    };
    draft
}

/// A line for an item, without an id or an amount.
pub(crate) fn line_of(
    subscription: &Subscription,
    item: &Item,
    kind: LineKind,
    description: String,
    tax_rates: Vec<TaxRate>,
) -> Line {
    Line {
        id: InvoiceLineId::from_random(0),
        description,
        kind,
        amount_minor: 0,
        quantity: (!item.price.is_metered()).then_some(item.quantity),
        price: Some(item.price.id.clone()),
        product: Some(item.price.product.clone()),
        product_name: Some(item.price.product_name.clone()),
        unit_amount: item.price.pricing.unit_amount(),
        period: item.current_period,
        discountable: true,
        discount_amounts: Vec::new(),
        tax_rates,
        default_taxed: false,
        discounts: Vec::new(),
        taxes: Vec::new(),
        subscription: Some(subscription.id.clone()),
        subscription_item: Some(item.id.clone()),
        quantity_decimal: None,
        invoice_item: None,
        metadata: Metadata::default(),
    }
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Stripe's words: `Unused time on 3 × Pro after 01 Oct 2026`.
fn description(kind: LineKind, quantity: u64, product: &str, at: Timestamp) -> String {
    let what = if kind == LineKind::UnusedTime {
        "Unused"
    } else {
        "Remaining"
    };
    let many = if quantity > 1 {
        format!("{quantity} × ")
    } else {
        String::new()
    };
    let date = at.civil();
    let month = MONTHS
        .get(usize::from(date.month.saturating_sub(1)))
        .copied()
        .unwrap_or_default();
    format!(
        "{what} time on {many}{product} after {:02} {month} {}",
        date.day, date.year
    )
}

#[cfg(test)]
mod tests;
