//! The comparison over seeds: means with 95 % confidence intervals, differences in pairs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::world::{self, Variant};
use super::{ARMS, Tally, run};

/// A mean over seeds, and how far it may be off; both in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// The mean.
    pub mean_ppm: i64,
    /// Half of the 95 % confidence interval (Student's t). 0 when there is one seed only.
    pub half_width_ppm: i64,
}

/// Student's t for 95 %, two-sided, in thousandths, by degrees of freedom from 1.
const STUDENT_MILLI: [i64; 30] = [
    12_706, 4_303, 3_182, 2_776, 2_571, 2_447, 2_365, 2_306, 2_262, 2_228, 2_201, 2_179, 2_160,
    2_145, 2_131, 2_120, 2_110, 2_101, 2_093, 2_086, 2_080, 2_074, 2_069, 2_064, 2_060, 2_056,
    2_052, 2_048, 2_045, 2_042,
];

impl Estimate {
    /// Of numbers in millionths.
    #[must_use]
    pub fn of(values: &[i64]) -> Self {
        let count = i64::try_from(values.len()).unwrap_or(i64::MAX);
        if count == 0 {
            return Self::default();
        }
        let mean_ppm = values.iter().sum::<i64>() / count;
        let Some(freedom) = values.len().checked_sub(1).filter(|freedom| *freedom > 0) else {
            return Self {
                mean_ppm,
                half_width_ppm: 0,
            };
        };
        let squares = values
            .iter()
            .map(|value| i128::from(value - mean_ppm).pow(2));
        let squares: i128 = squares.sum();
        let divisor = i128::try_from(freedom).unwrap_or(1) * i128::from(count);
        let deviation = (squares / divisor).unsigned_abs().isqrt();
        let student = STUDENT_MILLI.get(freedom - 1).copied().unwrap_or(1_960);
        let half_width = i128::try_from(deviation).unwrap_or(0) * i128::from(student) / 1_000;
        Self {
            mean_ppm,
            half_width_ppm: i64::try_from(half_width).unwrap_or(i64::MAX),
        }
    }

    fn percent(self) -> String {
        format!(
            "{:>6} ± {:<4}",
            tenths(self.mean_ppm, 1_000),
            tenths(self.half_width_ppm, 1_000)
        )
    }

    fn json(self) -> Value {
        json!({ "mean_ppm": self.mean_ppm, "half_width_ppm": self.half_width_ppm })
    }
}

/// A number with one decimal, rounded towards zero.
fn tenths(value: i64, one_tenth: i64) -> String {
    let value = value / one_tenth;
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}.{}", value.abs() / 10, value.abs() % 10)
}

/// Millionths with two decimals, rounded towards zero.
fn hundredths(ppm: i64) -> String {
    let value = ppm / 10_000;
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", value.abs() / 100, value.abs() % 100)
}

/// One policy in one world, over seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The policy.
    pub name: &'static str,
    /// The share of failures that was paid in the end.
    pub recovered: Estimate,
    /// The share of what was owed that was paid in the end.
    pub recovered_amount: Estimate,
    /// Attempts for each failure.
    pub attempts: Estimate,
    /// How much more failures were recovered than by the first policy, relative to it, in pairs.
    pub gain: Estimate,
    /// How many more attempts for each failure than the first policy, in pairs.
    pub more_attempts: Estimate,
    /// Days from failure to payment.
    pub days: Estimate,
}

/// All policies in one world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The world.
    pub variant: Variant,
    /// Failures in all seeds.
    pub failures: i64,
    /// In the order of [`ARMS`].
    pub rows: Vec<Row>,
}

fn share(part: i64, whole: i64) -> i64 {
    let share = i128::from(part) * 1_000_000 / i128::from(whole.max(1));
    i64::try_from(share).unwrap_or(i64::MAX)
}

/// Runs all policies over seeds 1 to `seeds`.
#[must_use]
pub fn compare(variant: Variant, seeds: u32, customers: u32) -> Table {
    let mut tallies: Vec<Vec<Tally>> = vec![Vec::new(); ARMS.len()];
    let mut failures = 0;
    for seed in 1..=u64::from(seeds) {
        let cases = world::year(variant, seed, customers);
        failures += i64::try_from(cases.len()).unwrap_or(0);
        for ((_, policy), own) in ARMS.iter().zip(&mut tallies) {
            own.push(run(*policy, variant, &cases, seed));
        }
    }
    let first = tallies.first().cloned().unwrap_or_default();
    let rows = ARMS.iter().zip(&tallies).map(|((name, _), own)| {
        let each = |of: fn(&Tally) -> i64| -> Estimate {
            Estimate::of(&own.iter().map(of).collect::<Vec<_>>())
        };
        let pairs = |of: fn(&Tally, &Tally) -> i64| -> Estimate {
            let pairs = own.iter().zip(&first).map(|(own, first)| of(own, first));
            Estimate::of(&pairs.collect::<Vec<_>>())
        };
        Row {
            name,
            recovered: each(|t| share(t.recovered, t.failures)),
            recovered_amount: each(|t| share(t.recovered_minor, t.owed_minor)),
            attempts: each(|t| share(t.attempts, t.failures)),
            gain: pairs(|own, first| share(own.recovered, first.recovered) - 1_000_000),
            more_attempts: pairs(|own, first| {
                share(own.attempts, own.failures) - share(first.attempts, first.failures)
            }),
            days: each(|t| share(t.waited_seconds / 86_400, t.recovered)),
        }
    });
    let rows = rows.collect();
    Table {
        variant,
        failures,
        rows,
    }
}

impl Table {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "World \"{}\": {} failed renewals",
            self.variant.name(),
            self.failures
        );
        let _ = writeln!(
            text,
            "  {:<28} {:>13} {:>13} {:>14} {:>15} {:>6}",
            "policy", "recovered %", "of amount %", "attempts each", "gain %", "days"
        );
        for row in &self.rows {
            let attempts = format!(
                "{} ({})",
                hundredths(row.attempts.mean_ppm),
                hundredths(row.more_attempts.mean_ppm),
            );
            let _ = writeln!(
                text,
                "  {:<28} {} {} {:>14} {:>15} {:>6}",
                row.name,
                row.recovered.percent(),
                row.recovered_amount.percent(),
                attempts,
                row.gain.percent(),
                tenths(row.days.mean_ppm, 100_000),
            );
        }
        text
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            json!({
                "policy": row.name,
                "recovered": row.recovered.json(),
                "recovered_amount": row.recovered_amount.json(),
                "attempts": row.attempts.json(),
                "gain": row.gain.json(),
                "more_attempts": row.more_attempts.json(),
                "days": row.days.json(),
            })
        });
        let rows: Vec<Value> = rows.collect();
        json!({ "world": self.variant.name(), "failures": self.failures, "policies": rows })
    }
}
