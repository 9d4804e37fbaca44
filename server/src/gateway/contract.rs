//! The suite that every gateway adapter passes. It knows nothing of any adapter but what
//! [`Capabilities`](super::Capabilities) and its [`Bench`] say.

use perennial::currency::Currency;
use perennial::metadata::Metadata;
use perennial::money::Money;
use perennial::payment::Outcome;
use perennial::refund::RefundStatus;

use super::{
    ChallengeAnswer, Charge, Gateway, GatewayError, RefundRequest, Reply, ReturnPath, Scope, SetUp,
    Usage,
};

/// An adapter under test, and what the suite can't do through the port.
pub trait Bench: Send + Sync {
    /// The adapter.
    fn gateway(&self) -> &dyn Gateway;
    /// A merchant in test mode.
    fn scope(&self) -> &Scope;
    /// Another merchant, or another mode.
    fn stranger(&self) -> &Scope;
    /// A fresh token of the card with Stripe's test name.
    fn token<'a>(&'a self, test_name: &'a str) -> Reply<'a, String>;
    /// Makes the next charge time out, after or before the gateway recorded it. False if the
    /// adapter has no such switch; those cases are then left out.
    fn lose_next(&self, recorded: bool) -> bool;
    /// A key that no earlier run used.
    fn key(&self, name: &str) -> String;
}

/// Runs the whole suite.
pub async fn run_contract(bench: &dyn Bench) {
    a_good_card_pays(bench).await;
    refusals_are_terminal_and_say_why(bench).await;
    some_cards_save_and_then_fail(bench).await;
    a_key_is_one_charge(bench).await;
    concurrent_calls_with_one_key_are_one_charge(bench).await;
    a_key_with_other_parameters_is_refused(bench).await;
    nothing_reaches_strangers(bench).await;
    impossible_requests_are_refused(bench).await;
    a_lost_answer_is_found_again(bench).await;
    a_lost_request_can_be_sent_again(bench).await;
    proof_is_asked_once_when_a_card_is_set_up(bench).await;
    refused_proof_is_a_refusal(bench).await;
    some_cards_ask_every_time(bench).await;
    what_is_given_up_never_succeeds(bench).await;
    money_goes_back_once(bench).await;
    some_refunds_wait_or_come_back(bench).await;
}

fn charge(bench: &dyn Bench, key: &str, token: &str) -> Charge {
    Charge {
        idempotency_key: bench.key(key),
        amount: Money::new(1999, Currency::EUR),
        token: token.to_owned(),
        on_session: false,
        description: Some("Invoice ACME-0001".to_owned()),
        statement: Some("ACME-0001".to_owned()),
        metadata: Metadata([("invoice".to_owned(), "in_1".to_owned())].into()),
        return_path: ReturnPath::parse("/portal/back"),
    }
}

fn set_up(bench: &dyn Bench, key: &str, token: &str, usage: Usage) -> SetUp {
    SetUp {
        idempotency_key: bench.key(key),
        token: token.to_owned(),
        usage,
        return_path: ReturnPath::parse("/portal/back"),
    }
}

async fn token(bench: &dyn Bench, test_name: &str) -> String {
    match bench.token(test_name).await {
        Ok(token) => token,
        Err(error) => panic!("no token for {test_name}: {error}"),
    }
}

fn declined(outcome: &Result<Outcome, GatewayError>) -> (&str, &str) {
    match outcome {
        Ok(Outcome::Declined(decline)) => (
            &decline.code,
            decline.decline_code.as_deref().unwrap_or_default(),
        ),
        other => panic!("not a refusal: {other:?}"),
    }
}

fn challenge(outcome: Result<Outcome, GatewayError>) -> String {
    match outcome {
        Ok(Outcome::RequiresAction { challenge }) => challenge,
        other => panic!("no challenge: {other:?}"),
    }
}

fn succeeded(outcome: &Result<Outcome, GatewayError>) -> &str {
    match outcome {
        Ok(Outcome::Succeeded { charge, .. }) => charge,
        other => panic!("not a success: {other:?}"),
    }
}

