//! What a reader makes of a line, and why a line does not fit its format. Never counts.

/// What a reader made of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The fields are set.
    Record,
    /// A line that is no record and no mistake: a header, a blank line.
    Nothing,
    Misfit(Misfit),
}

/// Why a line does not fit its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misfit {
    NotInfo,
    FewFields,
    NotMapreduce,
    NoEquals,
    ManyColumns,
    OpenQuote,
    NotJson,
    NotAccess,
    NoReferer,
    NotSyslog,
    NoMatch,
}

impl Misfit {
    /// In the order of their declaration.
    pub(crate) const ALL: [Misfit; 11] = [
        Misfit::NotInfo,
        Misfit::FewFields,
        Misfit::NotMapreduce,
        Misfit::NoEquals,
        Misfit::ManyColumns,
        Misfit::OpenQuote,
        Misfit::NotJson,
        Misfit::NotAccess,
        Misfit::NoReferer,
        Misfit::NotSyslog,
        Misfit::NoMatch,
    ];

    pub(crate) fn reason(self) -> &'static str {
        match self {
            Misfit::NotInfo => "not beginning with INFO",
            Misfit::FewFields => "less than 11 fields",
            Misfit::NotMapreduce => "field 10 not beginning with MAPREDUCE:",
            Misfit::NoEquals => "a field without =",
            Misfit::ManyColumns => "more fields than the header",
            Misfit::OpenQuote => "a quote that is never closed",
            Misfit::NotJson => "not a JSON object",
            Misfit::NotAccess => "not HOST IDENTITY USER [TIME] \"REQUEST\" STATUS BYTES",
            Misfit::NoReferer => "no \"REFERER\" \"USER AGENT\" at its end",
            Misfit::NotSyslog => "neither RFC 5424 nor RFC 3164",
            Misfit::NoMatch => "its expression does not match",
        }
    }
}
