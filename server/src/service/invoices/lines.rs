//! Lines that a merchant writes: what a request says about one, and what becomes of it.

use std::collections::HashMap;

use perennial::calendar::{Period, Timestamp};
use perennial::catalog::{Price, TaxBehavior};
use perennial::currency::Currency;
use perennial::decimal::Decimal12;
use perennial::id::{CustomerId, InvoiceLineId, PriceId, TaxRateId};
use perennial::invoice::{Line, LineKind};
use perennial::metadata::{Metadata, MetadataChange};
use perennial::ratio::Ratio;
use perennial::tax::{self, TaxRate};

use crate::service::catalog::NewPrice;
use crate::service::choices::{Asked, Choices, DiscountChoice, PriceChoice, Recipient};
use crate::service::{Engine, Refused};
use crate::store::document::Stored;
use crate::store::{Scope, nouns};

/// The largest amount of a line, in minor units (Stripe: 12 digits).
const AMOUNT_MAX: i64 = 999_999_999_999;

/// What a request says about a line. `None` leaves what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineInput {
    /// The parameter that it stands under, such as `lines[0]`; empty at the top.
    pub path: String,
    /// Minor units of the whole line; negative is a credit.
    pub amount_minor: Option<i64>,
    /// A one-time price.
    pub price: Option<PriceId>,
    /// A one-time price that is made for it: Stripe's `price_data`.
    pub price_data: Option<Box<NewPrice>>,
    /// Minor units for one unit.
    pub unit_amount: Option<Decimal12>,
    /// Units; 1 without.
    pub quantity: Option<u64>,
    /// What stands on the invoice.
    pub description: Option<Option<String>>,
    /// Whether the invoice's discounts touch it.
    pub discountable: Option<bool>,
    /// Its own discounts.
    pub discounts: Option<Vec<DiscountChoice>>,
    /// Its own tax rates.
    pub tax_rates: Option<Vec<TaxRateId>>,
    /// Whether tax is inside its amount.
    pub tax_behavior: Option<TaxBehavior>,
    /// What it covers.
    pub period: Option<Period>,
    /// The merchant's own keys.
    pub metadata: Option<MetadataChange>,
}

impl LineInput {
    /// Whether it says an amount or a price.
    #[must_use]
    pub(crate) fn says_amount(&self) -> bool {
        let priced = self.price.is_some() || self.price_data.is_some();
        priced || self.amount_minor.is_some() || self.unit_amount.is_some()
    }

    /// Whether it says what the line costs.
    #[must_use]
    pub(crate) fn says_money(&self) -> bool {
        self.says_amount() || self.quantity.is_some()
    }

    /// The full name of one of its parameters.
    pub(crate) fn param(&self, name: &str) -> String {
        let inner = name.find('[').unwrap_or(name.len());
        match (self.path.as_str(), name.split_at(inner)) {
            ("", _) => name.to_owned(),
            (path, (first, rest)) => format!("{path}[{first}]{rest}"),
        }
    }
}

/// All that several lines name, found.
pub(crate) struct Materials {
    prices: HashMap<String, Stored<Price>>,
    pub(crate) choices: Choices,
    /// Who gets the discounts. Codes with a minimum are not for single lines, as at Stripe.
    pub(crate) to: Recipient,
}

impl Engine {
    /// Finds what lines name, and the rates and discounts of the invoice itself.
    pub(crate) async fn materials(
        &self,
        scope: &Scope,
        customer: &CustomerId,
        lines: &[&LineInput],
        rates: &[TaxRateId],
        discounts: &[DiscountChoice],
    ) -> Result<Materials, Refused> {
        let prices: Vec<&str> = lines
            .iter()
            .filter_map(|own| own.price.as_ref())
            .map(PriceId::as_str)
            .collect();
        let own_rates = lines
            .iter()
            .flat_map(|own| own.tax_rates.iter().flatten())
            .chain(rates);
        let own_discounts = lines
            .iter()
            .flat_map(|own| own.discounts.iter().flatten())
            .chain(discounts);
        let made: Vec<PriceChoice> = lines
            .iter()
            .filter_map(|own| own.price_data.clone().map(PriceChoice::Made))
            .collect();
        let asked = Asked {
            prices: made.iter().collect(),
            rates: own_rates.collect(),
            discounts: own_discounts.collect(),
        };
        Ok(Materials {
            prices: self.find_many(scope, nouns::PRICES_BY_IDS, &prices).await?,
            choices: self.choices(scope, customer, &asked).await?,
            to: Recipient {
                customer: customer.clone(),
                purchase: None,
            },
        })
    }
}

