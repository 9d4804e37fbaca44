//! Lists of subscriptions and invoices by each statement that serves them, in both directions.

use serde_json::Value;

use super::office::{Office, offices};

async fn ids(office: &Office, path: &str, query: &str) -> Vec<String> {
    let reply = office.get(&format!("{path}?{query}")).await;
    assert_eq!(reply.status, 200, "{query}: {}", reply.json);
    let rows = reply.at("data").as_array().cloned().unwrap_or_default();
    let id = |row: &Value| row["id"].as_str().unwrap_or_default().to_owned();
    rows.iter().map(id).collect()
}

/// Asks for a list whole, and for what lies before and after the middle of it.
async fn listed(office: &Office, path: &str, query: &str, expected: &[&String]) {
    let query = query.replace('[', "%5B").replace(']', "%5D");
    let found = ids(office, path, &query).await;
    let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "{path}?{query}");
    let Some(middle) = expected.get(expected.len() / 2) else {
        return;
    };
    let place = expected.len() / 2;
    let before = ids(office, path, &format!("{query}&ending_before={middle}")).await;
    assert_eq!(before, expected[..place], "{query} before {middle}");
    let after = ids(office, path, &format!("{query}&starting_after={middle}")).await;
    assert_eq!(after, expected[place + 1..], "{query} after {middle}");
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_and_invoices_are_found_by_each_of_their_statements() {
    offices(|office| async move {
        let price = |amount: u32, interval: &str| {
            format!("currency=usd&unit_amount={amount}&recurring[interval]={interval}&product_data[name]=P{amount}")
        };
        let monthly = office.post("/v1/prices", &price(1000, "month")).await.id();
        let yearly = office.post("/v1/prices", &price(9000, "year")).await.id();
        let ada = office.post("/v1/customers", "name=Ada").await.id();
        let bob = office.post("/v1/customers", "name=Bob").await.id();
        let mut made = Vec::new();
        for (customer, price) in [(&ada, &monthly), (&bob, &monthly), (&ada, &yearly), (&bob, &yearly)] {
            let form = format!(
                "customer={customer}&items[0][price]={price}&collection_method=send_invoice&days_until_due=7"
            );
            let one = office.post("/v1/subscriptions", &form).await;
            let end = one.at("items.data.0.current_period_end").as_i64().unwrap();
            let start = one.at("items.data.0.current_period_start").as_i64().unwrap();
            made.push((one.id(), one.text("latest_invoice").to_owned(), start, end));
        }
        let [(a, a_bill, start, month), (b, b_bill, ..), (c, c_bill, _, year), (d, d_bill, ..)] =
            made.as_slice()
        else {
            panic!("four were made");
        };
        let path = "/v1/subscriptions";
        for (query, expected) in [
            ("status=all".to_owned(), vec![d, c, b, a]),
            ("collection_method=send_invoice".to_owned(), vec![d, c, b, a]),
            ("collection_method=charge_automatically".to_owned(), vec![]),
            (format!("customer={ada}"), vec![c, a]),
            (format!("customer={ada}&price={yearly}"), vec![c]),
            (format!("price={monthly}"), vec![b, a]),
            (format!("price={monthly}&status=canceled"), vec![]),
            (format!("current_period_end={month}"), vec![b, a]),
            (format!("current_period_end[gt]={month}&current_period_end[lte]={year}"), vec![d, c]),
            (format!("current_period_start[gte]={start}"), vec![d, c, b, a]),
            (format!("current_period_start[lt]={start}"), vec![]),
            (format!("current_period_start={start}&price={yearly}"), vec![d, c]),
            ("test_clock=clock_none".to_owned(), vec![]),
            ("automatic_tax[enabled]=true".to_owned(), vec![]),
        ] {
            listed(&office, path, &query, &expected).await;
        }
        let path = "/v1/invoices";
        office.post(&format!("/v1/invoices/{a_bill}/finalize"), "").await.id();
        let due = office.get(&format!("/v1/invoices/{a_bill}")).await;
        let due = due.at("due_date").as_i64().unwrap();
        for (query, expected) in [
            ("limit=100".to_owned(), vec![d_bill, c_bill, b_bill, a_bill]),
            ("collection_method=send_invoice".to_owned(), vec![d_bill, c_bill, b_bill, a_bill]),
            ("collection_method=charge_automatically".to_owned(), vec![]),
            (format!("customer={bob}"), vec![d_bill, b_bill]),
            (format!("subscription={c}"), vec![c_bill]),
            (format!("subscription={c}&customer={bob}"), vec![]),
            ("status=open".to_owned(), vec![a_bill]),
            (format!("due_date[gte]={due}"), vec![d_bill, c_bill, b_bill, a_bill]),
            (format!("due_date[lt]={due}"), vec![]),
            (format!("due_date={due}&status=open"), vec![a_bill]),
        ] {
            listed(&office, path, &query, &expected).await;
        }
        // Another merchant finds nothing of it.
        let (other, _) = office.neighbour().await;
        listed(&other, "/v1/subscriptions", &format!("price={monthly}"), &[]).await;
        listed(&other, "/v1/invoices", &format!("due_date={due}"), &[]).await;
    })
    .await;
}
