//! What a customer is told of a change that waits for its payment, of what was agreed for a time, and of
//! what made their balance.

use app::port::{BalanceReason, BalanceRow, ContractRow, ItemRow, ScheduledRow, UnpaidRow};
use perennial::invoice::InvoiceStatus;
use perennial::money::Money;
use perennial::quote::{Counter, recurring};
use perennial::schedule::{EndBehavior, Origin, Phase, Schedule};
use perennial::subscription::Subscription;
use sqlx::AnyConnection;

use super::refusing::No;
use super::rows::{Facts, items, unshowable};
use super::{Refused, Visitor};
use crate::service::balance::{BalanceTransaction, BalanceTransactionKind as Kind};
use crate::store::document::{self, Column, Page, PageRequest, Stored};
use crate::store::nouns;

/// How many changes of a balance are shown.
const BALANCE_ROWS: u32 = 10;

impl Visitor {
    /// The contracts of these subscriptions, one statement where there are any.
    pub(super) async fn contracts(
        &self,
        read: &mut AnyConnection,
        subscriptions: &[Stored<Subscription>],
    ) -> Result<Vec<Schedule>, No> {
        let running = subscriptions.iter().filter(|own| !own.status.is_final());
        let ids = running.filter_map(|own| own.schedule.as_ref());
        let ids: Vec<String> = ids.map(ToString::to_string).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let found: Vec<Stored<Schedule>> = document::load_many(read, self.scope(), &ids).await?;
        let agreed = found.into_iter().map(|row| row.value);
        Ok(agreed.filter(|own| own.origin == Origin::Agreed).collect())
    }

    /// What made the balance, one statement where there is one.
    pub(super) async fn balance_rows(
        &self,
        read: &mut AnyConnection,
    ) -> Result<Vec<BalanceRow>, No> {
        let customer = self.customer();
        if customer.balance_minor == 0 {
            return Ok(Vec::new());
        }
        let page = PageRequest {
            limit: BALANCE_ROWS,
            starting_after: None,
            ending_before: None,
        };
        let filter = [Column::text(&customer.id)];
        let found: Page<BalanceTransaction> = document::list(
            read,
            self.scope(),
            nouns::BALANCE_TRANSACTIONS,
            &page,
            &filter,
        )
        .await?;
        let history = self.features().invoice_history;
        let rows = found
            .rows
            .into_iter()
            .map(|row| balance_row(row.value, history));
        Ok(rows.collect())
    }
}

/// A change of the balance, as its owner counts: what they got is positive.
fn balance_row(own: BalanceTransaction, history: bool) -> BalanceRow {
    let reason = match own.kind {
        Kind::Adjustment | Kind::Initial => BalanceReason::Adjusted,
        Kind::AppliedToInvoice if own.amount_minor < 0 => BalanceReason::Credited,
        Kind::AppliedToInvoice => BalanceReason::Used,
        Kind::InvoiceTooSmall => BalanceReason::TooSmall,
        Kind::UnappliedFromInvoice => BalanceReason::TakenBack,
        Kind::InvoiceOverpaid => BalanceReason::Overpaid,
        Kind::CreditNote => BalanceReason::CreditNote,
    };
    BalanceRow {
        at: own.created,
        amount: Money::new(own.amount_minor.saturating_neg(), own.currency),
        reason,
        note: own.description,
        invoice: own.invoice.filter(|_| history),
    }
}

impl Facts<'_> {
    /// A change that is made once its invoice is paid.
    pub(super) fn unpaid(&self, own: &Subscription) -> Result<Option<UnpaidRow>, Refused> {
        let Some(update) = own.pending_update.as_deref() else {
            return Ok(None);
        };
        let open = |invoice: &&perennial::invoice::Invoice| {
            invoice.id == update.invoice && invoice.status == InvoiceStatus::Open
        };
        let Some(invoice) = self.open.iter().find(open) else {
            return Ok(None);
        };
        let mut after = own.clone();
        after.items.clone_from(&update.items);
        let each = recurring(&after, self.customer, self.now).map_err(unshowable)?;
        Ok(Some(UnpaidRow {
            invoice: invoice.id.clone(),
            amount: Money::new(invoice.amount_remaining_minor(), invoice.currency),
            items: items(&update.items, self.products)?,
            recurring: Money::new(each, own.currency),
            until: update.expires_at,
        }))
    }

    /// What was agreed for a time. The phase that is next stands on the subscription already.
    pub(super) fn contract(&self, own: &Subscription) -> Option<ContractRow> {
        let id = own.schedule.as_ref().filter(|_| !own.status.is_final())?;
        let schedule = self.contracts.iter().find(|found| found.id == *id)?;
        let next = own.scheduled_change.as_ref().map(|change| change.at);
        let later = schedule
            .phases
            .iter()
            .filter(|phase| phase.start > self.now && next.is_none_or(|next| phase.start > next));
        Some(ContractRow {
            steps: later
                .filter_map(|phase| self.step(own, schedule, phase))
                .collect(),
            until: schedule.phases.last()?.end,
            ends: schedule.end_behavior == EndBehavior::Cancel,
        })
    }

    /// A phase to come; `None` where what it costs can't be said yet.
    fn step(&self, own: &Subscription, schedule: &Schedule, phase: &Phase) -> Option<ScheduledRow> {
        let mut creation = phase.terms(&schedule.defaults).creation(own.billing_mode);
        // Only what a period costs is asked for.
        creation.trial_end = None;
        let begun = Subscription::create(creation, self.customer, &[], &mut Counter::default());
        let begun = begun.ok()?.subscription;
        let each = recurring(&begun, self.customer, phase.start).ok()?;
        let items: Vec<ItemRow> = items(&begun.items, self.products).ok()?;
        Some(ScheduledRow {
            at: Some(phase.start),
            items,
            recurring: Money::new(each, own.currency),
        })
    }
}
