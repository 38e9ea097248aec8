//! The wire form of result rows: for each column its length and its text or binary bytes.

use std::sync::Arc;

use arrow::array::ArrayRef;
use bytes::{BufMut, BytesMut};

use super::PgType;
use super::output::{Column, corrupt, with_length};
use super::settings::FormatSettings;
use crate::error::{Error, Result};

/// How a value travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// As the type's output function prints it.
    #[default]
    Text,
    /// As the type's send function makes it.
    Binary,
}

impl Format {
    /// Reads a format code of the protocol.
    ///
    /// # Errors
    /// 08P01 for other codes than 0 and 1.
    pub fn from_code(code: i16) -> Result<Format> {
        match code {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            _ => Err(Error::new(
                crate::error::SqlState::INVALID_PARAMETER_VALUE,
                format!("unsupported format code: {code}"),
            )),
        }
    }

    /// The protocol's code.
    pub fn code(self) -> i16 {
        match self {
            Format::Text => 0,
            Format::Binary => 1,
        }
    }
}

/// Encodes the rows of one result; knows the columns' types and formats.
#[derive(Clone, Debug)]
pub(crate) struct RowEncoder {
    columns: Vec<(PgType, Format)>,
    settings: Arc<FormatSettings>,
}

/// A [`RowEncoder`] on one batch.
#[derive(Debug)]
pub struct BoundEncoder {
    columns: Vec<(Column, PgType, Format)>,
    settings: Arc<FormatSettings>,
}

impl RowEncoder {
    /// For columns of these types in these formats.
    pub(crate) fn new(columns: &[(PgType, Format)], settings: &FormatSettings) -> RowEncoder {
        RowEncoder { columns: columns.to_vec(), settings: Arc::new(settings.clone()) }
    }

    /// Looks at the columns of a batch once, for all its rows.
    ///
    /// # Errors
    /// XX000 when a column isn't what its type is kept as.
    pub(crate) fn bind(&self, columns: &[ArrayRef]) -> Result<BoundEncoder> {
        if columns.len() != self.columns.len() {
            return Err(Error::internal("a batch has other columns than its description"));
        }
        let columns = self
            .columns
            .iter()
            .zip(columns)
            .map(|((ty, format), array)| Ok((Column::bind(*ty, array)?, *ty, *format)))
            .collect::<Result<Vec<_>>>()?;
        Ok(BoundEncoder { columns, settings: Arc::clone(&self.settings) })
    }
}

impl BoundEncoder {
    /// Appends the columns of one row, each behind its length in 4 bytes, -1 for NULL.
    ///
    /// # Errors
    /// XX001 for a value that can't be read.
    pub fn encode_row(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        for (column, ty, format) in &self.columns {
            if column.is_null(row) {
                out.put_i32(-1);
                continue;
            }
            match format {
                Format::Binary => with_length(out, |out| column.write_binary(row, out)),
                Format::Text => {
                    let mut written = Ok(());
                    with_length(out, |out| written = column.write_text(row, &self.settings, out));
                    written.map_err(|_| corrupt(*ty))?;
                }
            }
        }
        Ok(())
    }

    /// Appends one value without a length, in its format; `false` for NULL.
    ///
    /// # Errors
    /// As [`BoundEncoder::encode_row`].
    pub fn encode_value(&self, column: usize, row: usize, out: &mut BytesMut) -> Result<bool> {
        let Some((values, ty, format)) = self.columns.get(column) else {
            return Err(Error::internal("no such column"));
        };
        if values.is_null(row) {
            return Ok(false);
        }
        match format {
            Format::Binary => values.write_binary(row, out),
            Format::Text => {
                values.write_text(row, &self.settings, out).map_err(|_| corrupt(*ty))?;
            }
        }
        Ok(true)
    }
}
