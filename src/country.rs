//! Countries, and which parts of an address they use. Names belong to whoever formats for a reader.

/// Whether an address needs a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// An address is not complete without it.
    Required,
    /// Some addresses have it.
    Optional,
    /// There is no such thing there.
    Unused,
}

/// A country and its postal habits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Country {
    /// ISO 3166-1 alpha-2, upper case.
    pub code: &'static str,
    /// State, province, prefecture, county.
    pub state: Need,
    /// ZIP, postcode, PIN.
    pub postal_code: Need,
}

/// Every officially assigned code of ISO 3166-1, in order.
const CODES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL \
BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK \
DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU \
GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ \
LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY \
MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU \
RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO \
TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// Where an address is not complete without its state.
const STATE_REQUIRED: &str = "AE AU BR CA CN ES ID IN IT JP KR MX MY NG PH RU TH TW US VE";
/// Where some addresses name one.
const STATE_OPTIONAL: &str = "AR AM BB BD BS CL CO CR CV EC EG GB GT HK HN IE IR JM KY KZ MM MZ \
NI NR PA PE PG SR SV TR TV UA UM UY UZ VN";
/// Where an address is not complete without its postal code.
const POSTAL_REQUIRED: &str = "AT AU AX BE BG BR CA CH CN CY CZ DE DK EE ES FI FO FR GB GF GG GI GL \
GP GR GU HR HU IM IN IS IT JE JP KR LI LT LU LV MC MQ MT MX MY NC NL NO NZ PF PH PL PM PR PT RE RO \
RU SE SG SI SJ SK SM TH TR TW UA US VA VI YT ZA";
/// Where there are none.
const POSTAL_UNUSED: &str = "AE AG AO AW BF BI BJ BO BQ BS BW BZ CD CF CG CI CK CM CW DJ DM ER FJ GA \
GD GH GM GQ GY HK KI KM KN KP LY ML MO MR MW NR NU QA RW SB SC SL SR SS ST SX SY TD TG TK TL TO TV \
UG VU YE ZW";

fn lists(list: &str, code: &str) -> bool {
    list.split_ascii_whitespace().any(|other| other == code)
}

fn described(code: &'static str) -> Country {
    let state = match () {
        () if lists(STATE_REQUIRED, code) => Need::Required,
        () if lists(STATE_OPTIONAL, code) => Need::Optional,
        () => Need::Unused,
    };
    let postal_code = match () {
        () if lists(POSTAL_REQUIRED, code) => Need::Required,
        () if lists(POSTAL_UNUSED, code) => Need::Unused,
        () => Need::Optional,
    };
    Country {
        code,
        state,
        postal_code,
    }
}

impl Country {
    /// Every country, in the order of its code.
    pub fn all() -> impl Iterator<Item = Self> {
        CODES.split_ascii_whitespace().map(described)
    }

    /// The country with an alpha-2 code, in either case; `None` if there is none.
    #[must_use]
    pub fn find(code: &str) -> Option<Self> {
        let mut codes = CODES.split_ascii_whitespace();
        codes
            .find(|own| own.eq_ignore_ascii_case(code))
            .map(described)
    }
}

#[cfg(test)]
mod tests;
