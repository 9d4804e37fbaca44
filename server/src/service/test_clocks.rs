//! Test clocks: a time of their own for some customers of a merchant's tests.
//!
//! Moving one is a worker's work (in `advancing`); whose time a call has to take is found out in one
//! place for all calls (in `following`).

mod advancing;
mod following;

pub(super) use advancing::CLOCK;
pub use advancing::Stop;
pub use following::Named;

#[cfg(test)]
mod tests;

use perennial::calendar::Timestamp;
use perennial::customer::Customer;
use perennial::id::{CustomerId, TestClockId};
use perennial::test_clock::{ClockError, TestClock};

use super::find::found;
use super::payment_methods::live_subscriptions;
use super::{Engine, Refused};
use crate::rendering;
use crate::store::document::{self, Column, PageRequest, Stored};
use crate::store::failure::{self, Place};
use crate::store::{Scope, nouns};

/// The longest name, in characters (Stripe: 300).
pub const NAME_CHARS_MAX: usize = 300;
/// How often a deletion looks for customers that were made in its midst before it gives up.
const DELETIONS_MAX: usize = 16;

/// A new test clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTestClock {
    /// The moment at which it stands.
    pub frozen_time: Timestamp,
    /// What the merchant calls it.
    pub name: Option<String>,
    /// A customer that is to follow it from now on.
    pub customer: Option<CustomerId>,
}

impl Engine {
    /// Makes a test clock, and lets a customer follow it.
    ///
    /// # Errors
    /// In live mode; when the moment or the name can't be used; when the customer is not there,
    /// follows another clock, or has a subscription that lives by real time.
    pub async fn create_test_clock(
        &self,
        scope: &Scope,
        new: NewTestClock,
    ) -> Result<Stored<TestClock>, Refused> {
        only_in_tests(scope)?;
        if !(Timestamp(0)..=Timestamp::MAX).contains(&new.frozen_time) {
            let message = "frozen_time must lie between the years 1970 and 9999.";
            return Err(Refused::invalid("frozen_time", message));
        }
        let long = |name: &String| name.chars().count() > NAME_CHARS_MAX;
        if new.name.as_ref().is_some_and(long) {
            let message = format!("A name has at most {NAME_CHARS_MAX} characters.");
            return Err(Refused::invalid("name", message));
        }
        let (new, now) = (&new, self.real_now());
        self.retrying(|| async move {
            let id = TestClockId::new(&mut self.ids());
            let clock = TestClock::new(id, new.name.clone(), new.frozen_time, now);
            let mut tx = self.store.begin().await?;
            let connection = tx.connection();
            let clock = document::insert(&self.store, connection, scope, clock, now).await?;
            let object = rendering::test_clock(&clock, scope.livemode);
            self.emit(
                connection,
                scope,
                "test_helpers.test_clock.created",
                object,
                None,
            )
            .await?;
            if let Some(id) = &new.customer {
                let mut customer: Stored<Customer> = found(connection, scope, id.as_str())
                    .await
                    .map_err(|_| Refused::NotFound {
                        kind: "customer",
                        id: id.to_string(),
                        param: Some("customer".to_owned()),
                    })?;
                let living = live_subscriptions(connection, scope, id).await?;
                if customer.deleted || customer.test_clock.is_some() || !living.is_empty() {
                    let message = "Only a customer without a test clock and without subscriptions \
                                   can be attached to one.";
                    return Err(Refused::invalid("customer", message));
                }
                let before = rendering::customer(&customer, scope.livemode);
                customer.value.test_clock = Some(clock.id.clone());
                document::update(connection, scope, &mut customer).await?;
                let object = rendering::customer(&customer, scope.livemode);
                let previous = rendering::previous_attributes(&before, &object);
                self.emit(connection, scope, "customer.updated", object, previous)
                    .await?;
            }
            tx.commit().await?;
            Ok(clock)
        })
        .await
    }

