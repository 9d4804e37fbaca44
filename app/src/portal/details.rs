//! Billing details: who the customer is on invoices, where they are, and their tax numbers.
#![expect(
    clippy::too_many_arguments,
    reason = "a form sends each input as an argument"
)]

mod address;
mod check;
mod tax_ids;

use super::{
    act::{Act, ActForm, Done},
    loaded::{Arrived, Loaded, Question, Shown, load},
    outcome::{Faults, Outcome, focus, typed},
};
use crate::{
    locale::words,
    port::{Details, DetailsInput},
    refusal::{Field as Input, Refusal},
    ui::{Button, ButtonKind, Fact, Facts, FieldFrame, Page, PageHeader, Section, described_by},
    wire::Packed,
};
use address::AddressFields;
pub use check::check;
use leptos::prelude::*;
use perennial::portal::CustomerField;
use serde::{Deserialize, Serialize};
use stylers_macro::style_sheet;
use tax_ids::TaxIds;
use wasm_split_helpers::wasm_split;

const CLASS: &str = concat!("details ", style_sheet!("app/src/portal/details.css"));

/// Where the page stands.
#[cfg(feature = "ssr")]
const HERE: &str = "/portal/details";

/// Billing details, and what only the server can write of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetailsShown {
    /// The details.
    pub details: Details,
    /// The address in lines, in the reader's language.
    pub address_lines: Vec<String>,
    /// Every country: code and name, in the reader's order.
    pub countries: Vec<(String, String)>,
    /// The customer's tax numbers: id, type in words, value.
    pub tax_ids: Vec<(String, String, String)>,
    /// Types of tax number to choose from: Stripe's type and the country, in words, an example.
    pub tax_kinds: Vec<(String, String, String)>,
    /// What was typed and refused, where no script kept it.
    pub retyped: Option<DetailsInput>,
    /// The same for a tax number: its type, its value.
    pub retyped_tax_id: Option<(String, String)>,
}

/// Loads the billing details.
///
/// # Errors
/// As every server function of the portal.
#[server(prefix = "/api/portal", endpoint = "details", output = Packed)]
pub async fn load_details() -> Result<DetailsShown, Refusal> {
    let (portal, viewer) = crate::viewer::signed_in()?;
    let details = portal.details(&viewer).await?;
    let locale = words().locale();
    let address = details.address.as_ref();
    use super::retyped::Retyped;
    let lines = address.map(|address| crate::country::lines(locale, address));
    let countries = crate::country::all(locale);
    let country = address.and_then(|address| address.country.as_deref());
    Ok(DetailsShown {
        address_lines: lines.unwrap_or_default(),
        countries: countries
            .map(|(code, name)| (code.to_owned(), name.to_owned()))
            .collect(),
        tax_ids: tax_ids::shown(locale, &details.tax_ids),
        tax_kinds: tax_ids::kinds(locale, country.unwrap_or_default()),
        retyped: retyped_details(),
        retyped_tax_id: Retyped::of::<AddTaxId>().map(|typed| {
            let field = |name| typed.field(name, tax_ids::CHARACTERS_MAX);
            (field("kind"), field("value"))
        }),
        details,
    })
}

/// What was typed and refused, where no script kept it.
#[cfg(feature = "ssr")]
fn retyped_details() -> Option<DetailsInput> {
    let typed = super::retyped::Retyped::of::<SaveDetails>()?;
    let field = |name: &str| typed.field(name, check::characters_max(name));
    Some(DetailsInput {
        name: field("name"),
        email: field("email"),
        phone: field("phone"),
        line1: field("line1"),
        line2: field("line2"),
        city: field("city"),
        state: field("state"),
        postal_code: field("postal_code"),
        country: field("country"),
    })
}

/// Saves billing details. What may not be edited need not be sent.
///
/// # Errors
/// As every server function of the portal; [`Refusal::Invalid`] by field.
#[server(prefix = "/api/portal", endpoint = "save-details", output = Packed)]
pub async fn save_details(
    /// Name or company.
    #[server(default)]
    name: String,
    /// Where mail goes.
    #[server(default)]
    email: String,
    /// Phone.
    #[server(default)]
    phone: String,
    /// ISO 3166-1 alpha-2.
    #[server(default)]
    country: String,
    /// Street and number.
    #[server(default)]
    line1: String,
    /// Flat, floor, building.
    #[server(default)]
    line2: String,
    /// City.
    #[server(default)]
    city: String,
    /// State, province, prefecture.
    #[server(default)]
    state: String,
    /// Postal code.
    #[server(default)]
    postal_code: String,
) -> Done {
    use super::outcome::{Notice, go_on};
    let (portal, viewer) = crate::viewer::signed_in()?;
    let mut input = DetailsInput {
        name,
        email,
        phone,
        line1,
        line2,
        city,
        state,
        postal_code,
        country,
    };
    let known = portal.details(&viewer).await?;
    let faults = check(&input, &known);
    if !faults.is_empty() {
        return Err(Refusal::Invalid(faults));
    }
    check::tidy(&mut input);
    portal.save_details(&viewer, input).await?;
    go_on(HERE, Notice::DetailsSaved);
    Ok(None)
}

