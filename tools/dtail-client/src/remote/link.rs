//! From a host's name to a stream of bytes: our own SSH or the user's ssh program, and which
//! protocol is spoken over it. Never looks into the answer.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dtail_protocol::Summary;
use dtail_ssh::{
    ByteStream, ChannelError, ConnectError, ConnectErrorKind, Connection, PublicKey, Trust, connect,
};
use tokio::io::{AsyncRead, AsyncReadExt, join};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::counts::Counted;
use super::gathering::Gathering;
use super::legacy;
use super::shared::{Failure, Native, Shared, Site, Way};
use super::talk::{CLOSED_BEFORE_GREETING, Talk};

/// The subsystem's name.
const SUBSYSTEM: &str = "dtail";
/// Time for an orderly goodbye, after which the connection is dropped.
const GOODBYE: Duration = Duration::from_millis(300);
/// The most that is kept of what an ssh program complains about, in bytes.
const COMPLAINTS: usize = 4096;

/// The right to make a connection, of which only so many are made at once.
#[derive(Clone)]
pub(crate) struct Permit(Arc<Mutex<Option<(OwnedSemaphorePermit, Counted)>>>);

impl Permit {
    async fn wait_for(shared: &Shared) -> Permit {
        let permit = Arc::clone(&shared.connecting).acquire_owned().await;
        let counted = shared.counts.count(|counts| &counts.connecting);
        // Nobody closes the semaphore.
        Permit(Arc::new(Mutex::new(permit.ok().map(|permit| (permit, counted)))))
    }

    /// The connection is made, or waits for a person.
    pub(crate) fn give_up(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    #[cfg(test)]
    pub(crate) fn of_test() -> Permit {
        Permit(Arc::default())
    }
}

/// Connects once and has the request answered.
pub(crate) async fn attempt(site: &mut Site) -> Result<Summary, Failure> {
    let permit = Permit::wait_for(&site.shared).await;
    let shared = Arc::clone(&site.shared);
    match &shared.way {
        Way::Ssh(command) => through_program(command, site, permit).await,
        Way::Native(native) => by_ourselves(native, site, permit).await,
    }
}

/// What the other side of a connection is, judged by its banner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    /// Ours.
    Dtail,
    /// One that we do not know; it may be an old DTail.
    Unknown,
    /// Knows our protocol only if it was set up so, and DTail's not at all.
    OpenSsh,
    /// DTail, which is written in Go and does not give itself another name.
    OldDtail,
}

fn peer(software: &str) -> Peer {
    match software {
        "Go" => Peer::OldDtail,
        _ if software.starts_with("OpenSSH") => Peer::OpenSsh,
        _ if software.starts_with("DTail_") => Peer::Dtail,
        _ => Peer::Unknown,
    }
}

async fn by_ourselves(
    native: &Native,
    site: &mut Site,
    permit: Permit,
) -> Result<Summary, Failure> {
    let connection = enter(native, site, &permit).await?;
    let peer = peer(connection.remote_software());
    let failure = match peer {
        Peer::OldDtail => return talk_as_of_old(connection, site, permit).await,
        Peer::Dtail | Peer::Unknown | Peer::OpenSsh => {
            match connection.subsystem(SUBSYSTEM).await {
                Ok(stream) => {
                    let answered = Talk::new(stream, site, permit.clone()).run().await;
                    match answered {
                        Err(failure) if failure.is_before_greeting => failure,
                        answered => {
                            say_goodbye(connection).await;
                            return answered;
                        }
                    }
                }
                Err(err) => channel_failure(err),
            }
        }
    };
    say_goodbye(connection).await;
    match peer {
        Peer::Unknown | Peer::OldDtail => {}
        Peer::Dtail => return Err(failure),
        Peer::OpenSsh => {
            let advice = "it is its sshd that answers: add `Subsystem dtail …/dserver --stdio` \
                          to its sshd_config, or use the port of its dserver";
            return Err(Failure { text: format!("{}; {advice}", failure.text), ..failure });
        }
    }
    // A server that ends the connection at the word subsystem is most likely an old one.
    let connection = enter(native, site, &permit).await?;
    match talk_as_of_old(connection, site, permit).await {
        // It is not: then the first complaint is the one to tell.
        Err(second) if second.is_before_greeting => Err(failure),
        answered => answered,
    }
}

fn channel_failure(err: ChannelError) -> Failure {
    let text = match err {
        ChannelError::Refused => "the server does not offer the subsystem dtail",
        // A moment later it would have been the stream that ends.
        ChannelError::Closed => CLOSED_BEFORE_GREETING,
    };
    Failure { is_before_greeting: true, ..Failure::passing(text) }
}

async fn talk_as_of_old(
    connection: Connection,
    site: &mut Site,
    permit: Permit,
) -> Result<Summary, Failure> {
    let stream: ByteStream = connection.shell().await.map_err(channel_failure)?;
    let answered = legacy::talk(stream, site, permit).await;
    let is_lost = connection.has_fallen_silent();
    say_goodbye(connection).await;
    answered.map_err(|failure| match is_lost {
        // All that the stream itself knows is that it has ended.
        true => Failure { text: "lost: no sign of life for a minute".to_owned(), ..failure },
        false => failure,
    })
}

async fn say_goodbye(connection: Connection) {
    // In time or not, it is over.
    let _in_time = timeout(GOODBYE, connection.close()).await.is_ok();
}