impl Materials {
    /// The currency of the price that a line names.
    pub(crate) fn currency_of(&self, input: &LineInput) -> Option<Currency> {
        if let Some(made) = &input.price_data {
            return Some(made.currency);
        }
        let price = input.price.as_ref()?;
        Some(self.prices.get(price.as_str())?.currency)
    }

    /// The invoice's own rates.
    pub(crate) fn named(&self, ids: &[TaxRateId], param: &str) -> Result<Vec<TaxRate>, Refused> {
        let rates = self.choices.rates(ids, param)?;
        tax::validate_list(&rates).map_err(|error| Refused::invalid(param, error.to_string()))?;
        Ok(rates)
    }

    /// A new line.
    pub(crate) fn line(
        &mut self,
        engine: &Engine,
        input: &LineInput,
        currency: Currency,
    ) -> Result<Line, Refused> {
        let now = engine.now();
        let mut line = Line {
            id: InvoiceLineId::new(&mut engine.ids()),
            description: String::new(),
            kind: LineKind::OneTime,
            amount_minor: 0,
            quantity: Some(1),
            quantity_decimal: None,
            price: None,
            product: None,
            product_name: None,
            unit_amount: None,
            period: Period {
                start: now,
                end: now,
            },
            discountable: true,
            discount_amounts: Vec::new(),
            tax_rates: Vec::new(),
            default_taxed: false,
            discounts: Vec::new(),
            taxes: Vec::new(),
            subscription: None,
            subscription_item: None,
            invoice_item: None,
            metadata: Metadata::default(),
        };
        let priced = input.price.is_some() || input.price_data.is_some();
        if input.amount_minor.is_none() && !priced && input.unit_amount.is_none() {
            let message = "You must pass one of amount, pricing[price], price_data or \
                           unit_amount_decimal.";
            return Err(Refused::Invalid {
                param: input.param("amount"),
                code: Some("parameter_missing"),
                message: message.to_owned(),
            });
        }
        // A credit is not made smaller by discounts unless that is asked for, as at Stripe.
        line.discountable = input.amount_minor.is_none_or(|amount| amount >= 0);
        self.write(engine, &mut line, input, currency)?;
        Ok(line)
    }

    /// Changes a line as a request says.
    pub(crate) fn write(
        &mut self,
        engine: &Engine,
        line: &mut Line,
        input: &LineInput,
        currency: Currency,
    ) -> Result<(), Refused> {
        let priced = self.amounts(engine, line, input, currency)?;
        if let Some(description) = &input.description {
            line.description = description.clone().unwrap_or_default();
        } else if line.description.is_empty()
            && let Some(name) = &line.product_name
        {
            line.description.clone_from(name);
        }
        if let Some(discountable) = input.discountable {
            line.discountable = discountable;
        }
        if let Some(period) = input.period {
            if period.end < period.start {
                let message = "The period must not end before it starts.";
                return Err(Refused::invalid(input.param("period"), message));
            }
            line.period = period;
        }
        if let Some(wanted) = &input.discounts {
            let (param, now) = (input.param("discounts"), engine.now());
            let present = core::mem::take(&mut line.discounts);
            let (choices, to) = (&mut self.choices, &self.to);
            line.discounts = choices.discounts(engine, &present, wanted, to, now, &param)?;
        }
        let behavior = input.tax_behavior.or(priced);
        if let Some(rates) = &input.tax_rates {
            let param = input.param("tax_rates");
            let rates = self.named(rates, &param)?;
            let behavior = behavior.unwrap_or(TaxBehavior::Unspecified);
            line.tax_rates = tax::line_rates(behavior, &rates, &[]);
            line.default_taxed = false;
        } else if let Some(behavior) = behavior {
            line.tax_rates = tax::line_rates(behavior, &line.tax_rates, &[]);
        }
        if let Some(change) = &input.metadata {
            let param = input.param("metadata");
            let changed = line.metadata.change(change);
            changed.map_err(|error| Refused::invalid(param, error.to_string()))?;
        }
        Ok(())
    }

