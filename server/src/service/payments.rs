//! Collecting money for invoices.
//!
//! A charge happens once. The attempt is committed as `processing`, with its idempotency key, before
//! the gateway is called; the outcome is committed after. Whatever happens in between (a crash, a
//! timeout, a caller who goes away), the key is asked after at the gateway and never replaced by
//! another one while its outcome is unknown.

use std::time::Duration;

use perennial::calendar::Timestamp;
use perennial::credit::{self, BalanceChangeKind};
use perennial::customer::Customer;
use perennial::dunning::{self, Next};
use perennial::id::{InvoiceId, PaymentIntentId, PaymentMethodId};
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::metadata::Metadata;
use perennial::money::Money;
use perennial::payment::{Decline, Outcome, PaymentIntent, PaymentMethod, PaymentStatus};
use perennial::subscription::{
    Cancellation, CancellationReason, CollectionMethod, Event, Status, Subscription,
};

use super::booking::{Booking, Edit};
use super::invoices::{Collect, Ending, Issued, defect, entry, save_subscription, stop};
use super::{Engine, Refused};
use crate::clock::Ids;
use crate::gateway::{Charge, GatewayError, ReturnPath};
use crate::merchant::Merchant;
use crate::store::Scope;
use crate::store::document::{self, Stored};

/// How long the gateway may take to answer, in seconds. After that the outcome is unknown.
const GATEWAY_SECONDS_MAX: u64 = 30;

/// What became of a payment.
#[derive(Clone, Debug)]
pub enum PaymentResult {
    /// The invoice is paid.
    Paid {
        /// As it is now.
        invoice: Stored<Invoice>,
    },
    /// The bank said no; the invoice is still open.
    Declined {
        /// As it is now.
        invoice: Stored<Invoice>,
        /// What the bank said.
        decline: Decline,
    },
    /// The customer must prove who they are.
    RequiresAction {
        /// As it is now.
        invoice: Stored<Invoice>,
        /// Where: a path on this site or a URL of the gateway.
        challenge_url: String,
    },
    /// The gateway has not answered. A worker finds out what became of it; nothing is sent twice.
    Unknown {
        /// As it is now.
        invoice: Stored<Invoice>,
    },
}

impl PaymentResult {
    /// The invoice as it is now.
    #[must_use]
    pub fn invoice(&self) -> &Stored<Invoice> {
        match self {
            Self::Paid { invoice }
            | Self::Declined { invoice, .. }
            | Self::RequiresAction { invoice, .. }
            | Self::Unknown { invoice } => invoice,
        }
    }

    /// The invoice as it is now.
    #[must_use]
    pub fn into_invoice(self) -> Stored<Invoice> {
        match self {
            Self::Paid { invoice }
            | Self::Declined { invoice, .. }
            | Self::RequiresAction { invoice, .. }
            | Self::Unknown { invoice } => invoice,
        }
    }

    fn of(invoice: Stored<Invoice>, intent: &PaymentIntent) -> Self {
        match (intent.status, &intent.challenge, &intent.last_error) {
            (PaymentStatus::Succeeded, _, _) => Self::Paid { invoice },
            (PaymentStatus::RequiresAction, Some(url), _) => Self::RequiresAction {
                challenge_url: url.clone(),
                invoice,
            },
            (PaymentStatus::Processing, _, _) => Self::Unknown { invoice },
            (_, _, Some(decline)) => Self::Declined {
                decline: decline.clone(),
                invoice,
            },
            _ => Self::Declined {
                decline: nothing_to_pay_with(),
                invoice,
            },
        }
    }
}

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

    fn charge(&self) -> Charge {
        let mut metadata = Metadata::default();
        if let Some(invoice) = &self.intent.invoice {
            metadata.0.insert("invoice".to_owned(), invoice.to_string());
        }
        Charge {
            idempotency_key: self.intent.idempotency_key(),
            amount: Money::new(self.intent.amount_minor, self.intent.currency),
            token: self.token.clone(),
            on_session: self.intent.on_session,
            description: Some(format!("Invoice {}", self.number)),
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
    let mut intent = match intent {
        Some(intent) => intent.clone(),
        None => unsent(invoice, Some(method), now, ids),
    };
    intent.amount_minor = invoice.amount_remaining_minor();
    intent.payment_method = Some(method.id.clone());
    intent.status = PaymentStatus::Processing;
    intent.attempt = intent.attempt.saturating_add(1);
    intent.on_session = on_session;
    intent.last_error = None;
    intent.challenge = None;
    intent.attempted_at = Some(now);
    invoice.payment_intent = Some(intent.id.clone());
    count_attempt(invoice, automatic);
    if automatic {
        invoice.next_payment_attempt = None;
    }
    intent
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
        created: now,
        attempted_at: None,
    };
    invoice.payment_intent = Some(intent.id.clone());
    intent
}

