//! How each language writes numbers, amounts, dates and rhythms.

use perennial::{
    calendar::{Cadence, Interval, Timestamp},
    currency::Currency,
    decimal::{Decimal12, MAX_PLACES},
    money::Money,
};

use super::{DAY_SECONDS, MINUS, NBSP, Words};

impl Words {
    /// A whole number with its groups: `1,234`.
    #[must_use]
    pub fn integer(self, number: u64) -> String {
        self.grouped(&number.to_string())
    }

    /// A decimal number given as `1234.5`, with its groups and decimal sign: `1,234.5`. Digits are kept as they are.
    #[must_use]
    pub fn decimal(self, number: &str) -> String {
        let (sign, number) = number
            .strip_prefix('-')
            .map_or((None, number), |rest| (Some(MINUS), rest));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let mut out = String::from_iter(sign);
        out.push_str(&self.grouped(whole));
        if !fraction.is_empty() {
            out.push_str(self.format_decimal());
            out.push_str(fraction);
        }
        out
    }

    /// A share given in hundredths of a percent: 1925 is `19.25%`, 2000 is `20%`.
    #[must_use]
    pub fn percent(self, basis_points: i64) -> String {
        let plain = scaled(basis_points, 2);
        let plain = plain.trim_end_matches('0').trim_end_matches('.');
        self.format_percent(&self.decimal(plain))
    }

    /// An amount in the minor unit of `currency` (ISO 4217, any case), of which `exponent` digits are behind the decimal
    /// sign: `$1,234.50`, `1 234,50 €`, `CHF 5.00`.
    ///
    /// The sign is used where CLDR gives the language one that means this currency and no other (so `$` in English is
    /// always US dollars, Canadian ones are `CA$`); else the code, which everybody can look up.
    #[must_use]
    pub fn amount(self, minor: i64, currency: &str, exponent: u32) -> String {
        let plain = scaled(minor, exponent);
        self.in_currency(minor < 0, plain.trim_start_matches('-'), currency)
    }

    /// A unit price in decimals of the minor unit, with every digit that counts and at least those of the currency:
    /// `€24.00`, `$0.0125`.
    #[must_use]
    pub fn unit_price(self, minor: Decimal12, currency: Currency) -> String {
        let exponent = usize::from(currency.exponent());
        let places = MAX_PLACES + exponent;
        let digits = format!(
            "{:0>width$}",
            minor.scaled().unsigned_abs(),
            width = places + 1
        );
        let (whole, fraction) = digits.split_at(digits.len() - places);
        let (least, more) = fraction.split_at(exponent);
        let fraction = format!("{least}{}", more.trim_end_matches('0'));
        let plain = if fraction.is_empty() {
            whole.to_owned()
        } else {
            format!("{whole}.{fraction}")
        };
        self.in_currency(minor.is_negative(), &plain, currency.code())
    }

    /// A plain decimal number with the sign or the code of its currency.
    fn in_currency(self, negative: bool, plain: &str, currency: &str) -> String {
        let code = currency.to_ascii_uppercase();
        let number = self.decimal(plain);
        let symbol = self
            .format_symbols()
            .split(';')
            .find_map(|pair| pair.strip_prefix(code.as_str())?.strip_prefix('='))
            .unwrap_or(&code);
        let mut out = String::new();
        if negative {
            out.push(MINUS);
        }
        if self.format_currency_first() == "no" {
            out.push_str(&number);
            out.push(NBSP);
            out.push_str(symbol);
        } else {
            out.push_str(symbol);
            if symbol.ends_with(|c: char| c.is_ascii_alphabetic()) {
                out.push(NBSP);
            }
            out.push_str(&number);
        }
        out
    }

    /// An amount of money: `$1,234.50`.
    #[must_use]
    pub fn money(self, money: Money) -> String {
        self.amount(
            money.minor,
            money.currency.code(),
            u32::from(money.currency.exponent()),
        )
    }

    /// The day of a moment (in UTC), long: `1 December 2026`.
    #[must_use]
    pub fn date(self, at: Timestamp) -> String {
        self.day(at.into())
    }

    /// The day of a moment, short, for tables: `1 Dec 2026`.
    #[must_use]
    pub fn date_short(self, at: Timestamp) -> String {
        self.day_short(at.into())
    }

    /// The day of a moment, with its year only when it isn't that of `now`: `1 December`.
    #[must_use]
    pub fn date_near(self, at: Timestamp, now: Timestamp) -> String {
        let (day, today) = (Day::from(at), Day::from(now));
        if day.year == today.year {
            self.day_of_year(day)
        } else {
            self.day(day)
        }
    }

