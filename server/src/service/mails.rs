//! Mail to customers: noted with what causes it, written and sent by a worker, once.
//!
//! A mail's row is committed together with the event that causes it, and `mail.cause` is unique: so
//! there is one for each cause, whatever is repeated. A worker claims it for `CLAIM_SECONDS`, writes
//! it from what is true by then, hands it over outside any transaction, and notes that it has left.
//! Who dies in between leaves a claim that runs out, and the mail is sent again under the same
//! Message-ID, by which mail programs know it as one. In a folder the second copy replaces the first.

mod composing;
pub mod links;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use lettre::Message;
use perennial::calendar::Timestamp;
use perennial::id::{MailId, MerchantId};
use perennial::payment::PaymentMethod;
use sqlx::AnyConnection;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{Engine, Refused};
use crate::config::PublicUrl;
use crate::mail::MailSettings;
use crate::mail::carrier::{Carrier, Delivery, MailUrl};
use crate::mail::cause::{self, Telling};
use crate::mail::folder::Folder;
use crate::store::mail::{self as outbox, Claimed, Settled};
use crate::store::{Scope, Store, failure, key};
use composing::Composed;

/// How long a worker keeps a mail before others may take it, in seconds: longer than a round takes.
const CLAIM_SECONDS: i64 = 15 * 60;
/// Mails that are under way at the same time.
const CONCURRENT_MAX: usize = 4;
/// Pauses after each refusal for a time, in seconds: three days in all. After the last one the mail is
/// set aside.
const PAUSES_SECONDS: [i64; 9] = [60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 86_400];

/// What mails are called among what is counted.
pub(super) const TALLY: &str = "mail";

/// How mail leaves this process.
pub struct Post {
    /// The mail server; without one, everything goes into the folder.
    carrier: Option<Carrier>,
    /// The embedded way out, and the only one for what must not leave.
    folder: Folder,
    /// How the outside world reaches this server: links begin with it.
    public: PublicUrl,
    /// The merchants' rules, forgotten now and then.
    settings: Mutex<HashMap<MerchantId, Arc<MailSettings>>>,
    /// What became of mails while the database did not keep it: noted before anything else is sent.
    unnoted: Mutex<Vec<(Claimed, Settled)>>,
    /// Rings when mail was noted.
    bell: Notify,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post")
            .field("carrier", &self.carrier)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Post {
    /// Through a mail server or into a folder; `folder` takes what must not leave. `None` where mail
    /// is off.
    ///
    /// # Errors
    /// When the mail server's address can't be used.
    pub fn open(
        url: &MailUrl,
        folder: Folder,
        public: PublicUrl,
    ) -> Result<Option<Arc<Self>>, String> {
        let (carrier, folder) = match url {
            MailUrl::Off => return Ok(None),
            MailUrl::Folder(path) => (None, Folder::new(path.clone())),
            MailUrl::Smtp(url) => (Some(Carrier::smtp(url, public.host())?), folder),
        };
        Ok(Some(Arc::new(Self {
            carrier,
            folder,
            public,
            settings: Mutex::default(),
            unnoted: Mutex::default(),
            bell: Notify::new(),
        })))
    }

    /// Where mail lies that did not leave.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Rings when mail was noted.
    #[must_use]
    pub fn bell(&self) -> &Notify {
        &self.bell
    }

    /// Forgets the merchants' rules, which somebody may have changed.
    pub fn forget_settings(&self) {
        self.known().clear();
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<MerchantId, Arc<MailSettings>>> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unnoted(&self) -> std::sync::MutexGuard<'_, Vec<(Claimed, Settled)>> {
        self.unnoted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A merchant's rules, as they were a moment ago.
    async fn settings(
        &self,
        store: &Store,
        merchant: &MerchantId,
    ) -> Result<Arc<MailSettings>, Refused> {
        if let Some(settings) = self.known().get(merchant) {
            return Ok(Arc::clone(settings));
        }
        self.settings_in(&mut *store.read().await?, merchant).await
    }

    /// The same, read with a connection that is open already.
    async fn settings_in(
        &self,
        connection: &mut AnyConnection,
        merchant: &MerchantId,
    ) -> Result<Arc<MailSettings>, Refused> {
        if let Some(settings) = self.known().get(merchant) {
            return Ok(Arc::clone(settings));
        }
        let found = key::load_merchant(connection, merchant).await?;
        let settings = Arc::new(found.map(|merchant| merchant.mail).unwrap_or_default());
        self.known().insert(merchant.clone(), Arc::clone(&settings));
        Ok(settings)
    }
}

/// What a round of sending came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Mails that were dealt with.
    pub done: usize,
    /// Why the rest was not: nobody takes mail at the moment.
    pub unreachable: Option<String>,
}

impl Engine {
    /// The same engine, with mail to customers.
    #[must_use]
    pub fn with_post(mut self, post: Option<Arc<Post>>) -> Self {
        self.post = post;
        self
    }