/// What a failed attempt brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Whether the customer must prove who they are.
    pub(crate) action: bool,
    /// Whether the subscription ends with it.
    pub(crate) ends: bool,
}

/// Notes a failed attempt: the standing of invoice, customer and subscription, and when it is tried
/// again.
pub(crate) fn fail(
    invoice: &mut Invoice,
    customer: &mut Customer,
    mut subscription: Option<&mut Subscription>,
    decline: &Decline,
    merchant: &Merchant,
    automatic: bool,
    now: Timestamp,
) -> Result<Failure, Refused> {
    invoice.last_payment_error = Some(decline.clone());
    customer.delinquent = true;
    let ends = schedule(
        invoice,
        subscription.as_deref_mut(),
        Some(decline),
        merchant,
        automatic,
        now,
    )?;
    let needs_proof = decline.decline_code.as_deref() == Some("authentication_required");
    Ok(Failure {
        action: needs_proof,
        ends,
    })
}

/// Puts a subscription in arrears and finds the next attempt; answers whether it ends instead.
fn schedule(
    invoice: &mut Invoice,
    mut subscription: Option<&mut Subscription>,
    decline: Option<&Decline>,
    merchant: &Merchant,
    automatic: bool,
    now: Timestamp,
) -> Result<bool, Refused> {
    let status = subscription.as_ref().map(|own| own.status);
    if let Some(own) = subscription.as_deref_mut()
        && matches!(own.status, Status::Active | Status::PastDue)
    {
        own.status = own
            .status
            .transition(Event::RenewalFailed)
            .map_err(defect)?;
    }
    let sent = invoice.collection_method == CollectionMethod::SendInvoice;
    if status == Some(Status::Incomplete) || !invoice.auto_advance || sent {
        invoice.next_payment_attempt = None;
        return Ok(false);
    }
    if !automatic && invoice.next_payment_attempt.is_some() {
        // Somebody tried by hand; our own schedule goes on as it was.
        return Ok(false);
    }
    let attempts = invoice.attempt_count.max(1);
    match merchant
        .retries
        .next(attempts, now, decline, true)
        .map_err(defect)?
    {
        Next::Retry { at, .. } => {
            invoice.next_payment_attempt = Some(at);
            Ok(false)
        }
        Next::Exhausted(then) => {
            invoice.next_payment_attempt = None;
            let Some(own) = subscription.filter(|own| own.status == Status::PastDue) else {
                return Ok(false);
            };
            own.status = own
                .status
                .transition(Event::RetriesExhausted(then))
                .map_err(defect)?;
            if own.status != Status::Canceled {
                return Ok(false);
            }
            own.canceled_at = Some(now);
            own.ended_at = Some(now);
            own.cancel_at = None;
            own.scheduled_change = None;
            own.cancellation = Some(Cancellation {
                reason: Some(CancellationReason::PaymentFailed),
                ..Cancellation::default()
            });
            stop(invoice);
            Ok(true)
        }
    }
}

/// Tells of a failed attempt.
pub(crate) async fn tell_failure(
    booking: &mut Booking<'_>,
    invoice: &Invoice,
    failure: &Failure,
) -> Result<(), Refused> {
    if failure.action {
        booking
            .tell("invoice.payment_action_required", invoice)
            .await?;
    }
    booking.tell("invoice.payment_failed", invoice).await
}

