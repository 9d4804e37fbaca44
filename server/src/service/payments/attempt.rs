//! One attempt to charge: committed, sent, asked after, given up.

use perennial::calendar::Timestamp;
use perennial::id::{InvoiceId, PaymentIntentId, PaymentMethodId};
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::metadata::Metadata;
use perennial::money::Money;
use perennial::payment::{
    Decline, Outcome, Particulars, PaymentIntent, PaymentMethod, PaymentStatus,
};
use perennial::subscription::Subscription;

use super::scheduling::Leave;
use super::{Failure, PaymentResult, Starter, fail, leave_out, tell_failure};
use crate::clock::Ids;
use crate::gateway::{Charge, GatewayError, ReturnPath, in_time};
use crate::service::booking::{Booking, Edit};
use crate::service::books::Books;
use crate::service::due::challenge_due_at;
use crate::service::invoices::{Issued, defect};
use crate::service::{Engine, Refused};
use crate::store::Scope;
use crate::store::document::{self, Stored};

/// How long the schedule waits while an attached payment is under way, in seconds.
const PART_SECONDS: i64 = 3_600;

/// A charge that is committed and must be sent.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    intent: PaymentIntent,
    token: String,
    number: String,
}

impl Claim {
    /// The claim that finalising began, if it did.
    pub(crate) fn of(issued: Issued, invoice: &Invoice) -> Option<Self> {
        let (intent, token) = (issued.intent?, issued.token?);
        Some(Self {
            intent,
            token,
            number: invoice.number.clone().unwrap_or_default(),
        })
    }

    /// The claim of an attempt with a method, for the invoice with this number.
    pub(super) fn new(intent: &PaymentIntent, method: &PaymentMethod, number: String) -> Self {
        Self {
            intent: intent.clone(),
            token: method.gateway_token.clone(),
            number,
        }
    }

    /// The attempt.
    pub(crate) fn intent(&self) -> &PaymentIntent {
        &self.intent
    }

    /// What a gateway's answer means for the attempt; `None` when nobody knows.
    pub(crate) fn outcome(&self, answer: Result<Outcome, GatewayError>) -> Option<Outcome> {
        let id = &self.intent.id;
        match answer {
            Ok(outcome) => Some(outcome),
            Err(error) if error.is_unknown() => {
                tracing::warn!(intent = %id, %error, "the outcome of a charge is not known");
                None
            }
            Err(error) => {
                tracing::error!(intent = %id, %error, "the gateway refused a charge");
                Some(Outcome::Declined(refused_as(&error)))
            }
        }
    }

    /// As the gateway takes it.
    pub(crate) fn charge(&self) -> Charge {
        let mut metadata = Metadata::default();
        if let Some(invoice) = &self.intent.invoice {
            metadata.0.insert("invoice".to_owned(), invoice.to_string());
        }
        Charge {
            idempotency_key: self.intent.idempotency_key(),
            amount: Money::new(self.intent.amount_minor, self.intent.currency),
            token: self.token.clone(),
            on_session: self.intent.on_session,
            description: match &self.intent.invoice {
                Some(_) => Some(format!("Invoice {}", self.number)),
                None => self.intent.description.clone(),
            },
            statement: self
                .intent
                .particulars
                .as_ref()
                .and_then(|own| own.on_card().map(str::to_owned)),
            metadata,
            return_path: ReturnPath::parse(&return_path(&self.intent.id)),
        }
    }
}

/// Where a browser comes back to after a challenge.
#[must_use]
pub fn return_path(intent: &PaymentIntentId) -> String {
    format!("/challenge/payment/{intent}")
}

/// What is said of an invoice with no payment method to charge.
pub(crate) fn nothing_to_pay_with() -> Decline {
    Decline {
        code: "resource_missing".to_owned(),
        decline_code: None,
    }
}

