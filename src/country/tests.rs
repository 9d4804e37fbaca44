//! The list and its lookups.

use super::{
    CODES, Country, Need, POSTAL_REQUIRED, POSTAL_UNUSED, STATE_OPTIONAL, STATE_REQUIRED, lists,
};

#[test]
fn the_list_is_whole_ordered_and_without_repetition() {
    let codes: Vec<_> = Country::all().map(|country| country.code).collect();
    assert_eq!(codes.len(), 249);
    assert!(codes.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(
        codes
            .iter()
            .all(|code| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()))
    );
}

#[test]
fn every_rule_is_about_a_country_and_none_contradicts_another() {
    for list in [
        STATE_REQUIRED,
        STATE_OPTIONAL,
        POSTAL_REQUIRED,
        POSTAL_UNUSED,
    ] {
        for code in list.split_ascii_whitespace() {
            assert!(lists(CODES, code), "{code}");
        }
    }
    for (one, other) in [
        (STATE_REQUIRED, STATE_OPTIONAL),
        (POSTAL_REQUIRED, POSTAL_UNUSED),
    ] {
        assert!(!one.split_ascii_whitespace().any(|code| lists(other, code)));
    }
}

#[test]
fn countries_are_found_in_either_case() {
    for (code, state, postal_code) in [
        ("US", Need::Required, Need::Required),
        ("de", Need::Unused, Need::Required),
        ("HK", Need::Optional, Need::Unused),
        ("ie", Need::Optional, Need::Optional),
        ("JP", Need::Required, Need::Required),
    ] {
        let found = Country::find(code).map(|country| (country.state, country.postal_code));
        assert_eq!(found, Some((state, postal_code)), "{code}");
    }
    assert_eq!(Country::find("XX"), None);
    assert_eq!(Country::find(""), None);
}