/// Who starts an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Starter {
    /// The customer, here to answer a challenge, or the merchant's code.
    Somebody {
        /// The customer is here.
        on_session: bool,
    },
    /// A worker, by the schedule.
    Schedule,
}

/// What came of trying to begin an attempt.
enum Begun {
    Send(Claim),
    /// Nothing could be sent; the invoice is as it is now.
    Over(PaymentResult),
}

impl Engine {
    /// Pays an invoice with `method`, or with what pays it by default.
    ///
    /// # Errors
    /// [`Refused::State`] when there is nothing to pay or nothing to pay with;
    /// [`Refused::NotFound`] when the method is not the customer's. A decline is no error.
    pub async fn pay_invoice(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        method: Option<PaymentMethodId>,
        on_session: bool,
    ) -> Result<PaymentResult, Refused> {
        let found: Stored<Invoice> = self.find(scope, id.as_str()).await?;
        if found.status == InvoiceStatus::Draft {
            self.retrying(|| self.finalize_once(scope, id, Some(Collect::Later)))
                .await?;
        }
        self.pay(scope, id, method.as_ref(), Starter::Somebody { on_session })
            .await
    }

    pub(crate) async fn pay(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        method: Option<&PaymentMethodId>,
        starter: Starter,
    ) -> Result<PaymentResult, Refused> {
        if let Some(result) = self.clear_the_way(scope, id, method, starter).await? {
            return Ok(result);
        }
        match self
            .retrying(|| self.begin_once(scope, id, method, starter))
            .await?
        {
            Begun::Send(claim) => self.send(scope, claim).await,
            Begun::Over(result) => Ok(result),
        }
    }

    /// Deals with an attempt that is still out, so that no two can both succeed.
    async fn clear_the_way(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        method: Option<&PaymentMethodId>,
        starter: Starter,
    ) -> Result<Option<PaymentResult>, Refused> {
        let invoice: Stored<Invoice> = self.find(scope, id.as_str()).await?;
        let Some(intent) = &invoice.payment_intent else {
            return Ok(None);
        };
        let intent: Stored<PaymentIntent> = self.find(scope, intent.as_str()).await?;
        let result = match intent.status {
            PaymentStatus::Processing => self.ask_after(scope, &intent.id).await?,
            PaymentStatus::RequiresAction => {
                let same = method.is_none() || method == intent.payment_method.as_ref();
                let here = starter == Starter::Somebody { on_session: true };
                if same && here {
                    self.ask_after(scope, &intent.id).await?
                } else {
                    self.abandon(scope, &intent).await?
                }
            }
            _ => return Ok(None),
        };
        Ok(match result {
            PaymentResult::Declined { .. } => None,
            result => Some(result),
        })
    }

