//! Protocol 4.1 with one old DTail server over a stream of bytes: its commands out, its messages in
//! as blocks of lines, groups and diagnostics. Never connects.

use std::sync::Arc;
use std::time::Duration;

use dtail_protocol::legacy::{
    Command, LegacyError, Message, MessageDecoder, Options, encode_command,
};
use dtail_protocol::{
    Diagnostic, Extras, FollowFrom, LineBlock, LineNumbers, Mode, Parts, Pattern, Request,
    Severity, Summary,
};
use dtail_query::{Groups, Query};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::select;
use tokio::time::{Instant, sleep, sleep_until};

use super::counts::Counted;
use super::link::Permit;
use super::shared::{Active, Failure, Item, Site};
use crate::HostDiagnostic;

/// The longest message, in bytes.
const LONGEST: usize = 16 << 20;
/// Lines are collected up to this many bytes.
const BLOCK: usize = 64 << 10;
/// A line whose end has not come for this long is passed on without.
const QUIET: Duration = Duration::from_millis(100);
/// DTail's limit for the time of a request, in seconds.
const LONGEST_TIMEOUT: u64 = 86_400;

/// Runs one session to its end. `permit` is given up when the server has said something.
pub(crate) async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    site: &mut Site,
    permit: Permit,
) -> Result<Summary, Failure> {
    let (reader, writer) = split(stream);
    let active = site.shared.active();
    let groups = Groups::new(site.shared.strict);
    let mut talk = Talk {
        site,
        reader,
        writer,
        permit,
        decoder: MessageDecoder::new(LONGEST),
        lines: None,
        groups,
        summary: Summary::default(),
        counted: None,
        active,
    };
    // A server that was asked for nothing would have nothing to say, not even goodbye.
    let ended = if talk.ask().await? { talk.listen().await } else { Ok(()) };
    talk.pass_lines().await?;
    ended.map(|()| talk.summary)
}

