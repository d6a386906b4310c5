//! Where requests come from: addresses, and the networks that they are counted by.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The first bits of an address, the rest zero. An IPv4 address in IPv6 form counts as what it is.
pub fn prefix(address: IpAddr, v4_bits: u32, v6_bits: u32) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - v4_bits.min(32)).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - v6_bits.min(128)).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

/// Who sent a request that came from `peer` with those `X-Forwarded-For` headers: the right-most address that is not a
/// proxy's. Only proxies that `trusts` are believed; `None` where they name nobody else.
pub fn sender<'a>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
    trusts: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    if !trusts(peer) {
        return Some(peer);
    }
    for hop in forwarded.rev() {
        // What no address can be read from says nothing, nor does what stands before it.
        let address = hop_address(hop.trim())?;
        if !trusts(address) {
            return Some(address);
        }
    }
    None
}

/// An address, alone or with a port, as proxies write them.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bracketed = || hop.strip_prefix('[')?.split_once(']')?.0.parse().ok();
    let with_port = || hop.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    hop.parse().ok().or_else(with_port).or_else(bracketed)
}

/// Whether the address is that of this machine or of a network that is not the internet: many devices may share it, or
/// a proxy that this installation knows nothing of.
pub fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_shared
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_keep_the_first_bits() {
        let cases = [
            ("203.0.113.77", "203.0.113.0", (24, 48)),
            ("::ffff:203.0.113.77", "203.0.113.0", (24, 48)),
            ("203.0.113.77", "203.0.113.77", (32, 64)),
            ("203.0.113.77", "0.0.0.0", (0, 0)),
            ("2001:db8:1:2:3::4", "2001:db8:1::", (24, 48)),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::", (32, 64)),
            ("2001:db8::1", "::", (0, 0)),
        ];
        for (address, expected, (v4, v6)) in cases {
            let expected: IpAddr = expected.parse().unwrap();
            assert_eq!(prefix(address.parse().unwrap(), v4, v6), expected, "{address}");
        }
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusts = |address: IpAddr| is_local(address);
        let of = |peer: &str, hops: &[&str]| {
            let sender = sender(peer.parse().unwrap(), hops.iter().copied(), trusts);
            sender.map(|address| address.to_string()).unwrap_or_default()
        };
        assert_eq!(of("8.8.8.8", &["1.2.3.4"]), "8.8.8.8");
        assert_eq!(of("10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(of("10.0.0.1", &["6.6.6.6", "1.2.3.4", " 10.0.0.2"]), "1.2.3.4");
        assert_eq!(of("10.0.0.1", &["1.2.3.4:5678"]), "1.2.3.4");
        assert_eq!(of("10.0.0.1", &["[2001:db8::1]:5678"]), "2001:db8::1");
        assert_eq!(of("10.0.0.1", &["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(of("10.0.0.1", &["1.2.3.4", "unknown"]), "");
        assert_eq!(of("10.0.0.1", &["10.0.0.3", "10.0.0.2"]), "");
        assert_eq!(of("10.0.0.1", &[]), "");
    }

    #[test]
    fn local_networks_are_known() {
        for local in [
            "127.0.0.1",
            "127.9.9.9",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.0.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_local(local.parse().unwrap()), "{local}");
        }
        for public in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1", "::ffff:8.8.8.8"] {
            assert!(!is_local(public.parse().unwrap()), "{public}");
        }
    }
}
