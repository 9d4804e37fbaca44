//! Payment methods: which there are, which one pays, and taking one away.

use super::{
    act::{Act, ActForm, Done},
    loaded::{Arrived, Loaded, Question, Shown, load},
    method::{Life, Method, expiry, life, spoken},
    outcome::Outcome,
    refused::NotFound,
};
use crate::{
    locale::words,
    port::{BackupWish, PaymentMethodCard},
    refusal::Refusal,
    ui::{Badge, Button, ButtonKind, EmptyState, Glyph, LinkButton, Page, PageHeader, Tone},
    wire::Packed,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use perennial::{calendar::Timestamp, payment::Card};
use serde::{Deserialize, Serialize};
use stylers_macro::style_sheet;
use wasm_split_helpers::wasm_split;

const CLASS: &str = concat!(
    "payment-methods ",
    style_sheet!("app/src/portal/payment_methods.css")
);

/// Where the list stands.
const HERE: &str = "/portal/payment-methods";

/// Saved payment methods at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentMethods {
    /// The moment, which says what has expired.
    pub now: Timestamp,
    /// The default first.
    pub methods: Vec<PaymentMethodCard>,
}

/// Loads the saved payment methods.
///
/// # Errors
/// As every server function of the portal.
#[server(prefix = "/api/portal", endpoint = "payment-methods", output = Packed)]
pub async fn load_payment_methods() -> Result<PaymentMethods, Refusal> {
    let (portal, viewer) = crate::viewer::signed_in()?;
    Ok(PaymentMethods {
        now: portal.now(),
        methods: portal.payment_methods(&viewer).await?,
    })
}

/// Pays with this one from now on.
///
/// # Errors
/// As every server function of the portal.
#[server(prefix = "/api/portal", endpoint = "make-default", output = Packed)]
pub async fn make_default(
    /// Which.
    id: String,
) -> Done {
    use super::outcome::{Notice, go_on};
    let (portal, viewer) = crate::viewer::signed_in()?;
    let id = id.parse().map_err(|_| Refusal::NotFound)?;
    let notice = if portal.make_default(&viewer, &id).await? {
        Notice::DefaultCharging
    } else {
        Notice::DefaultChanged
    };
    go_on(HERE, notice);
    Ok(None)
}

/// Allows that a payment method is charged when another fails, takes that back, or tries it earlier.
///
/// # Errors
/// As every server function of the portal; [`Refusal::WrongState`] when there are as many as may be.
#[server(prefix = "/api/portal", endpoint = "back-up", output = Packed)]
pub async fn back_up(
    /// Which.
    id: String,
    /// What is wished for it.
    wish: BackupWish,
) -> Done {
    use super::outcome::{Notice, go_on};
    let (portal, viewer) = crate::viewer::signed_in()?;
    let id = id.parse().map_err(|_| Refusal::NotFound)?;
    portal.back_up(&viewer, &id, wish).await?;
    let notice = match wish {
        BackupWish::Allow => Notice::BackupAllowed,
        BackupWish::Withdraw => Notice::BackupWithdrawn,
        BackupWish::Earlier => Notice::BackupMoved,
    };
    go_on(HERE, notice);
    Ok(None)
}

/// Forgets a payment method.
///
/// # Errors
/// As every server function of the portal; [`Refusal::LastPaymentMethod`] while a subscription needs it.
#[server(prefix = "/api/portal", endpoint = "remove-payment-method", output = Packed)]
pub async fn remove_payment_method(
    /// Which.
    id: String,
) -> Done {
    use super::outcome::{Notice, go_on};
    let (portal, viewer) = crate::viewer::signed_in()?;
    let id = id.parse().map_err(|_| Refusal::NotFound)?;
    portal.remove_payment_method(&viewer, &id).await?;
    go_on(HERE, Notice::CardRemoved);
    Ok(None)
}

/// What can be done in the list.
#[derive(Clone, Copy)]
pub(super) struct Acts {
    /// Pays with one from now on.
    making: Act,
    /// Says whether one may be tried when another fails.
    backing: Act,
}

