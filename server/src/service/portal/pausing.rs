//! Standing still and going on, where the merchant's rules allow it.

use app::port::{EnteredCode, PauseOption, PausePage, ResumePage, Settled};
use app::refusal::{Field, Refusal, Rule};
use perennial::calendar::Timestamp;
use perennial::discount::Discount;
use perennial::id::SubscriptionId;
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::money::Money;
use perennial::portal::{PauseRules, UpdateRules};
use perennial::quote::Counter;
use perennial::subscription::{ResumeTerms, Subscription};

use super::changing::settled;
use super::refusing::{No, fault};
use super::rows::unshowable;
use super::{Refused, Visitor};
use crate::service::changes::promoted;
use crate::service::subscriptions::{Pause, Resume, ResumePayment};
use crate::store::document::Stored;

impl Visitor {
    fn pause_rules(&self) -> Result<&PauseRules, No> {
        let rules = self.features().subscription_pause.as_ref();
        Ok(rules.ok_or(Refusal::NotAllowed)?)
    }

    /// The ends that a pause may have, by their place in the rules.
    fn pause_options(&self, rules: &PauseRules) -> Vec<PauseOption> {
        let ends = rules.options.iter().map(|length| {
            // A length that leads beyond the calendar is not offered.
            length.boundary(self.now, 1).ok()
        });
        let mut options: Vec<PauseOption> = (0..)
            .zip(ends)
            .filter_map(|(place, end)| {
                let resumes_at = Some(end?);
                Some(PauseOption { place, resumes_at })
            })
            .collect();
        if rules.options.is_empty() {
            options.push(PauseOption {
                place: 0,
                resumes_at: None,
            });
        }
        options
    }

    pub(super) async fn pause_page(&self, id: &SubscriptionId) -> Result<PausePage, No> {
        let rules = self.pause_rules()?;
        let (own, card) = self.own_card(id).await?;
        if !card.may.pause {
            return Err(Refusal::WrongState.into());
        }
        Ok(PausePage {
            now: self.now,
            credit: self.unused_credit(&own)?,
            options: self.pause_options(rules),
            subscription: card,
        })
    }

    pub(super) async fn pause(&self, id: &SubscriptionId, place: u32) -> Result<(), No> {
        let rules = self.pause_rules()?;
        let options = self.pause_options(rules);
        let chosen = options.iter().find(|option| option.place == place);
        let chosen = chosen.ok_or_else(|| fault(Field::Reason, Rule::Unknown))?;
        let (_, card) = self.own_card(id).await?;
        if !card.may.pause {
            return Err(Refusal::WrongState.into());
        }
        let pause = Pause {
            resumes_at: chosen.resumes_at,
            ..Pause::default()
        };
        self.engine
            .pause_subscription(self.scope(), id, pause)
            .await?;
        Ok(())
    }

    /// The rules for promotion codes: those of changing a plan.
    fn code_rules(&self) -> Option<&UpdateRules> {
        let rules = self.features().subscription_update.as_ref();
        rules.filter(|rules| rules.promotion_code)
    }

    /// What going on would cost, with the promotion code that was typed, if it gives something.
    pub(super) async fn resume_page(
        &self,
        id: &SubscriptionId,
        code: Option<String>,
    ) -> Result<ResumePage, No> {
        let (own, card) = self.own_card(id).await?;
        if !card.may.resume {
            return Err(Refusal::WrongState.into());
        }
        let rules = self.code_rules();
        let mut entered = match rules {
            Some(rules) => self.entered(rules, &own, code.clone()).await?,
            None => None,
        };
        let given = match (rules, &entered) {
            (Some(rules), Some(EnteredCode { gives: Ok(_), .. })) => {
                self.promotion(rules, &own, &[], code).await
            }
            _ => Ok(None),
        };
        // What it gives may ask for more than what goes on.
        let given = match given {
            Err(No::Refusal(Refusal::Invalid(faults))) => {
                let why = faults.iter().find_map(|(_, rule)| match rule {
                    Rule::Code(why) => Some(*why),
                    _ => None,
                });
                if let (Some(entered), Some(why)) = (&mut entered, why) {
                    entered.gives = Err(why);
                }
                None
            }
            given => given?,
        };
        Ok(ResumePage {
            now: self.now,
            due: self.due_on_resuming(&own, given.as_ref()).await?,
            subscription: card,
            codes: rules.is_some(),
            code: entered,
        })
    }

