//! Invoices that replace others, and who pays no tax, on every path. The audit has the last word.

use perennial::calendar::Cadence;
use perennial::customer::TaxExempt;
use perennial::decimal::Decimal12;
use perennial::id::{CustomerId, InvoiceId, TaxRateId};
use perennial::invoice::{Invoice, InvoiceStatus, TaxabilityReason};
use perennial::metadata::Metadata;
use perennial::subscription::Status;
use perennial::tax::TaxRate;

use super::money::{drafted, holds};
use super::world::{World, after};
use crate::service::Refused;
use crate::service::invoices::NewItem;
use crate::service::invoices::lines::LineInput;
use crate::service::invoices::manual::{AddedLine, InvoiceUpdate, LinesChange, NewInvoice};
use crate::service::subscriptions::{NewItem as Wanted, NewSubscription};
use crate::store::document::Stored;
use crate::store::tests::both;

const DAY: i64 = 86_400;

async fn revise(world: &World, from: &InvoiceId) -> Result<Stored<Invoice>, Refused> {
    let new = NewInvoice {
        customer: None,
        subscription: None,
        currency: None,
        include_pending: false,
        from_invoice: Some(from.clone()),
        rest: InvoiceUpdate::default(),
    };
    world.engine.create_invoice(&world.scope, new).await
}

