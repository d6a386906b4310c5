//! Latencies, counted in buckets of about 1.5 % width.

use std::time::Duration;

/// Bits of a value that a bucket tells apart.
const PRECISION: u32 = 6;
const SLOTS: usize = (64 - PRECISION as usize + 1) << PRECISION;

/// How often which latency was seen, in microseconds.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; SLOTS], total: 0 }
    }
}

impl Histogram {
    pub(crate) fn add(&mut self, latency: Duration) {
        self.counts[slot(latency.as_micros() as u64)] += 1;
        self.total += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
    }

    /// How many latencies were added.
    pub(crate) fn len(&self) -> u64 {
        self.total
    }

    /// The latency in milliseconds that this share of all did not exceed; 0 of nothing.
    pub(crate) fn quantile_millis(&self, share: f64) -> f64 {
        let rank = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (slot, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank && seen > 0 {
                return upper_bound(slot) as f64 / 1000.0;
            }
        }
        0.0
    }
}

fn slot(micros: u64) -> usize {
    if micros < 1 << PRECISION {
        return micros as usize;
    }
    let exponent = u64::BITS - 1 - micros.leading_zeros() - PRECISION;
    let within = (micros >> exponent) as usize - (1 << PRECISION);
    ((exponent as usize + 1) << PRECISION) + within
}

/// The greatest value of a slot.
fn upper_bound(slot: usize) -> u64 {
    if slot < 1 << PRECISION {
        return slot as u64;
    }
    let exponent = (slot >> PRECISION) as u32 - 1;
    let within = (slot & ((1 << PRECISION) - 1)) as u64 + (1 << PRECISION);
    ((within + 1) << exponent) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_at_most_two_percent_above_the_value() {
        for value in [0, 1, 63, 64, 65, 127, 128, 1_000, 12_345, 1 << 40] {
            let bound = upper_bound(slot(value));
            assert!(bound >= value && bound - value <= value / 50, "{value} {bound}");
        }
        let mut histogram = Histogram::default();
        for millis in 1..=100 {
            histogram.add(Duration::from_millis(millis));
        }
        assert_eq!(histogram.len(), 100);
        assert!((histogram.quantile_millis(0.5) - 50.0).abs() < 1.0);
        assert!((histogram.quantile_millis(0.99) - 99.0).abs() < 2.0);
    }
}