struct Talk<'a, S> {
    site: &'a mut Site,
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    permit: Permit,
    decoder: MessageDecoder,
    /// Lines of one source that were not passed on yet, and the host's name for itself.
    lines: Option<(Arc<str>, LineBlock)>,
    groups: Groups,
    summary: Summary,
    counted: Option<Counted>,
    active: Arc<Active>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<'_, S> {
    /// Sends what can be said of the request; whether that is anything.
    async fn ask(&mut self) -> Result<bool, Failure> {
        let mut bytes = Vec::new();
        let active = Arc::clone(&self.active);
        if let Some(why) = unsayable(&active.request) {
            let why = LegacyError::Unsendable(why.to_owned());
            return Err(Failure::lasting(why.to_string()));
        }
        if let Some(what) = active.query.as_ref().and_then(Query::beyond_dtail) {
            let why = LegacyError::Unsendable(format!("which has no {what}"));
            return Err(Failure::lasting(why.to_string()));
        }
        for command in commands(&active.request, active.query.as_ref()) {
            let said = command.and_then(|command| {
                encode_command(&command, &mut bytes).map_err(|err| err.to_string())
            });
            self.summary.files += 1;
            if let Err(text) = said {
                self.diagnose(None, Severity::Error, text).await?;
            }
        }
        if bytes.is_empty() {
            return Ok(false);
        }
        if let Some(query) = &active.request.query {
            let options = Options::default();
            let mut map = Vec::new();
            encode_command(&Command::Map { options, query: query.clone() }, &mut map)
                .map_err(|err| Failure::lasting(err.to_string()))?;
            map.append(&mut bytes);
            bytes = map;
        }
        self.send(&bytes).await?;
        Ok(true)
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let sent = async {
            self.writer.write_all(bytes).await?;
            self.writer.flush().await
        };
        sent.await.map_err(|err: std::io::Error| self.lost(&err.to_string()))
    }

    async fn listen(&mut self) -> Result<(), Failure> {
        let deadline = match self.active.request.timeout {
            // As for queries the server knows the time, and has something to say at the end.
            Some(_) if self.active.query.is_none() => self.site.shared.deadline,
            _ => None,
        };
        let end = deadline.unwrap_or_else(|| Instant::now() + Duration::from_secs(1 << 30));
        let mut buffer = vec![0; BLOCK];
        loop {
            let Talk { site, reader, .. } = self;
            let read = select! {
                biased;
                _ = site.stop.wait_for(|stop| *stop) => return Ok(()),
                () = sleep_until(end) => return Ok(()),
                read = reader.read(&mut buffer) => Some(read),
                () = sleep(QUIET) => None,
            };
            let is_over = match read {
                Some(Ok(length @ 1..)) => {
                    self.decoder.feed(&buffer[..length]);
                    self.take_messages().await?
                }
                Some(Err(err)) => return Err(self.lost(&format!("connection lost: {err}"))),
                Some(Ok(0)) | None => match self.decoder.flush() {
                    Some(message) => self.take(message).await?,
                    None => false,
                },
            };
            self.pass_lines().await?;
            self.pass_groups().await?;
            if is_over {
                return Ok(());
            }
            if matches!(read, Some(Ok(0))) {
                return Err(self.lost("the connection was closed before the answer was complete"));
            }
        }
    }

    /// Takes in what has come; whether it was the end.
    async fn take_messages(&mut self) -> Result<bool, Failure> {
        self.greet();
        loop {
            let message = self.decoder.next().map_err(|err| self.lost(&err.to_string()))?;
            let Some(message) = message else { return Ok(false) };
            if self.take(message).await? {
                return Ok(true);
            }
        }
    }

    fn greet(&mut self) {
        if self.counted.is_none() {
            self.permit.give_up();
            self.counted = Some(self.site.shared.counts.count(|counts| &counts.connected));
            self.site.is_connected.send_replace(true);
        }
    }

    /// Takes in a message; whether it was the last.
    async fn take(&mut self, message: Message) -> Result<bool, Failure> {
        match message {
            Message::Line { host, number, source, bytes } => {
                self.add_line(&host, number, source, &bytes).await?;
            }
            Message::Aggregate { host, data } => {
                if let Some(query) = &self.active.query
                    && let Err(err) = self.groups.read_legacy(&data, query)
                {
                    let text = format!("a result that cannot be read: {err}");
                    self.diagnose(Some(&host), Severity::Error, text).await?;
                }
            }
            Message::Server { host, text } => {
                let severity = match text.split('|').next().unwrap_or_default() {
                    "WARN" => Severity::Warn,
                    "ERROR" | "FATAL" => Severity::Error,
                    _ => return Ok(false),
                };
                self.diagnose(Some(&host), severity, text).await?;
            }
            Message::Hidden(text) if text.starts_with(".syn close connection") => {
                let mut bytes = Vec::new();
                if encode_command(&Command::AckClose, &mut bytes).is_ok() {
                    // A server that does not wait for it has said all the same that it is done.
                    drop(self.send(&bytes).await);
                }
                return Ok(true);
            }
            // Only servers that say what they can do know how to register a key; others would end
            // the session at the unknown word.
            Message::Hidden(text) if text.starts_with(".syn capabilities") => {
                if let Some(blob) = self.site.key_to_register() {
                    let mut bytes = Vec::new();
                    if encode_command(&Command::AuthKey(blob), &mut bytes).is_ok() {
                        self.send(&bytes).await?;
                    }
                }
            }
            Message::Hidden(_) | Message::AuthKey(_) => {}
            Message::Other(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let text = text.trim();
                if !text.is_empty() {
                    self.diagnose(None, Severity::Warn, text.to_owned()).await?;
                }
            }
        }
        Ok(false)
    }

    async fn add_line(
        &mut self,
        host: &str,
        number: u64,
        source: Arc<str>,
        line: &[u8],
    ) -> Result<(), Failure> {
        self.summary.matches += 1;
        self.summary.bytes_read += line.len() as u64;
        let belongs = self.lines.as_ref().is_some_and(|(known, block)| {
            **known == *host && block.source == source && block.bytes.len() < BLOCK
        });
        if !belongs {
            self.pass_lines().await?;
        }
        let wants_numbers = self.active.request.extras.numbers;
        let (_, block) = self.lines.get_or_insert_with(|| {
            let numbers = match wants_numbers {
                true => LineNumbers::Each(Vec::new()),
                false => LineNumbers::Unnumbered,
            };
            (Arc::from(host), LineBlock { source, bytes: Vec::new(), numbers, offsets: Vec::new() })
        });
        block.bytes.extend_from_slice(line);
        if let LineNumbers::Each(numbers) = &mut block.numbers {
            numbers.push(number);
        }
        Ok(())
    }

    async fn pass_lines(&mut self) -> Result<(), Failure> {
        let Some((host, block)) = self.lines.take() else { return Ok(()) };
        self.pass(Item::Lines { host, block, charge: None }).await
    }

    async fn pass_groups(&mut self) -> Result<(), Failure> {
        if self.groups.is_empty() {
            return Ok(());
        }
        let empty = Groups::new(self.site.shared.strict);
        let groups = std::mem::replace(&mut self.groups, empty);
        self.pass(Item::Groups { groups, charge: None }).await
    }

    async fn diagnose(
        &mut self,
        host: Option<&str>,
        severity: Severity,
        text: String,
    ) -> Result<(), Failure> {
        if severity == Severity::Error {
            // Old servers do not say how many files they could not read.
            self.summary.failed_files += 1;
            self.summary.files = self.summary.files.saturating_sub(1);
        }
        self.pass_lines().await?;
        let host = Arc::from(host.unwrap_or(&self.site.name.host));
        let diagnostic = Diagnostic { severity, text };
        self.pass(Item::Diagnostic(HostDiagnostic { host: Some(host), diagnostic })).await
    }

    async fn pass(&mut self, item: Item) -> Result<(), Failure> {
        let passed = self.site.items.send(item).await;
        passed.map_err(|_| Failure::lasting("nobody takes the answer"))
    }

    fn lost(&self, text: &str) -> Failure {
        Failure { is_before_greeting: self.counted.is_none(), ..Failure::passing(text) }
    }
}

