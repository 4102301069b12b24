//! How query results look on a terminal: DTail's colours around the parts of a table. Never
//! computes a cell.

use dtail_query::{Paint, TableStyle};

use crate::color::Style;
use crate::palette::{Palette, Part};

/// DTail's colours.
pub(crate) fn painted(palette: &Palette) -> TableStyle {
    let header = palette.style(Part::TableHeader);
    let sort_key = &palette.style(Part::TableSortKey).attribute;
    let group_key = &palette.style(Part::TableGroupKey).attribute;
    let query = palette.style(Part::TableQuery);
    // DTail prints the echoed query like any other line, so default colours go around its own.
    let any_line = Style::named("Default", "Default", "None");
    TableStyle {
        query: Paint {
            before: any_line.before() + &query.before(),
            after: query.after() + &any_line.after(),
        },
        header: paint(header),
        header_sort_key: paint(&header.with_attribute(sort_key)),
        header_group_key: paint(&header.with_attribute(group_key)),
        header_sort_and_group_key: paint(
            &header.with_attribute(sort_key).with_attribute(group_key),
        ),
        delimiter: paint(palette.style(Part::TableDelimiter)),
        data: paint(palette.style(Part::TableData)),
        limit_warning: None,
    }
}

fn paint(style: &Style) -> Paint {
    Paint { before: style.before(), after: style.after() }
}
