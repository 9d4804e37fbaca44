//! The payment port: all that Perennial may ask of a company that moves money.
//!
//! Three answers to every act, and they are not the same thing:
//! - `Ok(Outcome::Succeeded | RequiresAction)`: it happened, or waits for the customer.
//! - `Ok(Outcome::Declined)`: the bank said no. Terminal for that idempotency key.
//! - `Err(error)` where [`GatewayError::is_unknown`]: nobody knows. [`Gateway::lookup`] the key, or
//!   ask again with the same key and the same parameters; never with a new key.
//!
//! Commit the intent and its key before calling, and never call inside a transaction.

#[cfg(test)]
pub mod contract;
pub mod sandbox;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use perennial::card::{self, CardFault, Expiry};
use perennial::metadata::Metadata;
use perennial::money::Money;
use perennial::payment::{Card, CardBrand, Decline, Outcome};
use perennial::refund::RefundOutcome;

pub use crate::store::Scope;

/// What a gateway answers with, in time.
pub type Reply<'a, T, E = GatewayError> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// What a gateway answers with to many requests, in their order.
pub type Replies<'a, T> = Pin<Box<dyn Future<Output = Vec<Result<T, GatewayError>>> + Send + 'a>>;

/// How long a gateway may take to answer, in seconds. After that the outcome is unknown.
pub const ANSWER_SECONDS_MAX: u64 = 30;
/// Charges that are under way at once where a gateway takes them one by one.
const CHARGES_AT_ONCE: usize = 16;

/// Waits for an answer as long as it may take.
///
/// # Errors
/// [`GatewayError::Unknown`] when it did not come, and the gateway's own.
pub async fn in_time<T>(
    answer: impl Future<Output = Result<T, GatewayError>>,
) -> Result<T, GatewayError> {
    let limit = Duration::from_secs(ANSWER_SECONDS_MAX);
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(GatewayError::Unknown("no answer in time".to_owned())),
    }
}

/// Waits for all of these at the same time.
async fn together<T: Unpin, F: Future<Output = T>>(futures: Vec<F>) -> Vec<T> {
    let mut waiting: Vec<_> = futures
        .into_iter()
        .map(|own| (Box::pin(own), None))
        .collect();
    poll_fn(|context| {
        let mut all = true;
        for (future, answer) in &mut waiting {
            if answer.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *answer = Some(value),
                    Poll::Pending => all = false,
                }
            }
        }
        match all {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    waiting
        .into_iter()
        .filter_map(|(_, answer)| answer)
        .collect()
}

/// The longest idempotency key, in bytes (Stripe: 255).
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// A company that keeps cards and charges them. Each adapter passes the suite in `contract`.
pub trait Gateway: Send + Sync {
    /// What this adapter can do.
    fn capabilities(&self) -> Capabilities;

    /// Turns card details into a token. Nothing is charged and the bank is not asked.
    fn tokenize<'a>(
        &'a self,
        scope: &'a Scope,
        card: CardDetails,
    ) -> Reply<'a, Tokenized, TokenizeError>;

    /// Asks the bank whether a token can be charged later, and proves the customer's identity if
    /// the usage needs it.
    fn set_up<'a>(&'a self, scope: &'a Scope, request: SetUp) -> Reply<'a, Outcome>;

    /// Claims money, and says in its answer how much it took. The same key with the same parameters is the same charge, however often and
    /// however concurrently it is sent.
    fn charge<'a>(&'a self, scope: &'a Scope, request: Charge) -> Reply<'a, Outcome>;

    /// Claims money from many at once; answers in their order. An adapter whose company takes many in
    /// one request does better than this, which sends a few at a time. No answer within
    /// [`ANSWER_SECONDS_MAX`] is [`GatewayError::Unknown`].
    fn charge_many<'a>(&'a self, scope: &'a Scope, requests: Vec<Charge>) -> Replies<'a, Outcome> {
        Box::pin(async move {
            let mut answers = Vec::with_capacity(requests.len());
            let mut requests = requests.into_iter().peekable();
            while requests.peek().is_some() {
                let few = requests.by_ref().take(CHARGES_AT_ONCE);
                let sent = few.map(|request| in_time(self.charge(scope, request)));
                answers.extend(together(sent.collect()).await);
            }
            answers
        })
    }

    /// What became of the set-up or charge with this key: its newest outcome, also after a
    /// challenge was answered. `None` means that the gateway never heard of it.
    fn lookup<'a>(
        &'a self,
        scope: &'a Scope,
        idempotency_key: &'a str,
    ) -> Reply<'a, Option<Outcome>>;

    /// Gives up the set-up or charge with this key if it waits for the customer, so that it can't
    /// succeed later, and answers with what it is then: a refusal, or whatever it had become before.
    /// `None` means that the gateway never heard of it.
    fn abandon<'a>(
        &'a self,
        scope: &'a Scope,
        idempotency_key: &'a str,
    ) -> Reply<'a, Option<Outcome>>;

    /// News of cards that this gateway keeps, of all merchants, oldest first: at most `limit` after
    /// `after`, a cursor of an earlier answer or 0. A gateway that tells none has none.
    fn card_updates<'a>(&'a self, after: i64, limit: u32) -> Reply<'a, Vec<(Scope, CardUpdate)>> {
        let _ = (after, limit);
        Box::pin(async { Ok(Vec::new()) })
    }
    /// Gives a charge back, in part or whole. The same key with the same parameters is the same
    /// refund. Refusals ([`GatewayError::Invalid`]) are of what no gateway could give back: more than
    /// is left, or a charge that is not there.
    fn refund<'a>(&'a self, scope: &'a Scope, request: RefundRequest) -> Reply<'a, RefundOutcome>;

    /// What became of the refund with this key. `None` means that the gateway never heard of it.
    fn lookup_refund<'a>(
        &'a self,
        scope: &'a Scope,
        idempotency_key: &'a str,
    ) -> Reply<'a, Option<RefundOutcome>>;

    /// A challenge by the address that [`Outcome::RequiresAction`] gave; `None` if there is none.
    fn challenge<'a>(&'a self, scope: &'a Scope, address: &'a str) -> Reply<'a, Option<Challenge>>;

    /// Answers a challenge in the customer's stead: for tests, where
    /// [`Capabilities::answers_challenges`]. The first answer stands; a second changes nothing.
    fn answer_challenge<'a>(
        &'a self,
        scope: &'a Scope,
        address: &'a str,
        answer: ChallengeAnswer,
    ) -> Reply<'a, Option<Challenge>>;
}

