//! Adding a card. What is typed is checked beside its field by the same code that checks it on the server.

mod typing;

use super::{
    act::{Act, ActForm, Done},
    loaded::{Arrived, Loaded, Question, Shown, load},
    outcome::{Faults, Outcome, focus},
};
use crate::{
    locale::words,
    port::CardInput,
    refusal::{Field, Refusal, Rule},
    ui::{
        Button, ButtonKind, CardArt, Checkbox, FieldFrame, Glyph, Icon, LinkButton, Page,
        PageHeader, described_by,
    },
    wire::Packed,
};
use leptos::{html, prelude::*, web_sys::HtmlInputElement};
use leptos_router::hooks::use_query_map;
use perennial::{
    calendar::Timestamp,
    card::{self, CardFault, CardField},
    id::InvoiceId,
    payment::CardBrand,
};
use serde::{Deserialize, Serialize};
use stylers_macro::style_sheet;
use wasm_split_helpers::wasm_split;

const CLASS: &str = concat!("card-form ", style_sheet!("app/src/portal/card_form.css"));

/// The most characters of a name on a card.
const NAME_CHARACTERS_MAX: u32 = 100;

/// What the form needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardForm {
    /// The moment, which says what has expired.
    pub now: Timestamp,
    /// Whether it is the first one, which becomes the default by itself.
    pub first: bool,
    /// Test data: then the number of a test card is told.
    pub livemode: bool,
}

/// Loads what the form needs to know.
///
/// # Errors
/// As every server function of the portal.
#[server(prefix = "/api/portal", endpoint = "card-form", output = Packed)]
pub async fn load_card_form() -> Result<CardForm, Refusal> {
    let (portal, viewer) = crate::viewer::signed_in()?;
    Ok(CardForm {
        now: portal.now(),
        first: portal.payment_methods(&viewer).await?.is_empty(),
        livemode: viewer.livemode,
    })
}

/// Saves a card. Answers with the bank's page if the customer must first prove who they are.
///
/// # Errors
/// As every server function of the portal; [`Refusal::Invalid`] by field, [`Refusal::Declined`] by the bank.
#[server(prefix = "/api/portal", endpoint = "add-card", output = Packed)]
pub async fn add_card(
    /// As typed.
    number: String,
    /// As typed.
    expiry: String,
    /// As typed.
    cvc: String,
    /// As typed.
    name: String,
    /// Whether it pays from now on.
    #[server(default)]
    make_default: bool,
    /// The invoice that the customer was about to pay, if any.
    #[server(default)]
    invoice: String,
) -> Done {
    use super::outcome::{Notice, go_on, leave};
    use crate::port::Added;
    let (portal, viewer) = crate::viewer::signed_in()?;
    let card = CardInput {
        number,
        expiry,
        cvc,
        name,
    };
    let faults = check(&card, portal.now());
    if !faults.is_empty() {
        return Err(Refusal::Invalid(faults));
    }
    let invoice = InvoiceId::parse(&invoice).ok();
    let back = match &invoice {
        Some(invoice) => format!("/portal/invoices/{invoice}"),
        None => "/portal/payment-methods".to_owned(),
    };
    match portal
        .add_card(&viewer, card, make_default, invoice)
        .await?
    {
        Added::Saved { charging, .. } => {
            let notice = if charging {
                Notice::CardCharging
            } else {
                Notice::CardAdded
            };
            go_on(&back, notice);
            Ok(None)
        }
        Added::Challenge { url } => {
            leave(&url);
            Ok(Some(url))
        }
    }
}

/// All that is wrong with a card as typed, at most one fault a field.
#[must_use]
pub fn check(card: &CardInput, now: Timestamp) -> Vec<(Field, Rule)> {
    let mut faults: Vec<_> = match card::check(&card.number, &card.expiry, &card.cvc, now) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.into_iter().map(rule_of).collect(),
    };
    let name = card.name.trim();
    let limit = usize::try_from(NAME_CHARACTERS_MAX).unwrap_or(usize::MAX);
    if name.is_empty() {
        faults.push((Field::CardName, Rule::Required));
    } else if name.chars().count() > limit {
        faults.push((Field::CardName, Rule::TooLong(NAME_CHARACTERS_MAX)));
    }
    faults
}

