//! What was used, against what was billed of it: for a hundred subscriptions at a time, with one
//! statement for their spans and few for what their meters counted.

use std::collections::HashMap;

use perennial::calendar::Period;
use perennial::coverage::{self, Billing, Problem};
use perennial::decimal::Decimal12;
use perennial::id::SubscriptionItemId;
use perennial::subscription::Subscription;
use perennial::usage::Span;

use super::ExceptionKind;
use super::steps::Auditor;
use crate::service::Refused;
use crate::service::metering::EVENT_KEPT_SECONDS;
use crate::service::spans::asked_of;
use crate::service::usage::{Asked, count_many};
use crate::store::document::Stored;
use crate::store::ledger;

/// What a step asks of meters, and what it expects to hear.
pub(super) struct Metered {
    /// By subscription.
    spans: HashMap<String, Vec<Stored<Span>>>,
    asked: Vec<Asked>,
    expected: Vec<Expected>,
    /// Events from this moment on are kept.
    kept_since: i64,
}

struct Expected {
    subscription: String,
    item: SubscriptionItemId,
    period: Period,
    /// `None` where nothing bills it.
    billed: Option<Decimal12>,
}

impl Metered {
    /// The spans of a range of subscriptions.
    pub(super) async fn read(
        auditor: &mut Auditor<'_>,
        range: (&str, &str),
    ) -> Result<Self, Refused> {
        let rows: Vec<Stored<Span>> = auditor.between(ledger::SPANS_BETWEEN, range).await?;
        let mut spans: HashMap<String, Vec<Stored<Span>>> = HashMap::new();
        for row in rows {
            let own = spans.entry(row.subscription.to_string()).or_default();
            own.push(row);
        }
        Ok(Self {
            spans,
            asked: Vec::new(),
            expected: Vec::new(),
            kept_since: auditor.now.0.saturating_sub(EVENT_KEPT_SECONDS),
        })
    }

    /// Notes what has to be asked about one subscription. Answers with what was billed twice.
    pub(super) fn look(
        &mut self,
        subscription: &Subscription,
        billings: &[Billing<'_>],
    ) -> Vec<Problem> {
        let id = subscription.id.as_str();
        let rows = self.spans.remove(id).unwrap_or_default();
        let spans: Vec<&Span> = rows.iter().map(|row| &row.value).collect();
        let found = coverage::check_usage(subscription, billings, &spans);
        let gaps = found.unbilled.into_iter().map(|gap| (gap, None));
        let alone = found.unremembered.into_iter();
        for (stretch, billed) in gaps.chain(alone.map(|own| (own.stretch, Some(own.billed)))) {
            let asked = Asked {
                meter: stretch.meter,
                customer: subscription.customer.clone(),
                period: stretch.period,
            };
            self.expect(subscription, &stretch.item, asked, billed);
        }
        for span in spans {
            self.settled(subscription, span);
        }
        found.twice
    }

    /// A span that is settled for good says what its events come to. One that is not may still wait
    /// for late ones; and what no invoice had told of when its subscription ended at once is not
    /// billed, as at Stripe.
    fn settled(&mut self, subscription: &Subscription, span: &Span) {
        let forgiven = subscription.status.is_final() && !span.told;
        let counts = span.settles_at.is_none() && span.period.start.0 >= self.kept_since;
        let Some(asked) = asked_of(span).filter(|_| counts && !forgiven) else {
            return;
        };
        self.expect(subscription, &span.item, asked, Some(span.billed));
    }

    fn expect(
        &mut self,
        subscription: &Subscription,
        item: &SubscriptionItemId,
        asked: Asked,
        billed: Option<Decimal12>,
    ) {
        self.expected.push(Expected {
            subscription: subscription.id.to_string(),
            item: item.clone(),
            period: asked.period,
            billed,
        });
        self.asked.push(asked);
    }

    /// Asks the meters, and names what was billed otherwise.
    pub(super) async fn compare(self, auditor: &mut Auditor<'_>) -> Result<(), Refused> {
        let counted = count_many(auditor.connection, auditor.scope, &self.asked).await?;
        for (expected, counted) in self.expected.into_iter().zip(counted) {
            let used = counted.billable().unwrap_or(Decimal12::MAX);
            if used == expected.billed.unwrap_or(Decimal12::ZERO) {
                continue;
            }
            let billed = match expected.billed {
                Some(billed) => format!("{billed} is billed for good"),
                None => "nothing bills it".to_owned(),
            };
            let (start, end) = (expected.period.start.0, expected.period.end.0);
            let message = format!(
                "{}: {used} was used from {start} to {end}, and {billed}",
                expected.item
            );
            auditor
                .audit
                .except(ExceptionKind::Usage, &expected.subscription, message);
        }
        Ok(())
    }
}
