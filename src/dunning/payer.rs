//! What is generally known about payers of a country: their hour, and when wages arrive.
//!
//! Hours are standard time at the place where most people live; a country with several hours has one
//! here, which is good enough to tell night from day. Pay days: Bureau of Labor Statistics (CES,
//! 2023) for the United States; elsewhere general knowledge of payroll practice. They are a first
//! guess: what a merchant's own customers do outweighs it (see [`super::smart`]).

use crate::calendar::{Timestamp, Weekday, days_in_month};

pub(super) const DAY_SECONDS: i64 = 86_400;

/// When wages usually arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Payer {
    /// East of Greenwich, in minutes.
    offset_minutes: i64,
    /// A weekday on which many are paid, weekly or every other week.
    weekly: Option<Weekday>,
    /// Days of the month; 31 is the last. Before weekends they move to Friday.
    monthly: &'static [u8],
}

const ENDS: &[u8] = &[1, 31];
const fn monthly(hours: i64, days: &'static [u8]) -> Payer {
    Payer {
        offset_minutes: hours * 60,
        weekly: None,
        monthly: days,
    }
}

const fn weekly(hours: i64, weekday: Weekday, days: &'static [u8]) -> Payer {
    Payer {
        offset_minutes: hours * 60,
        weekly: Some(weekday),
        monthly: days,
    }
}

/// By ISO 3166-1 alpha-2.
const PAYERS: &[(&str, Payer)] = &[
    ("AE", monthly(4, &[1, 28])),
    ("AR", monthly(-3, &[5])),
    ("AT", monthly(1, &[1, 15, 31])),
    ("AU", weekly(10, Weekday::Thursday, &[15])),
    ("BE", monthly(1, ENDS)),
    ("BR", monthly(-3, &[6, 20])),
    ("CA", weekly(-5, Weekday::Friday, &[15, 31])),
    ("CH", monthly(1, &[25])),
    ("CL", monthly(-4, ENDS)),
    ("CN", monthly(8, &[10, 15])),
    ("CO", monthly(-5, &[15, 31])),
    ("CZ", monthly(1, &[10, 15])),
    ("DE", monthly(1, &[1, 15, 31])),
    ("DK", monthly(1, &[31])),
    ("EG", monthly(2, &[25])),
    ("ES", monthly(1, &[28, 31])),
    ("FI", monthly(2, &[15, 31])),
    ("FR", monthly(1, &[5, 29])),
    ("GB", weekly(0, Weekday::Friday, &[25, 28, 31])),
    ("GR", monthly(2, &[15, 31])),
    ("HK", monthly(8, ENDS)),
    ("HU", monthly(1, &[5, 10])),
    ("ID", monthly(7, &[25, 31])),
    ("IE", weekly(0, Weekday::Friday, &[25, 31])),
    ("IL", monthly(2, &[1, 9])),
    ("IN", monthly(5, &[1, 7, 31])),
    ("IT", monthly(1, &[10, 27])),
    ("JP", monthly(9, &[15, 25])),
    ("KE", monthly(3, &[28, 31])),
    ("KR", monthly(9, &[10, 25])),
    ("MX", monthly(-6, &[15, 31])),
    ("MY", monthly(8, &[25, 31])),
    ("NG", monthly(1, &[25, 31])),
    ("NL", monthly(1, &[24, 31])),
    ("NO", monthly(1, &[12, 25])),
    ("NZ", weekly(12, Weekday::Wednesday, &[15])),
    ("PH", monthly(8, &[15, 31])),
    ("PL", monthly(1, &[10, 31])),
    ("PT", monthly(0, &[25, 31])),
    ("RO", monthly(2, &[10, 15])),
    ("SA", monthly(3, &[27])),
    ("SE", monthly(1, &[25])),
    ("SG", monthly(8, &[25, 31])),
    ("TH", monthly(7, &[25, 31])),
    ("TR", monthly(3, &[1, 15])),
    ("TW", monthly(8, &[5, 10])),
    ("US", weekly(-6, Weekday::Friday, &[1, 15, 31])),
    ("VN", monthly(7, &[5, 31])),
    ("ZA", monthly(2, &[25, 31])),
];

/// Of an unknown country: the commonest days, in Greenwich.
const ANYWHERE: Payer = monthly(0, &[1, 15, 25, 31]);

/// The latest pay day before or on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PayDay {
    /// Local days since 1970.
    pub(super) day: i64,
    /// Whether it comes once or twice a month rather than by the week.
    pub(super) monthly: bool,
}

impl Payer {
    pub(super) fn of(country: Option<&str>) -> Self {
        let found = country.and_then(|code| PAYERS.iter().find(|(known, _)| *known == code));
        found.map_or(ANYWHERE, |(_, payer)| *payer)
    }

    /// The payer's wall clock, as if it were UTC.
    pub(super) fn local(&self, at: Timestamp) -> Timestamp {
        Timestamp(at.0.saturating_add(self.offset_minutes.saturating_mul(60)))
    }

    /// The moment at which the payer's wall clock shows `local`.
    pub(super) fn utc(&self, local: i64) -> Timestamp {
        Timestamp(local.saturating_sub(self.offset_minutes.saturating_mul(60)))
    }

    fn pays_monthly(&self, day: i64) -> bool {
        let at = Timestamp(day.saturating_mul(DAY_SECONDS));
        let ahead = match at.weekday() {
            Weekday::Saturday | Weekday::Sunday => return false,
            Weekday::Friday => 2,
            _ => 0,
        };
        (0..=ahead).any(|more| {
            let date = Timestamp(day.saturating_add(more).saturating_mul(DAY_SECONDS)).civil();
            let last = days_in_month(date.year, date.month);
            self.monthly
                .iter()
                .any(|wanted| date.day == (*wanted).min(last))
        })
    }

    /// What kind of pay day a local day is, if it is one.
    pub(super) fn pay_day(&self, day: i64) -> Option<PayDay> {
        if self.pays_monthly(day) {
            return Some(PayDay { day, monthly: true });
        }
        let weekday = Timestamp(day.saturating_mul(DAY_SECONDS)).weekday();
        (self.weekly == Some(weekday)).then_some(PayDay {
            day,
            monthly: false,
        })
    }
}
