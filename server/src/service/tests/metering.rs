//! Reporting usage: what is counted once, what is refused, and what is read.

use std::collections::BTreeSet;

use perennial::calendar::{Period, Timestamp};
use perennial::decimal::Decimal12;
use perennial::id::CustomerId;
use perennial::usage::{EVENT_AGE_SECONDS_MAX, Formula, Meter};

use super::world::{START, World, after};
use crate::clock::{Entropy, SeededEntropy};
use crate::service::Refused;
use crate::service::metering::{Naming, NewEvent, NewMeter};
use crate::service::usage::Asked;
use crate::store::tests::both;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

pub(super) async fn meter(world: &World, name: &str, formula: Formula) -> Meter {
    let new = NewMeter {
        display_name: name.to_owned(),
        event_name: name.to_owned(),
        formula,
        customer_key: None,
        value_key: None,
        event_time_window: None,
    };
    world
        .engine
        .create_meter(&world.scope, new)
        .await
        .unwrap()
        .value
}

pub(super) fn event(
    meter: &str,
    identifier: &str,
    customer: &CustomerId,
    at: Timestamp,
    value: &str,
) -> NewEvent {
    NewEvent {
        event_name: meter.to_owned(),
        identifier: Some(identifier.to_owned()),
        at: Some(at),
        payload: vec![
            ("stripe_customer_id".to_owned(), customer.to_string()),
            ("value".to_owned(), value.to_owned()),
        ],
        now: None,
    }
}

impl World {
    /// Reports events; all must be counted or be there already. Answers with how many were new.
    pub(super) async fn report(&self, events: Vec<NewEvent>) -> usize {
        let taken = self
            .engine
            .report_usage(&self.scope, events, Naming::Listed)
            .await;
        taken.unwrap().iter().filter(|one| one.new).count()
    }

    /// What was used.
    pub(super) async fn used(
        &self,
        meter: &Meter,
        customer: &CustomerId,
        start: Timestamp,
        end: Timestamp,
    ) -> String {
        let asked = Asked {
            meter: meter.id.clone(),
            customer: customer.clone(),
            period: Period { start, end },
        };
        let counted = self.engine.usage_of(&self.scope, asked).await.unwrap();
        counted.total.value(counted.formula).unwrap().to_string()
    }
}

/// An event of the model that the store is compared with.
#[derive(Clone, Debug)]
struct Known {
    identifier: String,
    at: i64,
    value: Decimal12,
    canceled: bool,
}

fn expected(formula: Formula, events: &[Known], from: i64, until: i64) -> String {
    let within = events
        .iter()
        .filter(|one| !one.canceled && one.at >= from && one.at < until);
    let value = match formula {
        Formula::Sum => Decimal12::from_scaled(within.map(|one| one.value.scaled()).sum()).unwrap(),
        Formula::Count => Decimal12::from_integer(i64::try_from(within.count()).unwrap()),
        Formula::Unique => {
            let different: BTreeSet<_> = within.map(|one| one.value).collect();
            Decimal12::from_integer(i64::try_from(different.len()).unwrap())
        }
        Formula::Max => within.map(|one| one.value).max().unwrap_or(Decimal12::ZERO),
        // The order of receipt is that of the list; `max_by_key` takes the last of equals.
        Formula::Last => within
            .max_by_key(|one| one.at)
            .map_or(Decimal12::ZERO, |one| one.value),
    };
    value.to_string()
}

