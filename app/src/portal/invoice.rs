//! One invoice: where it stands, how to pay it, and the document itself, which is what gets printed.

mod document;
mod given_back;
#[cfg(feature = "ssr")]
pub mod hosted;
mod pay;

use super::{
    act::{Act, Done},
    loaded::{Arrived, Loaded, Question, Shown, load},
    outcome::Outcome,
    say,
};
use crate::{
    locale::{Words, words},
    port::InvoicePage,
    refusal::Refusal,
    ui::{
        Amount, Badge, Button, Fact, Facts, Figure, Glyph, Icon, LinkButton, Page, PageHeader, Tone,
    },
    wire::Packed,
};
use document::Document;
use given_back::GivenBack;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use pay::Pay;
use perennial::{invoice::InvoiceStatus, money::Money};
use serde::{Deserialize, Serialize};
use stylers_macro::style_sheet;
use wasm_split_helpers::wasm_split;

const CLASS: &str = concat!("invoice ", style_sheet!("app/src/portal/invoice.css"));

/// An invoice, and what only the server can write of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceShown {
    /// The invoice.
    pub page: InvoicePage,
    /// The seller's address in lines, in the reader's language.
    pub seller_lines: Vec<String>,
    /// The customer's address in lines, in the reader's language.
    pub customer_lines: Vec<String>,
}

/// Loads an invoice.
///
/// # Errors
/// As every server function of the portal.
#[server(prefix = "/api/portal", endpoint = "invoice", output = Packed)]
pub async fn load_invoice(
    /// Which.
    id: String,
) -> Result<InvoiceShown, Refusal> {
    let (portal, viewer) = crate::viewer::signed_in()?;
    let id = id.parse().map_err(|_| Refusal::NotFound)?;
    let page = portal.invoice(&viewer, &id).await?;
    Ok(InvoiceShown::of(page, words()))
}

#[cfg(feature = "ssr")]
impl InvoiceShown {
    /// With the addresses as the reader's language writes them.
    #[must_use]
    pub fn of(page: InvoicePage, words: Words) -> Self {
        let lines = |address: &Option<perennial::customer::Address>| {
            let lines = address
                .as_ref()
                .map(|address| crate::country::lines(words.locale(), address));
            lines.unwrap_or_default()
        };
        Self {
            seller_lines: lines(&page.seller.address),
            customer_lines: lines(&page.invoice.bill_to.address),
            page,
        }
    }
}

/// Pays an open invoice. Answers with the bank's page if the customer must first prove who they are.
///
/// # Errors
/// As every server function of the portal; [`Refusal::Declined`] by the bank.
#[server(prefix = "/api/portal", endpoint = "pay", output = Packed)]
pub async fn pay_invoice(
    /// Which.
    id: String,
    /// With what; the default if empty.
    #[server(default)]
    payment_method: String,
) -> Done {
    use super::outcome::{Notice, go_on, leave};
    use crate::port::Settled;
    let (portal, viewer) = crate::viewer::signed_in()?;
    let id = id.parse().map_err(|_| Refusal::NotFound)?;
    let method = match payment_method.as_str() {
        "" => None,
        method => Some(method.parse().map_err(|_| Refusal::NotFound)?),
    };
    match portal.pay(&viewer, &id, method).await? {
        Settled::Done { .. } | Settled::Scheduled { .. } => {
            go_on(&format!("/portal/invoices/{id}"), Notice::InvoicePaid);
            Ok(None)
        }
        Settled::Processing { invoice } => {
            go_on(
                &format!("/portal/invoices/{invoice}"),
                Notice::PaymentProcessing,
            );
            Ok(None)
        }
        Settled::Challenge { url } => {
            leave(&url);
            Ok(Some(url))
        }
        Settled::Unpaid { reason, .. } => Err(Refusal::Declined(reason)),
    }
}

/// The page.
#[component]
pub fn InvoiceView() -> impl IntoView {
    let paying = Act::of::<PayInvoice>();
    let params = use_params_map();
    let id = move || params.with(|params| params.get("id")).unwrap_or_default();
    let resource = load::<LoadInvoice>(move || Question::of("id", id()).after(&[paying]));
    view! { <Loaded resource=resource view=move |invoice| invoice_shown(invoice, paying) /> }
}

/// What it shows.
#[wasm_split(paying, fallible, preload(preload_invoice))]
pub(super) fn invoice_shown(arrived: Arrived<InvoiceShown>, paying: Act) -> Shown {
    let shown = arrived.read()?;
    Ok(view! { <Whole shown=shown paying=paying /> }.into_any())
}

