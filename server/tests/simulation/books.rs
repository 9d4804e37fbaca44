//! What must hold after every step, and what a world looks like in the end.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::bank::Bank;
use crate::life::Inside;

/// The audit finds nothing, what the bank took is what was paid and what it gave back was refunded, nobody
/// paid twice, numbers have no gaps.
pub async fn hold(inside: &Inside, bank: &Bank, moment: &str) {
    inside
        .engine
        .audit_all(|audit| assert!(audit.holds(), "{moment}: {:?}", audit.exceptions))
        .await
        .unwrap();
    let invoices = inside.all("/v1/invoices?").await;
    let taken = bank.taken();
    let mut numbers: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for invoice in &invoices {
        let id = invoice["id"].as_str().unwrap_or_default();
        let by_bank: i64 = taken.get(id).map_or(0, |amounts| amounts.iter().sum());
        let paid = invoice["amount_paid"].as_i64().unwrap_or(0);
        assert_eq!(by_bank, paid, "{moment}: taken and paid differ: {invoice}");
        let due = invoice["amount_due"].as_i64().unwrap_or(0);
        assert!(paid <= due, "{moment}: paid too much: {invoice}");
        if let Some((prefix, number)) = invoice["number"].as_str().and_then(|n| n.rsplit_once('-'))
        {
            let of = numbers.entry(prefix.to_owned()).or_default();
            of.push(number.parse().unwrap_or(0));
        }
    }
    let refunds = inside.all("/v1/refunds?").await;
    let given = refunds.iter().filter(|own| own["status"] == "succeeded");
    let given: i64 = given.filter_map(|own| own["amount"].as_i64()).sum();
    assert_eq!(
        bank.given_back(),
        given,
        "{moment}: what the bank gave back and our refunds differ"
    );
    for (prefix, mut found) in numbers {
        found.sort_unstable();
        let wanted: Vec<u32> = (1..=u32::try_from(found.len()).unwrap_or(0)).collect();
        assert_eq!(found, wanted, "{moment}: the numbers of {prefix} have gaps");
    }
}

/// Everything there is, without what only chance decides: ids and secrets.
pub async fn picture(inside: &Inside) -> Vec<String> {
    let mut picture = Vec::new();
    for path in [
        "/v1/customers?",
        "/v1/subscriptions?status=all&",
        "/v1/invoices?",
        "/v1/credit_notes?",
        "/v1/refunds?",
        "/v1/promotion_codes?",
    ] {
        let mut shown: Vec<String> = Vec::new();
        for mut object in inside.all(path).await {
            forget(&mut object);
            shown.push(format!("{path} {object}"));
        }
        shown.sort();
        picture.extend(shown);
    }
    picture
}

/// Takes ids out: `sub_4f…` becomes `sub_`.
fn forget(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(start) = id_prefix(text) {
                *text = start;
            }
        }
        Value::Array(values) => {
            for value in values {
                forget(value);
            }
        }
        Value::Object(fields) => {
            // They are made of ids and secrets.
            for address in ["hosted_invoice_url", "invoice_pdf", "pdf"] {
                fields.remove(address);
            }
            for value in fields.values_mut() {
                forget(value);
            }
        }
        _ => {}
    }
}

fn id_prefix(text: &str) -> Option<String> {
    if let Some(rest) = text.strip_prefix("/v1/") {
        let parts = rest
            .split('/')
            .map(|part| id_prefix(part).unwrap_or_else(|| part.to_owned()));
        return Some(parts.collect::<Vec<_>>().join("/"));
    }
    let (prefix, random) = text.rsplit_once('_')?;
    let random = random.split_once("_secret").map_or(random, |(id, _)| id);
    let long = random.len() >= 20 && random.chars().all(|c| c.is_ascii_alphanumeric());
    long.then(|| format!("{prefix}_"))
}
