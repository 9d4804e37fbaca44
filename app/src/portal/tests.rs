//! The pages as they are sent: rendered whole, with a portal of fixed answers behind them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail loudly"
)]

mod acts;
mod fake;
mod shown;

use crate::{App, locale::Locale, port, refusal, viewer};
use any_spawner::Executor;
use fake::Fake;
use futures::StreamExt;
use leptos::{prelude::*, reactive::computed::ScopedFuture};
use leptos_meta::ServerMetaContext;
use leptos_router::location::RequestUrl;
use std::sync::Arc;

fn visitor() -> viewer::Viewer {
    viewer::Viewer {
        merchant: perennial::id::MerchantId::from_random(1),
        livemode: true,
        customer: perennial::id::CustomerId::from_random(1),
        session: perennial::id::PortalSessionId::from_random(1),
        locale: None,
    }
}

/// What every page and server function finds in context.
fn provide(portal: &Arc<Fake>, locale: Locale) {
    let portal: Arc<dyn port::Portal> = Arc::<Fake>::clone(portal);
    provide_context(portal);
    provide_context(Some(visitor()));
    provide_context(locale.words());
    provide_context(leptos_axum::ResponseOptions::default());
    let (mut parts, ()) = http::Request::new(()).into_parts();
    let html = http::HeaderValue::from_static("text/html");
    parts.headers.insert(http::header::ACCEPT, html);
    provide_context(parts);
}

fn run<T>(work: impl Future<Output = T>) -> T {
    // A second test of the same process finds it there already.
    let _ = Executor::init_tokio();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

/// The page at `url`.
fn page(portal: Fake, locale: Locale, url: &str) -> String {
    run(async {
        let owner = Owner::new();
        let portal = Arc::new(portal);
        let stream = owner.with(|| {
            provide(&portal, locale);
            provide_context(RequestUrl::new(url));
            provide_context(ServerMetaContext::new().0);
            view! { <App /> }.to_html_stream_in_order()
        });
        stream.collect::<String>().await
    })
}

/// What a server function answers, and the address it sends the reader to.
fn ask<T, F: Future<Output = T>>(
    portal: &Arc<Fake>,
    work: impl FnOnce() -> F,
) -> (T, Option<String>) {
    run(async {
        let owner = Owner::new();
        let work = owner.with(|| {
            provide(portal, Locale::En);
            ScopedFuture::new(work())
        });
        let answer = work.await;
        let location = owner.with(|| {
            let response = expect_context::<leptos_axum::ResponseOptions>();
            let parts = response.0.read().unwrap();
            let location = parts.headers.get(http::header::LOCATION);
            location.map(|to| to.to_str().unwrap().to_owned())
        });
        (answer, location)
    })
}

/// The text of the page without its markup, one part a line; hidden spaces are gone.
fn text(html: &str) -> String {
    let main = html.split("<main").nth(1).expect("a main part");
    let main = main.split("</main>").next().unwrap();
    let mut out = String::new();
    for part in main.split('<').skip(1) {
        let text = part.split_once('>').map_or("", |(_, text)| text).trim();
        if !text.is_empty() {
            out.push_str(text);
            out.push('\n');
        }
    }
    let out = out
        .replace("&amp;", "&")
        .replace(['\u{a0}', '\u{202f}'], " ");
    out.replace("&#39;", "'").replace("&quot;", "\"")
}

#[track_caller]
fn says(html: &str, wanted: &[&str]) {
    let text = text(html);
    for wanted in wanted {
        assert!(text.contains(wanted), "`{wanted}` is not in:\n{text}");
    }
}

#[track_caller]
fn has(html: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(html.contains(wanted), "`{wanted}` is not in:\n{html}");
    }
}

#[track_caller]
fn lacks(html: &str, unwanted: &[&str]) {
    for unwanted in unwanted {
        assert!(!html.contains(unwanted), "`{unwanted}` is in:\n{html}");
    }
}
