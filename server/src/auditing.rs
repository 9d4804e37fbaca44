//! What `perennial audit` prints.

use std::fmt::Write as _;

use perennial::currency::Currency;
use perennial::ledger::Account;
use serde_json::{Value, json};

use crate::service::audit::{Audit, Book};

/// A report for people: the accounts of each currency, the share of money that is explained, and
/// each exception.
#[must_use]
pub fn report(audit: &Audit) -> String {
    let mode = if audit.scope.livemode { "live" } else { "test" };
    let mut text = format!("{} ({mode})\n", audit.scope.merchant);
    // Writing to a string can't fail.
    let _ = writeln!(
        text,
        "  {} invoices, {} customers, {} subscriptions with {} invoiced periods",
        audit.invoices, audit.customers, audit.subscriptions, audit.periods
    );
    for (currency, book) in &audit.books {
        account_lines(&mut text, *currency, book);
    }
    match audit.exceptions_count {
        0 => text.push_str("  No exceptions.\n"),
        count => {
            let _ = writeln!(text, "  Exceptions: {count}");
        }
    }
    for exception in &audit.exceptions {
        let kind = serde_json::to_value(exception.kind).unwrap_or_default();
        let kind = kind.as_str().unwrap_or_default();
        let _ = writeln!(
            text,
            "    {kind:<8} {}: {}",
            exception.object, exception.message
        );
    }
    let named = audit.exceptions.len() as u64;
    if named < audit.exceptions_count {
        let _ = writeln!(text, "    … and {} more", audit.exceptions_count - named);
    }
    text
}

fn account_lines(text: &mut String, currency: Currency, book: &Book) {
    let _ = writeln!(
        text,
        "  {currency:<20} {:>20} {:>20}",
        "ledger", "documents"
    );
    for account in Account::ALL {
        let (own, theirs) = (book.ledger.of(account), book.documents.of(account));
        if own == 0 && theirs == 0 {
            continue;
        }
        let differs = if own == theirs { "" } else { "  differs" };
        let _ = writeln!(
            text,
            "    {:<18} {:>20} {:>20}{differs}",
            account.name(),
            written(own, currency),
            written(theirs, currency)
        );
    }
    let _ = writeln!(
        text,
        "    Money explained: {} ({} of {})",
        share(book),
        written(book.explained_minor, currency),
        written(book.moved_minor, currency)
    );
}

/// A share as people write it: `100 %` only when all of it is explained.
fn share(book: &Book) -> String {
    if book.explained_minor == book.moved_minor {
        return "100 %".to_owned();
    }
    let parts = book.explained_share();
    format!("{}.{:02} %", parts / 100, parts % 100)
}

/// Minor units as a decimal number.
fn written(minor: i128, currency: Currency) -> String {
    let places = usize::from(currency.exponent());
    let digits = format!("{:0>width$}", minor.unsigned_abs(), width = places + 1);
    let (whole, part) = digits.split_at(digits.len() - places);
    let sign = if minor < 0 { "-" } else { "" };
    match part {
        "" => format!("{sign}{whole}"),
        part => format!("{sign}{whole}.{part}"),
    }
}

/// The same as one JSON object, amounts in minor units.
#[must_use]
pub fn json(audit: &Audit) -> Value {
    let books = audit.books.iter().map(|(currency, book)| {
        let accounts = Account::ALL.into_iter().map(|account| {
            let both = json!({
                "ledger": number(book.ledger.of(account)),
                "documents": number(book.documents.of(account)),
            });
            (account.name().to_owned(), both)
        });
        json!({
            "currency": currency.lower(),
            "accounts": accounts.collect::<serde_json::Map<_, _>>(),
            "moved": number(book.moved_minor),
            "explained": number(book.explained_minor),
            "explained_share": share(book),
        })
    });
    json!({
        "merchant": audit.scope.merchant.as_str(),
        "livemode": audit.scope.livemode,
        "holds": audit.holds(),
        "invoices": audit.invoices,
        "customers": audit.customers,
        "subscriptions": audit.subscriptions,
        "periods": audit.periods,
        "books": books.collect::<Vec<_>>(),
        "exceptions_count": audit.exceptions_count,
        "exceptions": audit.exceptions,
    })
}

/// A sum that JSON can carry; a larger one as its digits.
fn number(minor: i128) -> Value {
    match i64::try_from(minor) {
        Ok(minor) => minor.into(),
        Err(_) => minor.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{json, report, written};
    use crate::service::audit::{Audit, Book, Exception, ExceptionKind};
    use crate::store::Scope;
    use perennial::currency::Currency;
    use perennial::id::MerchantId;
    use perennial::ledger::Account;

    fn audit() -> Audit {
        let mut book = Book {
            moved_minor: 30_000,
            explained_minor: 29_999,
            ..Book::default()
        };
        book.ledger
            .transfer(Account::Cash, Account::Revenue, 123_456);
        book.documents
            .transfer(Account::Cash, Account::Revenue, 123_457);
        Audit {
            scope: Scope {
                merchant: MerchantId::from_random(1),
                livemode: false,
            },
            invoices: 3,
            customers: 2,
            subscriptions: 1,
            periods: 4,
            books: [(Currency::EUR, book)].into(),
            exceptions: vec![Exception {
                kind: ExceptionKind::Payment,
                object: "in_1".to_owned(),
                message: "it is paid with 5, but 6 was due".to_owned(),
            }],
            exceptions_count: 2,
        }
    }

    #[test]
    fn the_report_names_accounts_share_and_exceptions() {
        let text = report(&audit());
        for part in [
            "3 invoices, 2 customers, 1 subscriptions with 4 invoiced periods",
            "cash                            1234.56              1234.57  differs",
            "revenue                        -1234.56             -1234.57  differs",
            "Money explained: 99.99 % (299.99 of 300.00)",
            "Exceptions: 2",
            "payment  in_1: it is paid with 5, but 6 was due",
            "… and 1 more",
        ] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
        let mut whole = audit();
        whole.exceptions_count = 0;
        whole.exceptions.clear();
        for book in whole.books.values_mut() {
            book.explained_minor = book.moved_minor;
        }
        assert!(report(&whole).contains("Money explained: 100 % (300.00 of 300.00)"));
        assert!(report(&whole).contains("No exceptions."));
    }

    #[test]
    fn the_object_has_minor_units() {
        let value = json(&audit());
        assert_eq!(value["holds"], false);
        assert_eq!(value["books"][0]["accounts"]["cash"]["ledger"], 123_456);
        assert_eq!(value["books"][0]["explained_share"], "99.99 %");
        assert_eq!(value["exceptions"][0]["kind"], "payment");
    }

    #[test]
    fn amounts_have_their_currency_s_places() {
        for (minor, currency, expected) in [
            (5, Currency::USD, "0.05"),
            (-5, Currency::USD, "-0.05"),
            (123, Currency::JPY, "123"),
            (0, Currency::EUR, "0.00"),
        ] {
            assert_eq!(written(minor, currency), expected);
        }
    }
}
