//! Which subscription an item is of. The items themselves are in the subscriptions.

use perennial::subscription::Subscription;

use super::document::Column;
use super::owners::Owners;
use super::writes::Table;

/// Items with their subscriptions. Rows are only added.
pub static TABLE: Table = Table {
    name: "subscription_item",
    columns: &["id", "subscription", "customer"],
    after: "on conflict do nothing",
};

/// Finds the subscription of an item.
pub static OWNERS: Owners = Owners {
    table: "subscription_item",
    owner: "subscription",
    opening: "subscription_item_opening",
    done: "subscription",
};

/// The rows of the items that a subscription has now and had not before.
#[must_use]
pub fn cells(before: Option<&Subscription>, own: &Subscription) -> Vec<Vec<Column>> {
    let known = before.map_or(&[][..], |before| &before.items);
    let fresh = own
        .items
        .iter()
        .filter(|item| known.iter().all(|other| other.id != item.id));
    fresh
        .map(|item| {
            vec![
                Column::text(&item.id),
                Column::text(&own.id),
                Column::text(&own.customer),
            ]
        })
        .collect()
}
