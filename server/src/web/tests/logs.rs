//! What is logged, and what never is.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use super::Site;
use crate::store::tests::sqlite;

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

// One thread, so that this test's subscriber hears all of it and nothing else.
#[tokio::test]
async fn no_secret_is_logged() {
    let kept = Kept::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(kept.clone())
        .with_max_level(tracing::Level::TRACE)
        .json()
        .finish();
    // While there is one subscriber only, a call site that another test's thread reaches first asks that
    // thread's, which is none, and stays silent for all.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let _guard = tracing::subscriber::set_default(subscriber);
    let fresh = sqlite().await;
    let site = Site::new(fresh.store.clone(), "http://127.0.0.1:3000").await;
    let customer = site.house.world.customer().await;
    let path = site.link(&customer).await;
    let cookie = site.get(&path, "").await.cookie();
    site.get(&path, "").await;
    let form = "number=4242424242424242&expiry=12%2F34&cvc=90817&name=Ada&make_default=true";
    let functions = leptos::server_fn::axum::server_fn_paths();
    for (function, _) in functions.filter(|(path, _)| path.contains("card")) {
        site.post(function, &cookie, form).await;
    }
    let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("\"request_id\":\"req_"), "{text}");
    assert!(text.contains("/p/…"), "{text}");
    let visit = cookie.split('=').nth(1).unwrap();
    let link = path.trim_start_matches("/p/");
    for secret in [link, visit, "4242424242424242", "90817"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
