//! A promotion code: entered, tried, taken away again. It travels in the address, so that it needs no script.

use super::{choice::code as rhythm_code, plans::Offer};
use crate::{
    locale::{Words, words},
    port::EnteredCode,
    portal::{outcome, say},
    refusal::{CodeFault, Field, Refusal, Rule},
    ui::{Button, ButtonKind, Disclosure, FieldFrame, Glyph, Icon, described_by},
};
use leptos::{ev::KeyboardEvent, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate, params::ParamsMap};
use perennial::discount::{CODE_CHARS_MAX, Discount, Duration};
use std::sync::Arc;
use stylers_macro::style_sheet;

/// The id of the input, and the name that it is sent under.
const CODE: &str = "code";

/// A code as it was typed; nothing where nothing was.
#[cfg(feature = "ssr")]
pub(in crate::portal) fn read(typed: String) -> Option<String> {
    Some(typed)
        .map(|typed| typed.trim().to_owned())
        .filter(|typed| !typed.is_empty())
}

/// What a code gives, in one sentence.
pub(super) fn gives(words: Words, discount: &Discount) -> String {
    let coupon = &discount.coupon;
    let off = say::off(words, coupon.off);
    match coupon.duration {
        Duration::Once => words.change_code_once(&off),
        Duration::Repeating { months } => words.change_code_months(u64::from(months), &off),
        Duration::Forever => words.change_code_forever(&off),
    }
}

/// Why a code gives nothing, and what to do.
pub(super) fn fault(words: Words, why: CodeFault) -> String {
    let text = match why {
        CodeFault::Unknown => words.change_code_unknown(),
        CodeFault::Expired => words.change_code_expired(),
        CodeFault::UsedUp => words.change_code_used_up(),
        CodeFault::UsedBefore => words.change_code_used_before(),
        CodeFault::FirstOnly => words.change_code_first_only(),
        CodeFault::NotTogether => words.change_code_not_together(),
        CodeFault::NotCovered => words.change_code_not_covered(),
        CodeFault::BelowMinimum(least) => {
            return words.change_code_below_minimum(&words.money(least));
        }
    };
    text.to_owned()
}

/// What the server said of the code, if it refused the form because of it.
fn refused(refusal: &Refusal) -> Option<CodeFault> {
    let Refusal::Invalid(faults) = refusal else {
        return None;
    };
    faults.iter().find_map(|found| match found {
        (Field::PromotionCode, Rule::Code(why)) => Some(*why),
        _ => None,
    })
}

/// The address of the page with a choice and a code.
fn address(path: &str, offer: &Offer, code: &str) -> String {
    let choice = offer.chosen();
    let mut query = ParamsMap::new();
    for (name, value) in [
        ("item", offer.base.id.to_string()),
        ("plan", choice.plan),
        ("every", rhythm_code(choice.every)),
        ("quantity", choice.quantity.to_string()),
        (CODE, code.to_owned()),
    ] {
        if !value.is_empty() {
            query.insert(name, value);
        }
    }
    format!("{path}{}", query.to_query_string())
}

/// The code that is entered, or where one can be.
#[component]
pub(super) fn Code(
    /// What is on offer.
    offer: Offer,
    /// Where the page stands.
    path: String,
    /// Why the form was refused.
    refusal: Signal<Option<Refusal>>,
    /// Whether the page takes its own place: then the reader goes on where they were.
    again: bool,
) -> impl IntoView {
    let chosen = offer.clone();
    let why = Signal::derive(move || {
        let said = refusal.with(|refusal| refusal.as_ref().and_then(refused));
        said.or_else(|| chosen.chosen().code_fault(&chosen.page, &chosen.base))
    });
    let allowed = offer.page.rules.promotion_code;
    let entered = offer.page.code.clone();
    let here = path.clone();
    let to: To = Arc::new(move |code| address(&here, &offer, code));
    allowed.then(|| view! { <CodeEntry entered=entered path=path to=to why=why again=again /> })
}

