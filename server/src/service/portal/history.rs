//! Billing history: invoices to read and to pay.

use app::port::{
    INVOICES_A_PAGE, InvoiceList, InvoicePage, PaymentMethodCard, Seller, Settled, UnpaidRow,
};
use app::refusal::Refusal;
use perennial::id::{InvoiceId, PaymentMethodId};
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::payment::{PaymentIntent, PaymentStatus};

use super::Visitor;
use super::changing::settled;
use super::discretion::Discreet;
use super::refusing::No;
use super::rows;
use crate::merchant::Merchant;
use crate::store::document::{self, Column, PageRequest, Stored};
use crate::store::nouns;
use crate::web::style::name_of;

impl Visitor {
    pub(super) async fn invoices(&self, after: Option<InvoiceId>) -> Result<InvoiceList, No> {
        if !self.features().invoice_history {
            return Err(Refusal::NotAllowed.into());
        }
        if let Some(after) = &after {
            // A cursor of somebody else's would place the list among their invoices.
            self.own_invoice(after).await?;
        }
        let page = PageRequest {
            limit: INVOICES_A_PAGE,
            starting_after: after.as_ref().map(InvoiceId::to_string),
            ending_before: None,
        };
        let filter = [Column::text(&self.customer().id)];
        let mut read = self.read().await?;
        let sql = nouns::INVOICES_BY_CUSTOMER_FINAL;
        let found: document::Page<Invoice> =
            document::list(&mut read, self.scope(), sql, &page, &filter).await?;
        let mut previous = None;
        if let (Some(_), Some(first)) = (&after, found.rows.first()) {
            let page = PageRequest {
                limit: INVOICES_A_PAGE + 1,
                starting_after: None,
                ending_before: Some(first.id.to_string()),
            };
            let newer: document::Page<Invoice> =
                document::list(&mut read, self.scope(), sql, &page, &filter).await?;
            // The part before comes after the row above it; the first part has none above.
            let above = newer.rows.len() > INVOICES_A_PAGE as usize;
            previous = newer
                .rows
                .first()
                .filter(|_| above)
                .map(|row| row.id.clone());
        }
        let last = found.rows.last().map(|row| row.id.clone());
        Ok(InvoiceList {
            next: last.filter(|_| found.has_more),
            previous,
            rows: found.rows.iter().map(|row| rows::invoice(row)).collect(),
        })
    }

    pub(super) async fn invoice(&self, id: &InvoiceId) -> Result<InvoicePage, No> {
        let invoice = self.shown_invoice(id).await?;
        let payable = payable(&invoice);
        let mut methods = Vec::new();
        let mut challenge = None;
        if payable {
            methods = self.methods_to_pay(&invoice).await?;
            challenge = self.challenge_of(&invoice).await?;
        }
        Ok(InvoicePage {
            now: self.now,
            seller: seller(&self.visit.merchant),
            payment_methods: methods,
            payable,
            challenge,
            adjustments: self.adjustments(&invoice).await?,
            unpaid: self.waits_for(&invoice).await?,
            invoice: invoice.value.hidden(),
        })
    }

    /// The change that is made once an invoice is paid.
    async fn waits_for(&self, invoice: &Invoice) -> Result<Option<UnpaidRow>, No> {
        let open = invoice.status == InvoiceStatus::Open;
        let Some(id) = invoice.subscription.as_ref().filter(|_| open) else {
            return Ok(None);
        };
        let subscription = self.subscription(id).await?;
        let update = subscription.pending_update.as_deref();
        if update.is_none_or(|update| update.invoice != invoice.id) {
            return Ok(None);
        }
        let mut read = self.read().await?;
        let standing = self.standing(&mut read).await?;
        drop(read);
        Ok(self.facts(&standing).unpaid(&subscription)?)
    }

    /// One of the customer's invoices that they may see: not a draft, which still changes.
    pub(super) async fn shown_invoice(&self, id: &InvoiceId) -> Result<Stored<Invoice>, No> {
        let invoice = self.own_invoice(id).await?;
        // Who owes may see what for, even where the history is switched off.
        if !self.features().invoice_history && invoice.status != InvoiceStatus::Open {
            return Err(Refusal::NotAllowed.into());
        }
        Ok(invoice)
    }

    async fn own_invoice(&self, id: &InvoiceId) -> Result<Stored<Invoice>, No> {
        let mut read = self.read().await?;
        let found: Option<Stored<Invoice>> =
            document::load(&mut read, self.scope(), id.as_str()).await?;
        let own = found.filter(|invoice| {
            invoice.customer == self.customer().id && invoice.status != InvoiceStatus::Draft
        });
        Ok(own.ok_or(Refusal::NotFound)?)
    }

    /// What could pay an invoice, the likeliest first. A method that was just declined stands last:
    /// the customer comes to try another one.
    async fn methods_to_pay(&self, invoice: &Invoice) -> Result<Vec<PaymentMethodCard>, No> {
        let mut methods = self.payment_method_cards().await?;
        let likeliest = match (&invoice.default_payment_method, &invoice.subscription) {
            (Some(own), _) => Some(own.clone()),
            (None, Some(id)) => self.subscription(id).await?.default_payment_method.clone(),
            (None, None) => None,
        };
        let declined = invoice.last_payment_error.is_some();
        let payer = likeliest.or_else(|| methods.iter().find(|m| m.is_default).map(id_of));
        methods.sort_by_key(|card| (Some(&card.method.id) == payer.as_ref()) == declined);
        Ok(methods)
    }

    /// A proof of identity that the newest charge waits for.
    async fn challenge_of(&self, invoice: &Invoice) -> Result<Option<String>, No> {
        let Some(intent) = &invoice.payment_intent else {
            return Ok(None);
        };
        let mut read = self.read().await?;
        let intent: Option<Stored<PaymentIntent>> =
            document::load(&mut read, self.scope(), intent.as_str()).await?;
        let waiting = intent.filter(|intent| intent.status == PaymentStatus::RequiresAction);
        Ok(waiting.and_then(|intent| intent.challenge.clone()))
    }

    pub(super) async fn pay(
        &self,
        id: &InvoiceId,
        method: Option<PaymentMethodId>,
    ) -> Result<Settled, No> {
        let invoice = self.own_invoice(id).await?;
        if !payable(&invoice) {
            return Err(Refusal::WrongState.into());
        }
        let methods = self.methods_to_pay(&invoice).await?;
        if let Some(wanted) = &method
            && !methods.iter().any(|card| card.method.id == *wanted)
        {
            return Err(Refusal::NotFound.into());
        }
        let chosen = method.or_else(|| methods.first().map(|card| card.method.id.clone()));
        let chosen = chosen.ok_or(Refusal::NeedsPaymentMethod)?;
        let scope = self.scope();
        let result = self
            .engine
            .pay_invoice(scope, id, Some(chosen), true)
            .await?;
        Ok(settled(result))
    }
}

fn id_of(card: &PaymentMethodCard) -> PaymentMethodId {
    card.method.id.clone()
}

/// Whether the customer can pay it here.
fn payable(invoice: &Invoice) -> bool {
    let owed = matches!(
        invoice.status,
        InvoiceStatus::Open | InvoiceStatus::Uncollectible
    );
    owed && invoice.amount_remaining_minor() > 0
}

/// The merchant on an invoice.
pub fn seller(merchant: &Merchant) -> Seller {
    Seller {
        name: name_of(merchant).to_owned(),
        address: merchant.address.clone(),
        email: merchant.support_email.clone(),
        tax_id: merchant.tax_id.clone(),
    }
}
