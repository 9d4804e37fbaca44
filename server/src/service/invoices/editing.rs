//! The lines of a draft, and the items behind them.

use perennial::currency::Currency;
use perennial::customer::Customer;
use perennial::id::{InvoiceId, InvoiceItemId, InvoiceLineId};
use perennial::invoice::{Invoice, InvoiceItem, Line};

use super::lines::LineInput;
use super::manual::{AddedLine, LinesChange};
use crate::service::booking::{Booking, Edit};
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::Stored;

/// What a change of lines does to items.
#[derive(Default)]
struct Items {
    made: Vec<InvoiceItem>,
    changed: Vec<Stored<InvoiceItem>>,
    gone: Vec<Stored<InvoiceItem>>,
}

impl Engine {
    /// Changes the lines of a draft, all or none.
    ///
    /// # Errors
    /// Names the first parameter that can't be used; [`Refused::State`] when it is no draft.
    pub async fn change_lines(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        change: LinesChange,
    ) -> Result<Stored<Invoice>, Refused> {
        let change = &change;
        self.retrying(|| self.change_lines_once(scope, id, change))
            .await
    }

    async fn change_lines_once(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        change: &LinesChange,
    ) -> Result<Stored<Invoice>, Refused> {
        let mut books = self.books(scope, id).await?;
        editable(&books.invoice)?;
        let inputs: Vec<&LineInput> = match change {
            LinesChange::Add(lines) => lines
                .iter()
                .filter_map(|own| match own {
                    AddedLine::New(input) => Some(input.as_ref()),
                    AddedLine::Item(..) => None,
                })
                .collect(),
            LinesChange::Update(lines) => lines.iter().map(|(_, input)| input).collect(),
            LinesChange::Remove(_) => Vec::new(),
        };
        let mut found = self
            .materials(scope, &books.invoice.customer, &inputs, &[], &[])
            .await?;
        let standing = self.items_of(scope, &books.invoice).await?;
        let mut items = Items::default();
        let mut gone = Vec::new();
        let invoice = &mut *books.invoice;
        match change {
            LinesChange::Add(lines) => {
                let waiting = self.pending(scope, &invoice.customer).await?;
                for added in lines {
                    match added {
                        AddedLine::Item(wanted, param) => {
                            items
                                .changed
                                .push(take_up(invoice, &waiting, wanted, param)?);
                        }
                        AddedLine::New(input) => {
                            let line = found.line(self, input, invoice.currency)?;
                            items.made.push(self.put_on(invoice, line));
                        }
                    }
                }
            }
            LinesChange::Update(lines) => {
                for (wanted, input) in lines {
                    let currency = invoice.currency;
                    let line = line_of(invoice, wanted, &input.path)?;
                    let before = line.discounts.clone();
                    found.write(self, line, input, currency)?;
                    if line.discounts != before {
                        gone.extend(before);
                    }
                    let mut theirs = standing.iter().filter(|item| behind(item, line)).cloned();
                    if let Some(mut item) = theirs.next() {
                        item.line = line.clone();
                        items.changed.push(item);
                    }
                }
            }
            LinesChange::Remove(lines) => {
                for (wanted, delete) in lines {
                    let line = line_of(invoice, wanted, "lines")?.clone();
                    gone.extend(line.discounts.iter().cloned());
                    invoice.lines.retain(|own| own.id != *wanted);
                    let mut theirs = standing.iter().filter(|item| behind(item, &line)).cloned();
                    if let Some(mut item) = theirs.next() {
                        if *delete {
                            items.gone.push(item);
                        } else {
                            item.invoice = None;
                            item.made_for_invoice = false;
                            items.changed.push(item);
                        }
                    }
                }
            }
        }
        books.invoice.forget_discounts(&gone);
        let (own, now) = (books.subscription.as_deref(), self.now());
        books.invoice.reprice(&books.customer, own, now)?;
        let mut booking = Booking::begin(self, scope).await?;
        booking.save(&mut books.invoice).await?;
        booking.insert_all(items.made).await?;
        booking.save_all_quietly(&mut items.changed).await?;
        booking
            .delete_all("invoiceitem.deleted", &items.gone)
            .await?;
        found.choices.write(&mut booking).await?;
        booking.commit().await?;
        Ok(books.invoice.into_row())
    }

    /// An amount that waits for a customer's next invoice.
    pub(crate) fn waiting_item(
        &self,
        customer: &Customer,
        currency: Currency,
        line: Line,
    ) -> InvoiceItem {
        InvoiceItem {
            id: InvoiceItemId::new(&mut self.ids()),
            customer: customer.id.clone(),
            currency,
            line,
            proration: false,
            date: self.now(),
            invoice: None,
            made_for_invoice: false,
            test_clock: customer.test_clock.clone(),
        }
    }

