//! Headers: keywords with values and comments, and HISTORY.

/// A keyword value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// T or F.
    Logical(bool),
    /// Integer.
    Int(i64),
    /// Real.
    Real(f64),
    /// Text (long strings use CONTINUE).
    Text(String),
}

/// A header: keywords in order, with comments, then HISTORY lines. Structural keywords (SIMPLE, BITPIX, NAXIS*,
/// XTENSION, PCOUNT, GCOUNT, TFIELDS, TTYPE*, TFORM*, BZERO, BSCALE, CHECKSUM, DATASUM, EXTEND) are the writer's.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Header {
    /// Keyword, value, comment.
    pub cards: Vec<(String, Value, String)>,
    /// HISTORY lines.
    pub history: Vec<String>,
}

impl Header {
    /// Sets a keyword (replacing it when there), with a comment (unit in brackets first: `[s] exposure time`).
    pub fn set(&mut self, key: &str, value: impl Into<Value>, comment: &str) {
        let value = value.into();
        match self.cards.iter_mut().find(|c| c.0 == key) {
            Some(card) => *card = (key.into(), value, comment.into()),
            None => self.cards.push((key.into(), value, comment.into())),
        }
    }
    /// A keyword's value.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.cards.iter().find(|c| c.0 == key).map(|c| &c.1)
    }
    /// A number (integers too).
    #[must_use]
    pub fn f64(&self, key: &str) -> Option<f64> {
        match self.get(key)? {
            Value::Real(v) => Some(*v),
            Value::Int(v) => Some(*v as f64),
            _ => None,
        }
    }
    /// An integer.
    #[must_use]
    pub fn i64(&self, key: &str) -> Option<i64> {
        match self.get(key)? {
            Value::Int(v) => Some(*v),
            _ => None,
        }
    }
    /// Text, trailing blanks removed.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Value::Text(v) => Some(v.trim_end()),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(v: bool) -> Self {
        Self::Logical(v)
    }
}
impl From<i64> for Value {
    fn from(v: i64) -> Self {
        Self::Int(v)
    }
}
impl From<i32> for Value {
    fn from(v: i32) -> Self {
        Self::Int(v.into())
    }
}
impl From<f64> for Value {
    fn from(v: f64) -> Self {
        Self::Real(v)
    }
}
impl From<&str> for Value {
    fn from(v: &str) -> Self {
        Self::Text(v.into())
    }
}
impl From<String> for Value {
    fn from(v: String) -> Self {
        Self::Text(v)
    }
}

/// Keywords that describe the layout of the unit: the writer makes them, the reader drops them.
pub(super) fn is_structural(key: &str, is_table: bool) -> bool {
    let numbered = |stem: &str| key.strip_prefix(stem).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    const PLAIN: [&str; 14] = [
        "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "EXTEND", "EXTNAME", "BZERO", "BSCALE", "CHECKSUM", "DATASUM",
        "LONGSTRN", "END",
    ];
    const COLUMN: [&str; 11] = ["TTYPE", "TFORM", "TUNIT", "TCOMM", "TSCAL", "TZERO", "TNULL", "TDISP", "TDIM", "TBCOL", "TDMIN"];
    PLAIN.contains(&key) || numbered("NAXIS") || is_table && (key == "TFIELDS" || key == "THEAP" || COLUMN.into_iter().any(numbered))
}
