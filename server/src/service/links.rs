//! Links to single documents that open without signing in: `hosted_invoice_url`, `invoice_pdf` and a
//! credit note's `pdf`.
//!
//! A link says what it opens and proves it by a code that only the installation's keys can make
//! (HMAC-SHA-256, 128 bits of it), so nothing is kept for it and nothing about another document can be
//! guessed from it. It opens that document and nothing else of its customer. The keys have numbers: the
//! newest makes links, and the one before still opens them, so that changing the key once lets links in
//! old mails live on, and changing it twice ends them.

use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use perennial::calendar::Timestamp;
use perennial::credit_note::CreditNote;
use perennial::id::{CreditNoteId, InvoiceId, MerchantId};
use perennial::invoice::{Invoice, InvoiceStatus};
use perennial::payment::Card;
use sha2::Sha256;

use super::payments::PaymentResult;
use super::{Engine, Refused};
use crate::merchant::Merchant;
use crate::store::document::{self, Stored};
use crate::store::{Scope, installation, key};

/// How long a process trusts the keys that it has read, in seconds: so long a changed key may take to
/// be known everywhere.
const KEYS_SECONDS: i64 = 60;
/// Digits of a code.
const CODE_DIGITS: usize = 32;

/// The keys, newest first, and when they were read.
#[derive(Clone, Debug, Default)]
struct Keys {
    keys: Vec<[u8; 32]>,
    read_at: Option<Timestamp>,
}

/// The keys that this process knows.
#[derive(Debug, Default)]
pub struct LinkKeys(Mutex<Keys>);

/// Makes the links of one answer.
#[derive(Clone, Debug)]
pub struct Linking {
    key: [u8; 32],
    scope: Scope,
}

impl Linking {
    /// The path of a document's page.
    #[must_use]
    pub fn path(&self, document: &str) -> String {
        let code = code(&self.key, &self.scope, document);
        let mode = mode(self.scope.livemode);
        format!("/i/{}/{mode}/{document}/{code}", self.scope.merchant)
    }

    /// What proves that a browser may look at a payment intent and confirm it: Stripe's
    /// `client_secret`. The same each time, as long as the key is.
    #[must_use]
    pub fn secret(&self, intent: &str) -> String {
        let code = code(&self.key, &self.scope, intent);
        format!("{intent}_secret_{code}")
    }
}

fn mode(livemode: bool) -> &'static str {
    match livemode {
        true => "live",
        false => "test",
    }
}

/// What proves a link.
fn code(key: &[u8; 32], scope: &Scope, document: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return String::new();
    };
    let says = [
        "document",
        scope.merchant.as_str(),
        mode(scope.livemode),
        document,
    ];
    for part in says {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part.as_bytes());
    }
    let bytes = mac.finalize().into_bytes();
    let mut text = String::with_capacity(CODE_DIGITS);
    for byte in bytes.iter().take(CODE_DIGITS / 2) {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Whether two codes are the same; takes as long wherever they differ.
fn same(one: &str, other: &str) -> bool {
    one.len() == CODE_DIGITS
        && one.len() == other.len()
        && one
            .bytes()
            .zip(other.bytes())
            .fold(0, |sum, (a, b)| sum | (a ^ b))
            == 0
}

/// A document that a link opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Whose.
    pub scope: Scope,
    /// Who claims.
    pub merchant: Merchant,
    /// The invoice, or the one that the credit note takes back.
    pub invoice: Stored<Invoice>,
    /// The credit note, where the link is to one.
    pub note: Option<Stored<CreditNote>>,
    /// The card that would pay it.
    pub card: Option<Card>,
}

impl Opened {
    /// Whether there is something to pay.
    #[must_use]
    pub fn is_payable(&self) -> bool {
        let open = matches!(
            self.invoice.status,
            InvoiceStatus::Open | InvoiceStatus::Uncollectible
        );
        self.note.is_none() && open && self.invoice.amount_remaining_minor() > 0
    }
}

