//! Numbers as text: medians with their spread, and tables.

use std::fmt::Write as _;

/// The results of the rounds of one figure.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn add(&mut self, sample: f64) {
        self.0.push(sample);
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    }

    /// The middle one; the mean of the middle two of an even number.
    pub(crate) fn median(&self) -> f64 {
        let sorted = self.sorted();
        match sorted.len() {
            0 => f64::NAN,
            odd if odd % 2 == 1 => sorted[odd / 2],
            even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
        }
    }

    /// The median, and the least and the greatest behind it.
    pub(crate) fn show(&self) -> String {
        let sorted = self.sorted();
        match (sorted.first(), sorted.last()) {
            (Some(&least), Some(&greatest)) if sorted.len() > 1 => {
                format!("{} ({}-{})", number(self.median()), number(least), number(greatest))
            }
            _ => number(self.median()),
        }
    }
}

/// A number with as many digits as mean something, and commas between the thousands.
pub(crate) fn number(value: f64) -> String {
    if value.is_nan() {
        return "-".to_owned();
    }
    if value.abs() < 10.0 {
        return format!("{value:.2}");
    }
    if value.abs() < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// One table of the page.
#[derive(Debug)]
pub(crate) struct Table {
    title: &'static str,
    notes: Vec<String>,
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: &'static str, head: &[&'static str]) -> Self {
        Self { title, notes: Vec::new(), head: head.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// A sentence under the title.
    pub(crate) fn note(&mut self, sentence: impl Into<String>) {
        self.notes.push(sentence.into());
    }

    /// Markdown.
    pub(crate) fn render(&self) -> String {
        let mut text = format!("## {}\n\n", self.title);
        for note in &self.notes {
            _ = write!(text, "{note}\n\n");
        }
        _ = writeln!(text, "| {} |", self.head.join(" | "));
        _ = writeln!(text, "|{}", "---|".repeat(self.head.len()));
        for row in &self.rows {
            _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_medians_are_in_the_middle() {
        let shown = [0.123, 12.34, 123.4, 1_234.0, 1_234_567.0, -1_234.0, f64::NAN].map(number);
        assert_eq!(shown, ["0.12", "12.3", "123", "1,234", "1,234,567", "-1,234", "-"]);
        let mut samples = Samples::default();
        for sample in [3.0, 1.0, 2.0] {
            samples.add(sample);
        }
        assert_eq!(samples.show(), "2.00 (1.00-3.00)");
        samples.add(4.0);
        assert!((samples.median() - 2.5).abs() < 1e-9);
    }
}
