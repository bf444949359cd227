//! Tables with units and descriptions, independent of the file format.

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnData {
    /// 64-bit floats.
    F64(Vec<f64>),
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit integers.
    I64(Vec<i64>),
    /// 32-bit integers.
    I32(Vec<i32>),
    /// Text.
    Text(Vec<String>),
}

impl ColumnData {
    /// Rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::F64(v) => v.len(),
            Self::F32(v) => v.len(),
            Self::I64(v) => v.len(),
            Self::I32(v) => v.len(),
            Self::Text(v) => v.len(),
        }
    }
    /// No rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// FITS name (TTYPE).
    pub name: String,
    /// Unit (TUNIT), empty for none.
    pub unit: String,
    /// Description (TCOMM / comment).
    pub description: String,
    /// Values.
    pub data: ColumnData,
}

impl Column {
    /// A column.
    #[must_use]
    pub fn new(name: &str, unit: &str, description: &str, data: ColumnData) -> Self {
        Self { name: name.into(), unit: unit.into(), description: description.into(), data }
    }
}

/// A table: named columns of equal length.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Extension name.
    pub name: String,
    /// Columns.
    pub columns: Vec<Column>,
}

impl Table {
    /// Rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |c| c.data.len())
    }
    /// The column of that name (exact case).
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }
    /// A numeric column as f64 (integers converted), `None` when absent or text.
    #[must_use]
    pub fn f64s(&self, name: &str) -> Option<Vec<f64>> {
        Some(match &self.column(name)?.data {
            ColumnData::F64(v) => v.clone(),
            ColumnData::F32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            ColumnData::I64(v) => v.iter().map(|&x| x as f64).collect(),
            ColumnData::I32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            ColumnData::Text(_) => return None,
        })
    }
}
