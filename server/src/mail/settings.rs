//! What a merchant says about mail.

use serde::{Deserialize, Serialize};

use super::Kind;

/// A merchant's rules for mail to customers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MailSettings {
    /// Whether customers get mail at all. Without it nothing is even noted.
    pub enabled: bool,
    /// Kinds that are not sent, because another program of the merchant's sends them.
    pub without: Vec<Kind>,
    /// The sender's name; `None` is what customers know the merchant as.
    pub sender_name: Option<String>,
    /// The sender's address; `None` is `no-reply@` the host that the server is known under.
    pub sender_address: Option<String>,
    /// Whether the mails of test mode leave the machine. Without it they go to the folder, which keeps
    /// made-up customers from writing to real mailboxes. Mails of test clocks never leave.
    pub test_mode_leaves: bool,
    /// How many days before a trial's end its customer hears of it (Stripe: 7). Of a trial that is
    /// shorter than three times that, when a third of it is left.
    pub trial_days: u16,
    /// How many days before a renewal its customer hears of it.
    pub renewal_days: u16,
    /// How many days a period must have at least for its renewal to be announced: who pays each month
    /// knows.
    pub renewal_period_days_min: u16,
}

impl Default for MailSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            without: Vec::new(),
            sender_name: None,
            sender_address: None,
            test_mode_leaves: false,
            trial_days: 7,
            renewal_days: 7,
            renewal_period_days_min: 80,
        }
    }
}

impl MailSettings {
    /// Whether mails of this kind are sent.
    #[must_use]
    pub fn sends(&self, kind: Kind) -> bool {
        self.enabled && !self.without.contains(&kind)
    }
}
