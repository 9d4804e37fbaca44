//! What was given back of an invoice, and where it went.

use crate::{
    locale::{Words, words},
    port::{Adjustment, AdjustmentKind},
    ui::{Amount, Cell, Date, Section, Table},
};
use leptos::prelude::*;

/// The list.
#[component]
pub fn GivenBack(rows: Vec<Adjustment>) -> impl IntoView {
    let words = words();
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let (name, ways) = told(words, &row);
            view! {
                <tr role="row">
                    <Cell><Date at=row.at short=true /></Cell>
                    <Cell><span>{name}</span><br /><small class="quiet">{ways.join(" · ")}</small></Cell>
                    <Cell figures=true><Amount money=row.amount /></Cell>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        (words.home_date(), false),
        (words.home_what_for(), false),
        (words.home_amount(), true),
    ];
    view! {
        <Section title=words.invoice_given_back()>
            <Table caption=words.invoice_given_back() heads=heads>{rows}</Table>
        </Section>
    }
    .into_any()
}

/// What it is called, and where the money went.
fn told(words: Words, row: &Adjustment) -> (String, Vec<String>) {
    let back = |arrived: bool| {
        if arrived {
            words.invoice_refund_sent()
        } else {
            words.invoice_refund_pending()
        }
    };
    match &row.kind {
        AdjustmentKind::Refund { arrived } => (
            words.invoice_refund().to_owned(),
            vec![back(*arrived).to_owned()],
        ),
        AdjustmentKind::Reported => (
            words.invoice_refund().to_owned(),
            vec![words.invoice_otherwise().to_owned()],
        ),
        AdjustmentKind::CreditNote {
            number,
            refunded,
            arrived,
            to_balance,
            otherwise,
        } => {
            let part = |money: &perennial::money::Money, way: &str| {
                (money.minor > 0).then(|| words.invoice_part(&words.money(*money), way))
            };
            let elsewhere = [refunded, to_balance, otherwise]
                .iter()
                .fold(0_i64, |sum, own| sum.saturating_add(own.minor));
            let taken_off = perennial::money::Money::new(
                row.amount.minor.saturating_sub(elsewhere),
                row.amount.currency,
            );
            let ways = [
                part(&taken_off, words.invoice_taken_off()),
                part(refunded, back(*arrived)),
                part(to_balance, words.invoice_to_balance()),
                part(otherwise, words.invoice_otherwise()),
            ];
            (
                words.invoice_credit_note(number),
                ways.into_iter().flatten().collect(),
            )
        }
    }
}
