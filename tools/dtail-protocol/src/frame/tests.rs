//! What is sent arrives as it was, however it is cut up; what is no frame is refused, and takes no
//! memory.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use expect_test::{Expect, expect};
use fastrand::Rng;

use super::*;
use crate::{
    Context, Extras, FollowFrom, LineBlock, LineNumbers, Mode, Parts, Pattern, Severity,
    SourceSummary, Whole, fuzzed,
};

fn encoded(frames: &[ServerFrame]) -> Vec<u8> {
    let mut bytes = PREAMBLE.to_vec();
    frames.iter().for_each(|frame| frame.encode(&mut bytes));
    bytes
}

/// Feeds bytes in chunks of random lengths, at most `chunk`.
fn decoded<F>(
    mut incoming: Incoming<F>,
    mut bytes: &[u8],
    chunk: usize,
    rng: &mut Rng,
) -> (Vec<F>, Result<bool, FrameError>) {
    let mut frames = Vec::new();
    loop {
        loop {
            match incoming.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(err) => return (frames, Err(err)),
            }
        }
        if bytes.is_empty() {
            return (frames, Ok(incoming.is_between_frames()));
        }
        let space = incoming.space();
        assert!(!space.is_empty());
        let length = rng.usize(1..=chunk).min(space.len()).min(bytes.len());
        let (now, later) = bytes.split_at(length);
        space[..length].copy_from_slice(now);
        incoming.commit(length);
        bytes = later;
    }
}

fn client() -> Incoming<ClientFrame> {
    Incoming::<ClientFrame>::new(CLIENT_FRAME_LIMIT)
}

fn server() -> Incoming<ServerFrame> {
    Incoming::<ServerFrame>::new(SERVER_FRAME_LIMIT)
}

fn number(rng: &mut Rng) -> u64 {
    rng.u64(..) >> rng.u32(0..64)
}

fn text(rng: &mut Rng) -> String {
    (0..rng.usize(0..20)).map(|_| rng.char(..)).collect()
}

fn bytes(rng: &mut Rng, length: usize) -> Vec<u8> {
    (0..rng.usize(0..length)).map(|_| rng.u8(..)).collect()
}

fn pattern(rng: &mut Rng) -> Pattern {
    Pattern {
        texts: (0..rng.usize(0..5)).map(|_| text(rng)).collect(),
        invert: rng.bool(),
        fixed: rng.bool(),
        ignore_case: rng.bool(),
        whole: [Whole::Nothing, Whole::Words, Whole::Line][rng.usize(0..3)],
    }
}

fn start(rng: &mut Rng) -> Start {
    let request = Request {
        mode: [Mode::Cat, Mode::Grep, Mode::Tail, Mode::Map][rng.usize(0..4)],
        files: (0..rng.usize(0..9)).map(|_| OsString::from_vec(bytes(rng, 30))).collect(),
        pattern: rng.bool().then(|| pattern(rng)),
        context: Context {
            before: number(rng) as usize,
            after: number(rng) as usize,
            max: number(rng),
        },
        query: rng.bool().then(|| text(rng)),
        parts: [Parts::Lines, Parts::Matches, Parts::Nothing][rng.usize(0..3)],
        extras: Extras {
            numbers: rng.bool(),
            offsets: rng.bool(),
            summaries: rng.bool(),
            paths: rng.bool(),
        },
        follow_from: match rng.u8(0..4) {
            0 => FollowFrom::End,
            1 => FollowFrom::Lines(number(rng)),
            2 => FollowFrom::Bytes(number(rng)),
            _ => FollowFrom::Beginning,
        },
        plain: rng.bool(),
        timeout: rng.bool().then(|| Duration::new(number(rng), rng.u32(0..1_000_000_000))),
    };
    Start { generation: number(rng) as u32, request, strict: rng.bool() }
}

fn client_frame(rng: &mut Rng) -> ClientFrame {
    match rng.u8(0..9) {
        0 => ClientFrame::Hello(ClientHello {
            lowest: rng.u16(..),
            highest: rng.u16(..),
            capabilities: (0..rng.usize(0..5)).map(|_| text(rng)).collect(),
            credit: number(rng),
            software: text(rng),
        }),
        1 => ClientFrame::Start(start(rng)),
        2 => ClientFrame::Update(start(rng)),
        3 => ClientFrame::Cancel,
        4 => ClientFrame::Credit(number(rng)),
        5 => ClientFrame::Heartbeat,
        6 => ClientFrame::RegisterKey(bytes(rng, 700)),
        7 => ClientFrame::Health,
        _ => ClientFrame::Bye,
    }
}

