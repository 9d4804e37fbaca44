//! Tax numbers: which there are, adding one, taking one away.

use super::{CLASS, DetailsShown};
use crate::{
    locale::words,
    portal::{
        act::{Act, ActForm},
        outcome::{Faults, Outcome, focus, typed},
    },
    refusal::{Field as Input, Rule},
    ui::{Button, ButtonKind, Disclosure, FieldFrame, Section, described_by},
};
use leptos::prelude::*;
use perennial::{
    customer::Customer,
    portal::CustomerField,
    tax_id::{self, Checksum},
};

/// The longest tax number that is typed, and the longest name of a type.
pub const CHARACTERS_MAX: usize = 64;

/// What is wrong with a tax number as typed. `kind` is Stripe's type, and after a colon the country it was chosen for.
pub fn check(kind: &str, value: &str) -> Vec<(Input, Rule)> {
    let name = kind.split(':').next().unwrap_or_default();
    if !tax_id::KINDS.iter().any(|kind| kind.name == name) {
        return vec![(Input::TaxIdType, Rule::Unknown)];
    }
    let rule = match tax_id::parse(name, value) {
        _ if value.trim().is_empty() => Some(Rule::Required),
        // The API takes what has the right form; a person at a form is better told of a slip.
        Ok(parsed) if parsed.checksum == Checksum::Invalid => Some(Rule::Malformed),
        Ok(_) => None,
        Err(_) => Some(Rule::Malformed),
    };
    rule.map(|rule| (Input::TaxIdValue, rule))
        .into_iter()
        .collect()
}

/// A type in words: the country, and what the number is called there, which is the same in every language.
#[cfg(feature = "ssr")]
fn said(locale: crate::locale::Locale, name: &str, country: &str) -> String {
    let short = match name {
        "eu_vat" => "EU VAT".to_owned(),
        "eu_oss_vat" => "OSS VAT".to_owned(),
        "ca_gst_hst" => "GST/HST".to_owned(),
        _ => {
            let short = name.split_once('_').map_or(name, |(_, short)| short);
            short.replace('_', " ").to_uppercase()
        }
    };
    let country = match country {
        "EU" => short.clone(),
        code => crate::country::name(locale, code),
    };
    if country == short {
        return short;
    }
    locale.words().details_tax_kind(&country, &short)
}

/// The customer's tax numbers: id, type in words, value.
#[cfg(feature = "ssr")]
pub fn shown(
    locale: crate::locale::Locale,
    own: &[perennial::customer::TaxId],
) -> Vec<(String, String, String)> {
    let each = own.iter().map(|own| {
        let kind = said(locale, &own.kind, own.country.as_deref().unwrap_or("EU"));
        (own.id.to_string(), kind, own.value.clone())
    });
    each.collect()
}

/// The types to choose from: type and country, in words, an example. Those of the customer's country first, then the
/// others in the order of their countries' names.
#[cfg(feature = "ssr")]
pub fn kinds(locale: crate::locale::Locale, country: &str) -> Vec<(String, String, String)> {
    let all = crate::country::all(locale).map(|(code, _)| code);
    let countries = [country].into_iter().filter(|code| !code.is_empty());
    let countries = countries
        .chain(all.filter(|code| *code != country))
        .chain(["EU"]);
    let kinds = countries.flat_map(tax_id::kinds_of);
    let each = kinds.map(|kind| {
        (
            format!("{}:{}", kind.name, kind.country),
            said(locale, kind.name, kind.country),
            kind.example.to_owned(),
        )
    });
    each.collect()
}

/// The list, and the form to add one.
#[component]
pub fn TaxIds(shown: DetailsShown, adding: Act, removing: Act) -> impl IntoView {
    let words = words();
    let may = shown.details.editable.contains(&CustomerField::TaxId);
    let full = shown.tax_ids.len() >= Customer::TAX_IDS_MAX;
    let (add, remove) = (adding.refusal(), removing.refusal());
    let refusal = Signal::derive(move || add.get().or_else(|| remove.get()));
    let none = shown.tax_ids.is_empty();
    let refused = add.get_untracked().is_some();
    let rows: Vec<_> = shown
        .tax_ids
        .into_iter()
        .map(|(id, kind, value)| {
            let of = words.details_tax_remove_of(&value);
            view! {
                <li>
                    <span class="number">{value}<small>{kind}</small></span>
                    {may.then(|| view! {
                        <ActForm act=removing>
                            <input r#type="hidden" name="id" value=id />
                            <Button kind=ButtonKind::Text submit=true busy=removing.pending() attr:aria-label=of>{words.methods_remove()}</Button>
                        </ActForm>
                    })}
                </li>
            }
        })
        .collect();
    let stands = shown.retyped_tax_id;
    let form = move |kinds| view! { <Add kinds=kinds stands=stands.clone().unwrap_or_default() adding=adding /> };
    let kinds = shown.tax_kinds;
    view! {
        <Section title=words.details_tax()>
            <p class="quiet">{words.details_tax_lead()}</p>
            <Outcome refusal=refusal notices=false />
            {(!none).then(|| view! { <ul role="list" class=format!("{CLASS} numbers")>{rows}</ul> })}
            {match (may, full) {
                (false, _) => ().into_any(),
                (true, true) => view! { <p class="quiet">{words.details_tax_full()}</p> }.into_any(),
                (true, false) => view! { <Disclosure summary=words.details_tax_add() open=refused>{form(kinds)}</Disclosure> }.into_any(),
            }}
        </Section>
    }
    .into_any()
}