    /// A merchant's rules for mail; `None` where customers get none, which costs a comparison.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn mail_settings(
        &self,
        scope: &Scope,
    ) -> Result<Option<Arc<MailSettings>>, Refused> {
        let Some(post) = &self.post else {
            return Ok(None);
        };
        let settings = post.settings(&self.store, &scope.merchant).await?;
        Ok(Some(settings).filter(|settings| settings.enabled))
    }

    /// Notes the mails that an event about a payment method causes, in its transaction: for where no
    /// booking does.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn note_mails_of(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        kind: &str,
        method: &PaymentMethod,
    ) -> Result<(), Refused> {
        let Some(post) = &self.post else {
            return Ok(());
        };
        let settings = post.settings_in(&mut *connection, &scope.merchant).await?;
        let at = self.now();
        let telling = Telling {
            kind,
            place: 0,
            at,
            settings: &settings,
        };
        for wanted in cause::of_payment_method(&telling, method) {
            let id = MailId::new(&mut self.ids());
            outbox::insert_if_reachable(&mut *connection, scope, &id, at, &wanted).await?;
        }
        Ok(())
    }

    /// Tells whoever sends mail that there is some.
    pub(crate) fn ring_for_mail(&self) {
        if let Some(post) = &self.post {
            post.bell.notify_one();
        }
    }

    /// Sends at most `limit` of the mails that are due. What a mail server refuses for a time is tried
    /// again with growing pauses, what it refuses for good is set aside with its words.
    ///
    /// # Errors
    /// When the database fails. What became of mails by then is kept in mind and noted by the next call,
    /// which sends nothing before; if the process dies first, they are due again when their claim ends.
    pub async fn send_mails(&self, limit: u32) -> Result<Round, Refused> {
        let Some(post) = &self.post else {
            return Ok(Round::default());
        };
        self.note_unnoted(post).await?;
        let now = self.now();
        let until = Timestamp(now.0.saturating_add(CLAIM_SECONDS));
        let mut tx = self.store.begin().await?;
        let claimed = outbox::claim(tx.connection(), now, until, limit).await?;
        tx.commit().await?;
        let (mut round, mut refused) = (Round::default(), 0);
        let mut waiting = claimed.into_iter();
        let mut running = JoinSet::new();
        loop {
            while running.len() < CONCURRENT_MAX
                && round.unreachable.is_none()
                && let Some(mail) = waiting.next()
            {
                let (engine, post) = (self.clone(), Arc::clone(post));
                running.spawn(async move {
                    let settled = engine.send_one(&post, &mail).await;
                    (mail, settled)
                });
            }
            let Some(sent) = running.join_next().await else {
                break;
            };
            let (mail, settled) = match sent {
                Ok(sent) => sent,
                Err(error) => {
                    tracing::error!(%error, "sending a mail broke off");
                    continue;
                }
            };
            let settled = settled.unwrap_or_else(|error| {
                tracing::error!(mail = %mail.id, %error, "a mail could not be written");
                match error.is_outage() {
                    true => Settled::Unsent {
                        reason: error.to_string(),
                        at: now,
                    },
                    false => later(&mail, error.to_string(), now),
                }
            });
            match &settled {
                Settled::Unsent { reason, .. } => round.unreachable = Some(reason.clone()),
                Settled::SetAside { .. } => {
                    round.done += 1;
                    refused += 1;
                }
                _ => round.done += 1,
            }
            self.note_or_keep(post, mail, settled).await;
        }
        for mail in waiting {
            let reason = round.unreachable.clone().unwrap_or_default();
            let unsent = Settled::Unsent { reason, at: now };
            self.note_or_keep(post, mail, unsent).await;
        }
        self.note_unnoted(post).await?;
        if round.done > 0 {
            failure::tally(&self.store, TALLY, round.done - refused, refused).await?;
        }
        Ok(round)
    }

    /// Notes what became of a mail, or keeps it in mind while the database is out of reach: what has left
    /// must not leave again because that could not be written down.
    async fn note_or_keep(&self, post: &Post, mail: Claimed, settled: Settled) {
        // After one failure the others are not tried before the next round.
        let failing = !post.unnoted().is_empty();
        if failing || self.note_mail(&mail, &settled).await.is_err() {
            post.unnoted().push((mail, settled));
        }
    }

    /// Notes what became of a mail. What the database refuses for good, such as words of a mail server
    /// that it can't hold, is not asked of it again: it would keep all other mail from leaving. That mail
    /// is due again when its claim ends.
    async fn note_mail(&self, mail: &Claimed, settled: &Settled) -> Result<(), Refused> {
        match self.settle_mail(mail, settled).await {
            Err(error) if !error.is_outage() && !error.is_overtaken() => {
                tracing::error!(mail = %mail.id, %error, "what became of a mail can't be noted");
                Ok(())
            }
            noted => noted,
        }
    }

    /// Notes what was kept in mind. At most a round's mails, because nothing is sent before.
    async fn note_unnoted(&self, post: &Post) -> Result<(), Refused> {
        let mut kept = std::mem::take(&mut *post.unnoted());
        while let Some((mail, settled)) = kept.pop() {
            if let Err(error) = self.note_mail(&mail, &settled).await {
                kept.push((mail, settled));
                post.unnoted().append(&mut kept);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Sends a mail whose moment has come by a test clock. The engine stands at that moment.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn send_mail_by_clock(
        &self,
        scope: &Scope,
        id: &MailId,
    ) -> Result<(), Refused> {
        let until = Timestamp(self.real_now().0.saturating_add(CLAIM_SECONDS));
        let mut tx = self.store.begin().await?;
        let claimed = outbox::claim_by_clock(tx.connection(), scope, id, until).await?;
        tx.commit().await?;
        let Some(mail) = claimed else { return Ok(()) };
        let settled = match &self.post {
            Some(post) => self.send_one(post, &mail).await?,
            None => Settled::Skipped {
                reason: "mail is off".into(),
            },
        };
        self.settle_mail(&mail, &settled).await
    }

    /// Writes one mail and hands it over.
    async fn send_one(&self, post: &Post, mail: &Claimed) -> Result<Settled, Refused> {
        let composed = match self.compose(post, mail).await? {
            Ok(composed) => composed,
            Err(reason) => {
                return Ok(Settled::Skipped {
                    reason: reason.into(),
                });
            }
        };
        let Composed {
            message,
            recipient,
            leaves,
        } = composed;
        let now = self.real_now();
        Ok(match deliver(post, mail, message, leaves).await {
            Delivery::Delivered => Settled::Sent { recipient },
            Delivery::Later(reason) => later(mail, reason, now),
            Delivery::Refused(reason) => Settled::SetAside { reason },
            Delivery::Unreachable(reason) => Settled::Unsent { reason, at: now },
        })
    }

    async fn settle_mail(&self, mail: &Claimed, settled: &Settled) -> Result<(), Refused> {
        match settled {
            Settled::SetAside { reason } => {
                tracing::error!(mail = %mail.id, kind = mail.kind.name(), reason, "a mail is set aside");
            }
            Settled::Later { reason, .. } => {
                tracing::warn!(mail = %mail.id, kind = mail.kind.name(), reason, "a mail waits");
            }
            settled => tracing::debug!(mail = %mail.id, kind = mail.kind.name(), ?settled, "mail"),
        }
        let mut tx = self.store.begin().await?;
        let kept = outbox::settle(tx.connection(), mail, settled, self.real_now()).await?;
        tx.commit().await?;
        if !kept {
            tracing::warn!(mail = %mail.id, "a mail was taken over by another worker meanwhile");
        }
        Ok(())
    }

    /// The next moment at which a mail is due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_mail_due_at(&self) -> Result<Option<Timestamp>, Refused> {
        let mut read = self.store.read().await?;
        Ok(outbox::next_due_at(&mut read).await?)
    }
}

async fn deliver(post: &Post, mail: &Claimed, message: Message, leaves: bool) -> Delivery {
    match post.carrier.as_ref().filter(|_| leaves) {
        Some(carrier) => carrier.deliver(message).await,
        None => {
            let (id, created) = (mail.name(), mail.created.0);
            let text = message.formatted();
            post.folder
                .deliver(mail.scope.livemode, &id, created, text)
                .await
        }
    }
}

/// When a mail that was refused for a time is tried again, or that it is not.
fn later(mail: &Claimed, reason: String, now: Timestamp) -> Settled {
    let refusals = usize::try_from(mail.refusals).unwrap_or(usize::MAX);
    match PAUSES_SECONDS.get(refusals) {
        Some(pause) => Settled::Later {
            reason,
            at: Timestamp(now.0.saturating_add(*pause)),
        },
        None => Settled::SetAside { reason },
    }
}
