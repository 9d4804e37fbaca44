//! What a request settles about a subscription's invoices: Stripe's `payment_settings`,
//! `invoice_settings` and `pending_invoice_item_interval`.

use perennial::calendar::{Cadence, Timestamp};
use perennial::id::TaxIdId;
use perennial::invoice::CustomField;
use perennial::subscription::{Settings, Subscription};

use crate::service::{Engine, Refused};
use crate::store::Scope;

/// What is to be different. `None` leaves a field as it is; where a field can be unset, the inner `None`
/// unsets it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// Whether what pays an invoice becomes the subscription's default method.
    pub saves_payment_method: Option<bool>,
    /// Whether cards are named as what pays.
    pub cards_only: Option<bool>,
    /// Whether it is said that the bank decides about proofs.
    pub bank_asks_for_proof: Option<bool>,
    /// How often waiting amounts are billed between periods.
    pub pending_items: Option<Option<Cadence>>,
    /// The merchant's tax registrations on its invoices.
    pub account_tax_ids: Option<Vec<TaxIdId>>,
    /// In the head of its invoices.
    pub custom_fields: Option<Vec<CustomField>>,
    /// Above the lines of its invoices.
    pub description: Option<Option<String>>,
    /// Below the lines of its invoices.
    pub footer: Option<Option<String>>,
}

impl SettingsChange {
    /// Whether it says how often waiting amounts are billed.
    pub(crate) fn bills_otherwise(&self) -> bool {
        self.pending_items.is_some()
    }

    /// Whether it says anything.
    pub(crate) fn is_said(&self) -> bool {
        *self != Self::default()
    }

    fn apply(&self, own: &mut Settings) {
        if let Some(saves) = self.saves_payment_method {
            own.saves_payment_method = saves;
        }
        if let Some(cards) = self.cards_only {
            own.cards_only = cards;
        }
        if let Some(bank) = self.bank_asks_for_proof {
            own.bank_asks_for_proof = bank;
        }
        if let Some(fields) = &self.custom_fields {
            own.custom_fields.clone_from(fields);
        }
        if let Some(text) = &self.description {
            own.description.clone_from(text);
        }
        if let Some(text) = &self.footer {
            own.footer.clone_from(text);
        }
    }
}

impl Engine {
    /// The settings of a new subscription; `None` when nothing is settled. How often waiting amounts are
    /// billed is not among them: that is counted from the anchor.
    ///
    /// # Errors
    /// Names a tax id that is not the merchant's.
    pub(super) async fn new_settings(
        &self,
        scope: &Scope,
        change: &SettingsChange,
    ) -> Result<Option<Box<Settings>>, Refused> {
        let mut own = Settings::default();
        change.apply(&mut own);
        if let Some(ids) = &change.account_tax_ids {
            own.account_tax_ids = self.settled_tax_ids(scope, ids).await?;
        }
        Ok((own != Settings::default()).then(|| Box::new(own)))
    }

    /// Changes the settings of a subscription.
    ///
    /// # Errors
    /// Names a tax id that is not the merchant's.
    pub(crate) async fn change_settings(
        &self,
        scope: &Scope,
        subscription: &mut Subscription,
        change: &SettingsChange,
        now: Timestamp,
    ) -> Result<(), Refused> {
        if !change.is_said() {
            return Ok(());
        }
        let anchor = subscription.billing_cycle_anchor;
        let mut own = subscription.settings.take().unwrap_or_default();
        change.apply(&mut own);
        if let Some(ids) = &change.account_tax_ids {
            own.account_tax_ids = self.settled_tax_ids(scope, ids).await?;
        }
        match change.pending_items {
            // The times that are fixed already stay.
            Some(Some(every)) if own.pending_items.is_some_and(|own| own.every == every) => {}
            Some(Some(every)) => own.bill_pending_items(every, anchor, now)?,
            Some(None) => own.pending_items = None,
            None => {}
        }
        subscription.settings = Some(own).filter(|own| **own != Settings::default());
        Ok(())
    }

    async fn settled_tax_ids(
        &self,
        scope: &Scope,
        ids: &[TaxIdId],
    ) -> Result<Vec<perennial::customer::TaxId>, Refused> {
        let found = self.own_tax_ids(scope, ids).await;
        found.map_err(|refused| match refused {
            Refused::NotFound { kind, id, param } => Refused::NotFound {
                kind,
                id,
                param: param.map(|param| {
                    param.replacen("account_tax_ids", "invoice_settings[account_tax_ids]", 1)
                }),
            },
            Refused::Invalid { code, message, .. } => Refused::Invalid {
                param: "invoice_settings[account_tax_ids]".to_owned(),
                code,
                message,
            },
            other => other,
        })
    }
}
