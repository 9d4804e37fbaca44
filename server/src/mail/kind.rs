//! What mails there are, and which of them a customer may switch off.

use app::locale::Words;
use perennial::customer::MailPreferences;
use serde::{Deserialize, Serialize};

/// A kind of mail to customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A paid invoice, with its document.
    Receipt,
    /// A charge by ourselves was declined.
    PaymentFailed,
    /// The bank wants the customer's approval.
    ActionRequired,
    /// An invoice that the customer pays by themselves, with its document.
    InvoiceToPay,
    /// Such an invoice is due soon, or overdue.
    InvoiceReminder,
    /// A card that pays for something expires.
    CardExpiring,
    /// A trial ends soon.
    TrialEnding,
    /// A long period ends soon and is renewed.
    RenewalReminder,
    /// Other items or quantities.
    SubscriptionChanged,
    /// Cancelled, and ends later.
    CancellationPlanned,
    /// Goes on after all.
    CancellationUndone,
    /// Ended.
    SubscriptionEnded,
    /// Paused.
    SubscriptionPaused,
    /// Goes on after a pause.
    SubscriptionResumed,
    /// Payments rest for a time.
    CollectionPaused,
    /// Payments go on after that.
    CollectionResumed,
    /// Money went back.
    Refunded,
}

/// A switch of the customer's that mails of one or more kinds obey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Switch {
    /// [`MailPreferences::receipts`]
    Receipts,
    /// [`MailPreferences::renewal_reminders`]
    RenewalReminders,
    /// [`MailPreferences::trial_reminders`]
    TrialReminders,
    /// [`MailPreferences::card_expiry`]
    CardExpiry,
}

impl Switch {
    /// Whether the customer has it on.
    #[must_use]
    pub fn is_on(self, preferences: &MailPreferences) -> bool {
        match self {
            Self::Receipts => preferences.receipts,
            Self::RenewalReminders => preferences.renewal_reminders,
            Self::TrialReminders => preferences.trial_reminders,
            Self::CardExpiry => preferences.card_expiry,
        }
    }

    /// Turns it.
    pub fn set(self, preferences: &mut MailPreferences, on: bool) {
        match self {
            Self::Receipts => preferences.receipts = on,
            Self::RenewalReminders => preferences.renewal_reminders = on,
            Self::TrialReminders => preferences.trial_reminders = on,
            Self::CardExpiry => preferences.card_expiry = on,
        }
    }

    /// What the page of choices calls it.
    #[must_use]
    pub fn label(self, words: Words) -> &'static str {
        match self {
            Self::Receipts => words.mail_receipts(),
            Self::RenewalReminders => words.mail_renewals(),
            Self::TrialReminders => words.mail_trials(),
            Self::CardExpiry => words.mail_cards(),
        }
    }
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::Receipt,
        Self::PaymentFailed,
        Self::ActionRequired,
        Self::InvoiceToPay,
        Self::InvoiceReminder,
        Self::CardExpiring,
        Self::TrialEnding,
        Self::RenewalReminder,
        Self::SubscriptionChanged,
        Self::CancellationPlanned,
        Self::CancellationUndone,
        Self::SubscriptionEnded,
        Self::SubscriptionPaused,
        Self::SubscriptionResumed,
        Self::CollectionPaused,
        Self::CollectionResumed,
        Self::Refunded,
    ];

    /// As it is kept and logged.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::PaymentFailed => "payment_failed",
            Self::ActionRequired => "action_required",
            Self::InvoiceToPay => "invoice_to_pay",
            Self::InvoiceReminder => "invoice_reminder",
            Self::CardExpiring => "card_expiring",
            Self::TrialEnding => "trial_ending",
            Self::RenewalReminder => "renewal_reminder",
            Self::SubscriptionChanged => "subscription_changed",
            Self::CancellationPlanned => "cancellation_planned",
            Self::CancellationUndone => "cancellation_undone",
            Self::SubscriptionEnded => "subscription_ended",
            Self::SubscriptionPaused => "subscription_paused",
            Self::SubscriptionResumed => "subscription_resumed",
            Self::CollectionPaused => "collection_paused",
            Self::CollectionResumed => "collection_resumed",
            Self::Refunded => "refunded",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The customer's switch that it obeys. `None`: the contract or the law needs it, and it always
    /// comes.
    #[must_use]
    pub fn switch(self) -> Option<Switch> {
        match self {
            Self::Receipt => Some(Switch::Receipts),
            Self::RenewalReminder => Some(Switch::RenewalReminders),
            Self::TrialEnding => Some(Switch::TrialReminders),
            Self::CardExpiring => Some(Switch::CardExpiry),
            _ => None,
        }
    }

    /// Whether a customer with these preferences wants it.
    #[must_use]
    pub fn is_wanted(self, preferences: &MailPreferences) -> bool {
        self.switch().is_none_or(|switch| switch.is_on(preferences))
    }
}
