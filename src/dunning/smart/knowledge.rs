//! What a merchant's own retries have taught: counts, and nothing else.
//!
//! An attempt is described by a handful of traits (how long after the last one, how long after a pay
//! day, at what hour, …) within the group of declines it belongs to. For each trait of each group it
//! is counted how often an attempt with it went through and how often not. Counts can be added in
//! any order, so they may be gathered first and added up later. There are [`TALLIES`] of them for
//! each merchant, however many attempts there are.

use super::odds::{chance_ppm, ln_milli};
use crate::calendar::Timestamp;
use crate::dunning::payer::{DAY_SECONDS, Payer};
use crate::dunning::{Obstacle, meaning};
use crate::payment::{Decline, Funding};

/// How often attempts with a trait went through, and how often not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Went through.
    pub recovered: u64,
    /// Did not.
    pub failed: u64,
}

/// Declines that pass in the same way. A lack of money passes differently on a credit card: its
/// limit opens when the bill is paid, some days after the wages.
const GROUPS: [&str; 6] = [
    "funds_debit",
    "funds_credit",
    "limit",
    "technical",
    "outdated",
    "unexplained",
];

/// What is counted: a name, how many values it has, and how many attempts its prior is worth.
const TRAITS: [(&str, usize, i64); 8] = [
    ("any", 1, 20),
    ("wait", 10, 15),
    ("pay_day", 11, 15),
    ("hour", 8, 20),
    ("weekday", 7, 30),
    ("date", 31, 25),
    ("retry", 8, 20),
    ("funding", 4, 20),
];

/// How many traits an attempt has.
const TRAITS_LEN: usize = TRAITS.len();
/// The values of all traits, one after the other.
const VALUES: usize = 80;
/// How many counts there are in all.
pub const TALLIES: usize = GROUPS.len() * VALUES;
/// Where a trait's values begin.
const STARTS: [usize; TRAITS_LEN] = [0, 1, 11, 22, 30, 37, 68, 76];

const WAIT: usize = 1;
const PAY_DAY: usize = 2;
const HOUR: usize = 3;
const WEEKDAY: usize = 4;
const DATE: usize = 5;
const RETRY: usize = 6;
const FUNDING: usize = 7;

/// The hours after which a wait counts as longer.
const WAIT_HOURS: [i64; 8] = [2, 6, 12, 24, 48, 72, 120, 192];

/// A prior in thousandths of log odds for each group, in the order of [`GROUPS`].
///
/// These are first guesses from what is publicly said: money comes with wages; technical faults pass
/// within a day; unexplained refusals are often a lack of money too; some debit charges go through
/// better just after midnight (Stripe's documentation of its retries). They weigh as much as fifteen
/// to thirty attempts, so a merchant's own customers soon outweigh them.
const BASE: [i64; 6] = [-1_100, -1_200, -200, 400, -2_600, -1_400];
const WAITS: [[i64; 10]; 6] = [
    [-1_500, -1_300, -900, -500, 0, 0, 100, 200, 200, 0],
    [-1_500, -1_300, -900, -500, 0, 100, 200, 300, 400, 0],
    [-1_500, -1_000, -500, 0, 200, 300, 400, 600, 800, 0],
    [-200, 0, 100, 300, 400, 400, 400, 400, 400, 0],
    [-1_500, -1_500, -1_200, -800, -300, 0, 200, 400, 600, 0],
    [-1_500, -1_200, -800, -400, 0, 100, 200, 200, 200, 0],
];
/// No pay day since; then 0, 1, 2, 3–4 and 5 or more days after a weekly one, and after a monthly one.
const PAY_DAYS: [[i64; 11]; 6] = [
    [-700, 500, 600, 400, 100, -200, 900, 1_000, 700, 400, 0],
    [-300, 0, 100, 200, 200, 100, 200, 300, 400, 500, 500],
    [0, 0, 0, 0, 0, 0, 100, 100, 0, 0, 0],
    [0; 11],
    [0; 11],
    [-200, 150, 200, 150, 50, 0, 300, 300, 200, 100, 0],
];
/// By three hours of the payer's day.
const HOURS: [[i64; 8]; 6] = [
    [150, 0, 0, 0, 0, 0, 0, 0],
    [0; 8],
    [50, 50, 0, 0, 0, 0, 0, -50],
    [0; 8],
    [0; 8],
    [-150, -150, 0, 100, 100, 100, 0, -50],
];

