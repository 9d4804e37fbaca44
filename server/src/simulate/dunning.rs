//! How much of what failed comes back: retry policies side by side on the same failures.
//!
//! [`world`] draws the failures and knows the truth of each. A policy sees of a failure only what a
//! merchant sees. Smart retries are asked through the engine's own policy, and no policy charges a card
//! while its scheme forbids it ([`perennial::dunning::schemes`]), as in the engine. All policies meet the same failures, the same pay days and the same customers'
//! acts, so that their differences are theirs. Each seed is one merchant's year; what a policy learns
//! it learns anew from nothing in each.

pub mod chance;
pub mod report;
pub mod world;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use perennial::calendar::Timestamp;
use perennial::dunning::smart::{Knowledge, Payee};
use perennial::dunning::{Collected, Failed, Next, RetryMode, RetryPolicy, is_hard, schemes};
use perennial::payment::{Card, Decline};

use world::{Answer, Case, Failure, Variant};

const DAY: i64 = 86_400;

/// A way to retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// At fixed hours after the failure. The invoice is given up after so many days.
    Schedule {
        /// From the failure, in hours.
        hours: &'static [i64],
        /// When it is over.
        days: i64,
    },
    /// By what is known.
    Smart {
        /// Retries at most.
        retries: u32,
        /// When it is over.
        days: i64,
        /// Whether it learns; without, it knows only what everybody knows.
        learns: bool,
    },
}

/// The policies that are compared, the one that others are measured by first.
pub const ARMS: [(&str, Policy); 8] = [
    (
        "fixed 1-3-5-7",
        Policy::Schedule {
            hours: &[24, 72, 120, 168],
            days: 7,
        },
    ),
    (
        "fixed 1-3-5-7, open 14 days",
        Policy::Schedule {
            hours: &[24, 72, 120, 168],
            days: 14,
        },
    ),
    (
        "even 4 in 14 days",
        Policy::Schedule {
            hours: &[84, 168, 252, 336],
            days: 14,
        },
    ),
    (
        "even 8 in 14 days",
        Policy::Schedule {
            hours: &[42, 84, 126, 168, 210, 252, 294, 336],
            days: 14,
        },
    ),
    ("smart", smart(8, 14, true)),
    ("smart, untaught", smart(8, 14, false)),
    ("smart, 4 at most", smart(4, 14, true)),
    ("smart, 7 days", smart(8, 7, true)),
];

const fn smart(retries: u32, days: i64, learns: bool) -> Policy {
    Policy::Smart {
        retries,
        days,
        learns,
    }
}

/// What a policy brought in one world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Failures.
    pub failures: i64,
    /// Of these, paid in the end.
    pub recovered: i64,
    /// All that was owed, in minor units.
    pub owed_minor: i64,
    /// Of this, paid in the end.
    pub recovered_minor: i64,
    /// Charges of the failed card; a new card's charge is the same in each policy.
    pub attempts: i64,
    /// Seconds from failure to payment, of what was paid.
    pub waited_seconds: i64,
}

/// One failure on its way.
#[derive(Clone, Debug)]
struct Open {
    attempts: Vec<Timestamp>,
    decline: Decline,
    card: Card,
    over: bool,
}

/// What happens next to a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    NewCard,
    Attempt,
}

/// Lets a policy work through one merchant's failures, in the order of time.
#[must_use]
pub fn run(policy: Policy, variant: Variant, cases: &[Case], seed: u64) -> Tally {
    let mut knowledge = Knowledge::default();
    let mut tally = Tally::default();
    let mut steps = BinaryHeap::new();
    let mut open = Vec::with_capacity(cases.len());
    for (index, case) in cases.iter().enumerate() {
        let failure = &case.failure;
        tally.failures += 1;
        tally.owed_minor += failure.amount_minor;
        let own = Open {
            attempts: Vec::new(),
            decline: said(failure.decline_code),
            card: card_of(failure),
            over: false,
        };
        let ends_at = policy.ends_at(failure.failed_at);
        // A new card is charged at once, if the invoice is still open.
        if let Some((at, true)) = case.new_card
            && at <= ends_at
        {
            steps.push(Reverse((at, index, Step::NewCard)));
        }
        open.push(own);
        // What the policy knows is looked up when the failure happens, not before.
        steps.push(Reverse((failure.failed_at, index, Step::Attempt)));
    }
    while let Some(Reverse((at, index, step))) = steps.pop() {
        let (Some(case), Some(own)) = (cases.get(index), open.get_mut(index)) else {
            continue;
        };
        if own.over {
            continue;
        }
        let first = at == case.failure.failed_at;
        if step == Step::Attempt
            && !first
            && let Some(free) = own.barred_until(case, at)
        {
            if free <= policy.ends_at(case.failure.failed_at) {
                steps.push(Reverse((free, index, Step::Attempt)));
            }
            continue;
        }
        let paid = match step {
            Step::NewCard => true,
            Step::Attempt if first => false,
            Step::Attempt => {
                let answer = case.answer(variant, at, &own.attempts);
                tally.attempts += 1;
                own.learn(policy, case, at, answer, &mut knowledge);
                answer == Answer::Approved
            }
        };
        if paid {
            own.over = true;
            tally.recovered += 1;
            tally.recovered_minor += case.failure.amount_minor;
            tally.waited_seconds += at.0 - case.failure.failed_at.0;
        } else if let Some(next) = own.next(policy, case, &knowledge, seed) {
            steps.push(Reverse((next, index, Step::Attempt)));
        }
    }
    tally
}

