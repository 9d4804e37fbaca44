//! An invoice by its own link, without signing in: the merchant, where it stands, one button, and the paper.

use super::{CLASS, InvoiceShown, document::Document, standing, title};
use crate::{
    locale::words,
    ui::{
        Amount, Badge, Banner, Button, ButtonKind, Figure, Glyph, Icon, LinkButton, Page,
        PageHeader, Tone,
    },
};
use leptos::prelude::*;
use perennial::{invoice::InvoiceStatus, money::Money};
use stylers_macro::style_sheet;

/// Whose page it is.
#[derive(Clone, Debug)]
pub struct Host {
    /// What customers know the merchant as.
    pub name: String,
    /// The logo on light ground.
    pub logo: Option<String>,
    /// The logo on dark ground.
    pub logo_dark: Option<String>,
    /// Whether real money moves.
    pub livemode: bool,
}

/// The page.
#[component]
pub fn HostedInvoice(
    /// The invoice.
    shown: InvoiceShown,
    /// Whose page it is.
    host: Host,
    /// What it asks for, in one sentence.
    text: String,
    /// What came of trying to pay it.
    said: Option<&'static str>,
    /// The words on the button that pays it, where it can be paid.
    pay: Option<String>,
    /// Where the document is.
    file: String,
) -> impl IntoView {
    let words = words();
    let invoice = &shown.page.invoice;
    let minor = match invoice.status {
        InvoiceStatus::Open | InvoiceStatus::Uncollectible => invoice.amount_remaining_minor(),
        _ => invoice.totals.total_minor,
    };
    let amount = Money::new(minor, invoice.currency);
    let (tone, stands) = standing(words, &shown.page);
    let title = title(words, invoice.number.as_deref());
    let kind = match pay {
        Some(_) => ButtonKind::Text,
        None => ButtonKind::Secondary,
    };
    let pay = pay.map(|text| {
        view! {
            <form method="post"><Button kind=ButtonKind::Primary submit=true>{text}</Button></form>
        }
    });
    let ask = shown.page.seller.email.clone();
    view! {
        <div class=concat!("hosted ", style_sheet!("app/src/portal/invoice/hosted.css"))>
            <header>
                <div class="mark"><Mark host=host.clone() /></div>
                {(!host.livemode).then(|| view! { <p class="test">{words.shell_test_mode()}</p> })}
            </header>
            <main id="content">
                <Page>
                    <div class=CLASS>
                        <div class="about" data-print="no">
                            <PageHeader title=title lead=text />
                            {said.map(|said| view! { <Banner tone=Tone::Caution title=said /> })}
                            <div class="stand">
                                <p><Amount money=amount figure=Figure::Hero /></p>
                                <Badge tone=tone>{stands}</Badge>
                            </div>
                            <div class="acts">
                                {pay}
                                <LinkButton kind=kind href=file><Icon glyph=Glyph::Download />{words.hosted_download()}</LinkButton>
                            </div>
                            {ask.map(|email| view! { <p class="ask">{words.letter_write_us(&email)}</p> })}
                        </div>
                        <Document shown=shown />
                    </div>
                </Page>
            </main>
        </div>
    }
}

/// The merchant's logo, or its name.
#[component]
fn Mark(host: Host) -> impl IntoView {
    match host.logo {
        Some(logo) => view! {
            <picture>
                {host.logo_dark.map(|dark| view! { <source srcset=dark media="(prefers-color-scheme: dark)" /> })}
                <img src=logo alt=host.name height="32" />
            </picture>
        }
        .into_any(),
        None => view! { <span>{host.name}</span> }.into_any(),
    }
}