#[component]
fn Whole(shown: InvoiceShown, paying: Act) -> impl IntoView {
    let words = words();
    let invoice = &shown.page.invoice;
    let title = title(words, invoice.number.as_deref());
    let above = (
        "/portal/invoices".to_owned(),
        words.shell_invoices().to_owned(),
    );
    let (tone, standing) = standing(words, &shown.page);
    let minor = match invoice.status {
        InvoiceStatus::Open | InvoiceStatus::Uncollectible => invoice.amount_remaining_minor(),
        InvoiceStatus::Draft | InvoiceStatus::Paid | InvoiceStatus::Void => {
            invoice.totals.total_minor
        }
    };
    let amount = Money::new(minor, invoice.currency);
    let pdf = format!("/portal/invoices/{}/pdf", invoice.id);
    let final_one = invoice.status != InvoiceStatus::Draft;
    let pay = shown.page.payable || shown.page.challenge.is_some();
    let page = shown.page.clone();
    let adjustments = shown.page.adjustments.clone();
    let waiting = shown.page.unpaid.as_ref().map(|own| {
        let text = say::unpaid(words, own, shown.page.now);
        view! { <Facts><Fact name=words.home_unpaid()>{text}</Fact></Facts> }
    });
    view! {
        <Page>
            <div class=CLASS>
                <div class="about" data-print="no">
                    <PageHeader title=title above=above />
                    <Outcome refusal=paying.refusal() />
                    <div class="stand">
                        <p><Amount money=amount figure=Figure::Hero /></p>
                        <Badge tone=tone>{standing}</Badge>
                    </div>
                    {waiting}
                    {pay.then(|| view! { <Pay page=page paying=paying /> })}
                    {final_one.then(|| view! {
                        <div class="acts">
                            <LinkButton href=pdf attr:rel="external" attr:download=""><Icon glyph=Glyph::Download />{words.invoice_download()}</LinkButton>
                            <span class="with-scripts"><Button on:click=|_| print()>{words.invoice_print()}</Button></span>
                        </div>
                    })}
                </div>
                <Document shown=shown />
                {(!adjustments.is_empty()).then(|| view! { <div data-print="no"><GivenBack rows=adjustments /></div> })}
            </div>
        </Page>
    }
}

/// Opens the browser's print dialog.
fn print() {
    // It fails only where there is no printing, and then nothing is lost.
    let _ = window().print();
}

/// What an invoice is called.
fn title(words: Words, number: Option<&str>) -> String {
    match number {
        Some(number) => words.document_title(number),
        None => words.invoice_title_draft().to_owned(),
    }
}

/// Where an invoice stands, and what that means to the reader.
fn standing(words: Words, page: &InvoicePage) -> (Tone, String) {
    let (invoice, now) = (&page.invoice, page.now);
    let date = |at| words.date_near(at, now);
    match invoice.status {
        InvoiceStatus::Draft => (Tone::Neutral, words.invoice_draft().to_owned()),
        InvoiceStatus::Paid => {
            let at = invoice
                .paid_at
                .or(invoice.finalized_at)
                .unwrap_or(invoice.created);
            (Tone::Positive, words.invoice_paid_on(&date(at)))
        }
        InvoiceStatus::Void => {
            let at = invoice.voided_at.unwrap_or(invoice.created);
            (Tone::Neutral, words.invoice_void_on(&date(at)))
        }
        InvoiceStatus::Uncollectible => (Tone::Neutral, words.invoice_uncollectible().to_owned()),
        InvoiceStatus::Open => {
            if page.challenge.is_some() {
                return (Tone::Caution, words.invoice_to_confirm().to_owned());
            }
            let retry = invoice.next_payment_attempt.filter(|at| *at > now);
            match (&invoice.last_payment_error, retry, invoice.due_date) {
                (Some(_), Some(at), _) => (Tone::Danger, words.status_past_due_retry(&date(at))),
                (Some(_), None, _) => (Tone::Danger, words.invoice_failed().to_owned()),
                (None, _, Some(due)) if due < now => {
                    (Tone::Danger, words.invoice_overdue(&date(due)))
                }
                (None, _, Some(due)) => (Tone::Caution, words.invoice_due(&date(due))),
                (None, Some(at), None) => (Tone::Info, words.invoice_charged_on(&date(at))),
                (None, None, None) => (Tone::Caution, words.invoice_to_pay().to_owned()),
            }
        }
    }
}
