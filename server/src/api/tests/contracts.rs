//! Schedules: contracts in phases, through the API and through time.

use perennial::calendar::{Civil, Timestamp};

use super::office::{Office, Reply, START, offices};

fn at(year: i64, month: u8, day: u8) -> Timestamp {
    Civil {
        year,
        month,
        day,
        hour: 10,
        minute: 0,
        second: 0,
    }
    .timestamp()
    .unwrap()
}

impl Office {
    /// Lives on until `end`, doing everything in its moment.
    pub(super) async fn live_until(&self, end: Timestamp) {
        loop {
            while self.engine.run_due(self.engine.now(), 100).await.unwrap() > 0 {}
            match self.engine.next_due_at().await.unwrap() {
                Some(next) if next <= end && next > self.engine.now() => {
                    self.clock.advance_to(next);
                }
                _ => break,
            }
        }
        self.clock.advance_to(end);
        while self.engine.run_due(self.engine.now(), 100).await.unwrap() > 0 {}
    }

    /// The totals of a subscription's invoices, oldest first.
    pub(super) async fn totals(&self, subscription: &str) -> Vec<i64> {
        let path = format!("/v1/invoices?subscription={subscription}&limit=100");
        let mut totals: Vec<i64> = self
            .get(&path)
            .await
            .at("data")
            .as_array()
            .unwrap()
            .iter()
            .map(|invoice| invoice["total"].as_i64().unwrap())
            .collect();
        totals.reverse();
        totals
    }

    async fn schedule(&self, id: &str) -> Reply {
        self.get(&format!("/v1/subscription_schedules/{id}")).await
    }

