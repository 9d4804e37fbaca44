//! Halden's customers.

use perennial::currency::Currency;
use perennial::customer::TaxExempt;

/// Somebody who buys.
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) email: &'static str,
    pub(super) phone: &'static str,
    /// Street, city, state, postal code, country.
    pub(super) address: [&'static str; 5],
    pub(super) locale: &'static str,
    pub(super) currency: Currency,
    /// Stripe's type and the number.
    pub(super) tax_id: Option<(&'static str, &'static str)>,
    pub(super) tax_exempt: TaxExempt,
    /// What is said in the demo's report.
    pub(super) see: &'static str,
}

pub(super) const MAYA: &str = "maya@okafor.example";
pub(super) const KESSLER: &str = "einkauf@kessler-brandt.example";
pub(super) const CAMILLE: &str = "camille@atelier-laurent.example";
pub(super) const SATO: &str = "ken@sato-seisakusho.example";
pub(super) const LIN: &str = "linxiao@linlab.example";
pub(super) const NOOR: &str = "noor@alhashimi.example";
pub(super) const TOM: &str = "tom@whitfield.example";
pub(super) const PRIYA: &str = "priya@raman.example";
pub(super) const ANA: &str = "ana@beltran.example";
pub(super) const ARCWELL: &str = "ap@arcwell.example";
pub(super) const JONAS: &str = "jonas@lindqvist.example";
pub(super) const GRACE: &str = "grace@opendoor.example";

/// Twelve customers, in the order in which they are shown.
pub(super) const ALL: &[Person] = &[
    Person {
        name: "Maya Okafor",
        email: MAYA,
        phone: "+1 503 555 0142",
        address: ["2218 SE Division St", "Portland", "OR", "97202", "US"],
        locale: "en",
        currency: Currency::USD,
        tax_id: None,
        tax_exempt: TaxExempt::None,
        see: "all is well: Team, five seats; change the plan here",
    },
    Person {
        name: "Kessler & Brandt GmbH",
        email: KESSLER,
        phone: "+49 30 5550 1180",
        address: ["Köpenicker Straße 41", "Berlin", "", "10179", "DE"],
        locale: "de",
        currency: Currency::EUR,
        tax_id: Some(("eu_vat", "DE136695976")),
        tax_exempt: TaxExempt::Reverse,
        see: "a company: Business by the year, VAT id, reverse charge",
    },
    Person {
        name: "Camille Laurent",
        email: CAMILLE,
        phone: "+33 4 72 55 01 64",
        address: ["12 rue des Tables Claudiennes", "Lyon", "", "69001", "FR"],
        locale: "fr",
        currency: Currency::EUR,
        tax_id: None,
        tax_exempt: TaxExempt::None,
        see: "in French, 20 % VAT, 20 % off for a year",
    },
    Person {
        name: "佐藤 健",
        email: SATO,
        phone: "+81 3 5550 0117",
        address: ["東六郷 2-11-8", "大田区", "東京都", "144-0046", "JP"],
        locale: "ja",
        currency: Currency::JPY,
        tax_id: None,
        tax_exempt: TaxExempt::None,
        see: "yen, tax inside the price",
    },
    Person {
        name: "林晓",
        email: LIN,
        phone: "+86 571 5550 0199",
        address: ["延安路 188 号", "杭州市", "浙江省", "310006", "CN"],
        locale: "zh",
        currency: Currency::CNY,
        tax_id: None,
        tax_exempt: TaxExempt::None,
        see: "in Chinese, a smaller plan from the next period on",
    },
    Person {
        name: "نور الهاشمي",
        email: NOOR,
        phone: "+971 4 555 0123",
        address: ["Al Safa Street 7", "Dubai", "Dubai", "", "AE"],
        locale: "ar",
        currency: Currency::AED,
        tax_id: None,
        tax_exempt: TaxExempt::None,
        see: "a name written from right to left, dirhams",
    },
    Person {
        name: "Tom Whitfield",
        email: TOM,
        phone: "+44 161 555 0170",
        address: ["31 Blossom Street", "Manchester", "", "M4 6AJ", "GB"],
        locale: "en-GB",
        currency: Currency::GBP,
        tax_id: None,
        tax_exempt: TaxExempt::None,
        see: "past due: the card fails; pay with another one",
    },
    Person {
        name: "Priya Raman",
        email: PRIYA,
        phone: "+1 415 555 0133",
        address: ["77 Natoma Street", "San Francisco", "CA", "94105", "US"],
        locale: "en",
        currency: Currency::USD,
        tax_id: None,
        tax_exempt: TaxExempt::None,
        see: "a trial that ends in two days, with nothing to pay with",
    },
    Person {
        name: "Ana Beltrán",
        email: ANA,
        phone: "+1 305 555 0188",
        address: ["401 NE 25th Street", "Miami", "FL", "33137", "US"],
        locale: "en",
        currency: Currency::USD,
        tax_id: None,
        tax_exempt: TaxExempt::None,
        see: "leaves at the end of the period; can still stay",
    },
    Person {
        name: "Arcwell Robotics Inc.",
        email: ARCWELL,
        phone: "+1 617 555 0109",
        address: ["90 Guest Street", "Boston", "MA", "02135", "US"],
        locale: "en",
        currency: Currency::USD,
        tax_id: None,
        tax_exempt: TaxExempt::None,
        see: "several items: 25 seats, an add-on, metered runs",
    },
    Person {
        name: "Jonas Lindqvist",
        email: JONAS,
        phone: "+46 31 555 01 20",
        address: ["Kyrkogatan 19", "Göteborg", "", "411 15", "SE"],
        locale: "en",
        currency: Currency::EUR,
        tax_id: None,
        tax_exempt: TaxExempt::None,
        see: "switched to yearly; the card expires soon; some credit",
    },
    Person {
        name: "Grace Nakamura",
        email: GRACE,
        phone: "+1 416 555 0155",
        address: ["224 Augusta Avenue", "Toronto", "ON", "M5T 2L7", "CA"],
        locale: "en-CA",
        currency: Currency::USD,
        tax_id: None,
        tax_exempt: TaxExempt::None,
        see: "half price for ever, sales tax on top",
    },
];
