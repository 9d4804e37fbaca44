//! Writing a mail from what is true when it leaves.

use app::locale::{Locale, Words};
use lettre::Message;
use perennial::calendar::Timestamp;
use perennial::currency::Currency;
use perennial::customer::Customer;
use perennial::id::PaymentIntentId;
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::money::Money;
use perennial::payment::{Card, PaymentIntent, PaymentMethod};
use perennial::quote::{Upcoming, upcoming};
use perennial::subscription::{CollectionMethod, Status, Subscription};
use serde_json::Value;

use super::Post;
use crate::document::logo::Logo;
use crate::document::{InvoiceDocument, invoice_pdf};
use crate::mail::envelope::{Enclosed, EnvelopeError, Outside, message};
use crate::mail::letter::Frame;
use crate::mail::writing::{Occasion, Writer, is_alive, is_expired};
use crate::mail::{Kind, Letter};
use crate::merchant::Merchant;
use crate::service::find::values;
use crate::service::logos::readable;
use crate::service::portal::seller;
use crate::service::{Engine, Refused};
use crate::store::document::{self, Column, Document, PageRequest, Stored};
use crate::store::mail::Claimed;
use crate::store::nouns;
use crate::web::logo::path as logo_path;
use crate::web::style::name_of;

/// A mail that can leave.
pub(super) struct Composed {
    pub(super) message: Message,
    pub(super) recipient: String,
    /// Whether it may leave the machine.
    pub(super) leaves: bool,
}

/// Why a mail is not sent after all.
pub(super) type Reason = &'static str;

/// What a mail says, and the document that comes with it.
struct Matter {
    letter: Letter,
    invoice: Option<Invoice>,
}

impl Matter {
    /// Nothing comes with it.
    fn alone(letter: Letter) -> Self {
        Self {
            letter,
            invoice: None,
        }
    }
}

impl Engine {
    /// Writes a mail; or says why it is not sent after all.
    pub(super) async fn compose(
        &self,
        post: &Post,
        mail: &Claimed,
    ) -> Result<Result<Composed, Reason>, Refused> {
        let found = self.loaded::<Customer>(mail, &mail.customer).await?;
        let merchant = self.merchant(&mail.scope).await?;
        let Reader {
            customer,
            email,
            other,
        } = match reader(mail, found, &merchant) {
            Ok(reader) => reader,
            Err(reason) => return Ok(Err(reason)),
        };
        let words = locale_of(&customer).words();
        let writer = Writer {
            words,
            merchant: name_of(&merchant),
            customer: &customer,
            other,
            answerable: merchant.support_email.is_some(),
        };
        let matter = match self.matter(mail, &writer).await? {
            Ok(matter) => matter,
            Err(reason) => return Ok(Err(reason)),
        };
        let logo = self.logo_file(&merchant.id).await?;
        let document_logo = logo.as_deref().map(|file| logo_path(&merchant.id, file));
        let enclosed = match matter.invoice {
            Some(invoice) => {
                let logo = logo.and_then(|file| readable(&merchant.id, file));
                Some(enclose(invoice, &merchant, logo, words).await?)
            }
            None => None,
        };
        // Links open the customer's own pages, so nobody else gets any.
        let links = match other {
            false => Some(self.mail_links(post, mail).await?),
            true => None,
        };
        let until = links.as_ref().map(|links| words.date(links.open_until));
        let stop = links.as_ref().and_then(|own| own.unsubscribe_url.clone());
        let frame = Frame {
            theme: &merchant.theme,
            merchant: name_of(&merchant),
            imprint: imprint(&merchant, words),
            support_email: merchant.support_email.as_deref(),
            recipient: &email,
            origin: post.public.origin(),
            document_logo: document_logo.as_deref(),
            open_url: links.as_ref().map(|links| links.open_url.as_str()),
            open_until: until.as_deref(),
            unsubscribe_url: stop.as_deref(),
            test: !mail.scope.livemode,
        };
        let sender = sender_address(&merchant, post);
        let sender_name = merchant.mail.sender_name.as_deref();
        let outside = Outside {
            id: &mail.name(),
            host: post.public.host(),
            sender_name: sender_name.unwrap_or(frame.merchant),
            sender: &sender,
            reply_to: merchant.support_email.as_deref(),
            recipient_name: customer.name.as_deref().filter(|_| !other),
            recipient: &email,
            subject: &matter.letter.subject,
            date: self.real_now().0,
            language: words.locale().tag(),
            unsubscribe_url: stop.as_deref(),
        };
        let (plain, html) = (matter.letter.plain(&frame), matter.letter.html(&frame));
        match message(&outside, plain, html, enclosed) {
            Ok(message) => Ok(Ok(Composed {
                message,
                recipient: email,
                leaves: may_leave(mail, &customer, &merchant),
            })),
            Err(EnvelopeError::Address(_)) => Ok(Err("the address can't be used")),
            Err(error) => Err(Refused::Defect(error.to_string())),
        }
    }

