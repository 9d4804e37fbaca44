//! Cancelling: what is kept until when, said before; the reason, if it is asked; then done. It can be taken back on
//! the first page.

use super::{
    act::{Act, ActForm, Done},
    change::subscription_of_path,
    loaded::{Arrived, Loaded, Shown, load},
    outcome::Outcome,
    say,
};
use crate::{
    locale::{Words, words},
    port::CancelPage,
    refusal::Refusal,
    ui::{
        Button, ButtonKind, Fact, Facts, LinkButton, Page, PageHeader, RadioRow, RadioRows,
        TextArea,
    },
    wire::Packed,
};
use leptos::prelude::*;
use perennial::{id::SubscriptionId, portal::CancelMode, subscription::Feedback};
use serde::{Deserialize, Serialize};
use stylers_macro::style_sheet;
use wasm_split_helpers::wasm_split;

/// The most characters of a comment.
const COMMENT_CHARS_MAX: u32 = 500;
/// More characters than any reason's code has.
#[cfg(feature = "ssr")]
const CODE_CHARS_MAX: usize = 64;

/// What cancelling would mean, and what only the server can bring back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelShown {
    /// What it would mean.
    pub page: CancelPage,
    /// The reason's code and the comment of a refused form, where no script kept them.
    pub retyped: Option<(String, String)>,
}

/// Loads what cancelling would mean.
///
/// # Errors
/// When the merchant's rules don't allow it, or it has ended.
#[server(prefix = "/api/portal", endpoint = "cancel-page", output = Packed)]
pub async fn load_cancel(
    /// Which subscription.
    subscription: SubscriptionId,
) -> Result<CancelShown, Refusal> {
    use super::retyped::Retyped;
    let (portal, viewer) = crate::viewer::signed_in()?;
    let page = portal.cancel_page(&viewer, &subscription).await?;
    let retyped = Retyped::of::<Cancel>().map(|typed| {
        let characters_max = usize::try_from(COMMENT_CHARS_MAX).unwrap_or(usize::MAX);
        let comment = typed.field("comment", usize::MAX).replace("\r\n", "\n");
        let comment = comment.chars().take(characters_max).collect();
        (typed.field("reason", CODE_CHARS_MAX), comment)
    });
    Ok(CancelShown { page, retyped })
}

/// Cancels as the merchant's rules say, and goes to the first page, which shows how it stands.
///
/// # Errors
/// When it can't be cancelled (any more).
#[server(prefix = "/api/portal", endpoint = "cancel", output = Packed)]
pub async fn cancel(
    /// Which subscription.
    subscription: SubscriptionId,
    /// Why: one of Stripe's feedback codes; empty for no answer.
    #[server(default)]
    reason: String,
    /// In the customer's own words; empty for none.
    #[server(default)]
    comment: String,
) -> Done {
    use super::outcome::{Notice, go_on};
    use crate::refusal::{Field, Rule};
    let (portal, viewer) = crate::viewer::signed_in()?;
    // A browser counts a new line once, and sends it as two characters.
    let comment = comment.replace("\r\n", "\n");
    let comment = comment.trim();
    if comment.chars().count() > usize::try_from(COMMENT_CHARS_MAX).unwrap_or(usize::MAX) {
        return Err(Refusal::Invalid(vec![(
            Field::Comment,
            Rule::TooLong(COMMENT_CHARS_MAX),
        )]));
    }
    let reason = REASONS
        .iter()
        .find(|(_, code)| *code == reason)
        .map(|(reason, _)| *reason);
    let comment = (!comment.is_empty()).then(|| comment.to_owned());
    portal
        .cancel(&viewer, &subscription, reason, comment)
        .await?;
    go_on("/portal", Notice::Cancelled);
    Ok(None)
}

/// The reasons with their codes, as Stripe's API spells them.
const REASONS: [(Feedback, &str); 8] = [
    (Feedback::CustomerService, "customer_service"),
    (Feedback::LowQuality, "low_quality"),
    (Feedback::MissingFeatures, "missing_features"),
    (Feedback::Other, "other"),
    (Feedback::SwitchedService, "switched_service"),
    (Feedback::TooComplex, "too_complex"),
    (Feedback::TooExpensive, "too_expensive"),
    (Feedback::Unused, "unused"),
];