    async fn begin_once(
        &self,
        scope: &Scope,
        id: &InvoiceId,
        wanted: Option<&PaymentMethodId>,
        starter: Starter,
    ) -> Result<Begun, Refused> {
        let now = self.now();
        let mut invoice = self.edit_invoice(scope, id).await?;
        payable(&invoice)?;
        let mut customer = self.edit_customer(scope, &invoice.customer).await?;
        let mut subscription = match invoice.subscription.clone() {
            Some(id) => Some(self.edit_subscription(scope, &id).await?),
            None => None,
        };
        let mut intent = match invoice.payment_intent.clone() {
            Some(id) => Some(self.edit_intent(scope, &id).await?),
            None => None,
        };
        let busy = |own: &Edit<PaymentIntent>| {
            matches!(
                own.status,
                PaymentStatus::Processing | PaymentStatus::RequiresAction
            )
        };
        if intent.as_ref().is_some_and(busy) {
            return Err(Refused::Busy);
        }
        let method = self
            .paying_method(scope, &invoice, subscription.as_deref(), &customer, wanted)
            .await?;
        let automatic = starter == Starter::Schedule;
        let hopeless = automatic && same_hard_decline(intent.as_deref(), method.as_deref());
        let Some(method) = method.filter(|_| !hopeless) else {
            if !automatic {
                return Err(Refused::State {
                    code: Some("resource_missing"),
                    message: "There is no payment method to pay this invoice with.".to_owned(),
                });
            }
            count_attempt(&mut invoice, true);
            let decline = match (hopeless, invoice.last_payment_error.clone()) {
                (true, Some(decline)) => decline,
                _ => nothing_to_pay_with(),
            };
            let merchant = self.merchant(scope).await?;
            let own = subscription.as_deref_mut();
            let failure = fail(
                &mut invoice,
                &mut customer,
                own,
                &decline,
                &merchant,
                true,
                now,
            )?;
            let mut books = Books {
                invoice,
                customer,
                subscription,
                ending: Ending::default(),
            };
            if failure.ends
                && let Some(own) = &books.subscription
            {
                books.ending = self.ending(scope, own, Some(&books.invoice)).await?;
            }
            let mut booking = Booking::begin(self, scope).await?;
            books.write(&mut booking).await?;
            // A bank that has said "never" is not asked, so nothing new is told.
            if !hopeless {
                tell_failure(&mut booking, &books.invoice, &failure).await?;
            }
            booking.commit().await?;
            let invoice = books.invoice.into_row();
            return Ok(Begun::Over(PaymentResult::Declined { invoice, decline }));
        };
        let on_session = starter == Starter::Somebody { on_session: true };
        let begun = begin(
            intent.as_deref(),
            &mut invoice,
            &method,
            on_session,
            automatic,
            now,
            &mut self.ids(),
        );
        let mut booking = Booking::begin(self, scope).await?;
        match &mut intent {
            Some(intent) => {
                **intent = begun.clone();
                booking.save_quietly(intent).await?;
            }
            None => {
                booking.insert(begun.clone()).await?;
            }
        }
        booking.save_quietly(&mut invoice).await?;
        booking.commit().await?;
        Ok(Begun::Send(Claim {
            intent: begun,
            token: method.gateway_token.clone(),
            number: invoice.number.clone().unwrap_or_default(),
        }))
    }

    /// Sends a committed charge and commits what comes of it. It goes on when the caller goes away.
    pub(crate) async fn send(&self, scope: &Scope, claim: Claim) -> Result<PaymentResult, Refused> {
        let (engine, scope) = (self.clone(), scope.clone());
        let work = async move { engine.send_here(&scope, &claim).await };
        tokio::spawn(work).await.map_err(defect)?
    }

