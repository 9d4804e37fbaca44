//! What is told of discounts: `customer.discount.created`, `.updated` and `.deleted`, for those of a
//! customer, of a subscription and of its items.

use perennial::customer::Customer;
use perennial::discount::Discount;
use perennial::subscription::Subscription;
use serde_json::Value;

use crate::rendering::previous_attributes;
use crate::rendering::whole::{DiscountOwner, discount};

const CREATED: &str = "customer.discount.created";
const UPDATED: &str = "customer.discount.updated";
const DELETED: &str = "customer.discount.deleted";

/// Events: their kind, the discount, and what it was before where it changed.
pub(super) type Told = Vec<(&'static str, Value, Option<Value>)>;

/// Those of `all` that are not among `others`.
fn without<'a>(all: &'a [Discount], others: &[Discount]) -> Vec<&'a Discount> {
    let is_there = |own: &Discount| others.iter().any(|other| other.id == own.id);
    all.iter().filter(|own| !is_there(own)).collect()
}

/// What became of one owner's discounts. Where one coupon took the place of another, that is one
/// discount that changed, as Stripe tells it.
fn compare(before: &[Discount], after: &[Discount], owner: &DiscountOwner<'_>, told: &mut Told) {
    let mut updated = |old: &Discount, own: &Discount| {
        let shown = discount(own, owner);
        let previous = previous_attributes(&discount(old, owner), &shown);
        told.push((UPDATED, shown, previous));
    };
    for own in after {
        let old = before.iter().find(|old| old.id == own.id);
        // The coupon counts its redemptions; that is no change of the discount.
        if let Some(old) = old.filter(|old| (old.start, old.end) != (own.start, own.end)) {
            updated(old, own);
        }
    }
    let (gone, new) = (without(before, after), without(after, before));
    match (&gone[..], &new[..]) {
        ([old], [own]) if old.coupon.id != own.coupon.id => updated(old, own),
        _ => {
            let created = new.into_iter().map(|own| (CREATED, own));
            let deleted = gone.into_iter().map(|old| (DELETED, old));
            let both = created.chain(deleted);
            told.extend(both.map(|(kind, own)| (kind, discount(own, owner), None)));
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