/// Where a fault of a card belongs, and what rule it breaks.
#[must_use]
pub fn rule_of(fault: CardFault) -> (Field, Rule) {
    let field = match fault.field() {
        CardField::Number => Field::CardNumber,
        CardField::Expiry => Field::CardExpiry,
        CardField::Cvc => Field::CardCvc,
    };
    let rule = match fault {
        CardFault::NumberMissing | CardFault::ExpiryMissing | CardFault::CvcMissing => {
            Rule::Required
        }
        CardFault::MonthPast | CardFault::YearPast => Rule::Expired,
        CardFault::NumberInvalid
        | CardFault::NumberIncorrect
        | CardFault::MonthInvalid
        | CardFault::YearInvalid
        | CardFault::CvcInvalid => Rule::Malformed,
    };
    (field, rule)
}

/// The page.
#[component]
pub fn AddCardPage() -> impl IntoView {
    let adding = Act::of::<AddCard>();
    let resource = load::<LoadCardForm>(Question::plain);
    view! { <Loaded resource=resource view=move |form| card_form_shown(form, adding) /> }
}

/// What it shows.
#[wasm_split(paying, fallible, preload(preload_card_form))]
pub(super) fn card_form_shown(arrived: Arrived<CardForm>, adding: Act) -> Shown {
    let form = arrived.read()?;
    Ok(view! { <Form form=form adding=adding /> }.into_any())
}

/// The inputs of the form, in its order.
#[derive(Clone, Copy)]
struct Inputs {
    number: NodeRef<html::Input>,
    expiry: NodeRef<html::Input>,
    cvc: NodeRef<html::Input>,
    name: NodeRef<html::Input>,
}

impl Inputs {
    fn read(self) -> CardInput {
        let text = |input: NodeRef<html::Input>| {
            input
                .get_untracked()
                .map(|input| input.value())
                .unwrap_or_default()
        };
        CardInput {
            number: text(self.number),
            expiry: text(self.expiry),
            cvc: text(self.cvc),
            name: text(self.name),
        }
    }
}

