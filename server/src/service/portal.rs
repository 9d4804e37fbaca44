//! The portal's use cases: what a customer may see and do, and nothing else.
//!
//! Every method begins with the visit: whose customer, under which rules. What is asked about is
//! read in that scope and must be that customer's, else it does not exist.

mod adjusting;
mod agreeing;
mod cards;
mod changing;
mod details;
mod discretion;
mod ending;
mod history;
mod overview;
mod pausing;
mod promoting;
mod refusing;
mod returning;
mod rows;

#[cfg(test)]
pub(crate) mod tests;

pub use changing::ADD_ON_KEY;
pub(crate) use history::seller;

use std::sync::Arc;

use app::port::{
    Added, Answer, BackupWish, CancelPage, CardInput, ChangePage, Details, DetailsInput, Frame,
    Home, InvoiceList, InvoicePage, PausePage, PaymentMethodCard, Portal, QuotePage, ResumePage,
    Settled, Wish,
};
use app::viewer::Viewer;
use perennial::calendar::Timestamp;
use perennial::customer::{Customer, MailPreferences};
use perennial::id::{InvoiceId, PaymentMethodId, QuoteId, SubscriptionId};
use perennial::portal::Features;
use perennial::subscription::{Feedback, Subscription};
use perennial::test_clock::TestClock;
use sqlx::AnyConnection;

use super::portal_sessions::Visit;
use super::{Engine, Refused};
use crate::store::document::{self, Column, Document, PageRequest, Stored};
use crate::store::{Reading, Scope};
use refusing::{No, answer};

/// The portal over the engine.
#[derive(Clone)]
pub struct PortalService {
    engine: Engine,
    /// The visit as it was found before routing, so that a page need not read it again.
    seen: Option<Arc<Visit>>,
}

impl PortalService {
    /// For one request: `seen` is what the request's cookie led to.
    #[must_use]
    pub fn new(engine: Engine, seen: Option<Arc<Visit>>) -> Self {
        Self { engine, seen }
    }

    /// The visit that a viewer stands for.
    async fn visitor(&self, viewer: &Viewer) -> Result<Visitor, No> {
        let scope = Scope {
            merchant: viewer.merchant.clone(),
            livemode: viewer.livemode,
        };
        let same = |visit: &&Arc<Visit>| {
            visit.session.id == viewer.session
                && visit.customer.id == viewer.customer
                && visit.scope == scope
        };
        let visit = match self.seen.as_ref().filter(same) {
            Some(visit) => Arc::clone(visit),
            None => {
                let found = self.engine.visit_of(&scope, &viewer.session).await?;
                let found = found.filter(|visit| visit.customer.id == viewer.customer);
                Arc::new(found.ok_or(app::refusal::Refusal::SignedOut)?)
            }
        };
        let engine = match &visit.test_clock {
            Some(clock) => self.engine.at(clock.frozen_time),
            None => self.engine.clone(),
        };
        Ok(Visitor {
            now: engine.now(),
            engine,
            visit,
        })
    }

    /// The visit of somebody who wants to change something: not while their test clock moves.
    async fn actor(&self, viewer: &Viewer) -> Result<Visitor, No> {
        let visitor = self.visitor(viewer).await?;
        let clock = visitor.visit.test_clock.as_ref();
        if clock.is_some_and(TestClock::is_advancing) {
            return Err(app::refusal::Refusal::Busy.into());
        }
        Ok(visitor)
    }
}

/// A customer at the counter, with the moment that everything they see holds for.
struct Visitor {
    engine: Engine,
    visit: Arc<Visit>,
    now: Timestamp,
}

impl Visitor {
    fn scope(&self) -> &Scope {
        &self.visit.scope
    }

    /// The customer, as they were when the request began.
    fn customer(&self) -> &Customer {
        &self.visit.customer
    }

    fn features(&self) -> &Features {
        &self.visit.configuration.features
    }

