//! The embedded gateway: a bank for development, demonstrations and tests.
//!
//! It behaves as if it were another company. It has books of its own (`sandbox_card`,
//! `sandbox_attempt`), keeps neither card numbers nor security codes, remembers every idempotency
//! key, and asks cardholders for proof on a page of its own. Its cards are Stripe's public test
//! cards and do what they do at Stripe. It moves no money, so it takes no part in live mode.

mod behaviour;
mod book;
mod challenge;
mod refunds;
mod test_card;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use perennial::calendar::Timestamp;
use perennial::id::{ChargeId, PaymentMethodId, SetupIntentId};
use perennial::payment::{Card, Decline, Outcome};
use perennial::refund::RefundOutcome;
use sha2::{Digest, Sha256};

use behaviour::{Act, Answer, Behaviour, answer_after_proof, first_answer};
use book::{Attempt, Standing};

use super::{
    Capabilities, CardDetails, CardUpdate, Challenge, ChallengeAnswer, Charge, Gateway,
    GatewayError, IDEMPOTENCY_KEY_BYTES_MAX, RefundRequest, Replies, Reply, ReturnPath, Scope,
    SetUp, TokenizeError, Tokenized, in_time,
};
use crate::clock::{Clock, Entropy};
use crate::store::Store;

pub use challenge::router;

/// The most digits of a fingerprint; as at Stripe.
const FINGERPRINT_CHARS: usize = 16;

/// The sandbox. Cheap to clone; clones are the same sandbox.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// Makes fingerprints that mean nothing elsewhere.
    fingerprint_key: [u8; 32],
    faults: Mutex<VecDeque<Fault>>,
    /// How long a charge takes on each way.
    way_millis: AtomicU64,
}

/// Something that goes wrong with the next set-up or charge, for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request never arrives: nothing is recorded, and the caller sees a timeout.
    LoseRequest,
    /// The answer never arrives: the outcome is recorded, and the caller sees a timeout.
    LoseAnswer,
    /// The outcome is recorded, and the answer takes so long.
    Delay(Duration),
}

