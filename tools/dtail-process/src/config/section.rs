//! A JSON object of the configuration file: looks keys up in any case and checks the type of their
//! values. It never knows which keys there are.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Problem;

/// A JSON object, or nothing, with the key it stands under.
pub(super) struct Section<'a> {
    path: String,
    object: Option<&'a Map<String, Value>>,
}

impl<'a> Section<'a> {
    pub(super) fn root(file: &'a Value) -> Result<Section<'a>, Problem> {
        let object = file.as_object().ok_or_else(|| Problem::Value {
            key: "the whole file".to_owned(),
            wanted: "must be an object".to_owned(),
        })?;
        Ok(Section { path: String::new(), object: Some(object) })
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.object.into_iter().flat_map(Map::keys).map(String::as_str)
    }

    /// The value of the key in any case; the exact spelling first. JSON's null is nothing.
    fn get(&self, key: &str) -> Option<&'a Value> {
        let object = self.object?;
        let in_any_case = || {
            object.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
        };
        object.get(key).or_else(in_any_case).filter(|value| !value.is_null())
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn wrong(&self, key: &str, wanted: &str) -> Problem {
        Problem::Value { key: self.path_of(key), wanted: wanted.to_owned() }
    }

    pub(super) fn section(&self, key: &str) -> Result<Section<'a>, Problem> {
        let object = match self.get(key) {
            Some(value) => {
                Some(value.as_object().ok_or_else(|| self.wrong(key, "must be an object"))?)
            }
            None => None,
        };
        Ok(Section { path: self.path_of(key), object })
    }

    /// The objects of an array.
    pub(super) fn sections(&self, key: &str) -> Result<Vec<Section<'a>>, Problem> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let array = value.as_array().ok_or_else(|| self.wrong(key, "must be an array"))?;
        let section = |(index, value): (usize, &'a Value)| {
            let path = format!("{key}[{index}]");
            let object = value.as_object().ok_or_else(|| self.wrong(&path, "must be an object"))?;
            Ok(Section { path: self.path_of(&path), object: Some(object) })
        };
        array.iter().enumerate().map(section).collect()
    }

    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>, Problem> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.wrong(key, "must be true or false"))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, Problem> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.wrong(key, "must be a string"))
    }

    /// A string that says something.
    pub(super) fn word(&self, key: &str) -> Result<Option<String>, Problem> {
        Ok(self.text(key)?.filter(|text| !text.is_empty()).map(str::to_owned))
    }

    pub(super) fn path(&self, key: &str) -> Result<Option<PathBuf>, Problem> {
        Ok(self.word(key)?.map(PathBuf::from))
    }

    /// The strings of an array; none without the key.
    pub(super) fn list(&self, key: &str) -> Result<Vec<String>, Problem> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let array = value.as_array().ok_or_else(|| self.wrong(key, "must be an array"))?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let list: Option<Vec<String>> = array.iter().map(text).collect();
        list.ok_or_else(|| self.wrong(key, "must be an array of strings"))
    }

    /// A whole number of any sign.
    pub(super) fn integer(&self, key: &str) -> Result<Option<i64>, Problem> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_i64().map(Some).ok_or_else(|| self.wrong(key, "must be a whole number"))
    }

    /// A number above 0; DTail takes any other for "use the default".
    pub(super) fn size(&self, key: &str) -> Result<Option<usize>, Problem> {
        let number = self.integer(key)?.and_then(|number| usize::try_from(number).ok());
        Ok(number.filter(|number| *number > 0))
    }

    pub(super) fn milliseconds(&self, key: &str) -> Result<Option<Duration>, Problem> {
        Ok(self.size(key)?.map(|number| Duration::from_millis(number as u64)))
    }

    pub(super) fn seconds(&self, key: &str) -> Result<Option<Duration>, Problem> {
        Ok(self.size(key)?.map(|number| Duration::from_secs(number as u64)))
    }

    pub(super) fn port(&self, key: &str) -> Result<Option<u16>, Problem> {
        let Some(number) = self.integer(key)? else { return Ok(None) };
        let port = u16::try_from(number).map_err(|_| self.wrong(key, "must be 0 to 65535"))?;
        Ok(Some(port))
    }

    /// Two hours of the day, such as `[7, 19]`.
    pub(super) fn hours(&self, key: &str) -> Result<Option<(u8, u8)>, Problem> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let hour = |value: &Value| {
            value.as_u64().and_then(|hour| u8::try_from(hour).ok()).filter(|hour| *hour <= 24)
        };
        let hours: Option<Vec<u8>> =
            value.as_array().and_then(|hours| hours.iter().map(hour).collect());
        match hours.as_deref() {
            Some([]) => Ok(None),
            Some([from, to]) => Ok(Some((*from, *to))),
            _ => Err(self.wrong(key, "must be two hours of the day, such as [7, 19]")),
        }
    }

    pub(super) fn parsed<T>(&self, key: &str) -> Result<Option<T>, Problem>
    where
        T: std::str::FromStr,
        T::Err: fmt::Display,
    {
        let Some(text) = self.text(key)?.filter(|text| !text.is_empty()) else { return Ok(None) };
        let parsed = text.parse().map(Some);
        parsed.map_err(|err: T::Err| self.wrong(key, &format!("\"{text}\" is unknown, {err}")))
    }
}