    /// Sets a clock in motion. A worker does the rest; the clock says how far it has come.
    ///
    /// # Errors
    /// When it is not there, moves already, stopped for good, or the moment is not ahead.
    pub async fn advance_test_clock(
        &self,
        scope: &Scope,
        id: &TestClockId,
        target: Timestamp,
    ) -> Result<Stored<TestClock>, Refused> {
        let moving = self
            .retrying(|| async move {
                let mut tx = self.store.begin().await?;
                let connection = tx.connection();
                let mut clock: Stored<TestClock> = found(connection, scope, id.as_str()).await?;
                clock.value.advance(target).map_err(|error| match error {
                    ClockError::NotForward => Refused::invalid("frozen_time", error.to_string()),
                    ClockError::Advancing | ClockError::Failed => Refused::State {
                        code: None,
                        message: error.to_string(),
                    },
                })?;
                document::update(connection, scope, &mut clock).await?;
                let object = rendering::test_clock(&clock, scope.livemode);
                let kind = "test_helpers.test_clock.advancing";
                self.emit(connection, scope, kind, object, None).await?;
                tx.commit().await?;
                Ok(clock)
            })
            .await?;
        self.clocks.notify_one();
        Ok(moving)
    }

    /// Deletes a clock with its customers, whose subscriptions end with them. Deleting it while it
    /// moves stops it. If it stops halfway, deleting again goes on.
    ///
    /// # Errors
    /// When it is not there; what deleting a customer refuses.
    pub async fn delete_test_clock(&self, scope: &Scope, id: &TestClockId) -> Result<(), Refused> {
        // Whoever moves it finds it changed and lets it be.
        let frozen = self
            .retrying(|| async move {
                let mut tx = self.store.begin().await?;
                let mut clock: Stored<TestClock> =
                    found(tx.connection(), scope, id.as_str()).await?;
                if clock.is_advancing() {
                    clock.value.fail();
                    document::update(tx.connection(), scope, &mut clock).await?;
                    tx.commit().await?;
                }
                Ok(clock.frozen_time)
            })
            .await?;
        let then = self.at(frozen);
        for _ in 0..DELETIONS_MAX {
            // One customer after another: each is an act with events of its own.
            while let Some(customers) = self.followers(scope, id).await? {
                for customer in customers {
                    match then.delete_customer(scope, &customer.id).await {
                        Ok(()) | Err(Refused::NotFound { .. }) => {}
                        Err(refused) => return Err(refused),
                    }
                }
            }
            if self.forget_clock(scope, id).await? {
                let place = Place::new(scope, id.as_str());
                failure::note(&self.store, CLOCK, &[], &[place]).await?;
                return Ok(());
            }
        }
        Err(Refused::Busy)
    }

    /// Some of the customers of a clock, unless it has none.
    async fn followers(
        &self,
        scope: &Scope,
        id: &TestClockId,
    ) -> Result<Option<Vec<Stored<Customer>>>, Refused> {
        let mut read = self.store.read().await?;
        let page = PageRequest::first(PageRequest::LIMIT_MAX);
        let sql = nouns::CUSTOMERS_BY_TEST_CLOCK;
        let found = document::list(&mut read, scope, sql, &page, &[Column::text(id)]).await?;
        Ok(Some(found.rows).filter(|rows| !rows.is_empty()))
    }

    /// Takes a clock away, unless it has customers (`false`).
    async fn forget_clock(&self, scope: &Scope, id: &TestClockId) -> Result<bool, Refused> {
        self.retrying(|| async move {
            let mut tx = self.store.begin().await?;
            let connection = tx.connection();
            let clock: Stored<TestClock> = found(connection, scope, id.as_str()).await?;
            let page = PageRequest::first(1);
            let sql = nouns::CUSTOMERS_BY_TEST_CLOCK;
            let left =
                document::list::<Customer>(connection, scope, sql, &page, &[Column::text(id)])
                    .await?;
            if !left.rows.is_empty() {
                return Ok(false);
            }
            document::delete(connection, scope, &clock).await?;
            let object = rendering::test_clock(&clock, scope.livemode);
            let kind = "test_helpers.test_clock.deleted";
            self.emit(connection, scope, kind, object, None).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }
}

fn only_in_tests(scope: &Scope) -> Result<(), Refused> {
    if scope.livemode {
        return Err(Refused::State {
            code: Some("testmode_only"),
            message: "Test clocks can only be used in test mode. Use a test key.".to_owned(),
        });
    }
    Ok(())
}
