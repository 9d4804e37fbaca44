//! Laws and examples of this room.

use super::*;
use proptest::prelude::*;

/// 2026-11-21 12:00:00 UTC.
const NOW: Timestamp = Timestamp(1_795_262_400);

#[test]
fn numbers() {
    let check = |text: &str, expected: Result<(CardBrand, &str), CardFault>| {
        let read = CardNumber::parse(text);
        let read = read.as_ref().map(|number| (number.brand(), number.last4()));
        assert_eq!(read.map_err(|fault| *fault), expected, "{text}");
    };
    use CardBrand::*;
    check("4242 4242 4242 4242", Ok((Visa, "4242")));
    check("4242-4242-4242-4242", Ok((Visa, "4242")));
    check(" 4242\u{a0}4242\u{2009}42424242 ", Ok((Visa, "4242")));
    check("4222222222222", Ok((Visa, "2222")));
    check("5555555555554444", Ok((Mastercard, "4444")));
    check("2223003122003222", Ok((Mastercard, "3222")));
    check("378282246310005", Ok((Amex, "0005")));
    check("6011111111111117", Ok((Discover, "1117")));
    check("3056930009020004", Ok((Diners, "0004")));
    check("36227206271667", Ok((Diners, "1667")));
    check("3566002020360505", Ok((Jcb, "0505")));
    check("6200000000000005", Ok((Unionpay, "0005")));
    check("6205500000000000004", Ok((Unionpay, "0004")));
    check("", Err(CardFault::NumberMissing));
    check("  - ", Err(CardFault::NumberMissing));
    check("4242424242424241", Err(CardFault::NumberIncorrect));
    check("424242424242", Err(CardFault::NumberInvalid));
    check("42424242424242424242", Err(CardFault::NumberInvalid));
    check("37828224631000", Err(CardFault::NumberInvalid));
    check("4242 4242 4242 424x", Err(CardFault::NumberInvalid));
    check(
        "４２４２４２４２４２４２４２４２",
        Err(CardFault::NumberInvalid),
    );
    check(&"4".repeat(1000), Err(CardFault::NumberInvalid));
}

#[test]
fn brands_while_typing() {
    let check = |digits: &str, expected: CardBrand| assert_eq!(brand(digits), expected, "{digits}");
    check("", CardBrand::Unknown);
    check("4", CardBrand::Visa);
    check("5", CardBrand::Unknown);
    check("51", CardBrand::Mastercard);
    check("56", CardBrand::Unknown);
    check("2220", CardBrand::Unknown);
    check("2221", CardBrand::Mastercard);
    check("2720", CardBrand::Mastercard);
    check("2721", CardBrand::Unknown);
    check("34", CardBrand::Amex);
    check("30", CardBrand::Unknown);
    check("305", CardBrand::Diners);
    check("306", CardBrand::Unknown);
    check("352", CardBrand::Unknown);
    check("3528", CardBrand::Jcb);
    check("3590", CardBrand::Unknown);
    check("644", CardBrand::Discover);
    check("x4", CardBrand::Unknown);
}

#[test]
fn expiries() {
    let check = |text: &str, expected: Result<(u8, u16), CardFault>| {
        let read = Expiry::parse(text).and_then(|expiry| expiry.check(NOW).map(|()| expiry));
        assert_eq!(
            read.map(|expiry| (expiry.month, expiry.year)),
            expected,
            "{text}"
        );
    };
    check("12/29", Ok((12, 2029)));
    check("12 / 29", Ok((12, 2029)));
    check("1/2030", Ok((1, 2030)));
    check("0130", Ok((1, 2030)));
    check("012030", Ok((1, 2030)));
    check("12-29", Ok((12, 2029)));
    check("11/26", Ok((11, 2026)));
    check("10/26", Err(CardFault::MonthPast));
    check("12/25", Err(CardFault::YearPast));
    check("13/29", Err(CardFault::MonthInvalid));
    check("00/29", Err(CardFault::MonthInvalid));
    check("x1/29", Err(CardFault::MonthInvalid));
    check("12/2x", Err(CardFault::YearInvalid));
    check("12/299", Err(CardFault::YearInvalid));
    check("12/2076", Ok((12, 2076)));
    check("12/77", Err(CardFault::YearInvalid));
    check("12/", Err(CardFault::ExpiryMissing));
    check("12", Err(CardFault::ExpiryMissing));
    check("129", Err(CardFault::ExpiryMissing));
    check("", Err(CardFault::ExpiryMissing));
    check("1é29", Err(CardFault::ExpiryMissing));
    check("é/29", Err(CardFault::MonthInvalid));
}

#[test]
fn security_codes() {
    let check = |cvc: &str, brand: CardBrand, expected: Result<(), CardFault>| {
        assert_eq!(check_cvc(cvc, brand), expected, "{cvc} {brand:?}");
    };
    check("123", CardBrand::Visa, Ok(()));
    check("1234", CardBrand::Visa, Err(CardFault::CvcInvalid));
    check("1234", CardBrand::Amex, Ok(()));
    check("123", CardBrand::Amex, Err(CardFault::CvcInvalid));
    check("123", CardBrand::Unknown, Ok(()));
    check("12a", CardBrand::Visa, Err(CardFault::CvcInvalid));
    check("", CardBrand::Visa, Err(CardFault::CvcMissing));
}

#[test]
fn a_form_shows_every_fault_at_once() {
    let faults = check("4242424242424241", "13/29", "12", NOW).unwrap_err();
    let seen: Vec<_> = faults
        .iter()
        .map(|f| (f.field(), f.code(), f.param()))
        .collect();
    assert_eq!(
        seen,
        [
            (CardField::Number, "incorrect_number", "number"),
            (CardField::Expiry, "invalid_expiry_month", "exp_month"),
            (CardField::Cvc, "invalid_cvc", "cvc"),
        ]
    );
    // The code of a broken American Express number is still four digits long.
    assert_eq!(
        check("3782", "12/29", "1234", NOW),
        Err(vec![CardFault::NumberInvalid])
    );
    assert!(check("378282246310005", "12/29", "1234", NOW).is_ok());
}

#[test]
fn numbers_are_grouped_as_on_the_card() {
    let check = |digits: &str, expected: &str| assert_eq!(grouped(digits), expected);
    check("4242424242424242", "4242 4242 4242 4242");
    check("42424", "4242 4");
    check("378282246310005", "3782 822463 10005");
    check("36227206271667", "3622 720627 1667");
    check("6205500000000000004", "6205 5000 0000 0000 004");
}

#[test]
fn a_number_does_not_print() {
    let number = CardNumber::parse("4242424242424242").unwrap();
    assert_eq!(format!("{number:?}"), "CardNumber(…4242)");
}

proptest! {
    #[test]
    fn no_text_panics(number in ".{0,80}", expiry in ".{0,20}", cvc in ".{0,8}", at: i64) {
        let _ = check(&number, &expiry, &cvc, Timestamp(at));
        let _ = grouped(&number);
    }

    #[test]
    fn luhn_finds_every_wrong_digit(digits in "[0-9]{11,18}", place: proptest::sample::Index, by in 1_u8..10) {
        let right = (0..10).map(|check| format!("{digits}{check}")).find(|number| luhn(number)).unwrap();
        let mut wrong = right.clone().into_bytes();
        let place = place.index(wrong.len());
        wrong[place] = b'0' + (wrong[place] - b'0' + by) % 10;
        prop_assert!(!luhn(&String::from_utf8(wrong).unwrap()));
    }
}
