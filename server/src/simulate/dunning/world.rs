//! The hidden world: why charges fail, and when they would go through.
//!
//! No policy reads this file's numbers; they were fixed before the policies were written. Where a
//! public figure exists it is used, and named here; the rest is a guess that says so. The variants
//! in [`Variant`] change what the guesses could get wrong.
//!
//! - **Why**: insufficient funds 38 %, expired or cancelled cards 24 %, unexplained refusals of the
//!   bank 17 %, technical 21 % (figures of Recurly, Stripe and Adyen for 2024 as collected by
//!   dunningcompare.com, "Payment failure causes"). Limits are carved out of the technical ones and
//!   proof of identity (Europe) out of the unexplained ones.
//! - **How often**: 4.6 % of renewals in the United States fail, 3.9 % on credit cards, 7.8 % on
//!   prepaid ones (Recurly 2024, same place). The worlds' failures are about as frequent.
//! - **Pay days**: of private businesses in the United States 43 % pay every two weeks, 27 % weekly,
//!   19.8 % twice a month, 10.3 % monthly (Bureau of Labor Statistics, CES, February 2023). Most of
//!   Europe, India and Japan are paid monthly, at or near the month's end, in Japan mostly on the
//!   25th, in Brazil by the fifth working day with an advance on the 20th.
//! - **Recovery takes days**: most comes back two to twelve days after the failure, up to fifteen
//!   for temporary holds (Recurly Research, "Top payment decline reasons", 2018); retries alone get
//!   about a quarter back in seven days, retries with mails and updaters 57 % (Recurly, Chargebee
//!   2024). Customers take some 72 hours to bring a new card (Chargebee).
//! - **Guesses**: how long money lasts after a pay day, at what hours banks are stricter, that
//!   asking again within a day makes an unexplained refusal more likely, and that a third of those
//!   never goes away.

use perennial::calendar::{Timestamp, Weekday, days_in_month};
use perennial::payment::{CardBrand, Funding};

use super::chance::{Chance, mix};

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
/// How far the truth of a failure is known, in days.
const KNOWN_DAYS: i64 = 75;

/// A failed renewal, as the merchant sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Tells failures apart; the same in each policy's run.
    pub id: u64,
    /// When.
    pub failed_at: Timestamp,
    /// What is owed, in minor units.
    pub amount_minor: i64,
    /// Stripe's decline code.
    pub decline_code: &'static str,
    /// Of the card.
    pub funding: Funding,
    /// Of the card.
    pub brand: CardBrand,
    /// Of the card's bank, ISO 3166-1 alpha-2.
    pub country: &'static str,
}

/// What a bank says to one more attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The money is there.
    Approved,
    /// Stripe's decline code.
    Declined(&'static str),
}

/// A failure with its truth.
#[derive(Clone, Debug)]
pub struct Case {
    /// What the merchant sees.
    pub failure: Failure,
    /// When the customer brings another card by themselves, if they do, and whether it works.
    pub new_card: Option<(Timestamp, bool)>,
    truth: Truth,
    offset: i64,
    noise: u64,
}

#[derive(Clone, Debug)]
enum Truth {
    /// There is money in these windows only, `[from, until)`.
    Funds(Vec<(i64, i64)>),
    /// The bank is out of reach until then.
    Outage(i64),
    /// A limit is used up until then.
    Limit(i64),
    /// The bank is suspicious; `None` for ever, else so many of a thousand it lets through.
    Suspicion(Option<i64>),
    /// The card is dead until its bank has moved the number on, if ever.
    Dead(Option<i64>),
}

/// What about the world differs from the first guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// The first guess.
    Base,
    /// Money comes on days that nobody could know.
    NoPayDays,
    /// Everybody is paid on the 10th and 22nd: general knowledge about pay days is wrong.
    OtherPayDays,
    /// Half of the failures are technical.
    Outages,
    /// Half of the failures are unexplained refusals, most of them for good.
    ColdBanks,
    /// Banks are stricter by day than by night.
    NightOwls,
    /// Money lasts for a day or two only.
    Broke,
    /// Customers bring new cards twice as often.
    Loyal,
}

