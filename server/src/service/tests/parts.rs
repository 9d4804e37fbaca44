//! Invoices that are paid in parts: by payment intents that are attached, and by money past the
//! gateway. Whatever is lost on the way, the audit has the last word.

use perennial::currency::Currency;
use perennial::customer::Customer;
use perennial::id::{CustomerId, InvoiceId, PaymentIntentId, PaymentRecordId};
use perennial::invoice::{AttachedStatus, InvoiceStatus};
use perennial::metadata::Metadata;
use perennial::payment::{PaymentIntent, PaymentStatus};
use perennial::payment_record::{PaidBy, RecordOutcome};

use super::money::{drafted, holds};
use super::world::{World, after};
use crate::gateway::sandbox::Fault;
use crate::service::Refused;
use crate::service::payment_records::NewRecord;
use crate::service::payments::{NewIntent, ParticularsUpdate, PaymentResult};
use crate::store::document::Stored;
use crate::store::tests::both;

/// An open invoice of so many cents, which nobody has paid anything on.
async fn opened(world: &World, customer: &CustomerId, minor: i64) -> InvoiceId {
    let id = drafted(world, customer, minor).await;
    let (engine, scope) = (&world.engine, &world.scope);
    engine.finalize_invoice(scope, &id).await.unwrap();
    id
}

async fn intent(world: &World, customer: &CustomerId, minor: i64) -> PaymentIntentId {
    let method = world
        .find_customer(customer)
        .await
        .default_payment_method
        .clone();
    let new = NewIntent {
        shipping: None,
        particulars: ParticularsUpdate::default(),
        customer: customer.clone(),
        amount_minor: minor,
        currency: Currency::USD,
        payment_method: method,
        description: None,
        metadata: Metadata::default(),
    };
    let made = world.engine.create_intent(&world.scope, new).await;
    made.unwrap().value.id
}

/// A new intent of so many cents that is attached to an invoice.
async fn part(world: &World, customer: &CustomerId, on: &InvoiceId, minor: i64) -> PaymentIntentId {
    let id = intent(world, customer, minor).await;
    let attached = world.engine.attach_intent(&world.scope, on, &id).await;
    assert_eq!(
        attached
            .unwrap()
            .attached
            .last()
            .unwrap()
            .amount_requested_minor,
        minor
    );
    id
}

async fn record(world: &World, customer: &CustomerId, minor: i64) -> PaymentRecordId {
    let new = NewRecord {
        amount_minor: minor,
        currency: Currency::USD,
        customer: PaidBy {
            customer: Some(customer.clone()),
            ..PaidBy::default()
        },
        on_session: None,
        description: None,
        method_name: Some("Cheque".to_owned()),
        method_type: None,
        reference: Some("42".to_owned()),
        outcome: RecordOutcome::Guaranteed,
        decided_at: Some(world.engine.now()),
        initiated_at: world.engine.now(),
        metadata: Metadata::default(),
    };
    let made = world.engine.report_payment(&world.scope, new).await;
    made.unwrap().value.id
}

async fn confirm(world: &World, id: &PaymentIntentId) -> Result<PaymentResult, Refused> {
    let (engine, scope) = (&world.engine, &world.scope);
    engine.confirm_intent(scope, id, None, true).await
}

async fn find(world: &World, id: &PaymentIntentId) -> Stored<PaymentIntent> {
    world.engine.find(&world.scope, id.as_str()).await.unwrap()
}

