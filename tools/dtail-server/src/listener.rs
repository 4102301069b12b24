//! The sockets of a server: binding them and accepting connections. Never knows what is said over
//! them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use dtail_ssh::Server;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;

use crate::admission::Admission;
use crate::connection;
use crate::shared::{Shared, stopped};

/// Connections that the system holds until they are accepted.
const BACKLOG: u32 = 4096;
/// After the system gave no connection, most likely because too many files are open.
const PAUSE: Duration = Duration::from_millis(100);

/// The SSH side in force, which a reload replaces.
pub(crate) type CurrentServer = Arc<RwLock<Server>>;

/// Binds to every address of a list with commas. Must be called in the runtime. The error is one
/// line.
pub(crate) fn bind(addresses: &str, port: u16) -> Result<Vec<TcpListener>, String> {
    let mut listeners = Vec::new();
    for address in addresses.split(',').map(str::trim).filter(|address| !address.is_empty()) {
        let bare = address.trim_start_matches('[').trim_end_matches(']');
        let ip = match bare {
            "localhost" => IpAddr::from([127, 0, 0, 1]),
            bare => bare.parse().map_err(|_| {
                format!("cannot listen on {address}: not an address, use one such as 127.0.0.1")
            })?,
        };
        let address = SocketAddr::new(ip, port);
        let listener = listen(address);
        listeners.push(listener.map_err(|err| format!("cannot listen on {address}: {err}"))?);
    }
    if listeners.is_empty() {
        return Err("no address to listen on, give one with --bindAddress".to_owned());
    }
    Ok(listeners)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Else nobody could listen for a minute after a restart.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections until the server is told to stop; then waits for them to end.
pub(crate) async fn accept(
    shared: Arc<Shared>,
    server: CurrentServer,
    admission: Admission,
    listener: TcpListener,
) {
    let mut connections = JoinSet::new();
    let mut stop = shared.stop.subscribe();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => break,
            // Forgets those that have ended.
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((tcp, peer)) => {
                let server = server.read().unwrap_or_else(PoisonError::into_inner).clone();
                let (shared, admission) = (Arc::clone(&shared), admission.clone());
                connections.spawn(connection::serve(shared, server, admission, tcp, peer));
            }
            Err(err) => {
                shared.log.error("listener", format_args!("no connection accepted: {err}"));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}