impl Variant {
    /// All of them, the first guess first.
    pub const ALL: [Self; 8] = [
        Self::Base,
        Self::NoPayDays,
        Self::OtherPayDays,
        Self::Outages,
        Self::ColdBanks,
        Self::NightOwls,
        Self::Broke,
        Self::Loyal,
    ];

    /// For reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::NoPayDays => "no_pay_days",
            Self::OtherPayDays => "other_pay_days",
            Self::Outages => "outages",
            Self::ColdBanks => "cold_banks",
            Self::NightOwls => "night_owls",
            Self::Broke => "broke",
            Self::Loyal => "loyal",
        }
    }
}

/// How an employer pays.
#[derive(Clone, Copy, Debug)]
enum Pay {
    Weekly(Weekday),
    /// Every other week; the second is which weeks, 0 or 1.
    Fortnightly(Weekday, i64),
    /// On these days of the month; 31 is the last. Moved before weekends.
    Monthly(&'static [u8]),
    /// On days that follow no rule.
    Anyhow,
}

type Countries = &'static [(i64, (&'static str, i64))];

/// Where customers are (a guess at a business that sells in English and French), with their hours
/// east of Greenwich. The United States have four times.
const COUNTRIES: Countries = &[
    (16, ("US", -5)),
    (10, ("US", -6)),
    (4, ("US", -7)),
    (10, ("US", -8)),
    (14, ("GB", 0)),
    (10, ("DE", 1)),
    (12, ("FR", 1)),
    (6, ("BR", -3)),
    (6, ("IN", 5)),
    (6, ("JP", 9)),
    (6, ("AU", 10)),
];

fn pay_of(country: &str, chance: &mut Chance) -> Pay {
    let weeks = chance.below(2);
    let us: &[(i64, Pay)] = &[
        (430, Pay::Fortnightly(Weekday::Friday, weeks)),
        (270, Pay::Weekly(Weekday::Friday)),
        (198, Pay::Monthly(&[15, 31])),
        (103, Pay::Monthly(&[31])),
    ];
    let rules: &[(i64, Pay)] = match country {
        "US" => us,
        "GB" => &[
            (50, Pay::Monthly(&[31])),
            (20, Pay::Monthly(&[25])),
            (15, Pay::Monthly(&[28])),
            (15, Pay::Weekly(Weekday::Friday)),
        ],
        "DE" => &[
            (50, Pay::Monthly(&[31])),
            (20, Pay::Monthly(&[1])),
            (30, Pay::Monthly(&[15])),
        ],
        "FR" => &[(70, Pay::Monthly(&[29])), (30, Pay::Monthly(&[5]))],
        "JP" => &[(80, Pay::Monthly(&[25])), (20, Pay::Monthly(&[15]))],
        "BR" => &[(70, Pay::Monthly(&[6])), (30, Pay::Monthly(&[6, 20]))],
        "IN" => &[(80, Pay::Monthly(&[31])), (20, Pay::Monthly(&[7]))],
        _ => &[
            (55, Pay::Fortnightly(Weekday::Thursday, 0)),
            (20, Pay::Weekly(Weekday::Thursday)),
            (25, Pay::Monthly(&[15])),
        ],
    };
    chance.pick(rules).unwrap_or(Pay::Anyhow)
}

/// Whether wages arrive on a local day, counted from 1970.
fn pays_on(pay: Pay, day: i64, chance: &mut Chance) -> bool {
    let at = Timestamp(day.saturating_mul(DAY));
    match pay {
        Pay::Weekly(weekday) => at.weekday() == weekday,
        Pay::Fortnightly(weekday, weeks) => {
            at.weekday() == weekday && day.div_euclid(7).rem_euclid(2) == weeks
        }
        Pay::Monthly(days) => days.iter().any(|wanted| {
            // Wages due on a weekend come on the Friday before.
            let ahead = match at.weekday() {
                Weekday::Saturday | Weekday::Sunday => return false,
                Weekday::Friday => 2,
                _ => 0,
            };
            (0..=ahead).any(|more| {
                let date = Timestamp(day.saturating_add(more).saturating_mul(DAY)).civil();
                date.day == (*wanted).min(days_in_month(date.year, date.month))
            })
        }),
        Pay::Anyhow => chance.happens(45),
    }
}

