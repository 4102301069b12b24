//! The server's side of a session as a pure state machine: which frame may come when. Never does
//! what a frame asks for.

use crate::frame::{ClientFrame, ClientHello, Refusal, RefusalKind, Start, VERSION};

/// A session's state, as far as the protocol has one.
#[derive(Debug)]
pub struct Conversation {
    offered: Vec<String>,
    phase: Phase,
    /// Of the last request; 0 before the first.
    generation: u32,
    is_running: bool,
    /// All credit so far, in bytes.
    credit: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No hello yet.
    Silent,
    Talking,
    /// After Bye or a refusal.
    Over,
}

/// What the server has to do about a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Answer the hello.
    Greet(Greeting),
    /// Carry the first request out.
    Start(Start),
    /// Give up what is running, if it still is, and carry this out.
    Replace(Start),
    /// End the running request early.
    Cancel,
    /// The client takes this many bytes more.
    Grant(u64),
    /// Register this public key (an SSH public key blob) for the user.
    RegisterKey(Vec<u8>),
    /// Say whether all is well.
    CheckHealth,
    /// Nothing.
    Nothing,
    /// End the session.
    Leave,
}

/// What was agreed on; a [`crate::frame::ServerHello`] without the server's own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// The version to speak.
    pub version: u16,
    /// What both sides know beyond the basics.
    pub capabilities: Vec<String>,
    /// The client's first credit, in bytes.
    pub credit: u64,
}

impl Conversation {
    /// A session that has heard nothing yet. `offered`: the server's capabilities, of
    /// `interactive` (requests may be replaced), `journal` and `auth-key` (keys may be registered).
    pub fn new(offered: Vec<String>) -> Conversation {
        let phase = Phase::Silent;
        Conversation { offered, phase, generation: 0, is_running: false, credit: 0 }
    }

    /// Takes in a frame. After a refusal, which is always of generation 0, the session is over:
    /// tell the client, then close.
    pub fn on_frame(&mut self, frame: ClientFrame) -> Result<Step, Refusal> {
        let step = match self.phase {
            Phase::Silent => self.first(frame),
            Phase::Talking => self.further(frame),
            Phase::Over => refuse(RefusalKind::Protocol, "the session is over already"),
        };
        if matches!(step, Err(_) | Ok(Step::Leave)) {
            self.phase = Phase::Over;
        }
        step
    }

    /// The request of this generation has ended. Of one that was replaced it says nothing new.
    pub fn finished(&mut self, generation: u32) {
        if generation == self.generation {
            self.is_running = false;
        }
    }

    fn first(&mut self, frame: ClientFrame) -> Result<Step, Refusal> {
        let hello = match frame {
            ClientFrame::Hello(hello) => hello,
            ClientFrame::Bye => return Ok(Step::Leave),
            _ => return refuse(RefusalKind::Protocol, "a session begins with a hello"),
        };
        let ClientHello { lowest, highest, capabilities, credit, software } = hello;
        if !(lowest..=highest).contains(&VERSION) {
            return Err(version_refusal(lowest, highest, &software));
        }
        let capabilities =
            self.offered.iter().filter(|offered| capabilities.contains(offered)).cloned().collect();
        self.phase = Phase::Talking;
        self.credit = credit;
        Ok(Step::Greet(Greeting { version: VERSION, capabilities, credit }))
    }

    fn further(&mut self, frame: ClientFrame) -> Result<Step, Refusal> {
        match frame {
            ClientFrame::Hello(_) => refuse(RefusalKind::Protocol, "only one hello is allowed"),
            ClientFrame::Start(start) => self.start(start),
            ClientFrame::Update(start) => self.update(start),
            ClientFrame::Cancel if self.is_running => Ok(Step::Cancel),
            ClientFrame::Credit(bytes) => match self.credit.checked_add(bytes) {
                Some(credit) => {
                    self.credit = credit;
                    Ok(Step::Grant(bytes))
                }
                None => refuse(RefusalKind::Protocol, "more credit than can be counted"),
            },
            ClientFrame::RegisterKey(blob) => {
                self.demand("auth-key", "registering keys is not enabled here")?;
                Ok(Step::RegisterKey(blob))
            }
            ClientFrame::Health => Ok(Step::CheckHealth),
            ClientFrame::Bye => Ok(Step::Leave),
            // A request may end while the client still cancels it.
            ClientFrame::Cancel | ClientFrame::Heartbeat => Ok(Step::Nothing),
        }
    }

    fn start(&mut self, start: Start) -> Result<Step, Refusal> {
        if self.generation != 0 {
            return refuse(
                RefusalKind::Protocol,
                "a session starts only one request; further ones are updates",
            );
        }
        self.advance(start.generation)?;
        Ok(Step::Start(start))
    }

    fn update(&mut self, start: Start) -> Result<Step, Refusal> {
        self.demand("interactive", "replacing a request is not enabled here")?;
        if self.generation == 0 {
            return refuse(RefusalKind::Protocol, "there is no request yet that could be updated");
        }
        self.advance(start.generation)?;
        Ok(Step::Replace(start))
    }

    fn advance(&mut self, generation: u32) -> Result<(), Refusal> {
        let Some(expected) = self.generation.checked_add(1) else {
            return refuse(RefusalKind::Protocol, "too many requests in one session; connect anew");
        };
        if generation != expected {
            return refuse(
                RefusalKind::Protocol,
                format!("the next request has generation {expected}, not {generation}"),
            );
        }
        self.generation = generation;
        self.is_running = true;
        Ok(())
    }

    fn demand(&self, capability: &str, text: &str) -> Result<(), Refusal> {
        match self.offered.iter().any(|offered| offered == capability) {
            true => Ok(()),
            false => refuse(RefusalKind::NotPermitted, text),
        }
    }
}

fn refuse<T>(kind: RefusalKind, text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { generation: 0, kind, text: text.into() })
}

fn version_refusal(lowest: u16, highest: u16, software: &str) -> Refusal {
    let text = if lowest > highest {
        format!("the client speaks no version of the protocol ({lowest} to {highest})")
    } else {
        let side = if highest < VERSION { "client" } else { "server" };
        let software = software.escape_debug();
        format!(
            "the server speaks version {VERSION} of the protocol, the client {lowest} to {highest} \
             ({software}); update the {side}"
        )
    };
    Refusal { generation: 0, kind: RefusalKind::Version, text }
}

#[cfg(test)]
mod tests;
