//! Keys, errors, idempotency, and who sees what.

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use perennial::calendar::Timestamp;
use serde_json::Value;

use super::office::{Office, START, offices};

async fn with_authorization(office: &Office, value: Option<&str>) -> u16 {
    let mut request = Request::builder().uri("/v1/customers");
    if let Some(value) = value {
        request = request.header("authorization", value);
    }
    let request = request.body(Body::empty()).unwrap();
    let reply = office.send(request).await;
    if reply.status == 401 {
        assert_eq!(reply.text("error.type"), "invalid_request_error");
        assert!(reply.header("www-authenticate").starts_with("Basic"));
        assert!(
            !reply.json.to_string().contains(&office.key),
            "keys are not repeated"
        );
    }
    reply.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_key_opens_as_bearer_and_as_basic() {
    offices(|office| async move {
        let key = office.key.clone();
        let basic = |text: String| format!("Basic {}", STANDARD.encode(text));
        for (value, status) in [
            (None, 401),
            (Some(format!("Bearer {key}")), 200),
            (Some(format!("bearer {key}")), 200),
            (Some(basic(format!("{key}:"))), 200),
            (Some(basic(key.clone())), 200),
            (Some(format!("Bearer {key}x")), 401),
            (Some("Bearer sk_test_123".to_owned()), 401),
            (Some("Bearer pk_test_123".to_owned()), 401),
            (Some("Basic %%%".to_owned()), 401),
            (Some("Digest abc".to_owned()), 401),
            (Some("Bearer ".to_owned()), 401),
        ] {
            let found = with_authorization(&office, value.as_deref()).await;
            assert_eq!(found, status, "{value:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_json_with_the_headers_that_clients_read() {
    offices(|office| async move {
        let mut request = office.request("GET", "/v1/customers", "");
        let version = "2025-09-30.clover".parse().unwrap();
        request.headers_mut().insert("stripe-version", version);
        let reply = office.send(request).await;
        assert_eq!(reply.header("stripe-version"), "2025-09-30.clover");
        assert!(reply.header("request-id").starts_with("req_"));
        assert_eq!(reply.header("content-type"), "application/json");
        let reply = office.get("/v1/products").await;
        assert_eq!(reply.header("stripe-version"), "2026-10-28.endive");
        for (method, path) in [
            ("GET", "/v1/unicorns"),
            ("GET", "/v1"),
            ("DELETE", "/v1/customers"),
            ("PUT", "/v1/products/prod_1"),
            ("POST", "/v1/events"),
        ] {
            let reply = office.send(office.request(method, path, "")).await;
            assert_eq!(reply.status, 404, "{method} {path}");
            let message = format!("Unrecognized request URL ({method}: {path}).");
            assert_eq!(reply.text("error.message"), message);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused_by_name_and_change_nothing() {
    offices(|office| async move {
        for (body, code, param) in [
            ("nam=Ada", "parameter_unknown", "nam"),
            ("email=ada", "email_invalid", "email"),
            (
                "address[country]=XX",
                "country_code_invalid",
                "address[country]",
            ),
            ("address[street]=X", "parameter_unknown", "address[street]"),
            ("metadata=x", "parameter_invalid_object", "metadata"),
            ("invoice_prefix=ab", "", "invoice_prefix"),
            (
                "next_invoice_sequence=0",
                "parameter_invalid_integer",
                "next_invoice_sequence",
            ),
            ("tax_exempt=maybe", "", "tax_exempt"),
            (
                "tax_id_data[0][type]=eu_vat&tax_id_data[0][value]=1",
                "tax_id_invalid",
                "tax_id_data[0][value]",
            ),
            ("name=a&name=b", "", "name"),
            ("preferred_locales[0]=!", "", "preferred_locales[0]"),
            ("expand[]=nothing", "", "expand"),
        ] {
            office
                .post("/v1/customers", body)
                .await
                .refused(400, code, param);
        }
        let long = format!("name={}", "x".repeat(300));
        office
            .post("/v1/customers", &long)
            .await
            .refused(400, "", "name");
        let huge = format!("name={}", "x".repeat(300_000));
        office
            .post("/v1/customers", &huge)
            .await
            .refused(413, "", "");
        let mut json = office.request("POST", "/v1/customers", "{\"name\": \"Ada\"}");
        let kind = "application/json".parse().unwrap();
        json.headers_mut().insert("content-type", kind);
        office.send(json).await.refused(400, "", "");
        let list = office.get("/v1/customers").await;
        assert_eq!(list.at("data").as_array().map(Vec::len), Some(0));
        assert!(office.events(10).await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_there() {
    offices(|office| async move {
        for path in [
            "/v1/customers/cus_nobody",
            "/v1/customers/nobody",
            "/v1/customers/%00",
            "/v1/products/prod_x",
            "/v1/prices/price_x",
            "/v1/coupons/x",
            "/v1/tax_rates/txr_x",
            "/v1/subscriptions/sub_x",
            "/v1/invoices/in_x",
            "/v1/payment_methods/pm_x",
            "/v1/setup_intents/seti_x",
            "/v1/billing_portal/configurations/bpc_x",
            "/v1/events/evt_x",
        ] {
            office
                .get(path)
                .await
                .refused(404, "resource_missing", "id");
        }
        let reply = office.get("/v1/customers/cus_nobody").await;
        assert_eq!(
            reply.text("error.message"),
            "No such customer: 'cus_nobody'"
        );
        let reply = office.get("/v1/customers?starting_after=cus_nobody").await;
        reply.refused(400, "resource_missing", "starting_after");
        let price = office.price(1_000).await;
        let body = format!("customer=cus_nobody&items[0][price]={price}");
        let reply = office.post("/v1/subscriptions", &body).await;
        reply.refused(400, "resource_missing", "customer");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_merchants_objects_and_the_other_mode_do_not_exist() {
    offices(|office| async move {
        let (neighbour, live) = office.neighbour().await;
        let customer = office.payer("pm_card_visa").await;
        let price = office.price(1_000).await;
        let body = format!("customer={customer}&items[0][price]={price}");
        let subscription = office.post("/v1/subscriptions", &body).await;
        let paths = [
            format!("/v1/customers/{customer}"),
            format!("/v1/prices/{price}"),
            format!("/v1/subscriptions/{}", subscription.id()),
            format!("/v1/invoices/{}", subscription.text("latest_invoice")),
        ];
        for path in &paths {
            assert_eq!(office.get(path).await.status, 200, "{path}");
            for other in [&neighbour, &live] {
                other.get(path).await.refused(404, "resource_missing", "id");
            }
        }
        for other in [&neighbour, &live] {
            let reply = other.post(&paths[0], "name=Mine").await;
            reply.refused(404, "resource_missing", "id");
            let reply = other.delete(&paths[0]).await;
            reply.refused(404, "resource_missing", "id");
            let reply = other.delete(&paths[2]).await;
            reply.refused(404, "resource_missing", "id");
            let reply = other.post(&format!("{}/pay", paths[3]), "").await;
            reply.refused(404, "resource_missing", "id");
            let own = other.customer().await;
            let body = format!("customer={own}&items[0][price]={price}");
            let reply = other.post("/v1/subscriptions", &body).await;
            assert_eq!(
                (reply.status, reply.text("error.code")),
                (400, "resource_missing")
            );
            let body = format!("customer={customer}");
            let reply = other.post("/v1/billing_portal/sessions", &body).await;
            reply.refused(400, "resource_missing", "customer");
            let reply = other
                .get(&format!("/v1/customers?starting_after={customer}"))
                .await;
            reply.refused(400, "resource_missing", "starting_after");
            assert_eq!(other.events(10).await, ["customer.created"]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_key_gets_the_first_answer() {
    offices(|office| async move {
        let first = office.once("key-1", "/v1/customers", "name=Ada").await;
        let again = office.once("key-1", "/v1/customers", "name=Ada").await;
        assert_eq!(first.json, again.json);
        assert_eq!(first.header("idempotent-replayed"), "");
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(again.header("idempotency-key"), "key-1");
        assert_ne!(first.header("request-id"), again.header("request-id"));
        let other = office.once("key-1", "/v1/customers", "name=Bob").await;
        other.refused(400, "", "");
        assert_eq!(other.text("error.type"), "idempotency_error");
        let other = office.once("key-1", "/v1/products", "name=Ada").await;
        assert_eq!(other.text("error.type"), "idempotency_error");
        // Another merchant's key is another key.
        let (neighbour, _) = office.neighbour().await;
        let theirs = neighbour.once("key-1", "/v1/customers", "name=Ada").await;
        assert_ne!(theirs.id(), first.id());
        let list = office.get("/v1/customers").await;
        assert_eq!(list.at("data").as_array().map(Vec::len), Some(1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_leaves_its_key_free_and_a_decline_keeps_it() {
    offices(|office| async move {
        let refused = office.once("key-2", "/v1/customers", "email=x").await;
        refused.refused(400, "email_invalid", "email");
        let better = office
            .once("key-2", "/v1/customers", "email=x@example.com")
            .await;
        assert_eq!(better.status, 200);
        let customer = office.customer().await;
        let path = "/v1/payment_methods/pm_card_chargeDeclined/attach";
        let body = format!("customer={customer}");
        let declined = office.once("key-3", path, &body).await;
        declined.refused(402, "card_declined", "");
        assert_eq!(declined.text("error.type"), "card_error");
        assert_eq!(declined.text("error.decline_code"), "generic_decline");
        let again = office.once("key-3", path, &body).await;
        assert_eq!(again.json, declined.json);
        assert_eq!(again.header("idempotent-replayed"), "true");
        let long = "k".repeat(256);
        office
            .once(&long, "/v1/customers", "")
            .await
            .refused(400, "", "");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_with_one_key_one_acts() {
    offices(|office| async move {
        let tasks: Vec<_> = (0..12)
            .map(|_| {
                let office = office.clone();
                tokio::spawn(async move { office.once("key-4", "/v1/customers", "name=Ada").await })
            })
            .collect();
        let mut ids = Vec::new();
        for task in tasks {
            let reply = task.await.unwrap();
            match reply.status {
                200 => ids.push(reply.id()),
                status => {
                    assert_eq!(status, 409);
                    assert_eq!(reply.text("error.code"), "idempotency_key_in_use");
                }
            }
        }
        ids.dedup();
        assert_eq!(ids.len(), 1);
        let list = office.get("/v1/customers").await;
        assert_eq!(list.at("data").as_array().map(Vec::len), Some(1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_name_the_request_that_caused_them() {
    offices(|office| async move {
        let price = office.price(2_000).await;
        let customer = office.payer("pm_card_visa").await;
        let newest = office
            .get("/v1/events?limit=1")
            .await
            .at("data.0.id")
            .clone();
        let body = format!("customer={customer}&items[0][price]={price}");
        let made = office.once("order-7", "/v1/subscriptions", &body).await;
        let request = made.header("request-id").to_owned();
        assert!(request.starts_with("req_"));
        let since = newest.as_str().unwrap();
        let path = format!("/v1/events?limit=100&ending_before={since}");
        let caused = office
            .get(&path)
            .await
            .at("data")
            .as_array()
            .unwrap()
            .clone();
        let kind = |event: &Value| event["type"].as_str().unwrap().to_owned();
        // What the bank said comes later, from a task of its own, and belongs to the same request.
        for expected in ["customer.subscription.created", "invoice.paid"] {
            assert!(
                caused.iter().any(|event| kind(event) == expected),
                "{expected}"
            );
        }
        for event in &caused {
            let named = serde_json::json!({ "id": request, "idempotency_key": "order-7" });
            assert_eq!(event["request"], named, "{}", kind(event));
        }
        let updated = office
            .post(&format!("/v1/customers/{customer}"), "name=Bea")
            .await;
        let event = office.get("/v1/events?limit=1").await;
        assert_eq!(
            event.text("data.0.request.id"),
            updated.header("request-id")
        );
        assert_eq!(event.at("data.0.request.idempotency_key"), &Value::Null);
        // What happens by itself has no request.
        office.clock.advance_to(Timestamp(START.0 + 32 * 86_400));
        office
            .engine
            .run_due(office.engine.now(), 10)
            .await
            .unwrap();
        let event = office.get("/v1/events?limit=1").await;
        assert_ne!(event.text("data.0.type"), "customer.updated");
        assert_eq!(event.at("data.0.request.id"), &Value::Null);
    })
    .await;
}

/// What a crash leaves of the newest request with a key: it is under way, for long, and has (or has not)
/// committed something.
async fn crash(office: &Office, key: &str) {
    let mut tx = office.engine.store.begin().await.unwrap();
    sqlx::query(
        "update idempotency set status = null, body = null, created = created - 3600 where key = $1",
    )
    .bind(key)
    .execute(tx.connection())
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_stopped_half_way_is_not_done_again() {
    offices(|office| async move {
        // Each way in which things are written: by hand, and as a decision.
        let customer = office.payer("pm_card_visa").await;
        for (path, body, list) in [
            ("/v1/products", "name=Twice".to_owned(), "/v1/products"),
            (
                "/v1/invoiceitems",
                format!("customer={customer}&amount=100&currency=usd"),
                "/v1/invoiceitems",
            ),
        ] {
            let key = format!("key{path}");
            let first = office.once(&key, path, &body).await;
            assert_eq!(first.status, 200, "{}", first.json);
            let count = office.get(list).await.at("data").as_array().unwrap().len();
            crash(&office, &key).await;
            for _ in 0..2 {
                let again = office.once(&key, path, &body).await;
                again.refused(409, "idempotency_key_in_use", "");
                assert!(again.text("error.message").contains("another key"));
            }
            let after = office.get(list).await.at("data").as_array().unwrap().len();
            assert_eq!(after, count, "{path}");
        }
        // One that had done nothing yet is done now.
        let refused = office.once("idle", "/v1/products", "").await;
        assert_eq!(refused.status, 400);
        let mut tx = office.engine.store.begin().await.unwrap();
        sqlx::query("update idempotency set began = 0 where key = 'key/v1/products'")
            .execute(tx.connection())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let done = office
            .once("key/v1/products", "/v1/products", "name=Twice")
            .await;
        assert_eq!(done.status, 200, "{}", done.json);
    })
    .await;
}