#[component]
fn Add(
    kinds: Vec<(String, String, String)>,
    /// What is in the form at first: type and value.
    stands: (String, String),
    adding: Act,
) -> impl IntoView {
    let words = words();
    let faults = Faults::new(adding.refusal());
    let (kind_error, value_error) = (faults.of(Input::TaxIdType), faults.of(Input::TaxIdValue));
    let (kind, value) = stands;
    let first = kinds.iter().find(|(own, ..)| *own == kind);
    let first = first.or(kinds.first());
    let first = first.map(|(_, _, example)| example.clone());
    let example = RwSignal::new(first.unwrap_or_default());
    let options: Vec<_> = kinds
        .iter()
        .map(|(value, text, _)| {
            view! { <option value=value.clone() selected=*value == kind>{text.clone()}</option> }
        })
        .collect();
    let kinds = StoredValue::new(kinds);
    let chosen = move |kind: String| {
        let found = kinds.with_value(|kinds| {
            let mut kinds = kinds.iter();
            kinds
                .find(|(value, ..)| *value == kind)
                .map(|(_, _, example)| example.clone())
        });
        example.set(found.unwrap_or_default());
        faults.note(Input::TaxIdValue, None);
    };
    let judge = || {
        let found = check(&typed("kind"), &typed("value"));
        found.first().map(|(_, rule)| *rule)
    };
    let send = move |event: leptos::ev::MouseEvent| {
        let rule = judge();
        faults.note(Input::TaxIdValue, rule);
        if rule.is_some() {
            event.prevent_default();
            focus("value");
        }
    };
    view! {
        <ActForm act=adding class=CLASS>
            <FieldFrame id="kind" label=words.details_tax_type() error=kind_error>
                <select
                    class="input"
                    id="kind"
                    name="kind"
                    aria-describedby=described_by("kind")
                    on:change:target=move |event| chosen(event.target().value())
                >
                    {options}
                </select>
            </FieldFrame>
            <FieldFrame id="value" label=words.details_tax_value() error=value_error>
                <p class="hint" id="value-hint">{move || words.details_tax_example(&example.get())}</p>
                <input
                    class="input"
                    id="value"
                    name="value"
                    r#type="text"
                    value=value
                    required=true
                    maxlength=CHARACTERS_MAX.to_string()
                    autocomplete="off"
                    autocapitalize="characters"
                    spellcheck="false"
                    aria-describedby=described_by("value")
                    aria-invalid=move || value_error.with(Option::is_some).then_some("true")
                    on:blur=move |_| faults.left(Input::TaxIdValue, judge())
                />
            </FieldFrame>
            <div><Button submit=true busy=adding.pending() on:pointerdown=move |_| faults.press() on:click=send>{words.details_tax_save()}</Button></div>
        </ActForm>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_judged_by_its_type() {
        for (kind, value, expected) in [
            ("eu_vat:FR", "FR 40 303 265 045", None),
            (
                "eu_vat:FR",
                "FR40303265046",
                Some((Input::TaxIdValue, Rule::Malformed)),
            ),
            ("eu_vat", "12", Some((Input::TaxIdValue, Rule::Malformed))),
            ("eu_vat:FR", " ", Some((Input::TaxIdValue, Rule::Required))),
            ("xx_vat", "1", Some((Input::TaxIdType, Rule::Unknown))),
        ] {
            assert_eq!(
                check(kind, value).first().copied(),
                expected,
                "{kind} {value}"
            );
        }
    }

    #[cfg(feature = "ssr")]
    #[test]
    fn types_of_ones_own_country_come_first() {
        let kinds = kinds(crate::locale::Locale::En, "DE");
        assert_eq!(kinds[0].0, "eu_vat:DE");
        assert_eq!(kinds[0].1, "Germany: EU VAT");
        // Every type can be chosen, once for each of its countries.
        assert_eq!(kinds.len(), tax_id::KINDS.len());
    }
}
