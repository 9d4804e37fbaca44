//! What the command line takes for a merchant, and what it refuses.

use clap::Parser;
use perennial::calendar::Timestamp;
use perennial::currency::Currency;
use perennial::id::MerchantId;
use perennial::theme::{Appearance, Font, Rgb, Theme};

use super::MerchantUpdate;
use crate::config::{Cli, Command, MerchantCommand};
use crate::merchant::Merchant;

fn update(words: &str) -> Result<MerchantUpdate, String> {
    let line = format!("perennial|merchant|update|--merchant|acct_1|{words}");
    match Cli::try_parse_from(line.split('|'))
        .map_err(|error| error.to_string())?
        .command
    {
        Command::Merchant {
            command: MerchantCommand::Update { changes, .. },
        } => Ok(*changes),
        other => Err(format!("{other:?}")),
    }
}

fn merchant() -> Merchant {
    Merchant {
        id: MerchantId::parse("acct_1").unwrap(),
        name: "Halden".to_owned(),
        address: None,
        support_email: Some("help@halden.example".to_owned()),
        tax_id: None,
        invoice_footer: None,
        theme: Theme::default(),
        frame_ancestors: vec!["https://old.example".to_owned()],
        retries: perennial::dunning::RetryPolicy::default(),
        mail: crate::mail::MailSettings::default(),
        draft_seconds: crate::merchant::DRAFT_SECONDS,
        upcoming_days: 0,
        numbering: crate::merchant::InvoiceNumbering::default(),
        invoice_prefix: None,
        currency: None,
        created: Timestamp(0),
    }
}

#[test]
fn what_is_not_named_stays() {
    let mut changed = merchant();
    update("--radius|3").unwrap().apply(&mut changed);
    let mut wanted = merchant();
    wanted.theme.radius_px = 3;
    assert_eq!(changed, wanted);
}

#[test]
fn a_brand_is_set_as_a_whole() {
    let mut changed = merchant();
    let words = "--display-name|Halden & Co|--brand|#ff8800|--background|#101010|--logo|/logo.svg\
                 |--font|serif|--appearance|dark|--frame-ancestor|https://App.example.com:443/\
                 |--support-email||--country|de|--city|Kiel|--currency|eur";
    update(words).unwrap().apply(&mut changed);
    assert_eq!(changed.currency, Some(Currency::EUR));
    assert_eq!(changed.theme.display_name, "Halden & Co");
    assert_eq!(changed.theme.brand, Rgb(0xff, 0x88, 0));
    assert_eq!(changed.theme.background, Rgb(0x10, 0x10, 0x10));
    assert_eq!(changed.theme.logo.as_deref(), Some("/logo.svg"));
    assert_eq!(
        (changed.theme.font, changed.theme.appearance),
        (Font::Serif, Appearance::Dark)
    );
    assert_eq!(changed.frame_ancestors, ["https://app.example.com"]);
    assert_eq!(changed.support_email, None);
    let address = changed.address.unwrap();
    assert_eq!(
        (address.country.as_deref(), address.city.as_deref()),
        (Some("DE"), Some("Kiel"))
    );
}

#[test]
fn an_empty_origin_allows_no_frames() {
    let mut changed = merchant();
    update("--frame-ancestor|").unwrap().apply(&mut changed);
    assert!(changed.frame_ancestors.is_empty());
}

#[test]
fn what_could_break_out_of_a_header_or_a_page_is_refused() {
    for words in [
        "--brand|green",
        "--radius|17",
        "--logo|javascript:alert(1)",
        "--logo|//evil.example/x.png",
        "--logo|https://x.example/\"onload",
        "--frame-ancestor|https://a.example; script-src *",
        "--frame-ancestor|*",
        "--country|Germany",
        "--currency|euro",
    ] {
        assert!(update(words).is_err(), "{words} was taken");
    }
}

#[test]
fn retries_are_set_and_their_limits_named() {
    use perennial::dunning::{RetryMode, RetryPolicy};
    use perennial::subscription::WhenExhausted;
    let mut changed = merchant();
    let words = "--smart-retries|14:8|--after-retries|leave-past-due|--first-retry-hours|1,6\
                 |--write-off-days|60";
    update(words).unwrap().apply(&mut changed);
    let wanted = RetryPolicy {
        mode: RetryMode::Smart {
            window_days: 14,
            retries_max: 8,
        },
        then: WhenExhausted::LeavePastDue,
        first_wait_hours: vec![1, 6],
        write_off_days: Some(60),
    };
    assert_eq!(changed.retries, wanted);
    update("--retry-days||--first-retry-hours||--write-off-days|0")
        .unwrap()
        .apply(&mut changed);
    let wanted = RetryPolicy {
        mode: RetryMode::Schedule { wait_days: vec![] },
        then: WhenExhausted::LeavePastDue,
        ..RetryPolicy::default()
    };
    assert_eq!(changed.retries, wanted);
    for wrong in [
        "--retry-days|0",
        "--retry-days|1,1,1,1,1,1,1,1,1",
        "--retry-days|soon",
        "--smart-retries|14",
        "--smart-retries|61:3",
        "--smart-retries|14:9",
        "--smart-retries|14:8|--retry-days|1",
        "--first-retry-hours|20,20",
        "--write-off-days|366",
    ] {
        assert!(update(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_logo_for_documents_is_judged_before_it_is_kept() {
    let logo = |words: &str| update(words).unwrap().document_logo();
    assert_eq!(logo("--radius|3"), Ok(None));
    assert_eq!(logo("--document-logo|"), Ok(Some(Vec::new())), "taken away");
    let no_picture = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for path in ["/nowhere/logo.png", no_picture] {
        let refused = logo(&format!("--document-logo|{path}")).unwrap_err();
        assert!(refused.starts_with("--document-logo "), "{refused}");
    }
}
