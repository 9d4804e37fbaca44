//! What was seen of a world, so that only what is new has to be looked at: two years leave many invoices
//! and events behind.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::Row;

use crate::life::Inside;

/// The events that say who is delinquent.
const KINDS: [&str; 5] = [
    "invoice.finalized",
    "invoice.payment_failed",
    "invoice.overdue",
    "invoice.paid",
    "invoice.marked_uncollectible",
];

/// All invoices, and the events that matter.
#[derive(Default)]
pub struct Looks {
    /// By id, as the API shows them.
    pub invoices: BTreeMap<String, Value>,
    /// How often each has been saved, and what is credited and refunded beside it.
    seen: BTreeMap<String, i64>,
    /// Newest first.
    pub events: Vec<Value>,
}

impl Looks {
    /// Looks at what is new.
    pub async fn look(&mut self, inside: &Inside) {
        let rows = {
            let mut read = inside.engine.store.read().await.unwrap();
            let sql = "select id, revision from invoice";
            sqlx::query(sql).fetch_all(&mut *read).await.unwrap()
        };
        let mut seen = BTreeMap::new();
        for row in rows {
            let (id, revision): (String, i64) = (row.get("id"), row.get("revision"));
            if self.seen.get(&id) != Some(&revision) {
                let path = format!("/v1/invoices/{id}");
                let (status, invoice) = inside.call("GET", &path, "").await;
                assert_eq!(status, 200, "{path}: {invoice}");
                self.invoices.insert(id.clone(), invoice);
            }
            seen.insert(id, revision);
        }
        self.invoices.retain(|id, _| seen.contains_key(id));
        self.seen = seen;
        self.hear(inside).await;
    }

    async fn hear(&mut self, inside: &Inside) {
        let kinds = KINDS.map(|kind| format!("types[]={kind}&")).concat();
        let newest = self.events.first().and_then(|event| event["id"].as_str());
        let since = newest.map_or(String::new(), |id| format!("ending_before={id}&"));
        // Pages before a place come nearest first; each is newest first within.
        let mut place = since;
        loop {
            let path = format!("/v1/events?{kinds}{place}limit=100");
            let (status, page) = inside.call("GET", &path, "").await;
            assert_eq!(status, 200, "{path}: {page}");
            let mut rows = page["data"].as_array().cloned().unwrap_or_default();
            let more = page["has_more"] == true;
            let forth = place.starts_with("ending_before") && !self.events.is_empty();
            let edge = match forth {
                true => rows.first(),
                false => rows.last(),
            };
            let edge = edge
                .and_then(|event| event["id"].as_str())
                .unwrap_or_default();
            place = match forth {
                true => format!("ending_before={edge}&"),
                false => format!("starting_after={edge}&"),
            };
            match forth {
                true => {
                    rows.append(&mut self.events);
                    self.events = rows;
                }
                false => self.events.append(&mut rows),
            }
            if !more {
                return;
            }
        }
    }
}
