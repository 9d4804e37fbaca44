//! The logos that merchants print on documents.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use perennial::id::MerchantId;
use sqlx::{AnyConnection, Row as _};

use super::StoreError;

/// A merchant's logo, as the file that it was; nothing where there is none.
///
/// # Errors
/// When the database fails.
pub async fn load(
    connection: &mut AnyConnection,
    merchant: &MerchantId,
) -> Result<Option<Vec<u8>>, StoreError> {
    let row = sqlx::query("select image from merchant_logo where merchant = $1")
        .bind(merchant.as_str())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let image: &str = row.try_get("image")?;
    Ok(STANDARD.decode(image).ok())
}

/// Keeps a merchant's logo in place of the one before; an empty file takes it away.
///
/// # Errors
/// When the database fails.
pub async fn save(
    connection: &mut AnyConnection,
    merchant: &MerchantId,
    file: &[u8],
) -> Result<(), StoreError> {
    if file.is_empty() {
        sqlx::query("delete from merchant_logo where merchant = $1")
            .bind(merchant.as_str())
            .execute(connection)
            .await?;
        return Ok(());
    }
    sqlx::query(
        "insert into merchant_logo (merchant, image) values ($1, $2) \
         on conflict (merchant) do update set image = excluded.image",
    )
    .bind(merchant.as_str())
    .bind(STANDARD.encode(file))
    .execute(connection)
    .await?;
    Ok(())
}
