//! Our client and our server: logins, channels, ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dtail_ssh::authorized_keys;
use dtail_ssh::{
    ChannelError, ConnectErrorKind, Connection, Credential, Login, LoginErrorKind, PublicKey,
    connect,
};
use expect_test::expect;
use tokio::io::AsyncReadExt as _;

use crate::house::{
    client_options, converse, directory, echo, endpoint, identities, judge, key_pair, listen,
    server_options, trust, within,
};

/// A connection and its other end; anybody may come in.
pub(crate) async fn pair() -> (Connection, Login) {
    let house = directory();
    let (address, mut logins) = listen(server_options(house.path()), judge(|_| true)).await;
    let options = client_options(identities(None));
    let connection = within(connect(&endpoint(address), &options, trust(true))).await.unwrap();
    (connection, within(logins.recv()).await.unwrap().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_logs_in_and_channels_carry_bytes() {
    let house = directory();
    let key_file = key_pair(house.path(), "id");
    let identities = identities(Some(key_file));
    let expected = identities.describe()[0].clone();
    let wanted = expected.clone();
    let judge = judge(move |attempt| {
        attempt.user == "alice"
            && matches!(attempt.credential, Credential::Key(key) if key.describe() == wanted)
    });
    let (address, mut logins) = listen(server_options(house.path()), judge).await;

    let options = client_options(identities);
    let connection = within(connect(&endpoint(address), &options, trust(true))).await.unwrap();
    assert_eq!(connection.remote_software(), "DTail_test");
    assert_eq!(connection.identity(), expected);
    let login = within(logins.recv()).await.unwrap().unwrap();
    assert_eq!((login.user.as_str(), login.credential.as_str()), ("alice", expected.as_str()));

    let served = tokio::spawn(echo(login));
    let stream = within(connection.subsystem("dtail")).await.unwrap();
    assert_eq!(within(converse(stream, "hello")).await, "Subsystem(\"dtail\")\nhello");
    let stream = within(connection.shell()).await.unwrap();
    assert_eq!(within(converse(stream, "again")).await, "Shell\nagain");
    within(connection.close()).await;
    within(served).await.unwrap();
}

/// What the judge sees and both sides say when `alice` shows a key, then a password.
async fn attempts(accepts: fn(&Credential<'_>) -> bool) -> String {
    let house = directory();
    let key = key_pair(house.path(), "id");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let judge = judge(move |attempt| {
        let name = match attempt.credential {
            Credential::None => "none",
            Credential::Password(_) => "password",
            Credential::Key(_) => "key",
            Credential::Certified(_) => "certified",
            Credential::Certificate(_) => "certificate",
        };
        log.lock().unwrap().push(name);
        accepts(&attempt.credential)
    });
    let (address, mut logins) = listen(server_options(house.path()), judge).await;
    let identities = identities(Some(key));
    let fingerprint = identities.describe()[0].clone();
    let mut options = client_options(identities);
    options.password = Some("sesame".to_owned());
    let client = match within(connect(&endpoint(address), &options, trust(true))).await {
        Ok(connection) => connection.identity(),
        Err(error) => format!("{:?}: {error}", error.kind),
    };
    let server = match within(logins.recv()).await.unwrap() {
        Ok(login) => login.credential.clone(),
        Err(error) => format!("{:?}: {error}", error.kind),
    };
    let seen = seen.lock().unwrap().join(" ");
    format!("{seen}\nclient {client}\nserver {server}\n").replace(&fingerprint, "FINGERPRINT")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_judged_as_a_probe_and_after_its_signature() {
    expect![[r#"
        key key
        client FINGERPRINT
        server FINGERPRINT
    "#]]
    .assert_eq(&attempts(|shown| matches!(shown, Credential::Key(_))).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_tried_after_the_keys() {
    let is_right = |shown: &Credential<'_>| matches!(shown, Credential::Password("sesame"));
    expect![[r#"
        key certified password
        client password
        server password
    "#]]
    .assert_eq(&attempts(is_right).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_what_was_tried_on_both_sides() {
    expect![[r#"
        key certified password
        client LoginRefused: the server refused alice with FINGERPRINT, password: add one of the keys to authorized_keys there
        server Refused: refused: "alice" with FINGERPRINT, "alice" with password
    "#]].assert_eq(&attempts(|_| false).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_the_method_none_is_tried() {
    let (connection, login) = pair().await;
    assert_eq!((connection.identity().as_str(), login.credential.as_str()), ("none", "none"));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_wrong_keys_cost_little_and_too_many_end_the_connection() {
    let house = directory();
    let right = key_pair(house.path(), "right");
    let home = house.path().join("home");
    std::fs::create_dir_all(home.join(".ssh")).unwrap();
    for name in ["id_ed25519", "id_ecdsa", "id_rsa"] {
        key_pair(&home.join(".ssh"), name);
    }
    std::fs::rename(&right, home.join(".ssh/id_rsa")).unwrap();
    let file = std::fs::read(house.path().join("right.pub")).unwrap();
    let keys = authorized_keys::parse(&file);
    let judge = judge(move |attempt| {
        let Credential::Key(key) = attempt.credential else { return false };
        let offered = authorized_keys::Offered::Key(key);
        let now = std::time::SystemTime::now();
        let verdict = keys.judge(attempt.user, offered, attempt.peer.ip(), now);
        matches!(verdict, authorized_keys::Judgement::Accepted { line: 1, .. })
    });
    let mut server = server_options(house.path());
    server.max_attempts = 2;
    let (address, mut logins) = listen(server.clone(), Arc::clone(&judge)).await;
    let identities = dtail_ssh::Identities::collect(dtail_ssh::IdentityOptions {
        key_file: None,
        default_files: true,
        home: Some(home),
        agent: dtail_ssh::Agent::None,
        passphrase: &mut |_| None,
    });
    let options = client_options(identities.unwrap());
    let begin = std::time::Instant::now();
    within(connect(&endpoint(address), &options, trust(true))).await.unwrap();
    // Two refusals; left to itself russh takes a second for each.
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    within(logins.recv()).await.unwrap().unwrap();

    server.max_attempts = 1;
    let (address, mut logins) = listen(server, judge).await;
    // With `none` for free, one wrong key is allowed, but not two and the right one.
    let error = within(connect(&endpoint(address), &options, trust(true))).await;
    let error = error.map(|connection| connection.identity()).unwrap_err();
    assert_eq!(error.kind, ConnectErrorKind::LoginRefused);
    let refused = within(logins.recv()).await.unwrap().unwrap_err();
    assert_eq!(refused.kind, LoginErrorKind::Refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_channels_may_be_open_and_a_closed_one_makes_room() {
    let (connection, mut login) = pair().await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(within(connection.subsystem("dtail")).await.unwrap());
    }
    let refused = within(connection.subsystem("dtail")).await.map(drop);
    assert_eq!(refused, Err(ChannelError::Refused));
    let first = within(login.next_channel()).await.unwrap();
    let (reader, writer) = first.stream.split();
    within(writer.finish(3)).await.unwrap();
    drop(reader);
    let (mut reader, writer) = streams.remove(0).split();
    assert_eq!(within(reader.next_bytes()).await, None);
    within(reader.closed()).await;
    assert_eq!(reader.exit_status(), Some(3));
    drop(writer);
    streams.push(within(connection.shell()).await.unwrap());

    // Who asks for more and more is thrown out.
    let mut refused = 0;
    while within(connection.shell()).await.map(drop) == Err(ChannelError::Refused) {
        refused += 1;
    }
    assert_eq!(refused, 99, "besides the one above");
    while within(login.next_channel()).await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_either_side_reaches_the_other() {
    // The server disconnects.
    let (connection, login) = pair().await;
    let mut stream = within(connection.shell()).await.unwrap();
    within(login.disconnect("good night")).await;
    assert_eq!(within(stream.read(&mut [0; 10])).await.unwrap_or(0), 0);
    assert_eq!(within(connection.shell()).await.map(drop), Err(ChannelError::Closed));

    // The server drops everything.
    let (connection, login) = pair().await;
    let mut stream = within(connection.shell()).await.unwrap();
    drop(login);
    assert_eq!(within(stream.read(&mut [0; 10])).await.unwrap_or(0), 0);

    // The client leaves in an orderly way, and just drops everything.
    for orderly in [true, false] {
        let (connection, mut login) = pair().await;
        let stream = within(connection.shell()).await.unwrap();
        let mut served = within(login.next_channel()).await.unwrap().stream;
        if orderly {
            within(connection.close()).await;
        } else {
            drop(connection);
        }
        assert_eq!(within(served.read(&mut [0; 10])).await.unwrap_or(0), 0);
        assert!(within(login.next_channel()).await.is_none());
        drop(stream);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_before_the_end_arrives() {
    let (connection, mut login) = pair().await;
    let stream = within(connection.shell()).await.unwrap();
    let served = within(login.next_channel()).await.unwrap().stream;
    let (reader, mut writer) = served.split();
    drop(reader);
    let block = bytes::Bytes::from(vec![7; 300_000]);
    let sent = tokio::spawn(async move {
        for _ in 0..10 {
            writer.send(block.clone()).await.unwrap();
        }
        writer.finish(0).await.unwrap();
        drop(login);
    });
    let (mut reader, _writer) = stream.split();
    let mut received = Vec::new();
    within(reader.read_to_end(&mut received)).await.unwrap();
    assert_eq!(received.len(), 3_000_000);
    within(sent).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_right_after_it_disconnected_has_told_everything() {
    let house = directory();
    let server = server_options(house.path());
    let (tell, told) = tokio::sync::oneshot::channel();
    let serving = std::thread::spawn(move || {
        // The connection runs only as long as somebody waits for it on this thread.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (address, mut logins) = listen(server, judge(|_| true)).await;
            tell.send(address).unwrap();
            let mut login = within(logins.recv()).await.unwrap().unwrap();
            let (reader, mut writer) = within(login.next_channel()).await.unwrap().stream.split();
            drop(reader);
            within(writer.send(bytes::Bytes::from_static(b"the last word"))).await.unwrap();
            within(writer.finish(0)).await.unwrap();
            within(login.disconnect("good night")).await;
        });
    });
    let options = client_options(identities(None));
    let address = within(told).await.unwrap();
    let connection = within(connect(&endpoint(address), &options, trust(true))).await.unwrap();
    let (mut reader, _writer) = within(connection.shell()).await.unwrap().split();
    let mut received = Vec::new();
    within(reader.read_to_end(&mut received)).await.unwrap();
    assert_eq!(received, b"the last word");
    serving.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_make_no_sense_are_refused() {
    let house = directory();
    let mut told = String::new();
    let mut check = |change: fn(&mut dtail_ssh::ServerOptions)| {
        let mut options = server_options(house.path());
        change(&mut options);
        match dtail_ssh::Server::new(options) {
            Ok(_) => told.push_str("fine\n"),
            Err(text) => told.push_str(&format!("{text}\n")),
        }
    };
    check(|options| options.host_keys.clear());
    check(|options| options.software = "My-Server 1".to_owned());
    check(|options| options.ciphers = vec!["3des-cbc".to_owned()]);
    check(|options| options.macs = vec!["hmac-sha1".to_owned()]);
    check(|options| options.key_exchanges = vec!["none".to_owned()]);
    check(|options| options.ciphers = vec!["aes256-ctr".to_owned()]);
    expect![[r#"
        a server needs at least one host key
        "My-Server 1" cannot be announced as software: use letters, digits, `_` and `.`
        unknown cipher "3des-cbc": use one of aes128-gcm@openssh.com, aes256-gcm@openssh.com, chacha20-poly1305@openssh.com, aes128-ctr, aes192-ctr, aes256-ctr
        unknown MAC "hmac-sha1": use one of hmac-sha2-256-etm@openssh.com, hmac-sha2-512-etm@openssh.com, hmac-sha2-256, hmac-sha2-512
        unknown key exchange "none": use one of mlkem768x25519-sha256, curve25519-sha256, curve25519-sha256@libssh.org, ecdh-sha2-nistp256, ecdh-sha2-nistp384, ecdh-sha2-nistp521, diffie-hellman-group-exchange-sha256, diffie-hellman-group16-sha512, diffie-hellman-group18-sha512, diffie-hellman-group14-sha256
        fine
    "#]].assert_eq(&told);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cipher_and_mac_that_may_be_chosen_works() {
    for (cipher, mac) in [
        ("aes128-gcm@openssh.com", "hmac-sha2-256"),
        ("aes256-gcm@openssh.com", "hmac-sha2-256"),
        ("chacha20-poly1305@openssh.com", "hmac-sha2-256"),
        ("aes128-ctr", "hmac-sha2-256-etm@openssh.com"),
        ("aes192-ctr", "hmac-sha2-512-etm@openssh.com"),
        ("aes256-ctr", "hmac-sha2-512"),
    ] {
        let house = directory();
        let mut server = server_options(house.path());
        server.ciphers = vec![cipher.to_owned()];
        server.macs = vec![mac.to_owned()];
        let (address, mut logins) = listen(server, judge(|_| true)).await;
        let options = client_options(identities(None));
        let connection = within(connect(&endpoint(address), &options, trust(true))).await.unwrap();
        drop(tokio::spawn(echo(within(logins.recv()).await.unwrap().unwrap())));
        let stream = within(connection.shell()).await.unwrap();
        assert_eq!(within(converse(stream, cipher)).await, format!("Shell\n{cipher}"));
    }
}

#[test]
fn keys_are_read_and_written_as_ssh_keygen_does() {
    let house = directory();
    key_pair(house.path(), "id");
    let line = std::fs::read_to_string(house.path().join("id.pub")).unwrap();
    let key = PublicKey::from_openssh(&line).unwrap();
    assert_eq!(format!("{} id\n", key.to_openssh()), line);
    assert_eq!(PublicKey::from_blob(&key.blob()).unwrap(), key);
    for (text, problem) in [
        ("", "a public key looks like `ssh-ed25519 AAAA…`: here the second word is missing"),
        ("ssh-rsa", "a public key looks like `ssh-ed25519 AAAA…`: here the second word is missing"),
        ("ssh-rsa AA=A", "the key is not valid base64"),
        ("ssh-rsa AAAA", "this is not a public key"),
    ] {
        assert_eq!(PublicKey::from_openssh(text).unwrap_err().to_string(), problem);
    }
    let other = line.replace("ssh-ed25519", "ssh-rsa");
    let error = PublicKey::from_openssh(&other).unwrap_err().to_string();
    assert_eq!(error, "the key says ssh-rsa but is ssh-ed25519");
    let blob = key.blob();
    for length in 0..blob.len() {
        PublicKey::from_blob(&blob[..length]).unwrap_err();
    }
}
