//! Who is who: canonical addresses, the people behind them, and the keys by which results name people.
//!
//! Invariant: two spellings of one mailbox are one [`Address`], addresses joined by `aliases` are one [`Person`], and
//! people are numbered in the order of their keys, so that no order of mails changes a number.
//! Deliberately absent: names (nobody is recognised by them), providers' private rules (dots at one of them).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::message::Message;
use crate::files::hexadecimal;

/// RFC 5321 4.5.3.1 allows 64 + 1 + 255 bytes; anything longer is no address.
const MAX_ADDRESS_BYTES: usize = 320;

/// A canonical address: lower case, without a plus tag, the domain in ASCII (IDNA). Shared, so cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Address(Arc<str>);

impl Address {
    /// The canonical form of an address as a mail writes it; `None` where it is none (no `@`, empty sides, spaces).
    ///
    /// Local parts are compared without case although RFC 5321 allows otherwise: no large host tells them apart.
    pub(super) fn new(written: &str) -> Option<Self> {
        let written = written.trim().trim_matches(['<', '>']).trim();
        let (local, domain) = written.rsplit_once('@')?;
        if written.len() > MAX_ADDRESS_BYTES || domain.contains(char::is_whitespace) {
            return None;
        }
        let local = mailbox(local)?;
        let domain = host(domain)?;
        Some(Self(format!("{local}@{domain}").into()))
    }

    /// The canonical text. Personal data: never in results, logs or messages.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain, in ASCII.
    pub(super) fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({} bytes)", self.0.len())
    }
}

/// A local part without quotes it does not need, in lower case, without its tag.
fn mailbox(local: &str) -> Option<String> {
    let local = local.trim();
    let quoted = local.len() >= 2 && local.starts_with('"') && local.ends_with('"');
    let mut plain = String::with_capacity(local.len());
    if quoted {
        let mut inner = local[1..local.len() - 1].chars();
        while let Some(c) = inner.next() {
            plain.push(if c == '\\' { inner.next()? } else { c });
        }
    } else {
        plain.push_str(local);
    }
    if plain.is_empty() || plain.chars().any(char::is_control) {
        return None;
    }
    let lower = plain.to_lowercase();
    // A tag needs something before it: "+x@y" is a mailbox of that name.
    let untagged = match lower.find('+') {
        Some(at) if at > 0 => &lower[..at],
        _ => &lower,
    };
    Some(untagged.to_owned())
}

/// A domain in lower-case ASCII without its final dot. One that IDNA refuses stays as it is, in lower case: it still
/// tells mailboxes apart.
fn host(domain: &str) -> Option<String> {
    let domain = domain.trim_end_matches('.');
    if domain.is_empty() {
        return None;
    }
    if domain.is_ascii() {
        return Some(domain.to_ascii_lowercase());
    }
    Some(idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase()))
}

/// A domain of the input (sponsor domains) in the form of [`Address::domain`].
pub(super) fn canonical_domain(written: &str) -> Option<String> {
    host(written.trim().trim_start_matches('@'))
}

/// The key of an address in results: HMAC-SHA-256 under the tenant's contact key, lower-case hexadecimal.
pub(super) fn key_of(contact_key: &[u8; 32], address: &Address) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(contact_key).expect("HMAC takes keys of any size");
    mac.update(address.as_str().as_bytes());
    hexadecimal(&mac.finalize().into_bytes())
}

/// Someone who wrote or was written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    /// Key of the address that stands for the person: the canonical one of `aliases`, or the only one.
    pub(super) key: String,
    /// Keys of all addresses seen, sorted.
    pub(super) addresses_hmac: Vec<String>,
    /// Domains of all addresses seen, sorted.
    pub(super) domains: Vec<String>,
    /// One of the owner's own addresses.
    pub(super) owner: bool,
}

/// Number of a person in a [`Book`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PersonId(u32);

impl PersonId {
    /// Place in [`Book::people`].
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Which addresses are one person, and which are the owner's.
#[derive(Debug, Clone, Default)]
pub(super) struct Identities {
    aliases: HashMap<Address, Address>,
    owners: BTreeSet<Address>,
}

impl Identities {
    /// `aliases` maps a canonical address to its other spellings. Texts that are no addresses are left out; validation
    /// has refused them.
    pub(super) fn new(owners: &[String], aliases: &BTreeMap<String, Vec<String>>) -> Self {
        let mut known = HashMap::new();
        for (one, others) in aliases {
            let Some(one) = Address::new(one) else {
                continue;
            };
            for other in others.iter().filter_map(|o| Address::new(o)) {
                known.insert(other, one.clone());
            }
        }
        let mut identities = Self {
            aliases: known,
            owners: BTreeSet::new(),
        };
        identities.owners = owners
            .iter()
            .filter_map(|o| Address::new(o))
            .map(|o| identities.standing_for(&o).clone())
            .collect();
        identities
    }

    /// The address that stands for the person behind this one.
    pub(super) fn standing_for<'a>(&'a self, address: &'a Address) -> &'a Address {
        self.aliases.get(address).unwrap_or(address)
    }