/// Counts an attempt as Stripe does: the first of any kind, then only automatic ones.
pub(crate) fn count_attempt(invoice: &mut Invoice, automatic: bool) {
    if automatic || invoice.attempt_count == 0 {
        invoice.attempt_count = invoice.attempt_count.saturating_add(1);
    }
}

/// Begins an attempt to charge what is left of an invoice: the intent as it must be committed before
/// the gateway is called.
pub(crate) fn begin(
    intent: Option<&PaymentIntent>,
    invoice: &mut Invoice,
    method: &PaymentMethod,
    on_session: bool,
    automatic: bool,
    now: Timestamp,
    ids: &mut Ids<'_>,
) -> PaymentIntent {
    // What has succeeded or was given up is never charged again: the rest is a payment of its own.
    let over = |own: &&PaymentIntent| {
        matches!(
            own.status,
            PaymentStatus::Succeeded | PaymentStatus::Canceled
        )
    };
    let mut intent = match intent.filter(|own| !over(own)) {
        Some(intent) => intent.clone(),
        None => unsent(invoice, Some(method), now, ids),
    };
    intent.amount_minor = invoice.amount_remaining_minor();
    start(&mut intent, method, on_session, now);
    invoice.payment_intent = Some(intent.id.clone());
    count_attempt(invoice, automatic);
    if automatic {
        invoice.next_payment_attempt = None;
    }
    intent
}

/// Begins an attempt with a method.
pub(super) fn start(
    intent: &mut PaymentIntent,
    method: &PaymentMethod,
    on_session: bool,
    now: Timestamp,
) {
    intent.payment_method = Some(method.id.clone());
    intent.status = PaymentStatus::Processing;
    intent.attempt = intent.attempt.saturating_add(1);
    intent.on_session = on_session;
    intent.last_error = None;
    intent.challenge = None;
    intent.attempted_at = Some(now);
    intent.ask_at = None;
}

/// An intent that waits for somebody to confirm it.
pub(crate) fn unsent(
    invoice: &mut Invoice,
    method: Option<&PaymentMethod>,
    now: Timestamp,
    ids: &mut Ids<'_>,
) -> PaymentIntent {
    let intent = PaymentIntent {
        id: PaymentIntentId::new(ids),
        customer: invoice.customer.clone(),
        invoice: Some(invoice.id.clone()),
        amount_minor: invoice.amount_remaining_minor(),
        currency: invoice.currency,
        payment_method: method.map(|method| method.id.clone()),
        status: match method {
            Some(_) => PaymentStatus::RequiresConfirmation,
            None => PaymentStatus::RequiresPaymentMethod,
        },
        attempt: 0,
        on_session: false,
        last_error: None,
        challenge: None,
        gateway_charge: None,
        refunded_minor: 0,
        metadata: Metadata::default(),
        charge_metadata: Metadata::default(),
        description: None,
        shipping: None,
        particulars: of_invoice(invoice),
        by_itself: false,
        applied_minor: None,
        unapplied_minor: 0,
        refunded_before_minor: 0,
        canceled_at: None,
        created: now,
        attempted_at: None,
        ask_at: None,
        test_clock: invoice.test_clock.clone(),
    };
    invoice.payment_intent = Some(intent.id.clone());
    intent
}

/// What an invoice says for its payer's statement.
fn of_invoice(invoice: &Invoice) -> Option<Box<Particulars>> {
    let statement_descriptor = Some(invoice.statement_descriptor.clone()?);
    Some(Box::new(Particulars {
        statement_descriptor,
        ..Particulars::default()
    }))
}

/// What came of trying to begin an attempt.
pub(crate) enum Begun {
    /// It is committed and must be sent.
    Send(Box<Claim>),
    /// Nothing could be sent; the invoice is as it is now.
    Over(Box<PaymentResult>),
}