fn said(decline_code: &str) -> Decline {
    Decline {
        code: "card_declined".to_owned(),
        decline_code: Some(decline_code.to_owned()),
    }
}

/// Each failure is of a card of its own.
fn card_of(failure: &Failure) -> Card {
    Card {
        brand: failure.brand,
        last4: "0000".to_owned(),
        exp_month: 12,
        exp_year: 2099,
        fingerprint: failure.id.to_string(),
        funding: failure.funding,
        country: Some(failure.country.to_owned()),
    }
}

impl Policy {
    fn ends_at(self, failed_at: Timestamp) -> Timestamp {
        let (Self::Schedule { days, .. } | Self::Smart { days, .. }) = self;
        Timestamp(failed_at.0 + days * DAY)
    }
}

impl Open {
    /// Notes an attempt and what came of it.
    fn learn(
        &mut self,
        policy: Policy,
        case: &Case,
        at: Timestamp,
        answer: Answer,
        knowledge: &mut Knowledge,
    ) {
        let learns = matches!(policy, Policy::Smart { learns: true, .. });
        if learns {
            let before = self.attempts.last().copied();
            let before = before.unwrap_or(case.failure.failed_at);
            let retry = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX);
            let traits = self.payee(case).traits(before, at, retry);
            knowledge.learn(&traits, answer == Answer::Approved);
        }
        self.attempts.push(at);
        if let Answer::Declined(code) = answer {
            self.decline = said(code);
        }
    }

    fn payee<'a>(&'a self, case: &'a Case) -> Payee<'a> {
        Payee {
            decline: &self.decline,
            funding: case.failure.funding,
            country: Some(case.failure.country),
        }
    }

    /// When the policy tries next. No policy charges a card again after a hard decline.
    fn next(
        &self,
        policy: Policy,
        case: &Case,
        knowledge: &Knowledge,
        seed: u64,
    ) -> Option<Timestamp> {
        if is_hard(&self.decline) {
            return None;
        }
        let failed_at = case.failure.failed_at;
        let done = self.attempts.len();
        match policy {
            Policy::Schedule { hours, .. } => {
                let hours = hours.get(done)?;
                Some(Timestamp(failed_at.0 + hours * 3_600))
            }
            Policy::Smart { retries, days, .. } => {
                let done = u32::try_from(done).unwrap_or(u32::MAX);
                let policy = RetryPolicy {
                    mode: RetryMode::Smart {
                        window_days: u16::try_from(days).unwrap_or(u16::MAX),
                        retries_max: retries,
                    },
                    ..RetryPolicy::default()
                };
                let failed = Failed {
                    collected: Collected::Renewal,
                    attempts: done.saturating_add(1),
                    since: failed_at,
                    failed_at: self.attempts.last().copied().unwrap_or(failed_at),
                    decline: Some(&self.decline),
                    card: Some(&self.card),
                    knowledge,
                    seed: chance::mix(chance::mix(case.failure.id, seed), u64::from(done)),
                };
                match policy.next(&failed) {
                    Ok(Next::Retry {
                        at,
                        needs_new_method: false,
                    }) => Some(at),
                    // What is left of the window is the customer's.
                    Ok(Next::Retry { .. } | Next::Exhausted(_)) | Err(_) => None,
                }
            }
        }
    }

    /// Until when the card's scheme forbids another attempt at `now`, if it does.
    fn barred_until(&self, case: &Case, now: Timestamp) -> Option<Timestamp> {
        let first = core::iter::once(case.failure.failed_at);
        let mut declines: Vec<Timestamp> = first.chain(self.attempts.iter().copied()).collect();
        declines.reverse();
        let since = now.0.saturating_sub(schemes::WINDOW_SECONDS_MAX);
        declines.retain(|at| at.0 > since);
        schemes::barred_until(case.failure.brand, &declines, now)
    }
}

#[cfg(test)]
mod tests;
