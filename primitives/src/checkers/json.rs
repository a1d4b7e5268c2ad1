//! JSON within bounds, and a subset of JSON Schema that always ends: no references, no regular expressions, no combination of schemas.
//!
//! | keyword | meaning |
//! |---|---|
//! | `type` | `object`, `array`, `string`, `number`, `integer`, `boolean`, `null` |
//! | `properties`, `required`, `additionalProperties` (true or false) | of an object |
//! | `items`, `minItems`, `maxItems` | of an array |
//! | `minLength`, `maxLength` | characters of a string |
//! | `minimum`, `maximum` | of a number |
//! | `const`, `enum` | the value itself |
//!
//! Any other keyword makes the schema unsound: what cannot be checked must not look checked.

use super::Rational;
use alloc::{
    string::{String, ToString},
    vec::Vec,
};

/// Most levels of objects and arrays.
pub const MAX_DEPTH: u32 = 8;
/// Most values of a document.
pub const MAX_NODES: u32 = 256;

/// A JSON value. Numbers keep their exact value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Rational),
    /// A string.
    Text(String),
    /// An array.
    Array(Vec<Value>),
    /// An object, fields in the order of their names.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// The value that is the whole text.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (value, length) = Self::parse_prefix(text)?;
        text.get(length..)?
            .iter()
            .all(u8::is_ascii_whitespace)
            .then_some(value)
    }

    /// The value that the text begins with, and how many bytes it takes.
    pub fn parse_prefix(text: &[u8]) -> Option<(Self, usize)> {
        let mut parser = Parser {
            rest: text,
            nodes: 0,
        };
        let value = parser.value(0)?;
        Some((value, text.len().saturating_sub(parser.rest.len())))
    }

    fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Object(fields) => fields.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            _ => None,
        }
    }
}

