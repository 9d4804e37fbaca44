//! Changing a plan: first the choice, with what it would cost as one chooses; then the quote that binds.
//!
//! The browser computes the preview with the very code that bills. Without scripts the choice travels in the address,
//! and the server computes the same preview.

mod choice;
mod code;
mod plans;
mod review;
mod terms;
#[cfg(test)]
mod tests;

pub(super) use code::ResumeCode;
#[cfg(feature = "ssr")]
pub(super) use code::read as read_code;
pub use review::Review;
#[cfg(feature = "hydrate")]
pub(super) use review::preload_quote;

use super::{
    act::Done,
    loaded::{Arrived, Loaded, Question, Shown, load},
};
use crate::{
    port::{ChangePage, QuotePage},
    refusal::Refusal,
    wire::Packed,
};
use choice::Choice;
use leptos::prelude::*;
use leptos_router::{
    hooks::{use_params_map, use_query_map},
    params::ParamsMap,
};
use perennial::id::{QuoteId, SubscriptionId, SubscriptionItemId};
use wasm_split_helpers::wasm_split;

/// Loads all that the choice needs.
///
/// # Errors
/// When the merchant's rules don't allow a change now.
#[server(prefix = "/api/portal", endpoint = "change-page", output = Packed)]
pub async fn load_change(
    /// Of which subscription.
    subscription: SubscriptionId,
    /// A promotion code, as typed.
    #[server(default)]
    code: String,
) -> Result<ChangePage, Refusal> {
    let (portal, viewer) = crate::viewer::signed_in()?;
    let code = code::read(code);
    portal.change_page(&viewer, &subscription, code).await
}

/// Loads a quote, with what it was made from.
///
/// # Errors
/// When the quote is not the customer's.
#[server(prefix = "/api/portal", endpoint = "quote-page", output = Packed)]
pub async fn load_quote(
    /// Of which subscription.
    subscription: SubscriptionId,
    /// Which quote.
    quote: QuoteId,
) -> Result<(QuotePage, ChangePage), Refusal> {
    let (portal, viewer) = crate::viewer::signed_in()?;
    let page = portal.quote_page(&viewer, &quote).await?;
    let from = portal.change_page(&viewer, &subscription, None).await?;
    Ok((page, from))
}

/// Prices a choice so that the price binds, and goes on to where it is confirmed.
///
/// # Errors
/// When there is no such price to change to, or the rules don't allow it.
#[server(prefix = "/api/portal", endpoint = "quote", output = Packed)]
pub async fn quote_change(
    /// Of which subscription.
    subscription: SubscriptionId,
    /// Of which of its items.
    item: SubscriptionItemId,
    /// The product afterwards.
    #[server(default)]
    plan: String,
    /// The rhythm afterwards, as `choice::code` writes it.
    #[server(default)]
    every: String,
    /// Units afterwards, as typed; nothing keeps them.
    #[server(default)]
    quantity: String,
    /// A promotion code, as typed.
    #[server(default)]
    code: String,
) -> Done {
    use crate::{
        port::Wish,
        refusal::{Field, Rule},
    };
    use std::cmp::Ordering;
    let (portal, viewer) = crate::viewer::signed_in()?;
    let page = portal.change_page(&viewer, &subscription, None).await?;
    let unknown = || Refusal::Invalid(vec![(Field::Price, Rule::Unknown)]);
    let base = choice::item(&page, Some(item.as_str())).ok_or_else(unknown)?;
    let asked = match quantity.trim() {
        "" => None,
        typed => Some(typed.parse().map_err(|_| {
            let rule = if typed.bytes().all(|byte| byte.is_ascii_digit()) {
                Rule::TooLarge(u64::MAX)
            } else {
                Rule::Malformed
            };
            Refusal::Invalid(vec![(Field::Quantity, rule)])
        })?),
    };
    let wanted = Choice::read(&page, base, Some(&plan), Some(&every), asked);
    if let Some(asked) = asked.filter(|units| *units > 0 && wanted.bounds(&page).is_some()) {
        // A preview may move a quantity within its bounds; what binds is what was asked for, or nothing.
        let rule = match asked.cmp(&wanted.quantity) {
            Ordering::Equal => None,
            Ordering::Greater => Some(Rule::TooLarge(wanted.quantity)),
            Ordering::Less => Some(Rule::TooSmall(wanted.quantity)),
        };
        if let Some(rule) = rule {
            return Err(Refusal::Invalid(vec![(Field::Quantity, rule)]));
        }
    }
    let price = wanted.price(&page).ok_or_else(unknown)?;
    let wish = Wish {
        item: Some(item),
        price: Some(price.id.clone()),
        quantity: if price.is_metered() {
            0
        } else {
            wanted.quantity
        },
    };
    let quoted = portal
        .quote(&viewer, &subscription, vec![wish], code::read(code))
        .await?;
    let id = quoted.quote.id;
    leptos_axum::redirect(&format!("/portal/subscriptions/{subscription}/change/{id}"));
    Ok(None)
}

/// Asks about the subscription that the path names. An id that can't be one leads nowhere, which the server then says.
pub(super) fn subscription_of_path() -> impl Fn() -> Question + Send + Sync {
    let params = use_params_map();
    move || {
        let id = params.with(|params| params.get("id")).unwrap_or_default();
        Question::of("subscription", id)
    }
}

/// The choice.
#[component]
pub fn Change() -> impl IntoView {
    let query = use_query_map();
    let params = use_params_map();
    let page = load::<LoadChange>(move || {
        let id = params.with(|params| params.get("id")).unwrap_or_default();
        let code = query.with(|query| query.get("code")).unwrap_or_default();
        Question::new(vec![("subscription", id), ("code", code)])
    });
    let times = StoredValue::new(0_usize);
    let shown = move |page| {
        times.update_value(|times| *times += 1);
        change_shown(page, query.get_untracked(), times.get_value())
    };
    view! { <Loaded resource=page view=shown /> }
}

/// What it shows; `asked` is the choice that the address carries, `times` how often it has been shown.
#[wasm_split(changing, fallible, preload(preload_change))]
pub(super) fn change_shown(arrived: Arrived<ChangePage>, asked: ParamsMap, times: usize) -> Shown {
    let page = arrived.read()?;
    let base = choice::item(&page, asked.get("item").as_deref()).cloned();
    let base = base.ok_or(Refusal::NotAllowed)?;
    let quantity = asked.get("quantity").and_then(|typed| typed.parse().ok());
    let (plan, every) = (asked.get("plan"), asked.get("every"));
    let first = Choice::read(&page, &base, plan.as_deref(), every.as_deref(), quantity);
    let again = times > 1;
    let page = view! { <plans::Plans page=page base=base first=first again=again /> };
    // Where a view is replaced by one of the same type, what listened to its components goes on listening, for signals
    // that are gone. A view of another type is made anew.
    Ok(if times % 2 == 1 {
        page.into_any()
    } else {
        (page,).into_any()
    })
}