/// Draws all failures of one merchant's year, oldest first.
#[must_use]
pub fn year(variant: Variant, seed: u64, customers: u32) -> Vec<Case> {
    // 2027-01-01.
    const START: i64 = 1_798_761_600;
    let mut cases = Vec::new();
    for customer in 0..u64::from(customers) {
        let mut chance = Chance::new(mix(mix(seed, 0xca5e), customer));
        let (country, hours) = chance.pick(COUNTRIES).unwrap_or(("US", -5));
        let funding = chance.pick(&FUNDING).unwrap_or(Funding::Credit);
        let brand = chance.pick(&BRANDS).unwrap_or(CardBrand::Visa);
        let pay = match variant {
            Variant::NoPayDays => Pay::Anyhow,
            Variant::OtherPayDays => Pay::Monthly(&[10, 22]),
            _ => pay_of(country, &mut chance),
        };
        let amount_minor = chance.pick(&AMOUNTS).unwrap_or(1_000);
        // People subscribe by day; the renewal keeps the hour.
        let hour = chance.between(8, 23).saturating_sub(hours);
        let anchor = chance.below(28);
        let permille = match funding {
            Funding::Prepaid => 95,
            Funding::Debit => 70,
            _ => 42,
        };
        for month in 0..12 {
            let id = mix(mix(seed, customer), month);
            let mut chance = Chance::new(mix(id, 0xfa11));
            if !chance.happens(permille) {
                continue;
            }
            let days = i64::try_from(month)
                .unwrap_or(0)
                .saturating_mul(30)
                .saturating_add(anchor);
            let at = START
                .saturating_add(days.saturating_mul(DAY))
                .saturating_add(hour.saturating_mul(HOUR))
                .saturating_add(chance.below(HOUR));
            let failure = Failure {
                id,
                failed_at: Timestamp(at),
                amount_minor,
                decline_code: "generic_decline",
                funding,
                brand,
                country,
            };
            cases.push(case(
                variant,
                failure,
                pay,
                hours.saturating_mul(HOUR),
                &mut chance,
            ));
        }
    }
    cases.sort_by_key(|case| (case.failure.failed_at, case.failure.id));
    cases
}

const FUNDING: [(i64, Funding); 3] = [
    (52, Funding::Debit),
    (42, Funding::Credit),
    (6, Funding::Prepaid),
];

const BRANDS: [(i64, CardBrand); 4] = [
    (55, CardBrand::Visa),
    (36, CardBrand::Mastercard),
    (6, CardBrand::Amex),
    (3, CardBrand::Discover),
];

const AMOUNTS: [(i64, i64); 5] = [
    (20, 500),
    (35, 1_200),
    (25, 2_900),
    (15, 4_900),
    (5, 19_900),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Funds,
    Expired,
    Gone,
    Technical,
    Limit,
    Bank,
    Proof,
}

fn causes(variant: Variant) -> [(i64, Cause); 7] {
    let [funds, expired, gone, technical, limit, bank, proof] = match variant {
        Variant::Outages => [25, 10, 6, 50, 2, 5, 2],
        Variant::ColdBanks => [22, 10, 6, 8, 2, 50, 2],
        Variant::Broke => [58, 9, 5, 10, 3, 12, 3],
        _ => [38, 15, 9, 16, 5, 14, 3],
    };
    [
        (funds, Cause::Funds),
        (expired, Cause::Expired),
        (gone, Cause::Gone),
        (technical, Cause::Technical),
        (limit, Cause::Limit),
        (bank, Cause::Bank),
        (proof, Cause::Proof),
    ]
}

