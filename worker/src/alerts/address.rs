//! Which addresses a webhook may reach.
//!
//! Whoever may name a webhook must not reach what only this machine can: the
//! services beside it, the cloud's metadata.
//!
//! Invariant: judged is the very address that is connected to, after the
//! name was resolved, so that a name cannot be one thing when it is checked
//! and another when it is used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ureq::{
    Error,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

/// Whether an address is one of the public internet (IANA's special-purpose
/// registries, RFC 6890 and its updates).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let reserved = a == 0                       // this network
        || (a == 100 && (64..128).contains(&b)) // carrier-grade NAT
        || (a == 192 && b == 0 && c == 0)       // protocol assignments
        || (a == 198 && (18..20).contains(&b))  // benchmarks
        || a >= 240; // future use, broadcast
    !(reserved
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    if let Some(inner) = embedded_v4(address) {
        return is_public_v4(inner);
    }
    // Only 2000::/3 is given out; of it, 2001::/23 is for protocols and
    // 2001:db8::/32 for documents.
    let global = segments[0] & 0xe000 == 0x2000;
    let protocols = segments[0] == 0x2001 && segments[1] < 0x200;
    let documents = segments[0] == 0x2001 && segments[1] == 0x0db8;
    global && !protocols && !documents
}

/// The address of the older protocol that an address stands for: mapped,
/// compatible, translated (64:ff9b::/96) or tunnelled (2002::/16).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(of(high, low))
        }
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

/// Resolves names, and keeps the addresses that may be reached.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) private_too: bool,
}

impl Resolver for Guarded {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let all = DefaultResolver::default().resolve(uri, config, timeout)?;
        let mut kept = self.empty();
        let allowed = |address: &&SocketAddr| self.private_too || is_public(address.ip());
        for address in all.iter().filter(allowed) {
            kept.push(*address);
        }
        if kept.is_empty() {
            return Err(Error::Other(Box::new(Refused)));
        }
        Ok(kept)
    }
}

/// A webhook's name leads to addresses that are not public.
#[derive(Debug, thiserror::Error)]
#[error("it leads to a private address; allow private webhooks if that is meant")]
pub(super) struct Refused;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_this_machine_can_reach_is_not_public() {
        let private = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2001:db8::1",
        ];
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
