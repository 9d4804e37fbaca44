//! Invoices that a merchant writes by hand: made, changed and deleted while they are drafts.

use perennial::calendar::Timestamp;
use perennial::currency::Currency;
use perennial::customer::{Customer, Shipping};
use perennial::discount;
use perennial::id::{CustomerId, InvoiceId, PaymentMethodId, SubscriptionId, TaxIdId, TaxRateId};
use perennial::invoice::{
    AmountTaxDisplay, BillingReason, CUSTOM_FIELDS_MAX, CustomField, Draft, Invoice, InvoiceItem,
    InvoiceStatus, MethodType, PageSize, draft,
};
use perennial::metadata::MetadataChange;
use perennial::subscription::{CollectionMethod, Subscription};

use super::lines::{LineInput, moment};
use super::{book_taken, defect};
use crate::service::booking::{Booking, Edit};
use crate::service::choices::{Choices, DiscountChoice};
use crate::service::find::values;
use crate::service::payments::check_statement_of;
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// The most characters of an invoice's number that a merchant gives (Stripe: 26).
const NUMBER_CHARS_MAX: usize = 26;

/// A new invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInvoice {
    /// Who owes; without one, the customer of the invoice that it replaces.
    pub customer: Option<CustomerId>,
    /// Whose waiting items it is for; without one, the items of no subscription.
    pub subscription: Option<SubscriptionId>,
    /// Of all amounts; the customer's without.
    pub currency: Option<Currency>,
    /// Whether it takes up the items that wait.
    pub include_pending: bool,
    /// The final invoice that it is to replace.
    pub from_invoice: Option<InvoiceId>,
    /// Everything else.
    pub rest: InvoiceUpdate,
}

/// What may be said about an invoice. `None` leaves what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvoiceUpdate {
    /// Whether it moves by itself.
    pub auto_advance: Option<bool>,
    /// When a draft becomes final by itself.
    pub automatically_finalizes_at: Option<Timestamp>,
    /// Who starts the payment.
    pub collection_method: Option<CollectionMethod>,
    /// Days to pay a sent invoice.
    pub days_until_due: Option<u16>,
    /// When a sent invoice is due.
    pub due_date: Option<Timestamp>,
    /// The date to print.
    pub effective_at: Option<Option<Timestamp>>,
    /// Pays it.
    pub default_payment_method: Option<Option<PaymentMethodId>>,
    /// Rates for lines without own ones.
    pub default_tax_rates: Option<Vec<TaxRateId>>,
    /// Its own discounts; an inner `None` takes the customer's again.
    pub discounts: Option<Option<Vec<DiscountChoice>>>,
    /// Printed above the lines.
    pub description: Option<Option<String>>,
    /// Printed below the lines.
    pub footer: Option<Option<String>>,
    /// Printed in the head.
    pub custom_fields: Option<Vec<CustomField>>,
    /// The merchant's tax registrations that stand on it; an inner `None` prints the usual one.
    pub account_tax_ids: Option<Option<Vec<TaxIdId>>>,
    /// Its number, instead of the customer's next.
    pub number: Option<Option<String>>,
    /// What stands on the bank statement.
    pub statement_descriptor: Option<Option<String>>,
    /// Where the goods go that it is for.
    pub shipping_details: Option<Option<Shipping>>,
    /// How amounts are printed with respect to tax.
    pub amount_tax_display: Option<Option<AmountTaxDisplay>>,
    /// The paper of its document.
    pub page_size: Option<PageSize>,
    /// The kinds of payment methods that it may be paid with.
    pub payment_method_types: Option<Option<Vec<MethodType>>>,
    /// The merchant's own keys.
    pub metadata: Option<MetadataChange>,
}

