//! Invoices of every kind: the library's own checks of PDF/A-3a and PDF/UA-1 pass, the texts are
//! there, and nothing leaves the paper.

use app::locale::Locale;
use perennial::calendar::Period;
use perennial::currency::Currency;
use perennial::customer::{Address, Shipping, TaxExempt, TaxId};
use perennial::decimal::Decimal12;
use perennial::discount::{Coupon, Discount, Duration, Off};
use perennial::id::{
    CouponId, CustomerId, DiscountId, InvoiceId, InvoiceLineId, TaxIdId, TaxRateId,
};
use perennial::invoice::{
    BillTo, BillingReason, DiscountAmount, InvoiceStatus, Line, LineKind, PageSize, Presentation,
    TaxAmount, TaxabilityReason, Totals,
};
use perennial::metadata::Metadata as Keys;
use perennial::subscription::CollectionMethod;
use perennial::tax::TaxRate;

use super::logo::Logo;
use super::*;

/// 2026-11-01 00:00:00 UTC.
const START: Timestamp = Timestamp(1_793_491_200);
/// A month later.
const END: Timestamp = Timestamp(1_796_083_200);

pub(super) struct Sample {
    pub(super) invoice: Invoice,
    seller: Seller,
    locale: Locale,
}

impl Sample {
    fn document(&self) -> InvoiceDocument<'_> {
        InvoiceDocument {
            invoice: &self.invoice,
            seller: &self.seller,
            display_name: "",
            words: self.locale.words(),
            brand: Rgb(0x24, 0x5c, 0x4a),
            takes_back: None,
            logo: None,
        }
    }

    /// The texts of each page, as they are drawn.
    fn pages(&self) -> Vec<Vec<String>> {
        let document = self.document();
        let mut sheet = Sheet::new(&document).unwrap();
        sheet.lay_out();
        let (paper, _) = sheet.into_paper();
        (0..paper.pages.len())
            .map(|page| paper.texts(page))
            .collect()
    }

    fn text(&self) -> String {
        self.pages().concat().join("\n")
    }
}

fn address(line1: &str, city: &str, code: &str, country: &str) -> Address {
    Address {
        line1: Some(line1.to_owned()),
        city: Some(city.to_owned()),
        postal_code: Some(code.to_owned()),
        country: Some(country.to_owned()),
        ..Address::default()
    }
}

fn line(number: u128, product: &str, amount_minor: i64) -> Line {
    Line {
        id: InvoiceLineId::from_random(number),
        description: product.to_owned(),
        kind: LineKind::Recurring,
        amount_minor,
        quantity: Some(1),
        price: None,
        product: None,
        product_name: Some(product.to_owned()),
        unit_amount: Some(Decimal12::from_integer(amount_minor)),
        period: Period {
            start: START,
            end: END,
        },
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
        metadata: Keys::default(),
    }
}

fn vat() -> TaxRate {
    TaxRate {
        id: TaxRateId::from_random(1),
        display_name: "VAT".to_owned(),
        description: None,
        percentage: Decimal12::parse("19").unwrap(),
        inclusive: false,
        country: Some("DE".to_owned()),
        state: None,
        jurisdiction: Some("DE".to_owned()),
        tax_type: None,
        active: true,
        metadata: Keys::default(),
        created: START,
    }
}

fn taxed(line: Line, amount_minor: i64) -> Line {
    let rate = vat();
    let tax = TaxAmount {
        rate: rate.id.clone(),
        amount_minor,
        taxable_minor: line.amount_minor,
        inclusive: false,
        reason: TaxabilityReason::StandardRated,
    };
    Line {
        tax_rates: vec![rate],
        taxes: vec![tax],
        ..line
    }
}

