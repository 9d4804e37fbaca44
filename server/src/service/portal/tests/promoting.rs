//! Promotion codes that customers enter, with a change of their plan or alone.

use std::collections::BTreeMap;

use app::port::{Portal, QuotePage, Settled, Wish};
use app::refusal::{CodeFault, Field, Refusal, Rule};
use perennial::catalog::Price;
use perennial::currency::Currency;
use perennial::decimal::Decimal12;
use perennial::discount::{Coupon, Discount, Duration, Off, PromotionCode};
use perennial::id::{CustomerId, DiscountId, SubscriptionId};
use perennial::money::Money;
use perennial::portal::{Features, ScheduleCondition};
use perennial::subscription::UnusedTimeFrom;

use super::house::{House, all_features};
use crate::service::catalog::{NewCoupon, NewPromotionCode};
use crate::service::subscriptions::Pause;
use crate::service::tests::world::{START, after};
use crate::store::document::Stored;
use crate::store::tests::both;

/// 10 % off, once, for everybody.
fn coupon() -> NewCoupon {
    NewCoupon {
        id: None,
        name: Some("Tenth".to_owned()),
        off: Off::Percent(Decimal12::from_integer(10)),
        currency_options: BTreeMap::new(),
        duration: Duration::Once,
        applies_to: Vec::new(),
        max_redemptions: None,
        redeem_by: None,
        metadata: None,
    }
}

async fn code(house: &House, new: NewCoupon, code: &str) -> NewPromotionCode {
    let world = &house.world;
    let coupon = world.engine.create_coupon(&world.scope, new).await.unwrap();
    NewPromotionCode {
        code: Some(code.to_owned()),
        coupon: coupon.value.id,
        active: true,
        customer: None,
        expires_at: None,
        max_redemptions: None,
        first_time_transaction: false,
        minimum_amounts: BTreeMap::new(),
        minimum_amount_currency: None,
        metadata: None,
    }
}

async fn make(house: &House, new: NewPromotionCode) -> Stored<PromotionCode> {
    let world = &house.world;
    world
        .engine
        .create_promotion_code(&world.scope, new)
        .await
        .unwrap()
}

fn with_codes(house: &House) -> Features {
    let mut features = all_features(&[&house.basic, &house.pro]);
    if let Some(rules) = &mut features.subscription_update {
        rules.promotion_code = true;
    }
    features
}

async fn wish(house: &House, id: &SubscriptionId, price: &Price) -> Vec<Wish> {
    let own = house.world.find_subscription(id).await;
    vec![Wish {
        item: Some(own.items[0].id.clone()),
        price: Some(price.id.clone()),
        quantity: 1,
    }]
}

async fn lives(house: &House) -> (CustomerId, SubscriptionId) {
    let customer = house.world.customer_with("pm_card_visa").await;
    let id = house.world.subscribe(&customer, &house.basic).await;
    (customer, id)
}

