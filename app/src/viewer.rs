//! Who is looking. The only way to the port leads past here, so that no server function can forget
//! to ask.

use perennial::id::{CustomerId, MerchantId, PortalSessionId};

/// A customer with a live session, as the server found it before routing.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// Whose portal.
    pub merchant: MerchantId,
    /// Live or test.
    pub livemode: bool,
    /// Who.
    pub customer: CustomerId,
    /// Through which session.
    pub session: PortalSessionId,
    /// The language that the session or the customer asks for, before the browser's.
    pub locale: Option<String>,
}

/// The port together with the customer who may use it.
///
/// # Errors
/// [`crate::refusal::Refusal::SignedOut`] when nobody is signed in.
#[cfg(feature = "ssr")]
pub fn signed_in()
-> Result<(std::sync::Arc<dyn crate::port::Portal>, Viewer), crate::refusal::Refusal> {
    let refused = crate::refusal::Refusal::SignedOut;
    let viewer = leptos::prelude::use_context::<Option<Viewer>>()
        .flatten()
        .ok_or(refused.clone())?;
    let portal =
        leptos::prelude::use_context::<std::sync::Arc<dyn crate::port::Portal>>().ok_or(refused)?;
    Ok((portal, viewer))
}
