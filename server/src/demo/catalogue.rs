//! What Halden sells: three tiers by the seat, an add-on, and runs by the thousand.

use perennial::calendar::Cadence;
use perennial::catalog::{Price, Recurring, TaxBehavior, UsageType};
use perennial::currency::Currency;
use perennial::decimal::Decimal12;
use perennial::id::ProductId;
use perennial::metadata::MetadataChange;
use perennial::pricing::{Pricing, Tier as PriceTier, TiersMode};
use perennial::usage::Formula;

use crate::service::catalog::{NewPrice, NewProduct, PriceProduct};
use crate::service::metering::NewMeter;
use crate::service::portal::ADD_ON_KEY;
use crate::service::{Engine, Refused};
use crate::store::Scope;

/// The currencies that Halden sells in.
const CURRENCIES: [Currency; 6] = [
    Currency::USD,
    Currency::EUR,
    Currency::GBP,
    Currency::JPY,
    Currency::CNY,
    Currency::AED,
];
/// A year costs as much as ten months.
const MONTHS_PAID_A_YEAR: i64 = 10;
/// The name by which runs are reported.
pub(super) const RUNS_EVENT: &str = "automation_run";
/// Runs that cost nothing, each month.
const RUNS_FREE: u64 = 1_000;

/// What can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Starter,
    Team,
    Business,
    Support,
    Runs,
}

struct Sold {
    plan: Plan,
    name: &'static str,
    description: &'static str,
    unit: Option<&'static str>,
    features: &'static [&'static str],
    /// For a month, in minor units, in the order of [`CURRENCIES`].
    monthly_minor: [i64; 6],
}

const SOLD: [Sold; 4] = [
    Sold {
        plan: Plan::Starter,
        name: "Halden Starter",
        description: "Bookings and shifts for one workshop.",
        unit: Some("seat"),
        features: &["One location", "Shared calendar", "E-mail reminders"],
        monthly_minor: [900, 900, 800, 1_200, 5_800, 3_300],
    },
    Sold {
        plan: Plan::Team,
        name: "Halden Team",
        description: "Planning for teams that share machines and rooms.",
        unit: Some("seat"),
        features: &[
            "Five locations",
            "Machine and room planning",
            "Approvals",
            "API access",
        ],
        monthly_minor: [1_900, 1_900, 1_600, 2_600, 12_800, 6_900],
    },
    Sold {
        plan: Plan::Business,
        name: "Halden Business",
        description: "Everything, for organisations with rules to keep.",
        unit: Some("seat"),
        features: &[
            "Unlimited locations",
            "Audit log",
            "Single sign-on",
            "Answer within 4 hours",
        ],
        monthly_minor: [3_900, 3_900, 3_300, 5_400, 26_800, 14_500],
    },
    Sold {
        plan: Plan::Support,
        name: "Priority support",
        description: "A person who knows your set-up, on the phone.",
        unit: None,
        features: &["Phone and chat", "Answer within one hour"],
        monthly_minor: [4_900, 4_900, 4_200, 6_800, 33_800, 17_900],
    },
];

/// A product with what it costs.
pub(super) struct Entry {
    pub(super) plan: Plan,
    pub(super) product: ProductId,
    pub(super) prices: Vec<Price>,
}

/// All products and prices.
pub(super) struct Catalogue(pub(super) Vec<Entry>);

impl Catalogue {
    /// The price of a plan.
    pub(super) fn price(
        &self,
        plan: Plan,
        currency: Currency,
        cadence: Cadence,
    ) -> Result<&Price, Refused> {
        let entry = self.0.iter().find(|entry| entry.plan == plan);
        let fits = |price: &&Price| price.currency == currency && price.cadence() == Some(cadence);
        let found = entry.and_then(|entry| entry.prices.iter().find(fits));
        found.ok_or_else(|| Refused::Defect(format!("the demo sells no {plan:?} in {currency}")))
    }
}

