//! Worked addresses.

use super::*;

fn address(country: &str, line1: &str, city: &str, state: &str, postal_code: &str) -> Address {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Address {
        line1: some(line1),
        line2: None,
        city: some(city),
        state: some(state),
        postal_code: some(postal_code),
        country: some(country),
    }
}

#[test]
fn each_country_writes_its_lines() {
    for (given, expected) in [
        (
            address("US", "1 Main St", "Springfield", "IL", "62701"),
            vec!["1 Main St", "Springfield, IL 62701"],
        ),
        (
            address("US", "1 Main St", "Springfield", "", "62701"),
            vec!["1 Main St", "Springfield 62701"],
        ),
        (address("US", "", "", "", "62701"), vec!["62701"]),
        (
            address("DE", "Torstraße 140", "Berlin", "", "10119"),
            vec!["Torstraße 140", "10119 Berlin"],
        ),
        (
            address("GB", "12 St James’s Square", "London", "", "SW1Y 4JH"),
            vec!["12 St James’s Square", "London", "SW1Y 4JH"],
        ),
        (
            address("JP", "千代田1-1", "千代田区", "東京都", "100-0001"),
            vec!["〒100-0001", "東京都 千代田区", "千代田1-1"],
        ),
        (
            address("BR", "Av. Paulista 1", "São Paulo", "SP", "01310-100"),
            vec!["Av. Paulista 1", "São Paulo-SP", "01310-100"],
        ),
        (
            address("QQ", "1 Road", "Town", "", ""),
            vec!["1 Road", "Town"],
        ),
        (address("", "", "", "", ""), vec![]),
    ] {
        assert_eq!(lines(&given), expected, "{given:?}");
    }
}

#[test]
fn postal_codes_get_their_usual_form_or_are_refused() {
    for (country, typed, expected) in [
        ("GB", "sw1y4jh", Some("SW1Y 4JH")),
        ("GB", "M1 1AE", Some("M1 1AE")),
        ("GB", "12345", None),
        ("US", "62701", Some("62701")),
        ("US", "627011234", Some("62701-1234")),
        ("US", "6270", None),
        ("CA", "k1a0b1", Some("K1A 0B1")),
        ("NL", "1012ab", Some("1012 AB")),
        ("JP", "1000001", Some("100-0001")),
        ("PL", "00950", Some("00-950")),
        ("LV", "LV1010", Some("LV-1010")),
        ("DE", "1011", None),
        ("DE", "1011a", None),
        ("DE", "10119!", None),
        ("QQ", "anything at all", Some("ANYTHING AT ALL")),
    ] {
        assert_eq!(
            Layout::of(country).postal_code(typed).as_deref(),
            expected,
            "{country} {typed}"
        );
    }
}

#[test]
fn what_a_country_needs_is_asked_once_anything_is_given() {
    for (given, expected) in [
        (address("US", "", "", "", ""), vec![]),
        (
            address("US", "1 Main St", "", "", ""),
            vec![
                (Part::City, Fault::Required),
                (Part::State, Fault::Required),
                (Part::PostalCode, Fault::Required),
            ],
        ),
        (
            address("DE", "Torstraße 140", "Berlin", "", "1"),
            vec![(Part::PostalCode, Fault::PostalCode)],
        ),
        (address("HK", "1 Road", "", "Kowloon", ""), vec![]),
        (
            address("DE", "Torstraße 140", &"B".repeat(201), "", "10119"),
            vec![(Part::City, Fault::TooLong)],
        ),
    ] {
        assert_eq!(check(&given), expected, "{given:?}");
    }
}

#[test]
fn every_layout_asks_only_for_what_it_writes() {
    for layout in layouts::LAYOUTS {
        let parts: Vec<_> = layout.parts().collect();
        for part in [Part::Street, Part::City, Part::State, Part::PostalCode] {
            assert!(
                !layout.requires(part) || parts.contains(&part),
                "{}",
                layout.country
            );
            assert!(
                parts.iter().filter(|own| **own == part).count() <= 1,
                "{}",
                layout.country
            );
        }
        for pattern in layout.codes {
            let example: String = pattern
                .chars()
                .map(|c| match c {
                    '9' | '*' => '1',
                    '@' => 'A',
                    c => c,
                })
                .collect();
            assert_eq!(
                layout.postal_code(&example).as_deref(),
                Some(example.as_str()),
                "{}",
                layout.country
            );
        }
    }
    let countries: std::collections::BTreeSet<_> = layouts::LAYOUTS
        .iter()
        .map(|layout| layout.country)
        .collect();
    assert_eq!(countries.len(), layouts::LAYOUTS.len());
}
