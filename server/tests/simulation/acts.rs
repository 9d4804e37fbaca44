//! What people do: a merchant's program and its customers, at random.

use serde_json::Value;

use crate::bank::Bank;
use crate::chance::Chance;
use crate::life::Inside;
use crate::{by_hand, items, visits};

/// What has been made so far, in order: the same in a world and in its twin, but for the ids.
#[derive(Clone, Default)]
pub struct Made {
    pub prices: Vec<String>,
    /// Those of them that bill usage.
    pub metered: Vec<String>,
    /// What customers may do in the portal.
    pub rules: String,
    pub customers: Vec<String>,
    /// With the place of its customer.
    pub subscriptions: Vec<(usize, String)>,
    /// What customers type.
    pub codes: Vec<String>,
    /// Events of usage that were reported.
    pub events: u64,
    /// Whether customers may allow second cards.
    pub backs_up: bool,
}

impl Made {
    pub fn is_metered(&self, price: &str) -> bool {
        self.metered.iter().any(|own| own == price)
    }
}

/// Days and seconds of it.
const DAY: i64 = 86_400;

/// The catalogue: by the month, by the week, by the year, in tiers, with odd amounts.
const PRICES: [&str; 6] = [
    "currency=usd&unit_amount=1900&recurring[interval]=month&product_data[name]=Pro",
    "currency=usd&unit_amount=4900&recurring[interval]=month&product_data[name]=Team",
    "currency=usd&unit_amount=19999&recurring[interval]=year&product_data[name]=Yearly",
    "currency=usd&unit_amount=333&recurring[interval]=week&product_data[name]=Weekly",
    "currency=usd&billing_scheme=tiered&tiers_mode=graduated&tiers[0][up_to]=3&tiers[0][unit_amount]=700\
     &tiers[1][up_to]=inf&tiers[1][unit_amount_decimal]=612.5&recurring[interval]=month&product_data[name]=Seats",
    "currency=usd&unit_amount=0&recurring[interval]=month&product_data[name]=Free",
];

/// What is metered: the event, how it adds up, and the price. Calls, the first thousand for nothing, and
/// the largest number of people at once, by the week.
const METERED: [(&str, &str, &str); 2] = [
    (
        "calls",
        "sum",
        "currency=usd&billing_scheme=tiered&tiers_mode=graduated&tiers[0][up_to]=1000&tiers[0][unit_amount]=0\
         &tiers[1][up_to]=inf&tiers[1][unit_amount_decimal]=0.35&recurring[interval]=month\
         &recurring[usage_type]=metered&product_data[name]=Calls",
    ),
    (
        "people",
        "max",
        "currency=usd&unit_amount=9&recurring[interval]=week&recurring[usage_type]=metered\
         &product_data[name]=People",
    ),
];

/// Coupons, and what their codes say beside.
const COUPONS: [(&str, &str); 3] = [
    ("percent_off=25&duration=once", ""),
    (
        "percent_off=10&duration=repeating&duration_in_months=3",
        "&max_redemptions=4",
    ),
    (
        "amount_off=500&currency=usd&duration=forever",
        "&max_redemptions=2",
    ),
];

/// Opens the shop.
pub async fn open(inside: &Inside, made: &mut Made) {
    let mut products = Vec::new();
    for form in PRICES {
        let (status, price) = inside.call("POST", "/v1/prices", form).await;
        assert_eq!(status, 200, "{price}");
        let product = price["product"].as_str().unwrap_or_default();
        products.push((product.to_owned(), id(&price)));
        made.prices.push(id(&price));
    }
    for (event, formula, form) in METERED {
        let meter = format!(
            "display_name={event}&event_name={event}&default_aggregation[formula]={formula}"
        );
        let (status, meter) = inside.call("POST", "/v1/billing/meters", &meter).await;
        assert_eq!(status, 200, "{meter}");
        let form = format!("{form}&recurring[meter]={}", id(&meter));
        let (status, price) = inside.call("POST", "/v1/prices", &form).await;
        assert_eq!(status, 200, "{price}");
        made.metered.push(id(&price));
        made.prices.push(id(&price));
    }
    made.rules = visits::allow(inside, &products).await;
    for (coupon, code) in COUPONS {
        let (status, coupon) = inside.call("POST", "/v1/coupons", coupon).await;
        assert_eq!(status, 200, "{coupon}");
        let form = format!(
            "promotion[type]=coupon&promotion[coupon]={}{code}",
            id(&coupon)
        );
        let (status, code) = inside.call("POST", "/v1/promotion_codes", &form).await;
        assert_eq!(status, 200, "{code}");
        made.codes.push(id(&code));
    }
}

pub fn id(object: &Value) -> String {
    object["id"].as_str().unwrap_or_default().to_owned()
}

