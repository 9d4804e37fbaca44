//! The state machine that a subscription lives through.

use super::{MissingPaymentMethod, Status};

/// Something that happens to a subscription's standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The first invoice was paid.
    FirstPaymentSucceeded,
    /// The first charge failed, or the customer must prove who they are.
    FirstPaymentNeeded,
    /// The first invoice was not paid within [`super::INCOMPLETE_SECONDS`], or it was voided.
    FirstPaymentExpired,
    /// A trial was given to a running subscription.
    TrialStarted,
    /// The trial is over and billing starts.
    TrialEnded,
    /// The trial is over, there is nothing to pay with, and this is what the merchant chose.
    TrialEndedUnpayable(MissingPaymentMethod),
    /// A later invoice was not paid.
    RenewalFailed,
    /// Nothing is owed any more: the newest invoice was paid, written off or voided.
    Paid,
    /// The last retry failed, and this is what the merchant chose.
    RetriesExhausted(WhenExhausted),
    /// It ends.
    Cancel,
    /// It stands still.
    Pause,
    /// It goes on after a pause.
    Resume,
}

/// What a merchant lets follow the last failed retry.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum WhenExhausted {
    /// The subscription ends.
    #[default]
    Cancel,
    /// Invoices go on as drafts and are not charged.
    MarkUnpaid,
    /// Nothing changes.
    LeavePastDue,
}

/// A transition that there is not. The status stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} can't happen to a subscription that is {status:?}")]
pub struct IllegalTransition {
    /// Where it stands.
    pub status: Status,
    /// What was to happen.
    pub event: Event,
}

impl Status {
    /// Where `event` leads from here. Total over all pairs; the final statuses lead nowhere.
    ///
    /// # Errors
    /// When there is no such transition.
    pub fn transition(self, event: Event) -> Result<Self, IllegalTransition> {
        let next = match self {
            Self::Incomplete => match event {
                Event::FirstPaymentSucceeded | Event::Paid => Some(Self::Active),
                Event::FirstPaymentNeeded => Some(Self::Incomplete),
                Event::FirstPaymentExpired => Some(Self::IncompleteExpired),
                Event::Cancel => Some(Self::Canceled),
                _ => None,
            },
            Self::Trialing => match event {
                // What is paid in a trial are one-off amounts; the trial goes on.
                Event::TrialStarted | Event::Paid => Some(Self::Trialing),
                Event::TrialEnded => Some(Self::Active),
                Event::TrialEndedUnpayable(choice) => Some(match choice {
                    MissingPaymentMethod::Cancel => Self::Canceled,
                    MissingPaymentMethod::CreateInvoice => Self::Active,
                    MissingPaymentMethod::Pause => Self::Paused,
                }),
                Event::Cancel => Some(Self::Canceled),
                Event::Pause => Some(Self::Paused),
                _ => None,
            },
            Self::Active => match event {
                Event::Paid => Some(Self::Active),
                Event::TrialStarted => Some(Self::Trialing),
                Event::RenewalFailed => Some(Self::PastDue),
                Event::Cancel => Some(Self::Canceled),
                Event::Pause => Some(Self::Paused),
                _ => None,
            },
            Self::PastDue => match event {
                Event::Paid => Some(Self::Active),
                Event::RenewalFailed => Some(Self::PastDue),
                Event::RetriesExhausted(choice) => Some(match choice {
                    WhenExhausted::Cancel => Self::Canceled,
                    WhenExhausted::MarkUnpaid => Self::Unpaid,
                    WhenExhausted::LeavePastDue => Self::PastDue,
                }),
                Event::Cancel => Some(Self::Canceled),
                Event::Pause => Some(Self::Paused),
                _ => None,
            },
            Self::Unpaid => match event {
                Event::Paid => Some(Self::Active),
                Event::RenewalFailed => Some(Self::Unpaid),
                Event::Cancel => Some(Self::Canceled),
                _ => None,
            },
            Self::Paused => match event {
                // Old debts may be paid; only resuming ends the pause.
                Event::Paid => Some(Self::Paused),
                Event::Resume => Some(Self::Active),
                Event::Cancel => Some(Self::Canceled),
                _ => None,
            },
            Self::IncompleteExpired | Self::Canceled => None,
        };
        next.ok_or(IllegalTransition {
            status: self,
            event,
        })
    }

    /// Whether it is over for good.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::IncompleteExpired | Self::Canceled)
    }

    /// Whether its items may be changed.
    #[must_use]
    pub const fn is_changeable(self) -> bool {
        !matches!(
            self,
            Self::Incomplete | Self::IncompleteExpired | Self::Canceled
        )
    }

    /// Whether time on it is billed: not in a trial, not in a pause, not after the end.
    #[must_use]
    pub const fn is_billing(self) -> bool {
        matches!(
            self,
            Self::Active | Self::PastDue | Self::Unpaid | Self::Incomplete
        )
    }
}
