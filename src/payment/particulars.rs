//! What the payer is to read of a payment: where the receipt goes, and what stands on their statement.

use serde::{Deserialize, Serialize};

/// The most characters of a line on a bank statement (the card networks' limit, as Stripe gives it).
pub const STATEMENT_CHARS_MAX: usize = 22;
/// The most characters of what the payee is called where something of the payment's own follows.
const PREFIX_CHARS_MAX: usize = 10;
/// The fewest characters by which a payee is known.
const NAME_CHARS_MIN: usize = 2;
/// What stands between the payee's name and the payment's own words.
const SEPARATOR: &str = "* ";
/// Signs that banks read as something else.
const REFUSED_SIGNS: &str = "<>\\'\"*";

/// What the payer is to read of a payment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Particulars {
    /// Where the receipt goes, whatever address the customer has.
    #[serde(default)]
    pub receipt_email: Option<String>,
    /// What the invoice that it pays says for the statement.
    #[serde(default)]
    pub statement_descriptor: Option<String>,
    /// What follows the payee's name on a card's statement.
    #[serde(default)]
    pub statement_descriptor_suffix: Option<String>,
}

impl Particulars {
    /// What is the payment's own on a card's statement: the suffix, and the descriptor only without one
    /// (as Stripe does).
    #[must_use]
    pub fn on_card(&self) -> Option<&str> {
        let suffix = self.statement_descriptor_suffix.as_deref();
        suffix.or(self.statement_descriptor.as_deref())
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Why a text can't stand on a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementFault {
    /// Longer than [`STATEMENT_CHARS_MAX`].
    #[error("It must have at most {STATEMENT_CHARS_MAX} characters.")]
    TooLong,
    /// Banks print Latin characters only.
    #[error("It may only contain Latin characters.")]
    NotLatin,
    /// One of the signs that banks read as something else.
    #[error("It may not contain any of the characters <, >, \\, ', \" or *.")]
    RefusedSign,
    /// Only digits and signs.
    #[error("It must contain at least one letter.")]
    NoLetter,
}

/// Whether a text can stand on a statement.
///
/// # Errors
/// Says why it can't.
pub fn check_statement(text: &str) -> Result<(), StatementFault> {
    if text.chars().count() > STATEMENT_CHARS_MAX {
        return Err(StatementFault::TooLong);
    }
    if !text.chars().all(is_latin) {
        return Err(StatementFault::NotLatin);
    }
    if text.chars().any(|sign| REFUSED_SIGNS.contains(sign)) {
        return Err(StatementFault::RefusedSign);
    }
    if !text.chars().any(char::is_alphabetic) {
        return Err(StatementFault::NoLetter);
    }
    Ok(())
}

/// What a card's statement says of a payment to a payee of this name, with the payment's own words.
/// `None` where nothing of either can be printed.
#[must_use]
pub fn card_statement(payee: &str, own: Option<&str>) -> Option<String> {
    let printed: String = payee
        .chars()
        .filter(|sign| is_latin(*sign) && !REFUSED_SIGNS.contains(*sign))
        .collect();
    let name = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    let name = Some(name).filter(|name| name.chars().count() >= NAME_CHARS_MIN);
    match (name, own) {
        (Some(name), Some(own)) => {
            let prefix = first_chars(&name, PREFIX_CHARS_MAX);
            let whole = format!("{prefix}{SEPARATOR}{own}");
            Some(first_chars(&whole, STATEMENT_CHARS_MAX))
        }
        (Some(name), None) => Some(first_chars(&name, STATEMENT_CHARS_MAX)),
        (None, own) => own.map(str::to_owned),
    }
}

/// A letter, digit or sign of the Latin alphabets.
fn is_latin(sign: char) -> bool {
    matches!(sign, ' '..='~' | '\u{a1}'..='\u{24f}')
}

/// At most so many characters, without a space at the end.
fn first_chars(text: &str, most: usize) -> String {
    let first: String = text.chars().take(most).collect();
    first.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_has_letters_that_banks_print() {
        for (text, expected) in [
            ("ORDER 7", Ok(())),
            ("Übung 7", Ok(())),
            ("a", Ok(())),
            ("7-7", Err(StatementFault::NoLetter)),
            ("", Err(StatementFault::NoLetter)),
            ("TWENTY-TWO CHARACTERS!", Ok(())),
            ("TWENTY-THREE CHARACTERS", Err(StatementFault::TooLong)),
            ("订单七", Err(StatementFault::NotLatin)),
            ("LINE\nTWO", Err(StatementFault::NotLatin)),
            ("A*B", Err(StatementFault::RefusedSign)),
            ("O'Hara", Err(StatementFault::RefusedSign)),
            ("back\\slash", Err(StatementFault::RefusedSign)),
        ] {
            assert_eq!(check_statement(text), expected, "{text}");
        }
    }

    #[test]
    fn a_card_statement_names_the_payee_first() {
        for (payee, own, expected) in [
            ("Halden", None, Some("Halden")),
            ("Halden", Some("ORDER 7"), Some("Halden* ORDER 7")),
            (
                "Halden Running Club of Norway",
                Some("10-22-19-10K"),
                Some("Halden Run* 10-22-19-1"),
            ),
            (
                "Halden Running Club of Norway",
                None,
                Some("Halden Running Club of"),
            ),
            ("  O'Hara  &  Sons* ", None, Some("OHara & Sons")),
            ("林小明", Some("ORDER 7"), Some("ORDER 7")),
            ("林小明", None, None),
        ] {
            let shown = card_statement(payee, own);
            assert_eq!(shown.as_deref(), expected, "{payee} {own:?}");
            let length = shown.map_or(0, |text| text.chars().count());
            assert!(length <= STATEMENT_CHARS_MAX, "{payee} {own:?}");
        }
    }

    #[test]
    fn the_suffix_goes_before_the_descriptor() {
        let mut own = Particulars::default();
        assert_eq!((own.on_card(), own.is_empty()), (None, true));
        own.statement_descriptor = Some("INVOICE".to_owned());
        assert_eq!(own.on_card(), Some("INVOICE"));
        own.statement_descriptor_suffix = Some("SUFFIX".to_owned());
        assert_eq!((own.on_card(), own.is_empty()), (Some("SUFFIX"), false));
    }
}
