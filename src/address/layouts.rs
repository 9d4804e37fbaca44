//! The layouts, by country.

use super::{CityWord, CodeWord, Layout, StateWord};

/// Where nothing is known: all parts, nothing refused but an address without street or city.
pub const ANY: Layout = Layout {
    country: "",
    lines: "A\nZ C\nS",
    codes: &[],
    state: StateWord::Province,
    code: CodeWord::PostalCode,
    city: CityWord::City,
};

/// Where an address may do without a city.
pub const CITY_OPTIONAL: &str = "CO GG HK ID IM JE JP MO SG TH";

/// Street, then postal code and city.
const fn code_first(country: &'static str, codes: &'static [&'static str]) -> Layout {
    Layout {
        country,
        lines: "A\nZ C",
        codes,
        ..ANY
    }
}

/// Street, then city and postal code.
const fn code_last(country: &'static str, codes: &'static [&'static str]) -> Layout {
    Layout {
        country,
        lines: "A\nC Z",
        codes,
        ..ANY
    }
}

/// Anything else.
const fn row(
    country: &'static str,
    lines: &'static str,
    codes: &'static [&'static str],
    state: StateWord,
) -> Layout {
    Layout {
        country,
        lines,
        codes,
        state,
        ..ANY
    }
}

/// Postal codes of the United Kingdom and its islands.
const BRITISH: &[&str] = &[
    "@9 9@@", "@99 9@@", "@9@ 9@@", "@@9 9@@", "@@99 9@@", "@@9@ 9@@",
];

/// Every country with a layout of its own.
pub const LAYOUTS: &[Layout] = &[
    row("AE", "A\nS", &[], StateWord::Emirate),
    row(
        "AR",
        "A\nZ C\nS",
        &["9999", "@9999@@@"],
        StateWord::Province,
    ),
    code_first("AT", &["9999"]),
    Layout {
        city: CityWord::Suburb,
        ..row("AU", "A\nC S Z", &["9999"], StateWord::State)
    },
    code_first("BE", &["9999"]),
    code_first("BG", &["9999"]),
    code_last("BH", &[]),
    row("BR", "A\nC-S\nZ", &["99999-999"], StateWord::State),
    row("CA", "A\nC S Z", &["@9@ 9@9"], StateWord::Province),
    code_first("CH", &["9999"]),
    row("CL", "A\nZ C\nS", &["9999999"], StateWord::Province),
    Layout {
        city: CityWord::City,
        ..row("CN", "Z\nS C\nA", &["999999"], StateWord::Province)
    },
    row("CO", "A\nC, S, Z", &["999999"], StateWord::Department),
    code_first("CY", &["9999"]),
    code_first("CZ", &["999 99"]),
    code_first("DE", &["99999"]),
    code_first("DK", &["9999"]),
    code_first("DZ", &["99999"]),
    code_first("EE", &["99999"]),
    row("EG", "A\nC\nS\nZ", &["99999"], StateWord::Province),
    row("ES", "A\nZ C\nS", &["99999"], StateWord::Province),
    code_first("FI", &["99999"]),
    code_first("FR", &["99999"]),
    Layout {
        city: CityWord::PostTown,
        ..row("GB", "A\nC\nZ", BRITISH, StateWord::County)
    },
    row("GG", "A\nC\nZ", BRITISH, StateWord::Parish),
    code_first("GR", &["999 99"]),
    Layout {
        city: CityWord::District,
        ..row("HK", "A\nC\nS", &[], StateWord::Area)
    },
    code_first("HR", &["99999"]),
    row("HU", "C\nA\nZ", &["9999"], StateWord::County),
    row("ID", "A\nC\nS Z", &["99999"], StateWord::Province),
    Layout {
        code: CodeWord::Eircode,
        ..row(
            "IE",
            "A\nC\nS\nZ",
            &["@9* ****", "@99 ****"],
            StateWord::County,
        )
    },
    code_last("IL", &["9999999", "99999"]),
    row("IM", "A\nC\nZ", BRITISH, StateWord::Parish),
    Layout {
        code: CodeWord::Pin,
        ..row("IN", "A\nC Z\nS", &["999999"], StateWord::State)
    },
    code_first("IS", &["999"]),
    row("IT", "A\nZ C S", &["99999"], StateWord::Province),
    row("JE", "A\nC\nZ", BRITISH, StateWord::Parish),
    row("JP", "〒Z\nS C\nA", &["999-9999"], StateWord::Prefecture),
    row("KE", "A\nC\nZ", &["99999"], StateWord::Province),
    row("KR", "S C\nA\nZ", &["99999"], StateWord::Province),
    code_first("KW", &["99999"]),
    code_first("LI", &["9999"]),
    code_first("LT", &["LT-99999", "99999"]),
    code_first("LU", &["9999", "L-9999"]),
    row("LV", "A\nC, Z", &["LV-9999"], StateWord::Province),
    code_first("MA", &["99999"]),
    code_first("MC", &["99999"]),
    row("MO", "A", &[], StateWord::Area),
    row("MT", "A\nC Z", &["@@@ 9999", "@@@ 99"], StateWord::Province),
    row("MX", "A\nZ C, S", &["99999"], StateWord::State),
    row("MY", "A\nZ C\nS", &["99999"], StateWord::State),
    row("NG", "A\nC Z\nS", &["999999"], StateWord::State),
    code_first("NL", &["9999 @@"]),
    code_first("NO", &["9999"]),
    code_last("NZ", &["9999"]),
    row("PE", "A\nC Z\nS", &["99999"], StateWord::Province),
    row("PH", "A\nZ C\nS", &["9999"], StateWord::Province),
    row("PK", "A\nC-Z", &["99999"], StateWord::Province),
    code_first("PL", &["99-999"]),
    code_first("PT", &["9999-999"]),
    row("QA", "A\nC", &[], StateWord::Province),
    code_first("RO", &["999999"]),
    code_first("RS", &["99999", "999999"]),
    row("RU", "A\nC\nS\nZ", &["999999"], StateWord::Oblast),
    code_last("SA", &["99999-9999", "99999"]),
    code_first("SE", &["999 99"]),
    row("SG", "A\nC Z", &["999999"], StateWord::District),
    code_first("SI", &["9999"]),
    code_first("SK", &["999 99"]),
    row("TH", "A\nC\nS Z", &["99999"], StateWord::Province),
    row("TR", "A\nZ C/S", &["99999"], StateWord::District),
    row(
        "TW",
        "Z\nS C\nA",
        &["999", "999999", "99999"],
        StateWord::County,
    ),
    row("UA", "A\nC\nS\nZ", &["99999"], StateWord::Oblast),
    Layout {
        code: CodeWord::Zip,
        ..row(
            "US",
            "A\nC, S Z",
            &["99999", "99999-9999"],
            StateWord::State,
        )
    },
    row("VN", "A\nC\nS Z", &["999999", "99999"], StateWord::Province),
    row("ZA", "A\nC\nZ", &["9999"], StateWord::Province),
];
