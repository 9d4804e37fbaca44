//! Payment methods: add, choose, remove.

use app::port::{Added, BackupWish, CardInput, PaymentMethodCard};
use app::refusal::{Field, Refusal, Rule};
use perennial::id::{InvoiceId, PaymentMethodId};
use perennial::invoice::Invoice;
use perennial::payment::{BillingDetails, PaymentMethod, SetupStatus};
use perennial::subscription::Subscription;

use super::refusing::{No, card_faults, fault};
use super::{Refused, Visitor, rows};
use crate::gateway::CardDetails;
use crate::service::payment_methods::backing::Backing;
use crate::service::payment_methods::{Detaching, LAST_METHOD, METHODS_MAX, needs_method};
use crate::service::setup_intents::NewSetupIntent;
use crate::store::document::{Column, PageRequest, Stored};
use crate::store::nouns;

/// The longest name on a card (Stripe: 256 characters).
const NAME_CHARS_MAX: u32 = 256;
/// A charge within so many seconds is said to be under way: a worker makes it.
const CHARGED_SOON_SECONDS: i64 = 60;

impl Visitor {
    fn may_manage_cards(&self) -> Result<(), No> {
        if self.features().payment_method_update {
            Ok(())
        } else {
            Err(Refusal::NotAllowed.into())
        }
    }

    pub(super) async fn payment_methods(&self) -> Result<Vec<PaymentMethodCard>, No> {
        self.may_manage_cards()?;
        self.payment_method_cards().await
    }

    /// The customer's cards, the default first.
    pub(super) async fn payment_method_cards(&self) -> Result<Vec<PaymentMethodCard>, No> {
        let sql = nouns::PAYMENT_METHODS_BY_CUSTOMER;
        let mut read = self.read().await?;
        let methods: Vec<Stored<PaymentMethod>> =
            self.newest(&mut read, sql, METHODS_MAX, &[]).await?;
        let sql = nouns::SUBSCRIPTIONS_LIVE_BY_CUSTOMER;
        let live: Vec<Stored<Subscription>> = self
            .newest(&mut read, sql, PageRequest::LIMIT_MAX, &[])
            .await?;
        Ok(rows::methods(methods, self.customer(), needs_method(&live)))
    }

    pub(super) async fn add_card(
        &self,
        card: CardInput,
        make_default: bool,
        invoice: Option<InvoiceId>,
    ) -> Result<Added, No> {
        self.may_manage_cards()?;
        let details = self.read_card(&card)?;
        let customer = self.customer();
        let billing = BillingDetails {
            name: details.name.clone(),
            email: customer.email.clone(),
            phone: None,
            address: customer.address.clone(),
        };
        let (engine, scope) = (&self.engine, self.scope());
        let method = engine
            .create_payment_method(scope, details, billing)
            .await?;
        let new = NewSetupIntent {
            customer: Some(customer.id.clone()),
            payment_method: Some(method.id.clone()),
            invoice,
            ..NewSetupIntent::default()
        };
        let intent = engine.create_setup_intent(scope, new).await?;
        let failed = self.failed().await?;
        let make_default = make_default || customer.default_payment_method.is_none();
        let intent = engine
            .confirm_setup_intent(scope, &intent.id, None, make_default)
            .await?;
        if let (SetupStatus::RequiresAction, Some(url)) = (intent.status, &intent.challenge) {
            return Ok(Added::Challenge { url: url.clone() });
        }
        let charging = make_default && self.is_charging(&failed).await?;
        let id = method.value.id;
        Ok(Added::Saved { id, charging })
    }

    /// The open invoices whose payment failed.
    pub(super) async fn failed(&self) -> Result<Vec<Stored<Invoice>>, No> {
        let mut read = self.read().await?;
        let sql = nouns::INVOICES_BY_CUSTOMER_STATUS;
        let mut open: Vec<Stored<Invoice>> = self
            .newest(
                &mut read,
                sql,
                PageRequest::LIMIT_MAX,
                &[Column::text("open")],
            )
            .await?;
        open.retain(|invoice| invoice.auto_advance && invoice.attempt_count > 0);
        Ok(open)
    }

    /// Whether an open invoice is charged in a moment, as it is when a new card pays what has failed. A worker may have
    /// begun with those that had `failed` before, or be done with them already.
    pub(super) async fn is_charging(&self, failed: &[Stored<Invoice>]) -> Result<bool, No> {
        let open = self.failed().await?;
        let soon = self.now.0.saturating_add(CHARGED_SOON_SECONDS);
        let begun = |before: &Stored<Invoice>| {
            let mut now = open.iter().filter(|own| own.id == before.id);
            now.all(|own| own.revision != before.revision)
        };
        let due = |own: &Stored<Invoice>| own.next_payment_attempt.is_some_and(|at| at.0 <= soon);
        Ok(failed.iter().any(begun) || open.iter().any(due))
    }

    /// Reads a card as typed, and finds every fault in it.
    fn read_card(&self, card: &CardInput) -> Result<CardDetails, No> {
        if card.name.chars().count() > NAME_CHARS_MAX as usize {
            return Err(fault(Field::CardName, Rule::TooLong(NAME_CHARS_MAX)));
        }
        perennial::card::check(&card.number, &card.expiry, &card.cvc, self.now)
            .map_err(|faults| card_faults(&faults))?;
        CardDetails::typed(&card.number, &card.expiry, &card.cvc, &card.name)
            .map_err(|fault| card_faults(&[fault]).into())
    }

    pub(super) async fn back_up(&self, id: &PaymentMethodId, wish: BackupWish) -> Result<(), No> {
        self.may_manage_cards()?;
        let wish = match wish {
            BackupWish::Allow => Backing::Allow,
            BackupWish::Withdraw => Backing::Withdraw,
            BackupWish::Earlier => Backing::Earlier,
        };
        let customer = &self.customer().id;
        self.engine
            .back_up(self.scope(), customer, id, wish)
            .await?;
        Ok(())
    }

    pub(super) async fn make_default(&self, id: &PaymentMethodId) -> Result<bool, No> {
        self.may_manage_cards()?;
        let customer = &self.customer().id;
        let failed = self.failed().await?;
        self.engine
            .set_default_payment_method(self.scope(), customer, id)
            .await?;
        self.is_charging(&failed).await
    }

    pub(super) async fn remove_payment_method(&self, id: &PaymentMethodId) -> Result<(), No> {
        self.may_manage_cards()?;
        let cards = self.payment_method_cards().await?;
        let card = cards.iter().find(|card| card.method.id == *id);
        let card = card.ok_or(Refusal::NotFound)?;
        if !card.removable {
            return Err(Refusal::LastPaymentMethod.into());
        }
        let (engine, scope) = (&self.engine, self.scope());
        match engine.detach(scope, id, Detaching::ByCustomer).await {
            Ok(_) => Ok(()),
            // The other one went at the same moment.
            Err(Refused::State {
                code: Some(LAST_METHOD),
                ..
            }) => Err(Refusal::LastPaymentMethod.into()),
            // Somebody else's by now, or gone: not the customer's any more either way.
            Err(Refused::State { .. }) => Err(Refusal::NotFound.into()),
            Err(refused) => Err(refused.into()),
        }
    }
}
