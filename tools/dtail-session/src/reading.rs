//! Reads file after file in the order given. Never decides which lines are wanted.

use std::sync::Arc;
use std::time::Duration;

use dtail_lines::{
    Block, BlockReader, Chunk, Content, FileError, Filled, Opener, Target, TextFile,
};
use dtail_protocol::{LineBlock, LineNumbers, SourceSummary};
use probe::probe;

use crate::outlet::Outlet;
use crate::permits::wait_for_permit;
use crate::plan::Plan;
use crate::session::{Session, Work};
use crate::source::Source;
use crate::{FileRange, Output};

/// How long to wait for standard input before looking whether to stop.
const WAIT: Duration = Duration::from_millis(100);

impl Session {
    /// Reads file after file in the order given.
    pub(crate) fn read_all(&mut self, outlet: &mut Outlet<'_>) {
        let files = std::mem::take(&mut self.request.files);
        let site = self.site.clone();
        let mut plan = Plan::new(files, self.settings.max_glob_targets, &site);
        // What DTail rounds on the way depends on the order of the lines.
        let in_order = self.settings.strict && matches!(self.work, Work::Aggregate(_));
        if !in_order && !matches!(self.work, Work::Copy) {
            return self.read_ahead(&mut plan, outlet);
        }
        let mut block = Block::default();
        while !outlet.is_closed()
            && let Some(step) = plan.next()
        {
            let Some(target) = step.take(outlet) else { continue };
            let permits = self.settings.file_permits.clone();
            let Some(permit) = wait_for_permit(permits.as_deref(), "MaxConcurrentCats", outlet)
            else {
                return;
            };
            let mut source = Source::new(self.source_id(&target));
            let result = self.read(&target, &mut source, &mut block, outlet);
            self.end(&source, result, outlet);
            drop(permit);
        }
    }

    /// What the lines of a target are said to come from.
    pub(crate) fn source_id(&self, target: &Target) -> Arc<str> {
        if self.request.extras.paths { target.name().into() } else { target.source.clone() }
    }

    /// How files are opened.
    pub(crate) fn opener(&self) -> Opener {
        Opener {
            site: self.site.clone(),
            max_line_length: self.settings.max_line_length,
            transcodes: !matches!(self.work, Work::Copy),
        }
    }

    fn read(
        &mut self,
        target: &Target,
        source: &mut Source,
        block: &mut Block,
        outlet: &mut Outlet<'_>,
    ) -> Result<(), FileError> {
        let reader = match self.opener().open(target, 0, &mut Chunk::default())? {
            Content::Text(file) if self.passes() => return copy_file(&file, source, outlet),
            Content::Text(file) => file.reader_from(0)?,
            Content::Sequential(reader) => *reader,
            Content::Unopened | Content::Whole => {
                BlockReader::open(target, &self.site, self.settings.max_line_length)?
            }
        };
        self.read_on(reader, source, block, outlet)
    }

    fn passes(&self) -> bool {
        self.settings.passes_files && matches!(self.work, Work::Copy)
    }

    /// Reads to the end, the limit, or the end of the session.
    pub(crate) fn read_on(
        &mut self,
        mut reader: BlockReader,
        source: &mut Source,
        block: &mut Block,
        outlet: &mut Outlet<'_>,
    ) -> Result<(), FileError> {
        let result = loop {
            if source.progress.is_done() || outlet.is_closed() {
                break Ok(());
            }
            let filled = match self.work {
                Work::Copy => reader.fill_unsplit(block, WAIT),
                Work::Select(_) | Work::Aggregate(_) => reader.fill(block, WAIT),
            };
            match filled {
                Ok(Filled::Lines) => self.work.take(block, source, outlet),
                Ok(Filled::Waiting) => {}
                Ok(Filled::End) => break Ok(()),
                Err(err) => break Err(err),
            }
            self.work.tick(outlet);
        };
        source.bytes_read += reader.bytes_read();
        result
    }

    /// A source is at its end, or can be read no further.
    pub(crate) fn end(
        &self,
        source: &Source,
        result: Result<(), FileError>,
        outlet: &mut Outlet<'_>,
    ) {
        let failed = result.is_err();
        probe!(dtail, file_close, source.id.as_ptr(), source.id.len(), source.bytes_read);
        outlet.summary.bytes_read += source.bytes_read;
        if !failed || source.bytes_read > 0 {
            self.work.end_source(source, outlet);
        }
        match result {
            Ok(()) => outlet.summary.files += 1,
            Err(err) => outlet.fail_file(&err),
        }
        if self.request.extras.summaries {
            outlet.put(Output::Source(SourceSummary {
                source: source.id.clone(),
                matches: source.selected(),
                bytes_read: source.bytes_read,
                failed,
            }));
        }
    }
}

/// Has the receiver copy a whole file, with a newline at its end.
fn copy_file(
    file: &TextFile,
    source: &mut Source,
    outlet: &mut Outlet<'_>,
) -> Result<(), FileError> {
    let ends_with_newline = file.ends_with_newline()?;
    source.bytes_read = file.size();
    outlet.put(Output::File(FileRange {
        source: source.id.clone(),
        file: file.file().clone(),
        offset: 0,
        length: file.size(),
    }));
    if !ends_with_newline {
        outlet.put(Output::Lines(LineBlock {
            source: source.id.clone(),
            bytes: b"\n".to_vec(),
            numbers: LineNumbers::Unnumbered,
            offsets: Vec::new(),
        }));
    }
    Ok(())
}
