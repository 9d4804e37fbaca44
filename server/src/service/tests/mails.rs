//! Mail: one for each cause, none to who wants none, and none lost to a bad day of the mail server.

use std::path::PathBuf;

use perennial::calendar::Cadence;
use perennial::id::CustomerId;
use perennial::invoice::InvoiceStatus;
use perennial::subscription::{PauseBehavior, PauseCollection};
use sqlx::Row as _;

use super::mail_server::{MailServer, Mood};
use super::world::{START, World, after, at};
use crate::clock::{Entropy as _, SystemEntropy};
use crate::mail::carrier::MailUrl;
use crate::mail::folder::Folder;
use crate::mail::reading::Read;
use crate::mail::{Kind, Switch};
use crate::merchant::Merchant;
use crate::service::mails::Post;
use crate::service::subscriptions::{Cancel, NewItem, NewSubscription};
use crate::service::test_clocks::NewTestClock;
use crate::service::updates::SubscriptionUpdate;
use crate::store::Store;
use crate::store::mail as outbox;
use crate::store::tests::both;

const VISA: &str = "pm_card_visa";
const FAILING: &str = "pm_card_chargeCustomerFail";
const DAY: i64 = 86_400;

/// A world with mail, and a folder that goes with it.
pub(super) struct Postal {
    world: World,
    folder: PathBuf,
}

impl Drop for Postal {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl std::ops::Deref for Postal {
    type Target = World;
    fn deref(&self) -> &World {
        &self.world
    }
}

impl Postal {
    pub(super) async fn new(store: Store) -> Self {
        Self::by(store, None).await
    }

    /// Through a mail server, where there is one.
    async fn by(store: Store, server: Option<&MailServer>) -> Self {
        let mut world = World::new(store).await;
        let folder = format!("perennial-mail-{:032x}", SystemEntropy.bits());
        let folder = std::env::temp_dir().join(folder);
        let url = match server {
            Some(server) => server.url().parse().unwrap(),
            None => MailUrl::Folder(folder.clone()),
        };
        let public = "https://pay.example".parse().unwrap();
        let post = Post::open(&url, Folder::new(folder.clone()), public).unwrap();
        world.engine = world.engine.clone().with_post(post);
        let postal = Self { world, folder };
        if server.is_some() {
            postal
                .rules(|merchant| merchant.mail.test_mode_leaves = true)
                .await;
        }
        postal
    }

    async fn rules(&self, change: impl Fn(&mut Merchant)) {
        let id = &self.scope.merchant;
        self.engine.update_merchant(id, change).await.unwrap();
    }

    /// A customer who reads mail and pays with a card.
    pub(super) async fn reader(&self, card: &str) -> CustomerId {
        let customer = self.customer_with(card).await;
        let mut row = self.find_customer(&customer).await;
        row.email = Some("ada@example.com".to_owned());
        self.update(&mut row).await;
        customer
    }

    pub(super) async fn send(&self) -> usize {
        self.engine.send_mails(100).await.unwrap().done
    }

    /// The messages in the folder, oldest first.
    pub(super) async fn kept(&self) -> Vec<Read> {
        let folder = Folder::new(self.folder.clone());
        let mut read = Vec::new();
        for kept in folder.list(false, 1_000).await.unwrap().into_iter().rev() {
            let bytes = folder.read(false, &kept.id).await.unwrap().unwrap();
            read.push(Read::of(&bytes));
        }
        read
    }

    /// Kind, state and reason of every mail, in the order of their causes.
    async fn outbox(&self) -> Vec<(String, String, String)> {
        let sql = "select kind, state, coalesce(reason, '') as reason from mail \
                   where merchant = $1 order by kind, cause";
        let mut read = self.engine.store.read().await.unwrap();
        let rows = sqlx::query(sql)
            .bind(self.scope.merchant.as_str())
            .fetch_all(&mut *read)
            .await
            .unwrap();
        rows.iter()
            .map(|row| (row.get("kind"), row.get("state"), row.get("reason")))
            .collect()
    }

