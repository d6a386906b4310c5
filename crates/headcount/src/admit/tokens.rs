//! How many new devices each source may still bring: a bucket of tokens for each network.

use std::collections::HashMap;
use std::net::IpAddr;

use headcount_engine::day::Millis;

use crate::address::prefix;

/// The networks that have a bucket of their own.
const V4_BITS: u32 = 24;
const V6_BITS: u32 = 48;
/// How many buckets are kept of those used lately, and as many of those before. Who has none has a full one.
const KEPT: usize = 50_000;
const MINUTE: f64 = 60_000.0;

/// The buckets.
#[derive(Debug)]
pub(super) struct Tokens {
    per_milli: f64,
    burst: f64,
    lately: HashMap<IpAddr, Bucket>,
    before: HashMap<IpAddr, Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Millis,
}

impl Tokens {
    /// Buckets that are filled by `per_minute` up to `burst`.
    pub(super) fn new(per_minute: u32, burst: u32) -> Self {
        let (lately, before) = (HashMap::new(), HashMap::new());
        Self { per_milli: f64::from(per_minute) / MINUTE, burst: f64::from(burst), lately, before }
    }

    /// Takes a token of the network of that address, if it has one.
    pub(super) fn take(&mut self, address: IpAddr, now: Millis) -> bool {
        let network = prefix(address, V4_BITS, V6_BITS);
        let full = Bucket { tokens: self.burst, at: now };
        let known = self.lately.get(&network).or_else(|| self.before.get(&network));
        let mut bucket = known.copied().unwrap_or(full);
        // A clock that goes back fills nothing.
        let passed = (now.0 - bucket.at.0).max(0) as f64;
        bucket.tokens = self.burst.min(bucket.tokens + passed * self.per_milli);
        bucket.at = bucket.at.max(now);
        let takes = bucket.tokens >= 1.0;
        if takes {
            bucket.tokens -= 1.0;
        }
        if self.lately.len() >= KEPT && !self.lately.contains_key(&network) {
            self.before = std::mem::take(&mut self.lately);
        }
        self.lately.insert(network, bucket);
        takes
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_network_has_a_burst_and_then_a_rate() {
        let mut tokens = Tokens::new(60, 5);
        let mut take = |address: &str, at: i64| tokens.take(address.parse().unwrap(), Millis(at));
        assert!((0..5).all(|_| take("203.0.113.1", 0)));
        assert!(!take("203.0.113.2", 0));
        assert!(take("203.0.114.1", 0));
        // One a second.
        assert!(!take("203.0.113.3", 900));
        assert!(take("203.0.113.3", 1000));
        assert!(!take("203.0.113.3", 1000));
        assert!(!take("203.0.113.3", 0));
        assert!((0..5).all(|_| take("203.0.113.4", 1_000_000)));
        assert!(!take("203.0.113.4", 1_000_000));
        assert!((0..5).all(|_| take("2001:db8:1:2::1", 0)));
        assert!(!take("2001:db8:1:3::1", 0));
        assert!(take("2001:db8:2::1", 0));
    }

    #[test]
    fn a_million_networks_take_the_room_of_a_hundred_thousand() {
        let mut tokens = Tokens::new(1, 1);
        let network = |number: u32| Ipv4Addr::from_bits(number << 8).into();
        for number in 0..1_000_000 {
            assert!(tokens.take(network(number), Millis(0)));
        }
        assert!(tokens.lately.len() + tokens.before.len() <= 2 * KEPT);
        // The last ones are known.
        assert!(!tokens.take(network(999_999), Millis(0)));
        assert!(!tokens.take(network(950_000), Millis(0)));
        let bytes = 2 * KEPT * 2 * (size_of::<(IpAddr, Bucket)>() + 1);
        assert!(bytes < 20 << 20, "{bytes}");
    }
}