    /// Sets what a line comes to; answers with the price's tax behaviour, if a price says it.
    fn amounts(
        &mut self,
        engine: &Engine,
        line: &mut Line,
        input: &LineInput,
        currency: Currency,
    ) -> Result<Option<TaxBehavior>, Refused> {
        if let Some(quantity) = input.quantity {
            line.quantity = Some(quantity);
            line.quantity_decimal = None;
        }
        let quantity = line.quantity.unwrap_or(1);
        if let Some(id) = &input.price {
            return self.by_price(line, input, id, currency).map(Some);
        }
        if let Some(made) = &input.price_data {
            if made.currency != currency {
                let param = input.param("price_data[currency]");
                let message = format!("The price is in {}, not in {currency}.", made.currency);
                return Err(Refused::invalid(param, message));
            }
            let choice = PriceChoice::Made(made.clone());
            let price = self.choices.price(engine, &choice, &input.path)?;
            set_price(line, &price)?;
            return Ok(Some(price.tax_behavior));
        }
        if let Some(unit) = input.unit_amount {
            line.unit_amount = Some(unit);
            (line.price, line.product, line.product_name) = (None, None, None);
            line.amount_minor = times(unit, quantity)?;
        } else if let Some(amount) = input.amount_minor {
            line.amount_minor = amount;
            line.quantity = Some(input.quantity.unwrap_or(1));
            line.unit_amount = match line.quantity {
                Some(1) => Some(Decimal12::from_integer(amount)),
                _ => None,
            };
            (line.price, line.product, line.product_name) = (None, None, None);
        } else if input.quantity.is_some() {
            let Some(unit) = line.unit_amount else {
                let message = "The quantity of a line with a whole amount can't be changed.";
                return Err(Refused::invalid(input.param("quantity"), message));
            };
            line.amount_minor = times(unit, quantity)?;
        }
        if !(-AMOUNT_MAX..=AMOUNT_MAX).contains(&line.amount_minor) {
            let message = "The amount must have at most 12 digits.";
            return Err(Refused::Invalid {
                param: input.param("amount"),
                code: Some("amount_too_large"),
                message: message.to_owned(),
            });
        }
        Ok(None)
    }

    fn by_price(
        &self,
        line: &mut Line,
        input: &LineInput,
        id: &PriceId,
        currency: Currency,
    ) -> Result<TaxBehavior, Refused> {
        let param = input.param("pricing[price]");
        let price = self
            .prices
            .get(id.as_str())
            .ok_or_else(|| Refused::NotFound {
                kind: "price",
                id: id.to_string(),
                param: Some(param.clone()),
            })?;
        if price.recurring.is_some() {
            let message = "The price specified is set to `type=recurring` but this field only \
                           accepts prices with `type=one_time`.";
            return Err(Refused::invalid(param, message));
        }
        if !price.active {
            let message = format!("The price {id} is not active.");
            return Err(Refused::invalid(param, message));
        }
        if price.currency != currency {
            let message = format!("The price is in {}, not in {currency}.", price.currency);
            return Err(Refused::invalid(param, message));
        }
        set_price(line, price)?;
        Ok(price.tax_behavior)
    }
}

/// Sets what a line comes to by a price.
fn set_price(line: &mut Line, price: &Price) -> Result<(), Refused> {
    let quantity = line.quantity.unwrap_or(1);
    let amount = price.pricing.amount_minor(quantity);
    line.amount_minor = amount.map_err(|_| Refused::TooLarge)?;
    line.unit_amount = price.pricing.unit_amount();
    line.price = Some(price.id.clone());
    line.product = Some(price.product.clone());
    line.product_name = Some(price.product_name.clone());
    Ok(())
}

/// A unit amount times a quantity, rounded half up as prices are.
fn times(unit: Decimal12, quantity: u64) -> Result<i64, Refused> {
    let quantity = i64::try_from(quantity).map_err(|_| Refused::TooLarge)?;
    let exact = unit.to_ratio().checked_mul(Ratio::from_integer(quantity));
    exact
        .and_then(Ratio::half_up)
        .map_err(|_| Refused::TooLarge)
}

/// The moment that a line's period is about, for callers that have none.
pub(crate) fn moment(at: Timestamp) -> Period {
    Period { start: at, end: at }
}