impl InvoiceUpdate {
    /// The first parameter that only a draft may be given.
    fn for_drafts(&self) -> Option<&'static str> {
        let given = [
            ("collection_method", self.collection_method.is_some()),
            (
                "automatically_finalizes_at",
                self.automatically_finalizes_at.is_some(),
            ),
            ("days_until_due", self.days_until_due.is_some()),
            ("due_date", self.due_date.is_some()),
            ("effective_at", self.effective_at.is_some()),
            ("default_tax_rates", self.default_tax_rates.is_some()),
            ("discounts", self.discounts.is_some()),
            ("description", self.description.is_some()),
            ("footer", self.footer.is_some()),
            ("custom_fields", self.custom_fields.is_some()),
            ("account_tax_ids", self.account_tax_ids.is_some()),
            ("number", self.number.is_some()),
            ("statement_descriptor", self.statement_descriptor.is_some()),
            ("shipping_details", self.shipping_details.is_some()),
            (
                "rendering",
                self.amount_tax_display.is_some() || self.page_size.is_some(),
            ),
        ];
        given
            .into_iter()
            .find(|(_, given)| *given)
            .map(|(name, _)| name)
    }
}

impl Engine {
    /// Makes a draft. It stays one until it is finalised, unless `auto_advance` is set: then it
    /// becomes final after an hour.
    ///
    /// # Errors
    /// Names the parameter that can't be used.
    pub async fn create_invoice(
        &self,
        scope: &Scope,
        new: NewInvoice,
    ) -> Result<Stored<Invoice>, Refused> {
        let new = &new;
        match &new.from_invoice {
            Some(from) => self.retrying(|| self.revise_once(scope, from, new)).await,
            None => self.retrying(|| self.create_invoice_once(scope, new)).await,
        }
    }

    async fn create_invoice_once(
        &self,
        scope: &Scope,
        new: &NewInvoice,
    ) -> Result<Stored<Invoice>, Refused> {
        let now = self.now();
        let customer = new.customer.as_ref().ok_or_else(|| Refused::Invalid {
            param: "customer".to_owned(),
            code: Some("parameter_missing"),
            message: "Missing required param: customer.".to_owned(),
        })?;
        let mut customer = Edit::of(self.billable(scope, customer).await?);
        let subscription = match &new.subscription {
            Some(id) => {
                let own: Stored<Subscription> =
                    self.find_named(scope, id.as_str(), "subscription").await?;
                if own.customer != customer.id {
                    let message = "The subscription belongs to another customer.";
                    return Err(Refused::invalid("subscription", message));
                }
                Some(own)
            }
            None => None,
        };
        let pending = match new.include_pending {
            true => self.pending(scope, &customer.id).await?,
            false => Vec::new(),
        };
        let currency = new
            .currency
            .or(customer.currency)
            .or(subscription.as_ref().map(|own| own.currency))
            .or(pending.first().map(|item| item.currency))
            .ok_or_else(|| Refused::Invalid {
                param: "currency".to_owned(),
                code: Some("parameter_missing"),
                message: "This customer has no currency yet. Say which one to bill in.".to_owned(),
            })?;
        let waiting = values(&pending);
        let mut invoice = draft(
            Draft {
                customer: &customer,
                subscription: subscription.as_deref(),
                currency,
                billing_reason: BillingReason::Manual,
                lines: Vec::new(),
                pending: &waiting,
                period: moment(now),
                at: now,
            },
            &mut self.ids(),
        )?;
        invoice.auto_advance = false;
        let mut redeemed = self
            .set_terms(scope, &mut invoice, &customer, &new.rest)
            .await?;
        invoice.reprice(&customer, subscription.as_deref(), now)?;
        let taken: Vec<_> = invoice
            .lines
            .iter()
            .filter_map(|line| line.invoice_item.clone())
            .collect();
        let mut booking = Booking::begin(self, scope).await?;
        booking.hold(&mut customer).await?;
        let invoice = booking.insert(invoice).await?;
        book_taken(&mut booking, pending, &taken, &invoice.id).await?;
        redeemed.write(&mut booking).await?;
        booking.commit().await?;
        Ok(invoice)
    }

    /// A customer who can be billed, named by the parameter `customer`.
    pub(crate) async fn billable(
        &self,
        scope: &Scope,
        id: &CustomerId,
    ) -> Result<Stored<Customer>, Refused> {
        let found: Stored<Customer> = self.find_named(scope, id.as_str(), "customer").await?;
        if found.deleted {
            return Err(Refused::NotFound {
                kind: "customer",
                id: id.to_string(),
                param: Some("customer".to_owned()),
            });
        }
        Ok(found)
    }

