//! Portal sessions: made for a customer by the merchant's program, entered once through a link, and
//! visited with a cookie until they end.

use perennial::calendar::Timestamp;
use perennial::customer::Customer;
use perennial::id::{CustomerId, PortalConfigurationId, PortalSessionId, SubscriptionId};
use perennial::portal::{Flow, PortalConfiguration, PortalSession};
use perennial::subscription::Subscription;
use perennial::test_clock::TestClock;
use sqlx::AnyConnection;

use super::{Engine, Refused};
use crate::merchant::Merchant;
use crate::rendering;
use crate::store::Scope;
use crate::store::document::{self, Document, Stored};
use crate::store::key::{self, PortalKeyKind};

/// How long a link can be used, in seconds (Stripe: 5 minutes).
pub const LINK_SECONDS: i64 = 5 * 60;
/// How long a visit lasts after the last page, in seconds (Stripe: 1 hour).
pub const VISIT_IDLE_SECONDS: i64 = 60 * 60;
/// How long a visit lasts at most after its session was made, in seconds.
pub const VISIT_SECONDS_MAX: i64 = 12 * 60 * 60;
/// A visit is prolonged when it was last prolonged so many seconds ago, so that most pages only
/// read.
const PROLONG_AFTER_SECONDS: i64 = 5 * 60;
/// The longest address to return to, in bytes.
const URL_BYTES_MAX: usize = 2_048;

/// The languages that Stripe's `locale` names. Those that we don't speak are shown in English.
const LOCALES: &[&str] = &[
    "bg", "cs", "da", "de", "el", "en", "en-AU", "en-CA", "en-GB", "en-IE", "en-IN", "en-NZ",
    "en-SG", "es", "es-419", "et", "fi", "fil", "fr", "fr-CA", "hr", "hu", "id", "it", "ja", "ko",
    "lt", "lv", "ms", "mt", "nb", "nl", "pl", "pt", "pt-BR", "ro", "ru", "sk", "sl", "sv", "th",
    "tr", "vi", "zh", "zh-HK", "zh-TW",
];

/// What a session is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPortalSession {
    /// Who is to visit.
    pub customer: CustomerId,
    /// Under which rules; `None` uses the default ones.
    pub configuration: Option<PortalConfigurationId>,
    /// Where "Back to …" leads.
    pub return_url: Option<String>,
    /// An IETF tag that Stripe knows, or `auto`.
    pub locale: Option<String>,
    /// Straight to one task.
    pub flow: Option<Flow>,
}

/// What came of a link.
pub enum Opened {
    /// The door is open: the secret for the visitor's cookie, and the session.
    Visit {
        /// For the cookie; kept only as a hash.
        secret: String,
        /// What is visited.
        session: PortalSession,
    },
    /// The link was used before or is too old. Says whose page to show, if it ever was a link.
    Dead {
        /// Whose portal it led to.
        merchant: Option<Box<Merchant>>,
        /// The session that it led to. Grants nothing.
        session: Option<PortalSession>,
    },
}

/// A visitor with all that decides what they see and may do, read at once.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Whose rows.
    pub scope: Scope,
    /// The session.
    pub session: PortalSession,
    /// Who visits.
    pub customer: Stored<Customer>,
    /// The rules.
    pub configuration: PortalConfiguration,
    /// Whose portal.
    pub merchant: Merchant,
    /// Until when the visit lasts as it stands.
    pub expires_at: Timestamp,
    /// The test clock that the customer's time follows.
    pub test_clock: Option<TestClock>,
}

impl Engine {
    /// Makes a session, and the secret of its link: `{public_url}/p/{secret}`.
    ///
    /// # Errors
    /// When the customer, configuration or subscription is not there, the configuration doesn't
    /// allow the flow, or an address or language can't be used.
    pub async fn create_portal_session(
        &self,
        scope: &Scope,
        new: NewPortalSession,
    ) -> Result<(Stored<PortalSession>, String), Refused> {
        self.create_portal_session_lasting(scope, new, LINK_SECONDS)
            .await
    }

