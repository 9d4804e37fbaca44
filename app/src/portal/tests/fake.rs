//! A portal with one customer and fixed answers, to see pages with.

use super::{port::*, refusal::*, viewer::Viewer};
use perennial::{
    calendar::{Period, Timestamp},
    currency::Currency,
    customer::*,
    decimal::Decimal12,
    discount::{Coupon, Discount, Duration, Off},
    id::*,
    invoice::*,
    money::Money,
    payment::*,
    subscription::{CollectionMethod, Feedback},
    tax::TaxRate,
};
use std::sync::Mutex;

/// 19 November 2026, 14:53:20 UTC.
pub const NOW: Timestamp = Timestamp(1_795_100_000);
/// 1 November 2026.
pub const NOVEMBER: Timestamp = Timestamp(1_793_491_200);
/// 1 December 2026.
pub const DECEMBER: Timestamp = Timestamp(1_796_083_200);

/// The portal: what it answers, and what it was asked to do.
pub struct Fake {
    pub methods: Vec<PaymentMethodCard>,
    pub rows: Vec<InvoiceRow>,
    pub next: Option<InvoiceId>,
    pub previous: Option<InvoiceId>,
    pub page: InvoicePage,
    pub details: Details,
    pub mail: MailPreferences,
    pub settled: Result<Settled, Refusal>,
    pub added: Result<Added, Refusal>,
    pub refused: Option<Refusal>,
    pub livemode: bool,
    pub asked: Mutex<Vec<String>>,
}

impl Default for Fake {
    fn default() -> Self {
        let methods = vec![
            card(1, CardBrand::Visa, "4242", (8, 2029), true),
            card(2, CardBrand::Mastercard, "4444", (12, 2026), false),
            card(3, CardBrand::Amex, "0005", (3, 2025), false),
        ];
        Self {
            rows: rows(),
            next: Some(InvoiceId::from_random(20)),
            previous: None,
            page: InvoicePage {
                now: NOW,
                invoice: invoice(),
                seller: seller(),
                payment_methods: methods.clone(),
                payable: true,
                challenge: None,
                adjustments: Vec::new(),
                unpaid: None,
            },
            methods,
            details: details(),
            mail: MailPreferences::default(),
            settled: Ok(Settled::Done {
                charged: eur(8100),
                invoice: Some(InvoiceId::from_random(1)),
            }),
            added: Ok(Added::Saved {
                id: PaymentMethodId::from_random(9),
                charging: false,
            }),
            refused: None,
            livemode: true,
            asked: Mutex::default(),
        }
    }
}

pub fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

pub fn card(
    n: u128,
    brand: CardBrand,
    last4: &str,
    (exp_month, exp_year): (u8, u16),
    is_default: bool,
) -> PaymentMethodCard {
    PaymentMethodCard {
        method: PaymentMethod {
            id: PaymentMethodId::from_random(n),
            customer: None,
            card: Card {
                brand,
                last4: last4.to_owned(),
                exp_month,
                exp_year,
                fingerprint: String::new(),
                funding: Funding::Credit,
                country: None,
            },
            billing_details: BillingDetails::default(),
            gateway_token: String::new(),
            refused: None,
            metadata: Default::default(),
            created: NOW,
        },
        is_default,
        removable: !is_default,
        backup: None,
    }
}

pub fn rows() -> Vec<InvoiceRow> {
    use InvoiceStatus::*;
    let months = [
        (Open, true),
        (Paid, false),
        (Paid, false),
        (Void, false),
        (Uncollectible, false),
        (Paid, false),
    ];
    let each = months.into_iter().zip(0_i64..);
    each.map(|((status, failed), n)| {
        let open = status == Open || status == Uncollectible;
        let total = if n == 2 { 123_456 } else { 8640 };
        InvoiceRow {
            id: InvoiceId::from_random(u128::try_from(n + 1).unwrap_or(1)),
            number: Some(format!("FERN-{:04}", 19 - n)),
            date: Timestamp(NOVEMBER.0 - n * 2_629_800),
            status,
            failed,
            total: eur(total),
            remaining: eur(if open { total } else { 0 }),
            products: if n == 1 {
                vec!["Team".to_owned(), "Extra storage".to_owned()]
            } else {
                vec!["Team".to_owned()]
            },
            of_change: false,
        }
    })
    .collect()
}

pub fn seller() -> Seller {
    Seller {
        name: "Fernworks GmbH".to_owned(),
        address: Some(Address {
            line1: Some("Torstraße 140".to_owned()),
            line2: None,
            city: Some("Berlin".to_owned()),
            state: None,
            postal_code: Some("10119".to_owned()),
            country: Some("DE".to_owned()),
        }),
        email: Some("billing@fernworks.test".to_owned()),
        tax_id: Some("DE123456789".to_owned()),
    }
}

