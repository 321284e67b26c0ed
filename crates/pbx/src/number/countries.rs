//! What must be known of a country to read a number dialled in it.

/// How numbers are dialled in one country.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Country {
    /// ISO 3166 code.
    pub(crate) iso: &'static str,
    /// ITU-T E.164 country code.
    pub(crate) calling_code: &'static str,
    /// Dialled before a foreign number.
    pub(crate) international: &'static str,
    /// Dialled before a national number, and not part of it.
    pub(crate) trunk: &'static str,
    /// Shortest and longest national number, without the trunk prefix.
    pub(crate) national: (u8, u8),
    /// Whether subscribers of one area may dial each other without it, at varying lengths.
    pub(crate) local: Local,
}

/// How a number without any prefix is read when the account has an area code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Local {
    /// National numbers have a fixed length: shorter ones lack the area code.
    ByLength,
    /// Lengths vary: without a trunk prefix it is a local number.
    Always,
}

/// The country of that ISO code.
pub(crate) fn country(iso: &str) -> Option<&'static Country> {
    COUNTRIES.iter().find(|country| country.iso == iso)
}

const fn row(
    iso: &'static str,
    calling_code: &'static str,
    international: &'static str,
    trunk: &'static str,
    national: (u8, u8),
) -> Country {
    Country {
        iso,
        calling_code,
        international,
        trunk,
        national,
        local: Local::ByLength,
    }
}

/// No country: nothing is national.
pub(crate) static ANYWHERE: Country = row("", "", "", "", (0, 0));

static COUNTRIES: &[Country] = &[
    row("AU", "61", "0011", "0", (9, 10)),
    Country {
        iso: "DE",
        calling_code: "49",
        international: "00",
        trunk: "0",
        national: (5, 12),
        local: Local::Always,
    },
    row("FR", "33", "00", "0", (9, 9)),
    row("GB", "44", "00", "0", (9, 10)),
    row("NZ", "64", "00", "0", (8, 10)),
    row("US", "1", "011", "1", (10, 10)),
];
