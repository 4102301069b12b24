//! One SSH connection from its first byte to its end: admission, log-in, sessions. Never accepts
//! connections and never speaks a protocol of log tools itself.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use dtail_ssh::{ChannelKind, Login, LoginErrorKind, Server, ServerChannel};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::admission::{Admission, Anteroom};
use crate::gate::{self, Findings};
use crate::session::{self, Dialect};
use crate::shared::{Shared, Who, stopped};
use crate::stats::counted;
use crate::users::{User, UserKind};
use crate::wire;

/// Whoever is turned away may not listen; that is not waited for longer.
const LAST_WORD: Duration = Duration::from_millis(100);
/// How long somebody may stay who has only come for a health check.
const HEALTH_CHECK: Duration = Duration::from_secs(10);
/// The subsystem of protocol 5.
const SUBSYSTEM: &str = "dtail";

/// Serves a connection until it ends.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    server: Server,
    admission: Admission,
    tcp: TcpStream,
    peer: SocketAddr,
) {
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let limits = shared.rules().limits.clone();
    if shared.failures.reached(peer.ip(), limits.max_failed_logins, Instant::now()) {
        let text = "too many failed log-ins from your address, wait a minute";
        return turn_away(&shared, tcp, peer, text, "Server.MaxFailedLogins").await;
    }
    let place = admission.enter(peer.ip(), limits.max_unauthenticated, limits.max_connections);
    let Some(place) = place else {
        let text = "too many connections, try again later";
        return turn_away(&shared, tcp, peer, text, "Server.MaxConnections").await;
    };
    let findings = Findings::default();
    let Some(login) = log_in(&shared, &server, tcp, peer, &place, &findings).await else { return };
    // The name was checked before it was let in.
    let Some(user) = User::named(&login.user) else { return };
    let log = shared.log_of(&user, format!("{user}@{peer}"));
    let who = Who { user, log, address: Some(peer.ip()), pass: findings.pass() };
    let most_sessions = limits.max_sessions_per_connection;
    let credential = login.credential.clone();
    let log_entry = || who.log.info(format_args!("logged in with {credential}"));
    if who.user.kind() == UserKind::Health {
        log_entry();
        return check_health(&shared, &who, login, &place, most_sessions).await;
    }
    let Some(_inside) = place.go_inside(limits.max_connections) else {
        who.log.warn("refused: too many connections, see Server.MaxConnections");
        login.disconnect("too many connections, try again later").await;
        return;
    };
    log_entry();
    serve_channels(&shared, &who, login, most_sessions).await;
    who.log.info("connection ended");
}

/// Anybody may log in for a health check. So that nobody is kept out by that, it goes on in the
/// place of those who have not logged in, and not for long.
async fn check_health(
    shared: &Arc<Shared>,
    who: &Who,
    login: Login,
    place: &Anteroom,
    most_sessions: usize,
) {
    let how = tokio::select! {
        () = serve_channels(shared, who, login, most_sessions) => "connection ended",
        () = place.evicted() => "connection ended to make room, see Server.MaxUnauthenticated",
        () = tokio::time::sleep(HEALTH_CHECK) => "connection ended: a health check takes no longer",
    };
    who.log.info(how);
}

/// Tells a client why it is not let in: a line before the server's banner, which SSH allows.
async fn turn_away(shared: &Shared, mut tcp: TcpStream, peer: SocketAddr, text: &str, key: &str) {
    shared.stats.refused_connections.fetch_add(1, Ordering::Relaxed);
    shared.log_of_stranger(peer).warn(format_args!("refused: {text} (see {key})"));
    let line = format!("dserver: {text}\r\n");
    let tell = async {
        tcp.write_all(line.as_bytes()).await?;
        tcp.shutdown().await?;
        // Closing with something unread would take the line back.
        let mut unread = [0; 256];
        while tcp.read(&mut unread).await? > 0 {}
        io::Result::Ok(())
    };
    let _told = tokio::time::timeout(LAST_WORD, tell).await;
}

async fn log_in(
    shared: &Arc<Shared>,
    server: &Server,
    tcp: TcpStream,
    peer: SocketAddr,
    place: &Anteroom,
    findings: &Findings,
) -> Option<Login> {
    let _counted = counted(&shared.stats.unauthenticated);
    // Frames are written whole; waiting for more would only delay them.
    let _faster = tcp.set_nodelay(true);
    let mut stop = shared.stop.subscribe();
    let login = tokio::select! {
        login = server.login(tcp, peer, gate::judge(shared, findings)) => login,
        () = place.evicted() => {
            let text = "refused: too many connections before log-in, see Server.MaxUnauthenticated";
            shared.stats.refused_connections.fetch_add(1, Ordering::Relaxed);
            shared.log_of_stranger(peer).warn(text);
            return None;
        }
        () = stopped(&mut stop) => return None,
    };
    match login {
        Ok(login) => Some(login),
        Err(err) => {
            shared.stats.refused_connections.fetch_add(1, Ordering::Relaxed);
            if err.kind == LoginErrorKind::Refused {
                shared.failures.count(peer.ip(), Instant::now());
            }
            let log = shared.log_of_stranger(peer);
            match findings.refusal() {
                Some(reason) => log.warn(format_args!("no log-in: {err}; {reason}")),
                None => log.warn(format_args!("no log-in: {err}")),
            }
            None
        }
    }
}

async fn serve_channels(shared: &Arc<Shared>, who: &Who, mut login: Login, most: usize) {
    shared.stats.lifetime_connections.fetch_add(1, Ordering::Relaxed);
    let _counted = counted(&shared.stats.current_connections);
    let mut sessions = JoinSet::new();
    let mut stop = shared.stop.subscribe();
    loop {
        tokio::select! {
            channel = login.next_channel() => {
                let Some(channel) = channel else { break };
                while sessions.try_join_next().is_some() {}
                if sessions.len() >= most {
                    let text = "refused: too many sessions, see Server.MaxSessionsPerConnection";
                    who.log.warn(text);
                    continue;
                }
                start_session(shared, who, channel, &mut sessions);
            }
            () = stopped(&mut stop) => {
                while sessions.join_next().await.is_some() {}
                login.disconnect("the server is shutting down").await;
                return;
            }
        }
    }
    // Their streams have ended with the connection.
    while sessions.join_next().await.is_some() {}
}

fn start_session(
    shared: &Arc<Shared>,
    who: &Who,
    channel: ServerChannel,
    sessions: &mut JoinSet<()>,
) {
    let dialect = match &channel.kind {
        ChannelKind::Subsystem(name) if name == SUBSYSTEM => Dialect::Native,
        ChannelKind::Subsystem(name) => {
            who.log.warn(format_args!("refused: unknown subsystem {name}"));
            return;
        }
        ChannelKind::Shell => Dialect::Legacy,
    };
    let (shared, who) = (Arc::clone(shared), who.clone());
    let (reader, writer) = wire::of_channel(channel.stream);
    sessions.spawn(async move {
        session::serve(&shared, &who, dialect, reader, writer).await;
    });
}
