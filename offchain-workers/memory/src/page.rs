//! All fragments of a namespace, page by page.

use crate::{
    MemoryError, Store,
    store::{column, open_body, row, seal_of},
};
use rusqlite::params;
use touchstone_primitives::{
    H256,
    memory::{Fragment, NamespaceId},
};

/// Fragments of a page, and where the next one starts if there is more.
pub type Page = (Vec<(H256, Fragment)>, Option<u64>);

impl Store {
    /// Ids and fragments in the order in which they came, `limit` at most, from a place on (0, or what the page before gave); only those with
    /// a label if one is given. A page may have fewer, also none, and still not be the last.
    pub fn page(
        &self,
        namespace: &NamespaceId,
        label: Option<&str>,
        from: u64,
        limit: usize,
    ) -> Result<Page, MemoryError> {
        let inner = self.inner.lock();
        let row = row(&inner.db, namespace)?;
        let seal = seal_of(&inner.seals, &row)?;
        let mut query = inner.db.prepare_cached(
            "SELECT id, key, fragment, body FROM fragments WHERE ns = ? AND id >= ? ORDER BY id LIMIT ?",
        )?;
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        let mut rows = query.query(params![row.id, from, limit as i64])?;
        let (mut page, mut seen, mut last) = (Vec::new(), 0, 0);
        while let Some(found) = rows.next()? {
            let (key, id) = (column(found, 1)?, column(found, 2)?);
            let body = found.get_ref(3)?.as_blob().unwrap_or_default();
            let (_, fragment) = open_body(seal, namespace, &key, body)?;
            (seen, last) = (seen + 1, found.get::<_, i64>(0)?);
            if label.is_none_or(|label| fragment.labels.iter().any(|l| l == label)) {
                page.push((id, fragment));
            }
        }
        Ok((page, (seen == limit).then(|| last as u64 + 1)))
    }
}