    /// As [`Engine::create_portal_session`], with a link that can be used for `link_seconds`.
    ///
    /// # Errors
    /// As there.
    pub async fn create_portal_session_lasting(
        &self,
        scope: &Scope,
        new: NewPortalSession,
        link_seconds: i64,
    ) -> Result<(Stored<PortalSession>, String), Refused> {
        check_url("return_url", new.return_url.as_deref())?;
        let locale = read_locale(new.locale.as_deref())?;
        // Visits end in real time, also those of customers whose own time is a test clock's.
        let now = self.real_now();
        let secret = self.secret();
        let default = match &new.configuration {
            Some(_) => None,
            None => Some(self.default_portal_configuration(scope).await?.value),
        };
        let mut read = self.store.read().await?;
        let customer: Stored<Customer> =
            named(&mut read, scope, new.customer.as_str(), "customer").await?;
        if customer.deleted {
            return Err(missing::<Customer>(new.customer.as_str(), "customer"));
        }
        let configuration = match (default, &new.configuration) {
            (None, Some(id)) => rules(&mut read, scope, id).await?,
            (Some(default), _) => default,
            (None, None) => return Err(Refused::Defect("no portal configuration".to_owned())),
        };
        let flow = new.flow.as_ref();
        check_flow(&mut read, scope, flow, &customer.id, &configuration).await?;
        drop(read);
        let session = PortalSession {
            id: PortalSessionId::new(&mut self.ids()),
            customer: new.customer,
            configuration: configuration.id.clone(),
            locale,
            return_url: new
                .return_url
                .or_else(|| configuration.default_return_url.clone()),
            flow: new.flow,
            created: now,
        };
        let (session, link_secret) = (&session, &secret);
        let session = self
            .retrying(|| async move {
                let mut tx = self.store.begin().await?;
                let (connection, session) = (tx.connection(), session.clone());
                let session =
                    document::insert(&self.store, connection, scope, session, now).await?;
                // Without the link: who reads events is not thereby let in.
                let object = rendering::portal_session(&session, "", scope.livemode);
                let kind = "billing_portal.session.created";
                self.emit(connection, scope, kind, object, None).await?;
                let until = Timestamp(now.0.saturating_add(link_seconds));
                let (link, id) = (PortalKeyKind::Link, &session.id);
                key::insert_portal_key(connection, scope, link, link_secret, id, until).await?;
                tx.commit().await?;
                Ok(session)
            })
            .await?;
        Ok((session, secret))
    }

    /// Exchanges a link's secret for a visit's: once, whoever comes first.
    ///
    /// # Errors
    /// When the store fails; the link is not used up then.
    pub async fn open_link(&self, secret: &str) -> Result<Opened, Refused> {
        self.retrying(|| self.open_link_once(secret)).await
    }

    async fn open_link_once(&self, secret: &str) -> Result<Opened, Refused> {
        let now = self.real_now();
        let mut tx = self.store.begin().await?;
        let connection = tx.connection();
        let Some((scope, id)) = key::use_link(connection, secret, now).await? else {
            drop(tx);
            return self.dead(secret).await;
        };
        let session: Option<Stored<PortalSession>> =
            document::load(connection, &scope, id.as_str()).await?;
        let Some(session) = session else {
            drop(tx);
            return self.dead(secret).await;
        };
        let visit = self.secret();
        // Even a link that lived long opens for a whole visit, which then is not prolonged.
        let until = Timestamp(now.0.saturating_add(VISIT_IDLE_SECONDS));
        let kind = PortalKeyKind::Visit;
        key::insert_portal_key(connection, &scope, kind, &visit, &id, until).await?;
        tx.commit().await?;
        Ok(Opened::Visit {
            secret: visit,
            session: session.value,
        })
    }

    /// What a link that no longer works once led to.
    async fn dead(&self, secret: &str) -> Result<Opened, Refused> {
        let mut read = self.store.read().await?;
        let Some((scope, id)) = key::session_of_link(&mut read, secret).await? else {
            return Ok(Opened::Dead {
                merchant: None,
                session: None,
            });
        };
        let session: Option<Stored<PortalSession>> =
            document::load(&mut read, &scope, id.as_str()).await?;
        let merchant = key::load_merchant(&mut read, &scope.merchant).await?;
        Ok(Opened::Dead {
            merchant: merchant.map(Box::new),
            session: session.map(|session| session.value),
        })
    }

    /// Who comes with this secret in the cookie, if the visit still lasts; prolongs it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn visit(&self, secret: &str) -> Result<Option<Visit>, Refused> {
        let now = self.real_now();
        let found = {
            let mut read = self.store.read().await?;
            key::visit_with_all(&mut read, secret, now).await?
        };
        let Some(visit) = found.filter(|visit| !visit.customer.deleted) else {
            return Ok(None);
        };
        let end = visit_end(&visit.session, now);
        if end.0.saturating_sub(visit.expires_at.0) >= PROLONG_AFTER_SECONDS {
            let mut tx = self.store.begin().await?;
            key::prolong_visit(tx.connection(), secret, end).await?;
            tx.commit().await?;
        }
        Ok(Some(visit))
    }

    /// The visit that a session stands for, however it was entered.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn visit_of(
        &self,
        scope: &Scope,
        session: &PortalSessionId,
    ) -> Result<Option<Visit>, Refused> {
        let mut read = self.store.read().await?;
        Ok(key::visit_of(&mut read, scope, session).await?)
    }

    /// Ends a session: its visits and, if it was not used, its link.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_portal_session(
        &self,
        scope: &Scope,
        session: &PortalSessionId,
    ) -> Result<(), Refused> {
        let mut tx = self.store.begin().await?;
        key::end_visits(tx.connection(), scope, session).await?;
        tx.commit().await?;
        Ok(())
    }

    /// 256 random bits as 64 hexadecimal digits.
    pub(crate) fn secret(&self) -> String {
        let (high, low) = (self.entropy.bits(), self.entropy.bits());
        format!("{high:032x}{low:032x}")
    }
}

