//! Bodies of JSON, read as a whole under a bound, and fields taken out of them by name.

use axum::body::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::ApiError;

/// Bodies below this are read where they are; larger ones in a thread that may block.
const SMALL: usize = 64 << 10;

/// The object of a body.
pub(crate) async fn object(body: Bytes) -> Result<Map<String, Value>, ApiError> {
    if body.len() <= SMALL {
        return parse(&body);
    }
    crate::blocking(move || parse(&body)).await?
}

fn parse(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ApiError::NotAnObject),
        Err(error) => {
            let problem = match error.to_string() {
                deep if deep.starts_with("recursion limit") => {
                    format!(
                        "it is nested deeper than 127 levels, at line {} column {}",
                        error.line(),
                        error.column()
                    )
                }
                _ if body.is_empty() => "it is empty".to_owned(),
                problem => problem,
            };
            Err(ApiError::NotJson { problem })
        }
    }
}

/// The fields of an object, named in messages by where it stands.
pub(crate) struct Fields {
    place: String,
    object: Map<String, Value>,
}

impl Fields {
    /// The fields of a body.
    pub(crate) fn of_body(object: Map<String, Value>) -> Self {
        Self { place: String::new(), object }
    }

    /// The fields of an object inside of a body.
    pub(crate) fn of(place: &str, value: Value) -> Result<Self, ApiError> {
        match value {
            Value::Object(object) => Ok(Self { place: place.to_owned(), object }),
            _ => Err(ApiError::parameter(place, "is not an object")),
        }
    }

    /// The full name of a field.
    pub(crate) fn name(&self, field: &str) -> String {
        match self.place.is_empty() {
            true => field.to_owned(),
            false => format!("{}.{field}", self.place),
        }
    }

    /// A field as it is; `None` if it is missing or null.
    pub(crate) fn value(&mut self, field: &str) -> Option<Value> {
        self.object.remove(field).filter(|value| !value.is_null())
    }

    /// A field of a type; `None` if it is missing or null.
    pub(crate) fn take<T: DeserializeOwned>(&mut self, field: &str) -> Result<Option<T>, ApiError> {
        let Some(value) = self.value(field) else { return Ok(None) };
        serde_json::from_value(value).map(Some).map_err(|error| {
            ApiError::parameter(self.name(field), format!("has a value that cannot be used: {error}"))
        })
    }

    /// A field of a type that has to be there.
    pub(crate) fn need<T: DeserializeOwned>(
        &mut self,
        field: &str,
        remedy: &'static str,
    ) -> Result<T, ApiError> {
        self.take(field)?.ok_or_else(|| ApiError::Missing { param: self.name(field), remedy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_is_told_apart() {
        assert!(matches!(parse(b"[1]"), Err(ApiError::NotAnObject)));
        let message = |body: &[u8]| parse(body).unwrap_err().to_string();
        assert!(message(b"").contains("it is empty"));
        assert!(message(b"{\"a\":").contains("EOF"));
        let deep = format!("{}{}", "{\"a\":".repeat(200), "1");
        assert!(message(deep.as_bytes()).contains("nested deeper than 127"), "{}", message(deep.as_bytes()));
    }

    #[test]
    fn a_wrong_field_is_named_with_its_place() {
        let value = serde_json::json!({ "url": 3, "detail": null });
        let mut fields = Fields::of("messages[0].image_url", value).unwrap();
        let error = fields.take::<String>("url").unwrap_err().to_string();
        assert!(error.starts_with("`messages[0].image_url.url` has a value"), "{error}");
        assert_eq!(fields.take::<String>("detail").unwrap(), None);
        assert!(fields.need::<String>("file", "give one").is_err());
    }
}