impl Sandbox {
    /// A sandbox with its books in `store`. `fingerprint_key` is one secret for the installation:
    /// with another key the same card gets another fingerprint.
    #[must_use]
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        fingerprint_key: [u8; 32],
    ) -> Self {
        let faults = Mutex::default();
        Self(Arc::new(Inner {
            store,
            clock,
            entropy,
            fingerprint_key,
            faults,
            way_millis: AtomicU64::new(0),
        }))
    }

    /// Lets the next set-up or charge go wrong; several wait in line.
    pub fn inject(&self, fault: Fault) {
        self.0
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(fault);
    }

    /// Lets every charge take so long on the way to the bank, and as long again on the way back.
    pub fn slow_down(&self, each_way: Duration) {
        let millis = u64::try_from(each_way.as_millis()).unwrap_or(u64::MAX);
        self.0.way_millis.store(millis, Ordering::Relaxed);
    }

    async fn travel(&self) {
        let millis = self.0.way_millis.load(Ordering::Relaxed);
        if millis > 0 {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
    }

    fn next_fault(&self) -> Option<Fault> {
        self.0
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    async fn keep(&self, scope: &Scope, card: CardDetails) -> Result<Tokenized, TokenizeError> {
        let inner = &*self.0;
        let now = inner.clock.now();
        let (number, expiry) = card.check(now).map_err(TokenizeError::Faults)?;
        let known = test_card::by_number(number.digits());
        let refusal = match (known, scope.livemode) {
            (Some(known), false) => Ok(known),
            (Some(_), true) => Err("live_mode_test_card"),
            (None, _) => Err("test_mode_live_card"),
        };
        let known = refusal.map_err(|why| {
            let code = "card_declined".to_owned();
            TokenizeError::Declined(Decline {
                code,
                decline_code: Some(why.to_owned()),
            })
        })?;
        let card = Card {
            brand: number.brand(),
            last4: number.last4().to_owned(),
            exp_month: expiry.month,
            exp_year: expiry.year,
            fingerprint: inner.fingerprint(scope, number.digits()),
            funding: known.funding,
            country: Some(known.country.to_owned()),
        };
        let token = PaymentMethodId::from_random(inner.entropy.bits());
        let token = token.as_str().replacen("pm_", "card_", 1);
        book::keep_card(&inner.store, scope, &token, &card, known.behaviour, now).await?;
        Ok(Tokenized { token, card })
    }

    /// Carries an attempt out, once for each key.
    async fn attempt(&self, scope: &Scope, request: Request) -> Result<Outcome, GatewayError> {
        let fault = self.next_fault();
        if fault == Some(Fault::LoseRequest) {
            return Err(GatewayError::Unknown("the request timed out".to_owned()));
        }
        let outcome = self.attempt_once(scope, request).await;
        match fault {
            Some(Fault::LoseAnswer) => {
                Err(GatewayError::Unknown("the answer timed out".to_owned()))
            }
            Some(Fault::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                outcome
            }
            Some(Fault::LoseRequest) | None => outcome,
        }
    }

    async fn attempt_once(&self, scope: &Scope, request: Request) -> Result<Outcome, GatewayError> {
        let inner = &*self.0;
        request.check()?;
        let hash = request.hash();
        if let Some(before) = book::attempt(&inner.store, scope, &request.idempotency_key).await? {
            return replay(scope, &before, &hash);
        }
        let card = book::card(&inner.store, scope, &request.token).await?;
        let card = card.ok_or(GatewayError::NoSuchCard)?;
        let attempt = inner.decide(&request, &card);
        let reissue =
            card.behaviour == Behaviour::Reissue && matches!(request.act, Act::Charge { .. });
        if book::keep_attempt(&inner.store, scope, &attempt, inner.clock.now()).await? {
            if reissue {
                book::reissue(&inner.store, scope, &attempt.token).await?;
            }
            return Ok(attempt.outcome(scope));
        }
        // Somebody else was faster with the same key.
        let before = book::attempt(&inner.store, scope, &attempt.idempotency_key).await?;
        let before =
            before.ok_or_else(|| GatewayError::Unknown("the attempt is gone".to_owned()))?;
        replay(scope, &before, &hash)
    }

    /// Carries out many attempts with keys that were never used, in few statements; `None` when one
    /// of the keys was, or a card is not known.
    async fn attempt_many(
        &self,
        scope: &Scope,
        requests: &[Request],
    ) -> Result<Option<Vec<Outcome>>, GatewayError> {
        let inner = &*self.0;
        let tokens = requests.iter().map(|request| request.token.clone());
        let cards = book::cards(&inner.store, scope, tokens.collect()).await?;
        let mut attempts = Vec::with_capacity(requests.len());
        for request in requests {
            request.check()?;
            let Some(card) = cards
                .get(&request.token)
                .filter(|card| card.behaviour != Behaviour::Reissue)
            else {
                return Ok(None);
            };
            attempts.push(inner.decide(request, card));
        }
        let outcomes = attempts.iter().map(|attempt| attempt.outcome(scope));
        let outcomes = outcomes.collect();
        let kept = book::keep_attempts(&inner.store, scope, attempts, inner.clock.now()).await?;
        Ok(kept.then_some(outcomes))
    }

    async fn answer(
        &self,
        scope: &Scope,
        secret: &str,
        answer: ChallengeAnswer,
    ) -> Result<Option<Challenge>, GatewayError> {
        let store = &self.0.store;
        let Some((attempt, challenge, behaviour)) = book::challenge(store, scope, secret).await?
        else {
            return Ok(None);
        };
        if challenge.answer.is_some() {
            return Ok(Some(challenge));
        }
        let proved = answer == ChallengeAnswer::Approved;
        let standing = match answer_after_proof(behaviour, attempt.act, proved) {
            Answer::Yes => Standing::Succeeded,
            Answer::No(decline) => Standing::Declined(decline),
            Answer::Prove => Standing::RequiresAction,
        };
        book::answer(store, scope, secret, answer, &standing).await?;
        // Read again: somebody else may have been faster.
        let now = book::challenge(store, scope, secret).await?;
        Ok(now.map(|(_, challenge, _)| challenge))
    }

    async fn challenge_by_secret(
        &self,
        scope: &Scope,
        secret: &str,
    ) -> Result<Option<Challenge>, GatewayError> {
        let found = book::challenge(&self.0.store, scope, secret).await?;
        Ok(found.map(|(_, challenge, _)| challenge))
    }
}

impl Inner {
    /// What the bank says to an attempt, as the books take it.
    fn decide(&self, request: &Request, card: &book::CardRow) -> Attempt {
        let standing = match first_answer(card.behaviour, request.act, card.set_up) {
            Answer::Yes => Standing::Succeeded,
            Answer::No(decline) => Standing::Declined(decline),
            Answer::Prove => Standing::RequiresAction,
        };
        let prove = standing == Standing::RequiresAction;
        Attempt {
            id: self.attempt_id(request.act),
            challenge: prove.then(|| challenge::secret(self.entropy.bits())),
            idempotency_key: request.idempotency_key.clone(),
            act: request.act,
            token: request.token.clone(),
            amount: request.amount,
            description: request.description.clone(),
            metadata: request.metadata.clone(),
            request: request.hash(),
            standing,
            return_path: request.return_path.clone(),
            answer: None,
        }
    }

    /// The same number has the same fingerprint within one merchant, and nowhere else.
    fn fingerprint(&self, scope: &Scope, digits: &str) -> String {
        // HMAC fills a short key up to the block of 64 bytes with zeros.
        let mut block = [0_u8; 64];
        block[..32].copy_from_slice(&self.fingerprint_key);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(scope.merchant.as_str().as_bytes());
        mac.update(b"\n");
        mac.update(digits.as_bytes());
        let hash = mac.finalize().into_bytes();
        let bits = hash
            .iter()
            .take(16)
            .fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
        let id = ChargeId::from_random(bits);
        let text = id.as_str().trim_start_matches(ChargeId::PREFIX);
        // The last digits are the ones that vary fully.
        text.get(text.len().saturating_sub(FINGERPRINT_CHARS)..)
            .unwrap_or(text)
            .to_owned()
    }

    fn attempt_id(&self, act: Act) -> String {
        let bits = self.entropy.bits();
        match act {
            Act::SetUp(_) => SetupIntentId::from_random(bits).into(),
            Act::Charge { .. } => ChargeId::from_random(bits).into(),
        }
    }
}

/// A stored attempt answers for its key, if the parameters are the same.
fn replay(scope: &Scope, before: &Attempt, hash: &str) -> Result<Outcome, GatewayError> {
    if before.request == hash {
        Ok(before.outcome(scope))
    } else {
        Err(GatewayError::KeyReused)
    }
}

/// A set-up or a charge, as the books take it.
struct Request {
    idempotency_key: String,
    act: Act,
    token: String,
    amount: Option<perennial::money::Money>,
    description: Option<String>,
    metadata: String,
    return_path: Option<ReturnPath>,
}

impl Request {
    fn check(&self) -> Result<(), GatewayError> {
        let key_bytes = self.idempotency_key.len();
        if key_bytes == 0 || key_bytes > IDEMPOTENCY_KEY_BYTES_MAX {
            return Err(GatewayError::Invalid(
                "an idempotency key has 1 to 255 bytes",
            ));
        }
        if self.amount.is_some_and(|amount| amount.minor <= 0) {
            return Err(GatewayError::Invalid("a charge needs an amount above zero"));
        }
        Ok(())
    }

    /// Where the customer goes afterwards is left out: a retry after a crash may not know it.
    fn hash(&self) -> String {
        let mut hash = Sha256::new();
        let amount = self.amount.map(|a| format!("{} {}", a.minor, a.currency));
        let act = format!("{:?}", self.act);
        let parts = [
            act.as_str(),
            &self.token,
            amount.as_deref().unwrap_or_default(),
            self.description.as_deref().unwrap_or_default(),
            &self.metadata,
        ];
        for part in parts {
            // The length keeps the parts apart.
            hash.update(part.len().to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize()
            .iter()
            .fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
    }
}

impl From<SetUp> for Request {
    fn from(set_up: SetUp) -> Self {
        Self {
            idempotency_key: set_up.idempotency_key,
            act: Act::SetUp(set_up.usage),
            token: set_up.token,
            amount: None,
            description: None,
            metadata: "{}".to_owned(),
            return_path: set_up.return_path,
        }
    }
}

impl From<Charge> for Request {
    fn from(charge: Charge) -> Self {
        // A map of texts always has a JSON form.
        let metadata = serde_json::to_string(&charge.metadata).unwrap_or_default();
        Self {
            idempotency_key: charge.idempotency_key,
            act: Act::Charge {
                on_session: charge.on_session,
            },
            token: charge.token,
            amount: Some(charge.amount),
            description: charge.description,
            metadata,
            return_path: charge.return_path,
        }
    }
}

impl Gateway for Sandbox {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "sandbox",
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
        Box::pin(self.keep(scope, card))
    }

    fn set_up<'a>(&'a self, scope: &'a Scope, request: SetUp) -> Reply<'a, Outcome> {
        Box::pin(self.attempt(scope, request.into()))
    }

    fn charge<'a>(&'a self, scope: &'a Scope, request: Charge) -> Reply<'a, Outcome> {
        Box::pin(async move {
            self.travel().await;
            let outcome = self.attempt(scope, request.into()).await;
            self.travel().await;
            outcome
        })
    }

    fn charge_many<'a>(&'a self, scope: &'a Scope, requests: Vec<Charge>) -> Replies<'a, Outcome> {
        Box::pin(async move {
            self.travel().await;
            let requests: Vec<Request> = requests.into_iter().map(Request::from).collect();
            let faulty = !self
                .0
                .faults
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_empty();
            let many = match faulty {
                true => Ok(None),
                false => self.attempt_many(scope, &requests).await,
            };
            let answers = match many {
                Ok(Some(outcomes)) => outcomes.into_iter().map(Ok).collect(),
                // One of them is special, or nobody knows what was kept: each for itself.
                Ok(None) | Err(_) => {
                    let mut answers = Vec::with_capacity(requests.len());
                    for request in requests {
                        answers.push(in_time(self.attempt(scope, request)).await);
                    }
                    answers
                }
            };
            self.travel().await;
            answers
        })
    }

    fn lookup<'a>(
        &'a self,
        scope: &'a Scope,
        idempotency_key: &'a str,
    ) -> Reply<'a, Option<Outcome>> {
        Box::pin(async move {
            let attempt = book::attempt(&self.0.store, scope, idempotency_key).await?;
            Ok(attempt.map(|attempt| attempt.outcome(scope)))
        })
    }

    fn refund<'a>(&'a self, scope: &'a Scope, request: RefundRequest) -> Reply<'a, RefundOutcome> {
        Box::pin(async move {
            let fault = self.next_fault();
            if fault == Some(Fault::LoseRequest) {
                return Err(GatewayError::Unknown("the request timed out".to_owned()));
            }
            let outcome = self.refund_once(scope, &request).await;
            match fault {
                Some(Fault::LoseAnswer) => {
                    Err(GatewayError::Unknown("the answer timed out".to_owned()))
                }
                Some(Fault::Delay(delay)) => {
                    tokio::time::sleep(delay).await;
                    outcome
                }
                Some(Fault::LoseRequest) | None => outcome,
            }
        })
    }

    fn lookup_refund<'a>(
        &'a self,
        scope: &'a Scope,
        idempotency_key: &'a str,
    ) -> Reply<'a, Option<RefundOutcome>> {
        Box::pin(self.refund_by_key(scope, idempotency_key))
    }

    fn abandon<'a>(
        &'a self,
        scope: &'a Scope,
        idempotency_key: &'a str,
    ) -> Reply<'a, Option<Outcome>> {
        Box::pin(async move {
            let store = &self.0.store;
            let Some(attempt) = book::attempt(store, scope, idempotency_key).await? else {
                return Ok(None);
            };
            if let (Standing::RequiresAction, Some(secret)) =
                (&attempt.standing, &attempt.challenge)
            {
                self.answer(scope, secret, ChallengeAnswer::Failed).await?;
            }
            let attempt = book::attempt(store, scope, idempotency_key).await?;
            Ok(attempt.map(|attempt| attempt.outcome(scope)))
        })
    }

    fn card_updates<'a>(&'a self, after: i64, limit: u32) -> Reply<'a, Vec<(Scope, CardUpdate)>> {
        Box::pin(book::card_updates(&self.0.store, after, limit))
    }

    fn challenge<'a>(&'a self, scope: &'a Scope, address: &'a str) -> Reply<'a, Option<Challenge>> {
        Box::pin(async move {
            match challenge::parse_address(address) {
                Some((owner, secret)) if owner == *scope => {
                    self.challenge_by_secret(scope, &secret).await
                }
                _ => Ok(None),
            }
        })
    }

    fn answer_challenge<'a>(
        &'a self,
        scope: &'a Scope,
        address: &'a str,
        answer: ChallengeAnswer,
    ) -> Reply<'a, Option<Challenge>> {
        Box::pin(async move {
            match challenge::parse_address(address) {
                Some((owner, secret)) if owner == *scope => {
                    self.answer(scope, &secret, answer).await
                }
                _ => Ok(None),
            }
        })
    }
}

/// The card behind one of Stripe's test names (`pm_card_visa`, `tok_chargeDeclined`, `pm_card_jp`),
/// to be tokenised; it expires a year from `now`. `None` if there is no such name.
#[must_use]
pub fn from_test_name(name: &str, now: Timestamp) -> Option<CardDetails> {
    let card = test_card::by_name(name)?;
    let today = now.civil();
    let brand = perennial::card::brand(card.number);
    let code = if *brand.cvc_lengths().start() == 4 {
        "1234"
    } else {
        "123"
    };
    Some(CardDetails {
        number: card.number.to_owned(),
        exp_month: i64::from(today.month),
        exp_year: today.year.saturating_add(1),
        cvc: Some(code.to_owned()),
        name: None,
    })
}

#[cfg(test)]
mod tests;
