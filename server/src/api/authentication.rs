//! Whose call it is: a secret key, as a Bearer token or as the user name of Basic.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::problem::Problem;
use crate::store::{Scope, Store, key};

/// The longest key that is looked up, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// Finds whose key it is.
///
/// # Errors
/// 401 if there is none or it is nobody's.
pub async fn authenticate(store: &Store, headers: &HeaderMap) -> Result<Scope, Problem> {
    let secret = secret(headers).ok_or_else(|| {
        refused(
            "You did not provide an API key. You need to provide your secret key in the \
             Authorization header, using Bearer auth (e.g. 'Authorization: Bearer sk_test_...') or \
             as the user name of Basic auth.",
        )
    })?;
    if secret.starts_with("pk_") {
        return Err(refused(
            "This API call cannot be made with a publishable API key. Please use a secret key.",
        ));
    }
    let well_formed = secret.len() <= KEY_BYTES_MAX && secret.starts_with("sk_");
    let scope = match well_formed {
        true => key::scope_of_api_key(&mut *store.read().await?, &secret).await?,
        false => None,
    };
    scope.ok_or_else(|| refused(format!("Invalid API Key provided: {}", masked(&secret))))
}

fn refused(message: impl Into<String>) -> Problem {
    Problem::invalid(message).status(StatusCode::UNAUTHORIZED)
}

/// The secret in the `Authorization` header.
pub fn secret(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    let secret = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => rest.to_owned(),
        "basic" => {
            let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
            let user = decoded.split(':').next().unwrap_or_default();
            user.to_owned()
        }
        _ => return None,
    };
    (!secret.is_empty()).then_some(secret)
}

/// Enough of a key to recognise it, not enough to use it.
fn masked(secret: &str) -> String {
    let count = secret.chars().count();
    if count <= 16 {
        return "*".repeat(count);
    }
    let first: String = secret.chars().take(8).collect();
    let last: String = secret.chars().skip(count - 4).collect();
    format!("{first}{}{last}", "*".repeat((count - 12).min(24)))
}
