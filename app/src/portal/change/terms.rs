//! What a change costs: the sum, and why it is that.

use crate::{
    locale::{Words, words},
    ui::{Amount, Cell, Disclosure, Fact, Facts, SummaryLine, Table},
};
use leptos::prelude::*;
use perennial::{
    calendar::{Cadence, Timestamp},
    invoice::{Line, LineKind},
    money::Money,
    quote::Terms,
    subscription::Subscription,
};

/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;

/// Whether the lines wait for the next ordinary invoice instead of being charged now.
fn wait_for_next(terms: &Terms) -> bool {
    !terms.lines.is_empty()
        && terms.due_now_minor == 0
        && terms.credited_minor == 0
        && terms.balance_applied_minor == 0
}

/// What happens and what it costs, in one sentence or two.
#[must_use]
pub fn consequence(words: Words, terms: &Terms, every: Cadence, now: Timestamp) -> String {
    let money = |minor| words.money(Money::new(minor, terms.currency));
    let (rhythm, recurring) = (words.every(every), money(terms.recurring_minor));
    let next = words.date_near(terms.next_invoice_at, now);
    if terms.scheduled {
        words.change_later(
            &recurring,
            &words.date_near(terms.effective_at, now),
            &rhythm,
        )
    } else if wait_for_next(terms) {
        words.change_today_next(&money(terms.next_invoice_minor), &next, &recurring, &rhythm)
    } else if terms.due_now_minor > 0 {
        words.change_today_pay(&money(terms.due_now_minor), &next, &recurring, &rhythm)
    } else if terms.credited_minor > 0 {
        words.change_today_credit(&money(terms.credited_minor), &next, &recurring, &rhythm)
    } else {
        words.change_today_free(&next, &recurring, &rhythm)
    }
}

/// The sum: what is due today, and what follows. Stands in a [`crate::ui::Summary`].
#[component]
pub fn TermsSummary(
    /// The price of the change.
    terms: Terms,
    /// How often it bills afterwards.
    every: Cadence,
    /// The moment that the page holds for.
    now: Timestamp,
    /// What a promotion code gives.
    #[prop(optional)]
    gift: Option<String>,
) -> impl IntoView {
    let words = words();
    let money = |minor| Money::new(minor, terms.currency);
    let next = words.date_near(terms.next_invoice_at, now);
    let waits = wait_for_next(&terms);
    // With a code the next payment may be another than those after it.
    let apart = gift.is_some() && !waits && terms.next_invoice_minor != terms.recurring_minor;
    let following = if waits || apart {
        words.change_after_that().to_owned()
    } else if terms.scheduled {
        words.change_from(&words.date_near(terms.effective_at, now))
    } else {
        words.change_from(&next)
    };
    let (recurring, due, credited, with_next) = (
        money(terms.recurring_minor),
        money(terms.due_now_minor),
        money(terms.credited_minor),
        money(terms.next_invoice_minor),
    );
    let note = terms
        .scheduled
        .then(|| words.change_waits(&words.date_near(terms.effective_at, now)));
    view! {
        {note.map(|note| view! { <p class="quiet">{note}</p> })}
        {gift.map(|gift| view! { <p class="quiet">{gift}</p> })}
        <SummaryLine name=words.change_due_today().to_owned() total=true><Amount money=due /></SummaryLine>
        {(credited.minor > 0).then(|| view! {
            <SummaryLine name=words.home_credit().to_owned() detail=words.change_credit_detail().to_owned()><Amount money=credited /></SummaryLine>
        })}
        {waits.then(|| view! {
            <SummaryLine name=words.change_next_payment(&next) detail=words.change_next_payment_detail().to_owned()><Amount money=with_next /></SummaryLine>
        })}
        {apart.then(|| view! { <SummaryLine name=words.change_next_payment(&next)><Amount money=with_next /></SummaryLine> })}
        <SummaryLine name=following><Amount money=recurring rhythm=words.every(every) /></SummaryLine>
    }
}

/// A small table that can be checked with a calculator: each line, discounts, taxes, the balance, the sum.
#[component]
pub fn Why(
    /// The price of the change.
    terms: Terms,
    /// As it was when the price was made: it knows the whole periods.
    subscription: Subscription,
) -> impl IntoView {
    let words = words();
    let currency = terms.currency;
    let rows: Vec<_> = terms
        .lines
        .iter()
        .map(|line| line_row(words, line, &subscription, &terms))
        .collect();
    let sums: Vec<_> = sums(words, &terms)
        .into_iter()
        .map(|(name, minor, total)| {
            view! {
                <tr role="row" data-total=total.then_some("")>
                    <Cell>{name}</Cell>
                    <Cell figures=true><Amount money=Money::new(minor, currency) /></Cell>
                </tr>
            }
        })
        .collect();
    let heads = vec![(words.home_what_for(), false), (words.home_amount(), true)];
    view! {
        <Table caption=words.change_why() heads=heads>{rows}{sums}</Table>
        {exact(words, &terms, &subscription)}
    }
}