    /// A moment exact to the second, in UTC: `1 December 2026, 09:05:00 UTC`.
    #[must_use]
    pub fn exactly(self, at: Timestamp) -> String {
        let second = at.0.rem_euclid(DAY_SECONDS);
        self.moment(at.into(), u32::try_from(second).unwrap_or_default())
    }

    /// How many days away a moment is: `in 12 days`. Days are those of the calendar in UTC.
    #[must_use]
    pub fn away(self, at: Timestamp, now: Timestamp) -> String {
        self.days_away(at.0.div_euclid(DAY_SECONDS) - now.0.div_euclid(DAY_SECONDS))
    }

    /// How often, to stand after an amount: `a month`, `every 3 months`.
    #[must_use]
    pub fn every(self, cadence: Cadence) -> String {
        let once = cadence.interval_count == 1;
        let count = u64::from(cadence.interval_count);
        match cadence.interval {
            Interval::Day if once => self.format_a_day().to_owned(),
            Interval::Week if once => self.format_a_week().to_owned(),
            Interval::Month if once => self.format_a_month().to_owned(),
            Interval::Year if once => self.format_a_year().to_owned(),
            Interval::Day => self.format_every_day(count),
            Interval::Week => self.format_every_week(count),
            Interval::Month => self.format_every_month(count),
            Interval::Year => self.format_every_year(count),
        }
    }

    /// A rhythm as a choice: `Monthly`, `Every 3 months`.
    #[must_use]
    pub fn rhythm(self, cadence: Cadence) -> String {
        let name = match (cadence.interval, cadence.interval_count) {
            (Interval::Day, 1) => self.format_daily(),
            (Interval::Week, 1) => self.format_weekly(),
            (Interval::Month, 1) => self.format_monthly(),
            (Interval::Year, 1) => self.format_yearly(),
            _ => return self.every(cadence),
        };
        name.to_owned()
    }

    /// A day, long: `1 December 2026`.
    #[must_use]
    pub fn day(self, day: Day) -> String {
        let month = self.month(self.format_months(), day.month);
        self.format_day(&day.day.to_string(), month, &day.year.to_string())
    }

    /// A day, short, for tables: `1 Dec 2026`.
    #[must_use]
    pub fn day_short(self, day: Day) -> String {
        let month = self.month(self.format_months_short(), day.month);
        self.format_day_short(&day.day.to_string(), month, &day.year.to_string())
    }

    /// A day of the current year: `1 December`.
    #[must_use]
    pub fn day_of_year(self, day: Day) -> String {
        let month = self.month(self.format_months(), day.month);
        self.format_day_of_year(&day.day.to_string(), month)
    }

    /// A month, as on a card or a report: `December 2026`.
    #[must_use]
    pub fn month_of(self, day: Day) -> String {
        let month = self.month(self.format_months(), day.month);
        self.format_month_of(month, &day.year.to_string())
    }

    /// A day and its time, exact to the second, in UTC: `1 December 2026, 09:05:00 UTC`.
    #[must_use]
    pub fn moment(self, day: Day, second_of_day: u32) -> String {
        let (hour, minute, second) = (
            second_of_day / 3600,
            second_of_day / 60 % 60,
            second_of_day % 60,
        );
        self.format_moment(
            &self.day(day),
            &format!("{hour:02}:{minute:02}:{second:02}"),
        )
    }

    /// How far away a day is, to stand beside the date: `in 12 days`, `tomorrow`, `3 days ago`.
    #[must_use]
    pub fn days_away(self, days: i64) -> String {
        match days {
            0 => self.format_today().to_owned(),
            1 => self.format_tomorrow().to_owned(),
            -1 => self.format_yesterday().to_owned(),
            ..0 => self.format_days_ago(days.unsigned_abs()),
            _ => self.format_in_days(days.unsigned_abs()),
        }
    }

    fn month(self, names: &'static str, month: u8) -> &'static str {
        names
            .split('|')
            .nth(usize::from(month).saturating_sub(1))
            .unwrap_or_default()
    }

    fn grouped(self, digits: &str) -> String {
        let mut out = String::with_capacity(digits.len() + 6);
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                out.push_str(self.format_group());
            }
            out.push(digit);
        }
        out
    }
}

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// The year, as written.
    pub year: i64,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month, 1 to 31.
    pub day: u8,
}

impl From<Timestamp> for Day {
    fn from(at: Timestamp) -> Self {
        let civil = at.civil();
        Self {
            year: civil.year,
            month: civil.month,
            day: civil.day,
        }
    }
}

