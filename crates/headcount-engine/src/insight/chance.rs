//! Whether a difference is more than chance.

/// A part of a number of devices or checks. The numbers may be fractions where single ones are not independent of each
/// other and so count for less.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// How many of them.
    pub part: f64,
    /// Of how many; not 0.
    pub of: f64,
}

impl Part {
    /// So many of so many; none of nothing.
    pub fn of(part: u64, of: u64) -> Option<Self> {
        (of > 0).then_some(Self { part: part as f64, of: of as f64 })
    }

    /// From 0 to 1.
    pub fn share(self) -> f64 {
        self.part / self.of
    }
}

/// How likely it is that chance alone makes the share of `one` as much less than that of `other` as it is: the one-sided
/// two-proportion z test with a pooled variance.
pub fn less(one: Part, other: Part) -> f64 {
    let pooled = (one.part + other.part) / (one.of + other.of);
    let variance = pooled * (1.0 - pooled) * (1.0 / one.of + 1.0 / other.of);
    if variance <= 0.0 {
        return 1.0;
    }
    upper_tail((other.share() - one.share()) / variance.sqrt())
}

/// How likely it is that chance alone makes a count as much less than the mean of `others` as it is: the z test of two
/// Poisson rates.
pub fn fewer(count: f64, others: &[f64]) -> f64 {
    let days = others.len() as f64;
    let mean = others.iter().sum::<f64>() / days;
    let pooled = (count + mean * days) / (days + 1.0);
    let variance = pooled * (1.0 + 1.0 / days);
    if days == 0.0 || variance <= 0.0 {
        return 1.0;
    }
    upper_tail((mean - count) / variance.sqrt())
}

/// Which of the probabilities are small enough that, of all of them together, one in `1 / level` fleets at most has a
/// false one: Holm's correction. In the order of the probabilities.
pub fn significant(probabilities: &[f64], level: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&one, &other| probabilities[one].total_cmp(&probabilities[other]));
    let mut found = vec![false; probabilities.len()];
    for (rank, &at) in order.iter().enumerate() {
        if probabilities[at] > level / (probabilities.len() - rank) as f64 {
            break;
        }
        found[at] = true;
    }
    found
}

/// The part of a normal distribution that lies above `z` standard deviations.
fn upper_tail(z: f64) -> f64 {
    let tail = erfc(z.abs() / std::f64::consts::SQRT_2) / 2.0;
    if z < 0.0 { 1.0 - tail } else { tail }
}

/// The complementary error function of a number that is not negative, as a Chebyshev series: within a factor of 1.2e-7.
fn erfc(x: f64) -> f64 {
    const SERIES: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let t = 1.0 / (1.0 + x / 2.0);
    let sum = SERIES.iter().rev().fold(0.0, |sum, coefficient| sum * t + coefficient);
    t * (sum - x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_the_tables() {
        for (z, expected) in [
            (0.0, 0.5),
            (1.0, 0.158_655_254),
            (1.959_964, 0.025),
            (3.0, 1.349_898e-3),
            (6.0, 9.865_876e-10),
            (-1.0, 0.841_344_746),
        ] {
            assert!((upper_tail(z) / expected - 1.0).abs() < 1e-5, "{z}: {}", upper_tail(z));
        }
    }

    #[test]
    fn shares_are_compared_as_the_textbook_does() {
        // 45 of 100 against 60 of 100: z = 2.124.
        let [one, other] = [45, 60].map(|part| Part::of(part, 100).unwrap());
        assert!((less(one, other) - 0.016_84).abs() < 1e-4, "{}", less(one, other));
        assert!(less(other, one) > 0.98);
        assert!(less(Part::of(0, 5).unwrap(), Part::of(0, 9).unwrap()) >= 1.0);
        assert_eq!(Part::of(0, 0), None);
    }

    #[test]
    fn counts_are_compared_with_their_mean() {
        // 60 against 100, 100, 100: pooled 90, so the deviation is 40 / sqrt(120).
        assert!((fewer(60.0, &[100.0; 3]) - upper_tail(40.0 / 120_f64.sqrt())).abs() < 1e-12);
        assert_eq!((fewer(0.0, &[]), fewer(0.0, &[0.0])), (1.0, 1.0));
    }

    #[test]
    fn the_more_is_tested_the_less_is_significant() {
        assert_eq!(significant(&[0.02, 0.004, 0.004], 0.01), [false, false, false]);
        assert_eq!(significant(&[0.009, 0.004, 0.003], 0.01), [true, true, true]);
        assert_eq!(significant(&[0.5, 0.000_1, 0.006], 0.01), [false, true, false]);
        assert_eq!(significant(&[], 0.01), [false; 0]);
    }
}