fn case(
    variant: Variant,
    mut failure: Failure,
    pay: Pay,
    offset: i64,
    chance: &mut Chance,
) -> Case {
    let mut cause = chance.pick(&causes(variant)).unwrap_or(Cause::Bank);
    let at = failure.failed_at.0;
    let mut truth = Truth::Dead(None);
    if cause == Cause::Funds {
        let windows = windows(variant, &failure, pay, offset, chance);
        // There was money at that moment, so something else was wrong.
        match windows
            .iter()
            .any(|(from, until)| (*from..*until).contains(&at))
        {
            true => cause = chance.pick(&NOT_FUNDS).unwrap_or(Cause::Bank),
            false => truth = Truth::Funds(windows),
        }
    }
    match cause {
        Cause::Funds | Cause::Gone | Cause::Proof => {}
        Cause::Technical => truth = Truth::Outage(at.saturating_add(outage(chance))),
        Cause::Limit => truth = Truth::Limit(limit(at, offset, chance)),
        Cause::Expired => {
            let moved = chance
                .happens(200)
                .then(|| at.saturating_add(chance.below(20 * DAY)));
            truth = Truth::Dead(moved);
        }
        Cause::Bank => {
            let dead = if variant == Variant::ColdBanks {
                650
            } else {
                350
            };
            let lets = chance.between(120, 480);
            truth = Truth::Suspicion((!chance.happens(dead)).then_some(lets));
        }
    }
    failure.decline_code = code(cause, chance);
    let new_card = new_card(variant, cause, at, chance);
    let noise = mix(failure.id, 0x0b5e);
    Case {
        failure,
        new_card,
        truth,
        offset,
        noise,
    }
}

const NOT_FUNDS: [(i64, Cause); 5] = [
    (15, Cause::Expired),
    (9, Cause::Gone),
    (16, Cause::Technical),
    (5, Cause::Limit),
    (14, Cause::Bank),
];

/// What the bank calls it. Banks like to say nothing.
fn code(cause: Cause, chance: &mut Chance) -> &'static str {
    let weighted: &[(i64, &str)] = match cause {
        Cause::Funds => &[
            (78, "insufficient_funds"),
            (12, "do_not_honor"),
            (10, "generic_decline"),
        ],
        Cause::Expired => &[(85, "expired_card"), (15, "invalid_expiry_year")],
        Cause::Gone => &[
            (35, "lost_card"),
            (20, "stolen_card"),
            (20, "pickup_card"),
            (25, "do_not_honor"),
        ],
        Cause::Technical => &[
            (40, "processing_error"),
            (30, "issuer_not_available"),
            (30, "try_again_later"),
        ],
        Cause::Limit => &[
            (60, "card_velocity_exceeded"),
            (40, "withdrawal_count_limit_exceeded"),
        ],
        Cause::Bank => &[
            (50, "generic_decline"),
            (40, "do_not_honor"),
            (10, "call_issuer"),
        ],
        Cause::Proof => &[(1, "authentication_required")],
    };
    chance.pick(weighted).unwrap_or("generic_decline")
}

/// How long a bank stays out of reach, in seconds: mostly minutes, sometimes days.
fn outage(chance: &mut Chance) -> i64 {
    match chance.below(100) {
        0..55 => chance.between(60, 2 * HOUR),
        55..88 => chance.between(2 * HOUR, 20 * HOUR),
        _ => chance.between(20 * HOUR, 6 * DAY),
    }
}

/// When a limit opens again: at the end of the payer's day, week, or month.
fn limit(at: i64, offset: i64, chance: &mut Chance) -> i64 {
    let local = at.saturating_add(offset);
    let midnight = local.div_euclid(DAY).saturating_add(1).saturating_mul(DAY);
    let date = Timestamp(local).civil();
    let left = i64::from(days_in_month(date.year, date.month).saturating_sub(date.day));
    let days = match chance.below(10) {
        0..5 => 0,
        5..8 => chance.between(1, 6),
        _ => left,
    };
    midnight
        .saturating_add(days.saturating_mul(DAY))
        .saturating_sub(offset)
}