fn lines(rng: &mut Rng) -> LineBlock {
    let count = rng.usize(0..6);
    let mut bytes = Vec::new();
    for _ in 0..count {
        let longest = [10, 100, 30_000, 300_000][rng.usize(0..4)];
        bytes.resize(bytes.len() + rng.usize(0..longest), rng.u8(b' '..));
        bytes.push(b'\n');
    }
    let numbers = match rng.u8(0..3) {
        0 => LineNumbers::Unnumbered,
        1 => LineNumbers::From(number(rng)),
        _ => LineNumbers::Each((0..count).map(|_| number(rng)).collect()),
    };
    let offsets = if rng.bool() { (0..count).map(|_| number(rng)).collect() } else { Vec::new() };
    LineBlock { source: text(rng).into(), bytes, numbers, offsets }
}

fn server_frame(rng: &mut Rng) -> ServerFrame {
    let generation = number(rng) as u32;
    match rng.u8(0..15) {
        0 => ServerFrame::Hello(ServerHello {
            version: rng.u16(..),
            capabilities: (0..rng.usize(0..5)).map(|_| text(rng)).collect(),
            hostname: text(rng),
            software: text(rng),
        }),
        1 => ServerFrame::Started { generation },
        2 => ServerFrame::Aggregate { generation, groups: bytes(rng, 100_000) },
        3 => {
            let severity = [Severity::Warn, Severity::Error][rng.usize(0..2)];
            let diagnostic = Diagnostic { severity, text: text(rng) };
            ServerFrame::Diagnostic { generation, diagnostic }
        }
        4 => ServerFrame::Finished {
            generation,
            summary: Summary {
                lines_read: rng.bool().then(|| number(rng)),
                bytes_read: number(rng),
                matches: number(rng),
                files: number(rng),
                failed_files: number(rng),
                aborted: rng.bool(),
            },
        },
        5 => ServerFrame::Refused(Refusal {
            generation,
            kind: [
                RefusalKind::BadRequest,
                RefusalKind::NotPermitted,
                RefusalKind::Limit,
                RefusalKind::Version,
                RefusalKind::Protocol,
                RefusalKind::Internal,
            ][rng.usize(0..6)],
            text: text(rng),
        }),
        6 => ServerFrame::KeyRegistered,
        7 => ServerFrame::Healthy,
        8 => ServerFrame::Heartbeat,
        9 => ServerFrame::Source {
            generation,
            summary: SourceSummary {
                source: text(rng).into(),
                matches: number(rng),
                bytes_read: number(rng),
                failed: rng.bool(),
            },
        },
        _ => ServerFrame::Lines { generation, block: lines(rng) },
    }
}

#[test]
fn what_a_client_says_arrives() {
    let mut rng = Rng::with_seed(1);
    for _ in 0..200 {
        let frames: Vec<ClientFrame> = (0..9).map(|_| client_frame(&mut rng)).collect();
        let mut bytes = PREAMBLE.to_vec();
        frames.iter().for_each(|frame| frame.encode(&mut bytes));
        let chunk = [1, 10, 100_000][rng.usize(0..3)];
        assert_eq!(decoded(client(), &bytes, chunk, &mut rng), (frames, Ok(true)));
    }
}

#[test]
fn what_a_server_says_arrives() {
    let mut rng = Rng::with_seed(2);
    for _ in 0..40 {
        let frames: Vec<ServerFrame> = (0..9).map(|_| server_frame(&mut rng)).collect();
        let chunk = [10, 1000, 100_000][rng.usize(0..3)];
        let arrived = decoded(server(), &encoded(&frames), chunk, &mut rng);
        // Not by assert_eq, which would print megabytes.
        assert!(arrived == (frames, Ok(true)));
    }
}

