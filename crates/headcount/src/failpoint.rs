//! Named points at which a test ends the process, as a kill at just that moment would; and defects that it plants, so
//! that it is seen to find them.
//!
//! They are there with the feature `failpoints` only, which no release can be built with. `FAILPOINT=row-written@8` ends
//! the process where it comes to that point for the eighth time; `DEFECT=list-not-filtered` plants that defect.

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!("the feature `failpoints` is for tests: a release is built without it");

/// Where a process may be ended: THE list of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Point {
    /// An event waits for its commit.
    EventQueued,
    /// A row is written to the spool and not committed.
    RowWritten,
    /// A row is committed, and nobody has been answered.
    RowCommitted,
    /// Rows are deleted from the spool and not yet noted as dropped.
    SpoolTrimming,
    /// The deltas of a step are written, the mark is not, and neither is committed.
    StepWritten,
    /// A write to the store is committed, and nobody knows it.
    StoreCommitted,
    /// The deltas that a compaction replaces are gone, and the new base is not yet in their place.
    StoreCompacting,
    /// The copy of the catalog before a migration is written and does not have its name yet.
    CatalogCopied,
    /// The tables of the catalog are those of this build, and nothing was read from them.
    CatalogMigrated,
}

/// Mistakes by which somebody sees or does what is another's: THE list of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Defect {
    /// A question names what was not granted to the caller, and is answered.
    FilterNotChecked,
    /// What is looked up by its id may be another owner's.
    OwnerMissingInKey,
    /// A list has what was not granted to the caller.
    ListNotFiltered,
    /// A token is good for every route that any token may call.
    TokenScopeIgnored,
    /// The sessions of a deleted user go on.
    DeletedUserStillValid,
}

/// Whether that defect is there.
#[cfg(feature = "failpoints")]
pub(crate) fn is_planted(defect: Defect) -> bool {
    *PLANTED == Some(defect)
}

/// No defect is there in this build.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn is_planted(_defect: Defect) -> bool {
    false
}

/// The defect that this process has.
#[cfg(feature = "failpoints")]
static PLANTED: std::sync::LazyLock<Option<Defect>> = std::sync::LazyLock::new(|| {
    #[expect(clippy::disallowed_methods, reason = "it is no setting of the server")]
    std::env::var("DEFECT").ok()?.parse().ok()
});

/// Ends the process here, if it was told to.
#[cfg(feature = "failpoints")]
pub(crate) fn reach(point: Point) {
    if let Some((end, times)) = &*END
        && *end == point
        && times.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) == 1
    {
        std::process::abort();
    }
}

/// Does nothing in this build.
#[cfg(not(feature = "failpoints"))]
pub(crate) fn reach(_point: Point) {}

/// Where this process ends, and how often it comes there until it does.
#[cfg(feature = "failpoints")]
static END: std::sync::LazyLock<Option<(Point, std::sync::atomic::AtomicU32)>> = std::sync::LazyLock::new(|| {
    #[expect(clippy::disallowed_methods, reason = "it is no setting of the server")]
    let told = std::env::var("FAILPOINT").ok()?;
    let (name, times) = told.split_once('@')?;
    Some((name.parse().ok()?, times.parse::<u32>().ok()?.into()))
});
