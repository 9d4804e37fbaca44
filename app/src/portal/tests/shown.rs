//! What the pages show.

use super::{
    fake::{Fake, NOVEMBER},
    has, lacks, page, says, text,
};
use crate::{
    locale::Locale,
    port::Details,
    refusal::{DeclineReason, Field, Refusal, Rule},
};
use leptos::server_fn::error::ServerFnUrlError;
use perennial::{
    customer::{Address, TaxExempt},
    invoice::{InvoiceStatus, TaxabilityReason},
    portal::CustomerField,
};

const INVOICE: &str = "/portal/invoices/in_0000000000000000000001";

fn refused(page: &str, act: &str, refusal: Refusal) -> String {
    let error = ServerFnUrlError::new(format!("/api/portal/{act}"), refusal);
    let url = error.to_url(&format!("http://localhost{page}")).unwrap();
    url.as_str()
        .trim_start_matches("http://localhost")
        .to_owned()
}

#[test]
fn payment_methods_say_which_pays_and_what_can_be_done() {
    let html = page(Fake::default(), Locale::En, "/portal/payment-methods");
    says(
        &html,
        &[
            "Payment methods",
            "Visa ending in 4242",
            "Expires 08/2029",
            "Default",
            "Expires 12/2026, soon",
            "Expired 03/2025",
        ],
    );
    has(
        &html,
        &[
            "action=\"/api/portal/make-default\"",
            "value=\"pm_0000000000000000000002\"",
            "href=\"/portal/payment-methods/pm_0000000000000000000002/remove\"",
            "href=\"/portal/payment-methods/new\"",
        ],
    );
    // The default can't go while it is needed, and an expired card can't become it.
    lacks(
        &html,
        &[
            "/pm_0000000000000000000001/remove",
            "value=\"pm_0000000000000000000003\"",
        ],
    );
    let empty = Fake {
        methods: vec![],
        ..Fake::default()
    };
    says(
        &page(empty, Locale::En, "/portal/payment-methods"),
        &["No card is saved yet.", "Add a card"],
    );
}

#[test]
fn removing_is_asked_on_a_page_of_its_own() {
    let html = page(
        Fake::default(),
        Locale::En,
        "/portal/payment-methods/pm_0000000000000000000002/remove",
    );
    says(
        &html,
        &["Remove this card?", "Mastercard ending in 4444", "Keep it"],
    );
    has(
        &html,
        &[
            "action=\"/api/portal/remove-payment-method\"",
            "value=\"pm_0000000000000000000002\"",
        ],
    );
    let other = page(
        Fake::default(),
        Locale::En,
        "/portal/payment-methods/pm_x/remove",
    );
    says(&other, &["This page isn't here"]);
}

#[test]
fn notices_and_refusals_come_from_codes_alone() {
    let done = page(
        Fake::default(),
        Locale::En,
        "/portal/payment-methods?done=default-changed",
    );
    says(&done, &["The default has changed"]);
    let forged = page(
        Fake::default(),
        Locale::En,
        "/portal/payment-methods?done=You+won",
    );
    lacks(&forged, &["You won", "role=\"status\""]);
    let forged =
        "/portal/payment-methods?__path=%2Fapi%2Fportal%2Fmake-default&__err=WW91IHdvbg%3D%3D";
    lacks(&page(Fake::default(), Locale::En, forged), &["You won"]);
    let url = refused("/portal/payment-methods", "make-default", Refusal::Busy);
    let html = page(Fake::default(), Locale::En, &url);
    says(
        &html,
        &["Something else was being changed at the same moment"],
    );
    has(&html, &["role=\"alert\""]);
}

#[test]
fn a_card_form_can_be_filled_in_by_the_browser_and_shows_faults_beside_their_fields() {
    let html = page(Fake::default(), Locale::En, "/portal/payment-methods/new");
    has(
        &html,
        &[
            "action=\"/api/portal/add-card\"",
            "cc-number",
            "cc-exp",
            "cc-csc",
            "cc-name",
            "inputmode=\"numeric\"",
        ],
    );
    let faults = Refusal::Invalid(vec![
        (Field::CardNumber, Rule::Malformed),
        (Field::CardExpiry, Rule::Expired),
    ]);
    let html = page(
        Fake::default(),
        Locale::En,
        &refused("/portal/payment-methods/new", "add-card", faults),
    );
    let beside = |id: &str| {
        let part = html.split(&format!("id=\"{id}-error\"")).nth(1).unwrap();
        part.split("</p>").next().unwrap().to_owned()
    };
    has(&beside("number"), &["Check the number"]);
    has(&beside("expiry"), &["This card has expired"]);
    lacks(&beside("cvc"), &["Enter"]);
    has(
        &html,
        &[
            "aria-invalid=\"true\"",
            "aria-describedby=\"number-hint number-error\"",
        ],
    );
    // The first card becomes the default by itself; there is nothing to ask.
    let first = Fake {
        methods: vec![],
        ..Fake::default()
    };
    lacks(
        &page(first, Locale::En, "/portal/payment-methods/new"),
        &["make_default"],
    );
}