/// The list.
#[component]
pub fn PaymentMethodsPage() -> impl IntoView {
    let acts = Acts {
        making: Act::of::<MakeDefault>(),
        backing: Act::of::<BackUp>(),
    };
    let resource =
        load::<LoadPaymentMethods>(move || Question::plain().after(&[acts.making, acts.backing]));
    view! { <Loaded resource=resource view=move |page| payment_methods_shown(page, acts) /> }
}

/// What it shows.
#[wasm_split(paying, fallible, preload(preload_payment_methods))]
pub(super) fn payment_methods_shown(arrived: Arrived<PaymentMethods>, acts: Acts) -> Shown {
    let page = arrived.read()?;
    Ok(view! { <List page=page acts=acts /> }.into_any())
}

#[component]
fn List(page: PaymentMethods, acts: Acts) -> impl IntoView {
    let words = words();
    let PaymentMethods { now, methods } = page;
    let add = move || view! { <LinkButton kind=ButtonKind::Primary href="/portal/payment-methods/new">{words.methods_add()}</LinkButton> };
    let empty = methods.is_empty();
    let chosen = methods.iter().filter(|own| own.backup.is_some()).count();
    let (several, more) = (chosen > 1, methods.len() > 1);
    let rows: Vec<_> = methods
        .into_iter()
        .map(|method| view! { <Row method=method several=several now=now acts=acts /> })
        .collect();
    let (making, backing) = (acts.making.refusal(), acts.backing.refusal());
    let refusal = Signal::derive(move || making.get().or_else(|| backing.get()));
    view! {
        <Page>
            <PageHeader title=words.methods_title() lead=words.methods_lead() />
            <Outcome refusal=refusal />
            <div class=CLASS>
                {if empty {
                    view! {
                        <EmptyState glyph=Glyph::Card title=words.methods_none() detail=words.methods_none_detail()>{add()}</EmptyState>
                    }
                    .into_any()
                } else {
                    view! {
                        <ul role="list">{rows}</ul>
                        {more.then(|| view! { <p class="backups">{words.methods_backup_lead()}</p> })}
                        <div>{add()}</div>
                    }
                    .into_any()
                }}
            </div>
        </Page>
    }
}

#[component]
fn Row(method: PaymentMethodCard, several: bool, now: Timestamp, acts: Acts) -> impl IntoView {
    let words = words();
    let (id, card) = (method.method.id.to_string(), method.method.card.clone());
    let name = spoken(words, &card);
    let usable = life(&card, now) != Life::Expired;
    let (to_default, to_remove) = (
        words.methods_make_default_of(&name),
        words.methods_remove_of(&name),
    );
    let remove = format!("{HERE}/{id}/remove");
    let state = match method.backup {
        _ if method.is_default => Some((Tone::Positive, words.methods_default().to_owned())),
        Some(place) if several => {
            let place = words.integer(u64::from(place));
            Some((Tone::Neutral, words.methods_backup_place(&place)))
        }
        Some(_) => Some((Tone::Neutral, words.methods_backup().to_owned())),
        None => None,
    };
    // The default is tried first in any case.
    let place = method.backup.filter(|_| !method.is_default);
    let wishes = if method.is_default {
        Vec::new()
    } else {
        let earlier = place.is_some_and(|place| place > 1).then(|| {
            let spoken = words.methods_backup_earlier_of(&name);
            ("earlier", words.methods_backup_earlier(), spoken)
        });
        let change = match place {
            Some(_) => Some((
                "withdraw",
                words.methods_backup_withdraw(),
                words.methods_backup_withdraw_of(&name),
            )),
            None => usable.then(|| {
                (
                    "allow",
                    words.methods_backup_allow(),
                    words.methods_backup_allow_of(&name),
                )
            }),
        };
        [earlier, change].into_iter().flatten().collect()
    };
    let making = acts.making;
    let own = id.clone();
    let wishes: Vec<_> = wishes
        .into_iter()
        .map(|(wish, text, spoken)| {
            let id = own.clone();
            view! {
                <ActForm act=acts.backing>
                    <input r#type="hidden" name="id" value=id />
                    <input r#type="hidden" name="wish" value=wish />
                    <Button kind=ButtonKind::Text submit=true busy=acts.backing.pending() attr:aria-label=spoken>{text}</Button>
                </ActForm>
            }
        })
        .collect();
    view! {
        <li>
            <Method card=card.clone()><Until card=card now=now /></Method>
            {state.map(|(tone, text)| view! { <Badge tone=tone>{text}</Badge> })}
            <span class="acts">
                {(!method.is_default && usable).then(|| view! {
                    <ActForm act=making>
                        <input r#type="hidden" name="id" value=id />
                        <Button kind=ButtonKind::Text submit=true busy=making.pending() attr:aria-label=to_default>{words.methods_make_default()}</Button>
                    </ActForm>
                })}
                {wishes}
                {method.removable.then(|| view! {
                    <LinkButton kind=ButtonKind::Text href=remove attr:aria-label=to_remove>{words.methods_remove()}</LinkButton>
                })}
            </span>
            {(!method.removable).then(|| view! { <p class="needed">{words.methods_needed()}</p> })}
        </li>
    }
}

