//! What the fuzz targets call: each function takes any bytes and panics if the crate breaks one of
//! its promises. Never used by programs.

use crate::conversation::{Conversation, Step};
use crate::frame::{
    CLIENT_FRAME_LIMIT, ClientFrame, FrameError, Incoming, PREAMBLE, RefusalKind,
    SERVER_FRAME_LIMIT, ServerFrame,
};
use crate::legacy::{
    Command, CommandDecoder, LegacyError, Message, MessageDecoder, encode_command,
};

/// Short, so that it is reached.
const LEGACY_LIMIT: usize = 1 << 12;

/// Feeds bytes to both frame decoders, whole and in chunks as long as the first byte says. The
/// frames are the same either way, and what is encoded again is decoded again.
pub fn frames(data: &[u8]) {
    let (chunk, data) = chunk_length(data);
    let client = || Incoming::<ClientFrame>::new(CLIENT_FRAME_LIMIT);
    let whole = all_frames(client(), &with_preamble(data), usize::MAX);
    assert_eq!(whole, all_frames(client(), &with_preamble(data), chunk));
    let mut again = PREAMBLE.to_vec();
    whole.0.iter().for_each(|frame| frame.encode(&mut again));
    assert_eq!(all_frames(client(), &again, chunk), (whole.0, None));

    let server = || Incoming::<ServerFrame>::new(SERVER_FRAME_LIMIT);
    let whole = all_frames(server(), &with_preamble(data), usize::MAX);
    assert_eq!(whole, all_frames(server(), &with_preamble(data), chunk));
    let mut again = PREAMBLE.to_vec();
    whole.0.iter().for_each(|frame| frame.encode(&mut again));
    let charge = |frames: &[ServerFrame]| frames.iter().map(ServerFrame::charge).sum::<u64>();
    assert!(charge(&whole.0) <= 64 * whole.0.len() as u64 + 8 * data.len() as u64);
    assert_eq!(all_frames(server(), &again, chunk), (whole.0, None));

    // As it is: a stream that begins otherwise is refused at its first wrong byte.
    let (frames, err) = all_frames(client(), data, chunk);
    let begins_well = data.starts_with(&PREAMBLE) || PREAMBLE.starts_with(data);
    assert_eq!(matches!(err, Some(FrameError::NotDtail(_))), !begins_well);
    assert!(begins_well || frames.is_empty());
}

/// Feeds bytes to both decoders of protocol 4.1, whole and in chunks. The results are the same
/// either way, and a command that can be sent is received as it was.
pub fn legacy(data: &[u8]) {
    let (chunk, data) = chunk_length(data);
    let whole = all_commands(data, usize::MAX);
    assert_eq!(whole, all_commands(data, chunk));
    for command in whole.0 {
        let mut sent = Vec::new();
        if encode_command(&command, &mut sent).is_ok() {
            let (received, err) = all_commands(&sent, usize::MAX);
            assert_eq!((received.as_slice(), err), (&[command][..], None));
        }
    }
    assert_eq!(all_messages(data, usize::MAX), all_messages(data, chunk));
}

/// Lets a session take in the frames that the bytes are: nothing comes before the hello, only one
/// request is started, generations go up by one, and after the end there is nothing more.
pub fn conversation(data: &[u8]) {
    let (_, data) = chunk_length(data);
    let incoming = Incoming::<ClientFrame>::new(CLIENT_FRAME_LIMIT);
    let (frames, _) = all_frames(incoming, &with_preamble(data), usize::MAX);
    let offered = ["interactive", "journal", "auth-key"].map(str::to_owned);
    let mut conversation = Conversation::new(offered.to_vec());
    let (mut is_greeted, mut is_over, mut generation) = (false, false, 0);
    for (index, frame) in frames.into_iter().enumerate() {
        let step = conversation.on_frame(frame);
        assert!(!is_over || step.is_err());
        match step {
            Ok(Step::Greet(greeting)) => {
                assert!(!is_greeted && greeting.capabilities.iter().all(|it| offered.contains(it)));
                is_greeted = true;
                continue;
            }
            Ok(Step::Start(start)) => {
                assert_eq!((start.generation, generation), (1, 0));
                generation = 1;
            }
            Ok(Step::Replace(start)) => {
                assert!(generation > 0 && start.generation == generation + 1);
                generation = start.generation;
            }
            Ok(Step::Leave) => is_over = true,
            Ok(_) => {}
            Err(refusal) => {
                assert_eq!(refusal.generation, 0);
                assert!(!refusal.text.is_empty() && refusal.kind != RefusalKind::Internal);
                is_over = true;
            }
        }
        assert!(is_greeted || is_over);
        if index % 3 == 0 {
            conversation.finished(generation);
        }
    }
}

fn chunk_length(data: &[u8]) -> (usize, &[u8]) {
    match data {
        [] => (1, data),
        [length, rest @ ..] => (usize::from(*length) + 1, rest),
    }
}

fn with_preamble(data: &[u8]) -> Vec<u8> {
    [&PREAMBLE, data].concat()
}

fn all_frames<F>(
    mut incoming: Incoming<F>,
    mut data: &[u8],
    chunk: usize,
) -> (Vec<F>, Option<FrameError>) {
    let mut frames = Vec::new();
    loop {
        loop {
            match incoming.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(err) => return (frames, Some(err)),
            }
        }
        if data.is_empty() {
            return (frames, None);
        }
        let space = incoming.space();
        let length = space.len().min(chunk).min(data.len());
        let (now, later) = data.split_at(length);
        space[..length].copy_from_slice(now);
        incoming.commit(length);
        data = later;
    }
}

/// All there is up to the first error.
type Outcome<T> = (Vec<T>, Option<LegacyError>);

fn all_commands(data: &[u8], chunk: usize) -> Outcome<Command> {
    let mut decoder = CommandDecoder::new(LEGACY_LIMIT);
    let mut commands = Vec::new();
    for bytes in data.chunks(chunk) {
        decoder.feed(bytes);
        loop {
            match decoder.next() {
                Ok(Some(command)) => commands.push(command),
                Ok(None) => break,
                Err(err) => return (commands, Some(err)),
            }
        }
    }
    (commands, None)
}

fn all_messages(data: &[u8], chunk: usize) -> Outcome<Message> {
    let mut decoder = MessageDecoder::new(LEGACY_LIMIT);
    let mut messages = Vec::new();
    for bytes in data.chunks(chunk) {
        decoder.feed(bytes);
        loop {
            match decoder.next() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(err) => return (messages, Some(err)),
            }
        }
    }
    messages.extend(decoder.flush());
    (messages, None)
}