impl core::fmt::Display for Value {
    /// Without blanks, fields in the order of their names, numbers as fractions.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => f.write_str(&value.to_string()),
            Self::Text(value) => write!(f, "{value:?}"),
            Self::Array(items) => {
                f.write_str("[")?;
                for (n, item) in items.iter().enumerate() {
                    let comma = if n > 0 { "," } else { "" };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
            Self::Object(fields) => {
                f.write_str("{")?;
                for (n, (name, value)) in fields.iter().enumerate() {
                    let comma = if n > 0 { "," } else { "" };
                    write!(f, "{comma}{name:?}:{value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

struct Parser<'a> {
    rest: &'a [u8],
    nodes: u32,
}

impl Parser<'_> {
    fn blanks(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn eat(&mut self, token: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn value(&mut self, depth: u32) -> Option<Value> {
        self.nodes = self.nodes.saturating_add(1);
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return None;
        }
        self.blanks();
        match self.rest.first()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string().map(Value::Text),
            b't' => self.eat(b"true").map(|()| Value::Bool(true)),
            b'f' => self.eat(b"false").map(|()| Value::Bool(false)),
            b'n' => self.eat(b"null").map(|()| Value::Null),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: u32) -> Option<Value> {
        self.eat(b"{")?;
        let mut fields: Vec<(String, Value)> = Vec::new();
        self.blanks();
        if self.eat(b"}").is_some() {
            return Some(Value::Object(fields));
        }
        loop {
            self.blanks();
            let name = self.string()?;
            self.blanks();
            self.eat(b":")?;
            let value = self.value(depth.saturating_add(1))?;
            match fields.binary_search_by(|(n, _)| n.as_str().cmp(&name)) {
                // Two values of one name: readers would disagree on what it means.
                Ok(_) => return None,
                Err(place) => fields.insert(place, (name, value)),
            }
            self.blanks();
            if self.eat(b",").is_none() {
                self.eat(b"}")?;
                return Some(Value::Object(fields));
            }
        }
    }

    fn array(&mut self, depth: u32) -> Option<Value> {
        self.eat(b"[")?;
        let mut items = Vec::new();
        self.blanks();
        if self.eat(b"]").is_some() {
            return Some(Value::Array(items));
        }
        loop {
            items.push(self.value(depth.saturating_add(1))?);
            self.blanks();
            if self.eat(b",").is_none() {
                self.eat(b"]")?;
                return Some(Value::Array(items));
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        self.eat(b"\"")?;
        let mut bytes = Vec::new();
        loop {
            let (first, rest) = self.rest.split_first()?;
            self.rest = rest;
            match first {
                b'"' => return String::from_utf8(bytes).ok(),
                b'\\' => {
                    let (code, rest) = self.rest.split_first()?;
                    self.rest = rest;
                    match code {
                        b'"' | b'\\' | b'/' => bytes.push(*code),
                        b'b' => bytes.push(8),
                        b'f' => bytes.push(12),
                        b'n' => bytes.push(b'\n'),
                        b'r' => bytes.push(b'\r'),
                        b't' => bytes.push(b'\t'),
                        b'u' => {
                            let character = self.escape()?;
                            let mut buffer = [0; 4];
                            bytes.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                        }
                        _ => return None,
                    }
                }
                0..=31 => return None,
                _ => bytes.push(*first),
            }
        }
    }

    fn hex(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        self.rest = rest;
        u32::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
    }

    fn escape(&mut self) -> Option<char> {
        let first = self.hex()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        self.eat(b"\\u")?;
        let second = self.hex()?;
        let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        let high = first.checked_sub(0xd800)?;
        char::from_u32(
            high.checked_mul(0x400)?
                .checked_add(low)?
                .checked_add(0x1_0000)?,
        )
    }

    fn number(&mut self) -> Option<Value> {
        let length = self
            .rest
            .iter()
            .take_while(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.'))
            .count();
        let (number, rest) = self.rest.split_at_checked(length)?;
        // JSON knows neither `.5` nor `5.` nor `05`.
        let digits = number.strip_prefix(b"-").unwrap_or(number);
        let plain = digits.first()?.is_ascii_digit() && digits.last()?.is_ascii_digit();
        let padded = digits.starts_with(b"0") && digits.get(1).is_some_and(u8::is_ascii_digit);
        if !plain || padded || rest.first().is_some_and(|b| matches!(b, b'e' | b'E')) {
            return None;
        }
        self.rest = rest;
        Rational::parse(number).map(Value::Number)
    }
}

/// A schema of the subset, known to be sound.
pub struct Schema(Value);

const KEYWORDS: [&str; 13] = [
    "additionalProperties",
    "const",
    "enum",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "properties",
    "required",
    "type",
];
const TYPES: [&str; 7] = [
    "object", "array", "string", "number", "integer", "boolean", "null",
];

impl Schema {
    /// A schema, if it uses nothing outside the subset.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let value = Value::parse(text)?;
        is_schema(&value).then_some(Self(value))
    }

    /// Whether the value fits.
    pub fn admits(&self, value: &Value) -> bool {
        admits(&self.0, value)
    }
}

/// Types and keywords of a schema in order, without its values: what two tasks of the same form share.
pub fn shape(schema: &[u8]) -> Vec<u8> {
    fn walk(value: &Value, into: &mut Vec<u8>) {
        match value {
            Value::Object(fields) => {
                into.push(b'{');
                for (name, value) in fields {
                    if KEYWORDS.contains(&name.as_str()) {
                        into.extend_from_slice(name.as_bytes());
                    }
                    walk(value, into);
                }
                into.push(b'}');
            }
            Value::Array(items) => {
                into.push(b'[');
                items.iter().for_each(|item| walk(item, into));
            }
            Value::Text(text) if TYPES.contains(&text.as_str()) => {
                into.extend_from_slice(text.as_bytes());
            }
            _ => into.push(b'v'),
        }
    }
    let mut shape = Vec::new();
    if let Some(value) = Value::parse(schema) {
        walk(&value, &mut shape);
    }
    shape
}

fn count(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number.to_u32(),
        _ => None,
    }
}

fn is_schema(schema: &Value) -> bool {
    let Value::Object(fields) = schema else {
        return false;
    };
    fields.iter().all(|(name, value)| match name.as_str() {
        "type" => matches!(value, Value::Text(t) if TYPES.contains(&t.as_str())),
        "properties" => match value {
            Value::Object(properties) => properties.iter().all(|(_, schema)| is_schema(schema)),
            _ => false,
        },
        "required" => match value {
            Value::Array(names) => names.iter().all(|name| matches!(name, Value::Text(_))),
            _ => false,
        },
        "additionalProperties" => matches!(value, Value::Bool(_)),
        "items" => is_schema(value),
        "minItems" | "maxItems" | "minLength" | "maxLength" => count(value).is_some(),
        "minimum" | "maximum" => matches!(value, Value::Number(_)),
        "const" => true,
        "enum" => matches!(value, Value::Array(values) if !values.is_empty()),
        _ => false,
    })
}

fn has_type(value: &Value, name: &str) -> bool {
    match value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::Number(number) => {
            name == "number" || (name == "integer" && !number.to_string().contains('/'))
        }
        Value::Text(_) => name == "string",
        Value::Array(_) => name == "array",
        Value::Object(_) => name == "object",
    }
}

fn within(length: usize, schema: &Value, at_least: &str, at_most: &str) -> bool {
    let bound = |name| schema.field(name).and_then(count).map(|n| n as usize);
    bound(at_least).is_none_or(|low| length >= low)
        && bound(at_most).is_none_or(|high| length <= high)
}

fn admits(schema: &Value, value: &Value) -> bool {
    if let Some(Value::Text(name)) = schema.field("type")
        && !has_type(value, name)
    {
        return false;
    }
    if schema.field("const").is_some_and(|one| one != value) {
        return false;
    }
    if let Some(Value::Array(values)) = schema.field("enum")
        && !values.contains(value)
    {
        return false;
    }
    match value {
        Value::Text(text) => within(text.chars().count(), schema, "minLength", "maxLength"),
        Value::Number(number) => {
            let bound = |name| match schema.field(name) {
                Some(Value::Number(bound)) => Some(bound),
                _ => None,
            };
            bound("minimum").is_none_or(|low| number >= low)
                && bound("maximum").is_none_or(|high| number <= high)
        }
        Value::Array(items) => {
            within(items.len(), schema, "minItems", "maxItems")
                && schema
                    .field("items")
                    .is_none_or(|schema| items.iter().all(|item| admits(schema, item)))
        }
        Value::Object(fields) => {
            let required = match schema.field("required") {
                Some(Value::Array(names)) => names.iter().all(|name| match name {
                    Value::Text(name) => value.field(name).is_some(),
                    _ => false,
                }),
                _ => true,
            };
            let properties = schema.field("properties");
            let open = schema.field("additionalProperties") != Some(&Value::Bool(false));
            required
                && fields.iter().all(|(name, value)| {
                    match properties.and_then(|properties| properties.field(name)) {
                        Some(schema) => admits(schema, value),
                        None => open,
                    }
                })
        }
        Value::Null | Value::Bool(_) => true,
    }
}

impl core::fmt::Debug for Schema {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0.to_string())
    }
}
