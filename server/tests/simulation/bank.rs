//! The bank of the simulation: another company, which no crash of ours can touch.
//!
//! What it says to a claim follows from the seed, the invoice and the number of the attempt alone, so
//! that a world with crashes and its twin without them hear the same answers. Only the lines to it
//! break: a request or an answer gets lost now and then.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use perennial::money::Money;
use perennial::payment::{Card, CardBrand, Decline, Funding, Outcome};
use perennial::refund::{RefundOutcome, RefundStatus};
use server::gateway::{
    Capabilities, CardDetails, CardUpdate, Challenge, ChallengeAnswer, Charge, Gateway,
    GatewayError, RefundRequest, Reply, ReturnPath, Scope, SetUp, TokenizeError, Tokenized,
};

use crate::chance::{Chance, roll};
use crate::life::Fuse;

/// How many of a hundred requests get lost on their way, and as many answers.
const LOST_PERCENT: u64 = 8;

/// Cheap to clone; clones are the same bank.
#[derive(Clone)]
pub struct Bank(Arc<Mutex<Books>>);

struct Books {
    seed: u64,
    /// Breaks the lines; `None` where they hold.
    storm: Option<Chance>,
    fuse: Fuse,
    attempts: BTreeMap<String, Attempt>,
    /// By key, with what was asked for.
    refunds: BTreeMap<String, (Money, RefundOutcome)>,
    tokens: u64,
    /// Cards that it keeps, by token, with whom for.
    cards: BTreeMap<String, (Scope, Card)>,
    /// What it told of them, in order.
    news: Vec<(Scope, CardUpdate)>,
}

#[derive(Clone)]
struct Attempt {
    invoice: Option<String>,
    amount: Option<Money>,
    description: Option<String>,
    outcome: Outcome,
    answer: Option<ChallengeAnswer>,
    return_path: Option<ReturnPath>,
}

impl Bank {
    pub fn new(seed: u64, storm: bool, fuse: Fuse) -> Self {
        Self(Arc::new(Mutex::new(Books {
            seed,
            storm: storm.then(|| Chance::new(roll(seed, "storm"))),
            fuse,
            attempts: BTreeMap::new(),
            refunds: BTreeMap::new(),
            tokens: 0,
            cards: BTreeMap::new(),
            news: Vec::new(),
        })))
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was taken for each invoice.
    pub fn taken(&self) -> BTreeMap<String, Vec<i64>> {
        let mut taken: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for attempt in self.books().attempts.values() {
            if let (Outcome::Succeeded { .. }, Some(invoice), Some(amount)) =
                (&attempt.outcome, &attempt.invoice, attempt.amount)
            {
                taken.entry(invoice.clone()).or_default().push(amount.minor);
            }
        }
        taken
    }

    /// What was given back, in all.
    pub fn given_back(&self) -> i64 {
        let books = self.books();
        let given = books
            .refunds
            .values()
            .filter(|(_, outcome)| outcome.status == RefundStatus::Succeeded);
        given.map(|(amount, _)| amount.minor).sum()
    }

    /// A card is given out anew, until the end of a year. Said twice, it is news once.
    pub fn reissue(&self, token: &str, year: u16) {
        let mut books = self.books();
        let Some((scope, card)) = books.cards.get_mut(token) else {
            return;
        };
        if card.exp_year == year {
            return;
        }
        card.exp_year = year;
        let (scope, card, token) = (scope.clone(), card.clone(), token.to_owned());
        let cursor = i64::try_from(books.news.len()).unwrap_or(0) + 1;
        let update = CardUpdate {
            cursor,
            token,
            card,
        };
        books.news.push((scope, update));
    }

    /// A customer answers the challenge of the invoice that comes first by its number.
    pub fn answer_one(&self, approved: bool) {
        let mut books = self.books();
        let open = books
            .attempts
            .iter()
            .filter(|(_, attempt)| matches!(attempt.outcome, Outcome::RequiresAction { .. }));
        let first = open.min_by_key(|(_, attempt)| attempt.description.clone());
        let Some(key) = first.map(|(key, _)| key.clone()) else {
            return;
        };
        books.answer(&key, approved);
    }
}

impl Books {
    fn answer(&mut self, key: &str, approved: bool) {
        let Some(attempt) = self.attempts.get_mut(key) else {
            return;
        };
        if !matches!(attempt.outcome, Outcome::RequiresAction { .. }) {
            return;
        }
        (attempt.answer, attempt.outcome) = if approved {
            let charge = format!("ch_{key}");
            let charged = attempt.amount;
            (
                Some(ChallengeAnswer::Approved),
                Outcome::Succeeded { charge, charged },
            )
        } else {
            let failed = decline("payment_intent_authentication_failure", None);
            (Some(ChallengeAnswer::Failed), Outcome::Declined(failed))
        };
    }