    /// What a mail says, if what it says is still true.
    async fn matter(
        &self,
        mail: &Claimed,
        writer: &Writer<'_>,
    ) -> Result<Result<Matter, Reason>, Refused> {
        match mail.kind {
            Kind::Receipt if PaymentIntentId::parse(&mail.object).is_ok() => {
                self.about_payment(mail, writer).await
            }
            Kind::Receipt
            | Kind::PaymentFailed
            | Kind::ActionRequired
            | Kind::InvoiceToPay
            | Kind::InvoiceReminder => self.about_invoice(mail, writer).await,
            Kind::CardExpiring => self.about_card(mail, writer).await,
            Kind::Refunded => self.about_refund(mail, writer).await,
            _ => self.about_subscription(mail, writer).await,
        }
    }

    /// A payment that was made by itself: its receipt names no invoice, for it may pay several, or none.
    async fn about_payment(
        &self,
        mail: &Claimed,
        writer: &Writer<'_>,
    ) -> Result<Result<Matter, Reason>, Refused> {
        let Some(intent) = self.loaded::<PaymentIntent>(mail, &mail.object).await? else {
            return Ok(Err("there is no such payment"));
        };
        let card = match &intent.payment_method {
            Some(id) => self.loaded::<PaymentMethod>(mail, id.as_str()).await?,
            None => None,
        };
        let card = card.as_ref().map(|method| &method.card);
        let letter = writer.write(&Occasion::Payment(&intent, card));
        Ok(Ok(Matter::alone(letter)))
    }

    async fn about_invoice(
        &self,
        mail: &Claimed,
        writer: &Writer<'_>,
    ) -> Result<Result<Matter, Reason>, Refused> {
        let Some(invoice) = self.loaded::<Invoice>(mail, &mail.object).await? else {
            return Ok(Err("there is no such invoice"));
        };
        let intent = match &invoice.payment_intent {
            Some(id) => self.loaded::<PaymentIntent>(mail, id.as_str()).await?,
            None => None,
        };
        let card = match intent.as_ref().and_then(|i| i.payment_method.as_ref()) {
            Some(id) => self.loaded::<PaymentMethod>(mail, id.as_str()).await?,
            None => None,
        };
        let card: Option<&Card> = card.as_ref().map(|method| &method.card);
        if mail.kind == Kind::Receipt {
            let letter = writer.write(&Occasion::Receipt(&invoice, card));
            let invoice = Some(invoice.value);
            return Ok(Ok(Matter { letter, invoice }));
        }
        if invoice.status != InvoiceStatus::Open || invoice.amount_remaining_minor() == 0 {
            return Ok(Err("the invoice is not open any more"));
        }
        if matches!(mail.kind, Kind::PaymentFailed | Kind::ActionRequired)
            && let Some(reason) = self.told_already(mail, &invoice, intent.as_deref()).await?
        {
            return Ok(Err(reason));
        }
        let occasion = match mail.kind {
            Kind::PaymentFailed => Occasion::PaymentFailed {
                invoice: &invoice,
                card,
            },
            Kind::ActionRequired => Occasion::ActionRequired(&invoice),
            Kind::InvoiceReminder => Occasion::InvoiceReminder(&invoice),
            _ => Occasion::InvoiceToPay(&invoice),
        };
        let letter = writer.write(&occasion);
        let sent = invoice.collection_method == CollectionMethod::SendInvoice;
        let invoice = Some(invoice.value).filter(|_| sent);
        Ok(Ok(Matter { letter, invoice }))
    }