async fn a_good_card_pays(bench: &dyn Bench) {
    let (gateway, scope) = (bench.gateway(), bench.scope());
    let token = token(bench, "pm_card_visa").await;
    let usage = set_up(bench, "good:set_up", &token, Usage::OffSession);
    succeeded(&gateway.set_up(scope, usage).await);
    for on_session in [false, true] {
        let charge = Charge {
            on_session,
            ..charge(bench, &format!("good:{on_session}"), &token)
        };
        let key = charge.idempotency_key.clone();
        let outcome = gateway.charge(scope, charge).await;
        assert!(!succeeded(&outcome).is_empty());
        assert_eq!(gateway.lookup(scope, &key).await, outcome.map(Some));
    }
}

async fn refusals_are_terminal_and_say_why(bench: &dyn Bench) {
    let table = [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        (
            "pm_card_chargeDeclinedInsufficientFunds",
            "card_declined",
            "insufficient_funds",
        ),
        (
            "pm_card_chargeDeclinedLostCard",
            "card_declined",
            "lost_card",
        ),
        (
            "pm_card_chargeDeclinedStolenCard",
            "card_declined",
            "stolen_card",
        ),
        (
            "pm_card_chargeDeclinedExpiredCard",
            "expired_card",
            "expired_card",
        ),
        (
            "pm_card_chargeDeclinedIncorrectCvc",
            "incorrect_cvc",
            "incorrect_cvc",
        ),
        (
            "pm_card_chargeDeclinedProcessingError",
            "processing_error",
            "processing_error",
        ),
    ];
    let (gateway, scope) = (bench.gateway(), bench.scope());
    for (name, code, decline_code) in table {
        let token = token(bench, name).await;
        let attach = set_up(bench, &format!("{name}:attach"), &token, Usage::Attach);
        assert_eq!(
            declined(&gateway.set_up(scope, attach).await),
            (code, decline_code)
        );
        let charge = charge(bench, name, &token);
        for _ in 0..2 {
            let outcome = gateway.charge(scope, charge.clone()).await;
            assert_eq!(declined(&outcome), (code, decline_code), "{name}");
        }
    }
}

async fn some_cards_save_and_then_fail(bench: &dyn Bench) {
    let (gateway, scope) = (bench.gateway(), bench.scope());
    let token = token(bench, "pm_card_chargeCustomerFail").await;
    let usage = set_up(bench, "later:set_up", &token, Usage::OffSession);
    succeeded(&gateway.set_up(scope, usage).await);
    let outcome = gateway.charge(scope, charge(bench, "later", &token)).await;
    assert_eq!(declined(&outcome), ("card_declined", "generic_decline"));
}

async fn a_key_is_one_charge(bench: &dyn Bench) {
    let (gateway, scope) = (bench.gateway(), bench.scope());
    let token = token(bench, "pm_card_visa").await;
    let first = gateway.charge(scope, charge(bench, "replay", &token)).await;
    let second = gateway.charge(scope, charge(bench, "replay", &token)).await;
    let other = gateway
        .charge(scope, charge(bench, "replay:other", &token))
        .await;
    assert_eq!(succeeded(&first), succeeded(&second));
    assert_ne!(succeeded(&first), succeeded(&other));
}

async fn concurrent_calls_with_one_key_are_one_charge(bench: &dyn Bench) {
    let (gateway, scope) = (bench.gateway(), bench.scope());
    let token = token(bench, "pm_card_visa").await;
    let call = || gateway.charge(scope, charge(bench, "race", &token));
    let (a, b, c, d) = tokio::join!(call(), call(), call(), call());
    for other in [&b, &c, &d] {
        assert_eq!(succeeded(&a), succeeded(other));
    }
}

async fn a_key_with_other_parameters_is_refused(bench: &dyn Bench) {
    let (gateway, scope) = (bench.gateway(), bench.scope());
    let token = token(bench, "pm_card_visa").await;
    let first = gateway.charge(scope, charge(bench, "reuse", &token)).await;
    let amount = Money::new(2000, Currency::EUR);
    let currency = Money::new(1999, Currency::USD);
    for amount in [amount, currency] {
        let other = Charge {
            amount,
            ..charge(bench, "reuse", &token)
        };
        let error = gateway.charge(scope, other).await;
        assert_eq!(error, Err(GatewayError::KeyReused));
    }
    // The first charge still stands.
    assert_eq!(
        gateway.lookup(scope, &bench.key("reuse")).await,
        first.map(Some)
    );
    let set_up = set_up(bench, "reuse", &token, Usage::OffSession);
    assert_eq!(
        gateway.set_up(scope, set_up).await,
        Err(GatewayError::KeyReused)
    );
}

