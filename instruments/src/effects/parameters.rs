//! Parameters of effects: read from the instrument's tables, checked for name, unit and range.

use sim_core::quantity::{Quantity, Status};
use sim_core::spelling;
use std::collections::BTreeMap;

/// One parameter of an effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Key in the table `[effects.NAME]`.
    pub key: &'static str,
    /// Unit the value must be given in, as FITS writes it; `1` for none.
    pub unit: &'static str,
    /// Least value allowed.
    pub low: f64,
    /// Greatest value allowed.
    pub high: f64,
    /// What it is, in one line.
    pub meaning: &'static str,
}

/// Why an effect's table was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// The effect is not known.
    #[error("there is no effect `{name}`; {hint}")]
    UnknownEffect {
        /// Name given.
        name: String,
        /// What was meant, or all names.
        hint: String,
    },
    /// The table of the effect is missing.
    #[error("effects.{effect} is missing: it needs {keys}")]
    NoTable {
        /// Effect.
        effect: &'static str,
        /// Keys it needs, with units.
        keys: String,
    },
    /// A key is missing.
    #[error("effects.{effect}.{key} is missing: give {{ value, unit = \"{unit}\", source, status }}, {low}..{high}")]
    MissingKey {
        /// Effect.
        effect: &'static str,
        /// Key.
        key: &'static str,
        /// Unit it needs.
        unit: &'static str,
        /// Least value.
        low: f64,
        /// Greatest value.
        high: f64,
    },
    /// A key is not known.
    #[error("effects.{effect}.{key} is not known; {hint}")]
    UnknownKey {
        /// Effect.
        effect: &'static str,
        /// Key given.
        key: String,
        /// What was meant, or the keys known.
        hint: String,
    },
    /// The entry is not a quantity.
    #[error("effects.{effect}.{key} is not {{ value, unit, source, status }}: {reason}")]
    Form {
        /// Effect.
        effect: &'static str,
        /// Key.
        key: &'static str,
        /// What the reader said.
        reason: String,
    },
    /// The unit is another one.
    #[error("effects.{effect}.{key} = {value} {got}: its unit must be {need}")]
    Unit {
        /// Effect.
        effect: &'static str,
        /// Key.
        key: &'static str,
        /// Value given.
        value: f64,
        /// Unit given.
        got: String,
        /// Unit needed.
        need: &'static str,
    },
    /// The value is out of range.
    #[error("effects.{effect}.{key} = {} is outside {low}..{high}", with_unit(value, unit))]
    Range {
        /// Effect.
        effect: &'static str,
        /// Key.
        key: &'static str,
        /// Value given.
        value: f64,
        /// Unit.
        unit: &'static str,
        /// Least value.
        low: f64,
        /// Greatest value.
        high: f64,
    },
}

fn names(parameters: &[Parameter]) -> String {
    parameters.iter().map(|p| format!("{} [{}]", p.key, p.unit)).collect::<Vec<_>>().join(", ")
}

/// What somebody who wrote `key` may have meant, else all keys with their units.
fn hint(key: &str, parameters: &[Parameter]) -> String {
    match spelling::nearest(key, parameters.iter().map(|p| p.key)) {
        Some(near) => format!("did you mean `{near}`? known: {}", names(parameters)),
        None if parameters.is_empty() => "this effect has no parameters".into(),
        None => format!("known: {}", names(parameters)),
    }
}

/// A value with its unit; `1` stands for none.
fn with_unit(value: &f64, unit: &str) -> String {
    if unit == "1" { value.to_string() } else { format!("{value} {unit}") }
}

/// Reads the values of `effect` from the tables of a detector, in the order of `parameters`.
/// An effect without parameters needs no table.
///
/// # Errors
/// When a key is missing or unknown, or a unit or value is not allowed.
pub fn read<const N: usize>(
    tables: &BTreeMap<String, toml::Table>,
    effect: &'static str,
    parameters: &'static [Parameter; N],
) -> Result<[f64; N], ParameterError> {
    let empty = toml::Table::new();
    let table = match tables.get(effect) {
        Some(table) => table,
        None if N == 0 => &empty,
        None => return Err(ParameterError::NoTable { effect, keys: names(parameters) }),
    };
    if let Some(key) = table.keys().find(|key| parameters.iter().all(|p| p.key != key.as_str())) {
        return Err(ParameterError::UnknownKey { effect, key: key.clone(), hint: hint(key, parameters) });
    }
    let mut values = [0.0; N];
    for (value, p) in values.iter_mut().zip(parameters) {
        *value = quantity(table, effect, p)?;
    }
    Ok(values)
}

