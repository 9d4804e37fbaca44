//! Paying an open invoice: with what, and the amount on the button.

use crate::{
    locale::words,
    port::{InvoicePage, PaymentMethodCard},
    portal::{
        act::{Act, ActForm},
        method::{Life, Method, expiry, life, spoken},
        payment_methods::Until,
    },
    ui::{Banner, Button, ButtonKind, LinkButton, RadioRow, RadioRows, Tone},
};
use leptos::prelude::*;
use perennial::{calendar::Timestamp, money::Money};

/// The form; a link to the bank while it waits for a proof of identity, or to a card's form while there is none.
#[component]
pub fn Pay(page: InvoicePage, paying: Act) -> impl IntoView {
    let words = words();
    let id = page.invoice.id.to_string();
    if let Some(url) = page.challenge {
        return view! {
            <Banner tone=Tone::Caution title=words.invoice_challenge() detail=words.invoice_challenge_detail()>
                <LinkButton kind=ButtonKind::Primary href=url attr:rel="external">{words.invoice_challenge_go()}</LinkButton>
            </Banner>
        }
        .into_any();
    }
    let amount = words.money(Money::new(
        page.invoice.amount_remaining_minor(),
        page.invoice.currency,
    ));
    let add = format!("/portal/payment-methods/new?invoice={id}");
    let usable = |method: &&PaymentMethodCard| life(&method.method.card, page.now) != Life::Expired;
    if !page.payment_methods.iter().any(|method| usable(&method)) {
        return view! {
            <div class="pay">
                <p>{words.invoice_no_method()}</p>
                <div><LinkButton kind=ButtonKind::Primary href=add>{words.methods_add()}</LinkButton></div>
            </div>
        }
        .into_any();
    }
    view! {
        <ActForm act=paying class="pay">
            <input r#type="hidden" name="id" value=id />
            <Choice methods=page.payment_methods now=page.now />
            <div class="acts">
                <Button kind=ButtonKind::Primary submit=true busy=paying.pending()>{words.invoice_pay(&amount)}</Button>
                <LinkButton kind=ButtonKind::Text href=add>{words.invoice_other_card()}</LinkButton>
            </div>
        </ActForm>
    }
    .into_any()
}

/// One method as it is; several to choose from, the likeliest chosen.
#[component]
fn Choice(methods: Vec<PaymentMethodCard>, now: Timestamp) -> impl IntoView {
    let words = words();
    if let [only] = methods.as_slice() {
        let card = only.method.card.clone();
        return view! {
            <input r#type="hidden" name="payment_method" value=only.method.id.to_string() />
            <Method card=card.clone()><Until card=card now=now /></Method>
        }
        .into_any();
    }
    let usable = |method: &PaymentMethodCard| life(&method.method.card, now) != Life::Expired;
    let first = methods.iter().position(usable);
    let rows: Vec<_> = methods
        .into_iter()
        .enumerate()
        .map(|(place, method)| {
            let card = &method.method.card;
            let until = expiry(card);
            let (expired, detail) = match life(card, now) {
                Life::Expired => (true, words.method_expired(&until)),
                Life::Valid | Life::EndsSoon => (false, words.method_expires(&until)),
            };
            let id = method.method.id.to_string();
            view! {
                <RadioRow name="payment_method" value=id title=spoken(words, card) detail=detail checked=Some(place) == first disabled=expired>
                    {method.is_default.then(|| view! { <small class="quiet">{words.methods_default()}</small> })}
                </RadioRow>
            }
        })
        .collect();
    view! { <RadioRows legend=words.invoice_pay_with()>{rows}</RadioRows> }.into_any()
}