    /// One of the customer's own subscriptions.
    async fn subscription(&self, id: &SubscriptionId) -> Result<Stored<Subscription>, No> {
        let mut read = self.read().await?;
        let found: Option<Stored<Subscription>> =
            document::load(&mut read, self.scope(), id.as_str()).await?;
        let found = found.filter(|found| found.customer == self.customer().id);
        Ok(found.ok_or(app::refusal::Refusal::NotFound)?)
    }

    /// A connection to read with. One page reads all it needs with one.
    async fn read(&self) -> Result<Reading, No> {
        Ok(self.engine.store.read().await?)
    }

    /// The newest rows of a list that is filtered by the customer first.
    async fn newest<T: Document>(
        &self,
        read: &mut AnyConnection,
        sql: document::ListSql,
        limit: u32,
        and: &[Column],
    ) -> Result<Vec<Stored<T>>, No> {
        let mut filter = vec![Column::text(&self.customer().id)];
        filter.extend_from_slice(and);
        let page = PageRequest::first(limit);
        Ok(document::list(read, self.scope(), sql, &page, &filter)
            .await?
            .rows)
    }
}

/// Hands a use case's future to the app.
macro_rules! ask {
    ($self:ident, $viewer:ident, |$visitor:ident| $act:expr) => {
        answer(async move {
            let $visitor = $self.visitor($viewer).await?;
            $act.await
        })
    };
}

/// As [`ask`], for what changes something.
macro_rules! act {
    ($self:ident, $viewer:ident, |$visitor:ident| $act:expr) => {
        answer(async move {
            let $visitor = $self.actor($viewer).await?;
            $act.await
        })
    };
}

impl Portal for PortalService {
    fn now(&self) -> Timestamp {
        let clock = self.seen.as_ref().and_then(|seen| seen.test_clock.as_ref());
        clock.map_or_else(|| self.engine.now(), |clock| clock.frozen_time)
    }

    fn frame<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, Frame> {
        ask!(self, viewer, |visitor| visitor.frame())
    }

    fn home<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, Home> {
        ask!(self, viewer, |visitor| visitor.home())
    }

