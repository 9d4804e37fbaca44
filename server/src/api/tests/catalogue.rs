//! Products, prices, coupons, tax rates, portal configurations.

use serde_json::{Value, json};

use super::office::offices;

#[tokio::test(flavor = "multi_thread")]
async fn products_and_prices_are_made_together_and_apart() {
    offices(|office| async move {
        let body = "name=Pro&marketing_features[0][name]=Fast&default_price_data[currency]=eur\
                    &default_price_data[unit_amount]=900&default_price_data[recurring][interval]=month\
                    &expand[]=default_price";
        let product = office.post("/v1/products", body).await;
        assert_eq!(product.at("default_price.unit_amount"), 900);
        assert_eq!(product.text("default_price.unit_amount_decimal"), "900");
        assert_eq!(product.at("marketing_features"), &json!([{"name": "Fast"}]));
        assert_eq!(office.events(5).await, ["price.created", "product.created"]);
        let id = product.id();
        let body = format!("currency=usd&product={id}&unit_amount_decimal=0.5&lookup_key=k");
        let price = office.post("/v1/prices", &body).await;
        assert_eq!(price.at("unit_amount"), &Value::Null);
        assert_eq!((price.text("unit_amount_decimal"), price.text("type")), ("0.5", "one_time"));
        let body = format!("currency=usd&product={id}&unit_amount=1&lookup_key=k");
        let taken = office.post("/v1/prices", &body).await;
        taken.refused(400, "resource_already_exists", "lookup_key");
        let body = format!("{body}&transfer_lookup_key=true");
        let taker = office.post("/v1/prices", &body).await;
        let found = office.get("/v1/prices?lookup_keys[]=k&lookup_keys[]=other").await;
        assert_eq!(found.at("data"), &json!([taker.json]));
        let before = office.get(&format!("/v1/prices/{}", price.id())).await;
        assert_eq!(before.at("lookup_key"), &Value::Null);
        let list = office.get(&format!("/v1/prices?product={id}&currency=usd")).await;
        assert_eq!(list.at("data").as_array().map(Vec::len), Some(2));
        let renamed = office.post(&format!("/v1/products/{id}"), "name=Plus&description=").await;
        assert_eq!(renamed.text("name"), "Plus");
        let path = format!("/v1/products/{id}");
        office.delete(&path).await.refused(400, "", "");
        let bare = office.post("/v1/products", "name=Bare").await.id();
        let path = format!("/v1/products/{bare}");
        assert_eq!(office.delete(&path).await.at("deleted"), true);
        office.get(&path).await.refused(404, "resource_missing", "id");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn price_models_are_read_and_their_faults_are_named() {
    offices(|office| async move {
        let product = office.post("/v1/products", "name=Pro").await.id();
        let tiers = "billing_scheme=tiered&tiers_mode=graduated&tiers[0][up_to]=10\
                     &tiers[0][unit_amount]=700&tiers[1][up_to]=inf&tiers[1][flat_amount_decimal]=1.5";
        let body = format!("currency=usd&product={product}&{tiers}&expand[]=tiers");
        let price = office.post("/v1/prices", &body).await;
        assert_eq!(price.at("tiers.0.up_to"), 10);
        assert_eq!(price.at("tiers.1.up_to"), &Value::Null);
        assert_eq!(price.text("tiers.1.flat_amount_decimal"), "1.5");
        let folded = office.get(&format!("/v1/prices/{}", price.id())).await;
        assert_eq!(folded.at("tiers"), &Value::Null);
        for (rest, code, param) in [
            ("", "parameter_missing", "unit_amount"),
            ("unit_amount=-1", "parameter_invalid_integer", "unit_amount"),
            ("unit_amount=1&unit_amount_decimal=1.5", "", "unit_amount_decimal"),
            ("unit_amount_decimal=-0.5", "", "unit_amount"),
            ("unit_amount=99999999999999999999", "parameter_invalid_integer", "unit_amount"),
            ("unit_amount=1&tiers_mode=volume", "", "tiers_mode"),
            ("billing_scheme=tiered&tiers_mode=volume", "parameter_missing", "tiers"),
            ("billing_scheme=tiered&tiers_mode=volume&tiers[0][up_to]=5&tiers[0][unit_amount]=1", "", "tiers"),
            ("unit_amount=1&recurring[interval]=fortnight", "", "recurring[interval]"),
            ("unit_amount=1&recurring[interval]=year&recurring[interval_count]=4", "", "recurring[interval_count]"),
            ("unit_amount=1&transform_quantity[divide_by]=0&transform_quantity[round]=up", "", "transform_quantity[divide_by]"),
            ("unit_amount=1&custom_unit_amount[enabled]=true", "parameter_unknown", "custom_unit_amount"),
        ] {
            let body = format!("currency=usd&product={product}&{rest}");
            office.post("/v1/prices", &body).await.refused(400, code, param);
        }
        let body = format!("currency=xxx&product={product}&unit_amount=1");
        office.post("/v1/prices", &body).await.refused(400, "", "currency");
        let reply = office.post("/v1/prices", "currency=usd&unit_amount=1&product=prod_x").await;
        reply.refused(400, "resource_missing", "product");
        let reply = office.post("/v1/prices", "currency=usd&unit_amount=1").await;
        reply.refused(400, "parameter_missing", "product");
        let body = "name=X&default_price_data[currency]=usd&default_price_data[unit_amount_decimal]=-1";
        let reply = office.post("/v1/products", body).await;
        reply.refused(400, "", "default_price_data[unit_amount]");
        let list = office.get("/v1/products").await;
        assert_eq!(list.at("data").as_array().map(Vec::len), Some(1), "nothing was made");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coupons_and_tax_rates_keep_their_terms() {
    offices(|office| async move {
        let coupon = office
            .post(
                "/v1/coupons",
                "id=SUMMER-26&percent_off=12.5&duration=repeating&duration_in_months=3",
            )
            .await;
        assert_eq!(coupon.at("percent_off"), 12.5);
        assert_eq!(coupon.at("valid"), true);
        let again = office
            .post("/v1/coupons", "id=SUMMER-26&percent_off=1")
            .await;
        again.refused(400, "resource_already_exists", "id");
        for (body, code, param) in [
            ("percent_off=0", "", "percent_off"),
            ("percent_off=101", "", "percent_off"),
            ("amount_off=100", "parameter_missing", "currency"),
            ("", "parameter_missing", "percent_off"),
            (
                "percent_off=5&duration=repeating",
                "parameter_missing",
                "duration_in_months",
            ),
            ("percent_off=5&redeem_by=1000", "", "redeem_by"),
            (
                "percent_off=5&applies_to[products][0]=prod_x",
                "resource_missing",
                "applies_to[products][0]",
            ),
        ] {
            office
                .post("/v1/coupons", body)
                .await
                .refused(400, code, param);
        }
        let path = "/v1/coupons/SUMMER-26";
        assert_eq!(
            office.post(path, "name=Summer").await.text("name"),
            "Summer"
        );
        office
            .post(path, "percent_off=50")
            .await
            .refused(400, "parameter_unknown", "percent_off");
        assert_eq!(office.delete(path).await.at("deleted"), true);
        office
            .get(path)
            .await
            .refused(404, "resource_missing", "id");
        let rate = office
            .post(
                "/v1/tax_rates",
                "display_name=VAT&percentage=8.875&inclusive=false&country=US",
            )
            .await;
        assert_eq!(rate.at("percentage"), 8.875);
        let path = format!("/v1/tax_rates/{}", rate.id());
        assert_eq!(office.post(&path, "active=false").await.at("active"), false);
        office
            .post(&path, "percentage=5")
            .await
            .refused(400, "parameter_unknown", "percentage");
        let bad = office
            .post(
                "/v1/tax_rates",
                "display_name=V&percentage=1.23456&inclusive=true",
            )
            .await;
        bad.refused(400, "", "percentage");
        let list = office.get("/v1/tax_rates?active=true").await;
        assert_eq!(list.at("data"), &json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn portal_configurations_start_with_a_default() {
    offices(|office| async move {
        let url = "/v1/billing_portal/configurations";
        let list = office.get(url).await;
        assert_eq!(list.at("data.0.is_default"), true);
        assert_eq!(list.text("data.0.features.subscription_cancel.mode"), "at_period_end");
        let default = format!("{url}/{}", list.text("data.0.id"));
        office.post(&default, "active=false").await.refused(400, "", "active");
        office.post(url, "").await.refused(400, "parameter_missing", "features");
        let price = office.price(1_000).await;
        let product = office.get(&format!("/v1/prices/{price}")).await;
        let product = product.text("product").to_owned();
        let update = format!(
            "features[subscription_update][enabled]=true\
             &features[subscription_update][default_allowed_updates][0]=price\
             &features[subscription_update][products][0][product]={product}\
             &features[subscription_update][products][0][prices][0]={price}"
        );
        let made = office.post(url, &format!("{update}&business_profile[headline]=Hi&name=N")).await;
        assert_eq!(made.text("business_profile.headline"), "Hi");
        assert_eq!(made.at("features.subscription_update.products"), &Value::Null);
        let path = format!("{url}/{}?expand[]=features.subscription_update.products", made.id());
        let whole = office.get(&path).await;
        assert_eq!(whole.text("features.subscription_update.products.0.product"), product);
        let under = "features[subscription_update]";
        for (body, code, param) in [
            ("features[subscription_update][enabled]=true".to_owned(), "parameter_missing",
                format!("{under}[default_allowed_updates]")),
            (format!("{update}x"), "resource_missing", format!("{under}[products][0][prices][0]")),
            ("features[subscription_cancel][enabled]=true&features[subscription_cancel][proration_behavior]=create_prorations".to_owned(),
                "", "features[subscription_cancel][proration_behavior]".to_owned()),
            ("features[customer_update][enabled]=true".to_owned(), "parameter_missing",
                "features[customer_update][allowed_updates]".to_owned()),
            ("features[invoice_history][enabled]=true&default_return_url=javascript:1".to_owned(),
                "url_invalid", "default_return_url".to_owned()),
            ("features[teleport][enabled]=true".to_owned(), "parameter_unknown", "features[teleport]".to_owned()),
        ] {
            office.post(url, &body).await.refused(400, code, &param);
        }
        assert_eq!(office.get(&format!("{url}?is_default=false")).await.at("data.0.id"), &made.json["id"]);
    })
    .await;
}
