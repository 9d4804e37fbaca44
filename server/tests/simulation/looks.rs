//! What was seen of a world, so that only what is new has to be looked at: two years leave many invoices
//! and events behind.

use std::collections::{BTreeMap, BTreeSet};

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
    /// Newest first, but for those that came late.
    pub events: Vec<Value>,
    /// The ids of these.
    heard: BTreeSet<String>,
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

    /// Reads from the newest event back to where it has been before. What two processes told at one moment
    /// may have been kept the other way round, so one page of known ones does not say that all are known.
    async fn hear(&mut self, inside: &Inside) {
        let kinds = KINDS.map(|kind| format!("types[]={kind}&")).concat();
        let (mut new, mut after, mut known_pages) = (Vec::new(), String::new(), 0);
        loop {
            let path = format!("/v1/events?{kinds}{after}limit=100");
            let (status, page) = inside.call("GET", &path, "").await;
            assert_eq!(status, 200, "{path}: {page}");
            let rows = page["data"].as_array().cloned().unwrap_or_default();
            let last = rows.last().and_then(|event| event["id"].as_str());
            after = last.map_or(String::new(), |id| format!("starting_after={id}&"));
            let before = new.len();
            for event in rows {
                if self.heard.insert(event["id"].to_string()) {
                    new.push(event);
                }
            }
            known_pages = if new.len() == before {
                known_pages + 1
            } else {
                0
            };
            if page["has_more"] != true || known_pages == 2 {
                break;
            }
        }
        new.append(&mut self.events);
        self.events = new;
    }
}
