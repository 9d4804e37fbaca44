//! What a merchant allows in the portal.

use serde::{Deserialize, Serialize};

use crate::calendar::{Cadence, Timestamp};
use crate::id::{
    CouponId, CustomerId, PortalConfigurationId, PortalSessionId, PriceId, ProductId,
    SubscriptionId,
};
use crate::metadata::Metadata;
use crate::subscription::{Feedback, ProrationBehavior};

/// A set of rules for portal sessions. Field names follow `billing_portal.configuration`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortalConfiguration {
    /// `bpc_…`
    pub id: PortalConfigurationId,
    /// For the merchant's eyes.
    pub name: Option<String>,
    /// Whether sessions may use it.
    pub active: bool,
    /// Used where a session names none. One a merchant and mode.
    pub is_default: bool,
    /// Where "Back to …" leads when a session names nothing.
    pub default_return_url: Option<String>,
    /// A line of welcome.
    pub headline: Option<String>,
    /// Linked in the footer.
    pub privacy_policy_url: Option<String>,
    /// Linked in the footer and where a change is confirmed.
    pub terms_of_service_url: Option<String>,
    /// What is allowed.
    pub features: Features,
    /// The merchant's own keys.
    pub metadata: Metadata,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// What customers may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// Details that they may edit; empty means none.
    pub customer_update: Vec<CustomerField>,
    /// Whether they see invoices.
    pub invoice_history: bool,
    /// Whether they manage payment methods.
    pub payment_method_update: bool,
    /// Cancelling; `None` switches it off.
    pub subscription_cancel: Option<CancelRules>,
    /// Changing; `None` switches it off.
    pub subscription_update: Option<UpdateRules>,
    /// Standing still, and going on; `None` switches it off.
    #[serde(default)]
    pub subscription_pause: Option<PauseRules>,
}

/// How customers may let a subscription stand still.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseRules {
    /// For how long, to choose from; empty means until somebody lets it go on.
    pub options: Vec<Cadence>,
}

/// A detail of the customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomerField {
    /// Billing address.
    Address,
    /// E-mail.
    Email,
    /// Name.
    Name,
    /// Phone.
    Phone,
    /// Shipping address.
    Shipping,
    /// Tax ids.
    TaxId,
}

/// How customers may cancel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRules {
    /// When it ends.
    pub mode: CancelMode,
    /// Credits for unused time; only with [`CancelMode::Immediately`].
    pub proration_behavior: ProrationBehavior,
    /// The reasons to pick from; empty means none is asked.
    pub reasons: Vec<Feedback>,
}

/// When a cancelled subscription ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelMode {
    /// With the paid period.
    AtPeriodEnd,
    /// At once.
    Immediately,
}

/// How customers may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateRules {
    /// Prices they may switch to.
    pub price: bool,
    /// Whether they may change quantities.
    pub quantity: bool,
    /// Whether they may enter promotion codes.
    pub promotion_code: bool,
    /// The catalogue, at most 10 products.
    pub products: Vec<UpdateProduct>,
    /// How the difference is billed.
    pub proration_behavior: ProrationBehavior,
    /// Changes that wait for the period's end.
    pub schedule_at_period_end: Vec<ScheduleCondition>,
}

/// A product that customers may switch to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateProduct {
    /// Which.
    pub product: ProductId,
    /// On which terms.
    pub prices: Vec<PriceId>,
    /// Bounds of the quantity (inclusive); `None` when it may not change.
    pub adjustable_quantity: Option<AdjustableQuantity>,
}

/// Bounds of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdjustableQuantity {
    /// At least.
    pub minimum: u64,
    /// At most.
    pub maximum: Option<u64>,
}

/// When a change waits for the period's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleCondition {
    /// A cheaper price or a lower quantity.
    DecreasingItemAmount,
    /// A shorter interval, such as yearly to monthly.
    ShorteningInterval,
}

/// A customer's visit, as the API shows it. The key in its URL is stored only as a hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortalSession {
    /// `bps_…`
    pub id: PortalSessionId,
    /// Who visits.
    pub customer: CustomerId,
    /// Under which rules.
    pub configuration: PortalConfigurationId,
    /// An IETF tag; `None` follows the customer, then the browser.
    pub locale: Option<String>,
    /// Where "Back to …" leads.
    pub return_url: Option<String>,
    /// Straight to one task.
    pub flow: Option<Flow>,
    /// When it was made.
    pub created: Timestamp,
}

/// A task that a session goes straight to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// Add a payment method.
    PaymentMethodUpdate,
    /// Cancel.
    SubscriptionCancel {
        /// Which.
        subscription: SubscriptionId,
        /// Offered on the way.
        coupon: Option<CouponId>,
    },
    /// Change.
    SubscriptionUpdate {
        /// Which.
        subscription: SubscriptionId,
    },
}
