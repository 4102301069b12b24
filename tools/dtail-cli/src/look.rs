//! How the lines of a request look: which format, made of the request, the form that was typed and
//! the colours. Never prints.

use dtail_protocol::{Mode, Request, Whole};
use dtail_search::{Pattern, Wish};

use crate::copies::Copies;
use crate::fields::Fields;
use crate::form::{Form, Kind};
use crate::json::Messages;
use crate::lines::{LineFormat, Shape};
use crate::palette::Palette;
use crate::prefixed::{Heads, Prefixed, append_delimiter};
use crate::runs::Groups;
use crate::summaries::Summaries;

/// How lines look, whatever the request.
#[derive(Debug)]
pub(crate) struct Look {
    /// This machine's name.
    pub(crate) own_name: String,
    /// Colours of DTail's fields.
    pub(crate) palette: Option<Palette>,
    /// Plain lines have grep's colours.
    pub(crate) paints_plain: bool,
    pub(crate) form: Form,
}

impl Look {
    /// How the lines of a request are printed.
    pub(crate) fn lines(&self, request: &Request) -> LineFormat {
        self.format(request, self.palette.as_ref(), self.paints_plain)
    }

    /// How they look in the log file.
    pub(crate) fn payload(&self, request: &Request) -> LineFormat {
        self.format(request, None, false)
    }

    fn format(&self, request: &Request, palette: Option<&Palette>, paints: bool) -> LineFormat {
        let has_context = request.context.before > 0 || request.context.after > 0;
        let shape = match self.form.kind {
            Kind::Counts | Kind::FilesWith | Kind::FilesWithout => {
                Shape::Summaries(self.summaries(request, paints || palette.is_some()))
            }
            Kind::Json => {
                let selects = has_context.then(|| compiled(request)).flatten();
                Shape::Json(Box::new(Messages::new(selects, compiled(request))))
            }
            Kind::Lines | Kind::Matches if !request.plain => {
                Shape::Fields(Box::new(Fields::new(&self.own_name, palette)))
            }
            Kind::Lines | Kind::Matches if request.mode == Mode::Cat => match self.form.numbers {
                true => Shape::Copies(Copies::new()),
                false => Shape::Plain,
            },
            Kind::Lines | Kind::Matches => self.prefixed(request, has_context, paints),
        };
        let marks_groups = has_context && self.form.kind == Kind::Lines;
        let separator = self.form.separator.as_ref().filter(|_| marks_groups);
        LineFormat {
            shape,
            groups: separator.map(|text| Groups::new(separator_line(text, paints))),
        }
    }

    fn prefixed(&self, request: &Request, has_context: bool, paints: bool) -> Shape {
        let Form { names, numbers, .. } = self.form;
        let highlights = if paints { compiled(request) } else { None };
        if !names && !numbers && highlights.is_none() {
            return Shape::Plain;
        }
        Shape::Prefixed(Box::new(Prefixed {
            names,
            numbers,
            coloured: paints,
            only_matches: self.form.kind == Kind::Matches,
            selects: if has_context && (names || numbers) { compiled(request) } else { None },
            highlights,
            spans: Vec::new(),
            heads: Heads::default(),
        }))
    }

    fn summaries(&self, request: &Request, coloured: bool) -> Summaries {
        // As grep: of a single file the name is known.
        let is_glob = |file: &std::ffi::OsString| {
            file.as_encoded_bytes().iter().any(|byte| b"*?[".contains(byte))
        };
        let several =
            self.form.is_remote || request.files.len() > 1 || request.files.iter().any(is_glob);
        Summaries {
            kind: self.form.kind,
            names: self.form.named_counts.unwrap_or(several),
            hosts: !request.plain,
            coloured,
            named: 0,
        }
    }
}

fn separator_line(text: &[u8], coloured: bool) -> Vec<u8> {
    let mut line = Vec::new();
    append_delimiter(coloured && !text.is_empty(), text, &mut line);
    line.push(b'\n');
    line
}

/// The request's pattern; a bad one has been refused before.
fn compiled(request: &Request) -> Option<Pattern> {
    let wanted = request.pattern.as_ref()?;
    let wish = Wish {
        texts: &wanted.texts,
        fixed: wanted.fixed,
        ignore_case: wanted.ignore_case,
        whole: match wanted.whole {
            Whole::Nothing => dtail_search::Whole::Nothing,
            Whole::Words => dtail_search::Whole::Words,
            Whole::Line => dtail_search::Whole::Line,
        },
        invert: wanted.invert,
    };
    Pattern::new(&wish).ok()
}
