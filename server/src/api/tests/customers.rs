//! Customers: fields, lists, tax ids, balance.

use serde_json::{Value, json};

use super::office::{Office, offices};

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_made_changed_and_deleted() {
    offices(|office| async move {
        let body = "name=Ada&email=ada@example.com&address[line1]=1+High+St&address[country]=gb\
                    &metadata[plan]=a&metadata[seat]=1&preferred_locales[0]=fr\
                    &tax_id_data[0][type]=eu_vat&tax_id_data[0][value]=de+123.456.789";
        let made = office.post("/v1/customers", body).await;
        assert_eq!(made.text("address.country"), "GB");
        assert_eq!(made.at("livemode"), false);
        assert_eq!(made.at("tax_ids"), &Value::Null, "only on expand");
        assert_eq!(made.text("invoice_prefix").len(), 8);
        let path = format!("/v1/customers/{}", made.id());
        let changed = office
            .post(
                &path,
                "name=&email=b@example.com&metadata[seat]=&metadata[x]=y&shipping=",
            )
            .await;
        assert_eq!(changed.at("name"), &Value::Null);
        assert_eq!(changed.at("metadata"), &json!({"plan": "a", "x": "y"}));
        let event = office.get("/v1/events?type=customer.updated").await;
        assert_eq!(
            event.at("data.0.data.previous_attributes"),
            &json!({"email": "ada@example.com", "name": "Ada",
                "metadata": {"seat": "1", "x": null}}),
        );
        let same = office.post(&path, "email=b@example.com").await;
        assert_eq!(same.json, changed.json);
        assert_eq!(
            office.events(3).await,
            ["customer.updated", "customer.created"]
        );
        let gone = office.delete(&path).await;
        assert_eq!(
            gone.json,
            json!({"id": made.id(), "object": "customer", "deleted": true})
        );
        assert_eq!(office.get(&path).await.at("deleted"), true);
        office
            .delete(&path)
            .await
            .refused(404, "resource_missing", "id");
        office
            .post(&path, "name=X")
            .await
            .refused(404, "resource_missing", "id");
        assert_eq!(office.get("/v1/customers").await.at("data"), &json!([]));
    })
    .await;
}

async fn names(office: &Office, query: &str) -> (String, bool) {
    let reply = office.get(&format!("/v1/customers?{query}")).await;
    assert_eq!(reply.text("url"), "/v1/customers");
    assert_eq!(reply.text("object"), "list");
    let data = reply.at("data").as_array().unwrap().iter();
    let names = data.map(|c| c["name"].as_str().unwrap());
    (names.collect(), reply.at("has_more") == true)
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_page_both_ways_newest_first() {
    offices(|office| async move {
        let mut ids = Vec::new();
        for name in ["A", "B", "C", "D", "E"] {
            let email = if name < "C" { "old" } else { "new" };
            let body = format!("name={name}&email={email}@example.com");
            ids.push(office.post("/v1/customers", &body).await.id());
            let later = office.engine.now().add_seconds(60).unwrap();
            office.clock.advance_to(later);
        }
        let start = super::office::START.0;
        for (query, want) in [
            (String::new(), ("EDCBA", false)),
            ("limit=2".to_owned(), ("ED", true)),
            (format!("limit=2&starting_after={}", ids[3]), ("CB", true)),
            (format!("limit=2&starting_after={}", ids[2]), ("BA", false)),
            (format!("limit=2&ending_before={}", ids[1]), ("DC", true)),
            (format!("limit=5&ending_before={}", ids[1]), ("EDC", false)),
            ("email=old@example.com".to_owned(), ("BA", false)),
            (format!("created[gte]={}", start + 120), ("EDC", false)),
            (
                format!("created[gt]={}&created[lt]={}", start, start + 180),
                ("CB", false),
            ),
            (format!("created={}", start + 60), ("B", false)),
        ] {
            let (names, more) = names(&office, &query).await;
            assert_eq!((names.as_str(), more), want, "{query}");
        }
        for (query, param) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=x", "limit"),
        ] {
            let reply = office.get(&format!("/v1/customers?{query}")).await;
            reply.refused(400, "parameter_invalid_integer", param);
        }
        let query = format!("starting_after={}&ending_before={}", ids[0], ids[1]);
        let reply = office.get(&format!("/v1/customers?{query}")).await;
        reply.refused(400, "", "ending_before");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tax_ids_and_balances_hang_on_a_customer() {
    offices(|office| async move {
        let customer = office.customer().await;
        let path = format!("/v1/customers/{customer}/tax_ids");
        let made = office.post(&path, "type=us_ein&value=123456789").await;
        assert_eq!(made.text("value"), "12-3456789");
        office
            .post(&path, "type=us_ein&value=12-3456789")
            .await
            .refused(400, "tax_id_invalid", "value");
        office
            .post(&path, "type=xx&value=1")
            .await
            .refused(400, "tax_id_invalid", "type");
        let one = format!("{path}/{}", made.id());
        assert_eq!(office.get(&one).await.json, made.json);
        let alone = format!("/v1/tax_ids/{}", made.id());
        assert_eq!(office.get(&alone).await.json, made.json);
        assert_eq!(office.get(&path).await.at("data.0.id"), &made.json["id"]);
        let whole = office
            .get(&format!("/v1/customers/{customer}?expand[]=tax_ids"))
            .await;
        assert_eq!(whole.at("tax_ids.data.0"), &made.json);
        assert_eq!(office.delete(&alone).await.at("deleted"), true);
        office
            .get(&alone)
            .await
            .refused(404, "resource_missing", "id");
        office
            .delete(&alone)
            .await
            .refused(404, "resource_missing", "id");
        office
            .get(&one)
            .await
            .refused(404, "resource_missing", "id");
        let path = format!("/v1/customers/{customer}/balance_transactions");
        let entry = office
            .post(&path, "amount=-500&currency=eur&description=Sorry")
            .await;
        assert_eq!(entry.at("ending_balance"), -500);
        office
            .post(&path, "amount=1&currency=usd")
            .await
            .refused(400, "", "currency");
        office
            .post(&path, "amount=0&currency=eur")
            .await
            .refused(400, "", "amount");
        office
            .post(&path, "currency=eur")
            .await
            .refused(400, "parameter_missing", "amount");
        let owner = office.get(&format!("/v1/customers/{customer}")).await;
        assert_eq!(
            (owner.at("balance"), owner.text("currency")),
            (&json!(-500), "eur")
        );
        assert_eq!(office.get(&path).await.at("data.0"), &entry.json);
        let one = format!("{path}/{}", entry.id());
        assert_eq!(office.get(&one).await.json, entry.json);
    })
    .await;
}
