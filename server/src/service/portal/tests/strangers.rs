//! Another customer's ids, another merchant's, and what the rules forbid.

use app::port::{CardInput, DetailsInput, Portal, Wish};
use app::refusal::Refusal;
use app::viewer::Viewer;
use perennial::id::{InvoiceId, PaymentMethodId, QuoteId, SubscriptionId};
use perennial::portal::Features;

use super::house::House;
use crate::service::portal::PortalService;
use crate::store::tests::both;

/// Somebody's things.
struct Things {
    subscription: SubscriptionId,
    invoice: InvoiceId,
    method: PaymentMethodId,
    quote: QuoteId,
}

async fn things(house: &House) -> Things {
    let world = &house.world;
    let customer = world.customer_with("pm_card_visa").await;
    let subscription = world.subscribe(&customer, &house.basic).await;
    let method = world
        .find_customer(&customer)
        .await
        .default_payment_method
        .clone();
    let (portal, viewer) = house.enter(&customer).await;
    let quote = quote(house, &portal, &viewer, &subscription).await;
    Things {
        invoice: world.latest(&subscription).await.value.id,
        method: method.unwrap(),
        subscription,
        quote,
    }
}

async fn quote(
    house: &House,
    portal: &PortalService,
    viewer: &Viewer,
    subscription: &SubscriptionId,
) -> QuoteId {
    let wishes = wishes(house, subscription).await;
    portal
        .quote(viewer, subscription, wishes, None)
        .await
        .unwrap()
        .quote
        .id
}

async fn wishes(house: &House, subscription: &SubscriptionId) -> Vec<Wish> {
    let own = house.world.find_subscription(subscription).await;
    vec![Wish {
        item: Some(own.items[0].id.clone()),
        price: Some(house.pro.id.clone()),
        quantity: 1,
    }]
}

fn card() -> CardInput {
    CardInput {
        number: "4242 4242 4242 4242".to_owned(),
        expiry: "12/34".to_owned(),
        cvc: "123".to_owned(),
        name: "Ada".to_owned(),
    }
}