    /// Sets what a request says on an invoice, apart from its lines.
    pub(super) async fn set_terms(
        &self,
        scope: &Scope,
        invoice: &mut Invoice,
        customer: &Customer,
        update: &InvoiceUpdate,
    ) -> Result<Choices, Refused> {
        let now = self.now();
        let rates = update.default_tax_rates.as_deref().unwrap_or_default();
        let wanted = update.discounts.clone().flatten().unwrap_or_default();
        let found = self.materials(scope, &customer.id, &[], rates, &wanted);
        let mut found = found.await?;
        // What stands on the invoice before any discount is what a code's minimum asks about.
        found.to.purchase = Some((invoice.currency, invoice.lines_minor()));
        if update.default_tax_rates.is_some() {
            invoice.default_tax_rates = found.named(rates, "default_tax_rates")?;
        }
        match &update.discounts {
            Some(Some(wanted)) => {
                let present = invoice.own_discounts.clone().unwrap_or_default();
                let (choices, to) = (&mut found.choices, &found.to);
                let given = choices.discounts(self, &present, wanted, to, now, "discounts")?;
                discount::validate_list(&given, invoice.currency)
                    .map_err(|error| Refused::invalid("discounts", error.to_string()))?;
                invoice.own_discounts = Some(given);
            }
            Some(None) => {
                // Those that it was given go; what its customer or subscription has comes back.
                let given = invoice.own_discounts.take().unwrap_or_default();
                invoice.forget_discounts(&given);
            }
            None => {}
        }
        if let Some(method) = &update.default_payment_method {
            if let Some(method) = method {
                self.own_method(scope, method, &customer.id).await?;
            }
            invoice.default_payment_method.clone_from(method);
        }
        if let Some(ids) = &update.account_tax_ids {
            let ids = ids.as_deref().unwrap_or_default();
            invoice.seller_tax_ids = self.own_tax_ids(scope, ids).await?;
        }
        set_texts(invoice, update)?;
        self.free_number(scope, customer, update).await?;
        let draft_seconds = match update.auto_advance {
            Some(true) => self.merchant(scope).await?.draft_seconds,
            _ => 0,
        };
        set_times(invoice, update, draft_seconds, now)?;
        Ok(found.choices)
    }

    /// Refuses a number that one of the sequences will come to: it would stop there.
    async fn free_number(
        &self,
        scope: &Scope,
        customer: &Customer,
        update: &InvoiceUpdate,
    ) -> Result<(), Refused> {
        let Some(Some(number)) = &update.number else {
            return Ok(());
        };
        let Some((prefix, rest)) = number.rsplit_once('-') else {
            return Ok(());
        };
        let counted = !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
        let account = self.merchant(scope).await?.number_prefix();
        let given = counted
            && (prefix == customer.invoice_prefix
                || prefix == account
                || self.prefix_owner(scope, prefix).await?.is_some());
        if given {
            let message = "Numbers with this prefix are given by the sequence; choose another one.";
            return Err(Refused::invalid("number", message));
        }
        Ok(())
    }

    /// Changes an invoice: anything about a draft; of a final one its keys, its payment method and
    /// whether it moves by itself.
    ///
    /// # Errors
    /// Names the parameter that can't be used, or that a final invoice can't be given.
    pub async fn update_invoice(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        update: InvoiceUpdate,
    ) -> Result<Stored<Invoice>, Refused> {
        let update = &update;
        self.retrying(|| self.update_invoice_once(scope, id, update))
            .await
    }

    async fn update_invoice_once(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        update: &InvoiceUpdate,
    ) -> Result<Stored<Invoice>, Refused> {
        let mut books = self.books(scope, id).await?;
        let draft = books.invoice.status == InvoiceStatus::Draft;
        if let (false, Some(param)) = (draft, update.for_drafts()) {
            return Err(Refused::Invalid {
                param: param.to_owned(),
                code: Some("invoice_not_editable"),
                message: format!("Finalized invoices can't be updated in this way: {param}."),
            });
        }
        let mut redeemed = self
            .set_terms(scope, &mut books.invoice, &books.customer, update)
            .await?;
        if draft {
            let (own, now) = (books.subscription.as_deref(), self.now());
            books.invoice.reprice(&books.customer, own, now)?;
        }
        let mut booking = Booking::begin(self, scope).await?;
        booking.save(&mut books.invoice).await?;
        redeemed.write(&mut booking).await?;
        booking.commit().await?;
        Ok(books.invoice.into_row())
    }

