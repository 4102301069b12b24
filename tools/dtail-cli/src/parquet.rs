//! A result as an Apache Parquet file with typed columns. Never opens a file.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use dtail_query::{CellKind, ColumnKind, ResultTable};
use parquet::basic::{LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

/// Rows that are written, and later read, at once.
const ROW_GROUP: usize = 1 << 20;

/// Writes all rows up to the limit. Every column is optional; bytes that are not UTF-8 become
/// U+FFFD.
pub(crate) fn write(table: &ResultTable, w: &mut dyn Write) -> io::Result<()> {
    let file = file(table).map_err(io::Error::other)?;
    w.write_all(&file)
}

/// The whole file, because its writer wants to own where it writes to.
fn file(table: &ResultTable) -> Result<Vec<u8>> {
    let kinds: Vec<ColumnKind> =
        (0..table.titles().count()).map(|column| table.column_kind(column)).collect();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut file = SerializedFileWriter::new(Vec::new(), schema(table, &kinds)?, properties)?;
    let rows = table.shown_rows();
    for start in (0..rows).step_by(ROW_GROUP) {
        let range = start..rows.min(start + ROW_GROUP);
        let mut group = file.next_row_group()?;
        for (column, kind) in kinds.iter().enumerate() {
            let cells = Cells { table, column, rows: range.clone() };
            match kind {
                ColumnKind::Text => {
                    cells.write::<ByteArrayType>(&mut group, |cell| {
                        Some(ByteArray::from(String::from_utf8_lossy(cell).as_ref()))
                    })?;
                }
                ColumnKind::Integer => cells.write::<Int64Type>(&mut group, number)?,
                ColumnKind::Float => cells.write::<DoubleType>(&mut group, number)?,
            }
        }
        group.close()?;
    }
    file.into_inner()
}

fn schema(table: &ResultTable, kinds: &[ColumnKind]) -> Result<TypePtr> {
    let mut columns = Vec::new();
    for (name, kind) in table.distinct_titles().iter().zip(kinds) {
        let (physical, logical) = match kind {
            ColumnKind::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
            ColumnKind::Integer => (PhysicalType::INT64, None),
            ColumnKind::Float => (PhysicalType::DOUBLE, None),
        };
        let column = Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical);
        columns.push(Arc::new(column.build()?));
    }
    Ok(Arc::new(Type::group_type_builder("result").with_fields(columns).build()?))
}

/// Some rows of one column.
struct Cells<'a> {
    table: &'a ResultTable,
    column: usize,
    rows: Range<usize>,
}

impl Cells<'_> {
    fn write<T: DataType>(
        self,
        group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
        value: impl Fn(&[u8]) -> Option<T::T>,
    ) -> Result<()> {
        let cell = |row: usize| match self.table.cell_kind(row, self.column) {
            CellKind::Missing => None,
            CellKind::Text | CellKind::Number => value(self.table.cell(row, self.column)),
        };
        let cells: Vec<Option<T::T>> = self.rows.map(cell).collect();
        let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
        let values: Vec<T::T> = cells.into_iter().flatten().collect();
        if let Some(mut column) = group.next_column()? {
            column.typed::<T>().write_batch(&values, Some(&levels), None)?;
            column.close()?;
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
