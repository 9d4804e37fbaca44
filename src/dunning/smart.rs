//! The next attempt, chosen from what is known.
//!
//! Every moment of the window that remains is given a chance, from the kind of decline, the time
//! since the last attempt and since the payer's last pay day, the hour, weekday and date where the
//! payer lives, the card's funding, and how many attempts have failed; general knowledge at first,
//! then what this merchant's own attempts have taught ([`Knowledge`]). The attempts that remain are
//! then laid out together, by dynamic programming, so that the next one is the first of the best
//! plan and not just the best moment: with four attempts left one may be spent early.
//!
//! Numbers are whole; the same inputs always give the same answer. A little chance, fixed by the
//! invoice, lets different invoices try different moments while little is known (Thompson sampling).

mod knowledge;
mod odds;

pub use knowledge::{Knowledge, Payee, TALLIES, Tally, Traits, tally_name, tally_place};

use crate::calendar::Timestamp;
use crate::dunning::is_hard;
use crate::dunning::payer::{DAY_SECONDS, Payer};
use knowledge::{Moment, wait_value};
use odds::{ONE_PPM, chance_ppm};

/// The shortest pause between two attempts, in seconds.
const PAUSE_SECONDS: i64 = 3_600;
/// The most moments that are weighed against each other.
const MOMENTS_MAX: i64 = 240;
/// What one attempt costs, in millionths of what is owed: fees, the bank's patience, a mail.
const ATTEMPT_COST_PPM: i64 = 16_000;
/// What a day's delay costs, in millionths of what is owed.
const DAY_COST_PPM: i64 = 1_000;

/// A failed charge, and how far it may be retried.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// Whose card, and what its bank said.
    pub payee: Payee<'a>,
    /// When the newest attempt failed.
    pub failed_at: Timestamp,
    /// Retries so far.
    pub retries_done: u32,
    /// Retries that may still be made.
    pub retries_left: u32,
    /// After this there are none.
    pub window_ends_at: Timestamp,
    /// Makes the answer repeatable.
    pub seed: u64,
}

/// A moment at which to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// When.
    pub at: Timestamp,
    /// The chance that it goes through, in millionths, as far as is known.
    pub chance_ppm: i64,
}

/// When to try next; `None` when no attempt within the window is worth its cost, which a hard decline
/// never is.
#[must_use]
pub fn choose(situation: &Situation<'_>, knowledge: &Knowledge) -> Option<Choice> {
    if situation.retries_left == 0 || is_hard(situation.payee.decline) {
        return None;
    }
    let plan = Plan::new(situation, knowledge);
    plan.best(situation)
}

/// The moments that can be chosen; the first is that of the newest failure.
struct Plan {
    moments: Vec<(Timestamp, Moment, i64)>,
    terms: knowledge::Terms,
    group: usize,
}

impl Plan {
    fn new(situation: &Situation<'_>, knowledge: &Knowledge) -> Self {
        let payer = Payer::of(situation.payee.country);
        let group = situation.payee.group();
        let terms = knowledge.terms(group, situation.seed);
        let funding = situation.payee.funding_value();
        let weigh = |at: Timestamp, earlier: Option<&Moment>| {
            let moment = Moment::following(&payer, at, earlier);
            let alone = terms.alone(&moment, funding);
            (at, moment, alone)
        };
        let mut moments = vec![weigh(situation.failed_at, None)];
        let from = situation.failed_at.0.saturating_add(PAUSE_SECONDS);
        let length = situation.window_ends_at.0.saturating_sub(from).max(0);
        // Every three hours of the payer's day, or every six or twelve in long windows.
        let mut step = DAY_SECONDS / 8;
        while length / step > MOMENTS_MAX {
            step *= 2;
        }
        // A few minutes of the invoice's own keep merchants' retries from meeting on the hour.
        let minutes = i64::try_from(situation.seed % 40).unwrap_or(0) + 5;
        let local = payer.local(Timestamp(from)).0;
        let first = local.div_euclid(step).saturating_mul(step);
        for number in 0..=MOMENTS_MAX {
            let local = first
                .saturating_add(number.saturating_mul(step))
                .saturating_add(minutes * 60);
            let at = payer.utc(local);
            if at > situation.window_ends_at {
                break;
            }
            if at.0 >= from {
                let earlier = moments.last().map(|(_, moment, _)| *moment);
                moments.push(weigh(at, earlier.as_ref()));
            }
        }
        Self {
            moments,
            terms,
            group,
        }
    }

    /// The chance of trying at `later` when the attempt before was at `earlier`.
    fn chance(&self, earlier: usize, later: usize, retry: u32) -> i64 {
        let (Some((before, from, _)), Some((at, moment, alone))) =
            (self.moments.get(earlier), self.moments.get(later))
        else {
            return 0;
        };
        let pay_day = moment.pay_day_since(from);
        let wait = wait_value(self.group, pay_day, *before, *at);
        let since = self.terms.wait(wait) + self.terms.pay_day(pay_day);
        chance_ppm(alone + since + self.terms.retry(retry))
    }

    /// What recovering at a moment is worth.
    fn worth(&self, later: usize) -> i64 {
        let at = |index: usize| self.moments.get(index).map_or(0, |(at, ..)| at.0);
        let days = at(later).saturating_sub(at(0)) / DAY_SECONDS;
        ONE_PPM
            .saturating_sub(days.saturating_mul(DAY_COST_PPM))
            .max(0)
    }

    /// The first step of the best plan: for each moment and each number of attempts left, the best
    /// next moment, from the last attempt backwards.
    fn best(&self, situation: &Situation<'_>) -> Option<Choice> {
        let moments = self.moments.len();
        let worths: Vec<i64> = (0..moments).map(|index| self.worth(index)).collect();
        let mut after = vec![0_i64; moments];
        let mut choice = None;
        for left in 1..=situation.retries_left {
            let retry = situation
                .retries_done
                .saturating_add(situation.retries_left.saturating_sub(left));
            let mut values = vec![0_i64; moments];
            // All but the last layer need every moment; the last one only the newest failure.
            let froms = match left == situation.retries_left {
                true => 0..1,
                false => 0..moments,
            };
            for (from, value) in froms.zip(values.iter_mut()) {
                choice = None;
                for to in from.saturating_add(1)..moments {
                    let chance = self.chance(from, to, retry);
                    let (Some(worth), Some(then)) = (worths.get(to), after.get(to)) else {
                        continue;
                    };
                    let gain = (chance * worth + (ONE_PPM - chance) * then) / ONE_PPM;
                    let gain = gain - ATTEMPT_COST_PPM;
                    if gain > *value {
                        *value = gain;
                        choice = Some((to, chance));
                    }
                }
            }
            after = values;
        }
        let (index, chance_ppm) = choice?;
        let (at, ..) = self.moments.get(index)?;
        Some(Choice {
            at: *at,
            chance_ppm,
        })
    }
}

#[cfg(test)]
mod tests;
