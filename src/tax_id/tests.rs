//! Examples of every type, and slips of the hand.

use super::{Checksum, KINDS, TaxIdError, check_addition, kinds_of, parse};
use crate::calendar::Timestamp;
use crate::customer::TaxId;
use crate::id::TaxIdId;
use proptest::prelude::*;

#[test]
fn every_example_is_of_its_type() {
    for kind in KINDS {
        let parsed = parse(kind.name, kind.example);
        let parsed =
            parsed.unwrap_or_else(|error| panic!("{} {}: {error}", kind.name, kind.example));
        assert_eq!(parsed.country, kind.country, "{}", kind.example);
        let wanted = if kind.check.is_some() {
            Checksum::Valid
        } else {
            Checksum::Unknown
        };
        assert_eq!(parsed.checksum, wanted, "{} {}", kind.name, kind.example);
    }
}

#[test]
fn values_are_normalised() {
    for (kind, typed, wanted) in [
        ("eu_vat", " de 136 695 976 ", "DE136695976"),
        ("eu_vat", "atu13585627", "ATU13585627"),
        ("eu_vat", "EL 094259216", "EL094259216"),
        ("gb_vat", "GB 980 7806 84", "GB980780684"),
        ("ch_vat", "che-116.281.710 mwst", "CHE116281710MWST"),
        ("us_ein", "123456789", "12-3456789"),
        ("us_ein", "12-3456789", "12-3456789"),
        ("br_cnpj", "11222333000181", "11.222.333/0001-81"),
        ("au_abn", "51 824 753 556", "51824753556"),
    ] {
        assert_eq!(
            parse(kind, typed).map(|parsed| parsed.value),
            Ok(wanted.to_owned()),
            "{typed}"
        );
    }
}

#[test]
fn slips_are_seen() {
    for (kind, typed) in [
        ("eu_vat", "DE136695975"),
        ("eu_vat", "FR41303265045"),
        ("eu_vat", "IT00743110158"),
        ("eu_vat", "NL004495446B01"),
        ("eu_vat", "PL8567346216"),
        ("au_abn", "51824753557"),
        ("br_cnpj", "11.222.333/0001-82"),
        ("gb_vat", "GB980780685"),
        ("jp_cn", "6835678256246"),
    ] {
        assert_eq!(
            parse(kind, typed).map(|parsed| parsed.checksum),
            Ok(Checksum::Invalid),
            "{typed}"
        );
    }
}

#[test]
fn other_forms_are_refused_with_an_example() {
    for (kind, typed) in [
        ("eu_vat", ""),
        ("eu_vat", "136695976"),
        ("eu_vat", "XTU13585627"),
        ("eu_vat", "DE13669597A"),
        ("eu_vat", "DE1366959766"),
        ("eu_vat", "DE１３６６９５９７６"),
        ("sa_vat", "123456789012345"),
        ("us_ein", "12-345678"),
    ] {
        assert!(
            matches!(parse(kind, typed), Err(TaxIdError::Format { .. })),
            "{typed}"
        );
    }
    assert_eq!(parse("zz_vat", "1"), Err(TaxIdError::UnknownType));
}

#[test]
fn a_country_has_its_types() {
    let german: Vec<_> = kinds_of("de").map(|kind| kind.name).collect();
    assert_eq!(german, ["eu_vat"]);
    for (country, likeliest) in [("GB", "gb_vat"), ("CA", "ca_gst_hst"), ("CH", "ch_vat")] {
        assert_eq!(
            kinds_of(country).next().map(|kind| kind.name),
            Some(likeliest)
        );
    }
    assert_eq!(kinds_of("XX").count(), 0);
}

#[test]
fn five_are_enough_and_none_comes_twice() {
    let own = |bits: u128, value: &str| TaxId {
        id: TaxIdId::from_random(bits),
        kind: "eu_vat".to_owned(),
        value: value.to_owned(),
        country: None,
        created: Timestamp(0),
    };
    let five: Vec<_> = (0..5).map(|n| own(n, &format!("DE{n}"))).collect();
    assert_eq!(
        check_addition(&five, "eu_vat", "DE0"),
        Err(TaxIdError::Duplicate)
    );
    assert_eq!(
        check_addition(&five, "eu_vat", "DE9"),
        Err(TaxIdError::TooMany)
    );
    assert_eq!(check_addition(&five[..4], "eu_vat", "DE9"), Ok(()));
    assert_eq!(check_addition(&five[..4], "gb_vat", "DE0"), Ok(()));
}

proptest! {
    #[test]
    fn nothing_panics_and_what_is_normal_stays(index in 0..KINDS.len(), typed in "\\PC{0,40}") {
        if let Ok(parsed) = parse(KINDS[index].name, &typed) {
            let again = parse(KINDS[index].name, &parsed.value);
            prop_assert_eq!(again, Ok(parsed));
        }
    }

    #[test]
    fn checks_answer_for_every_value_of_the_form(index in 0..KINDS.len(), seed in any::<[u8; 24]>()) {
        let kind = &KINDS[index];
        for pattern in kind.patterns {
            let value: String = pattern
                .chars()
                .zip(seed.iter().cycle())
                .map(|(c, byte)| match c {
                    '9' => char::from(b'0' + byte % 10),
                    '@' | '*' => char::from(b'A' + byte % 26),
                    other => other,
                })
                .collect();
            prop_assert!(parse(kind.name, &value).is_ok(), "{}", value);
        }
    }
}
