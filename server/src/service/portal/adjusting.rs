//! What was given back of an invoice: credit notes, refunds that came without one, and what the merchant
//! reports to have given back of money that came past the gateway.

use app::port::{Adjustment, AdjustmentKind};
use perennial::credit_note::{CreditNote, Status};
use perennial::invoice::{Invoice, PaymentSource};
use perennial::money::Money;
use perennial::payment_record::PaymentRecord;
use perennial::refund::{Refund, RefundStatus};

use super::Visitor;
use super::refusing::No;
use crate::store::document::{self, Column, Stored};
use crate::store::nouns;

impl Visitor {
    /// Oldest first. Notes that were called off and refunds that did not come about are left out.
    pub(super) async fn adjustments(&self, invoice: &Invoice) -> Result<Vec<Adjustment>, No> {
        let mut read = self.read().await?;
        let filter = [Column::text(&invoice.id)];
        let notes: Vec<Stored<CreditNote>> = document::select(
            &mut read,
            self.scope(),
            nouns::CREDIT_NOTES_OF_INVOICE,
            &filter,
        )
        .await?;
        let refunds: Vec<Stored<Refund>> =
            document::select(&mut read, self.scope(), nouns::REFUNDS_OF_INVOICE, &filter).await?;
        let records = invoice.attached.iter().filter_map(|own| match &own.source {
            PaymentSource::PaymentRecord(id) => Some(id.to_string()),
            PaymentSource::PaymentIntent(_) => None,
        });
        let records: Vec<String> = records.collect();
        let records: Vec<Stored<PaymentRecord>> =
            document::load_many(&mut read, self.scope(), &records).await?;
        drop(read);
        let sent = |refunds: &mut dyn Iterator<Item = &Stored<Refund>>| {
            let all: Vec<_> = refunds.map(|own| own.status).collect();
            !all.is_empty() && all.iter().all(|own| *own == RefundStatus::Succeeded)
        };
        let issued = notes.iter().filter(|note| note.status == Status::Issued);
        let mut found: Vec<Adjustment> = issued
            .map(|note| {
                let money = |minor| Money::new(minor, note.currency);
                let own = |refund: &&Stored<Refund>| {
                    let mut theirs = note.refunds.iter();
                    theirs.any(|(id, _)| *id == refund.id) && refund.status.holds()
                };
                Adjustment {
                    at: note.effective_at.unwrap_or(note.created),
                    amount: money(note.total_minor),
                    kind: AdjustmentKind::CreditNote {
                        number: note.number.clone(),
                        refunded: money(note.credited.refund_minor),
                        arrived: sent(&mut refunds.iter().filter(own)),
                        to_balance: money(note.credited.balance_minor),
                        otherwise: money(note.credited.out_of_band_minor),
                    },
                }
            })
            .collect();
        // A refund that an issued note promised or stands for is told with it.
        let told = |refund: &Refund| {
            let note = refund.credit_note.as_ref();
            let issued = |own: &&Stored<CreditNote>| own.status == Status::Issued;
            match note {
                Some(id) => notes.iter().filter(issued).any(|own| own.id == *id),
                None => refund.unnoted_minor() == 0,
            }
        };
        let alone = refunds
            .iter()
            .filter(|refund| refund.status.holds() && !told(refund));
        found.extend(alone.map(|refund| Adjustment {
            at: refund.created,
            amount: match refund.credit_note {
                Some(_) => Money::new(refund.amount_minor, refund.currency),
                None => Money::new(refund.unnoted_minor(), refund.currency),
            },
            kind: AdjustmentKind::Refund {
                arrived: refund.status == RefundStatus::Succeeded,
            },
        }));
        let reported = records.iter().flat_map(|record| {
            let own = record.refunds.iter();
            own.map(|refund| Adjustment {
                at: refund.refunded_at,
                amount: Money::new(refund.amount_minor, record.currency),
                kind: AdjustmentKind::Reported,
            })
        });
        found.extend(reported);
        found.sort_by_key(|own| own.at);
        Ok(found)
    }
}
