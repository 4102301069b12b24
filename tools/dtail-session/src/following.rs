//! Follows files: all of them in one loop. Never decides which lines are wanted.

use dtail_lines::{Block, FollowEvent, FollowFrom, FollowNotice, Follower, Limits};
use probe::probe;

use crate::outlet::Outlet;
use crate::permits::wait_for_permit;
use crate::session::Session;
use crate::source::Source;

/// A block buffer with more room than this is given back while nothing happens, so that a thousand
/// quiet follows need little memory.
const IDLE_ROOM: usize = 16 * 1024;

impl Session {
    /// Follows all files in one loop.
    pub(crate) fn follow(&mut self, outlet: &mut Outlet<'_>) {
        let max_line_length = self.settings.max_line_length;
        let max_glob_targets = self.settings.max_glob_targets;
        let max_targets = if self.settings.remote { max_glob_targets } else { usize::MAX };
        let limits = Limits { max_line_length, max_glob_targets, max_targets };
        let permits = self.settings.file_permits.clone();
        let Some(_permit) = wait_for_permit(permits.as_deref(), "MaxConcurrentTails", outlet)
        else {
            return;
        };
        let from = match self.request.follow_from {
            dtail_protocol::FollowFrom::End => FollowFrom::End,
            dtail_protocol::FollowFrom::Lines(lines) => FollowFrom::Lines(lines),
            dtail_protocol::FollowFrom::Bytes(bytes) => FollowFrom::Bytes(bytes),
            dtail_protocol::FollowFrom::Beginning => FollowFrom::Beginning,
        };
        let mut follower = Follower::new(&self.request.files, limits, self.site.clone(), from);
        let mut sources: Vec<Source> = Vec::new();
        let mut block = Block::default();
        while !outlet.is_closed() {
            match follower.next(&mut block) {
                FollowEvent::Lines(stream) => {
                    while sources.len() <= stream {
                        let id = follower.source(sources.len()).clone();
                        sources.push(Source::new(id));
                    }
                    sources[stream].bytes_read += block.bytes.len() as u64;
                    self.work.take(&mut block, &mut sources[stream], outlet);
                    if sources[stream].progress.is_done() {
                        follower.finish_stream(stream);
                    }
                }
                FollowEvent::Notice(FollowNotice::Failed(err)) => outlet.fail_file(&err),
                FollowEvent::Notice(FollowNotice::Withheld(secret)) => outlet.log(Some(&secret)),
                FollowEvent::Notice(notice) => {
                    if let FollowNotice::Waiting(err) = &notice {
                        outlet.log(err.secret().as_deref());
                    }
                    outlet.warn(notice);
                }
                FollowEvent::Idle if block.bytes.capacity() > IDLE_ROOM => block = Block::default(),
                FollowEvent::Idle => {}
                FollowEvent::Ended => break,
            }
            self.work.tick(outlet);
        }
        // A file that was quiet all the time was followed all the same.
        let followed = follower.streams() as u64;
        outlet.summary.files = followed.saturating_sub(outlet.summary.failed_files);
        for source in sources.iter().filter(|source| source.started) {
            probe!(dtail, file_close, source.id.as_ptr(), source.id.len(), source.bytes_read);
            outlet.summary.bytes_read += source.bytes_read;
            self.work.end_source(source, outlet);
        }
    }
}
