//! What the forms do: what reaches the portal, and where the reader goes from there.

use super::{ask, fake::Fake, run};
use crate::{
    port::{Added, Settled},
    portal::{
        card_form::add_card,
        details::{add_tax_id, save_details},
        invoice::{load_invoice, pay_invoice},
        invoices::load_invoices,
        mail::save_mail,
        payment_methods::{load_payment_methods, make_default, remove_payment_method},
    },
    refusal::{DeclineReason, Field, Refusal, Rule},
};
use leptos::{prelude::*, reactive::computed::ScopedFuture};
use std::sync::Arc;

const METHOD: &str = "pm_0000000000000000000002";
const INVOICE: &str = "in_0000000000000000000001";

fn own(text: &str) -> String {
    text.to_owned()
}

fn card(
    number: &str,
    invoice: &str,
) -> impl FnOnce() -> futures::future::BoxFuture<'static, Result<Option<String>, Refusal>> {
    let (number, invoice) = (own(number), own(invoice));
    move || {
        Box::pin(add_card(
            number,
            own("12 / 30"),
            own("123"),
            own("Ada"),
            true,
            invoice,
        ))
    }
}

fn asked(portal: &Fake) -> Vec<String> {
    portal.asked.lock().unwrap().clone()
}

#[test]
fn each_act_reaches_the_portal_and_ends_on_its_page() {
    let portal = Arc::new(Fake::default());
    let (done, to) = ask(&portal, || make_default(own(METHOD)));
    assert_eq!(
        (done, to.as_deref()),
        (
            Ok(None),
            Some("/portal/payment-methods?done=default-changed")
        )
    );
    let (done, to) = ask(&portal, || remove_payment_method(own(METHOD)));
    assert_eq!(
        (done, to.as_deref()),
        (Ok(None), Some("/portal/payment-methods?done=card-removed"))
    );
    let (done, to) = ask(&portal, card("4242 4242 4242 4242", ""));
    assert_eq!(
        (done, to.as_deref()),
        (Ok(None), Some("/portal/payment-methods?done=card-added"))
    );
    let (done, to) = ask(&portal, || pay_invoice(own(INVOICE), own(METHOD)));
    let paid = format!("/portal/invoices/{INVOICE}?done=invoice-paid");
    assert_eq!((done, to), (Ok(None), Some(paid)));
    let (done, to) = ask(&portal, || {
        save_mail(true, false, false, false, false, true)
    });
    assert_eq!(
        (done, to.as_deref()),
        (Ok(None), Some("/portal/mail?done=mail-saved"))
    );
    let (done, to) = ask(&portal, || {
        add_tax_id(own("eu_vat:FR"), own("FR 40 303 265 045"))
    });
    assert_eq!(
        (done, to.as_deref()),
        (Ok(None), Some("/portal/details?done=tax-id-added"))
    );
    let asked = asked(&portal);
    let expected = [
        format!("default {METHOD}"),
        format!("remove {METHOD}"),
        own("add Ada default true"),
        format!("pay {INVOICE} with Some({METHOD})"),
        own(
            "MailPreferences { receipts: true, renewal_reminders: false, trial_reminders: false, card_expiry: false, product_updates: false, promotions: true }",
        ),
        own("add eu_vat FR 40 303 265 045"),
    ];
    assert_eq!(asked, expected);
}

#[test]
fn a_card_added_to_pay_leads_back_to_its_invoice_and_nowhere_else() {
    let portal = Arc::new(Fake::default());
    let (_, to) = ask(&portal, card("4242424242424242", INVOICE));
    assert_eq!(
        to,
        Some(format!("/portal/invoices/{INVOICE}?done=card-added"))
    );
    for elsewhere in [
        "https://evil.example",
        "//evil.example",
        "in_../../x",
        "in_",
    ] {
        let (_, to) = ask(&portal, card("4242424242424242", elsewhere));
        assert_eq!(
            to.as_deref(),
            Some("/portal/payment-methods?done=card-added")
        );
    }
}

