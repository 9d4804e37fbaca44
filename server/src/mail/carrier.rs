//! The ways out: a mail server, or a folder.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use lettre::Message;

use super::smtp::Smtp;

/// What came of handing a mail over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It was taken.
    Delivered,
    /// Not now: this mail may be taken later.
    Later(String),
    /// Never: this mail will not be taken as it is.
    Refused(String),
    /// Nobody was there to take anything, or they don't know us. No mail's fault.
    Unreachable(String),
}

/// Where mail goes, as an operator says it.
#[derive(Clone, PartialEq, Eq)]
pub enum MailUrl {
    /// Nowhere: customers get no mail, and none is noted.
    Off,
    /// Into a folder.
    Folder(PathBuf),
    /// To a mail server. Holds its password, so it is not shown.
    Smtp(String),
}

impl fmt::Debug for MailUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Folder(path) => write!(f, "maildir:{}", path.display()),
            Self::Smtp(url) => write!(f, "{}:…", url.split(':').next().unwrap_or_default()),
        }
    }
}

impl FromStr for MailUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        if let Some(path) = text.strip_prefix("maildir:") {
            let path = path.trim_start_matches("//");
            if path.is_empty() {
                return Err("a folder must follow maildir:".to_owned());
            }
            return Ok(Self::Folder(PathBuf::from(path)));
        }
        let known = ["smtp://", "smtps://", "smtp+starttls://"];
        if !known.iter().any(|scheme| text.starts_with(scheme)) {
            return Err(
                "it must be smtp://, smtps:// or smtp+starttls:// USER:PASSWORD@HOST:PORT, \
                 maildir:PATH, or off"
                    .to_owned(),
            );
        }
        Smtp::new(text, "localhost")?;
        Ok(Self::Smtp(text.to_owned()))
    }
}

/// A way out of this machine.
#[derive(Clone)]
pub struct Carrier(Smtp);

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Carrier(smtp)")
    }
}

impl Carrier {
    /// To the mail server at `url`, known there as `host`.
    ///
    /// # Errors
    /// When the address can't be used.
    pub fn smtp(url: &str, host: &str) -> Result<Self, String> {
        Smtp::new(url, host).map(Self)
    }

    /// Hands a message over.
    pub async fn deliver(&self, message: Message) -> Delivery {
        self.0.deliver(message).await
    }
}
