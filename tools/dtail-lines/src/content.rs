//! Opens a target and says how it is best read. Never reads more than a small file.

use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::compression::{Compression, START};
use crate::error::FileError;
use crate::input::Input;
use crate::opening::{Opened, open_sized};
use crate::reader::BlockReader;
use crate::site::Site;
use crate::target::{Place, Target};
use crate::text_file::{Chunk, ChunkEnd, TextFile};
use crate::transcoding::encoding_of;

/// How targets are opened.
#[derive(Debug, Clone)]
pub struct Opener {
    /// What may be read.
    pub site: Site,
    /// Longer lines are cut into pieces of so many bytes.
    pub max_line_length: usize,
    /// Text in UTF-16 becomes UTF-8.
    pub transcodes: bool,
}

/// What a target holds.
pub enum Content {
    /// A small file, all of which is in the chunk given.
    Whole,
    /// A regular file, of which nothing is read yet.
    Text(TextFile),
    /// Something to be read in sequence, of which nothing is read yet.
    Sequential(Box<BlockReader>),
    /// Something to be opened by [`BlockReader::open`] when it is its turn.
    Unopened,
}

impl Opener {
    /// Opens a file. One of no more than `limit` bytes is read into `chunk` at once.
    pub fn open(
        &self,
        target: &Target,
        limit: usize,
        chunk: &mut Chunk,
    ) -> Result<Content, FileError> {
        let Place::File(path) = &target.place else { return Ok(Content::Unopened) };
        let in_sequence = |input| {
            let reader = BlockReader::over(input, target.name(), self.max_line_length);
            Ok(Content::Sequential(Box::new(reader)))
        };
        let (file, size) = match open_sized(path, &self.site)? {
            (Opened::Regular(file), size) => (file, size),
            (Opened::Stream(file), _) => return in_sequence(Input::Stream(file.into())),
        };
        if size == 0 {
            if let Ok(0) = file.read_at(&mut [0], 0) {
                chunk.clear(ChunkEnd::File);
                return Ok(Content::Whole);
            }
            // One of the system's, of which the size is not known.
            return in_sequence(Input::regular(Arc::new(file), 0, None));
        }
        let text = TextFile::new(file, path.clone(), size, self.max_line_length);
        let is_small = size <= limit as u64;
        let is_whole = is_small && text.read_whole(limit, chunk).unwrap_or(false);
        let mut first = [0; START];
        let start = if is_whole {
            &chunk.bytes[..]
        } else {
            let failed = |err| FileError::Open(path.clone(), err);
            let length = text.file().read_at(&mut first, 0).map_err(failed)?;
            &first[..length]
        };
        let format = Compression::of_start(start);
        if format.is_some() || (self.transcodes && encoding_of(start).is_some()) {
            return in_sequence(Input::regular(text.file().clone(), size, format));
        }
        match (is_whole, is_small) {
            (true, _) => Ok(Content::Whole),
            (false, true) => text.reader_from(0).map(Box::new).map(Content::Sequential),
            (false, false) => Ok(Content::Text(text)),
        }
    }
}
