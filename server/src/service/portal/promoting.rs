//! Promotion codes that customers enter when they change their plan.

use app::port::{EnteredCode, GivenByCode};
use app::refusal::{CodeFault, Field, Refusal, Rule};
use perennial::discount::Discount;
use perennial::money::Money;
use perennial::portal::UpdateRules;
use perennial::subscription::{ItemChange, Subscription};

use super::Visitor;
use super::discretion::Discreet;
use super::refusing::{No, fault};
use crate::service::promotions::NoPromotion;

impl Visitor {
    /// What comes of a code, as typed; nothing where none was, or where codes can't be entered.
    pub(super) async fn entered(
        &self,
        rules: &UpdateRules,
        own: &Subscription,
        code: Option<String>,
    ) -> Result<Option<EnteredCode>, No> {
        let Some(typed) = code.filter(|_| rules.promotion_code) else {
            return Ok(None);
        };
        let (engine, scope) = (&self.engine, self.scope());
        let found = engine
            .promotion(scope, own, self.customer(), &typed, self.now)
            .await?;
        let gives = found.map_err(reason).map(|promotion| {
            let least = promotion.code.minimum_amounts.get(&own.currency);
            GivenByCode {
                minimum: least.map(|minor| Money::new(*minor, own.currency)),
                discount: promotion.discount.hidden(),
            }
        });
        Ok(Some(EnteredCode { typed, gives }))
    }

    /// What a code gives together with these changes.
    pub(super) async fn promotion(
        &self,
        rules: &UpdateRules,
        own: &Subscription,
        changes: &[ItemChange],
        code: Option<String>,
    ) -> Result<Option<Discount>, No> {
        let Some(typed) = code else {
            return Ok(None);
        };
        if !rules.promotion_code {
            return Err(Refusal::NotAllowed.into());
        }
        let refused = |why| fault(Field::PromotionCode, Rule::Code(reason(why)));
        let (engine, scope) = (&self.engine, self.scope());
        let found = engine
            .promotion(scope, own, self.customer(), &typed, self.now)
            .await?;
        let promotion = found.map_err(refused)?;
        promotion.fits(own, changes, self.now).map_err(refused)?;
        Ok(Some(promotion.discount))
    }
}

fn reason(why: NoPromotion) -> CodeFault {
    match why {
        NoPromotion::Unknown => CodeFault::Unknown,
        NoPromotion::Expired => CodeFault::Expired,
        NoPromotion::UsedUp => CodeFault::UsedUp,
        NoPromotion::UsedBefore => CodeFault::UsedBefore,
        NoPromotion::FirstOnly => CodeFault::FirstOnly,
        NoPromotion::NotTogether => CodeFault::NotTogether,
        NoPromotion::NotCovered => CodeFault::NotCovered,
        NoPromotion::BelowMinimum(least) => CodeFault::BelowMinimum(least),
    }
}
