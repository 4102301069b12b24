//! One session over standard input and output, for an sshd that starts a process for each. Never
//! listens, never knows keys.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use bytes::{Buf, Bytes};
use dtail_process::accounts::Account;
use dtail_process::signals::{self, ServerSignal};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::runtime;
use tokio::sync::mpsc;

use crate::gate::Pass;
use crate::options::{Options, Plan};
use crate::session::{self, Dialect};
use crate::shared::{Shared, Who};
use crate::users::User;
use crate::wire::Writer;

/// Read from standard input at a time: requests are small.
const INPUT_PIECE: usize = 8 * 1024;
/// After the end of the session, time for the last bytes to be written.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// Serves whoever is at the other end of standard input and output, with the rights of the user
/// who runs this process. The error is one line.
pub fn serve_stdio(options: &Options) -> Result<(), String> {
    let plan = Plan::new(options)?;
    let log = plan.log(None);
    let account = Account::current().ok().flatten();
    let user = account.and_then(|account| User::named(&account.name));
    let user = user.ok_or("the user who runs this has no usable name")?;
    let shared = Arc::new(Shared::new(log, plan.rules));
    let stop = Arc::clone(&shared);
    signals::watch(move |signal| match signal {
        ServerSignal::Stop => stop.stop_all(),
        ServerSignal::Reload => stop.log.reopen(),
    })
    .map_err(|err| format!("cannot catch signals: {err}"))?;
    let (reader, writer, written) = threads().map_err(|err| format!("cannot serve: {err}"))?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|err| format!("cannot serve: {err}"))?;
    let log = shared.log_of(&user, format!("{user}@{}", client_address()));
    let who = Who { user, log, address: None, pass: Pass::Other };
    runtime.block_on(async {
        who.log.info("session over standard input and output");
        session::serve(&shared, &who, Dialect::Native, Box::new(reader), writer).await;
    });
    // Nobody may be reading any more.
    let _written = written.recv_timeout(LAST_WRITE).is_ok();
    Ok(())
}

/// Where sshd says that the client is.
fn client_address() -> String {
    let connection = std::env::var("SSH_CONNECTION").unwrap_or_default();
    let mut words = connection.split_whitespace();
    match (words.next(), words.next()) {
        (Some(address), Some(port)) => format!("{address}:{port}"),
        _ => "stdio".to_owned(),
    }
}

/// The standard streams as streams of a session: blocking descriptors need threads. The receiver
/// is told when the last byte is written.
fn threads() -> io::Result<(Input, Writer, crossbeam_channel::Receiver<()>)> {
    let mut stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let (received, pieces) = mpsc::channel(1);
    thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        loop {
            let mut piece = vec![0; INPUT_PIECE];
            let count = stdin.read(&mut piece).unwrap_or(0);
            piece.truncate(count);
            if count == 0 || received.blocking_send(Bytes::from(piece)).is_err() {
                return;
            }
        }
    })?;
    let (sender, mut outgoing) = mpsc::channel::<Bytes>(1);
    let (tell, written) = crossbeam_channel::bounded(1);
    thread::Builder::new().name("stdout".to_owned()).spawn(move || {
        while let Some(bytes) = outgoing.blocking_recv() {
            if stdout.write_all(&bytes).is_err() {
                break;
            }
        }
        let _main_waits = tell.send(()).is_ok();
    })?;
    Ok((Input { pieces, rest: Bytes::new() }, Writer::Thread(sender), written))
}

/// What the thread that reads standard input has read.
struct Input {
    pieces: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl AsyncRead for Input {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let input = self.get_mut();
        if input.rest.is_empty() {
            match std::task::ready!(input.pieces.poll_recv(context)) {
                Some(piece) => input.rest = piece,
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = input.rest.len().min(buffer.remaining());
        buffer.put_slice(&input.rest[..count]);
        input.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}