    /// Whether this message gets lost.
    fn lost(&mut self) -> bool {
        self.fuse.burn();
        let storm = self.storm.as_mut();
        storm.is_some_and(|storm| storm.below(100) < LOST_PERCENT)
    }

    /// What the bank decides: the same in every world of a seed.
    fn decide(&self, what: &str, key: &str, charged: Option<Money>, on_session: bool) -> Outcome {
        let attempt = key.rsplit(':').next().unwrap_or_default();
        match roll(self.seed, &format!("{what}/{attempt}")) % 100 {
            0..68 => Outcome::Succeeded {
                charge: format!("ch_{key}"),
                charged,
            },
            68..88 => Outcome::Declined(decline("card_declined", Some("insufficient_funds"))),
            88..92 => Outcome::Declined(decline("card_declined", Some("lost_card"))),
            92..95 => Outcome::Declined(decline("processing_error", Some("processing_error"))),
            _ if on_session => Outcome::RequiresAction {
                challenge: format!("/prove/{key}"),
            },
            _ => Outcome::Declined(decline("authentication_required", None)),
        }
    }

    fn claim(&mut self, key: String, what: String, attempt: Attempt, here: bool) -> Outcome {
        if let Some(known) = self.attempts.get(&key) {
            assert_eq!(
                known.amount, attempt.amount,
                "one key with two amounts: {key}"
            );
            return known.outcome.clone();
        }
        let outcome = self.decide(&what, &key, attempt.amount, here);
        let attempt = Attempt {
            outcome: outcome.clone(),
            ..attempt
        };
        self.attempts.insert(key, attempt);
        outcome
    }
}

impl Books {
    /// Gives money back, once for each key. Of ten, one does not arrive.
    fn give_back(&mut self, request: RefundRequest) -> RefundOutcome {
        let RefundRequest {
            idempotency_key: key,
            charge,
            amount,
        } = request;
        if let Some((asked, known)) = self.refunds.get(&key) {
            assert_eq!(*asked, amount, "one refund with two amounts: {key}");
            return known.clone();
        }
        let paid = charge
            .strip_prefix("ch_")
            .and_then(|key| self.attempts.get(key));
        let said = paid.and_then(|own| own.description.clone());
        let said = said.unwrap_or_default();
        let customer = said.rsplit_once('-').map_or("", |(customer, _)| customer);
        let what = format!("refund/{customer}/{}", amount.minor);
        let arrives = !roll(self.seed, &what).is_multiple_of(10);
        let outcome = RefundOutcome {
            refund: format!("re_{key}"),
            status: match arrives {
                true => RefundStatus::Succeeded,
                false => RefundStatus::Failed,
            },
            failure_reason: (!arrives).then(|| "declined".to_owned()),
        };
        self.refunds.insert(key, (amount, outcome.clone()));
        outcome
    }
}

fn decline(code: &str, decline_code: Option<&str>) -> Decline {
    Decline {
        code: code.to_owned(),
        decline_code: decline_code.map(str::to_owned),
    }
}

fn lost<T>() -> Result<T, GatewayError> {
    Err(GatewayError::Unknown("lost on the way".to_owned()))
}

impl Gateway for Bank {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "simulated",
            livemode: false,
            card_numbers_reach_server: true,
            answers_challenges: true,
        }
    }

    fn tokenize<'a>(
        &'a self,
        scope: &'a Scope,
        card: CardDetails,
    ) -> Reply<'a, Tokenized, TokenizeError> {
        Box::pin(async move {
            let mut books = self.books();
            books.tokens += 1;
            let digits: String = card.number.chars().filter(char::is_ascii_digit).collect();
            let last4 = digits
                .get(digits.len().saturating_sub(4)..)
                .unwrap_or("0000");
            let token = format!("card_{}", books.tokens);
            let card = Card {
                brand: CardBrand::Visa,
                last4: last4.to_owned(),
                exp_month: 12,
                exp_year: 2060,
                fingerprint: format!("print{}", books.tokens),
                funding: Funding::Credit,
                country: Some("US".to_owned()),
            };
            let kept = (scope.clone(), card.clone());
            books.cards.insert(token.clone(), kept);
            Ok(Tokenized { token, card })
        })
    }

    fn set_up<'a>(&'a self, _scope: &'a Scope, request: SetUp) -> Reply<'a, Outcome> {
        Box::pin(async move {
            Ok(Outcome::Succeeded {
                charge: request.idempotency_key,
                charged: None,
            })
        })
    }

    fn charge<'a>(&'a self, _scope: &'a Scope, request: Charge) -> Reply<'a, Outcome> {
        Box::pin(async move {
            if self.books().lost() {
                return lost();
            }
            // A place to crash between our commit and the bank's.
            tokio::task::yield_now().await;
            let outcome = {
                let mut books = self.books();
                // Not the whole number of the invoice: which of two that fall due at one moment is first
                // may differ between a world and its twin.
                let said = request.description.clone().unwrap_or_default();
                let customer = said.rsplit_once('-').map_or("", |(customer, _)| customer);
                let what = format!("{customer}/{}", request.amount.minor);
                let attempt = Attempt {
                    invoice: request.metadata.0.get("invoice").cloned(),
                    amount: Some(request.amount),
                    description: request.description,
                    outcome: Outcome::Succeeded {
                        charge: String::new(),
                        charged: None,
                    },
                    answer: None,
                    return_path: request.return_path,
                };
                books.claim(request.idempotency_key, what, attempt, request.on_session)
            };
            if self.books().lost() {
                return lost();
            }
            tokio::task::yield_now().await;
            Ok(outcome)
        })
    }

    fn card_updates<'a>(&'a self, after: i64, limit: u32) -> Reply<'a, Vec<(Scope, CardUpdate)>> {
        Box::pin(async move {
            let books = self.books();
            let news = books.news.iter().filter(|(_, own)| own.cursor > after);
            Ok(news.take(limit as usize).cloned().collect())
        })
    }

    fn lookup<'a>(&'a self, _scope: &'a Scope, key: &'a str) -> Reply<'a, Option<Outcome>> {
        Box::pin(async move {
            let mut books = self.books();
            if books.lost() {
                return lost();
            }
            Ok(books.attempts.get(key).map(|found| found.outcome.clone()))
        })
    }

    fn abandon<'a>(&'a self, _scope: &'a Scope, key: &'a str) -> Reply<'a, Option<Outcome>> {
        Box::pin(async move {
            let mut books = self.books();
            if books.lost() {
                return lost();
            }
            books.answer(key, false);
            Ok(books.attempts.get(key).map(|found| found.outcome.clone()))
        })
    }

    fn refund<'a>(&'a self, _scope: &'a Scope, request: RefundRequest) -> Reply<'a, RefundOutcome> {
        Box::pin(async move {
            if self.books().lost() {
                return lost();
            }
            tokio::task::yield_now().await;
            let outcome = self.books().give_back(request);
            if self.books().lost() {
                return lost();
            }
            tokio::task::yield_now().await;
            Ok(outcome)
        })
    }

    fn lookup_refund<'a>(
        &'a self,
        _scope: &'a Scope,
        key: &'a str,
    ) -> Reply<'a, Option<RefundOutcome>> {
        Box::pin(async move {
            let mut books = self.books();
            if books.lost() {
                return lost();
            }
            Ok(books.refunds.get(key).map(|(_, known)| known.clone()))
        })
    }

    fn challenge<'a>(
        &'a self,
        _scope: &'a Scope,
        address: &'a str,
    ) -> Reply<'a, Option<Challenge>> {
        Box::pin(async move {
            let books = self.books();
            let key = address.strip_prefix("/prove/").unwrap_or_default();
            Ok(books.attempts.get(key).map(|attempt| Challenge {
                amount: attempt.amount,
                description: attempt.description.clone(),
                brand: CardBrand::Visa,
                last4: "4242".to_owned(),
                answer: attempt.answer,
                return_path: attempt.return_path.clone(),
            }))
        })
    }

    fn answer_challenge<'a>(
        &'a self,
        scope: &'a Scope,
        address: &'a str,
        answer: ChallengeAnswer,
    ) -> Reply<'a, Option<Challenge>> {
        Box::pin(async move {
            let key = address.strip_prefix("/prove/").unwrap_or_default();
            self.books()
                .answer(key, answer == ChallengeAnswer::Approved);
            self.challenge(scope, address).await
        })
    }
}
