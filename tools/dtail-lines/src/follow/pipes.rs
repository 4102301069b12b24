//! What has no offsets and ends: standard input, FIFOs, and journals, which are begun again. Never
//! looks at paths.

use std::time::{Duration, Instant};

use super::FollowNotice;
use crate::error::FileError;
use crate::reader::{BlockReader, Filled};
use crate::site::Site;
use crate::splitter::Block;
use crate::target::{Place, Target};

/// Pause before a journal is begun again, doubled each time it ends before long.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A journal that was read for so long was in order.
const STEADY: Duration = Duration::from_secs(10);

/// A followed pipe.
pub(super) struct Pipe {
    /// Index of the stream its lines belong to.
    pub(super) stream: usize,
    target: Target,
    /// `None` while a journal waits to be begun again.
    reader: Option<BlockReader>,
    begun: Instant,
    due: Instant,
    pause: Duration,
    complained: bool,
}

/// What a look at a pipe brought.
pub(super) enum PipeAdvance {
    Nothing,
    /// The block holds at least one line.
    Lines,
    Notice(FollowNotice),
    /// Nothing can come any more.
    Ended(Option<FileError>),
}

impl Pipe {
    pub(super) fn open(
        target: &Target,
        stream: usize,
        site: &Site,
        max_line_length: usize,
    ) -> Result<Pipe, FileError> {
        Ok(Pipe {
            stream,
            target: target.clone(),
            reader: Some(BlockReader::follow(target, site, max_line_length)?),
            begun: Instant::now(),
            due: Instant::now(),
            pause: SHORTEST_PAUSE,
            complained: false,
        })
    }

    pub(super) fn is_journal(&self) -> bool {
        matches!(self.target.place, Place::Journal(_))
    }

    /// Reads the next block of whole lines without waiting for them.
    pub(super) fn advance(
        &mut self,
        block: &mut Block,
        site: &Site,
        max_line_length: usize,
    ) -> PipeAdvance {
        let Some(reader) = &mut self.reader else {
            if Instant::now() >= self.due {
                match BlockReader::follow(&self.target, site, max_line_length) {
                    Ok(reader) => {
                        self.reader = Some(reader);
                        self.begun = Instant::now();
                    }
                    Err(err) => return PipeAdvance::Ended(Some(err)),
                }
            }
            return PipeAdvance::Nothing;
        };
        let error = match reader.fill(block, Duration::ZERO) {
            Ok(Filled::Lines) => return PipeAdvance::Lines,
            Ok(Filled::Waiting) => return PipeAdvance::Nothing,
            Ok(Filled::End) => None,
            Err(err) => Some(err),
        };
        let Place::Journal(_) = self.target.place else { return PipeAdvance::Ended(error) };
        if self.begun.elapsed() >= STEADY {
            self.pause = SHORTEST_PAUSE;
            self.complained = false;
        }
        self.reader = None;
        self.due = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        match error {
            Some(err) if !std::mem::replace(&mut self.complained, true) => {
                PipeAdvance::Notice(FollowNotice::Waiting(err))
            }
            _ => PipeAdvance::Nothing,
        }
    }
}