    /// Why nobody need be told of a failed attempt.
    async fn told_already(
        &self,
        mail: &Claimed,
        invoice: &Invoice,
        intent: Option<&PaymentIntent>,
    ) -> Result<Option<Reason>, Refused> {
        if intent.is_some_and(|intent| intent.on_session) {
            return Ok(Some("the customer was there and saw it"));
        }
        let attempt = fact(mail, "attempt").as_u64();
        if attempt.is_some_and(|attempt| attempt < u64::from(invoice.attempt_count)) {
            return Ok(Some("there was another attempt since"));
        }
        let Some(id) = &invoice.subscription else {
            return Ok(None);
        };
        let own = self.loaded::<Subscription>(mail, id.as_str()).await?;
        let ended = own.is_some_and(|own| own.status == Status::Canceled);
        Ok(ended.then_some("the subscription ended, which another mail says"))
    }

    async fn about_card(
        &self,
        mail: &Claimed,
        writer: &Writer<'_>,
    ) -> Result<Result<Matter, Reason>, Refused> {
        let Some(method) = self.loaded::<PaymentMethod>(mail, &mail.object).await? else {
            return Ok(Err("there is no such payment method"));
        };
        let (card, customer) = (&method.card, writer.customer);
        let expiry = format!("{}-{:02}", card.exp_year, card.exp_month);
        if method.customer.as_ref() != Some(&customer.id) || !mail.cause.ends_with(&expiry) {
            return Ok(Err("the card was replaced or removed"));
        }
        if is_expired(card, self.now()) {
            return Ok(Err("the card has expired by now"));
        }
        let page = PageRequest::first(PageRequest::LIMIT_MAX);
        let filter = [Column::text(&customer.id)];
        let sql = nouns::SUBSCRIPTIONS_LIVE_BY_CUSTOMER;
        let mut read = self.store.read().await?;
        let living: document::Page<Subscription> =
            document::list(&mut read, &mail.scope, sql, &page, &filter).await?;
        drop(read);
        let pays = |own: &Subscription| {
            let payer = own.default_payment_method.as_ref();
            payer.or(customer.default_payment_method.as_ref()) == Some(&method.id)
                && own.collection_method == CollectionMethod::ChargeAutomatically
                && ends_at(own).is_none()
        };
        let living: Vec<&Subscription> = living.rows.iter().map(|row| &row.value).collect();
        let paid: Vec<&Subscription> = living.into_iter().filter(|own| pays(own)).collect();
        if paid.is_empty() {
            return Ok(Err("the card pays for nothing"));
        }
        let letter = writer.write(&Occasion::CardExpiring(card, &paid));
        Ok(Ok(Matter::alone(letter)))
    }

    async fn about_refund(
        &self,
        mail: &Claimed,
        writer: &Writer<'_>,
    ) -> Result<Result<Matter, Reason>, Refused> {
        let currency = fact(mail, "currency");
        let currency = currency
            .as_str()
            .and_then(|code| Currency::parse(code).ok());
        let (Some(minor), Some(currency)) = (fact(mail, "amount").as_i64(), currency) else {
            return Ok(Err("the amount is not known"));
        };
        let id = fact(mail, "invoice");
        let invoice = match id.as_str() {
            Some(id) => self.loaded::<Invoice>(mail, id).await?,
            None => None,
        };
        let amount = Money::new(minor, currency);
        let letter = writer.write(&Occasion::Refunded(amount, invoice.as_deref()));
        Ok(Ok(Matter::alone(letter)))
    }