pub fn address() -> Address {
    Address {
        line1: Some("12 rue de la Paix".to_owned()),
        line2: Some("3e étage".to_owned()),
        city: Some("Paris".to_owned()),
        state: None,
        postal_code: Some("75002".to_owned()),
        country: Some("FR".to_owned()),
    }
}

pub fn tax_id() -> TaxId {
    TaxId {
        id: TaxIdId::from_random(1),
        kind: "eu_vat".to_owned(),
        value: "FR40303265045".to_owned(),
        country: Some("FR".to_owned()),
        created: NOW,
    }
}

pub fn details() -> Details {
    use perennial::portal::CustomerField::*;
    Details {
        name: Some("Ada Lovelace".to_owned()),
        email: Some("ada@example.com".to_owned()),
        phone: Some("+33 1 99 00 12 34".to_owned()),
        address: Some(address()),
        tax_ids: vec![tax_id()],
        editable: vec![Address, Email, Name, Phone, TaxId],
    }
}

fn vat() -> TaxRate {
    TaxRate {
        id: TaxRateId::from_random(1),
        display_name: "TVA".to_owned(),
        description: None,
        percentage: Decimal12::from_integer(20),
        inclusive: false,
        country: Some("FR".to_owned()),
        state: None,
        jurisdiction: Some("FR".to_owned()),
        tax_type: None,
        active: true,
        metadata: Default::default(),
        created: NOW,
    }
}

fn line(n: u128, kind: LineKind, amount: i64, (start, end): (i64, i64)) -> Line {
    let proration = matches!(kind, LineKind::UnusedTime | LineKind::RemainingTime);
    let discount = if proration { 0 } else { amount / 10 };
    let taxable = amount - discount;
    Line {
        id: InvoiceLineId::from_random(n),
        description: "Team".to_owned(),
        kind,
        amount_minor: amount,
        quantity: Some(3),
        price: None,
        product: None,
        product_name: Some("Team".to_owned()),
        unit_amount: Decimal12::parse("2400").ok(),
        period: Period {
            start: Timestamp(start),
            end: Timestamp(end),
        },
        discountable: !proration,
        discount_amounts: if discount == 0 {
            vec![]
        } else {
            vec![DiscountAmount {
                discount: DiscountId::from_random(1),
                amount_minor: discount,
            }]
        },
        tax_rates: vec![vat()],
        default_taxed: false,
        discounts: vec![],
        taxes: vec![TaxAmount {
            rate: TaxRateId::from_random(1),
            amount_minor: taxable / 5,
            taxable_minor: taxable,
            inclusive: false,
            reason: TaxabilityReason::StandardRated,
        }],
        subscription: None,
        subscription_item: None,
        quantity_decimal: None,
        invoice_item: None,
        metadata: Default::default(),
    }
}

