//! The sandbox: the contract on both databases, what its books keep, and the bank's page.

use axum::body::Body;
use axum::http::{Request as HttpRequest, StatusCode, header};
use perennial::card::CardFault;
use perennial::currency::Currency;
use perennial::id::MerchantId;
use perennial::metadata::Metadata;
use perennial::money::Money;
use perennial::payment::CardBrand;
use sqlx::Row;
use tower::ServiceExt;

use super::*;
use crate::clock::{MovingClock, SeededEntropy};
use crate::gateway::contract::{Bench, run_contract};
use crate::store::tests::both;

/// 2026-11-21 12:00:00 UTC.
const NOW: Timestamp = Timestamp(1_795_262_400);

struct Table {
    sandbox: Sandbox,
    scope: Scope,
    stranger: Scope,
}

impl Table {
    fn new(store: Store) -> Self {
        let scope = Scope {
            merchant: MerchantId::from_random(1),
            livemode: false,
        };
        let stranger = Scope {
            merchant: MerchantId::from_random(2),
            livemode: false,
        };
        let clock = MovingClock::new(NOW);
        let sandbox = Sandbox::new(store, clock, SeededEntropy::new(7), [9; 32]);
        Self {
            sandbox,
            scope,
            stranger,
        }
    }

    async fn tokenize(&self, number: &str) -> Result<Tokenized, TokenizeError> {
        self.sandbox.tokenize(&self.scope, typed(number)).await
    }

    /// A charge with the card's holder present that ends in a challenge.
    async fn challenge(&self, key: &str) -> String {
        let token = self.tokenize("4000002760003184").await.unwrap().token;
        let charge = Charge {
            idempotency_key: key.to_owned(),
            amount: Money::new(1234, Currency::USD),
            token,
            on_session: true,
            description: Some("Tea & <biscuits>".to_owned()),
            statement: None,
            metadata: Metadata::default(),
            return_path: ReturnPath::parse("/portal/invoices/in_1"),
        };
        match self.sandbox.charge(&self.scope, charge).await {
            Ok(Outcome::RequiresAction { challenge }) => challenge,
            other => panic!("{other:?}"),
        }
    }
}

impl Bench for Table {
    fn gateway(&self) -> &dyn Gateway {
        &self.sandbox
    }

    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn stranger(&self) -> &Scope {
        &self.stranger
    }

    fn token<'a>(&'a self, test_name: &'a str) -> Reply<'a, String> {
        Box::pin(async move {
            let card = from_test_name(test_name, NOW).unwrap();
            Ok(self
                .sandbox
                .tokenize(&self.scope, card)
                .await
                .unwrap()
                .token)
        })
    }

    fn lose_next(&self, recorded: bool) -> bool {
        self.sandbox.inject(if recorded {
            Fault::LoseAnswer
        } else {
            Fault::LoseRequest
        });
        true
    }

    fn key(&self, name: &str) -> String {
        name.to_owned()
    }
}

fn typed(number: &str) -> CardDetails {
    let code = if number.starts_with('3') && number.len() == 15 {
        "1234"
    } else {
        "123"
    };
    CardDetails::typed(number, "12 / 29", code, "Ada Lovelace").unwrap()
}

#[tokio::test]
async fn the_contract_holds() {
    both(|store| async move { run_contract(&Table::new(store)).await }).await;
}

#[tokio::test]
async fn the_same_in_the_other_mode_is_a_stranger() {
    both(|store| async move {
        let mut table = Table::new(store);
        table.stranger = Scope {
            livemode: true,
            ..table.scope.clone()
        };
        run_contract(&table).await;
    })
    .await;
}

#[tokio::test]
async fn malformed_cards_are_refused_by_field() {
    both(|store| async move {
        let table = Table::new(store);
        let card = CardDetails {
            number: "4242424242424241".to_owned(),
            exp_month: 13,
            exp_year: 29,
            cvc: Some("12".to_owned()),
            name: None,
        };
        let refused = table.sandbox.tokenize(&table.scope, card).await;
        let faults = vec![
            CardFault::NumberIncorrect,
            CardFault::MonthInvalid,
            CardFault::CvcInvalid,
        ];
        assert_eq!(refused, Err(TokenizeError::Faults(faults)));
        let past = CardDetails {
            exp_year: 2025,
            ..typed("4242424242424242")
        };
        let refused = table.sandbox.tokenize(&table.scope, past).await;
        assert_eq!(
            refused,
            Err(TokenizeError::Faults(vec![CardFault::YearPast]))
        );
    })
    .await;
}

#[tokio::test]
async fn real_cards_and_live_mode_are_refused() {
    both(|store| async move {
        let table = Table::new(store);
        let check = |refused: Result<Tokenized, TokenizeError>, why: &str| match refused {
            Err(TokenizeError::Declined(decline)) => {
                assert_eq!(decline.code, "card_declined");
                assert_eq!(decline.decline_code.as_deref(), Some(why));
            }
            other => panic!("{other:?}"),
        };
        check(
            table.tokenize("4111111111111111").await,
            "test_mode_live_card",
        );
        let live = Scope {
            livemode: true,
            ..table.scope.clone()
        };
        let refused = table
            .sandbox
            .tokenize(&live, typed("4242424242424242"))
            .await;
        check(refused, "live_mode_test_card");
    })
    .await;
}