async fn nothing_reaches_strangers(bench: &dyn Bench) {
    let (gateway, scope) = (bench.gateway(), bench.scope());
    let token = token(bench, "pm_card_visa").await;
    succeeded(&gateway.charge(scope, charge(bench, "mine", &token)).await);
    assert_eq!(
        gateway.lookup(bench.stranger(), &bench.key("mine")).await,
        Ok(None)
    );
    let error = gateway
        .charge(bench.stranger(), charge(bench, "theirs", &token))
        .await;
    assert_eq!(error, Err(GatewayError::NoSuchCard));
    assert_eq!(
        gateway.lookup(bench.stranger(), &bench.key("theirs")).await,
        Ok(None)
    );
}

async fn impossible_requests_are_refused(bench: &dyn Bench) {
    let (gateway, scope) = (bench.gateway(), bench.scope());
    let token = token(bench, "pm_card_visa").await;
    for minor in [0, -1] {
        let amount = Money::new(minor, Currency::EUR);
        let request = Charge {
            amount,
            ..charge(bench, "nothing", &token)
        };
        let error = gateway.charge(scope, request).await;
        assert!(
            matches!(error, Err(GatewayError::Invalid(_))),
            "{minor}: {error:?}"
        );
    }
    assert_eq!(gateway.lookup(scope, &bench.key("nothing")).await, Ok(None));
    let error = gateway
        .charge(scope, charge(bench, "nobody", "card_nobody"))
        .await;
    assert_eq!(error, Err(GatewayError::NoSuchCard));
}

async fn a_lost_answer_is_found_again(bench: &dyn Bench) {
    let (gateway, scope) = (bench.gateway(), bench.scope());
    let token = token(bench, "pm_card_visa").await;
    if !bench.lose_next(true) {
        return;
    }
    let lost = gateway
        .charge(scope, charge(bench, "lost:answer", &token))
        .await;
    assert!(lost.is_err_and(|error| error.is_unknown()));
    let found = gateway.lookup(scope, &bench.key("lost:answer")).await;
    let again = gateway
        .charge(scope, charge(bench, "lost:answer", &token))
        .await;
    succeeded(&again);
    assert_eq!(found, again.map(Some));
}

async fn a_lost_request_can_be_sent_again(bench: &dyn Bench) {
    let (gateway, scope) = (bench.gateway(), bench.scope());
    let token = token(bench, "pm_card_visa").await;
    if !bench.lose_next(false) {
        return;
    }
    let lost = gateway
        .charge(scope, charge(bench, "lost:request", &token))
        .await;
    assert!(lost.is_err_and(|error| error.is_unknown()));
    assert_eq!(
        gateway.lookup(scope, &bench.key("lost:request")).await,
        Ok(None)
    );
    succeeded(
        &gateway
            .charge(scope, charge(bench, "lost:request", &token))
            .await,
    );
}

