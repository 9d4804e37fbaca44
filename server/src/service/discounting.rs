//! What is told of discounts: `customer.discount.created`, `.updated` and `.deleted`, for those of a
//! customer, of a subscription and of its items.

use perennial::customer::Customer;
use perennial::discount::Discount;
use perennial::subscription::Subscription;
use serde_json::Value;

use crate::rendering::whole::{DiscountOwner, discount};

const CREATED: &str = "customer.discount.created";
const UPDATED: &str = "customer.discount.updated";
const DELETED: &str = "customer.discount.deleted";

type Told = Vec<(&'static str, Value)>;

/// What became of one owner's discounts.
fn compare(before: &[Discount], after: &[Discount], owner: &DiscountOwner<'_>, told: &mut Told) {
    for own in after {
        match before.iter().find(|old| old.id == own.id) {
            None => told.push((CREATED, discount(own, owner))),
            // The coupon counts its redemptions; that is no change of the discount.
            Some(old) if (old.start, old.end) != (own.start, own.end) => {
                told.push((UPDATED, discount(own, owner)));
            }
            Some(_) => {}
        }
    }
    for old in before {
        if after.iter().all(|own| own.id != old.id) {
            told.push((DELETED, discount(old, owner)));
        }
    }
}

pub(super) fn of_customer(own: &Customer, before: Option<&Customer>) -> Told {
    let mut told = Told::new();
    let owner = DiscountOwner {
        customer: Some(&own.id),
        ..DiscountOwner::default()
    };
    let before = before.map_or(&[][..], |old| old.discount.as_slice());
    compare(before, own.discount.as_slice(), &owner, &mut told);
    told
}

pub(super) fn of_subscription(own: &Subscription, before: Option<&Subscription>) -> Told {
    let mut told = Told::new();
    let mut owner = DiscountOwner {
        customer: Some(&own.customer),
        subscription: Some(&own.id),
        ..DiscountOwner::default()
    };
    let old = before.map_or(&[][..], |old| &old.discounts[..]);
    compare(old, &own.discounts, &owner, &mut told);
    for item in &own.items {
        let old = before.and_then(|old| old.items.iter().find(|old| old.id == item.id));
        let old = old.map_or(&[][..], |old| &old.discounts[..]);
        owner.subscription_item = Some(&item.id);
        compare(old, &item.discounts, &owner, &mut told);
    }
    for gone in before.into_iter().flat_map(|old| &old.items) {
        if own.items.iter().all(|item| item.id != gone.id) {
            owner.subscription_item = Some(&gone.id);
            compare(&gone.discounts, &[], &owner, &mut told);
        }
    }
    told
}
