//! A letter in its envelope: the message that leaves, by the rules of mail.

use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

/// What stands outside.
#[derive(Clone, Debug)]
pub struct Outside<'a> {
    /// `mail_…`; the message's own name is made of it, so that a copy after a crash is known as one.
    pub id: &'a str,
    /// The host in the message's name.
    pub host: &'a str,
    /// From whom.
    pub sender_name: &'a str,
    /// From which address.
    pub sender: &'a str,
    /// Where answers go.
    pub reply_to: Option<&'a str>,
    /// To whom.
    pub recipient_name: Option<&'a str>,
    /// To which address.
    pub recipient: &'a str,
    /// One line.
    pub subject: &'a str,
    /// When it leaves, seconds since 1970.
    pub date: i64,
    /// Its language.
    pub language: &'a str,
    /// Where a mail program can stop mails of this kind by itself (RFC 8058).
    pub unsubscribe_url: Option<&'a str>,
}

/// A document that comes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enclosed {
    /// Its file name.
    pub name: String,
    /// A PDF.
    pub pdf: Vec<u8>,
}

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// An address that no server would take.
    #[error("the address {0:?} can't be used")]
    Address(String),
    /// Anything else.
    #[error("the message can't be written: {0}")]
    Message(#[from] lettre::error::Error),
    /// A type of content that is none.
    #[error("the message can't be written: {0}")]
    Content(String),
}

/// Puts both forms of a letter, and what comes with it, into a message.
///
/// # Errors
/// When an address can't be used.
pub fn message(
    outside: &Outside<'_>,
    plain: String,
    html: String,
    enclosed: Option<Enclosed>,
) -> Result<Message, EnvelopeError> {
    let date = u64::try_from(outside.date).unwrap_or(0);
    let date = std::time::UNIX_EPOCH + std::time::Duration::from_secs(date);
    let mut builder = Message::builder()
        .message_id(Some(format!("<{}@{}>", outside.id, outside.host)))
        .date(date)
        .from(mailbox(Some(outside.sender_name), outside.sender)?)
        .to(mailbox(outside.recipient_name, outside.recipient)?)
        .subject(outside.subject)
        .header(MIME_VERSION_1_0)
        // Machines wrote it: other machines must not answer (RFC 3834).
        .raw_header(raw("Auto-Submitted", "auto-generated"))
        .raw_header(raw("Content-Language", outside.language));
    if let Some(address) = outside.reply_to {
        builder = builder.reply_to(mailbox(Some(outside.sender_name), address)?);
    }
    if let Some(url) = outside.unsubscribe_url {
        builder = builder
            .raw_header(raw("List-Unsubscribe", &format!("<{url}>")))
            .raw_header(raw("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
    }
    let letter = MultiPart::alternative_plain_html(plain, html);
    let Some(enclosed) = enclosed else {
        return Ok(builder.multipart(letter)?);
    };
    let pdf = ContentType::parse("application/pdf");
    let pdf = pdf.map_err(|error| EnvelopeError::Content(error.to_string()))?;
    let document: SinglePart = Attachment::new(enclosed.name).body(enclosed.pdf, pdf);
    let whole = MultiPart::mixed().multipart(letter).singlepart(document);
    Ok(builder.multipart(whole)?)
}

fn mailbox(name: Option<&str>, address: &str) -> Result<Mailbox, EnvelopeError> {
    let parsed: Address = address
        .trim()
        .parse()
        .map_err(|_| EnvelopeError::Address(address.to_owned()))?;
    let plain = |name: &str| {
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        name.trim().to_owned()
    };
    let name = name.map(plain).filter(|name| !name.is_empty());
    Ok(Mailbox::new(name, parsed))
}

/// A header of plain ASCII.
fn raw(name: &'static str, value: &str) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str(name);
    let value: String = value.chars().filter(|c| !c.is_control()).collect();
    HeaderValue::new(name, value)
}
