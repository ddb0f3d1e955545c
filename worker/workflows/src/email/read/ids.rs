//! Message-IDs as they are compared: without angle brackets, white space and needless quotes (RFC 5256 2.1).

/// The ids of a field, in order. Text without brackets counts only with an `@` inside.
pub(in super::super) fn all(field: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = field;
    while let Some(start) = rest.find('<') {
        let inner = &rest[start + 1..];
        // An id that is never closed ends where the next begins.
        let end = inner.find(['<', '>']).unwrap_or(inner.len());
        found.extend(bare(&inner[..end]));
        rest = &inner[end..];
    }
    if found.is_empty() {
        found.extend(field.split([' ', '\t', '\r', '\n', ',']).filter_map(plain));
    }
    found
}

/// The one id of a Message-ID field, or of an input.
pub(in super::super) fn one(field: &str) -> Option<String> {
    all(field).into_iter().next()
}

fn plain(word: &str) -> Option<String> {
    let (local, domain) = word.split_once('@')?;
    (!local.is_empty() && !domain.is_empty()).then(|| bare(word))?
}

fn bare(text: &str) -> Option<String> {
    let joined: String = text.split_whitespace().collect();
    if joined.is_empty() {
        return None;
    }
    if let Some((local, domain)) = joined.rsplit_once('@')
        && local.len() > 2
        && local.starts_with('"')
        && local.ends_with('"')
    {
        let local = local[1..local.len() - 1]
            .replace("\\\"", "\"")
            .replace("\\\\", "\\");
        return Some(format!("{local}@{domain}"));
    }
    Some(joined)
}
