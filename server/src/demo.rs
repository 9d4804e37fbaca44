//! A business to try everything with: "Halden", which sells scheduling for workshops and labs.
//!
//! Nothing of it is inserted as finished rows. The engine itself lives through thirteen months with
//! a moving clock: customers join, change their minds, let cards expire, and pay.

mod catalogue;
mod people;
mod rules;
mod story;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use perennial::calendar::Timestamp;
use perennial::customer::{Address, Customer};
use perennial::id::{ApiKeyId, CustomerId, MerchantId};
use perennial::theme::{Appearance, Font, Rgb, Theme};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::clock::{Ids, MovingClock, SeededEntropy};
use crate::gateway::sandbox::Sandbox;
use crate::merchant::Merchant;
use crate::service::portal_sessions::NewPortalSession;
use crate::service::{Engine, Refused};
use crate::store::document::{self, PageRequest, Stored};
use crate::store::{Scope, StoreError, installation, key, mail, nouns};

/// Makes the ids of the demo: the same on every machine, so that screenshots and tests can name
/// them. Secrets are made of real random bits.
const SEED: u128 = 0x0048_616c_6465_6e00;
/// How far back the demo's life begins, in days.
const LIFE_DAYS: i64 = 396;
/// How far back the demo's mail goes, in days.
const MAIL_DAYS: i64 = 40;
/// How long the demo's portal links can be used, in seconds: a working day.
const LINK_SECONDS: i64 = 12 * 3_600;

/// What there is to try.
#[derive(Clone, Debug, Serialize)]
pub struct DemoReport {
    /// `acct_…`
    pub merchant: MerchantId,
    /// What the merchant is called.
    pub merchant_name: String,
    /// A secret key of test mode, the same with each start.
    pub api_key: String,
    /// A portal link for each customer. Each works once.
    pub links: Vec<DemoLink>,
    /// Where the mails to customers are shown.
    pub mail_url: String,
}

/// A way into the portal.
#[derive(Clone, Debug, Serialize)]
pub struct DemoLink {
    /// `cus_…`
    pub customer: CustomerId,
    /// Who it is.
    pub name: String,
    /// What there is to see.
    pub see: &'static str,
    /// Where: works once.
    pub url: String,
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Somebody's real data is there.
    #[error(
        "the demo needs a database of its own, and this one has other merchants: name another one \
         with --database, such as sqlite:data/demo.db"
    )]
    OthersData,
    /// A start was interrupted before the demo was complete.
    #[error(
        "the demo in this database is incomplete because its first start was interrupted: delete \
         the database, or name another one with --database"
    )]
    Incomplete,
    /// The engine refused.
    #[error("the demo could not be made: {0}")]
    Refused(#[from] Refused),
    /// The file for the report.
    #[error("the demo's report could not be written: {0}")]
    Report(#[from] std::io::Error),
}

impl From<StoreError> for DemoError {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

/// Makes the demo if it is not there yet, and fresh ways into it.
///
/// # Errors
/// When the database has other merchants, or an earlier start was interrupted.
pub async fn open(engine: &Engine, origin: &str) -> Result<DemoReport, DemoError> {
    let id = MerchantId::new(&mut Ids(&*SeededEntropy::new(SEED)));
    let scope = Scope {
        merchant: id.clone(),
        livemode: false,
    };
    let merchants = key::merchants(&mut *engine.store.read().await?).await?;
    let found = merchants
        .into_iter()
        .partition::<Vec<_>, _>(|merchant| merchant.id == id);
    let merchant = match found {
        (own, others) if own.is_empty() && others.is_empty() => seed(engine, &scope).await?,
        (own, _) => own.into_iter().next().ok_or(DemoError::OthersData)?,
    };
    let mut connection = engine.store.read().await?;
    let page = PageRequest::first(PageRequest::LIMIT_MAX);
    let customers: Vec<Stored<Customer>> =
        document::list(&mut connection, &scope, nouns::CUSTOMERS, &page, &[])
            .await?
            .rows;
    drop(connection);
    // The rules of the portal are the last thing that is made.
    if !has_rules(engine, &scope).await? {
        return Err(DemoError::Incomplete);
    }
    let api_key = keep_key(engine, &scope).await?;
    let mut links = Vec::new();
    for person in people::ALL {
        let customer = customers
            .iter()
            .find(|row| row.email.as_deref() == Some(person.email));
        let Some(customer) = customer else { continue };
        let new = NewPortalSession {
            customer: customer.id.clone(),
            configuration: None,
            return_url: None,
            locale: None,
            flow: None,
        };
        let (_, secret) = engine
            .create_portal_session_lasting(&scope, new, LINK_SECONDS)
            .await?;
        links.push(DemoLink {
            customer: customer.id.clone(),
            name: person.name.to_owned(),
            see: person.see,
            url: format!("{origin}/p/{secret}"),
        });
    }
    Ok(DemoReport {
        merchant: id,
        merchant_name: merchant.name,
        api_key,
        links,
        mail_url: format!("{origin}/dev/mail"),
    })
}

impl DemoReport {
    /// For whoever started it on a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let widest = self
            .links
            .iter()
            .map(|link| columns(&link.name))
            .max()
            .unwrap_or(0);
        let mut text = format!("\n  {} · {}\n\n", self.merchant_name, self.merchant);
        for link in &self.links {
            let pad = " ".repeat(widest.saturating_sub(columns(&link.name)));
            // Writing to a String can't fail.
            let _ = writeln!(text, "  {}{pad}  {}\n  {}", link.name, link.see, link.url);
        }
        let _ = writeln!(
            text,
            "\n  Each link works once, for twelve hours; a restart prints new ones."
        );
        let _ = writeln!(text, "  Mails to customers: {}", self.mail_url);
        let _ = writeln!(text, "  API key (test mode): {}\n", self.api_key);
        text
    }

    /// Writes it as JSON, for test harnesses; readable by its owner only.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write(&self, path: &Path) -> Result<(), DemoError> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let json = serde_json::to_vec_pretty(self).map_err(std::io::Error::other)?;
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(&json)?;
        Ok(())
    }
}

