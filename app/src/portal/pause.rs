//! Standing still and going on: what happens and what it costs is said before.

use super::{
    act::{Act, ActForm, Done},
    change::{ResumeCode, subscription_of_path},
    loaded::{Arrived, Loaded, Question, Shown, load},
    method::Method,
    outcome::Outcome,
    say,
};
use crate::{
    locale::words,
    port::{PausePage, ResumePage},
    refusal::Refusal,
    ui::{
        Amount, Button, ButtonKind, Fact, Facts, LinkButton, Page, PageHeader, RadioRow, RadioRows,
    },
    wire::Packed,
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use perennial::id::SubscriptionId;
use stylers_macro::style_sheet;
use wasm_split_helpers::wasm_split;

#[cfg(feature = "ssr")]
use super::change::read_code;

const CLASS: &str = concat!("pause ", style_sheet!("app/src/portal/pause.css"));

/// Loads what a pause would mean.
///
/// # Errors
/// When the merchant's rules don't allow it now.
#[server(prefix = "/api/portal", endpoint = "pause-page", output = Packed)]
pub async fn load_pause(
    /// Of which subscription.
    subscription: SubscriptionId,
) -> Result<PausePage, Refusal> {
    let (portal, viewer) = crate::viewer::signed_in()?;
    portal.pause_page(&viewer, &subscription).await
}

/// Loads what going on would cost.
///
/// # Errors
/// When it is not paused, or the merchant's rules don't allow it.
#[server(prefix = "/api/portal", endpoint = "resume-page", output = Packed)]
pub async fn load_resume(
    /// Of which subscription.
    subscription: SubscriptionId,
    /// A promotion code, as typed.
    #[server(default)]
    code: String,
) -> Result<ResumePage, Refusal> {
    let (portal, viewer) = crate::viewer::signed_in()?;
    let code = read_code(code);
    portal.resume_page(&viewer, &subscription, code).await
}

/// Lets a subscription stand still.
///
/// # Errors
/// When it can't (any more).
#[server(prefix = "/api/portal", endpoint = "pause", output = Packed)]
pub async fn pause(
    /// Which subscription.
    subscription: SubscriptionId,
    /// Which of the ends that were offered.
    #[server(default)]
    until: u32,
) -> Done {
    use super::outcome::{Notice, go_on};
    let (portal, viewer) = crate::viewer::signed_in()?;
    portal.pause(&viewer, &subscription, until).await?;
    go_on("/portal", Notice::Paused);
    Ok(None)
}

/// Lets a subscription go on at the amount that was shown.
///
/// # Errors
/// [`Refusal::Stale`] when it would cost something else by now; nothing is changed then.
#[server(prefix = "/api/portal", endpoint = "resume", output = Packed)]
pub async fn resume(
    /// Which subscription.
    subscription: SubscriptionId,
    /// The amount that was shown, in minor units.
    due_minor: i64,
    /// The promotion code that it was shown with, as typed.
    #[server(default)]
    code: String,
) -> Done {
    use super::outcome::{Notice, go_on, leave};
    use crate::port::Settled;
    let (portal, viewer) = crate::viewer::signed_in()?;
    let code = read_code(code);
    let resumed = portal.resume(&viewer, &subscription, due_minor, code);
    match resumed.await? {
        Settled::Done { .. } | Settled::Scheduled { .. } => go_on("/portal", Notice::Resumed),
        Settled::Unpaid { invoice, .. } => go_on(
            &format!("/portal/invoices/{invoice}"),
            Notice::ResumedUnpaid,
        ),
        Settled::Processing { invoice } => go_on(
            &format!("/portal/invoices/{invoice}"),
            Notice::PaymentProcessing,
        ),
        Settled::Challenge { url } => {
            leave(&url);
            return Ok(Some(url));
        }
    }
    Ok(None)
}

/// Before a pause.
#[component]
pub fn PauseView() -> impl IntoView {
    let page = load::<LoadPause>(subscription_of_path());
    view! { <Loaded resource=page view=pause_shown /> }
}

/// What it shows.
#[wasm_split(changing, fallible, preload(preload_pause))]
pub(super) fn pause_shown(arrived: Arrived<PausePage>) -> Shown {
    let page = arrived.read()?;
    Ok(view! { <Standstill page=page /> }.into_any())
}

#[component]
fn Standstill(page: PausePage) -> impl IntoView {
    let words = words();
    let pausing = Act::of::<Pause>();
    let name = say::items(words, &page.subscription.items);
    let single = page.options.len() == 1;
    let credit = page.credit.map(|credit| {
        view! { <Fact name=words.home_credit()>{words.pause_credit(&words.money(credit))}</Fact> }
    });
    let then = page
        .options
        .iter()
        .any(|option| option.resumes_at.is_some())
        .then(|| {
            let rhythm = page.subscription.cadence.map(|every| words.every(every));
            let text = words.pause_then(
                &words.money(page.subscription.recurring),
                &rhythm.unwrap_or_default(),
            );
            view! { <Fact name=words.pause_after()>{text}</Fact> }
        });
    let rows: Vec<_> = page
        .options
        .iter()
        .enumerate()
        .map(|(at, option)| {
            let title = match option.resumes_at {
                Some(end) => words.pause_until(&words.date(end)),
                None => words.pause_until_resumed().to_owned(),
            };
            view! { <RadioRow name="until" value=option.place.to_string() title=title checked=at == 0 /> }
        })
        .collect();
    let id = page.subscription.id.to_string();
    view! {
        <Page>
            <PageHeader title=words.home_pause() lead=words.pause_lead(&name) above=("/portal".to_owned(), words.shell_home().to_owned()) />
            <Outcome refusal=pausing.refusal() />
            <Facts>
                <Fact name=words.cancel_payments()>{words.pause_nothing()}</Fact>
                {credit}
                {then}
            </Facts>
            <ActForm act=pausing class=CLASS>
                <input r#type="hidden" name="subscription" value=id />
                <RadioRows legend=words.pause_how_long() quiet_legend=single>{rows}</RadioRows>
                <div class="acts">
                    <Button kind=ButtonKind::Primary submit=true busy=pausing.pending()>{words.pause_confirm()}</Button>
                    <LinkButton href="/portal" kind=ButtonKind::Text>{words.action_cancel()}</LinkButton>
                </div>
            </ActForm>
        </Page>
    }
}

/// Before going on.
#[component]
pub fn ResumeView() -> impl IntoView {
    let query = use_query_map();
    let params = use_params_map();
    let page = load::<LoadResume>(move || {
        let id = params.with(|params| params.get("id")).unwrap_or_default();
        let code = query.with(|query| query.get("code")).unwrap_or_default();
        Question::new(vec![("subscription", id), ("code", code)])
    });
    let times = StoredValue::new(0_usize);
    let shown = move |page| {
        times.update_value(|times| *times += 1);
        resume_shown(page, times.get_value())
    };
    view! { <Loaded resource=page view=shown /> }
}

/// What it shows; `times` says how often it has been shown.
#[wasm_split(changing, fallible, preload(preload_resume))]
pub(super) fn resume_shown(arrived: Arrived<ResumePage>, times: usize) -> Shown {
    let page = arrived.read()?;
    let page = view! { <GoingOn page=page again={times > 1} /> };
    // A view of another type is made anew (see the change page).
    Ok(if times % 2 == 1 {
        page.into_any()
    } else {
        (page,).into_any()
    })
}

#[component]
fn GoingOn(page: ResumePage, again: bool) -> impl IntoView {
    let words = words();
    let resuming = Act::of::<Resume>();
    let name = say::items(words, &page.subscription.items);
    let pays = page.due.minor > 0;
    let amount = words.money(page.due);
    let (lead, label) = if pays {
        (
            words.pause_lead_paying(&amount, &name),
            words.pause_resume_paying(&amount),
        )
    } else {
        (
            words.pause_lead_free(&name),
            words.pause_resume_free().to_owned(),
        )
    };
    let method = page.subscription.payment_method.clone();
    let unpayable = pays && method.is_none();
    let paid_with = method.filter(|_| pays).map(|saved| {
        view! { <Fact name=words.home_paid_with()><Method card=saved.method.card /></Fact> }
    });
    let rhythm = page.subscription.cadence.map(|every| words.every(every));
    let id = page.subscription.id.to_string();
    let path = format!("/portal/subscriptions/{id}/resume");
    let (entered, refusal) = (page.code, resuming.refusal());
    let codes = page
        .codes
        .then(|| view! { <ResumeCode entered=entered path=path refusal=refusal again=again /> });
    view! {
        <Page>
            <PageHeader title=words.home_resume() lead=lead above=("/portal".to_owned(), words.shell_home().to_owned()) />
            <Outcome refusal=resuming.refusal() />
            <Facts>
                <Fact name=words.change_due_today()><Amount money=page.due /></Fact>
                <Fact name=words.change_after_that()><Amount money=page.subscription.recurring nostrip:rhythm=rhythm /></Fact>
                {paid_with}
            </Facts>
            {if unpayable {
                view! {
                    <div class=CLASS>
                        <p>{words.invoice_no_method()}</p>
                        <div class="acts"><LinkButton href="/portal/payment-methods/new" kind=ButtonKind::Primary>{words.attention_add_card()}</LinkButton></div>
                    </div>
                }.into_any()
            } else {
                view! {
                    <ActForm act=resuming class=CLASS>
                        <input r#type="hidden" name="subscription" value=id />
                        <input r#type="hidden" name="due_minor" value=page.due.minor.to_string() />
                        {codes}
                        <div class="acts">
                            <Button kind=ButtonKind::Primary submit=true busy=resuming.pending()>{label}</Button>
                            <LinkButton href="/portal" kind=ButtonKind::Text>{words.action_cancel()}</LinkButton>
                        </div>
                    </ActForm>
                }.into_any()
            }}
        </Page>
    }
}