fn quantity(table: &toml::Table, effect: &'static str, p: &'static Parameter) -> Result<f64, ParameterError> {
    let Parameter { key, unit, low, high, .. } = *p;
    let entry = table.get(key).ok_or(ParameterError::MissingKey { effect, key, unit, low, high })?;
    let quantity: Quantity =
        entry.clone().try_into().map_err(|e: toml::de::Error| ParameterError::Form { effect, key, reason: e.message().to_string() })?;
    let value = quantity.value;
    if quantity.unit != unit {
        return Err(ParameterError::Unit { effect, key, value, got: quantity.unit, need: unit });
    }
    if !(value >= low && value <= high) {
        return Err(ParameterError::Range { effect, key, value, unit, low, high });
    }
    Ok(value)
}

/// Sets plain numbers in a table, as `--set key=value` gives them: unit as declared, status `assumed`.
/// Unknown keys are refused; ranges are checked when the effect reads the table.
///
/// # Errors
/// When a key is not one of the effect's.
pub fn set_numbers(
    table: &mut toml::Table,
    effect: &'static str,
    parameters: &'static [Parameter],
    numbers: &[(String, f64)],
    source: &str,
) -> Result<(), ParameterError> {
    for (key, value) in numbers {
        let p = parameters.iter().find(|p| p.key == key.as_str()).ok_or_else(|| ParameterError::UnknownKey {
            effect,
            key: key.clone(),
            hint: hint(key, parameters),
        })?;
        let quantity = Quantity { value: *value, unit: p.unit.to_string(), source: source.to_string(), status: Status::Assumed };
        let entry = toml::Value::try_from(quantity).map_err(|e| ParameterError::Form { effect, key: p.key, reason: e.to_string() })?;
        table.insert(key.clone(), entry);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    static KEYS: [Parameter; 1] =
        [Parameter { key: "sigma", unit: "electron", low: 0.0, high: 1000.0, meaning: "read noise of one amplifier" }];

    fn tables(text: &str) -> BTreeMap<String, toml::Table> {
        BTreeMap::from([("read_noise".to_string(), text.parse::<toml::Table>().unwrap())])
    }

    fn message(text: &str) -> String {
        read(&tables(text), "read_noise", &KEYS).unwrap_err().to_string()
    }

    #[test]
    fn a_good_quantity_is_read() {
        let good = tables("sigma = { value = 5.0, unit = \"electron\", source = \"x\", status = \"required\" }");
        assert_eq!(read(&good, "read_noise", &KEYS), Ok([5.0]));
        let whole = tables("sigma = { value = 5, unit = \"electron\", source = \"x\", status = \"required\" }");
        assert_eq!(read(&whole, "read_noise", &KEYS), Ok([5.0]));
    }

    #[test]
    fn errors_name_key_value_unit_and_range() {
        assert_eq!(
            message("sigma = { value = -5.0, unit = \"electron\", source = \"x\", status = \"required\" }"),
            "effects.read_noise.sigma = -5 electron is outside 0..1000"
        );
        assert_eq!(
            message("sigma = { value = 5.0, unit = \"adu\", source = \"x\", status = \"required\" }"),
            "effects.read_noise.sigma = 5 adu: its unit must be electron"
        );
        assert!(message("").contains("effects.read_noise.sigma is missing"));
        let typo = message("sigm = { value = 5.0, unit = \"electron\", source = \"x\", status = \"required\" }");
        assert!(typo.contains("effects.read_noise.sigm is not known; did you mean `sigma`? known: sigma [electron]"), "{typo}");
        assert!(message("sigma = 5.0").contains("is not { value, unit, source, status }"));
        let nan = message("sigma = { value = nan, unit = \"electron\", source = \"x\", status = \"required\" }");
        assert!(nan.contains("outside"), "{nan}");
    }

    #[test]
    fn plain_numbers_become_quantities() {
        let mut table = toml::Table::new();
        set_numbers(&mut table, "read_noise", &KEYS, &[("sigma".into(), 7.5)], "--set").unwrap();
        assert_eq!(read(&BTreeMap::from([("read_noise".into(), table.clone())]), "read_noise", &KEYS), Ok([7.5]));
        assert!(set_numbers(&mut table, "read_noise", &KEYS, &[("sigmo".into(), 7.5)], "--set").is_err());
    }
}
