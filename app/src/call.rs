//! How the browser asks the server: one way for every server function, whatever it takes and answers.
//!
//! The stubs that `#[server]` makes for the browser encode and decode once a function, each with code of its own. Here
//! the arguments are pairs of a name and a text, as a form has them, and the answer stays packed until a page reads it.

use crate::refusal::Refusal;

/// Names and values, as a form sends them.
pub type Arguments = Vec<(&'static str, String)>;

/// Sends a form, already encoded, to a server function's path, and gives its answer, packed.
///
/// Follows the way that the answer names, if it names one.
///
/// # Errors
/// What the server function refused; [`Refusal::Offline`] when the server could not be reached.
#[cfg(feature = "hydrate")]
pub async fn call(path: &str, form: String) -> Result<Vec<u8>, Refusal> {
    use crate::wire::{Packed, unpack};
    use leptos::server_fn::{
        ContentType,
        client::{Client, browser::BrowserClient},
        codec::PostUrl,
        redirect::call_redirect_hook,
        request::{ClientReq, browser::BrowserRequest},
        response::{ClientRes, browser::BrowserResponse},
    };
    type Sent = Result<BrowserRequest, Refusal>;
    type Got = Result<BrowserResponse, Refusal>;

    let request: Sent =
        ClientReq::<Refusal>::try_new_post(path, PostUrl::CONTENT_TYPE, Packed::CONTENT_TYPE, form);
    let response: Got = <BrowserClient as Client<Refusal>>::send(request?).await;
    let response = response?;
    let failed = ClientRes::<Refusal>::status(&response) >= 400;
    let redirect = ClientRes::<Refusal>::has_redirect(&response);
    let location = ClientRes::<Refusal>::location(&response);
    let body = ClientRes::<Refusal>::try_into_bytes(response).await?;
    if failed {
        return Err(unpack(&body).unwrap_or(Refusal::Unavailable));
    }
    if redirect {
        call_redirect_hook(&location);
    }
    Ok(body.into())
}

/// Writes arguments as a form is sent.
#[cfg(feature = "hydrate")]
#[must_use]
pub fn encode(arguments: &[(&'static str, String)]) -> String {
    use leptos::web_sys::UrlSearchParams;
    let Ok(form) = UrlSearchParams::new() else {
        return String::new();
    };
    for (name, value) in arguments {
        form.append(name, value);
    }
    String::from(form.to_string())
}

/// Runs a server function where it lives, with arguments as the browser would send them, and packs its answer.
///
/// # Errors
/// What the function refuses; [`Refusal::NotFound`] for arguments that it doesn't take.
#[cfg(feature = "ssr")]
pub async fn run<S>(arguments: Arguments) -> Result<Vec<u8>, Refusal>
where
    S: leptos::server_fn::ServerFn<Error = Refusal> + serde::de::DeserializeOwned,
    S::Output: serde::Serialize,
{
    use serde::de::value::{Error, MapDeserializer};
    let arguments = MapDeserializer::<_, Error>::new(arguments.into_iter());
    let function = S::deserialize(arguments).map_err(|_| Refusal::NotFound)?;
    let answer = function.run_body().await?;
    crate::wire::pack(&answer).map_err(|_| Refusal::Unavailable)
}
