//! The defaults in docs/operations.md and docs/remote.md are those of the code.

use std::path::Path;

use dtail_process::config::Config;

use crate::rules::Rules;

#[test]
fn the_defaults_of_the_limits_are_the_documented_ones() {
    let rules = Rules::new(&Config::default(), None).unwrap();
    let limits = &rules.limits;
    let keys = rules.auth_keys.unwrap();
    let milliseconds = usize::try_from(limits.handshake_timeout.as_millis()).unwrap();
    let defaults = [
        ("MaxConnections", limits.max_connections),
        ("MaxUnauthenticated", limits.max_unauthenticated),
        ("HandshakeTimeoutMs", milliseconds),
        ("MaxFailedLogins", limits.max_failed_logins),
        ("MaxSessionsPerConnection", limits.max_sessions_per_connection),
        ("MaxConcurrentCats", limits.max_concurrent_cats),
        ("MaxConcurrentTails", limits.max_concurrent_tails),
        ("MaxQueryMemory", limits.max_query_memory),
        ("MaxLineLength", limits.max_line_length),
        ("MaxGlobTargets", limits.max_glob_targets),
        ("AuthKeyTTLSeconds", usize::try_from(keys.ttl.as_secs()).unwrap()),
        ("AuthKeyMaxPerUser", keys.max_per_user),
    ];
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md");
    let text = std::fs::read_to_string(page).unwrap();
    for (key, value) in defaults {
        let row = format!("| `Server.{key}` | {value} | ");
        assert!(text.contains(&row), "docs/operations.md: no row {row}");
    }
}
