//! Merchants and their API keys.

use perennial::id::{ApiKeyId, MerchantId};
use perennial::theme::Theme;
use sqlx::AnyConnection;

use super::{Engine, Refused};
use crate::merchant::Merchant;
use crate::store::{Scope, StoreError, invoice_prefix, key};

/// A merchant's secret keys, shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeys {
    /// `sk_test_…`
    pub test: String,
    /// `sk_live_…`
    pub live: String,
}

impl std::fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKeys(…)")
    }
}

impl Engine {
    /// Adds a merchant with a key for each mode.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn create_merchant(&self, name: &str) -> Result<(Merchant, ApiKeys), Refused> {
        let now = self.now();
        let merchant = Merchant {
            id: MerchantId::new(&mut self.ids()),
            name: name.to_owned(),
            address: None,
            support_email: None,
            tax_id: None,
            invoice_footer: None,
            theme: Theme {
                display_name: name.to_owned(),
                ..Theme::default()
            },
            frame_ancestors: Vec::new(),
            retries: perennial::dunning::RetryPolicy::default(),
            mail: crate::mail::MailSettings::default(),
            draft_seconds: crate::merchant::DRAFT_SECONDS,
            upcoming_days: 0,
            numbering: crate::merchant::InvoiceNumbering::default(),
            invoice_prefix: None,
            currency: None,
            created: now,
        };
        let secret = || format!("{:032x}{:032x}", self.entropy.bits(), self.entropy.bits());
        let keys = ApiKeys {
            test: format!("sk_test_{}", secret()),
            live: format!("sk_live_{}", secret()),
        };
        let mut tx = self.store.begin().await?;
        key::insert_merchant(&self.store, tx.connection(), &merchant).await?;
        for (livemode, secret) in [(false, &keys.test), (true, &keys.live)] {
            let scope = Scope {
                merchant: merchant.id.clone(),
                livemode,
            };
            let id = ApiKeyId::new(&mut self.ids());
            key::insert_api_key(tx.connection(), &scope, id.as_str(), secret, now).await?;
        }
        tx.commit().await?;
        Ok((merchant, keys))
    }

    /// Changes a merchant: its brand, its imprint, who may frame its portal.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is none; names the invoice prefix where a customer has or had it;
    /// when the store fails.
    pub async fn update_merchant(
        &self,
        id: &MerchantId,
        change: impl Fn(&mut Merchant),
    ) -> Result<Merchant, Refused> {
        let mut tx = self.store.begin().await?;
        let found = key::load_merchant(tx.connection(), id).await?;
        let mut merchant = found.ok_or_else(|| Refused::not_found("account", id.as_str()))?;
        let before = (merchant.number_prefix(), merchant.numbering);
        change(&mut merchant);
        if (merchant.number_prefix(), merchant.numbering) != before {
            take_prefix(tx.connection(), &merchant).await?;
        }
        key::update_merchant(tx.connection(), &merchant).await?;
        tx.commit().await?;
        if let Some(post) = &self.post {
            post.forget_settings();
        }
        Ok(merchant)
    }
}

/// Takes the prefix of the account's invoice numbers for the account itself, in both modes, so that no
/// customer counts with it, now or later. Refuses one that a customer has or had.
async fn take_prefix(connection: &mut AnyConnection, merchant: &Merchant) -> Result<(), Refused> {
    let prefix = merchant.number_prefix();
    for livemode in [false, true] {
        let taken = sqlx::query(invoice_prefix::TAKE)
            .bind(merchant.id.as_str())
            .bind(i64::from(livemode))
            .bind(prefix.as_str())
            .bind(merchant.id.as_str())
            .execute(&mut *connection)
            .await
            .map_err(StoreError::from)?;
        if taken.rows_affected() == 0 {
            let mode = if livemode { "live" } else { "test" };
            let message = format!(
                "The invoice prefix {prefix} is or was a customer's in {mode} mode, and their \
                 invoice numbers would meet. Choose another one."
            );
            return Err(Refused::invalid("invoice_prefix", message));
        }
    }
    Ok(())
}