/// Until when a card can be used, in words that say whether something has to be done.
#[component]
pub fn Until(
    /// The card.
    card: Card,
    /// The moment it is asked.
    now: Timestamp,
) -> impl IntoView {
    let words = words();
    let until = expiry(&card);
    match life(&card, now) {
        Life::Valid => view! { <span>{words.method_expires(&until)}</span> }.into_any(),
        Life::EndsSoon => {
            view! { <Badge tone=Tone::Caution>{words.method_expires_soon(&until)}</Badge> }
                .into_any()
        }
        Life::Expired => {
            view! { <Badge tone=Tone::Danger>{words.method_expired(&until)}</Badge> }.into_any()
        }
    }
}

/// Asks before a payment method is forgotten.
#[component]
pub fn RemovePaymentMethodPage() -> impl IntoView {
    let removing = Act::of::<RemovePaymentMethod>();
    let params = use_params_map();
    let resource = load::<LoadPaymentMethods>(Question::plain);
    let id = move || {
        params
            .with_untracked(|params| params.get("id"))
            .unwrap_or_default()
    };
    view! { <Loaded resource=resource view=move |page| remove_shown(page, id(), removing) /> }
}

/// What it shows.
#[wasm_split(paying, fallible, preload(preload_remove))]
pub(super) fn remove_shown(arrived: Arrived<PaymentMethods>, id: String, removing: Act) -> Shown {
    let page = arrived.read()?;
    let found = page
        .methods
        .into_iter()
        .find(|method| method.method.id.as_str() == id);
    Ok(match found {
        Some(method) => {
            view! { <Remove method=method now=page.now removing=removing /> }.into_any()
        }
        None => view! { <NotFound /> }.into_any(),
    })
}

#[component]
fn Remove(method: PaymentMethodCard, now: Timestamp, removing: Act) -> impl IntoView {
    let words = words();
    let card = method.method.card.clone();
    let above = (HERE.to_owned(), words.methods_title().to_owned());
    view! {
        <Page>
            <PageHeader title=words.methods_remove_title() lead=words.methods_remove_lead() above=above />
            <Outcome refusal=removing.refusal() />
            <div class=CLASS>
                <Method card=card.clone()><Until card=card now=now /></Method>
                <ActForm act=removing class="acts">
                    <input r#type="hidden" name="id" value=method.method.id.to_string() />
                    <LinkButton href=HERE>{words.methods_keep()}</LinkButton>
                    <Button kind=ButtonKind::Danger submit=true busy=removing.pending()>{words.methods_remove()}</Button>
                </ActForm>
            </div>
        </Page>
    }
}
