//! Reads GGUF files front to back, once, while hashing them. Nothing that a file declares is believed before it is checked
//! against the bytes that are really there.

use crate::{EngineError, Progress};
use blake2::{Blake2b, Digest, digest::consts::U32};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use touchstone_primitives::H256;

/// Tensors start at multiples of this, unless the file says otherwise.
const DEFAULT_ALIGNMENT: u64 = 32;
/// Longest key or tensor name.
const MAX_NAME: u64 = 65_535;

/// A metadata value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Array(Vec<Value>),
}

/// How a tensor's numbers are stored: the GGML types that this engine can compute with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    F32,
    F16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
    BF16,
}

impl Storage {
    fn from_id(id: u32) -> Option<Self> {
        Some(match id {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            30 => Self::BF16,
            _ => return None,
        })
    }

    /// Values and bytes of a block.
    pub(crate) fn block(self) -> (u64, u64) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::BF16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
        }
    }

    /// Name as in the file format's own terms.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q4_0 => "q4_0",
            Self::Q4_1 => "q4_1",
            Self::Q5_0 => "q5_0",
            Self::Q5_1 => "q5_1",
            Self::Q8_0 => "q8_0",
            Self::Q4K => "q4_k",
            Self::Q5K => "q5_k",
            Self::Q6K => "q6_k",
            Self::BF16 => "bf16",
        }
    }
}

/// Where a tensor lies and what shape it has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TensorInfo {
    pub(crate) name: String,
    /// Values of a row.
    pub(crate) cols: usize,
    /// Number of rows; 1 for vectors.
    pub(crate) rows: usize,
    pub(crate) storage: Storage,
    offset: u64,
    bytes: u64,
}

/// The head of a file, and the rest of it still to be read.
pub(crate) struct Gguf {
    pub(crate) metadata: BTreeMap<String, Value>,
    /// In the order in which they lie in the file.
    pub(crate) tensors: Vec<TensorInfo>,
    reader: Hashing,
}

/// How far the reader of a file has come, for whoever looks on from another thread.
#[derive(Default)]
pub(crate) struct Reading {
    read: AtomicU64,
    size: AtomicU64,
}

impl Reading {
    pub(crate) fn progress(&self) -> Progress {
        Progress {
            read: self.read.load(Relaxed),
            size: self.size.load(Relaxed),
        }
    }
}

/// A file that is hashed as it is read.
struct Hashing {
    file: PathBuf,
    inner: BufReader<File>,
    hash: Blake2b<U32>,
    position: u64,
    length: u64,
    watched: Arc<Reading>,
}