fn reason_text(words: Words, reason: Feedback) -> &'static str {
    match reason {
        Feedback::CustomerService => words.reason_customer_service(),
        Feedback::LowQuality => words.reason_low_quality(),
        Feedback::MissingFeatures => words.reason_missing_features(),
        Feedback::Other => words.reason_other(),
        Feedback::SwitchedService => words.reason_switched_service(),
        Feedback::TooComplex => words.reason_too_complex(),
        Feedback::TooExpensive => words.reason_too_expensive(),
        Feedback::Unused => words.reason_unused(),
    }
}

/// Before cancelling.
#[component]
pub fn Cancel() -> impl IntoView {
    let page = load::<LoadCancel>(subscription_of_path());
    view! { <Loaded resource=page view=cancel_shown /> }
}

/// What it shows.
#[wasm_split(changing, fallible, preload(preload_cancel))]
pub(super) fn cancel_shown(arrived: Arrived<CancelShown>) -> Shown {
    let CancelShown { page, retyped } = arrived.read()?;
    Ok(view! { <Consequences page=page stands=retyped.unwrap_or_default() /> }.into_any())
}

#[component]
fn Consequences(
    page: CancelPage,
    /// What is in the form at first: a reason's code, a comment.
    stands: (String, String),
) -> impl IntoView {
    let words = words();
    let cancelling = Act::of::<Cancel>();
    let name = say::items(words, &page.subscription.items);
    let date = words.date_near(page.ends_at, page.now);
    let (lead, label) = match page.mode {
        CancelMode::AtPeriodEnd => (
            words.cancel_lead_end(&date, &name),
            words.cancel_confirm_end(&date),
        ),
        CancelMode::Immediately => (
            words.cancel_lead_now(&name),
            words.cancel_confirm_now().to_owned(),
        ),
    };
    let credit = page
        .credit
        .filter(|credit| !credit.is_zero())
        .map(|credit| {
            let size = words.amount(
                credit.minor.saturating_abs(),
                credit.currency.code(),
                u32::from(credit.currency.exponent()),
            );
            view! { <Fact name=words.home_credit()>{words.cancel_credit(&size)}</Fact> }
        });
    let until = match page.mode {
        CancelMode::AtPeriodEnd => words.cancel_use_until(&words.date(page.ends_at)),
        CancelMode::Immediately => words.cancel_use_ends_now().to_owned(),
    };
    let metered = page
        .subscription
        .items
        .iter()
        .any(|item| item.quantity.is_none());
    let payments = if metered {
        words.cancel_next_usage()
    } else {
        words.cancel_next_none()
    };
    let undo = (page.mode == CancelMode::AtPeriodEnd)
        .then(|| view! { <Fact name=words.cancel_mind()>{words.cancel_mind_text(&date)}</Fact> });
    let asked = !page.reasons.is_empty();
    let reasons = asked.then(|| view! { <Reasons reasons=page.reasons.clone() stands=stands /> });
    let id = page.subscription.id.to_string();
    view! {
        <Page>
            <PageHeader title=words.home_cancel() lead=lead above=("/portal".to_owned(), words.shell_home().to_owned()) />
            <Outcome refusal=cancelling.refusal() />
            <Facts>
                <Fact name=words.cancel_access()>{until}</Fact>
                <Fact name=words.cancel_payments()>{payments}</Fact>
                {credit}
                {undo}
            </Facts>
            <ActForm act=cancelling class=concat!("cancel ", style_sheet!("app/src/portal/cancel.css"))>
                <input r#type="hidden" name="subscription" value=id />
                {reasons}
                <div class="acts">
                    <LinkButton href="/portal">{words.cancel_keep()}</LinkButton>
                    <Button kind=ButtonKind::Danger submit=true busy=cancelling.pending()>{label}</Button>
                </div>
            </ActForm>
        </Page>
    }
}

/// Why, if the customer cares to say.
#[component]
fn Reasons(reasons: Vec<Feedback>, stands: (String, String)) -> impl IntoView {
    let words = words();
    let (chosen, comment) = stands;
    let rows: Vec<_> = reasons
        .into_iter()
        .filter_map(|reason| {
            let (_, code) = REASONS.iter().find(|(known, _)| *known == reason)?;
            let text = reason_text(words, reason);
            Some(
                view! { <RadioRow name="reason" value=*code title=text checked=*code == chosen /> },
            )
        })
        .collect();
    view! {
        <RadioRows legend=words.cancel_why()>{rows}</RadioRows>
        <TextArea name="comment" label=words.cancel_comment() maxlength=COMMENT_CHARS_MAX value=comment />
    }
}