/// When there is money on the account. Wages come in the night or by day; they last for some days,
/// for hardly any with those who have nothing. On credit cards the limit opens some days after the
/// wages, when the bill is paid, and for longer.
fn windows(
    variant: Variant,
    failure: &Failure,
    pay: Pay,
    offset: i64,
    chance: &mut Chance,
) -> Vec<(i64, i64)> {
    let credit = failure.funding == Funding::Credit;
    let never = chance.happens(120);
    let lasts = match (variant, credit) {
        (Variant::Broke, _) => chance.between(8, 40).saturating_mul(HOUR),
        (_, true) => chance.between(5, 16).saturating_mul(DAY),
        (_, false) => chance.between(14, 216).saturating_mul(HOUR),
    };
    let by_night = chance.happens(600);
    let pays_bill_after = if credit {
        chance.between(1, 9).saturating_mul(DAY)
    } else {
        0
    };
    let today = failure.failed_at.0.saturating_add(offset).div_euclid(DAY);
    let mut windows = Vec::new();
    for day in today.saturating_sub(30)..today.saturating_add(KNOWN_DAYS) {
        let hour = if by_night {
            chance.between(0, 5)
        } else {
            chance.between(8, 15)
        };
        let short = chance.happens(130);
        // Now and then somebody sends money.
        let gift = chance
            .happens(25)
            .then(|| chance.between(6, 48).saturating_mul(HOUR));
        let wages = pays_on(pay, day, chance) && !short;
        let start = day
            .saturating_mul(DAY)
            .saturating_add(hour.saturating_mul(HOUR))
            .saturating_sub(offset);
        if wages && !never {
            let from = start.saturating_add(pays_bill_after);
            windows.push((from, from.saturating_add(lasts)));
        }
        if let Some(gift) = gift {
            windows.push((start, start.saturating_add(gift)));
        }
    }
    windows
}

/// Mails go out on days 0, 3, 7 and 12; after each, some bring another card within some days. That
/// does not depend on the policy.
fn new_card(
    variant: Variant,
    cause: Cause,
    at: i64,
    chance: &mut Chance,
) -> Option<(Timestamp, bool)> {
    let mails: [i64; 4] = match cause {
        Cause::Expired | Cause::Gone => [170, 100, 70, 50],
        Cause::Proof => [220, 120, 80, 60],
        _ => [45, 35, 30, 20],
    };
    for (day, permille) in [0, 3, 7, 12].into_iter().zip(mails) {
        let permille = match variant {
            Variant::Loyal => permille.saturating_mul(2),
            _ => permille,
        };
        if chance.happens(permille) {
            let hours = chance.wait(35, 30 * 24);
            let after = i64::saturating_mul(day, DAY).saturating_add(hours.saturating_mul(HOUR));
            let works = chance.happens(930);
            return Some((Timestamp(at.saturating_add(after)), works));
        }
    }
    None
}

impl Case {
    /// What the bank says at `at`, after attempts at `before` (the first failure not among them).
    #[must_use]
    pub fn answer(&self, variant: Variant, at: Timestamp, before: &[Timestamp]) -> Answer {
        let t = at.0;
        let approved = match &self.truth {
            Truth::Funds(windows) => windows
                .iter()
                .any(|(from, until)| (*from..*until).contains(&t)),
            Truth::Outage(until) | Truth::Limit(until) => t >= *until,
            Truth::Dead(moved) => moved.is_some_and(|moved| t >= moved),
            Truth::Suspicion(None) => false,
            Truth::Suspicion(Some(lets)) => self.lets_through(variant, *lets, at, before),
        };
        // Any charge may also meet a broken wire.
        let mut chance = Chance::new(mix(self.noise, at.0.div_euclid(HOUR).unsigned_abs()));
        if chance.happens(6) {
            return Answer::Declined("processing_error");
        }
        match approved {
            true => Answer::Approved,
            false => Answer::Declined(self.failure.decline_code),
        }
    }

    /// A suspicious bank's mood holds for half a day.
    fn lets_through(
        &self,
        variant: Variant,
        lets: i64,
        at: Timestamp,
        before: &[Timestamp],
    ) -> bool {
        let local = at.0.saturating_add(self.offset);
        let hour = local.rem_euclid(DAY) / HOUR;
        let by_day = (8..20).contains(&hour) != (variant == Variant::NightOwls);
        let hurried = before
            .iter()
            .any(|attempt| at.0.saturating_sub(attempt.0) < DAY);
        let mood = if by_day {
            lets.saturating_mul(14) / 10
        } else {
            lets / 2
        };
        let mood = if hurried {
            mood.saturating_mul(6) / 10
        } else {
            mood
        };
        let half_day = local.div_euclid(DAY / 2).unsigned_abs();
        Chance::new(mix(mix(self.noise, 0x600d), half_day)).happens(mood)
    }
}
