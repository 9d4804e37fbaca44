//! Identifiers: one type a noun, with the prefix that Stripe gives it.
//!
//! A made id is its prefix and 128 random bits in base 62, so that it cannot be guessed and two
//! machines never make the same one. Where randomness comes from is the caller's business.

use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest id that is accepted, prefix included, in bytes.
pub const MAX_ID_BYTES: usize = 64;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Digits that hold 128 bits: 62^22 is more than 2^128.
const FULL_DIGITS: usize = 22;

/// Digits of a coupon's made id, which people may have to read to each other; as at Stripe.
const SHORT_DIGITS: usize = 8;

/// Where new ids get their 128 random bits. The domain has no randomness of its own.
pub trait Randomness {
    /// The next 128 bits; every call must give fresh ones.
    fn bits(&mut self) -> u128;
}

/// Why a text is not an id of the kind that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// It does not start with the prefix of its kind.
    #[error("an id of this kind starts with `{expected}`")]
    Prefix {
        /// The prefix of this kind.
        expected: &'static str,
    },
    /// There is nothing after the prefix.
    #[error("the id is empty")]
    Empty,
    /// Something other than letters, digits and underscores (and hyphens in a coupon's).
    #[error("an id has only letters, digits and underscores")]
    Charset,
    /// Longer than 64 bytes.
    #[error("an id has at most 64 characters")]
    TooLong,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal $digits:expr, $extra:expr;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// What every id of this kind starts with.
            pub const PREFIX: &'static str = $prefix;

            /// A new id.
            pub fn new(randomness: &mut dyn Randomness) -> Self {
                Self::from_random(randomness.bits())
            }

            /// The id that these random bits name.
            pub fn from_random(bits: u128) -> Self {
                Self(written($prefix, bits, $digits))
            }

            /// The 128 bits that a made id was written from; `None` for one of another form.
            pub fn bits(&self) -> Option<u128> {
                read(self.0.strip_prefix($prefix)?)
            }

            /// Reads an id that came from outside; says nothing about whether it exists.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                checked($prefix, text, $extra)?;
                Ok(Self(text.to_owned()))
            }

            /// The id as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl core::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                match checked($prefix, &text, $extra) {
                    Ok(()) => Ok(Self(text)),
                    Err(error) => Err(serde::de::Error::custom(error)),
                }
            }
        }
    )* };
}

ids! {
    /// A merchant: the account that everything belongs to.
    MerchantId "acct_" FULL_DIGITS, "";
    /// An API key's public name, never its secret.
    ApiKeyId "mk_" FULL_DIGITS, "";
    /// One HTTP request, as answered in `Request-Id`.
    RequestId "req_" FULL_DIGITS, "";
    /// A customer.
    CustomerId "cus_" FULL_DIGITS, "";
    /// A customer's tax id.
    TaxIdId "txi_" FULL_DIGITS, "";
    /// A change of a customer's balance.
    CustomerBalanceTransactionId "cbtxn_" FULL_DIGITS, "";
    /// A product.
    ProductId "prod_" FULL_DIGITS, "";
    /// A price of a product.
    PriceId "price_" FULL_DIGITS, "";
    /// A meter that counts usage.
    MeterId "mtr_" FULL_DIGITS, "";
    /// A stretch of usage that is billed by itself.
    UsageSpanId "musp_" FULL_DIGITS, "";
    /// Tells when usage goes beyond a mark.
    BillingAlertId "alrt_" FULL_DIGITS, "";
    /// A coupon. The merchant may choose it, with hyphens; a made one has 8 characters.
    CouponId "" SHORT_DIGITS, "-";
    /// A coupon as applied to someone.
    DiscountId "di_" FULL_DIGITS, "";
    /// A code that customers type to get a coupon.
    PromotionCodeId "promo_" FULL_DIGITS, "";
    /// A tax rate.
    TaxRateId "txr_" FULL_DIGITS, "";
    /// A subscription.
    SubscriptionId "sub_" FULL_DIGITS, "";
    /// A plan of phases for a subscription.
    SubscriptionScheduleId "sub_sched_" FULL_DIGITS, "";
    /// A price on a subscription.
    SubscriptionItemId "si_" FULL_DIGITS, "";
    /// A change quote: a priced change that binds.
    QuoteId "chq_" FULL_DIGITS, "";
    /// An invoice.
    InvoiceId "in_" FULL_DIGITS, "";
    /// A line of an invoice.
    InvoiceLineId "il_" FULL_DIGITS, "";
    /// A payment as it counts towards an invoice.
    InvoicePaymentId "inpay_" FULL_DIGITS, "";
    /// A credit note: an invoice taken back, in part or whole.
    CreditNoteId "cn_" FULL_DIGITS, "";
    /// A line of a credit note.
    CreditNoteLineId "cnli_" FULL_DIGITS, "";
    /// An item that waits for an invoice.
    InvoiceItemId "ii_" FULL_DIGITS, "";
    /// A stored way to pay.
    PaymentMethodId "pm_" FULL_DIGITS, "";
    /// An attempt to store a way to pay.
    SetupIntentId "seti_" FULL_DIGITS, "";
    /// An attempt to collect money, with all its tries.
    PaymentIntentId "pi_" FULL_DIGITS, "";
    /// One try to collect money.
    ChargeId "ch_" FULL_DIGITS, "";
    /// Money that came past the gateway, as the merchant reports it.
    PaymentRecordId "pr_" FULL_DIGITS, "";
    /// Money given back.
    RefundId "re_" FULL_DIGITS, "";
    /// What a portal offers: a configuration.
    PortalConfigurationId "bpc_" FULL_DIGITS, "";
    /// A customer's visit to the portal.
    PortalSessionId "bps_" FULL_DIGITS, "";
    /// Something that happened.
    EventId "evt_" FULL_DIGITS, "";
    /// A mail, from the decision to send it.
    MailId "mail_" FULL_DIGITS, "";
    /// A clock that a merchant moves in tests.
    TestClockId "clock_" FULL_DIGITS, "";
}

/// The prefix and the last `digits` base 62 digits of `bits`, with leading zeros.
fn written(prefix: &str, bits: u128, digits: usize) -> String {
    let mut rest = bits;
    let mut reversed = [b'0'; FULL_DIGITS];
    for digit in reversed.iter_mut().take(digits) {
        // The remainder is below 62, so the digit exists.
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    let mut id = String::with_capacity(prefix.len() + digits);
    id.push_str(prefix);
    id.extend(
        reversed
            .iter()
            .take(digits)
            .rev()
            .map(|digit| char::from(*digit)),
    );
    id
}

/// The bits that all [`FULL_DIGITS`] digits of `text` say.
fn read(text: &str) -> Option<u128> {
    if text.len() != FULL_DIGITS {
        return None;
    }
    text.bytes().try_fold(0_u128, |bits, digit| {
        let value = DIGITS.iter().position(|own| *own == digit)?;
        bits.checked_mul(62)?.checked_add(value as u128)
    })
}

fn checked(prefix: &'static str, text: &str, extra: &str) -> Result<(), IdError> {
    if text.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong);
    }
    let Some(rest) = text.strip_prefix(prefix) else {
        return Err(IdError::Prefix { expected: prefix });
    };
    if rest.is_empty() {
        return Err(IdError::Empty);
    }
    if !rest
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || extra.contains(c))
    {
        return Err(IdError::Charset);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