fn prior_milli(group: usize, number: usize, value: usize) -> i64 {
    let row: &[i64] = match number {
        0 => return at(&BASE, group),
        WAIT => WAITS.get(group).map_or(&[], |row| row.as_slice()),
        PAY_DAY => PAY_DAYS.get(group).map_or(&[], |row| row.as_slice()),
        HOUR => HOURS.get(group).map_or(&[], |row| row.as_slice()),
        // Who has said no before says no again.
        RETRY => &[0, -250, -450, -600, -750, -850, -950, -1_000],
        FUNDING => &[0, 0, -200, 0],
        _ => &[],
    };
    at(row, value)
}

fn at(row: &[i64], index: usize) -> i64 {
    row.get(index).copied().unwrap_or(0)
}

/// What an attempt is counted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    group: usize,
    values: [usize; TRAITS_LEN],
}

/// A charge as the bank knows it, without its moment.
#[derive(Clone, Copy, Debug)]
pub struct Payee<'a> {
    /// What the bank said last.
    pub decline: &'a Decline,
    /// Of the card.
    pub funding: Funding,
    /// Of the card's bank, ISO 3166-1 alpha-2.
    pub country: Option<&'a str>,
}

impl Payee<'_> {
    pub(super) fn group(&self) -> usize {
        match meaning(self.decline).1 {
            Obstacle::Funds if self.funding == Funding::Credit => 1,
            Obstacle::Funds => 0,
            Obstacle::Limit => 2,
            Obstacle::Technical => 3,
            Obstacle::Outdated => 4,
            Obstacle::Unexplained => 5,
        }
    }

    /// The traits of retry number `retry` (from 0) at `at`, when the attempt before was at `before`.
    #[must_use]
    pub fn traits(&self, before: Timestamp, at: Timestamp, retry: u32) -> Traits {
        let payer = Payer::of(self.country);
        let (from, moment) = (Moment::of(&payer, before), Moment::of(&payer, at));
        let mut values = moment.values;
        let group = self.group();
        values[PAY_DAY] = moment.pay_day_since(&from);
        values[WAIT] = wait_value(group, values[PAY_DAY], before, at);
        values[RETRY] = usize::try_from(retry).unwrap_or(7).min(7);
        values[FUNDING] = self.funding_value();
        Traits { group, values }
    }

    pub(super) fn funding_value(&self) -> usize {
        match self.funding {
            Funding::Credit => 0,
            Funding::Debit => 1,
            Funding::Prepaid => 2,
            Funding::Unknown => 3,
        }
    }
}

/// Where money is what is missing, wages that came meanwhile say all that the wait could say.
const WAITED_FOR_WAGES: usize = 9;

pub(super) fn wait_value(group: usize, pay_day: usize, before: Timestamp, at: Timestamp) -> usize {
    if group < 2 && pay_day > 0 {
        return WAITED_FOR_WAGES;
    }
    let hours = at.0.saturating_sub(before.0) / 3_600;
    WAIT_HOURS.iter().filter(|limit| hours >= **limit).count()
}

/// A moment as the payer's calendar has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    day: i64,
    weekly: Option<i64>,
    monthly: Option<i64>,
    values: [usize; TRAITS_LEN],
}

/// How far back a pay day is looked for, in days: one month.
const PAY_DAY_BACK: i64 = 31;

impl Moment {
    pub(super) fn of(payer: &Payer, at: Timestamp) -> Self {
        Self::following(payer, at, None)
    }

