//! Things that the tests of several rooms are made of.

use crate::calendar::{Cadence, Civil, Timestamp};
use crate::catalog::{Price, Recurring, TaxBehavior, UsageType};
use crate::currency::Currency;
use crate::customer::{Customer, MailPreferences, TaxExempt};
use crate::decimal::Decimal12;
use crate::discount::{Coupon, Discount, Duration, Off};
use crate::id::{
    CouponId, CustomerId, DiscountId, InvoiceItemId, InvoiceLineId, PriceId, ProductId, TaxRateId,
};
use crate::invoice::{InvoiceItem, Line, LineKind};
use crate::metadata::Metadata;
use crate::pricing::Pricing;
use crate::quote::Counter;
use crate::subscription::{Created, Creation, ItemChange, NewItem, Subscription};
use crate::tax::TaxRate;

/// Midnight of a day.
pub(crate) fn day(year: i64, month: u8, day: u8) -> Timestamp {
    Civil {
        year,
        month,
        day,
        hour: 0,
        minute: 0,
        second: 0,
    }
    .timestamp()
    .unwrap()
}

/// A licensed monthly price of `unit` minor USD, on a product of the same name.
pub(crate) fn price(name: &str, unit: i64) -> Price {
    priced(name, Decimal12::from_integer(unit), Cadence::MONTHLY)
}

/// A licensed price in USD.
pub(crate) fn priced(name: &str, unit: Decimal12, cadence: Cadence) -> Price {
    Price {
        id: PriceId::parse(&format!("price_{name}")).unwrap(),
        product: ProductId::parse(&format!("prod_{name}")).unwrap(),
        product_name: name.to_owned(),
        active: true,
        currency: Currency::USD,
        nickname: None,
        lookup_key: None,
        recurring: Some(Recurring {
            cadence,
            usage_type: UsageType::Licensed,
            meter: None,
            trial_period_days: None,
        }),
        pricing: Pricing::per_unit(unit),
        tax_behavior: TaxBehavior::Unspecified,
        inline: false,
        metadata: Metadata::default(),
        created: Timestamp(0),
    }
}

/// A yearly price.
pub(crate) fn yearly(name: &str, unit: i64) -> Price {
    priced(name, Decimal12::from_integer(unit), Cadence::YEARLY)
}

/// A metered monthly price.
pub(crate) fn metered(name: &str, unit: i64) -> Price {
    let mut price = price(name, unit);
    if let Some(recurring) = &mut price.recurring {
        recurring.usage_type = UsageType::Metered;
    }
    price
}

pub(crate) fn customer() -> Customer {
    Customer {
        id: CustomerId::parse("cus_test").unwrap(),
        name: Some("Ada".to_owned()),
        email: None,
        business_name: None,
        individual_name: None,
        phone: None,
        description: None,
        address: None,
        shipping: None,
        tax_ids: Vec::new(),
        tax_exempt: TaxExempt::None,
        preferred_locales: Vec::new(),
        currency: None,
        balance_minor: 0,
        invoice_prefix: "ADA".to_owned(),
        next_invoice_sequence: 1,
        default_payment_method: None,
        backup: None,
        discount: None,
        delinquent: false,
        mail: MailPreferences::default(),
        metadata: Metadata::default(),
        created: Timestamp(0),
        deleted: false,
        test_clock: None,
    }
}

pub(crate) fn coupon(name: &str, off: Off, duration: Duration) -> Coupon {
    Coupon {
        id: CouponId::parse(name).unwrap(),
        name: None,
        off,
        duration,
        currency_options: std::collections::BTreeMap::new(),
        applies_to: Vec::new(),
        max_redemptions: None,
        times_redeemed: 0,
        redeem_by: None,
        metadata: Metadata::default(),
        created: Timestamp(0),
        deleted: false,
    }
}

/// A discount from the beginning of time.
pub(crate) fn discount(name: &str, off: Off, duration: Duration) -> Discount {
    let id = DiscountId::parse(&format!("di_{name}")).unwrap();
    Discount::new(id, coupon(name, off, duration), None, Timestamp(0)).unwrap()
}

pub(crate) fn percent(text: &str) -> Off {
    Off::Percent(Decimal12::parse(text).unwrap())
}

pub(crate) fn usd(amount_minor: i64) -> Off {
    Off::Amount {
        amount_minor,
        currency: Currency::USD,
    }
}

pub(crate) fn rate(name: &str, percentage: &str, inclusive: bool) -> TaxRate {
    TaxRate {
        id: TaxRateId::parse(&format!("txr_{name}")).unwrap(),
        display_name: name.to_owned(),
        description: None,
        percentage: Decimal12::parse(percentage).unwrap(),
        inclusive,
        country: None,
        state: None,
        jurisdiction: None,
        tax_type: None,
        active: true,
        metadata: Metadata::default(),
        created: Timestamp(0),
    }
}

/// A discountable line of a product, without anything else.
pub(crate) fn line(product: &str, amount_minor: i64) -> Line {
    let at = Timestamp(0);
    Line {
        id: InvoiceLineId::from_random(0),
        description: product.to_owned(),
        kind: LineKind::OneTime,
        amount_minor,
        quantity: None,
        price: None,
        product: Some(ProductId::parse(&format!("prod_{product}")).unwrap()),
        product_name: None,
        unit_amount: None,
        period: crate::calendar::Period { start: at, end: at },
        discountable: true,
        discount_amounts: Vec::new(),
        tax_rates: Vec::new(),
        default_taxed: false,
        discounts: Vec::new(),
        taxes: Vec::new(),
        subscription: None,
        subscription_item: None,
        quantity_decimal: None,
        invoice_item: None,
        metadata: Metadata::default(),
    }
}

/// A waiting item of no subscription.
pub(crate) fn waiting(bits: u128, amount_minor: i64) -> InvoiceItem {
    InvoiceItem {
        id: InvoiceItemId::from_random(bits),
        customer: customer().id,
        currency: Currency::USD,
        line: line("extra", amount_minor),
        proration: false,
        date: Timestamp(0),
        invoice: None,
        test_clock: None,
        made_for_invoice: false,
    }
}

/// A subscription that starts at `at`, as created and then paid.
pub(crate) fn running(creation: Creation) -> Subscription {
    let Created {
        mut subscription, ..
    } = started(creation);
    if subscription.status == crate::subscription::Status::Incomplete {
        subscription.status = crate::subscription::Status::Active;
    }
    subscription
}

pub(crate) fn started(creation: Creation) -> Created {
    let mut ids = Counter(1_000_000);
    Subscription::create(creation, &customer(), &[], &mut ids).unwrap()
}

/// One item from `at` on.
pub(crate) fn simple(price: Price, quantity: u64, at: Timestamp) -> Creation {
    Creation::new(vec![NewItem::new(price, quantity)], at)
}

/// Other terms for the item at `index`.
pub(crate) fn set(
    subscription: &Subscription,
    index: usize,
    price: Option<Price>,
    quantity: u64,
) -> ItemChange {
    let item = subscription.items[index].id.clone();
    ItemChange::Set {
        item,
        price,
        quantity: Some(quantity),
    }
}