/// Random events in random order, sent twice, some cancelled: every formula reads, over any period,
/// what its meaning says of the events that stand.
#[tokio::test(flavor = "multi_thread")]
async fn totals_are_what_the_events_that_stand_say() {
    for formula in [
        Formula::Sum,
        Formula::Count,
        Formula::Max,
        Formula::Last,
        Formula::Unique,
    ] {
        both(|store| async move {
            let world = World::new(store).await;
            let meter = meter(&world, "calls", formula).await;
            let customer = world.customer().await;
            let bystander = world.customer().await;
            let random = SeededEntropy::new(11 + formula as u128);
            let below = |n: u64| i64::try_from(random.bits() % u128::from(n)).unwrap();
            let mut known = Vec::new();
            for round in 0..12 {
                let mut batch = Vec::new();
                for n in 0..25 {
                    let one = Known {
                        identifier: format!("event-{round}-{n}"),
                        at: START.0 - below(5 * 86_400),
                        value: Decimal12::from_scaled(i128::from(below(40) - 10) * 500_000_000_000)
                            .unwrap(),
                        canceled: false,
                    };
                    let (at, value) = (Timestamp(one.at), one.value.to_string());
                    batch.push(event("calls", &one.identifier, &customer, at, &value));
                    known.push(one);
                }
                batch.push(event(
                    "calls",
                    &format!("other-{round}"),
                    &bystander,
                    START,
                    "1000",
                ));
                assert_eq!(world.report(batch.clone()).await, 26);
                assert_eq!(world.report(batch).await, 0, "again");
                for _ in 0..2 {
                    let which = usize::try_from(below(known.len() as u64)).unwrap();
                    let identifier = known[which].identifier.clone();
                    let cancel = world
                        .engine
                        .cancel_usage(&world.scope, "calls", &identifier);
                    cancel.await.unwrap();
                    known[which].canceled = true;
                }
                for _ in 0..8 {
                    let from = START.0 - below(6 * 86_400);
                    let until = from + below(7 * 86_400);
                    let (start, end) = (Timestamp(from), Timestamp(until));
                    assert_eq!(
                        world.used(&meter, &customer, start, end).await,
                        expected(formula, &known, from, until),
                        "{formula:?} in round {round} from {from} until {until}"
                    );
                }
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_counts_once_however_many_send_it_at_once() {
    both(|store| async move {
        let world = World::new(store).await;
        let meter = meter(&world, "calls", Formula::Sum).await;
        let customer = world.customer().await;
        let senders: Vec<_> = (0..32)
            .map(|sender: usize| {
                let (engine, scope) = (world.engine.clone(), world.scope.clone());
                let customer = customer.clone();
                tokio::spawn(async move {
                    // Everybody sends the same fifty, from another place on, in parts.
                    let mut new = 0;
                    for n in 0..50 {
                        let id = format!("event-{}", (n * 7 + sender * 13) % 50);
                        let one = event("calls", &id, &customer, START, "2");
                        let taken = engine.report_usage(&scope, vec![one], Naming::Single).await;
                        new += taken.unwrap().iter().filter(|one| one.new).count();
                    }
                    new
                })
            })
            .collect();
        let mut new = 0;
        for sender in senders {
            new += sender.await.unwrap();
        }
        assert_eq!(new, 50);
        let (start, end) = (after(START, -HOUR), after(START, HOUR));
        assert_eq!(world.used(&meter, &customer, start, end).await, "100");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn periods_take_their_first_second_and_leave_their_last() {
    both(|store| async move {
        let world = World::new(store).await;
        let meter = meter(&world, "calls", Formula::Count).await;
        let customer = world.customer().await;
        let (start, end) = (after(START, -DAY - 17), after(START, -17));
        let moments = [after(start, -1), start, after(end, -1), end];
        let events = moments
            .iter()
            .enumerate()
            .map(|(n, at)| event("calls", &format!("e{n}"), &customer, *at, "1"));
        assert_eq!(world.report(events.collect()).await, 4);
        assert_eq!(world.used(&meter, &customer, start, end).await, "2");
        assert_eq!(world.used(&meter, &customer, end, start).await, "0");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cant_be_counted_is_refused_by_name_and_changes_nothing() {
    both(|store| async move {
        let world = World::new(store).await;
        let meter = meter(&world, "calls", Formula::Sum).await;
        let customer = world.customer().await;
        let good = event("calls", "good", &customer, START, "5");
        let off = self::meter(&world, "off", Formula::Sum).await;
        world
            .engine
            .deactivate_meter(&world.scope, &off.id)
            .await
            .unwrap();
        let with = |change: &dyn Fn(&mut NewEvent)| {
            let mut bad = event("calls", "bad", &customer, START, "5");
            change(&mut bad);
            bad
        };
        let payload = |place: usize, value: &'static str| {
            move |bad: &mut NewEvent| value.clone_into(&mut bad.payload[place].1)
        };
        let moved = |seconds: i64| move |bad: &mut NewEvent| bad.at = Some(after(START, seconds));
        let table: Vec<(NewEvent, &str, &str)> = vec![
            (
                with(&|bad| bad.event_name = "none".to_owned()),
                "event_name",
                "no_meter",
            ),
            (
                with(&|bad| bad.event_name = "off".to_owned()),
                "event_name",
                "archived_meter",
            ),
            (
                with(&payload(0, "cus_nobody")),
                "payload][stripe_customer_id",
                "meter_event_customer_not_found",
            ),
            (
                with(&payload(0, "'); drop")),
                "payload][stripe_customer_id",
                "meter_event_customer_not_found",
            ),
            (
                with(&|bad| drop(bad.payload.remove(0))),
                "payload][stripe_customer_id",
                "meter_event_no_customer_defined",
            ),
            (
                with(&|bad| drop(bad.payload.remove(1))),
                "payload][value",
                "meter_event_value_not_found",
            ),
            (
                with(&payload(1, "many")),
                "payload][value",
                "meter_event_invalid_value",
            ),
            (
                with(&payload(1, "1e9")),
                "payload][value",
                "meter_event_invalid_value",
            ),
            (
                with(&payload(1, "1234567890123456")),
                "payload][value",
                "meter_event_value_too_many_digits",
            ),
            (
                with(&moved(-EVENT_AGE_SECONDS_MAX - 1)),
                "timestamp",
                "timestamp_too_far_in_past",
            ),
            (with(&moved(301)), "timestamp", "timestamp_in_future"),
            (
                with(&|bad| bad.identifier = Some("x".repeat(101))),
                "identifier",
                "parameter_invalid_string",
            ),
        ];
        for (bad, field, wanted) in table {
            let events = vec![good.clone(), bad];
            let refused = world
                .engine
                .report_usage(&world.scope, events, Naming::Listed)
                .await;
            let Err(Refused::Invalid { param, code, .. }) = refused else {
                panic!("{wanted}: {refused:?}");
            };
            assert_eq!((param, code), (format!("events[1][{field}]"), Some(wanted)));
        }
        let (start, end) = (after(START, -40 * DAY), after(START, DAY));
        assert_eq!(world.used(&meter, &customer, start, end).await, "0");
        // An identifier that is taken by another event spoils only the report that brings it.
        assert_eq!(world.report(vec![good.clone()]).await, 1);
        let other = event("calls", "good", &customer, START, "6");
        let fine = event("calls", "fine", &customer, START, "7");
        let both =
            world
                .engine
                .report_usage(&world.scope, vec![fine.clone(), other], Naming::Listed);
        let alone = world
            .engine
            .report_usage(&world.scope, vec![fine], Naming::Single);
        let (both, alone) = tokio::join!(both, alone);
        let duplicate = matches!(
            both,
            Err(Refused::Invalid {
                code: Some("duplicate_meter_event"),
                ..
            })
        );
        assert!(duplicate, "{both:?}");
        assert!(alone.unwrap()[0].new);
        assert_eq!(world.used(&meter, &customer, start, end).await, "12");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_cancelled_within_a_day_and_stays_taken() {
    both(|store| async move {
        let world = World::new(store).await;
        let meter = meter(&world, "calls", Formula::Sum).await;
        let customer = world.customer().await;
        let (start, end) = (after(START, -DAY), after(START, 3 * DAY));
        let one = event("calls", "one", &customer, START, "5");
        let two = event("calls", "two", &customer, START, "3");
        world.report(vec![one.clone(), two]).await;
        let cancel = |name: &'static str, id: &'static str| {
            world.engine.cancel_usage(&world.scope, name, id)
        };
        cancel("calls", "one").await.unwrap();
        cancel("calls", "one").await.unwrap();
        assert_eq!(world.used(&meter, &customer, start, end).await, "3");
        assert_eq!(
            world.report(vec![one]).await,
            0,
            "its identifier stays taken"
        );
        assert_eq!(world.used(&meter, &customer, start, end).await, "3");
        for (name, id) in [("calls", "none"), ("other", "two")] {
            let refused = cancel(name, id).await;
            assert!(matches!(
                refused,
                Err(Refused::Invalid {
                    code: Some("resource_missing"),
                    ..
                })
            ));
        }
        world.clock.advance_to(after(START, DAY + 1));
        let late = cancel("calls", "two").await;
        assert!(matches!(
            late,
            Err(Refused::Invalid {
                code: Some("meter_event_too_old_to_cancel"),
                ..
            })
        ));
        assert_eq!(world.used(&meter, &customer, start, end).await, "3");
    })
    .await;
}

/// Two processes on one database count the same events at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_share_a_database_count_each_event_once() {
    let Some(fresh) = crate::store::tests::postgres().await else {
        return;
    };
    let world = World::new(fresh.store.clone()).await;
    let other_store = crate::store::Store::open(&fresh.url).await.unwrap();
    let mut twin = world.engine.clone();
    twin.store = other_store.clone();
    twin.metering = std::sync::Arc::default();
    let meters = [Formula::Sum, Formula::Max, Formula::Last, Formula::Unique];
    let mut made = Vec::new();
    for (n, formula) in meters.into_iter().enumerate() {
        made.push(meter(&world, &format!("meter-{n}"), formula).await);
    }
    let customers = [
        world.customer().await,
        world.customer().await,
        world.customer().await,
    ];
    let mut tasks = Vec::new();
    for sender in 0..8_usize {
        let engine = if sender % 2 == 0 {
            world.engine.clone()
        } else {
            twin.clone()
        };
        let (scope, customers) = (world.scope.clone(), customers.clone());
        tasks.push(tokio::spawn(async move {
            for round in 0..10_usize {
                let batch = (0..60_usize).map(|n| {
                    let n = (n + sender * 17) % 60;
                    let id = format!("{round}-{n}");
                    let at = after(START, -i64::try_from(n).unwrap() * 1_000);
                    event(
                        &format!("meter-{}", n % 4),
                        &id,
                        &customers[n % 3],
                        at,
                        &format!("{}", n % 9),
                    )
                });
                engine
                    .report_usage(&scope, batch.collect(), Naming::Listed)
                    .await
                    .unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let (start, end) = (after(START, -2 * DAY), after(START, DAY));
    for (m, meter) in made.iter().enumerate() {
        for (c, customer) in customers.iter().enumerate() {
            let mine: Vec<usize> = (0..60).filter(|n| n % 4 == m && n % 3 == c).collect();
            let values = mine.iter().map(|n| n % 9);
            let wanted = match meter.formula {
                Formula::Sum => values.sum::<usize>() * 10,
                Formula::Max => values.max().unwrap(),
                Formula::Last => mine.first().unwrap() % 9,
                _ => values.collect::<BTreeSet<_>>().len(),
            };
            assert_eq!(
                world.used(meter, customer, start, end).await,
                wanted.to_string(),
                "{:?}",
                meter.formula
            );
        }
    }
    other_store.close().await;
    fresh.store.close().await;
}
