//! Single documents by their links, without signing in: an invoice's page with a button that pays it,
//! and the PDF of an invoice or a credit note.

use app::locale::Words;
use app::port::InvoicePage;
use app::portal::invoice::InvoiceShown;
use app::portal::invoice::hosted::{Host, HostedInvoice};
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use leptos::prelude::*;
use perennial::id::PaymentIntentId;
use perennial::invoice::InvoiceStatus;
use perennial::money::Money;
use serde::Deserialize;

use super::documents::{broken, pdf_of};
use super::notice::{self, Notice};
use super::request::Setting;
use super::style::{Brand, name_of};
use super::{Web, coming_back};
use crate::document::logo::Logo;
use crate::document::{DocumentError, InvoiceDocument, credit_note_pdf, invoice_pdf};
use crate::service::links::Opened;
use crate::service::payments::PaymentResult;
use crate::service::portal::seller;

/// Merchant, mode, document and proof.
type Named = (String, String, String, String);

async fn opened(web: &Web, named: &Named, setting: &Setting) -> Result<Opened, Response> {
    let (merchant, mode, document, proof) = named;
    let found = web
        .engine
        .open_document(merchant, mode, document, proof)
        .await;
    match found {
        Ok(Some(opened)) => {
            setting.learn(Brand::of(&web.themes, &opened.merchant, None), None);
            Ok(opened)
        }
        Ok(None) => Err((StatusCode::NOT_FOUND, Notice::NotFound).into_response()),
        Err(error) => {
            tracing::error!(%error, "the document of a link can't be read");
            Err(broken())
        }
    }
}

/// `GET /i/{merchant}/{mode}/{document}/{proof}`: what an invoice asks for, and a way to pay it.
pub async fn show(
    State(web): State<Web>,
    Path(named): Path<Named>,
    came: Result<Query<Came>, QueryRejection>,
    OriginalUri(uri): OriginalUri,
    Extension(setting): Extension<Setting>,
) -> Response {
    match opened(&web, &named, &setting).await {
        Ok(opened) if opened.note.is_none() => {
            let back = came.ok().and_then(|Query(came)| came.back);
            let own = opened.invoice.payment_intent.as_ref();
            match own.filter(|own| back.as_deref() == Some(own.as_str())) {
                Some(intent) => come_back(&web, &opened, intent, &setting, uri.path()).await,
                None => page(&web, &opened, &setting, uri.path(), None),
            }
        }
        Ok(_) => (StatusCode::NOT_FOUND, Notice::NotFound).into_response(),
        Err(response) => response,
    }
}

/// What the address of a link may say beside the document.
#[derive(Deserialize)]
pub struct Came {
    /// The payment whose challenge the browser comes back from.
    back: Option<String>,
}

/// Finds out what became of a payment that was begun by the link, and shows the invoice.
async fn come_back(
    web: &Web,
    opened: &Opened,
    intent: &PaymentIntentId,
    setting: &Setting,
    path: &str,
) -> Response {
    let words = setting.locale().words();
    let said = match web.engine.finish_payment(&opened.scope, intent).await {
        Ok(PaymentResult::Paid { .. }) => return Redirect::to(path).into_response(),
        Ok(PaymentResult::Declined { .. }) => words.hosted_declined(),
        Ok(PaymentResult::RequiresAction { .. }) => words.hosted_not_confirmed(),
        Ok(PaymentResult::Unknown { .. }) => words.hosted_waiting(),
        Err(error) => {
            tracing::error!(%error, "a payment by a link could not be finished after its challenge");
            words.hosted_waiting()
        }
    };
    page(web, opened, setting, path, Some(said))
}

/// `POST /i/{merchant}/{mode}/{document}/{proof}`: pays it.
pub async fn pay(
    State(web): State<Web>,
    Path(named): Path<Named>,
    OriginalUri(uri): OriginalUri,
    Extension(setting): Extension<Setting>,
) -> Response {
    let opened = match opened(&web, &named, &setting).await {
        Ok(opened) => opened,
        Err(response) => return response,
    };
    let words = setting.locale().words();
    let said = match web.engine.pay_by_link(&opened).await {
        Ok(PaymentResult::RequiresAction {
            challenge_url,
            invoice,
            ..
        }) => {
            let mut answer = Redirect::to(&challenge_url).into_response();
            if let Some(intent) = &invoice.payment_intent {
                let https = web.config.public.is_https();
                coming_back::remember(&mut answer, intent, uri.path(), https);
            }
            return answer;
        }
        Ok(PaymentResult::Paid { .. }) => return Redirect::to(uri.path()).into_response(),
        Ok(PaymentResult::Declined { .. }) => words.hosted_declined(),
        Ok(PaymentResult::Unknown { .. }) => words.hosted_waiting(),
        // Somebody else paid it, or it has no card any more: the page says what is so now.
        Err(crate::service::Refused::State { .. }) => {
            return Redirect::to(uri.path()).into_response();
        }
        Err(error) => {
            tracing::error!(%error, "an invoice could not be paid by its link");
            return broken();
        }
    };
    page(&web, &opened, &setting, uri.path(), Some(said))
}

