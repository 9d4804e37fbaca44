//! What the audit says of usage: silent through all that people honestly do, and naming what was
//! tampered with.

use perennial::calendar::Timestamp;

use super::office::{Office, START, offices};
use crate::service::audit::{Audit, ExceptionKind};

const DAY: i64 = 86_400;

fn day(day: i64) -> Timestamp {
    Timestamp(START.0 + day * DAY)
}

/// What there is to subscribe to.
struct Shop {
    office: Office,
    calls: String,
    /// Another price of the same meter.
    dearer: String,
    /// The largest value counts.
    peak: String,
    /// No meter.
    flat: String,
}

/// A customer who subscribes to calls, and perhaps to more.
struct Caller {
    customer: String,
    subscription: String,
    item: String,
}

/// A metered price in two tiers.
async fn metered(office: &Office, meter: &str, cents: i64) -> String {
    let form = format!(
        "currency=usd&recurring[interval]=month&recurring[usage_type]=metered&recurring[meter]={meter}\
         &billing_scheme=tiered&tiers_mode=graduated&tiers[0][up_to]=50&tiers[0][unit_amount]={cents}\
         &tiers[1][up_to]=inf&tiers[1][unit_amount_decimal]=0.5&product_data[name]=Calls"
    );
    office.post("/v1/prices", &form).await.id()
}

impl Shop {
    async fn new(office: Office) -> Self {
        let meter = |name: &str, formula: &str| {
            let form = format!(
                "display_name={name}&event_name={name}&default_aggregation[formula]={formula}"
            );
            let office = office.clone();
            async move { office.post("/v1/billing/meters", &form).await.id() }
        };
        let (calls, peaks) = (meter("calls", "sum").await, meter("peaks", "max").await);
        Self {
            calls: metered(&office, &calls, 3).await,
            dearer: metered(&office, &calls, 4).await,
            peak: metered(&office, &peaks, 5).await,
            flat: office.price(900).await,
            office,
        }
    }

    /// Somebody subscribes; `more` is said in the form.
    async fn caller(&self, more: &str) -> Caller {
        let customer = self.office.payer("pm_card_visa").await;
        let form = format!(
            "customer={customer}&items[0][price]={}{}",
            self.calls,
            self.named(more)
        );
        let made = self.office.post("/v1/subscriptions", &form).await;
        Caller {
            customer,
            subscription: made.id(),
            item: made.text("items.data.0.id").to_owned(),
        }
    }

    fn named(&self, text: &str) -> String {
        let ten_days = self.office.engine.now().0 + 10 * DAY;
        text.replace("{dearer}", &self.dearer)
            .replace("{peak}", &self.peak)
            .replace("{flat}", &self.flat)
            .replace("{in ten days}", &ten_days.to_string())
    }

    fn event(&self, meter: &str, caller: &Caller, at: Timestamp) -> String {
        let now = self.office.engine.now().0;
        format!("{meter}-{}-{}-{now}", caller.customer, at.0)
    }

    /// Some of both is used at this moment.
    async fn use_at(&self, caller: &Caller, at: Timestamp) {
        for (meter, value) in [("calls", 17), ("peaks", 5)] {
            let form = format!(
                "event_name={meter}&identifier={}&timestamp={}&payload[stripe_customer_id]={}\
                 &payload[value]={value}",
                self.event(meter, caller, at),
                at.0,
                caller.customer,
            );
            let sent = self.office.post("/v1/billing/meter_events", &form).await;
            assert_eq!(sent.status, 200, "{}", sent.json);
        }
    }

    /// All use some every ten days until a day, and a bit of the day before yesterday.
    async fn live_until(&self, callers: &[Caller], end: i64) {
        let now = (self.office.engine.now().0 - START.0) / DAY;
        for then in ((now + 1)..=end).filter(|then| then % 10 == 3 || *then == end) {
            self.office.live_until(day(then)).await;
            for caller in callers {
                self.use_at(caller, day(then)).await;
                self.use_at(caller, day(then - 2)).await;
            }
        }
    }

    /// An act: `METHOD path form` with names in braces.
    async fn act(&self, caller: &Caller, act: &str) {
        let newest = self.event("calls", caller, self.office.engine.now());
        let act = self
            .named(act)
            .replace("{sub}", &caller.subscription)
            .replace("{item}", &caller.item)
            .replace("{calls}", &newest);
        let mut parts = act.splitn(3, ' ');
        let mut part = || parts.next().unwrap_or_default().to_owned();
        let (method, path, form) = (part(), part(), part());
        let request = self.office.request(&method, &path, &form);
        let done = self.office.send(request).await;
        assert_eq!(done.status, 200, "{act}: {}", done.json);
    }

