//! From bytes to frames. Believes nothing: every length is checked against the bytes that are
//! there before anything is allocated.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use super::{
    CAPABILITIES_LIMIT, CAPABILITY_LIMIT, CONTROL_LIMIT, ClientFrame, ClientHello, FILES_LIMIT,
    FrameError, Refusal, RefusalKind, ServerFrame, ServerHello, Start, TEXT_LIMIT, TEXTS_LIMIT,
    TEXTS_SIZE_LIMIT, TOO_LONG_TEXTS, TOO_MANY_FILES, TOO_MANY_TEXTS, kind,
};
use crate::{
    Context, Diagnostic, Extras, FollowFrom, LineBlock, LineNumbers, Mode, Parts, Pattern, Request,
    Severity, SourceSummary, Summary, Whole,
};

const CUT_SHORT: FrameError = FrameError::Malformed("a field goes beyond its frame");

/// The largest payload of this kind of frame when the largest of all is `limit`; `None`: a client
/// sends no such frame.
pub(super) fn client_limit(kind: u8, limit: usize) -> Option<usize> {
    match kind {
        kind::START | kind::UPDATE => Some(limit),
        kind::CLIENT_HELLO | kind::REGISTER_KEY => Some(limit.min(CONTROL_LIMIT)),
        kind::CREDIT => Some(10),
        kind::CANCEL | kind::CLIENT_HEARTBEAT | kind::HEALTH | kind::BYE => Some(0),
        _ => None,
    }
}

/// The same for what servers send.
pub(super) fn server_limit(kind: u8, limit: usize) -> Option<usize> {
    match kind {
        kind::LINES | kind::AGGREGATE => Some(limit),
        kind::SERVER_HELLO
        | kind::STARTED
        | kind::SOURCE
        | kind::DIAGNOSTIC
        | kind::FINISHED
        | kind::REFUSED => Some(limit.min(CONTROL_LIMIT)),
        kind::KEY_REGISTERED | kind::HEALTHY | kind::SERVER_HEARTBEAT => Some(0),
        _ => None,
    }
}

pub(super) fn client_frame(kind: u8, payload: Vec<u8>) -> Result<ClientFrame, FrameError> {
    let mut fields = Fields { rest: &payload };
    let frame = match kind {
        kind::CLIENT_HELLO => ClientFrame::Hello(ClientHello {
            lowest: fields.number()?,
            highest: fields.number()?,
            capabilities: fields.capabilities()?,
            credit: fields.number()?,
            software: fields.short_text()?.to_owned(),
        }),
        kind::START => ClientFrame::Start(fields.start()?),
        kind::UPDATE => ClientFrame::Update(fields.start()?),
        kind::CANCEL => ClientFrame::Cancel,
        kind::CREDIT => ClientFrame::Credit(fields.number()?),
        kind::CLIENT_HEARTBEAT => ClientFrame::Heartbeat,
        kind::REGISTER_KEY => return Ok(ClientFrame::RegisterKey(payload)),
        kind::HEALTH => ClientFrame::Health,
        kind::BYE => ClientFrame::Bye,
        _ => return Err(FrameError::UnknownKind(kind)),
    };
    fields.end()?;
    Ok(frame)
}

pub(super) fn server_frame(kind: u8, payload: Vec<u8>) -> Result<ServerFrame, FrameError> {
    let mut fields = Fields { rest: &payload };
    let frame = match kind {
        kind::SERVER_HELLO => ServerFrame::Hello(ServerHello {
            version: fields.number()?,
            capabilities: fields.capabilities()?,
            hostname: fields.short_text()?.to_owned(),
            software: fields.short_text()?.to_owned(),
        }),
        kind::STARTED => ServerFrame::Started { generation: fields.number()? },
        kind::LINES => return lines(payload),
        kind::SOURCE => {
            ServerFrame::Source { generation: fields.number()?, summary: fields.source_summary()? }
        }
        kind::AGGREGATE => return aggregate(payload),
        kind::DIAGNOSTIC => ServerFrame::Diagnostic {
            generation: fields.number()?,
            diagnostic: Diagnostic {
                severity: match fields.byte()? {
                    0 => Severity::Warn,
                    1 => Severity::Error,
                    _ => return Err(FrameError::Malformed("an unknown severity")),
                },
                text: fields.short_text()?.to_owned(),
            },
        },
        kind::FINISHED => {
            ServerFrame::Finished { generation: fields.number()?, summary: fields.summary()? }
        }
        kind::REFUSED => ServerFrame::Refused(fields.refusal()?),
        kind::KEY_REGISTERED => ServerFrame::KeyRegistered,
        kind::HEALTHY => ServerFrame::Healthy,
        kind::SERVER_HEARTBEAT => ServerFrame::Heartbeat,
        _ => return Err(FrameError::UnknownKind(kind)),
    };
    fields.end()?;
    Ok(frame)
}

