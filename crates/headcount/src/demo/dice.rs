//! Chance that is the same for the same seed on every machine and in every version of this program, which the
//! generators of the crate `rand` do not promise. The steps are those of `SplitMix64`.

/// A source of numbers.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// The dice of one place: the seed, and what tells this place from all others.
    pub(super) fn of(place: &[u64]) -> Self {
        let mut dice = Self(0);
        for &number in place {
            dice.0 ^= number;
            dice.0 = dice.next();
        }
        dice
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to and without 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with that probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A whole number below `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        (self.unit() * bound as f64) as u64
    }

    /// A time that passes with this mean, as things do that may happen at any moment.
    pub(super) fn wait(&mut self, mean: f64) -> f64 {
        -(1.0 - self.unit()).ln() * mean
    }

    /// The position of one of the weights, each as likely as it is large.
    pub(super) fn pick(&mut self, weights: impl Iterator<Item = u32> + Clone) -> usize {
        let mut left = self.below(weights.clone().map(u64::from).sum());
        for (at, weight) in weights.enumerate() {
            match left.checked_sub(u64::from(weight)) {
                Some(rest) => left = rest,
                None => return at,
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_these_numbers() {
        // The first numbers that the authors of the algorithm give for this state.
        let mut dice = Dice(1_234_567);
        assert_eq!([dice.next(), dice.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
        assert_eq!(Dice::of(&[1, 2]).next(), 16_613_338_946_343_043_936);
        assert_ne!(Dice::of(&[2, 1]).next(), Dice::of(&[1, 2]).next());
    }

    #[test]
    fn weights_are_kept() {
        let mut dice = Dice::of(&[7]);
        let mut seen = [0; 3];
        for _ in 0..10_000 {
            seen[dice.pick([60, 0, 40].into_iter())] += 1;
        }
        assert_eq!(seen[1], 0);
        assert!((5_800..6_200).contains(&seen[0]), "{seen:?}");
    }
}