    async fn audit(&self) -> Audit {
        let mut audits = Vec::new();
        let heard = self
            .office
            .engine
            .audit_all(|audit| audits.push(audit))
            .await;
        heard.unwrap();
        let own = audits.into_iter().find(|audit| audit.subscriptions > 0);
        own.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_is_silent_through_all_that_is_honestly_done_with_usage() {
    // A name, more of the subscription's form, and what is done on the 45th day and ten days later.
    let cases: &[(&str, &str, &[&str])] = &[
        ("nothing is done", "", &[]),
        (
            "nothing is done in classic mode",
            "&billing_mode[type]=classic",
            &[],
        ),
        ("a largest value beside it", "&items[1][price]={peak}", &[]),
        ("a trial first", "&trial_period_days=20", &[]),
        (
            "an event is taken back",
            "",
            &[
                "POST /v1/billing/meter_event_adjustments event_name=calls&type=cancel&cancel[identifier]={calls}",
            ],
        ),
        (
            "it ends at once, and nothing is billed",
            "",
            &["DELETE /v1/subscriptions/{sub} "],
        ),
        (
            "it ends at once, and all is billed",
            "",
            &["DELETE /v1/subscriptions/{sub} invoice_now=true"],
        ),
        (
            "it ends with its period",
            "",
            &["POST /v1/subscriptions/{sub} cancel_at_period_end=true"],
        ),
        (
            "it ends within its period",
            "",
            &["POST /v1/subscriptions/{sub} cancel_at={in ten days}"],
        ),
        (
            "its item goes",
            "&items[1][price]={flat}",
            &["DELETE /v1/subscription_items/{item} "],
        ),
        (
            "its item goes, and its usage is forgiven",
            "&items[1][price]={flat}",
            &["DELETE /v1/subscription_items/{item} clear_usage=true"],
        ),
        (
            "another metered price",
            "",
            &["POST /v1/subscriptions/{sub} items[0][id]={item}&items[0][price]={dearer}"],
        ),
        (
            "another meter",
            "",
            &["POST /v1/subscriptions/{sub} items[0][id]={item}&items[0][price]={peak}"],
        ),
        (
            "another metered price in classic mode",
            "&billing_mode[type]=classic",
            &["POST /v1/subscriptions/{sub} items[0][id]={item}&items[0][price]={dearer}"],
        ),
        (
            "a flat price for nothing, and back within a period",
            "",
            &[
                "POST /v1/subscriptions/{sub} items[0][id]={item}&items[0][price]={flat}&proration_behavior=none",
                "POST /v1/subscriptions/{sub} items[0][id]={item}&items[0][price]={dearer}&proration_behavior=none",
            ],
        ),
        (
            "a flat price",
            "",
            &["POST /v1/subscriptions/{sub} items[0][id]={item}&items[0][price]={flat}"],
        ),
        (
            "one more item",
            "",
            &["POST /v1/subscription_items subscription={sub}&price={peak}"],
        ),
        (
            "collection is paused",
            "",
            &[
                "POST /v1/subscriptions/{sub} pause_collection[behavior]=void",
                "POST /v1/subscriptions/{sub} pause_collection=",
            ],
        ),
        (
            "a pause that bills later",
            "",
            &[
                "POST /v1/subscriptions/{sub}/pause ",
                "POST /v1/subscriptions/{sub}/resume billing_cycle_anchor=now",
            ],
        ),
        (
            "a pause that bills now",
            "",
            &[
                "POST /v1/subscriptions/{sub}/pause invoicing_behavior=invoice",
                "POST /v1/subscriptions/{sub}/resume billing_cycle_anchor=unchanged",
            ],
        ),
        (
            "a pause that forgives",
            "",
            &[
                "POST /v1/subscriptions/{sub}/pause bill_for[outstanding_usage_through][type]=none",
                "POST /v1/subscriptions/{sub}/resume billing_cycle_anchor=now",
            ],
        ),
        (
            "it ends while it is paused",
            "",
            &[
                "POST /v1/subscriptions/{sub} cancel_at_period_end=true",
                "POST /v1/subscriptions/{sub}/pause bill_for[outstanding_usage_through][type]=none",
            ],
        ),
        (
            "a trial in mid-period",
            "",
            &["POST /v1/subscriptions/{sub} trial_end={in ten days}"],
        ),
        (
            "two trials",
            "&trial_period_days=20",
            &["POST /v1/subscriptions/{sub} trial_end={in ten days}"],
        ),
        (
            "periods begin anew",
            "",
            &["POST /v1/subscriptions/{sub} billing_cycle_anchor=now"],
        ),
        ("a threshold", "&billing_thresholds[amount_gte]=100", &[]),
        (
            "a threshold that begins a period",
            "&items[1][price]={peak}&billing_thresholds[amount_gte]=100\
          &billing_thresholds[reset_billing_cycle_anchor]=true",
            &[],
        ),
    ];
    offices(|office| async move {
        let shop = Shop::new(office).await;
        let mut callers = Vec::new();
        for (_, more, _) in cases {
            callers.push(shop.caller(more).await);
        }
        let name = |subscription: &str| {
            let own = callers.iter().zip(cases);
            own.filter(|(caller, _)| caller.subscription == subscription)
                .map(|(_, case)| case.0)
                .next()
        };
        // Until all of it is settled, with a look on the way.
        for (round, when) in [45, 55, 61, 100, 140].into_iter().enumerate() {
            shop.live_until(&callers, when).await;
            for (caller, (_, _, acts)) in callers.iter().zip(cases) {
                if let Some(act) = acts.get(round) {
                    shop.act(caller, act).await;
                }
            }
            let audit = shop.audit().await;
            let found: Vec<_> = audit
                .exceptions
                .iter()
                .map(|own| (name(&own.object), own))
                .collect();
            assert_eq!(found, [], "day {when}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_names_usage_that_was_not_billed_as_it_was_used() {
    use ExceptionKind::{Period, Usage};
    // A name, what is done to the books, and what is named. The first two periods are settled by then.
    let cases: &[(&str, &[&str], ExceptionKind)] = &[
        (
            "neither lines nor spans",
            &[
                "delete from usage_span",
                "update invoice set body = replace(body, '\"usage\"', '\"one_time\"')",
            ],
            Usage,
        ),
        (
            "an event that was counted after all was settled",
            &["update meter_total set whole = whole + 1"],
            Usage,
        ),
        (
            "lines without spans, and another event",
            &[
                "delete from usage_span",
                "update meter_total set whole = whole + 1",
            ],
            Usage,
        ),
        ("events that are gone", &["delete from meter_total"], Usage),
        (
            "settled with another quantity",
            &["update usage_span set body = replace(body, '\"billed\":\"', '\"billed\":\"1')"],
            Usage,
        ),
        (
            "a span twice",
            &[
                "insert into usage_span (merchant, livemode, id, revision, sort, body, subscription, open, shard) \
               select merchant, livemode, id || 'x', revision, sort + 1, body, subscription, open, shard \
               from usage_span",
            ],
            Period,
        ),
    ];
    offices(|office| async move {
        let shop = Shop::new(office).await;
        let callers = [shop.caller("").await];
        shop.live_until(&callers, 110).await;
        for (name, tampering, kind) in cases {
            assert_eq!(shop.audit().await.exceptions, [], "before: {name}");
            for table in ["usage_span", "meter_total", "invoice"] {
                shop.run(&format!("create table kept_{table} as select * from {table}")).await;
            }
            for sql in *tampering {
                assert!(shop.run(sql).await > 0, "{name}");
            }
            let found = shop.audit().await.exceptions;
            assert!(found.iter().any(|own| own.kind == *kind), "{name}: {found:?}");
            // As it was.
            shop.run("delete from usage_span").await;
            shop.run("delete from meter_total").await;
            shop.run("insert into usage_span select * from kept_usage_span").await;
            shop.run("insert into meter_total select * from kept_meter_total").await;
            let whole = "update invoice set body = (select k.body from kept_invoice k where k.id = invoice.id)";
            shop.run(whole).await;
            for table in ["usage_span", "meter_total", "invoice"] {
                shop.run(&format!("drop table kept_{table}")).await;
            }
        }
    })
    .await;
}

impl Shop {
    async fn run(&self, sql: &str) -> u64 {
        let mut tx = self.office.engine.store.begin().await.unwrap();
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        let done = sqlx::query(sql).execute(tx.connection()).await.unwrap();
        tx.commit().await.unwrap();
        done.rows_affected()
    }
}