/// What an adapter can do, as data; the contract suite holds adapters to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// For logs and settings.
    pub name: &'static str,
    /// Takes part in live mode. The sandbox does not: its money is not real.
    pub livemode: bool,
    /// Card numbers pass through this server. False for gateways with fields of their own.
    pub card_numbers_reach_server: bool,
    /// [`Gateway::answer_challenge`] works.
    pub answers_challenges: bool,
}

/// A card as it came in. Lives for one request; prints nothing of the card.
#[derive(Clone, PartialEq, Eq)]
pub struct CardDetails {
    /// Digits, separated as people like.
    pub number: String,
    /// 1 to 12.
    pub exp_month: i64,
    /// Four digits, or two of this century.
    pub exp_year: i64,
    /// The security code; an API client may leave it out.
    pub cvc: Option<String>,
    /// The name on the card.
    pub name: Option<String>,
}

impl CardDetails {
    /// From a form, where the expiry is one text. Reads it only; the gateway checks.
    ///
    /// # Errors
    /// When the expiry can't be read as month and year.
    pub fn typed(number: &str, expiry: &str, cvc: &str, name: &str) -> Result<Self, CardFault> {
        let expiry = Expiry::parse(expiry)?;
        Ok(Self {
            number: number.to_owned(),
            exp_month: i64::from(expiry.month),
            exp_year: i64::from(expiry.year),
            cvc: Some(cvc.to_owned()),
            name: Some(name.trim().to_owned()).filter(|name| !name.is_empty()),
        })
    }

    /// Reads and checks all of it at `now`. Without a code there is no code to be wrong.
    ///
    /// # Errors
    /// Every fault, at most one for each field.
    pub fn check(
        &self,
        now: perennial::calendar::Timestamp,
    ) -> Result<(card::CardNumber, Expiry), Vec<CardFault>> {
        let number = card::CardNumber::parse(&self.number);
        let expiry = Expiry::new(self.exp_month, self.exp_year)
            .and_then(|expiry| expiry.check(now).map(|()| expiry));
        let brand = number
            .as_ref()
            .map_or(CardBrand::Unknown, card::CardNumber::brand);
        let cvc = self
            .cvc
            .as_deref()
            .map_or(Ok(()), |cvc| card::check_cvc(cvc, brand));
        match (number, expiry, cvc) {
            (Ok(number), Ok(expiry), Ok(())) => Ok((number, expiry)),
            (number, expiry, cvc) => Err([number.err(), expiry.err(), cvc.err()]
                .into_iter()
                .flatten()
                .collect()),
        }
    }
}

