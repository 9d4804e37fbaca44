//! The logo on a merchant's documents.

use perennial::id::MerchantId;

use super::{Engine, Refused};
use crate::document::logo::Logo;
use crate::store::logo;

impl Engine {
    /// Keeps the logo for a merchant's documents; an empty file takes it away.
    ///
    /// # Errors
    /// When the file can't be printed; nothing changes then.
    pub async fn keep_logo(&self, merchant: &MerchantId, file: Vec<u8>) -> Result<(), Refused> {
        if !file.is_empty() {
            Logo::read(file.clone())
                .map_err(|error| Refused::invalid("document_logo", error.to_string()))?;
        }
        let mut tx = self.store.begin().await?;
        logo::save(tx.connection(), merchant, &file).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The logo for a merchant's documents. One that can't be read any more is none: a document without it is better
    /// than no document.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn logo(&self, merchant: &MerchantId) -> Result<Option<Logo>, Refused> {
        let file = self.logo_file(merchant).await?;
        Ok(file.and_then(|file| readable(merchant, file)))
    }

    /// The file of that logo.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn logo_file(&self, merchant: &MerchantId) -> Result<Option<Vec<u8>>, Refused> {
        let mut read = self.store.read().await?;
        Ok(logo::load(&mut read, merchant).await?)
    }
}

/// The logo in a merchant's file. One that can't be read any more is none.
pub(super) fn readable(merchant: &MerchantId, file: Vec<u8>) -> Option<Logo> {
    match Logo::trusted(file) {
        Ok(logo) => Some(logo),
        Err(error) => {
            tracing::warn!(%merchant, %error, "a merchant's logo can't be printed");
            None
        }
    }
}
