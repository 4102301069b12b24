//! In which form results are written, and what cannot be written so. Never decides when.

use std::io::{self, IsTerminal, Write};

use dtail_client::{ReportPolicy, write_outfile, write_outfile_with};
use dtail_query::{OutputFormat, Query, ResultTable};

use crate::arguments::OutputChoice;
use crate::program::{Tool, Typed};

/// How results are written.
#[derive(Debug)]
pub(crate) struct Results {
    form: Option<ResultForm>,
    /// Titles were printed; those of later results would be taken for rows.
    has_titles: bool,
}

/// A form that is not DTail's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ResultForm {
    Text(OutputFormat),
    Parquet,
}

impl Results {
    /// What was typed. The error is one line.
    pub(crate) fn new(typed: &Typed, query: Option<&Query>) -> Result<Results, String> {
        let args = typed.query.as_ref();
        let Some(query) = query else {
            let flags = args.map(|args| (args.output.is_some(), args.explain));
            return match flags {
                Some((true, _)) => Err("--output is the form of a result: give a query".to_owned()),
                Some((_, true)) => Err("--explain explains a query: give one".to_owned()),
                _ => Ok(Results { form: None, has_titles: false }),
            };
        };
        let form = args.and_then(|args| args.output).map(ResultForm::of);
        if let Some(form) = form {
            form.refuse_nonsense(typed.tool, query)?;
        }
        Ok(Results { form, has_titles: false })
    }

    /// When results are wanted; `None`: as without a form.
    pub(crate) fn policy(&self) -> Option<ReportPolicy> {
        // Programs that read results would take interim ones for more rows, and no output at all
        // for a failure.
        self.form.map(|_| ReportPolicy::Always)
    }

    /// Prints a result unless it is wanted as a table; whether it did.
    pub(crate) fn print(&mut self, table: &ResultTable, w: &mut dyn Write) -> io::Result<bool> {
        let Some(form) = self.form else { return Ok(false) };
        form.write(table, !self.has_titles, w)?;
        self.has_titles = true;
        Ok(true)
    }

    /// Writes a result to the query's outfile. The error names the path.
    pub(crate) fn write_outfile(&self, query: &Query, table: &ResultTable) -> io::Result<()> {
        match self.form {
            None => write_outfile(query, table),
            Some(form) => write_outfile_with(query, &|header, w| form.write(table, header, w)),
        }
    }
}

impl ResultForm {
    fn of(choice: OutputChoice) -> ResultForm {
        ResultForm::Text(match choice {
            OutputChoice::Json => OutputFormat::Json,
            OutputChoice::Jsonl => OutputFormat::JsonLines,
            OutputChoice::Csv => OutputFormat::Csv,
            OutputChoice::Tsv => OutputFormat::Tsv,
            OutputChoice::Markdown => OutputFormat::Markdown,
            OutputChoice::Parquet => return ResultForm::Parquet,
        })
    }

    fn refuse_nonsense(self, tool: Tool, query: &Query) -> Result<(), String> {
        let outfile = query.outfile();
        let appends = outfile.is_some_and(|outfile| outfile.append);
        match self {
            ResultForm::Text(format) if appends && !format.is_appendable() => {
                Err("nothing can be appended to a JSON array: use --output jsonl".to_owned())
            }
            ResultForm::Text(_) => Ok(()),
            ResultForm::Parquet if !cfg!(feature = "parquet") => Err(
                "--output parquet: this build is without it; build with --features parquet, or use \
                 --output jsonl"
                    .to_owned(),
            ),
            ResultForm::Parquet if appends => {
                Err("nothing can be appended to a parquet file: leave out `append`".to_owned())
            }
            ResultForm::Parquet if outfile.is_none() && tool == Tool::Dtail => Err(
                "--output parquet has room for one result: give the query an outfile, which each \
                 result replaces"
                    .to_owned(),
            ),
            ResultForm::Parquet if outfile.is_none() && io::stdout().is_terminal() => {
                Err("parquet is not for terminals: give the query an outfile".to_owned())
            }
            ResultForm::Parquet => Ok(()),
        }
    }

    fn write(self, table: &ResultTable, header: bool, w: &mut dyn Write) -> io::Result<()> {
        match self {
            ResultForm::Text(format) => table.write_rows_as(format, header, w),
            ResultForm::Parquet => write_parquet(table, w),
        }
    }
}

#[cfg(feature = "parquet")]
use crate::parquet::write as write_parquet;

#[cfg(not(feature = "parquet"))]
fn write_parquet(_: &ResultTable, _: &mut dyn Write) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
