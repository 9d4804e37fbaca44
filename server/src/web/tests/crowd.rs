//! Many pages at once, for customers of different merchants.

use std::sync::Arc;

use axum::http::StatusCode;

use super::Site;
use crate::store::tests::{Fresh, sqlite};

/// How many ask at once, of each merchant.
const READERS: usize = 8;
/// How often each asks.
const PAGES: usize = 12;

/// A site whose merchant is called `name`, with the cookie of a visit.
async fn site_of(fresh: &Fresh, name: &str) -> (Arc<Site>, String) {
    let site = Site::new(fresh.store.clone(), "http://127.0.0.1:3000").await;
    let world = &site.house.world;
    let renamed = world
        .engine
        .update_merchant(&world.scope.merchant, |merchant| {
            name.clone_into(&mut merchant.theme.display_name);
        })
        .await;
    assert_eq!(renamed.unwrap().theme.display_name, name);
    let customer = world.customer_with("pm_card_visa").await;
    let cookie = site.get(&site.link(&customer).await, "").await.cookie();
    (Arc::new(site), cookie)
}

// A page is made in pieces, on whichever thread is free, and what it is made of lies in an arena that
// the thread finds again for each piece. A piece that is made in another page's arena fails, or shows
// what is somebody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_page_is_made_of_its_own_parts_only() {
    let (left, right) = (sqlite().await, sqlite().await);
    let mut readers = Vec::new();
    for (fresh, name) in [(&left, "North & <b>"), (&right, "South")] {
        let (site, cookie) = site_of(fresh, name).await;
        for _ in 0..READERS {
            let (site, cookie) = (Arc::clone(&site), cookie.clone());
            readers.push(tokio::spawn(async move {
                let shown = name.replace('&', "&amp;").replace('<', "&lt;");
                for _ in 0..PAGES {
                    let got = site.get("/portal", &cookie).await;
                    assert_eq!(got.status, StatusCode::OK, "{name}: {}", got.body);
                    let title = got.body.split_once("<title>").unwrap().1;
                    let title = title.split_once("</title>").unwrap().0;
                    assert!(title.ends_with(&format!(" · {shown}")), "{name}: {title}");
                }
            }));
        }
    }
    for reader in readers {
        reader.await.unwrap();
    }
}