/// An open invoice over these lines; totals are their sums.
fn sample(locale: Locale, currency: Currency, name: &str, lines: Vec<Line>) -> Sample {
    let subtotal: i64 = lines.iter().map(|line| line.amount_minor).sum();
    let tax: i64 = lines
        .iter()
        .flat_map(|line| &line.taxes)
        .map(|tax| tax.amount_minor)
        .sum();
    let discount: i64 = lines.iter().map(Line::discount_minor).sum();
    let total = subtotal + tax - discount;
    let due = total.max(0);
    let invoice = Invoice {
        id: InvoiceId::from_random(1),
        customer: CustomerId::from_random(1),
        subscription: None,
        number: Some("NORDLICHT-0007".to_owned()),
        status: InvoiceStatus::Open,
        billing_reason: BillingReason::SubscriptionCycle,
        currency,
        lines,
        discounts: Vec::new(),
        totals: Totals {
            subtotal_minor: subtotal,
            discount_minor: discount,
            tax_inclusive_minor: 0,
            tax_exclusive_minor: tax,
            total_minor: total,
        },
        starting_balance_minor: 0,
        ending_balance_minor: Some(0),
        amount_due_minor: due,
        amount_paid_minor: 0,
        out_of_band_minor: 0,
        out_of_band_refunded_minor: 0,
        amount_overpaid_minor: 0,
        pre_payment_credit_minor: 0,
        pre_payment_credit_tax_minor: 0,
        post_payment_credit_minor: 0,
        period: Period {
            start: START,
            end: END,
        },
        collection_method: CollectionMethod::ChargeAutomatically,
        auto_advance: true,
        automatically_finalizes_at: None,
        next_payment_attempt: None,
        attempt_count: 0,
        due_date: Some(END),
        will_be_due_told: None,
        default_payment_method: None,
        from_invoice: None,
        latest_revision: None,
        seller_tax_ids: Vec::new(),
        payment_intent: None,
        attached: Vec::new(),
        last_payment_error: None,
        retrying: None,
        bill_to: BillTo {
            name: Some(name.to_owned()),
            email: Some("billing@example.com".to_owned()),
            phone: None,
            address: Some(address("Hafenstraße 12", "Hamburg", "20457", "DE")),
            tax_ids: vec![TaxId {
                id: TaxIdId::from_random(1),
                kind: "eu_vat".to_owned(),
                value: "DE123456789".to_owned(),
                country: Some("DE".to_owned()),
                created: START,
            }],
            tax_exempt: TaxExempt::None,
        },
        default_tax_rates: Vec::new(),
        own_discounts: None,
        custom_fields: Vec::new(),
        statement_descriptor: None,
        presentation: None,
        effective_at: None,
        footer: None,
        description: None,
        metadata: Keys::default(),
        created: START,
        finalized_at: Some(START),
        paid_at: None,
        voided_at: None,
        marked_uncollectible_at: None,
        test_clock: None,
    };
    let seller = Seller {
        name: "Lumen Works GmbH".to_owned(),
        address: Some(address("Lindenallee 4", "Berlin", "10115", "DE")),
        email: Some("help@lumen.example".to_owned()),
        tax_id: Some("DE987654321".to_owned()),
    };
    Sample {
        invoice,
        seller,
        locale,
    }
}

fn one_line() -> Sample {
    let line = taxed(line(1, "Lumen Team", 4_900), 931);
    sample(
        Locale::En,
        Currency::EUR,
        "Nordlicht Reederei KG",
        vec![line],
    )
}

pub(super) fn paid_with_discount() -> Sample {
    let discount = DiscountId::from_random(1);
    let mut off = line(1, "Lumen Team", 120_000);
    off.quantity = Some(12);
    off.unit_amount = Some(Decimal12::from_integer(10_000));
    off.discount_amounts = vec![DiscountAmount {
        discount: discount.clone(),
        amount_minor: 24_000,
    }];
    let mut sample = sample(Locale::Fr, Currency::EUR, "Café Lumière SARL", vec![off]);
    sample.invoice.discounts = vec![Discount {
        id: discount,
        coupon: Coupon {
            id: CouponId::parse("WELCOME20").unwrap(),
            name: Some("Bienvenue".to_owned()),
            off: Off::Percent(Decimal12::from_integer(20)),
            duration: Duration::Forever,
            currency_options: std::collections::BTreeMap::new(),
            applies_to: Vec::new(),
            max_redemptions: None,
            times_redeemed: 1,
            redeem_by: None,
            metadata: Keys::default(),
            created: START,
            deleted: false,
        },
        promotion_code: None,
        start: START,
        end: None,
    }];
    sample.invoice.status = InvoiceStatus::Paid;
    sample.invoice.paid_at = Some(START);
    // 10 € came from the balance.
    sample.invoice.amount_due_minor = 95_000;
    sample.invoice.amount_paid_minor = 95_000;
    sample.invoice.footer = Some("Merci de votre confiance.".to_owned());
    sample
}

fn many_lines() -> Sample {
    let lines = (1..=60).map(|n| {
        let name = format!("Seat for workshop {n}, with a name that is long enough for two lines");
        taxed(
            line(n, &name, 1_000 * i64::try_from(n).unwrap()),
            190 * i64::try_from(n).unwrap(),
        )
    });
    sample(
        Locale::En,
        Currency::EUR,
        "Workshop Collective",
        lines.collect(),
    )
}

