//! Links in mails: looked at by anybody, used by their reader.

use std::path::PathBuf;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use perennial::id::CustomerId;

use super::Site;
use crate::clock::{Entropy as _, SystemEntropy};
use crate::mail::carrier::MailUrl;
use crate::mail::folder::Folder;
use crate::mail::reading::Read;
use crate::service::mails::Post;
use crate::service::tests::world::after;
use crate::store::Store;
use crate::store::tests::both;
use crate::web::{Web, WebConfig, router};

const PUBLIC: &str = "https://pay.example";
const DAY: i64 = 86_400;

/// A site whose customers get mail, in a folder that goes with it.
struct Postal {
    site: Site,
    folder: PathBuf,
}

impl Drop for Postal {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Postal {
    async fn new(store: Store) -> Self {
        let mut site = Site::new(store, PUBLIC).await;
        let folder = format!("perennial-letters-{:032x}", SystemEntropy.bits());
        let folder = std::env::temp_dir().join(folder);
        let url = MailUrl::Folder(folder.clone());
        let public = PUBLIC.parse().unwrap();
        let post = Post::open(&url, Folder::new(folder.clone()), public).unwrap();
        let world = &mut site.house.world;
        world.engine = world.engine.clone().with_post(post);
        let config = WebConfig {
            public: PUBLIC.parse().unwrap(),
            trust_proxy: true,
            limited: false,
            dev: true,
        };
        let web = Web::new(world.engine.clone(), config);
        site.app = router(web, crate::gateway::sandbox::router(world.bank.clone()));
        Self { site, folder }
    }

    /// A customer who has got a receipt.
    async fn reader(&self) -> CustomerId {
        let house = &self.site.house;
        let customer = house.world.customer_with("pm_card_visa").await;
        let mut row = house.world.find_customer(&customer).await;
        row.email = Some("ada@example.com".to_owned());
        row.preferred_locales = vec!["fr".to_owned()];
        house.world.update(&mut row).await;
        house.world.subscribe(&customer, &house.basic).await;
        house.world.engine.send_mails(10).await.unwrap();
        customer
    }

    async fn newest(&self) -> Read {
        let folder = Folder::new(self.folder.clone());
        let kept = folder.list(false, 1).await.unwrap();
        let id = &kept.first().unwrap().id;
        Read::of(&folder.read(false, id).await.unwrap().unwrap())
    }

    /// The path of a link in the newest mail.
    async fn path(&self, room: &str) -> String {
        let mail = self.newest().await;
        let start = format!("{PUBLIC}{room}");
        let (_, rest) = mail.plain.split_once(&start).unwrap();
        let secret: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
        format!("{room}{secret}")
    }