impl Engine {
    /// Commits an attempt with what pays the invoice, or that there is nothing to charge.
    pub(crate) async fn begin_once(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        wanted: Option<&PaymentMethodId>,
        starter: Starter,
    ) -> Result<Begun, Refused> {
        let books = self.books(scope, id).await?;
        payable(&books.invoice)?;
        let at = books.invoice.next_payment_attempt;
        if starter == Starter::Schedule && at.is_none_or(|at| at > self.now()) {
            // Another process has made this attempt since it was found due.
            return Err(Refused::State {
                code: None,
                message: "No attempt is due.".to_owned(),
            });
        }
        if !Box::pin(self.no_part_is_out(scope, &books.invoice)).await? {
            return match starter {
                // It is with the bank, or waits for the customer: soon there may be less to charge.
                Starter::Schedule => {
                    let later = Timestamp(self.now().0.saturating_add(PART_SECONDS));
                    Box::pin(self.put_off(scope, books, later)).await
                }
                Starter::Somebody { .. } | Starter::Backup => Err(Refused::State {
                    code: Some("invoice_payment_in_progress"),
                    message: "A payment that was attached to this invoice is under way. Try again \
                              when it has succeeded or failed."
                        .to_owned(),
                }),
            };
        }
        let intent = match &books.invoice.payment_intent {
            Some(id) => Some(self.edit_intent(scope, id).await?),
            None => None,
        };
        let out = |own: &Edit<PaymentIntent>| own.status.is_out();
        if intent.as_ref().is_some_and(out) {
            return Err(Refused::Busy);
        }
        let own = books.subscription.as_deref();
        let method = self
            .paying_method(scope, &books.invoice, own, &books.customer, wanted)
            .await?;
        let automatic = starter == Starter::Schedule;
        let mut hopeless = automatic && is_idle(&books.invoice, method.as_deref());
        let unattended = automatic || starter == Starter::Backup;
        if let (true, false, Some(method)) = (unattended, hopeless, &method) {
            match self.leave(scope, method).await? {
                Leave::Given => {}
                Leave::Never => hopeless = true,
                Leave::NotBefore(at) if automatic => {
                    return self.put_off(scope, books, at).await;
                }
                Leave::NotBefore(_) => hopeless = true,
            }
        }
        match method.filter(|_| !hopeless) {
            Some(method) => {
                let claim = self
                    .commit_attempt(scope, books, intent, &method, starter)
                    .await?;
                Ok(Begun::Send(Box::new(claim)))
            }
            None if automatic => self.commit_unsent(scope, books, hopeless).await,
            None if starter == Starter::Backup => {
                let decline = books.invoice.last_payment_error.clone();
                Ok(Begun::Over(Box::new(PaymentResult::Declined {
                    invoice: books.invoice.into_row(),
                    decline: decline.unwrap_or_else(nothing_to_pay_with),
                })))
            }
            None => Err(Refused::State {
                code: Some("resource_missing"),
                message: "There is no payment method to pay this invoice with.".to_owned(),
            }),
        }
    }

    async fn commit_attempt(
        &self,
        scope: &Scope,
        mut books: Books,
        mut intent: Option<Edit<PaymentIntent>>,
        method: &PaymentMethod,
        starter: Starter,
    ) -> Result<Claim, Refused> {
        let on_session = starter == Starter::Somebody { on_session: true };
        let automatic = starter == Starter::Schedule;
        let (now, mut ids) = (self.now(), self.ids());
        let before = intent.as_deref();
        let invoice = &mut books.invoice;
        let begun = begin(
            before, invoice, method, on_session, automatic, now, &mut ids,
        );
        let mut booking = Booking::begin(self, scope).await?;
        match &mut intent {
            Some(intent) if intent.id == begun.id => {
                **intent = begun.clone();
                booking.save_quietly(intent).await?;
            }
            _ => {
                booking.insert(begun.clone()).await?;
            }
        }
        booking.save_quietly(&mut books.invoice).await?;
        booking.commit().await?;
        Ok(Claim {
            intent: begun,
            token: method.gateway_token.clone(),
            number: books.invoice.number.clone().unwrap_or_default(),
        })
    }