#[tokio::test]
async fn a_token_tells_what_may_be_known() {
    both(|store| async move {
        let table = Table::new(store);
        let first = table.tokenize("4000 0039 2000 0003").await.unwrap();
        assert_eq!(first.card.brand, CardBrand::Visa);
        assert_eq!(first.card.last4, "0003");
        assert_eq!((first.card.exp_month, first.card.exp_year), (12, 2029));
        assert_eq!(first.card.country.as_deref(), Some("JP"));
        assert_eq!(first.card.fingerprint.len(), FINGERPRINT_CHARS);
        assert!(first.token.starts_with("card_"));

        let second = table.tokenize("4000003920000003").await.unwrap();
        assert_ne!(first.token, second.token);
        assert_eq!(first.card.fingerprint, second.card.fingerprint);
        let other = table.tokenize("4242424242424242").await.unwrap();
        assert_ne!(first.card.fingerprint, other.card.fingerprint);
        let elsewhere = table
            .sandbox
            .tokenize(&table.stranger, typed("4000003920000003"))
            .await;
        assert_ne!(elsewhere.unwrap().card.fingerprint, first.card.fingerprint);
    })
    .await;
}

#[tokio::test]
async fn the_books_keep_neither_number_nor_code() {
    both(|store| async move {
        let table = Table::new(store.clone());
        let card = CardDetails { cvc: Some("987".to_owned()), ..typed("4242424242424242") };
        table.sandbox.tokenize(&table.scope, card).await.unwrap();
        let mut connection = store.read().await.unwrap();
        let rows = sqlx::query(
            "select token, brand, last4, fingerprint, funding, country, behaviour from sandbox_card",
        )
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        assert_eq!(rows.len(), 1);
        for row in &rows {
            for column in 0..row.len() {
                let text: Option<String> = row.try_get(column).unwrap();
                let text = text.unwrap_or_default();
                assert!(!text.contains("424242") && text != "987", "column {column}: {text}");
            }
        }
    })
    .await;
}

async fn ask(sandbox: &Sandbox, request: HttpRequest<Body>) -> (StatusCode, String, String) {
    let response = router(sandbox.clone()).oneshot(request).await.unwrap();
    let status = response.status();
    let location = response.headers().get(header::LOCATION);
    let location = location.map_or_else(String::new, |l| l.to_str().unwrap().to_owned());
    let body = axum::body::to_bytes(response.into_body(), 100_000)
        .await
        .unwrap();
    (status, location, String::from_utf8(body.to_vec()).unwrap())
}

fn get(path: &str) -> HttpRequest<Body> {
    HttpRequest::get(path).body(Body::empty()).unwrap()
}

fn post(path: &str, body: &'static str) -> HttpRequest<Body> {
    HttpRequest::post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .unwrap()
}

#[tokio::test]
async fn the_bank_asks_once_and_sends_the_holder_back() {
    both(|store| async move {
        let table = Table::new(store);
        let address = table.challenge("page").await;
        let (status, _, page) = ask(&table.sandbox, get(&address)).await;
        assert_eq!(status, StatusCode::OK);
        assert!(page.contains("$12.34"), "{page}");
        assert!(page.contains("Visa •••• 3184"), "{page}");
        assert!(page.contains("Tea &amp; &lt;biscuits&gt;"), "{page}");

        for unclear in ["answer=perhaps", "", "answer=%ff"] {
            let (status, _, _) = ask(&table.sandbox, post(&address, unclear)).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{unclear}");
        }
        let (status, to, _) = ask(&table.sandbox, post(&address, "answer=approve")).await;
        assert_eq!(
            (status, to.as_str()),
            (StatusCode::SEE_OTHER, "/portal/invoices/in_1")
        );
        let outcome = table
            .sandbox
            .lookup(&table.scope, "page")
            .await
            .unwrap()
            .unwrap();
        assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");

        // Another answer goes back too, and changes nothing.
        let (status, to, _) = ask(&table.sandbox, post(&address, "answer=fail")).await;
        assert_eq!(
            (status, to.as_str()),
            (StatusCode::SEE_OTHER, "/portal/invoices/in_1")
        );
        let after = table
            .sandbox
            .lookup(&table.scope, "page")
            .await
            .unwrap()
            .unwrap();
        assert_eq!(after, outcome);
        let (_, _, page) = ask(&table.sandbox, get(&address)).await;
        assert!(
            page.contains("You approved this") && !page.contains("<form"),
            "{page}"
        );
    })
    .await;
}

#[tokio::test]
async fn the_bank_speaks_the_language_of_the_browser() {
    both(|store| async move {
        let table = Table::new(store);
        let address = table.challenge("page").await;
        let check = async |language: &str, tag: &str, amount: &str| {
            let mut request = get(&address);
            let header = language.parse().unwrap();
            request
                .headers_mut()
                .insert(header::ACCEPT_LANGUAGE, header);
            let (_, _, page) = ask(&table.sandbox, request).await;
            assert!(page.contains(&format!("lang=\"{tag}\"")), "{page}");
            assert!(page.contains(amount), "{page}");
        };
        check("fr-CA,fr;q=0.9", "fr", "12,34\u{a0}$US").await;
        check("zh-CN", "zh", "US$12.34").await;
        check("xx", "en", "$12.34").await;
    })
    .await;
}

#[tokio::test]
async fn other_addresses_are_not_found() {
    both(|store| async move {
        let table = Table::new(store);
        let address = table.challenge("mine").await;
        let theirs = address.replace(
            table.scope.merchant.as_str(),
            table.stranger.merchant.as_str(),
        );
        let live = address.replace(".test.", ".live.");
        for path in [
            theirs.as_str(),
            &live,
            "/sandbox/challenge/acct_1.test.x",
            "/sandbox/challenge/x",
        ] {
            let (status, _, _) = ask(&table.sandbox, get(path)).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
            let (status, _, _) = ask(&table.sandbox, post(path, "answer=approve")).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        }
        let outcome = table
            .sandbox
            .lookup(&table.scope, "mine")
            .await
            .unwrap()
            .unwrap();
        assert!(
            matches!(outcome, Outcome::RequiresAction { .. }),
            "{outcome:?}"
        );
    })
    .await;
}
