//! The parts of what a browser downloads. The first page is in the first part; the pages that a reader may never go to
//! come when they are gone to, and pages that share much share a part.
//!
//! A page is put into a part by the attribute `wasm_split` on the function that shows it. What only that function needs
//! goes with it: its texts, its types, the preview of a change with all of the domain behind it.

#[cfg(feature = "hydrate")]
use super::{
    cancel::preload_cancel,
    card_form::preload_card_form,
    change::{preload_change, preload_quote},
    details::preload_details,
    invoice::preload_invoice,
    invoices::preload_invoices,
    mail::preload_mail,
    pause::{preload_pause, preload_resume},
    payment_methods::{preload_payment_methods, preload_remove},
};
#[cfg(feature = "hydrate")]
use wasm_split_helpers::SplitLoaderError;

/// A part, named as the attribute `wasm_split` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Who the customer is, and what we write to them.
    About,
    /// What becomes of a subscription.
    Changing,
    /// Invoices and what pays them.
    Paying,
}

impl Part {
    /// The part that the page at `path` is in; none for the pages of the first part.
    #[must_use]
    pub fn at(path: &str) -> Option<Self> {
        let mut steps = path.split('/').filter(|step| !step.is_empty());
        let (portal, section, below) = (steps.next()?, steps.next()?, steps.next().is_some());
        match (portal, section, below) {
            ("portal", "details" | "mail", false) => Some(Self::About),
            ("portal", "invoices" | "payment-methods", _) => Some(Self::Paying),
            ("portal", "subscriptions", true) => Some(Self::Changing),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::About => "about",
            Self::Changing => "changing",
            Self::Paying => "paying",
        }
    }

    /// Brings it: before a page is brought to life, for that cannot wait in the middle.
    ///
    /// # Errors
    /// When it could not be downloaded.
    #[cfg(feature = "hydrate")]
    pub async fn bring(self) -> Result<(), SplitLoaderError> {
        // Each page asks for itself; the files come once.
        match self {
            Self::About => {
                preload_details().await?;
                preload_mail().await
            }
            Self::Changing => {
                preload_change().await?;
                preload_quote().await?;
                preload_cancel().await?;
                preload_pause().await?;
                preload_resume().await
            }
            Self::Paying => {
                preload_invoices().await?;
                preload_invoice().await?;
                preload_payment_methods().await?;
                preload_card_form().await?;
                preload_remove().await
            }
        }
    }
}