/// One line: what for, for how long, how it comes about.
fn line_row(
    words: Words,
    line: &Line,
    subscription: &Subscription,
    terms: &Terms,
) -> impl IntoView + use<> {
    let product = line
        .product_name
        .clone()
        .unwrap_or_else(|| line.description.clone());
    let product = match line.quantity {
        Some(units) if units != 1 => words.home_items(&product, &words.integer(units)),
        _ => product,
    };
    let title = match line.kind {
        LineKind::UnusedTime => words.change_unused(&product),
        LineKind::RemainingTime => words.change_remaining(&product),
        LineKind::TrueUp => words.document_commitment().to_owned(),
        _ => product,
    };
    let span = words.change_span(
        &words.date_short(line.period.end),
        &words.date_short(line.period.start),
    );
    let whole = whole_seconds(line, subscription, terms);
    let part = whole
        .filter(|whole| *whole != line.period.seconds())
        .map(|whole| {
            words.change_days_of(&days(words, line.period.seconds()), &days(words, whole))
        });
    let unit = line
        .unit_amount
        .filter(|_| line.quantity.is_some_and(|units| units != 1))
        .zip(line.quantity);
    let unit = unit.map(|(price, units)| {
        words.home_items(
            &words.unit_price(price, terms.currency),
            &words.integer(units),
        )
    });
    let detail: Vec<_> = [Some(span), part, unit].into_iter().flatten().collect();
    let amount = Money::new(line.amount_minor, terms.currency);
    view! {
        <tr role="row">
            <Cell>{title}<br /><small class="quiet">{detail.join(" · ")}</small></Cell>
            <Cell figures=true><Amount money=amount /></Cell>
        </tr>
    }
}

/// How long the whole period is that a prorated line is a part of.
fn whole_seconds(line: &Line, subscription: &Subscription, terms: &Terms) -> Option<i64> {
    let prorated = matches!(line.kind, LineKind::UnusedTime | LineKind::RemainingTime);
    let reset = terms.anchor_reset && line.kind == LineKind::RemainingTime;
    let id = line
        .subscription_item
        .as_ref()
        .filter(|_| prorated && !reset)?;
    let item = subscription.items.iter().find(|item| item.id == *id)?;
    Some(item.current_period.seconds())
}

/// Days with two decimals: enough to check the amount with, short enough to read.
fn days(words: Words, seconds: i64) -> String {
    let hundredths = (seconds.saturating_mul(100).saturating_add(DAY_SECONDS / 2)) / DAY_SECONDS;
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    words.decimal(&if rest == 0 {
        whole.to_string()
    } else {
        format!("{whole}.{rest:02}")
    })
}

/// What follows the lines: discounts, taxes on top, what the balance takes or gives, and what is paid.
fn sums(words: Words, terms: &Terms) -> Vec<(String, i64, bool)> {
    let mut sums = Vec::new();
    if terms.totals.discount_minor != 0 {
        sums.push((
            words.home_discount().to_owned(),
            terms.totals.discount_minor.saturating_neg(),
            false,
        ));
    }
    sums.extend(taxes(words, terms));
    let balance = terms.balance_applied_minor;
    let waits = wait_for_next(terms);
    let ends_here = balance == 0 && terms.credited_minor == 0 && !waits;
    let name = if ends_here {
        words.change_due_today()
    } else {
        words.change_total()
    };
    sums.push((name.to_owned(), terms.totals.total_minor, true));
    if balance != 0 {
        let name = if balance < 0 {
            words.change_credit_used()
        } else {
            words.home_owed()
        };
        sums.push((name.to_owned(), balance, false));
    }
    if !ends_here && !waits {
        sums.push((
            words.change_due_today().to_owned(),
            terms.due_now_minor,
            true,
        ));
    }
    if terms.credited_minor > 0 {
        sums.push((
            words.change_to_credit().to_owned(),
            terms.credited_minor,
            false,
        ));
    }
    sums
}

/// The taxes on top by rate, in the order in which they come up.
fn taxes(words: Words, terms: &Terms) -> Vec<(String, i64, bool)> {
    let mut found: Vec<(&perennial::id::TaxRateId, String, i64)> = Vec::new();
    for line in &terms.lines {
        for tax in line.taxes.iter().filter(|tax| !tax.inclusive) {
            if let Some(known) = found.iter_mut().find(|(rate, ..)| *rate == &tax.rate) {
                known.2 = known.2.saturating_add(tax.amount_minor);
            } else if let Some(rate) = line.tax_rates.iter().find(|rate| rate.id == tax.rate) {
                let share = words.format_percent(&words.decimal(&rate.percentage.to_string()));
                found.push((
                    &tax.rate,
                    words.change_tax(&rate.display_name, &share),
                    tax.amount_minor,
                ));
            }
        }
    }
    found
        .into_iter()
        .map(|(_, name, minor)| (name, minor, false))
        .collect()
}

/// The moments exact to the second, for those who check to the cent.
fn exact(words: Words, terms: &Terms, subscription: &Subscription) -> impl IntoView + use<> {
    let prorated = terms.lines.iter().find_map(|line| {
        whole_seconds(line, subscription, terms).map(|whole| (line.period, whole))
    });
    prorated.map(|(period, whole)| {
        let (left, whole) = (
            words.decimal(&period.seconds().to_string()),
            words.decimal(&whole.to_string()),
        );
        view! {
            <Disclosure summary=words.change_to_the_second()>
                <Facts>
                    <Fact name=words.change_moment()>{words.exactly(period.start)}</Fact>
                    <Fact name=words.change_period_end()>{words.exactly(period.end)}</Fact>
                    <Fact name=words.change_share()>{words.change_seconds_of(&left, &whole)}</Fact>
                </Facts>
            </Disclosure>
        }
    })
}
