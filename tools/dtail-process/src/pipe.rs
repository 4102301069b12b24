//! Whether anybody still reads what a program writes. Never reads or writes.

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Whether `output` is a pipe, socket or terminal whose other end is closed, so that the next
/// write would fail. A program that follows a quiet file would not notice otherwise.
pub fn has_no_reader(output: impl AsFd) -> bool {
    let mut watched = [PollFd::new(&output, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let answered = poll(&mut watched, Some(&at_once));
    // POLLHUP alone is what a half-closed socket reports, to which one can still write.
    answered.is_ok() && watched[0].revents().contains(PollFlags::ERR)
}

#[cfg(test)]
mod tests {
    use super::has_no_reader;

    #[test]
    fn a_pipe_has_a_reader_until_it_is_closed() {
        let (reader, writer) = std::io::pipe().unwrap();
        assert!(!has_no_reader(&writer));
        drop(reader);
        assert!(has_no_reader(&writer));
    }
}