    async fn subscription(&self, id: &str) -> Reply {
        self.get(&format!("/v1/subscriptions/{id}")).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ramp_bills_each_phase_once() {
    offices(|office| async move {
        let (small, big) = (office.price(1_000).await, office.price(3_000).await);
        let customer = office.payer("pm_card_visa").await;
        let body = format!(
            "customer={customer}&start_date=now&end_behavior=cancel\
             &phases[0][items][0][price]={small}&phases[0][items][0][quantity]=1\
             &phases[0][duration][interval]=month&phases[0][duration][interval_count]=2\
             &phases[1][items][0][price]={big}&phases[1][items][0][quantity]=2\
             &phases[1][duration][interval]=month&phases[1][duration][interval_count]=2"
        );
        let made = office.post("/v1/subscription_schedules", &body).await;
        let id = made.id();
        assert_eq!(made.text("status"), "active");
        let own = made.text("subscription").to_owned();
        assert_eq!(made.at("current_phase.start_date"), START.0);
        assert_eq!(made.at("phases.0.end_date"), made.at("phases.1.start_date"));
        let subscription = office.subscription(&own).await;
        assert_eq!(subscription.text("status"), "active");
        assert_eq!(subscription.text("schedule"), id);
        assert_eq!(subscription.at("cancel_at"), at(2026, 5, 31).0);
        office.live_until(at(2026, 3, 1)).await;
        // The upcoming invoice is the next phase's.
        office.live_until(at(2026, 3, 30)).await;
        let preview = office
            .post(
                "/v1/invoices/create_preview",
                &format!("subscription={own}"),
            )
            .await;
        assert_eq!(preview.at("total"), 6_000);
        office.live_until(at(2026, 4, 1)).await;
        let phase = office.schedule(&id).await;
        assert_eq!(phase.at("current_phase.start_date"), at(2026, 3, 31).0);
        office.live_until(at(2026, 7, 1)).await;
        // Jan 31 and Feb 28 at 10, Mar 31 and Apr 30 at 60; it ends on May 31.
        assert_eq!(office.totals(&own).await, [1_000, 1_000, 6_000, 6_000]);
        let over = office.schedule(&id).await;
        assert_eq!(over.text("status"), "completed");
        assert_eq!(over.at("current_phase"), &serde_json::Value::Null);
        assert_eq!(office.subscription(&own).await.text("status"), "canceled");
        let events = office.events(100).await;
        for kind in [
            "subscription_schedule.created",
            "subscription_schedule.updated",
            "subscription_schedule.expiring",
            "subscription_schedule.completed",
        ] {
            assert!(
                events.iter().any(|event| event == kind),
                "{kind}: {events:?}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phase_that_starts_in_mid_period_is_prorated_as_it_says() {
    for (behavior, expected) in [
        ("none", vec![1_000, 2_000]),
        // Half of February is left on the 14th: -500 and +1000, with the next invoice.
        ("create_prorations", vec![1_000, 2_500]),
        ("always_invoice", vec![1_000, 500, 2_000]),
    ] {
        let expected = &expected;
        offices(|office| async move {
            let (small, big) = (office.price(1_000).await, office.price(2_000).await);
            let customer = office.payer("pm_card_visa").await;
            let body = format!(
                "customer={customer}&start_date=now\
                 &phases[0][items][0][price]={small}&phases[0][end_date]={}\
                 &phases[1][items][0][price]={big}&phases[1][proration_behavior]={behavior}\
                 &phases[1][duration][interval]=year",
                at(2026, 2, 14).0
            );
            let made = office.post("/v1/subscription_schedules", &body).await;
            let (id, own) = (made.id(), made.text("subscription").to_owned());
            office.live_until(at(2026, 2, 27)).await;
            assert_eq!(
                office.schedule(&id).await.at("current_phase.start_date"),
                at(2026, 2, 14).0
            );
            let item = office.subscription(&own).await;
            assert_eq!(item.text("items.data.0.price.id"), big);
            let path = "/v1/invoices/create_preview";
            let preview = office.post(path, &format!("subscription={own}")).await;
            assert_eq!(preview.at("total"), *expected.last().unwrap(), "{behavior}");
            office.live_until(at(2026, 3, 1)).await;
            assert_eq!(&office.totals(&own).await, expected, "{behavior}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_may_start_later_and_let_go_at_its_end() {
    offices(|office| async move {
        let price = office.price(1_000).await;
        let customer = office.payer("pm_card_visa").await;
        let body = format!(
            "customer={customer}&start_date={}&phases[0][items][0][price]={price}\
             &phases[0][duration][interval]=month&phases[0][duration][interval_count]=3\
             &phases[0][metadata][team]=north",
            at(2026, 2, 10).0
        );
        let made = office.post("/v1/subscription_schedules", &body).await;
        let id = made.id();
        assert_eq!(made.text("status"), "not_started");
        assert_eq!(made.at("subscription"), &serde_json::Value::Null);
        office.live_until(at(2026, 2, 11)).await;
        let begun = office.schedule(&id).await;
        assert_eq!(begun.text("status"), "active");
        let own = begun.text("subscription").to_owned();
        assert_eq!(
            office.subscription(&own).await.text("metadata.team"),
            "north"
        );
        office.live_until(at(2026, 6, 11)).await;
        let released = office.schedule(&id).await;
        assert_eq!(released.text("status"), "released");
        assert_eq!(released.text("released_subscription"), own);
        assert_eq!(released.at("released_at"), at(2026, 5, 10).0);
        let subscription = office.subscription(&own).await;
        assert_eq!(subscription.text("status"), "active");
        assert_eq!(subscription.at("schedule"), &serde_json::Value::Null);
        assert_eq!(office.totals(&own).await, [1_000; 5]);
        // One that has not started can be canceled, and then nothing comes of it.
        let later = office
            .post(
                "/v1/subscription_schedules",
                &body.replace(
                    &at(2026, 2, 10).0.to_string(),
                    &at(2026, 8, 1).0.to_string(),
                ),
            )
            .await
            .id();
        let path = format!("/v1/subscription_schedules/{later}/cancel");
        assert_eq!(office.post(&path, "").await.text("status"), "canceled");
        office.live_until(at(2026, 9, 1)).await;
        assert_eq!(office.schedule(&later).await.text("status"), "canceled");
        assert_eq!(office.post(&path, "").await.status, 400);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_subscription_gets_a_schedule_whose_phase_follows_it() {
    offices(|office| async move {
        let (small, big) = (office.price(1_000).await, office.price(3_000).await);
        let customer = office.payer("pm_card_visa").await;
        let body = format!("customer={customer}&items[0][price]={small}&items[0][quantity]=2");
        let made = office.post("/v1/subscriptions", &body).await;
        let (own, item) = (made.id(), made.text("items.data.0.id").to_owned());
        let from = format!("from_subscription={own}");
        let schedule = office.post("/v1/subscription_schedules", &from).await;
        let id = schedule.id();
        assert_eq!(schedule.at("phases.0.items.0.quantity"), 2);
        assert_eq!(schedule.at("phases.0.end_date"), at(2026, 2, 28).0);
        let again = office.post("/v1/subscription_schedules", &from).await;
        again.refused(400, "", "from_subscription");
        // A second phase; what runs is sent again as it is.
        let phases = format!(
            "phases[0][start_date]={}&phases[0][end_date]={}&phases[0][items][0][price]={small}\
             &phases[0][items][0][quantity]=2\
             &phases[1][items][0][price]={big}&phases[1][duration][interval]=month",
            START.0,
            at(2026, 2, 28).0
        );
        let path = format!("/v1/subscription_schedules/{id}");
        let updated = office.post(&path, &phases).await;
        assert_eq!(updated.at("phases").as_array().unwrap().len(), 2);
        // More seats, on the subscription itself: the phase follows, the next one still comes.
        let body = format!("items[0][id]={item}&items[0][quantity]=5&proration_behavior=none");
        office
            .post(&format!("/v1/subscriptions/{own}"), &body)
            .await
            .id();
        let followed = office.schedule(&id).await;
        assert_eq!(followed.at("phases.0.items.0.quantity"), 5);
        // How it ends is the schedule's to say.
        let body = "cancel_at_period_end=true";
        let refused = office.post(&format!("/v1/subscriptions/{own}"), body).await;
        assert_eq!(refused.status, 400);
        assert!(
            refused
                .text("error.message")
                .contains("update the schedule instead")
        );
        office.live_until(at(2026, 3, 1)).await;
        assert_eq!(office.totals(&own).await, [2_000, 3_000]);
        let path = format!("/v1/subscription_schedules/{id}/release");
        assert_eq!(office.post(&path, "").await.text("status"), "released");
        office.live_until(at(2026, 4, 1)).await;
        assert_eq!(office.totals(&own).await, [2_000, 3_000, 3_000]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_made_for_one_customer_are_not_in_the_catalogue() {
    offices(|office| async move {
        let price = office.price(1_000).await;
        let product = office.get(&format!("/v1/prices/{price}")).await;
        let product = product.text("product").to_owned();
        let customer = office.payer("pm_card_visa").await;
        let data = |cents: i64| {
            format!(
                "[price_data][currency]=usd&phases[0][items][0][price_data][product]={product}\
                 &phases[0][items][0][price_data][unit_amount]={cents}\
                 &phases[0][items][0][price_data][recurring][interval]=month"
            )
        };
        let body = format!("customer={customer}&phases[0][items][0]{}", data(700));
        let made = office.post("/v1/subscription_schedules", &body).await;
        let own = made.text("subscription").to_owned();
        let subscription = office.subscription(&own).await;
        assert_eq!(subscription.at("items.data.0.price.unit_amount"), 700);
        assert_eq!(subscription.at("items.data.0.price.active"), false);
        assert_eq!(office.totals(&own).await, [700]);
        // On a subscription, with a one-off amount on the first invoice.
        let body = format!(
            "customer={customer}&items[0][price_data][currency]=usd\
             &items[0][price_data][product]={product}&items[0][price_data][unit_amount]=900\
             &items[0][price_data][recurring][interval]=month\
             &add_invoice_items[0][price_data][currency]=usd\
             &add_invoice_items[0][price_data][product]={product}\
             &add_invoice_items[0][price_data][unit_amount]=5000"
        );
        let made = office.post("/v1/subscriptions", &body).await;
        assert_eq!(made.text("status"), "active");
        assert_eq!(office.totals(&made.id()).await, [5_900]);
        let bad = body.replace(&product, "prod_none");
        let refused = office.post("/v1/subscriptions", &bad).await;
        refused.refused(400, "resource_missing", "items[0][price_data][product]");
        let listed = office.get("/v1/prices?active=true&limit=100").await;
        assert_eq!(listed.at("data").as_array().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_agreed_is_refused_by_name() {
    offices(|office| async move {
        let price = office.price(1_000).await;
        let customer = office.payer("pm_card_visa").await;
        let items = format!("phases[0][items][0][price]={price}");
        for (body, param) in [
            (format!("customer={customer}"), "phases"),
            (items.clone(), "customer"),
            (
                format!(
                    "customer={customer}&{items}&phases[0][end_date]={}",
                    START.0
                ),
                "phases[0][end_date]",
            ),
            (
                format!(
                    "customer={customer}&{items}&phases[0][end_date]={}\
                     &phases[0][duration][interval]=month",
                    at(2026, 4, 1).0
                ),
                "phases[0][end_date]",
            ),
            (
                format!(
                    "customer={customer}&{items}&phases[0][trial_end]={}",
                    at(2027, 1, 1).0
                ),
                "phases[0][trial_end]",
            ),
            (
                format!("customer={customer}&phases[0][items][0][price]=price_none"),
                "phases[0][items][0][price]",
            ),
            (
                format!("customer={customer}&{items}&phases[0][items][1][price]={price}"),
                "phases[0][items][1][price]",
            ),
            (
                format!(
                    "customer={customer}&{items}&phases[1][items][0][price]={price}\
                     &phases[1][start_date]={}",
                    at(2026, 9, 1).0
                ),
                "phases[1][start_date]",
            ),
            (
                format!("customer={customer}&{items}&phases[0][plans]=1"),
                "phases[0][plans]",
            ),
        ] {
            let refused = office.post("/v1/subscription_schedules", &body).await;
            assert_eq!(refused.status, 400, "{body}");
            assert_eq!(
                refused.text("error.param"),
                param,
                "{body}: {}",
                refused.json
            );
        }
        let listed = office.get("/v1/subscription_schedules").await;
        assert_eq!(listed.at("data").as_array().unwrap().len(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_commitment_lacks_is_billed_at_its_end() {
    offices(|office| async move {
        let price = office.price(1_000).await;
        let customer = office.payer("pm_card_visa").await;
        let body = format!(
            "customer={customer}&end_behavior=cancel&phases[0][items][0][price]={price}\
             &phases[0][duration][interval]=month&phases[0][duration][interval_count]=3\
             &phases[0][minimum_commitment][amount]=5000\
             &phases[0][minimum_commitment][period]=phase\
             &phases[1][items][0][price]={price}&phases[1][items][0][quantity]=2\
             &phases[1][duration][interval]=month&phases[1][duration][interval_count]=2\
             &phases[1][minimum_commitment][amount]=2500\
             &phases[1][minimum_commitment][period]=billing_period"
        );
        let made = office.post("/v1/subscription_schedules", &body).await;
        let own = made.text("subscription").to_owned();
        let subscription = office.subscription(&own).await;
        assert_eq!(subscription.at("minimum_commitment.counted"), 1_000);
        assert_eq!(subscription.at("minimum_commitment.amount"), 5_000);
        office.live_until(at(2026, 4, 29)).await;
        let path = "/v1/invoices/create_preview";
        let preview = office.post(path, &format!("subscription={own}")).await;
        assert_eq!(preview.at("total"), 4_000);
        office.live_until(at(2026, 8, 1)).await;
        // Three months of 10, short by 20 at the phase's end; then two of 20, each short by 5.
        assert_eq!(
            office.totals(&own).await,
            [1_000, 1_000, 1_000, 4_000, 2_500, 500]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_may_wait_for_its_payment() {
    offices(|office| async move {
        let (small, big) = (office.price(1_000).await, office.price(3_000).await);
        let customer = office.payer("pm_card_visa").await;
        let body = format!("customer={customer}&items[0][price]={small}");
        let made = office.post("/v1/subscriptions", &body).await;
        let (own, item) = (made.id(), made.text("items.data.0.id").to_owned());
        let path = format!("/v1/subscriptions/{own}");
        let change = format!(
            "items[0][id]={item}&items[0][price]={big}&proration_behavior=always_invoice\
             &payment_behavior=pending_if_incomplete"
        );
        let refused = office.post(&path, &format!("{change}&description=x")).await;
        refused.refused(400, "", "description");
        let attach = "/v1/payment_methods/pm_card_chargeCustomerFail/attach";
        let bad = office
            .post(attach, &format!("customer={customer}"))
            .await
            .id();
        let default = |card: &str| format!("invoice_settings[default_payment_method]={card}");
        let customer_path = format!("/v1/customers/{customer}");
        office.post(&customer_path, &default(&bad)).await.id();
        // The bank says no: the subscription stays as it is, and in good standing.
        let waiting = office.post(&path, &change).await;
        assert_eq!(waiting.text("status"), "active");
        assert_eq!(waiting.text("items.data.0.price.id"), small);
        assert_eq!(
            waiting.text("pending_update.subscription_items.0.price.id"),
            big
        );
        assert_eq!(
            waiting.at("pending_update.expires_at"),
            START.0 + 23 * 3_600
        );
        // Nobody pays: it is forgotten, its invoice void.
        let invoice = waiting.text("latest_invoice").to_owned();
        let later = START.add_seconds(24 * 3_600).unwrap();
        office.live_until(later).await;
        let after = office.subscription(&own).await;
        assert_eq!(after.at("pending_update"), &serde_json::Value::Null);
        assert_eq!(after.text("items.data.0.price.id"), small);
        let void = office.get(&format!("/v1/invoices/{invoice}")).await;
        assert_eq!(void.text("status"), "void");
        let told = office.events(100).await;
        let has = |kind: &str| told.iter().any(|event| event == kind);
        assert!(
            has("customer.subscription.pending_update_expired"),
            "{told:?}"
        );
        // Once more, and this time it is paid with another card.
        let waiting = office.post(&path, &change).await;
        let invoice = waiting.text("latest_invoice").to_owned();
        let attach = "/v1/payment_methods/pm_card_visa/attach";
        let good = office
            .post(attach, &format!("customer={customer}"))
            .await
            .id();
        let pay = format!("/v1/invoices/{invoice}/pay");
        let paid = office.post(&pay, &format!("payment_method={good}")).await;
        assert_eq!(paid.text("status"), "paid");
        let changed = office.subscription(&own).await;
        assert_eq!(changed.text("items.data.0.price.id"), big);
        assert_eq!(changed.at("pending_update"), &serde_json::Value::Null);
        let told = office.events(20).await;
        let has = |kind: &str| told.iter().any(|event| event == kind);
        assert!(
            has("customer.subscription.pending_update_applied"),
            "{told:?}"
        );
        // With error_if_incomplete a decline is an error, and nothing has changed.
        let body = format!(
            "items[0][id]={item}&items[0][quantity]=9&proration_behavior=always_invoice\
             &payment_behavior=error_if_incomplete"
        );
        let declined = office.post(&path, &body).await;
        assert_eq!(declined.status, 402, "{}", declined.json);
        let same = office.subscription(&own).await;
        assert_eq!(same.at("items.data.0.quantity"), 1);
        assert_eq!(same.text("status"), "active");
        // With money in the bank it is made at once.
        office.post(&customer_path, &default(&good)).await.id();
        let made = office.post(&path, &body).await;
        assert_eq!(made.at("items.data.0.quantity"), 9);
        assert_eq!(made.at("pending_update"), &serde_json::Value::Null);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promotion_codes_refuse_by_name_and_count_exactly() {
    offices(|office| async move {
        let price = office.price(2_000).await;
        let coupon = office
            .post(
                "/v1/coupons",
                "percent_off=50&duration=forever&max_redemptions=9",
            )
            .await
            .id();
        let base = format!("promotion[type]=coupon&promotion[coupon]={coupon}");
        let code = office
            .post(
                "/v1/promotion_codes",
                &format!("{base}&code=Once&max_redemptions=1"),
            )
            .await
            .id();
        for (body, param) in [
            (format!("{base}&code=oNCE"), "code"),
            (format!("{base}&code=a b"), "code"),
            (format!("{base}&max_redemptions=10"), "max_redemptions"),
            (format!("{base}&expires_at={}", START.0), "expires_at"),
            ("code=X".to_owned(), "promotion"),
            (
                format!("{base}&restrictions[minimum_amount]=5"),
                "restrictions[minimum_amount_currency]",
            ),
        ] {
            let refused = office.post("/v1/promotion_codes", &body).await;
            assert_eq!(
                refused.text("error.param"),
                param,
                "{body}: {}",
                refused.json
            );
        }
        // Eight customers at once want the one that is left.
        let mut customers = Vec::new();
        for _ in 0..8 {
            customers.push(office.payer("pm_card_visa").await);
        }
        let tries = customers.iter().map(|customer| {
            let body = format!(
                "customer={customer}&items[0][price]={price}&discounts[0][promotion_code]={code}"
            );
            let office = office.clone();
            tokio::spawn(async move { office.post("/v1/subscriptions", &body).await })
        });
        let mut won = 0;
        for one in tries.collect::<Vec<_>>() {
            let reply = one.await.unwrap();
            match reply.status {
                200 => won += 1,
                _ => reply.refused(
                    400,
                    "promotion_code_invalid",
                    "discounts[0][promotion_code]",
                ),
            }
        }
        assert_eq!(won, 1);
        let found = office.get(&format!("/v1/promotion_codes/{code}")).await;
        assert_eq!(found.at("times_redeemed"), 1);
        assert_eq!(found.at("active"), false);
        let found = office.get(&format!("/v1/coupons/{coupon}")).await;
        assert_eq!(found.at("times_redeemed"), 1);
    })
    .await;
}