    async fn about_subscription(
        &self,
        mail: &Claimed,
        writer: &Writer<'_>,
    ) -> Result<Result<Matter, Reason>, Refused> {
        let Some(own) = self.loaded::<Subscription>(mail, &mail.object).await? else {
            return Ok(Err("there is no such subscription"));
        };
        let ended = own.status == Status::Canceled;
        if mail.kind == Kind::SubscriptionEnded && ended {
            let letter = writer.write(&Occasion::SubscriptionEnded(&own));
            return Ok(Ok(Matter::alone(letter)));
        }
        if !is_alive(&own) {
            return Ok(Err("the subscription ended, which another mail says"));
        }
        let pending = values(&self.pending(&mail.scope, &own.customer).await?);
        let next = upcoming(&own, writer.customer, &pending)?;
        let method = self.method_of(&mail.scope, None, Some(&own), writer.customer);
        let payable = method.await?.is_some();
        Ok(occasion(mail, &own, next.as_ref(), payable)
            .map(|occasion| Matter::alone(writer.write(&occasion))))
    }

    async fn loaded<T: Document>(
        &self,
        mail: &Claimed,
        id: &str,
    ) -> Result<Option<Stored<T>>, Refused> {
        let mut read = self.store.read().await?;
        Ok(document::load(&mut read, &mail.scope, id).await?)
    }
}

/// Whether a mail may leave the machine. The life of a test clock's customers is made up, so theirs
/// never does.
fn may_leave(mail: &Claimed, customer: &Customer, merchant: &Merchant) -> bool {
    let real = mail.scope.livemode || merchant.mail.test_mode_leaves;
    real && customer.test_clock.is_none()
}

/// To whom a mail goes.
struct Reader {
    customer: Customer,
    email: String,
    /// Whether it goes to an address that is not the customer's, because the merchant's program named it.
    other: bool,
}

/// To whom a mail goes, if it does to anybody. An address that was named for this very mail counts more
/// than the customer's, and than what the merchant sends otherwise. What the customer does not want is not
/// sent to the customer all the same.
fn reader(
    mail: &Claimed,
    customer: Option<Stored<Customer>>,
    merchant: &Merchant,
) -> Result<Reader, Reason> {
    let customer = customer.ok_or("there is no such customer")?.value;
    let email = customer.email.as_deref().map(str::trim).unwrap_or_default();
    let mut email = email.to_owned();
    if customer.deleted {
        return Err("the customer was deleted");
    }
    let named = fact(mail, "email");
    let named = named.as_str().map(str::trim);
    let other = named.is_some_and(|named| !named.eq_ignore_ascii_case(&email));
    if let Some(named) = named {
        named.clone_into(&mut email);
    }
    if email.is_empty() {
        return Err("the customer has no address");
    }
    if named.is_none() && !merchant.mail.sends(mail.kind) {
        return Err("the merchant does not send such mails");
    }
    if !other && !mail.kind.is_wanted(&customer.mail) {
        return Err("the customer does not want such mails");
    }
    Ok(Reader {
        customer,
        email,
        other,
    })
}

/// What there is to say of a subscription that lives, if it is still true.
fn occasion<'a>(
    mail: &Claimed,
    own: &'a Subscription,
    next: Option<&'a Upcoming>,
    payable: bool,
) -> Result<Occasion<'a>, Reason> {
    let ends_at = ends_at(own);
    match mail.kind {
        Kind::SubscriptionEnded => Err("the subscription goes on"),
        Kind::TrialEnding => {
            let told = own.trial_end.is_some_and(|end| is_of(mail, end));
            if own.status != Status::Trialing || !told || ends_at.is_some() {
                return Err("the trial is over, or ends at another time");
            }
            Ok(Occasion::TrialEnding {
                subscription: own,
                next,
                payable,
            })
        }
        Kind::RenewalReminder => {
            let due = period_end(own).is_some_and(|end| is_of(mail, end));
            let next = next.filter(|_| due && ends_at.is_none());
            let next = next.ok_or("it is not renewed then")?;
            Ok(Occasion::RenewalReminder(own, next))
        }
        Kind::CancellationPlanned => {
            let at = ends_at.ok_or("the cancellation was taken back")?;
            Ok(Occasion::CancellationPlanned(own, at))
        }
        Kind::CancellationUndone if ends_at.is_some() => Err("it was cancelled again"),
        Kind::CancellationUndone => Ok(Occasion::CancellationUndone(own, next)),
        Kind::SubscriptionPaused if own.status != Status::Paused => Err("it goes on already"),
        Kind::SubscriptionPaused => Ok(Occasion::SubscriptionPaused(own)),
        Kind::SubscriptionResumed => Ok(Occasion::SubscriptionResumed(own, next)),
        Kind::CollectionPaused => {
            let pause = own.pause_collection.ok_or("payments go on already")?;
            Ok(Occasion::CollectionPaused(own, pause))
        }
        Kind::CollectionResumed if own.pause_collection.is_some() => Err("payments rest again"),
        Kind::CollectionResumed => Ok(Occasion::CollectionResumed(own, next)),
        _ => Ok(Occasion::SubscriptionChanged(own, next)),
    }
}

