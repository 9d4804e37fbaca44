//! Email from us: what always comes, what may come, and in which language.

use super::{
    act::{Act, ActForm, Done},
    frame::ChooseLanguage,
    loaded::{Arrived, Loaded, Question, Shown, load},
    outcome::Outcome,
};
use crate::{
    app::{change_language, use_locale},
    locale::{Locale, words},
    refusal::Refusal,
    ui::{Button, ButtonKind, Checkbox, Page, PageHeader, RadioRow, RadioRows, Section},
    wire::Packed,
};
use leptos::prelude::*;
use perennial::customer::MailPreferences;
use stylers_macro::style_sheet;
use wasm_split_helpers::wasm_split;

const CLASS: &str = concat!("mail ", style_sheet!("app/src/portal/mail.css"));

/// Loads the mail preferences.
///
/// # Errors
/// As every server function of the portal.
#[server(prefix = "/api/portal", endpoint = "mail", output = Packed)]
pub async fn load_mail() -> Result<MailPreferences, Refusal> {
    let (portal, viewer) = crate::viewer::signed_in()?;
    portal.mail(&viewer).await
}

/// Saves the mail preferences. A box that isn't ticked isn't sent.
///
/// # Errors
/// As every server function of the portal.
#[server(prefix = "/api/portal", endpoint = "save-mail", output = Packed)]
pub async fn save_mail(
    /// Each paid invoice, as a receipt.
    #[server(default)]
    receipts: bool,
    /// Before a renewal.
    #[server(default)]
    renewal_reminders: bool,
    /// Before a trial ends.
    #[server(default)]
    trial_reminders: bool,
    /// Before a card expires.
    #[server(default)]
    card_expiry: bool,
    /// News of the product.
    #[server(default)]
    product_updates: bool,
    /// Offers.
    #[server(default)]
    promotions: bool,
) -> Done {
    use super::outcome::{Notice, go_on};
    let (portal, viewer) = crate::viewer::signed_in()?;
    let mail = MailPreferences {
        receipts,
        renewal_reminders,
        trial_reminders,
        card_expiry,
        product_updates,
        promotions,
    };
    portal.save_mail(&viewer, mail).await?;
    go_on("/portal/mail", Notice::MailSaved);
    Ok(None)
}

/// The page.
#[component]
pub fn MailPage() -> impl IntoView {
    let saving = Act::of::<SaveMail>();
    let resource = load::<LoadMail>(move || Question::plain().after(&[saving]));
    view! { <Loaded resource=resource view=move |mail| mail_shown(mail, saving) /> }
}

/// What it shows.
#[wasm_split(about, fallible, preload(preload_mail))]
pub(super) fn mail_shown(arrived: Arrived<MailPreferences>, saving: Act) -> Shown {
    let mail = arrived.read()?;
    Ok(view! { <Choices mail=mail saving=saving /> }.into_any())
}

#[component]
fn Choices(mail: MailPreferences, saving: Act) -> impl IntoView {
    let words = words();
    let always = [
        words.mail_always_payments(),
        words.mail_always_changes(),
        words.mail_always_account(),
    ];
    let always = always.map(|text| view! { <li>{text}</li> });
    view! {
        <Page>
            <PageHeader title=words.shell_mail() lead=words.mail_lead() />
            <Outcome refusal=saving.refusal() />
            <ActForm act=saving class=CLASS>
                <Section title=words.mail_payments()>
                    <div class="choices">
                        <Checkbox name="receipts" label=words.mail_receipts() hint=words.mail_receipts_hint() checked=mail.receipts />
                        <Checkbox name="renewal_reminders" label=words.mail_renewals() hint=words.mail_renewals_hint() checked=mail.renewal_reminders />
                        <Checkbox name="trial_reminders" label=words.mail_trials() hint=words.mail_trials_hint() checked=mail.trial_reminders />
                        <Checkbox name="card_expiry" label=words.mail_cards() hint=words.mail_cards_hint() checked=mail.card_expiry />
                    </div>
                </Section>
                <Section title=words.mail_news()>
                    <div class="choices">
                        <Checkbox name="product_updates" label=words.mail_updates() hint=words.mail_updates_hint() checked=mail.product_updates />
                        <Checkbox name="promotions" label=words.mail_offers() hint=words.mail_offers_hint() checked=mail.promotions />
                    </div>
                </Section>
                <div>
                    <Button kind=ButtonKind::Primary submit=true busy=saving.pending()>{words.mail_save()}</Button>
                </div>
            </ActForm>
            <Section title=words.mail_always()>
                <p class="quiet">{words.mail_always_why()}</p>
                <ul class=format!("{CLASS} always")>{always}</ul>
            </Section>
            <Language />
        </Page>
    }
}

/// The language of the pages and of the mail.
#[component]
fn Language() -> impl IntoView {
    let words = words();
    let choosing = Act::of::<ChooseLanguage>();
    let (locale, chosen) = (use_locale(), RwSignal::new(words.locale()));
    Effect::new(move |_| {
        if let (true, Some(locale)) = (choosing.done(), locale) {
            change_language(locale, chosen.get_untracked());
        }
    });
    let rows: Vec<_> = Locale::offered()
        .map(|choice| {
            let checked = choice == words.locale();
            view! {
                <RadioRow name="tag" value=choice.tag() title=choice.name() checked=checked attr:lang=choice.tag() on:change=move |_| chosen.set(choice) />
            }
        })
        .collect();
    view! {
        <Section title=words.shell_language()>
            <Outcome refusal=choosing.refusal() notices=false />
            <ActForm act=choosing class=CLASS>
                <RadioRows legend=words.mail_language()>{rows}</RadioRows>
                <div><Button submit=true busy=choosing.pending()>{words.shell_change_language()}</Button></div>
            </ActForm>
        </Section>
    }
    .into_any()
}