#[test]
fn a_challenge_leads_to_the_bank() {
    let url = own("https://bank.example/challenge");
    let portal = Arc::new(Fake {
        added: Ok(Added::Challenge { url: url.clone() }),
        settled: Ok(Settled::Challenge { url: url.clone() }),
        ..Fake::default()
    });
    let (done, to) = ask(&portal, card("4242424242424242", ""));
    assert_eq!((done, to), (Ok(Some(url.clone())), Some(url.clone())));
    let (done, to) = ask(&portal, || pay_invoice(own(INVOICE), String::new()));
    assert_eq!((done, to), (Ok(Some(url.clone())), Some(url)));
}

#[test]
fn what_cannot_be_right_never_reaches_the_portal() {
    let portal = Arc::new(Fake::default());
    let (done, to) = ask(&portal, card("4242 4242 4242 4241", ""));
    let fault = vec![(Field::CardNumber, Rule::Malformed)];
    assert_eq!((done, to), (Err(Refusal::Invalid(fault)), None));
    let (done, _) = ask(&portal, || {
        let none = String::new;
        save_details(
            none(),
            own("ada"),
            none(),
            own("US"),
            own("1 Main St"),
            none(),
            none(),
            own("IL"),
            own("1"),
        )
    });
    let faults = vec![
        (Field::Email, Rule::Malformed),
        (Field::City, Rule::Required),
        (Field::PostalCode, Rule::Malformed),
    ];
    assert_eq!(done, Err(Refusal::Invalid(faults)));
    let (done, _) = ask(&portal, || add_tax_id(own("eu_vat:FR"), own("12")));
    assert_eq!(
        done,
        Err(Refusal::Invalid(vec![(Field::TaxIdValue, Rule::Malformed)]))
    );
    assert_eq!(
        ask(&portal, || make_default(own("in_1"))).0,
        Err(Refusal::NotFound)
    );
    assert_eq!(
        ask(&portal, || pay_invoice(own("x"), String::new())).0,
        Err(Refusal::NotFound)
    );
    assert_eq!(
        ask(&portal, || load_invoices(own("x"))).0,
        Err(Refusal::NotFound)
    );
    assert_eq!(asked(&portal), Vec::<String>::new());
}

#[test]
fn details_are_kept_as_their_country_writes_them() {
    let portal = Arc::new(Fake::default());
    let (done, to) = ask(&portal, || {
        let none = String::new;
        save_details(
            own("Ada"),
            own("ada@example.com"),
            none(),
            own("gb"),
            own("1 Road"),
            none(),
            own("London"),
            none(),
            own("sw1y4jh"),
        )
    });
    assert_eq!(
        (done, to.as_deref()),
        (Ok(None), Some("/portal/details?done=details-saved"))
    );
    assert!(
        asked(&portal)[0].contains("postal_code: \"SW1Y 4JH\", country: \"GB\""),
        "{:?}",
        asked(&portal)
    );
}

#[test]
fn a_refused_payment_says_what_the_bank_said() {
    let declined = Refusal::Declined(DeclineReason::InsufficientFunds);
    let portal = Arc::new(Fake {
        refused: Some(declined.clone()),
        ..Fake::default()
    });
    let (done, to) = ask(&portal, || pay_invoice(own(INVOICE), own(METHOD)));
    assert_eq!((done, to), (Err(declined), None));
}

#[test]
fn nobody_gets_past_a_missing_session() {
    let refused = run(async {
        let owner = Owner::new();
        let work = owner.with(|| {
            ScopedFuture::new(async {
                let none = String::new;
                [
                    load_payment_methods().await.map(drop),
                    make_default(own(METHOD)).await.map(drop),
                    remove_payment_method(own(METHOD)).await.map(drop),
                    card("4242424242424242", "")().await.map(drop),
                    load_invoices(none()).await.map(drop),
                    load_invoice(own(INVOICE)).await.map(drop),
                    pay_invoice(own(INVOICE), none()).await.map(drop),
                    save_mail(true, true, true, true, true, true)
                        .await
                        .map(drop),
                    add_tax_id(own("eu_vat"), own("FR40303265045"))
                        .await
                        .map(drop),
                ]
            })
        });
        work.await
    });
    for answer in refused {
        assert_eq!(answer, Err(Refusal::SignedOut));
    }
}
