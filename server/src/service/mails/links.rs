//! Links in mails: how a reader comes in without a password, and stops mails of one kind.
//!
//! A mail is read by more than its reader: servers open every link in it to look for harm, and mail
//! programs load what might be clicked. So a link only shows a page; what it is for happens when a
//! button there is pressed, as often as the reader likes until the link ends. Each pressing makes a
//! portal session of its own. A link serves one customer, ends after [`OPEN_DAYS`], and is dead as soon as
//! the customer's address is another one than the mail went to. Only its hash is kept.

use app::locale::Locale;
use perennial::calendar::Timestamp;
use perennial::customer::Customer;
use perennial::dunning::is_hard;
use perennial::id::InvoiceId;
use perennial::invoice::{Invoice, InvoiceStatus};

use super::Post;
use super::composing::locale_of;
use crate::mail::Kind;
use crate::merchant::Merchant;
use crate::service::booking::{Booking, Edit};
use crate::service::portal_sessions::{NewPortalSession, Opened};
use crate::service::{Engine, Refused};
use crate::store::document::{self, Stored};
use crate::store::key;
use crate::store::mail::{self as outbox, Claimed, Link, Purpose};

/// How long the button in a mail works, in days.
pub const OPEN_DAYS: i64 = 14;
/// How long mails of a kind can be stopped from one of them, in days.
pub const UNSUBSCRIBE_DAYS: i64 = 400;

/// The addresses in one mail.
pub(super) struct Links {
    pub(super) open_url: String,
    pub(super) open_until: Timestamp,
    /// The page, which mail programs also post to (RFC 8058).
    pub(super) unsubscribe_url: Option<String>,
}

/// What a link in a mail leads to.
#[derive(Clone, Debug)]
pub struct Led {
    /// Where it stands.
    pub link: Link,
    /// Whose mail.
    pub customer: Stored<Customer>,
    /// Who sent it.
    pub merchant: Merchant,
    /// The reader's language.
    pub locale: Locale,
    /// Whether it still works.
    pub alive: bool,
    /// Whether the mail went to an address that is not the customer's any more.
    pub moved: bool,
}

impl Engine {
    /// Makes the addresses of one mail, and keeps their hashes.
    pub(super) async fn mail_links(&self, post: &Post, mail: &Claimed) -> Result<Links, Refused> {
        let now = self.real_now();
        let days = |days: i64| Timestamp(now.0.saturating_add(days * 86_400));
        let (open, stop) = (self.secret(), self.secret());
        let open_until = days(OPEN_DAYS);
        let stoppable = mail.kind.switch().is_some();
        let mut tx = self.store.begin().await?;
        let connection = tx.connection();
        outbox::insert_link(&mut *connection, mail, Purpose::Open, &open, open_until).await?;
        if stoppable {
            let until = days(UNSUBSCRIBE_DAYS);
            outbox::insert_link(connection, mail, Purpose::Unsubscribe, &stop, until).await?;
        }
        tx.commit().await?;
        let origin = post.public.origin();
        Ok(Links {
            open_url: format!("{origin}/m/{open}"),
            open_until,
            unsubscribe_url: stoppable.then(|| format!("{origin}/u/{stop}")),
        })
    }

