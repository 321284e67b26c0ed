//! What the settings take and refuse.

use super::*;

fn with(text: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()));
    merge(text, "file.toml", variables).map_err(|error| error.to_string())
}

#[test]
fn the_example_file_is_the_defaults() {
    assert_eq!(with(EXAMPLE, &[]), Ok(Settings::default()));
    let table: Table = EXAMPLE.parse().unwrap();
    let mut documented = Vec::new();
    collect_keys(&table, "", &mut documented);
    assert_eq!(documented, known_keys(), "every key is documented");
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest() {
    let cases = [
        (
            "[sip]\nupd = \"127.0.0.1:0\"",
            "file.toml:2: unknown key `sip.upd`, did you mean `sip.udp`?",
        ),
        (
            "data_dirr = \"x\"",
            "file.toml:1: unknown key `data_dirr`, did you mean `data_dir`?",
        ),
        (
            "[sip.limits]\n\ncals = 3",
            "file.toml:3: unknown key `sip.limits.cals`, did you mean `sip.limits.calls`?",
        ),
        ("quux = 1", "file.toml:1: unknown key `quux`"),
    ];
    for (text, expect) in cases {
        assert_eq!(with(text, &[]), Err(expect.to_owned()), "{text}");
    }
    assert_eq!(
        with("", &[("SWITCHHOOK_HTTP__LISTN", "1")]),
        Err("environment: unknown key `SWITCHHOOK_HTTP__LISTN`, did you mean `SWITCHHOOK_HTTP__LISTEN`?".into())
    );
}

#[test]
fn the_environment_wins_over_the_file() {
    let file = "[http]\nlisten = \"127.0.0.1:1\"\n[sip]\nudp = \"127.0.0.1:5\"";
    let variables = [
        ("SWITCHHOOK_HTTP__LISTEN", "127.0.0.1:2"),
        ("SWITCHHOOK_SIP__TCP", "127.0.0.1:3, 127.0.0.1:4"),
        ("SWITCHHOOK_SIP__LIMITS__CALLS", "7"),
        ("SWITCHHOOK_HOOKS__ALLOW", "[\"127.0.0.0/8\"]"),
        ("SWITCHHOOK_CONFIG", "ignored"),
        ("PATH", "ignored"),
    ];
    let settings = with(file, &variables).unwrap();
    assert_eq!(settings.http.listen.port(), 2);
    assert_eq!(
        settings
            .sip
            .tcp
            .0
            .iter()
            .map(SocketAddr::port)
            .collect::<Vec<_>>(),
        [3, 4]
    );
    assert_eq!(settings.sip.udp.0[0].port(), 5);
    assert_eq!(settings.sip.limits.calls, 7);
    assert_eq!(settings.hooks.allow, ["127.0.0.0/8".parse().unwrap()]);
}

#[test]
fn a_wrong_value_names_its_place() {
    let cases = [
        (
            "[rtp]\nports = \"99\"",
            &[][..],
            "file.toml: TOML parse error at line 2",
        ),
        (
            "[hooks]\ntimeout_seconds = 601",
            &[],
            "hooks.timeout_seconds must be 1 to 600, it is 601",
        ),
        (
            "",
            &[("SWITCHHOOK_HTTP__LISTEN", "nowhere")],
            "SWITCHHOOK_HTTP__LISTEN: invalid socket address",
        ),
        ("[sip]\nudp = []", &[], "sip.udp needs at least one address"),
    ];
    for (text, variables, expect) in cases {
        let error = with(text, variables).unwrap_err();
        assert!(error.starts_with(expect), "{error}");
    }
}
