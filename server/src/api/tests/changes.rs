//! Updates of subscriptions, and previews that bind.

use serde_json::{Value, json};

use super::office::{Office, Reply, offices};

/// A paying customer's subscription to a price of 10.00, half a month old.
async fn subscribed(office: &Office) -> (Reply, String) {
    let customer = office.payer("pm_card_visa").await;
    let price = office.price(1_000).await;
    let body = format!("customer={customer}&items[0][price]={price}");
    let made = office.post("/v1/subscriptions", &body).await;
    let later = office.engine.now().add_days(14).unwrap();
    office.clock.advance_to(later);
    (made, customer)
}

/// The amounts of an invoice's lines.
fn amounts(invoice: &Reply) -> Vec<i64> {
    let lines = invoice.at("lines.data").as_array().unwrap().iter();
    lines.map(|line| line["amount"].as_i64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_is_the_invoice_that_follows() {
    offices(|office| async move {
        let (made, _) = subscribed(&office).await;
        let item = made.text("items.data.0.id");
        let price = office.price(2_500).await;
        let change = |under: &str| {
            let name = |name: &str| match under {
                "" => name.to_owned(),
                under => match name.find('[') {
                    Some(at) => format!("{under}[{}]{}", &name[..at], &name[at..]),
                    None => format!("{under}[{name}]"),
                },
            };
            format!(
                "{}={item}&{}={price}&{}=3&{}=always_invoice",
                name("items[0][id]"),
                name("items[0][price]"),
                name("items[0][quantity]"),
                name("proration_behavior"),
            )
        };
        let body = format!(
            "subscription={}&{}",
            made.id(),
            change("subscription_details")
        );
        let preview = office.post("/v1/invoices/create_preview", &body).await;
        assert_eq!(
            (preview.status, preview.text("status")),
            (200, "draft"),
            "{}",
            preview.json
        );
        assert!(preview.at("amount_due").as_i64() > Some(0));
        let gone = office.get(&format!("/v1/invoices/{}", preview.id())).await;
        assert_eq!(gone.status, 404, "nothing was saved");
        let path = format!("/v1/subscriptions/{}", made.id());
        let body = format!("{}&expand[]=latest_invoice", change(""));
        let changed = office.post(&path, &body).await;
        assert_eq!(changed.at("items.data.0.quantity"), 3, "{}", changed.json);
        let invoice = changed.text("latest_invoice.id").to_owned();
        assert_ne!(invoice, made.text("latest_invoice"));
        let invoice = office.get(&format!("/v1/invoices/{invoice}")).await;
        assert_eq!(amounts(&invoice), amounts(&preview));
        for field in [
            "subtotal",
            "total",
            "amount_due",
            "starting_balance",
            "billing_reason",
        ] {
            assert_eq!(invoice.at(field), preview.at(field), "{field}");
        }
        assert_eq!(invoice.text("status"), "paid");
        let next = format!("subscription={}", made.id());
        let next = office.post("/v1/invoices/create_preview", &next).await;
        assert_eq!(
            (next.at("total"), next.text("billing_reason")),
            (&json!(7_500), "upcoming")
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prorations_wait_for_the_next_invoice_unless_told_otherwise() {
    offices(|office| async move {
        let (made, customer) = subscribed(&office).await;
        let item = made.text("items.data.0.id");
        let path = format!("/v1/subscriptions/{}", made.id());
        let body = format!("items[0][id]={item}&items[0][quantity]=2");
        let under = format!(
            "subscription={}&subscription_details[items][0][id]={item}\
             &subscription_details[items][0][quantity]=2",
            made.id()
        );
        let preview = office.post("/v1/invoices/create_preview", &under).await;
        let changed = office.post(&path, &body).await;
        assert_eq!(changed.text("latest_invoice"), made.text("latest_invoice"));
        let next = format!("subscription={}", made.id());
        let next = office.post("/v1/invoices/create_preview", &next).await;
        assert_eq!(amounts(&next), amounts(&preview));
        assert_eq!(next.at("total"), preview.at("total"));
        assert_eq!(amounts(&next).len(), 3, "credit, debit and the period");
        let price = office.price(700).await;
        let new = format!("customer={customer}&subscription_details[items][0][price]={price}");
        let first = office.post("/v1/invoices/create_preview", &new).await;
        assert_eq!(first.at("lines.data.0.amount"), 700, "{}", first.json);
        office.delete(&path).await.id();
        let none = office
            .post(
                "/v1/invoices/create_preview",
                &format!("subscription={}", made.id()),
            )
            .await;
        none.refused(404, "invoice_upcoming_none", "");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_and_endings_change_and_change_back() {
    offices(|office| async move {
        let (made, _) = subscribed(&office).await;
        let path = format!("/v1/subscriptions/{}", made.id());
        let set = office
            .post(
                &path,
                "metadata[a]=b&description=Main&cancel_at_period_end=true",
            )
            .await;
        assert_eq!(set.at("metadata"), &json!({"a": "b"}));
        let ends = set.at("cancel_at_period_end") == true || !set.at("cancel_at").is_null();
        assert!(ends, "{}", set.json);
        let back = office
            .post(&path, "metadata=&description=&cancel_at_period_end=false")
            .await;
        assert_eq!(back.at("metadata"), &json!({}));
        assert_eq!(
            (back.at("description"), back.at("cancel_at")),
            (&Value::Null, &Value::Null)
        );
        let paused = office.post(&path, "pause_collection[behavior]=void").await;
        assert_eq!(paused.text("pause_collection.behavior"), "void");
        let on = office.post(&path, "pause_collection=").await;
        assert_eq!(on.at("pause_collection"), &Value::Null);
        for (body, code, param) in [
            (
                "items[0][price]=price_x",
                "resource_missing",
                "items[0][price]",
            ),
            (
                "items[0][id]=si_x&items[0][quantity]=2",
                "resource_missing",
                "items[0][id]",
            ),
            (
                "items[0][quantity]=-1",
                "parameter_invalid_integer",
                "items[0][quantity]",
            ),
            ("proration_behavior=sometimes", "", "proration_behavior"),
            ("payment_behavior=whenever_it_suits", "", "payment_behavior"),
            (
                "trial_end=tomorrow",
                "parameter_invalid_integer",
                "trial_end",
            ),
            (
                "default_tax_rates[0]=txr_x",
                "resource_missing",
                "default_tax_rates",
            ),
            ("coupon=x", "parameter_unknown", "coupon"),
        ] {
            office.post(&path, body).await.refused(400, code, param);
        }
        let after = office.get(&path).await;
        assert_eq!(after.json, on.json, "refusals changed nothing");
    })
    .await;
}