#[test]
fn invoices_are_listed_with_their_states() {
    let html = page(Fake::default(), Locale::En, "/portal/invoices");
    says(
        &html,
        &[
            "1 Nov 2026",
            "Team, Extra storage",
            "FERN-0019",
            "Payment failed",
            "Paid",
            "Cancelled",
            "Written off",
            "€1,234.56",
        ],
    );
    has(
        &html,
        &[
            "href=\"/portal/invoices/in_0000000000000000000001\"",
            "href=\"/portal/invoices?after=in_000000000000000000000K\"",
        ],
    );
    let empty = Fake {
        rows: vec![],
        next: None,
        ..Fake::default()
    };
    let html = page(empty, Locale::En, "/portal/invoices");
    says(&html, &["There are no invoices yet."]);
    lacks(&html, &["<table"]);
}

#[test]
fn an_invoice_adds_up_and_can_be_paid() {
    let html = page(Fake::default(), Locale::En, INVOICE);
    says(
        &html,
        &[
            "Invoice FERN-0019",
            "Payment failed, we try again on 22 November",
            "Pay €89.16",
            "Fernworks GmbH\nTorstraße 140\n10119 Berlin\nGermany",
            "Ada Lovelace\n12 rue de la Paix\n3e étage\n75002 Paris\nFrance",
            "Already paid until 1 November 2026, given back from the change on 19 October 2026, 23:39:26 UTC.",
            "Subtotal\n€92.00",
            "Spring (10%)\n−€7.70",
            "on €84.30\n€16.86",
            "Total\n€101.16",
            "Credit used\n−€12.00",
            "Amount due\n€89.16",
        ],
    );
    has(
        &html,
        &[
            "action=\"/api/portal/pay\"",
            "value=\"pm_0000000000000000000002\"",
            "href=\"/portal/payment-methods/new?invoice=in_0000000000000000000001\"",
            "href=\"/portal/invoices/in_0000000000000000000001/pdf\"",
        ],
    );
    let declined = Refusal::Declined(DeclineReason::InsufficientFunds);
    let html = page(
        Fake::default(),
        Locale::En,
        &refused(INVOICE, "pay", declined),
    );
    says(
        &html,
        &["Your bank declined the card", "You have not been charged."],
    );
}

fn with(edit: impl FnOnce(&mut Fake)) -> Fake {
    let mut fake = Fake::default();
    edit(&mut fake);
    fake
}

#[test]
fn an_invoice_says_where_it_stands() {
    let paid = with(|f| {
        f.page.payable = false;
        f.page.invoice.status = InvoiceStatus::Paid;
        f.page.invoice.amount_paid_minor = f.page.invoice.amount_due_minor;
        f.page.invoice.paid_at = Some(NOVEMBER);
    });
    let html = page(paid, Locale::En, &format!("{INVOICE}?done=invoice-paid"));
    says(
        &html,
        &[
            "Thank you, your payment has arrived",
            "Paid on 1 November",
            "Amount paid\n−€89.16",
            "Amount due\n€0.00",
        ],
    );
    lacks(&html, &["/api/portal/pay\""]);
    let void = with(|f| {
        f.page.payable = false;
        f.page.invoice.status = InvoiceStatus::Void;
        f.page.invoice.voided_at = Some(NOVEMBER);
    });
    says(
        &page(void, Locale::En, INVOICE),
        &["Cancelled on 1 November: nothing is owed"],
    );
    let due = with(|f| {
        f.page.invoice.last_payment_error = None;
        f.page.invoice.next_payment_attempt = None;
        f.page.invoice.due_date = Some(NOVEMBER);
    });
    says(
        &page(due, Locale::En, INVOICE),
        &["To pay since 1 November"],
    );
    let challenge = with(|f| f.page.challenge = Some("/sandbox/challenge/x".to_owned()));
    let html = page(challenge, Locale::En, INVOICE);
    has(
        &html,
        &["href=\"/sandbox/challenge/x\"", "rel=\"external\""],
    );
    lacks(&html, &["/api/portal/pay\""]);
    let nothing = with(|f| f.page.payment_methods.clear());
    let html = page(nothing, Locale::En, INVOICE);
    says(
        &html,
        &["There is no card to pay it with yet.", "Add a card"],
    );
    lacks(&html, &["/api/portal/pay\""]);
}

#[test]
fn an_invoice_explains_its_taxes_and_credit() {
    let reverse = with(|f| {
        f.page.invoice.bill_to.tax_exempt = TaxExempt::Reverse;
        for tax in f
            .page
            .invoice
            .lines
            .iter_mut()
            .flat_map(|line| &mut line.taxes)
        {
            tax.reason = TaxabilityReason::ReverseCharge;
            tax.amount_minor = 0;
        }
    });
    says(&page(reverse, Locale::En, INVOICE), &["Reverse charge"]);
    let credit = with(|f| {
        f.page.payable = false;
        f.page.invoice.status = InvoiceStatus::Paid;
        f.page.invoice.totals.total_minor = -1500;
        f.page.invoice.amount_due_minor = 0;
    });
    says(
        &page(credit, Locale::En, INVOICE),
        &["Total\n−€15.00", "Added to your credit\n€15.00"],
    );
    let inside = with(|f| {
        for tax in f
            .page
            .invoice
            .lines
            .iter_mut()
            .flat_map(|line| &mut line.taxes)
        {
            tax.inclusive = true;
        }
    });
    says(&page(inside, Locale::En, INVOICE), &["TVA (20%), included"]);
}