    pub(super) async fn states(&self, kind: Kind) -> Vec<String> {
        let all = self.outbox().await.into_iter();
        all.filter(|(own, _, _)| own == kind.name())
            .map(|(_, state, _)| state)
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_sent_once_by_however_many_workers() {
    both(|store| async move {
        let world = Postal::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        for _ in 0..6 {
            let customer = world.reader(VISA).await;
            world.subscribe(&customer, &price).await;
        }
        let rounds: Vec<_> = (0..5)
            .map(|_| {
                let engine = world.engine.clone();
                tokio::spawn(async move { engine.send_mails(3).await.unwrap().done })
            })
            .collect();
        for round in rounds {
            round.await.unwrap();
        }
        while world.send().await > 0 {}
        assert_eq!(world.states(Kind::Receipt).await, ["sent"; 6]);
        let kept = world.kept().await;
        assert_eq!(kept.len(), 6);
        let first = &kept[0];
        assert_eq!(first.header("Subject"), "Your receipt from Halden: $20.00");
        assert_eq!(first.header("To"), "Ada <ada@example.com>");
        assert_eq!(first.header("From"), "Halden <no-reply@pay.example>");
        assert_eq!(first.header("Auto-Submitted"), "auto-generated");
        let (name, pdf) = first.pdf.as_ref().unwrap();
        assert!(
            name.ends_with("-0001.pdf") && pdf.starts_with(b"%PDF-"),
            "{name}"
        );
        let stop = first.header("List-Unsubscribe");
        assert!(stop.starts_with("<https://pay.example/u/"), "{stop}");
        assert_eq!(
            first.header("List-Unsubscribe-Post"),
            "List-Unsubscribe=One-Click"
        );
        assert!(
            first.plain.contains("https://pay.example/m/"),
            "{}",
            first.plain
        );
        assert!(first.html.contains("https://pay.example/m/"));
        let ids: std::collections::BTreeSet<_> = kept
            .iter()
            .map(|mail| mail.header("Message-ID").to_owned())
            .collect();
        assert_eq!(ids.len(), 6);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_written_to_who_has_no_address_or_wants_none() {
    both(|store| async move {
        let world = Postal::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let silent = world.customer_with(VISA).await;
        world.subscribe(&silent, &price).await;
        let end = after(START, 30 * DAY);
        world.trial(&silent, &price, end).await;
        assert_eq!(world.outbox().await, [], "no address, no mail");

        let reader = world.reader(VISA).await;
        let mut row = world.find_customer(&reader).await;
        Switch::Receipts.set(&mut row.mail, false);
        world.update(&mut row).await;
        world.subscribe(&reader, &price).await;
        world.send().await;
        let (kind, state, reason) = world.outbox().await.pop().unwrap();
        assert_eq!((kind.as_str(), state.as_str()), ("receipt", "skipped"));
        assert_eq!(reason, "the customer does not want such mails");

        world.rules(|merchant| merchant.mail.enabled = false).await;
        let other = world.reader(VISA).await;
        world.subscribe(&other, &price).await;
        assert_eq!(world.outbox().await.len(), 1, "the merchant sends no mail");
        assert!(world.kept().await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failed_attempt_is_told_until_it_is_paid() {
    both(|store| async move {
        let world = Postal::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.reader(VISA).await;
        let id = world.subscribe(&customer, &price).await;
        world.send().await;
        world.card(&customer, FAILING).await;
        world.live_until(at(2026, 2, 28)).await;
        world.live_until(after(at(2026, 2, 28), 7_200)).await;
        world.send().await;
        assert_eq!(world.states(Kind::PaymentFailed).await, ["sent"]);
        let mail = world.kept().await.pop().unwrap();
        assert_eq!(
            mail.header("Subject"),
            "Your payment of $20.00 to Halden failed"
        );
        assert!(
            mail.plain.contains("We try again on 1 March 2026."),
            "{}",
            mail.plain
        );
        assert_eq!(
            mail.header("List-Unsubscribe"),
            "",
            "what must come has no switch"
        );
        assert!(mail.pdf.is_none());

        // Two more attempts before the post goes: only the newer one is worth a mail.
        world.live_until(at(2026, 3, 4)).await;
        world.send().await;
        let states = world.states(Kind::PaymentFailed).await;
        assert_eq!(
            states.iter().filter(|state| *state == "sent").count(),
            2,
            "{states:?}"
        );
        assert!(
            states.len() > 2 && states.contains(&"skipped".to_owned()),
            "{states:?}"
        );

        // Paid before the post goes: nobody is told of a failure that is over.
        world.live_until(at(2026, 3, 6)).await;
        let invoice = world.latest(&id).await;
        let card = world.card(&customer, VISA).await;
        world.pay(&invoice.id, Some(card)).await.unwrap();
        assert_eq!(world.latest(&id).await.status, InvoiceStatus::Paid);
        world.send().await;
        let sent = world.kept().await;
        assert_eq!(
            sent.last().unwrap().header("Subject"),
            "Your receipt from Halden: $20.00"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_leaves_a_mail_that_is_sent_under_the_same_name() {
    both(|store| async move {
        let server = MailServer::start().await;
        let world = Postal::by(store, Some(&server)).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.reader(VISA).await;
        world.subscribe(&customer, &price).await;
        // The answer is lost after the mail was taken: nobody knows, so it is sent again.
        server.will(&[Mood::TakeAndHangUp]);
        let round = world.engine.send_mails(10).await.unwrap();
        assert_eq!(round.done, 0);
        assert!(round.unreachable.is_some());
        // Another worker claims it and dies before it does anything.
        let now = world.engine.now();
        let mut tx = world.engine.store.begin().await.unwrap();
        let claimed = outbox::claim(tx.connection(), now, after(now, 60), 10)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(claimed.len(), 1);
        assert_eq!(world.send().await, 0, "it is claimed");
        world.clock.advance_to(after(now, 60));
        assert_eq!(world.send().await, 1, "the claim has run out");
        let taken = server.taken();
        assert_eq!(taken.len(), 2);
        assert_eq!(
            taken[0].header("Message-ID"),
            taken[1].header("Message-ID"),
            "one name, so that a mail program shows one mail"
        );
        // Whoever comes back from the dead does not have the last word.
        let mut tx = world.engine.store.begin().await.unwrap();
        let settled = outbox::Settled::SetAside {
            reason: "late".to_owned(),
        };
        let kept = outbox::settle(tx.connection(), &claimed[0], &settled, now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert!(!kept);
        assert_eq!(world.states(Kind::Receipt).await, ["sent"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_refuses_is_asked_again_or_believed() {
    both(|store| async move {
        let server = MailServer::start().await;
        let world = Postal::by(store, Some(&server)).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.reader(VISA).await;
        world.subscribe(&customer, &price).await;

        // Refused for a time: growing pauses.
        server.will(&[Mood::Later, Mood::Later]);
        assert_eq!(world.send().await, 1);
        let (_, state, reason) = world.outbox().await.pop().unwrap();
        assert_eq!(state, "waiting");
        assert!(reason.contains("451"), "{reason}");
        assert_eq!(world.send().await, 0, "not at once");
        world.clock.advance_to(after(world.engine.now(), 60));
        assert_eq!(world.send().await, 1);
        world.clock.advance_to(after(world.engine.now(), 60));
        assert_eq!(world.send().await, 0, "the second pause is longer");
        world.clock.advance_to(after(world.engine.now(), 240));
        assert_eq!(world.send().await, 1);
        assert_eq!(world.states(Kind::Receipt).await, ["sent"]);
        assert_eq!(server.taken().len(), 1);

        // Refused for good: set aside, with the server's words.
        world.subscribe(&customer, &price).await;
        server.will(&[Mood::Never]);
        assert_eq!(world.send().await, 1);
        let aside = world.outbox().await;
        let (_, _, reason) = aside
            .iter()
            .find(|(_, state, _)| state == "set_aside")
            .unwrap();
        assert!(
            reason.contains("550") && reason.contains("no such mailbox"),
            "{reason}"
        );
        assert_eq!(world.send().await, 0);

        let status = world.engine.status().await.unwrap();
        assert_eq!(status.mail.aside.len(), 1);
        assert!(
            status.text().contains("no such mailbox"),
            "{}",
            status.text()
        );
        outbox::retry_all(&world.engine.store).await.unwrap();
        assert_eq!(world.send().await, 1, "somebody has mended it");

        // Hung up on, or not let in: the mails wait, none of them is blamed.
        for mood in [Mood::HangUp, Mood::Stranger] {
            world.subscribe(&customer, &price).await;
            world.subscribe(&customer, &price).await;
            server.will(&[mood, mood, mood, mood]);
            let round = world.engine.send_mails(1).await.unwrap();
            assert_eq!(round.done, 0);
            assert!(round.unreachable.is_some(), "{mood:?}");
            server.will(&[]);
            while world
                .engine
                .send_mails(10)
                .await
                .unwrap()
                .unreachable
                .is_some()
            {}
        }
        while world.send().await > 0 {}
        let states = world.states(Kind::Receipt).await;
        assert_eq!(
            states.iter().filter(|state| *state == "sent").count(),
            6,
            "{states:?}"
        );
        assert_eq!(server.taken().len(), 6);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_refused_for_days_is_set_aside() {
    both(|store| async move {
        let server = MailServer::start().await;
        let world = Postal::by(store, Some(&server)).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.reader(VISA).await;
        world.subscribe(&customer, &price).await;
        server.will(&[Mood::Later; 40]);
        let mut tries = 0;
        while let Some(due) = world.engine.next_mail_due_at().await.unwrap() {
            world.clock.advance_to(due);
            tries += world.send().await;
        }
        assert_eq!(tries, 10);
        assert_eq!(world.states(Kind::Receipt).await, ["set_aside"]);
        let days = (world.engine.now().0 - START.0) / DAY;
        assert!((2..5).contains(&days), "{days}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn test_mode_stays_in_the_house() {
    both(|store| async move {
        let server = MailServer::start().await;
        let world = Postal::by(store, Some(&server)).await;
        world
            .rules(|merchant| merchant.mail.test_mode_leaves = false)
            .await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.reader(VISA).await;
        world.subscribe(&customer, &price).await;
        world.send().await;
        assert_eq!(server.taken().len(), 0);
        assert_eq!(world.kept().await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_is_said_before_it_does() {
    both(|store| async move {
        let world = Postal::new(store).await;
        let yearly = world.price(24_000, Cadence::YEARLY).await;
        let customer = world.reader(VISA).await;
        let id = world.subscribe(&customer, &yearly).await;
        let monthly = world.price(2_000, Cadence::MONTHLY).await;
        let trial = world
            .trial(&customer, &monthly, after(START, 30 * DAY))
            .await;
        world.send().await;
        assert_eq!(world.states(Kind::TrialEnding).await, ["waiting"]);
        world.clock.advance_to(after(START, 22 * DAY));
        world.sweep().await;
        assert_eq!(world.send().await, 0);
        world.clock.advance_to(after(START, 23 * DAY));
        world.sweep().await;
        assert_eq!(world.send().await, 1, "seven days before");
        let mail = world.kept().await.pop().unwrap();
        assert_eq!(
            mail.header("Subject"),
            "Your free trial of Pro ends on 2 March 2026"
        );
        assert!(mail.plain.contains("and you pay $20.00."), "{}", mail.plain);

        // Cancelled before the reminder: there is nothing to be reminded of.
        let cancelled = world.subscribe(&customer, &yearly).await;
        let (engine, scope) = (&world.engine, &world.scope);
        engine
            .cancel_at_period_end(scope, &cancelled, None, None)
            .await
            .unwrap();
        engine
            .cancel_subscription(scope, &trial, Cancel::default())
            .await
            .unwrap();
        world.live_until(at(2027, 1, 26)).await;
        while world.send().await > 0 {}
        assert_eq!(world.states(Kind::CancellationPlanned).await, ["sent"]);
        assert_eq!(world.states(Kind::SubscriptionEnded).await, ["sent"]);
        assert_eq!(
            world.states(Kind::RenewalReminder).await,
            ["sent", "waiting"]
        );
        let renews = "Pro from Halden renews on 31 January 2027";
        let kept = world.kept().await;
        let told = kept.iter().filter(|mail| mail.header("Subject") == renews);
        assert_eq!(told.count(), 1);
        drop(id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_to_pay_is_sent_and_reminded_of() {
    both(|store| async move {
        let world = Postal::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.reader(VISA).await;
        let new = NewSubscription {
            collection_method: perennial::subscription::CollectionMethod::SendInvoice,
            days_until_due: Some(14),
            ..NewSubscription::new(customer.clone(), vec![NewItem::new(price.id.clone(), 1)])
        };
        let id = world.create(new).await.unwrap().value.id;
        world.live_until(after(START, DAY)).await;
        while world.send().await > 0 {}
        assert_eq!(world.states(Kind::InvoiceToPay).await, ["sent"]);
        let mail = world.kept().await.pop().unwrap();
        assert!(mail.pdf.is_some());
        assert!(
            mail.header("Subject")
                .contains("$20.00, due 14 February 2026"),
            "{}",
            mail.header("Subject")
        );
        // Whenever the merchant sends it again, it comes again; what is paid or void does not.
        let invoice = world.latest(&id).await.value.id;
        for _ in 0..2 {
            world
                .engine
                .send_invoice(&world.scope, &invoice)
                .await
                .unwrap();
            while world.send().await > 0 {}
        }
        assert_eq!(world.states(Kind::InvoiceToPay).await, ["sent"; 3]);
        world.live_until(after(START, 26 * DAY)).await;
        while world.send().await > 0 {}
        let states = world.states(Kind::InvoiceReminder).await;
        assert_eq!(
            states,
            ["sent", "sent", "sent"],
            "before, when due, a week later"
        );
        drop(id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_clock_brings_its_mail_in_its_time_and_keeps_it_in_the_house() {
    both(|store| async move {
        let server = MailServer::start().await;
        let world = Postal::by(store, Some(&server)).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let customer = world.reader(VISA).await;
        let new = NewTestClock {
            frozen_time: START,
            name: None,
            customer: Some(customer.clone()),
        };
        let clock = engine.create_test_clock(scope, new).await.unwrap();
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let new = NewSubscription {
            trial_end: Some(after(START, 30 * DAY)),
            ..NewSubscription::new(customer.clone(), vec![NewItem::new(price.id.clone(), 1)])
        };
        world.create(new).await.unwrap();
        assert_eq!(world.states(Kind::TrialEnding).await, ["waiting"]);
        assert_eq!(
            engine.next_mail_due_at().await.unwrap(),
            None,
            "not by the real clock"
        );
        let (_stop, stopped) = tokio::sync::watch::channel(false);
        let target = after(START, 40 * DAY);
        engine
            .advance_test_clock(scope, &clock.id, target)
            .await
            .unwrap();
        engine.tend_test_clocks(&stopped).await.unwrap();
        while world.send().await > 0 {}
        // Sent at its moment: at the end of the journey the trial is long over.
        assert_eq!(world.states(Kind::TrialEnding).await, ["sent"]);
        assert_eq!(world.states(Kind::Receipt).await, ["sent"]);
        assert_eq!(server.taken().len(), 0, "made-up lives write to nobody");
        assert_eq!(world.kept().await.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_of_collection_is_told_of_once_at_each_end() {
    both(|store| async move {
        let world = Postal::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.reader(VISA).await;
        let id = world.subscribe(&customer, &price).await;
        let rest = async |until: i64| {
            let update = SubscriptionUpdate {
                pause_collection: Some(Some(PauseCollection {
                    behavior: PauseBehavior::KeepAsDraft,
                    resumes_at: Some(after(START, until * DAY)),
                })),
                ..SubscriptionUpdate::default()
            };
            let (engine, scope) = (&world.engine, &world.scope);
            engine
                .update_subscription(scope, &id, update)
                .await
                .unwrap();
        };
        rest(60).await;
        // Another end of the same pause is no other pause.
        rest(70).await;
        while world.send().await > 0 {}
        assert_eq!(world.states(Kind::CollectionPaused).await, ["sent"]);
        let paused = "Payments for Pro are paused";
        let kept = world.kept().await;
        let mail = kept.iter().find(|mail| mail.header("Subject") == paused);
        let mail = mail.unwrap();
        assert!(mail.plain.contains("until 11 April 2026"), "{}", mail.plain);
        assert!(mail.plain.contains("may be collected later"));
        world.live_until(at(2026, 4, 13)).await;
        while world.send().await > 0 {}
        assert_eq!(world.states(Kind::CollectionResumed).await, ["sent"]);
        assert_eq!(world.states(Kind::CollectionPaused).await, ["sent"]);
        let kept = world.kept().await;
        let told = kept
            .iter()
            .filter(|mail| mail.header("Subject") == "Payments for Pro go on");
        assert_eq!(told.count(), 1);
    })
    .await;
}
