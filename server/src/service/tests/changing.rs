//! Changing a subscription: quotes that bind, changes at once, changes that wait.

use perennial::calendar::Cadence;
use perennial::catalog::{Price, UsageType};
use perennial::currency::Currency;
use perennial::id::{CustomerId, SubscriptionId, SubscriptionItemId};
use perennial::invoice::{BillingReason, InvoiceStatus, LineKind};
use perennial::portal::ScheduleCondition;
use perennial::quote::{QUOTE_SECONDS, Quote};
use perennial::subscription::{ItemChange, ProrationBehavior, ResumeTerms, Status, UnusedTimeFrom};

use super::world::{World, after, at};
use crate::gateway::sandbox::Fault;
use crate::service::Refused;
use crate::service::payments::PaymentResult;
use crate::service::subscriptions::{Pause, Resume, ResumePayment};
use crate::service::updates::{EndAt, SubscriptionUpdate, TrialEnd, UpdateItem};
use crate::store::document::Stored;
use crate::store::tests::both;

const HOUR: i64 = 3_600;

/// A subscription to 2,800 a month from January 31, on February 14: half of a period of 28 days.
struct Half {
    world: World,
    customer: CustomerId,
    id: SubscriptionId,
    item: SubscriptionItemId,
    dear: Price,
    cheap: Price,
    yearly: Price,
}

impl Half {
    async fn new(store: crate::store::Store) -> Self {
        let world = World::new(store).await;
        let price = world.price(2_800, Cadence::MONTHLY).await;
        let dear = world.price(5_600, Cadence::MONTHLY).await;
        let cheap = world.price(1_400, Cadence::MONTHLY).await;
        let yearly = world.price(28_000, Cadence::YEARLY).await;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &price).await;
        world.live_until(at(2026, 2, 14)).await;
        let item = world.find_subscription(&id).await.items[0].id.clone();
        Self {
            world,
            customer,
            id,
            item,
            dear,
            cheap,
            yearly,
        }
    }

    fn to(&self, price: &Price) -> Vec<ItemChange> {
        let (item, price) = (self.item.clone(), Some(price.clone()));
        vec![ItemChange::Set {
            item,
            price,
            quantity: None,
        }]
    }

    /// A quote of a change to `price`, billed at once.
    async fn quote(&self, price: &Price) -> Stored<Quote> {
        let (engine, scope) = (&self.world.engine, &self.world.scope);
        let quote = engine.quote_change(scope, &self.id, self.to(price), NOW, &[]);
        quote.await.unwrap()
    }

    fn update(&self, price: &Price, behavior: ProrationBehavior) -> SubscriptionUpdate {
        SubscriptionUpdate {
            items: vec![UpdateItem {
                id: Some(self.item.clone()),
                price: Some(price.id.clone().into()),
                ..UpdateItem::default()
            }],
            proration_behavior: behavior,
            ..SubscriptionUpdate::default()
        }
    }
}