#[test]
fn details_are_asked_as_the_country_writes_them() {
    let order = |html: &str| {
        let ids = [
            "id=\"line1\"",
            "id=\"city\"",
            "id=\"state\"",
            "id=\"postal_code\"",
        ];
        let mut at: Vec<_> = ids.iter().map(|id| (html.find(id).unwrap(), *id)).collect();
        at.sort_unstable();
        at.into_iter()
            .map(|(_, id)| id.trim_start_matches("id=").trim_matches('"').to_owned())
            .collect::<Vec<_>>()
    };
    let html = page(Fake::default(), Locale::En, "/portal/details");
    says(
        &html,
        &[
            "Street and number",
            "Postal code",
            "City",
            "Country or region (optional)",
            "FR40303265045",
            "France: EU VAT",
        ],
    );
    assert_eq!(order(&html), ["line1", "postal_code", "city", "state"]);
    let state = html.split("data-part=\"state\"").nth(1).unwrap();
    has(&state[..40], &["data-unused"]);
    let us = with(|f| {
        f.details.address = Some(Address {
            country: Some("US".to_owned()),
            ..Address::default()
        })
    });
    let html = page(us, Locale::En, "/portal/details");
    says(&html, &["State", "ZIP code"]);
    assert_eq!(order(&html), ["line1", "city", "state", "postal_code"]);
    lacks(&html, &["data-unused=\"\""]);
    has(
        &html,
        &[
            "autocomplete=\"billing address-line1\"",
            "type=\"email\"",
            "type=\"tel\"",
        ],
    );
}

#[test]
fn details_that_may_not_be_edited_are_only_read() {
    let fixed = with(|f| f.details.editable = vec![]);
    let html = page(fixed, Locale::En, "/portal/details");
    says(
        &html,
        &["ada@example.com", "12 rue de la Paix", "FR40303265045"],
    );
    lacks(
        &html,
        &[
            "/api/portal/save-details",
            "/api/portal/add-tax-id",
            "/api/portal/remove-tax-id",
        ],
    );
    let some = with(|f| f.details.editable = vec![CustomerField::Email]);
    let html = page(some, Locale::En, "/portal/details");
    has(&html, &["id=\"email\"", "/api/portal/save-details"]);
    lacks(
        &html,
        &["id=\"name\"", "id=\"line1\"", "/api/portal/add-tax-id"],
    );
    let none = with(|f| {
        f.details = Details {
            editable: f.details.editable.clone(),
            ..Details::default()
        }
    });
    let html = page(none, Locale::En, "/portal/details");
    says(&html, &["Email (optional)"]);
}

#[test]
fn promotions_are_off_and_needed_mail_has_no_switch() {
    let html = page(Fake::default(), Locale::En, "/portal/mail");
    let input = |id: &str| {
        let part = html
            .split(&format!("<input id=\"{id}\""))
            .nth(1)
            .expect("an input");
        part.split('>').next().unwrap().to_owned()
    };
    has(&input("receipts"), &["checked"]);
    lacks(&input("promotions"), &["checked"]);
    lacks(&input("product_updates"), &["checked"]);
    assert_eq!(html.matches("type=\"checkbox\"").count(), 6);
    says(
        &html,
        &[
            "What always comes",
            "A payment that failed or needs your confirmation",
        ],
    );
    has(
        &html,
        &["action=\"/api/portal/choose-language\"", "value=\"zh\""],
    );
}

#[test]
fn every_page_speaks_every_language() {
    let pages = [
        "/portal/payment-methods",
        "/portal/payment-methods/new",
        "/portal/invoices",
        INVOICE,
        "/portal/details",
        "/portal/mail",
    ];
    for path in pages {
        let [en, fr, zh] = [Locale::En, Locale::Fr, Locale::Zh]
            .map(|locale| text(&page(Fake::default(), locale, path)));
        // Sentences are long; what stays the same is names, numbers and addresses.
        let sentences = en
            .lines()
            .filter(|line| line.split(' ').count() > 3 && !line.contains('@'));
        for sentence in sentences.filter(|line| !line.contains("Fernworks")) {
            let kept = |other: &str| other.lines().any(|line| line == sentence);
            let name = sentence.starts_with("12 rue")
                || sentence.starts_with('[')
                || sentence.contains("0012");
            assert!(
                name || !kept(&fr),
                "{path} in French still says `{sentence}`"
            );
            assert!(
                name || !kept(&zh),
                "{path} in Chinese still says `{sentence}`"
            );
        }
    }
    let html = page(Fake::default(), Locale::Fr, INVOICE);
    says(&html, &["Payer 89,16 €", "Allemagne"]);
    let html = page(Fake::default(), Locale::Zh, INVOICE);
    says(&html, &["支付 €89.16", "德国"]);
}