async fn proof_is_asked_once_when_a_card_is_set_up(bench: &dyn Bench) {
    let (gateway, scope) = (bench.gateway(), bench.scope());
    let name = "pm_card_authenticationRequiredOnSetup";
    let token = token(bench, name).await;
    // Away from its holder, a card that was only attached can't pay.
    let attach = set_up(bench, "sca:attach", &token, Usage::Attach);
    succeeded(&gateway.set_up(scope, attach).await);
    let early = gateway
        .charge(scope, charge(bench, "sca:early", &token))
        .await;
    assert_eq!(declined(&early).0, "authentication_required");

    let request = set_up(bench, "sca:set_up", &token, Usage::OffSession);
    let address = challenge(gateway.set_up(scope, request).await);
    let open = gateway.lookup(scope, &bench.key("sca:set_up")).await;
    assert_eq!(
        open,
        Ok(Some(Outcome::RequiresAction {
            challenge: address.clone()
        }))
    );
    if !gateway.capabilities().answers_challenges {
        return;
    }
    let shown = gateway.challenge(scope, &address).await.ok().flatten();
    assert!(shown.is_some_and(|shown| shown.answer.is_none() && shown.amount.is_none()));
    assert_eq!(
        gateway.challenge(bench.stranger(), &address).await,
        Ok(None)
    );

    let said = gateway
        .answer_challenge(scope, &address, ChallengeAnswer::Approved)
        .await;
    assert!(said.is_ok_and(|said| said.is_some()));
    // A second answer changes nothing.
    let said = gateway
        .answer_challenge(scope, &address, ChallengeAnswer::Failed)
        .await;
    let said = said.ok().flatten().and_then(|said| said.answer);
    assert_eq!(said, Some(ChallengeAnswer::Approved));
    let done = gateway.lookup(scope, &bench.key("sca:set_up")).await;
    assert!(
        matches!(done, Ok(Some(Outcome::Succeeded { .. }))),
        "{done:?}"
    );
    for on_session in [false, true] {
        let key = format!("sca:{on_session}");
        let charge = Charge {
            on_session,
            ..charge(bench, &key, &token)
        };
        succeeded(&gateway.charge(scope, charge).await);
    }
}

async fn refused_proof_is_a_refusal(bench: &dyn Bench) {
    let (gateway, scope) = (bench.gateway(), bench.scope());
    if !gateway.capabilities().answers_challenges {
        return;
    }
    let token = token(bench, "pm_card_authenticationRequiredOnSetup").await;
    let request = Charge {
        on_session: true,
        ..charge(bench, "sca:no", &token)
    };
    let address = challenge(gateway.charge(scope, request.clone()).await);
    let said = gateway
        .answer_challenge(scope, &address, ChallengeAnswer::Failed)
        .await;
    assert!(said.is_ok());
    let outcome = gateway.charge(scope, request).await;
    assert_eq!(
        declined(&outcome).0,
        "payment_intent_authentication_failure"
    );
}

async fn some_cards_ask_every_time(bench: &dyn Bench) {
    let (gateway, scope) = (bench.gateway(), bench.scope());
    let token = token(bench, "pm_card_authenticationRequired").await;
    let off = gateway
        .charge(scope, charge(bench, "always:off", &token))
        .await;
    assert_eq!(
        declined(&off),
        ("authentication_required", "authentication_required")
    );
    let request = Charge {
        on_session: true,
        ..charge(bench, "always:on", &token)
    };
    let address = challenge(gateway.charge(scope, request.clone()).await);
    if !gateway.capabilities().answers_challenges {
        return;
    }
    let said = gateway
        .answer_challenge(scope, &address, ChallengeAnswer::Approved)
        .await;
    assert!(said.is_ok());
    succeeded(&gateway.charge(scope, request).await);
}

/// A charge that waits for proof can be given up; a later proof changes nothing. What is decided
/// stays as it is.
async fn what_is_given_up_never_succeeds(bench: &dyn Bench) {
    let (gateway, scope) = (bench.gateway(), bench.scope());
    let key = bench.key("given_up");
    assert_eq!(gateway.abandon(scope, &key).await, Ok(None));
    let token_3ds = token(bench, "pm_card_authenticationRequired").await;
    let mut wanted = charge(bench, "given_up", &token_3ds);
    wanted.on_session = true;
    let address = challenge(gateway.charge(scope, wanted).await);
    let outcome = gateway.abandon(scope, &key).await;
    assert!(
        matches!(outcome, Ok(Some(Outcome::Declined(_)))),
        "{outcome:?}"
    );
    if gateway.capabilities().answers_challenges {
        let late = gateway
            .answer_challenge(scope, &address, ChallengeAnswer::Approved)
            .await;
        assert!(late.is_ok(), "{late:?}");
    }
    let found = gateway.lookup(scope, &key).await;
    assert!(matches!(found, Ok(Some(Outcome::Declined(_)))), "{found:?}");

    let good = token(bench, "pm_card_visa").await;
    let paid = gateway.charge(scope, charge(bench, "kept", &good)).await;
    let kept = gateway.abandon(scope, &bench.key("kept")).await;
    assert_eq!(kept, paid.map(Some));
}

