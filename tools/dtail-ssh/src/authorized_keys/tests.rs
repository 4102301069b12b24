//! Files against offers. The keys and certificates in `fixtures.txt` were made with ssh-keygen;
//! their private halves are gone.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::{Duration, UNIX_EPOCH};

use expect_test::{Expect, expect};

use super::*;

/// 2026-11-21 12:00:00 UTC.
const NOW: u64 = 1_795_262_400;

/// `name type base64`.
fn fixture(name: &str) -> &'static str {
    let lines = include_str!("fixtures.txt").lines();
    let mut found = lines.filter_map(|line| line.split_once(' ')).filter(|(word, _)| *word == name);
    found.next().unwrap().1
}

/// The file `text`, in which `USER` and `AUTHORITY` stand for keys.
fn file(text: &str) -> AuthorizedKeys {
    let text = text.replace("USER", fixture("user")).replace("AUTHORITY", fixture("authority"));
    parse(text.as_bytes())
}

fn offer_key(keys: &AuthorizedKeys, peer: &str, seconds: u64) -> Judgement {
    let key = PublicKey::from_openssh(fixture("user")).unwrap();
    let now = UNIX_EPOCH + Duration::from_secs(seconds);
    keys.judge("alice", Offered::Key(&key), peer.parse().unwrap(), now)
}

fn offer_certificate(keys: &AuthorizedKeys, name: &str, user: &str, peer: &str) -> Judgement {
    let certificate = Certificate::from_openssh(fixture(name)).unwrap();
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    keys.judge(user, Offered::Certificate(&certificate), peer.parse().unwrap(), now)
}

/// What becomes of the key from 10.0.0.1 for each line by itself, and what the file says of the
/// line.
#[track_caller]
fn check(lines: &[&str], expected: &Expect) {
    let mut told = String::new();
    for line in lines {
        let keys = file(line);
        let verdict = match offer_key(&keys, "10.0.0.1", NOW) {
            Judgement::Accepted { restrictions, .. } => format!("accepted {restrictions:?}"),
            Judgement::Refused(text) => format!("refused: {text}"),
        };
        told.push_str(&format!("{}\n  {verdict}\n", line.trim_end()));
        for (_, problem) in &keys.problems {
            told.push_str(&format!("  problem: {problem}\n"));
        }
    }
    expected.assert_eq(&told);
}