/// Writes an integer with a decimal point: `scaled(12345, 2)` is `123.45`.
fn scaled(number: i64, exponent: u32) -> String {
    let exponent = usize::try_from(exponent).unwrap_or_default();
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = exponent + 1);
    let (whole, fraction) = digits.split_at(digits.len() - exponent);
    let sign = if number < 0 { "-" } else { "" };
    if exponent == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locale::Locale;

    const DAY: Day = Day {
        year: 2026,
        month: 12,
        day: 1,
    };

    #[test]
    fn amounts_are_written_as_readers_expect() {
        // Vectors from CLDR 48 (ICU), with the minus sign in place of the hyphen.
        for (locale, minor, currency, exponent, expected) in [
            (Locale::En, 123_456_789, "usd", 2, "$1,234,567.89"),
            (Locale::En, -123_456_789, "eur", 2, "\u{2212}€1,234,567.89"),
            (Locale::En, 1_234_568, "jpy", 0, "¥1,234,568"),
            (Locale::En, 5, "chf", 2, "CHF\u{a0}0.05"),
            (
                Locale::En,
                1_234_567_891,
                "bhd",
                3,
                "BHD\u{a0}1,234,567.891",
            ),
            (Locale::En, 2400, "cad", 2, "CA$24.00"),
            (
                Locale::Fr,
                -123_456_789,
                "USD",
                2,
                "\u{2212}1\u{202f}234\u{202f}567,89\u{a0}$US",
            ),
            (
                Locale::Fr,
                123_456_789,
                "eur",
                2,
                "1\u{202f}234\u{202f}567,89\u{a0}€",
            ),
            (Locale::Fr, 999, "jpy", 0, "999\u{a0}JPY"),
            (Locale::Zh, 123_456_789, "usd", 2, "US$1,234,567.89"),
            (Locale::Zh, 2400, "cny", 2, "¥24.00"),
            (Locale::Zh, 2400, "jpy", 0, "JP¥2,400"),
            (
                Locale::En,
                i64::MIN,
                "usd",
                2,
                "\u{2212}$92,233,720,368,547,758.08",
            ),
            (Locale::En, 0, "eur", 2, "€0.00"),
        ] {
            assert_eq!(
                locale.words().amount(minor, currency, exponent),
                expected,
                "{locale:?} {minor} {currency}"
            );
        }
    }

    #[test]
    fn unit_prices_keep_every_digit_that_counts() {
        for (price, currency, expected) in [
            ("2400", Currency::EUR, "€24.00"),
            ("1.25", Currency::USD, "$0.0125"),
            ("0.000000000001", Currency::USD, "$0.00000000000001"),
            ("12", Currency::JPY, "¥12"),
            ("12.5", Currency::JPY, "¥12.5"),
            ("-5", Currency::EUR, "\u{2212}€0.05"),
        ] {
            let price = Decimal12::parse(price).expect("a price of the table");
            assert_eq!(Locale::En.words().unit_price(price, currency), expected);
        }
    }

    #[test]
    fn days_are_written_as_readers_expect() {
        for (locale, long, short, of_year, month, moment) in [
            (
                Locale::En,
                "1 December 2026",
                "1 Dec 2026",
                "1 December",
                "December 2026",
                "1 December 2026, 09:05:07 UTC",
            ),
            (
                Locale::Fr,
                "1 décembre 2026",
                "1 déc. 2026",
                "1 décembre",
                "décembre 2026",
                "1 décembre 2026 à 09:05:07 UTC",
            ),
            (
                Locale::Zh,
                "2026年12月1日",
                "2026年12月1日",
                "12月1日",
                "2026年12月",
                "2026年12月1日 09:05:07 UTC",
            ),
        ] {
            let words = locale.words();
            let written = (
                words.day(DAY),
                words.day_short(DAY),
                words.day_of_year(DAY),
                words.month_of(DAY),
                words.moment(DAY, 32_707),
            );
            assert_eq!(
                written,
                (
                    long.to_owned(),
                    short.to_owned(),
                    of_year.to_owned(),
                    month.to_owned(),
                    moment.to_owned()
                )
            );
        }
    }

    #[test]
    fn distances_and_shares_follow_the_language() {
        for (locale, days, expected) in [
            (Locale::En, 0, "today"),
            (Locale::En, 1, "tomorrow"),
            (Locale::En, -1, "yesterday"),
            (Locale::En, 12, "in 12 days"),
            (Locale::En, -1200, "1,200 days ago"),
            (Locale::Fr, 12, "dans 12 jours"),
            (Locale::Fr, -3, "il y a 3 jours"),
            (Locale::Zh, 12, "12 天后"),
        ] {
            assert_eq!(locale.words().days_away(days), expected);
        }
        for (locale, share, expected) in [
            (Locale::En, 1925, "19.25%"),
            (Locale::En, 2000, "20%"),
            (Locale::En, 0, "0%"),
            (Locale::Fr, 1925, "19,25\u{202f}%"),
            (Locale::Zh, 50, "0.5%"),
        ] {
            assert_eq!(locale.words().percent(share), expected);
        }
    }
}