fn chinese() -> Sample {
    let mut sample = sample(
        Locale::Zh,
        Currency::CNY,
        "上海明灯科技有限公司（张伟）",
        vec![line(
            1,
            "团队版（按席位计费），含优先支持与每月一次的上门培训，适用于十人以上的团队",
            39_900,
        )],
    );
    let home = Address {
        state: Some("上海市".to_owned()),
        ..address("世纪大道100号", "浦东新区", "200120", "CN")
    };
    sample.invoice.bill_to.address = Some(home);
    sample.seller.name = "流明软件（上海）有限公司".to_owned();
    sample
}

fn japanese() -> Sample {
    let mut sample = sample(
        Locale::En,
        Currency::JPY,
        "株式会社ひかり 髙橋 直骨",
        vec![line(1, "チームプラン", 5_500)],
    );
    let home = Address {
        state: Some("東京都".to_owned()),
        ..address("丸の内1-1-1", "千代田区", "100-0005", "JP")
    };
    sample.invoice.bill_to.address = Some(home);
    sample
}

fn arabic() -> Sample {
    let mut sample = sample(
        Locale::En,
        Currency::SAR,
        "شركة النور للتجارة (2026) Ltd",
        vec![line(1, "Lumen Team", 18_375)],
    );
    sample.invoice.bill_to.address = Some(address("شارع الملك فهد 12", "الرياض", "12271", "SA"));
    sample.seller.name = "לומן בע״מ".to_owned();
    sample
}

fn credits() -> Sample {
    let mut back = line(1, "Lumen Team", -163_333);
    back.kind = LineKind::UnusedTime;
    let mut on = line(2, "Lumen Studio", 98_000);
    on.kind = LineKind::RemainingTime;
    let mut usage = line(3, "Rendered minutes", 15);
    usage.kind = LineKind::Usage;
    usage.quantity = Some(1_234_567);
    usage.unit_amount = Some(Decimal12::parse("0.0125").unwrap());
    let mut sample = sample(
        Locale::En,
        Currency::USD,
        "Ada Lovelace",
        vec![back, on, usage],
    );
    sample.invoice.bill_to.address = Some(Address {
        state: Some("IL".to_owned()),
        ..address("1 Main Street", "Springfield", "62701", "US")
    });
    sample.invoice.status = InvoiceStatus::Paid;
    sample.invoice.paid_at = Some(START);
    sample.invoice.bill_to.tax_exempt = TaxExempt::Reverse;
    sample
}

fn long_words() -> Sample {
    let word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft";
    let mut sample = sample(
        Locale::En,
        Currency::VND,
        &word.repeat(2),
        vec![
            line(1, &word.repeat(3), 9_223_372_036_854_775),
            line(
                2,
                "https://example.com/a/very/long/path/that/goes/on/and/on/until/it/does/not/fit",
                -1,
            ),
        ],
    );
    sample.invoice.description =
        Some("Ελληνικά, Русский, עברית, ไทย, हिन्दी, 한국어, 😀 and\nsecond line".to_owned());
    sample.invoice.status = InvoiceStatus::Void;
    sample
}

fn samples() -> Vec<(&'static str, Sample)> {
    vec![
        ("one-line", one_line()),
        ("paid", paid_with_discount()),
        ("many-lines", many_lines()),
        ("chinese", chinese()),
        ("japanese", japanese()),
        ("arabic", arabic()),
        ("credits", credits()),
        ("long-words", long_words()),
        ("empty", sample(Locale::En, Currency::USD, "", Vec::new())),
    ]
}

