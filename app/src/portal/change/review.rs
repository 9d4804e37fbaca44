//! The quote that binds, and its confirmation. What stands here is what is charged.

use super::{
    LoadQuote,
    code::gives,
    terms::{TermsSummary, Why, consequence},
};
use crate::{
    locale::words,
    port::{ChangePage, ItemRow, QuotePage},
    portal::{
        act::{Act, ActForm, Done},
        loaded::{Arrived, Loaded, Question, Shown, load},
        method::Method,
        outcome::Outcome,
        say,
    },
    ui::{
        Amount, Banner, Button, ButtonKind, Fact, Facts, LinkButton, Page, PageHeader, Section,
        Summary, Tone,
    },
    wire::Packed,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use perennial::{calendar::Cadence, id::QuoteId, money::Money};
use wasm_split_helpers::wasm_split;

/// Makes the change at exactly the quoted price.
///
/// Answers with the bank's page where the customer has to prove who they are.
///
/// # Errors
/// [`crate::refusal::Refusal::Stale`] when it would cost something else by now; nothing is changed then.
#[server(prefix = "/api/portal", endpoint = "confirm", output = Packed)]
pub async fn confirm(
    /// Which quote.
    quote: QuoteId,
    /// Whether nothing changes but a promotion code: then the notice says so.
    #[server(default)]
    only_code: bool,
) -> Done {
    use crate::{
        port::Settled,
        portal::outcome::{Notice, go_on, leave},
    };
    let (portal, viewer) = crate::viewer::signed_in()?;
    match portal.confirm(&viewer, &quote).await? {
        Settled::Done { .. } if only_code => go_on("/portal", Notice::CodeUsed),
        Settled::Done { .. } => go_on("/portal", Notice::PlanChanged),
        Settled::Scheduled { .. } => go_on("/portal", Notice::ChangePlanned),
        Settled::Unpaid { invoice, .. } => {
            go_on(&format!("/portal/invoices/{invoice}"), Notice::ChangeUnpaid)
        }
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

/// The quote.
#[component]
pub fn Review() -> impl IntoView {
    let params = use_params_map();
    let page = load::<LoadQuote>(move || {
        let part = |name| params.with(|params| params.get(name)).unwrap_or_default();
        Question::new(vec![("subscription", part("id")), ("quote", part("quote"))])
    });
    view! { <Loaded resource=page view=quote_shown /> }
}

/// What it shows.
#[wasm_split(changing, fallible, preload(preload_quote))]
pub(in crate::portal) fn quote_shown(arrived: Arrived<(QuotePage, ChangePage)>) -> Shown {
    let (page, from) = arrived.read()?;
    Ok(view! { <Quoted page=page from=from /> }.into_any())
}

#[component]
fn Quoted(page: QuotePage, from: ChangePage) -> impl IntoView {
    let words = words();
    let QuotePage {
        now,
        quote,
        before,
        after,
        payment_method,
        terms_of_service_url,
    } = page;
    let every = after
        .iter()
        .find_map(|row| row.cadence)
        .unwrap_or(Cadence::MONTHLY);
    let confirming = Act::of::<Confirm>();
    let back = format!("/portal/subscriptions/{}/change", quote.subscription);
    let only_code = quote.changes.is_empty();
    let gift = quote.promotion.as_ref().map(|own| gives(words, own));
    let lead = match &gift {
        Some(gift) if only_code => gift.clone(),
        _ => consequence(words, &quote.terms, every, now),
    };
    let due = Money::new(quote.terms.due_now_minor, quote.terms.currency);
    let label = if due.minor > 0 {
        words.change_confirm_paying(&words.money(due))
    } else if only_code {
        words.change_code_use().to_owned()
    } else if quote.terms.scheduled {
        words.change_confirm_later(&words.date_near(quote.terms.effective_at, now))
    } else {
        words.change_confirm().to_owned()
    };
    let gone = quote.expires_at <= now;
    let pays = payment_method.filter(|_| due.minor > 0).map(|saved| {
        view! { <Facts><Fact name=words.home_paid_with()><Method card=saved.method.card /></Fact></Facts> }
    });
    let why = (!quote.terms.lines.is_empty()).then(|| {
        let (terms, subscription) = (quote.terms.clone(), from.subscription);
        view! { <Section title=words.change_why()><Why terms=terms subscription=subscription /></Section> }
    });
    let consent = terms_of_service_url.map(|href| view! { <p class="quiet"><a href=href target="_blank" rel="noopener">{words.shell_terms()}</a></p> });
    let minutes = quote.expires_at.0.saturating_sub(now.0) / 60;
    let holds = words.change_holds_minutes(u64::try_from(minutes).unwrap_or_default().max(1));
    let until = words.exactly(quote.expires_at);
    let id = quote.id.to_string();
    view! {
        <Page>
            <PageHeader title=words.change_review_title() lead=lead above=(back.clone(), words.home_change().to_owned()) />
            <Outcome refusal=confirming.refusal() />
            {(!only_code).then(|| view! {
                <Facts>
                    <Fact name=words.change_before()>{rows(&before)}</Fact>
                    <Fact name=words.change_after()>{rows(&after)}</Fact>
                </Facts>
            })}
            {why}
            {if gone {
                view! {
                    <Banner tone=Tone::Caution title=words.change_expired() detail=words.change_expired_detail()>
                        <LinkButton href=back kind=ButtonKind::Primary>{words.change_again()}</LinkButton>
                    </Banner>
                }.into_any()
            } else {
                view! {
                    <ActForm act=confirming>
                        <input r#type="hidden" name="quote" value=id />
                        {only_code.then(|| view! { <input r#type="hidden" name="only_code" value="true" /> })}
                        <Summary>
                            <TermsSummary terms=quote.terms every=every now=now nostrip:gift=gift />
                            {pays}
                            <div class="acts">
                                <Button kind=ButtonKind::Primary submit=true busy=confirming.pending()>{label}</Button>
                                <LinkButton href=back kind=ButtonKind::Text>{words.action_cancel()}</LinkButton>
                            </div>
                            <p class="quiet"><small title=until>{holds}</small></p>
                            {consent}
                        </Summary>
                    </ActForm>
                }.into_any()
            }}
        </Page>
    }
}

/// Items, a line each, with what each costs.
fn rows(rows: &[ItemRow]) -> impl IntoView + use<> {
    let words = words();
    rows.iter()
        .map(|row| {
            let rhythm = row.cadence.map(|cadence| words.every(cadence));
            let price = match row.amount {
                Some(amount) => view! { <Amount money=amount nostrip:rhythm=rhythm /> }.into_any(),
                None => view! { <span class="quiet">{words.home_by_usage()}</span> }.into_any(),
            };
            view! { <div>{say::item(words, row)}" · "{price}</div> }
        })
        .collect::<Vec<_>>()
}
