//! The customer's pages: a page with its server functions and its stylesheet side by side.

pub mod card_form;
pub mod frame;
pub mod gallery;
pub mod home;
pub mod loaded;
pub mod method;
pub mod outcome;
pub mod payment_methods;
pub mod refused;
