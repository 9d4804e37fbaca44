//! `expand[]`

use serde_json::Value;

use super::office::offices;

#[tokio::test(flavor = "multi_thread")]
async fn ids_become_objects_level_by_level() {
    offices(|office| async move {
        let customer = office.payer("pm_card_visa").await;
        let price = office.price(1_000).await;
        let coupon = office
            .post("/v1/coupons", "percent_off=10&duration=forever")
            .await
            .id();
        let body = format!(
            "customer={customer}&items[0][price]={price}&discounts[0][coupon]={coupon}\
             &expand[]=latest_invoice.payments.data.payment.payment_intent\
             &expand[]=customer.invoice_settings.default_payment_method\
             &expand[]=items.data.price.product&expand[]=discounts.source.coupon"
        );
        let made = office.post("/v1/subscriptions", &body).await;
        assert_eq!(made.text("customer.id"), customer);
        let card = "customer.invoice_settings.default_payment_method.card.last4";
        assert_eq!(made.text(card), "4242");
        assert_eq!(made.text("items.data.0.price.product.name"), "Pro");
        assert_eq!(made.text("discounts.0.source.coupon.id"), coupon);
        let paid = "latest_invoice.payments.data.0.payment.payment_intent.status";
        assert_eq!(made.text(paid), "succeeded");
        let path = format!("/v1/subscriptions/{}", made.id());
        let folded = office.get(&path).await;
        assert_eq!(folded.text("customer"), customer);
        assert!(folded.text("discounts.0").starts_with("di_"));
        let invoice = folded.text("latest_invoice").to_owned();
        let invoice = office.get(&format!("/v1/invoices/{invoice}")).await;
        assert_eq!(invoice.at("payments"), &Value::Null);
        assert_eq!(invoice.at("total"), 900);
        let list = office.get("/v1/subscriptions?expand[]=data.customer").await;
        assert_eq!(list.text("data.0.customer.id"), customer);
        let null = office.get(&format!("{path}?expand[]=schedule")).await;
        assert_eq!(null.at("schedule"), &Value::Null);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_expanded_is_refused_before_anything_happens() {
    offices(|office| async move {
        let reply = office.post("/v1/customers", "name=Ada&expand[]=name").await;
        assert_eq!(
            reply.text("error.message"),
            "This property cannot be expanded (name)."
        );
        let reply = office.get("/v1/subscriptions?expand[]=customer").await;
        assert!(
            reply.text("error.message").contains("'data.customer'"),
            "{}",
            reply.json
        );
        let deep = "latest_invoice.parent.subscription_details.subscription.customer";
        let reply = office
            .get(&format!("/v1/subscriptions/sub_x?expand[]={deep}"))
            .await;
        assert!(
            reply.text("error.message").contains("more than 4 levels"),
            "{}",
            reply.json
        );
        let reply = office.get("/v1/customers?expand=data").await;
        reply.refused(400, "parameter_invalid_array", "expand");
        assert_eq!(office.get("/v1/customers").await.at("data.0"), &Value::Null);
    })
    .await;
}
