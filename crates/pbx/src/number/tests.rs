//! Tables per country: what is dialled, and what it means.

use super::*;

fn numbering(country: &str, area_code: &str) -> Numbering {
    Numbering::new(country, Some(area_code).filter(|code| !code.is_empty())).unwrap()
}

/// `expected`: `+…` is a number, digits are local ones, empty is no number.
#[track_caller]
fn check(country: &str, area_code: &str, table: &[(&str, &str)]) {
    let numbering = numbering(country, area_code);
    for (dialled, expected) in table {
        let found = match numbering.dialled(dialled) {
            Dialled::Number(number) => format!("+{number}"),
            Dialled::Local(digits) => digits,
            Dialled::Other => String::new(),
        };
        assert_eq!(found, *expected, "{dialled} in {country} {area_code}");
    }
}

#[test]
fn australia() {
    check(
        "AU",
        "2",
        &[
            ("+61298765432", "+61298765432"),
            ("+61 2 9876 5432", "+61298765432"),
            ("0298765432", "+61298765432"),
            ("(02) 9876-5432", "+61298765432"),
            ("98765432", "+61298765432"),
            ("0412345678", "+61412345678"),
            ("412345678", "+61412345678"),
            ("+61298765432;phone-context=x", "+61298765432"),
            ("61298765432", "+61298765432"),
            ("00114420 7946 0000", "+442079460000"),
            ("1300123456", "+611300123456"),
            ("131234", "131234"),
            ("000", "000"),
            ("112", "112"),
            ("+000", ""),
            ("+61", ""),
            ("", ""),
            ("alice", ""),
            ("*97", ""),
            ("anonymous", ""),
            ("1234567890123456", ""),
        ],
    );
    check(
        "AU",
        "",
        &[("98765432", "98765432"), ("0298765432", "+61298765432")],
    );
}

#[test]
fn great_britain() {
    check(
        "GB",
        "20",
        &[
            ("02079460000", "+442079460000"),
            ("79460000", "+442079460000"),
            ("07700900123", "+447700900123"),
            ("442079460000", "+442079460000"),
            ("0061298765432", "+61298765432"),
            ("999", "999"),
        ],
    );
}

#[test]
fn united_states() {
    check(
        "US",
        "212",
        &[
            ("12125550123", "+12125550123"),
            ("2125550123", "+12125550123"),
            ("(415) 555-0123", "+14155550123"),
            ("5550123", "+12125550123"),
            ("011442079460000", "+442079460000"),
            ("911", "911"),
        ],
    );
}

#[test]
fn germany() {
    check(
        "DE",
        "30",
        &[
            ("03012345678", "+493012345678"),
            ("12345678", "+493012345678"),
            ("123456", "+4930123456"),
            ("015112345678", "+4915112345678"),
            ("0049 30 123456", "+4930123456"),
            ("110", "110"),
            ("112", "112"),
        ],
    );
}

#[test]
fn france() {
    check(
        "FR",
        "",
        &[
            ("0123456789", "+33123456789"),
            ("123456789", "+33123456789"),
            ("33123456789", "+33123456789"),
            ("0044 20 7946 0000", "+442079460000"),
            ("112", "112"),
        ],
    );
}

#[test]
fn new_zealand() {
    check(
        "NZ",
        "9",
        &[
            ("093001234", "+6493001234"),
            ("3001234", "+6493001234"),
            ("0211234567", "+64211234567"),
            ("02112345678", "+642112345678"),
            ("0061298765432", "+61298765432"),
            ("111", "111"),
        ],
    );
}

#[test]
fn a_number_is_written_as_its_trunk_wants_it() {
    use NumberFormat::{E164 as Plain, E164Plus, National};
    let table = [
        ("AU", "+61298765432", Plain, "61298765432"),
        ("AU", "+61298765432", E164Plus, "+61298765432"),
        ("AU", "+61298765432", National, "0298765432"),
        ("AU", "+442079460000", National, "0011442079460000"),
        ("US", "+12125550123", National, "12125550123"),
        ("US", "+442079460000", National, "011442079460000"),
        ("FR", "+33123456789", National, "0123456789"),
        ("ES", "+34912345678", National, "912345678"),
        ("IT", "+390612345678", National, "0612345678"),
    ];
    for (country, number, format, expected) in table {
        let number = number.parse().unwrap();
        assert_eq!(numbering(country, "").format(number, format), expected);
    }
}

#[test]
fn what_is_written_for_a_trunk_reads_back_the_same() {
    for (country, number) in [
        ("AU", "+61298765432"),
        ("AU", "+442079460000"),
        ("GB", "+441204123456"),
        ("US", "+12125550123"),
        ("DE", "+4930123456"),
        ("FR", "+33123456789"),
        ("NZ", "+64211234567"),
        ("RU", "+74951234567"),
        ("IT", "+390612345678"),
    ] {
        let number: E164 = number.parse().unwrap();
        let numbering = numbering(country, "");
        for format in [
            NumberFormat::E164,
            NumberFormat::E164Plus,
            NumberFormat::National,
        ] {
            let written = numbering.format(number, format);
            let read = numbering.carried(&written, format);
            assert_eq!(read, Some(number), "{country} {written} {format:?}");
        }
    }
}

#[test]
fn an_unknown_country_has_no_rules() {
    for iso in [
        "AU", "GB", "US", "DE", "FR", "NZ", "JP", "BR", "IN", "ZA", "CA",
    ] {
        assert!(Numbering::new(iso, None).is_some(), "{iso}");
    }
    assert!(Numbering::new("XX", None).is_none());
    assert!(Numbering::new("", None).is_none());
}
