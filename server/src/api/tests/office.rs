//! A merchant's program that calls the API.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use perennial::calendar::Timestamp;
use serde_json::Value;
use tower::ServiceExt;

use crate::api::{Api, router};
use crate::clock::{MovingClock, SystemEntropy};
use crate::gateway::Gateway;
use crate::gateway::sandbox::Sandbox;
use crate::service::Engine;
use crate::store::Store;
use crate::store::tests::both;

/// 2026-01-31 10:00:00 UTC.
pub(super) const START: Timestamp = Timestamp(1_769_853_600);

#[derive(Clone)]
pub(super) struct Office {
    router: Router,
    pub(super) engine: Engine,
    pub(super) clock: Arc<MovingClock>,
    /// The key that calls are made with.
    pub(super) key: String,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) json: Value,
}

impl Reply {
    /// The text at a path such as `error.code`; numbers are places in lists.
    pub(super) fn at(&self, path: &str) -> &Value {
        let pointer = format!("/{}", path.replace('.', "/"));
        self.json.pointer(&pointer).unwrap_or(&Value::Null)
    }

    pub(super) fn text(&self, path: &str) -> &str {
        self.at(path).as_str().unwrap_or_default()
    }

    pub(super) fn id(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.json);
        self.text("id").to_owned()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// An error of this status, code and parameter.
    pub(super) fn refused(&self, status: u16, code: &str, param: &str) {
        let found = (
            self.status,
            self.text("error.code"),
            self.text("error.param"),
        );
        assert_eq!(found, (status, code, param), "{}", self.json);
        assert!(!self.text("error.message").is_empty());
        assert!(!self.text("error.type").is_empty());
    }
}

impl Office {
    pub(super) async fn new(store: Store) -> Self {
        let clock = MovingClock::new(START);
        let entropy = Arc::new(SystemEntropy);
        let bank = Sandbox::new(store.clone(), clock.clone(), entropy.clone(), [7; 32]);
        let gateway: Arc<dyn Gateway> = Arc::new(bank);
        let engine = Engine::new(store, gateway, clock.clone(), entropy);
        let (_, keys) = engine.create_merchant("Halden").await.unwrap();
        let api = Api {
            engine: engine.clone(),
            public_url: "https://pay.example.com".to_owned(),
        };
        Self {
            router: router(api),
            engine,
            clock,
            key: keys.test,
        }
    }

    /// The same installation with another merchant's keys: test, then live.
    pub(super) async fn neighbour(&self) -> (Self, Self) {
        let (_, keys) = self.engine.create_merchant("Next door").await.unwrap();
        let with = |key| Self {
            key,
            ..self.clone()
        };
        (with(keys.test), with(keys.live))
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let json = serde_json::from_slice(&bytes);
        Reply {
            status,
            headers,
            json: json.unwrap_or_else(|_| panic!("no JSON: {:?}", String::from_utf8_lossy(&bytes))),
        }
    }

    pub(super) fn request(&self, method: &str, path: &str, body: &str) -> Request<Body> {
        Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body.to_owned()))
            .unwrap()
    }

    pub(super) async fn post(&self, path: &str, body: &str) -> Reply {
        self.send(self.request("POST", path, body)).await
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.send(self.request("GET", path, "")).await
    }

    pub(super) async fn delete(&self, path: &str) -> Reply {
        self.send(self.request("DELETE", path, "")).await
    }

    pub(super) async fn once(&self, key: &str, path: &str, body: &str) -> Reply {
        let mut request = self.request("POST", path, body);
        let key = key.parse().unwrap();
        request.headers_mut().insert("idempotency-key", key);
        self.send(request).await
    }

    /// A product, and a monthly price of so many cents.
    pub(super) async fn price(&self, cents: i64) -> String {
        let body = format!(
            "currency=usd&unit_amount={cents}&recurring[interval]=month&product_data[name]=Pro"
        );
        self.post("/v1/prices", &body).await.id()
    }

    pub(super) async fn customer(&self) -> String {
        self.post("/v1/customers", "name=Ada&email=ada@example.com")
            .await
            .id()
    }

    /// A customer whose default card is one of Stripe's test names.
    pub(super) async fn payer(&self, card: &str) -> String {
        let customer = self.customer().await;
        let path = format!("/v1/payment_methods/{card}/attach");
        let method = self.post(&path, &format!("customer={customer}")).await.id();
        let body = format!("invoice_settings[default_payment_method]={method}");
        self.post(&format!("/v1/customers/{customer}"), &body)
            .await
            .id()
    }

    /// The types of the newest events, newest first.
    pub(super) async fn events(&self, count: usize) -> Vec<String> {
        let reply = self.get(&format!("/v1/events?limit={count}")).await;
        let data = reply.at("data").as_array().unwrap().clone();
        data.iter()
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Runs a test with a fresh office on both databases.
pub(super) async fn offices<F: Future<Output = ()>>(test: impl Fn(Office) -> F) {
    both(|store| async { test(Office::new(store).await).await }).await;
}
