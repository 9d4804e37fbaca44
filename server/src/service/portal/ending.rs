//! Cancelling, and taking that back.

use app::port::CancelPage;
use app::refusal::Refusal;
use perennial::calendar::Timestamp;
use perennial::id::SubscriptionId;
use perennial::subscription::Feedback;

use super::Visitor;
use super::refusing::No;

impl Visitor {
    pub(super) async fn cancel_page(&self, id: &SubscriptionId) -> Result<CancelPage, No> {
        self.subscription(id).await?;
        Err(Refusal::Unavailable.into())
    }

    pub(super) async fn cancel(
        &self,
        id: &SubscriptionId,
        _feedback: Option<Feedback>,
        _comment: Option<String>,
    ) -> Result<Timestamp, No> {
        self.subscription(id).await?;
        Err(Refusal::Unavailable.into())
    }

    pub(super) async fn keep(&self, id: &SubscriptionId) -> Result<(), No> {
        self.subscription(id).await?;
        Err(Refusal::Unavailable.into())
    }
}
