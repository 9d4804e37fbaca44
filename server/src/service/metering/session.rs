//! Tokens that open the stream of events for a quarter of an hour.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use perennial::calendar::Timestamp;
use perennial::id::MerchantId;
use sha2::Sha256;

use crate::service::{Engine, Refused};
use crate::store::{Scope, installation};

/// What tokens begin with.
pub const TOKEN_PREFIX: &str = "mets_";
/// How long a token opens the stream, in seconds (Stripe: 15 minutes).
const SESSION_SECONDS: i64 = 900;
/// The installation's secret that signs tokens.
const SECRET: &str = "meter_event_sessions";

/// A session of the stream.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Opens the stream.
    pub token: String,
    /// When it was opened.
    pub created: Timestamp,
    /// From when on the token opens nothing.
    pub expires_at: Timestamp,
}

impl Engine {
    /// Opens a session. Nothing is kept: the token says whose it is and until when, and is signed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_usage_session(&self, scope: &Scope) -> Result<Session, Refused> {
        let created = self.now();
        let expires_at = Timestamp(created.0.saturating_add(SESSION_SECONDS));
        let id = format!("mes_{:032x}", self.entropy.bits());
        let says = format!(
            "{}.{}.{}.{}",
            scope.merchant,
            scope.mode(),
            expires_at.0,
            id.get(4..).unwrap_or_default()
        );
        let mac = self
            .signature(says.as_bytes())
            .await?
            .finalize()
            .into_bytes();
        let token = format!("{TOKEN_PREFIX}{}.{}", says, URL_SAFE_NO_PAD.encode(mac));
        Ok(Session {
            id,
            token,
            created,
            expires_at,
        })
    }

    /// Whose a token is, while it lasts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn scope_of_session(&self, token: &str) -> Result<Option<Scope>, Refused> {
        let Some(rest) = token.strip_prefix(TOKEN_PREFIX) else {
            return Ok(None);
        };
        let Some((says, mac)) = rest.rsplit_once('.') else {
            return Ok(None);
        };
        let Ok(mac) = URL_SAFE_NO_PAD.decode(mac) else {
            return Ok(None);
        };
        if self
            .signature(says.as_bytes())
            .await?
            .verify_slice(&mac)
            .is_err()
        {
            return Ok(None);
        }
        let mut parts = says.split('.');
        let (merchant, mode, until) = (parts.next(), parts.next(), parts.next());
        let merchant = merchant.and_then(|text| MerchantId::parse(text).ok());
        let until = until.and_then(|text| text.parse::<i64>().ok());
        let (Some(merchant), Some(until)) = (merchant, until) else {
            return Ok(None);
        };
        if until <= self.now().0 {
            return Ok(None);
        }
        Ok(Some(Scope {
            merchant,
            livemode: mode == Some("1"),
        }))
    }

    async fn signature(&self, says: &[u8]) -> Result<Hmac<Sha256>, Refused> {
        let key = self
            .metering
            .session_key
            .get_or_try_init(|| installation::secret(&self.store, SECRET, &*self.entropy))
            .await?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key)
            .map_err(|error| Refused::Defect(error.to_string()))?;
        mac.update(says);
        Ok(mac)
    }
}
