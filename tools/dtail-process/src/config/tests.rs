//! What configuration files say. Never looks for the user's own.

use std::path::Path;

use expect_test::{Expect, expect};

use super::Config;

/// Shows the keys that the file sets.
#[track_caller]
fn check(json: &str, expected: &Expect) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dtail.conf");
    std::fs::write(&path, json).unwrap();
    let said = match Config::load(Some(&path)) {
        Ok(config) => {
            let all = format!("{config:#?}");
            let is_set = |line: &&str| !line.ends_with(": None,") && !line.ends_with(": [],");
            all.lines().filter(is_set).map(|line| format!("{line}\n")).collect()
        }
        Err(err) => err.to_string().replace(&path.display().to_string(), "FILE"),
    };
    expected.assert_eq(&said);
}

#[test]
fn keys_match_in_any_case_and_unknown_ones_are_ignored() {
    check(
        r#"{"client": {"termcolorsenable": false, "Odd": [1], "AuthKeyPath": "k",
              "AuthKeyDisable": true, "TermColors": {"Remote": {"HostnameFg": "Red", "IDFg": ""}}},
            "COMMON": {"Logger": "Fout", "LogLevel": "DEBUG", "LogRotation": "daily",
              "SSHPort": 0, "SSHConnectTimeoutMs": 1500, "CacheDir": "", "LogDir": "log"},
            "Server": {"MaxLineLength": 2048, "MaxGlobTargets": 0}}"#,
        &expect![[r#"
            Config {
                term_colors_enable: Some(
                    false,
                ),
                term_colors: [
                    TermColor {
                        section: "Remote",
                        name: "HostnameFg",
                        value: "Red",
                    },
                ],
                auth_key_path: Some(
                    "k",
                ),
                auth_key_disable: Some(
                    true,
                ),
                ssh_port: Some(
                    0,
                ),
                ssh_connect_timeout: Some(
                    1.5s,
                ),
                log_dir: Some(
                    "log",
                ),
                logger: Some(
                    Fout,
                ),
                log_level: Some(
                    Debug,
                ),
                log_rotation: Some(
                    "daily",
                ),
                max_line_length: Some(
                    2048,
                ),
                server: ServerKeys {
                    permissions: PermissionKeys {
                        users: {},
                    },
                },
            }
        "#]],
    );
}

#[test]
fn the_server_has_limits_rules_and_jobs() {
    check(
        r#"{"Server": {"SSHBindAddress": "127.0.0.1,::1", "HandshakeTimeoutMs": 500,
              "MaxConnections": -1, "Ciphers": ["aes128-ctr"], "AuthKeyTTLSeconds": 60,
              "Permissions": {"Default": ["^/var/log/.*"], "Users": {"ann": ["^/", "!^/etc"]}},
              "Schedule": [{"Name": "a", "Enable": true, "Files": "/a,/b", "Query": "select x",
                "Outfile": "/o", "TimeRange": [7, 24], "AllowFrom": ["localhost"]}],
              "Continuous": [{"Enable": false, "RestartOnDayChange": true}]}}"#,
        &expect![[r#"
            Config {
                server: ServerKeys {
                    ssh_bind_address: Some(
                        "127.0.0.1,::1",
                    ),
                    ciphers: [
                        "aes128-ctr",
                    ],
                    auth_key_ttl: Some(
                        60s,
                    ),
                    permissions: PermissionKeys {
                        default: Some(
                            [
                                "^/var/log/.*",
                            ],
                        ),
                        users: {
                            "ann": [
                                "^/",
                                "!^/etc",
                            ],
                        },
                    },
                    schedule: [
                        JobKeys {
                            name: "a",
                            enable: true,
                            files: "/a,/b",
                            query: "select x",
                            outfile: Some(
                                "/o",
                            ),
                            allow_from: [
                                "localhost",
                            ],
                            time_range: Some(
                                (
                                    7,
                                    24,
                                ),
                            ),
                            restart_on_day_change: false,
                        },
                    ],
                    continuous: [
                        JobKeys {
                            name: "",
                            enable: false,
                            files: "",
                            query: "",
                            restart_on_day_change: true,
                        },
                    ],
                    handshake_timeout: Some(
                        500ms,
                    ),
                },
            }
        "#]],
    );
}

#[test]
fn no_rules_at_all_differ_from_an_empty_list_of_rules() {
    let rules = |json| Config::from_json(&json).unwrap().server.permissions.default;
    assert_eq!(rules(serde_json::json!({"Server": {"Permissions": {}}})), None);
    assert_eq!(
        rules(serde_json::json!({"Server": {"Permissions": {"default": []}}})),
        Some(vec![])
    );
}

#[test]
fn a_bad_file_is_refused_with_the_key_at_fault() {
    check(
        "{",
        &expect!["config file FILE is not JSON: EOF while parsing an object at line 1 column 1"],
    );
    check("[]", &expect!["config file FILE: the whole file: must be an object"]);
    check(r#"{"Client": 3}"#, &expect!["config file FILE: Client: must be an object"]);
    check(
        r#"{"Server": {"MaxLineLength": "1k"}}"#,
        &expect!["config file FILE: Server.MaxLineLength: must be a whole number"],
    );
    check(
        r#"{"Common": {"Logger": "loud"}}"#,
        &expect![[
            r#"config file FILE: Common.Logger: "loud" is unknown, use one of none stdout file fout"#
        ]],
    );
    check(
        r#"{"Common": {"SSHPort": 65536}}"#,
        &expect!["config file FILE: Common.SSHPort: must be 0 to 65535"],
    );
    check(
        r#"{"Server": {"Permissions": {"Users": {"ann": "x"}}}}"#,
        &expect!["config file FILE: Server.Permissions.Users.ann: must be an array"],
    );
    check(
        r#"{"Server": {"Schedule": [{"Enable": true}]}}"#,
        &expect!["config file FILE: Server.Schedule[0].Name: is missing"],
    );
    check(
        r#"{"Server": {"Continuous": [{"TimeRange": [7, 25]}]}}"#,
        &expect![
            "config file FILE: Server.Continuous[0].TimeRange: must be two hours of the day, such as [7, 19]"
        ],
    );
}

#[test]
fn none_means_no_file_and_a_missing_file_is_an_error() {
    assert_eq!(Config::load(Some(Path::new("NONE"))).unwrap(), Config::default());
    let missing = Config::load(Some(Path::new("no/such/file"))).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read config file no/such/file: "), "{missing}");
}

#[test]
fn log_formats_are_pairs_of_name_and_expression() {
    check(
        r#"{"Common": {"LogFormats": {"mine": "(?P<a>x)"}}}"#,
        &expect![[r#"
        Config {
            log_formats: [
                (
                    "mine",
                    "(?P<a>x)",
                ),
            ],
            server: ServerKeys {
                permissions: PermissionKeys {
                    users: {},
                },
            },
        }
    "#]],
    );
    check(
        r#"{"Common": {"LogFormats": {"mine": 1}}}"#,
        &expect!["config file FILE: Common.LogFormats.mine: must be a string"],
    );
}