const NOW: ProrationBehavior = ProrationBehavior::AlwaysInvoice;
const LATER: ProrationBehavior = ProrationBehavior::CreateProrations;

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_quote_charges_exactly_its_amounts_once() {
    both(|store| async move {
        let half = Half::new(store).await;
        let (engine, scope) = (&half.world.engine, &half.world.scope);
        let quote = half.quote(&half.dear).await;
        // Half of each: -1,400 and +2,800.
        assert_eq!(quote.terms.due_now_minor, 1_400);
        assert_eq!(quote.terms.next_invoice_minor, 5_600);
        half.world.clock.advance_to(after(at(2026, 2, 14), 600));
        let done = engine.confirm_quote(scope, &quote.id, true).await.unwrap();
        assert!(matches!(done.payment, Some(PaymentResult::Paid { .. })));
        let invoice = done.invoice.unwrap();
        assert_eq!(invoice.billing_reason, BillingReason::SubscriptionUpdate);
        assert_eq!(
            (invoice.totals.total_minor, invoice.amount_paid_minor),
            (1_400, 1_400)
        );
        assert_eq!(done.subscription.items[0].price.id, half.dear.id);
        assert_eq!(half.world.charges().await, 2);

        // Again: the same answer, no charge.
        let again = engine.confirm_quote(scope, &quote.id, true).await.unwrap();
        assert_eq!(again.invoice.unwrap().id, invoice.id);
        assert!(matches!(again.payment, Some(PaymentResult::Paid { .. })));
        assert_eq!(half.world.charges().await, 2);

        // The next invoice is what was said.
        half.world.live_until(after(at(2026, 2, 28), HOUR)).await;
        assert_eq!(half.world.latest(&half.id).await.totals.total_minor, 5_600);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_is_stale_after_anything_it_depends_on_changed() {
    both(|store| async move {
        let half = Half::new(store).await;
        let (engine, scope) = (&half.world.engine, &half.world.scope);
        let stale = async |id| {
            let charges = half.world.charges().await;
            let refused = engine.confirm_quote(scope, id, true).await;
            assert!(matches!(refused, Err(Refused::Stale)), "{refused:?}");
            assert_eq!(half.world.charges().await, charges);
        };

        // Another change of the subscription.
        let (one, two) = (half.quote(&half.dear).await, half.quote(&half.cheap).await);
        engine.confirm_quote(scope, &one.id, true).await.unwrap();
        stale(&two.id).await;

        // The customer's balance.
        let three = half.quote(&half.yearly).await;
        let mut customer = half.world.find_customer(&half.customer).await;
        customer.balance_minor = -5;
        half.world.update(&mut customer).await;
        stale(&three.id).await;

        // A new name changes no amount.
        let four = half.quote(&half.cheap).await;
        let mut customer = half.world.find_customer(&half.customer).await;
        customer.name = Some("Countess".to_owned());
        half.world.update(&mut customer).await;
        engine.confirm_quote(scope, &four.id, true).await.unwrap();

        // Its age.
        let five = half.quote(&half.dear).await;
        half.world
            .clock
            .advance_to(after(engine.now(), QUOTE_SECONDS));
        stale(&five.id).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_confirmations_charge_once() {
    both(|store| async move {
        let half = Half::new(store).await;
        let (engine, scope) = (&half.world.engine, &half.world.scope);
        let quote = half.quote(&half.dear).await;
        let tries = (0..4).map(|_| {
            let (engine, scope, id) = (engine.clone(), scope.clone(), quote.id.clone());
            tokio::spawn(async move { engine.confirm_quote(&scope, &id, true).await })
        });
        for one in tries.collect::<Vec<_>>() {
            let done = one.await.unwrap().unwrap();
            assert!(
                matches!(done.payment, Some(PaymentResult::Paid { .. })),
                "{done:?}"
            );
        }
        assert_eq!(half.world.charges().await, 2);
        assert_eq!(half.world.invoices(&half.customer).await.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_confirmation_is_one_charge() {
    for fault in [Fault::LoseAnswer, Fault::LoseRequest] {
        both(|store| async move {
            let half = Half::new(store).await;
            let (engine, scope) = (&half.world.engine, &half.world.scope);
            let quote = half.quote(&half.dear).await;
            half.world.bank.inject(fault);
            let lost = engine.confirm_quote(scope, &quote.id, true).await.unwrap();
            assert!(
                matches!(lost.payment, Some(PaymentResult::Unknown { .. })),
                "{lost:?}"
            );
            let found = engine.confirm_quote(scope, &quote.id, true).await.unwrap();
            assert!(
                matches!(found.payment, Some(PaymentResult::Paid { .. })),
                "{found:?}"
            );
            assert_eq!(half.world.charges().await, 2);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_anything_to_pay_with_a_quote_changes_nothing() {
    both(|store| async move {
        let half = Half::new(store).await;
        let (engine, scope) = (&half.world.engine, &half.world.scope);
        let quote = half.quote(&half.dear).await;
        let mut customer = half.world.find_customer(&half.customer).await;
        customer.default_payment_method = None;
        half.world.update(&mut customer).await;
        let before = half.world.find_subscription(&half.id).await;
        let refused = engine
            .confirm_quote(scope, &quote.id, true)
            .await
            .unwrap_err();
        assert!(matches!(
            refused,
            Refused::State {
                code: Some("resource_missing"),
                ..
            }
        ));
        assert_eq!(half.world.find_subscription(&half.id).await, before);
        // With a card again, the quote still binds.
        half.world.card(&half.customer, "pm_card_visa").await;
        engine.confirm_quote(scope, &quote.id, true).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_change_stands_and_is_past_due() {
    both(|store| async move {
        let half = Half::new(store).await;
        let (engine, scope) = (&half.world.engine, &half.world.scope);
        half.world
            .card(&half.customer, "pm_card_chargeCustomerFail")
            .await;
        let quote = half.quote(&half.dear).await;
        let done = engine.confirm_quote(scope, &quote.id, true).await.unwrap();
        assert!(matches!(done.payment, Some(PaymentResult::Declined { .. })));
        assert_eq!(done.subscription.status, Status::PastDue);
        assert_eq!(done.subscription.items[0].price.id, half.dear.id);
        assert!(done.invoice.unwrap().next_payment_attempt.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_downgrade_waits_for_the_end_of_the_period() {
    both(|store| async move {
        let half = Half::new(store).await;
        let (engine, scope) = (&half.world.engine, &half.world.scope);
        let conditions = [ScheduleCondition::DecreasingItemAmount];
        let wish = half.to(&half.cheap);
        let quote = engine
            .quote_change(scope, &half.id, wish.clone(), NOW, &conditions)
            .await
            .unwrap();
        assert!(quote.terms.scheduled);
        assert_eq!(quote.terms.due_now_minor, 0);
        let done = engine.confirm_quote(scope, &quote.id, true).await.unwrap();
        assert!(done.invoice.is_none() && done.payment.is_none());
        assert_eq!(
            done.subscription.items[0].price.pricing.amount_minor(1),
            Ok(2_800)
        );

        // Taken back, and wished for again.
        engine.undo_scheduled_change(scope, &half.id).await.unwrap();
        let again = engine.undo_scheduled_change(scope, &half.id).await;
        assert!(matches!(again, Err(Refused::State { .. })), "{again:?}");
        let quote = engine
            .quote_change(scope, &half.id, wish, NOW, &conditions)
            .await
            .unwrap();
        engine.confirm_quote(scope, &quote.id, true).await.unwrap();
        half.world.live_until(after(at(2026, 2, 28), HOUR)).await;
        let now = half.world.find_subscription(&half.id).await;
        assert_eq!(now.items[0].price.id, half.cheap.id);
        assert_eq!(now.scheduled_change, None);
        let invoice = half.world.latest(&half.id).await;
        assert_eq!(
            (invoice.totals.total_minor, invoice.status),
            (1_400, InvoiceStatus::Paid)
        );
    })
    .await;
}

/// How long a pause lasts, how it ends, whether the change is made then, and what is billed at once
/// (of 2,800 for 28 days, with the unused fourteen given back as 1,400 on the same invoice).
const PAUSES: [(i64, bool, bool, Option<i64>); 4] = [
    // In the period that was paid: new periods start, on the new terms.
    (4, false, true, Some(0)),
    // The old period goes on, and the change waits for its end as before.
    (4, true, false, None),
    // The pause outlived the period.
    (40, false, true, Some(0)),
    (40, true, true, None),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_change_outlives_a_pause() {
    for (days, keeps_anchor, made, billed) in PAUSES {
        both(|store| async move {
            let half = Half::new(store).await;
            let (engine, scope) = (&half.world.engine, &half.world.scope);
            let conditions = [ScheduleCondition::DecreasingItemAmount];
            let wish = half.to(&half.cheap);
            let quote = engine.quote_change(scope, &half.id, wish, NOW, &conditions);
            let quote = quote.await.unwrap();
            engine.confirm_quote(scope, &quote.id, true).await.unwrap();
            let paused = engine.pause_subscription(scope, &half.id, Pause::default());
            let paused = paused.await.unwrap();
            assert!(paused.scheduled_change.is_some() && paused.schedule.is_some());
            half.world
                .live_until(after(at(2026, 2, 14), days * 24 * HOUR))
                .await;
            let still = half.world.find_subscription(&half.id).await;
            assert_eq!(still.items[0].price.id, paused.items[0].price.id);
            let resume = Resume {
                terms: ResumeTerms {
                    keeps_anchor,
                    proration_behavior: LATER,
                },
                ..Resume::default()
            };
            let on = engine.resume_subscription(scope, &half.id, resume).await;
            let on = on.unwrap();
            assert_eq!(on.status, Status::Active);
            assert_eq!(on.items[0].price.id == half.cheap.id, made);
            assert_eq!(on.scheduled_change.is_none(), made);
            assert_eq!(on.schedule.is_none(), made);
            let newest = half.world.latest(&half.id).await;
            if let Some(total) = billed {
                assert_eq!(newest.totals.total_minor, total, "1,400 less 1,400");
            }
            half.world.live_until(at(2026, 6, 20)).await;
            let now = half.world.find_subscription(&half.id).await;
            assert_eq!(now.items[0].price.id, half.cheap.id);
            let newest = half.world.latest(&half.id).await;
            assert_eq!(newest.totals.total_minor, 1_400);
            let audit = engine.audit(scope).await.unwrap();
            assert!(audit.exceptions.is_empty(), "{:?}", audit.exceptions);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumption_that_is_never_paid_leaves_the_change_waiting() {
    both(|store| async move {
        let half = Half::new(store).await;
        let (engine, scope) = (&half.world.engine, &half.world.scope);
        let conditions = [ScheduleCondition::DecreasingItemAmount];
        let wish = half.to(&half.cheap);
        let quote = engine.quote_change(scope, &half.id, wish, NOW, &conditions);
        let quote = quote.await.unwrap();
        engine.confirm_quote(scope, &quote.id, true).await.unwrap();
        let pause = Pause {
            unused_time_from: UnusedTimeFrom::None,
            ..Pause::default()
        };
        engine
            .pause_subscription(scope, &half.id, pause)
            .await
            .unwrap();
        half.world.live_until(at(2026, 4, 1)).await;
        half.world
            .card(&half.customer, "pm_card_chargeCustomerFail")
            .await;
        let resume = Resume {
            payment: ResumePayment::OnSuccess,
            ..Resume::default()
        };
        let waits = engine.resume_subscription(scope, &half.id, resume).await;
        assert_eq!(waits.unwrap().status, Status::Paused);
        let billed = half.world.latest(&half.id).await;
        assert_eq!(billed.totals.total_minor, 1_400, "on the new terms");
        half.world.live_until(at(2026, 4, 3)).await;
        let still = half.world.find_subscription(&half.id).await;
        assert_eq!(still.status, Status::Paused);
        assert!(still.resumption().is_none() && still.scheduled_change.is_some());
        assert_ne!(still.items[0].price.id, half.cheap.id);
        half.world.card(&half.customer, "pm_card_visa").await;
        let on = engine.resume_subscription(scope, &half.id, Resume::default());
        let on = on.await.unwrap();
        assert_eq!(on.items[0].price.id, half.cheap.id);
        assert_eq!((on.status, &on.schedule), (Status::Active, &None));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_change_to_a_price_that_is_gone_is_dropped() {
    both(|store| async move {
        let half = Half::new(store).await;
        let (engine, scope) = (&half.world.engine, &half.world.scope);
        let conditions = [ScheduleCondition::DecreasingItemAmount];
        let wish = half.to(&half.cheap);
        let quote = engine
            .quote_change(scope, &half.id, wish, NOW, &conditions)
            .await
            .unwrap();
        engine.confirm_quote(scope, &quote.id, true).await.unwrap();
        let mut own = half.world.find_subscription(&half.id).await;
        for change in &mut own.scheduled_change.as_mut().unwrap().items {
            if let ItemChange::Set {
                price: Some(price), ..
            } = change
            {
                price.active = false;
            }
        }
        half.world.update(&mut own).await;
        half.world.live_until(after(at(2026, 2, 28), HOUR)).await;
        let now = half.world.find_subscription(&half.id).await;
        assert_eq!(
            (now.status, now.scheduled_change.clone()),
            (Status::Active, None)
        );
        assert_eq!(half.world.latest(&half.id).await.totals.total_minor, 2_800);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prorations_wait_for_the_next_invoice_unless_billed_at_once() {
    both(|store| async move {
        let half = Half::new(store).await;
        let (engine, scope) = (&half.world.engine, &half.world.scope);
        let update = half.update(&half.dear, LATER);
        let (_, payment) = engine
            .update_subscription(scope, &half.id, update)
            .await
            .unwrap();
        assert!(payment.is_none());
        let next = engine.upcoming(scope, &half.id).await.unwrap().unwrap();
        assert_eq!(next.invoice.totals.total_minor, 5_600 - 1_400 + 2_800);
        half.world.live_until(after(at(2026, 2, 28), HOUR)).await;
        let invoice = half.world.latest(&half.id).await;
        let kinds: Vec<_> = invoice
            .lines
            .iter()
            .map(|own| (own.kind, own.amount_minor))
            .collect();
        assert_eq!(
            kinds,
            [
                (LineKind::Recurring, 5_600),
                (LineKind::UnusedTime, -1_400),
                (LineKind::RemainingTime, 2_800),
            ]
        );
        // The preview was the invoice.
        assert_eq!(invoice.totals, next.invoice.totals);
        assert_eq!(invoice.amount_due_minor, next.invoice.amount_due_minor);
        assert_eq!(invoice.status, InvoiceStatus::Paid);
        // They are taken up once.
        let next = engine.upcoming(scope, &half.id).await.unwrap().unwrap();
        assert_eq!(next.invoice.totals.total_minor, 5_600);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cheaper_change_at_once_leaves_credit_that_the_next_invoice_uses() {
    both(|store| async move {
        let half = Half::new(store).await;
        let (engine, scope) = (&half.world.engine, &half.world.scope);
        let update = half.update(&half.cheap, NOW);
        engine
            .update_subscription(scope, &half.id, update)
            .await
            .unwrap();
        let invoice = half.world.latest(&half.id).await;
        assert_eq!(
            (invoice.totals.total_minor, invoice.status),
            (-700, InvoiceStatus::Paid)
        );
        assert_eq!(
            half.world.find_customer(&half.customer).await.balance_minor,
            -700
        );
        half.world.live_until(after(at(2026, 2, 28), HOUR)).await;
        let invoice = half.world.latest(&half.id).await;
        assert_eq!(
            (invoice.totals.total_minor, invoice.amount_due_minor),
            (1_400, 700)
        );
        assert_eq!(
            (invoice.starting_balance_minor, invoice.ending_balance_minor),
            (-700, Some(0))
        );
        let ledger = half.world.ledger(&half.customer).await;
        assert_eq!(ledger.iter().map(|own| own.amount_minor).sum::<i64>(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn monthly_to_yearly_starts_a_year_today() {
    both(|store| async move {
        let half = Half::new(store).await;
        let (engine, scope) = (&half.world.engine, &half.world.scope);
        let update = half.update(&half.yearly, LATER);
        let (own, payment) = engine
            .update_subscription(scope, &half.id, update)
            .await
            .unwrap();
        assert!(matches!(payment, Some(PaymentResult::Paid { .. })));
        assert_eq!(own.items[0].current_period.start, at(2026, 2, 14));
        assert_eq!(own.items[0].current_period.end, at(2027, 2, 14));
        assert_eq!(
            half.world.latest(&half.id).await.totals.total_minor,
            28_000 - 1_400
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_that_can_not_be_are_refused_by_name() {
    both(|store| async move {
        let half = Half::new(store).await;
        let (engine, scope) = (&half.world.engine, &half.world.scope);
        let yen = half
            .world
            .price_in(300, Cadence::MONTHLY, Currency::JPY, UsageType::Licensed)
            .await;
        let before = half.world.find_subscription(&half.id).await;
        let item = |wish: UpdateItem| SubscriptionUpdate {
            items: vec![wish],
            ..SubscriptionUpdate::default()
        };
        let (id, none) = (Some(half.item.clone()), UpdateItem::default());
        let cases = [
            (
                item(UpdateItem {
                    price: Some(yen.id.clone().into()),
                    ..none.clone()
                }),
                "items",
            ),
            (
                item(UpdateItem {
                    id: id.clone(),
                    deleted: true,
                    ..none.clone()
                }),
                "items",
            ),
            (
                item(UpdateItem {
                    quantity: Some(3),
                    ..none.clone()
                }),
                "items[0][price]",
            ),
            (
                item(UpdateItem {
                    id: id.clone(),
                    quantity: Some(u64::MAX),
                    ..none
                }),
                "items",
            ),
            (
                SubscriptionUpdate {
                    cancel_at: Some(Some(EndAt::Moment(at(2026, 1, 1)))),
                    ..Default::default()
                },
                "cancel_at",
            ),
            (
                SubscriptionUpdate {
                    days_until_due: Some(3),
                    ..Default::default()
                },
                "days_until_due",
            ),
            (
                SubscriptionUpdate {
                    trial_end: Some(TrialEnd::At(at(2025, 1, 1))),
                    ..Default::default()
                },
                "trial_end",
            ),
        ];
        for (update, named) in cases {
            let refused = engine
                .update_subscription(scope, &half.id, update)
                .await
                .unwrap_err();
            let Refused::Invalid { param, .. } = refused else {
                panic!("{named}: {refused:?}")
            };
            assert_eq!(param, named);
        }
        assert_eq!(half.world.find_subscription(&half.id).await, before);
        engine
            .cancel_subscription(scope, &half.id, Default::default())
            .await
            .unwrap();
        let update = half.update(&half.dear, NOW);
        let refused = engine
            .update_subscription(scope, &half.id, update)
            .await
            .unwrap_err();
        let Refused::State { message, .. } = refused else {
            panic!()
        };
        let stripes =
            "A canceled subscription can only update its cancellation_details and metadata.";
        assert_eq!(message, stripes);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_can_be_ended_at_once() {
    both(|store| async move {
        let world = World::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.trial(&customer, &price, at(2026, 2, 14)).await;
        world.live_until(at(2026, 2, 5)).await;
        let update = SubscriptionUpdate {
            trial_end: Some(TrialEnd::Now),
            ..SubscriptionUpdate::default()
        };
        let (engine, scope) = (&world.engine, &world.scope);
        let (own, payment) = engine
            .update_subscription(scope, &id, update)
            .await
            .unwrap();
        assert!(
            matches!(payment, Some(PaymentResult::Paid { .. })),
            "{payment:?}"
        );
        assert_eq!(own.status, Status::Active);
        assert_eq!(own.items[0].current_period.start, at(2026, 2, 5));
        assert_eq!(own.items[0].current_period.end, at(2026, 3, 5));
        assert_eq!(world.charges().await, 1);
    })
    .await;
}
