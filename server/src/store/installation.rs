//! What belongs to the installation as a whole: secrets that it makes for itself, once.

use sqlx::Row;

use super::{Store, StoreError};
use crate::clock::Entropy;

/// The key under which the sandbox makes fingerprints of card numbers.
pub const FINGERPRINTS: &str = "sandbox_fingerprints";
/// What the demo's API key is derived from.
pub const DEMO_KEY: &str = "demo_api_key";

/// The keys of links that open single documents: this, then a number for each change.
const LINK_KEY: &str = "link_key_";

/// The newest two keys of links, newest first; the first is made when it is first asked for.
///
/// # Errors
/// When the database fails or a row can't be read.
pub async fn link_keys(store: &Store, entropy: &dyn Entropy) -> Result<Vec<[u8; 32]>, StoreError> {
    let newest = newest_link_key(store).await?.unwrap_or(1);
    let mut keys = Vec::with_capacity(2);
    for number in [newest, newest.saturating_sub(1)] {
        if number > 0 {
            let name = format!("{LINK_KEY}{number:06}");
            keys.push(secret(store, &name, entropy).await?);
        }
    }
    Ok(keys)
}

/// Makes a new key for links. Those of the key before go on working until the next change.
///
/// # Errors
/// When the database fails.
pub async fn change_link_key(store: &Store, entropy: &dyn Entropy) -> Result<u32, StoreError> {
    let next = newest_link_key(store).await?.unwrap_or(0).saturating_add(1);
    secret(store, &format!("{LINK_KEY}{next:06}"), entropy).await?;
    Ok(next)
}

async fn newest_link_key(store: &Store) -> Result<Option<u32>, StoreError> {
    let mut read = store.read().await?;
    let row = sqlx::query(
        "select name from installation where name >= $1 and name < $2 order by name desc limit 1",
    )
    .bind(LINK_KEY)
    .bind("link_key~")
    .fetch_optional(&mut *read)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let name: String = row.try_get("name")?;
    Ok(name.trim_start_matches(LINK_KEY).parse().ok())
}

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