    /// An attempt of the schedule that can't be sent: there is nothing to charge, or (`hopeless`)
    /// the bank has said that this method never works. It counts all the same.
    async fn commit_unsent(
        &self,
        scope: &Scope,
        mut books: Books,
        hopeless: bool,
    ) -> Result<Begun, Refused> {
        count_attempt(&mut books.invoice, true);
        let decline = match (hopeless, books.invoice.last_payment_error.clone()) {
            (true, Some(decline)) => decline,
            _ => nothing_to_pay_with(),
        };
        let tried = books.invoice.retrying.as_ref();
        let method = match tried.and_then(|retrying| retrying.method.clone()) {
            Some(id) => self.lookup_method(scope, &id).await?,
            None => None,
        };
        let scheduling = self.scheduling(scope, method.as_deref()).await?;
        self.look_ahead(scope, &mut books).await?;
        let now = self.now();
        let failure = match hopeless {
            // A bank that has said "never" is not asked, so nothing new is told.
            true => Failure {
                ends: leave_out(books.parts(), &decline, &scheduling, now)?,
                ..Failure::default()
            },
            false => fail(books.parts(), &decline, &scheduling, true, now)?,
        };
        self.stop_if(scope, &mut books, failure.ends).await?;
        let mut booking = Booking::begin(self, scope).await?;
        books.write(&mut booking).await?;
        if !hopeless {
            tell_failure(&mut booking, &books.invoice, &failure).await?;
        }
        booking.commit().await?;
        self.let_go(scope, &books).await;
        let invoice = books.invoice.into_row();
        Ok(Begun::Over(Box::new(PaymentResult::Declined {
            invoice,
            decline,
        })))
    }

    /// The card's scheme wants it to rest: the attempt is made later, and not counted now.
    async fn put_off(
        &self,
        scope: &Scope,
        mut books: Books,
        at: Timestamp,
    ) -> Result<Begun, Refused> {
        books.invoice.next_payment_attempt = Some(at);
        let mut booking = Booking::begin(self, scope).await?;
        booking.save(&mut books.invoice).await?;
        booking.commit().await?;
        let invoice = books.invoice.into_row();
        let decline = invoice.last_payment_error.clone();
        Ok(Begun::Over(Box::new(PaymentResult::Declined {
            decline: decline.unwrap_or_else(nothing_to_pay_with),
            invoice,
        })))
    }

    /// Sends a committed charge and commits what comes of it. It goes on when the caller goes away.
    pub(crate) async fn send(&self, scope: &Scope, claim: Claim) -> Result<PaymentResult, Refused> {
        let (engine, scope) = (self.clone(), scope.clone());
        let work = async move { engine.send_here(&scope, &claim).await };
        tokio::spawn(work).await.map_err(defect)?
    }

    async fn send_here(&self, scope: &Scope, claim: &Claim) -> Result<PaymentResult, Refused> {
        let answer = in_time(self.gateway.charge(scope, claim.charge())).await;
        let (id, attempt) = (&claim.intent.id, claim.intent.attempt);
        match claim.outcome(answer) {
            Some(outcome) => match self.commit_outcome(scope, id, attempt, outcome).await {
                // What it says can't be: a worker asks again, and sets it aside with what is wrong.
                Err(Refused::Defect(what)) => {
                    tracing::error!(intent = %id, what, "the gateway's answer can't be");
                    self.unknown(scope, id).await
                }
                result => result,
            },
            None => self.unknown(scope, id).await,
        }
    }

    async fn unknown(&self, scope: &Scope, id: &PaymentIntentId) -> Result<PaymentResult, Refused> {
        self.wake();
        let intent: Stored<PaymentIntent> = self.find(scope, id.as_str()).await?;
        Ok(PaymentResult::of(
            self.invoice_of(scope, &intent).await?,
            &intent,
        ))
    }