/// An open invoice with a renewal, usage, a change in the middle of the month, a discount, tax and credit.
pub fn invoice() -> Invoice {
    let october = NOVEMBER.0 - 31 * 86_400;
    let lines = vec![
        line(
            1,
            LineKind::UnusedTime,
            -1500,
            (NOVEMBER.0 - 12 * 86_400 - 1234, NOVEMBER.0),
        ),
        line(
            2,
            LineKind::RemainingTime,
            3000,
            (NOVEMBER.0 - 12 * 86_400 - 1234, NOVEMBER.0),
        ),
        line(3, LineKind::Recurring, 7200, (NOVEMBER.0, DECEMBER.0)),
        Line {
            product_name: Some("Extra storage".to_owned()),
            quantity: Some(12_345),
            unit_amount: None,
            ..line(4, LineKind::Usage, 500, (october, NOVEMBER.0))
        },
    ];
    let sum = |of: fn(&Line) -> i64| lines.iter().map(of).sum::<i64>();
    let subtotal = sum(|l| l.amount_minor);
    let discount = sum(Line::discount_minor);
    let tax = sum(|l| l.taxes.iter().map(|t| t.amount_minor).sum());
    let total = subtotal - discount + tax;
    Invoice {
        id: InvoiceId::from_random(1),
        customer: CustomerId::from_random(1),
        subscription: None,
        number: Some("FERN-0019".to_owned()),
        status: InvoiceStatus::Open,
        billing_reason: BillingReason::SubscriptionCycle,
        currency: Currency::EUR,
        discounts: vec![Discount {
            id: DiscountId::from_random(1),
            coupon: Coupon {
                id: CouponId::from_random(1),
                name: Some("Spring".to_owned()),
                off: Off::Percent(Decimal12::from_integer(10)),
                duration: Duration::Forever,
                currency_options: std::collections::BTreeMap::new(),
                applies_to: vec![],
                max_redemptions: None,
                times_redeemed: 1,
                redeem_by: None,
                metadata: Default::default(),
                created: NOW,
                deleted: false,
            },
            promotion_code: None,
            start: NOVEMBER,
            end: None,
        }],
        totals: Totals {
            subtotal_minor: subtotal,
            discount_minor: discount,
            tax_inclusive_minor: 0,
            tax_exclusive_minor: tax,
            total_minor: total,
        },
        starting_balance_minor: -1200,
        ending_balance_minor: Some(0),
        amount_due_minor: total - 1200,
        amount_paid_minor: 0,
        out_of_band_minor: 0,
        out_of_band_refunded_minor: 0,
        amount_overpaid_minor: 0,
        pre_payment_credit_minor: 0,
        pre_payment_credit_tax_minor: 0,
        post_payment_credit_minor: 0,
        default_tax_rates: vec![],
        own_discounts: None,
        custom_fields: vec![],
        statement_descriptor: None,
        presentation: None,
        effective_at: None,
        lines,
        period: Period {
            start: Timestamp(october),
            end: NOVEMBER,
        },
        collection_method: CollectionMethod::ChargeAutomatically,
        auto_advance: true,
        automatically_finalizes_at: None,
        next_payment_attempt: Some(Timestamp(NOW.0 + 3 * 86_400)),
        retrying: None,
        attempt_count: 1,
        due_date: None,
        will_be_due_told: None,
        default_payment_method: None,
        from_invoice: None,
        latest_revision: None,
        seller_tax_ids: vec![],
        payment_intent: None,
        attached: vec![],
        last_payment_error: Some(Decline {
            code: "card_declined".to_owned(),
            decline_code: Some("insufficient_funds".to_owned()),
        }),
        bill_to: BillTo {
            name: Some("Ada Lovelace".to_owned()),
            email: Some("ada@example.com".to_owned()),
            phone: None,
            address: Some(address()),
            tax_ids: vec![tax_id()],
            tax_exempt: TaxExempt::None,
        },
        footer: Some("Fernworks GmbH · HRB 123456 B · Amtsgericht Charlottenburg".to_owned()),
        description: None,
        metadata: Default::default(),
        created: NOVEMBER,
        finalized_at: Some(NOVEMBER),
        paid_at: None,
        voided_at: None,
        marked_uncollectible_at: None,
        test_clock: None,
    }
}

impl Fake {
    fn done<T: Send + 'static>(&self, what: String, answer: Result<T, Refusal>) -> Answer<'_, T> {
        if let Ok(mut asked) = self.asked.lock() {
            asked.push(what);
        }
        let answer = self.refused.clone().map_or(answer, Err);
        Box::pin(async move { answer })
    }
}

fn yes<T: Send + 'static>(answer: T) -> Answer<'static, T> {
    Box::pin(async move { Ok(answer) })
}

fn no<T: Send + 'static>() -> Answer<'static, T> {
    Box::pin(async { Err(Refusal::NotFound) })
}