    /// The same, where an earlier moment is known: most of the calendar need not be read again.
    pub(super) fn following(payer: &Payer, at: Timestamp, earlier: Option<&Self>) -> Self {
        let local = payer.local(at);
        let day = local.0.div_euclid(DAY_SECONDS);
        let known = earlier.filter(|earlier| (0..=1).contains(&(day - earlier.day)));
        let (mut weekly, mut monthly) = (None, None);
        let back = match known {
            Some(earlier) if earlier.day == day => 0,
            Some(_) => 1,
            None => PAY_DAY_BACK,
        };
        for back in 0..back {
            if let Some(pay_day) = payer.pay_day(day.saturating_sub(back)) {
                let place = match pay_day.monthly {
                    true => &mut monthly,
                    false => &mut weekly,
                };
                place.get_or_insert(pay_day.day);
                if monthly.is_some() {
                    break;
                }
            }
        }
        weekly = weekly.or(known.and_then(|earlier| earlier.weekly));
        monthly = monthly.or(known.and_then(|earlier| earlier.monthly));
        let date = local.civil();
        let mut values = [0; TRAITS_LEN];
        values[HOUR] = usize::from(date.hour / 3);
        values[WEEKDAY] = usize::from(local.weekday().number().saturating_sub(1));
        values[DATE] = usize::from(date.day.saturating_sub(1));
        Self {
            day,
            weekly,
            monthly,
            values,
        }
    }

    /// How long ago the pay day is that came after `before`, if one did.
    pub(super) fn pay_day_since(&self, before: &Self) -> usize {
        let since = |pay_day: Option<i64>| {
            let ago = pay_day.filter(|day| *day > before.day);
            ago.map(|day| match self.day.saturating_sub(day) {
                0 => 0,
                1 => 1,
                2 => 2,
                3 | 4 => 3,
                _ => 4_usize,
            })
        };
        match (since(self.weekly), since(self.monthly)) {
            (_, Some(ago)) if ago < 4 => 6 + ago,
            (Some(ago), _) => 1 + ago,
            (None, Some(ago)) => 6 + ago,
            (None, None) => 0,
        }
    }
}

/// All counts of one merchant, in one mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knowledge(Vec<Tally>);

impl Default for Knowledge {
    fn default() -> Self {
        Self(vec![Tally::default(); TALLIES])
    }
}

impl Traits {
    /// Where the counts of this attempt stand, for [`Knowledge::add`]; below [`TALLIES`].
    pub fn places(&self) -> impl Iterator<Item = usize> {
        let (group, values) = (self.group, self.values);
        let starts = STARTS.into_iter().zip(values);
        starts.map(move |(start, value)| group * VALUES + start + value)
    }
}

/// What a count is of, such as `funds_debit/hour/3`; its name in the store and in reports.
#[must_use]
pub fn tally_name(place: usize) -> Option<String> {
    let group = GROUPS.get(place / VALUES)?;
    let value = place % VALUES;
    let number = STARTS.iter().rposition(|start| *start <= value)?;
    let (name, ..) = TRAITS.get(number)?;
    let value = value.saturating_sub(STARTS.get(number).copied()?);
    Some(format!("{group}/{name}/{value}"))
}

/// The inverse of [`tally_name`]; `None` for names of another time.
#[must_use]
pub fn tally_place(name: &str) -> Option<usize> {
    let mut parts = name.split('/');
    let (group, own, value) = (parts.next()?, parts.next()?, parts.next()?);
    let group = GROUPS.iter().position(|known| *known == group)?;
    let number = TRAITS.iter().position(|(known, ..)| *known == own)?;
    let value: usize = value.parse().ok()?;
    let (_, values, _) = TRAITS.get(number)?;
    let start = STARTS.get(number)?;
    (value < *values && parts.next().is_none()).then_some(group * VALUES + start + value)
}

impl Knowledge {
    /// Adds counts.
    pub fn add(&mut self, place: usize, tally: Tally) {
        if let Some(own) = self.0.get_mut(place) {
            own.recovered = own.recovered.saturating_add(tally.recovered);
            own.failed = own.failed.saturating_add(tally.failed);
        }
    }

    /// Learns from one attempt.
    pub fn learn(&mut self, traits: &Traits, recovered: bool) {
        let tally = Tally {
            recovered: u64::from(recovered),
            failed: u64::from(!recovered),
        };
        for place in traits.places() {
            self.add(place, tally);
        }
    }