/// One act. It may be refused; in the twin it is refused as well.
pub async fn act(inside: &Inside, bank: &Bank, made: &mut Made, chance: &mut Chance) -> String {
    // Every act draws the same numbers, whatever comes of it.
    let what = chance.below(148);
    let mut own = Chance::new(chance.number());
    if made.customers.is_empty() || (what < 8 && made.customers.len() < 8) {
        return arrive(inside, made).await;
    }
    if made.subscriptions.len() < 4 || what < 25 {
        return subscribe(inside, made, &mut own).await;
    }
    let Some((owner, subscription)) = own.pick(&made.subscriptions).cloned() else {
        return String::new();
    };
    let path = format!("/v1/subscriptions/{subscription}");
    match what {
        25..45 => change(inside, made, &subscription, &mut own).await,
        45..48 => said(
            "cancel",
            inside.call("DELETE", &path, cancelling(&mut own)).await,
        ),
        48..54 => {
            let flag = own.pick(&["true", "false"]).copied().unwrap_or_default();
            let form = format!("cancel_at_period_end={flag}");
            said("at period end", inside.call("POST", &path, &form).await)
        }
        54..57 => stand(inside, &path, &mut own).await,
        57..62 => {
            let form = match own.below(5) {
                0 => "pause_collection[behavior]=void",
                1 => "pause_collection[behavior]=keep_as_draft",
                2 => "pause_collection[behavior]=mark_uncollectible",
                _ => "pause_collection=",
            };
            said("collection", inside.call("POST", &path, form).await)
        }
        62..65 => {
            let form = [
                "billing_cycle_anchor=now&proration_behavior=always_invoice",
                "trial_end=now",
            ];
            let form = own.pick(&form).copied().unwrap_or_default();
            said("anchor", inside.call("POST", &path, form).await)
        }
        65..77 => invoice(inside, &subscription, &mut own).await,
        77..80 => give_back(inside, &subscription, &mut own).await,
        80..86 => use_up(inside, made, &mut own).await,
        86..89 => contract(inside, made, &subscription, &mut own).await,
        89..95 => {
            let customer = own.pick(&made.customers).cloned().unwrap_or_default();
            card(inside, &customer).await
        }
        100..110 => items::change(inside, made, &subscription, &mut own).await,
        110..114 => items::threshold(inside, &subscription, &mut own).await,
        114..120 => {
            let customer = made.customers.get(owner).cloned().unwrap_or_default();
            by_hand::write(inside, &customer, &subscription, &mut own).await
        }
        120..124 if made.backs_up => {
            let customer = own.pick(&made.customers).cloned().unwrap_or_default();
            by_hand::back_up(inside, &customer, &mut own).await
        }
        124..136 => {
            let customer = made.customers.get(owner).cloned().unwrap_or_default();
            visits::visit(inside, made, (&customer, &subscription), &mut own).await
        }
        136..140 => {
            let customer = own.pick(&made.customers).cloned().unwrap_or_default();
            reissue(inside, bank, &customer, &mut own).await
        }
        140.. => use_up(inside, made, &mut own).await,
        _ => {
            let customer = own.pick(&made.customers).cloned().unwrap_or_default();
            let amount = own.between(-3_000, 1_500);
            let form = format!("amount={amount}&currency=usd");
            let path = format!("/v1/customers/{customer}/balance_transactions");
            said("balance", inside.call("POST", &path, &form).await)
        }
    }
}

fn cancelling(own: &mut Chance) -> &'static str {
    let forms = [
        "",
        "prorate=true",
        "invoice_now=true",
        "prorate=true&invoice_now=true",
    ];
    own.pick(&forms).copied().unwrap_or_default()
}

pub fn said(what: &str, (status, answer): (u16, Value)) -> String {
    let why = answer["error"]["message"].as_str().unwrap_or_default();
    format!("{what}: {status} {why}")
}

async fn arrive(inside: &Inside, made: &mut Made) -> String {
    let label = char::from(b'A' + u8::try_from(made.customers.len()).unwrap_or(0));
    let form = format!("name=Customer {label}&invoice_prefix=SIM{label}");
    let (status, customer) = inside.call("POST", "/v1/customers", &form).await;
    assert_eq!(status, 200, "{customer}");
    let customer = id(&customer);
    card(inside, &customer).await;
    made.customers.push(customer);
    format!("customer {label}")
}

/// A new card that pays by default.
async fn card(inside: &Inside, customer: &str) -> String {
    let form = format!("customer={customer}");
    let path = "/v1/payment_methods/pm_card_visa/attach";
    let (status, method) = inside.call("POST", path, &form).await;
    if status != 200 {
        return said("card", (status, method));
    }
    let form = format!("invoice_settings[default_payment_method]={}", id(&method));
    let path = format!("/v1/customers/{customer}");
    said("card", inside.call("POST", &path, &form).await)
}

