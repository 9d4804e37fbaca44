//! What surrounds every page: the merchant's mark, the sections, the language, the way back.

use super::{
    act::{Act, ActForm, Done},
    loaded::Loading,
};
use crate::{
    app::{change_language, use_locale},
    locale::{Locale, words},
    port::Frame,
    refusal::Refusal,
    ui::{Glyph, Icon, Merchant},
    wire::Packed,
};
use leptos::{html, prelude::*, wasm_bindgen::JsCast, web_sys::HtmlElement};
use leptos_router::hooks::use_location;
use stylers_macro::style_sheet;

const CLASS: &str = concat!("frame ", style_sheet!("app/src/portal/frame.css"));

/// Loads what surrounds every page.
///
/// # Errors
/// As every server function of the portal.
#[server(prefix = "/api/portal", endpoint = "frame", output = Packed)]
pub async fn load_frame() -> Result<Frame, Refusal> {
    let (portal, viewer) = crate::viewer::signed_in()?;
    portal.frame(&viewer).await
}

/// Remembers the customer's language.
///
/// # Errors
/// As every server function of the portal.
#[server(prefix = "/api/portal", endpoint = "choose-language", output = Packed)]
pub async fn choose_language(
    /// The language's tag.
    tag: String,
) -> Done {
    let (portal, viewer) = crate::viewer::signed_in()?;
    portal.choose_language(&viewer, tag).await?;
    Ok(None)
}

/// Ends the session, and shows that it ended.
///
/// # Errors
/// As every server function of the portal.
#[server(prefix = "/api/portal", endpoint = "sign-out", output = Packed)]
pub async fn sign_out() -> Done {
    let (portal, viewer) = crate::viewer::signed_in()?;
    portal.sign_out(&viewer).await?;
    leptos_axum::redirect("/portal/signed-out");
    Ok(None)
}

/// The rail (from 900 px) or the bar (on phones), the page in the middle, and the foot.
#[component]
pub fn Surroundings(
    /// What the merchant and the customer are.
    frame: Loading<Frame>,
    /// The page.
    children: Children,
) -> impl IntoView {
    let words = words();
    let waiting = || view! { <div class="mark"></div> };
    view! {
        <div class=CLASS>
            // Left to the browser: only it moves the focus along.
            <a class="skip" href="#content" rel="external">{words.shell_skip()}</a>
            <header>
                <Suspense fallback=waiting>
                    {move || Suspend::new(async move { frame.arrived().await.ok().map(|frame| view! { <Head frame=frame /> }) })}
                </Suspense>
            </header>
            <main id="content" tabindex="-1">{children()}</main>
            <footer>
                <Suspense fallback=|| ()>
                    {move || Suspend::new(async move { view! { <Foot frame=frame.arrived().await.ok() /> } })}
                </Suspense>
            </footer>
        </div>
    }
}

/// The merchant, the customer, and the sections.
#[component]
fn Head(frame: Frame) -> impl IntoView {
    let words = words();
    if let Some(merchant) = use_context::<Merchant>() {
        merchant.0.set(frame.merchant_name.clone());
    }
    let sections = frame.sections;
    let links = [
        (true, "/portal", words.shell_home(), Glyph::Home),
        (
            sections.invoices,
            "/portal/invoices",
            words.shell_invoices(),
            Glyph::Document,
        ),
        (
            sections.payment_methods,
            "/portal/payment-methods",
            words.shell_payment_methods(),
            Glyph::Card,
        ),
        (
            sections.details,
            "/portal/details",
            words.shell_details(),
            Glyph::Person,
        ),
        (true, "/portal/mail", words.shell_mail(), Glyph::Mail),
    ];
    let path = use_location().pathname;
    let out = move || is_signed_out(&path.get());
    let strip = NodeRef::<html::Nav>::new();
    Effect::new(move |_| {
        path.track();
        if let Some(strip) = strip.get() {
            // Once the links have heard where the reader is.
            request_animation_frame(move || show_section(&strip));
        }
    });
    let here = move |href: &'static str| {
        let path = path.get();
        let path = path.trim_end_matches('/');
        let within = path
            .strip_prefix(href)
            .is_some_and(|rest| rest.is_empty() || (rest.starts_with('/') && href != "/portal"));
        let of_home = href == "/portal" && path.starts_with("/portal/subscriptions");
        if path == href {
            Some("page")
        } else {
            (within || of_home).then_some("true")
        }
    };
    let links: Vec<_> = links
        .into_iter()
        .filter(|(shown, ..)| *shown)
        .map(|(_, href, name, glyph)| {
            view! { <li><a href=href aria-current=move || here(href)><Icon glyph=glyph /><span>{name}</span></a></li> }
        })
        .collect();
    let name = frame.merchant_name.clone();
    let mark = match frame.logo.clone() {
        Some(logo) => view! {
            <picture>
                {frame.logo_dark.clone().map(|dark| view! { <source srcset=dark media="(prefers-color-scheme: dark)" /> })}
                <img src=logo alt=name height="32" />
            </picture>
        }
        .into_any(),
        None => view! { <span class="name">{name}</span> }.into_any(),
    };
    view! {
        <div class="mark">
            <a class="brand" href="/portal">{mark}</a>
            <bdi class="who" hidden=out>{frame.customer_name.clone()}</bdi>
        </div>
        {(!frame.livemode).then(|| view! { <p class="test">{words.shell_test_mode()}</p> })}
        {frame.simulated.map(|at| view! { <p class="test">{words.shell_simulated(&words.date(at))}</p> })}
        <nav aria-label=words.shell_sections() node_ref=strip hidden=out>
            <ul role="list">{links}</ul>
        </nav>
    }
}

