use std::collections::HashSet;

use super::*;
use crate::store::document::PageRequest;
use crate::store::tests::{both, scope};

/// 2026-02-15 10:00:00 UTC.
const NOW: Timestamp = Timestamp(1_771_149_600);
const ALL: Filter = Filter {
    kinds: Vec::new(),
    from: 0,
    until: i64::MAX,
};

fn entry(kind: &str, object: &str, data: Data) -> Entry {
    Entry {
        kind: kind.to_owned(),
        object: object.to_owned(),
        created: NOW,
        data,
        cause: None,
    }
}

fn shown(kind: &str, object: usize) -> Entry {
    let data = format!("{{\"object\":{{\"id\":\"{object}\"}}}}");
    entry(kind, &object.to_string(), Data::Shown(data))
}

/// Reads a list to its end, part by part; then back from its end.
async fn whole(store: &Store, scope: &Scope, filter: &Filter, limit: u32) -> Vec<Event> {
    let mut read = store.read().await.unwrap();
    let (mut page, mut all) = (PageRequest::first(limit), Vec::new());
    loop {
        let (part, more) = search(&mut read, scope, &page, filter).await.unwrap();
        let full = u32::try_from(part.len()).unwrap() == limit;
        assert!(full || !more, "a part is full");
        all.extend(part);
        if !more {
            break;
        }
        page.starting_after = all.last().map(|own| own.id.to_string());
    }
    let Some(last) = all.last() else { return all };
    let (mut page, mut back) = (PageRequest::first(limit), vec![last.clone()]);
    loop {
        page.ending_before = back.first().map(|own| own.id.to_string());
        let (part, more) = search(&mut read, scope, &page, filter).await.unwrap();
        back.splice(0..0, part);
        if !more {
            break;
        }
    }
    assert_eq!(back, all, "both ways lead along the same list");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_the_same_however_events_lie_in_groups() {
    both(|store| async move {
        let scope = scope(&store).await;
        let mut expected: Vec<(String, String, i64)> = Vec::new();
        // Groups of one, of many, of more than one slot, over three seconds.
        let sizes = [1, 1, 3, 64, 65, 2, 150, 1, 7];
        let kinds = ["invoice.created", "invoice.paid", "customer.updated"];
        for (round, size) in sizes.into_iter().enumerate() {
            let told = Timestamp(NOW.0 + i64::try_from(round / 3).unwrap());
            let mut events = Vec::new();
            for _ in 0..size {
                let object = expected.len();
                let kind = kinds[object * object % 7 % 3];
                expected.push((kind.to_owned(), object.to_string(), told.0));
                events.push(shown(kind, object));
            }
            let mut tx = store.begin().await.unwrap();
            append(&store, tx.connection(), &scope, told, events)
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
        expected.reverse();
        let of = |kinds: &[&str], from: i64, until: i64| Filter {
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            from,
            until,
        };
        let second = NOW.0 + 1;
        let cases = [
            (ALL, 100),
            (ALL, 7),
            (of(&["invoice.paid"], 0, i64::MAX), 9),
            (of(&["invoice.*"], 0, i64::MAX), 50),
            (of(&["customer.updated", "invoice.paid"], 0, i64::MAX), 33),
            (of(&["invoice.void", "cust*"], 0, i64::MAX), 10),
            (of(&["nothing.*"], 0, i64::MAX), 10),
            (of(&[], second, second + 1), 100),
            (of(&["invoice.created"], second, i64::MAX), 20),
        ];
        for (filter, limit) in cases {
            let found = whole(&store, &scope, &filter, limit).await;
            let ids: HashSet<&str> = found.iter().map(|own| own.id.as_str()).collect();
            assert_eq!(ids.len(), found.len(), "each has an id of its own");
            let found: Vec<(&str, &str)> = found
                .iter()
                .map(|own| (own.kind.as_str(), own.object.as_str()))
                .collect();
            let meant = expected.iter().filter(|(kind, _, told)| {
                let known = filter.kinds.is_empty()
                    || filter.kinds.iter().any(|own| match own.strip_suffix('*') {
                        Some(start) => kind.starts_with(start),
                        None => kind == own,
                    });
                known && (filter.from..filter.until).contains(told)
            });
            let meant: Vec<(&str, &str)> = meant
                .map(|(kind, object, _)| (kind.as_str(), object.as_str()))
                .collect();
            assert_eq!(found, meant, "{filter:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_found_by_its_id_and_by_nobody_elses() {
    both(|store| async move {
        let (own, other) = (scope(&store).await, scope(&store).await);
        let live = Scope {
            livemode: true,
            ..own.clone()
        };
        for scope in [&own, &other, &live] {
            let mut caused = shown("invoice.paid", 1);
            caused.cause = Some(Cause {
                request: "req_1".to_owned(),
                idempotency_key: Some("say \"so\" \\ twice".to_owned()),
            });
            let events = vec![shown("invoice.created", 0), caused];
            let mut tx = store.begin().await.unwrap();
            append(&store, tx.connection(), scope, NOW, events)
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
        let listed = whole(&store, &own, &ALL, 10).await;
        assert_eq!(listed.len(), 2);
        let mut read = store.read().await.unwrap();
        for event in &listed {
            let id = event.id.as_str();
            let found = load(&mut read, &own, id).await.unwrap();
            assert_eq!(found.as_ref(), Some(event));
            for others in [&other, &live] {
                assert_eq!(load(&mut read, others, id).await.unwrap(), None);
            }
        }
        for strange in [
            "evt_1",
            "evt_zzzzzzzzzzzzzzzzzzzzzz",
            "",
            "evt_0000000000000000000000",
        ] {
            assert_eq!(load(&mut read, &own, strange).await.unwrap(), None);
        }
        let missing = PageRequest {
            starting_after: Some("evt_1".to_owned()),
            ..PageRequest::first(10)
        };
        let found = search(&mut read, &own, &missing, &ALL).await.unwrap();
        assert_eq!(found, (Vec::new(), false));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_from_before_there_were_groups_are_still_there() {
    both(|store| async move {
        let scope = scope(&store).await;
        let mut tx = store.begin().await.unwrap();
        let run = |sql: &'static str| sqlx::query(sql);
        let old = "create table event (merchant text not null, livemode bigint not null, \
             id text not null, sort bigint not null, type text not null, object text not null, \
             created bigint not null, body text not null, request text, idempotency_key text, \
             form bigint not null, noun text, basis bigint)";
        run(old).execute(tx.connection()).await.unwrap();
        type Row = (
            i64,
            &'static str,
            &'static str,
            Option<&'static str>,
            Option<i64>,
        );
        let rows: [Row; 4] = [
            (
                1_000_000,
                "{\"object\":{\"id\":\"1\"}}",
                "coupon.created",
                None,
                None,
            ),
            (
                1_000_001,
                "{\"object\":{\"id\":\"in\",\"status\":\"draft\"}}",
                "invoice.created",
                Some("invoice"),
                None,
            ),
            (
                1_000_002,
                "{\"changes\":{\"status\":\"open\"}}",
                "invoice.finalized",
                Some("invoice"),
                Some(1_000_001),
            ),
            (
                1_000_063,
                "",
                "invoice.sent",
                Some("invoice"),
                Some(1_000_001),
            ),
        ];
        for (sort, body, kind, noun, basis) in rows {
            let sql = "insert into event values ($1, 0, $2, $3, $4, 'in', 1, $5, 'req_1', \
                       'a\"b\\c', 0, $6, $7)";
            sqlx::query(sql)
                .bind(scope.merchant.to_string())
                .bind(EventId::from_random(u128::from(sort.cast_unsigned())).to_string())
                .bind(sort)
                .bind(kind)
                .bind(body)
                .bind(noun)
                .bind(basis)
                .execute(tx.connection())
                .await
                .unwrap();
        }
        let migration = include_str!("../../../migrations/0560_event_groups.sql");
        let (_, moves) = migration.split_once("insert into event_former").unwrap();
        for statement in format!("insert into event_former{moves}").split(";\n") {
            let statement = sqlx::AssertSqlSafe(statement.to_owned());
            sqlx::query(statement)
                .execute(tx.connection())
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        let found = whole(&store, &scope, &ALL, 3).await;
        let told: Vec<(String, String)> = found
            .iter()
            .rev()
            .map(|own| {
                let cause = own.cause.as_ref().unwrap();
                assert_eq!(cause.idempotency_key.as_deref(), Some("a\"b\\c"));
                let status = match &own.data {
                    Data::Shown(data) => data.clone(),
                    Data::Kept(kept) => kept.snapshot().unwrap().object["status"].to_string(),
                };
                (own.kind.clone(), status)
            })
            .collect();
        let expected = [
            ("coupon.created", "{\"object\":{\"id\":\"1\"}}"),
            ("invoice.created", "\"draft\""),
            ("invoice.finalized", "\"open\""),
            ("invoice.sent", "\"draft\""),
        ];
        let expected = expected.map(|(kind, status)| (kind.to_owned(), status.to_owned()));
        assert_eq!(told, expected);
        let mut read = store.read().await.unwrap();
        for event in &found {
            let loaded = load(&mut read, &scope, event.id.as_str()).await.unwrap();
            assert_eq!(loaded.as_ref(), Some(event));
        }
    })
    .await;
}
