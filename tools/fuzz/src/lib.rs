//! Fuzz targets: each takes any bytes, must not panic but where a law is broken, and ends soon.

mod bytes;
mod proration;

pub use proration::proration;

use bytes::Bytes;
use perennial::calendar::{Cadence, Interval, Period, Timestamp};
use perennial::currency::Currency;
use perennial::decimal::Decimal12;
use perennial::money::{Money, allocate};
use perennial::ratio::Rounding;
use server::api::form::{self, Branch, Node};

/// Form decoding: what is read, written down again, reads the same.
pub fn form(data: &[u8]) {
    let Ok(read) = form::decode(data) else {
        return;
    };
    let mut text = String::new();
    write_branch(&mut text, "", &read);
    let again = form::decode(text.trim_end_matches('&').as_bytes());
    assert_eq!(again.as_ref(), Ok(&read), "{text}");
}

fn write_branch(text: &mut String, path: &str, branch: &Branch) {
    for (name, node) in branch {
        let name = escaped(name);
        let path = match path {
            "" => name,
            path => format!("{path}[{name}]"),
        };
        match node {
            Node::Leaf(value) => {
                text.push_str(&format!("{path}={}&", escaped(value)));
            }
            Node::Branch(inner) => write_branch(text, &path, inner),
        }
    }
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        use std::fmt::Write as _;
        let _ = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => write!(out, "{}", char::from(byte)),
            byte => write!(out, "%{byte:02X}"),
        };
        out
    })
}

/// Reading money: a decimal is read exactly or refused, amounts add up or are refused, and what is
/// shared out is all there.
pub fn money(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(decimal) = Decimal12::parse(&text) {
        assert_eq!(Decimal12::parse(&decimal.to_string()), Ok(decimal));
        let ratio = decimal.to_ratio();
        let both = (
            ratio.rounded(Rounding::Floor),
            ratio.rounded(Rounding::HalfUp),
        );
        if let (Ok(floor), Ok(half_up)) = both {
            assert!(
                (0..=1).contains(&half_up.saturating_sub(floor)),
                "{decimal}"
            );
        }
    }
    if let Ok(currency) = Currency::parse(&text) {
        assert_eq!(Currency::parse(currency.lower()), Ok(currency));
    }
    let mut bytes = Bytes::new(data);
    let (one, other) = (bytes.number(), bytes.number());
    let sum = Money::new(one, Currency::USD).checked_add(Money::new(other, Currency::USD));
    assert_eq!(sum.ok().map(|sum| sum.minor), one.checked_add(other));
    let weights: Vec<i64> = (0..bytes.below(6))
        .map(|_| bytes.number().saturating_abs())
        .collect();
    if let Ok(parts) = allocate(one, &weights) {
        let all = parts.iter().map(|part| i128::from(*part)).sum::<i128>();
        assert!(
            parts.is_empty() || all == i128::from(one),
            "{one} {weights:?} {parts:?}"
        );
    }
}

/// The calendar: dates come back, periods contain their moment and follow each other without a gap.
pub fn calendar(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let (anchor, moment) = (Timestamp(bytes.number()), Timestamp(bytes.number()));
    if (Timestamp::MIN..=Timestamp::MAX).contains(&moment) {
        assert_eq!(moment.civil().timestamp(), Ok(moment));
    }
    let interval = [
        Interval::Day,
        Interval::Week,
        Interval::Month,
        Interval::Year,
    ];
    let interval = interval[usize::from(bytes.byte() % 4)];
    let Ok(cadence) = Cadence::new(interval, u16::from(bytes.byte())) else {
        return;
    };
    let Ok(period) = cadence.period_containing(anchor, moment) else {
        return;
    };
    assert!(period.contains(moment), "{period:?} {moment:?}");
    follows(cadence, anchor, period);
}

fn follows(cadence: Cadence, anchor: Timestamp, period: Period) {
    let Ok(next) = cadence.period_after(anchor, period.end) else {
        return;
    };
    assert_eq!(next.start, period.end);
    assert!(next.end > next.start);
    assert_eq!(cadence.period_containing(anchor, next.start), Ok(next));
}
