//! The page of figures: an introduction, and a part for each row. A run replaces the parts that it measured and leaves the
//! others as they are.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::ValueEnum as _;

use crate::rows::Row;

/// A page, read or to be written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    introduction: String,
    parts: BTreeMap<Row, String>,
}

/// What stands before the part of a row; nobody sees it on the page.
fn marker(row: Row) -> String {
    format!("<!-- rows: {} -->\n", row.name())
}

impl Page {
    /// A page that says this of the machine, with nothing measured yet.
    pub(crate) fn new(machine: &str) -> Self {
        let introduction = format!(
            "# Benchmarks\n\n\
             Written by `make bench`, which builds the release, makes the fleets and measures every row beside its \
             reference in the same run; `scripts/bench --rows R --write docs/benchmarks.md` measures some rows anew and \
             leaves the others as they are. Under the tables of a row stands when and how it was measured. Server and load \
             generator share the machine. Figures are medians of the rounds with the least and the greatest behind them; \
             each load has a warm-up.\n\n\
             Machine: {machine}.\n"
        );
        Self { introduction, parts: BTreeMap::new() }
    }

    /// The page at that place; one without any part if there is none.
    ///
    /// # Errors
    /// If what is there was measured on another machine.
    pub(crate) fn read(path: &Path, machine: &str) -> anyhow::Result<Self> {
        let page = Self::new(machine);
        let found = match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(page),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let machine_of =
            |page: &Self| page.introduction.lines().find(|line| line.starts_with("Machine: ")).map(str::to_owned);
        if machine_of(&found) != machine_of(&page) {
            bail!("the rows of {} were measured on another machine; write all rows, or another file", path.display());
        }
        Ok(Self { parts: found.parts, ..page })
    }

    fn parse(text: &str) -> Self {
        let mut starts: Vec<(usize, usize, Row)> = Row::value_variants()
            .iter()
            .filter_map(|&row| text.find(&marker(row)).map(|at| (at, at + marker(row).len(), row)))
            .collect();
        starts.sort_unstable_by_key(|&(at, ..)| at);
        let ends = starts.iter().skip(1).map(|&(at, ..)| at).chain([text.len()]);
        let part = |(&(_, from, row), to): (&(usize, usize, Row), usize)| (row, text[from..to].trim().to_owned());
        let introduction = text[..starts.first().map_or(text.len(), |&(at, ..)| at)].to_owned();
        Self { introduction, parts: starts.iter().zip(ends).map(part).collect() }
    }

    /// Puts the part of a row in the place of an earlier one.
    pub(crate) fn set(&mut self, row: Row, part: &str) {
        self.parts.insert(row, part.trim().to_owned());
    }

    /// Markdown, the rows in the order of their list.
    pub(crate) fn render(&self) -> String {
        let mut text = format!("{}\n", self.introduction.trim_end());
        for (&row, part) in &self.parts {
            _ = write!(text, "\n{}\n{part}\n", marker(row));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_back_and_one_part_replaced() {
        let mut page = Page::new("a machine");
        page.set(Row::Start, "## Start\n\nslow");
        page.set(Row::Capacity, "## Capacity\n\nmuch\n\n## More\n");
        let mut read = Page::parse(&page.render());
        assert_eq!(read.render(), page.render());
        assert_eq!(read.parts.keys().collect::<Vec<_>>(), [&Row::Capacity, &Row::Start]);
        read.set(Row::Start, "## Start\n\nfast\n");
        assert_eq!(read.render(), page.render().replace("slow", "fast"));
    }
}