/// Adds a tax number.
///
/// # Errors
/// As every server function of the portal; [`Refusal::Invalid`] by field.
#[server(prefix = "/api/portal", endpoint = "add-tax-id", output = Packed)]
pub async fn add_tax_id(
    /// Stripe's type, and after a colon the country it was chosen for.
    kind: String,
    /// As typed.
    value: String,
) -> Done {
    use super::outcome::{Notice, go_on};
    let (portal, viewer) = crate::viewer::signed_in()?;
    let faults = tax_ids::check(&kind, &value);
    if !faults.is_empty() {
        return Err(Refusal::Invalid(faults));
    }
    let kind = kind.split(':').next().unwrap_or_default().to_owned();
    portal.add_tax_id(&viewer, kind, value).await?;
    go_on(HERE, Notice::TaxIdAdded);
    Ok(None)
}

/// Removes a tax number.
///
/// # Errors
/// As every server function of the portal.
#[server(prefix = "/api/portal", endpoint = "remove-tax-id", output = Packed)]
pub async fn remove_tax_id(
    /// Which.
    id: String,
) -> Done {
    use super::outcome::{Notice, go_on};
    let (portal, viewer) = crate::viewer::signed_in()?;
    portal.remove_tax_id(&viewer, id).await?;
    go_on(HERE, Notice::TaxIdRemoved);
    Ok(None)
}

/// What can be done on the page.
#[derive(Clone, Copy)]
struct Acts {
    save: Act,
    add: Act,
    remove: Act,
}

/// The page.
#[component]
pub fn DetailsPage() -> impl IntoView {
    let acts = Acts {
        save: Act::of::<SaveDetails>(),
        add: Act::of::<AddTaxId>(),
        remove: Act::of::<RemoveTaxId>(),
    };
    let question = move || Question::plain().after(&[acts.save, acts.add, acts.remove]);
    let resource = load::<LoadDetails>(question);
    view! { <Loaded resource=resource view=move |details| details_shown(details, acts) /> }
}

/// What it shows.
#[wasm_split(about, fallible, preload(preload_details))]
pub(super) fn details_shown(arrived: Arrived<DetailsShown>, acts: Acts) -> Shown {
    let shown = arrived.read()?;
    Ok(view! { <Whole shown=shown acts=acts /> }.into_any())
}

#[component]
fn Whole(shown: DetailsShown, acts: Acts) -> impl IntoView {
    let words = words();
    let editable = &shown.details.editable;
    let may = |field| editable.contains(&field);
    let any = [
        CustomerField::Name,
        CustomerField::Email,
        CustomerField::Phone,
        CustomerField::Address,
    ];
    let form = any.into_iter().any(may);
    let taxes = may(CustomerField::TaxId) || !shown.tax_ids.is_empty();
    view! {
        <Page>
            <PageHeader title=words.shell_details() lead=words.details_lead() />
            <Outcome refusal=acts.save.refusal() />
            {if form {
                view! { <Form shown=shown.clone() acts=acts /> }.into_any()
            } else {
                view! { <Fixed details=shown.details.clone() address=shown.address_lines.clone() only=any.to_vec() /> }.into_any()
            }}
            {taxes.then(|| view! { <TaxIds shown=shown adding=acts.add removing=acts.remove /> })}
        </Page>
    }
}

/// Details that can only be read.
#[component]
fn Fixed(details: Details, address: Vec<String>, only: Vec<CustomerField>) -> impl IntoView {
    let words = words();
    let facts: Vec<_> = [
        (CustomerField::Name, words.home_name(), details.name),
        (CustomerField::Email, words.home_email(), details.email),
        (CustomerField::Phone, words.details_phone(), details.phone),
        (
            CustomerField::Address,
            words.home_address(),
            Some(address.join("\n")),
        ),
    ]
    .into_iter()
    .filter(|(field, ..)| only.contains(field))
    .filter_map(|(_, name, value)| {
        let value = value.filter(|value| !value.is_empty())?;
        Some(view! { <Fact name=name>{value}</Fact> })
    })
    .collect();
    view! { <Facts>{facts}</Facts> }.into_any()
}