impl Engine {
    async fn link_keys(&self) -> Result<Vec<[u8; 32]>, Refused> {
        let now = self.real_now();
        let known = {
            let keys = self.links.0.lock().unwrap_or_else(PoisonError::into_inner);
            keys.clone()
        };
        let fresh = |at: Timestamp| (0..KEYS_SECONDS).contains(&now.0.saturating_sub(at.0));
        if known.read_at.is_some_and(fresh) {
            return Ok(known.keys);
        }
        let keys = installation::link_keys(&self.store, &*self.entropy).await?;
        let mut own = self.links.0.lock().unwrap_or_else(PoisonError::into_inner);
        *own = Keys {
            keys: keys.clone(),
            read_at: Some(now),
        };
        Ok(keys)
    }

    /// What makes the links of a merchant's documents.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn linking(&self, scope: &Scope) -> Result<Linking, Refused> {
        let keys = self.link_keys().await?;
        let key = *keys
            .first()
            .ok_or_else(|| Refused::Defect("there is no key for links".to_owned()))?;
        Ok(Linking {
            key,
            scope: scope.clone(),
        })
    }

    /// Opens the document of a link; `None` where the link proves nothing, or the document is not
    /// there or still a draft.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_document(
        &self,
        merchant: &str,
        mode: &str,
        document: &str,
        proof: &str,
    ) -> Result<Option<Opened>, Refused> {
        let livemode = match mode {
            "live" => true,
            "test" => false,
            _ => return Ok(None),
        };
        let Ok(merchant) = MerchantId::parse(merchant) else {
            return Ok(None);
        };
        let scope = Scope { merchant, livemode };
        let keys = self.link_keys().await?;
        let proves = |key: &[u8; 32]| same(&code(key, &scope, document), proof);
        if !keys.iter().any(proves) {
            return Ok(None);
        }
        let mut read = self.store.read().await?;
        let mut note = None;
        let invoice = match (InvoiceId::parse(document), CreditNoteId::parse(document)) {
            (Ok(id), _) => id,
            (_, Ok(id)) => {
                let found: Option<Stored<CreditNote>> =
                    document::load(&mut read, &scope, id.as_str()).await?;
                let Some(found) = found else { return Ok(None) };
                let invoice = found.invoice.clone();
                note = Some(found);
                invoice
            }
            _ => return Ok(None),
        };
        let invoice: Option<Stored<Invoice>> =
            document::load(&mut read, &scope, invoice.as_str()).await?;
        let merchant = key::load_merchant(&mut read, &scope.merchant).await?;
        drop(read);
        let (Some(invoice), Some(merchant)) = (invoice, merchant) else {
            return Ok(None);
        };
        if invoice.status == InvoiceStatus::Draft {
            return Ok(None);
        }
        let mut opened = Opened {
            scope,
            merchant,
            invoice,
            note,
            card: None,
        };
        if opened.is_payable() {
            let books = self.books(&opened.scope, &opened.invoice.id).await?;
            let own = books.subscription.as_deref();
            let method = self
                .paying_method(&opened.scope, &books.invoice, own, &books.customer, None)
                .await?;
            opened.card = method.map(|method| method.value.card);
        }
        Ok(Some(opened))
    }

    /// Pays the invoice of a link with the card that pays it by default: whoever holds the link may
    /// do what the customer owes anyway, and learns nothing more of the card than its last digits.
    ///
    /// # Errors
    /// [`Refused::State`] when there is nothing to pay or nothing to pay with.
    pub async fn pay_by_link(&self, opened: &Opened) -> Result<PaymentResult, Refused> {
        if !opened.is_payable() {
            return Err(Refused::State {
                code: Some("invoice_not_payable"),
                message: "There is nothing to pay.".to_owned(),
            });
        }
        let (scope, id) = (&opened.scope, &opened.invoice.id);
        self.pay_invoice(scope, id, None, true).await
    }
}

#[cfg(test)]
mod tests;