impl fmt::Debug for CardDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardDetails(…)")
    }
}

/// A card that the gateway keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokenized {
    /// The gateway's name for it.
    pub token: String,
    /// What may be known of it.
    pub card: Card,
}

/// A card got a new number or a new expiry; its token stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardUpdate {
    /// The place of this news among all; above 0, rising.
    pub cursor: i64,
    /// Of which card.
    pub token: String,
    /// As it is now.
    pub card: Card,
}

/// Why a card was not taken. No token was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenizeError {
    /// The details can't be of a card; at most one fault for each field.
    #[error("the card details are not valid")]
    Faults(Vec<CardFault>),
    /// The gateway does not take this card at all.
    #[error("the card was declined: {}", .0.code)]
    Declined(Decline),
    /// The gateway itself failed.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

/// What a saved card is to be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Only kept with a customer: the bank is asked whether the card works, never for a proof.
    Attach,
    /// For payments while the customer is here.
    OnSession,
    /// For payments while the customer is away, as subscriptions need.
    OffSession,
}

impl Usage {
    /// Stripe's spelling; `attach` has none.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Attach => "attach",
            Self::OnSession => "on_session",
            Self::OffSession => "off_session",
        }
    }
}

/// Saving a card for later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetUp {
    /// Names this attempt for ever; shares one name space with charges.
    pub idempotency_key: String,
    /// From [`Gateway::tokenize`].
    pub token: String,
    /// What for.
    pub usage: Usage,
    /// Where the customer goes after a challenge.
    pub return_path: Option<ReturnPath>,
}

/// A claim on a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Names this attempt for ever: `PaymentIntent::idempotency_key`.
    pub idempotency_key: String,
    /// Above zero.
    pub amount: Money,
    /// From [`Gateway::tokenize`].
    pub token: String,
    /// Whether the customer is here to answer a challenge.
    pub on_session: bool,
    /// For the merchant's eyes.
    pub description: Option<String>,
    /// What follows the merchant's name on the customer's statement.
    pub statement: Option<String>,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// Where the customer goes after a challenge.
    pub return_path: Option<ReturnPath>,
}

/// Money that goes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRequest {
    /// Names this refund for ever; a name space of its own.
    pub idempotency_key: String,
    /// The gateway's name for the charge.
    pub charge: String,
    /// Above zero.
    pub amount: Money,
}

/// Why there is no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// It may have happened or not: a timeout, a broken connection, a fault over there.
    #[error("the gateway's answer is not known: {0}")]
    Unknown(String),
    /// The key was used before with other parameters. Nothing happened now.
    #[error("the idempotency key was used before with other parameters")]
    KeyReused,
    /// There is no such card in this merchant's mode. Nothing happened.
    #[error("no such card")]
    NoSuchCard,
    /// A request that no gateway could carry out. Nothing happened.
    #[error("the gateway refused the request: {0}")]
    Invalid(&'static str),
}

impl GatewayError {
    /// Whether it may have happened all the same: look the key up, or ask again with it.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

/// A question of the customer's bank to the customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// What is to be paid; `None` when a card is only saved.
    pub amount: Option<Money>,
    /// What it is for.
    pub description: Option<String>,
    /// The scheme of the card.
    pub brand: CardBrand,
    /// The card's last four digits.
    pub last4: String,
    /// What the customer said, once they did.
    pub answer: Option<ChallengeAnswer>,
    /// Where the customer goes afterwards.
    pub return_path: Option<ReturnPath>,
}

/// What the customer said to their bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeAnswer {
    /// It is me.
    Approved,
    /// It is not me, or the proof failed.
    Failed,
}

/// A path on this site to send a browser back to. It can't lead elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnPath(String);

impl ReturnPath {
    /// The longest path, in bytes.
    pub const BYTES_MAX: usize = 2_000;

    /// `/path?query`, in visible ASCII; `None` for anything that a browser could read as another
    /// site's address.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix('/')?;
        let plain = path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let elsewhere = rest.starts_with('/');
        (plain && !elsewhere && path.len() <= Self::BYTES_MAX).then(|| Self(path.to_owned()))
    }

    /// The path as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests;