    async fn send_here(&self, scope: &Scope, claim: &Claim) -> Result<PaymentResult, Refused> {
        let limit = Duration::from_secs(GATEWAY_SECONDS_MAX);
        let answer = tokio::time::timeout(limit, self.gateway.charge(scope, claim.charge())).await;
        let (id, attempt) = (&claim.intent.id, claim.intent.attempt);
        match answer {
            Ok(Ok(outcome)) => self.commit_outcome(scope, id, attempt, outcome).await,
            Ok(Err(error)) if !error.is_unknown() => {
                tracing::error!(intent = %id, %error, "the gateway refused a charge");
                let outcome = Outcome::Declined(refused_as(&error));
                self.commit_outcome(scope, id, attempt, outcome).await
            }
            Ok(Err(error)) => {
                tracing::warn!(intent = %id, %error, "the outcome of a charge is not known");
                self.unknown(scope, id).await
            }
            Err(_) => {
                tracing::warn!(intent = %id, "the gateway did not answer in time");
                self.unknown(scope, id).await
            }
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

    async fn invoice_of(
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

    /// Called when a customer comes back from a challenge: finds out what became of the payment.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is no such payment.
    pub async fn finish_payment(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
    ) -> Result<PaymentResult, Refused> {
        self.ask_after(scope, id).await
    }

    /// Asks the gateway what became of an attempt whose outcome is not known here, and commits it.
    /// What the gateway never heard of is sent again with the same key.
    pub(crate) async fn ask_after(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
    ) -> Result<PaymentResult, Refused> {
        let intent: Stored<PaymentIntent> = self.find(scope, id.as_str()).await?;
        let out = matches!(
            intent.status,
            PaymentStatus::Processing | PaymentStatus::RequiresAction
        );
        if !out {
            return Ok(PaymentResult::of(
                self.invoice_of(scope, &intent).await?,
                &intent,
            ));
        }
        let key = intent.idempotency_key();
        let limit = Duration::from_secs(GATEWAY_SECONDS_MAX);
        let answer = tokio::time::timeout(limit, self.gateway.lookup(scope, &key)).await;
        match answer {
            Ok(Ok(Some(outcome))) => {
                self.commit_outcome(scope, id, intent.attempt, outcome)
                    .await
            }
            Ok(Ok(None)) if intent.status == PaymentStatus::Processing => {
                self.send_again(scope, &intent).await
            }
            Ok(Ok(None)) => self.unknown(scope, id).await,
            Ok(Err(error)) => {
                tracing::warn!(intent = %id, %error, "the gateway does not say what became of it");
                self.unknown(scope, id).await
            }
            Err(_) => self.unknown(scope, id).await,
        }
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

    /// Gives up an attempt that waits for the customer's proof, so that it can't succeed later.
    async fn abandon(
        &self,
        scope: &Scope,
        intent: &Stored<PaymentIntent>,
    ) -> Result<PaymentResult, Refused> {
        let key = intent.idempotency_key();
        match self.gateway.abandon(scope, &key).await {
            Ok(Some(outcome)) => {
                self.commit_outcome(scope, &intent.id, intent.attempt, outcome)
                    .await
            }
            Ok(None) => Err(defect("the gateway forgot a challenge")),
            Err(error) => Err(Refused::Gateway(error.to_string())),
        }
    }

    /// Makes sure that no attempt on an invoice is out any more.
    pub(crate) async fn give_up_payment(
        &self,
        scope: &Scope,
        id: &InvoiceId,
    ) -> Result<(), Refused> {
        let schedule = Starter::Schedule;
        self.clear_the_way(scope, id, None, schedule)
            .await
            .map(|_| ())
    }

    /// The intent of an invoice, if it can be given up: not while it is being charged.
    pub(crate) async fn idle_intent(
        &self,
        scope: &Scope,
        invoice: &Invoice,
    ) -> Result<Option<Edit<PaymentIntent>>, Refused> {
        let Some(id) = &invoice.payment_intent else {
            return Ok(None);
        };
        let intent = self.edit_intent(scope, id).await?;
        match intent.status {
            PaymentStatus::Processing | PaymentStatus::RequiresAction => Err(Refused::State {
                code: Some("invoice_payment_in_progress"),
                message: "A payment of this invoice is under way. Try again in a moment."
                    .to_owned(),
            }),
            PaymentStatus::Succeeded | PaymentStatus::Canceled => Ok(None),
            PaymentStatus::RequiresPaymentMethod | PaymentStatus::RequiresConfirmation => {
                Ok(Some(intent))
            }
        }
    }

    /// Commits what the gateway said about an attempt. Saying it twice changes nothing.
    pub(crate) async fn commit_outcome(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
        attempt: u32,
        outcome: Outcome,
    ) -> Result<PaymentResult, Refused> {
        self.retrying(|| self.commit_outcome_once(scope, id, attempt, &outcome))
            .await
    }

    async fn commit_outcome_once(
        &self,
        scope: &Scope,
        id: &PaymentIntentId,
        attempt: u32,
        outcome: &Outcome,
    ) -> Result<PaymentResult, Refused> {
        let now = self.now();
        let mut intent = self.edit_intent(scope, id).await?;
        let row = self.invoice_of(scope, &intent).await?;
        let news = match (intent.status, outcome) {
            (PaymentStatus::Processing, _) => true,
            (PaymentStatus::RequiresAction, outcome) => {
                !matches!(outcome, Outcome::RequiresAction { .. })
            }
            _ => false,
        };
        if !news || intent.attempt != attempt {
            return Ok(PaymentResult::of(row, &intent));
        }
        // Where our own schedule still waits, somebody tried by hand; it goes on as it was.
        let automatic = row.next_payment_attempt.is_none();
        let mut invoice = Edit::of(row);
        let mut customer = self.edit_customer(scope, &invoice.customer).await?;
        let mut subscription = match invoice.subscription.clone() {
            Some(id) => Some(self.edit_subscription(scope, &id).await?),
            None => None,
        };
        intent.challenge = None;
        let mut told = Told::default();
        match outcome {
            Outcome::Succeeded { charge } => {
                intent.status = PaymentStatus::Succeeded;
                intent.gateway_charge = Some(charge.clone());
                intent.last_error = None;
                told.paid = invoice.settle(intent.amount_minor, now).is_ok();
                if told.paid {
                    customer.delinquent = false;
                    if let Some(own) = &mut subscription {
                        self.standing_after(scope, own, &invoice).await?;
                    }
                } else {
                    let (amount, kind) = (intent.amount_minor, BalanceChangeKind::Adjustment);
                    told.overpaid =
                        Some(self.keep_overpaid(&invoice, &mut customer, amount, kind)?);
                }
            }
            Outcome::Declined(decline) => {
                intent.status = PaymentStatus::RequiresPaymentMethod;
                intent.last_error = Some(decline.clone());
                let merchant = self.merchant(scope).await?;
                let own = subscription.as_deref_mut();
                told.failure = Some(if invoice.status == InvoiceStatus::Open {
                    fail(
                        &mut invoice,
                        &mut customer,
                        own,
                        decline,
                        &merchant,
                        automatic,
                        now,
                    )?
                } else {
                    Failure {
                        action: false,
                        ends: false,
                    }
                });
            }
            Outcome::RequiresAction { challenge } => {
                intent.status = PaymentStatus::RequiresAction;
                intent.challenge = Some(challenge.clone());
                told.action = true;
                let merchant = self.merchant(scope).await?;
                let own = subscription.as_deref_mut();
                told.ends = schedule(&mut invoice, own, None, &merchant, automatic, now)?;
            }
        }
        let mut books = Books {
            invoice,
            customer,
            subscription,
            ending: Ending::default(),
        };
        let ends = told.ends || told.failure.as_ref().is_some_and(|failure| failure.ends);
        if ends && let Some(own) = &books.subscription {
            books.ending = self.ending(scope, own, Some(&books.invoice)).await?;
        }
        let mut booking = Booking::begin(self, scope).await?;
        booking.save_quietly(&mut intent).await?;
        told.write(&mut booking, &intent, &mut books).await?;
        booking.commit().await?;
        Ok(PaymentResult::of(books.invoice.into_row(), &intent))
    }

    /// Money that came for an invoice which needs none any more becomes the customer's credit.
    fn keep_overpaid(
        &self,
        invoice: &Invoice,
        customer: &mut Customer,
        amount_minor: i64,
        kind: BalanceChangeKind,
    ) -> Result<super::balance::BalanceTransaction, Refused> {
        tracing::error!(invoice = %invoice.id, amount_minor, "a payment came for a closed invoice");
        let credit = amount_minor.checked_neg().ok_or(Refused::TooLarge)?;
        let change = credit::adjust(&mut customer.balance_minor, credit, kind).map_err(defect)?;
        Ok(entry(
            &change,
            customer,
            invoice,
            self.now(),
            &mut self.ids(),
        ))
    }

    /// What pays an invoice: `wanted`, or the invoice's own method, the subscription's, the
    /// customer's, in this order. Methods that were removed don't count.
    pub(crate) async fn paying_method(
        &self,
        scope: &Scope,
        invoice: &Invoice,
        subscription: Option<&Subscription>,
        customer: &Customer,
        wanted: Option<&PaymentMethodId>,
    ) -> Result<Option<Stored<PaymentMethod>>, Refused> {
        let mut connection = self.store.read().await?;
        let theirs =
            |method: &Stored<PaymentMethod>| method.customer.as_ref() == Some(&customer.id);
        if let Some(id) = wanted {
            let found = document::load(&mut connection, scope, id.as_str()).await?;
            let found = found.filter(theirs).ok_or_else(|| Refused::NotFound {
                kind: "payment_method",
                id: id.to_string(),
                param: Some("payment_method".to_owned()),
            })?;
            return Ok(Some(found));
        }
        drop(connection);
        self.method_of(
            scope,
            invoice.default_payment_method.as_ref(),
            subscription,
            customer,
        )
        .await
    }

    /// The first of these that is still there: `first`, the subscription's, the customer's.
    pub(crate) async fn method_of(
        &self,
        scope: &Scope,
        first: Option<&PaymentMethodId>,
        subscription: Option<&Subscription>,
        customer: &Customer,
    ) -> Result<Option<Stored<PaymentMethod>>, Refused> {
        let mut connection = self.store.read().await?;
        let own = subscription.and_then(|own| own.default_payment_method.as_ref());
        let candidates = [first, own, customer.default_payment_method.as_ref()];
        for id in candidates.into_iter().flatten() {
            let found = document::load(&mut connection, scope, id.as_str()).await?;
            if let Some(method) = found
                .filter(|own: &Stored<PaymentMethod>| own.customer.as_ref() == Some(&customer.id))
            {
                return Ok(Some(method));
            }
        }
        Ok(None)
    }
}

/// The rows that an outcome changes beside the intent.
struct Books {
    invoice: Edit<Invoice>,
    customer: Edit<Customer>,
    subscription: Option<Edit<Subscription>>,
    ending: Ending,
}

impl Books {
    async fn write(&mut self, booking: &mut Booking<'_>) -> Result<(), Refused> {
        booking.save_quietly(&mut self.invoice).await?;
        booking.save(&mut self.customer).await?;
        self.ending.write(booking).await?;
        if let Some(subscription) = &mut self.subscription {
            save_subscription(booking, subscription).await?;
        }
        Ok(())
    }
}

/// What an outcome is told as.
#[derive(Default)]
struct Told {
    paid: bool,
    overpaid: Option<super::balance::BalanceTransaction>,
    failure: Option<Failure>,
    action: bool,
    ends: bool,
}

impl Told {
    async fn write(
        self,
        booking: &mut Booking<'_>,
        intent: &PaymentIntent,
        books: &mut Books,
    ) -> Result<(), Refused> {
        let kind = match intent.status {
            PaymentStatus::Succeeded => "payment_intent.succeeded",
            PaymentStatus::RequiresAction => "payment_intent.requires_action",
            _ => "payment_intent.payment_failed",
        };
        booking.tell(kind, intent).await?;
        books.write(booking).await?;
        let invoice = &*books.invoice;
        if self.paid {
            booking.tell("invoice.paid", invoice).await?;
            booking.tell("invoice.payment_succeeded", invoice).await?;
        }
        if let Some(entry) = self.overpaid {
            booking.tell("invoice.overpaid", invoice).await?;
            booking.insert(entry).await?;
        }
        if self.action {
            booking
                .tell("invoice.payment_action_required", invoice)
                .await?;
        }
        if let Some(failure) = &self.failure {
            tell_failure(booking, invoice, failure).await?;
        }
        Ok(())
    }
}

/// Refuses invoices that nothing can be paid on.
fn payable(invoice: &Invoice) -> Result<(), Refused> {
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

/// Whether the bank said "never" to the very method that would be charged again.
fn same_hard_decline(intent: Option<&PaymentIntent>, method: Option<&PaymentMethod>) -> bool {
    let (Some(intent), Some(method)) = (intent, method) else {
        return false;
    };
    intent.payment_method.as_ref() == Some(&method.id)
        && intent.last_error.as_ref().is_some_and(dunning::is_hard)
}

/// A charge that the gateway would not even try.
fn refused_as(error: &GatewayError) -> Decline {
    let code = match error {
        GatewayError::NoSuchCard => "resource_missing",
        _ => "processing_error",
    };
    Decline {
        code: code.to_owned(),
        decline_code: None,
    }
}
