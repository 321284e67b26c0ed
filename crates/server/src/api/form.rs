//! The fields of a request's body, in the three dialects that clients speak: JSON, urlencoded, and
//! multipart as programs and browsers write it (RFC 7578).

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value};

use super::envelope::ApiError;

/// The longest body, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// How long a client may take to send it.
const BODY_PATIENCE: Duration = Duration::from_secs(10);
/// The most parts of a multipart body.
const MAX_PARTS: usize = 64;
/// The longest boundary (RFC 2046 §5.1.1).
const MAX_BOUNDARY_BYTES: usize = 70;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Json,
    Urlencoded,
    Multipart,
}

/// Fields by name. One without a value is as good as absent, in every dialect.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) dialect: Dialect,
    fields: Vec<(String, String)>,
}

impl Form {
    /// Waits for a body and reads it as its Content-Type says.
    pub(super) async fn receive(headers: &HeaderMap, body: Body) -> Result<Self, ApiError> {
        Self::read(headers, &whole(body).await?)
    }

    fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, ApiError> {
        let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::to_str);
        let content_type = content_type.and_then(Result::ok).unwrap_or_default();
        let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        let (dialect, fields) = match kind.trim().to_ascii_lowercase().as_str() {
            "application/json" => (Dialect::Json, json(body)?),
            "application/x-www-form-urlencoded" => (Dialect::Urlencoded, urlencoded(body)),
            "multipart/form-data" => (Dialect::Multipart, multipart(parameters, body)?),
            _ => return Err(ApiError::body(UNKNOWN_TYPE)),
        };
        let given = fields.into_iter().map(|(name, value)| {
            let value = value.trim().to_owned();
            (name, value)
        });
        Ok(Self {
            dialect,
            fields: given.filter(|(_, value)| !value.is_empty()).collect(),
        })
    }

    /// The value under the first of these names that has one; the error names the first.
    pub(super) fn required(&self, names: &[&str]) -> Result<&str, ApiError> {
        let name = names.first().copied().unwrap_or_default();
        let value = self.one(names);
        value.ok_or_else(|| ApiError::field(name, "is required"))
    }

    /// The value under the first of these names that has one; of several values the last.
    pub(super) fn one(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| {
            let found = self.fields.iter().rfind(|(given, _)| given == name);
            found.map(|(_, value)| value.as_str())
        })
    }
}

async fn whole(body: Body) -> Result<Bytes, ApiError> {
    match tokio::time::timeout(BODY_PATIENCE, to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(ApiError::body(format!(
            "The body breaks off or is longer than {MAX_BODY_BYTES} bytes"
        ))),
        Err(_) => Err(ApiError::body("The body did not come in time")),
    }
}

const UNKNOWN_TYPE: &str = "The Content-Type must be multipart/form-data, application/json or \
                            application/x-www-form-urlencoded";

fn json(body: &[u8]) -> Result<Vec<(String, String)>, ApiError> {
    let fields: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| ApiError::body(format!("The body is not a JSON object: {error}")))?;
    let mut read = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        match value {
            Value::Null => {}
            Value::String(text) => read.push((name, text)),
            // An internal number is a number to many a program.
            Value::Number(number) => read.push((name, number.to_string())),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                return Err(ApiError::field(&name, "must be a string"));
            }
        }
    }
    Ok(read)
}

fn urlencoded(body: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(body).into_owned().collect()
}

/// Splits at the boundary. A part may have no header but its Content-Disposition.
fn multipart(parameters: &str, body: &[u8]) -> Result<Vec<(String, String)>, ApiError> {
    let boundary = parameter(parameters, "boundary")
        .filter(|boundary| (1..=MAX_BOUNDARY_BYTES).contains(&boundary.len()))
        .ok_or_else(|| ApiError::body("The Content-Type has no boundary of 1 to 70 characters"))?;
    let text = std::str::from_utf8(body)
        .map_err(|error| ApiError::body(format!("The body is not UTF-8 text: {error}")))?;
    let delimiter = format!("--{boundary}");
    let mut sections = text.split(&*delimiter);
    // What stands before the first boundary is for people.
    sections.next();
    let mut fields = Vec::new();
    for (number, section) in (1_usize..).zip(sections) {
        if section.starts_with("--") {
            return Ok(fields);
        }
        if number > MAX_PARTS {
            return Err(ApiError::body(format!(
                "The body has more than {MAX_PARTS} parts"
            )));
        }
        let field = part(section)
            .ok_or_else(|| ApiError::body(format!("Part {number} of the body is not a field")))?;
        fields.push(field);
    }
    Err(ApiError::body(format!(
        "The body does not end with the boundary {delimiter}--"
    )))
}

