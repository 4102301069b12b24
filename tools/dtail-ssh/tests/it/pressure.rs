//! Peers that stop reading: whoever writes waits, and holds little.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dtail_ssh::{ByteReader, ByteWriter};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::house::within;
use crate::loopback::pair;

/// The window (2 MiB) twice, because it is granted anew when half of it was received, not when it
/// was read, and the queues on both sides.
const BOUND: usize = 12 << 20;

const BLOCK: usize = 256 << 10;

/// Writes for ever; counts what was accepted.
fn flood(mut writer: ByteWriter) -> (Arc<AtomicUsize>, JoinHandle<ByteWriter>) {
    let accepted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&accepted);
    let block = Bytes::from(vec![b'x'; BLOCK]);
    let task = tokio::spawn(async move {
        while writer.send(block.clone()).await.is_ok() {
            counter.fetch_add(BLOCK, Ordering::Relaxed);
        }
        writer
    });
    (accepted, task)
}

/// Waits until the count stands still; gives it.
async fn settled(count: &AtomicUsize) -> usize {
    let mut last = (count.load(Ordering::Relaxed), Instant::now());
    within(async {
        while last.1.elapsed() < Duration::from_millis(500) {
            sleep(Duration::from_millis(20)).await;
            let now = count.load(Ordering::Relaxed);
            if now != last.0 {
                last = (now, Instant::now());
            }
        }
    })
    .await;
    last.0
}

async fn check(writer: ByteWriter, mut reader: ByteReader) {
    let (accepted, task) = flood(writer);
    let stopped_at = settled(&accepted).await;
    assert!((1..BOUND).contains(&stopped_at), "{stopped_at} bytes were accepted");
    // Reading again, it goes on; everything arrives.
    let mut received = 0;
    while received < 3 * BOUND {
        received += within(reader.next_bytes()).await.expect("the stream goes on").len();
    }
    // Nobody reads any more and the channel is closed: the writer ends instead of waiting for a
    // window.
    settled(&accepted).await;
    drop(reader);
    task.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_makes_the_server_wait() {
    let (connection, mut login) = pair().await;
    let (reader, _writer) = within(connection.shell()).await.unwrap().split();
    let served = within(login.next_channel()).await.unwrap().stream;
    let (_served_reader, writer) = served.split();
    check(writer, reader).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_read_makes_the_client_wait() {
    let (connection, mut login) = pair().await;
    let (_reader, writer) = within(connection.shell()).await.unwrap().split();
    let served = within(login.next_channel()).await.unwrap().stream;
    let (reader, _served_writer) = served.split();
    check(writer, reader).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_waits_learns_that_nobody_will_read() {
    // The peer's connection ends.
    let (connection, mut login) = pair().await;
    let _stream = within(connection.shell()).await.unwrap();
    let (_reader, writer) = within(login.next_channel()).await.unwrap().stream.split();
    let (accepted, task) = flood(writer);
    settled(&accepted).await;
    drop(connection);
    drop(within(task).await.unwrap());
    assert!(within(login.next_channel()).await.is_none());

    // Our own does.
    let (connection, mut login) = pair().await;
    let _stream = within(connection.shell()).await.unwrap();
    let (_reader, writer) = within(login.next_channel()).await.unwrap().stream.split();
    let (accepted, task) = flood(writer);
    settled(&accepted).await;
    drop(login);
    drop(within(task).await.unwrap());
    drop(connection);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_channel_ends_its_writer_and_nothing_else() {
    let (connection, mut login) = pair().await;
    let stream = within(connection.shell()).await.unwrap();
    let (_reader, writer) = within(login.next_channel()).await.unwrap().stream.split();
    let (accepted, task) = flood(writer);
    settled(&accepted).await;
    // What nobody reads is thrown away, so the connection moves, and with it the close.
    let (reader, closing) = stream.split();
    drop(reader);
    within(closing.finish(0)).await.unwrap();
    drop(within(task).await.unwrap());
    within(connection.shell()).await.unwrap();
}