fn by_hand(minor: i64) -> LineInput {
    LineInput {
        amount_minor: Some(minor),
        description: Some(Some("By hand".to_owned())),
        ..LineInput::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_replaces_what_it_revises_and_gives_its_credit_back() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let customer = world.customer_with("pm_card_visa").await;
        let credit = (-1_500, perennial::currency::Currency::USD);
        let metadata = Metadata::default();
        let adjusted = engine.adjust_balance(scope, &customer, credit, None, metadata);
        adjusted.await.unwrap();
        let first = drafted(&world, &customer, 5_000).await;
        let first = engine.finalize_invoice(scope, &first).await.unwrap();
        assert_eq!(first.amount_due_minor, 3_500);

        let draft = revise(&world, &first.id).await.unwrap();
        assert_eq!(
            (draft.totals, draft.amount_due_minor),
            (first.totals, 3_500)
        );
        let more = LinesChange::Add(vec![AddedLine::New(Box::new(by_hand(1_000)))]);
        engine.change_lines(scope, &draft.id, more).await.unwrap();
        // A draft replaces nothing yet.
        assert_eq!(
            world.find_invoice(&first.id).await.status,
            InvoiceStatus::Open
        );
        let last = engine.finalize_invoice(scope, &draft.id).await.unwrap();
        assert_eq!(
            (last.totals.total_minor, last.amount_due_minor),
            (6_000, 4_500)
        );
        let old = world.find_invoice(&first.id).await;
        assert_eq!(old.status, InvoiceStatus::Void);
        assert_eq!(old.number, first.number);
        assert_eq!(old.latest_revision.as_ref(), Some(&last.id));
        assert_eq!(last.from_invoice.as_ref(), Some(&first.id));
        assert_eq!(world.find_customer(&customer).await.balance_minor, 0);
        holds(&world).await;

        // A revision can be revised; what is paid can't.
        let second = revise(&world, &last.id).await.unwrap();
        engine.finalize_invoice(scope, &second.id).await.unwrap();
        let old = world.find_invoice(&first.id).await;
        assert_eq!(old.latest_revision.as_ref(), Some(&second.id));
        world.pay(&second.id, None).await.unwrap();
        let late = revise(&world, &second.id).await;
        assert!(
            matches!(late, Err(Refused::Invalid { param, .. }) if param.starts_with("from_invoice"))
        );
        holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_that_was_paid_meanwhile_is_not_replaced() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let customer = world.customer_with("pm_card_visa").await;
        let first = drafted(&world, &customer, 5_000).await;
        engine.finalize_invoice(scope, &first).await.unwrap();
        let draft = revise(&world, &first).await.unwrap();
        world.pay(&first, None).await.unwrap();
        let refused = engine.finalize_invoice(scope, &draft.id).await;
        assert!(matches!(refused, Err(Refused::State { .. })), "{refused:?}");
        assert_eq!(
            world.find_invoice(&draft.id).await.status,
            InvoiceStatus::Draft
        );
        assert_eq!(world.charges().await, 1);
        holds(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_goes_on_with_the_revision_of_its_invoice() {
    both(|store| async move {
        let card = "pm_card_chargeCustomerFail";
        let (world, customer, id) = World::with_one(store, card).await;
        let (engine, scope) = (&world.engine, &world.scope);
        assert_eq!(world.status(&id).await, Status::Incomplete);
        let first = world.latest(&id).await;
        let draft = revise(&world, &first.id).await.unwrap();
        engine.finalize_invoice(scope, &draft.id).await.unwrap();
        assert_eq!(world.status(&id).await, Status::Incomplete);
        assert_eq!(world.latest(&id).await.id, draft.id);
        let card = world.card(&customer, "pm_card_visa").await;
        world.pay(&draft.id, Some(card)).await.unwrap();
        assert_eq!(world.status(&id).await, Status::Active);
        // Its first period was invoiced once, by the revision.
        holds(&world).await;
    })
    .await;
}

async fn rate(world: &World) -> TaxRateId {
    let rate = TaxRate {
        id: TaxRateId::new(&mut world.engine.ids()),
        display_name: "VAT".to_owned(),
        percentage: Decimal12::from_integer(20),
        inclusive: false,
        country: Some("DE".to_owned()),
        state: None,
        jurisdiction: None,
        tax_type: None,
        description: None,
        active: true,
        metadata: Metadata::default(),
        created: world.engine.now(),
    };
    world.insert(rate).await.value.id
}

/// All invoices of a customer bear tax as `reason` says: none, unless the rate applies.
async fn taxed_as(world: &World, customer: &CustomerId, reason: TaxabilityReason, least: usize) {
    let invoices = world.invoices(customer).await;
    assert!(invoices.len() >= least, "{} invoices", invoices.len());
    for invoice in &invoices {
        let taxes: Vec<_> = invoice.lines.iter().flat_map(|line| &line.taxes).collect();
        assert!(!taxes.is_empty());
        for tax in taxes {
            assert_eq!(tax.reason, reason);
            let standard = reason == TaxabilityReason::StandardRated;
            assert_eq!(tax.amount_minor != 0, standard && tax.taxable_minor != 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pays_no_tax_pays_none_on_any_path() {
    for (exempt, reason) in [
        (TaxExempt::None, TaxabilityReason::StandardRated),
        (TaxExempt::Exempt, TaxabilityReason::CustomerExempt),
        (TaxExempt::Reverse, TaxabilityReason::ReverseCharge),
    ] {
        both(|store| async move {
            let world = World::new(store).await;
            let (engine, scope) = (&world.engine, &world.scope);
            let rate = rate(&world).await;
            let customer = world.customer_with("pm_card_visa").await;
            let mut row = world.find_customer(&customer).await;
            row.tax_exempt = exempt;
            world.update(&mut row).await;
            let price = world.price(2_000, Cadence::MONTHLY).await;
            let mut new =
                NewSubscription::new(customer.clone(), vec![Wanted::new(price.id.clone(), 1)]);
            new.default_tax_rates = vec![rate.clone()];
            let own = world.create(new).await.unwrap().value.id;
            // By hand, with an item that waited, and revised.
            let line = LineInput {
                tax_rates: Some(vec![rate.clone()]),
                ..by_hand(700)
            };
            let item = NewItem {
                customer: customer.clone(),
                currency: None,
                invoice: None,
                subscription: None,
                line,
            };
            engine.create_invoice_item(scope, item).await.unwrap();
            let rest = InvoiceUpdate {
                default_tax_rates: Some(vec![rate]),
                ..InvoiceUpdate::default()
            };
            let new = NewInvoice {
                customer: Some(customer.clone()),
                subscription: None,
                currency: None,
                include_pending: true,
                from_invoice: None,
                rest,
            };
            let draft = engine.create_invoice(scope, new).await.unwrap();
            let more = LinesChange::Add(vec![AddedLine::New(Box::new(by_hand(300)))]);
            engine.change_lines(scope, &draft.id, more).await.unwrap();
            engine.finalize_invoice(scope, &draft.id).await.unwrap();
            let revision = revise(&world, &draft.id).await.unwrap();
            engine.finalize_invoice(scope, &revision.id).await.unwrap();
            // Renewed.
            world.live_until(after(engine.now(), 40 * DAY)).await;
            assert_eq!(world.status(&own).await, Status::Active);
            taxed_as(&world, &customer, reason, 4).await;
            holds(&world).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_small_to_charge_waits_for_the_next_invoice() {
    both(|store| async move {
        let world = World::new(store).await;
        let (engine, scope) = (&world.engine, &world.scope);
        let customer = world.customer_with("pm_card_visa").await;
        let small = drafted(&world, &customer, 49).await;
        let small = engine.finalize_invoice(scope, &small).await.unwrap();
        assert_eq!(
            (small.status, small.amount_due_minor),
            (InvoiceStatus::Paid, 0)
        );
        assert_eq!(world.find_customer(&customer).await.balance_minor, 49);
        assert_eq!(world.charges().await, 0);
        let next = drafted(&world, &customer, 50).await;
        let next = engine.finalize_invoice(scope, &next).await.unwrap();
        assert_eq!(
            (next.status, next.amount_due_minor),
            (InvoiceStatus::Open, 99)
        );
        world.pay(&next.id, None).await.unwrap();
        assert_eq!(world.charges().await, 1);
        holds(&world).await;
    })
    .await;
}
