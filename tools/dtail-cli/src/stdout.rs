//! The process's standard output: large writes, files copied by the kernel, a larger pipe once there
//! is much to write. Never buffers.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::sync::atomic::{AtomicBool, Ordering};

use dtail_client::FileRange;
use dtail_process::pipe;

use crate::kernel::Way;

/// The most that is copied between two looks whether to stop.
const PIECE: u64 = 8 * 1024 * 1024;
/// A pipe that so much goes through is worth a larger buffer.
const MUCH: u64 = 1024 * 1024;
/// For copying by hand.
const BUFFER: usize = 256 * 1024;

/// Standard output.
#[derive(Debug)]
pub(crate) struct StandardOutput {
    file: File,
    kind: Kind,
    written: u64,
    is_enlarged: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pipe,
    RegularFile,
    Other,
}

/// Why a file was not copied to its end.
#[derive(Debug)]
pub(crate) enum CopyError {
    /// It could not be read.
    Read(io::Error),
    /// Standard output could not be written.
    Write(io::Error),
}

impl StandardOutput {
    pub(crate) fn new() -> io::Result<StandardOutput> {
        Ok(StandardOutput::over(File::from(io::stdout().as_fd().try_clone_to_owned()?)))
    }

    fn over(file: File) -> StandardOutput {
        let kind = file.metadata().map_or(Kind::Other, |metadata| match metadata.file_type() {
            it if it.is_fifo() => Kind::Pipe,
            it if it.is_file() => Kind::RegularFile,
            _ => Kind::Other,
        });
        StandardOutput { file, kind, written: 0, is_enlarged: kind != Kind::Pipe }
    }

    /// Whether the next write would find nobody who reads.
    pub(crate) fn has_no_reader(&self) -> bool {
        pipe::has_no_reader(&self.file)
    }

