//! What the page asks for, and the answers.

use super::super::cutout::Cutout;
use super::super::dispersion::in_order;
use super::super::edits::OrderEdits;
use super::super::error::CalibrationError;
use super::super::field::fit_field;
use super::super::report::OrderFigures;
use super::super::trace::{columns_of, row_at};
use super::session::Session;
use page_server::{Answer, Request};
use serde::Deserialize;
use serde_json::{Value, json};

/// Rows shown either side of the trace.
const ROWS: f64 = 28.0;
/// Columns shown beyond the ends of the order.
const COLUMNS: f64 = 30.0;

/// Choices as the page sends them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Choices {
    frame: String,
    order: i32,
    edits: OrderEdits,
}

/// Answers a request.
pub fn answer(session: &mut Session, request: &Request) -> Answer {
    let result = match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/") => return super::document(),
        ("GET", "/api/session") => Ok(Answer::json(200, &overview(session))),
        ("GET", "/api/position") => asked(session, request).and_then(|(i, order)| position(session, i, order)),
        ("GET", "/api/pixels") => asked(session, request).and_then(|(i, order)| pixels(session, i, order)),
        ("GET", "/api/field") => order_of(request).map(|order| field(session, order)),
        ("POST", "/api/edits") => edits(session, &request.body),
        ("POST", "/api/save") => save(session),
        ("POST", "/api/finish") => {
            session.finished = true;
            Ok(Answer::json(200, &json!({ "finished": true })))
        }
        (_, "/" | "/api/session" | "/api/position" | "/api/pixels" | "/api/field" | "/api/edits" | "/api/save" | "/api/finish") => {
            return Answer::problem(405, "method not allowed here");
        }
        (_, path) => return Answer::problem(404, &format!("nothing at {path}")),
    };
    result.unwrap_or_else(|error| Answer::problem(422, &error.to_string()))
}

fn refused(what: String) -> CalibrationError {
    CalibrationError::Edit { what }
}

fn order_of(request: &Request) -> Result<i32, CalibrationError> {
    let text = request.value("order").unwrap_or("1");
    text.parse().map_err(|_| refused(format!("order {text} is not a whole number")))
}

fn asked(session: &Session, request: &Request) -> Result<(usize, i32), CalibrationError> {
    let name = request.value("frame").ok_or_else(|| refused("no frame asked for".into()))?;
    Ok((session.index(name)?, order_of(request)?))
}

fn overview(session: &Session) -> Value {
    let frames: Vec<Value> =
        session.frames.iter().map(|f| json!({ "name": f.name, "calibrator": f.calibrator, "x0": f.x0, "y0": f.y0 })).collect();
    // The zeroth order has no trace to look at.
    let orders: Vec<i32> = session.nominal.grating.orders.iter().map(|o| o.number).filter(|n| *n != 0).collect();
    let path = session.edits_path.as_ref().map(|p| p.display().to_string());
    json!({
        "detector": session.nominal.detector, "band": session.nominal.band, "frames": frames, "orders": orders,
        "settings": session.settings, "edits_path": path,
    })
}

/// The part of a frame that is shown: first column, first row, columns, rows.
fn region(session: &Session, index: usize, order: i32) -> Result<(i64, i64, i64, i64), CalibrationError> {
    let nominal = session.nominal.grating.orders.iter().find(|o| o.number == order);
    let nominal = nominal.ok_or_else(|| CalibrationError::NoOrder { detector: session.nominal.detector.clone(), order })?;
    let frame = session.frames[index].view();
    let (cutout, trace) = (Cutout(frame.image), nominal.trace(frame.x0, frame.y0));
    let (low, high) = columns_of(&trace);
    let rows = (0..=20).map(|i| frame.y0 + row_at(&trace, low + (high - low) * f64::from(i) / 20.0));
    let (bottom, top) = rows.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), y| (a.min(y), b.max(y)));
    let clamp = |v: f64, (a, b): (i64, i64)| (v.round() as i64).clamp(a, b);
    let x = (clamp(frame.x0 + low - COLUMNS, cutout.columns()), clamp(frame.x0 + high + COLUMNS, cutout.columns()));
    let y = (clamp(bottom - ROWS, cutout.rows()), clamp(top + ROWS, cutout.rows()));
    Ok((x.0, y.0, x.1 - x.0, y.1 - y.0))
}

fn position(session: &mut Session, index: usize, order: i32) -> Result<Answer, CalibrationError> {
    let (x, y, columns, rows) = region(session, index, order)?;
    let name = session.frames[index].name.clone();
    let (x0, y0) = (session.frames[index].x0, session.frames[index].y0);
    let choices = session.edits.of(&name, order);
    let nominal = session.nominal.grating.orders.iter().find(|o| o.number == order);
    let features: Vec<Value> = nominal
        .map(|o| in_order(&session.list, o, x0, y0))
        .unwrap_or_default()
        .into_iter()
        .map(|(f, column, _)| json!({ "name": f.name, "wavelength_nm": f.main_nm(), "guess": column }))
        .collect();
    let (before, now) = session.measured(index)?;
    let figures = |m: &super::super::measure::PositionMeasurement| m.order(order).map(OrderFigures::of);
    Ok(Answer::json(
        200,
        &json!({
            "frame": name, "order": order, "x0": x0, "y0": y0, "region": { "x": x, "y": y, "columns": columns, "rows": rows },
            "measurement": now.order(order), "before": figures(before), "now": figures(now), "edits": choices, "features": features,
        }),
    ))
}

/// Rates as 32-bit floats, then flags as 16-bit integers, little-endian, row by row of the region of `/api/position`.
fn pixels(session: &Session, index: usize, order: i32) -> Result<Answer, CalibrationError> {
    let (x, y, columns, rows) = region(session, index, order)?;
    let image = session.frames[index].frame.image();
    let places = || (y..y + rows).flat_map(move |v| (x..x + columns).map(move |u| (u, v)));
    let at = |u: i64, v: i64| [(v - image.origin.1 as i64) as usize, (u - image.origin.0 as i64) as usize];
    let mut body: Vec<u8> = places().flat_map(|(u, v)| image.rate[at(u, v)].to_le_bytes()).collect();
    body.extend(places().flat_map(|(u, v)| image.flags[at(u, v)].to_le_bytes()));
    Ok(Answer::new(200, "application/octet-stream", body))
}

fn field(session: &mut Session, order: i32) -> Answer {
    let fitted = |session: &mut Session, edited: bool| {
        let positions = session.positions(edited);
        let nominal = session.nominal.grating.orders.iter().find(|o| o.number == order);
        match nominal.map(|o| fit_field(&positions, o, &session.settings)) {
            None => json!({ "problem": format!("no order {order}") }),
            Some(Err(error)) => json!({ "problem": error.to_string() }),
            Some(Ok(fit)) => json!({ "trace": fit.trace, "wavelength": fit.wavelength }),
        }
    };
    Answer::json(200, &json!({ "before": fitted(session, false), "now": fitted(session, true) }))
}

fn edits(session: &mut Session, body: &[u8]) -> Result<Answer, CalibrationError> {
    let choices: Choices = serde_json::from_slice(body).map_err(|e| refused(e.to_string()))?;
    session.choose(&choices.frame, choices.order, choices.edits)?;
    let index = session.index(&choices.frame)?;
    position(session, index, choices.order)
}

fn save(session: &Session) -> Result<Answer, CalibrationError> {
    let path = session.edits_path.as_ref().ok_or_else(|| refused("this session has no file for choices".into()))?;
    session.edits.write(path)?;
    Ok(Answer::json(200, &json!({ "saved": path.display().to_string() })))
}