#[test]
fn a_stream_that_ends_within_a_frame_was_cut() {
    let mut rng = Rng::with_seed(3);
    let frames = [ServerFrame::Heartbeat, ServerFrame::Started { generation: 700 }];
    let bytes = encoded(&frames);
    let clean: Vec<usize> = (0..=bytes.len())
        .filter(|end| decoded(server(), &bytes[..*end], 9, &mut rng).1 == Ok(true))
        .collect();
    // After the preamble and after each frame.
    assert_eq!(clean, [8, 13, 20]);
}

/// What a client makes of bytes from a server, all at once.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check(bytes: &[u8], expected: Expect) {
    let actual = match decoded(server(), bytes, usize::MAX, &mut Rng::with_seed(4)) {
        (frames, Ok(is_clean)) => format!("{frames:?} {is_clean}"),
        (_, Err(err)) => err.to_string(),
    };
    expected.assert_eq(&actual);
}

fn framed(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&PREAMBLE, &length[..], &[kind], payload].concat()
}

#[test]
fn what_a_log_in_shell_prints_is_shown() {
    check(
        b"Welcome to host\x1b[0m!\nLast login: today, from far away, at a time that no one knows",
        expect![[
            r#"the other side does not speak DTail's protocol 5 but sent "Welcome to host\u{1b}[0m!\nLast login: today, from far away, at a "; if its log-in shell prints this, make it silent without a terminal"#
        ]],
    );
    check(
        b"DTAIL6\r\n",
        expect![[
            r#"the other side does not speak DTail's protocol 5 but sent "DTAIL6\r\n"; if its log-in shell prints this, make it silent without a terminal"#
        ]],
    );
    // A terminal in between has lost the carriage return.
    check(
        b"DTAIL5\n",
        expect![[
            r#"the other side does not speak DTail's protocol 5 but sent "DTAIL5\n"; if its log-in shell prints this, make it silent without a terminal"#
        ]],
    );
    check(b"", expect!["[] false"]);
    check(&PREAMBLE, expect!["[] true"]);
}

#[test]
fn what_is_no_frame_is_refused() {
    check(
        &framed(kind::CANCEL, b""),
        expect!["unknown kind of frame 0x04; bring client and server to the same version"],
    );
    check(
        &framed(kind::HEALTHY, b"?"),
        expect!["a frame of 1 bytes is above the limit of 0; ask for less at once"],
    );
    check(
        &[&PREAMBLE[..], &[1, 0, 0, 1, kind::LINES]].concat(),
        expect!["a frame of 16777217 bytes is above the limit of 16777216; ask for less at once"],
    );
    check(
        &framed(kind::STARTED, b"\x01\x02"),
        expect![
            "broken frame: a frame is longer than its fields; bring client and server to the same version"
        ],
    );
    check(
        &framed(kind::STARTED, b"\xff\xff\xff\xff\x1f"),
        expect!["broken frame: a number is too large; bring client and server to the same version"],
    );
    check(
        &framed(kind::REFUSED, b"\x01\x00\x02\xc3("),
        expect!["broken frame: a text is not UTF-8; bring client and server to the same version"],
    );
    check(
        &framed(kind::LINES, b"line\n\xff\0\0\0"),
        expect![
            "broken frame: a field goes beyond its frame; bring client and server to the same version"
        ],
    );
    check(
        &framed(kind::LINES, b"a\nb\n\x01\0\x02\x01\x07\0\x06\0\0\0"),
        expect![
            "broken frame: there are not as many line numbers as lines; bring client and server to the same version"
        ],
    );
    check(
        &framed(kind::LINES, b"a\nb\n\x01\0\0\x01\x07\x05\0\0\0"),
        expect![
            "broken frame: there are not as many offsets as lines; bring client and server to the same version"
        ],
    );
    check(
        &framed(kind::LINES, b"a\nb\n\x01\0\0\x02\x07\x05\0\0\0"),
        expect![
            "broken frame: a field goes beyond its frame; bring client and server to the same version"
        ],
    );
}