async fn paid(bench: &dyn Bench, card: &str, key: &str) -> String {
    let token = token(bench, card).await;
    let request = charge(bench, key, &token);
    let asked = request.amount;
    match bench.gateway().charge(bench.scope(), request).await {
        // The answer carries what was taken.
        Ok(Outcome::Succeeded { charge, charged }) if charged == Some(asked) => charge,
        other => panic!("not paid: {other:?}"),
    }
}

fn back(bench: &dyn Bench, key: &str, charge: &str, minor: i64) -> RefundRequest {
    RefundRequest {
        idempotency_key: bench.key(key),
        charge: charge.to_owned(),
        amount: Money::new(minor, Currency::EUR),
    }
}

/// In parts, once for each key, never more than was paid, found again when the answer is lost.
async fn money_goes_back_once(bench: &dyn Bench) {
    let (gateway, scope) = (bench.gateway(), bench.scope());
    let charge = paid(bench, "pm_card_visa", "refunded").await;
    let part = back(bench, "back:1", &charge, 1_500);
    let first = gateway.refund(scope, part.clone()).await;
    let status = first.as_ref().ok().map(|own| own.status);
    assert_eq!(status, Some(RefundStatus::Succeeded), "{first:?}");
    assert_eq!(gateway.refund(scope, part.clone()).await, first);
    let found = gateway.lookup_refund(scope, &part.idempotency_key).await;
    assert_eq!(found, first.map(Some));
    let other = RefundRequest {
        amount: Money::new(1, Currency::EUR),
        ..part
    };
    let reused = gateway.refund(scope, other).await;
    assert_eq!(reused, Err(GatewayError::KeyReused));
    let too_much = gateway
        .refund(scope, back(bench, "back:2", &charge, 500))
        .await;
    assert!(
        matches!(too_much, Err(GatewayError::Invalid(_))),
        "{too_much:?}"
    );
    for (key, charge, minor) in [
        ("back:3", charge.as_str(), 0),
        ("back:4", "ch_elsewhere", 1),
    ] {
        let refused = gateway.refund(scope, back(bench, key, charge, minor)).await;
        assert!(
            matches!(refused, Err(GatewayError::Invalid(_))),
            "{refused:?}"
        );
    }
    let theirs = back(bench, "back:5", &charge, 1);
    let theirs = gateway.refund(bench.stranger(), theirs).await;
    assert!(
        matches!(theirs, Err(GatewayError::Invalid(_))),
        "{theirs:?}"
    );
    let never = gateway.lookup_refund(scope, &bench.key("back:9")).await;
    assert_eq!(never, Ok(None));
    for recorded in [true, false] {
        if !bench.lose_next(recorded) {
            continue;
        }
        let rest = back(bench, &format!("back:lost:{recorded}"), &charge, 100);
        let lost = gateway.refund(scope, rest.clone()).await;
        assert!(matches!(lost, Err(GatewayError::Unknown(_))), "{lost:?}");
        let found = gateway.lookup_refund(scope, &rest.idempotency_key).await;
        assert_eq!(found.is_ok_and(|own| own.is_some()), recorded);
        let again = gateway.refund(scope, rest).await;
        assert!(again.is_ok(), "{again:?}");
    }
}

async fn some_refunds_wait_or_come_back(bench: &dyn Bench) {
    let (gateway, scope) = (bench.gateway(), bench.scope());
    for (card, first, then) in [
        (
            "pm_card_pendingRefund",
            RefundStatus::Pending,
            RefundStatus::Succeeded,
        ),
        (
            "pm_card_refundFail",
            RefundStatus::Succeeded,
            RefundStatus::Failed,
        ),
    ] {
        let charge = paid(bench, card, card).await;
        let key = format!("back:{card}");
        let outcome = gateway.refund(scope, back(bench, &key, &charge, 100)).await;
        assert_eq!(outcome.ok().map(|own| own.status), Some(first), "{card}");
        let later = gateway.lookup_refund(scope, &bench.key(&key)).await;
        let later = later.ok().flatten();
        assert_eq!(later.as_ref().map(|own| own.status), Some(then), "{card}");
        let failed = then == RefundStatus::Failed;
        assert_eq!(
            later.is_some_and(|own| own.failure_reason.is_some()),
            failed
        );
    }
}
