//! What a merchant keeps for itself does not travel to a customer's browser: the free keys, the
//! notes, the handles. Pages have no use for them.

use perennial::catalog::{Price, Product};
use perennial::customer::Customer;
use perennial::discount::{Coupon, Discount};
use perennial::invoice::{Invoice, InvoiceItem, Line};
use perennial::metadata::Metadata;
use perennial::payment::PaymentMethod;
use perennial::quote::Quote;
use perennial::subscription::{ItemChange, Subscription};

/// Something with a private side.
pub(super) trait Discreet: Sized {
    /// Forgets the private side.
    fn hide(&mut self);

    /// Without its private side.
    fn hidden(mut self) -> Self {
        self.hide();
        self
    }
}

impl<T: Discreet> Discreet for Vec<T> {
    fn hide(&mut self) {
        self.iter_mut().for_each(Discreet::hide);
    }
}

impl<T: Discreet> Discreet for Option<T> {
    fn hide(&mut self) {
        if let Some(own) = self {
            own.hide();
        }
    }
}

impl Discreet for Coupon {
    fn hide(&mut self) {
        self.metadata = Metadata::default();
        self.max_redemptions = None;
        self.times_redeemed = 0;
    }
}

impl Discreet for Discount {
    fn hide(&mut self) {
        self.coupon.hide();
    }
}

impl Discreet for Product {
    fn hide(&mut self) {
        self.metadata = Metadata::default();
    }
}

impl Discreet for Price {
    fn hide(&mut self) {
        self.metadata = Metadata::default();
        self.nickname = None;
        self.lookup_key = None;
    }
}

impl Discreet for PaymentMethod {
    fn hide(&mut self) {
        self.metadata = Metadata::default();
        self.gateway_token.clear();
        self.card.fingerprint.clear();
    }
}

impl Discreet for Customer {
    fn hide(&mut self) {
        self.metadata = Metadata::default();
        self.description = None;
        self.discount.hide();
    }
}

impl Discreet for Subscription {
    fn hide(&mut self) {
        self.metadata = Metadata::default();
        self.discounts.hide();
        for item in &mut self.items {
            item.metadata = Metadata::default();
            item.price.hide();
            item.discounts.hide();
        }
        if let Some(change) = &mut self.scheduled_change {
            change.items.hide();
        }
    }
}

impl Discreet for ItemChange {
    fn hide(&mut self) {
        match self {
            Self::Add { price, .. } => price.hide(),
            Self::Set { price, .. } => price.hide(),
            Self::Remove { .. } => {}
        }
    }
}

impl Discreet for Quote {
    fn hide(&mut self) {
        self.changes.hide();
        self.promotion.hide();
        self.terms.lines.hide();
    }
}

impl Discreet for Line {
    fn hide(&mut self) {
        self.metadata = Metadata::default();
    }
}

impl Discreet for InvoiceItem {
    fn hide(&mut self) {
        self.line.hide();
    }
}

impl Discreet for Invoice {
    fn hide(&mut self) {
        self.metadata = Metadata::default();
        self.lines.hide();
        self.discounts.hide();
    }
}