/// When a subscription that was cancelled ends.
fn ends_at(own: &Subscription) -> Option<Timestamp> {
    let with_period = || own.cancel_at_period_end.then(|| period_end(own)).flatten();
    own.cancel_at.or_else(with_period)
}

/// The end of the first period that ends.
fn period_end(own: &Subscription) -> Option<Timestamp> {
    own.items.iter().map(|item| item.current_period.end).min()
}

/// What a mail's cause said beside.
fn fact(mail: &Claimed, name: &str) -> Value {
    let facts: Option<Value> = serde_json::from_str(&mail.facts).ok();
    let fact = facts.and_then(|facts| facts.get(name).cloned());
    fact.unwrap_or_default()
}

/// Whether a mail was caused by this moment.
fn is_of(mail: &Claimed, moment: Timestamp) -> bool {
    mail.cause.rsplit(':').next() == Some(moment.0.to_string().as_str())
}

/// The language that a customer reads, of those we speak.
pub(super) fn locale_of(customer: &Customer) -> Locale {
    let spoken = customer.preferred_locales.iter().find_map(|tag| {
        let primary = tag.split('-').next().unwrap_or_default();
        Locale::from_tag(tag).or_else(|| Locale::from_tag(primary))
    });
    spoken.unwrap_or(Locale::En)
}

/// The merchant's address, line by line.
fn imprint(merchant: &Merchant, words: Words) -> Vec<String> {
    let address = merchant.address.as_ref();
    let lines = address.map(|address| app::country::lines(words.locale(), address));
    lines.into_iter().flatten().collect()
}

/// From which address.
fn sender_address(merchant: &Merchant, post: &Post) -> String {
    let host = match post.public.host() {
        // Only a name can be written to.
        host if host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok() => "localhost",
        host => host,
    };
    let own = merchant.mail.sender_address.clone();
    own.unwrap_or_else(|| format!("no-reply@{host}"))
}

/// The document of an invoice, in the reader's language.
async fn enclose(
    invoice: Invoice,
    merchant: &Merchant,
    logo: Option<Logo>,
    words: Words,
) -> Result<Enclosed, Refused> {
    let number = invoice.number.as_deref().unwrap_or(invoice.id.as_str());
    let plain = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
    let name = format!("{}.pdf", number.chars().filter(plain).collect::<String>());
    let (seller, theme) = (seller(merchant), merchant.theme.clone());
    // Laying out takes long enough to hold up others on this thread.
    let made = tokio::task::spawn_blocking(move || {
        invoice_pdf(&InvoiceDocument {
            invoice: &invoice,
            seller: &seller,
            display_name: &theme.display_name,
            words,
            brand: theme.brand,
            takes_back: None,
            logo: logo.as_ref(),
        })
    });
    match made.await {
        Ok(Ok(pdf)) => Ok(Enclosed { name, pdf }),
        Ok(Err(error)) => Err(Refused::Defect(error.to_string())),
        Err(error) => Err(Refused::Defect(error.to_string())),
    }
}
