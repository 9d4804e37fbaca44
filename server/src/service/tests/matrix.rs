//! Every pair of what can be done to a subscription, and every so-many-th triple, in any order, through
//! the use cases: each leaves it in a sane state, and the books in order. One world lives through all
//! of them at once, each on a subscription and a customer of its own.
//!
//! (The domain's own matrix, in `src/subscription/tests/matrix.rs`, goes through all triples.)

use perennial::calendar::{Cadence, Timestamp};
use perennial::catalog::Price;
use perennial::id::{CustomerId, SubscriptionId};
use perennial::portal::ScheduleCondition;
use perennial::subscription::{
    BillingMode, ItemChange, MissingPaymentMethod, PauseBehavior, PauseCollection,
    ProrationBehavior, ResumeTerms, Status, Subscription, UnusedTimeFrom,
};

use super::world::{START, World, after};
use crate::service::Refused;
use crate::service::subscriptions::{
    Cancel, NewItem, NewSubscription, Pause, PaymentBehavior, Resume, ResumePayment,
};
use crate::service::updates::{EndAt, SubscriptionUpdate, TrialEnd, UpdateItem};
use crate::store::tests::both;

const DAY: i64 = 86_400;
/// Of the triples, each of so many is lived.
const TRIPLES_STEP: usize = 97;

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    PauseAndCredit,
    PauseOnInvoice,
    PauseForNothing,
    PauseUntil,
    Resume,
    ResumeUnchanged,
    ResumeOncePaid,
    EndWithPeriod,
    EndSoon,
    EndLater,
    Keep,
    EndNow,
    EndNowOnInvoice,
    Dearer,
    DearerOncePaid,
    FewerLater,
    SeatsUp,
    SeatsDown,
    AddOn,
    GiveTrial,
    EndTrial,
    Restart,
    StopCollecting,
    Collect,
    FailingCard,
    GoodCard,
    VoidNewest,
    Wait,
}

use Act::{
    AddOn, Collect, Dearer, DearerOncePaid, EndLater, EndNow, EndNowOnInvoice, EndSoon, EndTrial,
    EndWithPeriod, FailingCard, FewerLater, GiveTrial, GoodCard, Keep, PauseAndCredit,
    PauseForNothing, PauseOnInvoice, PauseUntil, Restart, Resume as GoOn, ResumeOncePaid,
    ResumeUnchanged, SeatsDown, SeatsUp, StopCollecting, VoidNewest, Wait,
};

const ACTS: [Act; 28] = [
    PauseAndCredit,
    PauseOnInvoice,
    PauseForNothing,
    PauseUntil,
    GoOn,
    ResumeUnchanged,
    ResumeOncePaid,
    EndWithPeriod,
    EndSoon,
    EndLater,
    Keep,
    EndNow,
    EndNowOnInvoice,
    Dearer,
    DearerOncePaid,
    FewerLater,
    SeatsUp,
    SeatsDown,
    AddOn,
    GiveTrial,
    EndTrial,
    Restart,
    StopCollecting,
    Collect,
    FailingCard,
    GoodCard,
    VoidNewest,
    Wait,
];

const BEHAVIORS: [ProrationBehavior; 3] = [
    ProrationBehavior::CreateProrations,
    ProrationBehavior::AlwaysInvoice,
    ProrationBehavior::None,
];

/// One subscription with what is done to it.
struct Life {
    customer: CustomerId,
    id: SubscriptionId,
    acts: Vec<Act>,
    behavior: ProrationBehavior,
}

struct Town {
    world: World,
    dearer: Price,
    extra: Price,
    lives: Vec<Life>,
}

/// Rules may refuse; nothing may break.
fn allowed<T>(life: &Life, result: Result<T, Refused>) {
    if let Err(refused @ (Refused::Defect(_) | Refused::Store(_) | Refused::Busy)) = result {
        panic!("{:?} {:?}: {refused:?}", life.acts, life.behavior);
    }
}

impl Town {
    async fn begin(world: World, wanted: Vec<Vec<Act>>) -> Self {
        let base = world.price(1_999, Cadence::MONTHLY).await;
        let dearer = world.price(4_999, Cadence::MONTHLY).await;
        let extra = world.price(700, Cadence::MONTHLY).await;
        let mut lives = Vec::with_capacity(wanted.len());
        for (index, acts) in wanted.into_iter().enumerate() {
            let customer = world.customer_with("pm_card_visa").await;
            let items = vec![NewItem::new(base.id.clone(), 2)];
            let mut new = NewSubscription::new(customer.clone(), items);
            match index % 5 {
                1 => {
                    new.trial_end = Some(after(START, 10 * DAY));
                    new.trial_missing_payment_method = MissingPaymentMethod::Pause;
                }
                2 => new.billing_cycle_anchor = Some(after(START, 12 * DAY)),
                3 => new.backdate_start = Some(after(START, -40 * DAY)),
                4 => new.billing_mode = BillingMode::Classic,
                _ => {}
            }
            let id = world.create(new).await.unwrap().value.id;
            lives.push(Life {
                customer,
                id,
                acts,
                behavior: BEHAVIORS[(index / 5) % BEHAVIORS.len()],
            });
        }
        Self {
            world,
            dearer,
            extra,
            lives,
        }
    }