/// Makes the catalogue.
pub(super) async fn make(engine: &Engine, scope: &Scope) -> Result<Catalogue, Refused> {
    let mut entries = Vec::new();
    for sold in &SOLD {
        let add_on = sold.plan == Plan::Support;
        let product = engine
            .create_product(
                scope,
                NewProduct {
                    name: sold.name.to_owned(),
                    active: None,
                    description: Some(sold.description.to_owned()),
                    unit_label: sold.unit.map(str::to_owned),
                    marketing_features: sold.features.iter().map(|f| (*f).to_owned()).collect(),
                    tax_code: Some("txcd_10103001".to_owned()),
                    url: Some("https://halden.example/pricing".to_owned()),
                    metadata: add_on.then(|| {
                        MetadataChange::Merge(vec![(ADD_ON_KEY.to_owned(), "true".to_owned())])
                    }),
                    default_price: None,
                },
            )
            .await?;
        let mut prices = Vec::new();
        for cadence in [Cadence::MONTHLY, Cadence::YEARLY] {
            for (currency, monthly_minor) in CURRENCIES.iter().zip(sold.monthly_minor) {
                let yearly = cadence == Cadence::YEARLY;
                let minor = if yearly {
                    monthly_minor * MONTHS_PAID_A_YEAR
                } else {
                    monthly_minor
                };
                let pricing = Pricing::per_unit(Decimal12::from_integer(minor));
                let new = new_price(
                    &product.id,
                    *currency,
                    cadence,
                    pricing,
                    UsageType::Licensed,
                );
                prices.push(engine.create_price(scope, new).await?.value);
            }
        }
        entries.push(Entry {
            plan: sold.plan,
            product: product.value.id,
            prices,
        });
    }
    entries.push(runs(engine, scope).await?);
    Ok(Catalogue(entries))
}

/// Automation runs: a thousand a month are free, then 1.5 cents each.
async fn runs(engine: &Engine, scope: &Scope) -> Result<Entry, Refused> {
    let product = engine
        .create_product(
            scope,
            NewProduct {
                name: "Automation runs".to_owned(),
                active: None,
                description: Some("Billed for what ran, after each month.".to_owned()),
                unit_label: Some("run".to_owned()),
                marketing_features: Vec::new(),
                tax_code: None,
                url: None,
                metadata: None,
                default_price: None,
            },
        )
        .await?;
    let meter = engine
        .create_meter(
            scope,
            NewMeter {
                display_name: "Automation runs".to_owned(),
                event_name: RUNS_EVENT.to_owned(),
                formula: Formula::Sum,
                customer_key: None,
                value_key: None,
                event_time_window: None,
            },
        )
        .await?;
    let cents = Decimal12::parse("1.5").map_err(|error| Refused::Defect(error.to_string()))?;
    let mut prices = Vec::new();
    for currency in [Currency::USD, Currency::EUR] {
        let free = PriceTier {
            up_to: Some(RUNS_FREE),
            unit_amount: Some(Decimal12::ZERO),
            flat_amount: None,
        };
        let rest = PriceTier {
            up_to: None,
            unit_amount: Some(cents),
            flat_amount: None,
        };
        let pricing = Pricing::Tiered {
            mode: TiersMode::Graduated,
            tiers: vec![free, rest],
        };
        let mut new = new_price(
            &product.id,
            currency,
            Cadence::MONTHLY,
            pricing,
            UsageType::Metered,
        );
        if let Some(recurring) = &mut new.recurring {
            recurring.meter = Some(meter.value.id.clone());
        }
        prices.push(engine.create_price(scope, new).await?.value);
    }
    Ok(Entry {
        plan: Plan::Runs,
        product: product.value.id,
        prices,
    })
}

fn new_price(
    product: &ProductId,
    currency: Currency,
    cadence: Cadence,
    pricing: Pricing,
    usage_type: UsageType,
) -> NewPrice {
    NewPrice {
        product: PriceProduct::Existing(product.clone()),
        currency,
        pricing,
        recurring: Some(Recurring {
            cadence,
            usage_type,
            meter: None,
            trial_period_days: None,
        }),
        active: None,
        nickname: None,
        lookup_key: None,
        transfer_lookup_key: false,
        // Prices on Japanese price lists contain the tax.
        tax_behavior: match currency {
            Currency::JPY => TaxBehavior::Inclusive,
            _ => TaxBehavior::Exclusive,
        },
        metadata: None,
    }
}
