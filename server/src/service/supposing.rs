//! What a preview may suppose beside what is there: amounts on the invoice, another address or tax status
//! of the customer, or a customer who is not there yet. All of it in memory; nothing is written.

use perennial::currency::Currency;
use perennial::customer::Customer;
use perennial::id::{CustomerId, InvoiceItemId};
use perennial::invoice::InvoiceItem;

use super::customers::{CustomerUpdate, NewTaxId};
use super::invoices::lines::LineInput;
use super::{Engine, Refused};
use crate::store::Scope;

/// The most amounts that are supposed (Stripe: 250 on an invoice).
pub const SUPPOSED_MAX: usize = 250;

/// What a preview supposes.
#[derive(Clone, Debug, Default)]
pub struct Supposed {
    /// Of the customer: address, shipping and tax status; nothing else is read.
    pub payer: Option<CustomerUpdate>,
    /// The customer's tax ids, in place of those that are there.
    pub tax_ids: Vec<NewTaxId>,
    /// The customer is not there: all of them is in `payer`.
    pub stranger: bool,
    /// Amounts.
    pub items: Vec<SupposedItem>,
    /// What a customer pays in who has no currency yet.
    pub currency: Option<Currency>,
}

/// An amount that is supposed, or supposed to be different.
#[derive(Clone, Debug)]
pub struct SupposedItem {
    /// One that waits, and is changed as is said; a new one without.
    pub item: Option<InvoiceItemId>,
    /// Its currency, where it is said.
    pub currency: Option<Currency>,
    /// What it says.
    pub line: LineInput,
}

impl Supposed {
    /// Whether nothing is supposed.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.payer.is_none() && self.items.is_empty() && !self.stranger
    }
}

impl Engine {
    /// The customer of a preview.
    pub(super) async fn supposed_customer(
        &self,
        scope: &Scope,
        id: &CustomerId,
        supposed: &Supposed,
    ) -> Result<Customer, Refused> {
        let mut customer = match supposed.stranger {
            true => Customer {
                id: id.clone(),
                ..self.blank_customer(self.now())
            },
            false => self.living_customer(scope, id).await?.value,
        };
        self.suppose_payer(&mut customer, supposed)?;
        Ok(customer)
    }

    /// Changes a customer as is supposed.
    pub(super) fn suppose_payer(
        &self,
        customer: &mut Customer,
        supposed: &Supposed,
    ) -> Result<(), Refused> {
        if let Some(payer) = &supposed.payer {
            super::customers::suppose(customer, payer)
                .map_err(|refused| under(refused, "customer_details"))?;
        }
        if !supposed.tax_ids.is_empty() {
            customer.tax_ids.clear();
        }
        for (index, tax) in supposed.tax_ids.iter().enumerate() {
            let added = self.add_to(customer, tax);
            added.map_err(|refused| {
                under(refused, &format!("customer_details[tax_ids][{index}]"))
            })?;
        }
        Ok(())
    }

    /// What waits, with what is supposed to: `currency` is the invoice's.
    pub(super) async fn suppose_items(
        &self,
        scope: &Scope,
        customer: &Customer,
        currency: Option<Currency>,
        mut waiting: Vec<InvoiceItem>,
        supposed: &Supposed,
    ) -> Result<Vec<InvoiceItem>, Refused> {
        if supposed.items.is_empty() {
            return Ok(waiting);
        }
        let lines: Vec<&LineInput> = supposed.items.iter().map(|own| &own.line).collect();
        let mut found = self
            .materials(scope, &customer.id, &lines, &[], &[])
            .await?;
        let mut currency = currency.or(customer.currency).or(supposed.currency);
        for own in &supposed.items {
            let said = own.currency.or_else(|| found.currency_of(&own.line));
            let fits = match (currency, said) {
                (Some(one), Some(other)) => one == other,
                _ => true,
            };
            if !fits {
                let message = "It must be in the invoice's currency.";
                return Err(Refused::invalid(own.line.param("currency"), message));
            }
            currency = currency.or(said);
            let Some(currency) = currency else {
                return Err(Refused::Invalid {
                    param: own.line.param("currency"),
                    code: Some("parameter_missing"),
                    message: "This customer has no currency yet. Say which one to bill in."
                        .to_owned(),
                });
            };
            let Some(id) = &own.item else {
                let line = found.line(self, &own.line, currency);
                let line = line.map_err(by_price)?;
                waiting.push(self.waiting_item(customer, currency, line));
                continue;
            };
            let item = waiting.iter_mut().find(|item| item.id == *id);
            let item = item.ok_or_else(|| Refused::NotFound {
                kind: "invoiceitem",
                id: id.to_string(),
                param: Some(own.line.param("invoiceitem")),
            })?;
            if item.proration && own.line.says_money() {
                return Err(Refused::State {
                    code: None,
                    message: "The amount of a proration can't be changed.".to_owned(),
                });
            }
            let changed = found.write(self, &mut item.line, &own.line, currency);
            changed.map_err(by_price)?;
        }
        Ok(waiting)
    }
}

/// Prices stand by themselves in a preview's amounts, not under `pricing`.
fn by_price(mut refused: Refused) -> Refused {
    let param = match &mut refused {
        Refused::Invalid { param, .. } => Some(param),
        Refused::NotFound { param, .. } => param.as_mut(),
        _ => None,
    };
    if let Some(param) = param {
        *param = param.replace("[pricing][price]", "[price]");
    }
    refused
}

/// A refusal by the parameter as it stands in a preview.
fn under(refused: Refused, place: &str) -> Refused {
    match refused {
        Refused::Invalid {
            param,
            code,
            message,
        } => {
            let (first, rest) = match param.find('[') {
                Some(at) => param.split_at(at),
                None => (param.as_str(), ""),
            };
            Refused::Invalid {
                param: format!("{place}[{first}]{rest}"),
                code,
                message,
            }
        }
        other => other,
    }
}
