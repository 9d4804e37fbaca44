//! Cancelling, and taking that back.

use app::port::CancelPage;
use app::refusal::{Field, Refusal, Rule};
use perennial::calendar::Timestamp;
use perennial::id::SubscriptionId;
use perennial::invoice::draft_lines;
use perennial::money::Money;
use perennial::portal::{CancelMode, CancelRules};
use perennial::quote::Counter;
use perennial::subscription::{Feedback, ProrationBehavior, Status, Subscription, unbilled_lines};

use super::refusing::{No, fault};
use super::rows::unshowable;
use super::{Refused, Visitor};
use crate::service::subscriptions::Cancel;

/// The longest comment, in characters (Stripe: 5,000; nobody reads that much).
const COMMENT_CHARS_MAX: u32 = 1_000;

impl Visitor {
    pub(super) async fn cancel_page(&self, id: &SubscriptionId) -> Result<CancelPage, No> {
        let rules = self.cancel_rules()?;
        let mut read = self.read().await?;
        let standing = self.standing(&mut read).await?;
        drop(read);
        let own = standing.subscriptions.iter().find(|own| own.id == *id);
        let own = own.ok_or(Refusal::NotFound)?;
        let card = self.facts(&standing).card(own)?;
        if !card.may.cancel {
            return Err(Refusal::WrongState.into());
        }
        let mode = mode(own, rules);
        Ok(CancelPage {
            now: self.now,
            subscription: card,
            mode,
            ends_at: match mode {
                CancelMode::AtPeriodEnd => own.period_end().unwrap_or(self.now),
                CancelMode::Immediately => self.now,
            },
            credit: self.credit(own, mode, rules).await?,
            reasons: rules.reasons.clone(),
        })
    }

    fn cancel_rules(&self) -> Result<&CancelRules, No> {
        let rules = self.features().subscription_cancel.as_ref();
        Ok(rules.ok_or(Refusal::NotAllowed)?)
    }

    /// What ending now would give back.
    async fn credit(
        &self,
        own: &Subscription,
        mode: CancelMode,
        rules: &CancelRules,
    ) -> Result<Option<Money>, Refused> {
        let none = rules.proration_behavior == ProrationBehavior::None;
        if mode == CancelMode::AtPeriodEnd || none {
            return Ok(None);
        }
        let invoices = self.engine.invoices_of(self.scope(), &own.id).await?;
        let unbilled = unbilled_lines(invoices.iter().map(|row| &row.value));
        self.unused_credit(&own.without(&unbilled))
    }

    /// What is given back for time that is paid and not used, with tax.
    pub(super) fn unused_credit(&self, own: &Subscription) -> Result<Option<Money>, Refused> {
        let customer = self.customer();
        let lines = own.unused_time(customer, self.now, &mut Counter::default());
        let lines = lines.map_err(unshowable)?;
        let exempt = customer.tax_exempt;
        let (_, _, totals) = draft_lines(lines, &[], exempt, self.now, own.currency)?;
        let credit = totals.total_minor.checked_neg().ok_or(Refused::TooLarge)?;
        Ok((credit > 0).then(|| Money::new(credit, own.currency)))
    }

    pub(super) async fn cancel(
        &self,
        id: &SubscriptionId,
        feedback: Option<Feedback>,
        comment: Option<String>,
    ) -> Result<Timestamp, No> {
        let rules = self.cancel_rules()?;
        if feedback.is_some_and(|reason| !rules.reasons.contains(&reason)) {
            return Err(fault(Field::Reason, Rule::Unknown));
        }
        let comment = comment.map(|comment| comment.trim().to_owned());
        let comment = comment.filter(|comment| !comment.is_empty());
        let length = comment
            .as_deref()
            .map_or(0, |comment| comment.chars().count());
        if length > COMMENT_CHARS_MAX as usize {
            return Err(fault(Field::Comment, Rule::TooLong(COMMENT_CHARS_MAX)));
        }
        let own = self.subscription(id).await?;
        if own.status.is_final() || own.cancel_at.is_some() {
            return Err(Refusal::WrongState.into());
        }
        let (engine, scope) = (&self.engine, self.scope());
        match mode(&own, rules) {
            CancelMode::AtPeriodEnd => {
                let ended = engine
                    .cancel_at_period_end(scope, id, feedback, comment)
                    .await?;
                Ok(ended.cancel_at.unwrap_or(self.now))
            }
            CancelMode::Immediately => {
                let cancel = Cancel {
                    prorate: rules.proration_behavior != ProrationBehavior::None,
                    invoice_now: rules.proration_behavior == ProrationBehavior::AlwaysInvoice,
                    feedback,
                    comment,
                };
                let ended = engine.cancel_subscription(scope, id, cancel).await?;
                Ok(ended.ended_at.unwrap_or(self.now))
            }
        }
    }

    pub(super) async fn keep(&self, id: &SubscriptionId) -> Result<(), No> {
        self.cancel_rules()?;
        self.subscription(id).await?;
        self.engine.keep_subscription(self.scope(), id).await?;
        Ok(())
    }
}

/// When it would end: what has no paid period to wait for ends at once.
fn mode(own: &Subscription, rules: &CancelRules) -> CancelMode {
    match own.status {
        Status::Incomplete | Status::Paused => CancelMode::Immediately,
        _ => rules.mode,
    }
}