/// The inputs in the order of the form, with their ids.
const INPUTS: [(Input, &str); 9] = [
    (Input::Name, "name"),
    (Input::Email, "email"),
    (Input::Phone, "phone"),
    (Input::Country, "country"),
    (Input::Line1, "line1"),
    (Input::Line2, "line2"),
    (Input::City, "city"),
    (Input::State, "state"),
    (Input::PostalCode, "postal_code"),
];

/// What stands in the form now.
fn read() -> DetailsInput {
    DetailsInput {
        name: typed("name"),
        email: typed("email"),
        phone: typed("phone"),
        line1: typed("line1"),
        line2: typed("line2"),
        city: typed("city"),
        state: typed("state"),
        postal_code: typed("postal_code"),
        country: typed("country"),
    }
}

#[component]
fn Form(shown: DetailsShown, acts: Acts) -> impl IntoView {
    let words = words();
    let refusal = acts.save.refusal();
    let faults = Faults::new(refusal);
    let details = shown.details.clone();
    let known = StoredValue::new(details.clone());
    let stands = shown
        .retyped
        .unwrap_or_else(|| DetailsInput::of(&shown.details));
    let left = move |input: Input| {
        let found = known.with_value(|known| check(&read(), known));
        let rule = found.into_iter().find(|(other, _)| *other == input);
        faults.left(input, rule.map(|(_, rule)| rule));
    };
    let send = move |event: leptos::ev::MouseEvent| {
        let found = known.with_value(|known| check(&read(), known));
        for (input, _) in INPUTS {
            let rule = found.iter().find(|(other, _)| *other == input);
            faults.note(input, rule.map(|(_, rule)| *rule));
        }
        let first = INPUTS
            .iter()
            .find(|(input, _)| found.iter().any(|(other, _)| other == input));
        if let Some((_, id)) = first {
            event.prevent_default();
            focus(id);
        }
    };
    let may = move |field| known.with_value(|known| known.editable.contains(&field));
    let fixed = [
        CustomerField::Name,
        CustomerField::Email,
        CustomerField::Phone,
        CustomerField::Address,
    ];
    let fixed: Vec<_> = fixed.into_iter().filter(|field| !may(*field)).collect();
    let optional = move |label: &str| words.details_optional(label);
    let line = move |input, id, label: String, kind, autocomplete, value| {
        text_input(Line {
            id,
            label: label.into(),
            kind,
            autocomplete,
            value,
            error: faults.of(input),
            left: Box::new(move || left(input)),
        })
    };
    let email = match &details.email {
        Some(_) => words.home_email().to_owned(),
        None => optional(words.home_email()),
    };
    let contact =
        may(CustomerField::Name) || may(CustomerField::Email) || may(CustomerField::Phone);
    let DetailsInput {
        name,
        email: mail,
        phone,
        ..
    } = stands.clone();
    view! {
        <ActForm act=acts.save class=CLASS>
            {(!fixed.is_empty()).then(|| view! { <Fixed details=details.clone() address=shown.address_lines.clone() only=fixed /> })}
            {contact.then(|| view! {
                <Section title=words.details_contact()>
                    {may(CustomerField::Name).then(|| line(Input::Name, "name", optional(words.details_name()), "text", "name", name))}
                    {may(CustomerField::Email).then(|| line(Input::Email, "email", email, "email", "email", mail))}
                    {may(CustomerField::Phone).then(|| line(Input::Phone, "phone", optional(words.details_phone()), "tel", "tel", phone))}
                </Section>
            })}
            {may(CustomerField::Address).then(|| view! {
                <Section title=words.home_address()>
                    <AddressFields stands=stands countries=shown.countries.clone() faults=faults left=left />
                </Section>
            })}
            <div>
                <Button kind=ButtonKind::Primary submit=true busy=acts.save.pending() on:pointerdown=move |_| faults.press() on:click=send>{words.details_save()}</Button>
            </div>
        </ActForm>
    }
    .into_any()
}

/// What a line of text needs to know.
struct Line {
    id: &'static str,
    label: Signal<String>,
    kind: &'static str,
    autocomplete: &'static str,
    value: String,
    error: Signal<Option<String>>,
    left: Box<dyn Fn() + Send>,
}

/// A line of text that is checked when it is left.
fn text_input(line: Line) -> AnyView {
    let Line {
        id,
        label,
        kind,
        autocomplete,
        value,
        error,
        left,
    } = line;
    // Without scripts, what the browser catches is not lost by asking the server. What depends on the country is left to
    // the server: the reader may choose another one.
    let required = kind == "email" && !value.is_empty();
    view! {
        <FieldFrame id=id label=label error=error>
            <input
                class="input"
                id=id
                name=id
                r#type=kind
                value=value
                maxlength=check::characters_max(id)
                required=required
                autocomplete=autocomplete
                aria-describedby=described_by(id)
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                on:blur=move |_| left()
            />
        </FieldFrame>
    }
    .into_any()
}