async fn enter(native: &Native, site: &mut Site, permit: &Permit) -> Result<Connection, Failure> {
    site.logged_in_with = None;
    let connection = log_in(native, site, permit).await?;
    site.logged_in_with = connection.key().map(PublicKey::blob);
    Ok(connection)
}

/// Connects and logs in. An unknown host may need a person's decision, which can take longer than
/// the server waits; so after a decision a second connection is tried.
async fn log_in(native: &Native, site: &Site, permit: &Permit) -> Result<Connection, Failure> {
    let endpoint = site.name.endpoint(&native.user, native.port);
    let decided = Arc::new(Mutex::new(false));
    let trust: Trust = Arc::new({
        let gathering = native.gathering.clone();
        let (permit, decided) = (permit.clone(), Arc::clone(&decided));
        move |host| {
            let (gathering, permit, decided) =
                (gathering.clone(), permit.clone(), Arc::clone(&decided));
            Box::pin(async move {
                permit.give_up();
                let is_trusted = gathering.trusts(host).await;
                *decided.lock().unwrap_or_else(PoisonError::into_inner) = is_trusted;
                is_trusted
            })
        }
    });
    let first = connect(&endpoint, &native.options, Arc::clone(&trust)).await;
    let is_decided = *decided.lock().unwrap_or_else(PoisonError::into_inner);
    let result = match first {
        Err(err) if is_decided && err.kind == ConnectErrorKind::Handshake => {
            connect(&endpoint, &native.options, trust).await
        }
        first => first,
    };
    result.map_err(|err| connect_failure(err, &native.gathering))
}

fn connect_failure(err: ConnectError, gathering: &Gathering) -> Failure {
    match (err.kind, gathering) {
        (ConnectErrorKind::HostRejected, Gathering::Refusing(advice)) => {
            Failure::lasting(format!("{}: {advice}", err.text))
        }
        (ConnectErrorKind::Unreachable | ConnectErrorKind::Handshake, _) => {
            Failure::passing(err.text)
        }
        _ => Failure::lasting(err.text),
    }
}

/// Has the user's own ssh program make the connection.
async fn through_program(
    command: &[String],
    site: &mut Site,
    permit: Permit,
) -> Result<Summary, Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::lasting("the ssh command is empty"));
    };
    let name = &site.name;
    let mut ssh = Command::new(program);
    ssh.args(arguments);
    if let Some(port) = name.port {
        ssh.args(["-p", &port.to_string()]);
    }
    if let Some(user) = &name.user {
        ssh.args(["-l", user]);
    }
    ssh.args(["-s", &name.host, SUBSYSTEM]);
    ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = ssh.spawn().map_err(|err| {
        Failure::lasting(format!("cannot run {program}: {err}, see --ssh-command"))
    })?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Failure::lasting(format!("cannot talk to {program}")));
    };
    let complaints = tokio::spawn(last_line(stderr));
    let answered = Talk::new(join(stdout, stdin), site, permit).run().await;
    let status = end(&mut child).await;
    match answered {
        // Who left before a word was said has said why on standard error.
        Err(failure) if failure.is_before_greeting => {
            let said = timeout(GOODBYE, complaints).await;
            let said = said.ok().and_then(Result::ok).filter(|said| !said.is_empty());
            let said = said.or_else(|| status.map(|status| format!("{program}: {status}")));
            Err(Failure { text: said.unwrap_or_else(|| failure.text.clone()), ..failure })
        }
        answered => answered,
    }
}

/// Waits for the program, which has lost its streams, to end; stops it if it does not. How it
/// ended, if that was by itself and badly.
async fn end(child: &mut Child) -> Option<String> {
    if let Ok(Ok(status)) = timeout(GOODBYE, child.wait()).await {
        return (!status.success()).then(|| status.to_string());
    }
    // It may have ended by itself meanwhile.
    let _was_killed = child.kill().await.is_ok();
    None
}

/// The last line that says something; of an endless one only a part.
async fn last_line(mut stderr: ChildStderr) -> String {
    read_last_line(&mut stderr).await
}

async fn read_last_line(stderr: &mut (impl AsyncRead + Unpin)) -> String {
    let mut kept: Vec<u8> = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(length @ 1..) = stderr.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..length]);
        let surplus = kept.len().saturating_sub(COMPLAINTS);
        kept.drain(..surplus);
    }
    let text = String::from_utf8_lossy(&kept);
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{COMPLAINTS, Peer, peer, read_last_line};

    #[test]
    fn the_banner_tells_who_answers() {
        assert_eq!(peer("DTail_0.1.0"), Peer::Dtail);
        assert_eq!(peer("OpenSSH_9.2p1 Debian-2"), Peer::OpenSsh);
        assert_eq!(peer("Go"), Peer::OldDtail);
        assert_eq!(peer("dropbear_2022.83"), Peer::Unknown);
    }

    #[tokio::test]
    async fn of_all_complaints_the_last_is_kept() {
        let last = async |text: &str| read_last_line(&mut text.as_bytes()).await;
        assert_eq!(last("warning\nssh: no route\r\n\n").await, "ssh: no route");
        assert_eq!(last("").await, "");
        assert_eq!(last(&"x".repeat(3 * COMPLAINTS)).await.len(), COMPLAINTS);
    }
}
