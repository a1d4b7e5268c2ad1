//! Turns documents and folders of them into fragments: text, Markdown, HTML, JSON lines and manual pages, each of them also as `.gz`.
//!
//! It may be interrupted at any time. What was stored stays; the next run skips passages that are there.

use crate::{
    MemoryError,
    text::{html, manual, passages, shortened},
};
use serde::Deserialize;
use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read},
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};
use touchstone_primitives::memory::{Fragment, MAX_NAME};

/// Largest document, unpacked.
pub const MAX_DOCUMENT: u64 = 16 << 20;
/// Deepest folder below the one that is named.
pub const MAX_FOLDERS: usize = 64;
/// Writes of one version.
const BATCH: usize = 1000;
/// Where fragments go: a store, or a node that is reached over its RPC.
pub trait Sink {
    /// Which of these texts are fragments already.
    fn known(&mut self, texts: &[&str]) -> Result<Vec<bool>, MemoryError>;
    /// Stores fragments, at most 1000 at once.
    fn put(&mut self, fragments: Vec<Fragment>) -> Result<(), MemoryError>;
}

/// How far an ingest is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Documents that were read.
    pub documents: u64,
    /// Documents all of whose passages were stored before.
    pub known: u64,
    /// Fragments that were stored.
    pub fragments: u64,
    /// Passages that were stored before, here or in another document.
    pub duplicates: u64,
    /// Documents that are no text.
    pub binary: u64,
    /// Documents that were not taken, and why.
    pub refused: Vec<(PathBuf, String)>,
}

/// Ingests documents into a sink.
pub struct Ingest<'a> {
    /// Where the fragments go.
    pub sink: &'a mut dyn Sink,
    /// Labels that each fragment gets.
    pub labels: Vec<String>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(alias = "content")]
    text: String,
    #[serde(default)]
    title: String,
    source: Option<String>,
    kind: Option<String>,
    created: Option<u64>,
    #[serde(default)]
    labels: Vec<String>,
}

#[derive(Default)]
struct Open {
    fragments: Vec<Fragment>,
    texts: HashSet<String>,
}

impl Ingest<'_> {
    /// Ingests files and folders. `progress` is called after each document and may stop it; what was begun is stored first.
    pub fn run(
        &mut self,
        paths: &[PathBuf],
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Progress, MemoryError> {
        let (mut seen, mut open) = (Progress::default(), Open::default());
        let mut waiting: Vec<(PathBuf, usize)> =
            paths.iter().rev().map(|p| (p.clone(), 0)).collect();
        while let Some((path, depth)) = waiting.pop() {
            let known = fs::symlink_metadata(&path).map_err(|error| io_error(&path, error))?;
            if known.is_dir() {
                if depth == MAX_FOLDERS {
                    seen.refused
                        .push((path, format!("more than {MAX_FOLDERS} folders deep")));
                    continue;
                }
                waiting.extend(
                    entries(&path)?
                        .into_iter()
                        .rev()
                        .map(|path| (path, depth + 1)),
                );
                continue;
            }
            // A link below a folder leads to what is ingested anyway, or out of the folder.
            if !known.is_file() && (depth > 0 || !path.is_file()) {
                continue;
            }
            let refused = match self.document(&path, &mut seen, &mut open) {
                Err(MemoryError::Document { reason, .. }) => Some(reason),
                Err(MemoryError::Io { error, .. }) => Some(error.to_string()),
                other => {
                    other?;
                    None
                }
            };
            seen.refused.extend(refused.map(|reason| (path, reason)));
            if progress(&seen).is_break() {
                break;
            }
        }
        self.flush(&mut seen, &mut open)?;
        let _ = progress(&seen);
        Ok(seen)
    }

    fn document(
        &mut self,
        path: &Path,
        seen: &mut Progress,
        open: &mut Open,
    ) -> Result<(), MemoryError> {
        let bytes = read(path)?;
        if bytes.iter().take(8192).any(|byte| *byte == 0) {
            seen.binary += 1;
            return Ok(());
        }
        let fragments = fragments(path, &String::from_utf8_lossy(&bytes), &self.labels)?;
        let texts: Vec<&str> = fragments.iter().map(|f| f.text.as_str()).collect();
        let known = self.sink.known(&texts)?;
        let (all, before) = (fragments.len() as u64, seen.duplicates);
        for (fragment, is_known) in fragments.into_iter().zip(known) {
            if is_known || open.texts.contains(&fragment.text) {
                seen.duplicates += 1;
                continue;
            }
            open.texts.insert(fragment.text.clone());
            open.fragments.push(fragment);
            if open.fragments.len() == BATCH {
                self.flush(seen, open)?;
            }
        }
        if all > 0 && seen.duplicates - before == all {
            seen.known += 1;
        } else {
            seen.documents += 1;
        }
        Ok(())
    }

    fn flush(&mut self, seen: &mut Progress, open: &mut Open) -> Result<(), MemoryError> {
        let Open { fragments, .. } = std::mem::take(open);
        let count = fragments.len() as u64;
        if count > 0 {
            self.sink.put(fragments)?;
        }
        seen.fragments += count;
        Ok(())
    }
}

