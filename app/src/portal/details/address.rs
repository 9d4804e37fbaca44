//! A billing address: the country first, then what addresses there are made of, in their order.

use super::{Line, text_input};
use crate::{
    locale::{Words, words},
    port::DetailsInput,
    portal::outcome::Faults,
    refusal::Field as Input,
    ui::{FieldFrame, described_by},
};
use leptos::prelude::*;
use perennial::address::{CityWord, CodeWord, Layout, Part, StateWord};

/// The parts in the order of a country; those it doesn't have come last, for readers without scripts who choose
/// another country.
fn order(country: &str) -> Vec<Part> {
    let layout = Layout::of(country);
    let used: Vec<_> = layout.parts().collect();
    let all = [Part::Street, Part::City, Part::State, Part::PostalCode];
    let unused = all.into_iter().filter(|part| !used.contains(part));
    used.iter().copied().chain(unused).collect()
}

/// What a part is called in a country.
fn label(words: Words, country: &str, part: Part) -> String {
    let layout = Layout::of(country);
    let name = match part {
        Part::Street => words.address_line1(),
        Part::City => match layout.city {
            CityWord::City => words.address_city(),
            CityWord::District => words.address_district(),
            CityWord::PostTown => words.address_post_town(),
            CityWord::Suburb => words.address_suburb(),
        },
        Part::State => match layout.state {
            StateWord::Area => words.address_area(),
            StateWord::County => words.address_county(),
            StateWord::Department => words.address_department(),
            StateWord::District => words.address_district(),
            StateWord::Emirate => words.address_emirate(),
            StateWord::Island => words.address_island(),
            StateWord::Oblast => words.address_oblast(),
            StateWord::Parish => words.address_parish(),
            StateWord::Prefecture => words.address_prefecture(),
            StateWord::Province => words.address_province(),
            StateWord::State => words.address_state(),
        },
        Part::PostalCode => match layout.code {
            CodeWord::Eircode => words.address_eircode(),
            CodeWord::Pin => words.address_pin(),
            CodeWord::PostalCode => words.address_postal_code(),
            CodeWord::Zip => words.address_zip(),
        },
    };
    if layout.requires(part) {
        name.to_owned()
    } else {
        words.details_optional(name)
    }
}

/// The fields. Choosing another country arranges them anew, and keeps what was typed.
#[component]
pub fn AddressFields(
    stands: DetailsInput,
    countries: Vec<(String, String)>,
    faults: Faults,
    left: impl Fn(Input) + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let words = words();
    let country = RwSignal::new(stands.country.clone());
    let error = faults.of(Input::Country);
    let options: Vec<_> = countries
        .into_iter()
        .map(|(code, name)| {
            let chosen = country.with_untracked(|country| *country == code);
            view! { <option value=code selected=chosen>{name}</option> }
        })
        .collect();
    let stands = StoredValue::new(stands);
    let field = move |part: Part| {
        let own = |of: fn(&DetailsInput) -> &String| stands.with_value(|stands| of(stands).clone());
        let (input, id, autocomplete, value) = match part {
            Part::Street => (
                Input::Line1,
                "line1",
                "billing address-line1",
                own(|a| &a.line1),
            ),
            Part::City => (
                Input::City,
                "city",
                "billing address-level2",
                own(|a| &a.city),
            ),
            Part::State => (
                Input::State,
                "state",
                "billing address-level1",
                own(|a| &a.state),
            ),
            Part::PostalCode => (
                Input::PostalCode,
                "postal_code",
                "billing postal-code",
                own(|a| &a.postal_code),
            ),
        };
        let label = Signal::derive(move || country.with(|country| label(words, country, part)));
        let unused = move || {
            let unused =
                country.with(|country| !Layout::of(country).parts().any(|own| own == part));
            unused.then_some("")
        };
        let second = (part == Part::Street).then(|| {
            text_input(Line {
                id: "line2",
                label: words.details_optional(words.address_line2()).into(),
                kind: "text",
                autocomplete: "billing address-line2",
                value: own(|a| &a.line2),
                error: faults.of(Input::Line2),
                left: Box::new(move || left(Input::Line2)),
            })
        });
        let first = text_input(Line {
            id,
            label,
            kind: "text",
            autocomplete,
            value,
            error: faults.of(input),
            left: Box::new(move || left(input)),
        });
        view! { <div class="part" data-part=id data-unused=unused>{first}{second}</div> }.into_any()
    };
    view! {
        <FieldFrame id="country" label=words.details_optional(words.address_country()) error=error>
            <select
                class="input"
                id="country"
                name="country"
                autocomplete="billing country"
                aria-describedby=described_by("country")
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                on:change:target=move |event| country.set(event.target().value())
            >
                <option value=""></option>
                {options}
            </select>
        </FieldFrame>
        <For each=move || country.with(|country| order(country)) key=|part| *part children=field />
    }
    .into_any()
}