    /// What going on now would charge: the very resumption, tried on copies.
    async fn due_on_resuming(
        &self,
        own: &Subscription,
        given: Option<&Discount>,
    ) -> Result<Money, No> {
        let pending = self.pending().await?;
        let mut next = match given {
            Some(discount) => promoted(own, discount)?,
            None => own.clone(),
        };
        let mut payer = self.customer().clone();
        let mut ids = Counter::default();
        let terms = ResumeTerms::default();
        let (renewed, _) = next
            .resume(&payer, &pending, terms, self.now, &mut ids)
            .map_err(unshowable)?;
        let mut due_minor = 0;
        if let Some(mut invoice) = renewed.invoice {
            invoice
                .finalize(&mut payer, self.now)
                .map_err(|_| Refused::TooLarge)?;
            if invoice.status == InvoiceStatus::Open {
                due_minor = invoice.amount_due_minor;
            }
        }
        Ok(Money::new(due_minor, own.currency))
    }

    /// Goes on at the amount that the customer was shown, or refuses it as stale.
    pub(super) async fn resume(
        &self,
        id: &SubscriptionId,
        due_minor: i64,
        code: Option<String>,
    ) -> Result<Settled, No> {
        let (own, card) = self.own_card(id).await?;
        if !card.may.resume {
            return Err(Refusal::WrongState.into());
        }
        let given = match (self.code_rules(), code) {
            (_, None) => None,
            (None, Some(_)) => return Err(Refusal::NotAllowed.into()),
            (Some(rules), code) => self.promotion(rules, &own, &[], code).await?,
        };
        let due = self.due_on_resuming(&own, given.as_ref()).await?;
        if due.minor != due_minor {
            return Err(Refusal::Stale.into());
        }
        if due.minor > 0 && card.payment_method.is_none() {
            return Err(Refusal::NeedsPaymentMethod.into());
        }
        let before = own.latest_invoice.clone();
        let resume = Resume {
            payment: ResumePayment::OnAttempt,
            on_session: true,
            ..Resume::default()
        };
        let (engine, scope) = (&self.engine, self.scope());
        let own = engine
            .resume_with(scope, id, resume, given.as_ref())
            .await?;
        let Some(invoice) = own
            .latest_invoice
            .clone()
            .filter(|_| own.latest_invoice != before)
        else {
            return Ok(Settled::Done {
                charged: Money::new(0, due.currency),
                invoice: None,
            });
        };
        let billed: Stored<Invoice> = engine.find(scope, invoice.as_str()).await?;
        match &billed.payment_intent {
            Some(intent) if billed.status == InvoiceStatus::Open => {
                Ok(settled(engine.ask_after(scope, intent).await?))
            }
            _ => Ok(Settled::Done {
                charged: Money::new(billed.amount_paid_minor, billed.currency),
                invoice: Some(invoice),
            }),
        }
    }

    /// One of the customer's own subscriptions, with its card.
    async fn own_card(
        &self,
        id: &SubscriptionId,
    ) -> Result<(Subscription, app::port::SubscriptionCard), No> {
        let mut read = self.read().await?;
        let standing = self.standing(&mut read).await?;
        drop(read);
        let own = standing.subscriptions.iter().find(|own| own.id == *id);
        let own = own.ok_or(Refusal::NotFound)?;
        let card = self.facts(&standing).card(own)?;
        Ok((own.value.clone(), card))
    }
}

/// The end of a pause, where it has one.
pub(super) fn resumes_at(own: &Subscription) -> Option<Timestamp> {
    let pause = own.paused.as_ref().and_then(|pause| pause.resumes_at);
    pause.filter(|_| own.status == perennial::subscription::Status::Paused)
}