    /// What a link leads to; `None` where there never was such a link, or nobody is there any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn led_by(&self, purpose: Purpose, secret: &str) -> Result<Option<Led>, Refused> {
        let mut read = self.store.read().await?;
        let Some(link) = outbox::find_link(&mut read, purpose, secret).await? else {
            return Ok(None);
        };
        let scope = &link.mail.scope;
        let customer: Option<Stored<Customer>> =
            document::load(&mut read, scope, &link.mail.customer).await?;
        let merchant = key::load_merchant(&mut read, &scope.merchant).await?;
        let (Some(customer), Some(merchant)) = (customer, merchant) else {
            return Ok(None);
        };
        if customer.deleted {
            return Ok(None);
        }
        // Until the mail is noted as sent, it went where the customer is written to now.
        let address = customer.email.as_deref().map(str::trim);
        let sent_to = link.recipient.as_deref();
        let moved = sent_to.is_some_and(|sent| Some(sent) != address);
        let alive = link.expires_at > self.real_now() && !moved;
        Ok(Some(Led {
            locale: locale_of(&customer),
            link,
            customer,
            merchant,
            alive,
            moved,
        }))
    }

    /// Lets the reader of a mail in: the secret for their browser's cookie, and the page to go to.
    /// `None` where the link does not work any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enter_from_mail(&self, led: &Led) -> Result<Option<(String, String)>, Refused> {
        if !led.alive {
            return Ok(None);
        }
        let mail = &led.link.mail;
        let new = NewPortalSession {
            customer: led.customer.id.clone(),
            configuration: None,
            return_url: None,
            locale: None,
            flow: None,
        };
        let landing = self.landing(mail).await?;
        let (_, link) = self.create_portal_session(&mail.scope, new).await?;
        match self.open_link(&link).await? {
            Opened::Visit { secret, session } => {
                tracing::info!(session = %session.id, mail = %mail.id, "a mail's link was used");
                Ok(Some((secret, landing)))
            }
            Opened::Dead { .. } => Ok(None),
        }
    }

    /// The page that does what a mail is about.
    async fn landing(&self, mail: &Claimed) -> Result<String, Refused> {
        let new_card = "/portal/payment-methods/new";
        let about_invoice = matches!(
            mail.kind,
            Kind::Receipt
                | Kind::PaymentFailed
                | Kind::ActionRequired
                | Kind::InvoiceToPay
                | Kind::InvoiceReminder
        );
        if about_invoice && let Ok(id) = InvoiceId::parse(&mail.object) {
            let mut read = self.store.read().await?;
            let invoice: Option<Stored<Invoice>> =
                document::load(&mut read, &mail.scope, id.as_str()).await?;
            let hopeless = invoice.is_some_and(|invoice| needs_other_card(&invoice));
            return Ok(match hopeless {
                true => format!("{new_card}?invoice={id}"),
                false => format!("/portal/invoices/{id}"),
            });
        }
        Ok(match mail.kind {
            Kind::CardExpiring | Kind::SubscriptionPaused => new_card,
            Kind::SubscriptionEnded | Kind::Refunded => "/portal/invoices",
            _ => "/portal",
        }
        .to_owned())
    }

    /// Turns the customer's switch for mails of this kind.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn switch_mail(&self, led: &Led, on: bool) -> Result<(), Refused> {
        let Some(switch) = led.link.mail.kind.switch() else {
            return Ok(());
        };
        let scope = &led.link.mail.scope;
        self.retrying(|| async {
            let mut customer: Edit<Customer> = self.edit_customer(scope, &led.customer.id).await?;
            switch.set(&mut customer.mail, on);
            let mut booking = Booking::begin(self, scope).await?;
            booking.save(&mut customer).await?;
            // Preferences are not part of Stripe's customer, so nothing is told of them.
            booking.commit().await
        })
        .await
    }

    /// Sends the mail of a link that has ended once more, to the customer's address: whoever asks for
    /// it, it goes to nobody else.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn send_mail_again(&self, led: &Led) -> Result<(), Refused> {
        let mut tx = self.store.begin().await?;
        outbox::again(tx.connection(), &led.link.mail, self.real_now()).await?;
        tx.commit().await?;
        self.ring_for_mail();
        Ok(())
    }
}

/// Whether an invoice waits for money that the card of the last attempt will never bring.
fn needs_other_card(invoice: &Invoice) -> bool {
    let decline = invoice.last_payment_error.as_ref();
    let hopeless = decline.is_some_and(|decline| {
        let code = decline.decline_code.as_deref().unwrap_or(&decline.code);
        (is_hard(decline) && code != "authentication_required") || code == "expired_card"
    });
    invoice.status == InvoiceStatus::Open && hopeless
}
