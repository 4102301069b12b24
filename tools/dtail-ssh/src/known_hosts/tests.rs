//! Records of every form against hosts, and what remembering leaves on disk.

use std::os::unix::fs::MetadataExt as _;

use expect_test::{Expect, expect};

use super::*;

const OLD: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCzrjrIm0Ff1inxKQ5W133uxWAEWAqmCh1hrM9I5nVVHLN9fV+ZNzYSz6Hy3W/TsYY8mwY6NFfb6SKfCxRZh5au5PbASKFN/aXDhdZPvajIj4J3hGVV0inzrM3xCWlHt1Sxq6UQRs6SOuH2speZjLaK/WczYnwa9CnNrCseTI52HQ==";
const NEW: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";

fn endpoint(host: &str, port: u16) -> Endpoint {
    Endpoint { host: host.to_owned(), port, user: "alice".to_owned() }
}

/// What each of some hosts with the key `NEW` is, after a file of `lines`; `OLD` and `NEW` stand
/// for the keys.
#[track_caller]
fn check(lines: &str, expected: &Expect) {
    let file = lines.replace("OLD", OLD).replace("NEW", NEW).replace("RSA", RSA);
    let records = record::parse(file.as_bytes());
    let hosts = [("web1", 22), ("web1", 2222), ("WEB2", 22), ("example.com", 22), ("::1", 2222)];
    let key = PublicKey::from_openssh(NEW).unwrap();
    let ip = "10.0.0.1".parse().unwrap();
    let told: String = hosts
        .iter()
        .map(|(host, port)| {
            let trust = super::check(&records, &endpoint(host, *port), ip, &key);
            format!("{host}:{port} {trust:?}\n")
        })
        .collect();
    expected.assert_eq(&told);
}

#[test]
fn names_ports_and_patterns() {
    check(
        "# a comment\n\nweb1,web2 NEW\n[web1]:2222 OLD other words\n[::1]:2222\tNEW\n",
        &expect![[r#"
            web1:22 Known
            web1:2222 Changed { line: 4 }
            WEB2:22 Known
            example.com:22 Unknown
            ::1:2222 Known
        "#]],
    );
    check(
        "web*,!web2 NEW\n*.com OLD\n10.0.0.1 OLD\n",
        &expect![[r#"
            web1:22 Known
            web1:2222 Unknown
            WEB2:22 Unknown
            example.com:22 Changed { line: 2 }
            ::1:2222 Unknown
        "#]],
    );
}

#[test]
fn several_keys_of_one_host_are_all_good_and_another_type_is_a_change() {
    check(
        "web1 OLD\nweb1 NEW\nweb2 RSA\n",
        &expect![[r#"
            web1:22 Known
            web1:2222 Unknown
            WEB2:22 Changed { line: 3 }
            example.com:22 Unknown
            ::1:2222 Unknown
        "#]],
    );
}

#[test]
fn hashed_names() {
    check(
        "|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak= NEW\n|1|broken NEW\n",
        &expect![[r#"
            web1:22 Unknown
            web1:2222 Unknown
            WEB2:22 Unknown
            example.com:22 Known
            ::1:2222 Unknown
        "#]],
    );
}

#[test]
fn markers() {
    check(
        "@revoked * NEW\nweb1 NEW\n",
        &expect![[r#"
            web1:22 Revoked
            web1:2222 Revoked
            WEB2:22 Revoked
            example.com:22 Revoked
            ::1:2222 Revoked
        "#]],
    );
    check(
        "@revoked 10.0.0.1 NEW\n@revoked web2 OLD\n@cert-authority * NEW\n@later * NEW\n",
        &expect![[r#"
            web1:22 Revoked
            web1:2222 Unknown
            WEB2:22 Revoked
            example.com:22 Revoked
            ::1:2222 Unknown
        "#]],
    );
}

#[test]
fn remembering_adds_lines_and_keeps_the_others() {
    let house = tempfile::tempdir().unwrap();
    let path = house.path().join("new").join("known_hosts");
    let known = KnownHosts::load(&path).unwrap();
    let key = PublicKey::from_openssh(NEW).unwrap();
    let host =
        |name: &str, port, ip: &str| (endpoint(name, port), ip.parse().unwrap(), key.clone());
    known.remember(&[host("Web1", 2222, "10.0.0.1"), host("10.0.0.9", 22, "10.0.0.9")]).unwrap();
    // Another program writes, without a newline at the end.
    let line = format!("# mine\n10.0.0.2 {OLD}");
    let content = std::fs::read_to_string(&path).unwrap() + &line;
    std::fs::write(&path, content).unwrap();
    known.remember(&[host("web1", 2222, "10.0.0.1"), host("web2", 22, "10.0.0.2")]).unwrap();
    let content = std::fs::read_to_string(&path).unwrap().replace(OLD, "OLD").replace(NEW, "NEW");
    expect![[r#"
        [web1]:2222,[10.0.0.1]:2222 NEW
        10.0.0.9 NEW
        # mine
        10.0.0.2 OLD
        web2 NEW
    "#]]
    .assert_eq(&content);
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let ip = "10.0.0.2".parse().unwrap();
    assert_eq!(known.check(&endpoint("web2", 22), ip, &key), HostTrust::Known);
    assert_eq!(known.key_types(&endpoint("web2", 22)), ["ssh-ed25519"]);
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "a file is left");
}

#[test]
fn a_file_that_cannot_be_read_is_not_overwritten() {
    let house = tempfile::tempdir().unwrap();
    let path = house.path().join("known_hosts");
    let known = KnownHosts::load(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let key = PublicKey::from_openssh(NEW).unwrap();
    let ip = "10.0.0.2".parse().unwrap();
    known.remember(&[(endpoint("web2", 22), ip, key.clone())]).unwrap_err();
    assert!(path.is_dir());
    assert_eq!(known.check(&endpoint("web2", 22), ip, &key), HostTrust::Known);
}