/// Name and value of what stands between two boundaries.
fn part(section: &str) -> Option<(String, String)> {
    let section = section.strip_prefix("\r\n")?.strip_suffix("\r\n")?;
    let (head, value) = section.split_once("\r\n\r\n")?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_it = name.trim().eq_ignore_ascii_case("content-disposition");
        is_it.then_some(value)
    })?;
    let (kind, parameters) = disposition.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return None;
    }
    Some((parameter(parameters, "name")?, value.to_owned()))
}

/// A parameter such as `name="user_number"` or `name=user_number` (RFC 9110 §5.6.6).
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, behind) = value_of(after.trim_start())?;
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = behind.trim_start().strip_prefix(';')?;
    }
}

/// A value, quoted or not, and what stands behind it.
fn value_of(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        let (value, behind) = text.split_at(end);
        return Some((value.trim().to_owned(), behind));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((index, char)) = chars.next() {
        match char {
            '"' => return Some((value, quoted.get(index + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(char),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(content_type: &str, body: &str) -> Result<Form, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        Form::read(&headers, body.as_bytes())
    }

    const BROWSER: &str = "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW";

    #[test]
    fn the_same_fields_in_every_dialect() {
        let bare = "--x\r\nContent-Disposition: form-data; name=\"user_number\"\r\n\r\n1010\r\n\
                    --x\r\ncontent-disposition: form-data; name=number_to_call\r\n\r\n+61412345678\r\n--x--\r\n";
        let browser = "------WebKitFormBoundary7MA4YWxkTrZu0gW\r\n\
             Content-Disposition: form-data; name=\"user_number\"\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\n1010\r\n\
             ------WebKitFormBoundary7MA4YWxkTrZu0gW\r\n\
             Content-Disposition: form-data; name=\"number_to_call\"\r\n\r\n +61412345678 \r\n\
             ------WebKitFormBoundary7MA4YWxkTrZu0gW\r\n\
             Content-Disposition: form-data; name=\"caller_id\"\r\n\r\n\r\n\
             ------WebKitFormBoundary7MA4YWxkTrZu0gW--\r\n";
        for (content_type, body, dialect) in [
            (
                "application/json; charset=utf-8",
                r#"{"user_number": 1010, "number_to_call": "+61412345678", "caller_id": null}"#,
                Dialect::Json,
            ),
            (
                "application/x-www-form-urlencoded",
                "user_number=1010&number_to_call=%2B61412345678&caller_id=",
                Dialect::Urlencoded,
            ),
            ("multipart/form-data; boundary=x", bare, Dialect::Multipart),
            (
                "Multipart/Form-Data; charset=utf-8; boundary=\"x\"",
                bare,
                Dialect::Multipart,
            ),
            (BROWSER, browser, Dialect::Multipart),
        ] {
            let form = read(content_type, body).unwrap();
            assert_eq!(form.dialect, dialect);
            assert_eq!(form.one(&["user", "user_number"]), Some("1010"), "{body}");
            assert_eq!(form.one(&["number_to_call"]), Some("+61412345678"));
            assert_eq!(form.one(&["caller_id"]), None);
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_in_words() {
        for (content_type, body) in [
            ("text/plain", "user_number=1010"),
            ("application/json", "{\"user_number\": "),
            ("application/json", "[1010]"),
            ("application/json", "{\"user_number\": [\"1010\"]}"),
            ("multipart/form-data", "--x--\r\n"),
            ("multipart/form-data; boundary=\"x", "--x--\r\n"),
            ("multipart/form-data; boundary=x", ""),
            (
                "multipart/form-data; boundary=x",
                "--x\r\n\r\n1010\r\n--x--\r\n",
            ),
            (
                "multipart/form-data; boundary=x",
                "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1010\r\n",
            ),
            (
                "multipart/form-data; boundary=x",
                "--x\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n1010\r\n--x--",
            ),
        ] {
            assert!(read(content_type, body).is_err(), "{content_type} {body}");
        }
        let many =
            "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n".repeat(65) + "--x--";
        assert!(read("multipart/form-data; boundary=x", &many).is_err());
    }
}
