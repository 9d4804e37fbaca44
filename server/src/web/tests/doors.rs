//! Links, cookies, headers, forged posts, limits.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};

use super::Site;
use crate::store::tests::both;
use crate::web::limits::POSTS_OF_ADDRESS;

const HTTP: &str = "http://127.0.0.1:3000";
const HTTPS: &str = "https://pay.example";

#[tokio::test(flavor = "multi_thread")]
async fn a_link_opens_once_and_leaves_no_trace() {
    both(|store| async move {
        let site = Site::new(store, HTTPS).await;
        let customer = site.house.world.customer_with("pm_card_visa").await;
        let path = site.link(&customer).await;
        // A preview uses nothing up.
        let head = Request::head(&path).body(Body::empty()).unwrap();
        let got = site.send(head).await;
        assert_eq!((got.status, got.header("set-cookie")), (StatusCode::OK, ""));
        let got = site.get(&path, "").await;
        assert_eq!(got.status, StatusCode::SEE_OTHER);
        assert_eq!(got.header("location"), "/portal");
        let set = got.header("set-cookie").to_owned();
        let (pair, flags) = set.split_once("; ").unwrap();
        assert!(pair.starts_with("__Host-perennial="), "{pair}");
        assert_eq!(
            flags,
            "Path=/; Max-Age=43200; HttpOnly; SameSite=Lax; Secure"
        );
        assert!(
            !pair.contains(path.trim_start_matches("/p/")),
            "another secret"
        );
        let cookie = got.cookie();
        let home = site.get("/portal", &cookie).await;
        assert_eq!(home.status, StatusCode::OK);
        assert!(
            home.body.contains("Ada") && home.body.contains("lang=\"fr\""),
            "{}",
            home.body
        );
        // The way back in the history leads on; somebody else is told how to get a new one.
        let again = site.get(&path, &cookie).await;
        assert_eq!(again.header("location"), "/portal");
        let dead = site.get(&path, "").await;
        assert_eq!(
            (dead.status, dead.header("set-cookie")),
            (StatusCode::GONE, "")
        );
        assert!(
            dead.body.contains("https://halden.example/account"),
            "{}",
            dead.body
        );
        assert!(dead.body.contains("lang=\"fr\"") && dead.body.contains("/theme/acct_"));
        assert!(!dead.body.contains("Ada"), "nothing about the customer");
        // Signing out ends it, and takes the dead cookie away.
        let out = site.post("/api/portal/sign-out", &cookie, "").await;
        assert!(
            out.status.is_success() || out.status.is_redirection(),
            "{}",
            out.body
        );
        let gone = site.get("/portal", &cookie).await;
        assert!(gone.header("set-cookie").contains("Max-Age=0"));
        assert!(!gone.body.contains("Ada"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_the_cookie_has_a_plain_name() {
    both(|store| async move {
        let site = Site::new(store, HTTP).await;
        let customer = site.house.world.customer().await;
        let got = site.get(&site.link(&customer).await, "").await;
        let set = got.header("set-cookie");
        assert!(
            set.starts_with("perennial=") && !set.contains("Secure"),
            "{set}"
        );
        assert_eq!(got.header("strict-transport-security"), "");
        let dead = site.get(&format!("/p/{}", "f".repeat(64)), "").await;
        let odd = site.get("/p/..%2f..%2fetc", "").await;
        assert_eq!(
            (dead.status, odd.status),
            (StatusCode::GONE, StatusCode::GONE)
        );
        assert_eq!(
            dead.body, odd.body,
            "a link that never was looks like any other dead one"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_guarded() {
    both(|store| async move {
        let site = Site::new(store, HTTPS).await;
        let customer = site.house.world.customer_with("pm_card_visa").await;
        let cookie = site.get(&site.link(&customer).await, "").await.cookie();
        let sheet = crate::web::style::sheet_path();
        let paths = [
            ("/", 303),
            ("/healthz", 200),
            ("/readyz", 200),
            ("/portal", 200),
            ("/portal/nowhere", 404),
            ("/nowhere", 404),
            ("/portal/invoices/in_x/pdf", 404),
            ("/p/x", 410),
            ("/v1/customers", 401),
            ("/theme/acct_x/0.css", 404),
            ("/sandbox/challenge/x", 404),
            (sheet.as_str(), 200),
        ];
        for (path, status) in paths {
            let got = site.get(path, &cookie).await;
            assert_eq!(got.status.as_u16(), status, "{path}");
            let policy = got.header("content-security-policy");
            for part in ["default-src 'none'", "frame-ancestors", "base-uri 'none'"] {
                assert!(
                    policy.contains(part) || path.starts_with("/sandbox"),
                    "{path}: {policy}"
                );
            }
            assert!(
                !policy.contains("unsafe-inline") && !policy.contains(" * "),
                "{policy}"
            );
            assert_eq!(got.header("x-content-type-options"), "nosniff", "{path}");
            assert!(!got.header("permissions-policy").is_empty(), "{path}");
            assert!(
                !got.header("cross-origin-opener-policy").is_empty(),
                "{path}"
            );
            assert!(got.header("request-id").starts_with("req_"), "{path}");
            assert!(
                got.header("strict-transport-security")
                    .starts_with("max-age="),
                "{path}"
            );
            // A form without scripts comes back by its referrer.
            assert_eq!(got.header("referrer-policy"), "same-origin", "{path}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pages_nonce_is_fresh_and_its_frames_are_the_merchants() {
    both(|store| async move {
        let site = Site::new(store, HTTPS).await;
        let world = &site.house.world;
        let customer = world.customer().await;
        let mut tx = world.engine.store.begin().await.unwrap();
        let id = &world.scope.merchant;
        let found = crate::store::key::load_merchant(tx.connection(), id)
            .await
            .unwrap();
        let mut merchant = found.unwrap();
        let frames = ["https://app.halden.example", "https://x; script-src *"];
        merchant.frame_ancestors = frames.map(str::to_owned).to_vec();
        merchant.theme.logo = Some("https://cdn.halden.example/logo.svg".to_owned());
        crate::store::key::update_merchant(tx.connection(), &merchant)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let cookie = site.get(&site.link(&customer).await, "").await.cookie();
        let first = site.get("/portal", &cookie).await;
        let second = site.get("/portal", &cookie).await;
        let policy = first.header("content-security-policy");
        assert!(
            policy.contains("frame-ancestors https://app.halden.example;"),
            "{policy}"
        );
        assert!(
            policy.contains("img-src 'self' data: https://cdn.halden.example;"),
            "{policy}"
        );
        let nonce = |policy: &str| {
            let rest = policy.split("'nonce-").nth(1).unwrap();
            rest.split('\'').next().unwrap().to_owned()
        };
        let used = nonce(policy);
        assert!(first.body.contains(&format!("nonce=\"{used}\"")));
        assert_ne!(used, nonce(second.header("content-security-policy")));
        let theme = first.body.split("href=\"/theme/").nth(1).unwrap();
        let path = format!("/theme/{}", theme.split('"').next().unwrap());
        let css = site.get(&path, "").await;
        assert!(css.header("cache-control").contains("immutable") && css.body.contains("--p-"));
        let old = site
            .get(&format!("/theme/{id}/0000000000000000.css"), "")
            .await;
        assert_eq!(
            (old.status, old.header("cache-control")),
            (StatusCode::OK, "public, no-cache")
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_server_function_refuses_strangers() {
    both(|store| async move {
        let site = Site::new(store, HTTPS).await;
        let customer = site.house.world.customer_with("pm_card_visa").await;
        let id = site
            .house
            .world
            .subscribe(&customer, &site.house.basic)
            .await;
        let invoice = site.house.world.latest(&id).await.value.id;
        // Every argument that any of them takes, so that none stops at reading its form.
        let form = format!(
            "tag=fr&id={id}&subscription={id}&item=si_1&plan=&every=&quantity=1&quote=chq_1&\
             invoice={invoice}&payment_method=pm_1&method=pm_1&number=4242424242424242&\
             expiry=12/34&cvc=123&name=Ada&make_default=true&feedback=&comment=&after=&kind=eu_vat&\
             value=DE123456789&email=&phone=&line1=&line2=&city=&state=&postal_code=&country=&\
             receipts=true&path=/portal&wish=allow&until=0&due_minor=0&code="
        );
        // Found as the server finds them, so that a new one is asked too.
        let functions: Vec<_> = leptos::server_fn::axum::server_fn_paths().collect();
        assert!(functions.len() > 10, "{functions:?}");
        let made_up = format!("__Host-perennial={}", "a".repeat(64));
        let signed_out = app::wire::pack(&app::refusal::Refusal::SignedOut).unwrap();
        let signed_out = String::from_utf8_lossy(&signed_out);
        for (path, _) in functions {
            for cookie in ["", made_up.as_str()] {
                let got = site.post(path, cookie, &form).await;
                let refused = (got.status, got.body.as_str());
                let expected = (StatusCode::UNAUTHORIZED, &*signed_out);
                assert_eq!(refused, expected, "{path}");
            }
        }
        let got = site.post("/api/portal/nothing", "", "").await;
        assert_eq!(got.status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_of_other_sites_change_nothing() {
    both(|store| async move {
        let site = Site::new(store, HTTPS).await;
        let customer = site.house.world.customer().await;
        let cookie = site.get(&site.link(&customer).await, "").await.cookie();
        let cases: [(&str, &str, bool); 6] = [
            ("sec-fetch-site", "cross-site", false),
            ("sec-fetch-site", "same-site", false),
            ("origin", "https://evil.example", false),
            ("origin", "null", false),
            ("x-nothing", "x", false),
            ("origin", HTTPS, true),
        ];
        for (name, value, passes) in cases {
            let request = Request::post("/api/portal/choose-language")
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header(header::COOKIE, &cookie)
                .header(name, value)
                .body(Body::from("tag=zh"))
                .unwrap();
            let got = site.send(request).await;
            assert_eq!(
                got.status == StatusCode::FORBIDDEN,
                !passes,
                "{name}: {value}"
            );
            let owner = site.house.world.find_customer(&customer).await;
            assert_eq!(
                owner.preferred_locales.is_empty(),
                !passes,
                "{name}: {value}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_and_too_often() {
    both(|store| async move {
        let site = Site::limited(store, HTTPS, true).await;
        let long = site
            .post("/api/portal/frame", "", &"x".repeat(70_000))
            .await;
        assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
        // In chunks, without a length: nobody knows before it is read.
        for path in ["/api/portal/frame", "/portal", "/sandbox/challenge/x"] {
            let chunked = Request::post(path)
                .header("sec-fetch-site", "same-origin")
                .header("x-forwarded-for", "203.0.113.7")
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Body::from("x".repeat(70_000)))
                .unwrap();
            let got = site.send(chunked).await;
            assert_eq!(got.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        }
        let mut last = None;
        for _ in 0..=POSTS_OF_ADDRESS.burst {
            last = Some(site.post("/api/portal/frame", "", "").await);
        }
        let last = last.unwrap();
        let refused = (last.status, last.body.as_str());
        assert_eq!(refused, (StatusCode::TOO_MANY_REQUESTS, "\"TooMany\""));
        assert_eq!(last.header("retry-after"), "1");
        let other = Request::post("/api/portal/frame")
            .header("sec-fetch-site", "same-origin")
            .header("x-forwarded-for", "10.0.0.1, 203.0.113.9")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::empty())
            .unwrap();
        let got = site.send(other).await;
        assert_eq!(
            got.status,
            StatusCode::UNAUTHORIZED,
            "others are not held up"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_as_a_document() {
    both(|store| async move {
        let site = Site::new(store, HTTPS).await;
        let world = &site.house.world;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &site.house.basic).await;
        let invoice = world.latest(&id).await;
        let path = format!("/portal/invoices/{}/pdf", invoice.id);
        let cookie = site.get(&site.link(&customer).await, "").await.cookie();
        let got = site.get(&path, &cookie).await;
        assert_eq!(
            (got.status, got.header("content-type")),
            (StatusCode::OK, "application/pdf")
        );
        assert!(got.body.starts_with("%PDF-"));
        let name = format!("{}.pdf", invoice.number.as_ref().unwrap());
        assert!(got.header("content-disposition").contains(&name));
        let stranger = world.customer().await;
        let theirs = site.get(&site.link(&stranger).await, "").await.cookie();
        assert_eq!(site.get(&path, &theirs).await.status, StatusCode::NOT_FOUND);
        assert_eq!(site.get(&path, "").await.header("location"), "/portal");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_proved_at_the_bank_and_saved() {
    use app::port::{Added, CardInput, Portal};
    both(|store| async move {
        let site = Site::new(store, HTTPS).await;
        let world = &site.house.world;
        let customer = world.customer().await;
        let (portal, viewer) = site.house.enter(&customer).await;
        let card = CardInput {
            number: "4000002760003184".to_owned(),
            expiry: "12/34".to_owned(),
            cvc: "123".to_owned(),
            name: "Ada".to_owned(),
        };
        let Added::Challenge { url } = portal.add_card(&viewer, card, true, None).await.unwrap()
        else {
            panic!("no challenge");
        };
        let cookie = site.get(&site.link(&customer).await, "").await.cookie();
        assert_eq!(site.get(&url, &cookie).await.status, StatusCode::OK);
        let back = site.post(&url, &cookie, "answer=approve").await;
        let return_path = back.header("location").to_owned();
        assert!(
            return_path.starts_with("/challenge/setup/seti_"),
            "{return_path}"
        );
        let done = site.get(&return_path, &cookie).await;
        assert_eq!(
            done.header("location"),
            "/portal/payment-methods?done=card-added"
        );
        let owner = world.find_customer(&customer).await;
        assert!(owner.default_payment_method.is_some());
        assert_eq!(
            site.get(&return_path, "").await.header("location"),
            "/portal"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_a_page_and_a_call_is_json() {
    use crate::web::{headers, notice, packing, request};
    use axum::middleware::{from_fn, from_fn_with_state};
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    async fn broken() -> &'static str {
        panic!("a rule of ours is broken")
    }
    both(|store| async move {
        let site = Site::new(store, HTTPS).await;
        let config = crate::web::WebConfig {
            public: HTTPS.parse().unwrap(),
            trust_proxy: false,
            limited: false,
            dev: false,
        };
        let web = crate::web::Web::new(site.house.world.engine.clone(), config);
        let app = axum::Router::new()
            .route("/broken", axum::routing::get(broken))
            .layer(CatchPanicLayer::custom(notice::Panicked))
            .layer(from_fn(notice::say))
            .layer(from_fn(packing::pack))
            .layer(from_fn_with_state(web.clone(), headers::secure))
            .layer(from_fn_with_state(web, request::trace));
        for (accept, kind, part) in [
            ("text/html", "text/html; charset=utf-8", "<h1"),
            ("application/json", "application/json", "\"Unavailable\""),
        ] {
            let asked = Request::get("/broken").header(header::ACCEPT, accept);
            let asked = asked.body(Body::empty()).unwrap();
            let got = app.clone().oneshot(asked).await.unwrap();
            assert_eq!(got.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(got.headers()[header::CONTENT_TYPE], kind);
            assert!(got.headers().contains_key("content-security-policy"));
            let body = axum::body::to_bytes(got.into_body(), usize::MAX)
                .await
                .unwrap();
            let text = String::from_utf8_lossy(&body);
            assert!(
                text.contains(part) && !text.contains("rule of ours"),
                "{text}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_travel_packed() {
    both(|store| async move {
        let site = Site::new(store, HTTPS).await;
        let sheet = crate::web::style::sheet_path();
        for path in ["/portal", sheet.as_str()] {
            let plain = site.get(path, "").await;
            assert_eq!(plain.header("content-encoding"), "", "{path}");
            let asked = Request::get(path)
                .header(header::ACCEPT, "text/html")
                .header(header::ACCEPT_ENCODING, "gzip, br");
            let packed = site.send(asked.body(Body::empty()).unwrap()).await;
            assert_eq!(packed.header("content-encoding"), "gzip", "{path}");
            assert!(packed.header("vary").contains("Accept-Encoding"), "{path}");
            assert!(packed.body.len() < plain.body.len(), "{path}");
            let refused = Request::get(path).header(header::ACCEPT_ENCODING, "gzip;q=0");
            let refused = site.send(refused.body(Body::empty()).unwrap()).await;
            assert_eq!(refused.header("content-encoding"), "", "{path}");
        }
    })
    .await;
}
