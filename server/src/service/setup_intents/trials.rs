//! Set-ups that a subscription waits for: a trial that nothing could pay at its end, begun while the
//! customer is here (`default_incomplete`).
//!
//! Stripe leaves open what the saved method pays. Here it becomes the subscription's default where it has
//! none, so that the trial does not end unpaid although the customer did what was asked.

use perennial::customer::Customer;
use perennial::id::PaymentMethodId;
use perennial::invoice::Invoice;
use perennial::payment::{SetupIntent, SetupStatus};
use perennial::subscription::{CollectionMethod, Settings, Subscription};
use sqlx::AnyConnection;

use super::NewSetupIntent;
use crate::rendering;
use crate::service::subscriptions::{NewSubscription, PaymentBehavior};
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::{self, Stored};

impl Engine {
    /// The set-up that a new subscription waits for, where it does: nothing is owed yet, and nothing is
    /// there that could pay later.
    pub(in crate::service) fn waiting_setup(
        &self,
        new: &NewSubscription,
        subscription: &mut Subscription,
        customer: &Customer,
        invoice: Option<&Invoice>,
    ) -> Option<SetupIntent> {
        let owes = invoice.is_some_and(|own| own.amount_due_minor > 0);
        let pays = subscription.default_payment_method.is_some()
            || customer.default_payment_method.is_some();
        let waits = new.payment_behavior == PaymentBehavior::DefaultIncomplete
            && subscription.collection_method == CollectionMethod::ChargeAutomatically;
        if !waits || owes || pays {
            return None;
        }
        let new = NewSetupIntent {
            customer: Some(customer.id.clone()),
            ..NewSetupIntent::default()
        };
        let intent = SetupIntent {
            subscription: Some(subscription.id.clone()),
            test_clock: customer.test_clock.clone(),
            ..self.blank_setup_intent(new)
        };
        let settings = subscription.settings.get_or_insert_default();
        settings.pending_setup_intent = Some(intent.id.clone());
        Some(intent)
    }

    /// Lets the subscription that waits for a set-up know that it is over, with its transaction: what was
    /// saved pays from now on, unless something else does.
    pub(in crate::service) async fn end_waiting(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        intent: &SetupIntent,
    ) -> Result<(), Refused> {
        let Some(id) = &intent.subscription else {
            return Ok(());
        };
        let found = document::load::<Subscription>(connection, scope, id.as_str()).await?;
        let Some(mut row) = found else { return Ok(()) };
        let before = row.value.clone();
        let saved = match intent.status {
            SetupStatus::Succeeded => intent.payment_method.as_ref(),
            _ => None,
        };
        stop_waiting(&mut row, intent, saved);
        if row.value == before {
            return Ok(());
        }
        document::update(connection, scope, &mut row).await?;
        self.tell_of_change(connection, scope, &before, &row).await
    }

    async fn tell_of_change(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        before: &Subscription,
        row: &Stored<Subscription>,
    ) -> Result<(), Refused> {
        let shown = rendering::subscription(row, scope.livemode);
        let before = rendering::subscription(before, scope.livemode);
        let previous = rendering::previous_attributes(&before, &shown);
        let kind = "customer.subscription.updated";
        self.emit(connection, scope, kind, shown, previous).await
    }
}

fn stop_waiting(
    subscription: &mut Subscription,
    intent: &SetupIntent,
    saved: Option<&PaymentMethodId>,
) {
    if let Some(settings) = &mut subscription.settings
        && settings.pending_setup_intent.as_ref() == Some(&intent.id)
    {
        settings.pending_setup_intent = None;
        if **settings == Settings::default() {
            subscription.settings = None;
        }
    }
    if subscription.default_payment_method.is_none() && !subscription.status.is_final() {
        subscription.default_payment_method = saved.cloned();
    }
}
