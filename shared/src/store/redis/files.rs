//! The records of files, which blobs are needed, and whose contacts are named
//! by which key.

use crate::{
    model::{FileId, Json, Nonce, TaskId, TenantId},
    store::{
        Error, Result,
        files::{FilePut, FileRecord, NewFile, Payloads},
    },
};

use super::{
    connection::{Lane, Link},
    keys,
    reply::{self, Items},
    scripts::{self, Ask},
};

/// Records a file.
pub(super) async fn put(link: &Link, file: NewFile) -> Result<FilePut> {
    let mut ask = Ask::new(&scripts::PUT_FILE, link.base());
    ask.arg(file.tenant.as_str())
        .arg(file.id.hex())
        .arg(&file.key)
        .arg(file.bytes)
        .arg(&file.content_type)
        .arg(&file.name)
        .arg(keys::micros(file.keep))
        .arg(file.replaces.as_deref().unwrap_or_default());
    let mut items = Items::of(link.ask(Lane::Verbs, &ask).await?)?;
    let (key, uses) = (items.text()?, items.int()?);
    if key == file.key {
        return Ok(FilePut::Stored);
    }
    Ok(FilePut::Known(FileRecord {
        id: file.id,
        key,
        bytes: file.bytes,
        content_type: file.content_type,
        name: file.name,
        uses: uses.unsigned_abs(),
    }))
}

/// The records of some files.
pub(super) async fn look(
    link: &Link,
    tenant: &TenantId,
    ids: &[FileId],
) -> Result<Vec<Option<FileRecord>>> {
    let mut ask = Ask::new(&scripts::LOOK_FILES, link.base());
    ask.arg(tenant.as_str());
    for id in ids {
        ask.arg(id.hex());
    }
    let mut answers = Items::of(link.ask(Lane::Bulk, &ask).await?)?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found.push(match Items::maybe(answers.value()?)? {
            None => None,
            Some(mut fields) => Some(FileRecord {
                id: *id,
                key: fields.text()?,
                bytes: reply::number(&fields.text()?)?,
                content_type: fields.text()?,
                name: fields.text()?,
                uses: reply::number(&fields.text()?)?,
            }),
        });
    }
    Ok(found)
}

/// Which keys are those of files.
pub(super) async fn held(link: &Link, tenant: &TenantId, keys: &[String]) -> Result<Vec<bool>> {
    let mut ask = Ask::new(&scripts::KEYS_HELD, link.base());
    ask.arg(tenant.as_str()).arg(keys);
    let mut answers = Items::of(link.ask(Lane::Bulk, &ask).await?)?;
    keys.iter().map(|_| Ok(answers.int()? == 1)).collect()
}

/// Which blobs some tasks need.
pub(super) async fn payloads(
    link: &Link,
    tenant: &TenantId,
    ids: &[TaskId],
) -> Result<Vec<Option<Payloads>>> {
    let mut ask = Ask::new(&scripts::PAYLOADS, link.base());
    ask.arg(tenant.as_str());
    for id in ids {
        ask.id(*id);
    }
    let mut answers = Items::of(link.ask(Lane::Bulk, &ask).await?)?;
    let mut found = Vec::with_capacity(ids.len());
    for _ in ids {
        found.push(match Items::maybe(answers.value()?)? {
            None => None,
            Some(mut fields) => Some(Payloads {
                is_final: fields.int()? == 1,
                input: fields.maybe_text()?.map(Json::from_text),
                result: fields.maybe_text()?.map(Json::from_text),
            }),
        });
    }
    Ok(found)
}

/// The mark of the blob store.
pub(super) async fn mark(link: &Link, drawn: Nonce) -> Result<Nonce> {
    let mut ask = Ask::new(&scripts::BLOB_MARK, link.base());
    ask.arg(drawn.to_string());
    let answer = link.ask(Lane::Verbs, &ask).await?;
    reply::text(answer)?
        .parse()
        .map_err(|_| Error::Corrupt("the mark of the blob store".into()))
}

/// The key by which a tenant's contacts are named.
pub(super) async fn contact_key(link: &Link, tenant: &TenantId, drawn: Nonce) -> Result<Nonce> {
    let mut ask = Ask::new(&scripts::CONTACT_KEY, link.base());
    ask.arg(tenant.as_str()).arg(drawn.to_string());
    let answer = link.ask(Lane::Verbs, &ask).await?;
    reply::text(answer)?
        .parse()
        .map_err(|_| Error::Corrupt("a tenant's key of contacts".into()))
}