    async fn act(&self, life: &Life, act: Act) {
        let (engine, scope, id) = (&self.world.engine, &self.world.scope, &life.id);
        let now = engine.now();
        match act {
            PauseAndCredit | PauseOnInvoice | PauseForNothing | PauseUntil => {
                let pause = Pause {
                    unused_time_from: match act {
                        PauseForNothing => UnusedTimeFrom::None,
                        _ => UnusedTimeFrom::Now,
                    },
                    invoice_now: act == PauseOnInvoice,
                    resumes_at: (act == PauseUntil).then(|| after(now, 15 * DAY)),
                    ..Pause::default()
                };
                allowed(life, engine.pause_subscription(scope, id, pause).await);
            }
            GoOn | ResumeUnchanged | ResumeOncePaid => {
                let resume = Resume {
                    terms: ResumeTerms {
                        keeps_anchor: act == ResumeUnchanged,
                        proration_behavior: life.behavior,
                    },
                    payment: match act {
                        ResumeOncePaid => ResumePayment::OnSuccess,
                        _ => ResumePayment::OnAttempt,
                    },
                    ..Resume::default()
                };
                allowed(life, engine.resume_subscription(scope, id, resume).await);
            }
            EndNow | EndNowOnInvoice => {
                let cancel = Cancel {
                    prorate: true,
                    invoice_now: act == EndNowOnInvoice,
                    ..Cancel::default()
                };
                allowed(life, engine.cancel_subscription(scope, id, cancel).await);
            }
            FailingCard | GoodCard => {
                let card = match act {
                    GoodCard => "pm_card_visa",
                    _ => "pm_card_chargeCustomerFail",
                };
                self.world.card(&life.customer, card).await;
            }
            VoidNewest => {
                let own = self.world.find_subscription(id).await;
                if let Some(newest) = &own.latest_invoice {
                    allowed(life, engine.void_invoice(scope, newest).await);
                }
            }
            FewerLater => {
                let own = self.world.find_subscription(id).await;
                let wish = vec![ItemChange::Set {
                    item: own.items[0].id.clone(),
                    price: None,
                    quantity: Some(1),
                }];
                let waits = [ScheduleCondition::DecreasingItemAmount];
                let quote = engine.quote_change(scope, id, wish, life.behavior, &waits);
                match quote.await {
                    Ok(quote) => allowed(life, engine.confirm_quote(scope, &quote.id, true).await),
                    refused => allowed(life, refused),
                }
            }
            Wait => {}
            _ => {
                let update = self.update(life, act, now).await;
                allowed(life, engine.update_subscription(scope, id, update).await);
            }
        }
    }

    async fn update(&self, life: &Life, act: Act, now: Timestamp) -> SubscriptionUpdate {
        let own = self.world.find_subscription(&life.id).await;
        let first = || UpdateItem {
            id: Some(own.items[0].id.clone()),
            ..UpdateItem::default()
        };
        let mut update = SubscriptionUpdate {
            proration_behavior: life.behavior,
            ..SubscriptionUpdate::default()
        };
        match act {
            Dearer | DearerOncePaid => {
                update.items.push(UpdateItem {
                    price: Some(self.dearer.id.clone().into()),
                    quantity: Some(own.items[0].quantity),
                    ..first()
                });
                if act == DearerOncePaid {
                    update.payment_behavior = PaymentBehavior::PendingIfIncomplete;
                }
            }
            SeatsUp | SeatsDown => update.items.push(UpdateItem {
                quantity: Some(if act == SeatsUp { 5 } else { 1 }),
                ..first()
            }),
            AddOn => update.items.push(UpdateItem {
                price: Some(self.extra.id.clone().into()),
                ..UpdateItem::default()
            }),
            EndWithPeriod => update.cancel_at_period_end = Some(true),
            EndSoon => update.cancel_at = Some(Some(EndAt::Moment(after(now, 5 * DAY)))),
            EndLater => update.cancel_at = Some(Some(EndAt::Moment(after(now, 45 * DAY)))),
            Keep => update.cancel_at = Some(None),
            GiveTrial => update.trial_end = Some(TrialEnd::At(after(now, 10 * DAY))),
            EndTrial => update.trial_end = Some(TrialEnd::Now),
            Restart => update.billing_cycle_anchor_now = true,
            StopCollecting => {
                update.pause_collection = Some(Some(PauseCollection {
                    behavior: PauseBehavior::Void,
                    resumes_at: Some(after(now, 12 * DAY)),
                }));
            }
            _ => update.pause_collection = Some(None),
        }
        update
    }

