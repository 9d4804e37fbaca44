//! The port's own types.

use super::*;

#[test]
fn return_paths_stay_here() {
    let check = |path: &str, expected: bool| {
        assert_eq!(ReturnPath::parse(path).is_some(), expected, "{path:?}");
    };
    check("/portal/cards?added=1#top", true);
    check("/", true);
    check("", false);
    check("portal", false);
    check("//evil.example", false);
    check("/\\evil.example", false);
    check("/a\\b", false);
    check("https://evil.example/", false);
    check("/a\r\nset-cookie: x", false);
    check("/\tx", false);
    check("/é", false);
    check(&format!("/{}", "a".repeat(ReturnPath::BYTES_MAX)), false);
}

#[test]
fn card_details_do_not_print() {
    let card = CardDetails::typed("4242424242424242", "12/29", "123", " Ada ");
    assert_eq!(format!("{card:?}"), "Ok(CardDetails(…))");
    assert_eq!(card.ok().and_then(|card| card.name).as_deref(), Some("Ada"));
}
