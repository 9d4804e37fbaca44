//! The cards that the sandbox knows: Stripe's public test numbers and test names, each with the
//! behaviour that Stripe documents for it (docs.stripe.com/testing).
//!
//! Anything else with a right check digit may be somebody's real card and is refused, as at Stripe.

use perennial::payment::Funding;

use super::behaviour::{Behaviour, Reason};

/// A public test card.
#[derive(Clone, Copy, Debug)]
pub(super) struct TestCard {
    pub(super) number: &'static str,
    /// What follows `pm_card_` and `tok_` in its test names; more stand in [`ALIASES`].
    pub(super) name: &'static str,
    pub(super) behaviour: Behaviour,
    pub(super) funding: Funding,
    /// ISO 3166-1 alpha-2 of the bank.
    pub(super) country: &'static str,
}

/// Finds a card by its digits.
pub(super) fn by_number(digits: &str) -> Option<TestCard> {
    special()
        .chain(countries())
        .find(|card| card.number == digits)
}

/// Finds a card by one of Stripe's test names: `pm_card_visa`, `tok_visa`, `pm_card_fr`, …
pub(super) fn by_name(name: &str) -> Option<TestCard> {
    let name = name
        .strip_prefix("pm_card_")
        .or_else(|| name.strip_prefix("tok_"))?;
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    let name = alias.map_or(name, |(_, name)| name);
    special()
        .chain(countries())
        .find(|card| card.name == name && !card.name.is_empty())
}

/// Names that Stripe has for one card beside the one in the table.
const ALIASES: &[(&str, &str)] = &[
    ("us", "visa"),
    ("visa_chargeDeclined", "chargeDeclined"),
    (
        "visa_chargeDeclinedInsufficientFunds",
        "chargeDeclinedInsufficientFunds",
    ),
    ("visa_chargeDeclinedLostCard", "chargeDeclinedLostCard"),
    ("visa_chargeDeclinedStolenCard", "chargeDeclinedStolenCard"),
    (
        "visa_chargeDeclinedVelocityLimitExceeded",
        "chargeDeclinedVelocityLimitExceeded",
    ),
];

fn special() -> impl Iterator<Item = TestCard> {
    let brands = BRANDS
        .iter()
        .map(|&(number, name, funding, country)| TestCard {
            number,
            name,
            behaviour: Behaviour::Succeed,
            funding,
            country,
        });
    let behaviours = BEHAVIOURS
        .iter()
        .map(|&(number, name, behaviour)| TestCard {
            number,
            name,
            behaviour,
            funding: Funding::Credit,
            // The regulated cards name their country after the first six digits, as ISO 3166 numbers it.
            country: match number.get(6..9) {
                Some("250") => "FR",
                Some("276") => "DE",
                Some("380") => "IT",
                Some("826") => "GB",
                _ => "US",
            },
        });
    brands.chain(behaviours)
}

fn countries() -> impl Iterator<Item = TestCard> {
    COUNTRIES
        .iter()
        .map(|&(name, country, number, funding)| TestCard {
            number,
            name,
            behaviour: Behaviour::Succeed,
            funding,
            country,
        })
}

const BRANDS: &[(&str, &str, Funding, &str)] = &[
    ("4242424242424242", "visa", Funding::Credit, "US"),
    ("4000056655665556", "visa_debit", Funding::Debit, "US"),
    ("5555555555554444", "mastercard", Funding::Credit, "US"),
    ("2223003122003222", "", Funding::Credit, "US"),
    ("5200828282828210", "mastercard_debit", Funding::Debit, "US"),
    (
        "5105105105105100",
        "mastercard_prepaid",
        Funding::Prepaid,
        "US",
    ),
    ("378282246310005", "amex", Funding::Credit, "US"),
    ("371449635398431", "", Funding::Credit, "US"),
    ("6011111111111117", "discover", Funding::Credit, "US"),
    ("6011000990139424", "", Funding::Credit, "US"),
    ("6011981111111113", "", Funding::Debit, "US"),
    ("3056930009020004", "diners", Funding::Credit, "US"),
    ("36227206271667", "", Funding::Credit, "US"),
    ("3566002020360505", "", Funding::Credit, "JP"),
    ("6200000000000005", "unionpay", Funding::Credit, "CN"),
    ("6200000000000047", "", Funding::Debit, "CN"),
    ("6205500000000000004", "", Funding::Credit, "CN"),
];

