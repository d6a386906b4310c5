//! The requests: which device asks what.

use std::io::Write as _;

/// The application, its administrator, and the channel that checks ask for.
pub(crate) const APP: &str = "bench";
pub(crate) const OWNER: &str = "bench";
pub(crate) const CHANNELS: [&str; 4] = ["stable", "beta", "nightly", "internal"];
pub(crate) const PLATFORMS: [&str; 6] = ["linux", "darwin", "windows", "android", "ios", "freebsd"];
pub(crate) const ARCHS: [&str; 6] = ["amd64", "arm64", "386", "arm", "riscv64", "ppc64le"];

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// The short reply of the bare handler.
    Bare,
    Health,
    /// A check without a device id.
    Unnamed,
    /// A check that is counted.
    Check,
    /// A beacon that is counted.
    Beacon,
}

impl Ask {
    pub(crate) fn is_counted(self) -> bool {
        matches!(self, Self::Check | Self::Beacon)
    }
}

/// Which requests a load sends: devices and what they run are drawn at random.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requests {
    pub(crate) ask: Ask,
    pub(crate) devices: u64,
    pub(crate) versions: u64,
}

impl Requests {
    /// Writes the next request over `into`.
    pub(crate) fn write(&self, dice: &mut Dice, into: &mut Vec<u8>) {
        into.clear();
        // Writing to a vector cannot fail.
        _ = match self.ask {
            Ask::Bare => into.write_all(b"GET /bare HTTP/1.1\r\nHost: bench\r\n\r\n"),
            Ask::Health => into.write_all(b"GET /health HTTP/1.1\r\nHost: bench\r\n\r\n"),
            Ask::Unnamed => self.write_check(dice.below(self.devices), false, into),
            Ask::Check | Ask::Beacon => self.write_check(dice.below(self.devices), true, into),
        };
    }

    fn write_check(&self, device: u64, named: bool, into: &mut Vec<u8>) -> std::io::Result<()> {
        let place = place_of(device);
        let version = mix(device ^ 0x5eed) % self.versions;
        let (path, more) = match self.ask {
            Ask::Beacon => ("/telemetry/beacon", "&is_latest=true"),
            Ask::Bare | Ask::Health | Ask::Unnamed | Ask::Check => ("/checkVersion", ""),
        };
        write!(
            into,
            "GET {path}?app_name={APP}&version=1.{version}.0&channel={}&platform={}&arch={}&owner={OWNER}{more} \
             HTTP/1.1\r\nHost: bench\r\n",
            CHANNELS[0], PLATFORMS[place], ARCHS[place],
        )?;
        if named {
            into.write_all(b"X-Device-ID: ")?;
            into.write_all(&device_id(device))?;
            into.write_all(b"\r\n")?;
        }
        into.write_all(b"\r\n")
    }
}

/// The platform and the architecture that a device checks for.
fn place_of(device: u64) -> usize {
    (mix(device ^ 0xface) % PLATFORMS.len() as u64) as usize
}

/// The id of the device of that number: a UUID.
pub(crate) fn device_id(device: u64) -> [u8; 36] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bits = u128::from(mix(device)) << 64 | u128::from(mix(!device));
    let mut id = [b'-'; 36];
    let mut shift = 128;
    for (at, byte) in id.iter_mut().enumerate() {
        if ![8, 13, 18, 23].contains(&at) {
            shift -= 4;
            *byte = HEX[(bits >> shift) as usize & 15];
        }
    }
    id
}

/// A well-mixed number for a number (`SplitMix64`).
pub(crate) fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// Chance that costs next to nothing.
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_has_an_id_of_its_own_that_is_accepted() {
        let mut ids: Vec<_> = (0..1000).map(device_id).collect();
        for id in &ids {
            assert!(std::str::from_utf8(id).unwrap().parse::<headcount_engine::device::DeviceId>().is_ok());
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 1000);
    }
}
