//! Copying by the kernel, which spares the bytes the way through this process. Elsewhere than on
//! Linux every way fails, so that callers fall back. Never loops.

use std::io;
use std::os::fd::BorrowedFd;

/// A system call that copies. None works for every pair of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Between regular files.
    CopyFileRange,
    /// From a file into a pipe.
    Splice,
    /// From a file into most things.
    SendFile,
}

impl Way {
    /// Copies up to `length` bytes from `offset` of `input` to where `output` stands. 0: `input` has
    /// no more.
    #[cfg(target_os = "linux")]
    pub(crate) fn copy(
        self,
        input: BorrowedFd<'_>,
        offset: u64,
        output: BorrowedFd<'_>,
        length: u64,
    ) -> io::Result<u64> {
        use rustix::fs::{copy_file_range, sendfile};
        use rustix::pipe::{SpliceFlags, splice};
        let mut offset = offset;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let copied = match self {
            Way::CopyFileRange => copy_file_range(input, Some(&mut offset), output, None, length),
            Way::Splice => {
                splice(input, Some(&mut offset), output, None, length, SpliceFlags::MORE)
            }
            Way::SendFile => sendfile(output, input, Some(&mut offset), length),
        };
        Ok(copied? as u64)
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn copy(
        self,
        _input: BorrowedFd<'_>,
        _offset: u64,
        _output: BorrowedFd<'_>,
        _length: u64,
    ) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Lets a pipe hold more, if the system permits it.
pub(crate) fn enlarge_pipe(pipe: BorrowedFd<'_>) {
    #[cfg(target_os = "linux")]
    {
        /// The most that Linux gives without privileges.
        const SIZE: usize = 1024 * 1024;
        // A smaller pipe works as well.
        let _size = rustix::pipe::fcntl_setpipe_size(pipe, SIZE);
    }
    #[cfg(not(target_os = "linux"))]
    let _: BorrowedFd<'_> = pipe;
}
