//! Decompresses files, large ones on a thread of their own. Never sees a file name.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use lz4_flex::frame::FrameDecoder;
use lzma_rust2::XzReader;

use crate::compression::Compression;
use crate::members::{Members, Source};
use crate::read_ahead;
use crate::zstd::ZstdReader;

/// Compressed bytes are read in pieces of this size.
const BUFFER_SIZE: usize = 64 * 1024;
/// Decompressed bytes pass from thread to thread in pieces of this size.
const PIECE_SIZE: usize = 256 * 1024;
/// Pieces under way, filled or to be filled again.
const PIECES: usize = 3;
/// A file of fewer bytes is not worth a thread.
const LEAST_SIZE: u64 = 128 * 1024;

/// Decompresses a file. Everything before a damage is delivered before the error.
pub(crate) struct Decoder {
    format: Compression,
    state: State,
    failed: Option<io::Error>,
}

enum State {
    Unread(Arc<File>, u64),
    Here(Stream),
    There(Pipeline),
    Ended,
}

/// Decompresses on the thread that asks.
enum Stream {
    Gzip(Box<Members<GzDecoder<Source<Arc<File>>>>>),
    Zstd(Box<ZstdReader<Arc<File>>>),
    Xz(Box<Members<XzReader<Source<Arc<File>>>>>),
    Bzip2(Box<Members<BzDecoder<Source<Arc<File>>>>>),
    Lz4(Box<Members<FrameDecoder<Source<Arc<File>>>>>),
}

/// Decompresses on another thread, some pieces ahead.
struct Pipeline {
    filled: Receiver<Piece>,
    emptied: SyncSender<Vec<u8>>,
    /// What was received, and how much of it was delivered.
    piece: Vec<u8>,
    delivered: usize,
    has_ended: bool,
    thread: Option<JoinHandle<()>>,
}

enum Piece {
    Bytes(Vec<u8>),
    End(io::Result<()>),
}

impl Decoder {
    /// Decompresses all members or frames of a file of `size` bytes. Nothing is read yet.
    pub(crate) fn new(format: Compression, file: Arc<File>, size: u64) -> Decoder {
        Decoder { format, state: State::Unread(file, size), failed: None }
    }

    /// What is decompressed.
    pub(crate) fn format(&self) -> Compression {
        self.format
    }

    /// Appends bytes to `bytes`, no more than its spare capacity, unless the end comes first.
    /// Returns how many.
    pub(crate) fn read(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        if let Some(err) = self.failed.take() {
            return Err(err);
        }
        self.begin();
        let start = bytes.len();
        let result = match &mut self.state {
            State::Here(stream) => {
                bytes.resize(bytes.capacity(), 0);
                let (length, result) = stream.fill(&mut bytes[start..]);
                bytes.truncate(start + length);
                result
            }
            State::There(pipeline) => pipeline.read(bytes),
            State::Unread(..) | State::Ended => Ok(()),
        };
        let length = bytes.len() - start;
        match result {
            Err(err) if length > 0 => self.failed = Some(err),
            Err(err) => {
                self.state = State::Ended;
                return Err(err);
            }
            Ok(()) => {}
        }
        Ok(length)
    }

    fn begin(&mut self) {
        let (file, size) = match std::mem::replace(&mut self.state, State::Ended) {
            State::Unread(file, size) => (file, size),
            begun => {
                self.state = begun;
                return;
            }
        };
        if size >= LEAST_SIZE
            && let Ok(pipeline) = Pipeline::start(Stream::new(self.format, file.clone()))
        {
            self.state = State::There(pipeline);
        } else {
            // Without a thread it is only slower.
            self.state = State::Here(Stream::new(self.format, file));
        }
    }
}

impl Stream {
    fn new(format: Compression, file: Arc<File>) -> Stream {
        read_ahead::sequentially(&file);
        let source = BufReader::with_capacity(BUFFER_SIZE, file);
        match format {
            Compression::Gzip => Stream::Gzip(Box::new(Members::new(source))),
            Compression::Zstd => Stream::Zstd(Box::new(ZstdReader::new(source))),
            Compression::Xz => Stream::Xz(Box::new(Members::new(source))),
            Compression::Bzip2 => Stream::Bzip2(Box::new(Members::new(source))),
            Compression::Lz4 => Stream::Lz4(Box::new(Members::new(source))),
        }
    }

    /// Fills a buffer unless the end or a damage comes first. Returns how much of it.
    fn fill(&mut self, buffer: &mut [u8]) -> (usize, io::Result<()>) {
        let mut end = 0;
        while end < buffer.len() {
            let rest = &mut buffer[end..];
            let result = match self {
                Stream::Gzip(members) => members.read(rest),
                Stream::Zstd(frames) => frames.read(rest),
                Stream::Xz(streams) => streams.read(rest),
                Stream::Bzip2(streams) => streams.read(rest),
                Stream::Lz4(frames) => frames.read(rest),
            };
            match result {
                Ok(0) => break,
                Ok(length) => end += length,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return (end, Err(err)),
            }
        }
        (end, Ok(()))
    }
}

impl Pipeline {
    fn start(stream: Stream) -> io::Result<Pipeline> {
        let (sender, filled) = sync_channel(PIECES);
        let (emptied, receiver) = sync_channel(PIECES);
        for _ in 0..PIECES {
            // There is room for all of them.
            let _sent = emptied.try_send(Vec::new());
        }
        let thread = thread::Builder::new()
            .name("decompression".to_owned())
            .spawn(move || decompress(stream, &receiver, &sender))?;
        Ok(Pipeline {
            filled,
            emptied,
            piece: Vec::new(),
            delivered: 0,
            has_ended: false,
            thread: Some(thread),
        })
    }

    /// Appends what there is of a piece, as far as there is room.
    fn read(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        if self.delivered == self.piece.len() {
            match self.filled.recv() {
                Ok(Piece::Bytes(piece)) => {
                    let emptied = std::mem::replace(&mut self.piece, piece);
                    self.delivered = 0;
                    if emptied.capacity() > 0 {
                        // At the end nobody takes it any more.
                        let _sent = self.emptied.try_send(emptied);
                    }
                }
                Ok(Piece::End(result)) => {
                    self.delivered = 0;
                    self.piece.clear();
                    self.has_ended = true;
                    return result;
                }
                Err(_) if self.has_ended => return Ok(()),
                // It panicked.
                Err(_) => return Err(io::Error::other("the decoder gave up")),
            }
        }
        let rest = &self.piece[self.delivered..];
        let length = rest.len().min(bytes.capacity() - bytes.len());
        bytes.extend_from_slice(&rest[..length]);
        self.delivered += length;
        Ok(())
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // With nobody to send to, the thread ends after at most one piece.
        let (_, nobody) = sync_channel(0);
        self.filled = nobody;
        let (nobody, _) = sync_channel(0);
        self.emptied = nobody;
        if let Some(thread) = self.thread.take() {
            // Should it have panicked, the message is out already.
            let _ended = thread.join();
        }
    }
}

/// Fills empty pieces until the end, or until nobody takes them.
fn decompress(mut stream: Stream, emptied: &Receiver<Vec<u8>>, filled: &SyncSender<Piece>) {
    while let Ok(mut piece) = emptied.recv() {
        piece.resize(PIECE_SIZE, 0);
        let (length, result) = stream.fill(&mut piece);
        let is_last = length < PIECE_SIZE;
        piece.truncate(length);
        if length > 0 && filled.send(Piece::Bytes(piece)).is_err() {
            return;
        }
        if is_last {
            // Nobody need hear it.
            let _sent = filled.send(Piece::End(result));
            return;
        }
    }
}