const BEHAVIOURS: &[(&str, &str, Behaviour)] = &[
    // Ours: the first charge is refused as expired; then its bank has sent a new card, which pays.
    ("4000000000000614", "reissued", Behaviour::Reissue),
    // Refused at once, also when they are only saved.
    (
        "4000000000000002",
        "chargeDeclined",
        Behaviour::Decline(Reason::Generic),
    ),
    (
        "4000000000009995",
        "chargeDeclinedInsufficientFunds",
        Behaviour::Decline(Reason::InsufficientFunds),
    ),
    (
        "4000000000009987",
        "chargeDeclinedLostCard",
        Behaviour::Decline(Reason::LostCard),
    ),
    (
        "4000000000009979",
        "chargeDeclinedStolenCard",
        Behaviour::Decline(Reason::StolenCard),
    ),
    (
        "4000000000000069",
        "chargeDeclinedExpiredCard",
        Behaviour::Decline(Reason::ExpiredCard),
    ),
    (
        "4000000000000127",
        "chargeDeclinedIncorrectCvc",
        Behaviour::Decline(Reason::IncorrectCvc),
    ),
    (
        "4000000000000119",
        "chargeDeclinedProcessingError",
        Behaviour::Decline(Reason::ProcessingError),
    ),
    (
        "4000000000006975",
        "chargeDeclinedVelocityLimitExceeded",
        Behaviour::Decline(Reason::VelocityExceeded),
    ),
    // Saved, and refused when they are to pay.
    (
        "4000000000000341",
        "chargeCustomerFail",
        Behaviour::DeclineCharge(Reason::Generic),
    ),
    (
        "4100000000000019",
        "radarBlock",
        Behaviour::DeclineCharge(Reason::Fraudulent),
    ),
    // Strong customer authentication.
    (
        "4000002500003155",
        "authenticationRequiredOnSetup",
        Behaviour::AuthenticateUnlessSetUp,
    ),
    (
        "4000002760003184",
        "authenticationRequired",
        Behaviour::AuthenticateAlways,
    ),
    (
        "4000003800000446",
        "authenticationRequiredSetupForOffSession",
        Behaviour::AuthenticateOnSession,
    ),
    (
        "4000008260003178",
        "authenticationRequiredChargeDeclinedInsufficientFunds",
        Behaviour::AuthenticateThenDeclineCharge(Reason::InsufficientFunds),
    ),
    (
        "4000000000003220",
        "threeDSecure2Required",
        Behaviour::AuthenticateUnlessSetUp,
    ),
    (
        "4000000000003063",
        "threeDSecureRequired",
        Behaviour::AuthenticateUnlessSetUp,
    ),
    (
        "4000008400001629",
        "threeDSecureRequiredChargeDeclined",
        Behaviour::AuthenticateThenDecline(Reason::Generic),
    ),
    (
        "4000000000003055",
        "threeDSecureOptional",
        Behaviour::Succeed,
    ),
    // Risk, disputes and checks, which the sandbox does not play: they pay like any card.
    ("4000000000004954", "riskLevelHighest", Behaviour::Succeed),
    ("4000000000009235", "riskLevelElevated", Behaviour::Succeed),
    ("4000000000000101", "cvcCheckFail", Behaviour::Succeed),
    ("4000000000000010", "avsFail", Behaviour::Succeed),
    ("4000000000000028", "avsLine1Fail", Behaviour::Succeed),
    ("4000000000000036", "avsZipFail", Behaviour::Succeed),
    ("4000000000000259", "createDispute", Behaviour::Succeed),
    (
        "4000000000002685",
        "createDisputeProductNotReceived",
        Behaviour::Succeed,
    ),
    (
        "4000000000001976",
        "createDisputeInquiry",
        Behaviour::Succeed,
    ),
    (
        "4000000000005423",
        "createIssuerFraudRecord",
        Behaviour::Succeed,
    ),
    ("4000000000000077", "bypassPending", Behaviour::Succeed),
    ("4000000000005126", "refundFail", Behaviour::RefundFails),
    ("4000000000007726", "pendingRefund", Behaviour::RefundPends),
];

