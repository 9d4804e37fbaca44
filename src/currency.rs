//! Currencies: every active ISO 4217 code that has a minor unit, with its exponent.
//!
//! Exponents follow ISO 4217 (List One, including the fund codes), not Stripe's charging rules.
//! The two differ in few places: Stripe charges `mga` as zero-decimal (ISO: 2), and `isk` and `ugx`
//! as two-decimal amounts ending in `00` (ISO: 0). A gateway adapter that speaks to Stripe converts
//! there; everything inside Perennial counts in ISO minor units. Codes without a minor unit
//! (metals, `XDR`, `XTS`, `XXX` and their kin) cannot be charged and are absent.
//! Names and symbols belong to whoever formats for a reader's locale.

use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An active ISO 4217 currency. Ordered by code; `Debug` and `Display` print Stripe's lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(Code);

/// The text is not the code of an active currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an active ISO 4217 currency code")]
pub struct UnknownCurrency;

struct Row {
    code: &'static str,
    lower: &'static str,
    exponent: u8,
    currency: Currency,
}

macro_rules! currencies {
    ($($code:ident $lower:literal $exponent:literal,)*) => {
        /// The position in `TABLE`; the variants stand in the same, alphabetical, order.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(clippy::upper_case_acronyms, reason = "the variants are ISO codes")]
        enum Code { $($code,)* }

        static TABLE: &[Row] = &[
            $(Row {
                code: stringify!($code),
                lower: $lower,
                exponent: $exponent,
                currency: Currency::$code,
            },)*
        ];

        impl Currency {
            $(
                #[doc = concat!("ISO 4217 `", stringify!($code), "`, exponent ", stringify!($exponent), ".")]
                pub const $code: Self = Self(Code::$code);
            )*
        }
    };
}

currencies! {
    AED "aed" 2, AFN "afn" 2, ALL "all" 2, AMD "amd" 2, AOA "aoa" 2, ARS "ars" 2, AUD "aud" 2,
    AWG "awg" 2, AZN "azn" 2, BAM "bam" 2, BBD "bbd" 2, BDT "bdt" 2, BHD "bhd" 3, BIF "bif" 0,
    BMD "bmd" 2, BND "bnd" 2, BOB "bob" 2, BOV "bov" 2, BRL "brl" 2, BSD "bsd" 2, BTN "btn" 2,
    BWP "bwp" 2, BYN "byn" 2, BZD "bzd" 2, CAD "cad" 2, CDF "cdf" 2, CHE "che" 2, CHF "chf" 2,
    CHW "chw" 2, CLF "clf" 4, CLP "clp" 0, CNY "cny" 2, COP "cop" 2, COU "cou" 2, CRC "crc" 2,
    CUP "cup" 2, CVE "cve" 2, CZK "czk" 2, DJF "djf" 0, DKK "dkk" 2, DOP "dop" 2, DZD "dzd" 2,
    EGP "egp" 2, ERN "ern" 2, ETB "etb" 2, EUR "eur" 2, FJD "fjd" 2, FKP "fkp" 2, GBP "gbp" 2,
    GEL "gel" 2, GHS "ghs" 2, GIP "gip" 2, GMD "gmd" 2, GNF "gnf" 0, GTQ "gtq" 2, GYD "gyd" 2,
    HKD "hkd" 2, HNL "hnl" 2, HTG "htg" 2, HUF "huf" 2, IDR "idr" 2, ILS "ils" 2, INR "inr" 2,
    IQD "iqd" 3, IRR "irr" 2, ISK "isk" 0, JMD "jmd" 2, JOD "jod" 3, JPY "jpy" 0, KES "kes" 2,
    KGS "kgs" 2, KHR "khr" 2, KMF "kmf" 0, KPW "kpw" 2, KRW "krw" 0, KWD "kwd" 3, KYD "kyd" 2,
    KZT "kzt" 2, LAK "lak" 2, LBP "lbp" 2, LKR "lkr" 2, LRD "lrd" 2, LSL "lsl" 2, LYD "lyd" 3,
    MAD "mad" 2, MDL "mdl" 2, MGA "mga" 2, MKD "mkd" 2, MMK "mmk" 2, MNT "mnt" 2, MOP "mop" 2,
    MRU "mru" 2, MUR "mur" 2, MVR "mvr" 2, MWK "mwk" 2, MXN "mxn" 2, MXV "mxv" 2, MYR "myr" 2,
    MZN "mzn" 2, NAD "nad" 2, NGN "ngn" 2, NIO "nio" 2, NOK "nok" 2, NPR "npr" 2, NZD "nzd" 2,
    OMR "omr" 3, PAB "pab" 2, PEN "pen" 2, PGK "pgk" 2, PHP "php" 2, PKR "pkr" 2, PLN "pln" 2,
    PYG "pyg" 0, QAR "qar" 2, RON "ron" 2, RSD "rsd" 2, RUB "rub" 2, RWF "rwf" 0, SAR "sar" 2,
    SBD "sbd" 2, SCR "scr" 2, SDG "sdg" 2, SEK "sek" 2, SGD "sgd" 2, SHP "shp" 2, SLE "sle" 2,
    SOS "sos" 2, SRD "srd" 2, SSP "ssp" 2, STN "stn" 2, SVC "svc" 2, SYP "syp" 2, SZL "szl" 2,
    THB "thb" 2, TJS "tjs" 2, TMT "tmt" 2, TND "tnd" 3, TOP "top" 2, TRY "try" 2, TTD "ttd" 2,
    TWD "twd" 2, TZS "tzs" 2, UAH "uah" 2, UGX "ugx" 0, USD "usd" 2, USN "usn" 2, UYI "uyi" 0,
    UYU "uyu" 2, UYW "uyw" 4, UZS "uzs" 2, VED "ved" 2, VES "ves" 2, VND "vnd" 0, VUV "vuv" 0,
    WST "wst" 2, XAD "xad" 2, XAF "xaf" 0, XCD "xcd" 2, XCG "xcg" 2, XOF "xof" 0, XPF "xpf" 0,
    YER "yer" 2, ZAR "zar" 2, ZMW "zmw" 2, ZWG "zwg" 2,
}

impl Currency {
    /// Reads a three-letter code in any case (`"usd"`, `"USD"`); no surrounding space.
    pub fn parse(code: &str) -> Result<Self, UnknownCurrency> {
        let bytes: [u8; 3] = code.as_bytes().try_into().map_err(|_| UnknownCurrency)?;
        let upper = bytes.map(|byte| byte.to_ascii_uppercase());
        let found = TABLE.binary_search_by(|row| row.code.as_bytes().cmp(&upper));
        let row = found.ok().and_then(|index| TABLE.get(index));
        row.map(|row| row.currency).ok_or(UnknownCurrency)
    }

    /// ISO's spelling: `"USD"`.
    pub fn code(self) -> &'static str {
        self.row().code
    }

    /// Stripe's spelling: `"usd"`.
    pub fn lower(self) -> &'static str {
        self.row().lower
    }

    /// How many decimal digits the minor unit has: 0, 2, 3 or 4.
    pub fn exponent(self) -> u8 {
        self.row().exponent
    }

    /// Every currency, in the order of their codes.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.currency)
    }

    fn row(self) -> &'static Row {
        // One row was made for each variant, so the position always exists.
        &TABLE[self.0 as usize]
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.lower())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.lower())
    }
}

impl core::str::FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(code: &str) -> Result<Self, UnknownCurrency> {
        Self::parse(code)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.lower())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        Self::parse(&code).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