impl Hashing {
    fn bad(&self, expected: impl Into<String>, found: impl Into<String>) -> EngineError {
        EngineError::BadModel {
            file: self.file.clone(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    fn left(&self) -> u64 {
        self.length.saturating_sub(self.position)
    }

    /// Checks that `bytes` more bytes can follow, before anything is allocated for them.
    fn ensure(&self, bytes: u64, what: &str) -> Result<(), EngineError> {
        if bytes > self.left() {
            return Err(self.bad(
                format!("{what} of {bytes} bytes at offset {}", self.position),
                format!(
                    "{} bytes until the end of the file; it is truncated or damaged",
                    self.left()
                ),
            ));
        }
        Ok(())
    }

    fn bytes(&mut self, count: u64, what: &str) -> Result<Vec<u8>, EngineError> {
        self.ensure(count, what)?;
        let mut bytes = vec![0; count as usize];
        self.inner
            .read_exact(&mut bytes)
            .map_err(|e| self.bad(format!("{what} at offset {}", self.position), e.to_string()))?;
        self.hash.update(&bytes);
        self.position += count;
        self.watched.read.store(self.position, Relaxed);
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], EngineError> {
        let bytes = self.bytes(N as u64, what)?;
        let mut array = [0; N];
        array.copy_from_slice(&bytes);
        Ok(array)
    }

    fn u32(&mut self, what: &str) -> Result<u32, EngineError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    fn u64(&mut self, what: &str) -> Result<u64, EngineError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    fn text(&mut self, what: &str, longest: u64) -> Result<String, EngineError> {
        let length = self.u64(what)?;
        if length > longest {
            return Err(self.bad(
                format!("{what} of at most {longest} bytes"),
                format!("{length}"),
            ));
        }
        let bytes = self.bytes(length, what)?;
        // Vocabularies of some models hold byte sequences that are no characters.
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn value(&mut self, kind: u32, key: &str, depth: u32) -> Result<Value, EngineError> {
        Ok(match kind {
            0 => Value::Unsigned(u64::from(self.array::<1>(key)?[0])),
            1 => Value::Signed(i64::from(i8::from_le_bytes(self.array(key)?))),
            2 => Value::Unsigned(u64::from(u16::from_le_bytes(self.array(key)?))),
            3 => Value::Signed(i64::from(i16::from_le_bytes(self.array(key)?))),
            4 => Value::Unsigned(u64::from(self.u32(key)?)),
            5 => Value::Signed(i64::from(i32::from_le_bytes(self.array(key)?))),
            6 => Value::Float(f64::from(f32::from_le_bytes(self.array(key)?))),
            7 => Value::Bool(self.array::<1>(key)?[0] != 0),
            8 => Value::Text(self.text(key, u64::MAX)?),
            9 if depth == 0 => {
                let kind = self.u32(key)?;
                let count = self.u64(key)?;
                let least: u64 = match kind {
                    0 | 1 | 7 => 1,
                    2 | 3 => 2,
                    4..=6 => 4,
                    _ => 8,
                };
                self.ensure(count.saturating_mul(least), key)?;
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value(kind, key, depth + 1)?);
                }
                Value::Array(values)
            }
            10 => Value::Unsigned(self.u64(key)?),
            11 => Value::Signed(i64::from_le_bytes(self.array(key)?)),
            12 => Value::Float(f64::from_le_bytes(self.array(key)?)),
            other => {
                return Err(self.bad(
                    format!("a value of a known type for {key}"),
                    format!("type {other} at depth {depth}"),
                ));
            }
        })
    }
}

impl Gguf {
    /// Reads everything before the tensors.
    pub(crate) fn open(file: &Path) -> Result<Self, EngineError> {
        let cannot = |e: std::io::Error| EngineError::BadModel {
            file: file.into(),
            expected: "a readable GGUF file".into(),
            found: e.to_string(),
        };
        let inner = File::open(file).map_err(cannot)?;
        let about = inner.metadata().map_err(cannot)?;
        let length = about.len();
        let mut reader = Hashing {
            file: file.into(),
            inner: BufReader::with_capacity(1 << 20, inner),
            hash: Blake2b::new(),
            position: 0,
            length,
            watched: Arc::default(),
        };
        if !about.is_file() {
            return Err(reader.bad("a GGUF file", "something that is no regular file"));
        }
        if length == 0 {
            return Err(reader.bad("a GGUF file", "an empty file"));
        }
        let magic = reader.array::<4>("the mark \"GGUF\"")?;
        if &magic != b"GGUF" {
            return Err(reader.bad("the mark \"GGUF\" at the start", describe(magic)));
        }
        let version = reader.u32("the version")?;
        if !(2..=3).contains(&version) {
            return Err(reader.bad("GGUF version 2 or 3", format!("version {version}")));
        }
        let tensor_count = reader.u64("the number of tensors")?;
        let value_count = reader.u64("the number of values")?;
        // A value takes at least 13 bytes and a tensor's head at least 32.
        let least = tensor_count
            .saturating_mul(32)
            .saturating_add(value_count.saturating_mul(13));
        reader.ensure(
            least,
            &format!("{tensor_count} tensors and {value_count} values"),
        )?;

        let mut metadata = BTreeMap::new();
        for _ in 0..value_count {
            let key = reader.text("a key", MAX_NAME)?;
            let kind = reader.u32(&key)?;
            let value = reader.value(kind, &key, 0)?;
            if metadata.insert(key.clone(), value).is_some() {
                return Err(reader.bad("every key once", format!("{key} twice")));
            }
        }
        let mut tensors = Vec::new();
        let mut names = BTreeSet::new();
        for _ in 0..tensor_count {
            let tensor = read_tensor_info(&mut reader)?;
            if !names.insert(tensor.name.clone()) {
                return Err(reader.bad("every tensor once", format!("{} twice", tensor.name)));
            }
            tensors.push(tensor);
        }
        tensors.sort_by_key(|t| t.offset);

        let alignment = match metadata.get("general.alignment") {
            None => DEFAULT_ALIGNMENT,
            Some(Value::Unsigned(n)) if n.is_power_of_two() && *n <= 1 << 20 => *n,
            Some(other) => {
                return Err(reader.bad("an alignment that is a power of two", format!("{other:?}")));
            }
        };
        let start = reader.position.next_multiple_of(alignment);
        let mut end = start;
        for tensor in &mut tensors {
            tensor.offset = tensor.offset.saturating_add(start);
            if tensor.offset < end {
                return Err(reader.bad(
                    format!("tensor {} at offset {end} or later", tensor.name),
                    format!("offset {}, inside the tensor before it", tensor.offset),
                ));
            }
            end = tensor.offset.saturating_add(tensor.bytes);
            if end > length {
                return Err(reader.bad(
                    format!("tensor {} up to byte {end}", tensor.name),
                    format!("{length} bytes; the file is truncated or damaged"),
                ));
            }
        }
        Ok(Self {
            metadata,
            tensors,
            reader,
        })
    }

    /// Lets others see from now on how much of the file has been read.
    pub(crate) fn watched_by(&mut self, watched: &Arc<Reading>) {
        watched.size.store(self.reader.length, Relaxed);
        self.reader.watched = watched.clone();
    }

    /// Reads the bytes of the next tensor. Call it once for each of `tensors`, in their order.
    pub(crate) fn read(&mut self, tensor: &TensorInfo) -> Result<Vec<u8>, EngineError> {
        let gap = tensor.offset.saturating_sub(self.reader.position);
        self.reader.bytes(gap, "padding")?;
        self.reader.bytes(tensor.bytes, &tensor.name)
    }

    /// Reads what is left and returns the Blake2b-256 of the whole file.
    pub(crate) fn finish(mut self) -> Result<H256, EngineError> {
        while self.reader.left() > 0 {
            let chunk = self.reader.left().min(1 << 20);
            self.reader.bytes(chunk, "the end of the file")?;
        }
        Ok(H256(self.reader.hash.finalize().into()))
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.reader.file
    }

    /// An error about this file.
    pub(crate) fn bad(&self, expected: impl Into<String>, found: impl Into<String>) -> EngineError {
        self.reader.bad(expected, found)
    }

    fn absent(&self, key: &str, expected: &str) -> EngineError {
        match self.metadata.get(key) {
            None => self.bad(format!("{key}: {expected}"), "no such value"),
            Some(Value::Array(_)) => self.bad(format!("{key}: {expected}"), "an array"),
            Some(other) => self.bad(format!("{key}: {expected}"), format!("{other:?}")),
        }
    }

    /// A text that must be there.
    pub(crate) fn text(&self, key: &str) -> Result<&str, EngineError> {
        match self.metadata.get(key) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(self.absent(key, "a text")),
        }
    }

    /// A whole number within bounds that must be there.
    pub(crate) fn number(&self, key: &str, least: u64, most: u64) -> Result<usize, EngineError> {
        let found = match self.metadata.get(key) {
            Some(Value::Unsigned(n)) => Some(*n),
            Some(Value::Signed(n)) => u64::try_from(*n).ok(),
            _ => None,
        };
        match found {
            Some(n) if (least..=most).contains(&n) => Ok(n as usize),
            _ => Err(self.absent(key, &format!("a whole number from {least} to {most}"))),
        }
    }

    /// A positive finite number that must be there.
    pub(crate) fn float(&self, key: &str) -> Result<f64, EngineError> {
        match self.metadata.get(key) {
            Some(Value::Float(x)) if x.is_finite() && *x > 0.0 => Ok(*x),
            _ => Err(self.absent(key, "a positive number")),
        }
    }

    /// A truth value, or what holds when there is none.
    pub(crate) fn flag(&self, key: &str, default: bool) -> Result<bool, EngineError> {
        match self.metadata.get(key) {
            None => Ok(default),
            Some(Value::Bool(b)) => Ok(*b),
            _ => Err(self.absent(key, "true or false")),
        }
    }

    /// An array of texts that must be there.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<&str>, EngineError> {
        let texts = match self.metadata.get(key) {
            Some(Value::Array(values)) => values
                .iter()
                .map(|v| match v {
                    Value::Text(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        texts.ok_or_else(|| self.absent(key, "an array of texts"))
    }

    /// An array of finite numbers that must be there.
    pub(crate) fn floats(&self, key: &str) -> Result<Vec<f32>, EngineError> {
        let numbers = match self.metadata.get(key) {
            Some(Value::Array(values)) => values
                .iter()
                .map(|v| match v {
                    Value::Float(x) if x.is_finite() => Some(*x as f32),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        numbers.ok_or_else(|| self.absent(key, "an array of finite numbers"))
    }

    /// An array of whole numbers that must be there.
    pub(crate) fn numbers(&self, key: &str) -> Result<Vec<i64>, EngineError> {
        let numbers = match self.metadata.get(key) {
            Some(Value::Array(values)) => values
                .iter()
                .map(|v| match v {
                    Value::Signed(n) => Some(*n),
                    Value::Unsigned(n) => i64::try_from(*n).ok(),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        numbers.ok_or_else(|| self.absent(key, "an array of whole numbers"))
    }
}

fn read_tensor_info(reader: &mut Hashing) -> Result<TensorInfo, EngineError> {
    let name = reader.text("a tensor's name", MAX_NAME)?;
    let dimensions = reader.u32(&name)?;
    if !(1..=2).contains(&dimensions) {
        return Err(reader.bad(
            format!("tensor {name} with one or two dimensions"),
            format!("{dimensions} dimensions"),
        ));
    }
    let cols = reader.u64(&name)?;
    let rows = if dimensions == 2 {
        reader.u64(&name)?
    } else {
        1
    };
    let id = reader.u32(&name)?;
    let storage = Storage::from_id(id).ok_or_else(|| {
        reader.bad(
			format!(
				"tensor {name} stored as f32, f16, bf16, q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k or q6_k"
			),
			format!("GGML type {id}; convert the file"),
		)
    })?;
    let (values, bytes) = storage.block();
    let size = cols
        .checked_mul(rows)
        .filter(|n| *n > 0 && cols.is_multiple_of(values))
        .and_then(|n| (n / values).checked_mul(bytes))
        .filter(|n| *n <= reader.length)
        .ok_or_else(|| {
            reader.bad(
                format!("tensor {name} with rows of whole blocks that fit into the file"),
                format!(
                    "{rows} rows of {cols} values in a file of {} bytes",
                    reader.length
                ),
            )
        })?;
    let offset = reader.u64(&name)?;
    let (cols, rows) = (cols as usize, rows as usize);
    Ok(TensorInfo {
        name,
        cols,
        rows,
        storage,
        offset,
        bytes: size,
    })
}

fn describe(magic: [u8; 4]) -> String {
    match &magic {
        b"PK\x03\x04" => "a zip archive or PyTorch checkpoint".into(),
        b"ggjt" | b"ggla" | b"lmgg" => "the outdated GGML format".into(),
        b"FUGG" => "a big-endian GGUF file".into(),
        _ if magic[2..] == [0, 0] => "what looks like a safetensors file".into(),
        _ => format!("bytes {}", hex::encode(magic)),
    }
}