const COUNTRIES: &[(&str, &str, &str, Funding)] = &[
    ("ar", "AR", "4000000320000021", Funding::Credit),
    ("br", "BR", "4000000760000002", Funding::Credit),
    ("ca", "CA", "4000001240000000", Funding::Credit),
    ("cl", "CL", "4000001520000001", Funding::Credit),
    ("co", "CO", "4000001700000003", Funding::Credit),
    ("cr", "CR", "4000001880000005", Funding::Credit),
    ("ec", "EC", "4000002180000000", Funding::Credit),
    ("mx", "MX", "4000004840008001", Funding::Credit),
    ("pa", "PA", "4000005910000000", Funding::Credit),
    ("py", "PY", "4000006000000066", Funding::Credit),
    ("pe", "PE", "4000006040000068", Funding::Credit),
    ("uy", "UY", "4000008580000003", Funding::Credit),
    ("ae", "AE", "4000007840000001", Funding::Credit),
    ("at", "AT", "4000000400000008", Funding::Credit),
    ("be", "BE", "4000000560000004", Funding::Credit),
    ("bg", "BG", "4000001000000000", Funding::Credit),
    ("by", "BY", "4000001120000005", Funding::Credit),
    ("hr", "HR", "4000001910000009", Funding::Credit),
    ("cy", "CY", "4000001960000008", Funding::Credit),
    ("cz", "CZ", "4000002030000002", Funding::Credit),
    ("dk", "DK", "4000002080000001", Funding::Credit),
    ("ee", "EE", "4000002330000009", Funding::Credit),
    ("fi", "FI", "4000002460000001", Funding::Credit),
    ("fr", "FR", "4000002500000003", Funding::Credit),
    ("de", "DE", "4000002760000016", Funding::Credit),
    ("gi", "GI", "4000002920000005", Funding::Credit),
    ("gr", "GR", "4000003000000030", Funding::Credit),
    ("hu", "HU", "4000003480000005", Funding::Credit),
    ("ie", "IE", "4000003720000005", Funding::Credit),
    ("it", "IT", "4000003800000008", Funding::Credit),
    ("lv", "LV", "4000004280000005", Funding::Credit),
    ("li", "LI", "4000004380000004", Funding::Credit),
    ("lt", "LT", "4000004400000000", Funding::Credit),
    ("lu", "LU", "4000004420000006", Funding::Credit),
    ("mt", "MT", "4000004700000007", Funding::Credit),
    ("nl", "NL", "4000005280000002", Funding::Credit),
    ("no", "NO", "4000005780000007", Funding::Credit),
    ("pl", "PL", "4000006160000005", Funding::Credit),
    ("pt", "PT", "4000006200000007", Funding::Credit),
    ("ro", "RO", "4000006420000001", Funding::Credit),
    ("sa", "SA", "4000006820000007", Funding::Credit),
    ("si", "SI", "4000007050000006", Funding::Credit),
    ("sk", "SK", "4000007030000001", Funding::Credit),
    ("es", "ES", "4000007240000007", Funding::Credit),
    ("se", "SE", "4000007520000008", Funding::Credit),
    ("ch", "CH", "4000007560000009", Funding::Credit),
    ("gb", "GB", "4000008260000000", Funding::Credit),
    ("gb_debit", "GB", "4000058260000005", Funding::Debit),
    ("gb_mastercard", "GB", "5555558265554449", Funding::Credit),
    ("au", "AU", "4000000360000006", Funding::Credit),
    ("cn", "CN", "4000001560000002", Funding::Credit),
    ("hk", "HK", "4000003440000004", Funding::Credit),
    ("in", "IN", "4000003560000008", Funding::Credit),
    ("jp", "JP", "4000003920000003", Funding::Credit),
    ("jcb", "JP", "3530111333300000", Funding::Credit),
    ("my", "MY", "4000004580000002", Funding::Credit),
    ("nz", "NZ", "4000005540000008", Funding::Credit),
    ("sg", "SG", "4000007020000003", Funding::Credit),
    ("tw", "TW", "4000001580000008", Funding::Credit),
    ("th_credit", "TH", "4000007640000003", Funding::Credit),
    ("th_debit", "TH", "4000057640000008", Funding::Debit),
];

#[cfg(test)]
mod tests {
    //! The table itself.
    use super::*;
    use perennial::card::CardNumber;

    #[test]
    fn every_number_is_a_card_number_and_stands_once() {
        let mut seen = std::collections::BTreeSet::new();
        for card in special().chain(countries()) {
            assert!(CardNumber::parse(card.number).is_ok(), "{}", card.number);
            assert!(seen.insert(card.number), "{} stands twice", card.number);
        }
        assert!(seen.len() > 90);
    }

    #[test]
    fn every_name_stands_once() {
        let mut seen = std::collections::BTreeSet::new();
        for card in special()
            .chain(countries())
            .filter(|card| !card.name.is_empty())
        {
            assert!(seen.insert(card.name), "{} stands twice", card.name);
        }
        for (alias, name) in ALIASES {
            assert!(seen.insert(alias), "{alias} stands twice");
            assert!(seen.contains(name), "{alias} names nothing");
        }
    }

    #[test]
    fn names_find_their_numbers() {
        let check = |name: &str, number: Option<&str>| {
            assert_eq!(by_name(name).map(|card| card.number), number, "{name}");
        };
        check("pm_card_visa", Some("4242424242424242"));
        check("tok_visa", Some("4242424242424242"));
        check("pm_card_us", Some("4242424242424242"));
        check("pm_card_visa_chargeDeclined", Some("4000000000000002"));
        check("pm_card_chargeCustomerFail", Some("4000000000000341"));
        check("tok_chargeDeclinedExpiredCard", Some("4000000000000069"));
        check("pm_card_authenticationRequired", Some("4000002760003184"));
        check(
            "pm_card_authenticationRequiredOnSetup",
            Some("4000002500003155"),
        );
        check("pm_card_jp", Some("4000003920000003"));
        check("pm_card_", None);
        check("pm_card_nobody", None);
        check("visa", None);
    }

    #[test]
    fn regulated_cards_name_their_country() {
        let check = |number: &str, country: &str| {
            assert_eq!(
                by_number(number).map(|card| card.country),
                Some(country),
                "{number}"
            );
        };
        check("4000002500003155", "FR");
        check("4000002760003184", "DE");
        check("4000003800000446", "IT");
        check("4000008400001629", "US");
        check("4000008260003178", "GB");
        check("4000000000000002", "US");
    }
}
