//! The bytes of each rendering.

use expect_test::{Expect, expect};

use super::OutputFormat;
use crate::{
    ColumnKind,
    table::{ResultTable, Title},
};

/// A table with every kind of cell and everything that must be escaped.
fn table(limit: Option<usize>) -> ResultTable {
    let title =
        |text: &str| Title { text: text.to_owned(), is_sort_key: false, is_group_key: false };
    let titles = ["user", "count($line)", "avg(x)", "user"].map(title).to_vec();
    let mut table = ResultTable::new("q", titles, limit, false);
    let texts: [&[u8]; 3] = [b"a|b,\"c\"\t\\", b"\xff<\x01\n_x_", b"plain"];
    for (text, average) in texts.into_iter().zip(["1.500000", "NaN", "-2.000000"]) {
        table.push_cell(|cell| cell.extend_from_slice(text));
        table.push_number(|cell| cell.extend_from_slice(b"7"));
        table.push_number(|cell| cell.extend_from_slice(average.as_bytes()));
        table.push_missing();
    }
    table
}

#[track_caller]
fn check(format: OutputFormat, limit: Option<usize>, expected: &Expect) {
    let mut bytes = Vec::new();
    table(limit).write_as(format, &mut bytes).unwrap();
    expected.assert_eq(&bytes.escape_ascii().to_string().replace("\\n", "\n"));
}

#[test]
fn json_has_types_and_distinct_names() {
    check(
        OutputFormat::Json,
        Some(2),
        &expect![[r#"
            [
            {\"user\":\"a|b,\\\"c\\\"\\t\\\\\",\"count($line)\":7,\"avg(x)\":1.500000,\"user_2\":null},
            {\"user\":\"\xef\xbf\xbd<\\u0001\
            _x_\",\"count($line)\":7,\"avg(x)\":null,\"user_2\":null}
            ]
        "#]],
    );
    check(OutputFormat::Json, Some(0), &expect![["[\n]\n"]]);
}

#[test]
fn json_lines_have_one_row_each() {
    check(
        OutputFormat::JsonLines,
        Some(1),
        &expect![[r#"
            {\"user\":\"a|b,\\\"c\\\"\\t\\\\\",\"count($line)\":7,\"avg(x)\":1.500000,\"user_2\":null}
        "#]],
    );
}

#[test]
fn csv_is_dtails() {
    check(
        OutputFormat::Csv,
        Some(1),
        &expect![[r#"
            user,count($line),avg(x),user
            \"a|b,\"\"c\"\"\t\\\",7,1.500000,
        "#]],
    );
}

#[test]
fn tsv_escapes_and_never_quotes() {
    check(
        OutputFormat::Tsv,
        None,
        &expect![[r#"
            user\tcount($line)\tavg(x)\tuser
            a|b,\"c\"\\t\\\\\t7\t1.500000\t
            \xff<\x01\
            _x_\t7\tNaN\t
            plain\t7\t-2.000000\t
        "#]],
    );
}

#[test]
fn markdown_aligns_numbers_and_escapes_markup() {
    check(
        OutputFormat::Markdown,
        Some(2),
        &expect![[r#"
            | user | count($line) | avg(x) | user |
            | --- | ---: | ---: | --- |
            | a\\|b,\"c\" \\\\ | 7 | 1.500000 |  |
            | \xff&lt;\x01<br>\\_x\\_ | 7 | NaN |  |
        "#]],
    );
}

#[test]
fn columns_have_kinds() {
    let kinds: Vec<ColumnKind> = (0..4).map(|column| table(None).column_kind(column)).collect();
    let expected = [ColumnKind::Text, ColumnKind::Integer, ColumnKind::Float, ColumnKind::Text];
    assert_eq!(kinds, expected);
}