/// Every method that takes an id, and what it answers.
async fn ask_about(
    portal: &PortalService,
    viewer: &Viewer,
    things: &Things,
    wishes: Vec<Wish>,
) -> Vec<(&'static str, Option<Refusal>)> {
    let (subscription, invoice) = (&things.subscription, &things.invoice);
    let (method, quote) = (&things.method, &things.quote);
    vec![
        (
            "change_page",
            portal.change_page(viewer, subscription, None).await.err(),
        ),
        (
            "quote",
            portal.quote(viewer, subscription, wishes, None).await.err(),
        ),
        ("quote_page", portal.quote_page(viewer, quote).await.err()),
        ("confirm", portal.confirm(viewer, quote).await.err()),
        (
            "undo_change",
            portal.undo_change(viewer, subscription).await.err(),
        ),
        (
            "cancel_page",
            portal.cancel_page(viewer, subscription).await.err(),
        ),
        (
            "cancel",
            portal.cancel(viewer, subscription, None, None).await.err(),
        ),
        (
            "pause_page",
            portal.pause_page(viewer, subscription).await.err(),
        ),
        ("pause", portal.pause(viewer, subscription, 0).await.err()),
        ("keep", portal.keep(viewer, subscription).await.err()),
        (
            "make_default",
            portal.make_default(viewer, method).await.err(),
        ),
        (
            "back_up",
            portal
                .back_up(viewer, method, app::port::BackupWish::Allow)
                .await
                .err(),
        ),
        (
            "remove",
            portal.remove_payment_method(viewer, method).await.err(),
        ),
        (
            "invoices",
            portal.invoices(viewer, Some(invoice.clone())).await.err(),
        ),
        ("invoice", portal.invoice(viewer, invoice).await.err()),
        ("pay", portal.pay(viewer, invoice, None).await.err()),
        (
            "remove_tax_id",
            portal.remove_tax_id(viewer, "txi_1".to_owned()).await.err(),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_customers_does_not_exist() {
    both(|store| async move {
        let house = House::new(store.clone()).await;
        let theirs = things(&house).await;
        let stranger = house.world.customer_with("pm_card_visa").await;
        house.world.subscribe(&stranger, &house.basic).await;
        let elsewhere = House::seeded(store, 8).await;
        let foreigner = elsewhere.world.customer_with("pm_card_visa").await;
        let before = house.world.events().await;
        for (house, who) in [(&house, &stranger), (&elsewhere, &foreigner)] {
            let (portal, viewer) = house.enter(who).await;
            let wishes = Vec::new();
            for (act, refusal) in ask_about(&portal, &viewer, &theirs, wishes).await {
                assert_eq!(refusal, Some(Refusal::NotFound), "{act}");
            }
        }
        let mut after = house.world.events().await;
        after.retain(|kind| kind != "billing_portal.session.created");
        let mut before = before;
        before.retain(|kind| kind != "billing_portal.session.created");
        assert_eq!(before, after, "nothing changed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_switched_off_is_not_allowed() {
    both(|store| async move {
        let house = House::new(store).await;
        let world = &house.world;
        let customer = world.customer_with("pm_card_visa").await;
        let subscription = world.subscribe(&customer, &house.basic).await;
        let (open, viewer) = house.enter(&customer).await;
        let quote = quote(&house, &open, &viewer, &subscription).await;
        let own = Things {
            invoice: world.latest(&subscription).await.value.id,
            method: world
                .find_customer(&customer)
                .await
                .default_payment_method
                .clone()
                .unwrap(),
            subscription,
            quote,
        };
        let nothing = Features {
            customer_update: Vec::new(),
            invoice_history: false,
            payment_method_update: false,
            subscription_cancel: None,
            subscription_update: None,
            subscription_pause: None,
        };
        let (portal, viewer) = house.enter_under(&customer, nothing).await;
        let wishes = wishes(&house, &own.subscription).await;
        let mut answers = ask_about(&portal, &viewer, &own, wishes).await;
        // Paying is not a feature; this invoice is paid already.
        answers.retain(|(act, _)| *act != "pay");
        answers.extend([
            (
                "payment_methods",
                portal.payment_methods(&viewer).await.err(),
            ),
            (
                "add_card",
                portal.add_card(&viewer, card(), true, None).await.err(),
            ),
            ("details", portal.details(&viewer).await.err()),
            (
                "save_details",
                portal
                    .save_details(&viewer, DetailsInput::default())
                    .await
                    .err(),
            ),
            (
                "add_tax_id",
                portal
                    .add_tax_id(&viewer, "eu_vat".to_owned(), "DE1".to_owned())
                    .await
                    .err(),
            ),
        ]);
        for (act, refusal) in answers {
            assert_eq!(refusal, Some(Refusal::NotAllowed), "{act}");
        }
        let home = portal.home(&viewer).await.unwrap();
        assert_eq!(home.subscriptions[0].may, app::port::May::default());
        assert!(home.invoices.is_empty());
        let frame = portal.frame(&viewer).await.unwrap();
        let sections = frame.sections;
        assert!(!sections.details && !sections.invoices && !sections.payment_methods);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_viewer_is_signed_out() {
    both(|store| async move {
        let house = House::new(store).await;
        let (ada, bob) = (house.world.customer().await, house.world.customer().await);
        let (portal, mut viewer) = house.enter(&ada).await;
        viewer.customer = bob;
        assert_eq!(portal.home(&viewer).await, Err(Refusal::SignedOut));
        let (portal, viewer) = house.enter(&ada).await;
        portal.sign_out(&viewer).await.unwrap();
        assert_eq!(portal.home(&viewer).await, Err(Refusal::SignedOut));
    })
    .await;
}