/// Whether the page says that the visit is over: the merchant stays, what belonged to the customer goes.
fn is_signed_out(path: &str) -> bool {
    path.trim_end_matches('/') == "/portal/signed-out"
}

/// Brings the section where the reader is into the middle of the strip, where that is longer than the window is wide.
fn show_section(strip: &HtmlElement) {
    let here = strip.query_selector("[aria-current]").ok().flatten();
    if let Some(link) = here.and_then(|link| link.dyn_into::<HtmlElement>().ok()) {
        strip
            .set_scroll_left(link.offset_left() - (strip.client_width() - link.offset_width()) / 2);
    }
}

/// The way back, the language, signing out, and the merchant's terms.
#[component]
fn Foot(frame: Option<Frame>) -> impl IntoView {
    let words = words();
    let back = frame.as_ref().and_then(|frame| {
        let href = frame.return_url.clone()?;
        let text = words.shell_back(&frame.merchant_name);
        Some(view! { <a class="back" href=href rel="external"><Icon glyph=Glyph::ArrowBack /><span>{text}</span></a> })
    });
    let legal = frame.as_ref().map(|frame| {
        let links = [
            (frame.privacy_policy_url.clone(), words.shell_privacy()),
            (frame.terms_of_service_url.clone(), words.shell_terms()),
        ];
        links
            .into_iter()
            .filter_map(|(href, name)| {
                Some(view! { <a href=href? target="_blank" rel="noopener">{name}</a> })
            })
            .collect::<Vec<_>>()
    });
    let signing_out = Act::of::<SignOut>();
    let (path, known) = (use_location().pathname, frame.is_some());
    view! {
        {back}
        <LanguageChoice />
        <div class="small">
            {legal}
            {move || (known && !is_signed_out(&path.get())).then(|| view! {
                <ActForm act=signing_out>
                    <button r#type="submit">{words.shell_sign_out()}</button>
                </ActForm>
            })}
        </div>
    }
}

/// A list of languages that takes effect at once; without scripts, a button sends it.
#[component]
fn LanguageChoice() -> impl IntoView {
    let words = words();
    let choosing = Act::of::<ChooseLanguage>();
    let locale = use_locale();
    let options: Vec<_> = Locale::offered()
        .map(|choice| {
            view! { <option value=choice.tag() lang=choice.tag() selected=choice == words.locale()>{choice.name()}</option> }
        })
        .collect();
    view! {
        <ActForm act=choosing class="language">
            <label class="unseen" r#for="language">{words.shell_language()}</label>
            <Icon glyph=Glyph::Globe />
            <select
                id="language"
                name="tag"
                on:change:target=move |event| {
                    let tag = event.target().value();
                    if let (Some(locale), Some(chosen)) = (locale, Locale::from_tag(&tag)) {
                        choosing.send(format!("tag={}", chosen.tag()));
                        change_language(locale, chosen);
                    }
                }
            >
                {options}
            </select>
            <button r#type="submit" class="without-scripts">{words.shell_change_language()}</button>
        </ActForm>
    }
}
