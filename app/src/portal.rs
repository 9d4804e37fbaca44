//! The customer's pages: a page with its server functions and its stylesheet side by side.

pub mod act;
pub mod attention;
pub mod cancel;
pub mod card_form;
pub mod change;
pub mod details;
pub mod frame;
#[cfg(any(debug_assertions, test))]
pub mod gallery;
pub mod home;
pub mod invoice;
pub mod invoices;
pub mod loaded;
pub mod mail;
pub mod method;
pub mod outcome;
pub mod part;
pub mod pause;
pub mod payment_methods;
pub mod refused;
#[cfg(feature = "ssr")]
pub mod retyped;
pub mod say;
pub mod subscription;

#[cfg(all(test, feature = "ssr"))]
mod tests;
