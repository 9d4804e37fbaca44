//! What a batch bills of metered items, read for all of it before anything is decided.
//!
//! A decision takes what was read for it. One that asks for something else is made by itself: what
//! decisions of the batch have billed and not committed could not be counted.

use std::collections::HashMap;

use perennial::calendar::Timestamp;
use perennial::decimal::Decimal12;
use perennial::invoice::{Invoice, InvoiceStatus, LineKind};
use perennial::subscription::Subscription;
use perennial::usage::Span;

use super::{asked_of, meter_of};
use crate::service::ground::Ground;
use crate::service::{Engine, Refused};
use crate::store::document::Stored;
use crate::store::{Scope, usage};

/// A stretch whose line stands on a draft, with what is to be billed of it by now.
pub(crate) type Drafted = (Stored<Span>, Decimal12);

impl Engine {
    /// Reads what the next step of each of these subscriptions bills, where that is due.
    pub(crate) async fn lay_metered(
        &self,
        scope: &Scope,
        ground: &Ground,
        subscriptions: &[Stored<Subscription>],
    ) -> Result<(), Refused> {
        let now = self.now();
        let steps: Vec<(&Subscription, Timestamp)> = subscriptions
            .iter()
            .filter(|own| own.owes_usage || own.items.iter().any(|item| meter_of(item).is_some()))
            .filter_map(|own| Some((&own.value, own.next_due_at()?)))
            .filter(|(_, at)| *at <= now)
            .collect();
        if steps.is_empty() {
            return Ok(());
        }
        let metered = self.metered_many(scope, &steps).await?;
        for ((own, at), metered) in steps.into_iter().zip(metered) {
            ground.lay_metered(own.id.as_str(), at, metered);
        }
        Ok(())
    }

    /// Reads what the lines of usage on these drafts come to by now.
    pub(crate) async fn lay_drafted(
        &self,
        scope: &Scope,
        ground: &Ground,
        invoices: &[Stored<Invoice>],
    ) -> Result<(), Refused> {
        let drafts: Vec<String> = invoices
            .iter()
            .filter(|own| own.status == InvoiceStatus::Draft)
            .filter(|own| own.lines.iter().any(|line| line.kind == LineKind::Usage))
            .map(|own| own.id.to_string())
            .collect();
        if drafts.is_empty() {
            return Ok(());
        }
        let spans = {
            let mut read = self.store.read().await?;
            usage::drafted_spans(&mut read, scope, &drafts).await?
        };
        let mut of_drafts: HashMap<String, Vec<Drafted>> =
            drafts.into_iter().map(|id| (id, Vec::new())).collect();
        for (span, used) in self.used_of(scope, spans).await? {
            let draft = span.draft.as_ref().map(ToString::to_string);
            if let Some(own) = draft.and_then(|id| of_drafts.get_mut(&id)) {
                own.push((span, used));
            }
        }
        for (id, drafted) in of_drafts {
            ground.lay_drafted(id, drafted);
        }
        Ok(())
    }

    /// What each stretch comes to by now. One whose price has no meter any more is left out.
    pub(super) async fn used_of(
        &self,
        scope: &Scope,
        spans: Vec<Stored<Span>>,
    ) -> Result<Vec<Drafted>, Refused> {
        let (mut asked, mut askers) = (Vec::new(), Vec::with_capacity(spans.len()));
        for span in spans {
            if let Some(own) = asked_of(&span) {
                asked.push(own);
                askers.push(span);
            }
        }
        let counted = self.usage_of_many(scope, &asked).await?;
        let both = askers.into_iter().zip(counted);
        both.map(|(span, counted)| Ok((span, counted.billable()?)))
            .collect()
    }
}