/// `GET /i/{merchant}/{mode}/{document}/{proof}/pdf`.
pub async fn pdf(
    State(web): State<Web>,
    Path(named): Path<Named>,
    Extension(setting): Extension<Setting>,
) -> Response {
    let opened = match opened(&web, &named, &setting).await {
        Ok(opened) => opened,
        Err(response) => return response,
    };
    let words = setting.locale().words();
    let number = match &opened.note {
        Some(note) => note.number.clone(),
        None => opened.invoice.number.clone().unwrap_or_default(),
    };
    let logo = match web.engine.logo(&opened.merchant.id).await {
        Ok(logo) => logo,
        Err(error) => {
            tracing::error!(%error, "a merchant's logo can't be loaded");
            return broken();
        }
    };
    pdf_of(&number, move || lay_out(&opened, logo.as_ref(), words)).await
}

/// The document of a link as PDF.
fn lay_out(opened: &Opened, logo: Option<&Logo>, words: Words) -> Result<Vec<u8>, DocumentError> {
    let document = InvoiceDocument {
        invoice: &opened.invoice,
        seller: &seller(&opened.merchant),
        display_name: &opened.merchant.theme.display_name,
        words,
        brand: opened.merchant.theme.brand,
        takes_back: None,
        logo,
    };
    match &opened.note {
        Some(note) => credit_note_pdf(note, &document),
        None => invoice_pdf(&document),
    }
}

/// What an invoice means for the reader.
fn says(opened: &Opened, words: Words) -> String {
    let invoice = &opened.invoice;
    let money = |minor: i64| words.money(Money::new(minor, invoice.currency));
    let rest = money(invoice.amount_remaining_minor());
    let merchant = name_of(&opened.merchant);
    match (invoice.status, invoice.due_date) {
        (InvoiceStatus::Void, _) => words.hosted_void().to_owned(),
        (InvoiceStatus::Paid, _) if invoice.amount_paid_minor > 0 => {
            words.hosted_paid(&money(invoice.amount_paid_minor))
        }
        _ if !opened.is_payable() => words.hosted_nothing().to_owned(),
        (_, Some(due)) => words.hosted_to_pay_by(&rest, &words.date(due), merchant),
        (_, None) => words.hosted_to_pay(&rest, merchant),
    }
}

fn page(
    web: &Web,
    opened: &Opened,
    setting: &Setting,
    path: &str,
    said: Option<&'static str>,
) -> Response {
    let words = setting.locale().words();
    let invoice = &opened.invoice;
    let title = words.hosted_title(invoice.number.as_deref().unwrap_or_default());
    let rest = words.money(Money::new(
        invoice.amount_remaining_minor(),
        invoice.currency,
    ));
    let pay = opened.card.as_ref();
    let pay = pay.map(|card| words.hosted_pay(&rest, &card.last4));
    let theme = &opened.merchant.theme;
    let host = Host {
        name: name_of(&opened.merchant).to_owned(),
        logo: theme.logo.clone(),
        logo_dark: theme.logo_dark.clone(),
        livemode: opened.scope.livemode,
    };
    let shown = InvoicePage {
        now: web.engine.now(),
        invoice: invoice.value.clone(),
        seller: seller(&opened.merchant),
        payment_methods: Vec::new(),
        payable: false,
        challenge: None,
        adjustments: Vec::new(),
        unpaid: None,
    };
    let shown = InvoiceShown::of(shown, words);
    let (text, file) = (says(opened, words), format!("{path}/pdf"));
    notice::whole_page(StatusCode::OK, setting.brand(), words, &title, || {
        view! { <HostedInvoice shown=shown host=host text=text said=said pay=pay file=file /> }
            .to_html()
    })
}
