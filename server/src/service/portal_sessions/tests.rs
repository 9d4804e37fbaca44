//! Links and visits, on both databases.

use perennial::calendar::Timestamp;
use perennial::id::{CustomerId, PortalConfigurationId, SubscriptionId};
use perennial::portal::Flow;

use super::{LINK_SECONDS, NewPortalSession, Opened, VISIT_IDLE_SECONDS, VISIT_SECONDS_MAX};
use crate::service::Refused;
use crate::service::portal::tests::house::{House, all_features, configure};
use crate::service::tests::world::START;
use crate::store::Scope;
use crate::store::tests::both;

fn new(customer: &CustomerId) -> NewPortalSession {
    NewPortalSession {
        customer: customer.clone(),
        configuration: None,
        return_url: None,
        locale: None,
        flow: None,
    }
}

async fn link(house: &House, customer: &CustomerId) -> String {
    let world = &house.world;
    let made = world
        .engine
        .create_portal_session(&world.scope, new(customer))
        .await;
    made.unwrap().1
}

async fn open(house: &House, link: &str) -> Option<String> {
    match house.world.engine.open_link(link).await.unwrap() {
        Opened::Visit { secret, .. } => Some(secret),
        Opened::Dead { .. } => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_come_at_once_one_enters() {
    both(|store| async move {
        let house = House::new(store).await;
        let customer = house.world.customer().await;
        for _ in 0..5 {
            let link = link(&house, &customer).await;
            let comers: Vec<_> = (0..8)
                .map(|_| {
                    let (engine, link) = (house.world.engine.clone(), link.clone());
                    tokio::spawn(async move { engine.open_link(&link).await.unwrap() })
                })
                .collect();
            let mut entered = 0;
            for comer in comers {
                let opened = comer.await.unwrap();
                entered += usize::from(matches!(opened, Opened::Visit { .. }));
            }
            assert_eq!(entered, 1);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_lives_for_minutes() {
    both(|store| async move {
        let house = House::new(store).await;
        let customer = house.world.customer().await;
        let (early, late) = (link(&house, &customer).await, link(&house, &customer).await);
        house
            .world
            .clock
            .advance_to(Timestamp(START.0 + LINK_SECONDS - 1));
        assert!(open(&house, &early).await.is_some());
        house
            .world
            .clock
            .advance_to(Timestamp(START.0 + LINK_SECONDS));
        let opened = house.world.engine.open_link(&late).await.unwrap();
        let Opened::Dead { merchant, session } = opened else {
            panic!("it opened");
        };
        // Enough to say whose page this would have been, and no more.
        assert_eq!(merchant.unwrap().id, house.world.scope.merchant);
        assert_eq!(session.unwrap().customer, customer);
        let made_up = house.world.engine.open_link(&"0".repeat(64)).await.unwrap();
        assert!(matches!(
            made_up,
            Opened::Dead {
                merchant: None,
                session: None
            }
        ));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_lasts_while_it_is_used_and_not_for_ever() {
    both(|store| async move {
        let house = House::new(store).await;
        let (engine, clock) = (&house.world.engine, &house.world.clock);
        let customer = house.world.customer().await;
        let first = link(&house, &customer).await;
        let (idle, busy) = (
            open(&house, &first).await.unwrap(),
            link(&house, &customer).await,
        );
        let busy = open(&house, &busy).await.unwrap();
        // A link's secret is no visit's.
        assert!(engine.visit(&first).await.unwrap().is_none());
        let mut at = START.0;
        while at < START.0 + VISIT_SECONDS_MAX - VISIT_IDLE_SECONDS {
            at += VISIT_IDLE_SECONDS - 1;
            clock.advance_to(Timestamp(at));
            assert!(
                engine.visit(&busy).await.unwrap().is_some(),
                "{}",
                at - START.0
            );
        }
        assert!(
            engine.visit(&idle).await.unwrap().is_none(),
            "an hour passed without a page"
        );
        clock.advance_to(Timestamp(START.0 + VISIT_SECONDS_MAX));
        assert!(
            engine.visit(&busy).await.unwrap().is_none(),
            "a day's work is over"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_is_refused_for() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer_with("pm_card_visa").await;
        let other = world.customer_with("pm_card_visa").await;
        let theirs = world.subscribe(&other, &house.basic).await;
        let mut locked = all_features(&[&house.basic]);
        locked.subscription_cancel = None;
        let locked = configure(world, locked).await.value.id;
        let cancel = |subscription: &SubscriptionId| {
            Some(Flow::SubscriptionCancel {
                subscription: subscription.clone(),
                coupon: None,
            })
        };
        let base = new(&customer);
        let nobody = CustomerId::from_random(1);
        let no_rules = PortalConfigurationId::from_random(1);
        let url = |url: &str| NewPortalSession {
            return_url: Some(url.to_owned()),
            ..base.clone()
        };
        let cases = [
            (new(&nobody), "customer"),
            (
                NewPortalSession {
                    configuration: Some(no_rules),
                    ..base.clone()
                },
                "configuration",
            ),
            (url("javascript:alert(1)"), "return_url"),
            (url("https://"), "return_url"),
            (url("//halden.example"), "return_url"),
            (url("https://a\"b"), "return_url"),
            (url(&format!("https://{}", "a".repeat(3_000))), "return_url"),
            (
                NewPortalSession {
                    locale: Some("xx".to_owned()),
                    ..base.clone()
                },
                "locale",
            ),
            (
                NewPortalSession {
                    flow: cancel(&theirs),
                    ..base.clone()
                },
                "flow_data[subscription_cancel][subscription]",
            ),
            (
                NewPortalSession {
                    flow: cancel(&theirs),
                    configuration: Some(locked),
                    ..base.clone()
                },
                "flow_data[type]",
            ),
        ];
        for (new, expected) in cases {
            let refused = world.engine.create_portal_session(&world.scope, new).await;
            let param = match refused.err().unwrap() {
                Refused::NotFound { param, .. } => param.unwrap(),
                Refused::Invalid { param, .. } => param,
                other => panic!("{other:?}"),
            };
            assert_eq!(param, expected);
        }
        let live = Scope {
            livemode: true,
            ..world.scope.clone()
        };
        let refused = world
            .engine
            .create_portal_session(&live, base.clone())
            .await
            .err();
        assert!(
            matches!(refused, Some(Refused::NotFound { .. })),
            "{refused:?}"
        );
        world
            .engine
            .create_portal_session(&world.scope, base)
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_kept() {
    both(|store| async move {
        let house = House::new(store).await;
        let customer = house.world.customer().await;
        let link = link(&house, &customer).await;
        let visit = open(&house, &link).await.unwrap();
        let mut read = house.world.engine.store.read().await.unwrap();
        let sql = "select hash as text from portal_key union all select body from portal_session \
                   union all select body from event_group";
        let rows = sqlx::query(sql).fetch_all(&mut *read).await.unwrap();
        assert!(rows.len() >= 4);
        for row in rows {
            let text: String = sqlx::Row::get(&row, "text");
            assert!(!text.contains(&link) && !text.contains(&visit), "{text}");
        }
    })
    .await;
}