    /// Deletes a draft that no subscription made. Items that it took up wait again; items that were
    /// made for it go with it.
    ///
    /// # Errors
    /// [`Refused::State`] when it is no draft, or a subscription's.
    pub async fn delete_invoice(&self, scope: &Scope, id: &InvoiceId) -> Result<(), Refused> {
        self.retrying(|| self.delete_invoice_once(scope, id)).await
    }

    async fn delete_invoice_once(&self, scope: &Scope, id: &InvoiceId) -> Result<(), Refused> {
        let invoice: Stored<Invoice> = self.find(scope, id.as_str()).await?;
        if invoice.status != InvoiceStatus::Draft {
            return Err(Refused::State {
                code: Some("invoice_not_editable"),
                message: "You can only delete draft invoices.".to_owned(),
            });
        }
        if invoice.subscription.is_some() && invoice.billing_reason != BillingReason::Manual {
            return Err(Refused::State {
                code: None,
                message: "You can't delete invoices created by subscriptions.".to_owned(),
            });
        }
        let items = self.items_of(scope, &invoice).await?;
        let mut booking = Booking::begin(self, scope).await?;
        booking
            .delete_all("invoice.deleted", std::slice::from_ref(&invoice))
            .await?;
        let (own, mut taken): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|item| item.made_for_invoice);
        booking.delete_all("invoiceitem.deleted", &own).await?;
        for item in &mut taken {
            item.invoice = None;
        }
        booking.save_all_quietly(&mut taken).await?;
        booking.commit().await
    }

    /// The items that stand on an invoice.
    pub(crate) async fn items_of(
        &self,
        scope: &Scope,
        invoice: &Invoice,
    ) -> Result<Vec<Stored<InvoiceItem>>, Refused> {
        let ids: Vec<String> = invoice
            .lines
            .iter()
            .filter_map(|line| Some(line.invoice_item.as_ref()?.to_string()))
            .collect();
        let mut connection = self.store.read().await?;
        Ok(crate::store::document::load_many(&mut connection, scope, &ids).await?)
    }
}

fn set_texts(invoice: &mut Invoice, update: &InvoiceUpdate) -> Result<(), Refused> {
    let too_long = |param: &str, most: usize| {
        Refused::invalid(param, format!("It must have at most {most} characters."))
    };
    if let Some(number) = &update.number {
        if number
            .as_ref()
            .is_some_and(|text| text.chars().count() > NUMBER_CHARS_MAX)
        {
            return Err(too_long("number", NUMBER_CHARS_MAX));
        }
        invoice.number.clone_from(number);
    }
    if let Some(text) = &update.statement_descriptor {
        if let Some(text) = text {
            check_statement_of("statement_descriptor", text)?;
        }
        invoice.statement_descriptor.clone_from(text);
    }
    if let Some(fields) = &update.custom_fields {
        if fields.len() > CUSTOM_FIELDS_MAX {
            let message = format!("At most {CUSTOM_FIELDS_MAX} custom fields are printed.");
            return Err(Refused::invalid("custom_fields", message));
        }
        invoice.custom_fields.clone_from(fields);
    }
    present(invoice, update);
    if let Some(text) = &update.description {
        invoice.description.clone_from(text);
    }
    if let Some(text) = &update.footer {
        invoice.footer.clone_from(text);
    }
    if let Some(change) = &update.metadata {
        let changed = invoice.metadata.change(change);
        changed.map_err(|error| Refused::invalid("metadata", error.to_string()))?;
    }
    Ok(())
}

/// Writes what is said of an invoice's payment, document and goods.
fn present(invoice: &mut Invoice, update: &InvoiceUpdate) {
    let mut own = invoice.presentation.take().unwrap_or_default();
    if let Some(shipping) = &update.shipping_details {
        own.shipping.clone_from(shipping);
    }
    if let Some(display) = update.amount_tax_display {
        own.amount_tax_display = display;
    }
    if let Some(size) = update.page_size {
        own.page_size = Some(size);
    }
    if let Some(types) = &update.payment_method_types {
        own.payment_method_types.clone_from(types);
    }
    invoice.presentation = Some(own).filter(|own| !own.is_empty());
}