/// A client that knows the limits is told before it sends; one that does not, by the server.
#[test]
fn a_client_that_sends_too_much_is_refused() {
    let mut rng = Rng::with_seed(5);
    let mut check = |change: &dyn Fn(&mut Request), expected: &str| {
        let mut request = Request::of(Mode::Grep, vec!["a".into()]);
        change(&mut request);
        let start = Start { generation: 1, request, strict: false };
        let mut bytes = PREAMBLE.to_vec();
        ClientFrame::Start(start.clone()).encode(&mut bytes);
        let err = decoded(client(), &bytes, 1 << 20, &mut rng).1.unwrap_err();
        assert_eq!(err.to_string(), expected);
        assert!(start.excess().is_none_or(|text| text == expected));
        start.excess().is_some()
    };
    let texts = |texts| Some(Pattern { texts, ..Pattern::default() });
    assert!(check(
        &|request| request.files = vec![OsString::new(); FILES_LIMIT + 1],
        "more than 65536 files in one request: name fewer",
    ));
    assert!(check(
        &|request| request.pattern = texts(vec![String::new(); TEXTS_LIMIT + 1]),
        "more than 10000 patterns in one request: give fewer",
    ));
    assert!(check(
        &|request| request.pattern = texts(vec!["x".repeat(1 << 19); 3]),
        "more than 1 MiB of patterns in one request: give fewer or shorter",
    ));
    assert!(!check(
        &|request| request.query = Some("x".repeat(CLIENT_FRAME_LIMIT)),
        "a frame of 2097175 bytes is above the limit of 2097152; ask for less at once",
    ));
    let allowed = vec!["x".repeat(TEXTS_SIZE_LIMIT / TEXTS_LIMIT); TEXTS_LIMIT];
    let request = Request { pattern: texts(allowed), ..Request::of(Mode::Grep, vec!["a".into()]) };
    let start = Start { generation: 1, request, strict: false };
    assert_eq!(start.excess(), None);
    let mut bytes = PREAMBLE.to_vec();
    let frame = ClientFrame::Start(start);
    frame.encode(&mut bytes);
    assert!(decoded(client(), &bytes, 1 << 20, &mut rng) == (vec![frame], Ok(true)));
}

#[test]
fn texts_are_cut_so_that_the_frame_is_accepted() {
    let text = "ä".repeat(1 << 20);
    let diagnostic = Diagnostic { severity: Severity::Warn, text: text.clone() };
    let refusal = Refusal { generation: 0, kind: RefusalKind::Limit, text: text.clone() };
    let summary =
        SourceSummary { source: text.as_str().into(), matches: 1, bytes_read: 2, failed: true };
    let hello = ServerHello {
        version: VERSION,
        capabilities: vec![text.clone(); 100],
        hostname: text.clone(),
        software: text,
    };
    let frames = [
        ServerFrame::Diagnostic { generation: 1, diagnostic },
        ServerFrame::Refused(refusal),
        ServerFrame::Hello(hello),
        ServerFrame::Source { generation: 1, summary },
    ];
    let (arrived, end) = decoded(server(), &encoded(&frames), 1 << 20, &mut Rng::with_seed(7));
    assert_eq!((arrived.len(), end), (4, Ok(true)));
}

/// The parts together are the block, and but for a line that is too long itself no line is cut.
#[test]
fn a_block_too_large_for_one_frame_becomes_several() {
    let short: Vec<u8> = b"\nab\n".repeat(3 << 20);
    let count = short.iter().filter(|byte| **byte == b'\n').count() as u64;
    let long = [vec![b'x'; 20 << 20], b"\nend\n".to_vec()].concat();
    let each = |count| -> Vec<u64> { (0..count).map(|it| it * 3).collect() };
    for (bytes, numbers, offsets, is_cut) in [
        (short.clone(), LineNumbers::From(7), Vec::new(), false),
        (short.repeat(2), LineNumbers::Unnumbered, each(2 * count), false),
        (short.clone(), LineNumbers::Each(each(count)), Vec::new(), false),
        (short, LineNumbers::Each(each(count)), each(count), false),
        (long, LineNumbers::Each(each(2)), each(2), true),
    ] {
        let block = LineBlock { source: "s".into(), bytes, numbers, offsets };
        let frame = ServerFrame::Lines { generation: 9, block: block.clone() };
        let frames = encoded(&[frame]);
        let (parts, end) = decoded(server(), &frames, 1 << 20, &mut Rng::with_seed(8));
        assert_eq!(end, Ok(true));
        let mut joined = LineBlock { bytes: Vec::new(), offsets: Vec::new(), ..block.clone() };
        let mut each = Vec::new();
        for part in parts {
            let ServerFrame::Lines { generation: 9, block: part } = part else { panic!() };
            assert!(is_cut || part.bytes.ends_with(b"\n"));
            let line_ends = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
            // Each part has what belongs to its own lines.
            if !part.offsets.is_empty() {
                assert_eq!(part.offsets.len(), line_ends(&part.bytes));
            }
            match part.numbers {
                LineNumbers::Unnumbered => {}
                LineNumbers::From(first) => {
                    assert_eq!(first, 7 + line_ends(&joined.bytes) as u64);
                }
                LineNumbers::Each(numbers) => each.extend(numbers),
            }
            joined.bytes.extend(part.bytes);
            joined.offsets.extend(part.offsets);
        }
        if let LineNumbers::Each(numbers) = &mut joined.numbers {
            *numbers = each;
        }
        assert!(joined == block);
    }
}