impl Portal for Fake {
    fn now(&self) -> Timestamp {
        NOW
    }
    fn frame<'a>(&'a self, _: &'a Viewer) -> Answer<'a, Frame> {
        yes(Frame {
            merchant_name: "Fernworks".to_owned(),
            logo: None,
            logo_dark: None,
            headline: None,
            return_url: Some("https://fernworks.test/".to_owned()),
            privacy_policy_url: Some("https://fernworks.test/privacy".to_owned()),
            terms_of_service_url: Some("https://fernworks.test/terms".to_owned()),
            customer_name: "Ada Lovelace".to_owned(),
            customer_email: None,
            customer_locale: None,
            livemode: self.livemode,
            simulated: None,
            sections: Sections {
                payment_methods: true,
                invoices: true,
                details: true,
            },
        })
    }
    fn home<'a>(&'a self, _: &'a Viewer) -> Answer<'a, Home> {
        no()
    }
    fn change_page<'a>(
        &'a self,
        _: &'a Viewer,
        _: &'a SubscriptionId,
        _: Option<String>,
    ) -> Answer<'a, ChangePage> {
        no()
    }
    fn quote<'a>(
        &'a self,
        _: &'a Viewer,
        _: &'a SubscriptionId,
        _: Vec<Wish>,
        _: Option<String>,
    ) -> Answer<'a, QuotePage> {
        no()
    }
    fn quote_page<'a>(&'a self, _: &'a Viewer, _: &'a QuoteId) -> Answer<'a, QuotePage> {
        no()
    }
    fn confirm<'a>(&'a self, _: &'a Viewer, _: &'a QuoteId) -> Answer<'a, Settled> {
        no()
    }
    fn undo_change<'a>(&'a self, _: &'a Viewer, _: &'a SubscriptionId) -> Answer<'a, ()> {
        no()
    }
    fn cancel_page<'a>(&'a self, _: &'a Viewer, _: &'a SubscriptionId) -> Answer<'a, CancelPage> {
        no()
    }
    fn cancel<'a>(
        &'a self,
        _: &'a Viewer,
        _: &'a SubscriptionId,
        _: Option<Feedback>,
        _: Option<String>,
    ) -> Answer<'a, Timestamp> {
        no()
    }
    fn keep<'a>(&'a self, _: &'a Viewer, _: &'a SubscriptionId) -> Answer<'a, ()> {
        no()
    }
    fn payment_methods<'a>(&'a self, _: &'a Viewer) -> Answer<'a, Vec<PaymentMethodCard>> {
        yes(self.methods.clone())
    }
    fn add_card<'a>(
        &'a self,
        _: &'a Viewer,
        card: CardInput,
        make_default: bool,
        _: Option<InvoiceId>,
    ) -> Answer<'a, Added> {
        self.done(
            format!("add {} default {make_default}", card.name),
            self.added.clone(),
        )
    }
    fn pause_page<'a>(&'a self, _: &'a Viewer, _: &'a SubscriptionId) -> Answer<'a, PausePage> {
        no()
    }
    fn pause<'a>(&'a self, _: &'a Viewer, _: &'a SubscriptionId, _: u32) -> Answer<'a, ()> {
        no()
    }
    fn resume_page<'a>(
        &'a self,
        _: &'a Viewer,
        _: &'a SubscriptionId,
        _: Option<String>,
    ) -> Answer<'a, ResumePage> {
        no()
    }
    fn resume<'a>(
        &'a self,
        _: &'a Viewer,
        _: &'a SubscriptionId,
        _: i64,
        _: Option<String>,
    ) -> Answer<'a, Settled> {
        no()
    }
    fn make_default<'a>(&'a self, _: &'a Viewer, id: &'a PaymentMethodId) -> Answer<'a, bool> {
        self.done(format!("default {id}"), Ok(false))
    }
    fn back_up<'a>(
        &'a self,
        _: &'a Viewer,
        id: &'a PaymentMethodId,
        wish: BackupWish,
    ) -> Answer<'a, ()> {
        self.done(format!("backup {id} {wish:?}"), Ok(()))
    }
    fn remove_payment_method<'a>(
        &'a self,
        _: &'a Viewer,
        id: &'a PaymentMethodId,
    ) -> Answer<'a, ()> {
        self.done(format!("remove {id}"), Ok(()))
    }
    fn invoices<'a>(&'a self, _: &'a Viewer, after: Option<InvoiceId>) -> Answer<'a, InvoiceList> {
        self.done(
            format!("invoices after {after:?}"),
            Ok(InvoiceList {
                rows: self.rows.clone(),
                next: self.next.clone(),
                previous: self.previous.clone(),
            }),
        )
    }
    fn invoice<'a>(&'a self, _: &'a Viewer, _: &'a InvoiceId) -> Answer<'a, InvoicePage> {
        yes(self.page.clone())
    }
    fn pay<'a>(
        &'a self,
        _: &'a Viewer,
        id: &'a InvoiceId,
        method: Option<PaymentMethodId>,
    ) -> Answer<'a, Settled> {
        self.done(format!("pay {id} with {method:?}"), self.settled.clone())
    }
    fn details<'a>(&'a self, _: &'a Viewer) -> Answer<'a, Details> {
        yes(self.details.clone())
    }
    fn save_details<'a>(&'a self, _: &'a Viewer, input: DetailsInput) -> Answer<'a, Details> {
        self.done(format!("save {input:?}"), Ok(self.details.clone()))
    }
    fn add_tax_id<'a>(&'a self, _: &'a Viewer, kind: String, value: String) -> Answer<'a, Details> {
        self.done(format!("add {kind} {value}"), Ok(self.details.clone()))
    }
    fn remove_tax_id<'a>(&'a self, _: &'a Viewer, id: String) -> Answer<'a, Details> {
        self.done(format!("remove {id}"), Ok(self.details.clone()))
    }
    fn mail<'a>(&'a self, _: &'a Viewer) -> Answer<'a, MailPreferences> {
        yes(self.mail)
    }
    fn save_mail<'a>(
        &'a self,
        _: &'a Viewer,
        mail: MailPreferences,
    ) -> Answer<'a, MailPreferences> {
        self.done(format!("{mail:?}"), Ok(mail))
    }
    fn choose_language<'a>(&'a self, _: &'a Viewer, tag: String) -> Answer<'a, ()> {
        self.done(format!("language {tag}"), Ok(()))
    }
    fn sign_out<'a>(&'a self, _: &'a Viewer) -> Answer<'a, ()> {
        self.done("sign out".to_owned(), Ok(()))
    }
}
