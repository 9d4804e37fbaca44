//! Links through changes of their key, on both databases.

use perennial::id::InvoiceId;

use super::KEYS_SECONDS;
use crate::service::tests::money::paid;
use crate::service::tests::world::{World, after};
use crate::store::installation::change_link_key;
use crate::store::tests::both;

/// The link that is made now.
async fn link(world: &World, invoice: &InvoiceId) -> String {
    let linking = world.engine.linking(&world.scope).await.unwrap();
    linking.path(invoice.as_str())
}

async fn opens(world: &World, link: &str) -> bool {
    let parts: Vec<&str> = link.split('/').collect();
    let ["", "i", merchant, mode, document, proof] = parts[..] else {
        panic!("{link}");
    };
    let opened = world
        .engine
        .open_document(merchant, mode, document, proof)
        .await;
    opened.unwrap().is_some()
}

/// Changes the key and waits until every process knows it.
async fn change(world: &World) {
    let engine = &world.engine;
    change_link_key(&engine.store, &*engine.entropy)
        .await
        .unwrap();
    world.clock.advance_to(after(engine.now(), KEYS_SECONDS));
}

#[tokio::test(flavor = "multi_thread")]
async fn links_outlive_one_change_of_the_key_and_end_with_the_next() {
    both(|store| async move {
        let world = World::new(store).await;
        let customer = world.customer_with("pm_card_visa").await;
        let (invoice, _) = paid(&world, &customer, 5_000).await;
        let mut links = vec![link(&world, &invoice).await];
        for _ in 0..3 {
            change(&world).await;
            links.push(link(&world, &invoice).await);
            let mut open = Vec::new();
            for link in &links {
                open.push(opens(&world, link).await);
            }
            let old = links.len() - 2;
            let expected: Vec<bool> = (0..links.len()).map(|place| place >= old).collect();
            assert_eq!(
                open, expected,
                "the newest and the one before, of {links:?}"
            );
        }
    })
    .await;
}