/// How many columns of a terminal a name takes: Chinese and Japanese characters take two.
fn columns(name: &str) -> usize {
    name.chars()
        .map(|c| {
            if ('\u{2e80}'..='\u{ffef}').contains(&c) {
                2
            } else {
                1
            }
        })
        .sum()
}

async fn has_rules(engine: &Engine, scope: &Scope) -> Result<bool, DemoError> {
    let mut connection = engine.store.read().await?;
    let sql = nouns::PORTAL_CONFIGURATION_DEFAULT;
    let rows: Vec<Stored<perennial::portal::PortalConfiguration>> =
        document::select(&mut connection, scope, sql, &[]).await?;
    Ok(!rows.is_empty())
}

/// The demo's API key: kept as a hash like any other, and made anew with each start from a secret of
/// the installation, so that what was tried yesterday works today and no keys pile up. Whoever reads
/// the database could make it too; it opens nothing but the made-up test data in there.
async fn keep_key(engine: &Engine, scope: &Scope) -> Result<String, DemoError> {
    let (store, entropy) = (&engine.store, &*engine.entropy);
    let seed = installation::secret(store, installation::DEMO_KEY, entropy).await?;
    let secret = Sha256::new()
        .chain_update(scope.merchant.as_str())
        .chain_update(seed)
        .finalize()
        .iter()
        .fold("sk_test_".to_owned(), |mut text, byte| {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
    let id = ApiKeyId::new(&mut engine.ids());
    let mut tx = engine.store.begin().await?;
    key::insert_api_key(tx.connection(), scope, id.as_str(), &secret, engine.now()).await?;
    tx.commit().await?;
    Ok(secret)
}

/// Lives through the demo's months.
async fn seed(engine: &Engine, scope: &Scope) -> Result<Merchant, DemoError> {
    let now = engine.now();
    let start = now
        .add_days(-LIFE_DAYS)
        .map_err(|e| Refused::Defect(e.to_string()))?;
    let merchant = halden(&scope.merchant, start);
    let mut tx = engine.store.begin().await?;
    key::insert_merchant(&engine.store, tx.connection(), &merchant).await?;
    tx.commit().await?;
    let clock = MovingClock::new(start);
    let entropy = SeededEntropy::new(SEED.rotate_left(64));
    let store = engine.store.clone();
    let prints = installation::secret(&store, installation::FINGERPRINTS, &*engine.entropy).await?;
    let bank = Sandbox::new(store.clone(), clock.clone(), entropy.clone(), prints);
    let past =
        Engine::new(store, Arc::new(bank), clock.clone(), entropy).with_post(engine.post.clone());
    story::live(&past, &clock, scope, start, now).await?;
    // Nobody opens a year of mail.
    let recent = now
        .add_days(-MAIL_DAYS)
        .map_err(|e| Refused::Defect(e.to_string()))?;
    mail::forget_unsent(&past.store, scope, recent).await?;
    engine.ring_for_mail();
    Ok(merchant)
}

fn halden(id: &MerchantId, created: Timestamp) -> Merchant {
    Merchant {
        id: id.clone(),
        name: "Halden".to_owned(),
        address: Some(Address {
            line1: Some("14 Fumbally Lane".to_owned()),
            line2: None,
            city: Some("Dublin".to_owned()),
            state: None,
            postal_code: Some("D08 H6X2".to_owned()),
            country: Some("IE".to_owned()),
        }),
        support_email: Some("help@halden.example".to_owned()),
        tax_id: Some("VAT IE6388047V".to_owned()),
        invoice_footer: Some("Halden Software Ltd. Thank you for planning with us.".to_owned()),
        theme: Theme {
            display_name: "Halden".to_owned(),
            logo: Some("/demo/halden.svg".to_owned()),
            logo_dark: Some("/demo/halden-dark.svg".to_owned()),
            brand: Rgb(0x1f, 0x4e, 0x79),
            background: Rgb(0xfb, 0xfa, 0xf7),
            font: Font::Sans,
            radius_px: 10,
            appearance: Appearance::Auto,
        },
        frame_ancestors: Vec::new(),
        retries: perennial::dunning::RetryPolicy::default(),
        mail: crate::mail::MailSettings::default(),
        draft_seconds: crate::merchant::DRAFT_SECONDS,
        upcoming_days: 0,
        numbering: crate::merchant::InvoiceNumbering::default(),
        invoice_prefix: None,
        currency: None,
        created,
    }
}

#[cfg(test)]
mod tests;
