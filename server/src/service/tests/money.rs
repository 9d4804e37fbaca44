//! Money that goes back, invoices by hand, and numbers without gaps, whatever is lost on the way. The
//! audit has the last word.

use perennial::calendar::Cadence;
use perennial::catalog::UsageType;
use perennial::credit_note::{Part, Status, Wish};
use perennial::currency::Currency;
use perennial::id::{CustomerId, InvoiceId, PaymentIntentId};
use perennial::invoice::InvoiceStatus;
use perennial::metadata::Metadata;
use perennial::refund::{Refund, RefundStatus};

use super::world::{World, after};
use crate::gateway::sandbox::Fault;
use crate::service::Refused;
use crate::service::balance::BalanceTransactionKind;
use crate::service::credit_notes::{NewCreditNote, NewLine};
use crate::service::customers::CustomerUpdate;
use crate::service::invoices::lines::LineInput;
use crate::service::invoices::manual::{AddedLine, InvoiceUpdate, LinesChange, NewInvoice};
use crate::service::refunds::NewRefund;
use crate::store::document::Stored;
use crate::store::key;
use crate::store::tests::both;

const DAY: i64 = 86_400;

/// A draft of so many cents, by hand.
pub(super) async fn drafted(world: &World, customer: &CustomerId, minor: i64) -> InvoiceId {
    let (engine, scope) = (&world.engine, &world.scope);
    let new = NewInvoice {
        customer: Some(customer.clone()),
        subscription: None,
        currency: Some(Currency::USD),
        include_pending: false,
        from_invoice: None,
        rest: InvoiceUpdate::default(),
    };
    let id = engine.create_invoice(scope, new).await.unwrap().value.id;
    let line = LineInput {
        amount_minor: Some(minor),
        description: Some(Some("By hand".to_owned())),
        ..LineInput::default()
    };
    let change = LinesChange::Add(vec![AddedLine::New(Box::new(line))]);
    engine.change_lines(scope, &id, change).await.unwrap();
    id
}

pub(crate) async fn paid(
    world: &World,
    customer: &CustomerId,
    minor: i64,
) -> (InvoiceId, PaymentIntentId) {
    let id = drafted(world, customer, minor).await;
    world.pay(&id, None).await.unwrap();
    let invoice = world.find_invoice(&id).await;
    assert_eq!(invoice.status, InvoiceStatus::Paid);
    (id, invoice.payment_intent.clone().unwrap())
}

pub(super) async fn holds(world: &World) {
    let audit = world.engine.audit(&world.scope).await.unwrap();
    assert_eq!(audit.exceptions, []);
    for book in audit.books.values() {
        assert_eq!(book.explained_minor, book.moved_minor);
    }
}

fn refund(intent: &PaymentIntentId, amount_minor: Option<i64>) -> NewRefund {
    NewRefund {
        payment_intent: intent.clone(),
        amount_minor,
        reason: None,
        metadata: Metadata::default(),
    }
}

