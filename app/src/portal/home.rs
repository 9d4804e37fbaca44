//! The first page: where the customer stands, and what they can do.

use super::{
    act::{Act, Done},
    attention::AttentionBanner,
    loaded::{Loaded, Question, load},
    method::Method,
    outcome::{Notice, Outcome},
    say,
    subscription::SubscriptionPart,
};
use crate::{
    locale::{Words, words},
    port::{Attention, BalanceReason, BalanceRow, Home as Shown, InvoiceRow},
    refusal::Refusal,
    ui::{
        Amount, Badge, Cell, Date, Disclosure, EmptyState, Fact, Facts, Glyph, Page, PageHeader,
        Section, Table,
    },
    wire::Packed,
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use perennial::{id::SubscriptionId, invoice::InvoiceStatus};
use std::future::ready;
use stylers_macro::style_sheet;

/// Loads the first page, and the customer's address in lines, in the reader's language.
///
/// # Errors
/// As every server function of the portal.
#[server(prefix = "/api/portal", endpoint = "home", output = Packed)]
pub async fn load_home() -> Result<(Shown, Vec<String>), Refusal> {
    let (portal, viewer) = crate::viewer::signed_in()?;
    let home = portal.home(&viewer).await?;
    let address = home.details.address.as_ref();
    let lines = address.map(|address| crate::country::lines(words().locale(), address));
    Ok((home, lines.unwrap_or_default()))
}

/// Takes a cancellation back.
///
/// # Errors
/// When it has ended meanwhile, or the merchant's rules don't allow it.
#[server(prefix = "/api/portal", endpoint = "keep", output = Packed)]
pub async fn keep(
    /// Which subscription.
    subscription: SubscriptionId,
) -> Done {
    let (portal, viewer) = crate::viewer::signed_in()?;
    portal.keep(&viewer, &subscription).await?;
    super::outcome::go_on("/portal", Notice::Kept);
    Ok(None)
}

/// Takes a change that waits back.
///
/// # Errors
/// When it has happened meanwhile.
#[server(prefix = "/api/portal", endpoint = "undo-change", output = Packed)]
pub async fn undo_change(
    /// Of which subscription.
    subscription: SubscriptionId,
) -> Done {
    let (portal, viewer) = crate::viewer::signed_in()?;
    portal.undo_change(&viewer, &subscription).await?;
    super::outcome::go_on("/portal", Notice::ChangeUndone);
    Ok(None)
}

/// What can be done on the first page itself.
#[derive(Clone, Copy)]
pub struct Acts {
    /// Takes a cancellation back.
    pub keep: Act,
    /// Takes a waiting change back.
    pub undo: Act,
}

/// The first page.
#[component]
pub fn Home() -> impl IntoView {
    let acts = Acts {
        keep: Act::of::<Keep>(),
        undo: Act::of::<UndoChange>(),
    };
    let search = use_location().search;
    let home = load::<LoadHome>(move || {
        Question::plain()
            .after(&[acts.keep, acts.undo])
            .marked(search.get())
    });
    let (keep, undo) = (acts.keep.refusal(), acts.undo.refusal());
    let refusal = Signal::derive(move || keep.get().or_else(|| undo.get()));
    view! { <Loaded resource=home view=move |home| ready(home.read().map(|(home, address)| show(home, address, acts, refusal))) /> }
}

fn show(
    home: Shown,
    address: Vec<String>,
    acts: Acts,
    refusal: Signal<Option<Refusal>>,
) -> AnyView {
    let words = words();
    let now = home.now;
    let lead = lead(words, &home);
    let paid = paid_just_now(words, &home).map(|detail| (Notice::PlanChanged, detail));
    let none = home.subscriptions.is_empty();
    let subscriptions: Vec<_> = home
        .subscriptions
        .iter()
        .cloned()
        .map(|subscription| view! { <SubscriptionPart subscription=subscription now=now acts=acts /> })
        .collect();
    view! {
        <Page><div class=concat!("home ", style_sheet!("app/src/portal/home.css"))>
            <div class="head">
                <PageHeader title=words.shell_home() lead=lead />
                <Outcome refusal=refusal nostrip:detail=paid />
                {home.attention.clone().map(|attention| view! { <AttentionBanner attention=attention now=now /> })}
            </div>
            {if none {
                view! { <EmptyState glyph=Glyph::Document title=words.home_none() detail=words.home_none_detail() /> }.into_any()
            } else {
                view! { <Section title=words.home_subscriptions()><div class="cards">{subscriptions}</div></Section> }.into_any()
            }}
            {(!home.invoices.is_empty()).then(|| view! { <RecentInvoices rows=home.invoices.clone() /> })}
            {methods(words, &home)}
            {details(words, &home, &address)}
        </div></Page>
    }
    .into_any()
}

/// How long after a change it is still news what was paid for it.
const NEWS_SECONDS: i64 = 600;

/// What a change that has just been made cost, from the newest invoice: the address may say that something was done, never
/// what it came to.
fn paid_just_now(words: Words, home: &Shown) -> Option<String> {
    let newest = home.invoices.first()?;
    let news = home.now.0.saturating_sub(newest.date.0) < NEWS_SECONDS;
    let paid = newest.status == InvoiceStatus::Paid && newest.total.minor > 0;
    (newest.of_change && news && paid)
        .then(|| words.done_plan_changed_paid(&words.money(newest.total)))
}

/// Where the reader stands, in one sentence: what is owed, else the next payment of all.
fn lead(words: Words, home: &Shown) -> String {
    if let Some(
        Attention::PaymentFailed { amount, .. }
        | Attention::NeedsAuthentication { amount, .. }
        | Attention::InvoiceOpen { amount, .. },
    ) = &home.attention
    {
        return words.home_lead_open(&words.money(*amount));
    }
    let next = home
        .subscriptions
        .iter()
        .filter_map(|subscription| subscription.next_payment.as_ref())
        .min_by_key(|next| next.at);
    match next {
        None => words.home_lead_quiet().to_owned(),
        Some(next) => {
            let (amount, date) = (words.money(next.amount), words.date_near(next.at, home.now));
            if next.plus_usage {
                words.home_lead_usage(&amount, &date)
            } else {
                words.home_lead_next(&amount, &date)
            }
        }
    }
}

/// The newest invoices.
#[component]
fn RecentInvoices(rows: Vec<InvoiceRow>) -> impl IntoView {
    let words = words();
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let (tone, status) = say::invoice_status(words, &row);
            let name = words.home_invoice_of(&words.date(row.date));
            view! {
                <tr role="row">
                    <Cell>
                        <a class="whole-row" href=format!("/portal/invoices/{}", row.id) aria-label=name>
                            <Date at=row.date short=true />
                        </a>
                    </Cell>
                    <Cell>{row.products.join(", ")}</Cell>
                    <Cell><Badge tone=tone>{status}</Badge></Cell>
                    <Cell figures=true><Amount money=row.total /></Cell>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        (words.home_date(), false),
        (words.home_what_for(), false),
        (words.home_state(), false),
        (words.home_amount(), true),
    ];
    view! {
        <Section title=words.home_recent_invoices() link=("/portal/invoices".to_owned(), words.home_all_invoices().to_owned())>
            <div class="recent">
                <Table caption=words.home_recent_invoices() heads=heads>{rows}</Table>
            </div>
        </Section>
    }
}

/// What pays, and the credit that is used first.
fn methods(words: Words, home: &Shown) -> impl IntoView + use<> {
    let cards: Vec<_> = home
        .payment_methods
        .iter()
        .map(|saved| {
            let card = saved.method.card.clone();
            view! { <li><Method card=card /></li> }
        })
        .collect();
    let balance = home
        .balance
        .filter(|balance| !balance.is_zero())
        .map(|balance| {
            let size = words.amount(
                balance.minor.saturating_abs(),
                balance.currency.code(),
                u32::from(balance.currency.exponent()),
            );
            let (name, text) = if balance.is_negative() {
                (words.home_credit(), words.home_credit_text(&size))
            } else {
                (words.home_owed(), words.home_owed_text(&size))
            };
            let rows = home.balance_rows.clone();
            let merchant = home.merchant_name.clone();
            view! {
                <Facts><Fact name=name>{text}</Fact></Facts>
                {(!rows.is_empty()).then(|| view! { <BalanceRows rows=rows merchant=merchant /> })}
            }
        });
    let none = cards
        .is_empty()
        .then(|| view! { <p>{words.home_no_method()}</p> });
    view! {
        <Section title=words.home_payment_methods() link=("/portal/payment-methods".to_owned(), words.home_manage().to_owned())>
            {none}
            <ul role="list" class="method-rows">{cards}</ul>
            {balance}
        </Section>
    }
}

/// What made the balance, folded: most people never ask.
#[component]
fn BalanceRows(rows: Vec<BalanceRow>, merchant: String) -> impl IntoView {
    let words = words();
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let reason = row.note.clone().unwrap_or_else(|| match row.reason {
                BalanceReason::Adjusted => words.home_balance_adjusted(&merchant),
                BalanceReason::Used => words.home_balance_used().to_owned(),
                BalanceReason::Credited => words.home_balance_credited().to_owned(),
                BalanceReason::TooSmall => words.home_balance_too_small().to_owned(),
                BalanceReason::TakenBack => words.home_balance_taken_back().to_owned(),
                BalanceReason::Overpaid => words.home_balance_overpaid().to_owned(),
                BalanceReason::CreditNote => words.home_balance_credit_note().to_owned(),
            });
            let reason = match row.invoice {
                Some(id) => {
                    view! { <a href=format!("/portal/invoices/{id}")>{reason}</a> }.into_any()
                }
                None => reason.into_any(),
            };
            view! {
                <li>
                    <Date at=row.at short=true />
                    <span>{reason}</span>
                    <Amount money=row.amount />
                </li>
            }
        })
        .collect();
    view! {
        <Disclosure summary=words.home_balance_why()>
            <ul role="list" class="balance-rows">{rows}</ul>
        </Disclosure>
    }
}

/// Who the customer is on invoices.
fn details(words: Words, home: &Shown, address: &[String]) -> impl IntoView + use<> {
    let details = &home.details;
    let facts: Vec<_> = [
        (words.home_name(), details.name.clone()),
        (words.home_email(), details.email.clone()),
        (words.home_address(), Some(address.join("\n"))),
    ]
    .into_iter()
    .filter_map(|(name, value)| {
        let value = value.filter(|value| !value.is_empty())?;
        Some(view! { <Fact name=name>{value}</Fact> })
    })
    .collect();
    view! {
        <Section title=words.home_details() link=("/portal/details".to_owned(), words.home_edit().to_owned())>
            <Facts>{facts}</Facts>
        </Section>
    }
}