async fn subscribe(inside: &Inside, made: &mut Made, own: &mut Chance) -> String {
    let owner = usize::try_from(own.below(made.customers.len() as u64)).unwrap_or(0);
    let customer = made.customers.get(owner).cloned().unwrap_or_default();
    let price = own.pick(&made.prices).cloned().unwrap_or_default();
    let quantity = own.between(1, 5);
    let mut form = format!("customer={customer}&items[0][price]={price}");
    if !made.is_metered(&price) {
        form.push_str(&format!("&items[0][quantity]={quantity}"));
    }
    match own.below(8) {
        0 => form.push_str(&format!("&trial_period_days={}", own.between(1, 30))),
        1 => form.push_str("&collection_method=send_invoice&days_until_due=10"),
        2 => form.push_str("&billing_mode[type]=classic"),
        3 => form.push_str("&billing_cycle_anchor_config[day_of_month]=31"),
        4 => form.push_str("&off_session=true"),
        5 => {
            let code = own.pick(&made.codes).cloned().unwrap_or_default();
            form.push_str(&format!("&discounts[0][promotion_code]={code}"));
        }
        _ => {}
    }
    let (status, subscription) = inside.call("POST", "/v1/subscriptions", &form).await;
    if status == 200 {
        made.subscriptions.push((owner, id(&subscription)));
    }
    said("subscribe", (status, subscription))
}

async fn change(inside: &Inside, made: &Made, subscription: &str, own: &mut Chance) -> String {
    let path = format!("/v1/subscriptions/{subscription}");
    let (_, found) = inside.call("GET", &path, "").await;
    let item = id(&found["items"]["data"][0]);
    let mut form = format!("items[0][id]={item}");
    let mut price = found["items"]["data"][0]["price"]["id"]
        .as_str()
        .map(str::to_owned);
    if own.below(2) == 0 {
        let other = own.pick(&made.prices).cloned().unwrap_or_default();
        form.push_str(&format!("&items[0][price]={other}"));
        price = Some(other);
    }
    let quantity = own.between(1, 9);
    if !price.is_some_and(|price| made.is_metered(&price)) {
        form.push_str(&format!("&items[0][quantity]={quantity}"));
    }
    let how = own.pick(&["create_prorations", "always_invoice", "none"]);
    form.push_str(&format!(
        "&proration_behavior={}",
        how.copied().unwrap_or_default()
    ));
    said("change", inside.call("POST", &path, &form).await)
}

/// Somebody pays, voids or writes off the newest invoice of a subscription.
async fn invoice(inside: &Inside, subscription: &str, own: &mut Chance) -> String {
    let path = format!("/v1/subscriptions/{subscription}");
    let (_, found) = inside.call("GET", &path, "").await;
    let Some(newest) = found["latest_invoice"].as_str() else {
        return "no invoice".to_owned();
    };
    let how = match own.below(10) {
        0 => "void",
        1 => "mark_uncollectible",
        2 => "finalize",
        _ => "pay",
    };
    let path = format!("/v1/invoices/{newest}/{how}");
    let form = if how == "pay" && own.below(2) == 0 {
        "off_session=false"
    } else {
        ""
    };
    said(how, inside.call("POST", &path, form).await)
}

/// A subscription stands still, or goes on.
async fn stand(inside: &Inside, path: &str, own: &mut Chance) -> String {
    let (how, form) = match own.below(4) {
        0 => ("pause", "invoicing_behavior=invoice"),
        1 => ("pause", ""),
        2 => ("resume", "billing_cycle_anchor=now"),
        _ => (
            "resume",
            "billing_cycle_anchor=unchanged&proration_behavior=create_prorations",
        ),
    };
    said(
        how,
        inside.call("POST", &format!("{path}/{how}"), form).await,
    )
}

/// Something of the newest invoice is given back: what was paid by a refund (with
/// a note or without) or to the balance, what was not by a note.
async fn give_back(inside: &Inside, subscription: &str, own: &mut Chance) -> String {
    let path = format!("/v1/subscriptions/{subscription}");
    let (_, found) = inside.call("GET", &path, "").await;
    let Some(newest) = found["latest_invoice"].as_str() else {
        return "nothing to give back".to_owned();
    };
    let (_, invoice) = inside
        .call("GET", &format!("/v1/invoices/{newest}"), "")
        .await;
    let total = invoice["total"].as_i64().unwrap_or(0);
    let amount = own.between(1, (total / 2).max(1));
    let paid = invoice["status"] == "paid";
    let way = own.below(3);
    if paid && way == 2 {
        return refund(inside, newest, amount).await;
    }
    let form = match (paid, way) {
        (false, _) => format!("invoice={newest}&amount={amount}"),
        (true, 0) => format!("invoice={newest}&amount={amount}&refund_amount={amount}"),
        (true, _) => format!("invoice={newest}&amount={amount}&credit_amount={amount}"),
    };
    said(
        "give back",
        inside.call("POST", "/v1/credit_notes", &form).await,
    )
}