fn fault(why: CodeFault) -> Option<Refusal> {
    Some(Refusal::Invalid(vec![(
        Field::PromotionCode,
        Rule::Code(why),
    )]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_lowers_what_is_quoted_and_charged_and_counts_once() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let made = make(&house, code(&house, coupon(), "Tenth-Off").await).await;
        let (customer, id) = lives(&house).await;
        let (portal, viewer) = house.enter_under(&customer, with_codes(&house)).await;
        let typed = Some(" tenth-OFF ".to_owned());
        let page = portal
            .change_page(&viewer, &id, typed.clone())
            .await
            .unwrap();
        let given = page.code.unwrap().gives.unwrap();
        assert_eq!(
            (given.minimum, given.discount.coupon.off),
            (None, coupon().off)
        );
        let wishes = wish(&house, &id, &house.pro).await;
        let plain = portal
            .quote(&viewer, &id, wishes.clone(), None)
            .await
            .unwrap();
        let quoted = portal.quote(&viewer, &id, wishes, typed).await.unwrap();
        let amounts = |page: &QuotePage| {
            let terms = &page.quote.terms;
            (
                terms.due_now_minor,
                terms.next_invoice_minor,
                terms.recurring_minor,
            )
        };
        // A discount of one payment is for a whole one: the difference of this period costs the same.
        assert_eq!(amounts(&plain), (3_000, 5_000, 5_000));
        assert_eq!(amounts(&quoted), (3_000, 4_500, 5_000));
        let count = async || {
            let found: Stored<PromotionCode> = world
                .engine
                .find(&world.scope, made.id.as_str())
                .await
                .unwrap();
            let coupon: Stored<Coupon> = world
                .engine
                .find(&world.scope, found.coupon.as_str())
                .await
                .unwrap();
            (found.times_redeemed, coupon.times_redeemed)
        };
        assert_eq!(count().await, (0, 0), "a quote redeems nothing");
        for _ in 0..2 {
            portal.confirm(&viewer, &quoted.quote.id).await.unwrap();
        }
        assert_eq!(count().await, (1, 1));
        assert_eq!(world.find_subscription(&id).await.discounts.len(), 1);
        let wishes = wish(&house, &id, &house.basic).await;
        let again = Some("tenth-off".to_owned());
        let refused = portal.quote(&viewer, &id, wishes.clone(), again.clone());
        assert_eq!(refused.await.err(), fault(CodeFault::UsedBefore));
        let renews = quoted.quote.terms.next_invoice_at;
        world.live_until(after(renews, 7_200)).await;
        assert_eq!(world.latest(&id).await.amount_paid_minor, 4_500);
        let own = world.find_subscription(&id).await;
        assert!(own.discounts.is_empty(), "it was for one payment");
        let (portal, viewer) = house.enter_under(&customer, with_codes(&house)).await;
        assert_eq!(
            portal.quote(&viewer, &id, wishes, again).await.err(),
            fault(CodeFault::UsedBefore)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_alone_changes_nothing_else_and_takes_an_earlier_codes_place() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let forever = |percent| NewCoupon {
            off: Off::Percent(Decimal12::from_integer(percent)),
            duration: Duration::Forever,
            ..coupon()
        };
        make(&house, code(&house, forever(10), "TEN").await).await;
        make(&house, code(&house, forever(50), "HALF").await).await;
        let (customer, id) = lives(&house).await;
        let (portal, viewer) = house.enter_under(&customer, with_codes(&house)).await;
        let own = async || world.find_subscription(&id).await;
        for (typed, next) in [("TEN", 1_800), ("HALF", 1_000)] {
            let before = own().await;
            let wishes = wish(&house, &id, &house.basic).await;
            let page = portal
                .quote(&viewer, &id, wishes, Some(typed.to_owned()))
                .await
                .unwrap();
            let terms = &page.quote.terms;
            assert_eq!((terms.due_now_minor, terms.lines.len()), (0, 0));
            assert_eq!(
                (terms.next_invoice_minor, terms.recurring_minor),
                (next, next)
            );
            portal.confirm(&viewer, &page.quote.id).await.unwrap();
            let after = own().await;
            assert_eq!(after.items, before.items);
            assert_eq!(after.discounts.len(), 1, "one code at a time");
            assert_eq!(
                world.invoices(&customer).await.len(),
                1,
                "nothing was billed"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_goes_with_a_change_that_waits() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        make(&house, code(&house, coupon(), "TENTH").await).await;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &house.pro).await;
        let mut features = with_codes(&house);
        if let Some(rules) = &mut features.subscription_update {
            rules.schedule_at_period_end = vec![ScheduleCondition::DecreasingItemAmount];
        }
        let (portal, viewer) = house.enter_under(&customer, features).await;
        let wishes = wish(&house, &id, &house.basic).await;
        let quoted = portal
            .quote(&viewer, &id, wishes, Some("TENTH".to_owned()))
            .await
            .unwrap()
            .quote;
        assert!(quoted.terms.scheduled);
        assert_eq!(
            (
                quoted.terms.next_invoice_minor,
                quoted.terms.recurring_minor
            ),
            (1_800, 2_000)
        );
        portal.confirm(&viewer, &quoted.id).await.unwrap();
        let own = world.find_subscription(&id).await;
        assert_eq!(own.discounts.len(), 1);
        world
            .live_until(after(quoted.terms.next_invoice_at, 7_200))
            .await;
        assert_eq!(world.latest(&id).await.totals.total_minor, 1_800);
        assert!(world.find_subscription(&id).await.discounts.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_that_give_nothing_say_why() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let now = world.engine.now();
        let (customer, id) = lives(&house).await;
        let somebody = world.customer().await;
        let code = async |new, typed: &str| code(&house, new, typed).await;
        let pro_only = NewCoupon {
            applies_to: vec![house.pro.product.clone()],
            ..coupon()
        };
        let euros = NewCoupon {
            off: Off::Amount {
                amount_minor: 500,
                currency: Currency::EUR,
            },
            ..coupon()
        };
        let soon = after(now, 60);
        let minimum = |minor| BTreeMap::from([(Currency::USD, minor)]);
        for new in [
            NewPromotionCode {
                customer: Some(somebody),
                ..code(coupon(), "THEIRS").await
            },
            NewPromotionCode {
                first_time_transaction: true,
                ..code(coupon(), "FIRST").await
            },
            NewPromotionCode {
                expires_at: Some(soon),
                ..code(coupon(), "OVER").await
            },
            NewPromotionCode {
                minimum_amounts: minimum(2_001),
                ..code(coupon(), "LARGE").await
            },
            NewPromotionCode {
                minimum_amounts: minimum(2_000),
                ..code(coupon(), "ENOUGH").await
            },
            code(pro_only, "PRO").await,
            code(euros, "EURO").await,
        ] {
            make(&house, new).await;
        }
        world.clock.advance_to(soon);
        let features = with_codes(&house);
        let (portal, viewer) = house.enter_under(&customer, features.clone()).await;
        let quote = async |typed: &str| {
            let wishes = wish(&house, &id, &house.basic).await;
            let quoted = portal.quote(&viewer, &id, wishes, Some(typed.to_owned()));
            quoted.await.err()
        };
        let least = Money::new(2_001, Currency::USD);
        for (typed, why) in [
            ("NOSUCH", CodeFault::Unknown),
            ("THEIRS", CodeFault::Unknown),
            ("FIRST", CodeFault::FirstOnly),
            ("OVER", CodeFault::Expired),
            ("LARGE", CodeFault::BelowMinimum(least)),
            ("EURO", CodeFault::NotCovered),
        ] {
            assert_eq!(quote(typed).await, fault(why), "{typed}");
        }
        assert_eq!(quote("ENOUGH").await, None);
        assert_eq!(quote(&"x".repeat(501)).await, fault(CodeFault::Unknown));
        let covered = house.basic.product == house.pro.product;
        assert_eq!(quote("PRO").await.is_none(), covered);

        // Where the merchant doesn't want codes, none is looked at.
        let (portal, viewer) = house.enter(&customer).await;
        let wishes = wish(&house, &id, &house.pro).await;
        let typed = Some("ENOUGH".to_owned());
        assert_eq!(
            portal
                .quote(&viewer, &id, wishes, typed.clone())
                .await
                .err(),
            Some(Refusal::NotAllowed)
        );
        let page = portal
            .change_page(&viewer, &id, typed.clone())
            .await
            .unwrap();
        assert_eq!(page.code, None);

        // A discount of the customer's would be lost with a code.
        let mut row = world.find_customer(&customer).await;
        let own = world
            .engine
            .create_coupon(&world.scope, coupon())
            .await
            .unwrap();
        let discount = Discount::new(DiscountId::from_random(1), own.value, None, now);
        row.value.discount = Some(discount.unwrap());
        world.update(&mut row).await;
        let (portal, viewer) = house.enter_under(&customer, features).await;
        let page = portal.change_page(&viewer, &id, typed).await.unwrap();
        assert_eq!(page.code.unwrap().gives.err(), Some(CodeFault::NotTogether));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_redemption_goes_to_one() {
    both(|store| async move {
        let house = House::new(store).await;
        let once = NewPromotionCode {
            max_redemptions: Some(1),
            ..code(&house, coupon(), "ONCE").await
        };
        make(&house, once).await;
        let mut quotes = Vec::new();
        for _ in 0..2 {
            let (customer, id) = lives(&house).await;
            let (portal, viewer) = house.enter_under(&customer, with_codes(&house)).await;
            let wishes = wish(&house, &id, &house.pro).await;
            let quoted = portal.quote(&viewer, &id, wishes, Some("ONCE".to_owned()));
            let quoted = quoted.await.unwrap().quote;
            quotes.push((portal, viewer, quoted, id));
        }
        let (first, second) = (&quotes[0], &quotes[1]);
        first.0.confirm(&first.1, &first.2.id).await.unwrap();
        let late = second.0.confirm(&second.1, &second.2.id).await;
        assert_eq!(late.err(), Some(Refusal::Stale));
        let own = house.world.find_subscription(&second.3).await;
        assert_eq!(own.items[0].price.id, house.basic.id, "nothing changed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_lowers_what_going_on_costs() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let made = make(&house, code(&house, coupon(), "BACK").await).await;
        let (customer, id) = lives(&house).await;
        let (engine, scope) = (&world.engine, &world.scope);
        // What was paid is not given back: going on costs a whole period.
        let pause = Pause {
            unused_time_from: UnusedTimeFrom::None,
            ..Pause::default()
        };
        engine.pause_subscription(scope, &id, pause).await.unwrap();
        world.clock.advance_to(after(START, 90 * 86_400));
        let (portal, viewer) = house.enter_under(&customer, with_codes(&house)).await;
        let plain = portal.resume_page(&viewer, &id, None).await.unwrap();
        assert!(plain.codes && plain.code.is_none());
        assert_eq!(plain.due.minor, 2_000);
        let unknown = Some("NOSUCH".to_owned());
        let page = portal
            .resume_page(&viewer, &id, unknown.clone())
            .await
            .unwrap();
        assert_eq!(page.due, plain.due);
        assert_eq!(page.code.unwrap().gives.err(), Some(CodeFault::Unknown));
        let refused = portal.resume(&viewer, &id, 2_000, unknown).await;
        assert_eq!(refused.err(), fault(CodeFault::Unknown));

        let typed = Some("back".to_owned());
        let page = portal
            .resume_page(&viewer, &id, typed.clone())
            .await
            .unwrap();
        assert!(page.code.unwrap().gives.is_ok());
        assert_eq!(page.due.minor, 1_800);
        // What was shown without the code is not what is charged with it.
        let stale = portal.resume(&viewer, &id, 2_000, typed.clone()).await;
        assert_eq!(stale.err(), Some(Refusal::Stale));
        let settled = portal.resume(&viewer, &id, 1_800, typed).await.unwrap();
        assert!(
            matches!(&settled, Settled::Done { charged, .. } if *charged == page.due),
            "{settled:?}"
        );
        let found: Stored<PromotionCode> = engine.find(scope, made.id.as_str()).await.unwrap();
        assert_eq!(found.times_redeemed, 1);
        // A merchant who lets nobody enter codes is not asked for one here either.
        let (closed, stranger) = house.enter(&customer).await;
        let refused = closed.resume(&stranger, &id, 0, Some("BACK".to_owned()));
        assert!(refused.await.is_err());
    })
    .await;
}