    /// Puts a new line on a draft and answers with the item behind it.
    pub(crate) fn put_on(&self, invoice: &mut Invoice, mut line: Line) -> InvoiceItem {
        let id = InvoiceItemId::new(&mut self.ids());
        line.invoice_item = Some(id.clone());
        invoice.lines.push(line.clone());
        InvoiceItem {
            id,
            customer: invoice.customer.clone(),
            currency: invoice.currency,
            line,
            proration: false,
            date: self.now(),
            invoice: Some(invoice.id.clone()),
            made_for_invoice: true,
            test_clock: invoice.test_clock.clone(),
        }
    }
}

/// Whether an item stands behind a line.
fn behind(item: &InvoiceItem, line: &Line) -> bool {
    line.invoice_item.as_ref() == Some(&item.id)
}

/// Takes a waiting item up.
fn take_up(
    invoice: &mut Invoice,
    waiting: &[Stored<InvoiceItem>],
    wanted: &InvoiceItemId,
    param: &str,
) -> Result<Stored<InvoiceItem>, Refused> {
    let item = waiting.iter().find(|item| item.id == *wanted);
    let mut item = item.cloned().ok_or_else(|| Refused::NotFound {
        kind: "invoiceitem",
        id: wanted.to_string(),
        param: Some(param.to_owned()),
    })?;
    if item.currency != invoice.currency {
        let message = format!("The item is in {}.", item.currency);
        return Err(Refused::invalid(param, message));
    }
    let mut line = item.line.clone();
    line.invoice_item = Some(item.id.clone());
    invoice.lines.push(line);
    item.invoice = Some(invoice.id.clone());
    Ok(item)
}

fn line_of<'a>(
    invoice: &'a mut Invoice,
    wanted: &InvoiceLineId,
    path: &str,
) -> Result<&'a mut Line, Refused> {
    let line = invoice.lines.iter_mut().find(|line| line.id == *wanted);
    line.ok_or_else(|| Refused::NotFound {
        kind: "line_item",
        id: wanted.to_string(),
        param: (!path.is_empty()).then(|| format!("{path}[id]")),
    })
}

/// Refuses invoices that are final.
pub(crate) fn editable(invoice: &Invoice) -> Result<(), Refused> {
    invoice.check_draft().map_err(|_| Refused::State {
        code: Some("invoice_not_editable"),
        message: "This invoice is no longer editable.".to_owned(),
    })
}

/// A new or changed item that waits, or stands on a draft.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// Who owes.
    pub customer: perennial::id::CustomerId,
    /// Of its amounts; the customer's without.
    pub currency: Option<Currency>,
    /// The draft that takes it up at once.
    pub invoice: Option<InvoiceId>,
    /// The subscription whose next invoice takes it up.
    pub subscription: Option<perennial::id::SubscriptionId>,
    /// What it says.
    pub line: LineInput,
}

impl Engine {
    /// Adds an item to a draft, or lets it wait for the customer's next invoice.
    ///
    /// # Errors
    /// Names the parameter that can't be used.
    pub async fn create_invoice_item(
        &self,
        scope: &Scope,
        new: NewItem,
    ) -> Result<Stored<InvoiceItem>, Refused> {
        let new = &new;
        self.retrying(|| self.create_item_once(scope, new)).await
    }