/// The lines stay where they are; what follows them is read and cut off.
fn lines(mut payload: Vec<u8>) -> Result<ServerFrame, FrameError> {
    let (rest, trailer_length) = payload.split_last_chunk().ok_or(CUT_SHORT)?;
    let trailer_length = usize::try_from(u32::from_le_bytes(*trailer_length));
    let lines_length = trailer_length.ok().and_then(|length| rest.len().checked_sub(length));
    let (lines, trailer) = rest.split_at(lines_length.ok_or(CUT_SHORT)?);
    let mut fields = Fields { rest: trailer };
    let generation = fields.number()?;
    let source = Arc::from(fields.text()?);
    let numbers = match fields.byte()? {
        0 => LineNumbers::Unnumbered,
        1 => LineNumbers::From(fields.number()?),
        2 => LineNumbers::Each(fields.line_numbers(lines)?),
        _ => return Err(FrameError::Malformed("an unknown kind of line numbers")),
    };
    let offsets = fields.offsets(lines)?;
    fields.end()?;
    let length = lines.len();
    payload.truncate(length);
    let block = LineBlock { source, bytes: payload, numbers, offsets };
    Ok(ServerFrame::Lines { generation, block })
}

fn aggregate(mut payload: Vec<u8>) -> Result<ServerFrame, FrameError> {
    let (groups, generation) = payload.split_last_chunk().ok_or(CUT_SHORT)?;
    let generation = u32::from_le_bytes(*generation);
    let length = groups.len();
    payload.truncate(length);
    Ok(ServerFrame::Aggregate { generation, groups: payload })
}

