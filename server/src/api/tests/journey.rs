//! From a card to a subscription, its invoices and the portal.

use serde_json::{Value, json};

use super::office::offices;

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_subscribes_is_charged_and_leaves() {
    offices(|office| async move {
        let customer = office.payer("pm_card_visa").await;
        let price = office.price(1_000).await;
        let body = format!(
            "customer={customer}&items[0][price]={price}&items[0][quantity]=3&metadata[a]=b"
        );
        let made = office.post("/v1/subscriptions", &body).await;
        assert_eq!(made.text("status"), "active");
        assert_eq!(made.at("items.data.0.quantity"), 3);
        assert_eq!(made.at("metadata"), &json!({"a": "b"}));
        let invoice = office
            .get(&format!("/v1/invoices/{}", made.text("latest_invoice")))
            .await;
        assert_eq!(
            (invoice.text("status"), invoice.at("amount_paid")),
            ("paid", &json!(3_000))
        );
        assert_eq!(
            invoice.text("parent.subscription_details.subscription"),
            made.id()
        );
        assert_eq!(
            invoice.text("lines.data.0.pricing.price_details.price"),
            price
        );
        let lines = office
            .get(&format!("/v1/invoices/{}/lines", invoice.id()))
            .await;
        assert_eq!(lines.at("data"), invoice.at("lines.data"));
        let items = office
            .get(&format!(
                "/v1/subscription_items?subscription={}",
                made.id()
            ))
            .await;
        assert_eq!(items.at("data"), made.at("items.data"));
        for (query, count) in [
            (format!("invoices?customer={customer}"), 1),
            (
                format!("invoices?subscription={}&status=paid", made.id()),
                1,
            ),
            ("invoices?status=open".to_owned(), 0),
            (
                format!("subscriptions?customer={customer}&status=active"),
                1,
            ),
            ("subscriptions?status=canceled".to_owned(), 0),
            (format!("payment_methods?customer={customer}&type=card"), 1),
            (format!("customers/{customer}/payment_methods"), 1),
        ] {
            let reply = office.get(&format!("/v1/{query}")).await;
            assert_eq!(
                reply.at("data").as_array().map(Vec::len),
                Some(count),
                "{query}: {}",
                reply.json
            );
        }
        let path = format!("/v1/subscriptions/{}", made.id());
        let ended = office
            .delete(&format!("{path}?cancellation_details[feedback]=unused"))
            .await;
        assert_eq!(
            (
                ended.text("status"),
                ended.text("cancellation_details.feedback")
            ),
            ("canceled", "unused")
        );
        office
            .delete(&path)
            .await
            .refused(404, "resource_missing", "id");
        for (status, count) in [("", 0), ("?status=all", 1), ("?status=ended", 1)] {
            let reply = office.get(&format!("/v1/subscriptions{status}")).await;
            assert_eq!(
                reply.at("data").as_array().map(Vec::len),
                Some(count),
                "{status}"
            );
        }
        let reply = office
            .post(&format!("/v1/invoices/{}/pay", invoice.id()), "")
            .await;
        assert_eq!(reply.status, 400);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_are_made_attached_and_declined() {
    offices(|office| async move {
        let body = "type=card&card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2030\
                    &card[cvc]=123&billing_details[name]=Ada&metadata[k]=v";
        let method = office.post("/v1/payment_methods", body).await;
        assert_eq!(
            (method.text("card.brand"), method.text("card.last4")),
            ("visa", "4242")
        );
        assert_eq!(method.at("metadata"), &json!({"k": "v"}));
        assert!(
            !method.json.to_string().contains("424242424242"),
            "no card number comes back"
        );
        for (card, status, param) in [
            (
                "card[number]=4242424242424241&card[exp_month]=1&card[exp_year]=2030",
                402,
                "card[number]",
            ),
            (
                "card[number]=4242424242424242&card[exp_month]=13&card[exp_year]=2030",
                402,
                "card[exp_month]",
            ),
            (
                "card[number]=4242424242424242&card[exp_month]=1&card[exp_year]=2020",
                402,
                "card[exp_year]",
            ),
            (
                "card[number]=4242424242424242&card[exp_year]=2030",
                400,
                "card[exp_month]",
            ),
        ] {
            let reply = office
                .post("/v1/payment_methods", &format!("type=card&{card}"))
                .await;
            assert_eq!(
                (reply.status, reply.text("error.param")),
                (status, param),
                "{}",
                reply.json
            );
        }
        let customer = office.customer().await;
        let path = format!("/v1/payment_methods/{}", method.id());
        let attached = office
            .post(&format!("{path}/attach"), &format!("customer={customer}"))
            .await;
        assert_eq!(attached.text("customer"), customer);
        let changed = office
            .post(&path, "billing_details[name]=Eve&metadata=")
            .await;
        assert_eq!(changed.text("billing_details.name"), "Eve");
        assert_eq!(changed.at("metadata"), &json!({}));
        let detached = office.post(&format!("{path}/detach"), "").await;
        assert_eq!(detached.at("customer"), &Value::Null);
        let price = office.price(1_000).await;
        let body = format!("customer={customer}&items[0][price]={price}");
        let reply = office.post("/v1/subscriptions", &body).await;
        assert_eq!(
            (reply.status, reply.text("error.code")),
            (400, "resource_missing")
        );
        let failing = office.payer("pm_card_chargeCustomerFail").await;
        let body = format!("customer={failing}&items[0][price]={price}");
        let made = office.post("/v1/subscriptions", &body).await;
        assert_eq!(made.text("status"), "incomplete");
        let path = format!("/v1/invoices/{}", made.text("latest_invoice"));
        let declined = office.post(&format!("{path}/pay"), "").await;
        declined.refused(402, "card_declined", "");
        let paid = office
            .post(&format!("{path}/pay"), "payment_method=pm_card_visa")
            .await;
        assert!(
            paid.status == 400 || paid.text("status") == "paid",
            "{}",
            paid.json
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setup_intent_is_confirmed_or_given_up() {
    offices(|office| async move {
        let customer = office.customer().await;
        let body = format!(
            "customer={customer}&payment_method=pm_card_visa&confirm=true&usage=off_session"
        );
        let done = office.post("/v1/setup_intents", &body).await;
        assert_eq!(done.text("status"), "succeeded");
        let open = office
            .post("/v1/setup_intents", &format!("customer={customer}"))
            .await;
        assert_eq!(open.text("status"), "requires_payment_method");
        let path = format!("/v1/setup_intents/{}", open.id());
        let asked = office
            .post(
                &format!("{path}/confirm"),
                "payment_method=pm_card_authenticationRequired",
            )
            .await;
        assert_eq!(asked.text("status"), "requires_action");
        let url = asked.text("next_action.redirect_to_url.url");
        assert!(url.starts_with("https://pay.example.com/"), "{url}");
        let gone = office.post(&format!("{path}/cancel"), "").await;
        assert_eq!(gone.text("status"), "canceled");
        assert_eq!(office.post(&format!("{path}/cancel"), "").await.status, 400);
        let list = office
            .get(&format!("/v1/setup_intents?customer={customer}"))
            .await;
        assert_eq!(list.at("data").as_array().map(Vec::len), Some(2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_session_has_a_link() {
    offices(|office| async move {
        let customer = office.customer().await;
        let body = format!(
            "customer={customer}&return_url=https://example.com/&locale=fr&flow_data[type]=payment_method_update"
        );
        let session = office.post("/v1/billing_portal/sessions", &body).await;
        assert!(session.text("url").starts_with("https://pay.example.com/p/"), "{}", session.json);
        assert_eq!(session.text("flow.type"), "payment_method_update");
        let url = "/v1/billing_portal/sessions";
        for (body, code, param) in [
            ("", "parameter_missing", "customer"),
            ("customer=cus_x", "resource_missing", "customer"),
        ] {
            office.post(url, body).await.refused(400, code, param);
        }
        for (rest, code, param) in [
            ("return_url=javascript:alert(1)", "url_invalid", "return_url"),
            ("configuration=bpc_x", "resource_missing", "configuration"),
            ("flow_data[type]=subscription_cancel", "parameter_missing", "flow_data[subscription_cancel]"),
        ] {
            let body = format!("customer={customer}&{rest}");
            office.post(url, &body).await.refused(400, code, param);
        }
    })
    .await;
}