#[test]
fn lines_and_keys() {
    check(
        &[
            "USER",
            "  USER a comment with blanks",
            "USER\r",
            "# USER",
            "AUTHORITY",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-ed25519 !!!!",
            "ssh-dss AAAAB3NzaC1kc3MAAAABAQ==",
            "restrict",
            "nonsense USER",
            "\"USER",
        ],
        &expect![[r#"
            USER
              accepted []
              USER a comment with blanks
              accepted []
            USER
              accepted []
            # USER
              refused: ED25519 SHA256:MHC2jNxqIdYQGkLJgb2GxqEmFTY4AQ5Sy55bDlY6euY is not listed
            AUTHORITY
              refused: ED25519 SHA256:MHC2jNxqIdYQGkLJgb2GxqEmFTY4AQ5Sy55bDlY6euY is not listed
            ssh-ed25519
              refused: ED25519 SHA256:MHC2jNxqIdYQGkLJgb2GxqEmFTY4AQ5Sy55bDlY6euY is not listed
              problem: a public key looks like `ssh-ed25519 AAAA…`: here the second word is missing
            ssh-ed25519 AAAA
              refused: ED25519 SHA256:MHC2jNxqIdYQGkLJgb2GxqEmFTY4AQ5Sy55bDlY6euY is not listed
              problem: this is not a public key
            ssh-ed25519 !!!!
              refused: ED25519 SHA256:MHC2jNxqIdYQGkLJgb2GxqEmFTY4AQ5Sy55bDlY6euY is not listed
              problem: the key is not valid base64
            ssh-dss AAAAB3NzaC1kc3MAAAABAQ==
              refused: ED25519 SHA256:MHC2jNxqIdYQGkLJgb2GxqEmFTY4AQ5Sy55bDlY6euY is not listed
              problem: this is not a public key
            restrict
              refused: ED25519 SHA256:MHC2jNxqIdYQGkLJgb2GxqEmFTY4AQ5Sy55bDlY6euY is not listed
              problem: there is no key behind the options
            nonsense USER
              refused: line 1: the option "nonsense" is not understood here
              problem: the option "nonsense" is not understood here
            "USER
              refused: ED25519 SHA256:MHC2jNxqIdYQGkLJgb2GxqEmFTY4AQ5Sy55bDlY6euY is not listed
              problem: there is no key behind the options
        "#]],
    );
}

#[test]
fn options() {
    check(
        &[
            "restrict,no-pty,No-X11-Forwarding,pty USER",
            "environment=\"A=b c\",permitopen=\"h:1\",tunnel=\"0\" USER",
            "command=\"dserver --stdio\" USER",
            "command=\"/usr/bin/dserver --stdio\" USER",
            "command=\"echo \\\"hi\\\", there\" USER",
            "command=\"dserver --stdio --cfg x\" USER",
            "command=\"dserver --stdio\",command=\"dserver --stdio\" USER",
            "command USER",
            "command=dserver USER",
            "verify-required USER",
            "cert-authority USER",
            "principals=\"alice\" USER",
            "some-day=\"x\" USER",
            "restrict, USER",
            "restrict=\"x\" USER",
            "from=\"10.0.0.1\"restrict USER",
            "from=\"10.0.0.1 USER",
        ],
        &expect![[r#"
            restrict,no-pty,No-X11-Forwarding,pty USER
              accepted ["restrict", "no-pty", "No-X11-Forwarding"]
            environment="A=b c",permitopen="h:1",tunnel="0" USER
              accepted []
            command="dserver --stdio" USER
              accepted []
            command="/usr/bin/dserver --stdio" USER
              accepted []
            command="echo \"hi\", there" USER
              refused: line 1: the key is for the command "echo \"hi\", there" only, which is not run here
              problem: the key is for the command "echo \"hi\", there" only, which is not run here
            command="dserver --stdio --cfg x" USER
              refused: line 1: the key is for the command "dserver --stdio --cfg x" only, which is not run here
              problem: the key is for the command "dserver --stdio --cfg x" only, which is not run here
            command="dserver --stdio",command="dserver --stdio" USER
              refused: line 1: the option "command" is there twice
              problem: the option "command" is there twice
            command USER
              refused: line 1: the option "command" is not understood here
              problem: the option "command" is not understood here
            command=dserver USER
              refused: line 1: the option "command" needs a value in quotes
              problem: the option "command" needs a value in quotes
            verify-required USER
              refused: line 1: the option "verify-required" is not understood here
              problem: the option "verify-required" is not understood here
            cert-authority USER
              refused: line 1: the key signs certificates (cert-authority), it does not log in
            principals="alice" USER
              refused: line 1: principals= is only for lines with cert-authority
              problem: principals= is only for lines with cert-authority
            some-day="x" USER
              refused: line 1: the option "some-day" is not understood here
              problem: the option "some-day" is not understood here
            restrict, USER
              refused: line 1: there is a comma behind the last option
              problem: there is a comma behind the last option
            restrict="x" USER
              refused: line 1: the option "restrict" is not understood here
              problem: the option "restrict" is not understood here
            from="10.0.0.1"restrict USER
              refused: line 1: there is no comma behind the option "from"
              problem: there is no comma behind the option "from"
            from="10.0.0.1 USER
              refused: ED25519 SHA256:MHC2jNxqIdYQGkLJgb2GxqEmFTY4AQ5Sy55bDlY6euY is not listed
              problem: there is no key behind the options
        "#]],
    );
}

#[test]
fn addresses() {
    check(
        &[
            "from=\"10.0.0.1\" USER",
            "from=\"::ffff:10.0.0.1\" USER",
            "from=\"192.0.2.1,10.0.0.0/8\" USER",
            "from=\"0.0.0.0/0\" USER",
            "from=\"10.0.?.*\" USER",
            "from=\"*\" USER",
            "from=\"*,!10.0.0.1\" USER",
            "from=\"!10.0.0.2,10.0.0.*\" USER",
            "from=\"!10.0.0.2\" USER",
            "from=\"10.0.0.2,2001:db8::/32\" USER",
            "from=\"10.0.0.0/33\" USER",
            "from=\"10.0.0.1/8\" USER",
            "from=\"localhost\" USER",
            "from=\"*,!localhost\" USER",
            "from=\"\" USER",
            "from=\"10.0.0.1\",from=\"10.0.0.1\" USER",
        ],
        &expect![[r#"
            from="10.0.0.1" USER
              accepted []
            from="::ffff:10.0.0.1" USER
              accepted []
            from="192.0.2.1,10.0.0.0/8" USER
              accepted []
            from="0.0.0.0/0" USER
              accepted []
            from="10.0.?.*" USER
              accepted []
            from="*" USER
              accepted []
            from="*,!10.0.0.1" USER
              refused: line 1: from= does not list 10.0.0.1
            from="!10.0.0.2,10.0.0.*" USER
              accepted []
            from="!10.0.0.2" USER
              refused: line 1: from= does not list 10.0.0.1
            from="10.0.0.2,2001:db8::/32" USER
              refused: line 1: from= does not list 10.0.0.1
            from="10.0.0.0/33" USER
              refused: line 1: "10.0.0.0/33" is not a network like 192.0.2.0/24
              problem: "10.0.0.0/33" is not a network like 192.0.2.0/24
            from="10.0.0.1/8" USER
              refused: line 1: "10.0.0.1/8" is not a network like 192.0.2.0/24
              problem: "10.0.0.1/8" is not a network like 192.0.2.0/24
            from="localhost" USER
              refused: line 1: from= does not list 10.0.0.1
            from="*,!localhost" USER
              refused: line 1: from= excludes "localhost": names of hosts are not looked up here
              problem: from= excludes "localhost": names of hosts are not looked up here
            from="" USER
              refused: line 1: from= does not list 10.0.0.1
            from="10.0.0.1",from="10.0.0.1" USER
              refused: line 1: the option "from" is there twice
              problem: the option "from" is there twice
        "#]],
    );
    let keys = file("from=\"10.0.0.0/8,2001:db8::/32\" USER");
    for (peer, is_in) in [
        ("::ffff:10.9.9.9", true),
        ("2001:db8::1", true),
        ("2001:db9::1", false),
        ("11.0.0.1", false),
    ] {
        let verdict = offer_key(&keys, peer, NOW);
        assert_eq!(matches!(verdict, Judgement::Accepted { .. }), is_in, "{peer}: {verdict:?}");
    }
}

#[test]
fn expiry() {
    check(
        &[
            "expiry-time=\"20261122Z\" USER",
            "expiry-time=\"202611211200Z\" USER",
            "expiry-time=\"20261121120001Z\" USER",
            "expiry-time=\"20270101\" USER",
            "expiry-time=\"20260101\" USER",
            "expiry-time=\"20270101\",expiry-time=\"20260101\" USER",
            "expiry-time=\"20261322Z\" USER",
            "expiry-time=\"2026\" USER",
            "expiry-time=\"٢٠٢٦1122\" USER",
        ],
        &expect![[r#"
            expiry-time="20261122Z" USER
              accepted []
            expiry-time="202611211200Z" USER
              refused: line 1: expiry-time= has passed
            expiry-time="20261121120001Z" USER
              accepted []
            expiry-time="20270101" USER
              accepted []
            expiry-time="20260101" USER
              refused: line 1: expiry-time= has passed
            expiry-time="20270101",expiry-time="20260101" USER
              refused: line 1: expiry-time= has passed
            expiry-time="20261322Z" USER
              refused: line 1: expiry-time="20261322Z" is not of the form YYYYMMDD[HHMM[SS]][Z]
              problem: expiry-time="20261322Z" is not of the form YYYYMMDD[HHMM[SS]][Z]
            expiry-time="2026" USER
              refused: line 1: expiry-time="2026" is not of the form YYYYMMDD[HHMM[SS]][Z]
              problem: expiry-time="2026" is not of the form YYYYMMDD[HHMM[SS]][Z]
            expiry-time="٢٠٢٦1122" USER
              refused: line 1: expiry-time="٢٠٢٦1122" is not of the form YYYYMMDD[HHMM[SS]][Z]
              problem: expiry-time="٢٠٢٦1122" is not of the form YYYYMMDD[HHMM[SS]][Z]
        "#]],
    );
}

#[test]
fn the_first_line_that_lets_in_counts_and_the_first_reason_is_told() {
    let keys = file("from=\"10.0.0.2\" USER\nexpiry-time=\"20200101\" USER\nno-pty USER\nUSER\n");
    let restrictions = vec!["no-pty".to_owned()];
    let accepted = Judgement::Accepted { line: 3, restrictions, expires: None };
    assert_eq!(offer_key(&keys, "10.0.0.1", NOW), accepted);
    let keys = file("\nfrom=\"10.0.0.2\" USER\nexpiry-time=\"20200101\" USER\n");
    let refused = Judgement::Refused("line 2: from= does not list 10.0.0.1".to_owned());
    assert_eq!(offer_key(&keys, "10.0.0.1", NOW), refused);
}

#[test]
fn certificates() {
    let mut told = String::new();
    for (line, offers) in [
        (
            "cert-authority AUTHORITY",
            &[
                ("alice", "alice", "10.0.0.1"),
                ("alice", "bob", "10.0.0.1"),
                ("alice", "mallory", "10.0.0.1"),
                ("nobody", "alice", "10.0.0.1"),
                ("host", "alice", "10.0.0.1"),
                ("source", "alice", "10.1.2.3"),
                ("source", "alice", "2001:db8::9"),
                ("source", "alice", "11.1.2.3"),
                ("forced", "alice", "10.0.0.1"),
                ("years", "alice", "10.0.0.1"),
                ("stranger", "alice", "10.0.0.1"),
            ][..],
        ),
        ("AUTHORITY", &[("alice", "alice", "10.0.0.1")]),
        ("USER", &[("alice", "alice", "10.0.0.1")]),
        (
            "cert-authority,principals=\"carol,bob\",no-pty AUTHORITY",
            &[("alice", "mallory", "10.0.0.1"), ("years", "alice", "10.0.0.1")],
        ),
        ("cert-authority,from=\"10.0.0.2\" AUTHORITY", &[("alice", "alice", "10.0.0.1")]),
        ("cert-authority,expiry-time=\"2020\" AUTHORITY", &[("alice", "alice", "10.0.0.1")]),
    ] {
        told.push_str(&format!("{line}\n"));
        for (name, user, peer) in offers {
            let verdict = offer_certificate(&file(line), name, user, peer);
            told.push_str(&format!("  {name} as {user} from {peer}: {verdict:?}\n"));
        }
    }
    expect![[r#"
        cert-authority AUTHORITY
          alice as alice from 10.0.0.1: Accepted { line: 1, restrictions: [], expires: None }
          alice as bob from 10.0.0.1: Accepted { line: 1, restrictions: [], expires: None }
          alice as mallory from 10.0.0.1: Refused("line 1: the certificate \"alice\" does not name \"mallory\"")
          nobody as alice from 10.0.0.1: Refused("line 1: the certificate \"nobody\" does not name \"alice\"")
          host as alice from 10.0.0.1: Refused("line 1: the certificate \"host\" is for a host, not for a user")
          source as alice from 10.1.2.3: Accepted { line: 1, restrictions: [], expires: None }
          source as alice from 2001:db8::9: Accepted { line: 1, restrictions: [], expires: None }
          source as alice from 11.1.2.3: Refused("line 1: the certificate \"source\" is not for 11.1.2.3")
          forced as alice from 10.0.0.1: Refused("line 1: the certificate \"forced\" has the critical option \"force-command\", which is not supported here")
          years as alice from 10.0.0.1: Accepted { line: 1, restrictions: [], expires: None }
          stranger as alice from 10.0.0.1: Refused("ED25519-CERT SHA256:MHC2jNxqIdYQGkLJgb2GxqEmFTY4AQ5Sy55bDlY6euY ID \"stranger\" CA SHA256:wO8xoxx44gdCtkJRvezCWzZBtbws8Gg/qgwU/RumCqo: its authority is not listed")
        AUTHORITY
          alice as alice from 10.0.0.1: Refused("line 1: the key is listed without cert-authority")
        USER
          alice as alice from 10.0.0.1: Refused("ED25519-CERT SHA256:MHC2jNxqIdYQGkLJgb2GxqEmFTY4AQ5Sy55bDlY6euY ID \"alice\" CA SHA256:4sNJ5/TQo+Sk8U/WqulI2AOjSl0HLNThkri4sNAkEps: its authority is not listed")
        cert-authority,principals="carol,bob",no-pty AUTHORITY
          alice as mallory from 10.0.0.1: Accepted { line: 1, restrictions: ["no-pty"], expires: None }
          years as alice from 10.0.0.1: Refused("line 1: the certificate \"years\" does not name \"alice\"")
        cert-authority,from="10.0.0.2" AUTHORITY
          alice as alice from 10.0.0.1: Refused("line 1: from= does not list 10.0.0.1")
        cert-authority,expiry-time="2020" AUTHORITY
          alice as alice from 10.0.0.1: Refused("line 1: expiry-time=\"2020\" is not of the form YYYYMMDD[HHMM[SS]][Z]")
    "#]].assert_eq(&told);
}

#[test]
fn a_certificate_is_good_only_in_its_years() {
    let keys = file("cert-authority AUTHORITY");
    let certificate = Certificate::from_openssh(fixture("years")).unwrap();
    let told: Vec<String> = [1_500_000_000, NOW, 1_900_000_000]
        .map(|seconds| {
            let now = UNIX_EPOCH + Duration::from_secs(seconds);
            let peer = "10.0.0.1".parse().unwrap();
            format!("{:?}", keys.judge("alice", Offered::Certificate(&certificate), peer, now))
        })
        .into();
    expect![[r#"
        Refused("line 1: the certificate \"years\" is not valid yet")
        Accepted { line: 1, restrictions: [], expires: None }
        Refused("line 1: the certificate \"years\" has expired")"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn a_changed_certificate_is_refused() {
    let keys = file("cert-authority AUTHORITY");
    let good = Certificate::from_openssh(fixture("alice")).unwrap().blob();
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    let mut accepted = 0;
    for at in 0..good.len() {
        let mut blob = good.clone();
        blob[at] ^= 1;
        let Ok(certificate) = Certificate::from_blob(&blob) else { continue };
        let offered = Offered::Certificate(&certificate);
        if let Judgement::Accepted { .. } =
            keys.judge("alice", offered, "10.0.0.1".parse().unwrap(), now)
        {
            accepted += 1;
        }
    }
    assert_eq!(accepted, 0);
}

#[test]
fn large_and_cut_files_grant_only_whole_lines() {
    let line = format!("{}\n", fixture("user"));
    let mut data = line.clone().into_bytes();
    data.resize(FILE_LIMIT - line.len() + 10, b'#');
    data.push(b'\n');
    data.extend_from_slice(format!("from=\"10.0.0.1\" {line}").as_bytes());
    let keys = parse(&data);
    assert_eq!(keys.entries.len(), 1);
    assert_eq!(keys.problems, [(3, format!("only the first {FILE_LIMIT} bytes are read"))]);

    let long = format!("{} {}", fixture("user"), "c".repeat(LINE_LIMIT));
    assert!(parse(long.as_bytes()).entries.is_empty());
}

#[test]
fn bytes_that_are_no_file_make_no_entries() {
    for data in [&b"\xff\xfe\0\0"[..], b"\n\n\n", b"\"\\\"\\\\", b"ssh-", b"=,=", &[b'"'; 5000]] {
        assert!(parse(data).entries.is_empty(), "{data:?}");
    }
}

#[test]
fn a_file_that_others_may_have_written_is_refused() {
    let house = tempfile::tempdir().unwrap();
    let directory = house.path().join("ssh");
    let path = directory.join("authorized_keys");
    let me = fs::metadata(house.path()).map(|metadata| metadata.uid()).unwrap();
    let mut told = String::new();
    let mut look = |what: &str, owners: &[u32]| {
        let verdict = match load(&path, owners) {
            Ok(keys) => format!("{} keys", keys.entries.len()),
            Err(error) => error.to_string(),
        };
        let verdict = verdict.replace(&house.path().display().to_string(), "HOUSE");
        told.push_str(&format!("{what}: {verdict}\n"));
    };
    look("no directory", &[me]);
    fs::create_dir(&directory).unwrap();
    look("no file", &[me]);
    fs::write(&path, fixture("user")).unwrap();
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    };
    mode(&directory, 0o755);
    mode(&path, 0o644);
    look("good", &[me]);
    mode(&path, 0o664);
    look("group writes the file", &[me]);
    mode(&path, 0o600);
    mode(&directory, 0o777);
    look("all write the directory", &[me]);
    mode(&directory, 0o700);
    fs::rename(&path, house.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(house.path().join("elsewhere"), &path).unwrap();
    look("a link", &[me]);
    mode(&house.path().join("elsewhere"), 0o646);
    look("a link to what all write", &[me]);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    look("a directory", &[me]);
    expect![[r#"
        no directory: there is no authorized_keys file
        no file: there is no authorized_keys file
        good: 1 keys
        group writes the file: HOUSE/ssh/authorized_keys: others may write here: chmod go-w HOUSE/ssh/authorized_keys
        all write the directory: HOUSE/ssh: others may write here: chmod go-w HOUSE/ssh
        a link: 1 keys
        a link to what all write: HOUSE/elsewhere: others may write here: chmod go-w HOUSE/elsewhere
        a directory: HOUSE/ssh/authorized_keys: not a regular file
    "#]].assert_eq(&told);
}

#[test]
fn a_file_of_somebody_else_is_refused() {
    let house = tempfile::tempdir().unwrap();
    let path = house.path().join("authorized_keys");
    fs::write(&path, fixture("user")).unwrap();
    let me = fs::metadata(&path).map(|metadata| metadata.uid()).unwrap();
    // Root's files are everybody's: then there is nothing to see here but that.
    let verdict = load(&path, &[me.wrapping_add(1)]);
    assert_eq!(verdict.is_ok(), me == 0, "{verdict:?}");
    if me == 0 {
        std::os::unix::fs::chown(&path, Some(4711), None).unwrap();
        let error = load(&path, &[0, 1]).unwrap_err().to_string();
        assert!(error.ends_with("it belongs to user 4711, who could let anybody in"), "{error}");
        load(&path, &[4711]).unwrap();
    }
}

/// Of several times the first counts.
#[test]
fn who_is_let_in_is_told_until_when() {
    let until = |options: &str| match offer_key(&file(&format!("{options} USER")), "10.0.0.1", NOW)
    {
        Judgement::Accepted { expires, .. } => {
            expires.map(|at| at.duration_since(UNIX_EPOCH).unwrap().as_secs() - NOW)
        }
        Judgement::Refused(text) => panic!("{text}"),
    };
    assert_eq!(until("restrict"), None);
    assert_eq!(until("expiry-time=\"202611211230Z\""), Some(30 * 60));
    let twice = "expiry-time=\"20270101Z\",expiry-time=\"20261121120001Z\"";
    assert_eq!(until(twice), Some(1));
}

#[test]
fn foreign_bytes_break_no_promise() {
    let good =
        file("USER\nfrom=\"10.0.0.0/8\",expiry-time=\"29990101\" USER\ncert-authority AUTHORITY");
    assert_eq!(good.entries.len(), 3);
    let certificate = fixture("alice");
    let text = format!(
        "restrict USER\ncert-authority,principals=\"ann\" AUTHORITY\n{certificate}\nUSER\n"
    );
    let text = text.replace("USER", fixture("user")).replace("AUTHORITY", fixture("authority"));
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..200 {
        let mut bytes = text.clone().into_bytes();
        for _ in 0..rng.usize(0..4) {
            let place = rng.usize(0..bytes.len());
            bytes[place] = rng.u8(..);
        }
        fuzzed(&bytes);
    }
}
