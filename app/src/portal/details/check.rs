//! What is wrong with billing details as typed. The browser asks before it sends, the server before it believes.

use crate::{
    port::{Details, DetailsInput},
    refusal::{Field, Rule},
};
use perennial::{
    address::{self, Fault, PART_CHARACTERS_MAX, Part},
    country::Country,
    customer::Address,
    portal::CustomerField,
};

/// The most characters of a name (Stripe: 256).
const NAME_CHARACTERS_MAX: usize = 256;
/// The most characters of an e-mail address (RFC 5321: 254).
const EMAIL_CHARACTERS_MAX: usize = 254;
/// The most characters of a phone number: 15 digits (E.164) and what people put between them.
const PHONE_CHARACTERS_MAX: usize = 32;
/// How many digits a phone number has.
const PHONE_DIGITS: core::ops::RangeInclusive<usize> = 4..=15;

/// The most characters of the input with this id.
pub(super) fn characters_max(id: &str) -> usize {
    match id {
        "name" => NAME_CHARACTERS_MAX,
        "email" => EMAIL_CHARACTERS_MAX,
        "phone" => PHONE_CHARACTERS_MAX,
        _ => PART_CHARACTERS_MAX,
    }
}

/// All that is wrong, at most one fault a field, among what may be edited.
#[must_use]
pub fn check(input: &DetailsInput, known: &Details) -> Vec<(Field, Rule)> {
    let mut faults = Vec::new();
    let may = |field| known.editable.contains(&field);
    if may(CustomerField::Name) {
        faults.extend(length(&input.name, NAME_CHARACTERS_MAX).map(|rule| (Field::Name, rule)));
    }
    if may(CustomerField::Email) {
        let needed = known.email.is_some();
        faults.extend(email(&input.email, needed).map(|rule| (Field::Email, rule)));
    }
    if may(CustomerField::Phone) {
        faults.extend(phone(&input.phone).map(|rule| (Field::Phone, rule)));
    }
    if may(CustomerField::Address) {
        faults.extend(place(input));
    }
    faults
}

/// Puts what was typed into the form in which it is kept: without spaces around it, and the postal code as its country
/// writes it.
#[cfg(feature = "ssr")]
pub fn tidy(input: &mut DetailsInput) {
    input.country = input.country.trim().to_uppercase();
    let written = address::Layout::of(&input.country).postal_code(&input.postal_code);
    if let Some(written) = written {
        input.postal_code = written;
    }
}

fn length(text: &str, most: usize) -> Option<Rule> {
    let long = text.trim().chars().count() > most;
    long.then(|| Rule::TooLong(u32::try_from(most).unwrap_or(u32::MAX)))
}

/// Something before and after one @, and a dot in the domain: more would refuse good addresses.
fn email(text: &str, needed: bool) -> Option<Rule> {
    let text = text.trim();
    if text.is_empty() {
        return needed.then_some(Rule::Required);
    }
    let formed = text.split_once('@').is_some_and(|(local, domain)| {
        let labels = domain.split('.');
        !local.is_empty()
            && !domain.contains('@')
            && labels.clone().count() >= 2
            && labels.clone().all(|label| !label.is_empty())
    });
    let formed = formed && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    length(text, EMAIL_CHARACTERS_MAX).or((!formed).then_some(Rule::Malformed))
}

/// Digits, with what people put between them.
fn phone(text: &str) -> Option<Rule> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let between = |c: char| c.is_ascii_digit() || " +-./()x#".contains(c);
    let formed = PHONE_DIGITS.contains(&digits) && text.chars().all(between);
    length(text, PHONE_CHARACTERS_MAX).or((!formed).then_some(Rule::Malformed))
}

fn place(input: &DetailsInput) -> Vec<(Field, Rule)> {
    let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let typed = Address {
        line1: some(&input.line1),
        line2: some(&input.line2),
        city: some(&input.city),
        state: some(&input.state),
        postal_code: some(&input.postal_code),
        country: some(&input.country),
    };
    let country = typed.country.as_deref();
    match country.map(Country::find) {
        None if typed == Address::default() => return Vec::new(),
        None => return vec![(Field::Country, Rule::Required)],
        Some(None) => return vec![(Field::Country, Rule::Unknown)],
        Some(Some(_)) => {}
    }
    let most = u32::try_from(PART_CHARACTERS_MAX).unwrap_or(u32::MAX);
    let faults = address::check(&typed).into_iter().map(|(part, fault)| {
        let field = match part {
            Part::Street => Field::Line1,
            Part::City => Field::City,
            Part::State => Field::State,
            Part::PostalCode => Field::PostalCode,
        };
        let rule = match fault {
            Fault::Required => Rule::Required,
            Fault::TooLong => Rule::TooLong(most),
            Fault::PostalCode => Rule::Malformed,
        };
        (field, rule)
    });
    faults.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Details {
        use CustomerField::{Address, Email, Name, Phone};
        Details {
            email: Some("ada@example.com".to_owned()),
            editable: vec![Address, Email, Name, Phone],
            ..Details::default()
        }
    }

    #[track_caller]
    fn finds(edit: impl FnOnce(&mut DetailsInput), expected: &[(Field, Rule)]) {
        let mut input = DetailsInput {
            email: "ada@example.com".to_owned(),
            ..DetailsInput::default()
        };
        edit(&mut input);
        assert_eq!(check(&input, &known()), expected);
    }

    #[test]
    fn each_fault_is_found_in_its_field() {
        finds(|_| (), &[]);
        finds(|i| i.email.clear(), &[(Field::Email, Rule::Required)]);
        for wrong in [
            "ada",
            "ada@",
            "@example.com",
            "a@b@c.de",
            "a@b",
            "a@b..c",
            "a b@c.de",
        ] {
            finds(
                |i| i.email = wrong.to_owned(),
                &[(Field::Email, Rule::Malformed)],
            );
        }
        finds(|i| i.phone = "+44 20 7946 0000".to_owned(), &[]);
        finds(
            |i| i.phone = "call me".to_owned(),
            &[(Field::Phone, Rule::Malformed)],
        );
        finds(
            |i| i.name = "x".repeat(257),
            &[(Field::Name, Rule::TooLong(256))],
        );
        finds(
            |i| i.city = "Paris".to_owned(),
            &[(Field::Country, Rule::Required)],
        );
        finds(
            |i| i.country = "QQ".to_owned(),
            &[(Field::Country, Rule::Unknown)],
        );
        finds(|i| i.country = "FR".to_owned(), &[]);
        finds(
            |i| {
                i.country = "FR".to_owned();
                i.line1 = "12 rue de la Paix".to_owned();
                i.postal_code = "7500".to_owned();
            },
            &[
                (Field::City, Rule::Required),
                (Field::PostalCode, Rule::Malformed),
            ],
        );
    }

    #[test]
    fn what_may_not_be_edited_is_not_judged() {
        let input = DetailsInput {
            email: "no".to_owned(),
            ..DetailsInput::default()
        };
        assert_eq!(check(&input, &Details::default()), []);
    }
}