fn note(invoice: &InvoiceId, wish: Wish) -> NewCreditNote {
    NewCreditNote {
        invoice: invoice.clone(),
        lines: Vec::new(),
        wish,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_have_no_gap_however_many_write_at_once() {
    both(|store| async move {
        let world = World::new(store).await;
        let customer = world.customer().await;
        let mut drafts = Vec::new();
        for minor in 1..=12 {
            drafts.push(drafted(&world, &customer, minor * 100).await);
        }
        let writers = drafts.iter().map(|id| {
            let (engine, scope, id) = (world.engine.clone(), world.scope.clone(), id.clone());
            // Whoever was overtaken too often asks again, as a client would.
            tokio::spawn(async move {
                loop {
                    match engine.finalize_invoice(&scope, &id).await {
                        Err(Refused::Busy) => {}
                        other => return other,
                    }
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        for writer in writers {
            writer.await.unwrap().unwrap();
        }
        let mut numbers: Vec<u32> = Vec::new();
        for invoice in world.invoices(&customer).await {
            let number = invoice.number.clone().unwrap();
            numbers.push(number.rsplit('-').next().unwrap().parse().unwrap());
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=12).collect::<Vec<u32>>());
        holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_merchants_numbers_have_no_gap_however_many_write_at_once() {
    both(|store| async move {
        let world = World::new(store).await;
        let change = |own: &mut crate::merchant::Merchant| {
            own.numbering = crate::merchant::InvoiceNumbering::Account;
            own.invoice_prefix = Some("HALDEN".to_owned());
            own.draft_seconds = 0;
        };
        let id = world.scope.merchant.clone();
        world.engine.update_merchant(&id, change).await.unwrap();
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let mut drafts = Vec::new();
        let mut customers = Vec::new();
        for minor in 1..=6 {
            let customer = world.customer_with("pm_card_visa").await;
            world.subscribe(&customer, &price).await;
            for part in 1..=4 {
                drafts.push(drafted(&world, &customer, minor * 100 + part * 1_000).await);
            }
            customers.push(customer);
        }
        // Renewals in batches at the same time as invoices by hand, by two processes.
        let mut other = world.engine.clone();
        other.numbering = std::sync::Arc::default();
        world.clock.advance_to(after(world.engine.now(), 31 * DAY));
        let writers = drafts.iter().enumerate().map(|(index, id)| {
            let engine = match index % 2 {
                0 => world.engine.clone(),
                _ => other.clone(),
            };
            let (scope, id) = (world.scope.clone(), id.clone());
            tokio::spawn(async move {
                loop {
                    match engine.finalize_invoice(&scope, &id).await {
                        Err(Refused::Busy) => {}
                        other => return other,
                    }
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        world.sweep().await;
        for writer in writers {
            writer.await.unwrap().unwrap();
        }
        world.live_until(after(world.engine.now(), DAY)).await;
        let mut numbers: Vec<u32> = Vec::new();
        for customer in &customers {
            for invoice in world.invoices(customer).await {
                let number = invoice.number.clone().unwrap();
                let (prefix, count) = number.split_once('-').unwrap();
                assert_eq!(prefix, "HALDEN");
                numbers.push(count.parse().unwrap());
            }
            assert_eq!(world.find_customer(customer).await.next_invoice_sequence, 1);
        }
        numbers.sort_unstable();
        // A first invoice, four by hand and a renewal for each.
        assert_eq!(numbers, (1..=36).collect::<Vec<u32>>());
        // What is voided keeps its number.
        let (engine, scope) = (&world.engine, &world.scope);
        let last = drafted(&world, &customers[0], 700).await;
        engine.finalize_invoice(scope, &last).await.unwrap();
        let void = engine.void_invoice(scope, &last).await.unwrap();
        assert_eq!(void.number.as_deref(), Some("HALDEN-0037"));
        let next = drafted(&world, &customers[1], 700).await;
        let next = engine.finalize_invoice(scope, &next).await.unwrap();
        assert_eq!(next.number.as_deref(), Some("HALDEN-0038"));
        holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_happens_once_whatever_is_lost() {
    for fault in [Fault::LoseRequest, Fault::LoseAnswer] {
        both(|store| async move {
            let world = World::new(store).await;
            let customer = world.customer_with("pm_card_visa").await;
            let (_, intent) = paid(&world, &customer, 5_000).await;
            let (engine, scope) = (&world.engine, &world.scope);
            world.bank.inject(fault);
            let made = engine
                .create_refund(scope, refund(&intent, Some(2_000)))
                .await;
            let made = made.unwrap();
            assert_eq!(made.status, RefundStatus::Pending);
            holds(&world).await;
            world.live_until(after(engine.now(), 120)).await;
            let settled: Stored<Refund> = engine.find(scope, made.id.as_str()).await.unwrap();
            assert_eq!(settled.status, RefundStatus::Succeeded);
            // The rest, and not a cent more.
            let rest = engine
                .create_refund(scope, refund(&intent, None))
                .await
                .unwrap();
            assert_eq!(rest.amount_minor, 3_000);
            assert!(
                engine
                    .create_refund(scope, refund(&intent, None))
                    .await
                    .is_err()
            );
            holds(&world).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_refunds_at_once_no_more_is_given_than_was_paid() {
    both(|store| async move {
        let world = World::new(store).await;
        let customer = world.customer_with("pm_card_visa").await;
        let (_, intent) = paid(&world, &customer, 1_000).await;
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let (engine, scope) = (world.engine.clone(), world.scope.clone());
                let wanted = refund(&intent, Some(400));
                tokio::spawn(async move { engine.create_refund(&scope, wanted).await })
            })
            .collect();
        let mut given = 0;
        for writer in writers {
            match writer.await.unwrap() {
                Ok(refund) => given += refund.amount_minor,
                Err(Refused::Invalid { .. } | Refused::Busy) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!((400..=800).contains(&given), "{given}");
        holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_wait_and_come_back() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let slow = world.customer_with("pm_card_pendingRefund").await;
        let (_, intent) = paid(&world, &slow, 1_000).await;
        let waits = engine
            .create_refund(scope, refund(&intent, None))
            .await
            .unwrap();
        assert_eq!(waits.status, RefundStatus::Pending);
        holds(&world).await;
        let bad = world.customer_with("pm_card_refundFail").await;
        let (_, intent) = paid(&world, &bad, 1_000).await;
        let fails = engine
            .create_refund(scope, refund(&intent, None))
            .await
            .unwrap();
        assert_eq!(fails.status, RefundStatus::Succeeded);
        world.live_until(after(engine.now(), 2 * DAY)).await;
        world.clock.advance_to(after(engine.now(), DAY));
        world.sweep().await;
        let waited: Stored<Refund> = engine.find(scope, waits.id.as_str()).await.unwrap();
        assert_eq!(waited.status, RefundStatus::Succeeded);
        let failed: Stored<Refund> = engine.find(scope, fails.id.as_str()).await.unwrap();
        assert_eq!(failed.status, RefundStatus::Failed);
        assert!(failed.failure_reason.is_some());
        assert!(world.events().await.contains(&"refund.failed".to_owned()));
        // The money is ours again and may be given back once more.
        let again = engine
            .create_refund(scope, refund(&intent, None))
            .await
            .unwrap();
        assert_eq!(again.amount_minor, 1_000);
        holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_notes_in_every_state_leave_the_books_in_order() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let customer = world.customer_with("pm_card_visa").await;
        let credit = (-300, Currency::USD);
        let entry = engine.adjust_balance(scope, &customer, credit, None, Metadata::default());
        entry.await.unwrap();

        // Written off, credited in part, paid late.
        let late = drafted(&world, &customer, 2_000).await;
        engine.finalize_invoice(scope, &late).await.unwrap();
        assert_eq!(world.find_invoice(&late).await.amount_due_minor, 1_700);
        engine.mark_uncollectible(scope, &late).await.unwrap();
        let wish = Wish {
            amount_minor: Some(700),
            ..Wish::default()
        };
        let part = engine
            .create_credit_note(scope, note(&late, wish))
            .await
            .unwrap();
        assert!(engine.void_credit_note(scope, &part.id).await.is_err());
        holds(&world).await;
        world.pay(&late, None).await.unwrap();
        let paid_late = world.find_invoice(&late).await;
        assert_eq!(paid_late.status, InvoiceStatus::Paid);
        assert_eq!(paid_late.amount_paid_minor, 1_000);
        holds(&world).await;

        // Credited, then voided with what is left.
        let gone = drafted(&world, &customer, 900).await;
        engine.finalize_invoice(scope, &gone).await.unwrap();
        let wish = Wish {
            amount_minor: Some(400),
            ..Wish::default()
        };
        engine
            .create_credit_note(scope, note(&gone, wish))
            .await
            .unwrap();
        engine.void_invoice(scope, &gone).await.unwrap();
        holds(&world).await;

        // By a line, voided, and by the line again until nothing is to be paid.
        let open = drafted(&world, &customer, 1_200).await;
        let invoice = engine.finalize_invoice(scope, &open).await.unwrap();
        let line = invoice.lines[0].id.clone();
        let mut by_line = note(&open, Wish::default());
        by_line.lines = vec![NewLine::Invoice(line, Part::Rest)];
        let preview = engine
            .preview_credit_note(scope, by_line.clone())
            .await
            .unwrap();
        assert_eq!(preview.total_minor, 1_200);
        let mut small = by_line.clone();
        small.lines = vec![NewLine::Invoice(
            invoice.lines[0].id.clone(),
            Part::Amount(200),
        )];
        let small = engine.create_credit_note(scope, small).await.unwrap();
        let voided = engine.void_credit_note(scope, &small.id).await.unwrap();
        assert_eq!(voided.status, Status::Void);
        assert_eq!(world.find_invoice(&open).await.amount_due_minor, 1_200);
        engine.create_credit_note(scope, by_line).await.unwrap();
        assert_eq!(world.find_invoice(&open).await.status, InvoiceStatus::Paid);
        holds(&world).await;

        // Given back in three ways, more than one payment is not needed for it.
        let (whole, _) = paid(&world, &customer, 3_000).await;
        let wish = Wish {
            amount_minor: Some(3_000),
            refund_minor: Some(1_000),
            balance_minor: Some(1_500),
            out_of_band_minor: Some(500),
            ..Wish::default()
        };
        let given = engine
            .create_credit_note(scope, note(&whole, wish))
            .await
            .unwrap();
        assert_eq!(given.refunds.len(), 1);
        assert_eq!(world.find_customer(&customer).await.balance_minor, -1_500);
        holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paid_elsewhere_is_not_charged() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let customer = world.customer_with("pm_card_visa").await;
        let id = drafted(&world, &customer, 4_200).await;
        let invoice = engine.pay_out_of_band(scope, &id).await.unwrap();
        assert_eq!(invoice.status, InvoiceStatus::Paid);
        assert_eq!(invoice.out_of_band_minor, 4_200);
        assert_eq!(world.charges().await, 0);
        assert!(engine.pay_out_of_band(scope, &id).await.is_err());
        assert!(world.pay(&id, None).await.is_err());
        holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_may_moves_by_itself() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let customer = world.customer_with("pm_card_visa").await;
        let id = drafted(&world, &customer, 4_200).await;
        world.live_until(after(engine.now(), 2 * 3_600)).await;
        assert_eq!(world.find_invoice(&id).await.status, InvoiceStatus::Draft);
        let update = InvoiceUpdate {
            auto_advance: Some(true),
            ..InvoiceUpdate::default()
        };
        engine.update_invoice(scope, &id, update).await.unwrap();
        world.live_until(after(engine.now(), 2 * 3_600)).await;
        assert_eq!(world.find_invoice(&id).await.status, InvoiceStatus::Paid);
        assert_eq!(world.charges().await, 1);
        holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_begins_with_a_balance_and_may_be_given_another() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let with = |minor| CustomerUpdate {
            balance_minor: Some(minor),
            ..CustomerUpdate::default()
        };
        let none = engine.create_customer(scope, with(0), Vec::new()).await;
        let none = none.unwrap();
        assert_eq!(
            (none.currency, world.ledger(&none.id).await.len()),
            (None, 0)
        );
        let made = engine.create_customer(scope, with(-700), Vec::new()).await;
        let id = made.unwrap().value.id;
        for balance in [-200, -200, 50, i64::MIN, i64::MAX] {
            let changed = engine.update_customer(scope, &id, with(balance)).await;
            match changed {
                Ok(changed) => assert_eq!(changed.balance_minor, balance),
                Err(Refused::Invalid { param, .. }) => {
                    assert_eq!(
                        (param.as_str(), balance.abs_diff(0) > 999),
                        ("balance", true)
                    );
                }
                Err(refused) => panic!("{refused:?}"),
            }
        }
        use BalanceTransactionKind::{Adjustment, Initial};
        let entries = world.ledger(&id).await;
        let entries = entries.iter();
        let said: Vec<_> = entries
            .map(|own| (own.kind, own.amount_minor, own.ending_balance_minor))
            .collect();
        let expected = [
            (Initial, -700, -700),
            (Adjustment, 500, -200),
            (Adjustment, 250, 50),
        ];
        assert_eq!(said, expected);
        let owner = world.find_customer(&id).await;
        assert_eq!(
            (owner.balance_minor, owner.currency),
            (50, Some(Currency::USD))
        );
        holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_balance_is_in_what_is_sold_unless_the_merchant_says_otherwise() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let first = async || {
            let new = CustomerUpdate {
                balance_minor: Some(-100),
                ..CustomerUpdate::default()
            };
            let made = engine.create_customer(scope, new, Vec::new()).await;
            made.unwrap().currency
        };
        assert_eq!(first().await, Some(Currency::USD), "nothing is sold");
        let (euro, licensed) = (Currency::EUR, UsageType::Licensed);
        world.price_in(900, Cadence::MONTHLY, euro, licensed).await;
        assert_eq!(first().await, Some(Currency::EUR));
        let mut merchant = engine.merchant(scope).await.unwrap();
        merchant.currency = Some(Currency::GBP);
        let mut tx = engine.store.begin().await.unwrap();
        key::update_merchant(tx.connection(), &merchant)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(first().await, Some(Currency::GBP));
    })
    .await;
}
