//! Receipts that go where a payment says: to that address alone, and with no way into the customer's pages.

use perennial::currency::Currency;
use perennial::id::CustomerId;
use perennial::metadata::Metadata;

use super::mails::Postal;
use crate::mail::{Kind, Switch};
use crate::service::payments::{IntentUpdate, NewIntent, ParticularsUpdate};
use crate::store::tests::both;

const VISA: &str = "pm_card_visa";

fn to(email: &str) -> ParticularsUpdate {
    ParticularsUpdate {
        receipt_email: Some(Some(email.to_owned())),
        ..ParticularsUpdate::default()
    }
}

impl Postal {
    /// A payment of 42 dollars that has succeeded.
    async fn paid(
        &self,
        customer: &CustomerId,
        particulars: ParticularsUpdate,
    ) -> perennial::id::PaymentIntentId {
        let new = NewIntent {
            customer: customer.clone(),
            amount_minor: 4_200,
            currency: Currency::USD,
            payment_method: self
                .find_customer(customer)
                .await
                .default_payment_method
                .clone(),
            description: Some("Books".to_owned()),
            shipping: None,
            particulars,
            metadata: Metadata::default(),
        };
        let made = self.engine.create_intent(&self.scope, new).await.unwrap();
        let confirmed = self
            .engine
            .confirm_unapplied(&self.scope, &made.id, None, true);
        confirmed.await.unwrap();
        made.id.clone()
    }

    async fn without_receipts(&self, customer: &CustomerId) {
        let mut row = self.find_customer(customer).await;
        Switch::Receipts.set(&mut row.mail, false);
        self.update(&mut row).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_goes_where_the_payment_says() {
    both(|store| async move {
        let world = Postal::new(store).await;
        let id = &world.scope.merchant;
        let rules = world
            .engine
            .update_merchant(id, |own| own.mail.without = vec![Kind::Receipt]);
        rules.await.unwrap();
        let customer = world.reader(VISA).await;
        world.paid(&customer, ParticularsUpdate::default()).await;
        world.send().await;
        assert_eq!(world.kept().await.len(), 0, "nobody asked for one");

        // An address of its own needs no leave of the merchant's rules or the customer's.
        world.without_receipts(&customer).await;
        let intent = world.paid(&customer, to("books@office.example")).await;
        world.send().await;
        let kept = world.kept().await;
        assert_eq!(world.states(Kind::Receipt).await, ["sent"]);
        let mail = &kept[0];
        assert_eq!(mail.header("Subject"), "Your receipt from Halden: $42.00");
        assert_eq!(mail.header("To"), "books@office.example");
        assert!(mail.plain.contains("Books") && mail.plain.contains("4242"));
        for text in [&mail.plain, &mail.html] {
            assert!(!text.contains("Ada"), "{text}");
            assert!(!text.contains("https://pay.example/m/"), "{text}");
            assert!(!text.contains("https://pay.example/u/"), "{text}");
        }
        assert!(mail.pdf.is_none());

        // Another address gets one more; the same one does not.
        for email in ["tax@office.example", "tax@office.example"] {
            let update = IntentUpdate {
                particulars: to(email),
                ..IntentUpdate::default()
            };
            let updated = world.engine.update_intent(&world.scope, &intent, update);
            updated.await.unwrap();
            world.send().await;
        }
        let kept = world.kept().await;
        assert_eq!(kept.len(), 2);
        assert!(
            kept.iter()
                .any(|mail| mail.header("To") == "tax@office.example")
        );

        // What the customer does not want does not come to the customer.
        world.paid(&customer, to("ADA@example.com")).await;
        world.send().await;
        assert_eq!(
            world.states(Kind::Receipt).await,
            ["sent", "sent", "skipped"]
        );
    })
    .await;
}
