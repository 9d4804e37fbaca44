//! What the payer is to read of a payment, as the merchant's program says it.

use perennial::payment::{PaymentIntent, PaymentStatus, check_statement};

use crate::service::Refused;
use crate::service::customers::is_email;

/// What the payer is to read of a payment. `None` leaves what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParticularsUpdate {
    /// Where the receipt goes.
    pub receipt_email: Option<Option<String>>,
    /// Only for payments without a card, which there are none of: refused by name.
    pub statement_descriptor: Option<Option<String>>,
    /// What follows the merchant's name on the card's statement.
    pub statement_descriptor_suffix: Option<Option<String>>,
}

impl ParticularsUpdate {
    /// Writes it to a payment.
    ///
    /// # Errors
    /// Names the parameter that can't stand; [`Refused::State`] where the bank has heard already what it
    /// prints, or nothing will be received.
    pub(super) fn apply(&self, intent: &mut PaymentIntent) -> Result<(), Refused> {
        if let Some(Some(_)) = &self.statement_descriptor {
            return Err(Refused::Invalid {
                param: "statement_descriptor".to_owned(),
                code: Some("payment_intent_invalid_parameter"),
                message:
                    "The statement_descriptor parameter is not supported for card payments. Use \
                          statement_descriptor_suffix instead."
                        .to_owned(),
            });
        }
        let mut own = intent.particulars.take().unwrap_or_default();
        if let Some(suffix) = &self.statement_descriptor_suffix
            && *suffix != own.statement_descriptor_suffix
        {
            if let Some(text) = suffix {
                check_statement_of("statement_descriptor_suffix", text)?;
            }
            if !is_waiting(intent.status) {
                return Err(unchangeable("statement_descriptor_suffix"));
            }
            own.statement_descriptor_suffix.clone_from(suffix);
        }
        if let Some(email) = &self.receipt_email
            && *email != own.receipt_email
        {
            if let Some(text) = email
                && !is_email(text)
            {
                return Err(Refused::Invalid {
                    param: "receipt_email".to_owned(),
                    code: Some("email_invalid"),
                    message: format!("Invalid email address: {text}"),
                });
            }
            if intent.status == PaymentStatus::Canceled {
                return Err(unchangeable("receipt_email"));
            }
            own.receipt_email.clone_from(email);
        }
        intent.particulars = Some(own).filter(|own| !own.is_empty());
        Ok(())
    }
}

/// Refuses what can't stand on a statement.
pub(crate) fn check_statement_of(param: &str, text: &str) -> Result<(), Refused> {
    check_statement(text).map_err(|fault| Refused::invalid(param, fault.to_string()))
}

fn is_waiting(status: PaymentStatus) -> bool {
    matches!(
        status,
        PaymentStatus::RequiresPaymentMethod | PaymentStatus::RequiresConfirmation
    )
}

fn unchangeable(param: &str) -> Refused {
    Refused::State {
        code: Some("payment_intent_unexpected_state"),
        message: format!("The {param} of this PaymentIntent can't be changed any more."),
    }
}