fn set_times(
    invoice: &mut Invoice,
    update: &InvoiceUpdate,
    draft_seconds: i64,
    now: Timestamp,
) -> Result<(), Refused> {
    if let Some(method) = update.collection_method {
        invoice.collection_method = method;
        if method == CollectionMethod::ChargeAutomatically {
            invoice.due_date = None;
        }
    }
    let sent = invoice.collection_method == CollectionMethod::SendInvoice;
    let due = match (update.due_date, update.days_until_due) {
        (Some(_), Some(_)) => {
            let message = "You may only specify one of these parameters: due_date, days_until_due.";
            return Err(Refused::invalid("due_date", message));
        }
        (Some(at), None) if at < now => {
            let message = "The due date must lie in the future.";
            return Err(Refused::invalid("due_date", message));
        }
        (Some(at), None) => Some(("due_date", at)),
        (None, Some(days)) => {
            let at = invoice.created.add_days(i64::from(days)).map_err(defect)?;
            Some(("days_until_due", at))
        }
        (None, None) => None,
    };
    match due {
        Some((param, _)) if !sent => {
            let message = "You can only set a due date where collection_method is send_invoice.";
            return Err(Refused::invalid(param, message));
        }
        Some((_, at)) => invoice.due_date = Some(at),
        None if sent && update.collection_method.is_some() && invoice.due_date.is_none() => {
            return Err(Refused::Invalid {
                param: "days_until_due".to_owned(),
                code: Some("parameter_missing"),
                message: "You must pass days_until_due or due_date for invoices that are sent."
                    .to_owned(),
            });
        }
        None => {}
    }
    if let Some(at) = update.effective_at {
        invoice.effective_at = at;
    }
    if let Some(auto) = update.auto_advance {
        invoice.auto_advance = auto;
        advance(invoice, auto, draft_seconds, now)?;
    }
    if let Some(at) = update.automatically_finalizes_at {
        if at < now {
            let message = "It must lie in the future.";
            return Err(Refused::invalid("automatically_finalizes_at", message));
        }
        if !invoice.auto_advance {
            let message = "Set auto_advance to let the invoice become final by itself.";
            return Err(Refused::invalid("automatically_finalizes_at", message));
        }
        invoice.automatically_finalizes_at = Some(at);
    }
    Ok(())
}

/// Lets an invoice move by itself from now on, or stops it.
fn advance(
    invoice: &mut Invoice,
    auto: bool,
    draft_seconds: i64,
    now: Timestamp,
) -> Result<(), Refused> {
    if !auto {
        invoice.automatically_finalizes_at = None;
        invoice.next_payment_attempt = None;
        return Ok(());
    }
    match invoice.status {
        InvoiceStatus::Draft if invoice.automatically_finalizes_at.is_none() => {
            let at = now.add_seconds(draft_seconds).map_err(defect)?;
            invoice.automatically_finalizes_at = Some(at);
        }
        InvoiceStatus::Open if invoice.next_payment_attempt.is_none() => {
            invoice.next_payment_attempt = match invoice.collection_method {
                CollectionMethod::ChargeAutomatically => Some(now),
                CollectionMethod::SendInvoice => invoice.due_date,
            };
        }
        _ => {}
    }
    Ok(())
}

/// What happens to the lines of a draft.
#[derive(Clone, Debug)]
pub enum LinesChange {
    /// New lines.
    Add(Vec<AddedLine>),
    /// Lines that change.
    Update(Vec<(perennial::id::InvoiceLineId, LineInput)>),
    /// Lines that go, and whether their items go as well (or wait again).
    Remove(Vec<(perennial::id::InvoiceLineId, bool)>),
}

/// A line that is added: a waiting item, or one of its own.
#[derive(Clone, Debug)]
pub enum AddedLine {
    /// The item that waits.
    Item(perennial::id::InvoiceItemId, String),
    /// A new line.
    New(Box<LineInput>),
}
