//! The worker, with the machine's timers and a clock that is moved.

use std::time::Duration;

use perennial::calendar::Cadence;
use perennial::invoice::InvoiceStatus;
use tokio::sync::watch;

use crate::service::tests::world::{World, after, at};
use crate::store::tests::both;

#[tokio::test(flavor = "multi_thread")]
async fn it_does_what_is_due_when_rung_and_stops_when_told() {
    both(|store| async move {
        let world = World::new(store).await;
        let price = world.price(2_000, Cadence::MONTHLY).await;
        let customer = world.customer_with("pm_card_visa").await;
        let id = world.subscribe(&customer, &price).await;
        let (stop, stopped) = watch::channel(false);
        let worker = tokio::spawn(super::run(world.engine.clone(), stopped));
        for moment in [at(2026, 2, 28), after(at(2026, 2, 28), 3_600)] {
            world.clock.advance_to(moment);
            world.engine.wake();
            let mut patience = 200;
            loop {
                let invoices = world.invoices(&customer).await;
                let renewed = invoices.len() == 2;
                let paid = invoices.iter().all(|own| own.status == InvoiceStatus::Paid);
                if renewed && (paid || moment == at(2026, 2, 28)) {
                    break;
                }
                patience -= 1;
                assert!(patience > 0, "the worker does not work: {invoices:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        stop.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(5), worker)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(world.latest(&id).await.status, InvoiceStatus::Paid);
        assert_eq!(world.charges().await, 2);
    })
    .await;
}
