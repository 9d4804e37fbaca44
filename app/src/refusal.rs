//! The one closed error that people can meet.
//!
//! Without JavaScript an error travels in a link that anybody can write, so there is no free text
//! in it: pages turn its variants into sentences of the reader's language.

use perennial::{currency::Currency, money::Money};
use serde::{Deserialize, Serialize};

/// Why something was refused. Nothing was changed or charged unless a variant says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The session ended or never was.
    SignedOut,
    /// There is no such thing, or it is somebody else's.
    NotFound,
    /// The merchant's rules don't allow it.
    NotAllowed,
    /// What was confirmed is no longer what it would cost; look again.
    Stale,
    /// Somebody else changed the same thing at the same time; try again.
    Busy,
    /// It is in a state in which this can't be done (already paid, already cancelled).
    WrongState,
    /// The bank said no. Carries only codes that we know.
    Declined(DeclineReason),
    /// There is nothing to pay with.
    NeedsPaymentMethod,
    /// The last payment method can't go while a subscription needs it.
    LastPaymentMethod,
    /// Input that can't be used, by field.
    Invalid(Vec<(Field, Rule)>),
    /// Too many tries in a short time.
    TooMany,
    /// The amount is beyond what can be billed, in this currency.
    TooLarge(Currency),
    /// The reader's connection failed; the request did not arrive, or its answer did not.
    Offline,
    /// Something broke on our side. It was logged under the request's id.
    Unavailable,
}

impl Refusal {
    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::SignedOut => 401,
            Self::NotAllowed => 403,
            Self::NotFound => 404,
            Self::Stale | Self::Busy | Self::WrongState => 409,
            Self::Declined(_) | Self::NeedsPaymentMethod => 402,
            Self::LastPaymentMethod | Self::Invalid(_) | Self::TooLarge(_) => 422,
            Self::TooMany => 429,
            Self::Offline | Self::Unavailable => 503,
        }
    }
}

/// What a bank's refusal means for the customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeclineReason {
    /// No reason given.
    Generic,
    /// Not enough money.
    InsufficientFunds,
    /// Expired.
    ExpiredCard,
    /// The security code is wrong.
    IncorrectCvc,
    /// The number is wrong.
    IncorrectNumber,
    /// Reported lost or stolen: the customer is told only that it was declined.
    DoNotHonor,
    /// The bank could not be reached; trying again may help.
    ProcessingError,
    /// Too often.
    VelocityExceeded,
    /// The proof of identity was not given.
    AuthenticationFailed,
}

/// An input that a message can stand beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is named after the input it stands for")]
pub enum Field {
    CardNumber,
    CardExpiry,
    CardCvc,
    CardName,
    Price,
    Quantity,
    PromotionCode,
    PaymentMethod,
    Name,
    Email,
    Phone,
    Country,
    Line1,
    Line2,
    City,
    State,
    PostalCode,
    TaxIdType,
    TaxIdValue,
    Reason,
    Comment,
    Language,
}

/// The rule that an input broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rule {
    /// It is needed.
    Required,
    /// It has more than so many characters.
    TooLong(u32),
    /// It does not have the form such a thing has.
    Malformed,
    /// It is below the least.
    TooSmall(u64),
    /// It is above the most.
    TooLarge(u64),
    /// It lies in the past.
    Expired,
    /// It is not among the choices.
    Unknown,
    /// It is there already.
    Duplicate,
    /// There are as many as may be.
    TooMany(u32),
    /// A promotion code that gives nothing.
    Code(CodeFault),
}

/// Why a promotion code gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodeFault {
    /// There is no such code, or not for this customer.
    Unknown,
    /// It is not valid any more.
    Expired,
    /// Others have used it up.
    UsedUp,
    /// This customer has used it before.
    UsedBefore,
    /// It is for a first purchase.
    FirstOnly,
    /// The customer has a discount that would be lost with it.
    NotTogether,
    /// It takes nothing off what is chosen.
    NotCovered,
    /// It wants a larger purchase.
    BelowMinimum(Money),
}

/// A part of the download that didn't come.
impl From<wasm_split_helpers::SplitLoaderError> for Refusal {
    fn from(_: wasm_split_helpers::SplitLoaderError) -> Self {
        Self::Offline
    }
}

impl leptos::server_fn::error::FromServerFnError for Refusal {
    type Encoder = crate::wire::Wire;

    fn from_server_fn_error(error: leptos::server_fn::error::ServerFnErrorErr) -> Self {
        use leptos::server_fn::error::ServerFnErrorErr;
        // Only a request that could not be sent says that the reader is offline; what the server could not read or
        // answer is ours to mend.
        match error {
            ServerFnErrorErr::Request(_) => Self::Offline,
            // What was sent has not the form of what is asked for. (In a browser it would be the answer.)
            ServerFnErrorErr::Args(_)
            | ServerFnErrorErr::MissingArg(_)
            | ServerFnErrorErr::Deserialization(_)
                if cfg!(feature = "ssr") =>
            {
                Self::Invalid(Vec::new())
            }
            _ => Self::Unavailable,
        }
    }
}