    fn change_page<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a SubscriptionId,
        code: Option<String>,
    ) -> Answer<'a, ChangePage> {
        ask!(self, viewer, |visitor| visitor.change_page(id, code))
    }

    fn quote<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a SubscriptionId,
        wishes: Vec<Wish>,
        code: Option<String>,
    ) -> Answer<'a, QuotePage> {
        act!(self, viewer, |visitor| visitor.quote(id, wishes, code))
    }

    fn quote_page<'a>(&'a self, viewer: &'a Viewer, id: &'a QuoteId) -> Answer<'a, QuotePage> {
        ask!(self, viewer, |visitor| visitor.quote_page(id))
    }

    fn confirm<'a>(&'a self, viewer: &'a Viewer, id: &'a QuoteId) -> Answer<'a, Settled> {
        act!(self, viewer, |visitor| visitor.confirm(id))
    }

    fn undo_change<'a>(&'a self, viewer: &'a Viewer, id: &'a SubscriptionId) -> Answer<'a, ()> {
        act!(self, viewer, |visitor| visitor.undo_change(id))
    }

    fn cancel_page<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a SubscriptionId,
    ) -> Answer<'a, CancelPage> {
        ask!(self, viewer, |visitor| visitor.cancel_page(id))
    }

    fn cancel<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a SubscriptionId,
        feedback: Option<Feedback>,
        comment: Option<String>,
    ) -> Answer<'a, Timestamp> {
        act!(self, viewer, |visitor| visitor
            .cancel(id, feedback, comment))
    }

    fn keep<'a>(&'a self, viewer: &'a Viewer, id: &'a SubscriptionId) -> Answer<'a, ()> {
        act!(self, viewer, |visitor| visitor.keep(id))
    }

    fn pause_page<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a SubscriptionId,
    ) -> Answer<'a, PausePage> {
        ask!(self, viewer, |visitor| visitor.pause_page(id))
    }

    fn pause<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a SubscriptionId,
        option: u32,
    ) -> Answer<'a, ()> {
        act!(self, viewer, |visitor| visitor.pause(id, option))
    }

    fn resume_page<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a SubscriptionId,
        code: Option<String>,
    ) -> Answer<'a, ResumePage> {
        ask!(self, viewer, |visitor| visitor.resume_page(id, code))
    }

    fn resume<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a SubscriptionId,
        due_minor: i64,
        code: Option<String>,
    ) -> Answer<'a, Settled> {
        act!(self, viewer, |visitor| visitor.resume(id, due_minor, code))
    }

    fn payment_methods<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, Vec<PaymentMethodCard>> {
        ask!(self, viewer, |visitor| visitor.payment_methods())
    }

    fn add_card<'a>(
        &'a self,
        viewer: &'a Viewer,
        card: CardInput,
        make_default: bool,
        invoice: Option<InvoiceId>,
    ) -> Answer<'a, Added> {
        act!(self, viewer, |visitor| visitor.add_card(
            card,
            make_default,
            invoice
        ))
    }

    fn make_default<'a>(&'a self, viewer: &'a Viewer, id: &'a PaymentMethodId) -> Answer<'a, bool> {
        act!(self, viewer, |visitor| visitor.make_default(id))
    }

    fn back_up<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a PaymentMethodId,
        wish: BackupWish,
    ) -> Answer<'a, ()> {
        act!(self, viewer, |visitor| visitor.back_up(id, wish))
    }

    fn remove_payment_method<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a PaymentMethodId,
    ) -> Answer<'a, ()> {
        act!(self, viewer, |visitor| visitor.remove_payment_method(id))
    }

    fn invoices<'a>(
        &'a self,
        viewer: &'a Viewer,
        after: Option<InvoiceId>,
    ) -> Answer<'a, InvoiceList> {
        ask!(self, viewer, |visitor| visitor.invoices(after))
    }

    fn invoice<'a>(&'a self, viewer: &'a Viewer, id: &'a InvoiceId) -> Answer<'a, InvoicePage> {
        ask!(self, viewer, |visitor| visitor.invoice(id))
    }

    fn pay<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a InvoiceId,
        payment_method: Option<PaymentMethodId>,
    ) -> Answer<'a, Settled> {
        act!(self, viewer, |visitor| visitor.pay(id, payment_method))
    }

    fn details<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, Details> {
        ask!(self, viewer, |visitor| visitor.details())
    }

    fn save_details<'a>(&'a self, viewer: &'a Viewer, input: DetailsInput) -> Answer<'a, Details> {
        act!(self, viewer, |visitor| visitor.save_details(input))
    }

    fn add_tax_id<'a>(
        &'a self,
        viewer: &'a Viewer,
        kind: String,
        value: String,
    ) -> Answer<'a, Details> {
        act!(self, viewer, |visitor| visitor.add_tax_id(kind, value))
    }

    fn remove_tax_id<'a>(&'a self, viewer: &'a Viewer, id: String) -> Answer<'a, Details> {
        act!(self, viewer, |visitor| visitor.remove_tax_id(id))
    }

    fn mail<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, MailPreferences> {
        ask!(self, viewer, |visitor| visitor.mail())
    }

    fn save_mail<'a>(
        &'a self,
        viewer: &'a Viewer,
        mail: MailPreferences,
    ) -> Answer<'a, MailPreferences> {
        act!(self, viewer, |visitor| visitor.save_mail(mail))
    }

    fn choose_language<'a>(&'a self, viewer: &'a Viewer, tag: String) -> Answer<'a, ()> {
        ask!(self, viewer, |visitor| visitor.choose_language(tag))
    }

    fn sign_out<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, ()> {
        ask!(self, viewer, |visitor| visitor.sign_out())
    }
}