    pub(super) async fn invoice_of(
        &self,
        scope: &Scope,
        intent: &PaymentIntent,
    ) -> Result<Stored<Invoice>, Refused> {
        let id = intent
            .invoice
            .as_ref()
            .ok_or_else(|| defect("an intent without an invoice"))?;
        self.find(scope, id.as_str()).await
    }

    /// Asks the gateway what became of an attempt whose outcome is not known here, and commits it.
    /// What the gateway never heard of is sent again with the same key.
    pub(crate) async fn ask_after(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
    ) -> Result<PaymentResult, Refused> {
        let intent: Stored<PaymentIntent> = self.find(scope, id.as_str()).await?;
        if !intent.status.is_out() {
            return Ok(PaymentResult::of(
                self.invoice_of(scope, &intent).await?,
                &intent,
            ));
        }
        let key = intent.idempotency_key();
        match in_time(self.gateway.lookup(scope, &key)).await {
            Ok(Some(outcome)) => {
                self.commit_outcome(scope, id, intent.attempt, outcome)
                    .await
            }
            Ok(None) if intent.status == PaymentStatus::Processing => {
                self.send_again(scope, &intent).await
            }
            Ok(None) => self.unknown(scope, id).await,
            Err(error) => {
                tracing::warn!(intent = %id, %error, "the gateway does not say what became of it");
                self.unknown(scope, id).await
            }
        }
    }

    /// Finds out what became of an attempt, for a worker. One that is still out is looked after again
    /// later, with growing pauses; that is written first, so that a gateway that fails is not asked more
    /// often.
    pub(crate) async fn settle_payment(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
    ) -> Result<(), Refused> {
        self.retrying(|| self.put_off_payment(scope, id)).await?;
        let intent: Stored<PaymentIntent> = self.find(scope, id.as_str()).await?;
        if intent.invoice.is_none() {
            return self.ask_after_unapplied(scope, &intent).await;
        }
        self.ask_after(scope, id).await.map(|_| ())
    }

    /// Asks the bank about charges for newer invoices of the subscription that nobody has heard of yet: the
    /// newest decides about the standing, so an attempt for an older one waits for it, and does not end what
    /// has just been paid. Answers whether the attempt was put off, because the bank still does not say.
    pub(crate) async fn waits_for_newer(
        &self,
        scope: &Scope,
        invoice: &Invoice,
    ) -> Result<bool, Refused> {
        if !self.hear_of_newer(scope, invoice).await? {
            return Ok(false);
        }
        self.retrying(|| async {
            let books = self.books(scope, &invoice.id).await?;
            payable(&books.invoice)?;
            let later = Timestamp(self.now().0.saturating_add(PART_SECONDS));
            Box::pin(self.put_off(scope, books, later)).await
        })
        .await?;
        Ok(true)
    }

    /// Answers whether a charge for a newer invoice is still out after the bank was asked.
    async fn hear_of_newer(&self, scope: &Scope, invoice: &Invoice) -> Result<bool, Refused> {
        let Some(id) = &invoice.subscription else {
            return Ok(false);
        };
        let own: Stored<Subscription> = self.find(scope, id.as_str()).await?;
        if own.latest_invoice.as_ref() == Some(&invoice.id) {
            return Ok(false);
        }
        let newest = self.invoices_of(scope, id).await?;
        let newer = newest.iter().take_while(|row| row.id != invoice.id);
        let newer = newer.filter(|row| row.status == InvoiceStatus::Open);
        let newer = newer.filter_map(|row| row.payment_intent.as_ref());
        let ids: Vec<String> = newer.map(ToString::to_string).collect();
        let mut out = false;
        for intent in self.charging(scope, &ids).await? {
            self.settle_payment(scope, &intent.id).await?;
            out = true;
        }
        Ok(out && !self.charging(scope, &ids).await?.is_empty())
    }

    /// Those of these payments that are with the bank.
    async fn charging(
        &self,
        scope: &Scope,
        ids: &[String],
    ) -> Result<Vec<Stored<PaymentIntent>>, Refused> {
        let mut connection = self.store.read().await?;
        let mut intents: Vec<Stored<PaymentIntent>> =
            document::load_many(&mut connection, scope, ids).await?;
        intents.retain(|intent| intent.status == PaymentStatus::Processing);
        Ok(intents)
    }

