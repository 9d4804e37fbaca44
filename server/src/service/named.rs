//! What a request names by ids: found a few queries at a time, and refused by the parameter that
//! names it.

use std::collections::HashMap;

use perennial::id::{CustomerId, PaymentMethodId, TaxRateId};
use perennial::payment::PaymentMethod;
use perennial::tax::TaxRate;

use super::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::{self, Column, Document, Stored};

/// Ids that one look-up takes.
const LOOKUP_IDS_MAX: usize = 20;

impl Engine {
    /// Reads up to [`LOOKUP_IDS_MAX`] ids at a time.
    pub(crate) async fn find_many<T: Document>(
        &self,
        scope: &Scope,
        sql: &'static str,
        ids: &[&str],
    ) -> Result<HashMap<String, Stored<T>>, Refused> {
        let mut unique: Vec<&str> = ids.to_vec();
        unique.sort_unstable();
        unique.dedup();
        let mut found = HashMap::new();
        if unique.is_empty() {
            return Ok(found);
        }
        let mut connection = self.store.read().await?;
        for part in unique.chunks(LOOKUP_IDS_MAX) {
            let mut filter: Vec<Column> = part.iter().map(Column::text).collect();
            filter.resize(LOOKUP_IDS_MAX, Column::text(""));
            let rows: Vec<Stored<T>> =
                document::select(&mut connection, scope, sql, &filter).await?;
            found.extend(rows.into_iter().map(|row| (row.key().to_owned(), row)));
        }
        Ok(found)
    }

    /// Makes sure that a method is the customer's own.
    pub(crate) async fn own_method(
        &self,
        scope: &Scope,
        method: &PaymentMethodId,
        customer: &CustomerId,
    ) -> Result<(), Refused> {
        let param = "default_payment_method";
        let found: Stored<PaymentMethod> = self.find_named(scope, method.as_str(), param).await?;
        if found.customer.as_ref() == Some(customer) {
            return Ok(());
        }
        Err(Refused::NotFound {
            kind: "payment_method",
            id: method.to_string(),
            param: Some(param.to_owned()),
        })
    }
}

/// The rates that ids name, in order.
pub(crate) fn named_rates(
    found: &HashMap<String, Stored<TaxRate>>,
    ids: &[TaxRateId],
    param: &str,
) -> Result<Vec<TaxRate>, Refused> {
    let mut rates = Vec::with_capacity(ids.len());
    for id in ids {
        let rate = found.get(id.as_str()).ok_or_else(|| Refused::NotFound {
            kind: "tax_rate",
            id: id.to_string(),
            param: Some(param.to_owned()),
        })?;
        if !rate.active {
            return Err(Refused::invalid(
                param,
                format!("The tax rate {id} is not active."),
            ));
        }
        rates.push(rate.value.clone());
    }
    Ok(rates)
}
