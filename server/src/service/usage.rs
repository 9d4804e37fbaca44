//! What customers used of metered prices.

use perennial::calendar::Period;
use perennial::decimal::Decimal12;
use perennial::id::{CustomerId, MeterId};
use perennial::usage::{Formula, Meter, Total};
use sqlx::AnyConnection;

use super::{Engine, Refused};
use crate::store::document;
use crate::store::usage::{self, Question};
use crate::store::{Scope, StoreError};

/// Whose usage of what is asked for, and of when.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    /// Which meter.
    pub meter: MeterId,
    /// Whose.
    pub customer: CustomerId,
    /// From its start, included, to its end, excluded.
    pub period: Period,
}

/// What a meter has counted, with how it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// How the meter adds up.
    pub formula: Formula,
    /// What came together.
    pub total: Total,
}

impl Counted {
    /// Of a meter that is not there, or a customer who never used it.
    pub const NOTHING: Self = Self {
        formula: Formula::Sum,
        total: Total::NONE,
    };

    /// What is billed: never negative.
    ///
    /// # Errors
    /// [`Refused::TooLarge`].
    pub fn billable(self) -> Result<Decimal12, Refused> {
        self.total
            .billable(self.formula)
            .map_err(|_| Refused::TooLarge)
    }
}

impl Engine {
    /// What a customer used of a meter in a period, as of now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn usage_of(&self, scope: &Scope, asked: Asked) -> Result<Counted, Refused> {
        let mut counted = self
            .usage_of_many(scope, std::slice::from_ref(&asked))
            .await?;
        Ok(counted.pop().unwrap_or(Counted::NOTHING))
    }

    /// Answers many such questions in their order, with few statements and whatever the number of
    /// events.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn usage_of_many(
        &self,
        scope: &Scope,
        asked: &[Asked],
    ) -> Result<Vec<Counted>, Refused> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.store.read().await?;
        count_many(&mut connection, scope, asked)
            .await
            .map_err(Refused::from)
    }
}

/// [`Engine::usage_of_many`] on a connection of the caller's.
pub(crate) async fn count_many(
    connection: &mut AnyConnection,
    scope: &Scope,
    asked: &[Asked],
) -> Result<Vec<Counted>, StoreError> {
    let mut meters: Vec<String> = asked.iter().map(|one| one.meter.to_string()).collect();
    meters.sort();
    meters.dedup();
    let known = document::load_many::<Meter>(&mut *connection, scope, &meters).await?;
    let mut questions: Vec<(usize, Question)> = Vec::with_capacity(asked.len());
    for meter in &known {
        let mut customers: Vec<String> = asked
            .iter()
            .filter(|one| one.meter == meter.id)
            .map(|one| one.customer.to_string())
            .collect();
        customers.sort();
        customers.dedup();
        let id = meter.id.as_str();
        let accounts = usage::accounts(&mut *connection, scope, id, &customers).await?;
        let accounts: std::collections::HashMap<String, i64> = accounts.into_iter().collect();
        for (index, one) in asked
            .iter()
            .enumerate()
            .filter(|(_, one)| one.meter == meter.id)
        {
            if let Some(account) = accounts.get(one.customer.as_str()) {
                let question = Question {
                    account: *account,
                    formula: meter.formula,
                    period: one.period,
                };
                questions.push((index, question));
            }
        }
    }
    let mut counted = vec![Counted::NOTHING; asked.len()];
    let bare: Vec<Question> = questions.iter().map(|(_, question)| *question).collect();
    let totals = usage::read_many(connection, scope, &bare).await?;
    for ((index, question), total) in questions.into_iter().zip(totals) {
        if let Some(answer) = counted.get_mut(index) {
            *answer = Counted {
                formula: question.formula,
                total,
            };
        }
    }
    Ok(counted)
}
