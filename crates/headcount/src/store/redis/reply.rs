//! What a server answered, taken apart.

use std::str::FromStr;

use redis::Value;

use super::super::StoreError;

/// The error for a reply that is not of the expected form.
pub(super) fn unexpected() -> StoreError {
    StoreError::Unavailable("Redis answered something else than was asked for".to_owned())
}

pub(super) fn array(value: Value) -> Result<Vec<Value>, StoreError> {
    if let Value::Map(pairs) = value {
        return Ok(pairs.into_iter().flat_map(|(key, value)| [key, value]).collect());
    }
    if let Value::Array(values) | Value::Set(values) = value { Ok(values) } else { Err(unexpected()) }
}

pub(super) fn bytes(value: Value) -> Result<Vec<u8>, StoreError> {
    if let Value::Int(number) = value {
        return Ok(number.to_string().into_bytes());
    }
    if let Value::BulkString(bytes) = value {
        Ok(bytes)
    } else {
        redis::from_redis_value(value).map_err(|_| unexpected())
    }
}

pub(super) fn optional_bytes(value: Value) -> Result<Option<Vec<u8>>, StoreError> {
    if value == Value::Nil { Ok(None) } else { bytes(value).map(Some) }
}

pub(super) fn text(value: Value) -> Result<String, StoreError> {
    String::from_utf8(bytes(value)?).map_err(|_| unexpected())
}

pub(super) fn texts(value: Value) -> Result<Vec<String>, StoreError> {
    array(value)?.into_iter().map(text).collect()
}

pub(super) fn number<N: FromStr>(value: Value) -> Result<N, StoreError> {
    text(value)?.parse().map_err(|_| unexpected())
}

/// Whether a script that compares and sets has done it.
pub(super) fn done(value: &Value) -> Result<bool, StoreError> {
    let &Value::Int(done) = value else { return Err(unexpected()) };
    Ok(done == 1)
}

/// Pairs of a flat list.
pub(super) fn pairs(value: Value) -> Result<Vec<(Value, Value)>, StoreError> {
    let mut values = array(value)?.into_iter();
    let mut pairs = Vec::with_capacity(values.len() / 2);
    while let Some(key) = values.next() {
        pairs.push((key, values.next().ok_or_else(unexpected)?));
    }
    Ok(pairs)
}

/// A reply whose first value says what it is: that, and the others.
pub(super) fn kind(value: Value) -> Result<(String, std::vec::IntoIter<Value>), StoreError> {
    let mut values = array(value)?.into_iter();
    let kind = text(values.next().ok_or_else(unexpected)?)?;
    Ok((kind, values))
}

pub(super) fn next(values: &mut std::vec::IntoIter<Value>) -> Result<Value, StoreError> {
    values.next().ok_or_else(unexpected)
}

pub(super) fn eight(value: Value) -> Result<[u8; 8], StoreError> {
    bytes(value)?.try_into().map_err(|_| unexpected())
}
