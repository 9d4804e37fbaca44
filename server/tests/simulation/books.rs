//! What must hold after every step, and what a world looks like in the end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::bank::Bank;
use crate::life::Inside;
use crate::looks::Looks;

/// How far the clock may have leapt back while little else happened, in seconds.
const BACK_MAX: i64 = 2 * 86_400;

/// The audit finds nothing, what the bank took is what was paid and what it gave back was refunded, nobody
/// paid twice, numbers have no gaps, and who is delinquent is what the events say.
pub async fn hold(inside: &Inside, bank: &Bank, looks: &Looks, moment: &str) {
    inside
        .engine
        .audit_all(|audit| assert!(audit.holds(), "{moment}: {:?}", audit.exceptions))
        .await
        .unwrap();
    let taken = bank.taken();
    let mut numbers: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for invoice in looks.invoices.values() {
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
    delinquent_by_events(inside, looks, moment).await;
}

/// A customer is delinquent by what came last of any invoice: a charge that failed, a due date that
/// passed, a payment, or the merchant's word that it won't be paid. Events are in no order within a second
/// of several lives of the process, nor where the clock leapt back: where those disagree, either will do.
async fn delinquent_by_events(inside: &Inside, looks: &Looks, moment: &str) {
    let mut says_when: BTreeMap<String, Vec<(i64, bool)>> = BTreeMap::new();
    let events = &looks.events;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let by = |event: &Value| {
        let invoice = text(&event["data"]["object"]["id"]);
        (invoice, text(&event["request"]["id"]))
    };
    let finalized = events
        .iter()
        .filter(|event| event["type"] == "invoice.finalized");
    let finalized: BTreeSet<(String, String)> = finalized.map(by).collect();
    for event in events {
        let invoice = &event["data"]["object"];
        let says = match event["type"].as_str().unwrap_or_default() {
            "invoice.finalized" => None,
            // One that was void when the bank answered concerns nobody.
            "invoice.payment_failed" => (invoice["status"] == "open").then_some(true),
            "invoice.overdue" => Some(true),
            // What comes to nothing is paid without anybody paying.
            "invoice.paid" => {
                let nothing =
                    invoice["amount_due"] == 0 && invoice["pre_payment_credit_notes_amount"] == 0;
                (!nothing).then_some(false)
            }
            // Only by hand: not as it is finalised while collection is paused, nor by the engine.
            _ => {
                let by = by(event);
                (!by.1.is_empty() && !finalized.contains(&by)).then_some(false)
            }
        };
        let Some(says) = says else { continue };
        let at = event["created"].as_i64().unwrap_or(0);
        let own = says_when.entry(text(&invoice["customer"])).or_default();
        own.push((at, says));
    }
    for customer in inside.all("/v1/customers?").await {
        let id = customer["id"].as_str().unwrap_or_default();
        let is = customer["delinquent"] == true;
        let known = says_when.get(id).cloned().unwrap_or_default();
        let newest = known.iter().map(|(at, _)| *at).max().unwrap_or(0);
        let mut last = known.iter().filter(|(at, _)| *at >= newest - BACK_MAX);
        assert!(
            (known.is_empty() && !is) || last.any(|(_, says)| *says == is),
            "{moment}: the events say otherwise: {customer}"
        );
    }
}

/// Everything there is, without what only chance decides: ids and secrets, and which of the invoices that
/// are finalised at one moment comes first. A lost answer is heard later, so what came last may differ too:
/// who is delinquent by it is for [`hold`] to look at.
pub async fn picture(inside: &Inside, looks: &Looks) -> Vec<String> {
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
        let mut objects = match path {
            "/v1/invoices?" => looks.invoices.values().cloned().collect(),
            path => inside.all(path).await,
        };
        even_out(&mut objects);
        for mut object in objects {
            forget(&mut object);
            shown.push(format!("{path} {object}"));
        }
        shown.sort();
        picture.extend(shown);
    }
    picture
}

/// Takes out what the order within one moment decides.
fn even_out(objects: &mut [Value]) {
    let moment = |invoice: &Value| {
        let number = invoice["number"].as_str()?;
        let (prefix, number) = number.rsplit_once('-')?;
        let at = invoice["status_transitions"]["finalized_at"].as_i64()?;
        Some(((prefix.to_owned(), at), number.to_owned()))
    };
    let mut first: BTreeMap<(String, i64), String> = BTreeMap::new();
    for (at, number) in objects.iter().filter_map(moment) {
        let known = first.entry(at).or_insert_with(|| number.clone());
        if number < *known {
            *known = number;
        }
    }
    for object in objects {
        if let Some(fields) = object.as_object_mut() {
            fields.remove("delinquent");
        }
        if let Some((at, _)) = moment(object)
            && let Some(number) = first.get(&at)
        {
            object["number"] = Value::String(format!("{} from {number}", at.0));
        }
    }
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
