//! Writes card details as they stand on a card while they are typed. Every function takes the text and where the caret
//! is in it, and returns both as they should be.

use perennial::{
    card::{DIGITS_MAX, brand, grouped},
    payment::CardBrand,
};

/// The most digits of a security code.
const CVC_DIGITS_MAX: usize = 4;

/// The digits of a text, and how many of them stand before the caret (counted in characters).
fn digits(text: &str, caret: usize, most: usize) -> (String, usize) {
    let all: String = text
        .chars()
        .filter(char::is_ascii_digit)
        .take(most)
        .collect();
    let before = text
        .chars()
        .take(caret)
        .filter(char::is_ascii_digit)
        .count();
    let before = before.min(all.len());
    (all, before)
}

/// The scheme of a number, or of the beginning of one.
pub fn brand_of(text: &str) -> CardBrand {
    let (digits, _) = digits(text, 0, DIGITS_MAX);
    brand(&digits)
}

/// A number in the groups of its scheme.
pub fn number(text: &str, caret: usize) -> (String, usize) {
    let (digits, before) = digits(text, caret, DIGITS_MAX);
    let written = grouped(&digits);
    let caret = after(&written, before);
    (written, caret)
}

/// Where the caret stands after so many digits.
fn after(written: &str, digits: usize) -> usize {
    if digits == 0 {
        return 0;
    }
    let mut seen = 0;
    for (place, c) in written.chars().enumerate() {
        seen += usize::from(c.is_ascii_digit());
        if seen == digits {
            return place + 1;
        }
    }
    written.chars().count()
}

/// Month and year as `12 / 26`. It is written only at the end of the text, so that nothing moves under a reader who
/// mends it in the middle or takes it back.
pub fn expiry(text: &str, caret: usize) -> (String, usize) {
    let at_end = caret == text.chars().count();
    let separated = text.contains('/');
    let (mut digits, _) = digits(text, caret, 6);
    let keep = (text.to_owned(), caret);
    if !at_end || digits.is_empty() {
        return keep;
    }
    // A month below ten is complete with one digit if it can't begin a longer one, or is followed by the sign.
    let short = digits.len() == 1 && (separated || !digits.starts_with(['0', '1']));
    if short {
        digits.insert(0, '0');
    }
    // Taking back the space or the sign after the month takes nothing else.
    if digits.len() == 2 && !short && (text.ends_with(" /") || text.ends_with(' ')) && separated {
        let month = digits.clone();
        let taken = text.ends_with(" /");
        return if taken { (month, 2) } else { keep };
    }
    let Some((month, year)) = digits.split_at_checked(2) else {
        return keep;
    };
    let written = format!("{month} / {year}");
    let caret = written.chars().count();
    (written, caret)
}

/// Three or four digits.
pub fn cvc(text: &str, caret: usize) -> (String, usize) {
    digits(text, caret, CVC_DIGITS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(write: fn(&str, usize) -> (String, usize), typed: &str, expected: &str) {
        // `|` stands for the caret.
        let caret = typed
            .chars()
            .position(|c| c == '|')
            .unwrap_or(typed.chars().count());
        let (text, at) = write(&typed.replace('|', ""), caret);
        let mut shown: Vec<char> = text.chars().collect();
        shown.insert(at.min(shown.len()), '|');
        assert_eq!(shown.into_iter().collect::<String>(), expected, "{typed}");
    }

    #[test]
    fn a_number_is_grouped_and_the_caret_stays_with_its_digit() {
        check(number, "4242|", "4242|");
        check(number, "42424|", "4242 4|");
        check(number, "4242 42|42 4", "4242 42|42 4");
        check(number, "424|4242424", "424|4 2424 24");
        check(number, "|4242", "|4242");
        check(number, "3782822463|", "3782 822463|");
        check(number, "378282246310005|", "3782 822463 10005|");
        check(number, "4242-4242 4242.4242|", "4242 4242 4242 4242|");
        check(number, "abc|", "|");
        check(
            number,
            "42424242424242424242424|",
            "4242 4242 4242 4242 424|",
        );
    }

    #[test]
    fn an_expiry_gets_its_sign_and_lets_go_of_it() {
        check(expiry, "1|", "1|");
        check(expiry, "12|", "12 / |");
        check(expiry, "5|", "05 / |");
        check(expiry, "1/|", "01 / |");
        check(expiry, "12 / 2|", "12 / 2|");
        check(expiry, "12 / 26|", "12 / 26|");
        check(expiry, "1226|", "12 / 26|");
        check(expiry, "12/2026|", "12 / 2026|");
        // Backspace after the sign takes the sign, and the month stays.
        check(expiry, "12 /|", "12|");
        // In the middle nothing moves.
        check(expiry, "1|2 / 26", "1|2 / 26");
        check(expiry, "|", "|");
        check(expiry, "x|", "x|");
    }

    #[test]
    fn a_security_code_is_digits() {
        check(cvc, "12a3|", "123|");
        check(cvc, "12345|", "1234|");
    }
}
