//! All that a customer's pages may ask of the server.

use super::{
    Added, BackupWish, CancelPage, CardInput, ChangePage, Details, DetailsInput, Frame, Home,
    InvoiceList, InvoicePage, PausePage, PaymentMethodCard, QuotePage, ResumePage, Settled, Wish,
};
use crate::refusal::Refusal;
use crate::viewer::Viewer;
use perennial::calendar::Timestamp;
use perennial::customer::MailPreferences;
use perennial::id::{InvoiceId, PaymentMethodId, QuoteId, SubscriptionId};
use perennial::subscription::Feedback;
use std::future::Future;
use std::pin::Pin;

/// What the port answers with, in time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

/// All that a customer's pages may ask. Every method checks that what it is asked about is the
/// viewer's and that the merchant's rules allow it.
pub trait Portal: Send + Sync {
    /// The moment that the pages hold for, from the server's clock.
    fn now(&self) -> Timestamp;
    /// What surrounds every page.
    fn frame<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, Frame>;
    /// The first page.
    fn home<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, Home>;
    /// All that the change page needs, with a promotion code tried.
    fn change_page<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a SubscriptionId,
        code: Option<String>,
    ) -> Answer<'a, ChangePage>;
    /// Prices a change and keeps the price for [`perennial::quote::QUOTE_SECONDS`]. With a promotion code there
    /// need be no wishes.
    fn quote<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a SubscriptionId,
        wishes: Vec<Wish>,
        code: Option<String>,
    ) -> Answer<'a, QuotePage>;
    /// A quote that was made before.
    fn quote_page<'a>(&'a self, viewer: &'a Viewer, id: &'a QuoteId) -> Answer<'a, QuotePage>;
    /// Makes the change at exactly the quoted price, or refuses it as stale.
    fn confirm<'a>(&'a self, viewer: &'a Viewer, id: &'a QuoteId) -> Answer<'a, Settled>;
    /// Takes a waiting change back.
    fn undo_change<'a>(&'a self, viewer: &'a Viewer, id: &'a SubscriptionId) -> Answer<'a, ()>;
    /// What cancelling would mean.
    fn cancel_page<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a SubscriptionId,
    ) -> Answer<'a, CancelPage>;
    /// Cancels as the rules say.
    fn cancel<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a SubscriptionId,
        feedback: Option<Feedback>,
        comment: Option<String>,
    ) -> Answer<'a, Timestamp>;
    /// Takes a cancellation back.
    fn keep<'a>(&'a self, viewer: &'a Viewer, id: &'a SubscriptionId) -> Answer<'a, ()>;
    /// What a pause would mean.
    fn pause_page<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a SubscriptionId,
    ) -> Answer<'a, PausePage>;
    /// Lets a subscription stand still, until the end of one of the options.
    fn pause<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a SubscriptionId,
        option: u32,
    ) -> Answer<'a, ()>;
    /// What going on would cost, with a promotion code tried.
    fn resume_page<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a SubscriptionId,
        code: Option<String>,
    ) -> Answer<'a, ResumePage>;
    /// Lets a subscription go on at exactly the amount that was shown, with what a promotion code gives, or refuses it as
    /// stale.
    fn resume<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a SubscriptionId,
        due_minor: i64,
        code: Option<String>,
    ) -> Answer<'a, Settled>;
    /// Saved payment methods, the default first.
    fn payment_methods<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, Vec<PaymentMethodCard>>;
    /// Saves a card; the first one becomes the default. Where the bank asks for a proof first, the customer comes
    /// back to the invoice that they were about to pay, if any.
    fn add_card<'a>(
        &'a self,
        viewer: &'a Viewer,
        card: CardInput,
        make_default: bool,
        invoice: Option<InvoiceId>,
    ) -> Answer<'a, Added>;
    /// Pays with this one from now on. Answers whether what is open is being charged with it.
    fn make_default<'a>(&'a self, viewer: &'a Viewer, id: &'a PaymentMethodId) -> Answer<'a, bool>;
    /// Allows that this one is charged when another fails, takes that back, or tries it earlier.
    fn back_up<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a PaymentMethodId,
        wish: BackupWish,
    ) -> Answer<'a, ()>;
    /// Forgets a payment method.
    fn remove_payment_method<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a PaymentMethodId,
    ) -> Answer<'a, ()>;
    /// Invoices, newest first, [`super::INVOICES_A_PAGE`] at a time.
    fn invoices<'a>(
        &'a self,
        viewer: &'a Viewer,
        after: Option<InvoiceId>,
    ) -> Answer<'a, InvoiceList>;
    /// One invoice.
    fn invoice<'a>(&'a self, viewer: &'a Viewer, id: &'a InvoiceId) -> Answer<'a, InvoicePage>;
    /// Pays an open invoice.
    fn pay<'a>(
        &'a self,
        viewer: &'a Viewer,
        id: &'a InvoiceId,
        payment_method: Option<PaymentMethodId>,
    ) -> Answer<'a, Settled>;
    /// Billing details.
    fn details<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, Details>;
    /// Saves billing details.
    fn save_details<'a>(&'a self, viewer: &'a Viewer, input: DetailsInput) -> Answer<'a, Details>;
    /// Adds a tax registration: Stripe's type and the value as typed.
    fn add_tax_id<'a>(
        &'a self,
        viewer: &'a Viewer,
        kind: String,
        value: String,
    ) -> Answer<'a, Details>;
    /// Removes a tax registration.
    fn remove_tax_id<'a>(&'a self, viewer: &'a Viewer, id: String) -> Answer<'a, Details>;
    /// Mail preferences.
    fn mail<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, MailPreferences>;
    /// Saves mail preferences.
    fn save_mail<'a>(
        &'a self,
        viewer: &'a Viewer,
        mail: MailPreferences,
    ) -> Answer<'a, MailPreferences>;
    /// Remembers the customer's language.
    fn choose_language<'a>(&'a self, viewer: &'a Viewer, tag: String) -> Answer<'a, ()>;
    /// Ends the session.
    fn sign_out<'a>(&'a self, viewer: &'a Viewer) -> Answer<'a, ()>;
}
