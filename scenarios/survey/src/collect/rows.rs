//! The rows of the tables, in the order of their columns, whatever holds them.

use super::Part;
use crate::journal::Outcome;
use crate::status::Seen;

/// A value of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'a str),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Rows of `event`.
pub(super) fn events(part: &Part) -> impl Iterator<Item = [Value<'_>; 17]> {
    part.lines.iter().zip(part.first..).map(|(l, number)| {
        let outcome = match l.outcome {
            Outcome::Begun => "begun",
            Outcome::Made => "made",
            Outcome::Found => "found",
            Outcome::Failed => "failed",
        };
        [
            part.file.as_str().into(),
            number.into(),
            l.unit.into(),
            l.key.as_str().into(),
            outcome.into(),
            l.chunk.into(),
            l.attempt.into(),
            l.host.as_str().into(),
            l.pid.into(),
            l.time.into(),
            l.wall_s.into(),
            l.cpu_s.into(),
            l.peak_mb.into(),
            l.beside.into(),
            l.objects.map(|n| n as i64).into(),
            l.class.map(|c| c.name()).into(),
            l.error.as_deref().into(),
        ]
    })
}

/// Rows of `product`.
pub(super) fn products(part: &Part) -> impl Iterator<Item = [Value<'_>; 5]> {
    part.lines.iter().flat_map(|l| {
        l.products
            .iter()
            .map(|p| [l.unit.into(), l.key.as_str().into(), p.path.as_str().into(), (p.bytes as i64).into(), p.sha256.as_str().into()])
    })
}

/// A row of `journal`.
pub(super) fn journal(part: &Part) -> [Value<'_>; 2] {
    [part.file.as_str().into(), part.end.into()]
}

/// A row of `unit`.
pub(super) fn unit<'a>(s: &'a Seen<'a>) -> [Value<'a>; 26] {
    let (u, last) = (s.unit, s.last);
    [
        u.index.into(),
        u.chunk.into(),
        u.name.as_str().into(),
        (u.obs_id as i64).into(),
        i64::from(u.detector).into(),
        u.ra_deg.into(),
        u.dec_deg.into(),
        u.position_angle_deg.into(),
        u.start_mjd.into(),
        u.exposure_s.into(),
        u.band.as_str().into(),
        u.objects.into(),
        u.cost_s.into(),
        u.memory_mb.into(),
        u.path.as_str().into(),
        u.key.as_str().into(),
        s.state.name().into(),
        s.attempts.into(),
        last.map(|l| l.host.as_str()).into(),
        last.and_then(|l| l.wall_s).into(),
        last.and_then(|l| l.cpu_s).into(),
        last.and_then(|l| l.peak_mb).into(),
        last.and_then(|l| l.objects).map(|n| n as i64).into(),
        last.map(|l| l.bytes() as i64).into(),
        last.and_then(|l| l.class).map(|c| c.name()).into(),
        last.and_then(|l| l.error.as_deref()).into(),
    ]
}
