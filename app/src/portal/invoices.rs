//! The billing history: a list one can scan, newest first.

use super::{
    loaded::{Arrived, Loaded, Question, Shown, load},
    say,
};
use crate::{
    locale::words,
    port::{InvoiceList, InvoiceRow},
    refusal::Refusal,
    ui::{Amount, Badge, Date, EmptyState, Glyph, Page, PageHeader, Pager},
    wire::Packed,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use stylers_macro::style_sheet;
use wasm_split_helpers::wasm_split;

/// Loads a part of the list.
///
/// # Errors
/// As every server function of the portal.
#[server(prefix = "/api/portal", endpoint = "invoices", output = Packed)]
pub async fn load_invoices(
    /// The invoice before the part, as the pager names it; empty for the newest.
    after: String,
) -> Result<InvoiceList, Refusal> {
    let (portal, viewer) = crate::viewer::signed_in()?;
    let after = match after.as_str() {
        "" => None,
        id => Some(id.parse().map_err(|_| Refusal::NotFound)?),
    };
    portal.invoices(&viewer, after).await
}

/// The page.
#[component]
pub fn InvoicesPage() -> impl IntoView {
    let query = use_query_map();
    let after = move || query.with(|query| query.get("after")).unwrap_or_default();
    let resource = load::<LoadInvoices>(move || Question::of("after", after()));
    view! { <Loaded resource=resource view=invoices_shown /> }
}

/// What it shows.
#[wasm_split(paying, fallible, preload(preload_invoices))]
pub(super) fn invoices_shown(arrived: Arrived<InvoiceList>) -> Shown {
    Ok(show(arrived.read()?))
}

fn show(list: InvoiceList) -> AnyView {
    let words = words();
    let part = |id: perennial::id::InvoiceId| format!("/portal/invoices?after={id}");
    let (previous, next) = (list.previous.map(part), list.next.map(part));
    let empty = list.rows.is_empty();
    let rows: Vec<_> = list
        .rows
        .into_iter()
        .map(|row| view! { <Row row=row /> })
        .collect();
    view! {
        <Page>
            <PageHeader title=words.shell_invoices() lead=words.invoices_lead() />
            {if empty {
                view! { <EmptyState glyph=Glyph::Document title=words.invoices_none() detail=words.invoices_none_detail() /> }.into_any()
            } else {
                view! {
                    <div class=concat!("invoices ", style_sheet!("app/src/portal/invoices.css"))>
                        // Roles are said again because `display` takes them away from a table in some browsers.
                        <table role="table">
                            <caption class="unseen">{words.shell_invoices()}</caption>
                            <thead role="rowgroup">
                                <tr role="row">
                                    <th scope="col">{words.home_date()}</th>
                                    <th scope="col">{words.home_what_for()}</th>
                                    <th scope="col">{words.home_state()}</th>
                                    <th scope="col" class="figure">{words.home_amount()}</th>
                                </tr>
                            </thead>
                            <tbody role="rowgroup">{rows}</tbody>
                        </table>
                        <Pager previous=previous next=next />
                    </div>
                }
                .into_any()
            }}
        </Page>
    }
    .into_any()
}

#[component]
fn Row(row: InvoiceRow) -> impl IntoView {
    let words = words();
    let (tone, status) = say::invoice_status(words, &row);
    let name = match &row.number {
        Some(number) => words.invoices_open(number),
        None => words.home_invoice_of(&words.date(row.date)),
    };
    let gone = row.status == perennial::invoice::InvoiceStatus::Void;
    // Where something was paid already, what is left is the amount to see.
    let partly = row.remaining != row.total && !row.remaining.is_zero();
    view! {
        <tr role="row" data-gone=gone.then_some("")>
            <td role="cell" class="when">
                <a href=format!("/portal/invoices/{}", row.id) aria-label=name><Date at=row.date short=true /></a>
            </td>
            <td role="cell" class="what">
                <span>{row.products.join(", ")}</span>
                <span class="number">{row.number.clone()}</span>
            </td>
            <td role="cell" class="state"><Badge tone=tone>{status}</Badge></td>
            <td role="cell" class="figure">
                <Amount money=row.total />
                {partly.then(|| view! { <small>{words.invoices_remaining(&words.money(row.remaining))}</small> })}
            </td>
        </tr>
    }
}
