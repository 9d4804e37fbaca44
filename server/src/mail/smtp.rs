//! A mail server, by SMTP (RFC 5321).

use std::time::Duration;

use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::carrier::Delivery;

/// How long one command may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections to the mail server.
const CONNECTIONS_MAX: u32 = 4;

/// A mail server.
#[derive(Clone)]
pub struct Smtp(AsyncSmtpTransport<Tokio1Executor>);

impl Smtp {
    /// The server at `smtp://` (no encryption), `smtps://` (TLS from the start) or
    /// `smtp+starttls://` (TLS after a greeting, or nothing is sent), known there as `host`.
    ///
    /// # Errors
    /// When the address can't be used. The message holds no password.
    pub fn new(url: &str, host: &str) -> Result<Self, String> {
        let url = match url.strip_prefix("smtp+starttls://") {
            // As the library writes it.
            Some(rest) => format!("smtp://{rest}?tls=required"),
            None => url.to_owned(),
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(&url)
            .map_err(|_| "the address of the mail server can't be used".to_owned())?;
        let transport = builder
            .timeout(Some(PATIENCE))
            .hello_name(ClientId::Domain(host.to_owned()))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS_MAX))
            .build();
        Ok(Self(transport))
    }

    /// Hands a message over. A connection that breaks after the message was sent leaves open whether it
    /// was taken; it is sent again then, under the same Message-ID.
    pub async fn deliver(&self, message: Message) -> Delivery {
        let Err(error) = self.0.send(message).await else {
            return Delivery::Delivered;
        };
        let said = said(&error);
        match error.status().map(u16::from) {
            Some(code) if is_about_us(code) => Delivery::Unreachable(said),
            Some(code) if (400..500).contains(&code) => Delivery::Later(said),
            Some(_) => Delivery::Refused(said),
            // A message that the library won't send will not be sent later either.
            None if error.is_client() => Delivery::Refused(said),
            None => Delivery::Unreachable(said),
        }
    }
}

/// Replies that say something of the server or of our way in, and nothing of the mail: it closes, it
/// wants another password, it wants encryption.
fn is_about_us(code: u16) -> bool {
    matches!(
        code,
        421 | 432 | 454 | 502 | 503 | 504 | 523 | 524 | 530 | 534 | 535 | 538
    )
}

/// An error with its causes, in one line.
fn said(error: &lettre::transport::smtp::Error) -> String {
    const CHARS_MAX: usize = 500;
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(CHARS_MAX)
        .collect()
}