/// What of a request an old server cannot be told, and without which its answer is another one.
fn unsayable(request: &Request) -> Option<&'static str> {
    let Extras { numbers: _, offsets, summaries, paths: _ } = request.extras;
    let follows = request.mode == Mode::Tail && request.follow_from != FollowFrom::End;
    match request.parts {
        Parts::Matches => Some("which sends whole lines and not only what matches"),
        Parts::Nothing => Some("which sends lines and does not count them for each file"),
        Parts::Lines if summaries => Some("which does not say what became of each file"),
        Parts::Lines if offsets => Some("which does not say where in its file a line begins"),
        Parts::Lines if follows => Some("which follows files from their ends only"),
        Parts::Lines => None,
    }
}

/// What DTail's client would say for a request, without the query itself. An error instead of a
/// command for what cannot be said.
fn commands(
    request: &Request,
    query: Option<&Query>,
) -> impl Iterator<Item = Result<Command, String>> {
    let context = request.context;
    let (before, after, max) = (context.before, context.after, context.max);
    // Lines with fields can be told from everything else that a server says.
    let options = Options { before, after, max, ..Options::default() };
    let mode = match (request.mode, query) {
        (Mode::Map, _) => Mode::Cat,
        (Mode::Grep, Some(_)) => Mode::Cat,
        (mode, _) => mode,
    };
    let pattern = query.and_then(table_pattern).or_else(|| request.pattern.clone());
    let seconds = request.timeout.filter(|_| query.is_some());
    let seconds = seconds.map(|timeout| timeout.as_secs().clamp(1, LONGEST_TIMEOUT));
    request.files.iter().map(move |file| {
        let Some(file) = file.to_str() else {
            let file = file.to_string_lossy();
            return Err(format!("{file}: an old server cannot be asked for this name"));
        };
        let (file, pattern) = (file.to_owned(), pattern.clone());
        Ok(match seconds {
            Some(seconds) => Command::Timeout { seconds, mode, file, pattern },
            None => Command::Read { mode, options, file, pattern },
        })
    })
}

/// The lines of a query's table.
fn table_pattern(query: &Query) -> Option<Pattern> {
    let text = match query.table()? {
        "" | "." => return None,
        "*" => r"\|MAPREDUCE:\|".to_owned(),
        table => format!(r"\|MAPREDUCE:{table}\|"),
    };
    Some(Pattern::of(&text))
}

#[cfg(test)]
mod tests;
