//! Meters.

use perennial::calendar::Timestamp;
use perennial::id::MeterId;
use perennial::usage::{CUSTOMER_KEY, Formula, Meter, MeterStatus, TimeWindow, VALUE_KEY};

use crate::rendering;
use crate::service::{Engine, Refused};
use crate::store::document::Stored;
use crate::store::{Scope, StoreError};

/// The longest name of a meter or an event, and the longest key of a payload, in characters (Stripe:
/// 250, 100 and 100).
const DISPLAY_NAME_CHARS_MAX: usize = 250;
const NAME_CHARS_MAX: usize = 100;

/// A meter to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMeter {
    /// For the merchant's eyes.
    pub display_name: String,
    /// The name by which events come.
    pub event_name: String,
    /// How values add up.
    pub formula: Formula,
    /// The key of the payload that names the customer.
    pub customer_key: Option<String>,
    /// The key of the payload that has the value.
    pub value_key: Option<String>,
    /// Kept and shown.
    pub event_time_window: Option<TimeWindow>,
}

/// A change of a meter. All else never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeterUpdate {
    /// For the merchant's eyes.
    pub display_name: Option<String>,
}

fn check(field: &str, value: &str, most: usize) -> Result<(), Refused> {
    if value.is_empty() || value.chars().count() > most {
        let message = format!("Invalid string: must have 1 to {most} characters.");
        return Err(Refused::invalid(field, message));
    }
    Ok(())
}

impl Engine {
    /// Makes a meter.
    ///
    /// # Errors
    /// Names the first field that can't stand; the event name, if an active meter has it.
    pub async fn create_meter(
        &self,
        scope: &Scope,
        new: NewMeter,
    ) -> Result<Stored<Meter>, Refused> {
        let now = self.now();
        let meter = Meter {
            id: MeterId::new(&mut self.ids()),
            display_name: new.display_name,
            event_name: new.event_name,
            formula: new.formula,
            customer_key: new.customer_key.unwrap_or_else(|| CUSTOMER_KEY.to_owned()),
            value_key: new.value_key.unwrap_or_else(|| VALUE_KEY.to_owned()),
            event_time_window: new.event_time_window,
            status: MeterStatus::Active,
            deactivated_at: None,
            created: now,
            updated: now,
        };
        check("display_name", &meter.display_name, DISPLAY_NAME_CHARS_MAX)?;
        check("event_name", &meter.event_name, NAME_CHARS_MAX)?;
        let key = "customer_mapping[event_payload_key]";
        check(key, &meter.customer_key, NAME_CHARS_MAX)?;
        let key = "value_settings[event_payload_key]";
        check(key, &meter.value_key, NAME_CHARS_MAX)?;
        let made = self.create(scope, &meter, "billing.meter.created", rendering::meter);
        made.await
            .map_err(|error| name_taken(error, &meter.event_name))
    }

    /// Renames a meter.
    ///
    /// # Errors
    /// When it is not there, or the name can't stand.
    pub async fn update_meter(
        &self,
        scope: &Scope,
        id: &MeterId,
        update: MeterUpdate,
    ) -> Result<Stored<Meter>, Refused> {
        let now = self.now();
        self.change(
            scope,
            id.as_str(),
            "billing.meter.updated",
            rendering::meter,
            |meter| {
                if let Some(name) = &update.display_name
                    && *name != meter.display_name
                {
                    check("display_name", name, DISPLAY_NAME_CHARS_MAX)?;
                    meter.display_name.clone_from(name);
                    meter.updated = now;
                }
                Ok(())
            },
        )
        .await
    }

    /// Lets a meter take no more events. What it has counted is still billed.
    ///
    /// # Errors
    /// When it is not there, or inactive already.
    pub async fn deactivate_meter(
        &self,
        scope: &Scope,
        id: &MeterId,
    ) -> Result<Stored<Meter>, Refused> {
        let (status, now) = (MeterStatus::Inactive, self.now());
        self.turn_meter(scope, id, "billing.meter.deactivated", status, Some(now))
            .await
    }

    /// Lets a meter take events again.
    ///
    /// # Errors
    /// When it is not there, active already, or another active meter has its event name.
    pub async fn reactivate_meter(
        &self,
        scope: &Scope,
        id: &MeterId,
    ) -> Result<Stored<Meter>, Refused> {
        let status = MeterStatus::Active;
        self.turn_meter(scope, id, "billing.meter.reactivated", status, None)
            .await
    }

    async fn turn_meter(
        &self,
        scope: &Scope,
        id: &MeterId,
        event: &str,
        status: MeterStatus,
        deactivated_at: Option<Timestamp>,
    ) -> Result<Stored<Meter>, Refused> {
        let now = self.now();
        let turned = self.change(scope, id.as_str(), event, rendering::meter, |meter| {
            if meter.status == status {
                let word = match status {
                    MeterStatus::Active => "active",
                    MeterStatus::Inactive => "inactive",
                };
                return Err(Refused::State {
                    code: None,
                    message: format!("The meter is {word} already."),
                });
            }
            meter.status = status;
            meter.deactivated_at = deactivated_at;
            meter.updated = now;
            Ok(())
        });
        turned.await.map_err(|error| name_taken(error, id.as_str()))
    }
}

/// A unique index keeps two active meters from having one event name.
fn name_taken(error: Refused, name: &str) -> Refused {
    let taken = match &error {
        Refused::Store(StoreError::Exists { .. }) => true,
        Refused::Store(StoreError::Database(sqlx::Error::Database(error))) => {
            error.is_unique_violation()
        }
        _ => false,
    };
    if !taken {
        return error;
    }
    Refused::Invalid {
        param: "event_name".to_owned(),
        code: Some("resource_already_exists"),
        message: format!("There is already an active meter with the event name of '{name}'."),
    }
}