/// What the bank took for an invoice, smallest first.
async fn taken(world: &World, id: &InvoiceId) -> Vec<i64> {
    let mut taken = world
        .charged()
        .await
        .remove(id.as_str())
        .unwrap_or_default();
    taken.sort_unstable();
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn two_parts_and_a_cheque_pay_an_invoice() {
    both(|store| async move {
        let world = World::new(store).await;
        let customer = world.customer_with("pm_card_visa").await;
        let id = opened(&world, &customer, 10_000).await;
        let own = world
            .find_invoice(&id)
            .await
            .payment_intent
            .clone()
            .unwrap();

        let first = part(&world, &customer, &id, 3_000).await;
        confirm(&world, &first).await.unwrap();
        let invoice = world.find_invoice(&id).await;
        assert_eq!(invoice.status, InvoiceStatus::Open);
        assert_eq!(
            (invoice.amount_paid_minor, invoice.amount_remaining_minor()),
            (3_000, 7_000)
        );
        assert_eq!(find(&world, &own).await.amount_minor, 7_000);
        holds(&world).await;

        let cheque = record(&world, &customer, 2_500).await;
        let (engine, scope) = (&world.engine, &world.scope);
        engine.attach_record(scope, &id, &cheque).await.unwrap();
        let invoice = world.find_invoice(&id).await;
        assert_eq!(
            (invoice.amount_paid_minor, invoice.out_of_band_minor),
            (5_500, 2_500)
        );
        holds(&world).await;

        let last = part(&world, &customer, &id, 4_500).await;
        confirm(&world, &last).await.unwrap();
        let invoice = world.find_invoice(&id).await;
        assert_eq!(invoice.status, InvoiceStatus::Paid);
        assert_eq!(invoice.amount_overpaid_minor, 0);
        assert!(
            invoice
                .attached
                .iter()
                .all(|own| own.status == AttachedStatus::Paid)
        );
        assert_eq!(find(&world, &own).await.status, PaymentStatus::Canceled);
        assert_eq!(world.charges().await, 2);
        holds(&world).await;
        let events = world.events().await;
        for (kind, times) in [("invoice_payment.paid", 3), ("invoice.paid", 1)] {
            let told = events.iter().filter(|own| *own == kind).count();
            assert_eq!(told, times, "{kind}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_is_charged_by_the_invoices_own_payment() {
    both(|store| async move {
        let world = World::new(store).await;
        let customer = world.customer_with("pm_card_visa").await;
        let id = opened(&world, &customer, 10_000).await;
        let first = part(&world, &customer, &id, 6_000).await;
        confirm(&world, &first).await.unwrap();
        world.pay(&id, None).await.unwrap();
        let invoice = world.find_invoice(&id).await;
        assert_eq!(invoice.status, InvoiceStatus::Paid);
        assert_eq!(taken(&world, &id).await, [4_000, 6_000]);
        holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_beyond_is_the_customers_credit() {
    both(|store| async move {
        let world = World::new(store).await;
        let customer = world.customer_with("pm_card_visa").await;
        let id = opened(&world, &customer, 5_000).await;
        let much = part(&world, &customer, &id, 4_000).await;
        confirm(&world, &much).await.unwrap();
        let cheque = record(&world, &customer, 3_000).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let invoice = engine.attach_record(scope, &id, &cheque).await.unwrap();
        assert_eq!(invoice.status, InvoiceStatus::Paid);
        assert_eq!(invoice.amount_overpaid_minor, 2_000);
        assert_eq!(world.find_customer(&customer).await.balance_minor, -2_000);
        holds(&world).await;

        let other = opened(&world, &customer, 5_000).await;
        // The credit took 2,000 off; the rest is 3,000, and 3,500 come.
        let over = part(&world, &customer, &other, 3_500).await;
        confirm(&world, &over).await.unwrap();
        let invoice = world.find_invoice(&other).await;
        assert_eq!(
            (invoice.amount_paid_minor, invoice.amount_overpaid_minor),
            (3_000, 500)
        );
        assert_eq!(find(&world, &over).await.applied_minor, Some(3_000));
        assert_eq!(world.find_customer(&customer).await.balance_minor, -500);
        holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_fails_or_is_given_up_leaves_the_invoice_as_it_was() {
    both(|store| async move {
        let world = World::new(store).await;
        let customer = world.customer_with("pm_card_chargeCustomerFail").await;
        let id = opened(&world, &customer, 5_000).await;
        let before = world.find_invoice(&id).await;
        let part = part(&world, &customer, &id, 2_000).await;
        let result = confirm(&world, &part).await.unwrap();
        assert!(matches!(result, PaymentResult::Declined { .. }));
        let after = world.find_invoice(&id).await;
        assert_eq!(after.attempt_count, before.attempt_count);
        assert_eq!(after.next_payment_attempt, before.next_payment_attempt);
        assert_eq!(after.last_payment_error, None);
        let owner: Stored<Customer> = world.find_customer(&customer).await;
        assert!(!owner.delinquent);
        let (engine, scope) = (&world.engine, &world.scope);
        engine.cancel_intent(scope, &part).await.unwrap();
        let after = world.find_invoice(&id).await;
        assert_eq!(after.attached[0].status, AttachedStatus::Canceled);
        assert!(matches!(
            confirm(&world, &part).await,
            Err(Refused::State { .. })
        ));
        holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_charged_once_whatever_is_lost() {
    for fault in [Fault::LoseRequest, Fault::LoseAnswer] {
        both(|store| async move {
            let world = World::new(store).await;
            let customer = world.customer_with("pm_card_visa").await;
            let id = opened(&world, &customer, 5_000).await;
            let part = part(&world, &customer, &id, 2_000).await;
            world.bank.inject(fault);
            let result = confirm(&world, &part).await.unwrap();
            assert!(matches!(result, PaymentResult::Unknown { .. }));
            // Nobody is charged for the rest before it is known what became of the part.
            let paid = world.pay(&id, None).await;
            assert!(matches!(paid, Err(Refused::State { .. })), "{paid:?}");
            world.live_until(after(world.engine.now(), 120)).await;
            assert_eq!(world.find_invoice(&id).await.amount_paid_minor, 2_000);
            assert_eq!(world.charges().await, 1);
            world.pay(&id, None).await.unwrap();
            assert_eq!(taken(&world, &id).await, [2_000, 3_000]);
            holds(&world).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_not_attached() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let customer = world.customer_with("pm_card_visa").await;
        let stranger = world.customer_with("pm_card_visa").await;
        let id = opened(&world, &customer, 5_000).await;
        let theirs = intent(&world, &stranger, 1_000).await;
        let cheque = record(&world, &stranger, 1_000).await;
        let draft = drafted(&world, &customer, 1_000).await;
        let mine = intent(&world, &customer, 1_000).await;
        assert!(matches!(
            engine.attach_intent(scope, &id, &theirs).await,
            Err(Refused::Invalid { param, .. }) if param == "payment_intent"
        ));
        assert!(matches!(
            engine.attach_record(scope, &id, &cheque).await,
            Err(Refused::Invalid { param, .. }) if param == "payment_record"
        ));
        let drafted = engine.attach_intent(scope, &draft, &mine).await;
        assert!(matches!(drafted, Err(Refused::State { .. })));
        // What is to be attached takes no money before.
        assert!(matches!(
            confirm(&world, &mine).await,
            Err(Refused::State { .. })
        ));
        engine.attach_intent(scope, &id, &mine).await.unwrap();
        let twice = engine.attach_intent(scope, &id, &mine).await;
        assert!(matches!(twice, Err(Refused::Invalid { .. })));
        assert_eq!(world.charges().await, 0);
        holds(&world).await;
    })
    .await;
}