/// A header alone promises much; memory is taken for what has come.
#[test]
fn what_has_not_come_takes_no_memory() {
    let mut incoming = server();
    let header = [&PREAMBLE[..], &[0, 0, 0, 1, kind::LINES]].concat();
    incoming.space()[..header.len()].copy_from_slice(&header);
    incoming.commit(header.len());
    let mut received = 0;
    while received < 4 << 20 {
        assert_eq!(incoming.next(), Ok(None));
        received += incoming.space().len();
        let length = incoming.space().len();
        incoming.commit(length);
        assert!(incoming.memory() <= (300 << 10) + 2 * received);
    }
    assert!(!incoming.is_between_frames());
}

#[test]
fn an_idle_stream_holds_next_to_nothing() {
    let mut incoming = server();
    let block = LineBlock {
        source: "s".into(),
        bytes: b"line\n".repeat(50_000),
        numbers: LineNumbers::From(1),
        offsets: Vec::new(),
    };
    let mut bytes = &encoded(&[ServerFrame::Lines { generation: 1, block }])[..];
    let mut frames = 0;
    while !bytes.is_empty() {
        let space = incoming.space();
        let length = space.len().min(bytes.len());
        space[..length].copy_from_slice(&bytes[..length]);
        incoming.commit(length);
        bytes = &bytes[length..];
        frames += usize::from(incoming.next().unwrap().is_some());
    }
    assert_eq!((frames, incoming.next()), (1, Ok(None)));
    assert!(incoming.memory() <= 4 << 10);
}

#[test]
fn foreign_bytes_break_no_promise() {
    let mut rng = Rng::with_seed(9);
    for _ in 0..600 {
        let mut bytes = vec![rng.u8(..)];
        for _ in 0..rng.usize(1..5) {
            if rng.bool() {
                client_frame(&mut rng).encode(&mut bytes);
            } else {
                let frame = server_frame(&mut rng);
                if frame.charge() < 10_000 {
                    frame.encode(&mut bytes);
                }
            }
        }
        for _ in 0..rng.usize(0..3) {
            let place = rng.usize(0..bytes.len());
            bytes[place] = [0, 1, 2, 0x7F, 0x80, 0xFF][rng.usize(0..6)];
        }
        fuzzed::frames(&bytes);
        fuzzed::conversation(&bytes);
    }
}

/// A seed that is refused at its first frame would be none.
#[test]
fn what_fuzzing_starts_from_is_understood() {
    let seeds: [(&[u8], usize); 3] = [
        (include_bytes!("../../../fuzz/corpus/frame/client"), 9),
        (include_bytes!("../../../fuzz/corpus/conversation/session"), 7),
        (include_bytes!("../../../fuzz/corpus/conversation/silent"), 2),
    ];
    let mut rng = Rng::with_seed(10);
    let with_preamble = |seed: &[u8]| [&PREAMBLE, &seed[1..]].concat();
    for (seed, count) in seeds {
        let (frames, end) = decoded(client(), &with_preamble(seed), 9, &mut rng);
        assert_eq!((frames.len(), end), (count, Ok(true)));
        let is_understood = |frame: &ClientFrame| match frame {
            ClientFrame::Hello(hello) => hello.highest == VERSION,
            _ => true,
        };
        assert!(frames.iter().all(is_understood));
    }
    let seed = include_bytes!("../../../fuzz/corpus/frame/server");
    let (frames, end) = decoded(server(), &with_preamble(seed), 9, &mut rng);
    assert_eq!((frames.len(), end), (12, Ok(true)));
}
