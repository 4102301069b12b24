//! DTail's placeholders for dates in the names of files. Never reads the clock.

use jiff::civil::Date;
use jiff::{Span, ToSpan};

const DAYS: [(&str, i32); 5] = [
    ("$yyyesterday", -3),
    ("$yyesterday", -2),
    ("$yesterday", -1),
    ("$today", 0),
    ("$tomorrow", 1),
];

/// `text` with every placeholder replaced by its day as YYYYMMDD.
pub(super) fn expand(text: &str, today: Date) -> String {
    let mut expanded = text.to_owned();
    for (name, distance) in DAYS {
        let span: Span = distance.days();
        // Beyond the calendar there are no log files.
        let day = today.checked_add(span).unwrap_or(today);
        expanded = expanded.replace(name, &day.strftime("%Y%m%d").to_string());
    }
    expanded
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::expand;

    #[test]
    fn every_placeholder_is_a_day() {
        let text = "/l/$today $yesterday,$yyesterday-$yyyesterday.$tomorrow $other";
        assert_eq!(
            expand(text, date(2024, 3, 1)),
            "/l/20240301 20240229,20240228-20240227.20240302 $other"
        );
    }
}