    /// Copies part of a file, up to its end if it has become shorter, unless told to stop.
    pub(crate) fn copy(&mut self, range: &FileRange, cancel: &AtomicBool) -> Result<(), CopyError> {
        let mut ways = match self.kind {
            Kind::RegularFile => &[Way::CopyFileRange, Way::SendFile][..],
            Kind::Pipe => &[Way::Splice][..],
            Kind::Other => &[Way::SendFile][..],
        };
        if range.length > MUCH {
            self.enlarge();
        }
        let end = range.offset.saturating_add(range.length);
        let mut offset = range.offset;
        while offset < end && !cancel.load(Ordering::Relaxed) {
            let piece = PIECE.min(end - offset);
            let Some((way, others)) = ways.split_first() else {
                return self.copy_by_hand(range, offset..end, cancel);
            };
            match way.copy(range.file.as_fd(), offset, self.file.as_fd(), piece) {
                Ok(0) => break,
                Ok(copied) => offset += copied,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) if err.kind() == io::ErrorKind::BrokenPipe => {
                    return Err(CopyError::Write(err));
                }
                // This kind of file cannot be copied in this way. What else there may be to
                // complain about is found by hand, where it is known who is to blame.
                Err(_) => ways = others,
            }
        }
        self.written += offset - range.offset;
        Ok(())
    }

    fn copy_by_hand(
        &mut self,
        range: &FileRange,
        wanted: std::ops::Range<u64>,
        cancel: &AtomicBool,
    ) -> Result<(), CopyError> {
        let mut buffer = vec![0; BUFFER];
        let mut offset = wanted.start;
        while offset < wanted.end && !cancel.load(Ordering::Relaxed) {
            let room = usize::try_from(wanted.end - offset).map_or(BUFFER, |it| it.min(BUFFER));
            match range.file.read_at(&mut buffer[..room], offset) {
                Ok(0) => break,
                Ok(read) => {
                    self.write_all(&buffer[..read]).map_err(CopyError::Write)?;
                    offset += read as u64;
                }
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Err(CopyError::Read(err)),
            }
        }
        Ok(())
    }

    /// Fewer changes between writer and reader.
    fn enlarge(&mut self) {
        if !self.is_enlarged {
            self.is_enlarged = true;
            crate::kernel::enlarge_pipe(self.file.as_fd());
        }
    }
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written > MUCH {
            self.enlarge();
        }
        let written = self.file.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for StandardOutput {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::io::{Read, Seek, SeekFrom, Write};
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use dtail_client::FileRange;

    use super::{PIECE, StandardOutput};

    /// What is in the file is told by its offsets.
    fn bytes(from: u64, to: u64) -> Vec<u8> {
        (from..to).map(|at| (at % 251) as u8).collect()
    }

    fn input(folder: &Path, length: u64) -> Arc<File> {
        let path = folder.join("input");
        std::fs::write(&path, bytes(0, length)).unwrap();
        Arc::new(File::open(path).unwrap())
    }

    /// A range within a file of which it reaches over the end.
    fn range(file: Arc<File>, length: u64) -> FileRange {
        FileRange { source: "input".into(), file, offset: 3, length: length + 10 }
    }

    #[track_caller]
    fn check(length: u64, output: File, printed: impl FnOnce() -> Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let mut output = StandardOutput::over(output);
        let range = range(input(folder.path(), length), length);
        output.write_all(b"before ").unwrap();
        output.copy(&range, &AtomicBool::new(false)).unwrap();
        output.write_all(b" after").unwrap();
        drop(output);
        assert!(printed() == [b"before ", &bytes(3, length)[..], b" after"].concat());
    }

    #[test]
    fn a_file_is_copied_into_another() {
        for (length, appends) in [(4, false), (2 * PIECE + 5, false), (100_000, true)] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("output");
            let output = OpenOptions::new().create(true).append(appends).write(true).open(&path);
            check(length, output.unwrap(), || std::fs::read(&path).unwrap());
        }
    }

    #[test]
    fn a_file_is_copied_into_a_pipe() {
        for length in [4, 2 * PIECE + 5] {
            let (mut reader, writer) = std::io::pipe().unwrap();
            let reading = thread::spawn(move || {
                let mut read = Vec::new();
                reader.read_to_end(&mut read).unwrap();
                read
            });
            let output = File::from(std::os::fd::OwnedFd::from(writer));
            check(length, output, || reading.join().unwrap());
        }
    }

    #[test]
    fn a_file_is_copied_where_only_writing_works() {
        let (mut reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
        let reading = thread::spawn(move || {
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            read
        });
        let output = File::from(std::os::fd::OwnedFd::from(writer));
        check(300_000, output, || reading.join().unwrap());
    }

    #[test]
    fn copying_by_hand_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        let mut output = StandardOutput::over(File::create(&path).unwrap());
        let range = range(input(folder.path(), 600_000), 600_000);
        let cancel = AtomicBool::new(false);
        output.copy_by_hand(&range, 7..600_010, &cancel).unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes(7, 600_000));
    }

    #[test]
    fn a_file_onto_itself_ends() {
        let folder = tempfile::tempdir().unwrap();
        let file = input(folder.path(), 1000);
        let path = folder.path().join("input");
        let mut output = OpenOptions::new().write(true).open(&path).unwrap();
        output.seek(SeekFrom::End(0)).unwrap();
        let range = FileRange { source: "input".into(), file, offset: 0, length: 1000 };
        StandardOutput::over(output).copy(&range, &AtomicBool::new(false)).unwrap();
        assert!(std::fs::read(&path).unwrap() == [bytes(0, 1000), bytes(0, 1000)].concat());
    }

    #[test]
    fn nothing_is_copied_after_cancel_and_a_full_device_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        let range = range(input(folder.path(), 100), 100);
        let mut output = StandardOutput::over(File::create(&path).unwrap());
        output.copy(&range, &AtomicBool::new(true)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"");
        let full = OpenOptions::new().write(true).open("/dev/full");
        if let Ok(full) = full {
            let copied = StandardOutput::over(full).copy(&range, &AtomicBool::new(false));
            assert!(matches!(copied, Err(super::CopyError::Write(_))), "{copied:?}");
        }
    }
}