#[test]
fn every_document_keeps_the_standards() {
    for (name, sample) in samples() {
        let pdf = invoice_pdf(&sample.document()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(pdf.starts_with(b"%PDF-1.7"), "{name}");
        // With `SAMPLES` naming a folder, they are written there to be looked at.
        if let Ok(folder) = std::env::var("SAMPLES") {
            std::fs::write(format!("{folder}/{name}.pdf"), &pdf).unwrap();
        }
        assert!(pdf.len() < 400_000, "{name} has {} bytes", pdf.len());
    }
}

#[test]
fn the_date_of_issue_is_the_merchants_where_one_is_given() {
    let mut sample = one_line();
    let day = |sample: &Sample| {
        let document = sample.document();
        let mut sheet = Sheet::new(&document).unwrap();
        sheet.lay_out();
        let (paper, _) = sheet.into_paper();
        let first = paper.texts(0);
        let label = document.words.document_issued();
        let at = first.iter().position(|text| text.trim() == label).unwrap();
        (first[at + 1].clone(), document.words.date(START))
    };
    let (printed, final_on) = day(&sample);
    assert_eq!(printed, final_on);
    let given = Timestamp(START.0 - 40 * 86_400);
    sample.invoice.effective_at = Some(given);
    let (printed, _) = day(&sample);
    assert_eq!(printed, sample.document().words.date(given));
}

#[test]
fn a_logo_stands_in_place_of_the_name() {
    let logo = Logo::read(logo::tests::png()).unwrap();
    for (name, sample) in samples() {
        let plain = sample.document();
        let document = InvoiceDocument {
            logo: Some(&logo),
            ..plain.clone()
        };
        let pdf = invoice_pdf(&document).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(pdf.len() > invoice_pdf(&plain).unwrap().len(), "{name}");
        let mut sheet = Sheet::new(&document).unwrap();
        sheet.lay_out();
        let (paper, _) = sheet.into_paper();
        let first = paper.texts(0);
        let named = first.iter().filter(|text| *text == plain.display_name);
        assert!(named.count() <= 1, "{name}: the name stands at the top too");
    }
}

#[test]
fn the_same_invoice_gives_the_same_bytes() {
    let sample = one_line();
    let (one, two) = (
        invoice_pdf(&sample.document()),
        invoice_pdf(&sample.document()),
    );
    assert_eq!(one.unwrap(), two.unwrap());
}

#[test]
fn nothing_leaves_the_paper() {
    for (name, sample) in samples() {
        let document = sample.document();
        let mut sheet = Sheet::new(&document).unwrap();
        sheet.lay_out();
        let (width, height) = sheet.size();
        let (paper, _) = sheet.into_paper();
        for (text, left, right, y) in paper.extents() {
            assert!(
                left > 40.0 && right < width - 40.0,
                "{name}: {text} {left} {right}"
            );
            assert!(y > 20.0 && y < height - 20.0, "{name}: {text} {y}");
        }
    }
}

#[test]
fn texts_are_there() {
    let check = |sample: &Sample, expected: &[&str]| {
        let text = sample.text().replace(['\u{a0}', '\u{202f}'], " ");
        for wanted in expected {
            assert!(text.contains(wanted), "{wanted} is missing in\n{text}");
        }
    };
    let mut shipped = one_line();
    shipped.invoice.presentation = Some(Box::new(Presentation {
        shipping: Some(Shipping {
            name: Some("Lager Nord".to_owned()),
            phone: None,
            address: address("Kai 7", "Hamburg", "20457", "DE"),
        }),
        page_size: Some(PageSize::Letter),
        ..Presentation::default()
    }));
    check(&shipped, &["Lager Nord", "Kai 7", "20457 Hamburg"]);
    check(
        &one_line(),
        &[
            "NORDLICHT-0007",
            "€58.31 due 1 December 2026",
            "Lumen Team",
            "VAT DE 19% on €49.00",
            "€9.31",
            "Tax ID: DE123456789",
            "Page 1 of 1",
        ],
    );
    check(
        &paid_with_discount(),
        &[
            "950,00 € payés le",
            "Remise : Bienvenue",
            "−240,00 €",
            "Solde utilisé",
            "−10,00 €",
            "−950,00 €",
        ],
    );
    check(
        &chinese(),
        &[
            "¥399.00",
            "上海明灯科技有限公司（张伟）",
            "世纪大道100号",
            "中国",
        ],
    );
    check(&japanese(), &["株式会社ひかり", "¥5,500"]);
    check(
        &credits(),
        &[
            "Unused time on Lumen Team after",
            "−$1,633.33",
            "1,234,567",
            "$0.000125",
            "Added to your balance",
            "Reverse charge",
        ],
    );
    check(
        &long_words(),
        &[
            "Void: nothing is owed",
            "□",
            "second line",
            "Русский",
            "한국어",
        ],
    );
}

#[test]
fn a_long_table_repeats_its_titles_and_counts_its_pages() {
    let pages = many_lines().pages();
    assert!(pages.len() > 2, "{} pages", pages.len());
    for (at, page) in pages.iter().enumerate() {
        let count = format!("Page {} of {}", at + 1, pages.len());
        assert!(page.contains(&count), "{count} in {page:?}");
    }
    for page in pages.iter().take(pages.len() - 1) {
        assert_eq!(page.iter().filter(|text| *text == "Description").count(), 1);
    }
    let last = pages.last().unwrap();
    assert!(last.iter().any(|text| text == "Amount due"), "{last:?}");
}

#[test]
fn americans_get_letter_paper() {
    let check = |sample: Sample, expected: f32| {
        let document = sample.document();
        let (width, _) = Sheet::new(&document).unwrap().size();
        assert!((width - expected).abs() < 0.01);
    };
    check(one_line(), 595.28);
    check(credits(), 612.0);
}
