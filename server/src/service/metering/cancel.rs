//! Taking events back.

use perennial::calendar::Timestamp;
use perennial::decimal::Decimal12;
use perennial::usage::{
    CANCEL_SECONDS_MAX, DAY_SECONDS, Formula, HOUR_SECONDS, Meter, Place, Total, step_start,
};
use sqlx::{AnyConnection, Row};

use super::News;
use crate::service::{Engine, Refused};
use crate::store::usage::{self, EventRow, TotalRow};
use crate::store::{Scope, StoreError};

/// Why an event can't be cancelled: the field and what is wrong.
fn refused(param: &str, code: &'static str, message: impl Into<String>) -> Refused {
    Refused::Invalid {
        param: param.to_owned(),
        code: Some(code),
        message: message.into(),
    }
}

impl Engine {
    /// Takes one event back, as if it had never come; its identifier stays taken. Doing it again
    /// changes nothing. Where its period is invoiced already, the difference is settled as that of a
    /// late event.
    ///
    /// # Errors
    /// When no event of this name has the identifier, or it was received more than 24 hours ago.
    pub async fn cancel_usage(
        &self,
        scope: &Scope,
        event_name: &str,
        identifier: &str,
    ) -> Result<(), Refused> {
        self.retrying(|| self.cancel_usage_once(scope, event_name, identifier))
            .await
    }

    async fn cancel_usage_once(
        &self,
        scope: &Scope,
        event_name: &str,
        identifier: &str,
    ) -> Result<(), Refused> {
        let mut tx = self.store.begin().await?;
        let connection = tx.connection();
        let key = [usage::key(scope, identifier)];
        let found = usage::events_by_key(&mut *connection, scope, &key).await?;
        let found = found
            .into_iter()
            .find(|(event, _)| event.identifier == identifier);
        let Some((event, (meter, customer))) = found else {
            return Err(no_event(identifier));
        };
        let meter = crate::store::document::load::<Meter>(&mut *connection, scope, &meter).await?;
        let meter = meter.ok_or_else(|| no_event(identifier))?.value;
        if meter.event_name != event_name {
            return Err(no_event(identifier));
        }
        let received = event.place / 1_000_000;
        if self.now().0.saturating_sub(received) > CANCEL_SECONDS_MAX {
            let why = "An event can be cancelled within 24 hours of its receipt.";
            return Err(refused(
                "cancel[identifier]",
                "meter_event_too_old_to_cancel",
                why,
            ));
        }
        if !usage::cancel_event(&mut *connection, scope, identifier).await? {
            return Ok(());
        }
        take_back(&mut *connection, scope, meter.formula, &event).await?;
        tx.commit().await?;
        self.metering.tell(std::iter::once(News {
            scope: scope.clone(),
            meter: meter.id.to_string(),
            customer,
        }));
        Ok(())
    }
}

fn no_event(identifier: &str) -> Refused {
    let shown: String = identifier.chars().take(100).collect();
    let why = format!("No event of this name has the identifier '{shown}'.");
    refused("cancel[identifier]", "resource_missing", why)
}

async fn take_back(
    connection: &mut AnyConnection,
    scope: &Scope,
    formula: Formula,
    event: &EventRow,
) -> Result<(), StoreError> {
    if let Some(mark) = &event.mark {
        return take_back_mark(connection, scope, event.account, mark).await;
    }
    let value = Decimal12::from_scaled(event.scaled).unwrap_or(Decimal12::ZERO);
    let place = Place {
        at: event.at.0,
        order: event.place,
    };
    match Total::of(formula, value, place).opposite(formula) {
        Some(total) => add(connection, scope, event.account, formula, event.at, total).await,
        None => usage::recount(connection, scope, event.account, formula, event.at).await,
    }
}

async fn add(
    connection: &mut AnyConnection,
    scope: &Scope,
    account: i64,
    formula: Formula,
    at: Timestamp,
    total: Total,
) -> Result<(), StoreError> {
    // Sorted: hours before days.
    let rows = [HOUR_SECONDS, DAY_SECONDS].map(|step| TotalRow {
        account,
        step,
        start: step_start(at, step).0,
        total,
    });
    usage::add_totals(connection, scope, formula, &rows).await
}

/// A value may have been seen before, or later, in other events that stand.
async fn take_back_mark(
    connection: &mut AnyConnection,
    scope: &Scope,
    account: i64,
    mark: &str,
) -> Result<(), StoreError> {
    let key = (account, mark.to_owned());
    let held = usage::hold_marks(&mut *connection, scope, std::slice::from_ref(&key)).await?;
    let before = held.into_iter().next().and_then(|(_, seen)| seen);
    let row = sqlx::query(
        "select max(at) as at from meter_event where merchant = $1 and livemode = $2 \
         and account = $3 and mark = $4 and canceled = 0",
    )
    .bind(scope.merchant.as_str())
    .bind(scope.mode())
    .bind(account)
    .bind(mark)
    .fetch_one(&mut *connection)
    .await?;
    let after: Option<i64> = row.try_get("at")?;
    let after = after.map(Timestamp);
    if before == after {
        return Ok(());
    }
    for (moment, by) in [(before, -1), (after, 1)] {
        if let Some(moment) = moment {
            let total = Total {
                events: by,
                ..Total::NONE
            };
            add(
                &mut *connection,
                scope,
                account,
                Formula::Unique,
                moment,
                total,
            )
            .await?;
        }
    }
    usage::set_marks(connection, scope, &[(key, after)]).await
}
