//! Changing a plan: compare, quote, confirm, take back.

use app::port::{ChangePage, QuotePage, Settled, Wish};
use app::refusal::Refusal;
use perennial::id::{QuoteId, SubscriptionId};

use super::Visitor;
use super::refusing::No;

impl Visitor {
    pub(super) async fn change_page(&self, id: &SubscriptionId) -> Result<ChangePage, No> {
        self.subscription(id).await?;
        Err(Refusal::Unavailable.into())
    }

    pub(super) async fn quote(&self, id: &SubscriptionId, _w: Vec<Wish>) -> Result<QuotePage, No> {
        self.subscription(id).await?;
        Err(Refusal::Unavailable.into())
    }

    pub(super) async fn quote_page(&self, _id: &QuoteId) -> Result<QuotePage, No> {
        Err(Refusal::Unavailable.into())
    }

    pub(super) async fn confirm(&self, _id: &QuoteId) -> Result<Settled, No> {
        Err(Refusal::Unavailable.into())
    }

    pub(super) async fn undo_change(&self, id: &SubscriptionId) -> Result<(), No> {
        self.subscription(id).await?;
        Err(Refusal::Unavailable.into())
    }
}