    async fn wants_receipts(&self, customer: &CustomerId) -> bool {
        let row = self.site.house.world.find_customer(customer).await;
        row.mail.receipts
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_lets_its_reader_in_and_nobody_by_looking() {
    both(|store| async move {
        let postal = Postal::new(store).await;
        let (site, customer) = (&postal.site, postal.reader().await);
        let path = postal.path("/m/").await;
        // Servers on the way look at every link, more than once.
        for _ in 0..3 {
            let got = site.get(&path, "").await;
            assert_eq!((got.status, got.header("set-cookie")), (StatusCode::OK, ""));
            assert!(got.body.contains("lang=\"fr\"") && got.body.contains("a…@example.com"));
            assert!(!got.body.contains("Ada"), "nothing about the customer");
        }
        let forged = Request::post(&path).header("sec-fetch-site", "cross-site");
        let forged = site.send(forged.body(Body::empty()).unwrap()).await;
        assert_eq!(forged.status, StatusCode::FORBIDDEN);
        // As often as the reader likes, each time a visit of its own.
        let mut cookies = Vec::new();
        for _ in 0..2 {
            let got = site.post(&path, "", "").await;
            assert_eq!(got.status, StatusCode::SEE_OTHER, "{}", got.body);
            let landing = got.header("location").to_owned();
            assert!(landing.starts_with("/portal/invoices/in_"), "{landing}");
            let page = site.get(&landing, &got.cookie()).await;
            assert!(
                page.status.is_success() && page.body.contains("20,00"),
                "{}",
                page.body
            );
            cookies.push(got.cookie());
        }
        assert_ne!(cookies[0], cookies[1]);
        // The address is somebody else's now.
        let mut row = site.house.world.find_customer(&customer).await;
        row.email = Some("new@example.com".to_owned());
        site.house.world.update(&mut row).await;
        let moved = site.get(&path, "").await;
        assert_eq!(moved.status, StatusCode::GONE);
        assert!(!moved.body.contains("new@") && !moved.body.contains("n…@"));
        assert_eq!(site.post(&path, "", "").await.status, StatusCode::GONE);
        for dead in [
            format!("/m/{}", "f".repeat(64)),
            "/m/x".to_owned(),
            "/u/x".to_owned(),
        ] {
            assert_eq!(site.get(&dead, "").await.status, StatusCode::GONE, "{dead}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_ended_brings_the_mail_once_more() {
    both(|store| async move {
        let postal = Postal::new(store).await;
        postal.reader().await;
        let (site, world) = (&postal.site, &postal.site.house.world);
        let (path, first) = (postal.path("/m/").await, postal.newest().await);
        world.clock.advance_to(after(world.engine.now(), 15 * DAY));
        let old = site.get(&path, "").await;
        assert_eq!(old.status, StatusCode::GONE);
        assert!(old.body.contains("name=\"again\""), "{}", old.body);
        // However often it is asked for, it is sent once a day, to the same address.
        for _ in 0..3 {
            let got = site.post(&path, "", "again=1").await;
            assert_eq!((got.status, got.header("set-cookie")), (StatusCode::OK, ""));
            world.engine.send_mails(10).await.unwrap();
        }
        let folder = Folder::new(postal.folder.clone());
        assert_eq!(folder.list(false, 10).await.unwrap().len(), 2);
        let again = postal.newest().await;
        assert_eq!(again.header("Subject"), first.header("Subject"));
        assert_eq!(again.header("To"), first.header("To"));
        assert_ne!(again.header("Message-ID"), first.header("Message-ID"));
        let fresh = postal.path("/m/").await;
        assert_eq!(site.get(&fresh, "").await.status, StatusCode::OK);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_stopped_by_one_click_and_comes_again() {
    both(|store| async move {
        let postal = Postal::new(store).await;
        let (site, customer) = (&postal.site, postal.reader().await);
        let path = postal.path("/u/").await;
        let look = site.get(&path, "").await;
        assert_eq!(look.status, StatusCode::OK);
        assert!(
            postal.wants_receipts(&customer).await,
            "looking changes nothing"
        );
        // As a mail program does it: from nowhere, with no page of ours (RFC 8058).
        for _ in 0..2 {
            let post =
                Request::post(&path).header("content-type", "application/x-www-form-urlencoded");
            let form = "List-Unsubscribe=One-Click";
            let got = site.send(post.body(Body::from(form)).unwrap()).await;
            assert_eq!(got.status, StatusCode::OK);
            assert!(!postal.wants_receipts(&customer).await);
        }
        let stopped = site.get(&path, "").await;
        assert!(stopped.body.contains("name=\"undo\""), "{}", stopped.body);
        site.post(&path, "", "undo=1").await;
        assert!(postal.wants_receipts(&customer).await);
        // What the link is for is all that it can do.
        let secret = path.trim_start_matches("/u/");
        assert_eq!(
            site.get(&format!("/m/{secret}"), "").await.status,
            StatusCode::GONE
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_development_page_shows_mail_and_runs_nothing() {
    both(|store| async move {
        let postal = Postal::new(store).await;
        postal.reader().await;
        let site = &postal.site;
        let list = site.get("/dev/mail", "").await;
        assert_eq!(list.status, StatusCode::OK);
        let id = list.body.split("/dev/mail/mail_").nth(1).unwrap();
        let id = format!("mail_{}", id.split('"').next().unwrap());
        let page = site.get(&format!("/dev/mail/{id}"), "").await;
        assert!(page.body.contains("Halden") && page.body.contains("ada@example.com"));
        let html = site.get(&format!("/dev/mail/{id}/html"), "").await;
        let policy = html.header("content-security-policy");
        assert!(
            policy.starts_with("sandbox ") && policy.contains("default-src 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("allow-scripts"));
        let pdf = site.get(&format!("/dev/mail/{id}/pdf"), "").await;
        assert!(pdf.body.starts_with("%PDF-"));
        for path in ["/dev/mail/mail_x", "/dev/mail/..%2f..%2fetc"] {
            assert_eq!(
                site.get(path, "").await.status,
                StatusCode::NOT_FOUND,
                "{path}"
            );
        }
        // Elsewhere there is no such page.
        let closed = Site::new(site.house.world.engine.store.clone(), PUBLIC).await;
        assert_eq!(
            closed.get("/dev/mail", "").await.status,
            StatusCode::NOT_FOUND
        );
    })
    .await;
}