    /// Whether the address is the owner's.
    pub(super) fn is_owner(&self, address: &Address) -> bool {
        self.owners.contains(self.standing_for(address))
    }
}

/// All people of a corpus, in the order of their keys.
#[derive(Debug, Default)]
pub(super) struct Book {
    people: Vec<Person>,
    numbers: HashMap<Address, PersonId>,
}

impl Book {
    /// Everyone in `from`, `to`, `cc` and `reply_to` of these messages.
    pub(super) fn new(
        messages: &[Message],
        identities: &Identities,
        contact_key: &[u8; 32],
    ) -> Self {
        let mut seen: BTreeMap<&Address, BTreeSet<&Address>> = BTreeMap::new();
        for message in messages {
            let all = message
                .from
                .iter()
                .chain(message.recipients())
                .chain(&message.reply_to);
            for address in all {
                seen.entry(identities.standing_for(address))
                    .or_default()
                    .insert(address);
            }
        }
        let mut people: Vec<(Person, BTreeSet<&Address>)> = seen
            .into_iter()
            .map(|(one, all)| (person(one, &all, identities, contact_key), all))
            .collect();
        people.sort_by(|(a, _), (b, _)| a.key.cmp(&b.key));
        let mut book = Self::default();
        for (number, (person, all)) in people.into_iter().enumerate() {
            let number = PersonId(crate::number::small(number));
            book.numbers
                .extend(all.into_iter().map(|a| (a.clone(), number)));
            book.people.push(person);
        }
        book
    }

    /// All people; a [`PersonId`] is the place in it.
    pub(super) fn people(&self) -> &[Person] {
        &self.people
    }

    /// The number of the person behind an address of the corpus.
    pub(super) fn number(&self, address: &Address) -> Option<PersonId> {
        self.numbers.get(address).copied()
    }

    /// The person of that number.
    pub(super) fn person(&self, number: PersonId) -> &Person {
        &self.people[number.index()]
    }
}

fn person(
    one: &Address,
    all: &BTreeSet<&Address>,
    identities: &Identities,
    contact_key: &[u8; 32],
) -> Person {
    let mut addresses_hmac: Vec<String> = all.iter().map(|a| key_of(contact_key, a)).collect();
    addresses_hmac.sort();
    let domains: BTreeSet<&str> = all.iter().map(|a| a.domain()).collect();
    Person {
        key: key_of(contact_key, one),
        addresses_hmac,
        domains: domains.into_iter().map(str::to_owned).collect(),
        owner: identities.is_owner(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(written: &str) -> Option<String> {
        Address::new(written).map(|a| a.as_str().to_owned())
    }

    #[test]
    fn spellings_of_one_mailbox_are_one_address() {
        for (written, expected) in [
            ("Ada@Example.ORG", "ada@example.org"),
            (" <ada+grants@example.org.> ", "ada@example.org"),
            ("\"ada\"@example.org", "ada@example.org"),
            ("\"a \\\"b\\\" c\"@example.org", "a \"b\" c@example.org"),
            ("\"a@b\"@example.org", "a@b@example.org"),
            ("+x@example.org", "+x@example.org"),
            ("info@b\u{fc}cher.example", "info@xn--bcher-kva.example"),
            ("info@XN--BCHER-KVA.example", "info@xn--bcher-kva.example"),
            // Cyrillic "a": another domain than "apple.example".
            ("x@\u{430}pple.example", "x@xn--pple-43d.example"),
        ] {
            assert_eq!(canonical(written).as_deref(), Some(expected), "{written}");
        }
        for bad in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "a\u{0}b@example.org",
            "a@b c",
        ] {
            assert_eq!(canonical(bad), None, "{bad:?}");
        }
        assert_eq!(canonical(&format!("a@{}", "b".repeat(400))), None);
    }

    #[test]
    fn a_key_is_the_hmac_of_the_canonical_address() {
        // Python: hmac.new(bytes(32), b"ada@example.org", "sha256").hexdigest()
        let address = Address::new("ADA+x@example.org").unwrap();
        assert_eq!(
            key_of(&[0; 32], &address),
            "ac5a6c0e31dadbfe2e282bae3b4f5e6c4a6a4a88a8608594f47a03128bdfd8e7"
        );
        assert_ne!(key_of(&[1; 32], &address), key_of(&[0; 32], &address));
    }

    #[test]
    fn aliases_join_addresses_and_owners() {
        let aliases = BTreeMap::from([(
            "me@x.org".to_owned(),
            vec!["Me@Old.org".to_owned(), "m+1@y.org".to_owned()],
        )]);
        let identities = Identities::new(&["m@y.org".to_owned()], &aliases);
        for mine in ["me@x.org", "me@old.org", "m@y.org"] {
            assert!(identities.is_owner(&Address::new(mine).unwrap()), "{mine}");
        }
        assert!(!identities.is_owner(&Address::new("you@x.org").unwrap()));
    }
}
