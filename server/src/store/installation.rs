//! What belongs to the installation as a whole: secrets that it makes for itself, once.

use sqlx::Row;

use super::{Store, StoreError};
use crate::clock::Entropy;

/// The key under which the sandbox makes fingerprints of card numbers.
pub const FINGERPRINTS: &str = "sandbox_fingerprints";
/// What the demo's API key is derived from.
pub const DEMO_KEY: &str = "demo_api_key";

/// A secret of 256 bits by its name, made when it is first asked for.
///
/// # Errors
/// When the database fails or the row can't be read.
pub async fn secret(
    store: &Store,
    name: &str,
    entropy: &dyn Entropy,
) -> Result<[u8; 32], StoreError> {
    let fresh = format!("{:032x}{:032x}", entropy.bits(), entropy.bits());
    let mut tx = store.begin().await?;
    // Whoever comes first, even another process: all read the same one afterwards.
    sqlx::query(
        "insert into installation (name, value) values ($1, $2) on conflict (name) do nothing",
    )
    .bind(name)
    .bind(fresh)
    .execute(tx.connection())
    .await?;
    let row = sqlx::query("select value from installation where name = $1")
        .bind(name)
        .fetch_one(tx.connection())
        .await?;
    let text: String = row.try_get("value")?;
    tx.commit().await?;
    decode(&text).ok_or_else(|| StoreError::Unreadable {
        kind: "installation",
        id: name.to_owned(),
        reason: "it is not 64 hexadecimal digits".to_owned(),
    })
}

fn decode(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0_u8; 32];
    if text.len() != 64 {
        return None;
    }
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(n * 2..n * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{FINGERPRINTS, secret};
    use crate::clock::SystemEntropy;
    use crate::store::tests::both;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_secret_stays_the_same() {
        both(|store| async move {
            let first = secret(&store, FINGERPRINTS, &SystemEntropy).await.unwrap();
            assert_ne!(first, [0; 32]);
            assert_eq!(
                secret(&store, FINGERPRINTS, &SystemEntropy).await.unwrap(),
                first
            );
            assert_ne!(
                secret(&store, "another", &SystemEntropy).await.unwrap(),
                first
            );
        })
        .await;
    }
}