/// The code that is entered before a pause ends, or where one can be.
#[component]
pub(in crate::portal) fn ResumeCode(
    /// The code that the page was asked with.
    entered: Option<EnteredCode>,
    /// Where the page stands.
    path: String,
    /// Why the form was refused.
    refusal: Signal<Option<Refusal>>,
    /// Whether the page takes its own place: then the reader goes on where they were.
    again: bool,
) -> impl IntoView {
    let fault = entered
        .as_ref()
        .and_then(|entered| entered.gives.as_ref().err().copied());
    let why = Signal::derive(move || {
        let said = refusal.with(|refusal| refusal.as_ref().and_then(refused));
        said.or(fault)
    });
    let here = path.clone();
    let to: To = Arc::new(move |code| {
        let mut query = ParamsMap::new();
        if !code.is_empty() {
            query.insert(CODE, code.to_owned());
        }
        format!("{here}{}", query.to_query_string())
    });
    view! { <CodeEntry entered=entered path=path to=to why=why again=again /> }
}

/// The address of the page with another code.
type To = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// The code that is entered, or where one can be.
#[component]
fn CodeEntry(
    entered: Option<EnteredCode>,
    path: String,
    to: To,
    why: Signal<Option<CodeFault>>,
    again: bool,
) -> impl IntoView {
    let words = words();
    if again {
        // Once it stands in the document.
        Effect::new(move |_| request_animation_frame(|| outcome::focus(CODE)));
    }
    let error = Signal::derive(move || why.get().map(|why| fault(words, why)));
    match entered {
        Some(EnteredCode {
            typed,
            gives: Ok(given),
        }) => {
            let gives = gives(words, &given.discount);
            view! { <Given to=to typed=typed gives=gives error=error /> }.into_any()
        }
        entered => {
            let typed = entered.map(|entered| entered.typed);
            view! { <Entry path=path to=to typed=typed.unwrap_or_default() error=error /> }
                .into_any()
        }
    }
}

/// A code that gives something.
#[component]
fn Given(to: To, typed: String, gives: String, error: Signal<Option<String>>) -> impl IntoView {
    let words = words();
    let without = move || to("");
    view! {
        <div class=concat!("code ", style_sheet!("app/src/portal/change/code.css"))>
            <input r#type="hidden" name=CODE value=typed.clone() />
            <p class="given" role="status">
                <Icon glyph=Glyph::Check />
                <span><strong>{typed.to_uppercase()}</strong>" · "{gives}</span>
            </p>
            <a id=CODE href=without>{words.change_code_remove()}</a>
            <p class="error" aria-live="polite">
                {move || error.get().map(|error| view! { <Icon glyph=Glyph::Alert /> <span>{error}</span> })}
            </p>
        </div>
    }
}

/// Where a code is typed.
#[component]
fn Entry(path: String, to: To, typed: String, error: Signal<Option<String>>) -> impl IntoView {
    let words = words();
    let open = !typed.is_empty() || error.with_untracked(Option::is_some);
    let navigate = use_navigate();
    let apply = move || {
        let code = outcome::typed(CODE);
        if code.trim().is_empty() {
            outcome::focus(CODE);
            return;
        }
        let options = NavigateOptions {
            replace: true,
            scroll: false,
            ..NavigateOptions::default()
        };
        navigate(&to(code.trim()), options);
    };
    let by_key = {
        let apply = apply.clone();
        move |event: KeyboardEvent| {
            if event.key() == "Enter" {
                event.prevent_default();
                apply();
            }
        }
    };
    let by_button = move |event: leptos::ev::MouseEvent| {
        event.prevent_default();
        apply();
    };
    view! {
        <Disclosure summary=words.change_code_add() open=open>
            <FieldFrame id=CODE label=words.change_code() error=error>
                <div class=concat!("code-entry ", style_sheet!("app/src/portal/change/code_entry.css"))>
                    <input
                        class="input"
                        id=CODE
                        name=CODE
                        r#type="text"
                        value=typed
                        autocomplete="off"
                        autocapitalize="characters"
                        spellcheck="false"
                        maxlength=CODE_CHARS_MAX.to_string()
                        aria-describedby=described_by(CODE)
                        aria-invalid=move || error.with(Option::is_some).then_some("true")
                        on:keydown=by_key
                    />
                    <Button kind=ButtonKind::Secondary submit=true attr:formmethod="get" attr:formaction=path on:click=by_button>{words.change_code_apply()}</Button>
                </div>
            </FieldFrame>
        </Disclosure>
    }
}