    /// What each trait of a group adds to the log odds, in thousandths: the prior moved by the
    /// counts, and shaken by as much as they leave open, the same way for the same seed.
    pub(super) fn terms(&self, group: usize, seed: u64) -> Terms {
        let base = self.estimate(group, 0, 0, at(&BASE, group), seed);
        let mut terms = Terms([0; VALUES]);
        terms.0[0] = base;
        for (number, (_, values, _)) in TRAITS.iter().enumerate().skip(1) {
            for value in 0..*values {
                let prior = prior_milli(group, number, value);
                let moved = self
                    .estimate(group, number, value, base + prior, seed)
                    .saturating_sub(base + prior);
                // The traits of one attempt share what they teach: each is moved by less than all.
                let place = STARTS.get(number).copied().unwrap_or(0) + value;
                if let Some(term) = terms.0.get_mut(place) {
                    *term = prior + moved * SHARE_PERCENT / 100;
                }
            }
        }
        terms
    }

    /// The log odds of a trait, when `expected` is what they would be without its counts.
    fn estimate(&self, group: usize, number: usize, value: usize, expected: i64, seed: u64) -> i64 {
        let start = STARTS.get(number).copied().unwrap_or(0);
        let place = group * VALUES + start + value;
        let tally = self.0.get(place).copied().unwrap_or_default();
        let weight = TRAITS.get(number).map_or(20, |(.., weight)| *weight);
        let chance = chance_ppm(expected).clamp(1_000, 999_000);
        // Thousandths of attempts. Old counts lose weight only by their sum, which is capped.
        let counted = |own: u64| i64::try_from(own.min(1_000_000)).unwrap_or(0) * 1_000;
        let yes = counted(tally.recovered) + weight * chance / 1_000;
        let no = counted(tally.failed) + weight * (1_000_000 - chance) / 1_000;
        let log = |n: i64| ln_milli(n.unsigned_abs());
        let variance = 1_000_000_000 / yes.max(1) + 1_000_000_000 / no.max(1);
        let deviation = i64::try_from(variance.unsigned_abs().isqrt()).unwrap_or(0);
        let shake = bell_milli(seed, place) * deviation / 1_000 * BOLDNESS_PERCENT / 100;
        log(yes) - log(no) + shake
    }
}

/// How much of what its counts say a trait is moved.
const SHARE_PERCENT: i64 = 25;
/// How far decisions stray from the best guess to learn, in hundredths of what is uncertain.
const BOLDNESS_PERCENT: i64 = 10;

/// About a normal deviate in thousandths: the sum of twelve uniform ones.
fn bell_milli(seed: u64, place: usize) -> i64 {
    let mut z = seed
        ^ u64::try_from(place)
            .unwrap_or(0)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut sum = 0_i64;
    for _ in 0..12 {
        z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut y = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        y = (y ^ (y >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        sum += i64::try_from((y >> 33) % 1_001).unwrap_or(0);
    }
    sum - 6_000
}

/// What each trait of one group adds, in thousandths of log odds.
#[derive(Clone, Debug)]
pub(super) struct Terms([i64; VALUES]);

impl Terms {
    fn of(&self, number: usize, value: usize) -> i64 {
        let start = STARTS.get(number).copied().unwrap_or(0);
        self.0.get(start + value).copied().unwrap_or(0)
    }

    /// What does not depend on when the attempt before was.
    pub(super) fn alone(&self, moment: &Moment, funding: usize) -> i64 {
        let own = |number: usize| self.of(number, moment.values.get(number).copied().unwrap_or(0));
        self.of(0, 0) + own(HOUR) + own(WEEKDAY) + own(DATE) + self.of(FUNDING, funding)
    }

    pub(super) fn wait(&self, value: usize) -> i64 {
        self.of(WAIT, value)
    }

    pub(super) fn pay_day(&self, value: usize) -> i64 {
        self.of(PAY_DAY, value)
    }

    pub(super) fn retry(&self, retry: u32) -> i64 {
        self.of(RETRY, usize::try_from(retry).unwrap_or(7).min(7))
    }
}