/// What has not been read of a payload.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn end(&self) -> Result<(), FrameError> {
        match self.rest {
            [] => Ok(()),
            _ => Err(FrameError::Malformed("a frame is longer than its fields")),
        }
    }

    fn byte(&mut self) -> Result<u8, FrameError> {
        let (&byte, rest) = self.rest.split_first().ok_or(CUT_SHORT)?;
        self.rest = rest;
        Ok(byte)
    }

    fn flag(&mut self) -> Result<bool, FrameError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(FrameError::Malformed("a flag is neither 0 nor 1")),
        }
    }

    fn number<N: TryFrom<u64>>(&mut self) -> Result<N, FrameError> {
        const TOO_LARGE: FrameError = FrameError::Malformed("a number is too large");
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if bits << shift >> shift != bits {
                return Err(TOO_LARGE);
            }
            number |= bits << shift;
            if byte < 0x80 {
                return N::try_from(number).map_err(|_| TOO_LARGE);
            }
        }
        Err(TOO_LARGE)
    }

    fn bytes(&mut self) -> Result<&'a [u8], FrameError> {
        let length = self.number()?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(CUT_SHORT)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<&'a str, FrameError> {
        str::from_utf8(self.bytes()?).map_err(|_| FrameError::Malformed("a text is not UTF-8"))
    }

    fn short_text(&mut self) -> Result<&'a str, FrameError> {
        let text = self.text()?;
        match text.len() > TEXT_LIMIT {
            true => Err(FrameError::Malformed("a text is too long")),
            false => Ok(text),
        }
    }

    fn capabilities(&mut self) -> Result<Vec<String>, FrameError> {
        let count: usize = self.number()?;
        if count > CAPABILITIES_LIMIT {
            return Err(FrameError::Malformed("too many capabilities"));
        }
        let mut capabilities = Vec::new();
        for _ in 0..count {
            let capability = self.text()?;
            if capability.len() > CAPABILITY_LIMIT {
                return Err(FrameError::Malformed("the name of a capability is too long"));
            }
            capabilities.push(capability.to_owned());
        }
        Ok(capabilities)
    }

    fn start(&mut self) -> Result<Start, FrameError> {
        let generation = self.number()?;
        let strict = self.flag()?;
        let mode = match self.byte()? {
            0 => Mode::Cat,
            1 => Mode::Grep,
            2 => Mode::Tail,
            3 => Mode::Map,
            _ => return Err(FrameError::Malformed("an unknown mode")),
        };
        let files = self.files()?;
        let pattern = match self.flag()? {
            false => None,
            true => Some(self.pattern()?),
        };
        let context =
            Context { before: self.number()?, after: self.number()?, max: self.number()? };
        let query = match self.flag()? {
            false => None,
            true => Some(self.text()?.to_owned()),
        };
        let parts = match self.byte()? {
            0 => Parts::Lines,
            1 => Parts::Matches,
            2 => Parts::Nothing,
            _ => return Err(FrameError::Malformed("an unknown part of lines")),
        };
        let extras = Extras {
            numbers: self.flag()?,
            offsets: self.flag()?,
            summaries: self.flag()?,
            paths: self.flag()?,
        };
        let follow_from = match self.byte()? {
            0 => FollowFrom::End,
            1 => FollowFrom::Lines(self.number()?),
            2 => FollowFrom::Bytes(self.number()?),
            3 => FollowFrom::Beginning,
            _ => return Err(FrameError::Malformed("an unknown place to follow from")),
        };
        let (plain, timeout) = (self.flag()?, self.timeout()?);
        let request = Request {
            mode,
            files,
            pattern,
            context,
            query,
            parts,
            extras,
            follow_from,
            plain,
            timeout,
        };
        Ok(Start { generation, request, strict })
    }

    fn pattern(&mut self) -> Result<Pattern, FrameError> {
        let (invert, fixed, ignore_case) = (self.flag()?, self.flag()?, self.flag()?);
        let whole = match self.byte()? {
            0 => Whole::Nothing,
            1 => Whole::Words,
            2 => Whole::Line,
            _ => return Err(FrameError::Malformed("an unknown whole")),
        };
        let count: usize = self.number()?;
        if count > TEXTS_LIMIT {
            return Err(FrameError::TooMuch(TOO_MANY_TEXTS));
        }
        let (mut texts, mut size) = (Vec::new(), 0);
        for _ in 0..count {
            let text = self.text()?;
            size += text.len();
            if size > TEXTS_SIZE_LIMIT {
                return Err(FrameError::TooMuch(TOO_LONG_TEXTS));
            }
            texts.push(text.to_owned());
        }
        Ok(Pattern { texts, invert, fixed, ignore_case, whole })
    }

    fn files(&mut self) -> Result<Vec<OsString>, FrameError> {
        let count: usize = self.number()?;
        if count > FILES_LIMIT {
            return Err(FrameError::TooMuch(TOO_MANY_FILES));
        }
        let mut files = Vec::new();
        for _ in 0..count {
            files.push(file_name(self.bytes()?)?);
        }
        Ok(files)
    }

    fn timeout(&mut self) -> Result<Option<Duration>, FrameError> {
        if !self.flag()? {
            return Ok(None);
        }
        let seconds = self.number()?;
        let nanoseconds = self.number()?;
        if nanoseconds >= 1_000_000_000 {
            return Err(FrameError::Malformed("a timeout has too many nanoseconds"));
        }
        Ok(Some(Duration::new(seconds, nanoseconds)))
    }

    fn summary(&mut self) -> Result<Summary, FrameError> {
        let lines_read = match self.flag()? {
            false => None,
            true => Some(self.number()?),
        };
        Ok(Summary {
            lines_read,
            bytes_read: self.number()?,
            matches: self.number()?,
            files: self.number()?,
            failed_files: self.number()?,
            aborted: self.flag()?,
        })
    }

    fn source_summary(&mut self) -> Result<SourceSummary, FrameError> {
        Ok(SourceSummary {
            source: Arc::from(self.short_text()?),
            matches: self.number()?,
            bytes_read: self.number()?,
            failed: self.flag()?,
        })
    }

    fn refusal(&mut self) -> Result<Refusal, FrameError> {
        Ok(Refusal {
            generation: self.number()?,
            kind: match self.byte()? {
                0 => RefusalKind::BadRequest,
                1 => RefusalKind::NotPermitted,
                2 => RefusalKind::Limit,
                3 => RefusalKind::Version,
                4 => RefusalKind::Protocol,
                5 => RefusalKind::Internal,
                _ => return Err(FrameError::Malformed("an unknown kind of refusal")),
            },
            text: self.short_text()?.to_owned(),
        })
    }

    /// One number for each line; the last line may lack its end.
    fn line_numbers(&mut self, lines: &[u8]) -> Result<Vec<u64>, FrameError> {
        let count: usize = self.number()?;
        let line_ends = lines.iter().filter(|byte| **byte == b'\n').count();
        if count < line_ends || count > line_ends + 1 {
            return Err(FrameError::Malformed("there are not as many line numbers as lines"));
        }
        self.ascending(count)
    }

    /// None at all, or one for each line; the last line may lack its end.
    fn offsets(&mut self, lines: &[u8]) -> Result<Vec<u64>, FrameError> {
        let count: usize = self.number()?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let line_ends = lines.iter().filter(|byte| **byte == b'\n').count();
        if count < line_ends || count > line_ends + 1 {
            return Err(FrameError::Malformed("there are not as many offsets as lines"));
        }
        self.ascending(count)
    }

    /// Numbers, each but the first as the difference to the one before.
    fn ascending(&mut self, count: usize) -> Result<Vec<u64>, FrameError> {
        // Each takes at least a byte, which bounds what is allocated.
        if count > self.rest.len() {
            return Err(CUT_SHORT);
        }
        let mut numbers = Vec::with_capacity(count);
        let mut previous = 0_u64;
        for _ in 0..count {
            previous = previous.wrapping_add(self.number()?);
            numbers.push(previous);
        }
        Ok(numbers)
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere not all names are possible")]
fn file_name(bytes: &[u8]) -> Result<OsString, FrameError> {
    Ok(std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec()))
}

#[cfg(not(unix))]
fn file_name(bytes: &[u8]) -> Result<OsString, FrameError> {
    let name = str::from_utf8(bytes);
    name.map(OsString::from).map_err(|_| FrameError::Malformed("a file name is not UTF-8"))
}
