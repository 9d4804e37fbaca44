//! The parts of what a browser downloads. The first page is in the first part; the pages that a reader may never go to
//! come when they are gone to, and pages that share much share a part.
//!
//! A page is put into a part by the attribute `wasm_split` on the function that shows it. What only that function needs
//! goes with it: its texts, its types, the preview of a change with all of the domain behind it.

use super::{
    cancel::preload_cancel,
    card_form::preload_card_form,
    change::{preload_change, preload_quote},
    details::preload_details,
    invoice::preload_invoice,
    invoices::preload_invoices,
    mail::preload_mail,
    payment_methods::{preload_payment_methods, preload_remove},
};
use wasm_split_helpers::SplitLoaderError;

/// Brings what the page at `path` is made of: before the page is brought to life, for that cannot wait in the middle.
///
/// # Errors
/// When it could not be downloaded.
pub async fn preload(path: &str) -> Result<(), SplitLoaderError> {
    let path: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    match path.as_slice() {
        ["portal", "details"] => preload_details().await,
        ["portal", "invoices"] => preload_invoices().await,
        ["portal", "invoices", _] => preload_invoice().await,
        ["portal", "mail"] => preload_mail().await,
        ["portal", "payment-methods"] => preload_payment_methods().await,
        ["portal", "payment-methods", "new"] => preload_card_form().await,
        ["portal", "payment-methods", _, "remove"] => preload_remove().await,
        ["portal", "subscriptions", _, "cancel"] => preload_cancel().await,
        ["portal", "subscriptions", _, "change"] => preload_change().await,
        ["portal", "subscriptions", _, "change", _] => preload_quote().await,
        _ => Ok(()),
    }
}