    async fn check(&self, stage: usize) {
        let now = self.world.engine.now();
        for life in &self.lives {
            let own = self.world.find_subscription(&life.id).await;
            let problem = insane(&own, now);
            assert_eq!(
                problem, None,
                "after {stage} of {:?} with {:?}: {:?}",
                life.acts, life.behavior, own.value
            );
        }
        let audit = self.world.engine.audit(&self.world.scope).await.unwrap();
        let named: Vec<_> = audit
            .exceptions
            .iter()
            .map(|found| {
                let lives = self.lives.iter();
                let about = lives.filter(|life| {
                    found.message.contains(life.id.as_str())
                        || found.object == life.id.as_str()
                        || found.object == life.customer.as_str()
                });
                let acts: Vec<_> = about.map(|life| (&life.acts, life.behavior)).collect();
                format!("{found:?} {acts:?}")
            })
            .collect();
        assert!(named.is_empty(), "after stage {stage}: {named:#?}");
        for book in audit.books.values() {
            assert_eq!(book.explained_minor, book.moved_minor);
        }
    }
}

/// What is wrong with how a subscription stands, if anything is.
fn insane(own: &Subscription, now: Timestamp) -> Option<&'static str> {
    let running = own.status.is_billing() && own.status != Status::Incomplete;
    let checks = [
        (
            (own.status == Status::Paused) == own.paused.is_some(),
            "paused without a pause, or the other way round",
        ),
        (
            own.status.is_final() == own.ended_at.is_some(),
            "over without an end, or the other way round",
        ),
        (
            own.next_due_at().is_none_or(|at| at > now),
            "something is overdue",
        ),
        (
            own.status.is_final() || own.cancel_at.is_none_or(|end| end > now),
            "its end has passed",
        ),
        (
            own.status != Status::Trialing || own.trial_end > Some(now),
            "a trial that is over",
        ),
        (
            !running
                || own
                    .items
                    .iter()
                    .all(|item| item.current_period.contains(now)),
            "no running period",
        ),
        (
            !running
                || own
                    .cancel_at
                    .is_none_or(|end| own.items.iter().all(|item| item.current_period.end <= end)),
            "a period beyond the end",
        ),
        (
            own.status == Status::Paused
                || own
                    .scheduled_change
                    .as_ref()
                    .is_none_or(|change| change.at > now),
            "a change that should have been made",
        ),
        (
            own.pending_update
                .as_ref()
                .is_none_or(|update| update.expires_at > now),
            "a change that waits for ever",
        ),
    ];
    checks
        .into_iter()
        .find(|(holds, _)| !holds)
        .map(|(_, problem)| problem)
}

async fn live(world: World, wanted: Vec<Vec<Act>>) {
    let stages = wanted.iter().map(Vec::len).max().unwrap_or(0);
    let town = Town::begin(world, wanted).await;
    town.check(0).await;
    for stage in 0..stages {
        let now = town.world.engine.now();
        town.world.live_until(after(now, 7 * DAY + 12_345)).await;
        for life in &town.lives {
            if let Some(act) = life.acts.get(stage) {
                town.act(life, *act).await;
            }
        }
        town.world.sweep().await;
        town.check(stage + 1).await;
    }
    let end = after(town.world.engine.now(), 70 * DAY);
    town.world.live_until(end).await;
    town.check(stages + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pair_of_acts_leaves_a_sane_state_and_the_books_in_order() {
    both(|store| async move {
        let pairs = ACTS
            .iter()
            .flat_map(|first| ACTS.iter().map(|second| vec![*first, *second]));
        live(World::new(store).await, pairs.collect()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn some_of_all_triples_of_acts_do_too() {
    both(|store| async move {
        let count = ACTS.len();
        let triples = (0..count.pow(3)).step_by(TRIPLES_STEP).map(|number| {
            let act = |place: u32| ACTS[number / count.pow(place) % count];
            vec![act(2), act(1), act(0)]
        });
        live(World::seeded(store, 11).await, triples.collect()).await;
    })
    .await;
}
