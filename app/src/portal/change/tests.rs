//! What a choice means, and what the browser says it would cost.

use super::choice::{Choice, code, item, rhythms};
use crate::port::{ChangePage, Plan};
use perennial::{
    calendar::{Cadence, Period, Timestamp},
    catalog::{Price, Product, Recurring, TaxBehavior, UsageType},
    currency::Currency,
    customer::{Customer, MailPreferences, TaxExempt},
    decimal::Decimal12,
    id::{CustomerId, PriceId, ProductId, Randomness},
    metadata::Metadata,
    portal::{AdjustableQuantity, ScheduleCondition, UpdateRules},
    pricing::Pricing,
    subscription::{Creation, NewItem, ProrationBehavior, Status, Subscription},
};

const DAY: i64 = 86_400;

/// Counts instead of rolling dice.
struct Count(u128);

impl Randomness for Count {
    fn bits(&mut self) -> u128 {
        self.0 += 1;
        self.0
    }
}

fn price(product: &str, minor: i64, cadence: Cadence) -> Price {
    Price {
        id: PriceId::parse(&format!(
            "price_{product}{}",
            code(cadence).replace('-', "")
        ))
        .unwrap(),
        product: ProductId::parse(&format!("prod_{product}")).unwrap(),
        product_name: product.to_owned(),
        active: true,
        currency: Currency::EUR,
        nickname: None,
        lookup_key: None,
        recurring: Some(Recurring {
            cadence,
            usage_type: UsageType::Licensed,
            meter: None,
            trial_period_days: None,
        }),
        pricing: Pricing::per_unit(Decimal12::from_integer(minor)),
        tax_behavior: TaxBehavior::Unspecified,
        inline: false,
        metadata: Metadata::default(),
        created: Timestamp(0),
    }
}

fn plan(product: &str, prices: Vec<Price>) -> Plan {
    let product = Product {
        id: ProductId::parse(&format!("prod_{product}")).unwrap(),
        name: product.to_owned(),
        description: None,
        active: true,
        unit_label: None,
        marketing_features: Vec::new(),
        default_price: None,
        tax_code: None,
        url: None,
        metadata: Metadata::default(),
        created: Timestamp(0),
        updated: Timestamp(0),
    };
    let adjustable_quantity = Some(AdjustableQuantity {
        minimum: 1,
        maximum: Some(50),
    });
    Plan {
        product,
        prices,
        adjustable_quantity,
        add_on: false,
    }
}

fn customer() -> Customer {
    Customer {
        id: CustomerId::parse("cus_ada").unwrap(),
        name: None,
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

/// Three of `team` at 24.00 a month since 1 January 1970, looked at in the middle of that month.
fn page() -> ChangePage {
    let (monthly, yearly) = (Cadence::MONTHLY, Cadence::YEARLY);
    let creation = Creation::new(
        vec![NewItem::new(price("team", 2400, monthly), 3)],
        Timestamp(0),
    );
    let mut subscription = Subscription::create(creation, &customer(), &[], &mut Count(0))
        .unwrap()
        .subscription;
    subscription.status = Status::Active;
    ChangePage {
        code: None,
        now: Timestamp(31 * DAY / 2),
        subscription,
        customer: customer(),
        pending: Vec::new(),
        rules: UpdateRules {
            price: true,
            quantity: true,
            promotion_code: false,
            products: Vec::new(),
            proration_behavior: ProrationBehavior::AlwaysInvoice,
            schedule_at_period_end: vec![ScheduleCondition::DecreasingItemAmount],
        },
        plans: vec![
            plan(
                "solo",
                vec![price("solo", 900, monthly), price("solo", 9000, yearly)],
            ),
            plan(
                "team",
                vec![price("team", 2400, monthly), price("team", 24_000, yearly)],
            ),
            plan("estate", vec![price("estate", 6000, monthly)]),
        ],
        payment_method: None,
        terms_of_service_url: None,
    }
}

#[test]
fn a_choice_is_read_and_kept_within_what_is_offered() {
    let page = page();
    let base = item(&page, None).unwrap();
    for (plan, every, quantity, expected) in [
        (None, None, None, ("prod_team", "month-1", 3)),
        (
            Some("prod_estate"),
            None,
            Some(5),
            ("prod_estate", "month-1", 5),
        ),
        (
            Some("prod_nothing"),
            Some("century-1"),
            Some(0),
            ("prod_team", "month-1", 3),
        ),
        (
            Some("prod_solo"),
            Some("year-1"),
            Some(u64::MAX),
            ("prod_solo", "year-1", 50),
        ),
    ] {
        let choice = Choice::read(&page, base, plan, every, quantity);
        let read = (choice.plan.as_str(), code(choice.every), choice.quantity);
        assert_eq!(read, (expected.0, expected.1.to_owned(), expected.2));
    }
    assert_eq!(rhythms(&page), [Cadence::MONTHLY, Cadence::YEARLY]);
    assert!(item(&page, Some("si_somebodyelses")).is_none());
}

#[test]
fn a_quantity_that_may_not_change_stays() {
    let mut page = page();
    page.rules.quantity = false;
    let base = item(&page, None).unwrap();
    assert_eq!(
        Choice::read(&page, base, Some("prod_solo"), None, Some(9)).quantity,
        3
    );
}

#[test]
fn the_preview_says_what_it_costs() {
    let page = page();
    let base = item(&page, None).unwrap();
    // Half of January is left: half of each monthly amount.
    for (plan, every, quantity, due, scheduled, recurring) in [
        ("prod_estate", "month-1", 3, 9000 - 3600, false, 18_000),
        ("prod_team", "month-1", 4, 1200, false, 9600),
        // A year at once is less for the same time, so it waits as a decrease does.
        ("prod_team", "year-1", 3, 0, true, 72_000),
        ("prod_team", "year-1", 4, 96_000 - 3600, false, 96_000),
        ("prod_solo", "month-1", 3, 0, true, 2700),
    ] {
        let choice = Choice::read(&page, base, Some(plan), Some(every), Some(quantity));
        let terms = choice.preview(&page, base).unwrap().unwrap();
        let told = (terms.due_now_minor, terms.scheduled, terms.recurring_minor);
        assert_eq!(told, (due, scheduled, recurring), "{choice:?}");
    }
    let same = Choice::read(&page, base, None, None, None);
    assert!(same.preview(&page, base).is_none(), "nothing would change");
    let not_offered = Choice::read(&page, base, Some("prod_estate"), Some("year-1"), None);
    assert!(not_offered.preview(&page, base).is_none() && not_offered.price(&page).is_none());
}

#[test]
fn a_year_at_once_says_what_it_saves() {
    let page = page();
    let base = item(&page, None).unwrap();
    for (plan, expected) in [
        ("prod_team", Some(3 * (12 * 2400 - 24_000))),
        ("prod_estate", None),
    ] {
        let choice = Choice::read(&page, base, Some(plan), None, None);
        assert_eq!(choice.yearly_saving_minor(&page), expected);
    }
}

#[test]
fn the_page_is_at_the_middle_of_its_period() {
    let page = page();
    let whole = Period {
        start: Timestamp(0),
        end: Timestamp(31 * DAY),
    };
    assert_eq!(page.subscription.items[0].current_period, whole);
}