fn io_error(path: &Path, error: io::Error) -> MemoryError {
    MemoryError::Io {
        path: path.into(),
        error,
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, MemoryError> {
    let entries = fs::read_dir(folder).map_err(|error| io_error(folder, error))?;
    let paths: Result<Vec<_>, _> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(|error| io_error(folder, error))?;
    paths.sort();
    Ok(paths)
}

/// A document's bytes, unpacked; never more than [`MAX_DOCUMENT`], however well it is packed.
fn read(path: &Path) -> Result<Vec<u8>, MemoryError> {
    let file = File::open(path).map_err(|error| io_error(path, error))?;
    let mut bytes = Vec::new();
    let read = if path.extension().is_some_and(|ext| ext == "gz") {
        flate2::read::MultiGzDecoder::new(file)
            .take(MAX_DOCUMENT + 1)
            .read_to_end(&mut bytes)
    } else {
        file.take(MAX_DOCUMENT + 1).read_to_end(&mut bytes)
    };
    read.map_err(|error| io_error(path, error))?;
    if bytes.len() as u64 > MAX_DOCUMENT {
        let reason = format!("larger than {} MiB; split it", MAX_DOCUMENT >> 20);
        return Err(MemoryError::Document {
            path: path.into(),
            reason,
        });
    }
    Ok(bytes)
}

/// The fragments of a document, by what its name says that it is.
fn fragments(path: &Path, document: &str, labels: &[String]) -> Result<Vec<Fragment>, MemoryError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let extension = name
        .rsplit_once('.')
        .map_or("", |(_, ext)| ext)
        .to_lowercase();
    let created = fs::metadata(path).and_then(|known| known.modified()).ok();
    let created = created.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let created = created.map_or(0, |since| since.as_millis() as u64);
    let source = path.to_string_lossy();
    let source = shortened(&source, MAX_NAME).to_string();
    if extension == "jsonl" {
        return json_lines(path, document, &source, created, labels);
    }
    let is_manual = extension.starts_with(|c: char| c.is_ascii_digit())
        && path
            .components()
            .any(|part| part.as_os_str().to_string_lossy().starts_with("man"));
    let (title, text) = match extension.as_str() {
        "html" | "htm" | "xhtml" => html(document),
        _ if is_manual => manual(document),
        _ => (String::new(), document.to_string()),
    };
    let title = if title.is_empty() {
        name.to_string()
    } else {
        title
    };
    let markdown = matches!(extension.as_str(), "md" | "markdown");
    let passages = passages(&text, markdown).into_iter();
    Ok(passages
        .map(|(heading, text)| Fragment {
            text,
            title: match heading {
                Some(heading) => shortened(&format!("{title}: {heading}"), MAX_NAME).to_string(),
                None => shortened(&title, MAX_NAME).to_string(),
            },
            source: source.clone(),
            kind: "text".into(),
            created,
            labels: labels.to_vec(),
        })
        .collect())
}

fn json_lines(
    path: &Path,
    document: &str,
    source: &str,
    created: u64,
    labels: &[String],
) -> Result<Vec<Fragment>, MemoryError> {
    let mut out = Vec::new();
    for (number, line) in document.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let bad = |reason: String| MemoryError::Document {
            path: path.into(),
            reason: format!("line {}: {reason}", number + 1),
        };
        // Fields that are not known are skipped without recursion, however deep they are.
        let line: Line = serde_json::from_str(line).map_err(|error| bad(error.to_string()))?;
        let all: Vec<String> = line
            .labels
            .into_iter()
            .chain(labels.iter().cloned())
            .collect();
        let kind = line.kind.unwrap_or_else(|| "text".into());
        let source = line.source.unwrap_or_else(|| source.into());
        let fragment = Fragment {
            text: line.text,
            title: line.title,
            source,
            kind,
            created: line.created.unwrap_or(created),
            labels: all,
        };
        if let Some((what, found, limit)) = fragment.oversized() {
            return Err(bad(format!("{what} is {found}; at most {limit} is taken")));
        }
        out.push(fragment);
    }
    Ok(out)
}