/// A payment of an invoice is given back, without a note that says why.
async fn refund(inside: &Inside, invoice: &str, amount: i64) -> String {
    let path = format!("/v1/invoice_payments?invoice={invoice}&status=paid");
    let (_, found) = inside.call("GET", &path, "").await;
    let payment = &found["data"][0]["payment"]["payment_intent"];
    let Some(payment) = payment.as_str() else {
        return "no payment to refund".to_owned();
    };
    let form = format!("payment_intent={payment}&amount={amount}");
    said("refund", inside.call("POST", "/v1/refunds", &form).await)
}

/// Somebody uses something, now or some days ago.
async fn use_up(inside: &Inside, made: &mut Made, own: &mut Chance) -> String {
    let customer = own.pick(&made.customers).cloned().unwrap_or_default();
    let (event, most) = match own.below(3) {
        0 => ("people", 60),
        _ => ("calls", 4_000),
    };
    let (used, ago) = (own.between(1, most), own.between(0, 30 * DAY));
    // Mostly of these days, now and then late.
    let ago = if ago > 8 * DAY && own.below(3) > 0 {
        ago / 10
    } else {
        ago
    };
    made.events += 1;
    let at = inside.engine.now().0 - ago;
    let form = format!(
        "event_name={event}&identifier=event-{}&timestamp={at}&payload[stripe_customer_id]={customer}&payload[value]={used}",
        made.events
    );
    said(
        event,
        inside.call("POST", "/v1/billing/meter_events", &form).await,
    )
}

/// The bank gives out a customer's card anew, and says so.
async fn reissue(inside: &Inside, bank: &Bank, customer: &str, own: &mut Chance) -> String {
    let year = u16::try_from(own.between(2061, 2090)).unwrap_or(2061);
    let (_, found) = inside
        .call("GET", &format!("/v1/customers/{customer}"), "")
        .await;
    let Some(method) = found["invoice_settings"]["default_payment_method"].as_str() else {
        return "no card".to_owned();
    };
    let token = inside.token_of(method).await;
    bank.reissue(&token, year);
    "a new card from the bank".to_owned()
}

/// A contract is made of a subscription, or let go.
async fn contract(inside: &Inside, made: &Made, subscription: &str, own: &mut Chance) -> String {
    let form = format!("from_subscription={subscription}");
    let (status, made_one) = inside
        .call("POST", "/v1/subscription_schedules", &form)
        .await;
    if status != 200 {
        // It has one: that is let go.
        let (_, found) = inside
            .call("GET", &format!("/v1/subscriptions/{subscription}"), "")
            .await;
        let Some(schedule) = found["schedule"].as_str() else {
            return said("contract", (status, made_one));
        };
        let path = format!("/v1/subscription_schedules/{schedule}/release");
        return said("release", inside.call("POST", &path, "").await);
    }
    let phase = &made_one["phases"][0];
    let (start, end) = (phase["start_date"].clone(), phase["end_date"].clone());
    let first = &phase["items"][0];
    let (price, quantity) = (&first["price"], &first["quantity"]);
    let quantity = quantity.as_i64().map_or(String::new(), |units| {
        format!("&phases[0][items][0][quantity]={units}")
    });
    let next = made.prices.first().cloned().unwrap_or_default();
    let form = format!(
        "phases[0][start_date]={start}&phases[0][end_date]={end}&phases[0][items][0][price]={}{quantity}\
         &phases[1][items][0][price]={next}&phases[1][items][0][quantity]={}\
         &phases[1][duration][interval]=month&phases[1][duration][interval_count]=2",
        price.as_str().unwrap_or_default(),
        own.between(1, 4)
    );
    let path = format!("/v1/subscription_schedules/{}", id(&made_one));
    said("contract", inside.call("POST", &path, &form).await)
}

/// How far the clock leaps before the next act, in seconds: about a fortnight.
pub fn leap(chance: &mut Chance) -> i64 {
    match chance.below(12) {
        0 if chance.below(4) == 0 => -chance.between(60, DAY),
        0 => 0,
        1..3 => chance.between(60, DAY / 2),
        3..7 => chance.between(DAY, 6 * DAY),
        11 => chance.between(40 * DAY, 100 * DAY),
        _ => chance.between(10 * DAY, 35 * DAY),
    }
}