    async fn put_off_payment(&self, scope: &Scope, id: &PaymentIntentId) -> Result<(), Refused> {
        let mut intent = self.edit_intent(scope, id).await?;
        if !intent.status.is_out() {
            return Ok(());
        }
        intent.ask_at = Some(challenge_due_at(intent.attempted_at, self.now()));
        let mut booking = Booking::begin(self, scope).await?;
        booking.save_quietly(&mut intent).await?;
        booking.commit().await
    }

    async fn send_again(
        &self,
        scope: &Scope,
        intent: &Stored<PaymentIntent>,
    ) -> Result<PaymentResult, Refused> {
        let invoice = self.invoice_of(scope, intent).await?;
        let method = intent.payment_method.as_ref();
        let method = method.ok_or_else(|| defect("an attempt without a payment method"))?;
        let method: Stored<PaymentMethod> = self.find(scope, method.as_str()).await?;
        let claim = Claim {
            intent: intent.value.clone(),
            token: method.gateway_token.clone(),
            number: invoice.number.clone().unwrap_or_default(),
        };
        self.send(scope, claim).await
    }

    /// Tells the gateway to give up an attempt; answers with what became of it.
    pub(super) async fn told_to_abandon(
        &self,
        scope: &Scope,
        intent: &PaymentIntent,
    ) -> Result<Outcome, Refused> {
        let key = intent.idempotency_key();
        match in_time(self.gateway.abandon(scope, &key)).await {
            Ok(Some(outcome)) => Ok(outcome),
            Ok(None) => Err(Refused::Gateway("it forgot this payment".to_owned())),
            Err(error) => Err(Refused::Gateway(error.to_string())),
        }
    }

    /// Gives up an attempt that waits for the customer's proof, so that it can't succeed later.
    pub(super) async fn abandon(
        &self,
        scope: &Scope,
        intent: &Stored<PaymentIntent>,
    ) -> Result<PaymentResult, Refused> {
        let outcome = self.told_to_abandon(scope, intent).await?;
        let (id, attempt) = (&intent.id, intent.attempt);
        match self.commit_outcome(scope, id, attempt, outcome).await {
            // What it says can't be, so nothing is given up and nothing is booked.
            Err(Refused::Defect(what)) => {
                tracing::error!(intent = %id, what, "the gateway's answer can't be");
                Err(Refused::Gateway(what))
            }
            result => result,
        }
    }
}

/// Refuses invoices that nothing can be paid on.
pub(super) fn payable(invoice: &Invoice) -> Result<(), Refused> {
    let message = match invoice.status {
        InvoiceStatus::Open | InvoiceStatus::Uncollectible => return Ok(()),
        InvoiceStatus::Paid => "Invoice is already paid",
        InvoiceStatus::Void => "This invoice is void and can't be paid.",
        InvoiceStatus::Draft => "This invoice is a draft and can't be paid yet.",
    };
    Err(Refused::State {
        code: Some("invoice_not_payable"),
        message: message.to_owned(),
    })
}

/// Whether the schedule only counts this date: nothing was worth trying on the very method that would
/// be charged again, such as after a "never" of its bank.
fn is_idle(invoice: &Invoice, method: Option<&PaymentMethod>) -> bool {
    let (Some(retrying), Some(method)) = (&invoice.retrying, method) else {
        return false;
    };
    retrying.idle && retrying.method.as_ref() == Some(&method.id)
}

/// What is said of a charge or set-up that the gateway would not even try.
pub(crate) fn refused_as(error: &GatewayError) -> Decline {
    let code = match error {
        GatewayError::NoSuchCard => "resource_missing",
        _ => "processing_error",
    };
    Decline {
        code: code.to_owned(),
        decline_code: None,
    }
}