    async fn create_item_once(
        &self,
        scope: &Scope,
        new: &NewItem,
    ) -> Result<Stored<InvoiceItem>, Refused> {
        let mut customer = Edit::of(self.billable(scope, &new.customer).await?);
        let currency = new.currency.or(customer.currency);
        let mut found = self
            .materials(scope, &new.customer, &[&new.line], &[], &[])
            .await?;
        let mut currency = currency.or_else(|| found.currency_of(&new.line));
        if let (None, Some(id)) = (currency, &new.invoice) {
            let invoice: Stored<Invoice> = self.find_named(scope, id.as_str(), "invoice").await?;
            currency = Some(invoice.currency);
        }
        let currency = currency.ok_or_else(|| Refused::Invalid {
            param: "currency".to_owned(),
            code: Some("parameter_missing"),
            message: "This customer has no currency yet. Say which one to bill in.".to_owned(),
        })?;
        if customer.currency.is_some_and(|own| own != currency) {
            let message = "The customer pays in another currency.";
            return Err(Refused::invalid("currency", message));
        }
        let mut line = found.line(self, &new.line, currency)?;
        if let Some(id) = &new.subscription {
            let own: Stored<perennial::subscription::Subscription> =
                self.find_named(scope, id.as_str(), "subscription").await?;
            if own.customer != customer.id || own.status.is_final() {
                let message = "The subscription is over, or belongs to another customer.";
                return Err(Refused::invalid("subscription", message));
            }
            line.subscription = Some(id.clone());
        }
        let mut booking = Booking::begin(self, scope).await?;
        let item = match &new.invoice {
            Some(id) => {
                let mut books = self.books(scope, id).await.map_err(|error| match error {
                    Refused::NotFound { kind, id, .. } => Refused::NotFound {
                        kind,
                        id,
                        param: Some("invoice".to_owned()),
                    },
                    error => error,
                })?;
                editable(&books.invoice)?;
                if books.invoice.customer != customer.id || books.invoice.currency != currency {
                    let message = "The invoice is another customer's or in another currency.";
                    return Err(Refused::invalid("invoice", message));
                }
                let item = self.put_on(&mut books.invoice, line);
                let (own, now) = (books.subscription.as_deref(), self.now());
                books.invoice.reprice(&books.customer, own, now)?;
                booking.save(&mut books.invoice).await?;
                item
            }
            None => {
                // Whoever takes up what waits at this moment must see it.
                booking.hold(&mut customer).await?;
                self.waiting_item(&customer, currency, line)
            }
        };
        let item = booking.insert(item).await?;
        found.choices.write(&mut booking).await?;
        booking.commit().await?;
        Ok(item)
    }

    /// Changes an item that waits or stands on a draft.
    ///
    /// # Errors
    /// [`Refused::State`] when its invoice is final or a change of a subscription made it.
    pub async fn update_invoice_item(
        &self,
        scope: &Scope,
        id: &InvoiceItemId,
        input: LineInput,
    ) -> Result<Stored<InvoiceItem>, Refused> {
        let input = &input;
        self.retrying(|| self.change_item_once(scope, id, Some(input)))
            .await
    }

    /// Deletes an item that waits or stands on a draft.
    ///
    /// # Errors
    /// [`Refused::State`] when its invoice is final.
    pub async fn delete_invoice_item(
        &self,
        scope: &Scope,
        id: &InvoiceItemId,
    ) -> Result<(), Refused> {
        self.retrying(|| self.change_item_once(scope, id, None))
            .await
            .map(|_| ())
    }

    /// Changes an item, or deletes it where nothing is said about it.
    async fn change_item_once(
        &self,
        scope: &Scope,
        id: &InvoiceItemId,
        input: Option<&LineInput>,
    ) -> Result<Stored<InvoiceItem>, Refused> {
        let mut item: Edit<InvoiceItem> = self.find(scope, id.as_str()).await.map(Edit::of)?;
        let mut books = match &item.invoice {
            Some(invoice) => Some(self.books(scope, invoice).await?),
            None => None,
        };
        if let Some(books) = &books {
            editable(&books.invoice)?;
        }
        let inputs: Vec<&LineInput> = input.into_iter().collect();
        let mut found = self
            .materials(scope, &item.customer, &inputs, &[], &[])
            .await?;
        if let Some(input) = input {
            let money = input.amount_minor.is_some() || input.price.is_some();
            if item.proration && (money || input.quantity.is_some()) {
                return Err(Refused::State {
                    code: None,
                    message: "The amount of a proration can't be changed.".to_owned(),
                });
            }
            let currency = item.currency;
            found.write(self, &mut item.line, input, currency)?;
        }
        if let Some(books) = &mut books {
            let invoice = &mut *books.invoice;
            invoice.forget_discounts(&item.before().line.discounts);
            match input {
                Some(_) => {
                    for line in invoice.lines.iter_mut().filter(|line| behind(&item, line)) {
                        let own = line.id.clone();
                        *line = item.line.clone();
                        line.id = own;
                        line.invoice_item = Some(item.id.clone());
                    }
                }
                None => invoice.lines.retain(|line| !behind(&item, line)),
            }
            let (own, now) = (books.subscription.as_deref(), self.now());
            books.invoice.reprice(&books.customer, own, now)?;
        }
        let mut booking = Booking::begin(self, scope).await?;
        if let Some(books) = &mut books {
            booking.save(&mut books.invoice).await?;
        }
        let row = match input {
            Some(_) => {
                booking.save(&mut item).await?;
                item.into_row()
            }
            None => {
                let row = item.into_row();
                booking
                    .delete_all("invoiceitem.deleted", std::slice::from_ref(&row))
                    .await?;
                row
            }
        };
        found.choices.write(&mut booking).await?;
        booking.commit().await?;
        Ok(row)
    }
}
