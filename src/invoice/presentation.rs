//! What a merchant says of how an invoice is paid and printed, beyond its terms.

use serde::{Deserialize, Serialize};

use crate::customer::Shipping;

/// What an invoice says of its payment, its document and the goods that it is for. All of it may be
/// unsaid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presentation {
    /// Where the goods go that it is for; printed.
    #[serde(default)]
    pub shipping: Option<Shipping>,
    /// How amounts are printed with respect to tax.
    #[serde(default)]
    pub amount_tax_display: Option<AmountTaxDisplay>,
    /// The paper of its document.
    #[serde(default)]
    pub page_size: Option<PageSize>,
    /// The kinds of payment methods that it may be paid with; there are only cards.
    #[serde(default)]
    pub payment_method_types: Option<Vec<MethodType>>,
}

impl Presentation {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How amounts are printed with respect to tax, in Stripe's spelling. Documents print prices as they are
/// agreed, so the other way is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmountTaxDisplay {
    /// With the tax that prices contain, without what comes on top.
    IncludeInclusiveTax,
}

/// The paper of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageSize {
    /// 210 by 297 millimetres.
    A4,
    /// What the customer's country uses.
    Auto,
    /// 8.5 by 11 inches.
    Letter,
}

/// A kind of payment method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodType {
    /// A card.
    Card,
}