/// Until when a visit is prolonged by what is asked for now.
fn visit_end(session: &PortalSession, now: Timestamp) -> Timestamp {
    let idle = now.0.saturating_add(VISIT_IDLE_SECONDS);
    let cap = session.created.0.saturating_add(VISIT_SECONDS_MAX);
    Timestamp(idle.min(cap))
}

/// Reads what a parameter names.
async fn named<T: Document>(
    connection: &mut AnyConnection,
    scope: &Scope,
    id: &str,
    param: &str,
) -> Result<Stored<T>, Refused> {
    let found = document::load(connection, scope, id).await?;
    found.ok_or_else(|| missing::<T>(id, param))
}

fn missing<T: Document>(id: &str, param: &str) -> Refused {
    Refused::NotFound {
        kind: T::KIND,
        id: id.to_owned(),
        param: Some(param.to_owned()),
    }
}

/// The rules that a session names.
async fn rules(
    connection: &mut AnyConnection,
    scope: &Scope,
    id: &PortalConfigurationId,
) -> Result<PortalConfiguration, Refused> {
    let found: Stored<PortalConfiguration> =
        named(connection, scope, id.as_str(), "configuration").await?;
    if found.active {
        return Ok(found.value);
    }
    Err(Refused::invalid(
        "configuration",
        "This portal configuration is inactive. Activate it, or use another one.",
    ))
}

/// Checks that the flow's subscription is the customer's and that the rules allow the task.
async fn check_flow(
    connection: &mut AnyConnection,
    scope: &Scope,
    flow: Option<&Flow>,
    customer: &CustomerId,
    rules: &PortalConfiguration,
) -> Result<(), Refused> {
    let features = &rules.features;
    let (allowed, feature, subscription): (bool, &str, Option<(&SubscriptionId, &str)>) = match flow
    {
        None => return Ok(()),
        Some(Flow::PaymentMethodUpdate) => (
            features.payment_method_update,
            "payment_method_update",
            None,
        ),
        Some(Flow::SubscriptionCancel { subscription, .. }) => (
            features.subscription_cancel.is_some(),
            "subscription_cancel",
            Some((subscription, "flow_data[subscription_cancel][subscription]")),
        ),
        Some(Flow::SubscriptionUpdate { subscription }) => (
            features.subscription_update.is_some(),
            "subscription_update",
            Some((subscription, "flow_data[subscription_update][subscription]")),
        ),
    };
    if !allowed {
        return Err(Refused::invalid(
            "flow_data[type]",
            format!("The portal configuration has the feature {feature} switched off."),
        ));
    }
    if let Some((id, param)) = subscription {
        let found: Stored<Subscription> = named(connection, scope, id.as_str(), param).await?;
        if found.customer != *customer {
            return Err(missing::<Subscription>(id.as_str(), param));
        }
    }
    Ok(())
}

/// Checks an address that pages will link to: a browser must not find a script in it.
///
/// # Errors
/// Names `param`.
pub fn check_url(param: &str, url: Option<&str>) -> Result<(), Refused> {
    let Some(url) = url else { return Ok(()) };
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let plain = |c: char| c.is_ascii_graphic() && !"\"'<>\\`".contains(c);
    let usable = host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'));
    if usable && url.len() <= URL_BYTES_MAX && url.chars().all(plain) {
        Ok(())
    } else {
        Err(Refused::Invalid {
            param: param.to_owned(),
            code: Some("url_invalid"),
            message: "Not a valid URL: it must begin with https:// or http:// and be at most 2048 characters."
                .to_owned(),
        })
    }
}

fn read_locale(locale: Option<&str>) -> Result<Option<String>, Refused> {
    match locale {
        None | Some("auto") => Ok(None),
        Some(tag) if LOCALES.contains(&tag) => Ok(Some(tag.to_owned())),
        Some(_) => Err(Refused::invalid(
            "locale",
            format!(
                "Invalid locale: must be auto or one of {}",
                LOCALES.join(", ")
            ),
        )),
    }
}

#[cfg(test)]
mod tests;