#[component]
fn Form(form: CardForm, adding: Act) -> impl IntoView {
    let words = words();
    let refusal = adding.refusal();
    let faults = Faults::new(refusal);
    let inputs = Inputs {
        number: NodeRef::new(),
        expiry: NodeRef::new(),
        cvc: NodeRef::new(),
        name: NodeRef::new(),
    };
    let now = form.now;
    // Only a field that was left is judged: nobody is told off while typing.
    let left = move |field: Field| {
        let found = check(&inputs.read(), now);
        let rule = found.into_iter().find(|(known, _)| *known == field);
        faults.left(field, rule.map(|(_, rule)| rule));
    };
    let send = move |event: leptos::ev::MouseEvent| {
        let found = check(&inputs.read(), now);
        for (field, ..) in FIELDS {
            let rule = found.iter().find(|(known, _)| *known == field);
            faults.note(field, rule.map(|(_, rule)| *rule));
        }
        let first = FIELDS
            .iter()
            .find(|(field, _)| found.iter().any(|(known, _)| known == field));
        if let Some((_, id)) = first {
            event.prevent_default();
            focus(id);
        }
    };
    let invoice = use_query_map()
        .with_untracked(|query| query.get("invoice"))
        .and_then(|id| InvoiceId::parse(&id).ok());
    let (back, back_words) = match &invoice {
        Some(id) => (format!("/portal/invoices/{id}"), words.invoice_back()),
        None => ("/portal/payment-methods".to_owned(), words.methods_title()),
    };
    view! {
        <Page>
            <PageHeader title=words.card_title() lead=words.card_lead() above=(back.clone(), back_words.to_owned()) />
            <Outcome refusal=refusal />
            {(!form.livemode).then(|| view! { <p class="quiet">{words.card_test()}</p> })}
            <ActForm act=adding class=CLASS>
                <Group inputs=inputs faults=faults left=left />
                {(!form.first).then(|| view! {
                    <Checkbox name="make_default" label=words.card_make_default() hint=words.card_make_default_hint() />
                })}
                {invoice.map(|id| view! { <input r#type="hidden" name="invoice" value=id.to_string() /> })}
                <p class="safe"><Icon glyph=Glyph::Lock /><span>{words.card_safe()}</span></p>
                <div class="acts">
                    <Button kind=ButtonKind::Primary submit=true busy=adding.pending() on:pointerdown=move |_| faults.press() on:click=send>{words.card_save()}</Button>
                    <LinkButton kind=ButtonKind::Text href=back>{words.action_cancel()}</LinkButton>
                </div>
            </ActForm>
        </Page>
    }
}

/// The fields in the order of the form, with the ids of their inputs.
const FIELDS: [(Field, &str); 4] = [
    (Field::CardNumber, "number"),
    (Field::CardExpiry, "expiry"),
    (Field::CardCvc, "cvc"),
    (Field::CardName, "name"),
];

/// The four fields of a card as one group.
#[component]
fn Group(
    inputs: Inputs,
    faults: Faults,
    left: impl Fn(Field) + Copy + Send + 'static,
) -> impl IntoView {
    let words = words();
    let brand = RwSignal::new(CardBrand::Unknown);
    // What was typed before the scripts came counts as well.
    Effect::new(move |_| {
        if let Some(input) = inputs.number.get() {
            brand.set(typing::brand_of(&input.value()));
        }
    });
    let number = move |input: HtmlInputElement| {
        brand.set(typing::brand_of(&input.value()));
        retype(&input, typing::number);
    };
    view! {
        <fieldset>
            <legend class="unseen">{words.card_group()}</legend>
            <Line id="number" label=words.card_number() autocomplete="cc-number" placeholder="" node=inputs.number error=faults.of(Field::CardNumber) typed=number left=move || left(Field::CardNumber)>
                <span class="mark"><CardArt brand=brand /></span>
            </Line>
            <div class="two">
                <Line id="expiry" label=words.card_expiry() autocomplete="cc-exp" placeholder=words.card_expiry_example() node=inputs.expiry error=faults.of(Field::CardExpiry) typed=|input: HtmlInputElement| retype(&input, typing::expiry) left=move || left(Field::CardExpiry) />
                <Line id="cvc" label=words.card_cvc() autocomplete="cc-csc" placeholder=words.card_cvc_example() node=inputs.cvc error=faults.of(Field::CardCvc) typed=|input: HtmlInputElement| retype(&input, typing::cvc) left=move || left(Field::CardCvc) />
            </div>
            <Line id="name" label=words.card_name() autocomplete="cc-name" placeholder="" node=inputs.name error=faults.of(Field::CardName) typed=|_| () left=move || left(Field::CardName) />
        </fieldset>
    }
}

/// Writes what was typed as it stands on a card, and leaves the caret where the reader is typing.
fn retype(input: &HtmlInputElement, write: fn(&str, usize) -> (String, usize)) {
    let text = input.value();
    let caret = input.selection_start().ok().flatten();
    let caret = caret
        .and_then(|caret| usize::try_from(caret).ok())
        .unwrap_or(text.len());
    let (written, caret) = write(&text, caret);
    if written != text {
        input.set_value(&written);
        let caret = u32::try_from(caret).unwrap_or_default();
        // A browser that can't place the caret puts it at the end, which is where most people type.
        let _ = input.set_selection_range(caret, caret);
    }
}

#[component]
fn Line(
    id: &'static str,
    label: &'static str,
    autocomplete: &'static str,
    placeholder: &'static str,
    node: NodeRef<html::Input>,
    error: Signal<Option<String>>,
    typed: impl Fn(HtmlInputElement) + Send + 'static,
    left: impl Fn() + Send + 'static,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    let digits = id != "name";
    // Boxed, so that the four inputs share one piece of code.
    let typed: Box<dyn Fn(HtmlInputElement) + Send> = Box::new(typed);
    let left: Box<dyn Fn() + Send> = Box::new(left);
    input(
        id,
        label,
        (autocomplete, placeholder, digits),
        node,
        error,
        typed,
        left,
        children,
    )
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one component, without their types"
)]
fn input(
    id: &'static str,
    label: &'static str,
    (autocomplete, placeholder, digits): (&'static str, &'static str, bool),
    node: NodeRef<html::Input>,
    error: Signal<Option<String>>,
    typed: Box<dyn Fn(HtmlInputElement) + Send>,
    left: Box<dyn Fn() + Send>,
    children: Option<Children>,
) -> AnyView {
    view! {
        <FieldFrame id=id label=label error=error>
            <span class="control">
                <input
                    class="input"
                    id=id
                    name=id
                    node_ref=node
                    r#type="text"
                    inputmode=digits.then_some("numeric")
                    autocomplete=autocomplete
                    placeholder=Some(placeholder).filter(|text| !text.is_empty())
                    spellcheck="false"
                    required=true
                    aria-describedby=described_by(id)
                    aria-invalid=move || error.with(Option::is_some).then_some("true")
                    on:input:target=move |event| typed(event.target())
                    on:blur=move |_| left()
                />
                {children.map(|children| children())}
            </span>
        </FieldFrame>
    }
    .into_any()
}
